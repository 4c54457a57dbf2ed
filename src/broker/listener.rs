//! Listeners of a broker: TCP or a Unix socket, with or without TLS and WebSockets.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::error::{Error, Layer};
use crate::net;
use crate::platform::sockets::{LocalListener, LocalStream, listen_locally, reuse_address};

/// The accept backlog. A load opens thousands of connections at once, and without room a client retries only
/// after a second.
const BACKLOG: u32 = 4096;

/// A listening address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// An IP address and a port; port 0 lets the system choose.
    Network(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// A listening address and its protocols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The listening address.
    pub place: Bind,
    /// Whether TLS is used.
    pub tls: bool,
    /// Whether WebSockets are used.
    pub web_socket: bool,
}

impl Listener {
    /// Plain MQTT over TCP.
    #[must_use]
    pub fn tcp(address: SocketAddr) -> Self {
        Self { place: Bind::Network(address), tls: false, web_socket: false }
    }

    /// The IP address and port, unless it is a Unix socket.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self.place {
            Bind::Network(address) => Some(address),
            Bind::Unix(_) => None,
        }
    }

    /// Whether it is reachable only from this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.address().is_none_or(|address| address.ip().to_canonical().is_loopback())
    }

    /// Whether it is MQTT directly over TCP.
    #[must_use]
    pub fn is_plain_tcp(&self) -> bool {
        matches!(self.place, Bind::Network(_)) && !self.tls && !self.web_socket
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self::tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }
}

/// A URL for clients; for a Unix socket `unix:` and its path.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.web_socket, self.tls) {
            (false, false) => "mqtt",
            (false, true) => "mqtts",
            (true, false) => "ws",
            (true, true) => "wss",
        };
        match &self.place {
            Bind::Network(address) => write!(f, "{scheme}://{address}"),
            Bind::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A listening socket.
enum Socket {
    Tcp(TcpListener),
    Unix(LocalListener),
}

/// An accepted connection.
pub(super) enum Arrived {
    Tcp(TcpStream),
    Unix(LocalStream),
}

/// An open listener. Dropping it closes it and removes its Unix socket.
pub(super) struct OpenListener {
    socket: Socket,
    /// With the port chosen by the system.
    pub(super) listener: Arc<Listener>,
}

impl OpenListener {
    /// Starts to listen.
    pub(super) fn open(listener: &Listener) -> Result<Self, Error> {
        let failed = |error: io::Error| {
            let cause = format!("cannot listen on {}: {}", named(listener), net::explain(&error));
            let busy = error.kind() == io::ErrorKind::AddrInUse;
            let error = Error::fatal(Layer::Connect, cause);
            match &listener.place {
                Bind::Network(_) if busy => {
                    error.with_hint("is a broker already running there? -p 0 uses a free port")
                }
                Bind::Unix(_) if busy => error.with_hint("is a broker already running there?"),
                _ => error,
            }
        };
        match &listener.place {
            Bind::Network(address) => {
                let socket = tcp(*address).map_err(failed)?;
                let address = socket.local_addr().map_err(failed)?;
                let listener = Listener { place: Bind::Network(address), ..listener.clone() };
                Ok(Self { socket: Socket::Tcp(socket), listener: Arc::new(listener) })
            }
            Bind::Unix(path) => {
                let socket = listen_locally(path).map_err(failed)?;
                Ok(Self { socket: Socket::Unix(socket), listener: Arc::new(listener.clone()) })
            }
        }
    }

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Arrived>> {
        match &self.socket {
            Socket::Tcp(socket) => socket.poll_accept(cx).map_ok(|(stream, _)| Arrived::Tcp(stream)),
            Socket::Unix(socket) => socket.poll_accept(cx).map_ok(|(stream, _)| Arrived::Unix(stream)),
        }
    }
}

impl Drop for OpenListener {
    fn drop(&mut self) {
        if let Bind::Unix(path) = &self.listener.place {
            // The file may be gone; a file that another program created there in the meantime cannot be
            // distinguished.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// For plain TCP, the most common case, only the address.
fn named(listener: &Listener) -> String {
    match listener.address() {
        Some(address) if listener.is_plain_tcp() => address.to_string(),
        _ => listener.to_string(),
    }
}

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    reuse_address(&socket)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_named_as_urls() {
        let address: SocketAddr = "[::1]:8883".parse().unwrap();
        let mut listener = Listener::tcp(address);
        assert_eq!(listener.to_string(), "mqtt://[::1]:8883");
        assert!(listener.is_local());
        listener.tls = true;
        assert_eq!(listener.to_string(), "mqtts://[::1]:8883");
        listener.web_socket = true;
        assert_eq!(listener.to_string(), "wss://[::1]:8883");
        listener.place = Bind::Unix("/run/m".into());
        assert_eq!(listener.to_string(), "unix:/run/m");
        assert!(!Listener::tcp("[::ffff:1.2.3.4]:1".parse().unwrap()).is_local());
        assert!(Listener::tcp("[::ffff:127.0.0.1]:1".parse().unwrap()).is_local());
    }

    #[tokio::test]
    async fn socket_file_without_a_listener_is_replaced_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = Listener { place: Bind::Unix(path.clone()), ..Listener::default() };
        // Left by a killed process.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let open = OpenListener::open(&listener).unwrap();
        let second = OpenListener::open(&listener).err().unwrap();
        assert!(second.to_string().contains("cannot listen on unix:"), "{second}");
        drop(open);
        assert!(!path.exists());
        std::fs::write(&path, "mine").unwrap();
        assert!(OpenListener::open(&listener).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    }
}
