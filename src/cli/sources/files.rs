//! Options from files: a profile of the configuration file, and the options file of `-o`.
//!
//! Both are read as if they had been typed before everything else, so that clap checks their values and the
//! last occurrence of an option wins. The environment overrides files: options set there are left out of the
//! files.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, ValueHint};

use super::given::{Found, Given, is_repeatable};
use super::{host, options_file, profile};
use crate::cli::headings::PROFILES;
use crate::cli::needs::Needs;
use crate::cli::secret;
use crate::error::Error;
use crate::file::stranger_in;
use crate::platform::files::mode_and_owner;

/// The options that name files with options.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = PROFILES)]
#[allow(dead_code, reason = "they are heeded before the options become values")]
pub(crate) struct FileArgs {
    /// Profile of the configuration file to take options from [default: the one that default-profile in the
    /// file names]
    #[arg(long, env = "MQTT_PROFILE", value_name = "NAME")]
    profile: Option<String>,

    /// Configuration file [default: ~/.config/mqtt/config.toml]
    #[arg(long, env = "MQTT_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,

    /// File of options as for mosquitto's clients: one option on a line, its value after a blank, tabs or =
    #[arg(short = 'o', long, env = "MQTT_OPTIONS_FILE", value_name = "FILE",
          value_hint = ValueHint::FilePath)]
    options_file: Option<PathBuf>,
}

/// The settings of the files for options that the command line and the environment leave open, and that
/// matter.
pub(crate) fn found(subcommand: &Command, matches: &ArgMatches, needs: Needs) -> Result<Found, Error> {
    if !find(subcommand, "options_file").is_some_and(|arg| needs.has(subcommand, arg)) {
        return Ok(Found::default());
    }
    let options = match matches.get_one::<PathBuf>("options_file") {
        Some(path) => options_file::read(subcommand, path)?,
        None => Vec::new(),
    };
    let mut found = profile::read(subcommand, matches)?;
    if host::names_broker(matches, &options) {
        // The broker is known without the file: notes are enough.
        found.notes.append(&mut found.warnings);
    }
    // The profile may have had TLS or a password for that broker.
    found.warnings.append(&mut found.mistakes);
    let left_out = host::why_left_out(subcommand, matches, &options, &found.given);
    let is_open = |id: &str| {
        options.iter().all(|other| other.id != id)
            && find(subcommand, id).is_some_and(|arg| needs.has(subcommand, arg))
            && !is_typed(matches, id)
            && !is_set(matches, id)
    };
    found.given.retain(|one| is_open(&one.id));
    found.broken.retain(|one| is_open(&one.id));
    if let Some(why) = left_out {
        host::leave_out(subcommand, &mut found, why);
    }
    // Repeatable options add up, as with mosquitto.
    let adds_up = |id: &str| find(subcommand, id).is_some_and(is_repeatable);
    found.given.extend(
        options
            .into_iter()
            .filter(|one| !is_set(matches, &one.id) && (!is_typed(matches, &one.id) || adds_up(&one.id))),
    );
    Ok(found)
}

/// Whether an option was typed.
fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

fn is_set(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::EnvVariable)
}

fn find<'a>(subcommand: &'a Command, id: &str) -> Option<&'a Arg> {
    subcommand.get_arguments().find(|arg| arg.get_id() == id)
}

/// A warning about a file.
pub(crate) enum FileWarning {
    /// Others can read a secret in the file.
    Readable { path: PathBuf, whom: &'static str },
    /// Others can write a file that controls the run.
    Writable { path: PathBuf, whom: &'static str },
}

impl FileWarning {
    /// The warning as `mqtt config check` shows it for this file, and a hint.
    pub(crate) fn within(&self, file: &Path) -> (String, Option<String>) {
        match self {
            Self::Readable { path, whom } if path == file => {
                (format!("the file holds a secret, and {whom} can read it"), Some(MAKES_PRIVATE.into()))
            }
            other => (other.to_string(), None),
        }
    }
}

const MAKES_PRIVATE: &str = "chmod 600 makes it private";

impl fmt::Display for FileWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Readable { path, whom } => {
                write!(f, "{} holds a secret, and {whom} can read it; {MAKES_PRIVATE}", path.display())
            }
            Self::Writable { path, whom } => {
                write!(f, "{whom} can change what {} makes this program do", path.display())
            }
        }
    }
}

/// The warnings about files: others can read the secrets in them, or write those that control the run.
pub(crate) fn warnings(subcommand: &Command, matches: &ArgMatches, given: &[Given]) -> Vec<FileWarning> {
    let mut suspects: Vec<&Path> = ["password_file", "key_password_file", "key", "credentials"]
        .into_iter()
        .filter_map(|id| matches.try_get_one::<PathBuf>(id).ok().flatten().map(PathBuf::as_path))
        .collect();
    let secrets = given.iter().filter(|one| holds_a_secret(subcommand, one));
    suspects.extend(secrets.map(|one| one.place.file.path.as_path()));
    suspects.dedup();
    let readable = |path: &&Path| {
        let whom = readers(path)?;
        Some(FileWarning::Readable { path: path.to_path_buf(), whom })
    };
    let mut warnings: Vec<FileWarning> = suspects.iter().filter_map(readable).collect();
    let mut written: Vec<(&Path, &'static str)> = given
        .iter()
        .filter_map(|one| Some((one.place.file.path.as_path(), one.place.file.stranger?)))
        .collect();
    // Their content is sent, or prevents messages from being received twice.
    written.extend(["spool", "session_file"].into_iter().filter_map(|id| {
        let path = matches.try_get_one::<PathBuf>(id).ok().flatten()?;
        Some((path.as_path(), stranger_in(path)?))
    }));
    written.dedup();
    let writable = |(path, whom): (&Path, _)| FileWarning::Writable { path: path.to_path_buf(), whom };
    warnings.extend(written.into_iter().map(writable));
    warnings
}

/// Why the password command must not be run, if it is set in a file of this kind.
pub(crate) fn refused_command(given: &[Given]) -> Option<String> {
    let command = given.iter().find(|one| one.id == "password_command")?;
    let why = command.place.file.distrust.as_ref()?;
    Some(format!("{}: the password-command is not run, because {why}", command.place))
}

/// The options besides `--password-command` that run commands and can be set in files.
const RUN_COMMANDS: [&str; 3] = ["exec", "exec_argv", "disturb"];

/// Refuses options that run commands, if they are set in a file that another user can write.
pub(crate) fn refuse_commands(given: &[Given]) -> Result<(), Error> {
    let is_refused = |one: &&Given| RUN_COMMANDS.contains(&one.id.as_str());
    given.iter().filter(is_refused).try_for_each(|one| {
        let option = format!("--{}", one.id.replace('_', "-"));
        refuse_command(&one.place, &option, one.place.file.distrust.as_deref())
    })
}

/// Refuses the setting of a file that runs a command, if there is a reason to distrust the file.
pub(crate) fn refuse_command(
    place: &dyn fmt::Display,
    setting: &str,
    distrust: Option<&str>,
) -> Result<(), Error> {
    let Some(why) = distrust else { return Ok(()) };
    Err(Error::usage(format!("{place}: {setting} runs no command, because {why}"))
        .with_hint("chown and chmod go-w make the file and its folder yours alone"))
}

/// Whether an option of a file holds a secret.
fn holds_a_secret(subcommand: &Command, one: &Given) -> bool {
    let Some(arg) = find(subcommand, &one.id) else { return false };
    let value = |word: &OsString| {
        let word = word.to_string_lossy();
        word.split_once('=').map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    one.words.iter().any(|word| secret::is_in(arg, &value(word)))
}

/// The users besides its owner who can read a file.
fn readers(path: &Path) -> Option<&'static str> {
    let file = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let (mode, owner) = mode_and_owner(&file)?;
    others(mode, owner)
}

/// The users besides the owner. The group of a file owned by root is not reported: service accounts, which
/// own no files, read theirs through a group.
fn others(mode: u32, owner: u32) -> Option<&'static str> {
    const ROOT: u32 = 0;
    match (mode & 0o004 != 0, mode & 0o040 != 0) {
        (true, _) => Some("every user of this machine"),
        (false, true) if owner != ROOT => Some("its whole group"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_who_can_read_a_file() {
        assert_eq!(others(0o100_644, 0), Some("every user of this machine"));
        assert_eq!(others(0o100_640, 1000), Some("its whole group"));
        assert_eq!(others(0o100_640, 0), None);
        assert_eq!(others(0o100_600, 1000), None);
    }
}
