//! The common part of the definitions of all subcommands.

use clap::{Arg, ArgAction};

use super::connection::{DURATIONS, NOTES};
use super::format;
use super::headings::HELP;
use super::manual::Manual;

/// The widest line of help.
pub(super) const MAX_HELP_WIDTH: usize = 100;

/// The settings for parsing: mosquitto uses `-h` and `-V` for other options than help and version, the last
/// of a repeated option counts, and the word after an option with a value is the value, whatever it begins
/// with.
pub(super) fn begin(command: clap::Command) -> clap::Command {
    let takes_the_next_word =
        |arg: &Arg| !arg.is_positional() && arg.get_action().takes_values() && !arg.is_require_equals_set();
    command
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .mut_args(|arg| if takes_the_next_word(&arg) { arg.allow_hyphen_values(true) } else { arg })
}

/// The same definition without environment variables.
pub(super) fn without_environment(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| if arg.get_env().is_some() { arg.env(None::<&str>) } else { arg })
}

/// The common settings of the program and of each subcommand.
pub(super) fn finish(command: clap::Command, manual: Option<&Manual>) -> clap::Command {
    let help = Arg::new("help")
        .long("help")
        .short_alias('?')
        .help("Print help; --help GROUP for one group of options")
        .action(ArgAction::HelpShort);
    let version = Arg::new("version").long("version").help("Print version").action(ArgAction::Version);
    let note =
        command.get_arguments().any(|arg| arg.get_id() == "host").then(|| format!("{DURATIONS}\n\n{NOTES}"));
    let own = command.get_after_help().map(ToString::to_string);
    let examples = manual.map(Manual::examples_in_help);
    let formats = command.get_arguments().any(|arg| arg.get_id() == "format").then(format::reference);
    let end: Vec<String> = note.into_iter().chain(own).chain(examples).collect();
    let whole_end: Vec<String> = end.iter().cloned().chain(formats).collect();
    let all = Arg::new("help_all").long("help-all").help("Print all options, with every detail");
    begin(command)
        .after_help(end.join("\n\n"))
        .after_long_help(whole_end.join("\n\n"))
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .max_term_width(MAX_HELP_WIDTH)
        // One sentence at the end of the help instead of a note at each option.
        .mut_args(|arg| arg.hide_env(true).hide_env_values(true))
        .arg(help.help_heading(HELP))
        .arg(all.action(ArgAction::HelpLong).help_heading(HELP))
        .arg(version.help_heading(HELP))
}
