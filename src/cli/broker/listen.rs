//! The values of `mqtt broker --listen`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::broker::{Bind, Listener};
use crate::cli::value;

const FORM: &str = "use an IP address with or without a port, for example 127.0.0.1:1883 or [::1]:1883, or a URL \
                    with one: mqtt://, mqtts://, ws://, wss://, or unix:PATH";

/// A listener whose port may be given separately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Listen {
    place: Wanted,
    tls: bool,
    web_socket: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Network { address: IpAddr, port: Option<u16> },
    Unix(PathBuf),
}

impl Default for Listen {
    fn default() -> Self {
        Self::network(Ipv4Addr::LOCALHOST.into(), None)
    }
}

impl Listen {
    fn network(address: IpAddr, port: Option<u16>) -> Self {
        Self { place: Wanted::Network { address, port }, tls: false, web_socket: false }
    }

    /// The port, if the listener has one.
    pub(super) fn port(&self) -> Option<u16> {
        match self.place {
            Wanted::Network { port, .. } => port,
            Wanted::Unix(_) => None,
        }
    }

    pub(super) fn is_unix(&self) -> bool {
        matches!(self.place, Wanted::Unix(_))
    }

    /// The listener, on `port` if it has none of its own.
    pub(super) fn resolve(self, port: Option<u16>) -> Listener {
        let (tls, web_socket) = (self.tls, self.web_socket);
        let place = match self.place {
            Wanted::Unix(path) => Bind::Unix(path),
            Wanted::Network { address, port: own } => {
                let default = match (web_socket, tls) {
                    (false, false) => 1883,
                    (false, true) => 8883,
                    (true, false) => 8083,
                    (true, true) => 8084,
                };
                Bind::Network(SocketAddr::new(address, own.or(port).unwrap_or(default)))
            }
        };
        Listener { place, tls, web_socket }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err("unix: needs the path of a socket".into());
            }
            return Ok(Self { place: Wanted::Unix(path.into()), tls: false, web_socket: false });
        }
        let Some((scheme, rest)) = text.split_once("://") else { return address(text) };
        let (web_socket, tls) = match scheme.to_ascii_lowercase().as_str() {
            "mqtt" => (false, false),
            "mqtts" => (false, true),
            "ws" => (true, false),
            "wss" => (true, true),
            _ => return Err(FORM.into()),
        };
        let host = rest.strip_suffix('/').unwrap_or(rest);
        if host.contains(['/', '?']) {
            return Err("a listener has no path: WebSockets are accepted at every path".into());
        }
        Ok(Self { tls, web_socket, ..address(host)? })
    }
}

/// `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`.
fn address(text: &str) -> Result<Listen, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Listen::network(address.ip(), Some(address.port())));
    }
    if let Some(port) = text.strip_prefix("localhost:") {
        let port = port.parse().map_err(|_| "the port must be 0 to 65535")?;
        return Ok(Listen::network(Ipv4Addr::LOCALHOST.into(), Some(port)));
    }
    let address = if text == "localhost" { Ok(Ipv4Addr::LOCALHOST.into()) } else { value::ip_address(text) };
    match address {
        Ok(address) => Ok(Listen::network(address, None)),
        Err(_) => Err(FORM.into()),
    }
}
