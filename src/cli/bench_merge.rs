//! `mqtt bench merge`: one report of those of shards.

use std::path::PathBuf;

use clap::ValueHint;

use super::bench_figures::figures;
use super::bench_manual;
use super::manual::Manual;
use super::subcommand::Subcommand;
use super::verbosity::QuietArgs;
use crate::command::bench::{BenchTask, Config, Form, MergeConfig, Results, RunLimits, Threshold};
use crate::error::Error;
use crate::file::names_stdout;

/// Make one report of those of all shards
///
/// The histograms and counters are added, and the result is judged as that of a single run. Shards that are missing or have
/// failed are named and make it not valid; a shard that is given twice, or is of another run or configuration, is refused. The
/// conditions of --fail-if that the shards were given hold for the whole.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = figures())]
pub(super) struct MergeArgs {
    /// Reports of the shards of a run, written with --shard and --json
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,

    /// Write the merged report as one JSON object to this file, such as for bench compare
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,

    /// Write the merged report as one JSON object
    #[arg(long)]
    json: bool,

    /// Write the figures of each second to this file
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
    #[arg(long, value_name = "CONDITION")]
    fail_if: Vec<Threshold>,

    /// Do not fail if the generator was the bottleneck
    #[arg(long)]
    allow_saturated: bool,

    #[command(flatten)]
    quiet: QuietArgs,
}

impl Subcommand for MergeArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &bench_manual::MERGE;
}

impl TryFrom<MergeArgs> for Config {
    type Error = Error;

    fn try_from(args: MergeArgs) -> Result<Self, Error> {
        let MergeArgs { files, output, json, csv, html, markdown, junit, fail_if, allow_saturated, quiet } =
            args;
        if files.is_empty() {
            return Err(Error::usage("merge needs the reports of all shards of a run"));
        }
        let wanted = [
            ("--output", None, output.as_ref()),
            ("--csv", Some(Form::Csv), csv.as_ref()),
            ("--html", Some(Form::Html), html.as_ref()),
            ("--markdown", Some(Form::Markdown), markdown.as_ref()),
            ("--junit", Some(Form::Junit), junit.as_ref()),
        ];
        let wanted: Vec<_> =
            wanted.into_iter().filter_map(|(name, form, path)| Some((name, form, path?))).collect();
        for (place, (name, _, path)) in wanted.iter().enumerate() {
            if names_stdout(path) {
                return Err(Error::usage(format!("{name} needs a file: standard output has the report")));
            }
            if let Some((other, ..)) = wanted[..place].iter().find(|(.., other)| other == path) {
                return Err(Error::usage(format!("{other} and {name} need a file each")));
            }
            if files.contains(path) {
                return Err(Error::usage(format!("{name} would write over a report that is to be merged")));
            }
        }
        let results = Results {
            json,
            files: wanted.iter().filter_map(|(_, form, path)| Some(((*form)?, (*path).clone()))).collect(),
            limits: RunLimits { whole: fail_if, stages: Vec::new() },
            allow_saturated,
            ..Results::default()
        };
        let task = BenchTask::Merge(MergeConfig { files, output });
        Ok(Self { task, results, verbosity: quiet.resolve() })
    }
}
