//! The only room that writes to standard output and standard error.
//!
//! Messages go through a [`MessageWriter`] into the buffer of [`Stdout`]; everything else that a run
//! reports goes through [`Diagnostics`] to standard error. Whether the two are terminals is decided once,
//! by [`Terminal`]. Nothing here depends on a subcommand or a connection.

mod diagnostics;
mod events;
mod json;
mod junit;
mod live;
mod message;
mod packet_log;
mod password;
mod progress;
mod prompt;
mod reader;
mod screen;
mod stdout;
mod template;
mod terminal;
mod timestamp;
mod watch;

#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod stdout_tests;

pub use diagnostics::Diagnostics;
pub use json::{MOST_INDENTED_LEVELS, put_json_line};
pub use junit::{TestCase, TestOutcome, junit};
pub use live::Live;
pub use message::{MessageWriter, Misfit};
pub use password::read_password;
pub use progress::Progress;
pub use prompt::{can_ask, confirm};
pub use reader::{Reader, has_no_reader};
pub use stdout::{Reopened, Stdout, stdout_as_file};
pub use template::{FormatError, MODIFIERS, SPECIFIERS, Specifier, Template};
pub use terminal::{ColorChoice, Environment, Stream, Terminal, wrapped};
pub use watch::Watch;

/// The version of this program, for reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is said on standard error beside errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Nothing but usage errors (`--quiet`).
    Quiet,
    /// Errors and changes of state.
    #[default]
    Normal,
    /// The events of [`Verbosity::Events`] that are no packets (`--json-events=state`).
    States,
    /// Every packet (`-d`).
    Debug,
    /// Everything as JSON: the first connection, the end of the last and every packet too
    /// (`--json-events`).
    Events,
}

impl Verbosity {
    /// Whether standard error is for a program.
    #[must_use]
    pub fn is_json(self) -> bool {
        matches!(self, Self::States | Self::Events)
    }
}

/// How a received message is written to standard output.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageFormat {
    /// Payload, with the topic before it (`-v`) and a newline behind it (not with `-N`).
    Text {
        /// Topic and a space before the payload.
        verbose: bool,
        /// A newline behind the payload.
        newline: bool,
    },
    /// One JSON object a line (`--json`), indented with `--pretty`.
    Json {
        /// Indented over several lines.
        pretty: bool,
    },
    /// The user's own (`-F`).
    Template(Template),
}

impl MessageFormat {
    /// The same as mosquitto's clients write it.
    #[must_use]
    pub fn in_style_of_mosquitto(self) -> Self {
        match self {
            Self::Template(template) => Self::Template(template.in_style_of_mosquitto()),
            other => other,
        }
    }
}

/// How records are written (`%j`, `%J`, `--json`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum RecordStyle {
    /// Time in UTC; indented with blanks.
    #[default]
    Own,
    /// As mosquitto's clients: local time, `null` for an empty payload; indented with tabs.
    Mosquitto,
}
