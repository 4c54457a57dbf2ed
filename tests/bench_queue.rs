//! Clients that stay away while the broker queues what is for them: `--disturb 'TIME: away SHARE% for DURATION'`.

use ::mqtt::protocol::Protocol;
use serde_json::Value;

use crate::bench::{bench, count, expect_probe, number, report};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::packets;
use crate::support::server::{Peer, Server};

fn scenario(port: u16, text: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = crate::support::write(folder.path(), "fleet.toml", text);
    report(&bench(port, &["scenario", "run", &path]).run().exits(0))
}

/// Of a hundred messages, forty are due while the subscriber is away. Of these the broker loses three.
#[test]
fn what_was_queued_and_lost_is_counted() {
    const V: Protocol = Protocol::V3_1_1;
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut accept = || {
            let mut peer = listener.accept();
            let connect = peer.expect_connect(V);
            peer.send(&packets::connack(V, false, 0));
            (connect.ends_with(b"senders-0"), peer)
        };
        let (one, other) = (accept(), accept());
        let (mut sender, mut receiver): (Peer, Peer) =
            if one.0 { (one.1, other.1) } else { (other.1, one.1) };
        receiver.grant_subscription(V);
        for _ in 0..20 {
            receiver.send(&sender.packet());
        }
        receiver.expect_end();
        let mut receiver = listener.accept();
        receiver.expect_connect(V);
        receiver.send(&packets::connack(V, true, 0));
        for number in 20..100 {
            let packet = sender.packet();
            if !matches!(number, 21 | 30 | 50) {
                receiver.send(&packet);
            }
        }
        sender.expect(V, &packets::pingreq());
        sender.send(&packets::pingresp());
        sender.expect_disconnect(V);
        receiver.expect_disconnect(V);
    });
    let text = r#"
        version = "3.1.1"
        count = 100
        drain = "1s"
        reconnect = "always"
        disturb = "195ms: away 100% of receivers for 400ms"
        [[group]]
        name = "senders"
        clients = 1
        publish = { rate = "100/s" }
        [[group]]
        name = "receivers"
        clients = 1
        clean-start = false
        [[group.subscribe]]
        from = "senders"
    "#;
    let report = scenario(server.port(), text);
    let around = &report["disturbances"][0];
    assert_eq!(around["what"], "away 100% of receivers for 400ms");
    assert_eq!(around["queue"]["messages"], 37, "{around}");
    assert!(number(around, "/queue/drained_s") > 0.0 && number(around, "/queue/per_s") > 0.0, "{around}");
    assert_eq!(
        (count(&report, "lost"), count(&report, "reordered"), count(&report, "duplicates")),
        (3, 0, 0)
    );
    assert_eq!(around["connections"]["sessions_present"], 1);
    assert!(number(around, "/connections/first_back_s") >= 0.4);
}

fn queues_are_drained(port: u16) {
    let text = r#"
        version = "5"
        duration = "2s"
        drain = "10s"
        reconnect = "always"
        session-expiry = "1h"
        disturb = "200ms: away 100% of subscribers for 1s"
        [[group]]
        name = "subscribers"
        clients = 3
        clean-start = false
        [[group.subscribe]]
        from = "publishers"
        qos = 1
        [[group]]
        name = "publishers"
        clients = 3
        publish = { rate = "90/s", qos = 1 }
    "#;
    let report = scenario(port, text);
    let around = &report["disturbances"][0];
    assert_eq!(
        (count(&report, "delivered"), count(&report, "lost"), count(&report, "reordered")),
        (180, 0, 0)
    );
    assert!((85..=100).contains(&around["queue"]["messages"].as_u64().unwrap()), "a second of it: {around}");
    assert_eq!(around["connections"]["sessions_present"], 3);
    assert_eq!(around["connections"]["cut"], 3);
}

#[test]
fn queues_are_drained_with_the_embedded_broker() {
    queues_are_drained(Broker::start().port());
}

#[test]
fn queues_are_drained_with_mosquitto() {
    let Some(broker) = Mosquitto::start(&Setup::new()) else { return };
    queues_are_drained(broker.port());
}

#[test]
fn a_group_that_there_is_not_is_refused() {
    let line = ["e2e", "--reconnect", "always", "--disturb", "1s: away 50% of devices for 1s"];
    bench(1, &line).run().exits(2).mentions("there is no group 'devices'");
}
