//! A file that messages go into: appended to, and rotated, compressed and synchronised as the user asks.
//!
//! A rotated file has the time of its rotation in its name, `day.jsonl.20261121T000000Z`, so that names sort by time and
//! never change. It is compressed by a thread, into a file that gets its name when it is whole: what a killed run has left
//! undone, the next rotation or run does. The file that is written is never compressed, so that a kill leaves at most a
//! torn line in it.
//!
//! A rotated file has one writer: what another one still writes into it would be compressed or removed unseen. So who
//! rotates locks the file for itself, and who only appends shares it with others that do.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::rotated::Archive;
use super::synchroniser::Synchroniser;
use crate::error::Error;
use crate::file::{FileLock, lock};
use crate::signal::outlive_file_limit;

/// How a file is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileOptions {
    /// When a new one is begun.
    pub rotation: Option<Rotation>,
    /// How many rotated files there are at most.
    pub keep: Option<usize>,
    /// Rotated files are compressed.
    pub compress: bool,
    /// When it is synchronised to the disk.
    pub synchronisation: Synchronisation,
    /// Each message ends with a line feed: one that a killed run has not written to its end gets one, or the first
    /// message would be appended to it.
    pub is_lines: bool,
}

/// When a new file is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// When it would become larger.
    Bytes(u64),
    /// At multiples of this time since 1970 in UTC; at least a second.
    Every(Duration),
}

/// When a file is synchronised to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronisation {
    /// When the system does it.
    #[default]
    Never,
    /// When it is rotated, and at the end.
    Rotated,
    /// Also before messages are acknowledged.
    Always,
    /// Also so long after a message, at most; not zero.
    Within(Duration),
}

/// A file that is appended to.
#[derive(Debug)]
pub(super) struct AppendedFile {
    path: PathBuf,
    file: Arc<File>,
    options: FileOptions,
    /// How long it is.
    bytes: u64,
    /// The time by which it is rotated, in units of that time since 1970.
    period: u128,
    synchroniser: Option<Synchroniser>,
    archive: Archive,
}

impl AppendedFile {
    /// Makes the file if there is none.
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
            Synchronisation::Within(time) => Some(Synchroniser::start(time)),
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

    /// Looks at a file that was opened.
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

    /// Messages of so many bytes come next: begins a new file if it is time.
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
            // Another program has moved or removed it: it goes on under another name, if at all.
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

    /// A part of the end was taken back.
    pub(super) fn was_cut(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Whole messages were written, and are acknowledged next.
    pub(super) fn written(&mut self) -> io::Result<()> {
        match (&self.synchroniser, self.options.synchronisation) {
            (Some(synchroniser), _) => synchroniser.written(&self.file),
            (None, Synchronisation::Always) => self.file.sync_data(),
            (None, _) => Ok(()),
        }
    }

    /// Opens the file once more by its name.
    pub(super) fn reopen(&mut self) -> Result<(), Error> {
        let failed = |error| cannot_write(&self.path, error);
        // Its own lock would be in the way of another one.
        if !has_name(&self.file, &self.path) {
            let new = open(&self.path, self.options)?;
            self.synchronise().map_err(failed)?;
            self.file = Arc::new(new);
        }
        self.begin_file().map_err(|error| cannot_write(&self.path, error))
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.synchronise()?;
        self.archive.finish();
        self.archive.failure().map_or(Ok(()), Err)
    }
}

/// Whether a file ends within a line. One that cannot be read is left as it is.
fn is_torn(path: &Path) -> bool {
    let mut last = [0];
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)
    });
    read.is_ok() && last != *b"\n"
}

/// The names that a system has for the standard output of each program.
const STDOUT: [&str; 3] = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

fn open(path: &Path, options: FileOptions) -> Result<File, Error> {
    let failed = |error| Error::file(format!("cannot open {}", path.display()), error);
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
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

/// How often a file is opened that was rotated meanwhile.
const MOST_LOOKS: u32 = 5;

/// Opens a file to append to it, and locks it as the head of this module says.
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
            // Some file systems have no locks, and a log there is better than none.
            Ok(()) | Err(_) => {}
        }
        // It may have been rotated since it was opened. Some file systems give a file another number each time.
        if has_name(&file, path) || looks == MOST_LOOKS {
            return Ok(file);
        }
    }
}

/// Whether a file is still the one of this name.
fn has_name(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

pub(super) fn cannot_write(path: &Path, error: io::Error) -> Error {
    Error::file(format!("cannot write {}", path.display()), error)
}
