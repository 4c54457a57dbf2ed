//! When the broker stalls, or is down, on request.

use std::time::Instant;

use super::faults::Interval;

/// Something that lasts a while, again and again.
pub(super) struct Interruption {
    interval: Option<Interval>,
    began: Instant,
    is_on: bool,
}

impl Interruption {
    pub(super) fn new(interval: Option<Interval>, now: Instant) -> Self {
        Self { interval, began: now, is_on: false }
    }

    /// When it begins or ends.
    pub(super) fn next(&self) -> Option<Instant> {
        let interval = self.interval?;
        self.began.checked_add(if self.is_on { interval.length } else { interval.every })
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether it begins or ends now.
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
