//! Which of the messages that arrive are shown.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use regex::bytes::Regex;

use super::config::FilterOptions;
use crate::protocol::topic;
use crate::protocol::wire::Publish;

/// Which messages are shown, by whether they are retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// All.
    Any,
    /// Those that are not (`-R`).
    Live,
    /// Those that are, and then the run is over (`--retained-only`).
    Retained,
}

/// The conditions that a message must meet to be shown: all of them.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// Whether it is retained.
    pub kind: MessageKind,
    /// Its topic matches none of these (`-T`).
    pub filter_out: Vec<String>,
    /// Chance, in percent (`--sample`).
    pub chance_percent: Option<f64>,
    /// Each of these is found in its payload (`--grep`).
    pub grep: Vec<Regex>,
    /// Its payload is not that of the last message shown of its topic (`--on-change`).
    pub on_change: bool,
    /// The last message shown of its topic is at least that old (`--max-rate`).
    pub least_interval: Option<Duration>,
    /// Fewer than so many messages of its topic were shown (`--count-per-topic`).
    pub count_per_topic: Option<u32>,
}

/// Decides for one message after the other.
pub(super) struct Selector<'a> {
    selection: &'a Conditions,
    /// Where a condition is about the last message of a topic.
    topics: Option<Topics>,
    /// When the messages of the batch in hand were received.
    now: Option<Instant>,
    /// The topics that have not had their number of messages, where it is known which ones there can be.
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

    /// Whether each topic that there can be has had its number of messages.
    pub(super) fn is_complete(&self) -> bool {
        self.unfinished.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether the message is to be shown. It counts as shown if it is.
    #[cfg(test)]
    pub(super) fn takes(&mut self, publish: &Publish<'_>) -> bool {
        self.admits(publish) && self.finds(publish) && self.is_due(publish)
    }

    /// Whether the message meets the conditions that do not look at its payload.
    pub(super) fn admits(&self, publish: &Publish<'_>) -> bool {
        let Conditions { kind, filter_out, chance_percent, .. } = self.selection;
        let unwanted = if publish.retain { MessageKind::Live } else { MessageKind::Retained };
        *kind != unwanted
            && !filter_out.iter().any(|filter| topic::matches(filter.as_bytes(), publish.topic))
            && chance_percent.is_none_or(|percent| fastrand::f64() * 100.0 < percent)
    }

    /// Whether the payload meets the conditions about it.
    pub(super) fn finds(&self, publish: &Publish<'_>) -> bool {
        self.selection.grep.iter().all(|regex| regex.is_match(publish.payload))
    }

    /// Whether the message meets the conditions that look at the last messages of the topic, which come last. It
    /// counts as shown if it does.
    pub(super) fn is_due(&mut self, publish: &Publish<'_>) -> bool {
        let Some(topics) = &mut self.topics else { return true };
        // One clock reading a batch: what is read together was received together.
        let now = *self.now.get_or_insert_with(Instant::now);
        let Some(count) = topics.takes(self.selection, publish, now) else { return false };
        if self.selection.count_per_topic == Some(count) {
            self.is_finished(publish.topic);
        }
        true
    }

    /// What comes next is received later.
    pub(super) fn batch_is_over(&mut self) {
        self.now = None;
    }
}

/// What was shown last of each topic, by hashes with random keys, so that nobody can choose topics or payloads
/// that are taken for others.
///
/// There are two generations, so that the topics that are still in use need not be searched for when the table
/// is full: a topic that has a message becomes young, and when the young are too many, the old are forgotten
/// and the young become the old.
pub(super) struct Topics {
    /// How many may be young.
    most: usize,
    hashes: RandomState,
    young: HashMap<u64, LastShown>,
    old: HashMap<u64, LastShown>,
    /// What the times of messages count from.
    start: Instant,
}

/// The last message shown of a topic.
#[derive(Clone, Copy)]
struct LastShown {
    payload: u64,
    /// Nanoseconds from the start on, which take half the space of an instant.
    at: u64,
    /// Of the messages shown.
    count: u32,
}

impl Topics {
    /// It fits a hash table of 2^19 places, which is at most 7/8 full. With 33 bytes a place, two tables take 35 MB,
    /// and while one of them grows, 44 MB.
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

    /// Whether the message is shown: the number of those shown of its topic then, with this one.
    pub(super) fn takes(
        &mut self,
        selection: &Conditions,
        publish: &Publish<'_>,
        now: Instant,
    ) -> Option<u32> {
        // 584 years fit.
        let at = u64::try_from(now.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        let topic = self.hashes.hash_one(publish.topic);
        // Who does not compare payloads need not read them.
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
