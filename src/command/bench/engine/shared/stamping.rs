//! The stamps of messages: those that are sent, and what is recognised in those that arrive. Times here are those of this process,
//! and times in stamps those of the run.

use bytes::{Bytes, BytesMut};

use super::super::super::config::Mode;
use super::super::super::stamp::{Phase, Recognised, Stamp};
use super::super::in_flight::MessageInFlight;
use super::super::message::StampedMessage;
use super::Shard;

impl Shard {
    /// The stamp of a message that was due and is sent at these times.
    #[inline]
    pub(crate) fn stamp(
        &self,
        phase: Phase,
        (publisher, sequence): (u32, u64),
        (due, sent): (u64, u64),
    ) -> Stamp {
        let (intended, sent) = (self.shown(due), Some(self.shown(sent)));
        Stamp { run: self.run, phase, publisher, sequence, intended, sent }
    }

    /// What the clock of the run shows at a time of this process.
    #[inline]
    fn shown(&self, time: u64) -> u64 {
        self.clock.as_ref().map_or(time, |clock| clock.at(time))
    }

    /// The time of this process at which the clock of the run shows this.
    #[inline]
    fn when(&self, shown: u64) -> u64 {
        self.clock.as_ref().map_or(shown, |clock| clock.when(shown))
    }

    /// The payload of a message, once more; none if its fields no longer fit into a packet.
    pub(crate) fn payload_of(&mut self, client: u32, message: MessageInFlight) -> Option<Bytes> {
        let MessageInFlight { sequence, intended, sent } = message;
        self.payload.fill(client, sequence).ok()?;
        let mut bytes = BytesMut::from(&self.payload.bytes[..]);
        let which = (self.first_publisher + client, sequence);
        let stamp = self.stamp(self.timeline.phase(intended), which, (intended, sent));
        StampedMessage::write_stamp(&stamp, self.payload.stamp_at, &mut bytes, self.payload.rest_hash);
        Some(bytes.freeze())
    }

    /// What a payload is that came at this time: a message of this run, or in a run of subscribers of any.
    #[inline]
    pub(crate) fn recognise(&self, payload: &[u8], arrived: u64) -> Recognised {
        let own = (self.mode != Mode::Subscribe).then_some(self.run);
        let found = match Stamp::read(payload, own, self.shown(arrived)) {
            Recognised::Foreign if self.has_text_stamps => Stamp::find(payload, own),
            found => found,
        };
        match found {
            Recognised::Whole(stamp) => Recognised::Whole(Stamp {
                intended: self.when(stamp.intended),
                sent: stamp.sent.map(|sent| self.when(sent)),
                ..stamp
            }),
            other => other,
        }
    }
}
