//! The driver: carries a session's packets over one stream.
//!
//! One `poll` does, until nothing moves: let the handler fill the output, one write, one read,
//! decode all, let the handler deal with it, and only then send the acknowledgements. A stream
//! wakes it once for many packets, so the cost of a wake-up is shared by all of them; in steady
//! state nothing is allocated per message.

mod input;

use std::io;
use std::mem::discriminant;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

use super::authentication::Authentication;
use super::ending::{End, Fence, Held, Phase};
use super::handler::{Change, Flow, Handler};
use super::keep_alive::{Due, KeepAlive};
use super::renewal::Renewal;
use super::scratch::{self, INPUT_BYTES, OUTPUT_BYTES, Scratch};
use super::session::Session;
use crate::error::{Error, Layer};
use crate::net;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire;
use crate::protocol::{Direction, Protocol};

/// Bytes that may join what waits to be written before nothing more is read: a server that does not read
/// what it is sent must not make us pile up acknowledgements.
const MOST_JOINING_BYTES: usize = 1024 * 1024;
/// Reads after which others of the same thread get their turn: a server that sends without pause
/// must not starve them.
const MOST_READS: u32 = 16;
/// How long the server may take to read what is left, DISCONNECT at its end.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);
/// How long to wait, after DISCONNECT, for the server to close its side.
const LINGER_LIMIT: Duration = Duration::from_millis(500);

/// A stream on which CONNACK has been received.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "facts that are independent of each other, not a state")]
pub struct Link<S> {
    stream: S,
    protocol: Protocol,
    largest_packet_bytes: u32,
    /// How long the server may stay silent before it answers the last PINGREQ.
    fence_limit: Duration,
    /// The beginning of a packet whose rest is still to come.
    partial: Vec<u8>,
    /// `partial` holds what came behind CONNACK and has not been looked at.
    unread: bool,
    /// What the stream has not taken yet.
    unwritten: BytesMut,
    /// With more than this unwritten nothing is read: what began to wait, however large one packet of it
    /// is, and [`MOST_JOINING_BYTES`].
    most_unwritten_bytes: usize,
    /// The stream holds back written bytes (TLS).
    unflushed: bool,
    /// What waits for the handler to have written out.
    held: Option<Box<Held>>,
    /// Of our DISCONNECT.
    disconnect_properties: PropertyBlock,
    keep_alive: KeepAlive,
    timer: Option<Pin<Box<Sleep>>>,
    /// The timer is new and must be polled once before waiting.
    unarmed: bool,
    /// The stream takes nothing more, for this reason. What the server said before is still read.
    broken: Option<Box<Error>>,
    /// What few links have. In a box, as all that is rare: there may be thousands of links.
    renewal: Option<Box<Renewal>>,
    phase: Phase,
    received_messages: bool,
    /// It has ended because the server was silent.
    timed_out: bool,
    outcome: Option<Box<Error>>,
    /// The run ends with `outcome`.
    is_decided: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// A link on a stream past CONNACK; `leftover` is what came behind it. `keep_alive` is in
    /// seconds, 0 is off; `fence_limit` is how long the server may stay silent before it answers
    /// the PINGREQ that asks, at the end, whether it has read everything.
    pub fn new(
        stream: S,
        protocol: Protocol,
        keep_alive: u16,
        fence_limit: Duration,
        largest_packet_bytes: u32,
        leftover: Vec<u8>,
        disconnect_properties: PropertyBlock,
    ) -> Self {
        Self {
            stream,
            protocol,
            largest_packet_bytes,
            fence_limit,
            unread: !leftover.is_empty(),
            partial: leftover,
            unwritten: BytesMut::new(),
            most_unwritten_bytes: MOST_JOINING_BYTES,
            unflushed: false,
            held: None,
            disconnect_properties,
            keep_alive: KeepAlive::new(keep_alive, Instant::now()),
            timer: None,
            unarmed: false,
            broken: None,
            renewal: None,
            phase: Phase::Running,
            received_messages: false,
            timed_out: false,
            outcome: None,
            is_decided: false,
        }
    }

    /// Whether this side has ended the link with an error, which no other link can mend.
    pub(super) fn is_decided(&self) -> bool {
        self.is_decided
    }

    /// The link began with this authentication, and renews it if that is asked for.
    pub(super) fn authenticate_again(&mut self, authentication: &Authentication) {
        self.renewal = Some(Box::new(Renewal::of(authentication)));
    }

    /// The link keeps time with this timer, which the connection was made with.
    pub(super) fn keep_time_with(&mut self, mut timer: Pin<Box<Sleep>>) {
        if let Some(deadline) = self.keep_alive.deadline() {
            timer.as_mut().reset(deadline);
            self.timer = Some(timer);
        }
    }

    /// Whether it has ended because the server was silent.
    pub(super) fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// The stream under the link.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Drives the link until the handler ends it or it fails. `Ready(Ok)` means that everything
    /// handed in was written, fenced where QoS 0 needs it, and DISCONNECT sent.
    ///
    /// # Errors
    /// A lost link, a violation of the standard, the server's DISCONNECT, or the handler's error.
    /// Whatever arrived before it was delivered.
    pub fn poll<H: Handler>(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        handler: &mut H,
    ) -> Poll<Result<(), Error>> {
        scratch::with(|scratch| self.poll_with(cx, session, handler, scratch))
    }

    fn poll_with<H: Handler>(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        handler: &mut H,
        scratch: &mut Scratch,
    ) -> Poll<Result<(), Error>> {
        let Scratch { input, output } = scratch;
        if matches!(self.phase, Phase::Running | Phase::Fencing(_))
            && let Poll::Ready(result) = handler.poll_interrupt(cx)
        {
            // What waits for the handler stays unacknowledged: it was not written out.
            self.held = None;
            self.disconnect(output, ReasonCode::SUCCESS, result.err());
        }
        let mut reads = 0;
        loop {
            if self.broken.is_some() {
                return self.poll_last_words(cx, session, handler, input, output).map(Err);
            }
            if let Some(held) = self.held.take() {
                match handler.poll_flush(cx) {
                    Poll::Ready(Ok(())) => {
                        output.extend_from_slice(&held.acknowledgements);
                        self.conclude(held.end, session, output);
                    }
                    Poll::Ready(Err(error)) => self.disconnect(output, ReasonCode::SUCCESS, Some(error)),
                    Poll::Pending => {
                        self.held = Some(held);
                        let _ = self.poll_timer(cx, session, handler, output, false)?;
                        let _ = self.poll_write(cx, handler, output)?;
                        return Poll::Pending;
                    }
                }
            }
            if self.poll_timer(cx, session, handler, output, true)?.is_ready() {
                return Poll::Ready(self.outcome.take().map_or(Ok(()), |error| Err(*error)));
            }
            // What could not be written before may be gone now, and then there is room for more: only
            // the handler knows whether there is, and nothing else will ask it.
            let mut filled = !self.unwritten.is_empty();
            if matches!(self.phase, Phase::Running) && self.unwritten.is_empty() {
                let before = output.len();
                session.resume(output, OUTPUT_BYTES);
                match handler.poll_fill(cx, session, output) {
                    Poll::Pending => {}
                    Poll::Ready(Ok(())) => self.begin_leave(session, output),
                    Poll::Ready(Err(error)) => self.disconnect(output, ReasonCode::SUCCESS, Some(error)),
                }
                filled = output.len() > before;
                while matches!(self.phase, Phase::Running)
                    && let Some(refusal) = session.take_refusal()
                {
                    filled = true; // the handler may have more to do now
                    match handler.on_event(refusal.event()) {
                        Ok(Flow::Continue) => {}
                        Ok(Flow::Stop) => self.begin_leave(session, output),
                        Err(error) => self.disconnect(output, ReasonCode::SUCCESS, Some(error)),
                    }
                }
            }
            let written = match self.poll_write(cx, handler, output) {
                Poll::Ready(Err(error)) => {
                    self.broken = Some(Box::new(error));
                    self.set_timer(LINGER_LIMIT);
                    continue;
                }
                Poll::Ready(Ok(())) => true,
                Poll::Pending => false,
            };
            if written && let Poll::Ready(result) = self.poll_end(cx) {
                return Poll::Ready(result);
            }
            if std::mem::take(&mut self.unarmed) {
                continue;
            }
            if self.unwritten.len() > self.most_unwritten_bytes {
                return Poll::Pending;
            }
            if reads == MOST_READS {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            reads += 1;
            match self.poll_read(cx, session, handler, input, output) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.end(error))),
                Poll::Pending if filled && written => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Reads what the server said before the stream broke: why it closed, or what it acknowledges.
    fn poll_last_words<H: Handler>(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        handler: &mut H,
        input: &mut [u8],
        output: &mut BytesMut,
    ) -> Poll<Error> {
        // Whoever is content meanwhile has nothing to wait for: nothing more can be sent.
        let phase = discriminant(&self.phase);
        while self.held.is_none()
            && discriminant(&self.phase) == phase
            && matches!(self.phase, Phase::Running | Phase::Fencing(_))
        {
            output.clear();
            if self.timer.as_mut().is_none_or(|timer| timer.as_mut().poll(cx).is_ready()) {
                break;
            }
            match self.poll_read(cx, session, handler, input, output) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(Error::Link { .. })) => break,
                Poll::Ready(Err(error)) => return Poll::Ready(self.end(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        output.clear();
        let broken = self.broken.take().map_or_else(silent, |error| *error);
        Poll::Ready(self.end(broken))
    }

    /// The error to report: the one that made us leave, if the stream fails while we do.
    fn end(&mut self, error: Error) -> Error {
        self.outcome.take().map_or(error, |first| *first)
    }

    fn begin_leave(&mut self, session: &mut Session, output: &mut BytesMut) {
        let now = Instant::now();
        let Some(fence) = Fence::needed(session, now) else {
            return self.disconnect(output, ReasonCode::SUCCESS, None);
        };
        session.ping(output);
        self.phase = Phase::Fencing(fence);
        self.set_timer(fence.until(now, self.fence_limit) - now);
    }

    fn set_timer(&mut self, limit: Duration) {
        self.timer = Some(Box::pin(tokio::time::sleep(limit)));
        self.unarmed = true;
        self.keep_alive.look_away();
    }

    /// Puts DISCONNECT into the output; once it is written the run ends with `outcome`.
    fn disconnect(&mut self, output: &mut BytesMut, reason: ReasonCode, outcome: Option<Error>) {
        wire::disconnect(output, self.protocol, reason, &self.disconnect_properties);
        self.phase = Phase::Disconnecting;
        // Whoever set a time limit does not want to wait for long beyond it.
        let overdue = matches!(outcome, Some(Error::TimedOut { .. }));
        self.is_decided = outcome.is_some();
        self.outcome = outcome.map(Box::new);
        self.set_timer(if overdue { LINGER_LIMIT } else { LEAVE_LIMIT });
    }

    /// Keep-alive while running, the limits of leaving after that. `Ready`: the link is over, in
    /// good order if without error.
    fn poll_timer<H: Handler>(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        handler: &mut H,
        output: &mut BytesMut,
        reading: bool,
    ) -> Result<Poll<()>, Error> {
        if !matches!(self.phase, Phase::Running) {
            return Ok(self.poll_leave_limit(cx, handler, output));
        }
        if let Some(renewal) = &mut self.renewal {
            renewal.poll(cx, output)?;
        }
        while let Some(deadline) = self.keep_alive.deadline() {
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
            // The timer is not moved with every packet: it fires once an interval and is set anew.
            if timer.as_mut().poll(cx).is_pending() {
                break;
            }
            match self.keep_alive.due(Instant::now(), reading, !self.unwritten.is_empty()) {
                Due::Nothing => {}
                Due::Ping => session.ping(output),
                due @ (Due::Dead | Due::Stuck) => {
                    self.timed_out = true;
                    return Err(if matches!(due, Due::Dead) { silent() } else { stuck() });
                }
            }
            if let (Some(timer), Some(deadline)) = (&mut self.timer, self.keep_alive.deadline()) {
                timer.as_mut().reset(deadline);
            }
        }
        Ok(Poll::Pending)
    }

    /// The time limits of leaving: a fence that is not answered is given up, and so is a server
    /// that does not read or does not close.
    fn poll_leave_limit<H: Handler>(
        &mut self,
        cx: &mut Context<'_>,
        handler: &mut H,
        output: &mut BytesMut,
    ) -> Poll<()> {
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        if self.unarmed {
            return Poll::Pending; // armed only before waiting: mostly all is over before
        }
        ready!(timer.as_mut().poll(cx));
        let moved = self.keep_alive.last_moved();
        let until = match self.phase {
            Phase::Fencing(fence) => fence.until(moved, self.fence_limit),
            _ => moved,
        };
        loop {
            let now = Instant::now();
            let Some(until) =
                Some(until).filter(|until| *until > now).or_else(|| self.keep_alive.last_look(now))
            else {
                break;
            };
            timer.as_mut().reset(until);
            ready!(timer.as_mut().poll(cx));
        }
        self.timer = None;
        match self.phase {
            Phase::Fencing(fence) => {
                if fence == Fence::Sent {
                    handler.on_change(Change::Unconfirmed(self.fence_limit));
                }
                self.disconnect(output, ReasonCode::SUCCESS, None);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    fn poll_write<H: Handler>(
        &mut self,
        cx: &mut Context<'_>,
        handler: &mut H,
        output: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        if handler.traces() {
            trace_all(handler, self.protocol, output);
        }
        let written;
        let waited = !self.unwritten.is_empty();
        if self.unwritten.is_empty() {
            written = self.write_out(cx, output)?;
            if output.len() > INPUT_BYTES {
                std::mem::swap(&mut self.unwritten, output); // a huge packet: not copied once more
            } else {
                self.unwritten.extend_from_slice(output);
            }
            self.most_unwritten_bytes = self.unwritten.len() + MOST_JOINING_BYTES;
        } else {
            self.unwritten.extend_from_slice(output);
            let mut unwritten = std::mem::take(&mut self.unwritten);
            written = self.write_out(cx, &mut unwritten)?;
            self.unwritten = unwritten;
            if self.unwritten.is_empty() {
                self.unwritten = BytesMut::new();
            }
        }
        output.clear();
        if written > 0 {
            handler.on_written(written);
            let now = Instant::now();
            if waited {
                self.keep_alive.drained(now);
            } else {
                self.keep_alive.sent(now);
            }
            self.unflushed = true;
        }
        if self.unflushed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(net::broken(&error))),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.unwritten.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Writes as much as the stream takes; returns how many bytes that were.
    fn write_out(&mut self, cx: &mut Context<'_>, bytes: &mut BytesMut) -> Result<usize, Error> {
        let before = bytes.len();
        while !bytes.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                Poll::Ready(Ok(0)) => return Err(net::broken(&io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => bytes.advance(count),
                Poll::Ready(Err(error)) => return Err(net::broken(&error)),
                Poll::Pending => break,
            }
        }
        Ok(before - bytes.len())
    }

    /// Takes a link that has nothing left to write one step nearer its end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if matches!(self.phase, Phase::Disconnecting) {
            self.phase = Phase::ShuttingDown;
        }
        if matches!(self.phase, Phase::ShuttingDown) {
            // The server may have closed first, which is as good.
            let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            if !self.received_messages {
                return Poll::Ready(self.outcome.take().map_or(Ok(()), |error| Err(*error)));
            }
            self.phase = Phase::Lingering { read: 0 };
            self.set_timer(LINGER_LIMIT);
        }
        Poll::Pending
    }

    /// Begins to end the link, if it is to end: behind the acknowledgements of what came before.
    fn conclude(&mut self, end: Option<End>, session: &mut Session, output: &mut BytesMut) {
        match end {
            None => {}
            Some(End::Stopped) => self.begin_leave(session, output),
            Some(End::Fenced) => self.disconnect(output, ReasonCode::SUCCESS, None),
            Some(End::Handler(error)) => self.disconnect(output, ReasonCode::SUCCESS, Some(error)),
            Some(End::Malformed(malformed)) if self.protocol == Protocol::V5 => {
                let reason = malformed.reason;
                self.disconnect(output, reason, Some(Error::Protocol(malformed))); // [MQTT-4.13.1-1]
            }
            Some(End::Malformed(malformed)) => {
                // MQTT 3.x has no way to say why: the connection is just closed ([MQTT-4.8.0-1]).
                self.phase = Phase::ShuttingDown;
                self.outcome = Some(Box::new(Error::Protocol(malformed)));
            }
        }
    }
}

fn silent() -> Error {
    Error::link(Layer::Mqtt, "the server has been silent for one and a half keep-alive intervals")
}

fn stuck() -> Error {
    let cause = "the server has read nothing of what waits for it for one and a half keep-alive intervals";
    Error::link(Layer::Mqtt, cause)
}

fn trace_all<H: Handler>(handler: &mut H, protocol: Protocol, output: &[u8]) {
    let mut rest = output;
    while let Ok(Some(length)) = wire::frame(rest, wire::LARGEST_PACKET_BYTES) {
        if let Ok(packet) = wire::decode(protocol, &rest[..length]) {
            handler.trace(Direction::Sent, &packet);
        }
        rest = &rest[length..];
    }
}
