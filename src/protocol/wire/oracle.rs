//! `rumqttc` as an oracle. For each packet that it decodes and encodes correctly, in every version:
//!
//! * both decoders find the same value in each field,
//! * both encoders produce the decoded bytes from these values.
//!
//! `defects` lists where `rumqttc` is not correct. Those cases are omitted here: AUTH, CONNECT of MQTT 3.1,
//! empty or binary credentials, several Subscription Identifiers in a PUBLISH, DISCONNECT of MQTT 5 without
//! properties. MQTT 3.1 has the bytes of 3.1.1 in every other packet. Two forms are valid in both and differ:
//! a failing acknowledgement without properties ends after the Reason Code here, and with a property length
//! of 0 there; and `rumqttc` sorts properties.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

use super::super::property::{Place, Properties, PropertyBlock, PropertyId, PropertyKind, Value};
use super::super::reason::ReasonCode;
use super::tests::{protocols, qualities};
use super::*;
use crate::protocol::{Protocol, QoS};
use PropertyId::*;

/// The order in which `rumqttc` writes properties, except those of PUBLISH.
const ORDER: &[PropertyId] = &[
    SessionExpiryInterval,
    ReceiveMaximum,
    MaximumQos,
    RetainAvailable,
    MaximumPacketSize,
    AssignedClientIdentifier,
    TopicAliasMaximum,
    RequestResponseInformation,
    RequestProblemInformation,
    WillDelayInterval,
    PayloadFormatIndicator,
    MessageExpiryInterval,
    ContentType,
    ResponseTopic,
    CorrelationData,
    ReasonString,
    SubscriptionIdentifier,
    UserProperty,
    WildcardSubscriptionAvailable,
    SubscriptionIdentifierAvailable,
    SharedSubscriptionAvailable,
    ServerKeepAlive,
    ResponseInformation,
    ServerReference,
    AuthenticationMethod,
    AuthenticationData,
];
const PUBLISH_ORDER: &[PropertyId] = &[
    PayloadFormatIndicator,
    MessageExpiryInterval,
    TopicAlias,
    ResponseTopic,
    CorrelationData,
    UserProperty,
    SubscriptionIdentifier,
    ContentType,
];
/// All failures that `rumqttc` knows in packets with a Reason Code.
const CONNACK: &[u8] =
    &[0, 0x80, 0x81, 0x84, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x9C, 0x9D, 0x9F];
const PUBACK: &[u8] = &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const PUBREL: &[u8] = &[0, 0x92];
const SUBACK: &[u8] = &[0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2];
const UNSUBACK: &[u8] = &[0, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91];
const DISCONNECT: &[u8] =
    &[0, 4, 0x80, 0x81, 0x82, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x93, 0x98, 0x9C, 0x9D, 0xA0];

/// Any properties that are allowed in a place, with any values.
fn properties(place: Place) -> impl Strategy<Value = PropertyBlock> {
    let publish = place == Place::Packet(PacketType::Publish);
    let order = if publish { PUBLISH_ORDER } else { ORDER };
    let ids: Vec<PropertyId> = order.iter().copied().filter(|id| id.allowed_in(place)).collect();
    let value = (any::<u32>(), "[a-zé/]{0,80}", vec(any::<u8>(), 0..80));
    vec(option::of(value), ids.len()).prop_map(move |values| {
        let mut block = PropertyBlock::default();
        for (&id, value) in ids.iter().zip(&values) {
            let Some((number, text, binary)) = value else { continue };
            let value = match id.kind() {
                PropertyKind::Byte | PropertyKind::Flag => Value::Number(number & 1),
                PropertyKind::Two | PropertyKind::TwoNotZero => Value::Number(number % 65_535 + 1),
                PropertyKind::Four | PropertyKind::FourNotZero => Value::Number(number | 1),
                PropertyKind::Variable => Value::Number(number % 268_435_455 + 1),
                PropertyKind::Text => Value::Text(text),
                PropertyKind::Binary => Value::Binary(binary),
                PropertyKind::Pair => Value::Pair(text, "value"),
            };
            block.push(id, value);
            if id == UserProperty {
                block.push(id, Value::Pair("again", text));
            }
        }
        block
    })
}

fn in_packet(protocol: Protocol, packet: PacketType) -> BoxedStrategy<PropertyBlock> {
    let none = Just(PropertyBlock::default());
    if protocol == Protocol::V5 {
        prop_oneof![none, properties(Place::Packet(packet))].boxed()
    } else {
        none.boxed()
    }
}

/// A packet that we cannot encode: only brokers send it, with properties.
fn with_properties(
    first: u8,
    identifier: Option<u16>,
    reason: Option<u8>,
    block: &PropertyBlock,
    end: &[u8],
) -> BytesMut {
    let mut body = BytesMut::new();
    body.extend(identifier.map(u16::to_be_bytes).into_iter().flatten());
    body.extend(reason);
    put_variable_byte_integer(&mut body, u32::try_from(block.bytes().len()).unwrap());
    body.extend_from_slice(block.bytes());
    body.extend_from_slice(end);
    let mut out = BytesMut::from(&[first][..]);
    put_variable_byte_integer(&mut out, u32::try_from(body.len()).unwrap());
    out.extend_from_slice(&body);
    out
}

fn write(writer: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    writer(&mut out);
    out
}

fn connects(protocol: Protocol) -> impl Strategy<Value = BytesMut> {
    let v5 = protocol == Protocol::V5;
    let will_properties =
        if v5 { properties(Place::Will).boxed() } else { Just(PropertyBlock::default()).boxed() };
    let will = (qualities(), any::<bool>(), "[a-z/é]{1,200}", vec(any::<u8>(), 0..200), will_properties);
    let login = ("[a-zé]{1,20}", option::of("[a-zé]{1,20}"));
    (
        any::<bool>(),
        any::<u16>(),
        "[a-zA-Zé]{0,30}",
        option::of(will),
        option::of(login),
        in_packet(protocol, PacketType::Connect),
    )
        .prop_map(move |(clean_start, keep_alive, client_identifier, will, login, block)| {
            let connect = Connect {
                protocol,
                clean_start,
                keep_alive,
                properties: block.view(),
                client_identifier: &client_identifier,
                will: will.as_ref().map(|(qos, retain, topic, payload, block)| Will {
                    qos: *qos,
                    retain: *retain,
                    properties: block.view(),
                    topic,
                    payload,
                }),
                user_name: login.as_ref().map(|login| login.0.as_str()),
                password: login.as_ref().and_then(|login| Some(login.1.as_ref()?.as_bytes())),
            };
            write(|out| super::connect(out, &connect))
        })
}

fn publishes(protocol: Protocol) -> impl Strategy<Value = BytesMut> {
    (
        any::<bool>(),
        qualities(),
        any::<bool>(),
        1_u16..,
        "[a-z/é]{1,200}",
        in_packet(protocol, PacketType::Publish),
        vec(any::<u8>(), 0..20_000),
    )
        .prop_map(move |(dup, qos, retain, packet_identifier, topic, block, payload)| {
            let dup = dup && qos != QoS::AtMostOnce;
            let packet_identifier = if qos == QoS::AtMostOnce { 0 } else { packet_identifier };
            let properties = block.view();
            let publish = Publish {
                dup,
                qos,
                retain,
                packet_identifier,
                topic: topic.as_bytes(),
                properties,
                payload: &payload,
            };
            write(|out| put_publish(out, protocol, &publish))
        })
}

fn subscribes(protocol: Protocol) -> impl Strategy<Value = BytesMut> {
    let v5 = protocol == Protocol::V5;
    let options = (qualities(), any::<bool>(), any::<bool>(), 0_u8..3);
    (1_u16.., vec(("[a-z+#é]{1,60}", options), 1..9), in_packet(protocol, PacketType::Subscribe)).prop_map(
        move |(identifier, filters, block)| {
            let filters = filters.iter().map(|(filter, (qos, no_local, published, handling))| Subscription {
                filter,
                qos: *qos,
                no_local: v5 && *no_local,
                retain_as_published: v5 && *published,
                retain_handling: if v5 { *handling } else { 0 },
            });
            let filters: Vec<Subscription<'_>> = filters.collect();
            write(|out| subscribe(out, protocol, identifier, &filters, &block))
        },
    )
}

fn unsubscribes(protocol: Protocol) -> impl Strategy<Value = BytesMut> {
    (1_u16.., vec("[a-z+#é]{1,60}", 1..9), in_packet(protocol, PacketType::Unsubscribe)).prop_map(
        move |(identifier, filters, block)| {
            let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
            write(|out| unsubscribe(out, protocol, identifier, &filters, &block))
        },
    )
}

fn acks(protocol: Protocol) -> impl Strategy<Value = BytesMut> {
    use PacketType::{PubAck, PubComp, PubRec, PubRel};
    let reasons = (select(PUBACK), select(PUBREL));
    let kinds = select(&[PubAck, PubRec, PubRel, PubComp][..]);
    (kinds, reasons, 1_u16.., in_packet(protocol, PubAck)).prop_map(
        move |(kind, reasons, identifier, block)| {
            let reason = if matches!(kind, PubAck | PubRec) { reasons.0 } else { reasons.1 };
            if block.is_empty() {
                return write(|out| ack(out, protocol, kind, identifier, ReasonCode(reason)));
            }
            let first = (kind as u8) << 4 | if kind == PubRel { 2 } else { 0 };
            with_properties(first, Some(identifier), Some(reason), &block, &[])
        },
    )
}

fn subscription_acks(protocol: Protocol) -> impl Strategy<Value = BytesMut> {
    let codes = if protocol == Protocol::V5 { SUBACK } else { &SUBACK[..4] };
    let subacks = (1_u16.., vec(select(codes), 1..9), in_packet(protocol, PacketType::SubAck))
        .prop_map(move |(identifier, codes, block)| (0x90, identifier, codes, block));
    let unsubacks = (1_u16.., vec(select(UNSUBACK), 1..9), in_packet(protocol, PacketType::UnsubAck))
        .prop_map(move |(identifier, codes, block)| (0xB0, identifier, codes, block));
    prop_oneof![subacks, unsubacks].prop_map(move |(first, identifier, codes, block)| {
        let reasons: Vec<ReasonCode> = codes.iter().copied().map(ReasonCode).collect();
        match first {
            _ if !block.is_empty() => with_properties(first, Some(identifier), None, &block, &codes),
            0x90 => write(|out| suback(out, protocol, identifier, &reasons)),
            _ => write(|out| unsuback(out, protocol, identifier, &reasons)),
        }
    })
}

fn connacks(protocol: Protocol) -> impl Strategy<Value = BytesMut> {
    (any::<bool>(), select(CONNACK), in_packet(protocol, PacketType::ConnAck)).prop_map(
        move |(present, reason, block)| {
            let reason = ReasonCode(reason);
            write(|out| connack(out, protocol, present && reason == ReasonCode::SUCCESS, reason, &block))
        },
    )
}

fn rest(protocol: Protocol) -> impl Strategy<Value = BytesMut> {
    let pings = prop_oneof![Just(write(ping_request)), Just(write(ping_response))];
    let block = properties(Place::Packet(PacketType::Disconnect));
    let disconnects = (select(DISCONNECT), block).prop_map(move |(reason, block)| match protocol {
        Protocol::V5 if block.is_empty() => write(ping_request),
        _ => write(|out| disconnect(out, protocol, ReasonCode(reason), &block)),
    });
    prop_oneof![pings, disconnects]
}

/// Packets of every type, in all forms.
fn packets(protocol: Protocol) -> BoxedStrategy<BytesMut> {
    let publishes = publishes(protocol);
    let answers = prop_oneof![acks(protocol), subscription_acks(protocol), connacks(protocol)];
    let requests = prop_oneof![subscribes(protocol), unsubscribes(protocol), rest(protocol)];
    if protocol == Protocol::V3_1 {
        return prop_oneof![publishes, answers, requests].boxed();
    }
    prop_oneof![connects(protocol), publishes, answers, requests].boxed()
}

/// The packet as our encoders write the decoded fields, or `None` for one that they never write.
fn rewritten(protocol: Protocol, packet: &Packet<'_>) -> Option<BytesMut> {
    let properties = packet.properties();
    let block = properties.to_owned_block();
    let kind = packet.kind();
    let codes = |reasons: &[u8]| reasons.iter().copied().map(ReasonCode).collect::<Vec<_>>();
    let mut out = BytesMut::new();
    match packet {
        Packet::Connect(packet) => connect(&mut out, packet),
        Packet::ConnAck { session_present, reason, .. } => {
            connack(&mut out, protocol, *session_present, *reason, &block);
        }
        Packet::Publish(packet) => put_publish(&mut out, protocol, packet),
        Packet::Subscribe { packet_identifier, filters, .. } => {
            subscribe(&mut out, protocol, *packet_identifier, &filters.iter().collect::<Vec<_>>(), &block);
        }
        Packet::Unsubscribe { packet_identifier, filters, .. } => {
            let filters: Vec<&str> = filters.iter().map(|filter| filter.filter).collect();
            unsubscribe(&mut out, protocol, *packet_identifier, &filters, &block);
        }
        Packet::Disconnect { reason, .. } => disconnect(&mut out, protocol, *reason, &block),
        Packet::PingReq => ping_request(&mut out),
        Packet::PingResp => ping_response(&mut out),
        _ if !properties.is_empty() => return None,
        Packet::PubAck(packet)
        | Packet::PubRec(packet)
        | Packet::PubRel(packet)
        | Packet::PubComp(packet) => {
            ack(&mut out, protocol, kind, packet.packet_identifier, packet.reason);
        }
        Packet::SubAck { packet_identifier, reasons, .. } => {
            suback(&mut out, protocol, *packet_identifier, &codes(reasons));
        }
        Packet::UnsubAck { packet_identifier, reasons, .. } => {
            unsuback(&mut out, protocol, *packet_identifier, &codes(reasons));
        }
        Packet::Auth { .. } => return None,
    }
    Some(out)
}

/// Sorted properties, so that two lists can be compared.
fn sorted(properties: Properties<'_>) -> Vec<String> {
    let mut found: Vec<String> = properties.iter().map(|property| format!("{property:?}")).collect();
    found.sort();
    found
}

/// The same for a property struct of `rumqttc`, by its own writer.
macro_rules! theirs {
    ($properties:expr, $place:expr) => {{
        let mut block = BytesMut::from(&[0][..]);
        if let Some(properties) = &$properties {
            block.clear();
            properties.write(&mut block).unwrap();
        }
        sorted(Properties::read(&mut FieldReader::new(&block, PacketType::Publish), $place).unwrap())
    }};
}

/// The packet without its fixed header.
fn body(packet: &[u8]) -> &[u8] {
    let length = packet[1..].iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    &packet[1 + length..]
}

type Login<'a> = (Option<&'a str>, Option<&'a [u8]>);

/// `rumqttc` has an empty login for none.
fn login<'a>(login: Option<(&'a str, &'a str)>) -> Login<'a> {
    let (user, password) = login.unwrap_or_default();
    (Some(user).filter(|user| !user.is_empty()), Some(password.as_bytes()).filter(|bytes| !bytes.is_empty()))
}

/// Whether both decoders found the same in a packet of MQTT 3.x.
fn same_v4(ours: &Packet<'_>, raw: &v4::Packet) -> bool {
    use v4::Packet as Raw;
    match (ours, raw) {
        (Packet::Connect(our), Raw::Connect(raw)) => {
            let will = raw.last_will.as_ref();
            let will = will.map(|w| (w.qos as u8, w.retain, w.topic.as_str(), &w.message[..]));
            let credentials =
                raw.login.as_ref().map(|login| (login.username.as_str(), login.password.as_str()));
            (our.clean_start, our.keep_alive, our.client_identifier)
                == (raw.clean_session, raw.keep_alive, raw.client_id.as_str())
                && our.will.map(|w| (w.qos as u8, w.retain, w.topic, w.payload)) == will
                && (our.user_name, our.password) == login(credentials)
        }
        (Packet::ConnAck { session_present, reason, .. }, Raw::ConnAck(raw)) => {
            (*session_present, *reason) == (raw.session_present, ReasonCode::from_return_code(raw.code as u8))
        }
        (Packet::Publish(our), Raw::Publish(raw)) => {
            (our.dup, our.qos as u8, our.retain, our.packet_identifier, our.topic, our.payload)
                == (raw.dup, raw.qos as u8, raw.retain, raw.pkid, raw.topic.as_bytes(), &raw.payload[..])
        }
        (Packet::PubAck(our), Raw::PubAck(v4::PubAck { pkid }))
        | (Packet::PubRec(our), Raw::PubRec(v4::PubRec { pkid }))
        | (Packet::PubRel(our), Raw::PubRel(v4::PubRel { pkid }))
        | (Packet::PubComp(our), Raw::PubComp(v4::PubComp { pkid })) => our.packet_identifier == *pkid,
        (Packet::Subscribe { packet_identifier, filters, .. }, Raw::Subscribe(raw)) => {
            let raw_filters = raw.filters.iter().map(|filter| (filter.path.as_str(), filter.qos as u8));
            *packet_identifier == raw.pkid
                && filters.iter().map(|filter| (filter.filter, filter.qos as u8)).eq(raw_filters)
        }
        (Packet::Unsubscribe { packet_identifier, filters, .. }, Raw::Unsubscribe(raw)) => {
            *packet_identifier == raw.pkid && filters.iter().map(|filter| filter.filter).eq(&raw.topics)
        }
        (Packet::SubAck { packet_identifier, reasons, .. }, Raw::SubAck(raw)) => {
            let code = |code: &v4::SubscribeReasonCode| match code {
                v4::SubscribeReasonCode::Success(qos) => *qos as u8,
                v4::SubscribeReasonCode::Failure => 0x80,
            };
            *packet_identifier == raw.pkid && raw.return_codes.iter().map(code).eq(reasons.iter().copied())
        }
        (Packet::UnsubAck { packet_identifier, .. }, Raw::UnsubAck(raw)) => *packet_identifier == raw.pkid,
        (Packet::PingReq, Raw::PingReq)
        | (Packet::PingResp, Raw::PingResp)
        | (Packet::Disconnect { .. }, Raw::Disconnect) => true,
        _ => false,
    }
}

/// Whether both decoders found the same in a packet of MQTT 5. `written` is the packet as `rumqttc` encodes
/// it, the only way to get its Reason Codes as numbers.
fn same_v5(ours: &Packet<'_>, raw: &v5::Packet, written: &[u8]) -> bool {
    use v5::Packet as Raw;
    let place = Place::Packet(ours.kind());
    let properties = sorted(ours.properties());
    let same_ack = |our: &Ack<'_>, identifier: u16, theirs: Vec<String>| {
        let code = body(written).get(2).copied().unwrap_or(0);
        (our.packet_identifier, our.reason) == (identifier, ReasonCode(code)) && properties == theirs
    };
    match (ours, raw) {
        (Packet::Connect(our), Raw::Connect(raw, raw_will, raw_login)) => {
            let will = raw_will.as_ref().map(|w| {
                let properties = theirs!(w.properties, Place::Will);
                (w.qos as u8, w.retain, properties, &w.topic[..], &w.message[..])
            });
            let our_will = our
                .will
                .map(|w| (w.qos as u8, w.retain, sorted(w.properties), w.topic.as_bytes(), w.payload));
            let credentials =
                raw_login.as_ref().map(|login| (login.username.as_str(), login.password.as_str()));
            (our.clean_start, our.keep_alive, our.client_identifier)
                == (raw.clean_start, raw.keep_alive, raw.client_id.as_str())
                && our_will == will
                && (our.user_name, our.password) == login(credentials)
                && properties == theirs!(raw.properties, place)
        }
        (Packet::ConnAck { session_present, reason, .. }, Raw::ConnAck(raw)) => {
            (*session_present, reason.0) == (raw.session_present, body(written)[1])
                && properties == theirs!(raw.properties, place)
        }
        (Packet::Publish(our), Raw::Publish(raw)) => {
            (our.dup, our.qos as u8, our.retain, our.packet_identifier, our.topic, our.payload)
                == (raw.dup, raw.qos as u8, raw.retain, raw.pkid, &raw.topic[..], &raw.payload[..])
                && properties == theirs!(raw.properties, place)
        }
        (Packet::PubAck(our), Raw::PubAck(raw)) => same_ack(our, raw.pkid, theirs!(raw.properties, place)),
        (Packet::PubRec(our), Raw::PubRec(raw)) => same_ack(our, raw.pkid, theirs!(raw.properties, place)),
        (Packet::PubRel(our), Raw::PubRel(raw)) => same_ack(our, raw.pkid, theirs!(raw.properties, place)),
        (Packet::PubComp(our), Raw::PubComp(raw)) => same_ack(our, raw.pkid, theirs!(raw.properties, place)),
        (Packet::Subscribe { packet_identifier, filters, .. }, Raw::Subscribe(raw)) => {
            let theirs_of = |f: &v5::Filter| {
                let handling = match f.retain_forward_rule {
                    v5::RetainForwardRule::OnEverySubscribe => 0,
                    v5::RetainForwardRule::OnNewSubscribe => 1,
                    v5::RetainForwardRule::Never => 2,
                };
                (f.path.clone(), f.qos as u8, f.nolocal, f.preserve_retain, handling)
            };
            let ours_of = |s: Subscription<'_>| {
                (s.filter.to_owned(), s.qos as u8, s.no_local, s.retain_as_published, s.retain_handling)
            };
            *packet_identifier == raw.pkid
                && filters.iter().map(ours_of).eq(raw.filters.iter().map(theirs_of))
                && properties == theirs!(raw.properties, place)
        }
        (Packet::Unsubscribe { packet_identifier, filters, .. }, Raw::Unsubscribe(raw)) => {
            *packet_identifier == raw.pkid
                && filters.iter().map(|filter| filter.filter).eq(&raw.filters)
                && properties == theirs!(raw.properties, place)
        }
        (Packet::SubAck { packet_identifier, reasons, .. }, Raw::SubAck(raw)) => {
            *packet_identifier == raw.pkid
                && *reasons == &written[written.len() - raw.return_codes.len()..]
                && properties == theirs!(raw.properties, place)
        }
        (Packet::UnsubAck { packet_identifier, reasons, .. }, Raw::UnsubAck(raw)) => {
            *packet_identifier == raw.pkid
                && *reasons == &written[written.len() - raw.reasons.len()..]
                && properties == theirs!(raw.properties, place)
        }
        (Packet::Disconnect { reason, .. }, Raw::Disconnect(raw)) => {
            // Its property writer is private, so the whole packet is compared.
            let block = properties.is_empty() == raw.properties.is_none();
            reason.0 == raw.reason_code as u8 && block
        }
        (Packet::PingReq, Raw::PingReq(_)) | (Packet::PingResp, Raw::PingResp(_)) => true,
        _ => false,
    }
}

/// The packet as `rumqttc` encodes it after decoding, and whether both decoders agree; `None` if it cannot
/// decode it.
fn oracle(protocol: Protocol, ours: &Packet<'_>, bytes: &[u8]) -> Option<(BytesMut, bool)> {
    let mut input = BytesMut::from(bytes);
    let mut written = BytesMut::new();
    if protocol == Protocol::V5 {
        let raw = v5::Packet::read(&mut input, None).ok()?;
        raw.write(&mut written, None).ok()?;
        let same = same_v5(ours, &raw, &written);
        return Some((written, same));
    }
    let raw = v4::Packet::read(&mut input, usize::MAX).ok()?;
    raw.write(&mut written, usize::MAX).ok()?;
    Some((written, same_v4(ours, &raw)))
}

/// Whether `rumqttc` decodes the packet correctly but encodes it in another form, or has a defect in it.
fn differs_in_form(packet: &Packet<'_>) -> bool {
    let bare = packet.properties().is_empty();
    match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            bare && ack.reason != ReasonCode::SUCCESS
        }
        Packet::Disconnect { .. } => bare,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn both_codecs_agree_on_every_sound_packet(
        (protocol, bytes) in protocols().prop_flat_map(|protocol| (Just(protocol), packets(protocol))),
    ) {
        prop_assert_eq!(frame(&bytes, LARGEST_PACKET_BYTES), Ok(Some(bytes.len())));
        let ours = decode(protocol, &bytes).unwrap();
        let (written, same) = oracle(protocol, &ours, &bytes).expect("rumqttc reads it");
        prop_assert!(same, "{ours:?}");
        if !differs_in_form(&ours) {
            prop_assert_eq!(&written, &bytes);
        }
        if let Some(again) = rewritten(protocol, &ours) {
            prop_assert_eq!(&again, &bytes);
        }
    }

    /// Packets of the corpus with a few bytes changed: if both can decode a packet, they agree on its
    /// meaning, and on that of the packet as `rumqttc` encodes it.
    #[test]
    fn both_codecs_agree_on_what_both_can_read(
        protocol in protocols(), which: prop::sample::Index,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut bytes = which.get(&corpus::packets()).clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let Ok(Some(length)) = frame(&bytes, 1000) else { return Ok(()) };
        let Ok(ours) = decode(protocol, &bytes[..length]) else { return Ok(()) };
        let identifiers = ours.properties().iter().filter(|property| property.id == SubscriptionIdentifier);
        if identifiers.count() > 1 {
            return Ok(());
        }
        let Some((written, same)) = oracle(protocol, &ours, &bytes[..length]) else { return Ok(()) };
        prop_assert!(same, "{ours:?}");
        if !differs_in_form(&ours) {
            let again = decode(protocol, &written).unwrap();
            prop_assert_eq!(sorted(ours.properties()), sorted(again.properties()));
            let (_, same) = oracle(protocol, &again, &written).expect("rumqttc reads what it writes");
            prop_assert!(same, "{again:?}");
        }
    }
}
