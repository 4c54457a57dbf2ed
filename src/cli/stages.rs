//! Parses `bench --stages` and the `stage` of a scenario: how the rate of a load changes.

use std::time::Duration;

use super::bench_values::MOST_RATE;
use super::value;
use crate::command::bench::config::{Load, Rate, StopAfter};
use crate::command::bench::stage::{self, RateStage};
use crate::error::Error;

const FORM: &str = "use ramp to RATE in TIME, ramp from RATE to RATE in TIME, hold TIME or spike RATE TIME";

/// The most stages that a load may have.
pub(super) const MOST_STAGES: usize = 1000;

/// The value of `--stages`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stages(pub(super) Vec<RateStage>);

impl std::str::FromStr for Stages {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let stages: Vec<RateStage> = text.split(',').map(stage).collect::<Result<_, _>>()?;
        if stages.len() > MOST_STAGES {
            return Err(format!("a load has at most {MOST_STAGES} stages"));
        }
        Ok(Self(stages))
    }
}

/// One stage.
pub(super) fn stage(text: &str) -> Result<RateStage, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["ramp", "to", to, "in", length] => {
            Ok(RateStage::Ramp { from: None, to: rate(to)?, length: time(length)? })
        }
        ["ramp", "from", from, "to", to, "in", length] => {
            Ok(RateStage::Ramp { from: Some(rate(from)?), to: rate(to)?, length: time(length)? })
        }
        ["hold", length] => Ok(RateStage::Hold(time(length)?)),
        ["spike", to, length] | ["spike", to, "for", length] => {
            Ok(RateStage::Spike { rate: rate(to)?, length: time(length)? })
        }
        [] => Err(format!("a stage is missing: {FORM}")),
        _ => Err(format!("'{}': {FORM}", text.trim())),
    }
}

/// Messages per second; a stage may also have none.
fn rate(text: &str) -> Result<f64, String> {
    if matches!(text, "0" | "0/s") {
        return Ok(0.0);
    }
    let rate = value::per_second(text).map_err(|why| format!("the rate '{text}': {why}"))?;
    if rate > MOST_RATE {
        return Err(format!("the rate '{text}': a schedule has at most {MOST_RATE} messages a second"));
    }
    Ok(rate)
}

fn time(text: &str) -> Result<Duration, String> {
    value::positive_duration(text).map_err(|why| format!("the time '{text}': {why}"))
}

/// Sets the stages of a load, which determine its duration.
///
/// # Errors
/// The load has no rate, or nothing would be sent during the warm-up.
pub(super) fn apply(stages: Vec<RateStage>, load: &mut Load) -> Result<(), Error> {
    if stages.is_empty() {
        return Ok(());
    }
    if load.rate == Rate::Max {
        return Err(Error::usage("stages need a schedule, and --rate max has none"));
    }
    if !load.warmup.is_zero() && !stage::begins_with_messages(&stages) {
        return Err(Error::usage("--warmup has the rate at which the first stage begins, which is 0")
            .with_hint("leave out --warmup, as the ramp is one; or begin with ramp from RATE"));
    }
    load.stop = StopAfter::After(stage::length(&stages));
    load.stages = stages;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_read_and_shown() {
        let second = Duration::from_secs(1);
        let Stages(read) =
            "ramp to 10k/s in 60s, hold 2m ,spike 50k/s 5s, ramp from 5 to 0 in 1.5".parse().unwrap();
        let expected = [
            RateStage::Ramp { from: None, to: 1e4, length: 60 * second },
            RateStage::Hold(120 * second),
            RateStage::Spike { rate: 5e4, length: 5 * second },
            RateStage::Ramp { from: Some(5.0), to: 0.0, length: second * 3 / 2 },
        ];
        assert_eq!(read, expected);
        for stage in expected {
            assert_eq!(super::stage(&stage.to_string()), Ok(stage), "{stage}");
        }
        assert_eq!(read[0].to_string(), "ramp to 10000/s in 1m");
    }

    #[test]
    fn errors_of_stages_name_the_fault() {
        for (text, words) in [
            ("", "a stage is missing"),
            ("hold 1m,", "a stage is missing"),
            ("hold", "'hold': use ramp to RATE in TIME"),
            ("ramp to max in 5s", "the rate 'max': use a number a second"),
            ("ramp to 5 in soon", "the time 'soon': use seconds or units"),
            ("hold 0s", "the time '0s': it must be longer than 0"),
            ("spike 1M/s 5s, spike 100M 5s", "the rate '100M': a schedule has at most 20000000"),
            ("jump to 5 in 3s", "'jump to 5 in 3s': use ramp"),
        ] {
            let error = text.parse::<Stages>().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
