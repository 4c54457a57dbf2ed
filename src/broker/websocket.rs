//! MQTT over WebSockets, the broker's side: the upgrade, and bytes in binary messages ([MQTT-6.0.0-1]).
//!
//! It does not use the client's library, which reads whole messages: each connection could start a message of
//! any length. Here frames are decoded as they arrive.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::frames::{self, Control, Frames, Violation};

/// Maximum size of a request.
const REQUEST_BYTES: usize = 16 << 10;
const HEADERS: usize = 100;
/// Maximum payload of an outgoing message.
const MESSAGE_BYTES: usize = 64 << 10;
/// Maximum number of reads in one poll: empty frames must not keep the task busy.
const READS: usize = 8;
/// The subprotocol, and that of MQTT 3.1.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];
/// The status code of a close without a fault.
const NORMAL: u16 = 1000;

/// A byte stream over binary messages. Bytes passed to `poll_write` must be passed again until they are
/// accepted, because the frame's head with its length is sent before them.
pub(super) struct FramedStream<S> {
    stream: S,
    frames: Frames,
    /// Bytes received after the request.
    early: Vec<u8>,
    /// Control frames to send between two messages.
    control: Vec<u8>,
    /// The head of the current outgoing message, its length, and the number of bytes sent.
    head: [u8; 10],
    head_bytes: usize,
    head_sent: usize,
    /// The unsent bytes of the current message.
    left: usize,
    close_sent: bool,
    ended: bool,
}

/// Answers the upgrade request.
///
/// # Errors
/// A system error; or an invalid request, which was answered with an HTTP error.
pub(super) async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<FramedStream<S>> {
    let mut request = Vec::with_capacity(1024);
    let (answer, end) = loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(answer) = answer(&request) {
            break answer;
        }
        if request.len() >= REQUEST_BYTES {
            break (refusal("431 Request Header Fields Too Large", "the request is too long"), None);
        }
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.flush().await?;
    let Some(end) = end else {
        // Unread input would reset the connection before the client has the answer.
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        return Err(io::ErrorKind::InvalidData.into());
    };
    Ok(FramedStream {
        stream,
        frames: Frames::default(),
        early: request.split_off(end),
        control: Vec::new(),
        head: [0; 10],
        head_bytes: 0,
        head_sent: 0,
        left: 0,
        close_sent: false,
        ended: false,
    })
}

fn refusal(status: &str, why: &str) -> String {
    let length = why.len() + 1;
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nSec-WebSocket-Version: 13\r\n\
         Connection: close\r\n\r\n{why}\n"
    )
}

/// The answer to a request, and the end of the request if it is accepted; `None` if it is incomplete.
fn answer(request: &[u8]) -> Option<(String, Option<usize>)> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let end = match parsed.parse(request) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(end)) => end,
        Err(_) => return Some((refusal("400 Bad Request", "not an HTTP/1.1 request"), None)),
    };
    let values = |name: &'static str| {
        let named = parsed.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.filter_map(|header| std::str::from_utf8(header.value).ok())
    };
    let has_word = |name, word: &str| {
        values(name).flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(word))
    };
    let refused = |status, why| Some((refusal(status, why), None));
    if parsed.method != Some("GET") || !has_word("upgrade", "websocket") || !has_word("connection", "upgrade")
    {
        return refused("426 Upgrade Required", "this is an MQTT broker, for WebSockets only");
    }
    if !has_word("sec-websocket-version", "13") {
        return refused("426 Upgrade Required", "the WebSocket version must be 13");
    }
    let Some(key) = values("sec-websocket-key").next() else {
        return refused("400 Bad Request", "Sec-WebSocket-Key is missing");
    };
    let Some(chosen) = SUBPROTOCOLS.iter().find(|name| has_word("sec-websocket-protocol", name)) else {
        return refused("400 Bad Request", "Sec-WebSocket-Protocol has to offer mqtt"); // [MQTT-6.0.0-3]
    };
    let accept = derive_accept_key(key.trim().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {chosen}\r\n\r\n"
    );
    Some((answer, Some(end)))
}

impl<S: AsyncRead + AsyncWrite + Unpin> FramedStream<S> {
    /// Sends control frames, unless a message is being sent.
    fn poll_control(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.left == 0 && !self.control.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.control))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.control.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }

    fn close(&mut self, code: u16) {
        if !std::mem::replace(&mut self.close_sent, true) {
            put_control(&mut self.control, frames::CLOSE, &code.to_be_bytes());
        }
    }

    /// Decodes the bytes that were read; returns the length of the data at the start.
    fn decode(&mut self, bytes: &mut [u8]) -> usize {
        let (control, close_sent) = (&mut self.control, self.close_sent);
        let mut closed = false;
        let decoded = self.frames.decode(bytes, |frame| match frame {
            Control::Close => closed = true,
            // If the client does not read, only the latest is answered (RFC 6455, section 5.5.3).
            Control::Ping(payload) if control.is_empty() && !close_sent => {
                put_control(control, frames::PONG, &payload);
            }
            Control::Ping(_) => {}
        });
        match decoded {
            Ok(length) => {
                if closed {
                    self.ended = true;
                    self.close(NORMAL);
                }
                length
            }
            Err(Violation(code)) => {
                self.ended = true;
                self.close(code);
                0
            }
        }
    }
}

fn put_control(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    let (head, length) = frames::head(opcode, payload.len());
    out.extend_from_slice(&head[..length]);
    out.extend_from_slice(payload);
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for FramedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        for _ in 0..READS {
            if this.ended {
                let _ = this.poll_control(cx)?;
                return Poll::Ready(Ok(()));
            }
            let space = buffer.initialize_unfilled();
            let read = if this.early.is_empty() {
                let mut raw = ReadBuf::new(space);
                match Pin::new(&mut this.stream).poll_read(cx, &mut raw) {
                    Poll::Pending => {
                        let _ = this.poll_control(cx)?;
                        return Poll::Pending;
                    }
                    Poll::Ready(outcome) => outcome?,
                }
                raw.filled().len()
            } else {
                let length = this.early.len().min(space.len());
                space[..length].copy_from_slice(&this.early[..length]);
                this.early.drain(..length);
                length
            };
            if read == 0 {
                this.ended = true;
                return Poll::Ready(Ok(()));
            }
            let data = this.decode(&mut space[..read]);
            if data > 0 {
                buffer.advance(data);
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for FramedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.left == 0 {
            if this.close_sent {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            ready!(this.poll_control(cx))?;
            this.left = bytes.len().min(MESSAGE_BYTES);
            (this.head, this.head_bytes) = frames::head(frames::BINARY, this.left);
            this.head_sent = 0;
        }
        let payload = &bytes[..bytes.len().min(this.left)];
        loop {
            let head = &this.head[this.head_sent..this.head_bytes];
            let slices = [IoSlice::new(head), IoSlice::new(payload)];
            let sent = if head.is_empty() {
                ready!(Pin::new(&mut this.stream).poll_write(cx, payload))?
            } else {
                ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, &slices))?
            };
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_head = sent.min(head.len());
            this.head_sent += of_head;
            if sent > of_head {
                this.left -= sent - of_head;
                return Poll::Ready(Ok(sent - of_head));
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_control(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.close(NORMAL);
        ready!(this.poll_control(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: other, mqtt\r\n\r\n";

    #[test]
    fn valid_request_is_accepted_and_following_bytes_are_kept() {
        let request = [REQUEST.as_bytes(), b"\x82\x80"].concat();
        let (text, end) = answer(&request).unwrap();
        // Key and answer are from the example in RFC 6455, section 1.3.
        assert!(text.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{text}");
        assert!(text.contains("Sec-WebSocket-Protocol: mqtt\r\n"), "{text}");
        assert_eq!(end, Some(REQUEST.len()));
        for length in 0..REQUEST.len() {
            assert_eq!(answer(&REQUEST.as_bytes()[..length]), None, "{length}");
        }
    }

    #[test]
    fn other_requests_are_refused_in_http() {
        for (from, to, status) in [
            ("GET", "POST", "426 "),
            ("Upgrade: WebSocket", "Upgrade: h2c", "426 "),
            ("keep-alive, Upgrade", "close", "426 "),
            ("Version: 13", "Version: 8", "426 "),
            ("Sec-WebSocket-Key", "X-Key", "400 "),
            ("other, mqtt", "other", "400 "),
            ("HTTP/1.1", "MQTT", "400 "),
        ] {
            let (text, end) = answer(REQUEST.replace(from, to).as_bytes()).unwrap();
            assert!(text.starts_with(&format!("HTTP/1.1 {status}")) && end.is_none(), "{from}: {text}");
        }
    }
}
