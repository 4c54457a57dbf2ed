//! `mqtt bench compare`: reports side by side.

use std::path::PathBuf;

use clap::ValueHint;

use super::bench_manual;
use super::manual::Manual;
use super::subcommand::Subcommand;
use super::verbosity::QuietArgs;
use crate::command::bench::{BenchTask, ChangeLimit, CompareConfig, Config, Results};
use crate::error::Error;
use crate::file::names_stdout;

/// Compare reports
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CompareArgs {
    /// Reports of earlier runs, written with --json; with 'vs' between, several runs on each side
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,

    /// Write the comparison as one JSON object
    #[arg(long)]
    json: bool,

    /// Write the comparison as a table of Markdown to this file, for an issue or a pull request
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    markdown: Option<PathBuf>,

    /// Write the comparison as a page with the latencies by percentile to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,

    /// End with status 3 if a figure changes by more than this: 'p99 +10%', 'rate -5%'; may be repeated
    ///
    /// The median of each further side is compared with that of the first. With three runs or more per side,
    /// a change within noise does not count. The figures are those of --fail-if of the loads.
    #[arg(long, value_name = "CHANGE", allow_hyphen_values = true)]
    fail_if: Vec<ChangeLimit>,

    /// Do not fail if a run is not valid because the generator was the bottleneck
    #[arg(long)]
    allow_saturated: bool,

    #[command(flatten)]
    quiet: QuietArgs,
}

impl Subcommand for CompareArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &bench_manual::COMPARE;

    fn is_for_reader(&self) -> bool {
        true
    }
}

impl TryFrom<CompareArgs> for Config {
    type Error = Error;

    fn try_from(args: CompareArgs) -> Result<Self, Error> {
        let CompareArgs { files, json, markdown, html, fail_if, allow_saturated, quiet } = args;
        if files.len() < 2 {
            return Err(Error::usage("compare needs two reports or more"));
        }
        for (option, path) in [("--markdown", &markdown), ("--html", &html)] {
            if path.as_deref().is_some_and(names_stdout) {
                return Err(Error::usage(format!(
                    "{option} needs a file: standard output has the comparison"
                )));
            }
        }
        if markdown.is_some() && markdown == html {
            return Err(Error::usage("--markdown and --html need a file each"));
        }
        let results = Results { json, allow_saturated, ..Results::default() };
        let task = BenchTask::Compare(CompareConfig { files, fail_if, markdown, html });
        Ok(Self { task, results, verbosity: quiet.resolve() })
    }
}
