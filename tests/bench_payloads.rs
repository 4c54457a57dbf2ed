//! The payloads of a load after their stamps, and the fields of its topics.

use std::collections::BTreeSet;

use rstest::rstest;

use crate::bench::{bench, count, number, report};
use crate::bench_setup::{Real, scenario};
use crate::support::Service as _;
use crate::support::broker::Broker;

/// Hexadecimal digits of the stamp.
const STAMP_DIGITS: usize = 64;

/// The payloads of a load with this number of messages, in the order of arrival, and the report.
fn carried(line: &[&str], messages: usize) -> (Vec<String>, serde_json::Value) {
    let broker = Broker::start();
    let listener =
        broker.subscribe().args(["-t", "bench/#", "-C", &messages.to_string(), "-F", "%x", "-d"]).spawn();
    listener.wait_until_subscribed();
    let report = report(&bench(broker.port(), line).run().succeeds());
    let text = |line: String| {
        let digits = &line[STAMP_DIGITS..];
        let bytes =
            (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
        String::from_utf8(bytes.collect()).unwrap()
    };
    (listener.wait_for_end().exits(0).lines().into_iter().map(text).collect(), report)
}

#[test]
fn fields_are_those_of_publisher_message_and_csv_line() {
    let folder = tempfile::tempdir().unwrap();
    let csv =
        crate::support::write(folder.path(), "devices.csv", "serial,room\nA1,hall\nB2,\"attic, east\"\n");
    let text = r#"{{"n":{seq},"client":{client},"serial":"{csv:serial}","room":"{csv:room}","t":{rand:18.0..24.0:1}}}"#;
    let line = [
        "pub",
        "--publishers",
        "2",
        "--count",
        "6",
        "--template",
        "--payload",
        text,
        "--client-values",
        &csv,
    ];
    let (mut texts, report) = carried(&line, 6);
    texts.sort_unstable();
    let values: Vec<serde_json::Value> =
        texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let of = |name: &str| values.iter().map(|value| value[name].to_string()).collect::<Vec<_>>();
    assert_eq!(of("n"), ["1", "1", "2", "2", "3", "3"]);
    for value in &values {
        let expected = if value["client"] == 0 { ["A1", "hall"] } else { ["B2", "attic, east"] };
        assert_eq!([&value["serial"], &value["room"]], expected);
        assert!((18.0..=24.0).contains(&value["t"].as_f64().unwrap()), "{value}");
    }
    assert!(of("t").into_iter().collect::<BTreeSet<_>>().len() > 1, "{texts:?}");
    assert_eq!(report["configuration"]["payload"], "fields");
    let (mut again, _) = carried(&line, 6);
    again.sort_unstable();
    assert_eq!(again, texts, "the seed is the same");
}

#[test]
fn payloads_that_differ_are_checked_and_timed() {
    let broker = Broker::start();
    let text = "{uuid} {now} {rand:0..1000000} {hex:40}";
    let line = ["e2e", "--publishers", "3", "--count", "300", "--qos", "1", "--template", "--payload", text];
    let report = report(&bench(broker.port(), &line).run().succeeds());
    assert_eq!(count(&report, "sent"), 300);
    assert_eq!(count(&report, "lost"), 0);
    assert_eq!(count(&report, "corrupt"), 0);
    assert!(number(&report, "/latency_us/delivery/count") >= 300.0);
}

#[test]
fn lines_of_a_file_are_payloads() {
    let folder = tempfile::tempdir().unwrap();
    let lines = crate::support::write(folder.path(), "lines", "one\ntwo\nthree\n");
    let line = ["pub", "--publishers", "1", "--count", "60", "--payload-lines", &lines];
    let (texts, report) = carried(&line, 60);
    let seen: BTreeSet<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["one", "three", "two"]);
    assert_eq!(report["configuration"]["payload"], "lines");
}

#[test]
fn wrong_payloads_are_refused_before_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let csv = crate::support::write(folder.path(), "devices.csv", "serial\nA1\n");
    let torn = crate::support::write(folder.path(), "torn.csv", "a,b\n1,2\n3\n");
    let empty = crate::support::write(folder.path(), "empty", "");
    for (line, words) in [
        (&["--payload", "{nothing}", "--template"][..], "unknown field {nothing}"),
        (&["--payload", "{csv:a}", "--template"], "{csv:NAME} needs --client-values FILE"),
        (&["--payload", "{", "--template"], "is not closed"),
        (&["--template"], "--payload"),
        (&["--payload", "x", "--client-values", &csv], "--template"),
        (&["--payload", "x", "--payload-lines", &csv], "cannot be used together"),
    ] {
        bench(1, &[&["pub"], line].concat()).run().exits(2).mentions(words);
    }
    for (line, words) in [
        (
            &["--payload", "{csv:room}", "--template", "--client-values", &csv][..],
            "{csv:room}: there is no such column",
        ),
        (
            &["--payload", "{csv:a}", "--template", "--client-values", &torn],
            "torn.csv: line 3: 1 value for 2 columns",
        ),
        (&["--payload-lines", &empty], "empty: no line"),
    ] {
        bench(1, &[&["pub"], line].concat()).run().exits(2).mentions(words);
    }
}

/// A stamp within JSON: payloads are valid JSON, and losses, duplicates and latencies are exact.
#[test]
fn a_stamp_within_json_is_found() {
    let broker = Broker::start();
    let text = r#"{{"device":{client},"value":{rand:0..1000},"trace":{{"id":"{stamp}"}}}}"#;
    let listener = broker.subscribe().args(["-t", "bench/#", "-C", "60", "-d"]).spawn();
    listener.wait_until_subscribed();
    for (mode, more) in [("e2e", &["--qos", "1", "--subscribers", "2"][..]), ("rr", &[])] {
        let line = [mode, "--publishers", "2", "--count", "30", "--template", "--payload", text];
        let report = report(&bench(broker.port(), &[&line[..], more].concat()).run().succeeds());
        let sums = ["sent", "delivered", "lost", "duplicates", "corrupt", "foreign"]
            .map(|name| count(&report, name));
        assert_eq!(sums, [30, 30, 0, 0, 0, 0], "{mode}");
        let latency = if mode == "rr" { "round_trip" } else { "delivery" };
        assert_eq!(number(&report, &format!("/latency_us/{latency}_from_send/count")), 30.0);
    }
    for line in listener.wait_for_end().exits(0).lines() {
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(json["trace"]["id"].as_str().unwrap().starts_with("mqtt-bench-"), "{line}");
    }
}

/// Subscribers of another run recognise such messages, and a damaged one counts as corrupt.
#[test]
fn a_stamp_within_json_is_checked() {
    let broker = Broker::start();
    let text = r#"{{"id":"{stamp}"}}"#;
    let subscribers =
        crate::bench::watched(broker.port(), &["sub", "--subscribers", "1", "--count", "20"]).spawn();
    subscribers.wait_for_stderr(" measure ");
    let line = ["pub", "--publishers", "1", "--count", "20", "--rate", "50", "--template", "--payload", text];
    bench(broker.port(), &line).run().succeeds();
    let report = report(&subscribers.finish().exits(0));
    assert_eq!(
        (count(&report, "delivered"), count(&report, "unstamped"), count(&report, "foreign")),
        (20, 0, 0)
    );
    assert_eq!(number(&report, "/latency_us/delivery/count"), 20.0);
    bench(1, &["pub", "--template", "--payload", "{stamp}{stamp}"])
        .run()
        .exits(2)
        .mentions("there are two {stamp}");
}

/// Columns and random levels of topics: every message comes once to the subscribers that it is for, and the same topics come
/// again with the seed.
#[rstest]
fn fields_of_topics_are_filled_in(#[values("0", "1")] qos: &str) {
    let folder = tempfile::tempdir().unwrap();
    let csv = crate::support::write(folder.path(), "devices.csv", "room\nhall\nattic\n");
    let topic = "bench/{client}/{csv:room}/{rand:1..1000000}";
    let line = [
        "e2e",
        "--publishers",
        "3",
        "--subscribers",
        "2",
        "--count",
        "60",
        "--qos",
        qos,
        "--topic",
        topic,
        "--client-values",
        &csv,
    ];
    let topics = || {
        let broker = Broker::start();
        let listener = broker.subscribe().args(["-t", "bench/#", "-C", "60", "-F", "%t", "-d"]).spawn();
        listener.wait_until_subscribed();
        let report = report(&bench(broker.port(), &line).run().succeeds());
        let sums = ["sent", "expected", "delivered", "lost", "duplicates", "foreign"]
            .map(|name| count(&report, name));
        assert_eq!(sums, [60, 60, 60, 0, 0, 0]);
        let mut topics = listener.wait_for_end().exits(0).lines();
        topics.sort_unstable();
        topics
    };
    let first = topics();
    for (client, room) in [("0", "hall"), ("1", "attic"), ("2", "hall")] {
        let own = first.iter().filter_map(|topic| topic.strip_prefix(&format!("bench/{client}/{room}/")));
        let own: Vec<u32> = own.map(|level| level.parse().unwrap()).collect();
        assert_eq!(own.len(), 20, "{first:?}");
        assert!(own.iter().all(|level| (1..=1_000_000).contains(level)));
        assert!(own.into_iter().collect::<BTreeSet<_>>().len() > 10, "{first:?}");
    }
    assert_eq!(topics(), first, "the seed is the same");
}

/// Random topics with aliases, requests, wills and filters: nothing is lost, and nothing else comes.
#[rstest]
fn a_fleet_takes_its_topics_from_a_file(#[values(Real::Embedded, Real::Mosquitto)] broker: Real) {
    let Some(broker) = broker.start() else { return };
    let port = broker.port();
    let folder = tempfile::tempdir().unwrap();
    let csv =
        crate::support::write(folder.path(), "devices.csv", "room,serial\nhall,A1\nattic,B2\ncellar,C3\n");
    let fleet = format!(
        r#"
version = "5"
duration = "1s"
[[group]]
name = "devices"
clients = 3
client-values = "{csv}"
will = {{ topic = "gone/{{csv:serial}}" }}
publish = {{ rate = "60/s", qos = 1, topic = "value/{{client}}/{{csv:room}}/{{hex:4}}", topic-alias = true }}
[[group.subscribe]]
filter = "config/{{csv:serial}}/{{filter}}"
filters = 2
[[group]]
name = "service"
clients = 2
[[group.subscribe]]
from = "devices"
filter = "value/{{client}}/{{csv:room}}/#"
qos = 1
"#
    );
    let report = report(&scenario(port, &fleet, &[]).exits(0));
    let sums = ["sent", "delivered", "lost", "duplicates", "foreign"].map(|name| count(&report, name));
    assert_eq!(sums, [60, 60, 0, 0, 0]);
    let line = ["rr", "--publishers", "2", "--count", "40", "--topic", "ask/{client}/{uuid}"];
    let report = crate::bench::report(&bench(port, &line).run().succeeds());
    assert_eq!([count(&report, "delivered"), count(&report, "lost")], [40, 0]);
}

#[test]
fn values_that_are_no_levels_are_refused_before_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    let csv = crate::support::write(folder.path(), "devices.csv", "room\nhall\n1/2\n");
    for (topic, words) in [
        (
            "a/{csv:room}",
            "devices.csv: line 3: '1/2' in the column room cannot be a level of a topic: it has a '/'",
        ),
        ("a/{csv:floor}", "devices.csv: {csv:floor}: there is no such column; there are 'room'"),
    ] {
        bench(1, &["pub", "--topic", topic, "--client-values", &csv]).run().exits(2).mentions(words);
    }
}
