//! One run of a command, on a thread of its own: its input, its output, its time limit.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;

use crate::output::{Floor, HeldFloor};
use crate::process::end_group;

/// Between two looks at what no descriptor tells of: the end of the command, the floor, the end of the program.
const LOOK: Duration = Duration::from_millis(20);
/// Between two looks at a command that has closed its output, and mostly ends then.
const SHORT_LOOK: Duration = Duration::from_millis(1);
const MOST_SHORT_LOOKS: u32 = 50;
/// The output of a command that does not have the floor is read up to here.
const MOST_BUFFERED_BYTES: usize = 64 * 1024;

/// Where the standard output of a command goes.
#[derive(Debug, Clone)]
pub(in crate::command) enum ExecOutput {
    /// To our own: that of one command after the other.
    Shared(Floor),
    /// To who has started it, so many bytes at most.
    Collected { most_bytes: usize },
}

impl ExecOutput {
    /// Beyond it nothing is read.
    fn room(&self) -> usize {
        match self {
            Self::Shared(_) => MOST_BUFFERED_BYTES,
            Self::Collected { most_bytes } => most_bytes + 1,
        }
    }
}

/// How it went.
#[derive(Debug)]
pub(super) enum ExecOutcome {
    /// By itself; with what it wrote, if that is collected.
    Ended(ExitStatus, Vec<u8>),
    /// It took longer than it may, and was ended.
    Late,
    /// It wrote more than so many bytes, and was ended.
    TooMuch(usize),
    /// The program was told to end at once, and has ended it.
    Killed,
    /// Our standard output did not take what it wrote, however it ended.
    Unwritten(io::Error),
    /// It could not be run.
    Failed(io::Error),
}

/// Runs it to its end.
pub(super) fn run(
    mut command: Command,
    payload: &[u8],
    limit: Duration,
    output: &ExecOutput,
    is_killed: &AtomicBool,
) -> ExecOutcome {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return ExecOutcome::Failed(error),
    };
    let group = Pid::from_child(&child);
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
        end_group(&mut child, group);
    }
    unwritten.map_or(outcome, ExecOutcome::Unwritten)
}

struct Pipes<'a> {
    stdin: Option<ChildStdin>,
    /// What stdin has not taken.
    payload: &'a [u8],
    stdout: Option<ChildStdout>,
    /// What it has written and our standard output has not taken, or all of it.
    output: Vec<u8>,
    /// How much of it is kept.
    room: usize,
    floor: Option<HeldFloor>,
    /// Why our standard output did not take it.
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
            rustix::io::ioctl_fionbio(stdin, true)?;
        }
        if let Some(stdout) = &self.stdout {
            rustix::io::ioctl_fionbio(stdout, true)?;
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
                // What it has started writes on, and does not belong to it any more.
                self.stdout = None;
            }
            let mostly_ends = self.stdout.is_none() && is_written && short_looks < MOST_SHORT_LOOKS;
            short_looks += u32::from(mostly_ends);
            self.wait(if mostly_ends { SHORT_LOOK } else { LOOK })?;
        }
    }

    /// A command need not read what it is given.
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

    /// Reads what there is, as far as there is room. Whether everything was read that a command which has
    /// ended has left; what it has started may keep the pipe open.
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

    /// Waits for a pipe, and writes to our standard output what it takes.
    fn wait(&mut self, look: Duration) -> io::Result<()> {
        let mut watched = Vec::with_capacity(3);
        let floor = self.floor.as_ref().filter(|_| !self.output.is_empty());
        if let Some(floor) = floor {
            watched.push(PollFd::from_borrowed_fd(floor.descriptor(), PollFlags::OUT));
        }
        if let Some(stdin) = &self.stdin {
            watched.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::OUT));
        }
        if let Some(stdout) = self.stdout.as_ref().filter(|_| self.output.len() < self.room) {
            watched.push(PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::IN));
        }
        let look = Timespec::try_from(look).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 1_000_000 });
        match poll(&mut watched, Some(&look)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let takes = floor.is_some() && watched.first().is_some_and(|first| !first.revents().is_empty());
        if let Some(floor) = floor.filter(|_| takes) {
            match floor.write(&self.output) {
                Ok(count) => {
                    self.output.drain(..count);
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => {
                    // As if the command itself wrote there: the next write is an error of its own.
                    self.output.clear();
                    self.stdout = None;
                    self.unwritten = Some(error);
                }
            }
        }
        Ok(())
    }
}
