//! Messages of connections that were lost. They have no answer when the run ends, however long that
//! takes, so what they had waited is known only then.

use std::collections::BTreeMap;

use super::client::Client;
use super::shard::Shard;

/// Messages that were due within so many nanoseconds are kept together, as due at the end of them:
/// the schedule goes on for hours, and the memory must not grow with every message.
const TOGETHER: u64 = 10_000_000;

#[derive(Debug, Default)]
pub(super) struct Abandoned {
    /// Sent: when due, when sent, how many.
    unanswered: Vec<(u64, u64, u64)>,
    /// Never sent, by when they were due: how many, and to how many subscribers.
    unsent: BTreeMap<u64, (u64, u64)>,
}

impl Abandoned {
    /// Takes over what a lost client leaves behind.
    pub(super) fn take(&mut self, client: &Client, shard: &Shard) {
        self.unanswered.extend(client.unanswered());
        for (due, receivers) in client.unsent(&shard.plan) {
            self.add(due, receivers, shard);
        }
    }

    /// A message is due whose client is gone.
    pub(super) fn add(&mut self, due: u64, receivers: u64, shard: &Shard) {
        let measure = shard.timeline.measure;
        let together = due.next_multiple_of(TOGETHER);
        let together = if due < measure { together.min(measure - 1) } else { together };
        let (count, deliveries) = self.unsent.entry(together).or_default();
        *count += 1;
        *deliveries += receivers;
    }

    /// The run ends at this time.
    pub(super) fn count(&mut self, shard: &mut Shard, time: u64) {
        for (due, sent, count) in self.unanswered.drain(..) {
            shard.unanswered(due, sent, time, count);
        }
        for (due, (count, deliveries)) in std::mem::take(&mut self.unsent) {
            shard.unsent(due, time, count, deliveries);
        }
    }
}
