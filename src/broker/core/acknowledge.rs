//! Acknowledgements from a client, in both directions of QoS 1 and 2.

use std::time::Instant;

use super::allowed::check_reason;
use super::bounds::RECEIVED_BYTES;
use super::in_flight::DeliveryStage;
use super::{ConnectionId, Core, SessionId};
use crate::protocol::QoS;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Ack, Malformed, PacketType};

impl Core {
    /// PUBACK: ends the exchange of a QoS 1 message, successful or not. A PUBACK without a message is
    /// ignored, because it may follow a reconnect without a fault of the client.
    ///
    /// # Errors
    /// It acknowledges a QoS 2 message ([MQTT-4.3.3-4]), or its Reason Code is not defined for PUBACK.
    pub(super) fn published(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        ack: &Ack<'_>,
        now: Instant,
    ) -> Result<(), Malformed> {
        check_reason(PacketType::PubAck, ack.reason)?;
        match self.stage(session, ack.packet_identifier) {
            None => Ok(()),
            Some(DeliveryStage::Published(pending)) if pending.qos == QoS::AtLeastOnce => {
                self.finish(id, session, ack.packet_identifier, now);
                Ok(())
            }
            Some(_) => Err(Malformed::protocol_error(PacketType::PubAck, "the message has QoS 2")),
        }
    }

    /// PUBREC: a QoS 2 message was received, or was refused and its exchange ends ([MQTT-4.3.3-4]).
    ///
    /// # Errors
    /// It acknowledges a QoS 1 message, or its Reason Code is not defined for PUBREC.
    pub(super) fn received(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        ack: &Ack<'_>,
        now: Instant,
    ) -> Result<(), Malformed> {
        check_reason(PacketType::PubRec, ack.reason)?;
        match self.stage(session, ack.packet_identifier) {
            // As in mosquitto, it is answered as if it were known: it may belong to an earlier connection.
            None => {}
            Some(DeliveryStage::Published(pending)) if pending.qos == QoS::AtLeastOnce => {
                return Err(Malformed::protocol_error(PacketType::PubRec, "the message has QoS 1"));
            }
            Some(_) if ack.reason.is_failure() => {
                self.finish(id, session, ack.packet_identifier, now);
                return Ok(());
            }
            Some(stage) => {
                if let DeliveryStage::Published(pending) = std::mem::replace(stage, DeliveryStage::Released) {
                    self.release_pending(session, &pending);
                }
            }
        }
        if !ack.reason.is_failure() {
            self.acknowledge(id, PacketType::PubRel, ack.packet_identifier, ReasonCode::SUCCESS);
        }
        Ok(())
    }

    /// PUBCOMP: ends the exchange of a QoS 2 message.
    ///
    /// # Errors
    /// No PUBREL was sent for it, or its Reason Code is not defined for PUBCOMP.
    pub(super) fn completed(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        ack: &Ack<'_>,
        now: Instant,
    ) -> Result<(), Malformed> {
        check_reason(PacketType::PubComp, ack.reason)?;
        match self.stage(session, ack.packet_identifier) {
            None => Ok(()),
            Some(DeliveryStage::Released) => {
                self.finish(id, session, ack.packet_identifier, now);
                Ok(())
            }
            Some(DeliveryStage::Published(_)) => {
                Err(Malformed::protocol_error(PacketType::PubComp, "no PUBREL was sent for it"))
            }
        }
    }

    /// PUBREL: the client will not repeat a QoS 2 message ([MQTT-4.3.3-11]).
    ///
    /// # Errors
    /// Its Reason Code is not defined for PUBREL.
    pub(super) fn released(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        ack: &Ack<'_>,
    ) -> Result<(), Malformed> {
        check_reason(PacketType::PubRel, ack.reason)?;
        let Some(state) = self.sessions.get_mut(session) else { return Ok(()) };
        if state.received.remove(&ack.packet_identifier) {
            self.release(session, RECEIVED_BYTES);
        }
        // As in mosquitto, also for an unknown identifier: after a reconnect that is no error.
        self.acknowledge(id, PacketType::PubComp, ack.packet_identifier, ReasonCode::SUCCESS);
        Ok(())
    }

    /// Accepts a QoS 2 message and sends PUBREC: as in mosquitto, before the client's own copy of the message.
    pub(super) fn accept_once(&mut self, id: ConnectionId, session: SessionId, packet_identifier: u16) {
        if let Some(state) = self.sessions.get_mut(session) {
            state.received.insert(packet_identifier);
        }
        self.acknowledge(id, PacketType::PubRec, packet_identifier, ReasonCode::SUCCESS);
    }

    /// Sends an acknowledgement, unless a simulated fault withholds it; returns whether it was sent.
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
            self.statistics.packets_sent += 1;
        }
        true
    }

    /// The stage of a message in flight.
    fn stage(&mut self, session: SessionId, packet_identifier: u16) -> Option<&mut DeliveryStage> {
        let entry = self.sessions.get_mut(session)?.in_flight.get_mut(packet_identifier)?;
        Some(&mut entry.stage)
    }

    /// Ends an exchange, which frees a place in the window.
    fn finish(&mut self, id: ConnectionId, session: SessionId, packet_identifier: u16, now: Instant) {
        let Some(state) = self.sessions.get_mut(session) else { return };
        if let Some(DeliveryStage::Published(pending)) =
            state.in_flight.remove(packet_identifier).map(|entry| entry.stage)
        {
            self.release_pending(session, &pending);
        }
        if let Some(connection) = self.connections.get_mut(id) {
            connection.lag.last_progress = now;
        }
        self.pump(session, now);
        self.relieve(id, now);
    }
}
