//! Files that a run writes. A write to a pipe waits for its reader. That wait ends with the run, as the wait
//! to open the pipe does.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{LOOK, Wait};
use crate::platform::readiness::{to_write, wait};

/// The size that a writable pipe accepts without blocking: `PIPE_BUF`.
const PIECE_BYTES: usize = 4096;

/// A file to be written.
#[derive(Debug)]
pub struct OutputFile {
    file: File,
    path: PathBuf,
    /// Whether it is a regular file: its content can be replaced, and writes do not block.
    is_ordinary: bool,
    /// Whether a wait has exceeded its limit.
    given_up: bool,
}

impl OutputFile {
    /// Wraps the open file of this path.
    ///
    /// # Errors
    /// The system's error.
    pub fn new(file: File, path: &Path) -> io::Result<Self> {
        let is_ordinary = file.metadata()?.is_file();
        Ok(Self { file, path: path.to_owned(), is_ordinary, given_up: false })
    }

    /// The file itself.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Replaces the content of the file.
    ///
    /// # Errors
    /// The file cannot be written; [`GaveUp`](super::GaveUp).
    pub fn replace(&mut self, content: &[u8]) -> io::Result<()> {
        if self.is_ordinary {
            self.file.set_len(0)?;
            self.file.rewind()?;
        }
        self.write_all(content)
    }

    /// Sets the content that remains if the run is killed before it writes the file. Only for regular files.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin_with(&mut self, content: &[u8]) -> io::Result<()> {
        if self.is_ordinary { self.replace(content) } else { Ok(()) }
    }

    /// Waits until a write is possible.
    fn wait(&mut self) -> io::Result<()> {
        if self.given_up {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let patience = Wait::begin();
        loop {
            // Or it is broken, which the write reports.
            if wait(&mut [to_write(&self.file)], Some(LOOK))? {
                return Ok(());
            }
            if let Some(why) = patience.is_over(&self.path) {
                self.given_up = true;
                return Err(io::Error::other(why));
            }
        }
    }
}

impl Write for OutputFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.is_ordinary {
            return self.file.write(buffer);
        }
        self.wait()?;
        self.file.write(&buffer[..buffer.len().min(PIECE_BYTES)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for OutputFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
