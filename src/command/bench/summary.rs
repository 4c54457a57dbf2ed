//! The report: plain figures, each with its unit in its name, and how they follow from what was
//! recorded.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use super::config::{Load, Mode};
use super::configuration::Configuration;
use super::finding::{Findings, Note, Problem};
use super::phases::Outcome;
use super::recorder::{Counts, Kind, Second};
use super::rows::{Course, Row};
use super::stamp::{self, Phase};
use super::verdict::{self, Unanswered};
use crate::protocol::QoS;

/// The type of the report.
pub(super) const KIND: &str = "bench";
/// The version of its form.
pub(super) const VERSION: u32 = 1;
/// A thread that is busy for this part of the time has no time to be on time.
const MOST_CPU: f64 = 0.95;
/// Shares of CPU time are of this time or longer: what a thread does in a moment says nothing.
const SHORTEST_WATCH: u64 = 100_000_000;

#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) version: u32,
    pub(super) tool_version: &'static str,
    pub(super) mode: Mode,
    /// Whether the figures stand for the broker.
    pub(super) valid: bool,
    /// Why not, and what to know when reading the figures.
    #[serde(flatten)]
    pub(super) findings: Findings,
    pub(super) interrupted: bool,
    /// RFC 3339, UTC.
    pub(super) started: String,
    pub(super) host: Host,
    pub(super) configuration: Configuration,
    pub(super) phases_s: Phases,
    pub(super) connections: Connections,
    pub(super) messages: MessageFigures,
    pub(super) throughput: Throughput,
    /// The latency thresholds without a name and the live display mean.
    pub(super) main_latency: Option<String>,
    pub(super) latency_us: BTreeMap<&'static str, Latency>,
    /// Of those latencies, and of others that have none at all, what is missing.
    #[serde(skip)]
    pub(super) unanswered: BTreeMap<&'static str, Unanswered>,
    pub(super) generator: Generator,
    pub(super) errors: Vec<Cause>,
    pub(super) thresholds: Vec<ThresholdResult>,
    pub(super) series: Vec<SeriesSecond>,
    #[serde(serialize_with = "encoded")]
    pub(super) histograms_ns: BTreeMap<&'static str, Histogram<u64>>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Host {
    pub(super) os: String,
    pub(super) architecture: String,
    pub(super) kernel: String,
    pub(super) cpus: usize,
    pub(super) memory_bytes: u64,
}

/// How long each took, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Phases {
    pub(super) connect: f64,
    pub(super) subscribe: f64,
    pub(super) warmup: f64,
    pub(super) measure: f64,
    pub(super) drain: f64,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Connections {
    pub(super) attempted: u64,
    pub(super) connected: u64,
    pub(super) failed: u64,
    pub(super) lost: u64,
    pub(super) connected_per_s: f64,
    pub(super) subscribed: u64,
    pub(super) refused_subscriptions: u64,
}

/// Messages of the measurement.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct MessageFigures {
    pub(super) qos: u8,
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) refused: u64,
    pub(super) unacknowledged: u64,
    pub(super) not_sent: u64,
    pub(super) expected: u64,
    pub(super) delivered: u64,
    pub(super) lost: u64,
    /// Deliveries that had not come when the run was interrupted: nobody knows whether they are lost.
    pub(super) under_way: u64,
    /// Null with messages without a stamp, which are all alike.
    pub(super) duplicates: Option<u64>,
    pub(super) reordered: Option<u64>,
    pub(super) stale: u64,
    pub(super) foreign: u64,
    pub(super) corrupt: u64,
    /// Counted, but too small to be told apart or timed.
    pub(super) unstamped: u64,
    /// Sent before the measurement, and not part of the figures above.
    pub(super) warmup_sent: u64,
}

/// Events in the window of the measurement, whichever message they belong to, by its length.
#[derive(Debug, Clone, Copy, Serialize)]
#[allow(clippy::struct_field_names, reason = "the names are the report's, with their units")]
pub(super) struct Throughput {
    pub(super) window_s: f64,
    pub(super) sent_per_s: f64,
    pub(super) acknowledged_per_s: f64,
    pub(super) delivered_per_s: f64,
    pub(super) delivered_bytes_per_s: f64,
    /// Messages sent, by the time until the server had read the last of them; null if it was not
    /// asked or did not answer.
    pub(super) taken_per_s: Option<f64>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Latency {
    pub(super) count: u64,
    /// Of them, those that had no answer when the run ended, with the time they had waited.
    pub(super) unanswered: u64,
    pub(super) min: f64,
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) p99_99: f64,
    pub(super) max: f64,
}

impl Latency {
    fn of(histogram: &Histogram<u64>, answered: Option<&Histogram<u64>>, unanswered: u64) -> Self {
        let at = |quantile| microseconds(histogram.value_at_quantile(quantile));
        Self {
            count: histogram.len(),
            unanswered,
            // What was due in the last instant and had no answer has waited for nothing yet.
            min: microseconds(answered.unwrap_or(histogram).min()),
            mean: round(histogram.mean() / 1000.0),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: microseconds(histogram.max()),
        }
    }

    /// A statistic by the name thresholds have for it.
    pub(super) fn get(&self, statistic: &str) -> f64 {
        match statistic {
            "min" => self.min,
            "mean" => self.mean,
            "p50" => self.p50,
            "p90" => self.p90,
            "p95" => self.p95,
            "p99" => self.p99,
            "p99.9" => self.p99_9,
            "p99.99" => self.p99_99,
            _ => self.max,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Generator {
    pub(super) saturated: bool,
    /// Of each thread in the measurement (of `conn`, while it connects): CPU time by time.
    pub(super) thread_cpu_share: Vec<f64>,
    /// Of all threads in that time.
    #[serde(skip)]
    pub(super) threads_cpu_s: f64,
    pub(super) process_cpu_s: f64,
    pub(super) memory_bytes: u64,
    pub(super) schedule_lag_p99_us: f64,
    pub(super) blocked_sockets: u64,
    pub(super) full_windows: u64,
    /// Of what `calibrate` found this machine to be able to generate.
    pub(super) share_of_ceiling: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Cause {
    pub(super) cause: String,
    pub(super) count: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ThresholdResult {
    pub(super) fail_if: String,
    /// Null if the run did not yield it, or it is beyond any limit.
    pub(super) value: Option<f64>,
    pub(super) limit: f64,
    /// Of both: `us`, `count`, `1/s`, `share` or `bytes`.
    pub(super) unit: &'static str,
    /// The value for people.
    pub(super) text: String,
    pub(super) broken: bool,
    /// What has to hold.
    #[serde(skip)]
    pub(super) opposite: String,
}

impl ThresholdResult {
    /// The condition, and what the figure was.
    pub(super) fn shown(&self) -> String {
        format!("fail if {}: it was {}", self.fail_if, self.text)
    }
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct SeriesSecond {
    /// When it began, since the first connection.
    pub(super) second: f64,
    pub(super) phase: Course,
    pub(super) connected: u64,
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) delivered: u64,
    /// Publishes without answer, at its end.
    pub(super) in_flight: u64,
    pub(super) errors: u64,
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
    pub(super) max_us: Option<f64>,
    /// Messages due and not sent, at its end.
    pub(super) overdue: u64,
    /// 1, but for the last row of each phase.
    pub(super) length_s: f64,
}

impl SeriesSecond {
    pub(super) fn new(row: Row, began: u64, second: &Second) -> Self {
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
        }
    }

    /// So many of its events as a rate, which a row shorter than a second would not show.
    #[allow(clippy::cast_precision_loss, reason = "a rate needs no 16 digits")]
    pub(super) fn per_s(&self, count: u64) -> f64 {
        count as f64 / self.length_s.max(0.001)
    }
}

/// Histograms in the form in which those of `HdrHistogram` exchange theirs, V2 and compressed, as
/// base64: a line of its logs. Without compression most of them would not take it.
fn encoded<S: Serializer>(
    histograms: &BTreeMap<&'static str, Histogram<u64>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut texts = BTreeMap::new();
    for (name, histogram) in histograms {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(histogram, &mut bytes).map_err(S::Error::custom)?;
        texts.insert(name, BASE64.encode(bytes));
    }
    texts.serialize(serializer)
}

/// Value and count of every bucket in use, from the least.
pub(super) fn buckets(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
    let recorded = histogram.iter_recorded();
    recorded.map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value())).collect()
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 104 days")]
fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1000.0
}

#[allow(clippy::cast_precision_loss, reason = "a rate needs no 16 digits")]
fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { round(count as f64 / seconds) } else { 0.0 }
}

#[allow(clippy::cast_precision_loss, reason = "a time needs no 16 digits")]
fn quotient(count: u64, per_second: f64) -> f64 {
    count as f64 / per_second
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

impl Report {
    /// Sums a run up.
    pub(super) fn new(load: &Load, outcome: Outcome) -> Self {
        let recorder = &outcome.recorder;
        let counts = &recorder.counts;
        let measured = counts.messages[Phase::Measure as usize];
        let mut latency_us = BTreeMap::new();
        let mut histograms_ns = BTreeMap::new();
        for kind in Kind::ALL {
            if let Some(histogram) = recorder.whole(kind) {
                let waited = recorder.waited(kind).map_or(0, Histogram::len);
                latency_us.insert(kind.key(), Latency::of(&histogram, recorder.histogram(kind), waited));
                histograms_ns.insert(kind.key(), histogram);
            }
        }
        let messages = message_figures(load, counts, outcome.interrupted);
        let main = Kind::main(load.mode, load.qos);
        let window = outcome.window_s;
        let taken = (recorder.fenced_at > outcome.timeline.measure && counts.unconfirmed == 0)
            .then(|| microseconds(recorder.fenced_at - outcome.timeline.measure) / 1e6)
            .filter(|_| {
                load.qos == QoS::AtMostOnce && load.mode.publishes() && !outcome.drained.is_unanswered
            });
        let connect_s = outcome.phases.connect;
        // At 1 a second, the first of 3 connections is made at once, and yet they take 3 seconds.
        let ramp_s = load.ramp.map_or(0.0, |ramp| quotient(counts.attempted, ramp));
        let notes = notes(load, &outcome, &messages);
        let mut report = Self {
            kind: KIND,
            version: VERSION,
            tool_version: crate::output::VERSION,
            mode: load.mode,
            valid: true,
            findings: Findings { problems: outcome.problems, notes },
            interrupted: outcome.interrupted,
            started: outcome.started,
            host: outcome.host,
            configuration: Configuration::of(load, outcome.broker, outcome.protocol, outcome.payload_bytes),
            phases_s: outcome.phases,
            connections: Connections {
                attempted: counts.attempted,
                connected: counts.connected,
                failed: counts.failed,
                lost: counts.lost,
                connected_per_s: per_second(counts.connected, connect_s.max(ramp_s)),
                subscribed: counts.subscribed,
                refused_subscriptions: counts.refused_subscriptions,
            },
            messages,
            throughput: Throughput {
                window_s: window,
                sent_per_s: per_second(counts.window.sent, window),
                acknowledged_per_s: per_second(counts.window.acknowledged, window),
                delivered_per_s: per_second(counts.window.delivered, window),
                delivered_bytes_per_s: per_second(counts.window.delivered_bytes, window),
                taken_per_s: taken.map(|seconds| per_second(measured.sent, seconds)),
            },
            main_latency: main
                .filter(|main| latency_us.contains_key(main.key()))
                .map(|main| main.key().into()),
            generator: Generator {
                saturated: false,
                thread_cpu_share: recorder
                    .cpu
                    .iter()
                    .map(|cpu| round(microseconds(cpu.busy) / microseconds(cpu.passed.max(SHORTEST_WATCH))))
                    .collect(),
                threads_cpu_s: microseconds(recorder.cpu.iter().map(|cpu| cpu.busy).sum()) / 1e6,
                process_cpu_s: round(outcome.process_cpu_s),
                memory_bytes: outcome.memory_bytes,
                schedule_lag_p99_us: latency_us
                    .get(Kind::ScheduleLag.key())
                    .map_or(0.0, |lag: &Latency| lag.p99),
                blocked_sockets: counts.blocked_sockets,
                full_windows: counts.full_windows,
                share_of_ceiling: None,
            },
            latency_us,
            unanswered: verdict::unanswered(recorder, &messages),
            errors: recorder
                .errors
                .iter()
                .map(|(cause, count)| Cause { cause: cause.clone(), count: *count })
                .collect(),
            thresholds: Vec::new(),
            series: outcome.series,
            histograms_ns,
        };
        report.errors.sort_by_key(|cause| std::cmp::Reverse(cause.count));
        if let Some(late) = verdict::lateness(recorder, load.mode) {
            report.generator.saturated = true;
            report.findings.problems.push(late);
        }
        report.findings.problems.extend(verdict::unconfirmed(load, outcome.drained));
        if let (Some(why), false) = (verdict::nothing_measured(load, counts), report.interrupted) {
            report.findings.problems.push(Problem::NothingMeasured(why));
        }
        report.judge();
        report.explain(load, outcome.drained);
        report
    }

    /// Whether the figures stand for the broker and the load that was asked for.
    fn judge(&mut self) {
        let busiest = self.generator.thread_cpu_share.iter().copied().fold(0.0, f64::max);
        let problems = &mut self.findings.problems;
        if busiest > MOST_CPU {
            self.generator.saturated = true;
            problems.push(Problem::ThreadBusy { share: busiest });
        }
        let Connections { failed, lost, refused_subscriptions, attempted, .. } = self.connections;
        if failed > 0 {
            problems.push(Problem::ConnectionsFailed { failed, attempted });
        }
        if lost > 0 {
            problems.push(Problem::ConnectionsLost(lost));
        }
        if refused_subscriptions > 0 {
            problems.push(Problem::SubscriptionsRefused(refused_subscriptions));
        }
        self.valid = problems.is_empty();
    }

    /// Whether saturation is all that is wrong.
    pub(super) fn only_saturated(&self) -> bool {
        self.findings.problems.iter().all(|problem| problem.is_saturation())
    }

    /// Whether the server says of each message what became of it.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.messages.qos > 0 && self.mode.publishes()
    }

    /// The part of the expected deliveries that did not come.
    #[allow(clippy::cast_precision_loss, reason = "counts of messages are below 9 × 10¹⁵")]
    pub(super) fn loss(&self) -> f64 {
        let MessageFigures { expected, lost, .. } = self.messages;
        if expected == 0 { 0.0 } else { lost as f64 / expected as f64 }
    }

    /// The rate that the mode is about.
    pub(super) fn rate(&self) -> f64 {
        let Throughput { acknowledged_per_s, delivered_per_s, taken_per_s, .. } = self.throughput;
        match (self.mode, self.messages.qos) {
            (Mode::Connect, _) => self.connections.connected_per_s,
            (Mode::Publish, 0) => taken_per_s.unwrap_or(0.0), // nothing is confirmed
            (Mode::Publish, _) => acknowledged_per_s,
            _ => delivered_per_s,
        }
    }
}

fn message_figures(load: &Load, counts: &Counts, interrupted: bool) -> MessageFigures {
    let [warmup, measured] = counts.messages;
    let undelivered = verdict::undelivered(counts);
    let (lost, under_way) = if interrupted { (0, undelivered) } else { (undelivered, 0) };
    let told_apart = |number| (counts.unstamped == 0).then_some(number);
    MessageFigures {
        qos: load.qos as u8,
        sent: measured.sent,
        acknowledged: measured.acknowledged,
        refused: measured.refused,
        unacknowledged: measured.unacknowledged,
        not_sent: measured.not_sent,
        expected: measured.expected,
        delivered: measured.delivered,
        lost,
        under_way,
        duplicates: told_apart(measured.duplicates),
        reordered: told_apart(measured.reordered),
        stale: measured.stale,
        foreign: counts.foreign,
        corrupt: counts.corrupt,
        unstamped: counts.unstamped,
        warmup_sent: warmup.sent,
    }
}

fn notes(load: &Load, outcome: &Outcome, messages: &MessageFigures) -> Vec<Note> {
    let (payload_bytes, counts) = (outcome.payload_bytes, &outcome.recorder.counts);
    let mut notes = verdict::notes(load, counts, messages);
    let (window, asked) = (outcome.window, load.client.max_inflight);
    if load.mode.publishes() && load.qos != QoS::AtMostOnce && window < asked {
        notes.push(Note::WindowLimited { window, asked });
    }
    if load.mode.publishes() && payload_bytes < stamp::BYTES {
        notes.push(Note::NoStamp { payload_bytes });
    }
    if load.mode == Mode::Subscribe && counts.unstamped > 0 {
        notes.push(Note::Unstamped(counts.unstamped));
    }
    if load.mode == Mode::Subscribe && messages.delivered > counts.unstamped {
        notes.push(Note::OtherClock);
    }
    notes
}
