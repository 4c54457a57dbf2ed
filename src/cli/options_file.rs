//! The options file of mosquitto's clients: a line is an option, and the rest of it the option's one
//! value. No quotes; `#` at the very beginning makes a comment.

use std::path::Path;

use clap::{Arg, Command};

use super::files::{Given, NAMES_FILES, read_text, unknown};
use super::origin::Rank;
use crate::error::Error;

pub(super) fn read(subcommand: &Command, path: &Path) -> Result<Vec<Given>, Error> {
    parse(subcommand, &path.display().to_string(), &read_text("options file", path)?)
}

fn parse(subcommand: &Command, name: &str, text: &str) -> Result<Vec<Given>, Error> {
    let mut given = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let place = format!("{name}, line {number}");
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let (option, value) = match line.split_once(' ') {
            Some((option, value)) => (option, Some(value)),
            None => (line, None),
        };
        let Some(arg) = subcommand.get_arguments().find(|arg| is_called(arg, option)) else {
            let names = subcommand.get_arguments().filter_map(Arg::get_long);
            return Err(unknown(&place, name_alone(option), names));
        };
        let refusal = |why: &str| Err(Error::usage(format!("{place}: {option} {why}")));
        if NAMES_FILES.contains(&arg.get_id().as_str()) {
            return refusal("cannot stand in an options file");
        }
        let several = arg.get_num_args().is_some_and(|count| count.min_values() > 1);
        let word = match (arg.get_action().takes_values(), value) {
            _ if several => return refusal("takes several values, which an options file cannot hold"),
            (false, Some(_)) => return refusal("takes no value"),
            (false, None) => typed(arg, None),
            (true, None) => return refusal("needs a value"),
            (true, Some(value)) => typed(arg, Some(value)),
        };
        given.push(Given {
            id: arg.get_id().to_string(),
            words: vec![word.into()],
            rank: Rank::OptionsFile,
            place,
        });
    }
    Ok(given)
}

/// The option as it would be typed, in one word.
fn typed(arg: &Arg, value: Option<&str>) -> String {
    match (arg.get_long(), arg.get_short(), value) {
        (Some(long), _, Some(value)) => format!("--{long}={value}"),
        (Some(long), _, None) => format!("--{long}"),
        (None, letter, value) => {
            let value = value.map_or_else(String::new, |value| format!("={value}"));
            format!("-{}{value}", letter.map(String::from).unwrap_or_default())
        }
    }
}

/// What errors show of a line whose option is none: it may be one with its value, as it is typed on a
/// command line, and the value a secret.
fn name_alone(option: &str) -> &str {
    let end = match option.strip_prefix('-') {
        Some(rest) if rest.starts_with('-') => option.find('='),
        Some(rest) => rest.chars().next().map(|letter| 1 + letter.len_utf8()),
        None => option.find(['=', ':', '@']),
    };
    &option[..end.unwrap_or(option.len())]
}

fn is_called(arg: &Arg, option: &str) -> bool {
    if let Some(long) = option.strip_prefix("--") {
        return arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&long));
    }
    let Some(letter) = option.strip_prefix('-').filter(|letter| letter.chars().count() == 1) else {
        return false;
    };
    arg.get_short().is_some_and(|short| letter.starts_with(short))
}
