//! A number of bytes.

use std::str::FromStr;

/// A number of bytes. As text it is a whole number, alone or with a unit in any case: `k`, `M` and `G`
/// (also `kB` ...) count in thousands, `Ki`, `Mi` and `Gi` (also `KiB` ...) in 1,024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Size {
    /// Splits a text into the number and the size of its unit in bytes.
    #[must_use]
    pub fn split_unit(text: &str) -> Option<(&str, u64)> {
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor = match text[number.len()..].to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1_000,
            "m" | "mb" => 1_000_000,
            "g" | "gb" => 1_000_000_000,
            "ki" | "kib" => 1 << 10,
            "mi" | "mib" => 1 << 20,
            "gi" | "gib" => 1 << 30,
            _ => return None,
        };
        Some((number.trim_end(), factor))
    }
}

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = Self::split_unit(text).and_then(|(number, factor)| {
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            number.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(factor)
        });
        bytes.map(Self).ok_or("use bytes or a unit, for example 500, 2k (2000) or 1KiB (1024)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("0", 0),
            ("500", 500),
            ("16k", 16_000),
            ("16K", 16_000),
            ("16Ki", 16_384),
            ("16ki", 16_384),
            ("1KiB", 1024),
            ("2MB", 2_000_000),
            ("2M", 2_000_000),
            ("1 gib", 1 << 30),
            ("3 G", 3_000_000_000),
            ("7b", 7),
        ] {
            assert_eq!(text.parse(), Ok(Size(expected)), "{text}");
        }
        for bad in
            ["", "k", "KiB", "1.5KiB", "-1", "+1", "1XB", "1kibi", "1e3", " 1", "18446744073709551615KiB"]
        {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
