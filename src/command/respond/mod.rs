//! `mqtt respond`: answers requests ([MQTT-4.10]).
//!
//! A request is acknowledged only after its response: acknowledged at QoS 1 and 2, written at QoS 0. Requests
//! are numbered over the whole run; the number is the token of the response.

mod config;
mod executing;
mod payloads;
mod skips;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};

pub use self::config::{Config, ResponseCommand, ResponsePayload};
pub use self::executing::MOST_RESPONSE_BYTES;
use self::executing::ResponseCommands;
use self::payloads::ResponsePayloads;
use self::skips::{Skip, Skips};
use super::attention::{Attention, Stop, Supervisor, hang_up_ends, unanswered};
use super::decoding::Omissions;
use super::deferred::DeferredRequests;
use super::resubscribing::{Resubscribing, tell_refused};
use crate::client::handler::{Change, Flow, Handler, OUTPUT_BYTES, Supervision};
use crate::client::session::{Event, Session};
use crate::client::{self, AnswerLimit, Connected};
use crate::command::{Common, Invocation, Running};
use crate::decode::{Decoded, Decoder};
use crate::error::{Denial, Error, Layer};
use crate::exit::Exit;
use crate::output::{Diagnostics, MessageFormat, MessageWriter, Stdout};
use crate::protocol::property::{PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Publish, PublishTemplate, Subscription};
use crate::protocol::{QoS, topic};
use crate::quantity::counted;
use crate::quotation::cut;
use crate::signal::hang_up_is_ignored;

impl Invocation for Config {
    fn common(&self) -> Common<'_> {
        (self.verbosity, Some(&self.client))
    }

    fn runs_programs(&self) -> bool {
        matches!(self.answer, ResponsePayload::Program(_))
    }

    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_> {
        Box::pin(run(*self, diagnostics))
    }
}

/// Answers requests until the configuration or the user ends the run.
///
/// # Errors
/// A payload that cannot be read, a link that could not be made, refused subscriptions, the timeout, or an
/// output that cannot be written.
async fn run(config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let attention = attention(&config)?;
    let mut attention = if config.shows_requests { attention.for_reader() } else { attention };
    let payloads = ResponsePayloads::new(&config.answer, &mut attention, diagnostics).await?;
    let format = MessageFormat::Text { verbose: true, newline: true };
    let mut responder = Answerer {
        config: &config,
        diagnostics,
        supervisor: Supervisor::new(&mut attention, diagnostics, &config.client),
        writer: MessageWriter::for_stream(format, diagnostics.terminal().stdout),
        stdout: Stdout::new(),
        payloads,
        commands: config.command().map(ResponseCommands::new),
        decoder: Decoder::new(&config.decode),
        omissions: Omissions::new(diagnostics),
        has_asked: false,
        subscribed: Subscribed::Never,
        resubscribing: Resubscribing::new(config.client.reconnect),
        waiting: VecDeque::new(),
        waiting_bytes: 0,
        open: DeferredRequests::default(),
        accepted: 0,
        in_flight: 0,
        failed: 0,
        skipped: Skips::default(),
        is_over: false,
        is_linked: false,
        ending: None,
        answer: AnswerLimit::new(Some(config.client.connect_timeout)),
        awaited: Awaited::Suback,
    };
    let result = client::run(&config.client, &mut responder).await;
    if let Some(commands) = &mut responder.commands {
        commands.conclude(responder.supervisor.attention).await;
    }
    responder.skipped.report(diagnostics);
    responder.omissions.conclude();
    let failed = responder.failed > 0 || responder.skipped.have_failures();
    let result = result.and(responder.ending.take().unwrap_or(Ok(())));
    let result = match result {
        Err(Error::Link { .. } | Error::Refused { .. }) if responder.is_over => Ok(()),
        result => result,
    };
    let flushed = responder.stdout.finish(diagnostics).await.map(|_| ());
    match flushed.and(result) {
        Ok(()) | Err(Error::OutputClosed) if failed => Ok(Exit::Negative),
        Ok(()) | Err(Error::OutputClosed) => Ok(Exit::Success),
        Err(error) => Err(error),
    }
}

/// The signals and the timeout of the run.
fn attention(config: &Config) -> Result<Attention, Error> {
    let start = if config.command().is_none() { Attention::start } else { Attention::over_commands };
    let attention = start(config.timeout)?;
    if hang_up_is_ignored() { Ok(attention) } else { attention.for_hang_ups() }
}

/// Maximum number of QoS 0 requests waiting for their response; further ones get none. Requests of QoS 1 and
/// 2 are not acknowledged while they wait, which bounds them.
const MOST_WAITING: usize = 10_000;
const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// Maximum number of bytes of all waiting requests, since their number alone does not bound memory.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// A request whose response has not been sent.
struct AcceptedRequest {
    number: u64,
    qos: QoS,
    response_topic: Box<str>,
    correlation_data: Option<Box<[u8]>>,
    payload: Bytes,
}

impl AcceptedRequest {
    fn bytes(&self) -> usize {
        let correlation_data = self.correlation_data.as_ref().map_or(0, |data| data.len());
        self.response_topic.len() + correlation_data + self.payload.len()
    }
}

struct Answerer<'a> {
    config: &'a Config,
    diagnostics: &'a Diagnostics,
    supervisor: Supervisor<'a>,
    writer: MessageWriter,
    stdout: Stdout,
    /// Makes the payloads of responses.
    payloads: ResponsePayloads<'a>,
    /// The commands that compute responses, if configured.
    commands: Option<ResponseCommands<'a>>,
    decoder: Decoder<'a>,
    omissions: Omissions<'a>,
    /// Whether SUBSCRIBE was sent on this link, or is not needed there.
    has_asked: bool,
    subscribed: Subscribed,
    resubscribing: Resubscribing,
    waiting: VecDeque<AcceptedRequest>,
    waiting_bytes: usize,
    open: DeferredRequests,
    /// The number of requests that get a response, or whose command is running.
    accepted: u64,
    /// The number of unacknowledged responses of QoS 1 and 2.
    in_flight: u64,
    /// The number of responses that the broker refused.
    failed: u64,
    skipped: Skips,
    /// Whether all work is done and the link broke while it was closed.
    is_over: bool,
    /// Whether there is a link.
    is_linked: bool,
    /// The outcome of the run, once the running commands have ended.
    ending: Option<Result<(), Error>>,
    answer: AnswerLimit,
    awaited: Awaited,
}

impl Answerer<'_> {
    fn is_enough(&self) -> bool {
        self.config.count.is_some_and(|count| self.accepted >= count)
    }

    fn is_complete(&self) -> bool {
        self.is_enough() && self.has_responded()
    }

    /// Whether all responses are sent.
    fn has_responded(&self) -> bool {
        !self.are_running() && self.waiting.is_empty() && self.in_flight == 0
    }

    /// Whether only acknowledgements of responses are missing for the run to end by itself.
    fn awaits_acknowledgement(&self) -> bool {
        let is_limited = self.config.count.is_some() && self.config.timeout.is_none();
        is_limited && self.in_flight > 0 && !self.are_running()
    }

    fn renew(&mut self) {
        if self.awaited == Awaited::Acknowledgement {
            self.answer.renew();
        }
    }

    /// The error for a broker that has not answered within the limit.
    fn unanswered(&self, limit: Duration) -> Error {
        match self.awaited {
            Awaited::Suback => unanswered("SUBSCRIBE", "SUBACK", limit),
            Awaited::Acknowledgement => unanswered("PUBLISH", "an acknowledgement", limit),
        }
    }

    fn are_running(&self) -> bool {
        self.commands.as_ref().is_some_and(ResponseCommands::are_running)
    }

    /// The response topic for this request.
    fn response_topic<'p>(&'p self, publish: &Publish<'p>) -> Result<&'p str, Skip> {
        if publish.retain {
            return Err(Skip::Retained);
        }
        if self.config.response_topic.as_deref().is_some_and(|own| own.as_bytes() == publish.topic) {
            return Err(Skip::OnResponseTopic);
        }
        if !self.config.filters.iter().any(|filter| is_requested_by(filter, publish.topic)) {
            return Err(Skip::NotRequested);
        }
        let Some(named) = publish.properties.text(PropertyId::ResponseTopic) else {
            return self.config.response_topic.as_deref().ok_or(Skip::NoTopic);
        };
        let matches = |filter: &String| topic::matches(filter.as_bytes(), named.as_bytes());
        if topic::check_name(named.as_bytes()).is_err() {
            return Err(Skip::Invalid);
        }
        if self.config.filters.iter().any(matches) {
            return Err(Skip::Loop);
        }
        let is_allowed = match &self.config.allowed[..] {
            // A message to such a topic may be a command to the broker, with the rights of the responder.
            [] => !named.starts_with('$'),
            allowed => allowed.iter().any(matches),
        };
        if is_allowed { Ok(named) } else { Err(Skip::NotAllowed) }
    }

    fn message(&mut self, publish: &Publish<'_>) {
        let number = self.open.next_number();
        if let Err((why, reason)) = self.accept(number, publish) {
            self.open.add(true);
            self.skipped.tell(why, &reason, (number + 1, publish), self.diagnostics);
        }
    }

    /// Accepts a request that is to get a response; otherwise returns why it gets none.
    fn accept(&mut self, number: u64, publish: &Publish<'_>) -> Result<(), (Skip, String)> {
        let is_full = publish.qos == QoS::AtMostOnce
            && (self.waiting.len() >= MOST_WAITING || self.waiting_bytes >= MOST_WAITING_BYTES);
        let response_topic = match self.response_topic(publish) {
            Ok(_) if is_full => Err(Skip::TooMany),
            to => to.map(Box::<str>::from),
        };
        let response_topic = response_topic.map_err(|why| (why, String::new()))?;
        let decoded = self.decoder.decode(publish.topic, publish.payload);
        self.omissions.note(number + 1, publish.topic, decoded.as_ref());
        let (payload, payload_error) = match &decoded {
            None => (publish.payload, None),
            Some(Decoded { payload: Ok(payload), .. }) => (&payload[..], None),
            // A program sees the error, and decides.
            Some(Decoded { payload: Err(why), .. }) if self.payloads.are_computed() => {
                (publish.payload, Some(why.as_str()))
            }
            Some(Decoded { payload: Err(why), .. }) => {
                return Err((Skip::Undecodable, format!(": {}", cut(why))));
            }
        };
        let publish = &Publish { payload, ..*publish };
        let has_command = self.commands.is_some();
        let payload = if has_command {
            Bytes::new()
        } else {
            self.payloads.payload((number + 1, publish), payload_error)?
        };
        self.open.add(false);
        let request = AcceptedRequest {
            number,
            qos: publish.qos,
            response_topic,
            correlation_data: publish.properties.binary(PropertyId::CorrelationData).map(Box::<[u8]>::from),
            payload,
        };
        if let Some(commands) = &mut self.commands {
            commands.take(request, publish);
            self.start_commands();
        } else {
            self.accepted += 1;
            self.show(publish);
            self.send_later(request);
        }
        Ok(())
    }

    fn show(&mut self, request: &Publish<'_>) {
        if self.config.shows_requests {
            // Text is possible for every payload.
            let _ = self.writer.write(self.stdout.buffer(), request, SystemTime::now());
        }
    }

    fn send_later(&mut self, request: AcceptedRequest) {
        self.waiting_bytes += request.bytes();
        self.waiting.push_back(request);
    }

    /// Sends the responses that the window admits.
    fn respond(&mut self, session: &mut Session, out: &mut BytesMut) {
        let qos = self.config.qos;
        while out.len() < OUTPUT_BYTES
            && session.can_publish(qos)
            && let Some(request) = self.waiting.pop_front()
        {
            self.waiting_bytes -= request.bytes();
            let mut properties = self.config.properties.clone();
            if let Some(data) = &request.correlation_data {
                properties.push(PropertyId::CorrelationData, Value::Binary(data));
            }
            let name = request.response_topic.as_bytes();
            let template = Arc::new(PublishTemplate::new(session.protocol(), name, qos, false, &properties));
            let payload = request.payload;
            match session.publish(out, &template, &payload, || Some(payload.clone()), request.number) {
                Ok(_) if qos == QoS::AtMostOnce => self.open.done(request.number),
                Ok(_) => self.in_flight += 1,
                Err(error) => self.refused(request.number, &error),
            }
        }
    }

    /// A refused response would be refused again, so the request must not come again.
    fn refused(&mut self, number: u64, error: &Error) {
        self.failed += 1;
        self.diagnostics.error(error);
        self.open.done(number);
    }

    fn subscribe(&mut self, session: &mut Session, out: &mut BytesMut) {
        let subscription = |filter| Subscription {
            filter,
            qos: self.config.qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: 2,
        };
        let subscriptions: Vec<_> = self.config.filters.iter().map(|filter| subscription(filter)).collect();
        session.subscribe(out, &subscriptions, &self.config.subscribe_properties, 0);
        self.has_asked = true;
    }
}

/// Prefixes of other brokers' subscriptions, which their messages do not have.
const OTHER_PREFIXES: [&str; 2] = ["$queue/", "$exclusive/"];

/// Whether a filter of this run requests messages on this topic.
fn is_requested_by(filter: &str, topic: &[u8]) -> bool {
    let rest = OTHER_PREFIXES.iter().find_map(|prefix| filter.strip_prefix(prefix));
    topic::matches(rest.unwrap_or(filter).as_bytes(), topic)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Suback,
    Acknowledgement,
}

/// Whether the session has the subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subscribed {
    Never,
    Now,
    /// A session with the subscriptions was lost.
    Lost,
    /// The broker then refused one for now.
    Refused,
}

/// Shows the filters of requests.
struct Filters<'a>(&'a [String]);

impl fmt::Display for Filters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [one] => write!(f, "'{}'", cut(one)),
            many => f.write_str(&counted(many.len() as u64, "filter")),
        }
    }
}

impl Handler for Answerer<'_> {
    fn on_connected(&mut self, _session: &mut Session, connected: &Connected) -> Result<(), Error> {
        self.open.forget();
        if connected.session_present {
            // Requests of QoS 1 come again; those of QoS 2 are delivered only once.
            self.accepted -=
                self.waiting.iter().filter(|request| request.qos == QoS::AtLeastOnce).count() as u64;
            self.waiting.retain(|request| request.qos != QoS::AtLeastOnce);
            self.waiting_bytes = self.waiting.iter().map(AcceptedRequest::bytes).sum();
            if let Some(commands) = &mut self.commands {
                self.accepted = self.accepted.saturating_sub(commands.forget_those_that_come_again());
            }
        }
        self.is_linked = true;
        if !connected.session_present && self.subscribed == Subscribed::Now {
            self.subscribed = Subscribed::Lost;
        }
        self.has_asked = self.subscribed == Subscribed::Now;
        self.resubscribing.stop();
        Ok(())
    }

    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        if !self.has_asked || self.resubscribing.poll_due(cx).is_ready() {
            self.subscribe(session, out);
        }
        self.respond(session, out);
        // Acknowledgements of requests are put into the output before this is polled.
        if !self.open.has_done() {
            if self.is_complete() {
                self.answer.stop();
                return Poll::Ready(Ok(()));
            }
            if self.ending.is_some() && self.has_responded() {
                return Poll::Ready(self.ending.take().unwrap_or(Ok(())));
            }
        }
        let is_answered = session.requests_are_answered();
        self.awaited = if is_answered { Awaited::Acknowledgement } else { Awaited::Suback };
        let waits = !is_answered || self.awaits_acknowledgement();
        self.answer.poll_waiting(cx, waits).map(|limit| Err(self.unanswered(limit)))
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        match event {
            Event::Message(publish) => {
                self.message(&publish);
                if self.waiting_bytes > MOST_BYTES {
                    let cause = "requests of more than 256 MiB wait for their responses";
                    let hint = "--receive-maximum lets the broker send fewer requests at once (MQTT 5)";
                    return Err(Error::link(Layer::Mqtt, cause).with_hint(hint));
                }
            }
            Event::Subscribed { reasons, properties, .. } => {
                self.answer.renew();
                for (filter, reason) in self.config.filters.iter().zip(reasons) {
                    let (reason, filter, qos) = (ReasonCode(*reason), cut(filter), self.config.qos);
                    if reason.is_failure() {
                        let what = format!("subscription to '{filter}' refused");
                        let error = Error::refused(what, reason, &properties).of(Denial::Suback);
                        // Staying without receiving requests would be worse than a visible end.
                        if self.subscribed == Subscribed::Never || !self.resubscribing.may_pass(&error) {
                            return Err(error);
                        }
                        if self.subscribed != Subscribed::Refused {
                            tell_refused(&error, self.diagnostics);
                        }
                        self.subscribed = Subscribed::Refused;
                        self.resubscribing.wait();
                        return Ok(Flow::Continue);
                    }
                    if reason.0 < qos as u8 {
                        let granted = reason.0;
                        self.diagnostics.warning(format_args!(
                            "the broker grants QoS {granted} for '{filter}', not QoS {qos}"
                        ));
                    }
                }
                self.resubscribing.granted();
                if std::mem::replace(&mut self.subscribed, Subscribed::Now) == Subscribed::Refused {
                    self.diagnostics.change("subscribed", "subscribed again");
                    return Ok(Flow::Continue);
                }
                self.diagnostics.change_event("subscribed", "subscribed");
                if self.diagnostics.is_interactive() {
                    let filters = Filters(&self.config.filters);
                    self.diagnostics.state(format_args!("waiting for requests on {filters}"));
                }
            }
            Event::Received { .. } => self.renew(),
            Event::Published { token, reason, properties } => {
                self.renew();
                self.in_flight = self.in_flight.saturating_sub(1);
                if reason.is_failure() {
                    self.refused(token, &Error::refused("response refused", reason, &properties));
                } else {
                    self.open.done(token);
                }
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn declines_messages(&self) -> bool {
        // If a command fails, another request takes its place.
        self.is_enough() && !self.are_running() || self.ending.is_some()
    }

    fn defers_acknowledgements(&self) -> bool {
        true
    }

    fn settled(&mut self) -> usize {
        self.open.settle()
    }

    fn is_full(&self) -> bool {
        self.pauses() || self.commands.as_ref().is_some_and(ResponseCommands::is_full)
    }

    fn pauses(&self) -> bool {
        self.payloads.is_turn_over()
    }

    fn on_written(&mut self, _bytes: usize) {
        self.renew(); // a large response takes time
    }

    fn on_part(&mut self, collected_bytes: usize) {
        self.answer.part(collected_bytes);
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.pauses() {
            cx.waker().wake_by_ref();
        }
        self.stdout.poll_flush(cx)
    }

    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.payloads.begin_turn();
        self.poll_commands(cx);
        if self.is_over {
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(limit) = self.answer.poll(cx) {
            return Poll::Ready(Err(self.unanswered(limit)));
        }
        if self.ending.is_some() {
            return self.poll_ending(cx);
        }
        let mut is_hung_up = false;
        while let Poll::Ready(hang_up) = self.supervisor.attention.poll_hang_up(cx) {
            is_hung_up |= hang_up_ends(hang_up, &mut self.stdout, "", self.diagnostics);
        }
        let outcome = match self.supervisor.attention.poll(cx) {
            Poll::Ready(Stop::Signal(_)) => {
                self.diagnostics.end_interrupted_line();
                Ok(())
            }
            Poll::Ready(stop) => Err(stop.error()),
            Poll::Pending if is_hung_up => Ok(()),
            Poll::Pending => return Poll::Pending,
        };
        let Some(commands) = self.commands.as_ref().filter(|commands| commands.are_running()) else {
            return Poll::Ready(outcome);
        };
        commands.report_running(self.diagnostics);
        self.end_with(outcome);
        self.poll_ending(cx)
    }

    fn on_change(&mut self, change: Change<'_>) {
        if matches!(change, Change::Lost(_) | Change::Redirected(_)) {
            self.answer.stop();
            // Every response is acknowledged: only DISCONNECT is missing.
            self.is_over |= self.is_complete();
            self.is_linked = false;
        }
        if !self.is_over {
            self.supervisor.on_change(change);
        }
    }

    fn supervisor(&mut self) -> Option<&mut dyn Supervision> {
        Some(&mut self.supervisor)
    }
}
