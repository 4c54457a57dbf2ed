//! `mqtt will-test`: does the server publish wills when it must, and only then?
//!
//! | file | holds |
//! |---|---|
//! | `case` | the cases, as data |
//! | `run` | one case from beginning to end |
//! | `judge` | from what was seen to a verdict |
//! | `report` | text, JSON, and the form of `JUnit` |
//!
//! Each case has a topic, a client identifier and a watcher of its own, so that cases can run beside
//! each other and none sees another's will.

mod case;
mod judge;
mod report;
mod run;

use std::fs::File;
use std::future::poll_fn;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::attention::{Attention, Stop};
use crate::client::options::{ClientOptions, Secret, Version, Will};
use crate::client::raw::RawLink;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Diagnostics, Progress, Stdout, Verbosity};
use crate::protocol::Protocol;
use crate::protocol::property::{PropertyBlock, PropertyId};
use crate::protocol::reason::ReasonCode;
use case::{CASES, Case, Death, Expected, Later};
use judge::Verdict;
use run::{Plan, without_will};

/// A checked command line of `mqtt will-test`.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Config {
    /// The connection; the will in it is the user's own, if there is one.
    pub client: ClientOptions,
    /// Who watches, where it is not who publishes.
    pub watch_as: Option<(String, Option<Secret>)>,
    /// Names of cases, each one of [`names`]; empty for all. Without meaning for an own will.
    pub cases: Vec<String>,
    /// Also the cases in which common servers depart from the standard.
    pub strict: bool,
    /// Only say which cases there are.
    pub list: bool,
    /// Every case with MQTT 3.1.1 and 5.
    pub version_matrix: bool,
    /// All cases at once.
    pub parallel: bool,
    /// How late a will may be.
    pub tolerance: Duration,
    /// What all topics begin with; a checked topic name.
    pub prefix: String,
    /// One JSON object in place of text.
    pub json: bool,
    /// A file for a report in the form of `JUnit`.
    pub junit: Option<PathBuf>,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}

/// The names of all cases.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// Runs the cases and reports.
///
/// # Errors
/// The server cannot be reached, the file for `JUnit` cannot be written, a signal.
pub async fn run(mut config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
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
    // Found out before a minute of waiting, not after.
    let junit = config.junit.as_ref().map(|path| {
        let file = File::create(path);
        file.map_err(|error| Error::file(format!("cannot write {}", path.display()), error))
    });
    let junit = junit.transpose()?;
    let mut attention = Attention::start(None)?;
    let settled_plans = async {
        config.client.settle().await?;
        plans(&config).await
    };
    let plans = tokio::select! {
        plans = settled_plans => plans?,
        number = signal(&mut attention) => return Err(Error::Signal(number)),
    };
    let results = run_all(&config, plans, &mut attention, &mut stdout, diagnostics).await?;
    if config.json {
        let server = config.client.endpoint.address.to_string();
        report::json(server, &results, config.tolerance, stdout.buffer());
    }
    stdout.flush().await?;
    if let (Some(mut file), Some(path)) = (junit, &config.junit) {
        file.write_all(report::junit(&results).as_bytes())
            .map_err(|error| Error::file(format!("cannot write {}", path.display()), error))?;
    }
    let count = |verdict| report::count(&results, verdict);
    let (failed, inconclusive) = (count(Verdict::Fail), count(Verdict::Inconclusive));
    diagnostics.state(format_args!(
        "{} passed, {failed} failed, {} skipped, {inconclusive} inconclusive",
        count(Verdict::Pass),
        count(Verdict::Skipped)
    ));
    Ok(match (failed, inconclusive) {
        (0, 0) => Exit::Success,
        (0, _) => Exit::Failure,
        _ => Exit::Negative,
    })
}

async fn signal(attention: &mut Attention) -> i32 {
    loop {
        if let Stop::Signal(number) = poll_fn(|cx| attention.poll(cx)).await {
            return number;
        }
    }
}

/// What is to be run, with the versions that the server speaks.
async fn plans(config: &Config) -> Result<Vec<Plan>, Error> {
    let protocols = match config.client.version {
        _ if config.version_matrix => vec![Protocol::V3_1_1, Protocol::V5],
        Version::Only(protocol) => vec![protocol],
        Version::Auto => vec![Protocol::V5, Protocol::V3_1_1],
    };
    // One connection first: what keeps every case from its work is said once, as an error.
    let mut spoken = Vec::new();
    let mut refusal = None;
    for protocol in protocols {
        match probe(config, protocol).await {
            Ok(()) => spoken.push(protocol),
            Err(error) => refusal = Some(error),
        }
    }
    let protocols = match (spoken.as_slice(), refusal) {
        ([], Some(refusal)) => return Err(refusal),
        // A version that the server does not speak is a line of the matrix too.
        _ if config.version_matrix => vec![Protocol::V3_1_1, Protocol::V5],
        ([first, ..], _) => vec![*first],
        ([], None) => Vec::new(),
    };
    if let Some(will) = &config.client.will {
        return Ok(protocols.into_iter().map(|protocol| own(config, will, protocol)).collect());
    }
    let chosen = |case: &&Case| match config.cases.as_slice() {
        [] => config.strict || !case.strict,
        names => names.iter().any(|name| name == case.name),
    };
    let cases = |protocol| {
        let fitting = CASES.iter().filter(chosen).filter(move |case| case.applies_to(protocol));
        fitting.map(move |case| plan(config, case, protocol))
    };
    Ok(protocols.into_iter().flat_map(cases).collect())
}

/// Whether there is a server that speaks this version and lets the user in.
async fn probe(config: &Config, protocol: Protocol) -> Result<(), Error> {
    let options = without_will(&identified(&config.client));
    RawLink::open(&options, protocol).await?.disconnect(ReasonCode::SUCCESS).await
}

/// Random letters of a client identifier: two runs at once must not take each other's sessions over.
const ID_LETTERS: usize = 12;

/// The options with a client identifier of their own, at most 23 bytes long if the user's part is
/// short: all that a server must take ([MQTT-3.1.3-5]).
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

fn plan(config: &Config, case: &Case, protocol: Protocol) -> Plan {
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
    Plan {
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
        is_own: false,
    }
}

/// The user's will, with the user's client identifier if there is one: it may decide about rights.
fn own(config: &Config, will: &Will, protocol: Protocol) -> Plan {
    let publisher = ClientOptions { clean_start: true, ..config.client.clone() };
    let publisher = if publisher.client_identifier.is_empty() { identified(&publisher) } else { publisher };
    let delay = will.properties.view().number(PropertyId::WillDelayInterval).unwrap_or(0);
    let session = publisher.session_expiry_interval.unwrap_or(0);
    Plan {
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
        is_own: true,
    }
}

/// Runs the plans, one after the other or all at once, and shows each as it ends. Interrupted, it
/// ends the rest and tidies up behind it.
async fn run_all(
    config: &Config,
    plans: Vec<Plan>,
    attention: &mut Attention,
    stdout: &mut Stdout,
    diagnostics: &Diagnostics,
) -> Result<Vec<report::Result>, Error> {
    let progress = Progress::messages(diagnostics, plans.len() as u64);
    let tolerance = config.tolerance;
    let at_once = if config.parallel { plans.len() } else { 1 };
    let mut waiting = plans.into_iter().map(Arc::new).enumerate();
    let mut running = JoinSet::new();
    let mut started: Vec<Arc<Plan>> = Vec::new();
    let mut results: Vec<(usize, report::Result)> = Vec::new();
    loop {
        while running.len() < at_once
            && let Some((index, plan)) = waiting.next()
        {
            started.push(Arc::clone(&plan));
            running.spawn(async move { (index, plan.run(tolerance).await) });
        }
        let joined = tokio::select! {
            joined = running.join_next() => joined,
            number = signal(attention) => {
                running.shutdown().await;
                let ended = |index: usize| results.iter().any(|(other, _)| *other == index);
                let cut_off = started.iter().enumerate().filter(|(index, _)| !ended(*index));
                tidy(cut_off.map(|(_, plan)| plan)).await;
                return Err(Error::Signal(number));
            }
        };
        match joined {
            None => break,
            // A task neither panics nor is cancelled while the set is alive.
            Some(Err(_)) => {}
            Some(Ok((index, outcome))) => {
                let Some(plan) = started.get(index) else { continue };
                let result = report::Result { plan: Plan::clone(plan), outcome };
                if !config.json {
                    stdout.buffer().extend_from_slice(result.line(tolerance).as_bytes());
                    stdout.flush().await?;
                }
                results.push((index, result));
                progress.add(1);
            }
        }
    }
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// What cut-off cases have left behind. An own will is not touched: what was there before it is not
/// known here.
async fn tidy(plans: impl Iterator<Item = &Arc<Plan>>) {
    for plan in plans.filter(|plan| !plan.is_own) {
        // The run has ended; there is nobody to tell that the server has gone as well.
        let _ = tokio::time::timeout(Duration::from_secs(1), plan.tidy(None)).await;
    }
}
