//! The figures of a report: **the** table. The text, the page, the JSON object, `compare`, `--fail-if` with
//! its suggestions, the list in the help and the schema all use it. A new figure is one line here and the
//! measurement that provides its value.

use serde_json::Value;

mod operations;

use self::Better::{Less, More};
use self::Section::{Broker, Connections, Derived, Generator, Messages, Throughput};
use self::Unit::{Bytes, Count, Microseconds, PerSecond, Seconds, Share};
use self::When::{Acknowledged, Own, Publishing, Receiving};
use self::operations::OPERATION_RATE;
use super::super::config::Mode;
use super::super::operation::{OperationKind, OperationStep};
use super::super::recorder::LatencyKind;
use super::latency::{round, statistic};

use super::numbers::{count, time};
use super::{LoadReport, per_second};

/// The unit of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Count,
    PerSecond,
    /// A share from 0 to 1; shown and typed in percent.
    Share,
    Bytes,
    Seconds,
    Microseconds,
}

impl Unit {
    /// Its name in the report.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::PerSecond => "1/s",
            Self::Share => "share",
            Self::Bytes => "bytes",
            Self::Seconds => "s",
            Self::Microseconds => "us",
        }
    }

    /// A value as text.
    pub(crate) fn text(self, value: f64) -> String {
        match self {
            Self::Count => count(value),
            Self::PerSecond => format!("{}/s", count(value)),
            Self::Share => format!("{:.3} %", value * 100.0),
            Self::Bytes => format!("{:.1} MiB", value / 1_048_576.0),
            Self::Seconds => format!("{} s", count(value)),
            Self::Microseconds => time(value),
        }
    }
}

/// A section of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Connections,
    Throughput,
    Messages,
    Generator,
    /// Operations of clients that do not publish.
    Operations,
    /// Observations of the broker's process.
    Broker,
    /// Not in the JSON object, because it follows from other figures.
    Derived,
}

impl Section {
    pub(crate) const ALL: [Self; 6] = [
        Self::Connections,
        Self::Messages,
        Self::Throughput,
        Self::Operations,
        Self::Generator,
        Self::Broker,
    ];

    /// Its name in the report.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Throughput => "throughput",
            Self::Messages => "messages",
            Self::Operations => "operations",
            Self::Generator => "generator",
            Self::Broker => "broker",
            Self::Derived => "",
        }
    }
}

/// The runs that have a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// This program publishes.
    Publishing,
    /// It publishes, and the broker acknowledges each message.
    Acknowledged,
    /// It receives messages.
    Receiving,
    /// It receives its own messages, so that missing ones are known.
    Own,
    /// The broker was given messages to retain.
    Storing,
    /// Its clients perform operations instead of publishing.
    Operating,
    /// Its clients perform an operation with this step.
    Doing(OperationStep),
}

impl When {
    pub(crate) fn holds(self, report: &LoadReport) -> bool {
        self.is_of(report.mode, report.qos, &report.operations)
    }

    /// Whether it holds for runs of this mode, QoS and with these operations.
    pub(crate) fn is_of(self, mode: Mode, qos: u8, operations: &[OperationKind]) -> bool {
        match self {
            Self::Always => true,
            Self::Publishing => mode.publishes(),
            Self::Acknowledged => mode.publishes() && qos > 0,
            Self::Receiving => mode.receives_its_own() || mode == Mode::Subscribe,
            Self::Own => mode.receives_its_own(),
            Self::Storing => mode == Mode::Retained,
            Self::Operating => !operations.is_empty(),
            Self::Doing(step) => operations.iter().any(|kind| kind.steps().contains(&step)),
        }
    }
}

/// The count that corresponds to 100 %.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole {
    /// The name in the help.
    pub(crate) name: &'static str,
    pub(crate) read: fn(&LoadReport) -> u64,
}

const EXPECTED: Whole = Whole { name: "what was expected", read: |r| r.measured().expected };
const DELIVERIES: Whole = Whole { name: "deliveries", read: |r| r.measured().delivered };
const SENDS: Whole = Whole { name: "messages", read: |r| r.measured().sent };
const DUE: Whole = Whole { name: "messages", read: |r| r.measured().sent + r.measured().not_sent };
const ATTEMPTS: Whole = Whole { name: "connections", read: |r| r.counts.attempted };
const LOSSES: Whole = Whole { name: "lost connections", read: |r| r.counts.lost };
const TLS_HANDSHAKES: Whole = Whole { name: "TLS handshakes", read: |r| r.counts.tls_handshakes };
/// The counts of which shares are computed, except completed connections.
pub(super) const WHOLES: [Whole; 6] = [EXPECTED, DELIVERIES, SENDS, ATTEMPTS, LOSSES, TLS_HANDSHAKES];
const CONNECTED: Whole = Whole { name: "connections", read: |r| r.counts.connected };

/// Where text and page show a figure.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FigureRow {
    Nowhere,
    /// In the line of the connections, unless it is 0; a rate with its count.
    Connections,
    /// There as well, with its share of the whole.
    PartOfConnections,
    /// A rate with its count and a remark.
    Stage(When, &'static str),
    /// In the line of lost messages.
    Defect,
    /// Among other results of messages, unless it is 0.
    Stray(When),
    /// Among the values of the generator.
    Generator,
    /// How often this delayed the generator.
    HeldBack,
    /// Resources of the broker's process, if it was observed.
    Broker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
    Neither,
}

impl Better {
    /// The name in a comparison.
    pub(crate) fn key(self) -> Option<&'static str> {
        match self {
            Self::More => Some("more"),
            Self::Less => Some("less"),
            Self::Neither => None,
        }
    }
}

/// How a figure is read from a report.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reading {
    Count(fn(&LoadReport) -> u64),
    Real(fn(&LoadReport) -> f64),
    /// Null in the report if there is no value.
    CountIfKnown(fn(&LoadReport) -> Option<u64>),
    /// Null in the report if there is no value.
    RealIfKnown(fn(&LoadReport) -> Option<f64>),
}

/// A figure that is not a latency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) section: Section,
    /// The key in its section of the report.
    pub(crate) key: &'static str,
    /// The name for `--fail-if`; empty if the figure cannot have a limit.
    pub(crate) name: &'static str,
    /// The name in the text; `--fail-if` also accepts it.
    pub(crate) label: &'static str,
    pub(crate) unit: Unit,
    read: Reading,
    /// How the figure is read from a written report, if that does not contain it under its section and key.
    derive: Option<fn(&Value) -> Option<f64>>,
    /// The runs that have a value to compare with a limit.
    pub(crate) when: When,
    pub(crate) whole: Option<Whole>,
    /// For a rate or a share: its count.
    pub(crate) count: Option<&'static Figure>,
    pub(crate) row: FigureRow,
    /// The name in `compare`, if the figure is shown there.
    pub(crate) compared: Option<&'static str>,
    pub(crate) better: Better,
}

impl Figure {
    const fn new(section: Section, key: &'static str, name: &'static str, unit: Unit, read: Reading) -> Self {
        Self {
            section,
            key,
            name,
            label: name,
            unit,
            read,
            derive: None,
            when: When::Always,
            whole: None,
            count: None,
            row: FigureRow::Nowhere,
            compared: None,
            better: Better::Neither,
        }
    }

    const fn count(
        section: Section,
        key: &'static str,
        name: &'static str,
        read: fn(&LoadReport) -> u64,
    ) -> Self {
        Self::new(section, key, name, Count, Reading::Count(read))
    }

    /// Events of the measurement divided by its length.
    const fn rate(key: &'static str, name: &'static str, read: fn(&LoadReport) -> f64) -> Self {
        Self::new(Throughput, key, name, PerSecond, Reading::Real(read))
    }

    /// The value, if the run has one that can be compared with a limit.
    #[allow(clippy::cast_precision_loss, reason = "counts are below 9 × 10¹⁵")]
    pub(crate) fn value(&self, report: &LoadReport) -> Option<f64> {
        let value = match self.read {
            Reading::Count(read) => Some(read(report) as f64),
            Reading::Real(read) => Some(read(report)),
            Reading::CountIfKnown(read) => read(report).map(|count| count as f64),
            Reading::RealIfKnown(read) => read(report),
        };
        value.filter(|_| self.when.holds(report))
    }

    /// Whether it can be computed for a part of the messages, such as those of a stage.
    pub(crate) fn is_of_messages(&self) -> bool {
        const OF_THE_RUN: [&str; 9] = [
            "taken-rate",
            "resent",
            "foreign",
            "corrupt",
            "unstamped",
            "warmup-sent",
            "fairness",
            "least-share",
            "most-share",
        ];
        let is_derived = matches!(self.name, "rate" | "loss");
        (is_derived || matches!(self.section, Messages | Throughput)) && !OF_THE_RUN.contains(&self.name)
    }

    /// The value in a written report; `None` if it is unknown.
    pub(crate) fn recorded(&self, report: &Value) -> Option<f64> {
        match self.derive {
            Some(derive) => derive(report),
            None => report[self.section.key()][self.key].as_f64(),
        }
    }

    /// The value as a share of `whole`; `None` if that is 0.
    #[allow(clippy::cast_precision_loss, reason = "counts are below 9 × 10¹⁵")]
    pub(crate) fn part(&self, whole: Whole, report: &LoadReport) -> Option<f64> {
        let whole = (whole.read)(report);
        self.value(report).filter(|_| whole > 0).map(|number| number / whole as f64)
    }

    /// The value as in the JSON report, in every mode.
    pub(crate) fn json(&self, report: &LoadReport) -> Value {
        match self.read {
            Reading::Count(read) => read(report).into(),
            Reading::Real(read) => read(report).into(),
            Reading::CountIfKnown(read) => read(report).into(),
            Reading::RealIfKnown(read) => read(report).into(),
        }
    }
}

#[rustfmt::skip]
pub(crate) const CONNECTED_RATE: Figure = Figure {
    label: "connections", compared: Some("connections/s"), better: More,
    ..Figure::new(Connections, "connected_per_s", "connected-rate", PerSecond,
                  Reading::Real(|r| per_second(r.counts.connected, r.connecting_s))) };
#[rustfmt::skip]
pub(crate) const SENT_RATE: Figure = Figure {
    label: "sent", count: Some(&SENT), row: FigureRow::Stage(Publishing, ""), compared: Some("sent/s"), better: More,
    ..Figure::rate("sent_per_s", "sent-rate", |r| r.per_second(r.counts.window.sent)) };
#[rustfmt::skip]
const TAKEN_RATE: Figure = Figure {
    label: "taken", row: FigureRow::Stage(Publishing, "until the broker had read all"), compared: Some("taken/s"), better: More,
    ..Figure::new(Throughput, "taken_per_s", "taken-rate", PerSecond,
                  Reading::RealIfKnown(|r| Some(per_second(r.measured().sent, r.taken_s?)))) };
#[rustfmt::skip]
const ACKNOWLEDGED_RATE: Figure = Figure {
    label: "acknowledged", count: Some(&ACKNOWLEDGED), row: FigureRow::Stage(Acknowledged, ""),
    compared: Some("acknowledged/s"), better: More,
    ..Figure::rate("acknowledged_per_s", "acknowledged-rate", |r| r.per_second(r.counts.window.acknowledged)) };
#[rustfmt::skip]
const DELIVERED_RATE: Figure = Figure {
    label: "delivered", count: Some(&DELIVERED), row: FigureRow::Stage(Receiving, ""),
    compared: Some("delivered/s"), better: More,
    ..Figure::rate("delivered_per_s", "delivered-rate", |r| r.per_second(r.counts.window.delivered)) };
const SENT: Figure = Figure::count(Messages, "sent", "sent", |r| r.measured().sent);
#[rustfmt::skip]
const ACKNOWLEDGED: Figure = Figure { when: Acknowledged, whole: Some(SENDS), better: More,
    ..Figure::count(Messages, "acknowledged", "acknowledged", |r| r.measured().acknowledged) };
#[rustfmt::skip]
const DELIVERED: Figure = Figure { whole: Some(EXPECTED), better: More,
    ..Figure::count(Messages, "delivered", "delivered", |r| r.measured().delivered) };
#[rustfmt::skip]
const LOST: Figure = Figure { when: Own, whole: Some(EXPECTED), row: FigureRow::Defect, compared: Some("lost"), better: Less,
    ..Figure::new(Messages, "lost", "lost", Count, Reading::CountIfKnown(LoadReport::known_lost)) };

const HANDSHAKES: Figure =
    Figure::count(Connections, "tls_handshakes", "handshakes", |r| r.counts.tls_handshakes);
const EXPECTED_MESSAGES: Figure = Figure::count(Messages, "expected", "expected", |r| r.measured().expected);

/// The table. The figures with a name, above it, are also used elsewhere.
#[rustfmt::skip]
pub(crate) static FIGURES: &[Figure] = &[
    Figure::count(Connections, "attempted", "attempted", |r| r.counts.attempted),
    Figure { label: "connections", whole: Some(ATTEMPTS), better: More,
        ..Figure::count(Connections, "connected", "connected", |r| r.counts.connected) },
    Figure { label: "failed", whole: Some(ATTEMPTS), row: FigureRow::Connections, better: Less,
        ..Figure::count(Connections, "failed", "failed-connections", |r| r.counts.failed) },
    Figure { label: "lost", whole: Some(CONNECTED), row: FigureRow::Connections, better: Less,
        ..Figure::count(Connections, "lost", "lost-connections", |r| r.counts.lost) },
    Figure { label: "back", whole: Some(LOSSES), row: FigureRow::Connections, better: More,
        ..Figure::count(Connections, "reconnected", "reconnected", |r| r.counts.reconnected) },
    Figure { label: "not back", whole: Some(CONNECTED), row: FigureRow::Connections, better: Less,
        ..Figure::count(Connections, "away", "away", |r| r.counts.away) },
    Figure { better: Less,
        ..Figure::count(Connections, "failed_reconnects", "failed-reconnects", |r| r.counts.failed_reconnects) },
    Figure { label: "sessions present", row: FigureRow::Connections, better: More,
        ..Figure::count(Connections, "sessions_present", "sessions-present", |r| r.counts.sessions_present) },
    Figure { label: "sessions lost", row: FigureRow::Connections, better: Less,
        ..Figure::count(Connections, "sessions_lost", "sessions-lost", |r| r.counts.sessions_lost) },
    CONNECTED_RATE,
    HANDSHAKES,
    Figure { label: "TLS handshakes", row: FigureRow::Connections, better: More,
        count: Some(&HANDSHAKES),
        ..Figure::new(Connections, "tls_handshakes_per_s", "handshake-rate", PerSecond, Reading::Real(LoadReport::handshakes)) },
    Figure { label: "resumed", whole: Some(TLS_HANDSHAKES), row: FigureRow::PartOfConnections, better: More,
        ..Figure::count(Connections, "tls_resumed", "resumed", |r| r.counts.tls_resumed) },
    Figure { better: More, ..Figure::count(Connections, "subscribed", "subscribed", |r| r.counts.subscribed) },
    Figure { better: Less,
        ..Figure::count(Connections, "refused_subscriptions", "refused-subscriptions",
                        |r| r.counts.refused_subscriptions) },

    Figure::new(Throughput, "window_s", "", Seconds, Reading::Real(|r| r.window_s)),
    SENT_RATE, TAKEN_RATE, ACKNOWLEDGED_RATE, DELIVERED_RATE,
    Figure { better: More,
        ..Figure::rate("delivered_bytes_per_s", "delivered-bytes-rate",
                       |r| r.per_second(r.counts.window.delivered_bytes)) },
    // The main rate of the mode.
    Figure { better: More, derive: Some(recorded_rate),
        ..Figure::new(Derived, "", "rate", PerSecond, Reading::Real(LoadReport::rate)) },

    SENT, ACKNOWLEDGED,
    Figure { when: Acknowledged, whole: Some(SENDS), row: FigureRow::Stray(Publishing), better: Less,
        ..Figure::count(Messages, "refused", "refused", |r| r.measured().refused) },
    Figure { when: Acknowledged, whole: Some(SENDS), row: FigureRow::Stray(Publishing), better: Less,
        ..Figure::count(Messages, "unacknowledged", "unacknowledged", |r| r.measured().unacknowledged) },
    Figure { label: "not sent", whole: Some(DUE), row: FigureRow::Stray(Publishing), better: Less,
        ..Figure::count(Messages, "not_sent", "not-sent", |r| r.measured().not_sent) },
    Figure { label: "sent again", row: FigureRow::Stray(Publishing), better: Less,
        ..Figure::count(Messages, "resent", "resent", |r| r.counts.resent) },
    EXPECTED_MESSAGES, DELIVERED, LOST,
    Figure { when: Own, count: Some(&LOST), better: Less,
        derive: Some(|report| Some(LOST.recorded(report)? / EXPECTED_MESSAGES.recorded(report)?.max(1.0))),
        ..Figure::new(Derived, "", "loss", Share, Reading::Real(LoadReport::loss)) },
    Figure { label: "under way", row: FigureRow::Stray(Publishing),
        ..Figure::count(Messages, "under_way", "under-way", LoadReport::under_way) },
    Figure { when: Own, whole: Some(DELIVERIES), row: FigureRow::Defect, compared: Some("duplicates"), better: Less,
        ..Figure::new(Messages, "duplicates", "duplicates", Count,
                      Reading::CountIfKnown(|r| r.told_apart(r.measured().duplicates))) },
    Figure { when: Own, whole: Some(DELIVERIES), row: FigureRow::Defect, compared: Some("reordered"), better: Less,
        ..Figure::new(Messages, "reordered", "reordered", Count,
                      Reading::CountIfKnown(|r| r.told_apart(r.measured().reordered))) },
    Figure { label: "too old to count", row: FigureRow::Stray(Publishing), better: Less,
        ..Figure::count(Messages, "stale", "stale", |r| r.measured().stale) },
    Figure { row: FigureRow::Stray(Publishing), better: Less, ..Figure::count(Messages, "foreign", "foreign", |r| r.counts.foreign) },
    Figure { row: FigureRow::Stray(When::Always), better: Less, ..Figure::count(Messages, "corrupt", "corrupt", |r| r.counts.corrupt) },
    // Of the least even shared-subscription group: Jain's index, and the shares of its members.
    Figure { label: "fairness", row: FigureRow::Stray(Receiving), better: More,
        ..Figure::new(Messages, "share_fairness", "fairness", Count, Reading::RealIfKnown(|r| Some(round(r.balance?.fairness)))) },
    Figure { label: "least share", row: FigureRow::Stray(Receiving), better: More,
        ..Figure::new(Messages, "share_least", "least-share", Share, Reading::RealIfKnown(|r| Some(r.balance?.least))) },
    Figure { label: "most share", row: FigureRow::Stray(Receiving), better: Less,
        ..Figure::new(Messages, "share_most", "most-share", Share, Reading::RealIfKnown(|r| Some(r.balance?.most))) },
    // Messages that are counted, but too small for a sequence number and time stamp.
    Figure::count(Messages, "unstamped", "unstamped", |r| r.counts.unstamped),
    // Sent before the measurement, and not included in the other figures.
    Figure::count(Messages, "warmup_sent", "warmup-sent", |r| r.counts.messages[0].sent),

    operations::STORED, operations::STORED_RATE, operations::SUBSCRIBES, operations::SUBSCRIBE_RATE,
    operations::UNSUBSCRIBES, operations::UNSUBSCRIBE_RATE, operations::CONNECTS, operations::CONNECT_RATE,
    operations::ENDS, operations::END_RATE, operations::UNDONE, OPERATION_RATE,

    Figure { better: Less, derive: Some(|report| sum(&report["errors"], |cause| cause["count"].as_f64())),
        ..Figure::count(Derived, "", "errors", |r| r.errors.iter().map(|cause| cause.count).sum()) },
    Figure { better: Less,
        derive: Some(|report| {
            let shares = report["generator"]["thread_cpu_share"].as_array()?;
            shares.iter().filter_map(Value::as_f64).reduce(f64::max)
        }),
        ..Figure::new(Derived, "", "cpu", Share, Reading::Real(|r| r.generator.busiest())) },
    Figure { compared: Some("own CPU, s"), better: Less,
        ..Figure::new(Generator, "process_cpu_s", "", Seconds, Reading::Real(|r| r.generator.process_cpu_s)) },
    Figure { row: FigureRow::Generator, better: Less,
        ..Figure::new(Generator, "memory_bytes", "memory", Bytes, Reading::Count(|r| r.generator.memory_bytes)) },
    Figure { label: "late p99", row: FigureRow::Generator, compared: Some("own lateness p99"), better: Less,
        ..Figure::new(Generator, "schedule_lag_p99_us", "", Microseconds, Reading::Real(LoadReport::lateness)) },
    Figure { label: "a window was full", row: FigureRow::HeldBack, better: Less,
        ..Figure::count(Generator, "full_windows", "full-windows", |r| r.counts.full_windows) },
    Figure { label: "a socket took nothing", row: FigureRow::HeldBack, better: Less,
        ..Figure::count(Generator, "blocked_sockets", "blocked-sockets", |r| r.counts.blocked_sockets) },
    Figure { label: "share of ceiling", row: FigureRow::Generator,
        ..Figure::new(Generator, "share_of_ceiling", "share-of-ceiling", Share,
                      Reading::RealIfKnown(|r| r.generator.share_of_ceiling)) },

    Figure { label: "broker CPU", row: FigureRow::Broker, compared: Some("broker CPU"), better: Less,
        ..Figure::new(Broker, "cpu_share", "broker-cpu", Share, Reading::RealIfKnown(LoadReport::broker_cpu)) },
    Figure { label: "broker CPU at most", row: FigureRow::Broker, better: Less,
        ..Figure::new(Broker, "cpu_share_max", "broker-cpu-max", Share,
                      Reading::RealIfKnown(LoadReport::broker_cpu_max)) },
    Figure { label: "broker memory", row: FigureRow::Broker, compared: Some("broker memory"), better: Less,
        ..Figure::new(Broker, "memory_bytes", "broker-memory", Bytes,
                      Reading::CountIfKnown(LoadReport::broker_memory)) },
    Figure { label: "broker descriptors", row: FigureRow::Broker, better: Less,
        ..Figure::new(Broker, "descriptors", "broker-descriptors", Count,
                      Reading::CountIfKnown(LoadReport::broker_descriptors)) },
];

/// Values of figures that are not counts of the recorder.
impl LoadReport {
    /// Events of the measurement divided by its length.
    fn per_second(&self, count: u64) -> f64 {
        per_second(count, self.window_s)
    }

    /// A count that needs stamps; `None` if messages have none, as they are indistinguishable.
    fn told_apart(&self, count: u64) -> Option<u64> {
        (self.counts.unstamped == 0).then_some(count)
    }

    /// TLS handshakes per second: of clients that connect again and again, those of the measurement; otherwise those of
    /// the first connections.
    fn handshakes(&self) -> f64 {
        if self.counts.tls_handshakes > 0 && self.operations.contains(&OperationKind::Connect) {
            return self.step_rate(OperationStep::Connect);
        }
        per_second(self.counts.tls_handshakes.min(self.counts.connected), self.connecting_s)
    }

    fn lateness(&self) -> f64 {
        self.latency(LatencyKind::ScheduleLag)
            .zip(statistic("p99"))
            .map_or(0.0, |(lag, p99)| lag.measured(p99))
    }

    pub(crate) fn rate(&self) -> f64 {
        main_rate(self.mode, self.qos).value(self).unwrap_or(0.0) // no message was confirmed
    }
}

/// The main rate of the mode.
fn main_rate(mode: Mode, qos: u8) -> Figure {
    match (mode, qos) {
        (Mode::Connect, _) => CONNECTED_RATE,
        (Mode::Publish, 0) => TAKEN_RATE,
        (Mode::Publish, _) => ACKNOWLEDGED_RATE,
        (Mode::Churn, _) => OPERATION_RATE,
        _ => DELIVERED_RATE,
    }
}

fn recorded_rate(report: &Value) -> Option<f64> {
    let mode = Mode::named(report["mode"].as_str()?)?;
    let qos = report["messages"]["qos"].as_u64().unwrap_or(0);
    main_rate(mode, u8::from(qos > 0)).recorded(report)
}

fn sum(list: &Value, value: fn(&Value) -> Option<f64>) -> Option<f64> {
    Some(list.as_array()?.iter().filter_map(value).sum())
}

#[cfg(test)]
mod tests;
