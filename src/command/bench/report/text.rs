//! The report as text, at most 80 columns wide.
//!
//! The HTML page uses the same functions for single lines, so that both have the same text.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::super::config::{Mode, OperationLoad, RetainedLoad};
use super::super::operation::OperationKind;
use super::super::rows::Course;
use super::beside;
use super::figure::{CONNECTED_RATE, FIGURES, Figure, FigureRow, Unit};
use super::finding::SATURATION_HINT;
use super::group::GroupReport;
use super::latency::{self, LATENCIES, Latency, LatencyRow, STATISTICS, TimeFigure};
use super::numbers::{count, short, short_time, time, time_or_dash, whole};
use super::{LoadReport, SeriesSecond, StageReport, buckets};
use crate::notation::printable;
use crate::output::{self, StandardStream, Tone};
use crate::quantity::{agree, counted, duration};

/// Width of the output.
const WIDTH: usize = 80;
/// Width of a bar.
const BAR: usize = 40;
/// Maximum number of threads shown individually.
const MOST_THREADS: usize = 8;
/// Maximum number of rows of the distribution.
const ROWS: usize = 12;

/// The whole report.
pub(crate) fn render(report: &LoadReport, stream: StandardStream) -> String {
    let mut out = String::new();
    head(&mut out, report);
    put_figures(&mut out, report);
    put_groups(&mut out, report);
    put_stages(&mut out, report);
    put_latencies(&mut out, report);
    put_disturbances(&mut out, report);
    distribution(&mut out, report);
    put_generator(&mut out, report);
    verdict(&mut out, report, stream);
    out
}

fn row(out: &mut String, name: &str, value: &str) {
    // Error texts and the broker's name may contain control characters.
    let mut line = format!("{name:<16} {}", printable(value));
    if line.chars().count() > WIDTH {
        line = line.chars().take(WIDTH - 1).chain(['…']).collect();
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

fn head(out: &mut String, report: &LoadReport) {
    let broker = &report.configuration.broker;
    wrapped(out, "bench", &format!("{} against {broker} ({})", report.mode.name(), protocol(report)));
    if let Some(scenario) = &report.configuration.scenario {
        wrapped(out, "scenario", &scenario.shown());
    }
    if let Some((name, text)) = shards(report) {
        wrapped(out, name, &text);
    }
    wrapped(out, "load", &load(report));
    row(out, "phases", &phases(report));
    out.push('\n');
}

fn put_figures(out: &mut String, report: &LoadReport) {
    wrapped(out, "connections", &connections(report));
    for StageRate { name, number, per_s, remark } in stages(report) {
        let number = number.map_or_else(String::new, count);
        row(out, name, &format!("{number:>14}  {:>12}/s  {remark}", count(per_s)));
    }
    if let [(name, lost), others @ ..] = &defects(report)[..] {
        let others: Vec<String> = others.iter().map(|(name, number)| format!("{name} {number}")).collect();
        row(out, name, &format!("{lost:>14}  {}", others.join(", ")));
    }
    let strays: Vec<String> =
        strays(report).iter().map(|(what, number)| format!("{number} {what}")).collect();
    if !strays.is_empty() {
        row(out, "also", &strays.join(", "));
    }
    out.push('\n');
}

/// The groups of a scenario, one per line.
fn put_groups(out: &mut String, report: &LoadReport) {
    if report.groups.is_empty() {
        return;
    }
    let mut put = |name: &str, [clients, up, sent, acknowledged, delivered, p50, p99]: [&str; 7]| {
        let name: String = name.chars().take(16).collect();
        let _ = writeln!(
            out,
            "{name:<16} {clients:>7} {up:>6} {sent:>10} {acknowledged:>11} {delivered:>11} {p50:>6} {p99:>6}"
        );
    };
    put("group", GroupReport::HEADINGS);
    for group in &report.groups {
        put(&group.name, group.row().each_ref().map(String::as_str));
    }
    out.push('\n');
}

/// The stages, one per line.
fn put_stages(out: &mut String, report: &LoadReport) {
    if report.stages.is_empty() {
        return;
    }
    let mut put = |name: &str, cells: &[String]| {
        let name: String = name.chars().take(30).collect();
        let _ = write!(out, "{name:<30}");
        for cell in cells {
            let _ = write!(out, " {cell:>6}");
        }
        out.push('\n');
    };
    put("stage", &StageReport::headings().map(str::to_owned));
    for stage in &report.stages {
        put(&stage.name(), &stage.row());
    }
    out.push('\n');
}

fn put_latencies(out: &mut String, report: &LoadReport) {
    if report.latencies.iter().all(|latency| latency.all.is_none()) {
        return;
    }
    let _ = write!(out, "{:<16}", "latency");
    for statistic in &STATISTICS {
        let _ = write!(out, " {:>6}", statistic.name);
    }
    out.push('\n');
    for (figure, latency) in latencies(report) {
        let indent = if figure.row == LatencyRow::Below { "  " } else { "" };
        let _ = write!(out, "{:<16}", format!("{indent}{}", figure.label));
        for statistic in &STATISTICS {
            let _ = write!(out, " {:>6}", time_or_dash(latency.value(statistic)));
        }
        out.push('\n');
    }
    out.push('\n');
}

fn put_disturbances(out: &mut String, report: &LoadReport) {
    for disturbance in &report.disturbances {
        wrapped(out, "disturbance", &disturbance.title());
        for (name, text) in disturbance.lines() {
            wrapped(out, &format!("  {name}"), &text);
        }
        out.push('\n');
    }
}

/// The distribution of the main latency: a histogram on a logarithmic scale.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "columns and rows on a screen"
)]
fn distribution(out: &mut String, report: &LoadReport) {
    let Some(latency) = report.main_latency.and_then(|main| report.latency(main)) else { return };
    let Some(buckets) = latency.all.as_ref().map(buckets) else { return };
    let [first, .., last] = &buckets[..] else { return };
    // Messages that were due just before the end of the run have waited for almost no time. They would take
    // most of the scale.
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
        // A small number is shown as more than nothing.
        let bar = if *number > 0 && length < 1.0 { "▏".to_owned() } else { "█".repeat(length as usize) };
        let share = *number as f64 / all as f64 * 100.0;
        let text = format!("≤ {:>8} {bar:<BAR$} {share:>6.2} %", time(up_to));
        row(out, names.get(place).map_or("", String::as_str), &text);
    }
    out.push('\n');
}

fn put_generator(out: &mut String, report: &LoadReport) {
    let parts: Vec<String> =
        generator(report).iter().map(|(name, value)| format!("{name} {value}")).collect();
    wrapped(out, "generator", &parts.join(", "));
    if let Some(text) = held_back(report) {
        row(out, "held back", &text);
    }
    for (name, text) in beside::lines(report) {
        wrapped(out, name, &text);
    }
}

fn verdict(out: &mut String, report: &LoadReport, stream: StandardStream) {
    for (place, cause) in report.errors.iter().take(10).enumerate() {
        let name = if place == 0 { "errors" } else { "" };
        wrapped(out, name, &format!("{} × {}", whole(cause.count), cause.cause));
    }
    for note in &report.findings.notes {
        wrapped(out, "note", &note.to_string());
    }
    if report.interrupted {
        row(out, "interrupted", "the figures cover the time until then");
    }
    if let Some(aborted) = &report.aborted {
        in_color(out, stream, Tone::Bad, |out| wrapped(out, "aborted", &aborted.shown()));
    }
    for (of, result) in report.limits() {
        let verdict = if result.broken { "FAILED" } else { "passed" };
        let tone = if result.broken { Tone::Bad } else { Tone::Good };
        in_color(out, stream, tone, |out| wrapped(out, verdict, &format!("{of}{}", result.shown())));
    }
    for problem in &report.findings.problems {
        in_color(out, stream, Tone::Bad, |out| wrapped(out, "not valid", &problem.to_string()));
    }
    if report.generator.saturated {
        wrapped(out, "hint", SATURATION_HINT);
    }
}

/// Writes the text of `put` in the colour of `tone`.
fn in_color(out: &mut String, stream: StandardStream, tone: Tone, put: impl FnOnce(&mut String)) {
    let start = out.len();
    put(out);
    let text = out.split_off(start);
    *out += &stream.verdict(text.trim_end_matches('\n'), tone);
    out.push('\n');
}

/// Wraps a text over several lines.
fn wrapped(out: &mut String, name: &str, text: &str) {
    for (index, line) in output::wrapped(text, WIDTH - 17).iter().enumerate() {
        row(out, if index == 0 { name } else { "" }, line);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is not negative")]
fn whole_rate(per_second: f64) -> u64 {
    per_second.round() as u64
}

/// A second of the run on one line of 80 columns. The line may be longer if there are errors or overdue
/// messages; these are not at its end, which a terminal cuts off.
pub(crate) fn live_line(second: &SeriesSecond, connected_before: u64, has_messages: bool) -> String {
    let phase = if second.phase == Course::WarmUp { "warm-up" } else { second.phase.key() };
    let (end, up) = (second.second + second.length_s, short(second.connected));
    let mut line = format!("{end:>3.0}s {phase} {up} up");
    if second.errors > 0 {
        let _ = write!(line, ", {} {}", short(second.errors), agree(second.errors, "error", "errors"));
    }
    if second.overdue > 0 {
        let _ = write!(line, ", {} overdue", short(second.overdue));
    }
    let rate = |count: u64| short(whole_rate(second.per_s(count)));
    if second.phase == Course::Connect {
        let more = second.connected.saturating_sub(connected_before);
        let _ = write!(line, ", {}/s", rate(more));
    } else if has_messages {
        let came = second.delivered.max(second.acknowledged);
        if second.operations > 0 {
            let _ = write!(line, ", {} operations/s", rate(second.operations));
        }
        if second.operations == 0 || second.sent + came > 0 {
            let _ = write!(line, ", out {}/s, in {}/s", rate(second.sent), rate(came));
        }
    }
    if second.in_flight > 0 {
        let _ = write!(line, ", {} open", short(second.in_flight));
    }
    if let (Some(p50), Some(p99)) = (second.p50_us, second.p99_us) {
        let _ = write!(line, ", p50 {} p99 {}", short_time(p50), short_time(p99));
    }
    line
}

/// The shard that the report is of, or the shards from which it was merged.
pub(crate) fn shards(report: &LoadReport) -> Option<(&'static str, String)> {
    if let Some(shard) = &report.shard {
        let clients = counted(shard.clients.into(), "client");
        let (number, of) = (shard.number, shard.of);
        return Some(("shard", format!("{number} of {of} of run {}, with {clients}", shard.run_id)));
    }
    let merged = report.merged.as_ref()?;
    let present = u64::from(merged.shards) - (merged.missing.len() + merged.failed.len()) as u64;
    let machines = counted(merged.machines as u64, "machine");
    Some(("merged", format!("{present} of {} shards of run {}, on {machines}", merged.shards, merged.run_id)))
}

/// The requested load, as one line.
pub(crate) fn load(report: &LoadReport) -> String {
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
    let fleet = fleet(report);
    if let Some(clients) = &fleet {
        parts = vec![clients.clone()];
    }
    if let Some(receiving) = &c.receiving {
        match receiving.shared_groups {
            0 if receiving.pattern == "all" && fleet.is_none() => parts.push("all to all".into()),
            0 => {}
            groups => parts.push(counted(groups.into(), "shared group")),
        }
    }
    let qos = c.messages.as_ref().map_or(0, |messages| messages.qos);
    parts.extend(c.retained.as_ref().map(retained));
    parts.extend(c.operations.iter().map(operation));
    if let Some(sending) = &c.sending {
        parts.push(match sending.rate_per_s {
            Some(rate) if !sending.stages.is_empty() => {
                let stages = counted(sending.stages.len() as u64, "stage");
                format!("{stages} with {}/s {} on average", count(rate), sending.arrivals)
            }
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

/// The clients of groups that are not one of publishers and one of subscribers.
fn fleet(report: &LoadReport) -> Option<String> {
    let c = &report.configuration;
    let clients: u64 = report.groups.iter().map(|group| u64::from(group.clients)).sum();
    let publishers = c.sending.as_ref().map_or(0, |sending| u64::from(sending.publishers));
    let subscribers = c.receiving.as_ref().map_or(0, |receiving| u64::from(receiving.subscribers));
    let is_pair = report.groups.len() <= 2 && (c.clients.is_some() || publishers + subscribers == clients);
    let groups = || counted(report.groups.len() as u64, "group");
    (!report.groups.is_empty() && !is_pair).then(|| format!("{} in {}", counted(clients, "client"), groups()))
}

/// The messages that the broker is given to retain.
fn retained(load: &RetainedLoad) -> String {
    let bytes = u64::try_from(load.payload_bytes).unwrap_or(u64::MAX);
    format!("{} of {}", counted(load.messages, "retained message"), counted(bytes, "byte"))
}

/// The operations of a group's clients.
fn operation(load: &OperationLoad) -> String {
    let what = match load.kind {
        OperationKind::Subscribe if load.filters > 1 => "SUBSCRIBE and UNSUBSCRIBE of several filters",
        OperationKind::Subscribe => "SUBSCRIBE and UNSUBSCRIBE",
        OperationKind::Connect => "disconnect and connect again",
        OperationKind::End => "end without DISCONNECT",
        OperationKind::Fetch => "subscribe",
    };
    let rate = load.rate_per_s.map_or_else(|| "all at once".to_owned(), |rate| format!("{}/s", count(rate)));
    format!("{} that {what}, {rate}", counted(load.clients.into(), "client"))
}

/// The protocol to the broker, in parentheses after its name.
pub(crate) fn protocol(report: &LoadReport) -> String {
    let c = &report.configuration;
    let transport = match &*c.transport {
        "tls" => " over TLS",
        "ws" => " over WebSocket",
        "wss" => " over WebSocket with TLS",
        _ => "",
    };
    let embedded = if c.embedded { ", embedded broker" } else { "" };
    format!("MQTT {}{transport}{embedded}", c.protocol)
}

/// The length of each phase, as one line.
pub(crate) fn phases(report: &LoadReport) -> String {
    let p = &report.phases_s;
    let seconds = |length: f64| duration(Duration::try_from_secs_f64(length).unwrap_or_default());
    format!(
        "connect {}, warm-up {}, measure {}, drain {}",
        seconds(p.connect + p.subscribe),
        seconds(p.warmup),
        seconds(p.measure),
        seconds(p.drain)
    )
}

/// The results of connections, as one line.
pub(crate) fn connections(report: &LoadReport) -> String {
    let (made, rate) = (whole(report.counts.connected), CONNECTED_RATE.value(report).unwrap_or(0.0));
    let mut text = format!("{made} of {} made, {}/s", whole(report.counts.attempted), count(rate));
    let is_here = |row| matches!(row, FigureRow::Connections | FigureRow::PartOfConnections);
    for (figure, value) in shown(report, is_here) {
        let Some(value) = value.filter(|value| *value > 0.0) else { continue };
        let (label, own) = (figure.label, figure.unit.text(value));
        let _ = match (figure.count.and_then(|count| count.value(report)), figure.whole) {
            (Some(number), _) => write!(text, ", {} {label}, {own}", count(number)),
            (None, Some(whole)) if matches!(figure.row, FigureRow::PartOfConnections) => {
                let share = figure.part(whole, report).unwrap_or(0.0) * 100.0;
                write!(text, ", {own} {label} ({share:.1} %)")
            }
            _ => write!(text, ", {own} {label}"),
        };
    }
    text
}

/// The figures of the run with such a row, and their values if known.
pub(super) fn shown(
    report: &LoadReport,
    row: fn(FigureRow) -> bool,
) -> impl Iterator<Item = (&'static Figure, Option<f64>)> + use<'_> {
    let figures = FIGURES.iter().filter(move |figure| row(figure.row) && figure.when.holds(report));
    figures.map(|figure| (figure, figure.value(report)))
}

/// Messages that passed a step from publisher to subscriber, with their rate.
pub(crate) struct StageRate {
    pub(crate) name: &'static str,
    pub(crate) number: Option<f64>,
    pub(crate) per_s: f64,
    pub(crate) remark: &'static str,
}

/// The steps that the run has.
pub(crate) fn stages(report: &LoadReport) -> Vec<StageRate> {
    let stages = FIGURES.iter().filter_map(|figure| {
        let FigureRow::Stage(when, remark) = figure.row else { return None };
        let per_s = figure.value(report).filter(|_| when.holds(report))?;
        let number = figure.count.and_then(|count| count.value(report));
        Some(StageRate { name: figure.label, number, per_s, remark })
    });
    stages.collect()
}

/// Lost, duplicate and reordered messages, if the mode can detect them: the number, if known.
pub(crate) fn defects(report: &LoadReport) -> Vec<(&'static str, String)> {
    shown(report, |row| matches!(row, FigureRow::Defect))
        .map(|(figure, value)| (figure.label, value.map_or("-".into(), |value| figure.unit.text(value))))
        .collect()
}

/// Other results of messages, if there are any.
pub(crate) fn strays(report: &LoadReport) -> Vec<(&'static str, String)> {
    let strays = shown(report, |row| matches!(row, FigureRow::Stray(_)));
    let here = strays.filter(|(figure, value)| {
        *value > Some(0.0) && matches!(figure.row, FigureRow::Stray(when) if when.holds(report))
    });
    here.map(|(figure, value)| (figure.label, figure.unit.text(value.unwrap_or(0.0)))).collect()
}

/// The latencies of the run that have a row, in the order in which the measured events happen.
pub(crate) fn latencies(report: &LoadReport) -> impl Iterator<Item = (&'static TimeFigure, &Latency)> {
    let found = LATENCIES.iter().filter(|latency| !matches!(latency.row, LatencyRow::Only(_)));
    let found = found.filter_map(|figure| Some((figure, report.latency(figure.kind)?)));
    found.filter(|(_, latency)| latency.all.is_some())
}

/// The resources of the generator, in several lines.
pub(crate) fn generator(report: &LoadReport) -> Vec<(&'static str, String)> {
    let shares = &report.generator.thread_cpu_share;
    let cpu: Vec<String> = shares.iter().take(MOST_THREADS).map(|share| percent(*share)).collect();
    let mut parts = Vec::new();
    if shares.len() > MOST_THREADS {
        let (busiest, threads) = (percent(report.generator.busiest()), shares.len());
        parts.push(("CPU", format!("up to {busiest} of a core in {threads} threads")));
    } else if !cpu.is_empty() {
        parts.push(("CPU", format!("{} of a core", cpu.join(" + "))));
    }
    parts.extend(shown(report, |row| matches!(row, FigureRow::Generator)).filter_map(|(figure, value)| {
        let value = value.filter(|value| *value > 0.0)?;
        Some((
            figure.label,
            if figure.unit == Unit::Share { percent(value) } else { figure.unit.text(value) },
        ))
    }));
    parts
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// How often something was due while the broker was not ready for it, as one line.
pub(crate) fn held_back(report: &LoadReport) -> Option<String> {
    let all: Vec<_> = shown(report, |row| matches!(row, FigureRow::HeldBack)).collect();
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
            lost: 0,
            reconnected: 0,
            ..SeriesSecond::default()
        };
        let line = live_line(&second, 0, true);
        let expected = "120s measure 10.0k up, out 50.0k/s, in 1.23M/s, 1.00M open, p50 721µs p99 10.8ms";
        assert_eq!(line, expected);
        assert_eq!(line.chars().count(), WIDTH);
        let failing = live_line(&SeriesSecond { errors: 12_345, overdue: 7, ..second }, 0, true);
        assert!(failing.starts_with("120s measure 10.0k up, 12.3k errors, 7 overdue, out 50.0k/s, in "));
        let part = SeriesSecond { second: 2.0, phase: Course::WarmUp, length_s: 0.5, sent: 2000, ..second };
        assert!(live_line(&part, 0, true).starts_with("  2s warm-up 10.0k up, out 4000/s, in "));
        // Without messages, or before them, the line shows new connections.
        let idle = SeriesSecond { in_flight: 0, ..part };
        let churning = SeriesSecond { sent: 0, delivered: 0, operations: 45, ..idle.clone() };
        assert!(live_line(&churning, 0, true).starts_with("  2s warm-up 10.0k up, 90 operations/s, p50 "));
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
