//! The figures of `mqtt bench` are correct: against brokers that stall, or that lose, duplicate, reorder and
//! damage messages in known ways, and against real ones in every mode.

use std::time::{Duration, Instant};

use ::mqtt::broker::{Access, Limits, Options};
use ::mqtt::protocol::Protocol;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use rstest::rstest;

use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets;
use crate::support::pki::Authority;
use crate::support::server::{Peer, Server};

/// `mqtt bench` against a port of 127.0.0.1. A generator that is saturated by other work on this machine does
/// not fail the run.
pub(crate) fn bench(port: u16, line: &[&str]) -> Mqtt {
    watched(port, line).args(["--quiet"])
}

/// The same, with a line per second on standard error, which names the phase.
pub(crate) fn watched(port: u16, line: &[&str]) -> Mqtt {
    let (mode, rest) = line.split_first().unwrap();
    let port = port.to_string();
    Mqtt::new(["bench", mode, "-h", "127.0.0.1", "-p", &port, "--allow-saturated", "--json"]).args(rest)
}

/// Checks that the run failed for this reason, on standard error and in the report.
#[track_caller]
pub(crate) fn is_not_made(run: Mqtt, reason: &str) {
    let outcome = run.run().exits(1).mentions(reason);
    let failed = report(&outcome);
    assert!(failed["error"].as_str().unwrap().contains(reason), "{failed:#}");
}

/// The report of a run, validated against its schema.
pub(crate) fn report(outcome: &Outcome) -> Value {
    let lines = outcome.lines();
    assert_eq!(lines.len(), 1, "one object");
    let report: Value = serde_json::from_str(&lines[0]).unwrap();
    assert!(lines[0].starts_with("{\"type\":\"bench\",\"version\":1,"), "{}", lines[0]);
    let schema: Value = serde_json::from_str(include_str!("schema/bench.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}");
    report
}

pub(crate) fn number(report: &Value, path: &str) -> f64 {
    report.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} in {report}"))
}

pub(crate) fn count(report: &Value, name: &str) -> u64 {
    report["messages"][name].as_u64().unwrap_or_else(|| panic!("{name}"))
}

pub(crate) fn is_near(found: f64, expected: f64, tolerance: f64) -> bool {
    (found / expected - 1.0).abs() <= tolerance
}

/// A broker that stalls for one second of six: messages that were due meanwhile waited for up to a second. A
/// load generator that waits for the broker would hide all but one of them.
#[test]
fn stopped_broker_shows_in_the_latencies() {
    for qos in ["0", "1"] {
        // A slow machine adds to the latency occasionally, while a wrong measurement would always be too low.
        let mut seen = Vec::new();
        loop {
            let Some(latencies) = latencies_behind_a_stop(qos) else { return };
            if latencies.iter().all(|(found, expected)| is_near(*found, *expected, 0.05)) {
                break;
            }
            seen.push(latencies);
            assert!(seen.len() < 5, "p95 and p99 in µs, found and expected: {seen:?}");
        }
    }
}

/// The p95 and the p99 of a run in which the broker stalls for a second: measured and expected, in µs.
fn latencies_behind_a_stop(qos: &str) -> Option<[(f64, f64); 2]> {
    let broker = Mosquitto::start(&Setup::new())?;
    let load = ["--publishers", "4", "--subscribers", "2", "--rate", "1k", "--duration", "6s"];
    let running = watched(broker.port(), &["e2e", "--qos", qos]).args(load).spawn();
    running.wait_for_stderr(" measure ");
    let stopped = Instant::now();
    broker.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(1));
    broker.signal(Signal::CONT);
    let stop_us = stopped.elapsed().as_secs_f64() * 1e6; // a second, and what the test was late by
    let report = report(&running.finish().exits(0));
    assert_eq!((count(&report, "sent"), count(&report, "lost")), (6000, 0));
    let latency = |percentile| number(&report, &format!("/latency_us/delivery/{percentile}"));
    // Of 6,000 messages, 300 exceed the p95: those of the first 300 ms. For the p99 it is 60.
    Some([(latency("p95"), stop_us - 300_000.0), (latency("p99"), stop_us - 60_000.0)])
}

/// Accepts the connection that only checks whether there is a server.
pub(crate) fn expect_probe(listener: &mut crate::support::server::Listener) {
    let mut probe = listener.accept_session(Protocol::V3_1_1);
    probe.expect_disconnect(Protocol::V3_1_1);
}

/// Accepts publisher and subscriber, in any order.
pub(crate) fn accept_pair(listener: &mut crate::support::server::Listener) -> (Peer, Peer) {
    let mut accept = || {
        let mut peer = listener.accept();
        let connect = peer.expect_connect(Protocol::V3_1_1);
        peer.send(&packets::connack(Protocol::V3_1_1, false, 0));
        (connect.ends_with(b"-s0"), peer)
    };
    let (first, second) = (accept(), accept());
    assert_ne!(first.0, second.0);
    let (publisher, mut subscriber) = if first.0 { (second.1, first.1) } else { (first.1, second.1) };
    subscriber.grant_subscription(Protocol::V3_1_1);
    (publisher, subscriber)
}

/// A broker that treats messages by their number: of a hundred, one is dropped, one duplicated, two swapped,
/// one damaged, and one was never sent.
fn mistreat(publisher: &mut Peer, subscriber: &mut Peer, qos: u8, size: usize) {
    const MESSAGES: usize = 1000;
    let (mut number, mut completed, mut fenced, mut delivered) = (0, 0, false, 0_u16);
    let mut held = Vec::new();
    let mut deliver = |packet: &[u8]| {
        delivered += 1;
        let mut packet = packet.to_vec();
        if qos > 0 {
            let identifier = 4 + usize::from(packet[3]); // the topics here are short
            packet[identifier..][..2].copy_from_slice(&delivered.to_be_bytes());
        }
        subscriber.send(&packet);
    };
    while number < MESSAGES || (qos == 2 && completed < MESSAGES) || !fenced {
        let packet = publisher.packet();
        match packet[0] >> 4 {
            6 => {
                publisher.send(&[0x70, 2, packet[2], packet[3]]);
                completed += 1;
                continue;
            }
            12 => {
                publisher.send(&packets::pingresp());
                fenced = true;
                continue;
            }
            _ => assert_eq!(packet[0], 0x30 | qos << 1, "a PUBLISH"),
        }
        if qos > 0 {
            let identifier = &packet[4 + usize::from(packet[3])..][..2];
            publisher.send(&[if qos == 1 { 0x40 } else { 0x50 }, 2, identifier[0], identifier[1]]);
        }
        match number % 100 {
            7 => {}
            13 => [&packet, &packet].iter().for_each(|packet| deliver(packet)),
            20 => held = packet,
            21 => [&packet, &held].iter().for_each(|packet| deliver(packet)),
            30 => {
                let mut packet = packet;
                *packet.last_mut().unwrap() ^= 0x20;
                deliver(&packet);
            }
            40 => {
                let mut stranger = packet.clone();
                let payload = stranger.len() - size;
                stranger[payload..].fill(0);
                deliver(&packet);
                deliver(&stranger);
            }
            _ => deliver(&packet),
        }
        number += 1;
    }
    for _ in 0..if qos > 0 { delivered } else { 0 } {
        let answer = subscriber.packet();
        assert_eq!(answer[0], if qos == 1 { 0x40 } else { 0x50 });
    }
}

#[rstest]
fn what_a_broker_does_to_messages_is_counted_exactly(#[values(64, 16)] size: usize) {
    for qos in 0..3 {
        let server = Server::start(move |listener| {
            expect_probe(listener);
            let (mut publisher, mut subscriber) = accept_pair(listener);
            mistreat(&mut publisher, &mut subscriber, qos, size);
            publisher.expect_disconnect(Protocol::V3_1_1);
            if qos == 2 {
                // No PUBREL was sent, so the client asks with PINGREQ whether more will come.
                subscriber.expect_barrier_and_disconnect(Protocol::V3_1_1);
            } else {
                subscriber.expect_disconnect(Protocol::V3_1_1);
            }
        });
        let line = [
            "e2e",
            "-V",
            "311",
            "--publishers",
            "1",
            "--subscribers",
            "1",
            "--count",
            "1000",
            "--rate",
            "2k",
        ];
        let line = bench(server.port(), &line).args(["--qos", &qos.to_string(), "--size", &size.to_string()]);
        let outcome =
            line.args(["--fail-if", "lost > 20", "--fail-if", "loss > 2%", "--fail-if", "duplicates != 10"]);
        let report = report(&outcome.run().exits(0));
        let found: Vec<u64> =
            ["sent", "expected", "delivered", "lost", "duplicates", "reordered", "corrupt", "foreign"]
                .iter()
                .map(|name| count(&report, name))
                .collect();
        let (counted, [corrupt, foreign]) = found.split_last_chunk().unwrap();
        assert_eq!(counted, [1000, 1000, 980, 20, 10, 10], "QoS {qos}");
        if size == 64 {
            assert_eq!([corrupt, foreign], [&10, &10], "QoS {qos}");
        } else {
            // The short stamp takes one of some hundreds of messages for the other kind.
            assert_eq!(corrupt + foreign, 20, "QoS {qos}");
        }
        // Rates count deliveries, but not messages of other runs.
        let rated = number(&report, "/throughput/delivered_per_s") * number(&report, "/throughput/window_s");
        assert!((rated - 980.0).abs() < 1.0, "{rated}");
        assert!(report["notes"].to_string().contains("--topic"), "{}", report["notes"]);
        server.finish();
    }
}

/// The PUBACK of a short PUBLISH of MQTT 3.1.1 at QoS 1.
pub(crate) fn acknowledgement_of(publish: &[u8]) -> [u8; 4] {
    let identifier = 4 + (usize::from(publish[2]) << 8 | usize::from(publish[3]));
    [0x40, 2, publish[identifier], publish[identifier + 1]]
}

#[test]
fn known_delay_is_measured() {
    const DELAY: Duration = Duration::from_millis(50);
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut publisher = listener.accept_session(Protocol::V3_1_1);
        for _ in 0..20 {
            let answer = acknowledgement_of(&publisher.packet());
            std::thread::sleep(DELAY);
            publisher.send(&answer);
        }
        publisher.expect(Protocol::V3_1_1, &packets::pingreq());
        publisher.send(&packets::pingresp());
        publisher.expect_disconnect(Protocol::V3_1_1);
    });
    let line = ["pub", "-V", "311", "--publishers", "1", "--qos", "1", "--count", "20", "--rate", "10"];
    let report = report(&bench(server.port(), &line).run().exits(0));
    assert_eq!(count(&report, "acknowledged"), 20);
    for statistic in ["min", "p50"] {
        let found = number(&report, &format!("/latency_us/acknowledge/{statistic}"));
        assert!((50_000.0..58_000.0).contains(&found), "{statistic}: {found}");
    }
    server.finish();
}

pub(crate) const SHORT: [&str; 4] = ["--rate", "500", "--duration", "0.4"];

fn every_mode(port: u16) {
    for version in ["31", "311", "5"] {
        let connected =
            report(&bench(port, &["conn", "-V", version, "--clients", "20", "--hold", "0.1"]).run().exits(0));
        assert_eq!(number(&connected, "/connections/connected"), 20.0);
        for qos in ["0", "1", "2"] {
            let run = |mode: &str, more: &[&str]| {
                let line = [&[mode, "-V", version, "--qos", qos], &SHORT[..], more].concat();
                report(&bench(port, &line).run().exits(0))
            };
            let published = run("pub", &[]);
            assert_eq!(count(&published, "sent"), 200);
            assert_eq!(count(&published, "acknowledged"), if qos == "0" { 0 } else { 200 });
            for (mode, more) in [
                ("e2e", &["--pattern", "all", "--subscribers", "3"][..]),
                ("e2e", &["--topics", "3"]),
                ("rr", &[]),
            ] {
                let delivered = run(mode, more);
                let times = if more.contains(&"all") { 3 } else { 1 };
                let found = [
                    "sent",
                    "expected",
                    "delivered",
                    "lost",
                    "duplicates",
                    "reordered",
                    "foreign",
                    "corrupt",
                ]
                .map(|name| count(&delivered, name));
                assert_eq!(
                    found,
                    [200, 200 * times, 200 * times, 0, 0, 0, 0, 0],
                    "{mode} {version} {qos} {more:?}"
                );
            }
            let line = ["pub", "-V", version, "--qos", qos, "--rate", "1k", "--duration", "1m"];
            let others = bench(port, &line).spawn();
            let line = ["sub", "-V", version, "--qos", qos, "--subscribers", "2", "--count", "100"];
            let received = report(&bench(port, &line).run().exits(0));
            drop(others);
            assert!(count(&received, "delivered") >= 100, "{version} {qos}");
            assert!(number(&received, "/latency_us/delivery/count") >= 100.0);
        }
    }
    let closed =
        report(&bench(port, &["e2e", "--rate", "max", "--qos", "1", "--count", "2000"]).run().exits(0));
    assert_eq!((count(&closed, "sent"), count(&closed, "lost")), (2000, 0));
    let line = [
        "e2e",
        "--shared-groups",
        "2",
        "--subscribers",
        "6",
        "--rate",
        "500",
        "--duration",
        "0.4",
        "--qos",
        "1",
    ];
    let shared = report(&bench(port, &line).run().exits(0));
    assert_eq!(
        (count(&shared, "expected"), count(&shared, "lost"), count(&shared, "duplicates")),
        (400, 0, 0)
    );
}

/// The closed loop sends exactly the requested number, in any number of portions.
#[test]
fn count_is_exact() {
    let broker = Broker::start();
    for more in [&["--per-write", "1"][..], &["--per-write", "7"], &[], &["--qos", "1"]] {
        let line = [&["pub", "--rate", "max", "--publishers", "3", "--count", "20001"], more].concat();
        let report = report(&bench(broker.port(), &line).run().exits(0));
        assert_eq!(count(&report, "sent"), 20_001, "{more:?}");
        assert_eq!(count(&report, "warmup_sent"), 0, "none before its time");
    }
}

#[test]
fn every_mode_with_mosquitto() {
    let Some(broker) = Mosquitto::start(&Setup::new()) else { return };
    every_mode(broker.port());
}

#[test]
fn every_mode_with_the_embedded_broker() {
    every_mode(Broker::start().port());
}

/// Messages of another process, with the clock of the same machine.
#[test]
fn a_subscriber_counts_what_others_publish() {
    let broker = Broker::start();
    let subscriber = watched(broker.port(), &["sub", "--subscribers", "2", "--duration", "3s"]).spawn();
    subscriber.wait_for_stderr(" measure ");
    let line = [&["pub"], &SHORT[..]].concat();
    bench(broker.port(), &line).run().exits(0);
    let report = report(&subscriber.finish().exits(0));
    assert_eq!(count(&report, "delivered"), 400);
    assert!(number(&report, "/latency_us/delivery/p50") < 1e6);
}

/// Limits that the server announced are checked before the load starts.
#[test]
fn load_above_the_brokers_limits_is_refused() {
    let limits = Limits { maximum_packet_size: 100, ..Limits::default() };
    let broker = Broker::with(Options { limits, ..Options::default() });
    for line in [["pub", "--rate", "max"], ["e2e", "--qos", "1"]] {
        let line = watched(broker.port(), &line).args(["-V", "5", "--size", "200", "--duration", "1s"]);
        let outcome = line.run().exits(149).mentions("publish not sent: Packet too large (0x95)");
        outcome.mentions("the broker's Maximum Packet Size is 100");
    }
    bench(broker.port(), &["pub", "-V", "5", "--size", "50", "--count", "10"]).run().exits(0);
}

#[test]
fn payloads_too_small_for_a_stamp_are_counted_and_not_timed() {
    let broker = Broker::start();
    let report = report(
        &bench(broker.port(), &["e2e", "--size", "8", "--rate", "500", "--duration", "0.4"]).run().exits(0),
    );
    assert_eq!((count(&report, "delivered"), count(&report, "lost")), (200, 0));
    assert!(report["latency_us"]["delivery"].is_null());
    assert!(report["messages"]["duplicates"].is_null() && report["messages"]["reordered"].is_null());
    assert!(report["notes"][0].as_str().unwrap().contains("no room"));
}

/// The payload size of the suite that most brokers publish figures of.
#[rstest]
fn payloads_of_16_bytes_are_timed_and_checked(#[values("e2e", "rr")] mode: &str) {
    let broker = Broker::start();
    let line = [mode, "--size", "16", "--rate", "500", "--duration", "0.4", "--warmup", "0.1"];
    let report = report(&bench(broker.port(), &line).run().exits(0));
    assert_eq!((count(&report, "delivered"), count(&report, "lost")), (200, 0));
    assert_eq!((count(&report, "duplicates"), count(&report, "reordered")), (0, 0));
    let [latency, from_send] = match mode {
        "rr" => ["round_trip", "round_trip_from_send"],
        _ => ["delivery", "delivery_from_send"],
    };
    assert_eq!(report["latency_us"][latency]["count"], 200);
    let found = number(&report, &format!("/latency_us/{latency}/p50"));
    assert!((1.0..2e6).contains(&found), "{found}");
    assert!(report["latency_us"][from_send].is_null());
    assert_eq!(report["note_codes"], serde_json::json!(["short-stamp"]));
}

#[test]
fn the_embedded_broker_is_a_process_of_its_own() {
    let outcome =
        Mqtt::new(["bench", "--embedded", "--json", "--quiet", "--allow-saturated"]).args(SHORT).run();
    let report = report(&outcome.exits(0));
    assert_eq!((count(&report, "delivered"), count(&report, "lost")), (200, 0));
}

/// However the generator ends, its broker ends too.
#[cfg(target_os = "linux")]
#[test]
fn the_embedded_broker_ends_with_a_generator_that_is_killed() {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::process::{PidfdFlags, pidfd_open};
    let running = Mqtt::new(["bench", "--embedded", "--rate", "10", "--duration", "5m"]).spawn();
    running.wait_for_stderr(" measure ");
    let [broker] = running.children()[..] else { panic!("a broker and nothing else") };
    let broker = pidfd_open(broker, PidfdFlags::empty()).unwrap();
    running.signal(Signal::KILL);
    running.wait_for_end().dies_of(Signal::KILL);
    let limit = rustix::time::Timespec { tv_sec: 120, tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(&broker, PollFlags::IN)], Some(&limit)).unwrap();
    assert_eq!(ended, 1, "the broker has ended");
}

#[test]
fn each_client_has_its_credentials() {
    let mut access = Access::default();
    access.add_user("device", b"secret");
    let broker = Broker::with(Options { access, ..Options::default() });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clients.csv");
    std::fs::write(&file, "client_id,username,password\none,device,secret\ntwo,device,wrong\n").unwrap();
    let line = ["conn", "--clients", "2", "--hold", "0.1", "--credentials", file.to_str().unwrap()];
    let report = report(&bench(broker.port(), &line).run().exits(3));
    assert_eq!(number(&report, "/connections/connected"), 1.0);
    let cause = report["errors"][0]["cause"].as_str().unwrap();
    assert!(cause.contains("connection refused"), "{cause}");
    // Before all others, one connection is made with the credentials of the first client.
    std::fs::write(&file, "client_id,username,password\none,device,wrong\ntwo,device,secret\n").unwrap();
    let outcome = watched(broker.port(), &line).run().exits(135).mentions("the first line of --credentials");
    let report = crate::support::report("bench", &outcome.stdout);
    assert!(report["error"].as_str().unwrap().contains("Not authorized"), "{report}");
}

/// Each client uses its own certificate; an unknown one is refused by the server.
#[test]
fn each_client_has_its_certificate() {
    let (authority, other) = (Authority::new("Devices"), Authority::new("Strangers"));
    let setup = Setup::new().tls(&authority.issue("broker", &["127.0.0.1"])).client_certificates(&authority);
    let Some(broker) = Mosquitto::start(&setup) else { return };
    let (one, two) = (authority.issue("one", &[]), other.issue("two", &[]));
    let file = one.certificate.with_file_name("clients.csv");
    let (certificate, key) = (two.certificate.display(), two.key.display());
    // One relative to the file's folder, one absolute.
    let text = format!("cert,key\none.pem,one.key\n{certificate},{key}\n");
    std::fs::write(&file, text).unwrap();
    let authority = authority.file();
    let line = ["conn", "--clients", "6", "--hold", "0.1", "--credentials", file.to_str().unwrap()];
    let run = |more: &[&str]| bench(broker.port(), &[&line[..], more].concat()).run();
    let report = report(&run(&["--cafile", authority.to_str().unwrap()]).exits(3));
    assert_eq!(number(&report, "/connections/connected"), 3.0);
    assert_eq!(number(&report, "/latency_us/tls_handshake/count"), 3.0);
    assert_eq!(report["errors"][0]["count"], 3, "{}", report["errors"]);
    run(&[]).fails(2, "a client certificate needs TLS");
}

#[test]
fn local_addresses_are_used_in_turn() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut clients: Vec<_> = (0..4).map(|_| listener.accept_session(Protocol::V3_1_1)).collect();
        let mut sources: Vec<_> = clients.iter().map(|client| client.source().to_string()).collect();
        sources.sort();
        assert_eq!(sources, ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3"]);
        for client in &mut clients {
            client.expect_disconnect(Protocol::V3_1_1);
        }
    });
    let line =
        ["conn", "-V", "311", "--clients", "4", "--hold", "0.1", "--local-addr", "127.0.0.2,127.0.0.3"];
    bench(server.port(), &line).run().exits(0);
    server.finish();
}

#[test]
fn mistakes_are_explained() {
    for (line, why) in [
        (&["pub", "--subscribers", "3"][..], "--subscribers is allowed with sub, e2e, rr, retained, wills"),
        (&["rr", "--pattern", "all"], "--pattern is allowed with e2e"),
        (
            &["calibrate", "--size", "5"],
            "--size is allowed with pub, e2e, rr, retained, wills and find-limit",
        ),
        (&["--pattern", "fan-in", "--subscribers", "2"], "fan-in has one subscriber"),
        (&["conn", "--ramp", "max"], "without --ramp clients connect as fast as they can"),
        (&["pub", "conn"], "pub does not take 'conn'"),
        (&["conn", "-L", "mqtt://127.0.0.1/a/b"], "conn has no messages"),
        (&["-t", "foo"], "hint: mqtt bench --topic foo"),
        (&["-L", "mqtt://127.0.0.1/a", "--topic", "b"], "-L and --topic name different topics"),
        (&["--csv", "-"], "--csv needs a file"),
    ] {
        let outcome = Mqtt::new(["bench"]).args(line.iter().copied()).run().exits(2);
        let said = &outcome.stderr;
        assert!(said.contains(why), "{line:?}: {said}");
    }
}

/// The file can be read only once, and every thread has the payload.
#[test]
fn payload_comes_from_a_pipe() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let path = pipe.to_str().unwrap().to_owned();
    let line = [
        "e2e",
        "--threads",
        "3",
        "--publishers",
        "3",
        "--rate",
        "300",
        "--count",
        "30",
        "--payload-file",
        &path,
    ];
    let run = bench(broker.port(), &line).spawn();
    // In another thread, because the test must not block if the run never opens it.
    std::thread::spawn(move || std::fs::write(&pipe, "x".repeat(1000)));
    let report = report(&run.wait_for_end().exits(0));
    assert_eq!((count(&report, "sent"), count(&report, "lost")), (30, 0));
    assert_eq!(report["configuration"]["payload_bytes"], 1000 + 32);
}

/// As many connections as the descriptor limit allows, up to 10,000.
#[test]
fn thousands_of_connections() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(20_000);
    let clients = limit.saturating_sub(500).min(10_000);
    let line = ["conn", "--clients", &clients.to_string(), "--hold", "0.5", "--embedded"];
    let line = [&["bench", "--quiet", "--allow-saturated", "--json"][..], &line].concat();
    let report = report(&Mqtt::new(line).run().exits(0));
    assert_eq!(report["connections"]["connected"], clients);
}
