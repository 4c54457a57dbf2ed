//! The limits of what a payload decodes to.

#[cfg(feature = "decoders")]
use std::io;

/// What a payload is in another format, or what is wrong with it.
pub(super) type Converted<T = Vec<u8>> = Result<T, String>;

/// How many bytes a payload may have after each step of decoding.
pub const MOST_DECODED_BYTES: usize = 64 * 1024 * 1024;
/// How many values a payload may have. An object counts as several: each takes as much memory.
pub const MOST_VALUES: usize = 1_000_000;
#[cfg(feature = "decoders")]
pub(super) const VALUES_OF_AN_OBJECT: usize = 16;
/// How deep values may be nested.
pub const MOST_NESTING: usize = 100;
/// What the values of one message of Protocol Buffers may take in memory, about.
#[cfg(feature = "decoders")]
pub const MOST_MEMORY_BYTES: usize = 128 * 1024 * 1024;

#[cfg(feature = "decoders")]
pub(super) fn too_deep() -> String {
    format!("nested deeper than {MOST_NESTING} levels")
}

/// Refuses what is too long.
pub(super) fn within_limit(bytes: Vec<u8>) -> Converted {
    if bytes.len() > MOST_DECODED_BYTES { Err(too_long()) } else { Ok(bytes) }
}

pub(super) fn too_long() -> String {
    format!("it decodes to more than {} MiB", MOST_DECODED_BYTES >> 20)
}

/// Takes as many bytes as a payload may decode to.
#[cfg(feature = "decoders")]
#[derive(Debug, Default)]
pub(super) struct Bounded(pub(super) Vec<u8>);

#[cfg(feature = "decoders")]
impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_DECODED_BYTES {
            return Err(io::Error::other(too_long()));
        }
        self.0.try_reserve(bytes.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
