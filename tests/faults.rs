//! Random bad networks: promises hold whatever happens to the connections.
//!
//! The seed determines a run as far as a network allows. `MQTT_FAULT_SEED=n` repeats a failed run,
//! `MQTT_FAULT_ROUNDS=n` runs more of them.

use mqtt::protocol::Protocol;
use rustix::process::Signal;

use crate::support::broker::Broker;
use crate::support::proxy::{self, Fault};
use crate::support::{Service, version};

/// The number of messages that a run publishes.
const MESSAGES: usize = 3_000;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Runs `case` with one seed after the other; the output of a failed test has the current seed.
#[allow(clippy::print_stderr, reason = "whoever sees the failure needs the seed")]
fn rounds(case: impl Fn(&mut fastrand::Rng)) {
    let seed = variable("MQTT_FAULT_SEED");
    let count = if seed.is_some() { 1 } else { variable("MQTT_FAULT_ROUNDS").unwrap_or(2) };
    for _ in 0..count {
        let seed = seed.unwrap_or_else(|| fastrand::u64(0..1_000_000));
        eprintln!("MQTT_FAULT_SEED={seed}");
        case(&mut fastrand::Rng::with_seed(seed));
    }
}

fn schedule(random: &mut fastrand::Rng) -> Vec<Fault> {
    let count = random.usize(3..12);
    let mut holes = 0;
    std::iter::repeat_with(|| Fault::draw(random))
        .filter(|fault| {
            // Each takes a while to be detected.
            holes += u32::from(matches!(fault, Fault::BlackHole(_)));
            !matches!(fault, Fault::BlackHole(_)) || holes <= 2
        })
        .take(count)
        .collect()
}

/// Quick reconnects, a long wait at the start, and quick detection of a black hole.
const LINK: [&str; 6] = ["--reconnect-max-delay", "50ms", "--wait-for-server", "60s", "-k", "2"];

fn input() -> String {
    (0..MESSAGES).map(|number| format!("{number}\n")).collect()
}

/// QoS 1 and 2: publishes through one bad network and subscribes through another; returns the received
/// messages in order.
fn acknowledged(random: &mut fastrand::Rng, protocol: Protocol, qos: &str) -> Vec<usize> {
    let (v, broker) = (version(protocol), Broker::start());
    let reader = ["-V", v, "-t", "faults", "-q", qos, "-c", "-i", "reader"];
    let writer = ["-V", v, "-t", "faults", "-q", qos, "-c", "-i", "writer"];
    let folder = tempfile::tempdir().unwrap();
    broker.subscribe().args(reader).args(["-E"]).run().succeeds();
    let schedules = [schedule(random), schedule(random)];
    let ports = schedules.map(|faults| proxy::start(broker.port(), faults));
    let mut subscribe = crate::support::mqtt::Mqtt::subscribe(ports[0]).args(reader).args(LINK);
    let mut publish = crate::support::mqtt::Mqtt::publish(ports[1]).args(writer).args(LINK).args(["-l"]);
    if random.bool() {
        subscribe = subscribe.args(["--session-file"]).args([folder.path().join("session")]);
    }
    if random.bool() {
        publish = publish.args(["--spool"]).args([folder.path().join("spool")]);
    }
    let subscriber = subscribe.spawn();
    publish.stdin(input()).run().exits(0);
    broker.publish().args(["-t", "faults", "-q", qos, "-m", "end"]).run().succeeds();
    subscriber.wait_for_stdout("\nend\n").signal(Signal::TERM);
    let mut lines = subscriber.wait_for_end().exits(0).lines();
    lines.retain(|line| line != "end");
    lines.iter().map(|line| line.parse().unwrap()).collect()
}

fn all() -> std::ops::Range<usize> {
    0..MESSAGES
}

/// First arrivals are in order, and none is missing.
fn at_least_once(protocol: Protocol) {
    rounds(|random| {
        let received = acknowledged(random, protocol, "1");
        let mut newest = None;
        for number in received {
            // Repeated messages start at an earlier number, and never skip one.
            assert!(newest.map_or(number == 0, |newest| number <= newest + 1), "{number} behind {newest:?}");
            newest = newest.max(Some(number));
        }
        assert_eq!(newest, Some(MESSAGES - 1));
    });
}

fn exactly_once(protocol: Protocol) {
    rounds(|random| {
        let received = acknowledged(random, protocol, "2");
        let strange: Vec<&[usize]> =
            received.windows(2).filter(|pair| pair[0] + 1 != pair[1]).take(9).collect();
        assert!(received.iter().copied().eq(all()), "{} came; steps {strange:?}", received.len());
    });
}

/// QoS 0: each message arrives at most once and in order; if any is missing, the exit status shows it.
fn at_most_once(protocol: Protocol) {
    rounds(|random| {
        let (v, broker) = (version(protocol), Broker::start());
        // Messages that reached the server reach a subscriber with a good connection.
        let subscriber = broker.subscribe().args(["-V", v, "-t", "faults", "-d"]).spawn();
        subscriber.wait_until_subscribed();
        let port = proxy::start(broker.port(), schedule(random));
        let args = ["-V", v, "-t", "faults", "-i", "writer", "-l"];
        let run = crate::support::mqtt::Mqtt::publish(port).args(args).args(LINK).stdin(input()).run();
        broker.publish().args(["-t", "faults", "-m", "end"]).run().succeeds();
        subscriber.wait_for_stdout("end\n").signal(Signal::TERM);
        let mut lines = subscriber.wait_for_end().exits(0).lines();
        assert_eq!(lines.pop().as_deref(), Some("end"));
        let received: Vec<usize> = lines.iter().map(|line| line.parse().unwrap()).collect();
        assert!(received.is_sorted_by(|one, next| one < next), "at most once, in order");
        if received.len() < MESSAGES {
            run.exits(1);
        }
    });
}

#[test]
fn qos_0_v3_1_1() {
    at_most_once(Protocol::V3_1_1);
}

#[test]
fn qos_0_v5() {
    at_most_once(Protocol::V5);
}

#[test]
fn qos_1_v3_1_1() {
    at_least_once(Protocol::V3_1_1);
}

#[test]
fn qos_1_v5() {
    at_least_once(Protocol::V5);
}

#[test]
fn qos_2_v3_1_1() {
    exactly_once(Protocol::V3_1_1);
}

#[test]
fn qos_2_v5() {
    exactly_once(Protocol::V5);
}
