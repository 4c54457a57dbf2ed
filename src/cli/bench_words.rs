//! `mqtt bench -h broker pub` is `mqtt bench pub -h broker`.

use std::ffi::OsString;

use clap::{Arg, Args as _};

use super::bench::{BenchArgs, MODES};
use super::subcommand::Entry;

/// Moves the mode directly after `bench`: `mqtt bench -h broker pub` becomes `mqtt bench pub -h broker`.
pub(super) fn mode_first(mut arguments: Vec<OsString>) -> Vec<OsString> {
    const FIRST: usize = 2;
    let rest = arguments.get(FIRST..).unwrap_or_default();
    let is_mode = |word: &OsString| MODES.iter().any(|mode| word == mode.name);
    // Usually nothing has to be moved, and the definitions are not needed to find that out.
    if arguments.get(1).is_none_or(|name| name != "bench")
        || rest.first().is_none_or(is_mode)
        || !rest.iter().any(is_mode)
    {
        return arguments;
    }
    let modes = MODES.iter().map(Entry::definition);
    let definitions: Vec<_> = modes.chain([BenchArgs::augment_args(clap::Command::new("bench"))]).collect();
    if let Some(place) = first_word(rest, &definitions)
        && is_mode(&rest[place])
    {
        let mode = arguments.remove(FIRST + place);
        arguments.insert(FIRST, mode);
    }
    arguments
}

/// The index of the first word that is neither an option of any mode nor the value of one.
fn first_word(words: &[OsString], definitions: &[clap::Command]) -> Option<usize> {
    let takes_value = |is_it: &dyn Fn(&Arg) -> bool| {
        let mut found = definitions.iter().flat_map(clap::Command::get_arguments).filter(|arg| is_it(arg));
        found.any(|arg| arg.get_action().takes_values())
    };
    let mut place = 0;
    while let Some(word) = words.get(place) {
        let text = word.to_string_lossy();
        let value_is_next = if text == "--" {
            return None;
        } else if let Some(long) = text.strip_prefix("--") {
            let is_it = |arg: &Arg| {
                arg.get_long() == Some(long)
                    || arg.get_all_aliases().is_some_and(|names| names.contains(&long))
            };
            !long.contains('=') && takes_value(&is_it)
        } else if let Some(letters) = text.strip_prefix('-') {
            let valued = letters
                .char_indices()
                .find(|(_, letter)| takes_value(&|arg| arg.get_short() == Some(*letter)));
            valued.is_some_and(|(at, letter)| at + letter.len_utf8() == letters.len())
        } else {
            return Some(place);
        };
        place += if value_is_next { 2 } else { 1 };
    }
    None
}
