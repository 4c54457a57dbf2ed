//! The records of a shard in its report, for the merge: all records, exactly, and the data needed to check
//! that shards belong to one run. Times are nanoseconds since the start of the measurement.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::machine;
use super::super::recorder::{Counts, CpuTime, LatencyKind, Recorder};
use super::super::report::asked::AskedLoad;
use super::super::report::latency::LATENCIES;
use super::around::ImpactRecord;
use super::encoding::{believed, decode, encode};

/// The records of a shard in its report.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is an answer of its own")]
pub(crate) struct ShardRecord {
    pub(crate) run_id: String,
    /// From 1.
    pub(crate) number: u32,
    pub(crate) of: u32,
    /// A digest of the settings that must be the same in all shards.
    pub(crate) configuration: String,
    /// The number of clients of this shard.
    pub(crate) clients: u32,
    pub(crate) clock: ShardClock,
    /// `unaligned`, `at` or `barrier`.
    pub(crate) start: String,
    /// From the first connection to the first due message; null if there was none.
    pub(crate) start_s: Option<f64>,
    /// The time of the first due message by this machine's clock, in seconds since 1970.
    pub(crate) start_unix_s: Option<f64>,
    pub(crate) warmup_ns: u64,
    pub(crate) measure_ns: u64,
    pub(crate) asked: AskedLoad,
    pub(crate) fail_if: Vec<String>,
    pub(crate) stages_fail_if: Vec<Vec<String>>,
    /// Whether the drain timed out before the broker had answered all messages; and while deliveries were
    /// arriving.
    pub(crate) drain_unanswered: bool,
    pub(crate) drain_arriving: bool,
    pub(crate) subscribe_unanswered: bool,
    /// The time to store retained messages on the broker; null if there are none.
    pub(crate) stored_s: Option<f64>,
    /// Whether the broker still retains some of them.
    pub(crate) retained_left: bool,
    /// The number of messages that the broker allows a client to have in flight.
    pub(crate) window: u16,
    pub(crate) payload_bytes: usize,
    pub(crate) groups: Vec<GroupRecord>,
    pub(crate) stages: Vec<StageRecord>,
    /// Null without disturbances.
    pub(crate) impact: Option<ImpactRecord>,
}

/// The clock of a shard and its offset from the clock of shard 1, which stamps use. Fields are `None` if the offset is
/// unknown, or the load needs none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShardClock {
    /// A digest that identifies the machine and its clock.
    pub(crate) identity: String,
    /// The start of the measurement by the clock of shard 1.
    pub(crate) at_ns: Option<u64>,
    pub(crate) offset_ns: Option<i64>,
    /// The error of the offset, as known after the run.
    pub(crate) error_ns: Option<u64>,
    /// The drift.
    pub(crate) drift_ppm: Option<f64>,
    pub(crate) drift_error_ppm: Option<f64>,
    /// The largest error of a stamp in the measurement.
    pub(crate) used_error_ns: Option<u64>,
    pub(crate) round_trips: u64,
    pub(crate) least_round_trip_ns: Option<u64>,
}

impl ShardClock {
    /// The clock of this process, compared with no other.
    pub(crate) fn own() -> Self {
        Self { identity: machine::clock_identity(), ..Self::default() }
    }

    /// The clock of shard 1.
    pub(crate) fn reference(identity: String) -> Self {
        Self {
            identity,
            offset_ns: Some(0),
            error_ns: Some(0),
            drift_ppm: Some(0.0),
            drift_error_ppm: Some(0.0),
            used_error_ns: Some(0),
            ..Self::default()
        }
    }
}

/// The records of a group of clients.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    pub(crate) name: String,
    pub(crate) clients: u32,
    pub(crate) recorded: RecordedCounts,
}

/// The records of a stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StageRecord {
    pub(crate) begin_ns: u64,
    pub(crate) recorded: RecordedCounts,
}

/// Counters and histograms in the form of the report.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RecordedCounts {
    counts: Counts,
    /// Latencies of answered messages, by their names in the report, in the V2 compressed encoding and
    /// base64.
    histograms_ns: BTreeMap<String, String>,
    /// Waiting times of messages without an answer at the end of the run.
    waited_ns: BTreeMap<String, String>,
    errors: BTreeMap<String, u64>,
    /// Of each thread: busy time and total time.
    cpu_ns: Vec<[u64; 2]>,
    /// When the broker had read all messages, and when the last event was.
    fenced_ns: Option<u64>,
    last_event_ns: Option<u64>,
    /// Deliveries to each member of shared-subscription groups.
    shares: Vec<SharedGroup>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(clippy::struct_field_names, reason = "these are the keys of the report")]
struct SharedGroup {
    group: usize,
    shared_group: u32,
    deliveries: Vec<u64>,
}

/// The origin of a merged report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MergedRun {
    pub(crate) run_id: String,
    pub(crate) shards: u32,
    /// Shards without a report.
    pub(crate) missing: Vec<u32>,
    /// Shards whose run failed.
    pub(crate) failed: Vec<u32>,
    /// Shards whose generator was saturated.
    pub(crate) saturated: Vec<u32>,
    pub(crate) brokers: Vec<String>,
    /// The number of machines with different clocks.
    pub(crate) machines: usize,
    /// The largest error of a latency between two machines; `None` with one machine, or if clocks were not compared.
    pub(crate) clock_error_us: Option<f64>,
    /// The clock of each shard, if there are several.
    pub(crate) clocks: Vec<MergedClock>,
    /// The time between the first and the last start, by the clocks of their machines.
    pub(crate) start_spread_s: Option<f64>,
}

/// The clock of one shard.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MergedClock {
    pub(crate) shard: u32,
    #[serde(flatten)]
    pub(crate) clock: ShardClock,
}

impl RecordedCounts {
    /// The records of a recorder, for a measurement that started at this time of the monotonic clock.
    pub(crate) fn of(recorder: &Recorder, measure: u64) -> Self {
        let since = |time: u64| (time > measure).then(|| time - measure);
        let encoded = |find: &dyn Fn(LatencyKind) -> Option<String>| {
            let entry = |latency: &super::super::report::latency::TimeFigure| {
                Some((latency.key.to_owned(), find(latency.kind)?))
            };
            LATENCIES.iter().filter_map(entry).collect()
        };
        let share = |((group, shared_group), deliveries): (&(usize, u32), &Vec<u64>)| SharedGroup {
            group: *group,
            shared_group: *shared_group,
            deliveries: deliveries.clone(),
        };
        Self {
            counts: recorder.counts,
            histograms_ns: encoded(&|kind| recorder.histogram(kind).and_then(encode)),
            waited_ns: encoded(&|kind| recorder.waited(kind).and_then(encode)),
            errors: recorder.errors.clone(),
            cpu_ns: recorder.cpu.iter().map(|cpu| [cpu.busy, cpu.passed]).collect(),
            fenced_ns: since(recorder.barrier_at),
            last_event_ns: since(recorder.last_event),
            shares: recorder.shares.iter().map(share).collect(),
        }
    }

    /// Adds all records to a recorder, for a measurement that started at this time.
    ///
    /// # Errors
    /// Invalid records.
    pub(crate) fn add_to(self, recorder: &mut Recorder, measure: u64) -> Result<(), String> {
        let Self { counts, histograms_ns, waited_ns, errors, cpu_ns, fenced_ns, last_event_ns, shares } =
            self;
        check(&counts)?;
        let mut other = Recorder::default();
        other.counts = counts;
        for (all, has_answer) in [(histograms_ns, true), (waited_ns, false)] {
            for (name, text) in all {
                let latency = LATENCIES.iter().find(|latency| latency.key == name);
                let latency = latency.ok_or_else(|| format!("there is no latency '{name}'"))?;
                let histogram = decode(&text).map_err(|why| format!("its histogram of {name}: {why}"))?;
                other.add_histogram(latency.kind, has_answer, histogram);
            }
        }
        for (cause, count) in errors {
            other.add_errors(cause, believed(count)?);
        }
        for [busy, passed] in cpu_ns {
            other.cpu.push(CpuTime { busy: believed(busy)?, passed: believed(passed)? });
        }
        for SharedGroup { group, shared_group, deliveries } in shares {
            deliveries.iter().try_for_each(|count| believed(*count).map(|_| ()))?;
            other.shares.insert((group, shared_group), deliveries);
        }
        let at = |since: Option<u64>| since.map_or(0, |since| measure.saturating_add(since));
        (other.barrier_at, other.last_event) = (at(fenced_ns), at(last_event_ns));
        recorder.merge(other);
        Ok(())
    }
}

/// Checks that counters are plausible, so that their sums fit.
fn check(counts: &Counts) -> Result<(), String> {
    fn largest(value: &serde_json::Value) -> u64 {
        match value {
            serde_json::Value::Number(number) => number.as_u64().unwrap_or(u64::MAX),
            serde_json::Value::Array(all) => all.iter().map(largest).max().unwrap_or(0),
            serde_json::Value::Object(all) => all.values().map(largest).max().unwrap_or(0),
            _ => 0,
        }
    }
    let largest = serde_json::to_value(counts).map_or(u64::MAX, |value| largest(&value));
    believed(largest)?;
    if counts.window.own_sent > counts.window.sent {
        return Err("more of its messages were sent in the measurement than messages".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::stamp::Phase;
    use super::*;
    use proptest::prelude::*;

    fn recorder(values: &[(usize, u64)]) -> Recorder {
        let kinds = [LatencyKind::Delivery, LatencyKind::ScheduleLag, LatencyKind::Connect];
        let mut recorder = Recorder::default();
        for (place, value) in values {
            recorder.record(kinds[place % 3], *value);
            if place % 2 == 0 {
                recorder.wait(kinds[place % 3], value / 2, 3);
            }
            recorder.messages(Phase::Measure).sent += value % 7;
            recorder.error(format!("cause {}", value % 3));
            recorder.cpu.push(CpuTime { busy: value / 3, passed: *value });
            recorder.last_event = recorder.last_event.max(1000 + value);
        }
        recorder
    }

    proptest! {
        /// Records that are written and added equal those of threads in one process.
        #[test]
        fn merged_shard_records_equal_those_of_one_process(
            parts in proptest::collection::vec(proptest::collection::vec((0_usize..9, 1_u64..1 << 40), 0..40), 1..5),
        ) {
            let mut whole = Recorder::default();
            let mut merged = Recorder::default();
            for part in &parts {
                let part = recorder(part);
                let text = serde_json::to_string(&RecordedCounts::of(&part, 1000)).unwrap();
                let read: RecordedCounts = serde_json::from_str(&text).unwrap();
                read.add_to(&mut merged, 1000).unwrap();
                whole.merge(part);
            }
            prop_assert_eq!(merged.counts, whole.counts);
            prop_assert_eq!(&merged.errors, &whole.errors);
            prop_assert_eq!(&merged.cpu, &whole.cpu);
            prop_assert_eq!(merged.last_event, whole.last_event);
            for latency in &LATENCIES {
                prop_assert_eq!(merged.whole(latency.kind), whole.whole(latency.kind));
                prop_assert_eq!(merged.histogram(latency.kind), whole.histogram(latency.kind));
            }
        }
    }

    #[test]
    fn implausible_counts_are_refused() {
        let good = serde_json::to_value(RecordedCounts::of(&recorder(&[(0, 5), (1, 7)]), 0)).unwrap();
        let refused = |path: &str, value: serde_json::Value| {
            let mut bad = good.clone();
            *bad.pointer_mut(path).unwrap_or_else(|| panic!("{path} in {good}")) = value;
            let read: RecordedCounts = serde_json::from_value(bad).unwrap();
            read.add_to(&mut Recorder::default(), 0).unwrap_err()
        };
        assert!(refused("/counts/lost", u64::MAX.into()).contains("too large"));
        assert!(refused("/counts/window/own_sent", 1.into()).contains("more of its messages"));
        assert!(refused("/cpu_ns/0/0", u64::MAX.into()).contains("too large"));
        assert!(
            refused("/histograms_ns/delivery", "?".into()).contains("histogram of delivery: invalid base64")
        );
        assert!(refused("/histograms_ns/delivery", "AAAA".into()).contains("not an encoded histogram"));
        let other = serde_json::json!({"lunch": "AAAA"});
        assert!(refused("/waited_ns", other).contains("no latency 'lunch'"));
    }
}
