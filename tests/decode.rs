//! `sub --decode` and `pub --encode`.

use std::io::Write as _;

use rstest::rstest;
use serde_json::{Value, json};

use crate::request::rr;
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::outcome::Outcome;

fn publish(broker: &Broker, topic: &str, payload: &[u8]) {
    broker.publish().args(["-r", "-t", topic, "-s"]).stdin(payload).run().succeeds();
}

fn sub(broker: &Broker, options: &[&str]) -> Outcome {
    broker.subscribe().args(["-t", "#", "--retained-only"]).args(options.iter().copied()).run()
}

/// The payload of `{"t":21.5}` in this format, sent by `pub --encode`.
#[rstest]
fn payload_comes_back(
    #[values("cbor", "msgpack", "gzip", "zlib", "zstd", "hex", "base64", "gzip+cbor", "base64+zstd+msgpack")]
    format: &str,
) {
    let broker = Broker::start();
    let payload = r#"{"t":21.5,"b":[true,null,"é"]}"#;
    broker.publish().args(["-r", "-t", "a", "-m", payload, "--encode", format]).run().succeeds();
    let rule = format!("#={format}");
    assert_eq!(sub(&broker, &["--decode", &rule]).exits(0).lines(), [payload]);
    assert_eq!(sub(&broker, &["--decode", &rule, "--jq", ".payload.t"]).exits(0).lines(), ["21.5"]);
    assert_eq!(sub(&broker, &["--decode", &rule, "--where", ".payload.t > 99"]).exits(0).stdout, b"");
    assert_eq!(sub(&broker, &["--decode", &rule, "--grep", "21.5", "-F", "%t"]).exits(0).lines(), ["a"]);
    // Without the rule the output is different.
    assert_ne!(sub(&broker, &[]).exits(0).stdout, format!("{payload}\n").as_bytes());
}

/// A decoded value is JSON in the record, and bytes are text as usual.
#[test]
fn values_stand_in_records_as_what_they_are() {
    let broker = Broker::start();
    publish(&broker, "a", b"\xa1\x61t\x15");
    publish(&broker, "b", b"7b7d");
    let records = sub(&broker, &["--json", "--decode", "a=cbor", "--decode", "b=hex"]).exits(0).lines();
    let payloads: Vec<Value> = records
        .iter()
        .map(|record| serde_json::from_str::<Value>(record).unwrap()["payload"].clone())
        .collect();
    assert_eq!(payloads, [json!({"t": 21}), json!("{}")]);
    let lines = sub(&broker, &["-F", "%j", "--decode", "a=cbor", "-T", "b"]).exits(0).lines();
    assert_eq!(serde_json::from_str::<Value>(&lines[0]).unwrap()["payload"], json!({"t": 21}));
}

/// The payload stays unchanged, and the record has the reason.
#[test]
fn payload_that_cannot_be_decoded() {
    let broker = Broker::start();
    publish(&broker, "a", b"\xff");
    publish(&broker, "b", b"\x07");
    publish(&broker, "c", b"text");
    let rules = ["--decode", "+=cbor"];
    let with = |options: &[&str]| sub(&broker, &[&rules[..], options].concat());

    let outcome = with(&["--json"]).exits(3);
    let records: Vec<Value> =
        outcome.lines().iter().map(|record| serde_json::from_str(record).unwrap()).collect();
    assert_eq!(records[0]["payload"], "/w==");
    assert_eq!(records[0]["payload-encoding"], "base64");
    assert!(records[0]["payload-error"].as_str().unwrap().starts_with("cbor: "), "{}", records[0]);
    assert_eq!((&records[1]["payload"], records[1].get("payload-error")), (&json!(7), None));
    assert_eq!(records[2]["payload"], "text");
    assert_eq!(outcome.stderr.lines().count(), 2, "{}", outcome.stderr);
    outcome
        .mentions("mqtt: warning: the payload of message ")
        .mentions(" on 'a' cannot be decoded: cbor: ")
        .mentions("mqtt: 2 payloads could not be decoded; they are shown as they are");

    assert_eq!(with(&["-F", "%t", "--on-error", "show"]).exits(3).lines(), ["a", "b", "c"]);
    assert_eq!(with(&["-F", "%t", "--on-error", "skip"]).exits(3).lines(), ["b"]);
    with(&["-F", "%t", "--on-error", "stop"]).exits(1).mentions("on 'a' cannot be decoded").prints("");
    let one = with(&["-F", "%t", "-T", "c", "--on-error", "skip"]).exits(3);
    one.mentions("mqtt: 1 payload could not be decoded; the message was left out");
    assert_eq!(with(&["--jq", "has(\"payload-error\")"]).exits(3).lines(), ["true", "false", "true"]);
    // Messages that are filtered out are not decoded.
    assert_eq!(with(&["-F", "%t", "-T", "a", "-T", "c"]).exits(0).lines(), ["b"]);
}

#[rstest]
#[case(
    "a=yaml",
    "--decode: unknown format 'yaml'; there are cbor, msgpack, sparkplug, gzip, zlib, zstd, hex, base64"
)]
#[case("cbor", "--decode 'cbor': the format is missing (FILTER=FORMAT)")]
#[case("a=cbor+gzip", "'cbor' gives a value: no other format can follow it")]
#[case("a/#/b=hex", "filter of --decode")]
#[case("a=", "unknown format ''")]
fn bad_rules_are_refused(#[case] rule: &str, #[case] text: &str) {
    let broker = Broker::start();
    broker.subscribe().args(["-t", "#", "--decode", rule]).run().fails(2, text);
}

/// No payload is sent that cannot be encoded.
#[test]
fn payload_that_cannot_be_encoded_is_not_published() {
    let broker = Broker::start();
    let encode = ["-r", "-t", "a", "-q", "1", "--encode", "cbor"];
    broker.publish().args(encode).args(["-m", "no"]).run().exits(1).mentions("--encode: cbor: not JSON");
    let lines = broker.publish().args(encode).args(["-l"]).stdin("1\nno\n2\n").run();
    lines.exits(1).mentions("line 2: --encode: cbor: not JSON");
    assert_eq!(sub(&broker, &["--decode", "a=cbor"]).exits(0).lines(), ["2"]);
    // Records, and an empty payload, which clears the topic.
    let records = "{\"topic\":\"b\",\"payload\":{\"x\":1},\"retain\":true}\n{\"topic\":\"a\",\"payload\":\"\",\"retain\":true}\n";
    broker.publish().args(["--json", "--encode", "msgpack"]).stdin(records).run().succeeds();
    assert_eq!(sub(&broker, &["--decode", "#=msgpack", "-v"]).exits(0).lines(), ["b {\"x\":1}"]);
}

/// Values come back with their types, and a payload that cannot be decoded as it came.
#[rstest]
#[case("cbor", &[&b"\x61\x35"[..], b"\x64true", b"\x60", b"\xf6", b"\x05", b"\xf5", b"\xa0", b"\x63abc", b"\xff", b"\xa1\x61t\xf6"])]
#[case("msgpack", &[&b"\xa15"[..], b"\xa4true", b"\xa0", b"\xc0", b"\x05", b"\xc3", b"\x80", b"\xa3abc", b"\xc1", b"\x81\xa1t\xc0"])]
#[case("hex", &[&b"6869"[..], b"zz", b"00ff"])]
fn relayed_payloads_come_back(
    #[case] format: &str,
    #[case] payloads: &[&[u8]],
    #[values(&["--json"], &["--jq", "."])] records: &[&str],
    #[values(false, true)] has_spool: bool,
) {
    let broker = Broker::start();
    for (number, payload) in payloads.iter().enumerate() {
        publish(&broker, &format!("in/{number}"), payload);
    }
    let rule = format!("#={format}");
    let records = sub(&broker, &[records, &["--decode", &rule]].concat()).exits(3);
    let folder = tempfile::tempdir().unwrap();
    let relay = broker.publish().args(["--json", "--keep-retain", "-q", "1", "--encode", format]);
    let relay = relay.args(["--rewrite-topic", "s#^in/#out/#"]);
    let relay = if has_spool { relay.arg_path("--spool", &folder.path().join("spool")) } else { relay };
    relay.stdin(records.stdout).run().succeeds();
    let arrived = sub(&broker, &["-T", "in/#", "-F", "%t %x"]).exits(0).lines();
    let hex = |payload: &[u8]| payload.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let expected: Vec<String> = payloads
        .iter()
        .enumerate()
        .map(|(number, payload)| format!("out/{number} {}", hex(payload)))
        .collect();
    assert_eq!(arrived, expected);
}

/// Requests are decoded for the program, and responses before they are shown.
#[test]
fn requests_and_responses_are_decoded() {
    let broker = Broker::start();
    let port = broker.port();
    let responder =
        Mqtt::new(["respond", "-h", "127.0.0.1", "-p", &port.to_string(), "-V", "5", "-d", "-q", "1"])
            .args(["-t", "q/+", "--decode", "q/cbor=cbor", "--decode", "q/hex=hex", "-C", "4", "-v"])
            .args(["--jq", "if has(\"payload-error\") then .\"payload-error\" else .payload | tojson end"])
            .spawn();
    responder.wait_until_subscribed();
    let ask = |topic: &str, payload: &[u8], own: &[&str]| {
        rr(port).args(["-q", "1", "-W", "60s", "-t", topic, "-s"]).args(own).stdin(payload).run()
    };
    ask("q/cbor", b"\xa1\x61t\x15", &[]).succeeds().prints("{\"t\":21}\n");
    ask("q/hex", b"4f 4b", &[]).succeeds().prints("\"OK\"\n");
    // The program handles a request that cannot be decoded.
    ask("q/cbor", b"\xff", &[]).succeeds().prints("cbor: invalid type: break, expected non-break\n");
    // Needs no further answer: the response is not hexadecimal.
    let outcome = ask("q/hex", b"7a", &["--json", "--decode", "#=hex"]).exits(3);
    let record: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(
        (&record["payload"], &record["payload-error"]),
        (&json!("\"z\""), &json!("hex: it is not pairs of hexadecimal digits"))
    );
    outcome.mentions("mqtt: 1 payload could not be decoded; it is shown as it is");
    responder.wait_for_end().exits(0).prints(&b"q/cbor {\"t\":21}\nq/hex OK\nq/cbor \xff\nq/hex z\n"[..]);
}

/// A command or an echo needs a decoded request: one that cannot be decoded gets no response.
#[rstest]
fn request_that_cannot_be_decoded_gets_no_response(#[values("--echo", "--exec=cat")] answer: &str) {
    let broker = Broker::start();
    let port = broker.port();
    let responder = Mqtt::new(["respond", "-h", "127.0.0.1", "-p", &port.to_string(), "-V", "5", "-d"])
        .args(["-t", "q", "--decode", "q=hex", "-C", "1", answer])
        .spawn();
    responder.wait_until_subscribed();
    rr(port).args(["-t", "q", "-m", "no", "-W", "1s"]).run().exits(27);
    rr(port).args(["-t", "q", "-m", "4f4b", "-W", "60s"]).run().succeeds().prints("OK\n");
    responder
        .wait_for_end()
        .exits(3)
        .mentions("no response to request 1 on 'q', that cannot be decoded")
        .mentions("no response to 1 request that cannot be decoded");
}

/// The spool contains encoded payloads.
#[test]
fn payloads_are_encoded_before_they_go_into_a_spool() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let spool =
        |name: &str| broker.publish().args(["-r", "-q", "1"]).arg_path("--spool", &folder.path().join(name));
    spool("one").args(["-t", "a", "-m", "{\"x\":1}", "--encode", "cbor"]).run().succeeds();
    let lines = spool("two").args(["-t", "b", "-l", "--encode", "cbor"]).stdin("1\nno\n2\n").run();
    lines.exits(1).mentions("line 2: --encode: cbor: not JSON");
    let records = "{\"topic\":\"c\",\"payload\":{\"x\":1}}\n{\"topic\":\"d\",\"payload\":\"no\"}\n";
    let records = spool("three").args(["--json", "--encode", "cbor"]).stdin(records).run();
    records.exits(1).mentions("line 2: --encode: cbor: not JSON");
    let filled = ["-t", "e/{seq}", "-m", "{{\"n\":{seq}}}", "--template", "--encode", "gzip+cbor"];
    spool("four").args(filled).run().succeeds();
    let rules = ["--decode", "e/#=gzip+cbor", "--decode", "#=cbor", "-v"];
    let expected = ["a {\"x\":1}", "b 2", "c {\"x\":1}", "e/1 {\"n\":1}"];
    assert_eq!(sub(&broker, &rules).exits(0).lines(), expected);
}

/// A few bytes must not fill the memory.
#[rstest]
fn too_many_values_are_an_error_of_the_payload(#[values("cbor", "msgpack")] format: &str) {
    let broker = Broker::start();
    let head = if format == "cbor" { 0x9a } else { 0xdd };
    let value = if format == "cbor" { 0x80 } else { 0x90 };
    let count = 10_000_000_u32;
    let values = [&[head][..], &count.to_be_bytes(), &vec![value; count as usize]].concat();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&values).unwrap();
    publish(&broker, "a", &encoder.finish().unwrap());
    let rule = format!("a=gzip+{format}");
    let outcome = sub(&broker, &["--decode", &rule, "-F", "%t"]).exits(3);
    assert_eq!(outcome.lines(), ["a"]);
    outcome.mentions(&format!("cannot be decoded: {format}: more than 1000000 values"));
}

/// Keys that are maps escape the texts in them, level by level.
#[test]
fn payload_that_grows_beyond_all_measure_is_refused() {
    let broker = Broker::start();
    let keys = |head: u8, leaf: u8| [vec![head; 40], vec![leaf; 41]].concat();
    publish(&broker, "keys", &keys(0xA1, 1));
    publish(&broker, "few", &[0xA2, 0x81, 1, 2, 0xA1, 1, 2, 3]);
    let records = sub(&broker, &["--json", "--decode", "#=cbor"]).lines();
    let error = |topic: &str| {
        let record =
            records.iter().find(|record| record.contains(&format!("\"topic\":\"{topic}\""))).unwrap();
        let record: Value = serde_json::from_str(record).unwrap();
        record["payload-error"].as_str().map_or_else(|| record["payload"].to_string(), str::to_owned)
    };
    assert_eq!(error("keys"), "cbor: keys that are not text take more than 1 MiB");
    assert_eq!(error("few"), r#"{"[1]":2,"{\"1\":2}":3}"#);
    publish(&broker, "keys", &keys(0x81, 1));
    let records = sub(&broker, &["--json", "-T", "few", "--decode", "#=msgpack"]).lines();
    assert!(records[0].contains("msgpack: keys that are not text take more than 1 MiB"), "{records:?}");
}
