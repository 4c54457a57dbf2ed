//! Assigns the words of a command line to options, as clap does. clap does not report where in the line a
//! value is, and where the words of one `-D` end.

use std::ffi::OsString;

use clap::{Arg, Command};

use super::property;

/// A value of an option.
#[derive(Debug, Clone, Copy)]
pub(super) struct OptionValue<'d> {
    pub(super) arg: &'d Arg,
    /// The index of the word that is the value or ends with it.
    pub(super) word: usize,
    /// The offset of the value in that word.
    pub(super) from: usize,
    /// The index of the value in this occurrence of the option.
    pub(super) number: usize,
}

/// All values of all options, in the order of the line. The first `names` words name the program and the
/// subcommand.
pub(super) fn values<'d>(definition: &'d Command, names: usize, line: &[OsString]) -> Vec<OptionValue<'d>> {
    let mut found = Vec::new();
    let mut next = names;
    while let Some(word) = line.get(next).map(|word| word.as_encoded_bytes()) {
        let at = next;
        next += 1;
        if word == b"--" {
            break;
        }
        let Some((arg, from)) = option(definition, word) else { continue };
        if let Some(from) = from {
            found.push(OptionValue { arg, word: at, from, number: 0 });
        } else if !arg.is_require_equals_set() {
            let count = if arg.get_id() == property::ID { property::words(&line[next..]) } else { 1 };
            let end = line.len().min(next + count);
            found.extend((next..end).enumerate().map(|(number, word)| OptionValue {
                arg,
                word,
                from: 0,
                number,
            }));
            next = end;
        }
    }
    found
}

/// The index of the word after the `--` that ends the options, if any.
pub(super) fn after_options(definition: &Command, names: usize, line: &[OsString]) -> Option<usize> {
    let values = values(definition, names, line);
    let is_value = |at: usize| values.iter().any(|value| value.word == at && value.from == 0);
    (names..line.len()).find(|at| line[*at] == "--" && !is_value(*at)).map(|end| end + 1)
}

/// The indices of the words that are neither options nor their values.
pub(super) fn operands(definition: &Command, names: usize, line: &[OsString]) -> Vec<usize> {
    let values = values(definition, names, line);
    let is_value = |at: usize| values.iter().any(|value| value.word == at && value.from == 0);
    let end = (names..line.len()).find(|at| line[*at] == "--" && !is_value(*at)).unwrap_or(line.len());
    let is_option = |at: usize| at <= end && line[at].len() > 1 && line[at].as_encoded_bytes()[0] == b'-';
    (names..line.len()).filter(|at| !is_value(*at) && !is_option(*at)).collect()
}

/// The index of an option that takes a value only after `=` and has none, if the next word may have been
/// meant as its value.
pub(super) fn detached(definition: &Command, names: usize, line: &[OsString]) -> Option<usize> {
    let values = values(definition, names, line);
    let is_value = |at: usize| values.iter().any(|value| value.word == at);
    let word = |at: usize| line[at].as_encoded_bytes();
    let end = (names..line.len()).find(|at| word(*at) == b"--" && !is_value(*at)).unwrap_or(line.len());
    (names..end.saturating_sub(1)).filter(|at| !is_value(*at)).find(|at| {
        let wants_equals = option(definition, word(*at))
            .is_some_and(|(arg, from)| from.is_none() && arg.is_require_equals_set());
        wants_equals && !word(at + 1).starts_with(b"-")
    })
}

/// Whether an option has this name, with its dashes.
pub(super) fn is_called(arg: &Arg, name: &str) -> bool {
    match name.strip_prefix("--") {
        Some(long) => {
            arg.get_long() == Some(long)
                || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&long))
        }
        None => name
            .strip_prefix('-')
            .is_some_and(|letter| arg.get_short().is_some_and(|short| letter.chars().eq([short]))),
    }
}

/// The index of the first word that looks like an option but is not defined.
pub(super) fn unknown(definition: &Command, names: usize, line: &[OsString]) -> Option<usize> {
    let values = values(definition, names, line);
    let is_value = |at: usize| values.iter().any(|value| value.word == at && value.from == 0);
    let end = (names..line.len()).find(|at| line[*at] == "--" && !is_value(*at)).unwrap_or(line.len());
    let is_known = |word: &str| {
        let mut letters = word.chars().skip(1);
        let name = match word.strip_prefix("--") {
            Some(long) => format!("--{}", long.split('=').next().unwrap_or_default()),
            None => format!("-{}", letters.next().unwrap_or_default()),
        };
        definition.get_arguments().any(|arg| is_called(arg, &name))
    };
    (names..end).find(|at| {
        let word = line[*at].to_string_lossy();
        word.len() > 1 && word.starts_with('-') && !is_value(*at) && !is_known(&word)
    })
}

/// The option in a word that takes a value, and the offset of the value in the word, unless the value is the
/// next word.
pub(super) fn option<'d>(definition: &'d Command, word: &[u8]) -> Option<(&'d Arg, Option<usize>)> {
    let takes_value = |arg: &&Arg| arg.get_action().takes_values();
    if let Some(long) = word.strip_prefix(b"--") {
        let end = long.iter().position(|byte| *byte == b'=');
        let name = std::str::from_utf8(&long[..end.unwrap_or(long.len())]).ok()?;
        let is_called =
            |arg: &&Arg| arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&name));
        let arg = definition.get_arguments().find(is_called).filter(takes_value)?;
        return Some((arg, end.map(|end| 2 + end + 1)));
    }
    let letters = word.strip_prefix(b"-")?;
    for (place, letter) in letters.iter().enumerate() {
        let is_called = |arg: &&Arg| arg.get_short() == Some(char::from(*letter));
        let arg = definition.get_arguments().find(is_called)?;
        if takes_value(&arg) {
            let from = 1 + place + 1;
            let from = if word.get(from) == Some(&b'=') { Some(from + 1) } else { Some(from) };
            return Some((arg, from.filter(|from| *from < word.len() || word.ends_with(b"="))));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_found_at_its_place() {
        let command = super::super::command();
        let line = "mqtt pub -dt a --message=-x -P -odd -rPsecret -k=5 -D connect user-property -k -v \
                    -D publish content-type -t --qos 1 --host= -- -u me";
        let line: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let found = values(command.find_subcommand("pub").unwrap(), 2, &line);
        let shown: Vec<String> = found
            .iter()
            .map(|value| {
                format!("{} {}", value.arg.get_id(), &line[value.word].to_str().unwrap()[value.from..])
            })
            .collect();
        let expected = [
            "topic a",
            "message -x",
            "password -odd",
            "password secret",
            "keepalive 5",
            "property connect",
            "property user-property",
            "property -k",
            "property -v",
            "property publish",
            "property content-type",
            "property -t",
            "qos 1",
            "host ",
        ];
        assert_eq!(shown, expected);
    }
}
