//! Formats of structured values: CBOR (RFC 8949) and `MessagePack`, to and from JSON.
//!
//! Values that JSON does not have are converted: byte strings to base64, NaN and the infinities to null, integers
//! below -2^63 to a text of their digits, keys that are not text to their JSON text. The tags of CBOR and the
//! types of `MessagePack` extensions are dropped. Two members with one key would be one in JSON: that is an
//! error. From JSON, a text stays a text.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::limits::{Bounded, Converted, MOST_NESTING, too_deep};
use super::size::{check_cbor, check_message_pack};
use crate::quantity::{agree, counted};
use crate::quotation::cut;

pub(super) fn decode_cbor(bytes: &[u8]) -> Converted {
    use ciborium::de::Error;
    check_cbor(bytes)?;
    let mut rest = bytes;
    let value: ciborium::Value = ciborium::de::from_reader_with_recursion_limit(&mut rest, MOST_NESTING)
        .map_err(|error| match error {
            Error::Io(_) => "it ends inside a value".to_owned(),
            Error::Syntax(at) => format!("invalid CBOR at byte {at}"),
            Error::Semantic(_, why) => why,
            Error::RecursionLimitExceeded => too_deep(),
        })?;
    is_all(rest)?;
    written(&Keys::default().cbor_as_json(value)?)
}

pub(super) fn encode_cbor(bytes: &[u8]) -> Converted {
    let mut encoded = Vec::new();
    ciborium::into_writer(&parsed(bytes)?, &mut encoded).map_err(|error| error.to_string())?;
    Ok(encoded)
}

pub(super) fn decode_message_pack(bytes: &[u8]) -> Converted {
    use rmpv::decode::Error;
    check_message_pack(bytes)?;
    let mut cursor = Cursor::new(bytes);
    let value =
        rmpv::decode::read_value_with_max_depth(&mut cursor, MOST_NESTING).map_err(|error| match error {
            Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) => "it ends inside a value".to_owned(),
            Error::DepthLimitExceeded => too_deep(),
        })?;
    let used = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
    is_all(bytes.get(used..).unwrap_or_default())?;
    written(&Keys::default().message_pack_as_json(value)?)
}

pub(super) fn encode_message_pack(bytes: &[u8]) -> Converted {
    let mut encoded = Vec::new();
    rmpv::encode::write_value(&mut encoded, &json_as_message_pack(parsed(bytes)?))
        .map_err(|error| error.to_string())?;
    Ok(encoded)
}

fn is_all(rest: &[u8]) -> Result<(), String> {
    let count = rest.len() as u64;
    if count == 0 {
        return Ok(());
    }
    Err(format!("{} {} the value", counted(count, "byte"), agree(count, "follows", "follow")))
}

fn written(value: &Value) -> Converted {
    let mut text = Bounded::default();
    serde_json::to_writer(&mut text, value).map_err(|error| error.to_string())?;
    Ok(text.0)
}

fn parsed(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))
}

fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

fn binary(bytes: &[u8]) -> Value {
    Value::String(STANDARD.encode(bytes))
}

/// The object with these members.
fn object(members: impl Iterator<Item = Converted<(String, Value)>>) -> Converted<Value> {
    let mut object = Map::new();
    for member in members {
        let (name, value) = member?;
        match object.entry(name) {
            Entry::Vacant(place) => {
                place.insert(value);
            }
            Entry::Occupied(there) => {
                return Err(format!("two members of an object have the key '{}' in JSON", cut(there.key())));
            }
        }
    }
    Ok(Value::Object(object))
}

/// Maximum total size, in bytes, of the text of keys that are not text. Each nested key escapes the keys
/// inside it, so the length and the time double with every level of nesting.
const MOST_KEY_BYTES: usize = 1024 * 1024;

/// Counts the bytes of keys that are not text.
#[derive(Default)]
struct Keys {
    bytes: usize,
}

impl Keys {
    /// The text of a key; `is_text` tells whether it is text in the format as well.
    fn key(&mut self, value: Value, is_text: bool) -> Result<String, String> {
        let text = match value {
            Value::String(text) if is_text => return Ok(text),
            Value::String(text) => text,
            value => {
                let mut text = Bounded::default();
                serde_json::to_writer(&mut text, &value).map_err(|error| error.to_string())?;
                String::from_utf8(text.0).map_err(|error| error.to_string())?
            }
        };
        self.bytes += text.len();
        if self.bytes > MOST_KEY_BYTES {
            return Err(format!("keys that are not text take more than {} MiB", MOST_KEY_BYTES >> 20));
        }
        Ok(text)
    }

    fn cbor_as_json(&mut self, value: ciborium::Value) -> Converted<Value> {
        Ok(match value {
            ciborium::Value::Integer(number) => {
                let number = i128::from(number);
                let exact = i64::try_from(number)
                    .map(Number::from)
                    .or_else(|_| u64::try_from(number).map(Number::from));
                // Integers below -2^63 are strings, as other programs cannot read them as JSON numbers.
                exact.map_or_else(|_| Value::String(number.to_string()), Value::Number)
            }
            ciborium::Value::Bytes(bytes) => binary(&bytes),
            ciborium::Value::Float(number) => float(number),
            ciborium::Value::Text(text) => Value::String(text),
            ciborium::Value::Bool(is_true) => Value::Bool(is_true),
            ciborium::Value::Tag(_, value) => self.cbor_as_json(*value)?,
            ciborium::Value::Array(values) => {
                values.into_iter().map(|value| self.cbor_as_json(value)).collect::<Converted<_>>()?
            }
            ciborium::Value::Map(members) => object(members.into_iter().map(|(name, value)| {
                let is_text = name.is_text();
                let name = self.cbor_as_json(name)?;
                Ok((self.key(name, is_text)?, self.cbor_as_json(value)?))
            }))?,
            _ => Value::Null,
        })
    }

    fn message_pack_as_json(&mut self, value: rmpv::Value) -> Converted<Value> {
        Ok(match value {
            rmpv::Value::Nil => Value::Null,
            rmpv::Value::Boolean(is_true) => Value::Bool(is_true),
            rmpv::Value::Integer(number) => {
                let exact = number.as_i64().map(Number::from).or_else(|| number.as_u64().map(Number::from));
                exact.map_or(Value::Null, Value::Number)
            }
            rmpv::Value::F32(number) => float(number.into()),
            rmpv::Value::F64(number) => float(number),
            rmpv::Value::String(text) => {
                Value::String(text.into_str().ok_or_else(|| "a text is not UTF-8".to_owned())?)
            }
            rmpv::Value::Binary(bytes) | rmpv::Value::Ext(_, bytes) => binary(&bytes),
            rmpv::Value::Array(values) => {
                values.into_iter().map(|value| self.message_pack_as_json(value)).collect::<Converted<_>>()?
            }
            rmpv::Value::Map(members) => object(members.into_iter().map(|(name, value)| {
                let is_text = name.is_str();
                let name = self.message_pack_as_json(name)?;
                Ok((self.key(name, is_text)?, self.message_pack_as_json(value)?))
            }))?,
        })
    }
}

fn json_as_message_pack(value: Value) -> rmpv::Value {
    match value {
        Value::Null => rmpv::Value::Nil,
        Value::Bool(is_true) => rmpv::Value::Boolean(is_true),
        Value::Number(number) => number
            .as_i64()
            .map(rmpv::Value::from)
            .or_else(|| number.as_u64().map(rmpv::Value::from))
            .unwrap_or_else(|| rmpv::Value::F64(number.as_f64().unwrap_or(f64::NAN))),
        Value::String(text) => rmpv::Value::from(text),
        Value::Array(values) => rmpv::Value::Array(values.into_iter().map(json_as_message_pack).collect()),
        Value::Object(members) => rmpv::Value::Map(
            members
                .into_iter()
                .map(|(name, value)| (rmpv::Value::from(name), json_as_message_pack(value)))
                .collect(),
        ),
    }
}
