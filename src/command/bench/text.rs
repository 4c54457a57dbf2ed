//! The report as a table for people, at most 80 columns wide.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use super::latency::{self, LatencyRow, STATISTICS};
use super::rows::Course;
use super::summary::{Report, SeriesSecond, buckets};
use super::words::{self, Stage, count, short, short_time, time, whole};
use crate::output;

/// Columns of everything.
const WIDTH: usize = 80;
/// Columns of a bar.
const BAR: usize = 40;
/// Rows of the distribution.
const ROWS: usize = 12;

/// The whole report.
pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    head(&mut out, report);
    figures(&mut out, report);
    latencies(&mut out, report);
    distribution(&mut out, report);
    generator(&mut out, report);
    verdict(&mut out, report);
    out
}

fn row(out: &mut String, name: &str, value: &str) {
    // Causes of errors and the broker's name are not only ours.
    let mut line = format!("{name:<16} {}", output::printable(value));
    if line.chars().count() > WIDTH {
        line = line.chars().take(WIDTH - 1).chain(['…']).collect();
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

fn head(out: &mut String, report: &Report) {
    let broker = &report.configuration.broker;
    wrapped(out, "bench", &format!("{} against {broker} ({})", report.mode.name(), words::protocol(report)));
    wrapped(out, "load", &words::load(report));
    row(out, "phases", &words::phases(report));
    out.push('\n');
}

fn figures(out: &mut String, report: &Report) {
    row(out, "connections", &words::connections(report));
    for Stage { name, number, per_s, remark } in words::stages(report) {
        let number = number.map_or_else(String::new, count);
        row(out, name, &format!("{number:>14}  {:>12}/s  {remark}", count(per_s)));
    }
    if let [(name, lost), others @ ..] = &words::defects(report)[..] {
        let others: Vec<String> = others.iter().map(|(name, number)| format!("{name} {number}")).collect();
        row(out, name, &format!("{lost:>14}  {}", others.join(", ")));
    }
    let strays: Vec<String> =
        words::strays(report).iter().map(|(what, number)| format!("{number} {what}")).collect();
    if !strays.is_empty() {
        row(out, "also", &strays.join(", "));
    }
    out.push('\n');
}

fn latencies(out: &mut String, report: &Report) {
    if report.latencies.iter().all(|latency| latency.all.is_none()) {
        return;
    }
    let _ = write!(out, "{:<16}", "latency");
    for statistic in &STATISTICS {
        let _ = write!(out, " {:>6}", statistic.name);
    }
    out.push('\n');
    for (figure, latency) in words::latencies(report) {
        let indent = if figure.row == LatencyRow::Below { "  " } else { "" };
        let _ = write!(out, "{:<16}", format!("{indent}{}", figure.label));
        for statistic in &STATISTICS {
            let _ = write!(out, " {:>6}", short_time(latency.value(statistic)));
        }
        out.push('\n');
    }
    out.push('\n');
}

/// The main latency's distribution: how many messages took how long, on a logarithmic scale.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "columns and rows on a screen"
)]
fn distribution(out: &mut String, report: &Report) {
    let Some(latency) = report.main_latency.and_then(|main| report.latency(main)) else { return };
    let Some(buckets) = latency.all.as_ref().map(buckets) else { return };
    let [first, .., last] = &buckets[..] else { return };
    // What had only begun to wait when the run ended would take most of the scale, and says nothing.
    let floor = latency.answered.as_ref().map_or(0, Histogram::min);
    let (low, high) = (floor.max(first.0).max(1) as f64, last.0.max(2) as f64);
    let names = ["distribution".to_owned(), format!("({})", latency::entry(latency.kind).label)];
    let step = (high / low).powf(1.0 / ROWS as f64).max(1.000_001);
    let mut rows = [0_u64; ROWS];
    for (value, number) in &buckets {
        let place = ((*value as f64 / low).ln() / step.ln()) as usize;
        rows[place.min(ROWS - 1)] += number;
    }
    let (most, all) = (rows.iter().copied().max().unwrap_or(1).max(1), rows.iter().sum::<u64>().max(1));
    for (place, number) in rows.iter().enumerate() {
        let up_to = low * step.powi(place as i32 + 1) / 1000.0;
        let length = *number as f64 / most as f64 * BAR as f64;
        // A few are not nothing.
        let bar = if *number > 0 && length < 1.0 { "▏".to_owned() } else { "█".repeat(length as usize) };
        let share = *number as f64 / all as f64 * 100.0;
        let text = format!("≤ {:>8} {bar:<BAR$} {share:>6.2} %", time(up_to));
        row(out, names.get(place).map_or("", String::as_str), &text);
    }
    out.push('\n');
}

fn generator(out: &mut String, report: &Report) {
    let parts: Vec<String> =
        words::generator(report).iter().map(|(name, value)| format!("{name} {value}")).collect();
    wrapped(out, "generator", &parts.join(", "));
    if let Some(text) = words::held_back(report) {
        row(out, "held back", &text);
    }
}

fn verdict(out: &mut String, report: &Report) {
    for (place, cause) in report.errors.iter().take(10).enumerate() {
        let name = if place == 0 { "errors" } else { "" };
        wrapped(out, name, &format!("{} × {}", whole(cause.count), cause.cause));
    }
    for note in &report.findings.notes {
        wrapped(out, "note", &note.to_string());
    }
    if report.interrupted {
        row(out, "interrupted", "the figures are of what was done until then");
    }
    for result in &report.thresholds {
        let verdict = if result.broken { "FAILED" } else { "passed" };
        wrapped(out, verdict, &result.shown());
    }
    for problem in &report.findings.problems {
        wrapped(out, "not valid", &problem.to_string());
    }
}

/// A text over several lines.
fn wrapped(out: &mut String, name: &str, text: &str) {
    for (index, line) in output::wrapped(text, WIDTH - 17).iter().enumerate() {
        row(out, if index == 0 { name } else { "" }, line);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is not negative")]
fn whole_rate(per_second: f64) -> u64 {
    per_second.round() as u64
}

/// A second of the run on one line of 80 columns; only where it has errors or is behind as well may it
/// be longer, and they do not stand at its end, which a terminal cuts off.
pub(super) fn live_line(second: &SeriesSecond, connected_before: u64, has_messages: bool) -> String {
    let phase = if second.phase == Course::WarmUp { "warm-up" } else { second.phase.key() };
    let (end, up) = (second.second + second.length_s, short(second.connected));
    let mut line = format!("{end:>3.0}s {phase} {up} up");
    if second.errors > 0 {
        let _ = write!(line, ", {} errors", short(second.errors));
    }
    if second.overdue > 0 {
        let _ = write!(line, ", {} overdue", short(second.overdue));
    }
    let rate = |count: u64| short(whole_rate(second.per_s(count)));
    if second.phase == Course::Connect {
        let more = second.connected.saturating_sub(connected_before);
        let _ = write!(line, ", {}/s", rate(more));
    } else if has_messages {
        let (sent, came) = (rate(second.sent), rate(second.delivered.max(second.acknowledged)));
        let _ = write!(line, ", out {sent}/s, in {came}/s");
    }
    if second.in_flight > 0 {
        let _ = write!(line, ", {} open", short(second.in_flight));
    }
    if let (Some(p50), Some(p99)) = (second.p50_us, second.p99_us) {
        let _ = write!(line, ", p50 {} p99 {}", short_time(p50), short_time(p99));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_fits_a_terminal() {
        let second = SeriesSecond {
            second: 119.0,
            phase: Course::Measure,
            connected: 10_000,
            sent: 49_999,
            acknowledged: 0,
            delivered: 1_234_567,
            in_flight: 999_600,
            errors: 0,
            p50_us: Some(721.0),
            p99_us: Some(10_800.0),
            max_us: Some(1e6),
            overdue: 0,
            length_s: 1.0,
        };
        let line = live_line(&second, 0, true);
        let expected = "120s measure 10.0k up, out 50.0k/s, in 1.23M/s, 1.00M open, p50 721µs p99 10.8ms";
        assert_eq!(line, expected);
        assert_eq!(line.chars().count(), WIDTH);
        let failing = live_line(&SeriesSecond { errors: 12_345, overdue: 7, ..second }, 0, true);
        assert!(failing.starts_with("120s measure 10.0k up, 12.3k errors, 7 overdue, out 50.0k/s, in "));
        let part = SeriesSecond { second: 2.0, phase: Course::WarmUp, length_s: 0.5, sent: 2000, ..second };
        assert!(live_line(&part, 0, true).starts_with("  2s warm-up 10.0k up, out 4000/s, in "));
        // Connections made are what there is to see before there are messages, or if there are none.
        let idle = SeriesSecond { in_flight: 0, ..part };
        let connecting = SeriesSecond { phase: Course::Connect, ..idle };
        assert!(live_line(&connecting, 9_500, true).starts_with("  2s connect 10.0k up, 1000/s, p50 "));
        let holding = live_line(&SeriesSecond { phase: Course::Measure, ..idle }, 0, false);
        assert!(holding.starts_with("  2s measure 10.0k up, p50 "), "{holding}");
    }

    #[test]
    fn long_texts_are_wrapped() {
        let mut out = String::new();
        wrapped(&mut out, "note", &"word ".repeat(40));
        row(&mut out, "errors", &"a reason of the server's \x1b[2J".repeat(9));
        assert!(
            !out.contains('\x1b')
                && out.lines().count() > 2
                && out.lines().all(|line| line.chars().count() <= WIDTH),
            "{out}"
        );
    }
}
