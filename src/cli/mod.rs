//! The command line: the only room that uses `clap`. It reads arguments and environment, resolves and
//! checks them, and hands on an [`Invocation`] in which every value is final. It opens no connection, but
//! reads the files that options name, and gets passwords from their sources.
//!
//! Two stages. Stage one, `clap` with the parsers of `value`, `url` and `text`, reads each value.
//! Stage two, `TryFrom<…Args> for Config` in each subcommand's file, holds every rule between them.
//!
//! | file | holds |
//! |---|---|
//! | `publish`, `subscribe`, `request`, `bench`, `retain_clear`, `will_test`, `ping`, `broker` | a subcommand each: its own options, the groups it has, its rules |
//! | `show` | `mqtt config show` |
//! | `compat` | the command lines of mosquitto's clients |
//! | `subcommand` | the trait of a subcommand, and the entries of the table |
//! | `connection`, `target`, `credentials`, `authentication`, `tls`, `will`, `payload`, `subscription`, `format`, `property`, `property_flags`, `verbosity` | a group of options each, declared once |
//! | `value`, `url`, `text` | single values |
//! | `sources` | the origin of each value: command line, environment, or a file with options |
//! | `read` | stage one |
//! | `needs` | which settings a run needs |
//! | `words` | the place of each value in a command line |
//! | `secret`, `hidden` | which options hold secrets, and how those on the command line are hidden from other users |
//! | `password_command` | the command that gives a password |
//! | `help` | the help that is asked for |
//! | `manual`, `bench_manual` | examples and known limits, for help and manual pages |
//! | `usage` | clap's errors in this program's shape |

mod authentication;
mod bench;
mod bench_load;
mod bench_manual;
mod broker;
mod compat;
mod connection;
mod credentials;
mod format;
mod help;
mod hidden;
mod manual;
mod needs;
mod password_command;
mod payload;
mod ping;
mod property;
mod property_flags;
mod publish;
mod read;
mod request;
mod retain_clear;
mod secret;
mod show;
mod sources;
mod subcommand;
mod subscribe;
mod subscription;
mod target;
mod text;
mod tls;
mod url;
mod usage;
mod value;
mod verbosity;
mod will;
mod will_test;
mod words;

#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::{Arg, ArgAction};

pub use self::compat::{DIFFERENCES, Difference};
use self::connection::NOTES;
pub use self::help::brief_help;
pub use self::hidden::Hidden;
pub use self::manual::Manual;
use self::read::{Read, read};
use self::sources::Found;
use self::subcommand::{Entry, Line, Resolved};
use crate::command::Invocation;
use crate::error::Error;
use crate::manner::Manner;
use crate::output::ColorChoice;

const EXIT_STATUS: &str = "\
Exit status:
  0        done
  1        could not do it: network, TLS, a file, a broker that breaks the protocol
  2        wrong usage
  3        done, and the answer is no: for example, one filter of several was refused
  27       timed out
  128-162  the broker's reason code for what it refused

Options of each command:
  mqtt COMMAND --help";

/// The widest line of help.
const MAX_HELP_WIDTH: usize = 100;

const ABOUT: &str = "Publish, subscribe and test over MQTT";
const LONG_ABOUT: &str = "\
Publish, subscribe and test over MQTT

A toolkit for MQTT brokers. The letters of mosquitto's options mean here what they mean there.";

/// All subcommands.
static SUBCOMMANDS: &[Entry] = &[
    Entry::run::<publish::PublishArgs>("pub"),
    Entry::run::<subscribe::SubscribeArgs>("sub"),
    Entry::run::<request::RequestArgs>("rr"),
    Entry::run::<bench::BenchArgs>("bench").with(bench::MODES),
    Entry::run::<retain_clear::RetainClearArgs>("retain-clear"),
    Entry::run::<will_test::WillTestArgs>("will-test"),
    Entry::run::<ping::PingArgs>("ping"),
    Entry::run::<broker::BrokerArgs>("broker"),
    Entry::print::<show::ConfigArgs>("config", &show::MANUAL),
    Entry::print::<compat::CompatArgs>("compat", &compat::MANUAL).with(compat::MODES),
];

/// What a command line asks for.
#[derive(Debug)]
pub enum Request {
    /// A text on standard output: help, the version, or what a connection would be made with.
    Print {
        /// The text.
        text: String,
        /// What is wrong with it all the same.
        problem: Option<Error>,
    },
    /// A run of a subcommand.
    Run {
        /// What to run.
        invocation: Box<dyn Invocation>,
        /// What to warn of before.
        warnings: Vec<String>,
        /// For `--debug`.
        details: Vec<String>,
        /// Whether to use colour.
        color: ColorChoice,
        /// Whether lines on standard error begin with the time.
        log_time: bool,
        /// In whose manner it speaks.
        manner: Manner,
    },
    /// A command line of mosquitto's clients that is not run. As theirs it ends with status 1, also if it
    /// asks for help.
    Misuse {
        /// The text on standard output.
        stdout: String,
        /// The text on standard error.
        stderr: String,
    },
}

/// Reads a command line, program name first, the environment and the configuration file. If secrets
/// were typed, `start_anew` may replace this process with one that hides them; should it return, with the
/// reason, all goes on with the secrets in sight.
///
/// # Errors
/// [`Error::Usage`] for everything that is wrong with it; the errors of reading TLS files.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    start_anew: impl FnOnce(&Hidden) -> Option<std::io::Error>,
) -> Result<Request, Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some((program, names)) = compat::called(&arguments) {
        let typed = hidden::typed(&arguments);
        if typed.is_none()
            && let Some(hidden) = hidden::hide_words(&compat::secrets(program, names, &arguments), &arguments)
        {
            // If it returns, all goes on with the secrets in sight: mosquitto's clients never hide them.
            let _ = start_anew(&hidden);
        }
        return Ok(compat::parse(program, &typed.unwrap_or(arguments)[names..]));
    }
    let arguments = with_help_as_option(arguments);
    let typed = hidden::typed(&arguments);
    let is_hidden = typed.is_some();
    let arguments = bench::mode_first(typed.unwrap_or(arguments));
    let mut in_sight = None;
    let hide = |definition: &clap::Command, names: usize| {
        if !is_hidden && let Some(hidden) = hidden::hide(definition, names, &arguments) {
            in_sight = start_anew(&hidden);
        }
    };
    let read = match read(&arguments, Entry::definition, hide)? {
        Err(text) => return Ok(Request::Print { text, problem: None }),
        Ok(read) => read,
    };
    let Read { definition, matches, found, mut subcommand } = read;
    let Found { given, mut warnings, notes: mut details, .. } = found;
    secret::keep(&definition, &matches);
    let color = matches.try_get_one::<ColorChoice>("color").ok().flatten().copied().unwrap_or_default();
    let log_time = matches.try_get_one::<bool>("log_time").ok().flatten() == Some(&true);
    warnings.extend(in_sight.map(|why| hidden::in_sight(&why)));
    warnings.extend(sources::warnings(&definition, &matches, &given));
    let later = subcommand.connection_mut().map(|connection| connection.origin.warnings());
    let line = Line { definition: &definition, matches: &matches, given: &given };
    let invocation = match subcommand.resolve(&line)? {
        Resolved::Run(invocation) => invocation,
        Resolved::Print { text, problem } => return Ok(Request::Print { text, problem }),
    };
    warnings.extend(later.into_iter().flat_map(|later| later.take()));
    let tls = invocation.client().and_then(|client| client.endpoint.tls.as_ref());
    if let Some(tls) = tls {
        if tls.is_insecure() {
            warnings.push("--insecure: the certificate of the broker is not verified".into());
        }
        warnings.extend_from_slice(tls.warnings());
        details.extend_from_slice(tls.details());
    }
    Ok(Request::Run { invocation, warnings, details, color, log_time, manner: Manner::Own })
}

/// `mqtt help COMMAND` is `mqtt COMMAND --help`, as it is for many programs.
fn with_help_as_option(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if arguments.get(1).is_some_and(|word| word == "help") {
        arguments.remove(1);
        arguments.truncate(3);
        arguments.push("--help".into());
    }
    arguments
}

/// The definition of every option: the source of `--help`, manual pages and completions. It does
/// not depend on environment or terminal.
#[must_use]
pub fn command() -> clap::Command {
    let program = clap::Command::new("mqtt")
        .about(ABOUT)
        .long_about(LONG_ABOUT)
        .after_help(EXIT_STATUS)
        .subcommand_required(true)
        .subcommands(SUBCOMMANDS.iter().map(Entry::whole));
    finish(program, None)
}

/// Examples and known limits of a subcommand, named as on the command line (`mqtt bench conn`), or of the
/// program.
#[must_use]
pub fn manual(called: &str) -> &'static Manual {
    let words: Vec<OsString> = called.split(' ').map(OsString::from).collect();
    Entry::called(SUBCOMMANDS, &words).map_or(&manual::PROGRAM, |(entry, _)| entry.manual)
}

/// What parsing needs: mosquitto has `-h` and `-V` for other things than help and version, the last of a
/// repeated option counts, and what follows an option that takes a value is the value, whatever it begins
/// with.
fn begin(command: clap::Command) -> clap::Command {
    let takes_the_next_word =
        |arg: &Arg| !arg.is_positional() && arg.get_action().takes_values() && !arg.is_require_equals_set();
    command
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .mut_args(|arg| if takes_the_next_word(&arg) { arg.allow_hyphen_values(true) } else { arg })
}

/// What holds for the program and for each subcommand.
fn finish(command: clap::Command, manual: Option<&Manual>) -> clap::Command {
    let help = Arg::new("help")
        .long("help")
        .short_alias('?')
        .help("Print help; --help GROUP for one group of options")
        .action(ArgAction::HelpShort);
    let version = Arg::new("version").long("version").help("Print version").action(ArgAction::Version);
    let note = command.get_arguments().any(|arg| arg.get_id() == "host").then_some(NOTES);
    let own = command.get_after_help().map(ToString::to_string);
    let examples = manual.map(Manual::examples_in_help);
    let formats = command.get_arguments().any(|arg| arg.get_id() == "format").then(format::reference);
    let end: Vec<String> = note.map(str::to_owned).into_iter().chain(own).chain(examples).collect();
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
        .arg(help.help_heading(help::HEADING))
        .arg(all.action(ArgAction::HelpLong).help_heading(help::HEADING))
        .arg(version.help_heading(help::HEADING))
}
