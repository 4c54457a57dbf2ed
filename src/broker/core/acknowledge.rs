//! Acknowledgements from a client, for both directions of QoS 1 and 2.

use std::time::Instant;

use super::in_flight::Stage;
use super::{ConnectionId, Core, SessionId};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Ack, PacketType};

impl Core {
    /// PUBACK: the exchange of a QoS 1 message is over, failed or not. One that nobody waits for is
    /// left unnoticed: after a reconnect that is no fault of the client.
    pub(super) fn published(&mut self, id: ConnectionId, session: SessionId, ack: &Ack<'_>, now: Instant) {
        if let Some(state) = self.sessions.get_mut(session)
            && state.in_flight.remove(ack.packet_identifier).is_some()
        {
            self.progressed(id, session, now);
        }
    }

    /// PUBREC: a QoS 2 message has arrived, or was refused and is over ([MQTT-4.3.3-4]).
    pub(super) fn received(&mut self, id: ConnectionId, session: SessionId, ack: &Ack<'_>, now: Instant) {
        let Some(state) = self.sessions.get_mut(session) else { return };
        if ack.reason.is_failure() {
            if state.in_flight.remove(ack.packet_identifier).is_some() {
                self.progressed(id, session, now);
            }
            return;
        }
        let reason = match state.in_flight.get_mut(ack.packet_identifier) {
            Some(entry) => {
                entry.stage = Stage::Released;
                ReasonCode::SUCCESS
            }
            None => ReasonCode::PACKET_IDENTIFIER_NOT_FOUND,
        };
        self.acknowledge(id, PacketType::PubRel, ack.packet_identifier, reason);
    }

    /// PUBCOMP: the exchange of a QoS 2 message is over.
    pub(super) fn completed(&mut self, id: ConnectionId, session: SessionId, ack: &Ack<'_>, now: Instant) {
        self.published(id, session, ack, now);
    }

    /// PUBREL: the client will not repeat a QoS 2 message any more ([MQTT-4.3.3-11]).
    pub(super) fn released(&mut self, id: ConnectionId, session: SessionId, ack: &Ack<'_>) {
        let Some(state) = self.sessions.get_mut(session) else { return };
        let known = state.received.remove(&ack.packet_identifier);
        let reason = if known { ReasonCode::SUCCESS } else { ReasonCode::PACKET_IDENTIFIER_NOT_FOUND };
        self.acknowledge(id, PacketType::PubComp, ack.packet_identifier, reason);
    }

    /// Sends an acknowledgement unless it is withheld on request; whether it was sent.
    pub(super) fn acknowledge(
        &mut self,
        id: ConnectionId,
        packet: PacketType,
        packet_identifier: u16,
        reason: ReasonCode,
    ) -> bool {
        if self.withheld(packet) {
            return false;
        }
        if let Some(connection) = self.connections.get_mut(id) {
            wire::ack(&mut connection.out, connection.protocol, packet, packet_identifier, reason);
        }
        true
    }

    /// The window has room again.
    fn progressed(&mut self, id: ConnectionId, session: SessionId, now: Instant) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.lag.last_progress = now;
        }
        self.pump(session, now);
        self.relieve(id, now);
    }
}
