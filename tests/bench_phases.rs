//! `mqtt bench` interrupted, or left by its broker, in every phase: there is a report, and an end.

use std::time::{Duration, Instant};

use ::mqtt::protocol::Protocol;
use rustix::process::Signal;

use crate::bench::{bench, number, report};
use crate::support::Service as _;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::server::Server;

const LOAD: [&str; 9] = ["e2e", "--publishers", "2", "--subscribers", "2", "--rate", "500", "--qos", "1"];

/// A signal at a time that falls into a phase.
fn interrupted(line: &[&str], after: Duration, phase: &str) {
    let Some(broker) = Mosquitto::start(&Setup::new()) else { return };
    let running = bench(broker.port(), line).spawn();
    std::thread::sleep(after);
    let since = Instant::now();
    running.signal(Signal::INT);
    let report = report(&running.finish().exits(0));
    assert_eq!(report["interrupted"], true, "{phase}");
    assert!(since.elapsed() < Duration::from_secs(5), "{phase}: it takes {:?}", since.elapsed());
}

#[test]
fn ctrl_c_while_connecting() {
    interrupted(&["conn", "--clients", "1000", "--ramp", "20"], Duration::from_secs(1), "connect");
}

#[test]
fn ctrl_c_in_warm_up() {
    interrupted(&[&LOAD[..], &["--warmup", "1m"]].concat(), Duration::from_secs(1), "warm-up");
}

#[test]
fn ctrl_c_in_the_measurement() {
    interrupted(&[&LOAD[..], &["--duration", "1m"]].concat(), Duration::from_secs(1), "measure");
}

#[test]
fn ctrl_c_while_the_connections_are_held() {
    interrupted(&["conn", "--clients", "10", "--hold", "1m"], Duration::from_secs(1), "hold");
}

/// A server that takes connections and says nothing: at first contact, and to SUBSCRIBE.
#[test]
fn ctrl_c_while_the_server_is_silent() {
    for answers in [false, true] {
        let server = Server::start(move |listener| {
            if !answers {
                let mut silent = listener.accept();
                silent.expect_connect(Protocol::V3_1_1);
                silent.expect_end();
                return;
            }
            listener.accept_session(Protocol::V3_1_1).expect_disconnect(Protocol::V3_1_1);
            let mut subscriber = listener.accept_session(Protocol::V3_1_1);
            subscriber.expect_subscribe(Protocol::V3_1_1);
            subscriber.expect_disconnect(Protocol::V3_1_1);
        });
        let running = bench(server.port(), &["sub", "-V", "311", "--subscribers", "1"]).spawn();
        std::thread::sleep(Duration::from_millis(700));
        running.signal(Signal::INT);
        assert_eq!(report(&running.finish().exits(0))["interrupted"], true);
        server.finish();
    }
}

#[test]
fn ctrl_c_in_the_drain() {
    let Some(broker) = Mosquitto::start(&Setup::new()) else { return };
    let running = bench(broker.port(), &[&LOAD[..], &["--duration", "1", "--drain", "1m"]].concat()).spawn();
    std::thread::sleep(Duration::from_millis(600));
    broker.signal(Signal::STOP);
    std::thread::sleep(Duration::from_millis(1200));
    running.signal(Signal::INT);
    let report = report(&running.finish().exits(0));
    broker.signal(Signal::CONT);
    assert!(number(&report, "/messages/unacknowledged") > 0.0);
}

/// A broker that dies at a time that falls into a phase.
fn bereaved(line: &[&str], after: Duration) -> serde_json::Value {
    let Some(mut broker) = Mosquitto::start(&Setup::new()) else { return serde_json::Value::Null };
    let running = bench(broker.port(), line).spawn();
    std::thread::sleep(after);
    let since = Instant::now();
    broker.kill();
    let report = report(&running.finish().exits(3));
    assert!(since.elapsed() < Duration::from_secs(15), "it takes {:?}", since.elapsed());
    assert_eq!(report["valid"], false);
    assert!(report["errors"][0]["count"].as_u64().unwrap() > 0);
    report
}

#[test]
fn the_broker_dies_while_clients_connect() {
    bereaved(&["conn", "--clients", "60", "--ramp", "30"], Duration::from_secs(1));
}

#[test]
fn the_broker_dies_in_warm_up_and_measurement() {
    bereaved(&[&LOAD[..], &["--warmup", "1m"]].concat(), Duration::from_secs(1));
    bereaved(&[&LOAD[..], &["--duration", "1m"]].concat(), Duration::from_secs(1));
    bereaved(&["rr", "--rate", "max", "--qos", "1", "--duration", "1m"], Duration::from_secs(1));
    bereaved(&["conn", "--clients", "10", "--hold", "1m"], Duration::from_secs(1));
}

/// Nothing was measured at all: that is a failure and no verdict.
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
fn nobody_listens() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let outcome = bench(free, &["e2e"]).run().exits(1);
    assert!(outcome.stdout.is_empty());
}
