//! Standard input as lines, read ahead by a thread: standard input may be a file, a terminal or a pipe, and
//! only a thread can wait for all of them without blocking the connection. A line ends with a line feed, or
//! with another byte (`-0`).
//!
//! Lines are slices of the blocks read, so a line costs no allocation; at most two blocks wait, which bounds
//! memory and applies back-pressure to the writer of the pipe. A line longer than the largest packet is given
//! up as soon as it is; its rest is discarded while it is read, and the next one is read.
//!
//! Records may be compressed, and a file of records may be read more than once.

use std::fs::{File, Metadata};
use std::io::{self, PipeReader, Read, Seek as _, SeekFrom, Stdin};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};

use super::decompress::{Decompressed, FirstBytes};
use crate::error::{Denial, Error};
use crate::platform::descriptors::duplicate;
use crate::platform::files::PositionedFile as _;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::LARGEST_PACKET_BYTES;
use crate::thread::{NoThread, start};

const BLOCK_BYTES: usize = 64 * 1024;
const BLOCKS_AHEAD: usize = 2;

/// The next item of an input. A flat enum, as it is moved for each message.
#[derive(Debug)]
pub(crate) enum NextInput {
    /// The payload of a message, or a line without its terminator.
    Payload(Bytes),
    /// A skipped line that cannot be a message.
    GivenUp(GivenUp),
    /// A payload that cannot be read or made.
    Invalid(Box<Error>),
    End,
}

impl NextInput {
    /// A payload that cannot be read or made, for this reason.
    pub(crate) fn invalid(why: Error) -> Self {
        Self::Invalid(Box::new(why))
    }
}

impl From<Result<Vec<u8>, GivenUp>> for NextInput {
    fn from(line: Result<Vec<u8>, GivenUp>) -> Self {
        match line {
            Ok(line) => Self::Payload(line.into()),
            Err(given_up) => Self::GivenUp(given_up),
        }
    }
}

/// Lines of standard input.
#[derive(Debug)]
pub(crate) struct Lines {
    /// The blocks read; an empty one separates two rounds.
    blocks: mpsc::Receiver<io::Result<Bytes>>,
    /// The byte that ends a line.
    terminator: u8,
    block: Bytes,
    /// The beginning of a line that continues in the next block.
    begun: Begun,
    ended: bool,
    /// Closed when the reading thread has ended.
    reading: Option<oneshot::Receiver<()>>,
    /// The error that ended the input, if any.
    failure: Option<Error>,
    /// Whether the last line returned ended with the input.
    is_cut: bool,
    /// How often the end of the input was reached and reading restarted.
    rounds: u64,
    /// The number of bytes in the lines returned.
    position: u64,
    /// The size of the input in bytes, if known.
    total_bytes: Option<u64>,
    /// Whether compressed input is truncated.
    is_torn: Arc<AtomicBool>,
}

/// A skipped line that cannot be a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GivenUp {
    bytes: u64,
    no_memory: bool,
}

impl GivenUp {
    /// A line longer than any packet.
    pub(crate) fn too_long(bytes: u64) -> Self {
        Self { bytes, no_memory: false }
    }

    /// The reason as an error. `is_record`: the line is the record of a message, and longer than its packet.
    pub(crate) fn error(&self, is_record: bool) -> Error {
        let bytes = self.bytes;
        if self.no_memory {
            return Error::file(format!("its {bytes} bytes"), std::io::ErrorKind::OutOfMemory.into());
        }
        let most = if is_record {
            format!(
                "a record has at most {LARGEST_PACKET_BYTES}. Base64 and escapes make it longer than its packet: mqtt \
                 pub -f FILE, or -s, publishes such a payload as it is"
            )
        } else {
            format!("an MQTT packet has at most {LARGEST_PACKET_BYTES}")
        };
        Error::Refused {
            what: "publish not sent".into(),
            denial: Denial::default(),
            reason: ReasonCode::PACKET_TOO_LARGE,
            text: Some(format!("the line has at least {bytes} bytes; {most}")),
            hint: None,
        }
    }
}

/// The beginning of a line, kept as long as the line may become a message.
#[derive(Debug)]
pub(crate) struct Begun {
    kept: Vec<u8>,
    /// The length of the line so far.
    bytes: u64,
    most_bytes: u64,
    no_memory: bool,
    /// Whether [`Begun::give_up`] has returned the reason.
    is_said: bool,
}

impl Begun {
    pub(crate) fn new(most_bytes: u64) -> Self {
        Self { kept: Vec::new(), bytes: 0, most_bytes, no_memory: false, is_said: false }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    fn forget(&mut self) {
        *self = Self::new(self.most_bytes);
    }

    /// The number of its bytes in memory.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept.len()
    }

    pub(crate) fn extend(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.no_memory |= self.kept.try_reserve(piece.len()).is_err();
        if self.no_memory || self.bytes > self.most_bytes {
            self.kept = Vec::new();
        } else {
            self.kept.extend_from_slice(piece);
        }
    }

    /// Why the line can no longer become a message; returned once, before the line ends.
    pub(crate) fn give_up(&mut self) -> Option<GivenUp> {
        let &mut Self { bytes, most_bytes, no_memory, is_said, .. } = self;
        self.is_said |= no_memory || bytes > most_bytes;
        (self.is_said && !is_said).then_some(GivenUp { bytes, no_memory })
    }

    /// The complete line; `None` for the rest of a line that was given up.
    pub(crate) fn end(&mut self) -> Option<Result<Vec<u8>, GivenUp>> {
        let mut ended = std::mem::replace(self, Self::new(self.most_bytes));
        if ended.is_said { None } else { Some(ended.give_up().map_or(Ok(ended.kept), Err)) }
    }
}

impl Lines {
    /// Starts to read `input`, in which `terminator` ends each line.
    ///
    /// # Errors
    /// The system refuses the reading thread.
    pub(crate) fn read(input: impl Read + Send + 'static, terminator: u8) -> Result<Self, NoThread> {
        Self::read_up_to(LARGEST_PACKET_BYTES.into(), input, terminator)
    }

    /// Skips longer lines.
    fn read_up_to(
        most_bytes: u64,
        input: impl Read + Send + 'static,
        terminator: u8,
    ) -> Result<Self, NoThread> {
        Self::read_by(most_bytes, terminator, move |sender, _| {
            if let Err(Some(error)) = read_blocks(input, sender) {
                let _ = sender.blocking_send(Err(error));
            }
        })
    }

    /// Starts the reading thread.
    fn read_by(
        most_bytes: u64,
        terminator: u8,
        read: impl FnOnce(&mpsc::Sender<io::Result<Bytes>>, &AtomicBool) + Send + 'static,
    ) -> Result<Self, NoThread> {
        let (sender, blocks) = mpsc::channel(BLOCKS_AHEAD);
        let is_torn = Arc::<AtomicBool>::default();
        let torn = Arc::clone(&is_torn);
        let (until_read, reading) = oneshot::channel();
        start("input", move || {
            read(&sender, &torn);
            drop(until_read);
        })?;
        Ok(Self {
            blocks,
            terminator,
            block: Bytes::new(),
            begun: Begun::new(most_bytes),
            ended: false,
            reading: Some(reading),
            failure: None,
            is_cut: false,
            rounds: 0,
            position: 0,
            total_bytes: None,
            is_torn,
        })
    }

    /// Starts to read records from standard input, compressed or not, `rounds` times.
    ///
    /// # Errors
    /// Several rounds of an input that is not a file; the system refuses the reading thread.
    pub(in crate::command) fn read_records(
        stdin: &Stdin,
        terminator: u8,
        rounds: u64,
    ) -> Result<Self, Error> {
        let failed = |error| Error::file("standard input", error);
        let mut file = duplicate(stdin).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        check_rounds(&metadata, rounds)?;
        let mut start = 0;
        let mut total_bytes = None;
        if metadata.is_file() {
            start = file.stream_position().map_err(failed)?;
            let mut first = [0; 4];
            let count = file.read_at(&mut first, start).map_err(failed)?;
            if FirstBytes::of(&first[..count]) == FirstBytes::Plain {
                total_bytes = metadata.len().saturating_sub(start).checked_mul(rounds);
            }
        }
        let lines = Self::read_by(LARGEST_PACKET_BYTES.into(), terminator, move |sender, is_torn| {
            if let Err(Some(error)) = read_rounds(&mut file, start, rounds, sender, is_torn) {
                let _ = sender.blocking_send(Err(error));
            }
        })?;
        Ok(Self { total_bytes, ..lines })
    }

    /// The total number of bytes of all lines, if known.
    pub(in crate::command) fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    /// The number of bytes in the lines returned.
    pub(in crate::command) fn position(&self) -> u64 {
        self.position
    }

    /// How often the input was restarted.
    pub(in crate::command) fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Whether compressed input was truncated.
    pub(in crate::command) fn is_torn(&self) -> bool {
        self.is_torn.load(Ordering::Relaxed)
    }

    /// Whether the last line returned ended with the input: it may be incomplete.
    pub(in crate::command) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Why reading failed. Everything read before was returned.
    pub(in crate::command) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Ready when the input was read to its end. Lines of it may still wait.
    pub(in crate::command) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(reading) = &mut self.reading {
            // The sender only ends.
            let _ = ready!(Pin::new(reading).poll(cx));
            self.reading = None;
        }
        Poll::Ready(())
    }

    /// Stops reading.
    pub(in crate::command) fn stop(&mut self) {
        self.blocks.close();
        self.block = Bytes::new();
        self.begun.forget();
        self.ended = true;
    }

    /// The line that ends with the input, if there is one.
    fn end_of_input(&mut self) -> Option<NextInput> {
        let begun = !self.begun.is_empty();
        let line = if begun { self.begun.end() } else { None };
        self.is_cut = line.is_some();
        line.map(NextInput::from)
    }

    /// The next line. A last line without terminator counts, an empty rest does not.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<NextInput> {
        loop {
            if let Some(end) = memchr::memchr(self.terminator, &self.block) {
                let line = self.block.split_to(end);
                self.block.advance(1);
                self.position += end as u64 + 1;
                self.is_cut = false;
                if self.begun.is_empty() {
                    return Poll::Ready(NextInput::Payload(line));
                }
                self.begun.extend(&line);
                match self.begun.end() {
                    Some(line) => return Poll::Ready(line.into()),
                    None => continue,
                }
            }
            if !self.block.is_empty() {
                self.position += self.block.len() as u64;
                self.begun.extend(&self.block);
                self.block = Bytes::new();
                if let Some(given_up) = self.begun.give_up() {
                    self.is_cut = false;
                    return Poll::Ready(NextInput::GivenUp(given_up));
                }
            }
            if self.ended {
                let last = self.end_of_input();
                return Poll::Ready(last.unwrap_or(NextInput::End));
            }
            match ready!(self.blocks.poll_recv(cx)) {
                Some(Ok(block)) if block.is_empty() => {
                    self.rounds += 1;
                    if let Some(line) = self.end_of_input() {
                        return Poll::Ready(line);
                    }
                }
                Some(Ok(block)) => self.block = block,
                Some(Err(error)) => {
                    self.failure = Some(Error::file("standard input", error));
                    // The end of the line is missing.
                    self.begun.forget();
                    self.ended = true;
                }
                None => self.ended = true,
            }
        }
    }
}

/// The last complete line of a file on standard input, whose position is not changed. `None` if there is
/// none, if it is very long, and for compressed files.
pub(in crate::command) fn last_line(stdin: &Stdin, terminator: u8) -> Option<Vec<u8>> {
    last_line_of(&duplicate(stdin).ok()?, terminator)
}

/// The file's read position does not matter.
fn last_line_of(file: &File, terminator: u8) -> Option<Vec<u8>> {
    let metadata = file.metadata().ok().filter(Metadata::is_file)?;
    let mut first = [0; 4];
    let count = file.read_at(&mut first, 0).ok()?;
    if FirstBytes::of(&first[..count]) != FirstBytes::Plain {
        return None;
    }
    let begin = metadata.len().saturating_sub(BLOCK_BYTES as u64);
    let mut end = vec![0; usize::try_from(metadata.len().saturating_sub(begin)).ok()?];
    file.read_exact_at(&mut end, begin).ok()?;
    end.truncate(memchr::memrchr(terminator, &end)?);
    let line = match memchr::memrchr(terminator, &end) {
        Some(before) => end.split_off(before + 1),
        None if begin == 0 => end,
        None => return None,
    };
    (!line.is_empty()).then_some(line)
}

/// Refuses several rounds of an input that is not a file.
pub(in crate::command) fn check_rounds(metadata: &Metadata, rounds: u64) -> Result<(), Error> {
    if rounds > 1 && !metadata.is_file() {
        return Err(Error::usage("--loop reads standard input again, and it is no file")
            .with_hint("mqtt pub --json --loop 3 < FILE"));
    }
    Ok(())
}

/// Reads a file to its end, `rounds` times.
///
/// # Errors
/// Why reading ended: an error, or the receiver is gone.
fn read_rounds(
    file: &mut File,
    start: u64,
    rounds: u64,
    sender: &mpsc::Sender<io::Result<Bytes>>,
    is_torn: &AtomicBool,
) -> Result<(), Option<io::Error>> {
    for round in 0..rounds {
        if round > 0 {
            file.seek(SeekFrom::Start(start))?;
            sender.blocking_send(Ok(Bytes::new())).map_err(|_| None)?;
        }
        let count = match read_blocks(Decompressed::new(&*file), sender) {
            Err(Some(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                is_torn.store(true, Ordering::Relaxed);
                continue;
            }
            read => read?,
        };
        if count == 0 {
            break;
        }
    }
    Ok(())
}

/// Reads to the end; returns the number of bytes.
///
/// # Errors
/// Like [`read_rounds`].
fn read_blocks(
    mut input: impl Read,
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<u64, Option<io::Error>> {
    let mut total = 0;
    let mut buffer = BytesMut::new();
    loop {
        // Returned lines share their block, so a block is only filled once.
        if buffer.len() < BLOCK_BYTES / 8 {
            buffer = BytesMut::zeroed(BLOCK_BYTES);
        }
        match input.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(count) => {
                total += count as u64;
                sender.blocking_send(Ok(buffer.split_to(count).freeze())).map_err(|_| None)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Some(error)),
        }
    }
}

/// The decompressed input as a pipe, for a reader that waits for a descriptor. `failed` is called with
/// errors.
///
/// # Errors
/// The pipe cannot be created, or the thread.
pub(in crate::command) fn decompressed_pipe(
    input: impl Read + Send + 'static,
    failed: impl FnOnce(&io::Error) + Send + 'static,
) -> io::Result<PipeReader> {
    let (reader, mut writer) = io::pipe()?;
    start("decompression", move || {
        let copied = io::copy(&mut Decompressed::new(input), &mut writer);
        // The reader has gone and needs no more.
        if let Err(error) = copied
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            failed(&error);
        }
    })?;
    Ok(reader)
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
