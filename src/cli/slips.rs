//! Finds mistakes in lines that clap accepts or refuses for another reason: the positions of the words show
//! what was meant.

use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, ValueHint};

use super::payload::{both_given, no_message, operand_is_url};
use super::ready::PAYLOAD;
use super::text::shown;
use super::{foreign, property, ready, url, words};
use crate::error::Error;
use crate::nearest::in_words;
use crate::notation::shell;

/// Characters that typesetting programs put in place of one or two hyphens: en dash, em dash, minus sign.
const DASHES: [char; 3] = ['–', '—', '−'];

/// Typographic quotation marks, as documents and web pages have them instead of those of a shell.
const OPENING: [char; 7] = ['“', '”', '„', '‘', '’', '‚', '«'];
const CLOSING: [char; 5] = ['”', '“', '’', '‘', '»'];

/// An option after the wrong dash. Either one dash before a name, as in some programs: here `-host` is a
/// letter with a value, which is hardly ever meant. Or a typographic dash from a document: `–q`.
///
/// For a refused line, options of two letters are checked too.
pub(super) fn wrong_dash(
    program: fn() -> Command,
    names: usize,
    line: &[OsString],
    is_refused: bool,
) -> Option<Error> {
    let fewest = if is_refused { 3 } else { 4 };
    // Usually there is none, and the definition is not needed to see that.
    let may_be = |word: &OsString| {
        let bytes = word.as_encoded_bytes();
        let is_one = bytes.len() >= fewest && bytes[0] == b'-' && bytes[1] != b'-';
        is_one || word.to_str().is_some_and(|word| word.starts_with(DASHES))
    };
    line.get(names..)?.iter().find(|word| may_be(word))?;
    let program = program();
    let (definition, names) = ready::called_by(&program, line);
    let of_texts = |word: &OsString| {
        let name = word.to_str()?.strip_prefix(DASHES)?;
        let name = name.strip_prefix('-').unwrap_or(name);
        let dashes = if name.split('=').next()?.chars().count() == 1 { "-" } else { "--" };
        let ours = format!("{dashes}{name}");
        is_option(definition, ours.split('=').next()?).then_some(ours)
    };
    let ours = |word: &OsString| {
        if let Some(ours) = of_texts(word) {
            return Some(ours);
        }
        let word = word.to_str()?.strip_prefix('-')?;
        let (name, value) = word.split_at(word.find('=').unwrap_or(word.len()));
        let letters = foreign::long_of_letters(name).filter(|_| is_refused).map(|long| format!("--{long}"));
        if let Some(ours) = letters.filter(|ours| is_option(definition, ours)) {
            return Some(ours + value);
        }
        let is_it = |name: &&str| name.len() > 2 && *name == name_of(word);
        let names = definition.get_arguments().filter(|arg| !arg.is_hide_set());
        let long = names.flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default()).find(is_it);
        long.filter(|_| !name.starts_with('-')).map(|long| format!("--{long}{value}"))
    };
    let values = words::values(definition, names, line);
    let is_value = |at: usize| values.iter().any(|value| value.word == at && value.from == 0);
    let end = (names..line.len()).find(|at| line[*at] == "--" && !is_value(*at)).unwrap_or(line.len());
    let at = (names..end).find(|at| !is_value(*at) && ours(&line[*at]).is_some())?;
    let mut meant = line.to_vec();
    for at in (names..end).filter(|at| !is_value(*at)) {
        meant[at] = ours(&line[at]).map_or_else(|| line[at].clone(), OsString::from);
    }
    let typed = line[at].to_str()?.split('=').next()?;
    let wrong = if typed.starts_with('-') { "one dash" } else { "a dash of texts" };
    let option = meant[at].to_string_lossy().into_owned();
    let option = option.split('=').next().unwrap_or_default();
    let ready = ready::translated(&program, &meant).unwrap_or_else(|_| option.to_owned());
    Some(Error::usage(format!("{typed} has {wrong}: did you mean {option}?")).with_hint(ready))
}

/// The name before a value, in this program's spelling.
fn name_of(word: &str) -> String {
    in_words(word.split('=').next().unwrap_or_default())
}

/// Checks for operands that contradict options, or that are missing because an option has taken them.
pub(super) fn in_operands(
    definition: &Command,
    names: usize,
    line: &[OsString],
    matches: &ArgMatches,
) -> Result<(), Error> {
    let Some(operand) = ["topic_operand", "filters"].into_iter().find(|id| has(definition, id)) else {
        return Ok(());
    };
    let slips = LineSlips { definition, names, line };
    let first = |id: &str| typed(matches, id).next();
    if let Some((quoted, hint)) = slips.quoted_as_texts_are() {
        return Err(Error::usage(quoted).with_hint(hint));
    }
    let name = if operand == "filters" { "FILTER" } else { "TOPIC" };
    if let Some((url, hint)) = slips.url_as_operand(first("topic").is_some()) {
        return Err(operand_is_url(name, url).with_hint(hint));
    }
    if let Some(meant) = ready::with_response(definition, names, line) {
        let hint = slips.ready("the response goes after -m", &meant);
        return Err(Error::usage("no response to publish").with_hint(hint));
    }
    if let (Some(value), Some(option)) = (first(operand), first("topic")) {
        if value.to_string_lossy().contains("://") {
            return Ok(()); // Refused later as a URL.
        }
        return match both_given(name, value, option) {
            error if option.as_encoded_bytes().starts_with(b"-") => Err(error),
            error => match first_taken(definition, names, line)
                .or_else(|| slips.of_operand(value, true))
                .or_else(|| slips.beside_topic(operand))
            {
                Some(hint) => Err(error.with_hint(hint)),
                None => Err(error),
            },
        };
    }
    // The operands of rr have other names.
    let is_publish = has(definition, "spool");
    if is_publish
        && first(operand).is_some()
        && !slips.has_message(matches)
        && let Some(hint) = slips.taken_message()
    {
        return Err(no_message().with_hint(hint));
    }
    Ok(())
}

/// More operands than the subcommand takes: the error and a hint.
pub(super) fn superfluous(
    definition: &Command,
    names: usize,
    line: &[OsString],
    typed: &str,
) -> Option<(String, String)> {
    if typed.starts_with('-') {
        return None;
    }
    let slips = LineSlips { definition, names, line };
    if let Some(quoted) = slips.quoted_as_texts_are() {
        return Some(quoted);
    }
    if has(definition, "message_operand")
        && let Some((url, hint)) = slips.url_as_operand(true)
    {
        return Some((operand_is_url("TOPIC", url).to_string(), hint));
    }
    if let Some(hint) = slips.operand_of_an_option() {
        return Some((format!("unexpected argument '{}' found", shown(typed.as_ref())), hint));
    }
    if let Some(hint) = slips.of_operand(typed.as_ref(), true) {
        return Some((format!("unexpected argument '{}' found", shown(typed.as_ref())), hint));
    }
    if let Some(hint) = slips.command_after_dashes() {
        return Some((format!("unexpected argument '{}' found", shown(typed.as_ref())), hint));
    }
    if !has(definition, "message_operand") {
        return None;
    }
    let operands = words::operands(definition, names, line);
    let [topic, message, ..] = operands[..] else { return None };
    let text = format!(
        "unexpected argument '{}' found after TOPIC '{}' and MESSAGE '{}'",
        shown(typed.as_ref()),
        shown(&line[topic]),
        shown(&line[message])
    );
    Some((text, slips.as_payload(&operands[1..], false)))
}

/// A negative number, or other text that begins with a dash, given as the message.
pub(super) fn dashed_message(
    definition: &Command,
    names: usize,
    line: &[OsString],
    typed: &str,
) -> Option<String> {
    let slips = LineSlips { definition, names, line };
    if !has(definition, "message_operand") || typed.starts_with("--") || !typed.starts_with('-') {
        return None;
    }
    let is_value = slips.is_value();
    // Letters before the unknown one may be options, such as `-0`.
    let is_it = |at: &usize| !is_value(*at) && foreign::is_called(&line[*at], typed);
    let at = (names..line.len()).find(is_it)?;
    let word = line[at].to_str()?;
    let is_number =
        word.parse::<f64>().is_ok() || word[1..].starts_with(|first: char| first.is_ascii_digit());
    let is_message = is_number
        || at + 1 == line.len()
            && word.chars().count() > 2
            && !ready::gives_a_payload(definition, names, line);
    is_message.then(|| slips.message_after_m(at))
}

/// The hint for an option that has taken the name of another option as its value.
pub(super) fn taken(definition: &Command, names: usize, line: &[OsString], value: &str) -> Option<String> {
    let values = words::values(definition, names, line);
    let one = values.iter().find(|one| one.from == 0 && one.number == 0 && line[one.word] == *value)?;
    is_option(definition, value).then(|| taken_by(&line[one.word - 1], &line[one.word]))
}

/// The first option of a line that has taken the name of another one.
pub(super) fn first_taken(definition: &Command, names: usize, line: &[OsString]) -> Option<String> {
    all_taken(definition, names, line, |_| true).into_iter().next()
}

fn all_taken(
    definition: &Command,
    names: usize,
    line: &[OsString],
    is_asked: impl Fn(&Arg) -> bool,
) -> Vec<String> {
    let values = words::values(definition, names, line).into_iter();
    let separate = values.filter(|one| {
        one.from == 0 && one.number == 0 && one.arg.get_id() != property::ID && is_asked(one.arg)
    });
    let is_name = |at: &usize| line[*at].to_str().is_some_and(|word| is_option(definition, word));
    separate.map(|one| one.word).filter(is_name).map(|at| taken_by(&line[at - 1], &line[at])).collect()
}

fn taken_by(option: &OsStr, value: &OsStr) -> String {
    let (option, value) = (shown(option), shown(value));
    format!("{option} has taken '{value}' as its value: is the value of {option} missing?")
}

/// The line with a placeholder for its missing topic.
pub(super) fn with_topic(definition: &Command, names: usize, line: &[OsString]) -> Option<String> {
    let mut meant = line.to_vec();
    meant.insert(names, "TOPIC".into());
    let hint = ready::accepted(definition, names, &meant)?;
    Some(format!("the topic is the first operand, or goes after -t: {hint}"))
}

/// Warnings about values that are valid, but probably not meant.
pub(super) fn warnings(
    definition: &Command,
    names: usize,
    line: &[OsString],
    matches: &ArgMatches,
) -> Vec<String> {
    // A payload may be anything.
    let mut warnings = all_taken(definition, names, line, |arg| arg.get_help_heading() != Some(PAYLOAD));
    for arg in definition.get_arguments() {
        let kind = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
        if !["TOPIC", "FILTER", "OPTIONS:FILTER"].contains(&kind) {
            continue;
        }
        for value in typed(matches, arg.get_id().as_str()) {
            let value = value.to_string_lossy();
            let options = if kind == "OPTIONS:FILTER" { value.find(':').map_or(0, |at| at + 1) } else { 0 };
            warnings.extend(in_topic(&value[options..], kind != "TOPIC"));
        }
    }
    let files = definition
        .get_arguments()
        .filter(|arg| matches!(arg.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath));
    for arg in files {
        let name = arg.get_long().map_or_else(|| arg.get_id().to_string(), |long| format!("--{long}"));
        let below_home =
            typed(matches, arg.get_id().as_str()).filter_map(|path| path.to_str()?.strip_prefix("~/"));
        warnings.extend(below_home.map(|rest| {
            format!(
                "{name}: '~/{0}' is no path here, as no shell has read the ~; write \"$HOME\"/{0}",
                shown(rest.as_ref())
            )
        }));
    }
    let slips = LineSlips { definition, names, line };
    for filter in typed(matches, "filters") {
        let meant = slips.of_operand(filter, false);
        warnings.extend(meant.map(|meant| format!("'{}' is read as a topic filter; {meant}", shown(filter))));
    }
    let payloads = || ["message", "message_operand"].into_iter().flat_map(|id| typed(matches, id));
    if payloads().any(|value| value == "-") {
        warnings.push("the payload is '-'; standard input is published with -s".into());
    }
    // A text with a blank was quoted for the shell, and so is meant as it is.
    let is_quoted = |text: &&OsStr| {
        text.to_str().is_some_and(|text| {
            text.chars().count() > 2
                && text.starts_with(OPENING)
                && text.ends_with(CLOSING)
                && !text.contains(char::is_whitespace)
        })
    };
    warnings.extend(payloads().filter(is_quoted).map(|payload| {
        format!(
            "payload '{}' begins and ends with quotation marks of texts; a shell has ' and \"",
            shown(payload)
        )
    }));
    warnings
}

/// The values of an option that was typed.
fn typed<'m>(matches: &'m ArgMatches, id: &str) -> impl Iterator<Item = &'m OsStr> {
    let values = matches.try_get_raw(id).ok().flatten();
    let is_typed = |_: &_| matches.value_source(id) == Some(ValueSource::CommandLine);
    values.filter(is_typed).into_iter().flatten()
}

/// The warning for a topic or filter with characters that other systems use as wildcards, or that a shell has
/// left of a wildcard.
fn in_topic(topic: &str, is_filter: bool) -> Option<String> {
    let name = if is_filter { "topic filter" } else { "topic" };
    let foreign = topic.split('/').find(|level| ["*", "**", ">"].contains(level));
    if let Some(level) = foreign {
        let instead = if is_filter {
            "the wildcards are + (one level) and # (all that follow)"
        } else {
            "it stands for no other topic"
        };
        return Some(format!(
            "{name} '{}': '{level}' is an ordinary level in MQTT; {instead}",
            shown(topic.as_ref())
        ));
    }
    if topic.starts_with(OPENING) {
        return Some(format!(
            "{name} '{}' begins with a quotation mark of texts; a shell has ' and \"",
            shown(topic.as_ref())
        ));
    }
    // `$SYS/#` without quotes: the shell has replaced the variable SYS, which is empty.
    let is_left_of_sys = topic == "/#" || topic.starts_with("/broker/");
    (is_filter && is_left_of_sys).then(|| {
        format!(
            "{name} '{}' begins with an empty level; in a shell, $SYS needs single quotes: '$SYS{}'",
            shown(topic.as_ref()),
            shown(topic.as_ref())
        )
    })
}

fn has(definition: &Command, id: &str) -> bool {
    definition.get_arguments().any(|arg| arg.get_id() == id)
}

/// Whether a word is the name of an option.
fn is_option(definition: &Command, word: &str) -> bool {
    word.starts_with('-')
        && definition.get_arguments().any(|arg| !arg.is_hide_set() && words::is_called(arg, word))
}

/// A line whose words are checked for mistakes.
struct LineSlips<'a> {
    definition: &'a Command,
    names: usize,
    line: &'a [OsString],
}

impl LineSlips<'_> {
    fn is_value(&self) -> impl Fn(usize) -> bool {
        let values = words::values(self.definition, self.names, self.line);
        let places: Vec<usize> =
            values.iter().filter(|value| value.from == 0).map(|value| value.word).collect();
        move |at| places.contains(&at)
    }

    /// The hint for an operand, by the word before it; `is_wrong` if it cannot be valid as an operand.
    fn of_operand(&self, operand: &OsStr, is_wrong: bool) -> Option<String> {
        let operands = words::operands(self.definition, self.names, self.line);
        let count = operands.len();
        let at = operands.into_iter().find(|at| self.line[*at] == *operand)?;
        let before = at.checked_sub(1).filter(|before| *before >= self.names)?;
        let (word, text) = (self.line[before].to_str()?, operand.to_str()?);
        if text == "-" && has(self.definition, "stdin_file") {
            return Some("-s reads the payload from standard input".into());
        }
        let values = words::values(self.definition, self.names, self.line);
        let Some(value) = values.iter().find(|value| value.word == before) else {
            if has(self.definition, "message_operand")
                && !ready::gives_a_payload(self.definition, self.names, self.line)
                && count < 3
            {
                return None; // It is the payload.
            }
            let flag = self.definition.get_arguments().find(|arg| words::is_called(arg, word))?;
            let says_so = ["true", "false", "yes", "no", "on", "off", "1", "0"].contains(&text);
            // A file after -l has a hint of its own.
            let is_file = std::path::Path::new(text).is_file();
            return ((is_wrong || says_so) && !is_file && !flag.get_action().takes_values())
                .then(|| format!("{word} takes no value: write it alone, or leave it out"));
        };
        let kind = value.arg.get_value_names()?.first()?.as_str();
        let number = word.get(value.from..)?;
        let is_unit = text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
        if ["DURATION", "SIZE"].contains(&kind) && is_unit && number.parse::<f64>().is_ok() {
            return Some(format!("write the unit without a blank: {number}{text}"));
        }
        if kind == "CMD" {
            let command = [number, text].join(" ");
            let command = shell::quoted(&shown(command.as_ref()));
            return Some(format!("a command of several words is quoted: {command}"));
        }
        None
    }

    /// Several words between typographic quotation marks, which shells do not know: the error and a hint.
    fn quoted_as_texts_are(&self) -> Option<(String, String)> {
        let text = |at: usize| self.line[at].to_str().unwrap_or_default();
        let has_end = |at: usize, mark: &[char]| text(at).ends_with(mark) && text(at).chars().count() > 1;
        let begins = |at: &usize| text(*at).starts_with(OPENING) && !has_end(*at, &CLOSING);
        let first = (self.names..self.line.len()).find(begins)?;
        let last = (first + 1..self.line.len()).find(|at| has_end(*at, &CLOSING))?;
        let words: Vec<&str> = (first..=last).map(text).collect();
        let whole = words.join(" ");
        let bare = whole.trim_start_matches(OPENING).trim_end_matches(CLOSING);
        let mut meant = self.line[..first].to_vec();
        meant.push(bare.into());
        meant.extend_from_slice(&self.line[last + 1..]);
        let wrong = format!(
            "'{}' and '{}' have quotation marks of texts, between which a shell makes a word of each",
            shown(&self.line[first]),
            shown(&self.line[last])
        );
        Some((wrong, self.ready("a shell has ' and \"", &meant)))
    }

    /// A URL as an operand, and the line with `-L` before it, if the topic is given elsewhere.
    fn url_as_operand(&self, has_topic: bool) -> Option<(&OsStr, String)> {
        let operands = words::operands(self.definition, self.names, self.line);
        let is_url = |at: &&usize| self.line[**at].to_str().is_some_and(|word| word.contains("://"));
        let at = *operands.iter().find(is_url)?;
        let meant = url::translated(self.line[at].to_str()?)?;
        let topic = meant.parse::<url::BrokerUrl>().ok().and_then(|url| url.topic);
        if !has_topic && operands.len() == 1 && topic.is_none() {
            return None;
        }
        let (before, after) = (&self.line[..at], &self.line[at + 1..]);
        let line = [before, &["-L".into(), meant.into()], after].concat();
        Some((&self.line[at], ready::accepted(self.definition, self.names, &line)?))
    }

    /// The hint for an operand of a subcommand without operands: the one option that it can belong to.
    fn operand_of_an_option(&self) -> Option<String> {
        const OF_OPTIONS: [(&str, &str); 3] = [("show", "profile"), ("install", "dir"), ("uninstall", "dir")];
        let called = self.line.get(self.names.checked_sub(1)?)?;
        let (_, option) = OF_OPTIONS.iter().find(|(name, _)| *called == **name)?;
        let at = words::operands(self.definition, self.names, self.line).into_iter().next()?;
        let mut meant = self.line.to_vec();
        meant.insert(at, format!("--{option}").into());
        ready::accepted(self.definition, self.names, &meant)
    }

    /// The line with `--` before the program to run, if the subcommand runs one.
    fn command_after_dashes(&self) -> Option<String> {
        let runs = self.definition.get_positionals().any(|arg| arg.is_last_set() && !arg.is_hide_set());
        let at =
            words::operands(self.definition, self.names, self.line).into_iter().next().filter(|_| runs)?;
        let mut meant = self.line.to_vec();
        meant.insert(at, "--".into());
        Some(self.ready("a program to run goes after --", &meant))
    }

    /// The hint for an operand together with `-t`.
    fn beside_topic(&self, operand: &str) -> Option<String> {
        if operand == "filters" {
            return Some("give each filter with -t, or all of them without".into());
        }
        let operands = words::operands(self.definition, self.names, self.line);
        (!ready::gives_a_payload(self.definition, self.names, self.line))
            .then(|| self.as_payload(&operands, true))
    }

    /// The line with these words as its payload.
    fn as_payload(&self, places: &[usize], after_m: bool) -> String {
        let words: Vec<String> =
            places.iter().map(|at| self.line[*at].to_string_lossy().into_owned()).collect();
        let payload = words.join(" ");
        // The shell has removed the quotation marks within it.
        if payload.starts_with(['{', '[']) && places.len() > 1 {
            return "put single quotes around the whole payload, as in '{\"on\": true}'".into();
        }
        let mut meant = Vec::with_capacity(self.line.len() + 1);
        for (at, word) in self.line.iter().enumerate() {
            if places.first() == Some(&at) {
                meant.extend(after_m.then(|| OsString::from("-m")));
                meant.push(payload.clone().into());
            } else if !places.contains(&at) {
                meant.push(word.clone());
            }
        }
        let what =
            if words.len() > 1 { "quote a payload that has blanks" } else { "the payload goes after -m" };
        self.ready(what, &meant)
    }

    /// The corrected line as a hint, with its reason, if it can be typed.
    fn ready(&self, what: &str, meant: &[OsString]) -> String {
        match ready::accepted(self.definition, self.names, meant) {
            Some(line) => format!("{what}: {line}"),
            None => what.to_owned(),
        }
    }

    /// Whether the payload is given by anything.
    fn has_message(&self, matches: &ArgMatches) -> bool {
        let sources = self.definition.get_arguments().filter(|arg| arg.get_help_heading() == Some(PAYLOAD));
        let mut ids = sources.map(|arg| arg.get_id().as_str()).chain(["message_operand", "spool"]);
        ids.any(|id| typed(matches, id).next().is_some())
    }

    /// The last word, if it was read as a letter with its value.
    fn taken_message(&self) -> Option<String> {
        let at = self.line.len().checked_sub(1)?;
        let word = self.line[at].to_str()?;
        let is_short = word.starts_with('-') && !word.starts_with("--") && word.chars().count() > 2;
        if !is_short || self.is_value()(at) {
            return None;
        }
        let letter: String = word.chars().take(2).collect();
        Some(format!("'{}' was read as option {letter}; {}", shown(word.as_ref()), self.message_after_m(at)))
    }

    /// The line with this word as the payload.
    fn message_after_m(&self, at: usize) -> String {
        let mut meant = self.line.to_vec();
        meant.insert(at, "-m".into());
        self.ready("a payload that begins with a dash goes after -m", &meant)
    }
}
