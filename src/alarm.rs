//! The monotonic clock in nanoseconds, and a timer of the same resolution.

use std::io;
use std::task::{Context, Poll};

use crate::platform::clocks;
use crate::platform::timer::Timer;

/// The monotonic clock of this machine, in nanoseconds: the same in all its processes.
#[must_use]
pub(crate) fn now() -> u64 {
    clocks::monotonic()
}

/// A timer finer than the runtime's, which has a resolution of milliseconds: a load of 50,000 messages a
/// second needs one every 20 µs. One alarm, set repeatedly. It belongs to one task of the runtime it was
/// created in.
#[derive(Debug)]
pub(crate) struct Alarm {
    timer: Timer,
    /// The current deadline; setting the same one again costs nothing.
    set_to: Option<u64>,
}

impl Alarm {
    /// An alarm without a deadline.
    ///
    /// # Errors
    /// The system's error, if no timer is left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { timer: Timer::new()?, set_to: None })
    }

    /// `Ready` once [`now`] has reached `deadline`; until then the task is woken at that time.
    pub(crate) fn poll_until(&mut self, cx: &mut Context<'_>, deadline: u64) -> Poll<()> {
        loop {
            if now() >= deadline {
                return Poll::Ready(());
            }
            if self.set_to != Some(deadline) {
                self.timer.set(deadline);
                self.set_to = Some(deadline);
            }
            if self.timer.poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.set_to = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test]
    async fn timer_fires_in_time_and_repeatedly() {
        let mut alarm = Alarm::new().unwrap();
        for _ in 0..20 {
            let deadline = now() + 300_000;
            poll_fn(|cx| alarm.poll_until(cx, deadline)).await;
            assert!(now() >= deadline);
        }
        poll_fn(|cx| alarm.poll_until(cx, now())).await;
    }
}
