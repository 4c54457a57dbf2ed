//! `--exec`: a command for each message, which is acknowledged only when its command has succeeded. A message
//! whose command failed goes back to the front of the queue, and no other message of its topic overtakes it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::config::{Exec, ExecFailure};
use crate::command::attention::{Attention, Stop};
use crate::command::exec::{
    CommandEnd, CommandInput, Commands, ExecCommand, ExecOutput, MOST_WAITING, MOST_WAITING_BYTES, Variables,
    failure, is_lasting, variables_of,
};
use crate::error::Error;
use crate::output::{Diagnostics, Floor, stdout_error};
use crate::protocol::topic;
use crate::protocol::wire::Publish;
use crate::quantity::{counted, duration};
use crate::quotation::shown;

/// The pause after the first failure of a message; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A message that waits for its command, or whose command is running.
struct Task<'a> {
    /// The number of the message in the run, from 0.
    number: u64,
    command: &'a ExecCommand,
    topic: Arc<[u8]>,
    payload: Arc<[u8]>,
    variables: Variables,
    failures: u64,
    /// The end of the pause after a failure.
    not_before: Option<Instant>,
}

pub(super) struct Executor<'a> {
    exec: &'a Exec,
    diagnostics: &'a Diagnostics,
    waiting: VecDeque<Task<'a>>,
    waiting_bytes: usize,
    /// By number.
    running: HashMap<u64, Task<'a>>,
    next_number: u64,
    /// Whether each message of this link, from `first_unsettled` on, is settled.
    settled: VecDeque<bool>,
    first_unsettled: u64,
    commands: Commands<'a>,
    /// Standard output, which the commands share.
    floor: Floor,
    pause: Option<Pin<Box<Sleep>>>,
    /// Whether no further command is started.
    is_ending: bool,
    /// The number of messages that were acknowledged although their command failed.
    count_failed: u64,
    /// The error that ends the run.
    error: Option<Error>,
}

impl<'a> Executor<'a> {
    pub(super) fn new(exec: &'a Exec, diagnostics: &'a Diagnostics) -> Self {
        let floor = Floor::default();
        Self {
            exec,
            diagnostics,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            running: HashMap::new(),
            next_number: 0,
            settled: VecDeque::new(),
            first_unsettled: 0,
            commands: Commands::new(&exec.options, ExecOutput::Shared(floor.clone())),
            floor,
            pause: None,
            is_ending: false,
            count_failed: 0,
            error: None,
        }
    }

    /// Adds a message for the first command whose filter matches; returns whether there is one.
    /// `payload_error` tells why its payload was not decoded.
    pub(super) fn take(&mut self, publish: &Publish<'_>, payload_error: Option<&str>) -> bool {
        let exec = self.exec;
        let matches = |filter: &String| topic::matches(filter.as_bytes(), publish.topic);
        let Some(rule) = exec.rules.iter().find(|rule| rule.filter.as_ref().is_none_or(matches)) else {
            self.pass();
            return false;
        };
        let number = self.count(false);
        self.waiting_bytes += publish.payload.len();
        self.waiting.push_back(Task {
            number,
            command: &rule.command,
            topic: publish.topic.into(),
            payload: publish.payload.into(),
            variables: variables_of(publish, payload_error),
            failures: 0,
            not_before: None,
        });
        true
    }

    /// Counts a message without a command.
    pub(super) fn pass(&mut self) {
        self.count(true);
    }

    fn count(&mut self, is_settled: bool) -> u64 {
        self.settled.push_back(is_settled);
        self.next_number += 1;
        self.next_number - 1
    }

    /// Messages of an earlier link can no longer be acknowledged.
    pub(super) fn link_is_new(&mut self) {
        self.settled.clear();
        self.first_unsettled = self.next_number;
    }

    fn settle(&mut self, number: u64) {
        let place = number.checked_sub(self.first_unsettled).and_then(|place| usize::try_from(place).ok());
        if let Some(is_settled) = place.and_then(|place| self.settled.get_mut(place)) {
            *is_settled = true;
        }
    }

    /// How many more messages of this link to acknowledge, in the order of receipt ([MQTT-4.6.0-2]).
    pub(super) fn settled(&mut self) -> usize {
        let count = self.settled.iter().take_while(|is_settled| **is_settled).count();
        self.settled.drain(..count);
        self.first_unsettled += count as u64;
        count
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST_WAITING || self.waiting_bytes >= MOST_WAITING_BYTES
    }

    /// Whether no message waits, and no command is running.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    /// Whether a command has written to standard output. Commands that write nothing do not depend on its reader.
    pub(super) fn has_written(&self) -> bool {
        self.floor.was_used()
    }

    /// Starts no further command. Waiting messages stay unacknowledged.
    pub(super) fn hurry(&mut self) {
        self.is_ending = true;
        let count = self.waiting.len() as u64;
        if count > 0 {
            let messages = counted(count, "message");
            self.diagnostics.warning(format_args!("{messages} received, and not given to the command"));
        }
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// Tells the user, who requested the end, which commands are still running.
    pub(super) fn report_running(&self) {
        self.commands.report_running(self.diagnostics);
    }

    /// Ends the running commands, and everything in their process groups.
    pub(super) fn kill(&self) {
        self.commands.kill();
    }

    /// Processes the commands that have ended, and starts others. Returns whether one of them ends the run,
    /// with the error of [`Self::conclude`].
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        while let Poll::Ready((number, end)) = self.commands.poll_ended(cx) {
            if let Some(error) = self.ended(number, end) {
                self.is_ending = true;
                self.error.get_or_insert(error);
            }
        }
        self.start(cx);
        self.error.is_some()
    }

    /// At the end of the run: waits for the running commands; a signal ends them.
    ///
    /// # Errors
    /// Their output cannot be written, or with `--exec-failure stop` one has failed.
    pub(super) async fn conclude(&mut self, attention: &mut Attention) -> Result<(), Error> {
        self.hurry();
        poll_fn(|cx| {
            if let Poll::Ready(Stop::Signal(_)) = attention.poll(cx) {
                self.kill();
            }
            self.poll(cx);
            if self.is_idle() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.error.take().map_or(Ok(()), Err)
    }

    /// The warning at the end, if messages were acknowledged although their command had failed.
    pub(super) fn summary(&self) -> Option<String> {
        let commands = counted(self.count_failed, "command");
        (self.count_failed > 0)
            .then(|| format!("{commands} failed, and the messages were acknowledged all the same"))
    }

    fn ended(&mut self, number: u64, end: CommandEnd) -> Option<Error> {
        let mut task = self.running.remove(&number)?;
        let cause = match end {
            CommandEnd::Succeeded(_) => {
                self.settle(number);
                return None;
            }
            CommandEnd::Killed => return None,
            // A retry would not find a reader, or space, either.
            CommandEnd::Unwritten(error) => return Some(stdout_error(error)),
            CommandEnd::Failed(cause) => cause,
        };
        let is_given_up =
            |most: Option<u64>| is_lasting(&cause) || most.is_some_and(|most| task.failures >= most);
        let retries = match self.exec.failure {
            ExecFailure::Retry { most } => !is_given_up(most),
            ExecFailure::Skip | ExecFailure::Stop => false,
        };
        let error = failure(number + 1, &task.topic, cause);
        match self.exec.failure {
            ExecFailure::Stop => return Some(error),
            ExecFailure::Retry { .. } if retries && self.is_ending => self.diagnostics.error(&error),
            ExecFailure::Retry { .. } if retries => {
                let pause = FIRST_PAUSE.saturating_mul(1 << task.failures.min(10)).min(LONGEST_PAUSE);
                self.diagnostics.warning(format_args!("{error}; again in {}", duration(pause)));
                task.failures += 1;
                task.not_before = Some(Instant::now() + pause);
                self.waiting_bytes += task.payload.len();
                self.waiting.push_front(task);
            }
            ExecFailure::Retry { .. } | ExecFailure::Skip => {
                self.diagnostics.error(&error);
                if task.failures > 0 {
                    self.diagnostics.warning(format_args!(
                        "given up after {}, and acknowledged: message {} on '{}' with the payload '{}'",
                        counted(task.failures, "retry"),
                        number + 1,
                        shown(&task.topic),
                        shown(&task.payload)
                    ));
                }
                self.count_failed += 1;
                self.settle(number);
            }
        }
        None
    }

    /// Starts as many commands as allowed.
    pub(super) fn start(&mut self, cx: &mut Context<'_>) {
        if self.is_ending || self.waiting.is_empty() || self.commands.are_enough() {
            return;
        }
        let mut busy: HashSet<Arc<[u8]>> =
            self.running.values().map(|task| Arc::clone(&task.topic)).collect();
        loop {
            let now = Instant::now();
            let mut next_start: Option<Instant> = None;
            let mut place = 0;
            while !self.commands.are_enough()
                && let Some(task) = self.waiting.get(place)
            {
                let later = task.not_before.filter(|time| *time > now);
                if !busy.insert(Arc::clone(&task.topic)) {
                    place += 1;
                } else if let Some(time) = later {
                    next_start = Some(next_start.map_or(time, |next| next.min(time)));
                    place += 1;
                } else if let Some(task) = self.waiting.remove(place) {
                    self.run(task);
                }
            }
            let Some(until) = next_start.filter(|_| !self.commands.are_enough()) else { return };
            let pause = self.pause.get_or_insert_with(|| Box::pin(sleep_until(until)));
            if pause.deadline() != until {
                pause.as_mut().reset(until);
            }
            if pause.as_mut().poll(cx).is_pending() {
                return;
            }
            busy = self.running.values().map(|task| Arc::clone(&task.topic)).collect();
        }
    }

    fn run(&mut self, task: Task<'a>) {
        self.waiting_bytes -= task.payload.len();
        let Task { number, command, topic, payload, variables, .. } = &task;
        self.commands.start(*number, &CommandInput { command, topic, payload, variables });
        self.running.insert(task.number, task);
    }
}
