//! How evenly shared subscriptions spread their messages: against a server that gives known parts, and real brokers.

use ::mqtt::protocol::Protocol;

use crate::bench::{bench, count, expect_probe, number, report};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::packets;
use crate::support::server::{Peer, Server};

/// Of forty messages one member gets ten and the other thirty: by Jain, 40² by 2 (10² + 30²).
#[test]
fn uneven_shares_are_reported() {
    const V: Protocol = Protocol::V3_1_1;
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut accept = || {
            let mut peer = listener.accept();
            let connect = peer.expect_connect(V);
            peer.send(&packets::connack(V, false, 0));
            (connect.ends_with(b"senders-0"), peer)
        };
        let all = [accept(), accept(), accept()];
        let (senders, mut members): (Vec<_>, Vec<_>) = all.into_iter().partition(|(sends, _)| *sends);
        for (_, member) in &mut members {
            member.grant_subscription(V);
        }
        let mut sender: Peer = senders.into_iter().next().unwrap().1;
        for number in 0..40 {
            let packet = sender.packet();
            members[usize::from(number % 4 > 0)].1.send(&packet);
        }
        sender.expect(V, &packets::pingreq());
        sender.send(&packets::pingresp());
        sender.expect_disconnect(V);
        for (_, member) in &mut members {
            member.expect_disconnect(V);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let text = r#"
        version = "3.1.1"
        count = 40
        [[group]]
        name = "senders"
        clients = 1
        publish = { rate = "200/s" }
        [[group]]
        name = "members"
        clients = 2
        [[group.subscribe]]
        from = "senders"
        pattern = "all"
        shared-groups = 1
    "#;
    let path = crate::support::write(folder.path(), "fleet.toml", text);
    let report = report(&bench(server.port(), &["scenario", "run", &path]).run().exits(0));
    assert_eq!((count(&report, "delivered"), count(&report, "lost")), (40, 0));
    let of = |name: &str| number(&report, &format!("/messages/share_{name}"));
    assert_eq!([of("fairness"), of("least"), of("most")], [0.8, 0.25, 0.75]);
}

fn shares_are_measured(port: u16) {
    let line = [
        "e2e",
        "-V",
        "5",
        "--publishers",
        "5",
        "--subscribers",
        "4",
        "--shared-groups",
        "1",
        "--count",
        "400",
    ];
    let report = report(&bench(port, &line).run().exits(0));
    assert_eq!(count(&report, "delivered"), 400);
    let of = |name: &str| number(&report, &format!("/messages/share_{name}"));
    assert!(of("least") <= 0.25 && of("most") >= 0.25, "{}", report["messages"]);
    assert!((0.25..=1.0).contains(&of("fairness")), "{}", report["messages"]);
}

#[test]
fn shares_are_measured_with_the_embedded_broker() {
    shares_are_measured(Broker::start().port());
}

#[test]
fn shares_are_measured_with_mosquitto() {
    let Some(broker) = Mosquitto::start(&Setup::new()) else { return };
    shares_are_measured(broker.port());
}

#[test]
fn without_shared_subscriptions_there_are_no_shares() {
    let broker = Broker::start();
    let report = report(&bench(broker.port(), &["e2e", "--count", "20"]).run().exits(0));
    assert!(report["messages"]["share_fairness"].is_null());
}
