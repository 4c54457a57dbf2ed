//! Loads one after the other that differ in the size of payloads and in QoS, each of them once or more often: one
//! table of them all.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::compare::median;
use super::config::{Load, Payload};
use super::report::LoadReport;
use super::report::latency::statistic;
use super::report::markdown::escaped;
use super::report::numbers::{short, short_time, whole};
use crate::error::Error;
use crate::output::{put_json_line, wrapped};
use crate::quantity::counted;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// The loads; more than one, or one that is repeated.
    pub loads: Vec<Load>,
    /// How often each is measured.
    pub repeat: u32,
}

impl Matrix {
    /// All runs: once each load, then all of them again. What changes with time then touches all of them.
    pub(super) fn runs(&self) -> impl Iterator<Item = &Load> {
        (0..self.repeat).flat_map(|_| &self.loads)
    }

    /// How many runs there are.
    pub(super) fn len(&self) -> usize {
        self.loads.len() * self.repeat as usize
    }
}

/// What tells a load from the others.
pub(super) fn name(load: &Load) -> String {
    let qos = format!("QoS {}", load.qos as u8);
    match load.payload {
        Payload::Size(size) => format!("{}, {qos}", counted(size as u64, "byte")),
        _ => qos,
    }
}

/// A load and the reports of its runs.
struct MeasuredLoad<'a> {
    /// Of each payload.
    bytes: usize,
    qos: u8,
    reports: Vec<&'a LoadReport>,
}

/// What all runs have led to, in the order of the runs; of an interrupted matrix, fewer than were asked for.
#[derive(Debug)]
pub(super) struct MatrixReport {
    loads: usize,
    runs: Vec<LoadReport>,
}

/// A column of the table.
struct Column {
    name: &'static str,
    value: fn(&LoadReport) -> Option<f64>,
    text: fn(f64) -> String,
    /// Where runs are repeated, how far they lie apart is shown.
    spreads: bool,
}

static COLUMNS: [Column; 6] = [
    Column { name: "rate/s", value: |report| Some(report.rate()), text: rounded, spreads: true },
    Column { name: "p50", value: |report| latency(report, "p50"), text: short_time, spreads: true },
    Column { name: "p99", value: |report| latency(report, "p99"), text: short_time, spreads: true },
    Column { name: "p99.9", value: |report| latency(report, "p99.9"), text: short_time, spreads: true },
    Column { name: "lost", value: lost, text: rounded, spreads: false },
    Column { name: "CPU", value: |report| Some(report.generator.busiest()), text: percent, spreads: false },
];

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates and counts are not negative"
)]
fn rounded(value: f64) -> String {
    short(value.round() as u64)
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

fn latency(report: &LoadReport, name: &str) -> Option<f64> {
    Some(report.latency(report.main_latency?)?.value(statistic(name)?))
}

#[allow(clippy::cast_precision_loss, reason = "a count of messages")]
fn lost(report: &LoadReport) -> Option<f64> {
    report.mode.receives_its_own().then(|| report.lost() as f64)
}

/// A value with half of the range of its runs, as a part of the median.
struct Cell {
    median: Option<f64>,
    spread: Option<f64>,
}

impl Cell {
    fn new(column: &Column, reports: &[&LoadReport]) -> Self {
        let values: Vec<f64> = reports.iter().filter_map(|report| (column.value)(report)).collect();
        let median = median(&values);
        let range = |values: &[f64]| {
            let (low, high) =
                values.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(*v), high.max(*v)));
            high - low
        };
        let spread = median.filter(|median| column.spreads && values.len() > 1 && *median > 0.0);
        Self { median, spread: spread.map(|median| range(&values) / 2.0 / median) }
    }

    fn text(&self, column: &Column) -> String {
        self.median.map_or_else(|| "-".into(), column.text)
    }

    fn spread(&self) -> String {
        self.spread.map_or_else(String::new, |spread| format!("±{:.0}%", spread * 100.0))
    }
}

impl MatrixReport {
    pub(super) fn new(loads: usize) -> Self {
        Self { loads, runs: Vec::new() }
    }

    /// One more run has ended.
    pub(super) fn add(&mut self, report: LoadReport) {
        self.runs.push(report);
    }

    pub(super) fn runs(&self) -> &[LoadReport] {
        &self.runs
    }

    fn loads(&self) -> Vec<MeasuredLoad<'_>> {
        let of = |place: usize| {
            let reports: Vec<&LoadReport> = self.runs.iter().skip(place).step_by(self.loads).collect();
            let first = reports.first()?;
            let bytes = first.configuration.sending.as_ref().map_or(0, |sending| sending.payload_bytes);
            Some(MeasuredLoad { bytes, qos: first.qos, reports })
        };
        (0..self.loads).filter_map(of).collect()
    }

    /// What is wrong with runs, and which thresholds they break: in lines.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for load in self.loads() {
            let of = format!("{}, QoS {}", counted(load.bytes as u64, "byte"), load.qos);
            for report in &load.reports {
                let broken = report.thresholds.iter().filter(|result| result.broken);
                remarks.extend(broken.map(|result| format!("failed, {of}: {}", result.shown())));
                let problems = report.findings.problems.iter();
                remarks.extend(problems.map(|problem| format!("not valid, {of}: {problem}")));
            }
        }
        remarks
    }

    /// The table for people, at most 80 columns wide.
    pub(super) fn as_table(&self) -> String {
        const WIDTH: usize = 80;
        let is_repeated = self.runs.len() > self.loads;
        let room = |column: &Column| if is_repeated && column.spreads { 6 } else { 0 };
        let mut out = format!("{:>8} {:>3}", "bytes", "QoS");
        for column in &COLUMNS {
            let _ = write!(out, " {:>6}{:room$}", column.name, "", room = room(column));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        for load in self.loads() {
            let mut line = format!("{:>8} {:>3}", whole(load.bytes as u64), load.qos);
            for column in &COLUMNS {
                let cell = Cell::new(column, &load.reports);
                let _ =
                    write!(line, " {:>6}{:>room$}", cell.text(column), cell.spread(), room = room(column));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out.push('\n');
        if is_repeated {
            out.push_str("medians of the runs; ± half of their range\n");
        }
        for remark in self.remarks() {
            for line in wrapped(&remark, WIDTH) {
                let _ = writeln!(out, "{line}");
            }
        }
        out
    }

    /// The same for an issue or a pull request.
    pub(super) fn as_markdown(&self) -> String {
        let mut out = "| bytes | QoS |".to_owned();
        for column in &COLUMNS {
            let _ = write!(out, " {} |", escaped(column.name));
        }
        let _ = writeln!(out, "\n{}", "|--:".repeat(COLUMNS.len() + 2) + "|");
        for load in self.loads() {
            let _ = write!(out, "| {} | {} |", load.bytes, load.qos);
            for column in &COLUMNS {
                let cell = Cell::new(column, &load.reports);
                let text = format!("{} {}", cell.text(column), cell.spread());
                let _ = write!(out, " {} |", escaped(text.trim_end()));
            }
            out.push('\n');
        }
        out.push('\n');
        for remark in self.remarks() {
            let _ = writeln!(out, "* {}", escaped(&remark));
        }
        out
    }

    /// All reports as one JSON object.
    ///
    /// # Errors
    /// None that is known.
    pub(super) fn as_object(&self) -> Result<Vec<u8>, Error> {
        let runs: Result<Vec<Value>, _> = self.runs.iter().map(serde_json::to_value).collect();
        let runs = runs.map_err(|error| Error::file("cannot write the report", error.into()))?;
        let report = json!({
            "type": "bench-matrix",
            "version": 1,
            "tool_version": crate::output::VERSION,
            "runs": runs,
        });
        let mut line = Vec::new();
        put_json_line(&mut line, &report);
        Ok(line)
    }
}
