//! The options of `mqtt bench` that watch the broker during the load.

use std::net::{Ipv4Addr, SocketAddr};

use crate::command::bench::{WatchOptions, WatchedProcess};
use crate::error::Error;
use crate::net::page::PageAddress;

/// The sources to watch during the load.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Watching")]
#[allow(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct WatchArgs {
    /// Watch CPU time, memory and open descriptors of the broker's process on this machine
    ///
    /// Read from /proc each second. The series and the report have them, and --fail-if takes them: 'broker-memory > 1Gi'.
    /// With --embedded the value is embedded: each run starts its broker as a process of its own.
    #[arg(long, value_name = "PID", value_parser = process)]
    broker_pid: Option<WatchedProcess>,

    /// Read the broker's own page of metrics for Prometheus each second
    ///
    /// Over plain HTTP, such as http://broker.example:15692/metrics. The page may have 1 MiB and take 0.8
    /// seconds; if it cannot be read, the run continues and the report notes it.
    #[arg(long, value_name = "URL")]
    broker_metrics: Option<PageAddress>,

    /// Keep only this metric of the page, with or without its labels; may be repeated [default: the first
    /// 256]
    ///
    /// The report shows the named ones, and --html draws them.
    #[arg(long, value_name = "NAME", requires = "broker_metrics")]
    broker_metric: Vec<String>,

    /// Keep the numbers that the broker publishes below $SYS
    ///
    /// This uses one more client, with the user and password of the command line.
    #[arg(long)]
    broker_sys: bool,

    /// Offer the run's own metrics to Prometheus at this address, such as 9188 or 127.0.0.1:9188
    ///
    /// A page /metrics over plain HTTP, until the command ends and also between several runs. A port alone is
    /// for this machine only; an address of this machine, such as 0.0.0.0:9188, lets other machines read the page. Port 0 takes a free
    /// one; standard error names it. dashboards/mqtt-bench.json shows the metrics in Grafana.
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = page_address)]
    prometheus: Option<SocketAddr>,
}

/// Checks that `--broker-pid` is `embedded` if and only if the load uses the embedded broker, whose process is not
/// known before the run.
pub(super) fn check_watched(process: Option<WatchedProcess>, is_embedded: bool) -> Result<(), Error> {
    match (process, is_embedded) {
        (Some(WatchedProcess::Pid(pid)), true) => {
            let why = format!("--broker-pid {pid} and --embedded cannot be used together");
            Err(Error::usage(why).with_hint(
                "each run starts the embedded broker as a process of its own; --broker-pid embedded watches it",
            ))
        }
        (Some(WatchedProcess::Embedded), false) => {
            Err(Error::usage("--broker-pid embedded needs --embedded"))
        }
        _ => Ok(()),
    }
}

/// Parses a process: its number, or the one that the run starts.
fn process(text: &str) -> Result<WatchedProcess, String> {
    if text == "embedded" {
        return Ok(WatchedProcess::Embedded);
    }
    let pid = text.parse().ok().filter(|pid| *pid > 0).map(WatchedProcess::Pid);
    pid.ok_or_else(|| "use the number of a process, or embedded with --embedded".into())
}

/// Parses a port of this machine, or an address with one.
fn page_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = text.strip_prefix("localhost:").unwrap_or(text);
    let port = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok()).flatten();
    port.map(|port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)).ok_or_else(|| {
        "use a port or an IP address with one, for example 9188, 127.0.0.1:9188 or [::1]:9188".into()
    })
}

impl WatchArgs {
    pub(super) fn resolve(self) -> Result<WatchOptions, Error> {
        if let Some(empty) = self.broker_metric.iter().find(|name| name.trim().is_empty()) {
            return Err(Error::usage(format!("--broker-metric '{empty}' is not the name of a metric")));
        }
        Ok(WatchOptions {
            broker_pid: self.broker_pid,
            broker_metrics: self.broker_metrics,
            metric_names: self.broker_metric,
            broker_sys: self.broker_sys,
            prometheus: self.prometheus,
        })
    }
}
