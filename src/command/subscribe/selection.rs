//! Selects the messages to be shown.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use regex::bytes::Regex;

use super::config::FilterOptions;
use crate::protocol::topic;
use crate::protocol::wire::Publish;

/// Which messages are shown, by their RETAIN flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// All.
    Any,
    /// Live messages (`-R`).
    Live,
    /// Retained messages; the run ends after them (`--retained-only`).
    Retained,
}

/// The conditions for a message to be shown; all of them must be met.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// By its RETAIN flag.
    pub kind: MessageKind,
    /// Its topic matches none of these filters (`-T`).
    pub filter_out: Vec<String>,
    /// The probability, in percent (`--sample`).
    pub chance_percent: Option<f64>,
    /// Its payload matches each of these expressions (`--grep`).
    pub grep: Vec<Regex>,
    /// Its payload differs from that of the last message shown of its topic (`--on-change`).
    pub on_change: bool,
    /// The last message shown of its topic is at least this old (`--max-rate`).
    pub least_interval: Option<Duration>,
    /// Fewer than this number of messages of its topic were shown (`--count-per-topic`).
    pub count_per_topic: Option<u32>,
}

/// Decides on messages, one after the other.
pub(super) struct Selector<'a> {
    selection: &'a Conditions,
    /// Set if a condition depends on earlier messages of a topic.
    topics: Option<Topics>,
    /// When the messages of the current batch were received.
    now: Option<Instant>,
    /// The topics that have not reached their number of messages, if all possible topics are known.
    unfinished: Option<Vec<&'a str>>,
}

impl<'a> Selector<'a> {
    pub(super) fn new(selection: &'a Conditions, filters: &'a [FilterOptions]) -> Self {
        let counts = selection.count_per_topic.is_some();
        let remembers = selection.on_change || selection.least_interval.is_some() || counts;
        let names = filters.iter().map(|options| {
            let filter = topic::shared(&options.filter).map_or(&*options.filter, |(_, filter)| filter);
            (!topic::has_wildcard(filter)).then_some(filter)
        });
        let names: Option<Vec<&str>> = names.collect();
        Self {
            selection,
            topics: remembers.then(|| Topics::new(Topics::MOST)),
            now: None,
            unfinished: names.filter(|names| counts && !names.is_empty()),
        }
    }

    /// No message will come for this filter.
    pub(super) fn is_refused(&mut self, filter: &str) {
        let filter = topic::shared(filter).map_or(filter, |(_, filter)| filter);
        self.is_finished(filter.as_bytes());
    }

    fn is_finished(&mut self, topic: &[u8]) {
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.retain(|name| name.as_bytes() != topic);
        }
    }

    /// Whether each possible topic has reached its number of messages.
    pub(super) fn is_complete(&self) -> bool {
        self.unfinished.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether the message is to be shown; it then counts as shown.
    #[cfg(test)]
    pub(super) fn takes(&mut self, publish: &Publish<'_>) -> bool {
        self.admits(publish) && self.finds(publish) && self.is_due(publish)
    }

    /// Whether the message meets the conditions that do not depend on its payload.
    pub(super) fn admits(&self, publish: &Publish<'_>) -> bool {
        let Conditions { kind, filter_out, chance_percent, .. } = self.selection;
        let unwanted = if publish.retain { MessageKind::Live } else { MessageKind::Retained };
        *kind != unwanted
            && !filter_out.iter().any(|filter| topic::matches(filter.as_bytes(), publish.topic))
            && chance_percent.is_none_or(|percent| fastrand::f64() * 100.0 < percent)
    }

    /// Whether the payload meets its conditions.
    pub(super) fn finds(&self, publish: &Publish<'_>) -> bool {
        self.selection.grep.iter().all(|regex| regex.is_match(publish.payload))
    }

    /// Whether the message meets the conditions that depend on earlier messages of its topic, which are
    /// checked last. It then counts as shown.
    pub(super) fn is_due(&mut self, publish: &Publish<'_>) -> bool {
        let Some(topics) = &mut self.topics else { return true };
        // One clock reading per batch: messages of one read were received together.
        let now = *self.now.get_or_insert_with(Instant::now);
        let Some(count) = topics.takes(self.selection, publish, now) else { return false };
        if self.selection.count_per_topic == Some(count) {
            self.is_finished(publish.topic);
        }
        true
    }

    /// Ends a batch: later messages get a new time.
    pub(super) fn batch_is_over(&mut self) {
        self.now = None;
    }
}

/// The last message shown of each topic, as hashes with random keys, so that an attacker cannot choose
/// colliding topics or payloads.
///
/// There are two generations, so that a full table need not be searched for topics still in use: a topic with
/// a message becomes young, and when there are too many young ones, the old are dropped and the young become
/// the old.
pub(super) struct Topics {
    /// The maximum number of young topics.
    most: usize,
    hashes: RandomState,
    young: HashMap<u64, LastShown>,
    old: HashMap<u64, LastShown>,
    /// The origin of the messages' times.
    start: Instant,
}

/// The last message shown of a topic.
#[derive(Clone, Copy)]
struct LastShown {
    payload: u64,
    /// Nanoseconds since the origin, in half the space of an instant.
    at: u64,
    /// The number of messages shown.
    count: u32,
}

impl Topics {
    /// This fits a hash table of 2^19 slots, which is at most 7/8 full. With 33 bytes per slot, two tables
    /// take 35 MB, and while one of them grows, 44 MB.
    const MOST: usize = 400_000;

    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            hashes: RandomState::new(),
            young: HashMap::new(),
            old: HashMap::new(),
            start: Instant::now(),
        }
    }

    /// Whether the message is shown; if so, the number of messages shown of its topic, this one included.
    pub(super) fn takes(
        &mut self,
        selection: &Conditions,
        publish: &Publish<'_>,
        now: Instant,
    ) -> Option<u32> {
        // 584 years fit.
        let at = u64::try_from(now.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        let topic = self.hashes.hash_one(publish.topic);
        // Payloads are hashed only if they are compared.
        let payload = if selection.on_change { self.hashes.hash_one(publish.payload) } else { 0 };
        let last = self.young.get(&topic).copied().or_else(|| self.old.remove(&topic));
        let takes = last.is_none_or(|last| {
            let is_changed = !selection.on_change || last.payload != payload;
            let age = Duration::from_nanos(at.saturating_sub(last.at));
            let is_due = selection.least_interval.is_none_or(|least| age >= least);
            let is_wanted = selection.count_per_topic.is_none_or(|most| last.count < most);
            is_changed && is_due && is_wanted
        });
        if self.young.len() >= self.most && !self.young.contains_key(&topic) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        let count = last.map_or(0, |last| last.count).saturating_add(1);
        let shown = last.filter(|_| !takes).unwrap_or(LastShown { payload, at, count });
        self.young.insert(topic, shown);
        takes.then_some(count)
    }
}
