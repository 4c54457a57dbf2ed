//! Parses the URL of `-L`: `mqtt[s]://[USER[:PASSWORD]@]HOST[:PORT][/TOPIC]`, and
//! `ws[s]://[USER[:PASSWORD]@]HOST[:PORT][/PATH[?QUERY]]`.
//!
//! No URL library is used, because in the first form everything after the first `/` is the topic, unchanged:
//! `#` and `?`, which end a path elsewhere, are ordinary in a topic filter. `%XX` is decoded in user name,
//! password and topic, so that each can contain any character; the path of a WebSocket is sent unchanged.

use std::fmt;
use std::str::FromStr;

use super::text::shown;
use crate::client::options::Secret;
use crate::notation::{HostPort, percent};

/// A broker's URL, split into its decoded parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BrokerUrl {
    /// Whether the scheme uses TLS.
    pub(super) tls: bool,
    /// Whether the scheme uses a WebSocket.
    pub(super) web_socket: bool,
    pub(super) user_name: Option<String>,
    pub(super) password: Option<Secret>,
    /// IPv6 literals without brackets.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// Not checked yet: publishing and subscribing have different rules.
    pub(super) topic: Option<String>,
    /// Path and query of a WebSocket.
    pub(super) path: Option<String>,
    /// The character that ends the authority, if no user name and password come before it but an '@' comes
    /// after it. A topic may contain an '@', but the text before it may also be the rest of a password.
    pub(super) early_end: Option<char>,
}

/// The names of the schemes in other programs.
const FOREIGN_SCHEMES: [(&str, &str); 6] = [
    ("tcp", "mqtt"),
    ("mqtt+tcp", "mqtt"),
    ("ssl", "mqtts"),
    ("tls", "mqtts"),
    ("mqtt+ssl", "mqtts"),
    ("mqtt+tls", "mqtts"),
];

/// The URL for this program, from a URL with a foreign scheme or from a host.
pub(super) fn translated(text: &str) -> Option<String> {
    let url = match text.split_once("://") {
        Some((scheme, rest)) => {
            let scheme = scheme.to_ascii_lowercase();
            let ours = FOREIGN_SCHEMES.iter().find(|(theirs, _)| scheme == *theirs);
            format!("{}://{rest}", ours.map_or(&*scheme, |(_, ours)| ours))
        }
        None => format!("mqtt://{text}"),
    };
    url.parse::<BrokerUrl>().is_ok().then_some(url)
}

impl BrokerUrl {
    /// The port if the URL names none: the default of the scheme, which for WebSockets is that of HTTP or
    /// HTTPS.
    pub(super) fn default_port(&self) -> Option<u16> {
        match (self.web_socket, self.tls) {
            (true, false) => Some(80),
            (true, true) => Some(443),
            (false, _) => None,
        }
    }
}

/// Why a URL cannot be used. Never quotes the user name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UrlError(String);

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UrlError {}

fn error<T>(why: impl Into<String>) -> Result<T, UrlError> {
    Err(UrlError(why.into()))
}

impl FromStr for BrokerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return error("use mqtt://HOST, mqtts://HOST, ws://HOST or wss://HOST");
        };
        let (web_socket, tls) = match scheme.to_ascii_lowercase().as_str() {
            "mqtt" => (false, false),
            "mqtts" => (false, true),
            "ws" => (true, false),
            "wss" => (true, true),
            other => {
                return error(match FOREIGN_SCHEMES.iter().find(|(theirs, _)| other == *theirs) {
                    Some((_, ours)) => format!("{other}:// is called {ours}:// here"),
                    None => format!(
                        "scheme '{}' is not supported; use mqtt, mqtts, ws or wss",
                        shown(other.as_ref())
                    ),
                });
            }
        };
        let end = if web_socket { rest.find(['/', '?']) } else { rest.find('/') };
        let (authority, behind) = rest.split_at(end.unwrap_or(rest.len()));
        let topic = behind.strip_prefix('/').filter(|topic| !web_socket && !topic.is_empty());
        let path = Some(behind).filter(|path| web_socket && !path.is_empty());
        let path = path.map(|path| if path.starts_with('?') { format!("/{path}") } else { path.into() });
        // The last '@', so that one in a password need not be encoded.
        let (credentials, address) = match authority.rsplit_once('@') {
            Some((credentials, address)) => (Some(credentials), address),
            None => (None, authority),
        };
        let (user_name, password) = match credentials.map(|text| text.split_once(':').ok_or(text)) {
            None => (None, None),
            Some(Err(user)) => (Some(user), None),
            Some(Ok((user, password))) => (Some(user), Some(password)),
        };
        // An '@' after the end of the authority: the authority may have ended too early.
        let early_end = behind.chars().next().filter(|_| credentials.is_none() && behind.contains('@'));
        // The '%' before an IPv6 zone is encoded like any other ([RFC 6874]).
        let address = address.replace("%25", "%");
        let HostPort { host, port } = HostPort::from_authority(&address).map_err(|why| {
            UrlError(match early_end {
                Some(end) => format!("the host: {why}; {}", encoded_in_credentials(end)),
                None => format!("the host: {why}"),
            })
        })?;
        Ok(Self {
            tls,
            web_socket,
            path,
            user_name: user_name
                .filter(|user| !user.is_empty())
                .map(|user| decode_text(user, "the user name"))
                .transpose()?,
            password: password.map(|password| decode(password, "the password")).transpose()?.map(Secret),
            host,
            port,
            early_end,
            topic: topic.map(|topic| decode_text(topic, "the topic")).transpose()?,
        })
    }
}

/// The percent-encoding of a character that ends the authority.
pub(super) fn encoded_in_credentials(end: char) -> String {
    format!("a '{end}' in a user name or password is written %{:02X}", u32::from(end))
}

/// A URL, or an option with one, without its user name and password; `None` if it has neither.
pub(super) fn without_user_info(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let is_web_socket = scheme.to_ascii_lowercase().trim_end_matches('s').ends_with('w');
    let end = if is_web_socket { rest.find(['/', '?']) } else { rest.find('/') };
    let (authority, behind) = rest.split_at(end.unwrap_or(rest.len()));
    let (_, address) = authority.rsplit_once('@')?;
    Some(format!("{scheme}://{address}{behind}"))
}

/// A URL without the query of a WebSocket's path, which may hold a token; `None` if it has no query. In
/// `mqtt://` a question mark is part of the topic.
pub(super) fn without_query(text: &str, is_url: bool) -> Option<String> {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
    let is_web_socket = scheme.trim_end_matches('s').ends_with('w');
    let (path, _) = text.split_once('?').filter(|_| !is_url || is_web_socket)?;
    Some(path.to_owned())
}

/// A URL, or the path of one, without the user name and password and without the query.
pub(super) fn without_secrets(value: &str) -> String {
    let (scheme, rest) = match value.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), value),
    };
    // After mqtt:// comes a topic, which may contain anything.
    let has_query = !scheme.to_ascii_lowercase().ends_with("mqtt://")
        && !scheme.to_ascii_lowercase().ends_with("mqtts://");
    // The last '@' anywhere: a password with a spelling mistake must not be shown either.
    let (credentials, behind) = match rest.rsplit_once('@').filter(|_| !scheme.is_empty()) {
        Some((_, behind)) => ("…@", behind),
        None => ("", rest),
    };
    let (behind, query) = match behind.split_once('?').filter(|_| has_query) {
        Some((behind, _)) => (behind, "?…"),
        None => (behind, ""),
    };
    format!("{scheme}{credentials}{behind}{query}")
}

/// A value that should be a URL or a host, without its user name and password. They end at an '@', even if
/// the scheme is missing.
pub(super) fn host_alone(value: &str) -> String {
    match value.rsplit_once('@') {
        Some((before, behind)) if !before.contains("://") => format!("…@{behind}"),
        _ => value.to_owned(),
    }
}

fn decode_text(text: &str, part: &str) -> Result<String, UrlError> {
    String::from_utf8(decode(text, part)?).or_else(|_| error(format!("{part} is not UTF-8 when decoded")))
}

fn decode(text: &str, part: &str) -> Result<Vec<u8>, UrlError> {
    percent::decode(text).or_else(|why| error(format!("{part}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> BrokerUrl {
        text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    fn why_not(text: &str) -> String {
        text.parse::<BrokerUrl>().expect_err(text).to_string()
    }

    #[test]
    fn every_part() {
        let url = parse("mqtts://user:pass@broker.example:8884/home/+/temperature");
        assert!(url.tls);
        assert_eq!(url.user_name.as_deref(), Some("user"));
        assert_eq!(url.password, Some(Secret(b"pass".to_vec())));
        assert_eq!(url.host, "broker.example");
        assert_eq!(url.port, Some(8884));
        assert_eq!(url.topic.as_deref(), Some("home/+/temperature"));
    }

    #[test]
    fn only_the_host() {
        for text in ["mqtt://h", "mqtt://h/", "MQTT://h"] {
            let url = parse(text);
            assert!(!url.tls);
            assert_eq!(url.host, "h");
            assert_eq!((url.user_name, url.password, url.port, url.topic), (None, None, None, None));
        }
    }

    #[test]
    fn ipv6_literals_are_in_brackets() {
        assert_eq!(parse("mqtt://[::1]/t").host, "::1");
        let url = parse("mqtt://u@[2001:db8::7]:1884/t");
        assert_eq!((url.host.as_str(), url.port), ("2001:db8::7", Some(1884)));
        assert_eq!(parse("mqtt://[fe80::1%25eth0]:1884/t").host, "fe80::1%eth0");
        assert_eq!(parse("mqtt://[fe80::1%eth0]/t").host, "fe80::1%eth0");
        assert!(why_not("mqtt://::1/t").contains("brackets"));
        assert!(why_not("mqtt://[::1/t").contains("host"));
        assert!(why_not("mqtt://[::1]1884").contains("':PORT'"));
    }

    /// A URL library would cut all of these.
    #[test]
    fn everything_after_the_first_slash_is_the_topic() {
        for topic in ["home/#", "/a//b/", "a?b", "a b", "$SYS/#", "a@b:1", "$share/g/x"] {
            assert_eq!(parse(&format!("mqtt://h/{topic}")).topic.as_deref(), Some(topic));
        }
    }

    #[test]
    fn credentials_that_may_be_cut_off_are_noticed() {
        for (text, end) in [
            ("mqtt://me:1/secret@h/t", Some('/')),
            ("mqtt://me/you:secret@h/t", Some('/')),
            ("ws://me:1?secret@h/t", Some('?')),
            ("mqtt://me:1@h/a@b", None),
            ("mqtt://h/a", None),
        ] {
            assert_eq!(parse(text).early_end, end, "{text}");
        }
        assert!(why_not("mqtt://me:x/secret@h").ends_with("a '/' in a user name or password is written %2F"));
        assert!(!why_not("mqtt://me:x/secret@h").contains("secret"));
    }

    #[test]
    fn percent_codes_are_decoded() {
        let url = parse("mqtt://us%40er:p%3A%2Fa%25%FF@h/a%20b/%23/%e6%b8%a9");
        assert_eq!(url.user_name.as_deref(), Some("us@er"));
        assert_eq!(url.password, Some(Secret(b"p:/a%\xff".to_vec())));
        assert_eq!(url.topic.as_deref(), Some("a b/#/温"));
        for bad in ["mqtt://h/100%", "mqtt://h/%4", "mqtt://h/%zz", "mqtt://%@h", "mqtt://h/%+1"] {
            assert!(why_not(bad).contains("%25"), "{bad}");
        }
        assert!(why_not("mqtt://h/%ff").contains("not UTF-8"));
    }

    #[test]
    fn user_name_and_password_are_taken_out() {
        for (text, without) in [
            ("--url=mqtts://u:p@q@h:1/t@x", Some("--url=mqtts://h:1/t@x")),
            ("WSS://u@h?a@b", Some("WSS://h?a@b")),
            ("wss://h/@x", None),
            ("mqtts://h/a@b", None),
        ] {
            assert_eq!(without_user_info(text).as_deref(), without, "{text}");
        }
    }

    #[test]
    fn credentials() {
        let url = parse("mqtt://u:a:b@c@h");
        assert_eq!((url.user_name.as_deref(), url.host.as_str()), (Some("u"), "h"));
        assert_eq!(url.password, Some(Secret(b"a:b@c".to_vec())));
        let url = parse("mqtt://:only@h");
        assert_eq!((url.user_name, url.password), (None, Some(Secret(b"only".to_vec()))));
    }

    #[test]
    fn a_web_socket_has_a_path_and_no_topic() {
        let url = parse("wss://u:p@h/mqtt/a%20b?token=1");
        assert!(url.tls && url.web_socket);
        assert_eq!(url.path.as_deref(), Some("/mqtt/a%20b?token=1"));
        assert_eq!((url.topic.as_deref(), url.host.as_str(), url.default_port()), (None, "h", Some(443)));
        let url = parse("ws://[::1]:9001?x=y");
        assert_eq!(
            (url.path.as_deref(), url.port, url.default_port()),
            (Some("/?x=y"), Some(9001), Some(80))
        );
        assert_eq!(parse("ws://h").path, None);
        assert_eq!(parse("mqtt://h/t").path, None);
    }

    #[test]
    fn bad_urls() {
        for (text, word) in [
            ("h:1883", "mqtt://HOST"),
            ("", "mqtt://HOST"),
            ("http://h", "scheme 'http'"),
            ("TCP://h", "tcp:// is called mqtt:// here"),
            ("ssl://h:8883", "ssl:// is called mqtts:// here"),
            ("mqtt+ssl://h", "mqtt+ssl:// is called mqtts:// here"),
            ("mqtt://", "empty"),
            ("mqtt:///t", "empty"),
            ("mqtt://h:0", "port"),
            ("mqtt://h:65536", "port"),
            ("mqtt://h:x", "port"),
            ("mqtt://h:", "port"),
            ("mqtt://a b", "host name"),
        ] {
            assert!(why_not(text).contains(word), "{text}: {}", why_not(text));
        }
    }

    #[test]
    fn errors_and_debug_hide_the_password() {
        for text in ["mqtt://u:hunter2@h:x", "mqtt://u:hunter2%@h", "mqtt://u:hunter2@a b"] {
            assert!(!why_not(text).contains("hunter2"), "{text}");
        }
        assert!(!format!("{:?}", parse("mqtt://u:hunter2@h")).contains("hunter2"));
    }

    #[test]
    fn rest_of_a_url_is_named() {
        for (value, left) in [
            ("mqtt://me:x@h/t", "mqtt://…@h/t"),
            ("mqtts://h/a?b", "mqtts://h/a?b"),
            ("WSS://me:x@h/p?token=x", "WSS://…@h/p?…"),
            ("ws://h?token=x", "ws://h?…"),
            ("ws://me:x?y@h/p?token=x@z", "ws://…@z"),
            ("ws://me:x?y@h", "ws://…@h"),
            ("/mqtt?token=x", "/mqtt?…"),
            ("--url=wss://h/p?token=x", "--url=wss://h/p?…"),
            ("socks5h://me:x@p:1", "socks5h://…@p:1"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(without_secrets(value), left);
        }
    }
}
