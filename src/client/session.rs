//! The session: packets in, packets out, no I/O and no clock.
//!
//! It owns the state that survives a lost connection: unacknowledged publishes, and the identifiers of
//! received QoS 2 messages not yet released. Requests append packets to an output buffer; received packets
//! append their acknowledgements there and yield at most one [`Event`]. The driver sends the buffer only
//! after the consumer has processed the events, so that an acknowledgement always means "written out".

mod resumption;
mod unanswered;

use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use self::resumption::Unfinished;
use self::unanswered::{Acknowledgements, UnreadPublishes};
pub(super) use self::unanswered::{AnswerCounts, acknowledgement_of};
pub use self::unanswered::{AwaitedPacket, DeniedFilter, RefusedPublish, Unanswered};
pub use super::event::Event;
use super::inflight::{Inflight, Kept, OpenIdentifier, OpenRequest, PublishStage};
use super::limits::{ServerLimits, not_sent};
use super::redirect;
use super::refusal::Refusal;
use super::topic_alias::{Chosen, InboundAliases, OutboundAliases};
use crate::error::{Denial, Error, Layer};
use crate::memory;
use crate::protocol::property::{Properties, PropertyBlock, PropertyId};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{
    self, Ack, Malformed, Packet, PacketType, Publish, PublishTemplate, Subscription,
};
use crate::protocol::{Protocol, QoS};
use crate::quantity::counted;

/// One client's session with one broker.
#[derive(Debug)]
pub struct Session {
    protocol: Protocol,
    /// The user's limit; `window` also respects the broker's.
    max_inflight: u16,
    window: u16,
    limits: ServerLimits,
    inflight: Inflight,
    /// QoS 1 and 2 publishes in flight on this connection.
    open_publishes: u16,
    /// SUBSCRIBE and UNSUBSCRIBE requests in flight.
    open_requests: u16,
    answers: AnswerCounts,
    /// The publish refused last on this link.
    refused: Option<Box<RefusedPublish>>,
    /// The acknowledgements of received messages that were sent on this link.
    acknowledgements: Acknowledgements,
    /// The number of PUBRECs on this link, since the last publish ended, for messages that already had one on
    /// it.
    repeated_pubrecs: u32,
    unfinished: Unfinished,
    was_connected: bool,
    /// The number of packet identifiers that may still belong to QoS 2 messages of an earlier run of the
    /// program, received by the broker and not yet released.
    inherited: u16,
    /// Whether QoS 0 messages were published since the broker last confirmed that it had read everything.
    unconfirmed: bool,
    unread: UnreadPublishes,
    /// The number of unanswered PINGREQs.
    pings: u32,
    /// Received QoS 2 messages that are delivered but not yet released ([MQTT-4.3.3-10]).
    unreleased: HashSet<u16>,
    inbound_aliases: InboundAliases,
    outbound_aliases: OutboundAliases,
    /// Responses to requests that were not sent.
    refusals: VecDeque<Refusal>,
    /// The latest response to a SUBSCRIBE, with the filters that were omitted from the packet.
    answer: Box<[u8]>,
    /// The Receive Maximum of our CONNECT.
    own_receive_maximum: u16,
}

impl Session {
    /// A new session. `properties` are those of the CONNECT that will be sent.
    #[must_use]
    pub fn new(protocol: Protocol, max_inflight: u16, properties: &PropertyBlock) -> Self {
        let view = properties.view();
        let two = |id| view.number(id).and_then(|number| u16::try_from(number).ok());
        Self {
            protocol,
            max_inflight,
            window: max_inflight,
            limits: ServerLimits::default(),
            inflight: Inflight::new(),
            open_publishes: 0,
            open_requests: 0,
            answers: AnswerCounts::default(),
            refused: None,
            acknowledgements: Acknowledgements::default(),
            repeated_pubrecs: 0,
            unfinished: Unfinished::default(),
            was_connected: false,
            inherited: 0,
            unconfirmed: false,
            unread: UnreadPublishes::default(),
            pings: 0,
            unreleased: HashSet::new(),
            inbound_aliases: InboundAliases::new(two(PropertyId::TopicAliasMaximum).unwrap_or(0)),
            outbound_aliases: OutboundAliases::default(),
            refusals: VecDeque::new(),
            answer: Box::default(),
            own_receive_maximum: two(PropertyId::ReceiveMaximum).unwrap_or(u16::MAX),
        }
    }

    /// The Receive Maximum that the broker must respect. Before MQTT 5 it is the number of Packet
    /// Identifiers.
    #[must_use]
    pub(super) fn own_receive_maximum(&self) -> u16 {
        if self.protocol == Protocol::V5 { self.own_receive_maximum } else { u16::MAX }
    }

    /// The version of the link.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// What the broker allows on this link.
    #[must_use]
    pub fn limits(&self) -> &ServerLimits {
        &self.limits
    }

    /// The number of QoS 1 and 2 publishes that have not ended, including those waiting to be sent again.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        usize::from(self.open_publishes) + self.unfinished.known.len() + self.unfinished.forgotten.len()
    }

    /// Whether no response is awaited: publishes, subscriptions, unsubscriptions.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.requests_are_answered() && self.unacknowledged() == 0
    }

    /// Whether every SUBSCRIBE and UNSUBSCRIBE is answered.
    #[must_use]
    pub fn requests_are_answered(&self) -> bool {
        self.open_requests == 0 && self.refusals.is_empty()
    }

    /// Whether a received QoS 2 message still waits for its PUBREL.
    #[must_use]
    pub fn has_unreleased(&self) -> bool {
        !self.unreleased.is_empty()
    }

    /// Whether QoS 0 messages were sent that the broker has not confirmed.
    #[must_use]
    pub fn has_unconfirmed(&self) -> bool {
        self.unconfirmed
    }

    /// The broker answered a PINGREQ that was sent last: it has read everything.
    pub fn confirmed(&mut self) {
        self.unconfirmed = false;
        self.unread = UnreadPublishes::default();
    }

    /// The identifiers of received QoS 2 messages that are delivered but not yet released.
    pub fn unreleased(&self) -> impl Iterator<Item = u16> + '_ {
        self.unreleased.iter().copied()
    }

    /// The packet identifier, QoS and token of each publish that has an identifier now.
    pub fn open_publishes(&self) -> impl Iterator<Item = (u16, QoS, u64)> + '_ {
        self.inflight.iter().filter_map(|(identifier, entry)| match entry {
            OpenIdentifier::Publish { qos, token, .. } => Some((identifier, *qos, *token)),
            _ => None,
        })
    }

    /// Whether [`Session::publish`] may be called now: nothing older waits to be sent again, and at QoS 1 and
    /// 2 the window is open.
    #[must_use]
    pub fn can_publish(&self, qos: QoS) -> bool {
        self.unfinished.known.is_empty()
            && self.unfinished.forgotten.is_empty()
            && (qos == QoS::AtMostOnce || self.open_publishes < self.window)
    }

    /// The number of QoS 1 and 2 publishes that the window still admits.
    #[must_use]
    pub fn window_left(&self) -> u16 {
        self.window.saturating_sub(self.open_publishes)
    }

    /// Appends a PUBLISH. `keep` returns the payload for a possible resend and is called at QoS 1 and 2 only;
    /// with `None` the message ends with the link. Must be called only while [`Session::can_publish`].
    /// Returns the packet identifier, 0 at QoS 0.
    ///
    /// # Errors
    /// The broker's CONNACK excludes such a message. Nothing was appended, and the session is unchanged.
    pub fn publish(
        &mut self,
        out: &mut BytesMut,
        template: &Arc<PublishTemplate>,
        payload: &[u8],
        keep: impl FnOnce() -> Option<Bytes>,
        token: u64,
    ) -> Result<u16, Error> {
        self.limits.check_topic_alias(template).map_err(not_sent)?;
        let plain_bytes = template.packet_bytes(payload.len());
        let alias = self.outbound_aliases.choose(template, self.limits.topic_alias_maximum);
        let aliased_bytes = |chosen: Chosen| template.aliased_packet_bytes(!chosen.is_known, payload.len());
        // The packet that introduces an alias is larger. If that makes it too large, no alias is used.
        let alias = alias.filter(|chosen| self.limits.check_size(aliased_bytes(*chosen)).is_ok());
        let bytes = alias.map_or(plain_bytes, aliased_bytes);
        self.limits.check_publish(template, bytes).map_err(not_sent)?;
        spare(bytes)?;
        let identifier = if template.qos() == QoS::AtMostOnce {
            self.unconfirmed = true;
            self.unread.published(template);
            0
        } else {
            let kept = keep().map(|payload| Kept { template: Arc::clone(template), payload });
            self.open_publish(kept, template.qos(), token)
        };
        self.release_inherited(out, identifier, template.qos());
        match alias {
            None => template.put(out, identifier, false, payload),
            Some(Chosen { alias, is_known }) => {
                template.put_aliased(out, identifier, (alias, !is_known), payload);
                if !is_known {
                    self.outbound_aliases.sent(template, alias);
                }
            }
        }
        Ok(identifier)
    }

    /// Checks that the broker accepts such a message without topic alias.
    ///
    /// # Errors
    /// The broker's CONNACK excludes it.
    #[inline]
    pub fn check_publish(&self, template: &PublishTemplate, payload_bytes: usize) -> Result<(), Error> {
        self.limits.check_publish(template, template.packet_bytes(payload_bytes)).map_err(not_sent)
    }

    /// Appends several PUBLISH packets of a load. They differ only in what `patch` makes of each payload, and
    /// end with the link. Returns their number: `most`, or fewer if the window or the packet identifiers
    /// admit fewer. Their tokens count up from `token`. Must be called only while [`Session::can_publish`],
    /// with a template without topic alias.
    ///
    /// # Errors
    /// Like [`Session::publish`], for all of them.
    #[inline]
    pub fn publish_run(
        &mut self,
        out: &mut BytesMut,
        template: &PublishTemplate,
        payload: &[u8],
        most: u32,
        token: u64,
        patch: impl FnMut(u32, &mut [u8]),
    ) -> Result<u32, Error> {
        debug_assert_eq!(template.topic_alias(), wire::TopicAlias::None);
        self.check_publish(template, payload.len())?;
        let (identifier, count) = match template.qos() {
            QoS::AtMostOnce => {
                self.unconfirmed = true;
                (0, most)
            }
            qos => {
                let admitted = if self.inherited > 0 { 1 } else { self.window_left() };
                let most = u16::try_from(most).unwrap_or(u16::MAX).min(admitted);
                let (identifier, count) = self.inflight.open_run(qos, token, most);
                self.open_publishes += count;
                self.release_inherited(out, identifier, qos);
                (identifier, u32::from(count))
            }
        };
        template.put_run(out, identifier, count, payload, patch);
        Ok(count)
    }

    fn open_publish(&mut self, kept: Option<Kept>, qos: QoS, token: u64) -> u16 {
        self.open_publishes += 1;
        self.inflight.open_publish(kept, qos, token)
    }

    /// Appends a SUBSCRIBE; its response comes as [`Event::Subscribed`] with `token`. Filters that the broker
    /// would refuse are omitted, and appear in the response with the Reason Code for it.
    pub fn subscribe(
        &mut self,
        out: &mut BytesMut,
        subscriptions: &[Subscription<'_>],
        properties: &PropertyBlock,
        token: u64,
    ) {
        let has_identifier = properties.view().number(PropertyId::SubscriptionIdentifier).is_some();
        let refusal = |one: &Subscription<'_>| self.limits.refusal(one, has_identifier).map_or(0, |r| r.0);
        let mut refused: Vec<u8> = subscriptions.iter().map(refusal).collect();
        let asked: Vec<Subscription<'_>> = subscriptions
            .iter()
            .zip(&refused)
            .filter(|(_, refused)| **refused == 0)
            .map(|(one, _)| *one)
            .collect();
        if asked.is_empty() {
            return self.refusals.push_back(Refusal::subscribe(token, refused, NOT_SENT));
        }
        let start = out.len();
        let request = OpenRequest::Subscribe { token, refused: refused.as_slice().into() };
        let identifier = self.inflight.open_request(request);
        wire::subscribe(out, self.protocol, identifier, &asked, properties);
        if let Err((reason, text)) = self.limits.check_size(out.len() - start) {
            out.truncate(start);
            self.inflight.close(identifier);
            refused.iter_mut().filter(|refused| **refused == 0).for_each(|refused| *refused = reason.0);
            return self.refusals.push_back(Refusal::subscribe(token, refused, &text));
        }
        self.open_requests += 1;
    }

    /// Appends an UNSUBSCRIBE; its response comes as [`Event::Unsubscribed`] with `token`.
    pub fn unsubscribe(
        &mut self,
        out: &mut BytesMut,
        filters: &[&str],
        properties: &PropertyBlock,
        token: u64,
    ) {
        let start = out.len();
        let identifier =
            self.inflight.open_request(OpenRequest::Unsubscribe { token, filters: filters.len() });
        wire::unsubscribe(out, self.protocol, identifier, filters, properties);
        if let Err((reason, text)) = self.limits.check_size(out.len() - start) {
            out.truncate(start);
            self.inflight.close(identifier);
            let refusal = Refusal::unsubscribe(token, vec![reason.0; filters.len()], &text);
            return self.refusals.push_back(refusal);
        }
        self.open_requests += 1;
    }

    /// The response to a request that was not sent because the broker would refuse it. Process it like one
    /// from the broker.
    pub fn take_refusal(&mut self) -> Option<Refusal> {
        self.refusals.pop_front()
    }

    /// Appends a PINGREQ; its answer comes as [`Event::Pong`], after all responses to packets sent before.
    pub fn ping(&mut self, out: &mut BytesMut) {
        self.pings += 1;
        self.unread.pinged();
        wire::ping_request(out);
    }

    /// Processes successful PUBACKs with these identifiers as long as they are the expected ones: those of
    /// the oldest publishes in flight, in order. Returns the tokens of those publishes. The other PUBACKs go
    /// to [`Session::receive`], which handles any packet and takes much longer.
    #[inline]
    pub(super) fn acknowledged_in_order(&mut self, identifiers: impl Iterator<Item = u16>) -> Range<u64> {
        let tokens = self.inflight.close_oldest(identifiers);
        let count = u16::try_from(tokens.end - tokens.start).unwrap_or(u16::MAX);
        self.open_publishes = self.open_publishes.saturating_sub(count);
        self.answers.publishes += u64::from(count);
        if count > 0 {
            self.acknowledgements.latest = None;
        }
        tokens
    }

    /// Processes one packet: appends the response it needs, and returns its meaning.
    ///
    /// # Errors
    /// A packet the standard does not allow here, with the Reason Code to disconnect with.
    pub fn receive<'a>(
        &'a mut self,
        packet: &Packet<'a>,
        out: &mut BytesMut,
    ) -> Result<Option<Event<'a>>, Malformed> {
        self.acknowledgements.latest = None;
        match *packet {
            Packet::Publish(publish) => self.received_publish(publish, out),
            Packet::PubAck(ref ack) => self.received_puback(ack),
            Packet::PubRec(ref ack) => self.received_pubrec(ack, out),
            Packet::PubRel(ack) => {
                let known = self.unreleased.remove(&ack.packet_identifier);
                let reason =
                    if known { ReasonCode::SUCCESS } else { ReasonCode::PACKET_IDENTIFIER_NOT_FOUND };
                wire::ack(out, self.protocol, PacketType::PubComp, ack.packet_identifier, reason);
                self.acknowledgements.add(PacketType::PubComp, ack.packet_identifier);
                Ok(Some(Event::Released { packet_identifier: ack.packet_identifier }))
            }
            Packet::PubComp(ref ack) => Ok(self.received_pubcomp(ack)),
            Packet::SubAck { packet_identifier, properties, reasons } => {
                let Some(OpenRequest::Subscribe { token, refused }) =
                    self.inflight.request(packet_identifier)
                else {
                    return Err(unasked(PacketType::SubAck, packet_identifier));
                };
                let asked = refused.len() - refused.iter().filter(|refused| **refused != 0).count();
                if reasons.len() != asked {
                    return Err(wrong_count(PacketType::SubAck, reasons.len(), asked));
                }
                let (token, mut all) = (*token, std::mem::take(refused));
                self.close_request(packet_identifier);
                let open = all.iter_mut().filter(|refused| **refused == 0);
                open.zip(reasons).for_each(|(one, reason)| *one = *reason);
                self.answer = all;
                Ok(Some(Event::Subscribed { token, reasons: &self.answer, properties }))
            }
            Packet::UnsubAck { packet_identifier, properties, reasons } => {
                let Some(OpenRequest::Unsubscribe { token, filters }) =
                    self.inflight.request(packet_identifier)
                else {
                    return Err(unasked(PacketType::UnsubAck, packet_identifier));
                };
                let (token, filters) = (*token, *filters);
                if self.protocol == Protocol::V5 && reasons.len() != filters {
                    return Err(wrong_count(PacketType::UnsubAck, reasons.len(), filters));
                }
                self.close_request(packet_identifier);
                Ok(Some(Event::Unsubscribed { token, reasons, properties }))
            }
            // Unless it answers a PINGREQ, it says nothing.
            Packet::PingResp => Ok(self.pings.checked_sub(1).map(|left| {
                self.pings = left;
                if left == 0 && self.unread.ponged() {
                    self.answers.publishes += 1;
                }
                Event::Pong { last: left == 0 }
            })),
            Packet::Disconnect { reason, properties } if self.protocol == Protocol::V5 => {
                Ok(Some(Event::Disconnected { reason, properties }))
            }
            Packet::Auth { reason, properties } => Ok(Some(Event::Auth { reason, properties })),
            Packet::ConnAck { .. } => {
                Err(Malformed::protocol_error(PacketType::ConnAck, "sent twice on one connection"))
            }
            Packet::Connect(_) => Err(from_a_server(PacketType::Connect)),
            Packet::Subscribe { .. } => Err(from_a_server(PacketType::Subscribe)),
            Packet::Unsubscribe { .. } => Err(from_a_server(PacketType::Unsubscribe)),
            Packet::PingReq => Err(from_a_server(PacketType::PingReq)),
            Packet::Disconnect { .. } => Err(from_a_server(PacketType::Disconnect)),
        }
    }

    fn close_request(&mut self, packet_identifier: u16) {
        self.inflight.close(packet_identifier);
        self.open_requests = self.open_requests.saturating_sub(1);
        self.answers.requests += 1;
    }

    fn received_publish<'a>(
        &'a mut self,
        publish: Publish<'a>,
        out: &mut BytesMut,
    ) -> Result<Option<Event<'a>>, Malformed> {
        let (identifier, protocol) = (publish.packet_identifier, self.protocol);
        let mut duplicate = false;
        if publish.qos == QoS::ExactlyOnce {
            duplicate = !self.unreleased.insert(identifier); // [MQTT-4.3.3-10]
            let most = self.own_receive_maximum();
            if self.unreleased.len() > usize::from(most) {
                return Err(beyond_receive_maximum(most));
            }
        }
        let publish = self.inbound_aliases.resolve(publish)?;
        if let Some((packet, identifier)) = acknowledgement_of(&publish) {
            wire::ack(out, protocol, packet, identifier, ReasonCode::SUCCESS);
            self.acknowledgements.add(packet, identifier);
        }
        Ok((!duplicate).then_some(Event::Message(publish)))
    }

    fn received_puback<'a>(&mut self, ack: &Ack<'a>) -> Result<Option<Event<'a>>, Malformed> {
        let Some(OpenIdentifier::Publish { qos, token, .. }) = self.inflight.get(ack.packet_identifier)
        else {
            // A response to a publish sent before a reconnect; the publish itself was sent again.
            return Ok(None);
        };
        let token = *token;
        if *qos != QoS::AtLeastOnce {
            let what = "it answers a QoS 2 message (the broker treats QoS 2 as QoS 1)";
            return Err(Malformed::protocol_error(PacketType::PubAck, what));
        }
        Ok(Some(self.end_publish(ack, token)))
    }

    fn received_pubrec<'a>(
        &mut self,
        ack: &Ack<'a>,
        out: &mut BytesMut,
    ) -> Result<Option<Event<'a>>, Malformed> {
        let identifier = ack.packet_identifier;
        let Some(OpenIdentifier::Publish { qos, token, stage, .. }) = self.inflight.get(identifier) else {
            let reason = ReasonCode::PACKET_IDENTIFIER_NOT_FOUND;
            wire::ack(out, self.protocol, PacketType::PubRel, identifier, reason);
            return Ok(None);
        };
        if *qos != QoS::ExactlyOnce {
            let what = "it answers a message that is not QoS 2";
            return Err(Malformed::protocol_error(PacketType::PubRec, what));
        }
        if ack.reason.is_failure() {
            let token = *token;
            return Ok(Some(self.end_publish(ack, token))); // [MQTT-4.3.3-4]
        }
        let is_first = *stage == PublishStage::Published;
        *stage = PublishStage::Released;
        let token = *token;
        if !is_first {
            self.repeated_pubrecs += 1;
            if self.repeated_pubrecs > MOST_REPEATED_PUBRECS * u32::from(self.open_publishes.max(1)) {
                let what = "it answers PUBREL, again and again";
                return Err(Malformed::protocol_error(PacketType::PubRec, what));
            }
        }
        wire::ack(out, self.protocol, PacketType::PubRel, identifier, ReasonCode::SUCCESS);
        // A repeated PUBREC gets its PUBREL ([MQTT-4.3.3-4]) but is not progress.
        Ok(is_first.then_some(Event::Received { token }))
    }

    fn received_pubcomp<'a>(&mut self, ack: &Ack<'a>) -> Option<Event<'a>> {
        match self.inflight.get(ack.packet_identifier) {
            Some(OpenIdentifier::Publish { token, stage: PublishStage::Released, .. }) => {
                let token = *token;
                // Whatever the Reason Code, the broker had the message at PUBREC: "Packet Identifier not
                // found" answers a repeated PUBREL of an exchange that the broker had already completed.
                Some(self.end_publish(&Ack { reason: ReasonCode::SUCCESS, ..*ack }, token))
            }
            _ => None,
        }
    }

    fn end_publish<'a>(&mut self, ack: &Ack<'a>, token: u64) -> Event<'a> {
        self.count_answer(ack.packet_identifier, ack.reason);
        self.inflight.close(ack.packet_identifier);
        self.open_publishes = self.open_publishes.saturating_sub(1);
        self.repeated_pubrecs = 0;
        Event::Published { token, reason: ack.reason, properties: ack.properties }
    }

    /// The error for a broker's DISCONNECT.
    #[must_use]
    pub fn disconnected_error(reason: ReasonCode, properties: &Properties<'_>) -> Error {
        if !reason.is_failure() {
            return Error::link(Layer::Mqtt, "the broker ended the connection");
        }
        redirect::refused("the broker ended the connection", reason, properties).of(Denial::Disconnect)
    }
}

/// How many repeated PUBRECs are allowed for each QoS 2 message in flight. After PUBREL only PUBCOMP may
/// follow ([MQTT-4.3.3-8]), and each PUBREC is answered by another PUBREL: without a limit that could
/// continue forever.
const MOST_REPEATED_PUBRECS: u32 = 16;

/// Text next to the Reason Code, which names the broker's limit.
const NOT_SENT: &str = "not sent: the broker's CONNACK excludes it";

/// The error for a broker that exceeds the Receive Maximum with unacknowledged QoS 1 and 2 messages
/// ([MQTT-3.3.4-9]).
pub(super) fn beyond_receive_maximum(receive_maximum: u16) -> Malformed {
    let what = format!("more than the Receive Maximum of {receive_maximum}");
    Malformed::protocol_error(PacketType::Publish, what).with_reason(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED)
}

/// Checks that there is memory for a PUBLISH packet of this size.
fn spare(bytes: usize) -> Result<(), Error> {
    memory::spare(bytes)
        .map_err(|error| Error::file(format!("publish not sent: a packet of {bytes} bytes"), error))
}

fn unasked(packet: PacketType, identifier: u16) -> Malformed {
    Malformed::protocol_error(packet, format!("unknown packet identifier {identifier}"))
}

fn wrong_count(packet: PacketType, got: usize, expected: usize) -> Malformed {
    Malformed::protocol_error(
        packet,
        format!("{} for {}", counted(got as u64, "Reason Code"), counted(expected as u64, "filter")),
    )
}

fn from_a_server(packet: PacketType) -> Malformed {
    Malformed::protocol_error(packet, "a broker must not send this packet")
}
