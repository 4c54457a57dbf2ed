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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    /// Of a latency, the main one if it has no name: nanoseconds.
    Latency(Option<&'static str>, &'static str),
    /// By its place in [`FIGURES`].
    Other(usize),
}

/// What the value of a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Count,
    PerSecond,
    /// A part of 1, which people give in percent.
    Share,
    Bytes,
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
/// Figures that are no latencies: name, unit, and where the report has it.
type Other = (&'static str, Unit, fn(&Report) -> f64);

#[allow(clippy::cast_precision_loss, reason = "counts are below 9 × 10¹⁵")]
const FIGURES: [Other; 28] = [
    ("loss", Unit::Share, Report::loss),
    ("lost", Unit::Count, |r| r.messages.lost as f64),
    ("duplicates", Unit::Count, |r| r.messages.duplicates as f64),
    ("reordered", Unit::Count, |r| r.messages.reordered as f64),
    ("foreign", Unit::Count, |r| r.messages.foreign as f64),
    ("corrupt", Unit::Count, |r| r.messages.corrupt as f64),
    ("stale", Unit::Count, |r| r.messages.stale as f64),
    ("unstamped", Unit::Count, |r| r.messages.unstamped as f64),
    ("sent", Unit::Count, |r| r.messages.sent as f64),
    ("acknowledged", Unit::Count, |r| r.messages.acknowledged as f64),
    ("delivered", Unit::Count, |r| r.messages.delivered as f64),
    ("refused", Unit::Count, |r| r.messages.refused as f64),
    ("unacknowledged", Unit::Count, |r| r.messages.unacknowledged as f64),
    ("under-way", Unit::Count, |r| r.messages.under_way as f64),
    ("not-sent", Unit::Count, |r| r.messages.not_sent as f64),
    ("connected", Unit::Count, |r| r.connections.connected as f64),
    ("failed-connections", Unit::Count, |r| r.connections.failed as f64),
    ("lost-connections", Unit::Count, |r| r.connections.lost as f64),
    ("refused-subscriptions", Unit::Count, |r| r.connections.refused_subscriptions as f64),
    ("errors", Unit::Count, |r| r.errors.iter().map(|cause| cause.count).sum::<u64>() as f64),
    ("rate", Unit::PerSecond, Report::rate),
    ("connected-rate", Unit::PerSecond, |r| r.connections.connected_per_s),
    ("sent-rate", Unit::PerSecond, |r| r.throughput.sent_per_s),
    ("delivered-rate", Unit::PerSecond, |r| r.throughput.delivered_per_s),
    ("cpu", Unit::Share, |r| r.generator.thread_cpu_share.iter().copied().fold(0.0, f64::max)),
    ("memory", Unit::Bytes, |r| r.generator.memory_bytes as f64),
    ("full-windows", Unit::Count, |r| r.generator.full_windows as f64),
    ("blocked-sockets", Unit::Count, |r| r.generator.blocked_sockets as f64),
];

const LATENCIES: [&str; 12] = [
    "connect",
    "tls_handshake",
    "connack",
    "connect_to_connack",
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
            Figure::Other(place) => number(FIGURES[place].0, FIGURES[place].1, value)?,
        };
        Ok(Self { text: text.trim().to_owned(), figure, comparison, value })
    }
}

fn figure(name: &str) -> Result<Figure, String> {
    if let Some(place) = FIGURES.iter().position(|(known, ..)| *known == name) {
        return Ok(Figure::Other(place));
    }
    let parts = name.rsplit_once(' ').or_else(|| name.split_once(':'));
    let (of, statistic) = parts.map_or((None, name), |(of, statistic)| (Some(of.trim()), statistic));
    let unknown = || {
        let names = FIGURES.map(|(name, ..)| name).into_iter().chain(STATISTICS).chain(LATENCIES);
        let close = names.max_by(|one, other| {
            strsim::jaro_winkler(name, one).total_cmp(&strsim::jaro_winkler(name, other))
        });
        format!("'{name}' is no figure (is '{}' meant?)", close.unwrap_or_default())
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

/// A value in the unit of its figure, perhaps in thousands or millions.
fn number(name: &str, unit: Unit, value: &str) -> Result<f64, String> {
    let suffixes: &[(&str, f64)] = match unit {
        Unit::Count | Unit::PerSecond => &[("k", 1e3), ("M", 1e6), ("", 1.0)],
        Unit::Share => &[("%", 0.01), ("", 1.0)],
        Unit::Bytes => &[("k", 1024.0), ("M", 1_048_576.0), ("G", 1_073_741_824.0), ("", 1.0)],
    };
    let bare = if unit == Unit::PerSecond { value.strip_suffix("/s").unwrap_or(value) } else { value };
    let found = suffixes.iter().find_map(|(suffix, factor)| Some((bare.strip_suffix(suffix)?, factor)));
    let (digits, factor) = found.unwrap_or((bare, &1.0));
    let no_number = || format!("'{value}' is no number that {name} can have");
    let number: f64 = digits.trim().parse().map_err(|_| no_number())?;
    let number = Some(number * factor).filter(|number| number.is_finite()).ok_or_else(no_number)?;
    // Who types `loss > 5` means messages, or percent, and would wait for 500 % in vain.
    if unit == Unit::Share && number >= 1.0 && !value.ends_with('%') {
        let messages =
            if name == "loss" { format!(", or for messages 'lost > {digits}'") } else { String::new() };
        return Err(format!("{name} is a share: give it in percent, '{digits}%'{messages}"));
    }
    Ok(number)
}

impl Threshold {
    /// The figure's value in a report and whether the condition holds, which is a failure. A figure
    /// that the run did not yield has no value, and that is a failure too: nothing was shown.
    pub(super) fn check(&self, report: &Report) -> (Option<f64>, bool) {
        let value = match &self.figure {
            Figure::Latency(of, statistic) => {
                let name = of.or(report.main_latency.as_deref());
                name.and_then(|name| report.statistic(name, statistic))
                    .map(|microseconds| microseconds * 1000.0)
            }
            Figure::Other(place) => Some(FIGURES[*place].2(report)),
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
    pub(super) fn shown(&self, value: Option<f64>, report: &Report) -> String {
        match (value, &self.figure) {
            (None, _) => "not measured".into(),
            (Some(value), Figure::Latency(of, _)) if value.is_infinite() => {
                let unanswered =
                    of.or(report.main_latency.as_deref()).and_then(|of| report.unanswered.get(of));
                unanswered.map_or_else(|| "not measured".into(), super::verdict::Unanswered::text)
            }
            (Some(value), Figure::Latency(..)) => super::words::time(value / 1000.0),
            (Some(value), Figure::Other(place)) => {
                let count = super::words::count;
                match FIGURES[*place].1 {
                    Unit::Count => count(value),
                    Unit::PerSecond => format!("{}/s", count(value)),
                    Unit::Share => format!("{:.3} %", value * 100.0),
                    Unit::Bytes => format!("{:.1} MiB", value / 1_048_576.0),
                }
            }
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
            "loss > 0.01",
            "cpu>90%",
            "memory > 64M",
            "rate < 50k/s",
            "connect p95 >= 5ms",
            "max != 3us",
        ] {
            assert!(good.parse::<Threshold>().is_ok(), "{good}");
        }
        let threshold: Threshold = "p99 > 20ms".parse().unwrap();
        assert!((threshold.value - 20e6).abs() < 1.0);
    }

    /// The help lists what there is.
    #[test]
    fn every_figure_is_in_the_help() {
        let help = include_str!("../../../tests/golden/help/mqtt-bench.txt");
        let words: Vec<&str> = help.split([' ', ',', ';', '\n']).collect();
        for name in FIGURES.map(|(name, ..)| name).into_iter().chain(STATISTICS).chain(LATENCIES) {
            assert!(words.contains(&name), "{name}");
        }
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
            ("loss > 5", "lost > 5"),
            ("lost > 5%", "no number"),
            ("lost > 5/s", "no number"),
        ] {
            let error = bad.parse::<Threshold>().unwrap_err();
            assert!(error.contains(words), "{bad}: {error}");
        }
    }
}
