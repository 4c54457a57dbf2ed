//! Decodes packets: strict, borrowed from the input, without allocation.

use super::super::property::{Place, Properties};
use super::super::reason::ReasonCode;
use super::super::topic::TopicError;
use super::super::{Protocol, QoS};
use super::{FieldReader, Malformed, PacketType};
use crate::quantity::counted;

/// [MQTT-2.1.3-1]
const RESERVED_FLAGS: &str = "reserved flags in the fixed header";

impl<'a> FieldReader<'a> {
    /// A packet identifier, which is never 0 ([MQTT-2.2.1-2]). The standard gives that violation no Reason
    /// Code: these are the ones of mosquitto 2.1.
    fn packet_identifier(&mut self) -> Result<u16, Malformed> {
        match self.u16()? {
            0 if self.packet.is_for_filters() => Err(self.malformed("packet identifier 0")),
            0 => Err(self.protocol_error("packet identifier 0")),
            identifier => Ok(identifier),
        }
    }

    fn properties(&mut self, protocol: Protocol, place: Place) -> Result<Properties<'a>, Malformed> {
        if protocol == Protocol::V5 { Properties::read(self, place) } else { Ok(Properties::NONE) }
    }

    /// A Reason Code. A code below 0x80 must be defined for this packet ([MQTT-3.4.2-1], [MQTT-3.9.3-2],
    /// [MQTT-3.14.2-1] and others): an unknown one must not be reported as success. A code from 0x80 up is a
    /// failure even if it is unknown.
    fn reason(&mut self) -> Result<ReasonCode, Malformed> {
        let reason = ReasonCode(self.u8()?);
        self.check_reason(reason)?;
        Ok(reason)
    }

    fn check_reason(&self, reason: ReasonCode) -> Result<(), Malformed> {
        let successes: &[u8] = match self.packet {
            PacketType::PubAck | PacketType::PubRec => &[0x00, 0x10],
            PacketType::SubAck => &[0x00, 0x01, 0x02],
            PacketType::UnsubAck => &[0x00, 0x11],
            PacketType::Disconnect => &[0x00, 0x04],
            PacketType::Auth => &[0x00, 0x18, 0x19],
            _ => &[0x00],
        };
        if reason.is_failure() || successes.contains(&reason.0) {
            return Ok(());
        }
        Err(self.protocol_error(format!("Reason Code 0x{:02X} does not exist there", reason.0)))
    }

    /// The Reason Codes at the end of a packet. An UNSUBACK of MQTT 3.x has none.
    fn reasons(&self, protocol: Protocol) -> Result<&'a [u8], Malformed> {
        if protocol != Protocol::V5 && self.packet == PacketType::UnsubAck {
            self.end()?;
        }
        self.rest.iter().try_for_each(|reason| self.check_reason(ReasonCode(*reason)))?;
        Ok(self.rest)
    }

    /// The topic name of a PUBLISH. The session checks empty names, which may have an alias. A name that is
    /// not UTF-8 is accepted: some brokers forward such names, and closing the connection would leave their
    /// users without any messages.
    fn topic_name(&mut self) -> Result<&'a [u8], Malformed> {
        let name = self.binary()?;
        if memchr::memchr2(b'+', b'#', name).is_some() {
            return Err(Malformed::topic_name(TopicError::Wildcard)); // [MQTT-3.3.2-2]
        }
        Ok(name)
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.malformed(format!("{} left over at the end", counted(self.rest.len() as u64, "byte"))))
        }
    }
}

/// One packet, borrowed from the bytes that were received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own names")]
pub enum Packet<'a> {
    Connect(Box<Connect<'a>>),
    /// `reason` is a Reason Code: return codes of MQTT 3.x are mapped.
    ConnAck {
        session_present: bool,
        reason: ReasonCode,
        properties: Properties<'a>,
    },
    Publish(Publish<'a>),
    PubAck(Ack<'a>),
    PubRec(Ack<'a>),
    PubRel(Ack<'a>),
    PubComp(Ack<'a>),
    Subscribe {
        packet_identifier: u16,
        properties: Properties<'a>,
        filters: SubscriptionList<'a>,
    },
    /// One Reason Code per filter; 0–2 is the granted QoS.
    SubAck {
        packet_identifier: u16,
        properties: Properties<'a>,
        reasons: &'a [u8],
    },
    /// The options of the filters are not used.
    Unsubscribe {
        packet_identifier: u16,
        properties: Properties<'a>,
        filters: SubscriptionList<'a>,
    },
    /// `reasons` is empty for MQTT 3.x.
    UnsubAck {
        packet_identifier: u16,
        properties: Properties<'a>,
        reasons: &'a [u8],
    },
    PingReq,
    PingResp,
    Disconnect {
        reason: ReasonCode,
        properties: Properties<'a>,
    },
    Auth {
        reason: ReasonCode,
        properties: Properties<'a>,
    },
}

impl Packet<'_> {
    /// The type of the packet.
    #[must_use]
    pub fn kind(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck { .. } => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe { .. } => PacketType::Subscribe,
            Self::SubAck { .. } => PacketType::SubAck,
            Self::Unsubscribe { .. } => PacketType::Unsubscribe,
            Self::UnsubAck { .. } => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect { .. } => PacketType::Disconnect,
            Self::Auth { .. } => PacketType::Auth,
        }
    }

    /// The properties of the packet; not those of the will in a CONNECT.
    #[must_use]
    pub fn properties(&self) -> Properties<'_> {
        match self {
            Self::Connect(connect) => connect.properties,
            Self::Publish(publish) => publish.properties,
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => ack.properties,
            Self::ConnAck { properties, .. }
            | Self::Subscribe { properties, .. }
            | Self::SubAck { properties, .. }
            | Self::Unsubscribe { properties, .. }
            | Self::UnsubAck { properties, .. }
            | Self::Disconnect { properties, .. }
            | Self::Auth { properties, .. } => *properties,
            Self::PingReq | Self::PingResp => Properties::NONE,
        }
    }
}

/// A PUBLISH. The topic is bytes: it may not be UTF-8, and the connection is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own names")]
pub struct Publish<'a> {
    pub dup: bool,
    pub qos: QoS,
    pub retain: bool,
    /// 0 at QoS 0, which has no packet identifier.
    pub packet_identifier: u16,
    pub topic: &'a [u8],
    pub properties: Properties<'a>,
    pub payload: &'a [u8],
}

/// A PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own names")]
pub struct Ack<'a> {
    pub packet_identifier: u16,
    pub reason: ReasonCode,
    pub properties: Properties<'a>,
}

/// A CONNECT of any version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own names")]
pub struct Connect<'a> {
    pub protocol: Protocol,
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 turns it off.
    pub keep_alive: u16,
    pub properties: Properties<'a>,
    pub client_identifier: &'a str,
    pub will: Option<Will<'a>>,
    pub user_name: Option<&'a str>,
    pub password: Option<&'a [u8]>,
}

/// The Will Message in a CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own names")]
pub struct Will<'a> {
    pub qos: QoS,
    pub retain: bool,
    pub properties: Properties<'a>,
    pub topic: &'a str,
    pub payload: &'a [u8],
}

/// One filter of a SUBSCRIBE with its Subscription Options ([MQTT-3.8.3.1]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the standard's own names")]
pub struct Subscription<'a> {
    pub filter: &'a str,
    pub qos: QoS,
    pub no_local: bool,
    pub retain_as_published: bool,
    /// 0: always, 1: only for a new subscription, 2: never.
    pub retain_handling: u8,
}

/// The filters of a SUBSCRIBE or UNSUBSCRIBE, checked when the packet was decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionList<'a> {
    body: &'a [u8],
    packet: PacketType,
    protocol: Protocol,
}

impl<'a> SubscriptionList<'a> {
    fn read(reader: &mut FieldReader<'a>, protocol: Protocol) -> Result<Self, Malformed> {
        if reader.is_empty() {
            // Section 4.13.1 leaves the choice of 0x81 and 0x82; mosquitto 2.1 has 0x81.
            return Err(reader.malformed("no topic filter"));
        }
        let list = Self { body: reader.rest, packet: reader.packet, protocol };
        while !reader.is_empty() {
            list.read_one(reader)?;
        }
        Ok(list)
    }

    fn read_one(&self, reader: &mut FieldReader<'a>) -> Result<Subscription<'a>, Malformed> {
        let filter = reader.text()?;
        let options = if self.packet == PacketType::Subscribe { reader.u8()? } else { 0 };
        let reserved = if self.protocol == Protocol::V5 { 0b1100_0000 } else { 0b1111_1100 };
        if options & reserved != 0 {
            return Err(reader.malformed("reserved bits in the subscription options"));
        }
        let qos = QoS::from_bits(options & 3).ok_or_else(|| reader.malformed("QoS 3 in a subscription"))?;
        let retain_handling = options >> 4 & 3;
        if retain_handling == 3 {
            return Err(reader.malformed("Retain Handling 3")); // as without a topic filter
        }
        Ok(Subscription {
            filter,
            qos,
            no_local: options & 4 != 0,
            retain_as_published: options & 8 != 0,
            retain_handling,
        })
    }

    /// The filters in the order of the packet.
    pub fn iter(&self) -> impl Iterator<Item = Subscription<'a>> + use<'a> {
        let list = *self;
        let mut reader = FieldReader::new(self.body, self.packet);
        // The list was checked when the packet was decoded, so no error is possible; an error would end the
        // list.
        std::iter::from_fn(move || if reader.is_empty() { None } else { list.read_one(&mut reader).ok() })
    }
}

/// Decodes one complete packet, as delimited by [`super::frame`]. `protocol` is the version of the
/// connection; a CONNECT names its own.
///
/// # Errors
/// Every violation of the standard that is visible in one packet. A packet whose content ends early is
/// malformed: all of its bytes are here, and there are no more to wait for.
#[inline]
pub fn decode(protocol: Protocol, packet: &[u8]) -> Result<Packet<'_>, Malformed> {
    // A short acknowledgement; there are one or two for every message.
    if let [first @ (0x40 | 0x50 | 0x70), 2, high, low] = *packet {
        let packet_identifier = u16::from_be_bytes([high, low]);
        if packet_identifier != 0 {
            let ack = Ack { packet_identifier, reason: ReasonCode::SUCCESS, properties: Properties::NONE };
            return Ok(match first {
                0x40 => Packet::PubAck(ack),
                0x50 => Packet::PubRec(ack),
                _ => Packet::PubComp(ack),
            });
        }
    }
    any_packet(protocol, packet)
}

fn any_packet(protocol: Protocol, packet: &[u8]) -> Result<Packet<'_>, Malformed> {
    let first = packet.first().copied().unwrap_or(0);
    let Some(kind) = PacketType::from_bits(first >> 4) else {
        return Err(Malformed::new(None, "packet type 0", ReasonCode::PROTOCOL_ERROR));
    };
    let mut reader = FieldReader::new(packet.get(1..).unwrap_or_default(), kind);
    reader.padded_integer()?;
    let flags = if matches!(kind, PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe) {
        2
    } else {
        0
    };
    // In MQTT 3.1 these headers have DUP and QoS bits, and clients set DUP when they resend. CONNECT names its
    // version itself.
    let has_reserved = !matches!(kind, PacketType::Publish | PacketType::Connect);
    if first & 0x0F != flags && has_reserved && protocol != Protocol::V3_1 {
        return Err(reader.malformed(RESERVED_FLAGS));
    }
    let place = Place::Packet(kind);
    Ok(match kind {
        PacketType::Connect => Packet::Connect(Box::new(connect(first, reader)?)),
        PacketType::ConnAck => connack(protocol, reader)?,
        PacketType::Publish => Packet::Publish(publish(protocol, first, reader)?),
        PacketType::PubAck => Packet::PubAck(ack(protocol, reader)?),
        PacketType::PubRec => Packet::PubRec(ack(protocol, reader)?),
        PacketType::PubRel => Packet::PubRel(ack(protocol, reader)?),
        PacketType::PubComp => Packet::PubComp(ack(protocol, reader)?),
        PacketType::Subscribe => Packet::Subscribe {
            packet_identifier: reader.packet_identifier()?,
            properties: reader.properties(protocol, place)?,
            filters: SubscriptionList::read(&mut reader, protocol)?,
        },
        PacketType::Unsubscribe => Packet::Unsubscribe {
            packet_identifier: reader.packet_identifier()?,
            properties: reader.properties(protocol, place)?,
            filters: SubscriptionList::read(&mut reader, protocol)?,
        },
        PacketType::SubAck => Packet::SubAck {
            packet_identifier: reader.packet_identifier()?,
            properties: reader.properties(protocol, place)?,
            reasons: reader.reasons(protocol)?,
        },
        PacketType::UnsubAck => Packet::UnsubAck {
            packet_identifier: reader.packet_identifier()?,
            properties: reader.properties(protocol, place)?,
            reasons: reader.reasons(protocol)?,
        },
        PacketType::PingReq => {
            reader.end()?;
            Packet::PingReq
        }
        PacketType::PingResp => {
            reader.end()?;
            Packet::PingResp
        }
        PacketType::Disconnect => {
            let (reason, properties) = reason_and_properties(protocol, &mut reader)?;
            Packet::Disconnect { reason, properties }
        }
        PacketType::Auth => {
            if protocol != Protocol::V5 {
                return Err(reader.protocol_error("AUTH belongs to MQTT 5"));
            }
            let (reason, properties) = reason_and_properties(protocol, &mut reader)?;
            Packet::Auth { reason, properties }
        }
    })
}

/// The number of bytes of properties that a PUBLISH of MQTT 5 announces, which is known before they are decoded. 0 for
/// other packets, and for a PUBLISH that is malformed before its properties.
#[must_use]
pub fn announced_property_bytes(packet: &[u8]) -> u32 {
    let Some((first, body)) = packet.split_first() else { return 0 };
    let mut reader = FieldReader::new(body, PacketType::Publish);
    let mut read = || {
        reader.padded_integer()?;
        reader.binary()?;
        if first >> 1 & 3 != 0 {
            reader.u16()?;
        }
        reader.variable_byte_integer()
    };
    if first >> 4 == PacketType::Publish as u8 { read().unwrap_or(0) } else { 0 }
}

fn publish(protocol: Protocol, first: u8, mut reader: FieldReader<'_>) -> Result<Publish<'_>, Malformed> {
    let qos = QoS::from_bits(first >> 1 & 3).ok_or_else(|| reader.malformed("QoS 3"))?; // [MQTT-3.3.1-4]
    let dup = first & 8 != 0;
    if dup && qos == QoS::AtMostOnce && protocol == Protocol::V5 {
        return Err(reader.malformed("DUP at QoS 0")); // [MQTT-3.3.1-2]
    }
    let topic = reader.topic_name()?;
    let packet_identifier = if qos == QoS::AtMostOnce { 0 } else { reader.packet_identifier()? };
    let properties = reader.properties(protocol, Place::Packet(PacketType::Publish))?;
    Ok(Publish {
        dup,
        qos,
        retain: first & 1 != 0,
        packet_identifier,
        topic,
        properties,
        payload: reader.rest,
    })
}

fn ack(protocol: Protocol, mut reader: FieldReader<'_>) -> Result<Ack<'_>, Malformed> {
    let packet_identifier = reader.packet_identifier()?;
    let (reason, properties) = reason_and_properties(protocol, &mut reader)?;
    Ok(Ack { packet_identifier, reason, properties })
}

/// Reason Code and properties at the end of acknowledgements, DISCONNECT and AUTH. Both may be omitted; the
/// Reason Code is then 0x00 ([MQTT-3.4.2.1], [MQTT-3.14.2.1]).
fn reason_and_properties<'a>(
    protocol: Protocol,
    reader: &mut FieldReader<'a>,
) -> Result<(ReasonCode, Properties<'a>), Malformed> {
    if protocol != Protocol::V5 {
        reader.end()?;
        return Ok((ReasonCode::SUCCESS, Properties::NONE));
    }
    let reason = if reader.is_empty() { ReasonCode::SUCCESS } else { reader.reason()? };
    let place = Place::Packet(reader.packet);
    let properties = if reader.is_empty() { Properties::NONE } else { Properties::read(reader, place)? };
    reader.end()?;
    Ok((reason, properties))
}

fn connack(protocol: Protocol, mut reader: FieldReader<'_>) -> Result<Packet<'_>, Malformed> {
    let flags = reader.u8()?;
    if flags > 1 {
        return Err(reader.malformed("reserved acknowledge flags")); // [MQTT-3.2.2-1]
    }
    let code = reader.u8()?;
    // A CONNECT of MQTT 5 may get a CONNACK of two bytes: a broker that knows only 3.x responds in its own
    // format.
    let (reason, properties) = if protocol == Protocol::V5 && !reader.is_empty() {
        reader.check_reason(ReasonCode(code))?; // [MQTT-3.2.2-7]
        (ReasonCode(code), Properties::read(&mut reader, Place::Packet(PacketType::ConnAck))?)
    } else if code < 0x80 {
        (ReasonCode::from_return_code(code), Properties::NONE)
    } else {
        (ReasonCode(code), Properties::NONE)
    };
    reader.end()?;
    if flags == 1 && reason != ReasonCode::SUCCESS {
        return Err(reader.protocol_error("Session Present with a refusal")); // [MQTT-3.2.2-6]
    }
    Ok(Packet::ConnAck { session_present: flags == 1, reason, properties })
}

fn connect(first: u8, mut reader: FieldReader<'_>) -> Result<Connect<'_>, Malformed> {
    let name = reader.binary()?;
    let level = reader.u8()?;
    let unsupported = |what: String| {
        Malformed::new(Some(PacketType::Connect), what, ReasonCode::UNSUPPORTED_PROTOCOL_VERSION)
    };
    let protocol = match (name, Protocol::from_level(level & 0x7F)) {
        (b"MQTT", Some(protocol @ (Protocol::V3_1_1 | Protocol::V5))) => protocol,
        (b"MQIsdp", Some(Protocol::V3_1)) => Protocol::V3_1,
        (b"MQTT" | b"MQIsdp", _) => {
            let name = String::from_utf8_lossy(name);
            return Err(unsupported(format!("protocol {name:?} level {level}"))); // [MQTT-3.1.2-2]
        }
        _ => return Err(reader.malformed(format!("protocol {:?}", String::from_utf8_lossy(name)))), // [MQTT-3.1.2-1]
    };
    // MQTT 3.1 does not use these bits.
    let has_reserved = protocol != Protocol::V3_1;
    if has_reserved && first & 0x0F != 0 {
        return Err(reader.malformed(RESERVED_FLAGS).unanswered());
    }
    let flags = reader.u8().map_err(Malformed::unanswered)?;
    if has_reserved && flags & 1 != 0 {
        return Err(reader.malformed("reserved connect flag").unanswered()); // [MQTT-3.1.2-3]
    }
    let keep_alive = reader.u16().map_err(Malformed::unanswered)?;
    let properties = reader.properties(protocol, Place::Packet(PacketType::Connect))?;
    let identifier_not_valid = |error: Malformed| error.with_reason(ReasonCode::CLIENT_IDENTIFIER_NOT_VALID);
    let identifier = reader.binary().map_err(Malformed::unanswered)?;
    let client_identifier = reader.text_of(identifier).map_err(identifier_not_valid)?; // [MQTT-3.1.3-4]
    let will = if flags & 4 != 0 {
        let qos = QoS::from_bits(flags >> 3 & 3).ok_or_else(|| reader.malformed("will QoS 3"))?;
        let properties = reader.properties(protocol, Place::Will)?;
        let topic = reader.binary()?; // one that is cut off is answered
        let topic = reader.text_of(topic).map_err(Malformed::unanswered)?;
        Some(Will { qos, retain: flags & 0x20 != 0, properties, topic, payload: reader.binary()? })
    } else if flags & 0x38 != 0 {
        return Err(reader.malformed("will flags without a will").unanswered()); // [MQTT-3.1.2-11]
    } else {
        None
    };
    let user_name =
        if flags & 0x80 != 0 { Some(reader.text().map_err(Malformed::unanswered)?) } else { None };
    if flags & 0x40 != 0 && user_name.is_none() && protocol != Protocol::V5 {
        return Err(reader.malformed("password without user name")); // 3.1.1 [MQTT-3.1.2-22]
    }
    let password =
        if flags & 0x40 != 0 { Some(reader.binary().map_err(Malformed::unanswered)?) } else { None };
    reader.end()?;
    Ok(Connect {
        protocol,
        clean_start: flags & 2 != 0,
        keep_alive,
        properties,
        client_identifier,
        will,
        user_name,
        password,
    })
}
