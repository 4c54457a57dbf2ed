//! The options of a connection, resolved and validated before any socket is opened.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::authentication::Authentication;
use crate::net::Endpoint;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::{Protocol, QoS};

/// Which version of the protocol to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// MQTT 5, and an older one if the broker does not speak it.
    Auto,
    /// This one only.
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
    /// Whether it is kept by the broker.
    pub retain: bool,
    /// Will Properties (MQTT 5).
    pub properties: PropertyBlock,
}

/// What to do when the link is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// How often to try in a row without success; `None` is without limit, `Some(0)` never.
    pub attempts: Option<u32>,
    /// The cap of the exponential back-off, which starts at 100 ms and is drawn with full jitter.
    pub max_delay: Duration,
    /// For how long the first connection is tried again, which by default it is not.
    pub wait_for_server: Duration,
    /// A broker that closes the first connection before it answers CONNECT counts as one that was lost: it may be
    /// starting. Mosquitto's clients take it so.
    pub from_first_hang_up: bool,
}

impl Reconnect {
    /// One attempt, no second.
    pub const NEVER: Self = Self {
        attempts: Some(0),
        max_delay: Duration::from_secs(30),
        wait_for_server: Duration::ZERO,
        from_first_hang_up: false,
    };
    /// As often as it takes.
    pub const ALWAYS: Self = Self { attempts: None, ..Self::NEVER };
}

/// How to connect, and with which identity.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct ClientOptions {
    /// Where, and over which transport.
    pub endpoint: Endpoint,
    /// Further brokers, to be tried in turn where the first fails.
    pub fallbacks: Vec<Endpoint>,
    /// Whether the hosts are domains whose brokers DNS service records name.
    pub service_records: bool,
    /// The name servers for these records; if empty, the system's.
    pub name_servers: Vec<SocketAddr>,
    /// Which version of the protocol.
    pub version: Version,
    /// The option for which it is MQTT 5 and no other.
    pub needs_v5: Option<&'static str>,
    /// Empty: the broker assigns one (MQTT 3.1, which cannot, gets a random one).
    pub client_identifier: String,
    /// Clean Start; Clean Session in MQTT 3.x.
    pub clean_start: bool,
    /// Seconds; 0 turns keep-alive off.
    pub keep_alive: u16,
    /// Seconds the broker keeps the session (MQTT 5); `0xFFFF_FFFF` is for ever, `None` leaves it out.
    pub session_expiry_interval: Option<u32>,
    /// Further CONNECT properties (MQTT 5), checked; not the session expiry interval.
    pub properties: PropertyBlock,
    /// DISCONNECT properties (MQTT 5), checked.
    pub disconnect_properties: PropertyBlock,
    /// The Reason Code of the DISCONNECT when a signal or a time limit ends the run (MQTT 5).
    pub interrupted: ReasonCode,
    /// A Server Keep Alive of 0 does not turn this side's Keep Alive off: the run is about silence.
    pub keeps_own_keep_alive: bool,
    /// The Will Message.
    pub will: Option<Will>,
    /// User Name.
    pub user_name: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// How many QoS 1 and 2 publishes may be unacknowledged at once; the broker's Receive Maximum
    /// may lower it. At least 1.
    pub max_inflight: u16,
    /// The largest packet accepted from the broker, in bytes; announced to it in MQTT 5 if it is
    /// less than the standard's limit.
    pub max_packet_bytes: u32,
    /// Enhanced authentication (MQTT 5).
    pub authentication: Option<Authentication>,
    /// Follow a redirect of the broker (MQTT 5).
    pub follow_redirect: bool,
    /// What to do when the link is lost.
    pub reconnect: Reconnect,
    /// How long the broker may take to answer CONNECT.
    pub connect_timeout: Duration,
    /// How long the broker may stay silent before it answers the PINGREQ after the last QoS 0 message.
    pub barrier_limit: Duration,
}
