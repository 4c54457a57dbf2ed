//! `--output-dir`: a file for each topic, with its latest message, or for each message.
//!
//! The name of a file is the topic with everything but small letters, digits, `-`, `_` and `.` written as `%`
//! and two hexadecimal digits; a dot at either end is encoded as well. So no name leads out of the folder or
//! is hidden, and no two topics share a name, even if the file system ignores case or normalises names. A
//! name that would be too long ends in `~` and a hash.
//!
//! A file is written under another name and renamed: a reader finds the old content or the new, never a part.
//! A temporary file left by a killed run is removed by the next one, as no process holds its lock.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};

use super::config::FilesOptions;
use crate::clock;
use crate::error::Error;
use crate::file::{FileLock, lock};
use crate::output::{MessageWriter, Misfit, PayloadNote};
use crate::protocol::wire::Publish;
use crate::signal::outlive_file_limit;

/// Maximum length of a topic in a file name: with its prefix it stays within the 255 bytes of a name.
const MOST_NAME_BYTES: usize = 180;
/// Length of the hash in a shortened name.
const HASH_BYTES: usize = 16;
/// A buffer that one large message made larger than this is not kept.
const KEPT_BYTES: usize = 1 << 20;

/// The prefix of the name of an incomplete file, before the run's number. No topic has such a name, as none
/// begins with a dot.
const TEMPORARY: &str = ".mqtt-";
const TEMPORARY_END: &str = ".tmp";

/// How often a file is written whose temporary file another run has removed.
const MOST_ATTEMPTS: u32 = 100;

/// Writes messages to files.
pub(super) struct MessageFiles {
    folder: PathBuf,
    per_message: bool,
    /// `None`: a file contains only the payload.
    writer: Option<MessageWriter>,
    text: Vec<u8>,
    name: String,
    temporary: PathBuf,
    /// Distinguishes the names of two runs.
    run: u32,
    count: u64,
    /// Why a message could not be written.
    failed: Option<Error>,
}

impl MessageFiles {
    /// Prepares the folder.
    ///
    /// # Errors
    /// The folder does not exist and cannot be created.
    pub(super) fn new(options: &FilesOptions) -> Result<Self, Error> {
        let FilesOptions { folder, per_message, format } = options;
        fs::create_dir_all(folder)
            .map_err(|error| Error::file(format!("cannot make the folder {}", folder.display()), error))?;
        outlive_file_limit();
        remove_left_over(folder);
        let run = fastrand::u32(..);
        Ok(Self {
            temporary: folder.join(format!("{TEMPORARY}{run:08x}{TEMPORARY_END}")),
            folder: folder.clone(),
            per_message: *per_message,
            writer: format.clone().map(|format| MessageWriter::new(format, false)),
            text: Vec::new(),
            name: String::new(),
            run,
            count: 0,
            failed: None,
        })
    }

    /// Writes one message. A failure is returned by [`MessageFiles::take_error`]; nothing is written after
    /// it.
    ///
    /// # Errors
    /// Like [`MessageWriter::write`].
    pub(super) fn message(
        &mut self,
        publish: &Publish<'_>,
        received: SystemTime,
        note: &PayloadNote<'_>,
    ) -> Result<(), Misfit> {
        if self.failed.is_some() {
            return Ok(());
        }
        self.text.clear();
        let fits = match &mut self.writer {
            Some(writer) => writer.write_decoded(&mut self.text, publish, received, note),
            None => Ok(()),
        };
        let content = if self.writer.is_some() { &self.text } else { publish.payload };
        self.name.clear();
        self.count += 1;
        if self.per_message {
            let time = clock::rfc3339_micros(received).replace(':', "").to_lowercase();
            let _ = write!(self.name, "{time}-{:08x}-{:09}-", self.run, self.count); // cannot fail
        }
        put_name(&mut self.name, publish.topic);
        let path = self.folder.join(&self.name);
        if let Err(error) = replace(&path, &self.temporary, content) {
            let _ = fs::remove_file(&self.temporary); // the incomplete file
            self.failed = Some(Error::file(format!("cannot write {}", path.display()), error));
        }
        self.text.shrink_to(KEPT_BYTES);
        fits
    }

    /// Why a message was not written; returned once.
    pub(super) fn take_error(&mut self) -> Option<Error> {
        self.failed.take()
    }
}

/// Replaces a file by one with this content.
fn replace(path: &Path, temporary: &Path, content: &[u8]) -> io::Result<()> {
    let mut left = MOST_ATTEMPTS;
    loop {
        left -= 1;
        let mut file = File::options().write(true).create_new(true).open(temporary)?;
        // Some file systems have no locks: leftover files stay there.
        let _ = lock(&file, FileLock::Alone);
        file.write_all(content)?;
        match fs::rename(temporary, path) {
            // A run that began at this moment has taken the file for a leftover one, before it had its lock.
            Err(error) if error.kind() == ErrorKind::NotFound && left > 0 => {}
            renamed => return renamed,
        }
    }
}

/// Removes the files left by killed runs: those without a lock.
fn remove_left_over(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes().strip_prefix(TEMPORARY.as_bytes());
        let number = name.and_then(|name| name.strip_suffix(TEMPORARY_END.as_bytes()));
        let is_ours = number.is_some_and(|number| {
            number.len() == 8 && number.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        });
        let is_file = entry.metadata().is_ok_and(|metadata| metadata.is_file());
        if is_ours
            && is_file
            && File::open(entry.path()).and_then(|file| lock(&file, FileLock::Alone)).is_ok()
        {
            // A file that cannot be removed is harmless.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Appends the file name for this topic.
fn put_name(name: &mut String, topic: &[u8]) {
    let start = name.len();
    for (place, byte) in topic.iter().enumerate() {
        let is_plain = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')
            || *byte == b'.' && place > 0 && place + 1 < topic.len();
        if is_plain {
            name.push(char::from(*byte));
        } else {
            let _ = write!(name, "%{byte:02x}"); // writing to memory cannot fail
        }
        if name.len() - start > MOST_NAME_BYTES {
            name.truncate(start + MOST_NAME_BYTES - 2 * HASH_BYTES - 1);
            name.push('~');
            for byte in digest(&SHA256, topic).as_ref().iter().take(HASH_BYTES) {
                let _ = write!(name, "{byte:02x}");
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn name(topic: &str) -> String {
        let mut name = String::new();
        put_name(&mut name, topic.as_bytes());
        name
    }

    #[test]
    fn names_lead_nowhere_else() {
        for (topic, expected) in [
            ("home/door-1_x.y", "home%2fdoor-1_x.y"),
            (".", "%2e"),
            ("..", "%2e%2e"),
            ("../../etc/passwd", "%2e.%2f..%2fetc%2fpasswd"),
            ("/", "%2f"),
            ("a\0b", "a%00b"),
            ("Home", "%48ome"),
            ("100%2f", "100%252f"),
            ("~", "%7e"),
            ("\u{fc}\\:", "%c3%bc%5c%3a"),
            (" a ", "%20a%20"),
        ] {
            assert_eq!(name(topic), expected);
        }
    }

    /// Empty ones as well: a run may be killed before it writes.
    #[test]
    fn leftover_files_without_a_lock_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, content) in
            [(".mqtt-00000001.tmp", ""), (".mqtt-00000002.tmp", "x"), (".mqtt-0000000g.tmp", ""), ("a", "")]
        {
            fs::write(path(name), content).unwrap();
        }
        let held = File::create(path(".mqtt-00000003.tmp")).unwrap();
        lock(&held, FileLock::Alone).unwrap();
        remove_left_over(folder.path());
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".mqtt-00000003.tmp", ".mqtt-0000000g.tmp", "a"]);
    }

    #[test]
    fn file_is_written_while_other_runs_begin() {
        let folder = tempfile::tempdir().unwrap();
        let (path, temporary) = (folder.path().join("a"), folder.path().join(".mqtt-00000001.tmp"));
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    remove_left_over(folder.path());
                }
            });
            let written: Vec<_> = (0..500).map(|_| replace(&path, &temporary, b"x")).collect();
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(written.iter().all(Result::is_ok), "{written:?}");
        });
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }

    #[test]
    fn no_two_topics_share_a_name() {
        let long = "x".repeat(65_000);
        let topics = [
            "a",
            "A",
            "a/b",
            "a%2fb",
            "a%2Fb",
            "\u{e9}",
            "e\u{301}",
            "\u{c9}",
            "a.",
            "a",
            ".a",
            "~a",
            &long,
            &long[1..],
            &"/".repeat(200),
            &"/".repeat(201),
        ];
        let names: HashSet<String> = topics.iter().map(|topic| name(topic).to_lowercase()).collect();
        assert_eq!(names.len(), topics.len() - 1);
        assert!(names.iter().all(|name| name.len() <= MOST_NAME_BYTES), "{names:?}");
    }
}
