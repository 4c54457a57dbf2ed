//! `--stats`: the number of messages and bytes per topic.
//!
//! Each topic is counted down to its first levels, including everything below them. The sums of higher levels
//! are computed for a report only.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use tokio::time::{Instant, Interval, interval_at};

use super::config::StatsOptions;
use crate::clock;
use crate::error::Error;
use crate::notation::printable::printable;
use crate::output::{Stdout, put_json_line};
use crate::protocol::wire::Publish;
use crate::quantity::{counted, duration};
use crate::signal::ReportRequests;

/// Maximum number of topics counted separately, and of the bytes of their names. Further topics are counted
/// together.
const MOST_TOPICS: usize = 100_000;
const MOST_NAME_BYTES: usize = 16 * 1024 * 1024;
/// Maximum number of rows of a table.
const MOST_ROWS: usize = 40;

/// The counts of a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct TopicCounts {
    messages: u64,
    /// The bytes of payloads.
    bytes: u64,
    /// The number of retained messages.
    retained: u64,
    /// The number of live messages since the last regular report.
    recent: u64,
    /// Whether topics below this one are counted with it.
    is_cut: bool,
}

impl TopicCounts {
    fn count(&mut self, publish: &Publish<'_>) {
        self.messages += 1;
        self.bytes += publish.payload.len() as u64;
        self.retained += u64::from(publish.retain);
        self.recent += u64::from(!publish.retain);
    }

    fn add(&mut self, other: &Self) {
        let Self { messages, bytes, retained, recent, is_cut: _ } = other;
        self.messages += messages;
        self.bytes += bytes;
        self.retained += retained;
        self.recent += recent;
    }

    /// Live messages per second.
    fn rate(&self, window: RateWindow) -> f64 {
        let messages = if window.is_recent { self.recent } else { self.messages - self.retained };
        #[allow(clippy::cast_precision_loss, reason = "a rate is no exact number")]
        let rate = messages as f64 / window.time.as_secs_f64().max(0.001);
        (rate * 10.0).round() / 10.0
    }

    fn retained_percent(&self) -> u64 {
        (self.retained * 100).checked_div(self.messages).unwrap_or(0)
    }
}

/// The period of the rates.
#[derive(Debug, Clone, Copy)]
struct RateWindow {
    time: Duration,
    /// Whether it began with the last regular report, and not with the run.
    is_recent: bool,
}

/// A topic, or a level with all topics below it.
struct StatsRow<'a> {
    name: &'a [u8],
    level: usize,
    counts: TopicCounts,
}

impl StatsRow<'_> {
    fn label(&self) -> String {
        let name = String::from_utf8_lossy(self.name);
        if self.counts.is_cut { format!("{name}/#") } else { name.into_owned() }
    }
}

/// Counts messages, and reports.
pub(super) struct Stats {
    json: bool,
    levels: usize,
    every: Option<Duration>,
    topics: HashMap<Box<[u8]>, TopicCounts>,
    name_bytes: usize,
    all: TopicCounts,
    others: TopicCounts,
    /// The time of the first connection.
    start: Option<Instant>,
    last_report: Instant,
    ends: Option<Interval>,
    requests: ReportRequests,
    has_reported: bool,
}

impl Stats {
    /// Starts to catch SIGUSR1, which requests a report.
    ///
    /// # Errors
    /// The system refuses to catch SIGUSR1.
    pub(super) fn new(options: StatsOptions) -> Result<Self, Error> {
        let StatsOptions { json, levels, every } = options;
        Ok(Self {
            json,
            levels,
            every,
            topics: HashMap::new(),
            name_bytes: 0,
            all: TopicCounts::default(),
            others: TopicCounts::default(),
            start: None,
            last_report: Instant::now(),
            ends: None,
            requests: ReportRequests::catch()?,
            has_reported: false,
        })
    }

    /// Starts the time at the first connection.
    pub(super) fn start(&mut self) {
        if self.start.is_none() {
            let now = Instant::now();
            (self.start, self.last_report) = (Some(now), now);
            self.ends = self.every.map(|every| interval_at(now + every, every));
        }
    }

    pub(super) fn count(&mut self, publish: &Publish<'_>) {
        self.all.count(publish);
        let end = memchr::memchr_iter(b'/', publish.topic).nth(self.levels - 1);
        let name = end.map_or(publish.topic, |end| &publish.topic[..end]);
        if let Some(counts) = self.topics.get_mut(name) {
            counts.count(publish);
            counts.is_cut |= end.is_some();
        } else if self.topics.len() < MOST_TOPICS && self.name_bytes + name.len() <= MOST_NAME_BYTES {
            self.name_bytes += name.len();
            let mut counts = TopicCounts { is_cut: end.is_some(), ..TopicCounts::default() };
            counts.count(publish);
            self.topics.insert(name.into(), counts);
        } else {
            self.others.count(publish);
        }
    }

    /// Writes the reports that are due or requested. While the reader stalls none is made. Ready only when
    /// standard output fails.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, stdout: &mut Stdout) -> Poll<Error> {
        loop {
            if let Err(error) = ready!(stdout.poll_flush(cx)) {
                return Poll::Ready(error);
            }
            let is_due = self.ends.as_mut().is_some_and(|ends| ends.poll_tick(cx).is_ready());
            if is_due {
                let now = Instant::now();
                let window = RateWindow { time: now - self.last_report, is_recent: true };
                self.report(stdout.buffer(), now, window);
                self.last_report = now;
                self.all.recent = 0;
                self.others.recent = 0;
                self.topics.values_mut().for_each(|counts| counts.recent = 0);
            } else {
                ready!(self.requests.poll(cx));
                self.report_all(stdout.buffer());
            }
        }
    }

    /// Appends a report of the whole run.
    pub(super) fn report_all(&mut self, out: &mut Vec<u8>) {
        let now = Instant::now();
        let window =
            RateWindow { time: self.start.map_or(Duration::ZERO, |start| now - start), is_recent: false };
        self.report(out, now, window);
    }

    fn report(&mut self, out: &mut Vec<u8>, now: Instant, window: RateWindow) {
        let elapsed = self.start.map_or(Duration::ZERO, |start| now - start);
        let rows = self.rows();
        if self.json {
            return put_json_line(out, &self.object(&rows, elapsed, window));
        }
        let text = self.table(rows, elapsed, window);
        if std::mem::replace(&mut self.has_reported, true) {
            out.push(b'\n');
        }
        out.extend_from_slice(text.as_bytes());
    }

    /// All topics and levels, those with the most messages first; of equal ones, the higher level first.
    fn rows(&self) -> Vec<StatsRow<'_>> {
        let mut sums: HashMap<&[u8], (usize, TopicCounts)> = HashMap::with_capacity(self.topics.len());
        for (name, counts) in &self.topics {
            let mut level = 0;
            for end in memchr::memchr_iter(b'/', name) {
                level += 1;
                let (_, above) = sums.entry(&name[..end]).or_insert((level, TopicCounts::default()));
                above.add(counts);
                above.is_cut = true;
            }
            let (_, own) = sums.entry(name).or_insert((level + 1, TopicCounts::default()));
            own.add(counts);
            own.is_cut |= counts.is_cut;
        }
        let mut rows: Vec<StatsRow<'_>> =
            sums.into_iter().map(|(name, (level, counts))| StatsRow { name, level, counts }).collect();
        rows.sort_unstable_by(|one, other| {
            let noise = other.counts.messages.cmp(&one.counts.messages);
            noise.then(one.level.cmp(&other.level)).then(one.name.cmp(other.name))
        });
        rows
    }

    /// The rows with the most messages, each below the level it belongs to. A level has at least as many
    /// messages as the rows below it, so it is included if one of them is.
    fn table(&self, mut rows: Vec<StatsRow<'_>>, elapsed: Duration, window: RateWindow) -> String {
        let hidden = rows.len().saturating_sub(MOST_ROWS);
        rows.truncate(MOST_ROWS);
        let shown: HashSet<&[u8]> = rows.iter().map(|row| row.name).collect();
        let mut text = format!(
            "{}: {}, {:.1}/s, {}, {} retained\n",
            duration(elapsed),
            counted(self.all.messages, "message"),
            self.all.rate(window),
            counted(self.all.bytes, "byte"),
            self.all.retained
        );
        if rows.is_empty() {
            return text;
        }
        text.push_str("  messages     msg/s        bytes  retained  topic\n");
        // A stack: the next row is last.
        let mut ahead: Vec<&StatsRow<'_>> = rows.iter().filter(|row| row.level == 1).rev().collect();
        while let Some(row) = ahead.pop() {
            put_row(&mut text, &row.counts, window, &"  ".repeat(row.level - 1), &printable(&row.label()));
            if row.counts.is_cut && shown.contains(row.name) {
                let is_below = |other: &&StatsRow<'_>| {
                    other.level == row.level + 1
                        && other.name.starts_with(row.name)
                        && other.name.get(row.name.len()) == Some(&b'/')
                };
                ahead.extend(rows.iter().filter(is_below).rev());
            }
        }
        if self.others.messages > 0 {
            put_row(&mut text, &self.others, window, "", "(topics that are not counted each on its own)");
        }
        if hidden > 0 {
            let _ = writeln!(text, "… {}, with fewer messages", counted(hidden as u64, "more row"));
        }
        text
    }

    fn object<'a>(&self, rows: &'a [StatsRow<'a>], elapsed: Duration, window: RateWindow) -> StatsObject<'a> {
        let counts = |counts| CountsObject::of(counts, window);
        StatsObject {
            r#type: "stats",
            version: 1,
            tst: clock::rfc3339_micros(SystemTime::now()),
            elapsed_s: seconds(elapsed),
            rate_over_s: seconds(window.time),
            all: counts(&self.all),
            topics: TopicObjects { rows, window },
            other_topics: counts(&self.others),
        }
    }
}

/// A report as JSON, written row by row: all rows as values would take a kilobyte each.
#[derive(Serialize)]
struct StatsObject<'a> {
    r#type: &'static str,
    version: u32,
    tst: String,
    elapsed_s: f64,
    rate_over_s: f64,
    all: CountsObject,
    topics: TopicObjects<'a>,
    other_topics: CountsObject,
}

#[derive(Serialize)]
struct CountsObject {
    messages: u64,
    bytes: u64,
    retained: u64,
    messages_per_s: f64,
}

impl CountsObject {
    fn of(counts: &TopicCounts, window: RateWindow) -> Self {
        let TopicCounts { messages, bytes, retained, recent: _, is_cut: _ } = *counts;
        Self { messages, bytes, retained, messages_per_s: counts.rate(window) }
    }
}

#[derive(Serialize)]
struct TopicObject {
    topic: String,
    level: usize,
    #[serde(flatten)]
    counts: CountsObject,
}

struct TopicObjects<'a> {
    rows: &'a [StatsRow<'a>],
    window: RateWindow,
}

impl Serialize for TopicObjects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| TopicObject {
            topic: row.label(),
            level: row.level,
            counts: CountsObject::of(&row.counts, self.window),
        }))
    }
}

/// Seconds, rounded to milliseconds.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

fn put_row(text: &mut String, counts: &TopicCounts, window: RateWindow, indent: &str, name: &str) {
    let TopicCounts { messages, bytes, .. } = counts;
    let _ = writeln!(
        text,
        "{messages:>10} {:>9.1} {bytes:>12} {:>7} %  {indent}{name}",
        counts.rate(window),
        counts.retained_percent()
    );
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::protocol::QoS;
    use crate::protocol::property::Properties;

    fn stats(levels: usize, json: bool) -> Stats {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { Stats::new(StatsOptions { json, levels, every: None }).unwrap() })
    }

    fn take(stats: &mut Stats, topic: &str, payload: &[u8], retain: bool) {
        stats.count(&Publish {
            topic: topic.as_bytes(),
            payload,
            qos: QoS::AtMostOnce,
            retain,
            dup: false,
            packet_identifier: 0,
            properties: Properties::NONE,
        });
    }

    const TEN_SECONDS: RateWindow = RateWindow { time: Duration::from_secs(10), is_recent: false };

    #[test]
    fn levels_have_the_sums_of_what_is_below() {
        let mut stats = stats(2, false);
        for _ in 0..30 {
            take(&mut stats, "home/kitchen/lamp", b"on", false);
        }
        take(&mut stats, "home/kitchen", b"12345", true);
        for _ in 0..3 {
            take(&mut stats, "home/hall/door/bell", b"", true);
        }
        take(&mut stats, "/x\x1b", b"1", false);
        let expected = "10s: 35 messages, 3.1/s, 66 bytes, 4 retained
  messages     msg/s        bytes  retained  topic
        34       3.0           65      11 %  home/#
        31       3.0           65       3 %    home/kitchen/#
         3       0.0            0     100 %    home/hall/#
         1       0.1            1       0 %  /#
         1       0.1            1       0 %    /x\\x1b
";
        assert_eq!(stats.table(stats.rows(), Duration::from_secs(10), TEN_SECONDS), expected);
        // With one level there are no rows below it.
        let mut stats = super::tests::stats(1, false);
        take(&mut stats, "a", b"", false);
        take(&mut stats, "a/b", b"", false);
        let table = stats.table(stats.rows(), Duration::from_secs(10), TEN_SECONDS);
        assert!(table.ends_with("         2       0.2            0       0 %  a/#\n"), "{table}");
    }

    #[test]
    fn the_noisiest_rows_are_shown() {
        let mut stats = stats(3, false);
        for number in 0..100 {
            for _ in 0..=number {
                take(&mut stats, &format!("a/{number}"), b"", false);
            }
        }
        let table = stats.table(stats.rows(), Duration::from_secs(10), TEN_SECONDS);
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert!(
            rows[0].ends_with(" a/#") && rows[1].ends_with(" a/99") && rows[39].ends_with(" a/61"),
            "{table}"
        );
        assert_eq!(rows[40..], ["… 61 more rows, with fewer messages"]);
    }

    #[test]
    fn topics_beyond_the_bound_are_counted_together() {
        let mut stats = stats(1, true);
        for number in 0..MOST_TOPICS + 7 {
            take(&mut stats, &number.to_string(), b"x", false);
        }
        take(&mut stats, "0", b"x", false);
        assert_eq!((stats.topics.len(), stats.others.messages), (MOST_TOPICS, 7));
        let mut line = Vec::new();
        let report = || stats.report(&mut line, Instant::now(), TEN_SECONDS);
        let most = allocation_counter::measure(report).bytes_max;
        assert!(most < 64 << 20, "{most} bytes for a report");
        let object: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(
            (&object["other_topics"]["messages"], &object["topics"][0]["messages"]),
            (&7.into(), &2.into())
        );
    }

    #[test]
    fn a_known_topic_costs_no_allocation() {
        let mut stats = stats(2, false);
        take(&mut stats, "a/b/c", b"x", false);
        let again = || take(&mut stats, "a/b/d", b"x", false);
        assert_eq!(allocation_counter::measure(again).count_total, 0);
    }
}
