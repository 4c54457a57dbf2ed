//! A connection to the broker through a proxy: SOCKS5 and HTTP CONNECT.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{fmt, io};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_socks::Error as SocksError;
use tokio_socks::tcp::Socks5Stream;

use super::http::{self, Head, HeadError};
use super::secrets::Secrets;
use super::{fault, resolve};
use crate::error::{Error, Layer, Sign};
use crate::notation::{self, HostPort, percent};
use crate::quotation;

/// The protocol of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// SOCKS5; the client looks up the broker's name (`socks5://`).
    Socks5,
    /// SOCKS5; the proxy looks up the broker's name (`socks5h://`).
    Socks5RemoteNames,
    /// HTTP CONNECT; the proxy looks up the broker's name (`http://`).
    HttpConnect,
}

impl ProxyKind {
    fn default_port(self) -> u16 {
        match self {
            Self::Socks5 | Self::Socks5RemoteNames => 1080,
            Self::HttpConnect => 8080,
        }
    }
}

/// A proxy. `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The proxy's protocol.
    pub kind: ProxyKind,
    /// The proxy's host: a name or an IP literal.
    pub host: String,
    /// The proxy's port.
    pub port: u16,
    /// User name and password for the proxy.
    pub credentials: Option<(String, String)>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("kind", &self.kind)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user_name", &self.credentials.as_ref().map(|(user_name, _)| user_name))
            .finish_non_exhaustive()
    }
}

/// The proxy's address.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HostPort { host: &self.host, port: Some(self.port) }.fmt(f)
    }
}

impl Proxy {
    /// Reads `scheme://[user[:password]@]host[:port]`; the scheme is `socks5`, `socks5h` or `http`. User name
    /// and password are percent-decoded.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`]; the message never repeats a password.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(Error::usage("a proxy is given as socks5h://HOST:PORT or http://HOST:PORT"));
        };
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "socks5" => ProxyKind::Socks5,
            "socks5h" => ProxyKind::Socks5RemoteNames,
            "http" => ProxyKind::HttpConnect,
            other => {
                return Err(Error::usage(format!(
                    "proxy scheme '{}' is not supported",
                    quotation::shown(other)
                ))
                .with_hint("use socks5://, socks5h:// or http://"));
            }
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // The last '@' separates: a password may contain an unencoded one.
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(decoded_credentials(credentials)?), place),
            None => (None, rest),
        };
        let HostPort { host, port } = HostPort::from_authority(place).map_err(|why| {
            Error::usage(format!("invalid proxy address '{}': {why}", quotation::shown(place)))
        })?;
        if let (ProxyKind::Socks5 | ProxyKind::Socks5RemoteNames, Some((user, password))) =
            (kind, &credentials)
        {
            for (what, text) in [("user name", user), ("password", password)] {
                if !(1..=255).contains(&text.len()) {
                    let message = format!(
                        "a SOCKS5 proxy takes a {what} of 1 to 255 bytes (RFC 1929), and this one has {}",
                        text.len()
                    );
                    return Err(Error::usage(message).with_hint("--proxy socks5h://USER:PASSWORD@HOST"));
                }
            }
        }
        Ok(Self { kind, host, port: port.unwrap_or(kind.default_port()), credentials })
    }

    /// The proxy for a broker, by the conventions of `ALL_PROXY` and `NO_PROXY`, whose values are passed in.
    ///
    /// # Errors
    ///
    /// Like [`Proxy::from_url`].
    pub fn from_environment(
        all_proxy: Option<&str>,
        no_proxy: Option<&str>,
        host: &str,
        port: u16,
    ) -> Result<Option<Self>, Error> {
        let Some(url) = all_proxy.map(str::trim).filter(|url| !url.is_empty()) else {
            return Ok(None);
        };
        if no_proxy.is_some_and(|list| is_exempt(list, host, port)) {
            return Ok(None);
        }
        Self::from_url(url).map(Some)
    }

    /// The targets to request from the proxy, in order: the broker's name, or its addresses if the client
    /// looks up the name. Never empty.
    ///
    /// # Errors
    ///
    /// [`Layer::Resolve`].
    pub(super) async fn targets(
        &self,
        host: &str,
        port: u16,
        name_servers: &[SocketAddr],
    ) -> Result<Vec<String>, Error> {
        match self.kind {
            ProxyKind::Socks5RemoteNames | ProxyKind::HttpConnect => Ok(vec![host.to_owned()]),
            ProxyKind::Socks5 => {
                let addresses = resolve::resolve(host, port, name_servers).await?;
                Ok(addresses.into_iter().map(|address| address.ip().to_string()).collect())
            }
        }
    }

    /// Opens the tunnel to the broker on an open connection to the proxy.
    ///
    /// # Errors
    ///
    /// [`Layer::Proxy`].
    pub(super) async fn tunnel(&self, socket: TcpStream, host: &str, port: u16) -> Result<TcpStream, Error> {
        match self.kind {
            ProxyKind::Socks5 | ProxyKind::Socks5RemoteNames => self.socks5(socket, host, port).await,
            ProxyKind::HttpConnect => self.http_connect(socket, host, port).await,
        }
    }

    async fn socks5(&self, socket: TcpStream, host: &str, port: u16) -> Result<TcpStream, Error> {
        let target = (host, port);
        let mut socket = SocksSocket { socket, answers: Vec::new() };
        let outcome = match &self.credentials {
            None => Socks5Stream::connect_with_socket(&mut socket, target).await.map(|_| ()),
            Some((user, password)) => {
                Socks5Stream::connect_with_password_and_socket(&mut socket, target, user, password)
                    .await
                    .map(|_| ())
            }
        };
        match outcome {
            Ok(()) => Ok(socket.socket),
            Err(error) => Err(self.socks_error(&error, &socket.answers, host, port)),
        }
    }

    /// The error of a SOCKS exchange; `answers` holds the first bytes of the proxy's answers.
    fn socks_error(&self, error: &SocksError, answers: &[u8], host: &str, port: u16) -> Error {
        let target = HostPort { host, port: Some(port) };
        match error {
            SocksError::NoAcceptableAuthMethods if self.credentials.is_some() => self
                .fatal("accepts neither user name and password nor a client without them")
                .signed(Sign::ProxyDenied)
                .with_hint("whether it lets this client in, or wants another way to authenticate, its operator knows"),
            SocksError::NoAcceptableAuthMethods => self
                .fatal("does not accept a client that does not authenticate, and does not say what it wants")
                .signed(Sign::ProxyDenied)
                .with_hint("if it is a user name and a password: --proxy socks5h://USER:PASSWORD@HOST"),
            SocksError::AuthorizationRequired => self
                .fatal("asks for user name and password")
                .signed(Sign::ProxyDenied)
                .with_hint("--proxy socks5h://USER:PASSWORD@HOST"),
            // The library reports the same error for an unknown method and for an unknown reply code.
            SocksError::UnknownAuthMethod => match *answers {
                [_, 0, _, code, ..] | [_, 2, _, _, _, code, ..] => {
                    self.failed(&format!("sent the reply code {code}, which SOCKS5 does not have"))
                }
                [_, 1, ..] => self.failed("chose to authenticate by GSSAPI, which was not offered"),
                [_, method, ..] => self.failed(&format!(
                    "chose method {method} to authenticate, which was not offered"
                )),
                _ => self.failed("does not speak SOCKS5"),
            },
            SocksError::PasswordAuthFailure(_) => self.fatal("refused the user name or the password"),
            SocksError::ConnectionNotAllowedByRuleset => {
                self.doubtful(&format!("does not allow a connection to {target}")).signed(Sign::ProxyDenied)
            }
            SocksError::NetworkUnreachable => {
                self.unreachable(&format!("cannot reach {target}: network unreachable"))
            }
            SocksError::HostUnreachable => self.unreachable(&format!(
                "cannot reach {target}: host unreachable, or its name is unknown there"
            )),
            SocksError::ConnectionRefused => {
                self.unreachable(&format!("cannot reach {target}: connection refused"))
            }
            SocksError::TtlExpired => self.failed(&format!("cannot reach {target}: it does not answer")),
            SocksError::GeneralSocksServerFailure => {
                self.failed(&format!("cannot reach {target}, and does not say why"))
            }
            SocksError::InvalidResponseVersion
            | SocksError::InvalidReservedByte
            | SocksError::UnknownAddressType => self.failed("does not speak SOCKS5"),
            SocksError::InvalidTargetAddress(why) => {
                self.fatal(&format!("cannot be asked for '{}': {why}", quotation::shown(host)))
            }
            SocksError::Io(error) => self.failed(&format!("failed: {}", fault::words(error))),
            other => self.failed(&format!("failed: {other}")),
        }
    }

    async fn http_connect(&self, mut socket: TcpStream, host: &str, port: u16) -> Result<TcpStream, Error> {
        if host.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err(Error::fatal(
                Layer::Resolve,
                format!("'{}' is not a host name", quotation::shown(host)),
            ));
        }
        let target = HostPort { host, port: Some(port) };
        let authorization = match &self.credentials {
            None => String::new(),
            Some((user, password)) => {
                let token = BASE64.encode(format!("{user}:{password}"));
                format!("Proxy-Authorization: Basic {token}\r\n")
            }
        };
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
        let io_error = |error: io::Error| self.failed(&format!("failed: {}", fault::words(&error)));
        socket.write_all(request.as_bytes()).await.map_err(io_error)?;
        let secrets = Secrets::of_credentials(self.credentials.as_ref());
        let head = match http::read_head(&mut socket, &secrets).await {
            Ok(head) => head,
            Err(HeadError::Io(error)) => return Err(io_error(error)),
            Err(HeadError::Closed) => return Err(self.failed("closed the connection without an answer")),
            Err(HeadError::CutOff) => {
                return Err(self.failed("closed the connection in the middle of its answer"));
            }
            Err(HeadError::Endless) => return Err(self.failed("sends an answer that does not end")),
            Err(HeadError::NotHttp(_)) => return Err(self.failed("does not speak HTTP")),
        };
        if !(200..300).contains(&head.status) {
            return Err(self.refused(head, &mut socket, &target, &secrets).await);
        }
        // MQTT and TLS servers wait for the client's first bytes, so bytes after the proxy's answer are from
        // neither.
        if !head.behind.is_empty() {
            let shown = head.shown();
            return Err(self
                .failed(&format!("answered '{shown}' and sent data before a request to the broker"))
                .with_hint("a web server does that: is this a proxy?"));
        }
        Ok(socket)
    }

    /// The error for an HTTP response that refuses the tunnel.
    async fn refused(
        &self,
        head: Head,
        socket: &mut TcpStream,
        target: &HostPort<&str>,
        secrets: &Secrets,
    ) -> Error {
        let (status, shown) = (head.status, head.shown());
        let mut others = head.schemes("proxy-authenticate");
        if others.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic")) {
            others.clear();
        }
        let line =
            head.first_line(socket, secrets).await.map_or_else(String::new, |line| format!(": {line}"));
        let cause = format!("answered '{shown}' to the request for a tunnel to {target}{line}");
        let error = match status {
            401 | 403 | 404 | 407 => self.doubtful(&cause),
            // Most proxies mean by these codes that they or the broker are temporarily unavailable.
            _ => self.failed(&cause),
        };
        match status {
            407 if !others.is_empty() => error.with_hint(format!(
                "the proxy wants {} authentication, and only Basic is supported: a user name and a password do not \
                 help",
                others.join(" or ")
            )),
            407 if self.credentials.is_some() => error.with_hint(
                "the proxy does not accept the user name and password of --proxy, or not the scheme Basic, which is \
                 all that is supported",
            ),
            407 => error.with_hint("--proxy http://USER:PASSWORD@HOST gives the proxy its credentials"),
            _ => error,
        }
    }

    fn failed(&self, what: &str) -> Error {
        Error::link(Layer::Proxy, format!("{self} {what}")).signed(Sign::ProxyFailed)
    }

    fn unreachable(&self, what: &str) -> Error {
        self.failed(what).signed(Sign::ProxyCannotReach)
    }

    fn doubtful(&self, what: &str) -> Error {
        Error::doubtful(Layer::Proxy, format!("{self} {what}")).signed(Sign::ProxyFailed)
    }

    fn fatal(&self, what: &str) -> Error {
        Error::fatal(Layer::Proxy, format!("{self} {what}")).signed(Sign::ProxyFailed)
    }
}

/// The connection to a SOCKS proxy; it records the first bytes of the answers.
struct SocksSocket {
    socket: TcpStream,
    answers: Vec<u8>,
}

/// The method, the result of authentication, and the reply code: two bytes each.
const MOST_ANSWERS: usize = 6;

impl AsyncRead for SocksSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.socket).poll_read(context, buffer);
        let missing = MOST_ANSWERS - self.answers.len();
        self.answers.extend(buffer.filled()[before..].iter().take(missing));
        outcome
    }
}

impl AsyncWrite for SocksSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

fn decoded_credentials(text: &str) -> Result<(String, String), Error> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let decode = |text: &str| {
        let bytes = percent::decode(text)
            .map_err(|why| Error::usage(format!("the proxy's user name or password: {why}")))?;
        String::from_utf8(bytes).map_err(|_| Error::usage("the proxy's user name or password is not UTF-8"))
    };
    Ok((decode(user)?, decode(password)?))
}

/// Whether a `NO_PROXY` list exempts a host. An entry is `*` (every host), a domain with its subdomains (a
/// leading dot is optional), an address, or a network in CIDR notation, each with an optional port.
fn is_exempt(list: &str, host: &str, port: u16) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let ip = host.parse::<IpAddr>().ok();
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        if entry == "*" {
            return true;
        }
        let Some((name, bits, only_port)) = exemption(&entry) else { return false };
        if only_port.is_some_and(|only| only != port) {
            return false;
        }
        match (ip, name.parse(), bits) {
            (Some(ip), Ok(base), bits) => network_contains(base, bits.unwrap_or(u32::MAX), ip),
            (None, Err(_), None) => {
                let name = name.trim_end_matches('.');
                let domain = name.strip_prefix("*.").or(name.strip_prefix('.')).unwrap_or(name);
                host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
            }
            _ => false,
        }
    })
}

/// The parts of a `NO_PROXY` entry: a name or an address, its prefix length, and a port. An invalid entry
/// exempts nothing.
fn exemption(entry: &str) -> Option<(String, Option<u32>, Option<u16>)> {
    let Some((base, rest)) = entry.split_once('/') else {
        let HostPort { host, port } = entry.parse().ok()?;
        return Some((host, None, port));
    };
    let (bits, port) = rest.split_once(':').map_or((rest, None), |(bits, port)| (bits, Some(port)));
    let HostPort { host, port: None } = base.parse().ok()? else { return None };
    Some((host, Some(bits.parse().ok()?), port.map(notation::port).transpose().ok()?))
}

/// Whether `ip` is in the network whose first `bits` bits are those of `base`.
fn network_contains(base: IpAddr, bits: u32, ip: IpAddr) -> bool {
    // Addresses of one network differ only in the bits of the host part.
    match (base, ip) {
        (IpAddr::V4(base), IpAddr::V4(ip)) => {
            let host_bits = 32 - bits.min(32);
            (base.to_bits() ^ ip.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(base), IpAddr::V6(ip)) => {
            let host_bits = 128 - bits.min(128);
            (base.to_bits() ^ ip.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let proxy = Proxy::from_url("socks5h://me:a%40b%3Ac@proxy.example:1081").unwrap();
        assert_eq!(proxy.kind, ProxyKind::Socks5RemoteNames);
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.example", 1081));
        assert_eq!(proxy.credentials, Some(("me".into(), "a@b:c".into())));
        assert!(!format!("{proxy:?}").contains("a@b"), "{proxy:?}");
        let proxy = Proxy::from_url("http://[::1]/").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("::1", 8080));
        assert_eq!(proxy.to_string(), "[::1]:8080");
        let proxy = Proxy::from_url("SOCKS5://proxy").unwrap();
        assert_eq!((proxy.kind, proxy.port), (ProxyKind::Socks5, 1080));
    }

    #[test]
    fn bad_urls_are_usage_errors_without_the_password() {
        for url in [
            "proxy:1080",
            "https://x:hush@p",
            "socks4://p",
            "http://",
            "http://u:hush@p:99999",
            "http://u:hush%ff@p",
        ] {
            let error = Proxy::from_url(url).unwrap_err();
            assert!(matches!(error, Error::Usage { .. }), "{url}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }

    #[test]
    fn no_proxy_exempts_names_addresses_and_networks() {
        let exempt = |list, host| is_exempt(list, host, 1883);
        assert!(exempt("*", "anything"));
        assert!(exempt("example.com", "example.com"));
        assert!(exempt("example.com, other", "broker.EXAMPLE.com."));
        assert!(exempt(".example.com", "broker.example.com"));
        assert!(exempt("*.example.com", "broker.example.com"));
        assert!(!exempt("example.com", "notexample.com"));
        assert!(!exempt("", "example.com"));
        assert!(exempt("example.com:1883", "example.com"));
        assert!(!exempt("example.com:8883", "example.com"));
        assert!(exempt("127.0.0.1", "127.0.0.1"));
        assert!(exempt("10.0.0.0/8", "10.1.2.3"));
        assert!(!exempt("10.0.0.0/8", "11.1.2.3"));
        assert!(exempt("0.0.0.0/0", "11.1.2.3"));
        assert!(exempt("::1", "::1"));
        assert!(exempt("[::1]:1883", "::1"));
        assert!(exempt("2001:db8::/32", "2001:db8:1::1"));
        assert!(!exempt("2001:db8::/32", "2001:db9::1"));
        assert!(!exempt("10.0.0.0/8", "::1"));
        assert!(exempt("127.0.0.1:1883", "127.0.0.1"));
        assert!(!exempt("127.0.0.1:1884", "127.0.0.1"));
        assert!(exempt("[2001:db8::]/32:1883", "2001:db8:1::1"));
        assert!(!exempt("10.0.0.0/8:1884", "10.1.2.3"));
        assert!(exempt("example.com.", "broker.example.com"));
        for invalid in
            ["example.com:", "example.com:0", "example.com:65536", "example.com:+1883", "[example.com]"]
        {
            assert!(!exempt(invalid, "example.com"), "{invalid}");
        }
    }

    #[test]
    fn the_environment_chooses_by_both_variables() {
        let choose = |all, no| Proxy::from_environment(all, no, "broker.example", 1883);
        assert_eq!(choose(None, None).unwrap(), None);
        assert_eq!(choose(Some(""), None).unwrap(), None);
        assert_eq!(choose(Some("http://p"), Some("example")).unwrap(), None);
        assert_eq!(choose(Some("http://p"), Some("other")).unwrap().unwrap().host, "p");
        assert!(choose(Some("nonsense"), None).is_err());
    }
}
