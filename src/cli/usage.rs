//! clap's errors in this program's shape: one line that says what is wrong, and a hint.

use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::text::shown;
use crate::error::Error;

/// Letters of `pub` and `sub` for which other subcommands may have the long name alone.
const LETTERS: [(&str, &str); 2] = [("-t", "topic"), ("-q", "qos")];

/// What clap has to say: either what was asked for, or what is wrong.
pub(super) fn from_clap(
    mut error: clap::Error,
    command: &Command,
    arguments: &[OsString],
) -> Result<String, Error> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Ok(error.render().to_string());
    }
    let subcommand = subcommand(command, arguments);
    let from_environment = environment_of(&error, subcommand.unwrap_or(command), arguments);
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        // Not even a misspelt header is shown: it may hold a token.
        let is_for = |option: &str| {
            matches!(error.get(ContextKind::InvalidArg),
                Some(ContextValue::String(found)) if found.starts_with(option))
        };
        let value = if is_for("--ws-header") {
            "…".to_owned()
        } else if ["--host", "--url", "--proxy"].into_iter().any(is_for) {
            shown(without_user_info(&without_secrets(value)).as_ref())
        } else {
            shown(without_secrets(value).as_ref())
        };
        error.insert(ContextKind::InvalidValue, ContextValue::String(value));
    } else if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) {
        // A URL where none is expected.
        let argument = without_secrets(argument);
        error.insert(ContextKind::InvalidArg, ContextValue::String(argument));
    }
    let text = error.render().to_string();
    let (mut message, tip) = split(&text);
    if let Some(variable) = from_environment {
        message = format!("{message} (from the environment: {variable})");
    }
    let help = match subcommand {
        Some(subcommand) => format!("see mqtt {} --help", subcommand.get_name()),
        None => "see mqtt --help".into(),
    };
    let tip = long_name(&error, subcommand).or(tip);
    Err(Error::Usage { message, hint: Some(tip.unwrap_or(help)) })
}

/// The long option that is meant by a letter which the subcommand does not have.
fn long_name(error: &clap::Error, subcommand: Option<&Command>) -> Option<String> {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidArg) else { return None };
    let (_, name) = LETTERS.iter().find(|(letter, _)| typed == letter)?;
    let is_there = subcommand?.get_arguments().any(|argument| argument.get_long() == Some(*name));
    (error.kind() == ErrorKind::UnknownArgument && is_there).then(|| format!("use --{name}"))
}

/// Message and tip of clap's text: `error: …` up to an empty line, later a line `  tip: …`.
fn split(text: &str) -> (String, Option<String>) {
    let words = |lines: &mut dyn Iterator<Item = &str>| {
        lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
    };
    let message = words(&mut text.lines().take_while(|line| !line.trim().is_empty()));
    let message = message.strip_prefix("error: ").map(str::to_owned).unwrap_or(message);
    let tip = text.lines().find_map(|line| line.trim_start().strip_prefix("tip: "));
    (message, tip.map(str::to_owned))
}

/// The subcommand that was being read.
fn subcommand<'a>(command: &'a Command, arguments: &[OsString]) -> Option<&'a Command> {
    let name = arguments.iter().skip(1).find(|argument| !argument.as_encoded_bytes().starts_with(b"-"))?;
    command.find_subcommand(name)
}

/// The variable that a refused value came from, if it did not come from the command line.
fn environment_of(error: &clap::Error, command: &Command, arguments: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return None };
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else { return None };
    // Arguments can be shown only once their command is built.
    let mut command = command.clone();
    command.build();
    let argument = command.get_arguments().find(|argument| argument.to_string() == *option)?;
    let variable = argument.get_env()?;
    let typed = |argument: &OsString| argument.to_string_lossy().ends_with(value.as_str());
    if value.is_empty() || arguments.iter().any(typed) {
        return None;
    }
    Some(variable.to_string_lossy().into_owned())
}

/// A URL, or the path of one, without the user name and password and without the query.
pub(super) fn without_secrets(value: &str) -> String {
    let (scheme, rest) = match value.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), value),
    };
    // Behind mqtt:// comes a topic, which may be anything.
    let has_query = !scheme.to_ascii_lowercase().ends_with("mqtt://")
        && !scheme.to_ascii_lowercase().ends_with("mqtts://");
    // The last '@', wherever it stands: of a password that is spelt wrong nothing is shown either.
    let (credentials, behind) = match rest.rsplit_once('@').filter(|_| !scheme.is_empty()) {
        Some((_, behind)) => ("…@", behind),
        None => ("", rest),
    };
    let (behind, query) = match behind.split_once('?').filter(|_| has_query) {
        Some((behind, _)) => (behind, "?…"),
        None => (behind, ""),
    };
    format!("{scheme}{credentials}{behind}{query}")
}

/// What should be a URL, or a host, without what looks like the user name and password of one: they
/// stand before an '@' where the scheme was forgotten, too.
fn without_user_info(value: &str) -> String {
    match value.rsplit_once('@') {
        Some((before, behind)) if !before.contains("://") => format!("…@{behind}"),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn what_is_left_of_a_url() {
        for (value, left) in [
            ("mqtt://me:x@h/t", "mqtt://…@h/t"),
            ("mqtts://h/a?b", "mqtts://h/a?b"),
            ("WSS://me:x@h/p?token=x", "WSS://…@h/p?…"),
            ("ws://h?token=x", "ws://h?…"),
            ("ws://me:x?y@h/p?token=x@z", "ws://…@z"),
            ("ws://me:x?y@h", "ws://…@h"),
            ("/mqtt?token=x", "/mqtt?…"),
            ("--url=wss://h/p?token=x", "--url=wss://h/p?…"),
            ("socks5h://me:x@p:1", "socks5h://…@p:1"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(without_secrets(value), left);
        }
    }
}
