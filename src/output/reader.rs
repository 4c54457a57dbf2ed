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

use std::task::{Context, Poll, ready};

use crate::platform::descriptors::{AsDescriptor, stdout};
use crate::platform::standard_output::{self, ReaderLeft};

/// The reader of standard output.
#[derive(Default)]
pub struct Reader {
    /// `None` before the first check: a run that never waits checks nothing.
    watch: Option<ReaderWatch>,
}

enum ReaderWatch {
    /// There is no reader, or it cannot be watched.
    Unseen,
    Seen(ReaderLeft),
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
        match self.watch.get_or_insert_with(|| ReaderWatch::of(&stdout())) {
            ReaderWatch::Unseen => Poll::Pending,
            ReaderWatch::Seen(gone) => {
                ready!(gone.as_mut().poll(context));
                self.watch = Some(ReaderWatch::Gone);
                Poll::Ready(())
            }
            ReaderWatch::Gone => Poll::Ready(()),
        }
    }
}

impl ReaderWatch {
    fn of(output: &impl AsDescriptor) -> Self {
        standard_output::watch_reader(output).map_or(Self::Unseen, Self::Seen)
    }
}

/// Whether the reader of standard output has gone, as far as the system reports it without a write. For
/// callers without a runtime.
#[must_use]
pub fn has_no_reader() -> bool {
    standard_output::has_no_reader(&stdout())
}

#[cfg(all(test, target_os = "linux"))]
impl Reader {
    /// The reader of another descriptor instead of standard output.
    pub(super) fn of(descriptor: impl AsDescriptor) -> Self {
        Self { watch: Some(ReaderWatch::of(&descriptor)) }
    }
}
