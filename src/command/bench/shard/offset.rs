//! The offset of a shard's clock from the clock of shard 1: a line through the best round trips between them. An
//! offset is added to the shard's own clock. Times are those of the own clock. Both are in nanoseconds.

/// Maximum number of time slices; above it, slices are joined in pairs.
const MOST_PARTS: usize = 1024;
/// Drift assumed where samples do not bound it: a disciplined clock drifts by less than one second in 2000.
const MOST_DRIFT: f64 = 500e-6;
/// Expected size of a drift in nanoseconds a second. It keeps the slope small while samples are few or close together.
const USUAL_DRIFT: f64 = 100_000.0;
const SECOND: f64 = 1e9;

/// The offset measured by one round trip, with its error `half`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClockSample {
    pub(super) at: u64,
    pub(super) offset: i64,
    /// Half of the network time of the round trip: the error if one direction took all of it.
    pub(super) half: u64,
}

impl ClockSample {
    /// The sample of a request that was sent and answered at these times of the own clock, and received and answered at
    /// these times of the other clock; `None` if the times contradict each other.
    pub(super) fn of((asked, back): (u64, u64), (heard, answered): (u64, u64)) -> Option<Self> {
        let away = back.checked_sub(asked)?;
        let ways = away.checked_sub(answered.checked_sub(heard)?)?;
        let sum = i128::from(heard) - i128::from(asked) + i128::from(answered) - i128::from(back);
        Some(Self { at: asked + away / 2, offset: i64::try_from(sum / 2).ok()?, half: ways / 2 + 1 })
    }
}

/// The best round trips of a run: the shortest of each time slice.
#[derive(Debug)]
pub(super) struct ClockSamples {
    first: Option<u64>,
    /// The length of a slice.
    part: u64,
    best: Vec<(u64, ClockSample)>,
}

impl ClockSamples {
    pub(super) fn new(part: u64) -> Self {
        Self { first: None, part: part.max(1), best: Vec::new() }
    }

    /// The length of a slice.
    pub(super) fn part(&self) -> u64 {
        self.part
    }

    pub(super) fn add(&mut self, sample: ClockSample) {
        let first = *self.first.get_or_insert(sample.at);
        let place = sample.at.saturating_sub(first) / self.part;
        match self.best.last_mut() {
            Some((last, best)) if *last >= place => {
                if sample.half < best.half {
                    *best = sample;
                }
            }
            _ => self.best.push((place, sample)),
        }
        if self.best.len() > MOST_PARTS {
            self.part = self.part.saturating_mul(2);
            let all = std::mem::take(&mut self.best);
            for (place, sample) in all {
                match self.best.last_mut() {
                    Some((last, best)) if *last == place / 2 => {
                        if sample.half < best.half {
                            *best = sample;
                        }
                    }
                    _ => self.best.push((place / 2, sample)),
                }
            }
        }
    }

    /// The latest samples, at most this number.
    pub(super) fn latest(&self, most: usize) -> Vec<ClockSample> {
        let from = self.best.len().saturating_sub(most);
        self.best[from..].iter().map(|(_, sample)| *sample).collect()
    }

    pub(super) fn all(&self) -> Vec<ClockSample> {
        self.latest(usize::MAX)
    }
}

/// The offset of a clock with a constant drift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ClockLine {
    at: u64,
    offset: i64,
    /// The growth of the offset per nanosecond.
    pub(super) drift: f64,
}

#[allow(clippy::cast_precision_loss, reason = "differences of times are exact up to 104 days")]
fn difference(one: u64, other: u64) -> f64 {
    if one >= other { (one - other) as f64 } else { -((other - one) as f64) }
}

#[allow(clippy::cast_possible_truncation, reason = "a cast keeps to the limits")]
fn rounded(value: f64) -> i64 {
    value.round() as i64
}

impl ClockLine {
    /// The weighted least-squares line through these samples; shorter round trips have more weight. `None` without samples.
    #[allow(clippy::cast_precision_loss, reason = "differences of times are exact up to 104 days")]
    pub(super) fn through(samples: &[ClockSample]) -> Option<Self> {
        let first = samples.first()?;
        let point = |sample: &ClockSample| {
            let weight = 1.0 / (sample.half.max(1) as f64).powi(2);
            let since = difference(sample.at, first.at) / SECOND;
            (weight, since, sample.offset.saturating_sub(first.offset) as f64)
        };
        let sum = |of: &dyn Fn((f64, f64, f64)) -> f64| samples.iter().map(point).map(of).sum::<f64>();
        let weights = sum(&|(weight, ..)| weight);
        let at = sum(&|(weight, since, _)| weight * since) / weights;
        let offset = sum(&|(weight, _, offset)| weight * offset) / weights;
        let spread = sum(&|(weight, since, _)| weight * (since - at).powi(2)) + USUAL_DRIFT.powi(-2);
        let slope = sum(&|(weight, since, own)| weight * (since - at) * (own - offset)) / spread;
        Some(Self {
            at: first.at.saturating_add_signed(rounded(at * SECOND)),
            offset: first.offset.saturating_add(rounded(offset)),
            drift: slope / SECOND,
        })
    }

    pub(super) fn offset(&self, time: u64) -> i64 {
        self.offset.saturating_add(rounded(self.drift * difference(time, self.at)))
    }

    /// The distance of a sample from the line.
    fn misses(&self, sample: &ClockSample) -> u64 {
        self.offset(sample.at).abs_diff(sample.offset)
    }

    /// The errors of the line and of its drift between these times. A clock with a constant drift is no further from the
    /// line than the samples before and after show. If a sample contradicts the line, the drift was not constant, and the
    /// contradiction is added.
    pub(super) fn bound(&self, samples: &[ClockSample], (begin, end): (u64, u64)) -> ClockBound {
        let far = |sample: &&ClockSample| self.misses(sample).saturating_add(sample.half);
        let before = samples.iter().filter(|sample| sample.at <= begin).min_by_key(far).or(samples.first());
        let after = samples.iter().filter(|sample| sample.at >= end).min_by_key(far).or(samples.last());
        let (Some(before), Some(after)) = (before, after) else {
            return ClockBound { error: u64::MAX, drift: MOST_DRIFT };
        };
        let unsteady = samples.iter().map(|sample| self.misses(sample).saturating_sub(sample.half)).max();
        let passed = difference(after.at, before.at);
        let (first, last) = (far(&before), far(&after));
        #[allow(clippy::cast_precision_loss, reason = "differences of times are exact up to 104 days")]
        let drift = if passed > 0.0 { (first.saturating_add(last)) as f64 / passed } else { MOST_DRIFT };
        let outside = before.at.saturating_sub(begin).max(end.saturating_sub(after.at));
        #[allow(clippy::cast_sign_loss, reason = "not negative")]
        let more = rounded(difference(outside, 0) * drift).max(0) as u64;
        let error = first.max(last).saturating_add(unsteady.unwrap_or(0)).saturating_add(more);
        ClockBound { error, drift }
    }
}

/// The errors of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ClockBound {
    pub(super) error: u64,
    /// The error of its drift.
    pub(super) drift: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The true offset of a clock that is ahead by `ahead` and gains `ppm` parts in a million.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "of a test")]
    fn truth(ahead: i64, ppm: f64, time: u64) -> i64 {
        -(ahead + (time as f64 * ppm / 1e6).round() as i64)
    }

    fn sample(ahead: i64, ppm: f64, at: u64, (there, back): (u64, u64)) -> ClockSample {
        let other = |time: u64| (1_u64 << 50).saturating_add_signed(truth(ahead, ppm, time)) + time;
        let own = |time: u64| time + (1 << 50);
        let found =
            ClockSample::of((own(at), own(at + there + back)), (other(at + there), other(at + there)));
        let found = found.unwrap();
        ClockSample { at: found.at - (1 << 50), ..found }
    }

    proptest! {
        /// A clock with an offset and a constant drift is found within the stated error, for any network times.
        #[test]
        fn clock_is_found_within_its_error(
            ahead in -1_i64 << 40..1 << 40, ppm in -200.0..200.0, trips in proptest::collection::vec(
                (1_000_u64..3_000_000, 1_000_u64..3_000_000, 1_u64..400_000_000), 2..200),
        ) {
            let mut samples = ClockSamples::new(1_000_000_000);
            let mut at = 0;
            for (there, back, pause) in trips {
                samples.add(sample(ahead, ppm, at, (there, back)));
                at += there + back + pause;
            }
            let line = ClockLine::through(&samples.all()).unwrap();
            let bound = line.bound(&samples.all(), (0, at));
            for time in [0, at / 3, at / 2, at] {
                let miss = line.offset(time).abs_diff(truth(ahead, ppm, time));
                prop_assert!(miss <= bound.error + 2, "{miss} {bound:?}");
            }
            prop_assert!((line.drift * 1e6 + ppm).abs() <= bound.drift * 1e6 + 0.1 , "{line:?} {bound:?}");
        }
    }

    /// 250 ms ahead and 50 parts in a million too fast, over an hour with round trips of 100 to 900 µs.
    #[test]
    fn hour_is_found_to_microseconds() {
        let mut random = fastrand::Rng::with_seed(19);
        let mut samples = ClockSamples::new(1_000_000_000);
        for second in 0..3600_u64 {
            let ways = (random.u64(50_000..450_000), random.u64(50_000..450_000));
            samples.add(sample(250_000_000, 50.0, second * 1_000_000_000, ways));
        }
        assert!(samples.all().len() <= MOST_PARTS);
        let line = ClockLine::through(&samples.all()).unwrap();
        let bound = line.bound(&samples.all(), (60_000_000_000, 3_500_000_000_000));
        assert!((line.drift * 1e6 + 50.0).abs() < 0.05, "{line:?}");
        let miss = line.offset(1_800_000_000_000).abs_diff(truth(250_000_000, 50.0, 1_800_000_000_000));
        assert!(miss < 20_000 && miss <= bound.error && bound.error < 200_000, "{miss} {bound:?}");
    }

    /// A clock that was set during the run contradicts the line, so the error is larger.
    #[test]
    fn step_of_a_clock_is_in_the_error() {
        let all: Vec<ClockSample> = (0..20_u64)
            .map(|second| {
                let offset = if second < 10 { 0 } else { 5_000_000 };
                ClockSample { at: second * 1_000_000_000, offset, half: 50_000 }
            })
            .collect();
        let line = ClockLine::through(&all).unwrap();
        let bound = line.bound(&all, (0, 19_000_000_000));
        for sample in &all {
            assert!(line.offset(sample.at).abs_diff(sample.offset) <= bound.error);
        }
        assert!(bound.error > 1_000_000);
    }

    #[test]
    fn what_cannot_be_is_no_sample() {
        assert_eq!(ClockSample::of((5, 4), (1, 1)), None, "back before it was asked");
        assert_eq!(ClockSample::of((4, 9), (3, 1)), None, "answered before it was heard");
        assert_eq!(ClockSample::of((4, 9), (1, 8)), None, "answered for longer than it was away");
        assert_eq!(ClockSample::of((0, 0), (u64::MAX, u64::MAX)), None, "further than any clock");
        let sample = ClockSample::of((10, 20), (115, 117));
        assert_eq!(sample, Some(ClockSample { at: 15, offset: 101, half: 5 }));
    }
}
