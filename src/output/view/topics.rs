//! The state of the live view for each topic.

use std::cmp::{Ordering, Reverse};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::notation::printable::printable;
use crate::output::json::put_properties_object;
use crate::protocol::wire::Publish;
use crate::quotation::cut;

/// With the data kept for each, this is at most 60 MB.
const MOST_TOPICS: usize = 10_000;
/// Maximum number of bytes kept of a payload, of the properties, and of each earlier payload.
pub(super) const MOST_PAYLOAD_BYTES: usize = 4096;
const MOST_PROPERTIES_BYTES: usize = 1024;
const MOST_EARLIER_BYTES: usize = 128;
/// Maximum number of earlier payloads of a topic.
const MOST_EARLIER: usize = 5;

/// A payload that is not the latest.
#[derive(Debug, Clone)]
pub(super) struct EarlierValue {
    pub(super) at: Instant,
    pub(super) payload: Vec<u8>,
}

/// A topic, and its latest message.
#[derive(Debug, Clone)]
pub(super) struct ViewedTopic {
    /// The topic name, safe to show.
    pub(super) name: String,
    pub(super) count: u64,
    pub(super) at: Instant,
    pub(super) retain: bool,
    pub(super) qos: u8,
    pub(super) size: usize,
    /// The part of the payload that is kept.
    pub(super) payload: Vec<u8>,
    /// Why the payload was not decoded; empty if it was.
    pub(super) error: String,
    /// The properties as JSON; empty without properties.
    pub(super) properties: Vec<u8>,
    pub(super) earlier: VecDeque<EarlierValue>,
    /// The number of messages since the rates were computed.
    recent: u32,
    pub(super) rate: f64,
}

impl ViewedTopic {
    fn new(topic: &[u8], now: Instant) -> Self {
        Self {
            name: printable(topic),
            count: 0,
            at: now,
            retain: false,
            qos: 0,
            size: 0,
            payload: Vec::new(),
            error: String::new(),
            properties: Vec::new(),
            earlier: VecDeque::new(),
            recent: 0,
            rate: 0.0,
        }
    }

    /// Stores a message. Once the buffers have grown, only properties allocate.
    fn take(&mut self, publish: &Publish<'_>, error: Option<&str>, now: Instant) {
        if self.count > 0 {
            let full = (self.earlier.len() >= MOST_EARLIER).then(|| self.earlier.pop_front()).flatten();
            let mut value = full.unwrap_or_else(|| EarlierValue { at: now, payload: Vec::new() });
            value.at = self.at;
            value.payload.clear();
            value.payload.extend_from_slice(&self.payload[..self.payload.len().min(MOST_EARLIER_BYTES)]);
            self.earlier.push_back(value);
        }
        self.count += 1;
        self.recent += 1;
        (self.at, self.retain, self.qos) = (now, publish.retain, publish.qos as u8);
        self.size = publish.payload.len();
        self.payload.clear();
        self.payload.extend_from_slice(&publish.payload[..self.size.min(MOST_PAYLOAD_BYTES)]);
        self.error.clear();
        self.error.push_str(&error.map(cut).unwrap_or_default());
        self.properties.clear();
        if !publish.properties.is_empty() {
            put_properties_object(&mut self.properties, publish.properties, Into::into);
            if self.properties.len() > MOST_PROPERTIES_BYTES {
                self.properties = br#"{"properties":"too large to be kept"}"#.to_vec();
            }
        }
    }
}

/// The order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopicOrder {
    Topic,
    Rate,
    Age,
    Size,
}

impl TopicOrder {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Topic => Self::Rate,
            Self::Rate => Self::Age,
            Self::Age => Self::Size,
            Self::Size => Self::Topic,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Rate => "rate",
            Self::Age => "age",
            Self::Size => "size",
        }
    }
}

/// A row of the list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ListRow {
    Topic(usize),
    /// A level of the tree, with all topics below it.
    Level {
        prefix: String,
        depth: usize,
        topics: usize,
        count: u64,
        rate: f64,
        is_open: bool,
    },
}

/// All topics.
#[derive(Debug, Clone)]
pub(super) struct ViewedTopics {
    places: HashMap<Box<[u8]>, usize>,
    /// The indices of the topics in the order of their names.
    by_name: Vec<usize>,
    pub(super) all: Vec<ViewedTopic>,
    pub(super) messages: u64,
    recent: u64,
    pub(super) rate: f64,
    pub(super) has_others: bool,
    rates_made: Instant,
}

impl ViewedTopics {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            places: HashMap::new(),
            by_name: Vec::new(),
            all: Vec::new(),
            messages: 0,
            recent: 0,
            rate: 0.0,
            has_others: false,
            rates_made: now,
        }
    }

    pub(super) fn take(&mut self, publish: &Publish<'_>, error: Option<&str>, now: Instant) {
        self.messages += 1;
        self.recent += 1;
        let place = match self.places.get(publish.topic) {
            Some(place) => *place,
            None if self.all.len() < MOST_TOPICS => {
                self.places.insert(publish.topic.into(), self.all.len());
                self.all.push(ViewedTopic::new(publish.topic, now));
                self.all.len() - 1
            }
            None => {
                self.has_others = true;
                return;
            }
        };
        self.all[place].take(publish, error, now);
    }

    /// Computes the rates once a second, each as the mean of the new value and the one before. Returns
    /// whether it did.
    pub(super) fn make_rates(&mut self, now: Instant) -> bool {
        let time = now.saturating_duration_since(self.rates_made);
        if time < Duration::from_secs(1) {
            return false;
        }
        let seconds = time.as_secs_f64();
        self.rates_made = now;
        let rated = |rate: f64, recent: f64| {
            let rate = f64::midpoint(rate, recent / seconds);
            if rate < 0.05 { 0.0 } else { rate }
        };
        for topic in &mut self.all {
            topic.rate = rated(topic.rate, f64::from(std::mem::take(&mut topic.recent)));
        }
        let recent = u32::try_from(std::mem::take(&mut self.recent)).unwrap_or(u32::MAX);
        self.rate = rated(self.rate, f64::from(recent));
        true
    }

    /// Inserts new topics into the order of names.
    pub(super) fn order_names(&mut self) {
        let known = self.by_name.len();
        if known < self.all.len() {
            self.by_name.extend(known..self.all.len());
            // Usually a few new ones follow the sorted ones, which this algorithm exploits.
            let names = &self.all;
            self.by_name.sort_by(|one, other| by_levels(&names[*one].name, &names[*other].name));
        }
    }

    /// The indices of the topics whose names contain this text, in this order.
    fn sorted(&self, order: TopicOrder, filter: &str) -> Vec<usize> {
        let filter = filter.to_lowercase();
        let is_found =
            |place: &usize| filter.is_empty() || self.all[*place].name.to_lowercase().contains(&filter);
        let mut places: Vec<usize> = self.by_name.iter().copied().filter(is_found).collect();
        let all = &self.all;
        // Equal topics stay in the order of names.
        match order {
            TopicOrder::Topic => {}
            TopicOrder::Rate => places.sort_by(|one, other| all[*other].rate.total_cmp(&all[*one].rate)),
            TopicOrder::Age => places.sort_by_key(|place| Reverse(all[*place].at)),
            TopicOrder::Size => places.sort_by_key(|place| Reverse(all[*place].size)),
        }
        places
    }

    /// The rows of a list.
    pub(super) fn list(&self, order: TopicOrder, filter: &str) -> Vec<ListRow> {
        self.sorted(order, filter).into_iter().map(ListRow::Topic).collect()
    }

    /// The rows of the tree: a level is followed by the rows below it, unless it is closed.
    pub(super) fn tree(&self, filter: &str, closed: &HashSet<String>) -> Vec<ListRow> {
        let places = self.sorted(TopicOrder::Topic, filter);
        let mut rows = Vec::new();
        self.branch(&places, 0, closed, &mut rows);
        rows
    }

    /// The rows of topics that share their first levels up to `depth`.
    fn branch(&self, places: &[usize], depth: usize, closed: &HashSet<String>, rows: &mut Vec<ListRow>) {
        let mut rest = places;
        while let Some(first) = rest.first() {
            let name = &self.all[*first].name;
            let Some(end) = name.match_indices('/').nth(depth).map(|(end, _)| end) else {
                rows.push(ListRow::Topic(*first));
                rest = &rest[1..];
                continue;
            };
            let prefix = &name[..=end];
            let count = rest.iter().take_while(|place| self.all[**place].name.starts_with(prefix)).count();
            let (below, others) = rest.split_at(count);
            let is_open = !closed.contains(prefix);
            let topics = below.iter().map(|place| &self.all[*place]);
            rows.push(ListRow::Level {
                prefix: prefix.to_owned(),
                depth,
                topics: count,
                count: topics.clone().map(|topic| topic.count).sum(),
                rate: topics.map(|topic| topic.rate).sum(),
                is_open,
            });
            if is_open {
                self.branch(below, depth + 1, closed, rows);
            }
            rest = others;
        }
    }
}

/// Compares names level by level, so that all topics below a level are adjacent.
fn by_levels(one: &str, other: &str) -> Ordering {
    let key = |byte| if byte == b'/' { 0 } else { byte };
    one.bytes().map(key).cmp(other.bytes().map(key))
}
