//! `mqtt sub`: receives messages and writes them out.

use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::BytesMut;

mod clears;
mod config;
mod display;
mod exec;
mod files;
mod filters;
mod messages;
mod output;
mod programs;
mod rate;
mod requests;
mod selection;
#[cfg(test)]
mod selection_tests;
mod silence;
mod stages;
mod stats;

use self::clears::Clears;
pub use self::config::{
    Config, Display, Exec, ExecFailure, ExecRule, FailurePolicy, FilesOptions, FilterOptions, Programs,
    SilenceOptions, StatsOptions,
};
use self::display::Shower;
use self::exec::Executor;
use self::filters::{FilterGroup, Granted, groups, identify};
use self::programs::Evaluator;
use self::selection::Selector;
pub use self::selection::{Conditions, MessageKind};
use self::stages::{MARKER_TOKEN, Requests, SubscribeWork};
use super::attention::{Stop, Supervisor, unanswered};
use super::decoding::{Decoding, with_failures};
use super::resubscribing::Resubscribing;
use super::stored::EndOfStored;
use crate::client::handler::{Change, Flow, Handler, Supervision};
use crate::client::session::{AwaitedPacket, DeniedFilter, Event, Session};
use crate::client::{self, AnswerLimit, Connected};
use crate::command::{Common, Invocation, Running};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Diagnostics, MisfitWarnings, Stdout};
use crate::protocol::reason::ReasonCode;
use crate::protocol::{Protocol, QoS};
use crate::quantity::duration;
use crate::signal;
use crate::signal::outlive_file_limit;
use crate::storage::session_file::SessionFile;

impl Invocation for Config {
    fn common(&self) -> Common<'_> {
        (self.verbosity, Some(&self.client))
    }

    fn runs_programs(&self) -> bool {
        self.programs.are_run()
    }

    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_> {
        Box::pin(run(*self, diagnostics))
    }
}

/// Subscribes, writes out messages, and ends when the configuration says so.
///
/// # Errors
/// A link that could not be made or kept, all subscriptions refused, the timeout, or an output that cannot be
/// written.
async fn run(config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let stdout = output::open(&config)?;
    let identifier = &config.client.client_identifier;
    if config.session_file.is_some() {
        outlive_file_limit();
    }
    let unreleased =
        config.session_file.as_ref().map(|path| SessionFile::open(path, identifier)).transpose()?;
    let mut attention = output::attention(&config)?;
    let shower = Shower::new(&config, diagnostics)?;
    let evaluator = Evaluator::new(&config, shower.shows_raw_results(), diagnostics)?;
    let mut subscriber = Subscriber {
        config: &config,
        diagnostics,
        supervisor: Supervisor::new(&mut attention, diagnostics, &config.client),
        shower,
        executor: config.exec.as_ref().map(|exec| Executor::new(exec, diagnostics)),
        stdout,
        unreleased,
        restored: false,
        received: None,
        was_connected: false,
        requests: Requests::ToSend,
        count_subscribing: 0,
        number: 0,
        shown: 0,
        groups: groups(&config),
        granted: diagnostics.is_interactive().then(Granted::default),
        count_refused: 0,
        resubscribing: Resubscribing::new(config.client.reconnect),
        refused: None,
        some_refused: false,
        refused_filter: None,
        all_refused: None,
        selector: Selector::new(&config.selection, &config.filters),
        decoding: Decoding::new(&config.decode, config.on_error, diagnostics)
            .subscribed_to(config.filters.iter().map(|options| &*options.filter)),
        evaluator,
        clears: Clears::new(config.remove_retained, config.client.connect_timeout),
        work: SubscribeWork::Unfinished,
        outcome: None,
        end_of_retained: (config.selection.kind == MessageKind::Retained).then(|| {
            // In a kept session the subscription to the marker would be left behind.
            let keeps_session = !config.client.clean_start
                || config.client.session_expiry_interval.is_some_and(|seconds| seconds > 0);
            EndOfStored::new(!keeps_session, false)
        }),
        misfits: MisfitWarnings::default(),
        answer: AnswerLimit::new(config.answer_limit()),
        idle: AnswerLimit::new(config.idle),
        shown_when_idle: 0,
    };
    let result = client::run(&config.client, &mut subscriber).await;
    let executed = match &mut subscriber.executor {
        Some(executor) => executor.conclude(subscriber.supervisor.attention).await,
        None => Ok(()),
    };
    let (some_refused, was_connected) = (subscriber.some_refused, subscriber.was_connected);
    let result = match result {
        Err(Error::Link { .. } | Error::Refused { .. }) if subscriber.work != SubscribeWork::Unfinished => {
            Ok(())
        }
        result => result,
    };
    let result = result.and(subscriber.outcome.take().unwrap_or(Ok(())));
    let result = result.and_then(|()| subscriber.all_refused.take().map_or(Ok(()), Err));
    subscriber.shower.draw(&mut subscriber.stdout);
    subscriber.shower.finish(&mut subscriber.stdout);
    diagnostics.put_held_packets(subscriber.stdout.buffer(), true);
    // Messages received before the end are written, however the run ended.
    let flushed = match subscriber.stdout.finish(diagnostics).await {
        Ok(true) => {
            subscriber.clears.written();
            // The message was not acknowledged, but is recorded in the session file.
            subscriber.unreleased.as_mut().map_or(Ok(()), SessionFile::write)
        }
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    let all_cleared = subscriber.clears.conclude(diagnostics);
    subscriber.decoding.conclude();
    let failed_commands = subscriber.executor.as_ref().and_then(Executor::summary);
    let failures = [subscriber.decoding.summary(), subscriber.evaluator.summary(), failed_commands];
    match with_failures(flushed.and(executed).and(result), failures, diagnostics) {
        Ok(()) | Err(Error::OutputClosed) if !all_cleared => Ok(Exit::Negative),
        Err(Error::OutputClosed) => Ok(Exit::Success),
        Err(error) => Err(error),
        Ok(()) if some_refused => Ok(Exit::Negative),
        Ok(()) if !was_connected => Ok(Exit::Unconnected),
        Ok(()) => Ok(Exit::Success),
    }
}

struct Subscriber<'a> {
    config: &'a Config,
    diagnostics: &'a Diagnostics,
    supervisor: Supervisor<'a>,
    shower: Shower,
    /// With `--exec`.
    executor: Option<Executor<'a>>,
    stdout: Stdout,
    unreleased: Option<SessionFile>,
    /// Whether the identifiers in `unreleased` of an earlier run were restored or discarded.
    restored: bool,
    /// When the messages of the current batch were received.
    received: Option<SystemTime>,
    was_connected: bool,
    requests: Requests,
    /// The number of unanswered SUBSCRIBEs on this link.
    count_subscribing: usize,
    /// The number of the current message in the run, from 1.
    number: u64,
    /// The number of messages written out.
    shown: u64,
    /// The filters, grouped by SUBSCRIBE.
    groups: Vec<FilterGroup<'a>>,
    /// The granted filters, until they are shown once on a terminal.
    granted: Option<Granted>,
    /// The number of filters refused on this link.
    count_refused: usize,
    /// Retries the filters that are refused for now.
    resubscribing: Resubscribing,
    /// The latest refusal, not yet reported.
    refused: Option<Error>,
    some_refused: bool,
    /// The first filter refused on this link, until a message arrives.
    refused_filter: Option<DeniedFilter>,
    all_refused: Option<Error>,
    selector: Selector<'a>,
    decoding: Decoding<'a>,
    evaluator: Evaluator<'a>,
    clears: Clears,
    work: SubscribeWork,
    /// The outcome of the run, once the shown messages are cleared.
    outcome: Option<Result<(), Error>>,
    /// With `--retained-only`.
    end_of_retained: Option<EndOfStored>,
    misfits: MisfitWarnings,
    /// The timeout of the next step in a run that ends by itself.
    answer: AnswerLimit,
    /// With `--idle`: the timeout for the next message.
    idle: AnswerLimit,
    /// The value of `shown` when the time of `idle` began.
    shown_when_idle: u64,
}

impl Subscriber<'_> {
    /// Restores the identifiers of messages that an earlier run has delivered, if the broker still knows
    /// them.
    fn restore(&mut self, session: &mut Session, session_present: bool) -> Result<(), Error> {
        let Some(unreleased) = &mut self.unreleased else { return Ok(()) };
        if !session_present {
            unreleased.forget_all()?;
        } else if !self.restored {
            session.restore_unreleased(unreleased.identifiers());
        }
        self.restored = true;
        Ok(())
    }

    /// The error of a run that would end by itself if the broker responded.
    fn unanswered(&self, limit: Duration) -> Error {
        match self.requests {
            Requests::Answered => unanswered("PINGREQ", "PINGRESP", limit),
            _ if self.count_subscribing == 0 => unanswered("UNSUBSCRIBE", "UNSUBACK", limit),
            _ => unanswered("SUBSCRIBE", "SUBACK", limit),
        }
    }

    /// Ends with this outcome: immediately, or when the shown messages are cleared.
    fn leave(&mut self, cx: &mut Context<'_>, outcome: Result<(), Error>) -> Poll<Result<(), Error>> {
        self.work = SubscribeWork::Complete;
        self.outcome = Some(outcome);
        self.clears.hurry();
        if let Some(executor) = &mut self.executor {
            executor.hurry();
        }
        self.poll_cleared(cx)
    }

    /// Ready, with the outcome, when no command runs and nothing waits to be cleared, or the time for that
    /// has passed.
    fn poll_cleared(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.executor.as_ref().is_some_and(|executor| !executor.is_idle()) {
            return Poll::Pending;
        }
        ready!(self.clears.poll_over(cx));
        Poll::Ready(self.outcome.take().unwrap_or(Ok(())))
    }

    /// With `--idle`: ready when no message was shown for this time. A running command and a stalled reader
    /// do not count as idle: nothing is read meanwhile.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        if std::mem::replace(&mut self.shown_when_idle, self.shown) != self.shown {
            self.idle.renew();
        }
        let waits =
            self.requests == Requests::Answered && self.executor.as_ref().is_none_or(Executor::is_idle);
        self.idle.poll_waiting(cx, waits)
    }

    /// Whether nothing more is awaited.
    fn is_done(&mut self, cx: &mut Context<'_>, session: &mut Session, out: &mut BytesMut) -> bool {
        if self.requests != Requests::Answered {
            return false;
        }
        if self.config.ends_with_answers() || self.selector.is_complete() {
            return true;
        }
        self.end_of_retained.as_mut().is_some_and(|end| {
            end.subscribed();
            end.poll(cx, session, out).is_ready()
        })
    }
}

impl Handler for Subscriber<'_> {
    fn on_connected(&mut self, session: &mut Session, connected: &Connected) -> Result<(), Error> {
        self.was_connected = true;
        self.refused_filter = None;
        self.restore(session, connected.session_present)?;
        self.shower.connected(&mut self.stdout)?;
        // A kept session has its subscriptions, and subscribing again would make the broker send the retained
        // messages again. At the first connection the subscriptions may differ from the requested ones.
        let again = self.requests == Requests::Answered;
        let takes_identifiers =
            connected.protocol == Protocol::V5 && connected.limits().subscription_identifiers;
        identify(&mut self.groups, self.config, takes_identifiers);
        if again && !connected.session_present && !self.config.client.clean_start {
            self.diagnostics.warning(
                "the broker has lost the session: messages sent while there was no connection may be missing",
            );
        }
        if !(connected.session_present && again) {
            self.requests = Requests::ToSend;
        }
        if let Some(executor) = &mut self.executor {
            executor.link_is_new();
        }
        self.clears.link_is_new(self.requests == Requests::ToSend);
        if let Some(end) = &mut self.end_of_retained {
            end.link_is_new();
        }
        Ok(())
    }

    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        if self.work == SubscribeWork::Unfinished {
            if self.requests == Requests::ToSend {
                self.send_requests(session, out);
            }
            if self.requests == Requests::Sent && session.requests_are_answered() {
                self.requests = Requests::Answered;
            }
            if self.requests == Requests::Answered && self.resubscribing.poll_due(cx).is_ready() {
                self.ask_again(session, out);
            }
            if self.requests == Requests::Answered {
                self.shower.fill(cx, session, out, &mut self.stdout);
            }
            let is_idle = self.poll_idle(cx).is_ready();
            if self.is_done(cx, session, out) || is_idle && self.shown > 0 {
                self.work = SubscribeWork::Complete;
            } else if let Some(limit) = self.config.idle.filter(|_| is_idle) {
                let limit = duration(limit);
                return Poll::Ready(Err(Error::timed_out(format!("after {limit} without a message"))));
            }
        }
        self.clears.fill(session, out, self.diagnostics);
        if self.work == SubscribeWork::Unfinished {
            // After the last response only a quiet time is awaited.
            let waits = self.requests != Requests::Answered
                || self.end_of_retained.as_ref().is_some_and(EndOfStored::is_unanswered);
            return self.answer.poll_waiting(cx, waits).map(|limit| Err(self.unanswered(limit)));
        }
        self.answer.stop();
        self.poll_cleared(cx)
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        match event {
            Event::Message(publish) => {
                self.refused_filter = None;
                if let (Some(unreleased), QoS::ExactlyOnce) = (&mut self.unreleased, publish.qos) {
                    unreleased.delivered(publish.packet_identifier);
                }
                return self.message(&publish);
            }
            Event::Released { packet_identifier } => {
                if let Some(unreleased) = &mut self.unreleased {
                    unreleased.released(packet_identifier);
                }
            }
            Event::Subscribed { token: MARKER_TOKEN, reasons, .. } => {
                if let (Some(end), Some(reason)) = (&mut self.end_of_retained, reasons.first()) {
                    end.marker_granted(ReasonCode(*reason));
                }
            }
            Event::Subscribed { token, reasons, properties } => {
                self.answer.renew();
                self.count_subscribing = self.count_subscribing.saturating_sub(1);
                return Ok(self.subscribed(token, reasons, &properties));
            }
            Event::Published { token, reason, properties } => {
                self.clears.answered(token, reason, &properties, self.diagnostics);
            }
            Event::Unsubscribed { reasons, properties, .. } => {
                self.answer.renew();
                self.unsubscribed(reasons, &properties);
            }
            Event::Pong { .. } => {
                if let Some(end) = &mut self.end_of_retained {
                    end.answered();
                }
                self.shower.answered(&mut self.stdout)?;
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn defers_acknowledgements(&self) -> bool {
        self.executor.is_some()
    }

    fn settled(&mut self) -> usize {
        self.executor.as_mut().map_or(0, Executor::settled)
    }

    fn is_full(&self) -> bool {
        self.executor.as_ref().is_some_and(Executor::is_full) || self.evaluator.is_turn_over()
    }

    fn pauses(&self) -> bool {
        self.evaluator.is_turn_over()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(executor) = &mut self.executor {
            executor.start(cx);
        }
        self.received = None;
        self.selector.batch_is_over();
        if self.evaluator.is_turn_over() {
            cx.waker().wake_by_ref();
        }
        if let Some(warning) = self.shower.batch_is_over()? {
            self.diagnostics.warning(warning);
        }
        self.shower.draw(&mut self.stdout);
        self.diagnostics.put_held_packets(self.stdout.buffer(), true);
        ready!(self.stdout.poll_flush(cx))?;
        self.clears.written();
        // After the write-out and before the acknowledgements.
        Poll::Ready(self.unreleased.as_mut().map_or(Ok(()), SessionFile::write))
    }

    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.evaluator.begin_turn();
        if let Poll::Ready(limit) = self.answer.poll(cx) {
            return Poll::Ready(Err(self.unanswered(limit)));
        }
        if let Some(executor) = &mut self.executor
            && executor.poll(cx)
            && self.outcome.is_none()
        {
            return self.leave(cx, Ok(()));
        }
        if self.executor.as_ref().is_some_and(Executor::has_written) {
            self.supervisor.attention.watch_reader();
        }
        if self.work == SubscribeWork::Over || self.outcome.is_some() {
            if let Some(executor) = &mut self.executor
                && let Poll::Ready(stop @ Stop::Signal(_)) = self.supervisor.attention.poll(cx)
            {
                if self.outcome.is_none() {
                    executor.report_running();
                    executor.hurry();
                    self.outcome = Some(Ok(()));
                    return self.poll_cleared(cx);
                }
                executor.kill();
                return Poll::Ready(Err(stop.error()));
            }
            return self.poll_cleared(cx);
        }
        while let Poll::Ready(hang_up) = self.supervisor.attention.poll_hang_up(cx) {
            let is_for_stdout = !matches!(self.config.display, Display::Files(_));
            if output::ends(hang_up, is_for_stdout, &mut self.stdout, self.diagnostics) {
                return self.leave(cx, Ok(()));
            }
        }
        if let Poll::Ready(error) = self.shower.poll(cx, &mut self.stdout) {
            return Poll::Ready(Err(error));
        }
        match ready!(self.supervisor.attention.poll(cx)) {
            Stop::Signal(_) => {
                self.shower.interrupted(cx, &mut self.stdout);
                if self.shower.draws() {
                    // Restoring the terminal clears the line.
                    let _ = signal::take_interrupt();
                } else {
                    self.diagnostics.end_interrupted_line();
                }
                if let Some(executor) = &self.executor {
                    executor.report_running();
                }
                self.leave(cx, Ok(()))
            }
            stop => self.leave(cx, Err(stop.error())),
        }
    }

    /// Once the run is complete, further messages are left for the next run.
    fn declines_messages(&self) -> bool {
        self.work != SubscribeWork::Unfinished
    }

    fn on_change(&mut self, change: Change<'_>) {
        if matches!(change, Change::Lost(_) | Change::Redirected(_)) {
            self.answer.stop();
            self.idle.stop();
        }
        if matches!(change, Change::Lost(_) | Change::Redirected(_)) {
            self.shower.link_is_lost(&mut self.stdout);
        }
        if matches!(change, Change::Lost(_)) {
            self.clears.link_is_lost();
            if self.work == SubscribeWork::Complete {
                self.work = SubscribeWork::Over;
            }
        }
        if self.work == SubscribeWork::Unfinished || matches!(change, Change::Closed) {
            self.supervisor.on_change(change);
        }
    }

    fn avoids_packet(&self) -> bool {
        self.end_of_retained.as_ref().is_some_and(EndOfStored::awaits_marker)
    }

    fn awaits(&self) -> Option<AwaitedPacket> {
        let waits = self.end_of_retained.as_ref().is_some_and(EndOfStored::is_unanswered);
        let asked = (waits && self.requests == Requests::Answered).then(|| "PINGREQ".into());
        self.clears.awaits().or(asked)
    }

    fn refused_filter(&self) -> Option<&DeniedFilter> {
        self.refused_filter.as_ref()
    }

    fn on_ended(&mut self, _session: &Session, _is_at_it: bool) {
        self.clears.link_has_ended();
    }

    fn on_part(&mut self, collected_bytes: usize) {
        self.answer.part(collected_bytes);
        self.idle.part(collected_bytes);
    }

    fn supervisor(&mut self) -> Option<&mut dyn Supervision> {
        Some(&mut self.supervisor)
    }
}
