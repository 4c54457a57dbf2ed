//! Runs the examples of the manual pages with the embedded broker. They come from the definition of the
//! command line (`mqtt::cli::manual`), from which `tests/generated.rs` writes `man/`.
//!
//! Each example is in one of two lists: [`RUN`], with its requirements and the check of its effect, or
//! [`NOT_RUN`], with the reason.

use std::collections::BTreeSet;

use super::documents::{Place, end};
use super::support::skip;

/// How an example ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// By itself, with success.
    Success,
    /// By itself; it may report that this machine is too slow for the load, which is not a failure.
    Load,
    /// Only when interrupted.
    Never,
}

use End::{Load, Never, Success};

/// An example that is run.
#[derive(Debug)]
struct Run {
    example: &'static str,
    /// Replacements for the test: hosts, ports, counts and durations.
    changes: &'static [(&'static str, &'static str)],
    /// Shell commands that run first.
    before: &'static str,
    /// A responder that runs at the same time.
    beside: &'static str,
    end: End,
    /// A text in a line of its output; empty for no output.
    prints: &'static str,
    /// A shell command that runs after it or during it, and a text that this one prints.
    then: (&'static str, &'static str),
}

const fn run(example: &'static str, end: End, prints: &'static str) -> Run {
    Run { example, changes: &[], before: "", beside: "", end, prints, then: ("", "") }
}

impl Run {
    const fn changed(self, changes: &'static [(&'static str, &'static str)]) -> Self {
        Self { changes, ..self }
    }

    const fn before(self, before: &'static str) -> Self {
        Self { before, ..self }
    }

    const fn beside(self, beside: &'static str) -> Self {
        Self { beside, ..self }
    }

    const fn then(self, command: &'static str, prints: &'static str) -> Self {
        Self { then: (command, prints), ..self }
    }
}

const HERE: (&str, &str) = ("-h broker.example", "-h 127.0.0.1");
/// A short and small load: its measurements are not tested here.
const SHORT: &[(&str, &str)] = &[
    HERE,
    (" --duration 1m", ""),
    (" --duration 5s", ""),
    (" --warmup 5s", ""),
    ("mqtt bench ", "mqtt bench --duration 200ms --warmup 0 "),
    (" 20k/s", " 500/s"),
    (" 5k/s", " 500/s"),
    (" 2k/s", " 500/s"),
    (" 1000 ", " 20 "),
    ("--repeat 3", "--repeat 1"),
];
const SHORT_CONNECTIONS: &[(&str, &str)] = &[
    HERE,
    ("10000", "20"),
    ("1000", "20"),
    ("--hold 1m", "--hold 100ms"),
    ("--hold 10s", "--hold 500ms"),
    ("'3s:", "'100ms:"),
];
/// The responder reports with -d that it has subscribed.
const SAYING: &[(&str, &str)] = &[("mqtt respond", "mqtt respond -d")];
const PROFILES: &str = "mkdir -p .config/mqtt; printf '[profile.home]\\nhost = \"127.0.0.1\"\\n\
     [profile.work]\\nhost = \"127.0.0.1\"\\n' | tee config.toml > .config/mqtt/config.toml";

static RUN: &[Run] = &[
    run("mqtt pub -t home/kitchen/temperature -m 23.4", Success, ""),
    run("mqtt pub -h broker.example -t home/kitchen/temperature -m 23.4", Success, "").changed(&[HERE]),
    run("mqtt pub -t home/door -m open -q 1 -r", Success, "").then("mqtt sub -t home/door -C 1", "open"),
    run("sensors | mqtt pub -h broker.example -t site/1 -l -q 1", Success, "")
        .changed(&[HERE, ("-q 1", "-q 1 -r")])
        .before("printf '#!/bin/sh\\necho 21.5\\n' > bin/sensors; chmod +x bin/sensors")
        .then("mqtt sub -t site/1 -C 1", "21.5"),
    run("mqtt sub -t 'home/#' -v", Never, "home/x 1").before("mqtt pub -r -t home/x -m 1"),
    run("mqtt sub -h broker.example -t 'home/#' -v", Never, "home/x 1")
        .changed(&[HERE])
        .before("mqtt pub -r -t home/x -m 1"),
    run(
        "mqtt sub -t 'meter/#' -v --where '.payload.power > 1000' --jq .payload.power",
        Never,
        "meter/2 1500",
    )
    .before("mqtt pub -r -t meter/1 -m '{\"power\":900}'; mqtt pub -r -t meter/2 -m '{\"power\":1500}'"),
    run("mqtt sub -h broker.example -t site/1 -q 1 -c -i archive >> archive.log", Success, "")
        .changed(&[HERE, (">>", "-C 1 >>")])
        .before("mqtt pub -r -t site/1 -m kept")
        .then("cat archive.log", "kept"),
    run("mqtt sub -t 'door/#' -q 1 -c -i bell --exec 'notify \"$MQTT_TOPIC\"'", Never, "door/1 has rung")
        .before(
            "printf '#!/bin/sh\\necho \"$1\" has rung\\n' > bin/notify; chmod +x bin/notify; \
             mqtt pub -r -t door/1 -m now",
        ),
    run(
        "mqtt sub --subscribe 'qos=2,no-local:orders/#' -t '$SYS/broker/uptime' -C 10 -W 30s",
        Success,
        "ordered",
    )
    .changed(&[("-C 10", "-C 1"), ("30s", "120s")])
    .before("mqtt pub -r -t orders/1 -m ordered"),
    run("mqtt rr -t service/time -n -W 5s", Success, "noon")
        .changed(&[("5s", "120s")])
        .beside("mqtt respond -d -t service/time -m noon"),
    run("mqtt rr -t device/7/command -e device/7/answer -m reboot -q 1 -W 30s", Success, "done")
        .changed(&[("30s", "120s")])
        .beside("mqtt respond -d -V 311 -t device/7/command -e device/7/answer -m 'is done'"),
    run("mqtt rr -t service/add -m '[2,3]' --json | jq .payload", Success, "\"5\"")
        .beside("mqtt respond -d -t service/add --jq '.payload | add'"),
    run("mqtt respond -t service/echo --echo -q 1", Never, "SUBACK")
        .changed(SAYING)
        .then("mqtt rr -t service/echo -m hello", "hello"),
    run("mqtt respond -t service/add --jq '.payload | add'", Never, "SUBACK")
        .changed(SAYING)
        .then("mqtt rr -t service/add -m '[2,3]'", "5"),
    run("mqtt respond -t 'host/+/uptime' --exec uptime", Never, "SUBACK")
        .changed(SAYING)
        .before("printf '#!/bin/sh\\necho up 3 days\\n' > bin/uptime; chmod +x bin/uptime")
        .then("mqtt rr -t host/a/uptime -n", "up 3 days"),
    run(
        "mqtt respond -t device/+/config -f config.json --allow-response-topic 'answers/#'",
        Never,
        "SUBACK",
    )
    .changed(SAYING)
    .before("echo '{\"rate\":5}' > config.json")
    .then("mqtt rr -t device/1/config -e answers/1 -n", "{\"rate\":5}"),
    run(
        "mqtt respond -V 311 -t device/7/command -e device/7/answer -m ok -q 1",
        Never,
        "SUBACK",
    )
    .changed(SAYING)
    .then("mqtt rr -t device/7/command -e device/7/answer -m reboot", "ok"),
    run("mqtt bench --embedded", Load, "latency").changed(&[("bench", "bench --duration 200ms --warmup 0")]),
    run(
        "mqtt bench -h broker.example --rate 20k/s --publishers 100 --qos 1 --warmup 5s --duration 1m",
        Load,
        "latency",
    )
    .changed(SHORT),
    run("mqtt bench --pattern fan-out --subscribers 1000 --fail-if 'loss > 0'", Load, "loss > 0").changed(SHORT),
    run("mqtt bench --json > before.json", Load, "").changed(SHORT).then("cat before.json", "\"mode\":\"e2e\""),
    run("mqtt bench conn -h broker.example --clients 10000 --ramp 500/s --hold 1m", Load, "connections")
        .changed(SHORT_CONNECTIONS),
    run("mqtt bench conn --fail-if 'CONNACK p99 > 100ms'", Load, "CONNACK p99 > 100ms")
        .changed(&[("conn", "conn --clients 20 --hold 100ms")]),
    run(
        "mqtt bench conn --embedded --fail-if 'failed > 0' --fail-if 'until CONNACK p99 > 100ms'",
        Load,
        "failed > 0",
    )
    .changed(&[("conn", "conn --clients 20 --hold 100ms")]),
    run(
        "mqtt bench conn --embedded --hold 10s --reconnect always --disturb '3s: drop 20%'",
        Load,
        "drop 20%",
    )
    .changed(SHORT_CONNECTIONS),
    run("mqtt bench conn --embedded --clients 1000 --hold 10s", Load, "connections").changed(SHORT_CONNECTIONS),
    run(
        "mqtt bench pub --rate max --publishers 100 --fail-if 'rate < 100k/s'",
        Load,
        "rate < 100k/s",
    )
    .changed(SHORT),
    run(
        "mqtt bench pub -h broker.example --qos 1 --rate 5k/s --size 1k --duration 1m",
        Load,
        "QoS 1",
    )
    .changed(SHORT),
    run("mqtt bench pub --size 16,256,4k --qos 0,1 --repeat 3", Load, "4,000").changed(SHORT),
    run(
        "mqtt bench rr --rate 2k/s --fail-if 'p99 > 20ms' --fail-if 'loss > 0' --junit bench.xml",
        Load,
        "p99 > 20ms",
    )
    .changed(SHORT)
    .then("cat bench.xml", "<testcase"),
    run("mqtt bench rr --rate max --inflight 1", Load, "latency").changed(SHORT),
    run("mqtt bench rr --embedded --duration 5s", Load, "latency").changed(SHORT),
    run("mqtt bench rr --rate 2k/s --fail-if 'p99 > 20ms'", Load, "p99 > 20ms").changed(SHORT),
    run("mqtt bench retained --messages 10000 --subscribers 100 --rate 10/s --qos 1", Load, "all retained").changed(&[
        ("10000", "20"),
        (" 100 ", " 5 "),
        ("10/s", "100/s"),
    ]),
    run("mqtt bench retained --fail-if 'max > 1s' --fail-if 'loss > 0'", Load, "max > 1s"),
    run("mqtt bench retained --embedded", Load, "all retained"),
    run("mqtt bench churn --clients 1000 --subscribe-rate 2k/s --connect-rate 500/s", Load, "connect again").changed(&[
        ("1000", "20"),
        ("2k/s", "200/s"),
        ("500/s", "100/s"),
        ("churn ", "churn --duration 200ms "),
    ]),
    run("mqtt bench churn --fail-if 'SUBACK p99 > 50ms'", Load, "SUBACK p99 > 50ms")
        .changed(&[("churn ", "churn --duration 200ms ")]),
    run("mqtt bench churn --embedded --connect-rate 200/s --duration 2s", Load, "connect again")
        .changed(&[("2s", "200ms")]),
    run("mqtt bench wills --clients 10000 --qos 1 --fail-if 'loss > 0'", Load, "loss > 0").changed(&[("10000", "20")]),
    run("mqtt bench wills --clients 2000 --rate 200/s --fail-if 'p99 > 100ms'", Load, "p99 > 100ms")
        .changed(&[("2000", "20")]),
    run("mqtt bench wills --embedded", Load, "abrupt ends"),
    run("mqtt bench scenario list", Success, "omb-p2p-1k"),
    run("mqtt bench scenario run omb-p2p-50k --scale 1% --duration 30s", Load, "latency")
        .changed(&[("1%", "0.1%"), ("30s", "200ms")]),
    run("mqtt bench scenario show omb-p2p-1k > fleet.toml", Success, "").then("cat fleet.toml", "[[group]]"),
    run("mqtt bench scenario run ./fleet.toml -h broker.example", Load, "latency")
        .changed(&[HERE])
        .before("mqtt bench e2e --qos 1 --duration 200ms --warmup 0 --show-scenario > fleet.toml"),
    run("mqtt bench e2e --qos 1 --show-scenario > fleet.toml", Success, "").then("cat fleet.toml", "qos = 1"),
    run("mqtt bench merge shard-1.json shard-2.json", Load, "merged").before(SHARDS),
    run("mqtt bench merge shard-*.json -o whole.json", Load, "merged").before(SHARDS),
    run("mqtt bench merge shard-*.json --fail-if 'p99 > 20ms'", Load, "p99 > 20ms").before(SHARDS),
    run("mqtt bench compare before.json after.json", Load, "p99").before(TWO_REPORTS),
    run("mqtt bench compare before.json after.json --fail-if 'p99 +10%'", Load, "p99 +10%").before(TWO_REPORTS),
    run("mqtt bench compare a1.json a2.json a3.json vs b1.json b2.json b3.json", Load, "p99").before(
        "mqtt bench --rate 100/s --duration 200ms --warmup 0 --json > a1.json; \
         for copy in a2 a3 b1 b2 b3; do cp a1.json $copy.json; done",
    ),
    run("mqtt bench calibrate --json > ceiling.json", Success, "part 3 of 3")
        .changed(&[("calibrate", "calibrate --duration 100ms")])
        .then("cat ceiling.json", "bench-calibration"),
    run("mqtt bench calibrate --threads 1", Success, "a second of CPU")
        .changed(&[("calibrate", "calibrate --duration 100ms")]),
    run("mqtt bench pub --rate max --calibration ceiling.json", Load, "share of ceiling")
        .changed(SHORT)
        .before("mqtt bench calibrate --duration 100ms --json > ceiling.json"),
    run("mqtt retain-clear --dry-run 'home/#'", Success, "home/x").before("mqtt pub -r -t home/x -m 1"),
    run("mqtt retain-clear --restore home.jsonl", Success, "1 of 1 restored")
        .before("mqtt pub -r -t home/x -m back; mqtt retain-clear 'home/#' --yes --backup home.jsonl")
        .then("mqtt sub -t home/x -C 1", "back"),
    run("mqtt retain-clear '#' --match '^test-[0-9]+/' --yes --json", Success, "\"left\":0")
        .before("mqtt pub -r -t test-1/x -m 1; mqtt pub -r -t test/x -m 1"),
    run("mqtt will-test --list", Success, "take-over"),
    run("mqtt will-test --case take-over --case delay -V 5", Success, "take-over"),
    run(
        "mqtt will-test -u pump-7 --will-topic site/7/state --will-payload lost --watch-as operator",
        Success,
        "own-will",
    ),
    run("mqtt ping -h broker.example -C 10 --interval 200ms", Success, "10 pings")
        .changed(&[HERE, ("200ms", "1ms")]),
    run("mqtt ping --quiet --timeout 3s", Success, "").changed(&[("3s", "120s")]),
    run("mqtt broker", Never, "listening on 127.0.0.1:").changed(&[("mqtt broker", "mqtt broker -p 0")]),
    run("mqtt broker -p 0", Never, "listening on 127.0.0.1:"),
    run("mqtt broker --log", Never, "listening on 127.0.0.1:").changed(&[("mqtt broker", "mqtt broker -p 0")]),
    run(
        "mqtt broker --listen mqtt://127.0.0.1 --listen mqtts://127.0.0.1 --listen ws://127.0.0.1 --tls-self-signed \
         ca.pem",
        Never,
        "listening on ws://",
    )
    .changed(&[("127.0.0.1", "127.0.0.1:0")])
    .then("cat ca.pem", "BEGIN CERTIFICATE"),
    run("mqtt broker --listen '[::]:1883' --open", Never, "listening on 0.0.0.0:")
        .changed(&[("[::]:1883", "0.0.0.0:0")]),
    run("mqtt broker --password-file passwords --acl-file acl", Never, "listening on 127.0.0.1:")
        .changed(&[("mqtt broker", "mqtt broker -p 0")])
        .before(
            "echo 'me:$7$101$fclxWvEthXpK+KRR$ksnAgr7Ex+JICRDhgV6XX5WlTb3+Lx3lnczPxvV4dLtF/ixmBQgIMzXs/IktlhHdCtyKf+YP4+mLr0QgFYCs8Q==' \
             > passwords; echo 'topic read news/#' > acl; chmod 600 passwords",
        ),
    run("mqtt broker --fault 'drop-connection every 1000'", Never, "listening on 127.0.0.1:")
        .changed(&[("mqtt broker", "mqtt broker -p 0")]),
    run("mqtt broker -p 0 -- ./run-my-tests", Success, "tests passed").before(
        "printf '#!/bin/sh\\nmqtt pub -t a -m 1 && echo tests passed\\n' > run-my-tests; chmod +x run-my-tests",
    ),
    run("mqtt broker -p 0 -- sh -c 'mqtt pub -r -t a -m 1; mqtt sub -t a -C 1'", Success, "1"),
    run("mqtt config show", Success, "127.0.0.1"),
    run("mqtt config show --profile work -p 8884", Success, "8884").before(PROFILES),
    run("mqtt config show --json | jq -r '.brokers[0]'", Success, "mqtt://127.0.0.1"),
    run("mqtt config list", Success, "work").before(PROFILES),
    run("mqtt config list --json | jq -r '.profiles[].name'", Success, "work").before(PROFILES),
    run("mqtt config list --config ./config.toml", Success, "work").before(PROFILES),
    run("mqtt config check", Success, "no mistakes").before(PROFILES),
    run("mqtt config check --config ./config.toml --json", Success, "\"ok\":true").before(PROFILES),
    run("mqtt config check && mqtt sub --profile home 'home/#'", Never, "kept").before(
        "mqtt pub -r -t home/x -m kept; mkdir -p .config/mqtt; \
         printf '[profile.home]\\nhost = \"127.0.0.1\"\\n' > .config/mqtt/config.toml",
    ),
    run("mqtt compat install --dir ~/.local/bin", Success, "mosquitto_rr").before("mkdir -p .local/bin"),
    run("mqtt compat uninstall --dir ~/.local/bin", Success, "mosquitto_rr")
        .before("mkdir -p .local/bin; mqtt compat install --dir ~/.local/bin"),
    run("mqtt completions bash > ~/.local/share/bash-completion/completions/mqtt", Success, "")
        .before("mkdir -p .local/share/bash-completion/completions")
        .then("bash -n .local/share/bash-completion/completions/mqtt && echo sound", "sound"),
    run("mqtt completions zsh > ~/.zfunc/_mqtt", Success, "").before("mkdir .zfunc").then("cat .zfunc/_mqtt", "compdef"),
    run("mqtt completions fish > ~/.config/fish/completions/mqtt.fish", Success, "")
        .before("mkdir -p .config/fish/completions")
        .then("cat .config/fish/completions/mqtt.fish", "complete"),
];

/// Reports of two shards of one run.
const SHARDS: &str = "for shard in 1 2; do mqtt bench pub --rate 100/s --duration 200ms --warmup 0 --run-id x \\
    --shard $shard/2 --json > shard-$shard.json; done";

const TWO_REPORTS: &str =
    "mqtt bench --rate 100/s --duration 200ms --warmup 0 --json | tee before.json > after.json";

const NEEDS_TLS: &str = "it needs a broker with TLS and a certificate that the system trusts";
const ASKS: &str = "it asks a person at a terminal";
const WRITES_TO_SYSTEM: &str = "it writes to a folder of the system";
const SEARCHES: &str =
    "it searches for the limit of this machine, which takes minutes; tests/bench_limit.rs searches";
const NEEDS_TRAFFIC: &str = "it counts what other programs publish; tests/bench.rs has such programs";

static NOT_RUN: &[(&str, &str)] = &[
    ("mqtt pub -L mqtts://user@broker.example/home/photo -f photo.jpg", NEEDS_TLS),
    ("mqtt ping -L mqtts://broker.example", NEEDS_TLS),
    ("mqtt ping -L wss://broker.example/mqtt --warn-expiry 30d --json", NEEDS_TLS),
    ("mqtt retain-clear 'home/#' -T 'home/config/#' --backup home.jsonl", ASKS),
    ("mqtt retain-clear 'site/+/state' --older-than 30d --time-in payload:/time", ASKS),
    (
        "mqtt will-test -h broker.example --version-matrix --parallel",
        "it runs 40 cases, some of them for seconds; tests/will_test.rs runs them",
    ),
    (
        "mqtt bench --qos 1 -x 1h --reconnect always --duration 1m --disturb '20s: docker restart broker'",
        "it restarts a broker in a container",
    ),
    ("mqtt bench sub -h broker.example --topic 'sensors/#' --duration 1m", NEEDS_TRAFFIC),
    ("mqtt bench sub --subscribers 100 --count 1000000", NEEDS_TRAFFIC),
    ("mqtt bench sub --subscribers 10 --shared-groups 1 --topic 'sensors/#'", NEEDS_TRAFFIC),
    ("mqtt bench find-limit --slo 'p99 < 50ms' --slo 'loss = 0'", SEARCHES),
    ("mqtt bench find-limit pub --qos 1 --over size --slo 'p99 < 20ms'", SEARCHES),
    ("mqtt bench find-limit conn --slo 'CONNACK p99 < 1s' --html limit.html", SEARCHES),
    (
        "mqtt bench find-limit pub -q 1 --over clients --rate-per-client 1 --slo 'p99 < 1s' --to 5000",
        SEARCHES,
    ),
    ("mqtt compat install --dir /usr/local/bin", WRITES_TO_SYSTEM),
    ("mqtt compat uninstall --dir /usr/local/bin", WRITES_TO_SYSTEM),
    ("mqtt compat install --dir /usr/bin --force", WRITES_TO_SYSTEM),
    ("mqtt compat uninstall --dir /usr/bin", WRITES_TO_SYSTEM),
];

/// The examples of all pages, each once.
fn examples() -> BTreeSet<&'static str> {
    fn collect(command: &clap::Command, found: &mut BTreeSet<&'static str>) {
        let called = command.get_bin_name().unwrap_or(command.get_name());
        found.extend(mqtt::cli::manual(called).examples.iter().map(|(_, example)| *example));
        command.get_subcommands().for_each(|below| collect(below, found));
    }
    let mut program = mqtt::cli::command();
    program.build();
    let mut found = BTreeSet::new();
    collect(&program, &mut found);
    found
}

#[test]
fn each_example_is_run_or_has_a_reason() {
    let run = RUN.iter().map(|run| run.example);
    let listed: Vec<&str> = run.chain(NOT_RUN.iter().map(|(example, _)| *example)).collect();
    let lists: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(lists.len(), listed.len(), "an example is listed twice");
    let examples = examples();
    let missing: Vec<_> = examples.difference(&lists).collect();
    let gone: Vec<_> = lists.difference(&examples).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "in no list: {missing:#?}\nno longer an example: {gone:#?}"
    );
}

/// Runs an example; returns the failure.
fn wrong(run: &Run) -> Result<(), String> {
    let place = Place::without_profile();
    let done = |command: &str| {
        let (mut child, lines) = place.start(command);
        let printed: Vec<String> = lines.collect();
        (child.wait().unwrap(), printed.join("\n"))
    };
    if !run.before.is_empty() {
        let (status, printed) = done(run.before);
        if !status.success() {
            return Err(format!("before it: {status}\n{printed}"));
        }
    }
    let wait_for = |lines: &mut dyn Iterator<Item = String>, text: &str| {
        let mut seen = Vec::new();
        for line in lines {
            if line.contains(text) {
                return Ok(());
            }
            seen.push(line);
        }
        Err(format!("it ended without '{text}':\n{}", seen.join("\n")))
    };
    let mut beside = None;
    if !run.beside.is_empty() {
        let (child, mut lines) = place.start(run.beside);
        beside = Some((child, wait_for(&mut lines, "SUBACK"), lines));
    }
    // A list of changes may apply to several examples.
    let changed = run.changes.iter().fold(run.example.to_owned(), |line, (old, new)| line.replace(old, new));
    let command = format!("set -o pipefail; {changed}");
    let (mut child, mut lines) = place.start(&command);
    let outcome = match run.end {
        Never => wait_for(&mut lines, run.prints),
        Success | Load => {
            let printed: Vec<String> = lines.by_ref().collect();
            let printed = printed.join("\n");
            let status = child.wait().unwrap();
            let is_expected = match run.end {
                Load => matches!(status.code(), Some(0 | 3)),
                _ => status.success(),
            };
            if !is_expected {
                Err(format!("{status}\n{printed}"))
            } else if !printed.contains(run.prints) {
                Err(format!("it printed no '{}':\n{printed}", run.prints))
            } else if run.prints.is_empty() && matches!(run.end, Success) && !printed.is_empty() {
                Err(format!("it printed:\n{printed}"))
            } else {
                Ok(())
            }
        }
    };
    let (then, prints) = run.then;
    let outcome = outcome.and_then(|()| {
        let printed = if then.is_empty() { String::new() } else { done(then).1 };
        if printed.contains(prints) {
            Ok(())
        } else {
            Err(format!("$ {then}\nprinted no '{prints}':\n{printed}"))
        }
    });
    if matches!(run.end, Never) {
        end(&mut child);
    }
    if let Some((mut child, ready, _)) = beside {
        end(&mut child);
        ready?;
    }
    outcome
}

/// Loads run one after the other, so that they do not share the machine; other examples run in parallel.
#[test]
fn examples_do_what_the_manual_says() {
    let has_jq =
        std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|path| path.join("jq").exists());
    let wanted = |run: &&Run| has_jq || !run.example.contains("| jq");
    if !has_jq {
        skip("examples with jq: jq is not installed");
    }
    let (loads, others): (Vec<&Run>, Vec<&Run>) =
        RUN.iter().filter(wanted).partition(|run| matches!(run.end, Load));
    let report = |run: &Run| wrong(run).err().map(|why| format!("$ {}\n{why}\n", run.example));
    let mut found: Vec<String> = loads.into_iter().filter_map(report).collect();
    std::thread::scope(|scope| {
        let running: Vec<_> = others.into_iter().map(|run| scope.spawn(|| report(run))).collect();
        found.extend(running.into_iter().filter_map(|one| one.join().unwrap()));
    });
    assert!(found.is_empty(), "{} examples do something else:\n{}", found.len(), found.join("\n"));
}
