//! Where and how to connect, as plain data.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::address::{Address, Transport};
use super::proxy::Proxy;
use super::tls::TlsConfig;

/// How long [`dial`](super::dial) may take when nothing else is asked for.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The steps of a connection to a broker, besides TCP and MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each step is taken or not")]
pub struct Way {
    /// A name to be looked up.
    pub name: bool,
    /// A proxy.
    pub proxy: bool,
    /// TLS.
    pub tls: bool,
    /// The upgrade to a WebSocket.
    pub web_socket: bool,
}

/// Where and how to connect; everything resolved and validated, no I/O done yet.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The broker's address.
    pub address: Address,
    /// What is spoken on the socket.
    pub transport: Transport,
    /// Trust and credentials; needed where TLS is part of the transport.
    pub tls: Option<Arc<TlsConfig>>,
    /// The local address to connect from.
    pub bind: Option<IpAddr>,
    /// The proxy to go through.
    pub proxy: Option<Proxy>,
    /// The name servers for the address of the host; if empty, the system's.
    pub name_servers: Vec<SocketAddr>,
    /// The limit for the whole way: look-up, connection, proxy, TLS and upgrade together.
    pub connect_timeout: Duration,
}

impl Endpoint {
    /// MQTT straight over TCP, with every other choice at its default.
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

    /// Which steps the connection to the broker has.
    #[must_use]
    pub fn way(&self) -> Way {
        Way {
            name: matches!(self.address, Address::Tcp { .. }),
            proxy: self.proxy.is_some(),
            tls: self.transport.is_secure(),
            web_socket: matches!(self.transport, Transport::WebSocket(_) | Transport::SecureWebSocket(_)),
        }
    }

    /// MQTT in TLS over TCP, with every other choice at its default.
    #[must_use]
    pub fn tls(host: impl Into<String>, port: u16, tls: Arc<TlsConfig>) -> Self {
        Self { transport: Transport::Tls, tls: Some(tls), ..Self::plain(host, port) }
    }
}
