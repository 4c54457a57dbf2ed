//! Shards: a load that runs as several processes, each with its part, and one report of all.
//!
//! | file | holds |
//! |---|---|
//! | `part` | which part of a load this process has, and how the parts start together |
//! | `shares` | what falls to it: clients, threads, addresses; and what tells the runs of others from this one |

pub(super) mod part;
mod shares;

pub use self::part::{LoadShard, SharedStart};
