//! The selection of retained messages.

use std::time::{Duration, SystemTime};

use regex::Regex;

use crate::clock;

use crate::protocol::property::{PropertyId, Value};
use crate::protocol::topic;
use crate::protocol::wire::Publish;

/// Where a message states its time: MQTT itself does not transmit it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeSource {
    /// The whole payload is the time.
    Payload,
    /// A member of a JSON payload, as a JSON Pointer (RFC 6901) such as `/meta/time`.
    Field(String),
    /// The user property of this name (MQTT 5).
    Property(String),
}

/// The conditions that select retained messages under the filters.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Topics must match none of these filters (`-T`).
    pub exclude: Vec<String>,
    /// Topics must match each of these expressions.
    pub topic_match: Vec<Regex>,
    /// Payloads, as bytes, must match each of these expressions.
    pub payload_match: Vec<regex::bytes::Regex>,
    /// Payloads must have more than this number of bytes.
    pub larger_than: Option<u64>,
    /// Messages must be older than this by their own time. A message without a time is not selected.
    pub older_than: Option<(Duration, TimeSource)>,
}

impl Selection {
    /// Whether the topic is selected, whatever its message. The broker's own topics (`$SYS`) never are: they
    /// cannot be cleared, and come back immediately.
    pub(super) fn admits_topic(&self, name: &str) -> bool {
        let is_excluded =
            || self.exclude.iter().any(|filter| topic::matches(filter.as_bytes(), name.as_bytes()));
        !topic::is_of_server(name.as_bytes())
            && !is_excluded()
            && self.topic_match.iter().all(|regex| regex.is_match(name))
    }

    /// Whether the message is selected, if its topic is.
    pub(super) fn admits_message(&self, message: &Publish<'_>, now: SystemTime) -> bool {
        let size = message.payload.len() as u64;
        self.larger_than.is_none_or(|bytes| size > bytes)
            && self.payload_match.iter().all(|regex| regex.is_match(message.payload))
            && self.older_than.as_ref().is_none_or(|(age, source)| {
                let limit = now.checked_sub(*age).unwrap_or(SystemTime::UNIX_EPOCH);
                made_at(message, source).is_some_and(|made| made < limit)
            })
    }
}

fn made_at(message: &Publish<'_>, source: &TimeSource) -> Option<SystemTime> {
    match source {
        TimeSource::Payload => time(std::str::from_utf8(message.payload).ok()?),
        TimeSource::Field(pointer) => {
            let json: serde_json::Value = serde_json::from_slice(message.payload).ok()?;
            match json.pointer(pointer)? {
                serde_json::Value::String(text) => time(text),
                serde_json::Value::Number(number) => time(&number.to_string()),
                _ => None,
            }
        }
        TimeSource::Property(name) => message.properties.iter().find_map(|property| {
            let Value::Pair(key, value) = property.value else { return None };
            (property.id == PropertyId::UserProperty && key == name).then(|| time(value)).flatten()
        }),
    }
}

/// Seconds up to the year 5138. Since early 1973 every time in milliseconds, microseconds or nanoseconds
/// since 1970 exceeds this number, and no time in seconds will for long.
const MOST_SECONDS: f64 = 1e11;

/// A point in time: RFC 3339, or a number since 1970 in seconds, milliseconds, microseconds or nanoseconds,
/// distinguished by its magnitude.
fn time(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    if let Ok(mut number) = text.parse::<f64>() {
        while number > MOST_SECONDS {
            number /= 1000.0;
        }
        let since = Duration::try_from_secs_f64(number).ok()?;
        return SystemTime::UNIX_EPOCH.checked_add(since);
    }
    clock::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::QoS;
    use crate::protocol::property::{Properties, PropertyBlock};

    fn message<'a>(payload: &'a [u8], properties: Properties<'a>) -> Publish<'a> {
        Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: true,
            packet_identifier: 0,
            topic: b"a",
            properties,
            payload,
        }
    }

    #[test]
    fn topics() {
        let selection = Selection {
            exclude: vec!["a/+/keep".into(), "b/#".into()],
            topic_match: vec![Regex::new("^[ab]/").unwrap(), Regex::new("1").unwrap()],
            ..Selection::default()
        };
        for (topic, expected) in
            [("a/1", true), ("a/2", false), ("a/1/keep", false), ("b", false), ("b/1", false), ("c/1", false)]
        {
            assert_eq!(selection.admits_topic(topic), expected, "{topic}");
        }
        let all = Selection::default();
        assert!(all.admits_topic("$SYSTEM/x") && all.admits_topic("$other") && all.admits_topic("a/$SYS"));
        assert!(!all.admits_topic("$SYS/broker/uptime") && !all.admits_topic("$SYS"));
    }

    #[test]
    fn payloads() {
        let now = SystemTime::now();
        let larger = Selection { larger_than: Some(3), ..Selection::default() };
        assert!(larger.admits_message(&message(b"1234", Properties::NONE), now));
        assert!(!larger.admits_message(&message(b"123", Properties::NONE), now));
        let bytes = regex::bytes::Regex::new(r"(?-u)\xff$").unwrap();
        let ends = Selection { payload_match: vec![bytes.clone()], ..Selection::default() };
        assert!(ends.admits_message(&message(b"a\xff", Properties::NONE), now));
        assert!(!ends.admits_message(&message(b"\xffa", Properties::NONE), now));
        let both = vec![bytes, regex::bytes::Regex::new("b").unwrap()];
        let both = Selection { payload_match: both, ..Selection::default() };
        assert!(both.admits_message(&message(b"b\xff", Properties::NONE), now));
        assert!(!both.admits_message(&message(b"a\xff", Properties::NONE), now));
    }

    #[test]
    fn ages() {
        let second = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let now = second(1_800_000_000);
        let older = |source| Selection {
            older_than: Some((Duration::from_secs(60), source)),
            ..Selection::default()
        };
        let selected = |source, payload: &str| {
            older(source).admits_message(&message(payload.as_bytes(), Properties::NONE), now)
        };
        for old in
            ["1799999939", " 1799999939.9\n", "1799999939000", "1799999939000000", "2027-01-15T07:58:59Z"]
        {
            assert!(selected(TimeSource::Payload, old), "{old}");
        }
        for young in
            ["1799999941", "1799999941000", "2027-01-15T08:59:01+01:00", "", "yesterday", "NaN", "-1"]
        {
            assert!(!selected(TimeSource::Payload, young), "{young}");
        }
        let field = || TimeSource::Field("/meta/ts".into());
        assert!(selected(field(), r#"{"meta":{"ts":1799999939}}"#));
        assert!(selected(field(), r#"{"meta":{"ts":"2020-01-01T00:00:00Z"}}"#));
        assert!(!selected(field(), r#"{"ts":1799999939}"#));
        assert!(!selected(field(), "1799999939"));
        let mut block = PropertyBlock::default();
        block.push(PropertyId::UserProperty, Value::Pair("time", "1799999939"));
        let property = |name: &str| {
            older(TimeSource::Property(name.into())).admits_message(&message(b"", block.view()), now)
        };
        assert!(property("time") && !property("other"));
    }
}
