//! Writing to standard output without blocking the program, and its reader. Only Linux can do that for all kinds of
//! outputs; elsewhere writes block, and the next one notices that the reader has gone.

use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use super::descriptors::{AsDescriptor, DescriptorKind, kind, stdout};
use super::readiness;

#[cfg(target_os = "linux")]
pub(crate) use self::linux::{OutputChannel, WatchedPipe, has_no_reader, route, watch_reader};

#[cfg(not(target_os = "linux"))]
pub(crate) use self::elsewhere::{OutputChannel, WatchedPipe, has_no_reader, route, watch_reader};

/// How to write to an output.
#[derive(Debug)]
pub(crate) enum OutputRoute {
    /// Blocking writes.
    Blocking,
    /// Writes that report when they would block.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "as on Linux"))]
    Polled(OutputChannel),
    /// The reader had gone before the first write.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "as on Linux"))]
    Closed,
}

/// Ready once the reader of an output has gone.
pub(crate) type ReaderLeft = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Writes the beginning of `bytes` to standard output, without a buffer; returns the number of bytes written.
///
/// # Errors
/// The system's error; [`io::ErrorKind::Interrupted`] and [`io::ErrorKind::WouldBlock`] are among them.
pub(crate) fn write(bytes: &[u8]) -> io::Result<usize> {
    #[cfg(unix)]
    {
        Ok(rustix::io::write(stdout(), bytes)?)
    }
    #[cfg(not(unix))]
    {
        use std::io::Write as _;
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()?;
        Ok(bytes.len())
    }
}

/// Writes the beginning of `bytes` to standard output as [`write`] does, and waits until that is possible.
///
/// # Errors
/// The system's error.
pub(crate) fn write_blocking(bytes: &[u8]) -> io::Result<usize> {
    loop {
        match write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another program made the shared description non-blocking: wait here.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                readiness::wait(&mut [readiness::to_write(&stdout())], None)?;
            }
            result => return result,
        }
    }
}

/// A pipe that is ready for bytes takes as many at once without blocking.
const READY_BYTES: usize = 4096;

/// Writes all bytes to standard output as [`write`] does, if it takes them within this time.
///
/// # Errors
/// The system's error; [`io::ErrorKind::TimedOut`].
pub(crate) fn write_within(mut bytes: &[u8], limit: Duration) -> io::Result<()> {
    let begin = Instant::now();
    while !bytes.is_empty() {
        let left = limit.saturating_sub(begin.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if !readiness::wait(&mut [readiness::to_write(&stdout())], Some(left))? {
            continue;
        }
        match write(&bytes[..bytes.len().min(READY_BYTES)]) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether an error of standard output means that the reader has gone. On Unix a closed terminal gives an I/O error.
pub(crate) fn says_closed(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is_of_terminal = error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
    #[cfg(not(unix))]
    let is_of_terminal = false;
    error.kind() == io::ErrorKind::BrokenPipe
        || (is_of_terminal && kind(&stdout()).is_ok_and(|kind| kind == DescriptorKind::CharacterDevice))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
    use std::task::{Context, Poll, ready};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;
    use rustix::net::{AddressFamily, SendFlags, SocketType, send, sockopt};
    use tokio::io::Interest;
    use tokio::net::unix::pipe::Sender;

    use super::{AsDescriptor, DescriptorKind, OutputRoute, ReaderLeft, kind};

    /// A descriptor, watched by the runtime, whose writes report when they would block.
    #[derive(Debug)]
    pub(crate) struct OutputChannel {
        /// tokio's type for pipes, used only to watch other kinds too. (`AsyncFd` would express that better,
        /// but can no longer be created without `unsafe`.)
        descriptor: Sender,
        is_socket: bool,
    }

    /// The best way to write to `inherited`; blocking writes if there is no better one.
    pub(crate) fn route(inherited: &impl AsDescriptor) -> OutputRoute {
        if tokio::runtime::Handle::try_current().is_err() {
            return OutputRoute::Blocking;
        }
        let Ok(kind) = kind(inherited) else { return OutputRoute::Blocking };
        let descriptor = match kind {
            DescriptorKind::Socket => rustix::io::fcntl_dupfd_cloexec(inherited, 3),
            DescriptorKind::Pipe => reopen(inherited.as_fd()),
            DescriptorKind::CharacterDevice if rustix::termios::isatty(inherited) => {
                reopen(inherited.as_fd())
            }
            _ => return OutputRoute::Blocking,
        };
        // The error of opening a pipe without a reader for writing.
        if descriptor.as_ref().is_err_and(|error| *error == Errno::NXIO) && kind == DescriptorKind::Pipe {
            return OutputRoute::Closed;
        }
        // A file of another user cannot be opened again (`su`, `sudo`), nor can any without /proc: blocking
        // writes are better than none.
        let Ok(descriptor) = descriptor else { return OutputRoute::Blocking };
        match Sender::from_owned_fd_unchecked(descriptor) {
            Ok(descriptor) => {
                OutputRoute::Polled(OutputChannel { descriptor, is_socket: kind == DescriptorKind::Socket })
            }
            Err(_) => OutputRoute::Blocking,
        }
    }

    fn reopen(inherited: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        let path = format!("/proc/self/fd/{}", inherited.as_raw_fd());
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty())
    }

    impl OutputChannel {
        fn write(&self, bytes: &[u8]) -> io::Result<usize> {
            loop {
                let result = if self.is_socket {
                    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                    send(&self.descriptor, bytes, flags)
                } else {
                    rustix::io::write(&self.descriptor, bytes)
                };
                match result {
                    Err(Errno::INTR) => {}
                    result => return Ok(result?),
                }
            }
        }

        /// Writes the beginning of `bytes`; returns the number of bytes written.
        pub(crate) fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            loop {
                ready!(self.descriptor.poll_write_ready(context))?;
                match self.descriptor.try_io(|| self.write(bytes)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return Poll::Ready(result),
                }
            }
        }
    }

    /// Whether the reader of an output has gone, as far as the system reports it without a write.
    pub(crate) fn has_no_reader(output: &impl AsDescriptor) -> bool {
        let mut watched = [PollFd::new(output, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let is_gone = poll(&mut watched, Some(&at_once)).is_ok()
            && watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP);
        is_gone || is_unix_stream(output.as_fd()) && is_not_read(output)
    }

    /// Whether a message of no bytes can be sent, which sends nothing: a connected Unix socket of bytes.
    fn is_unix_stream(output: BorrowedFd<'_>) -> bool {
        sockopt::socket_domain(output) == Ok(AddressFamily::UNIX)
            && sockopt::socket_type(output) == Ok(SocketType::STREAM)
    }

    /// Whether the other end of such a socket has stopped reading. The system then says "writable" once more.
    fn is_not_read(socket: impl AsFd) -> bool {
        send(socket, &[], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) == Err(Errno::PIPE)
    }

    /// Idle time of a TCP connection before a keep-alive probe, and the interval of further probes.
    const IDLE: Duration = Duration::from_secs(15);

    /// Watches the reader of an output; `None` if there is none, or if it cannot be watched.
    pub(crate) fn watch_reader(output: &impl AsDescriptor) -> Option<ReaderLeft> {
        if tokio::runtime::Handle::try_current().is_err() {
            return None;
        }
        let is_unix = is_unix_stream(output.as_fd());
        match kind(output).ok()? {
            DescriptorKind::Pipe => {}
            DescriptorKind::Socket => keep_alive(output.as_fd()),
            DescriptorKind::CharacterDevice if rustix::termios::isatty(output) => {}
            _ => return None,
        }
        // tokio's type for pipes is used for every kind, only to watch the descriptor. It registers for
        // writability; the system reports errors and hang-ups in any case, a hang-up as "readable".
        let watched = rustix::io::fcntl_dupfd_cloexec(output, 3).map_err(Into::into);
        let descriptor = watched.and_then(Sender::from_owned_fd_unchecked).ok()?;
        Some(Box::pin(async move {
            let hang_up = Interest::ERROR | Interest::READABLE;
            let interest = if is_unix { hang_up | Interest::WRITABLE } else { hang_up };
            loop {
                let Ok(ready) = descriptor.ready(interest).await else { return std::future::pending().await };
                if !is_unix || ready.is_error() || ready.is_readable() || ready.is_write_closed() {
                    return;
                }
                // The error "would block" has the runtime wait for the system's next word.
                let probe = descriptor.try_io(|| {
                    if is_not_read(&descriptor) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
                });
                if probe.is_ok() {
                    return;
                }
            }
        }))
    }

    /// Errors are ignored: a socket that is not TCP refuses the options, and does not need them.
    fn keep_alive(socket: BorrowedFd<'_>) {
        let _ = sockopt::set_socket_keepalive(socket, true);
        let _ = sockopt::set_tcp_keepidle(socket, IDLE);
        let _ = sockopt::set_tcp_keepintvl(socket, IDLE);
        let _ = sockopt::set_tcp_keepcnt(socket, 3);
    }

    /// The writing end of a pipe whose content can be counted.
    #[derive(Debug)]
    pub(crate) struct WatchedPipe(OwnedFd);

    impl WatchedPipe {
        /// `None` if the output is not a pipe.
        pub(crate) fn of(output: &impl AsDescriptor) -> io::Result<Option<Self>> {
            if kind(output)? != DescriptorKind::Pipe {
                return Ok(None);
            }
            Ok(Some(Self(rustix::io::fcntl_dupfd_cloexec(output, 3)?)))
        }

        /// Whether its reader has taken everything.
        pub(crate) fn is_empty(&self) -> io::Result<bool> {
            Ok(rustix::io::ioctl_fionread(&self.0)? == 0)
        }

        /// Whether it has no reader, so that its content will not be taken.
        pub(crate) fn has_no_reader(&self) -> bool {
            has_no_reader(&self.0)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::io;
    use std::task::{Context, Poll};

    use super::{AsDescriptor, OutputRoute, ReaderLeft};

    /// There are no writes that report when they would block.
    #[derive(Debug)]
    pub(crate) enum OutputChannel {}

    impl OutputChannel {
        pub(crate) fn poll_write(&self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            match *self {}
        }
    }

    /// Blocking writes.
    pub(crate) fn route(_: &impl AsDescriptor) -> OutputRoute {
        OutputRoute::Blocking
    }

    /// Not known; the next write notices it.
    pub(crate) fn has_no_reader(_: &impl AsDescriptor) -> bool {
        false
    }

    /// The reader cannot be watched.
    pub(crate) fn watch_reader(_: &impl AsDescriptor) -> Option<ReaderLeft> {
        None
    }

    /// The content of pipes cannot be counted.
    #[derive(Debug)]
    pub(crate) enum WatchedPipe {}

    impl WatchedPipe {
        #[allow(clippy::unnecessary_wraps, reason = "as on Linux")]
        pub(crate) fn of(_: &impl AsDescriptor) -> io::Result<Option<Self>> {
            Ok(None)
        }

        pub(crate) fn is_empty(&self) -> io::Result<bool> {
            match *self {}
        }

        pub(crate) fn has_no_reader(&self) -> bool {
            match *self {}
        }
    }
}
