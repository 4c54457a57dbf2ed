//! `mqtt pub --json`: each line is the record of a message, written by hand or by `mqtt sub --json`.

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::PacketType::{PubAck, PubComp, PubRec};
use mqtt::protocol::wire::{self, Packet};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rstest::rstest;

use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets::{self, Message};
use crate::support::server::{Peer, Server};
use crate::support::version;

fn records(port: u16, protocol: Protocol) -> Mqtt {
    Mqtt::publish(port).args(["-V", version(protocol), "--json", "-n"])
}

/// The next packet except PUBREL, which is answered.
#[track_caller]
fn next(peer: &mut Peer) -> Vec<u8> {
    loop {
        let bytes = peer.packet();
        if bytes[0] != 0x62 {
            return bytes;
        }
        peer.send(&packets::ack(PubComp, u16::from_be_bytes([bytes[2], bytes[3]])));
    }
}

/// The next message is this one, with any packet identifier; it is acknowledged.
#[track_caller]
pub(super) fn take(peer: &mut Peer, protocol: Protocol, expected: &Message<'_>) {
    let bytes = next(peer);
    let Ok(Packet::Publish(publish)) = wire::decode(protocol, &bytes) else {
        panic!("expected PUBLISH, received {}", packets::shown(protocol, &bytes));
    };
    let identifier = publish.packet_identifier;
    let packet = Message { identifier, ..expected.clone() }.bytes(protocol);
    assert!(
        bytes == packet,
        "expected {}\n received {}",
        packets::shown(protocol, &packet),
        packets::shown(protocol, &bytes)
    );
    match expected.qos {
        QoS::AtMostOnce => {}
        QoS::AtLeastOnce => peer.send(&packets::ack(PubAck, identifier)),
        QoS::ExactlyOnce => peer.send(&packets::ack(PubRec, identifier)),
    }
}

/// The client disconnects after a barrier for its QoS 0 messages.
#[track_caller]
pub(super) fn expect_leave(peer: &mut Peer, protocol: Protocol) {
    let mut bytes = next(peer);
    if bytes == packets::pingreq() {
        peer.send(&packets::pingresp());
        bytes = next(peer);
    }
    assert!(bytes == packets::disconnect(protocol, 0), "received {}", packets::shown(protocol, &bytes));
    peer.expect_end();
}

/// Runs `pub --json` with these arguments, with a broker that expects these messages.
#[track_caller]
fn becomes(protocol: Protocol, args: &[&str], input: &str, messages: &[Message<'static>]) -> Outcome {
    let expected = messages.to_vec();
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        for message in &expected {
            take(&mut peer, protocol, message);
        }
        expect_leave(&mut peer, protocol);
    });
    records(server.port(), protocol).args(args).stdin(input).run()
}

/// Topic, QoS, RETAIN and properties are those of the record, otherwise those of the options.
#[test]
fn a_record_says_everything_about_its_message() {
    let input = concat!(
        r#"{"topic":"a","qos":1,"retain":true,"payload":"x","properties":{"content-type":"t"}}"#,
        "\n\n",
        r#" {"payload":"AP8=", "payload-encoding":"base64","unknown":[{}]}"#,
        "\r\n",
        r#"{"topic":"c\u00e9\/d","qos":0,"retain":false,"payload":{"t": 1}}"#,
        "\n",
        r#"{"topic":"e","payload":null,"properties":{"user-properties":[{"k":"v"},{"k":"w"}]}}"#,
    );
    let options = ["-t", "given", "-q", "2", "-D", "publish", "content-type", "text/plain"];
    let given = [(PropertyId::ContentType, Value::Text("text/plain"))];
    let both = [
        (PropertyId::UserProperty, Value::Pair("k", "v")),
        (PropertyId::UserProperty, Value::Pair("k", "w")),
        (PropertyId::ContentType, Value::Text("text/plain")),
    ];
    let messages = [
        Message::new("a", b"x")
            .at(QoS::AtLeastOnce, 0)
            .retained()
            .with(&[(PropertyId::ContentType, Value::Text("t"))]),
        Message::new("given", b"\0\xff").at(QoS::ExactlyOnce, 0).with(&given),
        Message::new("cé/d", br#"{"t": 1}"#).with(&given),
        Message::new("e", b"").at(QoS::ExactlyOnce, 0).with(&both),
    ];
    becomes(V5, &options, input, &messages).succeeds().prints("");
}

#[test]
fn a_line_that_is_no_record_is_named_and_the_next_one_is_sent() {
    let input = "{\"topic\":\"a\"}\n[]\n{\"payload\":\"x\"}\n{\"topic\":\"b/#\"}\n{\"topic\":\"c\"}\n";
    let messages = [Message::new("a", b""), Message::new("c", b"")];
    becomes(V5, &[], input, &messages)
        .exits(1)
        .mentions("mqtt: line 2: not a JSON object\n")
        .mentions("mqtt: line 3: it has no topic, and -t gives none\n")
        .mentions("mqtt: line 4: topic: ");
}

#[test]
fn on_error_stop_ends_the_run_after_what_came_before() {
    let input = "{\"topic\":\"a\",\"qos\":1}\n{\n{\"topic\":\"c\",\"qos\":1}\n";
    let messages = [Message::new("a", b"").at(QoS::AtLeastOnce, 0)];
    becomes(V5, &["--on-error", "stop"], input, &messages).exits(1).mentions("mqtt: line 2: not valid JSON");
}

/// A line left by a program that was killed while writing.
#[test]
fn a_torn_last_line_is_left_out_with_a_warning() {
    let input = "{\"topic\":\"a\",\"qos\":1}\n{\"topic\":\"b";
    let messages = [Message::new("a", b"").at(QoS::AtLeastOnce, 0)];
    becomes(V5, &[], input, &messages)
        .exits(0)
        .mentions("mqtt: warning: line 2: the input ends within the record, which is left out: ");
}

#[rstest]
#[case(&[], false)]
#[case(&["--keep-retain"], true)]
#[case(&["-r"], true)]
fn retain_of_a_received_message_is_kept_on_request(#[case] args: &[&str], #[case] is_kept: bool) {
    let input = "{\"tst\":\"2026-11-29T20:00:00.000001Z\",\"topic\":\"a\",\"qos\":1,\"retain\":true}\n";
    let message = Message::new("a", b"").at(QoS::AtLeastOnce, 0);
    let message = if is_kept { message.retained() } else { message };
    let outcome = becomes(V5, args, input, &[message]).exits(0);
    if is_kept {
        outcome.says("");
    } else {
        outcome.mentions("line 1: 1 message received with RETAIN and sent without it (--keep-retain");
    }
}

/// A misspelt member must not clear a retained message.
#[test]
fn record_without_payload_is_refused_unless_the_options_give_one() {
    let line = "{\"topic\":\"a\",\"paylod\":\"off\",\"qos\":1,\"retain\":true}\n";
    let server = Server::start(|server| expect_leave(&mut server.accept_session(V5), V5));
    let run = Mqtt::publish(server.port()).args(["--json"]).stdin(line).run();
    run.exits(1)
        .mentions("mqtt: line 1: it has no payload; \"payload\": null, or -n, publishes an empty message\n");
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        take(&mut peer, V5, &Message::new("a", b"given").at(QoS::AtLeastOnce, 0).retained());
        expect_leave(&mut peer, V5);
    });
    Mqtt::publish(server.port()).args(["--json", "-m", "given"]).stdin(line).run().succeeds();
}

#[test]
fn topics_are_rewritten_in_the_order_given() {
    let input = "{\"topic\":\"home/hall\",\"qos\":1}\n{\"topic\":\"x\",\"qos\":1}\n";
    let messages = [
        Message::new("site/7/HALL", b"").at(QoS::AtLeastOnce, 0),
        Message::new("x", b"").at(QoS::AtLeastOnce, 0),
    ];
    let args = ["--rewrite-topic", "s#^home/#site/7/#", "--rewrite-topic", "s#/hall$#/HALL#"];
    becomes(V5, &args, input, &messages).succeeds();
}

#[test]
fn a_topic_that_cannot_be_is_no_result_of_a_rewrite() {
    let input = "{\"topic\":\"a\"}\n";
    becomes(V5, &["--rewrite-topic", "s/a/#/"], input, &[])
        .exits(1)
        .mentions("line 1: topic 'a' becomes '#' (--rewrite-topic): ");
}

/// The changed topic is not made first: it could be any size.
#[test]
fn rewritten_topic_that_is_too_long_is_an_error_of_its_line() {
    let input = format!(
        "{{\"topic\":\"{}\",\"payload\":\"\"}}\n{{\"topic\":\"b\",\"payload\":\"\",\"qos\":1}}\n",
        "a".repeat(60_000)
    );
    let rewrite = format!("s#^a*$#{}#", "$0".repeat(30_000));
    let messages = [Message::new("b", b"").at(QoS::AtLeastOnce, 0)];
    becomes(V5, &["--rewrite-topic", &rewrite], &input, &messages)
        .exits(1)
        .mentions("line 1: topic 'aaa")
        .mentions("is rewritten (--rewrite-topic): it is longer than 65,535 bytes");
}

/// A broker may close the connection at such texts ([MQTT-1.5.4]), at each attempt: they are never sent, not
/// even from a spool.
#[test]
fn texts_that_a_broker_takes_for_malformed_are_errors_of_their_lines() {
    let input = concat!(
        r#"{"topic":"p/1","payload":"1","qos":1}"#,
        "\n",
        r#"{"topic":"p/\u001b","payload":"bad","qos":1}"#,
        "\n",
        r#"{"topic":"p/\uffff","payload":"bad","qos":1}"#,
        "\n",
        r#"{"topic":"p","payload":"bad","properties":{"content-type":"a\u0001"}}"#,
        "\n",
        r#"{"topic":"p","payload":"bad","properties":{"response-topic":"a\u007f"}}"#,
        "\n",
        r#"{"topic":"p","payload":"bad","properties":{"user-properties":[{"k\n":"v"}]}}"#,
        "\n",
        r#"{"topic":"p/2","payload":"2","qos":1}"#,
        "\n",
    );
    let messages = ["1", "2"].map(|number| {
        let topic = if number == "1" { "p/1" } else { "p/2" };
        Message::new(topic, number.as_bytes()).at(QoS::AtLeastOnce, 0)
    });
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().join("spool");
    let spool = spool.to_str().unwrap();
    for args in [&["-q", "1"][..], &["-q", "1", "--template"], &["-q", "1", "--spool", spool]] {
        becomes(V5, args, input, &messages)
            .exits(1)
            .mentions("line 2: topic 'p/")
            .mentions("line 3: topic 'p/")
            .mentions("it contains a noncharacter")
            .mentions("line 4: content-type: it contains a control character\n")
            .mentions("line 5: response-topic: it contains a control character\n")
            .mentions("line 6: user-properties: it contains a control character\n");
    }
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        take(&mut peer, V5, &Message::new("p/2", b"2").at(QoS::AtLeastOnce, 0));
        expect_leave(&mut peer, V5);
    });
    Mqtt::publish(server.port())
        .args(["-V", "5", "-q", "1", "-l", "--topic-from-line", "\\t"])
        .stdin("p/\u{1}\tbad\np/2\t2\n")
        .run()
        .exits(1)
        .mentions("line 1: topic 'p/");
}

/// The Message Expiry Interval continues between the two programs ([MQTT-3.3.2-6]).
#[test]
fn what_has_expired_on_the_way_is_not_sent() {
    let now = std::time::SystemTime::now();
    let received = humantime::format_rfc3339_micros(now - std::time::Duration::from_secs(100));
    let line = |topic: &str, expiry: u32| {
        format!(
            "{{\"tst\":\"{received}\",\"topic\":\"{topic}\",\"qos\":1,\"properties\":{{\"message-expiry-interval\":{expiry}}}}}\n"
        )
    };
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        let bytes = peer.packet();
        let Ok(Packet::Publish(publish)) = wire::decode(V5, &bytes) else { panic!("expected PUBLISH") };
        let left = publish.properties.number(PropertyId::MessageExpiryInterval).unwrap();
        assert!((1..=900).contains(&left), "{left} of 1000 seconds are left after 100");
        peer.send(&packets::ack(PubAck, publish.packet_identifier));
        expect_leave(&mut peer, V5);
    });
    records(server.port(), V5)
        .stdin(line("a", 100) + &line("b", 1000) + &line("c", 50))
        .run()
        .exits(0)
        .mentions("line 1: 1 message not sent: the time of message-expiry-interval was over\n")
        .mentions("in all 2 messages not sent");
}

/// An interval of 0 has not passed before a second is over: the message is sent as it is, with and without a
/// time. The clock that wrote these is ahead, so that no time has passed.
#[test]
fn message_with_an_expiry_interval_of_0_is_sent_within_its_first_second() {
    let ahead = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    let long_ago = "2026-01-01T00:00:00Z";
    let line = |times: &str| {
        format!("{{{times}\"topic\":\"a\",\"qos\":1,\"properties\":{{\"message-expiry-interval\":0}}}}\n")
    };
    let input = line(&format!("\"tst\":\"{}\",", humantime::format_rfc3339_micros(ahead)))
        + &line("")
        + &line(&format!("\"tst\":\"{long_ago}\","));
    let message = Message::new("a", b"")
        .at(QoS::AtLeastOnce, 0)
        .with(&[(PropertyId::MessageExpiryInterval, Value::Number(0))]);
    becomes(V5, &[], &input, &[message.clone(), message])
        .exits(0)
        .says("mqtt: warning: line 3: 1 message not sent: the time of message-expiry-interval was over\n");
}

#[test]
fn properties_that_mqtt_3_cannot_carry_are_named_once() {
    let line = "{\"topic\":\"a\",\"qos\":1,\"properties\":{\"content-type\":\"t\"}}\n";
    let message = || Message::new("a", b"").at(QoS::AtLeastOnce, 0);
    becomes(V3_1_1, &[], &line.repeat(2), &[message(), message()])
        .exits(0)
        .mentions("line 1: 1 message sent without properties: the connection is not MQTT 5\n")
        .mentions("in all 2 messages sent without properties");
}

#[rstest]
#[case(&["-f", "x"], "-f and --json are two sources")]
#[case(&["--repeat", "2"], "--repeat and --repeat-delay cannot be used with -l or --json")]
#[case(&["--rewrite-topic", "home"], "it must have the form s#PATTERN#REPLACEMENT#")]
#[case(&["--rewrite-topic", "s#(.*)#site/$1_raw#"], "is ${1}_raw")]
fn options_that_contradict_are_refused(#[case] args: &[&str], #[case] words: &str) {
    Mqtt::publish(1).args(["--json"]).args(args).run().exits(2).mentions(words);
}

fn text() -> impl Strategy<Value = String> {
    "[^\\x00-\\x1f\\x7f-\\x9f\\p{Co}\\p{Cn}]{0,12}"
}

/// A relay: both programs pass topics, payloads and properties on unchanged.
#[test]
fn a_relay_changes_nothing() {
    let topic = "[^\\x00-\\x1f\\x7f-\\x9f#+\\p{Co}\\p{Cn}]{1,20}";
    let properties = (
        proptest::option::of(text()),
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
        proptest::collection::vec((text(), text()), 0..4),
        any::<bool>(),
    );
    let message = (topic, proptest::collection::vec(any::<u8>(), 0..60), 0..3_u8, any::<bool>(), properties);
    let messages = proptest::collection::vec(message, 60);
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 4, failure_persistence: None, ..Default::default() });
    runner
        .run(&messages, |messages| {
            let made = move || {
                messages.clone().into_iter().map(|(topic, payload, qos, retain, properties)| {
                    let (content_type, correlation, pairs, is_text) = properties;
                    let mut list = Vec::new();
                    if let Some(text) = &content_type {
                        list.push((PropertyId::ContentType, Value::Text(text)));
                    }
                    if let Some(data) = &correlation {
                        list.push((PropertyId::CorrelationData, Value::Binary(data)));
                    }
                    list.extend(pairs.iter().map(|(k, v)| (PropertyId::UserProperty, Value::Pair(k, v))));
                    if is_text && std::str::from_utf8(&payload).is_ok() {
                        list.push((PropertyId::PayloadFormatIndicator, Value::Number(1)));
                    }
                    let block = packets::properties(&list);
                    (topic.clone(), payload.clone(), QoS::from_bits(qos).unwrap(), retain, block)
                })
            };
            let count = made().count();
            let sent: Vec<_> = made().collect();
            let from = Server::start(move |server| {
                let mut peer = server.accept_session(V5);
                peer.grant_subscription(V5);
                for (number, (topic, payload, qos, retain, properties)) in sent.into_iter().enumerate() {
                    let message = Message { retain, properties, ..Message::new(&topic, &payload) };
                    let identifier =
                        if qos == QoS::AtMostOnce { 0 } else { u16::try_from(number + 1).unwrap() };
                    peer.send(&message.at(qos, identifier).bytes(V5));
                }
                peer.drain();
            });
            let count = count.to_string();
            let recorded = Mqtt::subscribe(from.port())
                .args(["-V", "5", "-t", "#", "-q", "2", "--json", "-C", &count])
                .run()
                .succeeds();
            let expected: Vec<_> = made().collect();
            let to = Server::start(move |server| {
                let mut peer = server.accept_session(V5);
                for (topic, payload, qos, retain, properties) in &expected {
                    let message = Message {
                        retain: *retain,
                        properties: properties.clone(),
                        ..Message::new(topic, payload)
                    };
                    take(&mut peer, V5, &message.at(*qos, 0));
                }
                expect_leave(&mut peer, V5);
            });
            records(to.port(), V5).args(["--keep-retain"]).stdin(recorded.stdout).run().succeeds();
            Ok(())
        })
        .unwrap();
}
