//! The course of a changing rate, and the number of messages due at any time. The schedule is the integral of
//! the rate, so that it stays exact through ramps.

use std::time::Duration;

use super::config::{Load, Rate};
use super::impact::Impact;
use super::stage::RateStage;

/// A period in which the rate is linear or constant.
#[derive(Debug, Clone, Copy, PartialEq)]
struct RatePiece {
    /// Seconds since the start.
    begin: f64,
    length: f64,
    /// Messages due before it.
    before: f64,
    /// Messages per second at its start and at its end.
    from: f64,
    to: f64,
}

impl RatePiece {
    fn messages(&self) -> f64 {
        self.length * f64::midpoint(self.from, self.to)
    }

    /// The number of messages due in its first `seconds`.
    #[cfg(test)]
    fn messages_in(&self, seconds: f64) -> f64 {
        seconds * (self.from + (self.to - self.from) / self.length * seconds / 2.0)
    }

    /// The time from its start until this number of messages is due: the root of the integral, in the form
    /// that avoids differences of nearly equal numbers.
    fn seconds_of(&self, messages: f64) -> f64 {
        let slope = (self.to - self.from) / self.length;
        let root = (self.from * self.from + 2.0 * slope * messages).max(0.0).sqrt();
        if self.from + root > 0.0 { (2.0 * messages / (self.from + root)).min(self.length) } else { 0.0 }
    }
}

/// The course of a load's rate.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RateCourse {
    /// In order of time.
    pieces: Vec<RatePiece>,
}

impl RateCourse {
    /// The course of these stages after a warm-up at the initial rate of the first; `rate` is the rate before
    /// the first.
    fn new(stages: &[RateStage], rate: f64, warmup: Duration) -> Self {
        let mut course = Self { pieces: Vec::with_capacity(stages.len() + 1) };
        let mut current = match stages.first() {
            Some(RateStage::Ramp { from, .. }) => from.unwrap_or(0.0),
            _ => rate,
        };
        if !warmup.is_zero() {
            let first =
                if let Some(RateStage::Spike { rate, .. }) = stages.first() { *rate } else { current };
            course.add(first, first, warmup);
        }
        for stage in stages {
            match *stage {
                RateStage::Ramp { from, to, length } => {
                    course.add(from.unwrap_or(current), to, length);
                    current = to;
                }
                RateStage::Hold(length) => course.add(current, current, length),
                RateStage::Spike { rate, length } => course.add(rate, rate, length),
            }
        }
        course
    }

    fn add(&mut self, from: f64, to: f64, length: Duration) {
        let (begin, before) = (self.length(), self.messages());
        self.pieces.push(RatePiece { begin, length: length.as_secs_f64(), before, from, to });
    }

    /// The length in seconds.
    fn length(&self) -> f64 {
        self.pieces.last().map_or(0.0, |last| last.begin + last.length)
    }

    /// The total number of messages.
    fn messages(&self) -> f64 {
        self.pieces.last().map_or(0.0, |last| last.before + last.messages())
    }

    /// When this number of messages is due, in seconds since the start; infinite if the schedule has fewer.
    pub(super) fn seconds_of(&self, messages: f64) -> f64 {
        let place = self.pieces.partition_point(|piece| piece.before + piece.messages() <= messages);
        let Some(piece) = self.pieces.get(place) else { return f64::INFINITY };
        piece.begin + piece.seconds_of((messages - piece.before).max(0.0))
    }

    /// The number of messages due in this number of seconds after the start: the integral of the rate.
    #[cfg(test)]
    pub(super) fn messages_until(&self, seconds: f64) -> f64 {
        let place = self.pieces.partition_point(|piece| piece.begin <= seconds);
        let Some(piece) = place.checked_sub(1).and_then(|place| self.pieces.get(place)) else { return 0.0 };
        piece.before + piece.messages_in((seconds - piece.begin).min(piece.length))
    }
}

impl Load {
    /// The course of the rate, if it has stages.
    pub(super) fn course(&self) -> Option<RateCourse> {
        let Rate::PerSecond(rate) = self.rate else { return None };
        (!self.stages.is_empty()).then(|| RateCourse::new(&self.stages, rate, self.warmup))
    }

    /// Average messages per second in the measurement.
    pub(super) fn mean_rate(&self) -> Option<f64> {
        let Rate::PerSecond(rate) = self.rate else { return None };
        if self.stages.is_empty() {
            return Some(rate);
        }
        let course = RateCourse::new(&self.stages, rate, Duration::ZERO);
        Some(course.messages() / course.length())
    }

    /// The average rate requested for each stage.
    pub(super) fn stage_rates(&self) -> Vec<f64> {
        let Rate::PerSecond(rate) = self.rate else { return Vec::new() };
        let course = RateCourse::new(&self.stages, rate, Duration::ZERO);
        course.pieces.iter().map(|piece| piece.messages() / piece.length).collect()
    }

    /// The start of each stage, if the measurement starts at `measure`; nanoseconds of the monotonic clock.
    pub(super) fn stage_marks(&self, measure: u64) -> Vec<u64> {
        let mut begin = Duration::ZERO;
        let mark = |stage: &RateStage| {
            let mark = measure.saturating_add(u64::try_from(begin.as_nanos()).unwrap_or(u64::MAX));
            begin += stage.length();
            Impact::mark(mark)
        };
        self.stages.iter().map(mark).collect()
    }
}

#[cfg(test)]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn course(stages: &[RateStage], rate: f64) -> RateCourse {
        RateCourse::new(stages, rate, Duration::ZERO)
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn rate_after_a_spike_is_the_rate_before() {
        let stages = [
            RateStage::Ramp { from: None, to: 100.0, length: seconds(10.0) },
            RateStage::Hold(seconds(5.0)),
            RateStage::Spike { rate: 500.0, length: seconds(2.0) },
            RateStage::Hold(seconds(1.0)),
            RateStage::Ramp { from: None, to: 0.0, length: seconds(4.0) },
        ];
        let course = course(&stages, 7.0);
        let messages = [10.0, 15.0, 17.0, 18.0, 22.0, 99.0].map(|until| course.messages_until(until));
        let expected = [500.0, 1000.0, 2000.0, 2100.0, 2300.0, 2300.0];
        let is_near = |(one, other): (&f64, f64)| (one - other).abs() < 1e-9;
        assert!(messages.iter().zip(expected).all(is_near), "{messages:?}");
        assert!((course.seconds_of(125.0) - 5.0).abs() < 1e-9, "a quarter in half of the ramp");
        assert!(course.seconds_of(2300.0).is_infinite());
    }

    #[test]
    fn the_first_hold_has_the_rate_of_the_load() {
        let both = RateCourse::new(&[RateStage::Hold(seconds(2.0))], 50.0, seconds(3.0));
        assert!((both.messages_until(3.0) - 150.0).abs() < 1e-9);
        assert!((both.messages_until(5.0) - 250.0).abs() < 1e-9);
        assert!((both.seconds_of(200.0) - 4.0).abs() < 1e-9);
    }

    fn stage() -> impl Strategy<Value = RateStage> {
        let rate = prop_oneof![Just(0.0), 0.5_f64..2000.0];
        let length = (1_u64..5000).prop_map(Duration::from_millis);
        prop_oneof![
            (prop::option::of(rate.clone()), rate.clone(), length.clone())
                .prop_map(|(from, to, length)| RateStage::Ramp { from, to, length }),
            length.clone().prop_map(RateStage::Hold),
            (rate, length).prop_map(|(rate, length)| RateStage::Spike { rate, length }),
        ]
    }

    proptest! {
        /// For any course, the number of messages due at each time is the integral of the rate.
        #[test]
        fn messages_that_are_due_are_the_integral_of_the_rate(
            stages in prop::collection::vec(stage(), 1..8),
            rate in 0.5_f64..2000.0,
            part in 0.0_f64..1.0,
        ) {
            let course = course(&stages, rate);
            let all = course.messages().ceil() as u64;
            let times: Vec<f64> = (0..all).map(|index| course.seconds_of(index as f64)).collect();
            prop_assert!(times.is_sorted());
            // Computed in another way: in small steps.
            let until = part * course.length();
            let due = times.iter().filter(|time| **time <= until).count() as f64;
            let integral = course.messages_until(until);
            prop_assert!((due - integral).abs() <= 1.0 + 1e-6, "{} are due, of {}", due, integral);
            let steps = 2000;
            let step = until / f64::from(steps);
            let rate_at = |time: f64| {
                let piece = course.pieces.iter().rev().find(|piece| piece.begin <= time).unwrap();
                piece.from + (piece.to - piece.from) * (time - piece.begin) / piece.length
            };
            let sum: f64 = (0..steps).map(|number| rate_at((f64::from(number) + 0.5) * step) * step).sum();
            // The error of a step in which the rate jumps is at most the whole step.
            let jumps = 2000.0 * step * 8.0;
            prop_assert!((sum - integral).abs() <= jumps + 1e-3 * integral + 1e-6, "{} is not {}", integral, sum);
        }
    }
}
