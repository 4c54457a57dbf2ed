//! Observations of `mqtt bench` besides the load: the broker's process, its page of metrics, `$SYS`.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bench::{bench, number, report, watched};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::Mqtt;

const LOAD: [&str; 5] = ["e2e", "--rate", "200", "--duration", "3s"];

fn notes(report: &Value) -> Vec<&str> {
    report["note_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect()
}

fn samples<'a>(report: &'a Value, name: &str) -> &'a Value {
    let all = report["broker_samples"].as_array().expect("samples");
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name} in {all:?}"))
}

/// A server that answers each request with the next of these, and later ones with the last.
fn serve(answers: &'static [&'static str]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // The thread ends with the test program.
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answers[number.min(answers.len() - 1)].as_bytes());
        }
    });
    port
}

#[test]
fn process_and_sys_of_the_broker_are_in_the_report() {
    let Some(broker) = Mosquitto::start(&Setup::new()) else { return };
    let pid = broker.process_id().to_string();
    let folder = tempfile::tempdir().unwrap();
    let html = folder.path().join("a.html");
    let options = ["--broker-pid", &pid, "--broker-sys", "--fail-if", "broker-memory > 1Gi"];
    let run = bench(broker.port(), &LOAD).args(options).args(["--fail-if", "broker-cpu > 6400%"]);
    let report = report(&run.arg_path("--html", &html).run().exits(0));
    assert!(number(&report, "/broker/memory_bytes") > 1e6 && number(&report, "/broker/descriptors") > 3.0);
    assert!(number(&report, "/broker/cpu_share_max") >= number(&report, "/broker/cpu_share"));
    let rows = report["series"].as_array().unwrap();
    assert!(
        rows.iter().any(|row| row["phase"] == "measure" && row["broker_memory_bytes"].as_u64() > Some(1))
    );
    let uptime = samples(&report, "$SYS/broker/uptime");
    assert_eq!(uptime["source"], "sys");
    assert!(uptime["last"].as_f64() >= uptime["first"].as_f64(), "{uptime}");
    assert!(!notes(&report).iter().any(|note| note.starts_with("broker-")), "{report:#}");
    let page = std::fs::read_to_string(html).unwrap();
    for part in
        ["<h2>CPU of the broker</h2>", "<h2>Memory of the broker</h2>", "mosquitto: CPU ", "broker $SYS"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
}

/// The report has no observations that were not requested.
#[test]
fn broker_is_observed_only_on_request() {
    let broker = Broker::start();
    let report = report(&bench(broker.port(), &["e2e", "--count", "10"]).run().exits(0));
    assert!(report["broker"].as_object().unwrap().values().all(Value::is_null), "{report:#}");
    assert_eq!(report.get("broker_samples"), None);
}

#[test]
fn metrics_of_the_broker_are_read_each_second_and_failures_are_noted() {
    let broker = Broker::start();
    let port = serve(&[
        "HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\na_total{x=\"1\"} 5\nqueue 7\nother 1\n\n",
        "HTTP/1.1 200 OK\r\n\r\na_total{x=\"1\"} 25\nqueue 3\n",
        "HTTP/1.1 503 Busy\r\n\r\n",
    ]);
    let url = format!("http://127.0.0.1:{port}/metrics?secret");
    let folder = tempfile::tempdir().unwrap();
    let html = folder.path().join("a.html");
    let names = ["--broker-metric", "a_total", "--broker-metric", "queue", "--broker-metric", "none"];
    let run = watched(broker.port(), &LOAD).args(["--broker-metrics", &url]).args(names);
    let outcome = run.arg_path("--html", &html).run().exits(0);
    let outcome =
        outcome.mentions("/metrics: the server answered with HTTP status 503; the run continues without it");
    let report = report(&outcome.does_not_mention("secret"));
    let queue = samples(&report, "queue");
    let values: Vec<f64> = ["first", "last", "least", "most"].map(|key| queue[key].as_f64().unwrap()).into();
    assert_eq!(values, [7.0, 3.0, 3.0, 7.0]);
    assert_eq!(samples(&report, "a_total{x=\"1\"}")["last"], 25.0);
    assert_eq!(report["broker_samples"].as_array().unwrap().len(), 2);
    assert_eq!(notes(&report), ["broker-page-failed", "broker-metrics-missing"]);
    let page = std::fs::read_to_string(html).unwrap();
    assert!(page.contains("<h2>a_total{x=&quot;1&quot;}, a second</h2>"), "{page}");
    assert!(page.contains("queue: 7 to 3, at most 7") && !page.contains("secret"), "{page}");
}

#[test]
fn end_of_the_broker_process_is_a_note() {
    let broker = Broker::start();
    let mut process = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let pid = process.id().to_string();
    let running = watched(broker.port(), &LOAD).args(["--broker-pid", &pid]).spawn();
    running.wait_for_stderr(" measure ");
    drop(process.stdin.take());
    process.wait().unwrap();
    let report = report(&running.wait_for_end().exits(0));
    assert_eq!(notes(&report), ["broker-process-ended"]);
    assert!(number(&report, "/broker/memory_bytes") > 0.0);
}

/// No server listens on this port: the check comes before the first connection.
#[test]
fn unusable_options_are_refused_before_the_first_connection() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    for (options, why) in [
        (&["--broker-pid", "4294967295"][..], "there is no such process on this machine"),
        (&["--broker-pid", "0"], "--broker-pid"),
        (&["--broker-metrics", "https://a/metrics"], "only http:// is supported"),
        (&["--broker-metric", "a"], "--broker-metrics"),
        (&["--broker-pid", "embedded"], "--broker-pid embedded needs --embedded"),
    ] {
        Mqtt::new(["bench", "-h", "127.0.0.1", "-p", &port]).args(options).run().exits(2).mentions(why);
    }
}

/// Each run has another embedded broker, whose process is not known beforehand.
#[test]
fn process_of_the_embedded_broker_is_watched() {
    let line = ["bench", "pub", "--embedded", "--repeat", "2", "--rate", "100", "--duration", "1500ms"];
    let options = ["--broker-pid", "embedded", "--allow-saturated", "--quiet", "--json"];
    let outcome = Mqtt::new(line).args(options).run().exits(0);
    let matrix: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    for run in matrix["runs"].as_array().unwrap() {
        assert!(number(run, "/broker/memory_bytes") > 1e6, "{}", run["broker"]);
        assert!(
            run["note_codes"]
                .as_array()
                .unwrap()
                .iter()
                .all(|code| !code.as_str().unwrap().starts_with("broker-"))
        );
    }
    assert_eq!(matrix["runs"].as_array().unwrap().len(), 2);
    let refused = Mqtt::new(["bench", "--embedded", "--broker-pid", "1"]).run().exits(2);
    refused.mentions("cannot be used together").mentions("--broker-pid embedded watches it");
}
