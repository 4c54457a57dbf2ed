//! Scenarios of `mqtt bench`: files, and options written as files.

use proptest::prelude::*;

use super::{good, words};
use crate::cli::scenario::BUILT_IN;
use crate::command::bench::config::{Load, Mode, Rate, StopAfter};
use crate::command::bench::group::{ClientGroup, MessageSource};
use crate::command::bench::stage::RateStage;
use crate::command::bench::{BenchTask, Config};

fn task(line: &[&str]) -> BenchTask {
    let config: Config = super::config(good(&[&["bench"], line].concat()));
    config.task
}

fn load(line: &[&str]) -> Load {
    match task(line) {
        BenchTask::Load(load) => *load,
        other => panic!("{other:?}"),
    }
}

fn text(line: &[&str]) -> String {
    match task(line) {
        BenchTask::Print(text) => text,
        other => panic!("{other:?}"),
    }
}

/// A file with this text.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn run(text: &str) -> Load {
    let (_folder, path) = file(text);
    load(&["scenario", "run", &path])
}

fn wrong(text: &str) -> String {
    let (_folder, path) = file(text);
    super::run(&words(&["bench", "scenario", "run", &path]), &[]).expect_err(text).to_string()
}

/// All properties of a load except its name.
fn shape(load: &Load) -> impl PartialEq + std::fmt::Debug + use<> {
    let client = &load.client;
    (
        load.groups(),
        (load.mode, load.clients(), load.stop, load.warmup, load.drain, load.ramp, load.seed),
        (load.qos, load.mode.publishes().then_some(load.rate), load.local_addresses.clone()),
        (client.version, client.keep_alive, client.max_inflight, client.session_expiry_interval),
    )
}

fn options() -> impl Strategy<Value = Vec<String>> {
    let one = |name: &'static str, values: &'static [&'static str]| {
        let value = prop::sample::select(values);
        prop::option::of(value).prop_map(move |value| {
            value.map_or_else(Vec::new, |value| vec![name.to_owned(), value.to_owned()])
        })
    };
    let common = (
        one("--ramp", &["5", "2.5k/s"]),
        one("--seed", &["7"]),
        one("-V", &["311", "5"]),
        one("-k", &["0", "1h"]),
        one("-M", &["3"]),
        one("--local-addr", &["127.0.0.1", "127.0.0.2,127.0.0.3"]),
        one("--fail-if", &["connect p99 > 20ms"]),
    );
    let sending = (
        one("--rate", &["17", "0.3", "12.5k/s", "max"]),
        one("--qos", &["0", "1", "2"]),
        one("--publishers", &["1", "33"]),
        one("--topics", &["4"]),
        one("--topic", &["a/{client}/{topic}/b"]),
        prop_oneof![
            one("--size", &["16", "4Ki"]),
            one("--payload", &["a \"b\" {sequence}\n\u{7f}"]),
            one("--payload-lines", &["a/b"]),
            Just(vec!["--template".into(), "--payload".into(), "{seq} {{}}".into()])
        ],
        one("--drain", &["0", "1.25s"]),
        prop_oneof![one("--duration", &["2m", "0.25"]), one("--count", &["12"])],
        one("--warmup", &["1500ms"]),
    );
    let flat = |parts: Vec<Vec<String>>| parts.concat();
    let common = common.prop_map(move |(a, b, c, d, e, f, g)| flat(vec![a, b, c, d, e, f, g]));
    let sending = sending.prop_map(move |(a, b, c, d, e, f, g, h, i)| flat(vec![a, b, c, d, e, f, g, h, i]));
    let subscribers = one("--subscribers", &["1", "40"]);
    let pattern =
        prop_oneof![one("--pattern", &["pairs", "all"]), Just(vec!["--pattern".into(), "all".into()])];
    let mode = |name: &str, rest: Vec<String>| [vec![name.to_owned()], rest].concat();
    prop_oneof![
        common.clone().prop_map(move |common| mode("conn", common)),
        (common.clone(), sending.clone()).prop_map(move |(a, b)| mode("pub", [a, b].concat())),
        (common.clone(), subscribers.clone()).prop_map(move |(a, b)| mode("sub", [a, b].concat())),
        (common.clone(), sending.clone(), subscribers.clone(), pattern)
            .prop_map(move |(a, b, c, d)| mode("e2e", [a, b, c, d].concat())),
        (common, sending, subscribers).prop_map(move |(a, b, c)| mode("rr", [a, b, c].concat())),
    ]
}

proptest! {
    /// A file written from options gives the same load.
    #[test]
    fn options_and_their_file_are_the_same_load(options in options()) {
        let line: Vec<&str> = options.iter().map(String::as_str).collect();
        let asked = load(&line);
        let written = text(&[&line[..], &["--show-scenario"]].concat());
        prop_assert_eq!(shape(&run(&written)), shape(&asked), "{}", written);
    }
}

#[test]
fn shared_groups_need_mqtt_5_in_a_file_too() {
    let line = ["e2e", "--shared-groups", "2", "--subscribers", "4"];
    let written = text(&[&line[..], &["--show-scenario"]].concat());
    assert_eq!(shape(&run(&written)), shape(&load(&line)), "{written}");
}

/// Each built-in scenario can be read, and `show` writes an equivalent file.
#[test]
fn scenarios_that_are_built_in_are_as_published() {
    let find = |name: &str| load(&["scenario", "run", name]);
    for built_in in BUILT_IN {
        let name = built_in.name;
        assert_eq!(shape(&run(&text(&["scenario", "show", name]))), shape(&find(name)), "{name}");
        let load = find(name);
        let length = minutes(if name == "offline-queue" { 1 } else { 30 });
        assert_eq!((load.client.keep_alive, load.stop), (300, StopAfter::After(length)), "{name}");
        let about = text(&["scenario", "list"]);
        assert!(about.lines().all(|line| line.chars().count() <= 80), "{about}");
        assert!(about.contains(name), "{about}");
    }
    let conn = find("omb-conn-1m");
    assert_eq!((conn.mode, conn.clients(), conn.ramp), (Mode::Connect, 1_000_000, Some(5_000.0)));
    let fan = find("omb-fanout-5-1k-250k");
    assert_eq!((fan.mode, fan.publishers, fan.subscribers), (Mode::EndToEnd, 5, 1_000));
    assert_eq!(fan.rate, Rate::PerSecond(250.0));
    let shared = find("omb-sharedsub-50k-500");
    assert_eq!((shared.publishers, shared.subscribers, shared.shared_groups), (50_000, 500, 1));
}

fn minutes(number: u64) -> std::time::Duration {
    std::time::Duration::from_secs(number * 60)
}

#[test]
fn a_smaller_scenario_has_clients_that_do_the_same() {
    let load = load(&["scenario", "run", "omb-fanout-5-1k-250k", "--scale", "1%", "--duration", "3s"]);
    assert_eq!((load.publishers, load.subscribers, load.rate), (1, 10, Rate::PerSecond(50.0)));
    assert_eq!(load.stop, StopAfter::After(std::time::Duration::from_secs(3)));
    assert!((load.scenario.unwrap().scale - 0.01).abs() < 1e-9);
}

const FLEET: &str = r#"
version = "5"
duration = "2s"
[[group]]
name = "devices"
clients = 20
clean-start = false
session-expiry = "1h"
will = { topic = "devices/{client}/gone", payload = "gone", qos = 1, retain = true }
publish = { rate-per-client = "1/s", qos = 1, topic = "devices/{client}/value" }
[[group.subscribe]]
from = "service"
pattern = "pairs"
qos = 1
[[group.subscribe]]
filter = "config/{client}/{filter}"
filters = 50
[[group]]
name = "service"
clients = 2
publish = { rate = "40/s", topics = 10, topic = "commands/{topic}" }
[[group.subscribe]]
from = "devices"
pattern = "all"
filter = "devices/+/value"
[[group]]
name = "idle"
clients = 500
ramp = "100/s"
keep-alive = "20m"
"#;

#[test]
fn a_fleet_is_described() {
    let load = run(FLEET);
    assert_eq!((load.mode, load.clients()), (Mode::EndToEnd, 522));
    let groups = load.groups();
    let [devices, service, idle]: &[ClientGroup; 3] = groups.as_slice().try_into().unwrap();
    assert_eq!(devices.connection.clean_start, Some(false));
    assert_eq!(devices.connection.session_expiry_interval, Some(3600));
    assert_eq!(devices.connection.will.as_ref().unwrap().payload, b"gone");
    assert_eq!(devices.publish.as_ref().unwrap().rate, Rate::PerSecond(20.0));
    assert!(matches!(devices.subscribe[0].source, MessageSource::Group { group: 1, .. }));
    assert!(matches!(devices.subscribe[1].source, MessageSource::Filter { filters: 50, .. }));
    assert_eq!(service.client_id, "service-{client}");
    assert_eq!((idle.ramp, idle.connection.keep_alive), (Some(100.0), Some(1200)));
    let (_folder, path) = file(FLEET);
    assert_eq!(shape(&run(&text(&["scenario", "show", &path]))), shape(&load));
}

/// Values of clients are a key of the group, which topics, payloads and filters use.
#[test]
fn values_of_clients_are_of_the_group() {
    let fleet = r#"
[[group]]
name = "devices"
clients = 3
client-values = "devices.csv"
will = { topic = "gone/{csv:room}" }
publish = { rate = "3/s", payload = "{csv:serial}", template = true, topic = "t/{client}/{csv:room}/{rand:1..9}" }
[[group.subscribe]]
filter = "config/{csv:serial}"
[[group]]
name = "service"
clients = 1
[[group.subscribe]]
from = "devices"
filter = "t/{client}/{csv:room}/+"
"#;
    let load = run(fleet);
    let groups = load.groups();
    assert_eq!(groups[0].client_values.as_deref(), Some(std::path::Path::new("devices.csv")));
    let (_folder, path) = file(fleet);
    assert_eq!(shape(&run(&text(&["scenario", "show", &path]))), shape(&load));
    let line = ["e2e", "--topic", "a/{client}/{csv:b}", "--client-values", "x.csv", "--show-scenario"];
    assert!(text(&line).contains("client-values = \"x.csv\"\n"), "{}", text(&line));
}

const COURSE: &str = r#"
fail-if = ["loss > 1%"]
abort-on-fail = "5s"
reconnect = "always"
disturb = ["1s: drop 20%", "1500ms: flap 5% for 90s"]
[[stage]]
load = "ramp to 1k/s in 60s"
[[stage]]
load = "spike 5k/s 5s"
fail-if = ["p99 > 50ms"]
[[group]]
name = "senders"
clients = 20
publish = { rate = "300/s", topic-alias = true }
[[group]]
name = "receivers"
clients = 10
read-rate = "5/s"
starts-after = "senders"
[[group.subscribe]]
from = "senders"
"#;

/// Stages, limits and disturbances of a file, and the file written from them.
#[test]
fn the_course_of_a_scenario_is_described() {
    let (_folder, path) = file(COURSE);
    let (_other_folder, written) = file(&text(&["scenario", "show", &path]));
    for path in [path, written] {
        let BenchTask::Load(load) = task(&["scenario", "run", &path]) else { panic!("a load") };
        let second = std::time::Duration::from_secs(1);
        let stages = [
            RateStage::Ramp { from: None, to: 1000.0, length: 60 * second },
            RateStage::Spike { rate: 5000.0, length: 5 * second },
        ];
        assert_eq!(load.stages, stages);
        assert_eq!((load.stop, load.abort_after), (StopAfter::After(65 * second), Some(5 * second)));
        assert!(load.reconnects());
        let disturbances: Vec<String> = load.disturbances.all.iter().map(ToString::to_string).collect();
        assert_eq!(disturbances, ["1s: drop 20%", "1.5s: flap 5% for 1m 30s"]);
        let groups = load.groups();
        assert!(groups[0].publish.as_ref().unwrap().alias);
        assert_eq!((groups[1].starts_after, groups[1].read_rate), (Some(0), Some(5.0)));
        assert_eq!(load.client.version, crate::client::options::Version::Only(crate::protocol::Protocol::V5));
        let config: Config = super::config(good(&["bench", "scenario", "run", &path]));
        assert_eq!((config.results.limits.whole.len(), config.results.limits.stages.len()), (1, 2));
        assert_eq!(config.results.limits.stages[1][0].text(), "p99 > 50ms");
        let half = self::load(&["scenario", "run", &path, "--scale", "50%"]);
        assert_eq!(half.stages[1], RateStage::Spike { rate: 2500.0, length: 5 * second });
    }
}

#[test]
fn stages_of_options_are_stages_of_a_file() {
    let line = ["e2e", "--stages", "hold 2s, ramp from 10 to 20 in 1500ms", "--rate", "50"];
    let (_folder, path) = file(&text(&[&line[..], &["--show-scenario"]].concat()));
    assert_eq!(load(&["scenario", "run", &path]).stages, load(&line).stages);
    super::all_wrong(&[
        (&["bench", "--stages", "hold 2s", "--rate", "max"], "stages need a schedule"),
        (&["bench", "--stages", "hold 2s", "--count", "5"], "--count"),
        (&["bench", "--stages", "ramp to 5 in 3s", "--warmup", "1s"], "--warmup has the rate"),
        (&["bench", "--abort-on-fail", "1s"], "--abort-on-fail needs --fail-if"),
        (
            &["bench", "find-limit", "--stages", "hold 2s", "--slo", "loss = 0"],
            "--stages is not supported by find-limit",
        ),
    ]);
}

/// Typed options override the file.
#[test]
fn typed_options_override_a_file() {
    let (_folder, path) = file(FLEET);
    let load = load(&["scenario", "run", &path, "-V", "311", "-k", "7", "--ramp", "9"]);
    assert_eq!((load.client.keep_alive, load.ramp), (7, Some(9.0)));
    assert_eq!(load.client.version, crate::client::options::Version::Only(crate::protocol::Protocol::V3_1_1));
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn what_is_wrong_with_a_file_is_said_with_its_line() {
    let with = |from: &str, to: &str| {
        assert!(FLEET.contains(from), "{from}");
        wrong(&FLEET.replacen(from, to, 1))
    };
    for (from, to, says) in [
        ("clients = 20\n", "cleints = 20\n", "line 4: clients is missing; 'cleints' may be meant for it"),
        ("keep-alive = \"20m\"", "keepalive = 5", "line 30: unknown key 'keepalive'"),
        (
            "qos = 1\n[[group.subscribe]]",
            "qos = 3\n[[group.subscribe]]",
            "line 14: qos: it must be 0, 1 or 2",
        ),
        ("from = \"service\"", "from = \"servise\"", "line 12: from: unknown group 'servise'"),
        ("name = \"idle\"", "name = \"service\"", "there are two groups 'service'"),
        ("from = \"service\"", "from = \"idle\"", "group 'idle' publishes nothing"),
        ("filter = \"devices/+/value\"", "filter = \"device/+/value\"", "does not match the topic"),
        ("config/{client}/{filter}", "devices/#{filter}", "line 16: filter"),
        ("config/{client}/{filter}", "devices/{client}/{filter}", ""),
        (
            "publish = { rate-per-client",
            "publish = { template = true, payload = \"{csv:room}\", rate-per-client",
            "line 10: payload: {csv:NAME} needs client-values",
        ),
        (
            "topic = \"devices/{client}/value\"",
            "topic = \"devices/{client}/{csv:room}\"",
            "line 10: topic: {csv:NAME} needs client-values",
        ),
        (
            "topic = \"devices/{client}/value\"",
            "topic = \"devices/{client}/x{rand:1..2}\"",
            "line 10: topic: 'x{rand:1..2}': a level of the topic is",
        ),
        (
            "devices/{client}/gone",
            "devices/{client}/{rand:1..2}",
            "line 9: topic: a level of a will's topic is plain text, {client} or {csv:NAME}",
        ),
        ("config/{client}/{filter}", "config/{rand:1..2}/{filter}", "line 16: filter: a filter has {client}"),
        (
            "config/{client}/{filter}",
            "config/{csv:room}/{filter}",
            "group 'devices': the filter 'config/{csv:room}/{filter}' needs client-values in group 'devices'",
        ),
        (
            "filter = \"config/{client}/{filter}\"",
            "filter = \"commands/{filter}\"",
            "which is not in its from",
        ),
        ("clients = 2\n", "clients = 2\ntopic-alias = true\n", "unknown key 'topic-alias'"),
        (
            "clients = 2\n",
            "clients = 2\nstarts-after = \"service\"\n",
            "group 'service' would start after itself",
        ),
        ("duration = \"2s\"", "abort-on-fail = \"1s\"", "line 3: abort-on-fail: it needs fail-if"),
        (
            "duration = \"2s\"",
            "[[stage]]\nload = \"hold 2s\"\nfail-if = \"cpu > 5%\"",
            "line 5: fail-if: 'cpu > 5%': a stage has figures of messages",
        ),
        ("duration = \"2s\"", "[[stage]]\nload = \"jump\"", "line 4: load: 'jump': use ramp to RATE in TIME"),
        (
            "[[group]]",
            "[[stage]]\nload = \"hold 2s\"\n[[group]]",
            "line 4: stage: the stages say how long the run is",
        ),
        (
            "duration = \"2s\"",
            "disturb = \"1s: drop 20%\"",
            "line 3: disturb: 'drop 20%' needs clients that reconnect",
        ),
        ("duration = \"2s\"", "duration = \"2s\"\ncount = 5", "line 4: count: there is a duration already"),
        ("rate = \"40/s\"", "rate = \"fast\"", "rate: use a number a second"),
        ("[[group]]\nname = \"idle\"", "[[group]\nname = \"idle\"", "line 26"),
        ("clients = 2\n", "clients = 2\nrespond = \"devices\"\n", "respond is for the second of two groups"),
        (
            "duration = \"2s\"",
            "reconnect = \"always\"\ndisturb = \"1s: drop 20% of devises\"",
            "line 4: disturb: unknown group 'devises'; did you mean 'devices'?",
        ),
        (
            "filter = \"devices/+/value\"",
            "filter = \"device/+/value\"",
            "line 25: filter: group 'service': the filter 'device/+/value' does not match",
        ),
        ("from = \"service\"", "from = \"idle\"", "line 12: from: group 'idle' publishes nothing"),
        (
            "clients = 2\n",
            "clients = 2\nstarts-after = \"service\"\n",
            "line 21: starts-after: group 'service' would start after itself",
        ),
        (
            "publish = { rate-per-client",
            "publish = { template = true, payload = \"{nope}\", rate-per-client",
            "line 10: payload: unknown field {nope}; there are {seq}, {now}, {now:FORMAT}, {unix}, {unix_ms}, {uuid}, \
             {rand:0..100}, {rand:18.0..24.0:1}, {hex:16}, {client}, {csv:NAME} and {stamp}",
        ),
        (
            "version = \"5\"\nduration = \"2s\"",
            "version = \"3.1.1\"\nduration = \"2s\"\n[[group]]\nname = \"a\"\nclients = 1\npublish = { rate = 1, topic-alias = true }",
            "line 7: topic-alias: it needs MQTT 5, and the version of the file is 3.1.1",
        ),
        (
            "version = \"5\"\nduration = \"2s\"",
            "version = \"3.1\"\nduration = \"2s\"\n[[group]]\nname = \"a\"\nclients = 1\n[[group.subscribe]]\nfilter = \"x\"\nshared-groups = 1",
            "line 9: shared-groups: it needs MQTT 5, and the version of the file is 3.1",
        ),
    ] {
        if says.is_empty() {
            let (_folder, path) = file(&FLEET.replacen(from, to, 1));
            load(&["scenario", "run", &path]);
            continue;
        }
        let said = with(from, to);
        assert!(said.contains(says), "{to}: {said}");
    }
    let shared = FLEET.replacen("from = \"service\"", "from = \"service\"\nshared-groups = 1", 1);
    assert!(wrong(&shared).contains("cannot share its subscriptions"));
    let many = "duration = 1\n".to_owned()
        + &"[[group]]\nname = \"a\"\nclients = 4294967295\n".repeat(2).replacen("\"a\"", "\"b\"", 1);
    let why = wrong(&many);
    assert!(why.contains("line 4: clients: a load has fewer than 16777216 clients"), "{why}");
    let pairs = FLEET.replacen("pattern = \"all\"", "pattern = \"pairs\"", 1);
    assert!(wrong(&pairs).contains("does not match the topic"), "{}", wrong(&pairs));
}

/// Published parameters: clients that publish and subscribe, connections and messages per second, messages per second of a
/// publisher, version.
#[test]
fn scenarios_of_the_suite_have_its_parameters() {
    use crate::client::options::Version::Only;
    use crate::command::bench::config::{Pattern, Payload};
    use crate::protocol::{Protocol, QoS};
    for (name, publishers, subscribers, ramp, each, pattern, shared) in [
        ("omb-conn-10k", 10_000, 0, Some(100.0), None, None, 0),
        ("omb-conn-1m", 1_000_000, 0, Some(5_000.0), None, None, 0),
        ("omb-fanout-1-1k", 1, 1_000, None, Some(1.0), Some(Pattern::All), 0),
        ("omb-fanout-5-1k-250k", 5, 1_000, None, Some(50.0), Some(Pattern::All), 0),
        ("omb-p2p-1k", 1_000, 1_000, None, Some(1.0), Some(Pattern::Pairs), 0),
        ("omb-p2p-50k", 50_000, 50_000, None, Some(1.0), Some(Pattern::Pairs), 0),
        ("omb-sharedsub-1k-5", 1_000, 5, None, Some(1.0), Some(Pattern::All), 1),
        ("omb-sharedsub-50k-500", 50_000, 500, None, Some(1.0), Some(Pattern::All), 1),
    ] {
        let load = load(&["scenario", "run", name]);
        assert_eq!((load.publishers, load.subscribers, load.ramp), (publishers, subscribers, ramp), "{name}");
        assert_eq!((load.client.keep_alive, load.stop), (300, StopAfter::After(minutes(30))), "{name}");
        let version = if shared > 0 { Protocol::V5 } else { Protocol::V3_1_1 };
        assert_eq!(load.client.version, Only(version), "{name}");
        assert!(load.client.session_expiry_interval.unwrap_or(0) == 0, "{name}");
        let groups = load.groups();
        assert!(groups.iter().all(|group| group.connection.clean_start.unwrap_or(true)), "{name}");
        let Some(each) = each else {
            assert!(
                groups.iter().all(|group| group.publish.is_none() && group.subscribe.is_empty()),
                "{name}"
            );
            continue;
        };
        let [senders, receivers] = &groups[..] else { panic!("{name}: {groups:?}") };
        let publish = senders.publish.as_ref().unwrap();
        assert_eq!(publish.rate, Rate::PerSecond(each * f64::from(publishers)), "{name}");
        assert_eq!((publish.qos, &publish.payload), (QoS::AtLeastOnce, &Payload::Size(16)), "{name}");
        assert_eq!((publish.topic.as_str(), publish.topics), ("test/{client}", 1), "{name}");
        let [subscription] = &receivers.subscribe[..] else { panic!("{name}: {receivers:?}") };
        assert_eq!((subscription.qos, subscription.shared_groups), (QoS::AtLeastOnce, shared), "{name}");
        let filter = (shared > 0).then(|| "test/#".to_owned());
        let source = MessageSource::Group { group: 0, pattern: pattern.unwrap(), filter };
        assert_eq!(subscription.source, source, "{name}");
        if shared > 0 {
            assert_eq!(subscription.share_name, "benchmark", "{name}");
        }
    }
}

/// The counts that vendors of brokers published: clients that publish and subscribe, messages per second of a publisher.
#[test]
fn scenarios_of_vendors_have_their_counts() {
    use crate::command::bench::config::{Pattern, Payload};
    use crate::protocol::QoS;
    for (name, publishers, subscribers, each, pattern, filter, is_persistent) in [
        ("fanin-2k-100", 2_000, 100, 1.0, Pattern::Pairs, None, false),
        ("fanout-10-2k", 10, 2_000, 1.0, Pattern::All, None, false),
        ("p2p-200k-persistent", 200_000, 200_000, 1.0, Pattern::Pairs, None, true),
        ("wildcard-100-3k", 100, 3_000, 10.0, Pattern::All, Some("wildcard/+/value"), false),
    ] {
        let load = load(&["scenario", "run", name]);
        assert_eq!((load.publishers, load.subscribers), (publishers, subscribers), "{name}");
        assert_eq!((load.client.keep_alive, load.stop), (300, StopAfter::After(minutes(30))), "{name}");
        let groups = load.groups();
        for group in &groups {
            assert_eq!(group.connection.clean_start == Some(false), is_persistent, "{name}");
            let expiry = group.connection.session_expiry_interval.or(load.client.session_expiry_interval);
            assert_eq!(expiry.unwrap_or(0) > 0, is_persistent, "{name}");
        }
        let [senders, receivers] = &groups[..] else { panic!("{name}: {groups:?}") };
        let publish = senders.publish.as_ref().unwrap();
        assert_eq!(publish.rate, Rate::PerSecond(each * f64::from(publishers)), "{name}");
        assert_eq!((publish.qos, &publish.payload), (QoS::AtLeastOnce, &Payload::Size(16)), "{name}");
        let [subscription] = &receivers.subscribe[..] else { panic!("{name}: {receivers:?}") };
        assert_eq!((subscription.qos, subscription.shared_groups), (QoS::AtLeastOnce, 0), "{name}");
        let source = MessageSource::Group { group: 0, pattern, filter: filter.map(str::to_owned) };
        assert_eq!(subscription.source, source, "{name}");
    }
}

/// A version that is typed must have what the scenario uses.
#[test]
fn shared_subscriptions_of_a_scenario_need_mqtt_5() {
    super::all_wrong(&[
        (
            &["bench", "scenario", "run", "omb-sharedsub-1k-5", "-V", "311"],
            "shared-groups of the scenario 'omb-sharedsub-1k-5' needs MQTT 5",
        ),
        (
            &["bench", "find-limit", "--slo", "loss = 0", "--show-scenario"],
            "--show-scenario is not supported by find-limit",
        ),
    ]);
}

#[test]
fn an_unknown_scenario_is_refused() {
    super::all_wrong(&[
        (&["bench", "scenario"], "ACTION"),
        (&["bench", "scenario", "run"], "need a NAME or a FILE"),
        (&["bench", "scenario", "list", "a"], "list does not take a NAME"),
        (&["bench", "scenario", "run", "omb-p2p"], "unknown scenario 'omb-p2p'"),
        (&["bench", "scenario", "run", "omb-p2p-1k", "--scale", "0"], "0.1 to 100"),
        (&["bench", "--size", "1,2", "--show-scenario"], "--show-scenario is for one load"),
    ]);
}
