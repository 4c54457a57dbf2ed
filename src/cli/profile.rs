//! Profiles: `[profile.NAME]` in the configuration file. Their keys are the long names of the
//! options under Connection and TLS, taken from the definition of the command line.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::files::{Given, NAMES_FILES, is_repeatable, nearest, read_text, unknown};
use super::origin::Rank;
use super::text::shown;
use crate::error::Error;

/// Which profile to use where none is asked for.
const DEFAULT_PROFILE: &str = "default-profile";
/// The table of all profiles.
const PROFILES: &str = "profile";

/// The options of the profile that was asked for, or else of the default one.
pub(super) fn read(subcommand: &Command, matches: &ArgMatches) -> Result<Vec<Given>, Error> {
    let asked = matches.get_one::<String>("profile").map(String::as_str);
    let named = matches.get_one::<PathBuf>("config");
    let Some(path) = named.cloned().or_else(default_file) else {
        return missing(asked, Path::new("~/.config/mqtt/config.toml"));
    };
    match read_text("configuration file", &path) {
        Ok(text) => File { name: path.display().to_string(), text }.profile(subcommand, asked),
        Err(Error::File { source, .. })
            if named.is_none() && matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
        {
            missing(asked, &path)
        }
        Err(error) => Err(error),
    }
}

/// There is no configuration file, which is well as long as nobody asks for something in it.
fn missing(asked: Option<&str>, place: &Path) -> Result<Vec<Given>, Error> {
    let Some(name) = asked else { return Ok(Vec::new()) };
    let text = format!("no profile '{}': {} does not exist", shown(name.as_ref()), place.display());
    Err(Error::usage(text).with_hint("--config FILE names another file"))
}

/// `$XDG_CONFIG_HOME/mqtt/config.toml`, in `~/.config` where that is not set.
fn default_file() -> Option<PathBuf> {
    if cfg!(test) {
        return None; // Unit tests have no business with the file of whoever runs them.
    }
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = folder("XDG_CONFIG_HOME").filter(|path| path.is_absolute()).or_else(|| {
        folder(if cfg!(windows) { "APPDATA" } else { "HOME" })
            .map(|home| if cfg!(windows) { home } else { home.join(".config") })
    })?;
    Some(base.join("mqtt").join("config.toml"))
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{}'", shown(name.as_ref()))).collect();
    quoted.join(", ")
}

struct File {
    name: String,
    text: String,
}

impl File {
    fn profile(&self, subcommand: &Command, asked: Option<&str>) -> Result<Vec<Given>, Error> {
        let document = DeTable::parse(&self.text).map_err(|error| {
            let line = self.place(error.span().map_or(0, |span| span.start));
            Error::usage(format!("{line}: {}", error.message().replace('\n', " ")))
        })?;
        let mut default = None;
        let mut profiles = None;
        for (key, value) in document.get_ref() {
            let place = self.place(key.span().start);
            match (key.get_ref().as_ref(), value.get_ref()) {
                (DEFAULT_PROFILE, DeValue::String(name)) => default = Some((name.as_ref(), place)),
                (PROFILES, DeValue::Table(table)) => profiles = Some(table),
                (DEFAULT_PROFILE, _) => {
                    return Err(Error::usage(format!("{place}: {DEFAULT_PROFILE} is the name of a profile")));
                }
                (PROFILES, _) => {
                    return Err(Error::usage(format!("{place}: a profile is a table, [profile.NAME]")));
                }
                (other, _) => return Err(unknown(&place, other, [DEFAULT_PROFILE, PROFILES].into_iter())),
            }
        }
        // All are read, so that a mistake is found before the profile is needed.
        let mut chosen = None;
        let name = asked.or(default.as_ref().map(|(name, _)| *name));
        for (key, value) in profiles.into_iter().flatten() {
            let DeValue::Table(table) = value.get_ref() else {
                let place = self.place(key.span().start);
                return Err(Error::usage(format!("{place}: a profile is a table, [profile.NAME]")));
            };
            let options = self.options(subcommand, table)?;
            if name == Some(key.get_ref().as_ref()) {
                chosen = Some(options);
            }
        }
        match (name, chosen) {
            (None, _) => Ok(Vec::new()),
            (_, Some(options)) => Ok(options),
            (Some(name), None) => {
                let place = match default {
                    Some((_, place)) if asked.is_none() => place,
                    _ => self.name.clone(),
                };
                let names: Vec<&str> =
                    profiles.into_iter().flatten().map(|(key, _)| key.get_ref().as_ref()).collect();
                let text = format!("{place}: there is no profile '{}'", shown(name.as_ref()));
                let hint = match nearest(name, names.iter().copied()) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None if names.is_empty() => "the file holds no profile, [profile.NAME]".to_owned(),
                    None => format!("there are {}", quoted(&names)),
                };
                Err(Error::usage(text).with_hint(hint))
            }
        }
    }

    fn options(&self, subcommand: &Command, table: &DeTable<'_>) -> Result<Vec<Given>, Error> {
        let mut given = Vec::new();
        for (key, value) in table {
            let place = self.place(key.span().start);
            let name = key.get_ref().as_ref();
            let Some(arg) = arguments(subcommand).find(|arg| is_called(arg, name)) else {
                return Err(unknown(&place, name, arguments(subcommand).filter_map(Arg::get_long)));
            };
            given.push(Given {
                id: arg.get_id().to_string(),
                words: words(arg, value).map_err(|why| Error::usage(format!("{place}: {name}: {why}")))?,
                rank: Rank::Profile,
                place,
            });
        }
        // What is turned off is not given.
        given.retain(|one| !one.words.is_empty());
        Ok(given)
    }

    /// File and line of a byte of the text.
    fn place(&self, offset: usize) -> String {
        let line = self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
        format!("{}, line {line}", self.name)
    }
}

/// The options that a profile can hold.
pub(super) fn arguments(subcommand: &Command) -> impl Iterator<Item = &Arg> {
    subcommand.get_arguments().filter(|arg| {
        matches!(arg.get_help_heading(), Some("Connection" | "TLS"))
            && !NAMES_FILES.contains(&arg.get_id().as_str())
    })
}

fn is_called(arg: &Arg, name: &str) -> bool {
    arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&name))
}

/// An option and its value as they would be typed.
fn words(arg: &Arg, value: &Spanned<DeValue<'_>>) -> Result<Vec<std::ffi::OsString>, &'static str> {
    let long = arg.get_long().unwrap_or_default();
    let word = |value: &str| format!("--{long}={value}").into();
    match value.get_ref() {
        DeValue::Boolean(on) if !arg.get_action().takes_values() => {
            Ok(if *on { vec![format!("--{long}").into()] } else { Vec::new() })
        }
        _ if !arg.get_action().takes_values() => Err("it is true or false"),
        DeValue::Array(values) if is_repeatable(arg) => {
            values.iter().map(|value| scalar(value.get_ref()).map(|value| word(&value))).collect()
        }
        value => scalar(value).map(|value| vec![word(&value)]),
    }
}

fn scalar(value: &DeValue<'_>) -> Result<String, &'static str> {
    match value {
        DeValue::String(text) => Ok(DeString::clone(text).into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().replace('_', "")),
        DeValue::Float(number) => Ok(number.as_str().replace('_', "")),
        _ => Err("it takes a text or a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(text: &str, asked: Option<&str>) -> Result<Vec<Given>, Error> {
        let command = super::super::command();
        let subcommand = command.find_subcommand("pub").unwrap();
        File { name: "c.toml".into(), text: text.into() }.profile(subcommand, asked)
    }

    fn words_of(text: &str, asked: Option<&str>) -> Vec<String> {
        let given = profile(text, asked).unwrap_or_else(|error| panic!("{error}"));
        let words = given.into_iter().flat_map(|one| one.words);
        words.map(|word| word.into_string().unwrap()).collect()
    }

    const TWO: &str = "default-profile = 'home'\n\n[profile.home]\nhost = 'h'\nport = 1_884\ninsecure = false\nws = true\n\
                       [profile.work]\nhost = 'w'\nkeepalive = '5m'\nws-header = ['A: b', 'C: d']\n";

    #[test]
    fn the_default_or_the_one_asked_for() {
        assert_eq!(words_of(TWO, None), ["--host=h", "--port=1884", "--ws"]);
        assert_eq!(
            words_of(TWO, Some("work")),
            ["--host=w", "--keepalive=5m", "--ws-header=A: b", "--ws-header=C: d"]
        );
        assert_eq!(words_of("[profile.x]\nhost = 'h'", None), [""; 0]);
        assert_eq!(profile(TWO, None).unwrap()[1].place, "c.toml, line 5");
    }

    #[test]
    fn mistakes_are_found_with_their_line() {
        for (text, message, hint) in [
            ("[profile.a]\nhots = 'x'", "c.toml, line 2: there is no 'hots'", Some("did you mean 'host'?")),
            ("[profile.a]\n\ntopic = 'x'", "c.toml, line 3: there is no 'topic'", None),
            ("[profile.a]\nprofile = 'x'", "c.toml, line 2: there is no 'profile'", None),
            ("[profil.a]", "c.toml, line 1: there is no 'profil'", Some("did you mean 'profile'?")),
            ("default-profile = 'b'", "c.toml, line 1: there is no profile 'b'", None),
            ("[profile.a]\nhost = true", "c.toml, line 2: host: it takes a text or a number", None),
            ("[profile.a]\ninsecure = 'yes'", "c.toml, line 2: insecure: it is true or false", None),
            ("profile = 1", "c.toml, line 1: a profile is a table, [profile.NAME]", None),
        ] {
            let error = profile(text, None).unwrap_err();
            assert_eq!(error.to_string(), message);
            if hint.is_some() {
                assert_eq!(error.hint(), hint, "{text}");
            }
        }
        assert!(profile("a =", None).unwrap_err().to_string().starts_with("c.toml, line 1: "));
        let error = profile(TWO, Some("hom")).unwrap_err();
        assert_eq!(error.to_string(), "c.toml: there is no profile 'hom'");
        assert_eq!(error.hint(), Some("did you mean 'home'?"));
    }
}
