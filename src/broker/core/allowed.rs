//! What clients may send: types and sizes of packets, Reason Codes, and texts without control characters.

use super::bounds::LARGEST_HEAD_BYTES;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Connect, Malformed, Packet, PacketType};
use crate::protocol::{Protocol, topic};

/// The largest packet that may begin with these bytes.
pub(super) fn largest_bytes(input: &[u8], maximum_packet_size: u32) -> u32 {
    let is_publish = input.first().is_some_and(|first| first >> 4 == PacketType::Publish as u8);
    if is_publish { maximum_packet_size } else { maximum_packet_size.min(LARGEST_HEAD_BYTES) }
}

/// Checks the size of a PUBLISH's properties before they are decoded.
///
/// # Errors
/// They are larger than [`LARGEST_HEAD_BYTES`].
pub(super) fn check_property_bytes(protocol: Protocol, packet: &[u8]) -> Result<(), Malformed> {
    if packet.len() <= LARGEST_HEAD_BYTES as usize || protocol != Protocol::V5 {
        return Ok(());
    }
    let bytes = wire::announced_property_bytes(packet);
    if bytes <= LARGEST_HEAD_BYTES {
        return Ok(());
    }
    Err(Malformed::too_large(Some(PacketType::Publish), "property block", bytes as usize, LARGEST_HEAD_BYTES))
}

/// The error for a packet that a client may not send after CONNECT: a broker's packet, a second CONNECT
/// ([MQTT-3.1.0-2]), or AUTH, because CONNECT with enhanced authentication was refused.
pub(super) fn unexpected(packet: PacketType) -> Malformed {
    Malformed::protocol_error(packet, "not expected from a client")
}

/// Reports such a packet as unexpected, also if it is malformed. Like in mosquitto 2.1, reserved flags of a SUBACK,
/// UNSUBACK or PINGRESP are reported first.
pub(super) fn unexpected_first(bytes: &[u8], malformed: Malformed) -> Malformed {
    let has_flags = bytes.first().is_some_and(|first| first & 0x0F != 0);
    let Some(packet) = malformed.packet else { return malformed };
    let is_expected = match packet {
        PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => has_flags,
        PacketType::ConnAck | PacketType::Connect | PacketType::Auth => false,
        _ => true,
    };
    if is_expected { malformed } else { unexpected(packet) }
}

/// Checks that a client may send this Reason Code in a PUBACK, PUBREC, PUBREL, PUBCOMP or DISCONNECT
/// ([MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1], [MQTT-3.14.2-1]).
///
/// # Errors
/// The Reason Code is not defined for the packet, which is a Protocol Error.
pub(super) fn check_reason(packet: PacketType, reason: ReasonCode) -> Result<(), Malformed> {
    let is_defined = match (packet, reason.0) {
        (_, 0x00) => true,
        (PacketType::PubAck | PacketType::PubRec, code) => {
            matches!(code, 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99)
        }
        (PacketType::Disconnect, code) => {
            matches!(code, 0x04 | 0x80..=0x83 | 0x90 | 0x93..=0x99)
        }
        (_, code) => code == 0x92,
    };
    if is_defined {
        return Ok(());
    }
    let what = format!("Reason Code 0x{:02X} is not defined for a client", reason.0);
    Err(Malformed::protocol_error(packet, what))
}

/// Checks the topics, identifiers, names and properties of a packet. A broker may treat control characters and
/// noncharacters as malformed ([MQTT-1.5.4]). mosquitto does, so a client that sends them fails here too.
///
/// # Errors
/// A text with such a character.
pub(super) fn check_texts(packet: &Packet<'_>) -> Result<(), Malformed> {
    let unwelcome = match packet {
        Packet::Connect(connect) => return check_connect(connect, packet),
        // A topic name that is not UTF-8 is refused by `publish`.
        Packet::Publish(publish) => std::str::from_utf8(publish.topic).ok().and_then(topic::unwelcome),
        Packet::Subscribe { filters, .. } | Packet::Unsubscribe { filters, .. } => {
            filters.iter().find_map(|subscription| topic::unwelcome(subscription.filter))
        }
        _ => None,
    };
    match unwelcome {
        Some(why) => Err(refused(packet, "topic", why, ReasonCode::MALFORMED_PACKET)),
        None => check_properties(packet),
    }
}

fn check_properties(packet: &Packet<'_>) -> Result<(), Malformed> {
    match packet.properties().unwelcome() {
        Some((id, why)) => Err(refused(packet, id.name(), why, ReasonCode::MALFORMED_PACKET)),
        None => Ok(()),
    }
}

fn check_connect(connect: &Connect<'_>, packet: &Packet<'_>) -> Result<(), Malformed> {
    if let Some(why) = topic::unwelcome(connect.client_identifier) {
        let reason = ReasonCode::CLIENT_IDENTIFIER_NOT_VALID;
        return Err(refused(packet, "client identifier", why, reason));
    }
    if let Some(why) = connect.user_name.and_then(topic::unwelcome) {
        return Err(refused(packet, "user name", why, ReasonCode::MALFORMED_PACKET).unanswered());
    }
    let will = connect.will.as_ref();
    if let Some(why) = will.and_then(|will| topic::unwelcome(will.topic)) {
        return Err(refused(packet, "will topic", why, ReasonCode::MALFORMED_PACKET).unanswered());
    }
    if let Some((id, why)) = will.and_then(|will| will.properties.unwelcome()) {
        return Err(refused(packet, id.name(), why, ReasonCode::MALFORMED_PACKET));
    }
    check_properties(packet)
}

fn refused(packet: &Packet<'_>, what: &str, why: &str, reason: ReasonCode) -> Malformed {
    Malformed::protocol_error(packet.kind(), format!("{what}: {why}")).with_reason(reason)
}
