//! Which options hold secrets. Decided by the type of their values, in the definition of the command
//! line: an option whose value is a [`Secret`] is one wherever options are hidden, shown, or quoted.

use std::any::TypeId;

use clap::{Arg, ArgMatches, Command};

use super::property;
use super::url::{BrokerUrl, without_secrets};
use super::value::{HttpHeader, ProxyChoice, ShellCommand, WsPath};
use crate::client::options::Secret;
use crate::masking;
use crate::notation::percent;

/// What stands for a secret.
pub(super) const MASK: &str = "********";

/// What of an option's value is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretKind {
    /// All of it.
    Whole,
    /// All but the name of a header.
    Header,
    /// The user name, password and query of a URL, or of the end of one.
    Url,
    /// The last word of `-D connect authentication-data`.
    Property,
}

/// What of this option's value is a secret, if anything is.
pub(super) fn kind(arg: &Arg) -> Option<SecretKind> {
    let value = arg.get_value_parser().type_id();
    let is_any = |types: &[TypeId]| types.iter().any(|one| value == *one);
    if arg.get_id() == property::ID {
        Some(SecretKind::Property)
    } else if is_any(&[TypeId::of::<Secret>(), TypeId::of::<ShellCommand>()]) {
        Some(SecretKind::Whole)
    } else if is_any(&[TypeId::of::<HttpHeader>()]) {
        Some(SecretKind::Header)
    } else if is_any(&[TypeId::of::<BrokerUrl>(), TypeId::of::<ProxyChoice>(), TypeId::of::<WsPath>()]) {
        Some(SecretKind::Url)
    } else {
        None
    }
}

impl SecretKind {
    /// Whether this value holds a secret at all. In `mqtt://` a question mark is part of the topic.
    pub(super) fn is_in(self, value: &str) -> bool {
        match self {
            Self::Whole | Self::Header => !value.is_empty(),
            Self::Url => without_secrets(value) != value,
            Self::Property => false, // One word alone does not tell.
        }
    }

    /// The secrets in a value, as they are sent.
    fn texts(self, value: &str) -> Vec<String> {
        match self {
            Self::Property => Vec::new(),
            Self::Whole => vec![value.to_owned()],
            Self::Header => {
                let value = value.split_once(':').map_or("", |(_, value)| value.trim());
                // What stands behind the scheme in an Authorization.
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
                // A short value of a query is found in any text.
                let values = values.filter(|value| value.len() >= 4);
                values
                    .chain([password])
                    .flat_map(|text| [text.to_owned(), percent::decode_lossy(text)])
                    .collect()
            }
        }
    }

    /// The value without its secret.
    pub(super) fn masked(self, value: &str) -> String {
        match self {
            Self::Whole | Self::Property => MASK.into(),
            Self::Header => format!("{}: {MASK}", value.split(':').next().unwrap_or_default()),
            Self::Url => without_secrets(value),
        }
    }
}

/// What the names of secrets have in them.
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

/// Whether this could be the name of a secret. For names that are not defined.
pub(super) fn sounds_like_one(name: &str) -> bool {
    let name = name.to_lowercase();
    SOUNDS.iter().any(|word| name.contains(word))
}

/// From now on the secrets in these values are left out of what brokers and proxies say.
pub(super) fn keep(definition: &Command, matches: &ArgMatches) {
    for arg in definition.get_arguments() {
        let Some(kind) = kind(arg) else { continue };
        let Ok(Some(values)) = matches.try_get_raw(arg.get_id().as_str()) else { continue };
        if kind == SecretKind::Property {
            let words: Vec<_> = values.collect();
            let is_secret = |words: &&[&std::ffi::OsStr]| words[1].eq_ignore_ascii_case(AUTHENTICATION_DATA);
            for words in words.windows(3).filter(is_secret) {
                masking::keep(words[2].as_encoded_bytes());
            }
            continue;
        }
        for value in values {
            for text in kind.texts(&value.to_string_lossy()) {
                masking::keep(text.as_bytes());
            }
        }
    }
}

/// The property whose value proves who a client is.
pub(super) const AUTHENTICATION_DATA: &str = "authentication-data";

/// Whether an option with this value holds a secret.
pub(super) fn is_in(arg: &Arg, value: &str) -> bool {
    kind(arg).is_some_and(|kind| kind.is_in(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition held against the names: what sounds like a secret is one.
    #[test]
    fn options_that_sound_like_secrets_are_secrets() {
        // These hold a place or a name, and no secret.
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
                let is_url = matches!(arg.get_value_hint(), clap::ValueHint::Url);
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
