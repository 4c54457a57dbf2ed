//! The modes of `mqtt bench` whose clients perform operations instead of publishing: `retained`, `churn` and
//! `wills`.

use std::time::Duration;

use super::bench_figures::figures;
use super::bench_load::{CeilingArgs, Clients, CommonArgs};
use super::bench_manual;
use super::bench_mode::LoadArgs;
use super::bench_values::{arrivals, bytes};
use super::manual::Manual;
use super::value;
use crate::client::options::Will;
use crate::command::bench::config::{Arrivals, Load, Mode, Pattern, Payload, Rate, StopAfter};
use crate::command::bench::group::{
    ClientGroup, GroupOperation, GroupPublish, GroupSubscription, MessageSource, SHARE_NAME,
};
use crate::command::bench::operation::OperationKind;
use crate::command::bench::{Config, LEAST_STAMP_BYTES, LONG_STAMP_BYTES, check_groups};
use crate::error::Error;
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;
use crate::quantity::counted;

/// Measure how long new subscribers wait for the retained messages
///
/// The messages are published before the measurement and cleared after it. Each has a topic of its own,
/// bench/retained/PUBLISHER/TOPIC, and each subscriber receives all of them.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = figures())]
pub(super) struct RetainedArgs {
    /// Retained messages, each with a topic of its own [default: 1000]
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Load")]
    messages: Option<u32>,

    /// Clients that publish them [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Load")]
    publishers: Option<u32>,

    /// Clients that subscribe, once each [default: 10]
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Load")]
    subscribers: Option<u32>,

    /// Subscribers a second, on a schedule that does not wait for the broker [default: all at once]
    #[arg(long, value_name = "RATE", value_parser = value::per_second, help_heading = "Load")]
    rate: Option<f64>,

    /// QoS of messages and subscriptions [default: 0]
    #[arg(short = 'q', long, value_name = "QOS", value_parser = value::qos(), hide_possible_values = true,
          help_heading = "Load")]
    qos: Option<QoS>,

    /// Size of each payload, such as 1k, of at least 16 bytes [default: 64]
    #[arg(long, value_name = "SIZE", value_parser = bytes, help_heading = "Load")]
    size: Option<usize>,

    /// Longest wait at the end for messages in flight, and for the broker to take or clear any of the messages [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration, help_heading = "Course")]
    drain: Option<Duration>,

    #[command(flatten)]
    common: CommonArgs,
}

/// Subscribe and unsubscribe, and connect and disconnect, at a rate
///
/// Each client does what is its turn, on a schedule that does not wait for the broker; latency counts from that time. The
/// clients of --subscribe-rate stay connected, and send SUBSCRIBE and UNSUBSCRIBE in turn. Those of --connect-rate
/// send DISCONNECT, close the connection and connect again. Given one of the two, only that happens.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = figures())]
pub(super) struct ChurnArgs {
    /// Clients that subscribe and unsubscribe, and the same number that reconnect [default: 100]
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Load")]
    clients: Option<u32>,

    /// SUBSCRIBE and UNSUBSCRIBE packets a second of all clients together [default: 100/s]
    #[arg(long, value_name = "RATE", value_parser = value::per_second, help_heading = "Load")]
    subscribe_rate: Option<f64>,

    /// Reconnects per second of all clients together [default: 100/s]
    #[arg(long, value_name = "RATE", value_parser = value::per_second, help_heading = "Load")]
    connect_rate: Option<f64>,

    /// How they are spread over time: uniform, poisson or burst:COUNT [default: uniform]
    #[arg(long, value_name = "ARRIVALS", value_parser = arrivals, help_heading = "Load")]
    arrivals: Option<Arrivals>,

    /// Topic filters in each SUBSCRIBE and UNSUBSCRIBE [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = value::filters, help_heading = "Load")]
    filters: Option<u32>,

    /// QoS of the subscriptions [default: 0]
    #[arg(short = 'q', long, value_name = "QOS", value_parser = value::qos(), hide_possible_values = true,
          help_heading = "Load")]
    qos: Option<QoS>,

    /// How long to measure [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration, help_heading = "Course")]
    duration: Option<Duration>,

    /// Warm-up before the measurement [default: 0]
    #[arg(long, value_name = "DURATION", value_parser = value::duration, help_heading = "Course")]
    warmup: Option<Duration>,

    /// Longest wait at the end for answers [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration, help_heading = "Course")]
    drain: Option<Duration>,

    #[command(flatten)]
    common: CommonArgs,
}

/// End connections without DISCONNECT, and measure how long the wills take to come
///
/// Each client connects with a will, bench/wills/CLIENT, and later closes its connection. The delay counts from there until
/// a subscriber receives the will. Wills that do not come are lost.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = figures())]
pub(super) struct WillsArgs {
    /// Clients with a will [default: 100]
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Load")]
    clients: Option<u32>,

    /// Connections a second that end [default: all at once]
    #[arg(long, value_name = "RATE", value_parser = value::per_second, help_heading = "Load")]
    rate: Option<f64>,

    /// Clients that subscribe to all wills [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = value::clients, help_heading = "Load")]
    subscribers: Option<u32>,

    /// QoS of wills and subscriptions [default: 0]
    #[arg(short = 'q', long, value_name = "QOS", value_parser = value::qos(), hide_possible_values = true,
          help_heading = "Load")]
    qos: Option<QoS>,

    /// Size of the payload of each will, of 32 to 65,535 bytes [default: 64]
    #[arg(long, value_name = "SIZE", value_parser = bytes, help_heading = "Load")]
    size: Option<usize>,

    /// Longest wait at the end for wills [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration, help_heading = "Course")]
    drain: Option<Duration>,

    #[command(flatten)]
    common: CommonArgs,
}

/// The rate of operations, or all of them at once.
fn rate(given: Option<f64>) -> Rate {
    given.map_or(Rate::Max, Rate::PerSecond)
}

/// A subscription of each client of a group to all messages of another group.
fn to_all_of(group: usize, qos: QoS) -> GroupSubscription {
    let source = MessageSource::Group { group, pattern: Pattern::All, filter: None };
    GroupSubscription { source, qos, shared_groups: 0, share_name: SHARE_NAME.into() }
}

/// Sets the groups of a load. They must pass the same checks as those of a scenario.
fn with_groups(load: &mut Load, groups: Vec<ClientGroup>) -> Result<(), Error> {
    check_groups(&groups).map_err(|fault| Error::usage(fault.why))?;
    load.own_groups = groups;
    Ok(())
}

impl LoadArgs for RetainedArgs {
    const MANUAL: &'static Manual = &bench_manual::RETAINED;
    const MODE: Mode = Mode::Retained;
    const FIND_LIMIT: &'static str = "";

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn common_mut(&mut self) -> &mut CommonArgs {
        &mut self.common
    }
}

impl TryFrom<RetainedArgs> for Config {
    type Error = Error;

    fn try_from(args: RetainedArgs) -> Result<Self, Error> {
        let RetainedArgs { messages, publishers, subscribers, rate: given, qos, size, drain, common } = args;
        let (messages, publishers) = (messages.unwrap_or(1000), publishers.unwrap_or(1));
        let (subscribers, qos, size) =
            (subscribers.unwrap_or(10), qos.unwrap_or_default(), size.unwrap_or(64));
        if size < LEAST_STAMP_BYTES {
            let why = format!(
                "--size {size}: retained needs {LEAST_STAMP_BYTES} bytes or more, to tell messages apart"
            );
            return Err(Error::usage(why));
        }
        if messages % publishers > 0 {
            let publishers = counted(publishers.into(), "publisher");
            return Err(Error::usage(format!(
                "--messages {messages} cannot be shared out evenly to {publishers}"
            )));
        }
        let mut senders = ClientGroup::new("publishers", publishers, "p{client}");
        senders.publish = Some(GroupPublish {
            rate: Rate::Max,
            arrivals: Arrivals::Uniform,
            jitter: Duration::ZERO,
            per_write: u32::MAX,
            inflight: None,
            payload: Payload::Size(size),
            topics: messages / publishers,
            topic: "bench/retained/{client}/{topic}".into(),
            qos,
            retain: true,
            alias: false,
        });
        let mut receivers = ClientGroup::new("subscribers", subscribers, "s{client}");
        receivers.starts_after = Some(0);
        receivers.subscribe.push(to_all_of(0, qos));
        receivers.operation = Some(GroupOperation {
            kind: OperationKind::Fetch,
            rate: rate(given),
            arrivals: Arrivals::Uniform,
        });
        let clients = Clients::pairs(publishers, subscribers);
        common.config(Mode::Retained, clients, CeilingArgs::default(), |load| {
            (load.qos, load.stop) = (qos, StopAfter::Count(subscribers.into()));
            load.topic = "bench/retained/{client}/{topic}".into();
            load.drain = drain.unwrap_or(load.drain);
            with_groups(load, vec![senders, receivers])
        })
    }
}

impl LoadArgs for ChurnArgs {
    const MANUAL: &'static Manual = &bench_manual::CHURN;
    const MODE: Mode = Mode::Churn;
    const FIND_LIMIT: &'static str = "";

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn common_mut(&mut self) -> &mut CommonArgs {
        &mut self.common
    }
}

impl TryFrom<ChurnArgs> for Config {
    type Error = Error;

    fn try_from(args: ChurnArgs) -> Result<Self, Error> {
        let ChurnArgs {
            clients,
            subscribe_rate,
            connect_rate,
            arrivals,
            filters,
            qos,
            duration,
            warmup,
            drain,
            common,
        } = args;
        let (clients, qos, filters) = (clients.unwrap_or(100), qos.unwrap_or_default(), filters.unwrap_or(1));
        let (subscribe_rate, connect_rate) = match (subscribe_rate, connect_rate) {
            (None, None) => (Some(100.0), Some(100.0)),
            given => given,
        };
        if filters > 1 && subscribe_rate.is_none() {
            return Err(Error::usage("--filters needs --subscribe-rate"));
        }
        let operation = |kind, rate| {
            let rate = Rate::PerSecond(rate);
            Some(GroupOperation { kind, rate, arrivals: arrivals.unwrap_or(Arrivals::Uniform) })
        };
        let mut groups = Vec::new();
        if let Some(rate) = subscribe_rate {
            let mut group = ClientGroup::new("subscribers", clients, "s{client}");
            group.operation = operation(OperationKind::Subscribe, rate);
            let filter = "bench/churn/{client}/{filter}".into();
            let source = MessageSource::Filter { filter, filters };
            group.subscribe.push(GroupSubscription { source, ..to_all_of(0, qos) });
            groups.push(group);
        }
        if let Some(rate) = connect_rate {
            let mut group = ClientGroup::new("visitors", clients, "v{client}");
            group.operation = operation(OperationKind::Connect, rate);
            groups.push(group);
        }
        let all = groups.iter().map(|group| group.clients).fold(0, u32::saturating_add);
        common.config(Mode::Churn, Clients::pairs(0, all), CeilingArgs::default(), |load| {
            (load.qos, load.topic) = (qos, "bench/churn/{client}/{filter}".into());
            load.stop = StopAfter::After(duration.unwrap_or(Duration::from_secs(10)));
            load.warmup = warmup.unwrap_or(load.warmup);
            load.drain = drain.unwrap_or(load.drain);
            with_groups(load, groups)
        })
    }
}

impl LoadArgs for WillsArgs {
    const MANUAL: &'static Manual = &bench_manual::WILLS;
    const MODE: Mode = Mode::Wills;
    const FIND_LIMIT: &'static str = "";

    fn common(&self) -> &CommonArgs {
        &self.common
    }

    fn common_mut(&mut self) -> &mut CommonArgs {
        &mut self.common
    }
}

impl TryFrom<WillsArgs> for Config {
    type Error = Error;

    fn try_from(args: WillsArgs) -> Result<Self, Error> {
        let WillsArgs { clients, rate: given, subscribers, qos, size, drain, common } = args;
        let (clients, subscribers) = (clients.unwrap_or(100), subscribers.unwrap_or(1));
        let (qos, size) = (qos.unwrap_or_default(), size.unwrap_or(64));
        if !(LONG_STAMP_BYTES..=usize::from(u16::MAX)).contains(&size) {
            let why =
                format!("--size {size}: a will of this load has {LONG_STAMP_BYTES} to {} bytes", u16::MAX);
            return Err(Error::usage(why));
        }
        let mut ending = ClientGroup::new("clients", clients, "c{client}");
        ending.operation =
            Some(GroupOperation { kind: OperationKind::End, rate: rate(given), arrivals: Arrivals::Uniform });
        ending.connection.will = Some(Will {
            topic: "bench/wills/{client}".into(),
            // The payload after the stamp.
            payload: vec![b'w'; size - LONG_STAMP_BYTES],
            qos,
            retain: false,
            properties: PropertyBlock::default(),
        });
        let mut watching = ClientGroup::new("subscribers", subscribers, "s{client}");
        watching.subscribe.push(to_all_of(0, qos));
        common.config(Mode::Wills, Clients::pairs(clients, subscribers), CeilingArgs::default(), |load| {
            (load.qos, load.stop) = (qos, StopAfter::Count(clients.into()));
            load.topic = "bench/wills/{client}".into();
            load.drain = drain.unwrap_or(load.drain);
            with_groups(load, vec![ending, watching])
        })
    }
}
