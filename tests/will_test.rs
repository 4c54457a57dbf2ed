//! `mqtt will-test`: good servers pass, and each fault is found by the case for it.
//!
//! Bad servers are the embedded broker with a relay in between. The tolerance is long, so that a busy machine
//! is not mistaken for a slow server.

use std::collections::BTreeSet;
use std::time::Duration;

use ::mqtt::broker::{Access, Feature, Limits, Options};
use ::mqtt::protocol::property::{PropertyBlock, PropertyId, Value as PropertyValue};
use ::mqtt::protocol::reason::ReasonCode;
use ::mqtt::protocol::wire::{self, Packet, PacketType};
use ::mqtt::protocol::{Protocol, QoS};
use bytes::BytesMut;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::middle::{self, Fate, Mischief};
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::Mqtt;
use crate::support::proxy::{self, Fault};
use crate::support::server::Server;
use crate::support::{packets, report};

/// The tolerated delay of a will.
const TOLERANCE: Duration = Duration::from_secs(5);

fn will_test(port: u16, arguments: &[&str]) -> Mqtt {
    Mqtt::new(["will-test", "-h", "127.0.0.1", "-p", &port.to_string(), "--tolerance", "5s"]).args(arguments)
}

/// The cases of a report with this verdict.
fn cases<'a>(report: &'a Value, verdict: &str) -> BTreeSet<&'a str> {
    let cases = report["cases"].as_array().unwrap().iter();
    cases.filter(|case| case["verdict"] == verdict).map(|case| case["case"].as_str().unwrap()).collect()
}

/// Checks that a run with a bad server finds this, and no other faults.
#[track_caller]
fn finds(mischief: impl Mischief, expected: impl Fn(&str) -> bool, words: &str) {
    let broker = Broker::start();
    let port = middle::start(broker.port(), mischief);
    let outcome = will_test(port, &["--parallel", "--json", "-V", "5"]).run().exits(3);
    let report = report("will-test", &outcome.stdout);
    let all: BTreeSet<&str> =
        report["cases"].as_array().unwrap().iter().map(|case| case["case"].as_str().unwrap()).collect();
    let expected: BTreeSet<&str> = all.into_iter().filter(|case| expected(case)).collect();
    assert_eq!(cases(&report, "fail"), expected, "{report:#}");
    assert!(cases(&report, "inconclusive").is_empty(), "{report:#}");
    for case in report["cases"].as_array().unwrap().iter().filter(|case| case["verdict"] == "fail") {
        assert!(case["detail"].as_str().unwrap().contains(words), "{case:#}");
    }
}

/// Every case in which the will must be published.
fn must_come(case: &str) -> bool {
    !matches!(case, "disconnect" | "delay-reconnect")
}

#[test]
fn a_real_server_passes() {
    let Some(mosquitto) = Mosquitto::start(&Setup::new()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("wills.xml");
    let line = ["--version-matrix", "--parallel", "--json", "--junit", junit.to_str().unwrap()];
    let outcome = will_test(mosquitto.port(), &line).run().exits(0);
    let report = report("will-test", &outcome.stdout);
    assert_eq!(report["failed"], 0, "{report:#}");
    assert!(report["passed"].as_u64().unwrap() >= 40, "{report:#}");
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(xml.contains("failures=\"0\" errors=\"0\"") && xml.contains("name=\"take-over\""), "{xml}");
    // No retained will and no session is left.
    let left = mosquitto.subscribe().args(["-t", "mqtt-will-test/#", "--retained-only"]).run().exits(0);
    left.prints("");
}

#[test]
fn the_embedded_broker_passes_everything() {
    let broker = Broker::start();
    let outcome =
        will_test(broker.port(), &["--version-matrix", "--parallel", "--strict", "--json"]).run().exits(0);
    let report = report("will-test", &outcome.stdout);
    assert_eq!((&report["failed"], &report["skipped"]), (&0.into(), &0.into()), "{report:#}");
    broker.subscribe().args(["-t", "#", "--retained-only"]).run().exits(0).prints("");
}

#[test]
fn one_after_the_other_gives_the_same() {
    let broker = Broker::start();
    let line = ["--case", "reset", "--case", "disconnect", "-V", "311"];
    let outcome = will_test(broker.port(), &line).run().exits(0).mentions("2 passed, 0 failed");
    let lines = outcome.lines();
    assert!(lines[0].starts_with("pass          3.1.1  reset "), "{lines:?}");
    assert!(lines[1].contains("never") && lines[1].ends_with("[MQTT-3.1.2-10]"), "{lines:?}");
}

#[test]
fn a_list_needs_no_server() {
    let lines = Mqtt::new(["will-test", "--list", "-p", "1"]).run().succeeds().lines();
    assert!(lines.len() > 25 && lines.iter().any(|line| line.starts_with("delay-reconnect ")), "{lines:?}");
}

#[test]
fn missing_broker_is_an_error() {
    for version in ["auto", "311", "5"] {
        will_test(1, &["-V", version]).run().fails(1, "connection refused");
    }
    let mut access = Access::default();
    access.add_user("me", b"secret");
    let options = Options { access, ..Options::default() };
    let broker = Broker::with(options);
    will_test(broker.port(), &["-u", "you"]).run().fails(0x87, "Not authorized");
}

#[test]
fn a_version_that_is_not_spoken_is_skipped() {
    let options = Options { protocols: vec![Protocol::V3_1_1], ..Options::default() };
    let broker = Broker::with(options);
    let outcome = will_test(broker.port(), &["--version-matrix", "--case", "close"]).run().exits(0);
    let lines = outcome.lines();
    assert!(
        lines[0].starts_with("pass          3.1.1") && lines[1].starts_with("skipped       5"),
        "{lines:?}"
    );
}

/// Checking a case that does not exist is not a success: with no case to run it is a usage error, and one of
/// several cases is skipped with the reason.
#[test]
fn a_case_that_the_version_does_not_have_is_not_left_out_silently() {
    will_test(1, &["--case", "delay", "-V", "311"]).run().fails(2, "delay needs MQTT 5");
    let broker = Broker::start();
    let line = ["--case", "delay", "--case", "reset", "-V", "311"];
    let outcome = will_test(broker.port(), &line).run().exits(0).mentions("1 passed, 0 failed, 1 skipped");
    let lines = outcome.lines();
    assert!(
        lines[1].starts_with("skipped       3.1.1  delay ") && lines[1].ends_with(": needs MQTT 5"),
        "{lines:?}"
    );
    // Known only from the server.
    let options = Options { protocols: vec![Protocol::V3_1_1], ..Options::default() };
    let broker = Broker::with(options);
    let outcome = will_test(broker.port(), &["--case", "delay", "--json"]).run().exits(0);
    assert_eq!(cases(&report("will-test", &outcome.stdout), "skipped"), BTreeSet::from(["delay"]));
}

/// Drops DISCONNECT.
struct WillOnDisconnect;

impl Mischief for WillOnDisconnect {
    fn to_server(&self, packet: &[u8]) -> Fate {
        match wire::decode(Protocol::V5, packet) {
            Ok(Packet::Disconnect { reason: ReasonCode::SUCCESS, .. }) => Fate::Close,
            _ => Fate::Pass,
        }
    }
}

#[test]
fn a_will_on_a_clean_disconnect_is_found() {
    finds(WillOnDisconnect, |case| case == "disconnect", "the will came");
}

/// Drops all messages, except the one that shows that messages are forwarded.
struct NoWill;

impl Mischief for NoWill {
    fn to_client(&self, packet: &[u8]) -> Fate {
        let is_control = packet.windows(8).any(|bytes| bytes == b"/control");
        if packet[0] >> 4 == 3 && !is_control { Fate::Instead(Vec::new()) } else { Fate::Pass }
    }
}

#[test]
fn a_will_that_does_not_come_is_found() {
    finds(NoWill, must_come, "no will came");
}

/// Removes the delay of the will.
struct TooEarly;

impl Mischief for TooEarly {
    fn to_server(&self, packet: &[u8]) -> Fate {
        let Ok(Packet::Connect(mut connect)) = wire::decode(Protocol::V5, packet) else { return Fate::Pass };
        let Some(will) = &mut connect.will else { return Fate::Pass };
        let mut properties = PropertyBlock::default();
        for property in will.properties.iter().filter(|p| p.id != PropertyId::WillDelayInterval) {
            properties.push(property.id, property.value);
        }
        will.properties = properties.view();
        let mut out = BytesMut::new();
        wire::connect(&mut out, &connect);
        Fate::Instead(out.to_vec())
    }
}

#[test]
fn a_will_that_comes_too_early_is_found() {
    finds(TooEarly, |case| matches!(case, "delay" | "delay-session-end" | "delay-reconnect"), " after ");
}

/// Delays messages.
struct TooLate;

impl Mischief for TooLate {
    fn to_client(&self, packet: &[u8]) -> Fate {
        if packet[0] >> 4 == 3 {
            // This is the fault itself, not a wait.
            std::thread::sleep(TOLERANCE + Duration::from_secs(2));
        }
        Fate::Pass
    }
}

#[test]
fn a_will_that_comes_too_late_is_found() {
    // The standard does not define how soon a server must detect silence, so more is tolerated there.
    let expected = |case: &str| must_come(case) && !matches!(case, "keep-alive" | "black-hole");
    finds(TooLate, expected, "too late");
}

/// Repeats messages; drops the acknowledgement of the second.
struct Twice;

const SECOND: u16 = 0x8000;

impl Mischief for Twice {
    fn to_client(&self, packet: &[u8]) -> Fate {
        let Ok(Packet::Publish(publish)) = wire::decode(Protocol::V5, packet) else { return Fate::Pass };
        let mut out = BytesMut::from(packet);
        let again = wire::Publish { packet_identifier: publish.packet_identifier | SECOND, ..publish };
        wire::put_publish(&mut out, Protocol::V5, &again);
        Fate::Instead(out.to_vec())
    }

    fn to_server(&self, packet: &[u8]) -> Fate {
        match wire::decode(Protocol::V5, packet) {
            Ok(Packet::PubAck(ack) | Packet::PubRec(ack)) if ack.packet_identifier & SECOND != 0 => {
                Fate::Instead(Vec::new())
            }
            _ => Fate::Pass,
        }
    }
}

#[test]
fn a_will_that_comes_twice_is_found() {
    finds(Twice, must_come, "2 times");
}

/// Drops properties of messages.
struct Bare;

impl Mischief for Bare {
    fn to_client(&self, packet: &[u8]) -> Fate {
        let Ok(Packet::Publish(publish)) = wire::decode(Protocol::V5, packet) else { return Fate::Pass };
        let nothing = PropertyBlock::default();
        let mut out = BytesMut::new();
        wire::put_publish(&mut out, Protocol::V5, &wire::Publish { properties: nothing.view(), ..publish });
        Fate::Instead(out.to_vec())
    }
}

#[test]
fn dropped_properties_are_found() {
    let expected = |case: &str| {
        matches!(
            case,
            "message-expiry" | "message-expired" | "properties" | "response-topic" | "user-property-order"
        )
    };
    finds(Bare, expected, "dropped");
}

#[test]
fn cases_that_the_broker_does_not_support_are_skipped() {
    let limits = Limits {
        maximum_qos: QoS::AtMostOnce,
        unavailable: vec![Feature::Retain],
        server_keep_alive: Some(600),
        ..Limits::default()
    };
    let broker = Broker::with(Options { limits, ..Options::default() });
    let line = [
        "--json",
        "-V",
        "5",
        "--case",
        "qos-0",
        "--case",
        "qos-2",
        "--case",
        "retained",
        "--case",
        "keep-alive",
    ];
    let outcome = will_test(broker.port(), &line).run().exits(0);
    let report = report("will-test", &outcome.stdout);
    assert_eq!(cases(&report, "pass"), BTreeSet::from(["qos-0"]), "{report:#}");
    assert_eq!(cases(&report, "skipped"), BTreeSet::from(["keep-alive", "qos-2", "retained"]), "{report:#}");
}

#[test]
fn lost_watcher_makes_a_case_inconclusive() {
    let v5 = Protocol::V5;
    let server = Server::start(move |listener| {
        listener.accept_session(v5).expect_disconnect(v5);
        let mut watcher = listener.accept_session(v5);
        watcher.grant_subscription(v5);
        watcher.expect(v5, &packets::pingreq());
        watcher.send(&packets::pingresp());
        let mut publisher = listener.accept_session(v5);
        publisher.expect(v5, &packets::pingreq());
        publisher.send(&packets::pingresp());
        watcher.expect(v5, &packets::pingreq());
        watcher.send(&packets::pingresp());
        publisher.expect_end();
        watcher.reset();
    });
    let outcome = will_test(server.port(), &["--will-topic", "a", "-V", "5"]).run().exits(1);
    assert!(outcome.lines()[0].starts_with("inconclusive"), "{outcome:?}");
}

const RULES: &str = "\
user pump
topic write site/7/#
user operator
topic read site/#";

#[test]
fn own_will_shows_the_rights_of_its_user() {
    let Some(mosquitto) = Mosquitto::start(&Setup::new().access(RULES)) else { return };
    let own = |topic: &str, watch_as: &str| {
        let line = ["-u", "pump", "--will-topic", topic, "--will-payload", "lost", "--will-qos", "1"];
        will_test(mosquitto.port(), &line).args(["--tolerance", "1s", "--watch-as", watch_as]).run()
    };
    let outcome = own("site/7/state", "operator").exits(0);
    assert!(outcome.lines()[0].contains("own-will"), "{outcome:?}");
    let outcome = own("site/8/state", "operator").exits(3);
    let hint = "no will came within 1s; may user 'pump' publish to its topic, and user 'operator' read it?";
    assert!(outcome.lines()[0].contains(hint), "{outcome:?}");
    let outcome = own("$SYS/x", "operator").exits(3);
    assert!(
        outcome.lines()[0].ends_with("topics that begin with $ are the broker's own (4.7.2)"),
        "{outcome:?}"
    );
    // A watcher without rights cannot report that no will was published.
    let outcome = will_test(mosquitto.port(), &["-u", "pump", "--will-topic", "site/7/state", "-V", "5"])
        .run()
        .exits(if mosquitto_refuses_subscriptions(&mosquitto) { 1 } else { 3 });
    assert!(!outcome.lines()[0].starts_with("pass"), "{outcome:?}");
}

/// mosquitto 2.0 grants a subscription that will never deliver, unless it is configured otherwise.
fn mosquitto_refuses_subscriptions(mosquitto: &Mosquitto) -> bool {
    let outcome = mosquitto.subscribe().args(["-u", "pump", "-t", "site/7/state", "-E"]).run();
    !outcome.stderr.is_empty()
}

/// A retained will of the user must not delete the message that was retained before.
#[test]
fn what_was_retained_before_is_put_back() {
    let broker = Broker::start();
    broker.publish().args(["-t", "state", "-m", "before", "-q", "1", "-r"]).run().succeeds();
    let line = ["--will-topic", "state", "--will-payload", "lost", "--will-retain"];
    will_test(broker.port(), &line).run().exits(0);
    broker.subscribe().args(["-t", "state", "--retained-only"]).run().exits(0).prints("before\n");
    will_test(broker.port(), &["--will-topic", "new", "--will-payload", "lost", "--will-retain"])
        .run()
        .exits(0);
    broker.subscribe().args(["-t", "new", "--retained-only"]).run().exits(0).prints("");
}

#[test]
fn interrupted_it_ends_by_the_signal_and_leaves_nothing() {
    let broker = Broker::start();
    let running =
        will_test(broker.port(), &["--case", "close", "--case", "message-expired", "-V", "5"]).spawn();
    running.wait_for_lines(1);
    running.signal(Signal::INT);
    let outcome = running.wait_for_end().dies_of(Signal::INT);
    // The results so far are reported.
    outcome.mentions(
        "mqtt: interrupted: 1 of 2 cases run\nmqtt: 1 passed, 0 failed, 0 skipped, 0 inconclusive\n",
    );
    broker.subscribe().args(["-t", "mqtt-will-test/#", "--retained-only"]).run().exits(0).prints("");
}

/// A reader that has enough ends the run, and cases in progress are cleaned up all the same.
#[test]
fn a_closed_output_ends_it_and_leaves_nothing() {
    let broker = Broker::start();
    let cases = ["close", "message-expired", "retained", "delay-reconnect"].map(|case| ["--case", case]);
    let line = [cases.as_flattened(), &["--parallel", "-V", "5"]].concat();
    // Incomplete cases are not a success.
    let outcome = will_test(broker.port(), &line).close_stdout_after(1).run().exits(1);
    outcome.mentions("standard output was closed; not run to their end: ");
    broker.subscribe().args(["-t", "mqtt-will-test/#", "--retained-only"]).run().exits(0).prints("");
}

/// The user's will is cleaned up after an interruption too: the earlier retained message is restored.
#[test]
fn an_interrupted_own_will_is_put_back() {
    let broker = Broker::start();
    broker.publish().args(["-t", "state", "-m", "before", "-q", "1", "-r"]).run().succeeds();
    let own = ["--will-topic", "state", "--will-payload", "lost", "--will-retain", "-x", "60"];
    let line = [&own[..], &["-D", "will", "will-delay-interval", "60", "-d", "-V", "5"]].concat();
    let running = will_test(broker.port(), &line).spawn();
    running.wait_for_stderr("own-will/5/publisher closes the connection");
    running.signal(Signal::TERM);
    running.wait_for_end().dies_of(Signal::TERM);
    broker.subscribe().args(["-t", "state", "--retained-only"]).run().exits(0).prints("before\n");
}

#[test]
fn packets_are_shown_with_their_case() {
    let broker = Broker::start();
    let outcome = will_test(broker.port(), &["--case", "reset", "-V", "311", "-d"]).run().exits(0);
    for line in [
        "Client reset/3.1.1/watcher received SUBACK\n",
        "Client reset/3.1.1/publisher sending CONNECT (v3.1.1, ",
        "Client reset/3.1.1/publisher resets the connection (RST)\n",
        "Client reset/3.1.1/watcher received PUBLISH (d0, q1, r0, ",
        "Client reset/3.1.1/watcher sending PUBACK ",
    ] {
        assert!(outcome.stderr.contains(line), "{line:?} in {}", outcome.stderr);
    }
}

/// Publisher and watcher use the same broker.
#[test]
fn of_several_brokers_the_first_that_answers_is_tested() {
    let broker = Broker::start();
    let hosts = format!("127.0.0.1:1,127.0.0.1:{}", broker.port());
    let line = ["will-test", "-h", &hosts, "--case", "close", "--json"];
    let outcome = Mqtt::new(line).run().exits(0);
    assert_eq!(report("will-test", &outcome.stdout)["server"], format!("127.0.0.1:{}", broker.port()));
}

/// A report of an earlier run must not be mistaken for that of a failed run.
#[test]
fn run_that_cannot_be_made_has_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("wills.xml");
    std::fs::write(&junit, "an older and longer report ".repeat(200)).unwrap();
    let line = ["--case", "close", "--json", "--junit", junit.to_str().unwrap()];
    let run = will_test(1, &line).run().exits(1).mentions("connection refused");
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(xml.starts_with("<?xml") && xml.ends_with("</testsuite>\n"), "{xml}");
    assert!(xml.contains("tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\" time=\"0.000\""), "{xml}");
    assert!(xml.contains("<error message=\"") && xml.contains("connection refused"), "{xml}");
    let json = report("will-test", &run.stdout);
    assert!(json["error"].as_str().unwrap().contains("connection refused"), "{json:#}");
    let broker = Broker::start();
    let run = will_test(broker.port(), &line).run().exits(0);
    assert!(report("will-test", &run.stdout).get("error").is_none());
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(
        xml.starts_with("<?xml") && xml.ends_with("</testsuite>\n") && xml.contains("errors=\"0\""),
        "{xml}"
    );
}

/// Applies the will delay even after the session has ended.
struct LateSession;

impl Mischief for LateSession {
    fn to_server(&self, packet: &[u8]) -> Fate {
        let Ok(Packet::Connect(mut connect)) = wire::decode(Protocol::V5, packet) else { return Fate::Pass };
        if connect.will.is_none() {
            return Fate::Pass;
        }
        let mut properties = PropertyBlock::default();
        properties.push(PropertyId::SessionExpiryInterval, PropertyValue::Number(60));
        connect.properties = properties.view();
        let mut out = BytesMut::new();
        wire::connect(&mut out, &connect);
        Fate::Instead(out.to_vec())
    }
}

/// mosquitto 2.0 does this. The user, who set the delay, is told why it should not apply.
#[test]
fn an_own_will_that_is_delayed_beyond_its_session() {
    let broker = Broker::start();
    let port = middle::start(broker.port(), LateSession).to_string();
    let own = ["--will-topic", "a", "-D", "will", "will-delay-interval", "4", "--tolerance", "2s"];
    let line = [&["will-test", "-h", "127.0.0.1", "-p", &port][..], &own].concat();
    let outcome = Mqtt::new(line).run().exits(3);
    let lines = outcome.lines();
    assert!(lines[0].contains("too late") && lines[0].contains("see -x"), "{lines:?}");
}

/// `--strict` adds exactly the faults of mosquitto 2.0. Sessions and messages that such a server would keep
/// longer are removed as well.
#[test]
fn a_real_server_that_departs_from_the_standard() {
    let Some(mosquitto) = Mosquitto::start(&Setup::new()) else { return };
    let line = ["--version-matrix", "--parallel", "--strict", "--json"];
    let outcome = will_test(mosquitto.port(), &line).run();
    let report = report("will-test", &outcome.stdout);
    let known = BTreeSet::from(["delay-clean-start", "delay-no-session", "second-connect"]);
    assert!(cases(&report, "fail").is_subset(&known), "{report:#}");
    assert!(cases(&report, "inconclusive").is_empty(), "{report:#}");
    // Counted every second, including sessions without a connection: the only one left is this reader.
    let line = ["-t", "$SYS/broker/clients/total", "-t", "$SYS/broker/retained messages/count", "-v"];
    let reader = mosquitto.subscribe().args(line).spawn();
    reader.wait_for_stdout("$SYS/broker/clients/total 1\n");
}

/// If the user may not publish or read below the prefix, the server's wills are not blamed.
#[test]
fn no_will_is_tested_if_messages_do_not_arrive() {
    let Some(mosquitto) = Mosquitto::start(&Setup::new().queue(1000).access(RULES)) else { return };
    let outcome = will_test(mosquitto.port(), &["-u", "pump", "-V", "5"]).run();
    outcome.fails(0x87, "message to 'mqtt-will-test/").mentions("--prefix");
    let outcome = will_test(mosquitto.port(), &["-u", "pump", "-V", "311", "--prefix", "site/7"]).run();
    outcome.fails(1, "does not reach the watching client").mentions("--watch-as");
    let line = ["-u", "pump", "--prefix", "site/7", "--watch-as", "operator", "--case", "close"];
    will_test(mosquitto.port(), &line).run().exits(0);
}

/// The refused user of the two is named, by the control case and by the user's own will.
#[test]
fn refusal_of_the_watcher_names_its_user() {
    let mut access = Access::default();
    access.add_user("pump", b"secret");
    let broker = Broker::with(Options { access, ..Options::default() });
    let line = [
        "-u",
        "pump",
        "-P",
        "secret",
        "--watch-as",
        "operator",
        "--watch-password",
        "wrong",
        "--case",
        "close",
    ];
    let outcome = will_test(broker.port(), &line).run();
    let outcome = outcome.fails(135, "user 'operator': connection refused: Not authorized");
    outcome
        .mentions("hint: the user name (--watch-as) or the password (--watch-password) is wrong or missing");
    let line = [&line[..8], &["--will-topic", "a", "--will-payload", "x"]].concat();
    let outcome = will_test(broker.port(), &line).run().exits(1);
    let line = outcome.lines().remove(0);
    assert!(line.contains("the watcher (user 'operator'): connection refused"), "{line}");
    assert!(line.contains("--watch-password"), "{line}");
}

/// Drops these packets of the client.
struct Deaf(PacketType);

impl Mischief for Deaf {
    fn to_server(&self, packet: &[u8]) -> Fate {
        if packet[0] >> 4 == self.0 as u8 { Fate::Instead(Vec::new()) } else { Fate::Pass }
    }
}

/// A missing answer is reported as such, and not as a possible effect of access rules.
#[test]
fn broker_that_is_silent_after_connack_is_reported() {
    let broker = Broker::start();
    let deaf = |packet, line: &[&str]| {
        will_test(middle::start(broker.port(), Deaf(packet)), line).args(["-V", "5"]).spawn()
    };
    // The user's own will has no message before it. All at once, because each waits for ten seconds.
    let own = deaf(PacketType::Subscribe, &["--will-topic", "a"]);
    let others = [(PacketType::Subscribe, "SUBSCRIBE"), (PacketType::Publish, "PUBLISH")]
        .map(|(packet, name)| (deaf(packet, &["--case", "close"]), name));
    for (running, name) in others {
        let words = format!("the broker did not answer {name} within 10s");
        running.wait_for_end().fails(1, &words).mentions("hint: it did answer CONNECT");
    }
    let outcome = own.wait_for_end().exits(1);
    assert!(
        outcome.lines()[0].ends_with("the watcher got no answer to SUBSCRIBE from the broker"),
        "{outcome:?}"
    );
}

/// A large will takes time on a slow connection, which is not the server's fault, over any transport.
#[test]
fn a_slow_link_makes_no_will_late() {
    // 4096 bytes each time: 20 kB/s in both directions.
    let slow = || std::iter::repeat_n(Fault::Delay(Duration::from_millis(200)), 20);
    for (scheme, setup) in [("mqtt", Setup::new()), ("ws", Setup::new().web_sockets())] {
        let Some(broker) = Mosquitto::start(&setup) else { return };
        let url = format!("{scheme}://127.0.0.1:{}", proxy::start(broker.port(), slow()));
        let line = ["will-test", "--json", "--case", "large", "-V", "5", "-L", &url];
        let outcome = Mqtt::new(line).run().exits(0);
        let report = report("will-test", &outcome.stdout);
        assert_eq!(cases(&report, "pass"), BTreeSet::from(["large"]), "{report:#}");
    }
}
