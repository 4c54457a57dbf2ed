//! `mqtt bench retained`, `churn` and `wills`, against servers with known behaviour, and real brokers.

use std::time::Duration;

use ::mqtt::broker::Faults;
use ::mqtt::protocol::wire::{self, PacketType};
use ::mqtt::protocol::{Protocol, QoS};
use rstest::rstest;
use serde_json::Value;

use crate::bench::{bench, count, expect_probe, number, report};
use crate::bench_setup::{Real, accept_clients, length_prefixed, scenario_report};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::Server;

const V: Protocol = Protocol::V3_1_1;
/// The delay of a scripted server's answers.
const DELAY: Duration = Duration::from_millis(30);
const DELAY_US: f64 = 30_000.0;

fn operations<const N: usize>(report: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| report["operations"][name].as_u64().unwrap_or_else(|| panic!("{name} in {report}")))
}

fn messages<const N: usize>(report: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| count(report, name))
}

/// Ten operations, each answered after 30 ms; the third SUBSCRIBE is refused.
#[test]
fn answers_to_subscribe_and_unsubscribe_are_timed() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut client = listener.accept_session(V);
        for number in 0..10 {
            let packet = client.packet();
            std::thread::sleep(DELAY);
            let (kind, code) = (packet[0], if number == 4 { 0x80 } else { 0 });
            assert_eq!(kind, if number % 2 == 0 { 0x82 } else { 0xa2 }, "they take turns");
            client.send(&match kind {
                0x82 => vec![0x90, 3, packet[2], packet[3], code],
                _ => vec![0xb0, 2, packet[2], packet[3]],
            });
        }
        client.expect_disconnect(V);
    });
    let line = ["churn", "-V", "311", "--clients", "1", "--subscribe-rate", "20/s", "--duration", "500ms"];
    let outcome = bench(server.port(), &line).args(["--fail-if", "subscribes < 5"]).run().exits(3);
    let report = report(&outcome);
    assert_eq!(operations(&report, ["subscribes", "unsubscribes", "undone", "connects"]), [4, 5, 1, 0]);
    for kind in ["suback", "unsuback"] {
        assert!(number(&report, &format!("/latency_us/{kind}/min")) >= DELAY_US, "{kind}");
        assert_eq!(report["latency_us"][kind]["count"], 5, "{kind}");
    }
    assert_eq!(report["problem_codes"], serde_json::json!(["subscriptions-refused"]));
    assert_eq!(report["thresholds"][0]["value"], 4.0);
    server.finish();
}

/// The operations of all seconds.
fn in_series(report: &Value) -> u64 {
    let rows = report["series"].as_array().unwrap();
    rows.iter().map(|row| row["operations"].as_u64().unwrap()).sum()
}

/// One of five connections is refused: the client connects again on schedule.
#[test]
fn connections_that_are_made_again_are_counted() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut client = listener.accept_session(V);
        for number in 0..4 {
            client.expect_disconnect(V);
            if number == 1 {
                let mut refused = listener.accept();
                refused.expect_connect(V);
                refused.send(&packets::connack(V, false, 3));
            }
            client = listener.accept_session(V);
        }
        client.expect_disconnect(V);
    });
    let line = ["churn", "-V", "311", "--clients", "1", "--connect-rate", "10/s", "--duration", "500ms"];
    let report = report(&bench(server.port(), &line).run().exits(0));
    assert_eq!(operations(&report, ["connects", "undone", "subscribes"]), [4, 1, 0]);
    assert_eq!(in_series(&report), 4);
    assert_eq!(report["connections"]["connected"], 1, "at the beginning");
    assert_eq!(report["connections"]["failed_reconnects"], 1);
    assert_eq!(report["connections"]["lost"], 0);
    assert_eq!(
        (&report["main_latency"], &report["latency_us"]["connect_again"]["count"]),
        (&"connect_again".into(), &5.into())
    );
    assert_eq!(report["latency_us"]["connect_again"]["unanswered"], 1);
    server.finish();
}

/// Of four wills, each published 30 ms after the end of its connection, one is lost and one is duplicated.
#[test]
fn wills_are_counted_and_timed() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut all: Vec<_> = (0..5)
            .map(|_| {
                let mut peer = listener.accept();
                let connect = peer.expect_connect(V);
                peer.send(&packets::connack(V, false, 0));
                (length_prefixed(&connect).collect::<Vec<_>>(), peer)
            })
            .collect();
        let place = all.iter().position(|(fields, _)| fields.len() == 1).unwrap();
        let (_, mut watcher) = all.remove(place);
        watcher.grant_subscription(V);
        for (number, (fields, client)) in all.iter_mut().enumerate() {
            client.expect_end();
            std::thread::sleep(DELAY);
            let topic = String::from_utf8(fields[1].clone()).unwrap();
            assert!(topic.starts_with("bench/wills/"), "{topic}");
            let will = Message::new(&topic, &fields[2]).bytes(V);
            (0..[1, 0, 2, 1][number]).for_each(|_| watcher.send(&will));
        }
        watcher.expect_disconnect(V);
    });
    let line = ["wills", "-V", "311", "--clients", "4", "--size", "32", "--drain", "1s"];
    let report = report(&bench(server.port(), &line).run().exits(0));
    assert_eq!(operations(&report, ["ends", "undone"]), [4, 0]);
    assert_eq!(
        messages(&report, ["expected", "delivered", "lost", "duplicates", "corrupt"]),
        [4, 3, 1, 1, 0]
    );
    assert!(number(&report, "/latency_us/delivery/min") >= DELAY_US);
    assert_eq!((&report["connections"]["lost"], &report["main_latency"]), (&0.into(), &"delivery".into()));
    server.finish();
}

/// One of two subscribers gets nine of ten messages, the other gets the last of them late. Then they are
/// cleared.
#[test]
fn retained_messages_are_counted_and_cleared() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut publisher = listener.accept_session(V);
        let stored: Vec<Vec<u8>> = (0..10).map(|_| publisher.packet()).collect();
        assert!(stored.iter().all(|packet| packet[0] == 0x31), "retained, at QoS 0");
        publisher.expect(V, &packets::pingreq());
        publisher.send(&packets::pingresp());
        let mut subscribers = accept_clients::<2>(listener, V);
        for (number, (_, subscriber)) in subscribers.iter_mut().enumerate() {
            subscriber.grant_subscription(V);
            subscriber.send(&stored[..9].concat());
            if number == 0 {
                std::thread::sleep(DELAY);
                subscriber.send(&stored[9]);
            }
        }
        let cleared: Vec<Vec<u8>> = (0..10).map(|_| publisher.packet()).collect();
        for (packet, before) in cleared.iter().zip(&stored) {
            let topic = 4 + usize::from(before[3]);
            assert_eq!(packet[2..], before[2..topic], "the topic, and nothing after it");
            assert_eq!(packet[0], 0x31);
        }
        publisher.expect(V, &packets::pingreq());
        publisher.send(&packets::pingresp());
        for (_, subscriber) in &mut subscribers {
            subscriber.expect_disconnect(V);
        }
        publisher.expect_disconnect(V);
    });
    let line = ["retained", "-V", "311", "--messages", "10", "--subscribers", "2", "--drain", "1s"];
    let outcome = bench(server.port(), &line).args(["--fail-if", "max > 1h"]).run().exits(3);
    let report = report(&outcome);
    assert_eq!(operations(&report, ["stored", "subscribes", "undone"]), [10, 2, 0]);
    assert_eq!(
        messages(&report, ["expected", "delivered", "lost", "duplicates", "foreign"]),
        [20, 19, 1, 0, 0]
    );
    let all = &report["latency_us"]["all_retained"];
    assert_eq!((&all["count"], &all["unanswered"]), (&2.into(), &1.into()), "{all}");
    assert!(number(&report, "/latency_us/all_retained/min") >= DELAY_US);
    assert_eq!(report["thresholds"][0]["value"], Value::Null, "one of them never had all");
    assert_eq!(report["problem_codes"], serde_json::json!([]));
    assert_eq!(report["configuration"]["retained"]["messages"], 10);
    server.finish();
}

/// A broker that answers PINGREQ and SUBSCRIBE at once, and sends retained messages later: none of them is lost.
#[rstest]
fn retained_messages_that_are_held_back_are_received(
    #[values(50, 2000, 3000)] held_back: u64,
    #[values("0", "1")] qos: &str,
) {
    let held_back = Duration::from_millis(held_back);
    let server = Server::start(move |listener| {
        expect_probe(listener);
        let mut publisher = listener.accept_session(V);
        let mut stored = Vec::new();
        while stored.len() < 3 {
            let packet = publisher.packet();
            let Ok(wire::Packet::Publish(publish)) = wire::decode(V, &packet) else { panic!("{packet:?}") };
            let topic = std::str::from_utf8(publish.topic).unwrap();
            stored.push(Message::new(topic, publish.payload).retained().bytes(V));
            if publish.qos != QoS::AtMostOnce {
                publisher.send(&packets::ack(PacketType::PubAck, publish.packet_identifier));
            }
        }
        publisher.expect(V, &packets::pingreq());
        publisher.send(&packets::pingresp());
        let mut subscriber = listener.accept_session(V);
        subscriber.grant_subscription(V);
        std::thread::sleep(held_back); // that is the broker under test
        subscriber.send(&stored.concat());
        let mut cleared = 0;
        while let Some(packet) = publisher.next() {
            cleared += usize::from(packet[0] >> 4 == 3);
            if packet == packets::pingreq() {
                publisher.send(&packets::pingresp());
            }
        }
        assert_eq!(cleared, 3);
        subscriber.expect_disconnect(V);
    });
    let line =
        ["retained", "-V", "311", "--messages", "3", "--subscribers", "1", "--drain", "30s", "-q", qos];
    let report = report(&bench(server.port(), &line).run().exits(0));
    assert_eq!(messages(&report, ["expected", "delivered", "lost"]), [3, 3, 0]);
    // The histogram keeps three digits.
    assert!(number(&report, "/latency_us/all_retained/min") >= held_back.as_secs_f64() * 0.999e6);
    assert_eq!(report["latency_us"]["all_retained"]["unanswered"], 0);
    server.finish();
}

/// A broker that does not confirm retained messages: the report says that nothing was measured.
#[test]
fn broker_that_stores_nothing_is_reported() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut publisher = listener.accept_session(V);
        (0..2).for_each(|_| assert_eq!(publisher.packet()[0] & 0xf9, 0x31));
        publisher.drain();
    });
    let line =
        ["retained", "-V", "311", "-q", "1", "--messages", "2", "--subscribers", "1", "--drain", "300ms"];
    let report = report(&bench(server.port(), &line).run().exits(3));
    let codes = report["problem_codes"].to_string();
    assert!(codes.contains("unanswered"), "{codes}");
    assert_eq!(operations(&report, ["stored", "subscribes"]), [0, 0]);
    assert!(report["note_codes"].to_string().contains("retained-left"), "{}", report["note_codes"]);
    server.finish();
}

/// A broker without retained messages closes the connection at the first: no time was measured, and the report says what
/// failed.
#[rstest]
fn broker_that_closes_at_a_retained_message_is_reported(#[values("0", "1")] qos: &str) {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut publisher = listener.accept_session(V);
        assert_eq!(publisher.packet()[0] & 0xf9, 0x31);
    });
    let line = ["retained", "-V", "311", "-q", qos, "--messages", "2", "--subscribers", "1"];
    let outcome = bench(server.port(), &line).run().exits(3);
    let report = report(&outcome);
    assert_eq!(operations(&report, ["stored", "subscribes"]), [0, 0]);
    assert_eq!(report["phases_s"]["measure"], 0.0);
    let problems = report["problems"].to_string();
    assert!(problems.contains("does the broker retain messages"), "{problems}");
    server.finish();
}

#[rstest]
fn every_operation_with_a_real_broker(
    #[values(Real::Embedded, Real::Mosquitto)] broker: Real,
    #[values("0", "1", "2")] qos: &str,
) {
    let Some(broker) = broker.start() else { return };
    let run = |line: &[&str]| report(&bench(broker.port(), line).args(["-q", qos]).run().exits(0));

    let wills = run(&["wills", "--clients", "50", "--subscribers", "2", "--threads", "2"]);
    assert_eq!(messages(&wills, ["expected", "delivered", "lost", "duplicates"]), [100, 100, 0, 0]);
    assert_eq!(operations(&wills, ["ends", "undone"]), [50, 0]);
    let wills = run(&["wills", "--clients", "20", "--rate", "50/s"]);
    assert_eq!(messages(&wills, ["expected", "delivered"]), [20, 20]);

    let churn = run(&["churn", "--clients", "5", "--duration", "1s", "--filters", "3"]);
    assert_eq!(operations(&churn, ["subscribes", "unsubscribes", "connects", "undone"]), [50, 50, 100, 0]);
    assert_eq!(churn["connections"]["connected"], 10);
    assert!(number(&churn, "/operations/connects_per_s") > 0.0);

    let line = ["retained", "--messages", "200", "--publishers", "2", "--subscribers", "5", "--threads", "2"];
    let retained = run(&line);
    assert_eq!(messages(&retained, ["expected", "delivered", "lost", "foreign"]), [1000, 1000, 0, 0]);
    assert_eq!(operations(&retained, ["stored", "subscribes"]), [200, 5]);
    assert_eq!(retained["latency_us"]["all_retained"]["count"], 5);
    let left = Mqtt::new(["retain-clear", "-h", "127.0.0.1", "-p", &broker.port().to_string()]);
    left.args(["bench/#", "--dry-run"]).run().exits(0).prints("");
}

/// Groups in a file perform operations, while other groups publish.
#[rstest]
fn scenario_files_have_operations(#[values(Real::Embedded, Real::Mosquitto)] broker: Real) {
    let Some(broker) = broker.start() else { return };
    let text = r#"
        duration = "1s"
        [[group]]
        name = "senders"
        clients = 2
        publish = { rate = "100/s", qos = 1 }
        [[group]]
        name = "receivers"
        clients = 1
        [[group.subscribe]]
        from = "senders"
        pattern = "all"
        [[group]]
        name = "visitors"
        clients = 4
        operation = { kind = "connect", rate = "40/s" }
        [[group]]
        name = "fickle"
        clients = 4
        operation = { kind = "subscribe", rate = "20/s" }
        [[group.subscribe]]
        filter = "other/{client}"
    "#;
    let report = scenario_report(broker.port(), text);
    assert_eq!(report["mode"], "e2e");
    assert_eq!(messages(&report, ["sent", "delivered", "lost"]), [100, 100, 0]);
    assert_eq!(operations(&report, ["connects", "subscribes", "unsubscribes", "undone"]), [40, 12, 8, 0]);
}

#[test]
fn loads_are_written_as_scenarios() {
    for mode in ["retained", "churn", "wills"] {
        let text = Mqtt::new(["bench", mode, "--show-scenario"]).run().exits(0).stdout;
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("[group.operation]"), "{text}");
        let folder = tempfile::tempdir().unwrap();
        let path = crate::support::write(folder.path(), "fleet.toml", &text);
        let again = Mqtt::new(["bench", "scenario", "show", &path]).run().exits(0).stdout;
        assert_eq!(String::from_utf8(again).unwrap(), text);
    }
}

#[rstest]
#[case(&["wills", "--size", "31"], "32 to 65535 bytes")]
#[case(&["retained", "--size", "15"], "16 bytes or more")]
#[case(&["retained", "--messages", "10", "--publishers", "3"], "shared out evenly")]
#[case(&["churn", "--connect-rate", "5", "--filters", "2"], "--filters needs --subscribe-rate")]
fn impossible_loads_are_refused(#[case] line: &[&str], #[case] reason: &str) {
    bench(1, line).run().exits(2).mentions(reason);
}

/// Connections are made again and again, and the broker answers no SUBSCRIBE: the run says nothing about those.
#[test]
fn churn_without_any_suback_is_not_valid() {
    let broker = Broker::start();
    broker.embedded().set_faults(Faults { withhold: vec![PacketType::SubAck.into()], ..Faults::default() });
    let line = ["churn", "--clients", "2", "--subscribe-rate", "20/s", "--connect-rate", "20/s"];
    let run = bench(broker.port(), &line).args(["--duration", "500ms", "--drain", "300ms"]).run().exits(3);
    let report = report(&run);
    let [connects, subscribes, undone] = operations(&report, ["connects", "subscribes", "undone"]);
    assert!(connects > 0 && subscribes == 0 && undone > 0, "{report:#}");
    assert_eq!(
        (&report["valid"], &report["problem_codes"]),
        (&false.into(), &serde_json::json!(["nothing-measured"]))
    );
    assert!(report["problems"][0].as_str().unwrap().contains("no SUBSCRIBE of "), "{report:#}");
}

/// Three operations are due in 300 ms, and the broker does not answer the first: none of them counts as done.
#[test]
fn unanswered_operations_are_not_done() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut client = listener.accept_session(V);
        assert_eq!(client.packet()[0], 0x82);
        client.drain();
    });
    let line = ["churn", "-V", "311", "--clients", "1", "--subscribe-rate", "10/s", "--duration", "300ms"];
    let outcome =
        bench(server.port(), &line).args(["--drain", "300ms", "--fail-if", "p50 > 1h"]).run().exits(3);
    let report = report(&outcome);
    assert_eq!(operations(&report, ["subscribes", "undone"]), [0, 3]);
    assert_eq!(report["latency_us"]["suback"]["unanswered"], 3);
    assert_eq!(report["thresholds"][0]["broken"], true);
    server.finish();
}

/// The broker accepts everything, and gives these clients nothing to read.
#[rstest]
#[case(&["retained", "--messages", "20", "--subscribers", "2"], "no retained message of 40 arrived; does the broker")]
#[case(&["wills", "--clients", "5"], "no will of 5 arrived; may this user both publish and subscribe there?")]
fn operations_without_a_message_are_not_valid(#[case] line: &[&str], #[case] why: &str) {
    let Some(broker) = Mosquitto::start(&Setup::new().access("topic write #")) else { return };
    let report = report(&bench(broker.port(), line).args(["--drain", "300ms"]).run().exits(3));
    assert!(report["problem_codes"].to_string().contains("nothing-measured"), "{report}");
    let said = format!("nothing was measured: {why}");
    assert!(report["problems"].to_string().contains(&said), "{}", report["problems"]);
}
