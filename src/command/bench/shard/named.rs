//! The numbers of some shards as text.

use std::fmt;

/// Maximum number of shards that are listed.
const MOST_NAMED: usize = 12;

/// Some shards, by their numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NamedShards {
    first: [u32; MOST_NAMED],
    count: usize,
    of: u32,
}

impl NamedShards {
    /// `None` without numbers.
    pub(crate) fn of(numbers: &[u32], of: u32) -> Option<Self> {
        let mut first = [0; MOST_NAMED];
        first.iter_mut().zip(numbers).for_each(|(place, number)| *place = *number);
        (!numbers.is_empty()).then_some(Self { first, count: numbers.len(), of })
    }
}

impl fmt::Display for NamedShards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.count.min(MOST_NAMED);
        write!(f, "{} of {} (", self.count, self.of)?;
        for (place, number) in self.first[..named].iter().enumerate() {
            write!(f, "{}{number}", if place == 0 { "" } else { ", " })?;
        }
        if self.count > named {
            write!(f, " and {} more", self.count - named)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_numbers_are_listed_up_to_a_limit() {
        let shown = |numbers: &[u32]| NamedShards::of(numbers, 99).map(|named| named.to_string());
        assert_eq!(shown(&[]), None);
        assert_eq!(shown(&[3, 7]).as_deref(), Some("2 of 99 (3, 7)"));
        let many: Vec<u32> = (1..=20).collect();
        assert_eq!(
            shown(&many).as_deref(),
            Some("20 of 99 (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 8 more)")
        );
    }
}
