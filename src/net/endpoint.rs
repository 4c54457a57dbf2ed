//! Where and how to connect, as plain data.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::proxy::Proxy;
use super::tls::TlsConfig;
use crate::notation::HostPort;

/// How long [`dial`](super::dial) may take when nothing else is asked for.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The broker's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host and a port over TCP.
    Tcp {
        /// A name or an IP literal; IPv6 without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => HostPort { host, port: Some(*port) }.fmt(f),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What is spoken between the socket and MQTT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// MQTT straight on the socket (`mqtt://`).
    Plain,
    /// MQTT in TLS (`mqtts://`).
    Tls,
    /// MQTT in a WebSocket (`ws://`).
    WebSocket(WebSocketOptions),
    /// MQTT in a WebSocket in TLS (`wss://`).
    SecureWebSocket(WebSocketOptions),
}

impl Transport {
    /// Whether TLS is part of it.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket(_))
    }
}

/// What a WebSocket's upgrade asks for. Its `Debug` shows no header's value and no query.
#[derive(Clone, PartialEq, Eq)]
pub struct WebSocketOptions {
    /// Path and query, as they stand in a URL: `/mqtt`.
    pub path: String,
    /// Further headers of the request. `Host` replaces the one made from the address.
    pub headers: Vec<(String, String)>,
    /// The longest message taken from the server, in bytes.
    pub max_message_size: usize,
}

/// The path that brokers mostly use, no further headers, messages of at most 64 MiB.
impl Default for WebSocketOptions {
    fn default() -> Self {
        Self { path: "/mqtt".into(), headers: Vec::new(), max_message_size: 64 << 20 }
    }
}

impl fmt::Debug for WebSocketOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("WebSocketOptions")
            .field("path", &self.path.split('?').next())
            .field("headers", &names)
            .field("max_message_size", &self.max_message_size)
            .finish()
    }
}

/// The steps of a way to a broker, besides the connection and MQTT.
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
    /// Who is asked for the address of the host; nobody in particular if there are none.
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

    /// What is on the way to the broker.
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
