//! The state that both sides of a spool share: the file, and the progress of each side.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::record::Key;
use crate::error::Error;

/// The shared state.
#[derive(Debug)]
pub(super) struct SharedSpool {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) key: Key,
    pub(super) tail: Mutex<Tail>,
    /// Signals the intake to continue.
    pub(super) room: Condvar,
    /// Signals that there are changes to synchronise, or that the spool is closed.
    pub(super) changed: Condvar,
}

/// The phase of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntakeState {
    Sending,
    /// Sending has stopped: intake does not wait for room.
    Ending,
    /// Intake has stopped as well.
    Closed,
}

#[derive(Debug)]
pub(super) struct Tail {
    /// The end of the last message.
    pub(super) end: u64,
    /// The number of messages that are not done.
    pub(super) messages: u64,
    /// The number of those that this run does not send again.
    pub(super) kept: u64,
    /// The end of the last kept message; the file is not truncated below it.
    pub(super) floor: u64,
    /// Whether intake waits until all messages are done or kept.
    pub(super) draining: bool,
    /// Whether intake has a message and waits for room.
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

    /// Waits until the messages in the file are sent. `for_input`: there is a message to take in.
    pub(super) fn wait_for_room<'a>(
        &self,
        mut tail: MutexGuard<'a, Tail>,
        for_input: bool,
    ) -> MutexGuard<'a, Tail> {
        // A short file is truncated only if a thread waits for that.
        tail.draining = true;
        tail.intake_waits = for_input;
        let mut tail = self.room.wait(tail).unwrap_or_else(PoisonError::into_inner);
        tail.intake_waits = false;
        tail
    }

    /// Marks the file as changed, to be synchronised.
    pub(super) fn touch(&self, tail: &mut Tail) {
        if !std::mem::replace(&mut tail.unsynchronised, true) {
            self.changed.notify_all();
        }
    }
}
