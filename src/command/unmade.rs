//! A run that cannot start because a part of its configuration is unavailable. Its reports are written all
//! the same, so that an older file is not taken for the report of this run.

use std::path::{Path, PathBuf};

use super::attention::Attention;
use super::bench::{self, config::Mode};
use super::will_test::{self, output_file};
use super::{Common, Invocation, Running};
use crate::error::Error;
use crate::file::{names_stdout, patiently};
use crate::output::{Diagnostics, Stdout, Verbosity};

/// The reports requested from a run.
#[derive(Debug, Clone)]
pub struct WantedReports {
    /// The command that reports.
    pub of: Reporter,
    /// One JSON object on standard output.
    pub json: bool,
    /// A file for `JUnit`.
    pub junit: Option<PathBuf>,
}

/// The command that reports.
#[derive(Debug, Clone, Copy)]
pub enum Reporter {
    /// `mqtt bench`, in this mode.
    Bench(Mode),
    /// `mqtt will-test`.
    WillTest,
}

impl Reporter {
    fn json(self, error: &Error) -> Vec<u8> {
        match self {
            Self::Bench(mode) => bench::json_of_failure(mode, error),
            Self::WillTest => will_test::json_of_failure(error),
        }
    }

    fn junit(self, error: &Error) -> String {
        match self {
            Self::Bench(mode) => bench::junit_of_failure(mode, &error.to_string()),
            Self::WillTest => will_test::junit_of_failure(error),
        }
    }
}

impl WantedReports {
    /// A run that only reports this error, or the error itself if no report was requested. A usage error is
    /// not written to standard output.
    ///
    /// # Errors
    /// The given error.
    pub fn of_failure(self, error: Error) -> Result<Box<dyn Invocation>, Error> {
        let json = self.json && !matches!(error, Error::Usage { .. } | Error::OutputClosed);
        let junit = self.junit.filter(|path| !names_stdout(path));
        if json || junit.is_some() {
            Ok(Box::new(Unmade { reports: Self { json, junit, ..self }, error }))
        } else {
            Err(error)
        }
    }
}

#[derive(Debug)]
struct Unmade {
    reports: WantedReports,
    error: Error,
}

impl Invocation for Unmade {
    fn common(&self) -> Common<'_> {
        (Verbosity::Normal, None)
    }

    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_> {
        Box::pin(async move {
            let Self { reports: WantedReports { of, json, junit }, error } = *self;
            if let Some(path) = &junit
                && let Err(why) = write(path, of.junit(&error).as_bytes())
            {
                diagnostics.error(&why);
            }
            if json {
                let mut stdout = Stdout::new();
                stdout.buffer().extend_from_slice(&of.json(&error));
                let mut attention = Attention::start(None)?.for_reader();
                // The reason for the missing report is the error to end with.
                let _ = attention.write_out(&mut stdout, diagnostics).await;
            }
            Err(error)
        })
    }
}

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let written = patiently(path, output_file).and_then(|mut file| file.replace(content));
    written.map_err(|error| Error::file(format!("cannot write {}", path.display()), error))
}
