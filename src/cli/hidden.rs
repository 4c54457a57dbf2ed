//! Secrets on the command line, hidden from other users.
//!
//! Everybody on a machine can read the arguments of every process; its environment only its owner
//! can. To overwrite the arguments in place needs `unsafe`, so the program starts itself anew
//! instead, in the same process: with the secrets blotted out of the arguments, and the arguments as
//! they were typed in one variable of the environment.

use std::ffi::{OsStr, OsString};

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::usage::without_secrets;

/// Holds the arguments as they were typed.
pub(super) const VARIABLE: &str = "MQTT_HIDDEN_ARGUMENTS";

/// What stands between two arguments in it: no argument can hold it, nor can a file name.
const SEPARATOR: u8 = 0x1f;

/// Options whose whole value is a secret.
pub(super) const SECRETS: [&str; 3] = ["password", "ws_header", "auth_data"];
/// Options whose value is a URL, or the end of one, that may hold one.
pub(super) const URLS: [&str; 3] = ["url", "proxy", "ws_path"];

/// Whether a value of [`URLS`] holds a secret: a user name and password, or a query, in which servers
/// behind WebSockets expect tokens. In `mqtt://` a question mark is part of the topic.
pub(super) fn is_secret_url(value: &str) -> bool {
    without_secrets(value) != value
}

/// A command line to start anew with.
#[derive(Debug, PartialEq, Eq)]
pub struct Hidden {
    /// Without the secrets; the program's name first.
    pub arguments: Vec<OsString>,
    /// The environment variable that holds them.
    pub variable: &'static str,
    /// Its value.
    pub value: OsString,
}

/// The arguments as they were typed, if this process was started anew to hide them.
pub(super) fn typed(arguments: &[OsString]) -> Option<Vec<OsString>> {
    let value = std::env::var_os(VARIABLE)?;
    let typed: Vec<OsString> = split(&value).collect();
    // A stray variable must not replace what was really typed.
    let fits = |(typed, shown): (&OsString, &OsString)| {
        let blotted = shown.to_string_lossy();
        let kept = blotted.strip_suffix(BLOT);
        typed == shown || kept.is_some_and(|kept| typed.to_string_lossy().starts_with(kept))
    };
    (typed.len() == arguments.len() && typed.iter().zip(arguments).all(fits)).then_some(typed)
}

const BLOT: &str = "(hidden)";

/// The command line to start anew with, if this one holds secrets that were typed.
pub(super) fn hide(arguments: &[OsString], subcommand: &ArgMatches) -> Option<Hidden> {
    let typed = |id: &&str| {
        matches!(subcommand.try_get_raw(id), Ok(Some(_)))
            && subcommand.value_source(id) == Some(ValueSource::CommandLine)
    };
    let values = |id| subcommand.get_raw(id).into_iter().flatten().map(OsStr::to_owned);
    let mut secrets: Vec<OsString> = SECRETS.into_iter().filter(typed).flat_map(values).collect();
    let urls = URLS.into_iter().filter(typed).flat_map(values);
    secrets.extend(urls.filter(|url| is_secret_url(&url.to_string_lossy())));
    secrets.retain(|secret| !secret.is_empty());
    let plain =
        |argument: &OsString| argument.to_str().is_some_and(|text| !text.as_bytes().contains(&SEPARATOR));
    // What cannot be carried over is run as it is.
    if secrets.is_empty() || !arguments.iter().all(plain) {
        return None;
    }
    Some(Hidden {
        arguments: blot(arguments, &secrets),
        variable: VARIABLE,
        value: arguments.join(OsStr::new("\u{1f}")),
    })
}

/// The arguments with each secret, whole or at the end of an option, made unreadable.
fn blot(arguments: &[OsString], secrets: &[OsString]) -> Vec<OsString> {
    let blotted = |argument: &OsString| {
        let text = argument.to_string_lossy();
        let secret = secrets.iter().find_map(|secret| {
            let secret = secret.to_string_lossy();
            (text == secret || text.starts_with('-') && text.ends_with(&*secret)).then_some(secret)
        });
        secret.map(|secret| format!("{}{BLOT}", &text[..text.len() - secret.len()]).into())
    };
    // The program's name and the subcommand stay.
    let (names, rest) = arguments.split_at(arguments.len().min(2));
    let rest = rest.iter().map(|argument| blotted(argument).unwrap_or_else(|| argument.clone()));
    names.iter().cloned().chain(rest).collect()
}

fn split(value: &OsStr) -> impl Iterator<Item = OsString> {
    value.to_string_lossy().split(char::from(SEPARATOR)).map(OsString::from).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn secrets_are_blotted_out_wherever_they_stand() {
        for (line, blotted) in [
            ("mqtt pub -P s3 -t a", "mqtt pub -P (hidden) -t a"),
            ("mqtt pub -Ps3 -t a", "mqtt pub -P(hidden) -t a"),
            ("mqtt pub --pw=s3 -dPs3", "mqtt pub --pw=(hidden) -dP(hidden)"),
        ] {
            assert_eq!(blot(&words(line), &[OsString::from("s3")]), words(blotted));
        }
        // The subcommand stays what it is.
        assert_eq!(blot(&words("mqtt pub -P pub"), &["pub".into()]), words("mqtt pub -P (hidden)"));
    }
}
