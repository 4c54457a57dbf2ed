//! `compare --fail-if 'p99 +10%'`: the limit on the change of a figure between two sides.

use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

use super::report::figure::Unit;
use super::report::numbers::{count, time};
use super::threshold::{What, what};

/// A limit on the change of a figure.
#[derive(Debug, Clone)]
pub struct ChangeLimit {
    /// The condition as typed.
    text: String,
    what: What,
    /// As a fraction of the earlier value: 0.1 is 10 % more, -0.05 is 5 % less.
    limit: f64,
}

/// Whether a figure has changed by more than its limit.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ChangeResult {
    pub(super) broken: bool,
    /// The condition.
    text: String,
    /// The side that is compared with the first.
    side: String,
    before: Option<f64>,
    after: Option<f64>,
    /// As a fraction of the earlier value; null if that was 0 or is unknown.
    change: Option<f64>,
    /// Null with fewer than three runs per side.
    more_than_noise: Option<bool>,
    #[serde(skip)]
    unit: Unit,
}

const FORM: &str = "use FIGURE and a change in percent, for example 'p99 +10%' or 'rate -5%'";

impl FromStr for ChangeLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, limit) = text.trim().rsplit_once(char::is_whitespace).ok_or(FORM)?;
        let percent = limit.strip_suffix('%').filter(|limit| limit.starts_with(['+', '-'])).ok_or(FORM)?;
        let percent: f64 = percent.parse().map_err(|_| FORM)?;
        if !percent.is_finite() {
            return Err(FORM.into());
        }
        let what = what(name.trim())?;
        Ok(Self { text: text.trim().to_owned(), what, limit: percent / 100.0 })
    }
}

impl ChangeLimit {
    /// The figure in a written report, in its unit.
    pub(super) fn value(&self, report: &Value) -> Option<f64> {
        match self.what {
            What::Latency(of, statistic) => {
                let key = of.map_or_else(|| report["main_latency"].as_str(), |latency| Some(latency.key))?;
                report["latency_us"][key][statistic.key].as_f64()
            }
            What::Figure(figure) | What::Part(figure, _) => figure.recorded(report),
        }
    }

    /// Judges the change between two medians. A change within noise counts as none, and a figure that is
    /// unknown on one side does not pass.
    pub(super) fn judge(
        &self,
        side: &str,
        before: Option<f64>,
        after: Option<f64>,
        more_than_noise: Option<bool>,
    ) -> ChangeResult {
        let change = before.zip(after).map(|(before, after)| match before == 0.0 {
            true if after == 0.0 => 0.0,
            true => f64::INFINITY.copysign(after),
            false => (after - before) / before.abs(),
        });
        let exceeds = |change: f64| if self.limit < 0.0 { change < self.limit } else { change > self.limit };
        ChangeResult {
            broken: more_than_noise != Some(false) && change.is_none_or(exceeds),
            text: self.text.clone(),
            side: side.to_owned(),
            before,
            after,
            change: change.filter(|change| change.is_finite()),
            more_than_noise,
            unit: match self.what {
                What::Latency(..) => Unit::Microseconds,
                What::Figure(figure) | What::Part(figure, _) => figure.unit,
            },
        }
    }
}

impl ChangeResult {
    /// The result as a line of text.
    pub(super) fn shown(&self) -> String {
        let Self { text, side, before, after, change, more_than_noise, unit, .. } = self;
        let (Some(before), Some(after)) = (before, after) else {
            return format!("{text} in {side}: not measured on both sides");
        };
        let value = |value: f64| if *unit == Unit::Microseconds { time(value) } else { count(value) };
        let change =
            change.map_or_else(|| "from nothing".to_owned(), |change| format!("{:+.1} %", change * 100.0));
        let noise = match more_than_noise {
            None => "",
            Some(true) => ", more than noise",
            Some(false) => ", within noise",
        };
        format!("{text} in {side}: {change} ({} to {}){noise}", value(*before), value(*after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_limit_has_a_figure_and_a_signed_fraction() {
        for (text, limit) in [("p99 +10%", 0.1), ("connect p95  +0%", 0.0), ("rate -5%", -0.05)] {
            let change: ChangeLimit = text.parse().unwrap();
            assert!((change.limit - limit).abs() < 1e-12, "{change:?}");
        }
        for (text, why) in [
            ("p99 > 20ms", "for example 'p99 +10%'"),
            ("p99", "for example"),
            ("p99 10%", "for example"),
            ("p99 +1e999%", "for example"),
            ("p99 +10", "for example"),
            ("lunch +10%", "unknown figure"),
        ] {
            let error = text.parse::<ChangeLimit>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn change_beyond_its_limit_fails_unless_it_is_noise() {
        let broken = |text: &str, before, after, noise| {
            text.parse::<ChangeLimit>().unwrap().judge("b", before, after, noise).broken
        };
        assert!(!broken("p99 +10%", Some(100.0), Some(110.0), None));
        assert!(broken("p99 +10%", Some(100.0), Some(110.1), None));
        assert!(broken("p99 +10%", Some(100.0), Some(111.0), Some(true)));
        assert!(!broken("p99 +10%", Some(100.0), Some(200.0), Some(false)));
        assert!(!broken("p99 +10%", Some(100.0), Some(20.0), None));
        assert!(broken("rate -5%", Some(100.0), Some(94.0), None));
        assert!(!broken("rate -5%", Some(100.0), Some(194.0), None));
        assert!(broken("lost +10%", Some(0.0), Some(1.0), None));
        assert!(!broken("lost +10%", Some(0.0), Some(0.0), None));
        assert!(broken("p99 +10%", None, Some(1.0), None), "not measured");
    }

    #[test]
    fn result_is_shown_in_a_line() {
        let change: ChangeLimit = "p99 +10%".parse().unwrap();
        let result = change.judge("after", Some(1200.0), Some(1500.0), Some(true));
        assert_eq!(result.shown(), "p99 +10% in after: +25.0 % (1.20 ms to 1.50 ms), more than noise");
    }
}
