//! `mqtt bench --disturb`: the report on disturbances, against servers with known losses, the embedded
//! broker, and a real mosquitto that is killed and restarted.

use std::time::{Duration, Instant};

use ::mqtt::protocol::Protocol;
use serde_json::Value;

use crate::bench::{accept_pair, bench, count, expect_probe, number, report};
use crate::bench_reconnect::connections;
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::packets;
use crate::support::server::{Peer, Server};

pub(crate) fn of(report: &Value, path: &str) -> u64 {
    report
        .pointer(&format!("/disturbances/0/{path}"))
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("{path}"))
}

fn seconds(report: &Value, name: &str) -> f64 {
    number(report, &format!("/disturbances/0/connections/{name}"))
}

/// Of a hundred messages, the last fifty are due after the disturbance: of these, every fifth is dropped and
/// every tenth is duplicated.
fn mistreat(publisher: &mut Peer, subscriber: &mut Peer) {
    for number in 0..100 {
        let packet = publisher.packet();
        assert_eq!(packet[0], 0x30, "a PUBLISH");
        match number {
            50.. if number % 5 == 1 => {}
            50.. if number % 10 == 2 => subscriber.send(&[&packet[..], &packet].concat()),
            _ => subscriber.send(&packet),
        }
    }
    publisher.expect(Protocol::V3_1_1, &packets::pingreq());
    publisher.send(&packets::pingresp());
}

/// Messages around a disturbance are counted by the time at which they were due, even with the short stamp.
#[test]
fn messages_lost_after_a_disturbance_are_counted_there() {
    for size in ["64", "16"] {
        let server = Server::start(|listener| {
            expect_probe(listener);
            let (mut publisher, mut subscriber) = accept_pair(listener);
            mistreat(&mut publisher, &mut subscriber);
            publisher.expect_disconnect(Protocol::V3_1_1);
            subscriber.expect_disconnect(Protocol::V3_1_1);
        });
        let clients = ["e2e", "-V", "311", "--publishers", "1", "--subscribers", "1", "--size", size];
        let course =
            ["--rate", "100", "--count", "100", "--disturb", "495ms: echo disturbed", "--drain", "1s"];
        let line = [&clients[..], &course].concat();
        let outcome = crate::bench::watched(server.port(), &line).run().exits(0);
        assert!(outcome.stderr.contains("disturbed\n"), "the command's output: {}", outcome.stderr);
        let report = report(&outcome);
        let found = ["expected", "delivered", "lost", "duplicates"]
            .map(|name| of(&report, &format!("messages/{name}")));
        assert_eq!(found, [50, 40, 10, 5], "{size}");
        assert_eq!((count(&report, "lost"), count(&report, "duplicates")), (10, 5));
        let before = number(&report, "/disturbances/0/latency_us/before/count");
        let [during, after] = ["during", "after"]
            .map(|name| report["disturbances"][0]["latency_us"][name]["count"].as_f64().unwrap_or(0.0));
        // A message that is in flight at the disturbance is timed with those after it.
        assert!(before <= 50.0 && before + during + after == 90.0, "{before} {during} {after}");
        assert_eq!(report["configuration"]["disturbances"][0], "495ms: echo disturbed");
        let marked: u64 = report["series"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["disturbances"].as_u64().unwrap())
            .sum();
        assert_eq!(marked, 1);
        server.finish();
    }
}

/// The broker holds back messages before the disturbance, until it is over: these are late, and those are not that were
/// delivered before it. The disturbance is at the time at which a message is due, which belongs to it.
#[test]
fn messages_in_flight_at_a_disturbance_are_late() {
    let mut tries = Vec::new();
    // A machine that stalls for longer than messages are held back has other messages that are late.
    while tries.last() != Some(&10) {
        assert!(tries.len() < 4, "{tries:?}");
        let server = Server::start(|listener| {
            expect_probe(listener);
            let (mut publisher, mut subscriber) = accept_pair(listener);
            let mut held = Vec::new();
            for number in 0..100 {
                let packet = publisher.packet();
                match number {
                    // These wait for 200 ms or less, and the next for 440 ms or more.
                    5..10 | 30..40 => held.extend(packet),
                    10 => subscriber.send(&[&std::mem::take(&mut held)[..], &packet].concat()),
                    40..50 => {} // lost
                    50 => subscriber.send(&[&held[..], &packet].concat()),
                    _ => subscriber.send(&packet),
                }
            }
            publisher.expect(Protocol::V3_1_1, &packets::pingreq());
            publisher.send(&packets::pingresp());
            publisher.expect_disconnect(Protocol::V3_1_1);
            subscriber.expect_disconnect(Protocol::V3_1_1);
        });
        let clients = ["e2e", "-V", "311", "--publishers", "1", "--subscribers", "1", "--size", "16"];
        let course = ["--rate", "25", "--count", "100", "--disturb", "2s: true", "--drain", "1s"];
        let report = report(&bench(server.port(), &[&clients[..], &course].concat()).run().exits(0));
        server.finish();
        let found = ["expected", "delivered", "lost", "lost_before"]
            .map(|name| of(&report, &format!("messages/{name}")));
        assert_eq!(found, [50, 50, 0, 10]);
        let around = &report["disturbances"][0];
        assert!(number(around, "/latency_us/before/count") <= 30.0, "{around}");
        let [before, during, after] = ["before", "during", "after"]
            .map(|name| around["latency_us"][name]["count"].as_u64().unwrap_or(0));
        assert_eq!(before + during + after, 90);
        assert!(around["latency_us"]["during"]["max"].as_f64() >= Some(800_000.0), "{around}");
        tries.push(of(&report, "messages/late"));
    }
}

/// A known share of the clients is disconnected at once; because sessions are kept, no message is lost.
#[test]
fn share_of_the_clients_is_disconnected_and_reconnects() {
    let broker = Broker::start();
    for (expiry, present, lost) in [("1h", 10, 0), ("0", 0, 10)] {
        let line = ["e2e", "-V", "5", "--qos", "1", "--rate", "500", "--duration", "2s", "-x", expiry];
        let disturbed = ["--reconnect", "always", "--disturb", "500ms: drop 50%", "--threads", "2"];
        let report = report(&bench(broker.port(), &[&line[..], &disturbed].concat()).run().exits(0));
        let codes = report["problem_codes"].as_array().unwrap();
        assert!(!codes.contains(&"connections-lost".into()), "{codes:?}");
        let found = ["cut", "lost", "back", "sessions_present", "sessions_lost"]
            .map(|name| of(&report, &format!("connections/{name}")));
        assert_eq!(found, [10, 10, 10, present, lost]);
        assert_eq!((connections(&report, "lost"), connections(&report, "reconnected")), (10, 10));
        let times = ["first_lost_s", "first_back_s", "half_back_s", "most_back_s", "last_back_s"]
            .map(|name| seconds(&report, name));
        assert!(times.is_sorted(), "{times:?}");
        // Messages for a disconnected client waited in its session, or had no receiver.
        let missing = of(&report, "messages/lost") + of(&report, "messages/lost_before");
        assert_eq!(missing, count(&report, "lost"));
        assert!(present == 0 || missing == 0, "{}", report["disturbances"]);
        assert_eq!(count(&report, "acknowledged"), count(&report, "sent"));
    }
}

/// Each client is disconnected repeatedly for the given time, and reconnects at its end.
#[test]
fn flapping_clients_are_disconnected_repeatedly() {
    let broker = Broker::start();
    let line = ["conn", "--clients", "10", "--hold", "2s", "--reconnect", "always"];
    let disturbed = ["--reconnect-max-delay", "50ms", "--disturb", "200ms: flap 20% for 1s"];
    let report = report(&bench(broker.port(), &[&line[..], &disturbed].concat()).run().exits(0));
    let [cut, lost, back] = ["cut", "lost", "back"].map(|name| of(&report, &format!("connections/{name}")));
    assert!(cut >= 4 && cut == lost && lost == back, "{cut} {lost} {back}");
    assert_eq!(connections(&report, "away"), 0);
    assert_eq!(report["disturbances"][0]["messages"], Value::Null);
    assert!(number(&report, "/disturbances/0/latency_us/during/count") >= 2.0);
}

/// A run whose disturbance failed is not valid.
#[test]
fn a_command_that_fails_is_reported() {
    let broker = Broker::start();
    let line = ["conn", "--clients", "1", "--hold", "1s", "--disturb", "100ms: exit 7"];
    let report = report(&bench(broker.port(), &line).run().exits(3));
    assert_eq!(report["problem_codes"][0], "commands-failed");
    let why = report["disturbances"][0]["failure"].as_str().unwrap();
    assert!(why.contains("exit status: 7"), "{why}");
}

/// A command that takes longer than the run is killed at its end.
#[test]
fn endless_command_is_killed_at_the_end_of_the_run() {
    let broker = Broker::start();
    let started = Instant::now();
    let line = ["pub", "--duration", "1s", "--drain", "200ms", "--disturb", "100ms: sleep 1000"];
    let report = report(&bench(broker.port(), &line).run().exits(3));
    assert!(started.elapsed() < Duration::from_secs(100));
    let why = report["disturbances"][0]["failure"].as_str().unwrap();
    assert!(why.contains("was still running"), "{why}");
}

/// The command kills and restarts the broker: every client loses its connection and reconnects.
#[test]
fn mosquitto_is_killed_and_started_again() {
    let Some(broker) = Mosquitto::start(&Setup::new().quiet()) else { return };
    let (process, restart) = (broker.process_id(), broker.start_command());
    let pid_file = tempfile::NamedTempFile::new().unwrap();
    let file = pid_file.path().display();
    // A zombie has closed its sockets, so that the port is free.
    let has_ended = format!("while grep -q '^State:.[^Z]' /proc/{process}/status; do sleep 0.01; done");
    let command = format!(
        "1s: kill -9 {process}; {has_ended}; {restart} </dev/null >/dev/null 2>&1 & echo $! > {file}"
    );
    let line = ["e2e", "--qos", "1", "--rate", "500", "--duration", "5s", "--drain", "20s"];
    let line = bench(broker.port(), &line).args(["--reconnect", "always", "--reconnect-max-delay", "1s"]);
    let outcome = line.args(["--disturb", &command]).run();
    let process = std::fs::read_to_string(pid_file.path()).unwrap();
    let process = rustix::process::Pid::from_raw(process.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    let report = report(&outcome.exits(0));
    let found = ["cut", "lost", "back", "sessions_present", "sessions_lost"]
        .map(|name| of(&report, &format!("connections/{name}")));
    assert_eq!(found, [0, 20, 20, 0, 20], "{}", report["disturbances"]);
    assert_eq!((count(&report, "sent"), count(&report, "acknowledged")), (2500, 2500));
    assert_eq!(number(&report, "/latency_us/back/count"), 20.0);
}

/// A broker that stalls for a second does not look faster because clients are disconnected meanwhile:
/// messages due in that second have waited for its end.
#[test]
fn stopped_broker_shows_across_a_reconnect() {
    let Some(broker) = Mosquitto::start(&Setup::new().quiet()) else { return };
    let process = broker.process_id();
    let stop = format!("1s: kill -STOP {process}; sleep 1; kill -CONT {process}");
    let line = ["e2e", "-V", "5", "-x", "1h", "--qos", "1", "--rate", "1k", "--duration", "6s"];
    let clients = ["--publishers", "4", "--subscribers", "2", "--reconnect", "always"];
    let disturbed = ["--disturb", &stop, "--disturb", "1.2s: drop 100%", "--drain", "20s"];
    let report = report(&bench(broker.port(), &[&line[..], &clients, &disturbed].concat()).run().exits(0));
    assert_eq!((count(&report, "sent"), count(&report, "lost")), (6000, 0));
    // Of 6,000 messages, 300 exceed the p95: at least those of the first 300 ms. For the p99 it is 60.
    let latency = |percentile| number(&report, &format!("/latency_us/delivery/{percentile}"));
    assert!(
        latency("p95") >= 650_000.0 && latency("p99") >= 890_000.0,
        "{}",
        report["latency_us"]["delivery"]
    );
    assert_eq!(connections(&report, "reconnected"), 6);
    assert!(number(&report, "/latency_us/back/min") >= 700_000.0, "{}", report["latency_us"]["back"]);
}
