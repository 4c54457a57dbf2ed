//! Clients that are slow on purpose: after each message they pause reading. Their state is kept here. Also
//! the records of the thread so far, for checks during the run.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::crew::Slot;
use super::Worker;
use crate::alarm::now;
use crate::command::bench::recorder::Recorder;
use crate::protocol::QoS;

/// When the paused clients of a thread resume reading.
#[derive(Debug, Default)]
pub(super) struct SlowReaders(BinaryHeap<Reverse<(u64, u32)>>);

impl SlowReaders {
    /// Resumes a client at this time. Must be called once per pause.
    pub(super) fn add(&mut self, time: u64, index: u32) {
        self.0.push(Reverse((time, index)));
    }

    /// When the next client resumes.
    pub(super) fn next(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((time, _))| *time)
    }
}

impl Worker {
    /// The records so far by group, including waiting messages.
    pub(super) fn so_far(&self) -> Vec<Recorder> {
        let time = now();
        let mut snapshots: Vec<Recorder> = self.crews.iter().map(|crew| crew.shard.snapshot()).collect();
        for place in &self.places {
            let Slot::Open(client) = &place.slot else { continue };
            let group = usize::from(place.group);
            let (shard, snapshot) = (&self.crews[group].shard, &mut snapshots[group]);
            if shard.operation.is_some() {
                let dues = client.awaited().into_iter().chain(client.overdue());
                dues.for_each(|due| shard.note_undone(snapshot, due, time));
                continue;
            }
            for (due, _, count) in client.unanswered() {
                shard.note_waiting(snapshot, due, time.saturating_sub(due), count, 0);
            }
            let has_answers = u64::from(shard.qos != QoS::AtMostOnce);
            for (due, receivers) in client.unsent(shard) {
                shard.note_waiting(snapshot, due, time.saturating_sub(due), has_answers, receivers);
            }
        }
        snapshots
    }

    /// Resumes the clients whose pause is over.
    pub(super) fn read_on(&mut self, time: u64) {
        while self.slow.next().is_some_and(|due| due <= time) {
            let Some(Reverse((_, index))) = self.slow.0.pop() else { return };
            let place = &mut self.places[index as usize];
            if let Slot::Open(client) = &mut place.slot {
                client.read_on();
                place.waker.wake_by_ref();
            }
        }
    }
}
