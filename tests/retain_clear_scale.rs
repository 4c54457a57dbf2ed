//! `mqtt retain-clear` with many topics: the memory for a topic, and a very slow rate.

use std::fmt::Write as _;
use std::io::Read as _;
use std::process::{Command, Stdio};

use mqtt::protocol::wire::PacketType;
use mqtt::protocol::{Protocol::V5, QoS};

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::packets;
use crate::support::server::Server;
use crate::support::write;

fn record(topic: &str) -> String {
    format!("{{\"topic\":\"{topic}\",\"qos\":1,\"payload\":\"x\"}}\n")
}

/// The peak of resident memory, in bytes, of a run that has listed, cleared and verified this number of
/// topics, and has its report ready.
#[cfg(target_os = "linux")]
fn peak_of_clearing(topics: usize) -> usize {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let mut source = String::new();
    for index in 0..topics {
        source.write_str(&record(&format!("some/plant/line/{}/{index:06}", index % 100))).unwrap();
    }
    let source = write(folder.path(), "source.jsonl", &source);
    let line = ["retain-clear", "-h", "127.0.0.1", "-p", &broker.port().to_string()].map(str::to_owned);
    Mqtt::new(&line).args(["--restore", &source]).run().exits(0);
    let mut child = Command::new(env!("CARGO_BIN_EXE_mqtt"))
        .args(&line)
        .args(["#", "--yes", "--json"])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // The report exceeds a pipe: after its first byte the program waits for the reader.
    let mut report = vec![0];
    stdout.read_exact(&mut report).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    stdout.read_to_end(&mut report).unwrap();
    assert!(child.wait().unwrap().success());
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["topics"].as_array().unwrap().len(), topics);
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

/// Twice the number of topics needs twice the memory for topics, and no more.
#[cfg(target_os = "linux")]
#[test]
fn a_topic_takes_little_memory() {
    const TOPICS: usize = 10_000;
    /// Including its line of the report, and memory that allocators leave unused.
    const MOST_BYTES: usize = 1024;
    let (less, more) = (peak_of_clearing(TOPICS), peak_of_clearing(2 * TOPICS));
    let each = more.saturating_sub(less) / TOPICS;
    assert!(each <= MOST_BYTES, "{each} bytes for a topic: {less} with {TOPICS}, {more} with twice as many");
}

/// A connection that is lost long before the next message is due is detected at once; there is no Keep Alive.
#[test]
fn a_lost_link_is_noticed_between_two_messages() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        let (identifier, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"x");
        peer.send(&packets::ack(PacketType::PubAck, identifier));
        peer.close();
        listener.accept().expect_connect(V5);
    });
    let folder = tempfile::tempdir().unwrap();
    let source = write(folder.path(), "source.jsonl", &(record("a") + &record("b")));
    let run = Mqtt::new(["retain-clear", "-h", "127.0.0.1", "-p", &server.port().to_string()])
        .args(["--restore", &source, "--rate", "0.001", "-k", "0", "-V", "5"])
        .spawn();
    run.wait_for_stderr("connection lost: the broker closed the connection");
    server.finish();
    drop(run);
}
