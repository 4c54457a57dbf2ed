//! The rights of clients to publish and receive, from an ACL file in mosquitto's format. With such a file,
//! everything that no line allows is denied. Every subscription is granted, but messages that the client may
//! not read are not delivered.

use std::collections::HashMap;
use std::sync::Arc;

use super::{BadLine, lines};
use crate::protocol::topic;

/// The access that a line allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AclGrant {
    Deny,
    Read,
    Write,
    ReadWrite,
}

/// A line of an ACL file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AclRule {
    grant: AclGrant,
    topic_filter: String,
}

/// An ACL file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Permissions {
    /// For clients without a user name: the lines before the first `user`.
    anonymous: Arc<[AclRule]>,
    users: HashMap<String, Arc<[AclRule]>>,
    /// For all clients.
    patterns: Vec<AclRule>,
}

/// The rights of one client.
#[derive(Debug)]
pub(in crate::broker) struct Rights {
    own: Arc<[AclRule]>,
    /// With the client's names in place of `%u` and `%c`.
    patterns: Vec<AclRule>,
}

impl Permissions {
    pub(super) fn read(text: &[u8]) -> Result<Self, BadLine> {
        let mut user = None;
        let mut rules: HashMap<Option<String>, Vec<AclRule>> = HashMap::new();
        let mut patterns = Vec::new();
        for (line, text) in lines(text) {
            let text = text?;
            let bad = |why: &str| BadLine { line, why: why.to_owned() };
            let (word, rest) = text.trim_start().split_once(' ').unwrap_or((text.trim_start(), ""));
            let rest = rest.trim();
            match word {
                "user" if rest.is_empty() => return Err(bad("the user name is missing")),
                "user" => user = Some(rest.to_owned()),
                "topic" => rules.entry(user.clone()).or_default().push(rule(rest).map_err(|why| bad(&why))?),
                "pattern" => patterns.push(rule(rest).map_err(|why| bad(&why))?),
                _ => {
                    return Err(bad(
                        "use 'user NAME', 'topic [read|write|readwrite|deny] FILTER' or 'pattern …'",
                    ));
                }
            }
        }
        let anonymous = rules.remove(&None).unwrap_or_default().into();
        let users = rules.into_iter().filter_map(|(user, rules)| Some((user?, rules.into())));
        Ok(Self { anonymous, users: users.collect(), patterns })
    }

    /// The rights of a client.
    pub(super) fn of(&self, user_name: Option<&str>, client_identifier: &str) -> Rights {
        let own = match user_name {
            None => Arc::clone(&self.anonymous),
            Some(name) => self.users.get(name).cloned().unwrap_or_default(),
        };
        // A name with a wildcard would extend a pattern to the topics of other clients.
        let is_wild = |name: &str| name.contains(['+', '#']);
        let is_plain = !is_wild(client_identifier) && !user_name.is_some_and(is_wild);
        let patterns = self.patterns.iter().filter(|rule| {
            (is_plain || rule.grant == AclGrant::Deny)
                && (user_name.is_some() || !rule.topic_filter.contains("%u"))
        });
        let named = |rule: &AclRule| AclRule {
            grant: rule.grant,
            topic_filter: expanded(&rule.topic_filter, user_name.unwrap_or_default(), client_identifier),
        };
        Rights { own, patterns: patterns.map(named).collect() }
    }
}

/// The access, if given, and the topic filter, which may contain spaces.
fn rule(text: &str) -> Result<AclRule, String> {
    let (grant, topic_filter) = match text.split_once(' ') {
        None => (AclGrant::ReadWrite, text),
        Some((word, rest)) => {
            let grant =
                match word {
                    "read" => AclGrant::Read,
                    "write" => AclGrant::Write,
                    "readwrite" => AclGrant::ReadWrite,
                    "deny" => AclGrant::Deny,
                    _ => return Err(
                        "invalid access; use read, write, readwrite or deny before the topic filter, or none"
                            .into(),
                    ),
                };
            (grant, rest.trim())
        }
    };
    topic::check_filter(topic_filter.as_bytes()).map_err(|error| format!("the topic filter: {error}"))?;
    Ok(AclRule { grant, topic_filter: topic_filter.to_owned() })
}

/// Replaces each placeholder once; placeholders inside a name stay as they are.
fn expanded(pattern: &str, user_name: &str, client_identifier: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let (name, length) = match rest.as_bytes().get(at + 1) {
            Some(b'u') => (user_name, 2),
            Some(b'c') => (client_identifier, 2),
            _ => ("%", 1),
        };
        out.push_str(name);
        rest = &rest[at + length..];
    }
    out + rest
}

impl Rights {
    pub(in crate::broker) fn may_write(&self, topic_name: &str) -> bool {
        self.allow(topic_name, |grant| matches!(grant, AclGrant::Write | AclGrant::ReadWrite))
    }

    pub(in crate::broker) fn may_read(&self, topic_name: &str) -> bool {
        self.allow(topic_name, |grant| matches!(grant, AclGrant::Read | AclGrant::ReadWrite))
    }

    /// As in mosquitto, the client's own lines are checked before the patterns, and in both, denials before
    /// permissions.
    fn allow(&self, topic_name: &str, is_enough: impl Fn(AclGrant) -> bool) -> bool {
        let name = topic_name.as_bytes();
        for rules in [&*self.own, &self.patterns] {
            let mut allowed = false;
            for rule in rules {
                if rule.grant == AclGrant::Deny || (!allowed && is_enough(rule.grant)) {
                    let matches = topic::matches(rule.topic_filter.as_bytes(), name);
                    if matches && rule.grant == AclGrant::Deny {
                        return false;
                    }
                    allowed |= matches;
                }
            }
            if allowed {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# everyone without a name
topic read public/#
topic  write  in box/+

user anna
topic house/#
topic deny house/safe/#
topic read $SYS/#
user bert smith
topic write a
pattern readwrite home/%u/%c/#
pattern read id/%c
user anna
topic write late
";

    fn may(user: Option<&str>, client: &str, topic: &str) -> &'static str {
        let rights = Permissions::read(FILE.as_bytes()).unwrap().of(user, client);
        match (rights.may_read(topic), rights.may_write(topic)) {
            (false, false) => "-",
            (true, false) => "r",
            (false, true) => "w",
            (true, true) => "rw",
        }
    }

    #[test]
    fn rules_are_those_of_the_user_and_the_patterns() {
        for (user, client, topic, expected) in [
            (None, "c", "public/a", "r"),
            (None, "c", "in box/a", "w"),
            (None, "c", "house/a", "-"),
            (None, "c", "id/c", "r"),
            (None, "c", "home//c/a", "-"),
            (Some("anna"), "c", "house/a", "rw"),
            (Some("anna"), "c", "house/safe/a", "-"),
            (Some("anna"), "c", "public/a", "-"),
            (Some("anna"), "c", "$SYS/broker/uptime", "r"),
            (Some("anna"), "c", "late", "w"),
            (Some("anna"), "c", "home/anna/c/a", "rw"),
            (Some("anna"), "c", "home/bert/c/a", "-"),
            (Some("anna"), "+", "home/anna/c/a", "-"),
            (Some("#"), "c", "home/x/c/a", "-"),
            (Some("%c"), "x", "home/%c/x/a", "rw"),
            (Some("bert smith"), "c", "a", "w"),
            (Some("cleo"), "c", "public/a", "-"),
        ] {
            assert_eq!(may(user, client, topic), expected, "{user:?} {client} {topic}");
        }
    }

    #[test]
    fn bad_lines_are_named() {
        for (line, why) in [
            ("user", "the user name is missing"),
            ("topic", "the topic filter"),
            ("topic all a", "use read, write, readwrite or deny"),
            ("topic read a/#/b", "the topic filter"),
            ("group a", "use 'user NAME'"),
        ] {
            let bad = Permissions::read(format!("topic a\n{line}").as_bytes()).unwrap_err();
            assert!(bad.line == 2 && bad.why.contains(why), "{line}: {bad:?}");
        }
    }
}
