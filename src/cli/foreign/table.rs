//! The table of the names of options and subcommands in other tools.

use clap::{Arg, Command};

/// An option of other tools.
#[derive(Debug)]
pub(in crate::cli) struct Foreign {
    /// Its names with dashes; long ones in lower-case words.
    pub(in crate::cli) theirs: &'static [&'static str],
    /// The subcommands for which the row applies; empty: all that have the options.
    pub(in crate::cli) on: &'static [&'static str],
    /// The values for which the row applies; empty: all.
    pub(in crate::cli) values: &'static [&'static str],
    /// Options, one of which must be in the line for the row to apply; empty: no condition.
    pub(in crate::cli) beside: &'static [&'static str],
    /// Whether it takes a value.
    pub(in crate::cli) takes_value: bool,
    /// The options here, with `{}` for the value; empty if none is needed.
    pub(in crate::cli) ours: &'static str,
    /// Converts its value to one here; `None` if that is not possible.
    pub(in crate::cli) converted: fn(&str) -> Option<String>,
    /// Why no option is needed, or why there is none.
    pub(in crate::cli) why: &'static str,
    /// Whether there is no equivalent here.
    pub(in crate::cli) is_unavailable: bool,
    /// Whether it is an option without a value here.
    pub(in crate::cli) is_misread: bool,
}

/// A row of an option with a value.
const fn value(theirs: &'static [&'static str], ours: &'static str) -> Foreign {
    Foreign {
        theirs,
        on: &[],
        values: &[],
        beside: &[],
        takes_value: true,
        ours,
        converted: as_it_is,
        why: "",
        is_unavailable: false,
        is_misread: false,
    }
}

/// A row of an option without a value.
const fn flag(theirs: &'static [&'static str], ours: &'static str) -> Foreign {
    Foreign { takes_value: false, ..value(theirs, ours) }
}

/// A row of an option that is not needed here.
const fn needless(theirs: &'static [&'static str], why: &'static str) -> Foreign {
    Foreign { why, ..flag(theirs, "") }
}

/// A row of an option without an equivalent here.
const fn unavailable(theirs: &'static [&'static str], why: &'static str) -> Foreign {
    Foreign { is_unavailable: true, ..needless(theirs, why) }
}

impl Foreign {
    /// Our options in the row.
    fn options(&self) -> impl Iterator<Item = &'static str> {
        self.ours.split(' ').filter(|word| word.starts_with('-'))
    }

    /// Whether a subcommand has all of them.
    pub(in crate::cli) fn fits(&self, definition: &Command) -> bool {
        self.options().all(|option| named(definition, option).is_some())
    }

    /// The first of our options that is wanted.
    pub(in crate::cli) fn argument<'d>(
        &self,
        definition: &'d Command,
        is_wanted: impl Fn(&Arg) -> bool,
    ) -> Option<&'d Arg> {
        self.options().filter_map(|option| named(definition, option)).find(|arg| is_wanted(arg))
    }

    const fn on(self, on: &'static [&'static str]) -> Self {
        Self { on, ..self }
    }

    const fn with(self, values: &'static [&'static str]) -> Self {
        Self { values, takes_value: true, ..self }
    }

    const fn beside(self, beside: &'static [&'static str]) -> Self {
        Self { beside, ..self }
    }

    const fn converted(self, converted: fn(&str) -> Option<String>) -> Self {
        Self { converted, ..self }
    }
}

/// The option of a subcommand with this name, including dashes.
fn named<'d>(definition: &'d Command, option: &str) -> Option<&'d Arg> {
    definition.get_arguments().find(|arg| match option.strip_prefix("--") {
        Some(long) => arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&long)),
        None => option
            .strip_prefix('-')
            .is_some_and(|letter| arg.get_short().is_some_and(|own| letter.chars().eq([own]))),
    })
}

/// The meaning of this option with this value in other tools, in every subcommand.
pub(in crate::cli) fn in_every_command(
    definition: &Command,
    theirs: &str,
    value: &str,
) -> Option<&'static Foreign> {
    OPTIONS.iter().find(|row| {
        row.theirs.contains(&theirs)
            && row.on.is_empty()
            && row.beside.is_empty()
            && (row.values.is_empty() || row.values.contains(&value))
            && row.fits(definition)
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the others may have no value")]
fn as_it_is(value: &str) -> Option<String> {
    Some(value.to_owned())
}

/// Converts milliseconds between two items to items per second.
fn per_second(milliseconds: &str) -> Option<String> {
    const DIGITS: f64 = 1e3;
    let milliseconds: f64 = milliseconds.trim_end_matches("ms").parse().ok()?;
    let rate = (1e3 / milliseconds * DIGITS).round() / DIGITS;
    (rate.is_finite() && rate > 0.0).then(|| rate.to_string())
}

/// Converts milliseconds to a duration.
#[expect(clippy::unnecessary_wraps, reason = "the others may have no value")]
fn milliseconds(value: &str) -> Option<String> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    Some(if is_number { format!("{value}ms") } else { value.to_owned() })
}

/// Converts `KEY: VALUE` to `KEY=VALUE`.
fn pair(value: &str) -> Option<String> {
    let (key, text) = value.split_once('=').or_else(|| value.split_once(':'))?;
    Some(format!("{key}={}", text.trim_start()))
}

const BENCH_LOADS: &[&str] = &["bench", "bench e2e", "bench pub", "bench rr"];
const BENCH_TOPICS: &[&str] = &["bench", "bench e2e", "bench pub", "bench rr", "bench sub"];

/// Options that request TLS in other tools.
const TLS: &[&str] =
    &["--tls", "--ssl", "--secure", "--use-tls", "--enable-tls", "--use-ssl", "--tls-enabled", "--with-tls"];
/// Options that turn on TLS, in this program and in others.
const AUTHORITIES: &[&str] = &[
    "--cafile",
    "--capath",
    "--ca",
    "--cacert",
    "--ca-cert",
    "--ca-certs",
    "--ca-file",
    "--cacertfile",
    "--root-ca",
    "--tls-cafile",
];
const WITH_AUTHORITY: &str = "a file of authorities turns TLS on";
const TLS_SCHEMES: &[&str] = &["mqtts", "ssl", "tls"];

/// The answer to commands and options that are not in this build.
#[cfg(not(feature = "broker"))]
const WITHOUT_BROKER: &str = "this program was built without its broker (cargo build --features broker)";

/// The options.
pub(in crate::cli) static OPTIONS: &[Foreign] = &[
    #[cfg(not(feature = "broker"))]
    unavailable(&["--embedded"], WITHOUT_BROKER),
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
    value(&["--delay"], "--repeat-delay {}").on(&["pub"]),
    value(&["--interval"], "--ramp {}").converted(per_second),
    value(&["--conn-rate", "--connect-rate", "--connection-rate"], "--ramp {}"),
    value(
        &["--interval-of-msg", "--message-interval", "--msg-interval", "--pub-interval"],
        "--rate-per-client {}",
    )
    .converted(per_second),
    value(&["--message-rate", "--msg-rate", "--throughput"], "--rate {}"),
    value(&["--message-size", "--payload-size", "--msg-size", "-s"], "--size {}"),
    value(&["--timeout", "--wait", "--max-time", "--time"], "-W {}").on(&["pub", "sub", "rr"]),
    value(&["--deadline", "--wait", "--max-time"], "--timeout {}"),
    value(&["--time", "--timeout", "--run-time", "--test-time"], "--hold {}").on(&["bench conn"]),
    value(&["--time", "--timeout", "--run-time", "--test-time"], "--duration {}"),
    value(&["--connection-timeout", "--conn-timeout"], "--connect-timeout {}"),
    // The message.
    value(&["--payload", "--msg", "--data", "--body", "--content", "--text"], "-m {}").on(&["pub", "rr"]),
    value(&["--message", "--msg", "--data", "--body"], "--payload {}").on(BENCH_LOADS),
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
    needless(&["-q", "--qos"], "messages of every QoS are cleared")
        .with(&["0", "1", "2"])
        .on(&["retain-clear"]),
    flag(&["-q"], "--quiet").on(&["retain-clear"]),
    value(&["--host", "--hostname", "--bind", "--address", "--ip", "-h", "-b"], "--listen {}")
        .on(&["broker"]),
    unavailable(
        &["--tls", "--ssl", "--cafile", "--certfile", "--keyfile"],
        "--listen mqtts://127.0.0.1 listens with TLS; --cert and --key, or --tls-self-signed, give it a certificate",
    )
    .on(&["broker"]),
    unavailable(&["-u", "-P", "--username", "--password"], "--user NAME:FILE makes a user, whose password is in FILE")
        .on(&["broker"]),
    unavailable(&["--allow-anonymous", "--anonymous"], "--open lets in who has no user name").on(&["broker"]),
    unavailable(&["-c", "--config", "--config-file"], "the embedded broker has no configuration file")
        .on(&["broker"]),
    flag(&["-v", "-d", "--verbose", "--debug"], "--log").on(&["broker"]),
    unavailable(&["--daemon"], "the embedded broker runs in the foreground").on(&["broker"]),
    needless(&["--no-retain"], "without -r the broker does not keep the message").on(&["pub"]),
    needless(&["--dup"], "a message that is sent again is marked as a duplicate by itself").on(&["pub"]),
    value(&["--message-expiry-interval", "--expiry", "-e"], "--message-expiry {}").on(&["pub", "rr"]),
    value(&["--user-properties", "--user-prop"], "--user-property {}").converted(pair),
    value(&["--user-properties", "--user-property", "--user-prop"], "--subscribe-user-property {}")
        .converted(pair)
        .on(&["sub"]),
    value(&["--user-properties", "--user-property", "--conn-user-properties"], "--connect-user-property {}")
        .converted(pair),
    // Received messages.
    value(&["--filter", "--topic-filter"], "-t {}").on(&["sub"]),
    value(&["--exclude", "--ignore"], "-T {}").on(&["sub", "retain-clear"]),
    flag(&["--no-retained", "--skip-retained"], "-R").on(&["sub", "rr"]),
    flag(&["--show-topics", "--show-topic"], "-v").on(&["sub", "rr"]),
    value(&["-t"], "--topic {}").on(BENCH_TOPICS),
    value(&["-n"], "--count {}").on(BENCH_TOPICS),
    value(&["-m"], "--payload {}").on(BENCH_LOADS),
    flag(&["--json-output", "-J", "-j"], "--json"),
    value(&["--format", "--output-format"], "--json").with(&["json"]),
    needless(&["--output-mode"], "the payload alone is written unless -v, -F or --json asks for more")
        .with(&["default"])
        .on(&["sub"]),
    // Their clean mode writes whole packets as JSON.
    value(&["--output-mode"], "--json").with(&["clean"]).on(&["sub"]),
    value(&["--output-to-file", "--file-save", "--file-write", "--out"], "--output {}").on(&["sub"]),
    value(&["--reply-to", "--reply-topic", "--respond-on"], "-e {}").on(&["rr"]),
    // The broker.
    value(&["--hostname", "--broker", "--server", "--host-name"], "-h {}"),
    value(&["--uri", "--broker-url", "--broker-uri"], "-L {}"),
    value(&["--hostnames", "--servers", "--broker-host", "--server-host", "-b"], "-h {}"),
    value(&["--broker-port", "--server-port"], "-p {}"),
    needless(&["--protocol", "--transport", "-l"], "the connection is one of MQTT over TCP")
        .with(&["mqtt", "tcp"]),
    needless(&["--protocol", "--transport", "-l"], WITH_AUTHORITY).with(TLS_SCHEMES).beside(AUTHORITIES),
    value(&["--protocol", "--transport", "-l"], "--tls-use-os-certs").with(TLS_SCHEMES),
    value(&["--protocol", "--transport", "-l"], "--ws").with(&["ws"]),
    value(&["--protocol", "--transport", "-l"], "--ws").with(&["wss"]).beside(AUTHORITIES),
    value(&["--protocol", "--transport", "-l"], "--ws --tls-use-os-certs").with(&["wss"]),
    value(&["--protocol", "--mqtt-version", "--proto"], "-V 311").with(&["3", "4"]),
    value(&["--protocol", "--mqtt-version", "--proto"], "-V {}"),
    value(&["--path", "--ws-uri"], "--ws-path {}"),
    value(&["--ws-headers", "--header", "--headers"], "--ws-header {}"),
    flag(&["--websocket", "--websockets"], "--ws"),
    value(&["--ifaddr", "--local-address", "--source-address"], "--local-addr {}"),
    value(&["--ifaddr", "--local-address", "--source-address", "--interface", "--bind"], "-A {}"),
    // The client.
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
        &[
            "--maximum-reconnect-times",
            "--max-reconnects",
            "--max-retries",
            "--num-retry-connect",
            "--reconnect-attempts",
            "--retries",
            "--retry",
        ],
        "--reconnect {}",
    ),
    flag(&["--no-reconnect"], "--reconnect never"),
    flag(&["--auto-reconnect"], "--reconnect always"),
    value(&["--reconnect-period"], "--reconnect-max-delay {}").converted(milliseconds),
    // The will.
    value(&["--will-message", "--will-msg"], "--will-payload {}"),
    value(&["--will-quality-of-service"], "--will-qos {}"),
    value(&["--will-delay-interval"], "--will-delay {}"),
    value(&["--will-message-expiry-interval"], "--will-message-expiry {}"),
    value(&["--will-user-properties"], "--will-user-property KEY=VALUE"),
    // TLS.
    needless(TLS, WITH_AUTHORITY).beside(AUTHORITIES),
    flag(TLS, "--tls-use-os-certs"),
    value(
        &[
            "--ca",
            "--cacert",
            "--ca-cert",
            "--ca-certs",
            "--ca-file",
            "--cacertfile",
            "--root-ca",
            "--tls-cafile",
        ],
        "--cafile {}",
    ),
    value(&["--ca-dir", "--ca-directory", "--tls-capath"], "--capath {}"),
    value(&["--certfile", "--cert-file", "--client-cert", "--tls-cert"], "--cert {}"),
    value(&["--keyfile", "--key-file", "--private-key", "--client-key", "--tls-key"], "--key {}"),
    value(&["--alpn"], "--tls-alpn {}"),
    value(&["--sni", "--servername"], "--tls-server-name {}"),
    flag(&["--tls-insecure", "--no-verify", "--skip-verify", "--insecure-skip-verify"], "--insecure"),
    // The program.
    unavailable(
        &["--load-options", "--save-options"],
        "options of a connection are kept as profiles in the configuration file (see mqtt config --help)",
    ),
    flag(&["--no-color", "--no-colour", "--no-colors", "--plain"], "--color never"),
    value(&["--config-file"], "--config {}"),
    flag(&["--verbose", "-v"], "-d"),
    flag(&["--silent"], "--quiet"),
];

/// A subcommand of other tools.
#[derive(Debug)]
pub(in crate::cli) struct ForeignCall {
    pub(in crate::cli) theirs: &'static [&'static str],
    /// The subcommand above it.
    pub(in crate::cli) below: &'static str,
    /// Its name here; empty if there is no equivalent.
    pub(in crate::cli) ours: &'static str,
    /// A further remark.
    pub(in crate::cli) note: &'static str,
}

const fn called(theirs: &'static [&'static str], ours: &'static str) -> ForeignCall {
    ForeignCall { theirs, below: "", ours, note: "" }
}

const fn mode(theirs: &'static [&'static str], ours: &'static str) -> ForeignCall {
    called(theirs, ours).below("bench")
}

impl ForeignCall {
    const fn below(self, below: &'static str) -> Self {
        Self { below, ..self }
    }

    const fn noting(self, note: &'static str) -> Self {
        Self { note, ..self }
    }
}

/// The subcommands.
pub(in crate::cli) static COMMANDS: &[ForeignCall] = &[
    called(&["publish", "send", "produce"], "pub"),
    called(&["subscribe", "listen", "receive", "consume", "watch", "monitor", "tail"], "sub"),
    called(&["request", "req", "rpc", "call", "request-response"], "rr"),
    called(&["responder", "response", "answer", "reply", "rpc-server"], "respond"),
    called(&["conn", "connect", "test", "check-connection"], "ping"),
    called(&["check"], "ping").noting("mqtt config check looks for mistakes in the configuration file"),
    called(&["simulate"], "bench pub"),
    called(&["benchmark", "load", "load-test", "loadtest", "stress", "perf", "swarm"], "bench"),
    #[cfg(feature = "broker")]
    called(&["server", "serve"], "broker"),
    #[cfg(feature = "broker")]
    called(&["start", "run", "up"], "broker").below("broker"),
    #[cfg(not(feature = "broker"))]
    called(&["broker", "server", "serve"], "").noting(WITHOUT_BROKER),
    #[cfg(not(feature = "broker"))]
    mode(&["calibrate"], "").noting(WITHOUT_BROKER),
    called(&["clear", "purge", "clear-retained", "delete-retained", "remove-retained"], "retain-clear"),
    called(&["will", "lwt", "last-will"], "will-test"),
    called(&["profile", "profiles"], "config list"),
    called(&["settings", "show"], "config show"),
    called(&["ls", "path", "where", "file", "profiles"], "config list").below("config"),
    called(&["get", "print", "view", "cat", "dump"], "config show").below("config"),
    called(&["validate", "verify", "lint", "test"], "config check").below("config"),
    called(&["edit", "set", "unset", "init", "create"], "")
        .below("config")
        .noting("the configuration file is written with an editor; mqtt config list shows where it is"),
    called(&["sh", "shell", "interactive"], "").noting("each command connects by itself"),
    called(&["mosquitto-pub"], "compat mosquitto_pub"),
    called(&["mosquitto-sub"], "compat mosquitto_sub"),
    called(&["mosquitto-rr"], "compat mosquitto_rr"),
    mode(&["publish"], "bench pub"),
    mode(&["subscribe"], "bench sub"),
    mode(&["connect", "connection", "connections"], "bench conn"),
    mode(&["latency", "roundtrip", "round-trip", "end-to-end"], "bench e2e"),
    mode(&["request", "request-response"], "bench rr"),
];
