//! The configuration of a load test, resolved and checked before anything is opened.

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::disturbance::Disturbances;
use super::group::{ClientGroup, MessageSource, Scenario};
use super::operation::OperationKind;
use super::shard::part::LoadShard;
use super::stage::RateStage;
use crate::client::options::ClientOptions;
use crate::protocol::QoS;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Connections that do nothing.
    Connect,
    /// Publishers alone.
    Publish,
    /// Subscribers alone, to whatever others publish.
    Subscribe,
    /// From publisher to subscriber.
    EndToEnd,
    /// From requester to responder and back.
    Request,
    /// From the broker's retained messages to new subscribers.
    Retained,
    /// Subscriptions and connections that come and go.
    Churn,
    /// Connections that end without DISCONNECT, and the wills that the broker then publishes.
    Wills,
}

impl Mode {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::Connect,
        Self::Publish,
        Self::Subscribe,
        Self::EndToEnd,
        Self::Request,
        Self::Retained,
        Self::Churn,
        Self::Wills,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "conn",
            Self::Publish => "pub",
            Self::Subscribe => "sub",
            Self::EndToEnd => "e2e",
            Self::Request => "rr",
            Self::Retained => "retained",
            Self::Churn => "churn",
            Self::Wills => "wills",
        }
    }

    /// The mode of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Whether its messages arrive at subscribers or requesters of this program.
    #[must_use]
    pub fn receives_its_own(self) -> bool {
        matches!(self, Self::EndToEnd | Self::Request | Self::Retained | Self::Wills)
    }

    /// Whether publishing is what it measures.
    #[must_use]
    pub fn publishes(self) -> bool {
        matches!(self, Self::Publish | Self::EndToEnd | Self::Request)
    }

    /// Whether there is something that its clients have to do at a time, and the broker has to answer.
    pub(super) fn has_schedule(self) -> bool {
        self.publishes() || matches!(self, Self::Retained | Self::Churn | Self::Wills)
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| D::Error::custom(format!("unknown mode '{name}'")))
    }
}

/// How fast messages are published, by all publishers together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Messages a second, on a schedule that does not wait for the broker (open loop).
    PerSecond(f64),
    /// As fast as the broker takes them (closed loop).
    Max,
}

/// How messages are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// At even distances.
    Uniform,
    /// Independent of each other, as from many devices.
    Poisson,
    /// So many at once, at even distances.
    Burst(u32),
}

/// Who gets whose messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Each message goes to one subscriber; with more subscribers than publishers, to its share of
    /// them.
    Pairs,
    /// Every subscriber gets every message.
    All,
}

/// What a message carries behind its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// This many bytes in all, stamp included.
    Size(usize),
    /// A text with `{client}` and `{sequence}` in it.
    Template(Vec<u8>),
    /// A text of the template room, with the values of each client from a CSV file.
    Fields {
        /// The text.
        text: Vec<u8>,
        /// The file.
        csv: Option<PathBuf>,
    },
    /// The content of a file.
    File(PathBuf),
    /// A line of a file, drawn by the seed.
    Lines(PathBuf),
}

/// When publishing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopAfter {
    /// After this time.
    After(Duration),
    /// After this many messages of all publishers together.
    Count(u64),
}

/// The topics of a load without `--topic`.
pub const TOPIC: &str = "bench/{client}/{topic}";

/// A load on a broker.
#[derive(Debug, Clone)]
pub struct Load {
    /// What is measured.
    pub mode: Mode,
    /// How to connect; identifier, credentials and local address differ from client to client.
    pub client: ClientOptions,
    /// Of clients that publish; in [`Mode::Connect`], of all clients.
    pub publishers: u32,
    /// Of clients that subscribe; in [`Mode::Request`], that answer.
    pub subscribers: u32,
    /// How fast.
    pub rate: Rate,
    /// How spread.
    pub arrivals: Arrivals,
    /// Each message is late on purpose by a random time up to this.
    pub jitter: Duration,
    /// Most QoS 0 messages in one write at [`Rate::Max`].
    pub per_write: u32,
    /// What is sent.
    pub payload: Payload,
    /// Topics of each publisher; of all, if the topic does not name the client.
    pub topics: u32,
    /// With `{client}` and `{topic}`.
    pub topic: String,
    /// Who gets what.
    pub pattern: Pattern,
    /// Shared-subscription groups, each of which gets every message once; 0 for no sharing.
    pub shared_groups: u32,
    /// Of messages and subscriptions.
    pub qos: QoS,
    /// When to stop; in [`Mode::Connect`], how long the connections are held.
    pub stop: StopAfter,
    /// Load that does not count, before.
    pub warmup: Duration,
    /// Longest wait, at the end, for what is still under way.
    pub drain: Duration,
    /// New connections a second; as fast as it goes if there is none.
    pub ramp: Option<f64>,
    /// A client's identifier, credentials and certificate in each line.
    pub credentials: Option<PathBuf>,
    /// Local addresses, used in turn.
    pub local_addresses: Vec<IpAddr>,
    /// Threads, each with its share of the clients.
    pub threads: usize,
    /// This program, to start the embedded broker with, if that is the target.
    pub embedded: Option<PathBuf>,
    /// Of everything random.
    pub seed: u64,
    /// Its groups of clients, where the options above do not say what they are.
    pub own_groups: Vec<ClientGroup>,
    /// Its groups of clients, where they are not those of its mode.
    pub scenario: Option<Arc<Scenario>>,
    /// What disturbs it on purpose.
    pub disturbances: Disturbances,
    /// How its rate changes, if it does; the rate is that before the first.
    pub stages: Vec<RateStage>,
    /// TLS sessions are resumed; otherwise every handshake is a full one.
    pub resumes_tls: bool,
    /// A limit that is broken ends it, from this time of the measurement, or of a stage, on.
    pub abort_after: Option<Duration>,
    /// Its part of this process, where several have parts of one load.
    pub shard: Option<LoadShard>,
}

impl Load {
    /// A small load of these clients, as it is without options: 1,000 messages a second for ten seconds.
    #[must_use]
    pub fn new(mode: Mode, client: ClientOptions, publishers: u32, subscribers: u32, threads: usize) -> Self {
        Self {
            mode,
            client,
            publishers,
            subscribers,
            rate: Rate::PerSecond(1000.0),
            arrivals: Arrivals::Uniform,
            jitter: Duration::ZERO,
            per_write: u32::MAX,
            payload: Payload::Size(64),
            topics: 1,
            topic: TOPIC.into(),
            pattern: Pattern::Pairs,
            shared_groups: 0,
            qos: QoS::AtMostOnce,
            stop: StopAfter::After(Duration::from_secs(10)),
            warmup: Duration::ZERO,
            drain: Duration::from_secs(5),
            ramp: None,
            credentials: None,
            local_addresses: Vec::new(),
            threads,
            embedded: None,
            seed: 1,
            own_groups: Vec::new(),
            scenario: None,
            disturbances: Disturbances::default(),
            stages: Vec::new(),
            resumes_tls: false,
            abort_after: None,
            shard: None,
        }
    }

    /// Whether clients come back when their link is lost.
    #[must_use]
    pub fn reconnects(&self) -> bool {
        self.client.reconnect.attempts != Some(0)
    }

    /// All clients.
    #[must_use]
    pub fn clients(&self) -> u32 {
        match &self.scenario {
            Some(scenario) => scenario.groups.iter().map(|group| group.clients).sum(),
            None => self.publishers + self.subscribers,
        }
    }
}

/// What was asked for, as the report holds it: all that shapes the load, so that it can be put on
/// again. Users, passwords and keys are not in it: reports are shown to others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Configuration {
    pub(super) broker: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scenario: Option<NamedScenario>,
    /// `tcp`, `tls`, `ws`, `wss` or `unix`.
    pub(super) transport: Cow<'static, str>,
    pub(super) protocol: String,
    pub(super) proxy: bool,
    /// `full` or `resume`; left out without TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls_resumption: Option<Cow<'static, str>>,
    pub(super) embedded: bool,
    /// Empty: the broker assigned one.
    pub(super) client_id: String,
    pub(super) clean_start: bool,
    pub(super) session_expiry_s: Option<u32>,
    pub(super) max_packet_bytes: u32,
    /// Of connections that do nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) clients: Option<u32>,
    #[serde(flatten)]
    pub(super) sending: Option<Sending>,
    #[serde(flatten)]
    pub(super) receiving: Option<Receiving>,
    #[serde(flatten)]
    pub(super) messages: Option<MessageLoad>,
    /// What clients do in place of publishing, by group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) operations: Vec<OperationLoad>,
    /// What the broker is given to retain, before the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retained: Option<RetainedLoad>,
    /// Of a load whose clients do something in place of publishing.
    // Read, it would take the key of the same name from `Sending`. Shards have no such load.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(super) drain_s: Option<f64>,
    pub(super) duration_s: Option<f64>,
    pub(super) count: Option<u64>,
    pub(super) ramp_per_s: Option<f64>,
    pub(super) keep_alive_s: u16,
    pub(super) connect_timeout_s: f64,
    /// How many attempts in a row may fail, or `always`; left out where clients do not come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reconnect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reconnect_max_delay_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) disturbances: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) abort_after_s: Option<f64>,
    pub(super) credentials: Option<String>,
    pub(super) local_addresses: Vec<String>,
    pub(super) threads: usize,
    pub(super) seed: u64,
}

/// The scenario of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct NamedScenario {
    pub(super) name: String,
    /// The part of its clients that there were.
    pub(super) scale: f64,
}

impl NamedScenario {
    /// Its name, and that it was shrunk if it was.
    pub(super) fn shown(&self) -> String {
        let percent = self.scale * 100.0;
        if self.scale < 1.0 {
            format!("{}, with {percent} % of its clients", self.name)
        } else {
            self.name.clone()
        }
    }
}

/// What only a load with messages of its own has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sending {
    pub(super) publishers: u32,
    /// Messages a second, of stages on average; null in the closed loop.
    pub(super) rate_per_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) stages: Vec<String>,
    pub(super) arrivals: String,
    pub(super) jitter_s: f64,
    pub(super) inflight: u16,
    /// Most QoS 0 messages in a write of the closed loop; null for as many as fit.
    pub(super) per_write: Option<u32>,
    /// `size`, `template`, `fields`, `file` or `lines`.
    pub(super) payload: Cow<'static, str>,
    pub(super) payload_text: Option<String>,
    pub(super) payload_file: Option<String>,
    /// With the stamp; of a template, before it is filled in.
    pub(super) payload_bytes: usize,
    pub(super) topics: u32,
    pub(super) drain_s: f64,
}

/// What only a load with subscribers has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Receiving {
    pub(super) subscribers: u32,
    pub(super) pattern: Cow<'static, str>,
    pub(super) shared_groups: u32,
}

/// What only a load with messages has, of whomever they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct MessageLoad {
    pub(super) topic: String,
    pub(super) qos: u8,
    pub(super) warmup_s: f64,
}

/// What the clients of a group do in place of publishing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OperationLoad {
    pub(super) group: String,
    pub(super) kind: OperationKind,
    pub(super) clients: u32,
    /// Operations a second of all of them together; null: all at once.
    pub(super) rate_per_s: Option<f64>,
    /// Filters of each subscription.
    pub(super) filters: u32,
}

impl OperationLoad {
    fn of(group: &ClientGroup) -> Option<Self> {
        let operation = group.operation?;
        let filters = group.subscribe.iter().map(|subscription| match subscription.source {
            MessageSource::Filter { filters, .. } => filters,
            MessageSource::Group { .. } => 1,
        });
        Some(Self {
            group: group.name.clone(),
            kind: operation.kind,
            clients: group.clients,
            rate_per_s: match operation.rate {
                Rate::PerSecond(rate) => Some(rate),
                Rate::Max => None,
            },
            filters: filters.sum(),
        })
    }
}

/// What the broker is given to retain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RetainedLoad {
    pub(super) publishers: u32,
    /// Of all of them together, each with a topic of its own.
    pub(super) messages: u64,
    pub(super) payload_bytes: usize,
}

impl RetainedLoad {
    fn of(groups: &[ClientGroup], payload_bytes: usize) -> Self {
        let publishing =
            || groups.iter().filter_map(|group| Some((group.clients, group.publish.as_ref()?.topics)));
        Self {
            publishers: publishing().map(|(clients, _)| clients).sum(),
            messages: publishing().map(|(clients, topics)| u64::from(clients) * u64::from(topics)).sum(),
            payload_bytes,
        }
    }
}

impl Configuration {
    pub(super) fn of(load: &Load, broker: String, protocol: String, payload_bytes: usize) -> Self {
        let client = &load.client;
        Self {
            broker,
            scenario: load
                .scenario
                .as_deref()
                .map(|scenario| NamedScenario { name: scenario.name.clone(), scale: scenario.scale }),
            transport: client.transport_name().into(),
            protocol,
            proxy: client.endpoint.proxy.is_some(),
            tls_resumption: client
                .endpoint
                .tls
                .as_ref()
                .map(|_| if load.resumes_tls { "resume" } else { "full" }.into()),
            embedded: load.embedded.is_some(),
            client_id: client.client_identifier.clone(),
            clean_start: client.clean_start,
            session_expiry_s: client.session_expiry_interval,
            max_packet_bytes: client.max_packet_bytes,
            clients: (load.mode == Mode::Connect).then_some(load.publishers),
            sending: load.mode.publishes().then(|| Sending::of(load, payload_bytes)),
            receiving: (load.mode.receives_its_own() || load.mode == Mode::Subscribe).then(|| Receiving {
                subscribers: load.subscribers,
                pattern: match load.pattern {
                    Pattern::Pairs => "pairs".into(),
                    Pattern::All => "all".into(),
                },
                shared_groups: load.shared_groups,
            }),
            messages: (load.mode != Mode::Connect).then(|| MessageLoad {
                topic: load.topic.clone(),
                qos: load.qos as u8,
                warmup_s: load.warmup.as_secs_f64(),
            }),
            operations: load.groups().iter().filter_map(OperationLoad::of).collect(),
            drain_s: (load.mode.has_schedule() && !load.mode.publishes()).then_some(load.drain.as_secs_f64()),
            retained: (load.mode == Mode::Retained).then(|| RetainedLoad::of(&load.groups(), payload_bytes)),
            duration_s: match load.stop {
                StopAfter::After(duration) => Some(duration.as_secs_f64()),
                StopAfter::Count(_) => None,
            },
            count: match load.stop {
                StopAfter::After(_) => None,
                StopAfter::Count(count) => Some(count),
            },
            ramp_per_s: load.ramp,
            keep_alive_s: client.keep_alive,
            connect_timeout_s: client.connect_timeout.as_secs_f64(),
            reconnect: load.reconnects().then(|| {
                client.reconnect.attempts.map_or_else(|| "always".into(), |attempts| attempts.to_string())
            }),
            reconnect_max_delay_s: load.reconnects().then_some(client.reconnect.max_delay.as_secs_f64()),
            disturbances: load.disturbances.all.iter().map(ToString::to_string).collect(),
            abort_after_s: load.abort_after.map(|grace| grace.as_secs_f64()),
            credentials: load.credentials.as_ref().map(|path| path.display().to_string()),
            local_addresses: load.local_addresses.iter().map(ToString::to_string).collect(),
            threads: load.threads,
            seed: load.seed,
        }
    }
}

impl Sending {
    fn of(load: &Load, payload_bytes: usize) -> Self {
        Self {
            publishers: load.publishers,
            rate_per_s: load.mean_rate(),
            stages: load.stages.iter().map(ToString::to_string).collect(),
            arrivals: match load.arrivals {
                Arrivals::Uniform => "uniform".into(),
                Arrivals::Poisson => "poisson".into(),
                Arrivals::Burst(size) => format!("burst:{size}"),
            },
            jitter_s: load.jitter.as_secs_f64(),
            inflight: load.client.max_inflight,
            per_write: Some(load.per_write).filter(|most| *most < u32::MAX),
            payload_text: match &load.payload {
                Payload::Template(text) | Payload::Fields { text, .. } => {
                    Some(String::from_utf8_lossy(text).into_owned())
                }
                Payload::Size(_) | Payload::File(_) | Payload::Lines(_) => None,
            },
            payload_file: match &load.payload {
                Payload::File(path) | Payload::Lines(path) => Some(path.display().to_string()),
                Payload::Size(_) | Payload::Template(_) | Payload::Fields { .. } => None,
            },
            payload: match load.payload {
                Payload::Size(_) => "size".into(),
                Payload::Template(_) => "template".into(),
                Payload::Fields { .. } => "fields".into(),
                Payload::File(_) => "file".into(),
                Payload::Lines(_) => "lines".into(),
            },
            payload_bytes,
            topics: load.topics,
            drain_s: load.drain.as_secs_f64(),
        }
    }
}
