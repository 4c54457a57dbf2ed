//! A log that never blocks its program: lines go to memory, and a thread writes them. If the reader is slower
//! than the program, lines are omitted and counted; without a reader nothing is kept.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::platform::descriptors::duplicate;
use crate::platform::readiness::{to_write, wait};
use crate::signal::outlive_file_limit;
use crate::thread::start;

/// Maximum size of the lines that wait; the same amount may be in the current write.
const MOST_BYTES: usize = 4 << 20;

/// Formats a line with the number of missing lines.
type GapLine = fn(u64) -> String;

/// A log. Its copies write to the same destination.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Notified for new lines, the end, and when everything is written.
    changed: Condvar,
    gap: GapLine,
    /// The file it is appended to.
    path: Option<PathBuf>,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    /// Lines omitted since the last one that was kept.
    left_out: u64,
    is_writing: bool,
    /// No more lines will be added.
    is_closed: bool,
    /// There is no reader.
    is_gone: bool,
    /// The file that replaces the current one.
    next: Option<File>,
}

impl Log {
    /// A log on standard error.
    ///
    /// # Errors
    /// The system has no descriptor, or no thread.
    pub fn to_stderr(gap: GapLine) -> Result<Self, Error> {
        // A separate descriptor: Rust's lock on standard error would make other threads wait for the reader.
        let own = duplicate(&io::stderr());
        own.and_then(|own| Self::start(own, None, gap)).map_err(|error| Error::file("standard error", error))
    }

    /// A log that is appended to a file.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn to_file(path: &Path, gap: GapLine) -> Result<Self, Error> {
        let started = opened(path).and_then(|file| Self::start(file, Some(path.to_owned()), gap));
        started.map_err(|error| Error::file(path.display().to_string(), error))
    }

    /// Opens its file again, which may have been renamed; false if it is not a file.
    ///
    /// # Errors
    /// The file cannot be opened; the old one stays open.
    pub fn reopen(&self) -> Result<bool, Error> {
        let Some(path) = &self.0.path else { return Ok(false) };
        let next = opened(path).map_err(|error| Error::file(path.display().to_string(), error))?;
        self.0.state().next = Some(next);
        Ok(true)
    }

    fn start(out: File, path: Option<PathBuf>, gap: GapLine) -> io::Result<Self> {
        let log = Self(Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), gap, path }));
        let shared = Arc::clone(&log.0);
        start("log", move || shared.write_all(out))?;
        Ok(log)
    }

    /// Whether there may still be a reader.
    #[must_use]
    pub fn is_read(&self) -> bool {
        !self.0.state().is_gone
    }

    /// Adds complete lines, or counts them as omitted.
    pub fn push(&self, lines: &[u8]) {
        let mut state = self.0.state();
        if state.is_gone || lines.is_empty() {
            return;
        }
        if state.lines.len() + lines.len() > MOST_BYTES {
            state.left_out += count(lines);
            return;
        }
        let was_empty = state.lines.is_empty();
        self.0.put_gap(&mut state);
        state.lines.extend_from_slice(lines);
        drop(state);
        if was_empty {
            self.0.changed.notify_all();
        }
    }

    /// Waits until everything is written, up to this limit.
    pub fn close(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut state = self.0.state();
        self.0.put_gap(&mut state);
        state.is_closed = true;
        self.0.changed.notify_all();
        while (state.is_writing || !state.lines.is_empty()) && !state.is_gone {
            let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return;
            };
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Lines of other writers to the same destination. Each call has complete lines.
impl Write for Log {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.push(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line with the number of missing lines.
    fn put_gap(&self, state: &mut State) {
        if state.left_out > 0 {
            let line = (self.gap)(std::mem::take(&mut state.left_out));
            state.lines.extend_from_slice(line.as_bytes());
        }
    }

    /// The writing thread.
    fn write_all(&self, mut out: File) {
        outlive_file_limit();
        let mut is_torn = false;
        loop {
            let mut state = self.state();
            while state.lines.is_empty() {
                if state.is_closed {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let lines = std::mem::take(&mut state.lines);
            state.is_writing = true;
            if let Some(next) = state.next.take() {
                (out, is_torn) = (next, false);
            }
            drop(state);
            let torn = if is_torn { write_whole(&mut out, b"\n") } else { Ok(()) };
            let written = torn.and_then(|()| write_whole(&mut out, &lines));
            let mut state = self.state();
            state.is_writing = false;
            is_torn = written.is_err();
            match written {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    state.is_gone = true;
                    state.lines = Vec::new();
                }
                // For example a full disk, which may have room later.
                Err(_) => state.left_out += count(&lines),
            }
            let is_over = state.is_gone;
            drop(state);
            self.changed.notify_all();
            if is_over {
                return;
            }
        }
    }
}

fn opened(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// Also works if another process made the descriptor non-blocking.
fn write_whole(out: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wait(&mut [to_write(out)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, pipe};
    use std::os::fd::OwnedFd;

    use super::*;

    fn gap(count: u64) -> String {
        format!("{count} missing\n")
    }

    fn log() -> (io::PipeReader, Log) {
        let (reader, writer) = pipe().unwrap();
        (reader, Log::start(OwnedFd::from(writer).into(), None, gap).unwrap())
    }

    #[test]
    fn lines_are_written_in_order() {
        let (mut reader, log) = log();
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        for number in 0..10_000 {
            log.push(format!("{number}\n").as_bytes());
        }
        log.close(Duration::from_secs(60));
        drop(log);
        let text = reading.join().unwrap().unwrap();
        assert!(text.lines().map(str::to_owned).eq((0..10_000).map(|number: u32| number.to_string())));
    }

    #[test]
    fn lines_for_a_slow_reader_are_bounded_and_counted() {
        let (reader, log) = log();
        let line = format!("{}\n", "x".repeat(99));
        let all = 4 * MOST_BYTES / line.len();
        for _ in 0..all {
            log.push(line.as_bytes());
            assert!(log.0.state().lines.len() <= MOST_BYTES);
        }
        // Nothing was read, and closing does not wait for it.
        log.close(Duration::from_millis(1));
        drop(log);
        let (mut kept, mut missing) = (0, 0);
        for text in BufReader::new(reader).lines().map(Result::unwrap) {
            match text.strip_suffix(" missing") {
                Some(number) => missing += number.parse::<usize>().unwrap(),
                None => kept += 1,
            }
        }
        assert_eq!(kept + missing, all);
        assert!(missing > all / 4 && kept > all / 8, "{missing} {kept}");
    }

    #[test]
    fn log_without_a_reader_keeps_nothing() {
        let (reader, log) = log();
        drop(reader);
        log.push(b"first\n");
        log.close(Duration::from_secs(60));
        assert!(!log.is_read());
        log.push(b"second\n");
        assert!(log.0.state().lines.is_empty());
    }
}
