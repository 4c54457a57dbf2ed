//! What is subscribed to, and how it is put into SUBSCRIBE packets.

use std::fmt;

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

/// What was granted, for whoever looks at a terminal: the first filters, and the number of all.
#[derive(Debug, Default)]
pub(super) struct Granted {
    /// SUBSCRIBE packets that are not answered.
    awaited: usize,
    first: Vec<String>,
    count: usize,
}

impl Granted {
    const MOST: usize = 5;

    /// So many SUBSCRIBE packets are sent, perhaps again on another link.
    pub(super) fn begin(&mut self, packets: usize) {
        *self = Self { awaited: packets, ..Self::default() };
    }

    /// One of them is answered. Whether it was the last.
    pub(super) fn is_last(&mut self) -> bool {
        self.awaited = self.awaited.saturating_sub(1);
        self.awaited == 0
    }

    /// A filter, with the QoS where it is lower than asked for.
    pub(super) fn add(&mut self, filter: &str, lower: Option<u8>) {
        self.count += 1;
        if self.first.len() < Self::MOST {
            let qos = lower.map(|qos| format!(" (QoS {qos})")).unwrap_or_default();
            self.first.push(format!("'{filter}'{qos}"));
        }
    }
}

impl fmt::Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.join(", "))?;
        match self.count - self.first.len() {
            0 => Ok(()),
            others => write!(f, " and {others} more"),
        }
    }
}
