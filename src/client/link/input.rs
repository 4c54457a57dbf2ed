//! The inbound half of a link: one read, and everything it brought.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::super::ending::{End, Ended, Fence, Held, Phase};
use super::super::handler::{Flow, Handler};
use super::super::scratch::INPUT_BYTES;
use super::super::session::{Event, Session};
use super::Link;
use crate::error::{Error, Layer};
use crate::net;
use crate::protocol::Direction;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Packet};

/// How much to read while waiting for the server to close its side: one that sends at full speed must
/// not cost half a second of it.
const LINGER_BYTES: usize = 16 * 1024 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// One read, and everything it brought. `Ready(Ok)`: something was done, call again.
    pub(super) fn poll_read<H: Handler>(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        handler: &mut H,
        input: &mut [u8],
        output: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        if let Phase::Lingering { read } = &mut self.phase {
            let mut buffer = ReadBuf::new(input);
            let result = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            *read += buffer.filled().len();
            return match result {
                Ok(()) if !buffer.filled().is_empty() && *read < LINGER_BYTES => Poll::Ready(Ok(())),
                _ => {
                    self.received_messages = false;
                    self.phase = Phase::ShuttingDown;
                    Poll::Ready(Ok(()))
                }
            };
        }
        // A packet larger than the scratch buffer collects in memory of its own, which grows with
        // what really arrives and not with what its header claims.
        let large = self.partial.len() >= INPUT_BYTES / 2;
        let first_look = self.unread;
        let count = if self.unread {
            self.unread = false;
            if !large {
                input[..self.partial.len()].copy_from_slice(&self.partial);
            }
            Ok(0)
        } else if large {
            let mut buffer = ReadBuf::new(input);
            let result = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            self.partial.extend_from_slice(buffer.filled());
            result.map(|()| buffer.filled().len())
        } else {
            let start = self.partial.len();
            let mut buffer = ReadBuf::new(&mut input[start..]);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)).map(|()| buffer.filled().len())
        };
        let count = match count {
            Ok(count) => count,
            Err(_) if matches!(self.phase, Phase::ShuttingDown) => 0,
            Err(error) => return Poll::Ready(Err(net::broken(&error))),
        };
        if count == 0 && !first_look {
            if matches!(self.phase, Phase::ShuttingDown) {
                return Poll::Ready(Ok(())); // the server has closed its side before our close got through
            }
            let cause = if self.partial.is_empty() {
                "the server closed the connection"
            } else {
                "the server closed the connection in the middle of a packet"
            };
            return Poll::Ready(Err(Error::link(Layer::Mqtt, cause)));
        }
        if matches!(self.phase, Phase::Disconnecting | Phase::ShuttingDown) {
            self.partial.clear();
            return Poll::Ready(Ok(())); // nothing may be said behind DISCONNECT ([MQTT-3.14.4-2])
        }
        let (used, result) = if large {
            let mut collected = std::mem::take(&mut self.partial);
            let result = self.decode_all(session, handler, &collected, output);
            collected.drain(..result.0);
            self.partial = collected;
            result
        } else {
            let start = self.partial.len();
            input[..start].copy_from_slice(&self.partial);
            let received = &input[..start + count];
            let (used, result) = self.decode_all(session, handler, received, output);
            self.partial.clear();
            self.partial.extend_from_slice(&received[used..]);
            if self.partial.is_empty() && self.partial.capacity() > INPUT_BYTES {
                self.partial = Vec::new();
            }
            (used, result)
        };
        self.keep_alive.received(Instant::now(), count, used > 0);
        let flushed = handler.poll_flush(cx);
        let end = match result {
            Ok(()) => None,
            Err(Ended::Server(error)) => return Poll::Ready(Err(error)),
            Err(Ended::Here(end)) => Some(end),
        };
        match flushed {
            Poll::Ready(Ok(())) => self.conclude(end, session, output),
            Poll::Ready(Err(error)) => {
                output.clear();
                self.disconnect(output, ReasonCode::SUCCESS, Some(error));
            }
            Poll::Pending => self.held = Some(Box::new(Held { acknowledgements: output.split(), end })),
        }
        Poll::Ready(Ok(()))
    }

    /// Decodes and handles every whole packet; returns how many bytes that were.
    fn decode_all<H: Handler>(
        &mut self,
        session: &mut Session,
        handler: &mut H,
        received: &[u8],
        output: &mut BytesMut,
    ) -> (usize, Result<(), Ended>) {
        let mut used = 0;
        let plain = !handler.traces() && self.largest_packet_bytes as usize >= wire::PUBACK_BYTES;
        loop {
            let rest = &received[used..];
            // Half of all packets where much is published, and so little that the way through
            // `handle` would cost more than all that is done for them.
            if plain {
                let tokens = session.acknowledged_in_order(wire::plain_pubacks(rest));
                if !tokens.is_empty() {
                    used += wire::PUBACK_BYTES * usize::try_from(tokens.end - tokens.start).unwrap_or(0);
                    if let Err(ended) = self.go_on(handler.on_published(tokens)) {
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
            if let Err(ended) = self.handle(session, handler, &rest[..length], output) {
                return (used, Err(ended));
            }
        }
    }

    fn handle<H: Handler>(
        &mut self,
        session: &mut Session,
        handler: &mut H,
        bytes: &[u8],
        output: &mut BytesMut,
    ) -> Result<(), Ended> {
        let packet = wire::decode(self.protocol, bytes).map_err(End::Malformed)?;
        if handler.traces() {
            handler.trace(Direction::Received, &packet);
        }
        if matches!(packet, Packet::Publish(_))
            && (!matches!(self.phase, Phase::Running) || handler.declines_messages())
        {
            return Ok(()); // Not delivered, so not acknowledged: a kept session gets it again.
        }
        let Some(event) = session.receive(&packet, output).map_err(End::Malformed)? else { return Ok(()) };
        let released = matches!(event, Event::Released { .. });
        match &event {
            Event::Message(_) => self.received_messages = true,
            Event::Pong { last: true } if matches!(self.phase, Phase::Fencing(_)) => {
                session.fenced();
                return Err(End::Fenced.into());
            }
            Event::Auth { reason, properties } => {
                let renewal = self.renewal.get_or_insert_default();
                return renewal.receive(*reason, properties, output).map_err(|error| match error {
                    Error::Protocol(malformed) => End::Malformed(malformed).into(),
                    error => End::Handler(error).into(),
                });
            }
            Event::Disconnected { reason, properties } => {
                return Err(Ended::Server(Session::disconnected_error(*reason, properties)));
            }
            _ => {}
        }
        self.go_on(handler.on_event(event))?;
        if released
            && matches!(self.phase, Phase::Fencing(Fence::Received { .. }))
            && !session.has_unreleased()
        {
            return Err(End::Fenced.into());
        }
        Ok(())
    }

    /// What the handler's word means now.
    fn go_on(&self, word: Result<Flow, Error>) -> Result<(), Ended> {
        match word.map_err(End::Handler)? {
            Flow::Continue => Ok(()),
            Flow::Stop if !matches!(self.phase, Phase::Running) => Ok(()),
            Flow::Stop => Err(End::Stopped.into()),
        }
    }
}
