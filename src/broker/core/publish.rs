//! PUBLISH from a client: refusal and routing.

use std::sync::Arc;
use std::time::Instant;

use super::bounds::{ALIAS_BYTES, BYTES_OF_WORK, RECEIVED_BYTES};
use super::deliver::Delivery;
use super::message::{Routed, Sorted, View};
use super::session::presence;
use super::shared::LargeParts;
use super::subscriptions::{Presence, is_too_deep};
use super::{ConnectionId, Core, SessionId};
use crate::broker::journal::EventKind;
use crate::broker::options::Feature;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Malformed, PacketType, Publish};
use crate::protocol::{Protocol, QoS, topic};

/// Whether a bridge is connected, which the bridge publishes itself.
const BRIDGES: &[u8] = b"$SYS/broker/connection/+/state";

fn broken(what: &'static str, reason: ReasonCode) -> Malformed {
    Malformed::protocol_error(PacketType::Publish, what).with_reason(reason)
}

impl Core {
    /// Checks the fixed header of a PUBLISH by the standard and by what was announced to the client.
    fn check_header(&self, id: ConnectionId, publish: &Publish<'_>) -> Result<(), Malformed> {
        if publish.qos > self.options.limits.maximum_qos {
            return Err(broken("QoS over the Maximum QoS", ReasonCode::QOS_NOT_SUPPORTED)); // [MQTT-3.2.2-11]
        }
        if publish.retain && !self.options.limits.has(Feature::Retain) {
            return Err(broken("RETAIN is not available", ReasonCode::RETAIN_NOT_SUPPORTED)); // [MQTT-3.2.2-14]
        }
        if publish.dup && publish.qos == QoS::AtMostOnce && self.speaks(id, Protocol::V3_1_1) {
            return Err(broken("DUP at QoS 0", ReasonCode::MALFORMED_PACKET)); // 3.1.1 [MQTT-3.3.1-2]
        }
        Ok(())
    }

    /// Handles a PUBLISH.
    ///
    /// # Errors
    /// A protocol error, or a limit that was announced to the client.
    pub(super) fn publish(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        publish: &Publish<'_>,
        now: Instant,
    ) -> Result<(), Malformed> {
        self.statistics.messages_received += 1;
        self.statistics.payload_bytes_received += publish.payload.len() as u64;
        self.work += (publish.payload.len() + publish.properties.block().len()) / BYTES_OF_WORK;
        if let Some(rate) = self.options.limits.message_rate
            && let Some(connection) = self.connections.get_mut(id)
            && connection.count_message(rate, now)
        {
            self.arm(id, now);
        }
        self.check_header(id, publish)?;
        let sorted = Sorted::new(PacketType::Publish, publish.properties)?;
        let alias;
        let name = match self.resolve(id, publish.topic, sorted.topic_alias)? {
            Name::Given(name) => name,
            Name::Alias(name) => {
                alias = name;
                &*alias
            }
        };
        if publish.qos == QoS::ExactlyOnce
            && self.sessions.get(session).is_some_and(|s| s.received.contains(&publish.packet_identifier))
        {
            // It was passed on when first received ([MQTT-4.3.3-10]).
            self.acknowledge(id, PacketType::PubRec, publish.packet_identifier, ReasonCode::SUCCESS);
            return Ok(());
        }
        self.check_receive_maximum(id, session, publish)?;
        let refusal = self.refusal_on_request(name);
        let rights = self.sessions.get(session).and_then(|session| session.rights.as_ref());
        let denied = rights.filter(|rights| !rights.may_write(name)).map(|_| ReasonCode::NOT_AUTHORIZED);
        let denied = denied.or(self.is_reserved(name).then_some(ReasonCode::NOT_AUTHORIZED));
        let mut is_held = false;
        let reason = if let Some(reason) = refusal.or(denied) {
            self.tell(id, EventKind::Denied { publish, topic: name, reason });
            reason
        } else if publish.qos == QoS::ExactlyOnce && !self.hold_received(session) {
            let reason = ReasonCode::QUOTA_EXCEEDED;
            self.tell(id, EventKind::Denied { publish, topic: name, reason });
            reason
        } else {
            is_held = publish.qos == QoS::ExactlyOnce;
            let publisher = self.sessions.get(session).map(|s| Arc::clone(&s.client_identifier));
            let properties = sorted.forwarded();
            let input = self.input.as_ref();
            let large = LargeParts::of(publish.payload, properties.block(), input, &self.output_total);
            let view = View {
                topic: name.as_bytes(),
                payload: publish.payload,
                properties,
                expires: sorted.expires(now),
                qos: publish.qos,
                retain: publish.retain,
                publisher: publisher.as_ref(),
                shared: None,
                large: Some(&large),
            };
            // Large parts are stored once for all receivers.
            let stored = (!large.is_empty()).then(|| view.store());
            let mut routed = stored.as_ref().map_or_else(|| Routed::borrowed(view), Routed::stored);
            let kept = !publish.retain || self.retain(&mut routed);
            if !kept {
                self.tell(id, EventKind::Denied { publish, topic: name, reason: ReasonCode::QUOTA_EXCEEDED });
            }
            if !kept && publish.qos != QoS::AtMostOnce && self.speaks(id, Protocol::V5) {
                // The client may publish it again, so it is not passed on.
                ReasonCode::QUOTA_EXCEEDED
            } else {
                if publish.qos == QoS::ExactlyOnce {
                    self.accept_once(id, session, publish.packet_identifier);
                }
                let matched = self.route(&mut routed, name, Some((id, session)), now);
                // As in mosquitto, whose PUBREC does not say it.
                let is_unmatched = !matched && publish.qos == QoS::AtLeastOnce;
                if is_unmatched { ReasonCode::NO_MATCHING_SUBSCRIBERS } else { ReasonCode::SUCCESS }
            }
        };
        if is_held && reason.is_failure() {
            self.release(session, RECEIVED_BYTES);
        }
        let answer = match publish.qos {
            QoS::AtLeastOnce => Some(PacketType::PubAck),
            QoS::ExactlyOnce if reason.is_failure() => Some(PacketType::PubRec),
            _ => None,
        };
        if let Some(answer) = answer {
            let sent = self.acknowledge(id, answer, publish.packet_identifier, reason);
            if !sent
                && publish.qos == QoS::AtLeastOnce
                && let Some(connection) = self.connections.get_mut(id)
            {
                connection.unacknowledged.insert(publish.packet_identifier);
            }
        }
        Ok(())
    }

    /// The Reason Code of a fault on request that refuses this message, if one falls on it.
    fn refusal_on_request(&mut self, name: &str) -> Option<ReasonCode> {
        let mut refusals = self.options.faults.refuse_publish.iter();
        let refusal = refusals
            .find(|refusal| topic::matches(refusal.topic_filter.as_bytes(), name.as_bytes()))
            .map(|refusal| (refusal.reason_code, refusal.share));
        refusal.filter(|(_, share)| self.falls(*share)).map(|(reason, _)| reason)
    }

    /// Whether no client may publish to a topic: names that look like a shared subscription, and the broker's own
    /// below `$SYS`, except those of bridges ([MQTT-4.7.2-1]).
    pub(super) fn is_reserved(&self, name: &str) -> bool {
        name.starts_with(topic::SHARE)
            || self.options.system_interval.is_some()
                && topic::is_of_server(name.as_bytes())
                && !topic::matches(BRIDGES, name.as_bytes())
    }

    /// Whether a connection uses this version.
    fn speaks(&self, id: ConnectionId, protocol: Protocol) -> bool {
        self.connections.get(id).is_some_and(|connection| connection.protocol == protocol)
    }

    /// The topic name of a PUBLISH; resolves or records its alias.
    fn resolve<'a>(
        &mut self,
        id: ConnectionId,
        name: &'a [u8],
        alias: Option<u16>,
    ) -> Result<Name<'a>, Malformed> {
        let Some(alias) = alias else { return check_name(name).map(Name::Given) };
        if alias > self.options.limits.topic_alias_maximum {
            // [MQTT-3.3.2-9]
            return Err(broken("Topic Alias over the Topic Alias Maximum", ReasonCode::TOPIC_ALIAS_INVALID));
        }
        let Some(connection) = self.connections.get_mut(id) else { return check_name(name).map(Name::Given) };
        if name.is_empty() {
            let known = connection.aliases.get(&alias).cloned();
            let unknown = || broken("unknown Topic Alias without a topic name", ReasonCode::PROTOCOL_ERROR);
            return known.map(Name::Alias).ok_or_else(unknown); // [MQTT-3.3.2-12]
        }
        let name = check_name(name)?;
        let old = connection.aliases.get(&alias).map_or(0, |old| old.len() + ALIAS_BYTES);
        let bytes = name.len() + ALIAS_BYTES;
        if !self.has_last_room(bytes) {
            return Err(broken("no memory is left for a Topic Alias", ReasonCode::QUOTA_EXCEEDED));
        }
        let Some(connection) = self.connections.get_mut(id) else { return Ok(Name::Given(name)) };
        connection.aliases.insert(alias, name.into());
        connection.left.alias_bytes = connection.left.alias_bytes + bytes - old;
        self.count_buffers(id);
        Ok(Name::Given(name))
    }

    /// Counts the client's messages in flight against the broker's Receive Maximum ([MQTT-3.3.4-9]). MQTT 3.x
    /// cannot announce it, and the limit holds there as well.
    fn check_receive_maximum(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        publish: &Publish<'_>,
    ) -> Result<(), Malformed> {
        let Some(connection) = self.connections.get(id) else { return Ok(()) };
        if publish.qos == QoS::AtMostOnce {
            return Ok(());
        }
        if connection.unacknowledged.contains(&publish.packet_identifier) {
            return Ok(());
        }
        let received = self.sessions.get(session).map_or(0, |session| session.received.len());
        if connection.unacknowledged.len() + received >= usize::from(self.options.limits.receive_maximum) {
            return Err(broken(
                "more than the Receive Maximum in flight",
                ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
            ));
        }
        Ok(())
    }

    /// Stores a retained message, or removes the topic's message if the payload is empty ([MQTT-3.3.1-5],
    /// [MQTT-3.3.1-6]); `false` if the limits do not allow it.
    pub(super) fn retain(&mut self, routed: &mut Routed<'_>) -> bool {
        if routed.view.payload.is_empty() {
            self.retained.remove(routed.view.topic);
            return true;
        }
        if !self.has_room(routed.view.bytes()) {
            // The old message would be outdated.
            self.retained.remove(routed.view.topic);
            return false;
        }
        let limits = &self.options.limits;
        self.retained.insert(routed.message(), limits.retained_messages, limits.retained_bytes)
    }

    /// Passes a message to all subscribers; returns whether there were any. A session with several matching
    /// subscriptions gets it once, with the highest QoS and all Subscription Identifiers ([MQTT-3.3.4-2],
    /// [MQTT-3.3.4-4]).
    pub(super) fn route(
        &mut self,
        routed: &mut Routed<'_>,
        name: &str,
        from: Option<(ConnectionId, SessionId)>,
        now: Instant,
    ) -> bool {
        let mut matches = std::mem::take(&mut self.matches);
        let sessions = &self.sessions;
        let presence = |id| presence(sessions, id);
        self.work += self.subscriptions.matching(name, presence, &mut matches);
        if self.ended_sessions > 0 {
            matches.retain(|m| presence(m.subscriber.session) != Presence::Ended);
        }
        if self.options.access.has_permissions() {
            let may_read = |id| {
                let rights = sessions.get(id).and_then(|session| session.rights.as_ref());
                rights.is_none_or(|rights| rights.may_read(name))
            };
            matches.retain(|m| may_read(m.subscriber.session));
        }
        // A subscription that No Local passes over is one that matches.
        let any = !matches.is_empty();
        let publisher = from.map(|(_, session)| session);
        matches.retain(|m| !(m.subscriber.no_local && Some(m.subscriber.session) == publisher)); // [MQTT-3.8.3-3]
        if matches.len() > 1 {
            matches.sort_unstable_by_key(|m| (m.share.is_some(), m.subscriber.session));
        }
        let mut identifiers = std::mem::take(&mut self.identifiers);
        let mut rest = &matches[..];
        while let Some(first) = rest.first() {
            let same =
                |m: &&super::Match| m.share.is_none() && m.subscriber.session == first.subscriber.session;
            let count = if first.share.is_some() { 1 } else { rest.iter().take_while(same).count() };
            let (group, after) = rest.split_at(count);
            rest = after;
            identifiers.clear();
            identifiers.extend(group.iter().map(|m| m.subscriber.identifier).filter(|id| *id != 0));
            let granted = group.iter().map(|m| m.subscriber.qos).max().unwrap_or_default();
            let as_published = group.iter().any(|m| m.subscriber.retain_as_published);
            let delivery = Delivery {
                qos: granted.min(routed.view.qos),
                retain: as_published && routed.view.retain, // [MQTT-3.3.1-12], [MQTT-3.3.1-13]
                identifiers: &identifiers,
                share: first.share,
            };
            self.deliver(first.subscriber.session, routed, delivery, from.map(|(id, _)| id), now);
        }
        matches.clear();
        self.matches = matches;
        self.identifiers = identifiers;
        any
    }
}

/// The source of a topic name.
enum Name<'a> {
    Given(&'a str),
    Alias(Arc<str>),
}

/// Checks the name of a topic that a client publishes to.
///
/// # Errors
/// It is invalid ([MQTT-4.7.1-1], [MQTT-4.7.3-1]), or has too many levels.
pub(super) fn check_name(name: &[u8]) -> Result<&str, Malformed> {
    // An empty name without an alias is 0x81 in mosquitto 2.1; section 4.13.1 leaves the choice of 0x81 and 0x82.
    let broken_name = |error| Malformed::topic_name(error).with_reason(ReasonCode::MALFORMED_PACKET);
    let name = topic::check_name(name).map_err(broken_name)?;
    if is_too_deep(name) {
        return Err(broken("the topic name has too many levels", ReasonCode::MALFORMED_PACKET));
    }
    Ok(name)
}
