//! Converts clap's errors to this program's format: one line with the error, and a hint.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::repeated::Repeated;
use super::secret::{self, SecretKind};
use super::text::shown;
use super::url::{host_alone, without_secrets};
use super::{foreign, manual, ready, slips, words};
use crate::error::Error;
use crate::nearest::{did_you_mean, nearest};

/// Letters of `pub` and `sub` for which other subcommands may have only the long name.
const LETTERS: [(&str, &str); 2] = [("-t", "topic"), ("-q", "qos")];

/// Converts clap's result: the requested text, or an error.
pub(super) fn from_clap(
    mut error: clap::Error,
    command: &Command,
    arguments: &[OsString],
) -> Result<String, Error> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Ok(error.render().to_string());
    }
    let (is_host, kind) = refused(&error, called(command, arguments).last().copied().unwrap_or(command));
    let repeated = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => {
            Repeated::of_value(value, is_host || kind == Some(SecretKind::Url))
        }
        _ => Repeated::default(),
    };
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        let value = match kind {
            // A missing value is no secret.
            _ if value.is_empty() => String::new(),
            // A misspelt header is not shown either: it may hold a token.
            Some(SecretKind::Whole | SecretKind::Header | SecretKind::Property) => "…".to_owned(),
            Some(SecretKind::Url) => shown(host_alone(&without_secrets(value)).as_ref()),
            // It may be a URL without its scheme.
            None if is_host => shown(host_alone(&without_secrets(value)).as_ref()),
            None => shown(OsStr::new(&*stray(value))),
        };
        error.insert(ContextKind::InvalidValue, ContextValue::String(value));
    } else if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) {
        // A URL at an unexpected place.
        let argument = stray(argument).into_owned();
        error.insert(ContextKind::InvalidArg, ContextValue::String(argument));
    }
    Err(repeated.left_out_of(explained(&error, command, arguments)))
}

/// The error with a hint.
fn explained(error: &clap::Error, command: &Command, arguments: &[OsString]) -> Error {
    let path = called(command, arguments);
    let subcommand = path.last().copied();
    if error.kind() == ErrorKind::InvalidSubcommand {
        return unknown_command(command, arguments, path.len() + 1);
    }
    if let Some(foreign::ForeignAnswer { message, hint }) = foreign(error, command, &path, arguments) {
        return Error::usage(message).with_hint(hint);
    }
    let text = error.render().to_string();
    let mut message = message(&text);
    let about = involved(error, subcommand.unwrap_or(command));
    let names: Vec<_> = path.iter().map(|command| format!("{} ", command.get_name())).collect();
    let help = format!("see mqtt {}--help", names.concat());
    let typed = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(typed))) => Some(typed.as_str()),
        _ => None,
    };
    let known = subcommand.zip(typed).map(|(command, typed)| (command, path.len() + 1, typed));
    let mut tip = long_name(error, subcommand)
        .or_else(|| misplaced(error, &path, arguments))
        .or_else(|| {
            known.and_then(|(command, at, typed)| slips::dashed_message(command, at, arguments, typed))
        })
        .or_else(|| value_taken(error, subcommand?, path.len() + 1, arguments))
        .or_else(|| without_value(error, subcommand, &names.concat(), arguments))
        .or_else(|| after_command(error, &path, command, arguments))
        .or_else(|| similar(error, subcommand.unwrap_or(command), command, arguments))
        .or_else(|| refused_value(error, command, arguments));
    if let Some(both) = conflict(error) {
        message = both;
    } else if let Some((refusal, reason)) = takes_no_value(error) {
        (message, tip) = (refusal, Some(reason));
    } else if let Some((refusal, missing)) =
        subcommand.and_then(|command| lacking(error, command, &path, arguments))
    {
        (message, tip) = (refusal, Some(missing));
    } else if let Some((refusal, reason)) = known
        .filter(|_| tip.is_none())
        .and_then(|(command, at, typed)| slips::superfluous(command, at, arguments, typed))
    {
        (message, tip) = (refusal, Some(reason));
    } else if let Some((refusal, takers)) = of_another_mode(error, &path) {
        (message, tip) = (refusal, takers.or(tip));
    }
    Error::usage(message).with_hint(tip.unwrap_or(help)).about(about)
}

/// The error for the word at this place of the line, which is not a subcommand, with a hint.
pub(super) fn unknown_command(program: &Command, line: &[OsString], at: usize) -> Error {
    let typed = line.get(at).map_or_else(String::new, |word| shown(word));
    let is_program = at == 1;
    let above = called(program, line).last().copied().filter(|_| !is_program).unwrap_or(program);
    if let Some(row) = foreign::command(if is_program { "" } else { above.get_name() }, &typed) {
        let foreign::ForeignAnswer { message, hint } = foreign::answer_command(program, line, at, row);
        return Error::usage(message).with_hint(hint);
    }
    let names = above.get_subcommands().map(Command::get_name);
    let words = ["version", "help"].into_iter().filter(|_| is_program);
    let near = nearest(&typed, names.chain(words)).into_iter().filter(|name| *name != typed);
    let near: Vec<String> = near.map(Into::into).collect();
    let meant = match &near[..] {
        [name] => {
            let mut meant = line.to_vec();
            meant[at] = name.into();
            ready::translated(program, &meant).ok()
        }
        _ => None,
    };
    let names = line[1..at].iter().filter_map(|name| name.to_str()).map(|name| format!("{name} "));
    let hint = asked_with(did_you_mean(&near), meant)
        .unwrap_or_else(|| format!("see mqtt {}--help", names.collect::<String>()));
    Error::usage(format!("unrecognized subcommand '{}'", stray(&typed))).with_hint(hint)
}

/// The hint for a word of another tool.
fn foreign(
    error: &clap::Error,
    program: &Command,
    path: &[&Command],
    arguments: &[OsString],
) -> Option<foreign::ForeignAnswer> {
    let ContextValue::String(typed) = error.get(ContextKind::InvalidArg)? else { return None };
    let command = path.last()?;
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let names = path.len() + 1;
    if !typed.starts_with('-') {
        let row = foreign::command(command.get_name(), typed)?;
        let at = (names..arguments.len()).find(|at| arguments[*at] == **typed)?;
        return Some(foreign::answer_command(program, arguments, at, row));
    }
    foreign::answer_option(program, arguments, typed)
}

/// The hint if an option's value is refused because it is the name of another option.
fn value_taken(error: &clap::Error, command: &Command, names: usize, line: &[OsString]) -> Option<String> {
    let ContextValue::String(value) = error.get(ContextKind::InvalidValue)? else { return None };
    slips::taken(command, names, line, value)
}

/// The error for a value after `=` if the option takes none.
fn takes_no_value(error: &clap::Error) -> Option<(String, String)> {
    let (ContextValue::String(option), ContextValue::String(value)) =
        (error.get(ContextKind::InvalidArg)?, error.get(ContextKind::InvalidValue)?)
    else {
        return None;
    };
    let refusal = || format!("{option} takes no value, and '{}' is given", shown(value.as_ref()));
    (error.kind() == ErrorKind::TooManyValues)
        .then(|| (refusal(), format!("write {option} alone, or leave it out")))
}

/// The error for a missing argument: the option that needs it, or else an example of a complete call.
fn lacking(
    error: &clap::Error,
    command: &Command,
    path: &[&Command],
    line: &[OsString],
) -> Option<(String, String)> {
    let ContextValue::Strings(missing) = error.get(ContextKind::InvalidArg)? else { return None };
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return None;
    }
    let missing = missing.join(", ");
    let names: Vec<&str> = path.iter().map(|command| command.get_name()).collect();
    let is_missing_without = |words: std::ops::Range<usize>| {
        let rest: Vec<&OsString> =
            (path.len()..line.len()).filter(|at| !words.contains(at)).map(|at| &line[at]).collect();
        let read = command.clone().try_get_matches_from(rest);
        read.is_err_and(|error| error.kind() == ErrorKind::MissingRequiredArgument)
    };
    let values = words::values(command, path.len() + 1, line);
    let options = (path.len() + 1..line.len()).filter(|at| line[*at].as_encoded_bytes().starts_with(b"-"));
    let needs = options.into_iter().find(|at| {
        let has_value = values.iter().any(|value| value.from == 0 && value.word == at + 1);
        !is_missing_without(*at..at + 1 + usize::from(has_value))
    });
    if let Some(at) = needs {
        let option = shown(&line[at]);
        let option = option.split('=').next().unwrap_or_default();
        let ready = completed(command, path.len() + 1, line, &missing);
        let see_help = || format!("see mqtt {} --help", names.join(" "));
        return Some((format!("{option} needs {missing}"), ready.unwrap_or_else(see_help)));
    }
    let manual = manual(&format!("mqtt {}", names.join(" ")));
    let (_, example) = manual.examples.first()?;
    Some((format!("{missing} is missing"), format!("for example: {example}")))
}

/// The line with the option that it lacks, with a placeholder as its value: `--repeat <COUNT|forever>`.
fn completed(command: &Command, names: usize, line: &[OsString], missing: &str) -> Option<String> {
    let (option, value) = missing.split_once(" <")?;
    let is_word = |one: &&str| one.chars().all(|letter| letter.is_ascii_lowercase());
    let word = value.strip_suffix('>')?.split('|').find(is_word)?;
    let (called, rest) = line.split_at_checked(names)?;
    let added = [OsString::from(option), word.into()];
    ready::accepted(command, names, &[called, &added, rest].concat())
}

/// The hint for an option without its value: a letter that other programs use for help or the version, or a
/// value that the shell has removed.
fn without_value(
    error: &clap::Error,
    command: Option<&Command>,
    names: &str,
    line: &[OsString],
) -> Option<String> {
    let ContextValue::String(argument) = error.get(ContextKind::InvalidArg)? else { return None };
    let is_empty =
        matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if value.is_empty());
    if error.kind() != ErrorKind::InvalidValue || !is_empty {
        return None;
    }
    match argument.split(' ').next()? {
        "--host" => Some(format!("-h takes the host of the broker; for help: mqtt {names}--help")),
        "--password" => {
            Some("--password-prompt asks for it, and --password-file reads it from a file".into())
        }
        "--protocol-version" => {
            Some("-V takes the version of MQTT, such as -V 5; for that of this program: mqtt version".into())
        }
        option => {
            let arg = command?.get_arguments().find(|arg| words::is_called(arg, option))?;
            let is_filter = arg.get_value_names()?.iter().any(|name| name == "FILTER");
            // In a shell, a word that begins with # starts a comment.
            let option = arg.get_short().map_or_else(|| option.to_owned(), |letter| format!("-{letter}"));
            let whole = [line, &["#".into()]].concat();
            let whole = ready::accepted(command?, names.split_whitespace().count() + 1, &whole);
            let whole = whole.unwrap_or_else(|| format!("mqtt {names}{option} '#'"));
            is_filter.then(|| format!("# needs quotes in a shell: {whole}"))
        }
    }
}

/// The hint that options come after the subcommand.
fn after_command(
    error: &clap::Error,
    path: &[&Command],
    program: &Command,
    arguments: &[OsString],
) -> Option<String> {
    let ContextValue::String(typed) = error.get(ContextKind::InvalidArg)? else { return None };
    let is_one = |command: &Command| command.get_arguments().any(|arg| words::is_called(arg, typed));
    let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(command) = path.last() else {
        let is_known = program.get_subcommands().any(is_one);
        return is_known.then(|| format!("options follow the command: mqtt COMMAND {typed}"));
    };
    let early = arguments.iter().skip(1).take_while(|word| is_option(word));
    let is_early = early.into_iter().any(|word| word == typed.as_str());
    let names: Vec<&str> = path.iter().map(|command| command.get_name()).collect();
    (is_early && is_one(command))
        .then(|| format!("options follow the command: mqtt {} {typed}", names.join(" ")))
}

/// A question whether a name is meant, with the line to type if it is.
fn asked_with(question: Option<String>, ready: Option<String>) -> Option<String> {
    let question = question?;
    Some(match ready {
        Some(ready) => format!("{question} {ready}"),
        None => question,
    })
}

/// The option or value with a name similar to a misspelt one.
fn similar(error: &clap::Error, command: &Command, program: &Command, line: &[OsString]) -> Option<String> {
    let string = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let near = ready::near_options(command, string(ContextKind::InvalidArg)?);
            let meant = if near.len() == 1 { ready::repaired(program, line) } else { None };
            match did_you_mean(&near) {
                Some(question) => asked_with(Some(question), meant),
                None => ready::repaired(program, line),
            }
        }
        ErrorKind::InvalidValue => {
            let Some(ContextValue::Strings(valid)) = error.get(ContextKind::ValidValue) else { return None };
            let typed = string(ContextKind::InvalidValue)?;
            let near: Vec<String> =
                nearest(typed, valid.iter().map(String::as_str)).into_iter().map(Into::into).collect();
            did_you_mean(&near)
        }
        _ => None,
    }
}

/// The line with the refused value in the format that this program takes, if there is one.
fn refused_value(error: &clap::Error, program: &Command, line: &[OsString]) -> Option<String> {
    matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation)
        .then(|| ready::repaired(program, line))?
}

/// Whether the option with the refused value names a host, and which part of the value is secret.
fn refused(error: &clap::Error, command: &Command) -> (bool, Option<SecretKind>) {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return (false, None) };
    // clap can display arguments only after their command is built.
    let mut command = command.clone();
    command.build();
    let arg = command.get_arguments().find(|arg| arg.to_string() == *option);
    let is_host = |arg: &Arg| {
        let names = arg.get_value_names().unwrap_or_default();
        arg.get_id() == "host" || names.iter().any(|name| name == "HOST")
    };
    arg.map_or((false, None), |arg| (is_host(arg), secret::kind(arg)))
}

/// The long option for a letter that the subcommand does not have.
fn long_name(error: &clap::Error, subcommand: Option<&Command>) -> Option<String> {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return None };
    let (_, name) = LETTERS.iter().find(|(letter, _)| typed == letter)?;
    let is_there = subcommand?.get_arguments().any(|argument| argument.get_long() == Some(*name));
    (error.kind() == ErrorKind::UnknownArgument && is_there).then(|| format!("use --{name}"))
}

/// Why a word was not read as a value: the option before it has taken another one, or takes its value only
/// after `=`.
fn misplaced(error: &clap::Error, path: &[&Command], arguments: &[OsString]) -> Option<String> {
    let ContextValue::String(typed) = error.get(ContextKind::InvalidArg)? else { return None };
    let command = path.last()?;
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let word = |at: usize| arguments.get(at)?.to_str();
    let option = |word: &str| command.get_arguments().find(|arg| words::is_called(arg, word));
    let at = (1..arguments.len()).find(|at| word(*at) == Some(typed))?;
    let before = word(at - 1)?;
    if option(before).is_some_and(Arg::is_require_equals_set) {
        return Some(format!("its value follows '=': {before}={}", shown(typed.as_ref())));
    }
    let values = words::values(command, path.len() + 1, arguments);
    let value = values
        .iter()
        .find(|one| one.word == at - 1 && one.from == 0 && one.number == 0 && option(before).is_some())?;
    let taker = word(value.word.checked_sub(1)?)?;
    Some(format!("{taker} has taken '{before}' as its value: is the value of {taker} missing?"))
}

/// The message of clap's text: from `error: ` to the first empty line. clap's tips are left out: too many are
/// wrong.
fn message(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.trim().is_empty());
    let message = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    message.strip_prefix("error: ").map(str::to_owned).unwrap_or(message)
}

/// The subcommand that was being parsed and, for `bench`, its mode.
fn called<'a>(mut command: &'a Command, arguments: &[OsString]) -> Vec<&'a Command> {
    let is_option = |argument: &&OsString| argument.as_encoded_bytes().starts_with(b"-");
    let mut names = arguments.iter().skip(1).skip_while(is_option);
    let mut path = Vec::new();
    while let Some(subcommand) = names.next().and_then(|name| command.find_subcommand(name)) {
        path.push(subcommand);
        command = subcommand;
    }
    path
}

/// The identifiers of the options that exclude each other, or of which one needs the others.
fn involved(error: &clap::Error, command: &Command) -> Vec<String> {
    let named =
        [ContextKind::InvalidArg, ContextKind::PriorArg].into_iter().filter_map(|kind| error.get(kind));
    let named = named.flat_map(|shown| match shown {
        ContextValue::String(one) => std::slice::from_ref(one),
        ContextValue::Strings(several) => several,
        _ => &[],
    });
    let named: Vec<&str> = named.filter_map(|shown| shown.split(' ').next()).collect();
    let is_named = |arg: &&Arg| named.iter().any(|name| words::is_called(arg, name));
    command.get_arguments().filter(is_named).map(|arg| arg.get_id().to_string()).collect()
}

/// The error for two options that exclude each other.
fn conflict(error: &clap::Error) -> Option<String> {
    let name = |kind| match error.get(kind)? {
        ContextValue::String(shown) => Some(shown.clone()),
        ContextValue::Strings(shown) => shown.first().cloned(),
        _ => None,
    };
    let without_value = |shown: String| shown.split(' ').next().map(str::to_owned);
    let one = name(ContextKind::PriorArg).and_then(without_value)?;
    let other = name(ContextKind::InvalidArg).and_then(without_value)?;
    (error.kind() == ErrorKind::ArgumentConflict)
        .then(|| format!("{other} and {one} cannot be used together"))
}

/// The error and hint for an argument that this mode does not take but others do; the hint names them.
fn of_another_mode(error: &clap::Error, path: &[&Command]) -> Option<(String, Option<String>)> {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return None };
    let modes = path.iter().find(|command| command.has_subcommands())?;
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let own = path.last()?.get_name();
    let has = |arg: &Arg| match (typed.strip_prefix("--"), typed.strip_prefix('-')) {
        (Some(long), _) => arg.get_long() == Some(long) && !arg.is_hide_set(),
        (None, Some(letter)) => {
            letter.chars().eq(arg.get_short()) && arg.get_short().is_some() && !arg.is_hide_set()
        }
        (None, None) => arg.is_positional(),
    };
    if path.last()?.get_arguments().any(has) {
        return None; // It is at the wrong place.
    }
    let takers = modes.get_subcommands().filter(|mode| mode.get_arguments().any(has));
    let takers: Vec<&str> = takers.map(Command::get_name).collect();
    let listed = match &takers[..] {
        [] => return None,
        [others @ .., last] if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        takers => takers.concat(),
    };
    Some(if typed.starts_with('-') {
        (format!("{own} does not take {typed}"), Some(format!("{typed} is allowed with {listed}")))
    } else {
        (format!("{own} does not take '{}': only {listed} takes arguments", shown(typed.as_ref())), None)
    })
}

/// A value that may be a URL, without the secrets of one.
fn stray(value: &str) -> Cow<'_, str> {
    if value.contains("://") { without_secrets(value).into() } else { value.into() }
}
