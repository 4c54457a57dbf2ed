//! `protobuf` of `sub --decode` and `pub --encode`.

use std::path::PathBuf;

use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::outcome::Outcome;

const PLANT: &str = r#"syntax = "proto3";
package plant;

import "google/protobuf/timestamp.proto";

message Reading {
  float temp = 1;
  int64 count = 2;
  State state = 3;
  google.protobuf.Timestamp at = 4;
  map<string, double> more = 5;
}

message Alarm {
  string text = 1;
}

enum State {
  UNKNOWN = 0;
  RUNNING = 1;
}
"#;

const READING: &str = r#"{"temp":71.5,"count":"9007199254740993","state":"RUNNING","at":"2026-11-20T09:38:06.500Z","more":{"a":1.0,"b":2.5,"c":-1.0}}"#;

/// A broker, and a folder with a schema.
struct Plant {
    broker: Broker,
    folder: TempDir,
}

impl Plant {
    fn new() -> Self {
        let plant = Self { broker: Broker::start(), folder: tempfile::tempdir().unwrap() };
        std::fs::write(plant.file("plant.proto"), PLANT).unwrap();
        plant
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn schema(&self) -> String {
        self.file("plant.proto").to_str().unwrap().to_owned()
    }

    /// Publishes an unchanged retained payload.
    fn retain(&self, topic: &str, payload: &[u8]) {
        self.broker.publish().args(["-r", "-t", topic, "-s"]).stdin(payload).run().succeeds();
    }

    fn publish(&self, topic: &str, options: &[&str]) -> Outcome {
        let schema = self.schema();
        let command = self.broker.publish().args(["-r", "-q", "1", "-t", topic, "--proto", &schema]);
        command.args(options.iter().copied()).run()
    }

    fn sub(&self, options: &[&str]) -> Outcome {
        let schema = self.schema();
        let command = self.broker.subscribe().args(["-t", "#", "--retained-only", "--proto", &schema]);
        command.args(options.iter().copied()).run()
    }
}

#[rstest]
fn message_comes_back(#[values("protobuf:plant.Reading", "gzip+protobuf:plant.Reading")] format: &str) {
    let plant = Plant::new();
    plant.publish("a", &["-m", READING, "--encode", format]).succeeds();
    let rule = format!("#={format}");
    assert_eq!(plant.sub(&["--decode", &rule]).exits(0).lines(), [READING]);
    let record = plant.sub(&["--decode", &rule, "--json"]).exits(0).lines();
    assert_eq!(
        serde_json::from_str::<Value>(&record[0]).unwrap()["payload"],
        serde_json::from_str::<Value>(READING).unwrap()
    );
    let program = ["--decode", &rule, "--where", ".payload.temp > 70", "--jq", ".payload.more.b"];
    assert_eq!(plant.sub(&program).exits(0).lines(), ["2.5"]);
    assert_eq!(plant.sub(&["--decode", &rule, "-F", "%t %p"]).exits(0).lines(), [format!("a {READING}")]);
}

/// The message type is named in the format, or once for all.
#[rstest]
fn message_type_is_that_of_the_option_or_of_the_format(
    #[values("--message-type", "--message")] option: &str,
) {
    let plant = Plant::new();
    plant
        .publish("a", &["-m", "{\"temp\":1}", "--encode", "protobuf", "--message-type", "plant.Reading"])
        .succeeds();
    plant.publish("b", &["-m", "{\"text\":\"hot\"}", "--encode", "protobuf:plant.Alarm"]).succeeds();
    let rules = ["--decode", "b=protobuf:plant.Alarm", "--decode", "#=protobuf", option, "plant.Reading"];
    let lines = plant.sub(&[&rules[..], &["-v"]].concat()).exits(0).lines();
    assert_eq!(lines, [r#"a {"temp":1.0}"#, r#"b {"text":"hot"}"#]);
}

/// A message without fields is an empty payload.
#[test]
fn empty_payload_is_a_message() {
    let plant = Plant::new();
    let schema = plant.schema();
    let subscriber =
        plant.broker.subscribe().args(["-d", "-t", "a", "-C", "1", "-W", "60", "--proto", &schema]);
    let subscriber = subscriber.args(["--decode", "a=protobuf:plant.Reading"]).spawn();
    subscriber.wait_until_subscribed();
    let publisher = plant.broker.publish().args(["-t", "a", "--proto", &schema, "-m", "{\"temp\":0}"]);
    publisher.args(["--encode", "protobuf:plant.Reading"]).run().succeeds();
    assert_eq!(subscriber.wait_for_end().exits(0).lines(), ["{}"]);
}

#[test]
fn payload_that_is_another_message() {
    let plant = Plant::new();
    plant.retain("a", b"\x0d\x00");
    plant.retain("b", b"\x10\x07");
    plant.retain("c", b"{\"temp\":1}");
    let with = |options: &[&str]| plant.sub(&[&["--decode", "+=protobuf:plant.Reading"], options].concat());

    let outcome = with(&["--json"]).exits(3);
    let records: Vec<Value> =
        outcome.lines().iter().map(|record| serde_json::from_str(record).unwrap()).collect();
    assert_eq!(
        records[0]["payload-error"],
        "protobuf: at byte 1, field temp: the payload ends inside a value"
    );
    assert_eq!((&records[1]["payload"], records[1].get("payload-error")), (&json!({"count": "7"}), None));
    assert_eq!(records[2]["payload"], "{\"temp\":1}");
    assert!(
        records[2]["payload-error"].as_str().unwrap().starts_with("protobuf: at byte "),
        "{}",
        records[2]
    );
    outcome
        .mentions("on 'a' cannot be decoded: protobuf: at byte 1, field temp: ")
        .mentions("2 payloads could not be decoded");

    assert_eq!(with(&["-F", "%t", "--on-error", "skip"]).exits(3).lines(), ["b"]);
    with(&["-F", "%t", "--on-error", "stop"]).exits(1).mentions("on 'a' cannot be decoded").prints("");
}

/// They are omitted, with a warning.
#[test]
fn fields_that_the_schema_does_not_define() {
    let plant = Plant::new();
    plant.retain("a", b"\x10\x07\x98\x06\x01");
    plant.retain("b", b"\x98\x06\x01");
    let outcome = plant.sub(&["--decode", "#=protobuf:plant.Reading"]).exits(0);
    assert_eq!(outcome.lines(), [r#"{"count":"7"}"#, "{}"]);
    assert_eq!(outcome.stderr.lines().count(), 2, "{}", outcome.stderr);
    outcome
        .mentions(
            "the payload of message 1 on 'a' has a field that its schema does not define, which is left out: \
                   field 99 of plant.Reading (shown only once)",
        )
        .mentions("2 payloads had fields that their schema does not define, which were left out");
}

/// No payload is sent that does not match the message type.
#[test]
fn json_that_is_not_the_message_is_not_published() {
    let plant = Plant::new();
    let encode = ["--encode", "protobuf:plant.Alarm"];
    let one = |text: &str| plant.publish("a", &[&encode[..], &["-m", text]].concat());
    one("{\"txt\":1}")
        .exits(1)
        .mentions("--encode: protobuf: not a plant.Alarm: unrecognized field name 'txt' at line 1 column 6");
    one("no").exits(1).mentions("--encode: protobuf: not a plant.Alarm: ");
    let schema = plant.schema();
    let lines = plant.broker.publish().args(["-r", "-t", "a", "-l", "--proto", &schema]).args(encode);
    let lines = lines.stdin("{\"text\":\"one\"}\n7\n{\"text\":\"two\"}\n").run();
    lines.exits(1).mentions("line 2: --encode: protobuf: not a plant.Alarm");
    assert_eq!(plant.sub(&["--decode", "a=protobuf:plant.Alarm"]).exits(0).lines(), [r#"{"text":"two"}"#]);
}

/// In `pub`, `--message` is the payload, like `-m`.
#[test]
fn message_of_pub_is_its_payload() {
    let plant = Plant::new();
    let options = ["--encode", "protobuf", "--message", "plant.Alarm", "-m", "{}"];
    plant
        .publish("a", &options)
        .exits(2)
        .mentions("-m and -m are two sources")
        .mentions("--message-type names the message");
}

/// `respond` decodes requests, and `rr` decodes responses.
#[test]
fn requests_and_responses_are_decoded() {
    let plant = Plant::new();
    let schema = plant.schema();
    let decode = ["--decode", "#=protobuf:plant.Alarm", "--proto", &schema];
    let port = plant.broker.port().to_string();
    let responder = [
        "respond",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-d",
        "-t",
        "q",
        "-C",
        "1",
        "-W",
        "60",
        "--jq",
        ".payload.text",
    ];
    let responder = Mqtt::new(responder).args(decode).spawn();
    responder.wait_until_subscribed();
    // A text of 3 characters, and field 99.
    let request = plant.file("request");
    std::fs::write(&request, b"\x0a\x03hot\x98\x06\x01").unwrap();
    let requester = Mqtt::new(["rr", "-h", "127.0.0.1", "-p", &port, "-t", "q", "-W", "60"]);
    requester.arg_path("-f", &request).run().exits(0).prints("hot\n");
    responder.wait_for_end().exits(0).mentions("on 'q' has a field that its schema does not define");

    let port = plant.broker.port().to_string();
    let echo = ["respond", "-h", "127.0.0.1", "-p", &port, "-d", "-t", "q", "-C", "1", "-W", "60", "--echo"];
    let echo = Mqtt::new(echo).spawn();
    echo.wait_until_subscribed();
    let requester = Mqtt::new(["rr", "-h", "127.0.0.1", "-p", &port, "-t", "q", "-W", "60"]).args(decode);
    let outcome = requester.arg_path("-f", &request).run().exits(0).prints("{\"text\":\"hot\"}\n");
    outcome.mentions("which is left out: field 99 of plant.Alarm");
    echo.wait_for_end().exits(0);
}

/// Errors are detected before the first connection: no server listens on port 1.
#[rstest]
#[case(&["--decode", "a=protobuf:plant.Reading"], 2, "--decode: protobuf needs a schema", "--proto FILE")]
#[case(&["--decode", "a=protobuf", "--proto", "PLANT"], 2, "--decode: protobuf needs the name of a message",
       "one of 'plant.Reading', 'plant.Alarm'")]
#[case(&["--decode", "a=protobuf:plant.Raeding", "--proto", "PLANT"], 2,
       "--decode: the schema has no message 'plant.Raeding'", "did you mean 'plant.Reading'?")]
#[case(&["--decode", "a=hex+protobuf:Alarm", "--proto", "PLANT"], 2,
       "--decode: the schema has no message 'Alarm'", "did you mean 'plant.Alarm'?")]
#[case(&["--decode", "a=protobuf:plant.Alarm+gzip", "--proto", "PLANT"], 2, "'protobuf' gives a value", "")]
#[case(&["--decode", "a=cbor", "--proto", "PLANT"], 2, "--proto and --proto-path need the format protobuf", "")]
#[case(&["--decode", "a=protobuf:plant.Alarm", "--proto", "PLANT", "--message-type", "plant.Alarm"], 2,
       "--message-type needs a format protobuf that names no message", "")]
#[case(&["--decode", "a=protobuf:plant.Alarm", "--proto", "BROKEN"], 2,
       "broken.proto:3:12: expected an integer, but found ';'", "")]
#[case(&["--decode", "a=protobuf:plant.Alarm", "--proto", "IMPORT"], 2,
       "import.proto:1:20: import 'none.proto' not found", "--proto-path DIR")]
#[case(&["--decode", "a=protobuf:plant.Alarm", "--proto", "NONE"], 1, "none.proto: No such file", "")]
fn bad_schemas_are_refused(
    #[case] options: &[&str],
    #[case] status: i32,
    #[case] text: &str,
    #[case] hint: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(file("plant.proto"), PLANT).unwrap();
    std::fs::write(file("broken.proto"), "syntax = \"proto3\";\nmessage A {\n  int32 a =;\n}\n").unwrap();
    std::fs::write(file("import.proto"), "syntax = \"proto3\"; import \"none.proto\";").unwrap();
    let options = options.iter().map(|option| match *option {
        "PLANT" => file("plant.proto"),
        "BROKEN" => file("broken.proto"),
        "IMPORT" => file("import.proto"),
        "NONE" => file("none.proto"),
        other => other.to_owned(),
    });
    let outcome = Mqtt::new(["sub", "-p", "1", "-t", "#"]).args(options).run();
    outcome.exits(status).mentions(text).mentions(hint);
}
