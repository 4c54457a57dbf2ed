//! What is subscribed to, and how it is put into SUBSCRIBE packets.

use std::fmt;

use bytes::BytesMut;

use super::config::{Config, FilterOptions};
use crate::client::session::Session;
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::topic;
use crate::protocol::wire::{Publish, Subscription};

/// Filters that share a SUBSCRIBE, because they share its subscription identifier or have none.
pub(super) struct FilterGroup<'a> {
    pub(super) filters: Vec<GroupFilter<'a>>,
    /// Places of those that were asked for in the latest SUBSCRIBE.
    pub(super) asked: Vec<usize>,
    properties: PropertyBlock,
    /// A subscription identifier that the user has not given: it tells the copies of a message from each other.
    own_identifier: Option<u32>,
}

/// One of them, and what the broker has said of it.
pub(super) struct GroupFilter<'a> {
    pub(super) options: &'a FilterOptions,
    /// In this run, perhaps on an earlier link.
    pub(super) was_granted: bool,
    /// After that it was refused, and is asked for again.
    pub(super) is_refused_for_now: bool,
}

impl<'a> FilterGroup<'a> {
    /// A group for each of the filters.
    fn into_single(self) -> impl Iterator<Item = Self> {
        let Self { filters, properties, .. } = self;
        filters.into_iter().map(move |filter| Self {
            filters: vec![filter],
            asked: Vec::new(),
            properties: properties.clone(),
            own_identifier: None,
        })
    }

    /// Appends a SUBSCRIBE for those of the filters that `wanted` says, if there are any; whether there are.
    pub(super) fn ask(
        &mut self,
        session: &mut Session,
        out: &mut BytesMut,
        token: u64,
        wanted: impl Fn(&GroupFilter<'a>) -> bool,
    ) -> bool {
        let asked = self.filters.iter().enumerate().filter(|(_, filter)| wanted(filter));
        self.asked = asked.map(|(index, _)| index).collect();
        let mut properties = self.properties.clone();
        if let Some(identifier) = self.own_identifier {
            properties.push(PropertyId::SubscriptionIdentifier, Value::Number(identifier));
        }
        let subscriptions: Vec<Subscription<'_>> =
            self.asked.iter().map(|index| self.filters[*index].options.subscription()).collect();
        if !subscriptions.is_empty() {
            session.subscribe(out, &subscriptions, &properties, token);
        }
        !subscriptions.is_empty()
    }
}

/// Whether commands may get a message once for each filter it matches: some brokers deliver it as often (MQTT 5, section
/// 3.3.4).
fn may_come_twice(config: &Config) -> bool {
    let filters: Vec<&str> = config.filters.iter().map(|options| &*options.filter).collect();
    let overlaps = |(index, one): (usize, &&str)| {
        topic::shared(one).is_none()
            && filters[..index]
                .iter()
                .any(|other| topic::shared(other).is_none() && topic::overlap(one, other))
    };
    config.exec.is_some()
        && config.filters.iter().all(|options| options.identifier.is_none())
        && filters.iter().enumerate().any(overlaps)
}

/// Gives each filter an identifier of its own where the broker takes them and copies have to be told apart. A shared
/// subscription brings no copies.
pub(super) fn identify(groups: &mut Vec<FilterGroup<'_>>, config: &Config, broker_takes_them: bool) {
    if !may_come_twice(config) {
        return;
    }
    *groups = std::mem::take(groups).into_iter().flat_map(FilterGroup::into_single).collect();
    for (number, group) in (1..).zip(groups) {
        let is_shared = group.filters.iter().any(|filter| topic::shared(&filter.options.filter).is_some());
        group.own_identifier = Some(number).filter(|_| broker_takes_them && !is_shared);
    }
}

/// Whether a message came because of another filter than the first that it matches, for which it comes too.
pub(super) fn is_copy(groups: &[FilterGroup<'_>], publish: &Publish<'_>) -> bool {
    let identified = groups.iter().filter_map(|group| Some((group.own_identifier?, group.filters.first()?)));
    let mut wanted = identified.filter(|(_, filter)| {
        filter.was_granted
            && !filter.is_refused_for_now
            && topic::matches(filter.options.filter.as_bytes(), publish.topic)
    });
    let Some((first, _)) = wanted.next() else { return false };
    let mut identifiers =
        publish.properties.iter().filter_map(|property| match (property.id, property.value) {
            (PropertyId::SubscriptionIdentifier, Value::Number(number)) => Some(number),
            _ => None,
        });
    match identifiers.next() {
        None => false,
        Some(number) => number != first && identifiers.all(|number| number != first),
    }
}

/// One group for each subscription identifier, in the order in which they come.
pub(super) fn groups(config: &Config) -> Vec<FilterGroup<'_>> {
    let mut groups: Vec<FilterGroup<'_>> = Vec::new();
    for options in &config.filters {
        let same = |group: &&mut FilterGroup<'_>| {
            group.filters.first().is_some_and(|first| first.options.identifier == options.identifier)
        };
        let filter = GroupFilter { options, was_granted: false, is_refused_for_now: false };
        if let Some(group) = groups.iter_mut().find(same) {
            group.filters.push(filter);
            continue;
        }
        let mut properties = config.subscribe_properties.clone();
        if let Some(identifier) = options.identifier {
            properties.push(PropertyId::SubscriptionIdentifier, Value::Number(identifier));
        }
        groups.push(FilterGroup {
            filters: vec![filter],
            asked: Vec::new(),
            properties,
            own_identifier: None,
        });
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
