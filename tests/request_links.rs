//! Requests with lost connections, and with kept sessions.

use std::sync::mpsc;

use mqtt::protocol::Protocol::{V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::PacketType;

use crate::request::{asked, request, rr, subscription};
use crate::support::packets::{self, Message};
use crate::support::server::{Peer, Server};

/// A connection lost while waiting for the response fails the run; with reconnects the same request is sent
/// again.
#[test]
fn a_lost_link() {
    let server = Server::start(|listener| {
        asked(listener);
    });
    let run = rr(server.port()).args(["-t", "a", "-n"]).run();
    run.fails(1, "the broker closed the connection");
    server.finish();

    let server = Server::start(|listener| {
        let (peer, filter, first) = asked(listener);
        peer.close();
        let mut peer = listener.accept_session(V5);
        assert_eq!(subscription(&mut peer), filter);
        let second = request(&mut peer);
        assert_eq!(second.correlation_data, first.correlation_data);
        peer.send(&Message::new(&filter, b"at last").bytes(V5));
        peer.expect_disconnect(V5);
    });
    let run = rr(server.port()).args(["-t", "a", "-n", "--reconnect", "2"]).run().exits(0);
    run.mentions("the request is sent again").prints("at last\n");
    server.finish();
}

/// The broker has granted the subscription before, and refuses it temporarily: it is requested again, as in
/// `sub`.
#[test]
fn subscription_refused_after_a_reconnect_is_asked_for_again() {
    for reason in [0x80, 0x83, 0x97] {
        let server = Server::start(move |listener| {
            let (peer, filter, _) = asked(listener);
            peer.close();
            let mut peer = listener.accept_session(V5);
            for _ in 0..2 {
                let (identifier, _) = peer.expect_subscribe(V5);
                peer.send(&packets::suback(V5, identifier, &[reason]));
            }
            assert_eq!(subscription(&mut peer), filter);
            request(&mut peer);
            peer.send(&Message::new(&filter, b"at last").bytes(V5));
            peer.expect_disconnect(V5);
        });
        let run = rr(server.port()).args(["-t", "a", "-n", "--reconnect", "3"]).run().exits(0);
        run.mentions("; trying again\n").mentions("mqtt: subscribed again\n").prints("at last\n");
        server.finish();
    }
    // Refusals that concern the client are final, and so are those of subscriptions that were never granted.
    for (first, second) in [(Some(0), 0x87), (None, 0x97)] {
        let server = Server::start(move |listener| {
            if first.is_some() {
                asked(listener).0.close();
            }
            let mut peer = listener.accept_session(V5);
            let (identifier, _) = peer.expect_subscribe(V5);
            peer.send(&packets::suback(V5, identifier, &[second]));
            peer.expect_disconnect(V5);
        });
        let run = rr(server.port()).args(["-t", "a", "-n", "--reconnect", "3"]).run();
        run.exits(i32::from(second)).mentions("subscription to '");
        server.finish();
    }
}

/// The server has the request and has kept the session: the response waits there, and the request must not be
/// sent again. The response may be the first packet.
#[test]
fn a_response_that_waited_in_a_kept_session() {
    let server = Server::start(|listener| {
        let (mut peer, filter, request) = asked(listener);
        peer.send(&packets::ack(PacketType::PubAck, request.identifier));
        peer.close();
        let mut peer = listener.accept_kept_session(V5);
        let data = (PropertyId::CorrelationData, Value::Binary(&request.correlation_data));
        peer.send(&Message::new(&filter, b"waited").at(QoS::AtLeastOnce, 1).with(&[data]).bytes(V5));
        peer.expect(V5, &packets::ack(PacketType::PubAck, 1));
        peer.expect_disconnect(V5);
    });
    let line = ["-t", "a", "-n", "-q", "1", "-c", "-i", "me", "-e", "r", "--reconnect", "2"];
    let run = rr(server.port()).args(line).run().exits(0);
    run.does_not_mention("again: the").prints("waited\n");
    server.finish();

    // The session was not kept: the response is recognised all the same, whenever it arrives.
    let server = Server::start(|listener| {
        let (peer, filter, first) = asked(listener);
        peer.close();
        let mut peer = listener.accept_session(V5);
        let (identifier, _) = peer.expect_subscribe(V5);
        let data = (PropertyId::CorrelationData, Value::Binary(&first.correlation_data));
        let response = Message::new(&filter, b"quick").with(&[data]).bytes(V5);
        peer.send(&[packets::suback(V5, identifier, &[0]), response].concat());
        peer.expect_disconnect(V5);
    });
    rr(server.port()).args(["-t", "a", "-n", "--reconnect", "2"]).run().exits(0).prints("quick\n");
    server.finish();
}

/// Messages queued in a kept session for an earlier run are not the response.
#[test]
fn a_kept_session_is_drained_first() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_kept_session(V3_1_1);
        let (identifier, _) = peer.expect_subscribe(V3_1_1);
        let stale = |identifier| Message::new("r", b"stale").at(QoS::AtLeastOnce, identifier).bytes(V3_1_1);
        peer.send(&[packets::suback(V3_1_1, identifier, &[1]), stale(1)].concat());
        peer.expect(V3_1_1, &packets::ack(PacketType::PubAck, 1));
        // The window was full: more arrive when there is room.
        peer.expect(V3_1_1, &packets::pingreq());
        peer.send(&[stale(2), packets::pingresp()].concat());
        peer.expect(V3_1_1, &packets::ack(PacketType::PubAck, 2));
        // A broker may also answer PINGREQ before it sends the rest.
        peer.send(&stale(3));
        peer.expect(V3_1_1, &packets::ack(PacketType::PubAck, 3));
        let (identifier, _) = peer.expect_publish(V3_1_1, QoS::AtLeastOnce, b"");
        peer.send(&packets::ack(PacketType::PubAck, identifier));
        peer.send(&Message::new("r", b"fresh").bytes(V3_1_1));
        peer.expect_disconnect(V3_1_1);
    });
    let line = ["-t", "a", "-n", "-q", "1", "-c", "-i", "me", "-e", "r", "-V", "311"];
    rr(server.port()).args(line).run().succeeds().prints("fresh\n");
    server.finish();
}

/// A message that arrives before the request was sent is not its response.
#[test]
fn message_before_the_request_was_sent_is_not_the_response() {
    let (go_on, seen) = mpsc::channel();
    let server = Server::start(move |listener| {
        let mut peer = listener.accept_session(V5);
        let (identifier, _) = peer.expect_subscribe(V5);
        peer.send(&packets::suback(V5, identifier, &[0]));
        // No more is read until this message is sent: most of the request is still at the client.
        peer.expect_beginning();
        peer.send(&Message::new("r", b"too early").bytes(V5));
        seen.recv().unwrap();
        peer.expect_publish(V5, QoS::AtMostOnce, &vec![b'x'; 32 << 20]);
        peer.send(&Message::new("r", b"right").bytes(V5));
        peer.expect_disconnect(V5);
    });
    let line = ["-t", "a", "-e", "r", "-s", "-d"];
    let run = rr(server.port()).args(line).stdin(vec![b'x'; 32 << 20]).spawn();
    run.wait_for_stderr("received PUBLISH (");
    go_on.send(()).unwrap();
    run.wait_for_end().exits(0).prints("right\n");
    server.finish();
}

/// After the response is written, an error while closing has no effect: it is not reported, the run does not
/// wait beyond its timeout, and no other server gets the request.
#[test]
fn broken_disconnect_does_not_change_the_result() {
    type Script = fn(&mut Peer);
    let cases: [(Script, &[&str]); 5] = [
        (|peer| peer.drain(), &["-W", "500ms"]),
        (|peer| peer.send(&packets::disconnect(V5, 0x8b)), &[]),
        (|peer| peer.send(&[0x00, 0x00]), &[]),
        (|peer| peer.send(&elsewhere()), &[]),
        (|peer| peer.send(&elsewhere()), &["--follow-redirect"]),
    ];
    for (script, options) in cases {
        let server = Server::start(move |listener| {
            let (mut peer, filter, _) = asked(listener);
            peer.send(&Message::new(&filter, b"done").at(QoS::ExactlyOnce, 7).bytes(V5));
            peer.expect(V5, &packets::ack(PacketType::PubRec, 7));
            script(&mut peer);
        });
        let run = rr(server.port()).args(["-t", "a", "-n", "-e", "r"]).args(options).run();
        run.succeeds().prints("done\n");
        server.finish();
    }
}

/// A broker that keeps its side open: all packets for it arrive, and the run ends.
#[test]
fn broker_that_does_not_close_the_connection_is_left() {
    let (ended, is_over) = mpsc::channel();
    let server = Server::start(move |listener| {
        let (mut peer, filter, request) = asked(listener);
        peer.send(&packets::ack(PacketType::PubAck, request.identifier));
        let late = Message::new(&filter, b"one more").at(QoS::AtLeastOnce, 8).bytes(V5);
        peer.send(&[Message::new(&filter, b"done").at(QoS::AtLeastOnce, 7).bytes(V5), late].concat());
        is_over.recv().unwrap();
        // No reset has discarded it.
        assert_eq!(peer.next().unwrap(), packets::ack(PacketType::PubAck, 7));
        peer.expect_disconnect(V5);
    });
    rr(server.port()).args(["-t", "a", "-n", "-q", "1", "-e", "r"]).run().succeeds().prints("done\n");
    ended.send(()).unwrap();
    server.finish();
}

/// A DISCONNECT that redirects the client to a server that does not exist.
fn elsewhere() -> Vec<u8> {
    let reference = "127.0.0.1:1";
    let length = u8::try_from(reference.len()).unwrap();
    let mut bytes = vec![0xe0, 2 + 3 + length, 0x9c, 3 + length, 28, 0, length];
    bytes.extend(reference.as_bytes());
    bytes
}

/// A kept session is useless for a generated response topic, and is an error only if it was explicitly
/// requested.
#[test]
fn setting_to_keep_the_session_is_not_used_without_a_response_topic() {
    for value in ["true", "perhaps"] {
        let server = Server::start(|listener| {
            let (mut peer, filter, _) = asked(listener);
            peer.send(&Message::new(&filter, b"ok").bytes(V5));
            peer.expect_disconnect(V5);
        });
        let run = rr(server.port()).args(["-t", "a", "-n"]).env("MQTT_DISABLE_CLEAN_SESSION", value);
        run.run().succeeds().prints("ok\n");
        server.finish();
    }
    rr(1)
        .args(["-t", "a", "-n", "-c", "-i", "me"])
        .run()
        .exits(2)
        .mentions("a session that is kept (-c) would collect");
    let run = rr(1).args(["-t", "a", "-e", "b", "-n", "-i", "me"]);
    run.env("MQTT_DISABLE_CLEAN_SESSION", "perhaps").run().exits(2).mentions("MQTT_DISABLE_CLEAN_SESSION");
}

/// A server that disappears after forwarding the response has done its work.
#[test]
fn connection_lost_after_the_response_is_a_success() {
    for more in [&[][..], &["--reconnect", "5"]] {
        let server = Server::start(|listener| {
            let (mut peer, filter, _) = asked(listener);
            peer.send(&Message::new(&filter, b"done").at(QoS::ExactlyOnce, 1).bytes(V5));
            peer.reset();
        });
        rr(server.port()).args(["-t", "a", "-n", "-q", "2"]).args(more).run().succeeds().prints("done\n");
        server.finish();
    }
}
