//! The packets that the broker has not answered when a connection ends.

use std::fmt;

use super::super::inflight::{OpenIdentifier, OpenRequest, PublishStage};
use super::{Acknowledgements, Session};
use crate::protocol::QoS;
use crate::protocol::wire::PacketType;
use crate::quantity::counted;

/// Packets that were sent on a link and have no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// PUBLISH, or PUBREL if a QoS 2 message has reached that stage.
    Publishes {
        qos: QoS,
        /// Whether the oldest has reached PUBREL.
        released: bool,
        /// The number of publishes.
        count: u16,
        /// Packet identifiers of the oldest and the latest.
        identifiers: (u16, u16),
        /// The size of the oldest packet; 0 if it is no longer known.
        bytes: usize,
    },
    /// SUBSCRIBE or UNSUBSCRIBE.
    Request { name: &'static str, identifier: u16 },
    /// The acknowledgement of a received message. It needs no answer, but nothing was received after it.
    Acknowledgement { packet: PacketType, identifier: u16, count: u64 },
    /// A packet that only the session's user knows.
    Other(&'static str),
}

/// A phrase for the point at which a link ended.
impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publishes { qos, released, count, identifiers: (first, last), bytes } => {
                let packet = if *released { "PUBREL" } else { "PUBLISH" };
                if *count > 1 {
                    return write!(
                        f,
                        "with the same {count} messages in flight: {packet} (QoS {qos}, packet identifiers {first} to {last})"
                    );
                }
                write!(f, "at the same packet: {packet} (QoS {qos}, packet identifier {first}")?;
                if *bytes > 0 && !released {
                    write!(f, ", {})", counted(*bytes as u64, "byte"))
                } else {
                    f.write_str(")")
                }
            }
            Self::Request { name, identifier } => {
                write!(f, "at the same packet: {name} (packet identifier {identifier})")
            }
            Self::Acknowledgement { packet, identifier, .. } => {
                write!(f, "at the same packet: {} (packet identifier {identifier})", packet.name())
            }
            Self::Other(what) => write!(f, "at the same packet: {what}"),
        }
    }
}

impl Session {
    /// The number of publishes and requests that have ended, on all links.
    pub(in crate::client) fn answers(&self) -> u64 {
        self.answers
    }

    /// The oldest packets sent on this link without an answer; otherwise the acknowledgement that was the
    /// last packet sent.
    pub(in crate::client) fn unanswered(&self) -> Option<Unanswered> {
        if self.open_publishes == 0 && self.open_requests == 0 {
            let Acknowledgements { count, latest } = self.acknowledgements;
            let (packet, identifier) = latest?;
            return Some(Unanswered::Acknowledgement { packet, identifier, count });
        }
        let (identifier, entry) = self.inflight.iter().next()?;
        Some(match entry {
            OpenIdentifier::Publish { qos, stage, .. } => {
                let bytes = self.inflight.kept(identifier);
                let bytes = bytes.map_or(0, |kept| kept.template.packet_bytes(kept.payload.len()));
                let publishes =
                    self.inflight.iter().filter(|(_, entry)| matches!(entry, OpenIdentifier::Publish { .. }));
                let count = self.open_publishes;
                let last = publishes.take(usize::from(count)).last().map_or(identifier, |(last, _)| last);
                let released = *stage == PublishStage::Released;
                Unanswered::Publishes { qos: *qos, released, count, identifiers: (identifier, last), bytes }
            }
            OpenIdentifier::Request(request) => {
                let name = match **request {
                    OpenRequest::Subscribe { .. } => "SUBSCRIBE",
                    OpenRequest::Unsubscribe { .. } => "UNSUBSCRIBE",
                };
                Unanswered::Request { name, identifier }
            }
            OpenIdentifier::Closed => return None,
        })
    }
}
