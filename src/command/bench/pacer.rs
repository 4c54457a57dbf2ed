//! The schedule of the open loop: when each publisher sends, independent of the broker. Times are absolute
//! and computed from one start, so that delays do not accumulate.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::config::Arrivals;
use super::course::RateCourse;

/// Maximum number of messages that are scheduled ahead with jitter, which changes their order.
const MOST_AHEAD: usize = 65_536;

/// A message to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DueMessage {
    /// Nanoseconds of the monotonic clock.
    pub(super) at: u64,
    /// The index of the publisher on this thread.
    pub(super) publisher: u32,
}

/// The share of a group of publishers in a changing rate.
#[derive(Debug, Clone)]
pub(super) struct CourseShare {
    pub(super) course: Arc<RateCourse>,
    /// The fraction.
    pub(super) part: f64,
}

/// The parameters of a schedule.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// Nanoseconds of the monotonic clock.
    pub(super) start: u64,
    /// The start of the measurement.
    pub(super) measure: u64,
    /// The number of messages in the measurement, of all threads together, after which the schedule ends.
    pub(super) count: Option<u64>,
    /// Messages per second of all threads together.
    pub(super) rate: f64,
    pub(super) arrivals: Arrivals,
    /// Nanoseconds.
    pub(super) jitter: u64,
    /// Publishers of all threads.
    pub(super) publishers: u32,
    /// Publishers of this thread are `thread`, `thread + threads`, and so on.
    pub(super) thread: u32,
    pub(super) threads: u32,
    pub(super) seed: u64,
    /// Replaces the rate, if that changes.
    pub(super) course: Option<CourseShare>,
}

/// The schedule of one thread: its part of a sequence of messages that is the same for any number of threads,
/// in order of time.
#[derive(Debug)]
pub(super) struct Pacer {
    schedule: Schedule,
    /// Publishers of this thread.
    own: u32,
    /// Number of messages scheduled so far: of this thread, or with Poisson arrivals of all.
    count: u64,
    /// The number of the first message after the end of the schedule.
    limit: u64,
    /// The position of the Poisson sequence, in seconds since the start, or in messages at the mean if the
    /// rate changes; and the number of its messages in the measurement.
    elapsed: f64,
    counted: u64,
    random: fastrand::Rng,
    /// Messages reordered by jitter.
    ahead: BinaryHeap<Reverse<DueMessage>>,
    next: Option<DueMessage>,
}

impl Pacer {
    pub(super) fn new(schedule: Schedule) -> Self {
        let (seed, limit) = (schedule.seed, schedule.count);
        let mut pacer = Self {
            own: share(schedule.publishers, schedule.thread, schedule.threads),
            schedule,
            count: 0,
            limit: u64::MAX,
            elapsed: 0.0,
            counted: 0,
            random: fastrand::Rng::with_seed(seed),
            ahead: BinaryHeap::new(),
            next: None,
        };
        if let (Some(count), true) = (limit, pacer.schedule.arrivals != Arrivals::Poisson) {
            pacer.limit = pacer.first_from(pacer.schedule.measure).saturating_add(count);
        }
        pacer.next = pacer.following();
        pacer
    }

    /// The next message; `None` if there are no more, or this thread has no publisher.
    pub(super) fn peek(&self) -> Option<DueMessage> {
        self.next
    }

    /// Advances to the next message.
    pub(super) fn advance(&mut self) {
        self.next = self.following();
    }

    fn following(&mut self) -> Option<DueMessage> {
        if self.own == 0 {
            return None;
        }
        if self.schedule.jitter == 0 {
            return self.lay_out().map(|(_, due)| due);
        }
        // A message scheduled later is not due before its own slot: when the first of the heap is due before
        // the next slot, no other can precede it.
        loop {
            let slot = self.slot_time();
            match self.ahead.peek() {
                Some(Reverse(first)) if first.at <= slot || self.ahead.len() >= MOST_AHEAD => {
                    return self.ahead.pop().map(|Reverse(due)| due);
                }
                _ => {
                    let Some((number, due)) = self.lay_out() else {
                        return self.ahead.pop().map(|Reverse(due)| due);
                    };
                    self.ahead.push(Reverse(DueMessage { at: self.delayed(number, due.at), ..due }));
                }
            }
        }
    }

    /// When a message with this slot is due, with jitter. A message of the warm-up stays in it.
    fn delayed(&self, number: u64, at: u64) -> u64 {
        // Seeded by the message and not by a common sequence, because threads schedule different messages.
        let seed = self.schedule.seed ^ number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let late = at.saturating_add(fastrand::Rng::with_seed(seed).u64(..self.schedule.jitter));
        if at < self.schedule.measure { late.min(self.schedule.measure - 1) } else { late }
    }

    /// No message that is not scheduled yet is due before this time.
    fn slot_time(&self) -> u64 {
        match self.schedule.arrivals {
            Arrivals::Poisson => self.elapsed_time(),
            _ => self.time_of(self.index_of(self.count).0),
        }
    }

    /// The thread's next slot, with its number among all threads' messages.
    fn lay_out(&mut self) -> Option<(u64, DueMessage)> {
        if self.schedule.arrivals == Arrivals::Poisson {
            return self.draw();
        }
        let (index, publisher) = self.index_of(self.count);
        if index >= self.limit {
            return None;
        }
        self.count += 1;
        Some((index, DueMessage { at: self.time_of(index), publisher }))
    }

    /// Every thread draws the whole sequence, and keeps its own messages.
    fn draw(&mut self) -> Option<(u64, DueMessage)> {
        let Schedule { rate, publishers, thread, threads, measure, count, .. } = self.schedule;
        let rate = self.schedule.course.as_ref().map_or(rate, |share| share.part);
        loop {
            self.elapsed += -(1.0 - self.random.f64()).ln() / rate;
            let publisher = self.random.u32(..publishers);
            let at = self.elapsed_time();
            self.counted += u64::from(at >= measure);
            if count.is_some_and(|count| self.counted > count) {
                return None;
            }
            self.count += 1;
            if publisher % threads == thread {
                return Some((self.count, DueMessage { at, publisher: publisher / threads }));
            }
        }
    }

    /// The first message of a uniform sequence that is not due before this time.
    fn first_from(&self, time: u64) -> u64 {
        let (mut low, mut high) = (0_u64, 1 << 53);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.time_of(middle) < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The number of this thread's n-th message among those of all threads, and its publisher; publishers
    /// take turns.
    fn index_of(&self, count: u64) -> (u64, u32) {
        let own = u64::from(self.own);
        let place = count % own;
        let turn = place * u64::from(self.schedule.threads) + u64::from(self.schedule.thread);
        let index = count / own * u64::from(self.schedule.publishers) + turn;
        (index, u32::try_from(place).unwrap_or(0))
    }

    fn time_of(&self, index: u64) -> u64 {
        let index = match self.schedule.arrivals {
            Arrivals::Burst(size) => index - index % u64::from(size.max(1)),
            _ => index,
        };
        #[allow(clippy::cast_precision_loss, reason = "exact for the first 9 × 10¹⁵ messages")]
        let index = index as f64;
        match &self.schedule.course {
            None => self.at_seconds(index / self.schedule.rate),
            Some(CourseShare { course, part }) => self.at_seconds(course.seconds_of(index / part)),
        }
    }

    /// When the latest message of the Poisson sequence is due.
    fn elapsed_time(&self) -> u64 {
        match &self.schedule.course {
            None => self.at_seconds(self.elapsed),
            Some(share) => self.at_seconds(share.course.seconds_of(self.elapsed)),
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times are not negative")]
    fn at_seconds(&self, seconds: f64) -> u64 {
        self.schedule.start.saturating_add((seconds * 1e9) as u64)
    }
}

/// The share of one of several threads in `all`, assigned in turn.
pub(super) fn share(all: u32, thread: u32, threads: u32) -> u32 {
    all / threads + u32::from(thread < all % threads)
}

#[cfg(test)]
#[allow(clippy::cast_precision_loss, reason = "small numbers")]
mod tests {
    use super::*;

    fn schedule(rate: f64, arrivals: Arrivals, publishers: u32, thread: u32, threads: u32) -> Schedule {
        Schedule {
            start: 1_000,
            measure: 1_000,
            count: None,
            rate,
            arrivals,
            jitter: 0,
            publishers,
            thread,
            threads,
            seed: 7,
            course: None,
        }
    }

    fn first(schedule: Schedule, count: usize) -> Vec<DueMessage> {
        let mut pacer = Pacer::new(schedule);
        let mut dues = Vec::new();
        while let Some(due) = pacer.peek().filter(|_| dues.len() < count) {
            dues.push(due);
            pacer.advance();
        }
        dues
    }

    /// All threads together send one uniform sequence, in which publishers take turns.
    #[test]
    fn threads_share_one_schedule() {
        for (publishers, threads) in [(1, 1), (1, 4), (7, 2), (10, 3), (5, 5)] {
            let mut all: Vec<(u64, u32)> = Vec::new();
            for thread in 0..threads {
                for due in first(schedule(1_000.0, Arrivals::Uniform, publishers, thread, threads), 50) {
                    all.push((due.at, due.publisher * threads + thread));
                }
            }
            all.sort_unstable();
            for (index, (at, publisher)) in all.iter().take(50).enumerate() {
                assert_eq!(*at, 1_000 + index as u64 * 1_000_000);
                assert_eq!(*publisher, u32::try_from(index).unwrap() % publishers);
            }
        }
    }

    /// With any number of threads, the same publishers send at the same times; and a limited schedule ends
    /// with the same message, with or without jitter.
    #[test]
    fn threads_do_not_change_the_schedule() {
        for arrivals in [Arrivals::Uniform, Arrivals::Poisson, Arrivals::Burst(7)] {
            for jitter in [0, 3_000_000] {
                let rows = [1, 2, 3, 8].map(|threads| {
                    let mut all: Vec<(u64, u32)> = Vec::new();
                    for thread in 0..threads {
                        let part = schedule(1_000.0, arrivals, 5, thread, threads);
                        let part = Schedule { jitter, measure: 20_001_000, count: Some(333), ..part };
                        let dues = first(part, 10_000);
                        assert!(dues.is_sorted_by_key(|due| due.at), "{arrivals:?}");
                        all.extend(dues.iter().map(|due| (due.at, due.publisher * threads + thread)));
                    }
                    all.sort_unstable();
                    all
                });
                assert_eq!(rows[0].iter().filter(|(at, _)| *at >= 20_001_000).count(), 333, "{arrivals:?}");
                assert!(rows.iter().all(|row| *row == rows[0]), "{arrivals:?} {jitter}");
            }
        }
    }

    /// Rates that whole milliseconds or microseconds cannot express.
    #[test]
    fn any_rate_is_reached_exactly() {
        for rate in [0.5, 3.0, 1_234.5, 77_777.0, 3_000_000.0] {
            let dues = first(schedule(rate, Arrivals::Uniform, 1, 0, 1), 10_001);
            let seconds = (dues[10_000].at - dues[0].at) as f64 / 1e9;
            assert!((10_000.0 / seconds / rate - 1.0).abs() < 1e-6, "{rate}: {seconds}");
        }
    }

    #[test]
    fn bursts_come_together() {
        let dues = first(schedule(100.0, Arrivals::Burst(10), 1, 0, 1), 30);
        assert!(dues[..10].iter().all(|due| due.at == 1_000));
        assert!(dues[10..20].iter().all(|due| due.at == 100_001_000));
    }

    #[test]
    fn poisson_has_the_rate_and_the_spread() {
        let dues = first(schedule(1_000.0, Arrivals::Poisson, 2, 0, 1), 100_001);
        let gaps: Vec<f64> = dues.windows(2).map(|pair| (pair[1].at - pair[0].at) as f64 / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let spread = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!((spread.sqrt() - 1.0).abs() < 0.03, "{spread}");
    }

    #[test]
    fn jitter_keeps_the_order_of_time_and_the_rate() {
        let jittered = Schedule { jitter: 50_000_000, ..schedule(1_000.0, Arrivals::Uniform, 3, 0, 1) };
        let dues = first(jittered, 10_000);
        assert!(dues.is_sorted_by_key(|due| due.at));
        let last = dues[9_999].at;
        assert!((9_990_000_000..10_060_000_000).contains(&last), "{last}");
    }
}
