//! Events of connections for the broker's observer. Without an observer, nothing is recorded or decoded.

use std::borrow::Cow;

use super::connection::Connection;
use super::{ConnectionId, ConnectionPhase, Core, SessionId};
use crate::broker::journal::{BrokerEvent, ClientOrigin, DropCause, EventKind, Leaving};
use crate::protocol::wire::{self, LARGEST_PACKET_BYTES, Packet};
use crate::protocol::{Direction, QoS};

/// A packet in the output, and its length in `Connection::out`: large parts are stored elsewhere.
fn packet_at(connection: &Connection, at: usize) -> Option<(Cow<'_, [u8]>, usize)> {
    let out = connection.out.get(at..).filter(|rest| !rest.is_empty())?;
    let mut parts = connection.parts_after(at).peekable();
    if parts.peek().is_none() {
        let length = wire::frame(out, LARGEST_PACKET_BYTES).ok()??;
        return Some((Cow::Borrowed(&out[..length]), length));
    }
    let (mut packet, mut from, mut elsewhere) = (Vec::new(), 0, 0);
    for (end, part) in parts.map(|(end, part)| (end - at, part)).chain([(out.len(), &[][..])]) {
        packet.extend_from_slice(out.get(from..end)?);
        from = end;
        if let Ok(Some(length)) = wire::frame(&packet, LARGEST_PACKET_BYTES) {
            packet.truncate(length);
            return Some((Cow::Owned(packet), length - elsewhere));
        }
        packet.extend_from_slice(part);
        elsewhere += part.len();
    }
    None
}

impl Core {
    /// Whether there is an observer.
    pub(in crate::broker) fn is_watched(&self) -> bool {
        self.options.journal.is_some()
    }

    /// Numbers a new connection and reports it.
    pub(in crate::broker) fn arrived(&mut self, mut origin: ClientOrigin) -> ClientOrigin {
        self.arrivals += 1;
        origin.number = self.arrivals;
        self.tell_of(Some(&origin), None, EventKind::Arrived);
        origin
    }

    /// Reports an event of a connection that has not reached MQTT.
    pub(in crate::broker) fn tell_of(
        &self,
        origin: Option<&ClientOrigin>,
        client: Option<&str>,
        kind: EventKind<'_>,
    ) {
        if let Some(journal) = &self.options.journal {
            journal.tell(&BrokerEvent { origin, client, kind });
        }
    }

    /// Reports an event of a connection.
    pub(super) fn tell(&self, id: ConnectionId, kind: EventKind<'_>) {
        if self.options.journal.is_none() {
            return;
        }
        let traced = self.connections.get(id).and_then(|connection| connection.traced.as_deref());
        let client = traced.map(|traced| &*traced.client).filter(|name| !name.is_empty());
        self.tell_of(traced.map(|traced| &traced.origin), client, kind);
    }

    /// Reports an event of a session, whether its client is connected or not.
    pub(super) fn tell_of_session(&self, id: SessionId, kind: EventKind<'_>) {
        if self.options.journal.is_none() {
            return;
        }
        let Some(session) = self.sessions.get(id) else { return };
        match session.connection {
            Some(connection) => self.tell(connection, kind),
            None => self.tell_of(None, Some(&session.client_identifier), kind),
        }
    }

    /// Reports and counts a message that a session does not get.
    pub(super) fn drop_message(
        &mut self,
        to: SessionId,
        topic: &[u8],
        qos: QoS,
        payload_bytes: usize,
        cause: DropCause,
    ) {
        self.statistics.messages_dropped += 1;
        self.tell_of_session(to, EventKind::Dropped { topic, qos, payload_bytes, cause });
    }

    /// Reports why a connection ends, once.
    pub(super) fn tell_leaving(&self, id: ConnectionId, leaving: Leaving<'_>) {
        let is_open = |connection: &Connection| {
            !matches!(connection.phase, ConnectionPhase::Closing | ConnectionPhase::Dead)
        };
        if self.options.journal.is_some() && self.connections.get(id).is_some_and(is_open) {
            self.tell(id, EventKind::Left(leaving));
        }
    }

    /// Records the name of a client.
    pub(super) fn name_client(&mut self, id: ConnectionId, name: &str) {
        if let Some(traced) = self.connections.get_mut(id).and_then(|connection| connection.traced.as_mut()) {
            traced.client = name.into();
        }
    }

    /// Reports a received packet.
    pub(super) fn trace_received(&mut self, id: ConnectionId, packet: &Packet<'_>) {
        if self.options.journal.is_none() {
            return;
        }
        if let Packet::Connect(connect) = packet {
            self.name_client(id, connect.client_identifier);
        }
        self.tell(id, EventKind::Packet(Direction::Received, packet));
    }

    /// Reports the packets that were appended to a connection's output.
    pub(super) fn trace_sent(&mut self, id: ConnectionId) {
        if self.options.journal.is_none() {
            return;
        }
        let Some(connection) = self.connections.get(id) else { return };
        let Some(traced) = connection.traced.as_deref().filter(|traced| !traced.is_muted) else { return };
        let mut shown = traced.shown;
        while let Some((bytes, length)) = packet_at(connection, shown) {
            shown += length;
            match wire::decode(connection.protocol, &bytes) {
                Ok(packet) => self.tell(id, EventKind::Packet(Direction::Sent, &packet)),
                Err(malformed) => debug_assert!(false, "{malformed}: {bytes:02x?}"),
            }
        }
        if let Some(traced) = self.connections.get_mut(id).and_then(|connection| connection.traced.as_mut()) {
            traced.shown = shown;
        }
    }
}
