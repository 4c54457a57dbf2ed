//! Stage one: the words of a command line, the environment and files, read by the definition of the options.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, FromArgMatches as _};

use super::files::{self, Found, Given, NAMES_FILES};
use super::needs::Needs;
use super::origin::{Broken, Rank};
use super::{Cli, Subcommand, begin, property, usage};
use crate::error::Error;

/// A command line after stage one.
pub(super) struct Read {
    /// The definition of the subcommand.
    pub(super) definition: clap::Command,
    /// The values of its options.
    pub(super) matches: clap::ArgMatches,
    /// What came from files.
    pub(super) found: Found,
    pub(super) subcommand: Subcommand,
}

/// Stage one for the subcommands that are run in a loop: with the definition of the one that is
/// called, and not of all, nor what only help and errors need, a one-shot `pub` takes a fifth less
/// time. `None` leaves it to [`read`]: help, errors, options in files, and every other subcommand.
pub(super) fn read_one(arguments: &[OsString]) -> Option<Read> {
    fn one<A: clap::Args>(arguments: &[OsString], subcommand: fn(Box<A>) -> Subcommand) -> Option<Read> {
        let name = arguments.get(1)?.to_str()?.to_owned();
        let mut definition = begin(A::augment_args(clap::Command::new(name)));
        let line = property::terminated(&definition, 2, arguments);
        let matches = definition.try_get_matches_from_mut(&line[1..]).ok()?;
        if NAMES_FILES.iter().any(|id| matches.contains_id(id)) {
            return None; // what is read may be a pipe, which can be read only once
        }
        let needs = Needs::of(definition.get_name(), &matches);
        if needs != Needs::Everything && definition.get_arguments().any(|arg| is_set(arg) && !needs.has(arg))
        {
            return None;
        }
        let found = files::found(&definition, &matches).ok()?;
        let subcommand = subcommand(Box::new(A::from_arg_matches(&matches).ok()?));
        let is_empty = found.given.is_empty() && found.broken.is_empty();
        is_empty.then_some(Read { definition, matches, found, subcommand })
    }
    if std::env::vars_os()
        .any(|(name, value)| value.is_empty() && name.as_encoded_bytes().starts_with(b"MQTT_"))
    {
        return None;
    }
    match arguments.get(1)?.to_str()? {
        "pub" => one(arguments, Subcommand::Publish),
        "sub" => one(arguments, Subcommand::Subscribe),
        "rr" => one(arguments, Subcommand::Request),
        _ => None,
    }
}

/// Stage one: a subcommand with its values, or a text that was asked for. The definition is handed to
/// `hide` before any file is read: it may be a pipe, which nobody could read again.
///
/// What is typed is read first, then what is set in the environment, as far as what is typed leaves it
/// anything to say, then what stands in files. A setting that is no value is set aside: whether it matters
/// is known when everything else is.
pub(super) fn read(
    command: &clap::Command,
    arguments: &[OsString],
    hide: impl FnOnce(&clap::Command, usize),
) -> Result<Result<Read, String>, Error> {
    let refused =
        |error, command: &clap::Command| usage::from_clap(error, command, arguments).map(Err::<Read, _>);
    let (names, definition) = addressed(command, arguments);
    let line = property::terminated(definition, names, arguments);
    let path = &line[1.min(line.len())..names.min(line.len())];
    let mut bare = everywhere(command.clone(), |subcommand| with_environment(subcommand, &|_| false));
    let typed = match bare.try_get_matches_from_mut(&line) {
        Ok(matches) => matches,
        Err(error) => return refused(error, &bare),
    };
    hide(definition, names);
    let typed = innermost(&typed);
    let needs = Needs::of(definition.get_name(), typed);
    let is_typed = |arg: &Arg| typed.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let mut broken = Vec::new();
    let mut built = only_at(command.clone(), path, &|arg| is_set(arg) && !is_typed(arg) && needs.has(arg));
    if built.clone().try_get_matches_from(&line).is_err() {
        broken = broken_environment(&built, &line[..names]);
        let is_whole = |arg: &Arg| broken.iter().all(|one: &Broken| one.id != arg.get_id().as_str());
        built = only_at(built, path, &is_whole);
    }
    let mut matches = match built.try_get_matches_from_mut(&line) {
        Ok(matches) => matches,
        Err(error) => return refused(error, &built),
    };
    let definition = addressed(&built, &line).1.clone();
    let mut found = files::found(&definition, innermost(&matches))?;
    if !found.given.is_empty() {
        let mut kept = Vec::with_capacity(found.given.len());
        for one in std::mem::take(&mut found.given) {
            match check(&bare, &line[..names], &one)? {
                Some(one) => broken.push(one),
                None => kept.push(one),
            }
        }
        found.given = kept;
        let words = found.given.iter().flat_map(|one| &one.words);
        let all: Vec<OsString> = line[..names].iter().chain(words).chain(&line[names..]).cloned().collect();
        matches = match built.try_get_matches_from_mut(&all) {
            Ok(matches) => matches,
            Err(error) => return refused(error, &built),
        };
    }
    broken.append(&mut found.broken);
    match Cli::from_arg_matches(&matches) {
        Ok(mut cli) => {
            if let Some(connection) = cli.subcommand.connection_mut() {
                for one in &found.given {
                    connection.origin.demote([one.id.as_str()], one.rank);
                }
                connection.origin.set_aside(broken);
                if let Some(why) = files::refused_command(&found.given) {
                    connection.origin.refuse_command(why);
                }
            }
            let matches = innermost(&matches).clone();
            Ok(Ok(Read { definition, matches, found, subcommand: cli.subcommand }))
        }
        Err(error) => refused(error, &built),
    }
}

/// The subcommand that a line calls: of `bench`, that of its mode. How many words name it.
fn addressed<'a>(mut command: &'a clap::Command, line: &[OsString]) -> (usize, &'a clap::Command) {
    let mut names = 1;
    while let Some(subcommand) = line.get(names).and_then(|name| command.find_subcommand(name)) {
        (names, command) = (names + 1, subcommand);
    }
    (names, command)
}

/// The values of the subcommand that was called.
fn innermost(mut matches: &clap::ArgMatches) -> &clap::ArgMatches {
    while let Some((_, inner)) = matches.subcommand() {
        matches = inner;
    }
    matches
}

/// Changes the subcommands and theirs.
pub(super) fn everywhere(
    command: clap::Command,
    change: fn(clap::Command) -> clap::Command,
) -> clap::Command {
    command.mut_subcommands(|subcommand| everywhere(change(subcommand), change))
}

/// The definition in which only these options of the subcommand that is called have variables.
fn only_at(command: clap::Command, path: &[OsString], has: &dyn Fn(&Arg) -> bool) -> clap::Command {
    match path.split_first() {
        None => with_environment(command, has),
        Some((name, rest)) => with_environment(command, &|_| false).mut_subcommands(|subcommand| {
            if *name == subcommand.get_name() { only_at(subcommand, rest, has) } else { subcommand }
        }),
    }
}

/// The definition of a subcommand in which only some options have variables.
fn with_environment(subcommand: clap::Command, has: &dyn Fn(&Arg) -> bool) -> clap::Command {
    subcommand.mut_args(|arg| if arg.get_env().is_none() || has(&arg) { arg } else { arg.env(None::<&str>) })
}

/// Whether an option's variable is set. One that is set to nothing is not, as in most programs and
/// container files.
fn is_set(arg: &Arg) -> bool {
    arg.get_env().and_then(std::env::var_os).is_some_and(|value| !value.is_empty())
}

/// The variables that are no values of their options. Each is tried by itself, so that its error can name
/// it.
fn broken_environment(command: &clap::Command, names: &[OsString]) -> Vec<Broken> {
    let mut broken = Vec::new();
    for arg in addressed(command, names).1.get_arguments().filter(|arg| is_set(arg)) {
        let alone = only_at(command.clone(), &names[1..], &|other| other.get_id() == arg.get_id());
        let mut alone = everywhere(alone, |subcommand| subcommand.mut_args(|arg| arg.required(false)));
        let Err(error) = alone.try_get_matches_from_mut(names) else { continue };
        if let Err(Error::Usage { message, hint }) = usage::from_clap(error, &alone, names) {
            let variable = arg.get_env().unwrap_or_default().to_string_lossy();
            let message = format!("{message} (from the environment: {variable})");
            broken.push(Broken::new(arg.get_id().as_str(), Rank::Environment, message, hint));
        }
    }
    broken
}

/// Checks one option of a file by itself, so that an error can say where it stands. What matters without
/// fail is refused at once.
fn check(bare: &clap::Command, names: &[OsString], given: &Given) -> Result<Option<Broken>, Error> {
    let line: Vec<OsString> = names.iter().chain(&given.words).cloned().collect();
    // What else the subcommand needs is not the file's business.
    let mut command = everywhere(bare.clone(), |subcommand| subcommand.mut_args(|arg| arg.required(false)));
    let Err(error) = command.try_get_matches_from_mut(&line) else { return Ok(None) };
    let mut arguments = addressed(&command, names).1.get_arguments();
    let is_connection = arguments
        .find(|arg| arg.get_id() == given.id.as_str())
        .is_some_and(|arg| matches!(arg.get_help_heading(), Some("Connection" | "TLS")));
    match usage::from_clap(error, &command, &line) {
        Err(Error::Usage { message, hint }) => {
            let message = format!("{}: {message}", given.place);
            if is_connection {
                Ok(Some(Broken::new(&given.id, given.rank, message, hint)))
            } else {
                Err(Error::Usage { message, hint })
            }
        }
        other => other.map(|_| None),
    }
}
