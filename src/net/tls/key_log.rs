//! Writes session keys to a file, so that a capture can be decrypted (`SSLKEYLOGFILE` format).

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio_rustls::rustls;

use crate::error::Error;
use crate::file::patiently;
use crate::notation::hex::Hex;
use crate::platform::files;

/// Appends every session's keys to a file. A reader of the file can decrypt the traffic.
pub(super) struct KeyLog {
    path: PathBuf,
    file: Mutex<File>,
    /// The first write error, which left keys out of the file.
    failure: OnceLock<io::Error>,
}

impl KeyLog {
    /// Opens the file for appending. A new file is readable by its owner only.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        files::private(&mut options);
        let file = patiently(path, move |path| options.open(path))
            .map_err(|error| Error::file(format!("TLS key log {}", path.display()), error))?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), failure: OnceLock::new() })
    }

    /// The warning about keys that could not be written.
    pub(super) fn failure(&self) -> Option<String> {
        let error = self.failure.get()?;
        Some(format!("TLS key log {}: keys are missing: {error}", self.path.display()))
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyLog")
    }
}

impl rustls::KeyLog for KeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", Hex(client_random), Hex(secret));
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not break the connection, and this callback cannot return an error.
        if let Err(error) = file.write_all(line.as_bytes()) {
            let _ = self.failure.set(error);
        }
    }
}
