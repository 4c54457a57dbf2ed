//! Sparkplug B: `sub --decode sparkplug` and `pub --encode sparkplug`.

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::broker::Broker;
use crate::support::mqtt::Running;
use crate::support::{Service as _, version, words};

const RULE: [&str; 2] = ["--decode", "spBv1.0/#=sparkplug"];
/// The rebirth command shown by hints.
const REBIRTH: &str = r#"{"metrics":[{"name":"Node Control/Rebirth","value":true}]}"#;

fn publish(broker: &Broker, topic: &str, json: &Value) {
    let json = json.to_string();
    let run = broker.publish().args(["-q", "1", "-t", topic, "--encode", "sparkplug", "-m", &json]);
    run.run().succeeds();
}

/// Data in the form that edge nodes send: the alias 5 with an `int_value` of -5, and no data type.
fn publish_data(broker: &Broker, topic: &str, seq: u8) {
    let payload = [&b"\x12\x08\x10\x05\x50\xfb\xff\xff\xff\x0f\x18"[..], &[seq]].concat();
    broker.publish().args(["-q", "1", "-t", topic, "-s"]).stdin(payload).run().succeeds();
}

fn subscriber(broker: &Broker, protocol: Protocol, options: &[&str]) -> Running {
    let run =
        broker.subscribe().args(["-d", "-V", version(protocol), "-q", "1", "-t", "spBv1.0/#"]).args(RULE);
    let running = run.args(options.iter().copied()).spawn();
    running.wait_until_subscribed();
    running
}

fn births(broker: &Broker) {
    publish(
        broker,
        "spBv1.0/G/NBIRTH/E",
        &json!({"timestamp": 1, "seq": 0, "metrics": [
            {"name": "bdSeq", "datatype": "Int64", "value": 3},
            {"name": "level", "alias": 5, "datatype": "Int32", "value": 0}
        ]}),
    );
    publish(
        broker,
        "spBv1.0/G/DBIRTH/E/D",
        &json!({"timestamp": 1, "seq": 1, "metrics": [
            {"name": "speed", "alias": 5, "datatype": "Int16", "value": 0}
        ]}),
    );
}

/// From birth to death, with data by alias and a gap.
#[rstest]
fn session_of_an_edge_node_is_decoded(#[values(V3_1_1, V5)] protocol: Protocol) {
    let broker = Broker::start();
    let running = subscriber(&broker, protocol, &["--jq", ".payload", "-C", "6"]);
    births(&broker);
    publish_data(&broker, "spBv1.0/G/NDATA/E", 2);
    publish_data(&broker, "spBv1.0/G/DDATA/E/D", 3);
    publish_data(&broker, "spBv1.0/G/DDATA/E/D", 9);
    let death = json!({"timestamp": 1, "metrics": [{"name": "bdSeq", "value": 3}]});
    publish(&broker, "spBv1.0/G/NDEATH/E", &death);
    let outcome = running.wait_for_end().exits(0);
    let lines: Vec<Value> = outcome.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let speed = json!([{"name": "speed", "alias": 5, "datatype": "Int16", "value": -5}]);
    assert_eq!(
        lines[2],
        json!({"seq": 2, "metrics": [{"name": "level", "alias": 5, "datatype": "Int32", "value": -5}]})
    );
    assert_eq!(lines[3], json!({"seq": 3, "metrics": speed}));
    assert_eq!(lines[4], json!({"seq": 9, "metrics": speed, "notes": {"expected_seq": 4}}));
    assert_eq!(lines[5]["metrics"][0]["name"], "bdSeq");
    outcome.mentions("mqtt: warning: edge node G/E: seq 4 was due, and 9 came. For a rebirth: mqtt pub ");
}

/// Without its birth a metric is shown by its alias, and one line explains how to request the birth. The
/// command works.
#[rstest]
fn missing_birth_gives_a_hint_that_works(#[values(V3_1_1, V5)] protocol: Protocol) {
    let broker = Broker::start();
    let running = subscriber(&broker, protocol, &["--json", "-C", "3"]);
    publish_data(&broker, "spBv1.0/G 1/DDATA/E/D", 7);
    publish_data(&broker, "spBv1.0/G 1/DDATA/E/D", 8);
    let command = format!("mqtt pub -t 'spBv1.0/G 1/NCMD/E' --encode sparkplug -m '{REBIRTH}'");
    running.wait_for_stderr(&command);
    let arguments = words(&command).unwrap();
    broker.publish().args(["-q", "1"]).args(&arguments[2..]).run().succeeds();
    let outcome = running.wait_for_end().exits(0);
    let records: Vec<Value> =
        outcome.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        records[0]["payload"],
        json!({"seq": 7, "metrics": [{"alias": 5, "value": 4_294_967_291_u32}], "notes": {"unresolved": 1}})
    );
    assert_eq!(
        records[2]["payload"]["metrics"],
        json!([{"name": "Node Control/Rebirth", "datatype": "Boolean", "value": true}])
    );
    assert_eq!(outcome.stderr.matches("rebirth").count(), 1, "{}", outcome.stderr);
}

/// Births are evaluated even if they are filtered out.
#[rstest]
#[case(&["-T", "spBv1.0/+/NBIRTH/#", "-T", "spBv1.0/+/DBIRTH/#"])]
#[case(&["--where", ".topic | contains(\"DATA\")"])]
#[case(&["--where", ".topic == \"spBv1.0/G/DDATA/E/D\""])]
#[case(&["--grep", "-5"])]
fn births_that_are_left_out_give_names(#[case] options: &[&str]) {
    let broker = Broker::start();
    let options = [options, &["--jq", ".payload.metrics[0].name", "-C", "1"]].concat();
    let running = subscriber(&broker, V5, &options);
    births(&broker);
    publish_data(&broker, "spBv1.0/G/DDATA/E/D", 2);
    running.wait_for_end().exits(0).prints("speed\n").does_not_mention("warning");
}

#[test]
fn other_payloads_and_topics_are_reported() {
    let broker = Broker::start();
    let running = subscriber(&broker, V5, &["--json", "-C", "4"]);
    for (topic, payload) in [
        ("spBv1.0/G/NDATA/E", "text"),
        ("spBv1.0/G/XDATA/E", "\x18\x01"),
        ("spBv1.0/STATE/host", r#"{"online":true,"timestamp":5}"#),
        ("spBv1.0/STATE/host", "ONLINE"),
    ] {
        broker.publish().args(["-q", "1", "-t", topic, "-m", payload]).run().succeeds();
    }
    let records: Vec<Value> = running
        .wait_for_end()
        .exits(3)
        .lines()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let error = |place: usize| records[place]["payload-error"].as_str().unwrap().to_owned();
    assert_eq!(records[0]["payload"], "text");
    assert_eq!(error(0), "sparkplug: invalid wire type 4 at byte 0");
    assert_eq!(error(1), "sparkplug: unknown message type 'XDATA' in the topic");
    assert_eq!(records[2]["payload"], json!({"online": true, "timestamp": 5}));
    assert!(error(3).starts_with("sparkplug: the payload of STATE is not JSON"), "{}", error(3));
}

/// Compressed, retained, and through a relay.
#[test]
fn formats_are_combined_and_relayed() {
    let broker = Broker::start();
    let json =
        json!({"timestamp": 1, "seq": 0, "metrics": [{"name": "a", "datatype": "UInt8", "value": 255}]});
    let topic = "site/spBv1.0/G/NBIRTH/E";
    let encode = ["--encode", "gzip+sparkplug", "-m", &json.to_string()];
    broker.publish().args(["-r", "-t", topic]).args(encode).run().succeeds();
    let decode = ["-t", "site/#", "--retained-only", "--decode", "site/#=gzip+sparkplug"];
    let records = broker.subscribe().args(decode).args(["--json"]).run().exits(0);
    assert_eq!(serde_json::from_slice::<Value>(&records.stdout).unwrap()["payload"], json);
    broker
        .publish()
        .args(["--json", "--encode", "sparkplug", "--rewrite-topic", "s#^site/#other/#", "--keep-retain"])
        .stdin(records.stdout)
        .run()
        .succeeds();
    let decode = ["-t", "other/#", "--retained-only", "--decode", "other/#=sparkplug", "--jq", ".payload"];
    let relayed = broker.subscribe().args(decode).run().exits(0);
    assert_eq!(serde_json::from_slice::<Value>(&relayed.stdout).unwrap(), json);
}
