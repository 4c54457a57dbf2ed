//! The broker's address, and the protocol layers between the socket and MQTT.

use std::fmt;
use std::path::PathBuf;

use crate::notation::HostPort;

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

/// The protocol layers between the socket and MQTT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// MQTT directly on the socket (`mqtt://`).
    Plain,
    /// MQTT in TLS (`mqtts://`).
    Tls,
    /// MQTT in a WebSocket (`ws://`).
    WebSocket(WebSocketOptions),
    /// MQTT in a WebSocket in TLS (`wss://`).
    SecureWebSocket(WebSocketOptions),
}

impl Transport {
    /// Whether the transport includes TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket(_))
    }
}

/// The upgrade request of a WebSocket. `Debug` shows neither header values nor the query.
#[derive(Clone, PartialEq, Eq)]
pub struct WebSocketOptions {
    /// Path and query, as in a URL: `/mqtt`.
    pub path: String,
    /// Additional request headers. `Host` replaces the one made from the address.
    pub headers: Vec<(String, String)>,
    /// The longest message accepted from the broker, in bytes.
    pub max_message_size: usize,
}

/// The usual path of brokers, no additional headers, messages of at most 64 MiB.
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
