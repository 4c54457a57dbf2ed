//! One group of options on one screen: two lines per option, as far as its text can be shortened.
//! `--help-all` and the manual page have the full texts.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::{Arg, Command};

use super::connection::{DURATIONS, NOTES};
use super::definition::MAX_HELP_WIDTH;
use super::headings::HELP;
use super::text::shown;
use super::{compat, format};
use crate::command::bench::figures_help;
use crate::error::Error;
use crate::output::{stdout_columns, wrapped};

/// The maximum column of the texts; a longer option has a line of its own.
const MOST_COLUMNS: usize = 34;
/// The gap between an option and its text.
const GAP: usize = 2;
/// The number of lines of a text, if it can be shortened.
const LINES: usize = 2;

/// The options of one group, for a screen of this number of columns.
///
/// # Errors
/// There is no such group.
pub(super) fn page(
    definition: &Command,
    name: &str,
    group: &OsString,
    columns: usize,
) -> Result<String, Error> {
    let known = groups(definition);
    let asked = group.to_str().map(str::to_lowercase).filter(|asked| known.contains(asked));
    let Some(asked) = asked else { return Err(unknown(name, group, &known)) };
    let shown: Vec<&Arg> =
        definition.get_arguments().filter(|arg| group_of(arg) == asked && !arg.is_hide_set()).collect();
    let options: Vec<String> = shown.iter().map(|arg| written(arg)).collect();
    let fitting = options.iter().map(|option| option.chars().count() + GAP);
    let begin = fitting.filter(|width| *width <= MOST_COLUMNS).max().unwrap_or(MOST_COLUMNS);
    let heading = shown.first().and_then(|arg| arg.get_help_heading()).unwrap_or("Options");
    let mut page = format!("Usage: mqtt {name} [OPTIONS]\n\n{heading}:\n");
    let mut is_cut = false;
    for (arg, option) in shown.iter().zip(&options) {
        let (lines, shorter) = text(arg, columns - begin);
        is_cut |= shorter;
        let is_beside = option.chars().count() + GAP <= begin;
        let own_line = (!is_beside).then(|| format!("{option}\n"));
        page += &own_line.unwrap_or_default();
        for (number, line) in lines.iter().enumerate() {
            let before = if number == 0 && is_beside { option } else { "" };
            let _ = writeln!(page, "{before:begin$}{line}");
        }
    }
    let has = |id: &str| definition.get_arguments().any(|arg| arg.get_id() == id);
    let end = match asked.as_str() {
        "format" if has("format") => format::parts(),
        "results" if has("fail_if") => figures_help(columns).trim_end().to_owned(),
        "connection" => DURATIONS.to_owned(),
        "profiles" if has("profile") => NOTES.to_owned(),
        _ => String::new(),
    };
    let is_cut = is_cut || asked == "format";
    let manual = name.replace(' ', "-");
    let more = is_cut.then(|| format!("With every detail: mqtt {name} --help-all, man mqtt-{manual}"));
    for part in std::iter::once(end).chain(more).filter(|part| !part.is_empty()) {
        let _ = writeln!(page, "\n{part}");
    }
    Ok(page)
}

fn unknown(name: &str, group: &OsString, known: &[String]) -> Error {
    let text = format!("mqtt {name}: unknown group of options '{}'", shown(group));
    let client = compat::names().find(|client| name == "compat" && group == *client);
    Error::usage(text).with_hint(match client {
        Some(client) => format!("mqtt compat {client} --help"),
        None if known.is_empty() => format!("mqtt {name} --help shows all there is"),
        None => format!("there are {}", known.join(", ")),
    })
}

/// The width of help: as in clap, that of the terminal, up to a readable maximum.
pub(super) fn screen_columns() -> usize {
    stdout_columns().map_or(MAX_HELP_WIDTH, |columns| usize::from(columns).min(MAX_HELP_WIDTH))
}

/// An option as it is typed, after its letter.
fn written(arg: &Arg) -> String {
    match (arg.get_short(), arg.get_long()) {
        (Some(letter), Some(_)) => format!("  -{letter}, {arg}"),
        (None, Some(_)) => format!("      {arg}"),
        _ => format!("  {arg}"),
    }
}

/// The text of an option in lines of this width, and whether it was shortened.
fn text(arg: &Arg, width: usize) -> (Vec<String>, bool) {
    let whole = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let (mut text, default) = match whole.rfind(" [default: ") {
        Some(at) => (&whole[..at], whole[at..].to_owned()),
        None => (&*whole, values(arg)),
    };
    let mut is_cut = false;
    loop {
        let lines = wrapped(&format!("{text}{default}"), width);
        // Sentences after the first are details; after it, parts are dropped if the text is still too long.
        let end = text.find(". ").or_else(|| text.rfind("; ").filter(|_| lines.len() > LINES));
        let Some(end) = end else { return (lines, is_cut) };
        text = &text[..end];
        is_cut = true;
    }
}

/// The values as the definition describes them.
fn values(arg: &Arg) -> String {
    let is_flag = !arg.get_action().takes_values();
    let shown = |label: &str, values: Vec<String>| match &values[..] {
        [] => String::new(),
        _ => format!(" [{label}: {}]", values.join(", ")),
    };
    let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
    let possible = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
    let possible = possible.map(|value| value.get_name().to_owned());
    let aliases = arg.get_visible_aliases().unwrap_or_default().into_iter().map(|alias| format!("--{alias}"));
    let hides_default = is_flag || arg.is_hide_default_value_set();
    let hides_possible = is_flag || arg.is_hide_possible_values_set();
    [
        shown("default", if hides_default { Vec::new() } else { defaults.collect() }),
        shown("alias", aliases.collect()),
        shown("possible values", if hides_possible { Vec::new() } else { possible.collect() }),
    ]
    .concat()
}

/// The names of the groups of options.
pub(super) fn groups(definition: &Command) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for arg in definition.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let group = group_of(arg);
        if arg.get_help_heading() != Some(HELP) && !found.contains(&group) && !arg.is_positional() {
            found.push(group);
        }
    }
    found
}

/// The first word of the heading: `Payload (one of)` is the group `payload`.
pub(super) fn group_of(arg: &Arg) -> String {
    let heading = arg.get_help_heading().unwrap_or("Options");
    heading.split(' ').next().unwrap_or_default().to_lowercase()
}
