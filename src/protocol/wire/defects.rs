//! Each defect of `rumqttc` 0.25.1's codec that `wire` guards against, shown raw and guarded. A
//! test that starts to fail on its raw half says that the guard may go.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::{Error, v5};

use super::super::property::{PropertyBlock, PropertyId, Value};
use super::super::reason::ReasonCode;
use super::super::{Protocol, QoS};
use super::{Connect, Packet, decode, disconnect, encode, frame};

fn raw_v5(bytes: &[u8]) -> Result<v5::Packet, Error> {
    v5::Packet::read(&mut BytesMut::from(bytes), None)
}

/// C1: the form mosquitto sends; the reason is lost and the frame is eaten.
#[test]
fn c1_disconnect_without_property_length() {
    let bytes = [0xE0, 0x01, 0x8E];
    let mut buffer = BytesMut::from(&bytes[..]);
    let raw = v5::Packet::read(&mut buffer, None);
    assert!(matches!(raw, Err(Error::InsufficientBytes(_))), "{raw:?}");
    assert!(buffer.is_empty());
    let Ok(Packet::Disconnect { reason, .. }) = decode(Protocol::V5, &bytes) else { panic!() };
    assert_eq!(reason, ReasonCode::SESSION_TAKEN_OVER);
}

/// C2: the shortest legal DISCONNECT ([MQTT-3.14.2.1]).
#[test]
fn c2_disconnect_without_anything() {
    assert!(raw_v5(&[0xE0, 0x00]).is_err());
    let Ok(Packet::Disconnect { reason, .. }) = decode(Protocol::V5, &[0xE0, 0x00]) else { panic!() };
    assert_eq!(reason, ReasonCode::SUCCESS);
}

/// C3: the reader counts one byte too many for each subscription identifier and stops early.
#[test]
fn c3_subscription_identifiers_leak_into_the_payload() {
    let bytes = [0x30, 12, 0, 1, b'a', 6, 11, 1, 11, 2, 11, 3, b'h', b'i'];
    let Ok(v5::Packet::Publish(raw)) = raw_v5(&bytes) else { panic!() };
    assert_ne!(&raw.payload[..], b"hi");
    let Ok(Packet::Publish(ours)) = decode(Protocol::V5, &bytes) else { panic!() };
    assert_eq!(ours.payload, b"hi");
    let identifiers: Vec<Value<'_>> = ours.properties.iter().map(|property| property.value).collect();
    assert_eq!(identifiers, [Value::Number(1), Value::Number(2), Value::Number(3)]);
}

/// C4: the remaining length is one more than what follows, so the next packet is swallowed.
#[test]
fn c4_disconnect_with_reason_is_written_too_long() {
    let mut raw = BytesMut::new();
    let packet =
        v5::Disconnect { reason_code: v5::DisconnectReasonCode::DisconnectWithWillMessage, properties: None };
    let _ = packet.write(&mut raw);
    assert_ne!(raw.len(), 2 + usize::from(raw[1]), "the length now fits: {raw:?}");
    let mut ours = BytesMut::new();
    disconnect(&mut ours, Protocol::V5, ReasonCode::DISCONNECT_WITH_WILL, &PropertyBlock::default());
    assert_eq!(&ours[..], [0xE0, 1, 4]);
}

/// C5: CONNECT writes its flags at an absolute index of the buffer.
#[test]
fn c5_connect_corrupts_a_buffer_that_is_not_empty() {
    let before = [0xAA; 16];
    let mut raw = BytesMut::from(&before[..]);
    let connect = v5::Connect { keep_alive: 60, client_id: "c".into(), clean_start: true, properties: None };
    let _ = connect.write(&None, &None, &mut raw);
    assert_ne!(&raw[..16], before);
    let mut ours = BytesMut::from(&before[..]);
    encode::connect(&mut ours, &minimal_connect(Protocol::V5));
    assert_eq!(&ours[..16], before);
    assert!(decode(Protocol::V5, &ours[16..]).is_ok());
}

fn minimal_connect(protocol: Protocol) -> Connect<'static> {
    Connect {
        protocol,
        clean_start: true,
        keep_alive: 60,
        properties: super::super::property::Properties::NONE,
        client_identifier: "c",
        will: None,
        user_name: None,
        password: None,
    }
}

/// C6: a string over 65,535 bytes gets a truncated length and its whole body.
#[test]
fn c6_long_strings_must_be_refused_before_encoding() {
    let topic = "a".repeat(65_537);
    let mut raw = BytesMut::new();
    let _ = v4::Publish::new(topic.clone(), rumqttc::mqttbytes::QoS::AtMostOnce, "").write(&mut raw);
    let body = &raw[4..];
    assert_eq!(u16::from_be_bytes([body[0], body[1]]), 1, "length truncated");
    assert!(super::super::topic::check_name(topic.as_bytes()).is_err());
}

/// C7: how a server that knows only 3.x refuses version 5; read as "more bytes needed".
#[test]
fn c7_two_byte_connack_to_a_v5_connect() {
    let bytes = [0x20, 0x02, 0x00, 0x01];
    let raw = raw_v5(&bytes);
    assert!(matches!(raw, Err(Error::InsufficientBytes(_))), "{raw:?}");
    let Ok(Packet::ConnAck { reason, .. }) = decode(Protocol::V5, &bytes) else { panic!() };
    assert_eq!(reason, ReasonCode::UNSUPPORTED_PROTOCOL_VERSION);
}

/// C8: the topic matcher slices a character in half, and never matches a `$`-topic.
#[test]
fn c8_topic_matching() {
    assert!(std::panic::catch_unwind(|| rumqttc::mqttbytes::matches("é/x", "+/x")).is_err());
    assert!(!rumqttc::mqttbytes::matches("$SYS/uptime", "$SYS/#"));
    assert!(super::super::topic::matches("+/x".as_bytes(), "é/x".as_bytes()));
    assert!(super::super::topic::matches(b"$SYS/#", b"$SYS/uptime"));
}

/// An unknown Reason Code in an acknowledgement is an error there; here it is carried as it came.
#[test]
fn unknown_reason_codes_are_carried() {
    assert!(raw_v5(&[0x40, 4, 0, 1, 0xEE, 0]).is_err());
    let Ok(Packet::PubAck(ack)) = decode(Protocol::V5, &[0x40, 4, 0, 1, 0xEE, 0]) else { panic!() };
    assert_eq!((ack.packet_identifier, ack.reason), (1, ReasonCode(0xEE)));
    assert!(raw_v5(&[0x90, 4, 0, 1, 0, 0xEE]).is_err());
    let Ok(Packet::SubAck { reasons, .. }) = decode(Protocol::V5, &[0x90, 4, 0, 1, 0, 0xEE]) else {
        panic!()
    };
    assert_eq!(reasons, [0xEE]);
    assert!(raw_v5(&[0x20, 3, 0, 0xEE, 0]).is_err());
    let Ok(Packet::ConnAck { reason, .. }) = decode(Protocol::V5, &[0x20, 3, 0, 0xEE, 0]) else { panic!() };
    assert_eq!(reason, ReasonCode(0xEE));
}

/// Packet identifier 0 fails only after bytes were left in the buffer, so it is never asked to.
#[test]
fn packet_identifier_zero_leaves_bytes_behind() {
    let mut raw = BytesMut::new();
    let mut publish = v4::Publish::new("a", rumqttc::mqttbytes::QoS::AtLeastOnce, "x");
    publish.pkid = 0;
    assert!(publish.write(&mut raw).is_err());
    assert!(!raw.is_empty());
    for packet in [&[0x32, 5, 0, 1, b'a', 0, 0][..], &[0x40, 2, 0, 0], &[0x90, 3, 0, 0, 0]] {
        let error = decode(Protocol::V3_1_1, packet).unwrap_err();
        assert!(error.to_string().contains("packet identifier 0"), "{error}");
    }
}

/// A topic that is not UTF-8 ends the link in its 3.1.1 reader; here the message is delivered.
#[test]
fn topics_that_are_not_utf8() {
    let bytes = [0x30, 4, 0, 1, 0xFF, b'x'];
    assert!(v4::Packet::read(&mut BytesMut::from(&bytes[..]), 1000).is_err());
    for protocol in [Protocol::V3_1, Protocol::V3_1_1] {
        let Ok(Packet::Publish(publish)) = decode(protocol, &bytes) else { panic!() };
        assert_eq!((publish.topic, publish.payload), (&[0xFF][..], &b"x"[..]));
    }
}

/// Topics with wildcards pass its readers.
#[test]
fn topics_with_wildcards() {
    assert!(v5::Packet::read(&mut BytesMut::from(&[0x30, 4, 0, 1, b'+', 0][..]), Some(1000)).is_ok());
    assert!(v4::Packet::read(&mut BytesMut::from(&[0x30, 3, 0, 1, b'#'][..]), 1000).is_ok());
    for name in [b'+', b'#'] {
        for protocol in [Protocol::V3_1, Protocol::V3_1_1, Protocol::V5] {
            let error = decode(protocol, &[0x30, 4, 0, 1, name, 0]).unwrap_err();
            assert_eq!(error.reason.0, 0x90, "{error}");
        }
    }
}

/// U+0000 is accepted there ([MQTT-1.5.4-2] forbids it).
#[test]
fn null_characters_in_strings() {
    let mut block = PropertyBlock::default();
    block.push(PropertyId::ReasonString, Value::Text("a\0b"));
    let mut bytes = BytesMut::new();
    disconnect(&mut bytes, Protocol::V5, ReasonCode(0x8B), &block);
    assert!(raw_v5(&bytes).is_ok());
    assert!(decode(Protocol::V5, &bytes).unwrap_err().to_string().contains("U+0000"));
}

/// A property given twice, or where it does not belong, passes there.
#[test]
fn properties_given_twice() {
    let bytes = [0x30, 12, 0, 1, b'a', 8, 3, 0, 1, b'x', 3, 0, 1, b'y'];
    assert!(raw_v5(&bytes).is_ok());
    assert!(decode(Protocol::V5, &bytes).unwrap_err().to_string().contains("given twice"));
}

/// Its size limit compares the remaining length; Maximum Packet Size means the whole packet.
#[test]
fn the_size_limit_counts_the_whole_packet() {
    let bytes = [0x30, 5, 0, 1, b'a', 0, b'x'];
    assert!(v5::Packet::read(&mut BytesMut::from(&bytes[..]), Some(5)).is_ok());
    assert!(frame(&bytes, 6).is_err());
    assert_eq!(frame(&bytes, 7), Ok(Some(7)));
}

/// AUTH has no constructor there and is an error to its reader.
#[test]
fn auth_packets() {
    let bytes = [0xF0, 2, 0x18, 0];
    assert!(std::panic::catch_unwind(|| raw_v5(&bytes)).map_or(true, |raw| raw.is_err()));
    let Ok(Packet::Auth { reason, .. }) = decode(Protocol::V5, &bytes) else { panic!() };
    assert_eq!(reason, ReasonCode(0x18));
}

/// MQTT 3.1 is unknown to its CONNECT, both ways.
#[test]
fn mqtt_3_1_connect() {
    let mut bytes = BytesMut::new();
    encode::connect(&mut bytes, &minimal_connect(Protocol::V3_1));
    assert!(v4::Packet::read(&mut bytes.clone(), 1000).is_err());
    let Ok(Packet::Connect(connect)) = decode(Protocol::V3_1, &bytes) else { panic!() };
    assert_eq!(connect.protocol, Protocol::V3_1);
}

#[test]
fn qos_enum_and_bits_agree() {
    for bits in 0..=2 {
        assert_eq!(QoS::from_bits(bits).map(|qos| qos as u8), Some(bits));
    }
}
