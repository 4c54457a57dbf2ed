//! Shards of `mqtt bench` that are killed: the others and the merge name them, in whichever phase that was. A shard
//! that may not subscribe.

use rstest::rstest;
use rustix::process::Signal;

use crate::bench::report;
use crate::bench_shards::{AnyBroker, Kind, SHORT, merge, shard};
use crate::support::Service as _;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::{Outcome, Running};

fn kill(running: Running) {
    running.signal(Signal::KILL);
    running.finish().dies_of(Signal::KILL);
}

/// The merge of what is there names the shard that is not.
fn is_missed_by_merge(outcomes: &[Outcome], missing: &str) {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = outcomes
        .iter()
        .enumerate()
        .map(|(place, outcome)| {
            let file = folder.path().join(format!("s{place}.json"));
            std::fs::write(&file, &outcome.stdout).unwrap();
            file
        })
        .collect();
    merge(&files, &[]).exits(3).mentions(&format!("not valid: shards without a report: {missing}"));
}

/// Before it is known to the others: they wait for it to their limit. While its clients connect: likewise, and they hear of it at once.
#[rstest]
fn shard_killed_before_the_start_is_named(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values("before the barrier", "in set-up")] phase: &str,
) {
    let Some(broker) = AnyBroker::start(kind) else { return };
    // One client of shard 2 connects after a minute.
    let ramp = ["conn", "--clients", "2", "--ramp", "0.016", "--hold", "1s"];
    let load: &[&str] = if phase == "in set-up" { &ramp } else { &SHORT };
    let more = ["--barrier", "meet", "--barrier-timeout", "5s"];
    let start = |number| shard(broker.port(), (number, 2), load, &more).spawn();
    let waiting = if phase == "in set-up" {
        let first = start(1);
        let second = start(2);
        first.wait_for_stderr("waiting for the other shards: 1 of 2 ready, shard 2 of 2 not ready");
        kill(second);
        first.wait_for_stderr("waiting for the other shards: 1 of 2 ready, shard 2 of 2 not there");
        first
    } else {
        // Without shard 1, it comes no further than that.
        kill(start(2));
        start(1)
    };
    let outcome = waiting.finish().exits(27).mentions("at the barrier: shard 2 of 2 not there");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s1.json");
    std::fs::write(&file, &outcome.stdout).unwrap();
    merge(&[file], &[])
        .exits(1)
        .mentions("no shard has measured anything")
        .mentions("shard 2 of 2 not there");
}

/// In the load: the others stop, or go on as they were asked.
#[rstest]
fn shard_killed_in_the_load_is_named(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values("stop", "continue")] others: &str,
) {
    let Some(broker) = AnyBroker::start(kind) else { return };
    let duration = if others == "stop" { "60s" } else { "3s" };
    let load = ["pub", "--publishers", "4", "--rate", "100", "--duration", duration];
    let more = ["--barrier", "meet", "--if-shard-fails", others];
    let start = |number| shard(broker.port(), (number, 2), &load, &more).spawn();
    let (first, second) = (start(1), start(2));
    first.wait_for_stderr(" measure ");
    second.wait_for_stderr(" measure ");
    kill(second);
    let outcome = first.finish();
    let lost = "shard 2 failed: its connection to the broker was lost";
    let outcome = if others == "stop" {
        let outcome = outcome.exits(3).mentions("aborted");
        assert_eq!(report(&outcome)["aborted"]["limit"], lost);
        outcome
    } else {
        outcome.exits(0).mentions(lost).mentions("this shard continues")
    };
    is_missed_by_merge(&[outcome], "1 of 2 (2)");
}

/// At the end, while the last messages are waited for: the figures of the others stand, and the merge is not valid.
#[rstest]
fn shard_killed_at_the_end_is_named(#[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind) {
    let Some(broker) = AnyBroker::start(kind) else { return };
    let load = [
        "e2e",
        "--publishers",
        "6",
        "--subscribers",
        "6",
        "--rate",
        "100",
        "--duration",
        "1s",
        "--drain",
        "9s",
    ];
    let start = |number| shard(broker.port(), (number, 3), &load, &["--barrier", "meet"]).spawn();
    let (first, second, third) = (start(1), start(2), start(3));
    second.wait_for_stderr(" drain ");
    kill(second);
    let lost = "shard 2 failed: its connection to the broker was lost; after the load";
    let outcomes = [first, third].map(|running| running.finish().exits(0).mentions(lost));
    is_missed_by_merge(&outcomes, "1 of 3 (2)");
}

/// A broker that does not deliver the shard's own messages, because the user may not subscribe.
#[test]
fn broker_without_the_right_to_subscribe_is_named() {
    let Some(broker) = Mosquitto::start(&Setup::new().quiet().access("topic write #\n")) else { return };
    let more = ["--barrier", "meet", "--barrier-timeout", "1s"];
    let silent = shard(broker.port(), (1, 1), &SHORT, &more).args(["-V", "311"]).run();
    silent
        .exits(27)
        .mentions("the broker did not deliver this shard's own messages")
        .mentions("below meet/r1");
}
