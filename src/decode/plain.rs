//! The table of formats that need only their name.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::compressed::{decode_gzip, decode_zlib, decode_zstd, encode_gzip, encode_zlib, encode_zstd};
use super::limits::Converted;
#[cfg(feature = "decoders")]
use super::sparkplug;
#[cfg(feature = "decoders")]
use super::structured::{decode_cbor, decode_message_pack, encode_cbor, encode_message_pack};
use crate::notation::hex;

/// One format.
#[derive(Debug)]
pub(super) struct PlainFormat {
    pub(super) name: &'static str,
    /// Whether it decodes to JSON.
    pub(super) is_value: bool,
    /// Whether it needs the topic and earlier messages for a complete result. `decode` works without them.
    #[cfg_attr(not(feature = "decoders"), expect(dead_code, reason = "there is none without the feature"))]
    pub(super) remembers: bool,
    pub(super) decode: fn(&[u8]) -> Converted,
    pub(super) encode: fn(&[u8]) -> Converted,
}

/// All formats of the table.
pub(super) const FORMATS: &[PlainFormat] = &[
    #[cfg(feature = "decoders")]
    PlainFormat { name: "cbor", is_value: true, remembers: false, decode: decode_cbor, encode: encode_cbor },
    #[cfg(feature = "decoders")]
    PlainFormat {
        name: "msgpack",
        is_value: true,
        remembers: false,
        decode: decode_message_pack,
        encode: encode_message_pack,
    },
    #[cfg(feature = "decoders")]
    PlainFormat {
        name: "sparkplug",
        is_value: true,
        remembers: true,
        decode: sparkplug::decode,
        encode: sparkplug::encode,
    },
    PlainFormat { name: "gzip", is_value: false, remembers: false, decode: decode_gzip, encode: encode_gzip },
    PlainFormat { name: "zlib", is_value: false, remembers: false, decode: decode_zlib, encode: encode_zlib },
    PlainFormat { name: "zstd", is_value: false, remembers: false, decode: decode_zstd, encode: encode_zstd },
    PlainFormat {
        name: "hex",
        is_value: false,
        remembers: false,
        decode: decode_hex,
        encode: |bytes| Ok(hex::Hex(bytes).to_string().into_bytes()),
    },
    PlainFormat {
        name: "base64",
        is_value: false,
        remembers: false,
        decode: decode_base64,
        encode: |bytes| Ok(STANDARD.encode(bytes).into_bytes()),
    },
];

/// Pairs of digits, optionally separated by white space.
fn decode_hex(bytes: &[u8]) -> Converted {
    hex::decode(&without_space(bytes)).ok_or_else(|| "it is not pairs of hexadecimal digits".into())
}

fn without_space(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

/// The standard alphabet, with or without padding, with white space anywhere.
fn decode_base64(bytes: &[u8]) -> Converted {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    LENIENT.decode(without_space(bytes)).map_err(|error| error.to_string())
}
