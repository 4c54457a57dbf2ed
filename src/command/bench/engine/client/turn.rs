//! A turn of a client: the handler of its connection, which sends due messages and records arrivals.

mod operating;

use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};

use super::super::in_flight::MessageInFlight;
use super::super::message::StampedMessage;
use super::super::shared::Shard;
use super::{ClientState, NextRead, PingBarrier, Subscribing};
use crate::alarm::now;
use crate::client::handler::{Change, Flow, Handler, OUTPUT_BYTES};
use crate::client::session::{Event, Session};
use crate::command::bench::operation::OperationStep;
use crate::command::bench::plan::{Plan, correlation};
use crate::command::bench::recorder::LatencyKind;
use crate::command::bench::stamp::{Phase, Recognised, Stamp};
use crate::error::Error;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Publish, PublishTemplate, Subscription, TopicAlias};
use crate::protocol::{Protocol, QoS};

/// Maximum number of closed-loop messages in one turn of a client, so that others get theirs.
const MOST_PER_TURN: u32 = 4096;
/// Maximum number of filters per SUBSCRIBE.
const FILTERS_PER_REQUEST: usize = 100;

/// Consecutive acknowledgements of messages with the same times, counted together.
#[derive(Debug, Clone, Copy, Default)]
struct Acknowledged {
    intended: u64,
    sent: u64,
    count: u64,
}

/// The handler of one turn: the client's state, and what it shares with others on its thread.
pub(super) struct InTurn<'a> {
    state: &'a mut ClientState,
    shard: &'a mut Shard,
    /// When the current packets arrived; 0 until it is needed.
    now: u64,
    /// Acknowledgements in the current packets that are not counted yet.
    acknowledged: Acknowledged,
    budget: u32,
    unfinished: bool,
}

impl<'a> InTurn<'a> {
    pub(super) fn new(state: &'a mut ClientState, shard: &'a mut Shard) -> Self {
        Self {
            state,
            // With small writes, one write per turn, so that other clients write in between.
            budget: MOST_PER_TURN.min(shard.per_write),
            shard,
            now: 0,
            acknowledged: Acknowledged::default(),
            unfinished: false,
        }
    }

    /// Whether it has more to do and lets others run first.
    pub(super) fn is_unfinished(&self) -> bool {
        self.unfinished
    }
}

fn subscription(filter: &str, qos: QoS) -> Subscription<'_> {
    let retain_handling = 2; // without retained messages
    Subscription { filter, qos, no_local: false, retain_as_published: false, retain_handling }
}

impl InTurn<'_> {
    fn send_subscriptions(&mut self, session: &mut Session, out: &mut BytesMut) {
        let number = self.state.number;
        let filters: Vec<(String, QoS)> = if self.shard.answers && self.shard.publishes() {
            vec![(Plan::response_topic(self.shard.run, number), self.shard.qos)]
        } else {
            self.shard.filters(number)
        };
        let mut requests = 0;
        for part in filters.chunks(FILTERS_PER_REQUEST) {
            let subscriptions: Vec<_> = part.iter().map(|(filter, qos)| subscription(filter, *qos)).collect();
            session.subscribe(out, &subscriptions, &PropertyBlock::default(), 0);
            requests += 1;
        }
        self.state.subscribing = Subscribing::Sent(now(), requests);
    }

    /// Sends due messages, oldest first, within window and buffer.
    fn send_backlog(&mut self, session: &mut Session, out: &mut BytesMut) -> Result<(), Error> {
        let sent = now();
        while out.len() < OUTPUT_BYTES && session.can_publish(self.shard.qos) {
            let Some(intended) = self.state.backlog.pop_front() else { break };
            let phase = self.shard.timeline.phase(intended);
            if phase == Phase::Measure && !self.state.blocked {
                self.shard.recorder.record(LatencyKind::ScheduleLag, sent.saturating_sub(intended));
            }
            if self.run_length(session.protocol(), 1).is_some() {
                self.publish(session, out, phase, (intended, sent), 1)?;
            }
        }
        Ok(())
    }

    /// Sends messages of the closed loop while there is room. Each PUBACK must bring the next message at once, as that
    /// carries the TCP acknowledgement: a broker that does not set `TCP_NODELAY` holds its further PUBACKs back until
    /// then, or for the 40 ms of a delayed acknowledgement.
    fn pull(&mut self, session: &mut Session, out: &mut BytesMut) -> Result<(), Error> {
        let qos = self.shard.qos;
        let acknowledged = qos != QoS::AtMostOnce;
        let sent = now();
        let phase = self.shard.timeline.phase(sent);
        while out.len() < OUTPUT_BYTES && session.can_publish(qos) && self.budget > 0 {
            let requests = self.requests_left();
            if requests == 0 {
                break;
            }
            let Some(most) = self.run_length(session.protocol(), OUTPUT_BYTES - out.len()) else { break };
            let window = if acknowledged { u32::from(session.window_left()) } else { u32::MAX };
            // Limited before messages are taken from the quota, because all taken ones must be sent.
            let most = most.min(self.budget).min(window).min(requests);
            let mut left = self.shard.take(sent, most);
            if left == 0 {
                self.state.pulling = false;
                break;
            }
            self.budget -= left;
            while left > 0 {
                left -= self.publish(session, out, phase, (sent, sent), left)?;
            }
        }
        self.unfinished |= self.budget == 0 && self.state.pulling;
        Ok(())
    }

    /// The number of requests that may be sent before a response arrives; unlimited if there are no requests.
    fn requests_left(&self) -> u32 {
        match &self.state.publisher {
            Some(publisher) if self.shard.answers => {
                self.shard.most_requests.saturating_sub(publisher.requests.count())
            }
            _ => u32::MAX,
        }
    }

    /// Counts a request as ended, with or without a response.
    fn request_ends(&mut self, sequence: u64) {
        if let Some(publisher) = &mut self.state.publisher {
            publisher.requests.close(sequence);
        }
    }

    /// The number of messages that can be sent in one run to fill this number of bytes: the next one, and
    /// those that differ from it only in their stamps. Makes the template of the next one.
    fn run_length(&mut self, protocol: Protocol, bytes: usize) -> Option<u32> {
        let (shard, publisher) = (&*self.shard, self.state.publisher.as_deref_mut()?);
        if shard.has_varying_topics {
            publisher.templates.clear();
            publisher.place = 0;
        }
        if publisher.templates.len() <= publisher.place {
            let template = shard.template(protocol, self.state.number, publisher.sequence)?;
            publisher.templates.push(Arc::new(template));
        }
        if !shard.has_alike_messages {
            return Some(1);
        }
        let packet = publisher.templates.first()?.packet_bytes(shard.payload.bytes.len());
        u32::try_from(bytes.div_ceil(packet)).ok()
    }

    /// Publishes consecutive messages with the same times, at most one run of them; returns their number.
    #[inline]
    fn publish(
        &mut self,
        session: &mut Session,
        out: &mut BytesMut,
        phase: Phase,
        (intended, sent): (u64, u64),
        most: u32,
    ) -> Result<u32, Error> {
        let number = self.state.number;
        let (shard, Some(own)) = (&mut *self.shard, self.state.publisher.as_deref_mut()) else {
            return Ok(most);
        };
        let Some(template) = own.templates.get(own.place) else { return Ok(most) };
        let sequence = own.sequence;
        shard.payload.fill(number, sequence)?;
        let publisher = shard.first_publisher + number;
        let (bytes, rest, stamp_at) = (&shard.payload.bytes, shard.payload.rest_hash, shard.payload.stamp_at);
        // Messages that the broker retains are delivered in the measurement.
        let delivered = if shard.prepares { Phase::Measure } else { phase };
        let stamp = shard.stamp(delivered, (publisher, sequence), (intended, sent));
        let token = match shard.qos {
            QoS::AtMostOnce => 0,
            _ => own.in_flight.token(MessageInFlight { sequence, intended, sent }, most),
        };
        let count = if template.topic_alias() == TopicAlias::None && stamp_at.is_none() {
            session.publish_run(out, template, bytes, most, token, |ahead, payload| {
                Stamp { sequence: sequence + u64::from(ahead), ..stamp }.write(payload, rest);
            })?
        } else {
            StampedMessage::write_stamp(&stamp, stamp_at, &mut shard.payload.bytes, rest);
            session.publish(out, template, &shard.payload.bytes, || None, token)?;
            1
        };
        if shard.qos != QoS::AtMostOnce {
            own.in_flight.opened(count);
        }
        own.sequence += u64::from(count);
        if shard.answers {
            own.requests.sent(count);
        }
        own.place = if own.place + 1 == shard.topics() as usize { 0 } else { own.place + 1 };
        let receivers = shard.receivers(number, sequence);
        shard.sent(phase, (intended, sent), count.into(), receivers * u64::from(count));
        Ok(count)
    }

    /// Records the acknowledgement of consecutive messages.
    #[inline]
    fn published(&mut self, token: u64, count: u32) {
        let Some(publisher) = &mut self.state.publisher else { return };
        let MessageInFlight { intended, sent, .. } = publisher.in_flight.close(token, count);
        let run = &mut self.acknowledged;
        if (run.intended, run.sent) != (intended, sent) {
            self.count_acknowledged();
            self.acknowledged = Acknowledged { intended, sent, count: 0 };
        }
        self.acknowledged.count += u64::from(count);
    }

    #[cold]
    fn refused(&mut self, token: u64, reason: ReasonCode) {
        let shard = &mut *self.shard;
        let Some(publisher) = &mut self.state.publisher else {
            return shard.recorder.error(format!("response refused: {reason}"));
        };
        let message = publisher.in_flight.close(token, 1);
        let phase = shard.timeline.phase(message.intended);
        shard.recorder.messages(phase).refused += 1;
        // No delivery is expected for a refused message.
        let receivers = shard.receivers(self.state.number, message.sequence);
        let messages = shard.recorder.messages(phase);
        messages.expected = messages.expected.saturating_sub(receivers);
        if let Some(beside) = shard.recorder.beside(phase) {
            beside.refused(message.intended, receivers);
        }
        shard.recorder.error(format!("publish refused: {reason}"));
        self.request_ends(message.sequence);
    }

    fn count_acknowledged(&mut self) {
        let Acknowledged { intended, sent, count } = std::mem::take(&mut self.acknowledged);
        if count > 0 {
            self.shard.acknowledged(intended, sent, self.now, count);
        }
    }

    fn message(&mut self, publish: &Publish<'_>) {
        let arrived = self.now;
        if self.shard.read_every > 0
            && let Some(own) = &mut self.state.extra
        {
            own.reading = NextRead::From(arrived.saturating_add(self.shard.read_every));
        }
        let shard = &mut *self.shard;
        if shard.answers && !shard.publishes() {
            match shard.recognise(publish.payload, arrived) {
                Recognised::Whole(_) => {
                    let extra = self.state.extra.get_or_insert_default();
                    extra.requests.push_back(Bytes::copy_from_slice(publish.payload));
                }
                Recognised::Corrupt => shard.recorder.counts.corrupt += 1,
                Recognised::Foreign => shard.recorder.counts.foreign += 1,
            }
            return;
        }
        if let Some(sequence) = shard.received(self.state.number, self.state.flows, publish.payload, arrived)
        {
            self.request_ends(sequence);
        }
    }

    fn other_event(&mut self, event: &Event<'_>) {
        match event {
            Event::Subscribed { reasons, .. } if self.shard.operation.is_some() => {
                self.answered(OperationStep::Subscribe, reasons);
            }
            Event::Unsubscribed { reasons, .. } => self.answered(OperationStep::Unsubscribe, reasons),
            Event::Subscribed { reasons, .. } => {
                let refused = reasons.iter().filter(|reason| ReasonCode(**reason).is_failure());
                for reason in refused {
                    self.shard.recorder.counts.refused_subscriptions += 1;
                    self.shard.recorder.error(format!("subscription refused: {}", ReasonCode(*reason)));
                }
                if let Subscribing::Sent(since, left) = self.state.subscribing {
                    self.shard.recorder.record(LatencyKind::SubAck, self.now.saturating_sub(since));
                    self.state.subscribing = Subscribing::Sent(since, left.saturating_sub(1));
                    if left <= 1 {
                        self.state.subscribing = Subscribing::Done;
                        self.shard.recorder.counts.subscribed += 1;
                    }
                }
            }
            Event::Pong { .. } if self.state.barrier == PingBarrier::Sent => {
                self.state.barrier = PingBarrier::Answered;
                self.shard.recorder.barrier_at = self.shard.recorder.barrier_at.max(self.now);
            }
            _ => {}
        }
    }

    /// Answers requests, with the same payload.
    fn answer(&mut self, session: &mut Session, out: &mut BytesMut) {
        let qos = self.shard.qos;
        let Some(extra) = &mut self.state.extra else { return };
        while out.len() < OUTPUT_BYTES && session.can_publish(qos) {
            let Some(payload) = extra.requests.pop_front() else { return };
            let Recognised::Whole(stamp) = self.shard.recognise(&payload, self.now) else {
                continue;
            };
            let requester = stamp.publisher as usize;
            if requester >= self.shard.requesters as usize {
                continue;
            }
            if extra.answers.len() <= requester {
                extra.answers.resize(requester + 1, None);
            }
            let (run, protocol) = (self.shard.run, session.protocol());
            let template = extra.answers[requester].get_or_insert_with(|| {
                let topic = Plan::response_topic(run, stamp.publisher);
                let properties = correlation(protocol, stamp.publisher, None);
                Arc::new(PublishTemplate::new(protocol, topic.as_bytes(), qos, false, &properties))
            });
            let kept = || self.shard.reconnects.then(|| payload.clone());
            if let Err(error) = session.publish(out, template, &payload, kept, 0) {
                self.shard.recorder.error(error.to_string());
            }
        }
    }
}

impl Handler for InTurn<'_> {
    fn poll_fill(
        &mut self,
        _cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        if self.state.barrier == PingBarrier::Answered {
            // Nothing was published after it, so no further PINGREQ is needed before DISCONNECT.
            session.confirmed();
            self.state.barrier = PingBarrier::No;
        }
        if self.state.leaving {
            return Poll::Ready(Ok(()));
        }
        if self.state.subscribing == Subscribing::Wanted {
            self.send_subscriptions(session, out);
        }
        if self.state.extra.is_some() {
            self.answer(session, out);
            self.clear(session, out)?;
        }
        if !self.state.backlog.is_empty() {
            match self.shard.operation {
                None => self.send_backlog(session, out)?,
                Some(kind) => self.operate(kind, session, out),
            }
        }
        if self.state.pulling {
            self.pull(session, out)?;
        }
        if self.state.barrier == PingBarrier::Wanted && self.state.backlog.is_empty() {
            session.ping(out);
            self.state.barrier = PingBarrier::Sent;
        }
        Poll::Pending
    }

    #[inline]
    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        if self.now == 0 {
            self.now = now();
        }
        match event {
            Event::Published { token, reason, .. } if reason.is_failure() => self.refused(token, reason),
            Event::Published { token, .. } => self.published(token, 1),
            Event::Message(publish) => self.message(&publish),
            other => self.other_event(&other),
        }
        Ok(Flow::Continue)
    }

    #[inline]
    fn on_published(&mut self, tokens: Range<u64>) -> Result<Flow, Error> {
        if self.now == 0 {
            self.now = now();
        }
        self.published(tokens.start, u32::try_from(tokens.end - tokens.start).unwrap_or(0));
        Ok(Flow::Continue)
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.count_acknowledged();
        self.now = 0; // looked up again for the next read
        Poll::Ready(Ok(()))
    }

    fn is_full(&self) -> bool {
        self.shard.read_every > 0
            && !self.state.leaving
            && self.state.extra.as_ref().is_some_and(|own| own.reading != NextRead::Now)
    }

    #[inline]
    fn pauses(&self) -> bool {
        self.shard.read_every > 0 && self.is_full()
    }

    fn on_change(&mut self, change: Change<'_>) {
        if matches!(change, Change::Unconfirmed(_)) {
            self.shard.recorder.counts.unconfirmed += 1;
        }
    }
}
