//! The report as a table for people, at most 80 columns wide.

use std::fmt::Write as _;

use super::summary::{Latency, Report, SeriesSecond, buckets};
use crate::output;

/// Columns of everything.
const WIDTH: usize = 80;
/// Columns of a bar.
const BAR: usize = 40;
/// Rows of the distribution.
const ROWS: usize = 12;

/// A time in microseconds with three digits and a unit.
pub(super) fn time(microseconds: f64) -> String {
    with_unit(microseconds, " ")
}

/// The same without the space, for tables.
pub(super) fn short_time(microseconds: f64) -> String {
    with_unit(microseconds, "")
}

/// The bounds are where rounding leads to the next digit.
fn with_unit(microseconds: f64, space: &str) -> String {
    let (value, unit) = match microseconds {
        us if us < 999.5 => (us, "µs"),
        us if us < 999_500.0 => (us / 1_000.0, "ms"),
        us => (us / 1_000_000.0, "s"),
    };
    let digits = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{space}{unit}")
}

/// A count with its thousands apart.
pub(super) fn count(value: f64) -> String {
    if value.fract() != 0.0 && value < 100.0 {
        return format!("{value:.3}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && digit.is_ascii_digit() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[allow(clippy::cast_precision_loss, reason = "shown with far fewer digits")]
fn whole(value: u64) -> String {
    count(value as f64)
}

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
    let c = &report.configuration;
    let embedded = if c.embedded { ", embedded broker" } else { "" };
    row(out, "bench", &format!("{} against {} (MQTT {}{embedded})", report.mode, c.broker, c.protocol));
    let clients = match report.mode {
        "conn" => format!("{} clients", c.publishers),
        "pub" => format!("{} publishers", c.publishers),
        "sub" => format!("{} subscribers", c.subscribers),
        "rr" => format!("{} requesters, {} responders", c.publishers, c.subscribers),
        _ => format!("{} publishers, {} subscribers", c.publishers, c.subscribers),
    };
    let rate = match c.rate_per_s {
        _ if matches!(report.mode, "conn" | "sub") => String::new(),
        Some(rate) => format!(", {}/s {}", count(rate), c.arrivals),
        None => format!(", closed loop, window {}", c.inflight),
    };
    let size = if matches!(report.mode, "conn" | "sub") {
        String::new()
    } else {
        format!(", {} bytes", c.payload_bytes)
    };
    row(out, "load", &format!("{clients}{rate}, QoS {}{size}", c.qos));
    let p = &report.phases_s;
    row(
        out,
        "phases",
        &format!(
            "connect {:.1} s, warm-up {:.1} s, measure {:.1} s, drain {:.1} s",
            p.connect + p.subscribe,
            p.warmup,
            p.measure,
            p.drain
        ),
    );
    out.push('\n');
}

fn figures(out: &mut String, report: &Report) {
    let c = &report.connections;
    let mut text =
        format!("{} of {} made, {}/s", whole(c.connected), whole(c.attempted), count(c.connected_per_s));
    for (number, what) in [(c.failed, "failed"), (c.lost, "lost")] {
        if number > 0 {
            let _ = write!(text, ", {} {what}", whole(number));
        }
    }
    row(out, "connections", &text);
    let (m, t) = (&report.messages, &report.throughput);
    if !matches!(report.mode, "conn" | "sub") {
        row(out, "sent", &format!("{:>14}  {:>12}/s", whole(m.sent), count(t.sent_per_s)));
        if let Some(taken) = t.taken_per_s {
            row(out, "taken", &format!("{:>14}  {:>12}/s  until the server had read all", "", count(taken)));
        }
        if m.qos > 0 {
            row(
                out,
                "acknowledged",
                &format!("{:>14}  {:>12}/s", whole(m.acknowledged), count(t.acknowledged_per_s)),
            );
        }
    }
    if matches!(report.mode, "e2e" | "rr" | "sub") {
        row(out, "delivered", &format!("{:>14}  {:>12}/s", whole(m.delivered), count(t.delivered_per_s)));
    }
    if matches!(report.mode, "e2e" | "rr") {
        let counted = m.unstamped == 0;
        let some = |number: u64| if counted { whole(number) } else { "-".into() };
        row(
            out,
            "lost",
            &format!(
                "{:>14}  duplicates {}, reordered {}",
                whole(m.lost),
                some(m.duplicates),
                some(m.reordered)
            ),
        );
    }
    let rest = [
        (m.refused, "refused"),
        (m.unacknowledged, "unacknowledged"),
        (m.not_sent, "not sent"),
        (m.corrupt, "corrupt"),
        (m.foreign, "foreign"),
        (m.stale, "too old to count"),
    ];
    let rest: Vec<String> = rest
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", whole(*number)))
        .collect();
    if !rest.is_empty() && (report.mode != "sub" || m.corrupt > 0) {
        row(out, "also", &rest.join(", "));
    }
    out.push('\n');
}

fn latencies(out: &mut String, report: &Report) {
    if report.latency_us.is_empty() {
        return;
    }
    let heading = ["min", "mean", "p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"];
    let _ = write!(out, "{:<16}", "latency");
    for name in heading {
        let _ = write!(out, " {name:>6}");
    }
    out.push('\n');
    let order = [
        ("connect", "connect"),
        ("tls_handshake", "TLS"),
        ("connack", "CONNACK"),
        ("suback", "SUBACK"),
        ("acknowledge", "acknowledge"),
        ("acknowledge_from_send", "  from send"),
        ("delivery", "delivery"),
        ("delivery_from_send", "  from send"),
        ("round_trip", "round trip"),
        ("round_trip_from_send", "  from send"),
    ];
    for (key, name) in order {
        if let Some(latency) = report.latency_us.get(key) {
            latency_row(out, name, latency, &heading);
        }
    }
    out.push('\n');
}

fn latency_row(out: &mut String, name: &str, latency: &Latency, heading: &[&str]) {
    let _ = write!(out, "{name:<16}");
    for statistic in heading {
        let _ = write!(out, " {:>6}", short_time(latency.get(statistic)));
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
    let Some(name) = report.main_latency.as_deref() else { return };
    let Some(buckets) = report.histograms_ns.get(name).map(buckets) else { return };
    let [first, .., last] = &buckets[..] else { return };
    let (low, high) = (first.0.max(1) as f64, last.0.max(2) as f64);
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
        row(out, if place == 0 { "distribution" } else { "" }, &text);
    }
    out.push('\n');
}

fn generator(out: &mut String, report: &Report) {
    let g = &report.generator;
    let cpu: Vec<String> =
        g.thread_cpu_share.iter().take(8).map(|share| format!("{:.0} %", share * 100.0)).collect();
    #[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
    let memory = g.memory_bytes as f64 / f64::from(1 << 20);
    let mut text = format!("CPU {} of a core, {memory:.1} MiB", cpu.join(" + "));
    if let Some(lag) = report.latency_us.get("schedule_lag") {
        let _ = write!(text, ", late {} (p99)", time(lag.p99));
    }
    if let Some(share) = g.share_of_ceiling {
        let _ = write!(text, ", {:.0} % of ceiling", share * 100.0);
    }
    row(out, "generator", &text);
    if g.full_windows + g.blocked_sockets > 0 {
        let text = format!(
            "{} times a window was full, {} times a socket",
            whole(g.full_windows),
            whole(g.blocked_sockets)
        );
        row(out, "held back", &text);
    }
}

fn verdict(out: &mut String, report: &Report) {
    for (place, cause) in report.errors.iter().take(10).enumerate() {
        row(
            out,
            if place == 0 { "errors" } else { "" },
            &format!("{} × {}", whole(cause.count), cause.cause),
        );
    }
    for note in &report.notes {
        wrapped(out, "note", note);
    }
    if report.interrupted {
        row(out, "interrupted", "the figures are of what was done until then");
    }
    for result in &report.thresholds {
        let verdict = if result.broken { "FAILED" } else { "passed" };
        row(out, verdict, &format!("fail if {}: it was {}", result.fail_if, result.value));
    }
    for problem in &report.problems {
        wrapped(out, "not valid", problem);
    }
}

/// A text over several lines.
fn wrapped(out: &mut String, name: &str, text: &str) {
    for (index, line) in output::wrapped(text, WIDTH - 17).iter().enumerate() {
        row(out, if index == 0 { name } else { "" }, line);
    }
}

/// A count in four digits or fewer.
#[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
fn short(count: u64) -> String {
    let (value, unit) = match count {
        0..10_000 => return count.to_string(),
        10_000..999_500 => (count as f64 / 1e3, "k"),
        _ => (count as f64 / 1e6, "M"),
    };
    let digits = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{unit}")
}

/// A second of the run on one line, which a terminal of 80 columns mostly shows whole.
pub(super) fn live_line(second: &SeriesSecond) -> String {
    let mut line = format!(
        "{:>3}s {} {} clients, out {}/s, in {}/s",
        second.second + 1,
        second.phase,
        short(second.connected),
        short(second.sent),
        short(second.delivered.max(second.acknowledged)),
    );
    if second.in_flight > 0 {
        let _ = write!(line, ", {} open", short(second.in_flight));
    }
    if second.errors > 0 {
        let _ = write!(line, ", {} errors", short(second.errors));
    }
    if let (Some(p50), Some(p99)) = (second.p50_us, second.p99_us) {
        let _ = write!(line, ", p50 {}, p99 {}", short_time(p50), short_time(p99));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        for (value, shown) in
            [(0.0, "0"), (999.0, "999"), (1_000.0, "1,000"), (1_234_567.0, "1,234,567"), (0.25, "0.250")]
        {
            assert_eq!(count(value), shown);
        }
        for (us, shown) in [
            (0.5, "0.50 µs"),
            (12.34, "12.3 µs"),
            (99.97, "100 µs"),
            (999.0, "999 µs"),
            (999.9, "1.00 ms"),
            (20_000.0, "20.0 ms"),
            (1.5e6, "1.50 s"),
        ] {
            assert_eq!(time(us), shown);
        }
    }

    #[test]
    fn a_second_fits_a_terminal() {
        let second = SeriesSecond {
            second: 119,
            phase: "measure",
            connected: 10_000,
            sent: 49_999,
            acknowledged: 0,
            delivered: 1_234_567,
            in_flight: 999_600,
            errors: 0,
            p50_us: Some(721.0),
            p99_us: Some(10_800.0),
            max_us: Some(1e6),
        };
        let line = live_line(&second);
        let expected =
            "120s measure 10.0k clients, out 50.0k/s, in 1.23M/s, 1.00M open, p50 721µs, p99 10.8ms";
        assert_eq!(line, expected);
        let few = SeriesSecond { connected: 20, sent: 2000, delivered: 2003, in_flight: 11, ..second };
        assert!(live_line(&few).chars().count() <= 80, "{}", live_line(&few));
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
