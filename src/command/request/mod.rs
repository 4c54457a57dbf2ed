//! `mqtt rr`: publishes a request, and writes out the response ([MQTT-4.10]).

mod answer;
mod grant;
mod rounds;
mod waiting;

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use bytes::BytesMut;

pub use self::answer::NAME_ONE;
use self::answer::{Answers, Others, PreparedRequest, put_latency};
use self::grant::Grant;
use self::rounds::Rounds;
use super::attention::{Attention, Supervisor};
use super::decoding::{Decoding, with_failures};
use super::input::Source;
use super::stored::{Care, EndOfStored};
use crate::client::handler::{Change, Flow, Handler, Supervision};
use crate::client::options::ClientOptions;
use crate::client::session::{AwaitedPacket, Event, Session};
use crate::client::{self, AnswerLimit, Connected};
use crate::command::{Common, Invocation, Running};
use crate::decode::{Decoded, Rule};
use crate::error::{Denial, Error};
use crate::exit::Exit;
use crate::output::{
    Diagnostics, MessageFormat, MessageWriter, MisfitWarnings, PayloadNote, Stdout, Verbosity, put_json_line,
};
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Publish, Subscription, TopicAlias};
use crate::quantity::{counted, duration};
use crate::quotation::cut;

/// A checked command line of `mqtt rr`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// The topic of the request: a checked topic name.
    pub topic: String,
    /// The topic of the response: a checked topic name. `None`: a topic of this run only.
    pub response_topic: Option<String>,
    /// The QoS of the request, and the maximum QoS of the response.
    pub qos: QoS,
    /// The payload of the request.
    pub source: Source,
    /// PUBLISH properties (MQTT 5), checked, without response topic and topic alias.
    pub properties: PropertyBlock,
    /// Whether the topic gets an alias (MQTT 5).
    pub topic_alias: TopicAlias,
    /// Properties of SUBSCRIBE (MQTT 5), checked.
    pub subscribe_properties: PropertyBlock,
    /// MQTT 5: show the response with the RETAIN flag it was published with.
    pub retain_as_published: bool,
    /// When the broker sends retained messages on the response topic: always, for a new subscription, never
    /// (MQTT 5).
    pub retain_handling: u8,
    /// Whether the first message on the response topic is the response; the request then carries no
    /// correlation data of its own.
    pub any_response: bool,
    /// Which responses are decoded, and from which format (`--decode`).
    pub decode: Vec<Rule>,
    /// How the response is written.
    pub format: MessageFormat,
    /// Report how long the response took (`--latency`).
    pub latency: bool,
    /// The timeout of the whole run (`-W`).
    pub timeout: Option<Duration>,
    /// The number of responses per request; `None`: all that arrive in time.
    pub responses: Option<u64>,
    /// End the wait for responses after this time without one (`--idle`).
    pub idle: Option<Duration>,
    /// The number of requests, one after the other (`--repeat`).
    pub requests: u64,
    /// The minimum interval between two of them (`--interval`).
    pub interval: Option<Duration>,
    /// The verbosity on standard error.
    pub verbosity: Verbosity,
}

impl Invocation for Config {
    fn common(&self) -> Common<'_> {
        (self.verbosity, Some(&self.client))
    }

    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_> {
        Box::pin(run(*self, diagnostics))
    }
}

/// Sends the request, and disconnects when the response is written out.
///
/// # Errors
/// A payload that cannot be read, a link that could not be made or kept, a refused subscription or request,
/// the timeout, or an output that cannot be written.
async fn run(config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let mut attention = Attention::start(config.timeout)?.for_reader();
    config.source.announce(diagnostics);
    let payload = config.source.payload_in_time(&mut attention).await?.unwrap_or_default();
    let mut requester = Requester {
        config: &config,
        diagnostics,
        supervisor: Supervisor::new(&mut attention, diagnostics, &config.client),
        writer: MessageWriter::for_stream(config.format.clone(), diagnostics.terminal().stdout),
        stdout: Stdout::new(),
        decoding: Decoding::new(&config.decode, None, diagnostics),
        payload,
        exchange: None,
        misfits: MisfitWarnings::default(),
        impossible: None,
        stage: RequestStage::Subscribe,
        kept_session: false,
        // In a kept session the subscription to a marker would be left behind.
        waited: EndOfStored::new(false, false),
        sent: None,
        unwritten_bytes: 0,
        handover: Handover::Sent,
        over: false,
        others: Others::default(),
        number: 0,
        grant: Grant::new(config.client.reconnect),
        answer: AnswerLimit::new(config.timeout.is_none().then_some(config.client.connect_timeout)),
        idle: AnswerLimit::new(config.idle),
        news: AnswerLimit::new(
            (diagnostics.is_interactive() && config.timeout.is_none() && config.idle.is_none())
                .then_some(NEWS_AFTER),
        ),
        rounds: Rounds::new(config.requests, config.interval),
    };
    let result = client::run(&config.client, &mut requester).await;
    let result = match result {
        Err(Error::TimedOut { .. }) if requester.has_all_there_are() => requester.written_out().await,
        Err(Error::TimedOut { when, .. }) if requester.stage != RequestStage::Complete => {
            Err(requester.timed_out(&when))
        }
        _ if requester.stage != RequestStage::Complete => result,
        // The response has arrived; only closing the connection failed.
        Ok(())
        | Err(
            Error::Link { .. }
            | Error::Refused { .. }
            | Error::Elsewhere { .. }
            | Error::Protocol(_)
            | Error::TimedOut { .. },
        ) => requester.written_out().await,
        Err(error) => Err(error),
    };
    let result = requester.conclude(result).await;
    requester.decoding.conclude();
    match with_failures(result, [requester.decoding.summary()], diagnostics) {
        // A reader that has left needs no more output.
        Ok(()) | Err(Error::OutputClosed) => Ok(Exit::Success),
        Err(error) => Err(error),
    }
}

/// The stage of a request on this link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestStage {
    Subscribe,
    Subscribing,
    /// The subscription was refused for now, after it was granted on an earlier link.
    Refused,
    /// Messages waiting in a kept session are received first, until this time at most.
    Drain(Instant),
    /// The next request waits for its time.
    Due,
    Request,
    Waiting,
    /// The response has arrived.
    Complete,
}

/// If the response arrives earlier, no message about the wait is shown.
const NEWS_AFTER: Duration = Duration::from_secs(1);

/// Maximum time for receiving the messages waiting in a kept session. A shared response topic may never be
/// quiet.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// How far the broker has acknowledged the request (QoS 1 and 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handover {
    Sent,
    /// PUBREC was received, but not PUBCOMP.
    Received,
    Acknowledged,
}

struct Requester<'a> {
    config: &'a Config,
    diagnostics: &'a Diagnostics,
    supervisor: Supervisor<'a>,
    writer: MessageWriter,
    stdout: Stdout,
    decoding: Decoding<'a>,
    payload: Vec<u8>,
    /// Made when the broker's limits and version are known.
    exchange: Option<PreparedRequest>,
    /// Why the request is not possible with this broker. Returned later, so that DISCONNECT is sent and the
    /// broker does not publish the will.
    impossible: Option<Error>,
    misfits: MisfitWarnings,
    stage: RequestStage,
    /// Whether messages waiting in a kept session may follow the SUBACK.
    kept_session: bool,
    /// Detects the end of these messages.
    waited: EndOfStored,
    /// When the latest request that waits for responses was sent.
    sent: Option<Instant>,
    /// The part of the output before the request, in bytes, that is not written yet.
    unwritten_bytes: usize,
    handover: Handover,
    /// Whether the link broke while closing, so that no reconnect is needed.
    over: bool,
    /// Messages on the response topic that are not responses to this request.
    others: Others,
    /// The number of the current message in the run, from 1.
    number: u64,
    grant: Grant,
    /// The timeout for packets before the response; the response itself may take any time.
    answer: AnswerLimit,
    /// With `--idle`: the timeout for the next response.
    idle: AnswerLimit,
    /// On a terminal and without a timeout: when to tell the user what the run waits for.
    news: AnswerLimit,
    rounds: Rounds,
}

impl Requester<'_> {
    fn subscribed(&mut self, granted: ReasonCode) {
        let asked = self.config.qos;
        self.grant.granted(self.diagnostics);
        if granted.0 < asked as u8 {
            self.diagnostics.warning(format_args!(
                "the broker grants QoS {} for the response topic, not QoS {asked}",
                granted.0
            ));
        }
        self.waited.subscribed();
        self.stage =
            if self.kept_session { RequestStage::Drain(Instant::now() + DRAIN_LIMIT) } else { self.ready() };
    }

    /// The stage once the subscription is granted: a request that was sent before is sent again immediately.
    fn ready(&self) -> RequestStage {
        if self.sent.is_some() { RequestStage::Request } else { RequestStage::Due }
    }

    /// Ends the wait for the latest request. Returns whether it was the last one.
    fn round_is_over(&mut self) -> bool {
        self.sent = None;
        let is_last = self.rounds.is_last();
        self.stage = if is_last { RequestStage::Complete } else { RequestStage::Due };
        is_last
    }

    /// Whether all responses that arrive in time are requested, and some have arrived for the last request.
    fn has_all_there_are(&self) -> bool {
        self.stage == RequestStage::Waiting
            && self.config.responses.is_none()
            && self.rounds.is_last()
            && self.rounds.of_this > 0
    }

    /// Ends the wait after this time without a response: continues with the next request, or ends the run.
    fn is_idle(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<Result<(), Error>> {
        if self.rounds.of_this == 0 && !self.rounds.repeats() {
            // The error is completed at the end of the run with what was waited for.
            return Poll::Ready(Err(Error::timed_out(format!("after {}", duration(limit)))));
        }
        if self.round_is_over() {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// With several requests: reports their results, and whether each was answered.
    async fn conclude(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        if !self.rounds.repeats() || self.rounds.sent == 0 {
            return result;
        }
        if matches!(self.config.format, MessageFormat::Json { .. }) {
            put_json_line(self.stdout.buffer(), &self.rounds.object());
            if let Err(error) = self.stdout.finish(self.diagnostics).await {
                return result.and(Err(error));
            }
        } else {
            self.diagnostics.state(self.rounds.text());
        }
        let missing = self.rounds.sent - self.rounds.answered;
        if let (Ok(()), Some(limit), 1..) = (&result, self.config.idle, missing) {
            let requests = counted(self.rounds.sent, "request");
            let limit = duration(limit);
            return Err(Error::timed_out(format!("after {limit}: {missing} of {requests} had no response")));
        }
        result
    }

    /// Waits for the reader of standard output, as long as allowed.
    async fn written_out(&mut self) -> Result<(), Error> {
        poll_fn(|cx| match self.stdout.poll_flush(cx) {
            Poll::Pending => self.supervisor.attention.poll(cx).map(|stop| match stop.error() {
                Error::TimedOut { when, .. } => Err(self.timed_out(&when)),
                error => Err(error),
            }),
            flushed @ Poll::Ready(_) => flushed,
        })
        .await
    }

    fn message(&mut self, publish: &Publish<'_>) -> Result<Flow, Error> {
        self.number += 1;
        let Some(exchange) = &self.exchange else { return Ok(Flow::Continue) };
        // A kept session may have other subscriptions.
        if publish.topic != exchange.response_topic.as_bytes() {
            return Ok(Flow::Continue);
        }
        self.waited.came();
        let others = &mut self.others;
        // Before the request is sent there cannot be a response to it.
        let is_asked = self.stage == RequestStage::Waiting && self.unwritten_bytes == 0;
        let other = match (self.sent, exchange.answers(publish)) {
            _ if publish.retain && !self.config.retain_as_published => &mut others.retained,
            // Also after a lost link, when the response may have waited in a kept session.
            (Some(sent), Answers::This) => return self.response(publish, sent),
            (Some(sent), Answers::Unsaid) if is_asked => return self.response(publish, sent),
            (_, Answers::Another) => &mut others.foreign,
            _ => &mut others.early,
        };
        *other += 1;
        Ok(Flow::Continue)
    }

    fn response(&mut self, publish: &Publish<'_>, sent: Instant) -> Result<Flow, Error> {
        let took = sent.elapsed();
        let (out, now) = (self.stdout.buffer(), SystemTime::now());
        let written = match self.decoding.decode(self.number, publish)? {
            None => self.writer.write(out, publish, now),
            Some(Decoded { payload: Ok(payload), format, .. }) => {
                let decoded = Publish { payload: &payload, ..*publish };
                let note = PayloadNote { decoded: format.as_deref(), error: None };
                self.writer.write_decoded(out, &decoded, now, &note)
            }
            Some(Decoded { payload: Err(why), .. }) => {
                let note = PayloadNote { decoded: None, error: Some(&why) };
                self.writer.write_decoded(out, publish, now, &note)
            }
        };
        if let Err(misfit) = written {
            self.misfits.warn(self.diagnostics, self.number, publish.topic, &misfit);
        }
        if self.config.latency {
            put_latency(self.stdout.buffer(), took, self.config);
        }
        self.rounds.response(took);
        self.idle.renew();
        let is_enough = self.config.responses.is_some_and(|count| self.rounds.of_this >= count);
        Ok(if is_enough && self.round_is_over() { Flow::Stop } else { Flow::Continue })
    }
}

fn subscribe(config: &Config, exchange: &PreparedRequest, session: &mut Session, out: &mut BytesMut) {
    let subscription = Subscription {
        filter: &exchange.response_topic,
        qos: config.qos,
        no_local: false,
        retain_as_published: config.retain_as_published,
        retain_handling: config.retain_handling,
    };
    session.subscribe(out, &[subscription], &config.subscribe_properties, 0);
}

impl Handler for Requester<'_> {
    fn on_connected(&mut self, _session: &mut Session, connected: &Connected) -> Result<(), Error> {
        // Another link may use another version.
        let fits = self.exchange.as_ref().is_some_and(|exchange| exchange.request.is_for(connected.protocol));
        if !fits {
            match PreparedRequest::new(self.config, connected) {
                Ok(exchange) => self.exchange = Some(exchange),
                Err(error) => self.impossible = Some(error), // returned later, with DISCONNECT
            }
        }
        self.kept_session = connected.session_present;
        self.grant.stop();
        if fits && self.sent.is_some() && self.handover == Handover::Acknowledged && connected.session_present
        {
            self.stage = RequestStage::Waiting;
            return Ok(());
        }
        if self.sent.is_some() {
            self.diagnostics.warning("the request is sent again: the responder may get it twice");
        } else if fits && self.rounds.sent > 0 && connected.session_present {
            self.stage = RequestStage::Due;
            return Ok(());
        }
        self.stage = RequestStage::Subscribe;
        Ok(())
    }

    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        if let Some(error) = self.impossible.take() {
            return Poll::Ready(Err(error));
        }
        if let RequestStage::Drain(until) = self.stage
            && (self.waited.poll(cx, session, out).is_ready() || Instant::now() >= until)
        {
            self.stage = self.ready();
        }
        if self.stage == RequestStage::Due && self.rounds.poll_due(cx).is_ready() {
            self.stage = RequestStage::Request;
        }
        if self.stage == RequestStage::Refused && self.grant.poll_due(cx).is_ready() {
            self.stage = RequestStage::Subscribe;
        }
        let Some(exchange) = &mut self.exchange else { return Poll::Pending };
        match self.stage {
            RequestStage::Subscribe => {
                subscribe(self.config, exchange, session, out);
                self.waited.begin(Care::AskedAgain);
                self.stage = RequestStage::Subscribing;
            }
            RequestStage::Request if session.can_publish(self.config.qos) => {
                if self.sent.is_none() {
                    if self.rounds.sent > 0 {
                        exchange.renew(self.config);
                    }
                    self.rounds.request_sent();
                }
                session.publish(out, &exchange.request, &self.payload, || None, self.rounds.sent)?;
                // A response proves that the request was read; without a response there is nothing to
                // confirm.
                session.confirmed();
                (self.sent, self.handover) = (Some(Instant::now()), Handover::Sent);
                self.unwritten_bytes = out.len();
                self.stage = RequestStage::Waiting;
                self.answer.renew();
                self.idle.renew();
                self.news.renew();
            }
            _ => {}
        }
        let waits = match self.stage {
            RequestStage::Subscribing => true,
            // The response has no timeout of its own, but the acknowledgement of the request has.
            RequestStage::Waiting => {
                self.config.qos != QoS::AtMostOnce && self.handover != Handover::Acknowledged
            }
            _ => false,
        };
        if let Poll::Ready(limit) = self.answer.poll_waiting(cx, waits) {
            return Poll::Ready(Err(self.unanswered(limit)));
        }
        if self.news.poll_waiting(cx, self.stage == RequestStage::Waiting).is_ready() {
            self.news = AnswerLimit::new(None);
            self.say_what_is_waited_for();
        }
        let limit = ready!(self.idle.poll_waiting(cx, self.stage == RequestStage::Waiting));
        self.is_idle(cx, limit)
    }

    /// Nothing but the response was expected.
    fn awaits_close(&self) -> bool {
        self.stage != RequestStage::Complete
    }

    fn on_part(&mut self, collected_bytes: usize) {
        self.answer.part(collected_bytes);
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        match event {
            Event::Message(publish) => {
                self.writer.check_memory(&publish)?;
                return self.message(&publish);
            }
            Event::Subscribed { reasons, properties, .. } => {
                let reason = ReasonCode(reasons.first().copied().unwrap_or_default());
                if reason.is_failure() {
                    let response_topic =
                        self.exchange.as_ref().map_or("", |exchange| &exchange.response_topic);
                    let what = format!("subscription to '{}' refused", cut(response_topic));
                    let error = Error::refused(what, reason, &properties).of(Denial::Suback);
                    self.grant.refused(error, self.diagnostics)?;
                    self.stage = RequestStage::Refused;
                    return Ok(Flow::Continue);
                }
                self.subscribed(reason);
            }
            Event::Pong { .. } => self.waited.answered(),
            Event::Received { token } if token == self.rounds.sent => {
                self.handover = Handover::Received;
                self.answer.renew();
            }
            Event::Published { reason, properties, .. } if reason.is_failure() => {
                return Err(Error::refused("request refused", reason, &properties));
            }
            Event::Published { token, reason, .. } if token == self.rounds.sent => {
                self.handover = Handover::Acknowledged;
                if reason != ReasonCode::NO_MATCHING_SUBSCRIBERS {
                    return Ok(Flow::Continue);
                }
                let topic = &self.config.topic;
                self.diagnostics
                    .warning(format_args!("the broker reports no subscriber to '{}'", cut(topic)));
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.stdout.poll_flush(cx)
    }

    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.over {
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(limit) = self.answer.poll(cx) {
            return Poll::Ready(Err(self.unanswered(limit)));
        }
        self.supervisor.poll_interrupt(cx)
    }

    fn awaits(&self) -> Option<AwaitedPacket> {
        let is_only_sent = self.stage == RequestStage::Waiting
            && (self.config.qos == QoS::AtMostOnce || self.handover != Handover::Acknowledged);
        let name = match self.config.qos {
            QoS::AtMostOnce => "PUBLISH (QoS 0), the request",
            QoS::AtLeastOnce => "PUBLISH (QoS 1), the request",
            QoS::ExactlyOnce => "PUBLISH (QoS 2), the request",
        };
        is_only_sent.then(|| name.into())
    }

    fn on_written(&mut self, bytes: usize) {
        self.unwritten_bytes = self.unwritten_bytes.saturating_sub(bytes);
    }

    fn on_change(&mut self, change: Change<'_>) {
        if matches!(change, Change::Lost(_) | Change::Redirected(_)) {
            self.answer.stop();
            self.idle.stop();
        }
        if self.stage == RequestStage::Complete && !matches!(change, Change::Closed) {
            self.over |= matches!(change, Change::Lost(_) | Change::Redirected(_));
        } else {
            self.supervisor.on_change(change);
        }
    }

    fn supervisor(&mut self) -> Option<&mut dyn Supervision> {
        Some(&mut self.supervisor)
    }
}
