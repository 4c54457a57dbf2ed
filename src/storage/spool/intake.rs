//! Appends messages to the spool.

use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use super::BLOCK_BYTES;
use super::record::{Envelope, HEADER_BYTES, put, seal};
use super::shared::{IntakeState, SharedSpool, Tail};
use crate::error::Error;
use crate::memory;
use crate::protocol::wire::{LARGEST_PACKET_BYTES, PublishTemplate};

/// The side that takes in.
#[derive(Debug)]
pub struct Intake {
    pub(super) shared: Arc<SharedSpool>,
    /// Knows how large the packets will be.
    pub(super) template: PublishTemplate,
    /// An encoded [`Envelope`].
    pub(super) envelope: Vec<u8>,
    pub(super) most_bytes: u64,
    pub(super) batch: Vec<u8>,
    /// Where each message of the batch ends.
    pub(super) ends: Vec<usize>,
}

impl Intake {
    /// How many bytes the PUBLISH packet of a message has, at most: those of MQTT 5 are the longer ones.
    #[must_use]
    pub fn packet_bytes(&self, payload_bytes: usize) -> usize {
        self.template.packet_bytes(payload_bytes)
    }

    /// Whether there is a packet that large.
    #[must_use]
    pub fn is_possible(&self, payload_bytes: usize) -> bool {
        self.packet_bytes(payload_bytes) <= LARGEST_PACKET_BYTES as usize
    }

    /// Whether there is memory for another payload of so many bytes, in so many copies.
    ///
    /// # Errors
    /// There is none.
    pub fn check_memory(&self, payload_bytes: usize, copies: usize) -> Result<(), Error> {
        let free = self.batch.capacity() - self.batch.len();
        let more = payload_bytes.saturating_mul(copies).saturating_sub(free);
        // What is there moves with a larger allocation.
        memory::spare(if more > 0 { more.saturating_add(self.batch.len()) } else { 0 })
            .map_err(|error| Error::file(format!("a message of {payload_bytes} bytes"), error))
    }

    /// Adds a message to those that [`Intake::take_in`] will take. It must be one that
    /// [is possible](Intake::is_possible): another could never be sent.
    pub fn add(&mut self, payload: &[u8]) {
        put(&mut self.batch, self.shared.key, &self.envelope, payload);
        self.ends.push(self.batch.len());
    }

    /// The same for a message with an envelope of its own, of QoS 1 or 2. `false`: no packet is that large, and
    /// it was not added.
    pub fn add_as(&mut self, envelope: &Envelope, payload: &[u8]) -> bool {
        let packet_bytes = envelope.template().packet_bytes(payload.len());
        if packet_bytes > LARGEST_PACKET_BYTES as usize {
            return false;
        }
        put(&mut self.batch, self.shared.key, &envelope.encode(), payload);
        self.ends.push(self.batch.len());
        true
    }

    /// Messages added and not yet taken in.
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

    /// How many of the messages added there is room for. One always finds some where nothing waits.
    fn fitting(&self, tail: &Tail) -> usize {
        let fit = self.ends.partition_point(|end| tail.end + *end as u64 <= self.most_bytes);
        fit.max(usize::from(tail.messages == 0))
    }

    /// Waits until at least one more byte of input has a place in the file, whatever it is: the end of a
    /// line of which `begun` bytes were read, or a line of its own. Returns how many bytes have one;
    /// `None` if there is no room and will be none in this run. What is read beyond that would be lost
    /// with the program.
    pub fn wait_for_room(&mut self, begun: usize) -> Option<usize> {
        let shared = Arc::clone(&self.shared);
        let mut tail = shared.tail();
        loop {
            let per_line = (HEADER_BYTES + self.envelope.len()) as u64;
            let room = self.most_bytes.saturating_sub(tail.end + begun as u64);
            // Each byte may be a line feed, and with it an empty message.
            let bytes = room / (per_line + 1);
            if tail.course == IntakeState::Closed || bytes > 0 && !Self::is_draining(&tail) {
                break Some(usize::try_from(bytes.max(1)).unwrap_or(usize::MAX));
            }
            if tail.messages == 0 {
                // One message finds room where nothing waits, even one longer than the limit.
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

    /// Takes in what was added, with one write, once there is room: as much of it as there is room for,
    /// and one message at least. The rest still waits.
    ///
    /// # Errors
    /// The file cannot be written, or has no room and will have none. What is whole in it all the same is
    /// taken in; the rest still waits.
    pub fn take_in(&mut self) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let mut tail = shared.tail();
        while self.has_no_room(&tail) {
            // The messages that are kept leave no room in this run.
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
            // A full disk takes a part. What the length of the file says that there is of it, is there.
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
            // The part of a message goes away again. If it does not, the next run passes over it.
            let _ = self.shared.file.set_len(tail.end);
            return Err(self.shared.failed(error));
        }
        if self.ends.is_empty() {
            self.batch.shrink_to(BLOCK_BYTES * 4);
        }
        Ok(())
    }
}
