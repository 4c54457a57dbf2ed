//! Formats that are applied one after the other.

use std::sync::Arc;

use super::limits::Converted;
use super::plain::{FORMATS, PlainFormat};
#[cfg(feature = "decoders")]
use super::protobuf::{self, BadSchema, MessageType, Schemas};

/// Formats in decoding order, at least one.
#[derive(Debug, Clone)]
pub struct FormatChain {
    steps: Vec<Step>,
    /// Their names, as they were given.
    text: Arc<str>,
}

/// Without the feature, no format has a schema.
#[cfg(not(feature = "decoders"))]
#[derive(Debug, Default)]
pub struct NoSchemas {}

#[cfg(not(feature = "decoders"))]
use NoSchemas as Schemas;

/// One format of a chain.
#[derive(Debug, Clone)]
enum Step {
    Plain(&'static PlainFormat),
    #[cfg(feature = "decoders")]
    Protobuf(MessageType),
}

/// The result of decoding a payload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecodedBytes {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The part of the payload that was omitted, if any.
    pub left_out: Option<String>,
}

/// A format that does not exist or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnknownFormat {
    /// There is no format of this name.
    #[error("unknown format '{0}'; there are {names}", names = FormatChain::names().join(", "))]
    Name(String),
    /// A format follows this one, whose values cannot be decoded further.
    #[error("'{0}' gives a value: no other format can follow it")]
    AfterValue(&'static str),
    /// The schema is missing or invalid.
    #[cfg(feature = "decoders")]
    #[error(transparent)]
    Schema(#[from] BadSchema),
}

impl FormatChain {
    /// The names of all formats.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        let plain = FORMATS.iter().map(|format| format.name);
        #[cfg(feature = "decoders")]
        let plain = plain.chain([protobuf::NAME]);
        plain.collect()
    }

    /// Reads `gzip+cbor`, or `gzip+protobuf:MESSAGE`.
    ///
    /// # Errors
    /// A name is unknown, a format follows one of values, or the schema is invalid.
    pub fn parse(text: &str, schemas: &mut Schemas) -> Result<Self, UnknownFormat> {
        let steps = text.split('+').map(|name| Step::parse(name, schemas)).collect::<Result<Vec<_>, _>>()?;
        let before = steps.split_last().map_or(&[][..], |(_, before)| before);
        match before.iter().find(|step| step.is_value()) {
            Some(step) => Err(UnknownFormat::AfterValue(step.name())),
            None => Ok(Self { steps, text: text.into() }),
        }
    }

    /// The names of the formats, if decoding produces JSON.
    #[must_use]
    pub fn value_format(&self) -> Option<&Arc<str>> {
        self.steps.last().is_some_and(Step::is_value).then_some(&self.text)
    }

    /// Whether an empty payload is valid: a Protocol Buffers message without fields.
    #[must_use]
    pub fn takes_empty(&self) -> bool {
        match self.steps.first() {
            #[cfg(feature = "decoders")]
            Some(Step::Protobuf(_)) => true,
            _ => false,
        }
    }

    /// Whether a format needs the topic and earlier messages for a complete result.
    #[cfg(feature = "decoders")]
    pub(super) fn remembers(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Plain(format) if format.remembers))
    }

    /// Decodes one payload on its own.
    ///
    /// # Errors
    /// Why the payload does not have the format, after the format's name.
    pub fn decode(&self, payload: &[u8]) -> Result<DecodedBytes, String> {
        self.decode_with(payload, |format, bytes| (format.decode)(bytes))
    }

    /// Decodes a payload; `plain` decodes the formats of the table.
    pub(super) fn decode_with(
        &self,
        payload: &[u8],
        mut plain: impl FnMut(&PlainFormat, &[u8]) -> Converted,
    ) -> Result<DecodedBytes, String> {
        let mut content = None::<DecodedBytes>;
        for step in &self.steps {
            let input = content.as_ref().map_or(payload, |content| &content.bytes);
            content = Some(step.decode(input, &mut plain).map_err(|why| format!("{}: {why}", step.name()))?);
        }
        Ok(content.unwrap_or_default())
    }

    /// Encodes a payload.
    ///
    /// # Errors
    /// Why the payload cannot be encoded, after the format's name.
    pub fn encode(&self, payload: &[u8]) -> Result<Vec<u8>, String> {
        let mut encoded = None::<Vec<u8>>;
        for step in self.steps.iter().rev() {
            let result = step.encode(encoded.as_deref().unwrap_or(payload));
            encoded = Some(result.map_err(|why| format!("{}: {why}", step.name()))?);
        }
        Ok(encoded.unwrap_or_default())
    }
}

impl Step {
    #[cfg_attr(not(feature = "decoders"), expect(unused_variables, reason = "no other format has a schema"))]
    fn parse(text: &str, schemas: &mut Schemas) -> Result<Self, UnknownFormat> {
        #[cfg(feature = "decoders")]
        {
            let (name, message) =
                text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
            if name == protobuf::NAME {
                return Ok(Self::Protobuf(schemas.message(message.filter(|name| !name.is_empty()))?));
            }
        }
        let found = FORMATS.iter().find(|format| format.name == text);
        found.map(Self::Plain).ok_or_else(|| UnknownFormat::Name(text.to_owned()))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Plain(format) => format.name,
            #[cfg(feature = "decoders")]
            Self::Protobuf(_) => protobuf::NAME,
        }
    }

    fn is_value(&self) -> bool {
        match self {
            Self::Plain(format) => format.is_value,
            #[cfg(feature = "decoders")]
            Self::Protobuf(_) => true,
        }
    }

    fn decode(
        &self,
        bytes: &[u8],
        plain: &mut impl FnMut(&PlainFormat, &[u8]) -> Converted,
    ) -> Result<DecodedBytes, String> {
        match self {
            Self::Plain(format) => plain(format, bytes).map(|bytes| DecodedBytes { bytes, left_out: None }),
            #[cfg(feature = "decoders")]
            Self::Protobuf(message) => message.decode(bytes),
        }
    }

    fn encode(&self, bytes: &[u8]) -> Converted {
        match self {
            Self::Plain(format) => (format.encode)(bytes),
            #[cfg(feature = "decoders")]
            Self::Protobuf(message) => message.encode(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{MOST_DECODED_BYTES, MOST_NESTING};
    use proptest::prelude::*;

    fn chain(text: &str) -> FormatChain {
        FormatChain::parse(text, &mut Schemas::default()).unwrap()
    }

    #[test]
    fn names_are_checked() {
        let refused = |text: &str| FormatChain::parse(text, &mut Schemas::default()).unwrap_err().to_string();
        assert!(refused("yaml").starts_with("unknown format 'yaml'; there are "), "{}", refused("yaml"));
        assert!(refused("").starts_with("unknown format ''"));
        assert!(refused("hex+").starts_with("unknown format ''"));
        assert!(refused("Gzip").starts_with("unknown format 'Gzip'"));
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for format in FORMATS.iter().filter(|format| !format.is_value) {
                let encoded = (format.encode)(&bytes).unwrap();
                prop_assert_eq!((format.decode)(&encoded).unwrap(), bytes.clone(), "{}", format.name);
            }
            let both = chain("base64+hex");
            prop_assert_eq!(both.decode(&both.encode(&bytes).unwrap()).unwrap().bytes, bytes);
        }

        /// Any bytes are decoded or refused.
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for format in FORMATS {
                if let Ok(decoded) = (format.decode)(&bytes)
                    && format.is_value
                {
                    let value = serde_json::from_slice::<serde_json::Value>(&decoded);
                    prop_assert!(value.is_ok(), "{}: {value:?}", format.name);
                }
            }
        }
    }

    #[cfg(feature = "decoders")]
    mod decoders {
        use super::*;

        fn decoded(format: &str, hex: &str) -> String {
            let bytes = crate::notation::hex::decode(hex.replace(' ', "").as_bytes()).unwrap();
            match chain(format).decode(&bytes) {
                Ok(decoded) => String::from_utf8(decoded.bytes).unwrap(),
                Err(why) => format!("error: {why}"),
            }
        }

        /// From appendix A of RFC 8949.
        #[test]
        fn cbor() {
            for (hex, json) in [
                ("00", "0"),
                ("18 64", "100"),
                ("1b ffffffffffffffff", "18446744073709551615"),
                ("3b 7fffffffffffffff", "-9223372036854775808"),
                ("3b ffffffffffffffff", "\"-18446744073709551616\""),
                ("f9 3e00", "1.5"),
                ("fb 3ff199999999999a", "1.1"),
                ("f9 7c00", "null"),
                ("f9 7e00", "null"),
                ("f4", "false"),
                ("f6", "null"),
                ("c1 1a 514b67b0", "1363896240"),
                ("44 01020304", "\"AQIDBA==\""),
                ("64 49455446", "\"IETF\""),
                ("83 01 02 03", "[1,2,3]"),
                ("a2 01 02 03 04", "{\"1\":2,\"3\":4}"),
                ("bf 61 61 01 61 62 9f 02 03 ff ff", "{\"a\":1,\"b\":[2,3]}"),
            ] {
                assert_eq!(decoded("cbor", hex), json, "{hex}");
            }
            for hex in ["", "18", "ff", "83 01 02", "00 00", "1c", "62 61"] {
                assert!(decoded("cbor", hex).starts_with("error: cbor: "), "{hex}: {}", decoded("cbor", hex));
            }
        }

        #[test]
        fn message_pack() {
            for (hex, json) in [
                ("93 01 ff c0", "[1,-1,null]"),
                ("82 a1 61 cb 3ff8000000000000 a1 62 c3", "{\"a\":1.5,\"b\":true}"),
                ("cf ffffffffffffffff", "18446744073709551615"),
                ("c4 02 0102", "\"AQI=\""),
                ("d6 ff 00000001", "\"AAAAAQ==\""),
                ("81 01 02", "{\"1\":2}"),
            ] {
                assert_eq!(decoded("msgpack", hex), json, "{hex}");
            }
            for hex in
                ["", "93 01", "c1 00", "01 02", "dd ffffffff", "c6 ffffffff", "a1 ff", "81 d9 01 ff 01"]
            {
                assert!(decoded("msgpack", hex).starts_with("error: msgpack: "), "{hex}");
            }
            for (hex, byte) in [("c1", 0), ("92 01 c1", 2), ("81 a1 61 c1", 3)] {
                let expected = format!("error: msgpack: byte {byte}, 0xc1, begins no value");
                assert_eq!(decoded("msgpack", hex), expected, "{hex}");
            }
            // Inside a text and a byte string it is an ordinary byte.
            assert_eq!(decoded("msgpack", "92 c4 01 c1 a2 c3 81"), "[\"wQ==\",\"Á\"]");
        }

        /// None of the values is lost without a word.
        #[test]
        fn members_with_one_key_are_refused() {
            for (format, hex, key) in [
                ("cbor", "a2 61 61 01 61 61 02", "a"),
                ("cbor", "a2 01 01 61 31 02", "1"),
                ("cbor", "a2 f6 01 f7 02", "null"),
                ("cbor", "a2 41 61 01 64 59513d3d 02", "YQ=="),
                ("cbor", "81 a1 61 62 a2 c1 01 00 01 00", "1"),
                ("msgpack", "82 a1 61 01 a1 61 02", "a"),
                ("msgpack", "82 01 01 a1 31 02", "1"),
            ] {
                let expected =
                    format!("error: {format}: two members of an object have the key '{key}' in JSON");
                assert_eq!(decoded(format, hex), expected, "{hex}");
            }
        }

        #[test]
        fn bytes_after_the_value_are_counted() {
            assert_eq!(decoded("cbor", "00 00"), "error: cbor: 1 byte follows the value");
            assert_eq!(decoded("msgpack", "00 00 00"), "error: msgpack: 2 bytes follow the value");
        }

        /// Keys that are not text, whatever their type.
        #[test]
        fn keys_that_are_not_text_are_limited() {
            let bytes = vec![b'k'; 1024 * 1024];
            let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
            for (format, head, is_within) in [
                ("cbor", &[0xa1, 0x5a][..], false),
                ("cbor", &[0xa1, 0x7a], true),
                ("msgpack", &[0x81, 0xc6], false),
                ("msgpack", &[0x81, 0xdb], true),
            ] {
                let decoded = chain(format).decode(&[head, &length, &bytes, &[1]].concat());
                if is_within {
                    decoded.unwrap();
                } else {
                    let expected = format!("{format}: keys that are not text take more than 1 MiB");
                    assert_eq!(decoded.unwrap_err(), expected, "{head:02x?}");
                }
            }
        }

        #[test]
        fn json_comes_back() {
            let json = r#"{"a":[1,-2,1.5,null,true,"x","é"],"b":{"c":18446744073709551615}}"#;
            for format in ["cbor", "msgpack", "gzip+cbor", "base64+zstd+msgpack", "hex+zlib+cbor"] {
                let encoded = chain(format).encode(json.as_bytes()).unwrap();
                assert_eq!(
                    String::from_utf8(chain(format).decode(&encoded).unwrap().bytes).unwrap(),
                    json,
                    "{format}"
                );
            }
            assert!(chain("gzip+cbor").encode(b"no").unwrap_err().starts_with("cbor: not JSON"));
            assert_eq!(
                FormatChain::parse("cbor+gzip", &mut Schemas::default()).unwrap_err().to_string(),
                "'cbor' gives a value: no other format can follow it"
            );
        }

        /// Two gzip members make one payload.
        #[test]
        fn compressed_parts_are_joined() {
            let part = |text: &[u8]| chain("gzip").encode(text).unwrap();
            assert_eq!(chain("gzip").decode(&[part(b"ab"), part(b"cd")].concat()).unwrap().bytes, b"abcd");
        }

        #[test]
        fn bombs_are_refused() {
            let zeros = vec![0; MOST_DECODED_BYTES + 1];
            for format in ["gzip", "zlib", "zstd"] {
                let bomb = chain(format).encode(&zeros).unwrap();
                assert!(bomb.len() < 100_000, "{format}");
                let why = chain(format).decode(&bomb).unwrap_err();
                assert_eq!(why, format!("{format}: it decodes to more than 64 MiB"));
                assert_eq!(
                    chain(format).decode(&chain(format).encode(&zeros[1..]).unwrap()).unwrap().bytes.len(),
                    MOST_DECODED_BYTES
                );
            }
            for (format, level) in [("cbor", "81"), ("cbor", "c1"), ("msgpack", "91")] {
                let nested = format!("{}00", level.repeat(500_000));
                assert_eq!(
                    decoded(format, &nested),
                    format!("error: {format}: nested deeper than {MOST_NESTING} levels"),
                    "{level}"
                );
            }
            // Claimed lengths without content.
            for hex in ["9b 7fffffffffffffff", "5b 7fffffffffffffff", "bb 00ffffffffffffff"] {
                assert!(decoded("cbor", hex).starts_with("error: cbor: "), "{hex}");
            }
        }

        #[test]
        fn what_is_cut_is_refused() {
            for format in ["gzip", "zlib", "zstd"] {
                let whole = chain(format).encode(b"some text").unwrap();
                for length in 0..whole.len() {
                    assert!(chain(format).decode(&whole[..length]).is_err(), "{format} {length}");
                }
                assert!(chain(format).decode(b"some text").is_err());
            }
        }
    }
}
