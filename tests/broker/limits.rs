//! Limits, the broker's service when clients exceed them, and its state.

use std::io::{Read as _, Write as _};

use rustix::process::{Resource, Signal, getrlimit};

use super::Served;
use crate::support::mqtt::Mqtt;

#[test]
fn limits_are_announced_and_kept() {
    let limits = [
        ["--max-packet-size", "1000"],
        ["--max-subscriptions", "1"],
        ["--max-retained-bytes", "900"],
        ["--max-keepalive", "30"],
        // Its messages are retained, too.
        ["--sys-interval", "0"],
    ]
    .concat();
    let broker = Served::start(&limits);
    let publish = |bytes: usize| {
        let line = ["-r", "-q", "1", "-t", "a", "-s", "--reconnect", "never"];
        broker.client("pub").args(line).stdin("x".repeat(bytes)).run()
    };
    publish(400).succeeds();
    publish(600).exits(0x97);
    assert_ne!(publish(2000).status.code(), Some(0));
    let sub = broker.client("sub").args(["-t", "b", "-t", "c", "-E", "-V", "5"]).run();
    assert_ne!(sub.status.code(), Some(0));
    broker.client("sub").args(["-t", "b", "-E", "-V", "311", "-k", "31"]).run().exits(0x85);
    broker.client("sub").args(["-t", "b", "-E", "-V", "311", "-k", "30"]).run().succeeds();
}

/// Publishers wait for a subscriber that reads nothing for a limited time; then its messages are dropped
/// within its limits, and the broker and the publisher continue.
#[test]
fn slow_subscriber_delays_publishers_for_a_limited_time() {
    let broker = Served::spawn(
        Mqtt::new(["broker", "-p", "0", "--max-queued-bytes", "1Mi", "--slow-consumer-wait", "100ms"])
            .behind("ulimit -v 700000"),
        1,
    );
    let mut unread = std::net::TcpStream::connect(("127.0.0.1", broker.port(0))).unwrap();
    unread.write_all(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01s\x82\x06\x00\x01\x00\x01a\x01").unwrap();
    // CONNACK and SUBACK.
    unread.read_exact(&mut [0; 9]).unwrap();
    let line = ["-t", "a", "-q", "1", "-l"];
    let lines = format!("{}\n", "x".repeat(10_000)).repeat(3000);
    broker.client("pub").args(line).stdin(lines).run().succeeds();
    broker.client("sub").args(["-t", "b", "-E"]).run().succeeds();
    broker.running.signal(Signal::TERM);
    broker.running.wait_for_end().exits(0);
}

/// With default limits, the broker serves all kinds of load at once within 1 GB of address space.
#[test]
fn default_limits_fit_into_a_gigabyte() {
    let broker = Served::spawn(Mqtt::new(["broker", "-p", "0"]).behind("ulimit -v 1000000"), 1);
    let connect = || std::net::TcpStream::connect(("127.0.0.1", broker.port(0))).unwrap();
    let before = broker.client("sub").args(["-t", "alive", "-q", "1", "-C", "1", "-d", "-W", "100"]).spawn();
    before.wait_until_subscribed();
    // One disconnected client, ten that read nothing, and retained messages.
    broker
        .client("sub")
        .args(["-t", "q/#", "-q", "1", "-c", "-i", "away", "-x", "1h", "-E"])
        .run()
        .succeeds();
    let mut unread = Vec::new();
    for number in b'0'..=b'9' {
        let mut stream = connect();
        let mut packet = *b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01s\x82\x08\x00\x01\x00\x03q/#\x00";
        packet[14] = number;
        stream.write_all(&packet).unwrap();
        stream.read_exact(&mut [0; 9]).unwrap();
        unread.push(stream);
    }
    // Incomplete packets of 60 MB.
    let mut unfinished = Vec::new();
    for number in b'a'..=b'z' {
        let mut stream = connect();
        let mut packet = *b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01s\x30\x80\x80\x80\x1e";
        packet[14] = number;
        stream.write_all(&packet).unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        // The broker closes some of them.
        let _ = stream.write_all(&vec![0; 20 << 20]);
        unfinished.push(stream);
    }
    let large = "x".repeat(4_000_000);
    let mut refused = false;
    for number in 0..120 {
        let topic = format!("q/{number}");
        let retain: &[&str] = if number % 2 == 0 { &["-r"] } else { &[] };
        let run =
            broker.client("pub").args(retain).args(["-t", &topic, "-q", "1", "-s", "--reconnect", "never"]);
        refused |= run.stdin(large.clone()).run().status.code() == Some(0x97);
    }
    assert!(refused);
    drop((unread, unfinished));
    broker.client("pub").args(["-t", "alive", "-m", "yes", "-q", "1"]).run().succeeds();
    before.wait_for_end().prints("yes\n");
    broker.running.signal(Signal::TERM);
    broker.running.wait_for_end().exits(0);
}

#[test]
fn sessions_and_retained_messages_are_limited_in_number() {
    let limits = ["--max-sessions", "1", "--max-retained-messages", "1", "--sys-interval", "0"];
    let broker = Served::start(&limits);
    let publish = |topic: &str| {
        broker
            .client("pub")
            .args(["-i", "p", "-r", "-q", "1", "-t", topic, "-m", "x", "--reconnect", "never"])
            .run()
    };
    publish("a").succeeds();
    publish("b").exits(0x97);
    let stays = broker.client("sub").args(["-i", "s", "-t", "a", "-C", "2", "-d", "-W", "60"]).spawn();
    stays.wait_until_subscribed();
    publish("a").exits(0x97);
}

/// Under mosquitto's topic names; clients cannot publish there.
#[test]
fn state_is_published_below_sys() {
    let broker = Served::start(&["--sys-interval", "100ms"]);
    broker.client("pub").args(["-t", "a", "-m", "x", "-q", "1", "-r"]).run().succeeds();
    let first = |topic: &str| {
        let topic = format!("$SYS/broker/{topic}");
        let run = broker.client("sub").args(["-t", &topic, "-C", "1", "-W", "60"]).run().succeeds();
        String::from_utf8(run.stdout).unwrap()
    };
    assert!(first("version").starts_with("mqtt version "));
    assert!(first("uptime").ends_with(" seconds\n"));
    let wanted = ["-t", "$SYS/broker/publish/messages/received", "-d", "-W", "60"];
    let sub = broker.client("sub").args(wanted).spawn();
    sub.wait_for_stdout("1\n");
    broker.client("pub").args(["-t", "$SYS/broker/version", "-m", "x", "-q", "1"]).run().exits(0x87);
    sub.wait_for_stdout("2\n");
    for (topic, least) in [
        ("clients/maximum", 1),
        ("messages/received", 4),
        ("messages/sent", 4),
        ("publish/bytes/received", 2),
        ("retained messages/count", 40),
        ("store/messages/bytes", 1000),
    ] {
        let number: u64 = first(topic).trim().parse().unwrap();
        assert!(number >= least, "{topic}: {number}");
    }
    let load: f64 = first("load/publish/received/15min").trim().parse().unwrap();
    assert!(load >= 0.0);
    let all = broker.client("sub").args(["-t", "#", "--retained-only"]).run();
    all.succeeds().prints("x\n");
}

/// The broker raises its own limit of open files. Its command gets the limit that the broker was started with.
#[test]
fn limit_of_open_files_is_raised_to_the_hard_limit() {
    let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX).min(1 << 20);
    let line = ["broker", "--port", "0", "--log", "--", "/bin/sh", "-c", "ulimit -Sn"];
    let outcome = Mqtt::new(line).behind("ulimit -Sn 100").run().exits(0).prints("100\n");
    outcome.mentions(&format!("Open files: at most {hard}; connections: at most 100000."));
}
