//! Memory under a server that means harm: whatever it sends, the program stays within a limit that the
//! system enforces, beyond which it would be aborted.

use std::sync::mpsc;

use mqtt::protocol::wire::PacketType;
use mqtt::protocol::{Protocol, QoS};
use rustix::process::Signal;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::{Peer, Server};

use Protocol::V5;

/// In KiB, with the stacks of all threads.
const LIMIT: &str = "ulimit -d 49152";
/// What a server tries to get rid of: many times that.
const FLOOD_BYTES: usize = 512 * 1024 * 1024;

fn subscribe(port: u16) -> Mqtt {
    let args = ["-t", "a", "-q", "2", "--reconnect", "never"];
    Mqtt::subscribe(port).args(args).behind(LIMIT)
}

/// The limit is one: what takes more memory than that does not get it.
#[test]
fn the_limit_holds() {
    let large = "x".repeat(60 * 1024 * 1024);
    let outcome = Mqtt::publish(1).args(["-t", "a", "-s"]).behind(LIMIT).stdin(large).run();
    outcome.fails(1, "cannot read standard input: out of memory");
}

#[test]
fn a_connack_without_an_end() {
    // One that is refused by its header, and the largest that is not.
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

/// A packet of 256 MiB is announced; memory grows with what comes, and not with what could.
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

/// What nobody reads is not collected: the server is stopped instead.
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

/// Answers that nobody reads are not collected either.
#[test]
fn answers_that_nobody_reads() {
    let batch = packets::ack(PacketType::PubRec, 9).repeat(10_000);
    flooded(move |peer| peer.flood_up_to(&batch, FLOOD_BYTES));
}

/// A subscriber whose output nobody reads, and a server that reads nothing: it gets rid of less than it
/// wants, and the subscriber lives and can be ended.
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
