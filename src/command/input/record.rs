//! Reads the JSON record of a message, to publish a saved message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use crate::protocol::QoS;
use crate::protocol::property::{Place, PropertyBlock, PropertyId, PropertyKind, Value, out_of_range};
use crate::protocol::topic;
use crate::protocol::wire::PacketType;

/// A message as it is to be published again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// A checked topic name.
    pub(crate) topic: String,
    pub(crate) qos: QoS,
    /// `None` if the record does not say; mosquitto 2.0 says 0 or 1.
    pub(crate) retain: Option<bool>,
    pub(crate) payload: Vec<u8>,
    /// Checked; without those that are the connection's and not the message's.
    pub(crate) properties: PropertyBlock,
}

impl Record {
    /// Reads one line.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, String> {
        let json: Json = serde_json::from_slice(line.trim_ascii_end()).map_err(|error| not_json(&error))?;
        let Json::Object(mut object) = json else { return Err("not a JSON object".into()) };
        let Some(Json::String(name)) = object.remove("topic") else { return Err("it has no topic".into()) };
        topic::check_name(name.as_bytes()).map_err(|why| format!("topic: {why}"))?;
        let qos = match object.get("qos") {
            None => QoS::AtMostOnce,
            Some(json) => json
                .as_u64()
                .and_then(|bits| u8::try_from(bits).ok())
                .and_then(QoS::from_bits)
                .ok_or("qos: it must be 0, 1 or 2")?,
        };
        let retain = match object.get("retain") {
            None => None,
            Some(Json::Bool(retain)) => Some(*retain),
            Some(json) => match json.as_u64() {
                Some(bit @ 0..=1) => Some(bit == 1),
                _ => return Err("retain: it must be true or false".into()),
            },
        };
        let payload = match object.get("payload") {
            None => Vec::new(),
            Some(_) => bytes(&object, "payload")?,
        };
        let properties = match object.get("properties") {
            None => PropertyBlock::default(),
            Some(Json::Object(properties)) => block(properties)?,
            Some(_) => return Err("properties: they must be an object".into()),
        };
        Ok(Self { topic: name, qos, retain, payload, properties })
    }
}

/// What is wrong with a line. The number of the line is that of the file, which the caller knows.
fn not_json(error: &serde_json::Error) -> String {
    let (text, column) = (error.to_string(), error.column());
    let place = format!(" at line {} column {column}", error.line());
    format!("not valid JSON: {} (column {column})", text.strip_suffix(&place).unwrap_or(&text))
}

/// The bytes of a member: its text, or what that encodes if `NAME-encoding` says so.
fn bytes(object: &Map<String, Json>, name: &str) -> Result<Vec<u8>, String> {
    let Some(Json::String(text)) = object.get(name) else {
        return Err(format!("{name}: it must be a string"));
    };
    match object.get(&format!("{name}-encoding")) {
        None => Ok(text.as_bytes().to_vec()),
        Some(Json::String(encoding)) if encoding == "base64" => {
            STANDARD.decode(text).map_err(|error| format!("{name}: invalid base64: {error}"))
        }
        Some(_) => Err(format!("{name}-encoding: it must be \"base64\"")),
    }
}

fn block(properties: &Map<String, Json>) -> Result<PropertyBlock, String> {
    let mut block = PropertyBlock::default();
    for (name, value) in properties {
        if name == "user-properties" {
            put_user_properties(&mut block, value)?;
            continue;
        }
        if name == "correlation-data-encoding" {
            continue;
        }
        let Some(id) = PropertyId::ALL.iter().copied().find(|id| id.name() == name) else {
            return Err(format!("unknown property '{name}'"));
        };
        // What came with the message because of a subscription, or of the connection it came over.
        if matches!(id, PropertyId::SubscriptionIdentifier | PropertyId::TopicAlias) {
            continue;
        }
        match id.kind() {
            PropertyKind::Text => {
                let text = value.as_str().filter(|text| is_string(text));
                block.push(id, Value::Text(text.ok_or(format!("{name}: it must be a string"))?));
            }
            PropertyKind::Binary => {
                let data = bytes(properties, name)?;
                if data.len() > usize::from(u16::MAX) {
                    return Err(format!("{name}: it is longer than 65,535 bytes"));
                }
                block.push(id, Value::Binary(&data));
            }
            PropertyKind::Pair => return Err(format!("{name}: it must be an array")),
            _ => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                let number = number.ok_or(format!("{name}: it must be a number"))?;
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

fn put_user_properties(block: &mut PropertyBlock, value: &Json) -> Result<(), String> {
    let error = || "user-properties: it must be an array of objects of strings".to_owned();
    for object in value.as_array().ok_or_else(error)? {
        for (key, value) in object.as_object().ok_or_else(error)? {
            let value = value.as_str().filter(|text| is_string(text) && is_string(key));
            block.push(PropertyId::UserProperty, Value::Pair(key, value.ok_or_else(error)?));
        }
    }
    Ok(())
}

/// Whether MQTT can carry the text ([MQTT-1.5.4]).
fn is_string(text: &str) -> bool {
    u16::try_from(text.len()).is_ok() && !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;
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
        for (line, words) in [
            ("", "not valid JSON: EOF while parsing a value (column 0)"),
            ("7", "not a JSON object"),
            ("{}", "no topic"),
            (r#"{"topic":"a/#"}"#, "wildcard"),
            (r#"{"topic":"a","qos":3}"#, "qos"),
            (r#"{"topic":"a","payload":7}"#, "payload"),
            (r#"{"topic":"a","payload":"%","payload-encoding":"base64"}"#, "base64"),
            (r#"{"topic":"a","payload":"a","payload-encoding":"hex"}"#, "payload-encoding"),
            (r#"{"topic":"a","properties":7}"#, "properties"),
            (r#"{"topic":"a","properties":{"colour":1}}"#, "colour"),
            (r#"{"topic":"a","properties":{"payload-format-indicator":2}}"#, "payload-format-indicator"),
            (r#"{"topic":"a","properties":{"content-type":1}}"#, "content-type"),
            (r#"{"topic":"a","properties":{"receive-maximum":1}}"#, "receive-maximum"),
            (r#"{"topic":"a","properties":{"user-properties":[{"k":1}]}}"#, "user-properties"),
        ] {
            let error = Record::parse(line.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }

    #[test]
    fn fields_of_the_connection_are_left_out() {
        let line = br#"{"topic":"a","properties":{"subscription-identifier":[1,2],"topic-alias":3}}"#;
        assert!(Record::parse(line).unwrap().properties.is_empty());
    }

    proptest! {
        /// Payload, QoS and properties come back exactly, user properties in their order.
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
            let expected = Record { topic, qos, retain: Some(true), payload, properties };
            prop_assert_eq!(Record::parse(&line), Ok(expected));
        }
    }
}
