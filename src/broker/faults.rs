//! Simulated faults, for tests of clients.

use std::time::Duration;

use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::PacketType;

/// Topics that are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedTopics {
    /// For publishing, a filter of the refused topic names; for subscribing, the refused filter itself, or
    /// `#` for all.
    pub topic_filter: String,
    /// The Reason Code of the refusal.
    pub reason_code: ReasonCode,
    /// The share of packets that are refused.
    pub share: Share,
}

/// A connection that is closed without DISCONNECT after a number of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The number of packets received on the connection, including CONNECT; the last one is still handled.
    pub after_packets: u64,
    /// Whether the answer to the last packet is sent before the cut, or lost with it.
    pub answer_last: bool,
    /// The number of connections that are cut; later ones are not affected.
    pub connections: u32,
}

/// Packets of one type that are not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withheld {
    /// The packet type, for example `PubAck` or `PingResp`.
    pub packet: PacketType,
    /// The share of packets that are withheld.
    pub share: Share,
}

/// All packets of the type.
impl From<PacketType> for Withheld {
    fn from(packet: PacketType) -> Self {
        Self { packet, share: Share::ALL }
    }
}

/// A probability in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(pub u32);

impl Share {
    /// Always.
    pub const ALL: Self = Self(1_000_000);
}

/// A fault that repeats, each time for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// How long it lasts.
    pub length: Duration,
    /// The time from one start to the next, and from the start of the broker to the first; longer than
    /// `length`.
    pub every: Duration,
}

/// Faults to simulate. The default has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Refuse every CONNECT with this Reason Code (MQTT 3.x: the most similar return code).
    pub refuse_connect: Option<ReasonCode>,
    /// Limit `refuse_connect` to this number of first attempts.
    pub refuse_connect_times: Option<u32>,
    /// Limit `refuse_connect` to a share of the attempts.
    pub refuse_connect_share: Option<Share>,
    /// Refuse these filters in SUBACK.
    pub refuse_subscribe: Vec<RefusedTopics>,
    /// Refuse messages to these topics in PUBACK or PUBREC. At QoS 0 and in MQTT 3.x, which have no such
    /// answer, they are dropped.
    pub refuse_publish: Vec<RefusedTopics>,
    /// Cut connections.
    pub cut: Option<Cut>,
    /// Withhold packets.
    pub withhold: Vec<Withheld>,
    /// Send messages to clients twice, the second time with DUP if the QoS is 1 or 2.
    pub duplicate: Option<Share>,
    /// Send messages to clients after the next one.
    pub reorder: Option<Share>,
    /// Delay all output by this time.
    pub delay: Option<Duration>,
    /// Stall: read, write and accept nothing.
    pub stall: Option<Interval>,
    /// Close listeners and connections; sessions and retained messages stay.
    pub down: Option<Interval>,
    /// Report no session to any CONNECT, like a broker that restarts without persistence.
    pub forget_sessions: bool,
    /// Write each byte separately.
    pub single_byte_writes: bool,
}
