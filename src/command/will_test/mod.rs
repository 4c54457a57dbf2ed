//! `mqtt will-test`: tests that a broker publishes wills when it must, and only then.
//!
//! | file | holds |
//! |---|---|
//! | `case` | the cases, as data |
//! | `control` | whether ordinary messages arrive |
//! | `run` | one case from beginning to end |
//! | `judge` | the verdict from what was received |
//! | `pulse` | for how long this program itself was stopped |
//! | `report` | text, JSON, and the `JUnit` format |
//!
//! Each case has a topic, a client identifier and a watcher of its own, so that cases can run in parallel and
//! none receives another's will.

mod case;
mod control;
mod judge;
mod pulse;
mod refused_watcher;
mod report;
mod run;

use std::fs::OpenOptions;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::attention::{Attention, report_change};
use crate::client::handler::Change;
use crate::client::options::{ClientOptions, Secret, Version, Will};
use crate::client::raw::RawLink;
use crate::command::{Common, Invocation, Running};
use crate::error::Error;
use crate::exit::Exit;
use crate::file::{OutputFile, patiently};
use crate::output::{Diagnostics, Progress, Stdout, Verbosity};
use crate::protocol::Protocol;
use crate::protocol::property::{PropertyBlock, PropertyId};
use crate::protocol::reason::ReasonCode;
use crate::quantity::counted;
use crate::signal::outlive_file_limit;
use case::{CASES, Case, Death, Expected, Later};
use judge::Verdict;
use pulse::{PERIOD, Pulse};
use run::{CasePlan, TestSetting, trace, without_will};

/// A checked command line of `mqtt will-test`.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Config {
    /// The connection; its will is the user's own, if there is one.
    pub client: ClientOptions,
    /// The watcher's user, if it differs from the publisher's.
    pub watch_as: Option<(String, Option<Secret>)>,
    /// Names of cases, each one of [`names`]; empty for all. Ignored with a will of the user's own.
    pub cases: Vec<String>,
    /// Include the cases in which common brokers deviate from the standard.
    pub strict: bool,
    /// Only list the cases.
    pub list: bool,
    /// Run every case with MQTT 3.1.1 and 5.
    pub version_matrix: bool,
    /// Run all cases at once.
    pub parallel: bool,
    /// How late a will may be.
    pub tolerance: Duration,
    /// The prefix of all topics; a checked topic name.
    pub prefix: String,
    /// Whether to print one JSON object instead of text.
    pub json: bool,
    /// A file for a report in the `JUnit` format.
    pub junit: Option<PathBuf>,
    /// The verbosity on standard error.
    pub verbosity: Verbosity,
}

/// The names of all cases.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// Whether this case needs MQTT 5.
#[must_use]
pub fn needs_v5(name: &str) -> bool {
    CASES.iter().any(|case| case.name == name && case.v5_only)
}

impl Invocation for Config {
    fn common(&self) -> Common<'_> {
        (self.verbosity, Some(&self.client))
    }

    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_> {
        Box::pin(run(*self, diagnostics))
    }
}

/// Runs the cases and reports.
///
/// # Errors
/// The broker cannot be reached, the `JUnit` file cannot be written, a signal.
async fn run(mut config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let mut stdout = Stdout::new();
    if config.list {
        for case in CASES {
            let only = if case.v5_only { " (MQTT 5)" } else { "" };
            let strict = if case.strict { " (--strict)" } else { "" };
            let line = format!("{:<20}  {}{only}{strict}\n", case.name, case.about);
            stdout.buffer().extend_from_slice(line.as_bytes());
        }
        stdout.flush().await?;
        return Ok(Exit::Success);
    }
    // The file is checked before the run, which may take a minute.
    let begin = |path: &Path| -> std::io::Result<OutputFile> {
        let mut file = patiently(path, output_file)?;
        file.begin_with(report::junit(&[], Some("the run was killed, or has not ended")).as_bytes())?;
        Ok(file)
    };
    let junit = config.junit.clone().map(|path| match begin(&path) {
        Ok(file) => Ok((file, path)),
        Err(error) => Err(cannot_write(&path, error)),
    });
    let (attention, caught) = Attention::start_for_reports();
    // A report that also goes into a file does not depend on the reader of standard output.
    let mut attention = if junit.is_none() { attention.for_reader() } else { attention };
    let (junit, prepared) = match junit.transpose() {
        Ok(junit) => {
            let prepared = match caught {
                Ok(()) => prepare(&mut config, &mut attention, diagnostics).await,
                Err(error) => Err(error),
            };
            (junit, prepared)
        }
        Err(error) => (None, Err(error)),
    };
    let (results, total, end) = match prepared {
        Ok(plans) => {
            let (results, end) = run_all(&config, &plans, &mut attention, &mut stdout, diagnostics).await;
            (results, plans.len(), end)
        }
        Err(error) => (Vec::new(), 0, Some(error)),
    };
    let cut_off = total - results.len();
    // Also for a run that could not start: an earlier report must not be taken for it.
    let end = end.filter(|end| cut_off > 0 || total == 0 || !matches!(end, Error::OutputClosed));
    let why = end.as_ref().map(ToString::to_string);
    if config.json {
        let server = config.client.endpoint.address.to_string();
        report::json(Some(server), &results, why.as_deref(), stdout.buffer());
    }
    let written = junit.map_or(Ok(()), |(mut file, path)| {
        let xml = report::junit(&results, why.as_deref());
        file.replace(xml.as_bytes()).map_err(|error| cannot_write(&path, error))
    });
    match end {
        Some(Error::OutputClosed) if total == 0 => {
            diagnostics.state("standard output was closed before the first case was run");
            return Ok(Exit::Failure);
        }
        // A reader that leaves early gets no verdict on the rest.
        Some(Error::OutputClosed) => diagnostics.state(format_args!(
            "standard output was closed; not run to their end: {cut_off} of {}",
            counted(total as u64, "case")
        )),
        Some(error) => {
            if matches!(error, Error::Signal(_)) {
                // Only what the reader accepts immediately: the end does not wait.
                let _ = poll_fn(|context| Poll::Ready(stdout.poll_flush(context))).await;
            } else {
                // The first error is the one to end with.
                let _ = attention.during(stdout.flush()).await;
            }
            if total > 0 && matches!(error, Error::Signal(_)) {
                let done = results.len();
                let total = counted(total as u64, "case");
                diagnostics.state(format_args!("interrupted: {done} of {total} run"));
                summary(&results, diagnostics);
            }
            if let Err(error) = written {
                diagnostics.error(&error);
            }
            return Err(error);
        }
        None => {}
    }
    written?;
    match attention.during(stdout.flush()).await? {
        Ok(()) | Err(Error::OutputClosed) => {}
        Err(error) => return Err(error),
    }
    summary(&results, diagnostics);
    let count = |verdict| report::count(&results, verdict);
    Ok(match (count(Verdict::Fail), count(Verdict::Inconclusive) + cut_off) {
        (0, 0) => Exit::Success,
        (0, _) => Exit::Failure,
        _ => Exit::Negative,
    })
}

/// Checks that the cases can be run, and returns them.
async fn prepare(
    config: &mut Config,
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Result<Vec<CasePlan>, Error> {
    let prepared = async {
        config.client.settle(|change| report_change(diagnostics, change)).await?;
        let spoken = spoken(config, diagnostics).await?;
        if config.client.will.is_none() {
            control::run(config, spoken, diagnostics).await?;
        }
        Ok::<_, Error>(spoken)
    };
    let spoken = attention.during(prepared).await??;
    // A version that the broker does not support is a line of the matrix too.
    let protocols = if config.version_matrix { &MATRIX[..] } else { &[spoken] };
    Ok(plans(config, protocols, spoken))
}

fn summary(results: &[report::Result], diagnostics: &Diagnostics) {
    let count = |verdict| report::count(results, verdict);
    diagnostics.state(format_args!(
        "{} passed, {} failed, {} skipped, {} inconclusive",
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::Skipped),
        count(Verdict::Inconclusive)
    ));
}

/// The JSON object of a run that could not start because of its configuration.
pub(super) fn json_of_failure(error: &Error) -> Vec<u8> {
    let mut line = Vec::new();
    report::json(None, &[], Some(&error.to_string()), &mut line);
    line
}

/// The `JUnit` report of such a run.
pub(super) fn junit_of_failure(error: &Error) -> String {
    report::junit(&[], Some(&error.to_string()))
}

fn cannot_write(path: &Path, error: std::io::Error) -> Error {
    Error::file(format!("cannot write {}", path.display()), error)
}

/// Opens a report file, whose old content stays until it is replaced.
pub(super) fn output_file(path: &Path) -> std::io::Result<OutputFile> {
    outlive_file_limit();
    OutputFile::new(OpenOptions::new().write(true).create(true).truncate(false).open(path)?, path)
}

/// The versions of `--version-matrix`.
const MATRIX: [Protocol; 2] = [Protocol::V3_1_1, Protocol::V5];

/// A version that the broker supports. One connection is made first: a problem that affects every case is
/// reported once, as an error.
async fn spoken(config: &Config, diagnostics: &Diagnostics) -> Result<Protocol, Error> {
    let options = without_will(&identified(&config.client));
    let on_change = |change: Change<'_>| report_change(diagnostics, change);
    let mut link = RawLink::open_first(&options, || trace(diagnostics, "probe"), on_change).await?;
    let spoken = link.connected().protocol;
    link.disconnect(ReasonCode::SUCCESS).await.map(|()| spoken)
}

/// Why a case is skipped.
const NEEDS_V5: &str = "needs MQTT 5";
const LACKS_V5: &str = "needs MQTT 5, which the broker does not support";

/// The cases to run.
fn plans(config: &Config, protocols: &[Protocol], spoken: Protocol) -> Vec<CasePlan> {
    // MQTT 5 was requested, and the broker does not support it.
    let lacks_v5 = config.client.version == Version::Auto && spoken != Protocol::V5;
    let missing = |protocol| if lacks_v5 && protocol == Protocol::V5 { Some(LACKS_V5) } else { None };
    let protocols = protocols.iter().copied();
    if let Some(will) = &config.client.will {
        let own = |protocol| CasePlan { skipped: missing(protocol), ..own(config, will, protocol) };
        return protocols.map(own).collect();
    }
    let chosen = |case: &&Case| match config.cases.as_slice() {
        [] => config.strict || !case.strict,
        names => names.iter().any(|name| name == case.name),
    };
    // A case that was named, or that another broker would run, is reported as skipped and not silently
    // omitted.
    let is_asked = !config.cases.is_empty() || (lacks_v5 && !config.version_matrix);
    let cases = |protocol| {
        let fitting = CASES.iter().filter(chosen).filter(move |case| is_asked || case.applies_to(protocol));
        fitting.map(move |case| {
            let unfit = if lacks_v5 { LACKS_V5 } else { NEEDS_V5 };
            let skipped = missing(protocol).or_else(|| (!case.applies_to(protocol)).then_some(unfit));
            CasePlan { skipped, ..plan(config, case, protocol) }
        })
    };
    protocols.flat_map(cases).collect()
}

/// Number of random letters in a client identifier: two runs at once must not take over each other's
/// sessions.
const ID_LETTERS: usize = 12;

/// The options with a client identifier of their own, at most 23 bytes long if the user's part is short:
/// brokers need not accept more ([MQTT-3.1.3-5]).
fn identified(options: &ClientOptions) -> ClientOptions {
    let base = if options.client_identifier.is_empty() { "will-test-" } else { &options.client_identifier };
    let random = std::iter::repeat_with(fastrand::alphanumeric).take(ID_LETTERS);
    ClientOptions { client_identifier: base.chars().chain(random).collect(), ..options.clone() }
}

fn watcher(config: &Config) -> ClientOptions {
    let options = without_will(&identified(&config.client));
    let keep_alive = if options.keep_alive == 0 { 0 } else { options.keep_alive.max(60) };
    let options = ClientOptions { session_expiry_interval: None, keep_alive, ..options };
    match &config.watch_as {
        Some((user_name, password)) => {
            ClientOptions { user_name: Some(user_name.clone()), password: password.clone(), ..options }
        }
        None => options,
    }
}

fn plan(config: &Config, case: &Case, protocol: Protocol) -> CasePlan {
    let base = identified(&config.client);
    let mut properties = PropertyBlock::default();
    case.properties.iter().for_each(|(id, value)| properties.push(*id, *value));
    let will = Will {
        topic: format!("{}/{}/{}", config.prefix, base.client_identifier, case.topic),
        payload: case.payload.bytes(),
        qos: case.qos,
        retain: case.retain,
        properties,
    };
    CasePlan {
        name: case.name.into(),
        section: case.section(protocol).into(),
        protocol,
        publisher: ClientOptions {
            will: Some(will.clone()),
            clean_start: true,
            session_expiry_interval: case.session_expiry,
            keep_alive: case.keep_alive,
            ..base
        },
        watcher: watcher(config),
        will,
        death: case.death,
        returns: case.returns,
        expected: case.expected,
        later: case.later,
        skipped: None,
        is_own: false,
        note: "",
        if_none_came: String::new(),
    }
}

/// The user's will, with the user's client identifier if there is one: rights may depend on it.
fn own(config: &Config, will: &Will, protocol: Protocol) -> CasePlan {
    let publisher = ClientOptions { clean_start: true, ..config.client.clone() };
    let publisher = if publisher.client_identifier.is_empty() { identified(&publisher) } else { publisher };
    let delay = will.properties.view().number(PropertyId::WillDelayInterval).unwrap_or(0);
    let session = publisher.session_expiry_interval.unwrap_or(0);
    CasePlan {
        name: "own-will".into(),
        section: "[MQTT-3.1.2-8]".into(),
        protocol,
        watcher: watcher(config),
        will: will.clone(),
        death: Death::Close,
        returns: None,
        expected: Expected::After(Duration::from_secs(delay.min(session).into())),
        later: if will.retain && !will.payload.is_empty() { Later::Kept } else { Later::Any },
        publisher,
        skipped: None,
        is_own: true,
        note: if delay > session {
            "; the session ends before the will's delay (see -x) and ends the delay too"
        } else {
            ""
        },
        if_none_came: rights(config, will),
    }
}

/// Possible reasons why the user's own will was not received, which no broker reports.
fn rights(config: &Config, will: &Will) -> String {
    if will.topic.starts_with('$') {
        return "; topics that begin with $ are the broker's own (4.7.2)".into();
    }
    let called = |name: &str| format!("user '{name}'");
    let publisher = config.client.user_name.as_deref().map_or("a client without user name".into(), called);
    match &config.watch_as {
        Some((watcher, _)) => format!(
            "; may {publisher} publish to its topic, and {} read it? Access rules drop a will silently",
            called(watcher)
        ),
        None => format!(
            "; may {publisher} both publish to its topic and read it? Access rules drop a will silently; \
             --watch-as lets another user watch"
        ),
    }
}

/// Writes pending output while the progress display is hidden.
async fn flush_beside(progress: &Progress, stdout: &mut Stdout) -> Result<(), Error> {
    poll_fn(|context| progress.suspend(|| stdout.poll_flush(context))).await
}

/// Runs the plans, one after the other or all at once, and shows each as it ends. After a signal, or without
/// a reader, it ends the other cases, lets them clean up, and returns the reason.
async fn run_all(
    config: &Config,
    plans: &[CasePlan],
    attention: &mut Attention,
    stdout: &mut Stdout,
    diagnostics: &Diagnostics,
) -> (Vec<report::Result>, Option<Error>) {
    let progress = Progress::cases(diagnostics, plans.len() as u64);
    let (stop, stopped) = watch::channel(false);
    let setting =
        TestSetting { tolerance: config.tolerance, stop: stopped, pulse: Pulse::new(), diagnostics };
    let mut pulse = tokio::time::interval(PERIOD);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let at_once = if config.parallel { plans.len() } else { 1 };
    let mut waiting = plans.iter().enumerate();
    let mut running = FuturesUnordered::new();
    let mut results: Vec<(usize, report::Result)> = Vec::new();
    let terminal = diagnostics.terminal();
    let stream = terminal.stdout;
    let width = terminal.stdout.is_terminal.then(|| terminal.width.map_or(80, usize::from));
    let mut end = None;
    loop {
        while end.is_none()
            && running.len() < at_once
            && let Some((index, plan)) = waiting.next()
        {
            let setting = &setting;
            running.push(async move { (index, plan, plan.run(setting).await) });
        }
        let ended = tokio::select! {
            ended = running.next() => ended,
            _ = pulse.tick() => {
                setting.pulse.beat();
                continue;
            }
            // In parallel to the cases: a slow reader must not make a will look late.
            shown = flush_beside(&progress, stdout), if end.is_none() && stdout.waiting_bytes() > 0 => {
                match shown {
                    // The file has the results.
                    Err(Error::OutputClosed) if config.junit.is_some() => stdout.discard(),
                    shown => end = shown.err(),
                }
                stop.send_replace(end.is_some());
                continue;
            }
            asked = poll_fn(|cx| attention.poll(cx)), if end.is_none() => {
                end = Some(asked.error());
                stop.send_replace(true);
                continue;
            }
        };
        let Some((index, plan, outcome)) = ended else { break };
        let Some(outcome) = outcome else { continue };
        let result = report::Result { plan: plan.clone(), outcome };
        if !config.json {
            let text = result.text(width);
            let (verdict, rest) = text.split_at(result.outcome.verdict.name().len());
            let verdict = stream.verdict(verdict, result.outcome.verdict.tone());
            stdout.buffer().extend_from_slice([&verdict, rest].concat().as_bytes());
        }
        results.push((index, result));
        progress.add(1);
    }
    results.sort_by_key(|(index, _)| *index);
    (results.into_iter().map(|(_, result)| result).collect(), end)
}
