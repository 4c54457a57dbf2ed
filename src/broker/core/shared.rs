//! Large parts of messages in the output of connections: kept once for all receivers, and counted once.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::bounds::SHARED_BYTES;

/// The sum of all parts that are in the output of at least one connection, in bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct OutputTotal(Arc<AtomicUsize>);

impl OutputTotal {
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The large parts of a message. Smaller ones are copied for each receiver.
#[derive(Debug, Clone, Default)]
pub(super) struct LargeParts {
    pub(super) payload: Option<LargePart>,
    /// The encoded properties that are the same for all receivers.
    pub(super) properties: Option<LargePart>,
}

impl LargeParts {
    /// Those of a message. They are parts of `input` where possible, and otherwise copied once.
    pub(super) fn of(payload: &[u8], properties: &[u8], input: Option<&Bytes>, total: &OutputTotal) -> Self {
        let part = |part: &[u8]| {
            (part.len() >= SHARED_BYTES).then(|| {
                let is_in = |input: &&Bytes| {
                    let (whole, part) = (input.as_ptr_range(), part.as_ptr_range());
                    whole.start <= part.start && part.end <= whole.end
                };
                let bytes = input.filter(is_in).map(|input| input.slice_ref(part));
                LargePart::new(bytes.unwrap_or_else(|| Bytes::copy_from_slice(part)), total)
            })
        };
        Self { payload: part(payload), properties: part(properties) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.payload.is_none() && self.properties.is_none()
    }
}

/// A large payload, or large properties.
#[derive(Clone)]
pub(super) struct LargePart(Arc<CountedPart>);

struct CountedPart {
    bytes: Bytes,
    /// The number of outputs that hold it.
    receivers: AtomicUsize,
    total: OutputTotal,
}

impl LargePart {
    fn new(bytes: Bytes, total: &OutputTotal) -> Self {
        Self(Arc::new(CountedPart { bytes, receivers: AtomicUsize::new(0), total: total.clone() }))
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// The part in the output of one receiver.
    pub(super) fn for_receiver(&self) -> OutputPart {
        if self.0.receivers.fetch_add(1, Ordering::Relaxed) == 0 {
            self.0.total.0.fetch_add(self.0.bytes.len(), Ordering::Relaxed);
        }
        OutputPart(self.clone())
    }
}

impl fmt::Debug for LargePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.bytes.len())
    }
}

/// A part in the output of one receiver.
#[derive(Debug)]
pub(super) struct OutputPart(LargePart);

impl Deref for OutputPart {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl Drop for OutputPart {
    fn drop(&mut self) {
        let counted = &self.0.0;
        if counted.receivers.fetch_sub(1, Ordering::Relaxed) == 1 {
            counted.total.0.fetch_sub(counted.bytes.len(), Ordering::Relaxed);
        }
    }
}
