//! The state of one Network Connection in the broker.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::bounds::{ALIAS_BYTES, OUTPUT_FULL_BYTES};
use super::message::View;
use super::shared::{LargePart, OutputPart};
use super::traced::Traced;
use super::{ConnectionId, SessionId};
use crate::protocol::property::{Properties, PropertyBlock, PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, LARGEST_PACKET_BYTES, Publish};
use crate::protocol::{Protocol, QoS};

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionPhase {
    /// Before CONNECT.
    Connecting,
    /// The password of CONNECT is being compared, or CONNECT waits for new users and rights.
    Checking,
    /// CONNACK was sent.
    Up(SessionId),
    /// The last bytes are being sent; nothing more is read.
    Closing,
    /// To be closed at once.
    Dead,
}

/// A Network Connection.
#[allow(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub(super) struct Connection {
    pub(super) phase: ConnectionPhase,
    pub(super) protocol: Protocol,
    /// Encoded packets, already sent up to `written`. Bytes are only appended, or truncated before they are
    /// sent.
    pub(super) out: BytesMut,
    written: usize,
    /// Large parts that are not copied into `out`, each with its position in `out`.
    shared: VecDeque<(usize, OutputPart)>,
    /// Unwritten bytes of all large parts.
    shared_bytes: usize,
    /// Written bytes of the first large part.
    shared_written: usize,
    /// The connection exceeds the limit: its CONNECT is refused.
    pub(super) is_over: bool,
    /// Whether it is in the list of connections for the driver.
    pub(super) changed: bool,
    /// The deadline that is set.
    pub(super) timer: Option<Instant>,
    /// The connect timeout, or the timeout for closing; not in `ConnectionPhase::Up`.
    pub(super) ends_at: Option<Instant>,
    /// 1.5 times the Keep Alive ([MQTT-3.1.2-22]).
    pub(super) keep_alive: Option<Duration>,
    pub(super) last_received: Instant,
    pub(super) packets_received: u64,
    /// Number of packets before a simulated cut, if one is set.
    pub(super) cut_after: Option<u64>,
    /// The client's Maximum Packet Size in bytes.
    pub(super) maximum_packet_size: u32,
    /// Maximum number of QoS 1 and 2 messages in flight to the client.
    pub(super) window: usize,
    /// The client's Request Problem Information: whether it accepts Reason Strings ([MQTT-3.1.2-29]).
    pub(super) problem_information: bool,
    /// Topic names by the client's aliases.
    pub(super) aliases: HashMap<u16, Arc<str>>,
    /// The client's Topic Alias Maximum.
    pub(super) alias_maximum: u16,
    /// The broker's aliases by topic name. The first names get them and keep them.
    own_aliases: HashMap<Box<[u8]>, u16>,
    /// Bytes of the topic names of these aliases.
    own_alias_bytes: usize,
    /// Its output exceeds the limit on all memory: it must be closed.
    pub(super) overflows: bool,
    /// Received QoS 1 messages whose PUBACK is withheld: they count against Receive Maximum.
    pub(super) unacknowledged: HashSet<u16>,
    /// Not read until the slow subscriber of its messages has caught up.
    pub(super) paused: bool,
    /// Not read until this time, because it exceeded the message rate.
    pub(super) resume_at: Option<Instant>,
    /// When its messages so far would be due at the message rate.
    pub(super) messages_until: Option<Instant>,
    /// When a message that is held back for reordering is sent without waiting for another.
    pub(super) late_at: Option<Instant>,
    pub(super) lag: Lag,
    pub(super) left: LeftToDo,
    /// Data for its events, if there is an observer.
    pub(super) traced: Option<Box<Traced>>,
}

/// Input and work of a connection that the last turn did not finish.
#[derive(Default)]
pub(super) struct LeftToDo {
    /// The connection needs another turn: see [`super::Core::resume`].
    pub(super) unfinished: bool,
    /// An UNSUBSCRIBE in progress; no other packet is handled before its answer.
    pub(super) unsubscribe: Option<Box<Unsubscribe>>,
    /// Bytes of an incomplete packet.
    pub(super) tail_bytes: usize,
    /// Bytes of its buffers as counted last.
    pub(super) buffer_bytes: usize,
    /// Bytes of the topic names of the client's aliases.
    pub(super) alias_bytes: usize,
    /// Bytes of an incomplete packet that count against the limit.
    pub(super) partial_bytes: usize,
    /// A CONNECT whose password is being compared.
    pub(super) checking: Option<Box<Checking>>,
}

/// A CONNECT whose password is being compared, or that waits for new users and rights.
pub(super) struct Checking {
    /// The number of the comparison; results with another number are outdated.
    pub(super) serial: u64,
    pub(super) packet: Box<[u8]>,
    /// Users and rights are about to change, and nothing is being compared.
    pub(super) awaits_access: bool,
}

/// An UNSUBSCRIBE that needs more than one turn.
pub(super) struct Unsubscribe {
    pub(super) packet_identifier: u16,
    /// Filters still to be removed, starting at the end.
    pub(super) filters: Vec<Box<str>>,
    /// The Reason Codes of removed filters.
    pub(super) reasons: Vec<ReasonCode>,
}

/// How far a connection lags behind the messages for it.
pub(super) struct Lag {
    /// Publishers that wait for it to catch up.
    pub(super) waiting: Vec<ConnectionId>,
    /// When it last accepted output.
    pub(super) last_progress: Instant,
    /// It accepted no output for too long: publishers do not wait for it until it has caught up.
    pub(super) stalled: bool,
}

impl Connection {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            phase: ConnectionPhase::Connecting,
            protocol: Protocol::V3_1_1,
            out: BytesMut::new(),
            written: 0,
            shared: VecDeque::new(),
            shared_bytes: 0,
            shared_written: 0,
            is_over: false,
            changed: false,
            timer: None,
            ends_at: None,
            keep_alive: None,
            last_received: now,
            packets_received: 0,
            cut_after: None,
            maximum_packet_size: LARGEST_PACKET_BYTES,
            window: 1,
            problem_information: true,
            aliases: HashMap::new(),
            alias_maximum: 0,
            own_aliases: HashMap::new(),
            own_alias_bytes: 0,
            overflows: false,
            unacknowledged: HashSet::new(),
            paused: false,
            resume_at: None,
            messages_until: None,
            late_at: None,
            lag: Lag { waiting: Vec::new(), last_progress: now, stalled: false },
            left: LeftToDo::default(),
            traced: None,
        }
    }

    /// Bytes to write, up to the next large part.
    pub(super) fn pending(&self) -> &[u8] {
        let piece = match self.shared.front() {
            Some((before, part)) if *before == self.written => part.get(self.shared_written..),
            Some((before, _)) => self.out.get(self.written..*before),
            None => self.out.get(self.written..),
        };
        piece.unwrap_or_default()
    }

    /// The number of bytes to write.
    pub(super) fn backlog(&self) -> usize {
        self.out.len() - self.written + self.shared_bytes
    }

    /// The memory of its buffers and aliases. Large parts are counted once for all connections.
    pub(super) fn buffer_bytes(&self) -> usize {
        self.left.tail_bytes + self.out.capacity() + self.left.alias_bytes + self.own_alias_bytes
    }

    /// Stops assigning aliases; existing ones stay.
    pub(super) fn define_no_aliases(&mut self) {
        self.alias_maximum =
            self.alias_maximum.min(u16::try_from(self.own_aliases.len()).unwrap_or(u16::MAX));
    }

    /// Whether it is currently not read.
    pub(super) fn is_held(&self) -> bool {
        self.is_waiting() || self.backlog() >= OUTPUT_FULL_BYTES
    }

    /// Whether it must wait before it may send more.
    pub(super) fn is_waiting(&self) -> bool {
        self.paused || self.resume_at.is_some()
    }

    /// Counts a message against the rate limit; returns `true` if the next one must wait.
    pub(super) fn count_message(&mut self, per_second: u32, now: Instant) -> bool {
        /// The burst that is accepted at once.
        const BURST: Duration = Duration::from_secs(1);
        let due = self.messages_until.map_or(now, |until| until.max(now));
        let until = due + Duration::from_secs(1) / per_second.max(1);
        self.messages_until = Some(until);
        if until.saturating_duration_since(now) > BURST {
            self.resume_at = until.checked_sub(BURST);
        }
        self.resume_at.is_some()
    }

    /// Records written bytes. `BytesMut::advance` is not used, because it hides how much memory is held.
    pub(super) fn advance(&mut self, bytes: usize) {
        if let Some((_, part)) = self.shared.front().filter(|(before, _)| *before == self.written) {
            self.shared_written += bytes;
            self.shared_bytes -= bytes;
            if self.shared_written == part.len() {
                self.shared.pop_front();
                self.shared_written = 0;
            }
        } else {
            self.written = (self.written + bytes).min(self.out.len());
        }
        if self.backlog() == 0 {
            if let Some(traced) = &mut self.traced {
                traced.forget(self.out.len());
            }
            self.out.clear();
            self.written = 0;
        } else if self.written > self.out.len() / 2 {
            // Moves less than was written, so on average each byte is moved at most once.
            self.out.copy_within(self.written.., 0);
            self.out.truncate(self.out.len() - self.written);
            self.shared.iter_mut().for_each(|(before, _)| *before -= self.written);
            if let Some(traced) = &mut self.traced {
                traced.forget(self.written);
            }
            self.written = 0;
        }
    }

    /// The large parts after this position of `out`, with their own positions.
    pub(super) fn parts_after(&self, at: usize) -> impl Iterator<Item = (usize, &[u8])> {
        self.shared.iter().filter(move |(before, _)| *before > at).map(|(before, part)| (*before, &**part))
    }

    /// Appends a large part.
    fn share(&mut self, part: &LargePart) {
        self.shared.push_back((self.out.len(), part.for_receiver()));
        self.shared_bytes += part.bytes().len();
    }

    /// Removes the output that was appended since `out` had this length.
    pub(super) fn truncate(&mut self, length: usize) {
        self.out.truncate(length);
        while self.shared.back().is_some_and(|(before, _)| *before > length)
            && let Some((_, part)) = self.shared.pop_back()
        {
            self.shared_bytes -= part.len();
        }
    }

    /// The session of a connection whose CONNECT was accepted.
    pub(super) fn session(&self) -> Option<SessionId> {
        match self.phase {
            ConnectionPhase::Up(session) => Some(session),
            _ => None,
        }
    }

    /// Appends a PUBLISH. Returns `false`, and appends nothing, if it exceeds the client's Maximum Packet
    /// Size ([MQTT-3.1.2-24]). `block` is memory for its properties.
    pub(super) fn publish(
        &mut self,
        view: &View<'_>,
        outgoing: &Delivering<'_>,
        block: &mut PropertyBlock,
        now: Instant,
    ) -> bool {
        let before = self.out.len();
        let mut publish = Publish {
            dup: outgoing.dup,
            qos: outgoing.qos,
            retain: outgoing.retain,
            packet_identifier: outgoing.packet_identifier,
            topic: view.topic,
            properties: view.properties,
            payload: view.payload,
        };
        let expiry = view.remaining_seconds(now);
        let alias = self.alias(view.topic);
        let is_v5 = self.protocol == Protocol::V5;
        let large_properties = view.large.and_then(|large| large.properties.as_ref()).filter(|_| is_v5);
        if large_properties.is_some() {
            publish.properties = Properties::NONE;
        }
        if is_v5 && (expiry.is_some() || alias.is_some() || !outgoing.identifiers.is_empty()) {
            // Large properties follow those of the receiver.
            block.assign(publish.properties);
            if let Some(seconds) = expiry {
                block.push(PropertyId::MessageExpiryInterval, Value::Number(seconds));
            }
            for identifier in outgoing.identifiers {
                block.push(PropertyId::SubscriptionIdentifier, Value::Number(*identifier));
            }
            if let Some((alias, defined)) = alias {
                block.push(PropertyId::TopicAlias, Value::Number(u32::from(alias)));
                if defined {
                    publish.topic = &[];
                }
            }
            publish.properties = block.view();
        }
        let large_payload = view.large.and_then(|large| large.payload.as_ref());
        let copied = if large_payload.is_some() { 0 } else { view.payload.len() };
        let elsewhere = large_properties.map_or(0, |part| part.bytes().len());
        wire::put_publish_head(&mut self.out, self.protocol, &publish, copied, elsewhere);
        if self.out.len() - before + elsewhere + view.payload.len() > self.maximum_packet_size as usize {
            self.out.truncate(before);
            return false;
        }
        if let Some(properties) = large_properties {
            self.share(properties);
        }
        match large_payload {
            Some(payload) => self.share(payload),
            None => self.out.extend_from_slice(view.payload),
        }
        if let Some((alias, false)) = alias {
            self.own_aliases.insert(view.topic.into(), alias);
            self.own_alias_bytes += view.topic.len() + ALIAS_BYTES;
        }
        true
    }

    /// The alias for a topic name, and whether the client already knows it ([MQTT-3.1.2-26]).
    fn alias(&self, topic: &[u8]) -> Option<(u16, bool)> {
        if self.alias_maximum == 0 {
            return None;
        }
        if let Some(alias) = self.own_aliases.get(topic) {
            return Some((*alias, true));
        }
        let next = u16::try_from(self.own_aliases.len() + 1).ok()?;
        (next <= self.alias_maximum).then_some((next, false))
    }

    /// Appends a packet other than PUBLISH, or a shorter form of it, or nothing, so that it respects the
    /// client's Maximum Packet Size. Returns whether anything was appended.
    pub(super) fn put(
        &mut self,
        properties: &PropertyBlock,
        write: impl Fn(&mut BytesMut, &PropertyBlock),
    ) -> bool {
        let before = self.out.len();
        for properties in [properties, &PropertyBlock::default()] {
            write(&mut self.out, properties);
            if self.out.len() - before <= self.maximum_packet_size as usize {
                return true;
            }
            self.out.truncate(before);
        }
        false
    }
}

/// How a message is sent to one client.
#[derive(Clone, Copy)]
pub(super) struct Delivering<'a> {
    pub(super) dup: bool,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// Unused at QoS 0.
    pub(super) packet_identifier: u16,
    pub(super) identifiers: &'a [u32],
}
