//! `mqtt bench --stages`, limits that end a run, and other features of scenario files: a course over time,
//! slow consumers, groups that start after others, topic aliases.

use std::time::{Duration, Instant};

use ::mqtt::protocol::Protocol;
use rstest::rstest;
use serde_json::Value;

use crate::bench::{accept_pair, bench, count, expect_probe, number, report, watched};
use crate::bench_setup::{Real, scenario, scenario_report};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::packets;
use crate::support::server::Server;

fn of(report: &Value, stage: usize, name: &str) -> u64 {
    report["stages"][stage]["messages"][name].as_u64().unwrap_or_else(|| panic!("{name} in {report}"))
}

/// Fifty messages in half a second, and fifty in the quarter after it: of the second fifty, every fifth is
/// dropped and every tenth is duplicated. The stamp of small messages identifies the stage as well.
#[test]
fn messages_are_counted_in_the_stage_in_which_they_were_due() {
    for size in ["64", "16"] {
        let server = Server::start(|listener| {
            expect_probe(listener);
            let (mut publisher, mut subscriber) = accept_pair(listener);
            for number in 0..100 {
                let packet = publisher.packet();
                match number {
                    50.. if number % 5 == 1 => {}
                    50.. if number % 10 == 2 => subscriber.send(&[&packet[..], &packet].concat()),
                    _ => subscriber.send(&packet),
                }
            }
            publisher.expect(Protocol::V3_1_1, &packets::pingreq());
            publisher.send(&packets::pingresp());
            publisher.expect_disconnect(Protocol::V3_1_1);
            subscriber.expect_disconnect(Protocol::V3_1_1);
        });
        let clients = ["e2e", "-V", "311", "--publishers", "1", "--subscribers", "1", "--size", size];
        let course = ["--rate", "100", "--stages", "hold 500ms, spike 200/s 250ms", "--drain", "1s"];
        let report = report(&bench(server.port(), &[&clients[..], &course].concat()).run().exits(0));
        for name in ["sent", "expected"] {
            assert_eq!([of(&report, 0, name), of(&report, 1, name)], [50, 50], "{name}");
        }
        let all = ["delivered", "lost", "duplicates", "reordered"].map(|name| of(&report, 0, name));
        assert_eq!(all, [50, 0, 0, 0]);
        let all = ["delivered", "lost", "duplicates", "reordered"].map(|name| of(&report, 1, name));
        assert_eq!(all, [40, 10, 5, 0]);
        assert_eq!((count(&report, "sent"), count(&report, "lost")), (100, 10));
        assert_eq!(report["stages"][1]["what"], "spike 200/s 250ms");
        assert_eq!(report["stages"][1]["latency_us"]["delivery"]["count"], 40);
        assert_eq!(number(&report, "/stages/1/rate_per_s"), 200.0);
        assert_eq!(report["configuration"]["stages"], serde_json::json!(["hold 500ms", "spike 200/s 250ms"]));
        assert!((number(&report, "/configuration/rate_per_s") - 100.0 / 0.75).abs() < 0.01);
    }
}

/// A ramp from 0 to 400/s in a second is 200 messages, and the stages of a file have their own limits.
const COURSE: &str = r#"
fail-if = ["loss > 0"]
[[stage]]
load = "ramp to 400/s in 1s"
[[stage]]
load = "hold 500ms"
fail-if = ["sent < 150", "lost > 0"]
[[stage]]
load = "ramp to 0 in 500ms"
fail-if = ["sent < 150"]
[[group]]
name = "some"
clients = 3
publish = { rate = "30/s", qos = 1 }
[[group]]
name = "others"
clients = 2
publish = { rate = "10/s", qos = 1, arrivals = "burst:2" }
[[group]]
name = "receivers"
clients = 2
[[group.subscribe]]
from = ["some", "others"]
pattern = "all"
qos = 1
"#;

#[rstest]
fn stages_of_a_file_share_the_rate(#[values(Real::Embedded, Real::Mosquitto)] broker: Real) {
    let Some(broker) = broker.start() else { return };
    let outcome = scenario(broker.port(), COURSE, &[]).exits(3);
    let (report, stderr) = (report(&outcome), outcome.stderr);
    let sent = [0, 1, 2].map(|stage| of(&report, stage, "sent"));
    assert!(
        sent[0].abs_diff(200) <= 3 && sent[1].abs_diff(200) <= 3 && sent[2].abs_diff(100) <= 3,
        "{sent:?}"
    );
    let groups: Vec<u64> =
        report["groups"].as_array().unwrap().iter().map(|group| group["sent"].as_u64().unwrap()).collect();
    assert!(groups[0].abs_diff(375) <= 2 && groups[1].abs_diff(125) <= 2, "three parts and one: {groups:?}");
    assert_eq!(count(&report, "expected"), 2 * sent.iter().sum::<u64>());
    assert_eq!(count(&report, "lost"), 0);
    let broken = |stage: usize| {
        let all = report["stages"][stage]["thresholds"].as_array().unwrap().iter();
        all.map(|limit| limit["broken"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((broken(0), broken(1), broken(2)), (vec![], vec![false, false], vec![true]));
    assert!(stderr.contains("failed: stage 3: fail if sent < 150: it was "), "{stderr}");
    let rows = report["series"].as_array().unwrap();
    let marked: Vec<u64> =
        rows.iter().filter_map(|row| row["stage"].as_u64()).filter(|stage| *stage > 0).collect();
    assert!(marked.is_sorted() && marked.first() == Some(&1), "{marked:?}");
}

#[test]
fn stages_are_in_every_report() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [html, markdown, csv, junit] = ["a.html", "a.md", "a.csv", "a.xml"].map(path);
    let line = ["e2e", "--rate", "50", "--stages", "hold 300ms, spike 200/s 300ms"];
    let files = ["--html", &html, "--markdown", &markdown, "--csv", &csv, "--junit", &junit];
    let port = broker.port().to_string();
    let outcome = crate::support::mqtt::Mqtt::new(["bench"])
        .args(line)
        .args(["-h", "127.0.0.1", "-p", &port, "--allow-saturated", "--quiet"])
        .args(files)
        .run()
        .exits(0);
    let table = String::from_utf8(outcome.stdout).unwrap();
    assert!(table.contains("stage ") && table.contains("2 spike 200/s 300ms"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let text = |path: &str| std::fs::read_to_string(path).unwrap();
    assert!(text(&html).contains("<td>2 spike 200/s 300ms</td>"));
    assert!(text(&markdown).contains("| 2 spike 200/s 300ms | 200 | 60 |"), "{}", text(&markdown));
    let heading = text(&csv).lines().next().unwrap().to_owned();
    assert!(heading.ends_with(",stage,operations"), "{heading}");
}

/// A broker that stops answering ends a run of an hour.
#[test]
fn a_broken_limit_ends_the_run() {
    let Some(broker) = Mosquitto::start(&Setup::new()) else { return };
    let line = ["pub", "--qos", "1", "--rate", "100", "--duration", "1h", "--drain", "1s"];
    let limits = ["--fail-if", "p99 > 300ms", "--abort-on-fail", "1s"];
    let running = watched(broker.port(), &[&line[..], &limits].concat()).spawn();
    running.wait_for_stderr(" measure ");
    broker.signal(rustix::process::Signal::STOP);
    let outcome = running.finish().exits(3);
    broker.signal(rustix::process::Signal::CONT);
    let report = report(&outcome);
    assert!(number(&report, "/aborted/after_s") >= 1.0);
    assert!(report["aborted"]["limit"].as_str().unwrap().starts_with("fail if p99 > 300ms: it was "));
    assert!(outcome.stderr.contains("aborted after "), "{}", outcome.stderr);
    assert_eq!(report["thresholds"][0]["broken"], true);
}

/// A run with a number of messages does not wait for them when a limit ends it, however long the drain may be.
#[test]
fn a_broken_limit_ends_a_run_with_a_count() {
    let broker = Broker::start();
    let line = ["pub", "--qos", "1", "--rate", "500", "--count", "100000", "--drain", "1m"];
    let limits = ["--fail-if", "sent > 100", "--abort-on-fail", "0s"];
    let report = report(&bench(broker.port(), &[&line[..], &limits].concat()).run().exits(3));
    assert!(report["aborted"]["limit"].as_str().unwrap().starts_with("fail if sent > 100: it was "));
    // In the minute of the drain it would be 30,000.
    assert!((101..15_000).contains(&count(&report, "sent")), "{}", report["messages"]);
    assert_eq!(count(&report, "sent"), count(&report, "acknowledged"));
}

/// The most recent messages do not count as lost, and a limit of a stage ends the run only in that stage.
#[test]
fn limits_that_hold_do_not_end_the_run() {
    let broker = Broker::start();
    let text = r#"
        fail-if = ["loss > 0", "delivered < 1"]
        abort-on-fail = "0s"
        [[stage]]
        load = "hold 1500ms"
        [[stage]]
        load = "spike 200/s 1h"
        fail-if = ["sent > 250"]
        [[group]]
        name = "senders"
        clients = 2
        publish = { rate = "100/s" }
        [[group]]
        name = "receivers"
        clients = 1
        [[group.subscribe]]
        from = "senders"
        pattern = "all"
    "#;
    let report = report(&scenario(broker.port(), text, &[]).exits(3));
    assert!(
        report["aborted"]["limit"].as_str().unwrap().starts_with("stage 2: fail if sent > 250: it was "),
        "{report}"
    );
    assert_eq!(of(&report, 0, "sent"), 150);
    assert_eq!(count(&report, "lost"), 0);
}

/// Ten messages at once, and a client that reads ten per second: the last is read almost a second after the
/// first.
#[rstest]
fn slow_consumers_read_no_faster(#[values(Real::Embedded, Real::Mosquitto)] broker: Real) {
    let Some(broker) = broker.start() else { return };
    let text = r#"
        duration = "100ms"
        [[group]]
        name = "senders"
        clients = 1
        publish = { rate = "100/s", arrivals = "burst:10", qos = 1 }
        [[group]]
        name = "slow"
        clients = 3
        read-rate = "20/s"
        [[group.subscribe]]
        from = "senders"
        pattern = "all"
        qos = 1
        [[group]]
        name = "fast"
        clients = 1
        [[group.subscribe]]
        from = "senders"
        pattern = "all"
    "#;
    let report = scenario_report(broker.port(), text);
    let group = |place: usize| &report["groups"][place];
    assert_eq!((group(1)["delivered"].as_u64(), group(2)["delivered"].as_u64()), (Some(30), Some(10)));
    let longest = |place: usize| number(group(place), "/delivery_us/max");
    assert!(longest(1) >= 9.0 * 50_000.0, "nine pauses of 50 ms: {}", longest(1));
    assert!(number(group(1), "/delivery_us/p50") >= 4.0 * 50_000.0);
    assert_eq!(count(&report, "lost"), 0);
}

/// The second group connects only after the first is connected and subscribed.
#[test]
fn a_group_starts_after_another() {
    const V: Protocol = Protocol::V3_1_1;
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut first = listener.accept();
        first.expect_connect(V);
        listener.expect_no_connection();
        first.send(&packets::connack(V, false, 0));
        let subscribe = first.packet();
        assert_eq!(subscribe[0], 0x82, "a SUBSCRIBE");
        listener.expect_no_connection();
        first.send(&[0x90, 3, subscribe[2], subscribe[3], 0]);
        let mut second = listener.accept();
        second.expect_connect(V);
        second.send(&packets::connack(V, false, 0));
        second.expect_disconnect(V);
        first.expect_disconnect(V);
    });
    let text = r#"
        version = "3.1.1"
        duration = "50ms"
        [[group]]
        name = "late"
        clients = 1
        starts-after = "early"
        [[group]]
        name = "early"
        clients = 1
        [[group.subscribe]]
        filter = "a"
    "#;
    let outcome = scenario(server.port(), text, &[]).exits(3);
    assert_eq!(report(&outcome)["connections"]["connected"], 2, "nothing was received, which is not valid");
}

/// A topic is sent once, then its alias; the broker delivers the topic.
#[rstest]
fn topic_aliases_arrive(#[values(Real::Embedded, Real::Mosquitto)] broker: Real) {
    let Some(broker) = broker.start() else { return };
    let text = r#"
        duration = "1s"
        [[group]]
        name = "senders"
        clients = 2
        publish = { rate = "100/s", qos = 1, topics = 3, topic-alias = true }
        [[group]]
        name = "receivers"
        clients = 1
        [[group.subscribe]]
        from = "senders"
        pattern = "all"
    "#;
    let report = scenario_report(broker.port(), text);
    assert_eq!((count(&report, "sent"), count(&report, "delivered"), count(&report, "lost")), (100, 100, 0));
    assert_eq!(report["configuration"]["protocol"], "5");
}

/// The second message of a topic has an alias and no topic.
#[test]
fn a_known_topic_is_left_out() {
    const V: Protocol = Protocol::V5;
    let server = Server::start(|listener| {
        let answer = |properties: &[u8]| {
            let length = u8::try_from(properties.len()).unwrap();
            [&[0x20, 3 + length, 0, 0, length][..], properties].concat()
        };
        let mut probe = listener.accept();
        probe.expect_connect(V);
        probe.send(&answer(&[34, 0, 5]));
        probe.expect_disconnect(V);
        let mut client = listener.accept();
        client.expect_connect(V);
        client.send(&answer(&[34, 0, 5]));
        let first = client.packet();
        assert_eq!(first[2..4], [0, 1], "the topic");
        assert_eq!(first[4..9], [b't', 3, 35, 0, 1], "and its alias");
        let second = client.packet();
        assert_eq!(second[2..8], [0, 0, 3, 35, 0, 1], "the alias alone");
        client.expect(V, &packets::pingreq());
        client.send(&packets::pingresp());
        client.expect_disconnect(V);
    });
    let text = r#"
        count = 2
        [[group]]
        name = "senders"
        clients = 1
        publish = { rate = "100/s", topic = "t", topic-alias = true }
    "#;
    let report = scenario_report(server.port(), text);
    assert_eq!(count(&report, "sent"), 2);
}

/// A scenario file may have disturbances; they do not extend the run.
#[test]
fn scenario_files_have_disturbances() {
    let broker = Broker::start();
    let text = r#"
        duration = "1s"
        reconnect = "always"
        disturb = "200ms: drop 100%"
        [[group]]
        name = "idle"
        clients = 4
    "#;
    let began = Instant::now();
    let report = scenario_report(broker.port(), text);
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(report["disturbances"][0]["connections"]["cut"], 4);
    assert_eq!(report["disturbances"][0]["what"], "drop 100%");
}
