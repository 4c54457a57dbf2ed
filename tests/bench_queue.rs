//! Clients that stay away while the broker queues their messages: `--disturb 'TIME: away SHARE% for
//! DURATION'`.

use ::mqtt::protocol::Protocol;
use rstest::rstest;

use crate::bench::{bench, count, expect_probe, number};
use crate::bench_disturb::of;
use crate::bench_setup::{Real, accept_clients, scenario_report};
use crate::support::packets;
use crate::support::server::Server;

/// Of a hundred messages, forty are due while the subscriber is away. The broker loses three of these.
#[test]
fn queued_and_lost_messages_are_counted() {
    const V: Protocol = Protocol::V3_1_1;
    let server = Server::start(|listener| {
        expect_probe(listener);
        let [(_, mut receiver), (_, mut sender)] = accept_clients(listener, V);
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
    let report = scenario_report(server.port(), text);
    let around = &report["disturbances"][0];
    assert_eq!(around["what"], "away 100% of receivers for 400ms");
    assert_eq!(around["queue"]["messages"], 37, "{around}");
    assert!(number(around, "/queue/drained_s") > 0.0 && number(around, "/queue/per_s") > 0.0, "{around}");
    // The last message before it may be in the socket when the client closes it.
    assert_eq!(of(&report, "messages/lost"), 3, "{around}");
    assert_eq!((count(&report, "reordered"), count(&report, "duplicates")), (0, 0));
    assert_eq!(around["connections"]["sessions_present"], 1);
    assert!(number(around, "/connections/first_back_s") >= 0.4);
}

#[rstest]
fn queues_are_drained(#[values(Real::Embedded, Real::Mosquitto)] broker: Real) {
    let Some(broker) = broker.start() else { return };
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
    let report = scenario_report(broker.port(), text);
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
fn unknown_group_is_refused() {
    let line = ["e2e", "--reconnect", "always", "--disturb", "1s: away 50% of devices for 1s"];
    bench(1, &line).run().exits(2).mentions("unknown group 'devices'");
}
