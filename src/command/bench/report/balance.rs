//! How evenly messages are distributed to the members of shared-subscription groups.

use std::collections::BTreeMap;

/// The values of the least even group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Balance {
    /// Jain's index: 1 if all members get the same number, and 1 divided by the number of members if one gets
    /// all.
    pub(crate) fairness: f64,
    /// The smallest and the largest share of their group's messages that a member got.
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Balance {
    /// `shares` has the deliveries to each member of each group; `None` if no message arrived.
    pub(crate) fn of<K>(shares: &BTreeMap<K, Vec<u64>>) -> Option<Self> {
        let all = shares.values().filter_map(|members| Self::of_group(members));
        all.min_by(|one, other| one.fairness.total_cmp(&other.fairness))
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of messages are below 9 × 10¹⁵")]
    fn of_group(members: &[u64]) -> Option<Self> {
        let sum = members.iter().sum::<u64>() as f64;
        let squares: f64 = members.iter().map(|count| (*count as f64).powi(2)).sum();
        let (least, most) = (members.iter().min()?, members.iter().max()?);
        (sum > 0.0).then(|| Self {
            fairness: sum * sum / (members.len() as f64 * squares),
            least: *least as f64 / sum,
            most: *most as f64 / sum,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(groups: &[&[u64]]) -> Option<Balance> {
        Balance::of(&groups.iter().map(|members| members.to_vec()).enumerate().collect())
    }

    #[test]
    fn balance_is_that_of_the_least_even_group() {
        let even = of(&[&[5, 5, 5, 5]]).unwrap();
        assert_eq!(even, Balance { fairness: 1.0, least: 0.25, most: 0.25 });
        let one = of(&[&[5, 5, 5, 5], &[0, 0, 0, 7]]).unwrap();
        assert_eq!(one, Balance { fairness: 0.25, least: 0.0, most: 1.0 });
        let some = of(&[&[1, 3]]).unwrap();
        assert!((some.fairness - 0.8).abs() < 1e-12, "16 by 2 × 10");
        assert_eq!(of(&[&[0, 0]]), None);
        assert_eq!(of(&[]), None);
    }
}
