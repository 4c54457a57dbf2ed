//! Timing of simulated stalls and downtimes.

use std::time::Instant;

use super::faults::Interval;

/// A fault that repeats, each time for a while.
pub(super) struct Interruption {
    interval: Option<Interval>,
    began: Instant,
    is_on: bool,
}

impl Interruption {
    pub(super) fn new(interval: Option<Interval>, now: Instant) -> Self {
        Self { interval, began: now, is_on: false }
    }

    /// When it starts or ends next.
    pub(super) fn next(&self) -> Option<Instant> {
        let interval = self.interval?;
        self.began.checked_add(if self.is_on { interval.length } else { interval.every })
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether it starts or ends now.
    pub(super) fn turns(&mut self, now: Instant) -> bool {
        if self.next().is_none_or(|at| at > now) {
            return false;
        }
        self.is_on = !self.is_on;
        if self.is_on {
            self.began = now;
        }
        true
    }
}
