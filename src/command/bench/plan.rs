//! Topics, filters, and the number of deliveries of each message. All of it is computed and not stored, so
//! that a hundred thousand clients need no table.

use bytes::BytesMut;

use super::config::{Mode, Pattern};
use super::group::{ClientGroup, GroupPublish, GroupSubscription, MessageSource, SHARE_NAME};
use super::pacer::share;
use super::topic::{LoadTopic, TopicValues};
use crate::client::options::Will;
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::topic::{self, matches};
use crate::protocol::wire::{PublishTemplate, TopicAlias};
use crate::protocol::{Protocol, QoS};

/// Room for most topics.
const USUAL_TOPIC_BYTES: usize = 64;

/// The messages from one group of clients to another. Numbers of publishers and subscribers are those within
/// their groups.
#[allow(clippy::struct_excessive_bools, reason = "each is a property of its own")]
#[derive(Debug, Clone)]
pub(super) struct Plan {
    publishers: u32,
    subscribers: u32,
    topics: u32,
    topic: LoadTopic,
    /// Whether the topic contains the publisher, so that no two publishers share one.
    by_client: bool,
    /// The topic differs from message to message.
    varies: bool,
    pattern: Pattern,
    /// A filter to use instead of one derived from the topic.
    filter: Option<LoadTopic>,
    /// Number of filters of a subscriber to messages of any publisher.
    filters: u32,
    pub(super) groups: u32,
    share_name: String,
    mode: Mode,
    qos: QoS,
    retain: bool,
    /// Whether a Topic Alias is used.
    alias: bool,
}

impl Plan {
    /// The messages that a group publishes, without receivers.
    pub(super) fn publishing(publishers: u32, publish: &GroupPublish, values: &TopicValues) -> Self {
        let topic = LoadTopic::new(&publish.topic, values);
        Self {
            publishers,
            subscribers: 0,
            topics: publish.topics,
            by_client: topic.names_client(),
            varies: topic.varies(),
            topic,
            pattern: Pattern::Pairs,
            filter: None,
            filters: 1,
            groups: 0,
            share_name: SHARE_NAME.into(),
            mode: Mode::Publish,
            qos: publish.qos,
            retain: publish.retain,
            alias: publish.alias,
        }
    }

    /// The wills of a group, published by the broker.
    pub(super) fn of_wills(clients: u32, will: &Will, values: &TopicValues) -> Self {
        let topic = LoadTopic::new(&will.topic, values);
        Self {
            publishers: clients,
            subscribers: 0,
            topics: 1,
            by_client: topic.names_client(),
            varies: false,
            topic,
            pattern: Pattern::Pairs,
            filter: None,
            filters: 1,
            groups: 0,
            share_name: SHARE_NAME.into(),
            mode: Mode::Publish,
            qos: will.qos,
            retain: will.retain,
            alias: false,
        }
    }

    /// The same as requests, which these clients answer.
    pub(super) fn answered_by(self, responders: u32) -> Self {
        Self { subscribers: responders, mode: Mode::Request, ..self }
    }

    /// The same for these receivers.
    pub(super) fn received_by(self, group: &ClientGroup, subscription: &GroupSubscription) -> Self {
        let MessageSource::Group { pattern, filter, .. } = &subscription.source else { return self };
        Self {
            subscribers: group.clients,
            pattern: *pattern,
            filter: filter.as_ref().map(|filter| self.topic.related(filter)),
            groups: subscription.shared_groups,
            share_name: subscription.share_name.clone(),
            mode: Mode::EndToEnd,
            ..self
        }
    }

    /// A subscription to messages of any publisher.
    pub(super) fn listening(
        subscribers: u32,
        subscription: &GroupSubscription,
        values: &TopicValues,
    ) -> Self {
        let (filter, filters) = match &subscription.source {
            MessageSource::Filter { filter, filters } => (filter.as_str(), *filters),
            MessageSource::Group { .. } => ("", 0),
        };
        Self {
            publishers: 0,
            subscribers,
            topics: 1,
            topic: LoadTopic::new(filter, values),
            by_client: false,
            varies: false,
            pattern: Pattern::All,
            filter: None,
            filters,
            groups: subscription.shared_groups,
            share_name: subscription.share_name.clone(),
            mode: Mode::Subscribe,
            qos: subscription.qos,
            retain: false,
            alias: false,
        }
    }

    pub(super) fn topics(&self) -> u32 {
        self.topics
    }

    pub(super) fn uses_aliases(&self) -> bool {
        self.alias
    }

    /// Whether a topic is for one message only.
    pub(super) fn varies(&self) -> bool {
        self.varies
    }

    pub(super) fn qos(&self) -> QoS {
        self.qos
    }

    /// The topic of a publisher's message; messages use all of its topics in turn.
    pub(super) fn topic_of(&self, publisher: u32, sequence: u64) -> String {
        self.topic.name(publisher, self.place_of(publisher, sequence), sequence)
    }

    /// The common parts of a publisher's messages to the same topic.
    pub(super) fn template(
        &self,
        protocol: Protocol,
        run: u32,
        publisher: u32,
        sequence: u64,
    ) -> PublishTemplate {
        let mut topic = BytesMut::with_capacity(USUAL_TOPIC_BYTES);
        self.topic.put_name(publisher, self.place_of(publisher, sequence), sequence, &mut topic);
        let properties = if self.mode == Mode::Request {
            correlation(protocol, publisher, Some(&Self::response_topic(run, publisher)))
        } else {
            PropertyBlock::default()
        };
        let template = PublishTemplate::new(protocol, &topic, self.qos, self.retain, &properties);
        template.with_topic_alias(if self.alias { TopicAlias::Auto } else { TopicAlias::None })
    }

    /// A message without payload to one of a publisher's topics, which clears its retained message.
    pub(super) fn clearing(&self, protocol: Protocol, publisher: u32, place: u32) -> PublishTemplate {
        let topic = self.topic_of(publisher, place.into());
        PublishTemplate::new(protocol, topic.as_bytes(), QoS::AtMostOnce, true, &PropertyBlock::default())
    }

    /// The number of that topic, among the publisher's or among all.
    fn place_of(&self, publisher: u32, sequence: u64) -> u32 {
        let first = if self.by_client { 0 } else { u64::from(publisher) };
        u32::try_from((first + sequence) % u64::from(self.topics)).unwrap_or(0)
    }

    /// The topic of responses to a requester; no filter of a responder matches it.
    pub(super) fn response_topic(run: u32, publisher: u32) -> String {
        format!("bench-response/{run:08x}/{publisher}/answer")
    }

    /// Whether clients of the load receive its messages.
    pub(super) fn has_receivers(&self) -> bool {
        matches!(self.mode, Mode::Request | Mode::EndToEnd)
    }

    /// The number of subscribers that get a message; a shared-subscription group counts once.
    pub(super) fn receivers(&self, publisher: u32, sequence: u64) -> u64 {
        match self.mode {
            Mode::Connect | Mode::Publish | Mode::Subscribe | Mode::Retained | Mode::Churn | Mode::Wills => 0,
            Mode::Request => 1,
            Mode::EndToEnd if self.groups > 0 => u64::from(self.groups),
            Mode::EndToEnd => match self.pattern {
                Pattern::All => u64::from(self.subscribers),
                Pattern::Pairs => {
                    let (item, items) = if self.by_client {
                        (publisher, self.publishers)
                    } else {
                        (self.place_of(publisher, sequence), self.topics)
                    };
                    if self.subscribers <= items {
                        1
                    } else {
                        u64::from(share(self.subscribers, item, items))
                    }
                }
            },
        }
    }

    /// Whether subscribers get only some of the messages, by publisher or by topic.
    fn is_divided(&self) -> bool {
        self.pattern == Pattern::Pairs && self.groups == 0
    }

    /// The filters of a subscriber.
    pub(super) fn filters(&self, subscriber: u32) -> Vec<String> {
        if self.mode == Mode::Subscribe {
            let client = self.topic.own_filter(subscriber);
            let filter = |number: u32| client.replace("{filter}", &number.to_string());
            return (0..self.filters).map(|number| self.shared(subscriber, filter(number))).collect();
        }
        let all = || self.wildcard(None, None);
        if !self.is_divided() {
            return vec![self.shared(subscriber, all())];
        }
        let items = if self.by_client { self.publishers } else { self.topics };
        let own: Vec<u32> = if self.subscribers <= items {
            (subscriber..items).step_by(self.subscribers as usize).collect()
        } else {
            vec![subscriber % items]
        };
        if own.len() == items as usize {
            return vec![all()];
        }
        let filter = |item| {
            if self.by_client { self.wildcard(Some(item), None) } else { self.wildcard(None, Some(item)) }
        };
        own.into_iter().map(filter).collect()
    }

    fn shared(&self, subscriber: u32, filter: String) -> String {
        match self.groups {
            0 => filter,
            groups => {
                let name = self.share_name.replace("{share}", &(subscriber % groups).to_string());
                format!("$share/{name}/{filter}")
            }
        }
    }

    /// Whether a subscriber gets a message.
    fn is_for(&self, subscriber: u32, publisher: u32, sequence: u64) -> bool {
        if !self.is_divided() {
            return true;
        }
        let (item, items) = if self.by_client {
            (publisher, self.publishers)
        } else {
            (self.place_of(publisher, sequence), self.topics)
        };
        if self.subscribers <= items {
            item % self.subscribers == subscriber
        } else {
            subscriber % items == item
        }
    }

    /// Finds a filter and a topic among these that do not match as intended: a message would not arrive once
    /// at its subscribers, or would arrive at others. If the subscription is for other messages, no message
    /// may arrive.
    pub(super) fn mismatch(
        &self,
        subscribers: u32,
        topics: Vec<(u32, u64, String)>,
        is_source: bool,
    ) -> Option<(String, String)> {
        for (publisher, sequence, topic) in topics {
            for subscriber in some_of(subscribers) {
                let filters = self.filters(subscriber);
                let bare = |filter: &str| topic::shared(filter).map_or(filter, |(_, bare)| bare).to_owned();
                let filters: Vec<String> = filters.iter().map(|filter| bare(filter)).collect();
                let matching = filters.iter().filter(|filter| matches(filter.as_bytes(), topic.as_bytes()));
                let expected = usize::from(is_source && self.is_for(subscriber, publisher, sequence));
                if matching.count() != expected {
                    return Some((filters.into_iter().next().unwrap_or_default(), topic));
                }
            }
        }
        None
    }

    /// The topic with its placeholders replaced by values or wildcards.
    fn wildcard(&self, client: Option<u32>, place: Option<u32>) -> String {
        let place = if self.topics == 1 { Some(0) } else { place };
        self.filter.as_ref().unwrap_or(&self.topic).filter(client, place)
    }

    /// The number of flows of a subscriber; those of a group are counted with its first member.
    pub(super) fn flows_of(&self, subscriber: u32) -> usize {
        let publishers = match self.mode {
            Mode::Connect | Mode::Publish | Mode::Subscribe | Mode::Retained | Mode::Churn | Mode::Wills => 0,
            _ if self.groups > 0 && subscriber >= self.groups => 0,
            Mode::EndToEnd if self.is_divided() && self.by_client => {
                if self.subscribers <= self.publishers {
                    share(self.publishers, subscriber, self.subscribers)
                } else {
                    1
                }
            }
            Mode::EndToEnd => self.publishers,
            Mode::Request => 1, // the requester's own response topic
        };
        publishers as usize * self.topics as usize
    }

    /// The subscriber's flow of a message, and the number of the message in it.
    pub(super) fn flow_of(&self, publisher: u32, sequence: u64) -> (usize, u64) {
        let topics = u64::from(self.topics);
        let rank = if self.mode == Mode::Request {
            0
        } else if self.is_divided() && self.by_client {
            if self.subscribers <= self.publishers { publisher / self.subscribers } else { 0 }
        } else {
            publisher
        };
        let place = usize::try_from(sequence % topics).unwrap_or(0);
        (rank as usize * self.topics as usize + place, sequence / topics)
    }
}

/// A sample of this number: the first two and the last.
pub(super) fn some_of(all: u32) -> impl Iterator<Item = u32> {
    let places = [0, 1, all.saturating_sub(1)];
    places
        .into_iter()
        .enumerate()
        .filter(move |(at, number)| *number < all && !places[..*at].contains(number))
        .map(|(_, number)| number)
}

/// Correlation data, by which MQTT 5 pairs responses with requests ([MQTT-4.10]). The stamp pairs them too;
/// the property is sent because the broker must forward it.
pub(super) fn correlation(protocol: Protocol, publisher: u32, response_topic: Option<&str>) -> PropertyBlock {
    let mut properties = PropertyBlock::default();
    if protocol == Protocol::V5 {
        if let Some(topic) = response_topic {
            properties.push(PropertyId::ResponseTopic, Value::Text(topic));
        }
        properties.push(PropertyId::CorrelationData, Value::Binary(&publisher.to_be_bytes()));
    }
    properties
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn plan(publishers: u32, subscribers: u32, topics: u32, topic: &str, pattern: Pattern) -> Plan {
        let topic = LoadTopic::new(topic, &TopicValues::default());
        Plan {
            publishers,
            subscribers,
            topics,
            by_client: topic.names_client(),
            varies: topic.varies(),
            topic,
            pattern,
            filter: None,
            filters: 1,
            groups: 0,
            share_name: SHARE_NAME.into(),
            mode: Mode::EndToEnd,
            qos: QoS::AtMostOnce,
            retain: false,
            alias: false,
        }
    }

    /// Receivers and flows, compared with the actual filters of subscribers.
    #[test]
    fn expected_deliveries_are_those_that_the_filters_match() {
        for pattern in [Pattern::Pairs, Pattern::All] {
            for topic in ["bench/{client}/{topic}", "{topic}/x", "{client}/{topic}/{rand:0..9}/{csv:room}"] {
                for (publishers, subscribers, topics) in
                    [(1, 1, 1), (3, 1, 2), (1, 4, 1), (5, 2, 3), (2, 5, 1), (4, 4, 2), (1, 7, 3)]
                {
                    let plan = plan(publishers, subscribers, topics, topic, pattern);
                    let mut flows = vec![HashSet::new(); subscribers as usize];
                    for publisher in 0..publishers {
                        for sequence in 0..u64::from(topics) * 2 {
                            let topic = plan.topic_of(publisher, sequence);
                            let mut receivers = 0;
                            for subscriber in 0..subscribers {
                                let matching = plan
                                    .filters(subscriber)
                                    .iter()
                                    .filter(|filter| matches(filter.as_bytes(), topic.as_bytes()))
                                    .count();
                                assert!(matching <= 1, "a message comes once");
                                if matching == 1 {
                                    receivers += 1;
                                    let (flow, number) = plan.flow_of(publisher, sequence);
                                    assert!(flow < plan.flows_of(subscriber), "{plan:?}");
                                    assert!(flows[subscriber as usize].insert((flow, number)), "{plan:?}");
                                }
                            }
                            assert_eq!(receivers, plan.receivers(publisher, sequence), "{plan:?}");
                        }
                    }
                }
            }
        }
    }
}
