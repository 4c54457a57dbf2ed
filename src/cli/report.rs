//! How much is said on standard error.

use super::value;
use crate::error::Error;
use crate::output::{ColorChoice, Verbosity};

/// The options of standard error where packets can be shown.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Diagnostics")]
pub(super) struct ReportArgs {
    /// Show every packet sent and received, on standard error
    #[arg(short = 'd', long)]
    debug: bool,

    /// Write everything on standard error as JSON, one object a line, packets as with -d included;
    /// usage errors, which come before, stay text
    #[arg(long)]
    json_events: bool,

    #[command(flatten)]
    quiet: QuietArgs,
}

/// The option that every subcommand has.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Diagnostics")]
pub(super) struct QuietArgs {
    /// Say nothing on standard error but usage errors; the exit status tells how it went
    #[arg(long)]
    quiet: bool,

    #[arg(
        help = "Colour on standard error: auto (on a terminal, unless NO_COLOR is set), always or never",
        long, value_name = "WHEN", default_value = "auto", value_parser = value::color(),
          hide_possible_values = true)]
    #[allow(dead_code, reason = "it is heeded beside the subcommand, which does not care")]
    color: ColorChoice,
}

impl ReportArgs {
    pub(super) fn resolve(&self) -> Result<Verbosity, Error> {
        match (self.json_events, self.debug, self.quiet.resolve()) {
            (true, _, Verbosity::Quiet) => {
                Err(Error::usage("--json-events and --quiet contradict each other"))
            }
            (_, true, Verbosity::Quiet) => Err(Error::usage("--debug and --quiet contradict each other")),
            (true, ..) => Ok(Verbosity::Events),
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
