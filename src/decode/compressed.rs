//! Compressed payloads.
//!
//! The stream state of a library is a hundred times larger than many messages, and creating it would take
//! longer than using it. So each thread keeps its state, unless a message made it large.

use std::cell::RefCell;
use std::io::{Cursor, Read};

use flate2::bufread::{DeflateEncoder, GzDecoder, ZlibDecoder, ZlibEncoder};
use flate2::{Compression, Crc};
use zstd::bulk::Compressor;
use zstd::stream::read::Decoder;
use zstd::zstd_safe::DCtx;

use super::limits::{Converted, MOST_DECODED_BYTES, within_limit};

/// A payload as the input of a kept state.
type Input = Cursor<Vec<u8>>;

/// A state that one message made larger than this is not kept.
const KEPT_BYTES: usize = 1 << 20;

thread_local! {
    static GZIP_IN: RefCell<GzDecoder<Input>> = RefCell::new(GzDecoder::new(Input::default()));
    static GZIP_OUT: RefCell<DeflateEncoder<Input>> =
        RefCell::new(DeflateEncoder::new(Input::default(), Compression::default()));
    static ZLIB_IN: RefCell<ZlibDecoder<Input>> = RefCell::new(ZlibDecoder::new(Input::default()));
    static ZLIB_OUT: RefCell<ZlibEncoder<Input>> =
        RefCell::new(ZlibEncoder::new(Input::default(), Compression::default()));
    static ZSTD_IN: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
    static ZSTD_OUT: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

fn input(bytes: &[u8]) -> Input {
    Cursor::new(bytes.to_vec())
}

/// Appends everything from the reader, up to slightly more than the limit.
fn read(reader: &mut impl Read, out: &mut Vec<u8>) -> Result<(), String> {
    let most = (MOST_DECODED_BYTES as u64 + 1).saturating_sub(out.len() as u64);
    reader.take(most).read_to_end(out).map(drop).map_err(|error| error.to_string())
}

/// The content of all members of a gzip file.
pub(super) fn decode_gzip(bytes: &[u8]) -> Converted {
    GZIP_IN.with_borrow_mut(|decoder| {
        let mut out = Vec::new();
        decoder.reset(input(bytes));
        let decoded = loop {
            let decoded = read(decoder, &mut out);
            let is_over =
                decoder.get_ref().position() >= bytes.len() as u64 || out.len() > MOST_DECODED_BYTES;
            if decoded.is_err() || is_over {
                break decoded;
            }
            let rest = std::mem::take(decoder.get_mut());
            decoder.reset(rest);
        };
        *decoder.get_mut() = Input::default();
        decoded.and_then(|()| within_limit(out))
    })
}

/// One member, without a name and a time (RFC 1952).
pub(super) fn encode_gzip(bytes: &[u8]) -> Converted {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut sum = Crc::new();
    sum.update(bytes);
    let mut out = HEADER.to_vec();
    GZIP_OUT.with_borrow_mut(|encoder| {
        encoder.reset(input(bytes));
        let encoded = encoder.read_to_end(&mut out).map_err(|error| error.to_string());
        *encoder.get_mut() = Input::default();
        encoded
    })?;
    out.extend_from_slice(&sum.sum().to_le_bytes());
    out.extend_from_slice(&sum.amount().to_le_bytes());
    Ok(out)
}

pub(super) fn decode_zlib(bytes: &[u8]) -> Converted {
    ZLIB_IN.with_borrow_mut(|decoder| {
        let mut out = Vec::new();
        decoder.reset(input(bytes));
        let decoded = read(decoder, &mut out);
        *decoder.get_mut() = Input::default();
        decoded.and_then(|()| within_limit(out))
    })
}

pub(super) fn encode_zlib(bytes: &[u8]) -> Converted {
    ZLIB_OUT.with_borrow_mut(|encoder| {
        let mut out = Vec::new();
        encoder.reset(input(bytes));
        let encoded = encoder.read_to_end(&mut out).map_err(|error| error.to_string());
        *encoder.get_mut() = Input::default();
        encoded.map(|_| out)
    })
}

pub(super) fn decode_zstd(bytes: &[u8]) -> Converted {
    if bytes.is_empty() {
        return Err("it is empty".into());
    }
    ZSTD_IN.with_borrow_mut(|context| {
        let mut out = Vec::new();
        let mut decoder = Decoder::with_context(bytes, context);
        // The window of a frame, in memory: the library's default is 2^27 bytes; this is at most what may be
        // decoded.
        let result = decoder
            .window_log_max(26)
            .map_err(|error| error.to_string())
            .and_then(|()| read(&mut decoder, &mut out));
        drop(decoder);
        if context.sizeof() > KEPT_BYTES {
            *context = DCtx::create();
        }
        result.and_then(|()| within_limit(out))
    })
}

pub(super) fn encode_zstd(bytes: &[u8]) -> Converted {
    ZSTD_OUT.with_borrow_mut(|kept| {
        let mut compressor = match kept.take() {
            Some(compressor) => compressor,
            None => Compressor::new(0).map_err(|error| error.to_string())?,
        };
        let encoded = compressor.compress(bytes).map_err(|error| error.to_string());
        if bytes.len() <= KEPT_BYTES {
            *kept = Some(compressor);
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads everything with a new state.
    fn read_all(mut reader: impl Read) -> Result<Vec<u8>, ()> {
        let mut out = Vec::new();
        reader.read_to_end(&mut out).map(|_| out).map_err(drop)
    }

    proptest! {
        /// A reused state gives the results of a new one, also after damaged or truncated payloads.
        #[test]
        fn state_that_is_used_again_is_as_new(
            payloads in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..2000), 0..4_u8, any::<u16>()), 1..8)
        ) {
            for (text, damage, place) in &payloads {
                let encoded = [encode_gzip(text), encode_zlib(text), encode_zstd(text)].map(Result::unwrap);
                let [gzip, zlib, zstd] = encoded.map(|mut bytes| {
                    let place = usize::from(*place) % bytes.len();
                    match damage {
                        0 => bytes[place] ^= 0x55,
                        1 => bytes.truncate(place),
                        2 => bytes = bytes.repeat(2),
                        _ => {}
                    }
                    bytes
                });
                prop_assert_eq!(decode_gzip(&gzip).map_err(drop), read_all(flate2::read::MultiGzDecoder::new(&gzip[..])));
                prop_assert_eq!(decode_zlib(&zlib).map_err(drop), read_all(flate2::read::ZlibDecoder::new(&zlib[..])));
                let decoded = if zstd.is_empty() { Err(()) } else { zstd::stream::decode_all(&zstd[..]).map_err(drop) };
                prop_assert_eq!(decode_zstd(&zstd).map_err(drop), decoded);
            }
        }
    }
}
