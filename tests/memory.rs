//! Memory with a hostile server: the program stays within a limit that the system enforces, whatever the
//! server sends.

use std::sync::mpsc;

use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::PacketType;
use mqtt::protocol::{Protocol, QoS};
use rustix::process::Signal;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::{Peer, Server};

use Protocol::V5;

/// In KiB, including the stacks of all threads.
const LIMIT: &str = "ulimit -d 49152";
/// The amount of data that a server tries to send: many times the limit.
const FLOOD_BYTES: usize = 512 * 1024 * 1024;

fn subscribe(port: u16) -> Mqtt {
    let args = ["-t", "a", "-q", "2", "--reconnect", "never"];
    Mqtt::subscribe(port).args(args).behind(LIMIT)
}

/// The limit works: a program that needs more memory fails.
#[test]
fn the_limit_holds() {
    let large = "x".repeat(60 * 1024 * 1024);
    let outcome = Mqtt::publish(1).args(["-t", "a", "-s"]).behind(LIMIT).stdin(large).run();
    outcome.fails(1, "cannot read standard input: out of memory");
}

#[test]
fn a_connack_without_an_end() {
    // A length that is refused by the header, and the largest one that is not.
    for remaining in [&[0xFF, 0xFF, 0xFF, 0x7F][..], &[0xF0, 0xFF, 0x3F]] {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&[&[0x20], remaining].concat());
            peer.flood_up_to(&[0; 4096], FLOOD_BYTES);
        });
        subscribe(server.port()).run().fails(1, "protocol error: CONNACK: ");
    }
}

/// A packet of 256 MiB is announced; memory grows with the received bytes, not with the announced length.
#[test]
fn an_announced_packet() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, b'a', 0]);
        peer.send(&vec![b'x'; 4 * 1024 * 1024]);
        peer.close();
    });
    subscribe(server.port()).run().fails(1, "closed the connection in the middle of a packet");
}

/// Messages without a reader are not collected; the broker is slowed down instead.
#[test]
fn messages_that_nobody_reads() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let message = |identifier| {
            let message = Message::new("a", b"0123456789");
            if qos == QoS::AtMostOnce { message.bytes(V5) } else { message.at(qos, identifier).bytes(V5) }
        };
        let batch: Vec<u8> = (1..=5_000).flat_map(message).collect();
        flooded(move |peer| peer.flood_up_to(&batch, FLOOD_BYTES));
    }
}

/// Neither are answers that the broker does not read.
#[test]
fn answers_that_nobody_reads() {
    let batch = packets::ack(PacketType::PubRec, 9).repeat(10_000);
    flooded(move |peer| peer.flood_up_to(&batch, FLOOD_BYTES));
}

/// A subscriber whose output is not read, and a server that reads nothing: the server cannot send all its
/// data, and the subscriber can still be ended.
fn flooded(flood: impl FnOnce(&mut Peer) -> usize + Send + 'static) {
    let (sender, sent) = mpsc::channel();
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        sender.send(flood(&mut peer)).unwrap();
        peer.drain();
    });
    let subscriber = subscribe(server.port()).leave_stdout_unread().spawn();
    let sent = sent.recv().unwrap();
    assert!(sent < FLOOD_BYTES / 2, "{sent} bytes were taken");
    subscriber.signal(Signal::TERM);
    let outcome = subscriber.wait_for_end().exits(0);
    assert!(!outcome.stderr.contains("memory"), "{}", outcome.stderr);
}

/// As deep as fits into a packet, in every output format.
#[test]
fn deep_nesting_in_every_form() {
    const LEVELS: usize = 32_768;
    let payload = ["[".repeat(LEVELS), "]".repeat(LEVELS)].concat();
    for form in [
        &["-F", "%J", "--pretty"][..],
        &["-F", "%J"],
        &["-F", "%j", "--pretty"],
        &["--json", "--pretty"],
        &["--json", "-d"],
        &["-v", "--json-events"],
        &["-F", "%x"],
    ] {
        let payload = payload.clone();
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            peer.send(&Message::new("a", payload.as_bytes()).bytes(V5));
            peer.expect_disconnect(V5);
        });
        let outcome = subscribe(server.port()).args(["-C", "1"]).args(form).run().exits(0);
        assert!(outcome.stdout.len() < 10 * 2 * LEVELS, "{form:?}: {} bytes", outcome.stdout.len());
    }
}

/// Parts that a server may repeat in one packet become a line, not a tree of objects: 1 MiB of Reason Codes
/// and of user properties.
#[test]
fn repeated_parts_of_a_packet() {
    const BYTES: usize = 1024 * 1024;
    for form in ["-d", "--json-events"] {
        let server = Server::start(|server| {
            let mut peer = server.accept_session(V5);
            let (identifier, _) = peer.expect_subscribe(V5);
            // The remaining length in four bytes, for the identifier, no properties, and the codes.
            let length = u32::try_from(BYTES + 3).unwrap();
            let digits = [0, 7, 14, 21]
                .map(|shift| (length >> shift).to_le_bytes()[0] & 0x7F | u8::from(shift < 21) << 7);
            peer.send(&[&[0x90][..], &digits, &identifier.to_be_bytes(), &[0]].concat());
            peer.send(&vec![0x87; BYTES]);
            peer.drain();
        });
        // It may be reported as a protocol error or as a refusal.
        let outcome = subscribe(server.port()).args([form]).run();
        assert!(outcome.stderr.contains("SUBACK") && outcome.stdout.is_empty(), "{form}");
        let server = Server::start(|server| {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            let pairs = vec![(PropertyId::UserProperty, Value::Pair("", "")); BYTES / 5];
            peer.send(&Message::new("a", b"x").with(&pairs).bytes(V5));
            peer.drain();
        });
        subscribe(server.port()).args(["-C", "1", form]).run().exits(0);
    }
}
