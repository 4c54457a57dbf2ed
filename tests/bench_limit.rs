//! `mqtt bench find-limit` against brokers with a known limit.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ::mqtt::protocol::Protocol;
use rstest::rstest;
use serde_json::Value;

use crate::bench::{accept_pair, number};
use crate::bench_setup::Real;
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::packets;
use crate::support::server::{Listener, Peer, Server};
use crate::support::skip_here;

/// A search against a port of 127.0.0.1.
fn find_limit(port: u16, line: &[&str]) -> Mqtt {
    let line = line.iter().copied();
    Mqtt::new(["bench", "find-limit"]).args(line).args([
        "-h",
        "127.0.0.1",
        "-p",
        &port.to_string(),
        "--quiet",
        "--allow-saturated",
    ])
}

/// The number of messages that the broker of [`serve_runs`] delivers per run. It limits by number and not by
/// time: the rate and the length of a run determine how many it sends.
const SERVED: u32 = 1172;

/// Delivers this number of messages of each run and drops the others, until a client connects and sends
/// nothing.
fn serve_runs(listener: &mut Listener) {
    loop {
        let mut probe = listener.accept();
        if probe.next().is_none() {
            return;
        }
        probe.send(&packets::connack(Protocol::V3_1_1, false, 0));
        probe.expect_disconnect(Protocol::V3_1_1);
        let (publisher, subscriber) = accept_pair(listener);
        serve(publisher, subscriber);
    }
}

fn serve(mut publisher: Peer, mut subscriber: Peer) {
    let mut served = 0;
    while let Some(packet) = publisher.next() {
        match packet[0] >> 4 {
            3 => {
                if served < SERVED {
                    subscriber.send(&packet);
                }
                served += 1;
            }
            12 => publisher.send(&packets::pingresp()),
            14 => {}
            other => panic!("packet type {other}"),
        }
    }
    subscriber.rest();
}

/// Searches until an answer is within 5 % of the limit: a machine that stalls twice at the same value makes the
/// answer lower, or the lowest value fail, but never the answer higher. Then the report says that the broker was
/// the limit, and that each failed value was tried twice for this reason.
fn finds(limit: f64, reason: &str, behave: fn(&mut Listener), line: &[&str]) -> Option<Value> {
    let mut found = Vec::new();
    while found.len() < 6 {
        let server = Server::start(behave);
        let outcome = find_limit(server.port(), line).run();
        server.finish_or_refuse();
        let report = crate::support::report("bench-limit", &outcome.stdout);
        let steps = report["steps"].as_array().unwrap();
        let above = |step: &&Value| number(step, "/value") > limit * 1.05;
        assert!(steps.iter().filter(above).all(|step| step["held"] == false), "{steps:?}");
        let answer = report["limit"].as_f64();
        outcome.exits(if answer.is_some() { 0 } else { 3 });
        let answer = answer.unwrap_or(0.0);
        assert!(answer <= limit * 1.05, "{answer}");
        if answer >= limit * 0.95 {
            let failed = steps.iter().filter(|step| step["held"] == false);
            let by_it = |step: &&Value| step["failure_codes"].as_array().unwrap().contains(&reason.into());
            assert!(failed.filter(by_it).count() >= 2, "{steps:?}");
            assert_eq!(report["limited_by"], "broker");
            return Some(report);
        }
        found.push(answer);
    }
    skip_here(&format!("this machine stalls too often: {found:?}"));
    None
}

#[test]
fn limit_of_a_scripted_broker_is_found() {
    let limit = f64::from(SERVED) * 2.0; // in half a second each
    let load = ["e2e", "-V", "311", "--publishers", "1", "--subscribers", "1", "--json", "--precision", "3%"];
    let course =
        ["--step-duration", "0.5s", "--warmup", "0", "--drain", "300ms", "--from", "1k", "--slo", "loss = 0"];
    let Some(report) = finds(limit, "slo", serve_runs, &[&load[..], &course].concat()) else { return };
    assert!(number(&report, "/limit") <= limit, "{report}");
    assert_eq!((&report["over"], &report["unit"]), (&"rate".into(), &"1/s".into()));
    assert_eq!(report["confirmed"], true);
    let steps = report["steps"].as_array().unwrap();
    let purposes: Vec<&Value> = [&steps[0], &steps[steps.len() - 1]].map(|step| &step["purpose"]).into();
    assert_eq!(purposes, ["step", "confirmation"]);
}

/// CONNACKs per second of the broker of [`connect_slowly`].
const CONNACKS: u32 = 200;

/// Sends one CONNACK after the other, this number per second, until a client connects and sends nothing.
fn connect_slowly(listener: &mut Listener) {
    // More than the clients of a run.
    let mut connected = VecDeque::with_capacity(600);
    let (began, mut next) = (Instant::now(), Duration::ZERO);
    loop {
        let mut client = listener.accept();
        if client.next().is_none() {
            return;
        }
        next = next.max(began.elapsed()) + Duration::from_secs(1) / CONNACKS;
        std::thread::sleep(next.saturating_sub(began.elapsed()));
        client.send(&packets::connack(Protocol::V3_1_1, false, 0));
        if connected.len() == 600 {
            connected.pop_front();
        }
        connected.push_back(client);
    }
}

#[test]
fn limit_of_connections_per_second_is_found() {
    let line = ["conn", "--over", "rate", "-V", "311", "--json", "--precision", "5%", "--hold", "10ms"];
    let line = [&line[..], &["--from", "160", "--to", "240", "--slo", "failed-connections = 0"]].concat();
    let _ = finds(f64::from(CONNACKS), "fell-behind", connect_slowly, &line);
}

/// A search that is interrupted in its first run has a report too.
#[test]
fn search_interrupted_in_its_first_run_is_reported() {
    let broker = Broker::start();
    for more in [&[][..], &["--json"]] {
        let port = broker.port().to_string();
        let line =
            ["bench", "find-limit", "pub", "--slo", "rate > 1", "--step-duration", "1m", "-h", "127.0.0.1"];
        let running = Mqtt::new(line).args(["-p", &port, "--warmup", "0"]).args(more).spawn();
        running.wait_for_stderr(" measure ");
        running.signal(rustix::process::Signal::INT);
        let outcome = running.finish().exits(0);
        if more.is_empty() {
            let answer = "limit            none: no run has ended, as the search was interrupted";
            assert!(outcome.lines().contains(&answer.into()), "{:?}", outcome.lines());
        } else {
            let report = crate::support::report("bench-limit", &outcome.stdout);
            assert_eq!((&report["interrupted"], &report["limit"]), (&Value::Bool(true), &Value::Null));
        }
    }
}

#[test]
fn status_is_3_if_the_lowest_value_fails() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("a.xml");
    let line = ["pub", "--publishers", "1", "--step-duration", "0.2s", "--warmup", "0", "--slo", "sent < 1"];
    let outcome = find_limit(broker.port(), &line).args(["--junit", junit.to_str().unwrap()]).run().exits(3);
    let lines = outcome.lines();
    assert!(lines.contains(&"limit            none: the lowest value, 1,000/s, failed".into()), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.starts_with("limited by       the broker; sent < 1: it was 2")),
        "{lines:?}"
    );
    assert!(std::fs::read_to_string(junit).unwrap().contains("failures=\"2\""));
}

/// Figures that do not depend on the machine: a condition holds up to a number of messages or clients.
#[test]
fn ladder_is_written_in_every_form() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let line =
        ["pub", "--publishers", "2", "--step-duration", "0.5s", "--warmup", "0", "--slo", "sent <= 150"];
    let names = [("--csv", "a.csv"), ("--html", "a.html"), ("--markdown", "a.md"), ("--junit", "a.xml")];
    let files = names.map(|(option, name)| [option.to_owned(), file(name)]).concat();
    let run = find_limit(broker.port(), &[&line[..], &["--from", "100", "--precision", "10%"]].concat());
    let lines = run.args(files).run().exits(0).lines();
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:?}");
    assert!(lines[0].starts_with("find-limit       pub over rate against 127.0.0.1:"), "{lines:?}");
    assert!(lines.contains(&"limit            300/s; 325/s failed; confirmed".into()), "{lines:?}");
    let read = |name: &str| std::fs::read_to_string(file(name)).unwrap();
    let csv = read("a.csv");
    assert!(
        csv.starts_with("value,purpose,held,valid,mode,payload_bytes,qos,connections.attempted,"),
        "{csv}"
    );
    assert!(csv.contains("\r\n300,bisection,true,") && csv.contains("\r\n400,step,false,"), "{csv}");
    assert!(read("a.md").contains("| 325 |") && read("a.md").contains("failed: slo"));
    let page = read("a.html");
    for part in ["Rate by rate", "Runs"] {
        assert!(page.contains(&format!("<h2>{part}</h2>")), "{part} in {page}");
    }
    assert!(!page.contains("http:") && !page.contains("NaN"));
    assert!(read("a.xml").contains("failures=\"0\""));
}

#[rstest]
fn rates_clients_and_sizes_are_searched(#[values(Real::Embedded, Real::Mosquitto)] broker: Real) {
    let Some(broker) = broker.start() else { return };
    for (line, over, limit) in [
        (&["conn", "--hold", "10ms", "--from", "2", "--slo", "attempted <= 9"][..], "clients", 9.0),
        (
            &["pub", "--over", "clients", "--publishers", "1", "--rate", "50", "--slo", "attempted <= 5"],
            "clients",
            5.0,
        ),
        (
            &["pub", "--over", "size", "--rate", "50", "--to", "128", "--slo", "refused = 0", "-q", "1"],
            "size",
            128.0,
        ),
        (&["e2e", "--from", "20/s", "--to", "40/s", "--slo", "loss = 0"], "rate", 40.0),
    ] {
        // Five messages a run are too few for a backlog, however long the machine stalls.
        let course: &[&str] =
            if line[0] == "conn" { &[] } else { &["--step-duration", "0.1s", "--warmup", "0"] };
        let outcome = find_limit(broker.port(), &[line, course, &["--json"]].concat()).run().exits(0);
        let report = crate::support::report("bench-limit", &outcome.stdout);
        assert_eq!((&report["over"], number(&report, "/limit")), (&over.into(), limit));
    }
}

/// An unreachable broker is an error, as for any load.
#[test]
fn search_without_a_broker_fails() {
    let server = Server::start(|_| {});
    let port = server.port();
    server.finish();
    let outcome = find_limit(port, &["--slo", "loss = 0", "--json"]).run().exits(1);
    let failed: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert!(failed["error"].is_string(), "{failed}");
}
