//! What shards tell each other at the barrier: JSON objects, below the topic of the run.
//!
//! | topic | from | to | payload |
//! |---|---|---|---|
//! | `present/NUMBER` | each shard, every second until the start | shard 1 | [`ShardPresence`] |
//! | `all` | shard 1 | all | [`ShardWord`] |
//! | `to/NUMBER` | shard 1 | that shard | [`ShardWord`] |
//! | `failed/NUMBER` | each shard, and its Will Message | all | [`ShardFailure`] |

use serde::{Deserialize, Serialize};

/// A shard is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardPresence {
    /// Of this process: two with one number are two processes.
    pub(super) token: u64,
    pub(super) of: u32,
    /// A digest of all that has to be the same in all shards.
    pub(super) configuration: String,
    /// Its clients are connected and subscribed.
    pub(super) is_ready: bool,
}

/// What shard 1 tells all, or one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(super) enum ShardWord {
    /// Not all are ready: the numbers of the first of those that are not there, and of those that are not ready.
    Waiting { ready: u32, missing: Vec<u32>, unready: Vec<u32> },
    /// All start so many milliseconds after this.
    Start { in_ms: u64 },
    /// The limit is over.
    Expired { missing: Vec<u32>, unready: Vec<u32> },
    /// To the process with this token: it may connect its clients.
    Welcome { token: u64 },
    /// To the process with this token: it came after the start.
    Late { token: u64, after_ms: u64 },
    /// Two processes have this number.
    Doubled { shard: u32 },
    /// This shard was asked for something else.
    Foreign { shard: u32 },
}

/// A shard has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardFailure {
    pub(super) token: u64,
    pub(super) why: String,
    /// Its connection was lost; before the start, it may come again.
    pub(super) is_gone: bool,
}

/// The most numbers that a word has.
pub(super) const MOST_NUMBERS: usize = 100;
/// The longest text that is taken from another shard.
const LONGEST_TEXT: usize = 300;

impl ShardFailure {
    /// What others are told, cut to a length that a message may have.
    pub(super) fn new(token: u64, why: &str) -> Self {
        Self { token, why: why.chars().take(LONGEST_TEXT).collect(), is_gone: false }
    }

    /// The Will Message.
    pub(super) fn gone(token: u64) -> Self {
        Self { token, why: "its connection to the broker was lost".into(), is_gone: true }
    }
}

/// Which shards are missed, in words.
pub(super) fn missed(missing: &[u32], unready: &[u32], of: u32) -> String {
    let named = |numbers: &[u32]| {
        let all: Vec<String> = numbers.iter().take(12).map(ToString::to_string).collect();
        let more = if numbers.len() > 12 { " and more" } else { "" };
        format!("{}{more} of {of}", all.join(", "))
    };
    let what = |numbers: &[u32], state: &str| {
        let shards = if numbers.len() == 1 { "shard" } else { "shards" };
        (!numbers.is_empty()).then(|| format!("{shards} {} {state}", named(numbers)))
    };
    let parts = [what(missing, "not there"), what(unready, "not ready")];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
