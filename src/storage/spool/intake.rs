//! Appends messages to the spool.

use std::io::ErrorKind;
use std::sync::Arc;

use super::BLOCK_BYTES;
use super::record::{Envelope, HEADER_BYTES, put, seal};
use super::shared::{IntakeState, SharedSpool, Tail};
use crate::error::Error;
use crate::memory;
use crate::platform::files::PositionedFile as _;
use crate::protocol::wire::{LARGEST_PACKET_BYTES, PublishTemplate};

/// The side of the spool that takes in messages.
#[derive(Debug)]
pub struct Intake {
    pub(super) shared: Arc<SharedSpool>,
    /// Used to compute packet sizes.
    pub(super) template: PublishTemplate,
    /// An encoded [`Envelope`].
    pub(super) envelope: Vec<u8>,
    pub(super) most_bytes: u64,
    pub(super) batch: Vec<u8>,
    /// The end of each message of the batch.
    pub(super) ends: Vec<usize>,
}

impl Intake {
    /// The maximum size of a message's PUBLISH packet, in bytes: that of MQTT 5, which is the longer one.
    #[must_use]
    pub fn packet_bytes(&self, payload_bytes: usize) -> usize {
        self.template.packet_bytes(payload_bytes)
    }

    /// Whether the packet would be within MQTT's limit.
    #[must_use]
    pub fn is_possible(&self, payload_bytes: usize) -> bool {
        self.packet_bytes(payload_bytes) <= LARGEST_PACKET_BYTES as usize
    }

    /// Checks that there is memory for `copies` copies of another payload of this size.
    ///
    /// # Errors
    /// Out of memory.
    pub fn check_memory(&self, payload_bytes: usize, copies: usize) -> Result<(), Error> {
        let free = self.batch.capacity() - self.batch.len();
        let more = payload_bytes.saturating_mul(copies).saturating_sub(free);
        // A larger allocation also copies the existing bytes.
        memory::spare(if more > 0 { more.saturating_add(self.batch.len()) } else { 0 })
            .map_err(|error| Error::file(format!("a message of {payload_bytes} bytes"), error))
    }

    /// Adds a message for the next [`Intake::take_in`]. It must be [possible](Intake::is_possible): otherwise
    /// it could never be sent.
    pub fn add(&mut self, payload: &[u8]) {
        Envelope::take_in_now(&mut self.envelope);
        put(&mut self.batch, self.shared.key, &self.envelope, payload);
        self.ends.push(self.batch.len());
    }

    /// Adds a message with its own envelope, of QoS 1 or 2. Returns `false`, without adding it, if its packet
    /// would exceed MQTT's limit.
    pub fn add_as(&mut self, envelope: &Envelope, payload: &[u8]) -> bool {
        if envelope.packet_bytes(payload.len()) > LARGEST_PACKET_BYTES as usize {
            return false;
        }
        put(&mut self.batch, self.shared.key, &envelope.encode(), payload);
        self.ends.push(self.batch.len());
        true
    }

    /// The number of messages added and not yet taken in.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.ends.len()
    }

    /// Whether [`Intake::take_in`] would have to wait for messages to be sent.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.has_no_room(&self.shared.tail())
    }

    fn has_no_room(&self, tail: &Tail) -> bool {
        tail.course != IntakeState::Closed
            && (Self::is_draining(tail) || !self.ends.is_empty() && self.fitting(tail) == 0)
    }

    /// How many of the added messages fit. An empty spool always takes one.
    fn fitting(&self, tail: &Tail) -> usize {
        let fit = self.ends.partition_point(|end| tail.end + *end as u64 <= self.most_bytes);
        fit.max(usize::from(tail.messages == 0))
    }

    /// Waits until at least one more byte of input fits into the file, whether it ends a line of which
    /// `begun` bytes were read, or is a line of its own. Returns the number of bytes that fit; `None` if
    /// there is no room and will be none in this run. Bytes read beyond that would be lost with the program.
    pub fn wait_for_room(&mut self, begun: usize) -> Option<usize> {
        let shared = Arc::clone(&self.shared);
        let mut tail = shared.tail();
        loop {
            let per_line = (HEADER_BYTES + self.envelope.len()) as u64;
            let room = self.most_bytes.saturating_sub(tail.end + begun as u64);
            // Each byte may be a line feed, and so an empty message.
            let bytes = room / (per_line + 1);
            if tail.course == IntakeState::Closed || bytes > 0 && !Self::is_draining(&tail) {
                break Some(usize::try_from(bytes.max(1)).unwrap_or(usize::MAX));
            }
            if tail.messages == 0 {
                // An empty spool takes one message, even one longer than the limit.
                break Some(if room == 0 { usize::MAX } else { 1 });
            }
            if tail.course == IntakeState::Ending || tail.messages == tail.kept {
                break None;
            }
            tail = shared.wait_for_room(tail, true);
        }
    }

    fn is_draining(tail: &Tail) -> bool {
        tail.draining && tail.messages > tail.kept
    }

    /// The error for input without room in the file.
    #[must_use]
    pub fn no_room(&self) -> Error {
        let full = format!("it is full: {} bytes (--spool-max-size)", self.most_bytes);
        self.shared.failed(std::io::Error::new(ErrorKind::StorageFull, full))
    }

    /// Writes the added messages with one write, once there is room: as many as fit, and at least one. The
    /// others still wait.
    ///
    /// # Errors
    /// The file cannot be written, or has no room and will have none. Messages that were written completely
    /// are taken in; the others still wait.
    pub fn take_in(&mut self) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let mut tail = shared.tail();
        while self.has_no_room(&tail) {
            // Kept messages occupy the file for the rest of this run.
            if tail.course == IntakeState::Ending || tail.messages == tail.kept {
                return if self.ends.is_empty() { Ok(()) } else { Err(self.no_room()) };
            }
            tail = shared.wait_for_room(tail, !self.ends.is_empty());
        }
        if self.ends.is_empty() {
            return Ok(());
        }
        if tail.course == IntakeState::Closed {
            let closed = std::io::Error::new(ErrorKind::BrokenPipe, "it was closed");
            return Err(self.shared.failed(closed));
        }
        let fitting = self.fitting(&tail);
        let mut begin = 0;
        for end in &self.ends[..fitting] {
            seal(&mut self.batch[begin..*end], self.shared.key, tail.end + begin as u64);
            begin = *end;
        }
        let batch = &self.batch[..begin];
        let written = self.shared.file.write_all_at(batch, tail.end);
        let whole = if written.is_ok() {
            fitting
        } else {
            // A full disk accepts a part. Everything up to the length of the file was written.
            let length = self.shared.file.metadata().map_or(tail.end, |metadata| metadata.len());
            self.ends.partition_point(|end| tail.end + *end as u64 <= length).min(fitting)
        };
        let taken = whole.checked_sub(1).map_or(0, |last| self.ends[last]);
        tail.end += taken as u64;
        tail.messages += whole as u64;
        self.shared.touch(&mut tail);
        self.ends.drain(..whole);
        self.ends.iter_mut().for_each(|end| *end -= taken);
        self.batch.drain(..taken);
        if let Err(error) = written {
            // Removes the incomplete message. If that fails, the next run skips it.
            let _ = self.shared.file.set_len(tail.end);
            return Err(self.shared.failed(error));
        }
        if self.ends.is_empty() {
            self.batch.shrink_to(BLOCK_BYTES * 4);
        }
        Ok(())
    }
}
