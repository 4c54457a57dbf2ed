//! One connection under manual control, for tests of a broker. It is opened like any other, the same session
//! reads and acknowledges its packets, but it can be ended in any way, even in violation of the standard.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::mpsc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::connect::{Answer, ConnectRequest, ConnectWatch, Seen, Up, Versions};
use super::first_attempts::FirstAttempts;
use super::handler::{Change, Guess};
use super::handshake::{self, Connected};
use super::options::ClientOptions;
use super::redirect;
use super::session::{Event, Session};
use crate::error::{Error, Layer};
use crate::net::{self, Stream};
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Packet, Publish, PublishTemplate, Subscription};
use crate::protocol::{Direction, Protocol, QoS};

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The topic name, as bytes.
    pub topic: Vec<u8>,
    /// The payload.
    pub payload: Vec<u8>,
    /// The QoS of the delivery.
    pub qos: QoS,
    /// The RETAIN flag.
    pub retain: bool,
    /// The properties (MQTT 5).
    pub properties: PropertyBlock,
}

impl ReceivedMessage {
    fn of(publish: &Publish<'_>) -> Self {
        Self {
            topic: publish.topic.to_vec(),
            payload: publish.payload.to_vec(),
            qos: publish.qos,
            retain: publish.retain,
            properties: publish.properties.to_owned_block(),
        }
    }
}

/// Traces every packet that can be decoded.
fn trace_all(trace: Option<&Trace<'_>>, protocol: Protocol, direction: Direction, bytes: &[u8]) {
    let Some(trace) = trace else { return };
    let mut rest = bytes;
    while let Ok(Some(length)) = wire::frame(rest, wire::LARGEST_PACKET_BYTES) {
        if let Ok(packet) = wire::decode(protocol, &rest[..length]) {
            trace(direction, &packet);
        }
        rest = &rest[length..];
    }
}

/// A received packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message; it is acknowledged with the next call.
    Message(ReceivedMessage),
    /// SUBACK, with one Reason Code per filter.
    Subscribed(Vec<ReasonCode>),
    /// A publish was acknowledged or refused.
    Published(ReasonCode),
    /// PINGRESP.
    Pong,
    /// Any other packet; it needs no action.
    Other,
}

impl Incoming {
    fn of(event: &Event<'_>) -> Result<Self, Error> {
        Ok(match event {
            Event::Message(publish) => Self::Message(ReceivedMessage::of(publish)),
            Event::Subscribed { reasons, .. } => {
                Self::Subscribed(reasons.iter().map(|reason| ReasonCode(*reason)).collect())
            }
            Event::Published { reason, .. } => Self::Published(*reason),
            Event::Pong { .. } => Self::Pong,
            Event::Disconnected { reason, properties } => {
                return Err(Session::disconnected_error(*reason, properties));
            }
            Event::Unsubscribed { .. }
            | Event::Received { .. }
            | Event::Released { .. }
            | Event::Auth { .. } => Self::Other,
        })
    }
}

/// Receives every packet of a link that can be decoded, in both directions.
pub type Trace<'a> = Box<dyn Fn(Direction, &Packet<'_>) + 'a>;

/// An open connection after CONNACK.
pub struct RawLink<'a> {
    stream: Stream,
    protocol: Protocol,
    session: Session,
    connected: Connected,
    /// The CONNECT packet as it was sent.
    connect: Vec<u8>,
    largest_packet_bytes: u32,
    /// How long to wait for CONNACK, and at most for any other answer.
    answer_limit: Duration,
    received: BytesMut,
    /// The number of these bytes that arrived with CONNACK: a PINGRESP among them answers no PINGREQ.
    early_bytes: usize,
    /// When the first and the last of the buffered bytes arrived.
    since: Instant,
    latest: Instant,
    /// When the first byte of the last packet arrived.
    began: Instant,
    /// Acknowledgements and requests not yet written.
    output: BytesMut,
    trace: Option<Trace<'a>>,
}

impl<'a> RawLink<'a> {
    /// Timeout for the broker's response to a packet: ten seconds, or that of the connection if it is shorter.
    #[must_use]
    pub fn answer_limit(&self) -> Duration {
        self.answer_limit.min(Duration::from_secs(10))
    }

    /// Connects once, with one version.
    ///
    /// # Errors
    /// A failed connection, a broker that does not respond in time, or a refusal.
    pub async fn open(
        options: &ClientOptions,
        protocol: Protocol,
        trace: Option<Trace<'a>>,
    ) -> Result<Self, Error> {
        let attempt = async |request: &ConnectRequest<'_>, watch: &ConnectWatch| {
            request.attempt(protocol, watch).await.map_err(|failure| failure.error)
        };
        Self::open_by(options, trace, attempt).await.map(|(link, _)| link)
    }

    /// Connects with the version that the options name or that the broker supports, and retries for as long
    /// as the options allow (`--wait-for-server`). `on_change` is called for that.
    ///
    /// # Errors
    /// Like [`Self::open`].
    pub async fn open_first(
        options: &ClientOptions,
        trace: impl Fn() -> Option<Trace<'a>>,
        on_change: impl FnMut(Change<'_>),
    ) -> Result<Self, Error> {
        let mut attempts = FirstAttempts::new(&options.reconnect, on_change);
        loop {
            let negotiate = async |request: &ConnectRequest<'_>, watch: &ConnectWatch| {
                request.negotiate(&mut Versions::default(), watch).await
            };
            match Self::open_by(options, trace(), negotiate).await {
                Ok((link, guess)) => {
                    if let Some(guess) = guess.filter(|_| options.uses_properties) {
                        attempts.report(Change::Guessed(guess, link.protocol));
                    }
                    attempts.succeeded();
                    return Ok(link);
                }
                Err(error) => attempts.wait_after(error).await?,
            }
        }
    }

    async fn open_by(
        options: &ClientOptions,
        trace: Option<Trace<'a>>,
        connect: impl AsyncFnOnce(&ConnectRequest<'_>, &ConnectWatch) -> Result<Up, Error>,
    ) -> Result<(Self, Option<Guess>), Error> {
        let properties = handshake::connect_properties(options);
        let (endpoint, client_identifier) = (&options.endpoint, options.client_identifier.as_str());
        let request =
            ConnectRequest { options, endpoint, client_identifier, resumes: false, properties: &properties };
        let (sender, seen) = mpsc::channel();
        let watch = ConnectWatch { steps: None, packets: trace.is_some().then_some(sender) };
        let mut connecting = pin!(connect(&request, &watch));
        let outcome = poll_fn(|cx| {
            let outcome = connecting.as_mut().poll(cx);
            for seen in seen.try_iter() {
                if let Seen::Packet(protocol, direction, packet) = seen {
                    trace_all(trace.as_ref(), protocol, direction, &packet);
                }
            }
            outcome
        });
        let Up { stream, answer, guess, .. } = outcome.await.map_err(redirect::not_followed)?;
        let Answer { connected, leftover, connect } = answer;
        let protocol = connected.protocol;
        let mut session = Session::new(protocol, options.max_inflight, &properties);
        session.connected(protocol, connected.session_present, connected.limits());
        let now = Instant::now();
        let link = Self {
            stream,
            protocol,
            session,
            connected,
            connect,
            largest_packet_bytes: options.max_packet_bytes,
            answer_limit: options.connect_timeout,
            received: BytesMut::from(leftover.as_slice()),
            early_bytes: leftover.len(),
            since: now,
            latest: now,
            began: now,
            output: BytesMut::new(),
            trace,
        };
        Ok((link, guess))
    }

    /// The broker's response to CONNECT.
    #[must_use]
    pub fn connected(&self) -> &Connected {
        &self.connected
    }

    /// Subscribes; the response arrives as [`Incoming::Subscribed`].
    pub fn subscribe(&mut self, filter: &str, qos: QoS) {
        let subscription =
            Subscription { filter, qos, no_local: false, retain_as_published: false, retain_handling: 0 };
        let from = self.output.len();
        self.session.subscribe(&mut self.output, &[subscription], &PropertyBlock::default(), 0);
        self.trace_sent(from);
    }

    /// Publishes a message; at QoS 1 and 2 the response arrives as [`Incoming::Published`].
    ///
    /// # Errors
    /// The broker does not accept such a message.
    pub fn publish(
        &mut self,
        topic: &str,
        qos: QoS,
        retain: bool,
        payload: &[u8],
        properties: &PropertyBlock,
    ) -> Result<(), Error> {
        let template = PublishTemplate::new(self.protocol, topic.as_bytes(), qos, retain, properties);
        let keep = || Some(Bytes::copy_from_slice(payload));
        let from = self.output.len();
        self.session.publish(&mut self.output, &template.into(), payload, keep, 0)?;
        self.trace_sent(from);
        Ok(())
    }

    /// Sends PINGREQ.
    pub fn ping(&mut self) {
        let from = self.output.len();
        self.session.ping(&mut self.output);
        self.trace_sent(from);
    }

    /// Traces the output from this position on.
    fn trace_sent(&self, from: usize) {
        trace_all(self.trace.as_ref(), self.protocol, Direction::Sent, &self.output[from..]);
    }

    /// The next packet. Cancellation-safe: it may be dropped and called again without losing data.
    ///
    /// # Errors
    /// The connection was lost or closed, or the broker violated the standard.
    pub async fn next(&mut self) -> Result<Incoming, Error> {
        loop {
            self.flush().await?;
            if let Some(refusal) = self.session.take_refusal() {
                return Incoming::of(&refusal.event());
            }
            if let Some(incoming) = self.take()? {
                return Ok(incoming);
            }
            let read = self.stream.read_buf(&mut self.received).await;
            let read = read.map_err(|error| net::broken(&error))?;
            if read == 0 {
                return Err(Error::link(Layer::Mqtt, "the broker closed the connection"));
            }
            self.latest = Instant::now();
            if self.received.len() == read {
                self.since = self.latest;
            }
        }
    }

    /// When the last packet began to arrive: a large one takes time on a slow link.
    #[must_use]
    pub fn began(&self) -> Instant {
        self.began
    }

    /// The number of bytes received of an incomplete packet.
    #[must_use]
    pub fn unfinished_bytes(&self) -> usize {
        self.received.len()
    }

    /// Writes pending output.
    ///
    /// # Errors
    /// The connection was lost.
    pub async fn flush(&mut self) -> Result<(), Error> {
        if self.output.is_empty() {
            return Ok(());
        }
        self.stream.write_all_buf(&mut self.output).await.map_err(|error| net::broken(&error))?;
        self.stream.flush().await.map_err(|error| net::broken(&error))
    }

    fn take(&mut self) -> Result<Option<Incoming>, Error> {
        let Some(length) = wire::frame(&self.received, self.largest_packet_bytes)? else { return Ok(None) };
        let bytes = self.received.split_to(length);
        self.began = std::mem::replace(&mut self.since, self.latest);
        trace_all(self.trace.as_ref(), self.protocol, Direction::Received, &bytes);
        let packet = wire::decode(self.protocol, &bytes)?;
        let was_early = self.early_bytes > 0;
        self.early_bytes = self.early_bytes.saturating_sub(length);
        if was_early && packet == Packet::PingResp {
            return Ok(Some(Incoming::Other));
        }
        let from = self.output.len();
        let event = self.session.receive(&packet, &mut self.output)?;
        trace_all(self.trace.as_ref(), self.protocol, Direction::Sent, &self.output[from..]);
        event.as_ref().map_or(Ok(Incoming::Other), Incoming::of).map(Some)
    }

    /// Sends DISCONNECT with this reason, which MQTT 3.x omits, and closes.
    ///
    /// # Errors
    /// The connection was lost before.
    pub async fn disconnect(&mut self, reason: ReasonCode) -> Result<(), Error> {
        let from = self.output.len();
        wire::disconnect(&mut self.output, self.protocol, reason, &PropertyBlock::default());
        self.trace_sent(from);
        self.flush().await?;
        self.close().await
    }

    /// Closes our side without a DISCONNECT (FIN).
    ///
    /// # Errors
    /// The connection was lost before.
    pub async fn close(&mut self) -> Result<(), Error> {
        self.stream.shutdown().await.map_err(|error| net::broken(&error))
    }

    /// Ends the connection with a reset (RST).
    ///
    /// # Errors
    /// See [`Stream::reset`].
    pub fn reset(self) -> Result<(), Error> {
        self.stream.reset().map_err(|error| Error::file("cannot reset the connection", error))
    }

    /// Blocks all incoming data, even for TCP.
    ///
    /// # Errors
    /// See [`Stream::black_hole`].
    pub fn black_hole(&self) -> Result<(), Error> {
        self.stream.black_hole().map_err(|error| Error::file("cannot block the connection", error))
    }

    /// Sends CONNECT a second time, which the standard forbids ([MQTT-3.1.0-2]).
    ///
    /// # Errors
    /// The connection was lost before.
    pub async fn connect_again(&mut self) -> Result<(), Error> {
        let from = self.output.len();
        self.output.extend_from_slice(&self.connect);
        self.trace_sent(from);
        self.flush().await
    }

    /// Sends a PUBLISH with QoS 3, which is invalid ([MQTT-3.3.1-4]).
    ///
    /// # Errors
    /// The connection was lost before.
    pub async fn send_malformed(&mut self) -> Result<(), Error> {
        self.output.extend_from_slice(&[0x36, 5, 0, 1, b'a', 0, 1]);
        self.flush().await
    }
}
