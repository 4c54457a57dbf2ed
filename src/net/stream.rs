//! The one stream type: every way to the broker ends in it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::fault;
use super::tls::{Encrypted, TlsFacts};
use super::websocket::WebSocket;

/// An open stream of bytes to the broker.
///
/// Plain TCP stays tokio's own type and is read straight through, so that tokio's "a partial read
/// means the socket is empty" (one system call less per wake-up) keeps working. The others may
/// hold back written bytes until they are flushed.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP. Boxed: it is a hundred times the size of a socket.
    Tls(Box<Encrypted>),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
    /// A WebSocket over one of the others.
    WebSocket(Box<WebSocket>),
}

impl Stream {
    /// The socket's other end, for messages: the broker, or the proxy on the way to it.
    #[must_use]
    pub fn peer(&self) -> String {
        let found = match self {
            Self::Tcp(stream) => stream.peer_addr().map(|address| address.to_string()),
            Self::Tls(stream) => stream.tcp().peer_addr().map(|address| address.to_string()),
            #[cfg(unix)]
            Self::Unix(stream) => stream.peer_addr().map(|address| match address.as_pathname() {
                Some(path) => path.display().to_string(),
                None => "a Unix socket without a name".into(),
            }),
            Self::WebSocket(stream) => return stream.stream().peer(),
        };
        found.unwrap_or_else(|error| fault::words(&error))
    }

    /// What the TLS handshake agreed on; `None` without TLS.
    #[must_use]
    pub fn tls(&self) -> Option<TlsFacts> {
        match self {
            Self::Tls(stream) => Some(stream.facts()),
            Self::WebSocket(stream) => stream.stream().tls(),
            Self::Tcp(_) => None,
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// The TCP socket underneath, if there is one.
    #[must_use]
    pub fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Tls(stream) => Some(stream.tcp()),
            Self::WebSocket(stream) => stream.stream().tcp(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }
}

/// Calls a poll method of whichever stream it is.
macro_rules! delegate {
    ($stream:expr, $method:ident, $($argument:expr),*) => {
        match $stream.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            Self::Tls(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).$method($($argument),*),
            Self::WebSocket(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(self, poll_read, context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, poll_write, context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, poll_write_vectored, context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
            #[cfg(unix)]
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::WebSocket(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_flush, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_shutdown, context)
    }
}
