//! Stage one: reads command line, environment and files according to the definition of the options.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::Arg;
use clap::parser::ValueSource;

use super::definition::without_environment;
use super::headings::is_of_connection;
use super::sources::{self, BrokenSetting, Found, Given, Rank};
use super::subcommand::{Called, Entry, Subcommand};
use super::table::{SUBCOMMANDS, command};
use super::text::shown;
use super::{help, property, secret, slips, url, usage, words};
use crate::error::Error;
use crate::file::Patience;
use crate::notation::shell;
use crate::output::has_no_reader;
use crate::signal;

/// The result of stage one.
pub(super) struct Read {
    /// The definition of the subcommand.
    pub(super) definition: clap::Command,
    /// The values of its options.
    pub(super) matches: clap::ArgMatches,
    /// The settings from files.
    pub(super) found: Found,
    pub(super) subcommand: Box<dyn Called>,
}

/// Stage one: a subcommand with its values, or a text that was asked for. `hide` gets the definition before
/// any file is read: the file may be a pipe, which can be read only once.
///
/// The command line is read first, then the environment as far as the command line leaves options open, then
/// files. An invalid setting is stored and reported only if its option turns out to be needed.
pub(super) fn read(
    arguments: &[OsString],
    define: fn(&Entry) -> clap::Command,
    hide: impl FnOnce(&clap::Command, usize),
) -> Result<Result<Read, String>, Error> {
    let Some((entry, names)) = Entry::called(SUBCOMMANDS, arguments) else {
        return asked_or_wrong(arguments, None).map(Err);
    };
    let refused = |error| usage::from_clap(error, &command(), arguments).map(Err::<Read, _>);
    let defined = define(entry);
    let terminated = property::terminated(&defined, names, arguments);
    let (path, line) = (&arguments[..names], &terminated[names - 1..]);
    let is_there = |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some();
    // Usually no variable is set, and nothing has to be copied.
    let (mut definition, with_variables) = if defined.get_arguments().any(is_there) {
        (without_environment(defined.clone()), Some(defined))
    } else {
        (defined, None)
    };
    let mut matches = match definition.try_get_matches_from_mut(line) {
        Ok(matches) => matches,
        Err(error) => {
            if let Some(help) = help::asked_for(names, arguments) {
                return help.map(Err);
            }
            return match slips::wrong_dash(command, names, arguments, true) {
                Some(slip) => Err(slip),
                None => asked_or_wrong(arguments, Some(error)).map(Err),
            };
        }
    };
    if let Some(slip) = slips::wrong_dash(command, names, arguments, false) {
        return Err(slip);
    }
    refuse_detached(&definition, names, arguments)?;
    slips::in_operands(&definition, names, arguments, &matches)?;
    hide(&definition, names);
    let slips = slips::warnings(&definition, names, arguments, &matches);
    let needs = (entry.needs)(&matches);
    let is_typed = |arg: &Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let matters = |arg: &Arg| is_set(arg) && !is_typed(arg) && needs.has(&definition, arg);
    let set = with_variables.iter().flat_map(clap::Command::get_arguments);
    let ignored = set.filter(|arg| !is_typed(arg) && needs.has(&definition, arg));
    let ignored: Vec<String> = ignored.filter_map(about_service_link).collect();
    let mut broken = Vec::new();
    if let Some(defined) = with_variables.filter(|defined| defined.get_arguments().any(matters)) {
        (definition, matches, broken) = match with_set(defined, line, path, &matters) {
            Ok(read) => read,
            Err(error) => return refused(error),
        };
    }
    if (entry.outlasts_hang_ups)(&matches) {
        signal::outlast_hang_ups()?;
    }
    let names_files = ["options_file", "config"].iter().any(|id| is_given(&matches, id));
    // Only a file named on the command line may be a pipe that the run has to wait for.
    let typed = if names_files { (entry.read)(&matches).ok() } else { None };
    wait_for_files(&matches, typed.is_some_and(|typed| typed.is_for_reader()));
    let mut found = sources::found(&definition, &matches, needs)
        .map_err(|error| sources::with_places(error, &definition, &matches, &[]))?;
    if !found.given.is_empty() {
        let bare = without_environment(definition.clone());
        let mut kept = Vec::with_capacity(found.given.len());
        for one in std::mem::take(&mut found.given) {
            match check(&bare, path, &one)? {
                Some(one) => broken.push(one),
                None => kept.push(one),
            }
        }
        // The environment overrides files, even if its value is invalid.
        kept.retain(|one| !broken.iter().any(|set| set.id == one.id && set.rank == Rank::Environment));
        found.given = kept;
        sources::refuse_commands(&found.given)?;
        let words = found.given.iter().flat_map(|one| &one.words);
        let all = line[..1].iter().chain(words).chain(&line[1..]);
        matches = match definition.try_get_matches_from_mut(all) {
            Ok(matches) => matches,
            Err(error) => return refused(error),
        };
    }
    broken.append(&mut found.broken);
    found.warnings.extend(slips);
    found.warnings.extend(ignored);
    let mut subcommand = match (entry.read)(&matches) {
        Ok(subcommand) => subcommand,
        Err(error) => return refused(error),
    };
    if let Some(connection) = subcommand.connection_mut() {
        for one in &found.given {
            connection.origin.demote([one.id.as_str()], one.rank);
        }
        connection.origin.set_aside(broken);
        if let Some(why) = sources::refused_command(&found.given) {
            connection.origin.refuse_command(why);
        }
    }
    if (entry.outlasts_hang_ups)(&matches) {
        signal::outlast_hang_ups()?;
    }
    wait_for_files(&matches, subcommand.is_for_reader());
    Ok(Ok(Read { definition, matches, found, subcommand }))
}

/// Refuses a detached word after an option whose optional value needs `=`, if the word would be a valid
/// value. It would be read as an operand, most likely not as the user meant it.
fn refuse_detached(definition: &clap::Command, names: usize, arguments: &[OsString]) -> Result<(), Error> {
    let Some(at) = words::detached(definition, names, arguments) else { return Ok(()) };
    let [option, value] = [at, at + 1].map(|at| shown(&arguments[at]));
    let mut joined = arguments.to_vec();
    let word = joined.remove(at + 1);
    joined[at].push("=");
    joined[at].push(word);
    let line = property::terminated(definition, names, &joined);
    let is_value = definition.clone().try_get_matches_from(&line[names - 1..]).is_ok();
    if !is_value {
        return Ok(());
    }
    let hint = format!("{option}={value}; an operand '{value}' goes before {option}, or after --");
    Err(Error::usage(format!("{option} takes a value only after '=', not '{value}' after a blank"))
        .with_hint(hint))
}

fn is_given(matches: &clap::ArgMatches, id: &str) -> bool {
    matches.try_contains_id(id).is_ok_and(|given| given)
}

/// Sets how long files are waited for: until the run's time limit (`-W`), each at most the connection timeout
/// if the user has set one, and, if the run is for a reader, only while the reader exists.
fn wait_for_files(matches: &clap::ArgMatches, is_for_reader: bool) {
    let limit = matches.try_get_one::<Duration>("timeout").ok().flatten().copied();
    let has_no_reader: Option<fn() -> bool> = if is_for_reader { Some(has_no_reader) } else { None };
    let is_set = |id| is_given(matches, id) && matches.value_source(id) != Some(ValueSource::DefaultValue);
    let each = matches.try_get_one::<Duration>("connect_timeout").ok().flatten();
    let each = each.copied().filter(|_| is_set("connect_timeout"));
    Patience::new(limit, has_no_reader).for_each(each, signal::caught).hold();
}

/// Parses the words after the name of a subcommand, without the environment and files.
pub(super) fn read_words<A: Subcommand>(entry: &Entry, words: Vec<OsString>) -> Result<A, Error> {
    let line: Vec<OsString> = ["mqtt", entry.name].into_iter().map(OsString::from).chain(words).collect();
    let mut definition = without_environment(entry.definition());
    let terminated = property::terminated(&definition, 2, &line);
    let read = definition.try_get_matches_from_mut(&terminated[1..]).and_then(|matches| {
        secret::keep(&definition, &matches);
        let options = A::from_arg_matches(&matches)?;
        wait_for_files(&matches, options.is_for_reader());
        Ok(options)
    });
    read.map_err(|error| match usage::from_clap(error, &command(), &line) {
        Err(error) => error,
        // Help cannot be requested by these words.
        Ok(text) => Error::usage(text),
    })
}

/// What clap says about a line that is not to be run, parsed by the complete definition: the requested text,
/// or the error. `error` is clap's error by the definition of the subcommand alone.
fn asked_or_wrong(arguments: &[OsString], error: Option<clap::Error>) -> Result<String, Error> {
    let mut all = everywhere(command(), without_environment);
    let terminated = match Entry::called(SUBCOMMANDS, arguments) {
        Some((entry, names)) => property::terminated(&entry.definition(), names, arguments),
        None => arguments.to_vec(),
    };
    match all.try_get_matches_from_mut(terminated).err().or(error) {
        Some(error) => usage::from_clap(error, &all, arguments),
        None => Err(Error::usage("no subcommand").with_hint("see mqtt --help")),
    }
}

/// Applies a change to all subcommands, recursively.
fn everywhere(command: clap::Command, change: fn(clap::Command) -> clap::Command) -> clap::Command {
    command.mut_subcommands(|subcommand| everywhere(change(subcommand), change))
}

/// Parses the command line with the variables that matter: the definition, the values, and the invalid
/// settings.
fn with_set(
    defined: clap::Command,
    line: &[OsString],
    path: &[OsString],
    matters: &dyn Fn(&Arg) -> bool,
) -> Result<(clap::Command, clap::ArgMatches, Vec<BrokenSetting>), clap::Error> {
    let mut built = with_environment(defined, matters);
    let before = built.clone();
    // Usually all are valid, and one parse is enough.
    if let Ok(matches) = built.try_get_matches_from_mut(line) {
        return Ok((built, matches, Vec::new()));
    }
    let broken = broken_environment(&before, path);
    let is_whole = |arg: &Arg| broken.iter().all(|one| one.id != arg.get_id().as_str());
    let mut whole = with_environment(before, &|arg| matters(arg) && is_whole(arg));
    let matches = whole.try_get_matches_from_mut(line)?;
    Ok((whole, matches, broken))
}

/// The definition of a subcommand in which only the options with `has` have variables.
fn with_environment(subcommand: clap::Command, has: &dyn Fn(&Arg) -> bool) -> clap::Command {
    subcommand.mut_args(|arg| if arg.get_env().is_none() || has(&arg) { arg } else { arg.env(None::<&str>) })
}

/// Whether an option's variable is set. An empty one counts as not set, as in most programs and container
/// files; so does one that Kubernetes or Docker set.
fn is_set(arg: &Arg) -> bool {
    let value = arg.get_env().and_then(std::env::var_os).filter(|value| !value.is_empty());
    value.is_some_and(|value| !is_service_link(arg, &value))
}

/// Whether the variable was set by Kubernetes or Docker for a service whose name begins the name of the
/// variable: `MQTT_PORT=tcp://10.0.0.1:1883` for a service named mqtt.
fn is_service_link(arg: &Arg, value: &OsStr) -> bool {
    let is_port = arg.get_env().is_some_and(|name| name.as_encoded_bytes().ends_with(b"_PORT"));
    let scheme = value.to_str().and_then(|value| value.split_once("://")).map(|(scheme, _)| scheme);
    is_port && scheme.is_some_and(|scheme| ["tcp", "udp", "sctp"].contains(&scheme))
}

/// The warning for a variable that Kubernetes or Docker set.
fn about_service_link(arg: &Arg) -> Option<String> {
    let name = arg.get_env()?;
    let value = std::env::var_os(name).filter(|value| is_service_link(arg, value))?;
    let (name, value) = (name.to_string_lossy(), shown(&value));
    let option = arg.get_long().unwrap_or_default();
    Some(format!(
        "{name}={value} is Kubernetes' or Docker's address of a service and not a --{option}; it is ignored"
    ))
}

/// The variables with invalid values. Each is parsed separately, so that its error can name it.
fn broken_environment(definition: &clap::Command, path: &[OsString]) -> Vec<BrokenSetting> {
    let mut broken = Vec::new();
    for arg in definition.get_arguments().filter(|arg| is_set(arg)) {
        let alone = with_environment(definition.clone(), &|other| other.get_id() == arg.get_id());
        let mut alone = alone.mut_args(|arg| arg.required(false));
        let Err(error) = alone.try_get_matches_from_mut(&path[path.len() - 1..]) else { continue };
        if let Err(Error::Usage { message, hint, .. }) = usage::from_clap(error, &command(), path) {
            let variable = arg.get_env().unwrap_or_default().to_string_lossy();
            let message = format!("{message} (from the environment: {variable})");
            let hint = as_url(arg).or(hint);
            broken.push(BrokenSetting::new(arg.get_id().as_str(), Rank::Environment, message, hint));
        }
    }
    broken
}

/// The `MQTT_URL` setting to use instead, if this option's variable holds a URL that the option does not
/// take.
fn as_url(arg: &Arg) -> Option<String> {
    let value = arg.get_env().and_then(std::env::var_os)?;
    let is_one = matches!(arg.get_id().as_str(), "host" | "url");
    let url = url::translated(value.to_str().filter(|text| is_one && text.contains("://"))?)?;
    Some(format!("MQTT_URL={}", shell::quoted(&url::without_secrets(&url))))
}

/// Parses one option of a file separately, so that an error can name its place. An error of an option that
/// always matters is returned at once.
fn check(bare: &clap::Command, path: &[OsString], given: &Given) -> Result<Option<BrokenSetting>, Error> {
    // Required arguments come from elsewhere.
    let mut definition = bare.clone().mut_args(|arg| arg.required(false));
    let line = path[path.len() - 1..].iter().chain(&given.words);
    let Err(error) = definition.try_get_matches_from_mut(line) else { return Ok(None) };
    let is_connection = definition
        .get_arguments()
        .find(|arg| arg.get_id() == given.id.as_str())
        .is_some_and(is_of_connection);
    match usage::from_clap(error, &command(), path) {
        Err(Error::Usage { message, hint, .. }) => {
            let message = format!("{}: {message}", given.place);
            if is_connection {
                Ok(Some(BrokenSetting::new(&given.id, given.rank, message, hint)))
            } else {
                Err(Error::usage(message).hinted(hint))
            }
        }
        other => other.map(|_| None),
    }
}
