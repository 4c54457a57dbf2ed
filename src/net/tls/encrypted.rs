//! The stream after a handshake.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::Error as TlsError;

use super::{TlsFacts, explain};
use crate::platform::sockets::acknowledge_at_once;

/// TLS over TCP, after its handshake.
#[derive(Debug)]
pub struct Encrypted {
    stream: TlsStream<TcpStream>,
    /// Whether the server has sent application data.
    has_heard: bool,
    /// Whether there was a client certificate to present.
    has_certificate: bool,
}

impl Encrypted {
    pub(super) fn new(stream: TlsStream<TcpStream>, has_certificate: bool) -> Self {
        Self { stream, has_heard: false, has_certificate }
    }

    /// The error of a read. A TLS 1.3 server reports a refused or missing client certificate only here.
    fn told(&self, error: io::Error) -> io::Error {
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
        match cause.filter(|_| !self.has_certificate).and_then(explain::without_certificate) {
            Some(words) => io::Error::new(error.kind(), TlsError::General(words)),
            None => error,
        }
    }

    /// The underlying socket.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        self.stream.get_ref().0
    }

    /// What the handshake agreed on.
    #[must_use]
    pub fn facts(&self) -> TlsFacts {
        TlsFacts::of(self.stream.get_ref().1)
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_read(context, buffer);
        match outcome {
            Poll::Pending if this.has_heard => {}
            // A TLS 1.3 server sends its session tickets after the handshake. If it leaves Nagle's algorithm on
            // (mosquitto does), the CONNACK waits until the tickets are acknowledged, which the kernel delays by
            // 40 ms: measured, nine tenths of the time of a one-shot publish over TLS.
            Poll::Pending => acknowledge_at_once(this.tcp()),
            // A server that closes the socket without TLS's `close_notify` has ended the stream, and many
            // servers do that. MQTT's framing reveals a truncated packet.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(_) => this.has_heard = true,
        }
        outcome.map_err(|error| this.told(error))
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
