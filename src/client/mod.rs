//! The MQTT client: a sans-IO session, and a driver that carries its packets over a stream. Every
//! subcommand uses both, `bench` included.

mod handshake;
mod inflight;
mod keep_alive;
pub mod link;
pub mod options;
mod scratch;
pub mod session;

pub use handshake::Connected;
