//! Numbers as readable text.

/// A time in microseconds, with three digits and a unit.
pub(crate) fn time(microseconds: f64) -> String {
    with_unit(microseconds, " ")
}

/// The same without the space, for tables.
pub(crate) fn short_time(microseconds: f64) -> String {
    with_unit(microseconds, "")
}

/// The same, or a dash for a time that is not known.
pub(crate) fn time_or_dash(microseconds: Option<f64>) -> String {
    microseconds.map_or_else(|| "-".into(), short_time)
}

/// The thresholds are the values at which rounding adds a digit.
fn with_unit(microseconds: f64, space: &str) -> String {
    let (value, unit) = match microseconds {
        us if us < 999.5 => (us, "µs"),
        us if us < 999_500.0 => (us / 1_000.0, "ms"),
        us => (us / 1_000_000.0, "s"),
    };
    let digits = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{space}{unit}")
}

/// A count with separators between thousands.
pub(crate) fn count(value: f64) -> String {
    // Three decimals look like thousands, except after a leading 0.
    match value {
        value if value.fract() == 0.0 => {}
        ..0.9995 => return format!("{value:.3}"),
        ..9.995 => return format!("{value:.2}"),
        ..99.95 => return format!("{value:.1}"),
        _ => {}
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && digit.is_ascii_digit() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[allow(clippy::cast_precision_loss, reason = "shown with far fewer digits")]
pub(crate) fn whole(value: u64) -> String {
    count(value as f64)
}

/// A count with at most four characters.
#[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
pub(crate) fn short(count: u64) -> String {
    let (value, unit) = match count {
        0..10_000 => return count.to_string(),
        10_000..999_500 => (count as f64 / 1e3, "k"),
        _ => (count as f64 / 1e6, "M"),
    };
    let digits = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (value, shown) in
            [(0.0, "0"), (999.0, "999"), (1_000.0, "1,000"), (1_234_567.0, "1,234,567"), (0.25, "0.250")]
        {
            assert_eq!(count(value), shown);
        }
        for (value, shown) in
            [(1.499, "1.50"), (95.075, "95.1"), (99.96, "100"), (9.996, "10.0"), (1_234.5, "1,234")]
        {
            assert_eq!(count(value), shown);
        }
        for (us, shown) in [
            (0.5, "0.50 µs"),
            (12.34, "12.3 µs"),
            (99.97, "100 µs"),
            (999.0, "999 µs"),
            (999.9, "1.00 ms"),
            (20_000.0, "20.0 ms"),
            (1.5e6, "1.50 s"),
        ] {
            assert_eq!(time(us), shown);
        }
    }
}
