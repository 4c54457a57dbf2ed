//! Which messages of a flow have come: new ones, late ones, ones that came before. A flow is what
//! one publisher sends on one topic to one subscriber (or one group of them), numbered from 0.
//!
//! Memory is constant: a bit for each of the latest messages. A message older than that is neither
//! called new nor a duplicate but stale, and the report says how many there were.

/// What a message is to its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The next one, or one behind a gap.
    InOrder,
    /// The first time, but after one that was sent later (RFC 4737).
    Reordered,
    /// Not the first time.
    Duplicate,
    /// So old that nobody can say.
    Stale,
}

/// Words of memory for a flow with one receiver.
pub(super) const PLAIN_WORDS: usize = 8;
/// For a group, whose members may be thousands of messages apart.
pub(super) const SHARED_WORDS: usize = 1024;

/// The flows of one thread.
#[derive(Debug)]
pub(super) struct Flows {
    /// The lowest number that has not come, and neither has any after it.
    next: Vec<u64>,
    /// Zeroed by the system and not touched before they are used, so that a flow without messages
    /// takes no memory.
    bits: Vec<u64>,
    words: usize,
}

impl Flows {
    pub(super) fn new(flows: usize, words: usize) -> Self {
        Self { next: vec![0; flows], bits: vec![0; flows * words], words }
    }

    /// Bytes that so many flows take once all of them are in use.
    pub(super) fn bytes(flows: usize, words: usize) -> u64 {
        (flows * (words + 1) * 8) as u64
    }

    /// Takes note of a message; `None` if there is no such flow.
    pub(super) fn observe(&mut self, flow: usize, sequence: u64) -> Option<Arrival> {
        let next = self.next.get_mut(flow)?;
        let window = &mut self.bits[flow * self.words..][..self.words];
        let bits = window.len() as u64 * 64;
        let place = |sequence: u64| {
            let bit = sequence % bits;
            (usize::try_from(bit / 64).unwrap_or(0), 1_u64 << (bit % 64))
        };
        let (word, mask) = place(sequence);
        if sequence >= *next {
            if sequence - *next >= bits {
                window.fill(0);
            } else {
                for skipped in *next..sequence {
                    let (word, mask) = place(skipped);
                    window[word] &= !mask;
                }
            }
            window[word] |= mask;
            *next = sequence + 1;
            return Some(Arrival::InOrder);
        }
        if *next - sequence > bits {
            return Some(Arrival::Stale);
        }
        if window[word] & mask != 0 {
            return Some(Arrival::Duplicate);
        }
        window[word] |= mask;
        Some(Arrival::Reordered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        /// Against a set that remembers everything.
        #[test]
        fn counts_are_exact_within_the_window(
            start in 0_u64..2000,
            steps in proptest::collection::vec((0_u64..40, 0_u64..200), 1..2000),
        ) {
            let mut flows = Flows::new(3, PLAIN_WORDS);
            let mut seen = HashSet::new();
            let (mut position, mut next) = (start, 0);
            for (forward, back) in steps {
                position += forward;
                let sequence = position.saturating_sub(back);
                let expected = if !seen.insert(sequence) {
                    Arrival::Duplicate
                } else if sequence >= next {
                    Arrival::InOrder
                } else {
                    Arrival::Reordered
                };
                let expected = if next > sequence + 512 { Arrival::Stale } else { expected };
                next = next.max(sequence + 1);
                prop_assert_eq!(flows.observe(1, sequence), Some(expected));
            }
            prop_assert_eq!(flows.observe(0, 0), Some(Arrival::InOrder));
        }
    }

    #[test]
    fn a_long_gap_forgets_the_window() {
        let mut flows = Flows::new(1, PLAIN_WORDS);
        assert_eq!(flows.observe(0, 0), Some(Arrival::InOrder));
        assert_eq!(flows.observe(0, 512), Some(Arrival::InOrder));
        assert_eq!(flows.observe(0, 1), Some(Arrival::Reordered));
        assert_eq!(flows.observe(0, 0), Some(Arrival::Stale));
        assert_eq!(flows.observe(0, 100_000), Some(Arrival::InOrder));
        assert_eq!(flows.observe(0, 99_999), Some(Arrival::Reordered));
        assert_eq!(flows.observe(0, 99_999), Some(Arrival::Duplicate));
        assert_eq!(flows.observe(1, 0), None);
    }
}
