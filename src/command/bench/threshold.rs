//! `--fail-if 'p99 > 20ms'`: a figure of the report, a comparison, and a value with its unit.

use std::str::FromStr;
use std::time::Duration;

use super::summary::{Report, ThresholdResult};

/// A condition that must not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// As it was typed.
    pub text: String,
    figure: Figure,
    comparison: Comparison,
    value: f64,
    /// What has to hold instead, as a person reads it.
    opposite: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    /// Of a latency, the main one if it has no name: nanoseconds.
    Latency(Option<&'static str>, &'static str),
    /// By its place in [`FIGURES`].
    Other(usize),
    /// A count by its place there, as a part of what it is counted among.
    Part(usize),
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

impl Unit {
    /// Its name in the report.
    fn key(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::PerSecond => "1/s",
            Self::Share => "share",
            Self::Bytes => "bytes",
        }
    }
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

impl Comparison {
    /// The sign of what holds where this does not.
    fn opposite(self) -> &'static str {
        match self {
            Self::Less => ">=",
            Self::LessOrEqual => ">",
            Self::Greater => "<=",
            Self::GreaterOrEqual => "<",
            Self::Equal => "!=",
            Self::NotEqual => "==",
        }
    }
}

const STATISTICS: [&str; 9] = ["min", "mean", "p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"];
/// Figures that are no latencies: name, unit, and where the report has it, if the run yielded it.
type Other = (&'static str, Unit, fn(&Report) -> Option<f64>);

#[allow(clippy::cast_precision_loss, reason = "counts are below 9 × 10¹⁵")]
const FIGURES: [Other; 31] = [
    ("loss", Unit::Share, |r| r.mode.receives_its_own().then(|| r.loss())),
    ("lost", Unit::Count, |r| r.mode.receives_its_own().then_some(r.messages.lost as f64)),
    ("duplicates", Unit::Count, |r| told_apart(r, r.messages.duplicates)),
    ("reordered", Unit::Count, |r| told_apart(r, r.messages.reordered)),
    ("foreign", Unit::Count, |r| Some(r.messages.foreign as f64)),
    ("corrupt", Unit::Count, |r| Some(r.messages.corrupt as f64)),
    ("stale", Unit::Count, |r| Some(r.messages.stale as f64)),
    ("unstamped", Unit::Count, |r| Some(r.messages.unstamped as f64)),
    ("sent", Unit::Count, |r| Some(r.messages.sent as f64)),
    ("acknowledged", Unit::Count, |r| r.is_acknowledged().then_some(r.messages.acknowledged as f64)),
    ("delivered", Unit::Count, |r| Some(r.messages.delivered as f64)),
    ("refused", Unit::Count, |r| r.is_acknowledged().then_some(r.messages.refused as f64)),
    ("unacknowledged", Unit::Count, |r| r.is_acknowledged().then_some(r.messages.unacknowledged as f64)),
    ("under-way", Unit::Count, |r| Some(r.messages.under_way as f64)),
    ("not-sent", Unit::Count, |r| Some(r.messages.not_sent as f64)),
    ("connected", Unit::Count, |r| Some(r.connections.connected as f64)),
    ("failed-connections", Unit::Count, |r| Some(r.connections.failed as f64)),
    ("lost-connections", Unit::Count, |r| Some(r.connections.lost as f64)),
    ("refused-subscriptions", Unit::Count, |r| Some(r.connections.refused_subscriptions as f64)),
    ("errors", Unit::Count, |r| Some(r.errors.iter().map(|cause| cause.count).sum::<u64>() as f64)),
    ("rate", Unit::PerSecond, |r| Some(r.rate())),
    ("connected-rate", Unit::PerSecond, |r| Some(r.connections.connected_per_s)),
    ("sent-rate", Unit::PerSecond, |r| Some(r.throughput.sent_per_s)),
    ("taken-rate", Unit::PerSecond, |r| r.throughput.taken_per_s),
    ("acknowledged-rate", Unit::PerSecond, |r| Some(r.throughput.acknowledged_per_s)),
    ("delivered-rate", Unit::PerSecond, |r| Some(r.throughput.delivered_per_s)),
    ("cpu", Unit::Share, |r| Some(r.generator.thread_cpu_share.iter().copied().fold(0.0, f64::max))),
    ("share-of-ceiling", Unit::Share, |r| r.generator.share_of_ceiling),
    ("memory", Unit::Bytes, |r| Some(r.generator.memory_bytes as f64)),
    ("full-windows", Unit::Count, |r| Some(r.generator.full_windows as f64)),
    ("blocked-sockets", Unit::Count, |r| Some(r.generator.blocked_sockets as f64)),
];

/// Who only receives may not know which messages there were.
#[allow(clippy::cast_precision_loss, reason = "counts are below 9 × 10¹⁵")]
fn told_apart(report: &Report, number: Option<u64>) -> Option<f64> {
    number.filter(|_| report.mode.receives_its_own()).map(|number| number as f64)
}

/// What a count is a part of, if a limit of it may be given in percent.
fn whole_of(figure: &str) -> Option<fn(&Report) -> u64> {
    let whole: fn(&Report) -> u64 = match figure {
        "lost" | "delivered" => |r| r.messages.expected,
        "duplicates" | "reordered" => |r| r.messages.delivered,
        "acknowledged" | "unacknowledged" | "refused" => |r| r.messages.sent,
        "not-sent" => |r| r.messages.sent + r.messages.not_sent,
        "connected" | "failed-connections" => |r| r.connections.attempted,
        "lost-connections" => |r| r.connections.connected,
        _ => return None,
    };
    Some(whole)
}

/// What the table and `compare` call figures that have another name here, as [`plain`] has it.
const WORDS: [(&str, &str); 8] = [
    ("taken", "taken-rate"),
    ("too-old-to-count", "stale"),
    ("connections", "connected"),
    ("connections-rate", "connected-rate"),
    ("failed", "failed-connections"),
    ("tls", "tls_handshake"),
    ("until-connack", "connect_to_connack"),
    ("late", "schedule_lag"),
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
        let (name, limit) = (name.trim(), value.trim());
        let mut figure = figure(name)?;
        if let Figure::Other(place) = figure
            && limit.ends_with('%')
            && whole_of(FIGURES[place].0).is_some()
        {
            figure = Figure::Part(place);
        }
        let value = match figure {
            Figure::Latency(..) => nanoseconds(limit)?,
            Figure::Part(place) => number(FIGURES[place].0, Unit::Share, limit)?,
            Figure::Other(place) => number(FIGURES[place].0, FIGURES[place].1, limit)?,
        };
        let opposite = format!("{name} {} {limit}", comparison.opposite());
        Ok(Self { text: text.trim().to_owned(), figure, comparison, value, opposite })
    }
}

/// A name without what people need not care about: upper and lower case, and what joins words.
fn plain(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace(['_', ' '], "-");
    name.strip_suffix("/s").map_or_else(|| name.clone(), |count| format!("{count}-rate"))
}

/// The one of those names that is meant, be it by another word.
fn known(names: impl IntoIterator<Item = &'static str>, typed: &str) -> Option<&'static str> {
    let typed = plain(typed);
    let word = WORDS.iter().find(|(word, _)| *word == typed).map(|(_, name)| plain(name));
    let typed = word.unwrap_or(typed);
    names.into_iter().find(|name| plain(name) == typed)
}

fn figure(name: &str) -> Result<Figure, String> {
    let others = || FIGURES.iter().map(|(name, ..)| *name);
    if let Some(found) = known(others(), name) {
        return others().position(|name| name == found).map(Figure::Other).ok_or_else(|| unknown(name));
    }
    // As the table has it: only this percentile of it is shown.
    if known(LATENCIES, name) == Some("schedule_lag") && plain(name) == "late" {
        return Ok(Figure::Latency(Some("schedule_lag"), "p99"));
    }
    let parts = name.rsplit_once([' ', ':']);
    let (of, statistic) = parts.map_or((None, name), |(of, statistic)| (Some(of.trim()), statistic));
    let of = of.map(|of| known(LATENCIES, of).ok_or_else(|| unknown(of))).transpose()?;
    let statistic = known(STATISTICS, statistic).ok_or_else(|| unknown(name))?;
    Ok(Figure::Latency(of, statistic))
}

/// A name that is not known, with the one that is most like it, or what there is.
fn unknown(name: &str) -> String {
    /// Names that are less alike than this have nothing to do with each other.
    const ALIKE: f64 = 0.8;
    let typed = plain(name);
    if let Some(latency) = known(LATENCIES, name) {
        return format!("of the latency {name} a statistic is needed, for example '{latency} p99'");
    }
    if typed.strip_prefix('p').is_some_and(|percent| percent.parse::<f64>().is_ok()) {
        return format!("'{name}' is no figure: percentiles are p50, p90, p95, p99, p99.9 and p99.99");
    }
    let names = FIGURES.map(|(name, ..)| name).into_iter().chain(STATISTICS).chain(LATENCIES);
    let alike = names
        .chain(WORDS.map(|(word, _)| word))
        .map(|name| (strsim::jaro_winkler(&typed, &plain(name)), name));
    match alike.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((like, close)) if like >= ALIKE => format!("'{name}' is no figure (is '{close}' meant?)"),
        _ => format!("'{name}' is no figure: mqtt bench --help lists them"),
    }
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
        Unit::Bytes => &[
            ("KiB", 1024.0),
            ("MiB", 1_048_576.0),
            ("GiB", 1_073_741_824.0),
            ("k", 1024.0),
            ("M", 1_048_576.0),
            ("G", 1_073_741_824.0),
            ("", 1.0),
        ],
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
    /// What became of it.
    pub(super) fn result(&self, report: &Report) -> ThresholdResult {
        let (value, broken) = self.check(report);
        let (unit, scale) = match self.figure {
            Figure::Latency(..) => ("us", 1e3),
            Figure::Part(_) => (Unit::Share.key(), 1.0),
            Figure::Other(place) => (FIGURES[place].1.key(), 1.0),
        };
        ThresholdResult {
            fail_if: self.text.clone(),
            value: value.filter(|value| value.is_finite()).map(|value| value / scale),
            limit: self.value / scale,
            unit,
            text: self.shown(value, report),
            broken,
            opposite: self.opposite.clone(),
        }
    }

    /// The figure's value in a report and whether the condition holds, which is a failure. A figure
    /// that the run did not yield has no value, and that is a failure too: nothing was shown.
    fn check(&self, report: &Report) -> (Option<f64>, bool) {
        let value = match &self.figure {
            Figure::Latency(of, statistic) => {
                let name = of.or(report.main_latency.as_deref());
                name.and_then(|name| report.statistic(name, statistic))
                    .map(|microseconds| microseconds * 1000.0)
            }
            Figure::Other(place) => FIGURES[*place].2(report),
            Figure::Part(place) => part(*place, report),
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
    fn shown(&self, value: Option<f64>, report: &Report) -> String {
        match (value, &self.figure) {
            (None, _) => "not measured".into(),
            (Some(value), Figure::Latency(of, _)) if value.is_infinite() => {
                let unanswered =
                    of.or(report.main_latency.as_deref()).and_then(|of| report.unanswered.get(of));
                unanswered.map_or_else(|| "not measured".into(), super::verdict::Unanswered::text)
            }
            (Some(value), Figure::Latency(..)) => super::words::time(value / 1000.0),
            (Some(value), Figure::Part(_)) => format!("{:.3} %", value * 100.0),
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

/// A count as a part of what it is counted among; of nothing there is no part.
#[allow(clippy::cast_precision_loss, reason = "counts are below 9 × 10¹⁵")]
fn part(place: usize, report: &Report) -> Option<f64> {
    let whole = whole_of(FIGURES[place].0)?(report);
    FIGURES[place].2(report).filter(|_| whole > 0).map(|number| number / whole as f64)
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
            "memory > 64 MiB",
            "rate < 50k/s",
            "connect p95 >= 5ms",
            "max != 3us",
        ] {
            assert!(good.parse::<Threshold>().is_ok(), "{good}");
        }
        let threshold: Threshold = "p99 > 20ms".parse().unwrap();
        assert!((threshold.value - 20e6).abs() < 1.0);
    }

    /// What the report calls its figures, `--fail-if` calls so as well.
    #[test]
    fn the_words_of_the_report_are_understood() {
        for (words, name) in [
            ("CONNACK p99 > 1s", "connack p99 > 1s"),
            ("TLS P99 > 1s", "tls_handshake p99 > 1s"),
            ("until CONNACK max > 1s", "connect_to_connack max > 1s"),
            ("round trip p50 > 1s", "round_trip p50 > 1s"),
            ("acknowledge-from-send p50 > 1s", "acknowledge_from_send p50 > 1s"),
            ("delivery:p50 > 1s", "delivery p50 > 1s"),
            ("late > 5ms", "schedule_lag p99 > 5ms"),
            ("taken < 1k/s", "taken-rate < 1k"),
            ("delivered/s < 1k/s", "delivered-rate < 1k/s"),
            ("connections/s < 10", "connected-rate < 10"),
            ("not_sent > 0", "not-sent > 0"),
            ("too old to count > 0", "stale > 0"),
            ("under way > 0", "under-way > 0"),
            ("failed > 1%", "failed-connections > 1%"),
            ("CPU > 90%", "cpu > 90%"),
        ] {
            let [words, name] = [words, name].map(|text| text.parse::<Threshold>().unwrap());
            assert_eq!((words.figure, words.value), (name.figure, name.value), "{words:?}");
        }
        for (key, word) in super::super::words::LATENCIES {
            let word = if word.starts_with(' ') { key } else { word };
            let read = format!("{word} p99 > 1s").parse::<Threshold>().unwrap();
            assert_eq!(read.figure, Figure::Latency(Some(key), "p99"), "{word}");
        }
    }

    #[test]
    fn a_count_in_percent_is_a_part() {
        let part: Threshold = "delivered < 99%".parse().unwrap();
        assert!(matches!(part.figure, Figure::Part(_)) && (part.value - 0.99).abs() < 1e-9, "{part:?}");
        assert_eq!(part.opposite, "delivered >= 99%");
        let count: Threshold = "delivered<99".parse().unwrap();
        assert!(matches!(count.figure, Figure::Other(_)), "{count:?}");
        assert_eq!(count.opposite, "delivered >= 99");
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
            ("foreign > 5%", "no number"),
            ("p98 > 1ms", "percentiles are p50"),
            ("acknowledgd > 1", "is 'acknowledged' meant?"),
            ("lunch > 1", "--help lists them"),
            ("connack > 1s", "'connack p99'"),
            ("lost > 5/s", "no number"),
        ] {
            let error = bad.parse::<Threshold>().unwrap_err();
            assert!(error.contains(words), "{bad}: {error}");
        }
    }
}
