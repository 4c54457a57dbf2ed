//! How much is said on standard error.

use crate::error::Error;
use crate::output::Verbosity;

/// The options of standard error.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Diagnostics")]
pub(super) struct ReportArgs {
    /// Show every packet sent and received, on standard error
    #[arg(short = 'd', long)]
    debug: bool,

    /// Say nothing on standard error but usage errors; the exit status tells how it went
    #[arg(long)]
    quiet: bool,
}

impl ReportArgs {
    pub(super) fn resolve(&self) -> Result<Verbosity, Error> {
        match (self.debug, self.quiet) {
            (true, true) => Err(Error::usage("--debug and --quiet contradict each other")),
            (true, false) => Ok(Verbosity::Debug),
            (false, true) => Ok(Verbosity::Quiet),
            (false, false) => Ok(Verbosity::Normal),
        }
    }
}
