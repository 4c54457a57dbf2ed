//! Simulated faults, as seen by this program's clients.

use std::time::{Duration, Instant};

use super::Served;
use crate::support::mqtt::Mqtt;

fn faulty(faults: &[&str]) -> Served {
    let line: Vec<&str> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
    Served::start(&[&line[..], &["--seed", "1"]].concat())
}

#[test]
fn refusals_have_their_reason_codes() {
    let broker =
        faulty(&["refuse 0x97 first 1", "reason-code PUBLISH 0x87 secret/#", "reason-code SUBSCRIBE 0x8f b"]);
    let publish = |topic: &str| {
        broker.client("pub").args(["-q", "1", "-t", topic, "-m", "x", "--reconnect", "never"]).run()
    };
    publish("a").exits(0x97);
    publish("secret/a").exits(0x87);
    publish("a").succeeds();
    broker.client("sub").args(["-t", "b", "-W", "30"]).run().exits(0x8f);
}

/// Every line arrives, even though both clients lose their connections repeatedly.
#[test]
fn dropped_connections_lose_nothing() {
    let broker = faulty(&["drop-connection every 20"]);
    let often = ["--reconnect", "always", "--reconnect-max-delay", "10ms", "-q", "1", "-t", "a"];
    let sub = broker.client("sub").args(often).args(["-c", "-i", "s", "-d"]).spawn();
    sub.wait_until_subscribed();
    let lines: String = (0..100).map(|number| format!("line {number}.\n")).collect();
    broker
        .client("pub")
        .args(often)
        .args(["-l", "-M", "5"])
        .stdin(lines.clone())
        .run()
        .exits(0)
        .mentions("connected again");
    sub.wait_until("every line", |stdout| {
        let text = String::from_utf8_lossy(stdout);
        lines.lines().all(|line| text.contains(line))
    });
}

/// Sessions and retained messages survive each downtime.
#[test]
fn broker_that_is_down_keeps_what_it_had() {
    let broker = faulty(&["down 300ms every 2s"]);
    let back = ["--reconnect", "always", "--reconnect-max-delay", "20ms", "-q", "1"];
    broker.client("pub").args(back).args(["-r", "-t", "kept", "-m", "still there"]).run().exits(0);
    let sub =
        broker.client("sub").args(back).args(["-t", "a", "-c", "-i", "s", "-x", "1h", "-V", "5"]).spawn();
    sub.wait_for_stderr_times("connected again", 2);
    broker.client("pub").args(back).args(["-t", "a", "-m", "after"]).run().exits(0);
    sub.wait_for_lines(1);
    assert_eq!(sub.stdout(), b"after\n");
    let kept = broker.client("sub").args(back).args(["-t", "kept", "-C", "1", "-W", "60"]).run();
    kept.exits(0).prints("still there\n");
}

#[test]
fn delay_and_stall_take_their_time_and_lose_nothing() {
    let publish = |broker: &Served| {
        let start = Instant::now();
        broker.client("pub").args(["-q", "1", "-r", "-t", "a", "-m", "x"]).run().succeeds();
        start.elapsed()
    };
    // The delays of CONNACK and PUBACK.
    assert!(publish(&faulty(&["delay 200ms"])) >= Duration::from_millis(400));
    let stalling = faulty(&["stall 90ms every 100ms"]);
    let lines: String = (0..5000).map(|number| format!("{number}\n")).collect();
    let sub = stalling.client("sub").args(["-t", "a", "-q", "1", "-C", "5000", "-d", "-W", "100"]).spawn();
    sub.wait_until_subscribed();
    stalling.client("pub").args(["-q", "1", "-t", "a", "-l"]).stdin(lines.clone()).run().succeeds();
    sub.wait_for_end().prints(lines);
}

#[test]
fn split_writes_are_read_as_one() {
    let broker = faulty(&["split-writes"]);
    broker.client("pub").args(["-r", "-q", "2", "-t", "a/b", "-m", "in pieces"]).run().succeeds();
    broker.client("sub").args(["-t", "a/b", "-C", "1", "-W", "60"]).run().succeeds().prints("in pieces\n");
}

/// A subscriber that follows the standard writes a QoS 2 message once.
#[test]
fn duplicates_are_written_once_at_qos_2() {
    let broker = faulty(&["duplicate"]);
    let sub = |qos: &str, lines: &str| {
        let sub = broker.client("sub").args(["-t", "a", "-q", qos, "-C", lines, "-d", "-W", "60"]).spawn();
        sub.wait_until_subscribed();
        sub
    };
    let (once, twice) = (sub("2", "3"), sub("0", "6"));
    for text in ["1", "2", "3"] {
        broker.client("pub").args(["-t", "a", "-q", "2", "-m", text]).run().succeeds();
    }
    once.wait_for_end().prints("1\n2\n3\n");
    twice.wait_for_end().prints("1\n1\n2\n2\n3\n3\n");
}

/// The broker prints the seed, so that a run can be repeated; the error for an invalid fault lists the valid
/// ones.
#[test]
fn seed_of_faults_is_printed_and_errors_list_valid_faults() {
    let broker = Served::start(&["--fault", "no-puback 1%"]);
    broker.running.wait_for_stderr("mqtt: faults are drawn from --seed ");
    let run = Mqtt::new(["broker", "-p", "0", "--fault", "explode"]).run().exits(2);
    run.mentions("unknown fault; the faults are drop-connection, delay, refuse, no-puback");
}
