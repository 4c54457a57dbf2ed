//! Adds to errors of stage two the places where the values they are about are set, unless they were typed.

use std::ffi::OsStr;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, ValueHint};

use super::given::Given;
use super::profile;
use crate::cli::secret;
use crate::cli::text::shown;
use crate::error::Error;

/// The error with the variables and the lines of files that set the options or values it names.
pub(crate) fn with_places(
    error: Error,
    definition: &Command,
    matches: &ArgMatches,
    given: &[Given],
) -> Error {
    let text = error.to_string();
    let (mut variables, mut places) = (Vec::new(), Vec::new());
    for arg in definition.get_arguments() {
        let in_file = given.iter().find(|one| arg.get_id() == one.id.as_str());
        let place = match (in_file, variable(arg, matches)) {
            (Some(one), _) => one.place.to_string(),
            (None, Some(name)) => name,
            (None, None) => continue,
        };
        // Some errors name the place themselves, for example if a variable overrides a file.
        let is_variables = arg.get_env().is_some_and(|name| has_word(&text, &name.to_string_lossy()));
        if text.contains(&place) || is_variables || !names(&text, arg, matches) {
            continue;
        }
        if in_file.is_some() { places.push(place) } else { variables.push(place) }
    }
    let environment = (!variables.is_empty()).then(|| format!("the environment: {}", variables.join(", ")));
    let all: Vec<String> = environment.into_iter().chain(places).collect();
    if all.is_empty() { error } else { error.with_place(&format!("(from {})", all.join("; "))) }
}

/// The variable that sets an option.
fn variable(arg: &Arg, matches: &ArgMatches) -> Option<String> {
    let name = arg.get_env()?;
    let is_set = matches.value_source(arg.get_id().as_str()) == Some(ValueSource::EnvVariable);
    is_set.then(|| name.to_string_lossy().into_owned())
}

/// Whether a text names this option, or quotes its value.
fn names(text: &str, arg: &Arg, matches: &ArgMatches) -> bool {
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    if long.into_iter().chain(short).any(|name| has_word(text, &name)) {
        return true;
    }
    if !arg.get_action().takes_values() || secret::kind(arg).is_some() {
        return false;
    }
    let is_file = matches!(arg.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath);
    let is_quoted = |value: &OsStr| {
        let path = value.to_string_lossy();
        // A name of one or two characters may also be a word of the sentence: only the cause follows a file's name.
        let is_named = has_word(text, &path) && (path.len() > 2 || has_word(text, &format!("{path}:")));
        is_file && is_named || text.contains(&format!("'{}'", shown(value)))
    };
    let values = matches.try_get_raw(arg.get_id().as_str()).ok().flatten();
    values.into_iter().flatten().any(is_quoted)
}

/// Whether a text contains a name or path as a whole word.
fn has_word(text: &str, word: &str) -> bool {
    find_word(text, word).is_some()
}

/// The position of the first occurrence as a whole word.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let goes_on = |next: char| next.is_alphanumeric() || ['-', '_', '/', '.'].contains(&next);
    let is_whole = |at: usize| {
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        !before.is_some_and(goes_on) && !after.is_some_and(goes_on)
    };
    text.match_indices(word).map(|(at, _)| at).find(|at| is_whole(*at))
}

/// A text about options for the reader of a configuration file: with the keys of a profile instead of the
/// options of the command line, and without the placeholders of their values.
pub(crate) fn in_keys(text: &str, definition: &Command) -> String {
    let mut text = text.to_owned();
    for arg in profile::arguments(definition) {
        let Some(key) = arg.get_long() else { continue };
        let short = arg.get_short().map(|short| format!("-{short}"));
        for option in [Some(format!("--{key}")), short].into_iter().flatten() {
            while let Some(at) = find_word(&text, &option) {
                let rest = &text[at + option.len()..];
                let placeholder =
                    rest.strip_prefix(" <").and_then(|rest| rest.find('>')).map_or(0, |end| end + 3);
                text.replace_range(at..at + option.len() + placeholder, key);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{has_word, in_keys};

    #[test]
    fn words_are_whole() {
        for (text, word, expected) in [
            ("--cert needs its private key: --key FILE", "--cert", true),
            ("--cert needs its private key: --key FILE", "--key", true),
            ("--key-password-file has no effect", "--key", false),
            ("-L and -h name different brokers", "-h", true),
            ("--no-tls", "-n", false),
            ("a-h", "-h", false),
            ("/etc/ca: no such file", "/etc/ca", true),
            ("/etc/ca.pem: no such file", "/etc/ca", false),
            ("cannot read '/etc/ca'", "/etc/ca", true),
            ("/mnt/etc/ca", "/etc/ca", false),
        ] {
            assert_eq!(has_word(text, word), expected, "{word} in {text}");
        }
    }

    #[test]
    fn options_become_keys() {
        let command = crate::cli::command();
        let definition = command.find_subcommand("pub").unwrap();
        for (text, expected) in [
            ("--cert needs its private key: --key FILE", "cert needs its private key: key FILE"),
            ("-L and -h name different brokers", "url and host name different brokers"),
            ("invalid value 'many' for '--port <PORT>'", "invalid value 'many' for 'port'"),
            (
                "-P and --password-file both give the password",
                "password and password-file both give the password",
            ),
            // Not an option of a profile, and a part of a word.
            ("--qos and -q", "--qos and -q"),
            ("/srv/a-h: no such file", "/srv/a-h: no such file"),
        ] {
            assert_eq!(in_keys(text, definition), expected);
        }
    }
}
