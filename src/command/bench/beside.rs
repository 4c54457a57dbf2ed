//! Optional records of a thread besides the figures of the whole run: around disturbances, by stage, and by
//! the second in which messages were due. A run without any of them only checks one pointer.

use super::impact::Impact;
use super::recorder::{LatencyKind, Recorder};
use super::stamp::{Arrival, Phase};

/// The optional records; they contain only messages of the measurement.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    pub(super) impact: Option<Impact>,
    pub(super) stages: Option<StageRecords>,
    pub(super) ledger: Option<Ledger>,
}

/// A latency of one message, or of several that were due at the same time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timed {
    pub(super) kind: LatencyKind,
    /// Whether this is the main latency of the run.
    pub(super) is_main: bool,
    pub(super) due: u64,
    pub(super) took: u64,
    pub(super) count: u64,
}

impl Beside {
    pub(super) fn is_empty(&self) -> bool {
        self.impact.is_none() && self.stages.is_none() && self.ledger.is_none()
    }

    /// Records messages that were due and sent at these times, and the number of deliveries expected for
    /// them.
    #[inline(never)]
    pub(super) fn sent(&mut self, (due, time): (u64, u64), count: u64, expected: u64) {
        if let Some(impact) = &mut self.impact {
            impact.at(due).expected += expected;
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.at(due).expected += expected;
        }
        if let Some(stages) = &mut self.stages {
            let messages = stages.at(due).messages(Phase::Measure);
            messages.sent += count;
            messages.expected += expected;
            let window = &mut stages.at(time).counts.window;
            window.sent += count;
            window.own_sent += count;
        }
    }

    /// Records a refused message, for which this number of deliveries was expected.
    pub(super) fn refused(&mut self, due: u64, deliveries: u64) {
        if let Some(impact) = &mut self.impact {
            let window = impact.at(due);
            window.expected = window.expected.saturating_sub(deliveries);
        }
        if let Some(ledger) = &mut self.ledger {
            let second = ledger.at(due);
            second.expected = second.expected.saturating_sub(deliveries);
        }
        if let Some(stages) = &mut self.stages {
            let messages = stages.at(due).messages(Phase::Measure);
            messages.refused += 1;
            messages.expected = messages.expected.saturating_sub(deliveries);
        }
    }

    /// Records acknowledgements at `time` of messages that were due at `due`.
    #[inline(never)]
    pub(super) fn acknowledged(&mut self, due: u64, time: u64, count: u64) {
        if let Some(stages) = &mut self.stages {
            stages.at(due).messages(Phase::Measure).acknowledged += count;
            stages.at(time).counts.window.acknowledged += count;
        }
    }

    /// Records the arrival at `time` of a message that was due at `due`. Messages to a shared-subscription
    /// group have no order across its members.
    #[inline(never)]
    pub(super) fn arrived(
        &mut self,
        (due, time): (u64, u64),
        arrival: Arrival,
        is_shared: bool,
        bytes: usize,
    ) {
        let is_first = matches!(arrival, Arrival::InOrder | Arrival::Reordered);
        if let Some(impact) = &mut self.impact {
            let window = impact.at(due);
            window.delivered += u64::from(is_first);
            window.duplicates += u64::from(arrival == Arrival::Duplicate);
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.at(due).delivered += u64::from(is_first);
        }
        if let Some(stages) = &mut self.stages {
            let messages = stages.at(due).messages(Phase::Measure);
            match arrival {
                Arrival::InOrder => {}
                Arrival::Reordered => messages.reordered += u64::from(!is_shared),
                Arrival::Duplicate => messages.duplicates += 1,
                Arrival::Stale => messages.stale += 1,
            }
            messages.delivered += u64::from(is_first);
            let window = &mut stages.at(time).counts.window;
            window.delivered += u64::from(is_first);
            window.delivered_bytes += if is_first { bytes as u64 } else { 0 };
        }
    }

    /// Records the arrival of a message without a stamp, or of another run.
    pub(super) fn arrived_unstamped(&mut self, time: u64, bytes: usize) {
        if let Some(stages) = &mut self.stages {
            let recorder = stages.at(time);
            recorder.messages(Phase::Measure).delivered += 1;
            recorder.counts.window.delivered += 1;
            recorder.counts.window.delivered_bytes += bytes as u64;
        }
    }

    /// Records the latency of messages.
    #[inline(never)]
    pub(super) fn time(&mut self, timed: Timed, from_send: Option<(LatencyKind, u64)>) {
        let Timed { kind, due, took, count, .. } = timed;
        self.time_impact(timed);
        if let Some(stages) = &mut self.stages {
            let recorder = stages.at(due);
            recorder.record_many(kind, took, count);
            if let Some((kind, took)) = from_send {
                recorder.record_many(kind, took, count);
            }
        }
    }

    /// Records how long messages without an answer had waited at the end of the run.
    pub(super) fn wait(&mut self, timed: Timed) {
        self.time_impact(timed);
        if let Some(stages) = &mut self.stages {
            stages.at(timed.due).wait(timed.kind, timed.took, timed.count);
        }
    }

    fn time_impact(&mut self, Timed { is_main, due, took, count, .. }: Timed) {
        if let Some(impact) = &mut self.impact
            && is_main
            && count > 0
        {
            impact.time(due, took, count);
        }
    }

    /// Records messages that were due, but not acknowledged or not sent at the end of the run.
    pub(super) fn unfinished(&mut self, due: u64, unacknowledged: u64, not_sent: u64) {
        if let Some(stages) = &mut self.stages {
            let messages = stages.at(due).messages(Phase::Measure);
            messages.unacknowledged += unacknowledged;
            messages.not_sent += not_sent;
        }
    }

    /// Adds the records of another thread.
    pub(super) fn merge(&mut self, other: Self) {
        let Self { impact, stages, ledger } = other;
        match (&mut self.impact, impact) {
            (Some(mine), Some(theirs)) => mine.merge(theirs),
            (mine, theirs) => *mine = mine.take().or(theirs),
        }
        match (&mut self.stages, stages) {
            (Some(mine), Some(theirs)) => mine.merge(theirs),
            (mine, theirs) => *mine = mine.take().or(theirs),
        }
        match (&mut self.ledger, ledger) {
            (Some(mine), Some(theirs)) => mine.merge(theirs),
            (mine, theirs) => *mine = mine.take().or(theirs),
        }
    }
}

/// The records of each stage. A message belongs to the stage in which it was due; rates count the events in a
/// stage.
#[derive(Debug, Clone)]
pub(super) struct StageRecords {
    /// The start of each stage, in nanoseconds of the monotonic clock; at least one.
    marks: Vec<u64>,
    pub(super) recorders: Vec<Recorder>,
}

impl StageRecords {
    /// `marks` has the start of each stage.
    pub(super) fn new(marks: Vec<u64>) -> Self {
        let recorders = marks.iter().map(|_| Recorder::default()).collect();
        Self { marks, recorders }
    }

    /// The start of a stage.
    pub(super) fn mark(&self, stage: usize) -> Option<u64> {
        self.marks.get(stage).copied()
    }

    fn at(&mut self, time: u64) -> &mut Recorder {
        let place = self.marks.partition_point(|mark| *mark <= time).saturating_sub(1);
        &mut self.recorders[place]
    }

    fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.recorders.iter_mut().zip(other.recorders) {
            mine.merge(theirs);
        }
    }
}

/// `DueDeliveries` by the second in which their messages were due. Deliveries missing from an old second are
/// lost; those missing from a recent one may still arrive.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    /// The start of the measurement.
    began: u64,
    seconds: Vec<DueDeliveries>,
}

/// Deliveries of messages that were due in the same time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct DueDeliveries {
    pub(super) expected: u64,
    pub(super) delivered: u64,
}

/// Limit of seconds that are recorded separately: a month.
const MOST_SECONDS: usize = 31 * 24 * 3600;
const SECOND: u64 = 1_000_000_000;

impl Ledger {
    /// `began` is the start of the measurement on the monotonic clock.
    pub(super) fn new(began: u64) -> Self {
        Self { began, seconds: Vec::new() }
    }

    fn at(&mut self, due: u64) -> &mut DueDeliveries {
        let second = due.saturating_sub(self.began) / SECOND;
        let second = usize::try_from(second).unwrap_or(usize::MAX).min(MOST_SECONDS - 1);
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, DueDeliveries::default());
        }
        &mut self.seconds[second]
    }

    /// The deliveries due from `from` until before `until`, in whole seconds.
    pub(super) fn between(&self, from: u64, until: u64) -> DueDeliveries {
        let place = |time: u64, round_up: bool| {
            let since = time.saturating_sub(self.began);
            let second = if round_up { since.div_ceil(SECOND) } else { since / SECOND };
            usize::try_from(second).unwrap_or(usize::MAX).min(self.seconds.len())
        };
        let (from, until) = (place(from, true), place(until, false));
        let seconds = self.seconds.get(from..until).unwrap_or_default();
        seconds.iter().fold(DueDeliveries::default(), |sum, more| sum.plus(*more))
    }

    fn merge(&mut self, other: Self) {
        if self.seconds.len() < other.seconds.len() {
            self.seconds.resize(other.seconds.len(), DueDeliveries::default());
        }
        for (mine, theirs) in self.seconds.iter_mut().zip(other.seconds) {
            *mine = mine.plus(theirs);
        }
    }
}

impl DueDeliveries {
    /// The number of deliveries that did not arrive.
    pub(super) fn missing(self) -> u64 {
        self.expected.saturating_sub(self.delivered)
    }

    fn plus(self, other: Self) -> Self {
        Self { expected: self.expected + other.expected, delivered: self.delivered + other.delivered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_belong_to_the_stage_of_their_due_time_and_events_to_that_of_their_time() {
        let mut beside = Beside { stages: Some(StageRecords::new(vec![100, 200])), ..Beside::default() };
        beside.sent((150, 250), 2, 6);
        beside.arrived((150, 260), Arrival::InOrder, false, 10);
        beside.arrived((150, 260), Arrival::Duplicate, false, 10);
        let timed = Timed { kind: LatencyKind::Delivery, is_main: true, due: 150, took: 110, count: 1 };
        beside.time(timed, Some((LatencyKind::DeliveryFromSend, 10)));
        beside.unfinished(220, 1, 3);
        let [first, second] = &beside.stages.as_ref().unwrap().recorders[..] else { panic!("two stages") };
        let of = |recorder: &Recorder| recorder.counts.messages[1];
        assert_eq!([of(first).sent, of(first).expected, of(first).delivered], [2, 6, 1]);
        assert_eq!((of(first).duplicates, first.counts.window.sent), (1, 0));
        assert_eq!((second.counts.window.sent, second.counts.window.delivered), (2, 1));
        assert_eq!((of(second).unacknowledged, of(second).not_sent), (1, 3));
        assert!(first.histogram(LatencyKind::DeliveryFromSend).is_some());
        assert!(second.histogram(LatencyKind::Delivery).is_none());
        let other = beside.clone();
        beside.merge(other);
        assert_eq!(beside.stages.unwrap().recorders[0].counts.messages[1].expected, 12);
    }

    #[test]
    fn missing_deliveries_of_a_recent_second_are_not_lost() {
        let mut beside = Beside { ledger: Some(Ledger::new(SECOND)), ..Beside::default() };
        for (due, came) in [(SECOND, true), (SECOND * 3 / 2, false), (5 * SECOND, false)] {
            beside.sent((due, due), 1, 1);
            if came {
                beside.arrived((due, due), Arrival::InOrder, false, 1);
            }
        }
        let ledger = beside.ledger.unwrap();
        assert_eq!(ledger.between(SECOND, 3 * SECOND), DueDeliveries { expected: 2, delivered: 1 });
        assert_eq!(ledger.between(0, 9 * SECOND), DueDeliveries { expected: 3, delivered: 1 });
        assert_eq!(ledger.between(2 * SECOND, 5 * SECOND), DueDeliveries::default());
    }
}
