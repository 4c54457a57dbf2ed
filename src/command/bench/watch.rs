//! `RunLimits` that end a run early: `--abort-on-fail`. Every second the threads report what they have
//! recorded so far, and a report is made from it as at the end of a run.

use std::time::Duration;

use super::beside::Beside;
use super::config::Load;
use super::machine::Host;
use super::recorder::Recorder;
use super::report::broker::BrokerReport;
use super::report::{Aborted, Drained, LoadReport, Phases, RunOutcome};
use super::stamp::{Phase, Timeline};
use super::threshold::{RunLimits, Threshold};

/// Converts to nanoseconds of the monotonic clock.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The interval of the checks, in nanoseconds.
const PAUSE: u64 = 1_000_000_000;

/// The limits of a run, and the time of the next check.
pub(super) struct LimitWatch<'a> {
    load: &'a Load,
    limits: &'a RunLimits,
    /// Limits apply from this time of the measurement or stage on, in nanoseconds.
    grace: u64,
    /// `None` until the start of the measurement is known.
    timeline: Option<Timeline>,
    next: u64,
    /// The records that threads have sent for the current check.
    heard: Vec<Vec<Recorder>>,
}

impl<'a> LimitWatch<'a> {
    /// A watch over these limits, if a broken limit ends the run.
    pub(super) fn new(load: &'a Load, limits: &'a RunLimits) -> Option<Self> {
        let grace = nanoseconds(load.abort_after?);
        Some(Self { load, limits, grace, timeline: None, next: u64::MAX, heard: Vec::new() })
    }

    /// Sets the timeline of the run.
    pub(super) fn start(&mut self, timeline: Timeline) {
        self.timeline = Some(timeline);
        self.next = timeline.measure.saturating_add(self.grace.max(PAUSE));
    }

    /// When the next check is due.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Notes that the threads were asked; they are asked again only after all have answered.
    pub(super) fn asks(&mut self) {
        self.next = u64::MAX;
        self.heard.clear();
    }

    /// Adds the records of one of `threads` threads. Returns the broken limit that ends the run, if there is
    /// one.
    pub(super) fn hear(&mut self, recorders: Vec<Recorder>, threads: usize, time: u64) -> Option<Aborted> {
        self.heard.push(recorders);
        if self.heard.len() < threads {
            return None;
        }
        self.next = time.saturating_add(PAUSE);
        let mut merged = Recorder::default();
        for recorder in self.heard.drain(..).flatten() {
            merged.merge(recorder);
        }
        let timeline = self.timeline.filter(|timeline| time < timeline.end)?;
        self.look(merged, Timeline { end: time, ..timeline })
    }

    fn look(&self, mut recorder: Recorder, timeline: Timeline) -> Option<Aborted> {
        self.settle(&mut recorder, timeline);
        let since = |mark: u64| timeline.end.saturating_sub(mark);
        #[allow(clippy::cast_precision_loss, reason = "a time is shown with three digits")]
        let seconds = |nanoseconds: u64| nanoseconds as f64 / 1e9;
        let report = LoadReport::new(self.load, so_far(recorder, timeline, seconds(since(timeline.measure))));
        let broken = |limits: &[Threshold], report: &LoadReport| {
            limits.iter().find(|limit| limit.is_broken(report)).map(|limit| limit.result(report))
        };
        let whole = broken(&self.limits.whole, &report).map(|result| (String::new(), result));
        let marks = self.load.stage_marks(timeline.measure);
        let mut stages = report
            .stages
            .iter()
            .filter(|stage| marks.get(stage.number - 1).is_some_and(|mark| since(*mark) >= self.grace));
        let of_stage = || {
            stages.find_map(|stage| {
                let limits = self.limits.stages.get(stage.number - 1)?;
                Some((format!("stage {}: ", stage.number), broken(limits, &stage.part)?))
            })
        };
        let (of, result) = whole.or_else(of_stage)?;
        let after_s = (seconds(since(timeline.measure)) * 1000.0).round() / 1000.0;
        Some(Aborted { after_s, limit: format!("{of}{}", result.shown()) })
    }

    /// Removes messages that may still arrive: deliveries count as missing once their messages are older than
    /// the drain timeout.
    fn settle(&self, recorder: &mut Recorder, timeline: Timeline) {
        let Recorder { counts, beside, .. } = recorder;
        let Some(Beside { stages, ledger: Some(ledger), .. }) = beside.as_deref_mut() else { return };
        let until = timeline.end.saturating_sub(nanoseconds(self.load.drain));
        let all = ledger.between(timeline.measure, until);
        let messages = &mut counts.messages[Phase::Measure as usize];
        messages.expected = messages.delivered + all.missing();
        let Some(stages) = stages else { return };
        for place in 0..stages.recorders.len() {
            let from = stages.mark(place).unwrap_or(u64::MAX);
            let to = stages.mark(place + 1).unwrap_or(u64::MAX).min(until);
            let part = ledger.between(from, to);
            let messages = stages.recorders[place].messages(Phase::Measure);
            messages.expected = messages.delivered + part.missing();
        }
    }
}

/// The result as if the run had ended now.
fn so_far(recorder: Recorder, timeline: Timeline, window_s: f64) -> RunOutcome {
    RunOutcome {
        recorder,
        groups: Vec::new(),
        series: Vec::new(),
        phases: Phases { connect: 0.0, subscribe: 0.0, warmup: 0.0, measure: window_s, drain: 0.0 },
        timeline,
        stored_s: None,
        retained_left: false,
        window_s,
        interrupted: false,
        aborted: None,
        drained: Drained::default(),
        problems: Vec::new(),
        disturbed: Vec::new(),
        beside: BrokerReport::default(),
        began: 0,
        started: String::new(),
        broker: String::new(),
        protocol: String::new(),
        host: Host::default(),
        payload_bytes: 0,
        window: u16::MAX,
        process_cpu_s: 0.0,
        memory_bytes: 0,
        shard: None,
    }
}
