//! Packets as bytes: the only room that uses `rumqttc`.
//!
//! `rumqttc` is used for three things:
//!
//! * **framing**: its `check` reads the fixed header where [`frame`] needs more than the first two bytes;
//! * **writing** what it writes soundly: acknowledgements of success, PINGREQ and PINGRESP, SUBSCRIBE,
//!   UNSUBSCRIBE and the DISCONNECT of two bytes;
//! * **as an oracle**: the tests in `oracle` hold our readers and writers against its, in all versions,
//!   and both agree byte for byte wherever `rumqttc` is sound.
//!
//! The rest is written here, for defects that `defects` shows in one table, beside our result:
//!
//! * **Every reader**: those of `rumqttc` allocate per packet, lose or refuse what a client must
//!   report (unknown Reason Codes, short DISCONNECTs and CONNACKs), leak property bytes into
//!   payloads and accept duplicate or misplaced properties. Ours borrow from the input and check.
//! * **CONNECT, DISCONNECT with a reason, AUTH**: its CONNECT corrupts a non-empty buffer and has no
//!   MQTT 3.1, its DISCONNECT is one byte too long, its AUTH cannot be built.
//! * **PUBLISH**: its v4 and v5 types are two, own their topic, and would re-encode constant properties
//!   for every message. [`PublishTemplate`] encodes them once.
//! * **What a server writes, and failing acknowledgements**: its enums of Reason Codes are incomplete.

#[cfg(test)]
pub(crate) mod corpus;
mod decode;
mod encode;

#[cfg(test)]
mod defects;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::reason::ReasonCode;
use super::topic::TopicError;
use crate::quantity::counted;

pub(super) use decode::Reader;
pub use decode::{Ack, Connect, Packet, Publish, Subscription, SubscriptionList, Will, decode};
pub use encode::{
    PublishTemplate, TopicAlias, ack, auth, connack, connect, disconnect, ping_request, ping_response,
    put_publish, put_publish_head, suback, subscribe, unsuback, unsubscribe,
};
pub(super) use encode::{put_binary, put_variable_byte_integer};

/// The largest packet the encoding can express: 5 bytes of fixed header and 268,435,455 more
/// ([MQTT-2.1.4]).
pub const LARGEST_PACKET_BYTES: u32 = 268_435_460;

/// The size of a PUBACK without reason and properties.
pub const PUBACK_BYTES: usize = 4;

/// The packet identifiers of the plain PUBACKs that the bytes begin with.
#[inline]
pub fn plain_pubacks(bytes: &[u8]) -> impl Iterator<Item = u16> {
    let packets = bytes.as_chunks::<PUBACK_BYTES>().0.iter();
    packets.map_while(|packet| match *packet {
        [0x40, 2, high, low] => Some(u16::from_be_bytes([high, low])),
        _ => None,
    })
}

/// The control packet types ([MQTT-2.1.2]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the variants are the standard's own names")]
pub enum PacketType {
    Connect = 1,
    ConnAck,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    PingReq,
    PingResp,
    Disconnect,
    Auth,
}

impl PacketType {
    /// The name in the standard's capitals, for example `PUBACK`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::ConnAck => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::SubAck => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::UnsubAck => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }

    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            1 => Self::Connect,
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            8 => Self::Subscribe,
            9 => Self::SubAck,
            10 => Self::Unsubscribe,
            11 => Self::UnsubAck,
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => return None,
        })
    }
}

/// Bytes from the peer that break the standard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{packet}{what}", packet = .packet.map(|p| format!("{}: ", p.name())).unwrap_or_default())]
pub struct Malformed {
    /// The packet it was found in, if it got that far.
    pub packet: Option<PacketType>,
    /// What is wrong.
    pub what: Cow<'static, str>,
    /// The Reason Code to send in DISCONNECT ([MQTT-4.13]).
    pub reason: ReasonCode,
}

impl Malformed {
    /// A packet that can be read but breaks a rule ([MQTT-4.13.1], Protocol Error).
    pub fn protocol_error(packet: PacketType, what: impl Into<Cow<'static, str>>) -> Self {
        Self { packet: Some(packet), what: what.into(), reason: ReasonCode::PROTOCOL_ERROR }
    }

    /// A PUBLISH whose topic name is none ([MQTT-3.3.2-1], [MQTT-3.3.2-2], [MQTT-3.3.2-8]).
    #[must_use]
    pub fn topic_name(error: TopicError) -> Self {
        let reason = match error {
            // Without an alias.
            TopicError::Empty => ReasonCode::PROTOCOL_ERROR,
            // [MQTT-1.5.4-1], [MQTT-1.5.4-2]
            TopicError::NotUtf8 | TopicError::Null => ReasonCode::MALFORMED_PACKET,
            _ => ReasonCode::TOPIC_NAME_INVALID,
        };
        Self::protocol_error(PacketType::Publish, format!("topic name: {error}")).with_reason(reason)
    }

    /// The same, with another Reason Code.
    #[must_use]
    pub fn with_reason(self, reason: ReasonCode) -> Self {
        Self { reason, ..self }
    }
}

/// The length of the first packet in `buffer`, fixed header included, or `None` while more bytes
/// are needed to have it whole. `largest_bytes` bounds the whole packet, as Maximum Packet Size
/// does ([MQTT-3.1.2.11.4]); `rumqttc`'s own limit compares the remaining length.
///
/// # Errors
/// An invalid packet type, a malformed Remaining Length, or a packet over the limit: all known as
/// soon as the fixed header is there.
#[inline]
pub fn frame(buffer: &[u8], largest_bytes: u32) -> Result<Option<usize>, Malformed> {
    // By far the most packets have a Remaining Length of one byte, and are whole.
    if let [first, remaining @ ..0x80, ..] = *buffer {
        let length = 2 + usize::from(remaining);
        if first >= 0x10 && length <= buffer.len() && length <= largest_bytes as usize {
            return Ok(Some(length));
        }
    }
    any_frame(buffer, largest_bytes)
}

/// How long the packet will be whose beginning this is, if that can be told already.
#[must_use]
pub fn announced(buffer: &[u8]) -> Option<usize> {
    match rumqttc::mqttbytes::check(buffer.iter(), usize::MAX) {
        Ok(header) => Some(header.frame_length()),
        Err(rumqttc::mqttbytes::Error::InsufficientBytes(missing)) if buffer.len() > 1 => {
            Some(buffer.len() + missing)
        }
        Err(_) => None,
    }
}

fn any_frame(buffer: &[u8], largest_bytes: u32) -> Result<Option<usize>, Malformed> {
    let Some(first) = buffer.first() else { return Ok(None) };
    let packet = PacketType::from_bits(first >> 4);
    let malformed = |what: Cow<'static, str>, reason| Err(Malformed { packet, what, reason });
    if packet.is_none() {
        return malformed("not an MQTT packet (packet type 0)".into(), ReasonCode::MALFORMED_PACKET);
    }
    let length = match rumqttc::mqttbytes::check(buffer.iter(), usize::MAX) {
        Ok(header) => header.frame_length(),
        Err(rumqttc::mqttbytes::Error::InsufficientBytes(missing)) if buffer.len() > 1 => {
            buffer.len() + missing
        }
        Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => return Ok(None),
        Err(_) => return malformed("malformed Remaining Length".into(), ReasonCode::MALFORMED_PACKET),
    };
    if length > largest_bytes as usize {
        let what = format!(
            "packet of {} is larger than the {} allowed",
            counted(length as u64, "byte"),
            counted(largest_bytes.into(), "byte")
        );
        return malformed(what.into(), ReasonCode::PACKET_TOO_LARGE);
    }
    Ok((length <= buffer.len()).then_some(length))
}
