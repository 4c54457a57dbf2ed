//! A file for messages: appended to, and rotated, compressed and synchronised as the user asks.
//!
//! A rotated file has the time of its rotation in its name, `day.jsonl.20261121T000000Z`, so that names sort
//! by time and never change. A thread compresses it into a file that gets its name once it is complete; the
//! next rotation or run completes what a killed run left. The current file is never compressed, so a kill
//! leaves at most an incomplete line in it.
//!
//! A rotated file must have one writer: text added by another one would be compressed or removed unseen. So a
//! process that rotates locks the file exclusively, and processes that only append share the lock.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::rotated::Archive;
use super::synchroniser::Synchroniser;
use crate::error::Error;
use crate::file::{FileLock, lock};
use crate::platform::files::{identity, is_pipe};
use crate::signal::outlive_file_limit;

/// How a file is written and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileOptions {
    /// When a new file is started.
    pub rotation: Option<Rotation>,
    /// Maximum number of rotated files.
    pub keep: Option<usize>,
    /// Whether rotated files are compressed.
    pub compress: bool,
    /// When the file is synchronised to the disk.
    pub synchronisation: Synchronisation,
    /// Whether each message ends with a line feed. If a killed run left an incomplete line, it is ended
    /// first, so that the first message is not appended to it.
    pub is_lines: bool,
}

/// When a new file is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Before it would exceed this size.
    Bytes(u64),
    /// At multiples of this interval since 1970 in UTC; at least a second.
    Every(Duration),
}

/// When a file is synchronised to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronisation {
    /// Left to the system.
    #[default]
    Never,
    /// At each rotation, and at the end.
    Rotated,
    /// Also before messages are acknowledged.
    Always,
    /// Also within this time after a message; not zero.
    Within(Duration),
}

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct AppendedFile {
    path: PathBuf,
    file: Arc<File>,
    options: FileOptions,
    /// Its length.
    bytes: u64,
    /// The current rotation interval, counted since 1970.
    period: u128,
    synchroniser: Option<Synchroniser>,
    archive: Archive,
}

impl AppendedFile {
    /// Opens the file, and creates it if it does not exist.
    pub(super) fn open(path: &Path, options: FileOptions) -> Result<Self, Error> {
        let file = open(path, options)?;
        let failed = |error| cannot_write(path, error);
        let metadata = file.metadata().map_err(failed)?;
        let is_kept = options.rotation.is_some() || options.synchronisation != Synchronisation::Never;
        if is_kept && !metadata.is_file() {
            let text = format!("{} is no regular file: --rotate and --fsync need one", path.display());
            return Err(Error::usage(text));
        }
        let synchroniser = match options.synchronisation {
            Synchronisation::Within(time) => Some(Synchroniser::start(time)?),
            _ => None,
        };
        let archive = Archive::new(path, options).map_err(failed)?;
        let mut this = Self {
            path: path.to_owned(),
            file: Arc::new(file),
            options,
            bytes: 0,
            period: 0,
            synchroniser,
            archive,
        };
        this.begin_file().map_err(failed)?;
        Ok(this)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The file, for another thread.
    pub(super) fn shared_file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Reads the state of a newly opened file.
    fn begin_file(&mut self) -> io::Result<()> {
        let metadata = self.file.metadata()?;
        self.bytes = metadata.len();
        self.period = self.period_of(metadata.modified()?);
        if self.options.is_lines && metadata.is_file() && self.bytes > 0 && is_torn(&self.path) {
            (&*self.file).write_all(b"\n")?;
            self.bytes += 1;
        }
        Ok(())
    }

    fn period_of(&self, time: SystemTime) -> u128 {
        let Some(Rotation::Every(time_of_each)) = self.options.rotation else { return 0 };
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        since.as_nanos() / time_of_each.as_nanos().max(1)
    }

    /// Starts a new file if one is due before messages of this total size.
    pub(super) fn prepare(&mut self, bytes: usize) -> io::Result<()> {
        let Some(rotation) = self.options.rotation else { return Ok(()) };
        let is_due = match rotation {
            Rotation::Bytes(most) => self.bytes.saturating_add(bytes as u64) > most,
            Rotation::Every(_) => {
                let now = self.period_of(SystemTime::now());
                std::mem::replace(&mut self.period, now) != now
            }
        };
        if is_due && self.bytes > 0 { self.rotate() } else { Ok(()) }
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.synchronise()?;
        match std::fs::rename(&self.path, self.archive.next_path(SystemTime::now())) {
            // Another program has moved or removed the file, so there is nothing to rename.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        self.file = Arc::new(open_locked(&self.path, self.options)?);
        self.begin_file()?;
        if self.options.synchronisation != Synchronisation::Never {
            self.archive.synchronise_folder()?;
        }
        self.archive.tidy();
        self.archive.failure().map_or(Ok(()), Err)
    }

    fn synchronise(&self) -> io::Result<()> {
        match self.options.synchronisation {
            Synchronisation::Never => Ok(()),
            _ => self.file.sync_all(),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = (&*self.file).write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    /// The end of the file was truncated by this number of bytes.
    pub(super) fn was_cut(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Complete messages were written, and will be acknowledged next.
    pub(super) fn written(&mut self) -> io::Result<()> {
        match (&self.synchroniser, self.options.synchronisation) {
            (Some(synchroniser), _) => synchroniser.written(&self.file),
            (None, Synchronisation::Always) => self.file.sync_data(),
            (None, _) => Ok(()),
        }
    }

    /// Opens the file again by its name.
    pub(super) fn reopen(&mut self) -> Result<(), Error> {
        let failed = |error| cannot_write(&self.path, error);
        // A second lock on the same file would conflict with our own.
        if !has_name(&self.file, &self.path) {
            let new = open(&self.path, self.options)?;
            self.synchronise().map_err(failed)?;
            self.file = Arc::new(new);
        }
        self.begin_file().map_err(|error| cannot_write(&self.path, error))
    }

    /// Completes the file at the end of the run.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.synchronise()?;
        self.archive.finish();
        self.archive.failure().map_or(Ok(()), Err)
    }
}

/// Whether a file ends with an incomplete line. A file that cannot be read counts as complete.
fn is_torn(path: &Path) -> bool {
    let mut last = [0];
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)
    });
    read.is_ok() && last != *b"\n"
}

/// The system's names for the standard output of any program.
const STDOUT: [&str; 3] = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

fn open(path: &Path, options: FileOptions) -> Result<File, Error> {
    let failed = |error| Error::file(format!("cannot open {}", path.display()), error);
    if std::fs::metadata(path).is_ok_and(|metadata| is_pipe(&metadata)) {
        let hint = if STDOUT.iter().any(|name| path == Path::new(name)) {
            "messages go to standard output where --output is not given".to_owned()
        } else {
            format!("> {} writes to it without blocking", path.display())
        };
        return Err(Error::usage(format!("{} is a pipe", path.display())).with_hint(hint));
    }
    outlive_file_limit();
    open_locked(path, options).map_err(failed)
}

/// How often to reopen a file that was rotated meanwhile.
const MOST_LOOKS: u32 = 5;

/// Opens a file for appending, and locks it as described above.
fn open_locked(path: &Path, options: FileOptions) -> io::Result<File> {
    let (kind, taken) = match options.rotation {
        Some(_) => (FileLock::Alone, "another process writes to it, and only one may with --rotate"),
        None => (FileLock::Shared, "another process rotates it (--rotate)"),
    };
    let mut looks = 0;
    loop {
        looks += 1;
        let file = File::options().append(true).create(true).open(path)?;
        match lock(&file, kind) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::Error::new(error.kind(), taken));
            }
            // Some file systems have no locks, and an unlocked log is better than none.
            Ok(()) | Err(_) => {}
        }
        // It may have been rotated since it was opened. Some file systems report a new inode number each
        // time.
        if has_name(&file, path) || looks == MOST_LOOKS {
            return Ok(file);
        }
    }
}

/// Whether an open file still has this name. Where the system cannot tell, it counts as having it.
fn has_name(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(one), Ok(other)) => identity(&one) == identity(&other),
        _ => false,
    }
}

pub(super) fn cannot_write(path: &Path, error: io::Error) -> Error {
    Error::file(format!("cannot write {}", path.display()), error)
}
