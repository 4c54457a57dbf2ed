//! The report of a run: what it holds. The table of its figures is [`figure`].
//!
//! | file | holds |
//! |---|---|
//! | `figure`, `latency` | the table of all figures, and that of latencies and their statistics |
//! | `help` | the figures in the help |
//! | `finding` | problems and notes |
//! | `asked` | what was asked for, as far as the judgement of a run needs it |
//! | `aftermath` | what became of the load around each disturbance |
//! | `broker`, `beside` | what was seen of the broker, and how it is shown |
//! | `group`, `stage` | what each group of clients of a scenario measured; what was measured in each stage |
//! | `balance` | how evenly members of shared-subscription groups get their messages |
//! | `summary` | computes the report from the recorded values, and whether it is valid |
//! | `text`, `html` | the report for people |
//! | `page` | the frame of a page, and its charts |
//! | `export` | the report for programs, and the files it goes to |
//! | `numbers` | numbers for people |

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
    /// Its time was over, and the broker had not answered everything that was sent.
    pub(crate) is_unanswered: bool,
    /// Likewise, and deliveries were still coming.
    pub(crate) is_arriving: bool,
}

/// What a run has led to.
pub(crate) struct RunOutcome {
    pub(crate) recorder: Recorder,
    /// Of each group of a scenario.
    pub(crate) groups: Vec<GroupReport>,
    pub(crate) series: Vec<SeriesSecond>,
    pub(crate) phases: Phases,
    pub(crate) timeline: Timeline,
    /// Length of the measurement.
    pub(crate) window_s: f64,
    /// How long the broker took to be given what it is to retain, if there is anything.
    pub(crate) stored_s: Option<f64>,
    /// It still retains some of it.
    pub(crate) retained_left: bool,
    pub(crate) interrupted: bool,
    /// What has ended it before its time.
    pub(crate) aborted: Option<Aborted>,
    pub(crate) drained: Drained,
    pub(crate) problems: Vec<Problem>,
    /// What was seen of the broker.
    pub(crate) beside: BrokerReport,
    /// What became of disturbances that were begun.
    pub(crate) disturbed: Vec<Disturbed>,
    /// When the first connection was begun, on the monotonic clock in nanoseconds.
    pub(crate) began: u64,
    pub(crate) started: String,
    pub(crate) broker: String,
    pub(crate) protocol: String,
    pub(crate) host: Host,
    pub(crate) payload_bytes: usize,
    /// Messages that the broker lets a client have in flight, up to those that were asked for.
    pub(crate) window: u16,
    pub(crate) process_cpu_s: f64,
    pub(crate) memory_bytes: u64,
    /// Its part in a run of several processes.
    pub(crate) shard: Option<Box<ShardRecord>>,
}

/// What a run has led to. Its figures are read from here by the table of [`figure`].
#[derive(Debug, Clone)]
pub(crate) struct LoadReport {
    pub(crate) mode: Mode,
    pub(crate) qos: u8,
    /// Whether the figures stand for the broker.
    pub(crate) valid: bool,
    /// Why not, and what to know when reading the figures.
    pub(crate) findings: Findings,
    pub(crate) interrupted: bool,
    /// The limit that has ended it before its time.
    pub(crate) aborted: Option<Aborted>,
    /// RFC 3339, UTC.
    pub(crate) started: String,
    pub(crate) host: Host,
    pub(crate) configuration: Configuration,
    /// It is a part of a load: what the others have of it is not known here.
    pub(crate) is_part: bool,
    /// What is needed to merge it with the others.
    pub(crate) shard: Option<Box<ShardRecord>>,
    /// Of what it was merged.
    pub(crate) merged: Option<MergedRun>,
    pub(crate) phases_s: Phases,
    pub(crate) counts: Counts,
    /// Of each group of a scenario.
    pub(crate) groups: Vec<GroupReport>,
    /// The time that connecting took, or should have taken.
    pub(crate) connecting_s: f64,
    /// Length of the measurement: rates are of the events in it, whichever message they belong to.
    pub(crate) window_s: f64,
    /// What clients do in place of publishing.
    pub(crate) operations: Vec<OperationKind>,
    /// How long the broker took to be given what it is to retain, if there is anything.
    pub(crate) stored_s: Option<f64>,
    /// Of shared-subscription groups.
    pub(crate) balance: Option<Balance>,
    /// The time until the broker had read the last message, if it was asked and answered.
    pub(crate) taken_s: Option<f64>,
    /// The latency that thresholds without a name and the live display mean.
    pub(crate) main_latency: Option<LatencyKind>,
    pub(crate) latencies: Vec<Latency>,
    pub(crate) generator: Generator,
    pub(crate) errors: Vec<Cause>,
    pub(crate) thresholds: Vec<ThresholdResult>,
    pub(crate) series: Vec<SeriesSecond>,
    pub(crate) disturbances: Vec<Aftermath>,
    /// What was seen of the broker.
    pub(crate) broker: BrokerReport,
    /// Those that were begun.
    pub(crate) stages: Vec<StageReport>,
}

/// A limit that was broken and has ended the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Aborted {
    /// Since the begin of the measurement.
    pub(crate) after_s: f64,
    /// With what it was then.
    pub(crate) limit: String,
}

impl Aborted {
    pub(crate) fn shown(&self) -> String {
        format!("after {:.1} s: {}", self.after_s, self.limit)
    }
}

/// A stage that was begun.
#[derive(Debug, Clone)]
pub(crate) struct StageReport {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) what: String,
    /// When it began, since the first connection.
    pub(crate) second: f64,
    /// Messages a second that were asked for, on average.
    pub(crate) rate_per_s: f64,
    /// Of the messages that were due in it.
    pub(crate) part: LoadReport,
}

/// How long each took, in seconds.
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
    /// Of each thread in the measurement (of `conn`, while it connects): CPU time by time.
    pub(crate) thread_cpu_share: Vec<f64>,
    /// Of all threads in that time.
    #[cfg_attr(not(feature = "broker"), expect(dead_code, reason = "it is for `calibrate`"))]
    pub(crate) threads_cpu_s: f64,
    pub(crate) process_cpu_s: f64,
    pub(crate) memory_bytes: u64,
    /// Of what `calibrate` found this machine to be able to generate.
    pub(crate) share_of_ceiling: Option<f64>,
}

impl Generator {
    /// The share of its time for which the busiest thread was busy.
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
    /// Null if the run did not yield it, or it is beyond any limit.
    pub(crate) value: Option<f64>,
    pub(crate) limit: f64,
    /// Of both: `us`, `count`, `1/s`, `share` or `bytes`.
    pub(crate) unit: &'static str,
    /// The value for people.
    pub(crate) text: String,
    pub(crate) broken: bool,
    /// What has to hold.
    #[serde(skip)]
    pub(crate) opposite: String,
}

/// What became of a condition that must hold.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ObjectiveResult {
    pub(crate) slo: String,
    /// Null if the run did not yield it, or it is beyond any limit.
    pub(crate) value: Option<f64>,
    pub(crate) limit: f64,
    /// Of both, as of a threshold.
    pub(crate) unit: &'static str,
    /// The value for people.
    pub(crate) text: String,
    pub(crate) held: bool,
}

impl ThresholdResult {
    /// The condition, and what the figure was.
    pub(crate) fn shown(&self) -> String {
        format!("fail if {}: it was {}", self.fail_if, self.text)
    }
}

/// A row of the series: the report and the CSV file have these columns.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SeriesSecond {
    /// When it began, since the first connection.
    pub(crate) second: f64,
    pub(crate) phase: Course,
    pub(crate) connected: u64,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) delivered: u64,
    /// Publishes without answer, at its end.
    pub(crate) in_flight: u64,
    pub(crate) errors: u64,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) max_us: Option<f64>,
    /// Messages due and not sent, at its end.
    pub(crate) overdue: u64,
    /// 1, but for the last row of each phase.
    pub(crate) length_s: f64,
    /// Connections that ended before their time.
    pub(crate) lost: u64,
    /// Clients that went on after that.
    pub(crate) reconnected: u64,
    /// Disturbances that began in it.
    pub(crate) disturbances: u64,
    /// CPU time of the broker's process by time, if it is watched.
    pub(crate) broker_cpu_share: Option<f64>,
    pub(crate) broker_memory_bytes: Option<u64>,
    pub(crate) broker_descriptors: Option<u64>,
    /// The stage in which it began, from 1; 0 if there are none, and outside of the measurement.
    pub(crate) stage: u64,
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
        }
    }

    /// So many of its events as a rate, which a row shorter than a second would not show.
    #[allow(clippy::cast_precision_loss, reason = "a rate needs no 16 digits")]
    pub(crate) fn per_s(&self, count: u64) -> f64 {
        count as f64 / self.length_s.max(0.001)
    }
}

/// Value and count of every bucket in use, from the least.
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

    /// Deliveries that did not come.
    pub(crate) fn lost(&self) -> u64 {
        if self.interrupted || self.is_part { 0 } else { undelivered(&self.counts) }
    }

    /// The same, where it is known.
    pub(crate) fn known_lost(&self) -> Option<u64> {
        (!self.is_part).then(|| self.lost())
    }

    /// Deliveries that had not arrived when the run was interrupted; they may not be lost.
    pub(crate) fn under_way(&self) -> u64 {
        if self.interrupted && !self.is_part { undelivered(&self.counts) } else { 0 }
    }

    /// The part of the expected deliveries that did not come.
    #[allow(clippy::cast_precision_loss, reason = "counts of messages are below 9 × 10¹⁵")]
    pub(crate) fn loss(&self) -> f64 {
        let expected = self.measured().expected;
        if expected == 0 { 0.0 } else { self.lost() as f64 / expected as f64 }
    }

    /// Whether saturation is all that is wrong.
    pub(crate) fn only_saturated(&self) -> bool {
        self.findings.problems.iter().all(|problem| problem.is_saturation())
    }
}

/// Deliveries that did not come: lost, or still under way when the run was interrupted. What came and is
/// too old to tell from a duplicate makes up for nothing.
pub(crate) fn undelivered(counts: &Counts) -> u64 {
    let [warmup, measured] = counts.messages;
    // Messages that carry no stamp tell no phase: all of them are weighed against all.
    if counts.unstamped > 0 {
        return (warmup.expected + measured.expected).saturating_sub(warmup.delivered + measured.delivered);
    }
    measured.expected.saturating_sub(measured.delivered)
}
