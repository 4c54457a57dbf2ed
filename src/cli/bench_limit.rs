//! `mqtt bench find-limit`: the options of the search, added to those of the load.

use std::time::Duration;

use clap::{Arg, ValueEnum};

use super::bench_figures::figures_of;
use super::bench_load::{CommonArgs, CourseArgs, SendArgs};
use super::bench_manual;
use super::bench_mode::LoadArgs;
use super::bench_values::{MOST_BYTES, MOST_RATE, bytes};
use super::manual::Manual;
use super::text::shown;
use super::value;
use crate::command::bench::config::{Load, Mode, Payload, Rate, StopAfter};
use crate::command::bench::{
    Axis, BenchTask, Bounds, CONNECTING_S, Config, FindLimit, LEAST_STAMP_BYTES, MOST_CLIENTS, Objective,
};
use crate::error::Error;

/// How long each value is measured, without `--step-duration`; the time of the load before it, without
/// `--warmup`.
const STEP: Duration = Duration::from_secs(5);
const WARM_UP: Duration = Duration::from_secs(1);
/// New connections per second at the start of the search, without `--from` and `--ramp`.
const RAMP: f64 = 100.0;

#[derive(Debug, Clone, clap::Args)]
#[command(about = A::FIND_LIMIT, long_about = LONG_ABOUT.replace("{}", A::FIND_LIMIT), after_help = figures_of("--slo"))]
#[command(args_conflicts_with_subcommands = true)]
#[command(subcommand_value_name = "LOAD", subcommand_help_heading = "Loads")]
#[command(mut_args(as_of_a_step))]
pub(super) struct FindLimitArgs<A: LoadArgs + clap::Args> {
    #[command(flatten)]
    search: SearchArgs,

    #[command(flatten)]
    load: A,
}

const LONG_ABOUT: &str = "\
{}

The load is doubled until it breaks a limit twice in a row, then halves of what is left are tried, and the answer is \
measured once more. Each value has connections of its own, so that no run inherits the queues of another. A value also \
fails if its run is not valid, or if a backlog grows. The result says whether the broker, the network or the generator \
was the limit. The exit status is 3 if even the lowest value fails. Without a load, it is e2e.";

/// The options of the search.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Search")]
struct SearchArgs {
    /// Condition that has to hold: 'p99 < 50ms'; may be repeated
    ///
    /// The figures are listed below.
    #[arg(long, value_name = "CONDITION", required = true)]
    slo: Vec<Objective>,

    /// What changes: rate, clients or size
    ///
    /// The default is rate, and for conn clients. rate: messages a second of all publishers together, for conn new connections
    /// a second, with at least the clients that connect in two seconds. clients: all clients; publishers and subscribers keep their
    /// proportion, and the rate of a load with --rate-per-client grows with them. size: bytes of each payload.
    #[arg(long, value_name = "WHAT", hide_possible_values = true)]
    over: Option<AxisName>,

    /// Lowest value, tried first [default: the load's]
    #[arg(long, value_name = "VALUE")]
    from: Option<String>,

    /// Highest value to try [default: none]
    #[arg(long, value_name = "VALUE")]
    to: Option<String>,

    /// Largest distance of the result from a value that fails [default: 2%]
    #[arg(long, value_name = "PERCENT", value_parser = value::percent)]
    precision: Option<f64>,

    /// Most runs of the search [default: 50]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    max_steps: Option<u32>,
}

/// The quantity that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AxisName {
    /// Messages or connections a second
    Rate,
    /// The number of clients
    Clients,
    /// The size of payloads
    Size,
}

const SIZE_HELP: &str = "\
Size of each payload, such as 16k [default: 64]

16k is 16,000 bytes, 16Ki is 16,384. The stamp that identifies the message is part of it: 32 bytes, or 16 where the \
size is less than 32. Messages of less than 16 bytes are only counted.";

/// The options of a load as they apply to a step of the search.
fn as_of_a_step(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "duration" if !arg.is_hide_set() => {
            arg.long("step-duration").value_name("TIME").help("How long to measure each value [default: 5s]")
        }
        "warmup" => arg.help("Load that does not count, before each measurement [default: 1s]"),
        // Several values are refused.
        "qos" => arg.help("QoS of messages and subscriptions [default: 0]").long_help(None::<&str>),
        "size" => arg.help("Size of each payload, such as 16k [default: 64]").long_help(SIZE_HELP),
        // Options that are refused.
        "count" | "repeat" | "fail_if" | "abort_on_fail" | "calibration" | "stages" => arg.hide(true),
        _ => arg,
    }
}

impl<A: LoadArgs + clap::Args> LoadArgs for FindLimitArgs<A> {
    const MANUAL: &'static Manual = &bench_manual::FIND_LIMIT;
    const MODE: Mode = A::MODE;
    const FIND_LIMIT: &'static str = A::FIND_LIMIT;

    fn common(&self) -> &CommonArgs {
        self.load.common()
    }

    fn common_mut(&mut self) -> &mut CommonArgs {
        self.load.common_mut()
    }

    fn send(&self) -> Option<&SendArgs> {
        self.load.send()
    }

    fn course(&self) -> Option<&CourseArgs> {
        self.load.course()
    }
}

impl<A: LoadArgs + clap::Args> TryFrom<FindLimitArgs<A>> for Config
where
    Config: TryFrom<A, Error = Error>,
{
    type Error = Error;

    fn try_from(FindLimitArgs { search, load: args }: FindLimitArgs<A>) -> Result<Self, Error> {
        let rate_per_client = args.send().and_then(|send| send.rate_per_client);
        let course = args.course().map(|course| (course.duration, course.warmup));
        let config = Config::try_from(args)?;
        if !config.results.limits.is_empty() {
            return Err(Error::usage(
                "find-limit takes --slo, a condition that has to hold, and not --fail-if",
            ));
        }
        if config.results.calibration.is_some() {
            return Err(Error::usage("--calibration is not supported by find-limit"));
        }
        if matches!(config.task, BenchTask::Print(_)) {
            return Err(Error::usage(
                "--show-scenario is not supported by find-limit: a scenario has one load",
            )
            .with_hint("leave out find-limit and its options to show the load that it begins with"));
        }
        let BenchTask::Load(mut load) = config.task else {
            return Err(Error::usage(
                "find-limit has one load: give one --size and one --qos, and no --repeat",
            ));
        };
        if matches!(load.stop, StopAfter::Count(_)) {
            return Err(Error::usage("find-limit takes --step-duration, and not --count"));
        }
        if load.shard.is_some() {
            return Err(Error::usage("--shard is not supported by find-limit"));
        }
        if !load.stages.is_empty() {
            return Err(Error::usage("--stages is not supported by find-limit, which sets the rate itself"));
        }
        if let Some((duration, warmup)) = course {
            load.stop = StopAfter::After(duration.unwrap_or(STEP));
            load.warmup = warmup.unwrap_or(WARM_UP);
        }
        let axis = search.axis(&load);
        let bounds = search.bounds(axis, &load)?;
        if axis == Axis::Rate && rate_per_client.is_some() {
            return Err(Error::usage("--rate-per-client sets the rate; --over clients searches with it"));
        }
        if let Some(objective) = search.slo.iter().find(|objective| !objective.is_measured(&load)) {
            let (slo, mode, qos) = (shown(objective.text().as_ref()), load.mode.name(), load.qos as u8);
            let error = Error::usage(format!("--slo '{slo}': {mode} with QoS {qos} does not measure it"));
            return Err(error.with_hint(match load.mode {
                Mode::Publish if qos == 0 => "acknowledgements need --qos 1 or 2, and deliveries e2e".to_owned(),
                _ => format!("conditions on rate, cpu and failed-connections hold for every load; mqtt bench {mode} --help lists the figures"),
            }));
        }
        let least = match load.payload {
            _ if axis == Axis::Size => bounds.from,
            Payload::Size(size) => bytes_as_number(size as u64),
            _ => f64::INFINITY,
        };
        if least < bytes_as_number(LEAST_STAMP_BYTES as u64)
            && let Some(objective) = search.slo.iter().find(|objective| objective.needs_stamps(&load))
        {
            let slo = shown(objective.text().as_ref());
            let why =
                format!("--slo '{slo}': payloads of less than {LEAST_STAMP_BYTES} bytes have no latency");
            let option = if axis == Axis::Size { "--from" } else { "--size" };
            return Err(Error::usage(why).with_hint(format!("{option} {LEAST_STAMP_BYTES}")));
        }
        let find = FindLimit { load: *load, axis, bounds, objectives: search.slo, rate_per_client };
        Ok(Self { task: BenchTask::FindLimit(Box::new(find)), ..config })
    }
}

impl SearchArgs {
    fn axis(&self, load: &Load) -> Axis {
        let otherwise = if load.mode == Mode::Connect { AxisName::Clients } else { AxisName::Rate };
        match self.over.unwrap_or(otherwise) {
            AxisName::Rate => Axis::Rate,
            AxisName::Size => Axis::Size,
            AxisName::Clients => Axis::Clients,
        }
    }

    fn bounds(&self, axis: Axis, load: &Load) -> Result<Bounds, Error> {
        let (own, most) = match axis {
            Axis::Rate if load.mode == Mode::Connect => {
                (load.ramp.unwrap_or(RAMP), (f64::from(MOST_CLIENTS - 1) / CONNECTING_S).floor())
            }
            Axis::Rate => match load.rate {
                Rate::PerSecond(rate) => (rate, MOST_RATE),
                Rate::Max => {
                    return Err(Error::usage(
                        "--rate max has no schedule to change: --over rate needs a rate",
                    ));
                }
            },
            Axis::Clients => (f64::from(load.clients()), f64::from(MOST_CLIENTS - 1)),
            Axis::Size => match load.payload {
                _ if load.mode == Mode::Connect => {
                    return Err(Error::usage("conn has no payloads: --over size is for the other loads"));
                }
                Payload::Size(size) => (bytes_as_number(size as u64), bytes_as_number(MOST_BYTES)),
                _ => {
                    return Err(Error::usage("--over size needs --size, and no --payload or --payload-file"));
                }
            },
        };
        let value = |option: &str, given: &Option<String>, otherwise: f64| match given {
            Some(text) => {
                let value = parsed(axis, text);
                value.map_err(|why| Error::usage(format!("invalid value '{text}' for {option}: {why}")))
            }
            None => Ok(otherwise),
        };
        let (from, to) = (value("--from", &self.from, own)?, value("--to", &self.to, most)?);
        if to < from || to > most {
            return Err(Error::usage(format!(
                "--to must be from {} to {}",
                axis.text(from),
                axis.text(most)
            )));
        }
        Ok(Bounds {
            from,
            to,
            precision: self.precision.unwrap_or(2.0) / 100.0,
            runs: self.max_steps.unwrap_or(50),
            whole: axis != Axis::Rate,
        })
    }
}

/// Parses a value of the axis.
fn parsed(axis: Axis, text: &str) -> Result<f64, String> {
    match axis {
        Axis::Rate => value::per_second(text),
        Axis::Clients => value::clients(text).map(f64::from),
        Axis::Size => bytes(text).map(|size| bytes_as_number(size as u64)),
    }
}

#[allow(clippy::cast_precision_loss, reason = "exact up to the largest packet")]
fn bytes_as_number(bytes: u64) -> f64 {
    bytes as f64
}
