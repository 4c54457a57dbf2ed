//! All groups of a load, with what each sends and receives: numbers of clients and publishers, threads, and how many
//! messages lead to how many deliveries.

use std::ops::Range;
use std::sync::Arc;

use super::config::Rate;
use super::group::{ClientGroup, MessageSource, waves};
use super::plan::{Plan, some_of};
use super::stamp::{Flows, PLAIN_WORDS, SHARED_WORDS};
use crate::protocol::wire::PublishTemplate;
use crate::protocol::{Protocol, QoS};

/// A group among all.
#[derive(Debug, Clone)]
pub(super) struct GroupPlan {
    pub(super) clients: u32,
    /// The number of its first client among all.
    pub(super) first: u32,
    /// The number of its first publisher, in stamps.
    pub(super) first_publisher: u32,
    /// What it publishes.
    pub(super) outlet: Option<Arc<Outlet>>,
    /// What it receives of other groups.
    pub(super) inlets: Vec<Inlet>,
    /// What its clients subscribe to.
    pub(super) subscriptions: Arc<[(Plan, QoS)]>,
}

/// What a group publishes: a plan for each group that receives it.
#[derive(Debug)]
pub(super) struct Outlet {
    plan: Plan,
    further: Vec<Plan>,
}

/// What a group receives of another.
#[derive(Debug, Clone)]
pub(super) struct Inlet {
    pub(super) plan: Arc<Plan>,
    /// As stamps number them.
    pub(super) publishers: Range<u32>,
    /// The publishers have a schedule.
    pub(super) scheduled: bool,
}

impl Outlet {
    pub(super) fn topics(&self) -> u32 {
        self.plan.topics()
    }

    /// Whether Topic Aliases stand for its topics.
    pub(super) fn uses_aliases(&self) -> bool {
        self.plan.uses_aliases()
    }

    /// What a publisher's message has in common with its others of that topic.
    pub(super) fn template(
        &self,
        protocol: Protocol,
        run: u32,
        publisher: u32,
        sequence: u64,
    ) -> PublishTemplate {
        self.plan.template(protocol, run, publisher, sequence)
    }

    /// Some of its topics, with whose they are and in which message.
    fn sample(&self, clients: u32) -> Vec<(u32, u64, String)> {
        let last = u64::from(self.topics()) - 1;
        let of = |client| [0, last].map(|number| (client, number, self.plan.topic_of(client, number)));
        some_of(clients).flat_map(of).collect()
    }

    /// How many subscribers get a message, each shared-subscription group counted once.
    pub(super) fn receivers(&self, publisher: u32, sequence: u64) -> u64 {
        let further = self.further.iter().map(|plan| plan.receivers(publisher, sequence));
        self.plan.receivers(publisher, sequence) + further.sum::<u64>()
    }
}

impl Inlet {
    /// How many flows a client has of it alone; those of a shared-subscription group are no single client's.
    pub(super) fn own_flows(&self, client: u32) -> usize {
        if self.plan.groups > 0 { 0 } else { self.plan.flows_of(client) }
    }
}

impl GroupPlan {
    /// Those of all groups, in their order.
    pub(super) fn all(groups: &[ClientGroup]) -> Vec<Self> {
        let (mut clients, mut publishers) = (0, 0);
        let mut plans: Vec<Self> = Vec::with_capacity(groups.len());
        for group in groups {
            plans.push(Self {
                clients: group.clients,
                first: clients,
                first_publisher: publishers,
                outlet: None,
                inlets: Vec::new(),
                subscriptions: Arc::new([]),
            });
            clients += group.clients;
            publishers += if group.publish.is_some() { group.clients } else { 0 };
        }
        let published: Vec<Option<Plan>> = groups
            .iter()
            .map(|group| group.publish.as_ref().map(|publish| Plan::publishing(group.clients, publish)))
            .collect();
        let mut outlets: Vec<Vec<Plan>> = vec![Vec::new(); groups.len()];
        for (place, group) in groups.iter().enumerate() {
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
                    MessageSource::Filter { .. } => Plan::listening(group.clients, subscription),
                    MessageSource::Group { group: source, .. } => {
                        let Some(plan) = &published[source] else { continue };
                        let plan = plan.clone().received_by(group, subscription);
                        inlets.push(inlet(source, &plan));
                        outlets[source].push(plan.clone());
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

    /// Into how many shared-subscription groups its clients form, if they do.
    pub(super) fn shared_groups(&self) -> u32 {
        self.subscriptions.iter().map(|(plan, _)| plan.groups).max().unwrap_or(0)
    }

    /// The thread of a client. Members of a shared-subscription group share one, which then sees all its messages.
    pub(super) fn thread_of(&self, client: u32, threads: u32) -> u32 {
        match self.shared_groups() {
            0 => client % threads,
            groups => client % groups % threads,
        }
    }

    /// Words of memory for each of its flows.
    pub(super) fn words(&self) -> usize {
        if self.shared_groups() > 0 { SHARED_WORDS } else { PLAIN_WORDS }
    }

    /// What telling messages apart may take, in bytes.
    pub(super) fn flow_bytes(&self) -> u64 {
        let all = |inlet: &Inlet| (0..self.clients).map(|client| inlet.plan.flows_of(client)).sum::<usize>();
        Flows::bytes(self.inlets.iter().map(all).sum(), self.words())
    }

    /// Whether its clients subscribe to other groups, or to what others publish.
    pub(super) fn subscribes(&self) -> bool {
        !self.subscriptions.is_empty()
    }
}

/// What is wrong with these groups, if anything is: each message has to come once to those it is for, and to nobody
/// else. Filters are held against the topics of some clients.
///
/// # Errors
/// What is wrong, in one line.
pub fn check(groups: &[ClientGroup]) -> Result<(), String> {
    if let Err(place) = waves(groups) {
        return Err(format!("group '{}' would start after itself", groups[place].name));
    }
    let plans = GroupPlan::all(groups);
    if groups.iter().any(|group| group.respond.is_some()) {
        let asks = |place: usize| groups[place].publish.is_some() && groups[place].subscribe.is_empty();
        let is_pair = matches!(groups, [one, other] if one.respond.is_none() && other.publish.is_none()
            && other.subscribe.is_empty() && other.respond == Some(0) && asks(0));
        if !is_pair {
            return Err("respond is for the second of two groups, and the first publishes requests".into());
        }
    }
    for (group, plan) in groups.iter().zip(&plans) {
        if group.publish.is_some() && plan.shared_groups() > 0 {
            return Err(format!("group '{}' publishes, and cannot share its subscriptions", group.name));
        }
        let mut counts = plan.subscriptions.iter().map(|(plan, _)| plan.groups).filter(|groups| *groups > 0);
        let first = counts.next();
        if counts.any(|groups| Some(groups) != first) {
            return Err(format!("group '{}' has different shared-groups", group.name));
        }
        for (subscription, (plan, _)) in group.subscribe.iter().zip(plan.subscriptions.iter()) {
            for (place, sender) in groups.iter().enumerate() {
                let is_source =
                    matches!(subscription.source, MessageSource::Group { group, .. } if group == place);
                let Some(outlet) = &plans[place].outlet else {
                    if is_source {
                        return Err(format!("group '{}' publishes nothing", sender.name));
                    }
                    continue;
                };
                match plan.mismatch(group.clients, outlet.sample(sender.clients), is_source) {
                    None => {}
                    Some((filter, topic)) if is_source => {
                        return Err(format!(
                            "group '{}': the filter '{filter}' does not match what is to be received: '{topic}'",
                            group.name
                        ));
                    }
                    Some((filter, topic)) => {
                        return Err(format!(
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
