//! Each defect of `rumqttc` 0.25.1's codec that `wire` guards against, without and with the guard. When a row
//! fails in its part without the guard, the guard is no longer needed.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;

use super::super::Protocol;
use super::super::property::{Properties, PropertyBlock};
use super::super::reason::ReasonCode;
use super::super::topic;
use super::{Connect, connect, decode, disconnect, frame};
use Protocol::{V3_1, V3_1_1, V5};

/// The packet, and substrings of the `Debug` output of `rumqttc`'s reader and of ours.
type Row = (&'static str, Protocol, &'static [u8], &'static str, &'static str);

const READERS: &[Row] = &[
    (
        "C1: DISCONNECT without property length, as mosquitto sends it",
        V5,
        &[0xE0, 1, 0x8E],
        "Err(InsufficientBytes",
        "reason: ReasonCode(142)",
    ),
    (
        "C2: the shortest DISCONNECT [MQTT-3.14.2.1]",
        V5,
        &[0xE0, 0],
        "Err(",
        "Disconnect { reason: ReasonCode(0)",
    ),
    (
        "C3: Subscription Identifiers leak into the payload",
        V5,
        &[0x30, 12, 0, 1, b'a', 6, 11, 1, 11, 2, 11, 3, b'h', b'i'],
        r#"payload: b"\x0b\x03hi""#,
        "block: [11, 1, 11, 2, 11, 3] }, payload: [104, 105]",
    ),
    (
        "C7: a server of 3.x refuses version 5",
        V5,
        &[0x20, 2, 0, 1],
        "Err(InsufficientBytes",
        "reason: ReasonCode(132)",
    ),
    (
        "unknown Reason Code in PUBACK",
        V5,
        &[0x40, 4, 0, 1, 0xEE, 0],
        "Err(",
        "packet_identifier: 1, reason: ReasonCode(238)",
    ),
    ("unknown Reason Code in SUBACK", V5, &[0x90, 4, 0, 1, 0, 0xEE], "Err(", "reasons: [238]"),
    ("unknown Reason Code in CONNACK", V5, &[0x20, 3, 0, 0xEE, 0], "Err(", "reason: ReasonCode(238)"),
    ("AUTH", V5, &[0xF0, 2, 0x18, 0], "Err(", "Auth { reason: ReasonCode(24)"),
    ("packet identifier 0 in PUBACK", V3_1_1, &[0x40, 2, 0, 0], "Ok(", "packet identifier 0"),
    ("packet identifier 0 in SUBACK", V3_1_1, &[0x90, 3, 0, 0, 0], "Ok(", "packet identifier 0"),
    ("a topic that is not UTF-8 ends the link", V3_1_1, &[0x30, 4, 0, 1, 0xFF, b'x'], "Err(", "topic: [255]"),
    ("a topic with a wildcard", V3_1_1, &[0x30, 3, 0, 1, b'#'], "Ok(", "ReasonCode(129)"),
    ("a topic with a wildcard", V5, &[0x30, 4, 0, 1, b'+', 0], "Ok(", "ReasonCode(129)"),
    ("U+0000 in a string [MQTT-1.5.4-2]", V5, &[0xE0, 8, 0x8B, 6, 31, 0, 3, b'a', 0, b'b'], "Ok(", "U+0000"),
    (
        "a property given twice",
        V5,
        &[0x30, 12, 0, 1, b'a', 8, 3, 0, 1, b'x', 3, 0, 1, b'y'],
        "Ok(",
        "given twice",
    ),
    ("CONNECT of MQTT 3.1", V3_1, b"\x10\x0F\0\x06MQIsdp\x03\x02\0\x3C\0\x01c", "Err(", "protocol: V3_1"),
];

#[test]
fn readers() {
    for (what, protocol, bytes, raw, ours) in READERS {
        let mut buffer = BytesMut::from(*bytes);
        let found = if *protocol == V5 {
            format!("{:?}", v5::Packet::read(&mut buffer, None))
        } else {
            format!("{:?}", v4::Packet::read(&mut buffer, 1000))
        };
        assert!(found.contains(raw), "{what}: rumqttc: {found}");
        assert!(buffer.is_empty(), "{what}: the frame is taken from the buffer even so");
        let found = format!("{:?}", decode(*protocol, bytes));
        assert!(found.contains(ours), "{what}: ours: {found}");
    }
}

/// C4: the Remaining Length is one too large, so the next packet is swallowed.
#[test]
fn c4_disconnect_with_reason_is_written_too_long() {
    let mut raw = BytesMut::new();
    let packet = v5::Disconnect::new(v5::DisconnectReasonCode::DisconnectWithWillMessage);
    let _ = packet.write(&mut raw);
    assert_ne!(raw.len(), 2 + usize::from(raw[1]), "the length now fits: {raw:?}");
    let mut ours = BytesMut::new();
    disconnect(&mut ours, V5, ReasonCode::DISCONNECT_WITH_WILL, &PropertyBlock::default());
    assert_eq!(&ours[..], [0xE0, 1, 4]);
}

/// C5: CONNECT writes its flags at an absolute index of the buffer.
#[test]
fn c5_connect_corrupts_a_buffer_that_is_not_empty() {
    let before = [0xAA; 16];
    let mut raw = BytesMut::from(&before[..]);
    let packet = v5::Connect { keep_alive: 60, client_id: "c".into(), clean_start: true, properties: None };
    let _ = packet.write(&None, &None, &mut raw);
    assert_ne!(&raw[..16], before);
    let ours = Connect {
        protocol: V5,
        clean_start: true,
        keep_alive: 60,
        properties: Properties::NONE,
        client_identifier: "c",
        will: None,
        user_name: None,
        password: None,
    };
    let mut out = BytesMut::from(&before[..]);
    connect(&mut out, &ours);
    assert_eq!(&out[..16], before);
    assert!(decode(V5, &out[16..]).is_ok());
}

/// C6: a string over 65,535 bytes gets a truncated length and its whole body.
#[test]
fn c6_long_strings_must_be_refused_before_encoding() {
    let name = "a".repeat(65_537);
    let mut raw = BytesMut::new();
    let _ = v4::Publish::new(name.clone(), rumqttc::mqttbytes::QoS::AtMostOnce, "").write(&mut raw);
    assert_eq!(raw[4..6], [0, 1], "length truncated");
    assert!(topic::check_name(name.as_bytes()).is_err());
}

/// C8: the topic matcher slices a character in half, and never matches a `$`-topic.
#[test]
fn c8_topic_matching() {
    assert!(std::panic::catch_unwind(|| rumqttc::mqttbytes::matches("é/x", "+/x")).is_err());
    assert!(!rumqttc::mqttbytes::matches("$SYS/uptime", "$SYS/#"));
    assert!(topic::matches("+/x".as_bytes(), "é/x".as_bytes()));
    assert!(topic::matches(b"$SYS/#", b"$SYS/uptime"));
}

/// Packet identifier 0 fails only after bytes were put into the buffer, so `rumqttc` never gets it.
#[test]
fn packet_identifier_zero_leaves_bytes_unread() {
    let mut raw = BytesMut::new();
    assert!(v4::Publish::new("a", rumqttc::mqttbytes::QoS::AtLeastOnce, "x").write(&mut raw).is_err());
    assert!(!raw.is_empty());
    let error = decode(V3_1_1, &[0x32, 5, 0, 1, b'a', 0, 0]).unwrap_err();
    assert!(error.to_string().contains("packet identifier 0"), "{error}");
}

/// `rumqttc` compares its size limit with the Remaining Length; Maximum Packet Size means the whole packet.
#[test]
fn the_size_limit_counts_the_whole_packet() {
    let bytes = [0x30, 5, 0, 1, b'a', 0, b'x'];
    assert!(v5::Packet::read(&mut BytesMut::from(&bytes[..]), Some(5)).is_ok());
    assert!(frame(&bytes, 6).is_err());
    assert_eq!(frame(&bytes, 7), Ok(Some(7)));
}
