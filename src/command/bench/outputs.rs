//! The files a report goes to. They are opened before the run: what cannot be written must not be
//! found out after an hour of load.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::config::Results;
use super::summary::Report;
use super::{csv, html, junit};
use crate::error::Error;

type Render = fn(&Report) -> String;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Outputs(Vec<Output>);

impl Outputs {
    /// Opens the files that results go to, and leaves what they hold.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(super) fn open(results: &Results) -> Result<Self, Error> {
        let wanted: [(Option<&PathBuf>, Render); 3] = [
            (results.csv.as_ref(), csv::render),
            (results.html.as_ref(), html::render),
            (results.junit.as_ref(), junit::render),
        ];
        let wanted = wanted.into_iter().filter_map(|(path, render)| Some((path?, render)));
        wanted.map(|(path, render)| Output::open(path, render)).collect::<Result<_, _>>().map(Self)
    }

    /// Writes the report to all files, to the others even if one fails.
    ///
    /// # Errors
    /// The first failure.
    pub(super) fn write(self, report: &Report) -> Result<(), Error> {
        let written: Vec<_> = self.0.into_iter().map(|output| output.write(report)).collect();
        written.into_iter().collect()
    }
}

#[derive(Debug)]
struct Output {
    path: PathBuf,
    file: File,
    render: Render,
    /// There was none before, and it holds nothing yet.
    is_new: bool,
}

impl Output {
    fn open(path: &Path, render: Render) -> Result<Self, Error> {
        let failed = |error| failed(path, error);
        let (file, is_new) = match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                (OpenOptions::new().write(true).open(path).map_err(failed)?, false)
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { path: path.to_owned(), file, render, is_new })
    }

    fn write(mut self, report: &Report) -> Result<(), Error> {
        let text = (self.render)(report);
        let mut write = || {
            // A pipe or a terminal has no length.
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
            self.file.write_all(text.as_bytes())
        };
        write().map_err(|error| failed(&self.path, error))?;
        self.is_new = false;
        Ok(())
    }
}

impl Drop for Output {
    /// A run without a report leaves no empty files.
    fn drop(&mut self) {
        if self.is_new {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::file(format!("cannot write {}", path.display()), error)
}
