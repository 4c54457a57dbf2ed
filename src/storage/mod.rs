//! Files that outlive a run, so that a program that was killed can go on where it was: the packet
//! identifiers of received QoS 2 messages ([`unreleased`]) and messages to be published ([`spool`]).
//!
//! Blocking and without a runtime; it knows what a message is, but no packets and no links. What was
//! written survives the end of the program however it comes; what survives the end of the machine
//! is said in each file.

pub mod spool;
pub mod unreleased;

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::error::Error;

/// Opens a file for reading and writing, makes it if there is none, and locks it for as long as it is
/// open: two processes that write their own truth into it would spoil both. The lock ends with the
/// process, even one that is killed.
fn open_alone(path: &Path) -> Result<File, Error> {
    let failed = |error: std::io::Error| Error::file(format!("cannot use {}", path.display()), error);
    let mut options = OpenOptions::new();
    // Payloads and client identifiers are nobody else's business.
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::new(ErrorKind::InvalidInput, "not an ordinary file")));
    }
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(failed(std::io::Error::new(ErrorKind::WouldBlock, "another process is using it")))
        }
        Err(error) => Err(failed(error.into())),
    }
}

/// The error for a file that is something else.
fn not_ours(path: &Path, what: &str) -> Error {
    let cause = std::io::Error::new(ErrorKind::InvalidData, format!("it is not {what}, or is damaged"));
    Error::file(format!("cannot use {}", path.display()), cause)
}
