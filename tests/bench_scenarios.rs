//! `mqtt bench scenario`: groups of clients in one run.

use ::mqtt::protocol::Protocol;
use ::mqtt::protocol::wire::PacketType;
use rstest::rstest;
use serde_json::Value;

use crate::bench::{bench, count, report};
use crate::bench_setup::{Real, scenario};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::packets;
use crate::support::server::Server;

/// A file with this text, and its temporary folder.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn run(port: u16, text: &str, more: &[&str]) -> Value {
    report(&scenario(port, text, more).exits(0))
}

fn group<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["groups"].as_array().unwrap().iter().find(|group| group["name"] == name).unwrap()
}

fn numbers<const N: usize>(group: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| group[name].as_u64().unwrap())
}

const FLEET: &str = r#"
duration = "1s"
[[group]]
name = "devices"
clients = 5
clean-start = false
will = { topic = "devices/{client}/gone", payload = "gone" }
publish = { rate = "50/s", qos = 1, topic = "devices/{client}/value", retain = true }
[[group.subscribe]]
from = "service"
pattern = "pairs"
qos = 1
[[group.subscribe]]
filter = "config/{client}/{filter}"
filters = 150
[[group]]
name = "service"
clients = 2
publish = { rate = "40/s", size = 16, topics = 10, topic = "commands/{topic}" }
[[group.subscribe]]
from = "devices"
pattern = "all"
filter = "devices/+/value"
qos = 1
[[group]]
name = "watchers"
clients = 3
[[group.subscribe]]
from = ["devices", "service"]
pattern = "all"
[[group]]
name = "idle"
clients = 30
keep-alive = 60
"#;

/// Devices that publish and subscribe, a service for them, a watcher of both, and many idle clients: every
/// delivery is known.
#[rstest]
fn each_group_of_a_fleet_is_counted(#[values(Real::Embedded, Real::Mosquitto)] broker: Real) {
    let Some(broker) = broker.start() else { return };
    let report = run(broker.port(), FLEET, &[]);
    assert_eq!(report["mode"], "e2e");
    assert_eq!(report["configuration"]["scenario"], serde_json::json!({"name": "fleet", "scale": 1.0}));
    let messages = ["sent", "acknowledged", "expected", "delivered", "duplicates", "reordered", "foreign"];
    // 50 messages of devices go to 2 and to 3 clients, 40 of the service to one and to 3.
    let of = |name| numbers(group(&report, name), messages);
    assert_eq!(of("devices"), [50, 50, 250, 40, 0, 0, 0]);
    assert_eq!(of("service"), [40, 0, 160, 100, 0, 0, 0]);
    assert_eq!(of("watchers"), [0, 0, 0, 270, 0, 0, 0]);
    assert_eq!(of("idle"), [0; 7]);
    assert_eq!(numbers(group(&report, "idle"), ["clients", "connected", "lost"]), [30, 30, 0]);
    assert!(group(&report, "watchers")["delivery_us"]["p99"].as_f64().unwrap() > 0.0);
    assert!(group(&report, "devices")["acknowledge_us"]["max"].as_f64().unwrap() > 0.0);
    assert_eq!(group(&report, "idle")["delivery_us"], Value::Null);
    let sums = ["sent", "expected", "delivered", "lost", "duplicates"].map(|name| count(&report, name));
    assert_eq!(sums, [90, 410, 410, 0, 0]);
    assert_eq!(report["connections"]["connected"], 40);
}

/// The line of the load names groups, unless these are publishers and subscribers.
#[test]
fn load_of_a_fleet_names_its_groups() {
    let broker = Broker::start();
    let (_folder, path) = file(FLEET);
    let port = broker.port().to_string();
    let line = ["bench", "scenario", "run", &path, "-h", "127.0.0.1", "-p", &port, "--quiet"];
    let outcome = Mqtt::new(line).args(["--allow-saturated"]).run().exits(0);
    let words = "load             40 clients in 4 groups, 90/s uniform, QoS 1, 64 bytes";
    assert!(outcome.lines().contains(&words.into()), "{:?}", outcome.lines());
}

/// A broker that loses messages to one group: the loss is counted for the group and for the run.
#[test]
fn a_device_is_one_client_and_its_losses_are_counted() {
    const V: Protocol = Protocol::V3_1_1;
    let server = Server::start(|listener| {
        let mut probe = listener.accept();
        let connect = probe.expect_connect(V);
        assert_eq!(connect[9] & 0b110, 0b010, "no will, and no session");
        probe.send(&packets::connack(V, false, 0));
        probe.expect_disconnect(V);
        let mut device = listener.accept();
        let connect = device.expect_connect(V);
        let flags = connect[9];
        assert_eq!(flags & 0b10, 0, "a session that is kept");
        assert_eq!(flags & 0b10_1100, 0b10_1100, "a will of QoS 1 that is retained");
        let topic = b"d/0/gone";
        assert!(connect.windows(topic.len()).any(|part| part == topic), "the will names the client");
        device.send(&packets::connack(V, false, 0));
        let (identifier, asked) = device.expect_subscribe(V);
        assert_eq!(asked, [1], "the QoS of its one filter");
        device.send(&packets::suback(V, identifier, &[1]));
        let mut number: u16 = 0;
        while let Some(packet) = device.next() {
            match packet[0] >> 4 {
                3 => {
                    let at = 4 + usize::from(packet[3]);
                    device.send(&packets::ack(
                        PacketType::PubAck,
                        u16::from_be_bytes([packet[at], packet[at + 1]]),
                    ));
                    number += 1;
                    if !number.is_multiple_of(5) {
                        let mut delivery = packet.clone();
                        delivery[at..][..2].copy_from_slice(&number.to_be_bytes());
                        device.send(&delivery);
                    }
                }
                4 => {}
                12 => device.send(&packets::pingresp()),
                _ => break,
            }
        }
    });
    let text = r#"
        version = "3.1.1"
        count = 100
        drain = "1s"
        [[group]]
        name = "devices"
        clients = 1
        clean-start = false
        will = { topic = "d/{client}/gone", qos = 1, retain = true }
        publish = { rate = "500/s", qos = 1, topic = "d/{client}" }
        [[group.subscribe]]
        from = "devices"
        qos = 1
    "#;
    let report = run(server.port(), text, &[]);
    let found = numbers(group(&report, "devices"), ["sent", "acknowledged", "expected", "delivered"]);
    assert_eq!(found, [100, 100, 100, 80]);
    assert_eq!(count(&report, "lost"), 20);
    server.finish();
}

/// Every built-in scenario runs, with fewer clients and a shorter time.
#[test]
fn scenarios_that_are_built_in_run() {
    let broker = Broker::start();
    let names = Mqtt::new(["bench", "scenario", "list"]).run().exits(0).lines();
    assert!(names.len() >= 12);
    // Its disturbances take long; the tests of the queue have a smaller one.
    for line in names.into_iter().filter(|line| !line.starts_with("offline-queue ")) {
        let name = line.split_whitespace().next().unwrap();
        let line = ["scenario", "run", name, "--scale", "0.1%", "--duration", "0.5s"];
        let report = report(&bench(broker.port(), &line).run().exits(0));
        let scenario = &report["configuration"]["scenario"];
        assert_eq!((&scenario["name"], &scenario["scale"]), (&name.into(), &0.001.into()));
        assert_eq!(report["connections"]["connected"], report["connections"]["attempted"], "{name}");
        if report["mode"] == "e2e" {
            assert!(count(&report, "delivered") > 0 && count(&report, "lost") == 0, "{name}: {report}");
        }
    }
}

/// The text report has the groups, and says that the scenario was scaled down.
#[test]
fn report_shows_groups_and_scale() {
    let broker = Broker::start();
    let port = broker.port().to_string();
    let line = ["bench", "scenario", "run", "omb-fanout-1-1k", "-h", "127.0.0.1", "-p", &port, "--quiet"];
    let folder = tempfile::tempdir().unwrap();
    let [html, markdown] = ["a.html", "a.md"].map(|name| folder.path().join(name));
    let run = Mqtt::new(line).args(["--scale", "1%", "--duration", "1s", "--allow-saturated"]);
    let outcome = run.arg_path("--html", &html).arg_path("--markdown", &markdown).run().exits(0);
    let [html, markdown] = [html, markdown].map(|path| std::fs::read_to_string(path).unwrap());
    assert!(html.contains("<h2>Groups</h2>") && html.contains("<td>subscribers</td><td>10</td>"), "{html}");
    assert!(markdown.contains("\n\n| group | clients | up |"), "{markdown}");
    assert!(html.contains("<p class=\"\">scenario omb-fanout-1-1k, with 1 % of its clients</p>"), "{html}");
    assert!(markdown.contains("\n* scenario omb-fanout-1-1k, with 1 % of its clients\n"), "{markdown}");
    let text = outcome.lines().join("\n");
    assert!(text.contains("scenario         omb-fanout-1-1k, with 1 % of its clients\n"), "{text}");
    assert!(text.contains("\ngroup            clients     up"), "{text}");
    assert!(text.contains("\nsubscribers           10     10"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

/// Files that a scenario names are checked before the first connection, and named with their line.
#[test]
fn missing_files_of_a_scenario_are_named_with_their_line() {
    for (text, place) in [
        (
            "count = 5\ncredentials = '/no/such.csv'\n[[group]]\nname = 'a'\nclients = 1\npublish = { rate = 1 }\n",
            "line 2: credentials",
        ),
        (
            "count = 5\n[[group]]\nname = 'a'\nclients = 1\npublish = { rate = 1, payload-file = '/no/such.csv' }\n",
            "line 5: payload-file",
        ),
    ] {
        let (_folder, path) = file(text);
        let words = format!("{path}, {place}: cannot read /no/such.csv: ");
        // Port 1 has no broker: a connection would fail first.
        let failed = report(&bench(1, &["scenario", "run", &path]).run().exits(1));
        assert!(failed["error"].as_str().unwrap().starts_with(&words), "{failed}");
    }
}

/// Thresholds in a file fail a run like those of options.
#[test]
fn thresholds_of_a_file_count() {
    let broker = Broker::start();
    let (_folder, path) = file(
        "count = 5\nfail-if = ['sent < 6', 'lost > 0']\n[[group]]\nname = 'a'\nclients = 1\n\
                                publish = { rate = 100 }\n",
    );
    let outcome = bench(broker.port(), &["scenario", "run", &path]).run().exits(3);
    let report = report(&outcome);
    assert_eq!(report["thresholds"][0]["broken"], true);
}
