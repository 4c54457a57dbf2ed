//! The scan: receives all retained messages, and decides when they are complete.
//!
//! Each pass over the filters is: SUBSCRIBE, SUBACK, then the wait of `stored`.
//!
//! A broker may not send everything it has: one that queues at most 1,000 messages for a client (mosquitto's
//! default) drops the rest of a large set, at QoS 1 and 2 even before it processes acknowledgements. So a
//! second pass subscribes at QoS 0, where nothing is queued, and then subscribes by name to the topics that
//! only this pass has found, a few at a time, at the QoS of their messages. Messages that the broker
//! withholds even then, or for which no time is left, are taken as they were received. Messages that no pass
//! has received are found by the scan that verifies, after the others were cleared.
//!
//! A broker may also send without end, so the memory for messages is limited.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use tokio::time::{Instant, Sleep};

use super::super::attention::{Attention, Supervisor, report_change};
use super::super::stored::{self, Care, EndOfStored};
use super::backup::Backup;
use super::entry::{Fate, RetainedTopic, fingerprint};
use super::pass::{LinkState, MOST_FOUND_BYTES, Pass, PassPurpose, PassState, ScanEndedBy};
use super::selection::Selection;
use crate::client::handler::{Change, Flow, Handler, Supervision};
use crate::client::session::{Event, Session};
use crate::client::{self, AnswerLimit, Connected};
use crate::error::{Error, Layer};
use crate::output::{Diagnostics, Progress};
use crate::protocol::property::{Properties, PropertyBlock};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Publish, Subscription};
use crate::protocol::{QoS, topic};
use crate::quantity::{counted, duration};
use crate::quotation::cut;

/// Number of topics requested by name in one pass: well below the number of messages that brokers queue for a
/// client.
const NAMES_PER_PASS: usize = 400;

/// The timeout of a scan if the user has set none.
pub const SCAN_LIMIT: Duration = Duration::from_secs(30);

/// The filters, the selection and the timeout of a scan.
#[derive(Debug, Clone)]
pub struct ScanOptions {
    /// Checked topic filters, at least one; no shared subscriptions.
    pub filters: Vec<String>,
    /// Which of the received messages are selected.
    pub selection: Selection,
    /// The timeout of one scan, which the timeout of the run limits as well.
    pub timeout: Duration,
}

/// The result of a scan.
#[derive(Debug)]
pub(super) struct Scanned {
    /// Sorted by topic.
    pub(super) entries: Vec<RetainedTopic>,
    /// How the checking pass ended.
    pub(super) ended_by: ScanEndedBy,
    pub(super) took: Duration,
    /// Filters that the broker refused, with their Reason Codes.
    pub(super) refused: Vec<(String, ReasonCode)>,
    /// The number of messages that are not selected.
    pub(super) unselected: u64,
    /// Whether the broker sends retained messages before later published ones.
    pub(super) in_order: bool,
    /// Why the scan ended early.
    pub(super) error: Option<Error>,
}

/// The messages that a scan looks for.
#[derive(Clone, Copy)]
pub(super) enum Looking<'a> {
    /// The selected messages, with all their data.
    Selected { with_preview: bool },
    /// The current state of these topics (sorted), and further selected messages.
    Again(&'a [RetainedTopic]),
}

impl Scanned {
    /// An empty result with this reason.
    fn failed(error: Error) -> Self {
        Self {
            entries: Vec::new(),
            ended_by: ScanEndedBy::Error,
            took: Duration::ZERO,
            refused: Vec::new(),
            unselected: 0,
            in_order: false,
            error: Some(error),
        }
    }
}

/// Chooses the broker, which all later steps use as well, and scans it.
pub(super) async fn first_scan(
    client: &mut client::options::ClientOptions,
    options: &ScanOptions,
    looking: Looking<'_>,
    backup: Option<&mut Backup>,
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Scanned {
    match attention.within(client.settle(|change| report_change(diagnostics, change))).await {
        Ok(Ok(())) => scan(client, options, looking, false, backup, attention, diagnostics).await,
        Ok(Err(error)) | Err(error) => Scanned::failed(error),
    }
}

/// Connects and scans. A scan that fails also returns the messages found so far.
///
/// `in_order` is the knowledge from another scan of this broker. Errors are a link that could not be made or
/// kept, all filters refused, a backup that cannot be written, a signal.
pub(super) async fn scan(
    client: &client::options::ClientOptions,
    options: &ScanOptions,
    looking: Looking<'_>,
    in_order: bool,
    backup: Option<&mut Backup>,
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Scanned {
    let started = Instant::now();
    let limit = started + options.timeout;
    let answer = attention.deadline().is_none().then_some(client.connect_timeout);
    let limit = attention.deadline().map_or(limit, |deadline| deadline.min(limit));
    let mut scanner = Scanner {
        options,
        looking,
        backup,
        supervisor: Supervisor::new(attention, diagnostics, client),
        diagnostics,
        now: SystemTime::now(),
        limit: Box::pin(tokio::time::sleep_until(limit)),
        answer: AnswerLimit::new(answer),
        link: LinkState::NotYet,
        passes: VecDeque::new(),
        pass: None,
        end: EndOfStored::new(true, in_order),
        found: BTreeMap::new(),
        found_bytes: 0,
        progress: Progress::found(diagnostics),
        missed: BTreeMap::new(),
        to_ask: Vec::new(),
        check_again: false,
        by_name: false,
        foreign: 0,
        unselected: 0,
        refused: Vec::new(),
        ended_by: ScanEndedBy::Error,
        leaving: Vec::new(),
    };
    let result = scanner.run(client).await;
    if scanner.foreign > 0 {
        let messages = counted(scanner.foreign, "retained message");
        diagnostics
            .warning(format_args!("ignored: {messages} with a topic that was not requested or is not valid"));
    }
    scanner.keep_missed();
    Scanned {
        ended_by: if result.is_ok() { scanner.ended_by } else { ScanEndedBy::Error },
        took: started.elapsed(),
        in_order: scanner.end.is_in_order(),
        error: result.err(),
        entries: scanner.found.into_values().collect(),
        refused: scanner.refused,
        unselected: scanner.unselected,
    }
}

/// A message that only a checking pass has received, at QoS 0.
struct Missed {
    entry: RetainedTopic,
    /// Whether its topic was requested by name.
    is_asked: bool,
}

struct Scanner<'a> {
    options: &'a ScanOptions,
    looking: Looking<'a>,
    backup: Option<&'a mut Backup>,
    supervisor: Supervisor<'a>,
    diagnostics: &'a Diagnostics,
    /// One clock reading for the whole scan, with which ages are compared.
    now: SystemTime,
    /// Ends the scan in any state of the link.
    limit: Pin<Box<Sleep>>,
    /// Ends it where the broker does not respond to the first SUBSCRIBE.
    answer: AnswerLimit,
    link: LinkState,
    passes: VecDeque<Pass>,
    pass: Option<Pass>,
    /// Detects the end of the pass.
    end: EndOfStored,
    found: BTreeMap<Box<str>, RetainedTopic>,
    /// The memory of the entries found, and of the missed topics.
    found_bytes: usize,
    progress: Progress,
    /// Messages that only a checking pass has received.
    missed: BTreeMap<Box<str>, Missed>,
    /// Topics of these that are still to be requested by name.
    to_ask: Vec<String>,
    check_again: bool,
    /// Whether this is the second connection, for topics requested by name.
    by_name: bool,
    /// The number of messages that match no filter.
    foreign: u64,
    /// The number of messages that are not selected.
    unselected: u64,
    refused: Vec<(String, ReasonCode)>,
    ended_by: ScanEndedBy,
    /// Topics that were requested by name and received, and whose subscriptions end after the next SUBSCRIBE.
    /// If UNSUBSCRIBE came first, a broker with Nagle's algorithm would hold back the SUBACK until our kernel
    /// acknowledges the UNSUBACK, which it delays by 40 ms; the SUBACK itself is acknowledged immediately,
    /// with the marker.
    leaving: Vec<String>,
}

impl Scanner<'_> {
    async fn run(&mut self, client: &client::options::ClientOptions) -> Result<(), Error> {
        self.connect(client).await?;
        if !self.to_ask.is_empty() && self.ended_by.is_complete() {
            // On a separate connection: mosquitto still counts the messages dropped in the first pass as in
            // flight, and sends nothing more at QoS 1 and 2.
            self.by_name = true;
            self.connect(client).await?;
        }
        Ok(())
    }

    async fn connect(&mut self, client: &client::options::ClientOptions) -> Result<(), Error> {
        self.link = LinkState::NotYet;
        match client::run(client, self).await {
            // A failure at the end does not change what was received.
            Err(Error::Link { .. } | Error::Refused { .. } | Error::Protocol(_))
                if matches!(self.link, LinkState::Done | LinkState::Gone) =>
            {
                Ok(())
            }
            result => result,
        }
    }

    fn wants(&self, topic: &str, publish: &Publish<'_>) -> bool {
        let known =
            |entries: &[RetainedTopic]| entries.binary_search_by(|entry| (*entry.topic).cmp(topic)).is_ok();
        let again = matches!(self.looking, Looking::Again(entries) if known(entries));
        let selection = &self.options.selection;
        again || (selection.admits_topic(topic) && selection.admits_message(publish, self.now))
    }

    fn message(&mut self, publish: &Publish<'_>) -> Result<(), Error> {
        if self.end.takes(publish) {
            return Ok(());
        }
        let Some(purpose) = self.pass.as_ref().map(|pass| pass.purpose) else { return Ok(()) };
        // Live messages are ignored ([MQTT-3.3.1-9]: they have no RETAIN flag), and an empty payload is not a
        // retained message ([MQTT-3.3.1-6]).
        if !publish.retain || publish.payload.is_empty() {
            return Ok(());
        }
        self.end.came();
        // Every scan ends with a checking pass, and each of those counts from zero.
        let count = u64::from(purpose == PassPurpose::Check);
        let filters = &self.options.filters;
        let asked =
            |name: &&str| filters.iter().any(|filter| topic::matches(filter.as_bytes(), name.as_bytes()));
        // The user's filters are not rewritten: messages that match none of them were not requested.
        let Some(topic) = topic::check_name(publish.topic).ok().filter(asked) else {
            self.foreign += count;
            return Ok(());
        };
        if !self.wants(topic, publish) {
            self.unselected += count;
            return Ok(());
        }
        let known = self.found.get(topic);
        if known.is_some_and(|known| {
            purpose == PassPurpose::Check || known.fingerprint == fingerprint(publish.payload)
        }) {
            return Ok(());
        }
        let with_preview = matches!(self.looking, Looking::Selected { with_preview: true });
        let entry = |fate| RetainedTopic::of(topic, publish, with_preview, fate);
        if purpose == PassPurpose::Check && matches!(self.looking, Looking::Selected { .. }) {
            match self.missed.get(topic).map(|missed| missed.is_asked) {
                None => {
                    let fate = if self.backup.is_some() { Fate::NotInBackup } else { Fate::Kept };
                    let entry = entry(fate);
                    self.found_bytes += entry.bytes() + size_of::<String>() + 2 * topic.len();
                    self.missed.insert(topic.into(), Missed { entry, is_asked: false });
                    self.to_ask.push(topic.to_owned());
                    return Ok(());
                }
                Some(false) => return Ok(()),
                Some(true) => {} // the broker withholds it by name
            }
        }
        if let Some(backup) = &mut self.backup {
            backup.write(publish)?;
        }
        if let Some(missed) = self.missed.remove(topic) {
            self.found_bytes -= missed.entry.bytes() + size_of::<String>() + 2 * topic.len();
        }
        let entry = entry(Fate::Kept);
        let bytes = entry.bytes() + topic.len();
        let is_new = self.found.insert(topic.into(), entry).is_none();
        if is_new {
            self.found_bytes += bytes;
        }
        self.progress.set(self.found.len() as u64);
        if let Some(awaited) = self.pass.as_mut().and_then(|pass| pass.awaited.as_mut()) {
            *awaited = awaited.saturating_sub(usize::from(is_new));
        }
        Ok(())
    }

    /// Keeps messages that are still missed if the scan ended early. Otherwise they have been removed: they
    /// came neither by name nor in the last checking pass.
    fn keep_missed(&mut self) {
        let missed = std::mem::take(&mut self.missed);
        if !self.ended_by.is_complete() {
            self.found.extend(missed.into_iter().map(|(topic, missed)| (topic, missed.entry)));
        }
    }

    /// Processes the response to the subscription; the last Reason Code is the marker's, if it was subscribed
    /// to.
    fn subscribed(&mut self, reasons: &[u8], properties: &Properties<'_>) -> Result<(), Error> {
        let Some(pass) = &mut self.pass else { return Ok(()) };
        pass.state = PassState::Subscribed;
        self.end.subscribed();
        if let Some(reason) = reasons.get(pass.filters.len()) {
            self.end.marker_granted(ReasonCode(*reason));
        }
        let refused: Vec<(String, ReasonCode)> = pass
            .filters
            .iter()
            .zip(reasons.iter().map(|reason| ReasonCode(*reason)))
            .filter(|(_, reason)| reason.is_failure())
            .map(|(filter, reason)| (filter.clone(), reason))
            .collect();
        if let Some(awaited) = &mut pass.awaited {
            *awaited = awaited.saturating_sub(refused.len());
        }
        let all = refused.len() == self.options.filters.len();
        for (filter, reason) in refused {
            if self.refused.iter().any(|(known, _)| *known == filter) {
                continue;
            }
            let error =
                Error::refused(format!("subscription to '{}' refused", cut(&filter)), reason, properties);
            self.refused.push((filter, reason));
            if all && self.refused.len() == self.options.filters.len() {
                return Err(error);
            }
            self.diagnostics.error(&error);
        }
        Ok(())
    }

    fn subscribe(&mut self, session: &mut Session, out: &mut BytesMut) {
        let Some(pass) = &mut self.pass else { return };
        let subscriptions: Vec<Subscription<'_>> = pass
            .filters
            .iter()
            .map(String::as_str)
            .chain(self.end.marker_filter())
            .map(|filter| Subscription {
                filter,
                qos: pass.qos,
                no_local: false,
                retain_as_published: false,
                retain_handling: 0,
            })
            .collect();
        session.subscribe(out, &subscriptions, &PropertyBlock::default(), 0);
        if pass.purpose == PassPurpose::Check {
            (self.foreign, self.unselected) = (0, 0);
        }
        pass.state = PassState::Subscribing;
        // A checking pass follows each requesting one.
        self.end.begin(if pass.purpose == PassPurpose::Check { Care::Last } else { Care::AskedAgain });
        self.unsubscribe(session, out);
    }

    /// Ready when the pass is complete.
    fn poll_complete(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<ScanEndedBy> {
        if self.pass.as_ref().is_none_or(Pass::is_named_complete) {
            return Poll::Ready(ScanEndedBy::Stored(stored::CompleteBy::Quiet));
        }
        self.end.poll(cx, session, out).map(ScanEndedBy::Stored)
    }

    /// Ends the pass and starts the next; returns whether there is one on this connection. Otherwise closing
    /// the connection ends the subscriptions: a broker may be slow with hundreds in one UNSUBSCRIBE, or
    /// refuse them.
    fn advance(&mut self, session: &mut Session, out: &mut BytesMut) -> bool {
        if let Some(done) = self.pass.take() {
            self.leaving.extend(done.filters);
        }
        let more = self.next_pass();
        if self.pass.as_ref().is_some_and(|pass| !pass.is_named()) {
            self.unsubscribe(session, out);
        }
        more
    }

    fn unsubscribe(&mut self, session: &mut Session, out: &mut BytesMut) {
        if !self.leaving.is_empty() {
            let filters: Vec<&str> = self.leaving.iter().map(String::as_str).collect();
            session.unsubscribe(out, &filters, &PropertyBlock::default(), 0);
            self.leaving.clear();
        }
    }

    fn next_pass(&mut self) -> bool {
        // As long as a checking pass finds new topics, there may be more.
        if self.by_name && self.to_ask.is_empty() && std::mem::take(&mut self.check_again) {
            let filters = self.options.filters.clone();
            self.passes.push_back(Pass::new(filters, QoS::AtMostOnce, PassPurpose::Check));
        }
        if self.by_name && self.passes.is_empty() && !self.to_ask.is_empty() {
            self.check_again = true;
            let names = self.to_ask.split_off(self.to_ask.len().saturating_sub(NAMES_PER_PASS));
            for name in &names {
                if let Some(missed) = self.missed.get_mut(name.as_str()) {
                    missed.is_asked = true;
                }
            }
            self.passes.push_back(Pass::by_name(names));
        }
        self.pass = self.passes.pop_front();
        self.pass.is_some()
    }

    /// Repeats the passes by name that a lost link has interrupted.
    fn go_on_by_name(&mut self) {
        self.passes.clear();
        if let Some(pass) = self.pass.take() {
            match pass.purpose {
                PassPurpose::Ask => {
                    let found = &self.found;
                    let left = pass.filters.into_iter().filter(|name| !found.contains_key(name.as_str()));
                    self.to_ask.extend(left);
                }
                PassPurpose::Check => self.check_again = true,
            }
        }
        self.next_pass();
    }
}

fn unanswered(limit: Duration) -> Error {
    let why = format!("the broker has not answered the subscription within {}", duration(limit));
    Error::fatal(Layer::Mqtt, why)
}

impl Scanner<'_> {
    /// Whether nothing was received since the first SUBSCRIBE.
    fn is_unanswered(&self) -> bool {
        let is_empty = self.found.is_empty() && self.missed.is_empty() && self.end.count() == 0;
        is_empty && self.end.is_subscribing()
    }

    /// Waits for the response to the first SUBSCRIBE. Ready when that takes too long.
    fn poll_unanswered(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let waits = self.is_unanswered() && matches!(self.link, LinkState::Up);
        self.answer.poll_waiting(cx, waits).map(unanswered)
    }
}

impl Handler for Scanner<'_> {
    /// On a new connection the scan starts again: which messages the lost link had not delivered is unknown.
    fn on_connected(&mut self, _session: &mut Session, _connected: &Connected) -> Result<(), Error> {
        self.link = LinkState::Up;
        self.leaving.clear();
        self.end.link_is_new();
        if self.by_name {
            self.go_on_by_name();
            return Ok(());
        }
        let filters = || self.options.filters.clone();
        let check = Pass::new(filters(), QoS::AtMostOnce, PassPurpose::Check);
        self.passes = match self.looking {
            Looking::Selected { .. } => {
                [Pass::new(filters(), QoS::ExactlyOnce, PassPurpose::Ask), check].into()
            }
            Looking::Again(_) => [check].into(),
        };
        self.next_pass();
        self.found.clear();
        self.found_bytes = 0;
        self.missed.clear();
        self.to_ask.clear();
        self.check_again = false;
        self.refused.clear();
        self.ended_by = ScanEndedBy::Stored(stored::CompleteBy::Quiet);
        self.backup.as_mut().map_or(Ok(()), |backup| backup.restart())
    }

    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        loop {
            match self.pass.as_ref().map(|pass| pass.state) {
                None => return Poll::Ready(Ok(())),
                Some(PassState::ToSubscribe) => self.subscribe(session, out),
                Some(_) => {}
            }
            if let Poll::Ready(error) = self.poll_unanswered(cx) {
                return Poll::Ready(Err(error));
            }
            let ended_by = std::task::ready!(self.poll_complete(cx, session, out));
            // The end of the checking pass decides: it covers the passes before it, and the passes after it
            // are by name.
            if self.pass.as_ref().is_some_and(|pass| pass.purpose == PassPurpose::Check) {
                self.ended_by = ended_by;
            }
            if !self.advance(session, out) {
                self.link = LinkState::Done;
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        match event {
            Event::Message(publish) => self.message(&publish)?,
            Event::Subscribed { reasons, properties, .. } => self.subscribed(reasons, &properties)?,
            Event::Pong { .. } => self.end.answered(),
            _ => {}
        }
        if self.found_bytes > MOST_FOUND_BYTES {
            self.ended_by = ScanEndedBy::Full;
            self.link = LinkState::Done;
            self.pass = None;
            return Ok(Flow::Stop);
        }
        Ok(Flow::Continue)
    }

    /// The deadline ends the scan whatever the broker does: if it sends without end, does not answer the last
    /// packets, or is gone. If it is the deadline of the run, received messages still count, so this is
    /// checked first.
    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Poll::Ready(error) = self.poll_unanswered(cx) {
            return Poll::Ready(Err(error));
        }
        // Connecting has timeouts of its own.
        if matches!(self.link, LinkState::NotYet | LinkState::Gone)
            || self.limit.as_mut().poll(cx).is_pending()
        {
            let end = self.supervisor.poll_interrupt(cx);
            return if matches!(self.link, LinkState::Gone) { Poll::Ready(Ok(())) } else { end };
        }
        if let LinkState::Lost(why) = &self.link {
            let limit = duration(self.options.timeout);
            return Poll::Ready(Err(Error::link(Layer::Mqtt, format!("no scan within {limit}: {why}"))));
        }
        if self.is_unanswered() {
            return Poll::Ready(Err(unanswered(self.options.timeout)));
        }
        if self.pass.is_some() || !self.to_ask.is_empty() {
            self.ended_by = ScanEndedBy::Timeout;
        }
        Poll::Ready(Ok(()))
    }

    fn avoids_packet(&self) -> bool {
        self.end.awaits_marker()
    }

    fn on_change(&mut self, change: Change<'_>) {
        match (change, &self.link) {
            (_, LinkState::Done | LinkState::Gone) => return self.link = LinkState::Gone,
            (Change::Lost(why), _) => self.link = LinkState::Lost(why.to_string()),
            _ => {}
        }
        self.supervisor.on_change(change);
    }

    fn supervisor(&mut self) -> Option<&mut dyn Supervision> {
        Some(&mut self.supervisor)
    }
}
