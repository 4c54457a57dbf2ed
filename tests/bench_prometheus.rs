//! `mqtt bench --prometheus`: the page, and the dashboard before a real Prometheus that scrapes it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use crate::bench::watched;
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::collected::Collected;
use crate::support::mqtt::{Mqtt, Running};
use crate::support::{LIMIT, skip, wait_until};

/// The answer to a request at this port.
fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Starts a load with a page, and waits for its measurement: the load, and the port of the page.
fn load(broker: &Broker, more: &[&str]) -> (Running, u16) {
    let line = ["e2e", "--qos", "1", "--rate", "500", "--duration", "100s", "--prometheus", "0"];
    let running = watched(broker.port(), &line).args(more.iter().copied()).spawn();
    running.wait_for_stderr(" measure ");
    let said = running.stderr();
    let port = said.split("mqtt: metrics: http://127.0.0.1:").nth(1).and_then(|rest| rest.split('/').next());
    let port = port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    (running, port)
}

#[test]
fn page_shows_the_run_while_it_lasts() {
    let broker = Broker::start();
    let (running, port) = load(&broker, &[]);
    let page = get(port, "/metrics");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"), "{page}");
    for part in [
        "\n# TYPE mqtt_bench_messages_sent_total counter\n",
        "\nmqtt_bench_latency_seconds_bucket{kind=\"delivery\",phase=\"measure\",run=\"",
        "le=\"+Inf\"}",
        "\nmqtt_bench_process_cpu_seconds_total{run=\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(page.contains("mqtt_bench_run_info{") && page.contains("mode=\"e2e\""), "{page}");
    let sent = |page: &str| -> f64 {
        let line =
            page.lines().find(|line| line.starts_with("mqtt_bench_messages_sent_total{phase=\"measure\""));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{page}"))
    };
    let before = sent(&page);
    assert!(before > 0.0, "{page}");
    wait_until(|| sent(&get(port, "/metrics")) > before);
    assert!(get(port, "/").starts_with("HTTP/1.1 404 "));
    running.signal(Signal::INT);
    running.wait_for_end().exits(0);
}

#[test]
fn address_in_use_is_an_error_before_the_load() {
    let broker = Broker::start();
    let address = format!("127.0.0.1:{}", broker.port());
    let run = watched(broker.port(), &["e2e"]).args(["--prometheus", &address]).run();
    run.exits(1).mentions(&format!("--prometheus: cannot listen on {address}"));
    Mqtt::new(["bench", "--prometheus", "nowhere"])
        .run()
        .exits(2)
        .mentions("use a port or an IP address with one");
}

/// Ends with the test.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A real Prometheus that scrapes this port each second, and its own port.
fn prometheus(scraped: u16, folder: &std::path::Path) -> Option<(Prometheus, u16)> {
    let config = folder.join("prometheus.yml");
    let text = format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: bench\n    static_configs:\n      - targets: ['127.0.0.1:{scraped}']\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    command.arg("--web.listen-address=127.0.0.1:0").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skip("prometheus is not installed");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let log = Collected::from(child.stderr.take().unwrap(), usize::MAX);
    let server = Prometheus(child);
    let port = || -> Option<u16> {
        let text = log.text();
        let rest = text.split("msg=\"Listening on\" address=127.0.0.1:").nth(1)?;
        rest.split_once('\n')?.0.trim().parse().ok()
    };
    assert!(log.wait(Instant::now() + LIMIT, |_| true));
    wait_until(|| port().is_some());
    let port = port()?;
    wait_until(|| get(port, "/-/ready").contains(" 200 "));
    Some((server, port))
}

/// Characters of a query that are not allowed in a URL, written as %XX.
fn encoded(query: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    query.bytes().map(byte).collect()
}

/// Each query of the dashboard has a value while a load runs.
#[test]
fn every_query_of_the_dashboard_has_an_answer() {
    let broker = Broker::start();
    let pid = std::process::id().to_string();
    let (running, port) = load(&broker, &["--broker-pid", &pid]);
    let folder = tempfile::tempdir().unwrap();
    if let Some((_server, port)) = prometheus(port, folder.path()) {
        let dashboard: Value = serde_json::from_str(include_str!("../dashboards/mqtt-bench.json")).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
        let queries: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
        assert!(queries.len() > 15, "{queries:?}");
        for query in queries {
            let filled = query.replace("$__rate_interval", "10s").replace("$run", ".*");
            let path = format!("/api/v1/query?query={}", encoded(&filled));
            let mut answer = String::new();
            wait_until(|| {
                answer = get(port, &path);
                assert!(answer.contains("\"status\":\"success\""), "{query}: {answer}");
                !answer.contains("\"result\":[]") && !answer.contains("\"NaN\"")
            });
        }
    }
    running.signal(Signal::INT);
    running.wait_for_end().exits(0);
}
