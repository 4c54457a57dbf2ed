//! How a shard learns the clock of shard 1: it asks for the time over the topics of the barrier, often before and after
//! the load, and less often during it. Stamps use the offset known when they are written; after the run, all round trips
//! together give the error of these offsets.

use std::sync::Arc;

use super::super::machine;
use super::super::reference::ReferenceClock;
use super::super::stamp;
use super::offset::{ClockLine, ClockSample, ClockSamples};
use super::record::ShardClock;
use super::word::{TimeAnswer, TimeRequest};

/// Number of round trips before the load, and after it.
const MANY: u32 = 48;
/// Number of consecutive round trips during the load.
const SOME: u32 = 4;
/// Interval of these round trips during the load, per hundred shards; and after the load.
const EVERY: u64 = 1_000_000_000;
const EVERY_AFTERWARDS: u64 = 300_000_000;
/// Timeout after which an unanswered request is sent again.
const ANSWER_LIMIT: u64 = 1_000_000_000;
/// Timeout after which the load starts without an offset.
const SETTLE_LIMIT: u64 = 5_000_000_000;
/// Number of latest samples for the line in use.
const LATEST: usize = 64;

/// What a shard knows of the clock of shard 1.
#[derive(Debug)]
pub(super) struct ClockKeeper {
    clock: Arc<ReferenceClock>,
    token: u64,
    samples: ClockSamples,
    /// Whether this is shard 1, whose clock needs no offset.
    is_same: bool,
    /// When it began to ask, by the monotonic clock.
    since: Option<u64>,
    /// The number of the last request, and its time by the own clock and by the monotonic clock.
    number: u32,
    asked: Option<(u64, u64)>,
    /// The number of requests to send now, and the time of the next ones.
    left: u32,
    next: u64,
    every: Option<u64>,
    trips: u64,
    shortest: Option<u64>,
    /// The lines used so far, each with its first time by the own clock.
    used: Vec<(u64, ClockLine)>,
    /// The offset in use, and the largest step between two offsets.
    in_use: Option<i64>,
    largest_step: u64,
}

/// The name of the clock of this process.
pub(super) fn identity(clock: &ReferenceClock) -> String {
    match (machine::clock_identity(), clock.name()) {
        (machine, name) if name.is_empty() => machine,
        (machine, name) => format!("{:016x}", stamp::hash((machine + &name).as_bytes())),
    }
}

impl ClockKeeper {
    /// The clock of a shard, in a run with this number of shards.
    pub(super) fn new(clock: Arc<ReferenceClock>, token: u64, shards: u32) -> Self {
        Self {
            clock,
            token,
            samples: ClockSamples::new(EVERY * u64::from(shards.div_ceil(100))),
            is_same: false,
            since: None,
            number: 0,
            asked: None,
            left: MANY,
            next: 0,
            every: None,
            trips: 0,
            shortest: None,
            used: Vec::new(),
            in_use: None,
            largest_step: 0,
        }
    }

    /// The request that is due at this time of the monotonic clock, if any.
    pub(super) fn due(&mut self, time: u64) -> Option<TimeRequest> {
        self.since.get_or_insert(time);
        self.keep(time);
        let waits = self.asked.is_some_and(|(_, at)| time.saturating_sub(at) < ANSWER_LIMIT);
        if self.is_same || waits {
            return None;
        }
        if self.left == 0 && time >= self.next {
            self.left = SOME;
        }
        self.left = self.left.checked_sub(1)?;
        self.next = time.saturating_add(self.every.unwrap_or(self.samples.part()));
        self.number = self.number.wrapping_add(1);
        self.asked = Some((self.clock.own(time), time));
        Some(TimeRequest { token: self.token, number: self.number })
    }

    /// Handles an answer of shard 1, received at this time of the monotonic clock.
    pub(super) fn hear(&mut self, answer: &TimeAnswer, time: u64) {
        if (answer.token, answer.number) != (self.token, self.number) {
            return;
        }
        let Some((asked, _)) = self.asked.take() else { return };
        if answer.clock == identity(&self.clock) {
            self.is_same = true;
            return;
        }
        let own = (asked, self.clock.own(time));
        let Some(sample) = ClockSample::of(own, (answer.heard_ns, answer.answered_ns)) else { return };
        self.trips += 1;
        let trip = sample.half.saturating_mul(2);
        self.shortest = Some(self.shortest.map_or(trip, |shortest| shortest.min(trip)));
        self.samples.add(sample);
        if self.left == 0
            && let Some(line) = ClockLine::through(&self.samples.latest(LATEST))
        {
            self.used.push((own.1, line));
            self.in_use = None;
            self.keep(time);
        }
    }

    /// Updates the offset of stamps to what is known at this time.
    fn keep(&mut self, time: u64) {
        let Some((_, line)) = self.used.last() else { return };
        let offset = line.offset(self.clock.own(time));
        if let Some(before) = self.in_use {
            self.largest_step = self.largest_step.max(before.abs_diff(offset));
        }
        self.in_use = Some(offset);
        self.clock.set(offset);
    }

    /// Whether the load may start: the offset is known, or the timeout is over.
    pub(super) fn is_settled(&self, time: u64) -> bool {
        self.is_known() || self.since.is_some_and(|since| time.saturating_sub(since) > SETTLE_LIMIT)
    }

    pub(super) fn is_known(&self) -> bool {
        self.is_same || !self.used.is_empty()
    }

    /// Starts the round trips after the load, which show the drift.
    pub(super) fn load_is_over(&mut self) {
        self.left = self.left.max(MANY);
        self.every = Some(EVERY_AFTERWARDS);
    }

    /// The record for the report, for a measurement between these times of the monotonic clock.
    pub(super) fn record(&self, (begin, end): (u64, u64)) -> ShardClock {
        let identity = identity(&self.clock);
        if self.is_same {
            return ShardClock::reference(identity);
        }
        let all = self.samples.all();
        let known = ClockLine::through(&all).filter(|_| self.is_known());
        let Some(line) = known else { return ShardClock { identity, ..ShardClock::default() } };
        let (begin, end) = (self.clock.own(begin), self.clock.own(end));
        let bound = line.bound(&all, (begin, end));
        let mut used_error = 0;
        for (place, (since, used)) in self.used.iter().enumerate() {
            let until = self.used.get(place + 1).map_or(end, |next| next.0).min(end);
            // Before the first there was none: that was before the load.
            let since = if place == 0 { begin } else { (*since).max(begin) };
            if since <= until {
                let off = |time| used.offset(time).abs_diff(line.offset(time));
                used_error = off(since).max(off(until)).max(used_error);
            }
        }
        let used_error = used_error.saturating_add(self.largest_step).saturating_add(bound.error);
        let parts_in_a_million = |drift: f64| (drift * 1e9).round() / 1e3;
        let offset = line.offset(begin);
        ShardClock {
            identity,
            at_ns: Some(begin.saturating_add_signed(offset)),
            offset_ns: Some(offset),
            error_ns: Some(bound.error),
            drift_ppm: Some(parts_in_a_million(line.drift)),
            drift_error_ppm: Some(parts_in_a_million(bound.drift)),
            used_error_ns: Some(used_error),
            round_trips: self.trips,
            least_round_trip_ns: self.shortest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::reference::ClockShift;
    use super::*;

    const SHIFT: ClockShift = ClockShift { ahead: 250_000_000, gains: 50_000, since: 0 };
    const MILLISECOND: u64 = 1_000_000;

    /// Simulates a run of this number of seconds with network times of 40 to 400 µs; returns its record and the largest
    /// error of a stamp.
    fn run(seconds: u64, is_answered: impl Fn(u64) -> bool) -> (ShardClock, u64) {
        let mut random = fastrand::Rng::with_seed(seconds);
        let clock = Arc::new(ReferenceClock::new(Some(SHIFT)));
        let mut keeper = ClockKeeper::new(Arc::clone(&clock), 7, 2);
        let (begin, end) = (1000 * MILLISECOND, (1000 + seconds * 1000) * MILLISECOND);
        let (mut time, mut worst, mut is_over) = (0, 0, false);
        while time < end + 1000 * MILLISECOND {
            if time >= end && !is_over {
                is_over = true;
                keeper.load_is_over();
            }
            let asked = keeper.due(time);
            if (begin..end).contains(&time) {
                worst = worst.max(clock.at(time).abs_diff(time));
            }
            if let Some(TimeRequest { token, number }) = asked {
                let heard = time + random.u64(20_000..200_000);
                let answer = TimeAnswer {
                    token,
                    number,
                    heard_ns: heard,
                    answered_ns: heard + 3_000,
                    clock: "1".into(),
                };
                time = heard + 3_000 + random.u64(20_000..200_000);
                if is_answered(time) {
                    keeper.hear(&answer, time);
                }
            } else {
                time += 20 * MILLISECOND;
            }
        }
        (keeper.record((begin, end)), worst)
    }

    #[test]
    fn shifted_clock_is_found_within_its_stated_error() {
        for seconds in [1, 5, 120, 4000] {
            let (found, worst) = run(seconds, |_| true);
            let at = found.at_ns.unwrap();
            let truth = i64::try_from(SHIFT.shifted(at) - at).unwrap();
            let miss = (found.offset_ns.unwrap() + truth).unsigned_abs();
            assert!(miss <= found.error_ns.unwrap() + 2, "{seconds} s: {miss} {found:?}");
            assert!((found.drift_ppm.unwrap() + 50.0).abs() <= found.drift_error_ppm.unwrap(), "{found:?}");
            assert!(worst <= found.used_error_ns.unwrap(), "{seconds} s: {worst} {found:?}");
            assert!(found.used_error_ns.unwrap() < 400_000, "{found:?}");
        }
    }

    /// Without answers during the load the drift is unknown, and the error includes it.
    #[test]
    fn clock_without_later_answers_has_a_larger_error() {
        let (found, worst) = run(60, |time| time < 1200 * MILLISECOND);
        assert!(worst <= found.used_error_ns.unwrap(), "{worst} {found:?}");
        let (silent, _) = run(1, |_| false);
        assert_eq!((silent.offset_ns, silent.used_error_ns), (None, None));
    }
}
