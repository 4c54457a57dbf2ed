//! Locks that keep processes of this program from each other's files. They are advisory: other programs may ignore them.

use std::fs::File;
use std::io::{self, ErrorKind};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Who else may have the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileLock {
    /// No other process.
    Alone,
    /// Others that share it too.
    Shared,
}

/// Locks a file for as long as it is open, which is the end of the process at the latest, also of one that is killed.
/// Does not wait.
///
/// # Errors
/// [`ErrorKind::WouldBlock`]: another process has it. Those of the system, which may have no locks for this file.
pub fn lock(file: &File, lock: FileLock) -> io::Result<()> {
    let operation = match lock {
        FileLock::Alone => FlockOperation::NonBlockingLockExclusive,
        FileLock::Shared => FlockOperation::NonBlockingLockShared,
    };
    match flock(file, operation) {
        Err(Errno::WOULDBLOCK) => Err(io::Error::new(ErrorKind::WouldBlock, "another process is using it")),
        locked => Ok(locked?),
    }
}
