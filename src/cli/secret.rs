//! Tells which options hold secrets. The type of the value in the definition of the command line decides: an
//! option whose value is a [`Secret`] is a secret wherever options are hidden, shown, or quoted.

use std::any::TypeId;
use std::ffi::OsStr;

use clap::{Arg, ArgMatches, Command};

use super::property;
use super::property_flags::binary;
use super::url::{BrokerUrl, without_secrets};
use super::value::{HttpHeader, ProxyChoice, ShellCommand, WsPath};
use crate::client::options::Secret;
use crate::masking;
use crate::net::page::PageAddress;
use crate::notation::percent;

/// The replacement for a secret.
pub(super) const MASK: &str = "********";

/// The part of an option's value that is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretKind {
    /// The whole value.
    Whole,
    /// All but the name of a header.
    Header,
    /// The user name, password and query of a URL, or of the end of one.
    Url,
    /// The last word of `-D connect authentication-data`.
    Property,
}

/// The part of this option's value that is secret, if any.
pub(super) fn kind(arg: &Arg) -> Option<SecretKind> {
    let value = arg.get_value_parser().type_id();
    let is_any = |types: &[TypeId]| types.iter().any(|one| value == *one);
    if arg.get_id() == property::ID {
        Some(SecretKind::Property)
    } else if is_any(&[TypeId::of::<Secret>(), TypeId::of::<ShellCommand>()]) {
        Some(SecretKind::Whole)
    } else if is_any(&[TypeId::of::<HttpHeader>()]) {
        Some(SecretKind::Header)
    } else if is_any(&[
        TypeId::of::<BrokerUrl>(),
        TypeId::of::<ProxyChoice>(),
        TypeId::of::<WsPath>(),
        TypeId::of::<PageAddress>(),
    ]) {
        Some(SecretKind::Url)
    } else {
        None
    }
}

impl SecretKind {
    /// Whether this value holds a secret. In `mqtt://`, a question mark is part of the topic.
    pub(super) fn is_in(self, value: &str) -> bool {
        match self {
            Self::Whole | Self::Header => !value.is_empty(),
            Self::Url => without_secrets(value) != value,
            Self::Property => false, // One word alone is not enough to tell.
        }
    }

    /// The secrets in a value, as they are sent.
    fn texts(self, value: &str) -> Vec<String> {
        match self {
            Self::Property => Vec::new(),
            // Without the notation of binary data, its digits alone may be repeated.
            Self::Whole => {
                let written = ["hex:", "base64:", "text:"].iter().find_map(|form| value.strip_prefix(form));
                written.into_iter().chain([value]).map(str::to_owned).collect()
            }
            Self::Header => {
                let value = value.split_once(':').map_or("", |(_, value)| value.trim());
                // The token after the scheme in an Authorization header.
                let token = value.split_once(' ').map(|(_, token)| token.to_owned());
                token.into_iter().chain([value.to_owned()]).collect()
            }
            Self::Url => {
                let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
                let credentials = rest.rsplit_once('@').map_or("", |(credentials, _)| credentials);
                let password = credentials.split_once(':').map_or("", |(_, password)| password);
                let has_query = self.is_in(value) && value.contains('?');
                let query = value.split_once('?').filter(|_| has_query).map_or("", |(_, query)| query);
                let values = query.split('&').filter_map(|part| part.split_once('=').map(|(_, value)| value));
                // A short query value would be found in unrelated text.
                let values = values.filter(|value| value.len() >= 4);
                values
                    .chain([password])
                    .flat_map(|text| [text.to_owned(), percent::decode_lossy(text)])
                    .collect()
            }
        }
    }

    /// The value with its secret masked.
    pub(super) fn masked(self, value: &str) -> String {
        match self {
            Self::Whole | Self::Property => MASK.into(),
            Self::Header => format!("{}: {MASK}", value.split(':').next().unwrap_or_default()),
            Self::Url => without_secrets(value),
        }
    }
}

/// Parts of words that names of secrets contain.
const SOUNDS: [&str; 12] = [
    "passw",
    "passphrase",
    "pwd",
    "pw",
    "psk",
    "secret",
    "token",
    "header",
    "kpass",
    "keypass",
    "auth-data",
    "proxy",
];

/// Whether this could be the name of a secret. For names that are not defined as options.
pub(super) fn sounds_like_one(name: &str) -> bool {
    let name = name.to_lowercase();
    SOUNDS.iter().any(|word| name.contains(word))
}

/// Registers the secrets in these values, so that they are removed from texts of brokers and proxies.
pub(super) fn keep(definition: &Command, matches: &ArgMatches) {
    for arg in definition.get_arguments() {
        let Some(kind) = kind(arg) else { continue };
        let Ok(Some(values)) = matches.try_get_raw(arg.get_id().as_str()) else { continue };
        if kind == SecretKind::Property {
            let words: Vec<_> = values.collect();
            let is_secret = |words: &&[&OsStr]| words[1].eq_ignore_ascii_case(AUTHENTICATION_DATA);
            for words in words.windows(3).filter(is_secret) {
                keep_value(SecretKind::Whole, words[2]);
            }
            continue;
        }
        values.for_each(|value| keep_value(kind, value));
    }
}

/// Registers the secrets in a value: as it was typed, and the bytes that it stands for.
fn keep_value(kind: SecretKind, value: &OsStr) {
    for text in kind.texts(&value.to_string_lossy()) {
        masking::keep(text.as_bytes());
    }
    let typed = value.as_encoded_bytes();
    if kind == SecretKind::Whole
        && let Ok(bytes) = binary(typed)
        && bytes != typed
    {
        masking::keep_credentials(None, &bytes);
    }
}

/// The property that authenticates a client.
pub(super) const AUTHENTICATION_DATA: &str = "authentication-data";

/// Whether an option with this value holds a secret.
pub(super) fn is_in(arg: &Arg, value: &str) -> bool {
    kind(arg).is_some_and(|kind| kind.is_in(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the definition against the names: options that sound like secrets must be secrets.
    #[test]
    fn options_that_sound_like_secrets_are_secrets() {
        // These hold a path or a name, not a secret.
        const PUBLIC: [&str; 4] = ["password-file", "key-password-file", "psk-identity", "password-prompt"];
        let mut found = 0;
        let command = super::super::command();
        let modes = command.get_subcommands().flat_map(Command::get_subcommands);
        for subcommand in command.get_subcommands().chain(modes) {
            for arg in subcommand.get_arguments().filter(|arg| arg.get_action().takes_values()) {
                let long = arg.get_long().unwrap_or_default();
                let names = arg.get_long_and_visible_aliases().unwrap_or_default();
                let sounds = |name: &&str| sounds_like_one(name);
                if PUBLIC.contains(&long) {
                    assert_eq!(kind(arg), None, "{} --{long}", subcommand.get_name());
                } else if names.iter().any(sounds) {
                    assert!(kind(arg).is_some(), "{} --{long}", subcommand.get_name());
                    found += 1;
                }
                let is_named_url = |name: &clap::builder::Str| name.contains("URL");
                let is_url = matches!(arg.get_value_hint(), clap::ValueHint::Url)
                    // Those of --listen have no secrets.
                    || long != "listen" && arg.get_value_names().into_iter().flatten().any(is_named_url);
                assert!(!is_url || kind(arg) == Some(SecretKind::Url), "{} --{long}", subcommand.get_name());
                let is_command = matches!(arg.get_value_hint(), clap::ValueHint::CommandString);
                assert!(
                    !is_command || kind(arg) == Some(SecretKind::Whole),
                    "{} --{long}",
                    subcommand.get_name()
                );
            }
        }
        assert!(found > 40, "{found}");
    }

    #[test]
    fn values_that_hold_a_secret() {
        let command = super::super::command();
        let subcommand = command.find_subcommand("will-test").unwrap();
        for (long, value, secret) in [
            ("password", "x", true),
            ("watch-password", "x", true),
            ("password-command", "echo x", true),
            ("psk", "00", true),
            ("ws-header", "A: b", true),
            ("url", "mqtt://me:x@h", true),
            ("url", "wss://h/?token=x", true),
            ("url", "mqtt://h/is-this-a-topic?", false),
            ("ws-path", "/mqtt?token=x", true),
            ("ws-path", "/mqtt", false),
            ("proxy", "http://me:x@p", true),
            ("host", "a@b", false),
        ] {
            let arg = subcommand.get_arguments().find(|arg| arg.get_long() == Some(long)).unwrap();
            assert_eq!(is_in(arg, value), secret, "--{long} {value}");
        }
    }
}
