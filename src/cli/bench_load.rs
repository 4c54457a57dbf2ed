//! The options of a load: `mqtt bench`'s own values and groups.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ValueEnum, ValueHint};

use super::value;
use crate::command::bench::config::{Arrivals, Rate};
use crate::protocol::QoS;

/// What `bench` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BenchMode {
    /// Connections that do nothing
    Conn,
    /// Publishers alone
    Pub,
    /// Subscribers alone, to what others publish
    Sub,
    /// From publisher to subscriber
    E2e,
    /// Request and response, there and back
    Rr,
    /// What this machine can generate
    Calibrate,
    /// Reports side by side
    Compare,
}

/// Who gets whose messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PatternName {
    /// Each message to one subscriber
    Pairs,
    /// Every message to every subscriber
    All,
    /// Many publishers, one subscriber
    FanIn,
    /// One publisher, many subscribers
    FanOut,
}

/// The options of what is sent, and by whom.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Load")]
pub(super) struct LoadArgs {
    /// Clients of conn [default: 100]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    pub(super) clients: Option<u32>,

    /// Clients that publish; of rr, that ask [default: 10]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    pub(super) publishers: Option<u32>,

    /// Clients that subscribe; of rr, that answer [default: 10, of rr 1]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    pub(super) subscribers: Option<u32>,

    /// Messages a second of all publishers together, on a schedule that waits for nobody, such as
    /// 50k/s; or max, as fast as the server takes them [default: 1k/s]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(super) rate: Option<Rate>,

    /// Messages a second of each publisher
    #[arg(long, value_name = "RATE", value_parser = value::per_second)]
    pub(super) rate_per_client: Option<f64>,

    /// How messages are spread over time: uniform, poisson or burst:COUNT [default: uniform]
    #[arg(long, value_name = "ARRIVALS", value_parser = arrivals)]
    pub(super) arrivals: Option<Arrivals>,

    /// Send each message later by a random time up to this
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration)]
    pub(super) jitter: Option<Duration>,

    /// Most QoS 1 and 2 messages of a client sent and not yet acknowledged; of rr with --rate max, requests
    /// without a response [default: as -M]
    #[arg(long, value_name = "COUNT", value_parser = value::inflight)]
    pub(super) inflight: Option<u16>,

    /// With --rate max and QoS 0: most messages in one write [default: as many as fit]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    pub(super) per_write: Option<u32>,

    /// QoS of messages and subscriptions [default: 0]
    #[arg(long, value_name = "QOS", value_parser = value::qos(), hide_possible_values = true)]
    pub(super) qos: Option<QoS>,

    /// Bytes of each payload, with the stamp of 32 by which messages are told apart; smaller ones
    /// are only counted [default: 64]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(super) size: Option<usize>,

    /// Text behind the stamp; {client} and {sequence} are filled in
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(super) payload: Option<OsString>,

    /// Content of this file behind the stamp
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) payload_file: Option<PathBuf>,

    /// Topics each publisher goes through in turn [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    pub(super) topics: Option<u32>,

    /// Topic, with {client} and {topic} as levels; of sub, a filter. Responses of rr go to
    /// bench-response/RUN/CLIENT/answer [default: bench/{client}/{topic}, of sub bench/#]
    #[arg(long, value_name = "TOPIC", allow_hyphen_values = true)]
    pub(super) topic: Option<String>,

    /// Who gets whose messages: pairs (each goes to one subscriber, or to an equal part of them where they
    /// are more than the publishers), all (each to every subscriber), fan-in (one subscriber) or fan-out
    /// (one publisher) [default: pairs]
    #[arg(long, value_name = "PATTERN", hide_possible_values = true)]
    pub(super) pattern: Option<PatternName>,

    /// Let the subscribers form this many shared-subscription groups, each of which gets every
    /// message once (MQTT 5)
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    pub(super) shared_groups: Option<u32>,
}

/// The options of how long and from where.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Course")]
pub(super) struct CourseArgs {
    /// How long to measure [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration)]
    pub(super) duration: Option<Duration>,

    /// Measure this many messages of all publishers together, instead of a time
    #[arg(long, value_name = "COUNT", value_parser = value::count)]
    pub(super) count: Option<u64>,

    /// Load that does not count, before the measurement [default: 0]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub(super) warmup: Option<Duration>,

    /// Longest wait at the end for messages under way [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub(super) drain: Option<Duration>,

    /// New connections a second, such as 2k/s [default: as fast as they are made]
    #[arg(long, value_name = "RATE", value_parser = ramp)]
    pub(super) ramp: Option<f64>,

    /// Of conn: how long to hold the connections [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration)]
    pub(super) hold: Option<Duration>,

    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
          help = "CSV file with a heading and a line for each client, publishers and requesters first: \
                  client_id, username, password, cert, key; files of certificates as seen from its \
                  folder. Lines without a client_id serve several clients if there are fewer lines than clients")]
    pub(super) credentials: Option<PathBuf>,

    /// Local addresses to connect from in turn, each with all of its ports
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = value::ip_address)]
    pub(super) local_addr: Vec<IpAddr>,

    /// Threads to share the clients out to [default: one for each core]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    pub(super) threads: Option<u32>,

    /// Start the broker of this program in a process of its own, and test that
    #[arg(long)]
    pub(super) embedded: bool,

    /// Seed of everything random, for the same load again [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub(super) seed: Option<u64>,
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" { Ok(Rate::Max) } else { value::per_second(text).map(Rate::PerSecond) }
}

fn ramp(text: &str) -> Result<f64, String> {
    if text == "max" {
        return Err("without --ramp clients connect as fast as they can".into());
    }
    value::per_second(text)
}

fn arrivals(text: &str) -> Result<Arrivals, String> {
    match text.split_once(':') {
        None if text == "uniform" => Ok(Arrivals::Uniform),
        None if text == "poisson" => Ok(Arrivals::Poisson),
        Some(("burst", size)) => value::clients(size).map(Arrivals::Burst),
        _ => Err("use uniform, poisson or burst:COUNT".into()),
    }
}

/// A size in bytes, perhaps in binary thousands or millions.
fn bytes(text: &str) -> Result<usize, String> {
    const MOST: usize = 256 << 20;
    let (digits, shift) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 10),
        None => text.strip_suffix('M').map_or((text, 0), |digits| (digits, 20)),
    };
    let size = usize::from_str(digits).ok().and_then(|size| size.checked_mul(1 << shift));
    size.filter(|size| *size <= MOST)
        .ok_or_else(|| "use a number of bytes up to 256M, for example 64 or 16k".into())
}
