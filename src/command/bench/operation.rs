//! What the clients of a group do on a schedule in place of publishing: subscribe, connect, end.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What each of the clients does when it is its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// It subscribes and unsubscribes, one after the other.
    Subscribe,
    /// It disconnects, and connects again.
    Connect,
    /// It ends its connection without DISCONNECT, once, so that the broker publishes its will.
    End,
    /// It subscribes, once, to messages that the broker has retained.
    Fetch,
}

impl OperationKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Subscribe, Self::Connect, Self::End, Self::Fetch];

    /// Its name in a scenario and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Connect => "connect",
            Self::End => "end",
            Self::Fetch => "fetch",
        }
    }

    /// Whether a client does it only once.
    #[must_use]
    pub fn is_done_once(self) -> bool {
        matches!(self, Self::End | Self::Fetch)
    }

    /// Whether it is about the connection, and not done on it.
    pub(super) fn is_of_links(self) -> bool {
        matches!(self, Self::Connect | Self::End)
    }

    /// What is counted of it.
    pub(super) fn steps(self) -> &'static [OperationStep] {
        match self {
            Self::Subscribe => &[OperationStep::Subscribe, OperationStep::Unsubscribe],
            Self::Connect => &[OperationStep::Connect],
            Self::End => &[OperationStep::End],
            Self::Fetch => &[OperationStep::Subscribe],
        }
    }
}

impl<'de> Deserialize<'de> for OperationKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| D::Error::custom(format!("unknown operation '{name}'")))
    }
}

impl Serialize for OperationKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A part of an operation that is counted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OperationStep {
    Subscribe,
    Unsubscribe,
    Connect,
    End,
}

impl OperationStep {
    pub(super) const COUNT: usize = Self::End as usize + 1;
}

/// How many there were of a step, of those that were due in the measurement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OperationCounts {
    /// The broker has answered them with success, or there was nothing to be answered.
    pub(super) done: u64,
    /// Of whichever time, those that ended in the measurement.
    pub(super) in_window: u64,
    /// The broker has refused them, or they had no answer when the run ended, or were not begun.
    pub(super) undone: u64,
}

impl OperationCounts {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            done: self.done + other.done,
            in_window: self.in_window + other.in_window,
            undone: self.undone + other.undone,
        }
    }
}
