//! The memory that clients can make the broker use, as one sum with one limit. Messages may use three
//! quarters of it, so that the rest remains for connections, sessions and subscriptions.

use super::bounds::{FREE_PARTIAL_BYTES, RECEIVED_BYTES};
use super::connection::Connection;
use super::{ConnectionId, ConnectionPhase, Core, OUTPUT_LOW_BYTES, SessionId};
use crate::broker::journal::Leaving;
use crate::protocol::reason::ReasonCode;

/// Memory of a connection without its buffers: state, task, deadline.
const CONNECTION_BYTES: usize = 2 << 10;
/// Memory of a session without messages, subscriptions and name.
const SESSION_BYTES: usize = 1 << 10;

/// The fraction of the limit that is reserved for other data than messages.
const RESERVE_PART: usize = 4;

impl Core {
    /// The total memory, precise enough for limits.
    pub(super) fn memory(&self) -> usize {
        self.held_bytes
            + self.retained.bytes()
            + self.buffer_bytes
            + self.output_total.bytes()
            + 2 * self.checking_bytes
            + self.subscriptions.memory()
            + self.connections.len() * CONNECTION_BYTES
            + self.sessions.len() * SESSION_BYTES
    }

    /// Whether this number of bytes is available for messages.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let total = self.options.limits.total_bytes;
        self.memory().saturating_add(bytes) <= total - total / RESERVE_PART
    }

    /// Whether this number of bytes is available for any purpose.
    pub(super) fn has_last_room(&self, bytes: usize) -> bool {
        self.memory().saturating_add(bytes) <= self.options.limits.total_bytes
    }

    /// Whether memory for a new connection is available.
    pub(in crate::broker) fn has_room_for_connection(&self) -> bool {
        self.has_last_room(CONNECTION_BYTES)
    }

    /// Whether a message of this size may be sent to a client. A client without pending output may also use
    /// the reserve, so that a client that reads is served even if others have filled the memory.
    pub(super) fn may_send(&self, connection: &Connection, bytes: usize) -> bool {
        if connection.backlog() == 0 { self.has_last_room(bytes) } else { self.has_room(bytes) }
    }

    /// Updates the count of a connection's buffers. A connection whose output exceeds the limits is closed:
    /// its client sends requests without reading the answers.
    pub(super) fn count_buffers(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let (before, bytes) = (connection.left.buffer_bytes, connection.buffer_bytes());
        if bytes == before {
            return;
        }
        connection.left.buffer_bytes = bytes;
        let is_slow = connection.backlog() > OUTPUT_LOW_BYTES;
        self.buffer_bytes = self.buffer_bytes - before + bytes;
        if bytes < before || self.has_last_room(0) {
            return;
        }
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.define_no_aliases();
        if is_slow && matches!(connection.phase, ConnectionPhase::Up(_)) {
            connection.overflows = true;
        }
    }

    /// Closes a connection whose output exceeded the limits.
    pub(super) fn end_overflow(&mut self, id: ConnectionId, now: std::time::Instant) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if std::mem::take(&mut connection.overflows) {
            let text = "slow subscriber, and the memory limit is reached";
            self.tell_leaving(id, Leaving::Ended(ReasonCode::QUOTA_EXCEEDED, text));
            self.leave(id, true, now);
        }
    }

    /// Reserves memory for a QoS 2 message until its PUBREL; `false` if there is none.
    pub(super) fn hold_received(&mut self, session: SessionId) -> bool {
        self.has_last_room(RECEIVED_BYTES) && self.hold(session, RECEIVED_BYTES)
    }

    /// Sets the number of bytes that a connection holds of incomplete packets. It is closed if all
    /// connections together exceed the limit.
    pub(in crate::broker) fn holds_partial(
        &mut self,
        id: ConnectionId,
        bytes: usize,
        now: std::time::Instant,
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let counted = bytes.saturating_sub(FREE_PARTIAL_BYTES);
        let grows = counted > connection.left.partial_bytes;
        self.partial_bytes = self.partial_bytes - connection.left.partial_bytes + counted;
        connection.left.partial_bytes = counted;
        connection.left.tail_bytes = bytes;
        self.count_buffers(id);
        let are_too_many = self.partial_bytes > self.options.limits.partial_bytes;
        let is_full = are_too_many || !self.has_room(0);
        if grows && is_full || bytes > 0 && !self.has_last_room(0) {
            let text = if are_too_many {
                "too many bytes of incomplete packets of all clients"
            } else {
                "the memory limit is reached, and the packet is incomplete"
            };
            self.disconnect(id, ReasonCode::QUOTA_EXCEEDED, text, now);
        }
    }
}
