//! A host with an optional port.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::printable;

/// A host name or IP address with an optional port: `HOST`, `HOST:PORT`, `[IPv6]`, `[IPv6]:PORT` or `IPv6`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort<H = String> {
    /// The host without brackets.
    pub host: H,
    /// The port, if there is one; a parsed port is not 0.
    pub port: Option<u16>,
}

/// Why a text is not a host with an optional port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each says what it is about")]
pub enum HostPortError {
    #[error("it is empty")]
    Empty,
    #[error("not a valid IPv6 address")]
    NotIpv6,
    #[error("an IPv6 address must be in brackets, [::1]")]
    WithoutBrackets,
    #[error("what follows ']' must be ':PORT'")]
    AfterBracket,
    #[error("a host name has no '{}' in it", printable(.0.encode_utf8(&mut [0; 4])))]
    Character(char),
    #[error("the port must be 1 to 65535")]
    Port,
}

impl HostPort {
    /// Reads the form used in URLs: an IPv6 address is in brackets.
    ///
    /// # Errors
    /// The text has another form.
    pub fn from_authority(text: &str) -> Result<Self, HostPortError> {
        if !text.starts_with('[') && text.matches(':').count() > 1 {
            return Err(HostPortError::WithoutBrackets);
        }
        text.parse()
    }
}

impl FromStr for HostPort {
    type Err = HostPortError;

    fn from_str(text: &str) -> Result<Self, HostPortError> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or(HostPortError::NotIpv6)?;
            if !is_ipv6(host) {
                return Err(HostPortError::NotIpv6);
            }
            match rest.strip_prefix(':') {
                None if !rest.is_empty() => return Err(HostPortError::AfterBracket),
                port => (host, port),
            }
        } else if is_ipv6(text) {
            (text, None)
        } else {
            match text.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => return Err(HostPortError::NotIpv6),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        if host.is_empty() {
            return Err(HostPortError::Empty);
        }
        let is_stray = |c: &char| c.is_whitespace() || c.is_control() || "/@[]".contains(*c);
        if let Some(stray) = host.chars().find(is_stray) {
            return Err(HostPortError::Character(stray));
        }
        Ok(Self { host: host.to_owned(), port: port.map(self::port).transpose()? })
    }
}

impl<H: AsRef<str>> fmt::Display for HostPort<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_ref();
        if host.contains(':') {
            write!(f, "[{host}]")?;
        } else {
            f.write_str(host)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Reads a port.
///
/// # Errors
/// The text is not a number from 1 to 65535.
pub fn port(text: &str) -> Result<u16, HostPortError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0).ok_or(HostPortError::Port)
}

/// Whether this is an IPv6 literal, with or without a zone (`fe80::1%eth0`).
fn is_ipv6(text: &str) -> bool {
    match text.split_once('%') {
        Some((address, zone)) => !zone.is_empty() && address.parse::<Ipv6Addr>().is_ok(),
        None => text.parse::<Ipv6Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_a_port() {
        for (text, host, port, shown) in [
            ("a", "a", None, "a"),
            ("bücher.example:1", "bücher.example", Some(1), "bücher.example:1"),
            ("10.0.0.1:65535", "10.0.0.1", Some(65_535), "10.0.0.1:65535"),
            ("::1", "::1", None, "[::1]"),
            ("[::1]", "::1", None, "[::1]"),
            ("[::1]:1883", "::1", Some(1883), "[::1]:1883"),
            ("fe80::1%eth0", "fe80::1%eth0", None, "[fe80::1%eth0]"),
        ] {
            let found: HostPort = text.parse().unwrap();
            assert_eq!((found.host.as_str(), found.port), (host, port), "{text}");
            assert_eq!(found.to_string(), shown);
            assert_eq!(shown.parse(), Ok(found), "it can be read back");
        }
        assert_eq!(HostPort::from_authority("::1"), Err(HostPortError::WithoutBrackets));
        assert_eq!(HostPort::from_authority("[::1]:1").unwrap().port, Some(1));
    }

    #[test]
    fn invalid_hosts_are_refused() {
        use HostPortError::{AfterBracket, Character, Empty, NotIpv6, Port};
        for (text, why) in [
            ("", Empty),
            (":1", Empty),
            ("[]", NotIpv6),
            ("[a]", NotIpv6),
            ("[::1", NotIpv6),
            ("1:2:3", NotIpv6),
            ("fe80::1%", NotIpv6),
            ("[::1]1", AfterBracket),
            ("a b", Character(' ')),
            ("u@h", Character('@')),
            ("a/b", Character('/')),
            ("[::1%e\n]", Character('\n')),
            ("a:", Port),
            ("a:0", Port),
            ("a:+1", Port),
            ("a:65536", Port),
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(why), "{text}");
        }
    }
}
