//! The only module that writes to standard output and standard error.
//!
//! Messages go through a [`MessageWriter`] into the buffer of [`Stdout`]; all other reports of a run go
//! through [`Diagnostics`] to standard error. Whether the two are terminals is decided once, by [`Terminal`].
//! Nothing here depends on a subcommand or a connection.

mod diagnostics;
mod entrusted;
mod events;
mod floor;
mod format;
mod further_hints;
mod json;
mod junit;
mod live;
mod log;
mod message;
mod misfits;
mod output_file;
mod packet_log;
mod password;
mod progress;
mod prompt;
mod reader;
mod record;
mod record_style;
mod rotated;
mod screen;
mod stdout;
mod synchroniser;
mod taken;
mod template;
mod terminal;
mod timestamp;
mod verbosity;
#[cfg(feature = "tui")]
mod view;
mod watch;

#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod stdout_tests;

pub use diagnostics::{Diagnostics, PinnedLine};
pub use entrusted::EntrustedOutput;
pub use events::{EventSource, broker_event, broker_packet};
pub use floor::{Floor, HeldFloor};
pub use format::MessageFormat;
pub use further_hints::FurtherHints;
pub use json::{MOST_INDENTED_LEVELS, put_json_line, put_json_text};
pub use junit::{TestCase, TestOutcome, junit};
pub use live::{Live, LiveLine, LiveLook};
pub use log::Log;
pub use message::MessageWriter;
pub use misfits::MisfitWarnings;
pub use output_file::{FileOptions, Rotation, Synchronisation};
pub use password::read_password;
pub use progress::Progress;
pub use prompt::{can_ask, confirm};
pub use reader::{Reader, has_no_reader};
pub use record::{Misfit, PayloadNote, RecordHead, put_sent_record};
pub use stdout::{Reopened, Stdout, stdout_as_file, stdout_error, stdout_is_file};
pub use template::{FormatError, MODIFIERS, SPECIFIERS, Specifier, Template};
pub use terminal::{ColorChoice, Environment, StandardStream, Terminal, Tone, stdout_columns, wrapped};
pub use verbosity::Verbosity;
#[cfg(feature = "tui")]
pub use view::{TopicView, give_terminal_back, is_possible as view_is_possible};
pub use watch::Watch;

/// The version of this program, for reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
