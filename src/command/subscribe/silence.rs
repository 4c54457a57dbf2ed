//! `--silence`: topics without a live message for some time.
//!
//! Each topic that is not silent has an entry in a list, ordered by its last live message: a message costs
//! one look-up and moves one entry to the end, and one timer, for the head of the list, is enough for all.
//!
//! Before a topic is reported as silent the broker has to answer a PINGREQ: an unnoticed dead link delivers
//! no messages either, and messages may wait in the socket of a program that was stopped. Without a link
//! nothing is known, and times restart when the subscriptions are granted again.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use serde_json::json;
use tokio::time::{Instant, Sleep, sleep_until};

use super::config::SilenceOptions;
use crate::client::session::Session;
use crate::clock;
use crate::error::Error;
use crate::notation::printable::{LineFeed, put_printable};
use crate::output::put_json_line;
use crate::protocol::topic;
use crate::protocol::wire::Publish;
use crate::quantity::duration;

/// With 150 bytes per topic besides its name, and this size of names, it is 60 MB at most.
const MOST_TOPICS: usize = 200_000;
const MOST_NAME_BYTES: usize = 24 * 1024 * 1024;

/// Stands for no entry.
const NONE: u32 = u32::MAX;

/// A topic that had a message.
struct WatchedTopic {
    topic: Arc<[u8]>,
    /// The last live message, or when the topic became known by a retained one. For a silent topic: when its
    /// silence began.
    last: Instant,
    /// The neighbours in the list.
    before: u32,
    after: u32,
    is_silent: bool,
}

/// A filter that no message has matched.
struct Unmatched {
    filter: String,
    is_silent: bool,
    since: Instant,
}

/// The subject of a line.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Topic(&'a [u8]),
    Filter(&'a str),
}

/// Detects silent topics.
pub(super) struct Silence {
    options: SilenceOptions,
    places: HashMap<Arc<[u8]>, u32>,
    known: Vec<WatchedTopic>,
    name_bytes: usize,
    most_topics: usize,
    /// Whether there are unwatched topics that were not reported yet.
    has_others: bool,
    head: u32,
    tail: u32,
    filters: Vec<Unmatched>,
    /// When the subscriptions were granted; times count from here.
    since: Option<Instant>,
    was_lost: bool,
    /// When the PINGREQ was sent that decides on the topics due by then.
    asked: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// When the messages of the current batch were received.
    now: Option<Instant>,
}

impl Silence {
    pub(super) fn new(options: SilenceOptions, filters: impl Iterator<Item = String>) -> Self {
        let now = Instant::now();
        Self {
            options,
            places: HashMap::new(),
            known: Vec::new(),
            name_bytes: 0,
            most_topics: MOST_TOPICS,
            has_others: false,
            head: NONE,
            tail: NONE,
            filters: filters.map(|filter| Unmatched { filter, is_silent: false, since: now }).collect(),
            since: None,
            was_lost: false,
            asked: None,
            timer: None,
            now: None,
        }
    }

    /// The broker has refused this filter.
    pub(super) fn is_refused(&mut self, refused: &str) {
        self.filters.retain(|unmatched| unmatched.filter != refused);
    }

    /// A message was received. A retained one is not a sign of life, but makes its topic known.
    pub(super) fn message(&mut self, out: &mut Vec<u8>, publish: &Publish<'_>) {
        let now = *self.now.get_or_insert_with(Instant::now);
        match self.places.get(publish.topic) {
            Some(_) if publish.retain => {}
            Some(place) => self.lives(out, *place, now),
            None => self.learn(out, publish, now),
        }
    }

    /// Ends a batch: later messages get a new time.
    pub(super) fn batch_is_over(&mut self) {
        self.now = None;
    }

    fn lives(&mut self, out: &mut Vec<u8>, place: u32, now: Instant) {
        let known = &mut self.known[place as usize];
        if !known.is_silent && self.tail == place {
            known.last = now;
            return;
        }
        if std::mem::take(&mut known.is_silent) {
            put(out, self.options.json, "back", Some(Subject::Topic(&known.topic)), Some(now - known.last));
        } else {
            self.unlink(place);
        }
        self.append(place, now);
    }

    /// Processes the first message of a topic.
    fn learn(&mut self, out: &mut Vec<u8>, publish: &Publish<'_>, now: Instant) {
        let mut silent_since = None;
        let json = self.options.json;
        self.filters.retain(|unmatched| {
            let filter = topic::shared(&unmatched.filter).map_or(&*unmatched.filter, |(_, filter)| filter);
            if !topic::matches(filter.as_bytes(), publish.topic) {
                return true;
            }
            if unmatched.is_silent && publish.retain {
                // The silence continues, now as that of the topic.
                silent_since = Some(unmatched.since);
            } else if unmatched.is_silent {
                put(out, json, "back", Some(Subject::Filter(&unmatched.filter)), Some(now - unmatched.since));
            }
            false
        });
        let name_bytes = self.name_bytes + publish.topic.len();
        if self.known.len() >= self.most_topics || name_bytes > MOST_NAME_BYTES {
            self.has_others = true;
            return;
        }
        let Ok(place) = u32::try_from(self.known.len()) else { return };
        self.name_bytes = name_bytes;
        let topic: Arc<[u8]> = publish.topic.into();
        self.places.insert(Arc::clone(&topic), place);
        let last = silent_since.unwrap_or(now);
        let is_silent = silent_since.is_some();
        self.known.push(WatchedTopic { topic, last, before: NONE, after: NONE, is_silent });
        if !is_silent {
            self.append(place, now);
        }
    }

    fn append(&mut self, place: u32, now: Instant) {
        let before = std::mem::replace(&mut self.tail, place);
        let known = &mut self.known[place as usize];
        (known.last, known.before, known.after) = (now, before, NONE);
        match self.known.get_mut(before as usize) {
            Some(before) => before.after = place,
            None => self.head = place,
        }
    }

    fn unlink(&mut self, place: u32) {
        let WatchedTopic { before, after, .. } = self.known[place as usize];
        match self.known.get_mut(before as usize) {
            Some(before) => before.after = after,
            None => self.head = after,
        }
        match self.known.get_mut(after as usize) {
            Some(after) => after.before = before,
            None => self.tail = before,
        }
    }

    /// The link is lost: whether devices are silent is unknown.
    pub(super) fn lost(&mut self, out: &mut Vec<u8>) {
        self.asked = None;
        if self.since.take().is_some() {
            self.was_lost = true;
            put(out, self.options.json, "unknown", None, None);
        }
    }

    /// The subscriptions are granted. Sends a PINGREQ when a topic is due.
    pub(super) fn fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        packets: &mut BytesMut,
        out: &mut Vec<u8>,
    ) {
        let since = *self.since.get_or_insert_with(|| {
            if std::mem::take(&mut self.was_lost) {
                put(out, self.options.json, "watching", None, None);
            }
            Instant::now()
        });
        if self.asked.is_some() {
            return;
        }
        let limit = self.options.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(since + limit)));
        // The timer is not moved with every message: it may fire at an earlier time, and is then set to the
        // current one. If nothing is due, a topic that becomes known later is due more than `limit` from now.
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let next = next_due(&self.known, self.head, &self.filters, since).map(|start| start + limit);
            if next.is_some_and(|next| next <= now) {
                self.asked = Some(now);
                session.ping(packets);
                return;
            }
            timer.as_mut().reset(next.unwrap_or(now + limit));
        }
    }

    /// The broker has answered, after all earlier messages. Reports the topics that were due when PINGREQ was
    /// sent.
    ///
    /// # Errors
    /// A topic is silent, and that ends the run.
    pub(super) fn answered(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let (Some(asked), Some(since)) = (self.asked.take(), self.since) else { return Ok(()) };
        let mut count = 0_u64;
        while let Some(known) = self.known.get(self.head as usize) {
            let start = known.last.max(since);
            if start + self.options.limit > asked {
                break;
            }
            let place = self.head;
            self.unlink(place);
            let known = &mut self.known[place as usize];
            (known.is_silent, known.last) = (true, start);
            put(out, self.options.json, "silent", Some(Subject::Topic(&known.topic)), Some(asked - start));
            count += 1;
        }
        for unmatched in &mut self.filters {
            if !unmatched.is_silent && since + self.options.limit <= asked {
                (unmatched.is_silent, unmatched.since) = (true, since);
                put(
                    out,
                    self.options.json,
                    "silent",
                    Some(Subject::Filter(&unmatched.filter)),
                    Some(asked - since),
                );
                count += 1;
            }
        }
        if self.options.fails && count > 0 {
            let limit = duration(self.options.limit);
            return Err(Error::Negative(format!(
                "no live message for {limit} on {count} of the topics and filters"
            )));
        }
        Ok(())
    }

    /// A warning, returned once, if there are more topics than are watched.
    pub(super) fn warning(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.has_others) {
            return None;
        }
        // Further topics are not looked up again.
        let count = self.known.len();
        (self.most_topics > 0).then(|| {
            self.most_topics = 0;
            format!("--silence watches {count} topics, and no more: their names would take too much memory")
        })
    }
}

/// The last sign of life of the topic or filter that will be silent next.
fn next_due(known: &[WatchedTopic], head: u32, filters: &[Unmatched], since: Instant) -> Option<Instant> {
    let topic = known.get(head as usize).map(|known| known.last.max(since));
    let filter = filters.iter().any(|unmatched| !unmatched.is_silent).then_some(since);
    [topic, filter].into_iter().flatten().min()
}

/// Appends a line: a state and its subject, or an object.
fn put(out: &mut Vec<u8>, json: bool, state: &str, of: Option<Subject<'_>>, time: Option<Duration>) {
    if !json {
        out.extend_from_slice(state.as_bytes());
        if let Some(Subject::Topic(name)) = of {
            out.push(b' ');
            put_printable(out, name, LineFeed::Show);
        } else if let Some(Subject::Filter(filter)) = of {
            out.push(b' ');
            put_printable(out, filter.as_bytes(), LineFeed::Show);
        }
        out.push(b'\n');
        return;
    }
    let now = clock::rfc3339_micros(SystemTime::now());
    let mut object = json!({ "type": "silence", "version": 1, "tst": now, "state": state });
    match of {
        Some(Subject::Topic(name)) => object["topic"] = String::from_utf8_lossy(name).into(),
        Some(Subject::Filter(filter)) => object["filter"] = filter.into(),
        None => {}
    }
    if let Some(time) = time {
        // In milliseconds, so that the number stays readable.
        let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        object["silent_s"] = (f64::from(millis) / 1000.0).into();
    }
    put_json_line(out, &object);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::QoS;
    use crate::protocol::property::Properties;

    fn message(topic: &str, retain: bool) -> Publish<'_> {
        Publish {
            topic: topic.as_bytes(),
            payload: b"",
            qos: QoS::AtMostOnce,
            retain,
            dup: false,
            packet_identifier: 0,
            properties: Properties::NONE,
        }
    }

    const LIMIT: Duration = Duration::from_secs(60);

    /// A simulated run: messages by topic (`!` for retained) at given seconds, and PINGREQs for due topics.
    struct Run {
        silence: Silence,
        begin: Instant,
        out: Vec<u8>,
    }

    impl Run {
        fn new(filters: &[&str]) -> Self {
            let filters = filters.iter().map(|filter| (*filter).to_owned());
            let mut silence =
                Silence::new(SilenceOptions { limit: LIMIT, json: false, fails: false }, filters);
            let begin = Instant::now();
            silence.since = Some(begin);
            Self { silence, begin, out: Vec::new() }
        }

        fn message(&mut self, second: u64, topic: &str) {
            self.silence.now = Some(self.begin + Duration::from_secs(second));
            let name = topic.trim_start_matches('!');
            self.silence.message(&mut self.out, &message(name, name != topic));
        }

        /// The output since the last call, up to this second.
        fn said(&mut self, second: u64) -> String {
            self.silence.asked = Some(self.begin + Duration::from_secs(second));
            self.silence.answered(&mut self.out).unwrap();
            String::from_utf8(std::mem::take(&mut self.out)).unwrap().trim_end().replace('\n', ", ")
        }

        fn due(&self) -> Option<u64> {
            let Silence { known, head, filters, since, .. } = &self.silence;
            let start = next_due(known, *head, filters, since.unwrap())?;
            Some((start + LIMIT - self.begin).as_secs())
        }
    }

    #[test]
    fn each_topic_is_reported_once_and_once_when_it_is_back() {
        let mut run = Run::new(&["#"]);
        for (second, topic) in [(0, "a"), (1, "b"), (2, "c"), (30, "b"), (31, "a"), (32, "a")] {
            run.message(second, topic);
        }
        assert_eq!((run.due(), run.said(61)), (Some(62), String::new()));
        assert_eq!((run.said(62), run.said(89)), ("silent c".into(), String::new()));
        assert_eq!((run.due(), run.said(200)), (Some(90), "silent b, silent a".into()));
        assert_eq!((run.due(), run.said(900)), (None, String::new()));
        run.message(901, "b");
        run.message(902, "b");
        run.message(903, "c");
        assert_eq!((run.said(904), run.due()), ("back b, back c".into(), Some(962)));
        assert_eq!(run.said(2000), "silent b, silent c");
    }

    #[test]
    fn retained_messages_make_topics_known_but_are_not_signs_of_life() {
        let mut run = Run::new(&["a/#"]);
        run.message(10, "!a/1");
        run.message(50, "!a/1");
        assert_eq!((run.said(69), run.said(70)), (String::new(), "silent a/1".into()));
        run.message(80, "!a/1");
        assert_eq!(run.said(81), "");
        run.message(82, "a/1");
        assert_eq!(run.said(83), "back a/1");
    }

    #[test]
    fn filters_without_a_message_are_reported() {
        let mut run = Run::new(&["a/+", "$share/g/b", "c/#", "d/#"]);
        run.message(5, "a/1");
        assert_eq!((run.due(), run.said(59)), (Some(60), String::new()));
        assert_eq!(run.said(60), "silent $share/g/b, silent c/#, silent d/#");
        run.message(61, "b");
        run.message(62, "!c/2");
        assert_eq!(run.said(64), "back $share/g/b");
        run.message(63, "c/2");
        assert_eq!(run.said(64), "back c/2");
        run.message(64, "c/3");
        // Only d/# is left, and it was reported.
        assert_eq!(run.said(900), "silent a/1, silent b, silent c/2, silent c/3");
    }

    #[test]
    fn time_without_a_link_does_not_count() {
        let mut run = Run::new(&["#", "x"]);
        run.message(0, "a");
        run.message(1, "b");
        assert_eq!(run.said(60), "silent a, silent x");
        run.silence.lost(&mut run.out);
        run.silence.lost(&mut run.out);
        assert_eq!(run.said(500), "unknown");
        run.silence.since = Some(run.begin + Duration::from_secs(1000));
        assert_eq!((run.due(), run.said(1059)), (Some(1060), String::new()));
        run.message(1060, "a");
        assert_eq!(run.said(1061), "back a, silent b");
    }

    #[test]
    fn refused_filters_are_not_watched() {
        let mut run = Run::new(&["a", "b"]);
        run.silence.is_refused("a");
        assert_eq!(run.said(60), "silent b");
    }

    /// The list agrees with a plain search of all topics.
    #[test]
    fn order_is_that_of_the_last_messages() {
        let mut run = Run::new(&["#"]);
        let mut last = [0; 20];
        for second in 1..2000 {
            let number = fastrand::usize(..20);
            last[number] = second;
            run.message(second, &number.to_string());
            let known = last.iter().filter(|last| **last > 0);
            let mut expected: Vec<u64> = known.copied().collect();
            expected.sort_unstable();
            let mut found = Vec::new();
            let mut place = run.silence.head;
            while let Some(known) = run.silence.known.get(place as usize) {
                found.push((known.last - run.begin).as_secs());
                place = known.after;
            }
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn more_topics_than_are_watched_are_reported_once() {
        let mut run = Run::new(&["#"]);
        run.silence.most_topics = 2;
        for topic in ["a", "b", "c", "d"] {
            run.message(0, topic);
        }
        assert!(run.silence.warning().unwrap().contains("watches 2 topics"));
        run.message(1, "e");
        assert_eq!(run.silence.warning(), None);
        assert_eq!(run.said(60), "silent a, silent b");
    }

    #[test]
    fn a_known_topic_costs_no_allocation() {
        let mut run = Run::new(&["#"]);
        let topics: Vec<String> = (0..100).map(|number| format!("device/{number}")).collect();
        let mut all = |second| topics.iter().for_each(|topic| run.message(second, topic));
        all(0);
        assert_eq!(allocation_counter::measure(|| all(1)).count_total, 0);
    }
}
