//! The report in Markdown, for an issue or a pull request: the lines of the text report, as tables.

use std::fmt::Write as _;

use super::beside;
use super::group::GroupReport;
use super::latency::{LatencyRow, STATISTICS};
use super::numbers::{count, time_or_dash, whole};
use super::text::{self, StageRate};
use super::{LoadReport, StageReport};
use crate::notation::printable;

pub(crate) fn render(report: &LoadReport) -> String {
    let title = format!("mqtt bench {} against {}", report.mode.name(), report.configuration.broker);
    let mut out = format!("### {}\n\n", escaped(&title));
    if let Some(scenario) = &report.configuration.scenario {
        let _ = writeln!(out, "* {}", escaped(&format!("scenario {}", scenario.shown())));
    }
    for line in [text::load(report), text::protocol(report), text::phases(report)] {
        let _ = writeln!(out, "* {}", escaped(&line));
    }
    if let Some((name, text)) = text::shards(report) {
        let _ = writeln!(out, "* {}", escaped(&format!("{name} {text}")));
    }
    figures(&mut out, report);
    latencies(&mut out, report);
    disturbances(&mut out, report);
    groups(&mut out, report);
    stages(&mut out, report);
    verdict(&mut out, report);
    let _ =
        writeln!(out, "\n<sub>mqtt {}, {}</sub>", escaped(crate::output::VERSION), escaped(&report.started));
    out
}

fn figures(out: &mut String, report: &LoadReport) {
    out.push_str("\n| | number | a second |\n|---|--:|--:|\n");
    let mut row = |name: &str, number: &str, per_s: &str| {
        let _ = writeln!(out, "| {} | {} | {per_s} |", escaped(name), escaped(number));
    };
    row("connections", &text::connections(report), "");
    for StageRate { name, number, per_s, remark } in text::stages(report) {
        row(format!("{name} {remark}").trim_end(), &number.map_or_else(String::new, count), &count(per_s));
    }
    for (name, number) in text::defects(report).into_iter().chain(text::strays(report)) {
        row(name, &number, "");
    }
    for (name, value) in text::generator(report) {
        row(&format!("generator: {name}"), &value, "");
    }
    if let Some(text) = text::held_back(report) {
        row("held back", &text, "");
    }
    for (name, text) in beside::lines(report) {
        row(name, &text, "");
    }
}

fn latencies(out: &mut String, report: &LoadReport) {
    let latencies: Vec<_> = text::latencies(report).collect();
    if latencies.is_empty() {
        return;
    }
    out.push_str("\n| latency |");
    for statistic in &STATISTICS {
        let _ = write!(out, " {} |", statistic.name);
    }
    let _ = write!(out, "\n|---|{}\n", "--:|".repeat(STATISTICS.len()));
    for (figure, latency) in latencies {
        let indent = if figure.row == LatencyRow::Below { "… " } else { "" };
        let _ = write!(out, "| {indent}{} |", escaped(figure.label));
        for statistic in &STATISTICS {
            let _ = write!(out, " {} |", time_or_dash(latency.value(statistic)));
        }
        out.push('\n');
    }
}

fn disturbances(out: &mut String, report: &LoadReport) {
    for disturbance in &report.disturbances {
        let _ = write!(out, "\n| disturbance | {} |\n|---|---|\n", escaped(&disturbance.title()));
        for (name, text) in disturbance.lines() {
            let _ = writeln!(out, "| {name} | {} |", escaped(&text));
        }
    }
}

fn groups(out: &mut String, report: &LoadReport) {
    if report.groups.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n| group | {} |\n|:--{}|", GroupReport::HEADINGS.join(" | "), "|--:".repeat(7));
    for group in &report.groups {
        let _ = writeln!(out, "| {} | {} |", escaped(&group.name), group.row().join(" | "));
    }
}

fn stages(out: &mut String, report: &LoadReport) {
    if report.stages.is_empty() {
        return;
    }
    let headings = StageReport::headings();
    let _ = writeln!(out, "\n| stage | {} |\n|:--{}|", headings.join(" | "), "|--:".repeat(headings.len()));
    for stage in &report.stages {
        let _ = writeln!(out, "| {} | {} |", escaped(&stage.name()), stage.row().join(" | "));
    }
}

fn verdict(out: &mut String, report: &LoadReport) {
    let errors =
        report.errors.iter().take(10).map(|cause| format!("error: {} × {}", whole(cause.count), cause.cause));
    let notes = report.findings.notes.iter().map(|note| format!("note: {note}"));
    let interrupted =
        report.interrupted.then(|| "interrupted: the figures cover the time until then".to_owned());
    let thresholds = report.limits().map(|(of, result)| {
        let verdict = if result.broken { "**failed**" } else { "passed" };
        format!("{verdict}: {of}{}", escaped(&result.shown()))
    });
    let problems = report
        .findings
        .problems
        .iter()
        .map(|problem| format!("**not valid**: {}", escaped(&problem.to_string())));
    let aborted = report.aborted.iter().map(|aborted| format!("aborted {}", aborted.shown()));
    let plain = errors.chain(notes).chain(interrupted).chain(aborted).map(|line| escaped(&line));
    for (place, line) in plain.chain(thresholds).chain(problems).enumerate() {
        let _ = writeln!(out, "{}* {line}", if place == 0 { "\n" } else { "" });
    }
}

/// Text with Markdown's special characters escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in printable(text).chars() {
        if matches!(letter, '\\' | '`' | '*' | '_' | '|' | '<' | '>' | '[' | ']' | '#' | '&' | '~' | '@') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_markdown_are_escaped() {
        assert_eq!(escaped("a|b_c *d* <e> \u{1b}[2J"), r"a\|b\_c \*d\* \<e\> \\x1b\[2J");
    }
}
