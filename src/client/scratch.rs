//! Buffers shared by the connections of a thread. A connection uses them during a wake-up and keeps only
//! unprocessed bytes, so that ten thousand idle connections hold no buffers.

use std::cell::RefCell;

use bytes::BytesMut;

/// Maximum number of bytes per read.
pub(super) const INPUT_BYTES: usize = 64 * 1024;
/// Size of the output, in bytes, above which nothing is added before a write.
pub const OUTPUT_BYTES: usize = 64 * 1024;
/// How much the last packet may exceed that size before the buffer is freed.
const OUTPUT_SLACK_BYTES: usize = 16 * 1024;

pub(super) struct Scratch {
    pub(super) input: Box<[u8]>,
    pub(super) output: BytesMut,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        input: vec![0; INPUT_BYTES].into_boxed_slice(),
        output: BytesMut::new(),
    });
}

/// Lends the thread's buffers, with an empty output. Calls must not be nested.
pub(super) fn with<R>(use_it: impl FnOnce(&mut Scratch) -> R) -> R {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.output.clear();
        let result = use_it(scratch);
        if scratch.output.capacity() > OUTPUT_BYTES + OUTPUT_SLACK_BYTES {
            // One large packet must not keep its memory for the rest of the run.
            scratch.output = BytesMut::new();
        }
        result
    })
}
