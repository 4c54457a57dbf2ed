//! The backup: JSON records, one per line, on the disk before the first deletion.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Cursor, ErrorKind, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::input::Record;
use crate::error::Error;
use crate::file::{OutputFile, mark, names_stdout, patiently, read_all};
use crate::output::{MessageFormat, MessageWriter, stdout_as_file};
use crate::platform::files;
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;
use crate::protocol::wire::Publish;

/// A backup being written. Until it is [`needed`](Self::needed) it is deleted when this value is dropped: an
/// incomplete backup, or one of messages that were not cleared, would only block the next run.
#[derive(Debug)]
pub(super) struct Backup {
    path: PathBuf,
    file: BufWriter<OutputFile>,
    is_needed: bool,
    is_stdout: bool,
    /// Whether it is a regular file of its own, which can be restarted and must reach the disk; a pipe, a
    /// device or standard output, which may hold other data, is not.
    is_file: bool,
    /// The offset where the current scan began to write.
    begin: u64,
    writer: MessageWriter,
    line: Vec<u8>,
}

const NO_OVERWRITING: &str =
    "an existing backup is not overwritten: it may hold the only copy of cleared messages; name another file";

impl Backup {
    /// Creates a new file. An existing file is never overwritten: it may be the only copy of what an earlier
    /// run has cleared.
    ///
    /// # Errors
    /// The file exists, or cannot be created.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let is_stdout = names_stdout(path);
        let special =
            is_stdout || std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
        let mut options = OpenOptions::new();
        options.write(true).create_new(!special);
        // Only the owner may read payloads.
        files::private(&mut options);
        let file = if is_stdout { stdout_as_file() } else { patiently(path, move |path| options.open(path)) };
        let file = file.and_then(|file| OutputFile::new(file, path)).map_err(|error| {
            let exists = error.kind() == ErrorKind::AlreadyExists;
            let error = Error::file(format!("cannot make the backup {}", path.display()), error);
            if exists { error.with_hint(NO_OVERWRITING) } else { error }
        })?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
            is_needed: false,
            is_stdout,
            is_file: !special,
            begin: 0,
            writer: MessageWriter::new(MessageFormat::Json { pretty: false }, false),
            line: Vec::new(),
        })
    }

    fn failed(&self, error: std::io::Error) -> Error {
        if self.is_stdout && error.kind() == ErrorKind::BrokenPipe {
            return Error::OutputClosed;
        }
        Error::file(format!("cannot write the backup {}", self.path.display()), error)
    }

    /// Adds a message.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(&mut self, publish: &Publish<'_>) -> Result<(), Error> {
        self.line.clear();
        self.writer.check_memory(publish)?;
        // A misfit only concerns formats of `-F`.
        let _ = self.writer.write(&mut self.line, publish, SystemTime::now());
        self.file.write_all(&self.line).map_err(|error| self.failed(error))
    }

    /// Discards what was written: the scan starts again. Output to a pipe cannot be discarded, so messages
    /// may be in it twice, which is harmless for a restore.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn restart(&mut self) -> Result<(), Error> {
        if !self.is_file {
            return Ok(());
        }
        self.file
            .flush()
            .and_then(|()| self.file.seek(SeekFrom::Start(self.begin)))
            .and_then(|_| self.file.get_ref().file().set_len(self.begin))
            .map_err(|error| self.failed(error))
    }

    /// Synchronises everything to the disk, including the file's name; only then may anything be cleared. A
    /// later scan appends to it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn keep(&mut self) -> Result<(), Error> {
        self.file.flush().map_err(|error| self.failed(error))?;
        if self.is_file {
            self.file.get_ref().file().sync_all().map_err(|error| self.failed(error))?;
            self.begin = self.file.stream_position().map_err(|error| self.failed(error))?;
            self.sync_name().map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn sync_name(&self) -> std::io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let synced = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        match synced {
            // A folder that is writable but not readable, or a file system that cannot synchronise folders.
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => {
                Ok(())
            }
            result => result,
        }
    }

    /// From now on the file is kept, however the run ends.
    pub(super) fn needed(&mut self) {
        self.is_needed = true;
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        if self.is_file && !self.is_needed {
            // Errors are ignored: the run fails with an error of its own, or nothing was cleared.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Maximum size of a backup from a pipe: it is kept in memory, as a pipe cannot be read twice.
const MOST_PIPE_BYTES: usize = 256 * 1024 * 1024;
/// Enough for the largest packet in base64.
const LONGEST_LINE_BYTES: u64 = 512 * 1024 * 1024;

const STDIN: &str = "standard input";

/// An input that can be read twice.
trait Rereadable: BufRead + Seek + Send {}

impl<T: BufRead + Seek + Send> Rereadable for T {}

/// Whether reading this backup may wait for another program: it is not a regular file.
pub(super) fn may_wait(path: &Path) -> bool {
    !std::fs::metadata(place(path)).is_ok_and(|found| found.is_file())
}

/// The path of a backup; `-` is standard input.
fn place(path: &Path) -> &Path {
    if path == Path::new("-") { Path::new("/dev/stdin") } else { path }
}

/// A backup being read, record by record.
pub(super) struct BackupRecords {
    /// The name of the file, for messages.
    name: String,
    lines: Box<dyn Rereadable>,
    number: u64,
    line: Vec<u8>,
}

impl BackupRecords {
    /// Opens a backup; `-` is standard input. A pipe is read into memory, as it cannot be read twice.
    ///
    /// # Errors
    /// The file cannot be opened, or the pipe cannot be read.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let is_stdin = path == Path::new("-");
        let name = if is_stdin { STDIN.to_owned() } else { path.display().to_string() };
        let path = place(path);
        let lines = move |path: &Path| -> std::io::Result<Box<dyn Rereadable>> {
            let file = File::open(path)?;
            if file.metadata()?.is_file() {
                return Ok(Box::new(BufReader::new(file)));
            }
            let content = read_all(file, MOST_PIPE_BYTES, 0)?.ok_or_else(|| {
                std::io::Error::other(format!(
                    "a pipe may bring at most {} MiB: name a file instead",
                    MOST_PIPE_BYTES / 1024 / 1024
                ))
            })?;
            Ok(Box::new(Cursor::new(content)))
        };
        // Standard input is not a named pipe, so opening it does not block.
        let lines = if is_stdin { lines(path) } else { patiently(path, lines) };
        let lines = lines.map_err(|error| Error::file(format!("cannot read the backup {name}"), error))?;
        Ok(Self { name, lines, number: 0, line: Vec::new() })
    }

    /// Restarts at the beginning.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn rewind(&mut self) -> Result<(), Error> {
        self.number = 0;
        self.lines.rewind().map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, error: std::io::Error) -> Error {
        Error::file(format!("cannot read the backup {}", self.name), error)
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or a line is not a record.
    pub(super) fn next(&mut self) -> Result<Option<RetainedRecord>, Error> {
        loop {
            self.line.clear();
            let read = read_line(&mut self.lines, &mut self.line).map_err(|error| self.unreadable(error))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if read as u64 == LONGEST_LINE_BYTES {
                let (name, number) = (&self.name, self.number);
                let most = LONGEST_LINE_BYTES / 1024 / 1024;
                return Err(Error::usage(format!("{name}, line {number}: it is longer than {most} MiB")));
            }
            if self.number == 1 {
                let mark = mark(&self.line).map_err(|error| self.unreadable(error))?;
                self.line.drain(..mark);
            }
            if self.line.trim_ascii().is_empty() {
                continue;
            }
            let record = Record::parse(&self.line).map_err(|error| (error.why, NO_RECORD)).and_then(retained);
            return record.map(Some).map_err(|(why, hint)| {
                let (name, number) = (&self.name, self.number);
                Error::usage(format!("{name}, line {number}: {why}")).with_hint(hint)
            });
        }
    }
}

/// Reads up to the end of a line, or up to the maximum length.
///
/// # Errors
/// The input cannot be read, or the memory is exhausted.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut input = Read::take(input, LONGEST_LINE_BYTES);
    loop {
        let piece = input.fill_buf()?;
        let end = memchr::memchr(b'\n', piece);
        let count = end.map_or(piece.len(), |end| end + 1);
        line.try_reserve(count).map_err(|_| ErrorKind::OutOfMemory)?;
        line.extend_from_slice(&piece[..count]);
        input.consume(count);
        if end.is_some() || count == 0 {
            return Ok(line.len());
        }
    }
}

/// The hint about the content of a backup.
const NO_RECORD: &str = "nothing was sent; a backup has the records of --backup, --export, or \
    `mqtt sub --json --retained-only`";
/// The hint for a recording of other messages.
const RECORDING: &str = "nothing was sent; of a recording of `mqtt sub --json`, \
    `jq -c 'select(.retain == true)' FILE | mqtt retain-clear --restore -` publishes what was retained, and \
    `mqtt pub --json < FILE` publishes all its messages again";

/// A retained message from a backup.
#[derive(Debug)]
pub(super) struct RetainedRecord {
    /// A checked topic name.
    pub(super) topic: String,
    pub(super) qos: QoS,
    pub(super) payload: Vec<u8>,
    pub(super) properties: PropertyBlock,
}

/// Accepts a record only if it can be of a retained message: publishing another one would delete a retained
/// message, or retain one that never was.
fn retained(record: Record<'_>) -> Result<RetainedRecord, (String, &'static str)> {
    let Some(topic) = record.topic else { return Err(("it has no topic".into(), NO_RECORD)) };
    let payload = record.payload.unwrap_or_default();
    if payload.is_empty() {
        return Err((
            "it has no payload: publishing it would delete the retained message of its topic".into(),
            NO_RECORD,
        ));
    }
    if record.retain == Some(false) {
        return Err(("the message was not retained".into(), RECORDING));
    }
    if topic.starts_with('$') {
        return Err(("topics that begin with $ are the broker's own".into(), NO_RECORD));
    }
    Ok(RetainedRecord {
        topic: topic.into_owned(),
        qos: record.qos.unwrap_or(QoS::AtMostOnce),
        payload: payload.into_owned(),
        properties: record.properties,
    })
}
