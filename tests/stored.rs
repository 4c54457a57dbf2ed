//! The end of retained messages with brokers that answer PINGREQ before they send them.

use std::time::Duration;

use ::mqtt::protocol::wire::{self, Packet, PacketType};
use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use rstest::rstest;

use crate::retain_clear::{fates, retain_clear};
use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::{Listener, Peer, Server};
use crate::support::{report, version};

/// When the client's message to itself comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Marker {
    /// After the retained messages, like every message that is published later.
    InOrder,
    AtOnce,
    /// The client may not publish.
    Never,
    /// The client may not even subscribe.
    Refused,
}

/// Answers PINGREQ at once, and sends retained messages after this delay.
struct Broker {
    protocol: Protocol,
    held_back: Duration,
    marker: Marker,
    /// The number of subscriptions.
    subscribed: usize,
}

impl Broker {
    /// Serves one connection until it ends; returns the types of the received packets.
    fn serve(&mut self, peer: &mut Peer) -> Vec<&'static str> {
        let protocol = self.protocol;
        let mut kinds = Vec::new();
        let (mut is_new, mut marker) = (false, Vec::new());
        while let Some(bytes) = peer.next() {
            let packet = wire::decode(protocol, &bytes).unwrap();
            kinds.push(match &packet {
                Packet::Subscribe { .. } => "SUBSCRIBE",
                Packet::Unsubscribe { .. } => "UNSUBSCRIBE",
                Packet::Publish(_) => "PUBLISH",
                Packet::PingReq => "PINGREQ",
                Packet::Disconnect { .. } => "DISCONNECT",
                other => panic!("{other:?}"),
            });
            match packet {
                Packet::Subscribe { packet_identifier, filters, .. } => {
                    let is_marker = |filter: &str| filter.starts_with("mqtt-marker/");
                    let reasons: Vec<u8> = filters
                        .iter()
                        .map(|asked| {
                            let refused = self.marker == Marker::Refused && is_marker(asked.filter);
                            if refused { 0x80 } else { 0 }
                        })
                        .collect();
                    is_new |= filters.iter().any(|asked| !is_marker(asked.filter));
                    peer.send(&packets::suback(protocol, packet_identifier, &reasons));
                }
                Packet::Unsubscribe { packet_identifier, .. } => {
                    peer.send(&packets::unsuback(protocol, packet_identifier, &[0]));
                }
                Packet::Publish(publish) => {
                    assert!(!publish.retain && self.marker != Marker::Refused, "{publish:?}");
                    let topic = std::str::from_utf8(publish.topic).unwrap();
                    let back = Message::new(topic, publish.payload).bytes(protocol);
                    match self.marker {
                        Marker::InOrder => marker = back,
                        Marker::AtOnce => peer.send(&back),
                        Marker::Never | Marker::Refused => {}
                    }
                }
                Packet::PingReq => {
                    peer.send(&packets::pingresp());
                    if std::mem::take(&mut is_new) {
                        std::thread::sleep(self.held_back); // that is the broker under test
                        self.subscribed += 1;
                        for topic in ["a", "b"] {
                            peer.send(&Message::new(topic, b"kept").retained().bytes(protocol));
                        }
                        peer.send(&std::mem::take(&mut marker));
                    }
                }
                _ => {}
            }
        }
        kinds
    }
}

fn broker(protocol: Protocol, held_back: u64, marker: Marker) -> Server {
    Server::start(move |listener: &mut Listener| {
        let mut broker =
            Broker { protocol, held_back: Duration::from_millis(held_back), marker, subscribed: 0 };
        let mut peer = listener.accept_session(protocol);
        broker.serve(&mut peer);
        assert_eq!(broker.subscribed, 1);
        listener.expect_no_connection();
    })
}

fn shows(protocol: Protocol, held_back: u64, marker: Marker) {
    let server = broker(protocol, held_back, marker);
    let line = ["-V", version(protocol), "-t", "#", "-v", "--retained-only"];
    Mqtt::subscribe(server.port()).args(line).run().succeeds().prints("a kept\nb kept\n");
    server.finish();
}

#[rstest]
fn retained_messages_after_pingresp_are_shown(#[values(V3_1_1, V5)] protocol: Protocol) {
    shows(protocol, 50, Marker::InOrder);
    shows(protocol, 2000, Marker::InOrder);
}

#[rstest]
fn retained_messages_after_the_marker_are_shown(#[values(V3_1_1, V5)] protocol: Protocol) {
    shows(protocol, 50, Marker::AtOnce);
    shows(protocol, 2000, Marker::AtOnce);
}

/// The pace of the broker decides.
#[test]
fn retained_messages_without_a_marker_are_shown() {
    shows(Protocol::V3_1_1, 50, Marker::Never);
}

/// A refused subscription to the marker is not a refused subscription of the user.
#[test]
fn refused_marker_is_not_an_error() {
    shows(Protocol::V5, 50, Marker::Refused);
}

/// The subscription to the marker would outlive the run.
#[test]
fn kept_session_gets_no_marker() {
    let protocol = Protocol::V5;
    let server = Server::start(move |listener| {
        let mut broker =
            Broker { protocol, held_back: Duration::ZERO, marker: Marker::InOrder, subscribed: 0 };
        let mut peer = listener.accept_session(protocol);
        let kinds = broker.serve(&mut peer);
        assert_eq!(kinds, ["SUBSCRIBE", "PINGREQ", "DISCONNECT"]);
    });
    let line = ["-V", "5", "-t", "#", "-v", "--retained-only", "-c", "-i", "me", "-x", "60"];
    Mqtt::subscribe(server.port()).args(line).run().succeeds().prints("a kept\nb kept\n");
    server.finish();
}

/// The scan ends with DISCONNECT only: no UNSUBSCRIBE of possibly hundreds of filters.
#[rstest]
fn scan_finds_what_comes_after_pingresp_and_leaves_by_closing(#[values(V3_1_1, V5)] protocol: Protocol) {
    for marker in [Marker::InOrder, Marker::Refused] {
        let server = Server::start(move |listener| {
            let held_back = Duration::from_millis(50);
            let mut broker = Broker { protocol, held_back, marker, subscribed: 0 };
            let mut peer = listener.accept_session(protocol);
            let kinds = broker.serve(&mut peer);
            let again = kinds.iter().rposition(|kind| *kind == "SUBSCRIBE").unwrap();
            assert!(!kinds[again + 1..].contains(&"UNSUBSCRIBE"), "{kinds:?}");
            assert_eq!(kinds.last(), Some(&"DISCONNECT"));
        });
        let line = ["#", "--dry-run", "--json", "-V", version(protocol)];
        let outcome = retain_clear(server.port(), &line).run();
        let report = report("retain-clear", &outcome.stdout);
        assert_eq!(fates(&report), [("a", "kept"), ("b", "kept")]);
        outcome.exits(0);
        server.finish();
    }
}

/// Topics found so far are in the report, whatever happens to the connection.
#[test]
fn scan_that_fails_reports_what_it_found() {
    let protocol = Protocol::V5;
    let server = Server::start(move |listener| {
        let mut peer = listener.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.send(&Message::new("a", b"kept").retained().bytes(protocol));
        // Marker and PINGREQ have arrived, and so has the message.
        while peer.packet() != packets::pingreq() {}
        listener.close();
        peer.reset();
    });
    let line = ["#", "--yes", "--json", "-V", "5", "-W", "1s"];
    let outcome = retain_clear(server.port(), &line).run().exits(1).mentions("no scan within 1s");
    server.finish();
    let report = report("retain-clear", &outcome.stdout);
    assert_eq!((&report["interrupted"], &report["scan"]["ended_by"]), (&true.into(), &"error".into()));
    assert!(report["error"].as_str().unwrap().contains("no scan within 1s"), "{report:#}");
    assert_eq!(fates(&report), [("a", "kept")]);
    outcome.mentions("ended while listing, 1 found: nothing was cleared");
}

/// A refusal is the broker's answer for any Reason Code: 0x80 has no further meaning.
#[test]
fn refused_filter_is_not_asked_for_again() {
    for (command, line) in [("retain-clear", &["a", "--dry-run"][..]), ("rr", &["-t", "a", "-n", "-e", "b"])]
    {
        for reason in [0x80, 0x97] {
            let server = Server::start(move |listener| {
                let mut peer = listener.accept_session(Protocol::V5);
                let (identifier, asked) = peer.expect_subscribe(Protocol::V5);
                let reasons: Vec<u8> = asked.iter().map(|_| reason).collect();
                peer.send(&packets::suback(Protocol::V5, identifier, &reasons));
                peer.rest();
                listener.close();
            });
            let port = server.port().to_string();
            let run = Mqtt::new([command, "-h", "127.0.0.1", "-p", &port, "-V", "5"]).args(line).run();
            run.exits(reason.into()).mentions("refused").does_not_mention("connection lost");
            server.finish();
        }
    }
}

/// The first subscription waits for the first message as long as `sub --retained-only` does: no second
/// connection requests topics by name.
#[rstest]
fn scan_finds_what_comes_after_the_marker(#[values(V3_1_1, V5)] protocol: Protocol) {
    for held_back in [50, 2000] {
        let server = Server::start(move |listener: &mut Listener| {
            let held_back = Duration::from_millis(held_back);
            let mut broker = Broker { protocol, held_back, marker: Marker::AtOnce, subscribed: 0 };
            let mut peer = listener.accept_session(protocol);
            broker.serve(&mut peer);
            listener.expect_no_connection();
        });
        let line = ["#", "--dry-run", "--json", "-V", version(protocol)];
        let outcome = retain_clear(server.port(), &line).run().exits(0);
        server.finish();
        assert_eq!(fates(&report("retain-clear", &outcome.stdout)), [("a", "kept"), ("b", "kept")]);
    }
}

/// Serves one connection of a broker that sends its retained message only for subscriptions at QoS 0 that do
/// not name its topic. `is_silent`: it does not answer others.
fn withhold(listener: &mut Listener, is_silent: bool) {
    let protocol = Protocol::V5;
    let mut peer = listener.accept_session(protocol);
    while let Some(bytes) = peer.next() {
        match wire::decode(protocol, &bytes).unwrap() {
            Packet::Subscribe { packet_identifier, filters, .. } => {
                let first = filters.iter().next().unwrap();
                if is_silent && first.filter == "a" {
                    continue;
                }
                let reasons: Vec<u8> = filters.iter().map(|_| 0).collect();
                peer.send(&packets::suback(protocol, packet_identifier, &reasons));
                if first.filter == "#" && first.qos == QoS::AtMostOnce {
                    peer.send(&Message::new("a", b"kept").retained().bytes(protocol));
                }
            }
            Packet::Unsubscribe { packet_identifier, .. } => {
                peer.send(&packets::unsuback(protocol, packet_identifier, &[0]));
            }
            Packet::Publish(publish) => {
                let topic = std::str::from_utf8(publish.topic).unwrap();
                peer.send(&Message::new(topic, publish.payload).bytes(protocol));
            }
            Packet::PingReq => peer.send(&packets::pingresp()),
            _ => {}
        }
    }
}

/// A message found in two passes exists, and goes to the backup.
#[test]
fn retained_message_missed_by_name_is_found() {
    let server = Server::start(|listener| {
        withhold(listener, false);
        withhold(listener, false);
        listener.expect_no_connection();
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.jsonl");
    let line = ["#", "--export", file.to_str().unwrap(), "-V", "5"];
    retain_clear(server.port(), &line).run().exits(0).mentions("1 written");
    server.finish();
    assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), 1);
}

/// It is listed, and cleared only without a backup.
#[test]
fn topics_left_at_the_time_limit_are_listed() {
    for (line, fate) in [(&["--dry-run"][..], "kept"), (&["--yes", "--backup"], "not-in-backup")] {
        let server = Server::start(|listener| {
            withhold(listener, true);
            withhold(listener, true);
            listener.expect_no_connection();
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backup.jsonl");
        let file = (line.len() > 1).then(|| file.to_str().unwrap());
        let line: Vec<&str> =
            ["#", "--json", "-V", "5", "-W", "4"].iter().chain(line).copied().chain(file).collect();
        let outcome = retain_clear(server.port(), &line).run().exits(3).mentions("its time limit of 4s");
        server.finish();
        assert_eq!(fates(&report("retain-clear", &outcome.stdout)), [("a", fate)]);
    }
}

/// Serves a connection of a broker that refuses subscriptions to q/#, and has a message under r/#.
fn serve_one_filter(listener: &mut Listener, is_there: &mut bool) {
    let protocol = Protocol::V3_1_1;
    let mut peer = listener.accept_session(protocol);
    while let Some(bytes) = peer.next() {
        match wire::decode(protocol, &bytes).unwrap() {
            Packet::Subscribe { packet_identifier, filters, .. } => {
                let reasons: Vec<u8> =
                    filters.iter().map(|filter| if filter.filter == "q/#" { 0x80 } else { 0 }).collect();
                peer.send(&packets::suback(protocol, packet_identifier, &reasons));
                if *is_there {
                    peer.send(&Message::new("r/a", b"kept").retained().bytes(protocol));
                }
            }
            Packet::Unsubscribe { packet_identifier, .. } => {
                peer.send(&packets::unsuback(protocol, packet_identifier, &[0]));
            }
            Packet::Publish(publish) if publish.qos == QoS::AtLeastOnce => {
                *is_there &= publish.topic != b"r/a";
                peer.send(&packets::ack(PacketType::PubAck, publish.packet_identifier));
            }
            Packet::Publish(publish) => {
                let topic = std::str::from_utf8(publish.topic).unwrap();
                peer.send(&Message::new(topic, publish.payload).bytes(protocol));
            }
            Packet::PingReq => peer.send(&packets::pingresp()),
            _ => {}
        }
    }
}

/// Topics cleared under the granted filter are verified there.
#[test]
fn refused_filter_leaves_the_others_verified() {
    let server = Server::start(|listener| {
        let mut is_there = true;
        for _ in 0..3 {
            serve_one_filter(listener, &mut is_there);
        }
        listener.expect_no_connection();
        assert!(!is_there);
    });
    let line = ["r/#", "q/#", "--yes", "--json", "-V", "311"];
    let outcome = retain_clear(server.port(), &line).run().exits(3);
    server.finish();
    let report = report("retain-clear", &outcome.stdout);
    assert_eq!(fates(&report), [("r/a", "cleared")]);
    assert_eq!((&report["done"], &report["left"]), (&1.into(), &0.into()));
    outcome.mentions("1 cleared; whether anything is left under 'q/#' is unknown");
}
