//! CONNECT: the clients that are accepted, their sessions, and the contents of CONNACK.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::ConnectionPhase;
use super::message::{Sorted, View};
use super::publish::check_name;
use super::session::{Session, WillMessage};
use super::shared::LargeParts;
use super::{ConnectionId, Core, SessionId};
use crate::broker::faults::Share;
use crate::broker::journal::{EventKind, Leaving};
use crate::broker::options::Feature;
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Connect, LARGEST_PACKET_BYTES, Malformed, PacketType};
use crate::protocol::{Protocol, QoS};

/// Why a CONNECT is refused, as Reason Code and text.
type Refused = (ReasonCode, &'static str);

/// Topics for the control of the broker, which no will may have.
const CONTROL: &str = "$CONTROL/";

/// Seconds that stand for "does not expire" ([MQTT-3.1.2.11.2]).
const FOR_EVER: u32 = u32::MAX;

impl Core {
    /// Handles a CONNECT; `packet` has all its bytes.
    ///
    /// # Errors
    /// The packet breaks a rule of the standard on its properties.
    pub(super) fn connect(
        &mut self,
        id: ConnectionId,
        connect: &Connect<'_>,
        packet: &[u8],
        now: Instant,
    ) -> Result<(), Malformed> {
        let Some(connection) = self.connections.get_mut(id) else { return Ok(()) };
        connection.protocol = connect.protocol;
        let number = |property| connect.properties.number(property);
        connection.problem_information = number(PropertyId::RequestProblemInformation) != Some(0);
        connection.maximum_packet_size =
            number(PropertyId::MaximumPacketSize).unwrap_or(LARGEST_PACKET_BYTES);
        let receive_maximum = number(PropertyId::ReceiveMaximum).and_then(|most| u16::try_from(most).ok());
        connection.window =
            usize::from(self.options.limits.in_flight.min(receive_maximum.unwrap_or(u16::MAX)).max(1));
        let alias_maximum = number(PropertyId::TopicAliasMaximum).and_then(|most| u16::try_from(most).ok());
        connection.alias_maximum = alias_maximum.unwrap_or(0).min(self.options.limits.topic_alias_maximum);
        if let Some(will) = &connect.will {
            // MQTT 3.x has no return code for it: the Network Connection is closed [MQTT-4.8.0-1].
            let invalid =
                |error: Malformed| Malformed { packet: Some(PacketType::Connect), ..error }.unanswered();
            if will.topic.is_empty() {
                return Err(Malformed::protocol_error(PacketType::Connect, "the will topic is empty"));
            }
            check_name(will.topic.as_bytes()).map_err(invalid)?;
            if will.topic.starts_with(CONTROL) {
                // As in mosquitto 2.1, it is not answered.
                self.tell_leaving(
                    id,
                    Leaving::Ended(ReasonCode::NOT_AUTHORIZED, "will topic below $CONTROL"),
                );
                self.leave(id, false, now);
                return Ok(());
            }
        }
        if connect.properties.binary(PropertyId::AuthenticationData).is_some()
            && connect.properties.text(PropertyId::AuthenticationMethod).is_none()
        {
            // Section 3.1.2.11.10.
            return Err(Malformed::protocol_error(
                PacketType::Connect,
                "Authentication Data without a method",
            ));
        }
        if let Err((reason, text)) = self.admit(id, connect) {
            self.refuse(id, reason, text, now);
            return Ok(());
        }
        self.log_in(id, connect, packet, now)
    }

    /// Continues a CONNECT of an admitted client, under this user name.
    ///
    /// # Errors
    /// As [`Core::connect`].
    pub(super) fn admitted(
        &mut self,
        id: ConnectionId,
        connect: &Connect<'_>,
        user: Option<&str>,
        now: Instant,
    ) -> Result<(), Malformed> {
        let may_write = |topic: &str, name: &str| {
            let rights = self.options.access.rights(user, name);
            rights.is_none_or(|rights| rights.may_write(topic)) && !self.is_reserved(topic)
        };
        if let Some(will) = &connect.will
            && !may_write(will.topic, connect.client_identifier)
        {
            self.refuse(id, ReasonCode::NOT_AUTHORIZED, "will topic", now);
            return Ok(());
        }
        let will = match &connect.will {
            None => None,
            Some(will) => {
                let sorted = Sorted::new(PacketType::Connect, will.properties)?;
                let properties = sorted.forwarded();
                let large = LargeParts::of(will.payload, properties.block(), None, &self.output_total);
                let view = View {
                    topic: will.topic.as_bytes(),
                    payload: will.payload,
                    properties,
                    expires: None,
                    qos: will.qos,
                    retain: will.retain,
                    publisher: None,
                    shared: None,
                    large: Some(&large),
                };
                Some(WillMessage {
                    message: view.store(),
                    expiry_seconds: sorted.expiry_seconds,
                    delay_seconds: sorted.will_delay_seconds,
                })
            }
        };
        let assigned = connect.client_identifier.is_empty().then(|| self.assign());
        let name = assigned.as_deref().unwrap_or(connect.client_identifier);
        self.take_over(name, now);
        let mut session = self.names.get(name).copied();
        if (connect.clean_start || self.options.faults.forget_sessions)
            && let Some(old) = session.take()
        {
            self.end_session(old, now);
        }
        let present = session.is_some();
        let session = session.unwrap_or_else(|| self.new_session(name));
        // The will of the old connection was published, or is cancelled because the client reconnected in
        // time ([MQTT-3.1.3-9]).
        self.take_will(session);
        let bytes = will.as_ref().map_or(0, |will| will.message.bytes());
        if !self.has_last_room(bytes) || !self.hold(session, bytes + if present { 0 } else { name.len() }) {
            if !present {
                self.end_session(session, now);
            }
            self.refuse(id, ReasonCode::QUOTA_EXCEEDED, "too much memory in use", now);
            return Ok(());
        }
        self.attach(id, session, connect, will);
        self.set_user(session, user);
        self.arm(id, now);
        self.arm_session(session);
        self.name_client(id, name);
        let keep_alive = self.keep_alive(connect);
        self.tell(id, EventKind::Accepted { connect, keep_alive, session_present: present });
        self.welcome(id, session, connect, present, assigned.as_deref(), now);
        self.pump(session, now);
        Ok(())
    }

    /// Whether a client is accepted.
    fn admit(&mut self, id: ConnectionId, connect: &Connect<'_>) -> Result<(), Refused> {
        let options = &self.options;
        if !options.protocols.contains(&connect.protocol) {
            return Err((ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, ""));
        }
        if let Some(reason) = options.faults.refuse_connect
            && options.faults.refuse_connect_times.is_none_or(|times| self.refused < times)
        {
            let share = options.faults.refuse_connect_share.unwrap_or(Share::ALL);
            if self.falls(share) {
                self.refused += 1;
                return Err((reason, "refused by a simulated fault"));
            }
        }
        let options = &self.options;
        if !self.has_last_room(0) {
            return Err((ReasonCode::QUOTA_EXCEEDED, "too much memory in use"));
        }
        let is_over = self.connections.get(id).is_some_and(|connection| connection.is_over);
        if is_over || self.connections.len() - self.over_limit > options.limits.connections {
            return Err((ReasonCode::QUOTA_EXCEEDED, "too many connections"));
        }
        if connect.protocol != Protocol::V5 && self.keep_alive(connect) != connect.keep_alive {
            return Err((ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, "its Keep Alive is longer than allowed"));
        }
        if connect.properties.text(PropertyId::AuthenticationMethod).is_some() {
            return Err((ReasonCode::BAD_AUTHENTICATION_METHOD, "no authentication method is supported")); // [MQTT-4.12.0-1]
        }
        let kept_nameless = connect.protocol == Protocol::V3_1_1 && !connect.clean_start; // [MQTT-3.1.3-8]
        if connect.client_identifier.is_empty() && (connect.protocol == Protocol::V3_1 || kept_nameless) {
            return Err((ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, "it is empty"));
        }
        if let Some(will) = &connect.will {
            if will.qos > options.limits.maximum_qos {
                return Err((ReasonCode::QOS_NOT_SUPPORTED, "will QoS")); // [MQTT-3.2.2-12]
            }
            if will.retain && !options.limits.has(Feature::Retain) {
                return Err((ReasonCode::RETAIN_NOT_SUPPORTED, "retained will")); // [MQTT-3.2.2-13]
            }
        }
        if self.sessions.len() >= options.limits.sessions
            && !self.names.contains_key(connect.client_identifier)
        {
            return Err((ReasonCode::QUOTA_EXCEEDED, "too many sessions"));
        }
        Ok(())
    }

    /// The newest version that this broker supports.
    pub(super) fn newest_protocol(&self) -> Protocol {
        self.options.protocols.iter().max().copied().unwrap_or(Protocol::V3_1_1)
    }

    /// Answers a CONNECT with a refusal and closes the connection.
    pub(super) fn refuse(&mut self, id: ConnectionId, reason: ReasonCode, text: &str, now: Instant) {
        let version = self.newest_protocol();
        let withheld = self.withheld(PacketType::ConnAck);
        if let Some(connection) = self.connections.get_mut(id)
            && !withheld
        {
            if reason == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION {
                // Answers in the format of a version that this broker speaks, like a broker without MQTT 5.
                connection.protocol = connection.protocol.min(version);
            }
            let mut properties = PropertyBlock::default();
            if !text.is_empty() && connection.problem_information {
                properties.push(PropertyId::ReasonString, Value::Text(text));
            }
            let protocol = connection.protocol;
            let sent = connection.put(&properties, |out, properties| {
                wire::connack(out, protocol, false, reason, properties);
            });
            self.statistics.packets_sent += u64::from(sent);
        }
        self.trace_sent(id);
        self.tell_leaving(id, Leaving::Refused(reason, text));
        self.leave(id, false, now);
    }

    /// A new client identifier ([MQTT-3.1.3-6]), in mosquitto's form. It is not a plain number: clients that
    /// reconnect to a restarted broker must not get each other's session.
    fn assign(&mut self) -> String {
        loop {
            self.assigned += 1;
            let half = || RandomState::new().hash_one(self.assigned);
            let (high, low) = (half(), half());
            let name = format!(
                "auto-{:08X}-{:04X}-{:04X}-{:04X}-{:012X}",
                high >> 32,
                high >> 16 & 0xFFFF,
                high & 0xFFFF,
                low >> 48,
                low & 0xFFFF_FFFF_FFFF
            );
            if !self.names.contains_key(name.as_str()) {
                return name;
            }
        }
    }

    /// Disconnects the client that currently has this identifier ([MQTT-3.1.4-3]).
    fn take_over(&mut self, name: &str, now: Instant) {
        let session = self.names.get(name).and_then(|session| self.sessions.get(*session));
        if let Some(old) = session.and_then(|session| session.connection) {
            self.disconnect(old, ReasonCode::SESSION_TAKEN_OVER, "", now);
        }
    }

    fn new_session(&mut self, name: &str) -> SessionId {
        let name: Arc<str> = name.into();
        let id = self.sessions.insert(Session::new(Arc::clone(&name)));
        self.names.insert(name, id);
        id
    }

    /// Connects a session to its connection.
    fn attach(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        connect: &Connect<'_>,
        will: Option<WillMessage>,
    ) {
        let keep_alive = self.keep_alive(connect);
        let limits = &self.options.limits;
        let (Some(connection), Some(state)) = (self.connections.get_mut(id), self.sessions.get_mut(session))
        else {
            return;
        };
        connection.phase = ConnectionPhase::Up(session);
        connection.ends_at = None;
        connection.keep_alive = (keep_alive > 0).then(|| Duration::from_millis(u64::from(keep_alive) * 1500)); // [MQTT-3.1.2-22]
        let wanted = match (connect.protocol, connect.clean_start) {
            (Protocol::V5, _) => connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0),
            (_, true) => 0,
            (_, false) => FOR_EVER,
        };
        if state.connection.replace(id).is_none() {
            self.statistics.clients += 1;
            self.statistics.clients_maximum = self.statistics.clients_maximum.max(self.statistics.clients);
        }
        state.expiry_seconds = wanted.min(limits.session_expiry_interval);
        state.ends_at = None;
        state.will_at = None;
        state.will = will;
        state.in_flight.rewind();
    }

    /// The effective Keep Alive in seconds.
    fn keep_alive(&self, connect: &Connect<'_>) -> u16 {
        let limits = &self.options.limits;
        let wanted = match limits.server_keep_alive {
            Some(seconds) if connect.protocol == Protocol::V5 => seconds,
            _ => connect.keep_alive,
        };
        match limits.maximum_keep_alive {
            Some(most) if wanted == 0 || wanted > most => most,
            _ => wanted,
        }
    }

    /// Sends CONNACK with all that the client must know.
    fn welcome(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        connect: &Connect<'_>,
        present: bool,
        assigned: Option<&str>,
        now: Instant,
    ) {
        if self.withheld(PacketType::ConnAck) {
            return;
        }
        let keep_alive = self.keep_alive(connect);
        let limits = &self.options.limits;
        let mut properties = PropertyBlock::default();
        let mut number = |id, value: u32| properties.push(id, Value::Number(value));
        let expiry = self.sessions.get(session).map_or(0, |session| session.expiry_seconds);
        if expiry != connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0) {
            number(PropertyId::SessionExpiryInterval, expiry);
        }
        if limits.receive_maximum < u16::MAX {
            number(PropertyId::ReceiveMaximum, u32::from(limits.receive_maximum.max(1)));
        }
        if limits.maximum_qos < QoS::ExactlyOnce {
            number(PropertyId::MaximumQos, limits.maximum_qos as u32);
        }
        if limits.maximum_packet_size < LARGEST_PACKET_BYTES {
            number(PropertyId::MaximumPacketSize, limits.maximum_packet_size.max(1));
        }
        if limits.topic_alias_maximum > 0 {
            number(PropertyId::TopicAliasMaximum, u32::from(limits.topic_alias_maximum));
        }
        if limits.server_keep_alive.is_some() || keep_alive != connect.keep_alive {
            number(PropertyId::ServerKeepAlive, u32::from(keep_alive)); // [MQTT-3.2.2-21]
        }
        for (feature, property) in [
            (Feature::Retain, PropertyId::RetainAvailable),
            (Feature::WildcardSubscriptions, PropertyId::WildcardSubscriptionAvailable),
            (Feature::SubscriptionIdentifiers, PropertyId::SubscriptionIdentifierAvailable),
            (Feature::SharedSubscriptions, PropertyId::SharedSubscriptionAvailable),
        ] {
            if !limits.has(feature) {
                number(property, 0);
            }
        }
        if let Some(name) = assigned {
            properties.push(PropertyId::AssignedClientIdentifier, Value::Text(name)); // [MQTT-3.2.2-16]
        }
        // MQTT 3.1 reserves this byte.
        let present = present && connect.protocol != Protocol::V3_1;
        let Some(connection) = self.connections.get_mut(id) else { return };
        let before = connection.out.len();
        wire::connack(&mut connection.out, connect.protocol, present, ReasonCode::SUCCESS, &properties);
        if connection.out.len() - before > connection.maximum_packet_size as usize {
            // The CONNACK exceeds the client's Maximum Packet Size ([MQTT-3.1.2-24]).
            connection.out.truncate(before);
            self.refuse(id, ReasonCode::PACKET_TOO_LARGE, "", now);
        } else {
            self.statistics.packets_sent += 1;
        }
    }
}
