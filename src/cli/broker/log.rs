//! The logs of `mqtt broker`.

use std::path::PathBuf;

use clap::ValueHint;

use crate::cli::verbosity::{Events, QuietArgs};
use crate::command::broker::LogPlace;
use crate::error::Error;
use crate::output::Verbosity;

/// Which lines are written, and their destination.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Diagnostics")]
#[allow(clippy::option_option, reason = "clap's way to say: without it, without a value, with one")]
pub(super) struct LogArgs {
    /// Log as mosquitto does, to FILE or stderr
    ///
    /// FILE is appended to. The log has every connection, packet and disconnection with its reason. The broker does not wait for the reader of the
    /// log: lines beyond 4 MiB that wait for it are left out, and a line says how many.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, num_args = 0..=1, require_equals = true)]
    log: Option<Option<PathBuf>>,

    /// Write connections, packets and what becomes of them to standard error as JSON, one object a line; with =state
    /// without the packets
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    json_events: Option<Events>,

    #[command(flatten)]
    quiet: QuietArgs,
}

impl LogArgs {
    pub(super) fn resolve(self) -> Result<(Option<LogPlace>, Verbosity), Error> {
        let place = self.log.map(|file| file.map_or(LogPlace::Stderr, LogPlace::File));
        let quiet = self.quiet.resolve();
        let verbosity = match (self.json_events, quiet) {
            (Some(_), Verbosity::Quiet) => {
                return Err(Error::usage("--json-events and --quiet cannot be used together"));
            }
            (Some(Events::All), _) => Verbosity::Events,
            (Some(Events::State), _) => Verbosity::States,
            (None, quiet) => quiet,
        };
        if place == Some(LogPlace::Stderr) {
            let hint = "--log=FILE writes the log to a file";
            if verbosity.is_json() {
                let why = "--log and --json-events cannot both be written to standard error";
                return Err(Error::usage(why).with_hint(hint));
            }
            if quiet == Verbosity::Quiet {
                return Err(Error::usage("--log and --quiet cannot be used together").with_hint(hint));
            }
        }
        Ok((place, verbosity))
    }
}
