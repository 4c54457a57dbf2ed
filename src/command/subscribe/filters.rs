//! What is subscribed to, and how it is put into SUBSCRIBE packets.

use super::Config;
use crate::protocol::QoS;
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::wire::Subscription;

/// One filter to subscribe to, with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterOptions {
    /// A checked topic filter.
    pub filter: String,
    /// The maximum QoS.
    pub qos: QoS,
    /// MQTT 5: do not send back what this client published.
    pub no_local: bool,
    /// MQTT 5: keep the RETAIN flag of live messages.
    pub retain_as_published: bool,
    /// MQTT 5: 0 always, 1 only if the subscription is new, 2 never.
    pub retain_handling: u8,
    /// MQTT 5: the subscription identifier, which comes with its messages.
    pub identifier: Option<u32>,
}

impl FilterOptions {
    pub(super) fn subscription(&self) -> Subscription<'_> {
        Subscription {
            filter: &self.filter,
            qos: self.qos,
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            retain_handling: self.retain_handling,
        }
    }
}

/// Filters that share a SUBSCRIBE, because they share its subscription identifier or have none.
pub(super) struct Group<'a> {
    pub(super) filters: Vec<&'a FilterOptions>,
    pub(super) properties: PropertyBlock,
}

/// One group for each subscription identifier, in the order in which they come.
pub(super) fn groups(config: &Config) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for options in &config.filters {
        let same = |group: &&mut Group<'_>| {
            group.filters.first().is_some_and(|first| first.identifier == options.identifier)
        };
        if let Some(group) = groups.iter_mut().find(same) {
            group.filters.push(options);
            continue;
        }
        let mut properties = config.subscribe_properties.clone();
        if let Some(identifier) = options.identifier {
            properties.push(PropertyId::SubscriptionIdentifier, Value::Number(identifier));
        }
        groups.push(Group { filters: vec![options], properties });
    }
    groups
}
