//! Scheduled operations of a group's clients instead of publishing: subscribe, connect, end.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The operation of a client when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    /// Subscribe and unsubscribe, alternately.
    Subscribe,
    /// Disconnect and connect again.
    Connect,
    /// End the connection without DISCONNECT, once, so that the broker publishes its will.
    End,
    /// Subscribe, once, to retained messages of the broker.
    Fetch,
}

impl OperationKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Subscribe, Self::Connect, Self::End, Self::Fetch];

    /// The name in scenarios and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Connect => "connect",
            Self::End => "end",
            Self::Fetch => "fetch",
        }
    }

    /// Whether a client performs it only once.
    #[must_use]
    pub fn is_done_once(self) -> bool {
        matches!(self, Self::End | Self::Fetch)
    }

    /// Whether it opens or closes the connection.
    pub(super) fn is_of_links(self) -> bool {
        matches!(self, Self::Connect | Self::End)
    }

    /// The steps that are counted.
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

/// A part of an operation that is counted separately.
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

/// Counts of a step, for operations that were due in the measurement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OperationCounts {
    /// Answered by the broker with success, or without an answer to wait for.
    pub(super) done: u64,
    /// Ended in the measurement, whenever they were due.
    pub(super) in_window: u64,
    /// Refused by the broker, unanswered at the end of the run, or not started.
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
