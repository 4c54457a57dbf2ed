//! The measurements of each stage of a load: a separate report, from which the table of figures reads.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::super::beside::StageRecords;
use super::super::rows::Course;
use super::super::stamp::Timeline;
use super::asked::AskedStage;
use super::figure::{FIGURES, Section, Unit};
use super::latency::{LATENCIES, Latency, microseconds, round, statistic};
use super::numbers::{short, short_time};
use super::summary::never;
use super::{LoadReport, SeriesSecond, StageReport, ThresholdResult};

/// A column of the table: its heading, and the name of a figure or of a statistic of the main latency.
const COLUMNS: [(&str, &str); 6] = [
    ("sent", "sent"),
    ("sent/s", "sent-rate"),
    ("p50", "p50"),
    ("p99", "p99"),
    ("max", "max"),
    ("lost", "lost"),
];

impl Serialize for StageReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("stage", &self.number)?;
        map.serialize_entry("what", &self.what)?;
        map.serialize_entry("second", &self.second)?;
        map.serialize_entry("rate_per_s", &self.rate_per_s)?;
        for section in [Section::Messages, Section::Throughput] {
            map.serialize_entry(section.key(), &self.part.section(section))?;
        }
        map.serialize_entry("latency_us", &self.part.latency_objects())?;
        map.serialize_entry("thresholds", &self.part.thresholds)?;
        map.end()
    }
}

impl StageReport {
    /// The headings of the table of stages.
    pub(crate) fn headings() -> [&'static str; 7] {
        let mut headings = ["asked/s"; 7];
        headings[1..].copy_from_slice(&COLUMNS.map(|(heading, _)| heading));
        headings
    }

    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.number, self.what)
    }

    /// The stage's row; a missing value is a dash.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts and rates are not negative"
    )]
    pub(crate) fn row(&self) -> Vec<String> {
        let number = |value: f64| short(value.round() as u64);
        let cell = |(_, name): (&str, &str)| {
            let found = FIGURES.iter().find(|figure| figure.name == name);
            let value = match (found, statistic(name)) {
                (Some(figure), _) => figure.value(&self.part),
                (None, Some(statistic)) => self
                    .part
                    .main_latency
                    .and_then(|main| self.part.latency(main))
                    .and_then(|main| main.value(statistic)),
                (None, None) => None,
            };
            let is_time = found.is_none_or(|figure| figure.unit == Unit::Microseconds);
            value.map_or_else(|| "-".into(), |value| if is_time { short_time(value) } else { number(value) })
        };
        std::iter::once(number(self.rate_per_s)).chain(COLUMNS.map(cell)).collect()
    }
}

/// The reports of the recorded stages, in a run whose first connection was started at `began`. Stages that
/// were not started are omitted.
pub(crate) fn stages(
    asked: &[AskedStage],
    records: &StageRecords,
    (began, timeline): (u64, Timeline),
    report: &LoadReport,
) -> Vec<StageReport> {
    let common = LoadReport {
        series: Vec::new(),
        latencies: Vec::new(),
        groups: Vec::new(),
        shard: None,
        ..report.clone()
    };
    let all = asked.iter().zip(&records.recorders).enumerate();
    let entered = all.filter_map(|(place, (stage, recorder))| {
        let from = records.mark(place)?;
        let until = records.mark(place + 1).unwrap_or(u64::MAX).min(timeline.end);
        let length = until.checked_sub(from).filter(|length| *length > 0)?;
        let seconds = |nanoseconds: u64| round(microseconds(nanoseconds) / 1e6);
        let mut part = LoadReport {
            counts: recorder.counts,
            window_s: seconds(length),
            taken_s: None,
            balance: None,
            thresholds: Vec::new(),
            ..common.clone()
        };
        let latency = |kind| {
            let never = never(&part, kind, recorder.histogram(kind).is_some());
            Latency::new(recorder, kind, never)
        };
        part.latencies = LATENCIES.iter().filter_map(|latency_figure| latency(latency_figure.kind)).collect();
        let second = seconds(from.saturating_sub(began));
        Some(StageReport {
            number: place + 1,
            what: stage.what.clone(),
            second,
            rate_per_s: round(stage.rate),
            part,
        })
    });
    entered.collect()
}

/// Sets the stage of each row of the series.
pub(crate) fn mark(series: &mut [SeriesSecond], stages: &[StageReport]) {
    for row in series.iter_mut().filter(|row| row.phase == Course::Measure) {
        let entered = stages.iter().rev().find(|stage| stage.second <= row.second + 0.001);
        row.stage = entered.map_or(0, |stage| stage.number as u64);
    }
}

impl LoadReport {
    /// All limits; those of stages with the stage's name.
    pub(crate) fn limits(&self) -> impl Iterator<Item = (String, &ThresholdResult)> {
        let whole = self.thresholds.iter().map(|result| (String::new(), result));
        let of_stage = |stage: &StageReport| format!("stage {}: ", stage.number);
        let stages = self
            .stages
            .iter()
            .flat_map(move |stage| stage.part.thresholds.iter().map(move |result| (of_stage(stage), result)));
        whole.chain(stages)
    }
}
