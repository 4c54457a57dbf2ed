//! The MQTT command line.

pub mod error;
pub mod exit;
pub mod net;
pub mod protocol;
