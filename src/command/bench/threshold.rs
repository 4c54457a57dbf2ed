//! `--fail-if 'p99 > 20ms'`: a figure of the report, a comparison, and a value with its unit.

use std::str::FromStr;
use std::time::Duration;

use super::config::Load;
use super::recorder::LatencyKind;
use super::report::figure::{FIGURES, Figure, Unit, Whole};
use super::report::latency::{self, Is, LATENCIES, Latency, LatencyRow, STATISTICS, Statistic, TimeFigure};
use super::report::{LoadReport, ObjectiveResult, ThresholdResult};
use crate::nearest::{did_you_mean, nearest};
use crate::notation::Size;

/// A condition that must not hold: `--fail-if`.
#[derive(Debug, Clone)]
pub struct Threshold(FigureCondition);

/// Conditions that must not hold.
#[derive(Debug, Clone, Default)]
pub struct RunLimits {
    /// For the whole run.
    pub whole: Vec<Threshold>,
    /// For each stage.
    pub stages: Vec<Vec<Threshold>>,
}

impl RunLimits {
    /// Whether there are no conditions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.stages.iter().all(Vec::is_empty)
    }
}

/// A condition that must hold: `--slo`.
#[derive(Debug, Clone)]
pub struct Objective(FigureCondition);

/// A figure, a comparison and a limit.
#[derive(Debug, Clone)]
struct FigureCondition {
    /// The condition as typed.
    text: String,
    what: What,
    comparison: Operator,
    /// In the unit of the figure.
    limit: f64,
    /// The opposite condition, as text.
    opposite: String,
}

/// The value that has a limit.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// A statistic of a latency in microseconds; of the main latency if none is named.
    Latency(Option<&'static TimeFigure>, &'static Statistic),
    Figure(&'static Figure),
    /// A count as a share of another count.
    Part(&'static Figure, Whole),
}

impl What {
    /// The value as the text report shows it, with unanswered messages included at their waiting time.
    pub(super) fn of_run(self, report: &LoadReport) -> Option<f64> {
        match self {
            Self::Latency(of, statistic) => latency_of(of, report)?.value(statistic),
            Self::Figure(figure) => figure.value(report),
            Self::Part(figure, whole) => figure.part(whole, report),
        }
    }

    pub(super) fn unit(self) -> Unit {
        match self {
            Self::Latency(..) => Unit::Microseconds,
            Self::Figure(figure) => figure.unit,
            Self::Part(..) => Unit::Share,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Operator {
    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit,
            Self::LessOrEqual => value <= limit,
            Self::Greater => value > limit,
            Self::GreaterOrEqual => value >= limit,
            Self::Equal => (value - limit).abs() < f64::EPSILON,
            Self::NotEqual => (value - limit).abs() >= f64::EPSILON,
        }
    }

    /// The symbol of the opposite comparison.
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

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl FromStr for FigureCondition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let start = text.find(['<', '>', '=', '!']).ok_or("use FIGURE > VALUE, for example 'p99 > 20ms'")?;
        let (name, rest) = text.split_at(start);
        let comparisons = [
            (">=", Operator::GreaterOrEqual),
            ("<=", Operator::LessOrEqual),
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
            (">", Operator::Greater),
            ("<", Operator::Less),
            ("=", Operator::Equal),
        ];
        let found = comparisons.iter().find_map(|(sign, meaning)| Some((*meaning, rest.strip_prefix(sign)?)));
        let found = found.filter(|(_, value)| !value.starts_with(['<', '>', '=', '!']));
        let (comparison, value) = found.ok_or("the comparison must be one of > >= < <= == !=")?;
        let (name, limit) = (name.trim(), value.trim());
        let mut what = what(name)?;
        if let What::Figure(figure) = what
            && let Some(whole) = figure.whole
            && limit.ends_with('%')
        {
            what = What::Part(figure, whole);
        }
        let value = match what {
            What::Latency(..) => microseconds(limit)?,
            What::Part(figure, _) => number(figure, Unit::Share, limit)?,
            What::Figure(figure) => number(figure, figure.unit, limit)?,
        };
        let opposite = format!("{name} {} {limit}", comparison.opposite());
        Ok(Self { text: text.trim().to_owned(), what, comparison, limit: value, opposite })
    }
}

/// A name without insignificant differences: case, and separators between words.
fn plain(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace(['_', ' '], "-");
    name.strip_suffix("/s").map_or_else(|| name.clone(), |count| format!("{count}-rate"))
}

/// Figures that can have a limit.
fn limited() -> impl DoubleEndedIterator<Item = &'static Figure> {
    FIGURES.iter().filter(|figure| !figure.name.is_empty())
}

/// The figure with this name, otherwise the one with this label in the report, with or without `/s`.
fn figure(typed: &str) -> Option<&'static Figure> {
    let typed = plain(typed);
    let label = |figure: &Figure| {
        if figure.unit == Unit::PerSecond { format!("{}/s", figure.label) } else { figure.label.into() }
    };
    let by = |name: &dyn Fn(&Figure) -> String| limited().find(|figure| plain(&name(figure)) == typed);
    by(&|figure| figure.name.into()).or_else(|| by(&label)).or_else(|| by(&|figure| figure.label.into()))
}

/// The latency with this name, or with this label in the report. A latency from the actual send is listed
/// below another there, and has no unique label.
fn latency_figure(typed: &str) -> Option<&'static TimeFigure> {
    let typed = plain(typed);
    let is_labelled = |found: &&TimeFigure| found.row != LatencyRow::Below && plain(found.label) == typed;
    LATENCIES.iter().find(|found| plain(found.key) == typed).or_else(|| LATENCIES.iter().find(is_labelled))
}

fn statistic(typed: &str) -> Option<&'static Statistic> {
    latency::statistic(&plain(typed))
}

/// The figure with this name.
pub(super) fn what(name: &str) -> Result<What, String> {
    if let Some(found) = figure(name) {
        return Ok(What::Figure(found));
    }
    // Like the report, which shows only this statistic of it.
    if let Some(found) = latency_figure(name)
        && let LatencyRow::Only(shown) = found.row
        && let Some(statistic) = statistic(shown)
        && plain(found.label) == plain(name)
    {
        return Ok(What::Latency(Some(found), statistic));
    }
    let parts = name.rsplit_once([' ', ':']);
    let (of, typed) = parts.map_or((None, name), |(of, statistic)| (Some(of.trim()), statistic));
    let of = of.map(|of| latency_figure(of).ok_or_else(|| unknown(of))).transpose()?;
    Ok(What::Latency(of, statistic(typed).ok_or_else(|| unknown(name))?))
}

/// The error for an unknown name, with the most similar name or the list of names.
fn unknown(name: &str) -> String {
    let typed = plain(name);
    if let Some(TimeFigure { key, .. }) = latency_figure(name) {
        return format!("the latency {name} needs a statistic, for example '{key} p99'");
    }
    if typed.strip_prefix('p').is_some_and(|percent| percent.parse::<f64>().is_ok()) {
        let percentiles = STATISTICS.iter().filter(|found| matches!(found.is, Is::Quantile(_)));
        let percentiles: Vec<_> = percentiles.map(|found| found.name).collect();
        return format!("unknown figure '{name}': the percentiles are {}", percentiles.join(", "));
    }
    let figures = limited().flat_map(|figure| [figure.name, figure.label]);
    let latencies = LATENCIES.iter().flat_map(|latency| [latency.key, latency.label]);
    let names = figures.chain(latencies).chain(STATISTICS.iter().map(|statistic| statistic.name));
    let near: Vec<String> = nearest(&typed, names).into_iter().map(str::to_owned).collect();
    match did_you_mean(&near) {
        Some(hint) => format!("unknown figure '{name}'; {hint}"),
        None => format!("unknown figure '{name}': mqtt bench --help lists the figures"),
    }
}

fn microseconds(value: &str) -> Result<f64, String> {
    let parsed = humantime::parse_duration(value);
    let duration: Duration =
        parsed.map_err(|_| format!("'{value}' has no unit of time; use for example 20ms"))?;
    #[allow(clippy::cast_precision_loss, reason = "exact up to 104 days")]
    Ok(duration.as_nanos() as f64 / 1e3)
}

/// A value in the unit of its figure; thousands and millions may be abbreviated.
fn number(figure: &Figure, unit: Unit, value: &str) -> Result<f64, String> {
    let name = figure.name;
    let suffixes: &[(&str, f64)] = match unit {
        Unit::Count | Unit::PerSecond | Unit::Seconds | Unit::Microseconds => {
            &[("k", 1e3), ("M", 1e6), ("", 1.0)]
        }
        Unit::Share => &[("%", 0.01), ("", 1.0)],
        Unit::Bytes => &[], // `Size` has them.
    };
    let bare = if unit == Unit::PerSecond { value.strip_suffix("/s").unwrap_or(value) } else { value };
    #[allow(clippy::cast_precision_loss, reason = "the factors are powers of ten and of two")]
    let (digits, factor) = match Size::split_unit(bare) {
        Some((digits, bytes)) if unit == Unit::Bytes => (digits, bytes as f64),
        _ => {
            let mut found =
                suffixes.iter().filter_map(|(suffix, factor)| Some((bare.strip_suffix(suffix)?, *factor)));
            found.next().unwrap_or((bare, 1.0))
        }
    };
    let no_number = || format!("invalid value '{value}' for {name}");
    let number: f64 = digits.trim().parse().map_err(|_| no_number())?;
    let number = Some(number * factor).filter(|number| number.is_finite()).ok_or_else(no_number)?;
    // Users who type `loss > 5` mean messages or percent; taken as 500 %, the condition would never hold.
    if unit == Unit::Share && number >= 1.0 && !value.ends_with('%') {
        let count = figure.count.map(|count| format!(", or as a number: '{} > {digits}'", count.name));
        let count = count.unwrap_or_default();
        return Err(format!("{name} is a share: give it in percent, '{digits}%'{count}"));
    }
    Ok(number)
}

impl Threshold {
    /// The condition as typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Whether it is about messages and their latencies, which are also known for a part of a run.
    #[must_use]
    pub fn is_of_messages(&self) -> bool {
        match self.0.what {
            What::Latency(None, _) => true,
            What::Latency(Some(of), _) => of.kind.is_of_messages(),
            What::Figure(figure) | What::Part(figure, _) => figure.is_of_messages(),
        }
    }

    /// Whether the figure is known and the condition holds.
    pub(super) fn is_broken(&self, report: &LoadReport) -> bool {
        let Self(condition) = self;
        condition.value(report).is_some_and(|value| condition.comparison.holds(value, condition.limit))
    }

    /// The result of the condition.
    pub(super) fn result(&self, report: &LoadReport) -> ThresholdResult {
        let Self(condition) = self;
        let value = condition.value(report);
        ThresholdResult {
            fail_if: condition.text.clone(),
            value: value.filter(|value| value.is_finite()),
            limit: condition.limit,
            unit: condition.what.unit().key(),
            text: condition.text_of(value, report),
            // A figure without a value is a failure too, because nothing was measured.
            broken: value.is_none_or(|value| condition.comparison.holds(value, condition.limit)),
            opposite: condition.opposite.clone(),
        }
    }
}

impl Objective {
    /// The condition as typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Whether runs of this load have its figure.
    #[must_use]
    pub fn is_measured(&self, load: &Load) -> bool {
        let (mode, qos) = (load.mode, load.qos);
        match self.0.what {
            What::Latency(None, _) => LatencyKind::main(mode, qos).is_some(),
            What::Latency(Some(of), _) => of.kind.is_of(mode, qos),
            What::Figure(figure) | What::Part(figure, _) => {
                let operations = load.groups().into_iter().filter_map(|group| group.operation);
                let operations: Vec<_> = operations.map(|operation| operation.kind).collect();
                figure.when.is_of(mode, qos as u8, &operations)
            }
        }
    }

    /// Whether it is a condition on a latency that stamps of messages measure.
    #[must_use]
    pub fn needs_stamps(&self, load: &Load) -> bool {
        use LatencyKind::{Delivery, DeliveryFromSend, RoundTrip, RoundTripFromSend};
        let kind = match self.0.what {
            What::Latency(None, _) => LatencyKind::main(load.mode, load.qos),
            What::Latency(Some(of), _) => Some(of.kind),
            What::Figure(_) | What::Part(..) => None,
        };
        matches!(kind, Some(Delivery | DeliveryFromSend | RoundTrip | RoundTripFromSend))
    }

    /// The result. The objective is not met if the figure has no value.
    pub(super) fn result(&self, report: &LoadReport) -> ObjectiveResult {
        let Self(condition) = self;
        let value = condition.value(report);
        ObjectiveResult {
            slo: condition.text.clone(),
            value: value.filter(|value| value.is_finite()),
            limit: condition.limit,
            unit: condition.what.unit().key(),
            text: condition.text_of(value, report),
            held: value.is_some_and(|value| condition.comparison.holds(value, condition.limit)),
        }
    }
}

impl FigureCondition {
    /// A value as text.
    fn text_of(&self, value: Option<f64>, report: &LoadReport) -> String {
        match (value, self.what) {
            (None, _) => "not measured".into(),
            (Some(value), What::Latency(of, _)) if value.is_infinite() => {
                latency_of(of, report).map_or_else(String::new, Latency::without_answer)
            }
            (Some(value), what) => what.unit().text(value),
        }
    }

    fn value(&self, report: &LoadReport) -> Option<f64> {
        match self.what {
            What::Latency(of, statistic) => latency_of(of, report)?.limited(statistic),
            What::Figure(figure) => figure.value(report),
            What::Part(figure, whole) => figure.part(whole, report),
        }
    }
}

/// The measured values of a latency, or of the main one.
fn latency_of<'a>(of: Option<&TimeFigure>, report: &'a LoadReport) -> Option<&'a Latency> {
    report.latency(of.map(|of| of.kind).or(report.main_latency)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The description of a condition's figure.
    fn about(what: What) -> String {
        match what {
            What::Latency(of, statistic) => format!("{} {}", of.map_or("", |of| of.key), statistic.name),
            What::Figure(figure) => figure.name.into(),
            What::Part(figure, _) => format!("{} in percent", figure.name),
        }
    }

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
            "loss = 0",
        ] {
            assert!(good.parse::<FigureCondition>().is_ok(), "{good}");
        }
        let threshold: FigureCondition = "p99 > 20ms".parse().unwrap();
        assert!((threshold.limit - 20e3).abs() < 1e-3);
    }

    #[test]
    fn sizes_have_the_units_of_every_option() {
        for (text, limit) in [("64k", 64e3), ("64 MiB", 67_108_864.0), ("1.5Gi", 1_610_612_736.0), ("7", 7.0)]
        {
            let threshold: FigureCondition = format!("memory > {text}").parse().unwrap();
            assert!((threshold.limit - limit).abs() < 1e-3, "{text}: {}", threshold.limit);
        }
    }

    /// `--fail-if` accepts the names that the report shows.
    #[test]
    fn names_in_the_report_are_accepted() {
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
            let [words, name] = [words, name].map(|text| text.parse::<FigureCondition>().unwrap());
            assert_eq!((about(words.what), words.limit), (about(name.what), name.limit), "{words:?}");
        }
        for latency in &LATENCIES {
            for word in [latency.key, latency.label] {
                let word = if latency.row == LatencyRow::Below { latency.key } else { word };
                let read = format!("{word} p99 > 1s").parse::<FigureCondition>().unwrap();
                assert_eq!(about(read.what), format!("{} p99", latency.key), "{word}");
            }
        }
    }

    #[test]
    fn a_count_in_percent_is_a_part() {
        let part: FigureCondition = "delivered < 99%".parse().unwrap();
        assert!(matches!(part.what, What::Part(..)) && (part.limit - 0.99).abs() < 1e-9, "{part:?}");
        assert_eq!(part.opposite, "delivered >= 99%");
        let count: FigureCondition = "delivered<99".parse().unwrap();
        assert!(matches!(count.what, What::Figure(_)), "{count:?}");
        assert_eq!(count.opposite, "delivered >= 99");
    }

    #[test]
    fn errors_name_the_fault() {
        for (bad, words) in [
            ("p98 > 1ms", "unknown figure 'p98'"),
            ("p99", "FIGURE > VALUE"),
            ("p99 > 20", "unit of time"),
            ("loss > many", "invalid value"),
            ("p99 =! 1ms", "comparison"),
            ("lunch p99 > 1ms", "unknown figure"),
            ("loss > inf", "invalid value"),
            ("loss > 5", "lost > 5"),
            ("foreign > 5%", "invalid value"),
            ("p98 > 1ms", "the percentiles are p50"),
            ("acknowledgd > 1", "did you mean 'acknowledged' or 'acknowledge'?"),
            ("lunch > 1", "--help lists the figures"),
            ("connack > 1s", "'connack p99'"),
            ("lost > 5/s", "invalid value"),
        ] {
            let error = bad.parse::<FigureCondition>().unwrap_err();
            assert!(error.contains(words), "{bad}: {error}");
        }
    }
}
