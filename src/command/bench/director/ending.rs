//! The end of a run: waits for messages in flight or the drain timeout, then sums up the records of all
//! threads.

use super::super::engine::fleet::{Fleet, FleetGroup};
use super::super::watching::Stage;
use super::{
    Deliveries, Director, KILL_LIMIT, SILENCE, SILENCE_OF_RETAINED, SLOW_TICK, STILL, TICK, nanoseconds,
};
use crate::alarm::now;
use crate::command::bench::config::{Load, Mode, Rate, StopAfter};
use crate::command::bench::recorder::Recorder;
use crate::command::bench::report::SeriesSecond;
use crate::command::bench::report::group::GroupReport;
use crate::command::bench::shard::record::GroupRecord;
use crate::command::bench::stamp::{Phase, Timeline};

/// How long the messages of the measurement take on their schedule, if there is one.
#[allow(clippy::cast_precision_loss, reason = "counts of messages are below 9 × 10¹⁵")]
pub(super) fn scheduled_s(load: &Load, recorder: &Recorder) -> f64 {
    let measured = recorder.counts.messages[Phase::Measure as usize];
    let messages = match load.stop {
        // The rate is that of all shards.
        StopAfter::Count(count) if load.shard.is_some() => count,
        _ => measured.sent + measured.not_sent,
    };
    match load.rate {
        Rate::PerSecond(rate) if load.mode.publishes() => messages as f64 / rate,
        _ => 0.0,
    }
}

impl Director<'_> {
    /// Waits for messages in flight, as long as some still arrive.
    pub(super) async fn drain(&mut self, load: &Load, limit: u64, mut arrivals: Deliveries) {
        let waits = load.mode.receives_its_own();
        let silence = if load.mode == Mode::Retained { SILENCE_OF_RETAINED } else { SILENCE };
        let began = now();
        self.watching.enter(Stage::Drain(limit), began);
        if load.mode.has_schedule() && !self.is_over() {
            let idle = |this: &Self| this.all(|board| &board.idle);
            let done = self.wait(limit, TICK, |this| {
                let (expected, delivered) =
                    (this.sum(|board| &board.expected), this.sum(|board| &board.delivered));
                arrivals.note(delivered);
                let silent = now() - arrivals.last.unwrap_or(0).max(began) > nanoseconds(silence);
                // A shard does not know what the others send to it.
                let is_all = load.shards() == 1 && delivered >= expected;
                idle(this) && (!waits || is_all || silent) || this.is_alone()
            });
            if !done.await && !self.interrupted {
                self.drained.is_unanswered = !idle(self);
                self.drained.is_arriving = waits && arrivals.last.is_some_and(|last| now() - last < STILL);
            }
        }
        self.drained_at = now();
        self.end_commands(limit).await;
    }

    /// Lets the commands of disturbances end by themselves until the drain timeout.
    async fn end_commands(&mut self, limit: u64) {
        if !self.interrupted {
            self.wait(limit, SLOW_TICK, |this| !this.disturber.runs()).await;
        }
        if self.disturber.runs() {
            self.disturber.kill();
            self.wait(now() + KILL_LIMIT, SLOW_TICK, |this| !this.disturber.runs()).await;
        }
    }

    /// The records of all threads: of all groups together, and of each group of a scenario.
    pub(super) fn sum_up(&mut self, fleet: &Fleet, timeline: Timeline) -> (Recorder, Vec<GroupReport>) {
        let mut of_groups: Vec<Recorder> = Vec::new();
        for thread in self.finished.drain(..) {
            of_groups.resize_with(thread.len(), Recorder::default);
            of_groups.iter_mut().zip(thread).for_each(|(group, recorder)| group.merge(recorder));
        }
        self.shard_groups = GroupRecord::all(fleet, &of_groups, timeline.measure);
        let groups = fleet.groups.iter().zip(&of_groups).filter(|_| fleet.load.scenario.is_some());
        let report = |(group, recorder): (&FleetGroup, &Recorder)| {
            GroupReport::new(&group.group.name, fleet.load.own_clients_of(&group.plan), recorder)
        };
        let reports = groups.map(report).collect();
        let mut merged = Recorder::default();
        for recorder in of_groups {
            merged.merge(recorder);
        }
        (merged, reports)
    }

    /// The rows of the series in order.
    pub(super) fn series(&mut self) -> Vec<SeriesSecond> {
        let mut series = std::mem::take(&mut self.series);
        // Some threads have not reported the last rows.
        let rest = std::mem::take(&mut self.seconds).into_iter();
        series.extend(rest.map(|(row, (_, second))| SeriesSecond::new(row, self.began, &second)));
        series.sort_by(|one, other| one.second.total_cmp(&other.second));
        series.retain(|row| row.length_s > 0.0);
        series
    }
}
