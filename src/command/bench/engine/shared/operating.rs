//! What a thread records of operations, and of deliveries whose latency counts from one.

use std::sync::atomic::Ordering;

use super::super::fleet::{Ends, Fleet};
use super::{Shard, Stamp};
use crate::command::bench::config::Mode;
use crate::command::bench::operation::{OperationKind, OperationStep};
use crate::command::bench::recorder::{LatencyKind, Recorder};
use crate::command::bench::stamp::Phase;
use crate::protocol::wire::PublishTemplate;
use crate::protocol::{Protocol, QoS};

/// From when on deliveries took their time.
#[derive(Debug)]
pub(super) enum LatencyOrigin {
    /// From the time in their stamps.
    Stamp,
    /// From the end of their publishers' connections, as they are wills.
    End(Ends),
    /// From their subscriptions, by the client's number, as they are retained.
    Fetch(Box<[Fetched]>),
}

/// What a client has asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fetched {
    /// When it was to subscribe; 0 until it has.
    since: u64,
    /// Messages that have not come.
    left: u64,
}

impl LatencyOrigin {
    pub(super) fn new(fleet: &Fleet, operation: Option<OperationKind>, clients: u32) -> Self {
        match (fleet.load.mode, operation) {
            (_, Some(OperationKind::Fetch)) => Self::Fetch(vec![Fetched::default(); clients as usize].into()),
            (Mode::Wills, _) => Self::End(fleet.ends.clone()),
            _ => Self::Stamp,
        }
    }
}

impl OperationStep {
    /// The latency of a step.
    fn latency(self) -> Option<LatencyKind> {
        match self {
            Self::Subscribe => Some(LatencyKind::SubAck),
            Self::Unsubscribe => Some(LatencyKind::UnsubAck),
            Self::Connect => Some(LatencyKind::Again),
            Self::End => None,
        }
    }
}

impl Shard {
    /// What a client subscribes to.
    pub(crate) fn filters(&self, client: u32) -> Vec<(String, QoS)> {
        let each = self.subscriptions.iter();
        each.flat_map(|(plan, qos)| plan.filters(client).into_iter().map(|filter| (filter, *qos))).collect()
    }

    /// A message that makes the broker forget what it retains of a publisher's topic.
    pub(crate) fn clearing(&self, protocol: Protocol, publisher: u32, place: u32) -> Option<PublishTemplate> {
        Some(self.outlet.as_ref()?.clearing(protocol, publisher, place))
    }

    /// Takes note of when an operation is begun that was due at another time, and that nothing has kept from it.
    pub(crate) fn operates(&mut self, due: u64, time: u64) {
        if self.scheduled && self.timeline.phase(due) == Phase::Measure {
            self.recorder.record(LatencyKind::ScheduleLag, time.saturating_sub(due));
        }
    }

    /// Takes note of a step that was due and has ended at these times.
    pub(crate) fn operated(&mut self, step: OperationStep, due: u64, time: u64, is_done: bool) {
        let phase = self.timeline.phase(due);
        let is_in_window = self.is_in_window(time);
        let counts = self.recorder.step(step);
        if phase == Phase::Measure {
            *(if is_done { &mut counts.done } else { &mut counts.undone }) += 1;
        }
        counts.in_window += u64::from(is_done && is_in_window);
        self.recorder.last_event = time;
        if let Some(kind) = step.latency() {
            self.time(phase, due, (kind, kind), (time.saturating_sub(due), None), 1);
        }
    }

    /// Takes note of operations that were due at this time, and are not done at another, which is the last.
    pub(crate) fn undone(&mut self, due: u64, time: u64, count: u64) {
        let step = self.operation.and_then(|kind| kind.steps().first().copied());
        let Some(step) = step.filter(|_| self.timeline.phase(due) == Phase::Measure) else { return };
        self.recorder.step(step).undone += count;
        if let Some(kind) = step.latency() {
            self.wait(kind, due, time.saturating_sub(due), count);
        }
    }

    /// Adds an operation without an answer to a snapshot: it takes as long as it has waited, or longer.
    pub(crate) fn note_undone(&self, snapshot: &mut Recorder, due: u64, time: u64) {
        let step = self.operation.and_then(|kind| kind.steps().first().copied());
        if let Some(kind) = step.and_then(OperationStep::latency)
            && self.timeline.phase(due) == Phase::Measure
        {
            snapshot.record(kind, time.saturating_sub(due));
        }
    }

    /// A client's connection is about to be ended at this time, as was due: its will is to be delivered.
    pub(crate) fn end(&mut self, client: u32, due: u64, time: u64) {
        let publisher = self.first_publisher + client;
        if let LatencyOrigin::End(ends) = &self.origin
            && let Some(end) = ends.get(publisher as usize)
        {
            end.store(time, Ordering::Release);
        }
        self.operates(due, time);
        if self.timeline.phase(due) == Phase::Measure {
            let receivers = self.receivers(client, 0);
            self.recorder.messages(Phase::Measure).expected += receivers;
        }
        self.operated(OperationStep::End, due, time, true);
    }

    /// A client was to subscribe at this time, and does: what is retained is to come.
    pub(crate) fn fetch(&mut self, client: u32, due: u64) {
        let messages: usize = self.inlets.iter().map(|own| own.inlet.plan.flows_of(client)).sum();
        let LatencyOrigin::Fetch(all) = &mut self.origin else { return };
        let Some(fetched) = all.get_mut(client as usize).filter(|fetched| fetched.since == 0) else { return };
        *fetched = Fetched { since: due, left: messages as u64 };
        self.recorder.messages(Phase::Measure).expected += messages as u64;
    }

    /// Takes note of how long a delivery took that was not on its way since the time in its stamp.
    pub(super) fn time_from_origin(&mut self, client: u32, stamp: &Stamp, arrived: u64) {
        let (mut is_last, mut since) = (false, 0);
        match &mut self.origin {
            LatencyOrigin::End(ends) if stamp.intended == 0 => {
                let end = ends.get(stamp.publisher as usize);
                since = end.map_or(0, |end| end.load(Ordering::Acquire));
            }
            LatencyOrigin::Stamp | LatencyOrigin::End(_) => since = stamp.intended,
            LatencyOrigin::Fetch(all) => {
                if let Some(fetched) = all.get_mut(client as usize) {
                    since = fetched.since;
                    is_last = fetched.left == 1;
                    fetched.left = fetched.left.saturating_sub(1);
                }
            }
        }
        if since > 0 {
            let took = arrived.saturating_sub(since);
            let kinds = (LatencyKind::Delivery, LatencyKind::DeliveryFromSend);
            self.time(Phase::Measure, since, kinds, (took, None), 1);
            if is_last {
                let kinds = (LatencyKind::AllRetained, LatencyKind::AllRetained);
                self.time(Phase::Measure, since, kinds, (took, None), 1);
            }
        }
    }

    /// Takes note of clients that have not received all that is retained at this time, which is the last.
    pub(crate) fn count_unfetched(&mut self, time: u64) {
        let LatencyOrigin::Fetch(all) = &mut self.origin else { return };
        let unfinished: Vec<u64> =
            all.iter().filter(|fetched| fetched.left > 0).map(|fetched| fetched.since).collect();
        for since in unfinished {
            self.wait(LatencyKind::AllRetained, since, time.saturating_sub(since), 1);
        }
    }
}
