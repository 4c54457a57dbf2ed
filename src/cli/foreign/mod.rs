//! The names of subcommands and options in other tools, and the names here: mosquitto's and EMQX's clients
//! (MQTTX, emqtt-bench), the HiveMQ CLI and Swarm, and `ping`.
//!
//! One table, whose first matching row counts. It is used only for words that this program does not know.

pub(super) mod table;

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::Command;

pub(super) use self::table::in_every_command;
use self::table::{COMMANDS, Foreign, ForeignCall, OPTIONS};
use super::ready::{Unready, called_by, called_names, option_in, see_help, translated, within_a_line};
use super::text::shown;
use super::{compat, secret, words};
use crate::nearest::{in_words, nearest};
use crate::notation::shell;

/// The equivalent of another tool's subcommand below this one.
pub(super) fn command(below: &str, typed: &str) -> Option<&'static ForeignCall> {
    let typed = in_words(typed);
    COMMANDS.iter().find(|row| row.below == below && row.theirs.contains(&&*typed))
}

/// The subcommands of other tools, as rows of docs/migration.md: theirs, ours, remark.
#[must_use]
pub fn foreign_commands() -> Vec<[String; 3]> {
    let row = |row: &ForeignCall| {
        let theirs = row.theirs.iter().map(|theirs| code(format!("{} {theirs}", row.below).trim_start()));
        let ours = if row.ours.is_empty() { "—".to_owned() } else { code(row.ours) };
        [theirs.collect::<Vec<_>>().join(", "), ours, row.note.to_owned()]
    };
    COMMANDS.iter().map(row).collect()
}

/// Their options likewise: theirs, the subcommands for which the row applies, ours, remark. The first
/// matching row counts.
#[must_use]
pub fn foreign_options() -> Vec<[String; 4]> {
    let codes = |words: &[&str]| words.iter().map(|word| code(word)).collect::<Vec<_>>().join(", ");
    let row = |row: &Foreign| {
        let mut theirs = codes(row.theirs);
        if !row.values.is_empty() {
            let _ = write!(theirs, " with {}", codes(row.values));
        }
        if row.is_misread {
            theirs += " with a number";
        }
        if !row.beside.is_empty() {
            let _ = write!(theirs, " beside {}", codes(row.beside));
        }
        let on = if row.on.is_empty() { "all that have ours".to_owned() } else { codes(row.on) };
        let ours = match row.ours {
            "" if row.is_unavailable => "—".to_owned(),
            "" => "nothing".to_owned(),
            ours => code(&ours.replace("{}", "VALUE")),
        };
        [theirs, on, ours, [row.why, &*changed(row)].concat()]
    };
    OPTIONS.iter().map(row).collect()
}

/// Text as code in Markdown.
fn code(text: &str) -> String {
    format!("`{text}`")
}

/// How the value of a row changes, by an example; empty if it does not change.
fn changed(row: &Foreign) -> String {
    let example = |theirs: &str| {
        let here = (row.converted)(theirs).filter(|here| here != theirs)?;
        Some(format!("`{theirs}` is `{here}` here"))
    };
    ["10", "KEY: VALUE"].into_iter().find_map(example).unwrap_or_default()
}

/// The answer to a word of another tool.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ForeignAnswer {
    pub(super) message: String,
    /// The command to type.
    pub(super) hint: String,
}

/// The answer to a line with a subcommand of another tool, whose last name is at this index.
pub(super) fn answer_command(
    program: &Command,
    line: &[OsString],
    at: usize,
    row: &ForeignCall,
) -> ForeignAnswer {
    let typed = line.get(at).map_or_else(String::new, |word| shown(word));
    let ours = row.ours;
    if ours.is_empty() {
        let (_, names) = called_by(program, line);
        let message = format!("{typed} is not available: {}", row.note);
        return ForeignAnswer { message, hint: see_help(names, line) };
    }
    let (_, names) = called_by(program, line);
    let words = std::iter::once("mqtt").chain(ours.split(' ')).map(OsString::from);
    let before = line.get(names..at).unwrap_or_default();
    let mut line: Vec<OsString> =
        words.chain(before.iter().chain(line.iter().skip(at + 1)).cloned()).collect();
    // The options of mosquitto's clients stay unchanged.
    let ready = if let Some((client, names)) = compat::called(&line) {
        for secret in compat::secrets(client, names, &line) {
            line[secret] = "…".into();
        }
        within_a_line(&line)
    } else {
        translated(program, &line).ok()
    };
    let note = if row.note.is_empty() { String::new() } else { format!("; {}", row.note) };
    ForeignAnswer {
        message: format!("{typed} is called {ours} here{note}"),
        hint: ready.unwrap_or_else(|| format!("see mqtt {ours} --help")),
    }
}

/// Our option with the same letters in another spelling.
pub(super) fn spelt_alike(definition: &Command, typed: &str) -> Option<String> {
    let letters = |name: &str| in_words(name).replace('-', "");
    let visible = definition.get_arguments().filter(|arg| !arg.is_hide_set() && typed.starts_with("--"));
    let mut names = visible.flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default());
    names.find(|long| letters(long) == letters(typed)).map(|long| format!("--{long}"))
}

/// The answer to an option that the subcommand named by the first words of the line does not know.
pub(super) fn answer_option(program: &Command, line: &[OsString], typed: &str) -> Option<ForeignAnswer> {
    let (definition, names) = called_by(program, line);
    if spelt_alike(definition, typed).is_some() {
        return None; // It is ours, in another spelling.
    }
    let at = (names..line.len()).find(|at| is_called(&line[*at], typed))?;
    let row = row(definition, names, line, at, typed)?;
    let message = if row.is_unavailable {
        format!("{typed} is not available: {}", row.why)
    } else if row.why.is_empty() {
        let ours: Vec<&str> = row.ours.split(' ').filter(|word| word.starts_with('-')).collect();
        format!("{typed} is called {} here", ours.join(" "))
    } else {
        format!("{typed} is not needed: {}", row.why)
    };
    let ready = translated(program, line);
    Some(ForeignAnswer {
        message,
        hint: ready.unwrap_or_else(|why| instead(definition, row, names, line, (at, typed), why)),
    })
}

/// The answer to an option that takes no value here and a number in another tool, if a number follows it.
pub(super) fn answer_misread(program: fn() -> Command, line: &[OsString]) -> Option<ForeignAnswer> {
    // Usually there is none, and the definition is not needed to find that out.
    (1..line.len()).find(|at| misreadable(line, *at).next().is_some())?;
    let program = program();
    let (definition, names) = called_by(&program, line);
    let (at, row) = misread(definition, names, line)?;
    let theirs = row.theirs.first()?;
    let ours = row.ours.split(' ').next()?;
    let message = format!("{theirs} with a number is called {ours} here");
    let ready = translated(&program, line);
    Some(ForeignAnswer {
        message,
        hint: ready.unwrap_or_else(|why| instead(definition, row, names, line, (at, theirs), why)),
    })
}

/// The index of such an option, and its row.
fn misread(definition: &Command, names: usize, line: &[OsString]) -> Option<(usize, &'static Foreign)> {
    let called = called_names(names, line);
    let values = words::values(definition, names, line);
    let places = (names..line.len()).filter(|at| values.iter().all(|value| value.word != *at));
    places
        .flat_map(|at| misreadable(line, at).map(move |row| (at, row)))
        .find(|(_, row)| row.on.contains(&&*called))
}

/// The rows of such options that a word of the line may be.
fn misreadable(line: &[OsString], at: usize) -> impl Iterator<Item = &'static Foreign> {
    let is_number = |word: &str| word.parse::<u64>().is_ok();
    let word = line[at].to_str().unwrap_or_default();
    let next = line.get(at + 1).and_then(|next| next.to_str());
    let has_number = move |theirs: &&str| match word.strip_prefix(theirs) {
        Some("") => next.is_some_and(is_number),
        Some(number) => is_number(number),
        None => false,
    };
    let is_misread = move |row: &&Foreign| row.is_misread && row.theirs.iter().any(has_number);
    OPTIONS.iter().filter(is_misread)
}

/// The line with our option instead of the first misread one.
pub(super) fn in_place_of_misread(
    definition: &Command,
    names: usize,
    line: &[OsString],
) -> Option<Vec<OsString>> {
    let (at, row) = misread(definition, names, line)?;
    let typed = line[at].to_str()?.get(..2)?;
    replaced(row, line, at, typed)
}

/// The first unknown option of a line: its index, and the option itself.
fn unknown_option(definition: &Command, names: usize, line: &[OsString]) -> Option<(usize, String)> {
    let at = words::unknown(definition, names, line)?;
    Some((at, option_in(&line[at])?))
}

/// The line with our options instead of the first one of another tool.
pub(super) fn in_place_of_foreign(
    definition: &Command,
    names: usize,
    line: &[OsString],
) -> Option<Vec<OsString>> {
    let (at, typed) = unknown_option(definition, names, line)?;
    let row = row(definition, names, line, at, &typed).filter(|row| !row.is_unavailable)?;
    replaced(row, line, at, &typed)
}

/// The line with our options instead of the first one that resembles one of another tool.
pub(super) fn in_place_of_misspelt(
    definition: &Command,
    names: usize,
    line: &[OsString],
) -> Option<Vec<OsString>> {
    let (at, typed) = unknown_option(definition, names, line)?;
    let name = in_words(typed.strip_prefix("--")?);
    let called = called_names(names, line);
    let fits = |row: &&Foreign| {
        (row.on.is_empty() || row.on.contains(&&*called))
            && row.values.is_empty()
            && row.beside.is_empty()
            && !row.is_unavailable
            && row.fits(definition)
    };
    // In a foreign option only one slip is accepted: with more it may be any word.
    let is_near = |theirs: &&str| strsim::osa_distance(theirs, &name) == 1;
    let long = |row: &'static Foreign| row.theirs.iter().filter_map(|theirs| theirs.strip_prefix("--"));
    let known = OPTIONS.iter().filter(fits).flat_map(long).filter(is_near);
    let [near] = nearest(&name, known)[..] else { return None };
    let row = OPTIONS.iter().filter(fits).find(|row| long(row).any(|theirs| theirs == near))?;
    replaced(row, line, at, &typed)
}

/// The long option for letters that the HiveMQ CLI writes after one dash.
pub(super) fn long_of_letters(letters: &str) -> Option<&'static str> {
    const LETTERS: [(&str, &str); 9] = [
        ("ct", "content-type"),
        ("pw", "password"),
        ("se", "session-expiry"),
        ("up", "user-property"),
        ("wd", "will-delay"),
        ("wm", "will-payload"),
        ("wq", "will-qos"),
        ("wr", "will-retain"),
        ("wt", "will-topic"),
    ];
    LETTERS.iter().find(|(theirs, _)| *theirs == letters).map(|(_, ours)| *ours)
}

/// The replacement for this option of the line, if the whole line cannot be translated.
fn instead(
    definition: &Command,
    row: &Foreign,
    names: usize,
    line: &[OsString],
    (at, typed): (usize, &str),
    Unready { unknown }: Unready,
) -> String {
    let help = see_help(names, line);
    let Some(unknown) = unknown.filter(|unknown| unknown != typed) else { return help };
    let is_secret = |option: &str| {
        let mut args = definition.get_arguments();
        args.any(|arg| words::is_called(arg, option) && secret::kind(arg).is_some())
    };
    let hides = row.ours.split(' ').any(is_secret);
    let value = value_of(line, at, typed).0.and_then(|value| (row.converted)(&value));
    let value = value.map(|value| if hides { "…".to_owned() } else { shell::quoted(&shown(value.as_ref())) });
    let ours = match value {
        Some(value) => row.ours.replace("{}", &value),
        None if row.ours.contains("{}") => return help,
        None => row.ours.to_owned(),
    };
    let ours = if ours.is_empty() { format!("leave out {typed}") } else { format!("write {ours}") };
    format!("{ours}; {unknown} is unknown, too: {help}")
}

/// Whether a word is this option, or contains its letter.
pub(super) fn is_called(word: &OsString, typed: &str) -> bool {
    let word = word.to_string_lossy();
    match typed.strip_prefix("--") {
        Some(_) => word.split('=').next() == Some(typed),
        None => typed
            .strip_prefix('-')
            .is_some_and(|letter| word.starts_with('-') && !word.starts_with("--") && word.contains(letter)),
    }
}

/// The row for an option in a word of the line.
fn row(
    definition: &Command,
    names: usize,
    line: &[OsString],
    at: usize,
    typed: &str,
) -> Option<&'static Foreign> {
    let called = called_names(names, line);
    let name = if typed.starts_with("--") { in_words(typed) } else { typed.to_owned() };
    let (value, _) = value_of(line, at, typed);
    let value = value.map(|value| value.to_lowercase());
    OPTIONS.iter().find(|row| {
        row.theirs.contains(&&*name)
            && (row.on.is_empty() || row.on.contains(&&*called))
            && (row.values.is_empty() || value.as_ref().is_some_and(|value| row.values.contains(&&**value)))
            && (row.beside.is_empty() || line[names..].iter().any(|word| is_one_of(word, row.beside)))
            && row.fits(definition)
    })
}

fn is_one_of(word: &OsString, options: &[&str]) -> bool {
    word.to_str().is_some_and(|word| options.contains(&word.split('=').next().unwrap_or_default()))
}

/// The value of an option in the same word or the next one, and the number of words of both.
fn value_of(line: &[OsString], at: usize, typed: &str) -> (Option<String>, usize) {
    let word = line[at].to_string_lossy();
    let rest = &word[typed.len().min(word.len())..];
    if !rest.is_empty() {
        return (Some(rest.trim_start_matches('=').to_owned()), 1);
    }
    match line.get(at + 1).map(|next| next.to_string_lossy().into_owned()) {
        Some(next) if !next.starts_with('-') => (Some(next), 2),
        _ => (None, 1),
    }
}

/// The line with the options of a row instead of the word; `None` if the required value is missing.
fn replaced(row: &Foreign, line: &[OsString], at: usize, typed: &str) -> Option<Vec<OsString>> {
    let (value, taken) = value_of(line, at, typed);
    let says_so = value.as_ref().is_some_and(|value| ["true", "false"].contains(&value.as_str()));
    let taken = if row.takes_value || says_so { taken } else { 1 };
    let value = value.and_then(|value| (row.converted)(&value));
    if row.ours.contains("{}") && value.is_none() {
        return None;
    }
    let value = value.unwrap_or_default();
    let (before, after) = (&line[..at], &line[line.len().min(at + taken)..]);
    let mut ours: Vec<OsString> = Vec::new();
    let mut words = row.ours.split(' ').filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        // The typed value counts, and not that of an example.
        let example =
            words.next_if(|next| word.starts_with('-') && !next.starts_with('-') && !next.contains("{}"));
        let is_given = || before.iter().chain(after).any(|other| is_one_of(other, &[word]));
        if example.is_some() && is_given() {
            continue;
        }
        ours.extend([word].into_iter().chain(example).map(|word| word.replace("{}", &value).into()));
    }
    Some([before, &ours, after].concat())
}
