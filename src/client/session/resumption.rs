//! How a session continues on a new connection the publishes that an earlier connection, or an earlier run of
//! the program, left unfinished.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::super::inflight::{Kept, MOST_PUBLISHES, OpenIdentifier, PublishStage};
use super::super::limits::ServerLimits;
use super::super::refusal::Refusal;
use super::unanswered::{Acknowledgements, UnreadPublishes};
use super::{Session, spare};
use crate::error::Error;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, PacketType, PublishTemplate};
use crate::protocol::{Protocol, QoS};

/// A publish to be sent as a new one: for the first time, or because the broker has lost the session.
#[derive(Debug)]
pub(super) struct NewPublish {
    message: Kept,
    token: u64,
}

/// The unfinished publishes of an earlier link, in the order in which they are resumed.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    /// Open identifiers that the broker still knows: sent again with DUP, or released again.
    pub(super) known: VecDeque<u16>,
    /// Publishes that the broker has lost.
    pub(super) forgotten: VecDeque<NewPublish>,
}

impl Session {
    /// A link is up: CONNACK was received. [`Session::resume`] continues the publishes of an earlier link:
    /// with DUP in their original order if the broker kept the session ([MQTT-4.4.0-1]), as new ones if it
    /// did not. Returns the number of new ones that had been sent before at QoS 2 and may therefore arrive
    /// twice.
    pub fn connected(&mut self, protocol: Protocol, session_present: bool, limits: ServerLimits) -> usize {
        self.convert(protocol);
        self.limits = limits;
        self.window = self.max_inflight.min(limits.receive_maximum).clamp(1, MOST_PUBLISHES);
        self.open_publishes = 0;
        self.open_requests = 0;
        self.unconfirmed = false;
        self.unread = UnreadPublishes::default();
        self.pings = 0;
        self.acknowledgements = Acknowledgements::default();
        self.repeated_pubrecs = 0;
        self.refused = None;
        self.inbound_aliases.clear();
        self.outbound_aliases.clear();
        let is_first = !std::mem::replace(&mut self.was_connected, true);
        self.inherited = match session_present {
            true if is_first => u16::MAX,
            true => self.inherited,
            false => 0,
        };
        if session_present {
            self.keep_publishes();
            return 0;
        }
        self.unreleased.clear();
        let earlier = std::mem::take(&mut self.unfinished).forgotten;
        let mut doubtful = 0;
        for (entry, kept) in self.inflight.take_all() {
            // A released publish is sent again as well: whether the broker had forwarded it is unknown, and a
            // duplicate message is better than a lost one.
            if let (OpenIdentifier::Publish { qos, token, .. }, Some(message)) = (entry, kept) {
                doubtful += usize::from(qos == QoS::ExactlyOnce);
                self.unfinished.forgotten.push_back(NewPublish { message, token });
            }
        }
        self.unfinished.forgotten.extend(earlier);
        doubtful
    }

    /// Converts the publishes to the version of this link, which may differ from that of the last.
    fn convert(&mut self, protocol: Protocol) {
        let before = std::mem::replace(&mut self.protocol, protocol);
        if !self.was_connected || before == protocol {
            return;
        }
        let forgotten = self.unfinished.forgotten.iter_mut().map(|publish| &mut publish.message);
        for message in self.inflight.all_kept().chain(forgotten) {
            message.template = Arc::new(message.template.converted(protocol));
        }
    }

    /// The broker kept the session: open publishes are resumed. Open requests are dropped, as they get no
    /// response on the new link; the caller makes them again.
    fn keep_publishes(&mut self) {
        let open = self.inflight.iter().map(|(identifier, _)| identifier);
        let (known, others): (Vec<_>, Vec<_>) =
            open.partition(|identifier| self.inflight.kept(*identifier).is_some());
        for identifier in others {
            self.inflight.close(identifier);
        }
        self.unfinished.known = known.into();
    }

    /// The link is lost, and another will follow: `make` returns by token the data for sending again the open
    /// publishes that would end with the link, such as those of [`Session::publish_run`]. The others end.
    pub fn keep_others(&mut self, mut make: impl FnMut(u64) -> Option<(Arc<PublishTemplate>, Bytes)>) {
        self.inflight.keep_others(|token| make(token).map(|(template, payload)| Kept { template, payload }));
    }

    /// Restores the received QoS 2 messages that an earlier run of the program delivered before they were
    /// released. Must be called after [`Session::connected`], if the broker kept the session.
    pub fn restore_unreleased(&mut self, packet_identifiers: impl IntoIterator<Item = u16>) {
        self.unreleased.extend(packet_identifiers);
    }

    /// Restores a QoS 2 publish of an earlier run of the program: sent, and released (PUBREC received) or
    /// not. Must be called after [`Session::connected`], if the broker kept the session, in the order of
    /// sending and before any new publish.
    pub fn restore_publish(
        &mut self,
        packet_identifier: u16,
        template: Arc<PublishTemplate>,
        payload: Bytes,
        token: u64,
        released: bool,
    ) {
        let stage = if released { PublishStage::Released } else { PublishStage::Published };
        self.inflight.restore(packet_identifier, Kept { template, payload }, stage, token);
        self.unfinished.known.push_back(packet_identifier);
    }

    /// Appends a PUBREL before a packet identifier is used for the first time in a session that an earlier
    /// run has left. A broker that still holds a message under that identifier would take the new message for
    /// a repetition and drop it ([MQTT-4.3.3-10]). The PUBREL makes it deliver the earlier message and frees
    /// the identifier; if the broker does not know the identifier, its PUBCOMP says so and is ignored.
    #[inline]
    pub(super) fn release_inherited(&mut self, out: &mut BytesMut, identifier: u16, qos: QoS) {
        if self.inherited > 0 && qos == QoS::ExactlyOnce {
            self.release_one_inherited(out, identifier);
        }
    }

    #[cold]
    fn release_one_inherited(&mut self, out: &mut BytesMut, identifier: u16) {
        self.inherited -= 1;
        wire::ack(out, self.protocol, PacketType::PubRel, identifier, ReasonCode::SUCCESS);
    }

    /// Appends the unfinished publishes of an earlier link, as far as the window and `most_bytes` in the
    /// buffer allow. Must be called before anything new is published. This link's broker may allow less than
    /// the last one: what it would refuse is not sent, see [`Session::take_refusal`].
    ///
    /// # Errors
    /// Out of memory for a packet.
    pub fn resume(&mut self, out: &mut BytesMut, most_bytes: usize) -> Result<(), Error> {
        while self.open_publishes < self.window && out.len() < most_bytes {
            if let Some(identifier) = self.unfinished.known.pop_front() {
                let Some(&mut OpenIdentifier::Publish { stage, token, .. }) = self.inflight.get(identifier)
                else {
                    continue;
                };
                let Some(Kept { template, payload }) = self.inflight.kept(identifier) else { continue };
                match stage {
                    PublishStage::Published => {
                        if let Err(limit) =
                            self.limits.check_publish(template, template.packet_bytes(payload.len()))
                        {
                            self.refusals.push_back(Refusal::publish(token, limit));
                            self.inflight.close(identifier);
                            continue;
                        }
                        spare(template.packet_bytes(payload.len()))?;
                        template.put(out, identifier, true, payload);
                    }
                    PublishStage::Released => {
                        wire::ack(out, self.protocol, PacketType::PubRel, identifier, ReasonCode::SUCCESS);
                    }
                }
                self.open_publishes += 1;
            } else if let Some(NewPublish { message, token }) = self.unfinished.forgotten.pop_front() {
                let Kept { template, payload } = message.clone();
                let bytes = template.packet_bytes(payload.len());
                if let Err(limit) = self.limits.check_publish(&template, bytes) {
                    self.refusals.push_back(Refusal::publish(token, limit));
                    continue;
                }
                spare(bytes)?;
                let identifier = self.open_publish(Some(message), template.qos(), token);
                template.put(out, identifier, false, &payload);
            } else {
                break;
            }
        }
        Ok(())
    }
}
