//! The result of a search for a limit, in all output forms.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::config::Mode;
use super::find_limit::{Axis, FindLimit, LadderStep, Limiter, StepFailure};
use super::ladder::{Ladder, RunPurpose};
use super::report::export::{Form, suite};
use super::report::latency::statistic;
use super::report::markdown::escaped;
use super::report::numbers::{count, short_time};
use super::report::page::{self, ChartLine, chart, counts};
use super::report::{LoadReport, text};
use super::runs::{COLUMNS, Cell, csv};
use crate::error::Error;
use crate::notation::printable;
use crate::output::{TestOutcome, put_json_line, wrapped};
use crate::quantity::counted;

/// Width of the output.
const WIDTH: usize = 80;
/// Width of a line's name.
const NAME: usize = 17;

/// The result of a search.
#[derive(Debug)]
pub(super) struct LimitReport {
    mode: Mode,
    axis: Axis,
    objectives: Vec<String>,
    steps: Vec<LadderStep>,
    /// The highest value that held.
    limit: Option<f64>,
    /// The lowest value that failed.
    failed: Option<f64>,
    confirmed: bool,
    pub(super) interrupted: bool,
    /// Why the search ended early.
    failure: Option<String>,
}

impl LimitReport {
    pub(super) fn new(search: &FindLimit) -> Self {
        Self {
            mode: search.load.mode,
            axis: search.axis,
            objectives: search.objectives.iter().map(|objective| objective.text().to_owned()).collect(),
            steps: Vec::new(),
            limit: None,
            failed: None,
            confirmed: false,
            interrupted: false,
            failure: None,
        }
    }

    /// Adds the result of a run.
    pub(super) fn add(&mut self, step: LadderStep) {
        self.steps.push(step);
    }

    pub(super) fn steps(&self) -> &[LadderStep] {
        &self.steps
    }

    /// The number of final runs that could not be made, for reasons other than a shortage on this machine.
    pub(super) fn unmade_at_the_end(&self) -> usize {
        let is_unmade = |step: &&LadderStep| step.report.is_none() && step.limiter == Some(Limiter::Broker);
        self.steps.iter().rev().take_while(is_unmade).count()
    }

    /// Ends the search.
    pub(super) fn end(&mut self, ladder: &Ladder, failure: Option<&Error>) {
        (self.limit, self.failed) = (ladder.answer(), ladder.failed());
        self.confirmed = ladder.is_confirmed();
        self.failure = failure.map(ToString::to_string);
    }

    pub(super) fn is_found(&self) -> bool {
        self.limit.is_some()
    }

    /// The runs that could be made, each with its step.
    fn runs(&self) -> impl Iterator<Item = (&LadderStep, &LoadReport)> {
        self.steps.iter().filter_map(|step| Some((step, step.report.as_ref()?)))
    }

    /// The step that shows the cause of the limit: the last run of the lowest failed value.
    fn decisive(&self) -> Option<(&Limiter, &[StepFailure])> {
        let failed = |step: &&LadderStep| self.failed == Some(step.rung.value) && !step.has_held();
        let step = self.steps.iter().rev().find(failed)?;
        Some((step.limiter.as_ref()?, &step.failures))
    }

    /// The limit as a sentence.
    fn answer(&self) -> String {
        let value = |value| self.axis.text(value);
        let mut answer = match (self.limit, self.failed) {
            (None, Some(failed)) => format!("none: the lowest value, {}, failed", value(failed)),
            (None, None) => "none: no run has ended".into(),
            (Some(limit), None) if self.confirmed => {
                format!("{} or more: the highest value held", value(limit))
            }
            (Some(limit), None) => format!("{} or more", value(limit)),
            (Some(limit), Some(failed)) => format!("{}; {} failed", value(limit), value(failed)),
        };
        if self.limit.is_some() {
            answer += if self.confirmed { "; confirmed" } else { "; not confirmed" };
        }
        if self.interrupted {
            answer += ", as the search was interrupted";
        } else if self.failure.is_some() {
            answer += ", as a run could not be made";
        } else if self.limit.is_some() && !self.confirmed {
            let _ = write!(answer, ", as the search ended after {}", counted(self.steps.len() as u64, "run"));
        }
        answer
    }

    /// The cause of the limit as a sentence.
    fn limited_by(&self) -> Option<String> {
        let (limiter, failures) = self.decisive()?;
        let by = match limiter {
            Limiter::Broker => "the broker".to_owned(),
            Limiter::Network(why) => format!("the network ({why})"),
            Limiter::Generator => {
                "the generator, not the broker: run it on a machine of its own, with more --threads"
                    .to_owned()
            }
        };
        let why: Vec<String> = failures.iter().map(ToString::to_string).collect();
        Some(format!("{by}; {}", why.join("; ")))
    }

    /// The lines above the table: names and texts.
    fn head(&self) -> Vec<(&'static str, String)> {
        let over = format!("{} over {}", self.mode.name(), self.axis.name());
        // The load of the limit, otherwise of the last run.
        let answer = self.runs().filter(|(step, _)| self.limit == Some(step.rung.value)).last();
        let Some((_, report)) = answer.or_else(|| self.runs().last()) else {
            return vec![("find-limit", over), ("hold", self.objectives.join("; "))];
        };
        let broker = &report.configuration.broker;
        vec![
            ("find-limit", format!("{over} against {broker} ({})", text::protocol(report))),
            ("load", text::load(report)),
            ("hold", self.objectives.join("; ")),
        ]
    }

    /// The lines below the table.
    fn verdict(&self) -> Vec<(&'static str, String)> {
        let limit = std::iter::once(("limit", self.answer()));
        limit.chain(self.limited_by().map(|by| ("limited by", by))).collect()
    }

    fn headings(&self) -> Vec<String> {
        let asked = match self.axis {
            Axis::Rate => "asked/s",
            Axis::Clients => "clients",
            Axis::Size => "bytes",
        };
        let columns = COLUMNS.iter().map(|column| column.heading);
        std::iter::once(asked).chain(columns).chain(["result"]).map(str::to_owned).collect()
    }

    /// A row of the table for each run.
    fn rows(&self) -> impl Iterator<Item = Vec<String>> {
        self.steps.iter().map(|step| {
            let reports: Vec<&LoadReport> = step.report.iter().collect();
            let cells = COLUMNS.iter().map(|column| Cell::new(column, &reports).text);
            let result = match (step.has_held(), step.rung.purpose) {
                (true, RunPurpose::Confirmation) => "confirmed".into(),
                (true, _) => "held".into(),
                (false, _) => {
                    let codes: Vec<&str> = step.failures.iter().map(StepFailure::code).take(1).collect();
                    format!("failed: {}", codes.concat())
                }
            };
            std::iter::once(count(step.rung.value)).chain(cells).chain([result]).collect()
        })
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

    /// The table of runs as text, at most 80 columns wide.
    pub(super) fn as_table(&self) -> String {
        let mut out = String::new();
        let lines = |lines: Vec<(&str, String)>, out: &mut String| {
            for (name, text) in lines {
                for (place, line) in wrapped(&printable(&text), WIDTH - NAME).iter().enumerate() {
                    let name = if place == 0 { name } else { "" };
                    let _ = writeln!(out, "{}", format!("{name:<NAME$}{line}").trim_end());
                }
            }
        };
        lines(self.head(), &mut out);
        out.push('\n');
        for row in std::iter::once(self.headings()).chain(self.rows()) {
            let [asked, figures @ .., result] = &row[..] else { continue };
            let _ = write!(out, "{asked:>10}");
            for figure in figures {
                let _ = write!(out, " {figure:>6}");
            }
            let _ = writeln!(out, "  {result}");
        }
        out.push('\n');
        lines(self.verdict(), &mut out);
        out
    }

    /// The table of runs in Markdown, for an issue or a pull request.
    fn as_markdown(&self) -> String {
        let mut out = format!("### mqtt bench find-limit {}\n\n", self.mode.name());
        for (name, text) in self.head().into_iter().chain(self.verdict()) {
            let _ = writeln!(out, "* {name}: {}", escaped(&text));
        }
        let headings = self.headings();
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let _ = write!(out, "\n{}{}|---|\n", line(&headings), "|--:".repeat(headings.len() - 1));
        self.rows().for_each(|row| out += &line(&row));
        out
    }

    /// One line per run, with every figure.
    fn as_csv(&self) -> String {
        let leading = ["value", "purpose", "held"];
        let runs: Vec<_> = self
            .runs()
            .map(|(step, report)| {
                let value = step.rung.value.to_string();
                (vec![value, step.rung.purpose.key().to_owned(), step.has_held().to_string()], report)
            })
            .collect();
        csv(&leading, &runs)
    }

    /// The limit as test cases.
    fn as_junit(&self) -> String {
        let seconds = self.runs().map(|(_, report)| report.phases_s.measure).sum();
        let outcome = |passed: bool| {
            if let Some(why) = &self.failure {
                TestOutcome::Failed(why.clone())
            } else if passed {
                TestOutcome::Passed(Some(self.answer()))
            } else if self.interrupted {
                TestOutcome::Skipped(self.answer())
            } else {
                TestOutcome::Failed(self.answer())
            }
        };
        let names = ["a limit was found", "the limit was confirmed"];
        let cases = names.into_iter().zip([self.is_found(), self.confirmed]);
        suite(self.mode, seconds, cases.map(|(name, passed)| (name.to_owned(), outcome(passed))).collect())
    }

    /// An HTML page with the curve.
    fn as_page(&self) -> String {
        let mut out = page::begin(&format!("mqtt bench find-limit {}", self.mode.name()));
        for (name, text) in self.head() {
            page::say(&mut out, "dim", &format!("{name}: {text}"));
        }
        for (name, text) in self.verdict() {
            page::say(&mut out, if self.is_found() { "good" } else { "bad" }, &format!("{name}: {text}"));
        }
        out.push_str(page::SECTIONS);
        let unit = match self.axis {
            Axis::Rate => "/s",
            Axis::Clients => "clients",
            Axis::Size => "bytes",
        };
        let title = format!("Latency by {}", self.axis.name());
        // Latencies range from microseconds to minutes: only a logarithmic scale shows both.
        let latency = |name| {
            self.curve(move |report| {
                Some(report.latency(report.main_latency?)?.value(statistic(name)?)?.max(1.0).log10())
            })
        };
        let line = |name, color, points| ChartLine { name, color, points };
        let latencies = [("p50", 'a'), ("p99", 'b'), ("p99.9", 'c')]
            .map(|(name, color)| line(name, color, latency(name)));
        chart(&mut out, &title, unit, (&latencies, &[]), |value| short_time(10_f64.powf(value)), count);
        let confirmed = [line("confirmed a second", 'a', self.curve(|report| Some(report.rate())))];
        chart(&mut out, &format!("Rate by {}", self.axis.name()), unit, (&confirmed, &[]), counts, count);
        page::table(&mut out, "Runs", &self.headings(), self.rows());
        out.push_str(page::END);
        out
    }

    /// A figure by the requested value; for several runs of a value, of the last.
    fn curve(&self, figure: impl Fn(&LoadReport) -> Option<f64>) -> Vec<(f64, f64)> {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (step, report) in self.runs() {
            let Some(value) = figure(report) else { continue };
            points.retain(|(asked, _)| (asked - step.rung.value).abs() > f64::EPSILON);
            points.push((step.rung.value, value));
        }
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        points
    }

    /// One JSON object, with the whole report of each run.
    ///
    /// # Errors
    /// No known case.
    pub(super) fn as_object(&self) -> Result<Vec<u8>, Error> {
        let steps: Result<Vec<Value>, serde_json::Error> = self.steps.iter().map(step_object).collect();
        let steps = steps.map_err(|error| Error::file("cannot write the report", error.into()))?;
        let report = json!({
            "type": "bench-limit",
            "version": 1,
            "tool_version": crate::output::VERSION,
            "mode": self.mode.name(),
            "over": self.axis.name(),
            "unit": self.axis.unit(),
            "slo": self.objectives,
            "limit": self.limit,
            "lowest_failed": self.failed,
            "confirmed": self.confirmed,
            "limited_by": self.decisive().map(|(limiter, _)| limiter.key()),
            "interrupted": self.interrupted,
            "steps": steps,
        });
        let mut line = Vec::new();
        put_json_line(&mut line, &report);
        Ok(line)
    }
}

fn step_object(step: &LadderStep) -> Result<Value, serde_json::Error> {
    let failures: Vec<String> = step.failures.iter().map(ToString::to_string).collect();
    let codes: Vec<&str> = step.failures.iter().map(StepFailure::code).collect();
    Ok(json!({
        "value": step.rung.value,
        "purpose": step.rung.purpose.key(),
        "retry": step.rung.is_retry,
        "held": step.has_held(),
        "failures": failures,
        "failure_codes": codes,
        "limited_by": step.limiter.as_ref().map(Limiter::key),
        "slo": step.objectives,
        "report": step.report.as_ref().map(serde_json::to_value).transpose()?,
    }))
}
