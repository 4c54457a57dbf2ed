//! The record contains what was received and matches the schema, and text is the output of mosquitto's
//! clients.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::message::MessageWriter;
use super::{MessageFormat, StandardStream, Template};
use crate::notation::printable;
use crate::protocol::QoS;
use crate::protocol::property::{Properties, PropertyBlock, PropertyId, Value};
use crate::protocol::wire::Publish;

const JSON: MessageFormat = MessageFormat::Json { pretty: false };
const PRETTY: MessageFormat = MessageFormat::Json { pretty: true };
const PLAIN: MessageFormat = MessageFormat::Text { verbose: false, newline: true };
const VERBOSE: MessageFormat = MessageFormat::Text { verbose: true, newline: true };

fn at(nanoseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

fn message<'a>(topic: &'a [u8], payload: &'a [u8]) -> Publish<'a> {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        packet_identifier: 0,
        topic,
        properties: Properties::NONE,
        payload,
    }
}

fn written(format: MessageFormat, terminal: bool, publish: &Publish<'_>) -> String {
    let mut out = Vec::new();
    let received = at(1_795_167_486_123_456_789);
    MessageWriter::new(format, terminal).write(&mut out, publish, received).unwrap();
    String::from_utf8(out).unwrap()
}

fn schema() -> &'static jsonschema::Validator {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let text = include_str!("../../tests/schema/message.schema.json");
        jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
    });
    &SCHEMA
}

fn properties() -> PropertyBlock {
    let mut block = PropertyBlock::default();
    block.push(PropertyId::UserProperty, Value::Pair("k", "1"));
    block.push(PropertyId::SubscriptionIdentifier, Value::Number(300));
    block.push(PropertyId::ContentType, Value::Text("text/\"plain\""));
    block.push(PropertyId::UserProperty, Value::Pair("k", "2"));
    block.push(PropertyId::SubscriptionIdentifier, Value::Number(1));
    block.push(PropertyId::CorrelationData, Value::Binary(&[0, 255]));
    block
}

#[test]
fn json_record_has_every_key() {
    let mut block = PropertyBlock::default();
    block.push(PropertyId::ContentType, Value::Text("text/plain"));
    block.push(PropertyId::UserProperty, Value::Pair("k", "v"));
    let publish = Publish {
        qos: QoS::AtLeastOnce,
        packet_identifier: 7,
        properties: block.view(),
        dup: true,
        ..message(b"a/b", b"23.4")
    };
    assert_eq!(
        written(JSON, false, &publish),
        concat!(
            r#"{"tst":"2026-11-20T09:38:06.123456Z","topic":"a/b","qos":1,"retain":false,"payloadlen":4,"mid":7,"#,
            r#""properties":{"content-type":"text/plain","user-properties":[{"k":"v"}]},"payload":"23.4"}"#,
            "\n"
        )
    );
}

#[test]
fn each_property_key_once_in_the_order_of_the_packet() {
    let block = properties();
    let publish = Publish { properties: block.view(), retain: true, ..message(b"t", b"") };
    let line = written(JSON, false, &publish);
    let found = line.split_once("\"properties\":").unwrap().1;
    assert_eq!(
        found,
        concat!(
            r#"{"user-properties":[{"k":"1"},{"k":"2"}],"subscription-identifier":[300,1],"#,
            r#""content-type":"text/\"plain\"","correlation-data":"AP8=","correlation-data-encoding":"base64"},"#,
            r#""payload":""}"#,
            "\n"
        )
    );
}

#[test]
fn payload_that_is_not_utf8_is_base64() {
    // mosquitto_sub cuts the payload at the NUL and prints an empty string.
    let line = written(JSON, false, &message(b"t", b"\x00\x01\xff\xfe"));
    assert!(
        line.ends_with("\"payloadlen\":4,\"payload\":\"AAH//g==\",\"payload-encoding\":\"base64\"}\n"),
        "{line}"
    );
    let line = written(JSON, false, &message(b"\xff/t", b"a\x00b"));
    assert!(line.contains("\"topic\":\"\u{fffd}/t\""), "{line}");
    assert!(line.contains(r#""payload":"a\u0000b"}"#), "{line}");
}

#[test]
fn pretty_is_the_same_object_indented() {
    let block = properties();
    let publish = Publish { properties: block.view(), ..message(b"t", b"[1, {\"a\": \"\\\"}\"}]") };
    let text = written(PRETTY, false, &publish);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value, serde_json::from_str::<serde_json::Value>(&written(JSON, false, &publish)).unwrap());
    // serde_json indents by two spaces, and keeps the order here.
    assert_eq!(text, serde_json::to_string_pretty(&value).unwrap() + "\n");
}

#[test]
fn timestamp_follows_the_clock() {
    let mut writer = MessageWriter::new(JSON, false);
    let mut time = |nanoseconds| {
        let mut out = Vec::new();
        writer.write(&mut out, &message(b"t", b""), at(nanoseconds)).unwrap();
        String::from_utf8(out[8..35].to_vec()).unwrap()
    };
    assert_eq!(time(0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(time(999), "1970-01-01T00:00:00.000000Z");
    assert_eq!(time(999_999_999), "1970-01-01T00:00:00.999999Z");
    assert_eq!(time(1_000_000_000), "1970-01-01T00:00:01.000000Z");
    assert_eq!(time(951_826_154_000_001_000), "2000-02-29T12:09:14.000001Z");
    let mut out = Vec::new();
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    writer.write(&mut out, &message(b"t", b""), before).unwrap();
    assert!(out.starts_with(b"{\"tst\":\"1970-01-01T00:00:00.000000Z\""));
}

#[test]
fn text_is_what_mosquitto_writes() {
    let text = |verbose, newline, payload| {
        written(MessageFormat::Text { verbose, newline }, false, &message(b"a/b", payload))
    };
    assert_eq!(text(false, true, b"x"), "x\n");
    assert_eq!(text(false, false, b"x"), "x");
    assert_eq!(text(true, true, b"x"), "a/b x\n");
    assert_eq!(text(true, false, b"x"), "a/b x");
    assert_eq!(text(false, true, b""), "");
    assert_eq!(text(false, false, b""), "");
    assert_eq!(text(true, true, b""), "a/b (null)\n");
    assert_eq!(text(true, false, b""), "");
}

#[test]
fn text_is_sanitised_only_for_a_terminal() {
    let publish = message(b"a\n\x1b/b", b"1\x1b[2J\n\xff");
    let mut out = Vec::new();
    MessageWriter::new(VERBOSE, false).write(&mut out, &publish, at(0)).unwrap();
    assert_eq!(out, b"a\n\x1b/b 1\x1b[2J\n\xff\n");
    assert_eq!(written(VERBOSE, true, &publish), "a\\n\\x1b/b 1\\x1b[2J\n\\xff\n");
}

#[test]
fn json_for_a_terminal_is_the_same_json() {
    let publish = message("t\u{9b}".as_bytes(), "\u{7f}\u{202e}é\u{1b}".as_bytes());
    for format in [JSON, PRETTY] {
        let data = written(format.clone(), false, &publish);
        let shown = written(format, true, &publish);
        assert!(shown.contains("\\u007f\\u202eé\\u001b"), "{shown}");
        assert!(shown.contains("t\\u009b"), "{shown}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&shown), value(&data));
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9 ]{0,80}",
        "\\PC{0,40}",
        proptest::collection::vec(any::<char>().prop_filter("no NUL", |c| *c != '\0'), 0..60)
            .prop_map(String::from_iter),
        "[\"\\\\\u{1}-\u{20}x]{0,70}",
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![text().prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..200)]
}

prop_compose! {
    fn blocks()(
        repeated in proptest::collection::vec((any::<bool>(), 1_u32..268_435_455, text(), text()), 0..5),
        expiry: Option<u32>, correlation in proptest::option::of(bytes()), content_type in proptest::option::of(text()),
    ) -> PropertyBlock {
        let mut block = PropertyBlock::default();
        if let Some(expiry) = expiry {
            block.push(PropertyId::MessageExpiryInterval, Value::Number(expiry));
        }
        for (user, number, name, value) in &repeated {
            if *user {
                block.push(PropertyId::UserProperty, Value::Pair(name, value));
            } else {
                block.push(PropertyId::SubscriptionIdentifier, Value::Number(*number));
            }
        }
        if let Some(correlation) = &correlation {
            block.push(PropertyId::CorrelationData, Value::Binary(correlation));
        }
        if let Some(content_type) = &content_type {
            block.push(PropertyId::ContentType, Value::Text(content_type));
        }
        block
    }
}

/// The message as `serde_json` writes it: the reference for the writer.
fn expected(publish: &Publish<'_>, tst: &str) -> serde_json::Value {
    let mut record = serde_json::Map::new();
    let put_binary = |into: &mut serde_json::Map<_, _>, name: &str, bytes: &[u8]| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            into.insert(name.into(), json!(text));
        } else {
            into.insert(name.into(), json!(STANDARD.encode(bytes)));
            into.insert(format!("{name}-encoding"), json!("base64"));
        }
    };
    record.insert("tst".into(), json!(tst));
    record.insert("topic".into(), json!(String::from_utf8_lossy(publish.topic)));
    record.insert("qos".into(), json!(publish.qos as u8));
    record.insert("retain".into(), json!(publish.retain));
    record.insert("payloadlen".into(), json!(publish.payload.len()));
    if publish.qos != QoS::AtMostOnce {
        record.insert("mid".into(), json!(publish.packet_identifier));
    }
    let mut properties = serde_json::Map::new();
    for property in publish.properties.iter() {
        match (property.id, property.value) {
            (PropertyId::UserProperty, Value::Pair(name, value)) => {
                let list = properties.entry("user-properties").or_insert_with(|| json!([]));
                list.as_array_mut().unwrap().push(json!({ name: value }));
            }
            (PropertyId::SubscriptionIdentifier, Value::Number(number)) => {
                let list = properties.entry("subscription-identifier").or_insert_with(|| json!([]));
                list.as_array_mut().unwrap().push(json!(number));
            }
            (id, Value::Binary(bytes)) => put_binary(&mut properties, id.name(), bytes),
            (id, Value::Number(number)) => drop(properties.insert(id.name().into(), json!(number))),
            (id, Value::Text(text)) => drop(properties.insert(id.name().into(), json!(text))),
            other => panic!("{other:?}"),
        }
    }
    if let Some(serde_json::Value::Array(list)) = properties.get("subscription-identifier")
        && let [one] = list.as_slice()
    {
        let one = one.clone();
        properties.insert("subscription-identifier".into(), one);
    }
    if !properties.is_empty() {
        record.insert("properties".into(), properties.into());
    }
    put_binary(&mut record, "payload", publish.payload);
    record.into()
}

proptest! {
    #[test]
    fn the_record_gives_back_the_message(
        topic in bytes(), payload in bytes(), block in blocks(), qos in 0_u8..3, retain: bool,
        identifier in 1_u16.., nanoseconds in 0_u64..4_000_000_000_000_000_000, terminal: bool,
    ) {
        let qos = QoS::from_bits(qos).unwrap();
        let publish = Publish {
            dup: false, qos, retain, topic: &topic, payload: &payload, properties: block.view(),
            packet_identifier: if qos == QoS::AtMostOnce { 0 } else { identifier },
        };
        let tst = humantime::format_rfc3339_micros(at(nanoseconds)).to_string();
        let expected = expected(&publish, &tst);
        let mut out = Vec::new();
        MessageWriter::new(JSON, terminal).write(&mut out, &publish, at(nanoseconds)).unwrap();
        let line = String::from_utf8(out).unwrap();
        prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&value, &expected);
        prop_assert!(schema().validate(&value).is_ok(), "{:?}", schema().validate(&value));
        let line = line.trim_end_matches('\n');
        if terminal {
            prop_assert_eq!(printable(line), line);
        } else {
            // Not only equal: the same bytes, with keys in the same order and no unnecessary escapes.
            prop_assert_eq!(line, serde_json::to_string(&expected).unwrap());
        }
        let mut out = Vec::new();
        MessageWriter::new(PRETTY, false).write(&mut out, &publish, at(nanoseconds)).unwrap();
        prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string_pretty(&expected).unwrap() + "\n");
    }

    #[test]
    fn text_into_a_pipe_is_the_exact_bytes(topic in bytes(), payload in bytes()) {
        prop_assume!(!payload.is_empty());
        let mut out = Vec::new();
        MessageWriter::new(PLAIN, false).write(&mut out, &message(&topic, &payload), at(0)).unwrap();
        prop_assert_eq!(&out[..payload.len()], &payload[..]);
        prop_assert_eq!(&out[payload.len()..], b"\n");
    }
}

#[test]
fn the_schema_knows_json_payloads() {
    let format = MessageFormat::Template(Template::parse(b"%J").unwrap());
    for payload in ["{\"a\":[1.0]}", "23.4", "null", "no JSON"] {
        let mut line = Vec::new();
        let mut writer = MessageWriter::new(format.clone(), false);
        let _ = writer.write(&mut line, &message(b"t", payload.as_bytes()), at(0));
        let line = String::from_utf8(line).unwrap();
        assert!(schema().is_valid(&serde_json::from_str(&line).unwrap()), "{line}");
    }
}

#[test]
fn schema_refuses_other_objects() {
    let record = json!({
        "tst": "2026-11-20T09:38:06.123456Z", "topic": "a", "qos": 0, "retain": false, "payloadlen": 1, "payload": "x"
    });
    assert!(schema().is_valid(&record));
    for (key, value) in [
        ("retain", json!(0)),
        ("tst", json!("2026-11-20T09:38:06.123456+0000")),
        ("qos", json!(3)),
        ("dup", json!(true)),
        ("mid", json!(7)),
        ("properties", json!({})),
        ("payload-encoding", json!("hex")),
    ] {
        let mut wrong = record.clone();
        wrong[key] = value;
        assert!(!schema().is_valid(&wrong), "{key}");
    }
}

/// Payloads of an attacker, of about `length` bytes.
fn hostile_payloads(length: usize) -> Vec<Vec<u8>> {
    let half = length / 2;
    let nested = |open: &str, inside: &str, close: &str, depth: usize| {
        [open.repeat(depth), inside.to_owned(), close.repeat(depth)].concat().into_bytes()
    };
    vec![
        nested("[", "", "]", half),
        nested("{\"\":", "0", "}", length / 6),
        // As deep as indentation goes, and then as many lines as fit.
        nested("[", &format!("{}0", "0,".repeat(half)), "]", 32),
        nested("[", &format!("{}0", "[],".repeat(length / 3)), "]", 31),
        [b"[".to_vec(), b" ".repeat(length), b"]".to_vec()].concat(),
        b"\x01".repeat(length),
        b"\xff".repeat(length),
        "\u{9b}".repeat(half).into_bytes(),
        b"\"\\".repeat(half),
        b"\n".repeat(length),
    ]
}

/// For any payload in any format, the output is proportional to the payload's length.
#[test]
fn output_is_linear_in_a_hostile_payload() {
    /// The maximum per byte: two bytes are one control character, which JSON writes as six.
    const MOST_EACH: usize = 10;
    let template = |format: &str| MessageFormat::Template(Template::parse(format.as_bytes()).unwrap());
    let pretty = |format: &str| MessageFormat::Template(Template::parse(format.as_bytes()).unwrap().pretty());
    let formats = [PLAIN, VERBOSE, JSON, PRETTY]
        .into_iter()
        .chain(["%p", "%x", "%.2:x", "%J", "%j"].map(template))
        .chain(["%J", "%j"].map(pretty));
    for format in formats {
        for length in [1_000, 300_000] {
            for payload in hostile_payloads(length) {
                for terminal in [false, true] {
                    let mut out = Vec::new();
                    let mut writer = MessageWriter::new(format.clone(), terminal);
                    let _ = writer.write(&mut out, &message(b"t", &payload), at(0));
                    let most = payload.len() * MOST_EACH + (96 << 10);
                    let start = String::from_utf8_lossy(&payload[..20]);
                    assert!(out.len() <= most, "{format:?} {start}: {} of {}", out.len(), payload.len());
                }
            }
        }
    }
}

/// Values nested deeper than the indentation limit are unchanged.
#[test]
fn deep_nesting_is_indented_as_far_as_the_limit() {
    let payload = [b"[1,".repeat(40), b"2".to_vec(), b"]".repeat(40)].concat();
    let text = written(
        MessageFormat::Template(Template::parse(b"%J").unwrap().pretty()),
        false,
        &message(b"t", &payload),
    );
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["payload"], serde_json::from_slice::<serde_json::Value>(&payload).unwrap());
    let deepest = text.lines().map(|line| line.len() - line.trim_start().len()).max();
    assert_eq!(deepest, Some(64));
    assert!(text.contains(&"[1,".repeat(5)), "{text}");
}

/// Once the buffers have grown, a message costs no allocation in any form, piped or with colours.
#[rstest]
fn message_costs_no_allocation(#[values(false, true)] color: bool) {
    let publish = message(b"home/kitchen", b"{\"a\":1}");
    let stream = StandardStream { is_terminal: color, color };
    let template = |text| MessageFormat::Template(Template::parse(text).unwrap());
    for format in [PLAIN, VERBOSE, JSON, template(b"%t %q %r %p"), template(b"%I %l %m %J")] {
        let mut writer = MessageWriter::for_stream(format.clone(), stream);
        let mut out = Vec::new();
        writer.write(&mut out, &publish, at(0)).unwrap();
        assert_eq!(out.contains(&0x1b), color && format != PLAIN, "{format:?}");
        let counted = allocation_counter::measure(|| {
            for _ in 0..100 {
                out.clear();
                writer.write(&mut out, &publish, at(0)).unwrap();
            }
        });
        assert_eq!(counted.count_total, 0, "{format:?}");
    }
}
