//! Commands that are run for messages: `sub --exec` and `respond --exec`.
//!
//! A separate thread per command writes its input, reads its output, enforces its timeout and reports its
//! end.

mod run;
mod variables;

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub(super) use self::run::ExecOutput;
use self::run::{ExecOutcome, run};
pub(super) use self::variables::{Variables, of as variables_of};
use crate::error::Error;
use crate::output::Diagnostics;
use crate::quantity::{counted, duration};
use crate::quotation::cut;
use crate::thread::start;

/// Maximum number of messages waiting for their commands, and of their payload bytes; above it nothing is
/// read.
pub(super) const MOST_WAITING: usize = 1000;
pub(super) const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// How commands are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOptions {
    /// Maximum number of commands at a time.
    pub jobs: usize,
    /// The timeout of a command.
    pub limit: Duration,
    /// Variables of this program's environment that are not passed to commands.
    pub foreign_variables: Vec<OsString>,
}

/// The two forms of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecCommand {
    /// A command line for `sh -c`.
    Shell(OsString),
    /// A program and its arguments, in which `{topic}` is replaced by the topic of the message.
    Words(Vec<OsString>),
}

/// The end of a command.
#[derive(Debug)]
pub(super) enum CommandEnd {
    /// Status 0; with its output, if that was collected.
    Succeeded(Vec<u8>),
    /// A failing status, the timeout or a system error.
    Failed(io::Error),
    /// Its output could not be written to standard output.
    Unwritten(io::Error),
    /// It was ended because the program ends.
    Killed,
}

/// A message for a command.
pub(super) struct CommandInput<'a> {
    pub(super) command: &'a ExecCommand,
    pub(super) topic: &'a [u8],
    pub(super) payload: &'a Arc<[u8]>,
    pub(super) variables: &'a Variables,
}

/// Starts commands, and receives their ends.
pub(super) struct Commands<'a> {
    options: &'a CommandOptions,
    output: ExecOutput,
    sender: UnboundedSender<(u64, ExecOutcome)>,
    ended: UnboundedReceiver<(u64, ExecOutcome)>,
    is_killed: Arc<AtomicBool>,
    /// The number of running commands.
    count: usize,
}

impl<'a> Commands<'a> {
    pub(super) fn new(options: &'a CommandOptions, output: ExecOutput) -> Self {
        let (sender, ended) = unbounded_channel();
        Self { options, output, sender, ended, is_killed: Arc::default(), count: 0 }
    }

    /// The number of running commands.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether the maximum number of commands is running.
    pub(super) fn are_enough(&self) -> bool {
        self.count >= self.options.jobs
    }

    /// Starts a command; its end is reported with this number.
    pub(super) fn start(&mut self, number: u64, input: &CommandInput<'_>) {
        let CommandInput { command, topic, payload, variables } = *input;
        let command = variables::command(command, &self.options.foreign_variables, topic, variables);
        let (payload, output, limit) = (Arc::clone(payload), self.output.clone(), self.options.limit);
        let (is_killed, sender) = (Arc::clone(&self.is_killed), self.sender.clone());
        self.count += 1;
        let work = move || {
            let outcome = run(command, &payload, limit, &output, &is_killed);
            let _ = sender.send((number, outcome));
        };
        if let Err(refused) = start("command", work) {
            let _ = self.sender.send((number, ExecOutcome::Failed(refused.into())));
        }
    }

    /// The next command that has ended, with its number.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<(u64, CommandEnd)> {
        let Some((number, outcome)) = ready!(self.ended.poll_recv(cx)) else { return Poll::Pending };
        self.count = self.count.saturating_sub(1);
        let failed = |why| CommandEnd::Failed(io::Error::other(why));
        Poll::Ready((
            number,
            match outcome {
                ExecOutcome::Ended(status, output) if status.success() => CommandEnd::Succeeded(output),
                ExecOutcome::Ended(status, _) => failed(format!("it ended with {status}")),
                ExecOutcome::Late => failed(format!("it took longer than {}", duration(self.options.limit))),
                ExecOutcome::TooMuch(most) => failed(format!("it wrote more than {} MiB", most >> 20)),
                ExecOutcome::Killed => CommandEnd::Killed,
                ExecOutcome::Unwritten(error) => CommandEnd::Unwritten(error),
                ExecOutcome::Failed(error) => CommandEnd::Failed(error),
            },
        ))
    }

    /// Tells the user, who requested the end, which commands are still running.
    pub(super) fn report_running(&self, diagnostics: &Diagnostics) {
        let count = self.count as u64;
        if count > 0 {
            let commands = counted(count, "command");
            let them = if count == 1 { "it" } else { "them" };
            diagnostics.state(format_args!("waiting for {commands}; a second signal ends {them}"));
        }
    }

    /// Ends the running commands, and everything in their process groups.
    pub(super) fn kill(&self) {
        self.is_killed.store(true, Ordering::Relaxed);
    }
}

/// Whether a retry would fail in the same way, as with a topic with U+0000 among the arguments.
pub(super) fn is_lasting(cause: &io::Error) -> bool {
    matches!(cause.kind(), ErrorKind::InvalidInput | ErrorKind::ArgumentListTooLong)
}

/// The error of a command that failed on the message with this number in the run, from 1.
pub(super) fn failure(number: u64, topic: &[u8], cause: io::Error) -> Error {
    let topic = String::from_utf8_lossy(topic);
    Error::file(format!("--exec failed on message {number} on '{}'", cut(&topic)), cause)
}
