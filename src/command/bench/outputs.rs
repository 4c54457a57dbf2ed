//! The files a report goes to. They are opened before the run: what cannot be written must not be
//! found out after an hour of load.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::config::{Mode, Results};
use super::summary::Report;
use super::{csv, html, junit};
use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Html,
    Junit,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Outputs(Vec<Output>);

impl Outputs {
    /// Opens the files that results go to, and leaves what they hold.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(super) fn open(results: &Results) -> Result<Self, Error> {
        let wanted = [(&results.csv, Form::Csv), (&results.html, Form::Html), (&results.junit, Form::Junit)];
        let wanted = wanted.into_iter().filter_map(|(path, form)| Some((path.as_ref()?, form)));
        wanted.map(|(path, form)| Output::open(path, form)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether no file was asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the report to all files, to the others even if one fails.
    ///
    /// # Errors
    /// The first failure.
    pub(super) fn write(self, report: &Report) -> Result<(), Error> {
        let render = |form| match form {
            Form::Csv => csv::render(report),
            Form::Html => html::render(report),
            Form::Junit => junit::render(report),
        };
        let written: Vec<_> = self.0.into_iter().map(|output| output.write(render)).collect();
        written.into_iter().collect()
    }

    /// Says why there is no report: continuous integration looks for a test that failed.
    pub(super) fn fail(self, mode: Mode, error: &Error) {
        for output in self.0.into_iter().filter(|output| output.form == Form::Junit) {
            // Why there is no report is the error to end with.
            let _ = output.write(|_| junit::failed(mode, &error.to_string()));
        }
    }
}

#[derive(Debug)]
struct Output {
    path: PathBuf,
    file: File,
    form: Form,
    /// There was none before, and it holds nothing yet.
    is_new: bool,
}

impl Output {
    fn open(path: &Path, form: Form) -> Result<Self, Error> {
        let failed = |error| failed(path, error);
        let (file, is_new) = match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                (OpenOptions::new().write(true).open(path).map_err(failed)?, false)
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { path: path.to_owned(), file, form, is_new })
    }

    fn write(mut self, render: impl FnOnce(Form) -> String) -> Result<(), Error> {
        let text = render(self.form);
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
