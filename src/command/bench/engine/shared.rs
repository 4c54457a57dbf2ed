//! State shared by the threads of a load: the state of all threads, the messages between them and the
//! director, and the common data of a group's clients on one thread.

mod flow_places;
mod operating;
mod stamping;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub(crate) use self::flow_places::FlowPlaces;
use self::flow_places::ShardInlet;
use self::operating::LatencyOrigin;
use super::super::beside::Timed;
use super::super::config::{Mode, Rate, StopAfter};
use super::super::operation::OperationKind;
use super::super::plan::Plan;
use super::super::recorder::{LatencyKind, Recorder, Second};
use super::super::reference::ReferenceClock;
use super::super::rows::Row;
use super::super::stamp::{self, Arrival, Flows, Phase, Recognised, Stamp, Timeline};
use super::super::topology::{GroupPlan, Inlet, Outlet};
use super::fleet::{Fleet, FleetGroup};
use super::message::StampedMessage;
use super::requests::UNKNOWN_SEQUENCE;
use crate::error::Error;
use crate::protocol::wire::PublishTemplate;
use crate::protocol::{Protocol, QoS};

/// An order to a thread.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// The groups of this wave connect from this time on; the first wave needs no order.
    Connect(u32, u64),
    /// Clients publish the messages that the broker is to retain.
    Prepare,
    Subscribe,
    Start(Timeline),
    /// Report the records so far.
    Snapshot,
    /// No message is due from this time on.
    End(u64),
    /// Messages without stamps that arrive from now on clear what the broker retains.
    ExpectClearing,
    /// Clients clear the messages that the broker retains.
    Clear,
    /// Disconnect all clients; connections that are not closed by this time are dropped.
    Leave(u64),
}

/// A message from a thread.
#[derive(Debug)]
pub(crate) enum News {
    /// Every connection was made or has failed.
    Connected,
    /// The broker has all messages that it is to retain.
    Prepared,
    /// Every subscription was answered, or its client was lost.
    Subscribed,
    /// Clearing the retained messages has ended; whether the broker has read all of it.
    Cleared(bool),
    /// The last connection of the thread was lost.
    Alone,
    /// A row of the series has ended.
    Second(Row, Box<Second>),
    /// The records of each group so far; messages without an answer are included as if they had it now.
    Snapshot(Vec<Recorder>),
    /// The end: the records of each group.
    Finished(Vec<Recorder>),
    /// The thread failed before it could work.
    Failed(Error),
}

/// The state of a thread, for the progress display. Only the thread itself writes it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Board {
    pub(crate) connected: AtomicU64,
    /// Clients that lost their connection and will reconnect.
    pub(crate) away: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) expected: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) operations: AtomicU64,
    /// Schedule or quota have no more messages.
    pub(crate) ended: AtomicU64,
    /// All messages were sent and answered.
    pub(crate) idle: AtomicU64,
}

/// The interval between events in nanoseconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is from 0.001 to 10⁹")]
fn between(rate: f64) -> u64 {
    ((1e9 / rate) as u64).max(1)
}

/// The common data of a group's clients on one thread.
#[allow(clippy::struct_excessive_bools, reason = "each is looked at for every message, by itself")]
#[derive(Debug)]
pub(crate) struct Shard {
    outlet: Option<Arc<Outlet>>,
    /// Whether its clients publish.
    sends: bool,
    /// Whether any client receives its messages.
    has_receivers: bool,
    /// A topic is for one message only.
    pub(crate) has_varying_topics: bool,
    /// Messages of a publisher differ by their stamps only.
    pub(crate) has_alike_messages: bool,
    /// Whether they publish messages for the broker to retain, before the load.
    pub(crate) prepares: bool,
    /// Whether retained messages are being cleared: these messages have no stamps.
    pub(crate) clears: bool,
    /// Their operation instead of publishing.
    pub(crate) operation: Option<OperationKind>,
    origin: LatencyOrigin,
    inlets: Vec<ShardInlet>,
    pub(crate) subscriptions: Arc<[(Plan, QoS)]>,
    pub(crate) run: u32,
    /// The clock of the stamps; `None` if it is that of this process.
    clock: Option<Arc<ReferenceClock>>,
    /// The number of the group's first publisher, in stamps.
    pub(crate) first_publisher: u32,
    /// The QoS of sent messages.
    pub(crate) qos: QoS,
    pub(crate) per_write: u32,
    /// Whether subscribers answer messages.
    pub(crate) answers: bool,
    /// Whether clients reconnect.
    pub(crate) reconnects: bool,
    pub(crate) requesters: u32,
    /// The pause of a client after each message, in nanoseconds; 0 for none.
    pub(crate) read_every: u64,
    /// Maximum number of requests without a response per client of the closed loop.
    pub(crate) most_requests: u32,
    mode: Mode,
    /// The main latency of the run.
    main: Option<LatencyKind>,
    /// Whether intended send times come from a schedule.
    scheduled: bool,
    /// Whether the measurement ends after a number of messages.
    counted: bool,
    pub(crate) timeline: Timeline,
    /// Messages of the measurement that may still be sent.
    pub(crate) quota: u64,
    pub(crate) payload: StampedMessage,
    /// Whether stamps may be text.
    has_text_stamps: bool,
    /// The lengths of this run's messages that are too short for a stamp.
    unstamped: Vec<usize>,
    flows: Flows,
    /// Deliveries to each client by number, for shared subscriptions.
    members: Option<Box<[u64]>>,
    pub(crate) recorder: Recorder,
}

impl Shard {
    /// The data for this thread and group.
    pub(crate) fn new(fleet: &Fleet, thread: u32, group: usize, places: FlowPlaces) -> Self {
        let load = &fleet.load;
        let FleetGroup { group, plan, material, .. } = &fleet.groups[group];
        let publish = group.publish.as_ref();
        let operation = group.operation.map(|operation| operation.rate);
        let rate = publish.map(|publish| publish.rate).or(operation).unwrap_or(load.rate);
        let lengths = fleet.groups.iter().filter(|group| group.group.publish.is_some());
        let lengths = lengths.map(|group| group.material.message.bytes.len());
        Self {
            outlet: plan.outlet.clone(),
            sends: publish.is_some(),
            has_receivers: plan.outlet.as_ref().is_some_and(|outlet| outlet.has_receivers()),
            has_varying_topics: plan.outlet.as_ref().is_some_and(|outlet| outlet.varies()),
            has_alike_messages: !material.message.varies()
                && plan.outlet.as_ref().is_some_and(|outlet| outlet.has_one_head()),
            prepares: plan.prepares,
            clears: false,
            operation: plan.operation,
            origin: LatencyOrigin::new(fleet, plan.operation, group.clients),
            inlets: places.inlets,
            subscriptions: Arc::clone(&plan.subscriptions),
            run: fleet.run,
            clock: fleet.clock.clone(),
            first_publisher: plan.first_publisher,
            qos: publish.map_or(load.qos, |publish| publish.qos),
            per_write: publish.map_or(u32::MAX, |publish| publish.per_write),
            answers: load.mode == Mode::Request,
            reconnects: load.reconnects(),
            requesters: load.publishers,
            read_every: group.read_rate.map_or(0, between),
            most_requests: load.client.max_inflight.into(),
            mode: load.mode,
            main: LatencyKind::main(load.mode, load.qos),
            scheduled: rate != Rate::Max,
            counted: matches!(load.stop, StopAfter::Count(_)),
            timeline: Timeline::NEVER,
            quota: match plan.operation {
                Some(_) => u64::MAX,
                None if publish.is_some() && !plan.prepares => fleet.quota(thread, group.clients, rate),
                None => 0,
            },
            payload: material.message.clone(),
            has_text_stamps: load.mode == Mode::Subscribe
                || fleet.groups.iter().any(|group| group.material.message.stamp_at.is_some()),
            unstamped: lengths.filter(|length| *length < stamp::SHORT_BYTES).collect(),
            flows: Flows::new(places.next, plan.words()),
            members: (plan.shared_groups() > 0).then(|| vec![0; group.clients as usize].into()),
            recorder: Recorder::showing(LatencyKind::main(load.mode, load.qos)),
        }
    }

    pub(crate) fn publishes(&self) -> bool {
        self.sends
    }

    pub(crate) fn subscribes(&self) -> bool {
        self.answers || self.operation.is_none() && !self.subscriptions.is_empty()
    }

    /// Topics of each publisher.
    pub(crate) fn topics(&self) -> u32 {
        self.outlet.as_ref().map_or(1, |outlet| outlet.topics())
    }

    /// The number of expected deliveries of a message.
    #[inline]
    pub(crate) fn receivers(&self, publisher: u32, sequence: u64) -> u64 {
        let outlet = self.outlet.as_ref().filter(|_| self.has_receivers);
        outlet.map_or(0, |outlet| outlet.receivers(publisher, sequence))
    }

    /// The number of messages that may be sent at this time, up to `most`. Those of the measurement are taken
    /// from the quota.
    pub(crate) fn take(&mut self, time: u64, most: u32) -> u32 {
        if time >= self.timeline.end {
            return 0;
        }
        if time < self.timeline.measure {
            return most;
        }
        let taken = u32::try_from(self.quota).map_or(most, |quota| most.min(quota));
        self.quota -= u64::from(taken);
        taken
    }

    /// The common parts of a publisher's messages to the same topic.
    pub(crate) fn template(
        &self,
        protocol: Protocol,
        publisher: u32,
        sequence: u64,
    ) -> Option<PublishTemplate> {
        Some(self.outlet.as_ref()?.template(protocol, self.run, publisher, sequence))
    }

    /// The flow of a message, and its number in it; `None` if its publisher has no messages for this client,
    /// whose first flow is `first`.
    #[inline]
    fn flow_of(&self, client: u32, first: usize, stamp: &Stamp) -> Option<(&ShardInlet, usize, u64)> {
        let mut first = first;
        for own in &self.inlets {
            let Inlet { plan, publishers, .. } = &own.inlet;
            if publishers.contains(&stamp.publisher) {
                let (flow, number) = plan.flow_of(stamp.publisher - publishers.start, stamp.sequence);
                let shared = own.shared.get((client % plan.groups.max(1)) as usize);
                return Some((own, shared.copied().unwrap_or(first) + flow, number));
            }
            first += own.inlet.own_flows(client);
        }
        None
    }

    /// Whether rates count events at this time.
    fn is_in_window(&self, time: u64) -> bool {
        time >= self.timeline.measure && (self.counted || time < self.timeline.end)
    }

    /// Records messages that were due and sent at these times, and their expected deliveries.
    pub(crate) fn sent(&mut self, phase: Phase, (due, time): (u64, u64), count: u64, expected: u64) {
        if let Some(beside) = self.recorder.beside(phase) {
            beside.sent((due, time), count, expected);
        }
        let messages = self.recorder.messages(phase);
        messages.sent += count;
        messages.expected += expected;
        self.recorder.second.sent += count;
        if count > 0 {
            self.recorder.last_event = time;
        }
        if self.is_in_window(time) {
            let window = &mut self.recorder.counts.window;
            window.sent += count;
            window.own_sent += if phase == Phase::Measure { count } else { 0 };
        }
    }

    /// Records acknowledgements of messages with the same times.
    pub(crate) fn acknowledged(&mut self, intended: u64, sent: u64, arrived: u64, count: u64) {
        let phase = self.timeline.phase(intended);
        self.recorder.messages(phase).acknowledged += count;
        self.recorder.second.acknowledged += count;
        self.recorder.last_event = arrived;
        if self.is_in_window(arrived) {
            self.recorder.counts.window.acknowledged += count;
        }
        let late = arrived.saturating_sub(intended);
        let took = self.scheduled.then(|| arrived.saturating_sub(sent));
        if let Some(beside) = self.recorder.beside(phase) {
            beside.acknowledged(intended, arrived, count);
        }
        let kinds = (LatencyKind::Acknowledge, LatencyKind::AcknowledgeFromSend);
        self.time(phase, intended, kinds, (late, took), count);
    }

    /// The records so far.
    pub(crate) fn snapshot(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Adds waiting messages to a snapshot, unanswered or not sent: their latency is at least their waiting
    /// time.
    pub(crate) fn note_waiting(
        &self,
        snapshot: &mut Recorder,
        due: u64,
        waited: u64,
        acknowledgements: u64,
        deliveries: u64,
    ) {
        if self.timeline.phase(due) != Phase::Measure {
            return;
        }
        let delivery =
            if self.mode == Mode::Request { LatencyKind::RoundTrip } else { LatencyKind::Delivery };
        for (kind, count) in [(LatencyKind::Acknowledge, acknowledgements), (delivery, deliveries)] {
            if count > 0 {
                snapshot.record_many(kind, waited, count);
                if let Some(beside) = snapshot.beside(Phase::Measure) {
                    beside.time(self.timed(kind, due, waited, count), None);
                }
            }
        }
    }

    /// Records messages without an answer at the end of the run.
    pub(crate) fn unanswered(&mut self, intended: u64, sent: u64, time: u64, count: u64) {
        let phase = self.timeline.phase(intended);
        self.recorder.messages(phase).unacknowledged += count;
        if phase == Phase::Measure {
            self.wait(LatencyKind::Acknowledge, intended, time.saturating_sub(intended), count);
            if self.scheduled {
                self.recorder.wait(LatencyKind::AcknowledgeFromSend, time.saturating_sub(sent), count);
            }
            if let Some(beside) = self.recorder.beside(phase) {
                beside.unfinished(intended, count, 0);
            }
        }
    }

    /// Records the waiting time of messages of the measurement that were due at this time and have no answer.
    fn wait(&mut self, kind: LatencyKind, due: u64, waited: u64, count: u64) {
        let timed = self.timed(kind, due, waited, count);
        if let Some(beside) = self.recorder.beside(Phase::Measure) {
            beside.wait(timed);
        }
        self.recorder.wait(kind, waited, count);
    }

    /// Records the duration of a reconnect, separate from the figures of the run.
    pub(crate) fn time_connection(&mut self, time: u64, took: u64) {
        let timed = self.timed(LatencyKind::UntilConnAck, time, took, 1);
        if let Some(beside) = self.recorder.beside(Phase::Measure) {
            beside.time(timed, None);
        }
    }

    fn timed(&self, kind: LatencyKind, due: u64, took: u64, count: u64) -> Timed {
        Timed { kind, is_main: self.main == Some(kind), due, took, count }
    }

    /// Records missing answers to SUBSCRIBE that will not arrive: since when, and how many.
    pub(crate) fn unsubscribed(&mut self, awaited: Option<(u64, u32)>, time: u64) {
        if let Some((since, requests)) = awaited {
            self.recorder.wait(LatencyKind::SubAck, time.saturating_sub(since), requests.into());
        }
    }

    /// Records messages that were due but not sent by the end of the run, and their expected deliveries.
    pub(crate) fn unsent(&mut self, intended: u64, time: u64, count: u64, deliveries: u64) {
        if self.operation.is_some() {
            return self.undone(intended, time, count);
        }
        let phase = self.timeline.phase(intended);
        self.recorder.messages(phase).not_sent += count;
        if phase == Phase::Measure {
            let waited = time.saturating_sub(intended);
            if let Some(beside) = self.recorder.beside(phase) {
                beside.unfinished(intended, 0, count);
            }
            if self.qos != QoS::AtMostOnce {
                self.wait(LatencyKind::Acknowledge, intended, waited, count);
            }
            let delivery =
                if self.mode == Mode::Request { LatencyKind::RoundTrip } else { LatencyKind::Delivery };
            self.wait(delivery, intended, waited, deliveries);
        }
    }

    /// Records a delivery at this time for the rates.
    fn delivered(&mut self, phase: Phase, arrived: u64, bytes: usize) {
        self.recorder.messages(phase).delivered += 1;
        self.recorder.second.delivered += 1;
        self.recorder.last_event = arrived;
        if self.is_in_window(arrived) {
            self.recorder.counts.window.delivered += 1;
            self.recorder.counts.window.delivered_bytes += bytes as u64;
        }
    }

    /// Records a delivery at this time of a message whose stamp has no meaningful time.
    fn delivered_unstamped(&mut self, arrived: u64, bytes: usize) {
        let phase = self.timeline.phase(arrived);
        self.delivered(phase, arrived, bytes);
        if let Some(beside) = self.recorder.beside(phase) {
            beside.arrived_unstamped(arrived, bytes);
        }
    }

    /// Records the latency of messages that were due at this time: from the intended time and, if both count,
    /// from the actual one. In the closed loop both are the same, and a short stamp contains only the
    /// intended time.
    fn time(
        &mut self,
        phase: Phase,
        due: u64,
        (kind, from_send): (LatencyKind, LatencyKind),
        (late, took): (u64, Option<u64>),
        count: u64,
    ) {
        if phase == Phase::Measure {
            if self.recorder.beside.is_some() {
                let timed = self.timed(kind, due, late, count);
                if let Some(beside) = self.recorder.beside(phase) {
                    beside.time(timed, took.map(|took| (from_send, took)));
                }
            }
            self.recorder.record_many(kind, late, count);
            if let Some(took) = took {
                self.recorder.record_many(from_send, took, count);
            }
        } else if self.main == Some(kind) {
            self.recorder.record_live(late, count);
        }
    }

    /// Records a delivery to a client with shared subscriptions.
    #[inline]
    fn share(&mut self, client: u32, phase: Phase) {
        if let Some(members) = &mut self.members
            && phase == Phase::Measure
        {
            members[client as usize] += 1;
        }
    }

    /// Adds the deliveries to members of this thread's shared-subscription groups.
    pub(crate) fn count_shares(&mut self, (place, plan): (usize, &GroupPlan), (thread, threads): (u32, u32)) {
        let Some(members) = self.members.take() else { return };
        let groups = plan.shared_groups();
        for group in (0..groups).filter(|group| group % threads == thread) {
            let of_group = members.iter().skip(group as usize).step_by(groups as usize);
            self.recorder.shares.insert((place, group), of_group.copied().collect());
        }
    }

    /// Records a message that arrived. Returns the sequence number of a message of this run that had not arrived
    /// before. `flows` is the receiver's first flow.
    pub(crate) fn received(
        &mut self,
        client: u32,
        flows: usize,
        payload: &[u8],
        arrived: u64,
    ) -> Option<u64> {
        let own = (self.mode != Mode::Subscribe).then_some(self.run);
        if payload.len() < stamp::SHORT_BYTES && (self.unstamped.contains(&payload.len()) || own.is_none()) {
            self.recorder.counts.unstamped += 1;
            self.delivered_unstamped(arrived, payload.len());
            return own.map(|_| UNKNOWN_SEQUENCE);
        }
        if own.is_none() {
            self.share(client, self.timeline.phase(arrived));
        }
        let stamp = match self.recognise(payload, arrived) {
            Recognised::Whole(stamp) => stamp,
            Recognised::Corrupt => {
                self.recorder.counts.corrupt += 1;
                return None;
            }
            Recognised::Foreign if self.clears => return None,
            Recognised::Foreign => {
                self.recorder.counts.foreign += 1;
                if own.is_none() {
                    self.delivered_unstamped(arrived, payload.len());
                }
                return None;
            }
        };
        let late = arrived.saturating_sub(stamp.intended);
        let took = stamp.sent.map(|sent| arrived.saturating_sub(sent));
        if own.is_none() {
            // Another process's times are valid only on this machine, and its phases are not those of this
            // run.
            let phase = self.timeline.phase(arrived);
            self.delivered_unstamped(arrived, payload.len());
            let took = took.filter(|_| self.scheduled);
            let kinds = (LatencyKind::Delivery, LatencyKind::DeliveryFromSend);
            self.time(phase, arrived, kinds, (late, took), 1);
            return None;
        }
        let found = self
            .flow_of(client, flows, &stamp)
            .map(|(own, flow, number)| (flow, number, own.unordered, own.inlet.scheduled));
        let arrival = found.and_then(|(flow, number, ..)| self.flows.observe(flow, number));
        let (Some((.., unordered, scheduled)), Some(arrival)) = (found, arrival) else {
            self.recorder.counts.foreign += 1;
            return None;
        };
        if let Some(beside) = self.recorder.beside(stamp.phase) {
            beside.arrived((stamp.intended, arrived), arrival, unordered, payload.len());
        }
        let messages = self.recorder.messages(stamp.phase);
        match arrival {
            Arrival::InOrder => {}
            Arrival::Reordered => messages.reordered += u64::from(!unordered),
            Arrival::Duplicate => {
                messages.duplicates += 1;
                return None;
            }
            Arrival::Stale => {
                messages.stale += 1;
                return Some(stamp.sequence);
            }
        }
        self.delivered(stamp.phase, arrived, payload.len());
        self.share(client, stamp.phase);
        let kinds = match self.mode {
            Mode::Retained | Mode::Wills => {
                self.time_from_origin(client, &stamp, arrived);
                return Some(stamp.sequence);
            }
            Mode::Request => (LatencyKind::RoundTrip, LatencyKind::RoundTripFromSend),
            _ => (LatencyKind::Delivery, LatencyKind::DeliveryFromSend),
        };
        self.time(stamp.phase, stamp.intended, kinds, (late, took.filter(|_| scheduled)), 1);
        Some(stamp.sequence)
    }
}
