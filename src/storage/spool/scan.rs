//! Reading a spool file that an earlier run has left: which messages are whole, how far they have
//! come, and what is damaged. In constant memory, however long the file is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::record::{FILE_HEADER_BYTES, HEADER_BYTES, Header, Stage, find_marker};

const BLOCK_BYTES: usize = 64 * 1024;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The end of the last whole message.
    pub(super) end: u64,
    /// Messages that are not done.
    pub(super) messages: u64,
    /// Those of them that were sent: offset and stage.
    pub(super) sent: Vec<(u64, Stage)>,
    /// Ranges that are no messages, between others.
    pub(super) damaged: Vec<(u64, u64)>,
    /// Bytes behind the last whole message.
    pub(super) torn_bytes: u64,
}

/// Reads the whole file.
pub(super) fn scan(file: &File) -> io::Result<Found> {
    let length = file.metadata()?.len();
    let mut window = Window { file, length, start: 0, bytes: Vec::new() };
    let mut found = Found { end: FILE_HEADER_BYTES, ..Found::default() };
    let mut at = FILE_HEADER_BYTES;
    while at < length {
        if let Some(header) = window.whole_message(at)? {
            if at > found.end {
                found.damaged.push((found.end, at));
            }
            found.messages += u64::from(header.stage != Stage::Done);
            if matches!(header.stage, Stage::Sent(_) | Stage::Received(_)) {
                found.sent.push((at, header.stage));
            }
            at += header.record_bytes();
            found.end = at;
        } else {
            // Where the next one begins nobody says, so it is looked for.
            match window.marker(at + 1)? {
                Some(next) => at = next,
                None => break,
            }
        }
    }
    found.torn_bytes = length - found.end;
    Ok(found)
}

/// A piece of the file in memory.
struct Window<'a> {
    file: &'a File,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// The bytes from `at` on, `wanted` of them or as many as there are.
    fn at(&mut self, at: u64, wanted: usize) -> io::Result<&[u8]> {
        let wanted = wanted.min(usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX));
        let inside = at >= self.start && at + wanted as u64 <= self.start + self.bytes.len() as u64;
        if !inside {
            let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
            self.bytes.resize(left.min(BLOCK_BYTES.max(wanted)), 0);
            self.file.read_exact_at(&mut self.bytes, at)?;
            self.start = at;
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        Ok(&self.bytes[from..from + wanted])
    }

    /// The header of a message that is whole and sound.
    fn whole_message(&mut self, at: u64) -> io::Result<Option<Header>> {
        let Some(header) = Header::read(self.at(at, HEADER_BYTES)?) else { return Ok(None) };
        if at + header.record_bytes() > self.length {
            return Ok(None);
        }
        let mut sum = header.sum();
        let (mut body, mut left) = (at + HEADER_BYTES as u64, header.body_bytes);
        while left > 0 {
            let piece = self.at(body, left.min(BLOCK_BYTES))?;
            sum.update(piece);
            left -= piece.len();
            body += piece.len() as u64;
        }
        Ok(header.matches(sum).then_some(header))
    }

    /// The first marker at or behind `at`.
    fn marker(&mut self, mut at: u64) -> io::Result<Option<u64>> {
        while at < self.length {
            let block = self.at(at, BLOCK_BYTES)?;
            if let Some(found) = find_marker(block, 0) {
                return Ok(Some(at + found as u64));
            }
            // A marker may lie across the border of two blocks.
            at += block.len().saturating_sub(3).max(1) as u64;
        }
        Ok(None)
    }
}
