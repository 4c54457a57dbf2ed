//! `pub --encode`: payloads in another format.

use std::borrow::Cow;

use crate::decode::FormatChain;
use crate::error::Error;
use crate::memory;

/// A format that payloads are encoded in.
#[derive(Debug, Clone)]
pub struct Encoding(pub FormatChain);

impl Encoding {
    /// A payload in this format. An empty one stays empty: it clears a retained message.
    pub(super) fn encoded(&self, payload: &[u8]) -> Result<Vec<u8>, Error> {
        if payload.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = payload.len();
        // Hexadecimal takes twice as much, and a step before may take as much again.
        memory::spare(bytes.saturating_mul(3))
            .map_err(|error| Error::file(format!("--encode: a payload of {bytes} bytes"), error))?;
        self.0.encode(payload).map_err(|why| Error::Input(format!("--encode: {why}")))
    }
}

/// A payload as it is sent.
pub(super) fn encoded<'a>(encode: Option<&Encoding>, payload: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
    encode.map_or(Ok(Cow::Borrowed(payload)), |encode| encode.encoded(payload).map(Cow::Owned))
}
