//! Topic aliases ([MQTT-3.3.2.3.4]), in both directions: they are valid for one connection, up to the Topic
//! Alias Maximum of the receiver.

use std::collections::HashMap;

use bytes::Bytes;

use crate::protocol::property::PropertyId;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Malformed, PacketType, Publish, PublishTemplate, TopicAlias};

/// The aliases known to the broker. Few sessions have any, so the state is behind a pointer.
#[derive(Debug, Default)]
pub(super) struct OutboundAliases(Option<Box<KnownTopics>>);

#[derive(Debug, Default)]
struct KnownTopics {
    /// The automatic aliases, by topic.
    by_topic: HashMap<Bytes, u16>,
    /// The topics of the aliases that the user chose.
    fixed: HashMap<u16, Bytes>,
}

/// An alias for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) alias: u16,
    /// Whether the broker knows the alias, so that the topic can be omitted.
    pub(super) is_known: bool,
}

impl OutboundAliases {
    /// The alias to send a message with. Once all aliases are assigned, further topics are sent without one:
    /// frequent topics usually come early, and reassigning an alias costs as much as sending the topic.
    #[inline]
    pub(super) fn choose(&self, template: &PublishTemplate, maximum: u16) -> Option<Chosen> {
        if template.topic_alias() == TopicAlias::None { None } else { self.choose_alias(template, maximum) }
    }

    fn choose_alias(&self, template: &PublishTemplate, maximum: u16) -> Option<Chosen> {
        let topic = template.encoded_topic();
        let known = self.0.as_deref();
        match template.topic_alias() {
            TopicAlias::None => None,
            TopicAlias::Fixed(alias) => {
                let is_known =
                    known.and_then(|known| known.fixed.get(&alias)).is_some_and(|known| known == topic);
                Some(Chosen { alias, is_known })
            }
            TopicAlias::Auto => {
                if let Some(alias) = known.and_then(|known| known.by_topic.get(topic)) {
                    return Some(Chosen { alias: *alias, is_known: true });
                }
                let given_out = known.map_or(0, |known| known.by_topic.len());
                let alias = u16::try_from(given_out + 1).ok().filter(|alias| *alias <= maximum)?;
                Some(Chosen { alias, is_known: false })
            }
        }
    }

    /// A message was sent with topic and alias.
    pub(super) fn sent(&mut self, template: &PublishTemplate, alias: u16) {
        let topic = Bytes::copy_from_slice(template.encoded_topic());
        let known = self.0.get_or_insert_default();
        match template.topic_alias() {
            TopicAlias::Auto => {
                known.by_topic.insert(topic, alias);
            }
            TopicAlias::Fixed(_) => {
                known.fixed.insert(alias, topic);
            }
            TopicAlias::None => {}
        }
    }

    /// A new link starts without aliases ([MQTT-3.3.2-7]).
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}

/// The topics of the broker's aliases.
#[derive(Debug)]
pub(super) struct InboundAliases {
    /// Topics by alias − 1; empty if the Topic Alias Maximum is 0.
    topics: Vec<Box<[u8]>>,
    /// The Topic Alias Maximum of our CONNECT.
    maximum: u16,
}

impl InboundAliases {
    pub(super) fn new(maximum: u16) -> Self {
        Self { topics: Vec::new(), maximum }
    }

    /// Replaces an alias by its topic. MQTT 3.x has no properties and so no aliases.
    pub(super) fn resolve<'a>(&'a mut self, publish: Publish<'a>) -> Result<Publish<'a>, Malformed> {
        let Some(alias) = publish.properties.number(PropertyId::TopicAlias) else {
            if publish.topic.is_empty() {
                return Err(Malformed::protocol_error(PacketType::Publish, "empty topic without an alias"));
            }
            return Ok(publish);
        };
        let invalid = |what: String| {
            Err(Malformed::protocol_error(PacketType::Publish, what)
                .with_reason(ReasonCode::TOPIC_ALIAS_INVALID))
        };
        if alias > u32::from(self.maximum) {
            return invalid(format!(
                "topic alias {alias} is above the Topic Alias Maximum of {}",
                self.maximum
            ));
        }
        let index = alias as usize - 1;
        if !publish.topic.is_empty() {
            if self.topics.len() <= index {
                self.topics.resize_with(index + 1, Box::default);
            }
            self.topics[index] = publish.topic.into();
            return Ok(publish);
        }
        match self.topics.get(index).filter(|topic| !topic.is_empty()) {
            Some(topic) => Ok(Publish { topic, ..publish }),
            None => invalid(format!("topic alias {alias} was never set")),
        }
    }

    /// A new link starts without aliases.
    pub(super) fn clear(&mut self) {
        self.topics.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::property::PropertyBlock;
    use crate::protocol::{Protocol, QoS};

    fn template(topic: &str, alias: TopicAlias) -> PublishTemplate {
        let none = PropertyBlock::default();
        PublishTemplate::new(Protocol::V5, topic.as_bytes(), QoS::AtMostOnce, false, &none)
            .with_topic_alias(alias)
    }

    fn chosen(alias: u16, is_known: bool) -> Chosen {
        Chosen { alias, is_known }
    }

    /// Topics get aliases up to the broker's maximum, and keep them for the link.
    #[test]
    fn aliases_are_given_out_up_to_the_maximum() {
        let mut aliases = OutboundAliases::default();
        let [a, b, c] = ["a", "b", "c"].map(|topic| template(topic, TopicAlias::Auto));
        assert_eq!(aliases.choose(&a, 0), None);
        for (template, alias) in [(&a, 1), (&b, 2)] {
            assert_eq!(aliases.choose(template, 2), Some(chosen(alias, false)));
            aliases.sent(template, alias);
            assert_eq!(aliases.choose(template, 2), Some(chosen(alias, true)));
        }
        assert_eq!(aliases.choose(&c, 2), None);
        assert_eq!(aliases.choose(&template("a", TopicAlias::None), 2), None);
        aliases.clear();
        assert_eq!(aliases.choose(&c, 2), Some(chosen(1, false)));
    }

    /// An alias that is moved to another topic is sent with the topic again.
    #[test]
    fn an_alias_of_the_users_choice_goes_to_the_latest_topic() {
        let mut aliases = OutboundAliases::default();
        let [a, b] = ["a", "b"].map(|topic| template(topic, TopicAlias::Fixed(7)));
        aliases.sent(&a, 7);
        assert_eq!(aliases.choose(&a, 9), Some(chosen(7, true)));
        assert_eq!(aliases.choose(&b, 9), Some(chosen(7, false)));
        aliases.sent(&b, 7);
        assert_eq!(aliases.choose(&a, 9), Some(chosen(7, false)));
    }
}
