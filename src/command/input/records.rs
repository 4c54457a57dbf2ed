//! Lines of standard input that name the topic of their message: a record as written by `mqtt sub --json`
//! (`pub --json`), or a topic before the payload (`pub -l --topic-from-line`). Missing values come from the
//! command line.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::mem::discriminant;
use std::sync::Arc;
use std::time::SystemTime;

use super::expiry::{Aged, aged};
use super::record::{NoRecord, Record};
use super::record_filling::RecordFilling;
use super::rewrite::Rewrite;
use super::selection::{RecordSelection, time};
use super::template::{FieldValues, TextTemplate};
use crate::error::Error;
use crate::file::mark;
use crate::protocol::property::{PropertyBlock, PropertyId};
use crate::protocol::wire::{PublishTemplate, TopicAlias};
use crate::protocol::{Protocol, QoS, topic};
use crate::quantity::counted;
use crate::quotation::cut;
use crate::storage::spool::Envelope;

/// How records become messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordOptions {
    /// Whether RETAIN of received messages is kept (`--keep-retain`).
    pub keep_retain: bool,
    /// The changes of each topic, in order (`--rewrite-topic`).
    pub rewrites: Vec<Rewrite>,
    /// The payload of records without one (`-m`, `-n`).
    pub payload: Option<Vec<u8>>,
    /// Which records are published.
    pub selection: RecordSelection,
    /// Messages are sent with the timing of the recording (`--timing recorded`): each record needs its time,
    /// and the Message Expiry Interval is that of the record.
    pub is_replay: bool,
    /// How often standard input is read (`--loop`).
    pub rounds: u64,
}

/// How lines that begin with a topic become messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicLines {
    /// The separator between topic and payload; not empty.
    pub separator: Vec<u8>,
}

impl TopicLines {
    /// The line as a record with only topic and payload.
    fn record<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, NoRecord> {
        let separator = &self.separator;
        let end = memchr::memmem::find(line, separator).ok_or_else(|| {
            let separator = shown_separator(separator);
            NoRecord::new(format!("it has no '{separator}' between topic and payload (--topic-from-line)"))
        })?;
        let name =
            topic::check_name(&line[..end]).map_err(|why| NoRecord::new(format!("its topic: {why}")))?;
        Ok(Record {
            topic: Some(name.into()),
            qos: None,
            retain: None,
            received: None,
            payload: Some(line[end + separator.len()..].into()),
            is_text: true,
            is_decoded: false,
            is_undecoded: false,
            properties: PropertyBlock::default(),
        })
    }
}

/// The separator as it is typed; a tab is the most common one.
fn shown_separator(separator: &[u8]) -> String {
    String::from_utf8_lossy(separator).replace('\t', "\\t")
}

/// The form of a line.
#[derive(Debug, Clone)]
pub(crate) enum LineForm {
    Record(RecordOptions),
    Topic(TopicLines),
}

/// A message, and the parts it shares with others.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) template: Arc<PublishTemplate>,
    pub(crate) payload: Cow<'a, [u8]>,
    /// Whether the payload has its format still, and must not be encoded again.
    pub(crate) is_encoded: bool,
}

/// A message for a spool.
#[derive(Debug)]
pub(crate) struct Enveloped<'a> {
    pub(crate) envelope: Envelope,
    pub(crate) payload: Cow<'a, [u8]>,
    /// As in [`Message`].
    pub(crate) is_encoded: bool,
}

/// A deviation from the records, with the number of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Departure {
    /// The Message Expiry Interval has passed ([MQTT-3.3.2-5]).
    Expired(u64),
    /// The message was received with RETAIN and is sent without.
    Retain(u64),
    /// MQTT 3.x has no properties.
    Properties(u64),
}

impl Departure {
    fn count_mut(&mut self) -> &mut u64 {
        match self {
            Self::Expired(count) | Self::Retain(count) | Self::Properties(count) => count,
        }
    }

    /// The summary at the end.
    pub(crate) fn in_all(self) -> String {
        format!("in all {self}")
    }
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(count) => write!(
                f,
                "{} not sent: the time of message-expiry-interval was over",
                counted(*count, "message")
            ),
            Self::Retain(count) => write!(
                f,
                "{} received with RETAIN and sent without it (--keep-retain sends it as it came)",
                counted(*count, "message")
            ),
            Self::Properties(count) => write!(
                f,
                "{} sent without properties: the connection is not MQTT 5",
                counted(*count, "message")
            ),
        }
    }
}

/// Maximum number of cached topics. When the cache is full it is cleared, as a template is made in a
/// microsecond.
const MOST_TOPICS: usize = 4096;

/// Makes messages from lines.
#[derive(Debug)]
pub(crate) struct RecordReader {
    form: LineForm,
    /// The defaults for records; the topic is empty if there is none.
    defaults: Envelope,
    topic_alias: TopicAlias,
    protocol: Protocol,
    is_first: bool,
    chosen: ChosenRecords,
    /// Whether a record requested QoS 0.
    has_qos_0: bool,
    /// Whether the first record had a time; the others usually do the same.
    has_times: Option<bool>,
    /// How often the input was restarted, and the number of messages since.
    round: (u64, u64),
    /// The cache index of each topic, by the topic in the record.
    places: HashMap<Box<str>, usize>,
    known: Vec<Known>,
    /// Each kind of deviation that occurred, with its number.
    departures: Vec<Departure>,
    /// A deviation that occurred for the first time and was not reported yet.
    unsaid: Option<Departure>,
    filling: Option<RecordFilling>,
}

/// The records that were selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChosenRecords {
    None,
    AllWithTopic,
    SomeWithoutTopic,
}

/// A cached topic.
#[derive(Debug)]
struct Known {
    /// The topic to publish to.
    topic: Box<str>,
    /// Templates without properties, by QoS and RETAIN.
    templates: [Option<Arc<PublishTemplate>>; 6],
}

/// A record to be sent.
struct Item<'k, 'a> {
    known: &'k mut Known,
    qos: QoS,
    retain: bool,
    /// The record's own properties.
    properties: PropertyBlock,
    payload: Cow<'a, [u8]>,
    is_encoded: bool,
}

impl RecordReader {
    pub(crate) fn new(form: LineForm, defaults: Envelope, topic_alias: TopicAlias) -> Self {
        Self {
            form,
            defaults,
            topic_alias,
            protocol: Protocol::V5,
            is_first: true,
            chosen: ChosenRecords::None,
            has_qos_0: false,
            has_times: None,
            round: (0, 0),
            places: HashMap::new(),
            known: Vec::new(),
            departures: Vec::new(),
            unsaid: None,
            filling: None,
        }
    }

    /// Fills in topics and payloads; these are for lines without one.
    pub(crate) fn filling(
        self,
        values: FieldValues,
        topic: Option<TextTemplate>,
        payload: Option<TextTemplate>,
    ) -> Self {
        Self { filling: Some(RecordFilling::new(values, topic, payload)), ..self }
    }

    /// Sets the version of a new link.
    pub(crate) fn speak(&mut self, protocol: Protocol) {
        if std::mem::replace(&mut self.protocol, protocol) != protocol {
            self.forget_topics();
        }
    }

    fn forget_topics(&mut self) {
        self.places.clear();
        self.known.clear();
    }

    /// Whether to continue in this round: the last one had messages.
    pub(crate) fn goes_on(&mut self, round: u64) -> bool {
        self.round.0 == round || std::mem::replace(&mut self.round, (round, 0)).1 > 0
    }

    /// Whether a record requested QoS 0, which -q does not change.
    pub(crate) fn has_qos_0(&self) -> bool {
        self.has_qos_0
    }

    /// Whether options select records, and none was selected so far.
    pub(crate) fn selects_nothing(&self) -> bool {
        matches!(&self.form, LineForm::Record(options) if !options.selection.is_all())
            && self.chosen == ChosenRecords::None
    }

    /// Checks the selection at the end of the input.
    ///
    /// # Errors
    /// Options select records, and none was selected.
    pub(crate) fn check_selection(&self) -> Result<(), Error> {
        match &self.form {
            LineForm::Record(options) if self.selects_nothing() => {
                Err(Error::Negative(format!("no record matched {}", options.selection)))
            }
            _ => Ok(()),
        }
    }

    /// The warning at the end about a topic of the command line that no record of a recording has used. Its
    /// option may be taken for a selection of records.
    pub(crate) fn unused_topic(&self) -> Option<String> {
        let is_unused = self.is_replay() && self.chosen == ChosenRecords::AllWithTopic;
        is_unused.then(|| {
            format!(
                "-t '{}' was not used: each record has a topic (--topic-filter selects records by it)",
                cut(&self.defaults.topic)
            )
        })
    }

    /// Whether each line is a record; such input may be compressed.
    pub(crate) fn reads_records(&self) -> bool {
        matches!(self.form, LineForm::Record(_))
    }

    /// Whether the first record has no time, which replaying needs.
    pub(crate) fn lacks_times(&self) -> bool {
        self.has_times == Some(false)
    }

    /// A deviation that occurred for the first time.
    pub(crate) fn departure(&mut self) -> Option<Departure> {
        self.unsaid.take()
    }

    /// The deviations that occurred more than once, with their totals.
    pub(crate) fn departures(&self) -> impl Iterator<Item = Departure> {
        let more_than_once = |departure: &Departure| *departure.clone().count_mut() > 1;
        self.departures.iter().copied().filter(more_than_once)
    }

    fn depart(&mut self, kind: fn(u64) -> Departure) {
        let first = kind(1);
        let mut known = self.departures.iter_mut();
        if let Some(known) = known.find(|known| discriminant(*known) == discriminant(&first)) {
            *known.count_mut() += 1;
        } else {
            self.departures.push(first);
            self.unsaid = Some(first);
        }
    }

    /// The message of a line, for the version of [`RecordReader::speak`]; `None` for a blank line and for an
    /// expired message.
    ///
    /// # Errors
    /// The error in the line.
    pub(crate) fn message<'a>(&mut self, line: &'a [u8]) -> Result<Option<Message<'a>>, NoRecord> {
        let protocol = self.protocol;
        let Some(record) = self.record(line)? else { return Ok(None) };
        if !record.properties.is_empty() && protocol != Protocol::V5 {
            self.depart(Departure::Properties);
        }
        let alias = self.topic_alias;
        let (item, defaults) = self.item(record)?;
        let make = |topic: &str, properties: &PropertyBlock| {
            let template =
                PublishTemplate::new(protocol, topic.as_bytes(), item.qos, item.retain, properties);
            Arc::new(template.with_topic_alias(alias))
        };
        let template = if item.properties.is_empty() {
            let place = &mut item.known.templates[item.qos as usize * 2 + usize::from(item.retain)];
            Arc::clone(place.get_or_insert_with(|| make(&item.known.topic, &defaults.properties)))
        } else {
            make(&item.known.topic, &item.properties.or_from(&defaults.properties))
        };
        let Item { payload, is_encoded, .. } = item;
        self.round.1 += 1;
        Ok(Some(Message { template, payload, is_encoded }))
    }

    /// The message of a line, for a spool.
    ///
    /// # Errors
    /// The error in the line.
    pub(crate) fn envelope<'a>(&mut self, line: &'a [u8]) -> Result<Option<Enveloped<'a>>, NoRecord> {
        let Some(record) = self.record(line)? else { return Ok(None) };
        let (item, defaults) = self.item(record)?;
        let envelope = Envelope {
            qos: item.qos,
            retain: item.retain,
            topic: item.known.topic.to_string(),
            properties: item.properties.or_from(&defaults.properties),
        };
        let Item { payload, is_encoded, .. } = item;
        self.round.1 += 1;
        Ok(Some(Enveloped { envelope, payload, is_encoded }))
    }

    /// The record of a line, if it is to be sent.
    fn record<'a>(&mut self, line: &'a [u8]) -> Result<Option<Record<'a>>, NoRecord> {
        if let Some(filling) = &mut self.filling {
            filling.next_line();
        }
        let record = self.read(line)?;
        if let Some(record) = &record {
            check_properties(&record.properties)?;
        }
        match (&mut self.filling, record) {
            (Some(filling), Some(record)) => filling.fill(record).map(Some),
            (_, record) => Ok(record),
        }
    }

    fn read<'a>(&mut self, line: &'a [u8]) -> Result<Option<Record<'a>>, NoRecord> {
        if let LineForm::Topic(lines) = &self.form {
            return lines.record(line).map(Some);
        }
        let selected = self.selected(line);
        self.is_first = false;
        let Some((mut record, time)) = selected? else { return Ok(None) };
        self.chosen = match record.topic {
            Some(_) if self.chosen != ChosenRecords::SomeWithoutTopic => ChosenRecords::AllWithTopic,
            _ => ChosenRecords::SomeWithoutTopic,
        };
        self.has_qos_0 |= record.qos == Some(QoS::AtMostOnce);
        if self.needs_time() && time.is_none() {
            self.has_times.get_or_insert(false);
            return Err(NoRecord::new(
                "it has no time (tst), which --timing, --from and --to go by; mqtt sub --json writes it",
            ));
        }
        if time.is_some() {
            self.has_times = Some(true);
        }
        if !self.is_replay()
            && record.properties.view().number(PropertyId::MessageExpiryInterval).is_some()
            && let Some(received) = self::time(&record)?
        {
            match aged(&record.properties, received) {
                Aged::Same => {}
                Aged::Shorter(properties) => record.properties = properties,
                Aged::Expired => {
                    self.depart(Departure::Expired);
                    return Ok(None);
                }
            }
        }
        Ok(Some(record))
    }

    /// The record of a line, if it is selected, with its time if that is needed.
    fn selected<'a>(&self, line: &'a [u8]) -> Result<Option<(Record<'a>, Option<SystemTime>)>, NoRecord> {
        let LineForm::Record(options) = &self.form else { return Ok(None) };
        let mark = if self.is_first { mark(line) } else { Ok(0) };
        let line = &line[mark.map_err(|error| NoRecord::new(error.to_string()))?..];
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let record = Record::parse(line)?;
        let time = if self.needs_time() { time(&record)? } else { None };
        let is_selected = options.selection.takes(&record, &self.defaults.topic, time);
        Ok(is_selected.then_some((record, time)))
    }

    fn needs_time(&self) -> bool {
        matches!(&self.form, LineForm::Record(options) if options.is_replay || options.selection.needs_time())
    }

    fn is_replay(&self) -> bool {
        matches!(&self.form, LineForm::Record(options) if options.is_replay)
    }

    /// When the message of the next line was received, if it will be published.
    pub(crate) fn time(&self, line: &[u8]) -> Option<SystemTime> {
        self.selected(line).ok().flatten().and_then(|(_, time)| time)
    }

    fn item<'a>(&mut self, record: Record<'a>) -> Result<(Item<'_, 'a>, &Envelope), NoRecord> {
        let qos = record.qos.unwrap_or(self.defaults.qos);
        let retain = self.retain(&record);
        let name = record.topic.as_deref().unwrap_or(&self.defaults.topic);
        let place = if let Some(place) = self.places.get(name) {
            *place
        } else {
            let topic = rewritten(self.rewrites(), name)?;
            let name = name.into();
            if self.known.len() == MOST_TOPICS {
                self.forget_topics();
            }
            self.places.insert(name, self.known.len());
            self.known.push(Known { topic, templates: [const { None }; 6] });
            self.known.len() - 1
        };
        let Some(known) = self.known.get_mut(place) else { return Err(NoRecord::new("it has no topic")) };
        let payload = match (record.payload, &self.form) {
            (Some(payload), _) => payload,
            (None, LineForm::Record(RecordOptions { payload: Some(payload), .. })) => {
                Cow::Owned(payload.clone())
            }
            (None, _) => {
                return Err(NoRecord::new(
                    "it has no payload; \"payload\": null, or -n, publishes an empty message",
                ));
            }
        };
        let is_encoded = record.is_undecoded;
        let item = Item { known, qos, retain, properties: record.properties, payload, is_encoded };
        Ok((item, &self.defaults))
    }

    fn rewrites(&self) -> &[Rewrite] {
        match &self.form {
            LineForm::Record(options) => &options.rewrites,
            LineForm::Topic(_) => &[],
        }
    }

    /// RETAIN of the message. In the record of a received message the flag means that the broker had stored
    /// it, and not that it should be stored again; in other records it is what the writer requests.
    fn retain(&mut self, record: &Record<'_>) -> bool {
        let keeps = matches!(&self.form, LineForm::Record(options) if options.keep_retain);
        let is_kept = keeps || record.received.is_none();
        match record.retain {
            _ if self.defaults.retain => true,
            Some(true) if !is_kept => {
                self.depart(Departure::Retain);
                false
            }
            retain => retain == Some(true),
        }
    }
}

/// The topic of a message whose record has `name`.
fn rewritten(rewrites: &[Rewrite], name: &str) -> Result<Box<str>, NoRecord> {
    if name.is_empty() {
        return Err(NoRecord::new("it has no topic, and -t gives none"));
    }
    let mut topic = Cow::Borrowed(name);
    for rewrite in rewrites {
        match rewrite.apply(&topic) {
            Some(Cow::Owned(changed)) => topic = Cow::Owned(changed),
            Some(Cow::Borrowed(_)) => {}
            None => {
                let (name, why) = (cut(name), topic::TopicError::TooLong);
                return Err(NoRecord::new(format!("topic '{name}' is rewritten (--rewrite-topic): {why}")));
            }
        }
    }
    topic::check_name(topic.as_bytes()).map_err(|why| {
        let (name, topic) = (cut(name), cut(&topic));
        NoRecord::new(format!("topic '{name}' becomes '{topic}' (--rewrite-topic): {why}"))
    })?;
    match topic::unwelcome(&topic) {
        Some(why) => Err(NoRecord::new(format!("topic '{}': {why}", cut(&topic)))),
        None => Ok(topic.into()),
    }
}

/// A broker that closes the connection because of a text would do so at each attempt, and the following
/// messages would never be sent.
fn check_properties(properties: &PropertyBlock) -> Result<(), NoRecord> {
    let Some((id, why)) = properties.unwelcome() else { return Ok(()) };
    let name = match id {
        PropertyId::UserProperty => "user-properties",
        id => id.name(),
    };
    Err(NoRecord::new(format!("{name}: {why}")))
}
