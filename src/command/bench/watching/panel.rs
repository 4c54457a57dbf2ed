//! The live display of a run on a terminal, with at most twelve lines of 80 columns.

use std::collections::VecDeque;
use std::fmt::Write as _;

use super::super::config::Mode;
use super::super::engine::fleet::Fleet;
use super::super::recorder::LatencyKind;
use super::super::report::numbers::{short, short_time};
use super::super::report::{SeriesSecond, latency};
use super::super::rows::Course;
use super::broker::ProcessSecond;
use super::progress::{Look, RunPlace};
use crate::notation::printable;
use crate::output::{LiveLine, LiveLook, Tone};
use crate::protocol::QoS;

/// Maximum number of lines.
#[cfg(test)]
const LINES: usize = 12;
/// Width of the display.
const WIDTH: usize = 80;
/// Width of the names of lines.
const NAME: usize = 14;
/// Width of the progress bar, unless a long text follows it.
const BAR: usize = 32;
/// The number of seconds in a curve, one column each.
const SECONDS: usize = 36;
/// Column heights in eighths.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The live display.
#[derive(Debug)]
pub(super) struct Panel {
    title: String,
    has: PanelRows,
    /// The name of the main latency.
    latency: Option<&'static str>,
    /// The last seconds.
    seconds: VecDeque<PanelSecond>,
    errors: u64,
    lost: u64,
}

/// The rows of the display that the run has.
#[allow(clippy::struct_excessive_bools, reason = "each row is there or not, by itself")]
#[derive(Debug, Clone, Copy)]
struct PanelRows {
    sent: bool,
    acknowledged: bool,
    delivered: bool,
    operations: bool,
}

/// A second, and the connections made in it.
#[derive(Debug, Clone)]
struct PanelSecond {
    second: SeriesSecond,
    made: u64,
}

/// Whether a load has this count, its name, its value in a second, and its sum.
type LiveRate<'a> = (bool, &'a str, fn(&SeriesSecond) -> u64, u64);

impl Panel {
    pub(super) fn new(fleet: &Fleet) -> Self {
        let load = &fleet.load;
        let name = load.scenario.as_ref().map_or(load.mode.name(), |scenario| &scenario.name);
        let title =
            format!("mqtt bench {name} against {} (MQTT {})", load.client.endpoint.address, fleet.protocol);
        let has_operations = load.groups().iter().any(|group| group.operation.is_some());
        Self::of(load.mode, load.qos, has_operations, &title)
    }

    fn of(mode: Mode, qos: QoS, has_operations: bool, title: &str) -> Self {
        let publishes = mode.publishes();
        Self {
            title: printable(title).chars().take(WIDTH).collect(),
            has: PanelRows {
                sent: publishes,
                acknowledged: publishes && qos > QoS::AtMostOnce,
                delivered: mode.receives_its_own() || mode == Mode::Subscribe,
                operations: has_operations,
            },
            latency: LatencyKind::main(mode, qos).map(|main| latency::entry(main).label),
            seconds: VecDeque::with_capacity(SECONDS),
            errors: 0,
            lost: 0,
        }
    }

    /// Adds a second.
    pub(super) fn add(&mut self, second: &SeriesSecond) {
        let before = self.seconds.back().map_or(0, |shown| shown.second.connected);
        if self.seconds.len() == SECONDS {
            self.seconds.pop_front();
        }
        self.errors += second.errors;
        self.lost += second.lost;
        let made = second.connected.saturating_sub(before);
        self.seconds.push_back(PanelSecond { second: second.clone(), made });
    }

    /// The current lines of the display.
    pub(super) fn lines(
        &self,
        place: &RunPlace,
        look: &Look,
        broker: Option<ProcessSecond>,
    ) -> Vec<LiveLine> {
        let plain = |text: String| LiveLine { text, look: LiveLook::Plain };
        let mut lines = vec![LiveLine { text: self.title.clone(), look: LiveLook::Strong }, phase(place)];
        lines.push(plain(self.clients(look)));
        let stages: [LiveRate<'_>; 4] = [
            (
                self.has.operations && !self.has.sent,
                "operations",
                |second| second.operations,
                look.operations,
            ),
            (self.has.sent, "sent", |second| second.sent, look.sent),
            (self.has.acknowledged, "acknowledged", |second| second.acknowledged, look.acknowledged),
            (self.has.delivered, "delivered", |second| second.delivered, look.delivered),
        ];
        for (_, name, read, all) in stages.into_iter().filter(|(has, ..)| *has) {
            lines.push(plain(self.rate(name, |shown| Some(shown.second.per_s(read(&shown.second))), all)));
        }
        if let Some(name) = self.latency {
            lines.push(plain(self.time(name, "p50", |second| second.p50_us)));
            lines.push(plain(self.time("", "p99", |second| second.p99_us)));
            lines.push(plain(self.time("", "max", |second| second.max_us)));
        }
        if let Some(PanelSecond { second, .. }) = self.seconds.back()
            && self.has.sent
        {
            let text = format!("{} in flight, {} overdue", short(second.in_flight), short(second.overdue));
            let tone = if second.overdue > 0 { LiveLook::Tone(Tone::Doubtful) } else { LiveLook::Plain };
            lines.push(LiveLine { text: format!("{:<14}{text}", "open"), look: tone });
        }
        if let Some(process) = broker {
            let share = process.cpu_share.map_or("-".into(), |share| format!("{:.0} %", share * 100.0));
            let memory = process.resident_bytes >> 20;
            let mut text = format!("{:<14}CPU {share}, memory {memory} MiB", "broker");
            if let Some(descriptors) = process.descriptors {
                let _ = write!(text, ", {} descriptors", short(descriptors));
            }
            lines.push(plain(text));
        }
        lines.push(self.failures());
        lines
    }

    fn clients(&self, look: &Look) -> String {
        let mut text = format!("{:<14}{} up", "clients", short(look.connected));
        for (number, what) in [(look.failed, "failed"), (look.away, "away"), (self.lost, "lost")] {
            if number > 0 {
                let _ = write!(text, ", {} {what}", short(number));
            }
        }
        // Without messages, or before them, the display shows new connections.
        let connecting = self.seconds.back().is_some_and(|shown| shown.second.phase == Course::Connect);
        if connecting {
            let rate = |shown: &PanelSecond| Some(shown.second.per_s(shown.made));
            let (last, curve, _) = self.curve(rate);
            let room = WIDTH.saturating_sub(text.chars().count() + 14);
            let skipped = curve.chars().count().saturating_sub(room);
            let curve: String = curve.chars().skip(skipped).collect();
            let _ = write!(text, ", {}/s {curve}", last.map_or("-".into(), per_s));
        } else if self.has.operations && self.has.sent {
            // A row of its own would be the thirteenth.
            let last = self.seconds.back().map(|PanelSecond { second, .. }| second.per_s(second.operations));
            let _ = write!(text, ", {} operations/s", last.map_or("-".into(), per_s));
        }
        text
    }

    /// The last value, the recent values as a curve, and their maximum.
    fn curve(&self, value: impl Fn(&PanelSecond) -> Option<f64>) -> (Option<f64>, String, f64) {
        let values: Vec<Option<f64>> = self.seconds.iter().map(value).collect();
        let most = values.iter().flatten().copied().fold(0.0, f64::max);
        let curve = values.iter().map(|value| value.map_or(' ', |value| level(value, most))).collect();
        (values.last().copied().flatten(), curve, most)
    }

    fn rate(&self, name: &str, value: impl Fn(&PanelSecond) -> Option<f64>, all: u64) -> String {
        let (last, curve, _) = self.curve(value);
        let last = last.map_or("-".into(), |last| format!("{}/s", per_s(last)));
        format!("{name:<14}{last:>12} {curve:<SECONDS$} of {}", short(all)).trim_end().to_owned()
    }

    fn time(&self, name: &str, statistic: &str, value: impl Fn(&SeriesSecond) -> Option<f64>) -> String {
        let (last, curve, most) = self.curve(|shown| value(&shown.second));
        let last = last.map_or("-".into(), short_time);
        let most = if most > 0.0 { format!(" to {}", short_time(most)) } else { String::new() };
        format!("{name:<14}{statistic} {last:>8} {curve:<SECONDS$}{most}").trim_end().to_owned()
    }

    fn failures(&self) -> LiveLine {
        let now = self.seconds.back().map_or(0, |shown| shown.second.errors);
        let mut text = format!("{:<14}{}", "errors", short(self.errors));
        if now > 0 {
            let _ = write!(text, ", {} in the last second", short(now));
        }
        let look = if self.errors > 0 { LiveLook::Tone(Tone::Bad) } else { LiveLook::Plain };
        LiveLine { text, look }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is not negative")]
fn per_s(rate: f64) -> String {
    short(rate.round() as u64)
}

/// A column whose height is this share of the maximum; a value above 0 is always visible.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 8")]
fn level(value: f64, most: f64) -> char {
    let height = if most > 0.0 { (value / most * 8.0).ceil() as usize } else { 0 };
    LEVELS[height.clamp(1, LEVELS.len()) - 1]
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "columns of a bar"
)]
fn phase(place: &RunPlace) -> LiveLine {
    // A long text shortens the bar: the remaining time is at its end.
    let bar_width = WIDTH.saturating_sub(NAME + place.text.chars().count() + "[] ".len()).min(BAR);
    let bar = place.done.filter(|_| bar_width > 0).map_or_else(String::new, |done| {
        let done = ((done * bar_width as f64) as usize).min(bar_width);
        let head = if done < bar_width { ">" } else { "" };
        format!("[{:<bar_width$}] ", format!("{}{head}", "=".repeat(done)))
    });
    LiveLine { text: format!("{:<NAME$}{bar}{}", place.phase, place.text), look: LiveLook::Plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(number: u32) -> SeriesSecond {
        SeriesSecond {
            second: f64::from(number),
            phase: if number < 2 { Course::Connect } else { Course::Measure },
            connected: 999_600,
            sent: 1_234_567,
            acknowledged: 1_234_567,
            delivered: u64::from(number) * 10_000,
            in_flight: 999_600,
            errors: 12_345,
            p50_us: Some(721.0),
            p99_us: Some(10_800.0),
            max_us: (number > 1).then_some(1e6),
            overdue: 999_600,
            length_s: 1.0,
            lost: 999_600,
            operations: 1_234_567,
            ..SeriesSecond::default()
        }
    }

    fn panel(mode: Mode, seconds: u32) -> Vec<String> {
        panel_of(mode, matches!(mode, Mode::Retained | Mode::Churn | Mode::Wills), seconds)
    }

    fn panel_of(mode: Mode, operates: bool, seconds: u32) -> Vec<String> {
        let mut panel = Panel::of(mode, QoS::ExactlyOnce, operates, &"a long name ".repeat(20));
        (0..seconds).for_each(|number| panel.add(&second(number)));
        let text = "999999 of 999999 messages, about 59m 59s left".into();
        let place = RunPlace { phase: "subscribe", done: Some(0.99), text };
        let look = Look {
            connected: 999_600,
            away: 999_600,
            failed: 999_600,
            sent: u64::MAX / 1_000_000_000_000,
            acknowledged: 99_999_999,
            delivered: 99_999_999,
            operations: 99_999_999,
        };
        let process = ProcessSecond {
            cpu_share: Some(63.999),
            cpu_s: 1e6,
            resident_bytes: 1 << 40,
            descriptors: Some(1_000_000),
        };
        panel.lines(&place, &look, Some(process)).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn the_display_fits_twelve_lines_of_a_terminal() {
        for mode in Mode::ALL {
            for (seconds, operates) in [0, 1, 2, 5, 100].into_iter().flat_map(|s| [(s, true), (s, false)]) {
                let lines = panel_of(mode, operates, seconds);
                assert!(lines.len() <= LINES, "{lines:#?}");
                let too_wide = |line: &&String| line.chars().count() > WIDTH;
                assert_eq!(lines.iter().find(too_wide), None, "{mode:?} {seconds}");
                assert!(lines[1].contains("[===") && lines[1].ends_with("about 59m 59s left"), "{lines:#?}");
            }
        }
    }

    #[test]
    fn curves_are_drawn_from_zero_to_the_highest() {
        let lines = panel(Mode::EndToEnd, 9);
        let found = |name: &str| lines.iter().find(|line| line.starts_with(name)).unwrap();
        let expected = "delivered          80.0k/s ▁▁▂▃▄▅▆▇█                            of 100M";
        assert_eq!(*found("delivered"), expected);
        assert!(found("delivery").contains("p50    721µs █████████ "), "{lines:#?}");
        let max = "              max    1.00s   ███████                            to 1.00s";
        assert_eq!(*found("              max"), max);
        assert_eq!(*found("errors"), "errors        111k, 12.3k in the last second");
    }

    #[test]
    fn rows_are_those_that_the_mode_has() {
        let names = |mode| -> Vec<String> {
            let lines = panel(mode, 3);
            let name = |line: &String| line.split(' ').next().unwrap_or_default().to_owned();
            lines[2..].iter().map(name).filter(|name| !name.is_empty()).collect()
        };
        assert_eq!(names(Mode::Connect), ["clients", "until", "broker", "errors"]);
        assert_eq!(names(Mode::Subscribe), ["clients", "delivered", "delivery", "broker", "errors"]);
        let all = ["clients", "sent", "acknowledged", "delivered", "round", "open", "broker", "errors"];
        assert_eq!(names(Mode::Request), all);
        assert_eq!(names(Mode::Churn), ["clients", "operations", "SUBACK", "broker", "errors"]);
        let with_deliveries = ["clients", "operations", "delivered", "delivery", "broker", "errors"];
        assert_eq!(names(Mode::Wills), with_deliveries);
    }
}
