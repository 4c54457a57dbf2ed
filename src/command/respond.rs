//! `mqtt respond`: answer requests ([MQTT-4.10]).
//!
//! A request is acknowledged only after its response: acknowledged at QoS 1 and 2, written at QoS 0. Requests are
//! numbered over the whole run; the number is the token of the response.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};

use super::attention::{Attention, Stop, Supervisor, unanswered};
use super::computed::Computer;
use super::deferred::DeferredRequests;
use super::input::Source;
use super::resubscribing::{Resubscribing, tell_refused};
use crate::client::handler::{Change, Flow, Handler, OUTPUT_BYTES, Supervision};
use crate::client::options::ClientOptions;
use crate::client::session::{Event, Session};
use crate::client::{self, AnswerLimit, Connected};
use crate::command::{Common, Invocation, Running};
use crate::error::{Denial, Error, Layer};
use crate::exit::Exit;
use crate::jq::Program;
use crate::output::{Diagnostics, MessageFormat, MessageWriter, Stdout, Verbosity};
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Publish, PublishTemplate, Subscription};
use crate::protocol::{QoS, topic};
use crate::quantity::counted;
use crate::quotation::cut;

/// What the response says.
#[derive(Debug, Clone)]
pub enum ResponsePayload {
    /// The payload of the request.
    Echo,
    /// The same for all requests; read once.
    Fixed(Source),
    /// The results of a program, which gets the request as a record.
    Program(Program),
}

/// A checked command line of `mqtt respond`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// Where requests come: checked topic filters, one at least.
    pub filters: Vec<String>,
    /// Where the response goes to if the request does not say: a checked topic name that no filter matches.
    pub response_topic: Option<String>,
    /// Filters for the response topics that requests may name; empty: all that are not the broker's own.
    pub allowed: Vec<String>,
    /// Of the response, and the highest of the request.
    pub qos: QoS,
    /// The payload of the response.
    pub answer: ResponsePayload,
    /// Properties of the response (MQTT 5), checked, without correlation data.
    pub properties: PropertyBlock,
    /// Properties of SUBSCRIBE (MQTT 5), checked.
    pub subscribe_properties: PropertyBlock,
    /// Leave after that many responses (`-C`).
    pub count: Option<u64>,
    /// Leave after that long (`-W`).
    pub timeout: Option<Duration>,
    /// Write each request to standard output, its topic before it.
    pub shows_requests: bool,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}

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

/// Answers requests until the configuration or the user says that it is enough.
///
/// # Errors
/// A payload that cannot be read, a link that could not be made, refused subscriptions, the time limit, or an output
/// that cannot be written.
async fn run(config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let attention = Attention::start(config.timeout)?;
    let mut attention = if config.shows_requests { attention.for_reader() } else { attention };
    let fixed = match &config.answer {
        ResponsePayload::Echo | ResponsePayload::Program(_) => None,
        ResponsePayload::Fixed(source) => {
            source.announce(diagnostics);
            Some(source.payload_in_time(&mut attention).await?.unwrap_or_default().into())
        }
    };
    let computer = match &config.answer {
        ResponsePayload::Program(program) => Some(Computer::new(program.clone(), diagnostics)?),
        _ => None,
    };
    let format = MessageFormat::Text { verbose: true, newline: true };
    let mut responder = Answerer {
        config: &config,
        diagnostics,
        supervisor: Supervisor::new(&mut attention, diagnostics, &config.client),
        writer: MessageWriter::for_stream(format, diagnostics.terminal().stdout),
        stdout: Stdout::new(),
        fixed,
        computer,
        has_asked: false,
        subscribed: Subscribed::Never,
        resubscribing: Resubscribing::new(config.client.reconnect),
        waiting: VecDeque::new(),
        waiting_bytes: 0,
        open: DeferredRequests::default(),
        accepted: 0,
        in_flight: 0,
        failed: 0,
        skipped: [0; SKIPPED.len()],
        is_over: false,
        answer: AnswerLimit::new(Some(config.client.connect_timeout)),
    };
    let result = client::run(&config.client, &mut responder).await;
    responder.report_skipped();
    let failed = responder.failed > 0 || responder.skips(Skip::Failed) > 0;
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

/// Why a request gets no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    /// It names no response topic, and there is no `-e`.
    NoTopic,
    /// `--allow-response-topic` excludes it, or it is one of the broker's.
    NotAllowed,
    /// The response would be a request to this responder.
    Loop,
    /// It is not a topic name.
    Invalid,
    /// It may be old, and comes again with each subscription.
    Retained,
    /// More came at QoS 0 than responses went out.
    TooMany,
    /// The program has no result for it.
    NoResult,
    /// The program fails on it.
    Failed,
}

/// The same, and the words of the summary, `request` before them.
const SKIPPED: [(Skip, &str); 8] = [
    (Skip::NoTopic, "without a response topic"),
    (Skip::NotAllowed, "with a response topic that is not allowed"),
    (Skip::Loop, "with a response topic that is subscribed to"),
    (Skip::Invalid, "with an invalid response topic"),
    (Skip::Retained, "retained"),
    (Skip::TooMany, "beyond the limit of waiting requests"),
    (Skip::NoResult, "for which --jq has no result"),
    (Skip::Failed, "on which --jq failed"),
];

/// Requests of QoS 0 that wait for their response, and their bytes: what comes beyond that gets none. Those of QoS 1
/// and 2 are not acknowledged while they wait, which bounds them.
const MOST_WAITING: usize = 10_000;
const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of all requests that wait: their number alone does not bound them.
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
    /// The payload of every response, if it is not the request's.
    fixed: Option<Bytes>,
    /// What computes it otherwise.
    computer: Option<Computer>,
    /// SUBSCRIBE was sent on this link, or is not needed there.
    has_asked: bool,
    subscribed: Subscribed,
    resubscribing: Resubscribing,
    waiting: VecDeque<AcceptedRequest>,
    waiting_bytes: usize,
    open: DeferredRequests,
    /// Requests that get a response.
    accepted: u64,
    /// Responses of QoS 1 and 2 that are not acknowledged.
    in_flight: u64,
    /// Responses that the broker refused.
    failed: u64,
    /// As in [`SKIPPED`].
    skipped: [u64; SKIPPED.len()],
    /// All is done, and the link broke while it was closed.
    is_over: bool,
    answer: AnswerLimit,
}

impl Answerer<'_> {
    fn is_enough(&self) -> bool {
        self.config.count.is_some_and(|count| self.accepted >= count)
    }

    fn is_complete(&self) -> bool {
        self.is_enough() && self.waiting.is_empty() && self.in_flight == 0
    }

    /// Where the response to this request goes to.
    fn response_topic<'p>(&'p self, publish: &Publish<'p>) -> Result<&'p str, Skip> {
        if publish.retain {
            return Err(Skip::Retained);
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
            // What is published there may be a command to the broker, in the name of the responder.
            [] => !named.starts_with('$'),
            allowed => allowed.iter().any(matches),
        };
        if is_allowed { Ok(named) } else { Err(Skip::NotAllowed) }
    }

    /// What the response to this request says; why there is none.
    fn response(&mut self, publish: &Publish<'_>) -> Result<Bytes, (Skip, String)> {
        let Some(computer) = &mut self.computer else {
            return Ok(self.fixed.clone().unwrap_or_else(|| Bytes::copy_from_slice(publish.payload)));
        };
        match computer.payload(publish) {
            Ok(payload) => payload.ok_or((Skip::NoResult, String::new())),
            Err(why) => Err((Skip::Failed, format!(": {}", cut(&why.to_string())))),
        }
    }

    /// How many requests got no response for this reason.
    fn skips(&self, why: Skip) -> u64 {
        self.skipped.iter().zip(SKIPPED).filter(|(_, (skip, _))| *skip == why).map(|(count, _)| *count).sum()
    }

    fn skip(&mut self, why: Skip, reason: &str, publish: &Publish<'_>) {
        let Some((count, (_, words))) =
            self.skipped.iter_mut().zip(SKIPPED).find(|(_, (skip, _))| *skip == why)
        else {
            return;
        };
        *count += 1;
        if *count > 1 {
            return;
        }
        let topic = String::from_utf8_lossy(publish.topic);
        let named = publish.properties.text(PropertyId::ResponseTopic);
        let named = named.map(|named| format!(" ('{}')", cut(named))).unwrap_or_default();
        self.diagnostics.warning(format_args!(
            "no response to a request on '{}', {words}{named}{reason} (shown only once)",
            cut(&topic)
        ));
    }

    fn report_skipped(&self) {
        let counts = self.skipped.iter().zip(SKIPPED).filter(|(count, _)| **count > 0);
        let parts: Vec<String> =
            counts.map(|(count, (_, words))| format!("{} {words}", counted(*count, "request"))).collect();
        if !parts.is_empty() {
            self.diagnostics.warning(format_args!("no response to {}", parts.join(", ")));
        }
    }

    fn message(&mut self, publish: &Publish<'_>) {
        let number = self.open.next_number();
        let is_full = publish.qos == QoS::AtMostOnce
            && (self.waiting.len() >= MOST_WAITING || self.waiting_bytes >= MOST_WAITING_BYTES);
        let to = match self.response_topic(publish) {
            Ok(_) if is_full => Err(Skip::TooMany),
            to => to.map(Box::<str>::from),
        };
        let to = to.map_err(|why| (why, String::new()));
        let to = to.and_then(|topic| Ok((topic, self.response(publish)?)));
        self.open.add(to.is_err());
        let (response_topic, payload) = match to {
            Ok(to) => to,
            Err((why, reason)) => return self.skip(why, &reason, publish),
        };
        if self.config.shows_requests {
            // Text fits every payload.
            let _ = self.writer.write(self.stdout.buffer(), publish, SystemTime::now());
        }
        self.accepted += 1;
        let request = AcceptedRequest {
            number,
            qos: publish.qos,
            response_topic,
            correlation_data: publish.properties.binary(PropertyId::CorrelationData).map(Box::<[u8]>::from),
            payload,
        };
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

    /// It would be refused again, so the request is not to come again.
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

/// Whether the session has the subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subscribed {
    Never,
    Now,
    /// It had them, and was lost.
    Lost,
    /// After that the broker has refused one for now.
    Refused,
}

/// The filters that requests come by, for people.
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
            // Requests of QoS 1 come again; those of QoS 2 the session has delivered once and for all.
            self.accepted -=
                self.waiting.iter().filter(|request| request.qos == QoS::AtLeastOnce).count() as u64;
            self.waiting.retain(|request| request.qos != QoS::AtLeastOnce);
            self.waiting_bytes = self.waiting.iter().map(AcceptedRequest::bytes).sum();
        }
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
        // Acknowledgements of requests are put into the output before this is asked.
        if self.is_complete() && self.open.is_done.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let limit = ready!(self.answer.poll_waiting(cx, !session.requests_are_answered()));
        Poll::Ready(Err(unanswered("SUBSCRIBE", "SUBACK", limit)))
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
                for (filter, reason) in self.config.filters.iter().zip(reasons) {
                    let (reason, filter, qos) = (ReasonCode(*reason), cut(filter), self.config.qos);
                    if reason.is_failure() {
                        let what = format!("subscription to '{filter}' refused");
                        let error = Error::refused(what, reason, &properties).of(Denial::Suback);
                        // Requests that never come are worse than an end that is seen.
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
            Event::Published { token, reason, properties } => {
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
        self.is_enough()
    }

    fn defers_acknowledgements(&self) -> bool {
        true
    }

    fn settled(&mut self) -> usize {
        self.open.settle()
    }

    fn is_full(&self) -> bool {
        self.pauses()
    }

    fn pauses(&self) -> bool {
        self.computer.as_ref().is_some_and(Computer::is_turn_over)
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
        if let Some(computer) = &mut self.computer {
            computer.begin_turn();
        }
        if self.is_over {
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(limit) = self.answer.poll(cx) {
            return Poll::Ready(Err(unanswered("SUBSCRIBE", "SUBACK", limit)));
        }
        match ready!(self.supervisor.attention.poll(cx)) {
            Stop::Signal(_) => {
                self.diagnostics.end_interrupted_line();
                Poll::Ready(Ok(()))
            }
            stop => Poll::Ready(Err(stop.error())),
        }
    }

    fn on_change(&mut self, change: Change<'_>) {
        if matches!(change, Change::Lost(_) | Change::Redirected(_)) {
            self.answer.stop();
            // Every response is acknowledged: only DISCONNECT is missing.
            self.is_over |= self.is_complete();
        }
        if !self.is_over {
            self.supervisor.on_change(change);
        }
    }

    fn supervisor(&mut self) -> Option<&mut dyn Supervision> {
        Some(&mut self.supervisor)
    }
}
