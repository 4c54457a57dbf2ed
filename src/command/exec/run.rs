//! One run of a command, in a separate thread: its input, its output, its timeout.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::output::{Floor, HeldFloor};
use crate::platform::processes::lead_own_group;
use crate::platform::readiness::{is_ready, set_nonblocking, to_read, to_write, wait};
use crate::process::end_group;

/// The interval of checks that no descriptor reports: the end of the command, the floor, the end of the
/// program.
const LOOK: Duration = Duration::from_millis(20);
/// The shorter interval after a command has closed its output, as it usually ends then.
const SHORT_LOOK: Duration = Duration::from_millis(1);
const MOST_SHORT_LOOKS: u32 = 50;
/// The output of a command without the floor is read up to this size.
const MOST_BUFFERED_BYTES: usize = 64 * 1024;

/// The destination of a command's standard output.
#[derive(Debug, Clone)]
pub(in crate::command) enum ExecOutput {
    /// Our own standard output: one command after the other.
    Shared(Floor),
    /// The caller, with a maximum number of bytes.
    Collected { most_bytes: usize },
}

impl ExecOutput {
    /// Reading stops at this size.
    fn room(&self) -> usize {
        match self {
            Self::Shared(_) => MOST_BUFFERED_BYTES,
            Self::Collected { most_bytes } => most_bytes + 1,
        }
    }
}

/// The outcome of a run.
#[derive(Debug)]
pub(super) enum ExecOutcome {
    /// It ended by itself; with its output, if that is collected.
    Ended(ExitStatus, Vec<u8>),
    /// It exceeded the timeout, and was ended.
    Late,
    /// It wrote more than this number of bytes, and was ended.
    TooMuch(usize),
    /// It was ended because the program has to end immediately.
    Killed,
    /// Its output could not be written to standard output, however it ended.
    Unwritten(io::Error),
    /// It could not be run.
    Failed(io::Error),
}

/// Runs the command to its end.
pub(super) fn run(
    mut command: Command,
    payload: &[u8],
    limit: Duration,
    output: &ExecOutput,
    is_killed: &AtomicBool,
) -> ExecOutcome {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    lead_own_group(&mut command);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return ExecOutcome::Failed(error),
    };
    let mut pipes = Pipes {
        stdin: child.stdin.take().filter(|_| !payload.is_empty()),
        payload,
        stdout: child.stdout.take(),
        output: Vec::new(),
        room: output.room(),
        floor: None,
        unwritten: None,
    };
    let outcome = pipes.watch(&mut child, Instant::now() + limit, output, is_killed);
    let outcome = outcome.unwrap_or_else(ExecOutcome::Failed);
    let unwritten = pipes.unwritten.take();
    drop(pipes);
    if !matches!(outcome, ExecOutcome::Ended(..)) {
        end_group(&mut child);
    }
    unwritten.map_or(outcome, ExecOutcome::Unwritten)
}

struct Pipes<'a> {
    stdin: Option<ChildStdin>,
    /// The unwritten part of the payload.
    payload: &'a [u8],
    stdout: Option<ChildStdout>,
    /// The output that was not yet written to standard output, or the collected output.
    output: Vec<u8>,
    /// Maximum size of `output`.
    room: usize,
    floor: Option<HeldFloor>,
    /// Why the output could not be written.
    unwritten: Option<io::Error>,
}

impl Pipes<'_> {
    fn watch(
        &mut self,
        child: &mut Child,
        deadline: Instant,
        output: &ExecOutput,
        is_killed: &AtomicBool,
    ) -> io::Result<ExecOutcome> {
        if let Some(stdin) = &self.stdin {
            set_nonblocking(stdin)?;
        }
        if let Some(stdout) = &self.stdout {
            set_nonblocking(stdout)?;
        }
        let mut status = None;
        let mut short_looks = 0;
        loop {
            if is_killed.load(Ordering::Relaxed) {
                return Ok(ExecOutcome::Killed);
            }
            if status.is_none() {
                status = child.try_wait()?;
            }
            self.feed();
            let is_drained = self.read(status.is_some());
            let is_written = match output {
                ExecOutput::Shared(floor) => {
                    if !self.output.is_empty() && self.floor.is_none() {
                        self.floor = floor.take();
                    }
                    self.output.is_empty()
                }
                ExecOutput::Collected { most_bytes } => {
                    if self.output.len() > *most_bytes {
                        return Ok(ExecOutcome::TooMuch(*most_bytes));
                    }
                    true
                }
            };
            if let Some(status) = status.filter(|_| is_drained && is_written) {
                return Ok(ExecOutcome::Ended(status, std::mem::take(&mut self.output)));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                if status.is_none() {
                    return Ok(ExecOutcome::Late);
                }
                // Child processes of the command still write, but no longer belong to it.
                self.stdout = None;
            }
            let mostly_ends = self.stdout.is_none() && is_written && short_looks < MOST_SHORT_LOOKS;
            short_looks += u32::from(mostly_ends);
            self.wait(if mostly_ends { SHORT_LOOK } else { LOOK })?;
        }
    }

    /// Writes the payload; a command need not read it.
    fn feed(&mut self) {
        while let Some(stdin) = &mut self.stdin {
            match stdin.write(self.payload) {
                Ok(count) => self.payload = &self.payload[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.payload = &[],
            }
            if self.payload.is_empty() {
                self.stdin = None;
            }
        }
    }

    /// Reads available output up to the maximum. Returns whether everything was read that an ended command
    /// has left; its child processes may keep the pipe open.
    fn read(&mut self, has_ended: bool) -> bool {
        while self.output.len() < self.room {
            let Some(stdout) = &mut self.stdout else { return true };
            let mut bytes = [0; 8192];
            match stdout.read(&mut bytes) {
                Ok(count @ 1..) => self.output.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return has_ended,
                Ok(_) | Err(_) => self.stdout = None,
            }
        }
        false
    }

    /// Waits for a pipe, and writes to standard output what it accepts.
    fn wait(&mut self, look: Duration) -> io::Result<()> {
        let mut watched = Vec::with_capacity(3);
        let floor = self.floor.as_ref().filter(|_| !self.output.is_empty());
        let shared = floor.map(HeldFloor::descriptor);
        if let Some(shared) = &shared {
            watched.push(to_write(shared));
        }
        if let Some(stdin) = &self.stdin {
            watched.push(to_write(stdin));
        }
        if let Some(stdout) = self.stdout.as_ref().filter(|_| self.output.len() < self.room) {
            watched.push(to_read(stdout));
        }
        wait(&mut watched, Some(look))?;
        let takes = floor.is_some() && watched.first().is_some_and(is_ready);
        if let Some(floor) = floor.filter(|_| takes) {
            match floor.write(&self.output) {
                Ok(count) => {
                    self.output.drain(..count);
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => {
                    // As if the command itself wrote there: its next write fails.
                    self.output.clear();
                    self.stdout = None;
                    self.unwritten = Some(error);
                }
            }
        }
        Ok(())
    }
}
