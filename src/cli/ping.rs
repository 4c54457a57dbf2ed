//! `mqtt ping`.

use std::ffi::OsString;
use std::time::Duration;

use clap::{ArgMatches, ValueHint};

use super::connection::{ConnectionArgs, Purpose};
use super::manual::Manual;
use super::needs::Needs;
use super::property::{Connecting, PropertyArgs};
use super::subcommand::Subcommand;
use super::text;
use super::tls::TURN_ON;
use super::value::{self, Brokers};
use super::verbosity::VerbosityArgs;
use crate::command::ping::Config;
use crate::error::Error;

/// Check the connection to a broker step by step, and measure round trips
///
/// Shows each layer with the time it took: look-up, connection, proxy, TLS with its certificates, WebSocket,
/// and the broker's answer with its limits; then how long the broker takes to answer a PINGREQ. With --quiet
/// it writes nothing at all, which suits the health check of a container.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Ping")]
pub(super) struct PingArgs {
    /// Broker, as -h
    #[arg(value_name = "HOST", value_hint = ValueHint::Hostname)]
    host_operand: Option<Brokers>,

    /// Round trips to measure
    ///
    /// Each of them may take as long as --connect-timeout.
    #[arg(short = 'C', long, value_name = "COUNT", default_value = "1", value_parser = value::count)]
    count: u64,

    /// Pause between two round trips
    #[arg(long, value_name = "DURATION", default_value = "1", value_parser = value::duration)]
    interval: Duration,

    /// Give up after this time, even before the broker is reached; exit status 27
    #[arg(short = 'W', long, value_name = "DURATION", value_parser = value::positive_duration)]
    timeout: Option<Duration>,

    /// Send a message to this topic as well, and measure how long it takes to come back
    #[arg(long, value_name = "TOPIC")]
    publish: Option<OsString>,

    /// Warn, with exit status 3, of a certificate that expires within this time
    ///
    /// The broker's, its authorities', and the client's own (--cert). It needs TLS.
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    warn_expiry: Option<Duration>,

    /// Write a report as one JSON object instead of text
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    properties: PropertyArgs<Connecting>,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,

    #[command(flatten)]
    report: VerbosityArgs,
}

impl Subcommand for PingArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &Manual {
        common: &["count", "interval", "timeout", "publish", "warn_expiry", "json", "cafile"],
        examples: &[
            ("Show each step of a connection over TLS", "mqtt ping -L mqtts://broker.example"),
            ("Measure ten round trips, 200 ms apart", "mqtt ping -h broker.example -C 10 --interval 200ms"),
            ("Check a broker from a script or a container", "mqtt ping --quiet --timeout 3s"),
            (
                "Report as JSON; exit status 3 if a certificate expires within 30 days",
                "mqtt ping -L wss://broker.example/mqtt --warn-expiry 30d --json",
            ),
        ],
        bugs: &[
            "Of several brokers or addresses, only the first one that accepts the connection is measured.",
            "A round trip includes the time that the broker takes to answer. It is not the round trip of the \
             network.",
            "--publish needs the rights to publish and to subscribe to the topic, and other clients that subscribe \
             to it receive the message.",
        ],
    };

    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(&mut self.connection)
    }

    fn needs(_: &ArgMatches) -> Needs {
        Needs::RECEIVING
    }

    fn is_for_reader(&self) -> bool {
        self.json || !self.report.is_quiet()
    }
}

impl TryFrom<PingArgs> for Config {
    type Error = Error;

    fn try_from(mut args: PingArgs) -> Result<Self, Error> {
        if let Some(host) = args.host_operand.take() {
            args.connection.name_host(host)?;
        }
        let publish = args.publish.map(|topic| text::topic_name("topic", &topic)).transpose()?;
        let verbosity = args.report.resolve()?;
        let properties = args.properties.resolve()?;
        let client = args.connection.resolve(Purpose {
            properties: properties.connect,
            disconnect_properties: properties.disconnect,
            needs_v5: args.properties.needs_v5(),
            ..Purpose::default()
        })?;
        if args.warn_expiry.is_some() && client.endpoint.tls.is_none() {
            return Err(
                Error::usage("--warn-expiry has no effect: the connection is without TLS").with_hint(TURN_ON)
            );
        }
        Ok(Self {
            client,
            count: args.count,
            interval: args.interval,
            timeout: args.timeout,
            publish,
            warn_expiry: args.warn_expiry,
            json: args.json,
            verbosity,
        })
    }
}
