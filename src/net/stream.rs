//! The stream type of all transports.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::fault;
use super::tls::{Encrypted, TlsFacts};
use super::websocket::WebSocket;
use crate::platform::sockets::drop_all_arriving;

/// An open stream of bytes to the broker.
///
/// Plain TCP stays tokio's own type and is read directly, so that tokio's rule "a partial read means the
/// socket is empty" (one system call less per wake-up) applies. The other types may buffer written bytes
/// until they are flushed.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP. Boxed, as it is a hundred times larger than a socket.
    Tls(Box<Encrypted>),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixStream),
    /// A WebSocket over one of the others.
    WebSocket(Box<WebSocket>),
}

impl Stream {
    /// The socket's remote address, for messages: the broker, or the proxy.
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

    /// The underlying TCP socket, if there is one.
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

/// The error for an operation that needs a TCP socket.
fn needs_tcp() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "there is no TCP socket underneath")
}

/// Ways to break a connection, to test how a broker reacts.
impl Stream {
    /// Closes the connection with a reset (RST) instead of a FIN.
    ///
    /// # Errors
    /// There is no underlying TCP socket, or the system's error.
    pub fn reset(self) -> io::Result<()> {
        let tcp = self.tcp().ok_or_else(needs_tcp)?;
        // A linger time of 0 makes the close discard unsent data and send RST.
        SockRef::from(tcp).set_linger(Some(Duration::ZERO))
    }

    /// Drops all incoming segments before the system's TCP sees them: it acknowledges nothing, as if the
    /// network were down. Outgoing segments still leave, so the caller must not send.
    ///
    /// # Errors
    /// There is no underlying TCP socket, the system is not Linux, or the system's error.
    pub fn black_hole(&self) -> io::Result<()> {
        let tcp = self.tcp().ok_or_else(needs_tcp)?;
        drop_all_arriving(&SockRef::from(tcp))
    }
}

/// Calls a poll method of the transport's stream.
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (theirs, _) = listener.accept().await.unwrap();
        (Stream::Tcp(ours), theirs)
    }

    #[tokio::test]
    async fn reset_is_not_an_orderly_close() {
        let (ours, mut theirs) = pair().await;
        ours.reset().unwrap();
        let error = theirs.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let (ours, mut theirs) = pair().await;
        drop(ours);
        assert_eq!(theirs.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn nothing_arrives_in_a_black_hole() {
        let (mut ours, mut theirs) = pair().await;
        ours.black_hole().unwrap();
        theirs.write_all(b"hello").await.unwrap();
        let mut buffer = [0; 8];
        let read = tokio::time::timeout(Duration::from_millis(100), ours.read(&mut buffer)).await;
        assert!(read.is_err(), "{read:?}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_unix_socket_cannot_be_reset() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert_eq!(Stream::Unix(ours).reset().unwrap_err().kind(), io::ErrorKind::Unsupported);
    }
}
