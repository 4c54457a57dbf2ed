//! Detects that the reader of a pipe has taken everything out of it.
//!
//! A reader that stores data before it takes it out of the pipe, as `mqtt pub --spool` does, has then stored
//! everything: a message can be acknowledged although no other program has a copy.
//!
//! The system does not report that a pipe has become empty, so it is polled at growing intervals.

use std::task::{Context, Poll};

use crate::error::Error;

/// The watched pipe of standard output.
#[derive(Debug, Default)]
pub(super) struct Taken {
    #[cfg(target_os = "linux")]
    watch: Option<linux::Watched>,
}

impl Taken {
    /// Ready once the pipe is empty, and immediately if standard output is not a pipe; an error if no reader
    /// is left to take the rest. Must be called inside a tokio runtime with I/O enabled, always from the same
    /// task.
    #[cfg(target_os = "linux")]
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let watch = match &mut self.watch {
            Some(watch) => watch,
            None => self.watch.insert(linux::Watched::of(rustix::stdio::stdout())?),
        };
        watch.poll(cx)
    }

    /// Other systems do not report how much is in a pipe.
    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unused_self, reason = "as on Linux")]
    pub(super) fn poll(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::{BorrowedFd, OwnedFd};
    use std::task::{Context, Poll, ready};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::FileType;

    use crate::alarm::{Alarm, now};
    use crate::error::Error;

    /// The time to the second check: an active reader has taken everything by then.
    const FIRST_PAUSE: Duration = Duration::from_micros(20);
    /// The longest interval between two checks, for a reader that stalls.
    const LONGEST_PAUSE: Duration = Duration::from_millis(10);

    #[derive(Debug)]
    pub(super) enum Watched {
        NoPipe,
        Pipe(Pipe),
    }

    #[derive(Debug)]
    pub(super) struct Pipe {
        descriptor: OwnedFd,
        alarm: Alarm,
        pause: Duration,
        /// The time of the next check.
        next: Option<u64>,
    }

    impl Watched {
        pub(super) fn of(output: BorrowedFd<'_>) -> Result<Self, Error> {
            let failed = |error: std::io::Error| Error::file("standard output", error);
            let status = rustix::fs::fstat(output).map_err(|error| failed(error.into()))?;
            if FileType::from_raw_mode(status.st_mode) != FileType::Fifo {
                return Ok(Self::NoPipe);
            }
            let descriptor =
                rustix::io::fcntl_dupfd_cloexec(output, 3).map_err(|error| failed(error.into()))?;
            let alarm = Alarm::new().map_err(|error| Error::file("a timer", error))?;
            Ok(Self::Pipe(Pipe { descriptor, alarm, pause: FIRST_PAUSE, next: None }))
        }

        pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
            let Self::Pipe(pipe) = self else { return Poll::Ready(Ok(())) };
            loop {
                if let Some(next) = pipe.next {
                    ready!(pipe.alarm.poll_until(cx, next));
                }
                let left = rustix::io::ioctl_fionread(&pipe.descriptor);
                if left.map_err(|error| Error::file("standard output", error.into()))? == 0 {
                    (pipe.pause, pipe.next) = (FIRST_PAUSE, None);
                    return Poll::Ready(Ok(()));
                }
                if pipe.has_no_reader() {
                    return Poll::Ready(Err(Error::OutputClosed));
                }
                pipe.next =
                    Some(now().saturating_add(u64::try_from(pipe.pause.as_nanos()).unwrap_or(u64::MAX)));
                pipe.pause = (pipe.pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    impl Pipe {
        /// Whether the pipe has no reader, so that its content will not be taken.
        fn has_no_reader(&self) -> bool {
            let mut watched = [PollFd::new(&self.descriptor, PollFlags::empty())];
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            poll(&mut watched, Some(&at_once)).is_ok() && watched[0].revents().contains(PollFlags::ERR)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::future::poll_fn;
        use std::io::{Read as _, Write as _};
        use std::os::fd::AsFd as _;

        #[tokio::test]
        async fn a_pipe_is_taken_when_it_is_empty() {
            let (mut reader, mut writer) = std::io::pipe().unwrap();
            let mut watched = Watched::of(writer.as_fd()).unwrap();
            poll_fn(|cx| watched.poll(cx)).await.unwrap();
            writer.write_all(b"abc").unwrap();
            let mut polled = |cx: &mut Context<'_>| Poll::Ready(watched.poll(cx).is_ready());
            assert!(!poll_fn(&mut polled).await);
            reader.read_exact(&mut [0; 2]).unwrap();
            assert!(!poll_fn(&mut polled).await);
            let rest = std::thread::spawn(move || {
                reader.read_exact(&mut [0; 1]).unwrap();
                reader
            });
            poll_fn(|cx| watched.poll(cx)).await.unwrap();
            rest.join().unwrap();
        }

        #[tokio::test]
        async fn what_is_left_in_a_pipe_without_reader_is_not_taken() {
            let (reader, mut writer) = std::io::pipe().unwrap();
            let mut watched = Watched::of(writer.as_fd()).unwrap();
            writer.write_all(b"abc").unwrap();
            drop(reader);
            let taken = poll_fn(|cx| watched.poll(cx)).await;
            assert!(matches!(taken, Err(Error::OutputClosed)), "{taken:?}");
        }

        #[tokio::test]
        async fn a_file_is_taken_at_once() {
            let file = tempfile::tempfile().unwrap();
            let mut watched = Watched::of(file.as_fd()).unwrap();
            assert!(poll_fn(|cx| Poll::Ready(watched.poll(cx).is_ready())).await);
        }
    }
}
