//! The part of a line that is being typed.

use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, Command};

use super::offer::{Completion, Offer, Word};
use super::values;
use crate::cli::compat::ClientWord;
use crate::cli::subcommand::Entry;
use crate::cli::table::{SUBCOMMANDS, command};
use crate::cli::{compat, group, words};
use crate::manner::Program;

/// The possible completions of the last word, if known.
pub(super) fn offer(line: &[OsString]) -> Option<Completion> {
    let (last, before) = line.split_last()?;
    let last = last.to_str()?;
    let whole = |offer| Some(Completion { prefix: String::new(), value: last.to_owned(), offer });
    if before.get(1).is_some_and(|word| word == "help") {
        return whole(Offer::Words(after_help(before)?));
    }
    if let Some((client, names)) = compat::called(before) {
        return of_client(client, names, line);
    }
    let Some((entry, names)) = Entry::called(SUBCOMMANDS, before) else {
        let is_first = before.len() == 1;
        return if is_first { whole(Offer::Words(first_words(last))) } else { None };
    };
    let definition = entry.whole();
    let values = words::values(&definition, names, line);
    let at = line.len() - 1;
    let is_value = |at: usize| values.iter().any(|value| value.word == at && value.from == 0);
    if let Some(value) = values.iter().find(|value| value.word == at) {
        let (prefix, typed) = last.split_at_checked(value.from)?;
        let offer = values::of(&definition, value.arg, value.number, names, line)?;
        return Some(Completion { prefix: prefix.to_owned(), value: typed.to_owned(), offer });
    }
    let end = (names..at).find(|at| line[*at] == "--" && !is_value(*at));
    // A program to be run.
    if let Some(program) = end.map(|end| end + 1).filter(|program| *program < at)
        && Path::new(&line[program]).file_stem().is_some_and(|name| name == "mqtt")
    {
        return self::offer(&line[program..]);
    }
    let before = before.last()?.to_str()?;
    if end.is_none() && ["--help", "-?"].contains(&before) && !is_value(at - 1) && !last.starts_with('-') {
        return whole(Offer::Words(groups(&definition)));
    }
    if end.is_none() && last.starts_with('-') {
        return whole(Offer::Words(options(&definition, last)));
    }
    let is_operand = |at: &usize| {
        !is_value(*at)
            && end != Some(*at)
            && (end.is_some_and(|end| *at > end) || !line[*at].as_encoded_bytes().starts_with(b"-"))
    };
    let is_behind = end.is_some() && definition.get_positionals().any(Arg::is_last_set);
    let first = end.filter(|_| is_behind).unwrap_or(names);
    let number = (first..at).filter(is_operand).count();
    if number == 0 && definition.has_subcommands() && end.is_none() {
        let mut modes = subcommands(&definition);
        if entry.name == "compat" {
            modes.extend(Word::plain(compat::names()));
        }
        return whole(Offer::Words(modes));
    }
    let operands: Vec<&Arg> =
        definition.get_positionals().filter(|arg| arg.is_last_set() == is_behind).collect();
    let is_many = |arg: &Arg| {
        arg.get_num_args().is_some_and(|range| range.max_values() > 1)
            || matches!(arg.get_action(), clap::ArgAction::Append)
    };
    let operand = match operands.get(number) {
        Some(operand) => operand,
        None => operands.last().filter(|operand| is_many(operand))?,
    };
    whole(values::of(&definition, operand, number, names, line)?)
}

/// The options of mosquitto's clients, and their values, which are those of the subcommand with the same
/// letters.
fn of_client(client: Program, names: usize, line: &[OsString]) -> Option<Completion> {
    let typed = line.last()?.to_str()?;
    let whole = |offer| Some(Completion { prefix: String::new(), value: typed.to_owned(), offer });
    match compat::last_word(client, names, line) {
        ClientWord::Option if typed.is_empty() || typed.starts_with('-') => {
            let word = |(name, help): (&str, &str)| Word::new(name, help);
            whole(Offer::Words(compat::options(client).map(word).collect()))
        }
        ClientWord::Option => None,
        ClientWord::Value { option, number } => {
            let entry = compat::entry(client);
            let definition = SUBCOMMANDS.iter().find(|one| one.name == entry)?.whole();
            let arg = definition.get_arguments().find(|arg| words::is_called(arg, option))?;
            whole(values::of(&definition, arg, number, names, line)?)
        }
    }
}

/// The words that may follow the program's name.
fn first_words(typed: &str) -> Vec<Word> {
    let mut program = command();
    program.build();
    if typed.starts_with('-') {
        return options(&program, typed);
    }
    let mut words = subcommands(&program);
    words.push(Word::new("help", "Print help of a command"));
    words.push(Word::new("version", "Print version"));
    words
}

/// The words that may follow `mqtt help` and these words.
fn after_help(before: &[OsString]) -> Option<Vec<Word>> {
    let line: Vec<OsString> = before[..1].iter().chain(&before[2..]).cloned().collect();
    if line.len() == 1 {
        return Some(subcommands(&command()));
    }
    let (entry, names) = Entry::called(SUBCOMMANDS, &line).filter(|(_, names)| *names == line.len())?;
    let definition = entry.whole();
    let mut words = if names == 2 { subcommands(&definition) } else { Vec::new() };
    words.extend(groups(&definition));
    Some(words)
}

fn groups(definition: &Command) -> Vec<Word> {
    let groups = group::groups(definition);
    groups.iter().map(|group| Word::new(group, &format!("Options of the group {group}"))).collect()
}

fn subcommands(command: &Command) -> Vec<Word> {
    let word = |one: &Command| {
        Word::new(one.get_name(), &one.get_about().map(ToString::to_string).unwrap_or_default())
    };
    command.get_subcommands().filter(|one| !one.is_hide_set()).map(word).collect()
}

/// The options: long names, and letters only if there is no long name.
fn options(definition: &Command, typed: &str) -> Vec<Word> {
    let visible = definition.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional());
    let word = |arg: &Arg| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let needs_value = if arg.is_require_equals_set()
            && arg.get_num_args().is_some_and(|range| range.min_values() > 0)
        {
            "="
        } else {
            ""
        };
        let name = match (arg.get_long(), arg.get_short()) {
            (Some(long), _) => format!("--{long}{needs_value}"),
            (None, Some(letter)) => format!("-{letter}"),
            (None, None) => return None,
        };
        Some(Word::new(name, &help))
    };
    let words = visible.filter_map(word).filter(|word| word.text.starts_with(typed));
    words.collect()
}
