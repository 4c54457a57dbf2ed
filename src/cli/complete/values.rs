//! The possible values of an option, from its definition: the values of its parser, its hint, and the name of
//! its value.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Arg, Command, ValueHint};

use super::offer::{Offer, Word};
use super::topics;
use crate::cli::sources::profile_names;
use crate::cli::{property, words};
use crate::client::authentication::ScramMechanism;

/// Values of options whose parsers accept more than a list.
const KNOWN: &[(&str, &[(&str, &str)])] = &[
    (
        "url",
        &[("mqtt://", "plain"), ("mqtts://", "TLS"), ("ws://", "WebSocket"), ("wss://", "WebSocket in TLS")],
    ),
    (
        "proxy",
        &[
            ("socks5h://", "SOCKS, the proxy looks names up"),
            ("socks5://", "SOCKS, names are looked up here"),
            ("http://", "HTTP CONNECT"),
            ("env", "as ALL_PROXY and NO_PROXY say"),
        ],
    ),
    ("reconnect", &[("never", ""), ("always", "")]),
    ("session_expiry", &[("never", "The broker keeps the session for ever")]),
    ("disconnect-session-expiry", &[("never", "The broker keeps the session for ever")]),
    ("tls_pin", &[("sha256:", "")]),
    ("tls_version", &[("tlsv1.2", ""), ("tlsv1.3", "")]),
    ("tls_alpn", &[("mqtt", ""), ("x-amzn-mqtt-ca", "AWS IoT")]),
    ("time_in", &[("payload", ""), ("payload:/", "A member of JSON"), ("property:", "A user property")]),
];

/// The possible completions of this value of an option, by the number of the value.
pub(super) fn of(
    definition: &Command,
    arg: &Arg,
    number: usize,
    names: usize,
    line: &[OsString],
) -> Option<Offer> {
    let id = arg.get_id().as_str();
    if id == property::ID {
        return of_property(definition, number, line).map(Offer::Words);
    }
    let is_shown = |value: &PossibleValue| !value.is_hide_set();
    let possible: Vec<PossibleValue> =
        arg.get_value_parser().possible_values().into_iter().flatten().filter(is_shown).collect();
    if !possible.is_empty() {
        let word = |value: &PossibleValue| {
            Word::new(value.get_name(), &value.get_help().map(ToString::to_string).unwrap_or_default())
        };
        return Some(Offer::Words(possible.iter().map(word).collect()));
    }
    if let Some((_, values)) = KNOWN.iter().find(|(known, _)| *known == id) {
        return Some(Offer::Words(values.iter().map(|(text, help)| Word::new(*text, help)).collect()));
    }
    match id {
        "profile" => {
            let typed = value_of(definition, "config", names, line);
            let set = std::env::var_os("MQTT_CONFIG").filter(|path| !path.is_empty());
            let config = typed.or(set).map(PathBuf::from);
            let profiles = profile_names(config.as_deref());
            return Some(Offer::Words(Word::plain(profiles.iter().map(String::as_str))));
        }
        "auth_method" => {
            let mechanisms = ScramMechanism::ALL.iter().map(|mechanism| mechanism.name());
            return Some(Offer::Words(Word::plain(mechanisms)));
        }
        _ => {}
    }
    match arg.get_value_hint() {
        ValueHint::FilePath | ValueHint::AnyPath => return Some(Offer::Files),
        ValueHint::DirPath => return Some(Offer::Directories),
        ValueHint::Hostname => return Some(Offer::Hosts),
        ValueHint::CommandString | ValueHint::CommandName => return Some(Offer::Commands),
        ValueHint::CommandWithArguments => {
            return Some(if number == 0 { Offer::Commands } else { Offer::Files });
        }
        _ => {}
    }
    let kind = arg.get_value_names()?.first()?.as_str();
    match kind {
        "TOPIC" | "FILTER" | "OPTIONS:FILTER" => Some(Offer::Topics {
            options: topics::connection(definition, names, line),
            is_filter: kind != "TOPIC",
        }),
        // NUMBER|auto, 0|1
        kind => {
            let values =
                kind.split('|').filter(|value| !value.chars().all(|letter| letter.is_ascii_uppercase()));
            let words = Word::plain(values.filter(|_| kind.contains('|')));
            (!words.is_empty()).then_some(Offer::Words(words))
        }
    }
}

/// The packets, their properties, and the values of those.
fn of_property(definition: &Command, number: usize, line: &[OsString]) -> Option<Vec<Word>> {
    let before = |back: usize| line.get(line.len().checked_sub(1 + back)?)?.to_str();
    match number {
        0 => Some(Word::plain(property::packets(definition))),
        1 => Some(Word::plain(property::properties_of(before(1)?))),
        _ => None,
    }
}

/// The last typed value of an option.
fn value_of(definition: &Command, id: &str, names: usize, line: &[OsString]) -> Option<OsString> {
    let values = words::values(definition, names, line);
    let value = values.iter().rfind(|value| value.arg.get_id() == id && value.word + 1 < line.len())?;
    Some(line[value.word].to_str()?.get(value.from..)?.into())
}
