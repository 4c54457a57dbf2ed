//! `mqtt sub`: the selection of messages, and the forms of output.

use std::sync::mpsc;

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::wire::PacketType::PubAck;
use mqtt::protocol::wire::{Packet, decode};
use rstest::rstest;
use rustix::process::Signal;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::{Peer, Server};
use crate::support::{Kind, report, version};

/// A random sample of messages; all are acknowledged. Only shown ones count for `-C`.
#[test]
fn a_random_part() {
    const MESSAGES: u16 = 400;
    let run = |percent: &'static str| {
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            for identifier in 1..=MESSAGES {
                let payload = identifier.to_string();
                peer.send(&Message::new("a", payload.as_bytes()).at(QoS::AtLeastOnce, identifier).bytes(V5));
                peer.expect(V5, &packets::ack(PubAck, identifier));
            }
            if percent == "100" {
                peer.expect_disconnect(V5);
            }
        });
        let args = ["-t", "a", "-q", "1", "--reconnect", "never", "--random-filter", percent, "-C", "400"];
        Mqtt::subscribe(server.port()).args(args).run()
    };
    // All 400 arrived, and fewer were shown: the end of the connection is not the end of the work.
    let lines = run("50").exits(1).lines();
    // 200, with a tolerance of nine standard deviations.
    assert!((110..=290).contains(&lines.len()), "{} of {MESSAGES}", lines.len());
    let numbers: Vec<u16> = lines.iter().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    assert_eq!(run("100").exits(0).lines().len(), 400);
}

/// One line for each full second, with or without messages, and none for the last. `-C`, `-W` and Ctrl-C end
/// it like any other run.
#[test]
fn message_rate() {
    let end = |options: &'static [&'static str], more: bool| {
        let (go_on, may_go_on) = mpsc::channel();
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            let message = Message::new("a", b"x").bytes(V5);
            peer.send(&message.repeat(3));
            may_go_on.recv().unwrap();
            if more {
                peer.send(&message.repeat(2));
            }
            peer.expect_disconnect(V5);
        });
        let run = Mqtt::subscribe(server.port()).args(["-t", "a", "--message-rate"]).args(options).spawn();
        let (three, none) = if options.contains(&"--json") {
            ("\"messages_per_s\":3}\n", "\"messages_per_s\":0}\n")
        } else {
            ("3 msgs/s\n", "0 msgs/s\n")
        };
        run.wait_for_stdout(three).wait_for_lines(2);
        if !more {
            run.signal(Signal::INT);
        }
        go_on.send(()).unwrap();
        let outcome = run.wait_for_end().succeeds();
        let text = String::from_utf8(outcome.stdout.clone()).unwrap();
        let others = text.replace(three, "").replace(none, "");
        (outcome, others)
    };
    for options in [&["-C", "5"][..], &["-C", "5", "-q", "1", "-v"]] {
        assert_eq!(end(options, true).1, "");
    }
    assert_eq!(end(&["-T", "b"], false).1, "");
    let (outcome, _) = end(&["-C", "5", "--json"], true);
    let counts: Vec<u64> = outcome
        .lines()
        .iter()
        .map(|line| report("message-rate", line.as_bytes())["messages_per_s"].as_u64().unwrap())
        .collect();
    assert_eq!(counts.iter().sum::<u64>(), 3, "{counts:?}");
    assert!(counts.contains(&0), "{counts:?}");
}

/// A timeout ends it, and all messages are counted before that.
#[rstest]
fn rates_end_in_time(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    let run = broker.subscribe().args(["-V", v, "-t", "a", "--message-rate", "-W", "1500ms"]).run();
    let lines = run.exits(27).mentions("timed out after 1.5s").lines();
    assert!(lines.len() < 2 && lines.iter().all(|line| line == "0 msgs/s"), "{lines:?}");
}

/// A hundred percent are all; mosquitto's are a tenth of that.
#[rstest]
fn random_filter_is_a_percentage(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    let args = ["-V", v, "-t", "p", "--random-filter", "100", "-C", "50", "-q", "1", "-d"];
    let subscriber = broker.subscribe().args(args).spawn();
    subscriber.wait_until_subscribed();
    let input: String = (0..50).map(|number| format!("{number}\n")).collect();
    broker.publish().args(["-V", v, "-t", "p", "-l", "-q", "1"]).stdin(input.clone()).run().succeeds();
    subscriber.finish().exits(0).prints(input);
}

/// Expects the clearing of a topic; returns its packet identifier.
#[track_caller]
fn expect_clear(peer: &mut Peer, protocol: Protocol, topic: &str) -> u16 {
    let bytes = peer.packet();
    match decode(protocol, &bytes) {
        Ok(Packet::Publish(publish)) => {
            let found = (publish.topic, publish.payload, publish.qos, publish.retain, publish.dup);
            assert_eq!(found, (topic.as_bytes(), &b""[..], QoS::AtLeastOnce, true, false));
            publish.packet_identifier
        }
        other => panic!("expected a clear of {topic}, received {other:?}"),
    }
}

/// Shown retained messages are cleared after their acknowledgement; others are not. `-C` waits for the
/// answers, and leaves messages that arrive meanwhile to the next run.
#[rstest]
fn retained_messages_are_cleared(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        let messages = [
            Message::new("$SYS/x", b"of the server").retained(),
            Message::new("secret", b"filtered out").retained(),
            Message::new("live", b"live"),
            Message::new("a", b"1").retained().at(QoS::AtLeastOnce, 1),
            Message::new("b", b"2").retained().at(QoS::AtLeastOnce, 2),
            Message::new("c", b"3").retained().at(QoS::AtLeastOnce, 3),
        ];
        peer.send(&messages.map(|message| message.bytes(protocol)).concat());
        peer.expect(protocol, &packets::ack(PubAck, 1));
        peer.expect(protocol, &packets::ack(PubAck, 2));
        let first = expect_clear(&mut peer, protocol, "a");
        let second = expect_clear(&mut peer, protocol, "b");
        peer.send(&packets::ack(PubAck, first));
        peer.send(&Message::new("d", b"4").at(QoS::AtLeastOnce, 4).bytes(protocol));
        peer.send(&packets::ack(PubAck, second));
        peer.expect_disconnect(protocol);
    });
    let args =
        ["-V", version(protocol), "-t", "#", "-q", "1", "-T", "secret", "-C", "4", "--remove-retained"];
    Mqtt::subscribe(server.port()).args(args).run().succeeds().prints("of the server\nlive\n1\n2\n");
}

/// A clear that the server refuses is named, the others continue, and the exit status is a failure. The
/// signal that ends the run waits for the answers.
#[test]
fn refused_clear_is_reported() {
    let (go_on, may_go_on) = mpsc::channel();
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        let messages = [Message::new("a", b"1").retained(), Message::new("b", b"2").retained()];
        peer.send(&messages.map(|message| message.bytes(V5)).concat());
        let identifiers = ["a", "b"].map(|topic| expect_clear(&mut peer, V5, topic));
        peer.send(&packets::ack_with(PubAck, identifiers[0], 0x87));
        may_go_on.recv().unwrap();
        peer.send(&packets::ack(PubAck, identifiers[1]));
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::subscribe(server.port()).args(["-t", "#", "--remove-retained"]).spawn();
    run.wait_for_stderr("what is retained on 'a' is not cleared: Not authorized (0x87)").signal(Signal::TERM);
    go_on.send(()).unwrap();
    run.wait_for_end().exits(3).prints("1\n2\n").does_not_mention("perhaps");
}

/// A message that is not written out is not cleared.
#[test]
fn blocked_reader_keeps_retained_messages() {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        let payload = vec![b'x'; 1 << 20];
        peer.send(&Message::new("a", &payload).retained().at(QoS::AtLeastOnce, 1).bytes(V5));
        peer.expect_disconnect(V5);
    });
    let command = Mqtt::subscribe(server.port()).args(["-t", "a", "-q", "1", "-d", "--remove-retained"]);
    let run = command.leave_stdout_unread().spawn();
    run.wait_for_stderr("received PUBLISH").signal(Signal::INT);
    run.wait_for_end().exits(0).mentions("bytes are not written").does_not_mention("perhaps");
}

/// A server that disappears, or does not answer: messages that may remain are counted, and not cleared on the
/// next connection, where the topic may have another message. If the message is sent again, it is shown and
/// cleared.
#[test]
fn clears_without_an_answer() {
    let message = || Message::new("a", b"1").retained();
    let args = ["-t", "a", "--remove-retained"];
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&message().bytes(V5));
        expect_clear(&mut peer, V5, "a");
        peer.close();
        let mut peer = server.accept_kept_session(V5);
        peer.send(&Message::new("a", b"2").bytes(V5));
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::subscribe(server.port()).args(args).args(["-C", "2", "-c", "-i", "me"]).run();
    run.exits(3).prints("1\n2\n").mentions("mqtt: 1 retained message shown, and perhaps not cleared\n");
    server.finish();

    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&message().bytes(V5));
        expect_clear(&mut peer, V5, "a");
        peer.close();
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&message().bytes(V5));
        let identifier = expect_clear(&mut peer, V5, "a");
        peer.send(&packets::ack(PubAck, identifier));
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::subscribe(server.port()).args(args).args(["-C", "2"]).run();
    run.exits(0).prints("1\n1\n").does_not_mention("perhaps");
    server.finish();

    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&message().bytes(V5));
        expect_clear(&mut peer, V5, "a");
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::subscribe(server.port()).args(args).args(["-C", "1", "--connect-timeout", "1s"]).run();
    run.exits(3).prints("1\n").says("mqtt: 1 retained message shown, and perhaps not cleared\n");
}

/// More messages than a window; filtered-out ones stay. A run that times out before all answers have arrived
/// waits for them.
#[rstest]
fn removing_what_is_retained(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    let keep = |topic: &str| {
        broker.publish().args(["-V", v, "-t", topic, "-m", topic, "-r", "-q", "1"]).run().succeeds();
    };
    let read = |args: &[&str]| {
        broker
            .subscribe()
            .args(["-V", v, "-t", "k/#", "-v", "--retained-only"])
            .args(args)
            .run()
            .succeeds()
            .lines()
    };
    for number in 0..30 {
        keep(&format!("k/{number}"));
    }
    keep("k/secret");
    for qos in ["0", "1", "2"] {
        let lines = read(&["--remove-retained", "-T", "k/secret", "-q", qos]);
        assert_eq!(lines.len(), if qos == "0" { 30 } else { 0 }, "{lines:?}");
        assert_eq!(read(&[]), ["k/secret k/secret"]);
    }
    // A subscriber that stays shows neither its own clears nor other messages.
    keep("k/a");
    let args = ["-V", v, "-t", "k/#", "-v", "--remove-retained", "-T", "k/secret", "-W", "1"];
    broker.subscribe().args(args).run().exits(27).prints("k/a k/a\n");
    assert_eq!(read(&[]), ["k/secret k/secret"]);
}

/// One line per topic, overwritten in place; topics that do not fit are counted. No received byte moves the
/// cursor.
#[test]
fn watching_topics() {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        for (identifier, topic, payload) in
            [(1, "a", &b"1"[..]), (2, "b", b"\x1b[2J\n!"), (3, "a", b"a long message"), (4, "c", b"no room")]
        {
            peer.send(&Message::new(topic, payload).at(QoS::AtLeastOnce, identifier).bytes(V5));
            peer.expect(V5, &packets::ack(PubAck, identifier));
        }
        peer.expect_disconnect(V5);
    });
    let broker = format!("Broker: 127.0.0.1:{}", server.port());
    let command = Mqtt::subscribe(server.port()).args(["-t", "#", "-q", "1", "-w"]);
    let run = command.stdout_on_a_terminal(24, 4).spawn();
    run.wait_for_stdout("… 1 more topic").signal(Signal::INT);
    let shown = String::from_utf8(run.wait_for_end().succeeds().stdout).unwrap();
    let rows = |text: &str| text.split("\x1b[2K").map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        rows(&shown),
        [
            &format!("\x1b[H\x1b[2J{broker}\x1b[2;1H")[..],
            "\x1b[2;1H",
            "a 1\x1b[3;1H",
            "\x1b[3;1H",
            "b \\x1b[2J\\n!\x1b[4;1H",
            "\x1b[2;1H",
            "a a long message\x1b[4;1H",
            "\x1b[4;1H",
            "… 1 more topic\r\n",
        ]
    );
}
