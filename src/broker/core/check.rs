//! Users: asynchronous comparison of passwords, and the rights of each client.

use std::sync::Arc;
use std::time::Instant;

use super::connection::{Checking, Connection, ConnectionPhase};
use super::{ConnectionId, Core, SessionId};
use crate::broker::access::{Access, Admission, StoredPassword};
use crate::protocol::Protocol;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Connect, Malformed, Packet};

/// The answer to a wrong or missing user name or password. The standard allows Bad User Name or Password as well;
/// this is mosquitto's, and in MQTT 3.x return code 5.
const REFUSED: ReasonCode = ReasonCode::NOT_AUTHORIZED;

/// A password to compare.
pub(in crate::broker) struct Check {
    connection: ConnectionId,
    serial: u64,
    stored: Arc<StoredPassword>,
    password: Box<[u8]>,
}

impl Check {
    /// Compares the password, which takes long. Pass the result to [`Core::checked`].
    pub(in crate::broker) fn run(&self) -> bool {
        self.stored.is(&self.password)
    }
}

impl Core {
    /// Admits or refuses the client by its user name and password, now or later.
    ///
    /// # Errors
    /// As [`Core::admitted`].
    pub(super) fn log_in(
        &mut self,
        id: ConnectionId,
        connect: &Connect<'_>,
        packet: &[u8],
        now: Instant,
    ) -> Result<(), Malformed> {
        let password = connect.password.unwrap_or_default();
        let is_kept = if self.access_changes {
            self.keep_connect(id, packet, true).is_some()
        } else {
            match self.options.access.admit(connect.user_name, password) {
                Admission::Anonymous => return self.admitted(id, connect, None, now),
                Admission::Unchecked => return self.admitted(id, connect, connect.user_name, now),
                Admission::Refused => {
                    self.refuse(id, REFUSED, "", now);
                    return Ok(());
                }
                Admission::Compare(stored) => self.compare(id, stored, password, packet),
            }
        };
        if !is_kept {
            self.refuse(id, ReasonCode::QUOTA_EXCEEDED, "too many clients connect at once", now);
        }
        Ok(())
    }

    /// Queues a password for comparison, and keeps the CONNECT until then. Returns `false`, and queues
    /// nothing, if too many are waiting.
    fn compare(
        &mut self,
        id: ConnectionId,
        stored: Arc<StoredPassword>,
        password: &[u8],
        packet: &[u8],
    ) -> bool {
        let Some(serial) = self.keep_connect(id, packet, false) else { return false };
        self.checks.push_back(Check { connection: id, serial, stored, password: password.into() });
        true
    }

    /// Keeps a CONNECT that cannot be answered yet, and numbers it; `None` if too many are waiting.
    fn keep_connect(&mut self, id: ConnectionId, packet: &[u8], awaits_access: bool) -> Option<u64> {
        let connection = self.connections.get_mut(id)?;
        if self.checking_bytes + packet.len() > self.options.limits.partial_bytes {
            return None;
        }
        self.last_check += 1;
        let serial = self.last_check;
        self.checking_bytes += packet.len();
        connection.phase = ConnectionPhase::Checking;
        let checking = Checking { serial, packet: packet.into(), awaits_access };
        connection.left.checking = Some(Box::new(checking));
        Some(serial)
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
        if !is_right {
            self.take_checking(id);
            self.touch(id);
            return self.refuse(id, REFUSED, "", now);
        }
        self.go_on_connecting(id, now, |core, connect, _| core.admitted(id, connect, connect.user_name, now));
    }

    /// Continues a CONNECT that was kept.
    fn go_on_connecting(
        &mut self,
        id: ConnectionId,
        now: Instant,
        step: impl FnOnce(&mut Self, &Connect<'_>, &[u8]) -> Result<(), Malformed>,
    ) {
        let Some(checking) = self.take_checking(id) else { return };
        self.touch(id);
        // It was decoded before without an error.
        let Ok(Packet::Connect(connect)) = wire::decode(Protocol::V3_1_1, &checking.packet) else { return };
        if let Err(malformed) = step(self, &connect, &checking.packet) {
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

    /// Users and rights are about to change: from now on CONNECTs wait for [`Core::set_access`] or
    /// [`Core::keep_access`].
    pub(in crate::broker) fn hold_connects(&mut self) {
        self.access_changes = true;
    }

    /// Users and rights stay as they are; CONNECTs no longer wait.
    pub(in crate::broker) fn keep_access(&mut self, now: Instant) {
        self.access_changes = false;
        self.go_on_with_connects(|checking| checking.awaits_access, now);
    }

    /// Continues the kept CONNECTs, in the order of their arrival.
    fn go_on_with_connects(&mut self, which: impl Fn(&Checking) -> bool, now: Instant) {
        let waits = |connection: &Connection| {
            let checking = connection.left.checking.as_deref();
            let checking = checking.filter(|_| connection.phase == ConnectionPhase::Checking);
            checking.filter(|checking| which(checking)).map(|checking| checking.serial)
        };
        let kept = self.connections.iter().filter_map(|(id, connection)| Some((waits(connection)?, id)));
        let mut kept: Vec<(u64, ConnectionId)> = kept.collect();
        kept.sort_unstable_by_key(|(serial, _)| *serial);
        for (_, id) in kept {
            self.go_on_connecting(id, now, |core, connect, packet| core.log_in(id, connect, packet, now));
        }
    }

    /// Replaces users and rights. Clients that would not be admitted in the same way are disconnected; those whose
    /// password is being compared are compared again.
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
        self.access_changes = false;
        self.go_on_with_connects(|_| true, now);
    }
}
