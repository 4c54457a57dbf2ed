//! `respond --exec`: commands that compute responses.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::config::ResponseCommand;
use super::skips::Skip;
use super::{AcceptedRequest, Answerer};
use crate::command::attention::{Attention, Stop};
use crate::command::exec::{
    CommandEnd, CommandInput, Commands, ExecOutput, MOST_WAITING, MOST_WAITING_BYTES, Variables, failure,
    variables_of,
};
use crate::error::Error;
use crate::output::Diagnostics;
use crate::protocol::QoS;
use crate::protocol::property::Properties;
use crate::protocol::wire::Publish;
use crate::quantity::counted;

/// Maximum size of a command's output.
pub const MOST_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// A request that is being processed by the command.
pub(super) struct CommandRequest {
    /// The request, whose response has no payload yet.
    pub(super) request: AcceptedRequest,
    pub(super) topic: Arc<[u8]>,
    payload: Arc<[u8]>,
    variables: Variables,
    /// Whether the broker sends the request again.
    pub(super) comes_again: bool,
}

/// Requests that wait for their commands, and those whose commands are running.
pub(super) struct ResponseCommands<'a> {
    response: &'a ResponseCommand,
    commands: Commands<'a>,
    waiting: VecDeque<CommandRequest>,
    waiting_bytes: usize,
    /// By number.
    running: HashMap<u64, CommandRequest>,
}

impl<'a> ResponseCommands<'a> {
    pub(super) fn new(response: &'a ResponseCommand) -> Self {
        let output = ExecOutput::Collected { most_bytes: MOST_RESPONSE_BYTES };
        Self {
            response,
            commands: Commands::new(&response.options, output),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            running: HashMap::new(),
        }
    }

    pub(super) fn stops_at_failure(&self) -> bool {
        self.response.stops_at_failure
    }

    /// Adds a request with the payload for the command.
    pub(super) fn take(&mut self, request: AcceptedRequest, publish: &Publish<'_>) {
        self.waiting_bytes += publish.payload.len();
        self.waiting.push_back(CommandRequest {
            request,
            topic: publish.topic.into(),
            payload: publish.payload.into(),
            variables: variables_of(publish, None),
            comes_again: false,
        });
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST_WAITING || self.waiting_bytes >= MOST_WAITING_BYTES
    }

    pub(super) fn are_running(&self) -> bool {
        self.commands.count() > 0
    }

    /// Starts the next command, if there is a request and the limit allows it; returns its request.
    fn start_next(&mut self) -> Option<&CommandRequest> {
        if self.commands.are_enough() {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.waiting_bytes -= next.payload.len();
        let input = CommandInput {
            command: &self.response.command,
            topic: &next.topic,
            payload: &next.payload,
            variables: &next.variables,
        };
        self.commands.start(next.request.number, &input);
        Some(self.running.entry(next.request.number).insert_entry(next).into_mut())
    }

    /// The next request whose command has ended.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<(CommandRequest, CommandEnd)> {
        loop {
            let Poll::Ready((number, end)) = self.commands.poll_ended(cx) else { return Poll::Pending };
            if let Some(request) = self.running.remove(&number) {
                return Poll::Ready((request, end));
            }
        }
    }

    /// A new link continues the session, and requests of QoS 1 come again: removes them and returns how many
    /// had a command.
    pub(super) fn forget_those_that_come_again(&mut self) -> u64 {
        let is_kept = |request: &CommandRequest| request.request.qos != QoS::AtLeastOnce;
        self.waiting.retain(is_kept);
        self.waiting_bytes = self.waiting.iter().map(|request| request.payload.len()).sum();
        let mut count = 0;
        for request in self.running.values_mut().filter(|request| !is_kept(request) && !request.comes_again) {
            request.comes_again = true;
            count += 1;
        }
        count
    }

    /// Starts no further command. Waiting requests stay unacknowledged.
    pub(super) fn hurry(&mut self, diagnostics: &Diagnostics) {
        let count = self.waiting.len() as u64;
        if count > 0 {
            let requests = counted(count, "request");
            diagnostics.warning(format_args!("{requests} received, and not given to the command"));
        }
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    pub(super) fn report_running(&self, diagnostics: &Diagnostics) {
        self.commands.report_running(diagnostics);
    }

    pub(super) fn kill(&self) {
        self.commands.kill();
    }

    /// At the end of the run: waits for the running commands; a signal ends them.
    pub(super) async fn conclude(&mut self, attention: &mut Attention) {
        poll_fn(|cx| {
            if let Poll::Ready(Stop::Signal(_)) = attention.poll(cx) {
                self.kill();
            }
            while self.commands.poll_ended(cx).is_ready() {}
            if self.are_running() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }
}

impl Answerer<'_> {
    /// Starts as many commands as the limit and the requested number of responses allow.
    pub(super) fn start_commands(&mut self) {
        while !self.is_enough()
            && let Some(next) = self.commands.as_mut().and_then(ResponseCommands::start_next)
        {
            let (topic, payload) = (Arc::clone(&next.topic), Arc::clone(&next.payload));
            let request = Publish {
                dup: false,
                qos: next.request.qos,
                retain: false,
                packet_identifier: 0,
                topic: &topic,
                properties: Properties::NONE,
                payload: &payload,
            };
            self.accepted += 1;
            self.show(&request);
        }
    }

    /// Processes the commands that have ended, and starts others.
    pub(super) fn poll_commands(&mut self, cx: &mut Context<'_>) {
        while let Some(commands) = &mut self.commands
            && let Poll::Ready((done, end)) = commands.poll_ended(cx)
        {
            let cause = match end {
                CommandEnd::Killed => continue,
                _ if done.comes_again => continue,
                CommandEnd::Succeeded(output) => {
                    self.send_later(AcceptedRequest { payload: output.into(), ..done.request });
                    continue;
                }
                CommandEnd::Failed(cause) | CommandEnd::Unwritten(cause) => cause,
            };
            let error = failure(done.request.number + 1, &done.topic, cause);
            let stops = commands.stops_at_failure();
            self.accepted = self.accepted.saturating_sub(1);
            if stops {
                self.end_with(Err(error));
                continue;
            }
            self.diagnostics.error(&error);
            self.skipped.add(Skip::Command);
            self.open.done(done.request.number);
        }
        self.start_commands();
    }

    /// Ends the run with this outcome once the running commands have ended, and their responses are sent.
    pub(super) fn end_with(&mut self, outcome: Result<(), Error>) {
        if let Some(commands) = &mut self.commands {
            commands.hurry(self.diagnostics);
        }
        match &self.ending {
            None => self.ending = Some(outcome),
            Some(_) => {
                if let Err(error) = outcome {
                    self.diagnostics.error(&error);
                }
            }
        }
    }

    /// While the run waits for running commands before its end, a further signal ends them.
    pub(super) fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // An expired timeout would be reported at each poll, so only signals count.
        if let Poll::Ready(stop @ Stop::Signal(_)) = self.supervisor.attention.poll(cx) {
            if let Some(commands) = &self.commands {
                commands.kill();
            }
            return Poll::Ready(Err(stop.error()));
        }
        // With a link the responses are sent first.
        if !self.is_linked && !self.are_running() {
            return Poll::Ready(self.ending.take().unwrap_or(Ok(())));
        }
        Poll::Pending
    }
}
