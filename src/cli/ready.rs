//! The corrected command line, ready to be typed. Words of other tools, misspelt words, and values that
//! belong to another option are replaced. A line that is printed as a command is accepted by the definition
//! of the command line, and keeps every value that was typed.

use std::ffi::OsString;

use clap::Command;
use clap::error::ErrorKind;
use clap::parser::ValueSource;

use super::definition::without_environment;
use super::secret::{self, AUTHENTICATION_DATA, SecretKind};
use super::text::shown;
use super::{foreign, property, url, words};
use crate::nearest::nearest;
use crate::notation::shell;

/// The subcommand that a line calls, and the number of words before its arguments.
pub(super) fn called_by<'p>(program: &'p Command, line: &[OsString]) -> (&'p Command, usize) {
    let mut called = (program, 1);
    while let Some(below) = line.get(called.1).and_then(|name| called.0.find_subcommand(name)) {
        called = (below, called.1 + 1);
    }
    called
}

/// The names of the subcommand that a line calls.
pub(super) fn called_names(names: usize, line: &[OsString]) -> String {
    line[1..names].iter().filter_map(|name| name.to_str()).collect::<Vec<_>>().join(" ")
}

/// The hint to read the help of the line's subcommand.
pub(super) fn see_help(names: usize, line: &[OsString]) -> String {
    match called_names(names, line) {
        called if called.is_empty() => "see mqtt --help".into(),
        called => format!("see mqtt {called} --help"),
    }
}

/// Why no corrected line exists.
#[derive(Debug, Default)]
pub(super) struct Unready {
    /// The first word that looks like an option and is unknown.
    pub(super) unknown: Option<String>,
}

/// A correction of one thing in a line; `None` if it does not apply.
type Step = fn(&Command, usize, &[OsString]) -> Option<Vec<OsString>>;

const STEPS: [Step; 8] = [
    foreign::in_place_of_misread,
    in_own_spelling,
    foreign::in_place_of_foreign,
    misspelt,
    foreign::in_place_of_misspelt,
    value,
    host,
    with_response,
];

/// The help heading of the payload options.
pub(super) const PAYLOAD: &str = "Payload (one of)";

/// The whole corrected line, with its secrets masked.
///
/// # Errors
/// A word of the line is unknown or not accepted, or the line is too long to be read.
pub(super) fn translated(program: &Command, line: &[OsString]) -> Result<String, Unready> {
    let (definition, names) = called_by(program, line);
    let line = corrected(definition, names, line)?;
    within_a_line(&without_secrets(definition, names, &line)).ok_or_else(Unready::default)
}

/// The corrected line, or `None` if nothing had to be corrected.
pub(super) fn repaired(program: &Command, line: &[OsString]) -> Option<String> {
    let (definition, names) = called_by(program, line);
    let meant = corrected(definition, names, line).ok().filter(|meant| meant[1..] != line[1..])?;
    within_a_line(&without_secrets(definition, names, &meant))
}

/// The line for a shell, if the definition accepts it.
pub(super) fn accepted(definition: &Command, names: usize, line: &[OsString]) -> Option<String> {
    let mut line = line.to_vec();
    line[0] = "mqtt".into();
    let is_accepted = is_accepted(definition, names, &line);
    within_a_line(&without_secrets(definition, names, &line)).filter(|_| is_accepted)
}

/// The line with a pin for the broker's key, without the options that would refuse its certificate.
pub(super) fn pinned(program: &Command, line: &[OsString], pin: &str) -> Option<String> {
    let (definition, names) = called_by(program, line);
    let values = words::values(definition, names, line);
    let mut meant = [&[OsString::from("mqtt")], &line[1..names]].concat();
    meant.extend(["--insecure", "--tls-pin", pin].map(OsString::from));
    // Remove other pins, and revocation lists, which a pinned key is not checked against.
    let goes = |at: usize| {
        let is_one =
            |value: &words::OptionValue<'_>| ["tls_pin", "crl"].contains(&value.arg.get_id().as_str());
        values
            .iter()
            .any(|value| is_one(value) && (value.word == at || value.from == 0 && value.word == at + 1))
    };
    meant.extend((names..line.len()).filter(|at| !goes(*at)).map(|at| line[at].clone()));
    accepted(definition, names, &meant)
}

fn corrected(definition: &Command, names: usize, line: &[OsString]) -> Result<Vec<OsString>, Unready> {
    const MOST_CHANGES: usize = 20;
    let mut line = [&[OsString::from("mqtt")], line.get(1..).unwrap_or_default()].concat();
    for _ in 0..MOST_CHANGES {
        if let Some(next) = STEPS.iter().find_map(|step| step(definition, names, &line)) {
            line = next;
        } else if is_accepted(definition, names, &line) {
            return Ok(line);
        } else {
            let unknown = words::unknown(definition, names, &line).and_then(|at| option_in(&line[at]));
            return Err(Unready { unknown });
        }
    }
    Err(Unready::default())
}

/// Whether clap accepts a line, without the environment and files.
fn is_accepted(definition: &Command, names: usize, line: &[OsString]) -> bool {
    let line = property::terminated(definition, names, line);
    match without_environment(definition.clone()).try_get_matches_from(&line[names - 1..]) {
        // Refused later: an operand together with -t, because both give the topic, and --repeat with -l.
        Ok(matches) => {
            let has = |id: &str| {
                matches.try_contains_id(id).is_ok_and(|is_there| is_there)
                    && matches.value_source(id) == Some(ValueSource::CommandLine)
            };
            !(has("topic") && (has("filters") || has("topic_operand")) || has("repeat") && has("stdin_line"))
        }
        Err(error) => matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion),
    }
}

/// The name of the option in a word, without a value in the same word.
pub(super) fn option_in(word: &OsString) -> Option<String> {
    let word = word.to_str()?;
    let end = if word.starts_with("--") { word.find('=').unwrap_or(word.len()) } else { 2 };
    word.get(..end).map(str::to_owned)
}

/// Corrects the letter case and separators of an unknown option.
fn in_own_spelling(definition: &Command, names: usize, line: &[OsString]) -> Option<Vec<OsString>> {
    let at = words::unknown(definition, names, line)?;
    let typed = option_in(&line[at])?;
    renamed(line, at, &typed, &foreign::spelt_alike(definition, &typed)?)
}

/// Corrects an unknown option to one with a similar name.
fn misspelt(definition: &Command, names: usize, line: &[OsString]) -> Option<Vec<OsString>> {
    let at = words::unknown(definition, names, line)?;
    let typed = option_in(&line[at])?;
    let near = near_options(definition, &typed);
    let [near] = &near[..] else { return None };
    renamed(line, at, &typed, near)
}

fn renamed(line: &[OsString], at: usize, typed: &str, name: &str) -> Option<Vec<OsString>> {
    let rest = line[at].to_str()?.strip_prefix(typed)?;
    let mut line = line.to_vec();
    line[at] = format!("{name}{rest}").into();
    Some(line)
}

/// The long options with names similar to a misspelt one, with their dashes.
pub(super) fn near_options(definition: &Command, typed: &str) -> Vec<String> {
    let Some(name) = typed.strip_prefix("--") else { return Vec::new() };
    let visible = definition.get_arguments().filter(|arg| !arg.is_hide_set());
    let known: Vec<&str> =
        visible.flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default()).collect();
    nearest(name, known).into_iter().filter(|near| *near != name).map(|near| format!("--{near}")).collect()
}

/// A line of `respond` whose last operand is meant as the response instead of a filter: no option gives one.
pub(super) fn with_response(definition: &Command, names: usize, line: &[OsString]) -> Option<Vec<OsString>> {
    let is_respond = definition.get_arguments().any(|arg| arg.get_id() == "echo");
    if !is_respond || gives_a_payload(definition, names, line) {
        return None;
    }
    let [_, .., last] = words::operands(definition, names, line)[..] else { return None };
    let mut meant = line.to_vec();
    meant.insert(last, "-m".into());
    Some(meant)
}

/// Whether an option gives the payload.
pub(super) fn gives_a_payload(definition: &Command, names: usize, line: &[OsString]) -> bool {
    let values = words::values(definition, names, line);
    let is_value = |at: usize| values.iter().any(|value| value.from == 0 && value.word == at);
    let is_source = |word: &str| {
        let mut args = definition.get_arguments();
        // The output of a command is a payload too.
        let is_source =
            |arg: &clap::Arg| arg.get_help_heading() == Some(PAYLOAD) || arg.get_id() == "exec_argv";
        args.any(|arg| is_source(arg) && words::is_called(arg, word))
    };
    (names..line.len())
        .filter(|at| !is_value(*at))
        .any(|at| line[at].to_str().is_some_and(|word| is_source(word.split('=').next().unwrap_or(word))))
}

/// Corrects a value in the format of another tool: a URL as the host, a host or another scheme as the URL,
/// another name of a version.
fn value(definition: &Command, names: usize, line: &[OsString]) -> Option<Vec<OsString>> {
    words::values(definition, names, line).into_iter().find_map(|one| {
        let typed = line[one.word].to_str()?.get(one.from..)?;
        let (option, value) = match one.arg.get_id().as_str() {
            "host" => ("-L", url::translated(typed).filter(|_| typed.contains("://"))?),
            "url" => ("-L", url::translated(typed).filter(|meant| meant != typed)?),
            "protocol_version" => ("-V", version(typed)?.to_owned()),
            _ => return None,
        };
        // Other letters in the same word are kept.
        let first = if one.from == 0 { one.word - 1 } else { one.word };
        let word = line[first].to_str()?;
        let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
        let before = letters.and_then(|letters| letters.find(one.arg.get_short()?)).filter(|at| *at > 0);
        let before = before.map(|at| OsString::from(&word[..=at]));
        let meant = before.into_iter().chain([option.into(), value.into()]);
        Some([&line[..first], &meant.collect::<Vec<_>>(), &line[one.word + 1..]].concat())
    })
}

/// Corrects a URL given as the host operand.
fn host(definition: &Command, names: usize, line: &[OsString]) -> Option<Vec<OsString>> {
    definition.get_arguments().find(|arg| arg.get_id() == "host_operand")?;
    let at = words::operands(definition, names, line).into_iter().next()?;
    let url = url::translated(line[at].to_str().filter(|word| word.contains("://"))?)?;
    Some([&line[..at], &["-L".into(), url.into()], &line[at + 1..]].concat())
}

/// The version of MQTT that other tools call by this name.
fn version(typed: &str) -> Option<&'static str> {
    const ACCEPTED: [&str; 10] =
        ["auto", "31", "311", "5", "3.1", "3.1.1", "5.0", "mqttv31", "mqttv311", "mqttv5"];
    if ACCEPTED.contains(&typed) {
        return None;
    }
    let name = typed.to_ascii_lowercase();
    let number = name.trim_start_matches("mqtt").trim_start_matches([' ', 'v', '-', '_']);
    match number.replace(['.', '_', '-'], "").as_str() {
        // 3 and 4 are the levels of the protocol, or leave the rest of the number out.
        "3" | "4" | "311" | "3110" | "3111" => Some("311"),
        "31" | "310" => Some("31"),
        "5" | "50" | "500" => Some("5"),
        _ => None,
    }
}

/// The words quoted for a shell; `None` if they are too long to be read, or hold characters that cannot be
/// shown.
pub(super) fn within_a_line(line: &[OsString]) -> Option<String> {
    const MOST_CHARS: usize = 240;
    let ready = shown_words(line);
    let is_whole = line.iter().all(|word| *word == *shown(word));
    (is_whole && ready.chars().count() <= MOST_CHARS).then_some(ready)
}

/// The line with each secret replaced by `…`.
pub(super) fn without_secrets(definition: &Command, names: usize, line: &[OsString]) -> Vec<OsString> {
    let mut shown = line.to_owned();
    for value in words::values(definition, names, line) {
        let word = line[value.word].to_string_lossy();
        let (before, text) = word.split_at(value.from);
        let masked = match secret::kind(value.arg) {
            Some(SecretKind::Whole) => "…".to_owned(),
            Some(SecretKind::Property) => {
                let is_secret = value.number == 2
                    && line[value.word - 1].to_string_lossy().eq_ignore_ascii_case(AUTHENTICATION_DATA);
                if is_secret { "…".to_owned() } else { continue }
            }
            Some(kind) => kind.masked(text),
            None => continue,
        };
        shown[value.word] = format!("{before}{masked}").into();
    }
    shown
}

/// The words quoted for a shell.
pub(super) fn shown_words(line: &[OsString]) -> String {
    let quoted = line.iter().map(|word| shell::quoted(&shown(word)));
    quoted.collect::<Vec<_>>().join(" ")
}
