//! `mqtt bench`: the load generator.
//!
//! Every message has an intended send time on an absolute schedule. Latency counts from that time, so a
//! stalled broker shows in the percentiles. Messages are stamped, so that losses, duplicates and reorderings
//! are counted and not estimated. The generator measures itself: a run in which it was the bottleneck is
//! reported as not valid.
//!
//! | file | contents |
//! |---|---|
//! | `config` | the configuration, and its part in the report |
//! | `group` | groups of clients, from the options of a mode or a scenario |
//! | `topology`, `plan`, `topic`, `pacer`, `stamp` | messages between groups; topics and filters of each client; the
//! fields of topics; the schedule; the identification of messages |
//! | `reference` | the clock of the stamps of a run |
//! | `director`, `probe` | the phases of a run, and the orders to the threads; its first connection |
//! | `operation` | scheduled operations of clients instead of publishing |
//! | `stage`, `course` | changes of a load's rate; the number of messages due at any time |
//! | `disturbance`, `disturber`, `impact` | disturbances of a run; their execution; the records around them |
//! | `beside` | optional records besides the figures of the whole run |
//! | [`engine`] | the threads and their clients |
//! | `recorder`, `rows`, `histogram` | histograms and counts; the seconds of the series |
//! | [`report`] | the report of a run, in every form |
//! | `threshold`, `watch` | `--fail-if` and `--slo`; `--abort-on-fail` |
//! | `matrix` | several loads, and their table |
//! | `find_limit`, `ladder` | the search for a limit: how a run is judged; which value is tried next |
//! | [`watching`] | observations during a run |
//! | `network` | effects of a run on the network of this machine |
//! | `limit_report`, `runs` | the report of a search; columns and lines of several runs |
//! | `compare`, `comparison`, `change` | reports side by side, in every form; limits on changes of figures |
//! | `calibrate`, `calibration` | the ceiling of the generator, and its report |
//! | [`shard`] | a load that runs as several processes, and their merged report |
//! | `machine` | this machine and its limits |
//! | `credentials`, `client_values`, `csv_records` | files with credentials and with other values of clients;
//! CSV |

mod beside;
#[cfg(feature = "broker")]
mod calibrate;
mod calibration;
mod change;
mod client_values;
mod compare;
mod comparison;
pub mod config;
mod course;
mod credentials;
mod csv_records;
mod director;
mod disturbance;
mod disturber;
mod engine;
mod find_limit;
pub mod group;
mod histogram;
mod impact;
mod ladder;
mod limit_report;
mod machine;
mod matrix;
mod network;
pub mod operation;
mod pacer;
mod plan;
mod probe;
mod recorder;
mod reference;
mod report;
mod rows;
mod runs;
mod shard;
pub mod stage;
mod stamp;
mod threshold;
pub mod topic;
mod topology;
mod watch;
mod watching;

pub use change::ChangeLimit;
pub use compare::CompareConfig;
pub use config::Load;
use config::Mode;
pub use disturbance::{ClientShare, Disturbance, Disturbances, Disturbing};
pub use find_limit::{Axis, CONNECTING_S, FindLimit};
pub use ladder::Bounds;
pub use matrix::Matrix;
pub use reference::ClockShift;
pub use report::export::{Files, Form};
pub(super) use report::export::{json_of_failure, junit_of_failure};
pub use report::help::help as figures_help;
pub use shard::{LoadShard, MergeConfig, SharedStart};
pub use stamp::{
    LONG_BYTES as LONG_STAMP_BYTES, MOST_CLIENTS, SHORT_BYTES as LEAST_STAMP_BYTES,
    TEXT_BYTES as TEXT_STAMP_BYTES,
};
pub use threshold::{Objective, RunLimits, Threshold};
pub use topology::{GroupFault, check as check_groups, check_number as check_number_of_clients};
pub use watching::{WatchOptions, WatchedProcess};

use std::path::PathBuf;
#[cfg(feature = "broker")]
use std::time::Duration;

use self::calibration::Calibration;
use self::find_limit::{LadderStep, Limiter};
use self::ladder::Ladder;
use self::limit_report::LimitReport;
use self::matrix::MatrixReport;
use self::network::NetworkCounters;
use self::report::export::{Outputs, json, json_of_failed_shard, write_text};
use self::report::finding::SATURATION_HINT;
use self::report::{LoadReport, RunOutcome, text};
use self::watching::Watched;
use super::attention::Attention;
#[cfg(feature = "broker")]
use crate::client::options::ClientOptions;
use crate::command::{Common, Invocation, Running};
use crate::error::Error;
use crate::exit::Exit;
use crate::notation::printable;
use crate::output::{Diagnostics, Stdout, Verbosity};

/// A checked command line of `mqtt bench`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The task.
    pub task: BenchTask,
    /// The destinations of the results.
    pub results: Results,
    /// The verbosity on standard error.
    pub verbosity: Verbosity,
}

/// The task.
#[derive(Debug, Clone)]
pub enum BenchTask {
    /// Generate load on a broker.
    Load(Box<Load>),
    /// Generate several loads on a broker, one after the other.
    Matrix(Matrix),
    /// Find the highest load that meets its objectives.
    FindLimit(Box<FindLimit>),
    #[cfg(feature = "broker")]
    /// Generate load on a sink, to measure the capacity of this machine.
    Calibrate {
        /// The protocol version and limits to use; the address is the sink's.
        client: Box<ClientOptions>,
        /// The number of threads.
        threads: usize,
        /// The length of each part.
        duration: Duration,
    },
    /// Compare reports.
    Compare(CompareConfig),
    /// Merge the reports of shards.
    Merge(MergeConfig),
    /// Print a text.
    Print(String),
}

/// The destinations of the results.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// Print one JSON object instead of the table.
    pub json: bool,
    /// The files.
    pub files: Files,
    /// Conditions that must not hold.
    pub limits: RunLimits,
    /// Whether a saturated generator is accepted.
    pub allow_saturated: bool,
    /// The report of an earlier `calibrate` to compare the load with.
    pub calibration: Option<PathBuf>,
    /// Observations besides the load.
    pub watch: WatchOptions,
}

impl Invocation for Config {
    fn common(&self) -> Common<'_> {
        let client = match &self.task {
            BenchTask::Load(load) => Some(&load.client),
            BenchTask::FindLimit(search) => Some(&search.load.client),
            BenchTask::Matrix(matrix) => matrix.loads.first().map(|load| &load.client),
            #[cfg(feature = "broker")]
            BenchTask::Calibrate { .. } => None,
            BenchTask::Compare(_) | BenchTask::Merge(_) | BenchTask::Print(_) => None,
        };
        (self.verbosity, client)
    }

    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_> {
        Box::pin(run(*self, diagnostics))
    }
}

/// Runs a load and reports.
///
/// # Errors
/// A broker that cannot be reached, files that cannot be read or written.
async fn run(config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let Config { task, results, .. } = config;
    let mut load = match task {
        BenchTask::Load(load) => load,
        BenchTask::Matrix(matrix) => return run_matrix(matrix, &results, diagnostics).await,
        BenchTask::FindLimit(search) => return find_limit(&search, &results, diagnostics).await,
        BenchTask::Compare(config) => return set_side_by_side(&config, &results, diagnostics).await,
        BenchTask::Merge(config) => return merge(config, results, diagnostics).await,
        BenchTask::Print(text) => {
            let mut stdout = Stdout::new();
            stdout.buffer().extend_from_slice(text.as_bytes());
            stdout.flush().await?;
            return Ok(Exit::Success);
        }
        #[cfg(feature = "broker")]
        BenchTask::Calibrate { client, threads, duration } => {
            let mut attention = Attention::start(None)?.for_reader();
            let json = results.json;
            let measuring = calibrate::run(&client, threads, duration, json, &mut attention, diagnostics);
            let text = Box::pin(measuring).await?;
            print(text.as_bytes(), &mut attention, diagnostics).await?;
            return Ok(Exit::Success);
        }
    };
    if let Some(shard) = &load.shard {
        let source = shard.source.as_ref().map_or_else(String::new, |source| format!(", from {source}"));
        diagnostics.state(format_args!("shard {} of run {}{source}", shard.shown(), shard.run_id));
    }
    let watched = Watched::open(&results.watch, diagnostics)?;
    // Failures that would prevent the report are detected before the run.
    let files = Outputs::open(&results.files, load.mode).and_then(|outputs| {
        Ok((outputs, results.calibration.as_deref().map(Calibration::read).transpose()?))
    });
    let to_files = !results.files.is_empty();
    let (mut attention, caught) = attention_for(&results);
    let measured = match files {
        Ok((outputs, calibration)) => {
            let put = match caught {
                Ok(()) => put_load(&mut load, (&results.limits, &watched), &mut attention, diagnostics).await,
                Err(error) => Err(error),
            };
            match put {
                Ok(outcome) => Ok((outputs, calibration, outcome)),
                Err(error) => {
                    outputs.fail(load.mode, &error);
                    Err(error)
                }
            }
        }
        Err(error) => Err(error),
    };
    let (outputs, calibration, outcome) = match measured {
        Ok(measured) => measured,
        Err(error) => {
            let subject = (load.mode, load.shard.as_ref());
            print_failure(subject, results.json, &error, &mut attention, diagnostics).await;
            return Err(error);
        }
    };
    // A shard may have no clients.
    let is_asked = load.own_clients() > 0;
    let nothing = is_asked && outcome.recorder.counts.connected == 0 && !outcome.interrupted;
    let mut report = reported(&load, outcome, &results);
    report.generator.share_of_ceiling = calibration.map(|calibration| calibration.share(&report));
    let text = if results.json {
        json(&report)?
    } else {
        text::render(&report, diagnostics.terminal().stdout).into_bytes()
    };
    diagnostics.end_interrupted_line();
    // The files are written first, because the reader of standard output may be slow.
    let (written, printed) = (outputs.write(&report), print(&text, &mut attention, diagnostics).await);
    written?;
    let has_verdict = to_files || report.limits().next().is_some();
    match printed {
        // The reader of the figures has left, but the exit status still has the verdict.
        Err(Error::OutputClosed) if has_verdict => {}
        printed => printed?,
    }
    if results.json {
        // The table contains this itself; an object usually goes to a file.
        say_what_is_wrong(&report, diagnostics);
    }
    Ok(if nothing { Exit::Failure } else { verdict(&report, &results) })
}

/// The signals and readers that end a run early. If the report also goes to a file, the run does not end with
/// the reader of standard output.
fn attention_for(results: &Results) -> (Attention, Result<(), Error>) {
    let (attention, caught) = Attention::start_for_reports();
    (if results.files.is_empty() { attention.for_reader() } else { attention }, caught)
}

/// The report of a run, with its thresholds.
fn reported(load: &Load, outcome: RunOutcome, results: &Results) -> LoadReport {
    let mut report = LoadReport::new(load, outcome);
    // Thresholds apply to the whole load: the merge checks them for shards.
    if load.shard.is_none() {
        hold_against(&mut report, &results.limits);
    }
    report
}

/// Checks the thresholds of a report.
fn hold_against(report: &mut LoadReport, limits: &RunLimits) {
    report.thresholds = limits.whole.iter().map(|threshold| threshold.result(report)).collect();
    for (stage, fail_if) in report.stages.iter_mut().zip(&limits.stages) {
        stage.part.thresholds = fail_if.iter().map(|threshold| threshold.result(&stage.part)).collect();
    }
}

fn say_what_is_wrong(report: &LoadReport, diagnostics: &Diagnostics) {
    if let Some(aborted) = &report.aborted {
        diagnostics.state(format_args!("aborted {}", aborted.shown()));
    }
    let broken = report.limits().filter(|(_, result)| result.broken);
    broken.for_each(|(of, result)| diagnostics.state(format_args!("failed: {of}{}", result.shown())));
    let problems = report.findings.problems.iter();
    problems.for_each(|problem| diagnostics.state(format_args!("not valid: {problem}")));
    if report.generator.saturated {
        diagnostics.state(format_args!("hint: {SATURATION_HINT}"));
    }
}

fn verdict(report: &LoadReport, results: &Results) -> Exit {
    let is_broken = report.aborted.is_some() || report.limits().any(|(_, result)| result.broken);
    let is_pardoned = results.allow_saturated && report.only_saturated();
    if is_broken || !(report.valid || is_pardoned) { Exit::Negative } else { Exit::Success }
}

/// Runs all loads of a matrix and reports. If one fails, the table has those before it.
///
/// # Errors
/// As for a single load.
async fn run_matrix(matrix: Matrix, results: &Results, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let Some(mode) = matrix.loads.first().map(|load| load.mode) else { return Ok(Exit::Success) };
    let watched = Watched::open(&results.watch, diagnostics)?;
    let outputs = Outputs::open(&results.files, mode)?;
    let (mut attention, caught) = attention_for(results);
    if let Err(error) = caught {
        outputs.fail(mode, &error);
        return Err(error);
    }
    let mut report = MatrixReport::new(mode, matrix.loads.len());
    let mut exit = Exit::Success;
    let mut failure = None;
    for (number, load) in matrix.runs().enumerate() {
        let (number, all) = (number + 1, matrix.len());
        diagnostics.state(format_args!("run {number} of {all}: {}", matrix::name(load)));
        match put_load(&mut load.clone(), (&results.limits, &watched), &mut attention, diagnostics).await {
            Ok(outcome) => {
                let nothing = outcome.recorder.counts.connected == 0 && !outcome.interrupted;
                let run = reported(load, outcome, results);
                if results.json {
                    say_what_is_wrong(&run, diagnostics);
                }
                exit = match exit {
                    _ if nothing => Exit::Failure,
                    Exit::Success => verdict(&run, results),
                    exit => exit,
                };
                let is_over = nothing || run.interrupted;
                report.add(run);
                if is_over {
                    break;
                }
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    diagnostics.end_interrupted_line();
    if let Some(error) = &failure {
        report.fail(error);
    }
    let written = outputs.write_each(|form| report.as_form(form));
    let text = if results.json { report.as_object()? } else { report.as_table().into_bytes() };
    if !report.runs().is_empty() {
        print(&text, &mut attention, diagnostics).await?;
    } else if let Some(error) = &failure {
        print_failure((mode, None), results.json, error, &mut attention, diagnostics).await;
    }
    written?;
    failure.map_or(Ok(exit), Err)
}

/// Searches for a limit and reports. If a run fails, the table has those before it.
///
/// # Errors
/// As for a single load.
async fn find_limit(search: &FindLimit, results: &Results, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let watched = Watched::open(&results.watch, diagnostics)?;
    let outputs = Outputs::open(&results.files, search.load.mode)?;
    let (mut attention, caught) = attention_for(results);
    if let Err(error) = caught {
        outputs.fail(search.load.mode, &error);
        return Err(error);
    }
    let (mut ladder, mut report) = (Ladder::new(search.bounds), LimitReport::new(search));
    let mut failure = None;
    while let Some(rung) = ladder.next() {
        let mut load = search.load_at(rung.value);
        let number = report.steps().len() + 1;
        diagnostics.state(format_args!("run {number}: {}", search.axis.text(rung.value)));
        // The counters are those of the machine: its other traffic says nothing about a broker on it.
        let before = (!load.client.endpoint.is_local()).then(NetworkCounters::read);
        let step = if let Err(short) = machine::check_limits(&load, diagnostics) {
            LadderStep::unmade(rung, Limiter::Generator, short.to_string())
        } else {
            match put_load(&mut load, (&results.limits, &watched), &mut attention, diagnostics).await {
                Ok(outcome) if outcome.interrupted => {
                    report.interrupted = true;
                    break;
                }
                Ok(outcome) => {
                    let network = before.and_then(|before| NetworkCounters::read().limit_since(&before));
                    let run = reported(&load, outcome, results);
                    search.judge(rung, &load, run, network, results.allow_saturated)
                }
                Err(error @ (Error::OutputClosed | Error::Signal(_))) => {
                    failure = Some(error);
                    break;
                }
                // The broker may refuse one value and accept a lower one. But if no value has held, or two
                // values have failed like this, the value is not the cause.
                Err(error) if ladder.answer().is_none() || report.unmade_at_the_end() >= MOST_UNMADE => {
                    failure = Some(error);
                    break;
                }
                Err(error) => LadderStep::unmade(rung, Limiter::Broker, error.to_string()),
            }
        };
        ladder.record(rung, step.has_held());
        report.add(step);
    }
    diagnostics.end_interrupted_line();
    report.end(&ladder, failure.as_ref());
    let written = outputs.write_each(|form| report.as_form(form));
    let text = if results.json { report.as_object()? } else { report.as_table().into_bytes() };
    if !report.steps().is_empty() || report.interrupted {
        print(&text, &mut attention, diagnostics).await?;
    } else if let Some(error) = &failure {
        print_failure((search.load.mode, None), results.json, error, &mut attention, diagnostics).await;
    }
    written?;
    let exit = if report.is_found() || report.interrupted { Exit::Success } else { Exit::Negative };
    failure.map_or(Ok(exit), Err)
}

/// Merges the reports of shards.
///
/// # Errors
/// A file that cannot be read or written, or does not belong to the run of the others.
async fn merge(config: MergeConfig, mut results: Results, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let output = config.output.clone();
    let attention = Attention::start(None)?;
    let is_for_reader = output.is_none() && results.files.is_empty();
    let mut attention = if is_for_reader { attention.for_reader() } else { attention };
    let merged = attention.blocking(move || shard::merge::merge(&config)).await?;
    let shard::merge::Merged { mut report, mut limits } = merged;
    limits.whole.append(&mut results.limits.whole);
    hold_against(&mut report, &limits);
    let text = if results.json || output.is_some() { json(&report)? } else { Vec::new() };
    if let Some(path) = &output {
        write_text(path, &String::from_utf8_lossy(&text))?;
    }
    Outputs::open(&results.files, report.mode)?.write(&report)?;
    let shown =
        if results.json { text } else { text::render(&report, diagnostics.terminal().stdout).into_bytes() };
    print(&shown, &mut attention, diagnostics).await?;
    if results.json {
        say_what_is_wrong(&report, diagnostics);
    }
    Ok(verdict(&report, &results))
}

/// Maximum number of consecutive runs that could not be made: two values, twice each.
const MOST_UNMADE: usize = 4;

async fn set_side_by_side(
    config: &CompareConfig,
    results: &Results,
    diagnostics: &Diagnostics,
) -> Result<Exit, Error> {
    let compared = compare::run(config, results.json, results.allow_saturated)?;
    for (path, text) in [(&config.markdown, &compared.markdown), (&config.html, &compared.page)] {
        if let (Some(path), Some(text)) = (path, text) {
            write_text(path, text)?;
        }
    }
    let mut stdout = Stdout::new();
    stdout.buffer().extend_from_slice(&compared.text);
    let mut is_broken = false;
    for change in &compared.changes {
        is_broken |= change.broken;
        let verdict = if change.broken { "failed" } else { "passed" };
        if !results.json {
            stdout
                .buffer()
                .extend_from_slice(format!("{verdict}: {}\n", printable(&change.shown())).as_bytes());
        } else if change.broken {
            // The table contains this itself; an object usually goes to a file.
            diagnostics.state(format_args!("failed: {}", change.shown()));
        }
    }
    stdout.flush().await?;
    Ok(if compared.is_valid && !is_broken { Exit::Success } else { Exit::Negative })
}

/// With `--json`, prints an object that states why there is no report.
async fn print_failure(
    (mode, shard): (Mode, Option<&LoadShard>),
    as_json: bool,
    error: &Error,
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) {
    if as_json && !matches!(error, Error::Usage { .. } | Error::OutputClosed) {
        // The error that prevented the report is the one to end with.
        let _ = print(&json_of_failed_shard(mode, error, shard), attention, diagnostics).await;
    }
}

async fn put_load(
    load: &mut Load,
    watched: (&RunLimits, &Watched),
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Result<RunOutcome, Error> {
    machine::check_limits(load, diagnostics)?;
    let target = machine::start_target(load)?;
    if let Some(target) = &target {
        watched.1.aim_at(target.process_id())?;
    }
    director::run(load.clone(), watched, attention, diagnostics).await
}

async fn print(text: &[u8], attention: &mut Attention, diagnostics: &Diagnostics) -> Result<(), Error> {
    let mut stdout = Stdout::new();
    stdout.buffer().extend_from_slice(text);
    attention.write_out(&mut stdout, diagnostics).await
}
