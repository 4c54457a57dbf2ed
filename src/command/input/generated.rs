//! Generated payloads: random bytes.

use fastrand::Rng;

use crate::error::Error;
use crate::memory;

/// Payloads of one size.
#[derive(Debug, Clone)]
pub struct GeneratedPayloads {
    bytes: usize,
    random: Rng,
}

/// Compares the size, not the bytes.
impl PartialEq for GeneratedPayloads {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for GeneratedPayloads {}

impl GeneratedPayloads {
    /// Payloads of this size; the same in each run with the same seed.
    #[must_use]
    pub fn new(bytes: usize, seed: Option<u64>) -> Self {
        Self { bytes, random: seed.map_or_else(Rng::new, Rng::with_seed) }
    }

    /// The next payload.
    ///
    /// # Errors
    /// Out of memory.
    pub(in crate::command) fn next_payload(&mut self) -> Result<Vec<u8>, Error> {
        let payload = memory::zeros(self.bytes);
        let mut payload =
            payload.map_err(|error| Error::file(format!("a payload of {} bytes", self.bytes), error))?;
        self.random.fill(&mut payload);
        Ok(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_differ_and_come_again_with_their_seed() {
        let first_two = |seed| {
            let mut payloads = GeneratedPayloads::new(100, seed);
            [payloads.next_payload().unwrap(), payloads.next_payload().unwrap()]
        };
        let [first, second] = first_two(Some(1));
        assert!(first.len() == 100 && first != second);
        assert_eq!(first_two(Some(1)), [first.clone(), second]);
        assert_ne!(first_two(Some(2))[0], first);
        assert_ne!(first_two(None)[0], first);
        assert_eq!(GeneratedPayloads::new(0, None).next_payload().unwrap(), b"");
    }
}
