//! Shards: a load that runs as several processes, each with its part, and one report of all.
//!
//! | file | holds |
//! |---|---|
//! | `part` | which part of a load this process has, and how the parts start together |
//! | `shares` | what falls to it: clients, threads, addresses |
//! | `digest` | what has to be the same in all shards, as a short text |
//! | `record`, `written` | what a shard writes into its report for the merge; how it is taken from a run |
//! | `file`, `merge` | a shard's report as it is read; the report of all shards |
//! | `series` | the seconds of all shards on one axis |
//! | `barrier` | how the shards wait for each other at the broker, and hear of those that fail |
//! | `assembly`, `word` | who is there, as shard 1 knows it; what they tell each other |
//! | `named` | the numbers of some shards, in a sentence |

mod assembly;
pub(super) mod barrier;
pub(super) mod digest;
mod file;
pub(super) mod merge;
pub(super) mod named;
pub(super) mod part;
pub(super) mod record;
mod series;
mod shares;
mod word;
mod written;

pub use self::merge::MergeConfig;
pub use self::part::{LoadShard, SharedStart};
