//! The measurements of each group of clients of a scenario.

use serde::{Serialize, Serializer};

use super::super::recorder::{LatencyKind, Recorder};
use super::super::stamp::Phase;
use super::latency::{is_certain, microseconds};
use super::numbers::{short, time_or_dash, whole};

/// A group.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GroupReport {
    pub(crate) name: String,
    pub(crate) clients: u32,
    pub(crate) connected: u64,
    pub(crate) failed: u64,
    pub(crate) lost: u64,
    /// Messages of the measurement sent by the group, and their expected deliveries.
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
    pub(crate) expected: u64,
    /// Deliveries to the group.
    pub(crate) delivered: u64,
    pub(crate) duplicates: u64,
    pub(crate) reordered: u64,
    pub(crate) foreign: u64,
    /// Latency of deliveries to the group, or of responses.
    pub(crate) delivery_us: Option<Percentiles>,
    /// Latency of acknowledgements of the group's messages.
    pub(crate) acknowledge_us: Option<Percentiles>,
}

/// Percentiles of a latency, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Percentiles([Option<f64>; 4]);

impl Serialize for Percentiles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Self::NAMES.iter().zip(self.0))
    }
}

impl Percentiles {
    const NAMES: [&'static str; 4] = ["p50", "p99", "p99_9", "max"];

    fn of(recorder: &Recorder, kind: LatencyKind) -> Option<Self> {
        let whole = recorder.whole(kind)?;
        let at = |quantile| Some(microseconds(whole.value_at_quantile(quantile)));
        Some(Self([at(0.5), at(0.99), at(0.999), Some(microseconds(whole.max()))]))
    }

    /// Leaves out the values that are less than ten times this possible error in nanoseconds.
    pub(crate) fn doubt(&mut self, error: u64) {
        self.0.iter_mut().for_each(|value| *value = value.filter(|value| is_certain(*value, error)));
    }
}

impl GroupReport {
    /// `recorder` has the records of its clients on all threads.
    pub(crate) fn new(name: &str, clients: u32, recorder: &Recorder) -> Self {
        let counts = &recorder.counts;
        let measured = &counts.messages[Phase::Measure as usize];
        let delivery = Percentiles::of(recorder, LatencyKind::Delivery);
        Self {
            name: name.into(),
            clients,
            connected: counts.connected,
            failed: counts.failed,
            lost: counts.lost,
            sent: measured.sent,
            acknowledged: measured.acknowledged,
            refused: measured.refused,
            expected: measured.expected,
            delivered: measured.delivered,
            duplicates: measured.duplicates,
            reordered: measured.reordered,
            foreign: counts.foreign,
            delivery_us: delivery.or_else(|| Percentiles::of(recorder, LatencyKind::RoundTrip)),
            acknowledge_us: Percentiles::of(recorder, LatencyKind::Acknowledge),
        }
    }

    /// The headings of the table of groups.
    pub(crate) const HEADINGS: [&'static str; 7] =
        ["clients", "up", "sent", "acked", "delivered", "p50", "p99"];

    /// The group's row: latencies are those of deliveries to it, otherwise of its acknowledgements.
    pub(crate) fn row(&self) -> [String; 7] {
        let count = |number: u64| if number == 0 { "-".into() } else { whole(number) };
        let latency = self.delivery_us.or(self.acknowledge_us);
        let time = |place: usize| time_or_dash(latency.and_then(|latency| latency.0[place]));
        [
            short(self.clients.into()),
            short(self.connected),
            count(self.sent),
            count(self.acknowledged),
            count(self.delivered),
            time(0),
            time(1),
        ]
    }
}
