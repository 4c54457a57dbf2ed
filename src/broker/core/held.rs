//! The memory that sessions hold: names, wills, and messages queued and in flight. Everything that outlives
//! a connection is counted here, against the limit of its session and that of all sessions.

use super::session::{Pending, Session, WillMessage};
use super::{Core, SessionId};

/// How much of a session's memory a message takes.
fn bytes(pending: &Pending) -> usize {
    pending.message.bytes() + pending.identifiers.len() * size_of::<u32>()
}

impl Core {
    /// Counts bytes as held by a session; `false`, and nothing is counted, if that is too much.
    pub(super) fn hold(&mut self, id: SessionId, bytes: usize) -> bool {
        let limits = &self.options.limits;
        let Some(session) = self.sessions.get_mut(id) else { return false };
        if session.held_bytes + bytes > limits.session_bytes
            || self.held_bytes + bytes > limits.all_sessions_bytes
        {
            return false;
        }
        session.held_bytes += bytes;
        self.held_bytes += bytes;
        true
    }

    /// The same for a message.
    pub(super) fn hold_pending(&mut self, id: SessionId, pending: &Pending) -> bool {
        self.has_room(bytes(pending)) && self.hold(id, bytes(pending))
    }

    pub(super) fn release(&mut self, id: SessionId, bytes: usize) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.held_bytes -= bytes;
            self.held_bytes -= bytes;
        }
    }

    pub(super) fn release_pending(&mut self, id: SessionId, pending: &Pending) {
        self.release(id, bytes(pending));
    }

    /// Takes a session's will away from it.
    pub(super) fn take_will(&mut self, id: SessionId) -> Option<WillMessage> {
        let will = self.sessions.get_mut(id)?.will.take()?;
        self.release(id, will.message.bytes());
        Some(will)
    }

    /// Forgets everything a session held that was taken out.
    pub(super) fn release_all(&mut self, session: &Session) {
        self.held_bytes -= session.held_bytes;
        self.queued_messages -= session.queue.len();
    }
}
