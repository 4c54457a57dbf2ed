//! Acknowledgements that wait until the handler has settled their messages.

use std::collections::VecDeque;

use bytes::BytesMut;

use super::state::End;
use crate::client::session::{Session, beyond_receive_maximum};
use crate::error::{Error, Layer};
use crate::protocol::wire::PacketType;

/// Maximum number of messages whose acknowledgements may be deferred.
const MOST_DEFERRED: usize = 1_000_000;

/// The deferred acknowledgements of a connection.
#[derive(Debug, Default)]
pub(super) struct Deferred {
    /// The packets with their identifiers, the oldest first; `None` for a QoS 0 message.
    waiting: VecDeque<Option<(PacketType, u16)>>,
    /// The number of packets in `waiting`.
    unacknowledged: usize,
}

impl Deferred {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keeps the acknowledgement of a message until it is settled. Two limits bound the memory if the broker
    /// keeps sending; the second also counts QoS 0 messages, which wait only for the messages before them.
    ///
    /// # Errors
    /// The broker exceeded the Receive Maximum ([MQTT-3.3.4-9]; in MQTT 3.1.1 the number of Packet
    /// Identifiers [MQTT-2.3.1-2]), or [`MOST_DEFERRED`] messages wait for an unsettled one.
    pub(super) fn defer(
        &mut self,
        acknowledgement: Option<(PacketType, u16)>,
        receive_maximum: u16,
    ) -> Result<(), End> {
        let more = usize::from(acknowledgement.is_some());
        if self.unacknowledged + more > usize::from(receive_maximum) {
            return Err(End::Malformed(beyond_receive_maximum(receive_maximum)));
        }
        if self.waiting.len() >= MOST_DEFERRED {
            let cause =
                format!("{MOST_DEFERRED} messages wait for the acknowledgement of one that came before them");
            return Err(End::Failed(Error::link(Layer::Mqtt, cause)));
        }
        self.unacknowledged += more;
        self.waiting.push_back(acknowledgement);
        Ok(())
    }

    /// Sends the acknowledgements of the `count` oldest messages.
    pub(super) fn settle(&mut self, count: usize, session: &mut Session, out: &mut BytesMut) {
        let count = count.min(self.waiting.len());
        for (packet, identifier) in self.waiting.drain(..count).flatten() {
            self.unacknowledged -= 1;
            session.acknowledge(packet, identifier, out);
        }
    }
}
