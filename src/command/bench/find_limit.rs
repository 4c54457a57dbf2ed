//! `bench find-limit`: the highest rate, number of clients or payload size at which a load meets its
//! objectives. Each value has a run with its own connections, so that no queues of an earlier run affect it.

use std::fmt;

use super::config::{Load, Mode, Payload, Rate};
use super::ladder::{Bounds, Rung};
use super::network::NetworkLimit;
use super::report::finding::Problem;
use super::report::numbers::{count, time};
use super::report::{LoadReport, ObjectiveResult, SeriesSecond};
use super::rows::Course;
use super::threshold::Objective;
use crate::quantity::counted;

/// How long clients connect, at least, if the rate of connections is searched: two whole seconds, the second of which is
/// judged. Connections that wait at the broker until the first ends do not look like a rate that it holds.
pub const CONNECTING_S: f64 = 2.1;

/// The parameter that changes from run to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Messages per second of all publishers, or new connections per second.
    Rate,
    /// The number of clients.
    Clients,
    /// Bytes per payload.
    Size,
}

impl Axis {
    /// Its name on the command line and in the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Clients => "clients",
            Self::Size => "size",
        }
    }

    /// The unit of its values in the report.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Rate => "1/s",
            Self::Clients => "count",
            Self::Size => "bytes",
        }
    }

    /// A value as text, with its unit.
    #[must_use]
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Rate => format!("{}/s", count(value)),
            Self::Clients => counted(whole(value), "client"),
            Self::Size => counted(whole(value), "byte"),
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and below 2³²")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// A search for a limit.
#[derive(Debug, Clone)]
pub struct FindLimit {
    /// The load of all runs.
    pub load: Load,
    /// The parameter that changes.
    pub axis: Axis,
    /// The range of the search.
    pub bounds: Bounds,
    /// The conditions that must hold.
    pub objectives: Vec<Objective>,
    /// Messages per second of each publisher, for any number of publishers.
    pub rate_per_client: Option<f64>,
}

impl FindLimit {
    /// The load for a value.
    pub(super) fn load_at(&self, value: f64) -> Load {
        let mut load = self.load.clone();
        match self.axis {
            Axis::Rate if load.mode == Mode::Connect => {
                load.ramp = Some(value);
                let fewest = u32::try_from(whole((value * CONNECTING_S).ceil())).unwrap_or(u32::MAX);
                load.publishers = load.publishers.max(fewest);
            }
            Axis::Rate => load.rate = Rate::PerSecond(value),
            Axis::Clients => {
                (load.publishers, load.subscribers) =
                    shared_out(whole(value), load.publishers, load.subscribers);
            }
            Axis::Size => load.payload = Payload::Size(usize::try_from(whole(value)).unwrap_or(usize::MAX)),
        }
        if let Some(each) = self.rate_per_client {
            load.rate = Rate::PerSecond(each * f64::from(load.publishers));
        }
        load
    }

    /// Whether a run met the objectives.
    pub(super) fn judge(
        &self,
        rung: Rung,
        load: &Load,
        report: LoadReport,
        network: Option<NetworkLimit>,
        allow_saturated: bool,
    ) -> LadderStep {
        let objectives: Vec<_> = self.objectives.iter().map(|objective| objective.result(&report)).collect();
        let broken = objectives.iter().filter(|result| !result.held).cloned().map(StepFailure::Objective);
        let problems = report.findings.problems.iter().copied();
        let problems: Vec<Problem> =
            problems.filter(|problem| !(allow_saturated && problem.is_saturation())).collect();
        let is_saturated = problems.iter().any(|problem| problem.is_saturation());
        let mut failures: Vec<_> = broken.chain(problems.into_iter().map(StepFailure::Problem)).collect();
        failures.extend(fell_behind(load, &report));
        failures.extend(rising(&report.series));
        let limiter = (!failures.is_empty()).then(|| {
            if is_saturated { Limiter::Generator } else { network.map_or(Limiter::Broker, Limiter::Network) }
        });
        LadderStep { rung, failures, limiter, objectives, report: Some(report) }
    }
}

/// Divides the clients into publishers and subscribers in the requested proportion. A side with one client
/// keeps one, for fan-in and fan-out.
fn shared_out(clients: u64, publishers: u32, subscribers: u32) -> (u32, u32) {
    let clients = u32::try_from(clients).unwrap_or(u32::MAX);
    match (publishers, subscribers) {
        (_, 0) => (clients, 0),
        (0, _) => (0, clients),
        (_, 1) => (clients.saturating_sub(1).max(1), 1),
        (1, _) => (1, clients.saturating_sub(1).max(1)),
        _ => {
            let all = u64::from(publishers) + u64::from(subscribers);
            let share = u64::from(clients) * u64::from(publishers) / all;
            let share = u32::try_from(share).unwrap_or(u32::MAX).max(1);
            (share, clients.saturating_sub(share).max(1))
        }
    }
}

/// The cause of the limit.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Limiter {
    Broker,
    Network(NetworkLimit),
    Generator,
}

impl Limiter {
    /// Its name in the report.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Network(_) => "network",
            Self::Generator => "generator",
        }
    }
}

/// Why a run failed.
#[derive(Debug, Clone)]
pub(super) enum StepFailure {
    Objective(ObjectiveResult),
    /// The run is not valid.
    Problem(Problem),
    /// The broker confirmed fewer messages than were due without losing the rest: a backlog grew.
    FellBehind {
        due: f64,
        confirmed: f64,
    },
    /// The median latency rose from the first third of the measurement to the last: a backlog grew.
    Rising {
        from_us: f64,
        to_us: f64,
    },
    /// The run could not be made, for this reason.
    Unmade(String),
}

impl StepFailure {
    /// A stable code for programs, independent of the text.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Objective(_) => "slo",
            Self::Problem(problem) => problem.code(),
            Self::FellBehind { .. } => "fell-behind",
            Self::Rising { .. } => "latency-rising",
            Self::Unmade(_) => "not-made",
        }
    }
}

impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Objective(result) => write!(f, "{}: it was {}", result.slo, result.text),
            Self::Problem(problem) => problem.fmt(f),
            Self::FellBehind { due, confirmed } => {
                let (due, confirmed) = (count(due.round()), count(confirmed.round()));
                write!(f, "the broker confirmed {confirmed}/s of {due}/s: a backlog grew")
            }
            Self::Rising { from_us, to_us } => {
                let (from, to) = (time(*from_us), time(*to_us));
                write!(f, "the median latency rose from {from} to {to}: a backlog grew")
            }
            Self::Unmade(why) => f.write_str(why),
        }
    }
}

/// One run of the search.
#[derive(Debug)]
pub(super) struct LadderStep {
    pub(super) rung: Rung,
    /// Why the run failed; empty if it held.
    pub(super) failures: Vec<StepFailure>,
    /// The cause of the limit, if the run failed.
    pub(super) limiter: Option<Limiter>,
    pub(super) objectives: Vec<ObjectiveResult>,
    /// Only of a run that could be made.
    pub(super) report: Option<LoadReport>,
}

impl LadderStep {
    /// A run that could not be made.
    pub(super) fn unmade(rung: Rung, limiter: Limiter, why: String) -> Self {
        let failures = vec![StepFailure::Unmade(why)];
        Self { rung, failures, limiter: Some(limiter), objectives: Vec::new(), report: None }
    }

    pub(super) fn has_held(&self) -> bool {
        self.failures.is_empty()
    }
}

/// A backlog is at least this number of messages and this share of those due; smaller differences are in
/// flight at the boundaries of the measurement.
const FEWEST_BEHIND: f64 = 10.0;
const BEHIND: f64 = 0.02;
/// A backlog of connections is at least this number, and the same share.
const FEWEST_CONNECTIONS_BEHIND: f64 = 3.0;
/// Connections of less than two seconds count as behind schedule from this delay on, in seconds.
const CONNECTED_BEHIND_S: f64 = 0.1;

/// Whether the broker confirmed fewer messages or connections than were due. Confirmations of warm-up messages stand in
/// for those after the end, so that a constant latency does not count as a backlog.
#[allow(clippy::cast_precision_loss, reason = "counts of messages are below 9 × 10¹⁵")]
fn fell_behind(load: &Load, report: &LoadReport) -> Option<StepFailure> {
    let (measured, window) = (report.measured(), report.counts.window);
    if load.mode == Mode::Connect {
        return connected_behind(
            load.ramp?,
            report.counts.attempted,
            report.phases_s.connect,
            &report.series,
        );
    }
    if load.rate == Rate::Max || !load.mode.publishes() {
        return None;
    }
    let due_sends = (measured.sent + measured.not_sent) as f64;
    let (due, confirmed) = match load.mode {
        Mode::Publish if report.qos == 0 => (due_sends, window.sent as f64),
        Mode::Publish => (due_sends - measured.refused as f64, window.acknowledged as f64),
        _ => {
            let deliveries_each = measured.expected as f64 / measured.sent.max(1) as f64;
            (due_sends * deliveries_each - report.lost() as f64, window.delivered as f64)
        }
    };
    behind(due, confirmed, FEWEST_BEHIND, report.window_s)
}

/// Whether this number was confirmed of those due in a time in seconds, with a backlog.
fn behind(due: f64, confirmed: f64, fewest: f64, seconds: f64) -> Option<StepFailure> {
    let missing = due - confirmed;
    let seconds = seconds.max(0.001);
    (missing >= fewest && missing > BEHIND * due)
        .then(|| StepFailure::FellBehind { due: due / seconds, confirmed: confirmed / seconds })
}

/// Whether fewer clients were connected than were due, in whole seconds of the schedule without the first: at a constant
/// latency, those of an earlier second stand in for those that are missing at the end.
#[allow(clippy::cast_precision_loss, reason = "counts of clients are below 9 × 10¹⁵")]
fn connected_behind(ramp: f64, attempted: u64, took_s: f64, series: &[SeriesSecond]) -> Option<StepFailure> {
    let ramp_s = attempted as f64 / ramp;
    let rows = series.iter().filter(|row| row.phase == Course::Connect);
    let rows: Vec<_> = rows.take_while(|row| row.second + row.length_s <= ramp_s).collect();
    let (Some(first), Some(last)) = (rows.first(), rows.last().filter(|_| rows.len() > 1)) else {
        let is_behind = took_s - ramp_s > CONNECTED_BEHIND_S.max(BEHIND * ramp_s);
        return is_behind
            .then(|| StepFailure::FellBehind { due: ramp, confirmed: attempted as f64 / took_s });
    };
    let seconds = last.second - first.second + last.length_s - first.length_s;
    let confirmed = last.connected.saturating_sub(first.connected) as f64;
    behind(ramp * seconds, confirmed, FEWEST_CONNECTIONS_BEHIND, seconds)
}

/// The latency is rising if the median grows by both this factor and this difference.
const RISEN: f64 = 2.0;
const RISEN_US: f64 = 10_000.0;

/// Whether the latency rose from the first third of the measurement to the last.
fn rising(series: &[SeriesSecond]) -> Option<StepFailure> {
    let measured = series.iter().filter(|second| second.phase == Course::Measure);
    let medians: Vec<f64> = measured.filter_map(|second| second.p50_us).collect();
    let third = medians.len() / 3;
    let (first, last) = (medians.get(..third)?, medians.get(medians.len() - third..)?);
    let (from_us, to_us) = (super::compare::median(first)?, super::compare::median(last)?);
    (to_us > from_us * RISEN && to_us - from_us > RISEN_US).then_some(StepFailure::Rising { from_us, to_us })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_keep_their_proportion() {
        assert_eq!(shared_out(100, 10, 10), (50, 50));
        assert_eq!(shared_out(100, 10, 30), (25, 75));
        assert_eq!(shared_out(100, 10, 1), (99, 1), "fan-in, and responders");
        assert_eq!(shared_out(100, 1, 10), (1, 99), "fan-out");
        assert_eq!(shared_out(100, 10, 0), (100, 0));
        assert_eq!(shared_out(1, 10, 10), (1, 1));
    }

    #[test]
    fn values_have_units() {
        assert_eq!(Axis::Rate.text(12_500.0), "12,500/s");
        assert_eq!(Axis::Rate.text(0.5), "0.500/s");
        assert_eq!(Axis::Clients.text(1.0), "1 client");
        assert_eq!(Axis::Size.text(4096.0), "4096 bytes");
    }

    /// The rows of these numbers of connected clients, a second each.
    fn connecting(connected: &[u64]) -> Vec<SeriesSecond> {
        let row = |(second, connected): (u32, &u64)| SeriesSecond {
            second: f64::from(second),
            length_s: 1.0,
            connected: *connected,
            ..SeriesSecond::default()
        };
        (0..).zip(connected).map(row).collect()
    }

    fn shown(failure: Option<StepFailure>) -> Option<String> {
        failure.map(|failure| failure.to_string())
    }

    #[test]
    fn connections_behind_their_schedule_are_a_backlog() {
        let behind = |ramp, attempted, took_s, connected: &[u64]| {
            shown(connected_behind(ramp, attempted, took_s, &connecting(connected)))
        };
        let words = |confirmed: u32, due: u32| {
            Some(format!("the broker confirmed {confirmed}/s of {due}/s: a backlog grew"))
        };
        assert_eq!(behind(500.0, 1050, 2.1, &[500, 1000, 1050]), None);
        // A CONNACK takes 300 ms, at any rate.
        assert_eq!(behind(500.0, 1050, 2.4, &[350, 850, 1050]), None);
        assert_eq!(behind(500.0, 1050, 2.1, &[500, 990, 1050]), None, "2 % are in flight");
        assert_eq!(behind(500.0, 1050, 2.2, &[489, 978, 1050]), words(489, 500));
        // Connections saved up for the first second do not count.
        assert_eq!(behind(500.0, 1050, 2.2, &[500, 950, 1050]), words(450, 500));
        assert_eq!(behind(20.0, 100, 5.1, &[20, 40, 60, 80, 98, 100]), None, "two are too few");
        assert_eq!(behind(20.0, 100, 5.1, &[20, 39, 58, 77, 96, 100]), words(19, 20));
        // Less than two seconds: only the whole time is known.
        assert_eq!(behind(900.0, 90, 0.19, &[90]), None);
        assert_eq!(behind(900.0, 90, 0.25, &[90]), words(360, 900));
    }

    #[test]
    fn messages_that_are_confirmed_late_are_a_backlog() {
        let behind = |due, confirmed| shown(behind(due, confirmed, FEWEST_BEHIND, 2.0));
        assert_eq!(behind(1000.0, 1000.0), None);
        assert_eq!(behind(1000.0, 1200.0), None);
        assert_eq!(behind(1000.0, 980.0), None, "2 % are in flight");
        assert_eq!(behind(100.0, 91.0), None, "9 are too few");
        let found = behind(1000.0, 978.0);
        assert_eq!(found.as_deref(), Some("the broker confirmed 489/s of 500/s: a backlog grew"));
    }

    #[test]
    fn rising_medians_are_a_backlog() {
        let rising = |medians: &[f64]| {
            let row = |p50: &f64| SeriesSecond {
                phase: Course::Measure,
                p50_us: Some(*p50),
                ..SeriesSecond::default()
            };
            let warm_up =
                SeriesSecond { phase: Course::WarmUp, p50_us: Some(1.0), ..SeriesSecond::default() };
            let series: Vec<_> = std::iter::once(warm_up).chain(medians.iter().map(row)).collect();
            shown(rising(&series))
        };
        assert_eq!(rising(&[]), None);
        assert_eq!(rising(&[1e3, 900e3]), None, "two seconds have no thirds");
        assert_eq!(rising(&[20e3, 30e3, 39e3]), None, "less than twice");
        assert_eq!(rising(&[1e3, 5e3, 10e3]), None, "less than 10 ms more");
        let words = "the median latency rose from 10.0 ms to 25.0 ms: a backlog grew";
        assert_eq!(rising(&[10e3, 17e3, 25e3]).as_deref(), Some(words));
        assert_eq!(rising(&[9e3, 11e3, 5e3, 0.0, 24e3, 26e3]).as_deref(), Some(words));
        // A queue that was worked off.
        assert_eq!(rising(&[200e3, 100e3, 10e3]), None);
    }
}
