//! The options of mosquitto's clients: one row for each.

use std::ffi::{OsStr, OsString};

use super::settings::Settings;
use super::value::{self, Misuse};
use crate::manner::Program::{self, Publish, Request, Subscribe};

/// A row of the table.
pub(super) struct OptionRow {
    /// As it is typed; the first is what a missing argument is complained of under.
    pub(super) names: &'static [&'static str],
    pub(super) programs: &'static [Program],
    /// What is said of a missing argument, behind "argument given but". Nothing: it takes no argument.
    pub(super) missing: Option<&'static str>,
    pub(super) sets: Sets,
    /// Its argument is for no other user's eyes.
    pub(super) is_secret: bool,
}

/// What an option sets. The names are those of the options of `mqtt`.
#[derive(Clone, Copy)]
pub(super) enum Sets {
    /// This, which takes no value.
    Flag(&'static str),
    /// This, to what the argument becomes; the last of several counts.
    Value(&'static str, Convert),
    /// The same, and each counts.
    Several(&'static str, Convert),
    /// The one source of the message.
    Source(&'static str, Convert),
    /// More than one thing.
    Other(fn(&mut Settings, &OsStr) -> Result<(), Misuse>),
    /// A client identifier: by this option, unless there is one by the other.
    Identifier(&'static str, &'static str),
    /// A property: three or four words follow.
    Property,
    /// Nothing: the file was read before.
    OptionsFile,
    Help,
    Version,
}

/// Checks an argument, and makes of it what `mqtt` takes.
pub(super) type Convert = fn(&OsStr) -> Result<OsString, Misuse>;

const ALL: &[Program] = &[Publish, Subscribe, Request];
const PUB: &[Program] = &[Publish];
const SUB: &[Program] = &[Subscribe];
const RR: &[Program] = &[Request];
const SENDING: &[Program] = &[Publish, Request];
const RECEIVING: &[Program] = &[Subscribe, Request];

const fn flag(names: &'static [&'static str], programs: &'static [Program], sets: Sets) -> OptionRow {
    OptionRow { names, programs, missing: None, sets, is_secret: false }
}

const fn with(
    names: &'static [&'static str],
    programs: &'static [Program],
    missing: &'static str,
    sets: Sets,
) -> OptionRow {
    OptionRow { names, programs, missing: Some(missing), sets, is_secret: false }
}

impl OptionRow {
    const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// The row of an option, by a whole word.
    pub(super) fn of(program: Program, word: &OsStr) -> Option<&'static Self> {
        ROWS.iter().find(|row| row.programs.contains(&program) && row.names.iter().any(|name| word == *name))
    }

    /// What is said where its argument is missing.
    pub(super) fn missing_argument(&self) -> Misuse {
        let missing = self.missing.unwrap_or_default();
        format!("Error: {} argument given but {missing} specified.\n\n", self.names[0])
    }
}

use Sets::{Flag, Identifier, Other, Several, Source, Value};
use value::as_is;

/// Every option.
pub(super) static ROWS: &[OptionRow] = &[
    with(&["-A"], ALL, "no address", Value("--bind-address", as_is)),
    with(&["--cafile"], ALL, "no file", Value("--cafile", as_is)),
    with(&["--capath"], ALL, "no directory", Value("--capath", as_is)),
    with(&["--cert"], ALL, "no file", Value("--cert", as_is)),
    with(&["--ciphers"], ALL, "no ciphers", Value("--ciphers", as_is)),
    with(&["-C"], SUB, "no count", Value("-C", value::count)),
    flag(&["-c", "--disable-clean-session"], ALL, Flag("--disable-clean-session")),
    flag(&["-d", "--debug"], ALL, Flag("--debug")),
    flag(&["-D", "--property"], ALL, Sets::Property),
    with(&["-e"], RR, "no response topic", Value("-e", value::response_topic)),
    flag(&["-E"], SUB, Flag("-E")),
    with(&["-f", "--file"], SENDING, "no file", Source("--file", as_is)),
    with(&["-F"], RECEIVING, "no format", Value("--format", value::format)),
    flag(&["--help"], ALL, Sets::Help),
    with(&["-h", "--host"], ALL, "no host", Value("--host", as_is)),
    flag(&["--insecure"], ALL, Flag("--insecure")),
    with(&["-i", "--id"], ALL, "no id", Identifier("--client-id", "--id-prefix")),
    with(&["-I", "--id-prefix"], ALL, "no id prefix", Identifier("--id-prefix", "--client-id")),
    with(&["-k", "--keepalive"], ALL, "no keepalive", Value("--keepalive", value::keep_alive)),
    with(&["--key"], ALL, "no file", Value("--key", as_is)),
    with(&["--keyform"], ALL, "no keyform", Value("--keyform", as_is)),
    with(&["-L", "--url"], ALL, "no URL", Other(Settings::set_url)).secret(),
    flag(&["-l", "--stdin-line"], PUB, Source("--stdin-line", as_is)),
    flag(&["--latency"], RR, Flag("--latency")),
    with(&["-m", "--message"], SENDING, "no message", Source("--message", value::message)),
    flag(&["--message-rate"], SUB, Flag("--message-rate")),
    with(&["-M"], ALL, "max_inflight not", Value("--max-inflight", value::max_inflight)),
    flag(&["-N"], RECEIVING, Flag("-N")),
    flag(&["-n", "--null-message"], SENDING, Source("--null-message", as_is)),
    flag(&["--nodelay"], ALL, Flag("--nodelay")),
    flag(&["--no-tls"], ALL, Flag("--no-tls")),
    with(&["-o"], ALL, "no options file", Sets::OptionsFile),
    with(&["-p", "--port"], ALL, "no port", Value("--port", value::port)),
    with(&["-P", "--pw"], ALL, "no password", Value("--password", as_is)).secret(),
    flag(&["--pretty"], RECEIVING, Flag("--pretty")),
    with(&["--proxy"], ALL, "no proxy url", Value("--proxy", value::proxy)).secret(),
    with(&["--psk"], ALL, "no key", Value("--psk", as_is)).secret(),
    with(&["--psk-identity"], ALL, "no identity", Value("--psk-identity", as_is)),
    with(&["-q", "--qos"], ALL, "no QoS", Value("--qos", value::qos)),
    flag(&["--quiet"], ALL, Flag("--quiet")),
    flag(&["-r", "--retain"], PUB, Flag("--retain")),
    flag(&["-R"], RECEIVING, Flag("-R")),
    with(&["--random-filter"], SUB, "no chance", Value("--random-filter", value::chance)),
    flag(&["--remove-retained"], SUB, Flag("--remove-retained")),
    with(&["--repeat"], PUB, "no count", Value("--repeat", value::repeat)),
    with(&["--repeat-delay"], PUB, "no time", Value("--repeat-delay", value::repeat_delay)),
    flag(&["--retain-as-published"], RECEIVING, Flag("--retain-as-published")),
    with(&["--retain-handling"], RECEIVING, "no option", Value("--retain-handling", value::retain_handling)),
    flag(&["--retained-only"], SUB, Flag("--retained-only")),
    flag(&["-s", "--stdin-file"], SENDING, Source("--stdin-file", as_is)),
    flag(&["-S"], ALL, Flag("--srv")),
    with(&["-t", "--topic"], ALL, "no topic", Other(Settings::set_topic)),
    with(&["-T", "--filter-out"], SUB, "no topic filter", Several("--filter-out", value::filter_out)),
    with(&["--tls-alpn"], ALL, "no protocol", Value("--tls-alpn", as_is)),
    with(&["--tls-engine"], ALL, "no engine_id", Value("--tls-engine", as_is)),
    with(&["--tls-engine-kpass-sha1"], ALL, "no kpass sha1", Value("--tls-engine-kpass-sha1", as_is))
        .secret(),
    with(&["--tls-keylog"], ALL, "no file", Value("--tls-keylog", as_is)),
    flag(&["--tls-use-os-certs"], ALL, Flag("--tls-use-os-certs")),
    with(&["--tls-version"], ALL, "no version", Value("--tls-version", as_is)),
    with(&["-U", "--unsubscribe"], SUB, "no unsubscribe topic", Several("--unsubscribe", value::unsubscribe)),
    with(&["-u", "--username"], ALL, "no username", Value("--username", as_is)),
    with(&["--unix"], ALL, "no socket path", Other(Settings::set_unix)),
    with(&["--protocol-version", "-V"], ALL, "no version", Other(Settings::set_protocol)),
    flag(&["-v", "--verbose"], RECEIVING, Flag("--verbose")),
    flag(&["--version"], ALL, Sets::Version),
    with(&["-W"], RECEIVING, "no timeout", Value("-W", value::timeout)),
    flag(&["-w", "--watch"], SUB, Flag("--watch")),
    with(&["--will-payload"], ALL, "no will payload", Value("--will-payload", as_is)),
    with(&["--will-qos"], ALL, "no will QoS", Value("--will-qos", value::will_qos)),
    flag(&["--will-retain"], ALL, Flag("--will-retain")),
    with(&["--will-topic"], ALL, "no will topic", Value("--will-topic", value::will_topic)),
    flag(&["--ws"], ALL, Flag("--ws")),
    with(&["-x"], ALL, "no session expiry interval", Other(Settings::set_session_expiry)),
];
