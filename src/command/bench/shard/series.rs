//! The seconds of all shards on one axis, relative to their common start of the measurement.

use std::collections::BTreeMap;

use super::super::report::SeriesSecond;
use super::super::rows::Course;

/// The maximum length of the axis: a hundred days.
const LONGEST_S: f64 = 100.0 * 86_400.0;

/// The sum of all shards' series.
#[derive(Debug, Default)]
pub(super) struct MergedSeries {
    /// By phase and number in it; while connecting, by whole seconds before the start, because shards take
    /// different times until it.
    rows: BTreeMap<(Course, i64), SeriesSecond>,
    /// The longest time from a first connection to the start.
    lead_s: f64,
}

impl MergedSeries {
    /// Adds a shard's rows; `lead_s` is the time from its first connection to its start.
    pub(super) fn add(&mut self, series: Vec<SeriesSecond>, lead_s: f64) {
        self.lead_s = self.lead_s.max(lead_s.min(LONGEST_S));
        let (mut phase, mut number) = (Course::Connect, 0);
        for mut row in series {
            row.second = row.second.clamp(0.0, LONGEST_S) - lead_s.min(LONGEST_S);
            number = if row.phase == phase { number + 1 } else { 0 };
            phase = row.phase;
            #[allow(clippy::cast_possible_truncation, reason = "at most a hundred days of seconds")]
            let place = if phase == Course::Connect { row.second.floor() as i64 } else { number };
            // Percentiles cannot be added, and the histograms of single seconds are not in the report.
            (row.p50_us, row.p99_us) = (None, None);
            // Those of all shards are the same, and the merged report marks them again.
            row.disturbances = 0;
            let sum = self.rows.entry((phase, place));
            sum.and_modify(|sum| add(sum, &row)).or_insert(row);
        }
    }

    /// The rows in order, since the first connection of all shards.
    pub(super) fn finish(self) -> Vec<SeriesSecond> {
        let mut rows: Vec<SeriesSecond> = self.rows.into_values().collect();
        for row in &mut rows {
            row.second = ((row.second + self.lead_s).max(0.0) * 1000.0).round() / 1000.0;
        }
        rows
    }

    /// Removes the latencies.
    pub(super) fn withhold(&mut self) {
        self.rows.values_mut().for_each(|row| row.max_us = None);
    }

    /// The longest time from a first connection to the start.
    pub(super) fn lead_s(&self) -> f64 {
        self.lead_s
    }
}

/// Adds another shard's row of the same second. The pattern names every field, so that the compiler reports a
/// forgotten one.
fn add(sum: &mut SeriesSecond, row: &SeriesSecond) {
    let SeriesSecond {
        second,
        phase: _,
        connected,
        sent,
        acknowledged,
        delivered,
        in_flight,
        errors,
        p50_us: _,
        p99_us: _,
        max_us,
        overdue,
        length_s,
        lost,
        reconnected,
        disturbances: _,
        broker_cpu_share,
        broker_memory_bytes,
        broker_descriptors,
        stage: _,
        operations,
    } = row;
    let counts = [
        (&mut sum.connected, connected),
        (&mut sum.sent, sent),
        (&mut sum.acknowledged, acknowledged),
        (&mut sum.delivered, delivered),
        (&mut sum.in_flight, in_flight),
        (&mut sum.errors, errors),
        (&mut sum.overdue, overdue),
        (&mut sum.lost, lost),
        (&mut sum.reconnected, reconnected),
        (&mut sum.operations, operations),
    ];
    for (sum, more) in counts {
        *sum = sum.saturating_add(*more);
    }
    sum.second = sum.second.min(*second);
    sum.length_s = sum.length_s.max(*length_s);
    sum.max_us = [sum.max_us, *max_us].into_iter().flatten().reduce(f64::max);
    // Only one shard observes the broker.
    sum.broker_cpu_share = sum.broker_cpu_share.or(*broker_cpu_share);
    sum.broker_memory_bytes = sum.broker_memory_bytes.or(*broker_memory_bytes);
    sum.broker_descriptors = sum.broker_descriptors.or(*broker_descriptors);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(second: f64, phase: Course, sent: u64, length_s: f64) -> SeriesSecond {
        SeriesSecond { second, phase, sent, length_s, max_us: Some(second), ..SeriesSecond::default() }
    }

    #[test]
    fn shards_are_aligned_at_their_start() {
        let mut merged = MergedSeries::default();
        let (connect, measure, drain) = (Course::Connect, Course::Measure, Course::Drain);
        let early = vec![
            row(0.0, connect, 0, 1.0),
            row(1.0, connect, 0, 1.0),
            row(2.0, connect, 0, 0.5),
            row(2.5, measure, 10, 1.0),
            row(3.5, measure, 20, 1.0),
            row(4.5, drain, 0, 0.1),
        ];
        let late = vec![
            row(0.0, connect, 0, 0.3),
            row(0.3, measure, 1, 1.0),
            row(1.3, measure, 2, 1.0),
            row(2.3, drain, 0, 0.4),
        ];
        merged.add(early, 2.5);
        merged.add(late, 0.3);
        assert!((merged.lead_s() - 2.5).abs() < 1e-9);
        let found: Vec<(f64, Course, u64)> =
            merged.finish().iter().map(|row| (row.second, row.phase, row.sent)).collect();
        let expected = [
            (0.0, connect, 0),
            (1.0, connect, 0),
            (2.0, connect, 0),
            (2.5, measure, 11),
            (3.5, measure, 22),
            (4.5, drain, 0),
        ];
        assert_eq!(found, expected);
    }
}
