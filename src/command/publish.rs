//! `mqtt pub`: publish messages.

use std::path::PathBuf;
use std::time::Duration;

use crate::client::options::ClientOptions;
use crate::output::Verbosity;
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;

/// Where the payloads come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// One message with this payload (`-m`).
    Message(Vec<u8>),
    /// One message with the content of a file (`-f`).
    File(PathBuf),
    /// One message with all of standard input (`-s`).
    Stdin,
    /// One message a line of standard input (`-l`).
    StdinLines,
    /// One message without payload (`-n`).
    Null,
}

/// A checked command line of `mqtt pub`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// A checked topic name.
    pub topic: String,
    /// Of every message.
    pub qos: QoS,
    /// RETAIN of every message.
    pub retain: bool,
    /// Where the payloads come from.
    pub source: Source,
    /// How often the message is sent, at least once; 1 for [`Source::StdinLines`].
    pub repeat: u64,
    /// The time between the acknowledgement of one repeat and the next.
    pub repeat_delay: Duration,
    /// PUBLISH properties (MQTT 5), checked.
    pub properties: PropertyBlock,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}
