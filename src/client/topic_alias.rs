//! The topic aliases of what we send ([MQTT-3.3.2.3.4]): short for one link, within what its server
//! takes.

use std::collections::HashMap;

use bytes::Bytes;

use crate::protocol::wire::{PublishTemplate, TopicAlias};

/// Which aliases the server knows by now.
#[derive(Debug, Default)]
pub(super) struct OutboundAliases {
    /// The aliases chosen here, by topic.
    by_topic: HashMap<Bytes, u16>,
    /// The topics of the aliases that the user chose.
    fixed: HashMap<u16, Bytes>,
}

/// An alias for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) alias: u16,
    /// The server knows it, and the topic can be left out.
    pub(super) is_known: bool,
}

impl OutboundAliases {
    /// The alias to send a message with. Who comes when all are given out goes without: topics that
    /// matter come early and often, and to change an alias costs as much as to have none.
    pub(super) fn choose(&self, template: &PublishTemplate, maximum: u16) -> Option<Chosen> {
        let topic = template.encoded_topic();
        match template.topic_alias() {
            TopicAlias::None => None,
            TopicAlias::Fixed(alias) => {
                let is_known = self.fixed.get(&alias).is_some_and(|known| known == topic);
                Some(Chosen { alias, is_known })
            }
            TopicAlias::Auto => match self.by_topic.get(topic) {
                Some(alias) => Some(Chosen { alias: *alias, is_known: true }),
                None if self.by_topic.len() < usize::from(maximum) => {
                    let alias = u16::try_from(self.by_topic.len() + 1).ok()?;
                    Some(Chosen { alias, is_known: false })
                }
                None => None,
            },
        }
    }

    /// A message went out with topic and alias.
    pub(super) fn sent(&mut self, template: &PublishTemplate, alias: u16) {
        let topic = template.encoded_topic().clone();
        match template.topic_alias() {
            TopicAlias::Auto => {
                self.by_topic.insert(topic, alias);
            }
            TopicAlias::Fixed(_) => {
                self.fixed.insert(alias, topic);
            }
            TopicAlias::None => {}
        }
    }

    /// A new link knows none ([MQTT-3.3.2-7]).
    pub(super) fn clear(&mut self) {
        self.by_topic.clear();
        self.fixed.clear();
    }
}
