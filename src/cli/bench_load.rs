//! The options common to the modes of `mqtt bench`, and the load that these describe.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, ValueEnum, ValueHint};

use super::bench_payload::LoadPayloadArgs;
use super::bench_results::ResultArgs;
use super::bench_shard::{self, ShardArgs};
use super::bench_values::{MOST_RATE, arrivals, bytes, ramp, rate};
use super::bench_watch::check_watched;
use super::connection::{ConnectionArgs, Purpose};
use super::disturbance;
use super::scenario::{self, Description};
#[cfg(feature = "broker")]
use super::sources::Origin;
use super::sources::Rank;
use super::stages::{self, Stages};
use super::text::shown;
use super::value;
use super::verbosity::QuietArgs;
#[cfg(feature = "broker")]
use crate::client::options::ClientOptions;
use crate::client::options::Version;
use crate::command::bench::config::{Arrivals, Load, Mode, Pattern, Payload, Rate, StopAfter, TOPIC};
use crate::command::bench::topic::check_topic;
use crate::command::bench::{
    BenchTask, Config, Disturbance, LEAST_STAMP_BYTES, Matrix, check_number_of_clients,
};
use crate::error::Error;
use crate::protocol::{Protocol, QoS};
use crate::quantity::counted;

/// The distribution of messages.
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

/// The kind of TLS handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TlsResumption {
    /// Full ones
    Full,
    /// Sessions are resumed where the broker has given a ticket
    Resume,
}

/// The options of the messages.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Load")]
pub(super) struct SendArgs {
    /// Clients that publish [default: 10]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    publishers: Option<u32>,

    /// Messages a second of all publishers together, or max [default: 1k/s]
    ///
    /// A rate such as 50k/s is a schedule that does not wait for the broker. max sends as fast as the broker takes
    /// messages.
    #[arg(long, value_name = "RATE", value_parser = rate, conflicts_with = "rate_per_client")]
    rate: Option<Rate>,

    /// Messages a second of each publisher
    #[arg(long, value_name = "RATE", value_parser = value::per_second)]
    pub(super) rate_per_client: Option<f64>,

    /// How messages are spread over time: uniform, poisson or burst:COUNT [default: uniform]
    #[arg(long, value_name = "ARRIVALS", value_parser = arrivals)]
    arrivals: Option<Arrivals>,

    /// Send each message later by a random time up to this
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration)]
    jitter: Option<Duration>,

    /// Most QoS 1 and 2 messages of a client sent and not yet acknowledged [default: as -M]
    #[arg(long, value_name = "COUNT", value_parser = value::inflight)]
    inflight: Option<u16>,

    /// With --rate max and QoS 0: most messages in one write [default: as many as fit]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    per_write: Option<u32>,

    /// QoS of messages and subscriptions, or several, separated by commas [default: 0]
    ///
    /// Several are measured one after the other, and one table shows all of them.
    #[arg(short = 'q', long, value_name = "QOS", value_delimiter = ',', value_parser = value::qos(),
          hide_possible_values = true)]
    qos: Vec<QoS>,

    /// Size of each payload, such as 16k, or several, separated by commas [default: 64]
    ///
    /// 16k is 16,000 bytes, 16Ki is 16,384. The stamp that identifies the message is part of it: 32 bytes,
    /// or 16 where the size is less than 32. Messages of less than 16 bytes are only counted. With several
    /// sizes and several QoS each combination is measured, and one table shows all of them.
    #[arg(long, value_name = "SIZE", value_delimiter = ',', value_parser = bytes,
          conflicts_with_all = ["payload", "payload_file", "payload_lines"])]
    size: Vec<usize>,

    #[command(flatten)]
    payload: LoadPayloadArgs,

    /// Topics each publisher goes through in turn [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    topics: Option<u32>,

    /// Topic, with fields as levels: {client}, {topic}, {csv:NAME}, {rand:0..100} and others
    /// [default: bench/{client}/{topic}]
    ///
    /// {csv:NAME} is the publisher's value in the file of --client-values. {rand:0..100}, {hex:8}, {uuid}, {seq} and
    /// {unix} are filled in for each message, and subscribers have + at their level; MQTT promises no order
    /// between topics, so that reordered messages are not counted then.
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,

    /// Longest wait at the end for messages in flight [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration, help_heading = "Course")]
    drain: Option<Duration>,

    /// Change the rate over time: 'ramp to 10k/s in 60s, hold 2m, spike 50k/s 5s'
    ///
    /// The rate is that of all publishers together, and the stages set the length of the measurement. A ramp begins at the
    /// rate before it. The first one begins at 0, or with 'ramp from RATE to RATE in TIME' at the first RATE. A hold at the
    /// beginning has the rate of --rate. After a spike the rate returns to the one before it. Each message keeps its exact
    /// time. The report has the figures of each stage. A warm-up has the rate at which the first stage begins.
    #[arg(long, value_name = "STAGES", help_heading = "Course",
          conflicts_with_all = ["duration", "count"])]
    stages: Option<Stages>,

    /// Measure this many times, and show the median and the spread of each figure
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Course")]
    repeat: Option<u32>,
}

/// The options of the duration.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Course")]
pub(super) struct CourseArgs {
    /// How long to measure [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration, conflicts_with = "count")]
    pub(super) duration: Option<Duration>,

    /// Measure this many messages of all publishers together, instead of a time
    #[arg(long, value_name = "COUNT", value_parser = value::count)]
    count: Option<u64>,

    /// Warm-up before the measurement [default: 0]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub(super) warmup: Option<Duration>,
}

/// The option for the result of `calibrate`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct CeilingArgs {
    /// Report of an earlier calibrate --json; the report then shows the load as a share of it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Results")]
    calibration: Option<PathBuf>,
}

/// The help of `--reconnect`, whose default is the same in every mode.
const RECONNECT: &str = "When a connection is lost: never, always, or how many attempts in a row may fail; a lost connection is then part of the result [default: never]";

/// The options of every load.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Course")]
// Options that every load refuses.
#[command(mut_arg("disable_clean_session", |arg| arg.hide(true)))]
#[command(mut_arg("wait_for_server", |arg| arg.hide(true)))]
#[command(mut_arg("reconnect", |arg| arg.help(RECONNECT)))]
pub(super) struct CommonArgs {
    /// New connections a second, such as 2k/s [default: as fast as they are made]
    #[arg(long, value_name = "RATE", value_parser = ramp)]
    ramp: Option<f64>,

    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
          help = "CSV file with a heading and a line for each client, publishers and requesters first: \
                  client_id, username, password, cert, key; files of certificates as seen from its \
                  folder. Lines without a client_id serve several clients if there are fewer lines than clients. \
                  The file has at most 256 MiB; only the lines of clients are kept in memory")]
    credentials: Option<PathBuf>,

    /// Local addresses to connect from in turn, each with all of its ports
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = value::ip_address)]
    local_addr: Vec<IpAddr>,

    /// Threads to share the clients out to [default: one for each core]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    threads: Option<u32>,

    /// Start the broker of this program, and test it
    ///
    /// It runs in a separate process.
    #[cfg(feature = "broker")]
    #[arg(long)]
    embedded: bool,

    /// TLS handshakes: full, or resume, with tickets from earlier connections of the run [default: full]
    ///
    /// With resume all clients share the tickets, each of which is used once. The report has the share of
    /// resumed handshakes.
    #[arg(long, value_name = "HOW", value_enum, hide_possible_values = true)]
    tls_resumption: Option<TlsResumption>,

    /// Disturb the measurement at a time: '30s: CMD', '30s: drop 20%', '30s: flap 5% for 60s'; may be
    /// repeated
    ///
    /// CMD is for the shell, such as 'docker restart broker'. Its output goes to standard error, and its
    /// environment does not contain the variables MQTT_... of this program's options. A command that fails
    /// makes the run not valid; a command still running when the drain is over is ended. drop closes the
    /// connections of this share of the clients at once and without DISCONNECT; flap closes them again
    /// whenever they are back, for that time; 'away 100% for 30s' closes them, and they stay away for that
    /// time while the broker queues their messages. All need --reconnect, and take 'of GROUP' after the
    /// share, such as 'drop 50% of subscribers'; --seed draws the clients. A command with one of these names
    /// needs its path. The report shows connections, sessions and messages from each disturbance to the next.
    #[arg(long, value_name = "DISTURBANCE", value_parser = disturbance::disturbance)]
    disturb: Vec<Disturbance>,

    /// Seed of everything random, to repeat the same load [default: 1]
    #[arg(long, value_name = "NUMBER", value_parser = value::any_number)]
    seed: Option<u64>,

    #[command(flatten)]
    shard: ShardArgs,

    #[command(flatten)]
    results: ResultArgs,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,

    #[command(flatten)]
    quiet: QuietArgs,
}

/// The number of clients, and the distribution of messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clients {
    pub(super) publishers: u32,
    pub(super) subscribers: u32,
    pub(super) pattern: Pattern,
    pub(super) shared_groups: Option<u32>,
}

impl Clients {
    /// Each message goes to one of the subscribers, if there are any.
    pub(super) fn pairs(publishers: u32, subscribers: u32) -> Self {
        Self { publishers, subscribers, pattern: Pattern::Pairs, shared_groups: None }
    }

    fn check(&self) -> Result<(), Error> {
        let Self { publishers, subscribers, shared_groups, .. } = *self;
        if shared_groups.is_some_and(|groups| groups > subscribers) {
            let subscribers = counted(subscribers.into(), "subscriber");
            return Err(Error::usage(format!(
                "--shared-groups is more than there are subscribers: {subscribers}"
            )));
        }
        check_number_of_clients(u64::from(publishers) + u64::from(subscribers)).map_err(Error::usage)
    }
}

impl SendArgs {
    pub(super) fn publishers(&self) -> u32 {
        self.publishers.unwrap_or(10)
    }

    /// The single publisher of a pattern.
    pub(super) fn one_publisher(&self, pattern: &str) -> Result<u32, Error> {
        one(self.publishers, pattern, "publisher")
    }

    fn rate(&self, publishers: u32) -> Result<Rate, Error> {
        let rate = match self.rate_per_client {
            Some(each) => Rate::PerSecond(each * f64::from(publishers)),
            None => self.rate.unwrap_or(Rate::PerSecond(1000.0)),
        };
        for (given, option) in [(self.arrivals.is_some(), "--arrivals"), (self.jitter.is_some(), "--jitter")]
        {
            if given && rate == Rate::Max {
                return Err(Error::usage(format!("{option} needs a schedule, and --rate max has none")));
            }
        }
        if matches!(rate, Rate::PerSecond(rate) if rate > MOST_RATE) {
            return Err(Error::usage(format!("a schedule has at most {MOST_RATE} messages a second"))
                .with_hint("--rate max has no schedule"));
        }
        Ok(rate)
    }

    /// The size and the QoS of each requested load.
    fn combinations(&self) -> Vec<(usize, QoS)> {
        let sizes = if self.size.is_empty() { &[64][..] } else { &self.size };
        let qos = if self.qos.is_empty() { &[QoS::AtMostOnce][..] } else { &self.qos };
        sizes.iter().flat_map(|size| qos.iter().map(|qos| (*size, *qos))).collect()
    }

    /// Applies the options of the messages to a load.
    fn apply(self, (size, qos): (usize, QoS), load: &mut Load) -> Result<(), Error> {
        load.rate = self.rate(load.publishers)?;
        load.qos = qos;
        if self.per_write.is_some() && (load.rate != Rate::Max || load.qos != QoS::AtMostOnce) {
            return Err(Error::usage("--per-write needs --rate max and QoS 0"));
        }
        load.client_values = self.payload.client_values(&load.topic)?;
        load.payload = self.payload.payload(size)?;
        load.arrivals = self.arrivals.unwrap_or(load.arrivals);
        load.jitter = self.jitter.unwrap_or(load.jitter);
        load.per_write = self.per_write.unwrap_or(load.per_write);
        load.client.max_inflight = self.inflight.unwrap_or(load.client.max_inflight);
        load.drain = self.drain.unwrap_or(load.drain);
        Ok(())
    }
}

/// The single client of a pattern.
pub(super) fn one(given: Option<u32>, pattern: &str, what: &str) -> Result<u32, Error> {
    match given {
        None | Some(1) => Ok(1),
        Some(given) => Err(Error::usage(format!(
            "--pattern {pattern} has one {what}, but --{what}s {given} asks for more"
        ))),
    }
}

impl CourseArgs {
    pub(super) fn apply(&self, load: &mut Load) {
        let duration = self.duration.map(StopAfter::After);
        load.stop = self.count.map(StopAfter::Count).or(duration).unwrap_or(load.stop);
        load.warmup = self.warmup.unwrap_or(load.warmup);
    }
}

impl CommonArgs {
    /// The topic in a typed URL of the broker.
    pub(super) fn typed_topic(&self) -> Result<Option<&str>, Error> {
        Ok(self.connection.url_topic()?.filter(|_| self.connection.url_is_typed()))
    }

    /// The topic of `--topic` or, as with `pub` and `sub`, of the broker's URL.
    pub(super) fn topic(&self, given: Option<&str>, default: &str) -> Result<String, Error> {
        match (given, self.typed_topic()?) {
            (Some(given), Some(typed)) if given != typed => {
                Err(Error::usage("-L and --topic name different topics"))
            }
            (given, _) => Ok(given.or(self.connection.url_topic()?).unwrap_or(default).into()),
        }
    }

    /// A load that sends messages.
    pub(super) fn sending(
        self,
        mode: Mode,
        clients: Clients,
        send: &SendArgs,
        course: &CourseArgs,
        ceiling: CeilingArgs,
    ) -> Result<Config, Error> {
        let topics = send.topics.unwrap_or(1);
        let topic = self.topic(send.topic.as_deref(), TOPIC)?;
        check_topic(&topic, topics)
            .map_err(|why| Error::usage(format!("topic '{}': {why}", shown(topic.as_ref()))))?;
        if send.inflight.is_some() && self.connection.origin.rank("max_inflight") == Rank::Flag {
            return Err(both("--inflight", "-M"));
        }
        let combinations = send.combinations();
        let fill = |combination: (usize, QoS), load: &mut Load| {
            (load.topics, load.topic) = (topics, topic.clone());
            send.clone().apply(combination, load)?;
            course.apply(load);
            stages::apply(send.stages.clone().map_or_else(Vec::new, |stages| stages.0), load)?;
            match load.payload {
                Payload::Size(size) if mode == Mode::Request && size < LEAST_STAMP_BYTES => {
                    let why = format!(
                        "rr needs payloads of {LEAST_STAMP_BYTES} bytes or more, to match responses with requests"
                    );
                    Err(Error::usage(why))
                }
                _ => Ok(()),
            }
        };
        let repeat = send.repeat.unwrap_or(1);
        if let ([combination], 1) = (&combinations[..], repeat) {
            return self.config(mode, clients, ceiling, |load| fill(*combination, load));
        }
        if ceiling.calibration.is_some() {
            let why = "--calibration is for one load: give one --size and one --qos, and no --repeat";
            return Err(Error::usage(why));
        }
        if self.shard.is_given() {
            return Err(Error::usage("--shard is for one load: one --size, one --qos, no --repeat"));
        }
        if self.results.show_scenario {
            return Err(Error::usage("--show-scenario is for one load: one --size, one --qos, no --repeat"));
        }
        let first = combinations.first().copied().unwrap_or_default();
        let mut config = self.config(mode, clients, ceiling, |load| fill(first, load))?;
        if let BenchTask::Load(load) = config.task {
            let loads = combinations.into_iter().map(|combination| {
                let mut load = Load::clone(&load);
                fill(combination, &mut load)?;
                Ok(load)
            });
            let loads = loads.collect::<Result<_, Error>>()?;
            config.task = BenchTask::Matrix(Matrix { loads, repeat });
        }
        Ok(config)
    }

    /// A text instead of a load.
    pub(super) fn printing(self, text: String) -> Result<Config, Error> {
        let results = self.results.resolve(None)?;
        Ok(Config { task: BenchTask::Print(text), results, verbosity: self.quiet.resolve() })
    }

    /// Whether an option of the connection was typed.
    pub(super) fn is_typed(&self, id: &str) -> bool {
        self.connection.origin.rank(id) == Rank::Flag
    }

    /// Whether exceeding a limit ends the run.
    pub(super) fn aborts(&self) -> bool {
        self.results.abort_on_fail.is_some()
    }

    /// Whether the run depends on the reader of standard output: not if the report also goes into a file.
    pub(super) fn is_for_reader(&self) -> bool {
        self.results.report.files().next().is_none()
    }

    /// The configuration of the load, after the mode's own changes.
    pub(super) fn config(
        self,
        mode: Mode,
        clients: Clients,
        ceiling: CeilingArgs,
        fill: impl FnOnce(&mut Load) -> Result<(), Error>,
    ) -> Result<Config, Error> {
        clients.check()?;
        self.check_connection()?;
        let verbosity = self.quiet.resolve();
        let shows_scenario = self.results.show_scenario;
        let abort_after = self.results.abort_on_fail;
        let results = self.results.resolve(ceiling.calibration)?;
        let needs_v5 = clients.shared_groups.map(|_| "--shared-groups");
        #[cfg(feature = "broker")]
        let embedded = if self.embedded { Some(own_program()?) } else { None };
        #[cfg(not(feature = "broker"))]
        let embedded = None;
        let purpose = Purpose { needs_v5, ..Purpose::default() };
        let client = self.connection.resolve(purpose)?;
        let mut load = Load {
            pattern: clients.pattern,
            shared_groups: clients.shared_groups.unwrap_or(0),
            ramp: self.ramp,
            credentials: self.credentials,
            local_addresses: self.local_addr,
            embedded,
            seed: self.seed.unwrap_or(1),
            disturbances: disturbance::disturbances(self.disturb),
            abort_after,
            resumes_tls: self.tls_resumption == Some(TlsResumption::Resume),
            shard: self.shard.resolve()?,
            ..Load::new(mode, client, clients.publishers, clients.subscribers, threads(self.threads))
        };
        fill(&mut load)?;
        #[cfg(feature = "broker")]
        if self.embedded {
            check_plain(&load.client, "--embedded")?;
        }
        disturbance::check(&load)?;
        bench_shard::check(&load)?;
        check_watched(results.watch.broker_pid, load.embedded.is_some())?;
        if self.tls_resumption.is_some() && load.client.endpoint.tls.is_none() {
            return Err(Error::usage("--tls-resumption needs TLS")
                .with_hint("use mqtts://, --cafile or --tls-use-os-certs"));
        }
        if load.abort_after.is_some() && load.scenario.is_none() && results.limits.is_empty() {
            return Err(Error::usage("--abort-on-fail needs --fail-if"));
        }
        if results.calibration.is_some() && load.qos == QoS::ExactlyOnce {
            return Err(Error::usage("--calibration is for QoS 0 and 1"));
        }
        if load.client.version == Version::Only(Protocol::V3_1) && load.client.client_identifier.len() > 8 {
            return Err(Error::usage(
                "MQTT 3.1 allows 23 characters of client identifier; -i may have 8 of them",
            ));
        }
        if load.client.version == Version::Only(Protocol::V3_1) {
            check_identifiers(&load)?;
        }
        let task = if shows_scenario {
            BenchTask::Print(scenario::write(&Description::of(&load, &results))?)
        } else {
            BenchTask::Load(Box::new(load))
        };
        Ok(Config { task, results, verbosity })
    }

    fn check_connection(&self) -> Result<(), Error> {
        let origin = &self.connection.origin;
        let typed = |id: &str| origin.rank(id) == Rank::Flag;
        if origin.rank("disable_clean_session") > Rank::Default {
            return Err(Error::usage("-c is not supported by bench"));
        }
        if self.shard.is_given() && origin.rank("id_prefix") > Rank::Default {
            let what = "-I is not supported with --shard: each shard has another process identifier";
            return Err(Error::usage(what).with_hint("use -i"));
        }
        if !self.local_addr.is_empty() && typed("bind_address") {
            return Err(both("--local-addr", "-A"));
        }
        #[cfg(feature = "broker")]
        if self.embedded {
            refuse_broker(origin, "--embedded")?;
        }
        if typed("wait_for_server") {
            return Err(Error::usage("--wait-for-server is not supported by bench"));
        }
        Ok(())
    }
}

/// Checks the length of client identifiers, which MQTT 3.1 limits to 23 characters. Names of groups in a file
/// may be longer.
fn check_identifiers(load: &Load) -> Result<(), Error> {
    const MOST: usize = 23;
    const OWN: usize = "bench-00000000".len();
    let given = load.client.client_identifier.len();
    let first = if given == 0 { OWN } else { given };
    for group in load.groups().iter().filter(|_| load.scenario.is_some()) {
        let last = group.client_id.replace("{client}", &group.clients.saturating_sub(1).to_string());
        if first + 1 + last.len() > MOST {
            let why = format!(
                "MQTT 3.1 allows {MOST} characters of client identifier; group '{}' has more",
                group.name
            );
            return Err(Error::usage(why).with_hint("client-id sets a shorter one"));
        }
    }
    Ok(())
}

/// Refuses a typed broker if the run starts its own, or needs none. Variables and profiles may name one;
/// clap's conflicts would refuse those too.
#[cfg(feature = "broker")]
pub(super) fn refuse_broker(origin: &Origin, what: &str) -> Result<(), Error> {
    let options = [("host", "-h"), ("port", "-p"), ("url", "-L"), ("unix", "--unix"), ("srv", "-S")];
    match options.iter().find(|(id, _)| origin.rank(id) == Rank::Flag) {
        Some((_, option)) => Err(both(what, option)),
        None => Ok(()),
    }
}

/// The brokers that this program starts are reached over plain TCP.
#[cfg(feature = "broker")]
pub(super) fn check_plain(client: &ClientOptions, what: &str) -> Result<(), Error> {
    if client.transport_name() == "tcp" && client.endpoint.proxy.is_none() {
        return Ok(());
    }
    Err(Error::usage(format!("{what} needs plain TCP: no TLS, WebSocket, Unix socket or proxy")))
}

/// Whether the load goes to the broker of this program.
#[cfg(feature = "broker")]
pub(super) fn needs_own_broker(typed: &ArgMatches) -> bool {
    typed.get_flag("embedded")
}

/// Always false: this build has no broker.
#[cfg(not(feature = "broker"))]
pub(super) fn needs_own_broker(_: &ArgMatches) -> bool {
    false
}

pub(super) fn threads(given: Option<u32>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    given.and_then(|given| usize::try_from(given).ok()).unwrap_or(cores)
}

fn both(one: &str, other: &str) -> Error {
    Error::usage(format!("{one} and {other} cannot be used together"))
}

#[cfg(feature = "broker")]
fn own_program() -> Result<PathBuf, Error> {
    std::env::current_exe()
        .map_err(|error| Error::file("cannot find this program, to start its broker", error))
}
