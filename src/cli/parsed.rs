//! What a command line asks for.

use crate::command::Invocation;
use crate::error::Error;
use crate::manner::Manner;
use crate::output::{ColorChoice, FurtherHints, PinnedLine};

/// What a command line asks for.
#[derive(Debug)]
pub enum Parsed {
    /// A text on standard output: help, the version, or what a connection would be made with.
    Print {
        /// The text.
        text: String,
        /// What is wrong with it all the same.
        problem: Option<Error>,
        /// What to warn of before.
        warnings: Vec<String>,
    },
    /// Help on standard error, for a command line without a word.
    Alone(String),
    /// A run of a subcommand.
    Run {
        /// What to run.
        invocation: Box<dyn Invocation>,
        /// What to warn of before.
        warnings: Vec<String>,
        /// For `--debug`.
        details: Vec<String>,
        /// What the hints of some errors say as well.
        hints: FurtherHints,
        /// The line as it was typed, with a pin for the key of its broker.
        pinned: Option<PinnedLine>,
        /// Whether to use colour.
        color: ColorChoice,
        /// Whether lines on standard error begin with the time.
        log_time: bool,
        /// In whose manner it speaks.
        manner: Manner,
    },
    /// A command line of mosquitto's clients that is not run. As theirs it ends with status 1, also if it
    /// asks for help.
    Misuse {
        /// The text on standard output.
        stdout: String,
        /// The text on standard error.
        stderr: String,
    },
}

impl Parsed {
    /// A run of which nothing else is to be said.
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
