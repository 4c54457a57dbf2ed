//! `mqtt sub --stats`.

use mqtt::protocol::Protocol::V5;
use rstest::rstest;
use rustix::process::Signal;

use crate::support::mqtt::Mqtt;
use crate::support::packets::Message;
use crate::support::server::Server;
use crate::support::{Kind, report};

/// On SIGUSR1, at every interval and at the end.
#[test]
fn reports_are_written_when_they_are_due_or_asked_for() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        let messages = [
            Message::new("home/hall/lamp/1", b"on").bytes(V5),
            Message::new("home/hall/lamp/2", b"off").bytes(V5),
            Message::new("home/hall/lamp/2", b"off").retained().bytes(V5),
            Message::new("x", b"12345").bytes(V5),
        ];
        peer.send(&messages.concat());
        peer.expect_disconnect(V5);
    });
    let args = ["-V", "5", "-t", "#", "--stats", "--stats-interval", "1s", "--stats-levels", "2", "--json"];
    let run = Mqtt::subscribe(server.port()).args(args).spawn();
    run.wait_for_stdout("\"messages\":4").signal(Signal::USR1);
    run.wait_for_lines(3).signal(Signal::INT);
    let reports: Vec<serde_json::Value> =
        run.wait_for_end().exits(0).lines().iter().map(|line| report("stats", line.as_bytes())).collect();
    let last = reports.last().unwrap();
    assert_eq!((&last["all"]["bytes"], &last["all"]["retained"]), (&13.into(), &1.into()));
    assert_eq!(last["elapsed_s"], last["rate_over_s"]);
    let rows: Vec<(&str, u64)> = last["topics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["topic"].as_str().unwrap(), row["messages"].as_u64().unwrap()))
        .collect();
    assert_eq!(rows, [("home/#", 3), ("home/hall/#", 3), ("x", 1)]);
    // A report on request or on schedule without new messages repeats the counts.
    assert!(reports.iter().filter(|report| report["all"]["messages"] == 4).count() >= 2, "{reports:?}");
}

#[rstest]
fn table_is_written_at_the_end(#[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    broker.publish().args(["-q", "1", "-r", "-t", "a/b", "-m", "1234"]).run().succeeds();
    let run = broker.subscribe().args(["-t", "a/#", "--stats", "-C", "3", "-d"]).spawn();
    run.wait_until_subscribed();
    broker.publish().args(["-q", "1", "-t", "a/c", "-l"]).stdin("x\ny\n").run().succeeds();
    let lines = run.wait_for_end().exits(0).lines();
    assert!(lines[0].contains(": 3 messages, ") && lines[0].ends_with("6 bytes, 1 retained"), "{lines:?}");
    let cells: Vec<Vec<&str>> = lines[2..].iter().map(|line| line.split_whitespace().collect()).collect();
    let without_rate = |cells: &[&str]| [&cells[..1], &cells[2..]].concat().join(" ");
    let rows: Vec<String> = cells.iter().map(|cells| without_rate(cells)).collect();
    assert_eq!(rows, ["3 6 33 % a/#", "2 2 0 % a/c", "1 4 100 % a/b"]);
}
