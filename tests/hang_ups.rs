//! Brokers that end the connection repeatedly: at a packet that they do not accept, or because of another
//! client with the same identifier.

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::{self, Packet, PacketType};
use rstest::rstest;
use rustix::process::Signal;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::{Peer, Server};
use crate::support::version;

const SOON: [&str; 2] = ["--reconnect-max-delay", "10ms"];

/// A broker that accepts three sessions and ends each with `end`; a fourth would be a failure.
fn ends_three_links(protocol: Protocol, end: impl Fn(&mut Peer) + Send + 'static) -> Server {
    Server::start(move |server| {
        for _ in 0..3 {
            let mut peer = server.accept_session(protocol);
            end(&mut peer);
            peer.close();
        }
    })
}

/// NATS closes the connection at QoS 2.
#[rstest]
fn qos_2_that_is_not_taken_ends_the_run(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = ends_three_links(protocol, |peer| drop(peer.packet()));
    let args = ["-V", version(protocol), "-t", "a", "-l", "-q", "2"];
    let run = Mqtt::publish(server.port()).args(args).args(SOON).stdin("x\n").run();
    let cause = "mqtt: the broker has ended the connection 3 times in a row at the same packet: PUBLISH (QoS 2, packet identifier ";
    run.exits(1).mentions(cause).mentions("it may not support QoS 2: try -q 1");
    server.finish();
}

/// Whatever reason the broker gives: a broker in maintenance accepts no connection for long.
#[rstest]
fn packet_that_ends_each_link_ends_the_run_whatever_the_reason(#[values(0x88, 0x8B, 0x97)] reason: u8) {
    let server = ends_three_links(V5, move |peer| {
        peer.packet();
        peer.send(&packets::disconnect(V5, reason));
    });
    let args = ["-V", "5", "-t", "a", "-l", "-q", "1"];
    let run = Mqtt::publish(server.port()).args(args).args(SOON).stdin("x\n").run();
    run.exits(1).mentions("ended the connection 3 times in a row at the same packet: PUBLISH (QoS 1, packet");
    server.finish();
}

/// A broker that gives the reason for the end is tried again if it had nothing to answer, or a PINGREQ, which that
/// answers.
#[rstest]
#[case::nothing_outstanding(6, &[])]
#[case::at_each_pingreq(4, &["-k", "1"])]
fn broker_that_shuts_down_is_tried_again(#[case] times: usize, #[case] keep_alive: &[&str]) {
    let is_pinged = !keep_alive.is_empty();
    let server = Server::start(move |server| {
        for _ in 0..times {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            if is_pinged {
                assert_eq!(peer.packet(), packets::pingreq());
            }
            peer.send(&packets::disconnect(V5, 0x8B));
            peer.close();
        }
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&Message::new("a", b"x").bytes(V5));
        peer.expect_disconnect(V5);
    });
    let args = ["-V", "5", "-t", "a", "-C", "1"];
    Mqtt::subscribe(server.port()).args(args).args(keep_alive).args(SOON).run().exits(0).prints("x\n");
    server.finish();
}

/// More messages at once than it accepts.
#[rstest]
fn window_that_is_not_taken_ends_the_run(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = ends_three_links(protocol, |peer| (0..10).for_each(|_| drop(peer.packet())));
    let args = ["-V", version(protocol), "-t", "a", "-l", "-q", "1", "-M", "10"];
    let lines: String = (0..50).map(|number| format!("{number}\n")).collect();
    let run = Mqtt::publish(server.port()).args(args).args(SOON).stdin(lines).run().exits(1);
    run.mentions("3 times in a row with the same 10 messages in flight: PUBLISH (QoS 1, packet identifiers ")
        .mentions("it may accept fewer than 10 messages in flight: try -M 1 (--max-inflight)");
    server.finish();
}

/// MQTT 3.1.1 cannot report that a packet is too large.
#[test]
fn large_packet_that_is_not_taken_ends_the_run() {
    let server = ends_three_links(V3_1_1, |peer| drop(peer.packet()));
    let args = ["-V", "311", "-t", "a", "-l", "-q", "1"];
    let run = Mqtt::publish(server.port()).args(args).args(SOON).stdin("x".repeat(100_000)).run();
    run.exits(1).mentions(", 100009 bytes)").mentions("it may not accept packets of 100009 bytes");
    server.finish();
}

/// The PUBLISH is accepted, its PUBREL is not.
#[test]
fn pubrel_that_is_not_taken_ends_the_run() {
    let server = ends_three_links(V5, |peer| {
        let (identifier, _) = peer.expect_publish(V5, QoS::ExactlyOnce, b"x");
        peer.send(&packets::ack(PacketType::PubRec, identifier));
        peer.packet();
    });
    let args = ["-V", "5", "-t", "a", "-l", "-q", "2"];
    let run = Mqtt::publish(server.port()).args(args).args(SOON).stdin("x\n").run();
    run.exits(1).mentions("at the same packet: PUBREL (QoS 2, packet identifier ");
    server.finish();
}

/// A broker that keeps the session continues it, and a bad network may end many connections first.
#[test]
fn kept_session_is_given_more_links() {
    let server = Server::start(|server| {
        for _ in 0..6 {
            let mut peer = server.accept_kept_session(V5);
            peer.expect_publish(V5, QoS::AtLeastOnce, b"x");
            peer.close();
        }
        let mut peer = server.accept_kept_session(V5);
        let (identifier, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"x");
        peer.send(&packets::ack(PacketType::PubAck, identifier));
        peer.expect_disconnect(V5);
    });
    let args = ["-V", "5", "-t", "a", "-l", "-q", "1", "-c", "-i", "me"];
    Mqtt::publish(server.port()).args(args).args(SOON).stdin("x\n").run().exits(0);
    server.finish();
}

#[rstest]
fn subscribe_that_ends_each_link_ends_the_run(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = ends_three_links(protocol, |peer| drop(peer.packet()));
    let args = ["-V", version(protocol), "-t", "a"];
    let run = Mqtt::subscribe(server.port()).args(args).args(SOON).run();
    run.exits(1).mentions("at the same packet: SUBSCRIBE (packet identifier ");
    server.finish();
}

/// Each attempt may repeat the work of the request.
#[test]
fn request_that_ends_each_link_ends_the_run() {
    let server = ends_three_links(V5, |peer| {
        peer.grant_subscription(V5);
        // A PINGREQ sent after it may arrive first.
        while peer.packet()[0] >> 4 != 3 {
            peer.send(&packets::pingresp());
        }
    });
    let args = ["rr", "-h", "127.0.0.1", "-p", &server.port().to_string(), "-V", "5", "-t", "a", "-m", "x"];
    let run = Mqtt::new(args).args(["-e", "b", "--reconnect", "100", "-W", "100"]).args(SOON).run();
    run.exits(1).mentions("at the same packet: PUBLISH (QoS 0), the request");
    server.finish();
}

/// Any answer in between is progress: a bad network differs from a broker that refuses.
#[test]
fn links_that_bring_progress_are_made_again() {
    const LINES: usize = 8;
    let server = Server::start(|server| {
        for _ in 0..LINES {
            let mut peer = server.accept_session(V3_1_1);
            let packet = peer.packet();
            peer.send(&packets::ack(PacketType::PubAck, u16::from_be_bytes([packet[5], packet[6]])));
            peer.packet();
            peer.close();
        }
        let mut peer = server.accept_session(V3_1_1);
        let packet = peer.packet();
        peer.send(&packets::ack(PacketType::PubAck, u16::from_be_bytes([packet[5], packet[6]])));
        peer.expect_disconnect(V3_1_1);
    });
    let lines: String = (0..=LINES).map(|number| format!("{number}\n")).collect();
    let args = ["-V", "311", "-t", "a", "-l", "-q", "1", "-M", "1"];
    Mqtt::publish(server.port()).args(args).args(SOON).stdin(lines).run().exits(0);
    server.finish();
}

/// 3.1.1 only shows that the connection is closed, during traffic or right after it.
#[test]
fn another_client_with_the_same_identifier_is_suspected() {
    for identifier in [Some("same"), None] {
        let server = Server::start(|server| {
            for _ in 0..5 {
                let mut peer = server.accept_session(V3_1_1);
                peer.grant_subscription(V3_1_1);
                peer.send(&Message::new("a", b"x").bytes(V3_1_1));
                peer.close();
            }
            let mut peer = server.accept_session(V3_1_1);
            peer.grant_subscription(V3_1_1);
            peer.send(&Message::new("a", b"y").bytes(V3_1_1));
            peer.expect_disconnect(V3_1_1);
        });
        let args = ["-V", "311", "-t", "a", "-C", "6"];
        let named = identifier.map(|identifier| ["-i", identifier]);
        let run = Mqtt::subscribe(server.port()).args(args).args(SOON).args(named.iter().flatten()).run();
        let count = run.exits(0).stderr.matches("the same client identifier").count();
        assert_eq!(count, usize::from(identifier.is_some()));
        server.finish();
    }
}

/// The PINGREQ that detects the end of retained messages; an answered subscription before it is not progress.
#[rstest]
fn pingreq_that_is_not_taken_ends_the_run(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = ends_three_links(protocol, move |peer| {
        loop {
            let packet = peer.packet();
            match packet[0] >> 4 {
                8 => {
                    let (identifier, codes) = (u16::from_be_bytes([packet[2], packet[3]]), [0]);
                    peer.send(&packets::suback(protocol, identifier, &codes));
                }
                12 => break,
                _ => {}
            }
        }
    });
    let args = ["-V", version(protocol), "-t", "a", "--retained-only"];
    let run = Mqtt::subscribe(server.port()).args(args).args(SOON).run();
    run.exits(1).mentions("3 times in a row at the same packet: PINGREQ");
    server.finish();
}

/// A request of each QoS, on connections whose subscription is answered.
#[rstest]
fn request_that_is_not_taken_ends_the_run(
    #[values(V3_1_1, V5)] protocol: Protocol,
    #[values("0", "1", "2")] qos: &str,
) {
    let server = ends_three_links(protocol, move |peer| {
        peer.grant_subscription(protocol);
        assert_eq!(peer.packet()[0] >> 4, 3);
    });
    let port = server.port().to_string();
    let line = ["rr", "-h", "127.0.0.1", "-p", &port, "-V", version(protocol), "--reconnect", "always"];
    let run = Mqtt::new(line).args(["-t", "a", "-e", "b", "-m", "x", "-q", qos]).args(SOON).run();
    run.exits(1).mentions(&format!("3 times in a row at the same packet: PUBLISH (QoS {qos}), the request"));
    server.finish();
}

/// The SUBSCRIBE is answered on each connection, without progress of the run.
#[rstest]
fn unsubscribe_that_is_not_taken_ends_the_run(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = ends_three_links(protocol, move |peer| {
        peer.grant_subscription(protocol);
        while peer.packet()[0] >> 4 != 10 {}
    });
    let args = ["-V", version(protocol), "-t", "a", "-U", "b"];
    let run = Mqtt::subscribe(server.port()).args(args).args(SOON).run();
    run.exits(1).mentions("3 times in a row at the same packet: UNSUBSCRIBE (packet identifier ");
    server.finish();
}

/// An idle subscriber sends no other packet.
#[rstest]
fn pingreq_of_an_idle_subscriber_that_is_not_taken_ends_the_run(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = ends_three_links(protocol, move |peer| {
        peer.grant_subscription(protocol);
        assert_eq!(peer.packet(), packets::pingreq());
    });
    let args = ["-V", version(protocol), "-t", "a", "-k", "1"];
    let run = Mqtt::subscribe(server.port()).args(args).args(SOON).run();
    run.exits(1).mentions("3 times in a row at the same packet: PINGREQ");
    server.finish();
}

/// A broker can only close the connection at a QoS 0 message that the client may not publish.
#[rstest]
fn qos_0_message_that_is_not_taken_ends_the_run(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = ends_three_links(protocol, |peer| drop(peer.packet()));
    let args = ["-V", version(protocol), "-t", "a", "--repeat", "forever", "--interval", "10ms", "-m", "x"];
    let run = Mqtt::publish(server.port()).args(args).args(["--reconnect", "always"]).args(SOON).run();
    run.exits(1)
        .mentions("ended the connection 3 times in a row soon after PUBLISH (QoS 0, topic 'a')")
        .mentions("with -q 1 a broker that speaks MQTT 5 answers with the reason");
    server.finish();
}

#[rstest]
fn qos_0_response_that_is_not_taken_ends_the_run(
    #[values(V3_1_1, V5)] protocol: Protocol,
    #[values(QoS::AtMostOnce, QoS::AtLeastOnce)] qos: QoS,
) {
    let server = ends_three_links(protocol, move |peer| {
        peer.grant_subscription(protocol);
        peer.send(&Message::new("a", b"x").at(qos, 7).bytes(protocol));
        assert_eq!(peer.packet()[0] >> 4, 3);
    });
    let args = ["-h", "127.0.0.1", "-p", &server.port().to_string(), "-V", version(protocol)];
    let run = Mqtt::new(["respond"]).args(args).args(["-t", "a", "-e", "b", "--echo"]).args(SOON).run();
    run.exits(1).mentions("ended the connection 3 times in a row soon after PUBLISH (QoS 0, topic 'b')");
    server.finish();
}

/// The same message arrives repeatedly. A bad network could look the same, so more connections are made.
#[rstest]
fn acknowledgement_that_is_not_taken_ends_the_run(
    #[values(V3_1_1, V5)] protocol: Protocol,
    #[values(QoS::AtLeastOnce, QoS::ExactlyOnce)] qos: QoS,
) {
    let server = Server::start(move |server| {
        for _ in 0..5 {
            let mut peer = server.accept_session(protocol);
            peer.grant_subscription(protocol);
            peer.send(&Message::new("a", b"x").at(qos, 7).bytes(protocol));
            peer.packet();
            peer.close();
        }
    });
    let args = ["-V", version(protocol), "-t", "a", "-q", "2"];
    let run = Mqtt::subscribe(server.port()).args(args).args(SOON).run().exits(1);
    let packet = if qos == QoS::AtLeastOnce { "PUBACK" } else { "PUBREC" };
    run.mentions(&format!("5 times in a row at the same packet: {packet} (packet identifier 7)"))
        .mentions("-q 0 receives messages without acknowledgements");
    server.finish();
}

/// Each PUBREC requires a PUBREL: the exchange would never end.
#[rstest]
fn pubrec_without_end_ends_the_run(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        let (identifier, _) = peer.expect_publish(protocol, QoS::ExactlyOnce, b"x");
        for _ in 0..17 {
            peer.send(&packets::ack(PacketType::PubRec, identifier));
            assert_eq!(peer.packet()[0], 0x62);
        }
        peer.send(&packets::ack(PacketType::PubRec, identifier));
        peer.drain();
    });
    let args = ["-V", version(protocol), "-t", "a", "-l", "-q", "2", "--reconnect", "never"];
    let run = Mqtt::publish(server.port()).args(args).stdin("x\n").run();
    run.exits(1).mentions("PUBREC: it answers PUBREL, again and again");
    server.finish();
}

/// The response is acknowledged on each connection, which is no progress of the request.
#[rstest]
fn acknowledgement_of_a_request_that_is_not_taken_ends_the_run(
    #[values(QoS::AtLeastOnce, QoS::ExactlyOnce)] qos: QoS,
    #[values("1", "2")] own_qos: &str,
) {
    let server = Server::start(move |server| {
        for _ in 0..5 {
            let mut peer = server.accept_session(V5);
            let (identifier, _) = peer.expect_subscribe(V5);
            peer.send(&packets::suback(V5, identifier, &[2]));
            let topic = [(PropertyId::ResponseTopic, Value::Text("r"))];
            peer.send(&Message::new("a", b"x").at(qos, 7).with(&topic).bytes(V5));
            loop {
                let packet = peer.packet();
                let identifier = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
                match packet[0] >> 4 {
                    3 if packet[0] & 0x06 == 2 => peer.send(&packets::ack(PacketType::PubAck, identifier(5))),
                    3 => peer.send(&packets::ack(PacketType::PubRec, identifier(5))),
                    6 => peer.send(&packets::ack(PacketType::PubComp, identifier(2))),
                    4 | 5 => break,
                    other => panic!("packet type {other}"),
                }
            }
            peer.close();
        }
    });
    let args =
        ["respond", "-h", "127.0.0.1", "-p", &server.port().to_string(), "-V", "5", "-t", "a", "--echo"];
    let run = Mqtt::new(args).args(["-q", own_qos]).args(SOON).run().exits(1);
    let packet = if qos == QoS::AtLeastOnce { "PUBACK" } else { "PUBREC" };
    run.mentions(&format!("5 times in a row at the same packet: {packet} (packet identifier 7)"));
    server.finish();
}

/// Answers everything until the client clears a retained message; returns the PUBLISH that does.
fn until_clear(peer: &mut Peer, protocol: Protocol, retained: &[u8]) -> Vec<u8> {
    loop {
        let packet = peer.packet();
        match packet[0] >> 4 {
            8 => {
                let Ok(Packet::Subscribe { packet_identifier, filters, .. }) =
                    wire::decode(protocol, &packet)
                else {
                    panic!("{packet:?}")
                };
                let granted: Vec<u8> = filters.iter().map(|filter| filter.qos as u8).collect();
                peer.send(&packets::suback(protocol, packet_identifier, &granted));
                if filters.iter().any(|filter| filter.filter == "a/#") {
                    peer.send(retained);
                }
            }
            12 => peer.send(&packets::pingresp()),
            // With RETAIN: the marker has none.
            3 if packet[0] & 1 == 1 => return packet,
            _ => {}
        }
    }
}

/// The subscription is answered on each connection, and the message is shown again.
#[rstest]
fn clear_that_is_not_taken_ends_the_run(
    #[values(V3_1_1, V5)] protocol: Protocol,
    #[values(QoS::AtMostOnce, QoS::AtLeastOnce)] qos: QoS,
    #[values(&[][..], &["--retained-only"])] more: &[&str],
) {
    let server = ends_three_links(protocol, move |peer| {
        // Other topics are the first to be cleared on each connection.
        let topic = if qos == QoS::AtMostOnce { format!("a/{}", fastrand::u32(..)) } else { "a/b".into() };
        let retained = Message::new(&topic, b"x").at(qos, 7).retained().bytes(protocol);
        until_clear(peer, protocol, &retained);
    });
    let args = ["-V", version(protocol), "-t", "a/#", "-q", "1", "--remove-retained"];
    let run = Mqtt::subscribe(server.port()).args(args).args(more).args(SOON).run().exits(1);
    run.mentions(
        "3 times in a row at the same packet: PUBLISH (QoS 1) that clears a retained message, topic 'a/",
    )
    .mentions("hint: this client may not have the right to publish to that topic; without --remove-retained");
    server.finish();
}

/// A broker that refuses each message and then closes the connection: each connection has one message less, and
/// with many of them there would be no end in sight.
#[rstest]
fn refused_clears_that_end_each_link_end_the_run(#[values(0x87, 0x97)] reason: u8) {
    let server = Server::start(move |server| {
        // The scan lists ten messages.
        let mut peer = server.accept_session(V5);
        while let Some(packet) = peer.next() {
            match wire::decode(V5, &packet).unwrap() {
                Packet::Subscribe { packet_identifier, filters, .. } => {
                    peer.send(&packets::suback(V5, packet_identifier, &vec![0; filters.iter().count()]));
                    let number = if filters.iter().any(|filter| filter.filter == "a/#") { 10 } else { 0 };
                    for number in 0..number {
                        let topic = format!("a/{number}");
                        peer.send(&Message::new(&topic, b"x").retained().bytes(V5));
                    }
                }
                Packet::Publish(marker) => {
                    let topic = std::str::from_utf8(marker.topic).unwrap();
                    peer.send(&Message::new(topic, marker.payload).bytes(V5));
                }
                Packet::PingReq => peer.send(&packets::pingresp()),
                _ => {}
            }
        }
        for _ in 0..3 {
            let mut peer = server.accept_session(V5);
            let (identifier, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"");
            peer.send(&packets::ack_with(PacketType::PubAck, identifier, reason));
            peer.close();
        }
        server.expect_no_connection();
    });
    let args =
        ["retain-clear", "-h", "127.0.0.1", "-p", &server.port().to_string(), "-V", "5", "a/#", "--yes"];
    let run = Mqtt::new(args).args(SOON).run().exits(1);
    let cause = "3 times in a row after it refused PUBLISH (QoS 1, packet identifier ";
    run.mentions(cause).mentions(if reason == 0x87 {
        "(0x87)\nhint: these credentials (-u, -P)"
    } else {
        "(0x97)"
    });
    server.finish();
}

/// The same with other messages: lines, and retained messages that are shown again on each connection.
#[rstest]
fn refused_messages_that_end_each_link_end_the_run(#[values("1", "2")] qos: &str) {
    let acknowledgement = if qos == "1" { PacketType::PubAck } else { PacketType::PubRec };
    let server = ends_three_links(V5, move |peer| {
        let packet = peer.packet();
        let Ok(Packet::Publish(publish)) = wire::decode(V5, &packet) else { panic!("{packet:?}") };
        peer.send(&packets::ack_with(acknowledgement, publish.packet_identifier, 0x87));
    });
    let args = ["-V", "5", "-t", "a/b", "-l", "-q", qos, "-M", "1"];
    let run = Mqtt::publish(server.port()).args(args).args(SOON).stdin("1\n2\n3\n4\n5\n6\n").run().exits(1);
    run.mentions(&format!("3 times in a row after it refused PUBLISH (QoS {qos}, packet identifier "))
        .mentions(", topic 'a/b'): Not authorized (0x87)");
    server.finish();
    let server = ends_three_links(V5, |peer| {
        let retained = Message::new("a/b", b"x").retained().bytes(V5);
        let clear = until_clear(peer, V5, &retained);
        let Ok(Packet::Publish(publish)) = wire::decode(V5, &clear) else { panic!("{clear:?}") };
        peer.send(&packets::ack_with(PacketType::PubAck, publish.packet_identifier, 0x87));
    });
    let run = Mqtt::subscribe(server.port()).args(["-V", "5", "-t", "a/#", "--remove-retained"]).args(SOON);
    run.run().exits(1).mentions("3 times in a row after it refused PUBLISH (QoS 1, packet identifier ");
    server.finish();
}

/// One accepted message in between is progress, and so is a connection that lasts.
#[test]
fn refused_messages_between_accepted_ones_do_not_end_the_run() {
    const LINES: usize = 6;
    let server = Server::start(|server| {
        for number in 0..LINES {
            let mut peer = server.accept_session(V5);
            let (mut identifier, _) =
                peer.expect_publish(V5, QoS::AtLeastOnce, number.to_string().as_bytes());
            let reason = if number % 2 == 0 { 0x97 } else { 0 };
            peer.send(&packets::ack_with(PacketType::PubAck, identifier, reason));
            if number + 1 == LINES {
                return peer.expect_disconnect(V5);
            }
            (identifier, _) = peer.expect_publish(V5, QoS::AtLeastOnce, (number + 1).to_string().as_bytes());
            assert_ne!(identifier, 0);
            peer.close();
        }
    });
    let lines: String = (0..LINES).map(|number| format!("{number}\n")).collect();
    let args = ["-V", "5", "-t", "a", "-l", "-q", "1", "-M", "1"];
    let run = Mqtt::publish(server.port()).args(args).args(SOON).stdin(lines).run();
    run.exits(151).does_not_mention("times in a row after it refused");
    server.finish();
}

/// A broker that clears one message on each connection makes progress; one that ends each at the same message,
/// whatever it answers before, does not.
#[test]
fn clears_make_progress_unless_the_same_one_stays() {
    let two = |first: &str, second: &str| {
        let message = |topic| Message::new(topic, b"x").retained().bytes(V3_1_1);
        [message(first), message(second)].concat()
    };
    for is_obeyed in [true, false] {
        let links = if is_obeyed { 6 } else { 4 };
        let server = Server::start(move |server| {
            for number in 0..links {
                let mut peer = server.accept_session(V3_1_1);
                let stays = if is_obeyed { format!("a/{number}") } else { "a/z".into() };
                let clear = until_clear(&mut peer, V3_1_1, &two("a/a", &stays));
                let at = clear.len() - 2;
                let identifier = u16::from_be_bytes([clear[at], clear[at + 1]]);
                peer.send(&packets::ack(PacketType::PubAck, identifier));
                until_clear(&mut peer, V3_1_1, b"");
                peer.close();
            }
            if is_obeyed {
                let mut peer = server.accept_session(V3_1_1);
                peer.grant_subscription(V3_1_1);
                peer.drain();
            }
        });
        let args = ["-V", "311", "-t", "a/#", "--remove-retained"];
        let run = Mqtt::subscribe(server.port()).args(args).args(SOON).spawn();
        if is_obeyed {
            run.wait_for_stderr_times("connected again", 6);
            run.signal(Signal::TERM);
        } else {
            let run = run.wait_for_end().exits(1);
            run.mentions("3 times in a row at the same packet: PUBLISH (QoS 1) that clears")
                .mentions("'a/z'");
        }
        server.finish();
    }
}

/// Some brokers close the connection as well when they refuse a filter. Messages are progress.
#[rstest]
fn filter_that_is_refused_on_each_link_ends_the_run(#[values(V3_1_1, V5)] protocol: Protocol) {
    let refuse = move |peer: &mut Peer| {
        let packet = peer.packet();
        assert_eq!(packet[0] >> 4, 8);
        let identifier = u16::from_be_bytes([packet[2], packet[3]]);
        peer.send(&packets::suback(protocol, identifier, &[0, if protocol == V5 { 0x87 } else { 0x80 }]));
    };
    let args = ["-V", version(protocol), "-t", "granted", "-t", "refused/#"];
    let server = Server::start(move |server| {
        for number in 0..6 {
            let mut peer = server.accept_session(protocol);
            refuse(&mut peer);
            // The messages of the third link are progress.
            if number == 2 {
                peer.send(&Message::new("granted", b"x").bytes(protocol));
            }
            peer.close();
        }
    });
    let run = Mqtt::subscribe(server.port()).args(args).args(SOON).run().exits(1).prints("x\n");
    run.mentions("3 times in a row after it refused the subscription to 'refused/#': ")
        .mentions("leave out that filter");
    server.finish();
}
