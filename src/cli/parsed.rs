//! The result of parsing a command line.

use crate::command::Invocation;
use crate::error::Error;
use crate::manner::Manner;
use crate::output::{ColorChoice, FurtherHints, PinnedLine, Verbosity};

/// How errors are written to standard error.
#[derive(Debug, Clone, Copy, Default)]
pub struct ErrorForm {
    /// Whether they are text or JSON, or not written at all.
    pub verbosity: Verbosity,
    /// Whether to use colour.
    pub color: ColorChoice,
    /// Whether lines begin with the time.
    pub log_time: bool,
}

/// The result of parsing a command line.
#[derive(Debug)]
pub enum Parsed {
    /// A text on standard output: help, the version, or the settings of a connection.
    Print {
        /// The text.
        text: String,
        /// An error to report after the text.
        problem: Option<Error>,
        /// Warnings to write first.
        warnings: Vec<String>,
    },
    /// Help on standard error, for a command line without arguments.
    Alone(String),
    /// A run of a subcommand.
    Run {
        /// The subcommand to run, with its options.
        invocation: Box<dyn Invocation>,
        /// Warnings to write first.
        warnings: Vec<String>,
        /// Lines for `--debug`.
        details: Vec<String>,
        /// Additions to the hints of some errors.
        hints: FurtherHints,
        /// The command line as typed, to print it with a pin for the broker's key.
        pinned: Option<PinnedLine>,
        /// Whether to use colour.
        color: ColorChoice,
        /// Whether lines on standard error begin with the time.
        log_time: bool,
        /// The error and status conventions: this program's or mosquitto's.
        manner: Manner,
    },
    /// A run that cannot begin, for a reason other than its command line.
    Failed {
        /// The reason.
        error: Error,
        /// How it is written.
        form: ErrorForm,
    },
    /// A command line for mosquitto's clients that is refused. As with mosquitto, the exit status is 1, even
    /// for a request for help.
    Misuse {
        /// The text on standard output.
        stdout: String,
        /// The text on standard error.
        stderr: String,
    },
}

impl Parsed {
    /// A run without warnings, details or hints.
    pub(super) fn run(invocation: Box<dyn Invocation>, color: ColorChoice, manner: Manner) -> Self {
        Self::Run {
            invocation,
            warnings: Vec::new(),
            details: Vec::new(),
            hints: FurtherHints::default(),
            pinned: None,
            color,
            log_time: false,
            manner,
        }
    }
}
