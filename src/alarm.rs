//! The monotonic clock in nanoseconds, and a timer of the same resolution.

use std::io;
use std::task::{Context, Poll};

/// The monotonic clock of this machine, in nanoseconds: the same in all its processes.
#[must_use]
pub(crate) fn now() -> u64 {
    to_nanoseconds(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic))
}

/// A time of a system clock in nanoseconds.
pub(crate) fn to_nanoseconds(time: rustix::time::Timespec) -> u64 {
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or(0) * 1_000_000_000 + nanoseconds.unwrap_or(0)
}

/// A timer finer than the runtime's, which has a resolution of milliseconds: a load of 50,000 messages a
/// second needs one every 20 µs. One alarm, set repeatedly. It belongs to one task of the runtime it was
/// created in.
#[derive(Debug)]
pub(crate) struct Alarm {
    timer: timer::Timer,
    /// The current deadline; setting the same one again costs nothing.
    set_to: Option<u64>,
}

impl Alarm {
    /// An alarm without a deadline.
    ///
    /// # Errors
    /// The system's error, if no timer is left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { timer: timer::Timer::new()?, set_to: None })
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

#[cfg(target_os = "linux")]
mod timer {
    use std::io;
    use std::task::{Context, Poll};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::net::unix::pipe::Receiver;

    /// A timer descriptor. Tokio's type for pipes only watches it: a timer becomes readable in the same way.
    #[derive(Debug)]
    pub(crate) struct Timer(Receiver);

    impl Timer {
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Receiver::from_owned_fd_unchecked(descriptor).map(Self)
        }

        pub(crate) fn set(&mut self, deadline: u64) {
            let seconds = i64::try_from(deadline / 1_000_000_000).unwrap_or(i64::MAX);
            let nanoseconds = i64::try_from(deadline % 1_000_000_000).unwrap_or(0);
            let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
            let at = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.max(1) };
            let spec = Itimerspec { it_interval: zero, it_value: at };
            // It fails only for a bad descriptor or a bad time, and both are excluded here.
            let _ = timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &spec);
        }

        pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            loop {
                match self.0.poll_read_ready(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(())) => match self.0.try_read(&mut [0; 8]) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        _ => return Poll::Ready(()),
                    },
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod timer {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    /// The runtime's own timer, with its coarser resolution.
    #[derive(Debug)]
    pub(crate) struct Timer(Pin<Box<tokio::time::Sleep>>);

    impl Timer {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self(Box::pin(tokio::time::sleep(Duration::ZERO))))
        }

        pub(crate) fn set(&mut self, deadline: u64) {
            let left = Duration::from_nanos(deadline.saturating_sub(crate::alarm::now()));
            self.0.as_mut().reset(tokio::time::Instant::now() + left);
        }

        pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            self.0.as_mut().poll(cx)
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
