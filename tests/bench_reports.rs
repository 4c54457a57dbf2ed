//! Reports of `mqtt bench`: the table, the JSON object, the page, and reports side by side.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde_json::Value;

use crate::bench::{SHORT, bench, count, is_near, is_not_made, number, report, watched};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;

#[test]
fn the_table_fits_its_columns_and_thresholds_decide() {
    let broker = Broker::start();
    let run = |more: &[&str]| {
        let line =
            ["bench", "-h", "127.0.0.1", "-p", &broker.port().to_string(), "--quiet", "--allow-saturated"];
        Mqtt::new(line).args(SHORT).args(more.iter().copied()).run()
    };
    let folder = tempfile::tempdir().unwrap();
    let [csv, junit, markdown] = ["a.csv", "a.xml", "a.md"].map(|name| folder.path().join(name));
    let files = ["--csv", csv.to_str().unwrap(), "--junit", junit.to_str().unwrap()];
    let files = [&files[..], &["--markdown", markdown.to_str().unwrap()]].concat();
    let good = run(&[&["--fail-if", "p99 > 60s", "--fail-if", "loss > 0"], &files[..]].concat()).exits(0);
    for line in good.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(std::fs::read_to_string(&csv).unwrap().starts_with("second,phase,"));
    let tables = std::fs::read_to_string(&markdown).unwrap();
    assert!(tables.starts_with("### mqtt bench e2e against 127.0.0.1:"), "{tables}");
    assert!(tables.contains("\n| lost | 0 |  |\n") && tables.contains("\n* passed: "), "{tables}");
    let xml = std::fs::read_to_string(&junit).unwrap();
    assert!(
        xml.contains("tests=\"3\"") && xml.contains("name=\"p99 &lt;= 60s\"><system-out>it was "),
        "{xml}"
    );
    let bad = run(&[&["--fail-if", "p99 > 1ns"], &files[2..]].concat()).exits(3);
    assert!(bad.lines().iter().any(|line| line.starts_with("FAILED") && line.contains("p99 > 1ns")));
    assert!(std::fs::read_to_string(junit).unwrap().contains("<failure message="));
    let parts = ["delivered < 100%", "Duplicates > 0%", "failed > 0%", "taken < 1", "not_sent > 0"];
    let parts: Vec<&str> = parts.iter().flat_map(|condition| ["--fail-if", condition]).collect();
    let parts = report(&run(&[&["--json"], &parts[..]].concat()).exits(0));
    let share = |place: &str| number(&parts, &format!("/thresholds/{place}"));
    assert_eq!((share("0/value"), share("0/limit"), share("1/value")), (1.0, 1.0, 0.0));
    assert_eq!(parts["thresholds"][0]["unit"], "share");
    assert_eq!(parts["thresholds"][1]["text"], "0.000 %");
}

/// Known figures: the runs of the second side took twice as long.
#[test]
fn change_beyond_its_limit_fails() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let outcome = bench(broker.port(), &["pub", "--qos", "1", "--count", "100"]).run().exits(0);
    let mut report: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    (report["valid"], report["problem_codes"]) = (true.into(), serde_json::json!([]));
    for (name, p99, rate) in [("a", 1000.0, 500.0), ("b", 2000.0, 400.0)] {
        report["latency_us"]["acknowledge"]["p99"] = p99.into();
        report["throughput"]["acknowledged_per_s"] = rate.into();
        std::fs::write(file(name), report.to_string()).unwrap();
    }
    let (a, b) = (file("a"), file("b"));
    let compare = |changes: &[&str]| {
        let changes = changes.iter().flat_map(|change| ["--fail-if", change]);
        Mqtt::new(["bench", "compare", &a, &b]).args(changes)
    };
    let lines = compare(&["p99 +10%", "rate -30%"]).run().exits(3).lines();
    assert!(lines.contains(&"failed: p99 +10% in b: +100.0 % (1.00 ms to 2.00 ms)".into()), "{lines:?}");
    assert!(lines.contains(&"passed: rate -30% in b: -20.0 % (500 to 400)".into()), "{lines:?}");
    compare(&["p99 +100%", "acknowledge p99 -5%", "cpu +0%", "errors +0%", "sent -0%"]).run().exits(0);
    compare(&["rate -19%"]).run().exits(3);
    let unknown = compare(&["delivery p99 +10%"]).run().exits(3).lines();
    assert!(
        unknown.contains(&"failed: delivery p99 +10% in b: not measured on both sides".into()),
        "{unknown:?}"
    );
    let [markdown, html] = ["c.md", "c.html"].map(file);
    let files = ["--json", "--markdown", &markdown, "--html", &html];
    let outcome = compare(&["p99 +10%"]).args(files).run().exits(3);
    let outcome = outcome.mentions("failed: p99 +10% in b");
    let compared = crate::support::report("bench-comparison", &outcome.stdout);
    let page = std::fs::read_to_string(html).unwrap();
    for part in [
        "<td>acknowledge p99</td><td>1.00 ms</td><td>2.00 ms</td><td>2.000 </td>",
        "<h2>Latency by percentile</h2>",
        "<p class=\"bad\">Failed: p99 +10% in b: +100.0 %",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("http:") && !page.contains("NaN"), "{page}");
    assert_eq!(compared["thresholds"][0]["broken"], true);
    assert_eq!(compared["thresholds"][0]["change"], 1.0);
    let markdown = std::fs::read_to_string(markdown).unwrap();
    assert!(markdown.contains("| acknowledge p99 | 1.00 ms | 2.00 ms | 2.000 |\n"), "{markdown}");
    assert!(markdown.contains("* **failed**: p99 +10% in b"), "{markdown}");
}

#[test]
fn sizes_and_qos_are_measured_one_after_the_other() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let markdown = folder.path().join("a.md");
    let line = [
        "e2e",
        "--size",
        "16,100",
        "--qos",
        "0,1",
        "--count",
        "50",
        "--rate",
        "1k",
        "--publishers",
        "2",
        "--subscribers",
        "2",
    ];
    let run = |more: &[&str]| {
        let port = broker.port().to_string();
        let broker = ["--allow-saturated", "-h", "127.0.0.1", "-p", &port];
        Mqtt::new(["bench"]).args(line).args(broker).args(more.iter().copied())
    };
    let [csv, html, junit] =
        ["a.csv", "a.html", "a.xml"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let files = ["--markdown", markdown.to_str().unwrap(), "--csv", &csv, "--html", &html, "--junit", &junit];
    let outcome = run(&[&["--repeat", "2", "--fail-if", "lost > 0"], &files[..]].concat()).run().exits(0);
    let [csv, html, junit] = [csv, html, junit].map(|path| std::fs::read_to_string(path).unwrap());
    assert!(csv.starts_with("run,valid,mode,payload_bytes,qos,connections.attempted,"), "{csv}");
    assert_eq!(csv.matches("\r\n").count(), 9, "{csv}");
    assert!(csv.contains(",messages.lost,") && csv.contains(",latency_us.delivery.p99,"), "{csv}");
    assert!(html.contains("<h2>Loads</h2>") && html.contains("<td>100</td><td>1</td>"), "{html}");
    assert_eq!(junit.matches("run 2: the run is valid").count(), 4, "{junit}");
    assert!(junit.contains("100 bytes, QoS 1, run 1: lost &lt;= 0"), "{junit}");
    let outcome = outcome.mentions("run 1 of 8: 16 bytes, QoS 0").mentions("run 8 of 8: 100 bytes, QoS 1");
    let lines = outcome.lines();
    let beginnings: Vec<String> = lines[..5].iter().map(|line| line.chars().take(12).collect()).collect();
    let expected = ["   bytes QoS", "      16   0", "      16   1", "     100   0", "     100   1"];
    assert_eq!(beginnings, expected);
    assert!(lines.iter().all(|line| line.chars().count() <= 80) && lines[1].contains('±'), "{lines:?}");
    let markdown = std::fs::read_to_string(markdown).unwrap();
    assert!(
        markdown.starts_with("### mqtt bench e2e against 127.0.0.1:")
            && markdown.contains("\n* load of the first run: 2 publishers, 2 subscribers, ")
            && markdown.contains("\n\n| bytes | QoS | rate/s | p50 |")
            && markdown.contains("\n| 100 | 1 |"),
        "{markdown}"
    );
    let outcome = run(&["--json", "--fail-if", "lost >= 0"]).run().exits(3);
    let outcome = outcome.mentions("failed: fail if lost >= 0: it was 0");
    let matrix = crate::support::report("bench-matrix", &outcome.stdout);
    let runs = matrix["runs"].as_array().unwrap();
    let of = |run: &Value| (run["configuration"]["payload_bytes"].clone(), run["messages"]["qos"].clone());
    let found: Vec<_> = runs.iter().map(of).collect();
    let expected =
        [(16, 0), (16, 1), (100, 0), (100, 1)].map(|(size, qos)| (Value::from(size), Value::from(qos)));
    assert_eq!(found, expected);
    assert!(runs.iter().all(|run| count(run, "delivered") == 50));
}

/// The table has the runs before the one that failed.
#[test]
fn runs_before_a_failure_are_shown() {
    let broker = Broker::start();
    let line = ["pub", "--size", "16,50", "--count", "100", "--rate", "100", "--publishers", "1"];
    let port = broker.port().to_string();
    let running =
        Mqtt::new(["bench"]).args(line).args(["-h", "127.0.0.1", "-p", &port, "--allow-saturated"]).spawn();
    running.wait_for_stderr("run 2 of 2");
    drop(broker);
    let outcome = running.finish();
    assert_ne!(outcome.status.code(), Some(0));
    assert!(outcome.lines()[1].starts_with("      16   0"), "{:?}", outcome.lines());
}

#[test]
fn compare_shows_reports_side_by_side() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (name, payload) in [("a", ["--size", "64"]), ("b", ["--payload", "sixteen {client}"])] {
        let line = [&["pub", "--qos", "1", "--count", "100"], &payload[..]].concat();
        let outcome = bench(broker.port(), &line).run().exits(0);
        std::fs::write(file(name), &outcome.stdout).unwrap();
    }
    let (a, b) = (file("a"), file("b"));
    // On a busy machine a run may be late, and thus not valid.
    let line = ["bench", "compare", "--allow-saturated", &a, &b, &a];
    let table = Mqtt::new(line).run().exits(0).lines();
    assert_eq!(table[0].matches("ratio").count(), 2);
    assert!(table.iter().any(|line| line.starts_with("acknowledge p99") && line.ends_with("1.000")));
    for line in ["payload_bytes 64 / 48 / 64", "payload_text null / sixteen {client} / null"] {
        assert!(table.contains(&format!("different: {line}")), "{table:?}");
    }
    let line = ["bench", "compare", "--allow-saturated", "--json", &a, &a, &a, "vs", &b, &b, &b];
    let outcome = Mqtt::new(line).run().exits(0);
    let compared = crate::support::report("bench-comparison", &outcome.stdout);
    assert_eq!(compared["sides"][1]["runs"], 3);
    assert!(compared["figures"][0]["more_than_noise"][0].is_boolean());
    assert_eq!(compared["not_the_same"]["payload_bytes"], serde_json::json!(["64", "48"]));
    // Exit status 3 for an invalid run, as for the run itself.
    let mut invalid: Value = serde_json::from_slice(&std::fs::read(&b).unwrap()).unwrap();
    for (code, options, status) in [
        ("sent-late", &[][..], 3),
        ("sent-late", &["--allow-saturated"], 0),
        ("nothing-measured", &["--allow-saturated"], 3),
    ] {
        (invalid["valid"], invalid["problem_codes"]) = (false.into(), serde_json::json!([code]));
        std::fs::write(&b, invalid.to_string()).unwrap();
        Mqtt::new(["bench", "compare", &b, &b]).args(options).run().exits(status);
    }
    std::fs::write(&a, "{}").unwrap();
    Mqtt::new(["bench", "compare", &a, &b]).run().fails(1, "not a report");
}

/// The description of a load has its own options, and no others.
#[test]
fn the_configuration_has_what_the_mode_has() {
    let broker = Broker::start();
    let run = |line: &[&str]| report(&bench(broker.port(), line).run().exits(0));
    let conn = run(&["conn", "--clients", "1", "--hold", "0.1"]);
    assert_eq!(conn["configuration"]["clients"], 1);
    for name in ["publishers", "subscribers", "rate_per_s", "topics", "topic", "qos", "payload_bytes"] {
        assert!(conn["configuration"].get(name).is_none(), "{name}");
    }
    let publish = run(&["pub", "--publishers", "1", "--count", "2"]);
    assert_eq!(publish["configuration"]["publishers"], 1);
    assert_eq!(publish["configuration"]["rate_per_s"], 1000.0);
    assert!(publish["configuration"].get("subscribers").is_none());
}

/// The header describes the load, including the topic of a URL.
#[test]
fn load_is_the_requested_one() {
    let broker = Broker::start();
    let url = format!("mqtt://127.0.0.1:{}/a/b", broker.port());
    let line = [
        "bench",
        "pub",
        "-L",
        &url,
        "--publishers",
        "1",
        "--rate",
        "95",
        "--jitter",
        "5ms",
        "--count",
        "10",
        "--quiet",
    ];
    let table =
        Mqtt::new(line).args(["--qos", "1", "--size", "48", "--allow-saturated"]).run().exits(0).lines();
    let load = "load             1 publisher, 95/s uniform, jitter up to 5.00ms, QoS 1, 48 bytes";
    assert!(table.iter().any(|line| line == load), "{table:?}");
    assert!(table.iter().any(|line| line.starts_with("(acknowledge) ")), "{table:?}");
    let report = report(&Mqtt::new(line).args(["--json", "--allow-saturated"]).run().exits(0));
    assert_eq!(report["configuration"]["topic"], "a/b");
}

/// Each histogram of the report, when decoded, has the figures of the report.
#[test]
#[allow(clippy::cast_precision_loss, reason = "exact up to 104 days")]
fn the_histograms_are_those_of_hdrhistogram() {
    let broker = Broker::start();
    let line = ["e2e", "--qos", "1", "--rate", "2000", "--duration", "1"];
    let report = report(&bench(broker.port(), &line).run().exits(0));
    let figures = report["latency_us"].as_object().unwrap();
    let histograms = report["histograms_ns"].as_object().unwrap();
    assert!(histograms.keys().eq(figures.keys()) && figures.contains_key("delivery"), "{figures:?}");
    for (name, text) in histograms {
        let bytes = STANDARD.decode(text.as_str().unwrap()).unwrap();
        let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
        let figure = |statistic: &str| figures[name][statistic].as_f64().unwrap();
        let microseconds = |nanoseconds: u64| nanoseconds as f64 / 1000.0;
        assert_eq!(histogram.len(), figures[name]["count"], "{name}");
        for (statistic, quantile) in
            [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99_9", 0.999), ("p99_99", 0.9999)]
        {
            assert_eq!(
                microseconds(histogram.value_at_quantile(quantile)),
                figure(statistic),
                "{name} {statistic}"
            );
        }
        assert_eq!(microseconds(histogram.min()), figure("min"), "{name}");
        assert_eq!(microseconds(histogram.max()), figure("max"), "{name}");
        assert!(is_near(histogram.mean() / 1000.0, figure("mean"), 0.001));
    }
}

/// The page is complete and loads nothing from the network.
#[test]
fn page_loads_nothing_else() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let line = ["e2e", "--duration", "2s", "--rate", "500", "--html", page.to_str().unwrap()];
    let more = ["--topic", "<script>'&\"/{client}", "--fail-if", "p99 > 1ns", "--fail-if", "p99 > 60s"];
    bench(broker.port(), &[&line[..], &more].concat()).run().exits(3);
    let page = std::fs::read_to_string(page).unwrap();
    for part in
        ["Messages a second", "Latency over time", "Latency by percentile", "Connections", "Configuration"]
    {
        assert!(page.contains(&format!("<h2>{part}</h2>")), "{part}");
    }
    for part in [
        "10 publishers, 10 subscribers, 500/s uniform, QoS 0, 64 bytes",
        "Failed: p99 &gt; 1ns: it was",
        "<dt>fail if p99 &gt; 60s</dt><dd class=\"good\">passed: ",
        "<dt>delivered</dt><dd class=\"\">1,000 (",
        "<dt>topic</dt><dd>&lt;script&gt;'&amp;&quot;/{client}</dd>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("acknowledged"), "at QoS 0");
    for outside in ["http:", "https:", "src=", "<script", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf,"));
}

#[test]
fn calibration_gives_the_share_of_the_ceiling() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ceiling.json");
    let outcome = Mqtt::new(["bench", "calibrate", "--duration", "0.5", "--json", "--quiet"]).run().exits(0);
    std::fs::write(&file, &outcome.stdout).unwrap();
    let found: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert!(found["qos0_ceiling_per_s"].as_f64().unwrap() > 1000.0, "{found}");
    let broker = Broker::start();
    let line = ["pub", "--duration", "0.5", "--calibration", file.to_str().unwrap()];
    let report = report(&bench(broker.port(), &line).run().exits(0));
    assert!(number(&report, "/generator/share_of_ceiling") > 0.0);
    let version = "{\"type\":\"bench-calibration\",\"version\":1}";
    std::fs::write(&file, version).unwrap();
    is_not_made(watched(broker.port(), &line), "it has no connections_ceiling_per_s");
}

/// Each part is announced with the name of its row, in the order of the table, and the two kinds of rates are
/// told apart.
#[test]
fn progress_of_a_calibration_agrees_with_its_table() {
    let outcome = Mqtt::new(["bench", "calibrate", "--duration", "300ms", "--threads", "1"]).run().exits(0);
    let table = outcome.lines();
    let rows: Vec<&str> = table[1..4].iter().map(|row| row.split("  ").next().unwrap()).collect();
    let parts: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("mqtt: part ")).collect();
    assert_eq!(parts.len(), rows.len(), "{}", outcome.stderr);
    for (number, (part, row)) in parts.iter().zip(&rows).enumerate() {
        let expected = format!(
            "mqtt: part {} of {}, {row}: these rates are per second of time; ",
            number + 1,
            rows.len()
        );
        assert!(part.starts_with(&expected), "{part} {expected}");
        assert!(part.ends_with("those of the table are per second of CPU time"), "{part}");
    }
    assert!(table[0].contains("a second of CPU") && table[0].contains("a second, 1 thread"), "{}", table[0]);
}
