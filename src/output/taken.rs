//! Detects that the reader of a pipe has taken everything out of it.
//!
//! A reader that stores data before it takes it out of the pipe, as `mqtt pub --spool` does, has then stored
//! everything: a message can be acknowledged although no other program has a copy.
//!
//! The system does not report that a pipe has become empty, so it is polled at growing intervals.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::alarm::{Alarm, now};
use crate::error::Error;
use crate::platform::descriptors::{AsDescriptor, stdout};
use crate::platform::standard_output::WatchedPipe;

/// The time to the second check: an active reader has taken everything by then.
const FIRST_PAUSE: Duration = Duration::from_micros(20);
/// The longest interval between two checks, for a reader that stalls.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// The watched pipe of standard output.
#[derive(Debug, Default)]
pub(super) struct Taken {
    watch: Option<PipeWatch>,
}

impl Taken {
    /// Ready once the pipe is empty, and immediately if standard output is not a pipe, or if the system does not report
    /// how much is in it; an error if no reader is left to take the rest. Must be called inside a tokio runtime with I/O
    /// enabled, always from the same task.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let watch = match &mut self.watch {
            Some(watch) => watch,
            None => self.watch.insert(PipeWatch::of(&stdout())?),
        };
        watch.poll(cx)
    }
}

#[derive(Debug)]
enum PipeWatch {
    NoPipe,
    Pipe(Pipe),
}

#[derive(Debug)]
struct Pipe {
    end: WatchedPipe,
    alarm: Alarm,
    pause: Duration,
    /// The time of the next check.
    next: Option<u64>,
}

impl PipeWatch {
    fn of(output: &impl AsDescriptor) -> Result<Self, Error> {
        let pipe = WatchedPipe::of(output).map_err(|error| Error::file("standard output", error))?;
        let Some(pipe) = pipe else { return Ok(Self::NoPipe) };
        let alarm = Alarm::new().map_err(|error| Error::file("a timer", error))?;
        Ok(Self::Pipe(Pipe { end: pipe, alarm, pause: FIRST_PAUSE, next: None }))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self::Pipe(watched) = self else { return Poll::Ready(Ok(())) };
        loop {
            if let Some(next) = watched.next {
                ready!(watched.alarm.poll_until(cx, next));
            }
            if watched.end.is_empty().map_err(|error| Error::file("standard output", error))? {
                (watched.pause, watched.next) = (FIRST_PAUSE, None);
                return Poll::Ready(Ok(()));
            }
            if watched.end.has_no_reader() {
                return Poll::Ready(Err(Error::OutputClosed));
            }
            let pause = u64::try_from(watched.pause.as_nanos()).unwrap_or(u64::MAX);
            watched.next = Some(now().saturating_add(pause));
            watched.pause = (watched.pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::io::{Read as _, Write as _};

    #[tokio::test]
    async fn a_pipe_is_taken_when_it_is_empty() {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let mut watched = PipeWatch::of(&writer).unwrap();
        poll_fn(|cx| watched.poll(cx)).await.unwrap();
        writer.write_all(b"abc").unwrap();
        let mut polled = |cx: &mut Context<'_>| Poll::Ready(watched.poll(cx).is_ready());
        assert!(!poll_fn(&mut polled).await);
        reader.read_exact(&mut [0; 2]).unwrap();
        assert!(!poll_fn(&mut polled).await);
        let rest = crate::thread::start("reader", move || {
            reader.read_exact(&mut [0; 1]).unwrap();
            reader
        });
        poll_fn(|cx| watched.poll(cx)).await.unwrap();
        rest.unwrap().join().unwrap();
    }

    #[tokio::test]
    async fn what_is_left_in_a_pipe_without_reader_is_not_taken() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut watched = PipeWatch::of(&writer).unwrap();
        writer.write_all(b"abc").unwrap();
        drop(reader);
        let taken = poll_fn(|cx| watched.poll(cx)).await;
        assert!(matches!(taken, Err(Error::OutputClosed)), "{taken:?}");
    }

    #[tokio::test]
    async fn a_file_is_taken_at_once() {
        let file = tempfile::tempfile().unwrap();
        let mut watched = PipeWatch::of(&file).unwrap();
        assert!(poll_fn(|cx| Poll::Ready(watched.poll(cx).is_ready())).await);
    }
}
