//! The report as an HTML page that loads nothing from the network: figures, charts as inline SVG, the
//! configuration.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::rows::Course;
use super::beside;
use super::group::GroupReport;
use super::latency::{LatencyRow, STATISTICS};
use super::numbers::{count, time_or_dash, whole};
use super::page::{self, ChartLine, chart, counts, escaped, in_use, nines, number, times};
use super::text::{self, StageRate};
use super::{LoadReport, SeriesSecond, StageReport, buckets};

pub(crate) fn render(report: &LoadReport) -> String {
    let c = &report.configuration;
    let mut out = page::begin(&format!("mqtt bench {} against {}", report.mode.name(), c.broker));
    let mut say = |class: &str, text: &str| page::say(&mut out, class, text);
    if let Some(scenario) = &c.scenario {
        say("", &format!("scenario {}", scenario.shown()));
    }
    say("", &text::load(report));
    if let Some((name, text)) = text::shards(report) {
        say("dim", &format!("{name} {text}"));
    }
    say("dim", &format!("{}, {}", report.started, text::protocol(report)));
    say("dim", &text::phases(report));
    for problem in &report.findings.problems {
        say("bad", &format!("Not valid: {problem}"));
    }
    for (of, result) in report.limits().filter(|(_, result)| result.broken) {
        say("bad", &format!("Failed: {of}{}: it was {}", result.fail_if, result.text));
    }
    if let Some(aborted) = &report.aborted {
        say("bad", &format!("Aborted {}", aborted.shown()));
    }
    if report.interrupted {
        say("bad", "Interrupted: the figures cover the time until then");
    }
    for note in &report.findings.notes {
        say("dim", &note.to_string());
    }
    out.push_str(page::SECTIONS);
    figures(&mut out, report);
    groups(&mut out, report);
    stages(&mut out, report);
    latencies(&mut out, report);
    disturbances(&mut out, report);
    // The last second is incomplete, and all clients disconnect in it.
    let series = match &report.series[..] {
        [whole @ .., last] if whole.len() > 1 && last.phase == Course::Drain => whole,
        all => all,
    };
    let stages = report.stages.iter().skip(1).map(|stage| stage.second);
    let marks = report.disturbances.iter().map(|disturbance| disturbance.second);
    let marks: Vec<f64> = marks.chain(stages).collect();
    chart(&mut out, "Messages a second", "s", (&throughput(series), &marks), counts, count);
    let operations = in_use(vec![line("operations", 'a', series, |s| rate(s, s.operations))]);
    chart(&mut out, "Operations a second", "s", (&operations, &marks), counts, count);
    chart(&mut out, "Latency over time", "s", (&latency_over_time(series), &marks), times, count);
    percentiles(&mut out, report);
    let connected = in_use(vec![line("connected", 'a', series, |s| Some(number(s.connected)))]);
    chart(&mut out, "Connections", "s", (&connected, &marks), counts, count);
    broker(&mut out, report, series, &marks);
    configuration(&mut out, report);
    out.push_str(page::END);
    out
}

fn line<'a>(
    name: &'a str,
    color: char,
    series: &[SeriesSecond],
    value: impl Fn(&SeriesSecond) -> Option<f64>,
) -> ChartLine<'a> {
    // Points are at the end of each second, when its value is known.
    let at = |second: &SeriesSecond| second.second + second.length_s;
    let points = series.iter().filter_map(|second| Some((at(second), value(second)?))).collect();
    ChartLine { name, color, points }
}

/// A rate per second; `None` for a row that is too short.
fn rate(second: &SeriesSecond, count: u64) -> Option<f64> {
    (second.length_s > 0.2).then(|| second.per_s(count))
}

fn throughput(series: &[SeriesSecond]) -> Vec<ChartLine<'static>> {
    in_use(vec![
        line("sent", 'a', series, |s| rate(s, s.sent)),
        line("acknowledged", 'b', series, |s| rate(s, s.acknowledged)),
        line("delivered", 'c', series, |s| rate(s, s.delivered)),
    ])
}

fn latency_over_time(series: &[SeriesSecond]) -> Vec<ChartLine<'static>> {
    vec![
        line("p50", 'a', series, |s| s.p50_us),
        line("p99", 'b', series, |s| s.p99_us),
        line("max", 'c', series, |s| s.max_us),
    ]
}

/// The main latency by the share of messages that took no longer; every nine has the same width.
fn percentiles(out: &mut String, report: &LoadReport) {
    let main = report.main_latency.and_then(|main| report.latency(main));
    let Some(histogram) = main.and_then(|main| main.all.as_ref()) else { return };
    let all = number(histogram.len());
    let mut below = 0.0;
    let mut points = Vec::new();
    for (value, times) in buckets(histogram) {
        below += number(times);
        // The last message would be at infinity on this scale; it is drawn at the position of half a message.
        let beyond = ((all - below) / all).max(0.5 / all);
        points.push((-beyond.log10(), number(value) / 1000.0));
    }
    // Omits points that would be drawn on the same pixels: there may be thousands of buckets.
    points.dedup_by(|next, kept| next.0 - kept.0 < 0.002 && next.1 - kept.1 < 0.01 * kept.1);
    let lines = [ChartLine { name: "latency", color: 'a', points }];
    chart(out, "Latency by percentile", "%", (&lines, &[]), times, nines);
}

fn figures(out: &mut String, report: &LoadReport) {
    out.push_str("<section class=\"wide\"><h2>Result</h2><dl>");
    let mut row = |name: &str, class: &str, value: &str| {
        let (name, value) = (escaped(name), escaped(value));
        let _ = write!(out, "<div><dt>{name}</dt><dd class=\"{class}\">{value}</dd></div>");
    };
    row("connections", "", &text::connections(report));
    for StageRate { name, number, per_s, .. } in text::stages(report) {
        let rate = format!("{}/s", count(per_s));
        row(name, "", &number.map_or_else(|| rate.clone(), |number| format!("{} ({rate})", count(number))));
    }
    for (name, number) in text::defects(report) {
        row(name, "", &number);
    }
    for (name, number) in text::strays(report) {
        row(name, "", &number);
    }
    for (name, value) in text::generator(report) {
        row(&format!("generator: {name}"), "", &value);
    }
    if let Some(text) = text::held_back(report) {
        row("held back", "", &text);
    }
    for (name, text) in beside::lines(report) {
        row(name, "", &text);
    }
    for cause in &report.errors {
        row("error", "bad", &format!("{} × {}", whole(cause.count), cause.cause));
    }
    for (of, result) in report.limits() {
        let (verdict, class) = if result.broken { ("failed", "bad") } else { ("passed", "good") };
        row(&format!("{of}fail if {}", result.fail_if), class, &format!("{verdict}: {}", result.text));
    }
    out.push_str("</dl></section>\n");
}

fn groups(out: &mut String, report: &LoadReport) {
    if report.groups.is_empty() {
        return;
    }
    let headings = ["group"].into_iter().chain(GroupReport::HEADINGS).map(str::to_owned).collect::<Vec<_>>();
    let rows = report.groups.iter().map(|group| [vec![group.name.clone()], group.row().to_vec()].concat());
    page::table(out, "Groups", &headings, rows);
}

fn latencies(out: &mut String, report: &LoadReport) {
    if report.latencies.iter().all(|latency| latency.all.is_none()) {
        return;
    }
    out.push_str("<section class=\"wide\"><h2>Latency</h2><div class=\"w\"><table><tr><th></th>");
    let statistics = || STATISTICS.iter().filter(|statistic| statistic.on_page);
    for statistic in statistics() {
        let _ = write!(out, "<th>{}</th>", statistic.name);
    }
    out.push_str("</tr>");
    for (figure, latency) in text::latencies(report) {
        let class = if figure.row == LatencyRow::Below { " class=\"in\"" } else { "" };
        let _ = write!(out, "<tr><td{class}>{}</td>", figure.label);
        for statistic in statistics() {
            let _ = write!(out, "<td>{}</td>", time_or_dash(latency.value(statistic)));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table></div></section>\n");
}

/// Charts of the broker's process and metrics.
fn broker(out: &mut String, report: &LoadReport, series: &[SeriesSecond], marks: &[f64]) {
    let cpu = [line("CPU", 'a', series, |s| s.broker_cpu_share.map(|share| share * 100.0))];
    chart(out, "CPU of the broker", "s", (&cpu, marks), |percent| format!("{percent:.0} %"), count);
    let mebibytes = |bytes: u64| number(bytes) / 1_048_576.0;
    let memory = [line("resident", 'a', series, |s| s.broker_memory_bytes.map(mebibytes))];
    chart(out, "Memory of the broker", "s", (&memory, marks), |size| format!("{} MiB", count(size)), count);
    let descriptors = [line("open", 'a', series, |s| s.broker_descriptors.map(number))];
    chart(out, "Descriptors of the broker", "s", (&descriptors, marks), counts, count);
    for (title, line) in beside::charts(report) {
        chart(out, &title, "s", (&[line], marks), beside::short_number, count);
    }
    let (headings, rows) = beside::table(report);
    if !rows.is_empty() {
        page::table(out, "Numbers of the broker", &headings.map(str::to_owned), rows.into_iter());
    }
}

fn stages(out: &mut String, report: &LoadReport) {
    if report.stages.is_empty() {
        return;
    }
    let headings: Vec<String> =
        std::iter::once("").chain(StageReport::headings()).map(str::to_owned).collect();
    let rows = report.stages.iter().map(|stage| [vec![stage.name()], stage.row()].concat());
    page::table(out, "Stages", &headings, rows);
}

fn disturbances(out: &mut String, report: &LoadReport) {
    for disturbance in &report.disturbances {
        let title = escaped(&disturbance.title());
        let _ = write!(out, "<section><h2>Disturbance {title}</h2><dl class=\"one\">");
        for (name, text) in disturbance.lines() {
            let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escaped(&text));
        }
        out.push_str("</dl></section>\n");
    }
}

/// A value of the configuration, without the brackets and quotation marks of JSON.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(in_words).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            fields.map(|(name, value)| format!("{name} {}", in_words(value))).collect::<Vec<_>>().join(", ")
        }
        _ => value.to_string(),
    }
}

fn configuration(out: &mut String, report: &LoadReport) {
    out.push_str("<section class=\"wide\"><h2>Configuration</h2><dl>");
    let host = serde_json::to_value(&report.host).unwrap_or_default();
    let configuration = serde_json::to_value(&report.configuration).unwrap_or_default();
    let mut line = |name: &str, value: &str| {
        let _ = write!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value));
    };
    let all = [configuration, host];
    // Options that were not given are only in the JSON.
    let given = |value: &Value| {
        !value.is_null() && value != "" && value.as_array().is_none_or(|list| !list.is_empty())
    };
    let all = all.iter().filter_map(|value| value.as_object()).flatten();
    for (name, value) in all.filter(|(_, value)| given(value)) {
        line(name, &in_words(value));
    }
    line("version", crate::output::VERSION);
    out.push_str("</dl></section>\n");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::in_words;

    #[test]
    fn values_of_the_configuration_have_no_json_syntax() {
        let groups = json!([{"name": "a", "count": 3, "rate": null}, {"name": "b", "count": 1.5}]);
        assert_eq!(in_words(&groups), "name a, count 3; name b, count 1.5");
        assert_eq!(in_words(&json!({"topics": ["a/b", "c"], "clean": true})), "topics a/b; c, clean true");
        assert_eq!(in_words(&json!(4000)), "4000");
    }
}
