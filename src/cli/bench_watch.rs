//! The options of `mqtt bench` that watch the broker during the load.

use std::net::{Ipv4Addr, SocketAddr};

use crate::command::bench::WatchOptions;
use crate::error::Error;
use crate::net::page::PageAddress;

/// The sources to watch during the load.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Watching")]
#[allow(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct WatchArgs {
    /// Process of the broker on this machine, to watch its CPU time, memory and open descriptors
    ///
    /// Read from /proc each second. The series and the report have them, and --fail-if takes them: 'broker-memory > 1Gi'.
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    #[cfg_attr(feature = "broker", arg(conflicts_with = "embedded"))]
    broker_pid: Option<u32>,

    /// The broker's page of metrics for Prometheus, to read its numbers each second
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

    /// Subscribe to $SYS/#, and keep the numbers that the broker publishes there
    ///
    /// This uses one more client, with the user and password of the command line.
    #[arg(long)]
    broker_sys: bool,

    /// Offer the run's own metrics to Prometheus at this address, such as 9188 or 127.0.0.1:9188
    ///
    /// A page /metrics over plain HTTP, as long as the run lasts. A port alone is for this machine only; an
    /// address of this machine, such as 0.0.0.0:9188, lets other machines read the page. Port 0 takes a free
    /// one; standard error names it. dashboards/mqtt-bench.json shows the metrics in Grafana.
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = page_address)]
    prometheus: Option<SocketAddr>,
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
