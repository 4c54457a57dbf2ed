//! The options of a connection, resolved and validated before any socket is opened.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::authentication::Authentication;
use crate::net::Endpoint;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::{Protocol, QoS};

/// The protocol version to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// MQTT 5, or an older version if the broker does not support it.
    Auto,
    /// Only this version.
    Only(Protocol),
}

/// Bytes that must not appear in output, errors or `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// The Will Message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    /// A checked topic name.
    pub topic: String,
    /// At most 65,535 bytes ([MQTT-3.1.3.4]: binary data).
    pub payload: Vec<u8>,
    /// Its QoS.
    pub qos: QoS,
    /// Whether the broker retains it.
    pub retain: bool,
    /// Will Properties (MQTT 5).
    pub properties: PropertyBlock,
}

/// What to do after a lost link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// Maximum number of consecutive failed attempts; `None` for no limit, `Some(0)` for no attempt.
    pub attempts: Option<u32>,
    /// The cap of the exponential back-off, which starts at 100 ms and is drawn with full jitter.
    pub max_delay: Duration,
    /// How long the first connection is retried; by default not at all.
    pub wait_for_server: Duration,
    /// A broker that closes the first connection before responding to CONNECT counts as a lost link: it may
    /// be starting. Mosquitto's clients do the same.
    pub from_first_hang_up: bool,
}

impl Reconnect {
    /// One attempt, no retry.
    pub const NEVER: Self = Self {
        attempts: Some(0),
        max_delay: Duration::from_secs(30),
        wait_for_server: Duration::ZERO,
        from_first_hang_up: false,
    };
    /// Retry without limit.
    pub const ALWAYS: Self = Self { attempts: None, ..Self::NEVER };
}

/// How to connect, and with which identity.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct ClientOptions {
    /// The broker's address and transport.
    pub endpoint: Endpoint,
    /// Further brokers, tried in order if the first fails.
    pub fallbacks: Vec<Endpoint>,
    /// Whether the hosts are domains whose DNS service records name the brokers.
    pub service_records: bool,
    /// The name servers for these records; empty for the system's.
    pub name_servers: Vec<SocketAddr>,
    /// The protocol version.
    pub version: Version,
    /// The option that requires MQTT 5.
    pub needs_v5: Option<&'static str>,
    /// The advice for a broker that does not support MQTT 5, if the run can do nothing over MQTT 3.x although any
    /// version may be used. No older version is then guessed.
    pub prefers_v5: Option<&'static str>,
    /// Whether the run shows, stores or sends properties, which MQTT 3.x does not have.
    pub uses_properties: bool,
    /// Empty: the broker assigns one (in MQTT 3.1, which cannot, a random one is sent).
    pub client_identifier: String,
    /// Clean Start; Clean Session in MQTT 3.x.
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 for off.
    pub keep_alive: u16,
    /// How many seconds the broker keeps the session (MQTT 5); `0xFFFF_FFFF` never expires, `None` omits the
    /// property.
    pub session_expiry_interval: Option<u32>,
    /// Further CONNECT properties (MQTT 5), checked; without the session expiry interval.
    pub properties: PropertyBlock,
    /// DISCONNECT properties (MQTT 5), checked.
    pub disconnect_properties: PropertyBlock,
    /// The Reason Code of the DISCONNECT when a signal or a timeout ends the run (MQTT 5).
    pub interrupted: ReasonCode,
    /// Keep this side's Keep Alive even if Server Keep Alive is 0, for runs that test for silence.
    pub keeps_own_keep_alive: bool,
    /// The Will Message.
    pub will: Option<Will>,
    /// User Name.
    pub user_name: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// Maximum number of unacknowledged QoS 1 and 2 publishes; the broker's Receive Maximum may lower it. At
    /// least 1.
    pub max_inflight: u16,
    /// The largest packet accepted from the broker, in bytes; announced in MQTT 5 if it is below the
    /// standard's limit.
    pub max_packet_bytes: u32,
    /// Enhanced authentication (MQTT 5).
    pub authentication: Option<Authentication>,
    /// Follow the broker's redirects (MQTT 5).
    pub follow_redirect: bool,
    /// What to do after a lost link.
    pub reconnect: Reconnect,
    /// Timeout for the broker's response to CONNECT.
    pub connect_timeout: Duration,
    /// How long the broker may stay silent before it answers the PINGREQ after the last QoS 0 message.
    pub barrier_limit: Duration,
}
