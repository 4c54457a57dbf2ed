//! Bytes as pairs of hexadecimal digits.

use std::fmt;

/// Lower-case digits, by value.
pub const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Upper-case digits, by value.
pub const CAPITAL_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// The two digits of a byte.
#[must_use]
pub const fn pair(byte: u8) -> [u8; 2] {
    [DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]
}

/// Shows bytes as pairs of lower-case digits.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The bytes of pairs of digits; `None` for anything else.
#[must_use]
pub fn decode(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let digits = Hex(&bytes).to_string();
            prop_assert_eq!(decode(digits.as_bytes()), Some(bytes.clone()));
            prop_assert_eq!(decode(digits.to_uppercase().as_bytes()), Some(bytes));
        }
    }

    #[test]
    fn half_bytes_and_other_characters_are_refused() {
        for bad in ["0", "0g", "+1", "0x", " 1", "é"] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad}");
        }
    }
}
