//! A message as the input of a program: its record, with a JSON payload parsed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jaq_json::{Rc, Val, read};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Maximum nesting of a payload to count as JSON: the limit of `serde_json`.
pub const MOST_LEVELS: usize = 127;
/// Maximum number of values of a payload to count as JSON. An object counts as several, as it needs the
/// memory of several.
pub const MOST_VALUES: u32 = 500_000;
const VALUES_OF_AN_OBJECT: u32 = 8;
/// Longer payloads are not parsed.
pub const MOST_PAYLOAD_BYTES: usize = 32 * 1024 * 1024;

/// A message as the input of a program.
#[derive(Debug, Clone)]
pub struct ProgramInput {
    /// The record.
    pub value: Val,
    /// The form of the payload in the record.
    pub form: ProgramPayload,
}

/// The form in which a program sees a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramPayload {
    /// The parsed JSON value.
    Json,
    /// Text, as the payload is not JSON.
    Text,
    /// Text, or nothing: the payload is too large to be parsed as JSON.
    TooLarge,
}

impl ProgramInput {
    /// The input made of the record without its payload, and the payload: parsed if it is JSON, otherwise a
    /// string, with `payload-encoding` if it has to be base64.
    #[must_use]
    pub fn new(record: &[u8], payload: &[u8]) -> Self {
        // The record is our own JSON, so parsing it cannot fail.
        let mut value = read::parse_single(record).unwrap_or_default();
        let payload = ParsedPayload::of(payload);
        if let Val::Obj(members) = &mut value {
            let members = Rc::make_mut(members);
            members.insert(key("payload"), payload.value);
            if payload.is_base64 {
                members.insert(key("payload-encoding"), Val::utf8_str("base64"));
            }
        }
        Self { value, form: payload.form }
    }
}

fn key(name: &'static str) -> Val {
    Val::utf8_str(name)
}

struct ParsedPayload {
    value: Val,
    form: ProgramPayload,
    is_base64: bool,
}

impl ParsedPayload {
    fn of(bytes: &[u8]) -> Self {
        if bytes.len() > MOST_PAYLOAD_BYTES {
            return Self { value: Val::Null, form: ProgramPayload::TooLarge, is_base64: false };
        }
        // `jaq` accepts more than JSON, and any nesting, so the payload is checked first.
        let form = match form(bytes) {
            ProgramPayload::Json => match read::parse_single(bytes) {
                Ok(value) => return Self { value, form: ProgramPayload::Json, is_base64: false },
                Err(_) => ProgramPayload::Text,
            },
            other => other,
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { value: Val::utf8_str(text.to_owned()), form, is_base64: false },
            Err(_) => Self { value: Val::utf8_str(STANDARD.encode(bytes)), form, is_base64: true },
        }
    }
}

/// Whether the payload is one JSON value within the nesting limit, and whether it needs too much memory.
fn form(bytes: &[u8]) -> ProgramPayload {
    let counted = std::str::from_utf8(bytes).ok().and_then(|text| serde_json::from_str::<Checked>(text).ok());
    match counted {
        Some(Checked(values)) if values <= MOST_VALUES => ProgramPayload::Json,
        Some(_) => ProgramPayload::TooLarge,
        None => ProgramPayload::Text,
    }
}

/// Any JSON, reduced to its number of values. Unlike `IgnoredAny` it respects the nesting limit.
struct Checked(u32);

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self(1))
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self, A::Error> {
        let mut all = self.0;
        while let Some(Self(more)) = values.next_element()? {
            all = all.saturating_add(more);
        }
        Ok(Self(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut all = self.0 * VALUES_OF_AN_OBJECT;
        while let Some((Self(name), Self(value))) = members.next_entry()? {
            all = all.saturating_add(name).saturating_add(value);
        }
        Ok(Self(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(payload: &[u8]) -> (String, bool) {
        let input = ProgramInput::new(br#"{"topic":"a"}"#, payload);
        (input.value.to_string(), input.form == ProgramPayload::Json)
    }

    #[test]
    fn payload_is_json_or_text_or_base64() {
        assert_eq!(shown(br#" {"t": 1.50}"#), (r#"{"topic":"a","payload":{"t":1.50}}"#.into(), true));
        assert_eq!(shown(b"ON"), (r#"{"topic":"a","payload":"ON"}"#.into(), false));
        assert_eq!(shown(b""), (r#"{"topic":"a","payload":""}"#.into(), false));
        let binary = r#"{"topic":"a","payload":"/w==","payload-encoding":"base64"}"#;
        assert_eq!(shown(b"\xff"), (binary.into(), false));
        // Extensions of `jaq` beyond JSON count as text.
        for text in ["NaN", "# comment", "[1,]", "{1:2}", "b\"x\"", "+1", "1 2", "'a'", "Infinity"] {
            assert!(!shown(text.as_bytes()).1, "{text}");
        }
    }

    #[test]
    fn more_values_than_the_limit_are_text() {
        let array = |count: usize, value: &str| format!("[{}]", vec![value; count].join(","));
        let most = MOST_VALUES as usize;
        assert!(shown(array(most - 1, "0").as_bytes()).1);
        assert!(!shown(array(most, "0").as_bytes()).1);
        assert!(!shown(array(most / 8, "{}").as_bytes()).1);
        assert!(!shown(array(most / 2, "[0]").as_bytes()).1);
        let long = vec![b'x'; MOST_PAYLOAD_BYTES + 1];
        assert_eq!(shown(&long), (r#"{"topic":"a","payload":null}"#.into(), false));
    }

    #[test]
    fn nesting_beyond_the_limit_is_text() {
        let nested = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat();
        assert!(shown(nested(MOST_LEVELS).as_bytes()).1);
        assert!(!shown(nested(MOST_LEVELS + 1).as_bytes()).1);
        assert!(!shown(nested(1_000_000).as_bytes()).1);
        assert!(!shown("{\"a\":".repeat(100_000).as_bytes()).1);
    }
}
