//! The options of a broker: address, credentials, limits, and faults on request.

use std::time::Duration;

use super::access::Access;
use super::listener::Listener;
use crate::net::ServerTls;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::PacketType;
use crate::protocol::{Protocol, QoS};

/// How a broker is to run. The default listens on a free port of 127.0.0.1, lets everyone in and
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
#[derive(Debug, Clone)]
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
            sessions: 100_000,
            subscriptions: 10_000,
            queue_messages: 1_000_000,
            session_bytes: 256 * MIB,
            all_sessions_bytes: 1024 * MIB,
            retained_messages: 1_000_000,
            retained_bytes: 256 * MIB,
            partial_bytes: 256 * MIB,
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

/// Topics refused, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedTopics {
    /// For publishing, a filter of the refused topic names; for subscribing, the refused filter
    /// itself, or `#` for all.
    pub topic_filter: String,
    /// The failing Reason Code of the answer.
    pub reason_code: ReasonCode,
}

/// A connection cut without a word after a number of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Packets received on the connection, CONNECT included, of which the last is still handled.
    pub after_packets: u64,
    /// Whether the last packet's answer is sent before the cut, or lost with it.
    pub answer_last: bool,
    /// How many connections suffer it; later ones are left alone.
    pub connections: u32,
}

/// Misbehaviour a test asks for. The default has none.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Refuses every CONNECT with this code (MQTT 3.x: the return code that comes nearest).
    pub refuse_connect: Option<ReasonCode>,
    /// Limits `refuse_connect` to the first so many attempts.
    pub refuse_connect_times: Option<u32>,
    /// Refuses these filters in SUBACK.
    pub refuse_subscribe: Vec<RefusedTopics>,
    /// Refuses messages to these topics in PUBACK or PUBREC; at QoS 0 and in MQTT 3.x, where no
    /// answer can say so, they are dropped.
    pub refuse_publish: Vec<RefusedTopics>,
    /// Cuts connections.
    pub cut: Option<Cut>,
    /// Packets of these types are not sent, for example `PubAck` or `PingResp`.
    pub withhold: Vec<PacketType>,
    /// Every CONNECT finds no session, as after the restart of a broker without a disk.
    pub forget_sessions: bool,
    /// Writes every byte by itself.
    pub single_byte_writes: bool,
}
