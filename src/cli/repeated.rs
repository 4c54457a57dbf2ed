//! Removes secrets from command-line text that errors and warnings repeat. The definition of an option tells
//! whether its value is a secret. This module finds secrets at other places: as the value of `-P` where the
//! option before it has taken `-P`, as the rest of a password with blanks, after a name that sounds like a
//! password's, or in a URL given as a host or topic.

use std::ffi::{OsStr, OsString};
use std::net::Ipv6Addr;

use clap::{Arg, Command};

use super::secret::{self, SecretKind};
use super::text::shown;
use super::{property, url, words};
use crate::error::Error;
use crate::masking::Confidential;

/// Parts of words that must not be repeated.
#[derive(Default)]
pub(super) struct Repeated {
    /// Parts of texts that look like a URL, each with its replacement.
    of_urls: Vec<(String, &'static str)>,
    values: Confidential,
}

impl Repeated {
    /// The secrets of a command line, at any place. `called` is the definition of the subcommand and the
    /// number of words before its arguments.
    pub(super) fn of_line(called: Option<(Command, usize)>, line: &[OsString]) -> Self {
        let mut repeated = Self::default();
        for word in line.iter().skip(1) {
            repeated.add_url(&word.to_string_lossy(), false);
        }
        if let Some((definition, names)) = called {
            repeated.add_values(&definition, names, line);
            repeated.add_rests(&definition, names, line);
            repeated.add_named(&definition, names, line);
        }
        repeated
    }

    /// The secrets of a command line for mosquitto's clients; the words at the places `secrets` are secrets.
    pub(super) fn of_words(line: &[OsString], secrets: &[usize]) -> Self {
        let mut repeated = Self::of_line(None, line);
        for word in secrets.iter().map(|at| &line[*at]) {
            // Only parts of a URL are secret.
            if !word.to_string_lossy().contains("://") {
                repeated.add_value(word, 0);
            }
        }
        repeated
    }

    /// The secrets in one value; `is_url` if its option takes a URL or a host.
    pub(super) fn of_value(value: &str, is_url: bool) -> Self {
        let mut repeated = Self::default();
        repeated.add_url(value, is_url);
        repeated
    }

    /// Adds the words after an option for a secret that were read as something else.
    fn add_values(&mut self, definition: &Command, names: usize, line: &[OsString]) {
        let values = words::values(definition, names, line);
        let is_its_value = |word: usize, id: &clap::Id| {
            values.iter().any(|value| value.word == word && value.arg.get_id() == id)
        };
        let is_option = |word: &OsStr| {
            word.to_str().is_some_and(|word| {
                definition.get_arguments().any(|arg| word.starts_with('-') && words::is_called(arg, word))
            })
        };
        for at in names..line.len() {
            if line[at].eq_ignore_ascii_case(secret::AUTHENTICATION_DATA)
                && let Some(word) = line.get(at + 1)
                && !is_its_value(at + 1, &property::ID.into())
            {
                self.add_value(word, 0);
            }
            let Some((arg, from)) = words::option(definition, line[at].as_encoded_bytes()) else { continue };
            let whole = match secret::kind(arg) {
                Some(SecretKind::Whole | SecretKind::Header) => true,
                Some(SecretKind::Url) => false,
                Some(SecretKind::Property) | None => continue,
            };
            let word = at + usize::from(from.is_none());
            let Some(text) = line.get(word).filter(|_| !is_its_value(word, arg.get_id())) else { continue };
            if from.is_none() && is_option(text) {
                continue; // The option has no value of its own.
            }
            let from = from.unwrap_or(0);
            if whole {
                self.add_value(text, from);
            } else {
                self.add_url(text.to_string_lossy().get(from..).unwrap_or_default(), true);
            }
        }
    }

    /// Adds the words after the value of an option for a secret, if the subcommand has no operands for them,
    /// or if the value consists of letters of options: `-P my secret`, `-Pi secret`.
    fn add_rests(&mut self, definition: &Command, names: usize, line: &[OsString]) {
        let values = words::values(definition, names, line);
        let operands = words::operands(definition, names, line);
        let is_given = |id: &str| values.iter().any(|value| value.arg.get_id() == id);
        let room = |arg: &Arg| match arg.get_id().as_str() {
            "topic_operand" | "message_operand" | "filters" | "filter" if is_given("topic") => 0,
            "host_operand" if is_given("host") || is_given("url") => 0,
            _ => arg.get_num_args().map_or(1, |count| count.max_values()),
        };
        let places = definition.get_positionals().filter(|arg| !arg.is_last_set());
        let is_surplus = operands.len() > places.map(room).fold(0, usize::saturating_add);
        let is_letter =
            |c: char| definition.get_arguments().any(|arg| arg.get_short().is_some_and(|short| short == c));
        for value in &values {
            if !matches!(secret::kind(value.arg), Some(SecretKind::Whole | SecretKind::Header)) {
                continue;
            }
            let text = line[value.word].to_string_lossy();
            let is_letters = !text.starts_with("--")
                && value.from > 0
                && text.get(value.from..).is_some_and(|text| text.chars().all(is_letter));
            if is_letters || is_surplus {
                let rest = (value.word + 1..line.len()).take_while(|at| operands.contains(at));
                rest.for_each(|at| self.add_value(&line[at], 0));
            }
        }
    }

    /// Adds the word after a name that sounds like that of a secret but is not an option: `--passwort x`,
    /// `PASSWORD=x`, `--password:x`.
    fn add_named(&mut self, definition: &Command, names: usize, line: &[OsString]) {
        let values = words::values(definition, names, line);
        let is_value = |at: usize| values.iter().any(|value| value.word == at);
        let is_known = |name: &str| definition.get_arguments().any(|arg| words::is_called(arg, name));
        let is_part = |c: char| c.is_alphanumeric() || ['-', '_'].contains(&c);
        for at in (names..line.len()).filter(|at| !is_value(*at)) {
            let word = line[at].to_string_lossy();
            let name = word.split(['=', ':']).next().unwrap_or_default();
            let is_option = is_known(name) && !word[name.len()..].starts_with(':');
            if !secret::sounds_like_one(name) || !name.chars().all(is_part) || is_option {
                continue;
            }
            let next = line.get(at + 1).filter(|next| !next.as_encoded_bytes().starts_with(b"-"));
            if name.len() < word.len() {
                self.add_value(&line[at], name.len() + 1);
            } else if let Some(next) = next.filter(|_| name.starts_with("--")) {
                self.add_value(next, 0);
            }
        }
    }

    fn add_value(&mut self, word: &OsStr, from: usize) {
        for text in [word.to_string_lossy().as_ref(), &shown(word)] {
            self.values.add(text.get(from..).unwrap_or_default());
        }
    }

    /// Adds the user name, password and query of a URL, or of a text that looks like one.
    fn add_url(&mut self, text: &str, is_url: bool) {
        let (rest, has_scheme) = match text.split_once("://") {
            Some((_, rest)) => (rest, true),
            None => (text, false),
        };
        let credentials = match rest.rsplit_once('@') {
            Some((credentials, _)) => Some(credentials).filter(|text| {
                // In a payload, both characters may mean anything.
                has_scheme || is_url || (text.contains(':') && !text.contains(is_of_payloads))
            }),
            None if has_scheme || is_url => without_host(rest),
            None => None,
        };
        // Of `--host=u:x@h` only the part after the name.
        let credentials = credentials.map(|text| match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => value,
            _ => text,
        });
        if let Some(credentials) = credentials.filter(|text| !text.is_empty()) {
            self.add_part(&format!("{credentials}@"), "…@");
            // An error may quote this part alone.
            if credentials.contains(':') {
                self.add_part(credentials, "…");
            }
        }
        if has_scheme && let Some(path) = url::without_query(text, true) {
            self.add_part(&text[path.len()..], "?…");
        }
    }

    fn add_part(&mut self, part: &str, instead: &'static str) {
        let as_shown = shown(part.as_ref());
        if as_shown != part {
            self.of_urls.push((as_shown, instead));
        }
        self.of_urls.push((part.to_owned(), instead));
    }

    /// The text with its secrets masked.
    pub(super) fn masked(&self, text: &str) -> String {
        let without = |text: String, (part, instead): &(String, &str)| text.replace(part.as_str(), instead);
        self.values.masked(&self.of_urls.iter().fold(text.to_owned(), without))
    }

    /// The error with its secrets masked.
    pub(super) fn left_out_of(&self, mut error: Error) -> Error {
        let (text, hint) = match &mut error {
            Error::Usage { message, hint, .. } => (message, hint),
            Error::File { what, hint, .. } => (what, hint),
            _ => return error,
        };
        *text = self.masked(text);
        if let Some(hint) = hint {
            *hint = self.masked(hint);
        }
        error
    }
}

/// Whether the character is typical of a payload and cannot precede a host.
fn is_of_payloads(c: char) -> bool {
    c.is_whitespace() || ['{', '[', '"', '\''].contains(&c)
}

/// The user name and password of a URL without a host: the text after the colon is not a port.
fn without_host(rest: &str) -> Option<&str> {
    let authority = rest.split(['/', '?']).next()?;
    let (host, port) = authority.split_once(':')?;
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    let is_address = host.starts_with('[') || authority.parse::<Ipv6Addr>().is_ok();
    (!host.is_empty() && !is_port && !is_address).then_some(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked_in_itself(text: &str) -> String {
        let line: Vec<OsString> = text.split(' ').map(OsString::from).collect();
        let definition = super::super::command().find_subcommand(&line[1]).cloned();
        Repeated::of_line(definition.map(|definition| (definition, 2)), &line).masked(text)
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "mqtt sub -t a -u me",
            "mqtt pub -P mqtt -t mqtt",
            "mqtt ping -h [::1]:1883",
            "mqtt ping -L mqtt://h:1883/t",
            "mqtt ping -L mqtt://::1/t",
            "mqtt ping h:1x83",
            "mqtt pub -t a -m {\"a\":\"b@c\"}",
            "mqtt sub -u -P -t a",
            "mqtt sub me@example.org",
            "mqtt ping -P broker broker.example",
            "mqtt ping -P s3cret broker.example:99999",
            "mqtt sub -P s3cret sensors/#/x",
            "mqtt pub -m password=21 --password-file name",
        ] {
            assert_eq!(masked_in_itself(text), text);
        }
    }

    #[test]
    fn secrets_at_any_place_are_left_out() {
        for (text, masked) in [
            ("mqtt ping u:s3cret@h", "mqtt ping …@h"),
            ("mqtt ping --host=u:s3cret@h", "mqtt ping --host=…@h"),
            ("mqtt sub -t socks5h://u:s3cret", "mqtt sub -t socks5h://…"),
            ("mqtt sub wss://h/p?token=s3cret", "mqtt sub wss://h/p?…"),
            ("mqtt sub mqtt://s3cret@h/t", "mqtt sub mqtt://…@h/t"),
            ("mqtt sub -t a -u -P s3cret", "mqtt sub -t a -u -P …"),
            ("mqtt sub -u -P xy -i x", "mqtt sub -u -P … -i x"),
            ("mqtt sub -u --pw=s3cret", "mqtt sub -u --pw=…"),
            (
                "mqtt pub -i -D connect Authentication-Data s3cret",
                "mqtt pub -i -D connect Authentication-Data …",
            ),
            ("mqtt bench u:s3cret@h", "mqtt bench …@h"),
            ("mqtt sub -Pi s3cret -t a", "mqtt sub -Pi … -t a"),
            ("mqtt sub -P my s3cret pass -t a", "mqtt sub -P my … … -t a"),
            ("mqtt ping -P my s3cret broker", "mqtt ping -P my … …"),
            ("mqtt pub -t a --ws-header A: Bearer s3cret", "mqtt pub -t a --ws-header A: … …"),
            ("mqtt sub --key-password s3cret", "mqtt sub --key-password …"),
            ("mqtt sub MQTT_PASSWORD=s3cret", "mqtt sub MQTT_PASSWORD=…"),
            ("mqtt sub --Token=s3cret", "mqtt sub --Token=…"),
        ] {
            assert_eq!(masked_in_itself(text), masked);
        }
    }
}
