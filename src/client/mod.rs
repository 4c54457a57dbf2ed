//! The MQTT client: a sans-IO session, and a driver that carries its packets over a stream. Every
//! subcommand uses both, `bench` included.

mod answer_limit;
pub mod authentication;
mod back_off;
mod brokers;
mod connect;
mod connection;
mod event;
mod first_attempts;
pub mod handler;
mod handshake;
mod inflight;
mod keep_alive;
mod limits;
pub mod link;
mod open;
pub mod options;
pub mod raw;
mod redirect;
mod refusal;
mod renewal;
mod run;
mod scram_message;
mod scratch;
pub mod session;
mod strikes;
mod topic_alias;

#[cfg(test)]
mod allocation_tests;
#[cfg(test)]
mod arbitrary_tests;
#[cfg(test)]
mod link_tests;
#[cfg(test)]
mod session_tests;

pub use crate::net::{CertificateFacts, Step, TlsFacts};
pub use answer_limit::AnswerLimit;
pub use back_off::{BackOff, ReconnectDecision};
pub use handshake::Connected;
pub use limits::{ServerLimits, too_large};
pub use open::{Identity, OpenLink, Opened, Times, open, open_first};
pub use run::run;
