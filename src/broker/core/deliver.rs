//! Delivery of messages to a client: at once within its Receive Maximum, or by the queue. Pauses publishers
//! while a subscriber is slow.

use std::sync::Arc;
use std::time::Instant;

use super::bounds::{BYTES_OF_WORK, OUTPUT_HIGH_BYTES, OUTPUT_LOW_BYTES, OUTPUT_MOST_BYTES, TURN_WORK};
use super::connection::{ConnectionPhase, Delivering};
use super::in_flight::DeliveryStage;
use super::message::{Routed, SharedMessage, View};
use super::retained::Search;
use super::session::{Pending, may_read};
use super::subscriptions::ShareId;
use super::{ConnectionId, Core, SessionId};
use crate::broker::journal::DropCause;
use crate::protocol::QoS;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, PacketType};

/// A connected session with more queued messages than this pauses its publishers.
const QUEUE_HIGH_MESSAGES: usize = 4096;
/// The same limit in bytes.
const QUEUE_HIGH_BYTES: usize = 4 << 20;
/// The session's publishers continue below this fraction of both limits.
const QUEUE_LOW_PART: usize = 2;

/// How a message is delivered to one session.
#[derive(Clone, Copy)]
pub(super) struct Delivery<'a> {
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) identifiers: &'a [u32],
    /// The shared subscription it was selected from.
    pub(super) share: Option<ShareId>,
}

impl Delivery<'_> {
    /// The message with its delivery, for queueing.
    pub(super) fn pending(&self, message: Arc<SharedMessage>) -> Pending {
        let Self { qos, retain, identifiers, share } = *self;
        Pending { message, qos, retain, identifiers: identifiers.into(), share }
    }
}

impl Core {
    /// Delivers a message to a session. `from` is its publisher's connection, which is paused if the
    /// subscriber lags.
    pub(super) fn deliver(
        &mut self,
        to: SessionId,
        routed: &mut Routed<'_>,
        delivery: Delivery<'_>,
        from: Option<ConnectionId>,
        now: Instant,
    ) {
        let reorders = self.options.faults.reorder.is_some();
        if reorders && self.keep_back(to, routed, delivery, now) {
            return;
        }
        self.hand_over(to, routed, delivery, from, now);
        if reorders {
            self.deliver_late(to, now);
        }
    }

    /// The same without simulated reordering.
    pub(super) fn hand_over(
        &mut self,
        to: SessionId,
        routed: &mut Routed<'_>,
        delivery: Delivery<'_>,
        from: Option<ConnectionId>,
        now: Instant,
    ) {
        let connected = self.sessions.get(to).and_then(|session| session.connection);
        let length = routed.view.bytes();
        let is_over = connected
            .and_then(|id| self.connections.get(id))
            .is_some_and(|connection| !self.may_send(connection, length));
        let Some(session) = self.sessions.get_mut(to) else { return };
        let Some((id, connection)) = connected.and_then(|id| Some(id).zip(self.connections.get_mut(id)))
        else {
            if delivery.qos != QoS::AtMostOnce {
                self.enqueue(to, routed, delivery);
            }
            return;
        };
        if connection.out.capacity() == 0
            && let Some(buffer) = self.spare.pop()
        {
            connection.out = buffer;
        }
        let mut outgoing = Delivering {
            dup: false,
            qos: delivery.qos,
            retain: delivery.retain,
            packet_identifier: 0,
            identifiers: delivery.identifiers,
        };
        if delivery.qos == QoS::AtMostOnce {
            if is_over || connection.backlog() > OUTPUT_MOST_BYTES {
                self.lose(to, &routed.view, delivery.qos, DropCause::Limit);
            } else if connection.publish(&routed.view, &outgoing, &mut self.block, now) {
                self.duplicate(id, &routed.view, &outgoing, now);
                self.count_sent(id, &routed.view);
            } else {
                self.lose(to, &routed.view, delivery.qos, DropCause::TooLarge);
            }
        } else if session.is_open(connection.window) && connection.backlog() < OUTPUT_HIGH_BYTES && !is_over {
            outgoing.packet_identifier = session.in_flight.next_packet_identifier();
            let pending = delivery.pending(routed.message());
            self.start(to, id, pending, &outgoing, now);
        } else {
            self.enqueue(to, routed, delivery);
        }
        self.hold_back(from, id, now);
    }

    /// Counts a sent message.
    fn count_sent(&mut self, id: ConnectionId, view: &View<'_>) {
        self.statistics.messages_sent += 1;
        self.statistics.payload_bytes_sent += view.payload.len() as u64;
        self.work += view.copied_bytes() / BYTES_OF_WORK;
        self.touch(id);
    }

    /// Counts a dropped message.
    fn lose(&mut self, to: SessionId, view: &View<'_>, qos: QoS, cause: DropCause) {
        self.drop_message(to, view.topic, qos, view.payload.len(), cause);
    }

    /// Sends a QoS 1 or 2 message for the first time, if the limits allow it.
    fn start(
        &mut self,
        session: SessionId,
        id: ConnectionId,
        pending: Pending,
        outgoing: &Delivering<'_>,
        now: Instant,
    ) {
        if self.hold_pending(session, &pending) {
            self.start_held(session, id, pending, outgoing, now);
        } else {
            self.lose(session, &pending.message.view(), pending.qos, DropCause::Limit);
        }
    }

    /// The same for a message whose memory is already counted.
    fn start_held(
        &mut self,
        session: SessionId,
        id: ConnectionId,
        pending: Pending,
        outgoing: &Delivering<'_>,
        now: Instant,
    ) {
        if let (Some(state), Some(connection)) =
            (self.sessions.get_mut(session), self.connections.get_mut(id))
            && connection.publish(&pending.message.view(), outgoing, &mut self.block, now)
        {
            let message = Arc::clone(&pending.message);
            if self.options.faults.duplicate.is_some() {
                state.in_flight.push(pending);
                self.duplicate(id, &message.view(), &Delivering { dup: true, ..*outgoing }, now);
            } else {
                state.in_flight.push(pending);
            }
            return self.count_sent(id, &message.view());
        }
        self.release_pending(session, &pending);
        self.lose(session, &pending.message.view(), pending.qos, DropCause::TooLarge);
    }

    /// Queues a QoS 1 or 2 message in its session, or drops it if the queue is full: the newest is dropped to
    /// keep the older ones.
    fn enqueue(&mut self, to: SessionId, routed: &mut Routed<'_>, delivery: Delivery<'_>) {
        let waiting = self.sessions.get(to).map_or(usize::MAX, |session| session.queue.len());
        if waiting >= self.options.limits.queue_messages {
            return self.lose(to, &routed.view, delivery.qos, DropCause::Limit);
        }
        let pending = delivery.pending(routed.message());
        if !self.hold_pending(to, &pending) {
            return self.lose(to, &routed.view, delivery.qos, DropCause::Limit);
        }
        let Some(session) = self.sessions.get_mut(to) else { return };
        session.queue_bytes += pending.message.bytes();
        session.queue.push_back(pending);
        self.queued_messages += 1;
    }

    fn dequeue(&mut self, from: SessionId) -> Option<Pending> {
        let session = self.sessions.get_mut(from)?;
        let pending = session.queue.pop_front()?;
        if session.queue.is_empty() {
            session.queue.shrink_to(64);
        }
        session.queue_bytes -= pending.message.bytes();
        self.queued_messages -= 1;
        Some(pending)
    }

    /// Sends all that may be sent: first unacknowledged messages of an earlier connection in their original
    /// order ([MQTT-4.4.0-1], [MQTT-4.6.0-1]), then retained messages, then the queue.
    pub(super) fn pump(&mut self, id: SessionId, now: Instant) {
        loop {
            let is_full = !self.has_room(0);
            let Some(session) = self.sessions.get_mut(id) else { return };
            let Some(connected) = session.connection else { return };
            let Some(connection) = self.connections.get_mut(connected) else { return };
            let most = if is_full { 1 } else { OUTPUT_HIGH_BYTES };
            if connection.phase != ConnectionPhase::Up(id) || connection.backlog() >= most {
                return;
            }
            if self.work >= TURN_WORK {
                connection.left.unfinished = true;
                return self.touch(connected);
            }
            self.work += 1;
            let more = if session.in_flight.unsent().is_some() {
                session.in_flight.sent() < connection.window && self.resend(id, connected, now)
            } else if !session.replays.is_empty() {
                self.replay(id, connected, now)
            } else if !session.queue.is_empty() && session.has_room(connection.window) {
                self.send_queued(id, connected, now)
            } else {
                false
            };
            if !more {
                return;
            }
            self.touch(connected);
        }
    }

    /// Sends one message of an earlier connection again, or its PUBREL; returns whether there may be more.
    fn resend(&mut self, id: SessionId, connected: ConnectionId, now: Instant) -> bool {
        let withheld = self.withheld(PacketType::PubRel);
        let (Some(session), Some(connection)) =
            (self.sessions.get_mut(id), self.connections.get_mut(connected))
        else {
            return false;
        };
        let Some(entry) = session.in_flight.unsent() else { return false };
        let packet_identifier = entry.packet_identifier();
        match &entry.stage {
            DeliveryStage::Released => {
                if !withheld {
                    let (out, protocol) = (&mut connection.out, connection.protocol);
                    wire::ack(out, protocol, PacketType::PubRel, packet_identifier, ReasonCode::SUCCESS);
                    self.statistics.packets_sent += 1;
                }
                session.in_flight.advance();
            }
            DeliveryStage::Published(pending) => {
                let outgoing = Delivering {
                    dup: true, // [MQTT-3.3.1-1]
                    qos: pending.qos,
                    retain: pending.retain,
                    packet_identifier,
                    identifiers: &pending.identifiers,
                };
                let view = pending.message.view();
                let is_allowed = may_read(session.rights.as_ref(), view.topic);
                if is_allowed && connection.publish(&view, &outgoing, &mut self.block, now) {
                    self.statistics.messages_sent += 1;
                    self.statistics.payload_bytes_sent += pending.message.view().payload.len() as u64;
                    session.in_flight.advance();
                } else if let Some(DeliveryStage::Published(pending)) =
                    session.in_flight.give_up().map(|entry| entry.stage)
                {
                    self.release_pending(id, &pending);
                    self.lose(id, &pending.message.view(), pending.qos, DropCause::TooLarge);
                }
            }
        }
        true
    }

    /// Sends the next retained message for a new subscription; returns whether there may be more.
    fn replay(&mut self, id: SessionId, connected: ConnectionId, now: Instant) -> bool {
        let (Some(session), Some(connection)) =
            (self.sessions.get_mut(id), self.connections.get_mut(connected))
        else {
            return false;
        };
        let Some(replay) = session.replays.front_mut() else { return false };
        let is_latest = session.filters.get(&replay.filter) == Some(&replay.number);
        let search = if is_latest {
            self.retained.next(&replay.filter, &mut replay.cursor, &mut self.work)
        } else {
            Search::End
        };
        let message = match search {
            Search::Found(message) => Arc::clone(message),
            // The caller sees that the work of this turn is used up.
            Search::Paused => return true,
            Search::End => {
                session.replays.pop_front();
                return true;
            }
        };
        let view = message.view();
        let qos = replay.qos.min(view.qos);
        let own = replay.no_local && view.publisher == Some(&session.client_identifier);
        let identifier = [replay.identifier];
        let identifiers = if identifier == [0] { &[][..] } else { &identifier };
        let denied = !may_read(session.rights.as_ref(), view.topic);
        let expired = view.is_expired(now);
        if expired {
            self.retained.remove(view.topic);
        }
        if !own && !expired && !denied {
            if qos != QoS::AtMostOnce && !session.in_flight.has_room(connection.window) {
                replay.cursor.pop(); // the message is still to be sent
                return false;
            }
            let mut outgoing =
                Delivering { dup: false, qos, retain: true, packet_identifier: 0, identifiers };
            if qos != QoS::AtMostOnce {
                outgoing.packet_identifier = session.in_flight.next_packet_identifier();
                let delivery = Delivery { qos, retain: true, identifiers, share: None };
                let pending = delivery.pending(Arc::clone(&message));
                self.start(id, connected, pending, &outgoing, now);
            } else if connection.publish(&view, &outgoing, &mut self.block, now) {
                self.count_sent(connected, &view);
            } else {
                self.lose(id, &view, qos, DropCause::TooLarge);
            }
        }
        true
    }

    /// Sends the first message of the queue; returns whether there may be more.
    fn send_queued(&mut self, id: SessionId, connected: ConnectionId, now: Instant) -> bool {
        let Some(pending) = self.dequeue(id) else { return false };
        let Some(session) = self.sessions.get_mut(id) else { return false };
        let view = pending.message.view();
        // The rights or the user of the session may have changed since it was queued.
        if view.is_expired(now) || !may_read(session.rights.as_ref(), view.topic) {
            // As in mosquitto, where a message has its packet identifier from the time it is queued.
            session.in_flight.skip_packet_identifier();
            self.release_pending(id, &pending);
            self.lose(id, &pending.message.view(), pending.qos, DropCause::Expired);
            return true;
        }
        let identifiers = pending.identifiers.clone();
        let outgoing = Delivering {
            dup: false,
            qos: pending.qos,
            retain: pending.retain,
            packet_identifier: session.in_flight.next_packet_identifier(),
            identifiers: &identifiers,
        };
        self.start_held(id, connected, pending, &outgoing, now);
        true
    }

    /// Pauses reading from a publisher whose subscriber lags. The subscriber itself is not paused, because
    /// its acknowledgements arrive on the same connection.
    fn hold_back(&mut self, from: Option<ConnectionId>, to: ConnectionId, now: Instant) {
        let Some(from) = from.filter(|from| *from != to) else { return };
        let limits = &self.options.limits;
        let Some(connection) = self.connections.get_mut(to) else { return };
        let lags = connection.backlog() > OUTPUT_HIGH_BYTES
            || connection.session().and_then(|id| self.sessions.get(id)).is_some_and(|session| {
                session.queue.len() > QUEUE_HIGH_MESSAGES || session.queue_bytes > QUEUE_HIGH_BYTES
            });
        if !lags || connection.lag.stalled || limits.patience.is_zero() {
            return;
        }
        if connection.lag.waiting.is_empty() {
            connection.lag.last_progress = now;
        }
        connection.lag.waiting.push(from);
        if let Some(publisher) = self.connections.get_mut(from) {
            publisher.paused = true;
        }
        self.arm(to, now);
    }

    /// Resumes publishers after a connection has caught up.
    pub(super) fn relieve(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.lag.waiting.is_empty() && !connection.lag.stalled {
            return;
        }
        let Some(session) = connection.session().and_then(|session| self.sessions.get(session)) else {
            return;
        };
        if connection.backlog() < OUTPUT_LOW_BYTES
            && session.queue.len() < QUEUE_HIGH_MESSAGES / QUEUE_LOW_PART
            && session.queue_bytes < QUEUE_HIGH_BYTES / QUEUE_LOW_PART
        {
            connection.lag.stalled = false;
            self.release_publishers(id, now);
        }
    }

    /// Resumes the publishers that wait for a connection.
    pub(super) fn release_publishers(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        for publisher in std::mem::take(&mut connection.lag.waiting) {
            if let Some(connection) = self.connections.get_mut(publisher) {
                connection.paused = false;
                // It may have sent bytes while it was paused that are read only now.
                connection.last_received = now;
                self.touch(publisher);
            }
        }
    }
}
