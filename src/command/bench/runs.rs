//! Several runs side by side: the columns of their table, and one line for each in CSV. Both read the table
//! of figures.

use super::compare::median;
use super::report::LoadReport;
use super::report::export::{as_csv, field};
use super::report::figure::{FIGURES, Section, Unit};
use super::report::latency::{LATENCIES, STATISTICS};
use super::report::numbers::{short, short_time};
use super::threshold::{What, what};

/// A column of the table.
pub(super) struct Column {
    pub(super) heading: &'static str,
    /// The name of the figure in `--fail-if`.
    figure: &'static str,
    /// Whether the range of repeated runs is shown.
    pub(super) spreads: bool,
}

pub(super) static COLUMNS: [Column; 6] = [
    Column { heading: "rate/s", figure: "rate", spreads: true },
    Column { heading: "p50", figure: "p50", spreads: true },
    Column { heading: "p99", figure: "p99", spreads: true },
    Column { heading: "p99.9", figure: "p99.9", spreads: true },
    Column { heading: "lost", figure: "lost", spreads: false },
    Column { heading: "CPU", figure: "cpu", spreads: false },
];

impl Column {
    fn value(&self, report: &LoadReport) -> Option<f64> {
        what(self.figure).ok()?.of_run(report)
    }

    /// A value in at most six characters.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates, counts and bytes are not negative"
    )]
    fn text(&self, value: f64) -> String {
        match what(self.figure).map(What::unit) {
            Ok(Unit::Microseconds) => short_time(value),
            Ok(Unit::Share) => format!("{:.0}%", value * 100.0),
            _ => short(value.round() as u64),
        }
    }
}

/// A value with half the range of its runs, as a share of the median.
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) spread: String,
}

impl Cell {
    pub(super) fn new(column: &Column, reports: &[&LoadReport]) -> Self {
        let values: Vec<f64> = reports.iter().filter_map(|report| column.value(report)).collect();
        let median = median(&values);
        let range = |values: &[f64]| {
            let (low, high) =
                values.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(*v), high.max(*v)));
            high - low
        };
        let spread = median.filter(|median| column.spreads && values.len() > 1 && *median > 0.0);
        let spread = spread.map(|median| range(&values) / 2.0 / median);
        Self {
            text: median.map_or_else(|| "-".into(), |median| column.text(median)),
            spread: spread.map_or_else(String::new, |spread| format!("±{:.0}%", spread * 100.0)),
        }
    }

    /// The value and the range, if both fit.
    pub(super) fn joined(&self) -> String {
        format!("{} {}", self.text, self.spread).trim_end().to_owned()
    }
}

/// One line per run: the values that distinguish it from the others, then every figure, named as in the JSON
/// object.
pub(super) fn csv(leading: &[&str], runs: &[(Vec<String>, &LoadReport)]) -> String {
    let has = |key: &str| {
        let latencies = runs.iter().flat_map(|(_, report)| &report.latencies);
        latencies.into_iter().any(|latency| latency.key() == key)
    };
    let latencies: Vec<_> = LATENCIES.iter().filter(|latency| has(latency.key)).collect();
    let figures = || {
        let sections = Section::ALL.into_iter();
        sections.flat_map(|section| FIGURES.iter().filter(move |figure| figure.section == section))
    };
    let own = ["valid", "mode", "payload_bytes", "qos"].map(str::to_owned);
    let heading = leading.iter().map(|name| (*name).to_owned()).chain(own);
    let heading = heading.chain(figures().map(|figure| format!("{}.{}", figure.section.key(), figure.key)));
    let of_latencies = latencies.iter().flat_map(|latency| {
        STATISTICS.iter().map(|statistic| format!("latency_us.{}.{}", latency.key, statistic.key))
    });
    let heading: Vec<String> = heading.chain(of_latencies).collect();
    let rows = runs.iter().map(|(leading, report)| {
        let payload = report.configuration.sending.as_ref().map(|sending| sending.payload_bytes);
        let own = [
            report.valid.to_string(),
            report.mode.name().to_owned(),
            payload.map_or_else(String::new, |bytes| bytes.to_string()),
            report.qos.to_string(),
        ];
        let row =
            leading.iter().cloned().chain(own).chain(figures().map(|figure| field(&figure.json(report))));
        let of_latencies = latencies.iter().flat_map(|latency| {
            let found = report.latency(latency.kind).filter(|latency| latency.all.is_some());
            let value = move |statistic| field(&found.and_then(|found| found.value(statistic)).into());
            STATISTICS.iter().map(value)
        });
        row.chain(of_latencies).collect()
    });
    as_csv(std::iter::once(heading).chain(rows))
}
