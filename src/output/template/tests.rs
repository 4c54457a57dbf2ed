//! Each specifier, and each error.

use std::time::{Duration, SystemTime};

use super::{SPECIFIERS, Template};
use crate::output::{MessageFormat, MessageWriter, Misfit};
use crate::protocol::QoS;
use crate::protocol::property::{Properties, PropertyBlock, PropertyId, Value};
use crate::protocol::wire::Publish;

fn received() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_795_167_486, 123_456_789)
}

fn write(format: &str, publish: &Publish<'_>, terminal: bool) -> (Vec<u8>, Result<(), Misfit>) {
    let template = Template::parse(format.as_bytes()).unwrap().without_newline();
    let mut out = Vec::new();
    let result =
        MessageWriter::new(MessageFormat::Template(template), terminal).write(&mut out, publish, received());
    (out, result)
}

fn text(format: &str, publish: &Publish<'_>) -> String {
    String::from_utf8(write(format, publish, false).0).unwrap()
}

fn message(payload: &[u8]) -> Publish<'_> {
    Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: true,
        packet_identifier: 7,
        topic: "a/bé".as_bytes(),
        properties: Properties::NONE,
        payload,
    }
}

fn properties() -> PropertyBlock {
    let mut block = PropertyBlock::default();
    block.push(PropertyId::PayloadFormatIndicator, Value::Number(1));
    block.push(PropertyId::MessageExpiryInterval, Value::Number(4_294_967_295));
    block.push(PropertyId::ContentType, Value::Text("text/plain"));
    block.push(PropertyId::ResponseTopic, Value::Text("re/ply"));
    block.push(PropertyId::CorrelationData, Value::Binary(b"\x01c"));
    block.push(PropertyId::SubscriptionIdentifier, Value::Number(3));
    block.push(PropertyId::SubscriptionIdentifier, Value::Number(4));
    block.push(PropertyId::TopicAlias, Value::Number(9));
    block.push(PropertyId::UserProperty, Value::Pair("k", "v"));
    block.push(PropertyId::UserProperty, Value::Pair("k", "w"));
    block
}

#[test]
fn every_part_of_a_message() {
    let block = properties();
    let publish = Publish { properties: block.view(), ..message(b"hello") };
    for (format, expected) in [
        ("%t %p", "a/bé hello"),
        ("%A|%C|%D|%E|%F", "9|text/plain|\u{1}c|4294967295|1"),
        ("%l|%m|%q|%r|%R|%S", "5|7|1|1|re/ply|3"),
        ("%P", "k:v k:w"),
        ("%x %X", "68656c6c6f 68656C6C6F"),
        ("%U", "1795167486.123456789"),
        ("@N @s", "123456789 1795167486"),
        ("100%% me@@example", "100% me@example"),
        ("\\\\ \\0\\a\\e\\n\\r\\t\\v", "\\ \0\u{7}\u{1b}\n\r\t\u{b}"),
        ("é plain", "é plain"),
        ("", ""),
    ] {
        assert_eq!(text(format, &publish), expected, "{format}");
    }
}

/// The statement of `--help-all` about the width holds for each letter.
#[test]
fn letters_without_width_are_those_of_the_manual() {
    let block = properties();
    let publish = Publish { properties: block.view(), ..message(b"hello") };
    let without = super::MODIFIERS.lines().last().unwrap();
    assert!(without.ends_with("take none of these."), "{without}");
    for specifier in SPECIFIERS.iter().filter(|one| one.written.starts_with('%') && one.written != "%%") {
        let wide = specifier.written.replace('%', "%500.400");
        let written = text(&wide, &publish);
        if without.contains(specifier.written) {
            assert_eq!(written, text(specifier.written, &publish), "{}", specifier.written);
        } else {
            assert!(written.chars().count() >= 500, "{}: {written}", specifier.written);
        }
    }
}

#[test]
fn width_and_precision() {
    let block = properties();
    let publish = Publish { properties: block.view(), ..message(b"hello") };
    for (format, expected) in [
        ("[%6t][%-6t][%.2t][%5.1t]", "[  a/bé][a/bé  ][a/][    a]"),
        ("[%5m][%-5m][%05m]", "[    7][7    ][00007]"),
        ("[%8p][%-8p][%08p][%3p]", "[   hello][hello   ][000hello][hel]"),
        ("[%12.4C]", "[        text]"),
        ("[%.2x][%.2:X][%2.2-x]", "[68 65 6c 6c 6f][68:65:6C:6C:6F][68-65]"),
        ("[%012.4x][%-12x]", "[0068 656c 6c6f][68656c6c6f  ]"),
        ("[%.3x]", "[686 56c 6c6 f]"),
        ("[%5%]", "[%]"),
        ("[%00005l]", "[00005]"),
    ] {
        assert_eq!(text(format, &publish), expected, "{format}");
    }
}

#[test]
fn missing_parts_are_blank() {
    let publish = message(b"");
    assert_eq!(text("[%A][%3A][%03E][%-4C][%2R][%S][%D][%P]", &publish), "[][   ][   ][    ][  ][][][]");
    assert_eq!(text("[%p][%3p][%x]", &publish), "[][   ][]");
}

#[test]
fn numbers_in_binary_payloads() {
    let double = (-23.456_789_f64).to_le_bytes();
    let publish = message(&double);
    assert_eq!(text("%d", &publish), "-23.456789");
    assert_eq!(text("[%.2d][%9.1d][%-9.1d][%09.1d]", &publish), "[-23.46][    -23.5][-23.5    ][-000023.5]");
    let float = 0.1_f32.to_le_bytes();
    assert_eq!(text("%f %.9f", &message(&float)), "0.100000 0.100000001");
    assert_eq!(text("[%06d]", &message(&f64::NEG_INFINITY.to_le_bytes())), "[  -inf]");
    assert_eq!(text("%d", &message(&f64::NAN.to_le_bytes())), "nan");
    let (out, result) = write("<%d>", &message(b"abc"), false);
    assert_eq!(out, b"<>");
    assert_eq!(result.unwrap_err().to_string(), "requested double printing, but the payload has 3 bytes");
}

#[test]
fn the_record_inside_a_template() {
    let record = |payload: &str| {
        format!(
            "{{\"tst\":\"2026-11-20T09:38:06.123456Z\",\"topic\":\"a/bé\",\"qos\":1,\"retain\":true,\
             \"payloadlen\":{},\"mid\":7,\"payload\":",
            payload.len()
        )
    };
    let json = "{\"a\": 1.0,\r\n \"n\": 12345678901234567890, \"s\": \"\\n\"}\n";
    let publish = message(json.as_bytes());
    let quoted = serde_json::to_string(json).unwrap();
    assert_eq!(text("%j", &publish), format!("{}{quoted}}}", record(json)));
    let kept = "{\"a\": 1.0, \"n\": 12345678901234567890, \"s\": \"\\n\"}";
    assert_eq!(text("<%J>", &publish), format!("<{}{kept}}}>", record(json)));
    // Not JSON, or more than one value: mosquitto drops the message.
    for payload in ["23.4.5", "{", "1 2", "", "nul"] {
        let quoted = serde_json::to_string(payload).unwrap();
        let (out, result) = write("%J", &message(payload.as_bytes()), false);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{}{quoted}}}", record(payload)));
        // An empty payload is not an error.
        assert_eq!(result, if payload.is_empty() { Ok(()) } else { Err(Misfit::Json) });
    }
    let template = Template::parse(b"%J").unwrap().pretty();
    let mut out = Vec::new();
    let mut writer = MessageWriter::new(MessageFormat::Template(template), false);
    writer.write(&mut out, &message(b"[1.0, []]"), received()).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(out.ends_with("  \"payload\": [\n    1.0,\n    []\n  ]\n}\n"), "{out}");
}

#[test]
fn control_characters_of_the_format_are_kept_and_those_of_messages_escaped() {
    let publish = Publish { topic: b"t\x1b[2J\n", ..message(b"p\x1b[2J\n") };
    let (out, _) = write("\\e[1m%t\\e[0m %p %3p", &publish, true);
    assert_eq!(out, b"\x1b[1mt\\x1b[2J\\n\x1b[0m p\\x1b[2J\n p\\x1b[");
}

#[test]
fn newline_follows_unless_switched_off() {
    let mut out = Vec::new();
    let template = Template::parse(b"%p").unwrap();
    MessageWriter::new(MessageFormat::Template(template), false)
        .write(&mut out, &message(b"x"), received())
        .unwrap();
    assert_eq!(out, b"x\n");
}

/// The table and the parser have the same specifiers.
#[test]
fn table_has_every_specifier() {
    for sign in [b'%', b'@', b'\\'] {
        for letter in (0..128_u8).filter(|letter| !b"-.0123456789".contains(letter) || sign != b'%') {
            let written = [sign, letter];
            let listed = SPECIFIERS.iter().filter(|one| one.written.as_bytes() == written).count();
            let known = Template::parse(&written).is_ok();
            assert_eq!(listed, usize::from(known), "{:?}", String::from_utf8_lossy(&written));
        }
    }
    for one in SPECIFIERS {
        assert!(one.written.len() == 2 && "%@\\".contains(&one.written[..1]), "{}", one.written);
        assert!(!one.help.is_empty() && !one.help.contains('\n'), "{}", one.written);
    }
}

#[test]
fn errors_name_the_specifier() {
    for (format, message) in [
        ("%", "-F: incomplete format specifier at the end"),
        ("%-", "-F: incomplete format specifier at the end"),
        ("%5", "-F: incomplete format specifier at the end"),
        ("%.", "-F: incomplete format specifier at the end"),
        ("@", "-F: incomplete format specifier at the end"),
        ("\\", "-F: incomplete escape specifier at the end"),
        ("%z", "-F: invalid format specifier 'z'"),
        ("%0-", "-F: invalid format specifier '-'"),
        ("%é", "-F: invalid format specifier 'é'"),
        ("\\q", "-F: invalid escape specifier 'q'"),
        ("@Q", "-F: invalid time specifier 'Q'"),
        ("%65536p", "-F: a width or precision is over 65535"),
    ] {
        let result = Template::parse(format.as_bytes());
        assert_eq!(result.unwrap_err().to_string(), message, "{format}");
    }
}

proptest::proptest! {
    #[test]
    fn no_format_and_no_payload_can_panic(
        format in "[%@\\\\][-0]?[0-9]{0,2}[.]?[0-9]{0,2}[:.-]?[A-Za-z%@0]{0,2}.{0,4}",
        payload in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40), terminal: bool,
    ) {
        if let Ok(template) = Template::parse(format.as_bytes()) {
            let mut writer = MessageWriter::new(MessageFormat::Template(template), terminal);
            let _ = writer.write(&mut Vec::new(), &message(&payload), received());
        }
    }
}
