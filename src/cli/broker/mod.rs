//! `mqtt broker`.

mod fault;
mod limits;
mod listen;
mod log;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueHint;

use self::fault::FaultText;
use self::limits::LimitArgs;
use self::listen::Listen;
use self::log::LogArgs;
use super::manual::Manual;
use super::sources::{STARTED_BROKER, connection_variables};
use super::subcommand::Subcommand;
use super::text::shown;
use super::value;
use crate::broker::Listener;
use crate::command::broker::{AccessFiles, Certificates, Config, OwnCertificate};
use crate::error::Error;

/// As in mosquitto.
const SYS_INTERVAL: Duration = Duration::from_secs(10);

/// Run a scratch broker for development and tests (in production: Mosquitto, EMQX)
///
/// It keeps everything in memory only, and loses it when it ends. Where that matters, use a broker
/// with persistence, such as Mosquitto, EMQX, HiveMQ, NanoMQ or VerneMQ.
///
/// Speaks MQTT 3.1, 3.1.1 and 5 on each listener. Without users it accepts every client that can reach it; by default
/// only this machine can.
///
/// Its memory is bounded by the limits, --max-total-bytes above all, and by these: 128 MiB of incomplete packets of
/// all connections together (not counting the first 128 KiB of each); 20,000 topic filters and 100,000 levels of
/// them in a packet. A client over a limit is refused or disconnected with Quota exceeded (0x97) or Packet too large
/// (0x95). A topic with more than 200 slashes is malformed (0x81).
#[derive(Debug, Clone, clap::Args)]
pub(super) struct BrokerArgs {
    /// What to listen on (repeatable): an IP address with an optional port, a URL with one (mqtt://,
    /// mqtts://, ws://, wss://), or unix:PATH; port 0 takes a free one and prints it [default: 127.0.0.1]
    ///
    /// WebSockets are accepted at every path.
    #[arg(long, value_name = "URL")]
    listen: Vec<Listen>,

    /// Port to listen on [default: 1883, of mqtts:// 8883, of ws:// 8083, of wss:// 8084]
    #[arg(short = 'p', long, value_name = "PORT", value_parser = value::local_port)]
    port: Option<u16>,

    /// How often the broker's state is published below $SYS/broker, as mosquitto does (0: never) [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    sys_interval: Option<Duration>,

    /// End when standard input ends: with the program that has started this one through a pipe
    #[arg(long, conflicts_with = "command")]
    until_eof: bool,

    /// Program to run; the broker ends with it. It finds the broker by MQTT_HOST and MQTT_PORT, and this
    /// program as mqtt. Options for the host of a profile are not used for it
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,

    #[command(flatten)]
    tls: EncryptionArgs,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    faults: FaultArgs,

    #[command(flatten)]
    log: LogArgs,
}

/// The users who may connect, and the rights of each client.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Access")]
#[allow(clippy::doc_markdown, reason = "help texts are no Markdown")]
struct AccessArgs {
    /// User and the file with only this user's password (repeatable)
    ///
    /// An empty password is an error.
    #[arg(long, value_name = "NAME:FILE", value_hint = ValueHint::FilePath, value_parser = named_file)]
    user: Vec<(String, PathBuf)>,

    /// Users and their hashed passwords, as mosquitto_passwd writes them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    password_file: Option<PathBuf>,

    /// What each client may publish and receive, as in mosquitto's ACL files
    ///
    /// Its lines are `user NAME`, `topic [read|write|readwrite|deny] FILTER`, and `pattern` instead of
    /// `topic`, with %u for the user name and %c for the client identifier. Everything else is denied: a
    /// message that may not be published gets Not authorized (0x87), one that may not be read is not
    /// delivered.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    acl_file: Option<PathBuf>,

    /// Accept clients without a user name, also at addresses that other machines can reach
    #[arg(long)]
    open: bool,
}

impl AccessArgs {
    fn resolve(self) -> Result<AccessFiles, Error> {
        for (at, (name, _)) in self.user.iter().enumerate() {
            if self.user[..at].iter().any(|(other, _)| other == name) {
                return Err(Error::usage(format!("--user names {} twice", shown(name.as_ref()))));
            }
        }
        Ok(AccessFiles {
            users: self.user,
            password_file: self.password_file,
            acl_file: self.acl_file,
            open: self.open,
        })
    }
}

/// Parses `NAME:FILE`.
fn named_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once(':') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("use NAME:FILE, where FILE holds the password".into()),
    }
}

/// Faults, for tests of clients.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Faults")]
struct FaultArgs {
    #[arg(long, value_name = "FAULT", help = "Misbehave, for example 'delay 200ms' (repeatable); --help-all lists all faults",
          long_help = fault::help())]
    fault: Vec<FaultText>,

    /// Seed for faults with a share: the same number draws the same again
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

/// The options of listeners of mqtts:// and wss://.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Encryption")]
struct EncryptionArgs {
    /// Certificate of the broker, with its chain, in PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    cert: Option<PathBuf>,

    /// Private key of --cert, in PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    key: Option<PathBuf>,

    /// Make a certificate for this run; write its authority's certificate to FILE, for --cafile
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["cert", "key"])]
    tls_self_signed: Option<PathBuf>,

    /// Authorities, in PEM: every client has to present a certificate issued by one of them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    client_ca: Option<PathBuf>,
}

impl EncryptionArgs {
    fn resolve(self, listeners: &[Listener]) -> Result<Option<Certificates>, Error> {
        let has_listener = listeners.iter().any(|listener| listener.tls);
        let given = [
            ("--cert", self.cert.is_some()),
            ("--key", self.key.is_some()),
            ("--tls-self-signed", self.tls_self_signed.is_some()),
            ("--client-ca", self.client_ca.is_some()),
        ];
        if let Some((option, _)) = given.iter().find(|(_, is_given)| *is_given && !has_listener) {
            return Err(Error::usage(format!("{option} is for TLS, and no listener has it"))
                .with_hint("--listen mqtts://127.0.0.1"));
        }
        let own = match (self.cert, self.key, self.tls_self_signed) {
            (Some(certificate), Some(key), _) => OwnCertificate::Files { certificate, key },
            (_, _, Some(file)) => OwnCertificate::ThrowAway(file),
            (Some(_), None, None) => return Err(Error::usage("--cert needs its private key: --key FILE")),
            (None, Some(_), None) => return Err(Error::usage("--key needs its certificate: --cert FILE")),
            _ if has_listener => {
                return Err(Error::usage("--listen: mqtts:// and wss:// need a certificate").with_hint(
                    "--cert FILE --key FILE, or --tls-self-signed FILE, which makes one for this run",
                ));
            }
            _ => return Ok(None),
        };
        Ok(Some(Certificates { own, client_authorities: self.client_ca }))
    }
}

impl Subcommand for BrokerArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &Manual {
        common: &[
            "listen",
            "until_eof",
            "user",
            "password_file",
            "acl_file",
            "open",
            "tls_self_signed",
            "fault",
            "log",
        ],
        examples: &[
            ("Listen on 127.0.0.1, port 1883", "mqtt broker"),
            ("Listen on a free port, and print it", "mqtt broker -p 0"),
            (
                "Listen with TCP, TLS and WebSockets",
                "mqtt broker --listen mqtt://127.0.0.1 --listen mqtts://127.0.0.1 --listen ws://127.0.0.1 \
                 --tls-self-signed ca.pem",
            ),
            ("Listen on all addresses, and accept every client", "mqtt broker --listen '[::]:1883' --open"),
            (
                "Let in users of a password file of mosquitto's, with its rules",
                "mqtt broker --password-file passwords --acl-file acl",
            ),
            (
                "Lose the connection at every 1000th packet",
                "mqtt broker --fault 'drop-connection every 1000'",
            ),
            ("Log connections and packets as mosquitto does", "mqtt broker --log"),
            ("Run a program with a broker of its own", "mqtt broker -p 0 -- ./run-my-tests"),
        ],
        bugs: &[
            "It is a broker for development and tests: everything is in memory only, and lost when it ends. For \
             production use a broker with persistence, such as Mosquitto, EMQX, HiveMQ, NanoMQ or VerneMQ.",
            "The broker delays publishers rather than lose a message of a slow subscriber.",
            "Secrets in COMMAND are hidden from other users only where it calls mqtt or a client of mosquitto: which \
             options of other programs hold some is not known, and the text of sh -c is not read.",
        ],
    };
}

impl TryFrom<BrokerArgs> for Config {
    type Error = Error;

    fn try_from(args: BrokerArgs) -> Result<Self, Error> {
        let listeners = listeners(args.listen, args.port)?;
        let certificates = args.tls.resolve(&listeners)?;
        let asks_for_certificates =
            certificates.as_ref().is_some_and(|certificates| certificates.client_authorities.is_some());
        let access = args.access.resolve()?;
        let is_open = |listener: &&Listener| !(listener.is_local() || listener.tls && asks_for_certificates);
        if !access.open
            && !access.has_users()
            && let Some(listener) = listeners.iter().find(is_open)
        {
            let why =
                format!("--listen {listener}: other machines can reach it, and it would accept every client");
            return Err(Error::usage(why)
                .with_hint("--user or --password-file names users; --open accepts every client"));
        }
        let (log, verbosity) = args.log.resolve()?;
        let faults =
            fault::faults(&args.faults.fault).map_err(|why| Error::usage(format!("--fault {why}")))?;
        Ok(Self {
            listeners,
            certificates,
            access,
            software: concat!("mqtt version ", env!("CARGO_PKG_VERSION")),
            limits: args.limits.resolve(),
            system_interval: Some(args.sys_interval.unwrap_or(SYS_INTERVAL))
                .filter(|interval| !interval.is_zero()),
            faults,
            seed: args.faults.seed,
            command: args.command,
            command_path: own_directory_first(),
            foreign_variables: connection_variables(),
            marker: STARTED_BROKER,
            until_eof: args.until_eof,
            log,
            verbosity,
        })
    }
}

/// The listeners with their ports.
fn listeners(given: Vec<Listen>, port: Option<u16>) -> Result<Vec<Listener>, Error> {
    let given = if given.is_empty() { vec![Listen::default()] } else { given };
    match (&given[..], port) {
        ([one], Some(_)) if one.is_unix() => return Err(Error::usage("-p: a Unix socket has no port")),
        ([one], Some(port)) if one.port().is_some_and(|own| own != port) => {
            return Err(Error::usage("--listen and -p name different ports"));
        }
        (_, None) | ([_], Some(_)) => {}
        (_, Some(_)) => {
            return Err(Error::usage(
                "-p is for a single --listen; give each its own port, for example 127.0.0.1:1884",
            ));
        }
    }
    let listeners: Vec<Listener> = given.into_iter().map(|listen| listen.resolve(port)).collect();
    for (at, listener) in listeners.iter().enumerate() {
        let is_free = listener.address().is_some_and(|address| address.port() == 0);
        if !is_free && listeners[..at].iter().any(|other| other.place == listener.place) {
            return Err(Error::usage(format!("--listen names the same place twice: {listener}")));
        }
    }
    Ok(listeners)
}

/// `PATH` starting with the directory of this program, so that the command finds the same `mqtt`.
fn own_directory_first() -> Option<OsString> {
    let own = std::env::current_exe().ok()?.parent()?.to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path))).ok()
}
