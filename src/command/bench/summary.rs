//! The report: plain figures, each with its unit in its name, and how they follow from what was
//! recorded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::config::{Load, Mode};
use super::configuration::Configuration;
use super::figure::{FIGURES, Section};
use super::finding::Findings;
use super::latency::{self, LATENCIES, Latency, microseconds, round};
use super::phases::Outcome;
use super::recorder::{Counts, CpuTime, Kind, Messages, Second};
use super::rows::{Course, Row};
use super::stamp::Phase;
use super::verdict;
use crate::protocol::QoS;

/// The type of the report.
pub(super) const KIND: &str = "bench";
/// The version of its form.
pub(super) const VERSION: u32 = 1;
/// Shares of CPU time are of this time or longer: what a thread does in a moment says nothing.
const SHORTEST_WATCH: u64 = 100_000_000;

/// What a run has led to. Its figures are read from here by the table of [`figure`](super::figure).
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub(super) mode: Mode,
    pub(super) qos: u8,
    /// Whether the figures stand for the broker.
    pub(super) valid: bool,
    /// Why not, and what to know when reading the figures.
    pub(super) findings: Findings,
    pub(super) interrupted: bool,
    /// RFC 3339, UTC.
    pub(super) started: String,
    pub(super) host: Host,
    pub(super) configuration: Configuration,
    pub(super) phases_s: Phases,
    pub(super) counts: Counts,
    /// The time that connecting took, or should have taken.
    pub(super) connecting_s: f64,
    /// Length of the measurement: rates are of the events in it, whichever message they belong to.
    pub(super) window_s: f64,
    /// The time until the broker had read the last message, if it was asked and answered.
    pub(super) taken_s: Option<f64>,
    /// The latency that thresholds without a name and the live display mean.
    pub(super) main_latency: Option<Kind>,
    pub(super) latencies: Vec<Latency>,
    pub(super) generator: Generator,
    pub(super) errors: Vec<Cause>,
    pub(super) thresholds: Vec<ThresholdResult>,
    pub(super) series: Vec<SeriesSecond>,
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", KIND)?;
        map.serialize_entry("version", &VERSION)?;
        map.serialize_entry("tool_version", crate::output::VERSION)?;
        map.serialize_entry("mode", &self.mode)?;
        map.serialize_entry("valid", &self.valid)?;
        map.serialize_entry("problems", &texts(&self.findings.problems))?;
        let codes: Vec<_> = self.findings.problems.iter().map(|problem| problem.code()).collect();
        map.serialize_entry("problem_codes", &codes)?;
        map.serialize_entry("notes", &texts(&self.findings.notes))?;
        let codes: Vec<_> = self.findings.notes.iter().map(|note| note.code()).collect();
        map.serialize_entry("note_codes", &codes)?;
        map.serialize_entry("interrupted", &self.interrupted)?;
        map.serialize_entry("started", &self.started)?;
        map.serialize_entry("host", &self.host)?;
        map.serialize_entry("configuration", &self.configuration)?;
        map.serialize_entry("phases_s", &self.phases_s)?;
        for section in Section::ALL {
            map.serialize_entry(section.key(), &self.section(section))?;
        }
        map.serialize_entry("main_latency", &self.main_latency.map(|main| latency::entry(main).key))?;
        let shown = || self.latencies.iter().filter_map(|latency| Some((latency, latency.all.as_ref()?)));
        let latencies: Object =
            shown().map(|(latency, _)| (latency.key().into(), latency.object())).collect();
        map.serialize_entry("latency_us", &latencies)?;
        map.serialize_entry("errors", &self.errors)?;
        map.serialize_entry("thresholds", &self.thresholds)?;
        map.serialize_entry("series", &self.series)?;
        let histograms = shown().map(|(latency, all)| Ok((latency.key().into(), encoded(all)?.into())));
        let histograms: Object = histograms.collect::<Result<_, S::Error>>()?;
        map.serialize_entry("histograms_ns", &histograms)?;
        map.end()
    }
}

type Object = serde_json::Map<String, Value>;

fn texts(all: &[impl ToString]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
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

#[derive(Debug, Clone)]
pub(super) struct Generator {
    pub(super) saturated: bool,
    /// Of each thread in the measurement (of `conn`, while it connects): CPU time by time.
    pub(super) thread_cpu_share: Vec<f64>,
    /// Of all threads in that time.
    pub(super) threads_cpu_s: f64,
    pub(super) process_cpu_s: f64,
    pub(super) memory_bytes: u64,
    /// Of what `calibrate` found this machine to be able to generate.
    pub(super) share_of_ceiling: Option<f64>,
}

impl Generator {
    /// The share of its time for which the busiest thread was busy.
    pub(super) fn busiest(&self) -> f64 {
        self.thread_cpu_share.iter().copied().fold(0.0, f64::max)
    }
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

/// A row of the series: the report and the CSV file have these columns.
#[derive(Debug, Clone, Default, Serialize)]
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
fn encoded<E: serde::ser::Error>(histogram: &Histogram<u64>) -> Result<String, E> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).map_err(E::custom)?;
    Ok(BASE64.encode(bytes))
}

/// Value and count of every bucket in use, from the least.
pub(super) fn buckets(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
    let recorded = histogram.iter_recorded();
    recorded.map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value())).collect()
}

#[allow(clippy::cast_precision_loss, reason = "a rate needs no 16 digits")]
pub(super) fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { round(count as f64 / seconds) } else { 0.0 }
}

#[allow(clippy::cast_precision_loss, reason = "a time needs no 16 digits")]
fn quotient(count: u64, per_second: f64) -> f64 {
    count as f64 / per_second
}

impl Report {
    /// Sums a run up.
    pub(super) fn new(load: &Load, outcome: Outcome) -> Self {
        let recorder = outcome.recorder;
        let counts = recorder.counts;
        let taken_s = (recorder.fenced_at > outcome.timeline.measure && counts.unconfirmed == 0)
            .then(|| microseconds(recorder.fenced_at - outcome.timeline.measure) / 1e6)
            .filter(|_| {
                load.qos == QoS::AtMostOnce && load.mode.publishes() && !outcome.drained.is_unanswered
            });
        // At 1 a second, the first of 3 connections is made at once, and yet they take 3 seconds.
        let ramp_s = load.ramp.map_or(0.0, |ramp| quotient(counts.attempted, ramp));
        let share =
            |cpu: &CpuTime| round(microseconds(cpu.busy) / microseconds(cpu.passed.max(SHORTEST_WATCH)));
        let mut errors: Vec<Cause> = recorder
            .errors
            .iter()
            .map(|(cause, count)| Cause { cause: cause.clone(), count: *count })
            .collect();
        errors.sort_by_key(|cause| std::cmp::Reverse(cause.count));
        let mut report = Self {
            mode: load.mode,
            qos: load.qos as u8,
            valid: true,
            findings: Findings { problems: outcome.problems, notes: Vec::new() },
            interrupted: outcome.interrupted,
            started: outcome.started,
            host: outcome.host,
            configuration: Configuration::of(load, outcome.broker, outcome.protocol, outcome.payload_bytes),
            phases_s: outcome.phases,
            counts,
            connecting_s: outcome.phases.connect.max(ramp_s),
            window_s: outcome.window_s,
            taken_s,
            main_latency: None,
            latencies: Vec::new(),
            generator: Generator {
                saturated: false,
                thread_cpu_share: recorder.cpu.iter().map(share).collect(),
                threads_cpu_s: microseconds(recorder.cpu.iter().map(|cpu| cpu.busy).sum()) / 1e6,
                process_cpu_s: round(outcome.process_cpu_s),
                memory_bytes: outcome.memory_bytes,
                share_of_ceiling: None,
            },
            errors,
            thresholds: Vec::new(),
            series: outcome.series,
        };
        let never = |kind| verdict::never(&report, kind, recorder.histogram(kind).is_some());
        let latencies = LATENCIES.iter().map(|latency| latency.kind);
        report.latencies = latencies.filter_map(|kind| Latency::new(&recorder, kind, never(kind))).collect();
        let main = Kind::main(load.mode, load.qos);
        report.main_latency =
            main.filter(|main| report.latency(*main).is_some_and(|found| found.all.is_some()));
        report.judge(load, outcome.drained);
        report.explain(load, outcome.drained, outcome.window, outcome.payload_bytes);
        report
    }

    /// An object of the report: its figures in the order of the table.
    fn section(&self, section: Section) -> Object {
        let mut object = Object::new();
        match section {
            Section::Messages => {
                object.insert("qos".into(), self.qos.into());
            }
            Section::Generator => {
                object.insert("saturated".into(), self.generator.saturated.into());
                object.insert("thread_cpu_share".into(), self.generator.thread_cpu_share.clone().into());
            }
            Section::Connections | Section::Throughput | Section::Derived => {}
        }
        let figures = FIGURES.iter().filter(|figure| figure.section == section);
        object.extend(figures.map(|figure| (figure.key.to_owned(), figure.json(self))));
        object
    }

    /// Messages of the measurement.
    pub(super) fn measured(&self) -> &Messages {
        &self.counts.messages[Phase::Measure as usize]
    }

    pub(super) fn latency(&self, kind: Kind) -> Option<&Latency> {
        self.latencies.iter().find(|latency| latency.kind == kind)
    }

    /// Deliveries that did not come.
    pub(super) fn lost(&self) -> u64 {
        if self.interrupted { 0 } else { verdict::undelivered(&self.counts) }
    }

    /// Deliveries that had not come when the run was interrupted: nobody knows whether they are lost.
    pub(super) fn under_way(&self) -> u64 {
        if self.interrupted { verdict::undelivered(&self.counts) } else { 0 }
    }

    /// The part of the expected deliveries that did not come.
    #[allow(clippy::cast_precision_loss, reason = "counts of messages are below 9 × 10¹⁵")]
    pub(super) fn loss(&self) -> f64 {
        let expected = self.measured().expected;
        if expected == 0 { 0.0 } else { self.lost() as f64 / expected as f64 }
    }

    /// Whether saturation is all that is wrong.
    pub(super) fn only_saturated(&self) -> bool {
        self.findings.problems.iter().all(|problem| problem.is_saturation())
    }
}
