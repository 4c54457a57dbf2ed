//! The bytes that the stream has not taken yet.

use bytes::{Buf, BytesMut};

use crate::client::scratch::INPUT_BYTES;

/// Bytes that may join what waits to be written before nothing more is read: a broker that does not read
/// what it is sent must not make us pile up acknowledgements.
const MOST_JOINING_BYTES: usize = 1024 * 1024;

/// What waits to be written. Mostly nothing: the output of a wake-up goes to the stream as it is.
#[derive(Debug)]
pub(super) struct Unwritten {
    bytes: BytesMut,
    /// With more than this nothing is read: what began to wait, however large one packet of it is, and
    /// [`MOST_JOINING_BYTES`].
    most_bytes: usize,
    /// What goes to the stream up to the last byte from the handler. Acknowledgements and PINGREQs after it
    /// do not bring the handler's work forward.
    handler_bytes: u32,
    /// The stream may hold back written bytes (TLS).
    unflushed: bool,
}

impl Unwritten {
    pub(super) fn new() -> Self {
        Self { bytes: BytesMut::new(), most_bytes: MOST_JOINING_BYTES, handler_bytes: 0, unflushed: false }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no bytes wait. The stream may still have to be flushed.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the stream has taken everything and holds back nothing.
    pub(super) fn is_clear(&self) -> bool {
        self.bytes.is_empty() && !self.unflushed
    }

    /// Whether nothing more is to join.
    pub(super) fn is_full(&self) -> bool {
        self.len() > self.most_bytes
    }

    /// Nothing waits, and the last byte of this output comes from the handler.
    pub(super) fn filled(&mut self, output: &BytesMut) {
        self.handler_bytes = u32::try_from(output.len()).unwrap_or(u32::MAX);
    }

    /// How many of the next `count` bytes that the stream takes stand before the end of the handler's.
    pub(super) fn took_of_handler(&mut self, count: usize) -> usize {
        let part = u32::try_from(count).unwrap_or(u32::MAX).min(self.handler_bytes);
        self.handler_bytes -= part;
        part as usize
    }

    /// What is to be written now: what has waited, then `output`.
    pub(super) fn joined<'a>(&'a mut self, output: &'a mut BytesMut) -> &'a [u8] {
        if self.bytes.is_empty() {
            return output;
        }
        self.bytes.extend_from_slice(output);
        output.clear();
        &self.bytes
    }

    /// The stream took so many bytes of what [`Self::joined`] gave; the rest waits. Returns whether those
    /// bytes had waited before.
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
                std::mem::swap(&mut self.bytes, output); // a huge packet: not copied once more
            } else {
                self.bytes.extend_from_slice(output);
            }
            self.most_bytes = self.bytes.len() + MOST_JOINING_BYTES;
        }
        output.clear();
        false
    }

    /// Nothing more will be taken.
    pub(super) fn forget(&mut self) {
        *self = Self::new();
    }
}
