//! `mqtt bench` that is interrupted, or loses its broker, in every phase: it ends and writes a report.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use ::mqtt::protocol::Protocol;
use rustix::process::Signal;
use serde_json::Value;

use crate::bench::{bench, number, report, watched};
use crate::support::Service as _;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::Running;
use crate::support::server::Server;

const LOAD: [&str; 9] = ["e2e", "--publishers", "2", "--subscribers", "2", "--rate", "500", "--qos", "1"];

/// Sends a signal in a phase, which the line of each second names.
fn interrupted(line: &[&str], phase: &str) {
    let Some(broker) = Mosquitto::start(&Setup::new()) else { return };
    let running = watched(broker.port(), line).spawn();
    running.wait_for_stderr(phase);
    let since = Instant::now();
    running.signal(Signal::INT);
    let report = report(&running.finish().exits(0));
    assert_eq!(report["interrupted"], true, "{phase}");
    assert!(since.elapsed() < Duration::from_secs(5), "{phase}: it takes {:?}", since.elapsed());
}

#[test]
fn ctrl_c_while_connecting() {
    interrupted(&["conn", "--clients", "1000", "--ramp", "20"], " connect ");
}

#[test]
fn ctrl_c_in_warm_up() {
    interrupted(&[&LOAD[..], &["--warmup", "1m"]].concat(), " warm-up ");
}

#[test]
fn ctrl_c_in_the_measurement() {
    interrupted(&[&LOAD[..], &["--duration", "1m"]].concat(), " measure ");
}

/// The rest of the requested number of messages is not sent.
#[test]
fn ctrl_c_in_a_count() {
    interrupted(&[&LOAD[..], &["--count", "1000000", "--drain", "1m"]].concat(), " measure ");
}

#[test]
fn ctrl_c_while_the_connections_are_held() {
    interrupted(&["conn", "--clients", "10", "--hold", "1m"], " measure ");
}

/// A server that accepts connections and sends nothing: at first contact, and to SUBSCRIBE.
#[test]
fn ctrl_c_while_the_server_is_silent() {
    for answers in [false, true] {
        let (say, said) = channel();
        let server = Server::start(move |listener| {
            if !answers {
                let mut silent = listener.accept();
                silent.expect_connect(Protocol::V3_1_1);
                say.send(()).unwrap();
                silent.expect_end();
                return;
            }
            listener.accept_session(Protocol::V3_1_1).expect_disconnect(Protocol::V3_1_1);
            let mut subscriber = listener.accept_session(Protocol::V3_1_1);
            subscriber.expect_subscribe(Protocol::V3_1_1);
            say.send(()).unwrap();
            subscriber.expect_disconnect(Protocol::V3_1_1);
        });
        let running = bench(server.port(), &["sub", "-V", "311", "--subscribers", "1"]).spawn();
        said.recv().unwrap();
        running.signal(Signal::INT);
        assert_eq!(report(&running.finish().exits(0))["interrupted"], true);
        server.finish();
    }
}

/// A run in its drain, with a stalled broker.
fn draining(broker: &Mosquitto) -> Running {
    let line = [&LOAD[..], &["--duration", "2", "--drain", "1m"]].concat();
    let running = watched(broker.port(), &line).spawn();
    running.wait_for_stderr(" measure ");
    broker.signal(Signal::STOP);
    running.wait_for_stderr(" drain ");
    running
}

#[test]
fn ctrl_c_in_the_drain() {
    let Some(broker) = Mosquitto::start(&Setup::new()) else { return };
    let running = draining(&broker);
    running.signal(Signal::INT);
    let report = report(&running.finish().exits(0));
    broker.signal(Signal::CONT);
    assert!(number(&report, "/messages/unacknowledged") > 0.0);
    let (lost, under_way) = (number(&report, "/messages/lost"), number(&report, "/messages/under_way"));
    assert!(lost == 0.0 && under_way > 0.0, "nobody knows what would have come: {lost}, {under_way}");
    let notes = report["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().contains("without an answer")), "{notes:?}");
}

/// The report of a run whose broker was killed.
fn report_after_kill(running: Running) -> Value {
    let since = Instant::now();
    let report = report(&running.finish().exits(3));
    assert!(since.elapsed() < Duration::from_secs(15), "it takes {:?}", since.elapsed());
    assert_eq!(report["valid"], false);
    assert!(report["errors"][0]["count"].as_u64().unwrap() > 0);
    report
}

/// Kills the broker in a phase.
fn broker_is_killed_in(phase: &str, line: &[&str]) {
    let Some(mut broker) = Mosquitto::start(&Setup::new()) else { return };
    let running = watched(broker.port(), line).spawn();
    running.wait_for_stderr(phase);
    broker.kill();
    let report = report_after_kill(running);
    let notes = report["notes"].as_array().unwrap();
    let cut_short = |note: &Value| note.as_str().unwrap().starts_with("the measurement ended after ");
    assert_eq!(notes.iter().any(cut_short), phase == " measure ", "{notes:?}");
}

#[test]
fn the_broker_dies_while_clients_connect() {
    broker_is_killed_in(" connect ", &["conn", "--clients", "60", "--ramp", "30"]);
}

#[test]
fn the_broker_dies_while_clients_subscribe() {
    let server = Server::start(|listener| {
        listener.accept_session(Protocol::V3_1_1).expect_disconnect(Protocol::V3_1_1);
        let mut subscriber = listener.accept_session(Protocol::V3_1_1);
        subscriber.expect_subscribe(Protocol::V3_1_1);
        subscriber.reset();
    });
    report_after_kill(bench(server.port(), &["sub", "-V", "311", "--subscribers", "1"]).spawn());
    server.finish();
}

#[test]
fn the_broker_dies_in_warm_up_and_measurement() {
    broker_is_killed_in(" warm-up ", &[&LOAD[..], &["--warmup", "1m"]].concat());
    broker_is_killed_in(" measure ", &[&LOAD[..], &["--duration", "1m"]].concat());
    broker_is_killed_in(" measure ", &["rr", "--rate", "max", "--qos", "1", "--duration", "1m"]);
    broker_is_killed_in(" measure ", &["conn", "--clients", "10", "--hold", "1m"]);
}

#[test]
fn the_broker_dies_in_the_drain() {
    let Some(mut broker) = Mosquitto::start(&Setup::new()) else { return };
    let running = draining(&broker);
    broker.kill();
    report_after_kill(running);
}

/// If nothing was measured, the run has failed, and there is no verdict.
#[test]
fn the_broker_is_gone_after_the_first_contact() {
    let server = Server::start(|listener| {
        listener.accept_session(Protocol::V3_1_1).expect_disconnect(Protocol::V3_1_1);
        listener.close();
    });
    let outcome = bench(server.port(), &["pub", "-V", "311", "--ramp", "10"]).run().exits(1);
    let report = report(&outcome);
    assert_eq!(number(&report, "/connections/connected"), 0.0);
    server.finish();
}

#[test]
fn refused_connection_is_reported() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let outcome = bench(free, &["e2e"]).run().exits(1);
    let report = report(&outcome);
    assert_eq!(report["valid"], false);
    assert!(report["error"].as_str().unwrap().contains("connection refused"), "{report}");
}
