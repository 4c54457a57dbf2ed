//! `mqtt bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueHint;

use super::MAX_HELP_WIDTH;
use super::bench_load::{BenchMode, CourseArgs, LoadArgs, PatternName};
use super::connection::{ConnectionArgs, Purpose};
use super::origin::Rank;
use super::report::QuietArgs;
use super::text::shown;
use super::value;
use crate::client::options::{ClientOptions, Version};
use crate::command::bench::config::{Arrivals, Load, Mode, Pattern, Payload, Rate, Stop};
use crate::command::bench::{
    Config, Files, MOST_PUBLISHERS, Results, STAMP_BYTES, Task, Threshold, check_topic, figures_help,
};
use crate::error::Error;
use crate::protocol::{Protocol, QoS, topic};

/// Put load on a server and measure how it bears it
///
/// Latency counts from the time each message was to be sent, so a server that stands still cannot
/// hide; losses, duplicates and reorderings are counted; and a run that shows the generator's limits
/// and not the server's says so and ends with status 3.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = after_help())]
// What every load refuses.
#[command(mut_arg("disable_clean_session", |arg| arg.hide(true)))]
#[command(mut_arg("reconnect", |arg| arg.hide(true)))]
#[command(mut_arg("reconnect_max_delay", |arg| arg.hide(true)))]
#[command(mut_arg("wait_for_server", |arg| arg.hide(true)))]
pub(super) struct BenchArgs {
    /// What to measure: conn, pub, sub, e2e, rr; or calibrate, compare
    #[arg(value_name = "MODE", default_value = "e2e", hide_possible_values = true)]
    mode: BenchMode,

    /// Reports to compare; with 'vs' between, several runs on each side
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,

    #[command(flatten)]
    load: LoadArgs,

    #[command(flatten)]
    course: CourseArgs,

    #[command(flatten)]
    results: ResultArgs,

    #[command(flatten)]
    quiet: QuietArgs,
}

/// The options of what comes out.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Results")]
struct ResultArgs {
    /// Write the report as one JSON object
    #[arg(long)]
    json: bool,

    /// Write the figures of each second to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    csv: Option<PathBuf>,

    /// Write a page with charts to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    html: Option<PathBuf>,

    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
          help = "Write the thresholds as JUnit test cases to this file")]
    junit: Option<PathBuf>,

    /// End with status 3 if this holds, such as 'p99 > 20ms', 'connect p95 > 1s', 'loss > 0' or
    /// 'rate < 50k/s'; may be repeated. Figures are listed below
    #[arg(long, value_name = "CONDITION")]
    fail_if: Vec<Threshold>,

    /// Do not fail if the generator was the bottleneck
    #[arg(long)]
    allow_saturated: bool,

    /// Report of an earlier calibrate --json; shows what share of it the load is
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    calibration: Option<PathBuf>,
}

impl ResultArgs {
    /// The table or the JSON object is there already.
    fn check_files(&self) -> Result<(), Error> {
        let files = [("--csv", &self.csv), ("--html", &self.html), ("--junit", &self.junit)];
        let files = files.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?)));
        let mut seen: Vec<(&str, &PathBuf)> = Vec::new();
        for (name, path) in files {
            if path.as_os_str() == "-" {
                return Err(Error::usage(format!("{name} needs a file: standard output has the report")));
            }
            if let Some((other, _)) =
                seen.iter().find(|(_, other)| *other == path && !path.starts_with("/dev"))
            {
                return Err(Error::usage(format!("{other} and {name} need a file each")));
            }
            seen.push((name, path));
        }
        Ok(())
    }

    /// Only loads have results that go anywhere but to standard output.
    fn refuse(&self, mode: &str) -> Result<(), Error> {
        let given = [
            ("--csv", self.csv.is_some()),
            ("--html", self.html.is_some()),
            ("--junit", self.junit.is_some()),
            ("--fail-if", !self.fail_if.is_empty()),
            ("--allow-saturated", self.allow_saturated),
            ("--calibration", self.calibration.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Error::usage(format!("{mode} does not take {name}"))),
            None => Ok(()),
        }
    }
}

/// The end of the help.
fn after_help() -> String {
    format!("Figures of --fail-if:\n{}\n{EXAMPLES}", figures_help(MAX_HELP_WIDTH))
}

const EXAMPLES: &str = "\
Examples:
  mqtt bench --embedded
  mqtt bench -h broker.example --rate 20k/s --publishers 100 --qos 1 --warmup 5s --duration 1m
  mqtt bench conn -h broker.example --clients 10000 --ramp 500/s --hold 1m
  mqtt bench pub --rate max --publishers 100 --fail-if 'rate < 100k/s'
  mqtt bench rr --rate 2k/s --fail-if 'p99 > 20ms' --fail-if 'loss > 0' --junit bench.xml
  mqtt bench --json > before.json
  mqtt bench compare before.json after.json
  mqtt bench compare old1.json old2.json old3.json vs new1.json new2.json new3.json";

/// Topics of the load, as they are without `--topic`.
const TOPIC: &str = "bench/{client}/{topic}";
const FILTER: &str = "bench/#";

impl TryFrom<BenchArgs> for Config {
    type Error = Error;

    fn try_from(args: BenchArgs) -> Result<Self, Error> {
        let verbosity = args.quiet.resolve();
        let results = Results {
            json: args.results.json,
            files: Files {
                csv: args.results.csv.clone(),
                html: args.results.html.clone(),
                junit: args.results.junit.clone(),
            },
            fail_if: args.results.fail_if.clone(),
            allow_saturated: args.results.allow_saturated,
            calibration: args.results.calibration.clone(),
        };
        args.results.check_files()?;
        if let (Some(file), true) = (args.files.first(), args.mode != BenchMode::Compare) {
            return Err(Error::usage(format!(
                "only compare takes files, and '{}' stands behind a mode",
                shown(file.as_os_str())
            )));
        }
        let task = match mode(args.mode) {
            Some(mode) => Task::Load(Box::new(load(args, mode)?)),
            None if args.mode == BenchMode::Compare => {
                refuse(&args.given(), &[], "compare")?;
                args.results.refuse("compare")?;
                refuse_broker(&args, "compare")?;
                if args.files.len() < 2 {
                    return Err(Error::usage("compare needs two reports or more"));
                }
                Task::Compare(args.files)
            }
            None => {
                refuse(&args.given(), &["--threads", "--duration"], "calibrate")?;
                args.results.refuse("calibrate")?;
                refuse_broker(&args, "calibrate")?;
                let client = args.connection.resolve(Purpose::default())?;
                check_plain(&client, "calibrate")?;
                Task::Calibrate {
                    client: Box::new(client),
                    threads: threads(args.course.threads),
                    duration: args.course.duration.unwrap_or(Duration::from_secs(3)),
                }
            }
        };
        Ok(Self { task, results, verbosity })
    }
}

fn mode(mode: BenchMode) -> Option<Mode> {
    match mode {
        BenchMode::Conn => Some(Mode::Connect),
        BenchMode::Pub => Some(Mode::Publish),
        BenchMode::Sub => Some(Mode::Subscribe),
        BenchMode::E2e => Some(Mode::EndToEnd),
        BenchMode::Rr => Some(Mode::Request),
        BenchMode::Calibrate | BenchMode::Compare => None,
    }
}

impl BenchArgs {
    /// The load's options that were given.
    fn given(&self) -> Vec<&'static str> {
        let (l, c) = (&self.load, &self.course);
        [
            ("--clients", l.clients.is_some()),
            ("--publishers", l.publishers.is_some()),
            ("--subscribers", l.subscribers.is_some()),
            ("--rate", l.rate.is_some()),
            ("--rate-per-client", l.rate_per_client.is_some()),
            ("--arrivals", l.arrivals.is_some()),
            ("--jitter", l.jitter.is_some()),
            ("--inflight", l.inflight.is_some()),
            ("--per-write", l.per_write.is_some()),
            ("--qos", l.qos.is_some()),
            ("--size", l.size.is_some()),
            ("--payload", l.payload.is_some()),
            ("--payload-file", l.payload_file.is_some()),
            ("--topics", l.topics.is_some()),
            ("--topic", l.topic.is_some()),
            ("--pattern", l.pattern.is_some()),
            ("--shared-groups", l.shared_groups.is_some()),
            ("--duration", c.duration.is_some()),
            ("--count", c.count.is_some()),
            ("--warmup", c.warmup.is_some()),
            ("--drain", c.drain.is_some()),
            ("--ramp", c.ramp.is_some()),
            ("--hold", c.hold.is_some()),
            ("--credentials", c.credentials.is_some()),
            ("--local-addr", !c.local_addr.is_empty()),
            ("--threads", c.threads.is_some()),
            ("--embedded", c.embedded),
            ("--seed", c.seed.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect()
    }
}

/// What every load can have.
const COMMON: [&str; 6] = ["--ramp", "--credentials", "--local-addr", "--threads", "--embedded", "--seed"];
/// What a load with messages of its own can have.
const SENDING: [&str; 17] = [
    "--publishers",
    "--rate",
    "--rate-per-client",
    "--arrivals",
    "--jitter",
    "--inflight",
    "--per-write",
    "--qos",
    "--size",
    "--payload",
    "--payload-file",
    "--topics",
    "--topic",
    "--duration",
    "--count",
    "--warmup",
    "--drain",
];

fn allowed(mode: Mode) -> Vec<&'static str> {
    let own: &[&[&str]] = match mode {
        Mode::Connect => &[&["--clients", "--hold"]],
        Mode::Publish => &[&SENDING],
        Mode::Subscribe => {
            &[&["--subscribers", "--qos", "--topic", "--shared-groups", "--duration", "--count", "--warmup"]]
        }
        Mode::EndToEnd => &[&SENDING, &["--subscribers", "--pattern", "--shared-groups"]],
        Mode::Request => &[&SENDING, &["--subscribers"]],
    };
    [&[&COMMON[..]], own].concat().concat()
}

/// An option that a mode would not heed is a mistake.
fn refuse(given: &[&'static str], allowed: &[&str], mode: &str) -> Result<(), Error> {
    match given.iter().find(|name| !allowed.contains(name)) {
        None => Ok(()),
        Some(&"--duration") if mode == "conn" => Err(Error::usage("conn takes --hold, not --duration")),
        Some(name) => {
            let modes = [Mode::Connect, Mode::Publish, Mode::Subscribe, Mode::EndToEnd, Mode::Request];
            let takers: Vec<&str> = modes
                .into_iter()
                .filter(|mode| self::allowed(*mode).contains(name))
                .map(Mode::name)
                .collect();
            let takers = match &takers[..] {
                [others @ .., last] if !others.is_empty() => format!("{} and {last}", others.join(", ")),
                takers => takers.concat(),
            };
            Err(Error::usage(format!("{mode} does not take {name}"))
                .with_hint(format!("{name} goes with {takers}")))
        }
    }
}

fn threads(given: Option<u32>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    given.and_then(|given| usize::try_from(given).ok()).unwrap_or(cores)
}

fn both(one: &str, other: &str) -> Error {
    Error::usage(format!("{one} and {other} cannot be used together"))
}

fn load(args: BenchArgs, mode: Mode) -> Result<Load, Error> {
    refuse(&args.given(), &allowed(mode), mode.name())?;
    let origin = args.connection.origin.clone();
    check_connection(&args, |id| origin.rank(id))?;
    let (l, c) = (&args.load, &args.course);
    let (publishers, subscribers, pattern) = clients(mode, l)?;
    let rate = rate(l, publishers)?;
    let qos = l.qos.unwrap_or_default();
    if l.per_write.is_some() && (rate != Rate::Max || qos != QoS::AtMostOnce) {
        return Err(Error::usage("--per-write needs --rate max and QoS 0"));
    }
    let payload = payload(l)?;
    if let (Mode::Request, Payload::Size(size)) = (mode, &payload)
        && *size < STAMP_BYTES
    {
        return Err(Error::usage(format!(
            "rr needs payloads of {STAMP_BYTES} bytes or more, to pair the answers"
        )));
    }
    let topics = l.topics.unwrap_or(1);
    let topic = topic_of(mode, l.topic.as_deref(), &args.connection, topics)?;
    let stop = match (mode, c.count, c.duration) {
        (Mode::Connect, ..) => Stop::After(c.hold.unwrap_or(Duration::from_secs(1))),
        (_, Some(_), Some(_)) => return Err(both("--count", "--duration")),
        (_, Some(count), None) => Stop::Count(count),
        (_, None, duration) => Stop::After(duration.unwrap_or(Duration::from_secs(10))),
    };
    let shared_groups = l.shared_groups.unwrap_or(0);
    let seed = c.seed.unwrap_or(1);
    let embedded = if c.embedded { Some(own_program()?) } else { None };
    let arrivals = l.arrivals.unwrap_or(Arrivals::Uniform);
    let (jitter, warmup) = (l.jitter.unwrap_or_default(), c.warmup.unwrap_or_default());
    let drain = c.drain.unwrap_or(Duration::from_secs(5));
    let (per_write, inflight) = (l.per_write.unwrap_or(u32::MAX), l.inflight);
    let course = args.course;
    let mut client = args.connection.resolve(Purpose {
        needs_v5: (shared_groups > 0).then_some("--shared-groups"),
        ..Purpose::default()
    })?;
    client.max_inflight = inflight.unwrap_or(client.max_inflight);
    if embedded.is_some() {
        check_plain(&client, "--embedded")?;
    }
    if args.results.calibration.is_some() && (mode == Mode::Subscribe || qos == QoS::ExactlyOnce) {
        return Err(Error::usage("--calibration knows publishing at QoS 0 and 1, and connecting"));
    }
    if client.version == Version::Only(Protocol::V3_1) && client.client_identifier.len() > 8 {
        return Err(Error::usage(
            "MQTT 3.1 takes 23 characters of client identifier, of which -i may have 8",
        ));
    }
    Ok(Load {
        mode,
        client,
        publishers,
        subscribers,
        rate,
        arrivals,
        jitter,
        per_write,
        payload,
        topics,
        topic,
        pattern,
        shared_groups,
        qos,
        stop,
        warmup,
        drain,
        ramp: course.ramp,
        credentials: course.credentials,
        local_addresses: course.local_addr,
        threads: threads(course.threads),
        embedded,
        seed,
    })
}

/// Who brings a server along, or needs none, must not be told of another.
fn refuse_broker(args: &BenchArgs, what: &str) -> Result<(), Error> {
    let typed = |id: &str| args.connection.origin.rank(id) == Rank::Flag;
    for (id, option) in [("host", "-h"), ("port", "-p"), ("url", "-L"), ("unix", "--unix"), ("srv", "-S")] {
        if typed(id) {
            return Err(both(what, option));
        }
    }
    Ok(())
}

/// The servers of this program are reached over plain TCP.
fn check_plain(client: &ClientOptions, what: &str) -> Result<(), Error> {
    if client.transport_name() == "tcp" && client.endpoint.proxy.is_none() {
        return Ok(());
    }
    Err(Error::usage(format!("{what} goes with plain TCP only: no TLS, WebSocket, Unix socket or proxy")))
}

fn check_connection(args: &BenchArgs, rank: impl Fn(&str) -> Rank) -> Result<(), Error> {
    let typed = |id: &str| rank(id) == Rank::Flag;
    if rank("disable_clean_session") > Rank::Default {
        return Err(Error::usage("bench starts every session anew: -c does not go with it"));
    }
    if args.load.inflight.is_some() && typed("max_inflight") {
        return Err(both("--inflight", "-M"));
    }
    if !args.course.local_addr.is_empty() && typed("bind_address") {
        return Err(both("--local-addr", "-A"));
    }
    if args.course.embedded {
        refuse_broker(args, "--embedded")?;
    }
    for (id, option) in [
        ("reconnect", "--reconnect"),
        ("wait_for_server", "--wait-for-server"),
        ("reconnect_max_delay", "--reconnect-max-delay"),
    ] {
        if typed(id) {
            return Err(Error::usage(format!("bench does not reconnect: it takes no {option}")));
        }
    }
    Ok(())
}

fn clients(mode: Mode, l: &LoadArgs) -> Result<(u32, u32, Pattern), Error> {
    if mode == Mode::Connect {
        return Ok((l.clients.unwrap_or(100), 0, Pattern::Pairs));
    }
    let one = |given: Option<u32>, pattern: &str, what: &str| match given {
        None | Some(1) => Ok(1),
        Some(given) => Err(Error::usage(format!(
            "--pattern {pattern} has one {what}, and --{what}s {given} asks for more"
        ))),
    };
    let (publishers, subscribers) = (l.publishers.unwrap_or(10), l.subscribers);
    let sharing = l.shared_groups.is_some();
    if sharing && l.pattern.is_some() {
        return Err(both("--shared-groups", "--pattern"));
    }
    let (publishers, subscribers, pattern) = match (mode, l.pattern) {
        (Mode::Publish, _) => (publishers, 0, Pattern::Pairs),
        (Mode::Subscribe, _) => (0, subscribers.unwrap_or(10), Pattern::All),
        (Mode::Request, _) => (publishers, subscribers.unwrap_or(1), Pattern::Pairs),
        (_, Some(PatternName::FanIn)) => {
            (publishers, one(subscribers, "fan-in", "subscriber")?, Pattern::All)
        }
        (_, Some(PatternName::FanOut)) => {
            (one(l.publishers, "fan-out", "publisher")?, subscribers.unwrap_or(10), Pattern::All)
        }
        (_, Some(PatternName::All)) => (publishers, subscribers.unwrap_or(10), Pattern::All),
        (_, None | Some(PatternName::Pairs)) => (publishers, subscribers.unwrap_or(10), Pattern::Pairs),
    };
    if l.shared_groups.is_some_and(|groups| groups > subscribers) {
        return Err(Error::usage(format!("--shared-groups is more than the {subscribers} subscribers")));
    }
    if publishers >= MOST_PUBLISHERS {
        return Err(Error::usage(format!("there may be fewer than {MOST_PUBLISHERS} publishers")));
    }
    Ok((publishers, subscribers, pattern))
}

/// Messages a second that no machine can do: what is due and not sent takes memory.
const MOST_RATE: f64 = 2e7;

fn rate(l: &LoadArgs, publishers: u32) -> Result<Rate, Error> {
    let rate = match (l.rate, l.rate_per_client) {
        (Some(_), Some(_)) => return Err(both("--rate", "--rate-per-client")),
        (None, Some(each)) => Rate::PerSecond(each * f64::from(publishers)),
        (rate, None) => rate.unwrap_or(Rate::PerSecond(1000.0)),
    };
    for (given, option) in [(l.arrivals.is_some(), "--arrivals"), (l.jitter.is_some(), "--jitter")] {
        if given && rate == Rate::Max {
            return Err(Error::usage(format!("--rate max has no schedule, so there is no {option}")));
        }
    }
    if matches!(rate, Rate::PerSecond(rate) if rate > MOST_RATE) {
        return Err(Error::usage(format!("a schedule has no more than {MOST_RATE} messages a second"))
            .with_hint("--rate max has no schedule"));
    }
    Ok(rate)
}

fn payload(l: &LoadArgs) -> Result<Payload, Error> {
    match (l.size, &l.payload, &l.payload_file) {
        (None, None, None) => Ok(Payload::Size(64)),
        (Some(size), None, None) => Ok(Payload::Size(size)),
        (None, Some(text), None) => Ok(Payload::Template(value::bytes(text.clone()))),
        (None, None, Some(path)) => Ok(Payload::File(path.clone())),
        _ => Err(Error::usage("give one of --size, --payload and --payload-file")),
    }
}

/// The topic of `--topic` or, as `pub` and `sub` have it, of the broker's URL.
fn topic_of(
    mode: Mode,
    given: Option<&str>,
    connection: &ConnectionArgs,
    topics: u32,
) -> Result<String, Error> {
    let in_url = connection.url_topic();
    let typed = in_url.filter(|_| connection.url_is_typed());
    if let (Mode::Connect, Some(topic)) = (mode, typed) {
        let topic = shown(topic.as_ref());
        return Err(Error::usage(format!("conn has no messages, and -L names a topic for them, '{topic}'")));
    }
    let in_url = in_url.filter(|_| mode != Mode::Connect);
    if let (Some(given), Some(typed)) = (given, typed)
        && given != typed
    {
        return Err(Error::usage("-L and --topic say different things"));
    }
    let given = given.or(in_url);
    if mode == Mode::Subscribe {
        let filter = given.unwrap_or(FILTER);
        let checked = topic::check_filter(filter.as_bytes()).map(|_| ());
        checked.map_err(|why| Error::usage(format!("topic filter '{}': {why}", shown(filter.as_ref()))))?;
        return Ok(filter.into());
    }
    let name = given.unwrap_or(TOPIC);
    check_topic(name, topics)
        .map_err(|why| Error::usage(format!("topic '{}': {why}", shown(name.as_ref()))))?;
    Ok(name.into())
}

fn own_program() -> Result<PathBuf, Error> {
    std::env::current_exe()
        .map_err(|error| Error::file("cannot find this program, to start its broker", error))
}
