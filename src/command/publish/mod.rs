//! `mqtt pub`: publish messages.

mod aside;
mod config;
mod encoding;
mod errors;
mod expiring;
mod filled;
mod intake;
mod replay;
mod reports;
mod single;
mod spool;
mod work;

use std::io::ErrorKind;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Sleep;

use self::filled::Filler;
use self::intake::NOT_AGAIN;
use self::replay::ReplayClock;
use self::work::PublishWork;
use super::attention::{Attention, Supervisor, unanswered};
use super::input::{Message, NextInput, RecordReader};
use super::schedule::RepeatTiming;
use crate::client::handler::{Change, Flow, Handler, OUTPUT_BYTES, Supervision};
use crate::client::session::{Event, Session};
use crate::client::{self, AnswerLimit, Connected};
use crate::command::{Common, Invocation, Running};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Diagnostics, Progress};
use crate::protocol::QoS;
use crate::protocol::wire::PublishTemplate;

pub use config::{Config, FOREVER};
pub use encoding::Encoding;
pub use filled::Filling;
pub use spool::SpoolOptions;

/// Maximum number of unconfirmed QoS 0 messages before a PINGREQ asks how far the broker has read.
const MESSAGES_PER_BARRIER: u64 = 10_000;

/// Maximum number of inputs without a message between two checks of signals, timers and the connection.
const UNSENT_PER_TURN: u32 = 256;

/// How long a run that was ended by a signal waits for the answer to that PINGREQ. Together with the time for
/// closing the connection it stays below the limit after which the process is ended by force.
const LAST_ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// The size of a payload that takes long enough to show progress.
const LONG_PAYLOAD_BYTES: usize = 1024 * 1024;

impl Invocation for Config {
    fn common(&self) -> Common<'_> {
        (self.verbosity, Some(&self.client))
    }

    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_> {
        Box::pin(run(*self, diagnostics))
    }
}

/// Publishes everything and disconnects when all of it is acknowledged.
///
/// # Errors
/// Input that could not be read, a link that could not be made or kept, or a refused publish.
async fn run(config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    if let Some(spool) = &config.spool {
        return spool::run(&config, spool, diagnostics).await;
    }
    config.announce(diagnostics);
    let mut limited = config.timeout.map(|_| Attention::start(config.timeout)).transpose()?;
    let payload = match &mut limited {
        Some(attention) => config.source.payload_in_time(attention).await?,
        None => config.source.payload()?,
    };
    let filler = config.filler(payload.as_deref())?;
    let work = PublishWork::new(&config, payload)?;
    // One message is sent before a user can interrupt it; catching signals would only cost time.
    let one_shot = config.copies() == 1 && work.is_one_short_message();
    let mut attention = match limited {
        Some(attention) => attention,
        None if one_shot => Attention::default(),
        None => Attention::start(None)?,
    };
    let reader = config.reader();
    let replay = config.replay(reader.as_ref(), diagnostics)?;
    let mut publisher = Publisher {
        config: &config,
        diagnostics,
        supervisor: Supervisor::new(&mut attention, diagnostics, &config.client),
        progress: work.progress(&config, diagnostics),
        work,
        reader,
        filler,
        templates: Vec::new(),
        begun: None,
        sent: 0,
        ended: 0,
        unacknowledged: Unacknowledged::default(),
        timing: RepeatTiming::of(&config),
        replay,
        shows_time: false,
        refusal: None,
        stopping: None,
        answer: AnswerLimit::new(config.answer_limit()),
        received: 0,
    };
    let result = client::run(&config.client, &mut publisher).await;
    if let Some(progress) = publisher.progress.take() {
        progress.finish();
    }
    publisher.report_departures();
    publisher.report_times();
    let unread = publisher.work.take_failure();
    match (result, unread, publisher.refusal) {
        (Ok(()), Some(unread), _) => Err(unread),
        // Each refusal was reported when it arrived.
        (Ok(()), None, Some(refusal)) => Ok(refusal),
        (Ok(()), None, None) => {
            let selected = publisher.reader.as_ref().map_or(Ok(()), RecordReader::check_selection);
            selected.map(|()| Exit::Success)
        }
        (Err(error), unread, _) => {
            if let Some(unread) = unread {
                diagnostics.error(&unread);
            }
            publisher.report_unfinished();
            Err(error)
        }
    }
}

/// Messages at QoS 0: only the answer to a later PINGREQ confirms that they have arrived.
#[derive(Debug, Default)]
struct Unacknowledged {
    written: u64,
    /// The number of messages that the broker has confirmed.
    confirmed: u64,
    /// The number of messages before the PINGREQ in flight.
    asked: Option<u64>,
}

impl Unacknowledged {
    /// The number of messages that may not have arrived.
    fn open(&self) -> u64 {
        self.written - self.confirmed
    }

    fn is_open(&self) -> bool {
        self.open() > 0
    }
}

/// The end of a run by a signal.
struct Stopping {
    why: Error,
    limit: Pin<Box<Sleep>>,
    /// Whether a PINGREQ was sent to ask how far the broker has read.
    asked: bool,
}

struct Publisher<'a> {
    config: &'a Config,
    diagnostics: &'a Diagnostics,
    supervisor: Supervisor<'a>,
    progress: Option<Progress>,
    work: PublishWork,
    /// Reads lines that name their topic.
    reader: Option<RecordReader>,
    /// Fills in topics and payloads, unless lines name their topic.
    filler: Option<Filler>,
    /// The templates of the topics, unless lines name theirs; made when the protocol version is known.
    templates: Vec<Arc<PublishTemplate>>,
    /// An input that is not due yet, or has to be sent to more topics, from this index on.
    begun: Option<(Bytes, usize)>,
    /// The number of messages handed to the session; a message's token is its number, from 1.
    sent: u64,
    /// The number of messages acknowledged or refused; at QoS 0, written.
    ended: u64,
    unacknowledged: Unacknowledged,
    /// The schedule of the repeats, unless they follow each other immediately.
    timing: Option<RepeatTiming>,
    /// The schedule of the records.
    replay: Option<ReplayClock>,
    /// Whether the progress shows the recorded time.
    shows_time: bool,
    /// The exit status of the first refused message.
    refusal: Option<Exit>,
    /// Set when a signal ends the run, until the broker has confirmed its QoS 0 messages.
    stopping: Option<Stopping>,
    answer: AnswerLimit,
    /// The number of QoS 2 messages that the broker has received and not yet completed.
    received: u64,
}

impl Publisher<'_> {
    /// The error of a message that is not acknowledged.
    fn unanswered(&self, limit: Duration) -> Error {
        let missing = match self.config.qos {
            // A record may request any QoS.
            _ if self.reader.is_some() => "an acknowledgement",
            QoS::ExactlyOnce if self.received > 0 => "PUBCOMP",
            QoS::ExactlyOnce => "PUBREC",
            _ => "PUBACK",
        };
        unanswered("PUBLISH", missing, limit)
    }

    /// Ready when the next repeat is due, or when there is none left.
    fn poll_timing(&mut self, cx: &mut Context<'_>, session: &Session) -> Poll<()> {
        match &mut self.timing {
            None => Poll::Ready(()),
            Some(_) if self.work.is_over() => Poll::Ready(()),
            Some(RepeatTiming::Schedule(schedule)) => schedule.poll(cx),
            Some(RepeatTiming::Pause(_)) if self.sent == 0 => Poll::Ready(()),
            Some(RepeatTiming::Pause(_)) if !session.is_idle() => Poll::Pending, // woken by PUBACK
            Some(RepeatTiming::Pause(pause)) => pause.poll(cx),
        }
    }

    fn show_progress(&self) {
        match (&self.progress, &self.replay) {
            (Some(progress), Some(replay)) if self.shows_time => {
                progress.set(u64::try_from(replay.passed().as_millis()).unwrap_or(u64::MAX));
            }
            (Some(progress), _) => self.work.show(progress, self.ended),
            (None, _) => {}
        }
    }

    /// At QoS 0 nothing is acknowledged, so a PINGREQ asks now and then how far the broker has read: if the
    /// link is lost, the number of messages that may be lost with it is known and small.
    fn ask_how_far(&mut self, session: &mut Session, out: &mut BytesMut) {
        let Unacknowledged { written, confirmed, asked } = &mut self.unacknowledged;
        if asked.is_none() && *written - *confirmed >= MESSAGES_PER_BARRIER {
            session.ping(out);
            *asked = Some(*written);
        }
    }

    /// The end of a stopped run that waits for nothing further.
    fn poll_stopped(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let Some(stopping) = &mut self.stopping else { return Poll::Pending };
        if self.unacknowledged.is_open() {
            ready!(stopping.limit.as_mut().poll(cx));
        }
        self.stopping.take().map_or(Poll::Pending, |stopping| Poll::Ready(stopping.why))
    }
}

impl Handler for Publisher<'_> {
    fn on_connected(&mut self, _session: &mut Session, connected: &Connected) -> Result<(), Error> {
        // Another link may use another version.
        if let Some(filler) = &mut self.filler {
            filler.forget();
        }
        if let Some(reader) = &mut self.reader {
            reader.speak(connected.protocol);
        } else if self.templates.first().is_none_or(|template| !template.is_for(connected.protocol)) {
            let make = |topic: &String| self.config.template(connected.protocol, topic);
            self.templates = self.config.topics.iter().map(make).collect();
        }
        Ok(())
    }

    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        if let Some(stopping) = &mut self.stopping {
            if !std::mem::replace(&mut stopping.asked, true) {
                session.ping(out);
                self.unacknowledged.asked = Some(self.unacknowledged.written);
            }
            return Poll::Pending;
        }
        let published = self.poll_publish(cx, session, out);
        self.show_progress();
        match published {
            Poll::Pending => {
                // A source that goes on may be endless, and its run too.
                let is_waiting = !session.is_idle() && self.work.is_read(cx);
                self.answer.poll_waiting(cx, is_waiting).map(|limit| Err(self.unanswered(limit)))
            }
            over @ Poll::Ready(_) => over,
        }
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        // The answer to an earlier keep-alive PINGREQ would not confirm the latest messages.
        if let Event::Pong { last: true } = event
            && let Some(asked) = self.unacknowledged.asked.take()
        {
            self.unacknowledged.confirmed = asked;
            if let Some(stopping) = self.stopping.take_if(|stopping| stopping.asked) {
                return Err(stopping.why);
            }
        }
        if let Event::Received { .. } = event {
            self.received += 1;
            self.answer.renew();
        }
        if let Event::Published { token, reason, properties } = event {
            self.received = self.received.saturating_sub(1);
            self.answer.renew();
            self.ended += 1;
            if reason.is_failure() {
                let error = Error::refused("publish refused", reason, &properties);
                self.refuse(token, &error);
            }
            self.show_progress();
        }
        Ok(Flow::Continue)
    }

    fn on_published(&mut self, tokens: Range<u64>) -> Result<Flow, Error> {
        self.answer.renew();
        self.ended += tokens.end - tokens.start;
        self.show_progress();
        Ok(Flow::Continue)
    }

    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Poll::Ready(limit) = self.answer.poll(cx) {
            return Poll::Ready(Err(self.unanswered(limit)));
        }
        if self.stopping.is_none() {
            match ready!(self.supervisor.poll_interrupt(cx)) {
                Err(why @ Error::Signal(_)) if self.unacknowledged.is_open() => {
                    let limit = Box::pin(tokio::time::sleep(LAST_ANSWER_LIMIT));
                    self.stopping = Some(Stopping { why, limit, asked: false });
                }
                stop => return Poll::Ready(stop),
            }
        }
        self.poll_stopped(cx).map(Err)
    }

    fn on_written(&mut self, bytes: usize) {
        self.answer.renew();
        if let (Some(progress), PublishWork::Repeat { .. }) = (&self.progress, &self.work) {
            progress.add(bytes as u64);
        }
    }

    fn on_change(&mut self, change: Change<'_>) {
        self.supervisor.on_change(change);
        match change {
            Change::Lost(..) => {
                self.answer.stop();
                self.report_possible_loss();
            }
            Change::Redirected(..) => self.answer.stop(),
            Change::Unconfirmed(_) => {
                self.refusal.get_or_insert(Exit::Failure);
            }
            _ => {}
        }
    }

    fn supervisor(&mut self) -> Option<&mut dyn Supervision> {
        Some(&mut self.supervisor)
    }
}

impl Publisher<'_> {
    fn poll_publish(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        // A record may request any QoS.
        let qos = match (&self.reader, self.templates.first()) {
            (Some(_), _) => QoS::ExactlyOnce,
            (None, Some(template)) => template.qos(),
            (None, None) => return Poll::Pending,
        };
        let copies = self.config.copies();
        let is_timed = self.replay.is_some();
        let may_have_begun = copies > 1 || is_timed;
        let mut unsent = 0;
        while session.can_publish(qos) {
            if unsent == UNSENT_PER_TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if out.len() >= OUTPUT_BYTES {
                self.ask_how_far(session, out);
                return Poll::Pending; // called again once this is written
            }
            let begun = if may_have_begun { self.begun.take() } else { None };
            let (input, topic) = match begun {
                Some(begun) => begun,
                None => match ready!(self.poll_input(cx, session)) {
                    NextInput::Payload(input) => (input, 0),
                    NextInput::GivenUp(given_up) => {
                        self.give_up(&given_up.error(self.config.source.is_records()));
                        unsent += 1;
                        continue;
                    }
                    NextInput::Invalid(error) => {
                        self.give_up(&error);
                        unsent += 1;
                        continue;
                    }
                    NextInput::End if session.is_idle() => return Poll::Ready(Ok(())),
                    NextInput::End => return Poll::Pending,
                },
            };
            if is_timed && topic == 0 && self.poll_due(cx, &input).is_pending() {
                self.begun = Some((input, topic));
                return Poll::Pending;
            }
            self.sent += 1;
            let published = self.publish(session, out, &input);
            if topic + 1 < copies {
                self.begun = Some((input, topic + 1));
            }
            match published {
                Ok(Some(QoS::AtMostOnce)) => {
                    self.ended += 1;
                    self.unacknowledged.written += 1;
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.ended += 1;
                    unsent += 1;
                }
                Err(error) => {
                    self.refuse(self.sent, &error);
                    self.stop_at_error();
                    self.ended += 1;
                    unsent += 1;
                }
            }
        }
        Poll::Pending
    }

    /// The next input, once it is due.
    fn poll_input(&mut self, cx: &mut Context<'_>, session: &Session) -> Poll<NextInput> {
        ready!(self.poll_timing(cx, session));
        let input = self.work.poll_next(cx);
        if self.reader.is_none() && self.filler.is_none() && self.config.encode.is_none() {
            return input;
        }
        let input = ready!(input);
        if let (PublishWork::Lines(lines), Some(reader)) = (&mut self.work, &mut self.reader)
            && !matches!(input, NextInput::End)
            && !reader.goes_on(lines.rounds())
        {
            if !reader.selects_nothing() {
                self.diagnostics.warning(NOT_AGAIN);
            }
            lines.stop();
            return Poll::Ready(NextInput::End);
        }
        let input = match (input, &mut self.filler) {
            (NextInput::Payload(input), Some(filler)) => {
                let number = self.sent / self.config.copies() as u64 + 1;
                filler.payload(number, &input).map_or_else(NextInput::invalid, NextInput::Payload)
            }
            (input, _) => input,
        };
        Poll::Ready(match (input, &self.config.encode) {
            (NextInput::Payload(input), Some(chain)) if self.reader.is_none() => chain
                .encoded(&input)
                .map_or_else(NextInput::invalid, |payload| NextInput::Payload(payload.into())),
            (input, _) => input,
        })
    }

    /// Waits until a record is due.
    fn poll_due(&mut self, cx: &mut Context<'_>, input: &[u8]) -> Poll<()> {
        let (Some(replay), Some(reader)) = (&mut self.replay, &self.reader) else { return Poll::Ready(()) };
        let round = if let PublishWork::Lines(lines) = &self.work { lines.rounds() } else { 0 };
        let due = replay.poll(cx, || reader.time(input).map(|time| (time, round)));
        if let Some(whole) = replay.take_whole() {
            self.progress = Some(Progress::recorded(self.diagnostics, whole));
            self.shows_time = true;
        }
        due
    }

    /// Sends the message of one input to the next topic, if it is to be sent; returns its QoS.
    fn publish(
        &mut self,
        session: &mut Session,
        out: &mut BytesMut,
        input: &Bytes,
    ) -> Result<Option<QoS>, Error> {
        let number = self.sent;
        if let Some(reader) = &mut self.reader {
            let read = reader.message(input);
            if let Some(departure) = reader.departure() {
                self.diagnostics.warning(format_args!("line {number}: {departure}"));
            }
            let Message { template, payload, is_encoded } = match read {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(None),
                Err(error) => return self.not_a_record(error),
            };
            let payload = match &self.config.encode {
                Some(chain) if !is_encoded => chain.encoded(&payload)?.into(),
                _ => payload,
            };
            let keep = || Some(kept(input, &payload));
            session.publish(out, &template, &payload, keep, number)?;
            return Ok(Some(template.qos()));
        }
        let topic = if self.templates.len() > 1 { self.place(number) } else { 0 };
        let own;
        let template = match (&mut self.filler, self.templates.get(topic)) {
            (None, Some(template)) => template,
            (None, None) => return Ok(None),
            (Some(filler), _) => {
                let protocol = session.protocol();
                own = filler.template(topic, |name| self.config.template(protocol, name))?;
                &own
            }
        };
        check_memory(input.len())?;
        session.publish(out, template, input, || Some(input.clone()), number)?;
        Ok(Some(template.qos()))
    }
}

/// Refuses a long payload if there is no memory for its packet; otherwise the allocation would end the
/// process.
fn check_memory(payload_bytes: usize) -> Result<(), Error> {
    if payload_bytes <= LONG_PAYLOAD_BYTES {
        return Ok(());
    }
    let probe = Vec::<u8>::new().try_reserve_exact(2 * payload_bytes);
    probe.map_err(|_| Error::file(format!("its {payload_bytes} bytes"), ErrorKind::OutOfMemory.into()))
}

/// The payload as it is kept until it is acknowledged: a slice of its line, if it is part of it.
fn kept(line: &Bytes, payload: &[u8]) -> Bytes {
    let is_part = line.as_ptr_range().contains(&payload.as_ptr());
    if is_part { line.slice_ref(payload) } else { Bytes::copy_from_slice(payload) }
}
