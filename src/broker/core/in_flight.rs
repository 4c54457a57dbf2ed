//! QoS 1 and 2 messages sent to a client and not yet acknowledged, with their packet identifiers.

use std::collections::VecDeque;

use super::session::Pending;

/// Packet identifiers are 1 to 65,535, so they repeat after this number.
const CYCLE: u64 = 65_535;

/// The stage of a message's exchange.
pub(super) enum DeliveryStage {
    /// PUBLISH was sent; waits for PUBACK or PUBREC.
    Published(Pending),
    /// PUBREL was sent; waits for PUBCOMP. The message is no longer needed.
    Released,
}

/// A message in flight.
pub(super) struct DeliveryInFlight {
    /// Numbers all messages of the session; determines the packet identifier.
    serial: u64,
    pub(super) stage: DeliveryStage,
}

impl DeliveryInFlight {
    pub(super) fn packet_identifier(&self) -> u16 {
        packet_identifier(self.serial)
    }
}

fn packet_identifier(serial: u64) -> u16 {
    u16::try_from(serial % CYCLE + 1).unwrap_or(1)
}

/// The messages in flight in the order of their first transmission, which is also the order of retransmission
/// ([MQTT-4.6.0-1]). Serial numbers make this order searchable without a map of identifiers.
#[derive(Default)]
pub(super) struct InFlight {
    entries: VecDeque<DeliveryInFlight>,
    /// Entries before this one were sent on the current connection, the others on an earlier one.
    sent: usize,
    next_serial: u64,
}

impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Unacknowledged messages sent on the current connection.
    pub(super) fn sent(&self) -> usize {
        self.sent
    }

    /// Whether a new message may be sent; retransmissions come first.
    pub(super) fn has_room(&self, window: usize) -> bool {
        self.unsent().is_none() && self.len() < window
    }

    /// Marks all messages for retransmission after the loss of the connection.
    pub(super) fn rewind(&mut self) {
        self.sent = 0;
    }

    /// The next message to retransmit.
    pub(super) fn unsent(&self) -> Option<&DeliveryInFlight> {
        self.entries.get(self.sent)
    }

    /// The message returned by `unsent` was sent.
    pub(super) fn advance(&mut self) {
        self.sent = (self.sent + 1).min(self.entries.len());
    }

    /// Removes the message returned by `unsent`, which cannot be sent.
    pub(super) fn give_up(&mut self) -> Option<DeliveryInFlight> {
        self.entries.remove(self.sent)
    }

    /// The packet identifier of the next new message, never one in use ([MQTT-2.2.1-3]). The caller keeps
    /// fewer than 65,535 messages in flight and has finished retransmission.
    pub(super) fn next_packet_identifier(&mut self) -> u16 {
        // Only an entry that is at least a whole cycle old can have the same identifier.
        while self.entries.front().is_some_and(|oldest| self.next_serial - oldest.serial >= CYCLE)
            && self.find(packet_identifier(self.next_serial)).is_some()
        {
            self.next_serial += 1;
        }
        packet_identifier(self.next_serial)
    }

    /// Leaves out the next packet identifier.
    pub(super) fn skip_packet_identifier(&mut self) {
        self.next_packet_identifier();
        self.next_serial += 1;
    }

    /// Adds a message sent with the identifier that `next_packet_identifier` returned last.
    pub(super) fn push(&mut self, pending: Pending) {
        self.entries.push_back(DeliveryInFlight {
            serial: self.next_serial,
            stage: DeliveryStage::Published(pending),
        });
        self.next_serial += 1;
        self.sent = self.entries.len();
    }

    /// The messages without PUBACK or PUBREC, in their order.
    pub(super) fn into_unacknowledged(self) -> impl Iterator<Item = Pending> {
        self.entries.into_iter().filter_map(|entry| match entry.stage {
            DeliveryStage::Published(pending) => Some(pending),
            DeliveryStage::Released => None,
        })
    }

    fn find(&self, packet_identifier: u16) -> Option<usize> {
        let oldest = self.entries.front()?.serial;
        let wanted = u64::from(packet_identifier) + CYCLE - 1;
        let mut serial = oldest + (wanted - oldest % CYCLE) % CYCLE;
        while serial < self.next_serial {
            if let Ok(index) = self.entries.binary_search_by_key(&serial, |entry| entry.serial) {
                return Some(index);
            }
            serial += CYCLE;
        }
        None
    }

    pub(super) fn get_mut(&mut self, packet_identifier: u16) -> Option<&mut DeliveryInFlight> {
        let index = self.find(packet_identifier)?;
        self.entries.get_mut(index)
    }

    /// Ends an exchange.
    pub(super) fn remove(&mut self, packet_identifier: u16) -> Option<DeliveryInFlight> {
        let index = self.find(packet_identifier)?;
        if index < self.sent {
            self.sent -= 1;
        }
        self.entries.remove(index)
    }
}
