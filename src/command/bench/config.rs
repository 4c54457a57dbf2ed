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
    /// Idle connections.
    Connect,
    /// Publishers only.
    Publish,
    /// Subscribers only, for messages of other programs.
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
    /// All modes.
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

    /// The name on the command line.
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

    /// The mode with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Whether its messages arrive at subscribers or requesters of this program.
    #[must_use]
    pub fn receives_its_own(self) -> bool {
        matches!(self, Self::EndToEnd | Self::Request | Self::Retained | Self::Wills)
    }

    /// Whether it measures publishing.
    #[must_use]
    pub fn publishes(self) -> bool {
        matches!(self, Self::Publish | Self::EndToEnd | Self::Request)
    }

    /// Whether its clients have scheduled work that the broker answers.
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

/// The rate of messages of all publishers together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Messages per second, on a schedule that does not wait for the broker (open loop).
    PerSecond(f64),
    /// As fast as the broker takes them (closed loop).
    Max,
}

/// How messages are distributed over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// At equal intervals.
    Uniform,
    /// At independent times, as from many devices.
    Poisson,
    /// This number of messages at once, at equal intervals.
    Burst(u32),
}

/// The subscribers of each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// One subscriber per message; with more subscribers than publishers, a fixed share of them.
    Pairs,
    /// All subscribers.
    All,
}

/// The payload of a message after its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// This total number of bytes, including the stamp.
    Size(usize),
    /// A text with the placeholders `{client}` and `{sequence}`.
    Template(Vec<u8>),
    /// A text of the template room.
    Fields(Vec<u8>),
    /// The content of a file.
    File(PathBuf),
    /// A line of a file, selected by the seed.
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
    /// Connection options; identifier, credentials and local address differ between clients.
    pub client: ClientOptions,
    /// Number of publishing clients; in [`Mode::Connect`], of all clients.
    pub publishers: u32,
    /// Number of subscribing clients; in [`Mode::Request`], of responders.
    pub subscribers: u32,
    /// The rate of messages.
    pub rate: Rate,
    /// The distribution of messages over time.
    pub arrivals: Arrivals,
    /// Maximum random delay that is added to each message.
    pub jitter: Duration,
    /// Maximum number of QoS 0 messages per write at [`Rate::Max`].
    pub per_write: u32,
    /// The payload.
    pub payload: Payload,
    /// Number of topics per publisher; in total, if the topic does not contain the client.
    pub topics: u32,
    /// Columns of values, with a line for each publisher.
    pub client_values: Option<PathBuf>,
    /// With fields as levels, such as `{client}` and `{topic}`.
    pub topic: String,
    /// The subscribers of each message.
    pub pattern: Pattern,
    /// Number of shared-subscription groups, each of which gets every message once; 0 for ordinary
    /// subscriptions.
    pub shared_groups: u32,
    /// The QoS of messages and subscriptions.
    pub qos: QoS,
    /// The end of publishing; in [`Mode::Connect`], how long connections are held.
    pub stop: StopAfter,
    /// Length of the load before the measurement.
    pub warmup: Duration,
    /// Maximum wait for messages in flight at the end.
    pub drain: Duration,
    /// New connections per second; unlimited if `None`.
    pub ramp: Option<f64>,
    /// A CSV file with a client identifier, credentials or certificate on each line.
    pub credentials: Option<PathBuf>,
    /// Local addresses, used in turn.
    pub local_addresses: Vec<IpAddr>,
    /// Number of threads, each with a share of the clients.
    pub threads: usize,
    /// The path of this program, if its embedded broker is the target.
    pub embedded: Option<PathBuf>,
    /// The seed of all random values.
    pub seed: u64,
    /// The groups of clients of a mode whose options are not those above; otherwise empty.
    pub own_groups: Vec<ClientGroup>,
    /// The groups of a scenario, which replace those of the mode.
    pub scenario: Option<Arc<Scenario>>,
    /// The disturbances of the run.
    pub disturbances: Disturbances,
    /// Changes of the rate; `rate` applies before the first.
    pub stages: Vec<RateStage>,
    /// Whether TLS sessions are resumed; otherwise every handshake is a full one.
    pub resumes_tls: bool,
    /// A broken limit ends the run, from this time of the measurement or stage on.
    pub abort_after: Option<Duration>,
    /// This process's part of the load, if several processes share it.
    pub shard: Option<LoadShard>,
}

impl Load {
    /// A load with these clients and the default options: 1,000 messages per second for ten seconds.
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
            client_values: None,
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

    /// Whether clients reconnect.
    #[must_use]
    pub fn reconnects(&self) -> bool {
        self.client.reconnect.attempts != Some(0)
    }

    /// The number of clients.
    #[must_use]
    pub fn clients(&self) -> u32 {
        match &self.scenario {
            Some(scenario) => {
                let all = scenario.groups.iter().map(|group| group.clients);
                all.fold(0, u32::saturating_add)
            }
            None => self.publishers.saturating_add(self.subscribers),
        }
    }
}

/// The configuration in the report: everything that determines the load, so that it can be repeated. Users,
/// passwords and keys are omitted, because reports are shown to others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Configuration {
    pub(super) broker: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scenario: Option<NamedScenario>,
    /// `tcp`, `tls`, `ws`, `wss` or `unix`.
    pub(super) transport: Cow<'static, str>,
    pub(super) protocol: String,
    pub(super) proxy: bool,
    /// `full` or `resume`; absent without TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls_resumption: Option<Cow<'static, str>>,
    pub(super) embedded: bool,
    /// Empty if the broker assigned one.
    pub(super) client_id: String,
    pub(super) clean_start: bool,
    pub(super) session_expiry_s: Option<u32>,
    pub(super) max_packet_bytes: u32,
    /// For idle connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) clients: Option<u32>,
    #[serde(flatten)]
    pub(super) sending: Option<Sending>,
    #[serde(flatten)]
    pub(super) receiving: Option<Receiving>,
    #[serde(flatten)]
    pub(super) messages: Option<MessageLoad>,
    /// Operations of clients instead of publishing, by group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) operations: Vec<OperationLoad>,
    /// Messages that the broker is given to retain before the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retained: Option<RetainedLoad>,
    /// For a load with operations instead of publishing.
    // Not read back: it would take the key of the same name from `Sending`. Shards have no such load.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(super) drain_s: Option<f64>,
    pub(super) duration_s: Option<f64>,
    pub(super) count: Option<u64>,
    pub(super) ramp_per_s: Option<f64>,
    pub(super) keep_alive_s: u16,
    pub(super) connect_timeout_s: f64,
    /// Number of consecutive attempts that may fail, or `always`; absent if clients do not reconnect.
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
    /// The fraction of its clients that were used.
    pub(super) scale: f64,
}

impl NamedScenario {
    /// Its name, and its scale if that is not 1.
    pub(super) fn shown(&self) -> String {
        let percent = self.scale * 100.0;
        if self.scale < 1.0 {
            format!("{}, with {percent} % of its clients", self.name)
        } else {
            self.name.clone()
        }
    }
}

/// Settings of a load with its own messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sending {
    pub(super) publishers: u32,
    /// Messages per second, with stages on average; null in the closed loop.
    pub(super) rate_per_s: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) stages: Vec<String>,
    pub(super) arrivals: String,
    pub(super) jitter_s: f64,
    pub(super) inflight: u16,
    /// Maximum number of QoS 0 messages per write of the closed loop; null for as many as fit.
    pub(super) per_write: Option<u32>,
    /// `size`, `template`, `fields`, `file` or `lines`.
    pub(super) payload: Cow<'static, str>,
    pub(super) payload_text: Option<String>,
    pub(super) payload_file: Option<String>,
    /// Including the stamp; for a template, before its placeholders are replaced.
    pub(super) payload_bytes: usize,
    pub(super) topics: u32,
    pub(super) drain_s: f64,
}

/// Settings of a load with subscribers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Receiving {
    pub(super) subscribers: u32,
    pub(super) pattern: Cow<'static, str>,
    pub(super) shared_groups: u32,
}

/// Settings of a load with messages of any program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct MessageLoad {
    pub(super) topic: String,
    pub(super) qos: u8,
    pub(super) warmup_s: f64,
}

/// The operations of a group's clients instead of publishing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OperationLoad {
    pub(super) group: String,
    pub(super) kind: OperationKind,
    pub(super) clients: u32,
    /// Operations per second of all clients together; null for all at once.
    pub(super) rate_per_s: Option<f64>,
    /// Number of filters per subscription.
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

/// Messages that the broker is given to retain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RetainedLoad {
    pub(super) publishers: u32,
    /// Total number of messages, each with its own topic.
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
                Payload::Template(text) | Payload::Fields(text) => {
                    Some(String::from_utf8_lossy(text).into_owned())
                }
                Payload::Size(_) | Payload::File(_) | Payload::Lines(_) => None,
            },
            payload_file: match &load.payload {
                Payload::File(path) | Payload::Lines(path) => Some(path.display().to_string()),
                Payload::Size(_) | Payload::Template(_) | Payload::Fields(_) => None,
            },
            payload: match load.payload {
                Payload::Size(_) => "size".into(),
                Payload::Template(_) => "template".into(),
                Payload::Fields(_) => "fields".into(),
                Payload::File(_) => "file".into(),
                Payload::Lines(_) => "lines".into(),
            },
            payload_bytes,
            topics: load.topics,
            drain_s: load.drain.as_secs_f64(),
        }
    }
}
