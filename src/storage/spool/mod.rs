//! The spool of a publisher: messages in a file until the broker has acknowledged them.
//!
//! Messages are appended at the end as they arrive ([`Intake`], possibly in another thread) and sent from the
//! front ([`Spool`]). The stage of each message is updated in place and takes no extra space: even on a full
//! disk the messages in the file can be sent and marked as done. When all are done the file is truncated.
//!
//! **Exactly once.** At QoS 2 the order is: packet identifier into the file → PUBLISH; PUBREC → stage into
//! the file → PUBREL; PUBCOMP → done. If the broker has kept the session, the next run continues with the
//! same identifiers: it sends PUBLISH again for messages without PUBREC, and PUBREL for the others. If the
//! broker has lost the session, that is recorded first, and all messages are sent again. (A kill between the
//! broker's CONNACK and that record makes the next run release messages that the broker does not know: MQTT
//! offers no remedy.) At QoS 1 the next run sends all unacknowledged messages.
//!
//! **Durability.** Everything is written before it is acted upon, so no accepted message is lost when the
//! program is killed. The file is synchronised to the disk at most a second after a change
//! ([`Spool::keep_synchronised`]), and when a run ends: a loss of power loses at most the last second of new
//! messages, or of marks, whose messages are then sent twice.
//!
//! **Bounds.** Memory does not grow with the file. The file does not grow beyond a limit: intake waits until
//! everything in it is sent and the file is truncated. Long before that, once only the messages in flight are
//! left, intake waits for them ([`CUT_BYTES`]), so a file is long only if many messages are unsent. When the
//! disk is full, an incompletely written message is removed, and the intake returns the error.
//!
//! **Kept messages.** A message that the broker refuses now, but may accept later, stays for the next run,
//! and is not sent again in this one. The file is then truncated after the last of these.
//!
//! **Messages that cannot be sent.** A message that must not be sent ([`SpooledMessage::fault`]) would end
//! the connection in every run, and so may a message that only the broker rejects. The spool's user stores
//! such a message elsewhere and marks it as done here ([`Spool::set_aside`]). Its number is its offset in the
//! file, which stays the same in each run while the message exists.
//!
//! **Damage.** Each message has a checksum. Damaged records are skipped, anywhere in the file, and intact
//! records after them are used. No part of a payload is taken for a record ([`record`]).

mod damage;
mod intake;
mod record;
mod scan;
mod shared;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use self::record::{
    Beginning, FILE_HEADER_BYTES, FILE_HEADER_LENGTH, FileHeader, HEADER_BYTES, Key, RecordHeader,
    STAGE_OFFSET, SpoolStage,
};
use self::shared::{IntakeState, SharedSpool, Tail};
use super::{make_whole, not_ours, open_alone, unusable};
use crate::error::Error;
use crate::memory;
use crate::platform::files::PositionedFile as _;
use crate::thread::{NoThread, start};

pub use self::intake::Intake;
pub use self::record::Envelope;

/// A file longer than this is truncated as soon as everything in it was sent.
const CUT_BYTES: u64 = 1024 * 1024;
/// A file shorter than this is not truncated before the end of the run: truncating costs more than appending.
const LEFT_BYTES: u64 = 64 * 1024;
/// Number of bytes per read.
const BLOCK_BYTES: usize = 64 * 1024;
/// Maximum time before a change is synchronised.
const SYNCHRONISED_WITHIN: Duration = Duration::from_secs(1);

/// A message from the spool.
#[derive(Debug, Clone)]
pub struct SpooledMessage {
    /// The message's offset in the file, which identifies it.
    pub place: u64,
    /// Everything but the payload; shared with the message before if it is equal.
    pub envelope: Arc<Envelope>,
    /// The payload.
    pub payload: Bytes,
    /// Why it must not be sent: the broker would end the connection.
    pub fault: Option<Arc<str>>,
    /// When it was taken in, if its Message Expiry Interval counts from then on.
    pub taken_in: Option<SystemTime>,
}

/// A QoS 2 message that an earlier run has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentMessage {
    /// Its place in the spool.
    pub place: u64,
    /// The packet identifier it was sent with.
    pub packet_identifier: u16,
    /// Whether PUBREC was received.
    pub received: bool,
}

/// What an earlier run left in the spool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Messages not yet acknowledged.
    pub messages: u64,
    /// The QoS 2 messages that were sent, in the order of sending.
    pub sent_messages: Vec<SentMessage>,
    /// Whether they belong to another client identifier.
    pub of_another_client: bool,
    /// The number of bytes outside intact messages.
    pub damaged_bytes: u64,
    /// The file with a copy of these bytes, or why they could not be copied.
    pub kept_damage: Option<Result<PathBuf, String>>,
}

/// An envelope, encoded and decoded.
#[derive(Debug)]
struct KnownEnvelope {
    bytes: Vec<u8>,
    envelope: Arc<Envelope>,
    /// Why messages with this envelope must not be sent.
    fault: Option<Arc<str>>,
}

/// The side of the spool that sends messages.
#[derive(Debug)]
pub struct Spool {
    shared: Arc<SharedSpool>,
    /// The offset up to which the file was read.
    cursor: u64,
    /// Bytes read ahead, from `block_start` on.
    block: Vec<u8>,
    block_start: u64,
    /// Ranges to skip.
    damaged: Vec<(u64, u64)>,
    /// Messages after the cursor that are already in flight.
    taken_up: BTreeSet<u64>,
    /// The stages in the file other than waiting and done.
    marked: BTreeMap<u64, SpoolStage>,
    /// Stages not yet written to the file.
    marks: Vec<(u64, SpoolStage)>,
    /// The ends of kept messages that are not yet counted in the tail.
    kept: Vec<u64>,
    /// The latest envelope.
    envelope: Option<KnownEnvelope>,
}

impl Spool {
    /// Opens a spool, or creates it.
    ///
    /// # Errors
    /// The file cannot be used, is in use, or is of another kind.
    pub fn open(path: &Path, client_identifier: &str) -> Result<(Self, Left), Error> {
        match open_alone(path) {
            // Created with its header or not at all: an incomplete header would look like a truncated spool.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let header = FileHeader::new(Key::random(), client_identifier);
                let made = make_whole(path, &header.encode()).and_then(|()| open_alone(path));
                Self::read_in(path, made.map_err(unusable(path))?, client_identifier)
            }
            file => Self::read_in(path, file.map_err(unusable(path))?, client_identifier),
        }
    }

    /// Opens an existing spool, for a run without input.
    ///
    /// # Errors
    /// Like [`Spool::open`], and if the file does not exist.
    pub fn open_existing(path: &Path, client_identifier: &str) -> Result<(Self, Left), Error> {
        let file = open_alone(path).map_err(unusable(path))?;
        Self::read_in(path, file, client_identifier)
    }

    fn read_in(path: &Path, file: File, client_identifier: &str) -> Result<(Self, Left), Error> {
        let failed = unusable(path);
        let mut first = vec![0; FILE_HEADER_LENGTH];
        let length = file.metadata().map_err(&failed)?.len();
        first.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        file.read_exact_at(&mut first, 0).map_err(&failed)?;
        // The header is written in one step, so an incomplete one is the rest of a truncated spool. An empty
        // file, as `mktemp` makes it, is not a spool yet and becomes one.
        let (before, left_of_header) = match FileHeader::read(&first) {
            Beginning::Whole(header) => (Some(header), 0),
            Beginning::CutOff(bytes) => (None, bytes as u64),
            Beginning::Foreign => return Err(not_ours(path, "a spool")),
        };
        let key = before.map_or_else(Key::random, |header| header.key);
        let header = FileHeader::new(key, client_identifier);
        let of_another_client = before.is_some_and(|before| before != header);
        if before != Some(header) {
            if before.is_none() {
                file.set_len(0).map_err(&failed)?;
            }
            file.write_all_at(&header.encode(), 0).map_err(&failed)?;
        }
        let found = scan::scan(&file, key).map_err(&failed)?;
        let kept_damage = found
            .left_out()
            .map(|ranges| damage::keep(path, &file, &ranges).map_err(|error| error.to_string()));
        if found.torn_bytes > 0 {
            file.set_len(found.end).map_err(&failed)?;
        }
        let sent_messages = found.sent.iter().filter_map(|(place, stage)| match *stage {
            SpoolStage::Sent(packet_identifier) => {
                Some(SentMessage { place: *place, packet_identifier, received: false })
            }
            SpoolStage::Received(packet_identifier) => {
                Some(SentMessage { place: *place, packet_identifier, received: true })
            }
            SpoolStage::Waiting | SpoolStage::Done => None,
        });
        let left = Left {
            messages: found.messages,
            sent_messages: sent_messages.collect(),
            of_another_client,
            damaged_bytes: left_of_header
                + found.torn_bytes
                + found.damaged.iter().map(|(from, to)| to - from).sum::<u64>(),
            kept_damage,
        };
        let tail = Tail {
            end: found.end,
            messages: found.messages,
            kept: 0,
            floor: FILE_HEADER_BYTES,
            draining: false,
            intake_waits: false,
            unsynchronised: true,
            course: IntakeState::Sending,
            failure: None,
        };
        let shared = SharedSpool {
            path: path.to_owned(),
            file,
            key,
            tail: Mutex::new(tail),
            room: Condvar::new(),
            changed: Condvar::new(),
        };
        let mut spool = Self {
            shared: Arc::new(shared),
            cursor: FILE_HEADER_BYTES,
            block: Vec::new(),
            block_start: 0,
            damaged: found.damaged,
            taken_up: BTreeSet::new(),
            marked: found.sent.into_iter().collect(),
            marks: Vec::new(),
            kept: Vec::new(),
            envelope: None,
        };
        if left.messages == 0 {
            spool.cut()?;
        }
        Ok((spool, left))
    }

    /// The side that takes in messages with this envelope; the file grows to at most `most_bytes`.
    #[must_use]
    pub fn intake(&self, envelope: &Envelope, most_bytes: u64) -> Intake {
        let template = envelope.template();
        let shared = Arc::clone(&self.shared);
        Intake {
            shared,
            template,
            envelope: envelope.encode(),
            most_bytes,
            batch: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Starts to synchronise changes a second after they are made. The next [`Spool::write`] returns a
    /// failure.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub fn keep_synchronised(&self) -> Result<(), NoThread> {
        let shared = Arc::clone(&self.shared);
        start("fsync", move || {
            loop {
                let mut tail = shared.tail();
                while !tail.unsynchronised && tail.course != IntakeState::Closed {
                    tail = shared.changed.wait(tail).unwrap_or_else(PoisonError::into_inner);
                }
                if tail.course != IntakeState::Closed {
                    let wait = shared.changed.wait_timeout(tail, SYNCHRONISED_WITHIN);
                    tail = wait.unwrap_or_else(PoisonError::into_inner).0;
                }
                if tail.course == IntakeState::Closed {
                    return;
                }
                tail.unsynchronised = false;
                drop(tail);
                if let Err(error) = shared.file.sync_data() {
                    shared.tail().failure = Some(error);
                }
            }
        })?;
        Ok(())
    }

    /// The number of messages that are not done.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.shared.tail().messages
    }

    /// Whether intake waits for messages to be sent.
    #[must_use]
    pub fn intake_waits(&self) -> bool {
        self.shared.tail().intake_waits
    }

    /// The next message to send; `None` if there is none now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_message(&mut self) -> Result<Option<SpooledMessage>, Error> {
        loop {
            let end = self.shared.tail().end;
            if let Some(index) = self.damaged.iter().position(|(from, _)| *from == self.cursor) {
                self.cursor = self.damaged.swap_remove(index).1;
            }
            if self.cursor >= end {
                self.drain_if_long();
                return Ok(None);
            }
            let place = self.cursor;
            let header = self.header(place, end)?;
            self.cursor += header.record_bytes();
            let waits = match header.stage {
                SpoolStage::Done => false,
                _ => !self.taken_up.remove(&place),
            };
            if waits {
                return self.message(place, header, end).map(Some);
            }
        }
    }

    /// If everything in a long file was sent, requests its truncation once the rest is done.
    fn drain_if_long(&self) {
        let mut tail = self.shared.tail();
        tail.draining |= tail.end > tail.floor + CUT_BYTES && tail.messages > tail.kept;
    }

    /// A message that an earlier run has sent, to be sent again; [`Spool::next_message`] will skip it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn take_up(&mut self, place: u64) -> Result<SpooledMessage, Error> {
        let message = self.read(place)?;
        self.taken_up.insert(place);
        Ok(message)
    }

    /// Reads a message that is not done again.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&mut self, place: u64) -> Result<SpooledMessage, Error> {
        let end = self.shared.tail().end;
        let header = self.header(place, end)?;
        self.message(place, header, end)
    }

    /// The message with this number; `None` if there is none or it is done.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn find(&mut self, place: u64) -> Result<Option<SpooledMessage>, Error> {
        let end = self.shared.tail().end;
        // Stages may have changed since the block was read.
        (self.block, self.block_start) = (Vec::new(), 0);
        let is_inside = place >= FILE_HEADER_BYTES && place.saturating_add(HEADER_BYTES as u64) <= end;
        let key = self.shared.key;
        let header = if is_inside {
            RecordHeader::read(self.bytes(place, HEADER_BYTES, end)?, key, place)
        } else {
            None
        };
        let is_damaged = self.damaged.iter().any(|(from, to)| (*from..*to).contains(&place));
        match header.filter(|header| header.stage != SpoolStage::Done && !is_damaged) {
            Some(header) => self.message(place, header, end).map(Some),
            None => Ok(None),
        }
    }

    /// Marks a message as done that was stored elsewhere and not sent.
    pub fn set_aside(&mut self, place: u64) {
        if place >= self.cursor {
            self.taken_up.insert(place);
        }
        self.done(place);
    }

    fn header(&mut self, place: u64, end: u64) -> Result<RecordHeader, Error> {
        let key = self.shared.key;
        let header = RecordHeader::read(self.bytes(place, HEADER_BYTES, end)?, key, place);
        header.ok_or_else(|| not_ours(&self.shared.path, "the spool that was opened"))
    }

    fn message(&mut self, place: u64, header: RecordHeader, end: u64) -> Result<SpooledMessage, Error> {
        let foreign = not_ours(&self.shared.path, "the spool that was opened");
        let known = self.envelope.take();
        let body = self.bytes(place + HEADER_BYTES as u64, header.body_bytes, end)?;
        let mut sum = crc32fast::Hasher::new();
        sum.update(body);
        if !header.matches(sum) {
            return Err(foreign);
        }
        let (bytes, payload) = body.split_at(Envelope::measure(body));
        let taken_in = Envelope::taken_in(bytes);
        let known = known.filter(|known| known.bytes == bytes).unwrap_or_else(|| {
            let (envelope, fault) = Envelope::decode(bytes);
            KnownEnvelope { bytes: bytes.to_vec(), envelope: Arc::new(envelope), fault: fault.map(Arc::from) }
        });
        let message = SpooledMessage {
            place,
            envelope: Arc::clone(&known.envelope),
            payload: Bytes::copy_from_slice(payload),
            fault: known.fault.clone(),
            taken_in,
        };
        self.envelope = Some(known);
        Ok(message)
    }

    /// Bytes of the file, read in blocks.
    fn bytes(&mut self, from: u64, count: usize, end: u64) -> Result<&[u8], Error> {
        let block_end = self.block_start + self.block.len() as u64;
        if from < self.block_start || from + count as u64 > block_end {
            let ahead = usize::try_from(end.saturating_sub(from)).unwrap_or(usize::MAX).min(BLOCK_BYTES);
            if self.block.len() > BLOCK_BYTES && count <= BLOCK_BYTES {
                self.block = Vec::new(); // one large message must not keep its memory
            }
            let wanted = count.max(ahead);
            // The message is copied from the block, so memory is needed for both.
            let room = memory::spare(wanted.saturating_sub(self.block.capacity()) + count);
            let read = room.and_then(|()| {
                self.block.resize(wanted, 0);
                self.shared.file.read_exact_at(&mut self.block, from)
            });
            read.map_err(|error| Error::file(format!("cannot read {}", self.shared.path.display()), error))?;
            self.block_start = from;
        }
        let start = usize::try_from(from - self.block_start).unwrap_or(usize::MAX);
        Ok(&self.block[start..start + count])
    }

    /// A QoS 2 message will be sent with this packet identifier. Must be written before it is sent.
    pub fn sent(&mut self, place: u64, packet_identifier: u16) {
        self.mark(place, SpoolStage::Sent(packet_identifier));
    }

    /// PUBREC was received. Must be written before PUBREL is sent.
    pub fn received(&mut self, place: u64) {
        if let Some(SpoolStage::Sent(packet_identifier)) = self.marked.get(&place) {
            self.mark(place, SpoolStage::Received(*packet_identifier));
        }
    }

    /// The broker has the message, or has refused it for good.
    pub fn done(&mut self, place: u64) {
        self.mark(place, SpoolStage::Done);
    }

    /// The broker refuses the message for now: the next run sends it from the start.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn keep(&mut self, place: u64) -> Result<(), Error> {
        let end = self.shared.tail().end;
        let behind = place + self.header(place, end)?.record_bytes();
        self.mark(place, SpoolStage::Waiting);
        self.kept.push(behind);
        Ok(())
    }

    /// The broker has lost the session: sent messages are sent again from the start.
    pub fn forget_sent(&mut self) {
        let places: Vec<u64> = self.marked.keys().copied().collect();
        for place in places {
            self.mark(place, SpoolStage::Waiting);
        }
    }

    fn mark(&mut self, place: u64, stage: SpoolStage) {
        let before = match stage {
            SpoolStage::Sent(_) | SpoolStage::Received(_) => self.marked.insert(place, stage),
            SpoolStage::Waiting | SpoolStage::Done => self.marked.remove(&place),
        };
        if before != Some(stage) {
            self.marks.push((place, stage));
        }
    }

    /// Writes the changed stages.
    ///
    /// # Errors
    /// The file cannot be written or, earlier, could not be synchronised.
    pub fn write(&mut self) -> Result<(), Error> {
        if self.marks.is_empty() {
            return Ok(());
        }
        let mut done = 0;
        for (place, stage) in self.marks.drain(..) {
            let written = self.shared.file.write_all_at(&stage.encode(), place + STAGE_OFFSET);
            written.map_err(|error| self.shared.failed(error))?;
            done += u64::from(stage == SpoolStage::Done);
        }
        let shared = Arc::clone(&self.shared);
        let mut tail = shared.tail();
        if let Some(error) = tail.failure.take() {
            return Err(self.shared.failed(error));
        }
        self.shared.touch(&mut tail);
        tail.messages = tail.messages.saturating_sub(done);
        tail.kept += self.kept.len() as u64;
        tail.floor = self.kept.drain(..).fold(tail.floor, u64::max);
        // With kept messages, the intake relies on the file being truncated already.
        let cut = tail.draining || tail.kept > 0 || tail.end > LEFT_BYTES;
        if cut { self.cut_in(&mut tail) } else { Ok(()) }
    }

    /// Truncates the file to the kept messages, if all others are done.
    fn cut(&mut self) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        self.cut_in(&mut shared.tail())
    }

    fn cut_in(&mut self, tail: &mut Tail) -> Result<(), Error> {
        if tail.messages > tail.kept {
            return Ok(());
        }
        self.shared.file.set_len(tail.floor).map_err(|error| self.shared.failed(error))?;
        (tail.end, tail.draining) = (tail.floor, false);
        self.shared.touch(tail);
        self.shared.room.notify_all();
        self.cursor = tail.floor;
        (self.block, self.block_start) = (Vec::new(), 0);
        self.damaged.clear();
        self.taken_up.clear();
        Ok(())
    }

    /// Announces that nothing more is sent in this run: input that does not fit is refused.
    pub fn stop_waiting(&self) {
        self.shared.tail().course = IntakeState::Ending;
        self.shared.room.notify_all();
    }

    /// Synchronises the file, truncated if nothing is left in it, and accepts no further messages. Returns
    /// the number of messages that remain.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn close(mut self) -> Result<u64, Error> {
        self.write()?;
        self.cut()?;
        let mut tail = self.shared.tail();
        tail.course = IntakeState::Closed;
        self.shared.changed.notify_all();
        self.shared.room.notify_all();
        let messages = tail.messages;
        drop(tail);
        self.shared.file.sync_data().map_err(|error| self.shared.failed(error))?;
        Ok(messages)
    }
}
