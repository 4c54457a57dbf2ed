//! The session file of a subscriber: which QoS 2 messages were delivered and not yet released
//! ([MQTT-4.3.3-10]). With it a program that was killed does not deliver them again.
//!
//! | bytes | |
//! |---|---|
//! | 8 | `mqttses2` |
//! | 2 | length of the client identifier, little-endian |
//! | … | client identifier, and zeros up to 4 bytes before a multiple of 64 |
//! | 4 | CRC-32 of all that, little-endian |
//! | 137 × 64 | blocks |
//!
//! and each block holds 480 packet identifiers:
//!
//! | bytes | |
//! |---|---|
//! | 60 | bit *n* of byte *i* of block *b*: identifier 480 *b* + 8 *i* + *n* is unreleased |
//! | 4 | CRC-32 of the header's checksum, *b* and those bits, little-endian |
//!
//! A session belongs to a client identifier, so the file does as well. It is made under another name,
//! and has its length from the beginning, so one that is shorter was cut off. From then on blocks are
//! written in place. Each bit is true or false for itself, so a kill between two blocks tears nothing;
//! and a block lies in one page and one sector, and is written whole or not at all. So a checksum that
//! is wrong means damage, and nothing is ever rewritten as a whole.
//!
//! The order is write-out → [`SessionFile::write`] → PUBREC, and PUBREL → [`SessionFile::write`] →
//! PUBCOMP, for all messages of one wake-up together, with one write. A kill in between means:
//!
//! * before the write-out: the broker sends the message again, and it is delivered then;
//! * between write-out and record: the same, so it is delivered twice. It was not acknowledged.
//!   Standard output is no transaction, and a message twice is better than a message lost;
//! * between record and PUBREC: the broker sends it again, and it is only acknowledged;
//! * between PUBREL and record, or record and PUBCOMP: the broker sends PUBREL again.
//!
//! That a broker has lost the session is recorded before anything of the new one is delivered. A kill
//! in the moment between its answer and that record would leave identifiers of the old session
//! behind, for which the next run would hold a new message. MQTT has no means against that.
//!
//! Nothing is synchronised to the disk: when the program is killed the kernel still has the data, and at a
//! loss of power the messages in standard output are as uncertain as the record of them.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::{invalid, make_whole, not_ours, open_alone, unusable};
use crate::error::Error;
use crate::quantity::counted;
use crate::quotation::cut;

const MAGIC: [u8; 8] = *b"mqttses2";
const CHECKSUM_BYTES: usize = 4;
const BLOCK_BYTES: usize = 64;
const BITS_BYTES: usize = BLOCK_BYTES - CHECKSUM_BYTES;
const BLOCKS: usize = 65_536_usize.div_ceil(BITS_BYTES * 8);
/// A file with the longest client identifier is shorter.
const MOST_BYTES: u64 = 128 * 1024;
/// What it means to go on without the file.
const ADVICE: &str = "move or delete it to start from scratch; QoS 2 messages that were written out and not yet released by the broker may then arrive twice";

/// The identifiers on disk.
#[derive(Debug)]
pub struct SessionFile {
    path: PathBuf,
    file: File,
    /// The checksum of the header, and where the blocks begin.
    header_sum: [u8; CHECKSUM_BYTES],
    header_bytes: usize,
    blocks: Vec<u8>,
    /// The first and the last block that differ from the file.
    changed: Option<(usize, usize)>,
}

impl SessionFile {
    /// Opens the session file of a client, or creates it.
    ///
    /// # Errors
    /// It cannot be used, is in use, is something else, damaged, or belongs to another client identifier.
    pub fn open(path: &Path, client_identifier: &str) -> Result<Self, Error> {
        let file = match open_alone(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make_whole(path, &fresh(client_identifier))
                    .map_err(|error| Error::file(format!("cannot make {}", path.display()), error))?;
                open_alone(path)
            }
            opened => opened,
        };
        let mut file = file.map_err(unusable(path))?;
        let mut found = Vec::new();
        Read::by_ref(&mut file).take(MOST_BYTES).read_to_end(&mut found).map_err(unusable(path))?;
        let (owner, header_bytes) = check(&found).map_err(|fault| fault.error(path).with_hint(ADVICE))?;
        if owner != client_identifier.as_bytes() {
            let owner = String::from_utf8_lossy(owner);
            return Err(Error::usage(format!(
                "{} is the session file of client identifier '{}', not '{}'",
                path.display(),
                cut(&owner),
                cut(client_identifier)
            )));
        }
        let header_sum = sum_of(&found[..header_bytes - CHECKSUM_BYTES]);
        let blocks = found.split_off(header_bytes);
        Ok(Self { path: path.to_owned(), file, header_sum, header_bytes, blocks, changed: None })
    }

    /// The identifiers that are set, in no particular order.
    #[must_use]
    pub fn identifiers(&self) -> Vec<u16> {
        (0..=u16::MAX)
            .filter(|identifier| self.blocks[place(*identifier).0] & place(*identifier).1 != 0)
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

    /// The broker has lost the session.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn forget_all(&mut self) -> Result<(), Error> {
        for identifier in self.identifiers() {
            self.set(identifier, false);
        }
        self.write()
    }

    fn set(&mut self, packet_identifier: u16, value: bool) {
        let (byte, bit) = place(packet_identifier);
        let before = self.blocks[byte];
        self.blocks[byte] = if value { before | bit } else { before & !bit };
        if self.blocks[byte] != before {
            let block = byte / BLOCK_BYTES;
            let (first, last) = self.changed.unwrap_or((block, block));
            self.changed = Some((first.min(block), last.max(block)));
        }
    }

    /// Writes what has changed: once for everything since the last time.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self) -> Result<(), Error> {
        let Some((first, last)) = self.changed else { return Ok(()) };
        let changed = &mut self.blocks[first * BLOCK_BYTES..(last + 1) * BLOCK_BYTES];
        for (block, number) in changed.chunks_exact_mut(BLOCK_BYTES).zip(first..) {
            seal(self.header_sum, number, block);
        }
        let offset = (self.header_bytes + first * BLOCK_BYTES) as u64;
        self.file
            .write_all_at(changed, offset)
            .map_err(|error| Error::file(format!("cannot write {}", self.path.display()), error))?;
        self.changed = None;
        Ok(())
    }
}

/// The byte of the blocks, and the bit in it.
fn place(packet_identifier: u16) -> (usize, u8) {
    let byte = usize::from(packet_identifier / 8);
    (byte / BITS_BYTES * BLOCK_BYTES + byte % BITS_BYTES, 1 << (packet_identifier % 8))
}

/// A file without identifiers.
fn fresh(client_identifier: &str) -> Vec<u8> {
    let identifier = client_identifier.as_bytes();
    // Longer ones were refused with the command line ([MQTT-1.5.4]).
    let length = u16::try_from(identifier.len()).unwrap_or(u16::MAX);
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(identifier);
    bytes.resize(header_bytes(identifier.len()) - CHECKSUM_BYTES, 0);
    let header_sum = sum_of(&bytes);
    bytes.extend_from_slice(&header_sum);
    for number in 0..BLOCKS {
        let mut block = [0; BLOCK_BYTES];
        seal(header_sum, number, &mut block);
        bytes.extend_from_slice(&block);
    }
    bytes
}

/// How many bytes come before the blocks.
fn header_bytes(identifier_bytes: usize) -> usize {
    (MAGIC.len() + 2 + identifier_bytes + CHECKSUM_BYTES).next_multiple_of(BLOCK_BYTES)
}

fn sum_of(header: &[u8]) -> [u8; CHECKSUM_BYTES] {
    crc32fast::hash(header).to_le_bytes()
}

/// Puts the checksum into a block.
fn seal(header_sum: [u8; CHECKSUM_BYTES], number: usize, block: &mut [u8]) {
    let (bits, sum) = block.split_at_mut(BITS_BYTES);
    sum.copy_from_slice(&block_sum(header_sum, number, bits));
}

fn block_sum(header_sum: [u8; CHECKSUM_BYTES], number: usize, bits: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut sum = crc32fast::Hasher::new();
    for part in [&header_sum[..], &(number as u64).to_le_bytes(), bits] {
        sum.update(part);
    }
    sum.finalize().to_le_bytes()
}

/// What is wrong with a file.
#[derive(Debug)]
enum SessionFileFault {
    /// It is something else.
    Foreign,
    /// Its length, if it is not what it must be.
    Length {
        found: usize,
        expected: usize,
    },
    Header,
    /// The identifiers of this block are not what was written.
    Block(usize),
}

impl SessionFileFault {
    fn error(&self, path: &Path) -> Error {
        match self {
            Self::Foreign => not_ours(path, "a session file"),
            Self::Length { found, expected } if found < expected => invalid(
                path,
                format!(
                    "it is damaged: it was cut off after {found} of {}",
                    counted(*expected as u64, "byte")
                ),
            ),
            Self::Length { found, expected } => invalid(
                path,
                format!("it is damaged: it has {} too many", counted((found - expected) as u64, "byte")),
            ),
            Self::Header => invalid(path, "it is damaged: the checksum of its header is wrong"),
            Self::Block(number) => {
                let first = number * BITS_BYTES * 8;
                let last = (first + BITS_BYTES * 8 - 1).min(65_535);
                let what = format!("the checksum of packet identifiers {first} to {last} is wrong");
                invalid(path, format!("it is damaged: {what}"))
            }
        }
    }
}

/// The client identifier of a whole and sound file, and where its blocks begin.
fn check(file: &[u8]) -> Result<(&[u8], usize), SessionFileFault> {
    // Also the beginning of one: as much of it as is left.
    if !file.starts_with(&MAGIC[..file.len().min(MAGIC.len())]) {
        return Err(SessionFileFault::Foreign);
    }
    let cut = |expected| SessionFileFault::Length { found: file.len(), expected };
    let shortest = header_bytes(0) + BLOCKS * BLOCK_BYTES;
    let rest = file.get(MAGIC.len()..).unwrap_or_default();
    let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(|| cut(shortest))?;
    let length = usize::from(u16::from_le_bytes(*length));
    let header_bytes = header_bytes(length);
    let (header, blocks) =
        file.split_at_checked(header_bytes).ok_or_else(|| cut(shortest.max(header_bytes)))?;
    let (header, sum) = header.split_at(header_bytes - CHECKSUM_BYTES);
    let header_sum = sum_of(header);
    if sum != header_sum {
        return Err(SessionFileFault::Header);
    }
    if blocks.len() != BLOCKS * BLOCK_BYTES {
        return Err(cut(header_bytes + BLOCKS * BLOCK_BYTES));
    }
    for (number, block) in blocks.chunks_exact(BLOCK_BYTES).enumerate() {
        let (bits, sum) = block.split_at(BITS_BYTES);
        if sum != block_sum(header_sum, number, bits) {
            return Err(SessionFileFault::Block(number));
        }
    }
    Ok((&rest[..length], header_bytes))
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
        /// Written identifiers are found again, and no others.
        #[test]
        fn written_identifiers_are_read_again(steps in proptest::collection::vec((any::<u16>(), 0..4_u8), 0..200)) {
            let (_folder, path) = file();
            let mut unreleased = SessionFile::open(&path, "me").unwrap();
            let (mut now, mut written) = (BTreeSet::new(), BTreeSet::new());
            for (identifier, step) in steps {
                match step {
                    0 | 1 => { now.insert(identifier); unreleased.delivered(identifier); }
                    2 => { now.remove(&identifier); unreleased.released(identifier); }
                    _ => { unreleased.write().unwrap(); written.clone_from(&now); }
                }
            }
            drop(unreleased);
            let found = SessionFile::open(&path, "me").unwrap().identifiers();
            prop_assert_eq!(found, written.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_lost_session_leaves_nothing() {
        let (_folder, path) = file();
        let mut unreleased = SessionFile::open(&path, "me").unwrap();
        unreleased.delivered(1);
        unreleased.write().unwrap();
        unreleased.delivered(65_535);
        unreleased.forget_all().unwrap();
        drop(unreleased);
        assert!(SessionFile::open(&path, "me").unwrap().identifiers().is_empty());
    }

    #[test]
    fn one_process_and_one_client() {
        let (_folder, path) = file();
        let held = SessionFile::open(&path, "me").unwrap();
        let error = SessionFile::open(&path, "me").unwrap_err().to_string();
        assert!(error.ends_with("another process is using it"), "{error}");
        drop(held);
        let error = SessionFile::open(&path, "you").unwrap_err().to_string();
        assert!(error.ends_with("is the session file of client identifier 'me', not 'you'"), "{error}");
    }

    #[test]
    fn other_files_are_left_alone() {
        let (_folder, path) = file();
        for other in [&b"precious"[..], &[0; 10_000]] {
            std::fs::write(&path, other).unwrap();
            let error = SessionFile::open(&path, "me").unwrap_err();
            assert!(error.to_string().ends_with("it is not a session file, or is damaged"), "{error}");
            assert!(error.hint().unwrap().starts_with("move or delete it to start from scratch"));
            assert_eq!(std::fs::read(&path).unwrap(), other);
        }
    }

    /// A file with identifiers in it, as it was left.
    fn used(path: &Path) -> Vec<u8> {
        let mut unreleased = SessionFile::open(path, "me").unwrap();
        for identifier in [1, 479, 480, 30_000, 65_535] {
            unreleased.delivered(identifier);
            unreleased.write().unwrap();
        }
        std::fs::read(path).unwrap()
    }

    #[test]
    fn file_cut_anywhere_is_damaged() {
        let (_folder, path) = file();
        let whole = used(&path);
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = SessionFile::open(&path, "me").unwrap_err().to_string();
            assert!(error.contains("it is damaged: it was cut off"), "{length}: {error}");
        }
        std::fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
        let error = SessionFile::open(&path, "me").unwrap_err().to_string();
        assert!(error.ends_with("it is damaged: it has 4 bytes too many"), "{error}");
    }

    #[test]
    fn file_changed_anywhere_is_damaged() {
        let (_folder, path) = file();
        let mut bytes = used(&path);
        for index in 0..bytes.len() {
            for bit in [0, 7] {
                bytes[index] ^= 1 << bit;
                check(&bytes).expect_err("damaged");
                bytes[index] ^= 1 << bit;
            }
        }
        check(&bytes).expect("whole again");
        // A block where another belongs, and a block of nothing.
        let at = |number: usize| {
            header_bytes(2) + number * BLOCK_BYTES..header_bytes(2) + (number + 1) * BLOCK_BYTES
        };
        for content in [bytes[at(5)].to_vec(), vec![0; BLOCK_BYTES]] {
            let mut moved = bytes.clone();
            moved[at(4)].copy_from_slice(&content);
            std::fs::write(&path, &moved).unwrap();
            let error = SessionFile::open(&path, "me").unwrap_err().to_string();
            assert!(error.ends_with("the checksum of packet identifiers 1920 to 2399 is wrong"), "{error}");
        }
    }

    /// Nothing else is left in the folder, whatever client identifier there is to hold.
    #[test]
    fn a_new_file_is_whole() {
        let (folder, path) = file();
        for identifier in ["", "me", &"x".repeat(50), &"x".repeat(51), &"x".repeat(65_535)] {
            let made = SessionFile::open(&path, identifier).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), fresh(identifier));
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
            drop(made);
            std::fs::remove_file(&path).unwrap();
        }
        let nowhere = folder.path().join("no/session");
        let error = SessionFile::open(&nowhere, "me").unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot make {}: ", nowhere.display())), "{error}");
    }
}
