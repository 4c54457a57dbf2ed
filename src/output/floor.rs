//! Standard output shared by several commands: one of them holds the floor until it ends, so that lines are
//! not mixed.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::platform::descriptors::{self, BorrowedDescriptor};
use crate::platform::standard_output;

/// A pipe that is reported writable accepts this number of bytes at once.
const PIECE_BYTES: usize = 4096;

/// The right to write, which one command holds at a time.
#[derive(Debug, Clone, Default)]
pub struct Floor(Arc<FloorState>);

#[derive(Debug, Default)]
struct FloorState {
    is_held: AtomicBool,
    was_used: AtomicBool,
}

impl Floor {
    /// Takes the floor, unless another command holds it.
    #[must_use]
    pub fn take(&self) -> Option<HeldFloor> {
        (!self.0.is_held.swap(true, Ordering::Acquire)).then(|| HeldFloor(Arc::clone(&self.0)))
    }

    /// Whether a command has written anything.
    #[must_use]
    pub fn was_used(&self) -> bool {
        self.0.was_used.load(Ordering::Relaxed)
    }
}

/// The held floor; it is released when this is dropped.
#[derive(Debug)]
pub struct HeldFloor(Arc<FloorState>);

impl HeldFloor {
    /// The descriptor to wait for until [`Self::write`] accepts bytes without blocking.
    #[must_use]
    #[allow(clippy::unused_self, reason = "only who holds the floor may wait for it")]
    pub(crate) fn descriptor(&self) -> BorrowedDescriptor<'static> {
        descriptors::stdout()
    }

    /// Writes the beginning of `bytes`; returns the number of bytes written.
    ///
    /// # Errors
    /// The system's error.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE_BYTES)];
        let count = standard_output::write(piece)?;
        self.0.was_used.store(true, Ordering::Relaxed);
        Ok(count)
    }
}

impl Drop for HeldFloor {
    fn drop(&mut self) {
        self.0.is_held.store(false, Ordering::Release);
    }
}
