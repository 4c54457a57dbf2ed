//! Misbehaviour on request, for tests of clients.

use std::time::Duration;

use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::PacketType;

/// Topics refused, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedTopics {
    /// For publishing, a filter of the refused topic names; for subscribing, the refused filter
    /// itself, or `#` for all.
    pub topic_filter: String,
    /// The failing Reason Code of the answer.
    pub reason_code: ReasonCode,
    /// How many of them are refused.
    pub share: Share,
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

/// Packets of one type that are not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withheld {
    /// Their type, for example `PubAck` or `PingResp`.
    pub packet: PacketType,
    /// How many of them.
    pub share: Share,
}

/// All packets of the type.
impl From<PacketType> for Withheld {
    fn from(packet: PacketType) -> Self {
        Self { packet, share: Share::ALL }
    }
}

/// A part of all, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(pub u32);

impl Share {
    /// All of them.
    pub const ALL: Self = Self(1_000_000);
}

/// Something that lasts a while, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// How long it lasts.
    pub length: Duration,
    /// From the beginning of one to that of the next, and from the start of the broker to the first; longer than
    /// `length`.
    pub every: Duration,
}

/// Misbehaviour a test asks for. The default has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// Refuses every CONNECT with this code (MQTT 3.x: the return code that comes nearest).
    pub refuse_connect: Option<ReasonCode>,
    /// Limits `refuse_connect` to this number of attempts, the first ones.
    pub refuse_connect_times: Option<u32>,
    /// Limits `refuse_connect` to a share of the attempts.
    pub refuse_connect_share: Option<Share>,
    /// Refuses these filters in SUBACK.
    pub refuse_subscribe: Vec<RefusedTopics>,
    /// Refuses messages to these topics in PUBACK or PUBREC; at QoS 0 and in MQTT 3.x, where no
    /// answer can say so, they are dropped.
    pub refuse_publish: Vec<RefusedTopics>,
    /// Cuts connections.
    pub cut: Option<Cut>,
    /// Packets that are not sent.
    pub withhold: Vec<Withheld>,
    /// Messages that are sent twice to a client, the second time with DUP if the QoS is 1 or 2.
    pub duplicate: Option<Share>,
    /// Messages that are sent to a client after the next one.
    pub reorder: Option<Share>,
    /// Everything that is sent is sent that much later.
    pub delay: Option<Duration>,
    /// Nothing is read, written or accepted.
    pub stall: Option<Interval>,
    /// Listeners and connections are closed; sessions and retained messages stay.
    pub down: Option<Interval>,
    /// Every CONNECT finds no session, as after the restart of a broker without a disk.
    pub forget_sessions: bool,
    /// Writes every byte by itself.
    pub single_byte_writes: bool,
}
