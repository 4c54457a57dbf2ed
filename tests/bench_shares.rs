//! How evenly shared subscriptions distribute their messages: against a server with known shares, and real
//! brokers.

use ::mqtt::protocol::Protocol;
use rstest::rstest;

use crate::bench::{bench, count, number, report};
use crate::bench_setup::{Real, accept_clients, scenario_report};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::packets;
use crate::support::server::Server;

/// Of forty messages one member gets ten and the other thirty; Jain's index is 40² / (2 (10² + 30²)).
#[test]
fn uneven_shares_are_reported() {
    const V: Protocol = Protocol::V5;
    let server = Server::start(|listener| {
        listener.accept_session(V).expect_disconnect(V);
        let [(_, one), (_, other), (_, mut sender)] = accept_clients(listener, V);
        let mut members = [one, other];
        for member in &mut members {
            member.grant_subscription(V);
        }
        for number in 0..40 {
            let packet = sender.packet();
            members[usize::from(number % 4 > 0)].send(&packet);
        }
        sender.expect(V, &packets::pingreq());
        sender.send(&packets::pingresp());
        sender.expect_disconnect(V);
        for member in &mut members {
            member.expect_disconnect(V);
        }
    });
    let text = r#"
        version = "5"
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
    let report = scenario_report(server.port(), text);
    assert_eq!((count(&report, "delivered"), count(&report, "lost")), (40, 0));
    let of = |name: &str| number(&report, &format!("/messages/share_{name}"));
    assert_eq!([of("fairness"), of("least"), of("most")], [0.8, 0.25, 0.75]);
}

#[rstest]
fn shares_are_measured(#[values(Real::Embedded, Real::Mosquitto)] broker: Real) {
    let Some(broker) = broker.start() else { return };
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
    let report = report(&bench(broker.port(), &line).run().exits(0));
    assert_eq!(count(&report, "delivered"), 400);
    let of = |name: &str| number(&report, &format!("/messages/share_{name}"));
    assert!(of("least") <= 0.25 && of("most") >= 0.25, "{}", report["messages"]);
    assert!((0.25..=1.0).contains(&of("fairness")), "{}", report["messages"]);
}

#[test]
fn without_shared_subscriptions_there_are_no_shares() {
    let broker = Broker::start();
    let report = report(&bench(broker.port(), &["e2e", "--count", "20"]).run().exits(0));
    assert!(report["messages"]["share_fairness"].is_null());
}
