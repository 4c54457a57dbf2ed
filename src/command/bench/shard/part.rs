//! The part of a load that this process has, and how the parts start together.

use std::time::{Duration, SystemTime};

use super::super::reference::ClockShift;
use super::super::stamp;

/// The part of a load of one process, if several share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadShard {
    /// From 1.
    pub number: u32,
    /// The number of shards.
    pub of: u32,
    /// The identifier of the run, the same in all shards.
    pub run_id: String,
    /// When the load starts.
    pub start: SharedStart,
    /// The environment variables from which the numbers were taken, with their values.
    pub source: Option<String>,
    /// For tests: its clock is another than that of its machine.
    pub clock_shift: Option<ClockShift>,
}

/// How the shards of a run start together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedStart {
    /// Each starts when its clients are connected.
    Unaligned,
    /// All start at this time.
    At(SystemTime),
    /// They wait for each other at the broker.
    Barrier {
        /// Below this topic.
        topic: String,
        /// Maximum wait after this shard is ready.
        limit: Duration,
        /// Whether a shard that fails stops the others.
        stops: bool,
    },
}

impl LoadShard {
    /// The run in stamps, identifiers and topics.
    pub(in crate::command::bench) fn run(&self) -> u32 {
        let hash = stamp::hash(self.run_id.as_bytes());
        let folded = (hash >> 32) ^ (hash & u64::from(u32::MAX));
        u32::try_from(folded).unwrap_or(0)
    }

    /// Its name as text.
    pub(in crate::command::bench) fn shown(&self) -> String {
        format!("{}/{}", self.number, self.of)
    }
}
