//! `mqtt bench --reconnect`: clients that reconnect, against servers with known losses.

use std::time::Duration;

use ::mqtt::protocol::Protocol;
use ::mqtt::protocol::wire::{self, Packet, PacketType};
use serde_json::Value;

use crate::bench::{bench, count, expect_probe, number, report};
use crate::support::packets;
use crate::support::server::{Listener, Peer, Server};

use Protocol::V5;

pub(crate) fn connections(report: &Value, name: &str) -> u64 {
    report["connections"][name].as_u64().unwrap_or_else(|| panic!("{name}"))
}

fn probe(listener: &mut Listener) {
    listener.accept_session(V5).expect_disconnect(V5);
}

/// The next PUBLISH: its packet identifier, and its DUP flag.
fn publish(peer: &mut Peer) -> (u16, bool) {
    let bytes = peer.packet();
    match wire::decode(V5, &bytes).unwrap() {
        Packet::Publish(publish) => (publish.packet_identifier, publish.dup),
        other => panic!("expected PUBLISH, received {other:?}"),
    }
}

/// Acknowledges all messages until the client disconnects.
fn serve(peer: &mut Peer) {
    while let Some(packet) = peer.next() {
        match wire::decode(V5, &packet).unwrap() {
            Packet::Publish(publish) => {
                peer.send(&packets::ack(PacketType::PubAck, publish.packet_identifier));
            }
            Packet::PingReq => peer.send(&packets::pingresp()),
            _ => {}
        }
    }
}

/// Three messages are unacknowledged when the connection is lost. A broker that kept the session gets them
/// again with DUP and their identifiers, another gets them as new ones; none is missing at the end.
#[test]
fn messages_in_flight_are_sent_again() {
    for session_present in [true, false] {
        let server = Server::start(move |listener| {
            probe(listener);
            let mut peer = listener.accept_session(V5);
            let identifiers = [(); 3].map(|()| publish(&mut peer).0);
            peer.close();
            let mut peer =
                if session_present { listener.accept_kept_session(V5) } else { listener.accept_session(V5) };
            for identifier in identifiers {
                let (again, dup) = publish(&mut peer);
                assert_eq!(dup, session_present);
                assert!(!session_present || again == identifier);
                peer.send(&packets::ack(PacketType::PubAck, again));
            }
            serve(&mut peer);
        });
        let line = ["pub", "-V", "5", "-x", "1h", "--publishers", "1", "--qos", "1", "--inflight", "3"];
        let course = ["--rate", "500", "--count", "20", "--reconnect", "always"];
        let report = report(&bench(server.port(), &[&line[..], &course].concat()).run().exits(0));
        assert!(!report["problem_codes"].to_string().contains("connections"), "{}", report["problems"]);
        assert_eq!((count(&report, "sent"), count(&report, "acknowledged")), (20, 20));
        assert_eq!(count(&report, "resent"), 3);
        let found =
            ["attempted", "connected", "lost", "reconnected", "away", "sessions_present", "sessions_lost"]
                .map(|name| connections(&report, name));
        let (present, lost) = if session_present { (1, 0) } else { (0, 1) };
        assert_eq!(found, [1, 1, 1, 1, 0, present, lost]);
        assert_eq!(number(&report, "/latency_us/back/count"), 1.0);
        let of = |name: &str| {
            report["series"].as_array().unwrap().iter().map(|row| row[name].as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!((of("lost"), of("reconnected")), (1, 1), "{}", report["series"]);
        server.finish();
    }
}

/// Messages that are due without a connection are sent after the reconnect, and their latency includes the
/// wait.
#[test]
fn messages_due_without_a_connection_include_the_wait() {
    let server = Server::start(|listener| {
        probe(listener);
        let mut peer = listener.accept_session(V5);
        publish(&mut peer);
        peer.close();
        let mut peer = listener.accept();
        peer.expect_connect(V5);
        // The outage: it is what the test measures.
        std::thread::sleep(Duration::from_millis(500));
        peer.send(&packets::connack(V5, false, 0));
        serve(&mut peer);
    });
    let line = ["pub", "-V", "5", "--publishers", "1", "--qos", "1", "--rate", "100", "--count", "100"];
    let line = bench(server.port(), &line).args(["--reconnect", "always", "--fail-if", "back p99 > 1ms"]);
    let report = report(&line.run().exits(3));
    assert_eq!((count(&report, "acknowledged"), connections(&report, "reconnected")), (100, 1));
    // 50 of 100 messages became due in that half second.
    let p50 = number(&report, "/latency_us/acknowledge/p50");
    assert!(p50 > 1_000.0, "{p50}");
    assert!(number(&report, "/latency_us/acknowledge/max") >= 490_000.0, "{}", report["latency_us"]);
    assert!(number(&report, "/latency_us/back/max") >= 490_000.0, "{}", report["latency_us"]);
    server.finish();
}

/// A subscription that was lost with the session is renewed, and only then the client counts as back.
#[test]
fn subscriptions_are_made_again_if_the_session_is_lost() {
    for session_present in [true, false] {
        let server = Server::start(move |listener| {
            probe(listener);
            let mut peer = listener.accept_session(V5);
            peer.grant_subscription(V5);
            peer.close();
            let mut peer = if session_present {
                listener.accept_kept_session(V5)
            } else {
                let mut peer = listener.accept_session(V5);
                peer.grant_subscription(V5);
                peer
            };
            // Whenever the measurement starts, five of them are in it.
            while peer.next_within(Duration::from_millis(10)).is_none() {
                peer.send(&packets::Message::new("a", b"0123456789").bytes(V5));
            }
            peer.expect_end();
        });
        let line =
            ["sub", "-V", "5", "-x", "1h", "--subscribers", "1", "--count", "5", "--reconnect", "always"];
        let report = report(&bench(server.port(), &line).run().exits(0));
        assert!(count(&report, "delivered") >= 5);
        assert_eq!((connections(&report, "subscribed"), connections(&report, "reconnected")), (1, 1));
        server.finish();
    }
}

/// A client that is not back at the end of the run is reported, as away for longer than any limit.
#[test]
fn clients_that_do_not_come_back_are_reported() {
    for attempts in ["always", "1"] {
        let server = Server::start(|listener| {
            probe(listener);
            let mut peers = [(); 2].map(|()| listener.accept_session(V5));
            peers[1].expect_beginning();
            listener.close();
            let [lost, mut other] = peers;
            lost.close();
            serve(&mut other);
        });
        let line =
            ["pub", "-V", "5", "--publishers", "2", "--threads", "1", "--rate", "100", "--duration", "1"];
        let gates = ["--qos", "1", "--drain", "0", "--fail-if", "away > 1", "--fail-if", "back p50 > 1h"];
        let line = bench(server.port(), &[&line[..], &gates].concat()).args(["--reconnect", attempts]);
        let report = report(&line.run().exits(3));
        assert_eq!(connections(&report, "away"), 1);
        assert!(!report["problem_codes"].to_string().contains("connections"), "{}", report["problems"]);
        assert_eq!(
            (&report["thresholds"][0]["broken"], &report["thresholds"][1]["broken"]),
            (&false.into(), &true.into())
        );
        assert!(
            report["note_codes"].as_array().unwrap().contains(&"not-back".into()),
            "{}",
            report["note_codes"]
        );
        server.finish();
    }
}

/// Without the option, a lost connection ends the client's part.
#[test]
fn lost_connection_is_final_without_reconnect() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        listener.accept_session(Protocol::V3_1_1).close();
    });
    let line = ["conn", "-V", "311", "--clients", "1", "--hold", "5s"];
    let report = report(&bench(server.port(), &line).run().exits(3));
    assert_eq!((connections(&report, "lost"), connections(&report, "away")), (1, 0));
    assert_eq!(report["problem_codes"][0], "connections-lost");
    assert_eq!(report["latency_us"]["back"], Value::Null);
    server.finish();
}
