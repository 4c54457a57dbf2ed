//! The number of values in CBOR and `MessagePack`, counted before any of them is created: a value of one byte
//! needs seventy bytes of memory, and an object of one byte a thousand.
//!
//! The heads are read one after the other, whatever the nesting. Invalid data is detected later.

use super::limits::{MOST_VALUES, VALUES_OF_AN_OBJECT};
use crate::memory;

/// Approximate memory of a value, in bytes.
const BYTES_OF_A_VALUE: usize = 70;

/// One head: the number of bytes it covers, and whether it begins an object.
struct Head {
    bytes: usize,
    is_object: bool,
    /// Whether the format reserves its first byte.
    is_reserved: bool,
}

/// Refuses CBOR with too many values.
pub(super) fn check_cbor(bytes: &[u8]) -> Result<(), String> {
    check(bytes, cbor)
}

/// Refuses `MessagePack` with too many values.
pub(super) fn check_message_pack(bytes: &[u8]) -> Result<(), String> {
    check(bytes, message_pack)
}

fn check(whole: &[u8], head: fn(&[u8]) -> Option<Head>) -> Result<(), String> {
    let (mut values, mut rest) = (0, whole);
    while let Some(Head { bytes, is_object, is_reserved }) = head(rest) {
        if is_reserved {
            let byte = rest.first().copied().unwrap_or_default();
            return Err(format!("byte {}, {byte:#04x}, begins no value", whole.len() - rest.len()));
        }
        values += if is_object { VALUES_OF_AN_OBJECT } else { 1 };
        if values > MOST_VALUES {
            return Err(format!("more than {MOST_VALUES} values"));
        }
        rest = rest.get(bytes..).unwrap_or_default();
    }
    memory::spare(values * BYTES_OF_A_VALUE).map_err(|error| format!("{values} values: {error}"))
}

/// The big-endian number in the first `count` bytes.
fn number(bytes: &[u8], count: usize) -> usize {
    let digits = bytes.get(..count).unwrap_or_default();
    digits.iter().fold(0, |all, digit| all.saturating_mul(256).saturating_add(usize::from(*digit)))
}

/// RFC 8949, section 3.
fn cbor(bytes: &[u8]) -> Option<Head> {
    let (first, rest) = bytes.split_first()?;
    let (major, information) = (first >> 5, first & 0x1f);
    let (argument_bytes, argument) = match information {
        24..=27 => {
            let count = 1 << (information - 24);
            (count, number(rest, count))
        }
        small => (0, usize::from(small)),
    };
    // The pieces of a string of indefinite length have heads of their own.
    let content = if matches!(major, 2 | 3) && information < 28 { argument } else { 0 };
    let bytes = content.saturating_add(argument_bytes + 1);
    Some(Head { bytes, is_object: major == 5, is_reserved: false })
}

fn message_pack(bytes: &[u8]) -> Option<Head> {
    let (first, rest) = bytes.split_first()?;
    let sized = |count: usize, more: usize| count + more + number(rest, count);
    let content = match first {
        0xa0..=0xbf => usize::from(first & 0x1f),
        0xc4 | 0xd9 => sized(1, 0),
        0xc5 | 0xda => sized(2, 0),
        0xc6 | 0xdb => sized(4, 0),
        0xc7 => sized(1, 1),
        0xc8 => sized(2, 1),
        0xc9 => sized(4, 1),
        0xcc | 0xd0 => 1,
        0xcd | 0xd1 | 0xd4 | 0xdc | 0xde => 2,
        0xd5 => 3,
        0xca | 0xce | 0xd2 | 0xdd | 0xdf => 4,
        0xd6 => 5,
        0xcb | 0xcf | 0xd3 => 8,
        0xd7 => 9,
        0xd8 => 17,
        _ => 0,
    };
    Some(Head {
        bytes: content.saturating_add(1),
        is_object: matches!(first, 0x80..=0x8f | 0xde | 0xdf),
        is_reserved: *first == 0xc1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(mut rest: &[u8], head: fn(&[u8]) -> Option<Head>) -> usize {
        let mut heads = 0;
        while let Some(Head { bytes, .. }) = head(rest) {
            heads += 1;
            rest = rest.get(bytes..).unwrap_or_default();
        }
        heads
    }

    /// The contents of texts and numbers are not counted.
    #[test]
    fn each_value_is_counted_once() {
        let value = serde_json::json!({
            "short": [0, -1, 200, 70_000, 5_000_000_000_u64, -40_000, 1.5, null, true],
            "text": "x".repeat(300), "long": "y".repeat(70_000), "none": "", "nested": [[], {}, [[1]]],
        });
        // 5 names, an object, an array of 9, 3 texts, and 6 in `nested`.
        let expected = 5 + 1 + 1 + 9 + 3 + 6;
        let mut cbor_bytes = Vec::new();
        ciborium::into_writer(&value, &mut cbor_bytes).unwrap();
        assert_eq!(count(&cbor_bytes, cbor), expected);
        let packed = super::super::structured::encode_message_pack(value.to_string().as_bytes()).unwrap();
        assert_eq!(count(&packed, message_pack), expected);
    }

    #[test]
    fn more_values_than_the_limit_are_refused() {
        let with_head = |head: &[u8], count: usize, value: u8| {
            [head, &u32::try_from(count).unwrap().to_be_bytes(), &vec![value; count]].concat()
        };
        assert_eq!(check_cbor(&with_head(&[0x9a], MOST_VALUES - 1, 0)), Ok(()));
        check_cbor(&with_head(&[0x9a], MOST_VALUES, 0)).unwrap_err();
        check_cbor(&with_head(&[0x9a], MOST_VALUES / 16, 0xa0)).unwrap_err();
        assert_eq!(check_message_pack(&with_head(&[0xdd], MOST_VALUES - 1, 0)), Ok(()));
        check_message_pack(&with_head(&[0xdd], MOST_VALUES, 0)).unwrap_err();
        check_message_pack(&with_head(&[0xdd], MOST_VALUES / 16, 0x80)).unwrap_err();
        // A long text is one value.
        assert_eq!(check_cbor(&with_head(&[0x7a], 2 * MOST_VALUES, b'x')), Ok(()));
        assert_eq!(check_message_pack(&with_head(&[0xdb], 2 * MOST_VALUES, b'x')), Ok(()));
    }
}
