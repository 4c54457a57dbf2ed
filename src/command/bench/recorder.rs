//! The records of one thread: histograms, counts, errors by cause. No record is shared during the run; at the
//! end the recorders of all threads are merged once.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::beside::Beside;
use super::config::Mode;
use super::histogram::histogram;
use super::impact::Impact;
use super::operation::{OperationCounts, OperationStep};
use super::stamp::Phase;
use crate::client::Times;
use crate::protocol::QoS;

/// The kind of a latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LatencyKind {
    Connect,
    Tls,
    ConnAck,
    /// From the start of the connection to CONNACK.
    UntilConnAck,
    SubAck,
    UnsubAck,
    /// From the time at which a DISCONNECT was due until the CONNACK of the client's next connection.
    Again,
    /// From the loss of a connection until its client could resume.
    Back,
    /// From the intended send to PUBACK or PUBCOMP.
    Acknowledge,
    /// From the actual send.
    AcknowledgeFromSend,
    Delivery,
    DeliveryFromSend,
    RoundTrip,
    RoundTripFromSend,
    /// From SUBSCRIBE until the last of the retained messages.
    AllRetained,
    /// Delay of sending after the intended time, if only the generator caused it.
    ScheduleLag,
}

impl LatencyKind {
    pub(super) const COUNT: usize = Self::ScheduleLag as usize + 1;

    /// Whether it is a latency of messages, and not of connections or of the generator.
    pub(super) fn is_of_messages(self) -> bool {
        matches!(
            self,
            Self::Acknowledge
                | Self::AcknowledgeFromSend
                | Self::Delivery
                | Self::DeliveryFromSend
                | Self::RoundTrip
                | Self::RoundTripFromSend
        )
    }

    /// Whether runs of this mode and QoS measure it.
    pub(super) fn is_of(self, mode: Mode, qos: QoS) -> bool {
        match self {
            Self::Connect
            | Self::Tls
            | Self::ConnAck
            | Self::UntilConnAck
            | Self::Back
            | Self::ScheduleLag => true,
            Self::SubAck => !matches!(mode, Mode::Connect | Mode::Publish),
            Self::UnsubAck | Self::Again => mode == Mode::Churn,
            Self::Acknowledge | Self::AcknowledgeFromSend => mode.publishes() && qos != QoS::AtMostOnce,
            Self::Delivery | Self::DeliveryFromSend => {
                !matches!(mode, Mode::Connect | Mode::Publish | Mode::Request | Mode::Churn)
            }
            Self::RoundTrip | Self::RoundTripFromSend => mode == Mode::Request,
            Self::AllRetained => mode == Mode::Retained,
        }
    }

    /// The main latency of a mode, if it has one: for thresholds that name only a statistic, the live display
    /// and the distribution.
    pub(super) fn main(mode: Mode, qos: QoS) -> Option<Self> {
        match mode {
            Mode::Connect => Some(Self::UntilConnAck),
            Mode::Publish if qos == QoS::AtMostOnce => None,
            Mode::Publish => Some(Self::Acknowledge),
            Mode::Subscribe | Mode::EndToEnd | Mode::Wills => Some(Self::Delivery),
            Mode::Request => Some(Self::RoundTrip),
            Mode::Retained => Some(Self::AllRetained),
            Mode::Churn => Some(Self::SubAck),
        }
    }
}

/// Messages of one phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MessageCounts {
    /// Written to a socket.
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    /// Refused by the broker's limits or by its answer.
    pub(super) refused: u64,
    /// Expected deliveries of the sent messages.
    pub(super) expected: u64,
    /// Deliveries without duplicates.
    pub(super) delivered: u64,
    pub(super) duplicates: u64,
    pub(super) reordered: u64,
    /// Counted neither as delivered nor as duplicates: too old to decide.
    pub(super) stale: u64,
    /// Unacknowledged at the end of the run.
    pub(super) unacknowledged: u64,
    /// Due on the schedule, but never sent.
    pub(super) not_sent: u64,
}

/// Events during the measurement, whenever their messages were due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MeasuredWindow {
    pub(super) sent: u64,
    /// Those of messages due in the measurement.
    pub(super) own_sent: u64,
    pub(super) acknowledged: u64,
    pub(super) delivered: u64,
    pub(super) delivered_bytes: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// By [`Phase`].
    pub(super) messages: [MessageCounts; 2],
    pub(super) window: MeasuredWindow,
    pub(super) foreign: u64,
    pub(super) corrupt: u64,
    /// Arrived without a stamp, because the payload is too small.
    pub(super) unstamped: u64,
    pub(super) attempted: u64,
    pub(super) connected: u64,
    /// TLS handshakes, and the resumed ones among them.
    pub(super) tls_handshakes: u64,
    pub(super) tls_resumed: u64,
    pub(super) failed: u64,
    /// Connections that were lost.
    pub(super) lost: u64,
    /// Clients that resumed after losing their connection; a client counts each time.
    pub(super) reconnected: u64,
    /// Failed attempts to reconnect.
    pub(super) failed_reconnects: u64,
    /// Clients that were not back at the end of the run.
    pub(super) away: u64,
    /// Reconnects for which the broker had the session.
    pub(super) sessions_present: u64,
    /// Reconnects for which the broker had no session.
    pub(super) sessions_lost: u64,
    /// Messages retransmitted on another connection.
    pub(super) resent: u64,
    pub(super) subscribed: u64,
    pub(super) refused_subscriptions: u64,
    /// By [`OperationStep`].
    pub(super) operations: [OperationCounts; OperationStep::COUNT],
    /// How often a message was due while the window was full.
    pub(super) full_windows: u64,
    /// How often a message was due while the socket accepted no bytes.
    pub(super) blocked_sockets: u64,
    /// Barriers without an answer.
    pub(super) unconfirmed: u64,
}

/// A second of the run.
#[derive(Debug, Clone, Default)]
pub(super) struct Second {
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) delivered: u64,
    pub(super) errors: u64,
    pub(super) connected: u64,
    /// Connections that were lost.
    pub(super) lost: u64,
    /// Clients that resumed after that.
    pub(super) reconnected: u64,
    /// Operations that were done, such as SUBSCRIBE.
    pub(super) operations: u64,
    /// Unacknowledged messages at its end.
    pub(super) in_flight: u64,
    /// Messages due but not sent at its end.
    pub(super) overdue: u64,
    /// Start and end, in nanoseconds of the monotonic clock.
    pub(super) begin: u64,
    pub(super) end: u64,
    /// Of the messages that arrived or were acknowledged in it.
    pub(super) latency: Option<Histogram<u64>>,
}

/// Maximum number of distinct error causes; further ones are counted together.
const MOST_CAUSES: usize = 50;

/// The time of a thread while its CPU time was measured, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CpuTime {
    pub(super) busy: u64,
    pub(super) passed: u64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Recorder {
    latency: [Option<Histogram<u64>>; LatencyKind::COUNT],
    /// The waiting times of unanswered messages at the end of the run; their latency would be longer.
    waited: [Option<Histogram<u64>>; LatencyKind::COUNT],
    pub(super) counts: Counts,
    pub(super) errors: BTreeMap<String, u64>,
    /// Of each thread, in the measurement.
    pub(super) cpu: Vec<CpuTime>,
    /// When the last PINGRESP of the barrier after the measurement arrived; 0 if none did.
    pub(super) barrier_at: u64,
    /// When the last message was sent, acknowledged or delivered.
    pub(super) last_event: u64,
    /// The current second.
    pub(super) second: Second,
    /// The latency of the live display and the series, and its values in earlier seconds.
    main: Option<LatencyKind>,
    shown: Option<Histogram<u64>>,
    /// Deliveries to each member of each shared-subscription group, by the index of the load's group and the
    /// number of the shared-subscription group.
    pub(super) shares: BTreeMap<(usize, u32), Vec<u64>>,
    /// Optional records besides the figures of the whole run.
    pub(super) beside: Option<Box<Beside>>,
}

impl Recorder {
    /// An empty recorder whose live display shows this latency.
    pub(super) fn showing(main: Option<LatencyKind>) -> Self {
        Self { main, ..Self::default() }
    }

    /// Ends the current second. Its latencies are the difference between the run's histogram now and a second
    /// before: that costs a copy per second, instead of another entry per message.
    pub(super) fn take_second(&mut self) -> Second {
        let mut second = std::mem::take(&mut self.second);
        let Some(all) = self.main.and_then(|main| self.latency[main as usize].as_ref()) else {
            return second;
        };
        let mut added = all.clone();
        match &mut self.shown {
            Some(shown) => {
                // Neither can fail: the one has grown from the other.
                let _ = added.subtract(&*shown);
                let _ = shown.add(&added);
            }
            none => *none = Some(added.clone()),
        }
        match &mut second.latency {
            Some(latency) => {
                let _ = latency.add(&added);
            }
            none => *none = Some(added),
        }
        second
    }

    /// Records a connection.
    pub(super) fn connected(&mut self, times: &Times, is_resumed: bool) {
        self.counts.connected += 1;
        self.times(times, is_resumed);
    }

    /// Records the duration of each step of a connection, and its handshake.
    pub(super) fn times(&mut self, times: &Times, is_resumed: bool) {
        self.counts.tls_handshakes += u64::from(times.tls.is_some());
        self.counts.tls_resumed += u64::from(is_resumed);
        let steps = [
            (LatencyKind::Connect, Some(times.connect)),
            (LatencyKind::Tls, times.tls),
            (LatencyKind::ConnAck, Some(times.connack)),
            (LatencyKind::UntilConnAck, Some(times.all())),
        ];
        for (kind, time) in steps {
            if let Some(time) = time {
                self.record(kind, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
            }
        }
    }

    pub(super) fn record(&mut self, kind: LatencyKind, nanoseconds: u64) {
        self.record_many(kind, nanoseconds, 1);
    }

    /// The same for several messages.
    pub(super) fn record_many(&mut self, kind: LatencyKind, nanoseconds: u64, count: u64) {
        // Auto-resizing histograms accept every value.
        let _ = self.latency[kind as usize].get_or_insert_with(histogram).record_n(nanoseconds, count);
    }

    /// Records a latency only for the live display and the series, because the report does not count it.
    pub(super) fn record_live(&mut self, nanoseconds: u64, count: u64) {
        let _ = self.second.latency.get_or_insert_with(histogram).record_n(nanoseconds, count);
    }

    /// Records the waiting time of messages without an answer.
    pub(super) fn wait(&mut self, kind: LatencyKind, nanoseconds: u64, count: u64) {
        if count > 0 {
            let _ = self.waited[kind as usize].get_or_insert_with(histogram).record_n(nanoseconds, count);
        }
    }

    /// The counts of a step of operations.
    pub(super) fn step(&mut self, step: OperationStep) -> &mut OperationCounts {
        &mut self.counts.operations[step as usize]
    }

    /// The number of operations of the measurement that are done.
    pub(super) fn operations_done(&self) -> u64 {
        self.counts.operations.iter().map(|counts| counts.done).sum()
    }

    pub(super) fn messages(&mut self, phase: Phase) -> &mut MessageCounts {
        &mut self.counts.messages[phase as usize]
    }

    /// The optional records for messages of this phase.
    #[inline]
    pub(super) fn beside(&mut self, phase: Phase) -> Option<&mut Beside> {
        let beside = self.beside.as_deref_mut()?;
        (phase == Phase::Measure).then_some(beside)
    }

    /// The records around disturbances, if there are any.
    pub(super) fn impact(&mut self) -> Option<&mut Impact> {
        self.beside.as_mut()?.impact.as_mut()
    }

    pub(super) fn histogram(&self, kind: LatencyKind) -> Option<&Histogram<u64>> {
        self.latency[kind as usize].as_ref().filter(|histogram| !histogram.is_empty())
    }

    /// All values of a kind, including those without an answer.
    pub(super) fn whole(&self, kind: LatencyKind) -> Option<Histogram<u64>> {
        let mut whole = self.histogram(kind).cloned();
        if let Some(waited) = self.waited(kind) {
            let _ = whole.get_or_insert_with(histogram).add(waited); // auto-resizing
        }
        whole
    }

    /// Adds a histogram recorded elsewhere: latencies of answered messages, or waiting times of others.
    pub(super) fn add_histogram(&mut self, kind: LatencyKind, has_answer: bool, histogram: Histogram<u64>) {
        let mine = if has_answer { &mut self.latency } else { &mut self.waited };
        let mine = &mut mine[kind as usize];
        *mine = both(mine.take(), Some(histogram));
    }

    /// Removes the records of a kind.
    pub(super) fn forget(&mut self, kind: LatencyKind) {
        (self.latency[kind as usize], self.waited[kind as usize]) = (None, None);
    }

    pub(super) fn waited(&self, kind: LatencyKind) -> Option<&Histogram<u64>> {
        self.waited[kind as usize].as_ref()
    }

    pub(super) fn error(&mut self, cause: String) {
        self.second.errors += 1;
        self.add_errors(cause, 1);
    }

    /// Counts errors of one cause.
    pub(super) fn add_errors(&mut self, cause: String, count: u64) {
        let known = self.errors.len() < MOST_CAUSES || self.errors.contains_key(&cause);
        *self.errors.entry(if known { cause } else { "other causes".into() }).or_default() += count;
    }

    /// Adds the records of another thread. The pattern names every field, so that the compiler reports a
    /// forgotten one.
    pub(super) fn merge(&mut self, other: Self) {
        let Self {
            latency,
            waited,
            counts,
            errors,
            cpu,
            barrier_at,
            last_event,
            second: _,
            main: _,
            shown: _,
            shares,
            beside,
        } = other;
        match (&mut self.beside, beside) {
            (Some(mine), Some(theirs)) => mine.merge(*theirs),
            (mine, theirs) => *mine = mine.take().or(theirs),
        }
        let mine = self.latency.iter_mut().chain(&mut self.waited);
        for (mine, theirs) in mine.zip(latency.into_iter().chain(waited)) {
            *mine = both(mine.take(), theirs);
        }
        self.counts = self.counts.plus(counts);
        self.shares.extend(shares); // all members of a group are on one thread
        for (cause, count) in errors {
            self.add_errors(cause, count);
        }
        self.cpu.extend(cpu);
        self.barrier_at = self.barrier_at.max(barrier_at);
        self.last_event = self.last_event.max(last_event);
    }
}

impl Counts {
    /// The sum of both. Like the others below, it names every field, so that the compiler reports a forgotten
    /// one.
    fn plus(self, other: Self) -> Self {
        let [warmup, measured] = self.messages;
        Self {
            messages: [warmup.plus(other.messages[0]), measured.plus(other.messages[1])],
            window: self.window.plus(other.window),
            foreign: self.foreign + other.foreign,
            corrupt: self.corrupt + other.corrupt,
            unstamped: self.unstamped + other.unstamped,
            attempted: self.attempted + other.attempted,
            connected: self.connected + other.connected,
            tls_handshakes: self.tls_handshakes + other.tls_handshakes,
            tls_resumed: self.tls_resumed + other.tls_resumed,
            failed: self.failed + other.failed,
            lost: self.lost + other.lost,
            reconnected: self.reconnected + other.reconnected,
            failed_reconnects: self.failed_reconnects + other.failed_reconnects,
            away: self.away + other.away,
            sessions_present: self.sessions_present + other.sessions_present,
            sessions_lost: self.sessions_lost + other.sessions_lost,
            resent: self.resent + other.resent,
            subscribed: self.subscribed + other.subscribed,
            refused_subscriptions: self.refused_subscriptions + other.refused_subscriptions,
            operations: std::array::from_fn(|step| self.operations[step].plus(other.operations[step])),
            full_windows: self.full_windows + other.full_windows,
            blocked_sockets: self.blocked_sockets + other.blocked_sockets,
            unconfirmed: self.unconfirmed + other.unconfirmed,
        }
    }
}

impl MessageCounts {
    fn plus(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            acknowledged: self.acknowledged + other.acknowledged,
            refused: self.refused + other.refused,
            expected: self.expected + other.expected,
            delivered: self.delivered + other.delivered,
            duplicates: self.duplicates + other.duplicates,
            reordered: self.reordered + other.reordered,
            stale: self.stale + other.stale,
            unacknowledged: self.unacknowledged + other.unacknowledged,
            not_sent: self.not_sent + other.not_sent,
        }
    }
}

impl MeasuredWindow {
    fn plus(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            own_sent: self.own_sent + other.own_sent,
            acknowledged: self.acknowledged + other.acknowledged,
            delivered: self.delivered + other.delivered,
            delivered_bytes: self.delivered_bytes + other.delivered_bytes,
        }
    }
}

impl Second {
    /// The same second of two threads.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            acknowledged: self.acknowledged + other.acknowledged,
            delivered: self.delivered + other.delivered,
            errors: self.errors + other.errors,
            connected: self.connected + other.connected,
            lost: self.lost + other.lost,
            reconnected: self.reconnected + other.reconnected,
            operations: self.operations + other.operations,
            in_flight: self.in_flight + other.in_flight,
            overdue: self.overdue + other.overdue,
            begin: if self.begin == 0 { other.begin } else { self.begin.min(other.begin) },
            end: self.end.max(other.end),
            latency: both(self.latency, other.latency),
        }
    }
}

/// The sum of two histograms.
fn both(one: Option<Histogram<u64>>, other: Option<Histogram<u64>>) -> Option<Histogram<u64>> {
    match (one, other) {
        (Some(mut sum), Some(other)) => {
            let _ = sum.add(other); // auto-resizing
            Some(sum)
        }
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The merged records of several threads equal those of one thread.
        #[test]
        fn histograms_merge_exactly(values in proptest::collection::vec((0_usize..4, 0_u64..1 << 40), 1..500)) {
            let mut parts: [Recorder; 4] = Default::default();
            let mut whole = Recorder::default();
            for (thread, value) in values {
                parts[thread].record(LatencyKind::Delivery, value);
                whole.record(LatencyKind::Delivery, value);
            }
            let mut merged = Recorder::default();
            for part in parts {
                merged.merge(part);
            }
            let (merged, whole) = (merged.histogram(LatencyKind::Delivery).unwrap(), whole.histogram(LatencyKind::Delivery).unwrap());
            prop_assert_eq!(merged, whole);
        }
    }

    /// Every counter is added to itself, and to no other.
    #[test]
    fn merged_counts_are_sums() {
        fn fill(value: &mut serde_json::Value, next: &mut u64) {
            match value {
                serde_json::Value::Number(number) => {
                    *next += 1;
                    *number = (*next).into();
                }
                serde_json::Value::Array(all) => all.iter_mut().for_each(|value| fill(value, next)),
                serde_json::Value::Object(all) => all.values_mut().for_each(|value| fill(value, next)),
                other => panic!("{other} in the counts"),
            }
        }
        let numbered = |first: u64| -> (Counts, u64) {
            let (mut value, mut next) = (serde_json::to_value(Counts::default()).unwrap(), first);
            fill(&mut value, &mut next);
            (serde_json::from_value(value).unwrap(), next)
        };
        let (one, last) = numbered(0);
        let mut merged = Recorder { counts: one, ..Recorder::default() };
        merged.merge(Recorder { counts: one, ..Recorder::default() });
        let doubled = serde_json::to_string(&merged.counts).unwrap();
        let numbers: Vec<u64> =
            doubled.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
        assert_eq!(numbers, (1..=last).map(|number| number * 2).collect::<Vec<_>>());
    }

    #[test]
    fn each_second_counts_its_own_messages() {
        let mut recorder = Recorder::showing(Some(LatencyKind::Delivery));
        let counts = |recorder: &mut Recorder| {
            let second = recorder.take_second();
            second.latency.map(|latency| (latency.len(), latency.min() / 1000, latency.max() / 1000))
        };
        assert_eq!(counts(&mut recorder), None);
        recorder.record_live(5_000, 1); // a value of the warm-up
        assert_eq!(counts(&mut recorder), Some((1, 5, 5)));
        recorder.record_live(6_000, 1);
        recorder.record(LatencyKind::Delivery, 7_000);
        assert_eq!(counts(&mut recorder), Some((2, 6, 7)));
        recorder.record(LatencyKind::Delivery, 1_000_000_000);
        recorder.record(LatencyKind::Acknowledge, 3);
        let latency = recorder.take_second().latency.unwrap();
        assert_eq!((latency.len(), latency.value_at_quantile(0.5) / 1_000_000), (1, 1000));
        assert_eq!(counts(&mut recorder).map(|(number, ..)| number), Some(0));
    }

    #[test]
    fn causes_are_bounded() {
        let mut recorder = Recorder::default();
        for number in 0..1000 {
            recorder.error(format!("cause {number}"));
        }
        assert_eq!(recorder.errors.len(), MOST_CAUSES + 1);
        assert_eq!(recorder.errors.values().sum::<u64>(), 1000);
        assert_eq!(recorder.errors["other causes"], 1000 - MOST_CAUSES as u64);
    }
}
