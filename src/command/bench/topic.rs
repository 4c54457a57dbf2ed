//! Topics of a group, and the filters made of them: what is at each level for a client and for a message.

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};

use super::client_values::ClientValues;
use super::stamp::hash;
use crate::command::input::{FieldValues, TextTemplate};
use crate::protocol::topic::{self, TopicError};
use crate::quotation::cut;

/// What a level of a topic may be, for errors.
const LEVELS: &str = "plain text or one of {client}, {topic}, {csv:NAME}, {rand:0..100}, {hex:8}, {uuid}, {seq}, {unix} and {unix_ms}";

/// The fields that are filled in for each message.
const OF_MESSAGES: [&str; 6] = ["rand", "hex", "uuid", "seq", "unix", "unix_ms"];

/// More bytes than a number or a UUID has. The length of other fields does not vary.
const LONGEST_FIELD: usize = 40;

/// The longest topic that MQTT has.
const LONGEST_TOPIC: usize = u16::MAX as usize;

/// Text of a column as long as no file is read, in checks of topics and filters.
const SAMPLE: &str = "0";

/// The values of the fields of a group's topics.
#[derive(Debug, Clone, Default)]
pub(super) struct TopicValues {
    /// Of `{csv:NAME}`; without them, the field stands for itself.
    pub(super) rows: Option<Arc<ClientValues>>,
    /// Of random values.
    pub(super) seed: u64,
}

/// A topic with fields.
#[derive(Debug, Clone)]
pub(super) struct LoadTopic {
    levels: Arc<[TopicLevel]>,
    values: TopicValues,
}

#[derive(Debug, Clone)]
enum TopicLevel {
    Text(Box<str>),
    /// The number of the client.
    Client,
    /// The number of the topic.
    Topic,
    Column {
        name: Box<str>,
        /// Its index in the rows.
        place: Option<usize>,
    },
    /// A field that differs from message to message.
    OfMessage(TextTemplate),
}

/// The seed of a message's random values: the same in each run, whatever thread its client is on.
pub(super) fn message_seed(seed: u64, publisher: u32, sequence: u64) -> u64 {
    let [seed, publisher, sequence] = [seed, publisher.into(), sequence].map(u64::to_le_bytes);
    hash([seed, publisher, sequence].as_flattened())
}

impl TopicLevel {
    fn parse(level: &str) -> Result<Self, String> {
        match level {
            "{client}" => return Ok(Self::Client),
            "{topic}" => return Ok(Self::Topic),
            _ if !level.contains(['{', '}']) => return Ok(Self::Text(level.into())),
            _ => {}
        }
        let field = level.strip_prefix('{').and_then(|field| field.strip_suffix('}'));
        let field = field.filter(|field| !field.contains(['{', '}'])).unwrap_or_default();
        let (name, argument) = field.split_once(':').unwrap_or((field, ""));
        if name == "csv" && !argument.is_empty() {
            return Ok(Self::Column { name: argument.into(), place: None });
        }
        if OF_MESSAGES.contains(&name) {
            return TextTemplate::parse(level.as_bytes(), None).map(Self::OfMessage);
        }
        Err(format!("'{level}': a level of the topic is {LEVELS}"))
    }

    /// Text of a message's field, for checks.
    fn sample(&self, longest_value: usize) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Client => "16777216".into(),
            Self::Topic => "4294967295".into(),
            Self::Column { .. } => SAMPLE.repeat(longest_value.max(1)),
            Self::OfMessage(template) => {
                let mut out = BytesMut::new();
                // One field has no more bytes than a packet.
                let _ = template.fill(&mut FieldValues::new(Some(0)), &mut out);
                SAMPLE.repeat(out.len().max(LONGEST_FIELD))
            }
        }
    }
}

impl LoadTopic {
    /// A checked topic or filter. What is not a field is text.
    pub(super) fn new(text: &str, values: &TopicValues) -> Self {
        let column = |name: &str| values.rows.as_ref().and_then(|rows| rows.column(name));
        let level = |text: &str| match TopicLevel::parse(text) {
            Ok(TopicLevel::Column { name, .. }) => TopicLevel::Column { place: column(&name), name },
            Ok(level) => level,
            Err(_) => TopicLevel::Text(text.into()),
        };
        Self { levels: text.split('/').map(level).collect(), values: values.clone() }
    }

    /// A filter made of this topic's fields.
    pub(super) fn related(&self, filter: &str) -> Self {
        Self::new(filter, &self.values)
    }

    fn has(&self, is_one: fn(&TopicLevel) -> bool) -> bool {
        self.levels.iter().any(is_one)
    }

    /// Whether it has the number of the client, so that no two clients share a topic.
    pub(super) fn names_client(&self) -> bool {
        self.has(|level| matches!(level, TopicLevel::Client))
    }

    /// Whether it has columns of a file.
    pub(super) fn has_columns(&self) -> bool {
        self.has(|level| matches!(level, TopicLevel::Column { .. }))
    }

    /// Whether it differs from message to message.
    pub(super) fn varies(&self) -> bool {
        self.has(|level| matches!(level, TopicLevel::OfMessage(_)))
    }

    fn joined(&self, mut put: impl FnMut(&TopicLevel, &mut BytesMut), out: &mut BytesMut) {
        for (place, level) in self.levels.iter().enumerate() {
            if place > 0 {
                out.put_u8(b'/');
            }
            put(level, out);
        }
    }

    fn put_column(&self, client: u32, (name, place): (&str, Option<usize>), out: &mut BytesMut) {
        let row = self.values.rows.as_ref().and_then(|rows| rows.row(client));
        if let Some(value) = row.as_deref().zip(place).and_then(|(row, place)| row.get(place)) {
            out.put_slice(value.as_bytes());
        } else {
            out.put_slice(b"{csv:");
            out.put_slice(name.as_bytes());
            out.put_u8(b'}');
        }
    }

    /// Writes the topic of a client's message.
    pub(super) fn put_name(&self, client: u32, place: u32, sequence: u64, out: &mut BytesMut) {
        let mut fields = None;
        let put = |level: &TopicLevel, out: &mut BytesMut| match level {
            TopicLevel::Text(text) => out.put_slice(text.as_bytes()),
            TopicLevel::Client => out.put_slice(itoa::Buffer::new().format(client).as_bytes()),
            TopicLevel::Topic => out.put_slice(itoa::Buffer::new().format(place).as_bytes()),
            TopicLevel::Column { name, place } => self.put_column(client, (name, *place), out),
            TopicLevel::OfMessage(template) => {
                let fields = fields.get_or_insert_with(|| {
                    // Other random values than those of the payload.
                    let seed = message_seed(!self.values.seed, client, sequence);
                    let mut fields = FieldValues::new(Some(seed));
                    fields.start(sequence + 1);
                    fields
                });
                // A checked topic is not too long.
                let _ = template.fill(fields, out);
            }
        };
        self.joined(put, out);
    }

    /// The topic of a client's message, as text.
    pub(super) fn name(&self, client: u32, place: u32, sequence: u64) -> String {
        let mut out = BytesMut::new();
        self.put_name(client, place, sequence, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The filter for the messages of a client and to a topic of it, or of all.
    pub(super) fn filter(&self, client: Option<u32>, place: Option<u32>) -> String {
        let fill = |value: Option<u32>| value.map_or_else(|| "+".into(), |value| value.to_string());
        let put = |level: &TopicLevel, out: &mut BytesMut| match (level, client) {
            // Filters of the user may have these within a level.
            (TopicLevel::Text(text), _) => {
                let text = text.replace("{client}", &fill(client)).replace("{topic}", &fill(place));
                out.put_slice(text.as_bytes());
            }
            (TopicLevel::Client, _) => out.put_slice(fill(client).as_bytes()),
            (TopicLevel::Topic, _) => out.put_slice(fill(place).as_bytes()),
            (TopicLevel::Column { name, place }, Some(client)) => {
                self.put_column(client, (name, *place), out);
            }
            (TopicLevel::Column { .. }, None) | (TopicLevel::OfMessage(_), _) => out.put_u8(b'+'),
        };
        let mut out = BytesMut::new();
        self.joined(put, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// A client's own filter for whatever is published there.
    pub(super) fn own_filter(&self, client: u32) -> String {
        let number = client.to_string();
        let put = |level: &TopicLevel, out: &mut BytesMut| match level {
            TopicLevel::Text(text) => out.put_slice(text.replace("{client}", &number).as_bytes()),
            TopicLevel::Client => out.put_slice(number.as_bytes()),
            TopicLevel::Column { name, place } => self.put_column(client, (name, *place), out),
            // Not of filters.
            TopicLevel::Topic | TopicLevel::OfMessage(_) => out.put_u8(b'+'),
        };
        let mut out = BytesMut::new();
        self.joined(put, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Checks the values of the columns that it has.
    ///
    /// # Errors
    /// A column that there is not, or a value that cannot be a level.
    pub(super) fn check_values(&self, rows: &ClientValues) -> Result<(), String> {
        let mut longest = 0;
        for (at, level) in self.levels.iter().enumerate() {
            let TopicLevel::Column { name, .. } = level else { continue };
            let unknown =
                || format!("{{csv:{}}}: there is no such column; there are {}", cut(name), rows.columns());
            let place = rows.column(name).ok_or_else(unknown)?;
            for (line, value) in rows.values(place) {
                let wrong = |why: &str| {
                    let (value, name) = (cut(value), cut(name));
                    Err(format!(
                        "line {line}: '{value}' in the column {name} cannot be a level of a topic: {why}"
                    ))
                };
                match value.chars().find(|character| matches!(character, '/' | '+' | '#' | '\0')) {
                    Some('\0') => return wrong("it has a NUL character"),
                    Some(character) => return wrong(&format!("it has a '{character}'")),
                    None if at == 0 && value.starts_with('$') => {
                        return wrong("a topic does not begin with '$'");
                    }
                    None => longest = longest.max(value.len()),
                }
            }
        }
        if self.sample(longest).len() > LONGEST_TOPIC {
            return Err(TopicError::TooLong.to_string());
        }
        Ok(())
    }

    /// A text at least as long as any topic of this one.
    fn sample(&self, longest_value: usize) -> String {
        let levels: Vec<String> = self.levels.iter().map(|level| level.sample(longest_value)).collect();
        levels.join("/")
    }

    fn check_name(&self) -> Result<(), String> {
        topic::check_name(self.sample(0).as_bytes()).map(drop).map_err(|why| why.to_string())
    }
}

fn parse(text: &str) -> Result<LoadTopic, String> {
    let levels = text.split('/').map(TopicLevel::parse).collect::<Result<_, _>>()?;
    Ok(LoadTopic { levels, values: TopicValues::default() })
}

/// Whether a topic or filter has columns of a file.
#[must_use]
pub fn has_columns(text: &str) -> bool {
    LoadTopic::new(text, &TopicValues::default()).has_columns()
}

/// Checks the topic of a load's messages, for the command line. Columns are checked when their file is read.
///
/// # Errors
/// What is wrong, in one line.
pub fn check_topic(text: &str, topics: u32) -> Result<(), String> {
    let topic = parse(text)?;
    if topics > 1 && !topic.has(|level| matches!(level, TopicLevel::Topic)) {
        return Err(format!("{topics} topics need {{topic}} in the topic"));
    }
    topic.check_name()
}

/// Checks the topic of a group's wills.
///
/// # Errors
/// What is wrong, in one line.
pub fn check_will_topic(text: &str) -> Result<(), String> {
    let topic = parse(text)?;
    if topic.has(|level| matches!(level, TopicLevel::Topic | TopicLevel::OfMessage(_))) {
        return Err("a level of a will's topic is plain text, {client} or {csv:NAME}".into());
    }
    topic.check_name()
}

/// Checks the fields of a filter for whatever is published there.
///
/// # Errors
/// What is wrong, in one line.
pub fn check_filter_fields(text: &str) -> Result<(), String> {
    if LoadTopic::new(text, &TopicValues::default()).varies() {
        return Err("a filter has {client}, {filter} and {csv:NAME}, and + for other levels".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::topic::matches;

    fn with_rows(text: &str, csv: &str) -> LoadTopic {
        let rows = ClientValues::of(csv.as_bytes(), 9).ok().map(Arc::new);
        LoadTopic::new(text, &TopicValues { rows, seed: 7 })
    }

    fn name(topic: &LoadTopic, client: u32, sequence: u64) -> String {
        topic.name(client, 3, sequence)
    }

    #[test]
    fn topics_are_checked() {
        for (good, topics) in [
            ("bench/{client}/{topic}", 5),
            ("plain", 1),
            ("{client}/{csv:room}/{rand:-1.5..2:1}/{hex:4}/{uuid}/{seq}/{unix}/{unix_ms}", 1),
        ] {
            assert_eq!(check_topic(good, topics), Ok(()), "{good}");
        }
        for (bad, topics, words) in [
            ("bench", 2, "{topic}"),
            ("a{client}", 1, "a level of the topic is plain text or"),
            ("{clients}", 1, "a level of the topic"),
            ("a{rand:1..2}", 1, "a level of the topic"),
            ("{now}", 1, "a level of the topic"),
            ("{csv:}", 1, "a level of the topic"),
            ("{rand:2..1}", 1, "use {rand:LEAST..MOST}"),
            ("{hex:65536}", 1, "65,535"),
            ("", 1, "empty"),
            ("a/#", 1, "#"),
            ("{", 1, "a level of the topic"),
        ] {
            let why = check_topic(bad, topics).unwrap_err();
            assert!(why.contains(words), "{bad}: {why}");
        }
        assert!(check_will_topic("a/{client}/{csv:b}").is_ok());
        assert!(check_will_topic("a/{topic}").is_err() && check_will_topic("a/{rand:1..2}").is_err());
        assert!(check_filter_fields("a/{client}/{filter}/{csv:b}/#").is_ok());
        assert!(check_filter_fields("a/{rand:1..2}").is_err());
    }

    #[test]
    fn columns_are_those_of_the_client_and_random_levels_those_of_the_message() {
        let topic =
            with_rows("fleet/{client}/{csv:room}/{rand:1..1000000}/{topic}/{seq}", "room\nhall\nattic\n");
        let names = [name(&topic, 0, 0), name(&topic, 0, 1), name(&topic, 1, 0), name(&topic, 2, 0)];
        for (name, begin, end) in [
            (&names[0], "fleet/0/hall/", "/3/1"),
            (&names[1], "fleet/0/hall/", "/3/2"),
            (&names[2], "fleet/1/attic/", "/3/1"),
            (&names[3], "fleet/2/hall/", "/3/1"),
        ] {
            assert!(name.starts_with(begin) && name.ends_with(end), "{name}");
            let level: u32 = name.split('/').nth(3).unwrap().parse().unwrap();
            assert!((1..=1_000_000).contains(&level), "{name}");
        }
        assert_eq!(name(&topic, 0, 1), names[1], "the same again");
        assert_ne!(names[0].split('/').nth(3), names[1].split('/').nth(3));
        for filter in [topic.filter(None, None), topic.filter(Some(0), None), topic.filter(Some(0), Some(3))]
        {
            assert!(matches(filter.as_bytes(), names[0].as_bytes()), "{filter}");
        }
        assert_eq!(topic.filter(None, None), "fleet/+/+/+/+/+");
        assert_eq!(topic.filter(Some(1), Some(3)), "fleet/1/attic/+/3/+");
        assert!(topic.varies() && topic.names_client() && topic.has_columns());
    }

    #[test]
    fn values_that_cannot_be_levels_are_refused_with_their_line() {
        for (text, csv, words) in [
            ("a/{csv:b}", "c,d\n1,2\n", "{csv:b}: there is no such column; there are 'c', 'd'"),
            (
                "a/{csv:b}",
                "b\nok\nx/y\n",
                "line 3: 'x/y' in the column b cannot be a level of a topic: it has a '/'",
            ),
            ("a/{csv:b}", "b\n+\n", "it has a '+'"),
            ("{csv:b}", "b\n$SYS\n", "line 2: '$SYS' in the column b"),
        ] {
            let rows = ClientValues::of(csv.as_bytes(), 9).ok().unwrap();
            let why = with_rows(text, csv).check_values(&rows).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        let rows = ClientValues::of(&b"b\n$x\n\n"[..], 9).ok().unwrap();
        assert_eq!(with_rows("a/{csv:b}", "b\n$x\n").check_values(&rows), Ok(()));
        let long = format!("b\n{}\n", "x".repeat(65_535));
        let rows = ClientValues::of(long.as_bytes(), 9).ok().unwrap();
        assert!(with_rows("a/{csv:b}", &long).check_values(&rows).is_err());
    }
}
