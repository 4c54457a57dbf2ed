//! The search for the highest value that holds. It doubles the lowest value until a run fails, then bisects
//! between the highest value that held and the lowest that failed, and finally confirms the answer. A value
//! counts as failed only after a second failed run, because a machine may have a bad moment. This module
//! generates no load: it proposes values, and records the results.

/// Why a value is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunPurpose {
    /// To find a value that fails.
    Step,
    /// To narrow down the limit.
    Bisection,
    /// To confirm the answer.
    Confirmation,
}

impl RunPurpose {
    /// Its name in the report.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Bisection => "bisection",
            Self::Confirmation => "confirmation",
        }
    }
}

/// A value to try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rung {
    pub(super) value: f64,
    pub(super) purpose: RunPurpose,
    /// Whether the value has failed once.
    pub(super) is_retry: bool,
}

/// The range of the search.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The lowest value, which is tried first.
    pub from: f64,
    /// The highest value.
    pub to: f64,
    /// The maximum distance between the answer and a value that failed, as a fraction of the answer.
    pub precision: f64,
    /// The maximum number of runs.
    pub runs: u32,
    /// Whether values are whole numbers.
    pub whole: bool,
}

/// The state of a search.
#[derive(Debug)]
pub(super) struct Ladder {
    bounds: Bounds,
    runs: u32,
    /// Values that held, in ascending order.
    held: Vec<f64>,
    /// The lowest value that failed twice.
    failed: Option<f64>,
    confirmed: bool,
    /// The value that was tried last and failed for the first time.
    again: Option<Rung>,
}

impl Ladder {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, runs: 0, held: Vec::new(), failed: None, confirmed: false, again: None }
    }

    /// The next value to try; `None` at the end of the search.
    pub(super) fn next(&self) -> Option<Rung> {
        if self.confirmed || self.runs >= self.bounds.runs {
            return None;
        }
        if let Some(rung) = self.again {
            return Some(Rung { is_retry: true, ..rung });
        }
        let rung = |value, purpose| Some(Rung { value, purpose, is_retry: false });
        match (self.answer(), self.failed) {
            (None, None) => rung(self.bounds.from, RunPurpose::Step),
            (None, Some(_)) => None,
            (Some(low), None) if low < self.bounds.to => {
                rung((low * 2.0).min(self.bounds.to), RunPurpose::Step)
            }
            (Some(low), None) => rung(low, RunPurpose::Confirmation),
            (Some(low), Some(high)) => match self.between(low, high) {
                Some(middle) => rung(middle, RunPurpose::Bisection),
                None => rung(low, RunPurpose::Confirmation),
            },
        }
    }

    /// Records the result of a run.
    pub(super) fn record(&mut self, rung: Rung, held: bool) {
        self.runs += 1;
        self.again = None;
        let Rung { value, purpose, is_retry } = rung;
        if held {
            self.confirmed = purpose == RunPurpose::Confirmation;
            if !self.confirmed {
                self.held.push(value);
            }
        } else if is_retry {
            self.failed = Some(value);
            // An answer that fails a second time was too high; the search continues below it.
            self.held.retain(|held| *held < value);
        } else {
            self.again = Some(rung);
        }
    }

    /// The highest value that held.
    pub(super) fn answer(&self) -> Option<f64> {
        self.held.last().copied()
    }

    /// The lowest value that failed, also where it was not tried again.
    pub(super) fn failed(&self) -> Option<f64> {
        self.failed
    }

    /// Whether a further run confirmed the answer.
    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// The middle, if it is worth another run.
    fn between(&self, low: f64, high: f64) -> Option<f64> {
        if high - low <= self.bounds.precision * low {
            return None;
        }
        let middle = f64::midpoint(low, high);
        let middle = if self.bounds.whole || low >= 1000.0 { middle.floor() } else { middle };
        (middle > low && middle < high).then_some(middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: Bounds = Bounds { from: 1000.0, to: 1e7, precision: 0.02, runs: 50, whole: false };

    /// Runs a whole search; returns all rungs, and whether each held.
    fn climbed(bounds: Bounds, mut holds: impl FnMut(Rung) -> bool) -> (Ladder, Vec<(Rung, bool)>) {
        let (mut ladder, mut rungs) = (Ladder::new(bounds), Vec::new());
        while let Some(rung) = ladder.next() {
            let held = holds(rung);
            ladder.record(rung, held);
            rungs.push((rung, held));
        }
        (ladder, rungs)
    }

    #[test]
    fn values_are_doubled_then_halved_and_the_answer_is_confirmed() {
        let bounds = Bounds { precision: 0.3, ..BOUNDS };
        let (ladder, rungs) = climbed(bounds, |rung| rung.value <= 3100.0);
        let values: Vec<f64> = rungs.iter().map(|(rung, _)| rung.value).collect();
        // 3,000 held and 4,000 failed: 3,500 is between them, and fails twice.
        assert_eq!(values, [1000.0, 2000.0, 4000.0, 4000.0, 3000.0, 3500.0, 3500.0, 3000.0]);
        assert_eq!(rungs.last().unwrap().0.purpose, RunPurpose::Confirmation);
        assert!(rungs[3].0.is_retry && ladder.is_confirmed());
        assert_eq!((ladder.answer(), ladder.failed()), (Some(3000.0), Some(3500.0)));
    }

    #[test]
    fn value_that_fails_once_and_then_holds_does_not_count_as_failed() {
        let mut bad = 0;
        let (ladder, _) = climbed(BOUNDS, |rung| {
            let is_bad_moment = rung.value < 50_000.0 && !rung.is_retry && rung.purpose == RunPurpose::Step;
            bad += u32::from(is_bad_moment);
            !is_bad_moment && rung.value <= 50_000.0
        });
        assert!(bad > 3);
        assert!(ladder.answer().is_some_and(|answer| (49_000.0..=50_000.0).contains(&answer)), "{ladder:?}");
    }

    #[test]
    fn answer_that_fails_confirmation_is_lowered() {
        let (ladder, rungs) = climbed(BOUNDS, |rung| {
            rung.value <= if rung.purpose == RunPurpose::Confirmation { 6000.0 } else { 7000.0 }
        });
        assert!(ladder.is_confirmed() && ladder.answer().is_some_and(|answer| answer <= 6000.0), "{rungs:?}");
    }

    #[test]
    fn search_ends_without_an_answer_if_the_lowest_value_fails() {
        let (ladder, rungs) = climbed(BOUNDS, |_| false);
        assert_eq!((ladder.answer(), ladder.failed(), rungs.len()), (None, Some(1000.0), 2));
    }

    #[test]
    fn search_ends_at_the_highest_value() {
        let bounds = Bounds { to: 5000.0, ..BOUNDS };
        let (ladder, rungs) = climbed(bounds, |_| true);
        assert_eq!((ladder.answer(), ladder.failed(), ladder.is_confirmed()), (Some(5000.0), None, true));
        assert_eq!(rungs.len(), 5);
    }

    #[test]
    fn runs_have_a_bound() {
        let (ladder, rungs) = climbed(Bounds { runs: 6, ..BOUNDS }, |rung| rung.value < 7777.0);
        assert_eq!((rungs.len(), ladder.is_confirmed()), (6, false));
        assert_eq!(ladder.answer(), Some(6000.0));
    }

    proptest! {
        /// A constant limit is found within the precision, in few runs.
        #[test]
        fn constant_limit_is_found(limit in 1000.0..5e6_f64, precision in 0.005..0.1_f64) {
            let (ladder, rungs) = climbed(Bounds { precision, ..BOUNDS }, |rung| rung.value <= limit);
            let answer = ladder.answer().unwrap();
            prop_assert!(ladder.is_confirmed());
            // Values above 1,000 are whole numbers.
            prop_assert!(answer <= limit && limit - answer <= answer * precision + 1.0, "{} {}", answer, limit);
            prop_assert!(rungs.len() < 45);
        }

        /// The search ends, whatever the results.
        #[test]
        fn search_ends(outcomes in proptest::collection::vec(any::<bool>(), 50), whole in any::<bool>()) {
            let mut outcomes = outcomes.into_iter();
            let bounds = Bounds { from: 1.0, whole, ..BOUNDS };
            let (ladder, rungs) = climbed(bounds, |_| outcomes.next().unwrap());
            prop_assert!(rungs.len() <= 50);
            prop_assert!(ladder.answer().is_none_or(|answer| (1.0..=1e7).contains(&answer)));
        }
    }
}
