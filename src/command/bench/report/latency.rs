//! The tables of latencies and of their statistics, and the measured latencies of a run. Text, page, JSON
//! object, `compare` and `--fail-if` use the tables.

use hdrhistogram::Histogram;
use serde_json::{Map, Value};

use super::super::recorder::{LatencyKind, Recorder};
use super::numbers::whole;

/// A latency in the table; each of its statistics is a figure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeFigure {
    pub(crate) kind: LatencyKind,
    /// The name in the JSON report and in `--fail-if`.
    pub(crate) key: &'static str,
    /// The name in the text; `--fail-if` also accepts it.
    pub(crate) label: &'static str,
    /// Whether text and page show it, and below which other latency.
    pub(crate) row: LatencyRow,
    /// The statistics in `compare`.
    pub(crate) compared: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LatencyRow {
    Own,
    /// Measured from the actual send, below the latency from the intended send.
    Below,
    /// Among the values of the generator; only this statistic is shown there.
    Only(&'static str),
}

impl TimeFigure {
    const fn new(kind: LatencyKind, key: &'static str, label: &'static str) -> Self {
        Self { kind, key, label, row: LatencyRow::Own, compared: &[] }
    }

    const fn below(kind: LatencyKind, key: &'static str) -> Self {
        Self { row: LatencyRow::Below, ..Self::new(kind, key, "from send") }
    }

    const fn compared(self, compared: &'static [&'static str]) -> Self {
        Self { compared, ..self }
    }
}

/// In the order in which the measured events happen.
pub(crate) static LATENCIES: [TimeFigure; LatencyKind::COUNT] = [
    TimeFigure::new(LatencyKind::Connect, "connect", "connect"),
    TimeFigure::new(LatencyKind::Tls, "tls_handshake", "TLS"),
    TimeFigure::new(LatencyKind::ConnAck, "connack", "CONNACK").compared(&["p99"]),
    TimeFigure::new(LatencyKind::UntilConnAck, "connect_to_connack", "until CONNACK"),
    TimeFigure::new(LatencyKind::SubAck, "suback", "SUBACK"),
    TimeFigure::new(LatencyKind::UnsubAck, "unsuback", "UNSUBACK").compared(&["p99"]),
    TimeFigure::new(LatencyKind::Again, "connect_again", "connect again").compared(&["p50", "p99"]),
    TimeFigure::new(LatencyKind::Back, "back", "until back").compared(&["p50", "p99", "max"]),
    TimeFigure::new(LatencyKind::Acknowledge, "acknowledge", "acknowledge")
        .compared(&["p50", "p99", "p99.9"]),
    TimeFigure::below(LatencyKind::AcknowledgeFromSend, "acknowledge_from_send"),
    TimeFigure::new(LatencyKind::Delivery, "delivery", "delivery").compared(&["p50", "p99", "p99.9", "max"]),
    TimeFigure::below(LatencyKind::DeliveryFromSend, "delivery_from_send"),
    TimeFigure::new(LatencyKind::RoundTrip, "round_trip", "round trip").compared(&["p50", "p99", "p99.9"]),
    TimeFigure::below(LatencyKind::RoundTripFromSend, "round_trip_from_send"),
    TimeFigure::new(LatencyKind::AllRetained, "all_retained", "all retained")
        .compared(&["p50", "p99", "max"]),
    TimeFigure {
        row: LatencyRow::Only("p99"),
        ..TimeFigure::new(LatencyKind::ScheduleLag, "schedule_lag", "late")
    },
];

/// A statistic of a latency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statistic {
    pub(crate) name: &'static str,
    /// The name in the report.
    pub(crate) key: &'static str,
    pub(crate) is: Is,
    /// Whether the page shows it.
    pub(crate) on_page: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Is {
    Min,
    Mean,
    Quantile(f64),
    Max,
}

impl Statistic {
    const fn new(name: &'static str, key: &'static str, is: Is, on_page: bool) -> Self {
        Self { name, key, is, on_page }
    }
}

pub(crate) static STATISTICS: [Statistic; 9] = [
    Statistic::new("min", "min", Is::Min, false),
    Statistic::new("mean", "mean", Is::Mean, false),
    Statistic::new("p50", "p50", Is::Quantile(0.5), true),
    Statistic::new("p90", "p90", Is::Quantile(0.9), true),
    Statistic::new("p95", "p95", Is::Quantile(0.95), false),
    Statistic::new("p99", "p99", Is::Quantile(0.99), true),
    Statistic::new("p99.9", "p99_9", Is::Quantile(0.999), true),
    Statistic::new("p99.99", "p99_99", Is::Quantile(0.9999), true),
    Statistic::new("max", "max", Is::Max, true),
];

/// The statistic with this name.
pub(crate) fn statistic(name: &str) -> Option<&'static Statistic> {
    STATISTICS.iter().find(|statistic| statistic.name == name)
}

/// The table entry of a kind.
pub(crate) fn entry(kind: LatencyKind) -> &'static TimeFigure {
    let found = LATENCIES.iter().find(|latency| latency.kind == kind);
    found.unwrap_or(&LATENCIES[0]) // a test checks that each kind has an entry
}

/// A latency measured in the run.
#[derive(Debug, Clone)]
pub(crate) struct Latency {
    pub(crate) kind: LatencyKind,
    /// All values; messages without an answer at the end of the run are included with their waiting time.
    pub(crate) all: Option<Histogram<u64>>,
    /// Only the values of answered messages.
    pub(crate) answered: Option<Histogram<u64>>,
    /// The number of unanswered messages, including those not in the histogram.
    pub(crate) missing: u64,
    waited: u64,
    /// The possible error of every value in nanoseconds, if sender and receiver have different clocks.
    pub(crate) error: u64,
}

impl Latency {
    /// The recorded values of a kind, if there are any; `never` further messages had no answer.
    pub(crate) fn new(recorder: &Recorder, kind: LatencyKind, never: u64) -> Option<Self> {
        let waited = recorder.waited(kind).map_or(0, Histogram::len);
        let (all, answered) = (recorder.whole(kind), recorder.histogram(kind).cloned());
        let missing = waited + never;
        (all.is_some() || missing > 0).then_some(Self { kind, all, answered, missing, waited, error: 0 })
    }

    pub(crate) fn key(&self) -> &'static str {
        entry(self.kind).key
    }

    /// A statistic in microseconds; none if it is less than ten times its possible error.
    pub(crate) fn value(&self, statistic: &Statistic) -> Option<f64> {
        Some(self.measured(statistic)).filter(|value| is_certain(*value, self.error))
    }

    /// A statistic in microseconds, however uncertain.
    pub(crate) fn measured(&self, statistic: &Statistic) -> f64 {
        let Some(all) = &self.all else { return 0.0 };
        match statistic.is {
            // Unanswered messages that were due in the last instant have a waiting time of almost 0.
            Is::Min => microseconds(self.answered.as_ref().unwrap_or(all).min()),
            Is::Mean => round(all.mean() / 1000.0),
            Is::Quantile(quantile) => microseconds(all.value_at_quantile(quantile)),
            Is::Max => microseconds(all.max()),
        }
    }

    pub(crate) fn object(&self) -> Value {
        let mut object = Map::new();
        object.insert("count".into(), self.all.as_ref().map_or(0, Histogram::len).into());
        // The number of values that belong to unanswered messages.
        object.insert("unanswered".into(), self.waited.into());
        object.extend(STATISTICS.iter().map(|found| (found.key.to_owned(), self.value(found).into())));
        object.into()
    }

    /// A statistic in microseconds, for comparison with a limit. Unanswered messages count as above every
    /// limit, so every percentile includes them. None if the value is less than ten times its possible error.
    pub(crate) fn limited(&self, statistic: &Statistic) -> Option<f64> {
        Some(self.with_unanswered(statistic)).filter(|value| is_certain(*value, self.error))
    }

    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of messages are below 9 × 10¹⁵"
    )]
    fn with_unanswered(&self, statistic: &Statistic) -> f64 {
        if self.missing == 0 {
            return self.measured(statistic);
        }
        let answered = self.answered();
        let at = |rank: u64| match &self.answered {
            Some(histogram) if rank <= answered => {
                // The middle between two ranks, so that rounding does not select a neighbouring rank.
                let quantile = (rank as f64 - 0.5) / answered as f64;
                histogram.value_at_quantile(quantile) as f64 / 1000.0
            }
            _ => f64::INFINITY,
        };
        match statistic.is {
            Is::Quantile(quantile) => {
                at(((quantile * (answered + self.missing) as f64).ceil() as u64).max(1))
            }
            Is::Min => at(1),
            Is::Mean | Is::Max => f64::INFINITY,
        }
    }

    fn answered(&self) -> u64 {
        self.answered.as_ref().map_or(0, Histogram::len)
    }

    /// The number of unanswered messages, as text.
    #[allow(clippy::cast_precision_loss, reason = "a percentage")]
    pub(crate) fn without_answer(&self) -> String {
        let all = self.answered() + self.missing;
        let share = self.missing as f64 / all.max(1) as f64 * 100.0;
        format!("beyond any limit: {share:.2} % never came ({} of {})", whole(self.missing), whole(all))
    }
}

/// The latencies from one client to another.
pub(crate) const ONE_WAY: [LatencyKind; 2] = [LatencyKind::Delivery, LatencyKind::DeliveryFromSend];

/// Whether a time in microseconds with a possible error in nanoseconds may be shown.
pub(crate) fn is_certain(value: f64, error: u64) -> bool {
    error == 0 || value >= microseconds(error) * 10.0
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 104 days")]
pub(crate) fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1000.0
}

/// Rounds to three decimal places.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_complete() {
        assert!(LATENCIES.iter().enumerate().all(|(place, latency)| latency.kind as usize == place));
        for latency in &LATENCIES {
            let only = match latency.row {
                LatencyRow::Only(name) => Some(name),
                LatencyRow::Own | LatencyRow::Below => None,
            };
            for name in latency.compared.iter().copied().chain(only) {
                assert!(statistic(name).is_some(), "{name}");
            }
        }
    }

    /// If a fifth of the messages has no answer, every percentile from the 80th on exceeds the limit.
    #[test]
    fn missing_messages_exceed_every_limit() {
        let mut recorder = Recorder::default();
        (1..=80_u64).for_each(|value| recorder.record(LatencyKind::Delivery, value * 1000));
        let latency = Latency::new(&recorder, LatencyKind::Delivery, 20).unwrap();
        let get = |name| latency.limited(statistic(name).unwrap()).unwrap();
        for (statistic, expected) in [("min", 1.0), ("p50", 50.0)] {
            let found = get(statistic);
            assert!((found / expected - 1.0).abs() < 0.01, "{statistic}: {found}");
        }
        for statistic in ["mean", "p90", "p95", "p99", "p99.9", "p99.99", "max"] {
            assert!(get(statistic).is_infinite(), "{statistic}");
        }
        assert_eq!(latency.without_answer(), "beyond any limit: 20.00 % never came (20 of 100)");
        let none = Latency::new(&Recorder::default(), LatencyKind::Delivery, 1).unwrap();
        let get = |name| none.limited(statistic(name).unwrap()).unwrap();
        assert!(get("min").is_infinite() && get("p50").is_infinite());
    }

    /// A lost message is above every limit, however uncertain the clocks are.
    #[test]
    fn uncertain_figures_are_withheld() {
        let mut recorder = Recorder::default();
        (1..=100_u64).for_each(|value| recorder.record(LatencyKind::Delivery, value * 1000));
        let mut latency = Latency::new(&recorder, LatencyKind::Delivery, 0).unwrap();
        latency.error = 8_000;
        let shown = |latency: &Latency, name| latency.value(statistic(name).unwrap());
        assert_eq!(shown(&latency, "p50"), None);
        assert_eq!(latency.limited(statistic("p50").unwrap()), None);
        assert_eq!(latency.object()["p50"], Value::Null);
        assert!(shown(&latency, "p90").is_some() && latency.object()["max"].is_number());
        let mut lost = Latency::new(&recorder, LatencyKind::Delivery, 3).unwrap();
        lost.error = 8_000;
        assert_eq!(lost.limited(statistic("max").unwrap()), Some(f64::INFINITY));
    }
}
