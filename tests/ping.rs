//! `mqtt ping`: the server's announcements and limits, statistics, and the pending step at a timeout.

use mqtt::protocol::Protocol::{V3_1_1, V5};
use mqtt::protocol::property::{PropertyId, Value};

use crate::support::mqtt::Mqtt;
use crate::support::packets;
use crate::support::server::Server;

fn ping(port: u16) -> Mqtt {
    Mqtt::new(["ping", "-h", "127.0.0.1", "-p", &port.to_string()])
}

/// Every property of CONNACK, with the limit that it sets.
#[test]
fn every_property_of_connack_is_shown() {
    let properties = [
        (PropertyId::SessionExpiryInterval, Value::Number(120)),
        (PropertyId::ReceiveMaximum, Value::Number(7)),
        (PropertyId::MaximumQos, Value::Number(1)),
        (PropertyId::RetainAvailable, Value::Number(0)),
        (PropertyId::MaximumPacketSize, Value::Number(5000)),
        (PropertyId::AssignedClientIdentifier, Value::Text("assigned")),
        (PropertyId::TopicAliasMaximum, Value::Number(3)),
        (PropertyId::ReasonString, Value::Text("welcome")),
        (PropertyId::UserProperty, Value::Pair("region", "eu")),
        (PropertyId::WildcardSubscriptionAvailable, Value::Number(0)),
        (PropertyId::SubscriptionIdentifierAvailable, Value::Number(0)),
        (PropertyId::SharedSubscriptionAvailable, Value::Number(0)),
        (PropertyId::ServerKeepAlive, Value::Number(30)),
        (PropertyId::ResponseInformation, Value::Text("replies/")),
        (PropertyId::ServerReference, Value::Text("other.example")),
        (PropertyId::AuthenticationMethod, Value::Text("X")),
        (PropertyId::AuthenticationData, Value::Binary(b"hunter2")),
    ];
    let server = |times: usize| {
        Server::start(move |listener| {
            for _ in 0..times {
                let mut peer = listener.accept();
                peer.expect_connect(V5);
                peer.send(&packets::connack_with(&properties));
                peer.expect(V5, &packets::pingreq());
                peer.send(&packets::pingresp());
                peer.expect_disconnect(V5);
            }
        })
    };
    let text = server(1);
    let lines = ping(text.port()).args(["--auth-method", "X"]).run().succeeds().lines().join("\n");
    for words in [
        "MQTT 5, new session, keep-alive 30s",
        "session-expiry-interval 120: the session is kept for 2m",
        "receive-maximum 7: at most 7 messages in flight at QoS 1 and 2",
        "maximum-qos 1: no message above QoS 1",
        "retain-available 0: no retained messages",
        "maximum-packet-size 5000: no packet above 5000 bytes",
        "assigned-client-identifier assigned",
        "topic-alias-maximum 3: at most 3 topic aliases",
        "reason-string welcome",
        "user-property region: eu",
        "wildcard-subscription-available 0: no wildcards in filters",
        "subscription-identifier-available 0: no subscription identifiers",
        "shared-subscription-available 0: no shared subscriptions",
        "server-keep-alive 30: the Keep Alive interval is 30s",
        "response-information replies/",
        "server-reference other.example",
        "authentication-method X",
        "authentication-data (7 bytes)",
    ] {
        assert!(lines.contains(words), "no {words:?} in\n{lines}");
    }
    text.finish();
    let json = server(1);
    let outcome = ping(json.port()).args(["--auth-method", "X", "--json"]).run().succeeds();
    let report = crate::support::report("ping", &outcome.stdout);
    let steps = report["steps"].as_array().unwrap();
    let told = steps.last().unwrap()["properties"].as_object().unwrap();
    assert_eq!(told.len(), properties.len(), "{told:?}");
    assert_eq!(told["user-properties"], serde_json::json!([{"region": "eu"}]));
    json.finish();
}

/// Like the end of ping(8).
#[test]
fn several_round_trips_end_in_statistics() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        for _ in 0..4 {
            peer.expect(V5, &packets::pingreq());
            peer.send(&packets::pingresp());
        }
        peer.expect_disconnect(V5);
    });
    let lines = ping(server.port()).args(["-C", "4", "--interval", "0"]).run().succeeds().lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("ping ")).count(), 4, "{lines:?}");
    let last = lines.last().unwrap();
    let numbers =
        last.strip_prefix("4 pings, min/avg/max/stddev = ").and_then(|rest| rest.strip_suffix(" ms"));
    let numbers: Vec<f64> = numbers.unwrap().split('/').map(|number| number.parse().unwrap()).collect();
    assert!(numbers[0] <= numbers[1] && numbers[1] <= numbers[2], "{last}");
    server.finish();
}

/// A timeout names the pending step.
#[test]
fn a_time_limit_says_what_was_waited_for() {
    type Script = fn(&mut crate::support::server::Listener);
    let silent: Script = |listener| listener.accept().drain();
    let before_connack: Script = |listener| {
        let mut peer = listener.accept();
        peer.expect_connect(V5);
        peer.drain();
    };
    let before_pong: Script = |listener| {
        let mut peer = listener.accept_session(V5);
        peer.expect(V5, &packets::pingreq());
        peer.drain();
    };
    let before_suback: Script = |listener| {
        let mut peer = listener.accept_session(V5);
        peer.packet();
        peer.drain();
    };
    let cases: [(Script, &[&str], &str); 5] = [
        (before_connack, &[], "waiting for CONNACK"),
        (before_pong, &[], "waiting for PINGRESP"),
        (before_suback, &["--publish", "a"], "waiting for SUBACK"),
        (silent, &["--tls-use-os-certs", "--insecure"], "waiting for the TLS handshake"),
        (silent, &["--ws"], "waiting for the WebSocket upgrade"),
    ];
    for (script, options, words) in cases {
        let server = Server::start(script);
        let run = ping(server.port()).args(["--timeout", "300ms"]).args(options).run().exits(27);
        run.mentions(&format!("mqtt: timed out after 300ms, {words}\n"));
    }
    // The proxy is silent.
    let server = Server::start(silent);
    let proxy = format!("http://127.0.0.1:{}", server.port());
    ping(1).args(["--timeout", "300ms", "--proxy", &proxy]).run().exits(27).mentions("waiting for the proxy");
}

/// The wait for a silent server has its own limit, independent of Keep Alive.
#[test]
fn every_answer_has_a_limit() {
    for (options, words) in [
        (&[][..], "waiting for PINGRESP"),
        (&["-k", "0"], "waiting for PINGRESP"),
        (&["--publish", "a"], "waiting for SUBACK"),
    ] {
        let server = Server::start(|listener| listener.accept_session(V5).drain());
        let run = ping(server.port()).args(["--connect-timeout", "700ms"]).args(options).run().exits(27);
        run.mentions(&format!("mqtt: timed out after 700ms, {words}\nhint: --connect-timeout "));
    }
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        peer.expect(V5, &packets::pingreq());
        peer.send(&packets::pingresp());
        peer.drain();
    });
    let run = ping(server.port()).args(["--connect-timeout", "700ms", "-C", "2", "--interval", "0"]).run();
    run.exits(27).mentions("mqtt: timed out after 700ms, waiting for PINGRESP\n");
}

/// The reader of the output closes it.
#[test]
fn a_closed_pipe_is_no_failure() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        while peer.next() == Some(packets::pingreq()) {
            peer.send(&packets::pingresp());
        }
    });
    ping(server.port())
        .args(["-C", "1000000", "--interval", "0"])
        .close_stdout_after(3)
        .run()
        .exits(0)
        .says("");
}

/// A broker that requires another version needs two connections. The steps are shown once, with its first
/// answer.
#[test]
fn way_that_is_gone_twice_is_shown_once() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack(V5, false, 0x84));
        let mut peer = listener.accept_session(V3_1_1);
        peer.expect(V3_1_1, &packets::pingreq());
        peer.send(&packets::pingresp());
        peer.expect_disconnect(V3_1_1);
    });
    let lines = ping(server.port()).run().exits(0).lines();
    let names: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["resolve", "connect", "connack", "connack", "ping"], "{lines:#?}");
    assert!(
        lines[2].ends_with("MQTT 5: connection refused: Unsupported Protocol Version (0x84)"),
        "{lines:#?}"
    );
    server.finish();
}

fn earlier_attempt(report: &serde_json::Value) -> (&str, &str, u64, Vec<&str>) {
    let [attempt] = report["earlier_attempts"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    let steps = attempt["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap());
    let took = attempt["took_us"].as_u64().unwrap_or(0);
    (attempt["protocol"].as_str().unwrap_or("-"), attempt["error"].as_str().unwrap(), took, steps.collect())
}

/// A broker that does not answer MQTT 5: the wait has a line, and the report has both attempts.
#[test]
fn silence_at_mqtt_5_is_reported() {
    let silent = || {
        Server::start(|server| {
            let mut first = server.accept();
            first.expect_connect(V5);
            let mut peer = server.accept_session(V3_1_1);
            peer.expect(V3_1_1, &packets::pingreq());
            peer.send(&packets::pingresp());
            peer.expect_disconnect(V3_1_1);
        })
    };
    let why = "no answer to CONNECT within 250ms";
    let server = silent();
    let lines = ping(server.port()).args(["--connect-timeout", "500ms"]).run().exits(0).lines();
    let names: Vec<&str> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["resolve", "connect", "connack", "connack", "ping"], "{lines:#?}");
    assert!(lines[2].ends_with(&format!("MQTT 5: {why}")), "{lines:#?}");
    server.finish();
    let server = silent();
    let run = ping(server.port()).args(["--connect-timeout", "500ms", "--json"]).run().exits(0);
    let report = crate::support::report("ping", &run.stdout);
    let (protocol, error, took_us, steps) = earlier_attempt(&report);
    assert_eq!((protocol, error, steps), ("5", why, vec!["resolve", "connect"]));
    assert!(took_us >= 250_000, "{report:#}");
    assert_eq!(report["steps"].as_array().unwrap().last().unwrap()["protocol"], "3.1.1");
    server.finish();
}

/// The first connection is answered while the second is made: the steps are those of the first.
#[test]
fn late_answer_to_mqtt_5_counts_from_its_connect() {
    let server = Server::start(|server| {
        let mut first = server.accept();
        first.expect_connect(V5);
        let mut rival = server.accept();
        rival.expect_connect(V3_1_1);
        first.send(&packets::connack(V5, false, 0));
        first.expect(V5, &packets::pingreq());
        first.send(&packets::pingresp());
        first.expect_disconnect(V5);
    });
    let run = ping(server.port()).args(["--connect-timeout", "500ms", "--json"]).run().exits(0);
    let report = crate::support::report("ping", &run.stdout);
    let (_, error, _, steps) = earlier_attempt(&report);
    assert_eq!((error, steps), ("MQTT 5 was answered first", vec!["resolve", "connect"]));
    let steps = report["steps"].as_array().unwrap();
    let connack = steps.last().unwrap();
    assert_eq!((steps.len(), &connack["protocol"]), (3, &"5".into()), "{report:#}");
    assert!(connack["took_us"].as_u64().unwrap() >= 250_000, "{report:#}");
    server.finish();
}

/// The report of the second broker contains the failure of the first.
#[test]
fn failed_broker_is_an_earlier_attempt() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        peer.expect(V5, &packets::pingreq());
        peer.send(&packets::pingresp());
        peer.expect_disconnect(V5);
    });
    let hosts = format!("127.0.0.1:1,127.0.0.1:{}", server.port());
    let run = Mqtt::new(["ping", "-h", &hosts, "--json"]).run().exits(0);
    let report = crate::support::report("ping", &run.stdout);
    let (_, error, _, _) = earlier_attempt(&report);
    assert!(error.contains("127.0.0.1:1: connection refused"), "{report:#}");
    server.finish();
}

#[test]
fn warn_expiry_without_tls_is_refused() {
    for way in [&[][..], &["--ws"], &["--unix", "s"]] {
        let line = ["ping", "--warn-expiry", "30d"].iter().chain(way).copied();
        let run =
            Mqtt::new(line).run().fails(2, "--warn-expiry has no effect: the connection is without TLS");
        run.mentions("hint: TLS is turned on by ");
    }
}

/// On a terminal, lines are wrapped between words and indented.
#[test]
fn long_lines_are_wrapped_on_a_terminal() {
    let words = "word ".repeat(30);
    let connack = packets::connack_with(&[(PropertyId::ReasonString, Value::Text(words.trim_end()))]);
    let server = Server::start(move |listener| {
        let mut peer = listener.accept();
        peer.expect_connect(V5);
        peer.send(&connack);
        peer.expect(V5, &packets::pingreq());
        peer.send(&packets::pingresp());
        peer.expect_disconnect(V5);
    });
    let run = ping(server.port()).stdout_on_a_terminal(60, 24).run().exits(0);
    let shown = String::from_utf8(run.stdout).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines.iter().all(|line| line.len() <= 60), "{shown}");
    assert_eq!(shown.matches("word").count(), 30, "{shown}");
    let further = lines.iter().filter(|line| line.starts_with(&" ".repeat(26)) && line.contains("word"));
    assert!(further.count() > 3, "{shown}");
}

/// What was asked on a connection that was lost is asked again on the next.
#[test]
fn ping_goes_on_after_a_reconnect() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        peer.expect(V5, &packets::pingreq());
        peer.close();
        let mut peer = listener.accept_session(V5);
        for _ in 0..2 {
            peer.expect(V5, &packets::pingreq());
            peer.send(&packets::pingresp());
        }
        peer.expect_disconnect(V5);
    });
    let line = ["-V", "5", "-C", "2", "--interval", "0", "--reconnect", "always"];
    let lines = ping(server.port()).args(line).run().exits(0).lines();
    assert_eq!(lines.iter().filter(|line| line.starts_with("ping ")).count(), 2, "{lines:?}");
    server.finish();
}
