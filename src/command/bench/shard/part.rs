//! Which part of a load this process has, and how the parts start together.

use std::time::{Duration, SystemTime};

use super::super::stamp;

/// The part of a load that one process has, where several share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadShard {
    /// From 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// The name of the run, the same in all of its shards.
    pub run_id: String,
    /// When it starts.
    pub start: SharedStart,
    /// The variables that it was taken from, with their values.
    pub source: Option<String>,
}

/// How the shards of a run start together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedStart {
    /// Each starts as soon as its clients are connected.
    Unaligned,
    /// All start at this time.
    At(SystemTime),
    /// They wait for each other at the broker.
    Barrier {
        /// Below this topic.
        topic: String,
        /// For so long at most, from when this one is ready.
        limit: Duration,
        /// A shard that fails stops the others.
        stops: bool,
    },
}

impl LoadShard {
    /// The run as stamps, identifiers and topics have it.
    pub(in crate::command::bench) fn run(&self) -> u32 {
        let hash = stamp::hash(self.run_id.as_bytes());
        let folded = (hash >> 32) ^ (hash & u64::from(u32::MAX));
        u32::try_from(folded).unwrap_or(0)
    }

    /// Its name for people.
    pub(in crate::command::bench) fn shown(&self) -> String {
        format!("{}/{}", self.number, self.of)
    }
}
