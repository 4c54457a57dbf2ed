//! Where and how to connect, as plain data.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::address::{Address, Transport};
use super::proxy::Proxy;
use super::tls::TlsConfig;

/// The default timeout of [`dial`](super::dial).
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The steps of a connection to a broker, besides TCP and MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each step is taken or not")]
pub struct Way {
    /// A name look-up.
    pub name: bool,
    /// A proxy.
    pub proxy: bool,
    /// TLS.
    pub tls: bool,
    /// The upgrade to a WebSocket.
    pub web_socket: bool,
}

/// Where and how to connect: resolved and validated data, before any I/O.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The broker's address.
    pub address: Address,
    /// The protocol layers on the socket.
    pub transport: Transport,
    /// Trust and credentials; required if the transport includes TLS.
    pub tls: Option<Arc<TlsConfig>>,
    /// The local address to connect from.
    pub bind: Option<IpAddr>,
    /// The proxy to go through.
    pub proxy: Option<Proxy>,
    /// The name servers that look up the host; empty for the system's.
    pub name_servers: Vec<SocketAddr>,
    /// Timeout for the whole connection: look-up, TCP, proxy, TLS and upgrade together.
    pub connect_timeout: Duration,
}

impl Endpoint {
    /// MQTT directly over TCP, everything else at its default.
    #[must_use]
    pub fn plain(host: impl Into<String>, port: u16) -> Self {
        Self {
            address: Address::Tcp { host: host.into(), port },
            transport: Transport::Plain,
            tls: None,
            bind: None,
            proxy: None,
            name_servers: Vec::new(),
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
        }
    }

    /// Whether connections do not leave this machine: to a Unix socket, or to a loopback address without a proxy.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let Address::Tcp { host, .. } = &self.address else { return true };
        let is_loopback = host
            .parse()
            .map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |ip: IpAddr| ip.is_loopback());
        is_loopback && self.proxy.is_none()
    }

    /// The steps of the connection to the broker.
    #[must_use]
    pub fn way(&self) -> Way {
        Way {
            name: matches!(self.address, Address::Tcp { .. }),
            proxy: self.proxy.is_some(),
            tls: self.transport.is_secure(),
            web_socket: matches!(self.transport, Transport::WebSocket(_) | Transport::SecureWebSocket(_)),
        }
    }

    /// MQTT in TLS over TCP, everything else at its default.
    #[must_use]
    pub fn tls(host: impl Into<String>, port: u16, tls: Arc<TlsConfig>) -> Self {
        Self { transport: Transport::Tls, tls: Some(tls), ..Self::plain(host, port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_and_unix_sockets_are_local() {
        for (host, is_local) in [
            ("127.0.0.2", true),
            ("::1", true),
            ("LocalHost", true),
            ("192.0.2.1", false),
            ("a.example", false),
        ] {
            assert_eq!(Endpoint::plain(host, 1883).is_local(), is_local, "{host}");
        }
        let socket = Endpoint { address: Address::Unix("/run/broker".into()), ..Endpoint::plain("a", 1) };
        assert!(socket.is_local());
    }
}
