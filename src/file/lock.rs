//! Locks that keep processes of this program from each other's files. On Unix they are advisory: other programs may
//! ignore them.

use std::fs::File;
use std::io::{self, ErrorKind};

use crate::platform::files::try_lock;

/// The other processes that may hold the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileLock {
    /// None.
    Alone,
    /// Processes with a shared lock.
    Shared,
}

/// Locks a file while it is open, at most until the process ends, even if it is killed. Does not wait.
///
/// # Errors
/// [`ErrorKind::WouldBlock`]: another process holds the lock. The system's error, if it has no locks for this
/// file.
pub fn lock(file: &File, lock: FileLock) -> io::Result<()> {
    match try_lock(file, lock == FileLock::Shared) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(io::Error::new(ErrorKind::WouldBlock, "another process is using it"))
        }
        locked => locked,
    }
}
