//! Simulated faults: messages sent twice, and messages sent after the next one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::Delivering;
use super::deliver::Delivery;
use super::message::{Routed, View};
use super::session::Pending;
use super::{ConnectionId, Core, SessionId};
use crate::protocol::QoS;

/// Maximum time that a message is held back for the next one.
const LATE: Duration = Duration::from_millis(100);

impl Core {
    /// Sends a message again that was just sent, if the fault applies to it.
    pub(super) fn duplicate(
        &mut self,
        id: ConnectionId,
        view: &View<'_>,
        outgoing: &Delivering<'_>,
        now: Instant,
    ) {
        if let Some(share) = self.options.faults.duplicate
            && self.falls(share)
            && let Some(connection) = self.connections.get_mut(id)
            && connection.publish(view, outgoing, &mut self.block, now)
        {
            self.statistics.messages_sent += 1;
            self.statistics.payload_bytes_sent += view.payload.len() as u64;
        }
    }

    /// Holds a message back until the next one is sent. Returns `false` if another is already held back, or
    /// if the fault does not apply.
    pub(super) fn keep_back(
        &mut self,
        to: SessionId,
        routed: &mut Routed<'_>,
        delivery: Delivery<'_>,
        now: Instant,
    ) -> bool {
        let Some(share) = self.options.faults.reorder else { return false };
        let Some(session) = self.sessions.get(to).filter(|session| session.late.is_none()) else {
            return false;
        };
        let Some(id) = session.connection else { return false };
        if !self.falls(share) {
            return false;
        }
        let pending = delivery.pending(routed.message());
        if !self.hold_pending(to, &pending) {
            return false;
        }
        if let Some(session) = self.sessions.get_mut(to) {
            session.late = Some(Box::new(pending));
        }
        if let Some(connection) = self.connections.get_mut(id) {
            connection.late_at = now.checked_add(LATE);
        }
        self.arm(id, now);
        true
    }

    /// Sends the message that was held back.
    pub(super) fn deliver_late(&mut self, to: SessionId, now: Instant) {
        let Some(session) = self.sessions.get_mut(to) else { return };
        let Some(pending) = session.late.take() else { return };
        if let Some(connection) = session.connection.and_then(|id| self.connections.get_mut(id)) {
            connection.late_at = None;
        }
        self.release_pending(to, &pending);
        let message = Arc::clone(&pending.message);
        let identifiers = &pending.identifiers;
        let Pending { qos, retain, share, .. } = *pending;
        let delivery = Delivery { qos, retain, identifiers, share };
        self.hand_over(to, &mut Routed::stored(&message), delivery, None, now);
    }

    /// Sends the message that was held back, if no other arrived in time.
    pub(super) fn late_due(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.late_at.is_some_and(|at| at <= now)
            && let Some(session) = connection.session()
        {
            self.deliver_late(session, now);
        }
    }

    /// Queues the message that was held back after the loss of the connection; a QoS 0 message is lost.
    pub(super) fn queue_late(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(pending) = session.late.take() else { return };
        if pending.qos == QoS::AtMostOnce {
            return self.release_pending(id, &pending);
        }
        session.queue_bytes += pending.message.bytes();
        session.queue.push_back(*pending);
        self.queued_messages += 1;
    }
}
