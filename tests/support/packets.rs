//! Packets as a server receives and sends them.

use ::mqtt::protocol::property::{PropertyBlock, PropertyId, Value};
use ::mqtt::protocol::reason::ReasonCode;
use ::mqtt::protocol::wire::{self, PacketType};
use ::mqtt::protocol::{Protocol, QoS};
use bytes::BytesMut;

fn put(fill: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    fill(&mut out);
    out.to_vec()
}

/// A property block of these.
pub(crate) fn properties(list: &[(PropertyId, Value<'_>)]) -> PropertyBlock {
    let mut block = PropertyBlock::default();
    for (id, value) in list {
        block.push(*id, *value);
    }
    block
}

/// A CONNACK. `code` is not checked: a Reason Code, or a return code for MQTT 3.x.
pub(crate) fn connack(protocol: Protocol, session_present: bool, code: u8) -> Vec<u8> {
    let mut bytes = vec![0x20, 2, u8::from(session_present), code];
    if protocol == Protocol::V5 {
        bytes[1] = 3;
        bytes.push(0);
    }
    bytes
}

/// A successful CONNACK of MQTT 5 with properties.
pub(crate) fn connack_with(list: &[(PropertyId, Value<'_>)]) -> Vec<u8> {
    put(|out| wire::connack(out, Protocol::V5, false, ReasonCode::SUCCESS, &properties(list)))
}

/// A message in either direction.
#[derive(Clone)]
pub(crate) struct Message<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: QoS,
    pub(crate) identifier: u16,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    pub(crate) properties: PropertyBlock,
}

impl<'a> Message<'a> {
    /// A message of QoS 0.
    pub(crate) fn new(topic: &'a str, payload: &'a [u8]) -> Self {
        Self {
            topic,
            payload,
            qos: QoS::AtMostOnce,
            identifier: 0,
            dup: false,
            retain: false,
            properties: PropertyBlock::default(),
        }
    }

    pub(crate) fn at(self, qos: QoS, identifier: u16) -> Self {
        Self { qos, identifier, ..self }
    }

    pub(crate) fn dup(self) -> Self {
        Self { dup: true, ..self }
    }

    pub(crate) fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    pub(crate) fn with(self, list: &[(PropertyId, Value<'_>)]) -> Self {
        Self { properties: properties(list), ..self }
    }

    pub(crate) fn bytes(&self, protocol: Protocol) -> Vec<u8> {
        let publish = wire::Publish {
            dup: self.dup,
            qos: self.qos,
            retain: self.retain,
            packet_identifier: self.identifier,
            topic: self.topic.as_bytes(),
            properties: self.properties.view(),
            payload: self.payload,
        };
        put(|out| wire::put_publish(out, protocol, &publish))
    }
}

/// A PUBACK, PUBREC, PUBREL or PUBCOMP that reports success.
pub(crate) fn ack(packet: PacketType, identifier: u16) -> Vec<u8> {
    put(|out| wire::ack(out, Protocol::V3_1_1, packet, identifier, ReasonCode::SUCCESS))
}

/// A PUBACK, PUBREC, PUBREL or PUBCOMP of MQTT 5 with this Reason Code.
pub(crate) fn ack_with(packet: PacketType, identifier: u16, reason: u8) -> Vec<u8> {
    put(|out| wire::ack(out, Protocol::V5, packet, identifier, ReasonCode(reason)))
}

/// A SUBACK; the codes are not checked.
pub(crate) fn suback(protocol: Protocol, identifier: u16, codes: &[u8]) -> Vec<u8> {
    let mut body = identifier.to_be_bytes().to_vec();
    if protocol == Protocol::V5 {
        body.push(0);
    }
    body.extend_from_slice(codes);
    let mut bytes = vec![0x90, u8::try_from(body.len()).unwrap()];
    bytes.extend(body);
    bytes
}

/// An UNSUBACK; the codes are for MQTT 5.
pub(crate) fn unsuback(protocol: Protocol, identifier: u16, codes: &[u8]) -> Vec<u8> {
    let codes: Vec<ReasonCode> = codes.iter().copied().map(ReasonCode).collect();
    put(|out| wire::unsuback(out, protocol, identifier, &codes))
}

pub(crate) fn pingreq() -> Vec<u8> {
    put(wire::ping_request)
}

pub(crate) fn pingresp() -> Vec<u8> {
    put(wire::ping_response)
}

/// A DISCONNECT in either direction.
pub(crate) fn disconnect(protocol: Protocol, reason: u8) -> Vec<u8> {
    put(|out| wire::disconnect(out, protocol, ReasonCode(reason), &PropertyBlock::default()))
}

/// A packet as text.
pub(crate) fn shown(protocol: Protocol, packet: &[u8]) -> String {
    let bytes = &packet[..packet.len().min(64)];
    match wire::decode(protocol, packet) {
        Ok(decoded) => {
            let mut text = format!("{decoded:?}");
            let end = text.char_indices().nth(1000).map_or(text.len(), |(at, _)| at);
            text.truncate(end);
            format!("{text} {bytes:02x?}")
        }
        Err(error) => format!("{error}: {bytes:02x?}"),
    }
}
