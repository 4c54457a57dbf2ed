//! The phase of a run, and its remaining time.

use std::time::Duration;

use super::super::config::{Load, Mode, Rate, StopAfter};
use super::super::stamp::Timeline;
use crate::quantity::duration;

const SECOND: u64 = 1_000_000_000;

/// A part of the run, in the director's order.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Stage {
    Connect,
    /// The broker is given this number of messages to retain.
    Store(u64),
    /// Ends at this time.
    Subscribe(u64),
    /// Warm-up and measurement.
    Load(Timeline),
    /// Ends at this time.
    Drain(u64),
    /// The retained messages are cleared.
    Clear,
    Leave,
}

/// Sums of the counters of all threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Look {
    pub(in super::super) connected: u64,
    pub(in super::super) away: u64,
    pub(in super::super) failed: u64,
    pub(in super::super) sent: u64,
    pub(in super::super) acknowledged: u64,
    pub(in super::super) delivered: u64,
    pub(in super::super) operations: u64,
}

/// The progress as displayed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RunPlace {
    pub(super) phase: &'static str,
    /// The completed share of the phase, 0 to 1, if known.
    pub(super) done: Option<f64>,
    pub(super) text: String,
}

/// What ends a run with a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndingCount {
    Sent,
    Delivered,
    /// Clients that ended their connections.
    Ended,
    /// Clients that have subscribed.
    Subscribed,
}

impl EndingCount {
    fn of(mode: Mode) -> Self {
        match mode {
            Mode::Subscribe => Self::Delivered,
            Mode::Wills => Self::Ended,
            Mode::Retained => Self::Subscribed,
            Mode::Connect | Mode::Publish | Mode::EndToEnd | Mode::Request | Mode::Churn => Self::Sent,
        }
    }

    /// The count, and its name.
    fn read(self, look: &Look) -> (u64, &'static str) {
        match self {
            Self::Sent => (look.sent, "messages"),
            Self::Delivered => (look.delivered, "messages"),
            Self::Ended => (look.operations, "connections ended"),
            Self::Subscribed => (look.operations, "subscribers"),
        }
    }
}

/// The progress of a run.
#[derive(Debug)]
pub(super) struct RunProgress {
    stage: Stage,
    entered: u64,
    clients: u64,
    /// Messages of the measurement, if their number ends it.
    count: Option<u64>,
    /// How long they take on schedule, if there is one.
    scheduled: Option<u64>,
    counted: EndingCount,
    warmup: u64,
    /// The length of the measurement, if known.
    measure: Option<u64>,
    /// The number of messages before the measurement.
    before: Option<u64>,
}

impl RunProgress {
    pub(super) fn new(load: &Load, began: u64) -> Self {
        Self::of(load.mode, load.own_clients(), (load.rate, load.stop, load.warmup), began)
    }

    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    fn of(mode: Mode, clients: u32, (rate, stop, warmup): (Rate, StopAfter, Duration), began: u64) -> Self {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let count = match stop {
            StopAfter::Count(count) => Some(count),
            StopAfter::After(_) => None,
        };
        let scheduled = match rate {
            Rate::PerSecond(rate) if mode.publishes() => {
                count.map(|count| (count as f64 / rate * 1e9) as u64)
            }
            _ => None,
        };
        Self {
            stage: Stage::Connect,
            entered: began,
            clients: clients.into(),
            count,
            scheduled,
            counted: EndingCount::of(mode),
            warmup: nanoseconds(warmup),
            measure: match stop {
                StopAfter::After(duration) => Some(nanoseconds(duration)),
                StopAfter::Count(_) => scheduled,
            },
            before: None,
        }
    }

    pub(super) fn enter(&mut self, stage: Stage, now: u64) {
        (self.stage, self.entered) = (stage, now);
    }

    /// The progress at this time.
    pub(super) fn at(&mut self, now: u64, look: &Look) -> RunPlace {
        let passed = now.saturating_sub(self.entered);
        match self.stage {
            Stage::Connect => {
                let made = look.connected + look.failed;
                let left = (made > 0).then(|| scale(passed, self.clients.saturating_sub(made), made));
                let load = self.measure.map(|measure| measure.saturating_add(self.warmup));
                let ends = left.zip(load).map(|(left, load)| left.saturating_add(load));
                let text = format!("{made} of {}{}", self.clients, about(ends));
                RunPlace { phase: "connect", done: Some(part(made, self.clients)), text }
            }
            Stage::Subscribe(limit) => {
                let text = format!("at most {} left", whole_seconds(limit.saturating_sub(now)));
                RunPlace { phase: "subscribe", done: None, text }
            }
            Stage::Store(messages) => {
                let (text, done) =
                    (format!("{} of {messages} messages", look.sent), part(look.sent, messages));
                RunPlace { phase: "store", done: Some(done), text }
            }
            Stage::Clear => {
                let text = "what the broker retains".into();
                RunPlace { phase: "clear", done: None, text }
            }
            Stage::Load(timeline) if now < timeline.measure => {
                let all = timeline.measure.saturating_sub(timeline.start);
                let passed = now.saturating_sub(timeline.start);
                let left = timeline.measure.saturating_sub(now);
                let ends = self.measure.map(|measure| measure.saturating_add(left));
                let text = format!("{} of {}{}", full_seconds(passed), whole_seconds(all), about(ends));
                RunPlace { phase: "warm-up", done: Some(part(passed, all)), text }
            }
            Stage::Load(timeline) => self.measured(now - timeline.measure, look),
            Stage::Drain(limit) => {
                let all = limit.saturating_sub(self.entered);
                let text = format!("at most {} left", whole_seconds(limit.saturating_sub(now)));
                RunPlace { phase: "drain", done: Some(part(passed, all)), text }
            }
            Stage::Leave => {
                let text = format!("{} still connected", look.connected);
                RunPlace { phase: "leave", done: None, text }
            }
        }
    }

    /// The progress this long after the start of the measurement.
    fn measured(&mut self, passed: u64, look: &Look) -> RunPlace {
        let phase = "measure";
        let Some(count) = self.count else {
            let all = self.measure.unwrap_or(0);
            let left = all.saturating_sub(passed);
            let text = format!("{} of {}{}", full_seconds(passed), whole_seconds(all), about(Some(left)));
            return RunPlace { phase, done: Some(part(passed, all)), text };
        };
        let (all, what) = self.counted.read(look);
        // Messages of the warm-up do not count, except arrivals.
        let before = if self.counted == EndingCount::Sent { *self.before.get_or_insert(all) } else { 0 };
        let made = (all - before.min(all)).min(count);
        let left = match self.scheduled {
            Some(scheduled) => Some(scheduled.saturating_sub(passed)),
            None => (made > 0).then(|| scale(passed, count - made, made)),
        };
        let text = format!("{made} of {count} {what}{}", about(left));
        RunPlace { phase, done: Some(part(made, count)), text }
    }
}

/// `time * by / of`, in nanoseconds.
fn scale(time: u64, by: u64, of: u64) -> u64 {
    u64::try_from(u128::from(time) * u128::from(by) / u128::from(of.max(1))).unwrap_or(u64::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "drawn in some thirty columns")]
fn part(done: u64, all: u64) -> f64 {
    (done as f64 / all.max(1) as f64).min(1.0)
}

/// The time until the end of the measurement, if known.
fn about(left: Option<u64>) -> String {
    left.map_or_else(String::new, |left| format!(", about {} left", whole_seconds(left)))
}

/// Rounded down, so that it and the rest that is rounded up are the whole.
fn full_seconds(nanoseconds: u64) -> String {
    duration(Duration::from_secs(nanoseconds / SECOND))
}

/// Rounded up, so that only the end shows 0.
fn whole_seconds(nanoseconds: u64) -> String {
    duration(Duration::from_secs(nanoseconds.div_ceil(SECOND)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(rate: Rate, stop: StopAfter) -> RunProgress {
        RunProgress::of(Mode::EndToEnd, 20, (rate, stop, Duration::from_secs(2)), 0)
    }

    const TIMELINE: Timeline = Timeline { start: SECOND, measure: 3 * SECOND, end: u64::MAX };

    #[test]
    fn remaining_time_is_shown_in_each_phase() {
        let mut timed = progress(Rate::Max, StopAfter::After(Duration::from_secs(10)));
        let place = timed.at(SECOND, &Look { connected: 4, failed: 1, ..Look::default() });
        // 15 more take 3 s, then follow 2 s and 10 s.
        assert_eq!((place.text.as_str(), place.done), ("5 of 20, about 15s left", Some(0.25)));
        assert_eq!(timed.at(SECOND, &Look::default()).text, "0 of 20");
        timed.enter(Stage::Load(TIMELINE), SECOND);
        let place = timed.at(2 * SECOND, &Look::default());
        assert_eq!((place.phase, place.text.as_str()), ("warm-up", "1s of 2s, about 11s left"));
        let place = timed.at(6 * SECOND, &Look::default());
        assert_eq!((place.phase, place.text.as_str()), ("measure", "3s of 10s, about 7s left"));
        let place = timed.at(6 * SECOND + SECOND / 2, &Look::default());
        assert_eq!(place.text, "3s of 10s, about 7s left");
        timed.enter(Stage::Drain(18 * SECOND), 13 * SECOND);
        let place = timed.at(14 * SECOND, &Look::default());
        assert_eq!((place.text.as_str(), place.done), ("at most 4s left", Some(0.2)));
    }

    #[test]
    fn counted_messages_are_those_of_the_measurement() {
        let mut counted = progress(Rate::PerSecond(100.0), StopAfter::Count(500));
        counted.enter(Stage::Load(TIMELINE), SECOND);
        let sent = |sent: u64| Look { sent, ..Look::default() };
        assert_eq!(counted.at(2 * SECOND, &sent(100)).text, "1s of 2s, about 6s left");
        assert_eq!(counted.at(3 * SECOND, &sent(200)).text, "0 of 500 messages, about 5s left");
        assert_eq!(counted.at(4 * SECOND, &sent(300)).text, "100 of 500 messages, about 4s left");
        let mut closed = progress(Rate::Max, StopAfter::Count(500));
        closed.enter(Stage::Load(TIMELINE), SECOND);
        closed.at(3 * SECOND, &sent(7));
        assert_eq!(closed.at(4 * SECOND, &sent(257)).text, "250 of 500 messages, about 1s left");
    }

    /// Wills and retained messages end with the operations of their clients, whatever was sent before.
    #[test]
    fn operations_end_runs_of_wills_and_retained_messages() {
        for (mode, words) in [(Mode::Wills, "connections ended"), (Mode::Retained, "subscribers")] {
            let run = (Rate::Max, StopAfter::Count(60), Duration::ZERO);
            let mut progress = RunProgress::of(mode, 61, run, 0);
            progress.enter(Stage::Load(Timeline { start: SECOND, measure: SECOND, end: u64::MAX }), SECOND);
            let done = |operations| Look { operations, sent: 500, delivered: 10_000, ..Look::default() };
            assert_eq!(progress.at(SECOND, &done(0)).text, format!("0 of 60 {words}"));
            let place = progress.at(3 * SECOND, &done(20));
            assert_eq!(place.text, format!("20 of 60 {words}, about 4s left"));
            assert!(place.done.is_some_and(|done| (done - 1.0 / 3.0).abs() < 1e-9), "{place:?}");
        }
    }
}
