//! Profiles: `[profile.NAME]` in the configuration file. The keys are the long names of the connection
//! options, taken from the definition of the command line.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::{Arg, ArgMatches, Command};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::given::{FilePlace, Found, Given, NAMES_FILES, SourceFile, is_repeatable, unknown_name};
use super::origin::{BrokenSetting, Rank};
use crate::cli::foreign::in_every_command;
use crate::cli::headings::is_of_connection;
use crate::cli::text::shown;
use crate::error::Error;
use crate::file::Written;
use crate::nearest::{did_you_mean, nearest};
use crate::quotation::{cut, list};

/// The key that names the profile to use if none is requested.
pub(crate) const DEFAULT_PROFILE: &str = "default-profile";
/// The table that holds all profiles.
const PROFILES: &str = "profile";
const NO_TABLE: &str = "a profile is a table, [profile.NAME]";

/// The options of the requested profile, or else of the default one.
///
/// A file that was not named explicitly and cannot be read, or has a mistake, is not an error unless the run
/// asks for a profile: a service may well have the home of another user. An invalid value in a profile that
/// was found is one, if its option matters.
pub(crate) fn read(subcommand: &Command, matches: &ArgMatches) -> Result<Found, Error> {
    let asked = matches.get_one::<String>("profile").map(String::as_str);
    if let Some(path) = matches.get_one::<PathBuf>("config") {
        return File::read(path, Written::read)?.profile(subcommand, asked);
    }
    let Some(path) = default_file() else {
        return absent(asked, &format!("{USUAL_PLACE} does not exist"));
    };
    match File::read(&path, Written::read_ordinary) {
        Ok(file) => match file.profile(subcommand, asked) {
            Err(error) if asked.is_none() => {
                Ok(Found { mistakes: vec![without_profile(&error)], ..Found::default() })
            }
            found => found,
        },
        Err(Error::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
            absent(asked, &format!("{} does not exist", path.display()))
        }
        Err(error) if asked.is_some() => absent(asked, &error.to_string()),
        // The path cannot exist.
        Err(error) if is_no_place(&error) => {
            Ok(Found { notes: vec![without_profile(&error)], ..Found::default() })
        }
        // The file exists and should be readable.
        Err(error) => Ok(Found { warnings: vec![without_profile(&error)], ..Found::default() }),
    }
}

/// The names of all profiles in this configuration file, or else in the usual one. Empty if it cannot be
/// read.
pub(crate) fn names(path: Option<&Path>) -> Vec<String> {
    let Some(path) = path.map(Path::to_owned).or_else(default_file) else { return Vec::new() };
    let Ok(file) = File::read(&path, Written::read_ordinary) else { return Vec::new() };
    let Ok(document) = file.document() else { return Vec::new() };
    // The options matter only for keys outside of profiles.
    let nothing = Command::new("mqtt");
    let names = file
        .content(&nothing, document.get_ref())
        .profiles
        .into_iter()
        .map(|profile| profile.name.to_owned());
    names.filter(|name| !name.contains(char::is_control)).collect()
}

/// There is no configuration file: an error only if a profile is requested.
fn absent(asked: Option<&str>, why: &str) -> Result<Found, Error> {
    let Some(name) = asked else { return Ok(Found::default()) };
    let text = format!("no profile '{}': {why}", shown(name.as_ref()));
    Err(Error::usage(text).with_hint("--config FILE names another file"))
}

/// Whether no file can exist at a path, as with `HOME=/dev/null`.
fn is_no_place(error: &Error) -> bool {
    let kinds = [ErrorKind::NotADirectory, ErrorKind::InvalidFilename];
    matches!(error, Error::File { source, .. } if kinds.contains(&source.kind()))
}

fn without_profile(error: &Error) -> String {
    let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{error}{hint}; no profile is used")
}

/// The usual place, as the help writes it.
const USUAL_PLACE: &str = "~/.config/mqtt/config.toml";

/// `$XDG_CONFIG_HOME/mqtt/config.toml`; without that variable, in `~/.config`.
fn default_file() -> Option<PathBuf> {
    if cfg!(test) {
        return None; // Unit tests must not read the file of the user who runs them.
    }
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = folder("XDG_CONFIG_HOME").filter(|path| path.is_absolute()).or_else(|| {
        folder(if cfg!(windows) { "APPDATA" } else { "HOME" })
            .map(|home| if cfg!(windows) { home } else { home.join(".config") })
    })?;
    Some(base.join("mqtt").join("config.toml"))
}

/// The file that is named, or else the one at the usual place, if it exists.
pub(crate) fn file(named: Option<&Path>) -> Result<Option<File>, Error> {
    match (named, default_file()) {
        (Some(path), _) => File::read(path, Written::read).map(Some),
        (None, None) => Ok(None),
        (None, Some(path)) => match File::read(&path, Written::read_ordinary) {
            Err(Error::File { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        },
    }
}

/// The usual place of the file, whether or not it exists.
pub(crate) fn usual_place() -> String {
    default_file().map_or_else(|| USUAL_PLACE.to_owned(), |path| path.display().to_string())
}

/// A configuration file that was read.
pub(crate) struct File {
    source: Rc<SourceFile>,
    text: String,
}

/// The content of a configuration file.
pub(crate) struct Content<'t, 'd> {
    /// The name of the default profile, and its place in the file.
    pub(crate) default: Option<(&'t str, FilePlace)>,
    pub(crate) profiles: Vec<Profile<'t, 'd>>,
    pub(crate) problems: Vec<ProfileProblem>,
}

pub(crate) struct Profile<'t, 'd> {
    pub(crate) name: &'t str,
    pub(crate) place: FilePlace,
    pub(crate) table: &'t DeTable<'d>,
}

/// An error in a configuration file.
pub(crate) struct ProfileProblem {
    pub(crate) place: FilePlace,
    pub(crate) profile: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl ProfileProblem {
    fn new(place: FilePlace, message: String) -> Self {
        Self { place, profile: None, key: None, message, hint: None }
    }

    pub(crate) fn into_error(self) -> Error {
        Error::usage(format!("{}: {}", self.place, self.message)).hinted(self.hint)
    }
}

/// A key of a profile.
pub(crate) enum Key {
    /// An option; its value has not been checked.
    Given(Given),
    /// A flag that is set to false.
    Off,
    /// An option with a value of a type that no option takes.
    Wrong { id: String, name: String, why: &'static str, place: FilePlace },
    /// Not an option.
    Unknown(ProfileProblem),
}

impl File {
    fn read(path: &Path, read: fn(&Path, u64) -> std::io::Result<Written>) -> Result<Self, Error> {
        let (source, bytes) = SourceFile::read("configuration file", path, read)?;
        let text = String::from_utf8(bytes).map_err(|_| {
            let what = format!("cannot read the configuration file {}", path.display());
            Error::file(what, std::io::Error::other("it is not UTF-8"))
        })?;
        Ok(Self { source: Rc::new(source), text })
    }

    fn profile(&self, subcommand: &Command, asked: Option<&str>) -> Result<Found, Error> {
        let document = self.document()?;
        let Some((name, table)) = self.choose(subcommand, document.get_ref(), asked)? else {
            return Ok(Found::default());
        };
        Ok(Found { profile: Some(name.to_owned()), ..self.options(subcommand, table)? })
    }

    pub(crate) fn document(&self) -> Result<Spanned<DeTable<'_>>, Error> {
        DeTable::parse(&self.text).map_err(|error| self.not_toml(&error).into_error())
    }

    /// The parsed file, or all of its errors.
    pub(crate) fn document_or_problems(&self) -> Result<Spanned<DeTable<'_>>, Vec<ProfileProblem>> {
        let (document, errors) = DeTable::parse_recoverable(&self.text);
        if errors.is_empty() {
            Ok(document)
        } else {
            Err(errors.iter().map(|error| self.not_toml(error)).collect())
        }
    }

    fn not_toml(&self, error: &toml::de::Error) -> ProfileProblem {
        let place = self.place(error.span().map_or(0, |span| span.start));
        ProfileProblem::new(place, cut(&error.message().replace('\n', " ")).into_owned())
    }

    /// The content of a parsed file.
    pub(crate) fn content<'t, 'd>(&self, subcommand: &Command, document: &'t DeTable<'d>) -> Content<'t, 'd> {
        let mut content = Content { default: None, profiles: Vec::new(), problems: Vec::new() };
        for (key, value) in document {
            let place = self.place(key.span().start);
            match (key.get_ref().as_ref(), value.get_ref()) {
                (DEFAULT_PROFILE, DeValue::String(name)) => content.default = Some((name.as_ref(), place)),
                (DEFAULT_PROFILE, _) => {
                    let text = format!("{DEFAULT_PROFILE} is the name of a profile");
                    content.problems.push(ProfileProblem::new(place, text));
                }
                (PROFILES, DeValue::Table(table)) => {
                    for (name, value) in table {
                        let place = self.place(name.span().start);
                        let name = name.get_ref().as_ref();
                        if let Some(table) = value.get_ref().as_table() {
                            content.profiles.push(Profile { name, place, table });
                        } else {
                            let profile = Some(name.to_owned());
                            content.problems.push(ProfileProblem {
                                profile,
                                ..ProfileProblem::new(place, NO_TABLE.into())
                            });
                        }
                    }
                }
                (PROFILES, _) => content.problems.push(ProfileProblem::new(place, NO_TABLE.into())),
                (other, value) => {
                    let is_near = !nearest(other, [DEFAULT_PROFILE, PROFILES]).is_empty();
                    let (message, hint) = if value.as_table().is_some() && !is_near {
                        let message = format!("[{}] is not a profile", shown(other.as_ref()));
                        (message, Some(format!("write [{PROFILES}.{}]", toml_key(other))))
                    } else if arguments(subcommand).any(|arg| is_called(arg, other)) {
                        (format!("'{other}' stands outside a profile: it belongs under [profile.NAME]"), None)
                    } else {
                        unknown_name(other, [DEFAULT_PROFILE, PROFILES].into_iter())
                    };
                    let key = Some(other.to_owned());
                    content.problems.push(ProfileProblem {
                        key,
                        hint,
                        ..ProfileProblem::new(place, message)
                    });
                }
            }
        }
        content
    }

    /// The table of the requested profile, or else of the default one. Other profiles are not checked.
    fn choose<'t, 'd>(
        &self,
        subcommand: &Command,
        document: &'t DeTable<'d>,
        asked: Option<&str>,
    ) -> Result<Option<(&'t str, &'t DeTable<'d>)>, Error> {
        let Content { default, profiles, problems } = self.content(subcommand, document);
        let name = asked.or(default.as_ref().map(|(name, _)| *name));
        let mut problems = problems.into_iter();
        let problem =
            problems.find(|problem| problem.profile.is_none() || problem.profile.as_deref() == name);
        if let Some(problem) = problem {
            return Err(problem.into_error());
        }
        let Some(name) = name else { return Ok(None) };
        if let Some(profile) = profiles.iter().find(|profile| profile.name == name) {
            return Ok(Some((profile.name, profile.table)));
        }
        let place = match default {
            Some((_, place)) if asked.is_none() => place.to_string(),
            _ => self.source.path.display().to_string(),
        };
        let names: Vec<&str> = profiles.iter().map(|profile| profile.name).collect();
        Err(unknown_profile(&place, name, &names))
    }

    /// The options of a profile. An unknown name is refused at once, because its purpose is unknown; an
    /// invalid value only if its option matters.
    fn options(&self, subcommand: &Command, table: &DeTable<'_>) -> Result<Found, Error> {
        let mut found = Found::default();
        for key in self.keys(subcommand, table) {
            match key {
                Key::Off => {}
                Key::Given(given) => found.given.push(given),
                Key::Unknown(problem) => return Err(problem.into_error()),
                Key::Wrong { id, name, why, place } => {
                    let message = format!("{place}: {name}: {why}");
                    found.broken.push(BrokenSetting::new(&id, Rank::Profile, message, None));
                }
            }
        }
        Ok(found)
    }

    /// The keys of a profile, read as options.
    pub(crate) fn keys(&self, subcommand: &Command, table: &DeTable<'_>) -> Vec<Key> {
        let key = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
            let place = self.place(key.span().start);
            let name = key.get_ref().as_ref();
            let Some(arg) = arguments(subcommand).find(|arg| is_called(arg, name)) else {
                let (message, near) = unknown_name(name, arguments(subcommand).filter_map(Arg::get_long));
                let text = scalar(value.get_ref()).unwrap_or_default();
                let row = in_every_command(subcommand, &format!("--{name}"), &text);
                let called = row.and_then(|row| row.argument(subcommand, is_key)).and_then(Arg::get_long);
                let hint = called.map(|ours| format!("it is called {ours} here")).or(near);
                let key = Some(name.to_owned());
                return Key::Unknown(ProfileProblem { key, hint, ..ProfileProblem::new(place, message) });
            };
            let id = arg.get_id().to_string();
            match words(arg, value) {
                // A flag set to false is not given.
                Ok(words) if words.is_empty() => Key::Off,
                Ok(words) => Key::Given(Given { id, words, rank: Rank::Profile, place }),
                Err(why) => Key::Wrong { id, name: name.to_owned(), why, place },
            }
        };
        // In the order of the file.
        let mut keys: Vec<_> = table.iter().collect();
        keys.sort_by_key(|(key, _)| key.span().start);
        keys.into_iter().map(key).collect()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.source.path
    }

    /// File and line of a byte of the text.
    fn place(&self, offset: usize) -> FilePlace {
        let line = self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
        FilePlace { file: Rc::clone(&self.source), line }
    }
}

/// The error for a profile that a file does not have; it lists `names`, which the file has.
pub(crate) fn unknown_profile(place: &dyn std::fmt::Display, name: &str, names: &[&str]) -> Error {
    let text = format!("{place}: unknown profile '{}'", shown(name.as_ref()));
    let near = nearest(name, names.iter().copied());
    let near: Vec<String> = near.iter().map(|near| shown(near.as_ref())).collect();
    let hint = match did_you_mean(&near) {
        Some(hint) => hint,
        None if names.is_empty() => "the file holds no profile, [profile.NAME]".to_owned(),
        None => format!("there are {}", list(names)),
    };
    Error::usage(text).with_hint(hint)
}

/// The options that a profile can hold.
pub(crate) fn arguments(subcommand: &Command) -> impl Iterator<Item = &Arg> {
    subcommand.get_arguments().filter(|arg| is_key(arg))
}

fn is_key(arg: &Arg) -> bool {
    is_of_connection(arg) && !NAMES_FILES.contains(&arg.get_id().as_str())
}

fn is_called(arg: &Arg, name: &str) -> bool {
    arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&name))
}

/// A key as TOML writes it.
fn toml_key(name: &str) -> String {
    let is_bare =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { name.to_owned() } else { format!("'{}'", shown(name.as_ref())) }
}

/// An option and its value as they would be typed.
fn words(arg: &Arg, value: &Spanned<DeValue<'_>>) -> Result<Vec<std::ffi::OsString>, &'static str> {
    let long = arg.get_long().unwrap_or_default();
    let word = |value: &str| format!("--{long}={value}").into();
    match value.get_ref() {
        DeValue::Boolean(on) if !arg.get_action().takes_values() => {
            Ok(if *on { vec![format!("--{long}").into()] } else { Vec::new() })
        }
        _ if !arg.get_action().takes_values() => Err("it must be true or false"),
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
        _ => Err("it must be a text or a number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sources::Origin;

    fn profile(text: &str, asked: Option<&str>) -> Result<Found, Error> {
        let command = crate::cli::command();
        let subcommand = command.find_subcommand("pub").unwrap();
        let source = Rc::new(SourceFile { path: "c.toml".into(), stranger: None, distrust: None });
        File { source, text: text.into() }.profile(subcommand, asked)
    }

    fn words_of(text: &str, asked: Option<&str>) -> Vec<String> {
        let given = profile(text, asked).unwrap_or_else(|error| panic!("{error}"));
        let words = given.given.into_iter().flat_map(|one| one.words);
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
        assert_eq!(profile(TWO, None).unwrap().given[1].place.to_string(), "c.toml, line 5");
    }

    #[test]
    fn mistakes_are_found_with_their_line() {
        for (text, message, hint) in [
            (
                "[profile.a]\nhots = 'x'",
                "c.toml, line 2: unknown option 'hots'",
                Some("did you mean 'host'?"),
            ),
            ("[profile.a]\n\ntopic = 'x'", "c.toml, line 3: unknown option 'topic'", None),
            ("[profile.a]\nprofile = 'x'", "c.toml, line 2: unknown option 'profile'", None),
            ("[profil.a]", "c.toml, line 1: unknown option 'profil'", Some("did you mean 'profile'?")),
            (
                "host = 'h'",
                "c.toml, line 1: 'host' stands outside a profile: it belongs under [profile.NAME]",
                None,
            ),
            (
                "pw = 'x'",
                "c.toml, line 1: 'pw' stands outside a profile: it belongs under [profile.NAME]",
                None,
            ),
            ("profile = 1", "c.toml, line 1: a profile is a table, [profile.NAME]", None),
            ("profile.a = 1", "c.toml, line 1: a profile is a table, [profile.NAME]", None),
        ] {
            let error = profile(text, Some("a")).unwrap_err();
            assert_eq!(error.to_string(), message);
            if hint.is_some() {
                assert_eq!(error.hint(), hint, "{text}");
            }
        }
        let error = profile("default-profile = 'b'", None).unwrap_err();
        assert_eq!(error.to_string(), "c.toml, line 1: unknown profile 'b'");
        for (text, message) in [
            ("[profile.a]\nhost = true", "c.toml, line 2: host: it must be a text or a number"),
            ("[profile.a]\ninsecure = 'yes'", "c.toml, line 2: insecure: it must be true or false"),
        ] {
            let mut origin = Origin::default();
            origin.set_aside(profile(text, Some("a")).unwrap().broken);
            assert_eq!(origin.refuse_broken(|_| true).unwrap_err().to_string(), message);
        }
        // Other profiles are not checked.
        assert!(profile("[profile.a]\nport = 1\n[profile.b]\nhots = 'x'\n", Some("a")).is_ok());
        assert!(profile("a =", None).unwrap_err().to_string().starts_with("c.toml, line 1: "));
        let error = profile(TWO, Some("hom")).unwrap_err();
        assert_eq!(error.to_string(), "c.toml: unknown profile 'hom'");
        assert_eq!(error.hint(), Some("did you mean 'home'?"));
    }
}
