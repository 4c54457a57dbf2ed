//! The session file of a subscriber: the QoS 2 messages that were delivered and not yet released
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
//! A session belongs to a client identifier, and so does the file. It is created under a temporary name with
//! its final length, so a shorter file was truncated. Afterwards blocks are written in place. Each bit is
//! independent, so a kill between two blocks leaves a valid file; and a block lies in one page and one
//! sector, so it is written completely or not at all. A wrong checksum therefore means damage, and the file
//! is never rewritten as a whole.
//!
//! The order is write-out → [`SessionFile::write`] → PUBREC, and PUBREL → [`SessionFile::write`] → PUBCOMP,
//! for all messages of one wake-up together, with one write. The effect of a kill:
//!
//! * before the write-out: the broker sends the message again, and it is delivered then;
//! * between write-out and record: the same, so it is delivered twice. It was not acknowledged. Standard
//!   output is not transactional, and a duplicate message is better than a lost one;
//! * between record and PUBREC: the broker sends it again, and it is only acknowledged;
//! * between PUBREL and record, or record and PUBCOMP: the broker sends PUBREL again.
//!
//! When a broker has lost the session, that is recorded before any message of the new session is delivered. A
//! kill between the broker's CONNACK and that record would leave identifiers of the old session, and the next
//! run would suppress new messages with these identifiers. MQTT offers no remedy.
//!
//! Nothing is synchronised to the disk: when the program is killed the kernel still has the data, and after a
//! loss of power the messages in standard output are as uncertain as the record of them.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::{invalid, make_whole, not_ours, open_alone, unusable};
use crate::error::Error;
use crate::platform::files::PositionedFile as _;
use crate::quantity::counted;
use crate::quotation::cut;

const MAGIC: [u8; 8] = *b"mqttses2";
const CHECKSUM_BYTES: usize = 4;
const BLOCK_BYTES: usize = 64;
const BITS_BYTES: usize = BLOCK_BYTES - CHECKSUM_BYTES;
const BLOCKS: usize = 65_536_usize.div_ceil(BITS_BYTES * 8);
/// The size limit of a file; even the longest client identifier stays below it.
const MOST_BYTES: u64 = 128 * 1024;
/// The consequence of continuing without the file.
const ADVICE: &str = "move or delete it to start from scratch; QoS 2 messages that were written out and not yet released by the broker may then arrive twice";

/// The identifiers of a session, with their file.
#[derive(Debug)]
pub struct SessionFile {
    path: PathBuf,
    file: File,
    /// The checksum of the header, and the offset of the blocks.
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
    /// The file cannot be used, is in use, is of another kind, is damaged, or belongs to another client
    /// identifier.
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

    /// Marks a message as delivered.
    pub fn delivered(&mut self, packet_identifier: u16) {
        self.set(packet_identifier, true);
    }

    /// Marks a message as released.
    pub fn released(&mut self, packet_identifier: u16) {
        self.set(packet_identifier, false);
    }

    /// Clears all identifiers: the broker has lost the session.
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

    /// Writes all changes since the last call.
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

/// The byte in the blocks, and the bit in that byte.
fn place(packet_identifier: u16) -> (usize, u8) {
    let byte = usize::from(packet_identifier / 8);
    (byte / BITS_BYTES * BLOCK_BYTES + byte % BITS_BYTES, 1 << (packet_identifier % 8))
}

/// The content of a file without identifiers.
fn fresh(client_identifier: &str) -> Vec<u8> {
    let identifier = client_identifier.as_bytes();
    // Longer identifiers were refused on the command line ([MQTT-1.5.4]).
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

/// The number of bytes before the blocks.
fn header_bytes(identifier_bytes: usize) -> usize {
    (MAGIC.len() + 2 + identifier_bytes + CHECKSUM_BYTES).next_multiple_of(BLOCK_BYTES)
}

fn sum_of(header: &[u8]) -> [u8; CHECKSUM_BYTES] {
    crc32fast::hash(header).to_le_bytes()
}

/// Writes the checksum of a block.
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

/// Why a file is invalid.
#[derive(Debug)]
enum SessionFileFault {
    /// The file is of another kind.
    Foreign,
    /// The file has the wrong length.
    Length {
        found: usize,
        expected: usize,
    },
    Header,
    /// The checksum of this block is wrong.
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

/// The client identifier of a valid file, and the offset of its blocks.
fn check(file: &[u8]) -> Result<(&[u8], usize), SessionFileFault> {
    // A truncated beginning counts as a session file too.
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
        /// Exactly the written identifiers are read again.
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

    /// The content of a used file with identifiers.
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
        // A block copied to the place of another, and a block of zeros.
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

    /// No temporary file is left in the folder, for any client identifier.
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
