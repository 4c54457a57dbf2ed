//! The options of mosquitto's clients, one row each.

use std::ffi::{OsStr, OsString};

use super::settings::Settings;
use super::value::{self, Misuse};
use crate::manner::Program::{self, Publish, Request, Subscribe};

/// A row of the table.
pub(super) struct OptionRow {
    /// The names as they are typed; an error about a missing argument shows the first.
    pub(super) names: &'static [&'static str],
    /// Its description, in a line of help.
    pub(super) help: &'static str,
    pub(super) programs: &'static [Program],
    /// The text after "argument given but" if its argument is missing; `None` if it takes no argument.
    pub(super) missing: Option<&'static str>,
    pub(super) sets: Sets,
    /// Whether its argument is a secret.
    pub(super) is_secret: bool,
}

/// What an option sets. The names are those of the options of `mqtt`.
#[derive(Clone, Copy)]
pub(super) enum Sets {
    /// An option without a value.
    Flag(&'static str),
    /// An option with the converted argument; the last of several counts.
    Value(&'static str, Convert),
    /// An option with the converted argument; all of several count.
    Several(&'static str, Convert),
    /// The single source of the message.
    Source(&'static str, Convert),
    /// Several settings.
    Other(fn(&mut Settings, &OsStr) -> Result<(), Misuse>),
    /// A client identifier: set by this option, unless the other option sets one.
    Identifier(&'static str, &'static str),
    /// A property: three or four words follow.
    Property,
    /// Nothing: the file was read before.
    OptionsFile,
    Help,
    Version,
}

/// Checks an argument, and converts it to a value of `mqtt`.
pub(super) type Convert = fn(&OsStr) -> Result<OsString, Misuse>;

const ALL: &[Program] = &[Publish, Subscribe, Request];
const PUB: &[Program] = &[Publish];
const SUB: &[Program] = &[Subscribe];
const RR: &[Program] = &[Request];
const SENDING: &[Program] = &[Publish, Request];
const RECEIVING: &[Program] = &[Subscribe, Request];

const fn flag(
    names: &'static [&'static str],
    help: &'static str,
    programs: &'static [Program],
    sets: Sets,
) -> OptionRow {
    OptionRow { names, help, programs, missing: None, sets, is_secret: false }
}

const fn with(
    names: &'static [&'static str],
    help: &'static str,
    programs: &'static [Program],
    missing: &'static str,
    sets: Sets,
) -> OptionRow {
    OptionRow { names, help, programs, missing: Some(missing), sets, is_secret: false }
}

impl OptionRow {
    const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// The row of an option, by a whole word.
    pub(super) fn of(program: Program, word: &OsStr) -> Option<&'static Self> {
        ROWS.iter().find(|row| row.programs.contains(&program) && row.names.iter().any(|name| word == *name))
    }

    /// The error for a missing argument.
    pub(super) fn missing_argument(&self) -> Misuse {
        let missing = self.missing.unwrap_or_default();
        format!("Error: {} argument given but {missing} specified.\n\n", self.names[0])
    }
}

use Sets::{Flag, Identifier, Other, Several, Source, Value};
use value::as_is;

/// All options.
pub(super) static ROWS: &[OptionRow] = &[
    with(&["-A"], "local address to connect from", ALL, "no address", Value("--bind-address", as_is)),
    with(
        &["--cafile"],
        "file of certificates of authorities to trust; it turns TLS on",
        ALL,
        "no file",
        Value("--cafile", as_is),
    ),
    with(&["--capath"], "directory of such files", ALL, "no directory", Value("--capath", as_is)),
    with(&["--cert"], "certificate of the client, in PEM", ALL, "no file", Value("--cert", as_is)),
    with(&["--ciphers"], "TLS ciphers to offer", ALL, "no ciphers", Value("--ciphers", as_is)),
    with(&["-C"], "exit after that many messages", SUB, "no count", Value("-C", value::count)),
    flag(
        &["-c", "--disable-clean-session"],
        "keep the session, and go on with it; needs -i",
        ALL,
        Flag("--disable-clean-session"),
    ),
    flag(&["-d", "--debug"], "show the packets sent and received", ALL, Flag("--debug")),
    flag(&["-D", "--property"], "add a property to a packet (MQTT 5)", ALL, Sets::Property),
    with(&["-e"], "topic of the response", RR, "no response topic", Value("-e", value::response_topic)),
    flag(&["-E"], "exit when all subscriptions are acknowledged", SUB, Flag("-E")),
    with(
        &["-f", "--file"],
        "send the content of a file as the message",
        SENDING,
        "no file",
        Source("--file", as_is),
    ),
    with(&["-F"], "write messages in this format", RECEIVING, "no format", Value("--format", value::format)),
    flag(&["--help"], "show this", ALL, Sets::Help),
    with(
        &["-h", "--host"],
        "broker to connect to; default: localhost",
        ALL,
        "no host",
        Value("--host", as_is),
    ),
    flag(&["--insecure"], "do not check that the certificate is for this host", ALL, Flag("--insecure")),
    with(&["-i", "--id"], "client identifier", ALL, "no id", Identifier("--client-id", "--id-prefix")),
    with(
        &["-I", "--id-prefix"],
        "prefix of the client identifier; the process identifier follows",
        ALL,
        "no id prefix",
        Identifier("--id-prefix", "--client-id"),
    ),
    with(
        &["-k", "--keepalive"],
        "keep alive, in seconds; default: 60",
        ALL,
        "no keepalive",
        Value("--keepalive", value::keep_alive),
    ),
    with(&["--key"], "private key of the client, in PEM", ALL, "no file", Value("--key", as_is)),
    with(
        &["--keyform"],
        "type of the private key: pem or engine",
        ALL,
        "no keyform",
        Value("--keyform", as_is),
    ),
    with(
        &["-L", "--url"],
        "user, password, host, port and topic in one: mqtt(s)://[user[:password]@]host[:port]/topic",
        ALL,
        "no URL",
        Other(Settings::set_url),
    )
    .secret(),
    flag(
        &["-l", "--stdin-line"],
        "send each line of standard input as a message",
        PUB,
        Source("--stdin-line", as_is),
    ),
    flag(&["--latency"], "write the time until the response came", RR, Flag("--latency")),
    with(&["-m", "--message"], "message to send", SENDING, "no message", Source("--message", value::message)),
    flag(&["--message-rate"], "write the number of messages of each second", SUB, Flag("--message-rate")),
    with(
        &["-M"],
        "most QoS 1 and 2 messages not acknowledged; default: 20",
        ALL,
        "max_inflight not",
        Value("--max-inflight", value::max_inflight),
    ),
    flag(&["-N"], "no line feed after each message", RECEIVING, Flag("-N")),
    flag(&["-n", "--null-message"], "send an empty message", SENDING, Source("--null-message", as_is)),
    flag(&["--nodelay"], "send small packets at once", ALL, Flag("--nodelay")),
    flag(&["--no-tls"], "no TLS, also on port 8883", ALL, Flag("--no-tls")),
    with(&["-o"], "file of options", ALL, "no options file", Sets::OptionsFile),
    with(
        &["-p", "--port"],
        "port of the broker; default: 1883, with TLS 8883",
        ALL,
        "no port",
        Value("--port", value::port),
    ),
    with(&["-P", "--pw"], "password", ALL, "no password", Value("--password", as_is)).secret(),
    flag(&["--pretty"], "indent JSON over several lines", RECEIVING, Flag("--pretty")),
    with(
        &["--proxy"],
        "SOCKS5 proxy: socks5h://[user[:password]@]host[:port]",
        ALL,
        "no proxy url",
        Value("--proxy", value::proxy),
    )
    .secret(),
    with(
        &["--psk"],
        "pre-shared key, in hexadecimal digits; it turns TLS on",
        ALL,
        "no key",
        Value("--psk", as_is),
    )
    .secret(),
    with(
        &["--psk-identity"],
        "identity that belongs to --psk",
        ALL,
        "no identity",
        Value("--psk-identity", as_is),
    ),
    with(
        &["-q", "--qos"],
        "quality of service: 0, 1 or 2; default: 0",
        ALL,
        "no QoS",
        Value("--qos", value::qos),
    ),
    flag(&["--quiet"], "no error messages", ALL, Flag("--quiet")),
    flag(&["-r", "--retain"], "have the broker retain the message", PUB, Flag("--retain")),
    flag(&["-R"], "do not show messages that were retained before", RECEIVING, Flag("-R")),
    with(
        &["--random-filter"],
        "show this percentage of the messages only",
        SUB,
        "no chance",
        Value("--random-filter", value::chance),
    ),
    flag(&["--remove-retained"], "clear the retained messages that match", SUB, Flag("--remove-retained")),
    with(
        &["--repeat"],
        "send the message that many times",
        PUB,
        "no count",
        Value("--repeat", value::repeat),
    ),
    with(
        &["--repeat-delay"],
        "seconds between the repeats",
        PUB,
        "no time",
        Value("--repeat-delay", value::repeat_delay),
    ),
    flag(
        &["--retain-as-published"],
        "keep the retain flag of messages as it was published (MQTT 5)",
        RECEIVING,
        Flag("--retain-as-published"),
    ),
    with(
        &["--retain-handling"],
        "whether retained messages are sent on subscribing: always, new or never (MQTT 5)",
        RECEIVING,
        "no option",
        Value("--retain-handling", value::retain_handling),
    ),
    flag(
        &["--retained-only"],
        "exit at the first message that is not retained",
        SUB,
        Flag("--retained-only"),
    ),
    flag(
        &["-s", "--stdin-file"],
        "send all of standard input as one message",
        SENDING,
        Source("--stdin-file", as_is),
    ),
    flag(&["-S"], "look the broker up by its DNS SRV records", ALL, Flag("--srv")),
    with(&["-t", "--topic"], "topic", ALL, "no topic", Other(Settings::set_topic)),
    with(
        &["-T", "--filter-out"],
        "topic filter of messages that are not shown",
        SUB,
        "no topic filter",
        Several("--filter-out", value::filter_out),
    ),
    with(
        &["--tls-alpn"],
        "application protocol to ask for in TLS",
        ALL,
        "no protocol",
        Value("--tls-alpn", as_is),
    ),
    with(&["--tls-engine"], "TLS engine to use", ALL, "no engine_id", Value("--tls-engine", as_is)),
    with(
        &["--tls-engine-kpass-sha1"],
        "SHA-1 of the password of the engine's key",
        ALL,
        "no kpass sha1",
        Value("--tls-engine-kpass-sha1", as_is),
    )
    .secret(),
    with(
        &["--tls-keylog"],
        "file to which TLS secrets are written, to read a capture",
        ALL,
        "no file",
        Value("--tls-keylog", as_is),
    ),
    flag(
        &["--tls-use-os-certs"],
        "trust the authorities of the system; it turns TLS on",
        ALL,
        Flag("--tls-use-os-certs"),
    ),
    with(
        &["--tls-version"],
        "version of TLS: tlsv1.2 or tlsv1.3",
        ALL,
        "no version",
        Value("--tls-version", as_is),
    ),
    with(
        &["-U", "--unsubscribe"],
        "topic filter to unsubscribe from",
        SUB,
        "no unsubscribe topic",
        Several("--unsubscribe", value::unsubscribe),
    ),
    with(&["-u", "--username"], "user name", ALL, "no username", Value("--username", as_is)),
    with(&["--unix"], "Unix socket of the broker", ALL, "no socket path", Other(Settings::set_unix)),
    with(
        &["--protocol-version", "-V"],
        "version of MQTT: 5, 311 or 31; default: 311",
        ALL,
        "no version",
        Other(Settings::set_protocol),
    ),
    flag(&["-v", "--verbose"], "write the topic before each message", RECEIVING, Flag("--verbose")),
    flag(&["--version"], "show the version", ALL, Sets::Version),
    with(&["-W"], "exit after that many seconds", RECEIVING, "no timeout", Value("-W", value::timeout)),
    flag(&["-w", "--watch"], "show the latest message of each topic", SUB, Flag("--watch")),
    with(&["--will-payload"], "message of the will", ALL, "no will payload", Value("--will-payload", as_is)),
    with(
        &["--will-qos"],
        "QoS of the will; default: 0",
        ALL,
        "no will QoS",
        Value("--will-qos", value::will_qos),
    ),
    flag(&["--will-retain"], "have the broker retain the will", ALL, Flag("--will-retain")),
    with(
        &["--will-topic"],
        "topic of the will; it makes a will",
        ALL,
        "no will topic",
        Value("--will-topic", value::will_topic),
    ),
    flag(&["--ws"], "connect by WebSocket", ALL, Flag("--ws")),
    with(
        &["-x"],
        "session expiry interval, in seconds (MQTT 5)",
        ALL,
        "no session expiry interval",
        Other(Settings::set_session_expiry),
    ),
];
