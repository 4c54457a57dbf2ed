//! The table of subcommands, and the definition of the whole command line.

use std::ffi::OsString;
use std::fmt::Write as _;

#[cfg(feature = "broker")]
use super::broker;
use super::definition::finish;
use super::manual::{self, Manual};
use super::subcommand::Entry;
use super::{
    bench, compat, completions, config, ping, publish, request, respond, retain_clear, subscribe, will_test,
};
use crate::output::wrapped;

const MORE: &str = "\
Options: mqtt COMMAND --help. Exit statuses: mqtt --help-all";

/// Each exit status, or range of them, and its meaning. `signal` is the end by a signal; a shell reports 128
/// plus the signal's number.
pub(super) static EXIT_STATUSES: &[(&str, &str)] = &[
    (
        "0",
        "done; also when the reader of standard output left (will-test: 1), and after Ctrl-C of sub, respond or bench",
    ),
    ("1", "could not do it: network, TLS, a file, a broker that breaks the protocol"),
    ("2", "wrong usage"),
    ("3", "done, and the answer is no: for example, one filter of several was refused"),
    ("27", "timed out"),
    ("128-162", "the broker's reason code for what it refused"),
    (
        "signal",
        "pub, rr, retain-clear or will-test ended by a signal; any command while it waits for a file or \
         --password-command before it connects (SIGHUP does not end sub or respond > FILE, or sub --output), at a second signal, or \
         if it has not ended 9 s after the first (not where it waits for a command of its own: --exec, broker -- COMMAND)",
    ),
];

/// The table for the help. Lines have at most 80 columns, because clap would continue longer ones in the
/// first column.
fn exit_status() -> String {
    const BEGIN: usize = 11;
    let mut text = "Exit status:\n".to_owned();
    for (status, meaning) in EXIT_STATUSES {
        for (number, line) in wrapped(meaning, 80 - BEGIN).iter().enumerate() {
            let status = if number == 0 { status } else { "" };
            let _ = writeln!(text, "  {status:width$}{line}", width = BEGIN - 2);
        }
    }
    text + "\nOptions of each command:\n  mqtt COMMAND --help\n\nAll of it as JSON, for programs:\n  mqtt help --json"
}

const ABOUT: &str = "Publish, subscribe and test over MQTT";

const LONG_ABOUT: &str = "\
Publish, subscribe and test over MQTT

A toolkit for MQTT brokers. The letters of mosquitto's options mean here what they mean there.";

/// All subcommands.
pub(super) static SUBCOMMANDS: &[Entry] = &[
    Entry::run::<publish::PublishArgs>("pub"),
    Entry::run::<subscribe::SubscribeArgs>("sub"),
    Entry::run::<request::RequestArgs>("rr"),
    Entry::run::<respond::RespondArgs>("respond"),
    Entry::run::<bench::BenchArgs>("bench").with(bench::MODES),
    Entry::run::<retain_clear::RetainClearArgs>("retain-clear"),
    Entry::run::<will_test::WillTestArgs>("will-test"),
    Entry::run::<ping::PingArgs>("ping"),
    #[cfg(feature = "broker")]
    Entry::run::<broker::BrokerArgs>("broker"),
    Entry::print::<config::ConfigArgs>("config", &config::MANUAL).with(config::MODES),
    Entry::print::<compat::CompatArgs>("compat", &compat::MANUAL).with(compat::MODES),
    Entry::print::<completions::CompletionsArgs>("completions", &completions::MANUAL),
];

/// The definition of all options: the source of `--help`, manual pages and completions. It does not depend on
/// environment or terminal.
#[must_use]
pub fn command() -> clap::Command {
    let program = clap::Command::new("mqtt")
        .about(ABOUT)
        .long_about(LONG_ABOUT)
        .subcommand_required(true)
        .subcommands(SUBCOMMANDS.iter().map(Entry::whole));
    finish(program, None).after_help(MORE).after_long_help(exit_status())
}

/// Examples and known limits of a subcommand, named as on the command line (`mqtt bench conn`), or of the
/// program.
#[must_use]
pub fn manual(called: &str) -> &'static Manual {
    let words: Vec<OsString> = called.split(' ').map(OsString::from).collect();
    Entry::called(SUBCOMMANDS, &words).map_or(&manual::PROGRAM, |(entry, _)| entry.manual)
}
