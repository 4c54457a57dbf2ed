//! `mqtt pub --spool`: publishes through a file, so that no accepted message is lost when the program is
//! killed.
//!
//! A thread reads standard input with or without a connection; the connection sends from the front of the
//! file. The format of the file, and the order of writes, are those of [`storage::spool`].

use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::mpsc;

use super::Config;
use super::aside::{AsideFile, NamedMessage, report_left, set_aside};
use super::expiring::{for_another_second, unexpired};
use super::filled::Filler;
use super::intake::{IntakeNote, LineIntake};
use super::replay::ReplaySchedule;
use super::single::{Fill, payloads, take_in_one};
use crate::client::handler::{Change, Flow, Handler, OUTPUT_BYTES, Supervision};
use crate::client::session::{Event, Session};
use crate::client::{self, AnswerLimit, Connected};
use crate::command::attention::{Attention, Supervisor, unanswered};
use crate::command::input::{Departure, RecordReader, Source, check_rounds, stdin};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Diagnostics, Progress};
use crate::platform::descriptors::duplicate;
use crate::platform::readiness::{RunEnd, RunGuard};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::PublishTemplate;
use crate::protocol::{Protocol, QoS};
use crate::quantity::{agree, counted};
use crate::quotation::cut;
use crate::storage::spool::{Envelope, Intake, Left, SentMessage, Spool, SpooledMessage};
use crate::thread::start;

/// The refusals that a retry cannot change: they concern the message itself, or the user's rights.
const FINAL: [ReasonCode; 3] =
    [ReasonCode::NOT_AUTHORIZED, ReasonCode::TOPIC_NAME_INVALID, ReasonCode::PAYLOAD_FORMAT_INVALID];

/// Maximum number of the intake's notes that are processed before signals, timers and the connection are
/// checked. Each may be an error of a line.
const NOTES_PER_TURN: u32 = 32;

/// The file and its bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolOptions {
    /// The file.
    pub path: PathBuf,
    /// Maximum size of the file before intake waits.
    pub most_bytes: u64,
    /// The numbers of messages to be removed from it and stored next to it.
    pub set_aside: Vec<u64>,
}

/// Publishes the messages of the spool and the input, and disconnects when all of them are acknowledged.
///
/// # Errors
/// A file that cannot be used, a link that could not be made or kept, or a signal. Messages that were taken
/// in stay in the spool.
pub(super) async fn run(
    config: &Config,
    options: &SpoolOptions,
    diagnostics: &Diagnostics,
) -> Result<Exit, Error> {
    let mut attention = Attention::start(config.timeout)?;
    config.announce(diagnostics);
    let (path, identifier) = (options.path.clone(), config.client.client_identifier.clone());
    // A missing file is more likely a mistyped name than an empty spool.
    let open = if matches!(config.source, Source::Spool) { Spool::open_existing } else { Spool::open };
    // Reading a long file takes time.
    let (mut spool, mut left) = attention.blocking(move || open(&path, &identifier)).await?;
    let aside = AsideFile::of(&options.path);
    set_aside(&mut spool, &mut left, options, &aside, diagnostics)?;
    report_left(diagnostics, options, &left);
    // The longest topic: if its messages fit, the others fit too.
    let longest = config.topics.iter().max_by_key(|topic| topic.len());
    let longest = config.envelope(longest.map(String::as_str).unwrap_or_default());
    let mut intake = spool.intake(&longest, options.most_bytes);
    let envelopes: Vec<Envelope> = config.topics.iter().map(|topic| config.envelope(topic)).collect();
    let mut failure = None;
    let mut input = None;
    // Errors in the input are reported before anything is sent.
    config.source.check()?;
    let payload = if config.source.is_lines() { None } else { config.source.payload()? };
    let mut filler = config.filler(payload.as_deref())?;
    spool.keep_synchronised()?;
    if config.source.is_lines() {
        input = Some(start_intake(config, intake, envelopes, filler)?);
    } else {
        // The messages in the spool are sent anyway, and make room.
        let copies = config.copies();
        for (number, payload) in payloads(&config.source, payload).enumerate() {
            let topics = number * copies..(number + 1) * copies;
            let taken = payload.and_then(|payload| {
                let fill = Fill { filler: filler.as_mut(), encode: config.encode.as_ref() };
                take_in_one(&mut intake, &envelopes, topics, fill, number as u64 + 1, &payload)
            });
            if let Err(error) = taken {
                diagnostics.error(&error);
                failure.get_or_insert(error.exit());
            }
        }
    }
    let damaged = (left.damaged_bytes > 0).then_some(Exit::Failure);
    let progress = input.is_some().then(|| Progress::lines(diagnostics));
    let mut publisher = SpoolPublisher {
        config,
        diagnostics,
        supervisor: Supervisor::new(&mut attention, diagnostics, &config.client),
        progress,
        spool,
        aside,
        left,
        in_flight: None,
        input,
        template: None,
        properties_lost: false,
        connected_before: false,
        renewed: false,
        ended: 0,
        expired: 0,
        failed: failure.or(damaged),
        answer: AnswerLimit::new(config.answer_limit()),
    };
    let mut result = client::run(&config.client, &mut publisher).await;
    if let Err(Error::Link { .. } | Error::Refused { .. } | Error::Elsewhere { .. } | Error::Protocol(_)) =
        result
        && let Err(error) = publisher.take_in_what_is_there().await
    {
        result = Err(error);
    }
    if result.is_err() {
        publisher.report_in_flight();
    }
    let SpoolPublisher { progress, failed, spool, expired, .. } = publisher;
    if let Some(progress) = progress {
        progress.finish();
    }
    if expired > 1 {
        diagnostics.warning(Departure::Expired(expired).in_all());
    }
    let kept = spool.close();
    if let Ok(kept @ 1..) = kept {
        let path = options.path.display();
        diagnostics.warning(format_args!(
            "{} {} kept in {path} for the next run with --spool",
            counted(kept, "message"),
            agree(kept, "is", "are")
        ));
    }
    result?;
    kept?;
    Ok(failed.unwrap_or(Exit::Success))
}

/// Starts the thread that takes in standard input.
fn start_intake(
    config: &Config,
    intake: Intake,
    envelopes: Vec<Envelope>,
    filler: Option<Filler>,
) -> Result<Input, Error> {
    let stdin = stdin()?;
    let rounds = if let Source::Records(options) = &config.source { options.rounds } else { 1 };
    if rounds > 1 {
        let metadata = duplicate(&stdin).and_then(|file| file.metadata());
        check_rounds(&metadata.map_err(|error| Error::file("standard input", error))?, rounds)?;
    }
    let (reader, qos) = (config.reader(), config.qos);
    let (terminator, stops_at_error) = (config.terminator, config.stops_at_error);
    let has_topic_option = config.has_topic_option;
    let (encode, replay) = (config.encode.clone(), config.speed.map(ReplaySchedule::new));
    let (sender, receiver) = mpsc::channel(1);
    let (over, running) = RunEnd::of_new_run().map_err(|error| Error::file("a pipe", error))?;
    start("input", move || {
        let mut lines = LineIntake {
            intake,
            envelopes,
            filler,
            reader,
            encode,
            replay,
            rounds,
            round: 0,
            qos,
            terminator,
            stops_at_error,
            notes: &sender,
            number: 0,
        };
        if let Err(failed) = lines.take_in_rounds(&stdin, &over) {
            let _ = sender.blocking_send(IntakeNote::Failed(failed));
        }
        for departure in lines.reader.iter().flat_map(RecordReader::departures) {
            let _ = sender.blocking_send(IntakeNote::Warning(departure.in_all()));
        }
        if has_topic_option && let Some(warning) = lines.reader.as_ref().and_then(RecordReader::unused_topic)
        {
            let _ = sender.blocking_send(IntakeNote::Warning(warning));
        }
        if let Some(lateness) = lines.replay.as_ref().and_then(ReplaySchedule::lateness) {
            let _ = sender.blocking_send(IntakeNote::Warning(lateness));
        }
    })?;
    Ok(Input { notes: receiver, running })
}

/// The intake's thread.
struct Input {
    /// Closed at the end of the input.
    notes: mpsc::Receiver<IntakeNote>,
    /// Dropped when the run ends.
    running: RunGuard,
}

struct SpoolPublisher<'a> {
    config: &'a Config,
    diagnostics: &'a Diagnostics,
    supervisor: Supervisor<'a>,
    progress: Option<Progress>,
    spool: Spool,
    aside: AsideFile,
    left: Left,
    /// The first, the last and the number of the messages in flight when the latest link ended.
    in_flight: Option<(u64, u64, usize)>,
    input: Option<Input>,
    /// The template of the latest envelope, for this protocol version.
    template: Option<(Protocol, Arc<Envelope>, Arc<PublishTemplate>)>,
    /// Whether the loss of properties in MQTT 3.x was reported.
    properties_lost: bool,
    connected_before: bool,
    /// Whether messages that were sent before are sent again by the session, with new packet identifiers.
    renewed: bool,
    ended: u64,
    /// The number of messages that have expired in the spool.
    expired: u64,
    /// The exit status of the first failure that did not end the run.
    failed: Option<Exit>,
    answer: AnswerLimit,
}

impl SpoolPublisher<'_> {
    /// The next message of the spool; `Ready(None)` when there is none and none will come.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<SpooledMessage>, Error>> {
        for _ in 0..NOTES_PER_TURN {
            if let Some(message) = self.spool.next_message()? {
                if let Some(fault) = &message.fault {
                    self.set_aside(&message, fault)?;
                } else if let Some(message) = unexpired(&message) {
                    return Poll::Ready(Ok(Some(message)));
                } else {
                    self.drop_expired(&message);
                }
                continue;
            }
            if self.input.is_none() {
                return Poll::Ready(Ok(None));
            }
            ready!(self.poll_input(cx));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Receives a note of the intake.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(input) = &mut self.input else { return Poll::Pending };
        match ready!(input.notes.poll_recv(cx)) {
            Some(note) => self.note(note),
            None => self.input = None,
        }
        Poll::Ready(())
    }

    /// Errors are reported immediately; messages taken in before are sent anyway.
    fn note(&mut self, note: IntakeNote) {
        let error = match note {
            IntakeNote::More => return,
            IntakeNote::Warning(text) => return self.diagnostics.warning(text),
            IntakeNote::GivenUp(number, error) => {
                self.diagnostics.error_in(format_args!("line {number}"), &error);
                error
            }
            IntakeNote::Failed(error) => {
                self.diagnostics.error(&error);
                error
            }
        };
        self.failed.get_or_insert(error.exit());
    }

    /// Takes in the available input after the broker is lost or has disconnected us, so that it is not lost.
    async fn take_in_what_is_there(&mut self) -> Result<(), Error> {
        let Some(Input { mut notes, running }) = self.input.take() else { return Ok(()) };
        drop(running);
        self.spool.stop_waiting();
        while let Some(note) = self.supervisor.attention.during(notes.recv()).await? {
            self.note(note);
        }
        Ok(())
    }

    /// A message was refused. It is dropped only if the refusal is final: later, or at another broker, the
    /// limits may differ.
    fn refuse(&mut self, place: u64, topic: &str, error: &Error) -> Result<(), Error> {
        let is_final = matches!(error, Error::Refused { reason, .. } if FINAL.contains(reason));
        if is_final {
            self.diagnostics.error_in(format_args!("a message to '{}', dropped", cut(topic)), error);
        } else {
            self.diagnostics
                .error_in(format_args!("message {place}, to '{}', kept for the next run", cut(topic)), error);
        }
        self.failed.get_or_insert(error.exit());
        if is_final {
            self.spool.done(place);
            Ok(())
        } else {
            self.spool.keep(place)
        }
    }

    /// Drops a message whose Message Expiry Interval has passed.
    fn drop_expired(&mut self, message: &SpooledMessage) {
        self.expired += 1;
        if self.expired == 1 {
            let named = NamedMessage(message);
            self.diagnostics
                .warning(format_args!("{named} not sent: the time of message-expiry-interval was over"));
        }
        self.spool.done(message.place);
        self.count();
    }

    /// Removes a message that must not be sent from the spool, and stores it next to it.
    fn set_aside(&mut self, message: &SpooledMessage, fault: &str) -> Result<(), Error> {
        let (path, named) = (self.aside.path().display(), NamedMessage(message));
        let added = self.aside.add(message);
        let error = Error::Input(fault.to_owned());
        match &added {
            Ok(()) => self.diagnostics.error_in(format_args!("{named} moved to {path}"), &error),
            Err(_) => self.diagnostics.error_in(format_args!("{named} kept and not sent"), &error),
        }
        self.failed.get_or_insert(error.exit());
        self.count();
        match added {
            Ok(()) => {
                self.spool.set_aside(message.place);
                Ok(())
            }
            Err(error) => {
                self.diagnostics.error(&error);
                self.spool.keep(message.place)
            }
        }
    }

    /// Reports the messages that may have made the broker end the connection.
    fn report_in_flight(&mut self) {
        let Some((first, last, count)) = self.in_flight else { return };
        if let (Ok(first), Ok(last)) = (self.spool.read(first), self.spool.read(last)) {
            self.diagnostics.warning(self.aside.advice(&first, &last, count));
        }
    }

    fn template(&mut self, protocol: Protocol, envelope: &Arc<Envelope>) -> Arc<PublishTemplate> {
        if let Some((of_protocol, of_envelope, template)) = &self.template
            && *of_protocol == protocol
            && Arc::ptr_eq(of_envelope, envelope)
        {
            return Arc::clone(template);
        }
        let Envelope { qos, retain, topic, properties } = &**envelope;
        if protocol != Protocol::V5
            && !properties.is_empty()
            && !std::mem::replace(&mut self.properties_lost, true)
        {
            self.diagnostics.warning(format_args!(
                "messages in the spool have MQTT 5 properties, and this connection is {protocol}: they are sent without them"
            ));
        }
        let mut template = PublishTemplate::new(protocol, topic.as_bytes(), *qos, *retain, properties);
        if self.config.topics.contains(topic) {
            template = template.with_topic_alias(self.config.topic_alias);
        }
        let template = Arc::new(template);
        self.template = Some((protocol, Arc::clone(envelope), Arc::clone(&template)));
        template
    }

    /// Continues the QoS 2 messages that an earlier run has sent, if the broker still knows them.
    fn take_up(&mut self, session: &mut Session, connected: &Connected) -> Result<(), Error> {
        let sent_messages = std::mem::take(&mut self.left.sent_messages);
        if !connected.session_present || self.left.of_another_client {
            let count = sent_messages.len();
            if count > 0 && (self.config.client.clean_start || self.left.of_another_client) {
                self.diagnostics.warning(format_args!(
                    "this run has a session of its own (-c -i ID goes on with the earlier one): {} sent again, which may arrive twice",
                    counted(count as u64, "QoS 2 message")
                ));
            } else if count > 0 {
                self.supervisor.on_change(Change::MayRepeat(count));
            }
            self.spool.forget_sent();
            return self.spool.write();
        }
        for SentMessage { place, packet_identifier, received } in sent_messages {
            let message = self.spool.take_up(place)?;
            // A message that the broker has received only needs its release.
            if let Some(fault) = message.fault.as_ref().filter(|_| !received) {
                self.set_aside(&message, fault)?;
                continue;
            }
            let SpooledMessage { envelope, payload, .. } = for_another_second(&message);
            let template = self.template(connected.protocol, &envelope);
            session.restore_publish(packet_identifier, template, payload, place, received);
        }
        Ok(())
    }

    /// Fills the output; `Ready` when nothing is left to do.
    fn poll_publish(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        if self.renewed {
            for (packet_identifier, qos, place) in session.open_publishes() {
                if qos == QoS::ExactlyOnce {
                    self.spool.sent(place, packet_identifier);
                }
            }
            self.renewed = !session.can_publish(QoS::AtMostOnce);
        }
        while session.can_publish(QoS::ExactlyOnce) && out.len() < OUTPUT_BYTES {
            let Some(SpooledMessage { place, envelope, payload, .. }) = ready!(self.poll_next(cx))? else {
                return if session.is_idle() { Poll::Ready(Ok(())) } else { Poll::Pending };
            };
            let template = self.template(session.protocol(), &envelope);
            match session.publish(out, &template, &payload, || Some(payload.clone()), place) {
                Ok(packet_identifier) if envelope.qos == QoS::ExactlyOnce => {
                    self.spool.sent(place, packet_identifier);
                }
                Ok(_) => {}
                Err(error) => {
                    self.refuse(place, &envelope.topic, &error)?;
                    self.count();
                }
            }
        }
        Poll::Pending
    }

    /// Counts a finished message.
    fn count(&mut self) {
        self.ended += 1;
        if let Some(progress) = &self.progress {
            progress.set(self.ended);
        }
    }
}

fn unanswered_publish(limit: Duration) -> Error {
    unanswered("PUBLISH", "an acknowledgement", limit)
}

impl Handler for SpoolPublisher<'_> {
    fn on_connected(&mut self, session: &mut Session, connected: &Connected) -> Result<(), Error> {
        if !std::mem::replace(&mut self.connected_before, true) {
            return self.take_up(session, connected);
        }
        if !connected.session_present {
            self.renewed = true;
            self.spool.forget_sent();
            self.spool.write()?;
        }
        Ok(())
    }

    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        let mut result = self.poll_publish(cx, session, out);
        if result.is_pending()
            // Until its end, the input may be endless, and the run too.
            && let Poll::Ready(limit) = self.answer.poll_waiting(cx, self.input.is_none() && !session.is_idle())
        {
            result = Poll::Ready(Err(unanswered_publish(limit)));
        }
        // Stages are written before the packets are sent.
        if let Err(error) = self.spool.write() {
            out.clear();
            return Poll::Ready(Err(error));
        }
        result
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        match event {
            Event::Received { token } => {
                self.answer.renew();
                self.spool.received(token);
            }
            Event::Published { token, reason, properties } => {
                self.answer.renew();
                if reason.is_failure() {
                    let error = Error::refused("publish refused", reason, &properties);
                    let topic = self.spool.read(token)?.envelope.topic.clone();
                    self.refuse(token, &topic, &error)?;
                } else {
                    self.spool.done(token);
                }
                self.count();
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(self.spool.write())
    }

    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // Intake errors are reported immediately, with or without a link. New messages are found in the
        // spool, which is checked before the next write.
        let mut notes = 0;
        while notes < NOTES_PER_TURN && self.poll_input(cx).is_ready() {
            notes += 1;
        }
        if notes == NOTES_PER_TURN {
            cx.waker().wake_by_ref();
        }
        if let Poll::Ready(limit) = self.answer.poll(cx) {
            return Poll::Ready(Err(unanswered_publish(limit)));
        }
        self.supervisor.poll_interrupt(cx)
    }

    fn works_without_link(&self) -> bool {
        self.input.is_some() && !self.spool.intake_waits()
    }

    fn on_written(&mut self, _bytes: usize) {
        self.answer.renew();
    }

    fn on_ended(&mut self, session: &Session, is_at_it: bool) {
        let mut open = session.open_publishes().map(|(_, _, place)| place);
        self.in_flight = open.next().filter(|_| is_at_it).map(|first| match open.last() {
            Some(last) => (first, last, session.unacknowledged()),
            None => (first, first, 1),
        });
    }

    fn on_change(&mut self, change: Change<'_>) {
        if matches!(change, Change::Lost(_) | Change::Redirected(_)) {
            self.answer.stop();
        }
        self.supervisor.on_change(change);
    }

    fn supervisor(&mut self) -> Option<&mut dyn Supervision> {
        Some(&mut self.supervisor)
    }
}
