//! Metrics of a run for Prometheus: the counters of the series, summed up by phase, and latencies as a
//! histogram. They are updated once a second from the regular reports of the threads, and formatted on
//! request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;
use prometheus::TextEncoder;
use prometheus::proto::{Bucket, Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::super::engine::fleet::Fleet;
use super::super::machine::resident_bytes;
use super::super::recorder::{LatencyKind, Second};
use super::super::report::{SeriesSecond, buckets, latency};
use super::super::rows::Course;
use super::broker::ProcessSecond;
use crate::platform::clocks::process_cpu;

const PHASES: [Course; 4] = [Course::Connect, Course::WarmUp, Course::Measure, Course::Drain];
/// Upper bounds of the latency buckets, in seconds.
const BOUNDS: [f64; 18] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0,
];

/// A metric from a column of the series.
struct SeriesMetric {
    name: &'static str,
    help: &'static str,
    read: fn(&SeriesSecond) -> u64,
}

const fn metric(name: &'static str, help: &'static str, read: fn(&SeriesSecond) -> u64) -> SeriesMetric {
    SeriesMetric { name, help, read }
}

/// Counters, summed up over the run.
static COUNTERS: [SeriesMetric; 7] = [
    metric("mqtt_bench_messages_sent_total", "Messages written to a socket", |s| s.sent),
    metric("mqtt_bench_messages_acknowledged_total", "Messages that the broker acknowledged", |s| {
        s.acknowledged
    }),
    metric("mqtt_bench_messages_delivered_total", "Deliveries to subscribers", |s| s.delivered),
    metric("mqtt_bench_errors_total", "Errors of connections and packets", |s| s.errors),
    metric("mqtt_bench_connections_lost_total", "Connections lost", |s| s.lost),
    metric("mqtt_bench_reconnections_total", "Clients that resumed after a lost connection", |s| {
        s.reconnected
    }),
    metric("mqtt_bench_operations_total", "Operations that were done, such as SUBSCRIBE", |s| s.operations),
];

/// Gauges, with the values of the last second.
static GAUGES: [SeriesMetric; 3] = [
    metric("mqtt_bench_connections", "Clients that are connected", |s| s.connected),
    metric("mqtt_bench_messages_in_flight", "Unacknowledged messages", |s| s.in_flight),
    metric("mqtt_bench_messages_overdue", "Messages that are due and not sent", |s| s.overdue),
];

/// A metric of a process: CPU time since its start, or a value of the last second.
struct ProcessMetric {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    read: fn(&MetricsState) -> Option<f64>,
}

#[allow(clippy::cast_precision_loss, reason = "bytes and descriptors are below 9 × 10¹⁵")]
static PROCESSES: [ProcessMetric; 5] = [
    ProcessMetric {
        name: "mqtt_bench_process_cpu_seconds_total",
        help: "CPU time of the load generator",
        kind: MetricType::COUNTER,
        read: |state| Some(state.own_cpu_s),
    },
    ProcessMetric {
        name: "mqtt_bench_broker_cpu_seconds_total",
        help: "CPU time of the broker's process",
        kind: MetricType::COUNTER,
        read: |state| state.broker.map(|broker| broker.cpu_s),
    },
    ProcessMetric {
        name: "mqtt_bench_process_resident_memory_bytes",
        help: "Resident memory of the load generator",
        kind: MetricType::GAUGE,
        read: |state| Some(state.own_bytes as f64),
    },
    ProcessMetric {
        name: "mqtt_bench_broker_resident_memory_bytes",
        help: "Resident memory of the broker's process",
        kind: MetricType::GAUGE,
        read: |state| state.broker.map(|broker| broker.resident_bytes as f64),
    },
    ProcessMetric {
        name: "mqtt_bench_broker_open_fds",
        help: "Open descriptors of the broker's process",
        kind: MetricType::GAUGE,
        read: |state| state.broker.and_then(|broker| broker.descriptors).map(|open| open as f64),
    },
];

/// The metrics of the current run.
#[derive(Debug, Clone, Default)]
pub(super) struct RunMetrics(Arc<Mutex<MetricsState>>);

#[derive(Debug, Default)]
struct MetricsState {
    run: String,
    mode: &'static str,
    latency: &'static str,
    /// By phase, in the order of [`COUNTERS`].
    totals: [[u64; COUNTERS.len()]; PHASES.len()],
    latencies: [LatencyBuckets; PHASES.len()],
    last: SeriesSecond,
    own_cpu_s: f64,
    own_bytes: u64,
    broker: Option<ProcessSecond>,
}

#[derive(Debug, Clone, Default)]
struct LatencyBuckets {
    /// One for each of [`BOUNDS`], and one for larger values.
    counts: [u64; BOUNDS.len() + 1],
    sum_s: f64,
}

impl LatencyBuckets {
    #[allow(clippy::cast_precision_loss, reason = "sums of times")]
    fn add(&mut self, histogram: &Histogram<u64>) {
        for (nanoseconds, count) in buckets(histogram) {
            let seconds = nanoseconds as f64 / 1e9;
            self.counts[BOUNDS.partition_point(|bound| *bound < seconds)] += count;
            self.sum_s += seconds * count as f64;
        }
    }
}

impl RunMetrics {
    fn state(&self) -> MutexGuard<'_, MetricsState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resets the metrics for a new run.
    pub(super) fn begin(&self, fleet: &Fleet) {
        let load = &fleet.load;
        *self.state() = MetricsState {
            run: format!("{:08x}", fleet.run),
            mode: load.mode.name(),
            latency: LatencyKind::main(load.mode, load.qos).map_or("", |main| latency::entry(main).key),
            ..MetricsState::default()
        };
    }

    /// Adds a complete row of the series.
    #[allow(clippy::cast_precision_loss, reason = "seconds")]
    pub(super) fn add(&self, row: &SeriesSecond, second: &Second, broker: Option<ProcessSecond>) {
        let (own_cpu_s, own_bytes) = (process_cpu() as f64 / 1e9, resident_bytes());
        let mut state = self.state();
        let phase = row.phase as usize;
        for (total, counter) in state.totals[phase].iter_mut().zip(&COUNTERS) {
            *total += (counter.read)(row);
        }
        if let Some(histogram) = &second.latency {
            state.latencies[phase].add(histogram);
        }
        (state.own_cpu_s, state.own_bytes) = (own_cpu_s, own_bytes);
        state.broker = broker.or(state.broker);
        state.last = row.clone();
    }

    /// The page in Prometheus's text format.
    pub(super) fn page(&self) -> String {
        let families = self.state().families();
        // Writing to a text does not fail, and each family has a name and a sample.
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}

impl MetricsState {
    #[allow(clippy::cast_precision_loss, reason = "counts of messages are below 9 × 10¹⁵")]
    fn families(&self) -> Vec<MetricFamily> {
        let run = ("run", self.run.as_str());
        if self.run.is_empty() {
            return Vec::new();
        }
        let labels = |phase: Course| [("phase", phase.key()), run];
        let now = labels(self.last.phase);
        let info = gauge(&[run, ("mode", self.mode), ("version", crate::output::VERSION)], 1.0);
        let mut all = vec![family("mqtt_bench_run_info", "The run under way", MetricType::GAUGE, vec![info])];
        for (place, SeriesMetric { name, help, .. }) in COUNTERS.iter().enumerate() {
            let by_phase = PHASES.iter().zip(&self.totals);
            let samples =
                by_phase.map(|(phase, totals)| counter(&labels(*phase), totals[place] as f64)).collect();
            all.push(family(name, help, MetricType::COUNTER, samples));
        }
        for SeriesMetric { name, help, read } in &GAUGES {
            all.push(family(name, help, MetricType::GAUGE, vec![gauge(&now, read(&self.last) as f64)]));
        }
        if !self.latency.is_empty() {
            let kind = ("kind", self.latency);
            let by_phase = PHASES.iter().zip(&self.latencies);
            let samples =
                by_phase.map(|(phase, found)| found.sample(&[kind, ("phase", phase.key()), run])).collect();
            let help = "The latency that the mode is about, from the intended send time";
            all.push(family("mqtt_bench_latency_seconds", help, MetricType::HISTOGRAM, samples));
        }
        for ProcessMetric { name, help, kind, read } in &PROCESSES {
            let sample = |value: f64| match kind {
                MetricType::COUNTER => counter(&[run], value),
                _ => gauge(&now, value),
            };
            all.extend(read(self).map(|value| family(name, help, *kind, vec![sample(value)])));
        }
        all
    }
}

impl LatencyBuckets {
    fn sample(&self, labels: &[(&str, &str)]) -> Metric {
        let mut below = 0;
        // The encoder adds the bucket of all values.
        let filled = BOUNDS.iter().zip(self.counts).map(|(bound, count)| {
            below += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(below);
            bucket
        });
        let mut histogram = prometheus::proto::Histogram::default();
        histogram.set_bucket(filled.collect());
        histogram.set_sample_sum(self.sum_s);
        histogram.set_sample_count(self.counts.iter().sum());
        let mut metric = labelled(labels);
        metric.set_histogram(histogram);
        metric
    }
}

fn family(name: &str, help: &str, kind: MetricType, samples: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(samples);
    family
}

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}

fn counter(labels: &[(&str, &str)], value: f64) -> Metric {
    let (mut metric, mut counter) = (labelled(labels), Counter::default());
    counter.set_value(value);
    metric.set_counter(counter);
    metric
}

fn gauge(labels: &[(&str, &str)], value: f64) -> Metric {
    let (mut metric, mut gauge) = (labelled(labels), Gauge::default());
    gauge.set_value(value);
    metric.set_gauge(gauge);
    metric
}

#[cfg(test)]
mod tests {
    use super::super::super::histogram::histogram;
    use super::*;

    #[test]
    fn latencies_are_counted_in_their_buckets() {
        let mut found = LatencyBuckets::default();
        let mut latencies = histogram();
        for (nanoseconds, count) in [(50_000, 3), (900_000, 2), (70_000_000_000, 1)] {
            latencies.record_n(nanoseconds, count).unwrap();
        }
        found.add(&latencies);
        let used: Vec<(usize, u64)> =
            found.counts.iter().copied().enumerate().filter(|(_, count)| *count > 0).collect();
        assert_eq!(used, [(0, 3), (3, 2), (18, 1)]);
        assert!((found.sum_s / 70.00195 - 1.0).abs() < 0.01, "{}", found.sum_s);
    }

    /// Every number of the series is either on the page or listed here as excluded.
    #[test]
    fn the_page_has_every_count_of_the_series() {
        let row = serde_json::to_value(SeriesSecond::default()).unwrap();
        let elsewhere =
            ["second", "phase", "p50_us", "p99_us", "max_us", "length_s", "disturbances", "stage"];
        let counts: Vec<String> = row.as_object().unwrap().keys().cloned().collect();
        let counts =
            counts.iter().filter(|key| !elsewhere.contains(&key.as_str()) && !key.starts_with("broker_"));
        let counts: Vec<String> = counts.cloned().collect();
        assert_eq!(counts.len(), COUNTERS.len() + GAUGES.len(), "{counts:?}");
        let second = SeriesSecond {
            phase: Course::Measure,
            connected: 1,
            sent: 2,
            acknowledged: 3,
            delivered: 4,
            in_flight: 5,
            errors: 6,
            overdue: 7,
            lost: 8,
            reconnected: 9,
            operations: 10,
            ..SeriesSecond::default()
        };
        let metrics = RunMetrics::default();
        assert_eq!(metrics.page(), "");
        metrics.state().run = "0000002a".into();
        let broker =
            ProcessSecond { cpu_share: None, cpu_s: 1.5, resident_bytes: 4096, descriptors: Some(12) };
        metrics.add(&second, &Second::default(), Some(broker));
        metrics.add(&second, &Second::default(), None);
        let page = metrics.page();
        let labels = "{phase=\"measure\",run=\"0000002a\"}";
        for line in [
            format!("mqtt_bench_messages_sent_total{labels} 4"),
            format!("mqtt_bench_messages_acknowledged_total{labels} 6"),
            format!("mqtt_bench_messages_delivered_total{labels} 8"),
            format!("mqtt_bench_errors_total{labels} 12"),
            format!("mqtt_bench_connections_lost_total{labels} 16"),
            format!("mqtt_bench_reconnections_total{labels} 18"),
            format!("mqtt_bench_operations_total{labels} 20"),
            format!("mqtt_bench_connections{labels} 1"),
            format!("mqtt_bench_messages_in_flight{labels} 5"),
            format!("mqtt_bench_messages_overdue{labels} 7"),
            "mqtt_bench_broker_cpu_seconds_total{run=\"0000002a\"} 1.5".into(),
            format!("mqtt_bench_broker_resident_memory_bytes{labels} 4096"),
            format!("mqtt_bench_broker_open_fds{labels} 12"),
        ] {
            assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
        }
    }
}
