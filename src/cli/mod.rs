//! The command line: the only module that uses `clap`. It reads arguments and environment, resolves and
//! checks them, and passes on an [`Invocation`] in which every value is final. It opens no connection, but
//! reads the files that options name, and gets passwords from their sources.
//!
//! Two stages. Stage one, `clap` with the parsers of `value`, `url` and `text`, reads each value. Stage two,
//! `TryFrom<…Args> for Config` in each subcommand's file, holds every rule between them.
//!
//! | file | holds |
//! |---|---|
//! | `publish`, `subscribe`, `request`, `respond`, `bench`, `retain_clear`, `will_test`, `ping`, `broker` | a subcommand each: its own options, the groups it has, its rules |
//! | `config` | `mqtt config`: its modes, the list of profiles and the check of the configuration file |
//! | `show` | `mqtt config show` |
//! | `compat` | the command lines of mosquitto's clients |
//! | `completions`, `complete` | the scripts for shells, and the answers to them |
//! | `table` | the table of subcommands |
//! | `subcommand` | the trait of a subcommand, and the entries of the table |
//! | `definition` | the common part of the definitions of all subcommands |
//! | `parsed` | the result of reading a command line |
//! | `action`, `connection`, `target`, `credentials`, `authentication`, `tls`, `will`, `payload`, `subscription`, `format`, `property`, `property_flags`, `verbosity` | a group of options each, declared once |
//! | `value`, `url`, `text` | single values |
//! | `sources` | the origin of each value: command line, environment, or a file with options |
//! | `read` | stage one |
//! | `needs` | which settings a run needs |
//! | `words` | the position of each value in a command line |
//! | `secret`, `hidden` | which options hold secrets, and how those on the command line are hidden from other users |
//! | `password_file`, `password_command` | passwords from files, and from commands |
//! | `foreign` | the names of subcommands and options in other tools |
//! | `ready` | the corrected command line, ready to be typed |
//! | `reports` | the reports of a run that cannot start |
//! | `repeated` | the parts of a line that errors repeat, without its secrets |
//! | `slips` | command lines that are probably mistaken |
//! | `help` | the requested help |
//! | `reference` | all commands, options, exit statuses and schemas as JSON |
//! | `bench_load`, `bench_results`, `bench_watch`, `bench_values`, `bench_words` | the common options of the modes of `bench`, values, and the position of the mode |
//! | `bench_limit`, `bench_scenario`, `scenario` | the search for a limit; named loads and their files |
//! | `manual`, `bench_manual` | examples and known limits, for help and manual pages |
//! | `usage` | clap's errors in this program's form |

mod action;
mod authentication;
mod bench;
#[cfg(feature = "broker")]
mod bench_calibrate;
mod bench_compare;
mod bench_figures;
mod bench_limit;
mod bench_load;
mod bench_manual;
mod bench_merge;
mod bench_mode;
mod bench_operations;
mod bench_payload;
mod bench_results;
mod bench_scenario;
mod bench_shard;
mod bench_values;
mod bench_watch;
mod bench_words;
#[cfg(feature = "broker")]
mod broker;
mod compat;
mod complete;
mod completions;
mod config;
mod connection;
mod credentials;
mod decode;
mod definition;
mod disturbance;
mod exec;
mod foreign;
mod format;
mod group;
mod headings;
mod help;
mod hidden;
mod manual;
mod needs;
mod parsed;
mod password_command;
mod password_file;
mod payload;
mod ping;
mod program;
mod property;
mod property_flags;
mod publish;
mod read;
mod ready;
mod recording;
mod reference;
mod repeated;
mod replay;
mod reports;
mod request;
mod respond;
mod retain_clear;
mod scenario;
mod secret;
mod selection;
mod show;
mod slips;
mod sources;
mod stages;
mod subcommand;
mod subscribe;
mod subscription;
mod table;
mod target;
mod text;
mod tls;
mod url;
mod usage;
mod value;
mod verbosity;
mod view;
mod will;
mod will_test;
mod words;

#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::parser::ValueSource;

pub use self::compat::{DIFFERENCES, Difference};
pub use self::foreign::{foreign_commands, foreign_options};
pub use self::help::help_of;
pub use self::hidden::Hidden;
pub use self::manual::Manual;
pub use self::parsed::{ErrorForm, Parsed};
use self::read::{Read, read};
use self::repeated::Repeated;
use self::sources::{Found, Unread};
use self::subcommand::{CommandLine, Entry, Resolved};
pub use self::table::{command, manual};
use crate::client::options::ClientOptions;
use crate::error::Error;
use crate::manner::Manner;
use crate::output::{ColorChoice, FurtherHints, PinnedLine};

/// Reads a command line, program name first, the environment and the configuration file. If secrets were
/// typed, `restart_hidden` may replace this process with one that hides them; if it returns, with an error, the
/// run continues with the secrets visible.
///
/// # Errors
/// [`Error::Usage`] for every error in the command line; the errors of reading TLS files.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    restart_hidden: impl FnOnce(&Hidden) -> Option<std::io::Error>,
) -> Result<Parsed, Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some((program, names)) = compat::called(&arguments) {
        let typed = hidden::typed(&arguments);
        if typed.is_none()
            && let Some(hidden) = hidden::hide_words(&compat::secrets(program, names, &arguments), &arguments)
        {
            // If it returns, the run continues with the secrets visible: mosquitto's clients never hide them.
            let _ = restart_hidden(&hidden);
        }
        let line = typed.unwrap_or(arguments);
        let mut parsed = compat::parse(program, &line[names..]);
        if let Parsed::Misuse { stderr, .. } = &mut parsed
            && !stderr.is_empty()
        {
            let secrets = compat::secrets(program, names, &line);
            *stderr = Repeated::of_words(&line, &secrets).masked(stderr);
        }
        return Ok(parsed);
    }
    if arguments.get(1).is_some_and(|word| word == complete::ASKING) {
        return Ok(complete::request(&arguments[2..]));
    }
    if arguments.len() < 2 {
        return help::of_words(&[]).map(Parsed::Alone);
    }
    let arguments = with_version_as_option(with_help_as_word(arguments));
    let typed = hidden::typed(&arguments);
    let is_hidden = typed.is_some();
    let arguments = bench_words::mode_first(typed.unwrap_or(arguments));
    let mut options = ReadOptions::default();
    let mut parsed = match parse_typed(&arguments, is_hidden, restart_hidden, &mut options) {
        Ok(parsed) => parsed,
        Err(error) => {
            let ReadOptions { from_files, form } = options;
            match unmade(&arguments, &from_files, repeated(&arguments).left_out_of(error)) {
                Err(error) if !matches!(error, Error::Usage { .. }) => Parsed::Failed { error, form },
                unmade => unmade?,
            }
        }
    };
    if let Parsed::Run { warnings, .. } | Parsed::Print { warnings, .. } = &mut parsed
        && !warnings.is_empty()
    {
        let repeated = repeated(&arguments);
        for warning in warnings {
            *warning = repeated.masked(warning);
        }
    }
    Ok(parsed)
}

/// The parts of a line that must not be repeated.
fn repeated(line: &[OsString]) -> Repeated {
    let called = Entry::called(table::SUBCOMMANDS, line);
    Repeated::of_line(called.map(|(entry, names)| (entry.definition(), names)), line)
}

/// The result for a line that cannot be run: it writes the requested reports, or is the error itself.
fn unmade(line: &[OsString], from_files: &[OsString], error: Error) -> Result<Parsed, Error> {
    let wanted = Entry::called(table::SUBCOMMANDS, line).and_then(|(entry, names)| {
        reports::wanted(entry.reporter?, &entry.definition(), &line[names..], from_files)
    });
    let Some(wanted) = wanted else { return Err(error) };
    let run = |invocation| Parsed::run(invocation, ColorChoice::Auto, Manner::Own);
    wanted.of_failure(error).map(run)
}

/// What is known of a command line, once it is read: also if it cannot be run.
#[derive(Default)]
struct ReadOptions {
    /// The words of the options in files.
    from_files: Vec<OsString>,
    form: ErrorForm,
}

/// Reads the words that were typed.
fn parse_typed(
    arguments: &[OsString],
    is_hidden: bool,
    restart_hidden: impl FnOnce(&Hidden) -> Option<std::io::Error>,
    options: &mut ReadOptions,
) -> Result<Parsed, Error> {
    if arguments.get(1).is_some_and(|word| word == "help") {
        let text = help::of_words(&arguments[2..])?;
        return Ok(Parsed::Print { text, warnings: Vec::new(), problem: None });
    }
    if let Some(foreign::ForeignAnswer { message, hint }) = foreign::answer_misread(command, arguments) {
        return Err(Error::usage(message).with_hint(hint));
    }
    let mut in_sight = None;
    let hide = |definition: &clap::Command, names: usize| {
        let called = |line: &[OsString]| {
            Entry::called(table::SUBCOMMANDS, line).map(|(entry, names)| (entry.definition(), names))
        };
        if !is_hidden && let Some(hidden) = hidden::hide(definition, names, arguments, &called) {
            in_sight = restart_hidden(&hidden);
        }
    };
    let read = match read(arguments, Entry::definition, hide)? {
        Err(text) => return Ok(Parsed::Print { text, problem: None, warnings: Vec::new() }),
        Ok(read) => read,
    };
    let Read { definition, matches, found, mut subcommand } = read;
    let Found { given, left_out, mut warnings, notes: mut details, .. } = found;
    options.from_files.extend(given.iter().flat_map(|one| one.words.iter().cloned()));
    secret::keep(&definition, &matches);
    let form = verbosity::form(&matches);
    options.form = form;
    warnings.extend(in_sight.map(|why| hidden::in_sight(&why)));
    warnings.extend(sources::warnings(&definition, &matches, &given).iter().map(ToString::to_string));
    let later = subcommand.connection_mut().map(|connection| connection.origin.warnings());
    let cut_url = subcommand.connection_mut().and_then(|connection| connection.cut_url());
    let line = CommandLine {
        definition: &definition,
        matches: &matches,
        given: &given,
        left_out: left_out.as_ref(),
    };
    let entry = Entry::called(table::SUBCOMMANDS, arguments);
    let names = entry.map_or(1, |(_, names)| names);
    let resolved = subcommand.resolve(&line).map_err(|error| with_slip(error, &definition, names, arguments));
    let invocation = match resolved? {
        Resolved::Run(invocation) => invocation,
        Resolved::Print { text, problem } => {
            warnings.extend(later.into_iter().flat_map(|later| later.take()));
            return Ok(Parsed::Print { text, problem, warnings });
        }
    };
    warnings.extend(later.into_iter().flat_map(|later| later.take()));
    let mut left_out = left_out.map(|left_out| left_out.to_string());
    if let Some(text) = left_out.clone() {
        left_out = about_profile(text, &matches, &mut warnings, &mut details);
    }
    if invocation.common().1.is_some() {
        let define = || entry.map_or_else(command, |(entry, _)| entry.definition());
        match sources::unread(&matches, &definition, define) {
            Some(Unread::Warning(text)) => warnings.push(text),
            Some(Unread::OnDenial(text)) => left_out = left_out.or(Some(text)),
            None => {}
        }
    }
    let lone_password = |client: &ClientOptions| {
        client.user_name.is_none() && client.password.is_some() && client.authentication.is_none()
    };
    let (_, client) = invocation.common();
    if left_out.is_none() && client.is_some_and(lone_password) {
        left_out = Some("the password was sent without a user name; -u gives one".into());
    }
    let tls = client.and_then(|client| client.endpoint.tls.as_ref());
    let mut pinned: Option<PinnedLine> = None;
    if let Some(tls) = tls {
        // The definition is only made if a certificate is refused.
        let line = arguments.to_vec();
        pinned = Some(PinnedLine::new(move |pin| ready::pinned(&command(), &line, pin)));
        if tls.is_insecure() {
            warnings.push("--insecure: the certificate of the broker is not verified".into());
        }
        warnings.extend_from_slice(tls.warnings());
        details.extend_from_slice(tls.details());
    }
    let has_identifier = client.is_some_and(|client| !client.client_identifier.is_empty())
        && matches.try_contains_id("client_id").is_ok_and(|given| given);
    let hints = FurtherHints {
        denied: left_out,
        unreached: cut_url,
        closed: has_identifier.then(|| "another client may use the same client identifier (-i)".into()),
    };
    let ErrorForm { color, log_time, .. } = form;
    Ok(Parsed::Run { invocation, warnings, details, hints, pinned, color, log_time, manner: Manner::Own })
}

/// Adds to an error of stage two the probable mistake: a forgotten topic or value.
fn with_slip(error: Error, definition: &clap::Command, names: usize, line: &[OsString]) -> Error {
    if error.options() == [payload::NO_TOPIC]
        && let Some(hint) = slips::with_topic(definition, names, line)
    {
        return error.with_hint(hint);
    }
    let taken = if error.hint().is_none() { slips::first_taken(definition, names, line) } else { None };
    match taken {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Warns about unused options of the profile if the profile was requested by name or output is verbose.
/// Otherwise they are kept for an error about the credentials.
fn about_profile(
    text: String,
    matches: &clap::ArgMatches,
    warnings: &mut Vec<String>,
    details: &mut Vec<String>,
) -> Option<String> {
    let is_on = |id: &str| matches.try_get_one::<bool>(id).ok().flatten() == Some(&true);
    let is_asked = matches.value_source("profile") == Some(ValueSource::CommandLine);
    let (is_verbose, is_debug) = (is_on("verbose"), is_on("debug"));
    let lines = if is_asked || is_verbose { warnings } else { details };
    lines.push(text.clone());
    (!is_asked && !is_verbose && !is_debug).then_some(text)
}

/// Converts `mqtt --help WORD` and `mqtt --help=WORD` to `mqtt help WORD`.
fn with_help_as_word(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let help = arguments.get(1).and_then(|word| word.to_str()?.strip_prefix("--help")).map(str::to_owned);
    match help.as_deref() {
        Some("") => arguments[1] = "help".into(),
        Some(rest) if rest.starts_with('=') => {
            arguments.splice(1..2, ["help".into(), rest[1..].into()]);
        }
        _ => {}
    }
    arguments
}

/// Converts `mqtt version`, and the letters that many programs use for version and help. After a subcommand
/// these letters take a value here, so they are converted only if they stand alone.
fn with_version_as_option(mut arguments: Vec<OsString>) -> Vec<OsString> {
    if arguments.get(1).is_some_and(|word| word == "version") {
        arguments.truncate(1);
        arguments.push("--version".into());
    }
    let names = Entry::called(table::SUBCOMMANDS, &arguments).map_or(1, |(_, names)| names);
    if arguments.len() == names + 1 {
        let asked = match arguments[names].to_str() {
            Some("-V") => "--version",
            Some("-h") => "--help",
            _ => return arguments,
        };
        arguments[names] = asked.into();
    }
    arguments
}
