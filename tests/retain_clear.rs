//! `mqtt retain-clear`: with a real mosquitto, the embedded broker, and scripted servers for tests that need
//! an exact order.

use std::fmt::Write as _;
use std::path::Path;

use ::mqtt::broker::{Faults, Options};
use ::mqtt::protocol::wire::{self, Packet, PacketType};
use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use rstest::rstest;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::{Listener, Server};
use crate::support::{report, skip_here, version};

pub(crate) fn retain_clear(port: u16, arguments: &[&str]) -> Mqtt {
    Mqtt::new(["retain-clear", "-h", "127.0.0.1", "-p", &port.to_string()]).args(arguments)
}

/// Records of this number of retained messages: every QoS, some with properties, some not UTF-8.
pub(crate) fn records(count: usize) -> String {
    let mut records = String::new();
    for index in 0..count {
        let payload = match index % 7 {
            0 => r#""payload":"/wAB","payload-encoding":"base64""#.to_owned(),
            _ => format!(r#""payload":"value {index} é""#),
        };
        let properties = match index % 10 {
            0 => {
                r#","properties":{"content-type":"text/plain","correlation-data":"AP8=","correlation-data-encoding":"base64","user-properties":[{"b":"1"},{"a":"2"},{"b":"1"}]}"#
            }
            _ => "",
        };
        let _ = writeln!(
            records,
            r#"{{"topic":"many/{}/{index:06}","qos":{}{properties},{payload}}}"#,
            index % 100,
            index % 3
        );
    }
    records
}

/// The messages in records, without time and packet identifier, by topic.
fn messages(records: &str) -> Vec<String> {
    let mut messages: Vec<String> = records
        .lines()
        .map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            let part = |name: &str| record.get(name).map(ToString::to_string).unwrap_or_default();
            ["topic", "qos", "payload", "payload-encoding", "properties"].map(part).join(" ")
        })
        .collect();
    messages.sort();
    messages
}

pub(crate) fn file(folder: &TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

pub(crate) fn fates(report: &Value) -> Vec<(&str, &str)> {
    let topics = report["topics"].as_array().unwrap().iter();
    topics.map(|topic| (topic["topic"].as_str().unwrap(), topic["fate"].as_str().unwrap())).collect()
}

/// Restore, list, back up, clear and verify, and the same messages again from the backup.
fn round_trip(port: u16, count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let source = file(&folder, "source.jsonl", &records(count));
    retain_clear(port, &["--restore", &source])
        .run()
        .exits(0)
        .mentions(&format!("{count} of {count} restored"));
    let listed = retain_clear(port, &["many/#", "--dry-run"]).run().exits(0);
    assert_eq!(listed.lines().len(), count);
    let backup = folder.path().join("backup.jsonl");
    let line = ["many/#", "--yes", "--json", "--backup", backup.to_str().unwrap()];
    let outcome = retain_clear(port, &line).run().exits(0);
    let report = report("retain-clear", &outcome.stdout);
    assert_eq!((&report["done"], &report["left"]), (&count.into(), &0.into()));
    assert_eq!(fates(&report).iter().filter(|(_, fate)| *fate == "cleared").count(), count);
    let backup = std::fs::read_to_string(backup).unwrap();
    assert!(messages(&backup) == messages(&records(count)), "the backup has other messages");
    retain_clear(port, &["many/#", "--yes"])
        .run()
        .exits(0)
        .prints("")
        .mentions("no retained messages received");
}

#[test]
fn twenty_thousand_on_a_real_server() {
    let Some(mosquitto) = Mosquitto::start(&Setup::new()) else { return };
    round_trip(mosquitto.port(), 20_000);
}

/// By default mosquitto silently drops all but about a thousand messages of a large set.
#[test]
fn a_server_that_drops_what_it_cannot_queue() {
    let Some(mosquitto) = Mosquitto::start(&Setup::new().queue(1000)) else { return };
    round_trip(mosquitto.port(), 5_000);
}

#[test]
fn the_embedded_broker() {
    let broker = Broker::start();
    round_trip(broker.port(), 2_000);
}

#[test]
fn an_export_clears_nothing_and_a_restore_is_exact() {
    let (one, other) = (Broker::start(), Broker::start());
    let folder = tempfile::tempdir().unwrap();
    let source = file(&folder, "source.jsonl", &records(50));
    let export = |broker: &Broker, name: &str| {
        let path = folder.path().join(name);
        retain_clear(broker.port(), &["#", "--export", path.to_str().unwrap()]).run().exits(0).prints("");
        std::fs::read_to_string(path).unwrap()
    };
    retain_clear(one.port(), &["--restore", &source]).run().exits(0);
    let first = export(&one, "first.jsonl");
    assert_eq!(first.lines().count(), 50);
    assert_eq!(export(&one, "again.jsonl").lines().count(), 50);
    let first = file(&folder, "copy.jsonl", &first);
    retain_clear(other.port(), &["--restore", &first]).run().exits(0);
    assert_eq!(messages(&export(&other, "other.jsonl")), messages(&records(50)));
}

#[test]
fn only_what_is_selected() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let source = file(
        &folder,
        "source.jsonl",
        r#"{"topic":"a/1","payload":"{\"time\":\"2020-01-01T00:00:00Z\"}"}
{"topic":"a/2","payload":"{\"time\":\"2999-01-01T00:00:00Z\"}"}
{"topic":"a/keep/3","payload":"3"}
{"topic":"b/4","payload":"some more bytes"}
"#,
    );
    retain_clear(broker.port(), &["--restore", &source]).run().exits(0);
    let listed = |line: &[&str]| {
        let outcome = retain_clear(broker.port(), &[&["--dry-run"], line].concat()).run().exits(0);
        let topic = |line: String| line.split("  ").next().unwrap_or_default().to_owned();
        outcome.lines().into_iter().map(topic).collect::<Vec<_>>()
    };
    assert_eq!(listed(&["#", "-T", "a/keep/#"]), ["a/1", "a/2", "b/4"]);
    assert_eq!(listed(&["a/#", "b/#", "a/1"]), ["a/1", "a/2", "a/keep/3", "b/4"]);
    assert_eq!(listed(&["#", "--match", "[13]$"]), ["a/1", "a/keep/3"]);
    assert_eq!(listed(&["#", "--payload-match", "^some"]), ["b/4"]);
    assert_eq!(listed(&["#", "--larger-than", "1"]), ["a/1", "a/2", "b/4"]);
    assert_eq!(listed(&["#", "--older-than", "1d", "--time-in", "payload:/time"]), ["a/1"]);
    let line = ["#", "--older-than", "1d", "--time-in", "payload:/time", "--yes"];
    retain_clear(broker.port(), &line).run().exits(0);
    assert_eq!(listed(&["#"]), ["a/2", "a/keep/3", "b/4"]);
}

/// Topics of the server below `$SYS` are never included.
#[test]
fn sys_is_never_touched() {
    let Some(mosquitto) = Mosquitto::start(&Setup::new()) else { return };
    mosquitto.publish().args(["-t", "a", "-m", "1", "-r", "-q", "1"]).run().succeeds();
    let outcome = retain_clear(mosquitto.port(), &["#", "+/broker/#", "--yes", "--json"]).run().exits(0);
    assert_eq!(fates(&report("retain-clear", &outcome.stdout)), [("a", "cleared")]);
}

const RULES: &str = "\
topic readwrite open/#
topic read closed/#
user admin
topic readwrite #";

/// Topics that this user may not clear are reported with the reason: MQTT 5 has a Reason Code, in 3.1.1 the
/// message is still there. The barrier is forbidden as well, and the scan works without it. (Without a limit
/// on its queues mosquitto 2.0 closes the connection at every refusal.)
#[rstest]
fn topics_that_the_server_forbids(#[values(V3_1_1, V5)] protocol: Protocol) {
    let Some(mosquitto) = Mosquitto::start(&Setup::new().queue(1000).access(RULES)) else { return };
    for topic in ["open/1", "closed/1", "open/2"] {
        let line = ["-u", "admin", "-t", topic, "-m", "x", "-r", "-q", "1"];
        mosquitto.publish().args(line).run().succeeds();
    }
    let line = ["#", "--yes", "--json", "-V", version(protocol)];
    let outcome = retain_clear(mosquitto.port(), &line).run().exits(3);
    let report = report("retain-clear", &outcome.stdout);
    let why = if protocol == Protocol::V5 { "refused" } else { "still-there" };
    assert_eq!(fates(&report), [("closed/1", why), ("open/1", "cleared"), ("open/2", "cleared")]);
    if protocol == Protocol::V5 {
        assert_eq!(report["topics"][0]["reason_code"], 0x87);
    }
}

/// Serves one connection of a server with these retained messages, with live traffic besides; returns the
/// topics that were published to.
fn serve(listener: &mut Listener, protocol: Protocol, retained: &[(&str, &[u8])]) -> Vec<String> {
    let mut peer = listener.accept_session(protocol);
    let mut published = Vec::new();
    loop {
        let bytes = peer.packet();
        match wire::decode(protocol, &bytes).unwrap() {
            Packet::Subscribe { packet_identifier, filters, .. } => {
                peer.send(&Message::new("live/before", b"live").bytes(protocol));
                let granted: Vec<u8> = filters.iter().map(|_| 0).collect();
                peer.send(&packets::suback(protocol, packet_identifier, &granted));
                for (topic, payload) in retained {
                    peer.send(&Message::new(topic, payload).retained().bytes(protocol));
                    peer.send(&Message::new("live/between", b"live").bytes(protocol));
                }
            }
            Packet::Publish(publish) => {
                let topic = std::str::from_utf8(publish.topic).unwrap();
                if publish.retain {
                    published.push(topic.to_owned());
                } else {
                    peer.send(&Message::new(topic, publish.payload).bytes(protocol));
                }
                if publish.qos != QoS::AtMostOnce {
                    peer.send(&packets::ack(PacketType::PubAck, publish.packet_identifier));
                }
            }
            Packet::Unsubscribe { packet_identifier, .. } => {
                peer.send(&packets::unsuback(protocol, packet_identifier, &[0]));
            }
            Packet::PingReq => peer.send(&packets::pingresp()),
            Packet::Disconnect { .. } => {
                peer.expect_end();
                return published;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A value that was published meanwhile is not cleared.
#[rstest]
fn a_new_value_is_left_alone(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |listener| {
        serve(listener, protocol, &[("a", b"old"), ("b", b"old")]);
        assert_eq!(serve(listener, protocol, &[]), ["a", "b"]);
        serve(listener, protocol, &[("b", b"new")]);
        listener.expect_no_connection();
    });
    let line = ["#", "--yes", "--json", "-V", version(protocol)];
    let outcome = retain_clear(server.port(), &line).run().exits(3);
    server.finish();
    let report = report("retain-clear", &outcome.stdout);
    assert_eq!(fates(&report), [("a", "cleared"), ("b", "republished")]);
    assert_eq!(report["scan"]["ended_by"], "fence");
}

/// Unless that was requested.
#[rstest]
fn until_clear(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |listener| {
        serve(listener, protocol, &[("a", b"old")]);
        assert_eq!(serve(listener, protocol, &[]), ["a"]);
        serve(listener, protocol, &[("a", b"new"), ("c", b"1")]);
        assert_eq!(serve(listener, protocol, &[]), ["a", "c"]);
        serve(listener, protocol, &[("a", b"newer")]);
        assert_eq!(serve(listener, protocol, &[]), ["a"]);
        serve(listener, protocol, &[]);
    });
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup.jsonl");
    let line =
        ["#", "--yes", "--until-clear=60s", "--backup", backup.to_str().unwrap(), "-V", version(protocol)];
    retain_clear(server.port(), &line).run().exits(0).mentions("2 cleared");
    server.finish();
    let backup = std::fs::read_to_string(backup).unwrap();
    assert_eq!(backup.lines().count(), 4, "every value that was cleared is in the backup:\n{backup}");
}

/// A clear that the server acknowledges without effect is tried once more, and then reported.
#[test]
fn broker_that_acknowledges_without_clearing_is_reported() {
    let protocol = Protocol::V5;
    let server = Server::start(move |listener| {
        for _ in 0..2 {
            serve(listener, protocol, &[("a", b"same")]);
            assert_eq!(serve(listener, protocol, &[]), ["a"]);
        }
        serve(listener, protocol, &[("a", b"same")]);
    });
    let outcome = retain_clear(server.port(), &["#", "--yes"]).run().exits(3).mentions("0 cleared, 1 left");
    server.finish();
    assert!(outcome.lines()[1].contains("still there"), "{outcome:?}");
}

/// No answer to a PINGREQ: the timeout ends the scan, and the report says so.
#[test]
fn a_scan_that_its_time_limit_ends() {
    let broker =
        Broker::with_faults(Faults { withhold: vec![PacketType::PingResp.into()], ..Faults::default() });
    broker.publish().args(["-t", "a", "-m", "1", "-q", "1", "-r"]).run().exits(0);
    let line = ["#", "--dry-run", "--json", "--timeout", "1s"];
    let outcome = retain_clear(broker.port(), &line).run().exits(3).mentions("ended by its time limit of 1s");
    let report = report("retain-clear", &outcome.stdout);
    assert_eq!(report["scan"]["ended_by"], "timeout");
    assert_eq!(fates(&report), [("a", "kept")]);
}

#[test]
fn missing_terminal_for_the_question_is_a_usage_error() {
    // Before any connection: no server listens on port 1.
    retain_clear(1, &["#"]).run().fails(2, "cannot ask for confirmation").mentions("--yes");
}

#[test]
fn a_backup_on_a_full_disk_clears_nothing() {
    if !Path::new("/dev/full").exists() {
        return skip_here("there is no /dev/full");
    }
    let broker = Broker::start();
    broker.publish().args(["-t", "a", "-m", "1", "-q", "1", "-r"]).run().exits(0);
    let line = ["#", "--yes", "--backup", "/dev/full"];
    retain_clear(broker.port(), &line).run().fails(1, "cannot write the backup /dev/full");
    broker.subscribe().args(["-t", "#", "--retained-only"]).run().exits(0).prints("1\n");
}

#[test]
fn a_backup_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "backup.jsonl", "precious");
    for option in ["--backup", "--export"] {
        let yes = if option == "--backup" { &["--yes"][..] } else { &[] };
        let line = [&["#", option, &path], yes].concat();
        retain_clear(1, &line).run().fails(1, "cannot make the backup");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}

#[test]
fn refused_filters_are_named() {
    let refusal = ::mqtt::broker::RefusedTopics {
        topic_filter: "b/#".into(),
        reason_code: ::mqtt::protocol::reason::ReasonCode::NOT_AUTHORIZED,
        share: ::mqtt::broker::Share::ALL,
    };
    let faults = Faults { refuse_subscribe: vec![refusal], ..Faults::default() };
    let broker = Broker::with(Options { faults, ..Options::default() });
    broker.publish().args(["-t", "a/1", "-m", "1", "-q", "1", "-r"]).run().exits(0);
    let line = ["a/#", "b/#", "--yes", "--json"];
    let outcome = retain_clear(broker.port(), &line).run().exits(3).mentions("subscription to 'b/#' refused");
    let report = report("retain-clear", &outcome.stdout);
    assert_eq!(report["scan"]["refused_filters"][0]["filter"], "b/#");
    retain_clear(broker.port(), &["b/#", "--yes"]).run().fails(0x87, "subscription to 'b/#' refused");
}

#[test]
fn a_rate_is_kept() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let source = file(&folder, "source.jsonl", &records(30));
    let started = std::time::Instant::now();
    retain_clear(broker.port(), &["--restore", &source, "--rate", "50"]).run().exits(0);
    // It may be slower on a busy machine, but never faster.
    assert!(started.elapsed() >= std::time::Duration::from_millis(500), "{:?}", started.elapsed());
}

/// The user reads the list, is asked, and may refuse.
#[test]
fn confirmation_is_asked_on_a_terminal() {
    let broker = Broker::start();
    for (topic, payload) in [("home/1", "on"), ("home/2", "\x1b[2Joff")] {
        broker.publish().args(["-t", topic, "-m", payload, "-q", "1", "-r"]).run().exits(0);
    }
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup.jsonl");
    let line = ["home/#", "--backup", backup.to_str().unwrap()];
    let question = "Clear 2 retained messages? [y/N] ";
    // An empty line, the end of the input, and an answer other than yes.
    for answer in ["\n", "\x04", "n\n", "yes please\n"] {
        let mut running = retain_clear(broker.port(), &line).on_a_terminal().spawn();
        running.wait_for_stderr(question);
        running.write(answer);
        let outcome = running.wait_for_end().exits(3).mentions("\nmqtt: nothing was cleared");
        assert_eq!(outcome.lines(), ["home/1  QoS 1, 2 bytes: on", "home/2  QoS 1, 7 bytes: \\x1b[2Joff"]);
        assert!(!backup.exists(), "a backup of what was not cleared");
    }
    let mut running = retain_clear(broker.port(), &line).on_a_terminal().spawn();
    running.wait_for_stderr(question);
    running.write("y\n");
    running.wait_for_end().exits(0).mentions("2 cleared, and verified that none is left");
    assert_eq!(std::fs::read_to_string(backup).unwrap().lines().count(), 2);
}

/// The list is on the terminal before the question, even if standard output is redirected.
#[test]
fn list_is_shown_on_the_terminal_before_confirmation() {
    let broker = Broker::start();
    broker.publish().args(["-t", "a", "-m", "1", "-q", "1", "-r"]).run().exits(0);
    for (option, stdout) in [("--json", "{"), ("--timeout=30", "a  QoS")] {
        let mut running = retain_clear(broker.port(), &["#", option]).on_a_terminal().spawn();
        running.wait_for_stderr("a  QoS 1, 1 byte: 1\r\nClear 1 retained message? [y/N] ");
        running.write("n\n");
        let outcome = running.wait_for_end().exits(3);
        assert!(outcome.stdout.starts_with(stdout.as_bytes()), "{outcome:?}");
    }
}

/// A publisher that does not stop: messages published after the clearing are reported and kept.
#[test]
fn a_publisher_that_keeps_republishing() {
    let Some(mosquitto) = Mosquitto::start(&Setup::new().quiet()) else { return };
    // More lines than can be published, each with another value.
    let lines: String = (0..1_000_000).map(|number| format!("{number}\n")).collect();
    let publisher = mosquitto.publish().args(["-t", "busy", "-r", "-q", "1", "-l"]).stdin(lines).spawn();
    // There may be no message between clearing and checking: several runs, until there is one.
    let republished = (0..50).any(|_| {
        mosquitto.subscribe().args(["-t", "busy", "-C", "1"]).run().exits(0);
        let outcome = retain_clear(mosquitto.port(), &["busy", "--yes", "--json"]).run();
        let report = report("retain-clear", &outcome.stdout);
        match fates(&report)[..] {
            [("busy", "republished")] => {
                outcome.exits(3).mentions("0 cleared, 1 left");
                true
            }
            [] | [("busy", "cleared")] => {
                outcome.exits(0);
                false
            }
            _ => panic!("{report:#}"),
        }
    });
    assert!(republished, "it was never met");
    publisher.signal(Signal::TERM);
    publisher.wait_for_end().dies_of(Signal::TERM);
    retain_clear(mosquitto.port(), &["busy", "--yes", "--until-clear"]).run().exits(0);
    mosquitto.subscribe().args(["-t", "busy", "--retained-only"]).run().exits(0).prints("");
}

/// Invalid topic names and topics that were not requested are not cleared.
#[rstest]
fn a_server_with_other_topics(#[values(V3_1_1, V5)] protocol: Protocol) {
    let made_up: [(&str, &[u8]); 5] =
        [("a/1", b"1"), ("b", b"1"), ("a/\0", b"1"), ("$SYS/a", b"1"), ("a/b\0", b"1")];
    let server = Server::start(move |listener| {
        serve(listener, protocol, &made_up);
        assert_eq!(serve(listener, protocol, &[]), ["a/1"]);
        serve(listener, protocol, &[]);
    });
    let outcome = retain_clear(server.port(), &["a/#", "--yes", "-V", version(protocol)]).run().exits(0);
    server.finish();
    outcome.mentions("ignored: 4 retained messages with a topic that was not requested or is not valid");
}

/// `-` and the system's names for standard output, whatever that is: existing content stays.
#[test]
fn export_to_standard_output() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let source = file(&folder, "source.jsonl", &records(3));
    retain_clear(broker.port(), &["--restore", &source]).run().exits(0);
    for name in ["-", "/dev/stdout", "/dev/fd/1"] {
        let run = retain_clear(broker.port(), &["#", "--export", name]).run().exits(0);
        assert_eq!(run.lines().len(), 3);
        run.mentions("3 written to standard output");
        let log = folder.path().join("log");
        std::fs::write(&log, "before\n").unwrap();
        retain_clear(broker.port(), &["#", "--export", name]).stdout_file(&log).run().exits(0);
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(text.starts_with("before\n{") && text.lines().count() == 4, "{text}");
        retain_clear(broker.port(), &["#", "--export", name]).hold_stdout_socket().run().exits(0);
        retain_clear(broker.port(), &["#", "--export", name, "--json"])
            .run()
            .exits(2)
            .mentions("--json and --export both write to standard output");
        retain_clear(broker.port(), &["#", "--backup", name, "--yes"])
            .run()
            .exits(2)
            .mentions("--export - writes the messages to standard output and clears nothing");
    }
}
