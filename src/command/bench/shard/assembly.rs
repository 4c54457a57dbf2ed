//! The shards that shard 1 knows of, and when all may start. Times are arguments, in nanoseconds of the clock of shard 1.

use std::collections::BTreeMap;

use super::word::{MOST_NUMBERS, ShardDone, ShardFailure, ShardMessage, ShardPresence};

/// The time from the start message to the start: by then every shard has received it.
pub(super) const RUN_UP_MS: u64 = 500;

/// The state of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    token: u64,
    is_ready: bool,
    is_done: bool,
}

/// All shards, as known to shard 1.
#[derive(Debug)]
pub(super) struct Assembly {
    of: u32,
    configuration: String,
    members: BTreeMap<u32, Member>,
    /// When the start message was sent.
    started: Option<u64>,
}

impl Assembly {
    pub(super) fn new(of: u32, configuration: String) -> Self {
        Self { of, configuration, members: BTreeMap::new(), started: None }
    }

    /// Handles the presence message of a shard; returns the answer to it or to all.
    pub(super) fn present(&mut self, shard: u32, presence: &ShardPresence, now: u64) -> Option<ShardMessage> {
        let ShardPresence { token, of, configuration, is_ready } = presence;
        if shard == 0 || shard > self.of || *of != self.of || *configuration != self.configuration {
            return Some(ShardMessage::Foreign { shard });
        }
        match self.members.get_mut(&shard) {
            Some(member) if member.token == *token => {
                member.is_ready |= is_ready;
                (!is_ready).then_some(ShardMessage::Welcome { token: *token })
            }
            // The process may have been restarted, without a notice that the first one has gone.
            _ if self.started.is_some() => {
                let after_ms = now.saturating_sub(self.started.unwrap_or(now)) / 1_000_000;
                Some(ShardMessage::Late { token: *token, after_ms })
            }
            Some(_) => Some(ShardMessage::Doubled { shard }),
            None => {
                self.members.insert(shard, Member { token: *token, is_ready: *is_ready, is_done: false });
                Some(ShardMessage::Welcome { token: *token })
            }
        }
    }

    /// Handles the message of a shard whose clients have received all messages; returns whether those of all have.
    pub(super) fn done(&mut self, shard: u32, done: ShardDone) -> bool {
        if let Some(member) = self.members.get_mut(&shard).filter(|member| member.token == done.token) {
            member.is_done = true;
        }
        self.is_started() && self.members.values().all(|member| member.is_done)
    }

    /// Handles the end of a shard; before the start, it may come back.
    pub(super) fn gone(&mut self, shard: u32, failure: &ShardFailure) {
        if self.started.is_none()
            && self.members.get(&shard).is_some_and(|known| known.token == failure.token)
        {
            self.members.remove(&shard);
        }
    }

    pub(super) fn is_started(&self) -> bool {
        self.started.is_some()
    }

    /// Whether no shard has been heard, not even shard 1.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The number of shards that were heard.
    pub(super) fn count(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.members.len() == self.of as usize && self.members.values().all(|member| member.is_ready)
    }

    /// The next message to all, before or at the timeout.
    pub(super) fn word(&mut self, now: u64, is_over: bool) -> ShardMessage {
        if self.is_complete() {
            self.started = Some(now);
            return ShardMessage::Start {
                in_ms: RUN_UP_MS,
                at_ns: now.saturating_add(RUN_UP_MS * 1_000_000),
            };
        }
        let missing = (1..=self.of).filter(|number| !self.members.contains_key(number));
        let missing = missing.take(MOST_NUMBERS).collect();
        let unready = self.members.iter().filter(|(_, member)| !member.is_ready);
        let unready = unready.map(|(number, _)| *number).take(MOST_NUMBERS).collect();
        if is_over {
            return ShardMessage::Expired { missing, unready };
        }
        let ready = self.members.values().filter(|member| member.is_ready).count();
        ShardMessage::Waiting { ready: u32::try_from(ready).unwrap_or(u32::MAX), missing, unready }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(token: u64, is_ready: bool) -> ShardPresence {
        ShardPresence { token, of: 3, configuration: "c".into(), is_ready }
    }

    fn assembly(ready: &[u32]) -> Assembly {
        let mut assembly = Assembly::new(3, "c".into());
        for number in ready {
            let token = u64::from(*number);
            assert_eq!(
                assembly.present(*number, &presence(token, true), 0),
                Some(ShardMessage::Welcome { token })
            );
        }
        assembly
    }

    #[test]
    fn all_start_when_all_are_ready() {
        let mut assembly = assembly(&[1, 2]);
        assert_eq!(assembly.present(3, &presence(3, false), 0), Some(ShardMessage::Welcome { token: 3 }));
        assert_eq!(
            assembly.present(3, &presence(3, false), 0),
            Some(ShardMessage::Welcome { token: 3 }),
            "again"
        );
        let waiting = ShardMessage::Waiting { ready: 2, missing: vec![], unready: vec![3] };
        assert_eq!(assembly.word(0, false), waiting);
        assert_eq!(assembly.present(3, &presence(3, true), 0), None);
        assert_eq!(assembly.word(7, true), ShardMessage::Start { in_ms: RUN_UP_MS, at_ns: 500_000_007 });
        assert!(assembly.is_started());
    }

    #[test]
    fn missing_duplicate_different_and_late_shards_are_named() {
        let mut assembly = assembly(&[1, 3]);
        assert_eq!(assembly.word(9, true), ShardMessage::Expired { missing: vec![2], unready: vec![] });
        assert_eq!(assembly.present(3, &presence(33, true), 0), Some(ShardMessage::Doubled { shard: 3 }));
        assert_eq!(assembly.present(4, &presence(4, true), 0), Some(ShardMessage::Foreign { shard: 4 }));
        let other = ShardPresence { configuration: "d".into(), ..presence(2, true) };
        assert_eq!(assembly.present(2, &other, 0), Some(ShardMessage::Foreign { shard: 2 }));
        assert_eq!(assembly.present(2, &presence(2, true), 0), Some(ShardMessage::Welcome { token: 2 }));
        assert!(matches!(assembly.word(1_000_000, false), ShardMessage::Start { .. }));
        let late = assembly.present(2, &presence(22, false), 5_000_000);
        assert_eq!(late, Some(ShardMessage::Late { token: 22, after_ms: 4 }));
    }

    #[test]
    fn all_are_done_when_each_is() {
        let mut assembly = assembly(&[1, 2, 3]);
        assert!(!assembly.done(1, ShardDone { token: 1 }), "before the start");
        assert!(matches!(assembly.word(0, false), ShardMessage::Start { .. }));
        assert!(!assembly.done(2, ShardDone { token: 2 }));
        assert!(!assembly.done(3, ShardDone { token: 77 }), "another process");
        assert!(assembly.done(3, ShardDone { token: 3 }));
    }

    #[test]
    fn lost_shard_may_come_back_before_the_start() {
        let mut assembly = assembly(&[1, 2, 3]);
        assembly.gone(2, &ShardFailure::gone(77)); // another process
        assembly.gone(3, &ShardFailure::gone(3));
        assert_eq!(
            assembly.word(0, false),
            ShardMessage::Waiting { ready: 2, missing: vec![3], unready: vec![] }
        );
        assert_eq!(assembly.present(3, &presence(30, true), 0), Some(ShardMessage::Welcome { token: 30 }));
        assert!(matches!(assembly.word(0, false), ShardMessage::Start { .. }));
        assembly.gone(3, &ShardFailure::gone(30));
        assert_eq!(
            assembly.present(3, &presence(31, true), 1),
            Some(ShardMessage::Late { token: 31, after_ms: 0 })
        );
    }
}
