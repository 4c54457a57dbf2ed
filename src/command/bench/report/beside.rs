//! Observations of the broker besides the load, for users: lines, charts and a table.

use super::super::rows::Course;
use super::broker::{SampleSource, SampledSeries};
use super::figure::{FigureRow, Unit};
use super::numbers::count;
use super::page::{ChartLine, counts};
use super::{LoadReport, SeriesSecond, text};
use crate::quantity::counted;

/// Maximum number of selected metrics in text and page.
const MOST_SHOWN: usize = 12;

impl SampledSeries {
    /// Whether its name marks it as a counter, whose absolute value says little.
    fn is_counter(&self) -> bool {
        let name = self.name.split('{').next().unwrap_or_default();
        self.source == SampleSource::Metrics
            && ["_total", "_count", "_sum"].iter().any(|end| name.ends_with(end))
    }

    /// The title and the points of its chart; for a counter, the increase per second.
    fn chart(&self) -> (String, Vec<(f64, f64)>) {
        if !self.is_counter() {
            return (self.name.clone(), self.points.clone());
        }
        let growth = |two: &[(f64, f64)]| {
            let [(before, one), (at, other)] = two else { return None };
            // A counter that decreased was reset.
            (at > before && other >= one).then(|| (*at, (other - one) / (at - before)))
        };
        (format!("{}, a second", self.name), self.points.windows(2).filter_map(growth).collect())
    }
}

/// Figures of the broker.
impl LoadReport {
    fn broker_seconds<T>(
        &self,
        read: fn(&SeriesSecond) -> Option<T>,
    ) -> impl Iterator<Item = (&SeriesSecond, T)> {
        self.series.iter().filter_map(move |second| Some((second, read(second)?)))
    }

    /// CPU time of the broker's process during the measurement, divided by the time.
    pub(crate) fn broker_cpu(&self) -> Option<f64> {
        let measured = self.broker_seconds(|second| second.broker_cpu_share);
        let (mut used, mut length) = (0.0, 0.0);
        for (second, share) in measured.filter(|(second, _)| second.phase == Course::Measure) {
            used += share * second.length_s;
            length += second.length_s;
        }
        (length > 0.0).then(|| (used / length * 1e4).round() / 1e4)
    }

    /// The maximum over all seconds.
    pub(crate) fn broker_cpu_max(&self) -> Option<f64> {
        self.broker_seconds(|second| second.broker_cpu_share).map(|(_, share)| share).reduce(f64::max)
    }

    pub(crate) fn broker_memory(&self) -> Option<u64> {
        self.broker_seconds(|second| second.broker_memory_bytes).map(|(_, bytes)| bytes).max()
    }

    pub(crate) fn broker_descriptors(&self) -> Option<u64> {
        self.broker_seconds(|second| second.broker_descriptors).map(|(_, number)| number).max()
    }
}

/// The observations, as lines with names.
pub(crate) fn lines(report: &LoadReport) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let figures = text::shown(report, |row| matches!(row, FigureRow::Broker));
    let parts: Vec<String> = figures
        .filter_map(|(figure, value)| {
            let (value, name) = (value?, figure.label.trim_start_matches("broker "));
            let value =
                if figure.unit == Unit::Share { text::percent(value) } else { figure.unit.text(value) };
            Some(format!("{name} {value}"))
        })
        .collect();
    if let (Some(process), false) = (&report.broker.process, parts.is_empty()) {
        lines.push(("broker", format!("{process}: {}", parts.join(", "))));
    }
    let samples = &report.broker.samples;
    for series in samples.iter().filter(|series| series.chosen).take(MOST_SHOWN) {
        let (first, last, most) = (shown(series.first), shown(series.last), shown(series.most));
        lines.push(("broker metric", format!("{}: {first} to {last}, at most {most}", series.name)));
    }
    for (source, name) in [(SampleSource::Metrics, "broker metrics"), (SampleSource::Sys, "broker $SYS")] {
        let all: Vec<_> = samples.iter().filter(|series| series.source == source && !series.chosen).collect();
        let changed = all.iter().filter(|series| has_changed(series)).count();
        if !all.is_empty() {
            let text = format!(
                "{}, {changed} of them changed; --json and --html have them",
                counted(all.len() as u64, "number")
            );
            lines.push((name, text));
        }
    }
    lines
}

#[allow(clippy::float_cmp, reason = "the same value again")]
fn has_changed(series: &SampledSeries) -> bool {
    series.least != series.most
}

/// A number from the broker, whose unit is unknown.
pub(crate) fn shown(value: f64) -> String {
    if value.abs() < 1e15 { count((value * 1e3).round() / 1e3) } else { format!("{value:e}") }
}

/// The same, short enough for the axis of a chart.
pub(crate) fn short_number(value: f64) -> String {
    if value >= 1e4 { counts(value) } else { shown(value) }
}

/// Charts of the selected metrics.
pub(crate) fn charts(report: &LoadReport) -> impl Iterator<Item = (String, ChartLine<'static>)> {
    let chosen = report.broker.samples.iter().filter(|series| series.chosen).take(MOST_SHOWN);
    chosen.map(|series| {
        let (title, points) = series.chart();
        (title, ChartLine { name: "value", color: 'a', points })
    })
}

/// Headings and rows of a table of the metrics that changed.
pub(crate) fn table(report: &LoadReport) -> ([&'static str; 5], Vec<Vec<String>>) {
    let changed = report.broker.samples.iter().filter(|series| has_changed(series));
    let row = |series: &SampledSeries| {
        let values = [series.first, series.last, series.least, series.most].map(shown);
        [vec![series.name.clone()], values.to_vec()].concat()
    };
    (["number", "first", "last", "least", "most"], changed.map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_shown_as_rates() {
        let series = |name: &str| SampledSeries {
            source: SampleSource::Metrics,
            name: name.into(),
            chosen: true,
            first: 0.0,
            last: 1.0,
            least: 0.0,
            most: 9.0,
            points: vec![(1.0, 5.0), (2.0, 9.0), (3.0, 1.0), (5.0, 4.0)],
        };
        let expected = ("a_total{x=\"1\"}, a second".to_owned(), vec![(2.0, 4.0), (5.0, 1.5)]);
        assert_eq!(series("a_total{x=\"1\"}").chart(), expected);
        assert_eq!(series("a").chart(), ("a".to_owned(), series("a").points));
    }

    #[test]
    fn numbers_without_a_unit_are_readable() {
        for (value, text) in
            [(0.0, "0"), (12_345.0, "12,345"), (0.25, "0.250"), (-1.5, "-1.500"), (1e18, "1e18")]
        {
            assert_eq!(shown(value), text);
        }
    }
}
