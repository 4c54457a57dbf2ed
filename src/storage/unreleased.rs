//! The session file of a subscriber: which QoS 2 messages were delivered and not yet released
//! ([MQTT-4.3.3-10]). With it a program that was killed does not deliver them again.
//!
//! One bit for each packet identifier, at a fixed place:
//!
//! | bytes | |
//! |---|---|
//! | 8 | `mqttses1` |
//! | 8,192 | bit *n* of byte *i*: identifier 8 *i* + *n* is unreleased |
//! | 2 | length of the client identifier, little-endian |
//! | … | client identifier |
//! | 4 | CRC-32 of the first 8 bytes and the client identifier, little-endian |
//!
//! A session belongs to a client identifier, so the file does as well. Each bit is true or false for
//! itself, so nothing can be torn, nothing grows and nothing is ever rewritten as a whole.
//!
//! The order is write-out → [`Unreleased::write`] → PUBREC, and PUBREL → [`Unreleased::write`] →
//! PUBCOMP, for all messages of one wake-up together, with one write. A kill in between means:
//!
//! * before the write-out: the server sends the message again, and it is delivered then;
//! * between write-out and record: the same, so it is delivered twice. It was not acknowledged.
//!   Standard output is no transaction, and a message twice is better than a message lost;
//! * between record and PUBREC: the server sends it again, and it is only acknowledged;
//! * between PUBREL and record, or record and PUBCOMP: the server sends PUBREL again.
//!
//! That a server has lost the session is recorded before anything of the new one is delivered. A kill
//! in the moment between its answer and that record would leave identifiers of the old session
//! behind, for which the next run would hold a new message. MQTT has no means against that.
//!
//! Nothing is synchronised to the disk: what the program was killed for the kernel still has, and for
//! a machine that loses power the messages in standard output are as uncertain as the record of them.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::{not_ours, open_alone};
use crate::error::Error;

const MAGIC: [u8; 8] = *b"mqttses1";
const BITS_BYTES: usize = 65_536 / 8;

/// The identifiers on disk.
#[derive(Debug)]
pub struct Unreleased {
    path: PathBuf,
    file: File,
    bits: Vec<u8>,
    /// The first and the last byte of `bits` that differ from the file.
    changed: Option<(usize, usize)>,
}

impl Unreleased {
    /// Opens the session file of a client, or begins one.
    ///
    /// # Errors
    /// It cannot be used, is in use, is something else, or belongs to another client identifier.
    pub fn open(path: &Path, client_identifier: &str) -> Result<Self, Error> {
        let file = open_alone(path)?;
        let failed = |error| Error::file(format!("cannot use {}", path.display()), error);
        let fresh = fresh(client_identifier);
        let length = file.metadata().map_err(failed)?.len();
        let mut found = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(128 * 1024)];
        file.read_exact_at(&mut found, 0).map_err(failed)?;
        if found.len() < fresh.len() && fresh.starts_with(&found) {
            // New, or killed while it was being made, when no identifier was in it yet.
            file.write_all_at(&fresh, 0).map_err(failed)?;
            found.clone_from(&fresh);
        }
        let bits_end = MAGIC.len() + BITS_BYTES;
        let owner = owner(&found).ok_or_else(|| not_ours(path, "a session file"))?;
        if owner != client_identifier.as_bytes() {
            let owner = String::from_utf8_lossy(owner);
            return Err(Error::usage(format!(
                "{} is the session file of client identifier '{owner}', not '{client_identifier}'",
                path.display()
            )));
        }
        let bits = found[MAGIC.len()..bits_end].to_vec();
        Ok(Self { path: path.to_owned(), file, bits, changed: None })
    }

    /// The identifiers that are set, in no order that means anything.
    #[must_use]
    pub fn identifiers(&self) -> Vec<u16> {
        (0..=u16::MAX)
            .filter(|identifier| self.bits[place(*identifier).0] & place(*identifier).1 != 0)
            .collect()
    }

    /// A message was delivered.
    pub fn delivered(&mut self, packet_identifier: u16) {
        self.set(packet_identifier, true);
    }

    /// A message was released.
    pub fn released(&mut self, packet_identifier: u16) {
        self.set(packet_identifier, false);
    }

    /// The server has lost the session.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn forget_all(&mut self) -> Result<(), Error> {
        if self.bits.iter().all(|byte| *byte == 0) && self.changed.is_none() {
            return Ok(());
        }
        self.bits.fill(0);
        self.changed = Some((0, BITS_BYTES - 1));
        self.write()
    }

    fn set(&mut self, packet_identifier: u16, value: bool) {
        let (byte, bit) = place(packet_identifier);
        let before = self.bits[byte];
        self.bits[byte] = if value { before | bit } else { before & !bit };
        if self.bits[byte] != before {
            let (first, last) = self.changed.unwrap_or((byte, byte));
            self.changed = Some((first.min(byte), last.max(byte)));
        }
    }

    /// Writes what has changed: once for everything since the last time.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self) -> Result<(), Error> {
        let Some((first, last)) = self.changed.take() else { return Ok(()) };
        let offset = (MAGIC.len() + first) as u64;
        self.file.write_all_at(&self.bits[first..=last], offset).map_err(|error| {
            self.changed = Some((first, last));
            Error::file(format!("cannot write {}", self.path.display()), error)
        })
    }
}

fn place(packet_identifier: u16) -> (usize, u8) {
    (usize::from(packet_identifier / 8), 1 << (packet_identifier % 8))
}

/// A file without identifiers.
fn fresh(client_identifier: &str) -> Vec<u8> {
    let identifier = client_identifier.as_bytes();
    // Longer ones were refused with the command line ([MQTT-1.5.4]).
    let length = u16::try_from(identifier.len()).unwrap_or(u16::MAX);
    let mut bytes = MAGIC.to_vec();
    bytes.resize(MAGIC.len() + BITS_BYTES, 0);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(identifier);
    bytes.extend_from_slice(&checksum(identifier).to_le_bytes());
    bytes
}

/// The client identifier of a whole and sound file.
fn owner(file: &[u8]) -> Option<&[u8]> {
    let rest = file.strip_prefix(&MAGIC)?.get(BITS_BYTES..)?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (identifier, sum) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    (sum == checksum(identifier).to_le_bytes()).then_some(identifier)
}

fn checksum(client_identifier: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&MAGIC);
    sum.update(client_identifier);
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn file() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session");
        (folder, path)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Whatever was written is found again, and nothing that was not.
        #[test]
        fn what_was_written_is_found_again(steps in proptest::collection::vec((any::<u16>(), 0..4_u8), 0..200)) {
            let (_folder, path) = file();
            let mut unreleased = Unreleased::open(&path, "me").unwrap();
            let (mut now, mut written) = (BTreeSet::new(), BTreeSet::new());
            for (identifier, step) in steps {
                match step {
                    0 | 1 => { now.insert(identifier); unreleased.delivered(identifier); }
                    2 => { now.remove(&identifier); unreleased.released(identifier); }
                    _ => { unreleased.write().unwrap(); written.clone_from(&now); }
                }
            }
            drop(unreleased);
            let found = Unreleased::open(&path, "me").unwrap().identifiers();
            prop_assert_eq!(found, written.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_lost_session_leaves_nothing() {
        let (_folder, path) = file();
        let mut unreleased = Unreleased::open(&path, "me").unwrap();
        unreleased.delivered(1);
        unreleased.write().unwrap();
        unreleased.delivered(65_535);
        unreleased.forget_all().unwrap();
        drop(unreleased);
        assert!(Unreleased::open(&path, "me").unwrap().identifiers().is_empty());
    }

    #[test]
    fn one_process_and_one_client() {
        let (_folder, path) = file();
        let held = Unreleased::open(&path, "me").unwrap();
        let error = Unreleased::open(&path, "me").unwrap_err().to_string();
        assert!(error.ends_with("another process is using it"), "{error}");
        drop(held);
        let error = Unreleased::open(&path, "you").unwrap_err().to_string();
        assert!(error.ends_with("is the session file of client identifier 'me', not 'you'"), "{error}");
    }

    #[test]
    fn what_is_something_else_is_left_alone() {
        let (_folder, path) = file();
        let whole = fresh("me");
        for length in [0, 5, 8, 9, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(Unreleased::open(&path, "me").unwrap().identifiers().is_empty(), "killed at {length}");
        }
        let mut damaged = whole.clone();
        damaged[MAGIC.len() + BITS_BYTES + 2] = b'x';
        for other in [b"precious".to_vec(), vec![0; 10_000], damaged, [&whole[..], b"more"].concat()] {
            std::fs::write(&path, &other).unwrap();
            let error = Unreleased::open(&path, "me").unwrap_err().to_string();
            assert!(error.contains("it is not a session file, or is damaged"), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), other);
        }
    }
}
