//! The requested help: one screen with common options, one group of options, or everything.

use std::ffi::OsString;

use clap::Command;

use super::group::{groups, page, screen_columns};
use super::subcommand::Entry;
use super::table::{SUBCOMMANDS, command};
use super::{manual, reference, usage, words};
use crate::error::Error;
use crate::output::wrapped;

/// The requested part of a subcommand's help.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    /// The common options.
    Brief,
    /// The options of one group.
    Group(OsString),
    /// All options with all details.
    All,
}

impl Asked {
    /// The part requested by a word after `--help`.
    fn of(word: &OsString) -> Self {
        match word.to_str() {
            Some("all") => Self::All,
            Some("" | "help") => Self::Brief,
            _ => Self::Group(word.clone()),
        }
    }
}

/// The help that a line requests, for the subcommand that its first words name. Errors in the rest of the
/// line are ignored.
///
/// # Errors
/// A group that the subcommand does not have.
pub(super) fn asked_for(names: usize, line: &[OsString]) -> Option<Result<String, Error>> {
    let (entry, _) = Entry::called(SUBCOMMANDS, line)?;
    let definition = entry.definition();
    let values = words::values(&definition, names, line);
    let is_value = |at: usize| values.iter().any(|value| value.word == at);
    let options = (names..line.len()).take_while(|at| line[*at] != "--" || is_value(*at));
    let group =
        |at: usize| line[at].to_str().and_then(|word| word.strip_prefix("--help=")).map(OsString::from);
    let at = options.filter(|at| !is_value(*at)).find(|at| {
        ["--help", "--help-all", "-?"].iter().any(|help| line[*at] == *help) || group(*at).is_some()
    })?;
    let asked = match (group(at), line.get(at + 1)) {
        (Some(group), _) => Asked::of(&group),
        _ if line[at] == "--help-all" => Asked::All,
        (None, Some(word)) if !word.as_encoded_bytes().starts_with(b"-") => Asked::of(word),
        _ => Asked::Brief,
    };
    let called: Vec<&str> = line[1..names].iter().filter_map(|name| name.to_str()).collect();
    Some(text(&called, &asked, None))
}

/// The help that the words after `mqtt help` request: of the program, of a subcommand, or of one group of its
/// options.
///
/// # Errors
/// A word that names neither a subcommand nor a group.
pub(super) fn of_words(words: &[OsString]) -> Result<String, Error> {
    of_words_in(words, None)
}

/// The output of `mqtt help` with these words, in this number of columns.
///
/// # Errors
/// A word that names neither a subcommand nor a group.
pub fn help_of(words: &[&str], columns: usize) -> Result<String, Error> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    of_words_in(&words, Some(columns))
}

fn of_words_in(words: &[OsString], columns: Option<usize>) -> Result<String, Error> {
    let is_option = |word: &&OsString| word.as_encoded_bytes().starts_with(b"-");
    let is_all = words.iter().any(|word| word == "--help-all");
    let is_json = words.iter().any(|word| word == "--json");
    let program = [OsString::from("mqtt")];
    let line: Vec<OsString> =
        program.iter().chain(words.iter().filter(|word| !is_option(word))).cloned().collect();
    let names = Entry::called(SUBCOMMANDS, &line).map_or(1, |(_, names)| names);
    let called: Vec<&str> = line[1..names].iter().filter_map(|name| name.to_str()).collect();
    let asked = match line.get(names) {
        None if is_json => return Ok(reference::json(&called)),
        None if is_all => Asked::All,
        None => Asked::Brief,
        // Words in the place of a subcommand.
        Some(word) if called.is_empty() && (word == "help" || word == "version") => Asked::Brief,
        Some(word) => Asked::of(word),
    };
    let word = match &asked {
        Asked::Group(word) if called.is_empty() => word.to_string_lossy(),
        _ => return text(&called, &asked, columns),
    };
    let mut program = command();
    program.build();
    let group = word.to_lowercase();
    let has = |subcommand: &&Command| groups(subcommand).contains(&group);
    let mut having = program.get_subcommands().filter(has).map(Command::get_name);
    let Some(first) = having.next() else { return Err(usage::unknown_command(&program, &line, 1)) };
    let help = text(&[first], &Asked::Group(group.clone().into()), columns)?;
    let others: Vec<&str> = having.collect();
    if others.is_empty() {
        return Ok(help);
    }
    let others = format!("Others with this group: {}", others.join(", "));
    let others = wrapped(&others, columns.unwrap_or_else(screen_columns));
    Ok(format!("{help}\n{}\n", others.join("\n")))
}

fn text(called: &[&str], asked: &Asked, columns: Option<usize>) -> Result<String, Error> {
    let mut program = command();
    if let Some(columns) = columns {
        program = program.term_width(columns);
    }
    program.build();
    let mut definition = &program;
    for name in called {
        let Some(subcommand) = definition.find_subcommand(name) else { break };
        definition = subcommand;
    }
    let mut definition = definition.clone();
    if called.is_empty() {
        let is_all = *asked == Asked::All;
        let help = if is_all { definition.render_long_help() } else { definition.render_help() };
        return Ok(help.to_string());
    }
    let name = called.join(" ");
    match asked {
        Asked::All => Ok(definition.render_long_help().to_string()),
        Asked::Brief => Ok(brief(definition, &name).render_help().to_string()),
        Asked::Group(group) => page(&definition, &name, group, columns.unwrap_or_else(screen_columns)),
    }
}

/// The common options in one list.
fn brief(definition: Command, name: &str) -> Command {
    let manual = manual(&format!("mqtt {name}"));
    let examples = manual.examples_in_help();
    if manual.common.is_empty() {
        return definition;
    }
    let groups = groups(&definition).join(", ");
    let more = format!(
        "More: mqtt {name} --help GROUP, all: mqtt {name} --help-all, man mqtt-{}\nGroups: {groups}",
        name.replace(' ', "-")
    );
    definition
        .mut_args(|arg| {
            let is_shown = manual.is_common(arg.get_id().as_str()) || arg.is_positional();
            if is_shown { arg.help_heading(None::<&str>) } else { arg.hide(true) }
        })
        .after_help(format!("{examples}\n\n{more}"))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn help(line: &str) -> String {
        let line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let (_, names) = Entry::called(SUBCOMMANDS, &line).unwrap();
        match asked_for(names, &line) {
            Some(Ok(text)) => text,
            Some(Err(error)) => error.to_string(),
            None => "none".into(),
        }
    }

    #[test]
    fn common_options_exist() {
        let mut all = command();
        all.build();
        let modes = all.get_subcommands().flat_map(Command::get_subcommands);
        for subcommand in all.get_subcommands().chain(modes) {
            let called = subcommand.get_bin_name().unwrap();
            for id in manual(called).common {
                let exists = subcommand.get_arguments().any(|arg| arg.get_id() == *id);
                assert!(exists, "{called} has no option {id}");
            }
        }
    }

    /// Each group fits a screen.
    #[test]
    fn every_group_fits_a_screen() {
        const LINES: usize = 40;
        const COLUMNS: usize = 80;
        let mut all = command();
        all.build();
        let modes = all.get_subcommands().flat_map(Command::get_subcommands);
        let mut asked = Vec::new();
        for subcommand in all.get_subcommands().chain(modes) {
            let called = subcommand.get_bin_name().unwrap().trim_start_matches("mqtt ");
            for group in groups(subcommand) {
                asked.extend([format!("{called} {group}"), group]);
            }
        }
        assert!(asked.len() > 200, "{}", asked.len());
        let mut failures = String::new();
        for line in asked {
            let words: Vec<&str> = line.split(' ').collect();
            let text = help_of(&words, COLUMNS).unwrap_or_else(|error| error.to_string());
            let (lines, columns) =
                (text.lines().count(), text.lines().map(|line| line.chars().count()).max());
            if lines > LINES || columns > Some(COLUMNS) {
                let _ = writeln!(failures, "mqtt help {line}: {lines} lines, {columns:?} columns\n{text}");
            }
        }
        assert!(failures.is_empty(), "{failures}");
    }

    #[test]
    fn help_is_found_at_any_place() {
        for (line, words) in [
            ("mqtt pub --help", "Groups: options, properties, payload, lines, records,"),
            ("mqtt pub -q 9 --nosuch -?", "Groups: options,"),
            ("mqtt pub --help-all", "--will-delay"),
            ("mqtt pub -t a --help tls -m x", "--cafile"),
            ("mqtt pub --help TLS", "--cafile"),
            ("mqtt pub --help=tls", "--cafile"),
            ("mqtt pub --help all", "--will-delay"),
            ("mqtt pub -t a --help=all -m x", "--will-delay"),
            ("mqtt pub --help=", "Groups: options,"),
            ("mqtt bench pub --help=all", "--max-packet-size"),
            ("mqtt sub --help format", "%t"),
            ("mqtt sub --help output", "--rotate"),
            ("mqtt pub --help connect", "--receive-maximum"),
            ("mqtt pub --help profiles", "default-profile"),
            ("mqtt bench pub --help results", "p99"),
            ("mqtt pub --help nosuch", "unknown group of options 'nosuch'"),
            // A value, and an option of another command.
            ("mqtt pub -t --help", "none"),
            #[cfg(feature = "broker")]
            ("mqtt broker -- cmd --help", "none"),
            ("mqtt pub -t a", "none"),
        ] {
            let text = help(line);
            assert!(text.contains(words), "{line}:\n{text}");
        }
        assert!(!help("mqtt pub --help tls").contains("--will-delay"));
    }

    #[test]
    fn words_after_help_name_commands_groups_or_all() {
        for (line, words) in [
            ("help", "Usage: mqtt <COMMAND>"),
            ("version", "Usage: mqtt <COMMAND>"),
            ("all", "Usage: mqtt <COMMAND>"),
            ("pub", "Groups: options,"),
            ("pub help", "Groups: options,"),
            ("pub tls", "--cafile"),
            ("pub all", "--will-delay"),
            ("bench conn", "Usage: mqtt bench conn"),
            ("tls", "Others with this group: sub, rr"),
            ("publish", "publish is called pub here"),
            ("nosuch", "unrecognized subcommand 'nosuch'"),
        ] {
            let line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let text = of_words(&line).unwrap_or_else(|error| error.to_string());
            assert!(text.contains(words), "{line:?}:\n{text}");
        }
    }
}
