//! Messages between shards at the barrier: JSON objects, below the topic of the run.
//!
//! | topic | from | to | payload |
//! |---|---|---|---|
//! | `present/NUMBER` | each shard, every second until the start | shard 1 | [`ShardPresence`] |
//! | `done/NUMBER` | a shard whose clients have received all messages, every second until all have | shard 1 | [`ShardDone`] |
//! | `all` | shard 1 | all | [`ShardMessage`] |
//! | `to/NUMBER` | shard 1 | that shard | [`ShardMessage`] |
//! | `failed/NUMBER` | each shard, and its Will Message | all | [`ShardFailure`] |
//! | `ask/NUMBER` | a shard that needs the clock of shard 1 | shard 1 | [`TimeRequest`] |
//! | `time/NUMBER` | shard 1 | that shard | [`TimeAnswer`] |

use serde::{Deserialize, Serialize};

/// Announces the presence of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardPresence {
    /// Identifies the process, so that two processes with the same number are detected.
    pub(super) token: u64,
    pub(super) of: u32,
    /// A digest of the settings that must be the same in all shards.
    pub(super) configuration: String,
    /// Whether its clients are connected and subscribed.
    pub(super) is_ready: bool,
}

/// The clients of a shard have received all messages, or have waited for them long enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardDone {
    pub(super) token: u64,
}

/// A message from shard 1 to all shards, or to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(super) enum ShardMessage {
    /// Not all shards are ready: the numbers of some missing shards, and of some that are not ready.
    Waiting { ready: u32, missing: Vec<u32>, unready: Vec<u32> },
    /// All start this number of milliseconds after the message, which is this time of the clock of shard 1.
    Start { in_ms: u64, at_ns: u64 },
    /// The clients of all shards have received all messages.
    Done,
    /// The wait has timed out.
    Expired { missing: Vec<u32>, unready: Vec<u32> },
    /// For the process with this token: it may connect its clients.
    Welcome { token: u64 },
    /// For the process with this token: it arrived after the start.
    Late { token: u64, after_ms: u64 },
    /// Two processes have this number.
    Doubled { shard: u32 },
    /// The settings of this shard differ.
    Foreign { shard: u32 },
}

/// A shard has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardFailure {
    pub(super) token: u64,
    pub(super) why: String,
    /// Whether its connection was lost; before the start, it may come back.
    pub(super) is_gone: bool,
}

/// A shard asks for the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TimeRequest {
    /// Of this process.
    pub(super) token: u64,
    /// Of the question.
    pub(super) number: u32,
}

/// When shard 1 has heard a question and when it has answered, by its own clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TimeAnswer {
    pub(super) token: u64,
    pub(super) number: u32,
    pub(super) heard_ns: u64,
    pub(super) answered_ns: u64,
    /// The name of its clock.
    pub(super) clock: String,
}

/// Maximum number of shards listed in a message.
pub(super) const MOST_NUMBERS: usize = 100;
/// Maximum length of a text accepted from another shard.
const LONGEST_TEXT: usize = 300;

impl ShardFailure {
    /// A failure message, cut to the maximum length.
    pub(super) fn new(token: u64, why: &str) -> Self {
        Self { token, why: why.chars().take(LONGEST_TEXT).collect(), is_gone: false }
    }

    /// The Will Message.
    pub(super) fn gone(token: u64) -> Self {
        Self { token, why: "its connection to the broker was lost".into(), is_gone: true }
    }
}

/// The missing shards as text.
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
