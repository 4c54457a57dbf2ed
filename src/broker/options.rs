//! The options of a broker: listeners, access control, limits, and simulated faults.

use std::time::Duration;

use super::access::Access;
use super::faults::Faults;
use super::journal::Journal;
use super::listener::Listener;
use crate::net::ServerTls;
use crate::protocol::{Protocol, QoS};

/// The options of a broker. The default listens on a free port of 127.0.0.1, accepts every client and
/// simulates no faults.
#[derive(Debug, Clone)]
pub struct Options {
    /// The listening addresses.
    pub listeners: Vec<Listener>,
    /// The certificate for listeners with TLS.
    pub tls: Option<ServerTls>,
    /// The users who may connect, and the rights of each client.
    pub access: Access,
    /// The supported protocol versions. A client of another version is answered as by a broker without MQTT
    /// 5: CONNACK with return code 1, in the format of 3.x.
    pub protocols: Vec<Protocol>,
    /// Time for a new connection to send its CONNECT.
    pub connect_timeout: Duration,
    /// Limits on clients and memory.
    pub limits: Limits,
    /// Faults to simulate.
    pub faults: Faults,
    /// The interval of the messages below `$SYS` about the broker's state. Clients may not publish there
    /// while it is set.
    pub system_interval: Option<Duration>,
    /// The broker's name and version in these messages.
    pub software: &'static str,
    /// The seed for faults with a probability: the same seed and the same packets give the same faults.
    pub seed: u64,
    /// The observer of events.
    pub journal: Option<Journal>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listeners: vec![Listener::default()],
            tls: None,
            access: Access::default(),
            protocols: vec![Protocol::V3_1, Protocol::V3_1_1, Protocol::V5],
            connect_timeout: Duration::from_secs(10),
            limits: Limits::default(),
            faults: Faults::default(),
            system_interval: None,
            software: "mqtt",
            seed: 0,
            journal: None,
        }
    }
}

/// An optional feature of a broker ([MQTT-3.2.2.3]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Retained messages ([MQTT-3.2.2.3.5]).
    Retain,
    /// Filters with `+` or `#` ([MQTT-3.2.2.3.11]).
    WildcardSubscriptions,
    /// Subscription Identifiers ([MQTT-3.2.2.3.12]).
    SubscriptionIdentifiers,
    /// Shared Subscriptions ([MQTT-3.2.2.3.13]).
    SharedSubscriptions,
}

/// Limits that are announced to clients, and limits on the broker's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of unacknowledged QoS 1 and 2 messages from a client; at least 1.
    pub receive_maximum: u16,
    /// Maximum size of a received packet in bytes, including the fixed header.
    pub maximum_packet_size: u32,
    /// Maximum QoS, for both publishing and subscribing.
    pub maximum_qos: QoS,
    /// Maximum number of topic aliases of a client; each keeps a topic name in memory.
    pub topic_alias_maximum: u16,
    /// Features that are not available.
    pub unavailable: Vec<Feature>,
    /// Keep Alive in seconds that replaces the clients' own; 0 turns it off.
    pub server_keep_alive: Option<u16>,
    /// Maximum Session Expiry Interval in seconds; `u32::MAX` does not expire.
    pub session_expiry_interval: u32,
    /// Maximum number of QoS 1 and 2 messages in flight to one client, if it allows as many; at least 1.
    pub in_flight: u16,
    /// Maximum number of Network Connections.
    pub connections: usize,
    /// Maximum Keep Alive in seconds; a client of MQTT 3.x with a longer one is refused.
    pub maximum_keep_alive: Option<u16>,
    /// Maximum messages per second from one client, after a burst of one second; a client that exceeds it is
    /// paused.
    pub message_rate: Option<u32>,
    /// Maximum number of sessions, including connected ones.
    pub sessions: usize,
    /// Maximum number of subscriptions per session.
    pub subscriptions: usize,
    /// Maximum number of queued messages per session.
    pub queue_messages: usize,
    /// Maximum bytes per session: messages queued and in flight, will, name.
    pub session_bytes: usize,
    /// Maximum bytes of all sessions together.
    pub all_sessions_bytes: usize,
    /// Maximum bytes of memory for all data of clients; messages may use three quarters of it.
    pub total_bytes: usize,
    /// Maximum number of retained messages.
    pub retained_messages: usize,
    /// Maximum bytes of retained messages.
    pub retained_bytes: usize,
    /// Maximum bytes of incomplete packets of all connections together; the first 128 KiB of each do not
    /// count.
    pub partial_bytes: usize,
    /// How long publishers wait for a connected subscriber that reads nothing, before messages to it are
    /// dropped; zero drops at once.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            receive_maximum: u16::MAX,
            maximum_packet_size: 64 << 20,
            maximum_qos: QoS::ExactlyOnce,
            topic_alias_maximum: 10,
            unavailable: Vec::new(),
            server_keep_alive: None,
            session_expiry_interval: u32::MAX,
            in_flight: 1024,
            connections: 100_000,
            maximum_keep_alive: None,
            message_rate: None,
            sessions: 100_000,
            subscriptions: 10_000,
            queue_messages: 1_000_000,
            session_bytes: 128 * MIB,
            all_sessions_bytes: 384 * MIB,
            total_bytes: 512 * MIB,
            retained_messages: 1_000_000,
            retained_bytes: 256 * MIB,
            partial_bytes: 128 * MIB,
            patience: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// Whether a feature is available.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        !self.unavailable.contains(&feature)
    }
}
