//! `mqtt sub`: receive messages and write them out.

use std::time::Duration;

use crate::client::options::ClientOptions;
use crate::output::{MessageFormat, Verbosity};
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;

/// One filter to subscribe to, with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterOptions {
    /// A checked topic filter.
    pub filter: String,
    /// The maximum QoS.
    pub qos: QoS,
    /// MQTT 5: do not send back what this client published.
    pub no_local: bool,
    /// MQTT 5: keep the RETAIN flag of live messages.
    pub retain_as_published: bool,
    /// MQTT 5: 0 always, 1 only if the subscription is new, 2 never.
    pub retain_handling: u8,
}

/// A checked command line of `mqtt sub`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// What to subscribe to; may be empty if `unsubscribe` is not.
    pub filters: Vec<FilterOptions>,
    /// Properties of SUBSCRIBE (MQTT 5), checked.
    pub subscribe_properties: PropertyBlock,
    /// Filters to unsubscribe from (`-U`).
    pub unsubscribe: Vec<String>,
    /// Properties of UNSUBSCRIBE (MQTT 5), checked.
    pub unsubscribe_properties: PropertyBlock,
    /// Messages on topics that match one of these are not shown (`-T`).
    pub filter_out: Vec<String>,
    /// Leave after that many messages shown (`-C`).
    pub count: Option<u64>,
    /// Leave after that long, whatever came (`-W`).
    pub timeout: Option<Duration>,
    /// Leave once the subscriptions are acknowledged (`-E`).
    pub exit_after_subscribing: bool,
    /// Do not show retained messages (`-R`).
    pub skip_retained: bool,
    /// Show retained messages only, and leave when they are through (`--retained-only`).
    pub retained_only: bool,
    /// How a message is written.
    pub format: MessageFormat,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}
