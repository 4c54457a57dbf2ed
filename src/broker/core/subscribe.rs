//! SUBSCRIBE and UNSUBSCRIBE.

use std::time::Instant;

use super::connection::Unsubscribe;
use super::session::Replay;
use super::subscriptions::{self, SubscribedSession, Subscriptions};
use super::{ConnectionId, Core, SessionId};
use crate::broker::journal::EventKind;
use crate::broker::options::Feature;
use crate::protocol::property::{Properties, PropertyId};
use crate::protocol::reason::ReasonCode;
use crate::protocol::topic::{self, TopicError};
use crate::protocol::wire::{self, Malformed, PacketType, Subscription, SubscriptionList};

/// Maximum number of topic filters in one packet: more than a session may have by default.
pub(super) const PACKET_FILTERS: usize = 20_000;

/// Maximum number of levels of all topic filters in one SUBSCRIBE. Each may be a new node of the tree, and
/// the packet is handled in one turn, for which other clients wait.
pub(super) const PACKET_LEVELS: usize = 100_000;

impl Core {
    /// Handles a SUBSCRIBE: the answer first, then the retained messages.
    ///
    /// # Errors
    /// No Local on a shared subscription ([MQTT-3.8.3-4]), or an answer above the client's Maximum Packet
    /// Size.
    pub(super) fn subscribe(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        packet_identifier: u16,
        properties: Properties<'_>,
        filters: SubscriptionList<'_>,
        now: Instant,
    ) -> Result<(), Malformed> {
        Self::check_filters(PacketType::Subscribe, &filters)?;
        let identifier = properties.number(PropertyId::SubscriptionIdentifier).unwrap_or(0);
        let broken = |s: Subscription<'_>| s.no_local && topic::shared(s.filter).is_some();
        if filters.iter().any(broken) {
            let what = "No Local on a shared subscription";
            return Err(Malformed::protocol_error(PacketType::Subscribe, what));
        }
        let mut levels = 0;
        let reasons: Vec<ReasonCode> = filters
            .iter()
            .map(|filter| {
                let own = subscriptions::levels(filter.filter);
                levels += own;
                // If this turn is used up, the retained messages are sent in the next.
                self.work += own;
                if levels > PACKET_LEVELS {
                    return ReasonCode::QUOTA_EXCEEDED;
                }
                match self.add_subscription(session, &filter, identifier) {
                    Ok(()) => {
                        let qos = filter.qos.min(self.options.limits.maximum_qos);
                        self.tell(id, EventKind::Subscribed { filter: filter.filter, qos });
                        ReasonCode(qos as u8)
                    }
                    Err(reason) => reason,
                }
            })
            .collect();
        self.answer(id, PacketType::SubAck, packet_identifier, &reasons)?;
        self.pump(session, now);
        Ok(())
    }

    /// Checks that each filter is well-formed ([MQTT-4.7.1-1], [MQTT-4.7.3-1], [MQTT-4.8.2-1]) and not too deep,
    /// and that the packet stays within the limits on its work.
    fn check_filters(packet: PacketType, filters: &SubscriptionList<'_>) -> Result<(), Malformed> {
        let mut first = filters.iter().take(PACKET_FILTERS);
        if let Some((filter, error)) =
            first.find_map(|s| Some((s.filter, topic::check_filter(s.filter.as_bytes()).err()?)))
        {
            // A '#' in the share name is also one that is not the last level.
            let has_misplaced_wildcard = topic::shared(filter).is_some_and(|(name, _)| name.contains('#'));
            let reason = match error {
                TopicError::Share if !has_misplaced_wildcard => ReasonCode::PROTOCOL_ERROR,
                _ => ReasonCode::MALFORMED_PACKET,
            };
            let what = format!("topic filter: {error}");
            return Err(Malformed::protocol_error(packet, what).with_reason(reason));
        }
        if filters.iter().take(PACKET_FILTERS).any(|s| subscriptions::is_too_deep(s.filter)) {
            let what = "a topic filter has too many levels";
            return Err(Malformed::protocol_error(packet, what).with_reason(ReasonCode::MALFORMED_PACKET));
        }
        if filters.iter().nth(PACKET_FILTERS).is_none() {
            return Ok(());
        }
        let what = "more topic filters than one packet may have";
        Err(Malformed::protocol_error(packet, what).with_reason(ReasonCode::QUOTA_EXCEEDED))
    }

    /// Sends SUBACK or UNSUBACK, unless a simulated fault withholds it.
    ///
    /// # Errors
    /// It exceeds the client's Maximum Packet Size and cannot be shortened ([MQTT-3.1.2-24]).
    fn answer(
        &mut self,
        id: ConnectionId,
        packet: PacketType,
        packet_identifier: u16,
        reasons: &[ReasonCode],
    ) -> Result<(), Malformed> {
        if self.withheld(packet) {
            return Ok(());
        }
        let Some(connection) = self.connections.get_mut(id) else { return Ok(()) };
        let before = connection.out.len();
        let write = if packet == PacketType::SubAck { wire::suback } else { wire::unsuback };
        write(&mut connection.out, connection.protocol, packet_identifier, reasons);
        if connection.out.len() - before > connection.maximum_packet_size as usize {
            connection.out.truncate(before);
            let what = "larger than the client's Maximum Packet Size";
            return Err(Malformed::protocol_error(packet, what).with_reason(ReasonCode::PACKET_TOO_LARGE));
        }
        self.statistics.packets_sent += 1;
        Ok(())
    }

    /// Adds or replaces one subscription ([MQTT-3.8.4-3]).
    fn add_subscription(
        &mut self,
        session: SessionId,
        subscription: &Subscription<'_>,
        identifier: u32,
    ) -> Result<(), ReasonCode> {
        let filter = topic::check_filter(subscription.filter.as_bytes());
        let filter = filter.map_err(|_| ReasonCode::TOPIC_FILTER_INVALID)?;
        let mut refusals = self.options.faults.refuse_subscribe.iter();
        if let Some(refusal) = refusals.find(|r| r.topic_filter == filter || r.topic_filter == "#") {
            let (reason, share) = (refusal.reason_code, refusal.share);
            if self.falls(share) {
                return Err(reason);
            }
        }
        let options = &self.options;
        let shared = topic::shared(filter);
        let levels = shared.map_or(filter, |(_, levels)| levels);
        if shared.is_some() && !options.limits.has(Feature::SharedSubscriptions) {
            return Err(ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED);
        }
        if levels.contains(['+', '#']) && !options.limits.has(Feature::WildcardSubscriptions) {
            return Err(ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED);
        }
        if identifier != 0 && !options.limits.has(Feature::SubscriptionIdentifiers) {
            return Err(ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED);
        }
        let Some(state) = self.sessions.get(session) else { return Err(ReasonCode::UNSPECIFIED) };
        if state.filters.len() >= options.limits.subscriptions && !state.filters.contains_key(filter) {
            return Err(ReasonCode::QUOTA_EXCEEDED);
        }
        if !self.has_last_room(Subscriptions::most_memory(filter)) {
            return Err(ReasonCode::QUOTA_EXCEEDED);
        }
        let options = &self.options;
        let Some(state) = self.sessions.get_mut(session) else { return Err(ReasonCode::UNSPECIFIED) };
        let qos = subscription.qos.min(options.limits.maximum_qos);
        let no_local = subscription.no_local;
        let subscriber = SubscribedSession {
            session,
            qos,
            no_local,
            retain_as_published: subscription.retain_as_published,
            identifier,
        };
        let new = self.subscriptions.insert(filter, subscriber).ok_or(ReasonCode::QUOTA_EXCEEDED)?;
        if new {
            state.filters.insert(filter.into(), 0);
        }
        let wanted = match subscription.retain_handling {
            0 => true,  // [MQTT-3.3.1-9]
            1 => new,   // [MQTT-3.3.1-10]
            _ => false, // [MQTT-3.3.1-11]
        };
        // Shared subscriptions get no retained messages ([MQTT-4.8.2]).
        if wanted && shared.is_none() && self.retained.len() > 0 {
            let (filter, cursor) = (filter.into(), Vec::new());
            state.replay(Replay { filter, qos, no_local, identifier, cursor, number: 0 });
        }
        Ok(())
    }

    /// Handles an UNSUBSCRIBE. Filters beyond the work of a turn are removed in later turns; the answer
    /// follows then.
    ///
    /// # Errors
    /// The answer exceeds the client's Maximum Packet Size.
    pub(super) fn unsubscribe(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        packet_identifier: u16,
        filters: SubscriptionList<'_>,
        now: Instant,
    ) -> Result<(), Malformed> {
        Self::check_filters(PacketType::Unsubscribe, &filters)?;
        let mut filters = filters.iter();
        let mut reasons = Vec::new();
        while !self.turn_is_over() {
            let Some(Subscription { filter, .. }) = filters.next() else {
                return self.unsubscribed(id, session, packet_identifier, &reasons, now);
            };
            reasons.push(self.remove_subscription(session, filter));
        }
        let mut filters: Vec<Box<str>> = filters.map(|subscription| subscription.filter.into()).collect();
        filters.reverse();
        if let Some(connection) = self.connections.get_mut(id) {
            let rest = Unsubscribe { packet_identifier, filters, reasons };
            connection.left.unsubscribe = Some(Box::new(rest));
            connection.left.unfinished = true;
        }
        Ok(())
    }

    /// Continues an UNSUBSCRIBE of an earlier turn, if there is one; returns whether it is done.
    pub(super) fn go_on_unsubscribing(&mut self, id: ConnectionId, session: SessionId, now: Instant) -> bool {
        let left = |core: &mut Self| core.connections.get_mut(id)?.left.unsubscribe.take();
        let Some(mut rest) = left(self) else { return true };
        while !self.turn_is_over() {
            let Some(filter) = rest.filters.pop() else {
                let Unsubscribe { packet_identifier, reasons, .. } = *rest;
                if let Err(malformed) = self.unsubscribed(id, session, packet_identifier, &reasons, now) {
                    self.fail(id, &[], &malformed, now);
                }
                return true;
            };
            rest.reasons.push(self.remove_subscription(session, &filter));
        }
        if let Some(connection) = self.connections.get_mut(id) {
            connection.left.unsubscribe = Some(rest);
            connection.left.unfinished = true;
        }
        false
    }

    fn remove_subscription(&mut self, session: SessionId, filter: &str) -> ReasonCode {
        self.work += 1;
        let Some(state) = self.sessions.get_mut(session) else { return ReasonCode::UNSPECIFIED };
        if state.filters.remove(filter).is_none() {
            return ReasonCode::NO_SUBSCRIPTION_EXISTED;
        }
        self.work += self.subscriptions.remove(filter, session).unwrap_or_default();
        ReasonCode::SUCCESS
    }

    fn unsubscribed(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        packet_identifier: u16,
        reasons: &[ReasonCode],
        now: Instant,
    ) -> Result<(), Malformed> {
        self.touch(id);
        self.answer(id, PacketType::UnsubAck, packet_identifier, reasons)?;
        // Messages may have waited for a replay that is now outdated.
        self.pump(session, now);
        Ok(())
    }
}
