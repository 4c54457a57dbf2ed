//! Groups of clients: what a load is made of. The options of a mode amount to one group or two; a scenario has as
//! many as it likes.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::config::{Arrivals, Load, Mode, Pattern, Payload, Rate};
use super::operation::OperationKind;
use crate::client::options::{ClientOptions, Will};
use crate::protocol::QoS;

/// A load that has a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Of the file, or of those that this program has.
    pub name: String,
    /// The part of its counts that is left, 1 for all.
    pub scale: f64,
    /// Its clients.
    pub groups: Vec<ClientGroup>,
}

/// Clients that do the same.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientGroup {
    /// Its name in the report.
    pub name: String,
    /// How many they are.
    pub clients: u32,
    /// What follows the run's client identifier, with `{client}`: the number of the client in its group, from 0.
    pub client_id: String,
    /// New connections a second of this group; without it, the load's.
    pub ramp: Option<f64>,
    /// A client's identifier, credentials and certificate in each line; without it, the load's.
    pub credentials: Option<PathBuf>,
    /// Local addresses, used in turn; if empty, the load's.
    pub local_addresses: Vec<IpAddr>,
    /// How its connections differ from the load's.
    pub connection: GroupConnection,
    /// What each of them sends.
    pub publish: Option<GroupPublish>,
    /// What each of them does in place of publishing.
    pub operation: Option<GroupOperation>,
    /// What each of them receives.
    pub subscribe: Vec<GroupSubscription>,
    /// The group whose requests they answer, by its place among all groups.
    pub respond: Option<usize>,
    /// The group that has to be connected and subscribed before they connect, by its place among all groups.
    pub starts_after: Option<usize>,
    /// Messages a second that each of them reads at most.
    pub read_rate: Option<f64>,
}

/// What the clients of a group do on a schedule in place of publishing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupOperation {
    /// What it is.
    pub kind: OperationKind,
    /// Of all of them together; at [`Rate::Max`] all of them at once.
    pub rate: Rate,
    /// How spread.
    pub arrivals: Arrivals,
}

/// How connections differ from those of the load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupConnection {
    /// Seconds; 0 turns keep-alive off.
    pub keep_alive: Option<u16>,
    /// Clean Start; Clean Session in MQTT 3.x.
    pub clean_start: Option<bool>,
    /// Seconds (MQTT 5).
    pub session_expiry_interval: Option<u32>,
    /// The Will Message; its topic may have `{client}`.
    pub will: Option<Will>,
}

/// What the clients of a group send.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupPublish {
    /// Of all of them together.
    pub rate: Rate,
    /// How spread.
    pub arrivals: Arrivals,
    /// Each message is late on purpose by a random time up to this.
    pub jitter: Duration,
    /// Most QoS 0 messages in one write at [`Rate::Max`].
    pub per_write: u32,
    /// Most messages in flight; without it, the load's.
    pub inflight: Option<u16>,
    /// What is sent.
    pub payload: Payload,
    /// Topics of each client; of all, if the topic does not name the client.
    pub topics: u32,
    /// With `{client}` and `{topic}`.
    pub topic: String,
    /// Of the messages.
    pub qos: QoS,
    /// Whether the broker keeps them.
    pub retain: bool,
    /// Whether a Topic Alias stands for the topic, as far as the broker allows them (MQTT 5).
    pub alias: bool,
}

/// What the clients of a group subscribe to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSubscription {
    /// Whose messages.
    pub source: MessageSource,
    /// Of the subscription.
    pub qos: QoS,
    /// Shared-subscription groups, each of which gets every message once; 0 for no sharing.
    pub shared_groups: u32,
    /// The name in `$share/NAME/`, with `{share}`, the number of the shared-subscription group.
    pub share_name: String,
}

/// Whose messages a subscription is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageSource {
    /// Those of a group of this load.
    Group {
        /// Its place among all groups.
        group: usize,
        /// Who gets what.
        pattern: Pattern,
        /// The topic filter, in place of one made of the topic.
        filter: Option<String>,
    },
    /// Whatever is published there.
    Filter {
        /// With `{client}` and `{filter}`.
        filter: String,
        /// How many of these, from 0.
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

/// In which wave each group connects: those that start after no other in the first, and each other in the one after that
/// of its group.
///
/// # Errors
/// The place of a group that would have to wait for itself.
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

/// What these groups measure together.
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
    /// Whether this is what its clients do.
    #[must_use]
    pub fn does(&self, kind: OperationKind) -> bool {
        self.operation.is_some_and(|operation| operation.kind == kind)
    }

    /// Makes of the load's options those of the group.
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
    /// What the options of a mode amount to.
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
            // Those that do not publish have groups of their own.
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
