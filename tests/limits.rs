//! Limits of the server in CONNACK are respected; refusals are reported, also in the exit status.

use std::sync::mpsc;
use std::time::Duration;

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::PacketType::{PubAck, PubComp, PubRec, PubRel};
use rstest::rstest;
use rustix::process::Signal;

use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets::{self, Message};
use crate::support::server::{Peer, Server};
use crate::support::version;

const NOT_AVAILABLE: Value<'static> = Value::Number(0);

/// Runs `mqtt sub` with a server that announces this in CONNACK and expects no further packets.
#[track_caller]
fn subscribes_in_vain(connack: &[(PropertyId, Value<'_>)], args: &[&str]) -> Outcome {
    let connack = packets::connack_with(connack);
    let server = Server::start(move |server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&connack);
        peer.expect_disconnect(V5);
    });
    Mqtt::subscribe(server.port()).args(args).run()
}

#[test]
fn subscriptions_the_server_does_not_take_are_not_sent() {
    let wildcards = &[(PropertyId::WildcardSubscriptionAvailable, NOT_AVAILABLE)];
    subscribes_in_vain(wildcards, &["-t", "a/#"])
        .fails(162, "subscription to 'a/#' refused: Wildcard Subscriptions not supported (0xA2): not sent");
    let shared = &[(PropertyId::SharedSubscriptionAvailable, NOT_AVAILABLE)];
    subscribes_in_vain(shared, &["-t", "$share/g/a"])
        .fails(158, "Shared Subscriptions not supported (0x9E): not sent: the broker's CONNACK excludes it");
    let identifiers = &[(PropertyId::SubscriptionIdentifierAvailable, NOT_AVAILABLE)];
    subscribes_in_vain(identifiers, &["-t", "a", "-D", "subscribe", "subscription-identifier", "7"])
        .fails(161, "Subscription Identifiers not supported (0xA1)");
    let small = &[(PropertyId::MaximumPacketSize, Value::Number(30))];
    subscribes_in_vain(small, &["-t", "a-topic-that-is-a-little-longer-than-that"]).fails(
        149,
        "Packet too large (0x95): the packet has 49 bytes, the broker's Maximum Packet Size is 30",
    );
    subscribes_in_vain(small, &["-U", "a-topic-that-is-a-little-longer-than-that"]).fails(
        149,
        "unsubscription from 'a-topic-that-is-a-little-longer-than-that' refused: Packet too large",
    );
}

/// Filters that the server allows are subscribed to, and others are reported.
#[test]
fn some_of_several_subscriptions_are_not_sent() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack_with(&[
            (PropertyId::WildcardSubscriptionAvailable, NOT_AVAILABLE),
            (PropertyId::SharedSubscriptionAvailable, NOT_AVAILABLE),
        ]));
        let (identifier, asked) = peer.expect_subscribe(V5);
        assert_eq!(asked, [1, 2]);
        peer.send(&packets::suback(V5, identifier, &[0x87, 2]));
        peer.expect_disconnect(V5);
    });
    let options = ["qos=1:plain", "qos=0:wild/+", "qos=2:other", "qos=2:$share/g/x"];
    let args = options.iter().flat_map(|option| ["--subscribe", option]);
    let outcome = Mqtt::subscribe(server.port()).args(["-E"]).args(args).run().exits(3);
    for line in [
        "mqtt: subscription to 'plain' refused: Not authorized (0x87)",
        "mqtt: subscription to 'wild/+' refused: Wildcard Subscriptions not supported (0xA2)",
        "mqtt: subscription to '$share/g/x' refused: Shared Subscriptions not supported (0x9E)",
    ] {
        assert!(outcome.stderr.contains(line), "{line}\n{}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("'other'"), "{}", outcome.stderr);
}

#[test]
fn messages_the_server_does_not_take_are_not_sent() {
    let cases: &[(PropertyId, u32, &[&str], i32, &str)] = &[
        (
            PropertyId::MaximumQos,
            0,
            &["-q", "1"],
            155,
            "QoS not supported (0x9B): the broker's Maximum QoS is 0",
        ),
        (
            PropertyId::MaximumQos,
            1,
            &["-q", "2"],
            155,
            "QoS not supported (0x9B): the broker's Maximum QoS is 1",
        ),
        (PropertyId::RetainAvailable, 0, &["-r"], 154, "Retain not supported (0x9A)"),
        (PropertyId::MaximumPacketSize, 5, &[], 149, "Packet too large (0x95): the packet has 9 bytes"),
    ];
    for (property, number, args, status, text) in cases {
        let connack = packets::connack_with(&[(*property, Value::Number(*number))]);
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&connack);
            peer.expect_disconnect(V5);
        });
        let run = Mqtt::publish(server.port()).args(["-t", "a", "-m", "abc"]).args(*args).run();
        run.fails(*status, &format!("publish not sent: {text}"));
    }
}

/// The server of the next connection may have lower limits than the last: they apply to messages that wait
/// for retransmission; those that exceed them fail, and the others are sent.
#[test]
fn limits_hold_for_what_is_sent_again() {
    for session_present in [true, false] {
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.expect_publish(V5, QoS::AtLeastOnce, b"a line that is rather long");
            peer.expect_publish(V5, QoS::AtLeastOnce, b"short");
            peer.reset();
            let mut peer = server.accept();
            peer.expect_connect(V5);
            let mut connack = packets::connack_with(&[(PropertyId::MaximumPacketSize, Value::Number(20))]);
            connack[2] = u8::from(session_present);
            peer.send(&connack);
            let (identifier, dup) = peer.expect_publish(V5, QoS::AtLeastOnce, b"short");
            assert_eq!(dup, session_present);
            peer.send(&packets::ack(PubAck, identifier));
            peer.expect_disconnect(V5);
        });
        let lines = "a line that is rather long\nshort\n";
        let args = ["-t", "a", "-l", "-q", "1", "-c", "-i", "me", "--reconnect-max-delay", "10ms"];
        Mqtt::publish(server.port()).args(args).stdin(lines).run().exits(149).mentions(
            "line 1: publish refused: Packet too large (0x95): not sent again: the packet has 34 bytes, \
             the broker's Maximum Packet Size is 20",
        );
    }
}

/// Limits of each connection apply to subscriptions.
#[test]
fn limits_hold_for_subscriptions_made_again() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.reset();
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack_with(&[(PropertyId::WildcardSubscriptionAvailable, NOT_AVAILABLE)]));
        peer.expect_disconnect(V5);
    });
    Mqtt::subscribe(server.port())
        .args(["-t", "#", "--reconnect-max-delay", "10ms"])
        .run()
        .exits(162)
        .mentions("subscription to '#' refused: Wildcard Subscriptions not supported");
}

/// A publish at this QoS that is answered with these bytes.
fn answered(qos: &str, answer: Vec<u8>) -> Outcome {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.packet();
        peer.send(&answer);
        // DISCONNECT, or nothing if the answer was one.
        while peer.next().is_some() {}
    });
    Mqtt::publish(server.port()).args(["-t", "a", "-m", "x", "-q", qos]).run()
}

/// Every Reason Code of the standard is an exit status; others are general failures, because a shell could
/// take them for a signal or an error of its own.
#[test]
fn reason_codes_become_exit_codes() {
    for code in [0x80, 0x83, 0x87, 0x90, 0x97, 0x99] {
        answered("1", packets::ack_with(PubAck, 1, code)).fails(i32::from(code), "publish refused: ");
        answered("2", packets::ack_with(PubRec, 1, code)).fails(i32::from(code), "publish refused: ");
    }
    for code in [0xA3, 0xF3, 0xFF] {
        let text = format!("publish refused: unknown Reason Code 0x{code:02X}");
        answered("1", packets::ack_with(PubAck, 1, code)).fails(1, &text);
        answered("2", packets::ack_with(PubRec, 1, code)).fails(1, &text);
        let text = format!("the broker ended the connection: unknown Reason Code 0x{code:02X}");
        answered("1", packets::disconnect(V5, code)).fails(1, &text);
    }
    for code in [0x80, 0x8B, 0x8E, 0xA0] {
        answered("1", packets::disconnect(V5, code))
            .fails(i32::from(code), "the broker ended the connection: ");
    }
    answered("1", packets::disconnect(V5, 0)).fails(1, "the broker ended the connection");
    // There was no matching subscriber, which is not a failure ([MQTT-3.4.2-1]).
    answered("1", packets::ack_with(PubAck, 1, 0x10)).succeeds();
}

/// A client that is refused in the middle of a large packet reports the reason, although the broker reads no
/// more of it, and although its reset aborts the write before the reason is read.
#[test]
fn a_refusal_amid_a_large_packet() {
    for closes in [false, true] {
        let (ended, end) = mpsc::channel::<()>();
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.expect_beginning();
            peer.send(&packets::disconnect(V5, 0x8e));
            if !closes {
                end.recv().unwrap_err(); // the link stays as it is until the client has gone
            }
        });
        let lines = [vec![b'x'; 32 << 20], b"\n2\n".to_vec()].concat();
        let run = Mqtt::publish(server.port()).args(["-t", "a", "-l", "-q", "1"]).stdin(lines).run();
        let taken_over = "the broker ended the connection: Session taken over (0x8E)";
        run.exits(142).mentions(taken_over).does_not_mention("trying again");
        drop(ended);
    }
}

/// A code that is neither a failure nor allowed in the packet is a protocol error.
#[test]
fn reason_codes_that_do_not_exist_are_protocol_errors() {
    for code in [0x01, 0x11, 0x7F] {
        let text = format!("Reason Code 0x{code:02X} does not exist there");
        answered("1", packets::ack_with(PubAck, 1, code))
            .fails(1, &format!("protocol error: PUBACK: {text}"));
        answered("2", packets::ack_with(PubRec, 1, code))
            .fails(1, &format!("protocol error: PUBREC: {text}"));
        answered("1", packets::disconnect(V5, code)).fails(1, &format!("DISCONNECT: {text}"));
    }
}

#[test]
fn a_connack_with_a_code_that_does_not_exist() {
    for (code, text) in
        [(0x10, "CONNACK: Reason Code 0x10 does not exist there"), (0xF3, "unknown Reason Code 0xF3")]
    {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&[0x20, 3, 0, code, 0]);
            if code == 0x10 {
                peer.expect(V5, &packets::disconnect(V5, 0x82));
            }
            peer.expect_end();
        });
        Mqtt::publish(server.port()).args(["-V", "5", "-t", "a", "-n"]).run().fails(1, text);
    }
}

/// The refusal of a subscription has its own exit status, and `sub` names the filter.
fn subscription_answered(code: u8, protocol: mqtt::protocol::Protocol) -> Outcome {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        let (identifier, _) = peer.expect_subscribe(protocol);
        peer.send(&packets::suback(protocol, identifier, &[code]));
        while peer.next().is_some() {}
    });
    Mqtt::subscribe(server.port()).args(["-V", version(protocol), "-t", "a", "--reconnect", "never"]).run()
}

#[rstest]
fn subscriptions_refused(#[values(V3_1_1, V5)] protocol: Protocol) {
    subscription_answered(0x80, protocol).fails(128, "subscription to 'a' refused: Unspecified error (0x80)");
    subscription_answered(0xFE, protocol).fails(1, "subscription to 'a' refused: unknown Reason Code 0xFE");
    subscription_answered(3, protocol)
        .fails(1, "protocol error: SUBACK: Reason Code 0x03 does not exist there");
}

fn unsubscribes(args: &[&str], codes: &'static [u8]) -> Outcome {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        let bytes = peer.packet();
        let identifier = u16::from_be_bytes([bytes[2], bytes[3]]);
        peer.send(&packets::unsuback(V5, identifier, codes));
        peer.expect_disconnect(V5);
    });
    Mqtt::subscribe(server.port()).args(args).run()
}

#[test]
fn unsubscriptions_refused() {
    unsubscribes(&["-U", "a"], &[0x87]).fails(135, "unsubscription from 'a' refused: Not authorized (0x87)");
    unsubscribes(&["-U", "a", "-U", "b"], &[0x80, 0x87])
        .exits(135)
        .mentions("unsubscription from 'a' refused: Unspecified error (0x80)\n")
        .mentions("unsubscription from 'b' refused: Not authorized (0x87)\n");
    unsubscribes(&["-U", "a", "-U", "b"], &[0x00, 0x87]).exits(3).mentions("unsubscription from 'b' refused");
    // There was no subscription, which is not a failure ([MQTT-3.11.3-1]).
    unsubscribes(&["-U", "a"], &[0x11]).succeeds();
}

/// The exchange of a QoS 2 message that the server has received is completed, regardless of its new limits.
#[test]
fn a_released_message_is_finished_under_new_limits() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        let (identifier, _) = peer.expect_publish(V5, QoS::ExactlyOnce, b"x");
        peer.send(&packets::ack(PubRec, identifier));
        peer.expect(V5, &packets::ack(PubRel, identifier));
        peer.reset();
        let mut peer = server.accept();
        peer.expect_connect(V5);
        let mut connack = packets::connack_with(&[(PropertyId::MaximumQos, Value::Number(0))]);
        connack[2] = 1;
        peer.send(&connack);
        peer.expect(V5, &packets::ack(PubRel, identifier));
        peer.send(&packets::ack(PubComp, identifier));
        peer.expect_disconnect(V5);
    });
    let args = ["-t", "a", "-l", "-q", "2", "-c", "-i", "me", "--reconnect-max-delay", "10ms"];
    let outcome = Mqtt::publish(server.port()).args(args).stdin("x\n").run().exits(0);
    assert!(!outcome.stderr.contains("refused"), "{}", outcome.stderr);
}

/// The Server Keep Alive is used instead of the client's.
#[test]
fn server_keep_alive() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack_with(&[(PropertyId::ServerKeepAlive, Value::Number(1))]));
        peer.grant_subscription(V5);
        peer.expect(V5, &packets::pingreq());
        peer.send(&packets::pingresp());
        peer.expect(V5, &packets::pingreq());
        peer.send(&packets::pingresp());
        while peer.next().is_some() {}
    });
    let subscriber = Mqtt::subscribe(server.port()).args(["-t", "a", "-k", "60", "-d"]).spawn();
    subscriber.wait_for_stderr_times("received PINGRESP", 2);
    subscriber.signal(Signal::INT);
    subscriber.wait_for_end().exits(0);
}

/// A shorter session expiry than requested is reported once.
#[test]
fn server_session_expiry() {
    for (granted, line) in [
        (3600, "mqtt: warning: the broker keeps the session for 1h, which is less than asked for\n"),
        (0, "mqtt: warning: the broker does not keep the session when the connection ends\n"),
        (u32::MAX, ""),
    ] {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&packets::connack_with(&[(PropertyId::SessionExpiryInterval, Value::Number(granted))]));
            let (identifier, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"");
            peer.send(&packets::ack(PubAck, identifier));
            peer.expect_disconnect(V5);
        });
        let args = ["-t", "a", "-n", "-q", "1", "-c", "-i", "me"];
        Mqtt::publish(server.port()).args(args).run().exits(0).says(line);
    }
}

/// The error of a run that ends by itself when the answer is missing, whatever else the server sends.
#[track_caller]
fn waits_in_vain(
    args: &[&str],
    connack: Vec<u8>,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> Outcome {
    waits_in_vain_for("1s", args, connack, script)
}

/// The same with another timeout.
#[track_caller]
fn waits_in_vain_for(
    limit: &str,
    args: &[&str],
    connack: Vec<u8>,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> Outcome {
    let server = Server::start(move |server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&connack);
        script(&mut peer);
        peer.drain();
    });
    let port = server.port().to_string();
    let line = ["-h", "127.0.0.1", "-p", &port, "-V", "5", "--connect-timeout", limit];
    Mqtt::new([&args[..1], &line, &args[1..]].concat()).run()
}

/// Sends messages, ten per second, and answers PINGREQ if asked to, until the client has disconnected.
fn talk(peer: &mut Peer, answers_pings: bool) {
    let message = Message::new("x", b"talk").bytes(V5);
    while peer.send_if_there(&message) {
        while let Some(packet) = peer.next_within(Duration::from_millis(100)) {
            if answers_pings && packet == packets::pingreq() {
                peer.send(&packets::pingresp());
            }
        }
    }
}

/// Also without Keep Alive, which the server may turn off.
#[test]
fn answer_that_never_comes_ends_a_one_shot() {
    let off = [(PropertyId::ServerKeepAlive, Value::Number(0))];
    let (puback, pubrec) =
        ("did not answer PUBLISH with PUBACK within 1s", "did not answer PUBLISH with PUBREC");
    let suback = "did not answer SUBSCRIBE with SUBACK within 1s";
    for (args, text) in [
        (&["pub", "-t", "a", "-m", "x", "-q", "1"][..], puback),
        (&["pub", "-t", "a", "-m", "x", "-q", "1", "--repeat", "3"], puback),
        (&["pub", "-t", "a", "-m", "x", "-q", "2"], pubrec),
        (&["sub", "-t", "a", "-E"], suback),
        (&["sub", "-t", "a", "--retained-only"], suback),
        (&["sub", "-U", "a"], "did not answer UNSUBSCRIBE with UNSUBACK within 1s"),
        (&["rr", "-t", "a", "-n"], suback),
    ] {
        for connack in [packets::connack_with(&[]), packets::connack_with(&off)] {
            waits_in_vain(args, connack.clone(), |_| {}).exits(1).mentions(text);
        }
        waits_in_vain(args, packets::connack_with(&off), |peer| talk(peer, true)).exits(1).mentions(text);
    }
}

/// Sends messages of this QoS and reads their acknowledgements, until the client has disconnected.
fn keep_acknowledging(peer: &mut Peer, qos: QoS) {
    for identifier in (1..=u16::MAX).cycle() {
        let message = Message { qos, identifier, ..Message::new("x", b"talk") };
        if !peer.send_if_there(&message.bytes(V5)) {
            return;
        }
        // One PUBREC for each, and no PUBREL.
        while let Some(packet) = peer.next_within(Duration::from_millis(20)) {
            if packet == packets::pingreq() {
                peer.send(&packets::pingresp());
            }
        }
    }
}

/// Writing PINGREQ, PUBACK and PUBREC does not extend the timeout of the answer.
#[test]
fn limit_of_an_answer_counts_on_while_other_packets_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let spooled = ["pub", "-t", "a", "-m", "x", "-q", "1", "--spool", spool.to_str().unwrap()];
    let puback = "did not answer PUBLISH with PUBACK";
    for (args, text) in [
        (&["pub", "-t", "a", "-m", "x", "-q", "1"][..], puback),
        (&["pub", "-t", "a", "-m", "x", "-q", "1", "--repeat", "3"], puback),
        (&["pub", "-t", "a", "-m", "x", "-q", "2"], "did not answer PUBLISH with PUBREC"),
        (&spooled, "did not answer PUBLISH with an acknowledgement"),
        (&["sub", "-t", "a", "-E"], "did not answer SUBSCRIBE with SUBACK"),
        (&["rr", "-t", "a", "-n"], "did not answer SUBSCRIBE with SUBACK"),
    ] {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let talk = move |peer: &mut Peer| keep_acknowledging(peer, qos);
            waits_in_vain(args, packets::connack_with(&[]), talk).exits(1).mentions(text);
        }
        let often = packets::connack_with(&[(PropertyId::ServerKeepAlive, Value::Number(1))]);
        let pongs = |peer: &mut Peer| {
            while let Some(packet) = peer.next() {
                if packet == packets::pingreq() {
                    peer.send(&packets::pingresp());
                }
            }
        };
        let run = waits_in_vain_for("2500ms", args, often, pongs);
        run.exits(1).mentions(text);
    }
}

/// Missing answers to clears are not a missing answer to SUBSCRIBE.
#[test]
fn answered_subscription_is_not_reported_as_missing() {
    let args = ["sub", "-t", "a", "--retained-only", "--remove-retained"];
    let outcome = waits_in_vain(&args, packets::connack_with(&[]), |peer| {
        peer.grant_subscription(V5);
        peer.grant_subscription(V5); // the marker's
        peer.send(&Message { retain: true, ..Message::new("a", b"x") }.bytes(V5));
    });
    outcome.prints("x\n").exits(1).mentions("did not answer PINGREQ with PINGRESP within 1s");
}

/// The first half of the exchange is not all of it.
#[test]
fn missing_pubcomp_is_named() {
    let args = ["pub", "-t", "a", "-m", "x", "-q", "2"];
    let outcome = waits_in_vain(&args, packets::connack_with(&[]), |peer| {
        let (identifier, _) = peer.expect_publish(V5, QoS::ExactlyOnce, b"x");
        peer.send(&packets::ack(PubRec, identifier));
        talk(peer, true);
    });
    outcome.fails(1, "did not answer PUBLISH with PUBCOMP within 1s");
}

/// SUBSCRIBE was answered, so it is not named as missing.
#[test]
fn missing_unsuback_beside_a_suback_is_named() {
    let outcome = waits_in_vain(&["sub", "-t", "a", "-U", "b", "-E"], packets::connack_with(&[]), |peer| {
        peer.grant_subscription(V5);
        talk(peer, true);
    });
    outcome.exits(1).mentions("did not answer UNSUBSCRIBE with UNSUBACK within 1s");
}

/// The response has no timeout of its own, but the acknowledgement of the request has.
#[test]
fn missing_acknowledgement_of_a_request_is_named() {
    for (qos, received, missing) in [("1", false, "PUBACK"), ("2", false, "PUBREC"), ("2", true, "PUBCOMP")] {
        let args = ["rr", "-t", "a", "-e", "b", "-m", "x", "-q", qos];
        let outcome = waits_in_vain(&args, packets::connack_with(&[]), move |peer| {
            peer.grant_subscription(V5);
            if received {
                let (identifier, _) = peer.expect_publish(V5, QoS::ExactlyOnce, b"x");
                peer.send(&packets::ack(PubRec, identifier));
            }
            talk(peer, true);
        });
        outcome.fails(1, &format!("did not answer PUBLISH with {missing} within 1s"));
    }
}

/// Other packets instead of PINGRESP do not delay the end forever.
#[test]
fn other_packets_instead_of_pingresp_have_a_limit() {
    let off = [(PropertyId::ServerKeepAlive, Value::Number(0))];
    let args = ["pub", "-t", "a", "-m", "x"];
    let outcome = waits_in_vain(&args, packets::connack_with(&off), |peer| talk(peer, false));
    outcome.exits(1).mentions("did not answer the last PINGREQ within 1s");
}

/// The user's timeout for the whole run has its own exit status.
#[test]
fn own_limit_replaces_that_of_the_answer() {
    for args in
        [&["pub", "-t", "a", "-n", "-q", "1"][..], &["sub", "-t", "a", "-E"], &["rr", "-t", "a", "-n"]]
    {
        let args = [args, &["-W", "1500ms"]].concat();
        waits_in_vain(&args, packets::connack_with(&[]), |_| {}).exits(27).mentions("timed out after 1.5s");
    }
}

/// A subscriber waits for messages without a timeout.
#[test]
fn subscriber_has_no_limit_for_its_answers() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        let (identifier, asked) = peer.expect_subscribe(V5);
        // Longer than the timeout of commands that end by themselves.
        assert!(peer.next_within(Duration::from_millis(1500)).is_none());
        peer.send(&packets::suback(V5, identifier, &asked));
        peer.send(&Message::new("a", b"late").bytes(V5));
        peer.drain();
    });
    let run = Mqtt::subscribe(server.port()).args(["-t", "a", "--connect-timeout", "1s"]).spawn();
    run.wait_for_stdout("late\n").signal(Signal::TERM);
    run.wait_for_end().exits(0);
}

/// A repeated PUBREC, as an answer to PUBREL or by itself, is not PUBCOMP.
#[test]
fn repeated_pubrec_is_no_progress() {
    for version in ["311", "5"] {
        let server = Server::start(move |server| {
            let protocol = if version == "5" { V5 } else { V3_1_1 };
            let mut peer = server.accept_session(protocol);
            let (identifier, _) = peer.expect_publish(protocol, QoS::ExactlyOnce, b"x");
            peer.send(&packets::ack(PubRec, identifier));
            while peer.next().is_some() {
                peer.send(&packets::ack(PubRec, identifier));
            }
        });
        let args = ["-t", "a", "-m", "x", "-q", "2", "-V", version, "--connect-timeout", "1s"];
        let run = Mqtt::publish(server.port()).args(args).run();
        run.fails(1, "PUBREC: it answers PUBREL, again and again");
    }
}

/// Retained messages may arrive before SUBACK, but do not replace it.
#[test]
fn retained_messages_do_not_stand_for_suback() {
    let outcome = waits_in_vain(&["sub", "-t", "a", "--retained-only"], packets::connack_with(&[]), |peer| {
        let message = Message { retain: true, ..Message::new("a", b"x") }.bytes(V5);
        while peer.send_if_there(&message) {
            while peer.next_within(Duration::from_millis(20)).is_some() {}
        }
    });
    outcome.exits(1).mentions("did not answer SUBSCRIBE with SUBACK within 1s");
}
