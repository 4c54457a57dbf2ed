//! `mqtt retain-clear`: lists, backs up and clears retained messages, and verifies that they are gone.
//!
//! | file | holds |
//! |---|---|
//! | `selection` | which messages are selected |
//! | `scan` | receives all retained messages |
//! | `pass` | one subscription of a scan, and its end |
//! | `entry` | one topic and its fate |
//! | `clear` | list, question, backup, deletion, verification |
//! | `send` | publishing many messages, each with its outcome |
//! | `backup` | the file, written and read |
//! | `restore` | `--restore` and `--export` |
//! | `report` | the JSON report |
//!
//! Each step has a connection of its own: no connection is open while the user decides, and the verification
//! is independent of the clearing. MQTT has no conditional clear, so a value that is published between list
//! and deletion is cleared too; a value published later is detected and kept.

mod backup;
mod clear;
mod entry;
mod listing;
mod pass;
mod report;
mod restore;
mod scan;
mod selection;
mod send;

use std::path::PathBuf;
use std::time::Duration;

use crate::client::options::ClientOptions;
use crate::command::{Common, Invocation, Running};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Diagnostics, Verbosity};

pub use clear::DEFAULT_UNTIL_CLEAR;
pub use scan::{SCAN_LIMIT, ScanOptions};
pub use selection::{Selection, TimeSource};

/// A checked command line of `mqtt retain-clear`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection options; each step connects separately.
    pub client: ClientOptions,
    /// The task.
    pub work: ClearWork,
    /// Maximum number of messages per second; more than 0.
    pub rate: Option<f64>,
    /// The timeout of the whole run.
    pub timeout: Option<Duration>,
    /// Whether to print one JSON object instead of text.
    pub json: bool,
    /// The verbosity on standard error.
    pub verbosity: Verbosity,
}

/// The task.
#[derive(Debug, Clone)]
pub enum ClearWork {
    /// Clear the messages that a scan finds.
    Clear(Clear),
    /// Write the messages that a scan finds to a new file, and clear nothing (`--export`).
    Export {
        /// What to scan.
        scan: ScanOptions,
        /// The file.
        file: PathBuf,
    },
    /// Publish the messages of a backup again (`--restore`).
    Restore {
        /// The file.
        file: PathBuf,
    },
}

/// The options of clearing.
#[derive(Debug, Clone)]
pub struct Clear {
    /// What to scan.
    pub scan: ScanOptions,
    /// List only.
    pub dry_run: bool,
    /// Do not ask for confirmation.
    pub yes: bool,
    /// A new file for the messages to be cleared.
    pub backup: Option<PathBuf>,
    /// Clear new values repeatedly, for at most this time.
    pub until_clear: Option<Duration>,
}

impl Config {
    fn limits(&self) -> send::SendLimits {
        send::SendLimits { rate: self.rate, answer: self.client.connect_timeout }
    }
}

impl Invocation for Config {
    fn common(&self) -> Common<'_> {
        (self.verbosity, Some(&self.client))
    }

    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_> {
        Box::pin(run(*self, diagnostics))
    }
}

/// Performs the configured task.
///
/// # Errors
/// A connection that failed, a file that cannot be used, a signal, or no terminal for the confirmation.
async fn run(config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    match &config.work {
        ClearWork::Clear(clear) => clear::run(&config, clear, diagnostics).await,
        ClearWork::Export { scan, file } => restore::export(&config, scan, file, diagnostics).await,
        ClearWork::Restore { file } => restore::run(&config, file, diagnostics).await,
    }
}
