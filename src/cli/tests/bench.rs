//! `mqtt bench`.

use std::time::Duration;

use super::{all_wrong, good, stage_one, words};
use crate::command::bench::config::{Arrivals, Load, Mode, Pattern, Payload, Rate, StopAfter};
use crate::command::bench::{Axis, BenchTask, Config, FindLimit};
use crate::protocol::QoS;

fn bench(line: &[&str]) -> Config {
    super::config(good(&[&["bench"], line].concat()))
}

fn search(line: &[&str]) -> FindLimit {
    match bench(&[&["find-limit"], line].concat()).task {
        BenchTask::FindLimit(search) => *search,
        other => panic!("{other:?}"),
    }
}

#[test]
fn search_begins_at_the_load_without_limits_of_its_own() {
    let values = |line: &[&str]| {
        let search = search(&[line, &["--slo", "p99 < 5ms"]].concat());
        (search.load.mode, search.axis, search.bounds.from, search.bounds.to)
    };
    assert_eq!(values(&[]), (Mode::EndToEnd, Axis::Rate, 1000.0, 2e7));
    assert_eq!(values(&["rr", "--rate", "50"]), (Mode::Request, Axis::Rate, 50.0, 2e7));
    assert_eq!(values(&["conn", "--to", "500"]), (Mode::Connect, Axis::Clients, 100.0, 500.0));
    assert_eq!(values(&["conn", "--over", "rate"]), (Mode::Connect, Axis::Rate, 100.0, 7_989_150.0));
    let size = ["pub", "--qos", "1", "--over", "size", "--from", "1k", "--to", "1Mi"];
    assert_eq!(values(&size), (Mode::Publish, Axis::Size, 1000.0, 1_048_576.0));
    let load = search(&["--slo", "p99 < 5ms"]).load;
    assert_eq!((load.stop, load.warmup), (StopAfter::After(Duration::from_secs(5)), Duration::from_secs(1)));
    let load = search(&["--slo", "loss=0", "--step-duration", "2s", "--warmup", "0"]).load;
    assert_eq!((load.stop, load.warmup), (StopAfter::After(Duration::from_secs(2)), Duration::ZERO));
}

#[test]
fn figures_that_the_load_does_not_measure_are_refused() {
    for (line, slo) in [
        (&["pub"][..], "p99 < 5ms"),
        (&["pub", "-q", "1"], "loss = 0"),
        (&["pub"], "refused = 0"),
        (&["pub"], "acknowledge p50 < 1s"),
        (&["conn"], "delivery p99 < 1s"),
        (&["rr"], "delivery p99 < 1s"),
        (&["e2e"], "operation-rate > 5"),
    ] {
        let line = [&["bench", "find-limit"], line, &["--slo", slo]].concat();
        super::all_wrong(&[(&line, &format!("--slo '{slo}': "))]);
    }
    super::all_wrong(&[
        (
            &["bench", "find-limit", "--over", "size", "--from", "0", "--slo", "p99 < 1s"],
            "payloads of less than 16 bytes have no latency",
        ),
        (&["bench", "find-limit", "--size", "8", "--slo", "p99 < 1s"], "payloads of less than 16 bytes"),
    ]);
    search(&["--over", "size", "--from", "0", "--slo", "loss = 0"]);
    search(&["pub", "-q", "1", "--size", "8", "--slo", "p99 < 1s"]);
    for (line, slo) in [
        (&["pub", "-q", "1"][..], "p99 < 5ms"),
        (&["pub"], "rate > 5"),
        (&["pub"], "late p99 < 5ms"),
        (&["conn"], "p99 < 5ms"),
        (&["rr"], "loss < 1%"),
        (&["e2e", "-q", "1"], "acknowledge p50 < 1s"),
    ] {
        search(&[line, &["--slo", slo]].concat());
    }
}

fn load(line: &[&str]) -> Load {
    match bench(line).task {
        BenchTask::Load(load) => *load,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bench_without_a_mode_is_a_small_load_end_to_end() {
    let load = load(&[]);
    assert_eq!((load.mode, load.publishers, load.subscribers), (Mode::EndToEnd, 10, 10));
    assert_eq!((load.rate, load.stop), (Rate::PerSecond(1000.0), StopAfter::After(Duration::from_secs(10))));
    assert_eq!((load.qos, load.payload), (QoS::AtMostOnce, Payload::Size(64)));
}

#[test]
fn loads() {
    assert_eq!(load(&["conn", "--clients", "500", "--ramp", "2k/s", "--hold", "3s"]).ramp, Some(2000.0));
    assert_eq!(load(&["conn", "--hold", "3s"]).stop, StopAfter::After(Duration::from_secs(3)));
    assert_eq!(load(&["pub", "--rate", "50k/s"]).rate, Rate::PerSecond(50_000.0));
    assert_eq!(load(&["pub", "--rate", "max", "--inflight", "7"]).client.max_inflight, 7);
    assert_eq!(load(&["pub", "--publishers", "8", "--rate-per-client", "2.5"]).rate, Rate::PerSecond(20.0));
    assert_eq!(load(&["pub", "--count", "7"]).stop, StopAfter::Count(7));
    assert_eq!(load(&["pub", "--arrivals", "burst:9"]).arrivals, Arrivals::Burst(9));
    assert_eq!(load(&["e2e", "--pattern", "fan-in", "--publishers", "5"]).subscribers, 1);
    let out = load(&["e2e", "--pattern", "fan-out", "--subscribers", "5"]);
    assert_eq!((out.publishers, out.subscribers, out.pattern), (1, 5, Pattern::All));
    assert_eq!(load(&["--shared-groups", "2"]).shared_groups, 2);
    assert_eq!(load(&["sub", "--topic", "a/#"]).topic, "a/#");
    assert_eq!(load(&["rr"]).subscribers, 1);
    assert_eq!(load(&["--size", "4k"]).payload, Payload::Size(4000));
    assert_eq!(load(&["--size", "4Ki"]).payload, Payload::Size(4096));
}

/// As in earlier versions, where the mode was an argument.
#[test]
fn options_are_accepted_before_the_mode() {
    for (line, mode) in [
        (&["-h", "example.org", "pub", "--rate", "5"][..], Mode::Publish),
        (&["--rate", "5", "-V5", "rr", "--subscribers", "2"], Mode::Request),
        #[cfg(feature = "broker")]
        (&["--subscribers=3", "--embedded", "sub"], Mode::Subscribe),
        (&["-ipub", "--topic", "conn"], Mode::EndToEnd),
    ] {
        assert_eq!(load(line).mode, mode, "{line:?}");
    }
    assert_eq!(load(&["--topic", "pub"]).topic, "pub");
    assert_eq!(load(&["-i", "sub", "pub", "--topic", "rr"]).client.client_identifier, "sub");
    assert!(
        matches!(bench(&["--json", "compare", "a", "b"]).task, BenchTask::Compare(config) if config.files.len() == 2)
    );
}

/// The help of a mode shows only what the mode takes.
#[test]
fn help_shows_what_the_mode_takes() {
    for (mode, takes, not) in [
        (
            "conn",
            &["--clients", "--hold", "--ramp", "--csv"][..],
            &["--rate ", "--topic ", "--drain", "--duration"][..],
        ),
        ("pub", &["--rate ", "--size", "--drain", "--duration"], &["--subscribers", "--pattern", "--hold"]),
        (
            "sub",
            &["--subscribers", "--topic", "--count"],
            &["--publishers", "--rate ", "--drain", "--calibration"],
        ),
        ("e2e", &["--pattern", "--shared-groups", "--rate "], &["--clients", "--hold"]),
        ("rr", &["--subscribers", "--inflight"], &["--pattern", "--shared-groups", "--clients"]),
        ("compare", &["--json", "FILE", "--fail-if"], &["--host", "--rate ", "--threads"]),
        #[cfg(feature = "broker")]
        (
            "calibrate",
            &["--threads", "--duration", "--json"],
            &["--host", "--cafile", "--fail-if", "--rate "],
        ),
    ] {
        let help = stage_one(&words(&["bench", mode, "--help-all"])).unwrap().expect_err("a text");
        for option in takes {
            assert!(help.contains(option), "{mode} {option}: {help}");
        }
        for option in not.iter().chain(&["--wait-for-server", "--disable-clean-session"]) {
            let shown =
                help.lines().any(|line| line.trim_start().trim_start_matches("-c, ").starts_with(option));
            assert!(!shown, "{mode} {option}: {help}");
        }
    }
}

/// Each load of several has the disturbances that fit into its own duration.
#[test]
fn disturbances_are_in_their_order() {
    let line = ["--duration", "1m", "--size", "16,64", "--reconnect", "always"];
    let disturbed = ["--disturb", "50s: true", "--disturb", "20s: flap 5% for 10s"];
    let BenchTask::Matrix(matrix) = bench(&[&line[..], &disturbed].concat()).task else {
        panic!("several loads")
    };
    for load in &matrix.loads {
        let all: Vec<String> = load.disturbances.all.iter().map(ToString::to_string).collect();
        assert_eq!(all, ["20s: flap 5% for 10s", "50s: true"]);
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn contradictory_options_are_refused_before_anything_is_opened() {
    all_wrong(&[
        (&["bench", "--rate", "0"], "more than 0"),
        (&["bench", "--rate", "fast"], "50k/s"),
        (&["bench", "--rate", "max", "--rate-per-client", "3"], "--rate-per-client"),
        (&["bench", "--rate", "max", "--arrivals", "poisson"], "--arrivals"),
        (&["bench", "--rate", "max", "--jitter", "1s"], "--jitter"),
        (&["bench", "--rate", "10", "--per-write", "3"], "--per-write"),
        (&["bench", "--qos", "1", "--rate", "max", "--per-write", "3"], "--per-write"),
        (&["bench", "--count", "5", "--duration", "5s"], "--count"),
        (&["bench", "--clients", "5"], "--clients"),
        (&["bench", "conn", "--publishers", "5"], "--publishers"),
        (&["bench", "conn", "--rate", "5"], "--rate"),
        (&["bench", "conn", "--size", "5"], "--size"),
        (&["bench", "conn", "--qos", "1"], "--qos"),
        (&["bench", "conn", "--duration", "5s"], "--hold"),
        (&["bench", "pub", "--hold", "5s"], "--hold"),
        (&["bench", "pub", "--subscribers", "5"], "--subscribers"),
        (&["bench", "sub", "--publishers", "5"], "--publishers"),
        (&["bench", "sub", "--rate", "5"], "--rate"),
        (&["bench", "--size", "5", "--payload", "x"], "--size"),
        (&["bench", "rr", "--size", "15"], "16"),
        (&["bench", "--topics", "3", "--topic", "a/b"], "{topic}"),
        (&["bench", "--topic", "a/{clients}"], "{client}"),
        (&["bench", "--topic", "a/#"], "wildcard"),
        (&["bench", "--topic", "a/x{rand:1..2}"], "'x{rand:1..2}': a level of the topic is"),
        (&["bench", "--topic", "a/{rand:2..1}"], "use {rand:LEAST..MOST}"),
        (
            &["bench", "--topic", "a/{csv:room}"],
            "topic 'a/{csv:room}': {csv:NAME} needs --client-values FILE",
        ),
        (
            &["bench", "--topic", "a/{client}", "--client-values", "x"],
            "--client-values needs {csv:NAME} in --topic",
        ),
        (&["bench", "--pattern", "fan-in", "--subscribers", "2"], "fan-in"),
        (&["bench", "--pattern", "fan-out", "--publishers", "2"], "fan-out"),
        (&["bench", "--shared-groups", "20"], "--shared-groups"),
        (&["bench", "--shared-groups", "2", "--pattern", "all"], "--pattern"),
        (&["bench", "--shared-groups", "2", "-V", "311"], "MQTT 5"),
        (&["bench", "rr", "--pattern", "all"], "--pattern"),
        #[cfg(feature = "broker")]
        (&["bench", "--embedded", "-h", "example.org"], "--embedded"),
        #[cfg(feature = "broker")]
        (&["bench", "--embedded", "-L", "mqtt://example.org"], "--embedded"),
        #[cfg(feature = "broker")]
        (&["bench", "--embedded", "-p", "1884"], "--embedded"),
        #[cfg(feature = "broker")]
        (&["bench", "--embedded", "--unix", "x.sock"], "--embedded"),
        #[cfg(feature = "broker")]
        (&["bench", "--embedded", "--ws"], "plain TCP"),
        #[cfg(feature = "broker")]
        (&["bench", "--embedded", "--proxy", "socks5h://localhost"], "plain TCP"),
        (&["bench", "--disturb", "3s: drop 20%"], "'drop 20%' needs clients that reconnect"),
        (&["bench", "--disturb", "10s: true"], "the measurement ends after 10s"),
        (&["bench", "--disturb", "3s"], "TIME: COMMAND"),
        (&["bench", "--wait-for-server", "5s"], "--wait-for-server"),
        (&["bench", "--qos", "2", "--calibration", "x.json"], "--calibration"),
        (&["bench", "sub", "--calibration", "x.json"], "--calibration"),
        (&["bench", "sub", "--topic", "a/#/b"], "filter"),
        (&["bench", "sub", "--drain", "5s"], "--drain"),
        (&["bench", "conn", "--warmup", "5s"], "--warmup"),
        (&["bench", "conn", "--subscribers", "5"], "--subscribers"),
        (&["bench", "conn", "--ramp", "0"], "more than 0"),
        (&["bench", "conn", "--ramp", "-1"], "more than 0"),
        (&["bench", "--duration", "0"], "--duration"),
        (&["bench", "--count", "0"], "--count"),
        (&["bench", "--publishers", "0"], "--publishers"),
        (&["bench", "--arrivals", "burst"], "burst:COUNT"),
        (&["bench", "--arrivals", "burst:0"], "--arrivals"),
        (&["bench", "--rate-per-client", "max"], "50k/s"),
        (&["bench", "--inflight", "0"], "--inflight"),
        (&["bench", "--qos", "3"], "--qos"),
        (&["bench", "--size", "-1"], "--size"),
        (&["bench", "--size", "1G"], "--size"),
        (&["bench", "--payload", "x", "--payload-file", "y"], "--payload and --payload-file"),
        (&["bench", "--local-addr", "localhost"], "--local-addr"),
        (&["bench", "--fail-if", "loss > 5"], "share"),
        (&["bench", "--fail-if", "p99"], "FIGURE"),
        (&["bench", "--fail-if", "p99 > 5 lightyears"], "unit of time"),
        (&["bench", "compare", "a.json", "b.json", "--html", "-"], "standard output"),
        (&["bench", "compare", "a", "b", "--html", "x", "--markdown", "x"], "a file each"),
        (&["bench", "compare", "a.json", "b.json", "--fail-if", "p99 > 20ms"], "'p99 +10%'"),
        (&["bench", "compare", "a.json", "b.json", "--markdown", "-"], "standard output"),
        (&["bench", "compare", "a.json", "b.json", "-h", "example.org"], "-h"),
        #[cfg(feature = "broker")]
        (&["bench", "calibrate", "--fail-if", "p99 > 5ms"], "--fail-if"),
        #[cfg(feature = "broker")]
        (&["bench", "calibrate", "-h", "example.org"], "-h"),
        #[cfg(feature = "broker")]
        (&["bench", "calibrate", "--ws"], "plain TCP"),
        (&["bench", "rr", "--shared-groups", "1"], "--shared-groups"),
        (&["bench", "pub", "--pattern", "all"], "--pattern"),
        (&["bench", "-V", "31", "-i", "longer-than-8"], "23 characters"),
        (&["bench", "--inflight", "3", "-M", "4"], "--inflight"),
        (&["bench", "find-limit"], "--slo"),
        (&["bench", "find-limit", "--slo", "loss > 5"], "share"),
        (&["bench", "find-limit", "--slo", "loss = 0", "--rate", "max"], "--over rate"),
        (&["bench", "find-limit", "--slo", "loss = 0", "--size", "16,64"], "one --size"),
        (&["bench", "find-limit", "--slo", "loss = 0", "--repeat", "2"], "no --repeat"),
        (&["bench", "find-limit", "--slo", "loss = 0", "--count", "2"], "--step-duration"),
        (&["bench", "find-limit", "--slo", "loss = 0", "--fail-if", "loss > 0"], "--slo"),
        (&["bench", "find-limit", "--slo", "loss = 0", "--to", "500"], "1,000/s to"),
        (&["bench", "find-limit", "--slo", "loss = 0", "--from", "fast"], "--from"),
        (&["bench", "find-limit", "--slo", "loss = 0", "--over", "size", "--payload", "x"], "--size"),
        (&["bench", "find-limit", "--slo", "loss = 0", "--rate-per-client", "5"], "--over clients"),
        (&["bench", "find-limit", "sub", "--slo", "loss = 0"], "sub"),
        (&["bench", "find-limit", "conn", "--slo", "failed = 0", "--over", "size"], "payloads"),
        (&["bench", "--repeat", "2", "--calibration", "a.json"], "--calibration is for one load"),
        (&["bench", "--qos", "0,3"], "--qos"),
        (&["bench", "--local-addr", "127.0.0.1", "-A", "127.0.0.2"], "--local-addr"),
    ]);
}

#[test]
fn wrong_values_are_refused() {
    all_wrong(&[
        (&["bench", "--fail-if", "p98 > 1ms"], "unknown figure"),
        (&["bench", "--fail-if", "p99 > 1"], "unit of time"),
        (&["bench", "e2e", "x.json"], "compare"),
        (&["bench", "compare", "x.json"], "two"),
        #[cfg(feature = "broker")]
        (&["bench", "calibrate", "--rate", "5"], "--rate"),
        (&["bench", "-c", "-i", "x"], "-c"),
        (
            &["bench", "--publishers", "20000000"],
            "a load has fewer than 16777216 clients, and this one has 20000010",
        ),
        (&["bench", "--subscribers", "4294967295"], "and this one has 4294967305"),
        (&["bench", "conn", "--clients", "4294967295"], "and this one has 4294967295"),
        (&["bench", "retained", "--subscribers", "4294967295"], "a load has fewer than 16777216 clients"),
        (
            &["bench", "churn", "--clients", "4294967295", "--connect-rate", "1", "--subscribe-rate", "1"],
            "a load has fewer than 16777216 clients",
        ),
        (&["bench", "wills", "--clients", "20000000"], "a load has fewer than 16777216 clients"),
        (&["bench", "--seed", "-1"], "it must be a whole number, at least 0"),
        (&["bench", "--threads", "0"], "1"),
    ]);
}
