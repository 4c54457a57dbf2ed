//! Groups of clients, of which a load consists. The options of a mode result in one or two groups; a scenario
//! may have any number.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::config::{Arrivals, Load, Mode, Pattern, Payload, Rate};
use super::operation::OperationKind;
use crate::client::options::{ClientOptions, Will};
use crate::error::Error;
use crate::protocol::QoS;

/// A load with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The name of the file or of the built-in scenario.
    pub name: String,
    /// The scale of its counts, 1 for all.
    pub scale: f64,
    /// Its clients.
    pub groups: Vec<ClientGroup>,
    /// The files that it names.
    pub files: Vec<NamedFile>,
}

/// A file that a scenario names.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedFile {
    /// Its path.
    pub path: PathBuf,
    /// The line and the key in the scenario's file.
    pub place: String,
}

impl NamedFile {
    /// Checks that the file is there.
    ///
    /// # Errors
    /// The reason, with the place in the scenario's file.
    pub(super) fn check(&self) -> Result<(), Error> {
        let missing =
            |error| Error::file(format!("{}: cannot read {}", self.place, self.path.display()), error);
        std::fs::metadata(&self.path).map(drop).map_err(missing)
    }
}

/// Clients with the same tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientGroup {
    /// Its name in the report.
    pub name: String,
    /// Number of clients.
    pub clients: u32,
    /// The part of client identifiers after that of the run, with the placeholder `{client}`: the number of
    /// the client in its group, from 0.
    pub client_id: String,
    /// New connections per second of this group; defaults to the load's.
    pub ramp: Option<f64>,
    /// A CSV file with a client identifier, credentials or certificate on each line; defaults to the load's.
    pub credentials: Option<PathBuf>,
    /// A CSV file with a line for each client: the values of `{csv:NAME}` in topics and payloads.
    pub client_values: Option<PathBuf>,
    /// Local addresses, used in turn; defaults to the load's.
    pub local_addresses: Vec<IpAddr>,
    /// Differences of its connections from the load's.
    pub connection: GroupConnection,
    /// The messages that each client sends.
    pub publish: Option<GroupPublish>,
    /// The operation of each client instead of publishing.
    pub operation: Option<GroupOperation>,
    /// The messages that each client receives.
    pub subscribe: Vec<GroupSubscription>,
    /// The index of the group whose requests these clients answer.
    pub respond: Option<usize>,
    /// The index of the group that must be connected and subscribed before these clients connect.
    pub starts_after: Option<usize>,
    /// Maximum number of messages per second that each client reads.
    pub read_rate: Option<f64>,
}

/// A scheduled operation of a group's clients instead of publishing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupOperation {
    /// The kind of operation.
    pub kind: OperationKind,
    /// The rate of all clients together; at [`Rate::Max`] all operations at once.
    pub rate: Rate,
    /// The distribution over time.
    pub arrivals: Arrivals,
}

/// Differences of connections from those of the load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupConnection {
    /// Keep Alive in seconds; 0 turns it off.
    pub keep_alive: Option<u16>,
    /// Clean Start; Clean Session in MQTT 3.x.
    pub clean_start: Option<bool>,
    /// Session Expiry Interval in seconds (MQTT 5).
    pub session_expiry_interval: Option<u32>,
    /// The Will Message; its topic may contain `{client}` and `{csv:NAME}`.
    pub will: Option<Will>,
}

/// The messages that a group's clients send.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupPublish {
    /// The rate of all clients together.
    pub rate: Rate,
    /// The distribution over time.
    pub arrivals: Arrivals,
    /// Maximum random delay that is added to each message.
    pub jitter: Duration,
    /// Maximum number of QoS 0 messages per write at [`Rate::Max`].
    pub per_write: u32,
    /// Maximum number of messages in flight; defaults to the load's.
    pub inflight: Option<u16>,
    /// The payload.
    pub payload: Payload,
    /// Number of topics per client; in total, if the topic does not contain the client.
    pub topics: u32,
    /// With fields as levels, such as `{client}` and `{topic}`.
    pub topic: String,
    /// The QoS of the messages.
    pub qos: QoS,
    /// Whether messages are retained.
    pub retain: bool,
    /// Whether Topic Aliases are used, as far as the broker allows them (MQTT 5).
    pub alias: bool,
}

/// The subscriptions of a group's clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSubscription {
    /// The source of the messages.
    pub source: MessageSource,
    /// The QoS of the subscription.
    pub qos: QoS,
    /// Number of shared-subscription groups, each of which gets every message once; 0 for ordinary
    /// subscriptions.
    pub shared_groups: u32,
    /// The name in `$share/NAME/`, with the placeholder `{share}` for the number of the shared-subscription
    /// group.
    pub share_name: String,
}

/// The source of a subscription's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageSource {
    /// A group of this load.
    Group {
        /// The index of the group.
        group: usize,
        /// The subscribers of each message.
        pattern: Pattern,
        /// A topic filter to use instead of one derived from the topic.
        filter: Option<String>,
    },
    /// Any publisher.
    Filter {
        /// With placeholders `{client}`, `{filter}` and `{csv:NAME}`.
        filter: String,
        /// The number of filters; `{filter}` counts from 0.
        filters: u32,
    },
}

/// The name in `$share/NAME/` of a load without a scenario.
pub const SHARE_NAME: &str = "bench{share}";

impl ClientGroup {
    /// Clients that only connect.
    #[must_use]
    pub fn new(name: &str, clients: u32, client_id: &str) -> Self {
        Self {
            name: name.into(),
            clients,
            client_id: client_id.into(),
            ramp: None,
            credentials: None,
            client_values: None,
            local_addresses: Vec::new(),
            connection: GroupConnection::default(),
            publish: None,
            operation: None,
            subscribe: Vec::new(),
            respond: None,
            starts_after: None,
            read_rate: None,
        }
    }
}

/// The wave in which each group connects: the first for groups that start after no other, the next after that
/// of its predecessor for the others.
///
/// # Errors
/// The index of a group that would wait for itself.
pub(super) fn waves(groups: &[ClientGroup]) -> Result<Vec<u32>, usize> {
    let wave = |place: usize| {
        let (mut current, mut wave) = (place, 0);
        while let Some(before) = groups.get(current).and_then(|group| group.starts_after) {
            (current, wave) = (before, wave + 1);
            if wave as usize > groups.len() {
                return Err(place);
            }
        }
        Ok(wave)
    };
    (0..groups.len()).map(wave).collect()
}

/// The mode that these groups amount to.
#[must_use]
pub fn mode(groups: &[ClientGroup]) -> Mode {
    let any = |is_one: fn(&ClientGroup) -> bool| groups.iter().any(is_one);
    let receives = |group: &ClientGroup| {
        group.subscribe.iter().any(|one| matches!(one.source, MessageSource::Group { .. }))
    };
    if any(|group| group.does(OperationKind::Fetch)) {
        Mode::Retained
    } else if any(|group| group.does(OperationKind::End)) {
        Mode::Wills
    } else if any(|group| group.respond.is_some()) {
        Mode::Request
    } else if any(receives) {
        Mode::EndToEnd
    } else if any(|group| group.publish.is_some()) {
        Mode::Publish
    } else if any(|group| group.operation.is_some()) {
        Mode::Churn
    } else if any(|group| !group.subscribe.is_empty()) {
        Mode::Subscribe
    } else {
        Mode::Connect
    }
}

impl ClientGroup {
    /// Whether this is the operation of its clients.
    #[must_use]
    pub fn does(&self, kind: OperationKind) -> bool {
        self.operation.is_some_and(|operation| operation.kind == kind)
    }

    /// Changes the load's options to those of the group.
    pub(super) fn adjust(&self, options: &mut ClientOptions) {
        let GroupConnection { keep_alive, clean_start, session_expiry_interval, will } = &self.connection;
        options.keep_alive = keep_alive.unwrap_or(options.keep_alive);
        options.clean_start = clean_start.unwrap_or(options.clean_start);
        options.session_expiry_interval = session_expiry_interval.or(options.session_expiry_interval);
        options.will = will.clone().or_else(|| options.will.take());
        let inflight = self.publish.as_ref().and_then(|publish| publish.inflight);
        options.max_inflight = inflight.unwrap_or(options.max_inflight);
    }
}

impl Load {
    /// The groups that result from the options of a mode.
    #[must_use]
    pub fn groups(&self) -> Vec<ClientGroup> {
        if let Some(scenario) = &self.scenario {
            return scenario.groups.clone();
        }
        if !self.own_groups.is_empty() {
            return self.own_groups.clone();
        }
        if self.mode == Mode::Connect {
            return vec![ClientGroup::new("clients", self.publishers, "{client}")];
        }
        let requests = self.mode == Mode::Request;
        let mut senders = ClientGroup::new(
            if requests { "requesters" } else { "publishers" },
            self.publishers,
            "p{client}",
        );
        senders.client_values.clone_from(&self.client_values);
        senders.publish = Some(GroupPublish {
            rate: self.rate,
            arrivals: self.arrivals,
            jitter: self.jitter,
            per_write: self.per_write,
            inflight: None,
            payload: self.payload.clone(),
            topics: self.topics,
            topic: self.topic.clone(),
            qos: self.qos,
            retain: false,
            alias: false,
        });
        let receiver = if requests { "responders" } else { "subscribers" };
        let mut receivers = ClientGroup::new(receiver, self.subscribers, "s{client}");
        let subscription = |source| GroupSubscription {
            source,
            qos: self.qos,
            shared_groups: self.shared_groups,
            share_name: SHARE_NAME.into(),
        };
        match self.mode {
            // Clients that do not publish have their own groups.
            Mode::Connect | Mode::Publish | Mode::Retained | Mode::Churn | Mode::Wills => {
                return vec![senders];
            }
            Mode::Request => receivers.respond = Some(0),
            Mode::EndToEnd => {
                let source = MessageSource::Group { group: 0, pattern: self.pattern, filter: None };
                receivers.subscribe.push(subscription(source));
            }
            Mode::Subscribe => {
                let source = MessageSource::Filter { filter: self.topic.clone(), filters: 1 };
                receivers.subscribe.push(subscription(source));
                return vec![receivers];
            }
        }
        vec![senders, receivers]
    }
}
