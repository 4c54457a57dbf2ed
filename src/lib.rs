//! The MQTT command line.

pub mod cli;
pub mod client;
pub mod command;
pub mod dispatch;
pub mod error;
pub mod exit;
pub mod net;
pub mod output;
pub mod protocol;
pub mod signal;
