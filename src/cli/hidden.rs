//! Secrets on the command line, hidden from other users.
//!
//! All users of a machine can read the arguments of every process; only its owner can read its environment.
//! Overwriting the arguments in place needs `unsafe`, so the program starts itself again in the same process:
//! with the secrets removed from the arguments, and their words in environment variables.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Command;

use super::compat;
use super::secret::{self, SecretKind};
use super::words::{self, OptionValue};

/// The prefix of these variables, followed by the number of a word and of its part.
const VARIABLES: &str = "MQTT_HIDDEN_ARGUMENT_";

/// Maximum length of a part of a word in a variable: with the variable's name it must stay below the system's
/// limit, which is 128 KiB on Linux.
const LONGEST_PART_BYTES: usize = 64 << 10;

/// The text shown instead of a secret.
const PLACEHOLDER: &str = "(hidden)";

/// A command line for starting again.
#[derive(Debug, PartialEq, Eq)]
pub struct Hidden {
    /// The arguments without secrets; the program's name first.
    pub arguments: Vec<OsString>,
    /// Names and values of the environment variables with the secrets.
    pub variables: Vec<(String, OsString)>,
}

/// The variables of this process that hold secrets. They must not be passed to other programs.
pub(super) fn variables() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_encoded_bytes().starts_with(VARIABLES.as_bytes()))
}

/// The arguments as they were typed, if this process was started again to hide them.
pub(super) fn typed(arguments: &[OsString]) -> Option<Vec<OsString>> {
    let hidden = |(number, shown): (usize, &OsString)| {
        let masked = shown.to_string_lossy();
        let kept = masked.strip_suffix(PLACEHOLDER)?;
        let parts = (0..).map_while(|part| std::env::var_os(format!("{VARIABLES}{number}_{part}")));
        let word = parts.reduce(|mut word, part| {
            word.push(part);
            word
        })?;
        // A stray variable must not replace typed words.
        word.to_string_lossy().starts_with(kept).then_some((number, word))
    };
    let words: Vec<_> = arguments.iter().enumerate().filter_map(hidden).collect();
    if words.is_empty() {
        return None;
    }
    let mut typed = arguments.to_vec();
    for (number, word) in words {
        typed[number] = word;
    }
    Some(typed)
}

/// The command line for starting again, if this one contains secrets.
pub(super) fn hide(
    definition: &Command,
    names: usize,
    arguments: &[OsString],
    called: &Called,
) -> Option<Hidden> {
    hide_from(places(definition, names, arguments, called).into_iter(), arguments)
}

/// The definition of the subcommand that a line calls, and the number of words that name it.
type Called = dyn Fn(&[OsString]) -> Option<(Command, usize)>;

/// The words with secrets, and the offset of the secret in each.
fn places(definition: &Command, names: usize, line: &[OsString], called: &Called) -> Vec<(usize, usize)> {
    let own = secrets(definition, names, line).into_iter().map(|value| (value.word, value.from));
    own.chain(places_in_command(definition, names, line, called)).collect()
}

/// The secrets in the command that the line runs, if that command is this program or one of mosquitto's
/// clients: directly, or through another program such as env or timeout. Options of other programs are
/// unknown.
fn places_in_command(
    definition: &Command,
    names: usize,
    line: &[OsString],
    called: &Called,
) -> Vec<(usize, usize)> {
    if !definition.get_positionals().any(clap::Arg::is_last_set) {
        return Vec::new();
    }
    let first = words::after_options(definition, names, line).unwrap_or(line.len());
    let found = (first..line.len()).find_map(|at| Some((at, places_of_call(&line[at..], called)?)));
    found.map_or_else(Vec::new, |(at, places)| {
        places.into_iter().map(|(word, from)| (at + word, from)).collect()
    })
}

/// The secrets of a line that calls this program or one of mosquitto's clients.
fn places_of_call(line: &[OsString], called: &Called) -> Option<Vec<(usize, usize)>> {
    if let Some((program, names)) = compat::called(line) {
        return Some(compat::secrets(program, names, line).into_iter().map(|word| (word, 0)).collect());
    }
    if Path::new(line.first()?).file_name()? != "mqtt" {
        return None;
    }
    let (definition, names) = called(line)?;
    Some(places(&definition, names, line, called))
}

/// The command line for starting again with these words hidden.
pub(super) fn hide_words(words: &[usize], arguments: &[OsString]) -> Option<Hidden> {
    hide_from(words.iter().map(|word| (*word, 0)), arguments)
}

/// The command line for starting again with these words hidden from these offsets on.
fn hide_from(values: impl Iterator<Item = (usize, usize)>, arguments: &[OsString]) -> Option<Hidden> {
    let mut hidden = Hidden { arguments: arguments.to_vec(), variables: Vec::new() };
    for (place, from) in values {
        let word = &arguments[place];
        let kept = word.as_encoded_bytes().get(..from).unwrap_or_default();
        hidden.arguments[place] = format!("{}{PLACEHOLDER}", String::from_utf8_lossy(kept)).into();
        let parts = parts(word);
        hidden
            .variables
            .extend((0..).zip(parts).map(|(part, text)| (format!("{VARIABLES}{place}_{part}"), text)));
    }
    (!hidden.variables.is_empty()).then_some(hidden)
}

/// The values with secrets.
fn secrets<'d>(definition: &'d Command, names: usize, arguments: &[OsString]) -> Vec<OptionValue<'d>> {
    let values = words::values(definition, names, arguments);
    let text = |value: &OptionValue<'_>| {
        let bytes = arguments[value.word].as_encoded_bytes();
        String::from_utf8_lossy(bytes.get(value.from..).unwrap_or_default()).into_owned()
    };
    let is_secret = |(place, value): (usize, &OptionValue<'d>)| {
        let is_one = match secret::kind(value.arg)? {
            SecretKind::Property => {
                value.number == 2
                    && text(&values[place - 1]).eq_ignore_ascii_case(secret::AUTHENTICATION_DATA)
            }
            kind => kind.is_in(&text(value)),
        };
        is_one.then_some(*value)
    };
    values.iter().enumerate().filter_map(is_secret).collect()
}

/// A word in parts that fit into a variable each.
#[cfg(unix)]
fn parts(word: &OsStr) -> Vec<OsString> {
    use super::value::os_string;
    word.as_encoded_bytes().chunks(LONGEST_PART_BYTES).map(|part| os_string(part.to_vec())).collect()
}

/// A process cannot be replaced on this system, so nothing is hidden.
#[cfg(not(unix))]
fn parts(_: &OsStr) -> Vec<OsString> {
    Vec::new()
}

/// The warning if the secrets stay visible.
#[must_use]
pub(super) fn in_sight(why: &std::io::Error) -> String {
    format!(
        "other users can see the secrets on the command line: {why}; --password-file and MQTT_PASSWORD keep a \
         password out of sight"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn hidden(line: &[OsString]) -> Option<Hidden> {
        let called = |line: &[OsString]| {
            let command = super::super::command();
            let subcommand = command.find_subcommand(&line[1])?;
            let mode = line.get(2).and_then(|name| subcommand.find_subcommand(name));
            Some(mode.map_or((subcommand.clone(), 2), |mode| (mode.clone(), 3)))
        };
        let (definition, names) = called(line).unwrap();
        hide(&definition, names, line, &called)
    }

    #[test]
    fn secrets_are_masked_at_any_place() {
        for (line, masked) in [
            ("mqtt pub -P s3 -t a", "mqtt pub -P (hidden) -t a"),
            ("mqtt pub -Ps3 -t a", "mqtt pub -P(hidden) -t a"),
            ("mqtt pub --pw=s3 -dPs3", "mqtt pub --pw=(hidden) -dP(hidden)"),
            // Similar words stay, and so does the subcommand.
            ("mqtt pub -P pub -t pub -m -P", "mqtt pub -P (hidden) -t pub -m -P"),
            ("mqtt will-test --watch-password s3", "mqtt will-test --watch-password (hidden)"),
            (
                "mqtt pub -D connect Authentication-Data s3 -D publish content-type s3",
                "mqtt pub -D connect Authentication-Data (hidden) -D publish content-type s3",
            ),
            (
                "mqtt sub --psk 00ff --password-command x",
                "mqtt sub --psk (hidden) --password-command (hidden)",
            ),
            // Also in a command that is run.
            #[cfg(feature = "broker")]
            ("mqtt broker -- mqtt sub -P s3 -t a", "mqtt broker -- mqtt sub -P (hidden) -t a"),
            #[cfg(feature = "broker")]
            (
                "mqtt broker -p 0 -- timeout 5 /usr/bin/mqtt bench conn -u me --pw=s3",
                "mqtt broker -p 0 -- timeout 5 /usr/bin/mqtt bench conn -u me --pw=(hidden)",
            ),
            #[cfg(feature = "broker")]
            ("mqtt broker -- mosquitto_pub -t -P -P s3", "mqtt broker -- mosquitto_pub -t -P -P (hidden)"),
            #[cfg(feature = "broker")]
            (
                "mqtt sub -P s3 -t a --exec-argv -- mqtt broker -- mqtt pub -P s4 -L mqtt://u:s5@h/t",
                "mqtt sub -P (hidden) -t a --exec-argv -- mqtt broker -- mqtt pub -P (hidden) -L (hidden)",
            ),
        ] {
            assert_eq!(hidden(&words(line)).unwrap().arguments, words(masked));
        }
        assert_eq!(hidden(&words("mqtt broker -- curl -P s3")), None);
        assert_eq!(hidden(&words("mqtt pub -- mqtt sub -P s3")), None);
        assert_eq!(hidden(&words("mqtt pub -t a -m -P -u P")), None);
    }

    /// Secrets and the words around them may be any bytes of any length.
    #[cfg(unix)]
    #[test]
    fn secrets_and_their_neighbours_may_be_any_bytes() {
        use std::os::unix::ffi::OsStringExt as _;
        let odd = OsString::from_vec(b"\xff\x1f".to_vec());
        let long = OsString::from("x".repeat(LONGEST_PART_BYTES + 1));
        let line: Vec<OsString> = [
            words("mqtt pub -m"),
            vec![odd.clone()],
            words("-P"),
            vec![odd.clone()],
            words("--pw"),
            vec![long.clone()],
        ]
        .concat();
        let hidden = hidden(&line).unwrap();
        assert_eq!(hidden.arguments[3], odd);
        assert_eq!(hidden.arguments[4..].to_vec(), words("-P (hidden) --pw (hidden)"));
        let names: Vec<&str> = hidden.variables.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["MQTT_HIDDEN_ARGUMENT_5_0", "MQTT_HIDDEN_ARGUMENT_7_0", "MQTT_HIDDEN_ARGUMENT_7_1"]
        );
        assert_eq!(hidden.variables[0].1, odd);
        let parts: Vec<OsString> = hidden.variables[1..].iter().map(|(_, part)| part.clone()).collect();
        assert_eq!(parts.join(std::ffi::OsStr::new("")), long);
    }
}
