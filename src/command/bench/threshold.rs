//! `--fail-if 'p99 > 20ms'`: a figure of the report, a comparison, and a value with its unit.

use std::str::FromStr;
use std::time::Duration;

use super::summary::Report;

/// A condition that must not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// As it was typed.
    pub text: String,
    figure: Figure,
    comparison: Comparison,
    value: f64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Figure {
    /// Of a latency, the main one if it has no name: nanoseconds.
    Latency(Option<&'static str>, &'static str),
    Count(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

const STATISTICS: [&str; 9] = ["min", "mean", "p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"];
const COUNTS: [&str; 17] = [
    "loss",
    "lost",
    "duplicates",
    "reordered",
    "foreign",
    "corrupt",
    "sent",
    "acknowledged",
    "delivered",
    "refused",
    "unacknowledged",
    "not-sent",
    "failed-connections",
    "lost-connections",
    "errors",
    "rate",
    "cpu",
];
const LATENCIES: [&str; 11] = [
    "connect",
    "tls_handshake",
    "connack",
    "suback",
    "acknowledge",
    "acknowledge_from_send",
    "delivery",
    "delivery_from_send",
    "round_trip",
    "round_trip_from_send",
    "schedule_lag",
];

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let start = text.find(['<', '>', '=', '!']).ok_or("use FIGURE > VALUE, for example 'p99 > 20ms'")?;
        let (name, rest) = text.split_at(start);
        let comparisons = [
            (">=", Comparison::GreaterOrEqual),
            ("<=", Comparison::LessOrEqual),
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            (">", Comparison::Greater),
            ("<", Comparison::Less),
        ];
        let found = comparisons.iter().find_map(|(sign, meaning)| Some((*meaning, rest.strip_prefix(sign)?)));
        let (comparison, value) = found.ok_or("a comparison is one of > >= < <= == !=")?;
        let (figure, value) = (figure(name.trim())?, value.trim());
        let value = match figure {
            Figure::Latency(..) => nanoseconds(value)?,
            Figure::Count(name) => number(name, value)?,
        };
        Ok(Self { text: text.trim().to_owned(), figure, comparison, value })
    }
}

fn figure(name: &str) -> Result<Figure, String> {
    if let Some(count) = COUNTS.iter().find(|count| **count == name) {
        return Ok(Figure::Count(count));
    }
    let parts = name.rsplit_once(' ').or_else(|| name.split_once(':'));
    let (of, statistic) = parts.map_or((None, name), |(of, statistic)| (Some(of.trim()), statistic));
    let unknown = || {
        format!(
            "'{name}' is no figure; there are {} and {}, the latter also after one of {} and a space",
            COUNTS.join(", "),
            STATISTICS.join(", "),
            LATENCIES.join(", ")
        )
    };
    let statistic = STATISTICS.iter().find(|known| **known == statistic).ok_or_else(unknown)?;
    let of = match of {
        None => None,
        Some(of) => Some(*LATENCIES.iter().find(|known| **known == of).ok_or_else(unknown)?),
    };
    Ok(Figure::Latency(of, statistic))
}

fn nanoseconds(value: &str) -> Result<f64, String> {
    let parsed = humantime::parse_duration(value);
    let duration: Duration =
        parsed.map_err(|_| format!("'{value}' has no unit of time; use for example 20ms"))?;
    Ok(duration.as_secs_f64() * 1e9)
}

/// A count, perhaps in thousands or millions; a loss may be a percentage.
fn number(name: &str, value: &str) -> Result<f64, String> {
    let bare = value.strip_suffix("/s").unwrap_or(value);
    let (digits, factor) = match bare.chars().last() {
        Some('k') => (&bare[..bare.len() - 1], 1e3),
        Some('M') => (&bare[..bare.len() - 1], 1e6),
        Some('%') if matches!(name, "loss" | "cpu") => (&bare[..bare.len() - 1], 0.01),
        _ => (bare, 1.0),
    };
    let number: f64 = digits.trim().parse().map_err(|_| format!("'{value}' is no number"))?;
    if number.is_finite() { Ok(number * factor) } else { Err(format!("'{value}' is no number")) }
}

impl Threshold {
    /// The figure's value in a report and whether the condition holds, which is a failure. A figure
    /// that the run did not yield has no value, and that is a failure too: nothing was shown.
    pub(super) fn check(&self, report: &Report) -> (Option<f64>, bool) {
        let value = match &self.figure {
            Figure::Latency(of, statistic) => {
                let name = of.or(report.main_latency.as_deref());
                name.and_then(|name| report.latency_us.get(name))
                    .map(|latency| latency.get(statistic) * 1000.0)
            }
            Figure::Count(name) => Some(report.figure(name)),
        };
        let broken = value.is_none_or(|value| match self.comparison {
            Comparison::Less => value < self.value,
            Comparison::LessOrEqual => value <= self.value,
            Comparison::Greater => value > self.value,
            Comparison::GreaterOrEqual => value >= self.value,
            Comparison::Equal => (value - self.value).abs() < f64::EPSILON,
            Comparison::NotEqual => (value - self.value).abs() >= f64::EPSILON,
        });
        (value, broken)
    }

    /// A value of its figure as a person reads it.
    pub(super) fn shown(&self, value: Option<f64>) -> String {
        match (value, &self.figure) {
            (None, _) => "not measured".into(),
            (Some(value), Figure::Latency(..)) => super::text::time(value / 1000.0),
            (Some(value), Figure::Count(_)) => super::text::count(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read() {
        for good in [
            "p99 > 20ms",
            "p99.9>1s",
            "loss > 0",
            "loss > 1%",
            "rate < 50k/s",
            "connect p95 >= 5ms",
            "max != 3us",
        ] {
            assert!(good.parse::<Threshold>().is_ok(), "{good}");
        }
        let threshold: Threshold = "p99 > 20ms".parse().unwrap();
        assert!((threshold.value - 20e6).abs() < 1.0);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (bad, words) in [
            ("p98 > 1ms", "no figure"),
            ("p99", "FIGURE > VALUE"),
            ("p99 > 20", "unit of time"),
            ("loss > many", "no number"),
            ("p99 =! 1ms", "comparison"),
            ("lunch p99 > 1ms", "no figure"),
            ("loss > inf", "no number"),
        ] {
            let error = bad.parse::<Threshold>().unwrap_err();
            assert!(error.contains(words), "{bad}: {error}");
        }
    }
}
