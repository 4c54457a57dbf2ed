//! The state of one Network Connection in the broker.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::bounds::{ALIAS_BYTES, OUTPUT_FULL_BYTES, SHARED_BYTES};
use super::message::View;
use super::traced::Traced;
use super::{ConnectionId, SessionId};
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, LARGEST_PACKET_BYTES, Publish};
use crate::protocol::{Protocol, QoS};

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionPhase {
    /// CONNECT has not come.
    Connecting,
    /// The password in CONNECT is being compared.
    Checking,
    /// CONNACK was sent.
    Up(SessionId),
    /// The last bytes are on their way; nothing more is read.
    Closing,
    /// To be closed at once.
    Dead,
}

/// One network connection.
#[allow(clippy::struct_excessive_bools, reason = "each is a state of its own")]
pub(super) struct Connection {
    pub(super) phase: ConnectionPhase,
    pub(super) protocol: Protocol,
    /// Encoded packets, written up to `written`. Append only, and truncate what was appended since.
    pub(super) out: BytesMut,
    written: usize,
    /// Payloads that are not copied into `out`, and before which of its bytes they are to be written.
    shared: VecDeque<(usize, Bytes)>,
    /// Bytes of all of them that are not written.
    shared_bytes: usize,
    /// How many of the first are.
    shared_written: usize,
    /// There are too many connections: its CONNECT is to be refused.
    pub(super) is_over: bool,
    /// Stands in the list of connections the driver has to look after.
    pub(super) changed: bool,
    /// The deadline set.
    pub(super) timer: Option<Instant>,
    /// The end of the connect timeout or of the goodbye, outside `ConnectionPhase::Up`.
    pub(super) ends_at: Option<Instant>,
    /// One and a half times the keep-alive ([MQTT-3.1.2-22]).
    pub(super) keep_alive: Option<Duration>,
    pub(super) last_received: Instant,
    pub(super) packets_received: u64,
    /// Packets after which it is cut, if it is to be.
    pub(super) cut_after: Option<u64>,
    /// The largest packet the client takes, in bytes.
    pub(super) maximum_packet_size: u32,
    /// QoS 1 and 2 messages in flight to the client.
    pub(super) window: usize,
    /// Whether the client wants Reason Strings ([MQTT-3.1.2-29]).
    pub(super) problem_information: bool,
    /// Topic names by the client's aliases.
    pub(super) aliases: HashMap<u16, Arc<str>>,
    /// Aliases the client lets us define.
    pub(super) alias_maximum: u16,
    /// Our aliases by topic name: the first names get them, for good.
    own_aliases: HashMap<Box<[u8]>, u16>,
    /// Bytes of their topic names.
    own_alias_bytes: usize,
    /// Its output has grown over the limit of all memory: it is to be closed.
    pub(super) overflows: bool,
    /// Received QoS 1 messages whose PUBACK is withheld: they count against Receive Maximum.
    pub(super) unacknowledged: HashSet<u16>,
    /// Not read from until the slow reader it publishes to has caught up.
    pub(super) paused: bool,
    /// Not read from until then, as it has sent more messages than the rate allows.
    pub(super) resume_at: Option<Instant>,
    /// When the messages that it has sent would be due at that rate.
    pub(super) messages_until: Option<Instant>,
    /// When a message that is kept back on request goes out, if no other one comes.
    pub(super) late_at: Option<Instant>,
    pub(super) lag: Lag,
    pub(super) left: LeftToDo,
    /// What its events need, if there is an observer.
    pub(super) traced: Option<Box<Traced>>,
}

/// What a turn has left of a connection's input and work.
#[derive(Default)]
pub(super) struct LeftToDo {
    /// There is more to do for it than one turn allows: see [`super::Core::resume`].
    pub(super) unfinished: bool,
    /// An UNSUBSCRIBE, before whose answer no other packet is handled.
    pub(super) unsubscribe: Option<Box<Unsubscribe>>,
    /// What it holds of a packet that is not whole.
    pub(super) tail_bytes: usize,
    /// What was counted of its buffers.
    pub(super) buffer_bytes: usize,
    /// Bytes of the topic names of the client's aliases.
    pub(super) alias_bytes: usize,
    /// What it holds of a packet that is not whole, as far as it counts against the limit.
    pub(super) partial_bytes: usize,
    /// A CONNECT whose password is being compared.
    pub(super) checking: Option<Box<Checking>>,
}

/// A CONNECT whose password is being compared.
pub(super) struct Checking {
    /// Another comparison of this connection's number is not meant.
    pub(super) serial: u64,
    pub(super) packet: Box<[u8]>,
}

/// An UNSUBSCRIBE that takes more than one turn.
pub(super) struct Unsubscribe {
    pub(super) packet_identifier: u16,
    /// Still to be removed, the last one first.
    pub(super) filters: Vec<Box<str>>,
    /// Of those that were.
    pub(super) reasons: Vec<ReasonCode>,
}

/// How a connection keeps up with what is published to it.
pub(super) struct Lag {
    /// Publishers waiting for it to catch up.
    pub(super) waiting: Vec<ConnectionId>,
    /// When it last took anything.
    pub(super) last_progress: Instant,
    /// It read nothing for too long: publishers do not wait for it until it has caught up.
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

    /// Bytes to be written, the first piece of them.
    pub(super) fn pending(&self) -> &[u8] {
        let piece = match self.shared.front() {
            Some((before, payload)) if *before == self.written => payload.get(self.shared_written..),
            Some((before, _)) => self.out.get(self.written..*before),
            None => self.out.get(self.written..),
        };
        piece.unwrap_or_default()
    }

    /// How many bytes are to be written.
    pub(super) fn backlog(&self) -> usize {
        self.out.len() - self.written + self.shared_bytes
    }

    /// How much memory its buffers and aliases take.
    pub(super) fn buffer_bytes(&self) -> usize {
        self.left.tail_bytes
            + self.out.capacity()
            + self.shared_bytes
            + self.left.alias_bytes
            + self.own_alias_bytes
    }

    /// Defines no more aliases: those there are stay.
    pub(super) fn define_no_aliases(&mut self) {
        self.alias_maximum =
            self.alias_maximum.min(u16::try_from(self.own_aliases.len()).unwrap_or(u16::MAX));
    }

    /// Whether it is not read from for now.
    pub(super) fn is_held(&self) -> bool {
        self.is_waiting() || self.backlog() >= OUTPUT_FULL_BYTES
    }

    /// Whether it has to wait with what it sends.
    pub(super) fn is_waiting(&self) -> bool {
        self.paused || self.resume_at.is_some()
    }

    /// Counts a message against a rate; `true` if the next one has to wait.
    pub(super) fn count_message(&mut self, per_second: u32, now: Instant) -> bool {
        /// What may come at once.
        const BURST: Duration = Duration::from_secs(1);
        let due = self.messages_until.map_or(now, |until| until.max(now));
        let until = due + Duration::from_secs(1) / per_second.max(1);
        self.messages_until = Some(until);
        if until.saturating_duration_since(now) > BURST {
            self.resume_at = until.checked_sub(BURST);
        }
        self.resume_at.is_some()
    }

    /// That many bytes were written. Not `BytesMut::advance`: it hides how much memory is held.
    pub(super) fn advance(&mut self, bytes: usize) {
        if let Some((_, payload)) = self.shared.front().filter(|(before, _)| *before == self.written) {
            self.shared_written += bytes;
            self.shared_bytes -= bytes;
            if self.shared_written == payload.len() {
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
            // Moves less than it has written, so each byte is moved once at most on average.
            self.out.copy_within(self.written.., 0);
            self.out.truncate(self.out.len() - self.written);
            self.shared.iter_mut().for_each(|(before, _)| *before -= self.written);
            if let Some(traced) = &mut self.traced {
                traced.forget(self.written);
            }
            self.written = 0;
        }
    }

    /// The first payload that is elsewhere and belongs after this byte of `out`, and where.
    pub(super) fn payload_after(&self, at: usize) -> Option<(usize, &Bytes)> {
        self.shared.iter().find(|(before, _)| *before > at).map(|(before, payload)| (*before, payload))
    }

    /// Takes back what was put out since `out` had this length.
    pub(super) fn truncate(&mut self, length: usize) {
        self.out.truncate(length);
        while self.shared.back().is_some_and(|(before, _)| *before > length)
            && let Some((_, payload)) = self.shared.pop_back()
        {
            self.shared_bytes -= payload.len();
        }
    }

    /// The session of a connection whose CONNECT was accepted.
    pub(super) fn session(&self) -> Option<SessionId> {
        match self.phase {
            ConnectionPhase::Up(session) => Some(session),
            _ => None,
        }
    }

    /// Puts a PUBLISH out; `false`, and nothing is put out, if it is larger than the client allows
    /// ([MQTT-3.1.2-24]). `block` is memory for its properties.
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
        if self.protocol == Protocol::V5
            && (expiry.is_some() || alias.is_some() || !outgoing.identifiers.is_empty())
        {
            block.assign(view.properties);
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
        let shared = view.shared.filter(|payload| payload.len() >= SHARED_BYTES);
        match shared {
            None => wire::put_publish(&mut self.out, self.protocol, &publish),
            Some(_) => wire::put_publish_head(&mut self.out, self.protocol, &publish, 0),
        }
        let elsewhere = shared.map_or(0, Bytes::len);
        if self.out.len() - before + elsewhere > self.maximum_packet_size as usize {
            self.out.truncate(before);
            return false;
        }
        if let Some(payload) = shared {
            self.shared.push_back((self.out.len(), payload.clone()));
            self.shared_bytes += elsewhere;
        }
        if let Some((alias, false)) = alias {
            self.own_aliases.insert(view.topic.into(), alias);
            self.own_alias_bytes += view.topic.len() + ALIAS_BYTES;
        }
        true
    }

    /// The alias for a topic name, and whether the client knows it already ([MQTT-3.1.2-26]).
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

    /// Appends a packet other than PUBLISH, or a shorter form of it, or nothing, so that the client's
    /// Maximum Packet Size is kept. Whether something was appended.
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

/// How a message goes out to one client.
#[derive(Clone, Copy)]
pub(super) struct Delivering<'a> {
    pub(super) dup: bool,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// Without meaning at QoS 0.
    pub(super) packet_identifier: u16,
    pub(super) identifiers: &'a [u32],
}
