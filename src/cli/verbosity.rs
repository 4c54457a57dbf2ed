//! The options that set how much is written to standard error.

use clap::ArgMatches;

use super::parsed::ErrorForm;
use super::value;
use crate::error::Error;
use crate::output::{ColorChoice, Verbosity};

/// The options of standard error for subcommands that can show packets.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Diagnostics")]
pub(super) struct VerbosityArgs {
    /// Show every packet sent and received, on standard error
    #[arg(short = 'd', long)]
    debug: bool,

    #[arg(
        help = "Write everything on standard error as JSON, one object a line, packets as with -d included; \
                with =state changes of state, warnings and errors only. Usage errors, which come before, \
                stay text",
        long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    json_events: Option<Events>,

    #[command(flatten)]
    quiet: QuietArgs,
}

/// The option that every subcommand has.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Diagnostics")]
pub(super) struct QuietArgs {
    /// Write nothing but usage errors to standard error; the exit status tells the result
    #[arg(long)]
    quiet: bool,

    /// Begin each line on standard error with the time: RFC 3339, UTC, milliseconds
    #[arg(long)]
    #[allow(dead_code, reason = "it is heeded beside the subcommand, which does not care")]
    log_time: bool,

    #[arg(
        help = "Colour: auto (on a terminal, unless NO_COLOR is set), always or never",
        long, value_name = "WHEN", default_value = "auto", value_parser = value::color(),
          hide_possible_values = true)]
    #[allow(dead_code, reason = "it is heeded beside the subcommand, which does not care")]
    color: ColorChoice,
}

/// The value of `--json-events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Events {
    All,
    State,
}

/// The form of errors that these options ask for.
pub(super) fn form(matches: &ArgMatches) -> ErrorForm {
    let is_set = |id| matches.try_get_one::<bool>(id).ok().flatten() == Some(&true);
    let verbosity = match matches.try_get_one::<Events>("json_events").ok().flatten() {
        Some(Events::All) => Verbosity::Events,
        Some(Events::State) => Verbosity::States,
        None if is_set("quiet") => Verbosity::Quiet,
        None => Verbosity::Normal,
    };
    let color = matches.try_get_one::<ColorChoice>("color").ok().flatten().copied().unwrap_or_default();
    ErrorForm { verbosity, color, log_time: is_set("log_time") }
}

impl VerbosityArgs {
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet.quiet
    }

    pub(super) fn resolve(&self) -> Result<Verbosity, Error> {
        match (self.json_events, self.debug, self.quiet.resolve()) {
            (Some(_), _, Verbosity::Quiet) => {
                Err(Error::usage("--json-events and --quiet cannot be used together"))
            }
            (_, true, Verbosity::Quiet) => Err(Error::usage("--debug and --quiet cannot be used together")),
            (Some(Events::State), true, _) => {
                Err(Error::usage("--debug shows packets: it cannot be used with --json-events=state"))
            }
            (Some(Events::State), ..) => Ok(Verbosity::States),
            (Some(Events::All), ..) => Ok(Verbosity::Events),
            (_, true, _) => Ok(Verbosity::Debug),
            (.., verbosity) => Ok(verbosity),
        }
    }
}

impl QuietArgs {
    pub(super) fn resolve(&self) -> Verbosity {
        if self.quiet { Verbosity::Quiet } else { Verbosity::Normal }
    }
}
