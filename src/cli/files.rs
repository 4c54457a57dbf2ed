//! Options that stand in files: a profile of the configuration file, and the options file of `-o`.
//!
//! Both are read as if they had been typed before everything else, so that clap checks their values
//! and the last of an option counts; the environment, which comes between files and flags, is kept
//! by leaving out what it sets.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};

use super::hidden;
use super::origin::Rank;
use super::text::shown;
use super::url::BrokerUrl;
use super::value::Brokers;
use super::{options_file, profile};
use crate::error::Error;
use crate::file::read_at_most;

/// The options that name files with options.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Connection")]
#[allow(dead_code, reason = "they are heeded before the options become values")]
pub(super) struct FileArgs {
    /// Profile of the configuration file to take options from [default: the one that its
    /// default-profile names]
    #[arg(long, env = "MQTT_PROFILE", value_name = "NAME")]
    profile: Option<String>,

    /// Configuration file [default: ~/.config/mqtt/config.toml]
    #[arg(long, env = "MQTT_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,

    /// File of options as mosquitto's clients have them: one a line, its value behind it
    #[arg(short = 'o', long, env = "MQTT_OPTIONS_FILE", value_name = "FILE",
          value_hint = ValueHint::FilePath)]
    options_file: Option<PathBuf>,
}

/// The options of [`FileArgs`], which files cannot hold.
pub(super) const NAMES_FILES: [&str; 3] = ["profile", "config", "options_file"];

/// An option that stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    /// The option's identifier.
    pub(super) id: String,
    /// As it would be typed.
    pub(super) words: Vec<OsString>,
    pub(super) rank: Rank,
    /// File and line.
    pub(super) place: String,
}

/// What the files hold that the command line and the environment leave open.
pub(super) fn given(subcommand: &Command, matches: &ArgMatches) -> Result<Vec<Given>, Error> {
    if !subcommand.get_arguments().any(|arg| arg.get_id() == "options_file") {
        return Ok(Vec::new());
    }
    let options = match matches.get_one::<PathBuf>("options_file") {
        Some(path) => options_file::read(subcommand, path)?,
        None => Vec::new(),
    };
    let mut given = profile::read(subcommand, matches)?;
    if matches.value_source("profile") != Some(ValueSource::CommandLine)
        && names_another_broker(matches, &options, &given)
    {
        given.retain(|one| !is_credential(one) && one.id != TRUSTS_ANYONE);
    }
    given.retain(|one| options.iter().all(|other| other.id != one.id));
    given.extend(options);
    given.retain(|one| match matches.value_source(&one.id) {
        Some(ValueSource::EnvVariable) => false,
        // What may be repeated adds up, as with mosquitto.
        Some(ValueSource::CommandLine) => {
            one.rank == Rank::OptionsFile && find(subcommand, &one.id).is_some_and(is_repeatable)
        }
        _ => true,
    });
    Ok(given)
}

/// The options that name the broker.
const NAMES_BROKER: [&str; 3] = ["host", "url", "unix"];

/// Options whose values prove to a broker who we are: they are made for one, and sent to it.
const CREDENTIALS: [&str; 8] = [
    "username",
    "password",
    "password_file",
    "password_command",
    "password_prompt",
    "auth_method",
    "auth_data",
    "ws_header",
];

/// The option that says of one broker that it need not prove who it is.
const TRUSTS_ANYONE: &str = "insecure";

fn is_credential(one: &Given) -> bool {
    CREDENTIALS.contains(&one.id.as_str()) || one.words.iter().any(|word| holds_a_secret_path(&one.id, word))
}

/// A token in the path of a WebSocket. The credentials of a proxy are the proxy's, whatever is behind it.
fn holds_a_secret_path(id: &str, word: &OsString) -> bool {
    id == "ws_path" && holds_a_secret(id, word)
}

/// Whether something of higher rank names a broker that is none of the profile's. Ports do not count:
/// as in curl's netrc, credentials belong to a host. A profile that names no broker is for any.
fn names_another_broker(matches: &ArgMatches, options: &[Given], profile: &[Given]) -> bool {
    let in_file = |given: &[Given]| -> Vec<String> {
        let naming = given.iter().filter(|one| NAMES_BROKER.contains(&one.id.as_str()));
        let values = naming.flat_map(|one| one.words.iter().map(move |word| (one, word.to_string_lossy())));
        values
            .flat_map(|(one, word)| {
                let value = word.split_once('=').map_or("", |(_, value)| value);
                places(&one.id, value)
            })
            .collect()
    };
    let given_as = |source| -> Vec<String> {
        let ids = NAMES_BROKER.into_iter().filter(|id| matches.value_source(id) == Some(source));
        let values =
            ids.flat_map(|id| matches.get_raw(id).into_iter().flatten().map(move |value| (id, value)));
        values.flat_map(|(id, value)| places(id, &value.to_string_lossy())).collect()
    };
    let typed = given_as(ValueSource::CommandLine);
    let set = given_as(ValueSource::EnvVariable);
    let (named, theirs) = ([typed, set, in_file(options)], in_file(profile));
    let named = named.iter().find(|named| !named.is_empty());
    !theirs.is_empty() && named.is_some_and(|named| !named.iter().all(|place| theirs.contains(place)))
}

/// Hosts, in lower case, or the path of a Unix socket. What cannot be read is refused elsewhere.
fn places(id: &str, value: &str) -> Vec<String> {
    match id {
        "host" => {
            let brokers = value.parse::<Brokers>().map_or_else(|_| Vec::new(), |Brokers(brokers)| brokers);
            brokers.into_iter().map(|broker| broker.host.to_ascii_lowercase()).collect()
        }
        "url" => value.parse::<BrokerUrl>().map(|url| url.host.to_ascii_lowercase()).into_iter().collect(),
        _ => vec![format!("unix:{value}")],
    }
}

fn find<'a>(subcommand: &'a Command, id: &str) -> Option<&'a Arg> {
    subcommand.get_arguments().find(|arg| arg.get_id() == id)
}

pub(super) fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// The text of a file.
pub(super) fn read_text(what: &str, path: &Path) -> Result<String, Error> {
    let read = read_at_most(path, LONGEST_TEXT_BYTES)
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8")));
    read.map_err(|error| unreadable(what, path, error))
}

/// The longest file with options that is taken.
const LONGEST_TEXT_BYTES: u64 = 16 << 20;

pub(super) fn unreadable(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::file(format!("cannot read the {what} {}", path.display()), error)
}

/// The name that comes nearest to a misspelt one, if one does.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase().replace('_', "-");
    let rated = known.map(|known| (strsim::jaro_winkler(&name, known), known));
    let best = rated.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(rating, _)| *rating > 0.75).map(|(_, known)| known)
}

/// The error for a name in a file that means nothing, with the one that may be meant.
pub(super) fn unknown<'a>(place: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let error = Error::usage(format!("{place}: there is no '{}'", shown(name.as_ref())));
    let dashes = if name.starts_with('-') { "--" } else { "" };
    match nearest(name.trim_start_matches('-'), known) {
        Some(known) => error.with_hint(format!("did you mean '{dashes}{known}'?")),
        None => error,
    }
}

/// What deserves a word: secrets in files that others can read.
pub(super) fn warnings(matches: &ArgMatches, given: &[Given]) -> Vec<String> {
    let mut suspects: Vec<PathBuf> = ["password_file", "key_password_file", "key"]
        .into_iter()
        .filter_map(|id| matches.try_get_one::<PathBuf>(id).ok().flatten().cloned())
        .collect();
    let secrets = given.iter().filter(|one| one.words.iter().any(|word| holds_a_secret(&one.id, word)));
    suspects.extend(secrets.filter_map(|one| one.place.rsplit_once(", line ")).map(|(file, _)| file.into()));
    suspects.dedup();
    let warning = |path: &PathBuf| {
        let whom = readers(path)?;
        Some(format!("{} holds a secret, and {whom} can read it", path.display()))
    };
    suspects.iter().filter_map(warning).collect()
}

/// Whether an option, as it would be typed, keeps a secret.
fn holds_a_secret(id: &str, word: &OsString) -> bool {
    hidden::SECRETS.contains(&id)
        || hidden::URLS.contains(&id) && hidden::is_secret_url(&word.to_string_lossy())
}

/// Who besides its owner can read a file.
#[cfg(unix)]
fn readers(path: &Path) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    others(file.mode(), file.uid())
}

/// A file that root owns may be for a group, as those of services are, whose accounts own nothing.
#[cfg(unix)]
fn others(mode: u32, owner: u32) -> Option<&'static str> {
    const ROOT: u32 = 0;
    match (mode & 0o004 != 0, mode & 0o040 != 0) {
        (true, _) => Some("every user of this machine"),
        (false, true) if owner != ROOT => Some("its whole group"),
        _ => None,
    }
}

#[cfg(not(unix))]
fn readers(_: &Path) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn others_who_can_read_a_file() {
        assert_eq!(others(0o100_644, 0), Some("every user of this machine"));
        assert_eq!(others(0o100_640, 1000), Some("its whole group"));
        assert_eq!(others(0o100_640, 0), None);
        assert_eq!(others(0o100_600, 1000), None);
    }

    #[test]
    fn options_that_keep_a_secret() {
        for (id, word, secret) in [
            ("password", "--password=x", true),
            ("ws_header", "--ws-header=A: b", true),
            ("url", "--url=mqtt://me:x@h", true),
            ("url", "--url=wss://h/?token=x", true),
            ("url", "--url=mqtt://h/is-this-a-topic?", false),
            ("ws_path", "--ws-path=/mqtt?token=x", true),
            ("ws_path", "--ws-path=/mqtt", false),
            ("proxy", "--proxy=http://me:x@p", true),
            ("host", "--host=a@b", false),
        ] {
            assert_eq!(holds_a_secret(id, &word.into()), secret, "{word}");
        }
    }

    #[test]
    fn the_nearest_name() {
        let known = ["host", "port", "client-id", "tls-alpn"];
        for (name, expected) in [
            ("hots", Some("host")),
            ("client_id", Some("client-id")),
            ("clientid", Some("client-id")),
            ("zzz", None),
        ] {
            assert_eq!(nearest(name, known.into_iter()), expected, "{name}");
        }
    }
}
