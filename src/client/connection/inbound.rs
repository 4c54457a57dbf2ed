//! The inbound half of a connection: one read, and the packets in it.

use std::io;
use std::mem;
use std::task::Poll;

use super::state::{Barrier, ClosingStage, ConnectionState, DecodingEnd, End, HeldBack};
use super::{Connection, EndedBy, WakeUp, WakeUpStep};
use crate::client::handler::{Flow, Handler};
use crate::client::scratch::INPUT_BYTES;
use crate::client::session::{Event, Session, acknowledgement_of};
use crate::error::{Error, Layer, Sign};
use crate::net;
use crate::protocol::Direction;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Packet};

/// Maximum number of bytes to read while waiting for the broker to close its side, or after the stream
/// accepts no more bytes: a broker that sends at full speed must not cost half a second of that.
const LINGER_BYTES: usize = 16 * 1024 * 1024;

/// Reserves space for more bytes of a large packet: doubles the capacity as a vector does, up to the whole
/// packet plus one read of the next.
///
/// # Errors
/// Out of memory.
fn grow(collected: &mut Vec<u8>, bytes: usize) -> Result<(), Error> {
    let there = collected.len();
    if collected.capacity() - there >= bytes {
        return Ok(());
    }
    let whole = wire::announced(collected).map_or(usize::MAX, |length| length.saturating_add(INPUT_BYTES));
    let more = bytes.max(there.min(whole.saturating_sub(there)));
    collected.try_reserve_exact(more).map_err(|_| {
        let packet = wire::announced(collected).unwrap_or(there);
        Error::file(format!("a packet of {packet} bytes"), io::ErrorKind::OutOfMemory.into())
            .with_hint("--max-packet-size sets the largest packet that is accepted")
    })
}

impl Connection {
    /// Whether the packet is larger than the scratch buffer. It then collects in its own memory, which grows
    /// with the bytes received and not with the length in its header.
    fn is_large(&self) -> bool {
        self.partial.len() >= INPUT_BYTES / 2
    }

    /// Where to read to; the space before it holds the beginning of an incomplete packet.
    pub(in crate::client) fn space<'a>(&self, input: &'a mut [u8]) -> &'a mut [u8] {
        if self.is_large() { input } else { &mut input[self.partial.len()..] }
    }

    /// One read has put `count` bytes into [`Self::space`]; 0 is the end of the stream.
    pub(in crate::client) fn received<H: Handler>(
        &mut self,
        wake_up: &mut WakeUp<'_, H>,
        input: &mut [u8],
        count: io::Result<usize>,
    ) {
        wake_up.step = WakeUpStep::Fill;
        let count = match count {
            Ok(0) if self.partial.is_empty() => return self.stream_ended(closed("")),
            Ok(0) => return self.stream_ended(closed(" in the middle of a packet")),
            Ok(count) => count,
            Err(error) => return self.stream_ended(broken(&error)),
        };
        match &mut self.state {
            // No packet may follow DISCONNECT ([MQTT-3.14.4-2]).
            ConnectionState::Closing(closing) => {
                if let ClosingStage::Lingering { read } = &mut closing.stage {
                    *read += count;
                    if *read >= LINGER_BYTES {
                        let outcome = closing.outcome.take();
                        self.over(EndedBy::ThisSide, outcome);
                    }
                }
                return;
            }
            ConnectionState::Broken(_, broken) => {
                broken.read += count;
                if broken.read >= LINGER_BYTES {
                    return self.close(wake_up.now, None);
                }
            }
            _ => {}
        }
        if self.is_large() {
            return self.receive_collected(wake_up, &input[..count]);
        }
        let start = self.partial.len();
        input[..start].copy_from_slice(&self.partial);
        let bytes = &input[..start + count];
        let used = self.take_in(wake_up, bytes, count);
        self.partial.clear();
        self.partial.extend_from_slice(&bytes[used..]);
        if self.partial.is_empty() && self.partial.capacity() > INPUT_BYTES {
            self.partial = Vec::new();
        }
    }

    /// Processes the collected bytes followed by `bytes`.
    pub(super) fn receive_collected<H: Handler>(&mut self, wake_up: &mut WakeUp<'_, H>, bytes: &[u8]) {
        wake_up.step = WakeUpStep::Fill;
        let mut collected = mem::take(&mut self.partial);
        if matches!(self.state, ConnectionState::Closing(_)) {
            return;
        }
        if let Err(error) = grow(&mut collected, bytes.len()) {
            return self.over(EndedBy::ThisSide, Some(Box::new(error)));
        }
        collected.extend_from_slice(bytes);
        let used = self.take_in(wake_up, &collected, bytes.len());
        if used < collected.len() {
            collected.drain(..used);
            self.partial = collected;
        }
    }

    /// The stream has ended.
    fn stream_ended(&mut self, error: Error) {
        let error = Some(Box::new(error));
        self.state = match self.take_state() {
            ConnectionState::Closing(closing) if closing.stage == ClosingStage::Writing => {
                ConnectionState::cut_short(closing.outcome, error)
            }
            // The broker closed its side before our close was complete; the result is the same.
            ConnectionState::Closing(closing) => ConnectionState::Over(EndedBy::ThisSide, closing.outcome),
            ConnectionState::Broken(_, broken) => ConnectionState::Over(EndedBy::OtherSide, broken.error),
            _ => ConnectionState::Over(EndedBy::OtherSide, error),
        };
    }

    /// Processes every complete packet; `count` of the bytes are new. Returns the number of bytes used.
    fn take_in<H: Handler>(&mut self, wake_up: &mut WakeUp<'_, H>, bytes: &[u8], count: usize) -> usize {
        let (used, result) = self.decode_all(wake_up, bytes);
        self.keep_alive.received(wake_up.now, count, used > 0);
        if used == 0 {
            wake_up.handler.on_part(count);
        }
        let flushed = wake_up.handler.poll_flush(&mut wake_up.cx);
        let end = match result {
            Ok(()) => None,
            Err(DecodingEnd::Here(end)) => Some(end),
            Err(DecodingEnd::ByBroker(error)) => {
                self.over(EndedBy::OtherSide, Some(Box::new(error)));
                return used;
            }
        };
        match (flushed, &self.state) {
            (Poll::Ready(Err(error)), _) => {
                wake_up.output.clear();
                self.disconnect(wake_up, ReasonCode::SUCCESS, Some(error));
            }
            (Poll::Pending, ConnectionState::Open(barrier)) => {
                let held = HeldBack { acknowledgements: wake_up.output[..].into(), end };
                wake_up.output.clear();
                self.state = ConnectionState::Blocked(*barrier, Box::new(held));
            }
            // Nothing can be sent on a broken stream, so there are no acknowledgements to hold back.
            (Poll::Pending | Poll::Ready(Ok(())), _) => self.end(wake_up, end),
        }
        used
    }

    /// Decodes and handles every complete packet; returns the number of bytes used.
    fn decode_all<H: Handler>(
        &mut self,
        wake_up: &mut WakeUp<'_, H>,
        received: &[u8],
    ) -> (usize, Result<(), DecodingEnd>) {
        let mut used = 0;
        let is_plain = !wake_up.is_traced && self.largest_packet_bytes as usize >= wire::PUBACK_BYTES;
        loop {
            let rest = &received[used..];
            // When many messages are published, half of all packets are such PUBACKs, and `handle` would cost
            // more than their processing.
            if is_plain {
                let tokens = wake_up.session.acknowledged_in_order(wire::plain_pubacks(rest));
                if !tokens.is_empty() {
                    let bytes = wire::PUBACK_BYTES * usize::try_from(tokens.end - tokens.start).unwrap_or(0);
                    used += bytes;
                    self.take_early(bytes);
                    if let Err(ended) = self.go_on(wake_up.handler.on_published(tokens)) {
                        return (used, Err(ended));
                    }
                    continue;
                }
            }
            let length = match wire::frame(rest, self.largest_packet_bytes) {
                Ok(Some(length)) => length,
                Ok(None) => return (used, Ok(())),
                Err(malformed) => return (used, Err(End::Malformed(malformed).into())),
            };
            used += length;
            if let Err(ended) = self.handle(wake_up, &rest[..length]) {
                return (used, Err(ended));
            }
            if wake_up.handler.pauses() && self.is_reading() {
                self.has_leftover = used < received.len();
                return (used, Ok(()));
            }
        }
    }

    fn handle<H: Handler>(&mut self, wake_up: &mut WakeUp<'_, H>, bytes: &[u8]) -> Result<(), DecodingEnd> {
        let WakeUp { session, handler, output, is_traced, .. } = wake_up;
        let packet = wire::decode(self.protocol, bytes).map_err(End::Malformed)?;
        if *is_traced && let Some(supervisor) = handler.supervisor() {
            supervisor.trace(Direction::Received, &packet);
        }
        if self.take_early(bytes.len()) && matches!(packet, Packet::PingResp) {
            return Ok(()); // The PINGREQ of this wake-up was sent after it.
        }
        if matches!(packet, Packet::Publish(_)) && (self.barrier().is_some() || handler.declines_messages()) {
            return Ok(()); // Not delivered, so not acknowledged: in a kept session the broker sends it again.
        }
        let (before, receive_maximum) = (output.len(), session.own_receive_maximum());
        let Some(event) = session.receive(&packet, output).map_err(End::Malformed)? else { return Ok(()) };
        let is_deferred = matches!(event, Event::Message(_)) && handler.defers_acknowledgements();
        if let (Event::Message(publish), true) = (&event, is_deferred) {
            output.truncate(before);
            let deferred = &mut self.rare.get_or_insert_default().deferred;
            deferred.defer(acknowledgement_of(publish), receive_maximum)?;
        }
        let is_release = matches!(event, Event::Released { .. });
        match &event {
            Event::Message(_) => self.received_messages = true,
            Event::Pong { last: true } if self.barrier().is_some() => {
                session.confirmed();
                return Err(End::Passed.into());
            }
            Event::Auth { reason, properties } => {
                let renewal = self.rare.get_or_insert_default().renewal.get_or_insert_default();
                return renewal.receive(*reason, properties, output).map_err(|error| match error {
                    Error::Protocol(malformed) => End::Malformed(malformed).into(),
                    error => End::Failed(error).into(),
                });
            }
            Event::Disconnected { reason, properties } => {
                return Err(DecodingEnd::ByBroker(Session::disconnected_error(*reason, properties)));
            }
            _ => {}
        }
        let answer = handler.on_event(event);
        if is_deferred {
            session.acknowledgement_is_deferred();
        }
        self.go_on(answer)?;
        if is_release && matches!(self.barrier(), Some(Barrier::Received { .. })) && !session.has_unreleased()
        {
            return Err(End::Passed.into());
        }
        Ok(())
    }

    /// The barrier to pass before the connection is closed.
    fn barrier(&self) -> Option<Barrier> {
        match &self.state {
            ConnectionState::Open(barrier) | ConnectionState::Broken(barrier, _) => *barrier,
            _ => None,
        }
    }

    /// Applies the handler's answer.
    fn go_on(&self, answer: Result<Flow, Error>) -> Result<(), DecodingEnd> {
        match answer.map_err(End::Failed)? {
            Flow::Stop if self.barrier().is_none() => Err(End::Stopped.into()),
            Flow::Continue | Flow::Stop => Ok(()),
        }
    }
}

fn closed(when: &str) -> Error {
    Error::link(Layer::Mqtt, format!("the broker closed the connection{when}")).signed(Sign::Closed)
}

/// The same for a system error.
fn broken(error: &io::Error) -> Error {
    let error = net::broken(error);
    let is_of_stream = matches!(error, Error::Link { layer: Layer::Stream, .. });
    if is_of_stream { error.signed(Sign::Closed) } else { error }
}
