//! `mqtt config`: the settings in effect, the profiles, and errors in the configuration file.

use std::ffi::OsString;
use std::mem::discriminant;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command, FromArgMatches as _, ValueHint};
use serde_json::{Map, Value, json};

use super::connection::{ConnectionArgs, Purpose};
use super::definition::without_environment;
use super::headings::PROFILES;
use super::manual::Manual;
use super::show::{self, ShowArgs};
use super::sources::profile::{File, Key, Profile, ProfileProblem};
use super::sources::{self, Given, LookAlike, Rank, profile};
use super::subcommand::{Called, CommandLine, Entry, Resolved};
use super::url::{host_alone, without_secrets};
use super::usage;
use crate::error::Error;
use crate::notation::printable;
use crate::quantity::counted;

/// Show settings and profiles, and check the configuration file
#[derive(Debug, Clone, clap::Args)]
#[command(subcommand_value_name = "MODE", subcommand_help_heading = "Modes")]
pub(super) struct ConfigArgs {}

pub(super) static MANUAL: Manual = Manual {
    common: &[],
    examples: &[
        ("Show the settings in effect", "mqtt config show"),
        ("List the profiles", "mqtt config list"),
        ("Find mistakes in the configuration file", "mqtt config check"),
    ],
    bugs: &["No mode connects to a broker: a setting without a mistake may still be refused by the broker."],
};

/// The modes.
pub(super) static MODES: &[Entry] = &[
    Entry::print::<ShowArgs>("show", &show::MANUAL),
    Entry::print::<ListArgs>("list", &LIST),
    Entry::print::<CheckArgs>("check", &CHECK),
];

impl Called for ConfigArgs {
    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        None
    }

    fn resolve(self: Box<Self>, _: &CommandLine<'_>) -> Result<Resolved, Error> {
        Err(Error::usage("config needs a mode: show, list or check").with_hint("see mqtt config --help"))
    }
}

/// The options of modes that only read the configuration file.
#[derive(Debug, Clone, clap::Args)]
struct ConfigFileArgs {
    /// Configuration file [default: ~/.config/mqtt/config.toml]
    #[arg(long, env = "MQTT_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath,
          help_heading = PROFILES)]
    config: Option<PathBuf>,

    /// Write one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// List the profiles and their brokers
///
/// Shows the path of the configuration file, each profile with its broker, and the default profile.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    file: ConfigFileArgs,
}

static LIST: Manual = Manual {
    common: &[],
    examples: &[
        ("List the profiles", "mqtt config list"),
        ("Print the names of the profiles alone", "mqtt config list --json | jq -r '.profiles[].name'"),
        ("List those of another file", "mqtt config list --config ./config.toml"),
    ],
    bugs: &["Only the broker of a profile is shown; mqtt config show --profile NAME shows the rest."],
};

/// Find mistakes in the configuration file
///
/// Checks every key of every profile, and each profile as a whole with the files that it names. A mistake is
/// shown with its line and key, and the exit status is 2 if there is one. Warnings do not count.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    file: ConfigFileArgs,
}

static CHECK: Manual = Manual {
    common: &[],
    examples: &[
        ("Check the configuration file", "mqtt config check"),
        ("Check another one, for a program", "mqtt config check --config ./config.toml --json"),
        ("Check it before each use, in a script", "mqtt config check && mqtt sub --profile home 'home/#'"),
    ],
    bugs: &[
        "If the file is not valid TOML, nothing else is checked.",
        "Passwords are not fetched, and no broker is asked. What a profile needs from the command line to be \
         complete is a mistake here.",
    ],
};

/// The file, and its name for messages. A file at the default place may be missing.
fn open(named: Option<&Path>) -> Result<(Option<File>, String), Error> {
    let file = profile::file(named)?;
    let name = match &file {
        Some(file) => file.path().display().to_string(),
        None => profile::usual_place(),
    };
    Ok((file, printable(&name)))
}

/// The first keys of a report.
fn report(kind: &str, file: &str, exists: bool) -> Map<String, Value> {
    let report = json!({ "type": kind, "version": 1, "file": file, "exists": exists });
    report.as_object().cloned().unwrap_or_default()
}

fn missing(file: &str) -> String {
    format!("{file} does not exist\n")
}

impl Called for ListArgs {
    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        None
    }

    fn is_for_reader(&self) -> bool {
        true
    }

    fn resolve(self: Box<Self>, _: &CommandLine<'_>) -> Result<Resolved, Error> {
        let ConfigFileArgs { config, json } = self.file;
        let (file, name) = open(config.as_deref())?;
        let mut report = report("config-list", &name, file.is_some());
        let mut rows = Vec::new();
        let mut problem = None;
        if let Some(file) = &file {
            let document = file.document()?;
            let definition = show_definition();
            let content = file.content(&definition, document.get_ref());
            problem = content.problems.into_iter().next().map(ProfileProblem::into_error);
            let default = content.default.as_ref().map(|(name, _)| *name);
            let is_there = |name: &str| content.profiles.iter().any(|profile| profile.name == name);
            if let Some((default, place)) = content.default.as_ref().filter(|(name, _)| !is_there(name)) {
                problem = problem.or_else(|| {
                    let names: Vec<&str> = content.profiles.iter().map(|profile| profile.name).collect();
                    Some(profile::unknown_profile(place, default, &names))
                });
            }
            if let Some(default) = default {
                report.insert("default_profile".into(), default.into());
            }
            for Profile { name, place, table } in content.profiles {
                let broker = broker(file.keys(&definition, table));
                rows.push((name.to_owned(), place.line, broker, default == Some(name)));
            }
            rows.sort_by_key(|(_, line, ..)| *line);
        }
        let text = if json {
            let profile = |(name, line, broker, is_default): &(String, usize, Option<String>, bool)| {
                let mut profile = json!({ "name": name, "line": line, "default": is_default });
                if let (Some(profile), Some(broker)) = (profile.as_object_mut(), broker) {
                    profile.insert("broker".into(), broker.as_str().into());
                }
                profile
            };
            report.insert("profiles".into(), rows.iter().map(profile).collect());
            Value::Object(report).to_string() + "\n"
        } else if file.is_none() {
            missing(&name)
        } else {
            let width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
            let row = |(name, _, broker, is_default): &(String, usize, Option<String>, bool)| {
                let broker = broker.as_deref().unwrap_or("any broker");
                let default = if *is_default { "  default" } else { "" };
                format!("  {:width$}  {}{default}\n", printable(name), printable(broker))
            };
            format!("{name}\n{}", rows.iter().map(row).collect::<String>())
        };
        Ok(Resolved::Print { text, problem })
    }
}

/// The broker of a profile.
fn broker(keys: Vec<Key>) -> Option<String> {
    let mut named: [Option<String>; 4] = Default::default();
    for key in keys {
        let Key::Given(Given { id, words, .. }) = key else { continue };
        let word = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        let value = word.split_once('=').map(|(_, value)| value.to_owned());
        let place = ["url", "unix", "host", "port"].iter().position(|naming| id == *naming);
        if let Some(place) = place {
            named[place] = value;
        }
    }
    let [url, unix, host, port] = named;
    let host = host.map(|host| match port.filter(|_| !host.contains([':', ','])) {
        Some(port) => format!("{host}:{port}"),
        None => host,
    });
    url.map(|url| without_secrets(&url))
        .or(unix.map(|path| format!("unix:{path}")))
        .or(host.map(|host| host_alone(&without_secrets(&host))))
}

fn show_definition() -> Command {
    without_environment(MODES[0].definition())
}

/// A mistake or a warning about the configuration file.
struct Finding {
    is_error: bool,
    /// The line, if there is one.
    line: Option<usize>,
    profile: Option<String>,
    key: Option<String>,
    /// A variable of the environment, which is not in the file.
    variable: Option<String>,
    message: String,
    hint: Option<String>,
}

impl Finding {
    fn text(&self, file: &str) -> String {
        let file = if self.variable.is_some() { "environment" } else { file };
        let line = self.line.map(|line| format!(", line {line}")).unwrap_or_default();
        let warning = if self.is_error { "" } else { "warning: " };
        let profile = self.profile.as_ref().map(|name| format!("[profile.{}] ", printable(name)));
        let key = self.key.as_ref().map(|key| format!("{}: ", printable(key)));
        let hint = self.hint.as_ref().map(|hint| format!("; {}", printable(hint)));
        let (profile, key) = (profile.unwrap_or_default(), key.unwrap_or_default());
        let message = printable(&self.message);
        format!("{file}{line}: {warning}{profile}{key}{message}{}\n", hint.unwrap_or_default())
    }

    fn json(&self) -> Value {
        let severity = if self.is_error { "error" } else { "warning" };
        let mut object = Map::from_iter([("severity".to_owned(), severity.into())]);
        let texts = [
            ("profile", &self.profile),
            ("key", &self.key),
            ("variable", &self.variable),
            ("hint", &self.hint),
        ];
        object.extend(self.line.map(|line| ("line".to_owned(), line.into())));
        object.extend(texts.into_iter().filter_map(|(key, text)| {
            let text = text.as_deref()?;
            Some((key.to_owned(), text.into()))
        }));
        object.insert("message".into(), self.message.as_str().into());
        Value::Object(object)
    }
}

impl From<ProfileProblem> for Finding {
    fn from(problem: ProfileProblem) -> Self {
        let ProfileProblem { place, profile, key, message, hint } = problem;
        Self { is_error: true, line: Some(place.line), profile, key, variable: None, message, hint }
    }
}

impl Called for CheckArgs {
    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        None
    }

    fn is_for_reader(&self) -> bool {
        true
    }

    fn resolve(self: Box<Self>, _: &CommandLine<'_>) -> Result<Resolved, Error> {
        let ConfigFileArgs { config, json } = self.file;
        let (file, name) = open(config.as_deref())?;
        let (profiles, mut findings) = file.as_ref().map(check).unwrap_or_default();
        findings.sort_by_key(|finding| finding.line);
        let of_variable = |one: LookAlike| Finding {
            is_error: false,
            line: None,
            profile: None,
            key: None,
            message: one.text(),
            variable: Some(one.name),
            hint: None,
        };
        findings.extend(sources::look_alikes(|| MODES[0].definition()).into_iter().map(of_variable));
        let count = findings.iter().filter(|finding| finding.is_error).count();
        let text = if json {
            let mut report = report("config-check", &name, file.is_some());
            report.insert("ok".into(), (count == 0).into());
            report.insert("profiles".into(), profiles.into());
            report.insert("findings".into(), findings.iter().map(Finding::json).collect());
            Value::Object(report).to_string() + "\n"
        } else {
            let mut lines: Vec<String> = findings.iter().map(|finding| finding.text(&name)).collect();
            if file.is_none() {
                lines.push(missing(&name));
            } else if count == 0 {
                lines.push(format!("{name}: {}, no mistakes\n", counted(profiles.len() as u64, "profile")));
            }
            lines.concat()
        };
        let problem =
            (count > 0).then(|| Error::usage(format!("{name}: {}", counted(count as u64, "mistake"))));
        Ok(Resolved::Print { text, problem })
    }
}

/// The names of the profiles, and all findings about the file.
fn check(file: &File) -> (Vec<String>, Vec<Finding>) {
    let document = match file.document_or_problems() {
        Ok(document) => document,
        Err(problems) => return (Vec::new(), problems.into_iter().map(Finding::from).collect()),
    };
    let definition = show_definition();
    let content = file.content(&definition, document.get_ref());
    let mut findings: Vec<Finding> = content.problems.into_iter().map(Finding::from).collect();
    let names: Vec<String> = content.profiles.iter().map(|profile| profile.name.to_owned()).collect();
    if let Some((default, place)) =
        content.default.filter(|(default, _)| !names.iter().any(|name| name == default))
    {
        findings.push(Finding {
            is_error: true,
            line: Some(place.line),
            profile: None,
            key: Some(profile::DEFAULT_PROFILE.to_owned()),
            variable: None,
            message: format!("unknown profile '{default}'"),
            hint: None,
        });
    }
    for profile in &content.profiles {
        check_profile(file, &definition, profile, &mut findings);
    }
    (names, findings)
}

fn check_profile(file: &File, definition: &Command, profile: &Profile<'_, '_>, findings: &mut Vec<Finding>) {
    let Profile { name, place, table } = profile;
    let finding = |line: usize, key: Option<String>, message: String, hint: Option<String>| Finding {
        is_error: true,
        line: Some(line),
        profile: Some((*name).to_owned()),
        key,
        variable: None,
        message,
        hint,
    };
    let before = findings.len();
    let (mut all, mut absent) = (Vec::new(), Vec::new());
    for key in file.keys(definition, table) {
        match key {
            Key::Off => {}
            Key::Unknown(problem) => {
                findings.push(Finding { profile: Some((*name).to_owned()), ..problem.into() });
            }
            Key::Wrong { name, why, place, .. } => {
                findings.push(finding(place.line, Some(name), why.to_owned(), None));
            }
            Key::Given(given) => {
                let key = || Some(key_of(definition, &given));
                if let Err(error) = read(definition, &given.words) {
                    findings.push(finding(given.place.line, key(), parts(definition, &error).0, None));
                } else if let Err(message) = look_up(definition, &given) {
                    absent.push(finding(given.place.line, key(), message, None));
                    all.push((given, true));
                } else {
                    all.push((given, false));
                }
            }
        }
    }
    let each_is_a_value = findings.len() == before;
    findings.extend(absent);
    if !each_is_a_value {
        return; // Each key first.
    }
    // Each mistake is reported with its keys. The check is then repeated without one of them, as long as a
    // mistake involves a key that was not reported yet.
    loop {
        let given: Vec<Given> = all.iter().map(|(one, _)| one.clone()).collect();
        let error = match whole(file, definition, &given) {
            Ok(warnings) => {
                let warning =
                    |(message, hint)| Finding { is_error: false, ..finding(place.line, None, message, hint) };
                return findings.extend(warnings.into_iter().map(warning));
            }
            Err(error) => error,
        };
        let (error, involved) = involved(file, definition, &given, error);
        let is_new = involved.iter().any(|at| !all[*at].1);
        let (message, hint) = parts(definition, &error);
        let Some((first, last)) = involved.first().zip(involved.last()) else {
            return findings.push(finding(place.line, None, message, hint));
        };
        if is_new {
            let first = &given[*first];
            findings.push(finding(first.place.line, Some(key_of(definition, first)), message, hint));
        }
        for at in &involved {
            all[*at].1 = true;
        }
        all.remove(*last);
    }
}

/// A mistake of a profile, with the indices of its keys. If the error does not name them, keys are removed
/// one by one as long as an error of the same kind remains; the remaining keys are those of the mistake.
fn involved(file: &File, definition: &Command, given: &[Given], mut error: Error) -> (Error, Vec<usize>) {
    let mut places: Vec<usize> = (0..given.len()).collect();
    if !error.options().is_empty() {
        places.retain(|at| error.options().contains(&given[*at].id));
        return (error, places);
    }
    for at in 0..given.len() {
        let others: Vec<usize> = places.iter().copied().filter(|other| *other != at).collect();
        let rest: Vec<Given> = others.iter().map(|at| given[*at].clone()).collect();
        let is_same =
            |other: &Error| discriminant(other) == discriminant(&error) && other.options().is_empty();
        if let Some(other) = whole(file, definition, &rest).err().filter(is_same) {
            (error, places) = (other, others);
        }
    }
    // A key that only enables the use of a file is not the cause of an error in that file.
    let files: Vec<usize> =
        places.iter().copied().filter(|at| names_a_file(definition, &given[*at])).collect();
    (error, if files.is_empty() { places } else { files })
}

/// The warnings about a profile as a whole.
fn whole(file: &File, definition: &Command, given: &[Given]) -> Result<Vec<(String, Option<String>)>, Error> {
    let words: Vec<OsString> = given.iter().flat_map(|one| one.words.clone()).collect();
    let matches = read(definition, &words)?;
    let args = ShowArgs::from_arg_matches(&matches).map_err(|error| Error::usage(error.to_string()))?;
    let mut connection = args.connection;
    for one in given {
        connection.origin.demote([one.id.as_str()], Rank::Profile);
    }
    if let Some(why) = sources::refused_command(given) {
        connection.origin.refuse_command(why);
    }
    let later = connection.origin.warnings();
    connection.check(Purpose::default())?;
    let of_files = sources::warnings(definition, &matches, given);
    let of_files = of_files.iter().map(|warning| warning.within(file.path()));
    let later = later.take().into_iter().map(|message| (sources::in_keys(&message, definition), None));
    Ok(of_files.chain(later).collect())
}

/// Parses these words.
fn read(definition: &Command, words: &[OsString]) -> Result<ArgMatches, Error> {
    let line: Vec<OsString> = [OsString::from("show")].iter().chain(words).cloned().collect();
    definition.clone().try_get_matches_from(&line).map_err(|error| {
        let config = Command::new("config").subcommand(definition.clone());
        let program = Command::new("mqtt").subcommand(config);
        match usage::from_clap(error, &program, &["mqtt", "config", "show"].map(OsString::from)) {
            Err(error) => error,
            // The words do not request help.
            Ok(text) => Error::usage(text),
        }
    })
}

/// Whether an option names a file that is read.
fn names_a_file(definition: &Command, given: &Given) -> bool {
    // These are created, or exist only while a broker runs.
    const NOT_READ: [&str; 2] = ["tls_keylog", "unix"];
    let arg = definition.get_arguments().find(|arg| arg.get_id() == given.id.as_str());
    arg.is_some_and(|arg| {
        matches!(arg.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath)
            && !NOT_READ.contains(&given.id.as_str())
    })
}

/// Checks that the file of an option exists.
fn look_up(definition: &Command, given: &Given) -> Result<(), String> {
    let is_file = names_a_file(definition, given);
    for word in given.words.iter().filter(|_| is_file) {
        let word = word.to_string_lossy();
        let path = word.split_once('=').map_or("", |(_, path)| path);
        std::fs::metadata(path).map_err(|error| match path.strip_prefix("~/") {
            Some(rest) => format!("{path}: {error}; ~ is not expanded here, write {}", below_home(rest)),
            None => format!("{path}: {error}"),
        })?;
    }
    Ok(())
}

/// The path of a file below `~`, as a shell would expand it; unchanged if the user has no home directory.
fn below_home(rest: &str) -> String {
    std::env::var("HOME").map_or_else(|_| "the whole path".to_owned(), |home| format!("{home}/{rest}"))
}

fn key_of(definition: &Command, given: &Given) -> String {
    let arg = definition.get_arguments().find(|arg| arg.get_id() == given.id.as_str());
    arg.and_then(clap::Arg::get_long).unwrap_or(&given.id).to_owned()
}

/// Message and hint, with keys instead of options.
fn parts(definition: &Command, error: &Error) -> (String, Option<String>) {
    let in_keys = |text: &str| sources::in_keys(text, definition);
    (in_keys(&error.to_string()), error.hint().map(in_keys))
}
