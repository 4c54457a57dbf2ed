//! Memory of sessions: names, wills, and messages queued and in flight. All that outlives a connection is
//! counted here, against the limits of its session and of all sessions.

use super::session::{Pending, Session, WillMessage};
use super::{Core, SessionId};

/// Memory of a message in a session.
pub(super) fn bytes(pending: &Pending) -> usize {
    pending.message.bytes() + pending.identifiers.len() * size_of::<u32>()
}

impl Core {
    /// Counts bytes against a session's limits. Returns `false`, and counts nothing, if they are exceeded.
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

    /// Removes a session's will.
    pub(super) fn take_will(&mut self, id: SessionId) -> Option<WillMessage> {
        let will = self.sessions.get_mut(id)?.will.take()?;
        self.release(id, will.message.bytes());
        Some(will)
    }

    /// Releases all memory of a session that was removed.
    pub(super) fn release_all(&mut self, session: &Session) {
        self.held_bytes -= session.held_bytes;
        self.queued_messages -= session.queue.len();
    }
}
