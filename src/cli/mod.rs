//! The command line: the only room that knows `clap`. It reads arguments and environment, resolves
//! and checks them, and hands on an [`Invocation`] in which every value is final. It runs nothing
//! and opens no connection; reading the files of TLS is the furthest it goes.
//!
//! Two stages. Stage one, `clap` with the parsers of `value`, `url` and `text`, reads each value.
//! Stage two, `TryFrom<…Args> for Config` in each subcommand's file, holds every rule between them.
//!
//! | file | holds |
//! |---|---|
//! | `publish`, `subscribe`, `retain_clear`, `will_test`, `broker` | a subcommand each: its own options, the groups it has, its rules |
//! | `connection`, `tls`, `will`, `payload`, `subscription`, `format`, `property`, `report` | a group of options each, declared once |
//! | `value`, `url`, `text` | single values |
//! | `origin` | which options were typed, which came from the environment |
//! | `usage` | clap's errors in this program's shape |

mod broker;
mod connection;
mod format;
mod origin;
mod payload;
mod property;
mod publish;
mod report;
mod retain_clear;
mod subscribe;
mod subscription;
mod text;
mod tls;
mod url;
mod usage;
mod value;
mod will;
mod will_test;

#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::{Arg, ArgAction, CommandFactory, FromArgMatches};

use self::connection::NOTES;
use crate::client::options::ClientOptions;
use crate::command;
use crate::error::Error;
use crate::output::Verbosity;

const EXIT_STATUS: &str = "\
Exit status:
  0        done
  1        could not do it: network, TLS, a file, a server that breaks the protocol
  2        wrong usage
  3        done, and the answer is no: for example, one filter of several was refused
  27       timed out
  128-162  the server's reason code for what it refused

Options of each command:
  mqtt COMMAND --help";

/// The widest line of help.
const MAX_HELP_WIDTH: usize = 100;

/// Publish, subscribe and test over MQTT
///
/// A toolkit for MQTT brokers. The letters of mosquitto's options mean here what they mean there.
#[derive(Debug, clap::Parser)]
#[command(name = "mqtt", version, subcommand_required = true, arg_required_else_help = false)]
#[command(after_help = EXIT_STATUS)]
struct Cli {
    #[command(subcommand)]
    subcommand: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    #[command(name = "pub")]
    Publish(Box<publish::PublishArgs>),
    #[command(name = "sub")]
    Subscribe(Box<subscribe::SubscribeArgs>),
    RetainClear(Box<retain_clear::RetainClearArgs>),
    WillTest(Box<will_test::WillTestArgs>),
    Broker(Box<broker::BrokerArgs>),
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Request {
    /// A text on standard output: help or the version.
    Print(String),
    /// A run of a subcommand.
    Run(Invocation),
}

/// A subcommand with its checked configuration.
#[derive(Debug)]
pub enum Invocation {
    /// `mqtt pub`
    Publish(Box<command::publish::Config>),
    /// `mqtt sub`
    Subscribe(Box<command::subscribe::Config>),
    /// `mqtt retain-clear`
    RetainClear(Box<command::retain_clear::Config>),
    /// `mqtt will-test`
    WillTest(Box<command::will_test::Config>),
    /// `mqtt broker`
    Broker(Box<command::broker::Config>),
}

impl Invocation {
    /// The connection it makes, if it makes one.
    #[must_use]
    pub fn client(&self) -> Option<&ClientOptions> {
        match self {
            Self::Publish(config) => Some(&config.client),
            Self::Subscribe(config) => Some(&config.client),
            Self::RetainClear(config) => Some(&config.client),
            Self::WillTest(config) => Some(&config.client),
            Self::Broker(_) => None,
        }
    }

    /// What is to be said on standard error.
    #[must_use]
    pub fn verbosity(&self) -> Verbosity {
        match self {
            Self::Publish(config) => config.verbosity,
            Self::Subscribe(config) => config.verbosity,
            Self::RetainClear(config) => config.verbosity,
            Self::WillTest(config) => config.verbosity,
            Self::Broker(config) => config.verbosity,
        }
    }
}

/// Reads a command line, program name first, and the environment.
///
/// # Errors
/// [`Error::Usage`] for everything that is wrong with it; the errors of reading TLS files.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(subcommand) = read_one(&arguments) {
        return subcommand.resolve().map(Request::Run);
    }
    match read(command().mut_subcommands(without_empty_environment), &arguments)? {
        Ok(subcommand) => subcommand.resolve().map(Request::Run),
        Err(text) => Ok(Request::Print(text)),
    }
}

/// Stage one for the subcommands that are run in a loop: with the definition of the one that is
/// called, and not of all, a one-shot `pub` takes a fifth less time. `None` leaves it to [`read`]:
/// help, errors, and every other subcommand.
fn read_one(arguments: &[OsString]) -> Option<Subcommand> {
    fn one<A: clap::Args>(arguments: &[OsString]) -> Option<Box<A>> {
        let name = arguments.get(1)?.to_str()?.to_owned();
        let command = without_empty_environment(finish(A::augment_args(clap::Command::new(name))));
        let matches = command.try_get_matches_from(&arguments[1..]).ok()?;
        A::from_arg_matches(&matches).ok().map(Box::new)
    }
    match arguments.get(1)?.to_str()? {
        "pub" => one(arguments).map(Subcommand::Publish),
        "sub" => one(arguments).map(Subcommand::Subscribe),
        _ => None,
    }
}

/// Stage one: a subcommand with its values, or a text that was asked for.
fn read(mut command: clap::Command, arguments: &[OsString]) -> Result<Result<Subcommand, String>, Error> {
    let matches = command.try_get_matches_from_mut(arguments);
    match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => Ok(Ok(cli.subcommand)),
        Err(error) => usage::from_clap(error, &command, arguments).map(Err),
    }
}

impl Subcommand {
    fn resolve(self) -> Result<Invocation, Error> {
        Ok(match self {
            Self::Publish(args) => Invocation::Publish(Box::new((*args).try_into()?)),
            Self::Subscribe(args) => Invocation::Subscribe(Box::new((*args).try_into()?)),
            Self::RetainClear(args) => Invocation::RetainClear(Box::new((*args).try_into()?)),
            Self::WillTest(args) => Invocation::WillTest(Box::new((*args).try_into()?)),
            Self::Broker(args) => Invocation::Broker(Box::new((*args).try_into()?)),
        })
    }
}

/// The definition of every option: the source of `--help`, manual pages and completions. It does
/// not depend on environment or terminal.
#[must_use]
pub fn command() -> clap::Command {
    finish(Cli::command()).mut_subcommands(finish)
}

/// What holds for the program and for each subcommand: mosquitto has `-h` and `-V` for other things
/// than help and version, and the last of a repeated option counts.
fn finish(command: clap::Command) -> clap::Command {
    let help = Arg::new("help").long("help").help("Print help").action(ArgAction::HelpShort);
    let version = Arg::new("version").long("version").help("Print version").action(ArgAction::Version);
    let note = command.get_arguments().any(|arg| arg.get_id() == "host").then_some(NOTES);
    let examples = command.get_after_help().map(ToString::to_string);
    let end: Vec<String> = note.map(str::to_owned).into_iter().chain(examples).collect();
    command
        .after_help(end.join("\n\n"))
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .args_override_self(true)
        .max_term_width(MAX_HELP_WIDTH)
        // One sentence at the end of the help instead of a note at each option.
        .mut_args(|arg| arg.hide_env(true).hide_env_values(true))
        // A negative number is a value, refused or not, and never an unknown option.
        .mut_args(|arg| if arg.get_action().takes_values() { arg.allow_negative_numbers(true) } else { arg })
        .arg(help.help_heading("Help"))
        .arg(version.help_heading("Help"))
}

/// A variable that is set to nothing is not set, as in most programs and container files.
fn without_empty_environment(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| match arg.get_env().and_then(std::env::var_os) {
        Some(value) if value.is_empty() => arg.env(None::<&str>),
        _ => arg,
    })
}
