//! The bytes that the stream has not taken yet.

use bytes::{Buf, BytesMut};

use crate::client::scratch::INPUT_BYTES;

/// Maximum number of bytes added to waiting bytes before reading stops: acknowledgements must not accumulate
/// for a broker that does not read.
const MOST_JOINING_BYTES: usize = 1024 * 1024;

/// The bytes waiting to be written. Usually none: the output of a wake-up is written directly.
#[derive(Debug)]
pub(super) struct Unwritten {
    bytes: BytesMut,
    /// Reading stops above this size: the size when bytes began to wait, which one large packet may
    /// determine, plus [`MOST_JOINING_BYTES`].
    most_bytes: usize,
    /// The number of bytes up to the last one from the handler. Acknowledgements and PINGREQs after it are
    /// not progress of the handler.
    handler_bytes: u32,
    /// Whether the stream may still buffer written bytes (TLS).
    unflushed: bool,
}

impl Unwritten {
    pub(super) fn new() -> Self {
        Self { bytes: BytesMut::new(), most_bytes: MOST_JOINING_BYTES, handler_bytes: 0, unflushed: false }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no bytes wait. The stream may still need a flush.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the stream has taken and flushed everything.
    pub(super) fn is_clear(&self) -> bool {
        self.bytes.is_empty() && !self.unflushed
    }

    /// Whether no more bytes may be added.
    pub(super) fn is_full(&self) -> bool {
        self.len() > self.most_bytes
    }

    /// Called when nothing waits and the handler wrote the last byte of this output.
    pub(super) fn filled(&mut self, output: &BytesMut) {
        self.handler_bytes = u32::try_from(output.len()).unwrap_or(u32::MAX);
    }

    /// How many of the next `count` bytes taken by the stream count as the handler's.
    pub(super) fn took_of_handler(&mut self, count: usize) -> usize {
        let part = u32::try_from(count).unwrap_or(u32::MAX).min(self.handler_bytes);
        self.handler_bytes -= part;
        part as usize
    }

    /// The bytes to write now: the waiting bytes, then `output`.
    pub(super) fn joined<'a>(&'a mut self, output: &'a mut BytesMut) -> &'a [u8] {
        if self.bytes.is_empty() {
            return output;
        }
        self.bytes.extend_from_slice(output);
        output.clear();
        &self.bytes
    }

    /// The stream took `count` bytes of [`Self::joined`]; the rest waits. Returns whether those bytes had
    /// waited before.
    pub(super) fn took(&mut self, output: &mut BytesMut, count: usize, flushed: bool) -> bool {
        self.unflushed = !flushed;
        if !self.bytes.is_empty() {
            self.bytes.advance(count);
            if self.bytes.is_empty() {
                self.bytes = BytesMut::new();
            }
            return true;
        }
        if count < output.len() {
            output.advance(count);
            if output.len() > INPUT_BYTES {
                std::mem::swap(&mut self.bytes, output); // a large packet is not copied again
            } else {
                self.bytes.extend_from_slice(output);
            }
            self.most_bytes = self.bytes.len() + MOST_JOINING_BYTES;
        }
        output.clear();
        false
    }

    /// Discards everything: the stream accepts no more bytes.
    pub(super) fn forget(&mut self) {
        *self = Self::new();
    }
}
