//! What the table and the page say in the same words: which figures matter to a mode, and how
//! numbers are written for people.

use std::fmt::Write as _;

use super::config::Mode;
use super::figure::{CONNECTED_RATE, FIGURES, Figure, Row, Unit};
use super::latency::{LATENCIES, Latency, LatencyRow, TimeFigure};
use super::summary::Report;
use crate::output::counted;

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
    // Three digits behind a point look like thousands, but not behind a 0.
    match value {
        value if value.fract() == 0.0 => {}
        ..0.9995 => return format!("{value:.3}"),
        ..9.995 => return format!("{value:.2}"),
        ..99.95 => return format!("{value:.1}"),
        _ => {}
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
pub(super) fn whole(value: u64) -> String {
    count(value as f64)
}

/// A count in four digits or fewer.
#[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
pub(super) fn short(count: u64) -> String {
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

/// What was asked for, in a line.
pub(super) fn load(report: &Report) -> String {
    let c = &report.configuration;
    let (publisher, subscriber) =
        if report.mode == Mode::Request { ("requester", "responder") } else { ("publisher", "subscriber") };
    let clients = [
        c.clients.map(|number| (number, "client")),
        c.sending.as_ref().map(|sending| (sending.publishers, publisher)),
        c.receiving.as_ref().map(|receiving| (receiving.subscribers, subscriber)),
    ];
    let clients = clients.into_iter().flatten().map(|(number, what)| counted(number.into(), what));
    let mut parts: Vec<String> = clients.collect();
    if let Some(receiving) = &c.receiving {
        match receiving.shared_groups {
            0 if receiving.pattern == "all" => parts.push("all to all".into()),
            0 => {}
            groups => parts.push(counted(groups.into(), "shared group")),
        }
    }
    let qos = c.messages.as_ref().map_or(0, |messages| messages.qos);
    if let Some(sending) = &c.sending {
        parts.push(match sending.rate_per_s {
            Some(rate) => format!("{}/s {}", count(rate), sending.arrivals),
            None if qos == 0 && report.mode != Mode::Request => "closed loop".into(),
            None => format!("closed loop, window {}", sending.inflight),
        });
        if sending.jitter_s > 0.0 {
            parts.push(format!("jitter up to {}", short_time(sending.jitter_s * 1e6)));
        }
    }
    if c.messages.is_some() {
        parts.push(format!("QoS {qos}"));
    }
    if let Some(sending) = &c.sending {
        parts.push(counted(u64::try_from(sending.payload_bytes).unwrap_or(u64::MAX), "byte"));
    }
    parts.join(", ")
}

/// How the broker is spoken to, in brackets behind its name.
pub(super) fn protocol(report: &Report) -> String {
    let c = &report.configuration;
    let transport = match c.transport {
        "tls" => " over TLS",
        "ws" => " over WebSocket",
        "wss" => " over WebSocket with TLS",
        _ => "",
    };
    let embedded = if c.embedded { ", embedded broker" } else { "" };
    format!("MQTT {}{transport}{embedded}", c.protocol)
}

/// How long each phase took, in a line.
pub(super) fn phases(report: &Report) -> String {
    let p = &report.phases_s;
    format!(
        "connect {:.1} s, warm-up {:.1} s, measure {:.1} s, drain {:.1} s",
        p.connect + p.subscribe,
        p.warmup,
        p.measure,
        p.drain
    )
}

/// What became of the connections, in a line.
pub(super) fn connections(report: &Report) -> String {
    let (made, rate) = (whole(report.counts.connected), CONNECTED_RATE.value(report).unwrap_or(0.0));
    let mut text = format!("{made} of {} made, {}/s", whole(report.counts.attempted), count(rate));
    for (figure, value) in shown(report, |row| matches!(row, Row::Connections)) {
        if value > Some(0.0) {
            let _ = write!(text, ", {} {}", figure.unit.text(value.unwrap_or(0.0)), figure.label);
        }
    }
    text
}

/// The figures with such a row that the run has, and their values if they are known.
fn shown(
    report: &Report,
    row: fn(Row) -> bool,
) -> impl Iterator<Item = (&'static Figure, Option<f64>)> + use<'_> {
    let figures = FIGURES.iter().filter(move |figure| row(figure.row) && figure.when.holds(report));
    figures.map(|figure| (figure, figure.value(report)))
}

/// Messages that went through a stage, with their rate.
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) number: Option<f64>,
    pub(super) per_s: f64,
    pub(super) remark: &'static str,
}

/// The stages that the run has.
pub(super) fn stages(report: &Report) -> Vec<Stage> {
    let stages = FIGURES.iter().filter_map(|figure| {
        let Row::Stage(when, remark) = figure.row else { return None };
        let per_s = figure.value(report).filter(|_| when.holds(report))?;
        let number = figure.count.and_then(|count| count.value(report));
        Some(Stage { name: figure.label, number, per_s, remark })
    });
    stages.collect()
}

/// Lost, doubled and reordered messages, where the mode can tell: how many, if they are known.
pub(super) fn defects(report: &Report) -> Vec<(&'static str, String)> {
    shown(report, |row| matches!(row, Row::Defect))
        .map(|(figure, value)| (figure.label, value.map_or("-".into(), |value| figure.unit.text(value))))
        .collect()
}

/// What else became of messages, as far as it did.
pub(super) fn strays(report: &Report) -> Vec<(&'static str, String)> {
    let strays = shown(report, |row| matches!(row, Row::Stray(_)));
    let here = strays.filter(|(figure, value)| {
        *value > Some(0.0) && matches!(figure.row, Row::Stray(when) if when.holds(report))
    });
    here.map(|(figure, value)| (figure.label, figure.unit.text(value.unwrap_or(0.0)))).collect()
}

/// The latencies of the run that have a row, in the order in which they happen.
pub(super) fn latencies(report: &Report) -> impl Iterator<Item = (&'static TimeFigure, &Latency)> {
    let found = LATENCIES.iter().filter(|latency| !matches!(latency.row, LatencyRow::Only(_)));
    let found = found.filter_map(|figure| Some((figure, report.latency(figure.kind)?)));
    found.filter(|(_, latency)| latency.all.is_some())
}

/// What the generator needed, in parts.
pub(super) fn generator(report: &Report) -> Vec<(&'static str, String)> {
    let shares = report.generator.thread_cpu_share.iter().take(8);
    let cpu: Vec<String> = shares.map(|share| percent(*share)).collect();
    let mut parts = Vec::new();
    if !cpu.is_empty() {
        parts.push(("CPU", format!("{} of a core", cpu.join(" + "))));
    }
    parts.extend(shown(report, |row| matches!(row, Row::Generator)).filter_map(|(figure, value)| {
        let value = value.filter(|value| *value > 0.0)?;
        Some((
            figure.label,
            if figure.unit == Unit::Share { percent(value) } else { figure.unit.text(value) },
        ))
    }));
    parts
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// How often something was due and the broker was not ready for it, in a line.
pub(super) fn held_back(report: &Report) -> Option<String> {
    let all: Vec<_> = shown(report, |row| matches!(row, Row::HeldBack)).collect();
    let parts: Vec<String> = all
        .iter()
        .map(|(figure, value)| format!("{} times {}", figure.unit.text(value.unwrap_or(0.0)), figure.label))
        .collect();
    all.iter().any(|(_, value)| *value > Some(0.0)).then(|| parts.join(", "))
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
        for (value, shown) in
            [(1.499, "1.50"), (95.075, "95.1"), (99.96, "100"), (9.996, "10.0"), (1_234.5, "1,234")]
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
}
