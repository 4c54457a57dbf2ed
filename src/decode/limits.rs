//! The limits on decoded payloads.

#[cfg(feature = "decoders")]
use std::io;

/// A converted payload, or the error in it.
pub(super) type Converted<T = Vec<u8>> = Result<T, String>;

/// Maximum number of bytes of a payload after each decoding step.
pub const MOST_DECODED_BYTES: usize = 64 * 1024 * 1024;
/// Maximum number of values in a payload. An object counts as several, as it needs the memory of several.
pub const MOST_VALUES: usize = 1_000_000;
#[cfg(feature = "decoders")]
pub(super) const VALUES_OF_AN_OBJECT: usize = 16;
/// Maximum nesting of values.
pub const MOST_NESTING: usize = 100;
/// Approximate memory limit for the values of one Protocol Buffers message.
#[cfg(feature = "decoders")]
pub const MOST_MEMORY_BYTES: usize = 128 * 1024 * 1024;

#[cfg(feature = "decoders")]
pub(super) fn too_deep() -> String {
    format!("nested deeper than {MOST_NESTING} levels")
}

/// Refuses payloads above the limit.
pub(super) fn within_limit(bytes: Vec<u8>) -> Converted {
    if bytes.len() > MOST_DECODED_BYTES { Err(too_long()) } else { Ok(bytes) }
}

pub(super) fn too_long() -> String {
    format!("it decodes to more than {} MiB", MOST_DECODED_BYTES >> 20)
}

/// A buffer that accepts as many bytes as a payload may decode to.
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
