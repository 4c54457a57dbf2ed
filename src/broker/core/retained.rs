//! The retained messages: one for a topic name.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::message::Message;
use crate::protocol::topic;

/// Retained messages by topic name, in order: a filter's literal beginning bounds the search.
#[derive(Default)]
pub(super) struct Retained {
    messages: BTreeMap<Bytes, Arc<Message>>,
    bytes: usize,
}

impl Retained {
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Keeps a message in place of the one its topic had; `false` if the limits leave no room, the
    /// old one then being gone nevertheless: it is no longer the last known value.
    pub(super) fn insert(&mut self, message: Arc<Message>, most_messages: usize, most_bytes: usize) -> bool {
        self.remove(message.topic());
        if self.messages.len() >= most_messages || self.bytes + message.bytes() > most_bytes {
            return false;
        }
        self.bytes += message.bytes();
        self.messages.insert(message.topic().clone(), message);
        true
    }

    pub(super) fn remove(&mut self, topic: &[u8]) {
        if let Some(message) = self.messages.remove(topic) {
            self.bytes -= message.bytes();
        }
    }

    /// The first message in the order of names that matches `filter` and comes after `cursor`.
    pub(super) fn next(&self, filter: &str, cursor: Option<&Bytes>) -> Option<&Arc<Message>> {
        let filter = filter.as_bytes();
        let Some(wildcard) = memchr::memchr2(b'+', b'#', filter) else {
            return if cursor.is_some() { None } else { self.messages.get(filter) };
        };
        // `a/#` matches `a` as well, so the slash before `#` is not part of the beginning.
        let literal = if filter[wildcard] == b'#' { wildcard.saturating_sub(1) } else { wildcard };
        let prefix = &filter[..literal];
        let from = cursor.map_or(Bound::Included(prefix), |name| Bound::Excluded(&name[..]));
        self.messages
            .range::<[u8], _>((from, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .find(|(name, _)| topic::matches(filter, name))
            .map(|(_, message)| message)
    }
}
