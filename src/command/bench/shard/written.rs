//! The records that a run of this process writes into its report for the merge.

use std::time::SystemTime;

use super::super::config::{Configuration, Load};
use super::super::engine::fleet::Fleet;
use super::super::recorder::Recorder;
use super::super::report::RunOutcome;
use super::super::report::asked::AskedLoad;
use super::super::report::finding::Problem;
use super::super::report::latency::round;
use super::super::stamp::Timeline;
use super::super::threshold::{RunLimits, Threshold};
use super::around::ImpactRecord;
use super::digest::digest;
use super::part::SharedStart;
use super::record::{GroupRecord, RecordedCounts, ShardClock, ShardRecord, StageRecord};
use crate::alarm::now;
use crate::clock;

impl ShardRecord {
    /// The records of an ended run and of its groups; `None` for a load without shards.
    pub(in crate::command::bench) fn of_run(
        load: &Load,
        limits: &RunLimits,
        outcome: &RunOutcome,
        (groups, clock): (Vec<GroupRecord>, ShardClock),
    ) -> Option<Box<Self>> {
        let shard = load.shard.as_ref()?;
        let (broker, protocol) = (outcome.broker.clone(), outcome.protocol.clone());
        let configuration = Configuration::of(load, broker, protocol, outcome.payload_bytes);
        let Timeline { start, measure, end } = outcome.timeline;
        let has_started = measure > 0;
        #[allow(clippy::cast_precision_loss, reason = "a time needs no 16 digits")]
        let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
        let since = now().saturating_sub(start);
        let start_unix = clock::since_1970(SystemTime::now()).map(|time| time.as_secs_f64() - seconds(since));
        let texts = |all: &Vec<Threshold>| all.iter().map(|one| one.text().to_owned()).collect();
        let beside = outcome.recorder.beside.as_ref();
        let records = beside.and_then(|beside| beside.stages.as_ref());
        let impact = beside.and_then(|beside| beside.impact.as_ref());
        let stages = records.iter().flat_map(|records| {
            let stage = |(place, recorder): (usize, &Recorder)| StageRecord {
                begin_ns: records.mark(place).unwrap_or(measure).saturating_sub(measure),
                recorded: RecordedCounts::of(recorder, measure),
            };
            records.recorders.iter().enumerate().map(stage)
        });
        Some(Box::new(Self {
            run_id: shard.run_id.clone(),
            number: shard.number,
            of: shard.of,
            configuration: digest(load, &configuration),
            clients: load.own_clients(),
            clock,
            start: shard.start.name().into(),
            start_s: has_started.then(|| round(seconds(start.saturating_sub(outcome.began)))),
            start_unix_s: start_unix.filter(|_| has_started),
            warmup_ns: measure.saturating_sub(start),
            measure_ns: end.saturating_sub(measure),
            asked: AskedLoad::of(load),
            fail_if: texts(&limits.whole),
            stages_fail_if: limits.stages.iter().map(texts).collect(),
            drain_unanswered: outcome.drained.is_unanswered,
            drain_arriving: outcome.drained.is_arriving,
            subscribe_unanswered: outcome.problems.contains(&Problem::SubscribeUnanswered),
            stored_s: outcome.stored_s,
            retained_left: outcome.retained_left,
            window: outcome.window,
            payload_bytes: outcome.payload_bytes,
            groups,
            stages: stages.collect(),
            impact: impact.map(|impact| ImpactRecord::of(impact, &outcome.disturbed, measure)),
        }))
    }
}

impl GroupRecord {
    /// The records of each group's clients, if the load has shards.
    pub(in crate::command::bench) fn all(fleet: &Fleet, recorders: &[Recorder], measure: u64) -> Vec<Self> {
        let groups = fleet.groups.iter().zip(recorders).filter(|_| fleet.load.shard.is_some());
        let record = |(group, recorder): (&super::super::engine::fleet::FleetGroup, &Recorder)| Self {
            name: group.group.name.clone(),
            clients: fleet.load.own_clients_of(&group.plan),
            recorded: RecordedCounts::of(recorder, measure),
        };
        groups.map(record).collect()
    }
}

impl SharedStart {
    fn name(&self) -> &'static str {
        match self {
            Self::Unaligned => "unaligned",
            Self::At(_) => "at",
            Self::Barrier { .. } => "barrier",
        }
    }
}
