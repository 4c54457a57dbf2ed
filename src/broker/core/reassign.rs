//! The end of a session: its subscriptions are removed, and its unacknowledged messages from shared subscriptions go
//! to other members.

use std::sync::Arc;
use std::time::Instant;

use super::deadlines::TimerOf;
use super::deliver::Delivery;
use super::message::Routed;
use super::session::{EndedSession, Pending, Session, may_read, presence};
use super::{Core, SessionId, TURN_WORK, held};
use crate::protocol::QoS;

impl EndedSession {
    /// A QoS 1 message that was sent goes to another member (section 4.8.2: it SHOULD). A QoS 2 message that was
    /// sent does not ([MQTT-4.8.2-5]). Messages that were never sent go to another member.
    pub(super) fn of(session: Session) -> Self {
        let filters = session.filters.into_keys().collect();
        let sent = session.in_flight.into_unacknowledged().filter(|pending| pending.qos == QoS::AtLeastOnce);
        let all = sent.chain(session.queue);
        let mut orphans: Vec<Pending> = all.filter(|pending| pending.share.is_some()).collect();
        orphans.reverse();
        Self { filters, orphans }
    }

    /// Memory of the messages for other members.
    pub(super) fn orphan_bytes(&self) -> usize {
        self.orphans.iter().map(held::bytes).sum()
    }
}

impl Core {
    /// Continues with the end of a session, within the work of the turn.
    pub(super) fn remove_ended(&mut self, id: SessionId, now: Instant) {
        while self.work < TURN_WORK {
            let Some(EndedSession { filters, orphans }) = self.ended(id) else { return };
            if let Some(orphan) = orphans.pop() {
                self.work += 1;
                self.release_pending(id, &orphan);
                self.reassign(&orphan, now);
            } else if let Some(filter) = filters.pop() {
                self.work += 1 + self.subscriptions.remove(&filter, id).unwrap_or_default();
            } else {
                self.sessions.remove(id);
                self.ended_sessions -= 1;
                return;
            }
        }
        if let Some(session) = self.sessions.get_mut(id) {
            self.deadlines.set(TimerOf::Session(id), &mut session.timer, Some(now));
        }
    }

    fn ended(&mut self, id: SessionId) -> Option<&mut EndedSession> {
        self.sessions.get_mut(id)?.ended.as_mut()
    }

    /// Delivers a message of a shared subscription to its next member; without a member the message is lost.
    fn reassign(&mut self, orphan: &Pending, now: Instant) {
        let view = orphan.message.view();
        let Some(share) = orphan.share.filter(|_| !view.is_expired(now)) else { return };
        let sessions = &self.sessions;
        let chosen = self.subscriptions.choose(share, |id| presence(sessions, id), &mut self.work);
        let Some(member) = chosen else { return };
        let rights = self.sessions.get(member.session).and_then(|session| session.rights.as_ref());
        if !may_read(rights, view.topic) {
            return;
        }
        let identifier = [member.identifier];
        let delivery = Delivery {
            qos: member.qos.min(view.qos),
            retain: member.retain_as_published && view.retain,
            identifiers: if identifier == [0] { &[] } else { &identifier },
            share: Some(share),
        };
        let message = Arc::clone(&orphan.message);
        self.deliver(member.session, &mut Routed::stored(&message), delivery, None, now);
    }
}
