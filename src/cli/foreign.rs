//! What other tools call a subcommand or an option, and what it is called here: mosquitto's and EMQX's clients
//! (MQTTX, emqtt-bench), the HiveMQ CLI and Swarm, and `ping`.
//!
//! One table, in which the first row that fits counts. It is asked only about words that this program does not
//! know.

use std::ffi::OsString;

use clap::Command;

use super::secret::{self, AUTHENTICATION_DATA, SecretKind};
use super::text::shown;
use super::{compat, words};
use crate::nearest::in_words;
use crate::notation::shell;

/// An option of other tools.
#[derive(Debug)]
pub(super) struct Foreign {
    /// Its names, with the dashes; of a long one in lower-case words.
    pub(super) theirs: &'static [&'static str],
    /// The subcommands in which it means this; none: all that have the options.
    pub(super) on: &'static [&'static str],
    /// The values with which it means this; none: all.
    values: &'static [&'static str],
    /// Whether it takes a value.
    takes_value: bool,
    /// The options here, `{}` for the value; without options where none has to be given.
    pub(super) ours: &'static str,
    /// Why nothing has to be given.
    why: &'static str,
    /// Whether it is an option without a value here.
    pub(super) is_misread: bool,
}

/// With a value.
const fn value(theirs: &'static [&'static str], ours: &'static str) -> Foreign {
    Foreign { theirs, on: &[], values: &[], takes_value: true, ours, why: "", is_misread: false }
}

/// Without a value.
const fn flag(theirs: &'static [&'static str], ours: &'static str) -> Foreign {
    Foreign { takes_value: false, ..value(theirs, ours) }
}

/// One that says what is so without it.
const fn needless(theirs: &'static [&'static str], why: &'static str) -> Foreign {
    Foreign { why, ..flag(theirs, "") }
}

impl Foreign {
    const fn on(self, on: &'static [&'static str]) -> Self {
        Self { on, ..self }
    }

    const fn with(self, values: &'static [&'static str]) -> Self {
        Self { values, takes_value: true, ..self }
    }
}

const BENCH_LOADS: &[&str] = &["bench", "bench e2e", "bench pub", "bench rr"];

/// The options.
pub(super) static OPTIONS: &[Foreign] = &[
    // How many, and for how long.
    value(&["--count", "--num-messages", "--max-messages", "--messages", "--limit", "--num", "-n"], "-C {}")
        .on(&["sub", "ping"]),
    value(&["--count", "--num-messages", "--limit", "--times", "-C"], "--repeat {}").on(&["pub"]),
    value(&["--num-messages", "--max-messages", "--messages", "--limit"], "--count {}"),
    value(&["--count", "--connections", "--conns", "--num-clients"], "--clients {}").on(&["bench conn"]),
    value(&["--clients", "--connections", "--conns", "--num-clients"], "--publishers {}").on(BENCH_LOADS),
    value(&["--clients", "--connections", "--conns", "--num-clients"], "--subscribers {}").on(&["bench sub"]),
    Foreign { is_misread: true, ..value(&["-c"], "-C {}").on(&["ping"]) },
    Foreign { is_misread: true, ..value(&["-c"], "--clients {}").on(&["bench conn"]) },
    Foreign { is_misread: true, ..value(&["-c"], "--publishers {}").on(BENCH_LOADS) },
    Foreign { is_misread: true, ..value(&["-c"], "--subscribers {}").on(&["bench sub"]) },
    value(&["--delay"], "--repeat-delay DURATION").on(&["pub"]),
    value(&["--interval"], "--ramp RATE"),
    value(&["--conn-rate", "--connect-rate", "--connection-rate"], "--ramp {}"),
    value(
        &["--interval-of-msg", "--message-interval", "--msg-interval", "--pub-interval"],
        "--rate-per-client RATE",
    ),
    value(&["--message-rate", "--msg-rate", "--throughput"], "--rate {}"),
    value(&["--message-size", "--payload-size", "--msg-size", "-s"], "--size {}"),
    value(&["--timeout", "--wait", "--max-time", "--time"], "-W {}").on(&["pub", "sub", "rr"]),
    value(&["--deadline", "--wait", "--max-time"], "--timeout {}"),
    value(&["--time", "--timeout", "--run-time", "--test-time"], "--hold {}").on(&["bench conn"]),
    value(&["--time", "--timeout", "--run-time", "--test-time"], "--duration {}"),
    value(&["--connection-timeout", "--conn-timeout"], "--connect-timeout {}"),
    // The message.
    value(&["--payload", "--msg", "--data", "--body", "--content", "--text"], "-m {}").on(&["pub", "rr"]),
    value(&["--message", "--msg", "--data", "--body", "-m"], "--payload {}").on(BENCH_LOADS),
    value(&["--message-file", "--file-read", "--payload-file", "--input-file"], "-f {}").on(&["pub", "rr"]),
    value(&["--message-file", "--file-read"], "--payload-file {}"),
    flag(&["--message-empty", "--empty"], "-n").on(&["pub", "rr"]),
    flag(&["--stdin"], "-s").on(&["pub", "rr"]),
    flag(&["--multiline", "--lines", "--stdin-lines"], "-l").on(&["pub"]),
    Foreign {
        why: "filters stand alone",
        ..value(&["-t", "--topic", "--filter"], "{}").on(&["retain-clear"])
    },
    flag(&["-y", "--force", "--no-confirm"], "--yes").on(&["retain-clear"]),
    flag(&["-n", "--simulate"], "--dry-run").on(&["retain-clear"]),
    value(&["--host", "--bind", "--address", "--ip"], "--listen {}").on(&["broker"]),
    needless(&["--no-retain"], "without -r the broker does not keep the message").on(&["pub"]),
    needless(&["--dup"], "a message that is sent again is marked as a duplicate by itself").on(&["pub"]),
    value(&["--message-expiry-interval", "--expiry", "-e"], "--message-expiry {}").on(&["pub", "rr"]),
    value(&["--user-properties", "--user-prop"], "--user-property KEY=VALUE"),
    value(&["--user-properties", "--user-property", "--user-prop"], "--subscribe-user-property KEY=VALUE")
        .on(&["sub"]),
    value(
        &["--user-properties", "--user-property", "--conn-user-properties"],
        "--connect-user-property KEY=VALUE",
    ),
    // What is received.
    value(&["--filter", "--topic-filter"], "-t {}").on(&["sub"]),
    value(&["--exclude", "--ignore"], "-T {}").on(&["sub", "retain-clear"]),
    flag(&["--no-retained", "--skip-retained"], "-R").on(&["sub", "rr"]),
    flag(&["--show-topics", "--show-topic"], "-v").on(&["sub", "rr"]),
    flag(&["--json-output", "-J", "-j"], "--json"),
    value(&["--format", "--output-format"], "--json").with(&["json"]),
    value(&["--output-to-file", "--file-save", "--file-write", "--out"], "--output {}").on(&["sub"]),
    value(&["--reply-to", "--reply-topic", "--respond-on"], "-e {}").on(&["rr"]),
    // The broker.
    value(&["--hostname", "--broker", "--server", "--host-name"], "-h {}"),
    value(&["--uri", "--broker-url", "--broker-uri"], "-L {}"),
    value(&["--protocol", "--transport", "-l"], "-L {}://HOST").with(&["mqtt", "mqtts", "ws", "wss"]),
    value(&["--protocol", "--transport"], "-L mqtt://HOST").with(&["tcp"]),
    value(&["--protocol", "--transport"], "-L mqtts://HOST").with(&["ssl", "tls"]),
    value(&["--protocol", "--mqtt-version", "--proto"], "-V 311").with(&["3", "4"]),
    value(&["--protocol", "--mqtt-version", "--proto"], "-V {}"),
    value(&["--path", "--ws-uri"], "--ws-path {}"),
    value(&["--ws-headers", "--header", "--headers"], "--ws-header {}"),
    flag(&["--websocket", "--websockets"], "--ws"),
    value(&["--ifaddr", "--local-address", "--source-address"], "--local-addr {}"),
    value(&["--ifaddr", "--local-address", "--source-address", "--interface", "--bind"], "-A {}"),
    // Who we are.
    value(&["--user"], "-u {}"),
    value(&["--pass", "--passwd", "--pwd"], "-P {}"),
    value(&["--identifier", "--client", "--cid"], "-i {}"),
    value(&["--prefix", "--identifier-prefix", "--client-id-prefix"], "-I {}"),
    // The session.
    value(&["--keep-alive-interval"], "-k {}"),
    value(&["--clean", "--clean-session", "--cleansession", "--clean-start"], "-c -i ID").with(&["false"]),
    flag(&["--no-clean", "--no-clean-session", "--no-clean-start", "--persistent"], "-c -i ID"),
    needless(
        &["--clean", "--clean-session", "--cleansession", "--clean-start"],
        "each run begins a new session without -c",
    ),
    value(&["--session-expiry-interval"], "-x {}"),
    value(&["--maximum-packet-size"], "--max-packet-size {}"),
    value(&["--rcv-max"], "--receive-maximum {}"),
    flag(&["--req-response-info"], "--request-response-information 1"),
    flag(&["--no-req-problem-info"], "--request-problem-information 0"),
    value(
        &["--maximum-reconnect-times", "--max-reconnects", "--retries", "--num-retry-connect"],
        "--reconnect {}",
    ),
    flag(&["--no-reconnect"], "--reconnect never"),
    flag(&["--auto-reconnect"], "--reconnect always"),
    value(&["--reconnect-period"], "--reconnect-max-delay DURATION"),
    // The will.
    value(&["--will-message", "--will-msg"], "--will-payload {}"),
    value(&["--will-quality-of-service"], "--will-qos {}"),
    value(&["--will-delay-interval"], "--will-delay {}"),
    value(&["--will-message-expiry-interval"], "--will-message-expiry {}"),
    value(&["--will-user-properties"], "--will-user-property KEY=VALUE"),
    // TLS.
    flag(&["--tls", "--ssl", "--secure", "--use-tls", "--enable-tls", "--use-ssl"], "--tls-use-os-certs"),
    value(
        &["--ca", "--cacert", "--ca-cert", "--ca-certs", "--cacertfile", "--root-ca", "--tls-cafile"],
        "--cafile {}",
    ),
    value(&["--ca-dir", "--ca-directory", "--tls-capath"], "--capath {}"),
    value(&["--certfile", "--cert-file", "--client-cert", "--tls-cert"], "--cert {}"),
    value(&["--keyfile", "--key-file", "--private-key", "--client-key", "--tls-key"], "--key {}"),
    value(&["--alpn"], "--tls-alpn {}"),
    value(&["--sni", "--servername"], "--tls-server-name {}"),
    flag(&["--tls-insecure", "--no-verify", "--skip-verify", "--insecure-skip-verify"], "--insecure"),
    // The program.
    value(&["--load-options"], "--profile NAME"),
    value(&["--config-file"], "--config {}"),
    flag(&["--verbose", "-v"], "-d"),
    flag(&["--silent"], "--quiet"),
];

/// A subcommand of other tools.
#[derive(Debug)]
pub(super) struct ForeignCall {
    pub(super) theirs: &'static [&'static str],
    /// The subcommand below which it stands.
    below: &'static str,
    /// What it is called here.
    pub(super) ours: &'static str,
}

const fn called(theirs: &'static [&'static str], ours: &'static str) -> ForeignCall {
    ForeignCall { theirs, below: "", ours }
}

const fn mode(theirs: &'static [&'static str], ours: &'static str) -> ForeignCall {
    ForeignCall { theirs, below: "bench", ours }
}

/// The subcommands.
pub(super) static COMMANDS: &[ForeignCall] = &[
    called(&["publish", "send", "produce"], "pub"),
    called(&["subscribe", "listen", "receive", "consume", "watch", "monitor", "tail"], "sub"),
    called(&["request", "req", "rpc", "call", "request-response"], "rr"),
    called(&["responder", "response", "answer", "reply", "rpc-server"], "respond"),
    called(&["conn", "connect", "test", "check-connection"], "ping"),
    called(&["simulate"], "bench pub"),
    called(&["benchmark", "load", "load-test", "loadtest", "stress", "perf", "swarm"], "bench"),
    called(&["server", "serve"], "broker"),
    called(&["clear", "purge", "clear-retained", "delete-retained", "remove-retained"], "retain-clear"),
    called(&["will", "lwt", "last-will"], "will-test"),
    called(&["profile", "profiles", "settings", "show"], "config show"),
    called(&["mosquitto-pub"], "compat mosquitto_pub"),
    called(&["mosquitto-sub"], "compat mosquitto_sub"),
    called(&["mosquitto-rr"], "compat mosquitto_rr"),
    mode(&["publish"], "bench pub"),
    mode(&["subscribe"], "bench sub"),
    mode(&["connect", "connection", "connections"], "bench conn"),
    mode(&["latency", "roundtrip", "round-trip", "end-to-end"], "bench e2e"),
    mode(&["request", "request-response"], "bench rr"),
];

/// What a subcommand of another tool, below this one, is called here.
pub(super) fn command(below: &str, typed: &str) -> Option<&'static str> {
    let typed = in_words(typed);
    let is_it = |row: &&ForeignCall| row.below == below && row.theirs.contains(&&*typed);
    COMMANDS.iter().find(is_it).map(|row| row.ours)
}

/// What is said about a word of another tool.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ForeignAnswer {
    pub(super) message: String,
    /// The command to type.
    pub(super) hint: String,
}

/// The line with a subcommand of another tool, whose last name is at this place.
pub(super) fn answer_command(program: &Command, line: &[OsString], at: usize, ours: &str) -> ForeignAnswer {
    let typed = line.get(at).map_or_else(String::new, |word| shown(word));
    let words = std::iter::once("mqtt").chain(ours.split(' ')).map(OsString::from);
    let mut line: Vec<OsString> = words.chain(line.iter().skip(at + 1).cloned()).collect();
    // Their clients' own options stay as they are.
    let ready = if let Some((client, names)) = compat::called(&line) {
        for secret in compat::secrets(client, names, &line) {
            line[secret] = "…".into();
        }
        within_a_line(&line)
    } else {
        translated(program, &line)
    };
    let ready = ready.unwrap_or_else(|| format!("mqtt {ours}"));
    ForeignAnswer { message: format!("{typed} is called {ours} here"), hint: ready }
}

/// The answer to an option that the subcommand in the first words of the line does not know.
pub(super) fn answer_option(program: &Command, line: &[OsString], typed: &str) -> Option<ForeignAnswer> {
    let (definition, names) = called_by(program, line);
    let letters = |name: &str| in_words(name).replace('-', "");
    let is_spelt_so = |arg: &clap::Arg| arg.get_long().is_some_and(|long| letters(long) == letters(typed));
    if typed.starts_with("--") && definition.get_arguments().any(|arg| is_spelt_so(arg) && !arg.is_hide_set())
    {
        return None; // It is ours, in another spelling.
    }
    let at = (names..line.len()).find(|at| is_called(&line[*at], typed))?;
    let row = row(definition, names, line, at, typed)?;
    let message = if row.why.is_empty() {
        let ours: Vec<&str> = row.ours.split(' ').filter(|word| word.starts_with('-')).collect();
        format!("{typed} is called {} here", ours.join(" "))
    } else {
        format!("{typed} is not needed: {}", row.why)
    };
    Some(ForeignAnswer {
        message,
        hint: translated(program, line).unwrap_or_else(|| alone(definition, row, names, line, (at, typed))),
    })
}

/// The answer to an option without a value here that has a number after it, as another tool wants it.
pub(super) fn answer_misread(program: fn() -> Command, line: &[OsString]) -> Option<ForeignAnswer> {
    // Nearly always there is none, and the definition is not needed to see that.
    (1..line.len()).find(|at| misreadable(line, *at).next().is_some())?;
    let program = program();
    let (definition, names) = called_by(&program, line);
    let (at, row) = misread(definition, names, line)?;
    let theirs = row.theirs.first()?;
    let ours = row.ours.split(' ').next()?;
    let message = format!("{theirs} with a number is called {ours} here");
    Some(ForeignAnswer {
        message,
        hint: translated(&program, line).unwrap_or_else(|| alone(definition, row, names, line, (at, theirs))),
    })
}

/// The place of such an option, and its row.
fn misread(definition: &Command, names: usize, line: &[OsString]) -> Option<(usize, &'static Foreign)> {
    let called = called_names(names, line);
    let values = words::values(definition, names, line);
    let places = (names..line.len()).filter(|at| values.iter().all(|value| value.word != *at));
    places
        .flat_map(|at| misreadable(line, at).map(move |row| (at, row)))
        .find(|(_, row)| row.on.contains(&&*called))
}

/// The rows of such options that a word of the line could be.
fn misreadable(line: &[OsString], at: usize) -> impl Iterator<Item = &'static Foreign> {
    let is_number = |word: &str| word.parse::<u64>().is_ok();
    let word = line[at].to_str().unwrap_or_default();
    let next = line.get(at + 1).and_then(|next| next.to_str());
    let has_number = move |theirs: &&str| match word.strip_prefix(theirs) {
        Some("") => next.is_some_and(is_number),
        Some(number) => is_number(number),
        None => false,
    };
    let is_misread = move |row: &&Foreign| row.is_misread && row.theirs.iter().any(has_number);
    OPTIONS.iter().filter(is_misread)
}

/// The subcommand that a line calls, and how many words name it.
pub(super) fn called_by<'p>(program: &'p Command, line: &[OsString]) -> (&'p Command, usize) {
    let mut called = (program, 1);
    while let Some(below) = line.get(called.1).and_then(|name| called.0.find_subcommand(name)) {
        called = (below, called.1 + 1);
    }
    called
}

/// The names of the subcommand that a line calls.
fn called_names(names: usize, line: &[OsString]) -> String {
    line[1..names].iter().filter_map(|name| name.to_str()).collect::<Vec<_>>().join(" ")
}

/// The options of a row behind the subcommand alone, in place of the option at this place of the line.
fn alone(
    definition: &Command,
    row: &Foreign,
    names: usize,
    line: &[OsString],
    (at, typed): (usize, &str),
) -> String {
    let is_secret = |option: &str| {
        let mut args = definition.get_arguments();
        args.any(|arg| words::is_called(arg, option) && secret::kind(arg).is_some())
    };
    let value = value_of(line, at, typed).0.filter(|_| !row.ours.split(' ').any(is_secret));
    let value = value.map_or_else(|| "VALUE".to_owned(), |value| shell::quoted(&shown(value.as_ref())));
    format!("mqtt {} {}", called_names(names, line), row.ours.replace("{}", &value)).trim_end().to_owned()
}

/// Whether a word is this option, or has this letter among others.
pub(super) fn is_called(word: &OsString, typed: &str) -> bool {
    let word = word.to_string_lossy();
    match typed.strip_prefix("--") {
        Some(_) => word.split('=').next() == Some(typed),
        None => typed
            .strip_prefix('-')
            .is_some_and(|letter| word.starts_with('-') && !word.starts_with("--") && word.contains(letter)),
    }
}

/// The row for an option in a word of the line.
fn row(
    definition: &Command,
    names: usize,
    line: &[OsString],
    at: usize,
    typed: &str,
) -> Option<&'static Foreign> {
    let called = called_names(names, line);
    let name = if typed.starts_with("--") { in_words(typed) } else { typed.to_owned() };
    let (value, _) = value_of(line, at, typed);
    let value = value.map(|value| value.to_lowercase());
    OPTIONS.iter().find(|row| {
        row.theirs.contains(&&*name)
            && (row.on.is_empty() || row.on.contains(&&*called))
            && (row.values.is_empty() || value.as_ref().is_some_and(|value| row.values.contains(&&**value)))
            && has_options(definition, row.ours)
    })
}

/// Whether a subcommand has the options in a row.
fn has_options(definition: &Command, ours: &str) -> bool {
    let options = ours.split(' ').filter(|word| word.starts_with('-'));
    options.into_iter().all(|option| definition.get_arguments().any(|arg| words::is_called(arg, option)))
}

/// The value that follows an option in its word or as the next one, and how many words both are.
fn value_of(line: &[OsString], at: usize, typed: &str) -> (Option<String>, usize) {
    let word = line[at].to_string_lossy();
    let rest = &word[typed.len().min(word.len())..];
    if !rest.is_empty() {
        return (Some(rest.trim_start_matches('=').to_owned()), 1);
    }
    match line.get(at + 1).map(|next| next.to_string_lossy().into_owned()) {
        Some(next) if !next.starts_with('-') => (Some(next), 2),
        _ => (None, 1),
    }
}

/// The line with the options of a row in place of the word.
fn replaced(row: &Foreign, line: &[OsString], at: usize, typed: &str) -> (Vec<OsString>, Vec<OsString>) {
    let (value, taken) = value_of(line, at, typed);
    let says_so = value.as_ref().is_some_and(|value| ["true", "false"].contains(&value.as_str()));
    let taken = if row.takes_value || says_so { taken } else { 1 };
    let value = value.unwrap_or_else(|| "VALUE".into());
    let ours = row.ours.split(' ').filter(|word| !word.is_empty());
    let ours: Vec<OsString> = ours.map(|word| word.replace("{}", &value).into()).collect();
    let (before, after) = (&line[..at], &line[line.len().min(at + taken)..]);
    ([before, &ours, after].concat(), ours)
}

/// The whole line in the words of this program, ready to be typed, with its secrets left out. None if it
/// holds something else that is not known, or is too long to be read.
pub(super) fn translated(program: &Command, line: &[OsString]) -> Option<String> {
    const MOST_OPTIONS: usize = 20;
    let (definition, names) = called_by(program, line);
    let mut line = [&[OsString::from("mqtt")], line.get(1..)?].concat();
    for _ in 0..MOST_OPTIONS {
        if let Some((at, row)) = misread(definition, names, &line) {
            let typed = line[at].to_string_lossy().get(..2)?.to_owned();
            line = replaced(row, &line, at, &typed).0;
            continue;
        }
        let Some(at) = words::unknown(definition, names, &line) else {
            return within_a_line(&without_secrets(definition, names, &line));
        };
        let typed = line[at].to_string_lossy();
        let end = if typed.starts_with("--") { typed.find('=').unwrap_or(typed.len()) } else { 2 };
        let typed = typed.get(..end)?.to_owned();
        let row = row(definition, names, &line, at, &typed)?;
        line = replaced(row, &line, at, &typed).0;
    }
    None
}

/// Words for a shell, unless they are too long to be read.
fn within_a_line(line: &[OsString]) -> Option<String> {
    const MOST_CHARS: usize = 160;
    let ready = shown_words(line);
    (ready.chars().count() <= MOST_CHARS).then_some(ready)
}

/// The line with `…` for each secret.
pub(super) fn without_secrets(definition: &Command, names: usize, line: &[OsString]) -> Vec<OsString> {
    let mut shown = line.to_owned();
    for value in words::values(definition, names, line) {
        let word = line[value.word].to_string_lossy();
        let (before, text) = word.split_at(value.from);
        let masked = match secret::kind(value.arg) {
            Some(SecretKind::Whole) => "…".to_owned(),
            Some(SecretKind::Property) => {
                let is_secret = value.number == 2
                    && line[value.word - 1].to_string_lossy().eq_ignore_ascii_case(AUTHENTICATION_DATA);
                if is_secret { "…".to_owned() } else { continue }
            }
            Some(kind) => kind.masked(text),
            None => continue,
        };
        shown[value.word] = format!("{before}{masked}").into();
    }
    shown
}

/// Words for a shell.
pub(super) fn shown_words(line: &[OsString]) -> String {
    let quoted = line.iter().map(|word| shell::quoted(&shown(word)));
    quoted.collect::<Vec<_>>().join(" ")
}
