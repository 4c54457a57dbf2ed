//! Sockets: their options, and Unix sockets.

use std::io;
use std::path::Path;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpSocket;
#[cfg(unix)]
pub(crate) use tokio::net::{UnixListener as LocalListener, UnixStream as LocalStream};

#[cfg(not(unix))]
pub(crate) use self::elsewhere::{LocalListener, LocalStream};

/// Starts to listen on a Unix socket. A socket file without a listening program is left over from a killed broker and is
/// replaced.
///
/// # Errors
/// The system's error; elsewhere than on Unix always.
#[cfg(unix)]
pub(crate) fn listen_locally(path: &Path) -> io::Result<LocalListener> {
    use std::os::unix::fs::FileTypeExt as _;
    match LocalListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
            let connected = std::os::unix::net::UnixStream::connect(path);
            let is_dead = connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
            if !is_socket || !is_dead {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            LocalListener::bind(path)
        }
        outcome => outcome,
    }
}

/// Unix sockets are not supported on this system.
#[cfg(not(unix))]
pub(crate) fn listen_locally(_: &Path) -> io::Result<LocalListener> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A socket of TCP that does not block, created so in one call where the system can do that.
///
/// # Errors
/// There are too many open files, or the system does not have this family of addresses.
pub(crate) fn non_blocking_socket(domain: Domain) -> io::Result<Socket> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), None)?;
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    let socket = {
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket
    };
    Ok(socket)
}

/// Whether the error of connecting a socket that does not block means that the attempt goes on.
pub(crate) fn goes_on(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
    }
    #[cfg(not(unix))]
    {
        error.kind() == io::ErrorKind::WouldBlock
    }
}

/// Lets the system choose the local port at `connect` instead of at `bind` (`IP_BIND_ADDRESS_NO_PORT`, valid
/// for IPv6 sockets too). Connections to different destinations can then share a port, so that a local
/// address has all its ports for each broker. Elsewhere than on Linux `bind` reserves the port for the local address.
///
/// # Errors
/// The system's error.
#[cfg_attr(not(target_os = "linux"), allow(clippy::unnecessary_wraps, reason = "as on Linux"))]
pub(crate) fn choose_port_at_connect(socket: &Socket) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
        Ok(setsockopt(socket, IpBindAddressNoPort, &true)?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        Ok(())
    }
}

/// Acknowledges the segments that a socket of TCP has received immediately. Elsewhere than on Linux, or if that fails,
/// the acknowledgement stays delayed.
#[cfg(target_os = "linux")]
pub(crate) fn acknowledge_at_once(socket: &impl std::os::fd::AsFd) {
    let _ = rustix::net::sockopt::set_tcp_quickack(socket, true);
}

/// The acknowledgement stays delayed.
#[cfg(not(target_os = "linux"))]
pub(crate) fn acknowledge_at_once<T>(_: &T) {}

/// Drops all segments that arrive from now on before the system's TCP sees them.
///
/// # Errors
/// The system's error; elsewhere than on Linux always.
pub(crate) fn drop_all_arriving(socket: &Socket) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        /// `BPF_RET | BPF_K` with 0: keep no byte of the segment.
        const DROP: [socket2::SockFilter; 1] = [socket2::SockFilter::new(0x06, 0, 0, 0)];
        socket.attach_filter(&DROP)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux can do that"))
    }
}

/// Lets a socket bind to an address that an earlier one has just left. Elsewhere than on Unix it always may, and the
/// option would let it take the address of one that still listens.
///
/// # Errors
/// The system's error.
#[cfg_attr(not(unix), allow(clippy::unnecessary_wraps, reason = "as on Unix"))]
pub(crate) fn reuse_address(socket: &TcpSocket) -> io::Result<()> {
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    #[cfg(not(unix))]
    let _ = socket;
    Ok(())
}

#[cfg(not(unix))]
mod elsewhere {
    use std::io;
    use std::task::{Context, Poll};

    /// There are no Unix sockets.
    #[derive(Debug)]
    pub(crate) enum LocalListener {}

    /// There are no Unix sockets: none is ever connected.
    pub(crate) type LocalStream = tokio::io::Empty;

    impl LocalListener {
        pub(crate) fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<(LocalStream, ())>> {
            match *self {}
        }
    }
}
