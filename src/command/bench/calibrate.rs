//! `bench calibrate`: the load that this machine can generate, measured against a sink. The sink and the
//! generator share the machine, so the CPU time of the generator is measured: its ceiling is the rate that it
//! would reach if it had the cores to itself.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use super::super::attention::Attention;
use super::calibration::{KIND, VERSION};
use super::config::{Load, Mode, Rate, StopAfter};
use super::report::LoadReport;
use super::report::numbers::count;
use super::threshold::RunLimits;
use super::watching::Watched;
use super::{director, machine};
use crate::broker::Sink;
use crate::client::options::ClientOptions;
use crate::error::Error;
use crate::output::Diagnostics;
use crate::protocol::QoS;
use crate::quantity::counted;

/// Clients of each part that publishes, and of the part that connects.
const PUBLISHERS: u32 = 100;
const CONNECTIONS: u32 = 2_000;
const WINDOW: u16 = 100;
/// Names of the parts, for both progress and table.
const CONNECTIONS_NAME: &str = "connections";
const QOS_0_NAME: &str = "QoS 0";
const QOS_1_NAME: &str = "QoS 1";

/// Measures and reports.
///
/// # Errors
/// A part failed.
pub(super) async fn run(
    client: &ClientOptions,
    threads: usize,
    duration: Duration,
    as_json: bool,
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Result<String, Error> {
    let sink = Sink::start()?;
    let mut client = client.clone();
    client.aim(&sink.address().ip().to_string(), sink.address().port());
    client.max_inflight = WINDOW;
    let mut load = Load {
        rate: Rate::Max,
        stop: StopAfter::After(Duration::from_millis(100)),
        ..Load::new(Mode::Connect, client, CONNECTIONS, 0, threads)
    };
    machine::check_limits(&load, diagnostics)?;
    let begin = |number: u32, name: &str| {
        diagnostics.state(format_args!(
            "part {number} of 3, {name}: these rates are per second of time; those of the table are per second of CPU time"
        ));
    };
    begin(1, CONNECTIONS_NAME);
    let report = part(&load, attention, diagnostics).await?;
    let connections = per_cpu_second(&report, report.counts.connected);
    load.publishers = PUBLISHERS;
    load.mode = Mode::Publish;
    load.stop = StopAfter::After(duration);
    let mut ceilings = Vec::new();
    for (number, qos, name) in [(2, QoS::AtMostOnce, QOS_0_NAME), (3, QoS::AtLeastOnce, QOS_1_NAME)] {
        load.qos = qos;
        begin(number, name);
        let report = part(&load, attention, diagnostics).await?;
        ceilings.push(per_cpu_second(&report, report.measured().sent));
    }
    #[allow(clippy::cast_precision_loss, reason = "few threads")]
    let cores = threads as f64;
    let report = json!({
        "type": KIND,
        "version": VERSION,
        "threads": threads,
        "connections_per_cpu_s": connections.round(),
        "qos0_messages_per_cpu_s": ceilings[0].round(),
        "qos1_messages_per_cpu_s": ceilings[1].round(),
        "connections_ceiling_per_s": (connections * cores).round(),
        "qos0_ceiling_per_s": (ceilings[0] * cores).round(),
        "qos1_ceiling_per_s": (ceilings[1] * cores).round(),
    });
    if as_json {
        return Ok(format!("{report}\n"));
    }
    let mut out = String::new();
    let rows = [(CONNECTIONS_NAME, connections), (QOS_0_NAME, ceilings[0]), (QOS_1_NAME, ceilings[1])];
    let all = format!("a second, {}", counted(threads as u64, "thread"));
    let _ = writeln!(out, "{:<16} {:>16} {all:>22}", "", "a second of CPU");
    for (name, value) in rows {
        let _ =
            writeln!(out, "{name:<16} {:>16} {:>22}", count(value.round()), count((value * cores).round()));
    }
    let _ = writeln!(
        out,
        "messages of 64 bytes, a window of {WINDOW} at QoS 1; the second column if nothing else runs"
    );
    Ok(out)
}

/// The rate per second of the threads' CPU time.
#[allow(clippy::cast_precision_loss, reason = "a rate needs no 16 digits")]
fn per_cpu_second(report: &LoadReport, done: u64) -> f64 {
    let cpu = report.generator.threads_cpu_s;
    if cpu > 0.0 { done as f64 / cpu } else { 0.0 }
}

async fn part(
    load: &Load,
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Result<LoadReport, Error> {
    let outcome =
        director::run(load.clone(), (&RunLimits::default(), &Watched::default()), attention, diagnostics)
            .await?;
    // An interruption after the measurement counts too: an unfinished calibration has no report.
    match attention.asked() {
        Some(asked) => Err(asked.error()),
        None => Ok(LoadReport::new(load, outcome)),
    }
}
