//! The boundaries of packets in a stream of bytes.

use std::borrow::Cow;

use super::super::reason::ReasonCode;
use super::{Malformed, PacketType};

/// The largest packet that can be encoded: 5 bytes of fixed header and 268,435,455 more ([MQTT-2.1.4]).
pub const LARGEST_PACKET_BYTES: u32 = 268_435_460;

/// The size of a PUBACK without reason and properties.
pub const PUBACK_BYTES: usize = 4;

/// The packet identifiers of the PUBACKs without Reason Code at the start of `bytes`, up to the first other
/// packet.
#[inline]
pub fn plain_pubacks(bytes: &[u8]) -> impl Iterator<Item = u16> {
    let packets = bytes.as_chunks::<PUBACK_BYTES>().0.iter();
    packets.map_while(|packet| match *packet {
        [0x40, 2, high, low] => Some(u16::from_be_bytes([high, low])),
        _ => None,
    })
}

/// The length of the first packet in `buffer`, fixed header included, or `None` while it is incomplete.
/// `largest_bytes` limits the whole packet, as Maximum Packet Size does ([MQTT-3.1.2.11.4]); `rumqttc`'s own
/// limit compares the Remaining Length.
///
/// # Errors
/// An invalid packet type, a malformed Remaining Length, or a packet over the limit. The fixed header is
/// enough to detect them.
#[inline]
pub fn frame(buffer: &[u8], largest_bytes: u32) -> Result<Option<usize>, Malformed> {
    // Most packets have a Remaining Length of one byte and are complete.
    if let [first, remaining @ ..0x80, ..] = *buffer {
        let length = 2 + usize::from(remaining);
        if first >= 0x10 && length <= buffer.len() && length <= largest_bytes as usize {
            return Ok(Some(length));
        }
    }
    any_frame(buffer, largest_bytes)
}

/// The length of the packet that begins with these bytes; `None` if they are too few to tell.
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
    let malformed = |what: Cow<'static, str>, reason| Err(Malformed::new(packet, what, reason));
    if packet.is_none() {
        return malformed("not an MQTT packet (packet type 0)".into(), ReasonCode::PROTOCOL_ERROR);
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
        return Err(Malformed::too_large(packet, "packet", length, largest_bytes));
    }
    Ok((length <= buffer.len()).then_some(length))
}
