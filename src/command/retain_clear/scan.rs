//! Seeing everything that is retained, and knowing that it was everything.
//!
//! MQTT has no "that was all". Live traffic cannot end a scan (there may be none, or it may come
//! first), and a fixed quiet time is a guess. So each pass over the filters goes: SUBSCRIBE, SUBACK,
//! then a fence (a message of our own on a topic of our own, behind which servers that send in order
//! have nothing left, and a PINGREQ), then a quiet time that depends on how the server has answered
//! so far, and is short when the fence came back last.
//!
//! A server may also not send everything it has: one that queues at most 1,000 messages for a
//! client (mosquitto's default) drops the rest of a large set, at QoS 1 and 2 before it ever looks
//! at our acknowledgements. So a second pass asks at QoS 0, where nothing is queued, and topics that
//! only it has brought are asked for by name, a few at a time, at the QoS that shows their own. What
//! a server keeps back even then nobody can know, except that it comes to light when the rest is
//! gone: by the scan that verifies.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use tokio::time::{Instant, Sleep};

use super::super::attention::{Attention, Stop, report_change};
use super::backup::Backup;
use super::entry::{Entry, Fate, fingerprint};
use super::pass::{Fence, Pass, Purpose, State};
use super::selection::Selection;
use crate::client::handler::{Change, Flow, Handler};
use crate::client::session::{Event, Session};
use crate::client::{self, Connected};
use crate::error::{Error, Layer};
use crate::output::{Diagnostics, Progress, duration};
use crate::protocol::property::{Properties, PropertyBlock};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Packet, Publish, PublishTemplate, Subscription};
use crate::protocol::{Direction, QoS, topic};

/// Topics asked for by name at once: well below what servers queue for a client.
const NAMES_PER_PASS: usize = 400;
/// Client identifiers apart, two runs must not take each other's fences for their own.
const FENCE_ID_LENGTH: usize = 16;

/// What to scan, and for how long.
#[derive(Debug, Clone)]
pub struct ScanOptions {
    /// Checked topic filters, at least one, none of them shared.
    pub filters: Vec<String>,
    /// What is selected of what is there.
    pub selection: Selection,
    /// The limit of one scan.
    pub timeout: Duration,
}

/// What ended a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndedBy {
    /// The fence came back behind everything.
    Fence,
    /// It did not, or not as the last; nothing more came for a while.
    Quiet,
    /// The time was over.
    Timeout,
}

impl EndedBy {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fence => "fence",
            Self::Quiet => "quiet",
            Self::Timeout => "timeout",
        }
    }
}

/// What a scan has brought.
#[derive(Debug)]
pub(super) struct Scanned {
    /// By topic.
    pub(super) entries: Vec<Entry>,
    /// Of the pass that looked whether anything was missed.
    pub(super) ended_by: EndedBy,
    pub(super) took: Duration,
    /// Filters the server refused, with their reasons.
    pub(super) refused: Vec<(String, ReasonCode)>,
}

/// Which messages a scan looks for.
#[derive(Clone, Copy)]
pub(super) enum Looking<'a> {
    /// For those selected; everything about them is wanted.
    Selected { with_preview: bool },
    /// For what has become of these (by topic), and for selected ones beside them.
    Again(&'a [Entry]),
}

/// Connects and scans.
///
/// # Errors
/// A link that could not be made or kept, all filters refused, a backup that cannot be written, a
/// signal.
pub(super) async fn scan(
    client: &client::options::ClientOptions,
    options: &ScanOptions,
    looking: Looking<'_>,
    backup: Option<&mut Backup>,
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Result<Scanned, Error> {
    let started = Instant::now();
    let id: String = std::iter::repeat_with(fastrand::alphanumeric).take(FENCE_ID_LENGTH).collect();
    let mut scanner = Scanner {
        client_identifier: &client.client_identifier,
        options,
        looking,
        backup,
        attention,
        diagnostics,
        fence_topic: format!("mqtt-retain-clear/{id}"),
        now: SystemTime::now(),
        deadline: started + options.timeout,
        limit: Box::pin(tokio::time::sleep_until(started + options.timeout)),
        timer: Box::pin(tokio::time::sleep_until(started + options.timeout)),
        link: Link::NotYet,
        passes: VecDeque::new(),
        pass: None,
        number: 0,
        may_fence: true,
        found: BTreeMap::new(),
        progress: Progress::found(diagnostics),
        missed: Vec::new(),
        check_again: false,
        by_name: false,
        foreign: 0,
        refused: Vec::new(),
        ended_by: EndedBy::Fence,
        leaving: Vec::new(),
    };
    client::run(client, &mut scanner).await?;
    if !scanner.missed.is_empty() && scanner.ended_by != EndedBy::Timeout {
        // On a connection of its own: what mosquitto has dropped of the first pass it still counts as
        // in flight, and sends nothing more at QoS 1 and 2.
        scanner.by_name = true;
        scanner.link = Link::NotYet;
        client::run(client, &mut scanner).await?;
    }
    if scanner.foreign > 0 {
        let count = scanner.foreign;
        diagnostics.warning(format_args!(
            "{count} retained messages have topics that were not asked for, or are none: left alone"
        ));
    }
    Ok(Scanned {
        entries: scanner.found.into_values().collect(),
        ended_by: scanner.ended_by,
        took: started.elapsed(),
        refused: scanner.refused,
    })
}

/// How the link is doing.
#[derive(Debug)]
enum Link {
    NotYet,
    Up,
    /// And why.
    Lost(String),
}

/// What to do when there is nothing more to wait for.
enum Next {
    /// The next pass; this one is complete.
    Pass(EndedBy),
    /// Another fence.
    AskAgain,
}

struct Scanner<'a> {
    client_identifier: &'a str,
    options: &'a ScanOptions,
    looking: Looking<'a>,
    backup: Option<&'a mut Backup>,
    attention: &'a mut Attention,
    diagnostics: &'a Diagnostics,
    fence_topic: String,
    /// One reading for the whole scan: ages are compared with it.
    now: SystemTime,
    deadline: Instant,
    /// Wakes us at the deadline, whatever the link is doing.
    limit: Pin<Box<Sleep>>,
    timer: Pin<Box<Sleep>>,
    link: Link,
    passes: VecDeque<Pass>,
    pass: Option<Pass>,
    /// Of the pass.
    number: u32,
    /// Not if a link was lost over it: some servers close the connection when they refuse a message.
    may_fence: bool,
    found: BTreeMap<Box<str>, Entry>,
    progress: Progress,
    /// Topics that only a checking pass has brought.
    missed: Vec<String>,
    check_again: bool,
    /// The connection is the second one, for topics asked for by name.
    by_name: bool,
    /// Messages that no filter asked for.
    foreign: u64,
    refused: Vec<(String, ReasonCode)>,
    ended_by: EndedBy,
    /// Topics asked for by name that came, whose subscriptions end behind the next SUBSCRIBE. Before it,
    /// a server with Nagle's algorithm would hold back the SUBACK until our kernel acknowledges the
    /// UNSUBACK, which it does after 40 ms; the SUBACK itself is answered at once, by the fence.
    leaving: Vec<String>,
}

impl Scanner<'_> {
    fn wants(&self, topic: &str, publish: &Publish<'_>) -> bool {
        let known = |entries: &[Entry]| entries.binary_search_by(|entry| (*entry.topic).cmp(topic)).is_ok();
        let again = matches!(self.looking, Looking::Again(entries) if known(entries));
        let selection = &self.options.selection;
        again || (selection.admits_topic(topic) && selection.admits_message(publish, self.now))
    }

    fn message(&mut self, publish: &Publish<'_>) -> Result<(), Error> {
        let Some(pass) = &mut self.pass else { return Ok(()) };
        if publish.topic == self.fence_topic.as_bytes() {
            // A fence of an earlier pass says nothing of this one.
            if publish.payload == self.number.to_be_bytes() && pass.fence == Fence::Awaited {
                pass.fence = Fence::Returned;
                pass.came(Instant::now(), false);
            }
            return Ok(());
        }
        // Live traffic is none of our business ([MQTT-3.3.1-9]: it comes without the flag), and an
        // empty payload is no retained message ([MQTT-3.3.1-6]).
        if !publish.retain || publish.payload.is_empty() {
            return Ok(());
        }
        pass.came(Instant::now(), true);
        let purpose = pass.purpose;
        // Every scan ends with a checking pass, and each of those counts anew.
        let count = u64::from(purpose == Purpose::Check);
        let filters = &self.options.filters;
        let asked =
            |name: &&str| filters.iter().any(|filter| topic::matches(filter.as_bytes(), name.as_bytes()));
        // Nobody's filters are rewritten by us: what a server makes of them, nobody has asked for.
        let Some(topic) = topic::check_name(publish.topic).ok().filter(asked) else {
            self.foreign += count;
            return Ok(());
        };
        if !self.wants(topic, publish) {
            return Ok(());
        }
        let known = self.found.get(topic);
        if known.is_some_and(|known| {
            purpose == Purpose::Check || known.fingerprint == fingerprint(publish.payload)
        }) {
            return Ok(());
        }
        if purpose == Purpose::Check && matches!(self.looking, Looking::Selected { .. }) {
            self.missed.push(topic.to_owned());
            return Ok(());
        }
        if let Some(backup) = &mut self.backup {
            backup.write(publish)?;
        }
        let with_preview = matches!(self.looking, Looking::Selected { with_preview: true });
        let entry = Entry::of(topic, publish, with_preview, Fate::Kept);
        let is_new = self.found.insert(topic.into(), entry).is_none();
        self.progress.set(self.found.len() as u64);
        if let Some(awaited) = self.pass.as_mut().and_then(|pass| pass.awaited.as_mut()) {
            *awaited = awaited.saturating_sub(usize::from(is_new));
        }
        Ok(())
    }

    /// The answer to the subscription; the last reason is the fence's.
    fn subscribed(&mut self, reasons: &[u8], properties: &Properties<'_>) -> Result<(), Error> {
        let Some(pass) = &mut self.pass else { return Ok(()) };
        let now = Instant::now();
        pass.round_trip = now - pass.asked_at;
        pass.came(now, false);
        pass.state = State::ToFence;
        let refused: Vec<(String, ReasonCode)> = pass
            .filters
            .iter()
            .zip(reasons.iter().map(|reason| ReasonCode(*reason)))
            .filter(|(_, reason)| reason.is_failure())
            .map(|(filter, reason)| (filter.clone(), reason))
            .collect();
        let all = refused.len() == self.options.filters.len();
        for (filter, reason) in refused {
            if self.refused.iter().any(|(known, _)| *known == filter) {
                continue;
            }
            let error = Error::refused(format!("subscription to '{filter}' refused"), reason, properties);
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
        let filters = pass.filters.iter().map(|filter| (filter.as_str(), pass.qos));
        let subscriptions: Vec<Subscription<'_>> = filters
            .chain([(self.fence_topic.as_str(), pass.qos)])
            .map(|(filter, qos)| Subscription {
                filter,
                qos,
                no_local: false,
                retain_as_published: false,
                retain_handling: 0,
            })
            .collect();
        session.subscribe(out, &subscriptions, &PropertyBlock::default(), 0);
        if pass.purpose == Purpose::Check {
            self.foreign = 0;
        }
        pass.asked_at = Instant::now();
        pass.state = State::Subscribing;
        self.unsubscribe(session, out);
    }

    /// Sent at QoS 0: it needs no answer, and is not sent again on another link.
    fn fence(&mut self, session: &mut Session, out: &mut BytesMut) {
        let Some(pass) = self.pass.as_mut().filter(|pass| !pass.is_named_complete()) else { return };
        if !self.may_fence {
            // Nothing but the PINGREQ, and a longer quiet time.
        } else if session.can_publish(QoS::AtMostOnce) {
            let (topic, nothing) = (self.fence_topic.as_bytes(), PropertyBlock::default());
            let template = PublishTemplate::new(session.protocol(), topic, QoS::AtMostOnce, false, &nothing);
            // A server that does not take it leaves the fence unanswered, which makes up for it too.
            let _ = session.publish(out, &Arc::new(template), &self.number.to_be_bytes(), || None, 0);
        } else {
            return;
        }
        session.ping(out);
        pass.asked_at = Instant::now();
        pass.state = State::Fencing;
    }

    /// `Ready` when the pass is complete; otherwise the timer wakes us. A PINGREQ that nothing came
    /// behind is sent again: a server that has dropped messages (mosquitto, with a thousand packets
    /// waiting) may have dropped its answer with them.
    fn poll_complete(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let Some(pass) = &mut self.pass else { return Poll::Ready(Next::Pass(EndedBy::Quiet)) };
        loop {
            let now = Instant::now();
            if now >= self.deadline {
                return Poll::Ready(Next::Pass(EndedBy::Timeout));
            }
            if pass.is_named_complete() {
                return Poll::Ready(Next::Pass(EndedBy::Fence));
            }
            let fencing = pass.state == State::Fencing;
            let quiet_at = pass.last.max(pass.asked_at) + pass.quiet_time();
            if fencing && now >= quiet_at {
                if !pass.pong {
                    pass.state = State::ToFence;
                    return Poll::Ready(Next::AskAgain);
                }
                let returned = pass.fence == Fence::Returned;
                return Poll::Ready(Next::Pass(if returned { EndedBy::Fence } else { EndedBy::Quiet }));
            }
            let next = if fencing { quiet_at.min(self.deadline) } else { self.deadline };
            self.timer.as_mut().reset(next);
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Ends the pass and takes the next; whether there is one on this connection.
    fn advance(&mut self, session: &mut Session, out: &mut BytesMut) -> bool {
        if let Some(done) = self.pass.take() {
            self.leaving.extend(done.filters);
        }
        let more = self.next_pass();
        if !self.pass.as_ref().is_some_and(Pass::is_named) {
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
        self.number += 1;
        // As long as checking brings something new, it may bring more.
        if self.by_name && self.missed.is_empty() && std::mem::take(&mut self.check_again) {
            let filters = self.options.filters.clone();
            self.passes.push_back(Pass::new(filters, QoS::AtMostOnce, Purpose::Check));
        }
        if self.by_name && self.passes.is_empty() && !self.missed.is_empty() {
            self.check_again = true;
            let names = self.missed.split_off(self.missed.len().saturating_sub(NAMES_PER_PASS));
            self.passes.push_back(Pass::by_name(names));
        }
        self.pass = self.passes.pop_front();
        self.pass.is_some()
    }

    /// What a lost link has cut off while topics were asked for by name is done once more.
    fn go_on_by_name(&mut self) {
        self.passes.clear();
        if let Some(pass) = self.pass.take() {
            match pass.purpose {
                Purpose::Ask => {
                    let found = &self.found;
                    let left = pass.filters.into_iter().filter(|name| !found.contains_key(name.as_str()));
                    self.missed.extend(left);
                }
                Purpose::Check => self.check_again = true,
            }
        }
        self.next_pass();
    }
}

impl Handler for Scanner<'_> {
    /// On a new link everything begins anew: what the lost one would still have brought, nobody knows.
    fn on_connected(&mut self, _session: &mut Session, _connected: &Connected) -> Result<(), Error> {
        self.link = Link::Up;
        self.leaving.clear();
        let fencing = self.pass.as_ref().is_some_and(|pass| pass.state == State::Fencing);
        self.may_fence &= !fencing;
        if self.by_name {
            self.go_on_by_name();
            return Ok(());
        }
        let filters = || self.options.filters.clone();
        let check = Pass::new(filters(), QoS::AtMostOnce, Purpose::Check);
        self.passes = match self.looking {
            Looking::Selected { .. } => [Pass::new(filters(), QoS::ExactlyOnce, Purpose::Ask), check].into(),
            Looking::Again(_) => [check].into(),
        };
        self.next_pass();
        self.found.clear();
        self.missed.clear();
        self.check_again = false;
        self.refused.clear();
        self.ended_by = EndedBy::Fence;
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
                Some(State::ToSubscribe) => self.subscribe(session, out),
                Some(State::ToFence) => self.fence(session, out),
                Some(_) => {}
            }
            let ended_by = match std::task::ready!(self.poll_complete(cx)) {
                Next::Pass(ended_by) => ended_by,
                Next::AskAgain => continue,
            };
            // The checking pass decides: what comes before it is looked at by it once more, and what
            // comes behind it is known by name.
            if self.pass.as_ref().is_some_and(|pass| pass.purpose == Purpose::Check) {
                self.ended_by = ended_by;
            }
            if ended_by == EndedBy::Timeout {
                self.ended_by = ended_by;
            }
            let more = self.advance(session, out);
            if !more || ended_by == EndedBy::Timeout {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        match event {
            Event::Message(publish) => self.message(&publish)?,
            Event::Subscribed { reasons, properties, .. } => self.subscribed(reasons, &properties)?,
            Event::Pong { .. } => {
                if let Some(pass) = self.pass.as_mut().filter(|pass| pass.state == State::Fencing) {
                    let now = Instant::now();
                    pass.pong = true;
                    pass.round_trip = pass.round_trip.max(now - pass.asked_at);
                    pass.came(now, false);
                }
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    /// The deadline ends the scan whatever the server does: sends without end, answers nothing that
    /// stands between us and leaving, or is gone.
    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Poll::Ready(Stop::Signal(number)) = self.attention.poll(cx) {
            return Poll::Ready(Err(Error::Signal(number)));
        }
        if matches!(self.link, Link::NotYet) {
            return Poll::Pending; // the limits of connecting are others
        }
        std::task::ready!(self.limit.as_mut().poll(cx));
        if let Link::Lost(why) = &self.link {
            let limit = duration(self.options.timeout);
            return Poll::Ready(Err(Error::link(Layer::Mqtt, format!("no scan within {limit}: {why}"))));
        }
        if self.found.is_empty()
            && self.pass.as_ref().is_some_and(|pass| pass.state == State::Subscribing && pass.retained == 0)
        {
            let why = format!(
                "the server has not answered the subscription within {}",
                duration(self.options.timeout)
            );
            return Poll::Ready(Err(Error::fatal(Layer::Mqtt, why)));
        }
        if self.pass.is_some() || !self.missed.is_empty() {
            self.ended_by = EndedBy::Timeout;
        }
        Poll::Ready(Ok(()))
    }

    fn on_change(&mut self, change: Change<'_>) {
        if let Change::Lost(why) = change {
            self.link = Link::Lost(why.to_string());
        }
        // The fence is no message that anyone would miss.
        if !matches!(change, Change::Unconfirmed(_) | Change::MayRepeat(_)) {
            report_change(self.diagnostics, change);
        }
    }

    fn traces(&self) -> bool {
        self.diagnostics.shows_packets()
    }

    fn trace(&mut self, direction: Direction, packet: &Packet<'_>) {
        self.diagnostics.packet(self.client_identifier, direction, packet);
    }
}
