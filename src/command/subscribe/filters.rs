//! What is subscribed to, and how it is put into SUBSCRIBE packets.

use super::config::{Config, FilterOptions};
use crate::protocol::property::{PropertyBlock, PropertyId, Value};

/// Filters that share a SUBSCRIBE, because they share its subscription identifier or have none.
pub(super) struct FilterGroup<'a> {
    pub(super) filters: Vec<&'a FilterOptions>,
    pub(super) properties: PropertyBlock,
}

/// One group for each subscription identifier, in the order in which they come.
pub(super) fn groups(config: &Config) -> Vec<FilterGroup<'_>> {
    let mut groups: Vec<FilterGroup<'_>> = Vec::new();
    for options in &config.filters {
        let same = |group: &&mut FilterGroup<'_>| {
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
        groups.push(FilterGroup { filters: vec![options], properties });
    }
    groups
}
