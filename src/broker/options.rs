//! The options of a broker: address, credentials, limits, and faults on request.

use std::time::Duration;

use super::access::Access;
use super::faults::Faults;
use super::journal::Journal;
use super::listener::Listener;
use crate::net::ServerTls;
use crate::protocol::{Protocol, QoS};

/// How a broker is to run. The default listens on a free port of 127.0.0.1, accepts every client and
/// behaves well.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to listen on.
    pub listeners: Vec<Listener>,
    /// The certificate of the listeners with TLS.
    pub tls: Option<ServerTls>,
    /// Who is let in, and what each client may do.
    pub access: Access,
    /// The versions spoken. A client of another version is answered as a broker without MQTT 5
    /// does: CONNACK with return code 1, in the format of 3.x.
    pub protocols: Vec<Protocol>,
    /// How long a new connection may take to send its CONNECT.
    pub connect_timeout: Duration,
    /// What clients may use, and what bounds the memory.
    pub limits: Limits,
    /// Misbehaviour on request.
    pub faults: Faults,
    /// How often the broker's state is published below `$SYS`, where clients may not publish then.
    pub system_interval: Option<Duration>,
    /// What is published as its name and version.
    pub software: &'static str,
    /// What faults with a share are drawn from: the same seed and the same packets have the same faults.
    pub seed: u64,
    /// Is told what happens.
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

/// Something a broker may do without ([MQTT-3.2.2.3]).
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

/// What is announced to clients, and what bounds the broker's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// QoS 1 and 2 messages a client may send before an acknowledgement; at least 1.
    pub receive_maximum: u16,
    /// The largest packet taken, in bytes, fixed header included.
    pub maximum_packet_size: u32,
    /// The highest QoS taken and granted.
    pub maximum_qos: QoS,
    /// Topic aliases a client may define; each keeps a topic name in memory.
    pub topic_alias_maximum: u16,
    /// What this broker does without.
    pub unavailable: Vec<Feature>,
    /// Replaces the keep-alive clients ask for, in seconds; 0 turns it off.
    pub server_keep_alive: Option<u16>,
    /// The longest a session outlives its connection, in seconds; `u32::MAX` is for ever.
    pub session_expiry_interval: u32,
    /// QoS 1 and 2 messages in flight to one client, if it allows as many; at least 1.
    pub in_flight: u16,
    /// Network connections, each with its client.
    pub connections: usize,
    /// The longest Keep Alive, in seconds; a client of MQTT 3.x that wants a longer one is refused.
    pub maximum_keep_alive: Option<u16>,
    /// Messages a second of one client, after those of a second at once; it is not read from for as long as it
    /// has sent more.
    pub message_rate: Option<u32>,
    /// Sessions kept, connected ones included.
    pub sessions: usize,
    /// Subscriptions of one session.
    pub subscriptions: usize,
    /// Messages waiting in one session.
    pub queue_messages: usize,
    /// Bytes of one session: messages waiting and in flight, will, name.
    pub session_bytes: usize,
    /// Bytes of all sessions together.
    pub all_sessions_bytes: usize,
    /// Bytes of everything that clients can make the broker keep, in memory; messages may take three quarters of it.
    pub total_bytes: usize,
    /// Retained messages.
    pub retained_messages: usize,
    /// Bytes of retained messages.
    pub retained_bytes: usize,
    /// Bytes of packets that are not whole, of all connections together; of each, the first 128 KiB do not
    /// count.
    pub partial_bytes: usize,
    /// How long publishers wait for a connected subscriber that takes nothing, before messages to
    /// it are dropped; zero drops at once.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            receive_maximum: u16::MAX,
            maximum_packet_size: 64 << 20,
            maximum_qos: QoS::ExactlyOnce,
            topic_alias_maximum: 32,
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
    /// Whether a feature is there.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        !self.unavailable.contains(&feature)
    }
}
