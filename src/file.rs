//! Reads files that a user names, up to a limit, because a device or a pipe may have no end; and files at
//! default places.
//!
//! Opening a special file may block: opening a FIFO waits for its writer. Special files are opened and read
//! in a separate thread, and the wait ends with the run: see [`Patience`].

mod lock;
mod output;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::platform::files;
use crate::platform::machine::user;
use crate::quantity::duration;
use crate::thread::start;

pub use lock::{FileLock, lock};
pub use output::OutputFile;

/// The size of the first read if the length is unknown, in bytes.
const FIRST_BYTES: usize = 64 * 1024;

/// Whether an output file is standard output: `-`, or one of the system's names for it. Opened by such a
/// name, a socket would fail, and the end of the reader would not be noticed.
#[must_use]
pub fn names_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].into_iter().any(|name| path == Path::new(name))
}

/// The conditions that end the wait for a special file, or for a command. Signals end the process meanwhile,
/// until they are caught.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patience {
    /// The timeout of the run, and when it expires.
    limit: Option<(Duration, Instant)>,
    /// The timeout of each file.
    each: Option<Duration>,
    /// Returns the caught signal, if there was one.
    caught: Option<fn() -> Option<i32>>,
    /// Returns whether the reader of standard output has left, for runs that depend on it.
    has_no_reader: Option<fn() -> bool>,
}

/// One for the whole process: a file may be opened by code that does not know the limits of the run.
static PATIENCE: Mutex<Patience> =
    Mutex::new(Patience { limit: None, each: None, caught: None, has_no_reader: None });

/// The interval of the checks while waiting.
const LOOK: Duration = Duration::from_millis(50);

impl Patience {
    /// Limited by a timeout from now, and by the presence of a reader.
    #[must_use]
    pub fn new(limit: Option<Duration>, has_no_reader: Option<fn() -> bool>) -> Self {
        let limit = limit.and_then(|limit| Some((limit, Instant::now().checked_add(limit)?)));
        Self { limit, has_no_reader, ..Self::default() }
    }

    /// Adds a timeout for each file, and ends the wait when a signal is caught.
    #[must_use]
    pub fn for_each(self, limit: Option<Duration>, caught: fn() -> Option<i32>) -> Self {
        Self { each: limit, caught: Some(caught), ..self }
    }

    /// Makes it the process's patience for all further files.
    pub fn hold(self) {
        *PATIENCE.lock().unwrap_or_else(PoisonError::into_inner) = self;
    }

    /// The process's current patience.
    #[must_use]
    pub fn held() -> Self {
        *PATIENCE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Limits it further to this time from now.
    #[must_use]
    pub fn at_most(self, limit: Duration) -> Self {
        let Some(until) = Instant::now().checked_add(limit) else { return self };
        let limit = self.limit.filter(|(_, earlier)| *earlier <= until).unwrap_or((limit, until));
        Self { limit: Some(limit), ..self }
    }

    /// Whether the wait has ended, and why; `what` describes what is waited for.
    #[must_use]
    pub fn is_over(self, what: impl FnOnce() -> String) -> Option<GaveUp> {
        if self.has_no_reader.is_some_and(|has_no_reader| has_no_reader()) {
            return Some(GaveUp::OutputClosed);
        }
        let (limit, until) = self.limit?;
        (Instant::now() >= until).then(|| GaveUp::Late { what: what(), limit })
    }
}

/// The wait for one file.
struct Wait {
    patience: Patience,
    /// A signal caught before the wait began does not end it: the run then has its own limit, and its last
    /// files still go to the reader.
    before: Option<i32>,
}

impl Wait {
    fn begin() -> Self {
        let held = Patience::held();
        let patience = held.each.map_or(held, |limit| held.at_most(limit));
        Self { patience, before: patience.caught.and_then(|caught| caught()) }
    }

    fn is_over(&self, path: &Path) -> Option<GaveUp> {
        if let (None, Some(number)) = (self.before, self.patience.caught.and_then(|caught| caught())) {
            return Some(GaveUp::Interrupted(number));
        }
        self.patience.is_over(|| format!("the file {}", path.display()))
    }
}

/// Why a wait was given up. It is stored inside an [`io::Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GaveUp {
    /// A timeout expired.
    Late {
        /// What was waited for.
        what: String,
        /// The timeout.
        limit: Duration,
    },
    /// Standard output has no reader any more.
    OutputClosed,
    /// This signal was caught.
    Interrupted(i32),
}

impl GaveUp {
    /// The reason stored in an error, if there is one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late { what, limit } => write!(f, "after {}, waiting for {what}", duration(*limit)),
            Self::OutputClosed => f.write_str("standard output was closed"),
            Self::Interrupted(_) => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for GaveUp {}

/// Opens a file that the user names, and works with it. Every file named on the command line, in the
/// environment or in a file of options is opened here, except files that a runtime reads together with the
/// connection.
///
/// # Errors
/// The errors of `work`; [`GaveUp`] if it takes longer than the run.
pub fn patiently<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let is_special = |file: std::fs::Metadata| !file.is_file() && !file.is_dir();
    if !std::fs::metadata(path).is_ok_and(is_special) {
        return work(path);
    }
    let wait = Wait::begin();
    let (sender, done) = mpsc::sync_channel(1);
    let own = path.to_owned();
    start("file", move || sender.send(work(&own)))?;
    loop {
        match done.recv_timeout(LOOK) {
            Ok(result) => return result,
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::Interrupted.into()),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        if let Some(why) = wait.is_over(path) {
            return Err(io::Error::other(why));
        }
    }
}

/// The content of a file of at most `most_bytes`.
///
/// # Errors
/// The file cannot be read, or is longer than the limit.
pub fn read_at_most(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    patiently(path, move |path| content(File::open(path)?, most_bytes))
}

/// The same for a file that must be a regular one: a pipe, for example, would block, or be empty the second time.
///
/// # Errors
/// Like [`read_at_most`], and a file that is not regular.
pub fn read_ordinary_at_most(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    content(open_ordinary(path)?, most_bytes)
}

fn open_ordinary(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    let file = files::without_waiting(&mut options).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not an ordinary file")) }
}

fn content(file: File, most_bytes: u64) -> io::Result<Vec<u8>> {
    let most = usize::try_from(most_bytes).unwrap_or(usize::MAX);
    read_all(file, most, 0)?.ok_or_else(|| too_long(most_bytes))
}

/// Reads everything up to the end; `None` if that exceeds `most_bytes`. `expected` is the approximate size.
/// Memory grows with the bytes read, and not beyond the limit.
///
/// # Errors
/// The input cannot be read, or the memory is exhausted.
pub fn read_all(mut input: impl Read, most_bytes: usize, expected: usize) -> io::Result<Option<Vec<u8>>> {
    let limit = most_bytes.saturating_add(1);
    let mut content = Vec::new();
    loop {
        if content.len() == limit {
            return Ok(None);
        }
        let more = content.len().max(expected.saturating_add(1)).max(FIRST_BYTES);
        let room = more.min(limit - content.len());
        content.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let read = input.by_ref().take(room as u64).read_to_end(&mut content)?;
        if read < room {
            return Ok(Some(content));
        }
    }
}

/// Opens a file written by a person, to be read in parts: without its byte-order mark, and with an error once
/// it exceeds `most_bytes`.
///
/// # Errors
/// The file cannot be read, or is in UTF-16.
pub fn open_written(path: &Path, most_bytes: u64) -> io::Result<impl BufRead> {
    let mut file = Limited { file: File::open(path)?, left: most_bytes, most_bytes };
    let mut first = Vec::with_capacity(MARK.len());
    file.by_ref().take(MARK.len() as u64).read_to_end(&mut first)?;
    first.drain(..mark(&first)?);
    Ok(BufReader::with_capacity(FIRST_BYTES, io::Cursor::new(first).chain(file)))
}

struct Limited {
    file: File,
    left: u64,
    most_bytes: u64,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| too_long(self.most_bytes))?;
        Ok(count)
    }
}

fn too_long(most_bytes: u64) -> io::Error {
    io::Error::other(format!("it is longer than {} KiB", most_bytes / 1024))
}

/// A file written by a person, perhaps on another system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The content without a byte-order mark.
    pub bytes: Vec<u8>,
    /// The users, besides this one and root, who can write it.
    pub stranger: Option<&'static str>,
    /// Why commands in it must not be run: others can write or replace it.
    pub distrust: Option<String>,
}

impl Written {
    /// Reads a file that the user names.
    ///
    /// # Errors
    /// The file cannot be read, is longer than the limit, or is in UTF-16.
    pub fn read(path: &Path, most_bytes: u64) -> io::Result<Self> {
        patiently(path, move |path| Self::from(path, File::open(path)?, most_bytes))
    }

    /// Reads a file at a default place. It must be a regular file: a pipe, for example, would block every
    /// run.
    ///
    /// # Errors
    /// Like [`Written::read`], and a file that is not regular.
    pub fn read_ordinary(path: &Path, most_bytes: u64) -> io::Result<Self> {
        Self::from(path, open_ordinary(path)?, most_bytes)
    }

    fn from(path: &Path, file: File, most_bytes: u64) -> io::Result<Self> {
        let stranger = stranger(&file.metadata()?);
        let distrust = stranger
            .map(|whom| format!("{whom} can write this file"))
            .or_else(|| replacer(path).map(|whom| format!("{whom} can replace this file")));
        let mut bytes = content(file, most_bytes)?;
        let mark = mark(&bytes)?;
        bytes.drain(..mark);
        Ok(Self { bytes, stranger, distrust })
    }
}

/// The length of the byte-order mark at the start of a text, as editors and spreadsheets of some systems
/// write it. It is not part of the text.
///
/// # Errors
/// The mark of UTF-16, which is not supported.
pub fn mark(text: &[u8]) -> io::Result<usize> {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err(io::Error::other("it is UTF-16; save it as UTF-8"));
    }
    Ok(if text.starts_with(MARK) { MARK.len() } else { 0 })
}

/// The byte-order mark in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The users, besides this one and root, who can write an open file.
fn stranger(file: &std::fs::Metadata) -> Option<&'static str> {
    if files::is_character_device(file) {
        return None; // A terminal, /dev/null.
    }
    let (mode, owner) = files::mode_and_owner(file)?;
    suspect(mode, owner, user()?)
}

/// The users, besides this one and root, who can write the file; none if it does not exist.
#[must_use]
pub fn stranger_in(path: &Path) -> Option<&'static str> {
    std::fs::metadata(path).ok().and_then(|file| stranger(&file))
}

/// The users, besides this one and root, who can put another file in the place of this one: those who can write
/// its folder, one above, or those of a link to it. The group of a folder is often the user's own, and is not reported.
fn replacer(path: &Path) -> Option<&'static str> {
    let user = user()?;
    let folders = |path: &Path| {
        path.ancestors().skip(1).enumerate().find_map(|(above, folder)| {
            let (mode, owner) = files::mode_and_owner(&std::fs::metadata(folder).ok()?)?;
            // In a user namespace the folders of the machine's root belong to nobody.
            let is_machines = above > 0 && owner == NOBODY;
            suspect_folder(mode, if is_machines { ROOT } else { owner }, user)
        })
    };
    folders(&std::path::absolute(path).ok()?).or_else(|| folders(&path.canonicalize().ok()?))
}

fn suspect_folder(mode: u32, owner: u32, user: u32) -> Option<&'static str> {
    /// With it, only the owner of a file can replace it.
    const STICKY: u32 = 0o1000;
    match suspect(mode & !0o020, owner, user) {
        Some(_) if owner != user && owner != ROOT => Some("another user, whose folder it is in,"),
        found => found.filter(|_| mode & STICKY == 0),
    }
}

const ROOT: u32 = 0;

/// The user of files whose owner a user namespace does not have.
const NOBODY: u32 = 65_534;

fn suspect(mode: u32, owner: u32, user: u32) -> Option<&'static str> {
    if owner != user && owner != ROOT {
        Some("another user, whose file it is,")
    } else if mode & 0o002 != 0 {
        Some("every user of this machine")
    } else if mode & 0o020 != 0 {
        Some("its whole group")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_standard_output() {
        for (path, expected) in [
            ("-", true),
            ("/dev/stdout", true),
            ("/dev//fd/1", true),
            ("/proc/self/fd/1", true),
            ("./-", false),
            ("/dev/fd/10", false),
            ("/dev/stderr", false),
            ("stdout", false),
        ] {
            assert_eq!(names_stdout(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn file_over_the_limit_is_refused() {
        let input = vec![b'x'; 300_000];
        for (most, expected) in [(300_000, 0), (300_000, 300_000), (usize::MAX, 7), (300_001, 1_000_000)] {
            let content = read_all(&input[..], most, expected).unwrap();
            assert_eq!(content.as_deref(), Some(&input[..]), "{most} {expected}");
        }
        for most in [0, 1, 64 * 1024, 299_999] {
            assert_eq!(read_all(&input[..], most, 0).unwrap(), None, "{most}");
        }
        assert_eq!(read_all(&b""[..], 0, 0).unwrap(), Some(Vec::new()));
        assert_eq!(read_all(io::repeat(0), 1_000_000, 0).unwrap(), None);
    }

    #[test]
    fn byte_order_marks() {
        assert_eq!(mark(b"\xef\xbb\xbftext").unwrap(), 3);
        for plain in [&b"text"[..], b"", b"\xef\xbb", b" \xef\xbb\xbf"] {
            assert_eq!(mark(plain).unwrap(), 0, "{plain:?}");
        }
        for utf16 in [&b"\xff\xfet\0"[..], b"\xfe\xff\0t"] {
            assert_eq!(mark(utf16).unwrap_err().to_string(), "it is UTF-16; save it as UTF-8");
        }
    }

    #[test]
    fn other_users_with_write_access_are_named() {
        for (mode, owner, user, expected) in [
            (0o100_644, 1000, 1000, None),
            (0o100_644, 0, 1000, None),
            (0o100_600, 1001, 1000, Some("another user, whose file it is,")),
            (0o100_600, 1001, 0, Some("another user, whose file it is,")),
            (0o100_666, 1000, 1000, Some("every user of this machine")),
            (0o100_664, 1000, 1000, Some("its whole group")),
            (0o100_660, 0, 1000, Some("its whole group")),
        ] {
            assert_eq!(suspect(mode, owner, user), expected, "{mode:o} {owner} {user}");
        }
    }

    #[test]
    fn other_users_who_can_replace_a_file_are_named() {
        for (mode, owner, user, expected) in [
            (0o040_755, 1000, 1000, None),
            (0o040_755, 0, 1000, None),
            (0o040_775, 1000, 1000, None),
            (0o041_777, 0, 1000, None),
            (0o040_777, 0, 1000, Some("every user of this machine")),
            (0o040_777, 1000, 1000, Some("every user of this machine")),
            (0o040_755, 1001, 1000, Some("another user, whose folder it is in,")),
            (0o041_755, 1001, 0, Some("another user, whose folder it is in,")),
        ] {
            assert_eq!(suspect_folder(mode, owner, user), expected, "{mode:o} {owner} {user}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn special_files_at_default_places_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            let error = Written::read_ordinary(path, 1000).unwrap_err().to_string();
            assert_eq!(error, "it is not an ordinary file", "{}", path.display());
        }
    }
}
