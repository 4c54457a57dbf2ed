//! Violations of the standard by a peer.

use std::borrow::Cow;

use super::super::reason::ReasonCode;
use super::super::topic::TopicError;
use super::PacketType;
use crate::quantity::counted;

/// Bytes from the peer that violate the standard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{packet}{what}", packet = .packet.map(|p| format!("{}: ", p.name())).unwrap_or_default())]
pub struct Malformed {
    /// The packet with the violation; `None` if not even its type is valid.
    pub packet: Option<PacketType>,
    /// What is wrong.
    pub what: Cow<'static, str>,
    /// The Reason Code to send in CONNACK or DISCONNECT ([MQTT-4.13]).
    pub reason: ReasonCode,
    /// Whether a broker leaves this CONNECT without an answer, as mosquitto 2.1 does ([MQTT-3.1.4-1] leaves the choice).
    pub is_unanswered: bool,
}

impl Malformed {
    /// A violation by this packet, which a broker answers with this Reason Code.
    pub(in crate::protocol) fn new(
        packet: Option<PacketType>,
        what: impl Into<Cow<'static, str>>,
        reason: ReasonCode,
    ) -> Self {
        Self { packet, what: what.into(), reason, is_unanswered: false }
    }

    /// A packet that can be decoded but violates a rule ([MQTT-4.13.1], Protocol Error).
    pub fn protocol_error(packet: PacketType, what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Some(packet), what, ReasonCode::PROTOCOL_ERROR)
    }

    /// A PUBLISH with an invalid topic name ([MQTT-3.3.2-1], [MQTT-3.3.2-2], [MQTT-3.3.2-8]).
    #[must_use]
    pub fn topic_name(error: TopicError) -> Self {
        let reason = match error {
            // Empty, and without an alias.
            TopicError::Empty => ReasonCode::PROTOCOL_ERROR,
            // "Topic Name invalid" (0x90) is for names that are correctly formed.
            _ => ReasonCode::MALFORMED_PACKET,
        };
        Self::protocol_error(PacketType::Publish, format!("topic name: {error}")).with_reason(reason)
    }

    /// A packet, or a part of it, of more bytes than the peer may send.
    #[must_use]
    pub fn too_large(packet: Option<PacketType>, part: &str, bytes: usize, most_bytes: u32) -> Self {
        let (bytes, most) = (counted(bytes as u64, "byte"), counted(most_bytes.into(), "byte"));
        let what = format!("{part} of {bytes} is larger than the {most} allowed");
        Self::new(packet, what, ReasonCode::PACKET_TOO_LARGE)
    }

    /// The same violation, with another Reason Code.
    #[must_use]
    pub fn with_reason(self, reason: ReasonCode) -> Self {
        Self { reason, ..self }
    }

    /// The same violation, in a CONNECT that a broker leaves without an answer.
    #[must_use]
    pub fn unanswered(self) -> Self {
        Self { is_unanswered: true, ..self }
    }
}
