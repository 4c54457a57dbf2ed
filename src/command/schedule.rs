//! `--repeat`: the time of each repeat.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::publish::Config;

/// A message that is less late than this is still sent: timers are a few milliseconds late.
const TOLERANCE: Duration = Duration::from_millis(20);

/// The schedule of repeats.
pub(super) enum RepeatTiming {
    /// On an absolute schedule (`--interval`).
    Schedule(RepeatSchedule),
    /// After a pause that starts with the last acknowledgement (`--repeat-delay`).
    Pause(RepeatPause),
}

impl RepeatTiming {
    pub(super) fn of(config: &Config) -> Option<Self> {
        let pause =
            || (!config.repeat_delay.is_zero()).then(|| Self::Pause(RepeatPause::new(config.repeat_delay)));
        config.interval.map(RepeatSchedule::new).map(Self::Schedule).or_else(pause)
    }
}

/// A pause of the same length each time.
pub(super) struct RepeatPause {
    length: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl RepeatPause {
    fn new(length: Duration) -> Self {
        Self { length, sleep: None }
    }

    /// Starts a pause, unless one is running. Ready at its end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(self.length)));
        ready!(sleep.as_mut().poll(cx));
        self.sleep = None;
        Poll::Ready(())
    }
}

/// Message n, from 0, is due `n * interval` after the first one. Times that pass while nothing can be sent
/// are skipped, so that the messages are not sent in a burst.
pub(super) struct RepeatSchedule {
    interval: Duration,
    start: Option<Instant>,
    /// The number of the next message.
    next: u64,
    /// The number of skipped times.
    pub(super) left_out: u64,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl RepeatSchedule {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, start: None, next: 0, left_out: 0, sleep: None }
    }

    /// Ready once for each time of the schedule.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let start = *self.start.get_or_insert_with(Instant::now);
        let nanos = self.interval.as_nanos().saturating_mul(self.next.into());
        let due = start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 2));
        if due > Instant::now() {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if sleep.deadline() != due {
                sleep.as_mut().reset(due);
            }
            ready!(sleep.as_mut().poll(cx));
        }
        let late = Instant::now().saturating_duration_since(due);
        if late > TOLERANCE {
            let missed = late.as_nanos() / self.interval.as_nanos().max(1);
            let missed = u64::try_from(missed).unwrap_or(u64::MAX);
            self.left_out += missed;
            self.next = self.next.saturating_add(missed);
        }
        self.next += 1;
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    /// With a paused clock every time is met exactly.
    #[tokio::test(start_paused = true)]
    async fn messages_are_due_at_multiples_of_the_interval() {
        let mut schedule = RepeatSchedule::new(Duration::from_millis(300));
        let start = Instant::now();
        for number in 0..5 {
            poll_fn(|cx| schedule.poll(cx)).await;
            assert_eq!(start.elapsed(), Duration::from_millis(300) * number);
            // The time needed for sending does not accumulate.
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert_eq!(schedule.left_out, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn missed_times_are_left_out_and_counted() {
        let mut schedule = RepeatSchedule::new(Duration::from_millis(300));
        let start = Instant::now();
        poll_fn(|cx| schedule.poll(cx)).await;
        tokio::time::advance(Duration::from_secs(1)).await;
        // The times 300 and 600 have passed; 900 is sent late, and the next is 1200.
        poll_fn(|cx| schedule.poll(cx)).await;
        assert_eq!((start.elapsed(), schedule.left_out), (Duration::from_secs(1), 2));
        poll_fn(|cx| schedule.poll(cx)).await;
        assert_eq!((start.elapsed(), schedule.left_out), (Duration::from_millis(1200), 2));
    }
}
