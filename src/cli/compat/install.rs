//! `mqtt compat`: the clients of mosquitto as its modes, and the links with their names.

use std::path::{Path, PathBuf};

use clap::ValueHint;

use super::DIFFERENCES;
use super::programs::{PROGRAMS, VERSION};
use crate::cli::connection::ConnectionArgs;
use crate::cli::manual::Manual;
use crate::cli::subcommand::{Called, CommandLine, Entry, Resolved, Subcommand};
use crate::cli::verbosity::QuietArgs;
use crate::command::compat::{CompatTask, Config};
use crate::error::Error;

/// Take the place of mosquitto's clients
#[derive(Debug, Clone, clap::Args)]
#[command(long_about = long_about())]
#[command(override_usage = "mqtt compat mosquitto_pub|mosquitto_sub|mosquitto_rr [ARGUMENT]...\n       \
                            mqtt compat MODE")]
#[command(subcommand_value_name = "MODE", subcommand_help_heading = "Modes")]
pub(in crate::cli) struct CompatArgs {}

pub(in crate::cli) static MANUAL: Manual = Manual {
    common: &[],
    examples: &[
        (
            "Make the links, in a folder before that of the real clients",
            "mqtt compat install --dir /usr/local/bin",
        ),
        ("Make them for this user alone", "mqtt compat install --dir ~/.local/bin"),
        ("Remove the links", "mqtt compat uninstall --dir /usr/local/bin"),
    ],
    bugs: &[
        "A second line of an error at run time names the cause; mosquitto does not write it.",
        "The manual pages mosquitto_pub(1), mosquitto_sub(1) and mosquitto_rr(1) are those of Eclipse Mosquitto, \
         and are not installed.",
    ],
};

/// The modes.
pub(in crate::cli) static MODES: &[Entry] =
    &[Entry::run::<InstallArgs>("install"), Entry::run::<UninstallArgs>("uninstall")];

impl Called for CompatArgs {
    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        None
    }

    fn resolve(self: Box<Self>, _: &CommandLine<'_>) -> Result<Resolved, Error> {
        Err(Error::usage("compat needs a mode or the name of a client").with_hint("see mqtt compat --help"))
    }
}

/// Make links with the names of mosquitto's clients
///
/// Each link has the name of one of the three clients and points to this program. Other files with such a
/// name are replaced with --force only; if there is any, nothing is done.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct InstallArgs {
    /// Folder of the links
    #[arg(long, value_name = "DIRECTORY", required = true, value_hint = ValueHint::DirPath)]
    dir: PathBuf,

    /// Replace existing files of any kind
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    quiet: QuietArgs,
}

/// Remove the links again
///
/// If another file has one of the three names, nothing is removed. If there is nothing to remove, a message
/// says so, and the exit status is 0.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct UninstallArgs {
    /// Folder of the links
    #[arg(long, value_name = "DIRECTORY", required = true, value_hint = ValueHint::DirPath)]
    dir: PathBuf,

    #[command(flatten)]
    quiet: QuietArgs,
}

impl Subcommand for InstallArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &Manual {
        common: &[],
        examples: &[
            ("Make the links", "mqtt compat install --dir /usr/local/bin"),
            ("Make them for this user alone", "mqtt compat install --dir ~/.local/bin"),
            ("Replace the real clients", "mqtt compat install --dir /usr/bin --force"),
        ],
        bugs: &["The shell may remember where it found the real clients until hash -r."],
    };
}

impl Subcommand for UninstallArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &Manual {
        common: &[],
        examples: &[
            ("Remove the links", "mqtt compat uninstall --dir /usr/local/bin"),
            ("Remove those of this user", "mqtt compat uninstall --dir ~/.local/bin"),
            ("Remove those that replaced the real clients", "mqtt compat uninstall --dir /usr/bin"),
        ],
        bugs: &["What --force has replaced does not come back."],
    };
}

impl TryFrom<InstallArgs> for Config {
    type Error = Error;

    fn try_from(args: InstallArgs) -> Result<Self, Error> {
        config(CompatTask::Install { force: args.force }, args.dir, &args.quiet)
    }
}

impl TryFrom<UninstallArgs> for Config {
    type Error = Error;

    fn try_from(args: UninstallArgs) -> Result<Self, Error> {
        config(CompatTask::Uninstall, args.dir, &args.quiet)
    }
}

fn config(task: CompatTask, folder: PathBuf, quiet: &QuietArgs) -> Result<Config, Error> {
    let program = std::env::current_exe().and_then(std::fs::canonicalize);
    let program = program.map(|program| as_called(&program).unwrap_or(program));
    Ok(Config {
        task,
        folder,
        names: PROGRAMS.iter().map(|(_, name)| *name).collect(),
        program: program.map_err(|error| Error::file("cannot find this program", error))?,
        verbosity: quiet.resolve(),
    })
}

/// The path by which this program was called. A link in this path may lead to the next version after an
/// update.
fn as_called(program: &Path) -> Option<PathBuf> {
    let name = PathBuf::from(std::env::args_os().next()?);
    let is_it = |path: &PathBuf| std::fs::canonicalize(path).is_ok_and(|found| found == program);
    if name.components().count() > 1 {
        return std::path::absolute(&name).ok().filter(is_it);
    }
    let folders = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&folders).map(|folder| folder.join(&name)).find(is_it)?;
    std::path::absolute(found).ok()
}

/// The description, and every difference.
fn long_about() -> String {
    let opening = format!(
        "Take the place of mosquitto's clients\n\n\
         Called as mosquitto_pub, mosquitto_sub or mosquitto_rr, by links that install makes, or as mqtt compat \
         mosquitto_sub and the like, mqtt takes the command lines of mosquitto {VERSION}: the same options, \
         defaults, options files, output, texts of misuse and exit statuses. Variables MQTT_… and profiles have no \
         effect then.\n\n\
         Deliberate differences from mosquitto's clients:"
    );
    let row = |difference: &super::Difference| {
        let super::Difference { mosquitto, here, reason, .. } = difference;
        format!("\n\nmosquitto: {mosquitto}. Here: {here}. Reason: {reason}.")
    };
    DIFFERENCES.iter().fold(opening, |text, difference| text + &row(difference))
}
