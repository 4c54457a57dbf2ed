//! What files with options hold.

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

/// The options that name files with options, which files cannot hold.
pub(crate) const NAMES_FILES: [&str; 3] = ["profile", "config", "options_file"];

/// A file with options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    /// Who besides this user and root can have written it.
    pub(crate) stranger: Option<&'static str>,
}

impl SourceFile {
    /// A file with options and its content.
    pub(crate) fn read(
        what: &str,
        path: &Path,
        read: impl FnOnce(&Path, u64) -> io::Result<Written>,
    ) -> Result<(Self, Vec<u8>), Error> {
        let Written { bytes, stranger } = read(path, LONGEST_TEXT_BYTES)
            .map_err(|error| Error::file(format!("cannot read the {what} {}", path.display()), error))?;
        Ok((Self { path: path.to_owned(), stranger }, bytes))
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

/// An option that stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// The option's identifier.
    pub(crate) id: String,
    /// As it would be typed.
    pub(crate) words: Vec<OsString>,
    pub(crate) rank: Rank,
    pub(crate) place: FilePlace,
}

/// What files hold.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) given: Vec<Given>,
    /// The name of the profile among them.
    pub(crate) profile: Option<String>,
    /// What of it is not used, as it belongs to another host.
    pub(crate) left_out: Option<LeftOut>,
    /// Settings that are no values.
    pub(crate) broken: Vec<BrokenSetting>,
    /// What is wrong with a file that nobody named.
    pub(crate) warnings: Vec<String>,
    /// The same, where most likely nobody cares.
    pub(crate) notes: Vec<String>,
}

pub(crate) fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// The longest file with options that is taken.
pub(crate) const LONGEST_TEXT_BYTES: u64 = 16 << 20;

/// The error for a name in a file that means nothing, with the one that may be meant.
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
