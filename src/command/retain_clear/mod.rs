//! `mqtt retain-clear`: list, back up and clear retained messages, and verify that they are gone.
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
//! Each step has a connection of its own: no connection is open while the user decides, and the
//! verification is independent of the clearing. MQTT has no conditional clear, so a value that is published
//! between list and deletion is cleared too; a value published later is recognised and kept.

mod backup;
mod clear;
mod entry;
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
    /// The connection; each step makes one of its own.
    pub client: ClientOptions,
    /// What to do.
    pub work: ClearWork,
    /// At most so many messages a second; more than 0.
    pub rate: Option<f64>,
    /// The limit of the whole run.
    pub timeout: Option<Duration>,
    /// One JSON object in place of text.
    pub json: bool,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}

/// What to do.
#[derive(Debug, Clone)]
pub enum ClearWork {
    /// Clear what a scan brings.
    Clear(Clear),
    /// Write what a scan brings to a new file, and clear nothing (`--export`).
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

/// How to clear.
#[derive(Debug, Clone)]
pub struct Clear {
    /// What to scan.
    pub scan: ScanOptions,
    /// Only list.
    pub dry_run: bool,
    /// Do not ask.
    pub yes: bool,
    /// A new file for what is to be cleared.
    pub backup: Option<PathBuf>,
    /// Clear new values too, again and again, for at most so long.
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

/// Does what the configuration says.
///
/// # Errors
/// A connection that failed, a file that cannot be used, a signal, or no terminal for the question.
async fn run(config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    match &config.work {
        ClearWork::Clear(clear) => clear::run(&config, clear, diagnostics).await,
        ClearWork::Export { scan, file } => restore::export(&config, scan, file, diagnostics).await,
        ClearWork::Restore { file } => restore::run(&config, file, diagnostics).await,
    }
}
