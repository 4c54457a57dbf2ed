//! The way to the broker: from a validated [`Endpoint`] to one open [`Stream`].
//!
//! This room opens streams and nothing else. It knows no MQTT packet, no flag, no environment
//! variable and no terminal: whatever it needs comes in as data, and whatever goes wrong goes out
//! as an [`Error`](crate::error::Error) that names the layer, the address and the cause.
//!
//! | file | holds |
//! |---|---|
//! | `endpoint` | where and how to connect, as data |
//! | `dial` | the whole way, step by step, under one time limit |
//! | `failover` | several brokers, of which one has to answer |
//! | `service` | a domain's brokers, from its DNS service records |
//! | `resolve` | names to addresses |
//! | `tcp` | racing the addresses (RFC 8305), the socket itself |
//! | `unix` | Unix sockets |
//! | `proxy` | SOCKS5 and HTTP CONNECT |
//! | `http` | heads of HTTP answers |
//! | `tls` | certificates in, handshake errors in words out |
//! | `websocket` | the upgrade, and bytes in binary messages |
//! | `within` | time limits, and a last look when they are over |
//! | `stream` | the one stream type everything ends in |
//! | `secrets` | what is left out of a server's words |
//! | `fault` | system errors in words |

mod dial;
mod endpoint;
mod failover;
mod fault;
mod http;
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

pub use dial::{Observer, Step, dial, dial_observed, dial_timed, speaks_tls};
pub use endpoint::{Address, DEFAULT_CONNECT_TIMEOUT, Endpoint, Transport, Way, WebSocketOptions};
pub use failover::none_answers;
pub use fault::{broken, explain};
pub use proxy::{Proxy, ProxyKind};
pub use service::brokers_of;
pub use stream::Stream;
pub use tls::{
    CertificateFacts, Encrypted, KeyPassword, Pin, SystemStore, TlsConfig, TlsFacts, TlsOptions, TlsVersion,
};
pub use websocket::WebSocket;
pub use within::{LAST_LOOK, within};
