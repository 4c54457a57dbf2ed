//! The broker without its network: packets of numbered connections go in, packets for numbered connections
//! come out, and the time is an argument. The core has no socket, runtime or clock, so that every rule can be
//! tested to the byte and to the second.
//!
//! The driver calls [`Core::open`] for a new connection, [`Core::receive`] with its input, [`Core::close`]
//! after its end, and [`Core::advance`] at [`Core::next_deadline`]. After each call it handles the
//! connections from [`Core::take_changed`]: it writes [`Core::output`], reports that with [`Core::wrote`],
//! and reads or not according to [`Core::state`].
//!
//! Work is done in short turns: [`Core::resume`] starts one, and work beyond [`TURN_WORK`](bounds::TURN_WORK)
//! continues in the next turn ([`Core::is_unfinished`]), after those of the other connections.
//!
//! Memory is bounded: queues and stores by their limits, output by back-pressure. A publisher whose messages
//! go to a lagging connected subscriber is not read until the subscriber has caught up. After
//! `Limits::patience`, publishers no longer wait for a subscriber that reads nothing, and messages over its
//! limits are dropped. This broker is for tests, where a loss matters more than a publisher's rate.

mod acknowledge;
mod allowed;
mod bounds;
mod check;
mod connect;
mod connection;
mod deadlines;
mod deliver;
mod disconnect;
mod held;
mod identifier;
mod in_flight;
mod late;
mod load;
mod memory;
mod message;
mod publish;
mod reassign;
mod retained;
mod session;
mod shared;
mod slab;
mod subscribe;
mod subscriptions;
mod system;
mod trace;
mod traced;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::faults::{Faults, Share};
use super::journal::{ClientOrigin, EventKind, Leaving};
use super::options::Options;
use super::statistics::Statistics;
use crate::protocol::Protocol;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Malformed, Packet, PacketType};
pub(super) use check::Check;
pub(super) use identifier::ConnectionId;

use allowed::{check_property_bytes, check_texts, largest_bytes, unexpected, unexpected_first};
use bounds::{OUTPUT_LOW_BYTES, SHARED_BYTES, SPARE_BUFFER_BYTES, SPARE_BUFFERS, TURN_WORK};
use connection::{Connection, ConnectionPhase};
use deadlines::{Deadlines, TimerOf};
use identifier::SessionId;
use retained::Retained;
use session::Session;
use shared::OutputTotal;
use slab::Slab;
use subscriptions::{Match, Subscriptions};
use system::System;
use traced::Traced;

/// How the driver must handle a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive {
    /// Write and read.
    Open,
    /// Write, but pass no more input to `receive` before the next change.
    Paused,
    /// Write the remaining output, end the stream, and wait for the peer's end.
    Closing,
    /// Drop the stream at once.
    Dead,
}

/// The broker's state.
pub(super) struct Core {
    options: Options,
    connections: Slab<ConnectionId, Connection>,
    sessions: Slab<SessionId, Session>,
    names: HashMap<Arc<str>, SessionId>,
    subscriptions: Subscriptions,
    retained: Retained,
    deadlines: Deadlines,
    statistics: Statistics,
    changed: Vec<ConnectionId>,
    spare: Vec<BytesMut>,
    /// The sum over all sessions.
    queued_messages: usize,
    held_bytes: usize,
    /// Connections over the limit, whose CONNECT is refused.
    over_limit: usize,
    /// The sum over all connections.
    partial_bytes: usize,
    /// The sum over all connections: incomplete input, pending output without large parts, topic aliases.
    buffer_bytes: usize,
    /// Large parts in pending output.
    output_total: OutputTotal,
    /// Ended sessions whose subscriptions are not all removed.
    ended_sessions: usize,
    /// The broker is shutting down: clients are disconnected, and no message is reassigned.
    is_shutting_down: bool,
    /// The work of this turn so far.
    work: usize,
    /// The input being processed, if it may be kept without copying.
    input: Option<Bytes>,
    /// Passwords to compare, and the number of the last one.
    checks: VecDeque<Check>,
    last_check: u64,
    /// Bytes of the CONNECTs that wait for comparisons.
    checking_bytes: usize,
    /// Users and rights are about to change: CONNECTs wait.
    access_changes: bool,
    /// Counter for assigned client identifiers.
    assigned: u64,
    system: System,
    /// The random numbers for faults with a probability.
    random: fastrand::Rng,
    /// Connections refused and cut by simulated faults.
    refused: u32,
    cut: u32,
    /// Connections reported to the observer.
    arrivals: u64,
    /// Reused memory.
    matches: Vec<Match>,
    identifiers: Vec<u32>,
    block: PropertyBlock,
}

impl Core {
    pub(super) fn new(options: Options) -> Self {
        Self {
            system: System::default(),
            random: fastrand::Rng::with_seed(options.seed),
            options,
            connections: Slab::new(),
            sessions: Slab::new(),
            names: HashMap::new(),
            subscriptions: Subscriptions::new(),
            retained: Retained::default(),
            deadlines: Deadlines::default(),
            statistics: Statistics::default(),
            changed: Vec::new(),
            spare: Vec::new(),
            queued_messages: 0,
            held_bytes: 0,
            over_limit: 0,
            partial_bytes: 0,
            buffer_bytes: 0,
            output_total: OutputTotal::default(),
            ended_sessions: 0,
            is_shutting_down: false,
            work: 0,
            input: None,
            checks: VecDeque::new(),
            last_check: 0,
            checking_bytes: 0,
            access_changes: false,
            assigned: 0,
            refused: 0,
            cut: 0,
            arrivals: 0,
            matches: Vec::new(),
            identifiers: Vec::new(),
            block: PropertyBlock::default(),
        }
    }

    /// Replaces the simulated faults, and resets their counters.
    pub(super) fn set_faults(&mut self, faults: Faults) {
        self.options.faults = faults;
        (self.refused, self.cut) = (0, 0);
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn statistics(&self) -> Statistics {
        Statistics {
            connections: self.connections.len(),
            shared_subscriptions: self.subscriptions.shared_len(),
            stored_bytes: self.held_bytes + self.retained.bytes(),
            packets_sent: self.statistics.packets_sent + self.statistics.messages_sent,
            sessions: self.sessions.len() - self.ended_sessions,
            subscriptions: self.subscriptions.len(),
            retained: self.retained.len(),
            queued: self.queued_messages,
            ..self.statistics
        }
    }

    /// A new Network Connection. `origin` is for the observer; a connection over the limit is refused.
    pub(super) fn open(
        &mut self,
        origin: Option<Box<ClientOrigin>>,
        is_over: bool,
        now: Instant,
    ) -> ConnectionId {
        self.start_system(now);
        let mut connection = Connection::new(now);
        connection.traced = origin.map(|origin| Box::new(Traced::new(*origin)));
        connection.is_over = is_over;
        self.over_limit += usize::from(is_over);
        connection.ends_at = now.checked_add(self.options.connect_timeout);
        if let Some(cut) = self.options.faults.cut
            && self.cut < cut.connections
        {
            self.cut += 1;
            connection.cut_after = Some(cut.after_packets);
        }
        let id = self.connections.insert(connection);
        self.statistics.connections_opened += 1;
        self.arm(id, now);
        id
    }

    /// Starts a connection's turn, with the work left from the last one.
    pub(super) fn resume(&mut self, id: ConnectionId, now: Instant) {
        self.work = 0;
        let Some(connection) = self.connections.get_mut(id) else { return };
        if std::mem::take(&mut connection.left.unfinished)
            && let Some(session) = connection.session()
            && self.go_on_unsubscribing(id, session, now)
        {
            self.pump(session, now);
            // Input has its own share of the work: a PINGREQ after a SUBSCRIBE does not wait for all retained
            // messages.
            self.work = 0;
        }
    }

    /// Whether the work of this turn is used up: nothing more may be read before the next.
    pub(super) fn turn_is_over(&self) -> bool {
        self.work >= TURN_WORK
    }

    /// Whether a connection needs another turn.
    pub(super) fn is_unfinished(&self, id: ConnectionId) -> bool {
        self.connections.get(id).is_some_and(|connection| connection.left.unfinished)
    }

    /// Handles complete packets at the start of `input`; returns their number of bytes. The rest must be
    /// passed again, together with further input.
    pub(super) fn receive(&mut self, id: ConnectionId, input: &[u8], now: Instant) -> usize {
        let mut rest = input;
        if let Some(connection) = self.connections.get_mut(id) {
            connection.last_received = now;
            if connection.out.capacity() == 0
                && let Some(buffer) = self.spare.pop()
            {
                connection.out = buffer;
            }
        }
        loop {
            let is_over = self.turn_is_over() && !rest.is_empty();
            let Some(connection) = self.connections.get_mut(id) else { return input.len() };
            match connection.phase {
                ConnectionPhase::Checking => break,
                ConnectionPhase::Up(_) if connection.is_held() || connection.left.unsubscribe.is_some() => {
                    break;
                }
                ConnectionPhase::Up(_) if is_over => {
                    connection.left.unfinished = true;
                    break;
                }
                ConnectionPhase::Connecting | ConnectionPhase::Up(_) => {}
                ConnectionPhase::Closing | ConnectionPhase::Dead => {
                    rest = &[];
                    break;
                }
            }
            let start = match (connection.phase, rest.first()) {
                // Not MQTT, perhaps HTTP: waiting for the end of the packet is pointless.
                (ConnectionPhase::Connecting, Some(first)) if first >> 4 != PacketType::Connect as u8 => {
                    Err(Malformed::protocol_error(PacketType::Connect, "it has to be the first packet"))
                }
                _ => wire::frame(rest, largest_bytes(rest, self.options.limits.maximum_packet_size)),
            };
            match start {
                Ok(None) => break,
                Ok(Some(length)) => {
                    let (packet, after) = rest.split_at(length);
                    rest = after;
                    self.packet(id, packet, now);
                    self.work += 1;
                }
                Err(malformed) => self.fail(id, rest, &malformed, now),
            }
        }
        let taken = input.len() - rest.len();
        self.statistics.bytes_received += taken as u64;
        self.settle(id, now);
        taken
    }

    /// The same for input whose large payload is kept without copying.
    pub(super) fn receive_owned(&mut self, id: ConnectionId, input: &Bytes, now: Instant) -> usize {
        self.input = Some(input.clone());
        let taken = self.receive(id, input, now);
        self.input = None;
        taken
    }

    /// Whether `input` starts with a complete packet that should go to [`Core::receive_owned`].
    pub(super) fn is_large(&self, input: &[u8]) -> bool {
        let most = self.options.limits.maximum_packet_size;
        input.len() >= SHARED_BYTES && matches!(wire::frame(input, most), Ok(Some(SHARED_BYTES..)))
    }

    /// Handles one packet, and a simulated fault after it.
    fn packet(&mut self, id: ConnectionId, packet: &[u8], now: Instant) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.packets_received += 1;
        self.statistics.packets_received += 1;
        let last = connection.cut_after == Some(connection.packets_received);
        let before = connection.out.len();
        let is_unanswered = last && self.options.faults.cut.is_some_and(|cut| !cut.answer_last);
        if let Some(traced) = &mut connection.traced {
            traced.is_muted = is_unanswered;
        }
        if let Err(malformed) = self.handle(id, packet, now) {
            self.fail(id, packet, &malformed, now);
        }
        if last && let Some(connection) = self.connections.get_mut(id) {
            if is_unanswered {
                connection.truncate(before);
            }
            self.trace_sent(id);
            self.tell_leaving(id, Leaving::Cut);
            self.leave(id, false, now);
        } else {
            self.trace_sent(id);
        }
    }

    fn handle(&mut self, id: ConnectionId, packet: &[u8], now: Instant) -> Result<(), Malformed> {
        let Some(connection) = self.connections.get(id) else { return Ok(()) };
        let Some(session) = connection.session() else {
            let decoded = wire::decode(Protocol::V3_1_1, packet)?;
            self.trace_received(id, &decoded);
            check_texts(&decoded)?;
            return match decoded {
                Packet::Connect(connect) => {
                    self.statistics.connects_received += 1;
                    self.connect(id, &connect, packet, now)
                }
                // `receive` excludes this [MQTT-3.1.0-1].
                _ => Err(Malformed::protocol_error(PacketType::Connect, "it has to be the first packet")),
            };
        };
        let protocol = connection.protocol;
        check_property_bytes(protocol, packet)?;
        let packet = wire::decode(protocol, packet).map_err(|error| unexpected_first(packet, error))?;
        self.trace_received(id, &packet);
        check_texts(&packet)?;
        match packet {
            Packet::Publish(publish) => return self.publish(id, session, &publish, now),
            Packet::PubAck(ack) => return self.published(id, session, &ack, now),
            Packet::PubRec(ack) => return self.received(id, session, &ack, now),
            Packet::PubRel(ack) => return self.released(id, session, &ack),
            Packet::PubComp(ack) => return self.completed(id, session, &ack, now),
            Packet::Subscribe { packet_identifier, properties, filters } => {
                return self.subscribe(id, session, packet_identifier, properties, filters, now);
            }
            Packet::Unsubscribe { packet_identifier, filters, .. } => {
                return self.unsubscribe(id, session, packet_identifier, filters, now);
            }
            Packet::PingReq => {
                if !self.withheld(PacketType::PingResp)
                    && let Some(connection) = self.connections.get_mut(id)
                {
                    wire::ping_response(&mut connection.out);
                    self.statistics.packets_sent += 1;
                }
            }
            Packet::Disconnect { reason, properties } => {
                return self.disconnect_received(id, session, reason, properties, now);
            }
            Packet::Connect(_)
            | Packet::Auth { .. }
            | Packet::ConnAck { .. }
            | Packet::SubAck { .. }
            | Packet::UnsubAck { .. }
            | Packet::PingResp => return Err(unexpected(packet.kind())),
        }
        Ok(())
    }

    /// Whether a simulated fault withholds this packet.
    fn withheld(&mut self, packet: PacketType) -> bool {
        if self.options.faults.withhold.is_empty() {
            return false;
        }
        let shares = self.options.faults.withhold.iter().filter(|withheld| withheld.packet == packet);
        let share = shares.map(|withheld| withheld.share.0).max();
        share.is_some_and(|share| self.falls(Share(share)))
    }

    /// Whether a fault with this probability happens now.
    fn falls(&mut self, share: Share) -> bool {
        share.0 >= Share::ALL.0 || self.random.u32(0..Share::ALL.0) < share.0
    }

    /// The number of bytes to write.
    pub(super) fn backlog(&self, id: ConnectionId) -> usize {
        self.connections.get(id).map_or(0, Connection::backlog)
    }

    /// Ignores the silence of clients while the broker itself was stopped.
    pub(super) fn forgive_silence(&mut self, now: Instant) {
        for (_, connection) in self.connections.iter_mut() {
            connection.last_received = now;
            connection.lag.last_progress = now;
        }
    }

    /// The next bytes to write.
    pub(super) fn output(&self, id: ConnectionId) -> &[u8] {
        self.connections.get(id).map_or(&[], Connection::pending)
    }

    /// Records written bytes.
    pub(super) fn wrote(&mut self, id: ConnectionId, bytes: usize, now: Instant) {
        self.statistics.bytes_sent += bytes as u64;
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.advance(bytes);
        connection.lag.last_progress = now;
        let session = connection.session();
        if connection.backlog() < OUTPUT_LOW_BYTES
            && let Some(session) = session
        {
            self.pump(session, now);
            self.relieve(id, now);
        }
        self.settle(id, now);
    }

    /// Releases an empty output buffer, so that idle connections have none.
    fn settle(&mut self, id: ConnectionId, now: Instant) {
        self.trace_sent(id);
        self.count_buffers(id);
        self.end_overflow(id, now);
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.backlog() == 0 {
            if connection.out.capacity() > 0 {
                let buffer = std::mem::take(&mut connection.out);
                if self.spare.len() < SPARE_BUFFERS && buffer.capacity() <= SPARE_BUFFER_BYTES {
                    self.spare.push(buffer);
                }
                self.count_buffers(id);
            }
        } else {
            self.touch(id);
        }
    }

    /// How to handle a connection.
    pub(super) fn state(&self, id: ConnectionId) -> Directive {
        match self.connections.get(id) {
            None => Directive::Dead,
            Some(connection) => match connection.phase {
                ConnectionPhase::Dead => Directive::Dead,
                ConnectionPhase::Closing => Directive::Closing,
                ConnectionPhase::Checking => Directive::Paused,
                ConnectionPhase::Up(_) if connection.is_held() => Directive::Paused,
                ConnectionPhase::Connecting | ConnectionPhase::Up(_) => Directive::Open,
            },
        }
    }

    /// The next connection with new output or a new state.
    pub(super) fn take_changed(&mut self) -> Option<ConnectionId> {
        let id = self.changed.pop()?;
        if let Some(connection) = self.connections.get_mut(id) {
            connection.changed = false;
        }
        Some(id)
    }

    fn touch(&mut self, id: ConnectionId) {
        self.trace_sent(id);
        self.count_buffers(id);
        if let Some(connection) = self.connections.get_mut(id)
            && !connection.changed
        {
            connection.changed = true;
            self.changed.push(id);
        }
    }

    /// When to call `advance` next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Whether `next_deadline` became earlier since the last call of this.
    pub(super) fn take_earlier_deadline(&mut self) -> bool {
        self.deadlines.take_earlier()
    }

    /// Handles passed deadlines.
    pub(super) fn advance(&mut self, now: Instant) {
        self.work = 0;
        // The remaining deadlines are handled in the next call.
        while self.work < TURN_WORK
            && let Some(timer) = self.deadlines.due(now)
        {
            self.work += 1;
            match timer {
                TimerOf::Connection(id) => self.connection_due(id, now),
                TimerOf::Session(id) => self.session_due(id, now),
                TimerOf::System => self.publish_system(now),
            }
        }
    }

    fn connection_due(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.timer = None;
        match connection.phase {
            ConnectionPhase::Connecting | ConnectionPhase::Checking | ConnectionPhase::Closing
                if connection.ends_at.is_some_and(|at| at <= now) =>
            {
                self.tell_leaving(id, Leaving::Silent);
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.phase = ConnectionPhase::Dead;
                }
                self.touch(id);
            }
            ConnectionPhase::Up(_) => {
                if connection.resume_at.is_some_and(|at| at <= now) {
                    connection.resume_at = None;
                    connection.last_received = now;
                    self.touch(id);
                }
                self.late_due(id, now);
                let Some(connection) = self.connections.get_mut(id) else { return };
                let silent = now.saturating_duration_since(connection.last_received);
                if !connection.is_waiting() && connection.keep_alive.is_some_and(|most| silent >= most) {
                    return self.disconnect(id, ReasonCode::KEEP_ALIVE_TIMEOUT, "", now);
                }
                let idle = now.saturating_duration_since(connection.lag.last_progress);
                if !connection.lag.waiting.is_empty() && idle >= self.options.limits.patience {
                    connection.lag.stalled = true;
                    self.tell(id, EventKind::Stalled);
                    self.release_publishers(id, now);
                }
            }
            _ => {}
        }
        self.arm(id, now);
    }

    /// Sets the deadline of a connection. It is not moved with every packet: when it passes and something was
    /// received since, it is set again.
    fn arm(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let at = match connection.phase {
            ConnectionPhase::Connecting | ConnectionPhase::Checking | ConnectionPhase::Closing => {
                connection.ends_at
            }
            ConnectionPhase::Dead => None,
            ConnectionPhase::Up(_) => {
                let since = if connection.is_waiting() { now } else { connection.last_received };
                let keep_alive = connection.keep_alive.and_then(|most| since.checked_add(most));
                let patience = self.options.limits.patience;
                let patience = if connection.lag.waiting.is_empty() {
                    None
                } else {
                    connection.lag.last_progress.checked_add(patience)
                };
                [keep_alive, patience, connection.resume_at, connection.late_at].into_iter().flatten().min()
            }
        };
        self.deadlines.set(TimerOf::Connection(id), &mut connection.timer, at);
    }
}
