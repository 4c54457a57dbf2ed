//! Servers that break the standard: every packet at every wrong time, every invalid use of every property.
//! The result is always a named error and the end, on MQTT 5 with DISCONNECT and the Reason Code.

use std::sync::mpsc;

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{Place, PropertyBlock, PropertyId, PropertyKind, Value};
use mqtt::protocol::reason::ReasonCode;
use mqtt::protocol::wire::{self, PacketType};
use rstest::rstest;

use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets::{self, Message};
use crate::support::server::{Peer, Server};
use crate::support::version;

/// Runs `mqtt sub` with `script`; returns the result, and the client's packets after that.
fn provoke(
    protocol: Protocol,
    args: &[&str],
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> (Outcome, Vec<Vec<u8>>) {
    let (sender, rest) = mpsc::channel();
    let server = Server::start(move |server| {
        let mut peer = server.accept();
        peer.expect_connect(protocol);
        script(&mut peer);
        sender.send(peer.rest()).unwrap();
    });
    let run = Mqtt::subscribe(server.port());
    let own = ["-V", version(protocol), "-t", "a", "-q", "2", "--reconnect", "never"];
    let outcome = run.args(own).args(args).run();
    (outcome, rest.recv().unwrap())
}

/// The first one may come from a network that corrupts bytes.
#[rstest]
fn packet_against_the_standard_ends_the_run_the_second_time(#[values(1, 2)] broken_links: usize) {
    let server = Server::start(move |server| {
        for _ in 0..broken_links {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            // QoS 3.
            peer.send(&[0x36, 2, 0, 0]);
            peer.drain();
        }
        if broken_links == 1 {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            peer.send(&Message::new("a", b"x").bytes(V5));
            peer.drain();
        }
    });
    let run =
        Mqtt::subscribe(server.port()).args(["-t", "a", "-C", "1", "--reconnect-max-delay", "50ms"]).run();
    match broken_links {
        1 => run.exits(0).prints("x\n"),
        _ => run.exits(1).mentions("protocol error: "),
    };
    server.finish();
}

/// The end of a connection after a protocol error: DISCONNECT with the Reason Code, or just the end.
#[track_caller]
fn refused(protocol: Protocol, what: &str, reason: u8, (outcome, rest): (Outcome, Vec<Vec<u8>>)) {
    let outcome = outcome.fails(1, "protocol error: ");
    let last = rest.last().map(Vec::as_slice);
    let disconnect = packets::disconnect(V5, reason);
    let good =
        if protocol == V5 { last == Some(&disconnect[..]) } else { last.is_none_or(|last| last[0] != 0xE0) };
    assert!(good, "{what}: {}, and its last packet is {last:x?}", outcome.stderr);
}

/// Packets that are invalid at any time after CONNACK: name, bytes for 3.1.1 and for 5, Reason Code.
fn always_wrong(protocol: Protocol) -> Vec<(&'static str, Vec<u8>, u8)> {
    let v5 = protocol == V5;
    let either = |v3: &[u8], with_properties: &[u8]| if v5 { with_properties.to_vec() } else { v3.to_vec() };
    let mut list = vec![
        ("CONNECT", b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0".to_vec(), 0x82),
        ("CONNACK", packets::connack(protocol, false, 0), 0x82),
        ("SUBSCRIBE", either(b"\x82\x06\0\x01\0\x01a\0", b"\x82\x07\0\x01\0\0\x01a\0"), 0x82),
        ("UNSUBSCRIBE", either(b"\xa2\x05\0\x01\0\x01a", b"\xa2\x06\0\x01\0\0\x01a"), 0x82),
        ("PINGREQ", vec![0xC0, 0], 0x82),
        ("packet type 0", vec![0, 0], 0x82),
        ("SUBACK nobody asked for", packets::suback(protocol, 999, &[0]), 0x82),
        ("UNSUBACK nobody asked for", packets::unsuback(protocol, 999, &[0]), 0x82),
        ("Remaining Length of five bytes", vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1], 0x81),
        ("QoS 3", vec![0x36, 6, 0, 1, b'a', 0, 1, 0], 0x81),
        ("topic longer than its packet", vec![0x30, 3, 0, 9, b'a'], 0x81),
        ("PUBLISH of one byte", vec![0x30, 1, 0], 0x81),
        ("PUBLISH with packet identifier 0", vec![0x32, 6, 0, 1, b'a', 0, 0, 0], 0x82),
        ("empty topic", either(&[0x30, 2, 0, 0], &[0x30, 3, 0, 0, 0]), 0x82),
        ("PUBREL with wrong flags", vec![0x60, 2, 0, 1], 0x81),
        ("PINGRESP with a body", vec![0xD0, 1, 0], 0x81),
        ("PINGRESP with flags", vec![0xD1, 0], 0x81),
    ];
    for name in [&b"a/+"[..], b"#"] {
        let head = [0x30, u8::try_from(name.len()).unwrap() + 3, 0, u8::try_from(name.len()).unwrap()];
        let bytes = [&head[..], name, if v5 { b"\0" } else { b"x" }].concat();
        list.push(("a topic with wildcards", bytes, 0x81)); // [MQTT-3.3.2-2]
    }
    for packet in [0x40, 0x50, 0x62, 0x70] {
        list.push(("packet identifier 0", vec![packet, 2, 0, 0], 0x82));
        list.push(("acknowledgement of one byte", vec![packet, 1, 0], 0x81));
    }
    if v5 {
        list.push(("DUP at QoS 0", vec![0x38, 4, 0, 1, b'a', 0], 0x81));
        list.push(("alias, and none is allowed", vec![0x30, 6, 0, 0, 3, 35, 0, 1], 0x94));
        list.push(("properties longer than the packet", vec![0x30, 4, 0, 1, b'a', 50], 0x81));
        list.push((
            "length of properties over five bytes",
            b"\x30\x08\0\x01a\xff\xff\xff\xff\x01".to_vec(),
            0x81,
        ));
        list.push(("unknown property", vec![0x30, 6, 0, 1, b'a', 2, 0x77, 0], 0x81));
        list.push(("bytes behind the properties", vec![0x40, 5, 0, 1, 0, 0, 9], 0x81));
    } else {
        list.push(("DISCONNECT", vec![0xE0, 0], 0));
        list.push(("AUTH", vec![0xF0, 0], 0));
        list.push(("UNSUBACK with Reason Codes", vec![0xB0, 3, 0, 1, 0x80], 0));
    }
    list
}

#[rstest]
fn protocol_errors_before_suback(#[values(V3_1_1, V5)] protocol: Protocol) {
    for (what, bytes, reason) in always_wrong(protocol) {
        let end = provoke(protocol, &[], move |peer| {
            peer.send(&packets::connack(protocol, false, 0));
            peer.expect_subscribe(protocol);
            peer.send(&bytes);
        });
        refused(protocol, what, reason, end);
    }
}

/// Also byte by byte, and in one write with valid packets, which are delivered.
#[rstest]
fn protocol_errors_after_suback_and_messages(#[values(V3_1_1, V5)] protocol: Protocol) {
    for (what, bytes, reason) in always_wrong(protocol) {
        let (outcome, rest) = provoke(protocol, &[], move |peer| {
            peer.send(&packets::connack(protocol, false, 0));
            peer.grant_subscription(protocol);
            let good = Message::new("a", b"good").at(QoS::AtLeastOnce, 7).bytes(protocol);
            peer.send(&[&good[..], &bytes[..1]].concat());
            peer.expect(protocol, &packets::ack(PacketType::PubAck, 7));
            peer.send_bytewise(&bytes[1..]);
        });
        assert_eq!(outcome.stdout, b"good\n", "{what}");
        let outcome = outcome.exits(1).mentions("protocol error: ");
        let last = rest.last().map(Vec::as_slice);
        let disconnect = packets::disconnect(V5, reason);
        assert!(protocol != V5 || last == Some(&disconnect), "{what}: {}: {last:x?}", outcome.stderr);
    }
}

/// Only a CONNACK answers CONNECT.
#[rstest]
fn other_packets_than_connack_are_refused(#[values(V3_1_1, V5)] protocol: Protocol) {
    let answers = always_wrong(protocol).into_iter().filter(|(what, ..)| *what != "CONNACK");
    for (what, bytes, _) in answers {
        let (outcome, _) = provoke(protocol, &["--reconnect", "never"], move |peer| peer.send(&bytes));
        let first = outcome.stderr.lines().next().unwrap_or_default().to_owned();
        let named = first.starts_with("mqtt: the broker") || first.starts_with("mqtt: protocol error: ");
        assert!(named, "{what}: {first}");
        outcome.exits(1);
    }
}

/// An answer without a request has no effect.
#[rstest]
fn responses_without_a_request_are_refused(#[values(V3_1_1, V5)] protocol: Protocol) {
    let (outcome, rest) = provoke(protocol, &["-C", "1"], move |peer| {
        peer.send(&packets::connack(protocol, false, 0));
        for packet in [PacketType::PubAck, PacketType::PubComp] {
            peer.send(&packets::ack(packet, 99));
        }
        peer.send(&packets::pingresp());
        peer.grant_subscription(protocol);
        peer.send(&packets::ack(PacketType::PubRec, 99));
        peer.send(&packets::ack(PacketType::PubRel, 98));
        peer.send(&Message::new("a", b"x").bytes(protocol));
    });
    outcome.succeeds().prints("x\n");
    // So that the server can end the exchange that it expects.
    assert_eq!((rest[0][0], rest[1][0]), (0x62, 0x70), "{rest:x?}");
    if protocol == V5 {
        assert_eq!((rest[0][4], rest[1][4]), (0x92, 0x92), "{rest:x?}");
    }
}

/// After the client's DISCONNECT the work is done.
#[rstest]
fn bytes_after_disconnect_are_ignored(#[values(V3_1_1, V5)] protocol: Protocol) {
    for (_, bytes, _) in always_wrong(protocol) {
        let (outcome, _) = provoke(protocol, &["-E"], move |peer| {
            peer.send(&packets::connack(protocol, false, 0));
            peer.grant_subscription(protocol);
            assert_eq!(peer.packet()[0], 0xE0);
            peer.send(&bytes);
        });
        outcome.succeeds();
    }
}

#[rstest]
fn suback_with_the_wrong_count(#[values(V3_1_1, V5)] protocol: Protocol) {
    for codes in [&[][..], &[0, 0], &[0; 50]] {
        let end = provoke(protocol, &[], move |peer| {
            peer.send(&packets::connack(protocol, false, 0));
            let (identifier, _) = peer.expect_subscribe(protocol);
            peer.send(&packets::suback(protocol, identifier, codes));
        });
        refused(protocol, "SUBACK", 0x82, end);
    }
}

/// A command that connects: its arguments, and whether it reports the error on standard error.
type Way = (&'static [&'static str], bool);

/// The clients of `pub` and `sub`, of `bench` and of `will-test`.
const WAYS: [Way; 3] = [
    (&["sub", "-t", "a", "-q", "2"], true),
    (&["bench", "conn", "--clients", "1", "--hold", "10ms"], true),
    (&["will-test", "--case", "close"], false),
];

/// CONNACKs that are never valid.
#[test]
fn impossible_connack_is_a_protocol_error() {
    let method = (PropertyId::AuthenticationMethod, Value::Text("SCRAM-SHA-1"));
    let data = (PropertyId::AuthenticationData, Value::Binary(b"x"));
    for (protocol, what, bytes, reason) in [
        (V5, "Session Present", packets::connack(V5, true, 0), 0x82),
        (V3_1_1, "Session Present", packets::connack(V3_1_1, true, 0), 0),
        (V5, "enhanced authentication, which was not requested", packets::connack_with(&[method]), 0x82),
        (V5, "enhanced authentication, which was not requested", packets::connack_with(&[data]), 0x82),
        (V5, "unknown property", vec![0x20, 5, 0, 0, 2, 0x77, 0], 0x81),
        (V5, "reserved acknowledge flags", vec![0x20, 3, 2, 0, 0], 0x81),
    ] {
        for (args, says) in WAYS {
            let (sender, rest) = mpsc::channel();
            let bytes = bytes.clone();
            let server = Server::start(move |server| {
                let mut peer = server.accept();
                server.close();
                peer.expect_connect(protocol);
                peer.send(&bytes);
                sender.send(peer.rest()).unwrap();
            });
            let to = ["-h", "127.0.0.1", "-p", &server.port().to_string(), "-V", version(protocol)];
            let outcome = Mqtt::new(args).args(to).run().exits(1);
            if says {
                outcome.mentions("protocol error: CONNACK: ").mentions(what);
            }
            let expected = if protocol == V5 { vec![packets::disconnect(V5, reason)] } else { vec![] };
            assert_eq!(rest.recv().unwrap(), expected, "{args:?}, {what}");
        }
    }
}

#[test]
fn aliases_out_of_range() {
    let publish = |topic: &'static str, alias: u32| {
        Message::new(topic, b"x").with(&[(PropertyId::TopicAlias, Value::Number(alias))]).bytes(V5)
    };
    for (what, bytes, reason) in [
        ("over the maximum", publish("a", 4), 0x94),
        ("never set", publish("", 2), 0x94),
        ("zero", publish("a", 0), 0x82),
    ] {
        let end = provoke(V5, &["-D", "connect", "topic-alias-maximum", "3"], move |peer| {
            peer.send(&packets::connack(V5, false, 0));
            peer.grant_subscription(V5);
            peer.send(&bytes);
        });
        refused(V5, what, reason, end);
    }
}

#[test]
fn messages_over_the_receive_maximum_are_refused() {
    let end = provoke(V5, &["-D", "connect", "receive-maximum", "2"], move |peer| {
        peer.send(&packets::connack(V5, false, 0));
        peer.grant_subscription(V5);
        let two =
            [1, 2, 3].map(|identifier| Message::new("a", b"x").at(QoS::ExactlyOnce, identifier).bytes(V5));
        peer.send(&two.concat());
    });
    let (outcome, rest) = end;
    outcome.exits(1).mentions("Receive Maximum of 2");
    assert_eq!(rest.last(), Some(&packets::disconnect(V5, 0x93)));
}

/// Refused by the header: no payload is stored.
#[rstest]
fn packets_that_are_too_large(#[values(V3_1_1, V5)] protocol: Protocol) {
    let end = provoke(protocol, &["--max-packet-size", "100"], move |peer| {
        peer.send(&packets::connack(protocol, false, 0));
        peer.grant_subscription(protocol);
        peer.send(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]);
    });
    refused(protocol, "PUBLISH of 256 MiB", 0x95, end);
}

/// An endless CONNACK is not collected.
#[rstest]
fn an_endless_connack(#[values(V3_1_1, V5)] protocol: Protocol) {
    let end = provoke(protocol, &[], move |peer| {
        peer.send(&[0x20, 0xFF, 0xFF, 0xFF, 0x7F]);
        peer.send(&vec![0; 100_000]);
    });
    refused(protocol, "CONNACK of 256 MiB", 0x95, end);
}

/// A property with the lowest value of its kind.
fn example(id: PropertyId) -> PropertyBlock {
    let mut block = PropertyBlock::default();
    block.push(
        id,
        match id.kind() {
            PropertyKind::Text => Value::Text("t"),
            PropertyKind::Binary => Value::Binary(b"b"),
            PropertyKind::Pair => Value::Pair("k", "v"),
            _ => Value::Number(1),
        },
    );
    block
}

/// Makes a packet with these properties.
type Carrier = fn(&[u8]) -> Vec<u8>;

/// Packets of a server that have properties.
fn carriers() -> Vec<(PacketType, Carrier)> {
    fn packet(first: u8, head: &[u8], properties: &[u8], tail: &[u8]) -> Vec<u8> {
        let length = u8::try_from(properties.len()).unwrap();
        let body = [head, &[length], properties, tail].concat();
        [&[first, u8::try_from(body.len()).unwrap()], &body[..]].concat()
    }
    vec![
        (PacketType::ConnAck, |p| packet(0x20, &[0, 0], p, &[])),
        (PacketType::Publish, |p| packet(0x30, &[0, 1, b'a'], p, b"x")),
        (PacketType::PubAck, |p| packet(0x40, &[0, 9, 0], p, &[])),
        (PacketType::PubRec, |p| packet(0x50, &[0, 9, 0], p, &[])),
        (PacketType::PubRel, |p| packet(0x62, &[0, 9, 0], p, &[])),
        (PacketType::PubComp, |p| packet(0x70, &[0, 9, 0], p, &[])),
        (PacketType::SubAck, |p| packet(0x90, &[0, 1], p, &[0])),
        (PacketType::UnsubAck, |p| packet(0xB0, &[0, 2], p, &[0])),
        (PacketType::Auth, |p| packet(0xF0, &[0x18], p, &[])),
        (PacketType::Disconnect, |p| packet(0xE0, &[0], p, &[])),
    ]
}

/// Every property in every packet: where it is not allowed, twice if only once is allowed, out of its range,
/// and cut off at every byte.
#[test]
fn malformed_properties() {
    for (packet, with) in carriers() {
        let place = Place::Packet(packet);
        let mut wrong: Vec<(String, Vec<u8>)> = Vec::new();
        for id in PropertyId::ALL.iter().copied() {
            let block = example(id);
            let (bytes, name) = (block.bytes(), id.name());
            if !id.allowed_in(place) {
                wrong.push((format!("{name} in {}", packet.name()), bytes.to_vec()));
                continue;
            }
            let mut twice = block.clone();
            twice.push(
                id,
                match id.kind() {
                    PropertyKind::Text => Value::Text("u"),
                    PropertyKind::Binary => Value::Binary(b"c"),
                    PropertyKind::Pair => Value::Pair("k", "w"),
                    _ => Value::Number(1),
                },
            );
            if twice.check(place).is_err() {
                wrong.push((format!("{name} twice in {}", packet.name()), twice.bytes().to_vec()));
            }
            match id.kind() {
                PropertyKind::Flag => wrong.push((format!("{name} 2"), vec![id as u8, 2])),
                PropertyKind::TwoNotZero => wrong.push((format!("{name} 0"), vec![id as u8, 0, 0])),
                PropertyKind::FourNotZero => wrong.push((format!("{name} 0"), vec![id as u8, 0, 0, 0, 0])),
                PropertyKind::Variable => wrong.push((format!("{name} 0"), vec![id as u8, 0])),
                PropertyKind::Text => wrong.push((format!("{name} not UTF-8"), vec![id as u8, 0, 1, 0xFF])),
                PropertyKind::Pair => {
                    wrong.push((format!("{name} not UTF-8"), vec![id as u8, 0, 1, 0xFF, 0, 0]));
                }
                PropertyKind::Byte | PropertyKind::Two | PropertyKind::Four | PropertyKind::Binary => {}
            }
            let cut = bytes[..bytes.len() - 1].to_vec();
            wrong.push((format!("{name} cut off in {}", packet.name()), cut));
        }
        for (what, properties) in wrong {
            let bytes = with(&properties);
            let reason = wire::decode(V5, &bytes).expect_err(&what).reason;
            assert!(matches!(reason, ReasonCode::MALFORMED_PACKET | ReasonCode::PROTOCOL_ERROR), "{what}");
            let args: &[&str] = if packet == PacketType::UnsubAck { &["-U", "b"] } else { &[] };
            let end = provoke(V5, args, move |peer| {
                if packet == PacketType::ConnAck {
                    return peer.send(&bytes);
                }
                peer.send(&packets::connack(V5, false, 0));
                if packet == PacketType::SubAck {
                    peer.expect_subscribe(V5);
                } else {
                    peer.grant_subscription(V5);
                }
                if packet == PacketType::UnsubAck {
                    assert_eq!(peer.packet()[0], 0xA2);
                }
                peer.send(&bytes);
            });
            refused(V5, &what, reason.0, end);
        }
    }
}

/// DISCONNECT is not an answer to CONNECT, not even with Reason Code 0x00, which was once taken as success.
#[test]
fn disconnect_instead_of_connack() {
    let (outcome, _) = provoke(V5, &["--reconnect", "never"], |peer| peer.send(&[0xE0, 2, 0, 0]));
    outcome.fails(1, "the broker ended the connection instead of answering CONNECT");
    let (outcome, _) = provoke(V5, &[], |peer| peer.send(&[0xE0, 1, 0x8B]));
    outcome.fails(0x8B, "connection refused: Server shutting down");
}

/// A subscription that 3.1.1 refuses, with its only code, ends the run instead of being tried repeatedly.
#[test]
fn a_refused_subscription_is_not_tried_for_ever() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V3_1_1);
        let (identifier, _) = peer.expect_subscribe(V3_1_1);
        peer.send(&packets::suback(V3_1_1, identifier, &[0x80]));
        peer.expect_disconnect(V3_1_1);
        server.expect_no_connection();
    });
    let run = Mqtt::subscribe(server.port()).args(["-V", "311", "-t", "a", "-q", "1"]).run();
    run.fails(0x80, "subscription to 'a' refused");
    server.finish();
}

/// In bulk at QoS 0, occasional PINGREQs show how far the server has read. An answer to an earlier one says
/// nothing about later messages, and is not taken for the answer to the last one.
#[rstest]
fn earlier_pingresp_does_not_pass_the_barrier(#[values(V3_1_1, V5)] protocol: Protocol) {
    const LINES: usize = 30_000;
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        let (mut pings, mut messages) = (0, 0);
        while pings < 2 {
            match peer.packet()[0] >> 4 {
                3 => messages += 1,
                12 => pings += 1,
                other => panic!("packet type {other}"),
            }
            assert!(pings == 0 || messages > 10_000, "asked too soon");
        }
        assert_eq!(messages, LINES);
        peer.send(&packets::pingresp());
        peer.close();
    });
    let run = Mqtt::publish(server.port()).args(["-V", version(protocol), "-t", "a", "-l"]);
    let run = run.args(["--reconnect", "never"]).stdin("x\n".repeat(LINES)).run();
    run.exits(1).mentions(&format!("the last {LINES} messages, sent at QoS 0, may be lost"));
    server.finish();
}

/// A server that ends no exchange and answers no PINGREQ, with a subscriber that has received and
/// acknowledged its message.
#[test]
fn a_subscriber_does_not_wait_for_a_silent_server() {
    let (outcome, rest) = provoke(V5, &["-C", "1", "--connect-timeout", "1h"], |peer| {
        peer.send(&packets::connack(V5, false, 0));
        peer.grant_subscription(V5);
        peer.send(&Message::new("a", b"x").at(QoS::ExactlyOnce, 1).bytes(V5));
    });
    outcome.succeeds().prints("x\n");
    let ack = packets::ack(PacketType::PubRec, 1);
    assert_eq!(rest, [ack, packets::pingreq(), packets::disconnect(V5, 0)]);
}

/// A broker that reads everything and answers no PINGREQ: whether the messages arrived is unknown.
#[test]
fn unanswered_barrier_is_a_failure() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::AtMostOnce, b"x");
        peer.expect(V5, &packets::pingreq());
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::publish(server.port()).args(["-t", "a", "-m", "x", "--connect-timeout", "1s"]).run();
    run.exits(1).mentions("did not answer the last PINGREQ within 1s");
}
