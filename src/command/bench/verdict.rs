//! What a run is worth: whether it measured anything, and what is known of messages that had no
//! answer when it ended. Left out, they would make a broker that hangs look fast.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::config::{Load, Mode, Rate, Stop};
use super::finding::{Note, Nothing, Problem};
use super::phases::Drained;
use super::recorder::{Counts, Kind, Recorder, histogram};
use super::summary::{MessageFigures, Report};
use super::words::whole;
use crate::protocol::QoS;

/// Own sending that is later than this is late, in nanoseconds.
const LATE_NS: u64 = 5_000_000;
/// So many late messages, and such a part of all, say more about the generator than about the
/// broker. Fewer are what any system does now and then.
const FEWEST_LATE: u64 = 10;
const LATE_PART: u64 = 100;
/// A connection whose first SYN was not answered waits for a second before it asks again (RFC 6298,
/// 2.1): one that takes nearly as long or longer did, as a rule.
const SYN_RETRY_US: f64 = 900_000.0;
/// Such a part of what was sent in the measurement being the warm-up's is worth a word: from there on it
/// is in the percentiles. A few are what any boundary has.
const MUCH_WARMUP: u64 = 100;
const FEWEST_WARMUP: u64 = 10;
/// Below this part of the rate that was asked for, it was not reached.
const REACHED: f64 = 0.9;

/// Of a latency, what is not in its histogram.
#[derive(Debug, Clone)]
pub(super) struct Unanswered {
    /// Those that had an answer.
    answered: Histogram<u64>,
    /// How many had none.
    missing: u64,
}

impl Unanswered {
    /// A statistic in microseconds for comparison with a limit. What had no answer took longer than
    /// every limit: how much longer nobody knows, and so no percentile can be taken without it.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of messages are below 9 × 10¹⁵"
    )]
    pub(super) fn get(&self, statistic: &str) -> f64 {
        let answered = self.answered.len();
        let at = |rank: u64| {
            if rank > answered {
                return f64::INFINITY;
            }
            // Between two ranks, so that rounding leads to neither of the neighbours.
            let quantile = (rank as f64 - 0.5) / answered as f64;
            self.answered.value_at_quantile(quantile) as f64 / 1000.0
        };
        match (statistic, statistic.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok())) {
            (_, Some(percent)) => {
                at(((percent / 100.0 * (answered + self.missing) as f64).ceil() as u64).max(1))
            }
            ("min", _) => at(1),
            _ => f64::INFINITY,
        }
    }

    /// How many of how many had none, in words.
    #[allow(clippy::cast_precision_loss, reason = "a percentage")]
    pub(super) fn text(&self) -> String {
        let all = self.answered.len() + self.missing;
        let share = self.missing as f64 / all.max(1) as f64 * 100.0;
        format!("beyond any limit: {share:.2} % never came ({} of {})", whole(self.missing), whole(all))
    }
}

/// What is missing of each latency: what had no answer when the run ended, deliveries that never
/// came, and connections that failed.
pub(super) fn unanswered(
    recorder: &Recorder,
    messages: &MessageFigures,
) -> BTreeMap<&'static str, Unanswered> {
    let undelivered = if messages.unstamped > 0 { 0 } else { messages.lost + messages.under_way };
    let mut all = BTreeMap::new();
    for kind in Kind::ALL {
        let answered = recorder.histogram(kind).cloned();
        let never = match kind {
            Kind::ConnAck | Kind::UntilConnAck => recorder.counts.failed,
            Kind::Delivery | Kind::RoundTrip => undelivered,
            Kind::DeliveryFromSend | Kind::RoundTripFromSend if answered.is_some() => undelivered,
            _ => 0,
        };
        let missing = recorder.waited(kind).map_or(0, Histogram::len) + never;
        if missing > 0 {
            all.insert(kind.key(), Unanswered { answered: answered.unwrap_or_else(histogram), missing });
        }
    }
    all
}

/// Why a load with messages has measured nothing, if it has not.
pub(super) fn nothing_measured(load: &Load, counts: &Counts) -> Option<Nothing> {
    if load.mode == Mode::Connect || counts.connected == 0 {
        return None;
    }
    let [warmup, measured] = counts.messages;
    let (due, sent) = (measured.sent + measured.not_sent, measured.sent);
    Some(match load.mode {
        Mode::Subscribe if measured.delivered == 0 => Nothing::NoneReceived,
        Mode::Subscribe => return None,
        _ if due == 0 => Nothing::NoneDue,
        _ if counts.window.own_sent == 0 && counts.window.sent + warmup.not_sent > 0 => Nothing::StillWarmUp,
        _ if counts.window.own_sent == 0 => Nothing::NoneSent(due),
        _ if measured.refused >= sent => Nothing::AllRefused(sent),
        Mode::Publish if load.qos != QoS::AtMostOnce && measured.acknowledged == 0 => {
            Nothing::NoneAcknowledged(sent)
        }
        Mode::EndToEnd if measured.delivered == 0 => Nothing::NoneArrived(sent),
        Mode::Request if measured.delivered == 0 => Nothing::NoneAnswered(sent),
        _ => return None,
    })
}

/// Whether a load has no result because the broker has not confirmed its messages. A closed loop waits with a
/// broker that hangs, so that few messages are without an answer; and of messages at QoS 0 nothing else is
/// known.
pub(super) fn unconfirmed(load: &Load, drained: Drained) -> Option<Problem> {
    let unheard = load.mode == Mode::Publish && load.qos == QoS::AtMostOnce;
    ((load.rate == Rate::Max || unheard) && drained.is_unanswered)
        .then_some(Problem::Unanswered { drain: load.drain })
}

/// Whether connections had to ask again.
fn syn_note(p99_us: f64) -> Option<Note> {
    (p99_us >= SYN_RETRY_US).then_some(Note::ConnectRepeated { p99_us })
}

/// Whether the generator was late too often to be what it should be.
pub(super) fn lateness(recorder: &Recorder, mode: Mode) -> Option<Problem> {
    let lag = recorder.histogram(Kind::ScheduleLag)?;
    let (late, of) = (lag.len() - lag.count_between(0, LATE_NS), lag.len());
    #[allow(clippy::cast_precision_loss, reason = "a time is shown with three digits")]
    let limit_us = LATE_NS as f64 / 1000.0;
    (late >= FEWEST_LATE && late * LATE_PART > of).then_some(if mode == Mode::Connect {
        Problem::ConnectedLate { late, of, limit_us }
    } else {
        Problem::SentLate { late, of, limit_us }
    })
}

/// What to know of the messages that are not, or not only, in the figures.
pub(super) fn notes(load: &Load, counts: &Counts, messages: &MessageFigures) -> Vec<Note> {
    let timed = Kind::main(load.mode, load.qos).is_some();
    let own = load.mode.publishes();
    let about = [
        (messages.not_sent, true, Note::NotSent { messages: messages.not_sent, timed }),
        (messages.unacknowledged, true, Note::Unacknowledged(messages.unacknowledged)),
        (messages.lost, own, Note::NeverArrived(messages.lost)),
        (messages.under_way, own, Note::NotYetArrived(messages.under_way)),
        (messages.foreign, own, Note::ForeignMessages(messages.foreign)),
    ];
    let mut notes: Vec<Note> = about
        .into_iter()
        .filter(|(number, applies, _)| *applies && *number > 0)
        .map(|(.., note)| note)
        .collect();
    let (warmup, of) = (counts.window.sent - counts.window.own_sent, counts.window.sent);
    // Jitter moves messages of the warm-up into the measurement.
    let moved = !load.jitter.is_zero();
    let much = warmup >= FEWEST_WARMUP && warmup * MUCH_WARMUP > of;
    if much && counts.window.own_sent > 0 && !moved {
        notes.push(Note::WarmUpInMeasurement { warmup, of });
    }
    notes
}

impl Report {
    /// What can be said only when all figures are known.
    pub(super) fn explain(&mut self, load: &Load, drained: Drained) {
        let notes = &mut self.findings.notes;
        if drained.is_unanswered && unconfirmed(load, drained).is_none() {
            notes.push(Note::Unanswered { drain: load.drain });
        }
        if drained.is_arriving && self.messages.lost > 0 && !self.interrupted {
            notes.push(Note::StillArriving { drain: load.drain });
        }
        let connect = self.latency_us.get(Kind::Connect.key());
        notes.extend(connect.and_then(|connect| syn_note(connect.p99)));
        if let Stop::After(duration) = load.stop
            && self.phases_s.measure > 0.0
            && self.phases_s.measure < duration.as_secs_f64() * REACHED
            && self.connections.lost > 0
            && !self.interrupted
        {
            let (asked_us, measured_us) = (duration.as_secs_f64() * 1e6, self.phases_s.measure * 1e6);
            notes.push(Note::CutShort { measured_us, asked_us });
        }
        let Rate::PerSecond(asked) = load.rate else { return };
        let sent = self.throughput.sent_per_s;
        let disturbed = self.generator.saturated || self.interrupted || self.connections.lost > 0;
        // Jitter goes past the end, and a count ends with the last answer.
        let disturbed = disturbed || !load.jitter.is_zero() || matches!(load.stop, Stop::Count(_));
        if load.mode.publishes() && !disturbed && sent > 0.0 && sent < asked * REACHED {
            notes.push(Note::RateNotReached { asked, sent });
        }
    }

    /// A statistic of a latency in microseconds, for comparison with a limit.
    pub(super) fn statistic(&self, name: &str, statistic: &str) -> Option<f64> {
        match self.unanswered.get(name) {
            Some(unanswered) => Some(unanswered.get(statistic)),
            None => self.latency_us.get(name).map(|latency| latency.get(statistic)),
        }
    }
}

/// Deliveries that did not come: lost, or still under way when the run was interrupted. What came and is
/// too old to tell from a duplicate makes up for nothing.
pub(super) fn undelivered(counts: &Counts) -> u64 {
    let [warmup, measured] = counts.messages;
    // Messages that carry no stamp tell no phase: all of them are weighed against all.
    if counts.unstamped > 0 {
        return (warmup.expected + measured.expected).saturating_sub(warmup.delivered + measured.delivered);
    }
    measured.expected.saturating_sub(measured.delivered)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fifth without an answer is behind every percentile from the 80th on.
    #[test]
    fn what_is_missing_is_longer_than_every_limit() {
        let mut answered = histogram();
        for value in 1..=80_u64 {
            answered.record(value * 1000).unwrap();
        }
        let unanswered = Unanswered { answered, missing: 20 };
        for (statistic, expected) in [("min", 1.0), ("p50", 50.0)] {
            let found = unanswered.get(statistic);
            assert!((found / expected - 1.0).abs() < 0.01, "{statistic}: {found}");
        }
        for statistic in ["mean", "p90", "p95", "p99", "p99.9", "p99.99", "max"] {
            assert!(unanswered.get(statistic).is_infinite(), "{statistic}");
        }
        assert_eq!(unanswered.text(), "beyond any limit: 20.00 % never came (20 of 100)");
        let none = Unanswered { answered: histogram(), missing: 1 };
        assert!(none.get("min").is_infinite() && none.get("p50").is_infinite());
    }

    #[test]
    fn connections_that_asked_again_are_told() {
        assert_eq!(syn_note(899_000.0), None);
        assert!(syn_note(1_020_000.0).unwrap().to_string().contains("--ramp"));
    }

    /// An old message that cannot be told from a duplicate is no proof that another has arrived.
    #[test]
    fn nothing_makes_up_for_a_loss() {
        let mut counts = Counts::default();
        let measured = &mut counts.messages[1];
        (measured.expected, measured.delivered, measured.stale) = (1500, 1420, 80);
        assert_eq!(undelivered(&counts), 80);
    }

    #[test]
    fn a_few_late_messages_are_no_verdict() {
        let late = |late: u64, of: u64| {
            let mut recorder = Recorder::default();
            recorder.record_many(Kind::ScheduleLag, 20_000_000, late);
            recorder.record_many(Kind::ScheduleLag, 100_000, of - late);
            lateness(&recorder, Mode::Publish)
        };
        assert_eq!(late(0, 1), None);
        assert_eq!(late(9, 50), None, "9 are too few to tell");
        assert_eq!(late(10, 1000), None, "a hundredth");
        let words = "generator saturated: 10 of 999 messages were sent more than 5.00 ms late";
        assert_eq!(late(10, 999).map(|problem| problem.to_string()).as_deref(), Some(words));
    }
}
