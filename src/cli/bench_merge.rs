//! `mqtt bench merge`: one report of those of shards.

use std::path::PathBuf;

use clap::ValueHint;

use super::bench_figures::figures;
use super::bench_manual;
use super::bench_results::{ReportArgs, check_files};
use super::manual::Manual;
use super::subcommand::Subcommand;
use super::verbosity::QuietArgs;
use crate::command::bench::{BenchTask, Config, MergeConfig};
use crate::error::Error;

/// Merge the reports of all shards
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

    #[command(flatten)]
    report: ReportArgs,

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
        let MergeArgs { files, output, report, quiet } = args;
        if files.is_empty() {
            return Err(Error::usage("merge needs the reports of all shards of a run"));
        }
        let wanted = report.files().map(|(name, _, path)| (name, path));
        let wanted: Vec<_> = output.iter().map(|path| ("--output", path)).chain(wanted).collect();
        check_files(&wanted)?;
        if let Some((name, _)) = wanted.iter().find(|(_, path)| files.contains(path)) {
            return Err(Error::usage(format!("{name} would write over a report that is to be merged")));
        }
        let results = report.resolve()?;
        let task = BenchTask::Merge(MergeConfig { files, output });
        Ok(Self { task, results, verbosity: quiet.resolve() })
    }
}
