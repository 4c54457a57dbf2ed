//! A timer for a time of the monotonic clock. On Linux it has the resolution of the clock; elsewhere it is the runtime's
//! timer, with a resolution of milliseconds.

#[cfg(target_os = "linux")]
pub(crate) use self::linux::Timer;
#[cfg(not(target_os = "linux"))]
pub(crate) use self::runtime::Timer;

#[cfg(target_os = "linux")]
mod linux {
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
mod runtime {
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
            let left = Duration::from_nanos(deadline.saturating_sub(crate::platform::clocks::monotonic()));
            self.0.as_mut().reset(tokio::time::Instant::now() + left);
        }

        pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            self.0.as_mut().poll(cx)
        }
    }
}
