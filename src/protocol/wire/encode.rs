//! Encodes packets. All input is checked where it enters the program, lengths included, so encoding cannot
//! fail.

use bytes::{BufMut, Bytes, BytesMut};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

use super::super::property::{Property, PropertyBlock, PropertyId, Value};
use super::super::reason::ReasonCode;
use super::super::{Protocol, QoS};
use super::{Connect, PacketType, Subscription, put_binary, put_variable_byte_integer};

/// The size of a Variable Byte Integer in bytes ([MQTT-1.5.5]).
fn variable_length(value: usize) -> usize {
    match value {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

fn put_length(out: &mut impl BufMut, length: usize) {
    put_variable_byte_integer(out, u32::try_from(length).unwrap_or(u32::MAX));
}

fn put_properties(out: &mut impl BufMut, block: &[u8]) {
    put_length(out, block.len());
    out.put_slice(block);
}

/// The packet type and flags, and the Remaining Length.
const LARGEST_FIXED_HEADER_BYTES: usize = 5;

/// Appends a packet from its body. This costs a copy and is for rare packets.
fn put_packet(out: &mut BytesMut, first: u8, body: &[u8]) {
    out.reserve(LARGEST_FIXED_HEADER_BYTES + body.len());
    out.put_u8(first);
    put_length(out, body.len());
    out.put_slice(body);
}

/// Appends a CONNECT. `rumqttc`'s encoder writes the flags at an absolute index, supports neither MQTT 3.1
/// nor binary passwords, and drops empty user names.
pub fn connect(out: &mut BytesMut, connect: &Connect<'_>) {
    let v5 = connect.protocol == Protocol::V5;
    let mut body = Vec::with_capacity(128);
    put_binary(&mut body, if connect.protocol == Protocol::V3_1 { b"MQIsdp" } else { b"MQTT" });
    body.put_u8(connect.protocol.level());
    let mut flags = u8::from(connect.clean_start) << 1
        | u8::from(connect.password.is_some()) << 6
        | u8::from(connect.user_name.is_some()) << 7;
    if let Some(will) = &connect.will {
        flags |= 4 | (will.qos as u8) << 3 | u8::from(will.retain) << 5;
    }
    body.put_u8(flags);
    body.put_u16(connect.keep_alive);
    if v5 {
        put_properties(&mut body, connect.properties.block());
    }
    put_binary(&mut body, connect.client_identifier.as_bytes());
    if let Some(will) = &connect.will {
        if v5 {
            put_properties(&mut body, will.properties.block());
        }
        put_binary(&mut body, will.topic.as_bytes());
        put_binary(&mut body, will.payload);
    }
    if let Some(user_name) = connect.user_name {
        put_binary(&mut body, user_name.as_bytes());
    }
    if let Some(password) = connect.password {
        put_binary(&mut body, password);
    }
    put_packet(out, 0x10, &body);
}

/// Appends a CONNACK; for MQTT 3.x the Reason Code becomes the nearest return code.
pub fn connack(
    out: &mut BytesMut,
    protocol: Protocol,
    session_present: bool,
    reason: ReasonCode,
    properties: &PropertyBlock,
) {
    let mut body = vec![u8::from(session_present)];
    if protocol == Protocol::V5 {
        body.put_u8(reason.0);
        put_properties(&mut body, properties.bytes());
    } else {
        body.put_u8(reason.to_return_code());
    }
    put_packet(out, 0x20, &body);
}

/// Whether messages are sent with a topic alias ([MQTT-3.3.2.3.4]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TopicAlias {
    /// Never.
    #[default]
    None,
    /// If the broker's Topic Alias Maximum leaves a free one.
    Auto,
    /// With this alias, which is not 0.
    Fixed(u16),
}

/// Topic, QoS, RETAIN and properties of a publisher's messages, encoded once: encoding a message is then only
/// copying.
#[derive(Debug, Clone)]
pub struct PublishTemplate {
    qos: QoS,
    topic_alias: TopicAlias,
    /// A packet up to its payload: the first byte without DUP, one byte for a short Remaining Length, the
    /// topic name with its length, space for the packet identifier at QoS 1 and 2, and for MQTT 5 the
    /// properties with their length.
    head: Bytes,
    /// The end of the topic in `head`.
    topic_end: usize,
}

/// Offset of the topic in a template.
const TOPIC_AT: usize = 2;

/// Size of the Topic Alias property, in bytes.
const TOPIC_ALIAS_BYTES: usize = 3;

impl PublishTemplate {
    /// A template; `topic` is a checked topic name, `properties` are ignored for MQTT 3.x.
    #[must_use]
    pub fn new(protocol: Protocol, topic: &[u8], qos: QoS, retain: bool, properties: &PropertyBlock) -> Self {
        // Exactly, as properties are usually short: a buffer without room to spare needs no second allocation when it is frozen.
        let identifier = if qos == QoS::AtMostOnce { 0 } else { 2 };
        let properties_bytes = if protocol == Protocol::V5 { 1 + properties.bytes().len() } else { 0 };
        let mut head = BytesMut::with_capacity(4 + topic.len() + identifier + properties_bytes);
        head.put_slice(&[0x30 | (qos as u8) << 1 | u8::from(retain), 0]);
        put_binary(&mut head, topic);
        let topic_end = head.len();
        if qos != QoS::AtMostOnce {
            head.put_u16(0);
        }
        if protocol == Protocol::V5 {
            put_properties(&mut head, properties.bytes());
        }
        Self { qos, topic_alias: TopicAlias::None, head: head.freeze(), topic_end }
    }

    /// Offset of the properties, after the packet identifier.
    fn properties_at(&self) -> usize {
        self.topic_end + if self.qos == QoS::AtMostOnce { 0 } else { 2 }
    }

    /// The properties with their length; empty for MQTT 3.x.
    fn properties(&self) -> &[u8] {
        &self.head[self.properties_at()..]
    }

    /// Whether the template is for this version of the protocol.
    #[must_use]
    pub fn is_for(&self, protocol: Protocol) -> bool {
        // MQTT 5 has a property length even without properties.
        self.properties().is_empty() == (protocol != Protocol::V5)
    }

    /// The same template for this version. MQTT 3.x has no properties: they are dropped for good.
    #[must_use]
    pub fn converted(&self, protocol: Protocol) -> Self {
        if self.is_for(protocol) {
            return self.clone();
        }
        let properties: &[u8] = if protocol == Protocol::V5 { &[0] } else { &[] };
        let head = [&self.head[..self.properties_at()], properties].concat().into();
        Self { head, ..*self }
    }

    /// The same template with an alias for its topic (MQTT 5). The properties must not have a Topic Alias.
    #[must_use]
    pub fn with_topic_alias(self, topic_alias: TopicAlias) -> Self {
        Self { topic_alias, ..self }
    }

    /// Whether messages are sent with a topic alias.
    #[must_use]
    pub fn topic_alias(&self) -> TopicAlias {
        self.topic_alias
    }

    /// The quality of service of the messages.
    #[must_use]
    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// Whether the messages carry RETAIN.
    #[must_use]
    pub fn retain(&self) -> bool {
        self.head[0] & 1 != 0
    }

    /// The topic name.
    #[must_use]
    pub fn topic(&self) -> &[u8] {
        &self.encoded_topic()[2..]
    }

    /// The topic name with its two-byte length.
    #[must_use]
    pub fn encoded_topic(&self) -> &[u8] {
        &self.head[TOPIC_AT..self.topic_end]
    }

    /// The properties without their length.
    fn block(&self) -> &[u8] {
        let properties = self.properties();
        let prefix = properties.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
        properties.get(prefix..).unwrap_or_default()
    }

    fn remaining_length_aliased(&self, with_topic: bool, payload_bytes: usize) -> usize {
        let identifier = if self.qos == QoS::AtMostOnce { 0 } else { 2 };
        let topic = if with_topic { self.encoded_topic().len() } else { 2 };
        let properties = self.block().len() + TOPIC_ALIAS_BYTES;
        topic + identifier + variable_length(properties) + properties + payload_bytes
    }

    /// The size in bytes of a whole packet with a topic alias, with or without the topic itself.
    #[must_use]
    pub fn aliased_packet_bytes(&self, with_topic: bool, payload_bytes: usize) -> usize {
        let remaining = self.remaining_length_aliased(with_topic, payload_bytes);
        1 + variable_length(remaining) + remaining
    }

    /// Appends one message under a topic alias (MQTT 5), with the topic itself if the broker does not
    /// know the alias yet.
    pub fn put_aliased(
        &self,
        out: &mut BytesMut,
        packet_identifier: u16,
        (alias, with_topic): (u16, bool),
        payload: &[u8],
    ) {
        let remaining = self.remaining_length_aliased(with_topic, payload.len());
        out.reserve(remaining + 5);
        out.put_u8(self.head[0]);
        put_length(out, remaining);
        out.put_slice(if with_topic { self.encoded_topic() } else { &[0, 0] });
        if self.qos != QoS::AtMostOnce {
            out.put_u16(packet_identifier);
        }
        let block = self.block();
        put_length(out, block.len() + TOPIC_ALIAS_BYTES);
        out.put_slice(block);
        out.put_u8(PropertyId::TopicAlias as u8);
        out.put_u16(alias);
        out.put_slice(payload);
    }

    fn remaining_length(&self, payload_bytes: usize) -> usize {
        self.head.len() - TOPIC_AT + payload_bytes
    }

    /// The size in bytes of a whole packet with a payload of this size.
    #[must_use]
    pub fn packet_bytes(&self, payload_bytes: usize) -> usize {
        let remaining = self.remaining_length(payload_bytes);
        1 + variable_length(remaining) + remaining
    }

    /// Appends `count` messages with consecutive packet identifiers from this one on, which must not wrap.
    /// `patch` gets the number of each message, from 0, and its payload, which it may change.
    #[inline]
    pub fn put_run(
        &self,
        out: &mut BytesMut,
        packet_identifier: u16,
        count: u32,
        payload: &[u8],
        mut patch: impl FnMut(u32, &mut [u8]),
    ) {
        let start = out.len();
        let bytes = self.packet_bytes(payload.len());
        let all = bytes * count as usize;
        out.reserve(all);
        self.put(out, packet_identifier, false, payload);
        out.resize(start + all, 0);
        let (first, others) = out[start..].split_at_mut(bytes);
        let payload_at = bytes - payload.len();
        let (mut number, mut identifier) = (0, packet_identifier);
        for packet in others.chunks_exact_mut(bytes) {
            packet.copy_from_slice(first);
            let (head, payload) = packet.split_at_mut(payload_at);
            if self.qos != QoS::AtMostOnce {
                identifier = identifier.wrapping_add(1);
                let behind = head.len() - self.properties().len();
                head[behind - 2..behind].copy_from_slice(&identifier.to_be_bytes());
            }
            number += 1;
            patch(number, payload);
        }
        patch(0, &mut first[payload_at..]);
    }

    /// Appends one message. `packet_identifier` must not be 0 at QoS 1 and 2, and is ignored at QoS 0.
    pub fn put(&self, out: &mut BytesMut, packet_identifier: u16, dup: bool, payload: &[u8]) {
        let start = out.len();
        let remaining = self.remaining_length(payload.len());
        out.reserve(remaining + 5);
        if let Ok(short @ ..=0x7F) = u8::try_from(remaining) {
            out.put_slice(&self.head);
            out[start + 1] = short;
        } else {
            out.put_u8(self.head[0]);
            put_length(out, remaining);
            out.put_slice(&self.head[TOPIC_AT..]);
        }
        if dup {
            out[start] |= 0x08;
        }
        if self.qos != QoS::AtMostOnce {
            let behind = out.len() - self.properties().len();
            out[behind - 2..behind].copy_from_slice(&packet_identifier.to_be_bytes());
        }
        out.put_slice(payload);
    }
}

/// Appends a PUBLISH as a broker forwards it, with all fields of `publish`.
pub fn put_publish(out: &mut BytesMut, protocol: Protocol, publish: &super::Publish<'_>) {
    put_publish_head(out, protocol, publish, publish.payload.len(), 0);
    out.put_slice(publish.payload);
}

/// Appends a PUBLISH without its payload, which is written separately; in MQTT 5, as many bytes of further
/// properties before it. `reserve` bytes of space are allocated.
pub fn put_publish_head(
    out: &mut BytesMut,
    protocol: Protocol,
    publish: &super::Publish<'_>,
    reserve: usize,
    more_properties: usize,
) {
    let v5 = protocol == Protocol::V5;
    let identifier = if publish.qos == QoS::AtMostOnce { 0 } else { 2 };
    let block = publish.properties.block();
    let block_length = block.len() + more_properties;
    let properties = if v5 { variable_length(block_length) + block_length } else { 0 };
    let remaining = 2 + publish.topic.len() + identifier + properties + publish.payload.len();
    out.reserve(remaining - publish.payload.len() - if v5 { more_properties } else { 0 } + reserve + 5);
    out.put_u8(0x30 | u8::from(publish.dup) << 3 | (publish.qos as u8) << 1 | u8::from(publish.retain));
    put_length(out, remaining);
    put_binary(out, publish.topic);
    if publish.qos != QoS::AtMostOnce {
        out.put_u16(publish.packet_identifier);
    }
    if v5 {
        put_length(out, block_length);
        out.put_slice(block);
    }
}

/// Ignores the result of a `rumqttc` writer: it fails only if a length cannot be encoded or a packet
/// identifier is 0, and both are checked earlier.
fn written<E: std::fmt::Debug>(result: &Result<usize, E>) {
    debug_assert!(result.is_ok(), "{result:?}");
}

/// Appends a PUBACK, PUBREC, PUBREL or PUBCOMP. Success has the same form in every version. A failing Reason
/// Code exists only in MQTT 5 and is omitted for 3.x; it is encoded here, since the enums of `rumqttc` lack
/// some codes.
pub fn ack(
    out: &mut BytesMut,
    protocol: Protocol,
    packet: PacketType,
    packet_identifier: u16,
    reason: ReasonCode,
) {
    if reason != ReasonCode::SUCCESS && protocol == Protocol::V5 {
        let first = (packet as u8) << 4 | if packet == PacketType::PubRel { 2 } else { 0 };
        let [high, low] = packet_identifier.to_be_bytes();
        return out.put_slice(&[first, 3, high, low, reason.0]);
    }
    written(&match packet {
        PacketType::PubAck => v4::PubAck::new(packet_identifier).write(out),
        PacketType::PubRec => v4::PubRec::new(packet_identifier).write(out),
        PacketType::PubRel => v4::PubRel::new(packet_identifier).write(out),
        _ => v4::PubComp::new(packet_identifier).write(out),
    });
}

fn user_properties(properties: &PropertyBlock) -> Vec<(String, String)> {
    let pair = |property: Property<'_>| match property.value {
        Value::Pair(name, value) => Some((name.to_owned(), value.to_owned())),
        _ => None,
    };
    properties.view().iter().filter_map(pair).collect()
}

/// Appends a SUBSCRIBE; options of MQTT 5 are omitted for 3.x.
pub fn subscribe(
    out: &mut BytesMut,
    protocol: Protocol,
    packet_identifier: u16,
    subscriptions: &[Subscription<'_>],
    properties: &PropertyBlock,
) {
    if protocol != Protocol::V5 {
        let filter = |s: &Subscription<'_>| {
            let qos = match s.qos {
                QoS::AtMostOnce => rumqttc::mqttbytes::QoS::AtMostOnce,
                QoS::AtLeastOnce => rumqttc::mqttbytes::QoS::AtLeastOnce,
                QoS::ExactlyOnce => rumqttc::mqttbytes::QoS::ExactlyOnce,
            };
            v4::SubscribeFilter::new(s.filter.to_owned(), qos)
        };
        let filters = subscriptions.iter().map(filter).collect();
        return written(&v4::Subscribe { pkid: packet_identifier, filters }.write(out));
    }
    let filter = |s: &Subscription<'_>| v5::Filter {
        path: s.filter.to_owned(),
        qos: match s.qos {
            QoS::AtMostOnce => rumqttc::v5::mqttbytes::QoS::AtMostOnce,
            QoS::AtLeastOnce => rumqttc::v5::mqttbytes::QoS::AtLeastOnce,
            QoS::ExactlyOnce => rumqttc::v5::mqttbytes::QoS::ExactlyOnce,
        },
        nolocal: s.no_local,
        preserve_retain: s.retain_as_published,
        retain_forward_rule: match s.retain_handling {
            0 => v5::RetainForwardRule::OnEverySubscribe,
            1 => v5::RetainForwardRule::OnNewSubscribe,
            _ => v5::RetainForwardRule::Never,
        },
    };
    let identifier = properties.view().number(PropertyId::SubscriptionIdentifier);
    let packet = v5::Subscribe {
        pkid: packet_identifier,
        filters: subscriptions.iter().map(filter).collect(),
        properties: (!properties.is_empty()).then(|| v5::SubscribeProperties {
            id: identifier.map(|identifier| identifier as usize),
            user_properties: user_properties(properties),
        }),
    };
    written(&packet.write(out));
}

/// Appends an UNSUBSCRIBE.
pub fn unsubscribe(
    out: &mut BytesMut,
    protocol: Protocol,
    packet_identifier: u16,
    filters: &[&str],
    properties: &PropertyBlock,
) {
    let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
    if protocol != Protocol::V5 {
        return written(&v4::Unsubscribe { pkid: packet_identifier, topics: filters }.write(out));
    }
    let properties = (!properties.is_empty())
        .then(|| v5::UnsubscribeProperties { user_properties: user_properties(properties) });
    written(&v5::Unsubscribe { pkid: packet_identifier, filters, properties }.write(out));
}

/// Appends a SUBACK, as a broker does; every failure is 0x80 in MQTT 3.x.
pub fn suback(out: &mut BytesMut, protocol: Protocol, packet_identifier: u16, reasons: &[ReasonCode]) {
    let mut body = Vec::with_capacity(3 + reasons.len());
    body.put_u16(packet_identifier);
    if protocol == Protocol::V5 {
        body.put_u8(0);
    }
    let three = |reason: &ReasonCode| if reason.is_failure() { 0x80 } else { reason.0 };
    let code = |reason: &ReasonCode| if protocol == Protocol::V5 { reason.0 } else { three(reason) };
    body.extend(reasons.iter().map(code));
    put_packet(out, 0x90, &body);
}

/// Appends an UNSUBACK, as a broker does; it has no Reason Codes in MQTT 3.x.
pub fn unsuback(out: &mut BytesMut, protocol: Protocol, packet_identifier: u16, reasons: &[ReasonCode]) {
    let mut body = Vec::with_capacity(3 + reasons.len());
    body.put_u16(packet_identifier);
    if protocol == Protocol::V5 {
        body.put_u8(0);
        body.extend(reasons.iter().map(|reason| reason.0));
    }
    put_packet(out, 0xB0, &body);
}

/// Appends a PINGREQ.
pub fn ping_request(out: &mut BytesMut) {
    written(&v4::PingReq.write(out));
}

/// Appends a PINGRESP.
pub fn ping_response(out: &mut BytesMut) {
    written(&v4::PingResp.write(out));
}

/// Appends a DISCONNECT; in MQTT 3.x it has neither Reason Code nor properties. `rumqttc`'s DISCONNECT with a
/// Reason Code and without properties is one byte too long.
pub fn disconnect(out: &mut BytesMut, protocol: Protocol, reason: ReasonCode, properties: &PropertyBlock) {
    if protocol != Protocol::V5 || (reason == ReasonCode::SUCCESS && properties.is_empty()) {
        return written(&v4::Disconnect.write(out));
    }
    put_reason(out, 0xE0, reason, properties);
}

/// Appends an AUTH (MQTT 5 only); an AUTH of `rumqttc` cannot be constructed.
pub fn auth(out: &mut BytesMut, reason: ReasonCode, properties: &PropertyBlock) {
    put_reason(out, 0xF0, reason, properties);
}

fn put_reason(out: &mut BytesMut, first: u8, reason: ReasonCode, properties: &PropertyBlock) {
    let mut body = vec![reason.0];
    if !properties.is_empty() {
        put_properties(&mut body, properties.bytes());
    }
    put_packet(out, first, &body);
}
