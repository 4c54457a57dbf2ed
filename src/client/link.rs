//! The driver: carries out on a stream and a timer what its [`Connection`] decides.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::{Action, Connection, EndedBy, WakeUp};
use super::handler::Handler;
use super::handshake::Connected;
use super::options::ClientOptions;
use super::scratch::{self, Scratch};
use super::session::Session;
use crate::error::Error;
use crate::protocol::Protocol;
use crate::protocol::property::PropertyBlock;

/// A stream on which CONNACK has been received.
#[derive(Debug)]
pub struct Link<S> {
    stream: S,
    connection: Connection,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// A link on a stream after CONNACK; `leftover` are the bytes received after it. `keep_alive` is in
    /// seconds, 0 is off; `barrier_limit` is how long the broker may stay silent before it answers the last
    /// PINGREQ, which confirms that it has read everything.
    pub fn new(
        stream: S,
        protocol: Protocol,
        keep_alive: u16,
        barrier_limit: Duration,
        largest_packet_bytes: u32,
        leftover: Vec<u8>,
        disconnect_properties: PropertyBlock,
    ) -> Self {
        let connection = Connection::new(
            protocol,
            keep_alive,
            barrier_limit,
            largest_packet_bytes,
            leftover,
            disconnect_properties,
            Instant::now().into_std(),
        );
        Self { stream, connection, timer: None }
    }

    /// A link with the user's options and the broker's limits.
    pub(super) fn past_connack(
        stream: S,
        options: &ClientOptions,
        connected: &Connected,
        leftover: Vec<u8>,
    ) -> Self {
        let mut link = Self::new(
            stream,
            connected.protocol,
            match connected.keep_alive(options.keep_alive) {
                0 if options.keeps_own_keep_alive => options.keep_alive,
                seconds => seconds,
            },
            options.barrier_limit,
            options.max_packet_bytes,
            leftover,
            connected.disconnect_properties(&options.disconnect_properties),
        );
        link.connection.interrupted_with(options.interrupted);
        if connected.keeps_session(options) {
            link.connection.keeps_session();
        }
        if let Some(authentication) = &options.authentication {
            link.connection.authenticate_again(authentication, Instant::now().into_std());
        }
        link
    }

    /// Reuses this timer, which the connection was made with.
    pub(super) fn keep_time_with(&mut self, timer: Pin<Box<Sleep>>) {
        self.timer = self.connection.next_deadline().map(|_| timer);
    }

    /// Whether this side ended the link with an error that no other link can avoid.
    pub(super) fn is_decided(&self) -> bool {
        self.connection.ended_by() == Some(EndedBy::ThisSide)
    }

    /// Whether the link ended because the broker was silent.
    pub(super) fn timed_out(&self) -> bool {
        self.connection.ended_by() == Some(EndedBy::KeepAlive)
    }

    /// How long ago bytes were last sent.
    pub(super) fn since_sent(&self) -> Duration {
        self.connection.since_sent(Instant::now().into_std())
    }

    /// How long ago the broker last showed that it is there.
    pub(super) fn since_received(&self) -> Duration {
        self.connection.since_received(Instant::now().into_std())
    }

    /// The connection's own packet that the broker has not answered: AUTH or PINGREQ.
    pub(super) fn unanswered(&self) -> Option<&'static str> {
        self.connection.unanswered()
    }

    /// The stream under the link.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Drives the link until the handler ends it or it fails. `Ready(Ok)` means that everything handed in was
    /// written, that the broker has answered the barrier if QoS 0 needs one, and that DISCONNECT was sent.
    ///
    /// # Errors
    /// A lost link, a violation of the standard, the broker's DISCONNECT, or the handler's error. Everything
    /// that arrived before was delivered.
    pub fn poll<H: Handler>(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        handler: &mut H,
    ) -> Poll<Result<(), Error>> {
        scratch::with(|Scratch { input, output }| {
            let now = Instant::now().into_std();
            self.poll_with(&mut WakeUp::new(now, cx.waker(), session, handler, output), input)
        })
    }

    fn poll_with<H: Handler>(
        &mut self,
        wake_up: &mut WakeUp<'_, H>,
        input: &mut [u8],
    ) -> Poll<Result<(), Error>> {
        loop {
            let action = self.connection.next(wake_up);
            match action {
                Action::Write => {
                    let output = self.connection.output(wake_up.handler, wake_up.output);
                    let (count, outcome) = write(&mut self.stream, &mut wake_up.cx, output);
                    self.connection.wrote(wake_up, count, outcome);
                }
                Action::Read => {
                    let mut buffer = ReadBuf::new(self.connection.space(input));
                    if let Poll::Ready(result) =
                        Pin::new(&mut self.stream).poll_read(&mut wake_up.cx, &mut buffer)
                    {
                        let count = result.map(|()| buffer.filled().len());
                        self.connection.received(wake_up, input, count);
                    }
                }
                Action::ShutDown => {
                    if Pin::new(&mut self.stream).poll_shutdown(&mut wake_up.cx).is_ready() {
                        self.connection.was_shut_down(wake_up);
                    }
                }
                Action::Wait | Action::Yield => {
                    if let Poll::Ready(now) = self.poll_timer(&mut wake_up.cx) {
                        self.connection.advance(wake_up, now.into_std());
                        continue;
                    }
                    if matches!(action, Action::Yield) {
                        wake_up.cx.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
                Action::Done(result) => return Poll::Ready(result),
            }
        }
    }

    /// `Ready` with the time when the connection's deadline has passed. The timer is not moved with every
    /// packet: it may fire at an earlier deadline, and is then set to the current one.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let Some(deadline) = self.connection.next_deadline().map(Instant::from_std) else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            if now >= deadline {
                return Poll::Ready(now);
            }
            timer.as_mut().reset(deadline);
        }
    }
}

/// Writes as much as the stream takes; returns the number of bytes. `Ready`: everything was written and
/// flushed, or the stream is broken.
fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    output: &[u8],
) -> (usize, Poll<io::Result<()>>) {
    let mut stream = Pin::new(stream);
    let mut count = 0;
    while count < output.len() {
        match stream.as_mut().poll_write(cx, &output[count..]) {
            Poll::Ready(Ok(0)) => return (count, Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
            Poll::Ready(Ok(more)) => count += more,
            Poll::Ready(Err(error)) => return (count, Poll::Ready(Err(error))),
            Poll::Pending => break,
        }
    }
    match stream.poll_flush(cx) {
        Poll::Ready(Ok(())) if count < output.len() => (count, Poll::Pending),
        flushed => (count, flushed),
    }
}
