//! The clients of a group on one thread: their slots, and their send times.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use super::super::config::{Arrivals, Rate, StopAfter};
use super::super::operation::OperationKind;
use super::super::pacer::{Pacer, Schedule};
use super::super::stamp::Timeline;
use super::client::{Abandoned, Client, Dialer};
use super::fleet::{Fleet, FleetGroup};
use super::shared::Shard;
use super::wake::ClientWaker;

/// The schedule of a group's messages or operations, as for one thread; none for a group without one.
fn schedule(timeline: Timeline, of: &FleetGroup, fleet: &Fleet) -> Option<Schedule> {
    let FleetGroup { group, plan, .. } = of;
    let load = &fleet.load;
    let count = match load.stop {
        StopAfter::Count(count) => Some(count),
        StopAfter::After(_) => None,
    };
    let (rate, arrivals, jitter, count) = match (&group.publish, &group.operation) {
        (Some(_), _) if plan.prepares => return None,
        (Some(publish), _) => match publish.rate {
            Rate::PerSecond(rate) => (rate, publish.arrivals, publish.jitter, count),
            Rate::Max => return None,
        },
        (None, Some(operation)) => {
            let count = if operation.kind.is_done_once() { Some(plan.clients.into()) } else { count };
            match operation.rate {
                Rate::PerSecond(rate) => (rate, operation.arrivals, Duration::ZERO, count),
                Rate::Max => (plan.clients.into(), Arrivals::Burst(plan.clients), Duration::ZERO, count),
            }
        }
        (None, None) => return None,
    };
    Some(Schedule {
        start: timeline.start,
        measure: timeline.measure,
        count,
        rate,
        arrivals,
        jitter: u64::try_from(jitter.as_nanos()).unwrap_or(u64::MAX),
        publishers: plan.clients,
        thread: 0,
        threads: 1,
        seed: load.seed,
        course: fleet.course_of(rate),
    })
}

/// Records when the connections of other shards' clients are due to end. Only their own shards know when they ended,
/// and their wills may arrive here.
pub(super) fn expect_ends_elsewhere(timeline: Timeline, fleet: &Fleet) {
    let (own, shards) = (fleet.load.shard_number(), fleet.load.shards());
    for of in fleet.groups.iter().filter(|of| shards > 1 && of.group.does(OperationKind::End)) {
        let Some(mut pacer) = schedule(timeline, of, fleet).map(Pacer::new) else { continue };
        while let Some(due) = pacer.peek() {
            pacer.advance();
            let end = fleet.ends.get((of.plan.first_publisher + due.publisher) as usize);
            if let Some(end) = end.filter(|_| due.publisher % shards != own) {
                let _ = end.compare_exchange(0, due.at, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
    }
}

/// Maximum number of messages handed out per check, so that an excessive load leaves time for orders.
const MOST_PER_LOOK: u32 = 1 << 16;

#[allow(clippy::large_enum_variant, reason = "nearly all are open; a box each would cost an allocation each")]
pub(super) enum Slot {
    /// Not connected yet.
    Waiting,
    Connecting(Dialer),
    Open(Client),
    Gone,
}

/// A client and its waker.
pub(super) struct Seat {
    pub(super) slot: Slot,
    pub(super) group: u16,
    /// Its number in its group.
    pub(super) number: u32,
    /// Its first flow.
    pub(super) flows: usize,
    pub(super) handle: Arc<ClientWaker>,
    pub(super) waker: Waker,
}

/// The clients of a group on this thread.
pub(super) struct Crew {
    pub(super) shard: Shard,
    /// The index of its first slot.
    pub(super) first: u32,
    pub(super) pacer: Option<Pacer>,
    /// When the closed loop starts, if it has not started.
    pub(super) pull_at: Option<u64>,
    pub(super) abandoned: Abandoned,
    /// Clients that must connect and have no connection, with the times when that was due; the thread takes
    /// them.
    pub(super) absent: Vec<(u32, u64)>,
}

impl Crew {
    pub(super) fn new(shard: Shard, first: u32) -> Self {
        Self { shard, first, pacer: None, pull_at: None, abandoned: Abandoned::default(), absent: Vec::new() }
    }

    /// Sets the timeline of the run, and with it the schedule.
    pub(super) fn start(&mut self, timeline: Timeline, of: &FleetGroup, fleet: &Fleet, thread: u32) {
        let pulls = of.group.publish.as_ref().is_some_and(|publish| publish.rate == Rate::Max);
        if pulls && !of.plan.prepares {
            self.pull_at = Some(timeline.start);
        }
        self.pacer = schedule(timeline, of, fleet)
            .map(|schedule| Pacer::new(Schedule { thread, threads: fleet.threads, ..schedule }));
    }

    /// Hands due messages to publishers; returns whether the schedule has ended.
    pub(super) fn hand_out(&mut self, time: u64, places: &mut [Seat], is_counted: bool) -> bool {
        let Some(pacer) = &mut self.pacer else { return false };
        let mut left = MOST_PER_LOOK;
        while let Some(due) = pacer.peek().filter(|due| due.at <= time && left > 0) {
            left -= 1;
            if self.shard.take(due.at, 1) == 0 {
                self.pacer = None;
                return true;
            }
            pacer.advance();
            let place = &mut places[(self.first + due.publisher) as usize];
            if let Slot::Open(client) = &mut place.slot {
                client.push(due.at);
                place.waker.wake_by_ref();
            } else if self.shard.operation == Some(OperationKind::Connect) {
                self.absent.push((self.first + due.publisher, due.at));
            } else {
                self.abandoned.add(due.at, self.shard.receivers(place.number, 0), &self.shard);
            }
        }
        if pacer.peek().is_some() {
            return false;
        }
        self.pacer = None; // a thread without publishers, or all of a count is handed out
        if is_counted {
            self.shard.quota = 0;
        }
        true
    }

    /// Whether all messages of the requested number are handed out.
    pub(super) fn has_sent_all(&self) -> bool {
        self.pacer.is_none() && self.shard.quota == 0
    }
}
