//! Standard output as commands share it: one has the floor until it ends, so that no lines are mixed.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A pipe that is said to be writable takes so many bytes at once.
const PIECE_BYTES: usize = 4096;

/// The floor, which one command at a time may have.
#[derive(Debug, Clone, Default)]
pub struct Floor(Arc<AtomicBool>);

impl Floor {
    /// Takes it, unless another command has it.
    #[must_use]
    pub fn take(&self) -> Option<HeldFloor> {
        (!self.0.swap(true, Ordering::Acquire)).then(|| HeldFloor(Arc::clone(&self.0)))
    }
}

/// The floor of the command that has it, until this is dropped.
#[derive(Debug)]
pub struct HeldFloor(Arc<AtomicBool>);

impl HeldFloor {
    /// What to wait for until [`Self::write`] takes something without waiting.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'static> {
        rustix::stdio::stdout()
    }

    /// Writes the beginning of `bytes`; returns how much that was.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE_BYTES)];
        Ok(rustix::io::write(self.descriptor(), piece)?)
    }
}

impl Drop for HeldFloor {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
