//! Commands that are run for messages: `sub --exec` and `respond --exec`.
//!
//! Each command has a thread of its own, which feeds it, reads it, keeps its time limit and reports its end.

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

/// So many messages may wait for their commands, with so many bytes of payload; beyond it nothing is read.
pub(super) const MOST_WAITING: usize = 1000;
pub(super) const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// How commands are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOptions {
    /// Commands at a time.
    pub jobs: usize,
    /// How long one may take.
    pub limit: Duration,
    /// Variables of this program's environment that they do not get.
    pub foreign_variables: Vec<OsString>,
}

/// The two forms of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecCommand {
    /// For `sh -c`.
    Shell(OsString),
    /// A program and its arguments, in which `{topic}` stands for that of the message.
    Words(Vec<OsString>),
}

/// How a command has ended.
#[derive(Debug)]
pub(super) enum CommandEnd {
    /// With status 0; what it wrote, if that was collected.
    Succeeded(Vec<u8>),
    /// Its status, its time limit or the system says that it has failed.
    Failed(io::Error),
    /// Our standard output did not take what it wrote.
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

/// Starts commands, and hears of their ends.
pub(super) struct Commands<'a> {
    options: &'a CommandOptions,
    output: ExecOutput,
    sender: UnboundedSender<(u64, ExecOutcome)>,
    ended: UnboundedReceiver<(u64, ExecOutcome)>,
    is_killed: Arc<AtomicBool>,
    /// Those that run.
    count: usize,
}

impl<'a> Commands<'a> {
    pub(super) fn new(options: &'a CommandOptions, output: ExecOutput) -> Self {
        let (sender, ended) = unbounded_channel();
        Self { options, output, sender, ended, is_killed: Arc::default(), count: 0 }
    }

    /// How many run.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether no other may be started.
    pub(super) fn are_enough(&self) -> bool {
        self.count >= self.options.jobs
    }

    /// Starts one; its end is reported with this number.
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
        if let Err(error) = std::thread::Builder::new().name("command".into()).spawn(work) {
            let _ = self.sender.send((number, ExecOutcome::Failed(error)));
        }
    }

    /// The next that has ended, by its number.
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

    /// Tells somebody who wants the end what it waits for.
    pub(super) fn report_running(&self, diagnostics: &Diagnostics) {
        let count = self.count as u64;
        if count > 0 {
            let commands = counted(count, "command");
            let them = if count == 1 { "it" } else { "them" };
            diagnostics.state(format_args!("waiting for {commands}; a second signal ends {them}"));
        }
    }

    /// Ends the commands that run, and everything in their process groups.
    pub(super) fn kill(&self) {
        self.is_killed.store(true, Ordering::Relaxed);
    }
}

/// Whether it would be the same the next time: such as a topic with U+0000 among the arguments.
pub(super) fn is_lasting(cause: &io::Error) -> bool {
    matches!(cause.kind(), ErrorKind::InvalidInput | ErrorKind::ArgumentListTooLong)
}

/// The error of a command that has failed on a message.
pub(super) fn failure(topic: &[u8], cause: io::Error) -> Error {
    let topic = String::from_utf8_lossy(topic);
    Error::file(format!("--exec failed for topic '{}'", cut(&topic)), cause)
}
