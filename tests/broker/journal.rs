//! The log in mosquitto's format, and events in JSON.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rustix::process::Signal;
use serde_json::Value;

use super::{Served, mosquitto};
use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::report;

/// A conversation at each QoS with a subscriber, a will and a lost connection.
fn talk(broker: &Served) {
    let port = broker.port(0);
    let mut raw = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // CONNECT of "s" with the will "w"/"x", SUBSCRIBE to a at QoS 1.
    raw.write_all(
        b"\x10\x13\x00\x04MQTT\x04\x06\x00\x3c\x00\x01s\x00\x01w\x00\x01x\x82\x06\x00\x01\x00\x01a\x01",
    )
    .unwrap();
    raw.read_exact(&mut [0; 9]).unwrap();
    for qos in ["0", "1", "2"] {
        let publish =
            broker.client("pub").args(["-i", "p", "-V", "5", "-k", "77", "-t", "a", "-q", qos, "-m", "hi"]);
        publish.run().succeeds();
        let mut message = vec![0; if qos == "0" { 7 } else { 9 }];
        raw.read_exact(&mut message).unwrap();
    }
    drop(raw);
}

/// As `logrotate` does it; without a file there is nothing to open again.
#[test]
fn hang_up_opens_the_log_again() {
    let folder = tempfile::tempdir().unwrap();
    let (log, old) = (folder.path().join("log"), folder.path().join("log.1"));
    let broker = Served::start(&[&format!("--log={}", log.display())]);
    let publish =
        |identifier: &str| broker.client("pub").args(["-t", "a", "-n", "-i", identifier]).run().succeeds();
    publish("before");
    std::fs::rename(&log, &old).unwrap();
    broker.running.signal(Signal::HUP);
    broker.running.wait_for_stderr("the log was opened again");
    publish("after");
    broker.running.signal(Signal::TERM);
    broker.running.wait_for_end().exits(0);
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    assert!(read(&old).contains("as before") && !read(&old).contains("as after"), "{}", read(&old));
    assert!(read(&log).contains("as after") && read(&log).contains("terminating"), "{}", read(&log));
    let broker = Served::start(&[]);
    broker.running.signal(Signal::HUP);
    broker.running.wait_for_stderr("SIGHUP: there are no files to read or to open again");
    broker.running.signal(Signal::TERM);
    broker.running.wait_for_end().exits(0);
}

/// The lines of a log without their times; ports are replaced by `PORT`.
#[track_caller]
fn untimed(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| {
        let (time, line) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
        assert!(time.len() == 10 && time.bytes().all(|byte| byte.is_ascii_digit()), "{line}");
        let words = line.split(' ').map(|word| match word.strip_prefix("127.0.0.1:") {
            Some(_) => "127.0.0.1:PORT",
            None => word,
        });
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect()
}

/// A whole run has the same lines as mosquitto 2.0.11 with `-v`, except those about the will and open files.
#[test]
fn log_has_the_lines_of_mosquitto() {
    let broker = Served::start(&["--log"]);
    talk(&broker);
    broker.running.wait_for_stderr("Client s closed its connection.");
    let port = broker.port(0);
    broker.running.signal(Signal::TERM);
    let outcome = broker.running.wait_for_end().exits(0);
    let mut lines = untimed(&outcome.stderr);
    // mosquitto has no such line.
    assert!(lines.remove(3).starts_with("Open files: "), "{lines:?}");
    let expected = format!(
        "\
mqtt version {version} starting
Opening ipv4 listen socket on port {port}.
mqtt version {version} running
New connection from 127.0.0.1:PORT on port {port}.
New client connected from 127.0.0.1:PORT as s (p2, c1, k60).
Will message specified (1 bytes) (r0, q0).
\tw
Sending CONNACK to s (0, 0)
Received SUBSCRIBE from s
\ta (QoS 1)
s 1 a
Sending SUBACK to s
",
        version = env!("CARGO_PKG_VERSION")
    );
    let expected: Vec<&str> = expected.lines().collect();
    assert_eq!(lines[..expected.len()], expected);
    let publisher: Vec<&String> =
        lines.iter().filter(|line| line.contains(" p ") || line.contains(" s (d")).collect();
    assert_eq!(
        publisher[publisher.len() - 8..],
        [
            "New client connected from 127.0.0.1:PORT as p (p5, c1, k77).",
            "Sending CONNACK to p (0, 0)",
            "Received PUBLISH from p (d0, q2, r0, m1, 'a', ... (2 bytes))",
            "Sending PUBLISH to s (d0, q1, r0, m2, 'a', ... (2 bytes))",
            "Sending PUBREC to p (m1, rc0)",
            "Received PUBREL from p (Mid: 1)",
            "Sending PUBCOMP to p (m1)",
            "Client p disconnected.",
        ]
    );
    let end = [
        "Client s closed its connection.",
        "Publishing will of s (q0, r0, 'w', ... (1 bytes))",
        &format!("mqtt version {} terminating", env!("CARGO_PKG_VERSION")),
    ];
    assert_eq!(lines[lines.len() - 3..], end);
}

/// With a raw client, and a file that already has a line.
#[test]
fn log_is_appended_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = crate::support::write(folder.path(), "log", "1764510000: before\n");
    let broker = Served::start(&[&format!("--log={path}")]);
    let port = broker.port(0).to_string();
    let Some(run) = mosquitto("mosquitto_pub", &["-p", &port, "-i", "m", "-q", "1", "-t", "a", "-m", "x"])
    else {
        return;
    };
    assert_eq!(run.0, 0);
    broker.running.signal(Signal::TERM);
    assert_eq!(broker.running.wait_for_end().exits(0).stderr, "");
    let lines = untimed(&std::fs::read_to_string(&path).unwrap());
    assert_eq!(lines[0], "before");
    assert!(lines.iter().any(|line| line == "Received PUBLISH from m (d0, q1, r0, m1, 'a', ... (1 bytes))"));
}

#[track_caller]
fn events(outcome: &Outcome) -> Vec<Value> {
    outcome.stderr.lines().map(|line| report("events", line.as_bytes())).collect()
}

/// Every line conforms to the schema, and names its client.
#[test]
fn events_describe_each_client() {
    let limits = ["--json-events", "--max-packet-size", "200", "--fault", "reason-code PUBLISH 0x87 secret"];
    let broker = Served::start(&limits);
    talk(&broker);
    broker.client("pub").args(["-i", "d", "-t", "secret", "-m", "x", "-q", "0"]).run();
    let port = broker.port(0);
    let mut large = TcpStream::connect(("127.0.0.1", port)).unwrap();
    large.write_all(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01l\x30\xff\x7f").unwrap();
    large.read_to_end(&mut Vec::new()).unwrap();
    broker.running.wait_for_stderr("\"type\":\"will\"");
    broker.running.signal(Signal::TERM);
    let events = events(&broker.running.wait_for_end().exits(0));
    let of = |kind: &str, client: &str| {
        let found = events.iter().filter(|event| event["type"] == kind && event["client"] == client);
        found.collect::<Vec<_>>()
    };
    assert_eq!(of("accepted", "s")[0]["protocol"], "3.1.1");
    assert_eq!(of("accepted", "p")[0]["keep_alive"], 77);
    assert_eq!(of("ended", "s")[0]["cause"], "closed");
    assert_eq!(of("ended", "p")[0]["cause"], "disconnect");
    let large = of("ended", "l")[0];
    assert_eq!((&large["cause"], &large["reason"]), (&"broker".into(), &"Packet too large".into()));
    assert_eq!(of("will", "s")[0]["topic"], "w");
    let refused = of("refused_message", "d")[0];
    assert_eq!((&refused["topic"], &refused["reason_code"]), (&"secret".into(), &0x87.into()));
    let packets: Vec<String> = of("packet", "s")
        .iter()
        .map(|event| {
            format!("{} {}", event["direction"].as_str().unwrap(), event["packet"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        packets,
        [
            "received CONNECT",
            "sent CONNACK",
            "received SUBSCRIBE",
            "sent SUBACK",
            "sent PUBLISH",
            "sent PUBLISH",
            "sent PUBLISH"
        ]
    );
    let arrived = events.iter().find(|event| event["type"] == "arrived").unwrap();
    assert_eq!(arrived["listener"], format!("mqtt://127.0.0.1:{port}"));
    let states: Vec<&str> = events.iter().filter_map(|event| event["state"].as_str()).collect();
    assert_eq!(states, ["listening", "ended"]);
}

/// Without packets, all other events are present; a connection that fails before MQTT has its reason.
#[test]
fn events_of_state_leave_packets_out() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let broker = Mqtt::new(["broker", "--listen", "mqtts://127.0.0.1:0", "--json-events=state"])
        .arg_path("--tls-self-signed", &ca);
    let broker = Served::spawn(broker, 1);
    let mut plain = TcpStream::connect(("127.0.0.1", broker.port(0))).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let _ = plain.read_to_end(&mut Vec::new());
    Mqtt::new(["pub", "-L", &broker.places[0], "-t", "a", "-m", "1", "-i", "p"])
        .arg_path("--cafile", &ca)
        .run()
        .succeeds();
    broker.running.signal(Signal::TERM);
    let events = events(&broker.running.wait_for_end().exits(0));
    let causes: Vec<&str> = events
        .iter()
        .filter(|event| event["type"] == "ended")
        .map(|event| event["cause"].as_str().unwrap())
        .collect();
    assert_eq!(causes, ["handshake", "disconnect"]);
    assert!(events.iter().all(|event| event["type"] != "packet"));
}

/// The broker continues and ends normally, even if the reader of its log is slow or gone.
#[test]
fn slow_or_closed_log_reader_does_not_stop_the_broker() {
    for is_gone in [false, true] {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .args(["broker", "-p", "0", "--log"])
            .stdout(std::process::Stdio::piped())
            .stderr(writer)
            .spawn()
            .unwrap();
        let kept = (!is_gone).then_some(reader);
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap().to_owned();
        // More lines than fit into a pipe.
        let lines = "x\n".repeat(3000);
        Mqtt::new(["pub", "-p", &port, "-t", "a", "-q", "1", "-l"]).stdin(lines).run().succeeds();
        let process = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(process, Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        drop(kept);
    }
}

#[test]
fn log_and_events_on_one_stream_are_refused() {
    let run = |options: &[&str]| Mqtt::new(["broker", "-p", "0"]).args(options).run().exits(2);
    run(&["--log", "--json-events"]).mentions("--log=FILE");
    run(&["--log", "--quiet"]).mentions("--log and --quiet");
    run(&["--json-events", "--quiet"]).mentions("--json-events and --quiet");
    run(&["-v"]).mentions("--log");
    Mqtt::new(["broker", "-p", "0", "--log=/nonexistent/log"]).run().exits(1).mentions("/nonexistent/log");
}

/// A client's log shows by itself only that it lost its connection.
#[test]
fn stalls_and_downtimes_are_reported() {
    let faults = ["--fault", "down 100ms every 500ms", "--fault", "stall 100ms every 700ms"];
    let broker = Served::start(&[&faults[..], &["--json-events=state"]].concat());
    for fault in ["down", "stall"] {
        for begins in ["true", "false"] {
            broker.running.wait_for_stderr(&format!(r#""fault":"{fault}","begins":{begins}"#));
        }
    }
    let broker = Served::start(&[&faults[..], &["--log"]].concat());
    for line in ["Fault 'down' begins.", "Fault 'down' ends.", "Fault 'stall' begins.", "Fault 'stall' ends."]
    {
        broker.running.wait_for_stderr(line);
    }
}
