//! `mqtt pub -l`: each line is a message, for any lines and any connection.

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::PacketType::{PubAck, PubComp, PubRec, PubRel};
use rstest::rstest;
use rustix::process::Signal;

use crate::support::mqtt::Mqtt;
use crate::support::server::{Peer, Server};
use crate::support::{packets, version};

/// `mqtt pub -l -q 1` to this port.
fn lines(port: u16, protocol: Protocol) -> Mqtt {
    Mqtt::publish(port).args(["-V", version(protocol), "-t", "a", "-l", "-q", "1"])
}

/// The next message is this new one; it is acknowledged.
#[track_caller]
fn take(peer: &mut Peer, protocol: Protocol, payload: &[u8]) {
    let (identifier, dup) = peer.expect_publish(protocol, QoS::AtLeastOnce, payload);
    assert!(!dup);
    peer.send(&packets::ack(PubAck, identifier));
}

/// Checks the messages for an input.
#[track_caller]
fn becomes(input: &[u8], messages: &[&[u8]]) {
    let expected: Vec<Vec<u8>> = messages.iter().map(|message| message.to_vec()).collect();
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        for message in &expected {
            take(&mut peer, V5, message);
        }
        peer.expect_disconnect(V5);
    });
    lines(server.port(), V5).stdin(input).run().succeeds().prints("");
}

#[test]
fn lines_are_bytes_without_their_line_feed() {
    becomes(b"one\ntwo\n", &[b"one", b"two"]);
    becomes(b"no line feed at the end", &[b"no line feed at the end"]);
    becomes(b"\n\nx\n\n", &[b"", b"", b"x", b""]);
    becomes(b"dos\r\n\r\nunix\n", &[b"dos\r", b"\r", b"unix"]);
    becomes(b"a\0b\n\xff\xfe\n\x1b[2J\n", &[b"a\0b", b"\xff\xfe", b"\x1b[2J"]);
}

#[test]
fn no_lines_at_all() {
    becomes(b"", &[]);
}

#[test]
fn a_very_long_line() {
    let long: Vec<u8> = (0..3_000_000_u32).map(|n| b'a' + u8::try_from(n % 26).unwrap()).collect();
    let input = [b"short\n", &long[..], b"\nafter"].concat();
    becomes(&input, &[b"short", &long, b"after"]);
}

/// QoS 0 in a stream: every line, in order, and the barrier at the end.
#[test]
fn qos_0() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        for number in 0..1000 {
            peer.expect_publish(V5, QoS::AtMostOnce, number.to_string().as_bytes());
        }
        peer.expect_barrier_and_disconnect(V5);
    });
    let input: String = (0..1000).map(|number| format!("{number}\n")).collect();
    Mqtt::publish(server.port()).args(["-t", "a", "-l"]).stdin(input).run().succeeds();
}

/// A line is sent when it arrives, and not at the end of the input.
#[test]
fn a_trickle_is_sent_at_once() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        for payload in [b"one", b"two"] {
            take(&mut peer, V5, payload);
        }
        peer.expect_disconnect(V5);
    });
    let mut running = lines(server.port(), V5).args(["-d"]).open_stdin().spawn();
    running.write("one\n").wait_for_stderr("received PUBACK (Mid: 1");
    running.write("two\n").wait_for_stderr("received PUBACK (Mid: 2");
    running.finish().exits(0);
}

/// At most `-M` unacknowledged messages: PINGREQ arrives, and the third message does not.
#[rstest]
fn the_window(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        let (first, _) = peer.expect_publish(protocol, QoS::AtLeastOnce, b"1");
        let (second, _) = peer.expect_publish(protocol, QoS::AtLeastOnce, b"2");
        peer.expect(protocol, &packets::pingreq());
        peer.send(&packets::pingresp());
        peer.send(&packets::ack(PubAck, first));
        let (third, _) = peer.expect_publish(protocol, QoS::AtLeastOnce, b"3");
        peer.send(&packets::ack(PubAck, third));
        peer.send(&packets::ack(PubAck, second));
        peer.expect_disconnect(protocol);
    });
    lines(server.port(), protocol).args(["-M", "2", "-k", "1"]).stdin("1\n2\n3\n").run().succeeds();
}

/// The server's Receive Maximum reduces the window.
#[test]
fn the_servers_window() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack_with(&[(PropertyId::ReceiveMaximum, Value::Number(1))]));
        let (first, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"1");
        peer.expect(V5, &packets::pingreq());
        peer.send(&packets::pingresp());
        peer.send(&packets::ack(PubAck, first));
        take(&mut peer, V5, b"2");
        peer.expect_disconnect(V5);
    });
    lines(server.port(), V5).args(["-k", "1"]).stdin("1\n2\n").run().succeeds();
}

/// Unacknowledged messages are sent again, with DUP, the same identifiers and in the same order, before new
/// ones.
#[rstest]
fn resends_on_a_kept_session(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        let first = peer.expect_publish(protocol, QoS::AtLeastOnce, b"1").0;
        let second = peer.expect_publish(protocol, QoS::AtLeastOnce, b"2").0;
        peer.send(&packets::ack(PubAck, first));
        let third = peer.expect_publish(protocol, QoS::AtLeastOnce, b"3").0;
        peer.close();
        let mut peer = server.accept_kept_session(protocol);
        assert_eq!(peer.expect_publish(protocol, QoS::AtLeastOnce, b"2"), (second, true));
        assert_eq!(peer.expect_publish(protocol, QoS::AtLeastOnce, b"3"), (third, true));
        peer.send(&packets::ack(PubAck, second));
        peer.send(&packets::ack(PubAck, third));
        take(&mut peer, protocol, b"4");
        peer.expect_disconnect(protocol);
    });
    let args = ["-M", "2", "-c", "-i", "me"];
    let run = lines(server.port(), protocol).args(args).stdin("1\n2\n3\n4\n").run();
    run.exits(0).mentions("connection lost: ").mentions("connected again");
}

/// The server has lost the session: the messages are sent again as new ones.
#[rstest]
fn publishes_again_on_a_lost_session(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        for payload in [b"1", b"2"] {
            peer.expect_publish(protocol, QoS::AtLeastOnce, payload);
        }
        peer.reset();
        let mut peer = server.accept_session(protocol);
        for payload in [b"1", b"2", b"3"] {
            take(&mut peer, protocol, payload);
        }
        peer.expect_disconnect(protocol);
    });
    lines(server.port(), protocol).args(["-M", "2"]).stdin("1\n2\n3\n").run().exits(0);
}

/// QoS 2 with a kept session: received messages are released and not sent again.
#[rstest]
fn releases_on_a_kept_session(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        let (first, _) = peer.expect_publish(protocol, QoS::ExactlyOnce, b"1");
        let (second, _) = peer.expect_publish(protocol, QoS::ExactlyOnce, b"2");
        peer.send(&packets::ack(PubRec, first));
        peer.expect(protocol, &packets::ack(PubRel, first));
        peer.close();
        let mut peer = server.accept_kept_session(protocol);
        peer.expect(protocol, &packets::ack(PubRel, first));
        assert_eq!(peer.expect_publish(protocol, QoS::ExactlyOnce, b"2"), (second, true));
        peer.send(&packets::ack(PubComp, first));
        peer.send(&packets::ack(PubRec, second));
        peer.expect(protocol, &packets::ack(PubRel, second));
        peer.send(&packets::ack(PubComp, second));
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a", "-l", "-q", "2", "-c", "-i", "me"];
    Mqtt::publish(server.port()).args(args).stdin("1\n2\n").run().exits(0);
}

/// QoS 2 with a lost session: no message is dropped, and a warning explains the consequence.
#[test]
fn warns_of_possible_repeats() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::ExactlyOnce, b"1");
        peer.close();
        let mut peer = server.accept_session(V5);
        let (identifier, dup) = peer.expect_publish(V5, QoS::ExactlyOnce, b"1");
        assert!(!dup);
        peer.send(&packets::ack(PubRec, identifier));
        peer.expect(V5, &packets::ack(PubRel, identifier));
        peer.send(&packets::ack(PubComp, identifier));
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::publish(server.port()).args(["-t", "a", "-l", "-q", "2"]).stdin("1\n").run();
    run.exits(0).mentions("warning: the broker has lost the session: 1 QoS 2 message sent again");
}

/// QoS 0 and a lost connection: lines in flight may be lost, which is reported and fails the run.
#[test]
fn possible_loss_at_qos_0_is_reported() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::AtMostOnce, b"1");
        peer.close();
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::AtMostOnce, b"2");
        peer.expect_barrier_and_disconnect(V5);
    });
    let mut running = Mqtt::publish(server.port()).args(["-t", "a", "-l"]).open_stdin().spawn();
    running.write("1\n").wait_for_stderr("connected again");
    running.write("2\n");
    running.finish().exits(1).mentions("warning: the last 1 message, sent at QoS 0, may be lost");
}

/// A refused line is reported by its number; the others are delivered, and the exit status is a failure.
#[test]
fn lines_after_a_refused_one_are_sent() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        take(&mut peer, V5, b"1");
        let (second, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"2");
        peer.send(&packets::ack_with(PubAck, second, 0x97));
        let (third, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"3");
        peer.send(&packets::ack_with(PubAck, third, 0x99));
        take(&mut peer, V5, b"4");
        peer.expect_disconnect(V5);
    });
    lines(server.port(), V5).stdin("1\n2\n3\n4\n").run().exits(0x97).says(
        "mqtt: line 2: publish refused: Quota exceeded (0x97)\n\
         mqtt: line 3: publish refused: Payload format invalid (0x99)\n",
    );
}

/// A line that exceeds the server's maximum fails alone, without repeated connections.
#[test]
fn lines_after_a_too_long_one_are_sent() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack_with(&[(PropertyId::MaximumPacketSize, Value::Number(30))]));
        take(&mut peer, V5, b"short");
        take(&mut peer, V5, b"last");
        peer.expect_disconnect(V5);
    });
    let input = format!("short\n{}\nlast\n", "x".repeat(100));
    lines(server.port(), V5)
        .stdin(input)
        .run()
        .exits(149)
        .mentions("mqtt: line 2: publish not sent: Packet too large");
}

/// A refusal after a lost connection ends the run, and undelivered messages are reported.
#[test]
fn refused_reconnect_ends_the_run() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::AtLeastOnce, b"1");
        peer.close();
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack(V5, false, 0x8A));
        peer.expect_end();
    });
    let run = lines(server.port(), V5).stdin("1\n").run();
    run.exits(138)
        .mentions("not acknowledged: 1 of 1 message sent")
        .mentions("connection refused: Banned (0x8A)");
}

/// The number of attempts is set by the user: with 0 the first loss ends the run.
#[test]
fn reconnect_never_is_respected() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::AtLeastOnce, b"1");
        peer.close();
        server.expect_no_connection();
    });
    let run = lines(server.port(), V5).args(["--reconnect", "never"]).stdin("1\n").run();
    run.exits(1).mentions("mqtt: the broker closed the connection");
}

/// The process ends by the signal, after DISCONNECT.
#[test]
fn a_signal_is_raised_again() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = Server::start(|server| {
            let mut peer = server.accept_session(V5);
            take(&mut peer, V5, b"1");
            peer.expect_disconnect(V5);
        });
        let mut running = lines(server.port(), V5).args(["-d"]).open_stdin().spawn();
        running.write("1\n").wait_for_stderr("received PUBACK");
        running.signal(signal);
        running.wait_for_end().dies_of(signal);
    }
}

/// A signal between two connections ends the run as well.
#[test]
fn a_signal_between_two_links() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::AtLeastOnce, b"1");
        server.close();
        peer.close();
    });
    let mut running = lines(server.port(), V5).open_stdin().spawn();
    running.write("1\n").wait_for_stderr("trying again");
    running.signal(Signal::TERM);
    running.wait_for_end().dies_of(Signal::TERM);
}

/// QoS 0 and a final loss of the connection: possible losses are reported too.
#[test]
fn possible_loss_is_reported_without_reconnecting() {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        for line in [b"1", b"2"] {
            peer.expect_publish(V5, QoS::AtMostOnce, line);
        }
        peer.close();
    });
    let mut running =
        Mqtt::publish(server.port()).args(["-t", "a", "-l", "--reconnect", "never"]).open_stdin().spawn();
    running.write("1\n2\n");
    running.wait_for_end().exits(1).mentions("the last 2 messages, sent at QoS 0, may be lost");
}

/// Lines have no limit while they come, since they may be endless; at their end they are like a one-shot.
#[test]
fn answer_that_never_comes_ends_the_run_after_the_last_line() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool").display().to_string();
    let off = [(PropertyId::ServerKeepAlive, Value::Number(0))];
    let puback = "did not answer PUBLISH with PUBACK within 1s";
    let any = "did not answer PUBLISH with an acknowledgement within 1s";
    let record = "{\"topic\":\"a\",\"payload\":\"x\",\"qos\":1}\n";
    for (args, input, text) in [
        (&["pub", "-t", "a", "-l", "-q", "1"][..], "1\n".to_owned(), puback),
        // More than the window.
        (&["pub", "-t", "a", "-l", "-q", "1", "-M", "2"], "1\n".repeat(50), puback),
        (&["pub", "-t", "a", "-l", "-q", "2"], "1".into(), "did not answer PUBLISH with PUBREC within 1s"),
        (&["pub", "--json"], record.into(), any),
        (&["pub", "-t", "a", "-l", "-q", "1", "--spool", &spool], "1\n".into(), any),
    ] {
        for connack in [packets::connack_with(&[]), packets::connack_with(&off)] {
            let server = Server::start(move |server| {
                let mut peer = server.accept();
                peer.expect_connect(V5);
                peer.send(&connack);
                peer.drain();
            });
            let port = server.port().to_string();
            let line = ["-h", "127.0.0.1", "-p", &port, "-V", "5", "--connect-timeout", "1s"];
            let run = Mqtt::new([&args[..1], &line, &args[1..]].concat()).stdin(input.as_bytes()).run();
            run.exits(1).mentions(text);
        }
    }
}
