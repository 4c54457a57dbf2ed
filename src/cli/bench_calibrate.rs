//! `mqtt bench calibrate`.

use std::time::Duration;

use clap::{Arg, ArgMatches};

use super::bench_load::{check_plain, refuse_broker, threads};
use super::bench_manual;
use super::connection::{ConnectionArgs, Purpose};
use super::headings::is_of_connection;
use super::manual::Manual;
use super::needs::Needs;
use super::subcommand::Subcommand;
use super::value;
use super::verbosity::QuietArgs;
use crate::command::bench::{BenchTask, Config, Results};
use crate::error::Error;

/// Measure what this machine can generate
///
/// The load goes to a sink of this program, which discards everything.
#[derive(Debug, Clone, clap::Args)]
#[command(mut_args(|arg| if is_of_broker(&arg) { arg.hide(true) } else { arg }))]
pub(super) struct CalibrateArgs {
    /// How long to measure each part [default: 3s]
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration)]
    duration: Option<Duration>,

    /// Threads to share the clients out to [default: one for each core]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    threads: Option<u32>,

    /// Write the result as one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    connection: ConnectionArgs,

    #[command(flatten)]
    quiet: QuietArgs,
}

/// Whether an option chooses a broker or needs one to respond. The sink of `calibrate` is fixed and responds
/// to nothing; options about the protocol apply.
fn is_of_broker(arg: &Arg) -> bool {
    let kept = ["protocol_version", "keepalive", "connect_timeout", "max_packet_size"];
    is_of_connection(arg) && !kept.contains(&arg.get_id().as_str())
}

impl Subcommand for CalibrateArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &bench_manual::CALIBRATE;

    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(&mut self.connection)
    }

    fn needs(_: &ArgMatches) -> Needs {
        Needs::OWN_BROKER
    }
}

impl TryFrom<CalibrateArgs> for Config {
    type Error = Error;

    fn try_from(args: CalibrateArgs) -> Result<Self, Error> {
        let CalibrateArgs { duration, threads: given, json, connection, quiet } = args;
        refuse_broker(&connection.origin, "calibrate")?;
        let client = connection.resolve(Purpose::default())?;
        check_plain(&client, "calibrate")?;
        let task = BenchTask::Calibrate {
            client: Box::new(client),
            threads: threads(given),
            duration: duration.unwrap_or(Duration::from_secs(3)),
        };
        let results = Results { json, ..Results::default() };
        Ok(Self { task, results, verbosity: quiet.resolve() })
    }
}
