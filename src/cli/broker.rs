//! `mqtt broker`.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use clap::ValueHint;

use super::manual::Manual;
use super::sources::STARTED_BROKER;
use super::subcommand::Subcommand;
use super::value;
use super::verbosity::QuietArgs;
use crate::command::broker::Config;
use crate::error::Error;

const DEFAULT_PORT: u16 = 1883;

/// Run a scratch broker for development and tests
///
/// Speaks MQTT 3.1, 3.1.1 and 5 on one port and keeps everything in memory only. It lets everyone
/// in who can reach it, which by default is this machine.
///
/// Its memory is bounded: packets of 64 MiB, of which the payload is kept once however many subscribers
/// it has; 256 MiB of packets not yet received as a whole, of all connections together (not counting the
/// first 128 KiB of each); 256 MiB for a session and 1 GiB for all; 1,000,000 retained messages and 256 MiB
/// of them; 10,000 subscriptions of a session; 20,000 topic filters and 100,000 levels of
/// them in a packet; 200 levels of a topic filter. A client over a limit is refused or disconnected with Quota exceeded (0x97) or Packet too large
/// (0x95).
#[derive(Debug, Clone, clap::Args)]
pub(super) struct BrokerArgs {
    /// IP address to listen on, with a port or without; port 0 takes a free one and prints it
    #[arg(long, value_name = "ADDRESS[:PORT]", default_value = "127.0.0.1")]
    listen: Listen,

    /// Port to listen on [default: 1883]
    #[arg(short = 'p', long, value_name = "PORT", value_parser = value::local_port)]
    port: Option<u16>,

    /// End when standard input ends: with the program that has started this one through a pipe
    #[arg(long, conflicts_with = "command")]
    until_eof: bool,

    /// Program to run beside the broker, which ends with it; it finds the broker by MQTT_HOST and
    /// MQTT_PORT, and this program as mqtt. What belongs to the host of a profile is not used for it
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    command: Vec<OsString>,

    #[command(flatten)]
    quiet: QuietArgs,
}

/// `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Listen {
    address: IpAddr,
    port: Option<u16>,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { address: address.ip(), port: Some(address.port()) });
        }
        if let Some(port) = text.strip_prefix("localhost:") {
            let port = port.parse().map_err(|_| "the port must be 0 to 65535")?;
            return Ok(Self { address: Ipv4Addr::LOCALHOST.into(), port: Some(port) });
        }
        let address =
            if text == "localhost" { Ok(Ipv4Addr::LOCALHOST.into()) } else { value::ip_address(text) };
        match address {
            Ok(address) => Ok(Self { address, port: None }),
            Err(_) => {
                Err("use an IP address with or without a port, for example 127.0.0.1:1883 or [::1]:1883"
                    .into())
            }
        }
    }
}

impl Subcommand for BrokerArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &Manual {
        common: &[],
        examples: &[
            ("Listen on 127.0.0.1, port 1883", "mqtt broker"),
            ("Listen on a free port, and print it", "mqtt broker -p 0"),
            ("Listen on all addresses", "mqtt broker --listen '[::]:1883'"),
            ("Run a program with a broker of its own", "mqtt broker -p 0 -- ./run-my-tests"),
        ],
        bugs: &[
            "There is no access control: every client that can reach the address may publish and subscribe to \
             everything. There is no TLS, no WebSocket and no persistence: everything is lost when the broker ends.",
            "The broker delays publishers rather than lose a message of a slow subscriber.",
            "Secrets in COMMAND are hidden from other users only where it calls mqtt or a client of mosquitto: which \
             options of other programs hold some is not known, and the text of sh -c is not read.",
        ],
    };
}

impl TryFrom<BrokerArgs> for Config {
    type Error = Error;

    fn try_from(args: BrokerArgs) -> Result<Self, Error> {
        let port = match (args.listen.port, args.port) {
            (Some(one), Some(other)) if one != other => {
                return Err(Error::usage("--listen and -p name different ports"));
            }
            (listen, port) => port.or(listen).unwrap_or(DEFAULT_PORT),
        };
        Ok(Self {
            listen: SocketAddr::new(args.listen.address, port),
            command: args.command,
            command_path: own_directory_first(),
            foreign_variables: connection_variables(),
            marker: STARTED_BROKER,
            until_eof: args.until_eof,
            verbosity: args.quiet.resolve(),
        })
    }
}

/// `PATH` with the directory of this program in front, so that the command finds the same `mqtt`.
fn own_directory_first() -> Option<OsString> {
    let own = std::env::current_exe().ok()?.parent()?.to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&path))).ok()
}

/// The variables that say how to connect, with their secrets; a command that is run gets its own.
pub(super) fn connection_variables() -> Vec<OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_encoded_bytes().starts_with(b"MQTT_")).collect()
}
