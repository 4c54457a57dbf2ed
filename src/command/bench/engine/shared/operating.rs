//! Records of operations, and of deliveries whose latency starts at an operation.

use std::sync::atomic::Ordering;

use super::super::fleet::{Ends, Fleet};
use super::{Shard, Stamp};
use crate::command::bench::config::Mode;
use crate::command::bench::operation::{OperationKind, OperationStep};
use crate::command::bench::recorder::{LatencyKind, Recorder};
use crate::command::bench::stamp::Phase;
use crate::protocol::wire::PublishTemplate;
use crate::protocol::{Protocol, QoS};

/// The start of the latency of deliveries.
#[derive(Debug)]
pub(super) enum LatencyOrigin {
    /// The time in their stamps.
    Stamp,
    /// The end of their publishers' connections, because they are wills.
    End(Ends),
    /// Their subscriptions, by client number, because they are retained messages.
    Fetch(Box<[Fetched]>),
}

/// A client's requested messages.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fetched {
    /// When its subscription was due; 0 until then.
    since: u64,
    /// Messages that have not arrived.
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
    /// The filters of a client.
    pub(crate) fn filters(&self, client: u32) -> Vec<(String, QoS)> {
        let each = self.subscriptions.iter();
        each.flat_map(|(plan, qos)| plan.filters(client).into_iter().map(|filter| (filter, *qos))).collect()
    }

    /// A message that clears the broker's retained message of a publisher's topic.
    pub(crate) fn clearing(&self, protocol: Protocol, publisher: u32, place: u32) -> Option<PublishTemplate> {
        Some(self.outlet.as_ref()?.clearing(protocol, publisher, place))
    }

    /// Records when an operation is started, by its due time, if nothing but the generator delayed it.
    pub(crate) fn operates(&mut self, due: u64, time: u64) {
        if self.scheduled && self.timeline.phase(due) == Phase::Measure {
            self.recorder.record(LatencyKind::ScheduleLag, time.saturating_sub(due));
        }
    }

    /// Records a step that was due and ended at these times.
    pub(crate) fn operated(&mut self, step: OperationStep, due: u64, time: u64, is_done: bool) {
        let phase = self.timeline.phase(due);
        let is_in_window = self.is_in_window(time);
        let counts = self.recorder.step(step);
        if phase == Phase::Measure {
            *(if is_done { &mut counts.done } else { &mut counts.undone }) += 1;
        }
        counts.in_window += u64::from(is_done && is_in_window);
        self.recorder.second.operations += u64::from(is_done);
        self.recorder.last_event = time;
        if let Some(kind) = step.latency() {
            self.time(phase, due, (kind, kind), (time.saturating_sub(due), None), 1);
        }
    }

    /// Records operations that were due at this time and are not done at the end of the run.
    pub(crate) fn undone(&mut self, due: u64, time: u64, count: u64) {
        let step = self.operation.and_then(|kind| kind.steps().first().copied());
        let Some(step) = step.filter(|_| self.timeline.phase(due) == Phase::Measure) else { return };
        self.recorder.step(step).undone += count;
        if let Some(kind) = step.latency() {
            self.wait(kind, due, time.saturating_sub(due), count);
        }
    }

    /// Adds an operation without an answer to a snapshot: its latency is at least its waiting time.
    pub(crate) fn note_undone(&self, snapshot: &mut Recorder, due: u64, time: u64) {
        let step = self.operation.and_then(|kind| kind.steps().first().copied());
        if let Some(kind) = step.and_then(OperationStep::latency)
            && self.timeline.phase(due) == Phase::Measure
        {
            snapshot.record(kind, time.saturating_sub(due));
        }
    }

    /// Records the end of a client's connection at this time, as was due: its will is expected.
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

    /// Records that a client subscribes, as was due at this time: retained messages are expected.
    pub(crate) fn fetch(&mut self, client: u32, due: u64) {
        let messages: usize = self.inlets.iter().map(|own| own.inlet.plan.flows_of(client)).sum();
        let LatencyOrigin::Fetch(all) = &mut self.origin else { return };
        let Some(fetched) = all.get_mut(client as usize).filter(|fetched| fetched.since == 0) else { return };
        *fetched = Fetched { since: due, left: messages as u64 };
        self.recorder.messages(Phase::Measure).expected += messages as u64;
    }

    /// Records the latency of a delivery that does not start at the time in its stamp.
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
        // A connection of another shard may be lost before it is due to end.
        if since > 0 && since <= arrived {
            let took = arrived.saturating_sub(since);
            let kinds = (LatencyKind::Delivery, LatencyKind::DeliveryFromSend);
            self.time(Phase::Measure, since, kinds, (took, None), 1);
            if is_last {
                let kinds = (LatencyKind::AllRetained, LatencyKind::AllRetained);
                self.time(Phase::Measure, since, kinds, (took, None), 1);
            }
        }
    }

    /// Records clients that have not received all retained messages at the end of the run.
    pub(crate) fn count_unfetched(&mut self, time: u64) {
        let LatencyOrigin::Fetch(all) = &mut self.origin else { return };
        let unfinished: Vec<u64> =
            all.iter().filter(|fetched| fetched.left > 0).map(|fetched| fetched.since).collect();
        for since in unfinished {
            self.wait(LatencyKind::AllRetained, since, time.saturating_sub(since), 1);
        }
    }
}
