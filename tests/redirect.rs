//! "Use another server" and "Server moved": reported, and followed only on request.

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyBlock, PropertyId as Id, Value};
use mqtt::protocol::reason::ReasonCode;
use mqtt::protocol::wire;
use mqtt::protocol::wire::PacketType::PubAck;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message, properties};
use crate::support::server::{Listener, Server};

fn elsewhere(reference: &str, text: Option<&str>) -> PropertyBlock {
    let mut list = vec![(Id::ServerReference, Value::Text(reference))];
    list.extend(text.map(|text| (Id::ReasonString, Value::Text(text))));
    properties(&list)
}

fn connack(reason: u8, reference: &str) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    wire::connack(&mut out, V5, false, ReasonCode(reason), &elsewhere(reference, None));
    out.to_vec()
}

fn disconnect(reason: u8, reference: &str) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    wire::disconnect(&mut out, V5, ReasonCode(reason), &elsewhere(reference, Some("for repairs")));
    out.to_vec()
}

/// The first broker of a test, which redirects its clients this number of times.
fn sends_away(answer: Vec<u8>, times: usize) -> Server {
    Server::start(move |server| {
        for _ in 0..times {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&answer);
            peer.expect_end();
        }
    })
}

fn takes_one(server: &mut Listener) {
    let mut peer = server.accept_session(V5);
    let (identifier, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"x");
    peer.send(&packets::ack(PubAck, identifier));
    peer.expect_disconnect(V5);
}

#[test]
fn redirect_is_reported_and_not_followed() {
    for (reason, name) in [(0x9C, "Use another server"), (0x9D, "Server moved")] {
        let other = Server::start(|server| server.expect_no_connection());
        let first = sends_away(connack(reason, &format!("127.0.0.1:{}", other.port())), 1);
        let text =
            format!("connection refused: {name} (0x{reason:02X}): it names 127.0.0.1:{}", other.port());
        let outcome = Mqtt::publish(first.port()).args(["-V", "5", "-t", "a", "-m", "x"]).run();
        outcome.fails(i32::from(reason), &text).mentions("hint: --follow-redirect connects to it");
    }
    // Without a Server Reference.
    let first = sends_away(packets::connack(V5, false, 0x9D), 1);
    Mqtt::publish(first.port())
        .args(["-V", "5", "-t", "a", "-m", "x", "--follow-redirect"])
        .run()
        .fails(0x9D, "connection refused: Server moved (0x9D)");
}

#[test]
fn a_connect_is_followed() {
    for reason in [0x9C, 0x9D] {
        let other = Server::start(takes_one);
        // The first broker that answers is used.
        let nowhere = Server::start(|_| {});
        let dead = nowhere.port();
        nowhere.finish();
        let first = sends_away(connack(reason, &format!("127.0.0.1:{dead} 127.0.0.1:{}", other.port())), 1);
        Mqtt::publish(first.port())
            .args(["-V", "5", "-t", "a", "-m", "x", "-q", "1", "--follow-redirect"])
            .run()
            .exits(0)
            .mentions("; connecting to it\n");
    }
}

/// A temporary redirect: after the next loss the client returns to the original broker. A permanent one: it
/// stays.
#[test]
fn a_link_that_is_up_is_followed() {
    for is_permanent in [false, true] {
        let other = Server::start(move |server| {
            for last in [false, true].into_iter().take(1 + usize::from(is_permanent)) {
                let mut peer = server.accept_session(V5);
                peer.grant_subscription(V5);
                peer.send(&Message::new("a", b"there").bytes(V5));
                if last {
                    peer.expect_disconnect(V5);
                } else {
                    peer.reset();
                }
            }
        });
        let port = other.port();
        let first = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            peer.send(&Message::new("a", b"here").bytes(V5));
            peer.send(&disconnect(if is_permanent { 0x9D } else { 0x9C }, &format!("127.0.0.1:{port}")));
            peer.expect_end();
            if !is_permanent {
                let mut peer = server.accept_session(V5);
                peer.grant_subscription(V5);
                peer.send(&Message::new("a", b"back").bytes(V5));
                peer.expect_disconnect(V5);
            }
        });
        let outcome = Mqtt::subscribe(first.port())
            .args(["-t", "a", "-C", "3", "--follow-redirect", "--reconnect-max-delay", "10ms"])
            .run()
            .exits(0)
            .prints(if is_permanent { "here\nthere\nthere\n" } else { "here\nthere\nback\n" });
        let line = format!(": for repairs; it names 127.0.0.1:{port}; connecting to it\n");
        outcome.mentions(&line);
    }
}

/// A temporary redirect: a client that does not follow it returns to the original broker.
#[test]
fn temporary_redirect_that_is_not_followed_is_tried_again() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&disconnect(0x9C, "127.0.0.1:1"));
        peer.expect_end();
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&connack(0x9C, "127.0.0.1:1"));
        peer.expect_end();
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&Message::new("a", b"back").bytes(V5));
        peer.expect_disconnect(V5);
    });
    let args = ["-t", "a", "-C", "1", "--reconnect-max-delay", "10ms"];
    let outcome = Mqtt::subscribe(server.port()).args(args).run().exits(0).prints("back\n");
    outcome.mentions("it names 127.0.0.1:1; trying again");
}

/// Two servers may name each other, and one itself.
#[test]
fn circular_redirects_end() {
    let first = Server::start(|server| {
        let reference = format!("127.0.0.1:{}", server.port());
        for _ in 0..6 {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&connack(0x9C, &reference));
            peer.expect_end();
        }
    });
    Mqtt::publish(first.port())
        .args(["-V", "5", "-t", "a", "-m", "x", "--follow-redirect"])
        .run()
        .exits(0x9C)
        .mentions("hint: 5 redirects in a row were followed\n");
}

/// Also for a client that otherwise reconnects forever.
#[test]
fn circle_that_a_subscriber_follows_has_an_end() {
    let server = Server::start(|server| {
        let reference = format!("127.0.0.1:{}", server.port());
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&disconnect(0x9C, &reference));
        peer.expect_end();
        for _ in 0..5 {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&connack(0x9C, &reference));
            peer.expect_end();
        }
    });
    let args = ["-t", "a", "--follow-redirect", "--reconnect-max-delay", "10ms"];
    let outcome = Mqtt::subscribe(server.port()).args(args).run().exits(0x9C);
    outcome.mentions("hint: 5 redirects in a row were followed\n");
}

#[test]
fn references_that_name_nothing() {
    for reference in ["", "a b:x", "mqtt://host/path"] {
        let first = sends_away(connack(0x9D, reference), 1);
        Mqtt::publish(first.port())
            .args(["-V", "5", "-t", "a", "-m", "x", "--follow-redirect"])
            .run()
            .fails(1, "which is not a valid list of brokers");
    }
}

/// Commands that test a broker do not follow a redirect.
#[test]
fn tests_of_one_broker_do_not_follow_redirects() {
    let first = sends_away(connack(0x9C, "127.0.0.1:1"), 1);
    let port = first.port().to_string();
    let args = ["bench", "conn", "-h", "127.0.0.1", "-p", &port, "-V", "5", "--follow-redirect"];
    Mqtt::new(args).run().fails(0x9C, "it names 127.0.0.1:1").mentions("hint: connect to that broker");
}
