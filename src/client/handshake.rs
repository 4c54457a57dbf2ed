//! The exchange of CONNECT and CONNACK on a new stream.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::authentication::{self, Exchange};
use super::limits::ServerLimits;
use super::options::ClientOptions;
use super::redirect;
use crate::error::{Denial, Error, Layer, Sign};
use crate::masking::masked;
use crate::net;
use crate::notation::printable;
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Malformed, Packet, PacketType};
use crate::protocol::{Direction, Protocol};
use crate::quantity::counted;

/// The largest response to CONNECT accepted, in bytes. A peer must not fill the memory before it is known to
/// be a broker.
const LARGEST_ANSWER_BYTES: u32 = 1024 * 1024;

/// Number of bytes per read while waiting for the response to CONNECT.
const READ_BYTES: usize = 256;

/// The error if the broker closes the connection instead of answering CONNECT.
const UNANSWERED: &str = "the broker closed the connection without answering CONNECT";

/// How long a broker that sent an invalid response has to read the DISCONNECT with the reason.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// The response to an accepted CONNECT.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The version of the connection.
    pub protocol: Protocol,
    /// Whether the broker kept a session of this client.
    pub session_present: bool,
    /// The CONNACK's properties.
    pub properties: PropertyBlock,
}

impl Connected {
    /// The broker's limits.
    #[must_use]
    pub fn limits(&self) -> ServerLimits {
        ServerLimits::from_connack(&self.properties.view())
    }

    /// The client identifier that the broker assigned, if any ([MQTT-3.1.3-6]).
    #[must_use]
    pub fn assigned_client_identifier(&self) -> Option<&str> {
        self.properties.view().text(PropertyId::AssignedClientIdentifier)
    }

    /// The properties of our DISCONNECT, without those that would make it too large for the broker
    /// ([MQTT-3.14.2-3], [MQTT-3.14.2-4]).
    #[must_use]
    pub(super) fn disconnect_properties(&self, asked: &PropertyBlock) -> PropertyBlock {
        if asked.is_empty() {
            return PropertyBlock::default();
        }
        let mut packet = BytesMut::new();
        wire::disconnect(&mut packet, self.protocol, ReasonCode::SUCCESS, asked);
        if packet.len() <= self.limits().maximum_packet_bytes as usize {
            return asked.clone();
        }
        asked.without(&[PropertyId::ReasonString, PropertyId::UserProperty])
    }

    /// Whether the broker keeps the session when the connection ends ([MQTT-3.1.2-23]; before MQTT 5 by Clean
    /// Session).
    pub(super) fn keeps_session(&self, options: &ClientOptions) -> bool {
        if self.protocol != Protocol::V5 {
            return !options.clean_start;
        }
        let granted = self.properties.view().number(PropertyId::SessionExpiryInterval);
        granted.or(options.session_expiry_interval).is_some_and(|seconds| seconds > 0)
    }

    /// How long the broker keeps the session, in seconds, if that is less than requested ([MQTT-3.2.2.3.2]).
    pub(super) fn shorter_session(&self, asked: Option<u32>) -> Option<u32> {
        let granted = self.properties.view().number(PropertyId::SessionExpiryInterval)?;
        (granted < asked.unwrap_or(0)).then_some(granted)
    }

    /// The Keep Alive in effect, in seconds: the broker's value if it sends one ([MQTT-3.2.2-21]).
    #[must_use]
    pub fn keep_alive(&self, asked: u16) -> u16 {
        let server = self.properties.view().number(PropertyId::ServerKeepAlive);
        server.and_then(|seconds| u16::try_from(seconds).ok()).unwrap_or(asked)
    }
}

/// The properties of the CONNECT that the options describe.
#[must_use]
pub(super) fn connect_properties(options: &ClientOptions) -> PropertyBlock {
    let mut block = PropertyBlock::default();
    if let Some(seconds) = options.session_expiry_interval {
        block.push(PropertyId::SessionExpiryInterval, Value::Number(seconds));
    }
    if options.max_packet_bytes < wire::LARGEST_PACKET_BYTES {
        block.push(PropertyId::MaximumPacketSize, Value::Number(options.max_packet_bytes));
    }
    for property in options.properties.view().iter() {
        block.push(property.id, property.value);
    }
    block
}

/// The CONNECT packet.
fn encode_connect(
    options: &ClientOptions,
    protocol: Protocol,
    client_identifier: &str,
    clean_start: bool,
    properties: &PropertyBlock,
) -> Vec<u8> {
    let mut out = BytesMut::new();
    let packet = wire::Connect {
        protocol,
        clean_start,
        keep_alive: options.keep_alive,
        properties: properties.view(),
        client_identifier,
        will: options.will.as_ref().map(|will| wire::Will {
            qos: will.qos,
            retain: will.retain,
            properties: will.properties.view(),
            topic: &will.topic,
            payload: &will.payload,
        }),
        user_name: options.user_name.as_deref(),
        password: options.password.as_ref().map(|secret| secret.0.as_slice()),
    };
    wire::connect(&mut out, &packet);
    out.into()
}

/// The start of a connection: CONNECT, and the responses until CONNACK.
pub(super) struct Opening {
    protocol: Protocol,
    clean_start: bool,
    connect: Vec<u8>,
    authenticates: bool,
    exchange: Option<Exchange>,
    largest_packet_bytes: u32,
}

impl Opening {
    /// The opening that the options describe. `properties` are those of [`connect_properties`].
    ///
    /// # Errors
    /// An authentication that cannot begin.
    pub(super) fn new(
        options: &ClientOptions,
        protocol: Protocol,
        client_identifier: &str,
        clean_start: bool,
        properties: &PropertyBlock,
    ) -> Result<Self, Error> {
        let mut properties = properties.clone();
        let authentication = options.authentication.as_ref().filter(|_| protocol == Protocol::V5);
        let exchange = authentication
            .map(|authentication| Exchange::begin(&authentication.method, &mut properties))
            .transpose()?;
        let made_up = if client_identifier.is_empty() && protocol == Protocol::V3_1 {
            // MQTT 3.1 requires a client identifier of 1 to 23 characters.
            "mqtt-".chars().chain(std::iter::repeat_with(fastrand::alphanumeric).take(18)).collect()
        } else {
            String::new()
        };
        let client_identifier = if made_up.is_empty() { client_identifier } else { &made_up };
        let connect = encode_connect(options, protocol, client_identifier, clean_start, &properties);
        Ok(Self {
            protocol,
            clean_start,
            connect,
            authenticates: exchange.is_some(),
            exchange,
            largest_packet_bytes: options.max_packet_bytes,
        })
    }

    /// The CONNECT packet.
    pub(super) fn connect(&self) -> &[u8] {
        &self.connect
    }

    /// The CONNECT packet, after the exchange.
    pub(super) fn into_connect(self) -> Vec<u8> {
        self.connect
    }

    /// Sends CONNECT and waits for the response, with an authentication exchange before it if there is one.
    /// Returns the response, one complete packet, and the bytes after it. Packets in between are reported to
    /// `observe`.
    ///
    /// # Errors
    /// The stream failed, ended before or in the response, or carries no MQTT; or the authentication failed.
    /// The broker was sent the reason for its own errors.
    pub(super) async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        observe: impl FnMut(Direction, &[u8]),
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let outcome = self.converse(stream, observe).await;
        if let Err(Error::Protocol(malformed)) = &outcome {
            Box::pin(leave(stream, self.protocol, malformed.reason)).await;
        }
        outcome
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        mut observe: impl FnMut(Direction, &[u8]),
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let largest = self.largest_packet_bytes;
        let mut answer = ask(stream, &self.connect, Vec::new(), largest).await?;
        answer.0 = of_this_version(self.protocol, answer.0);
        while let Some(exchange) = &mut self.exchange {
            if is_old_form(self.protocol, &answer.0) {
                break;
            }
            let next = match authenticate(self.protocol, exchange, &answer.0) {
                Ok(next) => next,
                Err(error) => {
                    observe(Direction::Received, &answer.0);
                    if !matches!(error, Error::Protocol(_)) {
                        Box::pin(leave(stream, self.protocol, ReasonCode::UNSPECIFIED)).await;
                    }
                    return Err(error);
                }
            };
            let Some(reply) = next else {
                self.exchange = None;
                break;
            };
            observe(Direction::Received, &answer.0);
            observe(Direction::Sent, &reply);
            answer = ask(stream, &reply, answer.1, largest).await?;
            answer.0 = of_this_version(self.protocol, answer.0);
        }
        Ok(answer)
    }

    /// Evaluates the response to CONNECT.
    ///
    /// # Errors
    /// A refusal, with its reason; or a response that is not a CONNACK or violates the standard, of which the
    /// broker was notified.
    pub(super) async fn accept<S: AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        answer: &[u8],
    ) -> Result<Connected, Error> {
        let outcome = self.judge(answer);
        match &outcome {
            Err(Error::Protocol(malformed)) => {
                Box::pin(leave(stream, self.protocol, malformed.reason)).await;
            }
            // The broker has accepted the client: without a DISCONNECT it would publish the will.
            Err(_) if self.is_old_form(answer) && answer.ends_with(&[0]) => {
                Box::pin(leave(stream, Protocol::V3_1_1, ReasonCode::SUCCESS)).await;
            }
            _ => {}
        }
        outcome
    }

    /// Whether a CONNECT of MQTT 5 was answered by a CONNACK without properties: the broker has read it as
    /// 3.1.1, and would continue in 3.1.1.
    pub(super) fn is_old_form(&self, answer: &[u8]) -> bool {
        is_old_form(self.protocol, answer)
    }

    fn judge(&self, answer: &[u8]) -> Result<Connected, Error> {
        let answered = accepted(self.protocol, answer, &wire::decode(self.protocol, answer)?);
        let connected = match answered {
            Ok(_) if self.is_old_form(answer) => {
                let cause = "the broker accepts CONNECT of MQTT 5 in the form of MQTT 3.1.1 (return code 0, no properties)";
                return Err(Error::fatal(Layer::Mqtt, cause).signed(Sign::OldVersion));
            }
            Err(mut refusal @ Error::Refused { .. }) if self.is_old_form(answer) => {
                if let (Error::Refused { what, .. }, Some(code)) = (&mut refusal, answer.last()) {
                    *what = format!("connection refused with return code {code} of MQTT 3.1.1");
                }
                if refusal.is_about_version() {
                    return Err(refusal);
                }
                let hint = "the answer has the form of MQTT 3.1.1; -V 311 uses this version from the start";
                return Err(refusal.with_hint(hint));
            }
            answered => answered?,
        };
        let broken = |what: &'static str| Err(Malformed::protocol_error(PacketType::ConnAck, what).into());
        // [MQTT-3.2.2-2], in 3.1.1 [MQTT-3.2.2-1]; MQTT 3.1 has no such flag.
        if connected.session_present && self.clean_start && self.protocol != Protocol::V3_1 {
            return broken("Session Present, although a new session was requested");
        }
        let properties = connected.properties.view();
        let authentication = [PropertyId::AuthenticationMethod, PropertyId::AuthenticationData];
        // [MQTT-4.12.0-6]. If authentication was requested, the exchange has checked these properties.
        if !self.authenticates && properties.iter().any(|property| authentication.contains(&property.id)) {
            return broken("enhanced authentication, which was not requested");
        }
        Ok(connected)
    }
}

/// Whether a response to CONNECT of MQTT 5 has no properties.
fn is_old_form(protocol: Protocol, answer: &[u8]) -> bool {
    protocol == Protocol::V5 && matches!(answer, [0x20, 2, ..])
}

/// Rewrites a refusal in another version than that of the CONNECT to the form of 3.1.1: a return code of
/// 3.1.1 with an empty property length of MQTT 5, or MQTT 5's Reason Code for an unsupported version,
/// possibly with properties.
fn of_this_version(protocol: Protocol, answer: Vec<u8>) -> Vec<u8> {
    const BAD_VERSION: u8 = 1;
    match *answer {
        [0x20, 3, flags, code @ 1..=5, 0] if protocol == Protocol::V5 => vec![0x20, 2, flags, code],
        [0x20, 3..=u8::MAX, flags, code, ..]
            if protocol != Protocol::V5 && code == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION.0 =>
        {
            vec![0x20, 2, flags, BAD_VERSION]
        }
        _ => answer,
    }
}

/// The reply to a response to CONNECT; `None` ends the authentication.
fn authenticate(
    protocol: Protocol,
    exchange: &mut Exchange,
    answer: &[u8],
) -> Result<Option<Vec<u8>>, Error> {
    match wire::decode(protocol, answer)? {
        Packet::Auth { reason: ReasonCode::CONTINUE_AUTHENTICATION, properties } => {
            let properties = exchange.answer(PacketType::Auth, &properties)?;
            let mut reply = BytesMut::new();
            wire::auth(&mut reply, ReasonCode::CONTINUE_AUTHENTICATION, &properties);
            Ok(Some(reply.to_vec()))
        }
        Packet::Auth { reason, .. } => Err(authentication::unasked(reason).into()),
        Packet::ConnAck { reason, properties, .. } if !reason.is_failure() => {
            exchange.finish(PacketType::ConnAck, &properties).map(|()| None)
        }
        _ => Ok(None),
    }
}

/// Sends DISCONNECT with the reason, if the version has one ([MQTT-4.13.1-1]).
async fn leave<S: AsyncWrite + Unpin>(stream: &mut S, protocol: Protocol, reason: ReasonCode) {
    let mut packet = BytesMut::new();
    if protocol == Protocol::V5 || reason == ReasonCode::SUCCESS {
        wire::disconnect(&mut packet, protocol, reason, &PropertyBlock::default());
    }
    // The connection is abandoned; whether the packet arrives does not matter.
    let _ = tokio::time::timeout(LEAVE_LIMIT, async {
        stream.write_all(&packet).await?;
        stream.shutdown().await
    })
    .await;
}

/// Sends a packet and waits for the response, whose beginning may be in `received`.
///
/// # Errors
/// The stream failed, ended before or in the response, or carries no MQTT.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    packet: &[u8],
    mut received: Vec<u8>,
    largest_packet_bytes: u32,
) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let sent = async {
        stream.write_all(packet).await?;
        stream.flush().await
    };
    sent.await.map_err(|error| net::broken(&error).signed(Sign::HungUp))?;
    // On the stack: a heap buffer for each of many simultaneous attempts costs more than it saves, as
    // responses usually have a few bytes.
    let mut buffer = [0; READ_BYTES];
    loop {
        // A packet other than CONNACK, DISCONNECT or AUTH is not a response, whatever its length.
        if received.first().is_some_and(|first| !matches!(first >> 4, 2 | 14 | 15)) || is_text(&received) {
            return Err(not_mqtt(&received));
        }
        match wire::frame(&received, largest_packet_bytes.min(LARGEST_ANSWER_BYTES)) {
            Ok(Some(length)) => {
                let leftover = received.split_off(length);
                return Ok((received, leftover));
            }
            Ok(None) => {}
            Err(malformed) if malformed.packet == Some(PacketType::ConnAck) => return Err(malformed.into()),
            Err(_) => return Err(not_mqtt(&received)),
        }
        let broken = match stream.read(&mut buffer).await {
            Ok(0) if received.is_empty() => Error::link(Layer::Mqtt, UNANSWERED),
            Ok(0) => {
                let cause = "the broker closed the connection in the middle of its answer to CONNECT";
                let begun = format!(
                    "{} of it arrived; the broker's log may say why",
                    counted(received.len() as u64, "byte")
                );
                return Err(Error::link(Layer::Mqtt, cause).with_hint(begun));
            }
            Ok(count) => {
                received.extend_from_slice(&buffer[..count]);
                continue;
            }
            Err(error) => net::broken(&error),
        };
        return Err(if received.is_empty() { broken.signed(Sign::HungUp) } else { broken });
    }
}

/// Whether another protocol responded, with a line whose first byte looks like a CONNACK with flags: `-ERR`.
fn is_text(received: &[u8]) -> bool {
    let is_shown = |byte: &u8| (b' '..=b'~').contains(byte) || matches!(byte, b'\r' | b'\n');
    matches!(received, [0x21..=0x2f, _, _, _, ..]) && received.iter().all(is_shown)
}

/// Evaluates a decoded response to CONNECT.
///
/// # Errors
/// A refusal, with its reason; or a response that is not a CONNACK.
fn accepted(protocol: Protocol, answer: &[u8], packet: &Packet<'_>) -> Result<Connected, Error> {
    match packet {
        Packet::ConnAck { session_present, reason, properties } if !reason.is_failure() => Ok(Connected {
            protocol,
            session_present: *session_present,
            properties: properties.to_owned_block(),
        }),
        Packet::Disconnect { reason, .. } if !reason.is_failure() => {
            Err(Error::link(Layer::Mqtt, "the broker ended the connection instead of answering CONNECT"))
        }
        Packet::ConnAck { reason, properties, .. } | Packet::Disconnect { reason, properties } => {
            let refusal = redirect::refused("connection refused", *reason, properties).of(Denial::Connack);
            // Many brokers use this code for a wrong password too, so that passwords cannot be guessed.
            Err(match *reason {
                ReasonCode::NOT_AUTHORIZED => refusal.with_hint(
                    "the user name or password (-u, -P) is wrong or missing, or this client has no right to connect",
                ),
                _ => refusal,
            })
        }
        // [MQTT-4.12.0-6]
        Packet::Auth { .. } => {
            let what = "the broker wants enhanced authentication (--auth-method), which was not requested";
            Err(Malformed::protocol_error(PacketType::Auth, what).into())
        }
        _ => Err(not_mqtt(answer)),
    }
}

/// The error for a response to CONNECT that is not MQTT, with the likely protocol.
fn not_mqtt(received: &[u8]) -> Error {
    if net::tls::looks_like_tls(received) {
        return wants_tls(Error::link);
    }
    if let Some(packet) = early_packet(received) {
        return Error::link(Layer::Mqtt, format!("the broker sent {} before CONNACK", packet.name()))
            .with_hint("CONNACK must be the first packet from a broker [MQTT-3.2.0-1]");
    }
    let start = beginning(received);
    let error = Error::link(Layer::Mqtt, format!("the broker's answer is not MQTT: it begins '{start}'"));
    match received {
        [b'H', b'T', b'T', b'P', ..] => {
            error.with_hint("this is a web server; a WebSocket needs a ws:// URL or --ws")
        }
        _ => error,
    }
}

/// The type of a whole packet of MQTT at the beginning.
fn early_packet(received: &[u8]) -> Option<PacketType> {
    let length = wire::frame(received, LARGEST_ANSWER_BYTES).ok()??;
    let packet = received.get(..length)?;
    let decoded = [Protocol::V5, Protocol::V3_1_1].into_iter().find_map(|one| wire::decode(one, packet).ok());
    decoded.map(|decoded| decoded.kind())
}

/// The beginning of an answer, printable. Secrets are masked before the cut, so that no part of one is left.
fn beginning(received: &[u8]) -> String {
    const LONGEST_CHARS: usize = 40;
    let text = String::from_utf8_lossy(received);
    let masked = masked(&text);
    if *masked == *text {
        return printable(&received[..received.len().min(LONGEST_CHARS)]);
    }
    let start: String = masked.chars().take(LONGEST_CHARS).collect();
    printable(&*start)
}

/// The error for a broker that expects TLS on this port; `error` decides whether a retry helps.
pub(super) fn wants_tls(error: impl FnOnce(Layer, &'static str) -> Error) -> Error {
    error(Layer::Mqtt, "the broker expects TLS on this port").with_hint(
        "use mqtts:// (wss:// for a WebSocket), port 8883 or --cafile; --tls-use-os-certs on any port",
    )
}
