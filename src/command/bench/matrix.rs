//! Several loads that differ in payload size and QoS, each measured once or more, with one table for all.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::config::{Load, Mode, Payload};
use super::report::LoadReport;
use super::report::export::{Form, suite, test_cases};
use super::report::markdown::escaped;
use super::report::numbers::whole;
use super::report::{page, text};
use super::runs::{COLUMNS, Cell, Column, csv};
use crate::error::Error;
use crate::output::{TestOutcome, put_json_line, wrapped};
use crate::quantity::counted;

/// The loads to measure.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// The loads; either several, or one that is repeated.
    pub loads: Vec<Load>,
    /// How many times each load is measured.
    pub repeat: u32,
}

impl Matrix {
    /// All runs: each load once, then all again, so that gradual changes of the environment affect all loads.
    pub(super) fn runs(&self) -> impl Iterator<Item = &Load> {
        (0..self.repeat).flat_map(|_| &self.loads)
    }

    /// The number of runs.
    pub(super) fn len(&self) -> usize {
        self.loads.len() * self.repeat as usize
    }
}

/// The values that distinguish a load from the others.
pub(super) fn name(load: &Load) -> String {
    let qos = format!("QoS {}", load.qos as u8);
    match load.payload {
        Payload::Size(size) => format!("{}, {qos}", counted(size as u64, "byte")),
        _ => qos,
    }
}

/// A load and the reports of its runs.
struct MeasuredLoad<'a> {
    /// Bytes per payload.
    bytes: usize,
    qos: u8,
    reports: Vec<&'a LoadReport>,
}

impl MeasuredLoad<'_> {
    /// The values that distinguish the load from the others.
    fn name(&self) -> String {
        format!("{}, QoS {}", counted(self.bytes as u64, "byte"), self.qos)
    }
}

/// The explanation of medians for repeated runs.
const MEDIANS: &str = "medians of the runs; ± half of their range";

/// The results in the order of the runs; after an interruption, fewer than requested.
#[derive(Debug)]
pub(super) struct MatrixReport {
    mode: Mode,
    loads: usize,
    runs: Vec<LoadReport>,
    /// Why there are fewer results.
    failure: Option<String>,
}

impl MatrixReport {
    pub(super) fn new(mode: Mode, loads: usize) -> Self {
        Self { mode, loads, runs: Vec::new(), failure: None }
    }

    /// Adds the report of a run.
    pub(super) fn add(&mut self, report: LoadReport) {
        self.runs.push(report);
    }

    /// Records that a run could not be made.
    pub(super) fn fail(&mut self, error: &Error) {
        self.failure = Some(error.to_string());
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

    /// Problems of runs and broken thresholds, one line each.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for load in self.loads() {
            let of = load.name();
            for report in &load.reports {
                let broken = report.thresholds.iter().filter(|result| result.broken);
                remarks.extend(broken.map(|result| format!("failed, {of}: {}", result.shown())));
                let problems = report.findings.problems.iter();
                remarks.extend(problems.map(|problem| format!("not valid, {of}: {problem}")));
            }
        }
        remarks
    }

    /// Whether the values are medians of several runs.
    fn is_repeated(&self) -> bool {
        self.runs.len() > self.loads
    }

    /// The content of a file in this form.
    pub(super) fn as_form(&self, form: Form) -> String {
        match form {
            Form::Csv => self.as_csv(),
            Form::Html => self.as_page(),
            Form::Markdown => self.as_markdown(),
            Form::Junit => self.as_junit(),
        }
    }

    /// One line per run, with every figure.
    fn as_csv(&self) -> String {
        let runs: Vec<_> =
            self.runs.iter().enumerate().map(|(place, run)| (vec![(place + 1).to_string()], run)).collect();
        csv(&["run"], &runs)
    }

    /// The table as an HTML page.
    fn as_page(&self) -> String {
        let first = self.runs.first();
        let of =
            first.map(|run| format!("mqtt bench {} against {}", run.mode.name(), run.configuration.broker));
        let mut out = page::begin(&of.unwrap_or_default());
        if let Some(first) = first {
            page::say(&mut out, "dim", &format!("{}, mqtt {}", first.started, crate::output::VERSION));
        }
        if self.is_repeated() {
            page::say(&mut out, "dim", MEDIANS);
        }
        for remark in self.remarks() {
            page::say(&mut out, "bad", &remark);
        }
        out.push_str(page::SECTIONS);
        let headings = ["bytes", "QoS"].into_iter().chain(COLUMNS.iter().map(|column| column.heading));
        let headings: Vec<_> = headings.map(str::to_owned).collect();
        let rows = self.loads().into_iter().map(|load| {
            let cells = COLUMNS.iter().map(|column| Cell::new(column, &load.reports).joined());
            [whole(load.bytes as u64), load.qos.to_string()].into_iter().chain(cells).collect()
        });
        page::table(&mut out, "Loads", &headings, rows);
        out.push_str(page::END);
        out
    }

    /// The runs and their thresholds as test cases.
    fn as_junit(&self) -> String {
        let mut cases = Vec::new();
        for load in self.loads() {
            for (run, report) in load.reports.iter().enumerate() {
                let of = load.name();
                let of = if self.is_repeated() { format!("{of}, run {}", run + 1) } else { of };
                cases.extend(
                    test_cases(report).into_iter().map(|(name, outcome)| (format!("{of}: {name}"), outcome)),
                );
            }
        }
        let failure =
            self.failure.iter().map(|why| ("every run was made".into(), TestOutcome::Failed(why.clone())));
        cases.extend(failure);
        let seconds = self.runs.iter().map(|run| run.phases_s.measure).sum();
        suite(self.mode, seconds, cases)
    }

    /// The table as text, at most 80 columns wide.
    pub(super) fn as_table(&self) -> String {
        const WIDTH: usize = 80;
        let is_repeated = self.is_repeated();
        let room = |column: &Column| if is_repeated && column.spreads { 6 } else { 0 };
        let mut out = format!("{:>8} {:>3}", "bytes", "QoS");
        for column in &COLUMNS {
            let _ = write!(out, " {:>6}{:room$}", column.heading, "", room = room(column));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        for load in self.loads() {
            let mut line = format!("{:>8} {:>3}", whole(load.bytes as u64), load.qos);
            for column in &COLUMNS {
                let cell = Cell::new(column, &load.reports);
                let _ = write!(line, " {:>6}{:>room$}", cell.text, cell.spread, room = room(column));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out.push('\n');
        if is_repeated {
            let _ = writeln!(out, "{MEDIANS}");
        }
        for remark in self.remarks() {
            for line in wrapped(&remark, WIDTH) {
                let _ = writeln!(out, "{line}");
            }
        }
        out
    }

    /// The table in Markdown, for an issue or a pull request.
    fn as_markdown(&self) -> String {
        let mut out = String::new();
        if let Some(first) = self.runs.first() {
            let title = format!("mqtt bench {} against {}", first.mode.name(), first.configuration.broker);
            let _ = writeln!(out, "### {}\n", escaped(&title));
            let _ = writeln!(out, "* {}", escaped(&text::protocol(first)));
            let _ = writeln!(out, "* load of the first run: {}", escaped(&text::load(first)));
            if self.is_repeated() {
                let _ = writeln!(out, "* {}", escaped(MEDIANS));
            }
            out.push('\n');
        }
        out += "| bytes | QoS |";
        for column in &COLUMNS {
            let _ = write!(out, " {} |", escaped(column.heading));
        }
        let _ = writeln!(out, "\n{}", "|--:".repeat(COLUMNS.len() + 2) + "|");
        for load in self.loads() {
            let _ = write!(out, "| {} | {} |", load.bytes, load.qos);
            for column in &COLUMNS {
                let _ = write!(out, " {} |", escaped(&Cell::new(column, &load.reports).joined()));
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
    /// No known case.
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
