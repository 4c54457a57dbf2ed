//! `mqtt bench`: a load generator that says what it measured.
//!
//! Every message has an intended send time on an absolute schedule; latency counts from it, so a
//! broker that stands still cannot hide. Messages are stamped, so that losses, duplicates and
//! reorderings are counted and not guessed. And the generator watches itself: a run in which it was
//! the bottleneck says so.
//!
//! | file | holds |
//! |---|---|
//! | `config` | what is asked for |
//! | `plan` | topics, filters, expected deliveries |
//! | `phases` | the course of a run |
//! | `fleet`, `orders` | what all threads know, and what is said between them |
//! | `worker`, `ready` | one thread: its loop, its list of clients that have something to do |
//! | `abandoned` | messages of clients that were lost |
//! | `client`, `shard` | one client and its turns, and what the clients of a thread have in common |
//! | `pacer` | the schedule |
//! | `stamp`, `flow` | what a message carries; which messages came |
//! | `recorder`, `rows` | histograms and counts of a thread; the seconds of the series |
//! | `summary`, `configuration` | the report; what was asked for |
//! | `figure`, `latency` | the table of all figures, and that of latencies and their statistics |
//! | `finding` | what is wrong with a run, and what to know of it |
//! | `verdict`, `threshold` | what it is worth; what must not be in it |
//! | `text`, `csv`, `junit`, `html` | the report's forms |
//! | `outputs` | the files they go to |
//! | `words` | what table and page say alike |
//! | `compare`, `calibrate` | reports side by side; the generator's own ceiling |
//! | `target` | the embedded broker as a process |
//! | `credentials`, `host`, `preflight` | files and facts |

mod abandoned;
mod calibrate;
mod client;
mod compare;
pub mod config;
mod configuration;
mod credentials;
mod csv;
mod dialer;
mod figure;
mod finding;
mod fleet;
mod flow;
mod host;
mod html;
mod junit;
mod latency;
mod orders;
mod outputs;
mod pacer;
mod phases;
mod plan;
mod preflight;
mod ready;
mod recorder;
mod rows;
mod shard;
mod stamp;
mod summary;
mod target;
mod text;
mod thread;
mod threshold;
mod under_way;
mod verdict;
mod words;
mod worker;

pub use config::{Config, Load, Task};
pub use figure::help as figures_help;
pub use plan::check_topic;
pub use stamp_limits::{MOST_PUBLISHERS, STAMP_BYTES};
pub use threshold::Threshold;

use std::path::Path;

use serde_json::Value;

use self::calibrate::Calibration;
use self::outputs::Outputs;
use self::phases::Outcome;
use self::summary::Report;
use super::attention::Attention;
use crate::error::Error;
use crate::exit::Exit;
use crate::file::read_at_most;
use crate::output::{Diagnostics, Stdout, put_json_line};

/// What the stamp's form allows, for the command line's checks.
mod stamp_limits {
    /// Publishers that can be told apart.
    pub const MOST_PUBLISHERS: u32 = super::stamp::MOST_PUBLISHERS;
    /// Bytes of a payload below which messages are only counted.
    pub const STAMP_BYTES: usize = super::stamp::BYTES;
}

/// Runs a load and reports.
///
/// # Errors
/// A broker that cannot be reached, files that cannot be read or written.
pub async fn run(config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let Config { task, results, .. } = config;
    let mut load = match task {
        Task::Load(load) => load,
        Task::Compare(files) => return print(&compare::run(&files, results.json)?).await,
        Task::Calibrate { client, threads, duration } => {
            let text = calibrate::run(&client, threads, duration, results.json, diagnostics).await?;
            return print(text.as_bytes()).await;
        }
    };
    // What can be known to fail at the end of the run fails before it.
    let calibration = results.calibration.as_deref().map(Calibration::read).transpose()?;
    let outputs = Outputs::open(&results)?;
    let attention = Attention::start(None)?;
    // A report that goes into a file as well is not for the reader of standard output alone.
    let attention = if outputs.is_empty() { attention.for_reader() } else { attention };
    let outcome = match put_load(&mut load, attention, diagnostics).await {
        Ok(outcome) => outcome,
        Err(error) => {
            outputs.fail(load.mode, &error);
            return Err(error);
        }
    };
    let nothing = outcome.recorder.counts.connected == 0 && !outcome.interrupted;
    let mut report = Report::new(&load, outcome);
    report.generator.share_of_ceiling = calibration.map(|calibration| calibration.share(&report));
    report.thresholds = results.fail_if.iter().map(|threshold| threshold.result(&report)).collect();
    let text = if results.json { json(&report)? } else { text::render(&report).into_bytes() };
    let (printed, written) = (print(&text).await, outputs.write(&report));
    printed?;
    written?;
    if results.json {
        // The table says so itself; an object mostly goes into a file.
        let broken = report.thresholds.iter().filter(|result| result.broken);
        broken.for_each(|result| diagnostics.state(format_args!("failed: {}", result.shown())));
        report
            .findings
            .problems
            .iter()
            .for_each(|problem| diagnostics.state(format_args!("not valid: {problem}")));
    }
    let pardoned = results.allow_saturated && report.only_saturated();
    Ok(match () {
        () if nothing => Exit::Failure,
        () if report.thresholds.iter().any(|result| result.broken) => Exit::Negative,
        () if !report.valid && !pardoned => Exit::Negative,
        () => Exit::Success,
    })
}

async fn put_load(
    load: &mut Load,
    attention: Attention,
    diagnostics: &Diagnostics,
) -> Result<Outcome, Error> {
    preflight::check(load, diagnostics)?;
    let _target = target::start(load)?;
    phases::run(load.clone(), attention, diagnostics).await
}

async fn print(text: &[u8]) -> Result<Exit, Error> {
    let mut stdout = Stdout::new();
    stdout.buffer().extend_from_slice(text);
    stdout.flush().await?;
    Ok(Exit::Success)
}

fn json(report: &Report) -> Result<Vec<u8>, Error> {
    let report =
        serde_json::to_value(report).map_err(|error| Error::file("cannot write the report", error.into()))?;
    let mut line = Vec::new();
    put_json_line(&mut line, &report);
    Ok(line)
}

/// The most a report read back may have: days of seconds.
const MOST_BYTES: u64 = 64 << 20;

/// A report that an earlier run wrote with `--json`.
///
/// # Errors
/// A file that cannot be read or holds something else.
fn read_report(file: &Path, kind: &str, version: u32, command: &str) -> Result<Value, Error> {
    let what = || format!("cannot read {}", file.display());
    let text = read_at_most(file, MOST_BYTES).map_err(|error| Error::file(what(), error))?;
    let other = |why| Error::file(what(), std::io::Error::other(why));
    let no_report = format!("it is no report of {command} --json");
    let report: Value =
        serde_json::from_slice(&text).map_err(|error| other(format!("{no_report}: {error}")))?;
    if report["type"] == kind && report["version"] == version {
        return Ok(report);
    }
    Err(other(no_report))
}
