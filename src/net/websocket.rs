//! MQTT over WebSocket: the upgrade, and bytes in binary messages.
//!
//! MQTT packets and WebSocket messages do not align: a message may hold part of a packet or several packets
//! [MQTT-6.0.0-2], so both directions here are streams of bytes.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::{Request, generate_key, generate_request};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::http::header::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::http::{StatusCode, Uri, header};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};

use super::address::{Address, WebSocketOptions};
use super::broken::{self, WebSocketFault};
use super::excerpt::first_line;
use super::fault;
use super::http::{self, Head, HeadError};
use super::secrets::Secrets;
use super::stream::Stream;
use super::tls::looks_like_tls;
use crate::error::{Error, Layer, Sign};
use crate::notation::HostPort;
use crate::quotation;

/// The subprotocol that the client has to offer and the server to choose [MQTT-6.0.0-3].
const SUBPROTOCOL: &str = "mqtt";

/// Maximum number of bytes in one message: larger messages would only fill buffers on both sides.
const MESSAGE_SIZE: usize = 64 * 1024;

/// Read buffer of a connection, in bytes. The library's default of 128 KiB, allocated at once,
/// would be most of the memory of a load test with many connections.
const READ_BUFFER_SIZE: usize = 16 * 1024;

/// Maximum number of bytes buffered for a server that does not read: a message with its head, and answers to
/// pings. After that, only the latest ping is answered (RFC 6455, section 5.5.3), so that a server cannot
/// fill our memory with pings.
const MAX_WRITE_BUFFER_SIZE: usize = 2 * MESSAGE_SIZE;

/// Maximum number of messages without content, such as pings, per poll of the reader. A server that floods
/// pings must not keep the task from its other work.
const EMPTY_MESSAGES: usize = 32;

/// Maximum number of socket reads per poll of the reader: the library would read a message of endless empty
/// fragments in one poll.
const READS: usize = 8;

/// Headers that the upgrade itself sets.
const FIXED_HEADERS: [HeaderName; 5] = [
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_PROTOCOL,
];

/// The upgrade request for a server at `address`.
///
/// # Errors
///
/// [`Error::Usage`] for an invalid path, and for a header that cannot be sent or that the user must not set.
pub(super) fn request(options: &WebSocketOptions, address: &Address, secure: bool) -> Result<Request, Error> {
    let host = host_header(address, secure);
    let path = &options.path;
    let scheme = if secure { "wss" } else { "ws" };
    if !path.starts_with('/') {
        let shown = quotation::shown(path.split('?').next().unwrap_or(path));
        return Err(Error::usage(format!("--ws-path, or the path in -L: '{shown}' does not start with '/'")));
    }
    let uri: Uri = format!("{scheme}://{host}{path}").parse().map_err(|error| {
        // The query may hold a token.
        let shown = quotation::shown(path.split('?').next().unwrap_or(path));
        Error::usage(format!(
            "--ws-path, or the path in -L: '{shown}', or its query, cannot be sent: {error}"
        ))
        .with_hint("percent-encode what is not allowed in a URL")
    })?;
    let host = HeaderValue::try_from(host)
        .map_err(|_| Error::usage(format!("'{address}' is not allowed in a Host header")))?;
    let mut request = Request::new(());
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::HOST, host);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let key = HeaderValue::try_from(generate_key())
        .map_err(|error| Error::fatal(Layer::WebSocket, error.to_string()))?;
    headers.insert(header::SEC_WEBSOCKET_KEY, key);
    for (name, value) in &options.headers {
        let unusable = |why: &str| Error::usage(format!("--ws-header: '{}' {why}", quotation::shown(name)));
        let name = HeaderName::try_from(name).map_err(|_| unusable("is an invalid name"))?;
        if FIXED_HEADERS.contains(&name) {
            return Err(unusable("is part of the upgrade itself and cannot be set"));
        }
        // The value may be a secret, so the message does not repeat it.
        let value = HeaderValue::from_str(value).map_err(|_| unusable("has an invalid value"))?;
        if name == header::HOST {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    Ok(request)
}

/// The host as HTTP names it: without the scheme's default port (RFC 9110, section 7.2), IPv6 in brackets and
/// without a zone, which has a meaning only on this machine.
fn host_header(address: &Address, secure: bool) -> String {
    let Address::Tcp { host, port } = address else {
        return "localhost".into();
    };
    let host = host.split('%').next().unwrap_or(host);
    let default_port = if secure { 443 } else { 80 };
    HostPort { host, port: Some(*port).filter(|port| *port != default_port) }.to_string()
}

/// Upgrades `stream` to a WebSocket.
///
/// # Errors
///
/// [`Layer::WebSocket`]: the server's HTTP status and the first line of its body if it is not "101 Switching
/// Protocols", or what is wrong with the response.
pub(super) async fn upgrade(
    mut stream: Stream,
    request: Request,
    options: &WebSocketOptions,
) -> Result<WebSocket, Error> {
    let path = request.uri().path().to_owned();
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_SIZE)
        // No buffering: MQTT's driver batches already.
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER_SIZE)
        .max_message_size(Some(options.max_message_size))
        .max_frame_size(Some(options.max_message_size));
    let (request, key) =
        generate_request(request).map_err(|error| Error::fatal(Layer::WebSocket, error.to_string()))?;
    let sent = async {
        stream.write_all(&request).await?;
        stream.flush().await
    };
    let secrets = Secrets::of_upgrade(options);
    let outcome = match sent.await {
        Ok(()) => http::read_head(&mut stream, &secrets).await,
        Err(error) => Err(HeadError::Io(error)),
    };
    let head = outcome.map_err(|error| no_answer(&error))?;
    if head.status != StatusCode::SWITCHING_PROTOCOLS.as_u16() {
        return Err(refused(head, &mut stream, &path, &secrets).await);
    }
    check_switch(&head, &key)?;
    let stream = Metered { stream, reads_left: READS };
    let inner = WebSocketStream::from_partially_read(stream, head.behind, Role::Client, Some(config)).await;
    Ok(WebSocket { inner, unread: Bytes::new(), ended: false, secrets })
}

/// Checks that the server switches to WebSocket (RFC 6455, section 4.1) with the subprotocol `mqtt`
/// [MQTT-6.0.0-4].
fn check_switch(head: &Head, key: &str) -> Result<(), Error> {
    let accepted = head.header(header::SEC_WEBSOCKET_ACCEPT.as_str());
    let switches = head.has_word(header::UPGRADE.as_str(), "websocket")
        && head.has_word(header::CONNECTION.as_str(), "upgrade")
        && accepted == Some(derive_accept_key(key.as_bytes()).as_bytes());
    let fault = if !switches {
        Some("not as a WebSocket server must")
    } else if head.is_old {
        Some("in HTTP/1.0, which has no WebSockets")
    } else if head.header(header::SEC_WEBSOCKET_EXTENSIONS.as_str()).is_some_and(|list| !list.is_empty()) {
        Some("with a WebSocket extension, which is not supported")
    } else {
        None
    };
    if let Some(fault) = fault {
        let cause = format!("the broker answered '{}', but {fault}", head.shown());
        return Err(Error::link(Layer::WebSocket, cause));
    }
    match head.header(header::SEC_WEBSOCKET_PROTOCOL.as_str()) {
        Some(chosen) if chosen == SUBPROTOCOL.as_bytes() => Ok(()),
        chosen => {
            let which = if chosen.is_some() { "chose another subprotocol" } else { "chose no subprotocol" };
            Err(Error::link(Layer::WebSocket, format!("the broker {which}; MQTT needs '{SUBPROTOCOL}'"))
                .with_hint("is this the path of an MQTT broker? --ws-path sets it"))
        }
    }
}

/// The error for an HTTP response other than the upgrade.
async fn refused(head: Head, stream: &mut Stream, path: &str, secrets: &Secrets) -> Error {
    let (status, shown, is_old) = (head.status, head.shown(), head.is_old);
    let place = head.header(header::LOCATION.as_str()).map(without_query);
    let place = place.and_then(|place| first_line(&place, secrets));
    let line = head.first_line(stream, secrets).await;
    let cause = format!(
        "the broker answered '{shown}' to the upgrade of {path}{}{}",
        place.map_or_else(String::new, |place| format!(", pointing to {place}")),
        line.map_or_else(String::new, |line| format!(": {line}")),
    );
    // A gateway whose broker restarts or is overloaded may answer anything.
    let error = match status {
        401 | 403 | 404 => Error::doubtful(Layer::WebSocket, cause),
        _ => Error::link(Layer::WebSocket, cause),
    };
    match status {
        404 => error.with_hint("--ws-path gives the path of the broker's WebSocket, mostly /mqtt or /"),
        401 | 403 => error.with_hint("--ws-header 'Authorization: …' gives the HTTP server its credentials"),
        426 | 200..300 => error.with_hint("is this the path of an MQTT broker? --ws-path sets it"),
        _ if is_old => {
            error.with_hint("the answer is HTTP/1.0: a proxy in between may not support WebSockets")
        }
        _ => error,
    }
}

/// A URL without its query, which may hold our token in another encoding.
fn without_query(place: &[u8]) -> Cow<'_, [u8]> {
    match memchr::memchr(b'?', place) {
        Some(at) => [&place[..at], "?…".as_bytes()].concat().into(),
        None => place.into(),
    }
}

/// The error for a response that is not HTTP.
fn no_answer(error: &HeadError) -> Error {
    const SCHEMES: &str = "is this a WebSocket port? plain MQTT is mqtt://, a WebSocket over TLS is wss://";
    let failed = |cause: &str| Error::link(Layer::WebSocket, cause).with_hint(SCHEMES);
    match error {
        // A TLS 1.3 server may refuse our certificate only now.
        HeadError::Io(error) if fault::is_tls(error) => broken::broken(error),
        HeadError::Io(error) => {
            failed(&format!("{} during the upgrade", fault::words(error))).signed(Sign::HungUp)
        }
        HeadError::Closed => {
            failed("the broker closed the connection during the upgrade").signed(Sign::HungUp)
        }
        HeadError::CutOff => failed("the broker closed the connection in the middle of its HTTP answer"),
        HeadError::Endless => failed("the broker sends an HTTP answer that does not end"),
        HeadError::NotHttp(start) if looks_like_tls(start) => {
            Error::link(Layer::WebSocket, "the broker expects TLS on this port")
                .with_hint("use wss://, or --cafile or --tls-use-os-certs with --ws")
        }
        HeadError::NotHttp(_) => failed("the broker's answer is not HTTP"),
    }
}

/// A WebSocket failure in words.
fn words(error: &WebSocketError) -> String {
    match error {
        WebSocketError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
            format!("the broker sent a message of {size} bytes; the limit is {max_size}")
        }
        WebSocketError::Protocol(what) => format!("the broker broke the WebSocket protocol: {what}"),
        WebSocketError::Utf8(_) => "the broker broke the WebSocket protocol: text that is not UTF-8".into(),
        other => other.to_string(),
    }
}

/// Bytes over binary WebSocket messages. Pings are answered here; a close frame ends the stream.
#[derive(Debug)]
pub struct WebSocket {
    inner: WebSocketStream<Metered>,
    /// The unread part of the last message.
    unread: Bytes,
    /// Whether the server has closed.
    ended: bool,
    /// The secrets in the request, which the server might repeat.
    secrets: Secrets,
}

impl WebSocket {
    /// The underlying stream.
    pub(super) fn stream(&self) -> &Stream {
        &self.inner.get_ref().stream
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.get_mut().reads_left = READS;
        let mut messages_left = EMPTY_MESSAGES;
        while self.unread.is_empty() && !self.ended {
            let over = messages_left == 0;
            let next = if over { Poll::Pending } else { Pin::new(&mut self.inner).poll_next(context) };
            if next.is_pending() && (over || self.inner.get_ref().reads_left == 0) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            messages_left -= 1;
            match ready!(next) {
                Some(Ok(Message::Binary(bytes))) => self.unread = bytes,
                Some(Ok(Message::Text(_))) => {
                    self.ended = true;
                    return Poll::Ready(Err(broken(
                        "the broker sent a WebSocket text message; MQTT uses binary messages",
                    )));
                }
                Some(Ok(Message::Close(frame))) => {
                    self.ended = true;
                    // Sends the answering close frame; whether it arrives does not matter.
                    let _ = Pin::new(&mut self.inner).poll_flush(context);
                    if let Some(reason) = frame.as_ref().and_then(|frame| complaint(frame, &self.secrets)) {
                        return Poll::Ready(Err(broken(reason)));
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => {
                    self.ended = true;
                    if !is_end(&error) {
                        return Poll::Ready(Err(io_error(error)));
                    }
                }
                None => self.ended = true,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The underlying stream, with a limit on the reads per poll.
#[derive(Debug)]
struct Metered {
    stream: Stream,
    reads_left: usize,
}

impl AsyncRead for Metered {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // The WebSocket's reader checks `reads_left` and asks to be polled again.
        let Some(left) = this.reads_left.checked_sub(1) else { return Poll::Pending };
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if read.is_ready() {
            this.reads_left = left;
        }
        read
    }
}

impl AsyncWrite for Metered {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// Whether the error means the end of the stream: the connection closed, with or without a close frame.
fn is_end(error: &WebSocketError) -> bool {
    matches!(
        error,
        WebSocketError::ConnectionClosed
            | WebSocketError::AlreadyClosed
            | WebSocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake)
    )
}

/// The library replaces a close code that is not allowed by 1002 with this reason. A server that itself sends
/// 1002 with this reason cannot be told apart.
const STAND_IN: &str = "Protocol violation";

/// The reason in the close frame, unless the close was a normal one.
fn complaint(frame: &CloseFrame, secrets: &Secrets) -> Option<String> {
    if matches!(frame.code, CloseCode::Normal | CloseCode::Away | CloseCode::Status) {
        return None;
    }
    let code = u16::from(frame.code);
    if frame.code == CloseCode::Protocol && frame.reason.as_str() == STAND_IN {
        return Some(format!("the broker closed the WebSocket with code {code} or one that is not allowed"));
    }
    let reason = match first_line(frame.reason.as_bytes(), secrets) {
        Some(line) => format!(": {line}"),
        None => String::new(),
    };
    Some(format!("the broker closed the WebSocket with code {code}{reason}"))
}

fn broken(words: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, WebSocketFault(words.into()))
}

fn io_error(error: WebSocketError) -> io::Error {
    match error {
        WebSocketError::Io(error) => error,
        end if is_end(&end) => io::ErrorKind::BrokenPipe.into(),
        other => broken(words(&other)),
    }
}

impl AsyncRead for WebSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_message(context))?;
        let length = this.unread.len().min(buffer.remaining());
        buffer.put_slice(&this.unread[..length]);
        this.unread.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WebSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = Pin::new(&mut self.get_mut().inner);
        ready!(inner.as_mut().poll_ready(context)).map_err(io_error)?;
        let length = bytes.len().min(MESSAGE_SIZE);
        let message = Message::Binary(Bytes::copy_from_slice(&bytes[..length]));
        match inner.as_mut().start_send(message) {
            // The buffer is full of answers to pings, so they are sent first.
            Err(WebSocketError::WriteBufferFull(message)) => {
                ready!(inner.as_mut().poll_flush(context)).map_err(io_error)?;
                inner.start_send(*message).map_err(io_error)?;
            }
            outcome => outcome.map_err(io_error)?,
        }
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context).map_err(io_error)
    }

    /// Sends a close frame; the server closes the socket (RFC 6455, section 7.1.1).
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = &mut self.get_mut().inner;
        inner.get_mut().reads_left = READS;
        let closed = Pin::new(&mut *inner).poll_close(context);
        if closed.is_pending() && inner.get_ref().reads_left == 0 {
            context.waker().wake_by_ref();
        }
        match ready!(closed) {
            Err(error) if !is_end(&error) => Poll::Ready(Err(io_error(error))),
            _ => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp { host: host.into(), port }
    }

    #[test]
    fn the_host_header_leaves_out_the_schemes_own_port() {
        assert_eq!(host_header(&tcp("broker.example", 80), false), "broker.example");
        assert_eq!(host_header(&tcp("broker.example", 443), false), "broker.example:443");
        assert_eq!(host_header(&tcp("broker.example", 443), true), "broker.example");
        assert_eq!(host_header(&tcp("broker.example", 8083), true), "broker.example:8083");
        assert_eq!(host_header(&tcp("::1", 80), false), "[::1]");
        assert_eq!(host_header(&tcp("fe80::1%eth0", 9001), false), "[fe80::1]:9001");
    }

    #[test]
    fn a_request_carries_path_query_and_headers() {
        let options = WebSocketOptions {
            path: "/mqtt?token=a%20b".into(),
            headers: vec![("X-Api-Key".into(), "secret".into()), ("host".into(), "other".into())],
            ..WebSocketOptions::default()
        };
        let request = request(&options, &tcp("broker.example", 80), false).unwrap();
        assert_eq!(request.uri(), "ws://broker.example/mqtt?token=a%20b");
        let headers = request.headers();
        assert_eq!(headers["x-api-key"], "secret");
        assert_eq!(headers["host"], "other");
        assert_eq!(headers["sec-websocket-protocol"], "mqtt");
    }

    #[test]
    fn bad_paths_and_headers_are_usage_errors_without_the_value() {
        let address = tcp("broker.example", 80);
        let with_path = |path: &str| WebSocketOptions { path: path.into(), ..WebSocketOptions::default() };
        for path in ["mqtt", "", "/a b", "/a\u{1b}"] {
            let error = request(&with_path(path), &address, false).unwrap_err();
            assert!(matches!(error, Error::Usage { .. }), "{path:?}: {error}");
        }
        let with_header = |name: &str, value: &str| WebSocketOptions {
            headers: vec![(name.into(), value.into())],
            ..WebSocketOptions::default()
        };
        for (name, value) in [
            ("a b", "x"),
            ("X-Token", "hush\r\nhush"),
            ("Upgrade", "hush"),
            ("Sec-WebSocket-Protocol", "hush"),
        ] {
            let error = request(&with_header(name, value), &address, false).unwrap_err();
            assert!(matches!(error, Error::Usage { .. }), "{name:?}: {error}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }
}
