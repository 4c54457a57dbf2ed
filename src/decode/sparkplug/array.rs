//! Arrays, packed into `bytes_value`, least significant byte first.

use super::datatype::DataType;
use super::value::{TypedValue, signed};

/// The length of an element in bytes.
pub(super) fn width(data_type: DataType) -> usize {
    match (data_type, data_type.whole_numbers()) {
        (_, Some(numbers)) => usize::try_from(numbers.bits / 8).unwrap_or(1),
        (DataType::FloatArray, _) => 4,
        (DataType::DoubleArray, _) => 8,
        _ => 1,
    }
}

/// Checks that the bytes are an array of the type.
///
/// # Errors
/// What is wrong with the array.
pub(super) fn check(data_type: DataType, bytes: &[u8]) -> Result<(), String> {
    match data_type {
        DataType::BooleanArray => {
            let Some((count, bits)) = bytes.split_first_chunk::<4>() else {
                return Err("a BooleanArray begins with four bytes of its length".into());
            };
            let count = u32::from_le_bytes(*count);
            if usize::try_from(count.div_ceil(8)) == Ok(bits.len()) {
                Ok(())
            } else {
                Err(format!("a BooleanArray of {count} is not {} bytes long", bytes.len()))
            }
        }
        DataType::StringArray => {
            if bytes.last().is_some_and(|last| *last != 0) {
                return Err("the last text of a StringArray has no end".into());
            }
            std::str::from_utf8(bytes).map(|_| ()).map_err(|_| "it is not UTF-8".into())
        }
        _ if bytes.len().is_multiple_of(width(data_type)) => Ok(()),
        _ => Err(format!("{} bytes are not elements of {}", bytes.len(), data_type.name())),
    }
}

/// Calls a function for each element of a checked array.
pub(super) fn each<'a, E>(
    data_type: DataType,
    bytes: &'a [u8],
    mut take: impl FnMut(TypedValue<'a>) -> Result<(), E>,
) -> Result<(), E> {
    match data_type {
        DataType::BooleanArray => {
            let Some((count, bits)) = bytes.split_first_chunk::<4>() else { return Ok(()) };
            let count = usize::try_from(u32::from_le_bytes(*count)).unwrap_or(usize::MAX);
            let all = bits.iter().flat_map(|byte| (0..8).map(move |at| byte & (0x80 >> at) != 0));
            all.take(count).map(TypedValue::Boolean).try_for_each(take)
        }
        DataType::StringArray => {
            let Some((_, texts)) = bytes.split_last() else { return Ok(()) };
            let mut texts = texts.split(|byte| *byte == 0);
            texts.try_for_each(|text| take(TypedValue::Text(String::from_utf8_lossy(text))))
        }
        _ => bytes.chunks_exact(width(data_type)).try_for_each(|element| take(number(data_type, element))),
    }
}

fn number<'a>(data_type: DataType, element: &[u8]) -> TypedValue<'a> {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(element).for_each(|(byte, from)| *byte = *from);
    let bits = u64::from_le_bytes(bytes);
    match (data_type, data_type.whole_numbers()) {
        (_, Some(numbers)) if numbers.is_signed => TypedValue::Signed(signed(bits, numbers.bits)),
        (DataType::FloatArray, _) => {
            let [a, b, c, d, ..] = bytes;
            TypedValue::Float(f32::from_le_bytes([a, b, c, d]))
        }
        (DataType::DoubleArray, _) => TypedValue::Double(f64::from_bits(bits)),
        _ => TypedValue::Unsigned(bits),
    }
}

/// Packs a number, whose lower bytes are in `bits`.
pub(super) fn put_number(out: &mut Vec<u8>, data_type: DataType, bits: u64) {
    out.extend(bits.to_le_bytes().into_iter().take(width(data_type)));
}

/// Packs truth values.
pub(super) fn booleans(values: &[bool]) -> Vec<u8> {
    let mut out = u32::try_from(values.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    out.extend(values.chunks(8).map(|eight| {
        let bits = eight.iter().enumerate();
        bits.fold(0_u8, |byte, (at, is_true)| byte | (u8::from(*is_true) << (7 - at)))
    }));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(data_type: DataType, hex: &str) -> Result<Vec<String>, String> {
        let bytes = crate::notation::hex::decode(hex.as_bytes()).unwrap();
        check(data_type, &bytes)?;
        let mut found = Vec::new();
        each(data_type, &bytes, |element| {
            found.push(match element {
                TypedValue::Signed(number) => number.to_string(),
                TypedValue::Unsigned(number) => number.to_string(),
                TypedValue::Float(number) => number.to_string(),
                TypedValue::Double(number) => number.to_string(),
                TypedValue::Boolean(is_true) => is_true.to_string(),
                TypedValue::Text(text) => text.into_owned(),
                other => panic!("{other:?}"),
            });
            Ok::<_, String>(())
        })?;
        Ok(found)
    }

    /// Section 6.4.17 of the specification says little-endian; some of its examples are big-endian.
    #[test]
    fn elements_are_those_of_the_specification() {
        use DataType as T;
        for (data_type, hex, expected) in [
            (T::Int8Array, "ef7b", &["-17", "123"][..]),
            (T::Int16Array, "308a3075", &["-30160", "30000"]),
            (T::Int32Array, "15cd5b07b168de3a", &["123456789", "987654321"]),
            (T::Int64Array, "ffffffffffffffff0100000000000000", &["-1", "1"]),
            (T::UInt8Array, "17fa", &["23", "250"]),
            (T::UInt16Array, "1e00ffff", &["30", "65535"]),
            (T::UInt32Array, "34000000ffffffff", &["52", "4294967295"]),
            (T::UInt64Array, "ffffffffffffffff", &["18446744073709551615"]),
            (T::FloatArray, "a4709d3f98aeb242", &["1.23", "89.341"]),
            (T::DoubleArray, "000000000000f03f", &["1"]),
            (
                T::BooleanArray,
                "0c00000034d0",
                &[
                    "false", "false", "true", "true", "false", "true", "false", "false", "true", "true",
                    "false", "true",
                ],
            ),
            (T::StringArray, "4142430068656c6c6f00", &["ABC", "hello"]),
            (T::StringArray, "0000", &["", ""]),
            (T::DateTimeArray, "c7d0908180010000", &["1651441193159"]),
            (T::DateTimeArray, "", &[]),
            (T::StringArray, "", &[]),
        ] {
            assert_eq!(elements(data_type, hex).unwrap(), expected, "{data_type:?}");
        }
    }

    #[test]
    fn what_is_cut_is_refused() {
        use DataType as T;
        for (data_type, hex) in [
            (T::Int16Array, "00"),
            (T::DoubleArray, "000000"),
            (T::BooleanArray, "0c0000"),
            (T::BooleanArray, "0c00000034"),
            (T::BooleanArray, "ffffffff34"),
            (T::StringArray, "41"),
            (T::StringArray, "ff00"),
        ] {
            assert!(elements(data_type, hex).is_err(), "{data_type:?} {hex}");
        }
    }
}
