//! `mqtt bench --shard`: parts of a load in several processes, the barrier at which they wait for each other,
//! and the merged report.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bench::{bench, count, report};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::{Mqtt, Outcome, Running};

/// A kind of broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    Mosquitto,
}

pub(crate) enum AnyBroker {
    Embedded(Broker),
    Mosquitto(Mosquitto),
}

impl AnyBroker {
    pub(crate) fn start(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Embedded => Some(Self::Embedded(Broker::start())),
            Kind::Mosquitto => Mosquitto::start(&Setup::new().quiet()).map(Self::Mosquitto),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Embedded(broker) => broker.port(),
            Self::Mosquitto(broker) => broker.port(),
        }
    }
}

const RUN: &str = "r1";

/// A shard, which says on standard error what it waits for.
pub(crate) fn shard(port: u16, (number, of): (u32, u32), line: &[&str], more: &[&str]) -> Mqtt {
    let (kind, rest) = line.split_first().unwrap();
    let (port, name) = (port.to_string(), format!("{number}/{of}"));
    let options = ["--shard", &name, "--run-id", RUN, "--threads", "1", "--json", "--allow-saturated"];
    Mqtt::new(["bench", kind, "-h", "127.0.0.1", "-p", &port]).args(rest).args(options).args(more)
}

/// The reports of all shards of a run with a barrier, as files.
pub(crate) fn shards(port: u16, of: u32, line: &[&str], folder: &Path) -> Vec<PathBuf> {
    let run = |number| shard(port, (number, of), line, &["--barrier", "meet"]).spawn();
    let running: Vec<Running> = (1..=of).map(run).collect();
    running
        .into_iter()
        .enumerate()
        .map(|(place, running)| {
            let outcome = running.finish().exits(0);
            report(&outcome);
            let file = folder.join(format!("s{}.json", place + 1));
            std::fs::write(&file, &outcome.stdout).unwrap();
            file
        })
        .collect()
}

pub(crate) fn merge(files: &[PathBuf], more: &[&str]) -> Outcome {
    Mqtt::new(["bench", "merge", "--json", "--allow-saturated"]).args(files).args(more).run()
}

fn histogram(text: &Value) -> Histogram<u64> {
    let bytes = STANDARD.decode(text.as_str().unwrap()).unwrap();
    Deserializer::new().deserialize(&mut &bytes[..]).unwrap()
}

/// A report with a change.
pub(crate) fn changed(file: &Path, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut report: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    change(&mut report);
    let changed = file.with_file_name(name);
    std::fs::write(&changed, report.to_string()).unwrap();
    changed
}

pub(crate) const LOAD: [&str; 11] =
    ["e2e", "--publishers", "5", "--subscribers", "7", "--qos", "1", "--rate", "500", "--count", "300"];

/// Every count of the merged report equals that of a single run, and every histogram is the sum of those of
/// the shards.
#[rstest]
fn merged_shards_equal_one_run(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(1, 2, 3)] of: u32,
    #[values("pairs", "all")] pattern: &str,
) {
    let Some(broker) = AnyBroker::start(kind) else { return };
    let folder = tempfile::tempdir().unwrap();
    let line = [&LOAD[..], &["--pattern", pattern]].concat();
    let one = report(&bench(broker.port(), &line).run().exits(0));
    let files = shards(broker.port(), of, &line, folder.path());
    let whole = report(&merge(&files, &["--fail-if", "loss > 0"]).exits(0));
    for name in [
        "sent",
        "acknowledged",
        "expected",
        "delivered",
        "lost",
        "duplicates",
        "reordered",
        "stale",
        "foreign",
    ] {
        assert_eq!(count(&whole, name), count(&one, name), "{name}");
    }
    assert_eq!(count(&whole, "sent"), 300);
    for name in ["attempted", "connected", "failed", "lost", "subscribed"] {
        assert_eq!(whole["connections"][name], one["connections"][name], "{name}");
    }
    for name in ["acknowledge", "delivery", "connect", "suback", "schedule_lag"] {
        let number = |report: &Value| report["latency_us"][name]["count"].clone();
        // How often messages were held back by the broker, and so are not counted as late, differs between
        // runs.
        if name != "schedule_lag" {
            assert_eq!(number(&whole), number(&one), "{name}");
        }
        let mut sum = Histogram::<u64>::new(3).unwrap();
        for file in &files {
            let shard: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            for group in shard["shard"]["groups"].as_array().unwrap() {
                for part in ["histograms_ns", "waited_ns"] {
                    let part = &group["recorded"][part][name];
                    if part.is_string() {
                        sum.add(histogram(part)).unwrap();
                    }
                }
            }
        }
        assert_eq!(histogram(&whole["histograms_ns"][name]), sum, "{name}");
    }
    let merged = &whole["merged"];
    assert_eq!((&merged["shards"], &merged["machines"]), (&json!(of), &json!(1)));
    assert_eq!((&merged["missing"], &merged["failed"]), (&json!([]), &json!([])));
    let series = |name: &str| {
        whole["series"].as_array().unwrap().iter().map(|row| row[name].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(series("sent"), 300);
    assert_eq!(series("delivered"), count(&whole, "delivered"));
}

/// Shards of other loads: those that wait for nothing, and a scenario with stages.
#[test]
fn loads_of_every_kind_are_merged() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let conn = ["conn", "--clients", "9", "--hold", "300ms"];
    let whole = report(&merge(&shards(broker.port(), 2, &conn, folder.path()), &[]).exits(0));
    assert_eq!(whole["connections"]["connected"], 9);
    let rr = ["rr", "--publishers", "4", "--subscribers", "2", "--rate", "200", "--count", "100"];
    let whole = report(&merge(&shards(broker.port(), 3, &rr, folder.path()), &[]).exits(0));
    assert_eq!((count(&whole, "delivered"), count(&whole, "lost")), (100, 0));
    assert_eq!(whole["latency_us"]["round_trip"]["count"], 100);
    let scenario = folder.path().join("fleet.toml");
    let text = r#"
        seed = 3
        [[stage]]
        load = "hold 300ms"
        fail-if = ["sent < 1"]
        [[stage]]
        load = "spike 400/s 300ms"
        [[group]]
        name = "devices"
        clients = 7
        publish = { rate = "200/s", qos = 1 }
        [[group]]
        name = "service"
        clients = 2
    "#;
    std::fs::write(&scenario, text).unwrap();
    let line = ["scenario", "run", scenario.to_str().unwrap()];
    let one = report(&bench(broker.port(), &line).run().exits(0));
    let whole = report(&merge(&shards(broker.port(), 3, &line, folder.path()), &[]).exits(0));
    for name in ["sent", "delivered", "lost"] {
        assert_eq!(count(&whole, name), count(&one, name), "{name}");
    }
    for (place, stage) in one["stages"].as_array().unwrap().iter().enumerate() {
        assert_eq!(whole["stages"][place]["messages"]["sent"], stage["messages"]["sent"]);
        assert_eq!(whole["stages"][place]["thresholds"].as_array().unwrap().len(), usize::from(place == 0));
    }
    assert_eq!(whole["groups"][0]["clients"], 7);
    assert_eq!(whole["groups"][1]["delivered"], one["groups"][1]["delivered"]);
}

/// What one shard publishes, another receives, whose figures count from the subscription or from the end of a
/// connection.
#[rstest]
fn operations_of_shards_equal_those_of_one_run(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(1, 2, 3)] of: u32,
) {
    let Some(broker) = AnyBroker::start(kind) else { return };
    let folder = tempfile::tempdir().unwrap();
    let retained = ["retained", "--messages", "30", "--subscribers", "5", "--rate", "50/s"];
    let wills = ["wills", "--clients", "12", "--subscribers", "2", "--rate", "60/s", "--qos", "1"];
    for (line, latency) in [(&retained[..], "all_retained"), (&wills[..], "delivery")] {
        let one = report(&bench(broker.port(), line).run().exits(0));
        let files = shards(broker.port(), of, line, folder.path());
        let whole = report(&merge(&files, &["--fail-if", "loss > 0"]).exits(0));
        for name in ["expected", "delivered", "lost", "foreign"] {
            assert_eq!(count(&whole, name), count(&one, name), "{name} of {line:?}");
        }
        for name in ["stored", "subscribes", "ends", "undone"] {
            assert_eq!(whole["operations"][name], one["operations"][name], "{name} of {line:?}");
        }
        assert_eq!(whole["latency_us"][latency]["count"], one["latency_us"][latency]["count"]);
        let [found, single] = [&whole, &one].map(|report| report["latency_us"][latency]["max"].as_f64());
        assert!(found.is_some() && single.is_some(), "{line:?}");
    }
    let left = Mqtt::new(["retain-clear", "-h", "127.0.0.1", "-p", &broker.port().to_string()]);
    left.args(["bench/#", "--dry-run"]).run().exits(0).prints("");
}

/// More shards than clients, also of the first groups to connect.
#[test]
fn shards_without_clients_take_part() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let loads: [&[&str]; 3] = [
        &[
            "e2e",
            "--publishers",
            "2",
            "--subscribers",
            "1",
            "--rate",
            "200",
            "--count",
            "40",
            "--pattern",
            "all",
        ],
        &["conn", "--clients", "2", "--hold", "100ms"],
        &["retained", "--messages", "10", "--subscribers", "3"],
    ];
    for line in loads {
        let one = report(&bench(broker.port(), line).run().exits(0));
        let whole = report(&merge(&shards(broker.port(), 4, line, folder.path()), &[]).exits(0));
        for name in ["sent", "delivered", "lost"] {
            assert_eq!(count(&whole, name), count(&one, name), "{name} of {line:?}");
        }
        assert_eq!(whole["connections"]["connected"], one["connections"]["connected"]);
        assert_eq!((&whole["merged"]["missing"], &whole["merged"]["failed"]), (&json!([]), &json!([])));
    }
}

/// Shards that started at different times by one clock, and that were interrupted; conditions that differ; and files of
/// shards that were killed.
#[test]
fn shards_that_did_not_measure_together_are_named() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let files = shards(broker.port(), 2, &SHORT, folder.path());
    let with = |name: &str, change: &dyn Fn(&mut Value)| changed(&files[1], name, change);
    let late = with("late.json", &|report| {
        let start = report["shard"]["start_unix_s"].as_f64().unwrap();
        report["shard"]["start_unix_s"] = json!(start + 4.0);
    });
    let both = |second: PathBuf| vec![files[0].clone(), second];
    merge(&both(late), &[]).exits(3).mentions("not valid: the shards started 4.0");
    let elsewhere = with("elsewhere.json", &|report| {
        let start = report["shard"]["start_unix_s"].as_f64().unwrap();
        report["shard"]["start_unix_s"] = json!(start + 4.0);
        report["shard"]["clock"]["identity"] = json!("another machine");
    });
    merge(&both(elsewhere), &[]).exits(0);
    let interrupted = with("interrupted.json", &|report| report["interrupted"] = json!(true));
    merge(&both(interrupted), &[]).exits(3).mentions("interrupted shards: 1 of 2 (2)");
    let other = with("other.json", &|report| report["shard"]["fail_if"] = json!(["sent < 1"]));
    merge(&both(other), &[]).exits(2).mentions("have different --fail-if");
    let whole = std::fs::read(&files[1]).unwrap();
    for (content, words) in [(&b""[..], "empty; was its shard killed"), (&whole[..900], "its end is missing")]
    {
        let torn = folder.path().join("torn.json");
        std::fs::write(&torn, content).unwrap();
        let outcome = merge(&both(torn.clone()), &[]).exits(3);
        let outcome = outcome.mentions("not valid: shards without a report: 1 of 2 (2)");
        assert!(report(&outcome)["errors"].to_string().contains(words), "{words}");
        assert!(!report(&outcome)["note_codes"].to_string().contains("rate-not-reached"), "{words}");
        merge(&[torn], &[]).exits(1).mentions("no shard has a report").mentions(words);
    }
}

/// Reports that do not belong together are refused, and missing ones are named.
#[test]
fn shards_that_do_not_fit_are_named() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let load = ["pub", "--qos", "1", "--publishers", "6", "--rate", "300", "--duration", "300ms"];
    let files = shards(broker.port(), 3, &load, folder.path());
    let missing = merge(&files[..2], &[]).exits(3).mentions("not valid: shards without a report: 1 of 3 (3)");
    let missing = report(&missing);
    assert_eq!((&missing["merged"]["missing"], &missing["valid"]), (&json!([3]), &json!(false)));
    let again = changed(&files[1], "again.json", |_| {});
    merge(&[files[0].clone(), files[1].clone(), again], &[])
        .exits(2)
        .mentions("shard 2 of 3 is in")
        .mentions("again.json");
    let other_run = changed(&files[1], "run.json", |report| report["shard"]["run_id"] = "r2".into());
    merge(&[files[0].clone(), other_run], &[]).exits(2).mentions("is of run r2 with 3 shards");
    let other = changed(&files[1], "rate.json", |report| {
        report["configuration"]["rate_per_s"] = 7.0.into();
        report["shard"]["configuration"] = "0".into();
    });
    merge(&[files[0].clone(), other], &[])
        .exits(2)
        .mentions("have different settings: rate_per_s 7.0 / 300.0");
    let saturated = changed(&files[1], "late.json", |report| report["generator"]["saturated"] = true.into());
    let late = [files[0].clone(), saturated, files[2].clone()];
    let outcome = Mqtt::new(["bench", "merge", "--json"]).args(&late).run();
    let whole = report(&outcome.exits(3).mentions("generator saturated in shards: "));
    let named = whole["merged"]["saturated"].as_array().unwrap();
    assert!(named.contains(&json!(2)), "{named:?}");
    assert_eq!(whole["generator"]["saturated"], true);
    merge(&late, &[]).exits(0);
    let moved = changed(&files[1], "moved.json", |report| report["shard"]["number"] = 4.into());
    merge(&[moved], &[]).exits(1).mentions("invalid shard number 4 of 3");
    let plain = folder.path().join("plain.json");
    let outcome = bench(broker.port(), &load).run().exits(0);
    std::fs::write(&plain, &outcome.stdout).unwrap();
    merge(&[plain], &[]).exits(1).mentions("the report of a run without --shard");
    // Conditions given to shards apply to the merged run, and are not checked before.
    let load = [&load[..], &["--fail-if", "sent > 100", "--fail-if", "sent > 80"]].concat();
    let files = shards(broker.port(), 2, &load, folder.path());
    let whole = report(&merge(&files, &["--fail-if", "connected < 6"]).exits(3).mentions("sent > 80"));
    let verdicts: Vec<&Value> =
        whole["thresholds"].as_array().unwrap().iter().map(|threshold| &threshold["broken"]).collect();
    assert_eq!(verdicts, [&json!(false), &json!(true), &json!(false)]);
}

/// The report of a failed shard names it.
#[test]
fn failed_shard_is_named() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let load = ["pub", "--qos", "1", "--publishers", "4", "--rate", "300", "--duration", "300ms"];
    let good = shard(broker.port(), (1, 2), &load, &[]).run().exits(0);
    let port = broker.port();
    drop(broker);
    let bad = shard(port, (2, 2), &load, &[]).run().exits(1);
    let failed = report(&bad);
    assert_eq!(failed["shard"], json!({"run_id": RUN, "number": 2, "of": 2}));
    let files = [("good.json", &good), ("bad.json", &bad)].map(|(name, outcome)| {
        let file = folder.path().join(name);
        std::fs::write(&file, &outcome.stdout).unwrap();
        file
    });
    let whole = report(&merge(&files, &[]).exits(3).mentions("shards that failed: 1 of 2 (2)"));
    let cause = whole["errors"][0]["cause"].as_str().unwrap();
    assert!(cause.starts_with("shard 2: ") && cause.contains("refused"), "{cause}");
    merge(&files[1..], &[]).exits(1).mentions("no shard has measured anything");
}

/// The merged report in its other forms, and as one side of a comparison.
#[test]
fn merged_report_has_every_form() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let files = shards(broker.port(), 2, &LOAD, folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [whole, csv, html, markdown, junit] = ["w.json", "w.csv", "w.html", "w.md", "w.xml"].map(file);
    let forms = ["-o", &whole, "--csv", &csv, "--html", &html, "--markdown", &markdown, "--junit", &junit];
    let text =
        Mqtt::new(["bench", "merge", "--allow-saturated"]).args(&files).args(forms).run().exits(0).lines();
    assert!(text.contains(&"merged           2 of 2 shards of run r1, on 1 machine".to_owned()), "{text:?}");
    assert!(std::fs::read_to_string(&csv).unwrap().starts_with("second,phase,"));
    assert!(std::fs::read_to_string(&html).unwrap().contains("2 of 2 shards of run r1"));
    assert!(std::fs::read_to_string(&markdown).unwrap().contains("* merged 2 of 2 shards of run r1"));
    assert!(std::fs::read_to_string(&junit).unwrap().contains("the run is valid"));
    Mqtt::new(["bench", "compare", "--allow-saturated", &whole, &whole]).run().exits(0);
    Mqtt::new(["bench", "merge", "-o", &whole, &whole]).run().exits(2).mentions("write over a report");
}

#[test]
fn environment_of_job_schedulers_names_the_shard() {
    let broker = Broker::start();
    let load = ["pub", "--publishers", "4", "--count", "4"];
    let port = broker.port().to_string();
    let auto = |variables: &[(&str, &str)]| {
        let line = [
            "bench",
            "pub",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "--shard",
            "auto",
            "--json",
            "--allow-saturated",
        ];
        let run = Mqtt::new(line).args(&load[1..]);
        variables.iter().fold(run, |run, (name, value)| run.env(name, value))
    };
    let slurm =
        [("SLURM_PROCID", "1"), ("SLURM_NTASKS", "2"), ("SLURM_JOB_ID", "77"), ("SLURM_STEP_ID", "0")];
    let outcome = auto(&slurm)
        .run()
        .exits(0)
        .mentions("shard 2/2 of run slurm-77.0, from SLURM_PROCID=1 and SLURM_NTASKS=2");
    let found = report(&outcome);
    assert_eq!((&found["shard"]["number"], &found["shard"]["clients"]), (&json!(2), &json!(2)));
    auto(&[("PARALLEL_SEQ", "4"), ("PARALLEL_JOBS", "4")]).run().exits(2).mentions("--run-id");
    auto(&[]).args(["--run-id", "x"]).run().exits(2).mentions("no job scheduler variable is set");
}

#[test]
fn options_without_shard_support_are_refused() {
    let refused = |line: &[&str], words: &str| {
        let line = [&["bench"][..], line, &["--shard", "1/2", "--run-id", "x"]].concat();
        Mqtt::new(line).run().exits(2).mentions(words);
    };
    refused(&["e2e"], "needs --barrier or --start-at");
    refused(
        &["e2e", "--stages", "hold 1s", "--start-at", "2099-01-01T00:00:00Z"],
        "--stages of a load with subscribers needs --barrier",
    );
    let at = ["--start-at", "2099-01-01T00:00:00Z"];
    refused(&[&["retained"], &at[..]].concat(), "--shard of retained needs --barrier");
    refused(&[&["wills"], &at[..]].concat(), "--shard of wills needs --barrier");
    refused(&["pub", "--embedded"], "--embedded would start a broker for each shard");
    refused(&["pub", "--size", "16,32"], "--shard is for one load");
    refused(&["pub", "--fail-if", "sent > 1", "--abort-on-fail", "1s"], "--abort-on-fail is not supported");
    let disturbed = ["--reconnect", "always", "--disturb", "1s: drop 10%"];
    refused(
        &[&["conn", "--hold", "9s"], &disturbed[..]].concat(),
        "--disturb with --shard needs --barrier or --start-at",
    );
    refused(
        &[&["e2e", "--start-at", "2099-01-01T00:00:00Z"], &disturbed[..]].concat(),
        "--disturb of a load with subscribers needs --barrier",
    );
    refused(&["conn", "--clients", "1", "--start-at", "2020-01-01T00:00:00Z"], "this time has passed");
    refused(&["find-limit", "pub", "--slo", "p99 < 1s"], "--shard is not supported by find-limit");
    refused(&["pub", "-I", "x"], "-I is not supported with --shard");
    refused(&["pub", "--barrier", &"x".repeat(1001)], "use a short topic");
}

/// All shards start at the given time, and one that is not connected by then fails.
#[test]
fn shards_start_at_a_time() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let at = std::time::SystemTime::now() + Duration::from_secs(3);
    let seconds = at.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let time = jiff::Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap().to_string();
    let run = |number| shard(broker.port(), (number, 2), &LOAD, &["--start-at", &time]).spawn();
    let files: Vec<PathBuf> = [run(1), run(2)]
        .into_iter()
        .enumerate()
        .map(|(place, running)| {
            let outcome = running.finish().exits(0);
            let started = report(&outcome)["shard"]["start_unix_s"].as_f64().unwrap();
            // On a busy machine it may be late.
            let late = Duration::try_from_secs_f64(started + 0.05)
                .unwrap()
                .checked_sub(Duration::from_secs(seconds));
            assert!(late.is_some_and(|late| late < Duration::from_secs(30)), "{started} and {seconds}");
            let file = folder.path().join(format!("{place}.json"));
            std::fs::write(&file, &outcome.stdout).unwrap();
            file
        })
        .collect();
    let whole = report(&merge(&files, &["--fail-if", "loss > 0"]).exits(0));
    assert_eq!(count(&whole, "sent"), 300);
    let late = ["conn", "--clients", "4", "--ramp", "1", "--hold", "100ms"];
    let soon = (jiff::Timestamp::now() + jiff::SignedDuration::from_millis(900)).to_string();
    let outcome = shard(broker.port(), (1, 2), &late, &["--start-at", &soon]).run();
    outcome.exits(1).mentions("the clients were connected").mentions("too late");
}

pub(crate) const SHORT: [&str; 7] = ["pub", "--publishers", "32", "--rate", "1k", "--duration", "300ms"];

#[rstest]
fn barrier_starts_any_number_of_shards(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(1, 2, 16)] of: u32,
) {
    let Some(broker) = AnyBroker::start(kind) else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = shards(broker.port(), of, &SHORT, folder.path());
    let whole = report(&merge(&files, &[]).exits(0));
    assert_eq!(count(&whole, "sent") + count(&whole, "not_sent"), 300);
    let starts: Vec<f64> = files
        .iter()
        .map(|file| {
            let shard: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            shard["shard"]["start_unix_s"].as_f64().unwrap()
        })
        .collect();
    let spread = starts.iter().copied().fold(0.0, f64::max) - starts.iter().copied().fold(f64::MAX, f64::min);
    assert!(spread < 0.5, "they start within the run-up of the barrier: {starts:?}");
}

/// Waiting shards name the missing one, and give up at the timeout.
#[rstest]
fn missing_shard_is_named_at_the_barrier(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(1, 2)] missing: u32,
) {
    let Some(broker) = AnyBroker::start(kind) else { return };
    let more = ["--barrier", "meet", "--barrier-timeout", "1s"];
    let there = 3 - missing;
    let waiting = shard(broker.port(), (there, 2), &SHORT, &more).spawn();
    let outcome =
        waiting.finish().exits(27).mentions(&format!("at the barrier: shard {missing} of 2 not there"));
    assert_eq!(report(&outcome)["shard"]["number"], there);
}

#[rstest]
fn duplicate_and_different_shards_are_named(#[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind) {
    let Some(broker) = AnyBroker::start(kind) else { return };
    let barrier = ["--barrier", "meet"];
    let long = ["pub", "--publishers", "4", "--rate", "100", "--duration", "60s"];
    let start = |number, line: &[&str]| shard(broker.port(), (number, 2), line, &barrier).spawn();
    // Another load.
    let first = start(1, &long);
    let other = start(2, &SHORT);
    other.finish().exits(1).mentions("shard 2 has other options than shard 1");
    first.finish().exits(1).mentions("shard 2 has other options than shard 1");
    // Twice the same number.
    let first = start(1, &long);
    first.wait_for_stderr("waiting for the other shards: 1 of 2 ready, shard 2 of 2 not there");
    let again = start(1, &long);
    first.finish().exits(1).mentions("two processes are shard 1");
    again.finish().exits(1).mentions("two processes are shard 1");
}

/// A shard that arrives after the others have started, because its job was restarted.
#[rstest]
fn late_shard_is_named(#[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind) {
    let Some(broker) = AnyBroker::start(kind) else { return };
    let long = ["pub", "--publishers", "4", "--rate", "100", "--duration", "60s"];
    let more = ["--barrier", "meet", "--if-shard-fails", "continue"];
    let start = |number| shard(broker.port(), (number, 3), &long, &more).spawn();
    let (first, second, third) = (start(1), start(2), start(3));
    for running in [&first, &second, &third] {
        running.wait_for_stderr(" measure ");
    }
    third.signal(Signal::KILL);
    third.finish().dies_of(Signal::KILL);
    first.wait_for_stderr("shard 3 failed: its connection to the broker was lost; this shard continues");
    start(3).finish().exits(1).mentions("shard 3 is late: the others started");
    for running in [first, second] {
        running.signal(Signal::INT);
        running.finish().exits(0);
    }
}

/// Before the start a shard may be killed and restarted, as by a job scheduler.
#[rstest]
fn shard_may_be_restarted_before_the_start(#[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind) {
    let Some(broker) = AnyBroker::start(kind) else { return };
    let start = |number| shard(broker.port(), (number, 3), &SHORT, &["--barrier", "meet"]).spawn();
    let (first, second) = (start(1), start(2));
    first.wait_for_stderr("2 of 3 ready, shard 3 of 3 not there");
    second.signal(Signal::KILL);
    second.finish().dies_of(Signal::KILL);
    first.wait_for_stderr("1 of 3 ready, shards 2, 3 of 3 not there");
    let (second, third) = (start(2), start(3));
    for running in [first, second, third] {
        running.finish().exits(0);
    }
}

/// A shard that cannot connect its clients tells the others, so that they do not wait until their timeout.
#[test]
fn shard_that_is_ended_before_the_start_ends_the_others() {
    let broker = Broker::start();
    let start = |number| shard(broker.port(), (number, 3), &SHORT, &["--barrier", "meet"]).spawn();
    let (first, second) = (start(1), start(2));
    first.wait_for_stderr("2 of 3 ready");
    second.signal(Signal::INT);
    second.finish().exits(0);
    first.finish().exits(1).mentions("shard 2 failed: it was interrupted");
}
