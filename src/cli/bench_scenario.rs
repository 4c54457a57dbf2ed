//! `mqtt bench scenario`: loads that have a name.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::{ArgMatches, ValueEnum};

use super::bench_figures::figures;
use super::bench_load::{CeilingArgs, Clients, CommonArgs};
use super::bench_manual;
use super::bench_mode::LoadArgs;
use super::manual::Manual;
use super::scenario::{BUILT_IN, BuiltIn, Description, FileText, SET_BY_FILES, read, write};
use super::sources::refuse_command;
use super::text::shown;
use super::value;
use crate::command::bench::config::{Mode, StopAfter};
use crate::command::bench::group::{self, ClientGroup};
use crate::command::bench::{Config, Disturbance, Disturbing};
use crate::error::Error;
use crate::file::Written;
use crate::nearest::{did_you_mean, nearest};

/// The longest file of a scenario.
const LONGEST_FILE: u64 = 1 << 20;

/// Run a load of several groups of clients, from a file
///
/// list names the built-in scenarios. show writes one as a file, to be changed; --show-scenario of the other
/// modes does the same for a load with options. run runs one. A file describes groups of clients and what
/// each of them publishes and subscribes to.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = figures())]
pub(super) struct ScenarioArgs {
    /// List, show or run
    #[arg(value_name = "ACTION", value_enum, hide_possible_values = true)]
    action: ScenarioAction,

    /// A built-in scenario, or a file: any name with a / or a dot in it
    #[arg(value_name = "NAME|FILE")]
    name: Option<String>,

    /// Run this share of the clients, such as 1%, each with unchanged behaviour
    #[arg(long, value_name = "PERCENT", value_parser = value::percent, help_heading = "Load")]
    scale: Option<f64>,

    /// How long to measure [default: as the scenario says, or 10s]
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration, help_heading = "Course")]
    duration: Option<Duration>,

    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScenarioAction {
    /// List the built-in scenarios
    List,
    /// Write one as a file
    Show,
    /// Run one
    Run,
}

impl LoadArgs for ScenarioArgs {
    const MANUAL: &'static Manual = &bench_manual::SCENARIO;
    const MODE: Mode = Mode::EndToEnd;
    const FIND_LIMIT: &'static str = ""; // The rates are those of the file.

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn common_mut(&mut self) -> &mut CommonArgs {
        &mut self.common
    }

    fn is_load(typed: &ArgMatches) -> bool {
        typed.get_one("action") == Some(&ScenarioAction::Run)
    }
}

impl TryFrom<ScenarioArgs> for Config {
    type Error = Error;

    fn try_from(args: ScenarioArgs) -> Result<Self, Error> {
        let ScenarioArgs { action, name, scale, duration, common } = args;
        let Some(name) = name else {
            return match action {
                ScenarioAction::List => common.printing(list()?),
                _ => Err(Error::usage("show and run need a NAME or a FILE")
                    .with_hint("mqtt bench scenario list prints the built-in scenarios")),
            };
        };
        if action == ScenarioAction::List {
            return Err(Error::usage("list does not take a NAME; use show NAME"));
        }
        let FoundScenario { mut scenario, distrust } = find(&name)?;
        let runs_command = |one: &Disturbance| matches!(one.what, Disturbing::Command(_));
        if action == ScenarioAction::Run && scenario.disturb.iter().any(runs_command) {
            refuse_command(&name, "disturb", distrust.as_deref())?;
        }
        if let Some(percent) = scale {
            scenario.shrink(percent / 100.0);
        }
        if let Some(duration) = duration {
            if !scenario.stages.is_empty() {
                return Err(Error::usage("--duration: the stages of the scenario say how long it is"));
            }
            scenario.stop = Some(StopAfter::After(duration));
        }
        if action == ScenarioAction::Show {
            return common.printing(write(&scenario)?);
        }
        run(scenario, common)
    }
}

fn run(scenario: Description, common: CommonArgs) -> Result<Config, Error> {
    let typed: Vec<&str> = SET_BY_FILES.into_iter().filter(|id| common.is_typed(id)).collect();
    let mode = group::mode(&scenario.groups);
    let sum = |is_one: fn(&&ClientGroup) -> bool| {
        scenario.groups.iter().filter(is_one).map(|group| group.clients).fold(0, u32::saturating_add)
    };
    let publishers = if mode == Mode::Connect { sum(|_| true) } else { sum(|group| group.publish.is_some()) };
    let subscribers = sum(|group| !group.subscribe.is_empty() || group.respond.is_some());
    let fail_if = scenario.fail_if.clone();
    let stages_fail_if = scenario.stages.iter().map(|stage| stage.fail_if.clone()).collect::<Vec<_>>();
    let aborts = common.aborts();
    let clients = Clients::pairs(publishers, subscribers);
    let mut config =
        common.config(mode, clients, CeilingArgs::default(), |load| scenario.apply(load, &typed))?;
    config.results.limits.whole.splice(0..0, fail_if);
    config.results.limits.stages = stages_fail_if;
    if aborts && config.results.limits.is_empty() {
        return Err(Error::usage("--abort-on-fail needs --fail-if"));
    }
    Ok(config)
}

/// A scenario, and why the commands of its file must not be run.
struct FoundScenario {
    scenario: Description,
    distrust: Option<String>,
}

/// Finds a scenario by its name, or reads it from a file.
fn find(name: &str) -> Result<FoundScenario, Error> {
    if let Some(built_in) = BuiltIn::named(name) {
        let scenario = read(FileText { name: built_in.name, text: built_in.text })?;
        return Ok(FoundScenario { scenario, distrust: None });
    }
    if !name.contains(['/', '.', '\\']) {
        let names = BUILT_IN.iter().map(|one| one.name);
        let near: Vec<String> = nearest(name, names).into_iter().map(str::to_owned).collect();
        let hint = did_you_mean(&near).unwrap_or_else(|| "mqtt bench scenario list prints them".into());
        let what =
            format!("unknown scenario '{}' (the name of a file has a / or a dot)", shown(name.as_ref()));
        return Err(Error::usage(what).with_hint(hint));
    }
    let unread = |error| Error::file(format!("cannot read {name}"), error);
    let Written { bytes, distrust, .. } = Written::read(Path::new(name), LONGEST_FILE).map_err(unread)?;
    let text = String::from_utf8(bytes).map_err(|_| unread(std::io::Error::other("it is not UTF-8")))?;
    let mut scenario = read(FileText { name, text: &text })?;
    let stem =
        Path::new(name).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    scenario.name = stem;
    Ok(FoundScenario { scenario, distrust })
}

/// The built-in scenarios, one per line.
fn list() -> Result<String, Error> {
    let mut out = String::new();
    for built_in in BUILT_IN {
        let scenario = read(FileText { name: built_in.name, text: built_in.text })?;
        let _ = writeln!(out, "{:<21} {}", built_in.name, scenario.about);
    }
    Ok(out)
}
