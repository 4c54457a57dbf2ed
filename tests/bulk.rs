//! Many lines through `mqtt pub -l`, a broker and `mqtt sub`: none lost, none duplicated, all in order.

use mqtt::protocol::Protocol;

use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::{Service, version};

/// More than three times the number of packet identifiers.
const LINES: u32 = 200_000;

/// Numbers, each on a line of sixteen bytes.
fn input() -> Vec<u8> {
    (0..LINES).flat_map(|number| format!("{number:015}\n").into_bytes()).collect()
}

fn carries(broker: &dyn Service, protocol: Protocol, qos: &str) {
    let v = version(protocol);
    let count = LINES.to_string();
    let args = ["-V", v, "-t", "bulk", "-q", qos, "-c", "-i", "reader"];
    // The session is created first, so that no message is published too early.
    broker.subscribe().args(args).args(["-E"]).run().succeeds();
    let subscriber = broker.subscribe().args(args).args(["-C", &count]).spawn();
    let sent = input();
    broker.publish().args(["-V", v, "-t", "bulk", "-q", qos, "-l"]).stdin(sent.clone()).run().succeeds();
    let received = subscriber.finish().succeeds().stdout;
    if received != sent {
        let difference = received.chunks(16).zip(sent.chunks(16)).position(|(one, other)| one != other);
        panic!("{} of {LINES} lines arrived, the first different one is {difference:?}", received.len() / 16);
    }
}

#[test]
fn embedded_qos_1_v3_1_1() {
    carries(&Broker::start(), Protocol::V3_1_1, "1");
}

#[test]
fn embedded_qos_1_v5() {
    carries(&Broker::start(), Protocol::V5, "1");
}

#[test]
fn embedded_qos_2_v3_1_1() {
    carries(&Broker::start(), Protocol::V3_1_1, "2");
}

#[test]
fn embedded_qos_2_v5() {
    carries(&Broker::start(), Protocol::V5, "2");
}

#[test]
fn mosquitto_qos_1_v3_1_1() {
    if let Some(broker) = Mosquitto::start(&Setup::new().quiet()) {
        carries(&broker, Protocol::V3_1_1, "1");
    }
}

#[test]
fn mosquitto_qos_1_v5() {
    if let Some(broker) = Mosquitto::start(&Setup::new().quiet()) {
        carries(&broker, Protocol::V5, "1");
    }
}

/// Only in 3.1.1: mosquitto 2.0 often stalls when it sends QoS 2 to a client of MQTT 5.
#[test]
fn mosquitto_qos_2_v3_1_1() {
    if let Some(broker) = Mosquitto::start(&Setup::new().quiet()) {
        carries(&broker, Protocol::V3_1_1, "2");
    }
}
