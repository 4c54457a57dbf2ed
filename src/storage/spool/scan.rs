//! Reads a spool file that an earlier run has left: which messages are intact, their stages, and what is
//! damaged. It needs constant memory, whatever the length of the file.

use std::fs::File;
use std::io;

use super::record::{FILE_HEADER_BYTES, HEADER_BYTES, Key, RecordHeader, SpoolStage};
use crate::platform::files::PositionedFile as _;

const BLOCK_BYTES: usize = 64 * 1024;

/// The result of reading a file.
#[derive(Debug, Default)]
pub(super) struct ScannedFile {
    /// The end of the last intact message.
    pub(super) end: u64,
    /// The number of messages that are not done.
    pub(super) messages: u64,
    /// The sent messages among them: offset and stage.
    pub(super) sent: Vec<(u64, SpoolStage)>,
    /// The ranges without messages, between intact ones.
    pub(super) damaged: Vec<(u64, u64)>,
    /// The number of bytes after the last intact message.
    pub(super) torn_bytes: u64,
}

impl ScannedFile {
    /// All ranges without messages; `None` if there are none.
    pub(super) fn left_out(&self) -> Option<Vec<(u64, u64)>> {
        let mut ranges = self.damaged.clone();
        ranges.extend((self.torn_bytes > 0).then_some((self.end, self.end + self.torn_bytes)));
        (!ranges.is_empty()).then_some(ranges)
    }
}

/// Reads the whole file. The time is proportional to its length, whatever the content.
pub(super) fn scan(file: &File, key: Key) -> io::Result<ScannedFile> {
    let length = file.metadata()?.len();
    let mut window = FileWindow { file, key, length, start: 0, bytes: Vec::new() };
    let mut found = ScannedFile { end: FILE_HEADER_BYTES, ..ScannedFile::default() };
    let mut at = FILE_HEADER_BYTES;
    while at < length {
        let Some(header) = window.header(at)? else {
            // The header is damaged, and so is the length: search for the next key.
            match window.find_key(at + 1)? {
                Some(next) => at = next,
                None => break,
            }
            continue;
        };
        let end = at + header.record_bytes();
        if end > length {
            break; // truncated: the next record would begin after the end of the file
        }
        if window.has_whole_body(at, &header)? {
            if at > found.end {
                found.damaged.push((found.end, at));
            }
            found.messages += u64::from(header.stage != SpoolStage::Done);
            if matches!(header.stage, SpoolStage::Sent(_) | SpoolStage::Received(_)) {
                found.sent.push((at, header.stage));
            }
            found.end = end;
        }
        at = end;
    }
    found.torn_bytes = length - found.end;
    Ok(found)
}

/// A section of the file in memory.
struct FileWindow<'a> {
    file: &'a File,
    key: Key,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl FileWindow<'_> {
    /// The bytes from `at` on: at least `least` of them unless the file ends earlier, and everything else in
    /// memory.
    fn at(&mut self, at: u64, least: usize) -> io::Result<&[u8]> {
        let left = self.length.saturating_sub(at);
        let end = self.start + self.bytes.len() as u64;
        if at < self.start || at + left.min(least as u64) > end {
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK_BYTES);
            self.bytes.resize(count, 0);
            self.file.read_exact_at(&mut self.bytes, at)?;
            self.start = at;
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes.get(from..).unwrap_or_default())
    }

    fn header(&mut self, at: u64) -> io::Result<Option<RecordHeader>> {
        let key = self.key;
        Ok(RecordHeader::read(self.at(at, HEADER_BYTES)?, key, at))
    }

    /// Whether the body of a record is intact.
    fn has_whole_body(&mut self, at: u64, header: &RecordHeader) -> io::Result<bool> {
        let mut sum = crc32fast::Hasher::new();
        let (mut body, mut left) = (at + HEADER_BYTES as u64, header.body_bytes);
        while left > 0 {
            let piece = self.at(body, 1)?;
            let piece = &piece[..piece.len().min(left)];
            sum.update(piece);
            left -= piece.len();
            body += piece.len() as u64;
        }
        Ok(header.matches(sum))
    }

    /// The position of the first key from `at` on.
    fn find_key(&mut self, mut at: u64) -> io::Result<Option<u64>> {
        let key = self.key;
        while at < self.length {
            let block = self.at(at, Key::BYTES)?;
            if let Some(found) = key.find(block) {
                return Ok(Some(at + found as u64));
            }
            // A key may span two blocks.
            at += block.len().saturating_sub(Key::BYTES - 1).max(1) as u64;
        }
        Ok(None)
    }
}
