//! The packets that the broker has not answered when a connection ends.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use super::super::inflight::{OpenIdentifier, OpenRequest, PublishStage};
use super::Session;
use crate::protocol::QoS;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, PacketType, Publish, PublishTemplate};
use crate::quantity::counted;
use crate::quotation::cut;

/// The numbers of accepted publishes and of answered requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::client) struct AnswerCounts {
    /// Refused ones are not progress. The PINGRESP after messages of QoS 0 counts as one.
    pub(in crate::client) publishes: u64,
    /// SUBSCRIBE and UNSUBSCRIBE; those of an earlier link are sent and answered again on the next one.
    pub(in crate::client) requests: u64,
}

impl AnswerCounts {
    /// Those that came after `earlier`.
    pub(in crate::client) fn since(self, earlier: Self) -> Self {
        Self { publishes: self.publishes - earlier.publishes, requests: self.requests - earlier.requests }
    }
}

/// The acknowledgements of received messages that were sent on one link.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Acknowledgements {
    count: u64,
    /// The latest one, if nothing was received after it.
    pub(super) latest: Option<(PacketType, u16)>,
}

impl Acknowledgements {
    #[inline]
    pub(super) fn add(&mut self, packet: PacketType, identifier: u16) {
        self.count += 1;
        self.latest = Some((packet, identifier));
    }
}

/// The messages of QoS 0 sent on one link that the broker has not shown to have read.
#[derive(Debug, Default)]
pub(super) struct UnreadPublishes {
    /// The first one before the latest PINGREQ.
    before_ping: Option<Arc<PublishTemplate>>,
    /// The first one after it.
    after_ping: Option<Arc<PublishTemplate>>,
    /// When the first one was sent.
    since: Option<Instant>,
}

impl UnreadPublishes {
    #[inline]
    pub(super) fn published(&mut self, template: &Arc<PublishTemplate>) {
        if self.after_ping.is_none() {
            self.after_ping = Some(Arc::clone(template));
        }
    }

    pub(super) fn pinged(&mut self) {
        let after_ping = self.after_ping.take();
        self.before_ping = self.before_ping.take().or(after_ping);
    }

    /// The latest PINGREQ is answered. Returns whether a message was sent before it.
    pub(super) fn ponged(&mut self) -> bool {
        self.since = None;
        self.before_ping.take().is_some()
    }

    fn first(&self) -> Option<&PublishTemplate> {
        self.before_ping.as_deref().or(self.after_ping.as_deref())
    }
}

/// The acknowledgement of a received message, with its packet identifier; none at QoS 0.
#[inline]
pub(in crate::client) fn acknowledgement_of(publish: &Publish<'_>) -> Option<(PacketType, u16)> {
    match publish.qos {
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce => Some((PacketType::PubAck, publish.packet_identifier)),
        QoS::ExactlyOnce => Some((PacketType::PubRec, publish.packet_identifier)),
    }
}

/// An unanswered packet that only the session's user knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedPacket {
    /// The packet and its purpose. Links that end at packets of one name end at the same place.
    pub name: &'static str,
    /// The topic of a PUBLISH.
    pub topic: Option<Box<str>>,
    /// The advice for a broker that ends each link at it.
    pub hint: Option<&'static str>,
}

impl From<&'static str> for AwaitedPacket {
    fn from(name: &'static str) -> Self {
        Self { name, topic: None, hint: None }
    }
}

/// A publish that the broker has refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPublish {
    pub(in crate::client) identifier: u16,
    pub(in crate::client) qos: QoS,
    /// Its topic, if the session still knew it.
    pub(in crate::client) topic: Option<Box<str>>,
    pub(in crate::client) reason: ReasonCode,
}

/// A topic filter that the broker has refused while it granted others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedFilter {
    /// The filter.
    pub filter: Box<str>,
    /// The broker's reason.
    pub reason: ReasonCode,
}

/// Packets that were sent on a link and have no answer, or a refusal that is the last of its answers.
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
    /// PUBLISH of QoS 0 on this topic, and none before it on the link without a PINGRESP after it.
    Unread { topic: Box<str> },
    /// SUBSCRIBE or UNSUBSCRIBE.
    Request { name: &'static str, identifier: u16 },
    /// The acknowledgement of a received message. It needs no answer, but nothing was received after it.
    Acknowledgement { packet: PacketType, identifier: u16, count: u64 },
    /// PUBLISH that was refused, on a link on which none was accepted.
    Refused(RefusedPublish),
    /// SUBSCRIBE that was refused in part, on a link on which nothing was received after it.
    DeniedFilter(DeniedFilter),
    /// A packet that the session does not know.
    Other(AwaitedPacket),
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
            Self::Unread { topic } => write!(f, "soon after PUBLISH (QoS 0, topic '{}')", cut(topic)),
            Self::Request { name, identifier } => {
                write!(f, "at the same packet: {name} (packet identifier {identifier})")
            }
            Self::Acknowledgement { packet, identifier, .. } => {
                write!(f, "at the same packet: {} (packet identifier {identifier})", packet.name())
            }
            Self::Refused(RefusedPublish { identifier, qos, topic, reason }) => {
                write!(f, "after it refused PUBLISH (QoS {qos}, packet identifier {identifier}")?;
                match topic {
                    Some(topic) => write!(f, ", topic '{}'): {reason}", cut(topic)),
                    None => write!(f, "): {reason}"),
                }
            }
            Self::DeniedFilter(DeniedFilter { filter, reason }) => {
                write!(f, "after it refused the subscription to '{}': {reason}", cut(filter))
            }
            Self::Other(AwaitedPacket { name, topic: None, .. }) => write!(f, "at the same packet: {name}"),
            Self::Other(AwaitedPacket { name, topic: Some(topic), .. }) => {
                write!(f, "at the same packet: {name}, topic '{}'", cut(topic))
            }
        }
    }
}

impl Session {
    /// The numbers of publishes and requests that have ended, on all links.
    pub(in crate::client) fn answers(&self) -> AnswerCounts {
        self.answers
    }

    /// Counts the answer to a publish, before its identifier is closed.
    pub(super) fn count_answer(&mut self, identifier: u16, reason: ReasonCode) {
        if !reason.is_failure() {
            self.answers.publishes += 1;
            return;
        }
        let Some(OpenIdentifier::Publish { qos, .. }) = self.inflight.get(identifier) else { return };
        let qos = *qos;
        let kept = self.inflight.kept(identifier);
        let topic = kept.map(|kept| String::from_utf8_lossy(kept.template.topic()).into());
        self.refused = Some(Box::new(RefusedPublish { identifier, qos, topic, reason }));
    }

    /// The publish refused last on this link.
    pub(in crate::client) fn refused(&self) -> Option<&RefusedPublish> {
        self.refused.as_deref()
    }

    /// Messages appended since the last call are sent now.
    pub(in crate::client) fn date_unread(&mut self, now: Instant) {
        if self.unread.first().is_some() {
            self.unread.since.get_or_insert(now);
        }
    }

    /// When the first message of QoS 0 was sent on this link that the broker has not shown to have read.
    pub(in crate::client) fn unread_since(&self) -> Option<Instant> {
        self.unread.since
    }

    /// The acknowledgement of the message received last is not sent yet.
    pub(in crate::client) fn acknowledgement_is_deferred(&mut self) {
        if self.acknowledgements.latest.take().is_some() {
            self.acknowledgements.count -= 1;
        }
    }

    /// Appends a deferred acknowledgement.
    pub(in crate::client) fn acknowledge(&mut self, packet: PacketType, identifier: u16, out: &mut BytesMut) {
        wire::ack(out, self.protocol, packet, identifier, ReasonCode::SUCCESS);
        self.acknowledgements.add(packet, identifier);
    }

    /// The oldest packets sent on this link without an answer; otherwise a message of QoS 0 or the
    /// acknowledgement that was the last packet sent.
    pub(in crate::client) fn unanswered(&self) -> Option<Unanswered> {
        if self.open_publishes == 0 && self.open_requests == 0 {
            if let Some(first) = self.unread.first() {
                return Some(Unanswered::Unread { topic: String::from_utf8_lossy(first.topic()).into() });
            }
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
