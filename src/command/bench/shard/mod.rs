//! Shards: a load that runs as several processes, each with its part, and their merged report.
//!
//! | file | contents |
//! |---|---|
//! | `part` | the part of a load that this process has, and how the parts start together |
//! | `shares` | its share of clients, threads and addresses |
//! | `digest` | the settings that must be the same in all shards, as a short text |
//! | `around` | a shard's records around disturbances |
//! | `encoding` | histograms and counters as text |
//! | `record`, `written` | a shard's records in its report for the merge; how they are taken from a run |
//! | `file`, `merge` | a shard's report as read; the merged report |
//! | `series` | the seconds of all shards on one axis |
//! | `barrier`, `link` | how the shards wait for each other at the broker, and learn of failures; the client for that |
//! | `assembly`, `word` | the shards known to shard 1; the messages between shards |
//! | `timing`, `offset` | how a shard learns the clock of shard 1; a line through round trips, and its error |
//! | `named` | the numbers of some shards as text |

mod around;
mod assembly;
pub(super) mod barrier;
pub(super) mod digest;
mod encoding;
mod file;
mod link;
pub(super) mod merge;
pub(super) mod named;
mod offset;
pub(super) mod part;
pub(super) mod record;
mod series;
mod shares;
mod timing;
mod word;
mod written;

pub use self::merge::MergeConfig;
pub use self::part::{LoadShard, SharedStart};
