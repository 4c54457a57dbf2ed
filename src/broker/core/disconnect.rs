//! All ways in which a connection ends, and the effects on session and will.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::allowed::check_reason;
use super::connection::ConnectionPhase;
use super::deadlines::TimerOf;
use super::message::{Routed, View, after};
use super::session::{EndedSession, Session, WillMessage};
use super::{ConnectionId, Core, SessionId};
use crate::broker::access::Rights;
use crate::broker::journal::{EventKind, Leaving};
use crate::protocol::Protocol;
use crate::protocol::property::{Properties, PropertyBlock, PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Malformed, PacketType, Publish};

/// Time for a peer to read the last bytes and to close its side. Without this wait, unread input would reset
/// the connection, and the peer would not receive the Reason Code.
const CLOSING_LIMIT: Duration = Duration::from_secs(1);
/// Stands for "does not expire".
const FOR_EVER: u32 = u32::MAX;

impl Core {
    /// DISCONNECT from a client.
    ///
    /// # Errors
    /// A Session Expiry Interval although CONNECT had none ([MQTT-3.1.2.11.2]), or a Reason Code that a client
    /// may not send.
    pub(super) fn disconnect_received(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        reason: ReasonCode,
        properties: Properties<'_>,
        now: Instant,
    ) -> Result<(), Malformed> {
        check_reason(PacketType::Disconnect, reason)?;
        if let Some(state) = self.sessions.get_mut(session)
            && let Some(seconds) = properties.number(PropertyId::SessionExpiryInterval)
        {
            if state.expiry_seconds == 0 && seconds != 0 {
                let what = "Session Expiry Interval, which was 0 in CONNECT";
                return Err(Malformed::protocol_error(PacketType::Disconnect, what));
            }
            state.expiry_seconds = seconds.min(self.options.limits.session_expiry_interval);
        }
        if reason == ReasonCode::SUCCESS {
            self.take_will(session); // [MQTT-3.1.2-10]
        }
        self.tell_leaving(id, Leaving::Disconnected(reason));
        self.leave(id, false, now);
        Ok(())
    }

    /// Ends a connection after a protocol error ([MQTT-4.13.1-1]).
    pub(super) fn fail(&mut self, id: ConnectionId, packet: &[u8], malformed: &Malformed, now: Instant) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.phase == ConnectionPhase::Connecting {
            self.fail_connect(id, packet, malformed, now);
        } else {
            self.disconnect(id, malformed.reason, &malformed.to_string(), now);
        }
    }

    /// Ends a connection with an invalid CONNECT. Only two kinds are answered: an unknown version, in the format of
    /// the newest version that the broker supports ([MQTT-3.1.2-2]), and MQTT 5 ([MQTT-3.1.4-1]), except where the
    /// violation [`Malformed::is_unanswered`].
    fn fail_connect(&mut self, id: ConnectionId, packet: &[u8], malformed: &Malformed, now: Instant) {
        let is_connect = packet.first().is_some_and(|first| first >> 4 == PacketType::Connect as u8);
        // For any length of the fixed header: the protocol name is followed by the protocol level.
        let is_v5 = packet.windows(7).take(5).any(|bytes| bytes == b"\x00\x04MQTT\x05");
        let newest = self.newest_protocol();
        let is_answered = is_connect && !malformed.is_unanswered;
        if is_answered && let Some(connection) = self.connections.get_mut(id) {
            let mut properties = PropertyBlock::default();
            if is_v5 {
                connection.protocol = Protocol::V5;
                properties.push(PropertyId::ReasonString, Value::Text(&malformed.to_string()));
                let sent = connection.put(&properties, |out, properties| {
                    wire::connack(out, Protocol::V5, false, malformed.reason, properties);
                });
                self.statistics.packets_sent += u64::from(sent);
            } else if malformed.reason == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION {
                connection.protocol = newest;
                wire::connack(&mut connection.out, newest, false, malformed.reason, &properties);
                self.statistics.packets_sent += 1;
            }
        }
        self.trace_sent(id);
        if self.is_watched() {
            self.tell_leaving(id, Leaving::Ended(malformed.reason, &malformed.to_string()));
        }
        self.leave(id, false, now);
    }

    /// Ends a connection; clients of MQTT 5 get the reason.
    pub(super) fn disconnect(&mut self, id: ConnectionId, reason: ReasonCode, text: &str, now: Instant) {
        let withheld = self.withheld(PacketType::Disconnect);
        if let Some(connection) = self.connections.get_mut(id)
            && connection.protocol == Protocol::V5
            && connection.session().is_some()
            && !withheld
        {
            let mut properties = PropertyBlock::default();
            if !text.is_empty() && connection.problem_information {
                properties.push(PropertyId::ReasonString, Value::Text(text));
            }
            let sent = connection.put(&properties, |out, properties| {
                wire::disconnect(out, Protocol::V5, reason, properties);
            });
            self.statistics.packets_sent += u64::from(sent);
        }
        self.trace_sent(id);
        self.tell_leaving(id, Leaving::Ended(reason, text));
        self.leave(id, false, now);
    }

    /// The transport has ended: nothing more can be sent, and the identifier is free.
    pub(in crate::broker) fn close(&mut self, id: ConnectionId, now: Instant) {
        self.tell_leaving(id, Leaving::Closed);
        self.leave(id, true, now);
        self.take_checking(id);
        if let Some(mut connection) = self.connections.remove(id) {
            self.partial_bytes -= connection.left.partial_bytes;
            self.buffer_bytes -= connection.left.buffer_bytes;
            self.over_limit -= usize::from(connection.is_over);
            self.deadlines.set(TimerOf::Connection(id), &mut connection.timer, None);
        }
    }

    /// Closes all connections without DISCONNECT, like a network failure. Sessions stay.
    pub(in crate::broker) fn cut_all(&mut self, now: Instant) {
        let ids: Vec<ConnectionId> = self.connections.iter().map(|(id, _)| id).collect();
        for id in ids {
            self.tell_leaving(id, Leaving::Cut);
            self.leave(id, true, now);
        }
    }

    /// Sends DISCONNECT to all clients.
    pub(in crate::broker) fn shut_down(&mut self, now: Instant) {
        self.is_shutting_down = true;
        let ids: Vec<ConnectionId> = self.connections.iter().map(|(id, _)| id).collect();
        for id in ids {
            self.disconnect(id, ReasonCode::SERVER_SHUTTING_DOWN, "", now);
        }
    }

    /// Disconnects the session from its connection. Pending output is still written, unless `at_once`.
    pub(super) fn leave(&mut self, id: ConnectionId, at_once: bool, now: Instant) {
        self.release_publishers(id, now);
        let Some(connection) = self.connections.get_mut(id) else { return };
        let session = connection.session();
        connection.paused = false;
        if at_once || connection.phase == ConnectionPhase::Dead {
            connection.phase = ConnectionPhase::Dead;
        } else if connection.phase != ConnectionPhase::Closing {
            connection.phase = ConnectionPhase::Closing;
            connection.ends_at = now.checked_add(CLOSING_LIMIT);
        }
        self.touch(id);
        self.arm(id, now);
        if let Some(session) = session {
            self.detach(session, now);
        }
    }

    /// Handles a session after the loss of its connection: will and session expiry are due now or later.
    fn detach(&mut self, id: SessionId, now: Instant) {
        self.queue_late(id);
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.connection.take().is_some() {
            self.statistics.clients -= 1;
        }
        session.in_flight.rewind();
        if session.expiry_seconds == 0 {
            return self.end_session(id, now);
        }
        session.ends_at =
            if session.expiry_seconds == FOR_EVER { None } else { after(now, session.expiry_seconds) };
        session.will_at = session.will.as_ref().and_then(|will| after(now, will.delay_seconds));
        if session.will_at == Some(now) {
            session.will_at = None;
            let rights = session.rights.clone();
            let will = self.take_will(id);
            self.publish_will(id, will, rights.as_deref(), now);
        }
        self.arm_session(id);
    }

    /// Sets the deadline of a session.
    pub(super) fn arm_session(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let at = match (session.will_at, session.ends_at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.deadlines.set(TimerOf::Session(id), &mut session.timer, at);
    }

    pub(super) fn session_due(&mut self, id: SessionId, now: Instant) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.timer = None;
        if session.ended.is_some() {
            return self.remove_ended(id, now);
        }
        if session.ends_at.is_some_and(|at| at <= now) {
            self.statistics.sessions_expired += 1;
            self.tell_of_session(id, EventKind::Expired);
            return self.end_session(id, now);
        }
        if session.will_at.is_some_and(|at| at <= now) {
            session.will_at = None;
            let rights = session.rights.clone();
            let will = self.take_will(id);
            self.publish_will(id, will, rights.as_deref(), now);
        }
        self.arm_session(id);
    }

    /// Ends a session, and publishes a will that waited for this ([MQTT-3.1.3.2.2]). Nothing more is sent to
    /// it. Subscriptions beyond the work of a turn are removed in later turns.
    pub(super) fn end_session(&mut self, id: SessionId, now: Instant) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if session.ended.is_some() {
            return;
        }
        let name = Arc::clone(&session.client_identifier);
        let mut session = std::mem::replace(session, Session::new(name));
        self.ended_sessions += 1;
        self.names.remove(&session.client_identifier);
        self.deadlines.set(TimerOf::Session(id), &mut session.timer, None);
        self.release_all(&session);
        let (will, rights) = (session.will.take(), session.rights.clone());
        let mut ended = EndedSession::of(session);
        if self.is_shutting_down {
            ended.orphans.clear();
        }
        let orphan_bytes = ended.orphan_bytes();
        if let Some(place) = self.sessions.get_mut(id) {
            place.ended = Some(ended);
            place.held_bytes = orphan_bytes;
            self.held_bytes += orphan_bytes;
        }
        self.publish_will(id, will, rights.as_deref(), now);
        self.remove_ended(id, now);
    }

    /// `rights` are the current rights of the client, which may be fewer than at CONNECT.
    fn publish_will(
        &mut self,
        id: SessionId,
        will: Option<WillMessage>,
        rights: Option<&Rights>,
        now: Instant,
    ) {
        let Some(will) = will else { return };
        let expires = will.expiry_seconds.and_then(|seconds| after(now, seconds));
        let view = View { expires, ..will.message.view() };
        let Ok(name) = std::str::from_utf8(view.topic) else { return };
        if rights.is_some_and(|rights| !rights.may_write(name)) {
            return;
        }
        let View { topic, qos, retain, .. } = view;
        self.tell_of_session(id, EventKind::Will { topic, qos, retain, payload_bytes: view.payload.len() });
        let mut routed = Routed::borrowed(view);
        if view.retain && !self.retain(&mut routed) {
            let publish = Publish {
                dup: false,
                qos,
                retain,
                packet_identifier: 0,
                topic,
                properties: view.properties,
                payload: view.payload,
            };
            let reason = ReasonCode::QUOTA_EXCEEDED;
            self.tell_of_session(id, EventKind::Denied { publish: &publish, topic: name, reason });
        }
        self.route(&mut routed, name, None, now);
    }
}
