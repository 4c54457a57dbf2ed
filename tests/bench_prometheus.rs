//! `mqtt bench --prometheus`: the page, and the dashboard with a real Prometheus that scrapes it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Instant;

use ::mqtt::protocol::Protocol;
use rustix::process::Signal;
use serde_json::Value;

use crate::bench::watched;
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::collected::Collected;
use crate::support::mqtt::{Mqtt, Running};
use crate::support::packets;
use crate::support::server::Server;
use crate::support::{LIMIT, skip, wait_until};

/// The answer to an HTTP request to this port.
fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Starts a load with a page, and waits for its measurement: returns the load, and the port of the page.
fn load(broker: &Broker, more: &[&str]) -> (Running, u16) {
    let line = ["e2e", "--qos", "1", "--rate", "500", "--duration", "100s", "--prometheus", "0"];
    let running = watched(broker.port(), &line).args(more.iter().copied()).spawn();
    running.wait_for_stderr(" measure ");
    let port = page_port(&running);
    (running, port)
}

/// The port of the page, from standard error.
fn page_port(running: &Running) -> u16 {
    let said = running.stderr();
    let port = said.split("mqtt: metrics: http://127.0.0.1:").nth(1).and_then(|rest| rest.split('/').next());
    port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("{said}"))
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

/// Two runs with a broker that delays each: before it accepts the connection, and before it reads the
/// messages.
#[test]
fn page_is_served_between_runs_and_changes_with_them() {
    const V: Protocol = Protocol::V3_1_1;
    let (go_on, wait) = channel::<()>();
    let server = Server::start(move |listener| {
        for _ in 0..2 {
            let mut probe = listener.accept();
            probe.expect_connect(V);
            wait.recv().unwrap();
            probe.send(&packets::connack(V, false, 0));
            probe.expect_disconnect(V);
            let mut publisher = listener.accept_session(V);
            (0..2).for_each(|_| assert_eq!(publisher.packet()[0], 0x30));
            publisher.expect(V, &packets::pingreq());
            wait.recv().unwrap();
            publisher.send(&packets::pingresp());
            publisher.expect_disconnect(V);
        }
    });
    let line = ["pub", "-V", "311", "--publishers", "1", "--count", "2", "--repeat", "2", "--drain", "100s"];
    let running =
        watched(server.port(), &line).args(["--prometheus", "0", "--connect-timeout", "100"]).spawn();
    running.wait_for_stderr("run 1 of 2");
    let port = page_port(&running);
    assert_eq!(runs_on(&get(port, "/metrics")), None, "no run has begun");
    go_on.send(()).unwrap();
    let first = wait_for_run(port, None);
    go_on.send(()).unwrap();
    running.wait_for_stderr("run 2 of 2");
    let between = get(port, "/metrics");
    assert_eq!(runs_on(&between), Some(first.clone()), "{between}");
    let sent = between.lines().filter(|line| line.starts_with("mqtt_bench_messages_sent_total"));
    assert_eq!(sent.filter(|line| line.ends_with(" 2")).count(), 1, "{between}");
    go_on.send(()).unwrap();
    wait_for_run(port, Some(&first));
    go_on.send(()).unwrap();
    running.wait_for_end().exits(0);
    server.finish();
}

/// Waits until the page shows another run.
fn wait_for_run(port: u16, other_than: Option<&String>) -> String {
    let mut found = None;
    wait_until(|| {
        found = runs_on(&get(port, "/metrics"));
        found.is_some() && found.as_ref() != other_than
    });
    found.unwrap()
}

/// The label of the run that the page shows.
fn runs_on(page: &str) -> Option<String> {
    let info = page.lines().find(|line| line.starts_with("mqtt_bench_run_info{"))?;
    Some(info.split("run=\"").nth(1)?.split('"').next()?.to_owned())
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

/// A process that ends with the test.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A real Prometheus that scrapes this port each second; returns its own port too.
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

/// A query with reserved characters encoded as %XX.
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
