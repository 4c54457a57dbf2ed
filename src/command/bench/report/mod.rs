//! The contents of a run's report. The table of its figures is [`figure`].
//!
//! | file | contents |
//! |---|---|
//! | `figure`, `latency` | the table of all figures, and that of latencies and their statistics |
//! | `help` | the figures in the help |
//! | `finding` | problems and notes |
//! | `asked` | the parts of the configuration that are needed to judge a run |
//! | `aftermath` | the effects of each disturbance |
//! | `broker`, `beside` | observations of the broker, and how they are shown |
//! | `group`, `stage` | measurements of each group of clients of a scenario; measurements of each stage |
//! | `balance` | how evenly messages are distributed to members of shared-subscription groups |
//! | `summary` | computes the report from the recorded values, and whether it is valid |
//! | `text`, `html` | the report for users |
//! | `page` | the frame of an HTML page, and its charts |
//! | `export` | the report for programs, and the output files |
//! | `numbers` | numbers as readable text |

mod aftermath;
pub(super) mod asked;
mod balance;
mod beside;
pub(super) mod broker;
pub(super) mod export;
pub(super) mod figure;
pub(super) mod finding;
pub(super) mod group;
pub(super) mod help;
mod html;
pub(super) mod latency;
pub(super) mod markdown;
pub(super) mod numbers;
pub(super) mod page;
mod stage;
mod summary;
pub(super) mod text;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use self::aftermath::Aftermath;
use self::balance::Balance;
use self::broker::BrokerReport;
use self::finding::{Findings, Problem};
use self::group::GroupReport;
use self::latency::{Latency, microseconds, round};
use super::config::{Configuration, Mode};
use super::disturber::Disturbed;
use super::machine::Host;
use super::operation::OperationKind;
use super::recorder::{Counts, LatencyKind, MessageCounts, Recorder, Second};
use super::rows::{Course, Row};
use super::shard::record::{MergedRun, ShardRecord};
use super::stamp::{Phase, Timeline};

/// How the drain ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Drained {
    /// It timed out before the broker had answered all messages.
    pub(crate) is_unanswered: bool,
    /// It timed out while deliveries were still arriving.
    pub(crate) is_arriving: bool,
}

/// The result of a run.
pub(crate) struct RunOutcome {
    pub(crate) recorder: Recorder,
    /// The groups of a scenario.
    pub(crate) groups: Vec<GroupReport>,
    pub(crate) series: Vec<SeriesSecond>,
    pub(crate) phases: Phases,
    pub(crate) timeline: Timeline,
    /// Length of the measurement.
    pub(crate) window_s: f64,
    /// Time to store the retained messages on the broker, if there are any.
    pub(crate) stored_s: Option<f64>,
    /// Whether the broker still retains some of them.
    pub(crate) retained_left: bool,
    pub(crate) interrupted: bool,
    /// The limit that ended the run early.
    pub(crate) aborted: Option<Aborted>,
    pub(crate) drained: Drained,
    pub(crate) problems: Vec<Problem>,
    /// Observations of the broker.
    pub(crate) beside: BrokerReport,
    /// The outcome of disturbances that were started.
    pub(crate) disturbed: Vec<Disturbed>,
    /// When the first connection was started, in nanoseconds of the monotonic clock.
    pub(crate) began: u64,
    pub(crate) started: String,
    pub(crate) broker: String,
    pub(crate) protocol: String,
    pub(crate) host: Host,
    pub(crate) payload_bytes: usize,
    /// The number of messages that the broker allows a client to have in flight, at most the requested
    /// number.
    pub(crate) window: u16,
    pub(crate) process_cpu_s: f64,
    pub(crate) memory_bytes: u64,
    /// The shard's part of a run of several processes.
    pub(crate) shard: Option<Box<ShardRecord>>,
}

/// The report of a run. The table in [`figure`] reads its figures from here.
#[derive(Debug, Clone)]
pub(crate) struct LoadReport {
    pub(crate) mode: Mode,
    pub(crate) qos: u8,
    /// Whether the figures represent the broker.
    pub(crate) valid: bool,
    /// Problems of the run, and notes on its figures.
    pub(crate) findings: Findings,
    pub(crate) interrupted: bool,
    /// The limit that ended the run early.
    pub(crate) aborted: Option<Aborted>,
    /// Start time in RFC 3339, UTC.
    pub(crate) started: String,
    pub(crate) host: Host,
    pub(crate) configuration: Configuration,
    /// Whether this is one shard of a load, whose other shards are unknown here.
    pub(crate) is_part: bool,
    /// The data needed to merge it with the other shards.
    pub(crate) shard: Option<Box<ShardRecord>>,
    /// The shards from which it was merged.
    pub(crate) merged: Option<MergedRun>,
    pub(crate) phases_s: Phases,
    pub(crate) counts: Counts,
    /// The groups of a scenario.
    pub(crate) groups: Vec<GroupReport>,
    /// The time in which connections were made or scheduled, whichever is longer.
    pub(crate) connecting_s: f64,
    /// Length of the measurement. Rates count the events in it, regardless of when their messages were due.
    pub(crate) window_s: f64,
    /// Operations of clients instead of publishing.
    pub(crate) operations: Vec<OperationKind>,
    /// Time to store the retained messages on the broker, if there are any.
    pub(crate) stored_s: Option<f64>,
    /// The balance of shared-subscription groups.
    pub(crate) balance: Option<Balance>,
    /// The time until the broker had read the last message, if it confirmed that.
    pub(crate) taken_s: Option<f64>,
    /// The latency of the live display and of thresholds that name only a statistic.
    pub(crate) main_latency: Option<LatencyKind>,
    pub(crate) latencies: Vec<Latency>,
    pub(crate) generator: Generator,
    pub(crate) errors: Vec<Cause>,
    pub(crate) thresholds: Vec<ThresholdResult>,
    pub(crate) series: Vec<SeriesSecond>,
    pub(crate) disturbances: Vec<Aftermath>,
    /// Observations of the broker.
    pub(crate) broker: BrokerReport,
    /// The stages that were started.
    pub(crate) stages: Vec<StageReport>,
}

/// A broken limit that ended the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Aborted {
    /// Time since the start of the measurement.
    pub(crate) after_s: f64,
    /// The limit, with the value at that time.
    pub(crate) limit: String,
}

impl Aborted {
    pub(crate) fn shown(&self) -> String {
        format!("after {:.1} s: {}", self.after_s, self.limit)
    }
}

/// A stage that was started.
#[derive(Debug, Clone)]
pub(crate) struct StageReport {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) what: String,
    /// When it started, since the first connection.
    pub(crate) second: f64,
    /// Requested messages per second, on average.
    pub(crate) rate_per_s: f64,
    /// The figures of the messages that were due in it.
    pub(crate) part: LoadReport,
}

/// The length of each phase in seconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Phases {
    pub(crate) connect: f64,
    pub(crate) subscribe: f64,
    pub(crate) warmup: f64,
    pub(crate) measure: f64,
    pub(crate) drain: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Generator {
    pub(crate) saturated: bool,
    /// CPU time of each thread divided by the time, in the measurement (for `conn`: while connecting).
    pub(crate) thread_cpu_share: Vec<f64>,
    /// CPU time of all threads in that time.
    #[cfg_attr(not(feature = "broker"), expect(dead_code, reason = "it is for `calibrate`"))]
    pub(crate) threads_cpu_s: f64,
    pub(crate) process_cpu_s: f64,
    pub(crate) memory_bytes: u64,
    /// The share of the rate that `calibrate` found as this machine's ceiling.
    pub(crate) share_of_ceiling: Option<f64>,
}

impl Generator {
    /// The share of the time in which the busiest thread was busy.
    pub(crate) fn busiest(&self) -> f64 {
        self.thread_cpu_share.iter().copied().fold(0.0, f64::max)
    }
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cause {
    pub(crate) cause: String,
    pub(crate) count: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ThresholdResult {
    pub(crate) fail_if: String,
    /// Null if the run has no value, or the value is infinite.
    pub(crate) value: Option<f64>,
    pub(crate) limit: f64,
    /// The unit of value and limit: `us`, `count`, `1/s`, `share` or `bytes`.
    pub(crate) unit: &'static str,
    /// The value as text.
    pub(crate) text: String,
    pub(crate) broken: bool,
    /// The condition that has to hold.
    #[serde(skip)]
    pub(crate) opposite: String,
}

/// The result of a condition that must hold.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ObjectiveResult {
    pub(crate) slo: String,
    /// Null if the run has no value, or the value is infinite.
    pub(crate) value: Option<f64>,
    pub(crate) limit: f64,
    /// The unit of value and limit, as for thresholds.
    pub(crate) unit: &'static str,
    /// The value as text.
    pub(crate) text: String,
    pub(crate) held: bool,
}

impl ThresholdResult {
    /// The condition and the measured value.
    pub(crate) fn shown(&self) -> String {
        format!("fail if {}: it was {}", self.fail_if, self.text)
    }
}

/// A row of the series; JSON report and CSV file have these columns.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SeriesSecond {
    /// When it started, since the first connection.
    pub(crate) second: f64,
    pub(crate) phase: Course,
    pub(crate) connected: u64,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) delivered: u64,
    /// Unacknowledged messages at its end.
    pub(crate) in_flight: u64,
    pub(crate) errors: u64,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) max_us: Option<f64>,
    /// Messages due but not sent at its end.
    pub(crate) overdue: u64,
    /// 1, except for the last row of each phase.
    pub(crate) length_s: f64,
    /// Connections lost in it.
    pub(crate) lost: u64,
    /// Clients that resumed after a reconnect.
    pub(crate) reconnected: u64,
    /// Disturbances that started in it.
    pub(crate) disturbances: u64,
    /// CPU time of the broker's process divided by the time, if it is observed.
    pub(crate) broker_cpu_share: Option<f64>,
    pub(crate) broker_memory_bytes: Option<u64>,
    pub(crate) broker_descriptors: Option<u64>,
    /// The stage in which the row started, from 1; 0 without stages, and outside the measurement.
    pub(crate) stage: u64,
    /// Operations done in it, of loads that have some.
    pub(crate) operations: u64,
}

impl SeriesSecond {
    pub(crate) fn new(row: Row, began: u64, second: &Second) -> Self {
        let seconds = |nanoseconds: u64| round(microseconds(nanoseconds) / 1e6);
        let latency = second.latency.as_ref().filter(|latency| !latency.is_empty());
        let at = |quantile| latency.map(|latency| microseconds(latency.value_at_quantile(quantile)));
        Self {
            second: seconds(second.begin.saturating_sub(began)),
            phase: row.course,
            connected: second.connected,
            sent: second.sent,
            acknowledged: second.acknowledged,
            delivered: second.delivered,
            in_flight: second.in_flight,
            errors: second.errors,
            p50_us: at(0.5),
            p99_us: at(0.99),
            max_us: latency.map(|latency| microseconds(latency.max())),
            overdue: second.overdue,
            length_s: seconds(second.end.saturating_sub(second.begin)),
            lost: second.lost,
            reconnected: second.reconnected,
            disturbances: 0,
            broker_cpu_share: None,
            broker_memory_bytes: None,
            broker_descriptors: None,
            stage: 0,
            operations: second.operations,
        }
    }

    /// A count of the row as a rate, which matters for rows shorter than a second.
    #[allow(clippy::cast_precision_loss, reason = "a rate needs no 16 digits")]
    pub(crate) fn per_s(&self, count: u64) -> f64 {
        count as f64 / self.length_s.max(0.001)
    }
}

/// Value and count of each non-empty bucket, in ascending order.
pub(crate) fn buckets(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
    let recorded = histogram.iter_recorded();
    recorded.map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value())).collect()
}

#[allow(clippy::cast_precision_loss, reason = "a rate needs no 16 digits")]
pub(crate) fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { round(count as f64 / seconds) } else { 0.0 }
}

impl LoadReport {
    /// Messages of the measurement.
    pub(crate) fn measured(&self) -> &MessageCounts {
        &self.counts.messages[Phase::Measure as usize]
    }

    pub(crate) fn latency(&self, kind: LatencyKind) -> Option<&Latency> {
        self.latencies.iter().find(|latency| latency.kind == kind)
    }

    /// Deliveries that did not arrive.
    pub(crate) fn lost(&self) -> u64 {
        if self.interrupted || self.is_part { 0 } else { undelivered(&self.counts) }
    }

    /// Deliveries that did not arrive, if that is known.
    pub(crate) fn known_lost(&self) -> Option<u64> {
        (!self.is_part).then(|| self.lost())
    }

    /// Deliveries that had not arrived when the run was interrupted; they may still be in flight.
    pub(crate) fn under_way(&self) -> u64 {
        if self.interrupted && !self.is_part { undelivered(&self.counts) } else { 0 }
    }

    /// The share of the expected deliveries that did not arrive.
    #[allow(clippy::cast_precision_loss, reason = "counts of messages are below 9 × 10¹⁵")]
    pub(crate) fn loss(&self) -> f64 {
        let expected = self.measured().expected;
        if expected == 0 { 0.0 } else { self.lost() as f64 / expected as f64 }
    }

    /// Whether saturation is the only problem.
    pub(crate) fn only_saturated(&self) -> bool {
        self.findings.problems.iter().all(|problem| problem.is_saturation())
    }
}

/// Deliveries that did not arrive: lost, or still in flight when the run was interrupted. Arrivals too old to
/// tell from duplicates do not offset them.
pub(crate) fn undelivered(counts: &Counts) -> u64 {
    let [warmup, measured] = counts.messages;
    // Messages without a stamp do not show their phase, so totals over all phases are compared.
    if counts.unstamped > 0 {
        return (warmup.expected + measured.expected).saturating_sub(warmup.delivered + measured.delivered);
    }
    measured.expected.saturating_sub(measured.delivered)
}
