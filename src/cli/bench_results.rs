//! The options of the results of a load.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueHint;

use super::bench_watch::WatchArgs;
use super::value;
use crate::command::bench::{Form, Results, RunLimits, Threshold};
use crate::error::Error;
use crate::file::names_stdout;

/// The options of a report.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Results")]
pub(super) struct ReportArgs {
    /// Write the report as one JSON object
    #[arg(long)]
    json: bool,

    /// Write the figures of each second, or of each run
    ///
    /// The rows are runs where several loads are measured.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    csv: Option<PathBuf>,

    /// Write a page with charts to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,

    /// Write the report as tables of Markdown to this file, for an issue or a pull request
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    markdown: Option<PathBuf>,

    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
          help = "Write the thresholds as JUnit test cases")]
    junit: Option<PathBuf>,

    /// End with status 3 if this holds: 'p99 > 20ms', 'loss > 0'; may be repeated
    ///
    /// More examples: 'connect p95 > 1s', 'rate < 50k/s'. The figures are listed below.
    #[arg(long, value_name = "CONDITION")]
    pub(super) fail_if: Vec<Threshold>,

    /// Do not fail if the generator was the bottleneck
    #[arg(long)]
    allow_saturated: bool,
}

/// The options of the results of a load.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Results")]
pub(super) struct ResultArgs {
    #[command(flatten)]
    pub(super) report: ReportArgs,

    /// End the run as soon as a condition of --fail-if holds, after this grace time
    ///
    /// The time is that of the measurement, or of a stage. The conditions of --fail-if are checked every
    /// second. Messages that may still arrive within --drain do not count as lost, and one without an answer
    /// yet counts with the time it has waited. The exit status is 3, and the report names the condition and
    /// the time.
    #[arg(long, value_name = "GRACE", value_parser = value::duration, help_heading = "Course")]
    pub(super) abort_on_fail: Option<Duration>,

    /// Write these options as a scenario file; do not run
    ///
    /// mqtt bench scenario run accepts the file. No connection is made.
    #[arg(long)]
    pub(super) show_scenario: bool,

    #[command(flatten)]
    watch: WatchArgs,
}

impl ReportArgs {
    /// The requested files, with their options.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static str, Form, &PathBuf)> {
        let all = [
            ("--csv", Form::Csv, &self.csv),
            ("--html", Form::Html, &self.html),
            ("--markdown", Form::Markdown, &self.markdown),
            ("--junit", Form::Junit, &self.junit),
        ];
        all.into_iter().filter_map(|(name, form, path)| Some((name, form, path.as_ref()?)))
    }

    /// The results, after the files were checked.
    pub(super) fn resolve(self) -> Result<Results, Error> {
        let files: Vec<_> = self.files().map(|(name, _, path)| (name, path)).collect();
        check_files(&files)?;
        Ok(Results {
            json: self.json,
            files: self.files().map(|(_, form, path)| (form, path.clone())).collect(),
            limits: RunLimits { whole: self.fail_if, stages: Vec::new() },
            allow_saturated: self.allow_saturated,
            ..Results::default()
        })
    }
}

impl ResultArgs {
    pub(super) fn resolve(self, calibration: Option<PathBuf>) -> Result<Results, Error> {
        Ok(Results { calibration, watch: self.watch.resolve()?, ..self.report.resolve()? })
    }
}

/// Checks that each option has its own file, and none is standard output.
pub(super) fn check_files(wanted: &[(&str, &PathBuf)]) -> Result<(), Error> {
    for (place, (name, path)) in wanted.iter().enumerate() {
        if names_stdout(path) {
            return Err(Error::usage(format!("{name} needs a file: standard output has the report")));
        }
        let mut before = wanted[..place].iter();
        if let Some((other, _)) = before.find(|(_, other)| other == path && !path.starts_with("/dev")) {
            return Err(Error::usage(format!("{other} and {name} need a file each")));
        }
    }
    Ok(())
}
