//! `mqtt bench --shard` between machines: the clocks of shards are compared through the broker, and latencies have their error.

use std::path::PathBuf;

use rstest::rstest;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::bench::{bench, count, report};
use crate::bench_shards::{AnyBroker, Kind, LOAD, changed, merge, shard, shards};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Running;

/// The reports of shards, of which the second and later have a clock that is ahead by so much and gains 50 parts in a million.
fn on_machines(broker: &AnyBroker, of: u32, ahead: i64, line: &[&str]) -> (Vec<PathBuf>, Vec<Value>, u64) {
    let time = clock_gettime(ClockId::Monotonic);
    let since = u64::try_from(time.tv_sec).unwrap() * 1_000_000_000;
    let folder = tempfile::tempdir().unwrap().keep();
    let run = |number: u32| {
        let test_clock = format!("--test-clock={},50000,{since}", i64::from(number - 1) * ahead);
        let more = ["--barrier", "meet", &test_clock];
        shard(broker.port(), (number, of), line, &more[..if number == 1 { 2 } else { 3 }]).spawn()
    };
    let running: Vec<Running> = (1..=of).map(run).collect();
    let (mut files, mut reports) = (Vec::new(), Vec::new());
    for (place, running) in running.into_iter().enumerate() {
        let outcome = running.finish().exits(0);
        reports.push(report(&outcome));
        files.push(folder.join(format!("s{place}.json")));
        std::fs::write(&files[place], &outcome.stdout).unwrap();
    }
    (files, reports, since)
}

/// A clock with an offset of a quarter of a second or an hour and a drift of 50 parts in a million: the offset found is
/// within the error of the report, and no latency includes it. A clock may be behind only by less than
/// the uptime of the machine.
#[rstest]
fn shifted_clock_is_found_within_its_error(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(-250_000_000, 3_600_000_000_000)] ahead: i64,
) {
    let Some(broker) = AnyBroker::start(kind) else { return };
    let load = [
        "e2e",
        "--publishers",
        "6",
        "--subscribers",
        "6",
        "--pattern",
        "all",
        "--rate",
        "300",
        "--duration",
        "3s",
    ];
    let (files, reports, since) = on_machines(&broker, 2, ahead, &load);
    let clock = &reports[1]["shard"]["clock"];
    let integer = |name: &str| clock[name].as_i64().unwrap_or_else(|| panic!("{name} in {clock}"));
    // What the shifted clock is ahead, at a time of the other.
    let passed = integer("at_ns") - i64::try_from(since).unwrap();
    let truth = -(ahead + passed / 20_000);
    let miss = integer("offset_ns").abs_diff(truth);
    assert!(miss <= clock["error_ns"].as_u64().unwrap(), "{miss} ns from {truth}: {clock}");
    let drift = clock["drift_ppm"].as_f64().unwrap() + 50.0;
    assert!(drift.abs() <= clock["drift_error_ppm"].as_f64().unwrap(), "{clock}");
    assert!(integer("used_error_ns") >= integer("error_ns") && integer("round_trips") > 40, "{clock}");
    assert_eq!(reports[0]["shard"]["clock"]["offset_ns"], 0);
    let whole = report(&merge(&files, &["--fail-if", "loss > 0"]).exits(0));
    let merged = &whole["merged"];
    assert_eq!((&merged["machines"], &merged["clocks"][1]["shard"]), (&json!(2), &json!(2)));
    #[allow(clippy::cast_precision_loss, reason = "a figure of the report")]
    let error_us = integer("used_error_ns") as f64 / 1000.0;
    assert_eq!(merged["clock_error_us"], error_us);
    assert!(whole["note_codes"].as_array().unwrap().contains(&json!("one-way-corrected")));
    // What is sent on one machine and received on the other is counted as on one.
    assert_eq!((count(&whole, "sent"), count(&whole, "delivered")), (900, 900 * 6));
    for name in ["lost", "duplicates", "reordered", "foreign"] {
        assert_eq!(count(&whole, name), 0, "{name}");
    }
    let latency = &whole["latency_us"]["delivery"];
    for name in ["min", "mean", "p50", "p90", "p99", "max"] {
        let value = &latency[name];
        // No message takes half an hour.
        let is_one = value.as_f64().is_some_and(|value| value >= error_us * 10.0 && value < 1.8e9);
        assert!(value.is_null() || is_one, "{name} in {latency}, with an error of {error_us}");
    }
}

/// What is not ten times as large as the error of the clocks is withheld, and named; clocks that were not compared withhold all.
#[test]
fn latencies_between_machines_have_an_error() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let files = shards(broker.port(), 2, &LOAD, folder.path());
    let fail_if = ["--fail-if", "p99 > 1h", "--fail-if", "acknowledge p99 > 1h"];
    let moved = |used_error: Value| {
        let file = changed(&files[1], "moved.json", |report| {
            report["shard"]["clock"]["identity"] = "elsewhere".into();
            report["shard"]["clock"]["used_error_ns"] = used_error;
        });
        report(&merge(&[files[0].clone(), file], &fail_if).exits(3))
    };
    let uncertain = moved(json!(60_000_000_000_u64));
    assert_eq!(
        (&uncertain["merged"]["machines"], &uncertain["merged"]["clock_error_us"]),
        (&json!(2), &json!(6e7))
    );
    assert!(uncertain["latency_us"]["delivery"]["p99"].is_null());
    assert_eq!(uncertain["latency_us"]["delivery"]["count"], count(&uncertain, "delivered"));
    assert!(uncertain["latency_us"]["acknowledge"]["p99"].is_number(), "that is timed by one clock");
    let unknown = moved(Value::Null);
    assert_eq!((&unknown["merged"]["machines"], &unknown["main_latency"]), (&json!(2), &Value::Null));
    assert!(unknown["latency_us"]["delivery"].is_null() && unknown["latency_us"]["acknowledge"].is_object());
    assert!(unknown["note_codes"].as_array().unwrap().contains(&json!("one-way-withheld")));
    for whole in [&uncertain, &unknown] {
        assert_eq!(count(whole, "lost"), 0, "losses need no clock");
        assert_eq!(whole["thresholds"][0]["text"], "not measured");
    }
}

/// A disturbance hits the same clients as in one run, and its command runs once.
#[rstest]
fn disturbances_of_shards_equal_those_of_one_run(#[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind) {
    let Some(broker) = AnyBroker::start(kind) else { return };
    let folder = tempfile::tempdir().unwrap();
    let ran = folder.path().join("ran");
    let command = format!("1200ms: echo x >> {}", ran.display());
    let load = ["e2e", "--publishers", "6", "--subscribers", "6", "--pattern", "all", "--rate", "100"];
    let course = ["--duration", "2s", "--qos", "1", "-x", "10s"];
    let disturbed = ["--reconnect", "always", "--disturb", "405ms: drop 50%", "--disturb", &command];
    let line = [&load[..], &course, &disturbed].concat();
    let one = report(&bench(broker.port(), &line).run().exits(0));
    let same = shards(broker.port(), 3, &line, folder.path());
    assert_eq!(std::fs::read_to_string(&ran).unwrap().lines().count(), 2, "once in each run");
    let own: Value = serde_json::from_slice(&std::fs::read(&same[1]).unwrap()).unwrap();
    assert_eq!(own["disturbances"][0]["messages"], Value::Null, "no shard knows what the others received");
    let (other, ..) = on_machines(&broker, 2, 0, &line);
    for (files, most_apart) in [(same, 0), (other, 12)] {
        let whole = report(&merge(&files, &[]).exits(0));
        for (place, single) in one["disturbances"].as_array().unwrap().iter().enumerate() {
            let merged = &whole["disturbances"][place];
            for name in ["cut", "lost", "back", "sessions_present", "sessions_lost"] {
                assert_eq!(merged["connections"][name], single["connections"][name], "{name} {merged}");
            }
            let times = ["first_lost_s", "first_back_s", "half_back_s", "last_back_s"];
            assert!(
                place == 1 || times.iter().all(|name| merged["connections"][name].is_number()),
                "{merged}"
            );
            let expected = [merged, single].map(|one| one["messages"]["expected"].as_u64().unwrap());
            assert!(expected[0].abs_diff(expected[1]) <= most_apart, "{expected:?}");
            // Between two clocks, a message that is due with a disturbance may be of the time before.
            assert!(merged["messages"]["lost"].as_u64().unwrap() <= most_apart, "{merged}");
            assert_eq!(merged["command_s"].is_number(), place == 1, "{merged}");
            assert_eq!((&merged["what"], &merged["at_s"]), (&single["what"], &single["at_s"]));
        }
        let counted = whole["disturbances"].as_array().unwrap().iter().map(|found| {
            let around = &found["latency_us"];
            let count = |part: &str| around[part]["count"].as_u64().unwrap_or(0);
            [count("before"), count("during"), count("after")]
        });
        let [first, second] = counted.collect::<Vec<_>>()[..] else { panic!("two disturbances") };
        let delivered = whole["messages"]["delivered"].as_u64().unwrap();
        assert_eq!(
            first[0] + first[1] + second[0] + second[1] + second[2],
            delivered,
            "{first:?} {second:?}"
        );
        let marks = whole["series"].as_array().unwrap().iter();
        assert_eq!(marks.map(|row| row["disturbances"].as_u64().unwrap()).sum::<u64>(), 2);
    }
}

/// Shards begin each stage at the same instant, so every message counts in one stage at its publisher and its receiver.
#[test]
fn stages_of_shards_equal_those_of_one_run() {
    let broker = AnyBroker::start(Kind::Embedded).unwrap();
    let line = [
        "e2e",
        "--publishers",
        "6",
        "--subscribers",
        "6",
        "--pattern",
        "all",
        "--rate",
        "100",
        "--stages",
        "hold 500ms, spike 400/s 500ms, hold 500ms",
    ];
    let one = report(&bench(broker.port(), &line).run().exits(0));
    let folder = tempfile::tempdir().unwrap();
    let same = shards(broker.port(), 3, &line, folder.path());
    let (other, ..) = on_machines(&broker, 2, 0, &line);
    for (files, most_apart) in [(same, 0), (other, 12)] {
        let whole = report(&merge(&files, &[]).exits(0));
        let mut sum = 0;
        for (place, stage) in one["stages"].as_array().unwrap().iter().enumerate() {
            let messages = [&whole["stages"][place]["messages"], &stage["messages"]];
            assert_eq!(messages[0]["sent"], messages[1]["sent"], "of stage {place}");
            let delivered = messages.map(|messages| messages["delivered"].as_u64().unwrap());
            // Between two clocks, a message that is due with the beginning of a stage may be of the stage before.
            assert!(delivered[0].abs_diff(delivered[1]) <= most_apart, "{delivered:?} of stage {place}");
            sum += delivered[0];
        }
        assert_eq!(sum, count(&one, "delivered"));
    }
}
