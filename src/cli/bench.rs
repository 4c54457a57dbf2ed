//! `mqtt bench` and its modes. Each mode is a subcommand with its own options; without a mode, `bench` is
//! `bench e2e`.

use std::time::Duration;

#[cfg(feature = "broker")]
use super::bench_calibrate::CalibrateArgs;
use super::bench_compare::CompareArgs;
use super::bench_figures::figures;
use super::bench_limit::FindLimitArgs;
use super::bench_load::{CeilingArgs, Clients, CommonArgs, CourseArgs, PatternName, SendArgs, one};
use super::bench_manual;
use super::bench_merge::MergeArgs;
use super::bench_mode::LoadArgs;
use super::bench_operations::{ChurnArgs, RetainedArgs, WillsArgs};
use super::bench_scenario::ScenarioArgs;
use super::manual::Manual;
use super::subcommand::Entry;
use super::text::shown;
use super::value;
use crate::command::bench::Config;
use crate::command::bench::config::{Mode, Pattern, StopAfter};
use crate::error::Error;
use crate::protocol::{QoS, topic};
use crate::quotation::cut;

/// Generate load and measure latency, throughput and loss
///
/// Latency counts from the time each message was to be sent, so that a stalled broker shows in it; losses,
/// duplicates and reorderings are counted; and a run limited by the generator instead of the broker is
/// reported as not valid and ends with status 3. When the reader of standard output leaves, the run ends with
/// status 0, or with --fail-if as after Ctrl-C; with --csv, --html, --markdown or --junit it goes on. Without
/// a mode, it is e2e.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = figures(), args_conflicts_with_subcommands = true)]
#[command(subcommand_value_name = "MODE", subcommand_help_heading = "Modes")]
pub(super) struct BenchArgs {
    #[command(flatten)]
    e2e: EndToEndArgs,
}

/// The modes.
pub(super) static MODES: &[Entry] = &[
    Entry::run::<ConnectArgs>("conn"),
    Entry::run::<BenchPublishArgs>("pub"),
    Entry::run::<BenchSubscribeArgs>("sub"),
    Entry::run::<EndToEndArgs>("e2e"),
    Entry::run::<BenchRequestArgs>("rr"),
    Entry::run::<RetainedArgs>("retained"),
    Entry::run::<ChurnArgs>("churn"),
    Entry::run::<WillsArgs>("wills"),
    Entry::run::<FindLimitArgs<BenchArgs>>("find-limit").with(FIND_LIMIT_LOADS),
    Entry::run::<ScenarioArgs>("scenario"),
    Entry::run::<MergeArgs>("merge"),
    Entry::run::<CompareArgs>("compare"),
    #[cfg(feature = "broker")]
    Entry::run::<CalibrateArgs>("calibrate"),
];

/// The loads of `find-limit`.
static FIND_LIMIT_LOADS: &[Entry] = &[
    Entry::run::<FindLimitArgs<ConnectArgs>>("conn"),
    Entry::run::<FindLimitArgs<BenchPublishArgs>>("pub"),
    Entry::run::<FindLimitArgs<EndToEndArgs>>("e2e"),
    Entry::run::<FindLimitArgs<BenchRequestArgs>>("rr"),
];

/// Make connections that do nothing
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = figures())]
pub(super) struct ConnectArgs {
    /// Clients [default: 100]
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Load")]
    clients: Option<u32>,

    /// How long to hold the connections [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration, help_heading = "Course")]
    hold: Option<Duration>,

    /// Refused: it is --hold here
    #[arg(long, hide = true, value_parser = hold_instead)]
    duration: Option<Duration>,

    #[command(flatten)]
    ceiling: CeilingArgs,

    #[command(flatten)]
    common: CommonArgs,
}

/// Publish, without subscribers
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = figures())]
pub(super) struct BenchPublishArgs {
    #[command(flatten)]
    send: SendArgs,

    #[command(flatten)]
    course: CourseArgs,

    #[command(flatten)]
    ceiling: CeilingArgs,

    #[command(flatten)]
    common: CommonArgs,
}

/// The default filter of `sub`: the topics of all loads.
const FILTER: &str = "bench/#";

/// Subscribe to messages of other programs
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = figures())]
#[command(mut_arg("count", |arg| arg.help("Measure this many messages, instead of a time")))]
pub(super) struct BenchSubscribeArgs {
    /// Clients that subscribe [default: 10]
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Load")]
    subscribers: Option<u32>,

    /// QoS of the subscriptions [default: 0]
    #[arg(short = 'q', long, value_name = "QOS", value_parser = value::qos(), hide_possible_values = true,
          help_heading = "Load")]
    qos: Option<QoS>,

    /// Topic filter [default: bench/#]
    #[arg(long, value_name = "FILTER", help_heading = "Load")]
    topic: Option<String>,

    /// Let the subscribers form this many shared-subscription groups, each of which gets every
    /// message once (MQTT 5)
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Load")]
    shared_groups: Option<u32>,

    #[command(flatten)]
    course: CourseArgs,

    #[command(flatten)]
    common: CommonArgs,
}

/// Publish and receive: from publisher to subscriber
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = figures())]
pub(super) struct EndToEndArgs {
    #[command(flatten)]
    send: SendArgs,

    /// Clients that subscribe [default: 10]
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Load")]
    subscribers: Option<u32>,

    /// Who gets whose messages: pairs, all, fan-in or fan-out [default: pairs]
    ///
    /// pairs: each goes to one subscriber, or to an equal part of them where they are more than the
    /// publishers. all: each goes to every subscriber. fan-in: one subscriber. fan-out: one publisher.
    #[arg(
        long,
        value_name = "PATTERN",
        hide_possible_values = true,
        help_heading = "Load",
        conflicts_with = "shared_groups"
    )]
    pattern: Option<PatternName>,

    /// Let the subscribers form this many shared-subscription groups, each of which gets every
    /// message once (MQTT 5)
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Load")]
    shared_groups: Option<u32>,

    #[command(flatten)]
    course: CourseArgs,

    #[command(flatten)]
    ceiling: CeilingArgs,

    #[command(flatten)]
    common: CommonArgs,
}

/// Send requests and receive their responses: round trips
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = figures())]
#[command(mut_arg("publishers", |arg| arg.help("Clients that send requests [default: 10]")))]
#[command(mut_arg("inflight", |arg| arg.help(
    "Most QoS 1 and 2 messages of a client sent and not yet acknowledged; with --rate max, requests without a \
     response [default: as -M]")))]
#[command(mut_arg("topic", |arg| arg.help(
    "Topic of the requests, with fields as levels such as {client} and {topic}; responses go to \
     bench-response/RUN/CLIENT/answer [default: bench/{client}/{topic}]")))]
pub(super) struct BenchRequestArgs {
    #[command(flatten)]
    send: SendArgs,

    /// Clients that respond [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Load")]
    subscribers: Option<u32>,

    #[command(flatten)]
    course: CourseArgs,

    #[command(flatten)]
    ceiling: CeilingArgs,

    #[command(flatten)]
    common: CommonArgs,
}

impl LoadArgs for BenchArgs {
    const MANUAL: &'static Manual = &bench_manual::WITHOUT_MODE;
    const MODE: Mode = EndToEndArgs::MODE;
    const FIND_LIMIT: &'static str = "Find the highest load that keeps to limits";

    fn send(&self) -> Option<&SendArgs> {
        self.e2e.send()
    }

    fn course(&self) -> Option<&CourseArgs> {
        self.e2e.course()
    }

    fn common(&self) -> &CommonArgs {
        self.e2e.common()
    }

    fn common_mut(&mut self) -> &mut CommonArgs {
        self.e2e.common_mut()
    }
}

impl TryFrom<BenchArgs> for Config {
    type Error = Error;

    fn try_from(args: BenchArgs) -> Result<Self, Error> {
        args.e2e.try_into()
    }
}

impl LoadArgs for ConnectArgs {
    const MANUAL: &'static Manual = &bench_manual::CONNECT;
    const MODE: Mode = Mode::Connect;
    const FIND_LIMIT: &'static str = "Find the most connections, or the highest rate of them";

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn common_mut(&mut self) -> &mut CommonArgs {
        &mut self.common
    }
}

impl TryFrom<ConnectArgs> for Config {
    type Error = Error;

    fn try_from(
        ConnectArgs { clients, hold, duration: _, ceiling, common }: ConnectArgs,
    ) -> Result<Self, Error> {
        if let Some(topic) = common.typed_topic()? {
            let topic = shown(topic.as_ref());
            let why = format!("conn has no messages, and -L names a topic for them, '{}'", cut(&topic));
            return Err(Error::usage(why));
        }
        let clients = Clients::pairs(clients.unwrap_or(100), 0);
        common.config(Mode::Connect, clients, ceiling, |load| {
            load.stop = StopAfter::After(hold.unwrap_or(Duration::from_secs(1)));
            Ok(())
        })
    }
}

impl LoadArgs for BenchPublishArgs {
    const MANUAL: &'static Manual = &bench_manual::PUBLISH;
    const MODE: Mode = Mode::Publish;
    const FIND_LIMIT: &'static str = "Find the highest load of publishers alone";

    fn send(&self) -> Option<&SendArgs> {
        Some(&self.send)
    }

    fn course(&self) -> Option<&CourseArgs> {
        Some(&self.course)
    }

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn common_mut(&mut self) -> &mut CommonArgs {
        &mut self.common
    }
}

impl TryFrom<BenchPublishArgs> for Config {
    type Error = Error;

    fn try_from(BenchPublishArgs { send, course, ceiling, common }: BenchPublishArgs) -> Result<Self, Error> {
        let clients = Clients::pairs(send.publishers(), 0);
        common.sending(Mode::Publish, clients, &send, &course, ceiling)
    }
}

impl LoadArgs for BenchSubscribeArgs {
    const MANUAL: &'static Manual = &bench_manual::SUBSCRIBE;
    const MODE: Mode = Mode::Subscribe;
    const FIND_LIMIT: &'static str = ""; // The load is that of other programs.

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn common_mut(&mut self) -> &mut CommonArgs {
        &mut self.common
    }
}

impl TryFrom<BenchSubscribeArgs> for Config {
    type Error = Error;

    fn try_from(args: BenchSubscribeArgs) -> Result<Self, Error> {
        let BenchSubscribeArgs { subscribers, qos, topic, shared_groups, course, common } = args;
        let subscribers = subscribers.unwrap_or(10);
        let clients = Clients { publishers: 0, subscribers, pattern: Pattern::All, shared_groups };
        let filter = common.topic(topic.as_deref(), FILTER)?;
        let checked = topic::check_filter(filter.as_bytes()).map(|_| ());
        checked.map_err(|why| Error::usage(format!("topic filter '{}': {why}", shown(filter.as_ref()))))?;
        common.config(Mode::Subscribe, clients, CeilingArgs::default(), |load| {
            (load.topic, load.qos) = (filter, qos.unwrap_or_default());
            course.apply(load);
            Ok(())
        })
    }
}

impl LoadArgs for EndToEndArgs {
    const MANUAL: &'static Manual = &bench_manual::END_TO_END;
    const MODE: Mode = Mode::EndToEnd;
    const FIND_LIMIT: &'static str = "Find the highest load from publisher to subscriber";

    fn send(&self) -> Option<&SendArgs> {
        Some(&self.send)
    }

    fn course(&self) -> Option<&CourseArgs> {
        Some(&self.course)
    }

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn common_mut(&mut self) -> &mut CommonArgs {
        &mut self.common
    }
}

impl TryFrom<EndToEndArgs> for Config {
    type Error = Error;

    fn try_from(args: EndToEndArgs) -> Result<Self, Error> {
        let EndToEndArgs { send, subscribers, pattern, shared_groups, course, ceiling, common } = args;
        let (publishers, all) = (send.publishers(), subscribers.unwrap_or(10));
        let (publishers, subscribers, pattern) = match pattern {
            Some(PatternName::FanIn) => (publishers, one(subscribers, "fan-in", "subscriber")?, Pattern::All),
            Some(PatternName::FanOut) => (send.one_publisher("fan-out")?, all, Pattern::All),
            Some(PatternName::All) => (publishers, all, Pattern::All),
            None | Some(PatternName::Pairs) => (publishers, all, Pattern::Pairs),
        };
        let clients = Clients { publishers, subscribers, pattern, shared_groups };
        common.sending(Mode::EndToEnd, clients, &send, &course, ceiling)
    }
}

impl LoadArgs for BenchRequestArgs {
    const MANUAL: &'static Manual = &bench_manual::REQUEST;
    const MODE: Mode = Mode::Request;
    const FIND_LIMIT: &'static str = "Find the highest load of round trips";

    fn send(&self) -> Option<&SendArgs> {
        Some(&self.send)
    }

    fn course(&self) -> Option<&CourseArgs> {
        Some(&self.course)
    }

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn common_mut(&mut self) -> &mut CommonArgs {
        &mut self.common
    }
}

impl TryFrom<BenchRequestArgs> for Config {
    type Error = Error;

    fn try_from(
        BenchRequestArgs { send, subscribers, course, ceiling, common }: BenchRequestArgs,
    ) -> Result<Self, Error> {
        let clients = Clients::pairs(send.publishers(), subscribers.unwrap_or(1));
        common.sending(Mode::Request, clients, &send, &course, ceiling)
    }
}

fn hold_instead(_: &str) -> Result<Duration, String> {
    Err("conn takes --hold, not --duration".into())
}
