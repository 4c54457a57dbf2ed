//! Files that outlive a run, so that the next run can continue after a killed one: the packet identifiers of
//! received QoS 2 messages ([`session_file`]) and messages to be published ([`spool`]).
//!
//! Blocking and without a runtime. This module handles messages, not packets or connections. Written data
//! survives every end of the program; each file documents what survives a loss of power.

pub mod session_file;
pub mod spool;

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use crate::error::Error;
use crate::file::{FileLock, lock};
use crate::platform::files;

/// Opens a file for reading and writing, and locks it while it is open: two processes with different states
/// would overwrite each other's data. The lock ends with the process, even if it is killed.
fn open_alone(path: &Path) -> io::Result<File> {
    let file = private().read(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not an ordinary file"));
    }
    lock(&file, FileLock::Alone)?;
    Ok(file)
}

/// Only the owner may read payloads and client identifiers.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    files::private(options.write(true));
    options
}

/// Creates a file with this content completely, on the disk as well, or not at all: it gets its name after
/// the content is written. If another process has created the file first, that is not an error.
fn make_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:08x}.tmp", fastrand::u32(..)));
    let mut file = private().create_new(true).open(&name)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    // A link and not a rename, which would replace a file that another process has just created and locked.
    let named = written.and_then(|()| std::fs::hard_link(&name, path));
    std::fs::remove_file(&name)?;
    match named {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        named => named,
    }
}

/// Prefixes an error with the file's name.
fn unusable(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::file(format!("cannot use {}", path.display()), error)
}

/// The error for a file with the wrong content.
fn invalid(path: &Path, what: impl Into<String>) -> Error {
    unusable(path)(io::Error::new(ErrorKind::InvalidData, what.into()))
}

/// The error for a file of another kind.
fn not_ours(path: &Path, what: &str) -> Error {
    invalid(path, format!("it is not {what}, or is damaged"))
}
