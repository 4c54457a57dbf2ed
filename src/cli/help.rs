//! The help that is asked for: one screen with what people use, one group of options, or all of it.

use std::ffi::OsString;

use clap::{Arg, Command};

use super::connection::NOTES;
use super::definition::{HEADING, MAX_HELP_WIDTH};
use super::subcommand::Entry;
use super::table::{SUBCOMMANDS, command};
use super::text::shown;
use super::{compat, format, manual, usage, words};
use crate::command::bench::figures_help;
use crate::error::Error;

/// How much of a subcommand's help is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    /// What people use.
    Brief,
    /// The options of one group.
    Group(OsString),
    /// All options, with every detail.
    All,
}

impl Asked {
    /// What a word after `--help` asks for.
    fn of(word: &OsString) -> Self {
        match word.to_str() {
            Some("all") => Self::All,
            Some("" | "help") => Self::Brief,
            _ => Self::Group(word.clone()),
        }
    }
}

/// The help that a line asks for, of the subcommand that its first words name. It does not matter what is
/// wrong with the rest of the line.
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

/// The help that the words after `mqtt help` ask for: of the program, of a subcommand, or of one group of its
/// options.
///
/// # Errors
/// A word that names neither a subcommand nor a group.
pub(super) fn of_words(words: &[OsString]) -> Result<String, Error> {
    let is_option = |word: &&OsString| word.as_encoded_bytes().starts_with(b"-");
    let is_all = words.iter().any(|word| word == "--help-all");
    let program = [OsString::from("mqtt")];
    let line: Vec<OsString> =
        program.iter().chain(words.iter().filter(|word| !is_option(word))).cloned().collect();
    let names = Entry::called(SUBCOMMANDS, &line).map_or(1, |(_, names)| names);
    let called: Vec<&str> = line[1..names].iter().filter_map(|name| name.to_str()).collect();
    let asked = match line.get(names) {
        None if is_all => Asked::All,
        None => Asked::Brief,
        // Words that stand in place of a subcommand.
        Some(word) if called.is_empty() && (word == "help" || word == "version") => Asked::Brief,
        Some(word) => Asked::of(word),
    };
    let word = match &asked {
        Asked::Group(word) if called.is_empty() => word.to_string_lossy(),
        _ => return text(&called, &asked, None),
    };
    let mut program = command();
    program.build();
    let group = word.to_lowercase();
    let has = |subcommand: &&Command| groups(subcommand).contains(&group);
    let mut having = program.get_subcommands().filter(has).map(Command::get_name);
    let Some(first) = having.next() else { return Err(usage::unknown_command(&program, &line, 1)) };
    let help = text(&[first], &Asked::Group(group.clone().into()), None)?;
    let others: Vec<&str> = having.collect();
    if others.is_empty() {
        return Ok(help);
    }
    Ok(format!("{help}\nThe group {group} of others (mqtt help COMMAND {group}):\n  {}\n", others.join(", ")))
}

/// What `mqtt … --help` prints of a subcommand, in so many columns.
#[must_use]
pub fn brief_help(called: &[&str], columns: usize) -> String {
    text(called, &Asked::Brief, Some(columns)).unwrap_or_default()
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
    let mut shown = match asked {
        Asked::All => return Ok(definition.render_long_help().to_string()),
        Asked::Brief => brief(definition, &name),
        Asked::Group(group) => of_group(definition, &name, group)?,
    };
    Ok(shown.render_help().to_string())
}

/// The options that people use, in one list.
fn brief(definition: Command, name: &str) -> Command {
    let manual = manual(&format!("mqtt {name}"));
    let examples = manual.examples_in_help();
    if manual.common.is_empty() {
        return definition;
    }
    let groups = groups(&definition).join(", ");
    let more = format!(
        "More options: mqtt {name} --help GROUP, all: mqtt {name} --help-all.\nGroups: {groups}.\nManual: man mqtt-{}",
        name.replace(' ', "-")
    );
    definition
        .mut_args(|arg| {
            let is_shown = manual.is_common(arg.get_id().as_str()) || arg.is_positional();
            if is_shown { arg.help_heading(None::<&str>) } else { arg.hide(true) }
        })
        .after_help(format!("{examples}\n\n{more}"))
}

/// The options of one group.
fn of_group(definition: Command, name: &str, group: &OsString) -> Result<Command, Error> {
    let known = groups(&definition);
    let asked = group.to_str().map(str::to_lowercase).filter(|asked| known.contains(asked));
    let Some(asked) = asked else {
        let text = format!("mqtt {name}: unknown group of options '{}'", shown(group));
        let client = compat::names().find(|client| name == "compat" && group == *client);
        return Err(Error::usage(text).with_hint(match client {
            Some(client) => format!("mqtt compat {client} --help"),
            None if known.is_empty() => format!("mqtt {name} --help shows all there is"),
            None => format!("there are {}", known.join(", ")),
        }));
    };
    let has = |id: &str| definition.get_arguments().any(|arg| arg.get_id() == id);
    let end = match asked.as_str() {
        "output" if has("format") => format::reference(),
        "results" if has("fail_if") => figures_help(MAX_HELP_WIDTH),
        "connection" => NOTES.to_owned(),
        _ => String::new(),
    };
    Ok(definition
        .mut_args(|arg| if group_of(&arg) == asked { arg } else { arg.hide(true) })
        .mut_subcommands(|subcommand| subcommand.hide(true))
        .after_help(end))
}

/// The names of the groups of options.
pub(super) fn groups(definition: &Command) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for arg in definition.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let group = group_of(arg);
        if arg.get_help_heading() != Some(HEADING) && !found.contains(&group) && !arg.is_positional() {
            found.push(group);
        }
    }
    found
}

/// The first word of the heading: `Payload (one of)` is the group `payload`.
fn group_of(arg: &Arg) -> String {
    let heading = arg.get_help_heading().unwrap_or("Options");
    heading.split(' ').next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
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
            ("mqtt sub --help output", "%t"),
            ("mqtt bench pub --help results", "p99"),
            ("mqtt pub --help nosuch", "unknown group of options 'nosuch'"),
            // A value, and what belongs to another command.
            ("mqtt pub -t --help", "none"),
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
            ("tls", "The group tls of others"),
            ("publish", "publish is called pub here"),
            ("nosuch", "unrecognized subcommand 'nosuch'"),
        ] {
            let line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let text = of_words(&line).unwrap_or_else(|error| error.to_string());
            assert!(text.contains(words), "{line:?}:\n{text}");
        }
    }
}
