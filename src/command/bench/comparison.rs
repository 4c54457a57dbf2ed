//! Comparisons of reports as Markdown, HTML page and JSON object.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::change::ChangeResult;
use super::compare::{ComparedRow, ComparedSetting, Side, differences, median, remarks, rows};
use super::report::figure::Unit;
use super::report::latency::{Is, STATISTICS};
use super::report::markdown::escaped;
use super::report::page::{self, ChartLine, chart, nines, times};
use crate::output::put_json_line;

/// The table in Markdown, for an issue or a pull request.
pub(super) fn as_markdown(sides: &[Side], changes: &[ChangeResult]) -> String {
    let mut out = "| |".to_owned();
    for (place, side) in sides.iter().enumerate() {
        let _ = write!(out, " {} |{}", escaped(&side.name), if place > 0 { " ratio |" } else { "" });
    }
    let columns = sides.len() * 2 - 1;
    let _ = writeln!(out, "\n|---|{}", "--:|".repeat(columns));
    let rows = rows(sides);
    for row in rows.iter().filter(|row| row.is_of_interest()) {
        let _ = write!(out, "| {} |", escaped(&row.figure.name));
        for (median, ratio) in row.cells() {
            let _ = write!(out, " {median} |");
            if let Some((ratio, mark)) = ratio {
                let _ = write!(out, " {} |", escaped(format!("{ratio}{mark}").trim_end()));
            }
        }
        out.push('\n');
    }
    out.push('\n');
    let remarks = remarks(sides, &rows).into_iter().map(|remark| escaped(&remark));
    let changes = changes.iter().map(|change| {
        let verdict = if change.broken { "**failed**" } else { "passed" };
        format!("{verdict}: {}", escaped(&change.shown()))
    });
    for line in remarks.chain(changes) {
        let _ = writeln!(out, "* {line}");
    }
    out
}

/// The table as an HTML page, with a chart of latency by percentile.
pub(super) fn as_page(sides: &[Side], changes: &[ChangeResult]) -> String {
    let names: Vec<&str> = sides.iter().map(|side| side.name.as_str()).collect();
    let mut out = page::begin(&format!("mqtt bench compare: {}", names.join(", ")));
    for change in changes {
        let (class, verdict) = if change.broken { ("bad", "Failed") } else { ("good", "Passed") };
        page::say(&mut out, class, &format!("{verdict}: {}", change.shown()));
    }
    let rows = rows(sides);
    for remark in remarks(sides, &rows) {
        page::say(&mut out, "dim", &remark);
    }
    out.push_str(page::SECTIONS);
    let mut headings = vec![String::new()];
    for (place, name) in names.iter().enumerate() {
        headings.push((*name).to_owned());
        headings.extend((place > 0).then(|| "ratio".to_owned()));
    }
    let of_interest = rows.iter().filter(|row| row.is_of_interest());
    let cells = of_interest.map(|row| {
        let cells = row.cells().flat_map(|(median, ratio)| {
            [Some(median), ratio.map(|(ratio, mark)| format!("{ratio}{mark}"))].into_iter().flatten()
        });
        std::iter::once(row.figure.name.clone()).chain(cells).collect()
    });
    page::table(&mut out, "Figures", &headings, cells);
    // A chart has three colours.
    let lines: Vec<_> = sides
        .iter()
        .zip(['a', 'b', 'c'])
        .map(|(side, color)| ChartLine { name: &side.name, color, points: percentiles(side) })
        .collect();
    chart(&mut out, "Latency by percentile", "%", (&lines, &[]), times, nines);
    out.push_str(page::END);
    out
}

/// The medians of the percentiles of a side's main latency; every nine has the same width.
fn percentiles(side: &Side) -> Vec<(f64, f64)> {
    let Some(main) = side.reports.first().and_then(|report| report["main_latency"].as_str()) else {
        return Vec::new();
    };
    let points = STATISTICS.iter().filter_map(|statistic| {
        let Is::Quantile(quantile) = statistic.is else { return None };
        let values = side.values(&format!("/latency_us/{main}/{}", statistic.key));
        Some((-(1.0 - quantile).log10(), median(&values)?))
    });
    points.collect()
}

/// The comparison as one JSON object.
pub(super) fn as_object(sides: &[Side], changes: &[ChangeResult]) -> Vec<u8> {
    let figures: Vec<Value> = rows(sides)
        .iter()
        .map(|ComparedRow { figure, medians, ratios, differs }| {
            let unit = if figure.unit == Unit::Microseconds { "us" } else { "1" };
            let (name, better) = (&figure.name, figure.better.key());
            json!({"name": name, "unit": unit, "better": better, "medians": medians, "ratios": ratios, "more_than_noise": differs})
        })
        .collect();
    let settings = differences(sides);
    let not_the_same: serde_json::Map<String, Value> = settings
        .iter()
        .map(|ComparedSetting { name, values }| {
            let values: Vec<String> = values.iter().map(|values| values.join(" and ")).collect();
            (name.clone(), values.into())
        })
        .collect();
    let sides: Vec<Value> = sides
        .iter()
        .enumerate()
        .map(|(place, side)| {
            let mixed: serde_json::Map<String, Value> = settings
                .iter()
                .filter(|setting| setting.values[place].len() > 1)
                .map(|setting| (setting.name.clone(), setting.values[place].clone().into()))
                .collect();
            let files: Vec<_> = side.files.iter().map(|file| file.to_string_lossy()).collect();
            json!({"name": side.name, "runs": side.reports.len(), "files": files, "mixed": mixed})
        })
        .collect();
    let report = json!({
        "type": "bench-comparison",
        "version": 1,
        "sides": sides,
        "figures": figures,
        "not_the_same": not_the_same,
        "thresholds": changes,
    });
    let mut line = Vec::new();
    put_json_line(&mut line, &report);
    line
}
