//! The MQTT client.

pub mod options;
