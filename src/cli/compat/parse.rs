//! Reads a client's command line and prepares its run.

use std::ffi::OsString;
use std::time::Duration;

use super::check::{Then, Wrong, check};
use super::programs::{entry, name};
use super::settings::{ReadingStop, Settings};
use super::{translate, usage};
use crate::cli::parsed::Parsed;
use crate::cli::publish::PublishArgs;
use crate::cli::read::read_words;
use crate::cli::ready;
use crate::cli::request::RequestArgs;
use crate::cli::subcommand::{Entry, Subcommand};
use crate::cli::subscribe::SubscribeArgs;
use crate::cli::table::command;
use crate::command::Invocation;
use crate::command::input::Source;
use crate::command::{publish, request, subscribe};
use crate::error::Error;
use crate::manner::{Manner, Mosquitto, Program};
use crate::output::{ColorChoice, FurtherHints, PinnedLine};
use crate::protocol::reason::ReasonCode;

/// How long `mosquitto_pub` waits for the answer to the PINGREQ after a typed message at QoS 0. Such a
/// message is short and has most likely arrived, and callers of mosquitto's client expect it to end.
const BARRIER_LIMIT: Duration = Duration::from_secs(5);

/// Reads the words after the names.
pub(in crate::cli) fn parse(program: Program, words: &[OsString]) -> Parsed {
    let settings = match Settings::read(program, words) {
        Ok(settings) => settings,
        Err(stop) => return stopped(program, stop),
    };
    let message = match check(&settings) {
        Ok(message) => message,
        Err(wrong) => return refused(&settings, wrong),
    };
    let Settings { program, protocol, .. } = settings;
    let (quiet, lines) = (settings.has("--quiet"), settings.has("--stdin-line"));
    let mosquitto = Mosquitto { program, protocol, quiet, lines };
    match invocation(&settings, message) {
        Ok(invocation) => Parsed::Run {
            invocation,
            warnings: Vec::new(),
            details: Vec::new(),
            hints: FurtherHints::default(),
            pinned: pinned(&settings, words),
            color: ColorChoice::Never,
            log_time: false,
            manner: Manner::Mosquitto(mosquitto),
        },
        Err(error) => {
            let text = mosquitto.text(&error, |_| None).filter(|_| !mosquitto.quiet);
            let stderr = text.map(|text| text + "\n").unwrap_or_default();
            Parsed::Misuse { stdout: String::new(), stderr }
        }
    }
}

/// The subcommand with its configuration, and the message that was read.
fn invocation(settings: &Settings, message: Option<Vec<u8>>) -> Result<Box<dyn Invocation>, Error> {
    Ok(match settings.program {
        Program::Publish => {
            let mut args: PublishArgs = args("pub", settings)?;
            args.plain_topics = true;
            let mut config: publish::Config = args.try_into()?;
            if settings.is_typed_message() {
                config.client.barrier_limit = BARRIER_LIMIT;
            }
            config.client.reconnect.from_first_hang_up = settings.source() == Some("--stdin-line");
            config.source = message.map_or(config.source, Source::Message);
            Box::new(config)
        }
        Program::Subscribe => {
            let mut config: subscribe::Config = args::<SubscribeArgs>("sub", settings)?.try_into()?;
            config.as_mosquitto = true;
            config.client.reconnect.from_first_hang_up = true;
            config.client.interrupted = ReasonCode::DISCONNECT_WITH_WILL;
            config.display = config.display.in_style_of_mosquitto();
            Box::new(config)
        }
        Program::Request => {
            let mut args: RequestArgs = args("rr", settings)?;
            args.any_response = true;
            let mut config: request::Config = args.try_into()?;
            config.client.interrupted = ReasonCode::DISCONNECT_WITH_WILL;
            config.source = message.map_or(config.source, Source::Message);
            config.retain_handling = settings.retain_handling();
            config.format = config.format.in_style_of_mosquitto();
            Box::new(config)
        }
    })
}

/// The options of the subcommand.
fn args<S: Subcommand>(name: &'static str, settings: &Settings) -> Result<S, Error> {
    let mut args: S = read_words(&Entry::run::<S>(name), translate::words(settings))?;
    if let Some(connection) = args.connection_mut().filter(|_| translate::accepts_any_name(settings)) {
        connection.accept_any_name();
    }
    Ok(args)
}

/// The same command line of `mqtt` with a pin, as the old names have no option for it. It lacks options from
/// an options file.
fn pinned(settings: &Settings, words: &[OsString]) -> Option<PinnedLine> {
    if !settings.is_tls() {
        return None;
    }
    let subcommand = entry(settings.program);
    let line = |words: &[OsString]| -> Vec<OsString> {
        ["mqtt", subcommand].map(OsString::from).into_iter().chain(words.iter().cloned()).collect()
    };
    let translated = line(&translate::words(settings));
    let typed = (!settings.has_file).then(|| line(words));
    Some(PinnedLine::new(move |pin| {
        let program = command();
        let lines = typed.iter().chain([&translated]);
        lines.into_iter().find_map(|line| ready::pinned(&program, line, pin))
    }))
}

fn hint(program: Program) -> String {
    format!("\nUse '{} --help' to see usage.\n", name(program))
}

/// The result for a command line that was not read completely; its status is always 1.
fn stopped(program: Program, stop: ReadingStop) -> Parsed {
    let (stdout, stderr) = match stop {
        ReadingStop::Help => (usage::usage(program), String::new()),
        ReadingStop::Version => (usage::version(program), String::new()),
        ReadingStop::Misuse(misuse) => (String::new(), misuse + &hint(program)),
    };
    Parsed::Misuse { stdout, stderr }
}

fn refused(settings: &Settings, wrong: Wrong) -> Parsed {
    let text = wrong.text.into_owned();
    let (stdout, stderr) = match wrong.then {
        Then::Hint => (String::new(), text + &hint(settings.program)),
        Then::Usage => (usage::usage(settings.program), text),
        Then::EndUnlessQuiet if settings.has("--quiet") => (String::new(), String::new()),
        Then::End | Then::EndUnlessQuiet => (String::new(), text),
    };
    Parsed::Misuse { stdout, stderr }
}
