//! The JSON of a Protocol Buffers message.
//!
//! It is the library's JSON with three exceptions: maps, whose members the library writes in a different
//! order in each run; wrappers of numbers, whose NaN it writes as null; and `Any`, which it copies at each
//! level.

use std::io;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{DynamicMessage, Kind, MapKey, ReflectMessage as _, Value};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};

use super::super::limits::{Converted, MOST_DECODED_BYTES, within_limit};
use super::survey::{any_name, no_message_for};

/// The JSON of a message, within the size limit of decoded payloads.
pub(super) fn written(message: &DynamicMessage) -> Converted {
    let mut output = JsonOutput { bytes: Vec::new() };
    match serde_json::to_writer(&mut output, &Shown(message)) {
        Err(error) if output.bytes.len() <= MOST_DECODED_BYTES => Err(error.to_string()),
        _ => within_limit(output.bytes),
    }
}

/// A buffer that accepts one byte more than the limit.
struct JsonOutput {
    bytes: Vec<u8>,
}

impl io::Write for JsonOutput {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let room = (MOST_DECODED_BYTES + 1).saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&part[..part.len().min(room)]);
        if part.len() > room { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(part.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A message to write.
struct Shown<'a>(&'a DynamicMessage);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match MessageForm::of(self.0.descriptor().full_name()) {
            MessageForm::Fields => {
                let mut map = serializer.serialize_map(None)?;
                write_fields(&mut map, self.0)?;
                map.end()
            }
            MessageForm::Wrapper => {
                let descriptor = self.0.descriptor();
                let field = descriptor.get_field(1);
                let field = field.ok_or_else(|| S::Error::custom("the wrapper has no value"))?;
                let value = self.0.get_field(&field);
                FieldValue { value: &value, kind: &field.kind() }.serialize(serializer)
            }
            MessageForm::Any => write_any(self.0, serializer),
            MessageForm::WellKnown => self.0.serialize(serializer),
        }
    }
}

/// The JSON form of a message.
enum MessageForm {
    Fields,
    /// The value of its only field.
    Wrapper,
    Any,
    /// The library's form.
    WellKnown,
}

impl MessageForm {
    fn of(full_name: &str) -> Self {
        match full_name.strip_prefix("google.protobuf.") {
            Some(
                "FloatValue" | "DoubleValue" | "Int32Value" | "Int64Value" | "UInt32Value" | "UInt64Value"
                | "BoolValue" | "StringValue" | "BytesValue",
            ) => Self::Wrapper,
            Some("Any") => Self::Any,
            Some("Timestamp" | "Duration" | "Struct" | "Value" | "ListValue" | "FieldMask") => {
                Self::WellKnown
            }
            _ => Self::Fields,
        }
    }
}

fn write_fields<M: SerializeMap>(map: &mut M, message: &DynamicMessage) -> Result<(), M::Error> {
    for (field, value) in message.fields() {
        write_field(map, field.json_name(), value, &field.kind())?;
    }
    for (extension, value) in message.extensions() {
        write_field(map, extension.json_name(), value, &extension.kind())?;
    }
    Ok(())
}

fn write_field<M: SerializeMap>(map: &mut M, name: &str, value: &Value, kind: &Kind) -> Result<(), M::Error> {
    map.serialize_entry(name, &FieldValue { value, kind })
        .map_err(|error| M::Error::custom(format!("{name}: {error}")))
}

/// Writes an `Any`. Its content is decoded here; it was surveyed with the payload.
fn write_any<S: Serializer>(any: &DynamicMessage, serializer: S) -> Result<S::Ok, S::Error> {
    let (url, content) = (any.get_field_by_number(1), any.get_field_by_number(2));
    let url = url.as_ref().and_then(|url| url.as_str()).unwrap_or_default();
    let content = content.as_ref().and_then(|content| content.as_bytes());
    let content = content.map(|content| &content[..]).unwrap_or_default();
    let mut map = serializer.serialize_map(None)?;
    if url.is_empty() && content.is_empty() {
        return map.end();
    }
    let descriptor = any_name(url)
        .and_then(|name| any.descriptor().parent_pool().get_message_by_name(name))
        .ok_or_else(|| S::Error::custom(no_message_for(url)))?;
    let message = DynamicMessage::decode(descriptor, content).map_err(S::Error::custom)?;
    map.serialize_entry("@type", url)?;
    match MessageForm::of(message.descriptor().full_name()) {
        MessageForm::Fields if message.descriptor().full_name() != "google.protobuf.Empty" => {
            write_fields(&mut map, &message)?;
        }
        _ => map.serialize_entry("value", &Shown(&message))?,
    }
    map.end()
}

/// The value of a field, or of an element of a list or a map.
struct FieldValue<'a> {
    value: &'a Value,
    kind: &'a Kind,
}

impl Serialize for FieldValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::I32(value) => serializer.serialize_i32(*value),
            Value::U32(value) => serializer.serialize_u32(*value),
            Value::I64(value) => serializer.collect_str(value),
            Value::U64(value) => serializer.collect_str(value),
            Value::F32(value) => match not_finite(f64::from(*value)) {
                Some(name) => serializer.serialize_str(name),
                // For the largest float, the shortest digits round to a greater number, which could not be
                // read again.
                None if value.abs() >= f32::MAX => serializer.serialize_f64(f64::from(*value)),
                None => serializer.serialize_f32(*value),
            },
            Value::F64(value) => match not_finite(*value) {
                Some(name) => serializer.serialize_str(name),
                None => serializer.serialize_f64(*value),
            },
            Value::String(value) => serializer.serialize_str(value),
            Value::Bytes(value) => serializer.collect_str(&Base64Display::new(value, &STANDARD)),
            Value::EnumNumber(number) => {
                let kind = self.kind.as_enum();
                if kind.is_some_and(|kind| kind.full_name() == "google.protobuf.NullValue") {
                    return serializer.serialize_unit();
                }
                match kind.and_then(|kind| kind.get_value(*number)) {
                    Some(value) => serializer.serialize_str(value.name()),
                    None => serializer.serialize_i32(*number),
                }
            }
            Value::Message(message) => Shown(message).serialize(serializer),
            Value::List(values) => {
                serializer.collect_seq(values.iter().map(|value| FieldValue { value, kind: self.kind }))
            }
            Value::Map(members) => {
                let kind = match self.kind.as_message() {
                    Some(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
                    _ => return Err(S::Error::custom("it is not a map")),
                };
                let mut members: Vec<(&MapKey, &Value)> = members.iter().collect();
                members.sort_unstable_by_key(|(key, _)| *key);
                let members = members.into_iter();
                serializer.collect_map(
                    members.map(|(key, value)| (ShownKey(key), FieldValue { value, kind: &kind })),
                )
            }
        }
    }
}

/// The name of a number that JSON does not have.
fn not_finite(number: f64) -> Option<&'static str> {
    match number {
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        number if number.is_nan() => Some("NaN"),
        _ => None,
    }
}

struct ShownKey<'a>(&'a MapKey);

impl Serialize for ShownKey<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            MapKey::Bool(key) => serializer.collect_str(key),
            MapKey::I32(key) => serializer.collect_str(key),
            MapKey::I64(key) => serializer.collect_str(key),
            MapKey::U32(key) => serializer.collect_str(key),
            MapKey::U64(key) => serializer.collect_str(key),
            MapKey::String(key) => serializer.serialize_str(key),
        }
    }
}
