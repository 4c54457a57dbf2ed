//! The filters to subscribe to, and their SUBSCRIBE packets.

use std::fmt;

use bytes::BytesMut;

use super::config::{Config, FilterOptions};
use crate::client::session::Session;
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::topic;
use crate::protocol::wire::{Publish, Subscription};

/// Filters in one SUBSCRIBE, because they share its subscription identifier or have none.
pub(super) struct FilterGroup<'a> {
    pub(super) filters: Vec<GroupFilter<'a>>,
    /// Indices of the filters in the latest SUBSCRIBE.
    pub(super) asked: Vec<usize>,
    properties: PropertyBlock,
    /// A subscription identifier of our own, which distinguishes the copies of a message.
    own_identifier: Option<u32>,
}

/// One filter, and the broker's responses to it.
pub(super) struct GroupFilter<'a> {
    pub(super) options: &'a FilterOptions,
    /// Whether it was granted in this run, possibly on an earlier link.
    pub(super) was_granted: bool,
    /// Whether it was then refused, and is retried.
    pub(super) is_refused_for_now: bool,
}

impl<'a> FilterGroup<'a> {
    /// One group per filter.
    fn into_single(self) -> impl Iterator<Item = Self> {
        let Self { filters, properties, .. } = self;
        filters.into_iter().map(move |filter| Self {
            filters: vec![filter],
            asked: Vec::new(),
            properties: properties.clone(),
            own_identifier: None,
        })
    }

    /// Appends a SUBSCRIBE for the filters that `wanted` selects; returns whether there are any.
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

/// Whether commands may get a message once for each filter it matches: some brokers deliver one copy per
/// filter (MQTT 5, section 3.3.4).
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

/// Gives each filter an identifier of its own if the broker supports them and copies have to be
/// distinguished. A shared subscription does not cause copies.
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

/// Whether a message was sent for another filter than the first that it matches, for which another copy is
/// sent.
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

/// One group per subscription identifier, in the order of appearance.
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

/// The granted filters, for a message on a terminal: the first ones, and the number of all.
#[derive(Debug, Default)]
pub(super) struct Granted {
    /// The number of unanswered SUBSCRIBE packets.
    awaited: usize,
    first: Vec<String>,
    count: usize,
}

impl Granted {
    const MOST: usize = 5;

    /// This number of SUBSCRIBE packets is sent, possibly again on another link.
    pub(super) fn begin(&mut self, packets: usize) {
        *self = Self { awaited: packets, ..Self::default() };
    }

    /// Counts one answered packet. Returns whether it was the last.
    pub(super) fn is_last(&mut self) -> bool {
        self.awaited = self.awaited.saturating_sub(1);
        self.awaited == 0
    }

    /// Adds a filter, with its QoS if that is lower than requested.
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
