//! Reads the JSON record of a message, to publish a saved message.
//!
//! The members of a record are found in one pass and copied only if they contain escapes: `pub --json` reads
//! a million records a second.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::protocol::QoS;
use crate::protocol::property::{Place, PropertyBlock, PropertyId, PropertyKind, Value, out_of_range};
use crate::protocol::topic;
use crate::protocol::wire::PacketType;
use crate::quotation::cut;

/// A message to be published again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// A checked topic name; `None` if the record has none.
    pub(crate) topic: Option<Cow<'a, str>>,
    /// `None` if the record has none.
    pub(crate) qos: Option<QoS>,
    /// `None` if the record has none; mosquitto 2.0 writes 0 or 1.
    pub(crate) retain: Option<bool>,
    /// The time of receipt in the record (`tst`); `None` for a record written for publishing.
    pub(crate) received: Option<Cow<'a, str>>,
    /// `None` if the record has none.
    pub(crate) payload: Option<Cow<'a, [u8]>>,
    /// Whether the payload is plain text: not encoded, and not JSON.
    pub(crate) is_text: bool,
    /// Whether the payload was decoded when it was received (`payload-decoded`).
    pub(crate) is_decoded: bool,
    /// Whether the payload could not be decoded when it was received (`payload-error`), and has its format
    /// still.
    pub(crate) is_undecoded: bool,
    /// The checked properties, without those that belong to the connection.
    pub(crate) properties: PropertyBlock,
}

/// A line that is not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(crate) struct NoRecord {
    /// The error, in one line.
    pub(crate) why: String,
    /// Whether the line ends before the record does.
    pub(crate) is_cut: bool,
}

impl NoRecord {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_cut: false }
    }

    /// The error if the input ends within the record, as after a writer that was killed.
    pub(crate) fn cut_short(&self) -> String {
        format!("the input ends within the record, which is left out: {}", self.why)
    }
}

impl From<String> for NoRecord {
    fn from(why: String) -> Self {
        Self::new(why)
    }
}

/// The members of a record that concern the message, as raw JSON.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    tst: Option<&'a RawValue>,
    #[serde(borrow)]
    topic: Option<&'a RawValue>,
    #[serde(borrow)]
    qos: Option<&'a RawValue>,
    #[serde(borrow)]
    retain: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
    #[serde(borrow, rename = "payload-encoding")]
    payload_encoding: Option<&'a RawValue>,
    #[serde(borrow, rename = "payload-decoded")]
    payload_decoded: Option<&'a RawValue>,
    #[serde(borrow, rename = "payload-error")]
    payload_error: Option<&'a RawValue>,
    #[serde(borrow)]
    properties: Option<&'a RawValue>,
}

/// Distinguishes `null` from an absent member.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Record<'a> {
    /// Reads one line.
    ///
    /// # Errors
    /// The error, in one line.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, NoRecord> {
        let line = line.trim_ascii();
        // serde would accept an array of the members' values as a record.
        if line.first().is_some_and(|first| *first != b'{') {
            serde_json::from_slice::<serde::de::IgnoredAny>(line).map_err(|error| broken(&error))?;
            return Err(NoRecord::new("not a JSON object"));
        }
        // Text is checked for UTF-8 once, bytes at each member.
        let members = match std::str::from_utf8(line) {
            Ok(text) => serde_json::from_str(text),
            Err(_) => serde_json::from_slice(line),
        };
        let members: Members<'a> = members.map_err(|error| broken(&error))?;
        let name = members.topic.map(|topic| text("topic", topic)).transpose()?;
        if let Some(name) = &name {
            topic::check_name(name.as_bytes()).map_err(|why| format!("topic: {why}"))?;
        }
        let qos = match members.qos.map(RawValue::get) {
            None => None,
            Some("0") => Some(QoS::AtMostOnce),
            Some("1") => Some(QoS::AtLeastOnce),
            Some("2") => Some(QoS::ExactlyOnce),
            Some(_) => return Err(NoRecord::new("qos: it must be 0, 1 or 2")),
        };
        let retain = match members.retain.map(RawValue::get) {
            None => None,
            Some("true" | "1") => Some(true),
            Some("false" | "0") => Some(false),
            Some(_) => return Err(NoRecord::new("retain: it must be true or false")),
        };
        let encoding =
            members.payload_encoding.map(|encoding| text("payload-encoding", encoding)).transpose()?;
        let decoded = members.payload_decoded.map(|formats| text("payload-decoded", formats)).transpose()?;
        let undecoded = members.payload_error.map(|why| text("payload-error", why)).transpose()?;
        if decoded.is_some() && undecoded.is_some() {
            return Err(NoRecord::new(
                "payload-error: it is not allowed with payload-decoded; a payload was decoded or was not",
            ));
        }
        if decoded.is_some() && encoding.is_some() {
            return Err(NoRecord::new(
                "payload-encoding: it is not allowed with payload-decoded, whose payload is a JSON value",
            ));
        }
        let is_decoded = decoded.is_some();
        let is_json = is_decoded || members.payload.is_some_and(|payload| !payload.get().starts_with('"'));
        let is_text = encoding.is_none() && !is_json;
        let payload = match members.payload {
            None => None,
            Some(json) if is_decoded => Some(Cow::Borrowed(json.get().as_bytes())),
            Some(json) if json.get() == "null" => Some(Cow::default()),
            // mosquitto writes a JSON payload unchanged.
            Some(json) if !json.get().starts_with('"') => Some(Cow::Borrowed(json.get().as_bytes())),
            Some(json) => Some(bytes("payload", text("payload", json)?, encoding.as_deref())?),
        };
        let properties = match members.properties {
            None => PropertyBlock::EMPTY,
            Some(json) => block(json)?,
        };
        let received = members.tst.map(|time| text("tst", time)).transpose()?;
        let is_undecoded = undecoded.is_some();
        Ok(Self {
            topic: name,
            qos,
            retain,
            received,
            payload,
            is_text,
            is_decoded,
            is_undecoded,
            properties,
        })
    }

    /// Whether it is the record of a received message, and not one written for publishing.
    pub(crate) fn is_received(&self) -> bool {
        self.received.is_some() || self.is_decoded || self.is_undecoded
    }
}

fn broken(error: &serde_json::Error) -> NoRecord {
    NoRecord { why: not_json(error), is_cut: error.is_eof() }
}

/// The error of a line. The caller knows the number of the line.
fn not_json(error: &serde_json::Error) -> String {
    let (text, column) = (error.to_string(), error.column());
    let place = format!(" at line {} column {column}", error.line());
    format!("not valid JSON: {} (column {column})", text.strip_suffix(&place).unwrap_or(&text))
}

/// The text of a member.
fn text<'a>(name: &str, json: &'a RawValue) -> Result<Cow<'a, str>, String> {
    let quoted = json.get();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.ok_or_else(|| format!("{name}: it must be a string"))?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str(quoted).map(Cow::Owned).map_err(|error| format!("{name}: {}", not_json(&error)))
}

/// The bytes of a member: its text, or the decoded text if `NAME-encoding` names an encoding.
fn bytes<'a>(name: &str, text: Cow<'a, str>, encoding: Option<&str>) -> Result<Cow<'a, [u8]>, String> {
    match encoding {
        None => Ok(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }),
        Some("base64") => STANDARD
            .decode(text.as_bytes())
            .map(Cow::Owned)
            .map_err(|error| format!("{name}: invalid base64: {error}")),
        Some(_) => Err(format!("{name}-encoding: it must be \"base64\"")),
    }
}

fn block(json: &RawValue) -> Result<PropertyBlock, String> {
    let Ok(PropertyMembers(members)) = serde_json::from_str(json.get()) else {
        return Err("properties: they must be an object, with each name once".into());
    };
    let mut block = PropertyBlock::default();
    for (name, value) in &members {
        let (name, value) = (&**name, *value);
        if name == "user-properties" {
            put_user_properties(&mut block, value)?;
            continue;
        }
        if name == "correlation-data-encoding" {
            continue;
        }
        let Some(id) = PropertyId::ALL.iter().copied().find(|id| id.name() == name) else {
            return Err(format!("unknown property '{}'", cut(name)));
        };
        // Properties of the subscription, or of the connection.
        if matches!(id, PropertyId::SubscriptionIdentifier | PropertyId::TopicAlias) {
            continue;
        }
        match id.kind() {
            PropertyKind::Text => {
                let text = text(name, value)?;
                check_string(&text).map_err(|why| format!("{name}: {why}"))?;
                if id == PropertyId::ResponseTopic {
                    topic::check_name(text.as_bytes()).map_err(|why| format!("{name}: {why}"))?;
                }
                block.push(id, Value::Text(&text));
            }
            PropertyKind::Binary => {
                let text = text(name, value)?;
                let encoding = format!("{name}-encoding");
                let encoding = members.iter().find(|(name, _)| *name == encoding);
                let encoding = encoding.map(|(name, value)| self::text(name, value)).transpose()?;
                let data = bytes(name, text, encoding.as_deref())?;
                if data.len() > usize::from(u16::MAX) {
                    return Err(format!("{name}: it is longer than 65,535 bytes"));
                }
                block.push(id, Value::Binary(&data));
            }
            PropertyKind::Pair => return Err(format!("{name}: it must be an array")),
            _ => {
                let number = value.get().parse::<u32>().map_err(|_| {
                    let range = out_of_range(id, u32::MAX).unwrap_or("must be 0 to 4294967295");
                    let is_number =
                        value.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
                    format!("{name}: it {}", if is_number { range } else { "must be a number" })
                })?;
                if let Some(range) = out_of_range(id, number) {
                    return Err(format!("{name}: it {range}"));
                }
                block.push(id, Value::Number(number));
            }
        }
    }
    block.check(Place::Packet(PacketType::Publish)).map_err(|broken| broken.what.into_owned())?;
    Ok(block)
}

/// More than MQTT defines.
const MOST_PROPERTIES: usize = 64;

/// The properties of a record as raw JSON. As values they would take fifty times their length.
struct PropertyMembers<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for PropertyMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PropertyMembers(Vec::new()))
    }
}

impl<'de> Visitor<'de> for PropertyMembers<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("properties")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Self, A::Error> {
        while let Some((MemberText(name), value)) = members.next_entry()? {
            if self.0.len() == MOST_PROPERTIES || self.0.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom("too many properties"));
            }
            self.0.push((name, value));
        }
        Ok(self)
    }
}

/// A text that is copied only if it contains escapes.
#[derive(Deserialize)]
struct MemberText<'a>(#[serde(borrow)] Cow<'a, str>);

/// User properties, which are added to the block one by one; and the error of one of them.
struct UserProperties<'b>(&'b mut PropertyBlock, &'b mut Option<&'static str>);

/// One user property, or several.
struct UserProperty<'b>(&'b mut PropertyBlock, &'b mut Option<&'static str>);

impl<'de> DeserializeSeed<'de> for UserProperties<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for UserProperties<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut objects: A) -> Result<(), A::Error> {
        while objects.next_element_seed(UserProperty(self.0, self.1))?.is_some() {}
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for UserProperty<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for UserProperty<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some((MemberText(name), MemberText(value))) = members.next_entry()? {
            for text in [&name, &value] {
                check_string(text).map_err(|why| A::Error::custom(self.1.insert(why)))?;
            }
            self.0.push(PropertyId::UserProperty, Value::Pair(&name, &value));
        }
        Ok(())
    }
}

fn put_user_properties(block: &mut PropertyBlock, json: &RawValue) -> Result<(), String> {
    let mut why = None;
    let mut deserializer = serde_json::Deserializer::from_str(json.get());
    let put = UserProperties(block, &mut why).deserialize(&mut deserializer);
    put.map_err(|_| match why {
        Some(why) => format!("user-properties: a name or a value: {why}"),
        None => "user-properties: it must be an array of objects of strings".to_owned(),
    })
}

/// Refuses a text that MQTT does not allow ([MQTT-1.5.4]).
fn check_string(text: &str) -> Result<(), &'static str> {
    if text.len() > usize::from(u16::MAX) {
        Err("it is longer than 65,535 bytes")
    } else if text.contains('\0') {
        Err("it contains U+0000")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    #[cfg(feature = "decoders")]
    use crate::decode::{FormatChain, Schemas};
    #[cfg(feature = "decoders")]
    use crate::output::PayloadNote;
    use crate::output::{MessageFormat, MessageWriter};
    use crate::protocol::wire::Publish;
    use proptest::prelude::*;
    use std::time::SystemTime;

    fn written(qos: QoS, topic: &str, payload: &[u8], properties: &PropertyBlock) -> Vec<u8> {
        let publish = Publish {
            dup: false,
            qos,
            retain: true,
            packet_identifier: 7,
            topic: topic.as_bytes(),
            properties: properties.view(),
            payload,
        };
        let mut line = Vec::new();
        let mut writer = MessageWriter::new(MessageFormat::Json { pretty: false }, false);
        writer.write(&mut line, &publish, SystemTime::now()).unwrap();
        line
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let long = "x".repeat(70_000);
        for (line, words) in [
            ("", "not valid JSON: EOF while parsing a value (column 0)"),
            ("7", "not a JSON object"),
            ("", "not valid JSON: EOF while parsing a value (column 0)"),
            (r#"["a",0]"#, "not a JSON object"),
            (r#"{"topic":"a","topic":"b"}"#, "duplicate field `topic`"),
            (r#"{"topic":"a","payload":"\ud800"}"#, "payload: not valid JSON"),
            (r#"{"topic":""}"#, "topic"),
            (r#"{"topic":"a/#"}"#, "wildcard"),
            (r#"{"topic":"a","qos":3}"#, "qos"),
            (r#"{"topic":"a","payload":"%","payload-encoding":"base64"}"#, "base64"),
            (r#"{"topic":"a","payload":"a","payload-encoding":"hex"}"#, "payload-encoding"),
            (r#"{"topic":"a","payload":"a","payload-decoded":7}"#, "payload-decoded: it must be a string"),
            (
                r#"{"topic":"a","payload":"YQ==","payload-encoding":"base64","payload-decoded":"cbor"}"#,
                "payload-encoding: it is not allowed with payload-decoded",
            ),
            (r#"{"topic":"a","payload":"a","payload-error":3}"#, "payload-error: it must be a string"),
            (
                r#"{"topic":"a","payload":"a","payload-decoded":"cbor","payload-error":"cbor: no"}"#,
                "payload-error: it is not allowed with payload-decoded",
            ),
            (r#"{"topic":"a","properties":7}"#, "properties"),
            (r#"{"topic":"a","properties":{"colour":1}}"#, "colour"),
            (r#"{"topic":"a","properties":{"payload-format-indicator":2}}"#, "payload-format-indicator"),
            (r#"{"topic":"a","properties":{"content-type":1}}"#, "content-type"),
            (r#"{"topic":"a","properties":{"receive-maximum":1}}"#, "receive-maximum"),
            (r#"{"topic":"a","properties":{"response-topic":"x/#"}}"#, "response-topic: "),
            (r#"{"topic":"a","properties":{"response-topic":""}}"#, "response-topic: "),
            (r#"{"topic":"a","properties":{"user-properties":[{"k":1}]}}"#, "user-properties"),
            (
                &format!(r#"{{"topic":"a","properties":{{"content-type":"{long}"}}}}"#),
                "longer than 65,535 bytes",
            ),
            (&format!(r#"{{"topic":"a","properties":{{"{long}":1}}}}"#), "xxx… (70000 bytes)"),
            (r#"{"topic":"a","properties":{"content-type":"a\u0000"}}"#, "content-type: it contains U+0000"),
            (
                &format!(r#"{{"topic":"a","properties":{{"user-properties":[{{"k":"{long}"}}]}}}}"#),
                "user-properties: a name or a value: it is longer than 65,535 bytes",
            ),
        ] {
            let error = Record::parse(line.as_bytes()).unwrap_err().why;
            assert!(error.contains(words) && error.len() < 1000, "{line}: {error}");
        }
    }

    #[test]
    fn fields_of_the_connection_are_left_out() {
        let line = br#"{"topic":"a","properties":{"subscription-identifier":[1,2],"topic-alias":3}}"#;
        assert!(Record::parse(line).unwrap().properties.is_empty());
    }

    /// Values of JSON, as far as they are values of every format.
    #[cfg(feature = "decoders")]
    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            proptest::num::f64::NORMAL.prop_map(Into::into),
            "[0-9.]{0,3}|true|null|\"|.{0,10}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                proptest::collection::vec(("[0-9a-z\"]{0,3}", inner), 0..5)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    #[cfg(feature = "decoders")]
    proptest! {
        /// What `sub --decode` shows in a record, `pub --encode` makes again.
        #[test]
        fn decoded_value_comes_back(value in json(), format in prop_oneof![
            Just("cbor"), Just("msgpack"), Just("gzip+cbor"), Just("base64+zstd+msgpack")
        ]) {
            let chain = FormatChain::parse(format, &mut Schemas::default()).unwrap();
            let decoded = chain.decode(&chain.encode(value.to_string().as_bytes()).unwrap()).unwrap().bytes;
            let publish = Publish {
                dup: false,
                qos: QoS::AtMostOnce,
                retain: false,
                packet_identifier: 0,
                topic: b"a",
                properties: crate::protocol::property::Properties::NONE,
                payload: &decoded,
            };
            let note = PayloadNote { decoded: Some(format), error: None };
            let mut line = Vec::new();
            let mut writer = MessageWriter::new(MessageFormat::Json { pretty: false }, false);
            writer.write_decoded(&mut line, &publish, SystemTime::now(), &note).unwrap();
            let record = Record::parse(&line).unwrap();
            prop_assert!(!record.is_undecoded && !record.is_text);
            let relayed = chain.encode(&record.payload.unwrap()).unwrap();
            let arrived = chain.decode(&relayed).unwrap().bytes;
            prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&arrived).unwrap(), value);
        }
    }

    proptest! {
        /// Payload, QoS and properties are unchanged, and user properties keep their order.
        #[test]
        fn a_round_trip_changes_nothing(
            qos in 0..3_u8,
            topic in "[a-z/é]{1,20}",
            payload: Vec<u8>,
            content_type in proptest::option::of("[^\0]{0,20}"),
            correlation: Option<Vec<u8>>,
            pairs in proptest::collection::vec(("[^\0]{0,5}", "[^\0]{0,5}"), 0..5),
            expiry: Option<u32>,
        ) {
            let mut properties = PropertyBlock::default();
            if let Some(expiry) = expiry {
                properties.push(PropertyId::MessageExpiryInterval, Value::Number(expiry));
            }
            if let Some(text) = &content_type {
                properties.push(PropertyId::ContentType, Value::Text(text));
            }
            if let Some(data) = &correlation {
                properties.push(PropertyId::CorrelationData, Value::Binary(data));
            }
            for (key, value) in &pairs {
                properties.push(PropertyId::UserProperty, Value::Pair(key, value));
            }
            let qos = QoS::from_bits(qos).unwrap();
            let line = written(qos, &topic, &payload, &properties);
            let record = Record::parse(&line).unwrap();
            prop_assert_eq!(record.topic.as_deref(), Some(topic.as_str()));
            prop_assert_eq!((record.qos, record.retain), (Some(qos), Some(true)));
            prop_assert_eq!(record.payload.as_deref(), Some(payload.as_slice()));
            prop_assert_eq!(record.properties, properties);
            prop_assert!(clock::parse(&record.received.unwrap()).is_some());
        }
    }
}
