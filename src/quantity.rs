//! Counted nouns and durations as readable text.

use std::time::Duration;

/// A counted noun: `1 byte`, `2 bytes`, `3 topic aliases`.
#[must_use]
pub fn counted(count: u64, thing: &str) -> String {
    format!("{count} {}", agree(count, thing, &plural(thing)))
}

/// The word that agrees with a number: `agree(count, "is", "are")`.
#[must_use]
pub fn agree<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

fn plural(thing: &str) -> String {
    match thing.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if thing.ends_with('s') => format!("{thing}es"),
        _ => format!("{thing}s"),
    }
}

/// A duration: `30µs`, `0.6ms`, `250ms`, `1.2s`, `1m 30s`. Exact if it is short, rounded if it is long; 0
/// only if it is 0.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let tenths = |whole: u128, tenth: u128, unit: &str| match tenth {
        0 => format!("{whole}{unit}"),
        tenth => format!("{whole}.{tenth}{unit}"),
    };
    match duration.as_nanos() {
        0 => "0s".into(),
        nanos @ 1..1_000 => format!("{nanos}ns"),
        nanos @ 1_000..100_000 => format!("{}µs", nanos / 1_000),
        nanos @ 100_000..10_000_000 => tenths(nanos / 1_000_000, nanos / 100_000 % 10, "ms"),
        nanos @ 10_000_000..1_000_000_000 => format!("{}ms", nanos / 1_000_000),
        nanos @ 1_000_000_000..60_000_000_000 => tenths(nanos / 1_000_000_000, nanos / 100_000_000 % 10, "s"),
        _ => humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_agree_with_their_number() {
        for (count, thing, text) in [
            (0, "message", "0 messages"),
            (1, "message", "1 message"),
            (2, "message", "2 messages"),
            (1, "topic alias", "1 topic alias"),
            (2, "topic alias", "2 topic aliases"),
            (2, "property", "2 properties"),
            (2, "day", "2 days"),
        ] {
            assert_eq!(counted(count, thing), text);
        }
        assert_eq!([0, 1, 2].map(|count| agree(count, "is", "are")), ["are", "is", "are"]);
    }

    #[test]
    fn durations_are_readable() {
        let micros = Duration::from_micros;
        let millis = Duration::from_millis;
        for (time, shown) in [
            (Duration::ZERO, "0s"),
            (Duration::from_nanos(300), "300ns"),
            (micros(30), "30µs"),
            (micros(572), "0.5ms"),
            (micros(1_275), "1.2ms"),
            (millis(7), "7ms"),
            (micros(25_900), "25ms"),
            (millis(250), "250ms"),
            (millis(1_000), "1s"),
            (millis(59_990), "59.9s"),
            (millis(90_100), "1m 30s"),
            (Duration::from_secs(86_400), "1day"),
        ] {
            assert_eq!(duration(time), shown);
        }
    }
}
