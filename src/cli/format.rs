//! How received messages are written: the options that `sub` and `rr` share.

use crate::error::Error;
use crate::output::MessageFormat;

/// The options of standard output.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct FormatArgs {
    /// Write the topic and a space before each payload; --json and -F name the topic themselves
    #[arg(short = 'v', long)]
    verbose: bool,

    /// Write no line feed after a message
    #[arg(short = 'N')]
    no_newline: bool,

    /// Write each message as a JSON object on a line of its own
    #[arg(long)]
    json: bool,

    /// Indent JSON over several lines
    #[arg(long)]
    pretty: bool,
}

impl FormatArgs {
    pub(super) fn resolve(&self) -> Result<MessageFormat, Error> {
        if self.json && self.no_newline {
            return Err(Error::usage("-N cannot be used with --json, whose records are lines"));
        }
        if self.pretty && !self.json {
            return Err(Error::usage("--pretty needs --json"));
        }
        Ok(if self.json {
            MessageFormat::Json { pretty: self.pretty }
        } else {
            MessageFormat::Text { verbose: self.verbose, newline: !self.no_newline }
        })
    }
}
