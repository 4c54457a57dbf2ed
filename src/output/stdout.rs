//! Standard output as a sink that never blocks the program.
//!
//! A reader may stop reading for any time (`mqtt sub | less`, Ctrl-S on a terminal), and the connection must
//! be kept alive meanwhile. So the program waits for a full pipe together with the network, not inside
//! `write`. `O_NONBLOCK` must not be set on the inherited descriptor: the flag belongs to the open file
//! description, which the shell and other programs share. So:
//!
//! * a pipe or terminal is opened again through `/proc/self/fd`, which gives a description of our own, and
//!   that one is made non-blocking;
//! * a socket cannot be opened again, but `send` accepts "do not wait" in each call;
//! * files, other devices, and systems other than Linux get plain blocking writes.
//!
//! All this happens only when the first byte is written. [`super::Reader`] watches for the end of the reader,
//! with or without pending output.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::Diagnostics;
use super::output_file::{AppendedFile, FileOptions, cannot_write};
use super::taken::Taken;
use crate::error::Error;
use crate::quantity::counted;
use crate::signal::outlive_file_limit;

/// Bytes for standard output, and the way to write them.
///
/// Append to [`Stdout::buffer`], then flush: one write per flush as long as the reader keeps up. All polling
/// must come from one task, which is the one that is woken.
#[derive(Debug, Default)]
pub struct Stdout {
    buffer: Vec<u8>,
    /// How much of the buffer was written; the rest follows.
    written: usize,
    route: Option<Route>,
    /// A file instead of standard output.
    file: Option<AppendedFile>,
    /// Checks whether the reader has taken everything out of a pipe, if that is to be waited for.
    taken: Option<Taken>,
    /// Whether a flush waits until everything is taken.
    must_be_taken: bool,
    #[cfg(all(test, target_os = "linux"))]
    instead: Option<std::os::fd::OwnedFd>,
}

/// Time limit for the last flush at the end of a run.
const LAST_FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// A buffer that one large message made larger than this is not kept.
const KEPT_BYTES: usize = 1 << 20;

#[derive(Debug)]
enum Route {
    /// Blocking writes.
    Blocking,
    /// Writes that report when they would block.
    #[cfg(target_os = "linux")]
    Polled(linux::Channel),
    /// The reader had gone before the first write.
    #[cfg(target_os = "linux")]
    Closed,
}

impl Stdout {
    /// The standard output of this process; untouched until the first flush.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A file instead of standard output: created if it does not exist, and appended to.
    ///
    /// # Errors
    /// The file cannot be opened, is a pipe, which would block, or cannot be kept as the options say.
    pub fn file(path: &Path, options: FileOptions) -> Result<Self, Error> {
        Ok(Self { file: Some(AppendedFile::open(path, options)?), ..Self::default() })
    }

    /// Enables [`Stdout::must_be_taken`].
    #[must_use]
    pub fn waiting_for_reader(self) -> Self {
        Self { taken: Some(Taken::default()), ..self }
    }

    /// The next flush waits until the current content of the buffer is written and, if standard output is a
    /// pipe, taken by the reader.
    pub fn must_be_taken(&mut self) {
        self.must_be_taken = self.taken.is_some();
    }

    /// Opens the file again by its name, as the open one may have been renamed. Pending output goes into the
    /// old one.
    ///
    /// # Errors
    /// The file cannot be opened; the old one stays open.
    pub fn reopen(&mut self) -> Result<Reopened, Error> {
        let Some(file) = &mut self.file else {
            return Ok(if stdout_is_file() { Reopened::Inherited } else { Reopened::NoFile });
        };
        while self.written < self.buffer.len() {
            match file.write(&self.buffer[self.written..]) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(cannot_write(file.path(), error)),
            }
        }
        self.buffer.clear();
        self.written = 0;
        file.reopen()?;
        Ok(Reopened::Done)
    }

    /// The buffer to append output to.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// The number of bytes not yet written. A caller that takes no more messages above some limit passes the
    /// reader's pace on to the network and keeps memory bounded.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.buffer.len() - self.written
    }

    /// Writes pending output as far as the reader takes it. Must be called inside a tokio runtime with I/O
    /// enabled; elsewhere writes block.
    ///
    /// # Errors
    /// [`Error::OutputClosed`] when the reader has gone; [`Error::File`] for everything else.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let has_more = self.waiting_bytes() > 0;
        if has_more
            && self.written == 0
            && let Some(file) = &mut self.file
            && let Err(error) = file.prepare(self.buffer.len())
        {
            let error = cannot_write(file.path(), error);
            self.buffer.clear();
            return Poll::Ready(Err(error));
        }
        while self.waiting_bytes() > 0 {
            match self.poll_write(context) {
                Poll::Ready(Ok(length)) => self.written += length,
                Poll::Ready(Err(error)) if self.is_closed(&error) => {
                    return Poll::Ready(Err(Error::OutputClosed));
                }
                Poll::Ready(Err(error)) => {
                    // If this fails, the error stays the same.
                    let _ = self.take_back_part();
                    // The rest is not tried again at the end of the run.
                    self.buffer.clear();
                    self.written = 0;
                    return Poll::Ready(Err(match &self.file {
                        Some(file) => cannot_write(file.path(), error),
                        None => Error::file("standard output", error),
                    }));
                }
                Poll::Pending => {
                    self.forget_written();
                    return Poll::Pending;
                }
            }
        }
        self.buffer.clear();
        self.written = 0;
        self.buffer.shrink_to(KEPT_BYTES);
        if let Some(file) = &mut self.file {
            if has_more && let Err(error) = file.written() {
                return Poll::Ready(Err(cannot_write(file.path(), error)));
            }
        } else if self.must_be_taken
            && let Some(taken) = &mut self.taken
        {
            ready!(taken.poll(context))?;
        }
        self.must_be_taken = false;
        Poll::Ready(Ok(()))
    }

    /// Whether an error means that the reader has gone.
    fn is_closed(&self, error: &std::io::Error) -> bool {
        if self.file.is_some() { error.kind() == std::io::ErrorKind::BrokenPipe } else { says_closed(error) }
    }

    /// After a failed write to a file, as on a full disk: removes the incomplete line at its end, so that the
    /// next run does not append to it. Nothing of it was acknowledged. A file that another program has added
    /// to since is left alone.
    fn take_back_part(&mut self) -> rustix::io::Result<()> {
        use rustix::fs::{FileType, SeekFrom, fstat, ftruncate, seek};
        let written = &self.buffer[..self.written];
        let part = written.len() - memchr::memrchr(b'\n', written).map_or(0, |end| end + 1);
        let file = self.file.as_ref().map_or(rustix::stdio::stdout(), |file| file.file().as_fd());
        let status = fstat(file)?;
        let end = u64::try_from(status.st_size).unwrap_or_default();
        let is_file = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
        if part == 0 || !is_file || seek(file, SeekFrom::Current(0))? != end {
            return Ok(());
        }
        let end = end.saturating_sub(part as u64);
        ftruncate(file, end)?;
        seek(file, SeekFrom::Start(end))?;
        if let Some(file) = &mut self.file {
            file.was_cut(part as u64);
        }
        Ok(())
    }

    /// Writes all pending output, however long the reader takes.
    ///
    /// # Errors
    /// Like [`Stdout::poll_flush`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        std::future::poll_fn(|context| self.poll_flush(context)).await
    }

    /// Writes the pending output at the end of a run. A stopped reader must not hold up the program: after
    /// two seconds the output is discarded, with a warning. Returns whether all of it was written. Discarded
    /// messages of QoS 1 or 2 are not acknowledged, so in a kept session the broker sends them again.
    ///
    /// # Errors
    /// Like [`Stdout::poll_flush`].
    pub async fn finish(&mut self, diagnostics: &Diagnostics) -> Result<bool, Error> {
        if let Ok(flushed) = tokio::time::timeout(LAST_FLUSH_LIMIT, self.flush()).await {
            flushed?;
            let Some(file) = &mut self.file else { return Ok(true) };
            return file.finish().map(|()| true).map_err(|error| cannot_write(file.path(), error));
        }
        match self.waiting_bytes() as u64 {
            0 => diagnostics.warning(
                "the reader of standard output stalls: messages that it has not taken are not acknowledged",
            ),
            bytes => diagnostics.warning(format_args!(
                "the last {} are not written: standard output has no reader, or it stalls",
                counted(bytes, "byte")
            )),
        }
        Ok(false)
    }

    /// Discards the written part of the buffer, so that a slow reader does not make it grow.
    fn forget_written(&mut self) {
        if self.written > self.buffer.len() / 2 {
            self.buffer.drain(..self.written);
            self.written = 0;
        }
    }

    fn route(&mut self) -> &mut Route {
        #[cfg(all(test, target_os = "linux"))]
        let found = || match &self.instead {
            Some(descriptor) => linux::route(std::os::fd::AsFd::as_fd(descriptor)),
            None => linux::route(rustix::stdio::stdout()),
        };
        #[cfg(all(not(test), target_os = "linux"))]
        let found = || linux::route(rustix::stdio::stdout());
        #[cfg(not(target_os = "linux"))]
        let found = || Route::Blocking;
        self.route.get_or_insert_with(|| {
            outlive_file_limit();
            found()
        })
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let rest = &self.buffer[self.written..];
        if let Some(file) = &mut self.file {
            return Poll::Ready(file.write(rest));
        }
        self.route();
        let rest = &self.buffer[self.written..];
        match &mut self.route {
            #[cfg(target_os = "linux")]
            Some(Route::Polled(channel)) => channel.poll_write(context, rest),
            #[cfg(target_os = "linux")]
            Some(Route::Closed) => Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into())),
            Some(Route::Blocking) | None => Poll::Ready(write_blocking(rest)),
        }
    }
}

/// Whether an error of standard output means that the reader has gone. A closed terminal gives an I/O error.
fn says_closed(error: &std::io::Error) -> bool {
    use rustix::fs::FileType;
    error.kind() == std::io::ErrorKind::BrokenPipe
        || (error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
            && rustix::fs::fstat(rustix::stdio::stdout())
                .is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::CharacterDevice))
}

/// The error of a run that could not write to standard output: [`Error::OutputClosed`] when the reader has
/// gone, [`Error::File`] for everything else.
#[must_use]
pub fn stdout_error(error: std::io::Error) -> Error {
    if says_closed(&error) { Error::OutputClosed } else { Error::file("standard output", error) }
}

/// Whether standard output is a regular file, which the shell has opened.
#[must_use]
pub fn stdout_is_file() -> bool {
    rustix::fs::fstat(rustix::stdio::stdout()).is_ok_and(|status| {
        rustix::fs::FileType::from_raw_mode(status.st_mode) == rustix::fs::FileType::RegularFile
    })
}

/// Standard output as a file, whatever its kind.
///
/// # Errors
/// Standard output is closed, or there are too many open files.
pub fn stdout_as_file() -> std::io::Result<File> {
    rustix::stdio::stdout().try_clone_to_owned().map(File::from)
}

/// The result of [`Stdout::reopen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reopened {
    Done,
    /// The output is a file that another program opened, with an unknown name.
    Inherited,
    /// The output is not a file.
    NoFile,
}

/// Bypasses the buffer of `std`, which would copy once more and search for line ends.
#[cfg(unix)]
fn write_blocking(bytes: &[u8]) -> std::io::Result<usize> {
    loop {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Err(rustix::io::Errno::INTR) => {}
            // Another program made the shared description non-blocking: wait here.
            Err(rustix::io::Errno::AGAIN) => {
                let stdout = rustix::stdio::stdout();
                let mut watched = [rustix::event::PollFd::new(&stdout, rustix::event::PollFlags::OUT)];
                rustix::event::poll(&mut watched, None)?;
            }
            result => return Ok(result?),
        }
    }
}

#[cfg(not(unix))]
fn write_blocking(bytes: &[u8]) -> std::io::Result<usize> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()?;
    Ok(bytes.len())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
    use std::task::{Context, Poll, ready};

    use rustix::fs::{FileType, Mode, OFlags};
    use rustix::io::Errno;
    use rustix::net::SendFlags;
    use tokio::net::unix::pipe::Sender;

    use super::Route;

    /// A descriptor, watched by the runtime, whose writes report when they would block.
    #[derive(Debug)]
    pub(super) struct Channel {
        /// tokio's type for pipes, used only to watch other kinds too. (`AsyncFd` would express that better,
        /// but can no longer be created without `unsafe`.)
        descriptor: Sender,
        is_socket: bool,
    }

    /// The best way to write to `inherited`; blocking writes if there is no better one.
    pub(super) fn route(inherited: BorrowedFd<'_>) -> Route {
        if tokio::runtime::Handle::try_current().is_err() {
            return Route::Blocking;
        }
        let Ok(status) = rustix::fs::fstat(inherited) else { return Route::Blocking };
        let file_type = FileType::from_raw_mode(status.st_mode);
        let descriptor = match file_type {
            FileType::Socket => rustix::io::fcntl_dupfd_cloexec(inherited, 3),
            FileType::Fifo => reopen(inherited),
            FileType::CharacterDevice if rustix::termios::isatty(inherited) => reopen(inherited),
            _ => return Route::Blocking,
        };
        // The error of opening a pipe without a reader for writing.
        if descriptor.as_ref().is_err_and(|error| *error == Errno::NXIO) && file_type == FileType::Fifo {
            return Route::Closed;
        }
        // A file of another user cannot be opened again (`su`, `sudo`), nor can any without /proc: blocking
        // writes are better than none.
        let Ok(descriptor) = descriptor else { return Route::Blocking };
        match Sender::from_owned_fd_unchecked(descriptor) {
            Ok(descriptor) => Route::Polled(Channel { descriptor, is_socket: file_type == FileType::Socket }),
            Err(_) => Route::Blocking,
        }
    }

    fn reopen(inherited: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        let path = format!("/proc/self/fd/{}", inherited.as_raw_fd());
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty())
    }

    impl Channel {
        fn write(&self, bytes: &[u8]) -> io::Result<usize> {
            loop {
                let result = if self.is_socket {
                    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                    rustix::net::send(&self.descriptor, bytes, flags)
                } else {
                    rustix::io::write(&self.descriptor, bytes)
                };
                match result {
                    Err(Errno::INTR) => {}
                    result => return Ok(result?),
                }
            }
        }

        pub(super) fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            loop {
                ready!(self.descriptor.poll_write_ready(context))?;
                match self.descriptor.try_io(|| self.write(bytes)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return Poll::Ready(result),
                }
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
impl Stdout {
    /// Writes to another descriptor instead of standard output.
    pub(super) fn instead(descriptor: std::os::fd::OwnedFd) -> Self {
        Self { instead: Some(descriptor), ..Self::default() }
    }
}
