//! Users: asynchronous comparison of passwords, and the rights of each client.

use std::sync::Arc;
use std::time::Instant;

use super::connection::{Checking, ConnectionPhase};
use super::{ConnectionId, Core, SessionId};
use crate::broker::access::{Access, StoredPassword};
use crate::protocol::Protocol;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Packet};

/// A password to compare.
pub(in crate::broker) struct Check {
    connection: ConnectionId,
    serial: u64,
    /// `None` if there is no such user.
    stored: Option<Arc<StoredPassword>>,
    password: Box<[u8]>,
}

impl Check {
    /// Compares the password, which takes long. Pass the result to [`Core::checked`].
    pub(in crate::broker) fn run(&self) -> bool {
        if let Some(stored) = &self.stored {
            stored.is(&self.password)
        } else {
            StoredPassword::compare_with_nothing(&self.password);
            false
        }
    }
}

impl Core {
    /// Queues a password for comparison, and keeps the CONNECT until then. Returns `false`, and queues
    /// nothing, if too many are waiting.
    pub(super) fn compare(
        &mut self,
        id: ConnectionId,
        stored: Option<Arc<StoredPassword>>,
        password: &[u8],
        packet: &[u8],
    ) -> bool {
        let Some(connection) = self.connections.get_mut(id) else { return false };
        if self.checking_bytes + packet.len() > self.options.limits.partial_bytes {
            return false;
        }
        self.last_check += 1;
        let serial = self.last_check;
        self.checking_bytes += packet.len();
        connection.phase = ConnectionPhase::Checking;
        connection.left.checking = Some(Box::new(Checking { serial, packet: packet.into() }));
        self.checks.push_back(Check { connection: id, serial, stored, password: password.into() });
        true
    }

    /// The next password to compare.
    pub(in crate::broker) fn take_check(&mut self) -> Option<Check> {
        self.checks.pop_front()
    }

    /// Removes a waiting CONNECT, after the end of its connection or the connect timeout.
    pub(super) fn take_checking(&mut self, id: ConnectionId) -> Option<Box<Checking>> {
        let checking = self.connections.get_mut(id)?.left.checking.take()?;
        self.checking_bytes -= checking.packet.len();
        Some(checking)
    }

    /// Continues a CONNECT whose password was compared.
    pub(in crate::broker) fn checked(&mut self, check: &Check, is_right: bool, now: Instant) {
        let id = check.connection;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let waits = connection.left.checking.as_ref().is_some_and(|waiting| waiting.serial == check.serial);
        if !waits || connection.phase != ConnectionPhase::Checking {
            return;
        }
        let Some(checking) = self.take_checking(id) else { return };
        self.touch(id);
        if !is_right {
            return self.refuse(id, ReasonCode::BAD_USER_NAME_OR_PASSWORD, "", now);
        }
        // It was decoded before without an error.
        let Ok(Packet::Connect(connect)) = wire::decode(Protocol::V3_1_1, &checking.packet) else { return };
        if let Err(malformed) = self.admitted(id, &connect, connect.user_name, now) {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.phase = ConnectionPhase::Connecting;
            }
            self.fail(id, &checking.packet, &malformed, now);
        }
    }

    /// Sets the user of a session, and the user's rights.
    pub(super) fn set_user(&mut self, id: SessionId, user: Option<&str>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.user = user.map(Into::into);
        session.rights = self.options.access.rights(user, &session.client_identifier);
    }

    /// Replaces users and rights. Clients that would not be admitted in the same way are disconnected.
    pub(in crate::broker) fn set_access(&mut self, access: Access, now: Instant) {
        let before = std::mem::replace(&mut self.options.access, access);
        let mut ended = Vec::new();
        for (_, session) in self.sessions.iter_mut() {
            let user = session.user.as_deref();
            session.rights = self.options.access.rights(user, &session.client_identifier);
            if !self.options.access.still_admits(&before, user) {
                ended.extend(session.connection);
            }
        }
        for id in ended {
            self.disconnect(id, ReasonCode::NOT_AUTHORIZED, "", now);
        }
    }
}
