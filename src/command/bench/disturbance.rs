//! Disturbances of a run: commands of the user, and disconnected clients.

use std::ffi::OsString;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use super::impact::Impact;
use crate::quantity::duration;

/// The disturbances of a run.
#[derive(Debug, Clone, Default)]
pub struct Disturbances {
    /// In order of time.
    pub all: Vec<Disturbance>,
    /// Variables of this program's environment that are not passed to commands.
    pub foreign_variables: Vec<OsString>,
}

/// A disturbance.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbance {
    /// Time since the start of the measurement.
    pub at: Duration,
    /// The kind of disturbance.
    pub what: Disturbing,
}

/// The kind of disturbance.
#[derive(Debug, Clone, PartialEq)]
pub enum Disturbing {
    /// Run a shell command.
    Command(String),
    /// Disconnect a share of the clients.
    Drop(ClientShare),
    /// Disconnect a share of the clients, and again after each reconnect, for this time.
    Flap(ClientShare, Duration),
    /// Disconnect a share of the clients and keep them away for this time.
    Away(ClientShare, Duration),
}

/// A share of the clients, or of those of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientShare {
    /// From 0 to 1.
    pub part: f64,
    /// The group's name.
    pub group: Option<String>,
}

impl From<f64> for ClientShare {
    fn from(part: f64) -> Self {
        Self { part, group: None }
    }
}

impl fmt::Display for ClientShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded, to hide the inexact digits of binary fractions.
        write!(f, "{}%", (self.part * 1e8).round() / 1e6)?;
        self.group.as_ref().map_or(Ok(()), |group| write!(f, " of {group}"))
    }
}

impl Disturbing {
    /// The clients that are disconnected.
    #[must_use]
    pub fn share(&self) -> Option<&ClientShare> {
        match self {
            Self::Command(_) => None,
            Self::Drop(share) | Self::Flap(share, _) | Self::Away(share, _) => Some(share),
        }
    }
}

impl Disturbance {
    /// How long it keeps clients away.
    pub(super) fn away(&self) -> Option<Duration> {
        match self.what {
            Disturbing::Away(_, away) => Some(away),
            Disturbing::Command(_) | Disturbing::Drop(_) | Disturbing::Flap(..) => None,
        }
    }

    /// In the syntax of `--disturb`, without spaces in the time.
    #[must_use]
    pub fn written(&self) -> String {
        let time = |time: Duration| humantime::format_duration(time).to_string().replace(' ', "");
        match &self.what {
            Disturbing::Flap(share, length) => {
                format!("{}: flap {share} for {}", time(self.at), time(*length))
            }
            Disturbing::Away(share, length) => {
                format!("{}: away {share} for {}", time(self.at), time(*length))
            }
            other => format!("{}: {other}", time(self.at)),
        }
    }
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
            Self::Drop(share) => write!(f, "drop {share}"),
            Self::Away(share, length) => write!(f, "away {share} for {}", duration(*length)),
            Self::Flap(share, length) => write!(f, "flap {share} for {}", duration(*length)),
        }
    }
}

/// Clients that a disturbance disconnects.
#[derive(Debug)]
pub(super) struct ClientCut {
    /// The index of the disturbance.
    pub(super) place: usize,
    /// How long each client is disconnected again after each reconnect, in nanoseconds.
    pub(super) length: u64,
    /// How long each client stays away, in nanoseconds.
    pub(super) away: u64,
    /// By client number.
    clients: Vec<bool>,
}

impl ClientCut {
    /// Whether this client is disconnected.
    pub(super) fn hits(&self, client: u32) -> bool {
        self.clients.get(client as usize).is_some_and(|hit| *hit)
    }
}

impl Disturbances {
    /// The start of each disturbance, if the measurement starts at `measure`; nanoseconds of the monotonic
    /// clock.
    pub(super) fn marks(&self, measure: u64) -> Vec<u64> {
        let due = |disturbance: &Disturbance| {
            measure.saturating_add(u64::try_from(disturbance.at.as_nanos()).unwrap_or(u64::MAX))
        };
        self.all.iter().map(|disturbance| Impact::mark(due(disturbance))).collect()
    }

    /// How long each disturbance keeps clients away, in nanoseconds.
    pub(super) fn away(&self) -> Vec<Option<u64>> {
        let nanoseconds = |away: Duration| u64::try_from(away.as_nanos()).unwrap_or(u64::MAX);
        self.all.iter().map(|disturbance| disturbance.away().map(nanoseconds)).collect()
    }

    /// The disconnected clients of each disturbance, for groups with these names and client numbers; the same
    /// seed gives the same clients.
    pub(super) fn cuts(&self, groups: &[(String, Range<u32>)], seed: u64) -> Vec<ClientCut> {
        let cuts = self.all.iter().enumerate().filter_map(|(place, disturbance)| {
            let share = disturbance.what.share()?;
            let (length, away) = match disturbance.what {
                Disturbing::Command(_) | Disturbing::Drop(_) => (Duration::ZERO, Duration::ZERO),
                Disturbing::Flap(_, length) => (length, Duration::ZERO),
                Disturbing::Away(_, away) => (Duration::ZERO, away),
            };
            let among = match &share.group {
                None => 0..groups.last().map_or(0, |(_, clients)| clients.end),
                Some(name) => {
                    groups.iter().find(|(group, _)| group == name).map_or(0..0, |(_, of)| of.clone())
                }
            };
            let [length, away] =
                [length, away].map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
            Some(ClientCut { place, length, away, clients: chosen(among, share.part, seed, place) })
        });
        cuts.collect()
    }
}

/// A random share of these clients, at least one.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is not negative and at most 1"
)]
fn chosen(clients: Range<u32>, share: f64, seed: u64, place: usize) -> Vec<bool> {
    let count = ((f64::from(clients.end - clients.start) * share).round() as usize).max(1);
    let mut random = fastrand::Rng::with_seed(seed.rotate_left(17) ^ place as u64);
    let mut hits = vec![false; clients.end as usize];
    for number in random.choose_multiple(clients.start as usize..clients.end as usize, count) {
        hits[number] = true;
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_and_index_select_the_disconnected_clients() {
        let count = |hits: &[bool]| hits.iter().filter(|hit| **hit).count();
        let one = chosen(0..1000, 0.2, 7, 0);
        assert_eq!(count(&one), 200);
        assert_eq!(one, chosen(0..1000, 0.2, 7, 0));
        assert_ne!(one, chosen(0..1000, 0.2, 8, 0));
        assert_ne!(one, chosen(0..1000, 0.2, 7, 1));
        assert_eq!(count(&chosen(0..3, 0.01, 1, 0)), 1, "at least one");
        assert_eq!(count(&chosen(0..3, 1.0, 1, 0)), 3);
        assert_eq!(chosen(2..4, 1.0, 1, 0), [false, false, true, true]);
    }

    #[test]
    fn disturbances_are_shown_as_they_are_written() {
        let minute = Duration::from_secs(60);
        for (what, text) in [
            (Disturbing::Drop(0.2.into()), "drop 20%"),
            (Disturbing::Drop(0.07.into()), "drop 7%"),
            (Disturbing::Flap(0.005.into(), minute), "flap 0.5% for 1m"),
            (Disturbing::Away(1.0.into(), minute), "away 100% for 1m"),
            (Disturbing::Command("true".into()), "true"),
        ] {
            assert_eq!(what.to_string(), text);
        }
    }
}
