//! The Network Connection: from a validated [`Endpoint`] to one open [`Stream`].
//!
//! This module only opens streams. It uses no MQTT packets, options, environment variables or terminal: its
//! input is data, and each failure is an [`Error`](crate::error::Error) that names the layer, the address and
//! the cause.
//!
//! | file | holds |
//! |---|---|
//! | `address` | the broker's address, and the layers between the socket and MQTT |
//! | `endpoint` | where and how to connect, as data |
//! | `dial` | the whole connection, step by step, under one timeout |
//! | `failover` | several brokers, one of which has to answer |
//! | `service` | a domain's brokers, from its DNS service records |
//! | `resolve` | names to addresses |
//! | `tcp` | the socket, and several addresses in parallel (RFC 8305) |
//! | `unix` | Unix sockets |
//! | `proxy` | SOCKS5 and HTTP CONNECT |
//! | `http` | heads of HTTP responses |
//! | `page` | a page over plain HTTP |
//! | `tls` | certificates, handshake, explanations of its errors |
//! | `websocket` | the upgrade, and bytes in binary messages |
//! | `within` | timeouts that do not expire while this process was stopped |
//! | `stream` | the one stream type of all transports |
//! | `secrets` | the secrets that are masked in answers |
//! | `fault` | system errors as text |
//! | `excerpt` | the line of a peer's text that is shown |
//! | `broken` | the errors that end an open stream |

mod address;
mod broken;
mod dial;
mod endpoint;
mod excerpt;
mod failover;
mod fault;
mod http;
pub mod page;
mod proxy;
mod resolve;
mod secrets;
mod service;
mod stream;
mod tcp;
pub mod tls;
#[cfg(unix)]
mod unix;
mod websocket;
mod within;

#[cfg(test)]
mod tests;

pub use address::{Address, Transport, WebSocketOptions};
pub use broken::{broken, explain};
pub use dial::{Observer, Step, check_upgrade, dial, dial_observed, dial_timed, speaks_tls};
pub use endpoint::{DEFAULT_CONNECT_TIMEOUT, Endpoint, Way};
pub use failover::none_answers;
pub use proxy::{Proxy, ProxyKind};
pub use service::brokers_of;
pub use stream::Stream;
pub use tls::{
    CertificateFacts, Encrypted, KeyPassword, Pin, SystemStore, TlsConfig, TlsFacts, TlsOptions, TlsVersion,
};
#[cfg(feature = "broker")]
pub use tls::{ServerTls, ThrowAway};
pub use websocket::WebSocket;
pub use within::{LAST_LOOK, within};
