//! `mqtt pub` of one message: its packets on the wire.

use mqtt::protocol::Protocol::{self, V3_1, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::PacketType::{PubAck, PubComp, PubRec, PubRel};
use rstest::rstest;
use rustix::process::Signal;

use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::Server;
use crate::support::{Service, version};

/// At QoS 0 there is no acknowledgement, so the answer to a PINGREQ after the message shows that the server
/// has it.
#[rstest]
fn qos_0_is_followed_by_a_barrier(#[values(V3_1, V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.expect(protocol, &Message::new("a/b", b"23.4").bytes(protocol));
        peer.expect_barrier_and_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a/b", "-m", "23.4"];
    Mqtt::publish(server.port()).args(args).run().succeeds().prints("");
}

#[rstest]
fn qos_1_waits_for_its_acknowledgement(#[values(V3_1, V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.expect(protocol, &Message::new("a/b", b"23.4").at(QoS::AtLeastOnce, 1).bytes(protocol));
        peer.send(&packets::ack(PubAck, 1));
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a/b", "-m", "23.4", "-q", "1"];
    Mqtt::publish(server.port()).args(args).run().succeeds().prints("");
}

#[rstest]
fn qos_2_goes_all_four_steps(#[values(V3_1, V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.expect(protocol, &Message::new("a/b", b"23.4").at(QoS::ExactlyOnce, 1).bytes(protocol));
        peer.send(&packets::ack(PubRec, 1));
        peer.expect(protocol, &packets::ack(PubRel, 1));
        peer.send(&packets::ack(PubComp, 1));
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a/b", "-m", "23.4", "-q", "2"];
    Mqtt::publish(server.port()).args(args).run().succeeds().prints("");
}

#[rstest]
fn retained_messages_say_so(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        let message = Message::new("a", b"x").at(QoS::AtLeastOnce, 1).retained();
        peer.expect(protocol, &message.bytes(protocol));
        peer.send(&packets::ack(PubAck, 1));
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a", "-m", "x", "-q", "1", "-r"];
    Mqtt::publish(server.port()).args(args).run().succeeds();
}

/// Checks the payload that the rest of the command line produces.
#[track_caller]
fn publishes(payload: &'static [u8], command: impl FnOnce(Mqtt) -> Mqtt) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.expect(V5, &Message::new("a", payload).at(QoS::AtLeastOnce, 1).bytes(V5));
        peer.send(&packets::ack(PubAck, 1));
        peer.expect_disconnect(V5);
    });
    command(Mqtt::publish(server.port()).args(["-t", "a", "-q", "1"])).run().succeeds().prints("");
}

#[test]
fn a_message_without_payload() {
    publishes(b"", |mqtt| mqtt.args(["-n"]));
    publishes(b"", |mqtt| mqtt.args(["-m", ""]));
}

#[test]
fn a_message_that_looks_like_an_option() {
    publishes(b"-q", |mqtt| mqtt.args(["-m", "-q"]));
    publishes(b"-1.5", |mqtt| mqtt.args(["-m", "-1.5"]));
}

#[test]
fn a_message_that_is_not_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let bytes = b"\xff\xfe\x80 a";
    publishes(bytes, |mqtt| mqtt.args([OsStr::new("-m"), OsStr::from_bytes(bytes)]));
}

#[test]
fn standard_input_as_one_message() {
    publishes(b"a\0b\r\n\xff\n\n", |mqtt| mqtt.args(["-s"]).stdin(*b"a\0b\r\n\xff\n\n"));
    publishes(b"", |mqtt| mqtt.args(["-s"]));
}

#[test]
fn a_file_as_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("message with a name.bin");
    let every_byte: &'static [u8] = (0..=255).collect::<Vec<u8>>().leak();
    std::fs::write(&file, every_byte).unwrap();
    publishes(every_byte, |mqtt| mqtt.args(["-f".as_ref(), file.as_os_str()]));
    std::fs::write(&file, "").unwrap();
    publishes(b"", |mqtt| mqtt.args(["-f".as_ref(), file.as_os_str()]));
}

#[test]
fn a_message_of_a_mebibyte() {
    let payload: &'static [u8] = (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect::<Vec<u8>>().leak();
    publishes(payload, |mqtt| mqtt.args(["-s"]).stdin(payload));
}

#[rstest]
fn repeats_come_one_after_another(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        for _ in 0..3 {
            let (identifier, dup) = peer.expect_publish(protocol, QoS::AtLeastOnce, b"x");
            assert!(!dup);
            peer.send(&packets::ack(PubAck, identifier));
        }
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a", "-m", "x", "-q", "1"];
    let repeat = ["--repeat", "3", "--repeat-delay", "20ms"];
    Mqtt::publish(server.port()).args(args).args(repeat).run().succeeds();
}

/// A signal ends the run after the server has reported how far it has read: messages that arrived are not
/// reported as lost.
#[test]
fn signal_asks_for_what_was_sent_at_qos_0() {
    let (arrived, has_arrived) = std::sync::mpsc::channel();
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::AtMostOnce, b"x");
        peer.expect_publish(V5, QoS::AtMostOnce, b"x");
        arrived.send(()).unwrap();
        let mut packets = std::iter::from_fn(move || {
            let packet = peer.packet();
            (packet != packets::pingreq()).then_some(packet).or_else(|| {
                peer.send(&packets::pingresp());
                peer.expect_disconnect(V5);
                None
            })
        });
        assert_eq!(packets.find(|packet| packet[0] >> 4 != 3), None, "no more than messages");
    });
    let args = ["-t", "a", "-m", "x", "--repeat", "1000000", "--repeat-delay", "1ms"];
    let running = Mqtt::publish(server.port()).args(args).spawn();
    has_arrived.recv().unwrap();
    running.signal(Signal::TERM);
    let outcome = running.wait_for_end();
    server.finish();
    outcome.does_not_mention("may be lost").does_not_mention("not acknowledged");
}

/// With a delay, a repeat waits for the acknowledgement of the previous message: PINGREQ arrives, and the
/// next message does not.
#[test]
fn a_delayed_repeat_waits_for_the_acknowledgement() {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        let (first, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"x");
        peer.expect(V5, &packets::pingreq());
        peer.send(&packets::pingresp());
        peer.send(&packets::ack(PubAck, first));
        let (second, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"x");
        peer.send(&packets::ack(PubAck, second));
        peer.expect_disconnect(V5);
    });
    let args = ["-t", "a", "-m", "x", "-q", "1", "--repeat", "2", "--repeat-delay", "1ms", "-k", "1"];
    Mqtt::publish(server.port()).args(args).run().succeeds();
}

#[test]
fn properties_go_where_they_belong() {
    let server = Server::start(move |server| {
        let mut peer = server.accept();
        let connect = peer.expect_connect(V5);
        let Ok(mqtt::protocol::wire::Packet::Connect(connect)) = mqtt::protocol::wire::decode(V5, &connect)
        else {
            unreachable!()
        };
        let expected = packets::properties(&[
            (PropertyId::SessionExpiryInterval, Value::Number(30)),
            (PropertyId::MaximumPacketSize, Value::Number(5000)),
            (PropertyId::UserProperty, Value::Pair("who", "me")),
            (PropertyId::ReceiveMaximum, Value::Number(7)),
        ]);
        assert_eq!(connect.properties.block(), expected.bytes());
        peer.send(&packets::connack(V5, false, 0));
        let message = Message::new("a", b"x").at(QoS::AtLeastOnce, 1).with(&[
            (PropertyId::ContentType, Value::Text("text/plain")),
            (PropertyId::UserProperty, Value::Pair("k", "1")),
            (PropertyId::UserProperty, Value::Pair("k", "2")),
            (PropertyId::CorrelationData, Value::Binary(b"id")),
            (PropertyId::MessageExpiryInterval, Value::Number(60)),
            (PropertyId::PayloadFormatIndicator, Value::Number(1)),
            (PropertyId::ResponseTopic, Value::Text("r")),
        ]);
        peer.expect(V5, &message.bytes(V5));
        peer.send(&packets::ack(PubAck, 1));
        let mut disconnect = vec![0xE0, 0, 0, 0];
        let block = packets::properties(&[(PropertyId::ReasonString, Value::Text("done"))]);
        disconnect.extend_from_slice(block.bytes());
        disconnect[1] = u8::try_from(disconnect.len() - 2).unwrap();
        disconnect[3] = u8::try_from(block.bytes().len()).unwrap();
        peer.expect(V5, &disconnect);
        peer.expect_end();
    });
    let args = ["-t", "a", "-m", "x", "-q", "1", "-x", "30", "--max-packet-size", "5000"];
    let properties = [
        "-D",
        "connect",
        "user-property",
        "who",
        "me",
        "-D",
        "CONNECT",
        "receive-maximum",
        "7",
        "-D",
        "publish",
        "content-type",
        "text/plain",
        "-D",
        "publish",
        "user-property",
        "k",
        "1",
        "-D",
        "publish",
        "User-Property",
        "k",
        "2",
        "-D",
        "publish",
        "correlation-data",
        "id",
        "-D",
        "publish",
        "message-expiry-interval",
        "60",
        "-D",
        "publish",
        "payload-format-indicator",
        "1",
        "-D",
        "publish",
        "response-topic",
        "r",
        "-D",
        "disconnect",
        "reason-string",
        "done",
    ];
    Mqtt::publish(server.port()).args(args).args(properties).run().succeeds();
}

/// The server announces its limits in CONNACK: the message is not sent.
#[test]
fn messages_over_the_brokers_limits_are_not_sent() {
    let cases: [(_, _, &[&str], i32, &str); 3] = [
        (PropertyId::MaximumQos, 1, &["-m", "x", "-q", "2"], 155, "the broker's Maximum QoS is 1"),
        (PropertyId::RetainAvailable, 0, &["-m", "x", "-q", "1", "-r"], 154, "Retain not supported"),
        (PropertyId::MaximumPacketSize, 20, &["-m", "0123456789abcdef", "-q", "1"], 149, "Packet too large"),
    ];
    for (id, value, args, code, text) in cases {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&packets::connack_with(&[(id, Value::Number(value))]));
            peer.expect_disconnect(V5);
        });
        Mqtt::publish(server.port()).args(["-t", "a"]).args(args).run().fails(code, text);
    }
}

#[test]
fn a_refused_message_is_a_failure() {
    for (qos, answer, text) in [
        ("1", packets::ack_with(PubAck, 1, 0x87), "publish refused: Not authorized (0x87)"),
        ("2", packets::ack_with(PubRec, 1, 0x87), "publish refused: Not authorized (0x87)"),
        ("1", vec![0x40, 10, 0, 1, 0x87, 6, 31, 0, 3, b'n', b'o', b'!'], "(0x87): no!"),
    ] {
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.packet();
            peer.send(&answer);
            peer.expect_disconnect(V5);
        });
        Mqtt::publish(server.port()).args(["-t", "a", "-m", "x", "-q", qos]).run().fails(135, text);
    }
}

/// A message without a subscriber is not a failure.
#[test]
fn no_matching_subscribers() {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.packet();
        peer.send(&packets::ack_with(PubAck, 1, 0x10));
        peer.expect_disconnect(V5);
    });
    Mqtt::publish(server.port()).args(["-t", "a", "-m", "x", "-q", "1"]).run().succeeds();
}

/// A single message is not sent again automatically: the run fails.
#[rstest]
fn a_lost_link_is_a_failure(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.packet();
        peer.close();
    });
    let args = ["-V", version(protocol), "-t", "a", "-m", "x", "-q", "1"];
    Mqtt::publish(server.port()).args(args).run().fails(1, "mqtt: the broker closed the connection");
}

#[rstest]
fn asked_to_reconnect_it_sends_again(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.expect(protocol, &Message::new("a", b"x").at(QoS::AtLeastOnce, 1).bytes(protocol));
        peer.close();
        let mut peer = server.accept_kept_session(protocol);
        peer.expect(protocol, &Message::new("a", b"x").at(QoS::AtLeastOnce, 1).dup().bytes(protocol));
        peer.send(&packets::ack(PubAck, 1));
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a", "-m", "x", "-q", "1", "--reconnect", "always"];
    let session = ["-c", "-i", "me"];
    Mqtt::publish(server.port()).args(args).args(session).run().exits(0).mentions("trying again");
}

/// QoS 0 and a connection lost before the barrier is answered: whether the message arrived is unknown.
#[test]
fn publish_with_unanswered_barrier_fails() {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.packet();
        peer.expect(V5, &packets::pingreq());
        peer.close();
    });
    Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).run().fails(1, "closed the connection");
}

/// The user's timeout limits the wait for acknowledgements.
#[test]
fn the_time_limit_ends_the_wait() {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::AtLeastOnce, b"x");
        peer.expect_disconnect(V5);
    });
    let args = ["-t", "a", "-m", "x", "-q", "1", "-W", "300ms"];
    Mqtt::publish(server.port()).args(args).run().fails(27, "timed out after 300ms");
}

/// A closed input is not an empty message, which would clear a retained message.
#[test]
fn a_closed_standard_input_is_an_error() {
    let broker = Broker::start();
    broker.publish().args(["-t", "keep", "-r", "-q", "1", "-m", "value"]).run().succeeds();
    for source in ["-s", "-l"] {
        let run = broker.publish().args(["-t", "keep", "-r", "-q", "1", source]).behind("exec <&-").run();
        run.fails(1, "cannot read standard input: it is closed");
    }
    broker.subscribe().args(["-t", "keep", "-C", "1", "-F", "%p"]).run().prints("value\n");
    let null = ["-t", "keep", "-r", "-q", "1", "-s"];
    broker.publish().args(null).behind("exec </dev/null").run().succeeds();
    broker.subscribe().args(["-t", "keep", "--retained-only"]).run().prints("");
}
