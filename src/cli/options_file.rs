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
            return Err(unknown(&place, option, names));
        };
        let refusal = |why: &str| Err(Error::usage(format!("{place}: {option} {why}")));
        if NAMES_FILES.contains(&arg.get_id().as_str()) {
            return refusal("cannot stand in an options file");
        }
        let long = arg.get_long().unwrap_or_default();
        let several = arg.get_num_args().is_some_and(|count| count.min_values() > 1);
        let word = match (arg.get_action().takes_values(), value) {
            _ if several => return refusal("takes several values, which an options file cannot hold"),
            (false, Some(_)) => return refusal("takes no value"),
            (false, None) => format!("--{long}"),
            (true, None) => return refusal("needs a value"),
            (true, Some(value)) => format!("--{long}={value}"),
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

fn is_called(arg: &Arg, option: &str) -> bool {
    if let Some(long) = option.strip_prefix("--") {
        return arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&long));
    }
    let Some(letter) = option.strip_prefix('-').filter(|letter| letter.chars().count() == 1) else {
        return false;
    };
    arg.get_short().is_some_and(|short| letter.starts_with(short))
}
