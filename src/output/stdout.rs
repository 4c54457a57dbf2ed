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
use std::io::{Seek as _, SeekFrom};
use std::path::Path;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::Diagnostics;
use super::entrusted::EntrustedOutput;
use super::output_file::{AppendedFile, FileOptions, cannot_write};
use super::taken::Taken;
use crate::error::Error;
use crate::platform::descriptors::{DescriptorKind, duplicate, kind, stdout};
use crate::platform::standard_output::{OutputRoute, route, says_closed, write_blocking};
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
    route: Option<OutputRoute>,
    /// A file instead of standard output.
    file: Option<AppendedFile>,
    /// Checks whether the reader has taken everything out of a pipe, if that is to be waited for.
    taken: Option<Taken>,
    /// Whether a flush waits until everything is taken.
    must_be_taken: bool,
    #[cfg(all(test, target_os = "linux"))]
    instead: Option<File>,
}

/// Time limit for the last flush at the end of a run.
pub(super) const LAST_FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// A buffer that one large message made larger than this is not kept.
const KEPT_BYTES: usize = 1 << 20;

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

    /// Has another thread take care of the pending output, until it is taken back. Meanwhile there is none here.
    pub fn entrust(&mut self, to: &EntrustedOutput) {
        let file = self.file.as_ref().map(AppendedFile::shared_file);
        to.put(std::mem::take(&mut self.buffer), self.written, file);
    }

    /// Takes the pending output back.
    pub fn take_back(&mut self, from: &EntrustedOutput) {
        self.buffer = from.take();
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
    fn take_back_part(&mut self) -> std::io::Result<()> {
        let written = &self.buffer[..self.written];
        let part = written.len() - memchr::memrchr(b'\n', written).map_or(0, |end| end + 1);
        let inherited;
        let mut file = if let Some(file) = &self.file {
            file.file()
        } else {
            inherited = stdout_as_file()?;
            &inherited
        };
        let metadata = file.metadata()?;
        let end = metadata.len();
        if part == 0 || !metadata.is_file() || file.stream_position()? != end {
            return Ok(());
        }
        let end = end.saturating_sub(part as u64);
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        if let Some(file) = &mut self.file {
            file.was_cut(part as u64);
        }
        Ok(())
    }

    /// Discards the pending output: there is no reader, and the run goes on without one.
    pub fn discard(&mut self) {
        self.buffer.clear();
        self.written = 0;
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

    fn route(&mut self) -> &mut OutputRoute {
        #[cfg(all(test, target_os = "linux"))]
        let found = || self.instead.as_ref().map_or_else(|| route(&stdout()), route);
        #[cfg(not(all(test, target_os = "linux")))]
        let found = || route(&stdout());
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
            Some(OutputRoute::Polled(channel)) => channel.poll_write(context, rest),
            Some(OutputRoute::Closed) => Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into())),
            Some(OutputRoute::Blocking) | None => Poll::Ready(write_blocking(rest)),
        }
    }
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
    kind(&stdout()).is_ok_and(|kind| kind == DescriptorKind::File)
}

/// Standard output as a file, whatever its kind.
///
/// # Errors
/// Standard output is closed, or there are too many open files.
pub fn stdout_as_file() -> std::io::Result<File> {
    duplicate(&stdout())
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

#[cfg(all(test, target_os = "linux"))]
impl Stdout {
    /// Writes to another descriptor instead of standard output.
    pub(super) fn instead(descriptor: File) -> Self {
        Self { instead: Some(descriptor), ..Self::default() }
    }
}
