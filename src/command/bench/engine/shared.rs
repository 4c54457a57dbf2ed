//! What the threads of a load share: the state of all threads, the messages between them and the director,
//! and what the clients of one thread have in common.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::{Bytes, BytesMut};

use super::super::config::{Load, Mode, Payload, Rate, StopAfter};
use super::super::credentials::ClientCredentials;
use super::super::pacer::share;
use super::super::plan::{Plan, Role};
use super::super::recorder::{LatencyKind, Recorder, Second};
use super::super::rows::Row;
use super::super::stamp::{self, Arrival, Flows, Phase, Recognised, Stamp, Timeline};
use super::in_flight::MessageInFlight;
use crate::client::options::ClientOptions;
use crate::error::Error;
use crate::file::read_at_most;
use crate::memory;
use crate::protocol::wire::{LARGEST_PACKET_BYTES, PublishTemplate};
use crate::protocol::{Protocol, QoS};

/// What all threads know.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) load: Load,
    pub(crate) plan: Arc<Plan>,
    pub(crate) protocol: Protocol,
    pub(crate) run: u32,
    pub(crate) threads: u32,
    pub(crate) credentials: Option<ClientCredentials>,
    /// Each thread has its own copy: a file it comes from may be a pipe, which can be read only once.
    pub(crate) message: StampedMessage,
    /// What clients connect with, one for each local address.
    pub(crate) options: Vec<Arc<ClientOptions>>,
    /// When the run began: the connections' ramp and the series count from here.
    pub(crate) began: u64,
}

impl Fleet {
    /// A thread's part of the messages of the closed loop, if they are counted; a schedule counts
    /// its own.
    pub(crate) fn quota(&self, thread: u32) -> u64 {
        let (StopAfter::Count(count), Rate::Max) = (self.load.stop, self.load.rate) else { return u64::MAX };
        let publishers = self.load.publishers;
        let before: u32 = (0..thread).map(|earlier| share(publishers, earlier, self.threads)).sum();
        let own = share(publishers, thread, self.threads);
        let up_to = |part: u32| {
            let part = u128::from(count) * u128::from(part) / u128::from(publishers.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        up_to(before + own) - up_to(before)
    }

    /// When a client is to connect.
    pub(crate) fn connect_time(&self, number: u32) -> u64 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "neither negative nor too long"
        )]
        let delay = self.load.ramp.map_or(0, |rate| (f64::from(number) / rate * 1e9) as u64);
        self.began + delay
    }

    /// What clients connect with who have no credentials of their own, one for each local address.
    pub(crate) fn options(load: &Load, run: u32) -> Vec<Arc<ClientOptions>> {
        let mut options = load.client.clone();
        if options.client_identifier.is_empty() {
            options.client_identifier = format!("bench-{run:08x}");
        }
        if load.local_addresses.is_empty() {
            return vec![Arc::new(options)];
        }
        let from = |address: &IpAddr| {
            let mut options = options.clone();
            options.endpoint.bind = Some(*address);
            Arc::new(options)
        };
        load.local_addresses.iter().map(from).collect()
    }

    /// What a client connects with; one that `resumes` was connected before.
    pub(crate) fn order(&self, number: u32, role: Role, resumes: bool) -> ConnectOrder {
        let (options, client_identifier) = self.options_of(number, role);
        ConnectOrder { options, client_identifier, protocol: self.protocol, resumes }
    }

    /// What a client connects with, and its client identifier.
    fn options_of(&self, number: u32, role: Role) -> (Arc<ClientOptions>, String) {
        let options = &self.options[number as usize % self.options.len()];
        let (kind, own) = match role {
            Role::Idle => ("", number),
            Role::Publisher(n) => ("p", n),
            Role::Subscriber(n) => ("s", n),
        };
        let mut digits = itoa::Buffer::new();
        let identifier = [&options.client_identifier, "-", kind, digits.format(own)].concat();
        let Some(credentials) = &self.credentials else { return (Arc::clone(options), identifier) };
        let mut own = ClientOptions { client_identifier: identifier, ..ClientOptions::clone(options) };
        credentials.apply(number, &mut own);
        let identifier = own.client_identifier.clone();
        (Arc::new(own), identifier)
    }
}

/// The client to connect.
#[derive(Debug)]
pub(crate) struct ConnectOrder {
    pub(crate) options: Arc<ClientOptions>,
    pub(crate) client_identifier: String,
    pub(crate) protocol: Protocol,
    /// It had a link before.
    pub(crate) resumes: bool,
}

/// What a thread is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    Subscribe,
    Start(Timeline),
    /// Nothing more is to be published from this time on.
    End(u64),
    /// Disconnect everything; what is not gone by this time is dropped.
    Leave(u64),
}

/// What a thread tells.
#[derive(Debug)]
pub(crate) enum News {
    /// Every connection was made or has failed.
    Connected,
    /// Every subscription was answered, or its client lost.
    Subscribed,
    /// The last of its connections is gone before its time.
    Alone,
    /// A row of the series is over.
    Second(Row, Box<Second>),
    /// It is over.
    Finished(Box<Recorder>),
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

/// The bytes of a message; only the stamp differs between messages.
#[derive(Debug, Clone)]
pub(crate) struct StampedMessage {
    pub(crate) bytes: Vec<u8>,
    /// Of what stands behind the stamp.
    pub(crate) rest_hash: u64,
    /// What is behind the stamp differs from message to message.
    template: Option<Vec<u8>>,
}

impl StampedMessage {
    /// Reads and fills a payload.
    pub(crate) fn new(payload: &Payload, seed: u64) -> Result<Self, Error> {
        let mut random = fastrand::Rng::with_seed(seed);
        let head = [0; stamp::LONG_BYTES];
        let (bytes, template) = match payload {
            Payload::Size(size) => {
                // Letters, which neither compress to nothing nor disturb a terminal.
                let letters = std::iter::repeat_with(|| random.lowercase() as u8);
                let failed = |error| Error::file(format!("messages of {size} bytes"), error);
                let mut bytes = memory::zeros(*size).map_err(failed)?;
                bytes.iter_mut().zip(letters).for_each(|(byte, letter)| *byte = letter);
                (bytes, None)
            }
            Payload::Template(text) => {
                let varies = text.windows(8).any(|part| part == b"{client}")
                    || text.windows(10).any(|part| part == b"{sequence}");
                ([&head[..], text].concat(), varies.then(|| text.clone()))
            }
            Payload::File(path) => {
                let content = read_at_most(path, LARGEST_PACKET_BYTES.into())
                    .map_err(|error| Error::file(format!("cannot read {}", path.display()), error))?;
                ([&head[..], &content].concat(), None)
            }
        };
        let rest_hash = stamp::hash(&bytes[stamp::bytes_in(bytes.len())..]);
        Ok(Self { bytes, rest_hash, template })
    }

    /// Whether messages differ in more than their stamps.
    pub(crate) fn varies(&self) -> bool {
        self.template.is_some()
    }

    /// Makes what is behind the stamp that of a message.
    pub(crate) fn fill(&mut self, publisher: u32, sequence: u64) {
        let Some(template) = &self.template else { return };
        self.bytes.truncate(stamp::LONG_BYTES);
        let mut rest = &template[..];
        while let Some(open) = memchr::memchr(b'{', rest) {
            self.bytes.extend_from_slice(&rest[..open]);
            rest = &rest[open..];
            let mut number = itoa::Buffer::new();
            let (digits, length) = if rest.starts_with(b"{client}") {
                (number.format(publisher), 8)
            } else if rest.starts_with(b"{sequence}") {
                (number.format(sequence), 10)
            } else {
                ("{", 1)
            };
            self.bytes.extend_from_slice(digits.as_bytes());
            rest = &rest[length..];
        }
        self.bytes.extend_from_slice(rest);
        self.rest_hash = stamp::hash(&self.bytes[stamp::LONG_BYTES..]);
    }
}

#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) plan: Arc<Plan>,
    pub(crate) run: u32,
    pub(crate) publishers: u32,
    pub(crate) qos: QoS,
    pub(crate) per_write: u32,
    /// Subscribers answer what they get.
    pub(crate) answers: bool,
    /// Clients come back when their link is lost.
    pub(crate) reconnects: bool,
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
    pub(crate) flows: Flows,
    pub(crate) recorder: Recorder,
}

impl Shard {
    /// Of this thread.
    pub(crate) fn new(fleet: &Fleet, thread: u32, flows: Flows) -> Self {
        let load = &fleet.load;
        Self {
            plan: Arc::clone(&fleet.plan),
            run: fleet.run,
            publishers: load.publishers,
            qos: load.qos,
            per_write: load.per_write,
            answers: load.mode == Mode::Request,
            reconnects: load.reconnects(),
            most_requests: load.client.max_inflight.into(),
            mode: load.mode,
            main: LatencyKind::main(load.mode, load.qos),
            scheduled: load.rate != Rate::Max,
            counted: matches!(load.stop, StopAfter::Count(_)),
            timeline: Timeline::NEVER,
            quota: fleet.quota(thread),
            payload: fleet.message.clone(),
            flows,
            recorder: Recorder::showing(LatencyKind::main(load.mode, load.qos)),
        }
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

    pub(crate) fn template(&self, protocol: Protocol, publisher: u32, sequence: u64) -> PublishTemplate {
        self.plan.template(protocol, self.run, publisher, sequence)
    }

    /// The payload of a message, once more.
    pub(crate) fn payload_of(&mut self, publisher: u32, message: MessageInFlight) -> Bytes {
        let MessageInFlight { sequence, intended, sent } = message;
        let (run, phase) = (self.run, self.timeline.phase(intended));
        self.payload.fill(publisher, sequence);
        let mut bytes = BytesMut::from(&self.payload.bytes[..]);
        let stamp = Stamp { run, phase, publisher, sequence, intended, sent: Some(sent) };
        stamp.write(&mut bytes, self.payload.rest_hash);
        bytes.freeze()
    }

    /// Whether rates count what happens at this time.
    fn is_in_window(&self, time: u64) -> bool {
        time >= self.timeline.measure && (self.counted || time < self.timeline.end)
    }

    /// Takes note of messages that were sent at this time, and of the deliveries they lead to.
    pub(crate) fn sent(&mut self, phase: Phase, time: u64, count: u64, expected: u64) {
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
        let (late, took) = (arrived.saturating_sub(intended), arrived.saturating_sub(sent));
        self.time(phase, LatencyKind::Acknowledge, LatencyKind::AcknowledgeFromSend, late, Some(took), count);
    }

    /// Takes note of messages that had no answer at this time, which is the last.
    pub(crate) fn unanswered(&mut self, intended: u64, sent: u64, time: u64, count: u64) {
        let phase = self.timeline.phase(intended);
        self.recorder.messages(phase).unacknowledged += count;
        if phase == Phase::Measure {
            self.recorder.wait(LatencyKind::Acknowledge, time.saturating_sub(intended), count);
            if self.scheduled {
                self.recorder.wait(LatencyKind::AcknowledgeFromSend, time.saturating_sub(sent), count);
            }
        }
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
        let phase = self.timeline.phase(intended);
        self.recorder.messages(phase).not_sent += count;
        if phase == Phase::Measure {
            let waited = time.saturating_sub(intended);
            if self.qos != QoS::AtMostOnce {
                self.recorder.wait(LatencyKind::Acknowledge, waited, count);
            }
            let delivery =
                if self.mode == Mode::Request { LatencyKind::RoundTrip } else { LatencyKind::Delivery };
            self.recorder.wait(delivery, waited, deliveries);
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

    /// Takes note of a latency of so many messages, from the intended time and from the actual one.
    /// In the closed loop there is no other intention than to send now, and a short stamp tells only the former.
    fn time(
        &mut self,
        phase: Phase,
        kind: LatencyKind,
        from_send: LatencyKind,
        late: u64,
        took: Option<u64>,
        count: u64,
    ) {
        if phase == Phase::Measure {
            self.recorder.record_many(kind, late, count);
            if let Some(took) = took.filter(|_| self.scheduled) {
                self.recorder.record_many(from_send, took, count);
            }
        } else if self.main == Some(kind) {
            self.recorder.record_live(late, count);
        }
    }

    /// Takes note of a message that arrived, and says whether it was one of this run that had not arrived
    /// before. `flows` is the receiver's first flow.
    pub(crate) fn received(&mut self, flows: usize, payload: &[u8], arrived: u64) -> bool {
        let own = (self.mode != Mode::Subscribe).then_some(self.run);
        if payload.len() < stamp::SHORT_BYTES && (payload.len() == self.payload.bytes.len() || own.is_none())
        {
            self.recorder.counts.unstamped += 1;
            self.delivered(self.timeline.phase(arrived), arrived, payload.len());
            return own.is_some();
        }
        let stamp = match Stamp::read(payload, own, arrived) {
            Recognised::Whole(stamp) if stamp.publisher < self.publishers || own.is_none() => stamp,
            Recognised::Corrupt => {
                self.recorder.counts.corrupt += 1;
                return false;
            }
            Recognised::Whole(_) | Recognised::Foreign => {
                self.recorder.counts.foreign += 1;
                if own.is_none() {
                    self.delivered(self.timeline.phase(arrived), arrived, payload.len());
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
            self.delivered(phase, arrived, payload.len());
            self.time(phase, LatencyKind::Delivery, LatencyKind::DeliveryFromSend, late, took, 1);
            return false;
        }
        let (flow, number) = self.plan.flow_of(stamp.publisher, stamp.sequence);
        let Some(arrival) = self.flows.observe(flows + flow, number) else {
            self.recorder.counts.foreign += 1;
            return false;
        };
        let shared = self.plan.groups > 0;
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
        let (kind, from_send) = match self.mode {
            Mode::Request => (LatencyKind::RoundTrip, LatencyKind::RoundTripFromSend),
            _ => (LatencyKind::Delivery, LatencyKind::DeliveryFromSend),
        };
        self.time(stamp.phase, kind, from_send, late, took, 1);
        true
    }
}
