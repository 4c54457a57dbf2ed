//! The table of formats that need nothing but their name.

use std::io::Read;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::limits::{Converted, MOST_DECODED_BYTES, within_limit};
#[cfg(feature = "decoders")]
use super::sparkplug;
#[cfg(feature = "decoders")]
use super::structured::{decode_cbor, decode_message_pack, encode_cbor, encode_message_pack};
use crate::notation::hex;

/// One format.
#[derive(Debug)]
pub(super) struct PlainFormat {
    pub(super) name: &'static str,
    /// What it decodes to is JSON.
    pub(super) is_value: bool,
    /// It takes the topic and the messages before to decode all of it. `decode` does without them.
    #[cfg_attr(not(feature = "decoders"), expect(dead_code, reason = "there is none without the feature"))]
    pub(super) remembers: bool,
    pub(super) decode: fn(&[u8]) -> Converted,
    pub(super) encode: fn(&[u8]) -> Converted,
}

/// All of them.
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
    PlainFormat {
        name: "gzip",
        is_value: false,
        remembers: false,
        decode: |bytes| read(flate2::read::MultiGzDecoder::new(bytes)),
        encode: |bytes| read(flate2::read::GzEncoder::new(bytes, flate2::Compression::default())),
    },
    PlainFormat {
        name: "zlib",
        is_value: false,
        remembers: false,
        decode: |bytes| read(flate2::read::ZlibDecoder::new(bytes)),
        encode: |bytes| read(flate2::read::ZlibEncoder::new(bytes, flate2::Compression::default())),
    },
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

/// Everything that comes, within the limit.
fn read(reader: impl Read) -> Converted {
    let mut bytes = Vec::new();
    let most = MOST_DECODED_BYTES as u64 + 1;
    reader.take(most).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    within_limit(bytes)
}

fn decode_zstd(bytes: &[u8]) -> Converted {
    if bytes.is_empty() {
        return Err("it is empty".into());
    }
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|error| error.to_string())?;
    // The memory of a frame's window: 2^27 bytes is the library's default, and less than what may come out.
    decoder.window_log_max(26).map_err(|error| error.to_string())?;
    read(decoder)
}

fn encode_zstd(bytes: &[u8]) -> Converted {
    zstd::stream::encode_all(bytes, 0).map_err(|error| error.to_string())
}

/// Pairs of digits, with white space between them.
fn decode_hex(bytes: &[u8]) -> Converted {
    hex::decode(&without_space(bytes)).ok_or_else(|| "it is not pairs of hexadecimal digits".into())
}

fn without_space(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

/// The standard alphabet, padded or not, with white space anywhere.
fn decode_base64(bytes: &[u8]) -> Converted {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    LENIENT.decode(without_space(bytes)).map_err(|error| error.to_string())
}
