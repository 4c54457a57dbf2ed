//! What the two sides of a spool share: the file, and how far each has come.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::record::Key;
use crate::error::Error;

/// What both sides know.
#[derive(Debug)]
pub(super) struct SharedSpool {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) key: Key,
    pub(super) tail: Mutex<Tail>,
    /// The intake may go on.
    pub(super) room: Condvar,
    /// There is something to synchronise, or nothing more will come.
    pub(super) changed: Condvar,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntakeState {
    Sending,
    /// Nothing is sent any more: intake does not wait for room.
    Ending,
    /// Nothing is taken in either.
    Closed,
}

#[derive(Debug)]
pub(super) struct Tail {
    /// Behind the last message.
    pub(super) end: u64,
    /// Messages that are not done.
    pub(super) messages: u64,
    /// Those of them that this run does not send again.
    pub(super) kept: u64,
    /// Behind the last of those that are kept; the file is not cut below.
    pub(super) floor: u64,
    /// Intake waits until all messages are done or kept.
    pub(super) draining: bool,
    /// Intake has something, and waits for room for it.
    pub(super) intake_waits: bool,
    pub(super) unsynchronised: bool,
    pub(super) course: IntakeState,
    pub(super) failure: Option<std::io::Error>,
}

impl SharedSpool {
    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failed(&self, error: std::io::Error) -> Error {
        Error::file(format!("cannot write {}", self.path.display()), error)
    }

    /// Waits for what is in the file to be sent; `for_input`: there is something to take in.
    pub(super) fn wait_for_room<'a>(
        &self,
        mut tail: MutexGuard<'a, Tail>,
        for_input: bool,
    ) -> MutexGuard<'a, Tail> {
        // A short file is left as it is when all of it is done, unless somebody waits for that.
        tail.draining = true;
        tail.intake_waits = for_input;
        let mut tail = self.room.wait(tail).unwrap_or_else(PoisonError::into_inner);
        tail.intake_waits = false;
        tail
    }

    /// There is something to synchronise.
    pub(super) fn touch(&self, tail: &mut Tail) {
        if !std::mem::replace(&mut tail.unsynchronised, true) {
            self.changed.notify_all();
        }
    }
}
