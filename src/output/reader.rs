//! Detects that standard output has lost its reader: `mqtt sub | head -1` ends when `head` does, not at the
//! next message, which may never come.
//!
//! The descriptor is only watched, so a duplicate of it is enough, whatever its kind and owner. The system
//! reports
//!
//! * an error for a pipe without reader, also if the reader left before the first check;
//! * a hang-up for a closed socket or terminal. A TCP peer that only stopped sending may still read, so that
//!   alone is not an end; TCP keep-alive detects a peer that is gone;
//! * neither for the peer of a Unix socket that only stopped reading. The system then says "writable" once
//!   more, and a message of no bytes gets the error that every later one would get.
//!
//! Files and other devices have no reader. On systems other than Linux the next write notices the end.

use std::task::{Context, Poll};

/// The reader of standard output.
#[derive(Default)]
pub struct Reader {
    /// `None` before the first check: a run that never waits checks nothing.
    watch: Option<ReaderWatch>,
}

enum ReaderWatch {
    /// There is no reader, or it cannot be watched.
    Unseen,
    #[cfg(target_os = "linux")]
    Seen(std::pin::Pin<Box<dyn Future<Output = ()> + Send>>),
    #[cfg(target_os = "linux")]
    Gone,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("looked", &self.watch.is_some()).finish()
    }
}

impl Reader {
    /// Ready once the reader has gone, and from then on. Must be called inside a tokio runtime with I/O
    /// enabled, always from the same task.
    pub fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.watch.get_or_insert_with(look) {
            ReaderWatch::Unseen => Poll::Pending,
            #[cfg(target_os = "linux")]
            ReaderWatch::Seen(gone) => {
                std::task::ready!(gone.as_mut().poll(context));
                self.watch = Some(ReaderWatch::Gone);
                Poll::Ready(())
            }
            #[cfg(target_os = "linux")]
            ReaderWatch::Gone => Poll::Ready(()),
        }
    }
}

/// Whether the reader of standard output has gone, as far as the system reports it without a write. For
/// callers without a runtime.
#[cfg(target_os = "linux")]
#[must_use]
pub fn has_no_reader() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = rustix::stdio::stdout();
    let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let is_gone = poll(&mut watched, Some(&at_once)).is_ok()
        && watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP);
    is_gone || linux::is_unix_stream(stdout) && linux::is_not_read(stdout)
}

/// Unknown on this system; the next write notices it.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn has_no_reader() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn look() -> ReaderWatch {
    linux::watch(rustix::stdio::stdout())
}

#[cfg(not(target_os = "linux"))]
fn look() -> ReaderWatch {
    ReaderWatch::Unseen
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::ErrorKind;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::time::Duration;

    use rustix::fs::FileType;
    use rustix::io::Errno;
    use rustix::net::{AddressFamily, SendFlags, SocketType, send, sockopt};
    use tokio::io::Interest;
    use tokio::net::unix::pipe::Sender;

    use super::ReaderWatch;

    /// Idle time of a TCP connection before a keep-alive probe, and the interval of further probes.
    const IDLE: Duration = Duration::from_secs(15);

    pub(super) fn watch(output: BorrowedFd<'_>) -> ReaderWatch {
        if tokio::runtime::Handle::try_current().is_err() {
            return ReaderWatch::Unseen;
        }
        let Ok(status) = rustix::fs::fstat(output) else { return ReaderWatch::Unseen };
        let is_unix = is_unix_stream(output);
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Fifo => {}
            FileType::Socket => keep_alive(output),
            FileType::CharacterDevice if rustix::termios::isatty(output) => {}
            _ => return ReaderWatch::Unseen,
        }
        // tokio's type for pipes is used for every kind, only to watch the descriptor. It registers for
        // writability; the system reports errors and hang-ups in any case, a hang-up as "readable".
        let watched = rustix::io::fcntl_dupfd_cloexec(output, 3).map_err(Into::into);
        let Ok(descriptor) = watched.and_then(Sender::from_owned_fd_unchecked) else {
            return ReaderWatch::Unseen;
        };
        ReaderWatch::Seen(Box::pin(async move {
            let hang_up = Interest::ERROR | Interest::READABLE;
            let interest = if is_unix { hang_up | Interest::WRITABLE } else { hang_up };
            loop {
                let Ok(ready) = descriptor.ready(interest).await else { return std::future::pending().await };
                if !is_unix || ready.is_error() || ready.is_readable() || ready.is_write_closed() {
                    return;
                }
                // The error "would block" has the runtime wait for the system's next word.
                let probe = descriptor.try_io(|| {
                    if is_not_read(&descriptor) { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
                });
                if probe.is_ok() {
                    return;
                }
            }
        }))
    }

    /// Whether a message of no bytes can be sent, which sends nothing: a connected Unix socket of bytes.
    pub(super) fn is_unix_stream(output: BorrowedFd<'_>) -> bool {
        sockopt::socket_domain(output) == Ok(AddressFamily::UNIX)
            && sockopt::socket_type(output) == Ok(SocketType::STREAM)
    }

    /// Whether the other end of such a socket has stopped reading.
    pub(super) fn is_not_read(socket: impl AsFd) -> bool {
        send(socket, &[], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) == Err(Errno::PIPE)
    }

    /// Errors are ignored: a socket that is not TCP refuses the options, and does not need them.
    fn keep_alive(socket: BorrowedFd<'_>) {
        let _ = sockopt::set_socket_keepalive(socket, true);
        let _ = sockopt::set_tcp_keepidle(socket, IDLE);
        let _ = sockopt::set_tcp_keepintvl(socket, IDLE);
        let _ = sockopt::set_tcp_keepcnt(socket, 3);
    }
}

#[cfg(all(test, target_os = "linux"))]
impl Reader {
    /// The reader of another descriptor instead of standard output.
    pub(super) fn of(descriptor: impl std::os::fd::AsFd) -> Self {
        Self { watch: Some(linux::watch(descriptor.as_fd())) }
    }
}
