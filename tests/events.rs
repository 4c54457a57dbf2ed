//! `--json-events`: standard error as JSON, one object per line, according to the schema.

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId as Id, Value};
use mqtt::protocol::wire::PacketType::{PubAck, PubComp, PubRec, PubRel};
use rstest::rstest;

use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets::{self, Message};
use crate::support::server::Server;
use crate::support::{Kind, report, version};

/// Every line of standard error, validated against the schema.
#[track_caller]
fn events(outcome: &Outcome) -> Vec<serde_json::Value> {
    outcome.stderr.lines().map(|line| report("events", line.as_bytes())).collect()
}

/// `sent CONNECT` and the like, or the type of an event that is not a packet.
fn shown(event: &serde_json::Value) -> String {
    match (event["direction"].as_str(), event["packet"].as_str()) {
        (Some(direction), Some(packet)) => format!("{direction} {packet}"),
        _ => event["type"].as_str().unwrap().to_owned(),
    }
}

/// A whole conversation with real brokers, at each QoS.
#[rstest]
fn conversations(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    for qos in ["0", "1", "2"] {
        let args = ["-V", v, "-t", "e/#", "-q", "2", "-C", "1", "-i", "listener", "--json-events"];
        let subscriber = broker.subscribe().args(args).spawn();
        subscriber.wait_for_stderr("\"SUBACK\"");
        let args = ["-V", v, "-t", "e/1", "-m", "x", "-q", qos, "--json-events", "-u", "me", "-P", "hidden"];
        let publisher = broker.publish().args(args).run().exits(0);
        assert!(!publisher.stderr.contains("hidden"));
        let sent = events(&publisher);
        assert_eq!(shown(&sent[0]), "sent CONNECT");
        assert_eq!(sent[0]["protocol"], protocol.to_string());
        assert_eq!((&sent[0]["user_name"], &sent[0]["password"]), (&"me".into(), &true.into()));
        let last: Vec<String> = sent.iter().rev().take(2).map(shown).collect();
        assert_eq!(last, ["state", "sent DISCONNECT"]);
        assert_eq!(sent.last().unwrap()["state"], "closed");
        let publish = sent.iter().find(|event| event["packet"] == "PUBLISH").unwrap();
        assert_eq!(publish["qos"].to_string(), qos);
        let received = events(&subscriber.finish().exits(0).prints("x\n"));
        assert_eq!(received[0]["client_identifier"], "listener");
        assert!(received.iter().any(|event| shown(event) == "received PUBLISH" && event["topic"] == "e/1"));
    }
}

/// Every property, every packet type, and other events, in order.
#[test]
fn everything_in_order() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack_with(&[
            (Id::AssignedClientIdentifier, Value::Text("auto")),
            (Id::ReceiveMaximum, Value::Number(9)),
            (Id::UserProperty, Value::Pair("k", "1")),
            (Id::UserProperty, Value::Pair("k", "2")),
        ]));
        let (identifier, _) = peer.expect_subscribe(V5);
        peer.send(&packets::suback(V5, identifier, &[2, 0x87]));
        let correlation = (Id::CorrelationData, Value::Binary(&[0xff]));
        peer.send(&Message::new("a", b"x").at(QoS::ExactlyOnce, 5).with(&[correlation]).bytes(V5));
        peer.expect(V5, &packets::ack(PubRec, 5));
        peer.send(&packets::ack(PubRel, 5));
        peer.expect(V5, &packets::ack(PubComp, 5));
        peer.reset();
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&packets::disconnect(V5, 0x8E));
        peer.expect_end();
    });
    let args = ["-t", "a", "-t", "b", "-q", "2", "--reconnect-max-delay", "10ms", "--json-events"];
    let will = ["--will-topic", "w", "--will-payload", "gone", "--will-content-type", "t"];
    let outcome = Mqtt::subscribe(server.port()).args(args).args(will).run().exits(142).prints("x\n");
    let events = events(&outcome);
    let order: Vec<String> = events.iter().map(shown).collect();
    assert_eq!(
        order,
        [
            "sent CONNECT",
            "received CONNACK",
            "state",
            "sent SUBSCRIBE",
            "received SUBACK",
            "error",
            "state",
            "received PUBLISH",
            "sent PUBREC",
            "received PUBREL",
            "sent PUBCOMP",
            "state",
            "sent CONNECT",
            "received CONNACK",
            "state",
            "sent SUBSCRIBE",
            "received SUBACK",
            "state",
            "received DISCONNECT",
            "error",
        ]
    );
    assert_eq!(
        events[0]["will"],
        serde_json::json!({"topic": "w", "qos": 0, "retain": false, "payloadlen": 4, "properties": {"content-type": "t"}})
    );
    assert_eq!(
        events[1]["properties"],
        serde_json::json!({"assigned-client-identifier": "auto", "receive-maximum": 9, "user-properties": [{"k": "1"}, {"k": "2"}]})
    );
    assert_eq!(events[4]["reason_codes"], serde_json::json!([2, 0x87]));
    assert_eq!(events[5]["reason_code"], 0x87);
    assert_eq!(
        events[7]["properties"],
        serde_json::json!({"correlation-data": "/w==", "correlation-data-encoding": "base64"})
    );
    assert_eq!(events[14]["message"], "connected again");
    assert_eq!(events[19]["reason"], "Session taken over");
}

/// A failed line is named, with the server's text.
#[test]
fn a_refused_line() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.packet();
        peer.send(&packets::ack_with(PubAck, 1, 0xF3));
        peer.expect_disconnect(V5);
    });
    let outcome = Mqtt::publish(server.port())
        .args(["-t", "a", "-l", "-q", "1", "--json-events"])
        .stdin("x\n")
        .run()
        .exits(1);
    let events = events(&outcome);
    let error = events.iter().find(|event| event["type"] == "error").unwrap();
    assert_eq!((&error["place"], &error["reason_code"]), (&"line 1".into(), &0xF3.into()));
    assert!(error.get("reason").is_none());
}

#[test]
fn quiet_is_refused_with_json_events() {
    Mqtt::publish(1)
        .args(["-t", "a", "-n", "--json-events", "--quiet"])
        .run()
        .fails(2, "--json-events and --quiet");
}

/// An event without its time.
fn content(mut event: serde_json::Value) -> serde_json::Value {
    event.as_object_mut().unwrap().remove("tst");
    event
}

/// State changes by name, without a line for each packet; they are the same with packets.
#[test]
fn states_without_packets_are_those_with_packets() {
    let run = |option| {
        let server = reconnecting();
        let args = ["-t", "a", "-C", "1", "--reconnect-max-delay", "10ms", option];
        let outcome = Mqtt::subscribe(server.port()).args(args).run().exits(0).prints("x\n");
        events(&outcome).into_iter().map(content).collect::<Vec<_>>()
    };
    let states = run("--json-events=state");
    let names: Vec<&str> = states.iter().map(|event| event["state"].as_str().unwrap()).collect();
    assert_eq!(names, ["connected", "subscribed", "lost", "reconnected", "subscribed", "closed"]);
    let all = run("--json-events");
    let without_packets: Vec<_> = all.into_iter().filter(|event| event["type"] != "packet").collect();
    assert_eq!(without_packets, states);
}

fn reconnecting() -> Server {
    Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.reset();
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&Message::new("a", b"x").bytes(V5));
        peer.expect_disconnect(V5);
    })
}

/// Besides state changes, errors are shown, and with all events also packets.
#[test]
fn errors_with_and_without_packets() {
    let refuse = |server: &mut crate::support::server::Listener| {
        let mut peer = server.accept_session(V5);
        let (identifier, _) = peer.expect_subscribe(V5);
        peer.send(&packets::suback(V5, identifier, &[0x87]));
        peer.expect_disconnect(V5);
    };
    for (option, expected) in [
        ("--json-events=state", &["state", "state", "error"][..]),
        (
            "--json-events=all",
            &["sent CONNECT", "received CONNACK", "state", "sent SUBSCRIBE", "received SUBACK"],
        ),
    ] {
        let server = Server::start(refuse);
        let outcome = Mqtt::subscribe(server.port()).args(["-t", "a", option]).run().exits(135);
        let order: Vec<String> = events(&outcome).iter().map(shown).collect();
        assert_eq!(order[..expected.len()], *expected, "{option}");
    }
    let contradiction = Mqtt::subscribe(1).args(["-t", "a", "-d", "--json-events=state"]).run();
    contradiction.exits(2).mentions("--debug shows packets");
}

/// Every line has its time, including those of `-d` and hints.
#[test]
fn errors_before_the_run_have_the_form_that_is_asked_for() {
    let line = ["pub", "-t", "a", "-m", "x", "--cafile", "/nonexistent/ca.pem"];
    let timed = Mqtt::new(line).args(["--log-time"]).run().exits(1);
    let (time, rest) = timed.stderr.split_once(' ').unwrap();
    humantime::parse_rfc3339(time).unwrap();
    assert!(rest.starts_with("mqtt: ") && rest.contains("/nonexistent/ca.pem"), "{rest}");
    for form in ["--json-events", "--json-events=state"] {
        let events = Mqtt::new(line).args([form]).run().exits(1);
        let event: serde_json::Value = serde_json::from_str(events.stderr.trim_end()).unwrap();
        assert_eq!(event["type"], "error");
        assert!(event["message"].as_str().unwrap().contains("/nonexistent/ca.pem"), "{event}");
    }
}

#[test]
fn log_time_begins_each_line() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.packet();
        peer.send(&packets::ack_with(PubAck, 1, 0x87));
        peer.expect_disconnect(V5);
    });
    let args = ["-t", "a", "-m", "x", "-q", "1", "-d", "--log-time"];
    let outcome = Mqtt::publish(server.port()).args(args).run().exits(135);
    assert!(outcome.stderr.contains("Z mqtt: publish refused: Not authorized"), "{}", outcome.stderr);
    for line in outcome.stderr.lines() {
        let (time, _) = line.split_once(' ').unwrap();
        assert!(time.len() == "2026-11-20T09:38:06.123Z".len() && time.ends_with('Z'), "{line}");
        humantime::parse_rfc3339(time).unwrap();
    }
}
