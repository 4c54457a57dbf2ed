//! `mqtt compat install` and `uninstall`: links with the names of mosquitto's clients to this program.

use std::ffi::OsStr;
use std::fs;
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};

use crate::command::{Common, Invocation, Running};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Diagnostics, Verbosity};
use crate::platform::files;

/// A checked command line of `mqtt compat install` or `uninstall`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The task.
    pub task: CompatTask,
    /// The folder of the links.
    pub folder: PathBuf,
    /// The names of the links.
    pub names: Vec<&'static str>,
    /// The path of this program.
    pub program: PathBuf,
    /// The verbosity on standard error.
    pub verbosity: Verbosity,
}

/// The task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompatTask {
    /// Make the links.
    Install {
        /// Also replace other files.
        force: bool,
    },
    /// Remove them.
    Uninstall,
}

impl Invocation for Config {
    fn common(&self) -> Common<'_> {
        (self.verbosity, None)
    }

    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_> {
        Box::pin(async move { run(&self, diagnostics) })
    }
}

/// The file at the place of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occupant {
    Nothing,
    /// A link to this program or to one of the same name.
    Ours,
    Other,
}

/// Checks all names first, so that nothing is changed if one of them is occupied.
fn run(config: &Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let places: Vec<PathBuf> = config.names.iter().map(|name| config.folder.join(name)).collect();
    let found = places.iter().map(|place| look(place, &config.program)).collect::<Result<Vec<_>, _>>()?;
    let force = config.task == CompatTask::Install { force: true };
    if let Some((place, _)) = places.iter().zip(&found).find(|(_, found)| **found == Occupant::Other)
        && !force
    {
        let what = place.display();
        let error = IoError::new(ErrorKind::AlreadyExists, "it is not a link to mqtt");
        return Err(match config.task {
            CompatTask::Install { .. } => Error::file(format!("cannot install {what}"), error)
                .with_hint("--force replaces it; a package manager may own it"),
            CompatTask::Uninstall => Error::file(format!("cannot remove {what}"), error),
        });
    }
    if config.task == CompatTask::Uninstall && found.iter().all(|found| *found == Occupant::Nothing) {
        diagnostics.state(format_args!("nothing to remove in {}", config.folder.display()));
    }
    for (place, found) in places.iter().zip(found) {
        match config.task {
            CompatTask::Install { .. } => {
                link(place, &config.program)?;
                diagnostics.state(format_args!("{} -> {}", place.display(), config.program.display()));
            }
            CompatTask::Uninstall if found == Occupant::Nothing => {}
            CompatTask::Uninstall => {
                let what = place.display();
                fs::remove_file(place)
                    .map_err(|error| Error::file(format!("cannot remove {what}"), error))?;
                diagnostics.state(format_args!("{what} removed"));
            }
        }
    }
    Ok(Exit::Success)
}

fn look(place: &Path, program: &Path) -> Result<Occupant, Error> {
    let failed = |error| Error::file(format!("cannot look at {}", place.display()), error);
    match fs::symlink_metadata(place) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Occupant::Nothing),
        Err(error) => Err(failed(error)),
        Ok(metadata) if !metadata.is_symlink() => Ok(Occupant::Other),
        Ok(_) => {
            let target = fs::read_link(place).map_err(failed)?;
            // The program may have been moved, so that the link is broken.
            let is_named_so = target.file_name() == program.file_name().or(Some(OsStr::new("mqtt")));
            let is_it = fs::canonicalize(place)
                .is_ok_and(|target| fs::canonicalize(program).is_ok_and(|program| target == program));
            Ok(if is_it || is_named_so { Occupant::Ours } else { Occupant::Other })
        }
    }
}

/// Makes the link, replacing any existing file atomically.
fn link(place: &Path, program: &Path) -> Result<(), Error> {
    let failed = |error| Error::file(format!("cannot install {}", place.display()), error);
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let temporary = place.with_file_name(name);
    files::link(program, &temporary).map_err(failed)?;
    fs::rename(&temporary, place).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed(error)
    })
}
