//! The MQTT command line.

pub mod broker;
pub mod client;
pub mod command;
pub mod error;
pub mod exit;
pub mod net;
pub mod output;
pub mod protocol;
