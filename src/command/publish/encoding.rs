//! `pub --encode`: payloads in another format.

use std::borrow::Cow;

use crate::decode::FormatChain;
use crate::error::Error;
use crate::memory;

/// The format in which payloads are encoded.
#[derive(Debug, Clone)]
pub struct Encoding(pub FormatChain);

impl Encoding {
    /// The encoded payload. An empty payload stays empty: it clears a retained message.
    pub(super) fn encoded(&self, payload: &[u8]) -> Result<Vec<u8>, Error> {
        if payload.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = payload.len();
        // Hexadecimal doubles the size, and the previous step may need as much again.
        memory::spare(bytes.saturating_mul(3))
            .map_err(|error| Error::file(format!("--encode: a payload of {bytes} bytes"), error))?;
        self.0.encode(payload).map_err(|why| Error::Input(format!("--encode: {why}")))
    }
}

/// The payload as it is sent.
pub(super) fn encoded<'a>(encode: Option<&Encoding>, payload: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
    encode.map_or(Ok(Cow::Borrowed(payload)), |encode| encode.encoded(payload).map(Cow::Owned))
}
