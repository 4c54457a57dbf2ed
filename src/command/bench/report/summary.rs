//! Computes the report from the recorded values, and decides whether it is valid: whether the run measured
//! anything, and how unanswered messages count. Otherwise a hung broker would look fast.

use hdrhistogram::Histogram;

use super::super::config::{Configuration, Load, Mode};
use super::super::operation::OperationStep;
use super::super::recorder::{Counts, CpuTime, LatencyKind, MessageCounts};
use super::super::stamp;
use super::aftermath::{self, aftermaths, tells_messages};
use super::asked::AskedLoad;
use super::balance::Balance;
use super::figure::SENT_RATE;
use super::finding::{Findings, Note, Nothing, Problem};
use super::latency::{LATENCIES, Latency, ONE_WAY, is_certain, microseconds, round, statistic};
use super::stage;
use super::{Cause, Drained, Generator, LoadReport, RunOutcome, undelivered};

/// Minimum time for a share of CPU time: shorter samples are not meaningful.
const SHORTEST_WATCH: u64 = 100_000_000;

/// A thread that is busy for this share of the time cannot send on time.
const MOST_CPU: f64 = 0.95;
/// A message sent later than this is late, in nanoseconds.
const LATE_NS: u64 = 5_000_000;
/// The generator counts as late from this number and this share of late messages on. Fewer occur on any
/// system.
const FEWEST_LATE: u64 = 10;
const LATE_PART: u64 = 100;
/// A client whose first SYN is not answered repeats it after one second (RFC 6298, 2.1): a connection that
/// takes about that long or longer usually had a repeated SYN.
const SYN_RETRY_US: f64 = 900_000.0;
/// A share of warm-up messages in the measurement above 1 in this number gets a note, because it affects
/// percentiles. A few occur at every boundary.
const MUCH_WARMUP: u64 = 100;
const FEWEST_WARMUP: u64 = 10;
/// Below this share of the requested rate, a note says that the rate was not reached.
const REACHED: f64 = 0.9;

impl LoadReport {
    /// Computes the report.
    pub(crate) fn new(load: &Load, outcome: RunOutcome) -> Self {
        let (broker, protocol) = (outcome.broker.clone(), outcome.protocol.clone());
        let configuration = Configuration::of(load, broker, protocol, outcome.payload_bytes);
        Self::sum_up((&AskedLoad::of(load), configuration), outcome)
    }

    /// Computes the report from the requested load and the result.
    pub(crate) fn sum_up((asked, configuration): (&AskedLoad, Configuration), outcome: RunOutcome) -> Self {
        let recorder = outcome.recorder;
        let counts = recorder.counts;
        let taken_s = (recorder.barrier_at > outcome.timeline.measure && counts.unconfirmed == 0)
            .then(|| microseconds(recorder.barrier_at - outcome.timeline.measure) / 1e6)
            .filter(|_| {
                // After a lost connection, the broker may not have read all messages sent on it.
                let is_whole = !asked.reconnects || counts.lost == 0;
                asked.qos == 0 && asked.mode.publishes() && !outcome.drained.is_unanswered && is_whole
            });
        // At 1 per second, the first of 3 connections starts at once, but all three take 3 seconds.
        let ramp_s = asked.ramp.map_or(0.0, |ramp| quotient(counts.attempted, ramp));
        let share =
            |cpu: &CpuTime| round(microseconds(cpu.busy) / microseconds(cpu.passed.max(SHORTEST_WATCH)));
        let mut errors: Vec<Cause> = recorder
            .errors
            .iter()
            .map(|(cause, count)| Cause { cause: cause.clone(), count: *count })
            .collect();
        errors.sort_by_key(|cause| std::cmp::Reverse(cause.count));
        let mut report = Self {
            mode: asked.mode,
            qos: asked.qos,
            valid: true,
            findings: Findings { problems: outcome.problems, notes: Vec::new() },
            interrupted: outcome.interrupted,
            aborted: outcome.aborted,
            started: outcome.started,
            host: outcome.host,
            operations: configuration.operations.iter().map(|load| load.kind).collect(),
            configuration,
            is_part: asked.is_part,
            shard: outcome.shard,
            merged: None,
            phases_s: outcome.phases,
            counts,
            groups: outcome.groups,
            connecting_s: outcome.phases.connect.max(ramp_s),
            window_s: outcome.window_s,
            stored_s: outcome.stored_s,
            balance: Balance::of(&recorder.shares),
            taken_s,
            main_latency: None,
            latencies: Vec::new(),
            generator: Generator {
                saturated: false,
                thread_cpu_share: recorder.cpu.iter().map(share).collect(),
                threads_cpu_s: microseconds(recorder.cpu.iter().map(|cpu| cpu.busy).sum()) / 1e6,
                process_cpu_s: round(outcome.process_cpu_s),
                memory_bytes: outcome.memory_bytes,
                share_of_ceiling: None,
            },
            errors,
            thresholds: Vec::new(),
            series: outcome.series,
            disturbances: Vec::new(),
            broker: outcome.beside,
            stages: Vec::new(),
        };
        if let Some(impact) = recorder.beside.as_ref().and_then(|beside| beside.impact.as_ref()) {
            let tells = !asked.is_part && tells_messages(asked.mode, report.interrupted, counts.unstamped);
            report.disturbances =
                aftermaths(&asked.disturbances, impact, &outcome.disturbed, outcome.began, tells);
            aftermath::mark(&mut report.series, &report.disturbances);
        }
        let never = |kind| never(&report, kind, recorder.histogram(kind).is_some());
        let latencies = LATENCIES.iter().map(|latency| latency.kind);
        report.latencies = latencies.filter_map(|kind| Latency::new(&recorder, kind, never(kind))).collect();
        let is_measured = |kind: &LatencyKind| report.latency(*kind).is_some_and(|found| found.all.is_some());
        // Churn may have connections only.
        let other = Some(LatencyKind::Again).filter(|_| asked.mode == Mode::Churn);
        report.main_latency = asked.main_latency().filter(is_measured).or(other.filter(is_measured));
        if let Some(records) = recorder.beside.as_ref().and_then(|beside| beside.stages.as_ref()) {
            report.stages = stage::stages(&asked.stages, records, (outcome.began, outcome.timeline), &report);
            stage::mark(&mut report.series, &report.stages);
        }
        report.judge(asked, outcome.drained);
        report.explain(asked, outcome.drained, outcome.window, outcome.payload_bytes);
        if outcome.retained_left {
            report.findings.notes.push(Note::RetainedLeft);
        }
        report
    }
}

impl LoadReport {
    /// Latencies from client to client have this possible error in nanoseconds: values of less than ten times that are not shown.
    pub(crate) fn doubt_one_way(&mut self, error: u64) {
        let one_way = self.latencies.iter_mut().filter(|latency| ONE_WAY.contains(&latency.kind));
        one_way.for_each(|latency| latency.error = error);
        self.groups
            .iter_mut()
            .filter_map(|group| group.delivery_us.as_mut())
            .for_each(|all| all.doubt(error));
        for row in &mut self.series {
            row.max_us = row.max_us.filter(|value| is_certain(*value, error));
        }
        self.stages.iter_mut().for_each(|stage| stage.part.doubt_one_way(error));
        self.disturbances.iter_mut().for_each(|disturbance| disturbance.doubt_one_way(error));
    }
}

#[allow(clippy::cast_precision_loss, reason = "a time needs no 16 digits")]
fn quotient(count: u64, per_second: f64) -> f64 {
    count as f64 / per_second
}

/// The number of missing values of a latency that are not in its histogram: deliveries that did not arrive,
/// and failed connections.
pub(crate) fn never(report: &LoadReport, kind: LatencyKind, has_answers: bool) -> u64 {
    let unstamped = report.counts.unstamped > 0;
    let undelivered = if unstamped || report.is_part { 0 } else { undelivered(&report.counts) };
    match kind {
        LatencyKind::ConnAck | LatencyKind::UntilConnAck => report.counts.failed,
        LatencyKind::Delivery | LatencyKind::RoundTrip => undelivered,
        LatencyKind::DeliveryFromSend | LatencyKind::RoundTripFromSend if has_answers => undelivered,
        _ => 0,
    }
}

/// Why a load with messages measured nothing, if so. `is_stored` is false if it needs retained messages that the broker
/// did not take.
fn nothing_measured(asked: &AskedLoad, counts: &Counts, is_stored: bool) -> Option<Nothing> {
    if asked.mode == Mode::Connect || counts.connected == 0 || asked.is_part {
        return None;
    }
    let [warmup, measured] = counts.messages;
    let (due, sent) = (measured.sent + measured.not_sent, measured.sent);
    Some(match asked.mode {
        Mode::Subscribe if measured.delivered == 0 => Nothing::NoneReceived,
        Mode::Subscribe => return None,
        _ if !is_stored => Nothing::NotStored,
        Mode::Retained | Mode::Churn | Mode::Wills => {
            return no_operation(counts).or_else(|| unheard(asked.mode, &measured));
        }
        _ if due == 0 => Nothing::NoneDue,
        _ if counts.window.own_sent == 0 && counts.window.sent + warmup.not_sent > 0 => Nothing::StillWarmUp,
        _ if counts.window.own_sent == 0 => Nothing::NoneSent(due),
        _ if measured.refused >= sent => Nothing::AllRefused(sent),
        Mode::Publish if asked.qos != 0 && measured.acknowledged == 0 => Nothing::NoneAcknowledged(sent),
        Mode::EndToEnd if measured.delivered == 0 => Nothing::NoneArrived(sent),
        Mode::Request if measured.delivered == 0 => Nothing::NoneAnswered(sent),
        _ => return None,
    })
}

/// Why a load with operations instead of publishing measured nothing, if so.
fn no_operation(counts: &Counts) -> Option<Nothing> {
    let done: u64 = counts.operations.iter().map(|step| step.done).sum();
    let undone: u64 = counts.operations.iter().map(|step| step.undone).sum();
    match (done, undone) {
        (0, 0) => Some(Nothing::NoOperationDue),
        (0, undone) => Some(Nothing::NoOperationDone(undone)),
        // Answers to one kind of operation say nothing about the other.
        _ => {
            let none = |step: OperationStep, nothing: fn(u64) -> Nothing| {
                let step = counts.operations[step as usize];
                (step.done == 0 && step.undone > 0).then(|| nothing(step.undone))
            };
            none(OperationStep::Subscribe, Nothing::NoneSubscribed)
                .or_else(|| none(OperationStep::Connect, Nothing::NoneConnected))
        }
    }
}

/// Why a load with operations measured nothing though all were done, if so.
fn unheard(mode: Mode, measured: &MessageCounts) -> Option<Nothing> {
    let none = |why: fn(u64) -> Nothing| {
        (measured.expected > 0 && measured.delivered == 0).then(|| why(measured.expected))
    };
    match mode {
        Mode::Retained => none(Nothing::NoRetained),
        Mode::Wills => none(Nothing::NoWill),
        _ => None,
    }
}

/// Whether a load has no result because the broker did not confirm its messages. In a closed loop the
/// generator waits for a hung broker, so few messages are unanswered; for QoS 0 there is no other evidence.
fn unconfirmed(asked: &AskedLoad, drained: Drained) -> Option<Problem> {
    let unheard = asked.mode == Mode::Publish && asked.qos == 0;
    ((asked.closed_loop || unheard) && drained.is_unanswered)
        .then_some(Problem::Unanswered { drain: asked.drain() })
}

/// A note if connections had to repeat their SYN.
fn syn_note(p99_us: f64) -> Option<Note> {
    (p99_us >= SYN_RETRY_US).then_some(Note::ConnectRepeated { p99_us })
}

/// Whether the generator was late too often.
fn lateness(lag: &Histogram<u64>, mode: Mode) -> Option<Problem> {
    let (late, of) = (lag.len() - lag.count_between(0, LATE_NS), lag.len());
    #[allow(clippy::cast_precision_loss, reason = "a time is shown with three digits")]
    let limit_us = LATE_NS as f64 / 1000.0;
    (late >= FEWEST_LATE && late * LATE_PART > of).then_some(match mode {
        Mode::Connect => Problem::ConnectedLate { late, of, limit_us },
        Mode::Retained | Mode::Churn | Mode::Wills => Problem::OperatedLate { late, of, limit_us },
        _ => Problem::SentLate { late, of, limit_us },
    })
}

/// Notes on messages that the figures do not contain, or that they contain in addition.
fn notes(asked: &AskedLoad, report: &LoadReport) -> Vec<Note> {
    let (counts, measured) = (&report.counts, report.measured());
    let timed = asked.main_latency().is_some();
    let own = asked.mode.has_schedule();
    let about = [
        (measured.not_sent, true, Note::NotSent { messages: measured.not_sent, timed }),
        (measured.unacknowledged, true, Note::Unacknowledged(measured.unacknowledged)),
        (report.lost(), own, Note::NeverArrived(report.lost())),
        (report.under_way(), own, Note::NotYetArrived(report.under_way())),
        (counts.foreign, own, Note::ForeignMessages(counts.foreign)),
    ];
    let mut notes: Vec<Note> = about
        .into_iter()
        .filter(|(number, applies, _)| *applies && *number > 0)
        .map(|(.., note)| note)
        .collect();
    let (warmup, of) = (counts.window.sent - counts.window.own_sent, counts.window.sent);
    // Jitter moves warm-up messages into the measurement.
    let moved = asked.has_jitter;
    let much = warmup >= FEWEST_WARMUP && warmup * MUCH_WARMUP > of;
    if much && counts.window.own_sent > 0 && !moved {
        notes.push(Note::WarmUpInMeasurement { warmup, of });
    }
    notes
}

impl LoadReport {
    /// Decides whether the figures represent the broker under the requested load.
    pub(crate) fn judge(&mut self, asked: &AskedLoad, drained: Drained) {
        let lag = self.latency(LatencyKind::ScheduleLag).and_then(|lag| lag.answered.as_ref());
        let late = lag.and_then(|lag| lateness(lag, asked.mode));
        let is_stored = asked.mode != Mode::Retained || self.stored_s.is_some();
        let nothing = nothing_measured(asked, &self.counts, is_stored).filter(|_| !self.interrupted);
        let share = self.generator.busiest();
        let busy = (share > MOST_CPU).then_some(Problem::ThreadBusy { share });
        let Counts { failed, lost, refused_subscriptions, attempted, .. } = self.counts;
        let found = [
            late,
            unconfirmed(asked, drained),
            nothing.map(Problem::NothingMeasured),
            busy,
            (failed > 0).then_some(Problem::ConnectionsFailed { failed, attempted }),
            (lost > 0 && !asked.reconnects).then_some(Problem::ConnectionsLost(lost)),
            (refused_subscriptions > 0).then_some(Problem::SubscriptionsRefused(refused_subscriptions)),
        ];
        let failed =
            self.disturbances.iter().filter(|disturbance| disturbance.failure.is_some()).count() as u64;
        let failed = (failed > 0 && !self.interrupted).then_some(Problem::CommandsFailed(failed));
        let problems = &mut self.findings.problems;
        problems.extend(failed);
        problems.extend(found.into_iter().flatten());
        self.generator.saturated = problems.iter().any(|problem| problem.is_saturation());
        self.valid = problems.is_empty();
    }

    /// Adds notes on the figures. `window` is the number of messages that the broker allows a client to have
    /// in flight.
    pub(crate) fn explain(&mut self, asked: &AskedLoad, drained: Drained, window: u16, payload_bytes: usize) {
        let sent = SENT_RATE.value(self).unwrap_or(0.0);
        let mut notes = notes(asked, self);
        if asked.mode.publishes() && asked.qos != 0 && window < asked.max_inflight {
            notes.push(Note::WindowLimited { window, asked: asked.max_inflight });
        }
        if asked.mode.publishes() {
            match stamp::bytes_in(payload_bytes) {
                0 => notes.push(Note::NoStamp { payload_bytes }),
                stamp::SHORT_BYTES if asked.mode.receives_its_own() && !asked.closed_loop => {
                    notes.push(Note::ShortStamp { payload_bytes });
                }
                _ => {}
            }
        }
        let unstamped = self.counts.unstamped;
        if asked.mode == Mode::Subscribe && unstamped > 0 {
            notes.push(Note::Unstamped(unstamped));
        }
        let foreign_clock = asked.mode == Mode::Subscribe
            || asked.is_part && matches!(asked.mode, Mode::EndToEnd | Mode::Wills);
        if foreign_clock && self.measured().delivered > unstamped {
            notes.push(Note::OtherClock);
        }
        if drained.is_unanswered && unconfirmed(asked, drained).is_none() {
            notes.push(Note::Unanswered { drain: asked.drain() });
        }
        if drained.is_arriving && self.lost() > 0 && !self.interrupted {
            notes.push(Note::StillArriving { drain: asked.drain() });
        }
        let connect = self.latency(LatencyKind::Connect).zip(statistic("p99"));
        notes.extend(connect.and_then(|(connect, p99)| syn_note(connect.measured(p99))));
        let missed = asked.disturbances.len().saturating_sub(self.disturbances.len()) as u64;
        if missed > 0 && !self.interrupted {
            notes.push(Note::NotDisturbed(missed));
        }
        if self.counts.away > 0 {
            notes.push(Note::NotBack(self.counts.away));
        }
        if let Some(duration_s) = asked.duration_s
            && self.phases_s.measure > 0.0
            && self.phases_s.measure < duration_s * REACHED
            && self.counts.lost > 0
            && !self.interrupted
        {
            let (asked_us, measured_us) = (duration_s * 1e6, self.phases_s.measure * 1e6);
            notes.push(Note::CutShort { measured_us, asked_us });
        }
        let cut_short = self.interrupted || self.aborted.is_some();
        let is_partial = self.findings.problems.iter().any(|problem| problem.is_of_absent_shards());
        let disturbed = self.generator.saturated || cut_short || is_partial || self.counts.lost > 0;
        // Jitter delays messages past the end, and a count ends with the last answer.
        let disturbed = disturbed || asked.has_jitter || asked.duration_s.is_none();
        if let Some(rate) = asked.mean_rate
            && asked.mode.publishes()
            && !disturbed
            && !asked.is_part
            && sent > 0.0
            && sent < rate * REACHED
        {
            notes.push(Note::RateNotReached { asked: rate, sent });
        }
        if let Some(shard) = self.shard.as_ref().filter(|_| asked.is_part) {
            notes.push(Note::OneShard { number: shard.number, of: shard.of });
        }
        notes.append(&mut self.broker.notes);
        self.findings.notes = notes;
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::histogram::histogram;
    use super::super::undelivered;
    use super::*;

    #[test]
    fn retried_connections_are_reported() {
        assert_eq!(syn_note(899_000.0), None);
        assert!(syn_note(1_020_000.0).unwrap().to_string().contains("--ramp"));
    }

    /// An old message that cannot be told from a duplicate does not prove that another has arrived.
    #[test]
    fn duplicates_do_not_offset_losses() {
        let mut counts = Counts::default();
        let measured = &mut counts.messages[1];
        (measured.expected, measured.delivered, measured.stale) = (1500, 1420, 80);
        assert_eq!(undelivered(&counts), 80);
    }

    #[test]
    fn few_late_messages_do_not_invalidate_a_run() {
        let late = |late: u64, of: u64| {
            let mut lag = histogram();
            lag.record_n(20_000_000, late).unwrap();
            lag.record_n(100_000, of - late).unwrap();
            lateness(&lag, Mode::Publish)
        };
        assert_eq!(late(0, 1), None);
        assert_eq!(late(9, 50), None, "9 are too few to tell");
        assert_eq!(late(10, 1000), None, "a hundredth");
        let words = "generator saturated: 10 of 999 messages were sent more than 5.00 ms late";
        assert_eq!(late(10, 999).map(|problem| problem.to_string()).as_deref(), Some(words));
    }
}
