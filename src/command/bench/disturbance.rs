//! What disturbs a run on purpose: commands of the user's, and clients that are cut off.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use super::impact::Impact;
use crate::quantity::duration;

/// What is to happen beside the load.
#[derive(Debug, Clone, Default)]
pub struct Disturbances {
    /// In the order of their times.
    pub all: Vec<Disturbance>,
    /// Variables of this program's environment that commands do not get.
    pub foreign_variables: Vec<OsString>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbance {
    /// Since the begin of the measurement.
    pub at: Duration,
    /// What happens.
    pub what: Disturbing,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Disturbing {
    /// A command for the shell runs.
    Command(String),
    /// A share of the clients is cut off: 0 to 1.
    Drop(f64),
    /// Likewise, and again whenever one of them is back, for so long.
    Flap(f64, Duration),
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", duration(self.at), self.what)
    }
}

impl fmt::Display for Disturbing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => f.write_str(command),
            Self::Drop(share) => write!(f, "drop {}%", percent(*share)),
            Self::Flap(share, length) => write!(f, "flap {}% for {}", percent(*share), duration(*length)),
        }
    }
}

/// Without the digits that a binary fraction adds.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

/// Clients that are cut off.
#[derive(Debug)]
pub(super) struct ClientCut {
    /// Which of the disturbances it is.
    pub(super) place: usize,
    /// How long each of them is cut off again, in nanoseconds.
    pub(super) length: u64,
    /// By the number of the client.
    clients: Vec<bool>,
}

impl ClientCut {
    /// Whether it is meant for this client.
    pub(super) fn hits(&self, client: u32) -> bool {
        self.clients.get(client as usize).is_some_and(|hit| *hit)
    }
}

impl Disturbances {
    /// When each of them begins, if the measurement begins at this time of the monotonic clock, in nanoseconds.
    pub(super) fn marks(&self, measure: u64) -> Vec<u64> {
        let due = |disturbance: &Disturbance| {
            measure.saturating_add(u64::try_from(disturbance.at.as_nanos()).unwrap_or(u64::MAX))
        };
        self.all.iter().map(|disturbance| Impact::mark(due(disturbance))).collect()
    }

    /// Those that cut off clients, of so many: the same with the same seed.
    pub(super) fn cuts(&self, clients: u32, seed: u64) -> Vec<ClientCut> {
        let cuts = self.all.iter().enumerate().filter_map(|(place, disturbance)| {
            let (share, length) = match disturbance.what {
                Disturbing::Command(_) => return None,
                Disturbing::Drop(share) => (share, Duration::ZERO),
                Disturbing::Flap(share, length) => (share, length),
            };
            let length = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
            Some(ClientCut { place, length, clients: chosen(clients, share, seed, place) })
        });
        cuts.collect()
    }
}

/// A share of all clients, at least one, drawn at random.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is not negative and at most 1"
)]
fn chosen(clients: u32, share: f64, seed: u64, place: usize) -> Vec<bool> {
    let count = ((f64::from(clients) * share).round() as usize).max(1);
    let mut random = fastrand::Rng::with_seed(seed.rotate_left(17) ^ place as u64);
    let mut hits = vec![false; clients as usize];
    for number in random.choose_multiple(0..clients as usize, count) {
        hits[number] = true;
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_and_place_decide_who_is_cut_off() {
        let count = |hits: &[bool]| hits.iter().filter(|hit| **hit).count();
        let one = chosen(1000, 0.2, 7, 0);
        assert_eq!(count(&one), 200);
        assert_eq!(one, chosen(1000, 0.2, 7, 0));
        assert_ne!(one, chosen(1000, 0.2, 8, 0));
        assert_ne!(one, chosen(1000, 0.2, 7, 1));
        assert_eq!(count(&chosen(3, 0.01, 1, 0)), 1, "at least one");
        assert_eq!(count(&chosen(3, 1.0, 1, 0)), 3);
    }

    #[test]
    fn disturbances_are_shown_as_they_are_written() {
        let minute = Duration::from_secs(60);
        for (what, text) in [
            (Disturbing::Drop(0.2), "drop 20%"),
            (Disturbing::Drop(0.07), "drop 7%"),
            (Disturbing::Flap(0.005, minute), "flap 0.5% for 1m"),
            (Disturbing::Command("true".into()), "true"),
        ] {
            assert_eq!(what.to_string(), text);
        }
    }
}
