//! A connection after CONNACK, without its network: keep-alive, back-pressure and closing. Received bytes and
//! the time are arguments; bytes to write and the next deadline are results; events go to the [`Handler`].
//! There is no stream, timer or clock here, so that tests can check every rule to the byte and to the second.
//!
//! For each wake-up the driver makes a [`WakeUp`] and carries out what [`Connection::next`] returns until
//! that is to wait: the handler fills the output, the output is written once, the stream is read once, all
//! packets are decoded, and the acknowledgements are sent after the handler has processed them. One wake-up
//! serves many packets, which share its cost; in steady state no memory is allocated per message.

mod deferred;
mod inbound;
mod outbound;
mod state;

#[cfg(test)]
mod tests;

use std::io;
use std::mem;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use self::deferred::Deferred;
use self::outbound::Unwritten;
pub(super) use self::state::EndedBy;
use self::state::{Barrier, BrokenStream, Closing, ClosingStage, ConnectionState, End};
use super::authentication::Authentication;
use super::handler::{Change, Flow, Handler, Supervision};
use super::keep_alive::{Due, KeepAlive};
use super::renewal::Renewal;
use super::scratch::OUTPUT_BYTES;
use super::session::Session;
use crate::error::{Error, Layer, Sign};
use crate::net;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire;
use crate::protocol::{Direction, Protocol};

/// Reads in one wake-up before other connections of the same thread get their turn: a broker that sends
/// without pause must not starve them.
const MOST_READS: u32 = 16;
/// Time limit for writing the remaining output, which ends with DISCONNECT.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
/// How long to wait after DISCONNECT for the broker to close its side, and how long to read from a stream
/// that accepts no more bytes; but see [`Handler::awaits_close`].
const LINGER_LIMIT: Duration = Duration::from_millis(500);

/// The next action of the driver.
#[derive(Debug)]
pub(super) enum Action {
    /// Write and flush [`Connection::output`]; report the outcome with [`Connection::wrote`].
    Write,
    /// Read once into [`Connection::space`]; report the outcome with [`Connection::received`].
    Read,
    /// Close our side of the stream; report it with [`Connection::was_shut_down`].
    ShutDown,
    /// Wait for the stream, for the handler, or until [`Connection::next_deadline`]; then
    /// [`Connection::advance`].
    Wait,
    /// Like [`Action::Wait`], but request another wake-up immediately: there may be more to do.
    Yield,
    /// The connection is over.
    Done(Result<(), Error>),
}

/// One wake-up of the driver: its inputs and its progress.
pub(super) struct WakeUp<'a, H> {
    pub(super) now: Instant,
    pub(super) cx: Context<'a>,
    pub(super) session: &'a mut Session,
    pub(super) handler: &'a mut H,
    /// The packets of this wake-up; empty at its start.
    pub(super) output: &'a mut BytesMut,
    step: WakeUpStep,
    reads: u32,
    /// Whether the handler may have more once everything is written.
    may_have_more: bool,
    /// Whether packets are shown to the user.
    is_traced: bool,
}

/// The next step of a wake-up.
#[derive(Debug, Clone, Copy)]
enum WakeUpStep {
    Interrupt,
    Fill,
    Write,
    ShutDown,
    Read,
    Wait,
    Yield,
}

impl<'a, H: Handler> WakeUp<'a, H> {
    pub(super) fn new(
        now: Instant,
        waker: &'a Waker,
        session: &'a mut Session,
        handler: &'a mut H,
        output: &'a mut BytesMut,
    ) -> Self {
        let step = WakeUpStep::Interrupt;
        let cx = Context::from_waker(waker);
        let is_traced = handler.supervisor().is_some_and(|supervisor| supervisor.traces());
        Self { now, cx, session, handler, output, step, reads: 0, may_have_more: false, is_traced }
    }
}

/// A connection after CONNACK.
#[derive(Debug)]
pub(super) struct Connection {
    protocol: Protocol,
    largest_packet_bytes: u32,
    /// How long the broker may stay silent before it answers the last PINGREQ.
    barrier_limit: Duration,
    /// The properties of our DISCONNECT.
    disconnect_properties: PropertyBlock,
    /// The Reason Code of the DISCONNECT when the handler interrupts the connection.
    interrupted: ReasonCode,
    /// The beginning of an incomplete packet.
    partial: Vec<u8>,
    /// Whether `partial` holds unprocessed bytes from the CONNACK's read or from before a pause.
    has_leftover: bool,
    unwritten: Unwritten,
    keep_alive: KeepAlive,
    received_messages: bool,
    /// Boxed: there may be thousands of connections.
    rare: Option<Box<Rare>>,
    state: ConnectionState,
}

/// State that few connections have.
#[derive(Debug, Default)]
struct Rare {
    /// The number of unprocessed bytes that arrived with CONNACK, before anything was sent: a PINGRESP among
    /// them answers no PINGREQ.
    early_bytes: usize,
    renewal: Option<Renewal>,
    /// Whether the broker keeps the session when the connection ends.
    session_is_kept: bool,
    /// The acknowledgements that wait, if the handler defers them.
    deferred: Deferred,
}

impl Connection {
    /// A connection after CONNACK; `leftover` are the bytes received after it. `keep_alive` is in seconds, 0
    /// is off; `barrier_limit` is how long the broker may stay silent before it answers the last PINGREQ.
    pub(super) fn new(
        protocol: Protocol,
        keep_alive: u16,
        barrier_limit: Duration,
        largest_packet_bytes: u32,
        leftover: Vec<u8>,
        disconnect_properties: PropertyBlock,
        now: Instant,
    ) -> Self {
        let early = |early_bytes| Box::new(Rare { early_bytes, ..Rare::default() });
        Self {
            protocol,
            largest_packet_bytes,
            barrier_limit,
            disconnect_properties,
            interrupted: ReasonCode::SUCCESS,
            has_leftover: !leftover.is_empty(),
            rare: (!leftover.is_empty()).then(|| early(leftover.len())),
            partial: leftover,
            unwritten: Unwritten::new(),
            keep_alive: KeepAlive::new(keep_alive, now),
            received_messages: false,
            state: ConnectionState::Open(None),
        }
    }

    /// Counts processed bytes; whether they began with bytes that had arrived with CONNACK.
    fn take_early(&mut self, bytes: usize) -> bool {
        let Some(rare) = self.rare.as_deref_mut() else { return false };
        let was_early = rare.early_bytes > 0;
        rare.early_bytes = rare.early_bytes.saturating_sub(bytes);
        was_early
    }

    /// Sets the authentication that the connection began with; it is repeated at the interval requested
    /// there.
    pub(super) fn authenticate_again(&mut self, authentication: &Authentication, now: Instant) {
        self.rare.get_or_insert_default().renewal = Some(Renewal::of(authentication, now));
    }

    /// The broker keeps the session when the connection ends.
    pub(super) fn keeps_session(&mut self) {
        self.rare.get_or_insert_default().session_is_kept = true;
    }

    /// Sets the Reason Code of the DISCONNECT when the handler interrupts the connection.
    pub(super) fn interrupted_with(&mut self, reason: ReasonCode) {
        self.interrupted = reason;
    }

    /// The side that ended the connection, once it is over.
    pub(super) fn ended_by(&self) -> Option<EndedBy> {
        match self.state {
            ConnectionState::Over(by, _) => Some(by),
            _ => None,
        }
    }

    /// The connection's own packet that the broker has not answered: AUTH or PINGREQ.
    pub(super) fn unanswered(&self) -> Option<&'static str> {
        let renewal = self.rare.as_ref().and_then(|rare| rare.renewal.as_ref());
        let authenticates = renewal.is_some_and(Renewal::is_under_way);
        let asked = || self.keep_alive.is_asked().then_some("PINGREQ");
        authenticates.then_some("AUTH (re-authentication)").or_else(asked)
    }

    /// How long ago bytes were last sent.
    pub(super) fn since_sent(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.keep_alive.last_sent())
    }

    /// How long ago the broker last showed that it is there.
    pub(super) fn since_received(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.keep_alive.last_received())
    }

    /// The next action.
    pub(super) fn next<H: Handler>(&mut self, wake_up: &mut WakeUp<'_, H>) -> Action {
        loop {
            if let ConnectionState::Over(_, outcome) = &mut self.state {
                return Action::Done(outcome.take().map_or(Ok(()), |error| Err(*error)));
            }
            match wake_up.step {
                WakeUpStep::Interrupt => {
                    wake_up.step = WakeUpStep::Fill;
                    self.look_for_interrupt(wake_up);
                }
                WakeUpStep::Fill => {
                    wake_up.step = WakeUpStep::Write;
                    self.fill(wake_up);
                }
                WakeUpStep::Write => {
                    wake_up.step = WakeUpStep::ShutDown;
                    if !(wake_up.output.is_empty() && self.unwritten.is_clear()) {
                        return Action::Write;
                    }
                }
                WakeUpStep::ShutDown => {
                    wake_up.step = WakeUpStep::Read;
                    if self.is_to_shut_down() {
                        return Action::ShutDown;
                    }
                }
                WakeUpStep::Read if matches!(self.state, ConnectionState::Blocked(..)) => {
                    wake_up.step = WakeUpStep::Wait;
                }
                WakeUpStep::Read if self.is_reading() && wake_up.handler.is_full() => {
                    wake_up.step = WakeUpStep::Wait;
                }
                WakeUpStep::Read if self.unwritten.is_full() => wake_up.step = WakeUpStep::Wait,
                WakeUpStep::Read if wake_up.reads == MOST_READS => wake_up.step = WakeUpStep::Yield,
                WakeUpStep::Read => {
                    wake_up.reads += 1;
                    let is_again = wake_up.may_have_more && self.unwritten.is_clear();
                    wake_up.step = if is_again { WakeUpStep::Fill } else { WakeUpStep::Wait };
                    if !mem::take(&mut self.has_leftover) {
                        return Action::Read;
                    }
                    self.receive_collected(wake_up, &[]);
                }
                WakeUpStep::Wait => return Action::Wait,
                WakeUpStep::Yield => return Action::Yield,
            }
        }
    }

    /// When to call [`Self::advance`].
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        if let Some(limit) = self.limit() {
            return Some(self.keep_alive.looking().unwrap_or(limit));
        }
        let renewal = self.rare.as_ref().and_then(|rare| rare.renewal.as_ref()?.deadline());
        [self.keep_alive.deadline(), renewal].into_iter().flatten().min()
    }

    /// The deadline of the current state; keep-alive has its own.
    fn limit(&self) -> Option<Instant> {
        match &self.state {
            ConnectionState::Open(barrier) | ConnectionState::Blocked(barrier, _) => {
                let keep_alive = &self.keep_alive;
                let waiting_since = (!self.unwritten.is_empty()).then(|| keep_alive.last_sent());
                barrier.map(|barrier| {
                    let is_kept = self.rare.as_ref().is_some_and(|rare| rare.session_is_kept);
                    let longest = barrier.longest(self.barrier_limit, is_kept);
                    barrier.until(keep_alive.last_moved(), waiting_since, longest)
                })
            }
            ConnectionState::Broken(_, broken) => Some(broken.until),
            ConnectionState::Closing(closing) => Some(closing.until),
            ConnectionState::Over(..) => None,
        }
    }

    /// Acts on a deadline that has passed; `now` is the current time.
    pub(super) fn advance<H: Handler>(&mut self, wake_up: &mut WakeUp<'_, H>, now: Instant) {
        wake_up.now = now;
        wake_up.step = WakeUpStep::Fill;
        let Some(limit) = self.limit() else { return self.keep_up(wake_up) };
        if now < limit {
            return self.keep_alive.look_away();
        }
        if self.keep_alive.last_look(now).is_some() {
            return;
        }
        match self.take_state() {
            ConnectionState::Open(barrier) | ConnectionState::Blocked(barrier, _) => {
                if matches!(barrier, Some(Barrier::Sent { .. })) {
                    wake_up.handler.on_change(Change::Unconfirmed(self.barrier_limit));
                }
                self.disconnect(wake_up, ReasonCode::SUCCESS, None);
            }
            ConnectionState::Broken(_, broken) => self.over(EndedBy::OtherSide, broken.error),
            ConnectionState::Closing(closing) => self.over(EndedBy::ThisSide, closing.outcome),
            state @ ConnectionState::Over(..) => self.state = state,
        }
    }

    /// Whether received packets go to the handler.
    fn is_reading(&self) -> bool {
        matches!(self.state, ConnectionState::Open(_))
    }

    /// Sends the acknowledgements of messages that the handler has settled.
    fn settle<H: Handler>(&mut self, wake_up: &mut WakeUp<'_, H>) {
        let is_open = matches!(self.state, ConnectionState::Open(_) | ConnectionState::Blocked(..));
        if let Some(rare) = self.rare.as_deref_mut().filter(|rare| is_open && !rare.deferred.is_empty()) {
            rare.deferred.settle(wake_up.handler.settled(), wake_up.session, wake_up.output);
        }
    }

    /// Performs re-authentication and keep-alive.
    fn keep_up<H: Handler>(&mut self, wake_up: &mut WakeUp<'_, H>) {
        let is_reading = self.is_reading() && !wake_up.handler.is_full();
        if let Some(renewal) = self.rare.as_mut().and_then(|rare| rare.renewal.as_mut())
            && let Err(error) = renewal.advance(wake_up.now, is_reading, wake_up.output)
        {
            return self.over(EndedBy::OtherSide, Some(Box::new(error)));
        }
        match self.keep_alive.due(wake_up.now, is_reading, !self.unwritten.is_empty()) {
            Due::Nothing => {}
            Due::Ping => wake_up.session.ping(wake_up.output),
            Due::Dead => self.over(EndedBy::KeepAlive, Some(Box::new(silent()))),
            Due::Stuck => self.over(EndedBy::KeepAlive, Some(Box::new(stuck()))),
        }
    }

    /// Polls the handler for signals and timeouts.
    fn look_for_interrupt<H: Handler>(&mut self, wake_up: &mut WakeUp<'_, H>) {
        if !matches!(self.state, ConnectionState::Closing(_))
            && let Poll::Ready(result) = wake_up.handler.poll_interrupt(&mut wake_up.cx)
        {
            // Messages that the handler has not written out or not settled stay unacknowledged.
            self.settle(wake_up);
            self.disconnect(wake_up, self.interrupted, result.err());
        }
    }

    /// Lets the handler continue: write out its output, and add packets.
    fn fill<H: Handler>(&mut self, wake_up: &mut WakeUp<'_, H>) {
        if let ConnectionState::Blocked(barrier, held) = &mut self.state {
            match wake_up.handler.poll_flush(&mut wake_up.cx) {
                Poll::Ready(Ok(())) => {
                    let (barrier, held) = (*barrier, mem::take(&mut **held));
                    wake_up.output.extend_from_slice(&held.acknowledgements);
                    self.state = ConnectionState::Open(barrier);
                    self.end(wake_up, held.end);
                }
                Poll::Ready(Err(error)) => self.disconnect(wake_up, ReasonCode::SUCCESS, Some(error)),
                Poll::Pending => {}
            }
        }
        self.settle(wake_up);
        if matches!(self.state, ConnectionState::Broken(..)) {
            wake_up.output.clear();
        }
        // This write may make room for more packets. Only the handler knows whether it has more, and without
        // this flag it would not be called again.
        wake_up.may_have_more = !self.unwritten.is_empty();
        if wake_up.may_have_more || !matches!(self.state, ConnectionState::Open(None)) {
            return;
        }
        let before = wake_up.output.len();
        if let Err(error) = wake_up.session.resume(wake_up.output, OUTPUT_BYTES) {
            return self.disconnect(wake_up, ReasonCode::SUCCESS, Some(error));
        }
        match wake_up.handler.poll_fill(&mut wake_up.cx, wake_up.session, wake_up.output) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.leave(wake_up),
            Poll::Ready(Err(error)) => self.disconnect(wake_up, ReasonCode::SUCCESS, Some(error)),
        }
        wake_up.session.date_unread(wake_up.now);
        wake_up.may_have_more = wake_up.output.len() > before;
        if wake_up.may_have_more {
            self.unwritten.filled(wake_up.output);
        }
        while matches!(self.state, ConnectionState::Open(None))
            && let Some(refusal) = wake_up.session.take_refusal()
        {
            wake_up.may_have_more = true;
            match wake_up.handler.on_event(refusal.event()) {
                Ok(Flow::Continue) => {}
                Ok(Flow::Stop) => self.leave(wake_up),
                Err(error) => self.disconnect(wake_up, ReasonCode::SUCCESS, Some(error)),
            }
        }
    }

    /// The bytes to write.
    pub(super) fn output<'a, H: Handler>(
        &'a mut self,
        handler: &mut H,
        output: &'a mut BytesMut,
    ) -> &'a [u8] {
        if let Some(supervisor) = handler.supervisor().filter(|supervisor| supervisor.traces()) {
            trace_all(supervisor, self.protocol, output);
        }
        self.unwritten.joined(output)
    }

    /// The stream took `count` bytes of [`Self::output`]. `Ready` means that the stream accepts more and has
    /// flushed everything, or that it is broken.
    pub(super) fn wrote<H: Handler>(
        &mut self,
        wake_up: &mut WakeUp<'_, H>,
        count: usize,
        outcome: Poll<io::Result<()>>,
    ) {
        let had_waited = self.unwritten.took(wake_up.output, count, outcome.is_ready());
        if count > 0 {
            match self.unwritten.took_of_handler(count) {
                0 => {}
                part => wake_up.handler.on_written(part),
            }
            if had_waited {
                self.keep_alive.drained(wake_up.now);
                if let ConnectionState::Open(Some(Barrier::Sent { since })) = &mut self.state {
                    *since = wake_up.now;
                }
            } else {
                self.keep_alive.sent(wake_up.now);
            }
        }
        if let Poll::Ready(Err(error)) = outcome {
            self.stream_broke(wake_up.now, net::broken(&error));
        }
    }

    /// The stream accepts no more bytes.
    fn stream_broke(&mut self, now: Instant, error: Error) {
        let error = Some(Box::new(error));
        self.unwritten.forget();
        let barrier = match self.take_state() {
            ConnectionState::Open(barrier) => barrier,
            ConnectionState::Blocked(barrier, held) => match held.end {
                None => barrier,
                Some(end) => return self.state = ConnectionState::cut_short(end.error(), error),
            },
            ConnectionState::Closing(closing) => {
                return self.state = ConnectionState::cut_short(closing.outcome, error);
            }
            state => return self.state = state,
        };
        self.keep_alive.look_away();
        let broken = BrokenStream { error, until: now + LINGER_LIMIT, read: 0 };
        self.state = ConnectionState::Broken(barrier, Box::new(broken));
    }

    /// Starts an orderly close, with a barrier before DISCONNECT if the session needs one.
    fn leave<H: Handler>(&mut self, wake_up: &mut WakeUp<'_, H>) {
        let barrier = match self.state {
            ConnectionState::Open(_) => Barrier::needed(wake_up.session, wake_up.now),
            _ => None,
        };
        if barrier.is_none() {
            return self.disconnect(wake_up, ReasonCode::SUCCESS, None);
        }
        wake_up.session.ping(wake_up.output);
        self.keep_alive.sent(wake_up.now);
        self.keep_alive.look_away();
        self.state = ConnectionState::Open(barrier);
    }

    /// Puts DISCONNECT into the output; the connection ends with `outcome` once it is written.
    fn disconnect<H: Handler>(
        &mut self,
        wake_up: &mut WakeUp<'_, H>,
        reason: ReasonCode,
        outcome: Option<Error>,
    ) {
        wire::disconnect(wake_up.output, self.protocol, reason, &self.disconnect_properties);
        self.close(wake_up.now, outcome);
    }

    /// Closes the connection after the current output.
    fn close(&mut self, now: Instant, outcome: Option<Error>) {
        let outcome = outcome.map(Box::new);
        if let ConnectionState::Broken(_, broken) = &mut self.state {
            // Nothing can be sent, and there is nothing to wait for.
            return self.state = ConnectionState::cut_short(outcome, broken.error.take());
        }
        self.keep_alive.look_away();
        // After the user's own timeout, the close must be short.
        let is_overdue = matches!(outcome.as_deref(), Some(Error::TimedOut { .. }));
        let until = now + if is_overdue { LINGER_LIMIT } else { CLOSE_LIMIT };
        self.state =
            ConnectionState::Closing(Box::new(Closing { outcome, until, stage: ClosingStage::Writing }));
    }

    /// Ends the connection, if `end` requests it, after the acknowledgements of the messages before.
    fn end<H: Handler>(&mut self, wake_up: &mut WakeUp<'_, H>, end: Option<End>) {
        match end {
            None => {}
            Some(End::Stopped) => self.leave(wake_up),
            Some(End::Passed) => self.disconnect(wake_up, ReasonCode::SUCCESS, None),
            Some(End::Failed(error)) => self.disconnect(wake_up, ReasonCode::SUCCESS, Some(error)),
            Some(End::Malformed(malformed)) if self.protocol == Protocol::V5 => {
                let reason = malformed.reason;
                self.disconnect(wake_up, reason, Some(Error::Protocol(malformed))); // [MQTT-4.13.1-1]
            }
            // MQTT 3.x cannot send a reason: the connection is closed without one ([MQTT-4.8.0-1]).
            Some(End::Malformed(malformed)) => self.close(wake_up.now, Some(Error::Protocol(malformed))),
        }
    }

    /// Whether to close our side of the stream now.
    fn is_to_shut_down(&mut self) -> bool {
        let ConnectionState::Closing(closing) = &mut self.state else { return false };
        if closing.stage == ClosingStage::Writing && self.unwritten.is_clear() {
            closing.stage = ClosingStage::ShuttingDown;
        }
        closing.stage == ClosingStage::ShuttingDown
    }

    /// Our side of the stream is closed. If the broker closed first, the result is the same.
    pub(super) fn was_shut_down<H: Handler>(&mut self, wake_up: &WakeUp<'_, H>) {
        let ConnectionState::Closing(closing) = &mut self.state else { return };
        if self.received_messages {
            // Even without a wait the stream is read once more: unread bytes would turn the close into a
            // reset.
            let limit = if wake_up.handler.awaits_close() { LINGER_LIMIT } else { Duration::ZERO };
            closing.stage = ClosingStage::Lingering { read: 0 };
            closing.until = wake_up.now + limit;
            self.keep_alive.look_away();
        } else {
            let outcome = closing.outcome.take();
            self.over(EndedBy::ThisSide, outcome);
        }
    }

    fn over(&mut self, by: EndedBy, outcome: Option<Box<Error>>) {
        self.state = ConnectionState::Over(by, outcome);
    }

    /// Takes the state out; the caller replaces it.
    fn take_state(&mut self) -> ConnectionState {
        mem::replace(&mut self.state, ConnectionState::Over(EndedBy::ThisSide, None))
    }
}

fn silent() -> Error {
    Error::link(Layer::Mqtt, "the broker has been silent for one and a half keep-alive intervals")
        .signed(Sign::Silent)
}

fn stuck() -> Error {
    let cause = "the broker has not read anything for one and a half keep-alive intervals";
    Error::link(Layer::Mqtt, cause)
}

fn trace_all(supervisor: &mut dyn Supervision, protocol: Protocol, output: &[u8]) {
    let mut rest = output;
    while let Ok(Some(length)) = wire::frame(rest, wire::LARGEST_PACKET_BYTES) {
        if let Ok(packet) = wire::decode(protocol, &rest[..length]) {
            supervisor.trace(Direction::Sent, &packet);
        }
        rest = &rest[length..];
    }
}
