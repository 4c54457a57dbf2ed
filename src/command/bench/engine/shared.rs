//! What the threads of a load share: the state of all threads, the messages between them and the director,
//! and what the clients of a group have in common on one thread.

mod operating;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::{Bytes, BytesMut};

use self::operating::LatencyOrigin;
use super::super::beside::Timed;
use super::super::config::{Mode, Rate, StopAfter};
use super::super::operation::OperationKind;
use super::super::plan::Plan;
use super::super::recorder::{LatencyKind, Recorder, Second};
use super::super::rows::Row;
use super::super::stamp::{self, Arrival, Flows, Phase, Recognised, Stamp, Timeline};
use super::super::topology::{GroupPlan, Inlet, Outlet};
use super::fleet::{Fleet, FleetGroup};
use super::in_flight::MessageInFlight;
use super::message::StampedMessage;
use crate::error::Error;
use crate::protocol::wire::PublishTemplate;
use crate::protocol::{Protocol, QoS};

/// What a thread is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// The groups of this wave connect, from this time on; those of the first do so unasked.
    Connect(u32, u64),
    /// Those that publish what the broker is to retain do so.
    Prepare,
    Subscribe,
    Start(Timeline),
    /// Say what is recorded so far.
    Snapshot,
    /// Nothing more is to be published from this time on.
    End(u64),
    /// Those that have published what the broker is to retain clear it.
    Clear,
    /// Disconnect everything; what is not gone by this time is dropped.
    Leave(u64),
}

/// What a thread tells.
#[derive(Debug)]
pub(crate) enum News {
    /// Every connection was made or has failed.
    Connected,
    /// The broker has all that it is to retain.
    Prepared,
    /// Every subscription was answered, or its client lost.
    Subscribed,
    /// Clearing what the broker retains is over; whether it has read all of it.
    Cleared(bool),
    /// The last of its connections is gone before its time.
    Alone,
    /// A row of the series is over.
    Second(Row, Box<Second>),
    /// What each group has recorded so far, with what waits for an answer as if it had it now.
    Snapshot(Vec<Recorder>),
    /// It is over: what each group has recorded.
    Finished(Vec<Recorder>),
    /// The thread could not do its work at all.
    Failed(Error),
}

/// The state of a thread, for the progress display. Written by one thread only.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Board {
    pub(crate) connected: AtomicU64,
    /// Clients that have lost their link and come back.
    pub(crate) away: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) acknowledged: AtomicU64,
    pub(crate) expected: AtomicU64,
    pub(crate) delivered: AtomicU64,
    /// No more messages come on the schedule or out of the quota.
    pub(crate) ended: AtomicU64,
    /// Everything that was to be sent is sent and answered.
    pub(crate) idle: AtomicU64,
}

/// What a group's clients of one thread receive of another group.
#[derive(Debug)]
struct ShardInlet {
    inlet: Inlet,
    /// The first flow of each shared-subscription group; empty if there are none.
    shared: Vec<usize>,
}

/// Which flows belong to which of a group's clients of one thread.
#[derive(Debug)]
pub(crate) struct FlowPlaces {
    inlets: Vec<ShardInlet>,
    next: usize,
}

impl FlowPlaces {
    pub(crate) fn new(plan: &GroupPlan, thread: u32, threads: u32) -> Self {
        let mut next = 0;
        let with_shared = |inlet: &Inlet| {
            let first = |group: u32| {
                let first = next;
                next += if group % threads == thread { inlet.plan.flows_of(group) } else { 0 };
                first
            };
            ShardInlet { inlet: inlet.clone(), shared: (0..inlet.plan.groups).map(first).collect() }
        };
        let inlets = plan.inlets.iter().map(with_shared).collect();
        Self { inlets, next }
    }

    /// The first flow of the next client.
    pub(crate) fn place(&mut self, client: u32) -> usize {
        let first = self.next;
        self.next += self.inlets.iter().map(|own| own.inlet.own_flows(client)).sum::<usize>();
        first
    }
}

/// The time from one to the next, in nanoseconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is from 0.001 to 10⁹")]
fn between(rate: f64) -> u64 {
    ((1e9 / rate) as u64).max(1)
}

/// What the clients of a group have in common on one thread.
#[allow(clippy::struct_excessive_bools, reason = "each is looked at for every message, by itself")]
#[derive(Debug)]
pub(crate) struct Shard {
    outlet: Option<Arc<Outlet>>,
    /// Whether its clients publish.
    sends: bool,
    /// What they publish is for the broker to retain, before the load.
    pub(crate) prepares: bool,
    /// What is retained is being cleared: such messages have no stamps.
    pub(crate) clears: bool,
    /// What they do in place of publishing.
    pub(crate) operation: Option<OperationKind>,
    origin: LatencyOrigin,
    inlets: Vec<ShardInlet>,
    pub(crate) subscriptions: Arc<[(Plan, QoS)]>,
    pub(crate) run: u32,
    /// The number of the group's first publisher, in stamps.
    pub(crate) first_publisher: u32,
    /// Of the messages that are sent.
    pub(crate) qos: QoS,
    pub(crate) per_write: u32,
    /// Subscribers answer what they get.
    pub(crate) answers: bool,
    /// Clients come back when their link is lost.
    pub(crate) reconnects: bool,
    /// Clients that send requests.
    pub(crate) requesters: u32,
    /// How long a client waits after each message before it reads on, in nanoseconds; 0 if it reads as fast as it can.
    pub(crate) read_every: u64,
    /// Requests a client of the closed loop may have without a response.
    pub(crate) most_requests: u32,
    mode: Mode,
    /// The latency that the run is about.
    main: Option<LatencyKind>,
    /// Messages have an intended time that is not just when they are sent.
    scheduled: bool,
    /// The measurement ends with the last event of so many messages.
    counted: bool,
    pub(crate) timeline: Timeline,
    /// Messages of the measurement that may still be sent.
    pub(crate) quota: u64,
    pub(crate) payload: StampedMessage,
    /// Stamps may be text.
    has_text_stamps: bool,
    /// How long the messages of this run are that are too short for a stamp.
    unstamped: Vec<usize>,
    flows: Flows,
    /// Deliveries to each client, by its number, where they share subscriptions.
    members: Option<Box<[u64]>>,
    pub(crate) recorder: Recorder,
}

impl Shard {
    /// Of this thread and group.
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
            prepares: plan.prepares,
            clears: false,
            operation: plan.operation,
            origin: LatencyOrigin::new(fleet, plan.operation, group.clients),
            inlets: places.inlets,
            subscriptions: Arc::clone(&plan.subscriptions),
            run: fleet.run,
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

    /// Whether its clients publish.
    pub(crate) fn publishes(&self) -> bool {
        self.sends
    }

    /// Whether its clients subscribe.
    pub(crate) fn subscribes(&self) -> bool {
        self.answers || self.operation.is_none() && !self.subscriptions.is_empty()
    }

    /// Whether Topic Aliases stand for its topics.
    pub(crate) fn uses_aliases(&self) -> bool {
        self.outlet.as_ref().is_some_and(|outlet| outlet.uses_aliases())
    }

    /// Topics of each publisher.
    pub(crate) fn topics(&self) -> u32 {
        self.outlet.as_ref().map_or(1, |outlet| outlet.topics())
    }

    /// How many deliveries a message leads to.
    pub(crate) fn receivers(&self, publisher: u32, sequence: u64) -> u64 {
        self.outlet.as_ref().map_or(0, |outlet| outlet.receivers(publisher, sequence))
    }

    /// How many messages may be sent at this time, up to `most`. Those of the measurement are taken
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

    /// What a publisher's message has in common with its others of that topic.
    pub(crate) fn template(
        &self,
        protocol: Protocol,
        publisher: u32,
        sequence: u64,
    ) -> Option<PublishTemplate> {
        Some(self.outlet.as_ref()?.template(protocol, self.run, publisher, sequence))
    }

    /// Which flow a message belongs to, and its number in it; `None` if no message of its publisher is for this
    /// client, whose first flow is `first`.
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

    /// The payload of a message, once more; none if its fields no longer fit into a packet.
    pub(crate) fn payload_of(&mut self, client: u32, message: MessageInFlight) -> Option<Bytes> {
        let MessageInFlight { sequence, intended, sent } = message;
        let (run, phase) = (self.run, self.timeline.phase(intended));
        let publisher = self.first_publisher + client;
        self.payload.fill(client, sequence).ok()?;
        let mut bytes = BytesMut::from(&self.payload.bytes[..]);
        let stamp = Stamp { run, phase, publisher, sequence, intended, sent: Some(sent) };
        StampedMessage::write_stamp(&stamp, self.payload.stamp_at, &mut bytes, self.payload.rest_hash);
        Some(bytes.freeze())
    }

    /// What a payload is that came at this time: a message of this run, or in a run of subscribers of any.
    #[inline]
    pub(crate) fn recognise(&self, payload: &[u8], arrived: u64) -> Recognised {
        let own = (self.mode != Mode::Subscribe).then_some(self.run);
        match Stamp::read(payload, own, arrived) {
            Recognised::Foreign if self.has_text_stamps => Stamp::find(payload, own),
            found => found,
        }
    }

    /// Whether rates count what happens at this time.
    fn is_in_window(&self, time: u64) -> bool {
        time >= self.timeline.measure && (self.counted || time < self.timeline.end)
    }

    /// Takes note of messages that were due and were sent at these times, and of the deliveries they lead to.
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

    /// Takes note of the acknowledgements of so many messages with the same times.
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

    /// What is recorded so far.
    pub(crate) fn snapshot(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Adds messages to a snapshot that wait for an answer, or to be sent: they take as long as they have waited, or
    /// longer.
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

    /// Takes note of messages that had no answer at this time, which is the last.
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

    /// Takes note of how long messages of the measurement had waited that were due at this time and had no answer.
    fn wait(&mut self, kind: LatencyKind, due: u64, waited: u64, count: u64) {
        let timed = self.timed(kind, due, waited, count);
        if let Some(beside) = self.recorder.beside(Phase::Measure) {
            beside.wait(timed);
        }
        self.recorder.wait(kind, waited, count);
    }

    /// Takes note of how long a connection took that was made again, beside the figures of the run.
    pub(crate) fn time_connection(&mut self, time: u64, took: u64) {
        let timed = self.timed(LatencyKind::UntilConnAck, time, took, 1);
        if let Some(beside) = self.recorder.beside(Phase::Measure) {
            beside.time(timed, None);
        }
    }

    fn timed(&self, kind: LatencyKind, due: u64, took: u64, count: u64) -> Timed {
        Timed { kind, is_main: self.main == Some(kind), due, took, count }
    }

    /// Takes note of answers to SUBSCRIBE that will not come any more: since when, and how many.
    pub(crate) fn unsubscribed(&mut self, awaited: Option<(u64, u32)>, time: u64) {
        if let Some((since, requests)) = awaited {
            self.recorder.wait(LatencyKind::SubAck, time.saturating_sub(since), requests.into());
        }
    }

    /// Takes note of messages that were due and not sent by this time, which is the last, and of the
    /// deliveries they would have led to.
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

    /// Takes note of a delivery at this time, as far as rates go.
    fn delivered(&mut self, phase: Phase, arrived: u64, bytes: usize) {
        self.recorder.messages(phase).delivered += 1;
        self.recorder.second.delivered += 1;
        self.recorder.last_event = arrived;
        if self.is_in_window(arrived) {
            self.recorder.counts.window.delivered += 1;
            self.recorder.counts.window.delivered_bytes += bytes as u64;
        }
    }

    /// Takes note of a delivery at this time of a message whose own time means nothing here.
    fn delivered_unstamped(&mut self, arrived: u64, bytes: usize) {
        let phase = self.timeline.phase(arrived);
        self.delivered(phase, arrived, bytes);
        if let Some(beside) = self.recorder.beside(phase) {
            beside.arrived_unstamped(arrived, bytes);
        }
    }

    /// Takes note of a latency of so many messages that were due at this time, from the intended time and from the actual one, if both count.
    /// In the closed loop there is no other intention than to send now, and a short stamp tells only the former.
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

    /// Takes note of a delivery to a client that shares its subscriptions.
    #[inline]
    fn share(&mut self, client: u32, phase: Phase) {
        if let Some(members) = &mut self.members
            && phase == Phase::Measure
        {
            members[client as usize] += 1;
        }
    }

    /// What the members of the shared-subscription groups of this thread got.
    pub(crate) fn count_shares(&mut self, (place, plan): (usize, &GroupPlan), (thread, threads): (u32, u32)) {
        let Some(members) = self.members.take() else { return };
        let groups = plan.shared_groups();
        for group in (0..groups).filter(|group| group % threads == thread) {
            let of_group = members.iter().skip(group as usize).step_by(groups as usize);
            self.recorder.shares.insert((place, group), of_group.copied().collect());
        }
    }

    /// Takes note of a message that arrived, and says whether it was one of this run that had not arrived
    /// before. `flows` is the receiver's first flow.
    pub(crate) fn received(&mut self, client: u32, flows: usize, payload: &[u8], arrived: u64) -> bool {
        let own = (self.mode != Mode::Subscribe).then_some(self.run);
        if payload.len() < stamp::SHORT_BYTES && (self.unstamped.contains(&payload.len()) || own.is_none()) {
            self.recorder.counts.unstamped += 1;
            self.delivered_unstamped(arrived, payload.len());
            return own.is_some();
        }
        if own.is_none() {
            self.share(client, self.timeline.phase(arrived));
        }
        let stamp = match self.recognise(payload, arrived) {
            Recognised::Whole(stamp) => stamp,
            Recognised::Corrupt => {
                self.recorder.counts.corrupt += 1;
                return false;
            }
            Recognised::Foreign if self.clears => return false,
            Recognised::Foreign => {
                self.recorder.counts.foreign += 1;
                if own.is_none() {
                    self.delivered_unstamped(arrived, payload.len());
                }
                return false;
            }
        };
        let late = arrived.saturating_sub(stamp.intended);
        let took = stamp.sent.map(|sent| arrived.saturating_sub(sent));
        if own.is_none() {
            // Another process's clock marks mean something only on this machine, and its phases
            // are not ours.
            let phase = self.timeline.phase(arrived);
            self.delivered_unstamped(arrived, payload.len());
            let took = took.filter(|_| self.scheduled);
            let kinds = (LatencyKind::Delivery, LatencyKind::DeliveryFromSend);
            self.time(phase, arrived, kinds, (late, took), 1);
            return false;
        }
        let found = self
            .flow_of(client, flows, &stamp)
            .map(|(own, flow, number)| (flow, number, !own.shared.is_empty(), own.inlet.scheduled));
        let arrival = found.and_then(|(flow, number, ..)| self.flows.observe(flow, number));
        let (Some((.., shared, scheduled)), Some(arrival)) = (found, arrival) else {
            self.recorder.counts.foreign += 1;
            return false;
        };
        if let Some(beside) = self.recorder.beside(stamp.phase) {
            beside.arrived((stamp.intended, arrived), arrival, shared, payload.len());
        }
        let messages = self.recorder.messages(stamp.phase);
        match arrival {
            Arrival::InOrder => {}
            // Between the members of a group there is no order.
            Arrival::Reordered => messages.reordered += u64::from(!shared),
            Arrival::Duplicate => {
                messages.duplicates += 1;
                return false;
            }
            Arrival::Stale => {
                messages.stale += 1;
                return true;
            }
        }
        self.delivered(stamp.phase, arrived, payload.len());
        self.share(client, stamp.phase);
        let kinds = match self.mode {
            Mode::Retained | Mode::Wills => {
                self.time_from_origin(client, &stamp, arrived);
                return true;
            }
            Mode::Request => (LatencyKind::RoundTrip, LatencyKind::RoundTripFromSend),
            _ => (LatencyKind::Delivery, LatencyKind::DeliveryFromSend),
        };
        self.time(stamp.phase, stamp.intended, kinds, (late, took.filter(|_| scheduled)), 1);
        true
    }
}
