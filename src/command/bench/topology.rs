//! All groups of a load, with their messages: numbers of clients and publishers, threads, and the number of
//! deliveries for messages.

use std::ops::Range;
use std::sync::Arc;

use super::config::Rate;
use super::group::{ClientGroup, MessageSource, waves};
use super::operation::OperationKind;
use super::plan::{Plan, some_of};
use super::stamp::{Flows, MOST_CLIENTS, ONE_WORD, PLAIN_WORDS, SHARED_WORDS};
use super::topic::TopicValues;
use crate::protocol::wire::PublishTemplate;
use crate::protocol::{Protocol, QoS};

/// Memory of a topic: a packet with a short name, and its allocation.
const TOPIC_BYTES: u64 = 128;

/// A group in the load.
#[derive(Debug, Clone)]
pub(super) struct GroupPlan {
    pub(super) clients: u32,
    /// The number of its first client among all clients.
    pub(super) first: u32,
    /// The number of its first publisher, in stamps.
    pub(super) first_publisher: u32,
    /// The operation of its clients instead of publishing.
    pub(super) operation: Option<OperationKind>,
    /// Whether it publishes messages for the broker to retain, before the load.
    pub(super) prepares: bool,
    /// The messages that it publishes, or that the broker publishes when its clients end.
    pub(super) outlet: Option<Arc<Outlet>>,
    /// The messages that it receives from other groups.
    pub(super) inlets: Vec<Inlet>,
    /// The subscriptions of its clients.
    pub(super) subscriptions: Arc<[(Plan, QoS)]>,
}

/// The messages of a group: a plan for each receiving group.
#[derive(Debug)]
pub(super) struct Outlet {
    plan: Plan,
    further: Vec<Plan>,
}

/// The messages that a group receives from another.
#[derive(Debug, Clone)]
pub(super) struct Inlet {
    pub(super) plan: Arc<Plan>,
    /// By their numbers in stamps.
    pub(super) publishers: Range<u32>,
    /// Whether the publishers have a schedule.
    pub(super) scheduled: bool,
}

impl Outlet {
    pub(super) fn topics(&self) -> u32 {
        self.plan.topics()
    }

    /// Whether all of a publisher's messages go out with the same head.
    pub(super) fn has_one_head(&self) -> bool {
        self.topics() == 1 && !self.plan.uses_aliases() && !self.plan.varies()
    }

    /// Whether a topic is for one message only.
    pub(super) fn varies(&self) -> bool {
        self.plan.varies()
    }

    /// The common parts of a publisher's messages to the same topic.
    pub(super) fn template(
        &self,
        protocol: Protocol,
        run: u32,
        publisher: u32,
        sequence: u64,
    ) -> PublishTemplate {
        self.plan.template(protocol, run, publisher, sequence)
    }

    /// A message that clears the broker's retained message of a publisher's topic.
    pub(super) fn clearing(&self, protocol: Protocol, publisher: u32, place: u32) -> PublishTemplate {
        self.plan.clearing(protocol, publisher, place)
    }

    /// A sample of its topics, with publisher and message number.
    fn sample(&self, clients: u32) -> Vec<(u32, u64, String)> {
        let last = u64::from(self.topics()) - 1;
        let of = |client| [0, last].map(|number| (client, number, self.plan.topic_of(client, number)));
        some_of(clients).flat_map(of).collect()
    }

    /// Whether any client receives the messages.
    pub(super) fn has_receivers(&self) -> bool {
        self.plan.has_receivers() || self.further.iter().any(Plan::has_receivers)
    }

    /// The number of subscribers that get a message; a shared-subscription group counts once.
    pub(super) fn receivers(&self, publisher: u32, sequence: u64) -> u64 {
        let further = self.further.iter().map(|plan| plan.receivers(publisher, sequence));
        self.plan.receivers(publisher, sequence) + further.sum::<u64>()
    }
}

impl Inlet {
    /// The number of a client's own flows; those of a shared-subscription group belong to no single client.
    pub(super) fn own_flows(&self, client: u32) -> usize {
        if self.plan.groups > 0 { 0 } else { self.plan.flows_of(client) }
    }
}

impl GroupPlan {
    /// The plans of all groups in order, without the values of their topics.
    pub(super) fn all(groups: &[ClientGroup]) -> Vec<Self> {
        Self::with_values(groups, std::iter::repeat_n(&TopicValues::default(), groups.len()))
    }

    /// The plans of all groups in order, with the values of the topics of each.
    pub(super) fn with_values<'a>(
        groups: &[ClientGroup],
        values: impl Iterator<Item = &'a TopicValues> + Clone,
    ) -> Vec<Self> {
        let (mut clients, mut publishers) = (0, 0);
        let mut plans: Vec<Self> = Vec::with_capacity(groups.len());
        for group in groups {
            plans.push(Self {
                clients: group.clients,
                first: clients,
                first_publisher: publishers,
                operation: group.operation.map(|operation| operation.kind),
                prepares: false,
                outlet: None,
                inlets: Vec::new(),
                subscriptions: Arc::new([]),
            });
            clients += group.clients;
            let has_stamps = group.publish.is_some() || group.does(OperationKind::End);
            publishers += if has_stamps { group.clients } else { 0 };
        }
        let published: Vec<Option<Plan>> =
            groups.iter().zip(values.clone()).map(|(group, values)| published(group, values)).collect();
        let mut outlets: Vec<Vec<Plan>> = vec![Vec::new(); groups.len()];
        for group in groups.iter().filter(|group| group.does(OperationKind::Fetch)) {
            for subscription in &group.subscribe {
                if let MessageSource::Group { group: source, .. } = subscription.source {
                    plans[source].prepares = true;
                }
            }
        }
        for (place, (group, values)) in groups.iter().zip(values).enumerate() {
            let inlet = |source: usize, plan: &Plan| {
                let first = plans[source].first_publisher;
                Inlet {
                    plan: Arc::new(plan.clone()),
                    publishers: first..first + groups[source].clients,
                    scheduled: groups[source].publish.as_ref().is_some_and(|send| send.rate != Rate::Max),
                }
            };
            let (mut subscriptions, mut inlets) = (Vec::new(), Vec::new());
            for subscription in &group.subscribe {
                let plan = match subscription.source {
                    MessageSource::Filter { .. } => Plan::listening(group.clients, subscription, values),
                    MessageSource::Group { group: source, .. } => {
                        let Some(plan) = &published[source] else { continue };
                        let plan = plan.clone().received_by(group, subscription);
                        inlets.push(inlet(source, &plan));
                        // Groups that fetch get a message when they subscribe.
                        if !group.does(OperationKind::Fetch) {
                            outlets[source].push(plan.clone());
                        }
                        plan
                    }
                };
                subscriptions.push((plan, subscription.qos));
            }
            if let Some((source, plan)) =
                group.respond.and_then(|source| Some((source, published[source].as_ref()?)))
            {
                let plan = plan.clone().answered_by(group.clients);
                let requests = inlet(source, &plan);
                plans[source].inlets.push(requests);
                subscriptions.push((plan.clone(), plan.qos()));
                outlets[source].push(plan);
            }
            plans[place].inlets.extend(inlets);
            plans[place].subscriptions = subscriptions.into();
        }
        for ((plan, published), mut outlets) in plans.iter_mut().zip(published).zip(outlets) {
            let further = outlets.split_off(outlets.len().min(1));
            plan.outlet =
                published.map(|alone| Arc::new(Outlet { plan: outlets.pop().unwrap_or(alone), further }));
        }
        plans
    }

    /// The number of its shared-subscription groups, if there are any.
    pub(super) fn shared_groups(&self) -> u32 {
        self.subscriptions.iter().map(|(plan, _)| plan.groups).max().unwrap_or(0)
    }

    /// The thread of a client. Members of a shared-subscription group are on one thread, which then receives
    /// all its messages.
    pub(super) fn thread_of(&self, client: u32, threads: u32) -> u32 {
        match self.shared_groups() {
            0 => client % threads,
            groups => client % groups % threads,
        }
    }

    /// Words of memory for each of its flows.
    pub(super) fn words(&self) -> usize {
        match self.operation {
            Some(OperationKind::Fetch) => ONE_WORD,
            _ if self.shared_groups() > 0 => SHARED_WORDS,
            _ => PLAIN_WORDS,
        }
    }

    /// Maximum memory for recognising messages, in bytes.
    pub(super) fn flow_bytes(&self) -> u64 {
        let all = |inlet: &Inlet| {
            (0..self.clients).map(|client| inlet.plan.flows_of(client)).fold(0, usize::saturating_add)
        };
        Flows::bytes(self.inlets.iter().map(all).fold(0, usize::saturating_add), self.words())
    }

    /// Memory for the topics of this number of its clients, in bytes: a PUBLISH packet for each.
    pub(super) fn topic_bytes(&self, clients: u32) -> u64 {
        let topics = self.outlet.as_ref().map_or(0, |outlet| u64::from(outlet.topics()));
        u64::from(clients).saturating_mul(topics).saturating_mul(TOPIC_BYTES)
    }

    /// Whether its clients subscribe before the load.
    pub(super) fn subscribes(&self) -> bool {
        !self.subscriptions.is_empty() && self.operation.is_none()
    }
}

/// The messages that a group publishes, or that the broker publishes when its clients end, without receivers.
fn published(group: &ClientGroup, values: &TopicValues) -> Option<Plan> {
    if let Some(publish) = &group.publish {
        return Some(Plan::publishing(group.clients, publish, values));
    }
    let will = group.connection.will.as_ref().filter(|_| group.does(OperationKind::End))?;
    Some(Plan::of_wills(group.clients, will, values))
}

/// Checks the operation of a group's clients.
///
/// # Errors
/// The fault as one line.
fn check_operation(group: &ClientGroup, groups: &[ClientGroup]) -> Result<(), String> {
    let Some(operation) = group.operation else { return Ok(()) };
    let (name, kind) = (&group.name, operation.kind.name());
    if group.publish.is_some() || group.respond.is_some() || group.read_rate.is_some() {
        return Err(format!(
            "group '{name}': publish, respond and read-rate are not supported with operation"
        ));
    }
    let sources = || {
        group.subscribe.iter().filter_map(|subscription| match subscription.source {
            MessageSource::Group { group, .. } => Some(&groups[group]),
            MessageSource::Filter { .. } => None,
        })
    };
    match operation.kind {
        OperationKind::Subscribe if group.subscribe.is_empty() || sources().next().is_some() => Err(format!(
            "group '{name}': the operation {kind} needs a subscription with a filter, without from"
        )),
        OperationKind::Connect | OperationKind::End if !group.subscribe.is_empty() => {
            Err(format!("group '{name}': the operation {kind} does not subscribe"))
        }
        OperationKind::End if group.connection.will.is_none() => {
            Err(format!("group '{name}': the operation {kind} needs a will"))
        }
        OperationKind::Fetch if sources().next().is_none() || sources().count() < group.subscribe.len() => {
            Err(format!(
                "group '{name}': the operation {kind} needs from, groups that publish with retain = true"
            ))
        }
        OperationKind::Fetch if group.subscribe.iter().any(|subscription| subscription.shared_groups > 0) => {
            Err(format!("group '{name}': shared subscriptions receive no retained messages"))
        }
        OperationKind::Fetch => match sources()
            .find(|source| source.publish.as_ref().is_none_or(|one| !one.retain))
        {
            Some(source) => {
                Err(format!("group '{name}': group '{}' does not publish with retain = true", source.name))
            }
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// What is wrong with the groups of a scenario, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFault {
    /// The index of the group.
    pub group: usize,
    /// The key of the group in a file.
    pub key: &'static str,
    /// The index of the subscription, if it is one.
    pub subscription: Option<usize>,
    /// The fault as one line.
    pub why: String,
}

impl GroupFault {
    fn new(group: usize, key: &'static str, why: String) -> Self {
        Self { group, key, subscription: None, why }
    }

    fn of_subscription(group: usize, subscription: usize, why: String) -> Self {
        Self { subscription: Some(subscription), ..Self::new(group, "subscribe", why) }
    }
}

/// Checks the number of all clients: the stamp of a message has 24 bits for that of its publisher.
///
/// # Errors
/// There are too many, as one line.
pub fn check_number(clients: u64) -> Result<(), String> {
    if clients < MOST_CLIENTS.into() {
        return Ok(());
    }
    Err(format!("a load has fewer than {MOST_CLIENTS} clients, and this one has {clients}"))
}

/// Checks these groups: each message must arrive once at its subscribers, and at no others. Filters are
/// compared with the topics of a sample of clients.
///
/// # Errors
/// The fault and its place.
pub fn check(groups: &[ClientGroup]) -> Result<(), GroupFault> {
    let mut clients = 0;
    for (place, group) in groups.iter().enumerate() {
        clients += u64::from(group.clients);
        check_number(clients).map_err(|why| GroupFault::new(place, "clients", why))?;
    }
    if let Err(place) = waves(groups) {
        let why = format!("group '{}' would start after itself", groups[place].name);
        return Err(GroupFault::new(place, "starts-after", why));
    }
    for (place, group) in groups.iter().enumerate() {
        check_operation(group, groups).map_err(|why| GroupFault::new(place, "operation", why))?;
    }
    let plans = GroupPlan::all(groups);
    if let Some(place) = groups.iter().position(|group| group.respond.is_some()) {
        let asks = |place: usize| groups[place].publish.is_some() && groups[place].subscribe.is_empty();
        let is_pair = matches!(groups, [one, other] if one.respond.is_none() && other.publish.is_none()
            && other.subscribe.is_empty() && other.respond == Some(0) && asks(0));
        if !is_pair {
            let why = "respond is for the second of two groups, and the first publishes requests";
            return Err(GroupFault::new(place, "respond", why.into()));
        }
    }
    for (number, (group, plan)) in groups.iter().zip(&plans).enumerate() {
        check_start((number, group), groups, &plans)?;
        let mut counts = plan.subscriptions.iter().map(|(plan, _)| plan.groups).filter(|groups| *groups > 0);
        let first = counts.next();
        if counts.any(|groups| Some(groups) != first) {
            let why = format!("group '{}' has different shared-groups", group.name);
            return Err(GroupFault::new(number, "subscribe", why));
        }
        let subscriptions = group.subscribe.iter().zip(plan.subscriptions.iter()).enumerate();
        for (subscription, (source, (plan, _))) in subscriptions {
            let wrong = |why| Err(GroupFault::of_subscription(number, subscription, why));
            for (place, sender) in groups.iter().enumerate() {
                let is_source = matches!(source.source, MessageSource::Group { group, .. } if group == place);
                let Some(outlet) = &plans[place].outlet else {
                    if is_source {
                        return wrong(format!("group '{}' publishes nothing", sender.name));
                    }
                    continue;
                };
                match plan.mismatch(group.clients, outlet.sample(sender.clients), is_source) {
                    None => {}
                    Some((filter, topic)) if is_source => {
                        return wrong(format!(
                            "group '{}': the filter '{filter}' does not match the topic '{topic}' of its messages",
                            group.name
                        ));
                    }
                    Some((filter, topic)) => {
                        return wrong(format!(
                            "group '{}': the filter '{filter}' also matches '{topic}' of group '{}', which is not \
                             in its from",
                            group.name, sender.name
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Checks that groups publish, share and fetch in an order in which they can.
fn check_start(
    (number, group): (usize, &ClientGroup),
    groups: &[ClientGroup],
    plans: &[GroupPlan],
) -> Result<(), GroupFault> {
    let plan = &plans[number];
    if group.publish.is_some() && plan.shared_groups() > 0 {
        let why = format!("group '{}' publishes, and cannot share its subscriptions", group.name);
        return Err(GroupFault::new(number, "subscribe", why));
    }
    let fetches = plan.operation == Some(OperationKind::Fetch);
    for (place, subscription) in group.subscribe.iter().enumerate().filter(|_| !fetches) {
        if let MessageSource::Group { group: source, .. } = subscription.source
            && plans[source].prepares
        {
            let why = format!(
                "group '{}': group '{}' publishes before the load, for the operation fetch",
                group.name, groups[source].name
            );
            return Err(GroupFault::of_subscription(number, place, why));
        }
    }
    if plan.prepares && group.starts_after.is_some() {
        let why = format!("group '{}' publishes before the load and must not have starts-after", group.name);
        return Err(GroupFault::new(number, "starts-after", why));
    }
    if fetches && group.starts_after.is_none() {
        let why = format!("group '{}': the operation fetch needs starts-after", group.name);
        return Err(GroupFault::new(number, "operation", why));
    }
    Ok(())
}
