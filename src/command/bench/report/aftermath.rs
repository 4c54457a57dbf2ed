//! The effects of each disturbance in the report: on connections, sessions and messages.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::super::config::Mode;
use super::super::disturber::Disturbed;
use super::super::impact::{Impact, Latencies, Queue, Window};
use super::SeriesSecond;
use super::asked::AskedDisturbance;
use super::latency::{is_certain, microseconds, round};
use super::numbers::{count, short_time, whole};
use crate::quantity::duration;

/// A disturbance, and its effects on the load until the next.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Aftermath {
    /// Time since the start of the measurement.
    pub(crate) at_s: f64,
    /// Time since the first connection, as in the series.
    pub(crate) second: f64,
    pub(crate) what: String,
    /// Time from the disturbance to the end of its command.
    pub(crate) command_s: Option<f64>,
    /// Why the command failed.
    pub(crate) failure: Option<String>,
    pub(crate) connections: AffectedConnections,
    /// Null if the run cannot determine it.
    pub(crate) messages: Option<AffectedMessages>,
    /// Messages queued for clients that stayed away; absent for other disturbances.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<DrainedQueue>,
    pub(crate) latency_us: LatenciesAround,
}

/// All times are since the disturbance.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AffectedConnections {
    /// Connections closed by the disturbance.
    pub(crate) cut: u64,
    /// Lost connections of clients; a client counts each time.
    pub(crate) lost: u64,
    pub(crate) back: u64,
    pub(crate) sessions_present: u64,
    pub(crate) sessions_lost: u64,
    pub(crate) first_lost_s: Option<f64>,
    /// Null if no client was back; the following are null if fewer clients were back.
    pub(crate) first_back_s: Option<f64>,
    pub(crate) half_back_s: Option<f64>,
    /// When 99 % of the lost clients were back.
    pub(crate) most_back_s: Option<f64>,
    pub(crate) last_back_s: Option<f64>,
}

/// Messages that were due after the disturbance.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AffectedMessages {
    pub(crate) expected: u64,
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    pub(crate) duplicates: u64,
    /// Lost messages that were due before this disturbance and after the previous one.
    pub(crate) lost_before: u64,
    /// Messages that took longer than any that arrived before the disturbance.
    pub(crate) late: Option<u64>,
}

/// Messages that were due while clients were away and arrived afterwards.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DrainedQueue {
    pub(crate) messages: u64,
    /// The time from the clients' return until the last of these messages arrived.
    pub(crate) drained_s: Option<f64>,
    pub(crate) per_s: Option<f64>,
}

impl DrainedQueue {
    #[allow(clippy::cast_precision_loss, reason = "a rate needs no 16 digits")]
    fn of(queue: &Queue) -> Self {
        let drained = (queue.messages > 0).then(|| seconds(queue.last.saturating_sub(queue.until)));
        let per_s =
            drained.filter(|drained| *drained > 0.0).map(|drained| round(queue.messages as f64 / drained));
        Self { messages: queue.messages, drained_s: drained, per_s }
    }
}

/// The main latency of messages that arrived before the disturbance, that were in flight then or due until all clients
/// were back, and that were due after that.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LatenciesAround {
    pub(crate) before: Option<LatencyAround>,
    pub(crate) during: Option<LatencyAround>,
    pub(crate) after: Option<LatencyAround>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct LatencyAround {
    pub(crate) count: u64,
    /// Null if the clocks of shards differ by too much to tell.
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
    pub(crate) max: Option<f64>,
}

impl LatencyAround {
    fn of(latencies: &Latencies) -> Option<Self> {
        let at = |quantile| Some(microseconds(latencies.value_at_quantile(quantile)));
        (!latencies.is_empty()).then(|| Self {
            count: latencies.len(),
            p50: at(0.5),
            p99: at(0.99),
            max: Some(microseconds(latencies.max())),
        })
    }

    fn doubt(&mut self, error: u64) {
        for value in [&mut self.p50, &mut self.p99, &mut self.max] {
            *value = value.filter(|value| is_certain(*value, error));
        }
    }

    fn shown(&self) -> String {
        let time = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short_time);
        let [p50, p99, max] = [self.p50, self.p99, self.max].map(time);
        format!("p50 {p50}, p99 {p99}, max {max}")
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    round(microseconds(nanoseconds) / 1e6)
}

/// The effects of the disturbances that were started; the first connection was started at `began`.
pub(crate) fn aftermaths(
    asked: &[AskedDisturbance],
    impact: &Impact,
    disturbed: &[Disturbed],
    began: u64,
    tells_messages: bool,
) -> Vec<Aftermath> {
    let Some((first, windows)) = impact.windows.split_first() else { return Vec::new() };
    let [_, mut before] = first.split(None);
    let mut earlier = first;
    let all = asked.iter().zip(disturbed).zip(windows);
    let aftermaths = all.map(|((disturbance, disturbed), window)| {
        let [during, after] = window.split(recovery(disturbance.is_command, disturbed, window));
        let late = later(&before, &[&during, &after]);
        let aftermath = Aftermath {
            at_s: Duration::from_nanos(disturbance.at_ns).as_secs_f64(),
            second: seconds(window.began.saturating_sub(began)),
            what: disturbance.what.clone(),
            command_s: disturbed.ended.map(|ended| seconds(ended.saturating_sub(window.began))),
            failure: disturbed.failure.clone(),
            connections: connections(window),
            messages: tells_messages.then(|| AffectedMessages {
                expected: window.expected,
                delivered: window.delivered,
                lost: window.expected.saturating_sub(window.delivered),
                duplicates: window.duplicates,
                lost_before: earlier.expected.saturating_sub(earlier.delivered),
                late,
            }),
            queue: window.queue.as_ref().map(DrainedQueue::of),
            latency_us: LatenciesAround {
                before: LatencyAround::of(&before),
                during: LatencyAround::of(&during),
                after: LatencyAround::of(&after),
            },
        };
        // Without recovery there is no value to compare the next disturbance with.
        (before, earlier) = (after, window);
        aftermath
    });
    aftermaths.collect()
}

/// The number of messages that took longer than any of those before; `None` if there were none before.
fn later(before: &Latencies, across: &[&Latencies]) -> Option<u64> {
    let late = |found: &&Latencies| found.len() - found.count_between(0, before.max());
    (!before.is_empty()).then(|| across.iter().map(late).sum())
}

/// The time from the disturbance until the load was as before; none if there was no effect.
fn recovery(is_command: bool, disturbed: &Disturbed, window: &Window) -> Option<u64> {
    let own =
        is_command.then(|| disturbed.ended.map_or(u64::MAX, |ended| ended.saturating_sub(window.began)));
    let back = window.back.as_ref().map_or(0, Histogram::len);
    match window.lost {
        0 => own,
        lost if back < lost => Some(u64::MAX),
        _ => own.max(window.back.as_ref().map(Histogram::max)),
    }
}

fn connections(window: &Window) -> AffectedConnections {
    let back = window.back.as_ref();
    let all = back.map_or(0, Histogram::len);
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of connections"
    )]
    let time = |share: f64| {
        // The share is of all lost clients, not only of those that came back.
        let rank = ((window.lost as f64 * share).ceil() as u64).max(1);
        let back = back.filter(|_| rank <= all)?;
        Some(seconds(back.value_at_quantile((rank as f64 - 0.5) / all as f64)))
    };
    AffectedConnections {
        cut: window.cut,
        lost: window.lost,
        back: all,
        sessions_present: window.sessions_present,
        sessions_lost: window.sessions_lost,
        first_lost_s: window.first_lost.map(seconds),
        first_back_s: time(0.0),
        half_back_s: time(0.5),
        most_back_s: time(0.99),
        last_back_s: time(1.0),
    }
}

/// Sets in each row of the series the number of disturbances that started in it.
pub(crate) fn mark(series: &mut [SeriesSecond], aftermaths: &[Aftermath]) {
    for aftermath in aftermaths {
        let place = series.partition_point(|row| row.second <= aftermath.second);
        if let Some(row) = place.checked_sub(1).and_then(|place| series.get_mut(place)) {
            row.disturbances += 1;
        }
    }
}

/// Whether the run can determine which messages were lost.
pub(crate) fn tells_messages(mode: Mode, is_interrupted: bool, unstamped: u64) -> bool {
    mode.receives_its_own() && !is_interrupted && unstamped == 0
}

impl Aftermath {
    /// Removes times between two clocks that are not certain with this error, in nanoseconds.
    pub(crate) fn doubt_one_way(&mut self, error: u64) {
        let around = &mut self.latency_us;
        let longest = around.before.as_ref().and_then(|before| before.max);
        for latency in [&mut around.before, &mut around.during, &mut around.after].into_iter().flatten() {
            latency.doubt(error);
        }
        if let Some(messages) = &mut self.messages {
            messages.late =
                messages.late.filter(|_| longest.is_some_and(|longest| is_certain(longest, error)));
        }
    }

    /// The disturbance as one line.
    pub(crate) fn title(&self) -> String {
        format!("at {}: {}", shown(self.at_s), self.what)
    }

    /// The effects on the load, as lines with names.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        if let Some(why) = &self.failure {
            lines.push(("command", format!("failed: {why}")));
        } else if let Some(time) = self.command_s {
            lines.push(("command", format!("ended after {}", shown(time))));
        }
        let c = &self.connections;
        let cut = if c.cut > 0 { format!("{} cut, ", whole(c.cut)) } else { String::new() };
        lines.push(("connections", format!("{cut}{} lost, {} back", whole(c.lost), whole(c.back))));
        if c.lost > 0 {
            let times = [
                ("first lost", c.first_lost_s),
                ("first back", c.first_back_s),
                ("half", c.half_back_s),
                ("99 %", c.most_back_s),
                ("all", c.last_back_s),
            ];
            let times = times.map(|(name, time)| format!("{name} {}", time.map_or("never".into(), shown)));
            lines.push(("times", times.join(", ")));
            let sessions = [c.sessions_present, c.sessions_lost].map(whole);
            lines.push(("sessions", format!("{} present, {} lost", sessions[0], sessions[1])));
        }
        if let Some(m) = &self.messages {
            let late =
                m.late.map_or(String::new(), |late| format!(", {} later than any before", whole(late)));
            let [expected, lost, earlier, duplicates] =
                [m.expected, m.lost, m.lost_before, m.duplicates].map(whole);
            let earlier =
                if m.lost_before > 0 { format!(", and {earlier} due before it") } else { String::new() };
            lines.push((
                "messages",
                format!("{lost} of {expected} lost{earlier}, {duplicates} duplicates{late}"),
            ));
        }
        if let Some(queue) = &self.queue {
            let drained = queue
                .drained_s
                .map_or_else(String::new, |drained| format!(", drained in {}", shown(drained)));
            let rate = queue.per_s.map_or_else(String::new, |rate| format!(", {}/s", count(rate.round())));
            lines.push(("queue", format!("{} messages{drained}{rate}", whole(queue.messages))));
        }
        let l = &self.latency_us;
        for (name, latency) in [("before", &l.before), ("during", &l.during), ("afterwards", &l.after)] {
            lines.extend(latency.as_ref().map(|latency| (name, latency.shown())));
        }
        lines
    }
}

/// A time in seconds as text.
fn shown(seconds: f64) -> String {
    duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn window(lost: u64, back_ms: &[u64]) -> Window {
        let mut impact = Impact::new(0, vec![1000 * MS], &[]);
        for place in 0..lost {
            impact.lose((1010 + place) * MS);
        }
        for back in back_ms {
            impact.return_to(1, (1000 + back) * MS);
        }
        impact.windows.pop().unwrap()
    }

    #[test]
    fn times_are_of_those_that_were_lost() {
        let back: Vec<u64> = (1..=100).map(|place| place * 10).collect();
        let times = |window: &Window| {
            let found = connections(window);
            [found.first_lost_s, found.first_back_s, found.half_back_s, found.most_back_s, found.last_back_s]
                .map(|time| time.map(|time| (time * 1e3).round()))
        };
        let near = |found: [Option<f64>; 5], expected: [Option<f64>; 5]| {
            found.iter().zip(expected).all(|pair| match pair {
                (Some(found), Some(expected)) => (found / expected - 1.0).abs() < 0.002,
                (found, expected) => *found == expected,
            })
        };
        let found = times(&window(100, &back));
        assert!(near(found, [Some(10.0), Some(10.0), Some(500.0), Some(990.0), Some(1000.0)]), "{found:?}");
        // Of 200 lost clients, only half came back.
        let found = times(&window(200, &back));
        assert!(near(found, [Some(10.0), Some(10.0), Some(1000.0), None, None]), "{found:?}");
        assert_eq!(times(&window(0, &[])), [None; 5]);
    }

    #[test]
    fn recovery_is_when_all_are_back_and_the_command_has_ended() {
        let [command, drop] = [true, false];
        let ended = |ms: u64| Disturbed { ended: Some((1000 + ms) * MS), failure: None };
        let ms = |found: Option<u64>| found.map(|time| if time == u64::MAX { time } else { time / MS });
        assert_eq!(ms(recovery(drop, &Disturbed::default(), &window(0, &[]))), None);
        assert_eq!(ms(recovery(drop, &Disturbed::default(), &window(2, &[30, 40]))), Some(40));
        assert_eq!(ms(recovery(drop, &Disturbed::default(), &window(2, &[30]))), Some(u64::MAX));
        assert_eq!(ms(recovery(command, &ended(70), &window(0, &[]))), Some(70));
        assert_eq!(ms(recovery(command, &ended(70), &window(1, &[40]))), Some(70));
        assert_eq!(ms(recovery(command, &Disturbed::default(), &window(0, &[]))), Some(u64::MAX));
    }

    /// A hundred messages of 5 ms, one in flight at the disturbance, and two due at it and later that are late.
    #[test]
    fn a_message_is_late_if_it_took_longer_than_any_before() {
        let mut impact = Impact::new(0, vec![1000 * MS], &[]);
        impact.time(500 * MS, 5 * MS, 100);
        impact.time(990 * MS, 300 * MS, 1);
        impact.time(1000 * MS, 290 * MS, 1);
        impact.time(1010 * MS, 80 * MS, 1);
        impact.time(1900 * MS, MS, 7);
        let [first, second] = &impact.windows[..] else { panic!("two windows") };
        let [_, before] = first.split(None);
        let [during, after] = second.split(Some(100 * MS));
        assert_eq!((before.len(), during.len(), after.len()), (100, 3, 7));
        assert_eq!((later(&before, &[&during, &after]), later(&during, &[&after])), (Some(3), Some(0)));
        assert_eq!(later(&Window::default().split(None)[0], &[&during]), None);
    }
}
