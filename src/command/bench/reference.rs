//! The clock that the stamps of a run are in. Each process has the monotonic clock of its machine; where processes on several
//! machines share a load, stamps are in the clock of one of them, as far as the others know it.

use std::sync::atomic::{AtomicI64, Ordering};

/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;

/// For tests: a process takes the clock of its machine for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockShift {
    /// That is ahead by so many nanoseconds,
    pub ahead: i64,
    /// and gains so many nanoseconds a second
    pub gains: i32,
    /// since this time of the machine's clock.
    pub since: u64,
}

impl ClockShift {
    /// What the other clock shows.
    pub(super) fn shifted(self, time: u64) -> u64 {
        let passed = i128::from(time) - i128::from(self.since);
        bounded(i128::from(time) + i128::from(self.ahead) + passed * i128::from(self.gains) / SECOND)
    }

    fn unshifted(self, time: u64) -> u64 {
        let passed = i128::from(time) - i128::from(self.ahead) - i128::from(self.since);
        bounded(i128::from(self.since) + passed * SECOND / (SECOND + i128::from(self.gains)).max(1))
    }
}

fn bounded(time: i128) -> u64 {
    u64::try_from(time.max(0)).unwrap_or(u64::MAX)
}

/// The clock of a run, as this process knows it.
#[derive(Debug, Default)]
pub(super) struct ReferenceClock {
    /// What is to be added to the clock of this process.
    offset: AtomicI64,
    shift: Option<ClockShift>,
}

impl ReferenceClock {
    pub(super) fn new(shift: Option<ClockShift>) -> Self {
        Self { shift, ..Self::default() }
    }

    /// What the clock of this process shows at a time of the monotonic clock.
    #[inline]
    pub(super) fn own(&self, time: u64) -> u64 {
        self.shift.map_or(time, |shift| shift.shifted(time))
    }

    /// What the clock of the run shows at a time of the monotonic clock.
    #[inline]
    pub(super) fn at(&self, time: u64) -> u64 {
        self.own(time).saturating_add_signed(self.offset.load(Ordering::Relaxed))
    }

    /// The time of the monotonic clock at which the clock of the run shows this.
    #[inline]
    pub(super) fn when(&self, shown: u64) -> u64 {
        let own = shown.saturating_add_signed(self.offset.load(Ordering::Relaxed).saturating_neg());
        self.shift.map_or(own, |shift| shift.unshifted(own))
    }

    /// What is to be added to the clock of this process from now on.
    pub(super) fn set(&self, offset: i64) {
        self.offset.store(offset, Ordering::Relaxed);
    }

    /// What tells the clock of this process from that of its machine; empty if it is that.
    pub(super) fn name(&self) -> String {
        self.shift.map_or_else(String::new, |shift| format!("{shift:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn times_come_back(
            time in 1_u64 << 40..1 << 60, offset in -1_i64 << 39..1 << 39, ahead in -1_i64 << 38..1 << 38,
            gains in -1_000_000_i32..1_000_000, is_shifted in any::<bool>(),
        ) {
            let shift = ClockShift { ahead, gains, since: 1 << 41 };
            let clock = ReferenceClock::new(is_shifted.then_some(shift));
            clock.set(offset);
            prop_assert!(clock.when(clock.at(time)).abs_diff(time) <= u64::from(is_shifted) * 2);
        }
    }
}
