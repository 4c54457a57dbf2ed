//! The content of files with options.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::{Arg, ArgAction};

use super::left_out::LeftOut;
use super::origin::{BrokenSetting, Rank};
use crate::cli::text::shown;
use crate::error::Error;
use crate::file::Written;
use crate::nearest::{did_you_mean, nearest};

/// The options that name files with options. Files cannot set them.
pub(crate) const NAMES_FILES: [&str; 3] = ["profile", "config", "options_file"];

/// A file with options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    /// The other users, besides root, who could have written it.
    pub(crate) stranger: Option<&'static str>,
    /// Why commands in it must not be run: others can write or replace it.
    pub(crate) distrust: Option<String>,
}

impl SourceFile {
    /// Reads a file with options.
    pub(crate) fn read(
        what: &str,
        path: &Path,
        read: impl FnOnce(&Path, u64) -> io::Result<Written>,
    ) -> Result<(Self, Vec<u8>), Error> {
        let Written { bytes, stranger, distrust } = read(path, LONGEST_TEXT_BYTES)
            .map_err(|error| Error::file(format!("cannot read the {what} {}", path.display()), error))?;
        Ok((Self { path: path.to_owned(), stranger, distrust }, bytes))
    }
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePlace {
    pub(crate) file: Rc<SourceFile>,
    pub(crate) line: usize,
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.file.path.display(), self.line)
    }
}

/// An option set in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// The option's identifier.
    pub(crate) id: String,
    /// The option as it would be typed.
    pub(crate) words: Vec<OsString>,
    pub(crate) rank: Rank,
    pub(crate) place: FilePlace,
}

/// The settings found in files.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) given: Vec<Given>,
    /// The name of the profile used.
    pub(crate) profile: Option<String>,
    /// The settings of the profile that are not used, because they belong to another host.
    pub(crate) left_out: Option<LeftOut>,
    /// Settings with invalid values.
    pub(crate) broken: Vec<BrokenSetting>,
    /// Mistakes in files that were not named explicitly, and so are not used.
    pub(crate) mistakes: Vec<String>,
    /// Errors of files that were not named explicitly.
    pub(crate) warnings: Vec<String>,
    /// Such errors that are most likely unimportant for this run.
    pub(crate) notes: Vec<String>,
}

pub(crate) fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// The size limit of files with options.
pub(crate) const LONGEST_TEXT_BYTES: u64 = 16 << 20;

/// The error for an unknown name in a file, with the closest known name.
pub(crate) fn unknown<'a>(
    place: &dyn fmt::Display,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> Error {
    let (message, hint) = unknown_name(name, known);
    Error::usage(format!("{place}: {message}")).hinted(hint)
}

/// Message and hint of that error.
pub(crate) fn unknown_name<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> (String, Option<String>) {
    let dashes = if name.starts_with('-') { "--" } else { "" };
    let near = nearest(name.trim_start_matches('-'), known);
    let near: Vec<String> = near.iter().map(|known| format!("{dashes}{known}")).collect();
    (format!("unknown option '{}'", shown(name.as_ref())), did_you_mean(&near))
}
