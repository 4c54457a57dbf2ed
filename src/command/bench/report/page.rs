//! An HTML page that loads nothing from the network: its frame, and charts as inline SVG. It follows the
//! reader's choice of light or dark and fits the width of a phone. It has no script, so that it looks the
//! same in every browser, mail client and archive.

use std::fmt::Write as _;

use super::numbers::{short, short_time};
use crate::notation::printable;

/// Units of the chart's coordinates.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 104.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 40.0;
/// The widths of a letter, and of a percent sign, on a phone, where letters are largest: of the widest common fonts. They
/// prevent overlapping labels.
const LETTER: f64 = 15.5;
const PERCENT: f64 = 26.0;
/// The space between two labels.
const GAP: f64 = 12.0;
/// Maximum number of intervals between grid lines.
const STEPS: f64 = 5.0;

const STYLE: &str = "\
:root{color-scheme:light dark;--fg:#1c2430;--dim:#5b6675;--bg:#fff;--card:#f5f7fa;--grid:#d9dfe7;--a:#0b6bcb;--b:#f59e0b;--c:#0f8a3c;--good:#15803d;--bad:#b91c1c;--more:rgba(28,36,48,.3)}
@media(prefers-color-scheme:dark){:root{--fg:#e6eaf0;--dim:#9aa7b8;--bg:#11161d;--card:#1a212b;--grid:#2d3743;--a:#3b8fe8;--b:#fb923c;--c:#4ade80;--good:#4ade80;--bad:#f87171;--more:rgba(154,167,184,.5)}}
*{box-sizing:border-box}body{margin:0;font:16px/1.45 system-ui,sans-serif;color:var(--fg);background:var(--bg)}
main{max-width:72rem;margin:0 auto;padding:1rem}h1{font-size:1.4rem;margin:.2rem 0;overflow-wrap:anywhere}h2{font-size:1.05rem;margin:0 0 .5rem;overflow-wrap:anywhere}
p{margin:.2rem 0;overflow-wrap:anywhere}.dim{color:var(--dim)}.bad{color:var(--bad);font-weight:600}.good{color:var(--good)}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:1rem;margin-top:1rem}
section{background:var(--card);border-radius:.6rem;padding:.9rem;min-width:0}
svg{width:100%;height:auto;display:block}svg text{fill:var(--dim);font-size:14px}
.g{stroke:var(--grid);stroke-width:1}.l{fill:none;stroke-linejoin:round}
.m{stroke:var(--bad);stroke-width:2;stroke-dasharray:4 4}
.a{stroke:var(--a)}.b{stroke:var(--b)}.c{stroke:var(--c)}
.key span{margin-right:1rem;white-space:nowrap}.key i{display:inline-block;width:1.1rem;vertical-align:middle;margin-right:.35rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}td,th{padding:.18rem 0 .18rem .5rem;text-align:right;vertical-align:top;overflow-wrap:anywhere}
td:first-child,th:first-child{text-align:left;padding-left:0}th{color:var(--dim);font-weight:500}.in{padding-left:1rem!important;color:var(--dim)}.w td,.w th{white-space:nowrap;padding-left:1rem}.w td:first-child,.w th:first-child{padding-left:0}
.w{overflow-x:auto;background:linear-gradient(90deg,var(--card) 50%,transparent) left/3rem 100% no-repeat local,linear-gradient(270deg,var(--card) 50%,transparent) right/3rem 100% no-repeat local,linear-gradient(90deg,var(--more),transparent) left/.8rem 100% no-repeat scroll,linear-gradient(270deg,var(--more),transparent) right/.8rem 100% no-repeat scroll}
.wide{grid-column:1/-1}dl{columns:22rem 3;column-gap:2rem;margin:0}dl div{display:flex;justify-content:space-between;gap:1rem;break-inside:avoid;padding:.18rem 0}
.one{columns:1}dt{color:var(--dim)}dd{margin:0;text-align:right;overflow-wrap:anywhere;min-width:0}
@media(max-width:40rem){svg text{font-size:24px}.w td,.w th{font-size:.85rem;padding-left:.7rem}}";

/// The start of a page with a title, up to its first line.
pub(crate) fn begin(title: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n",
    )
}

/// The end of the page, after its sections.
pub(crate) const END: &str = "</div></main></body></html>\n";
/// The start of its sections.
pub(crate) const SECTIONS: &str = "<div class=\"grid\">\n";

/// Adds a line above the sections.
pub(crate) fn say(out: &mut String, class: &str, text: &str) {
    let _ = writeln!(out, "<p class=\"{class}\">{}</p>", escaped(text));
}

/// Adds a section with a table: headings, and rows with the same number of cells. A table that is too wide scrolls, and has
/// a shadow where more follows.
pub(crate) fn table(
    out: &mut String,
    title: &str,
    headings: &[String],
    rows: impl Iterator<Item = Vec<String>>,
) {
    let _ = write!(out, "<section class=\"wide\"><h2>{}</h2><div class=\"w\"><table>", escaped(title));
    let mut row = |kind: &str, cells: &[String]| {
        out.push_str("<tr>");
        for cell in cells {
            let _ = write!(out, "<{kind}>{}</{kind}>", escaped(cell));
        }
        out.push_str("</tr>");
    };
    row("th", headings);
    rows.for_each(|cells| row("td", &cells));
    out.push_str("</table></div></section>\n");
}

/// A line of a chart.
pub(crate) struct ChartLine<'a> {
    pub(crate) name: &'a str,
    /// `a`, `b` or `c` of the style sheet.
    pub(crate) color: char,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A percentile by its number of nines: 90, 99, 99.9 and so on.
pub(crate) fn nines(nines: f64) -> String {
    // One decimal for each nine after the second.
    let digits = if nines > 2.0 { nines.round() - 2.0 } else { 0.0 };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few")]
    let digits = digits as usize;
    format!("{:.digits$}", 100.0 * (1.0 - 10_f64.powf(-nines)))
}

/// Adds a section with a chart and its marks; nothing if there are no points.
pub(crate) fn chart(
    out: &mut String,
    title: &str,
    unit: &str,
    (lines, marks): (&[ChartLine<'_>], &[f64]),
    shown: impl Fn(f64) -> String,
    across: impl Fn(f64) -> String,
) {
    let all = || lines.iter().flat_map(|line| &line.points);
    if all().count() == 0 {
        return;
    }
    let bounds = |of: fn(&(f64, f64)) -> f64| {
        all().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let (first, last) = bounds(|point| point.0);
    let most = bounds(|point| point.1).1.max(f64::MIN_POSITIVE);
    let span = if last > first { last - first } else { 1.0 };
    let x = |value: f64| LEFT + (value - first) / span * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM);
    let title = escaped(title);
    let _ = write!(
        out,
        "<section><h2>{title}</h2><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">"
    );
    for value in ticks(0.0, most, 0.0) {
        let height = y(value);
        let _ = write!(
            out,
            "<line class=\"g\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{height:.1}\" y2=\"{height:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            height + 5.0,
            shown(value)
        );
    }
    let labels =
        ticks(first, last, 1.0).into_iter().map(|value| (x(value), format!("{} {unit}", across(value))));
    for Label { place, anchor, text } in labels_in_a_row(labels) {
        let _ = write!(
            out,
            "<text x=\"{place:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            HEIGHT - 8.0,
            escaped(&text)
        );
    }
    for mark in marks.iter().filter(|mark| (first..=last).contains(mark)) {
        let place = x(*mark);
        let _ = write!(
            out,
            "<line class=\"m\" x1=\"{place:.1}\" x2=\"{place:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>",
            HEIGHT - BOTTOM
        );
    }
    for (place, line) in lines.iter().enumerate() {
        let thickness = thickness(place, lines.len());
        let points: Vec<String> =
            line.points.iter().map(|(a, b)| format!("{:.1},{:.1}", x(*a), y(*b))).collect();
        match &points[..] {
            // A single second is drawn as a dot, since a line would be invisible.
            [_] => {
                let (a, b) = line.points[0];
                let _ = write!(
                    out,
                    "<circle fill=\"var(--{0})\" cx=\"{1:.1}\" cy=\"{2:.1}\" r=\"4\"/>",
                    line.color,
                    x(a),
                    y(b)
                );
            }
            _ => {
                let _ = write!(
                    out,
                    "<polyline class=\"l {}\" stroke-width=\"{thickness}\" points=\"{}\"/>",
                    line.color,
                    points.join(" ")
                );
            }
        }
    }
    out.push_str("</svg><p class=\"key dim\">");
    for (place, line) in lines.iter().enumerate() {
        let _ = write!(
            out,
            "<span><i style=\"border-top:{}px solid var(--{})\"></i>{}</span>",
            thickness(place, lines.len()),
            line.color,
            escaped(line.name)
        );
    }
    out.push_str("</p></section>\n");
}

/// A label below a chart.
#[derive(Debug)]
struct Label {
    place: f64,
    /// `middle` or `end` of SVG.
    anchor: &'static str,
    text: String,
}

/// The widest that a label may be.
fn width_of(text: &str) -> f64 {
    text.chars().map(|letter| if letter == '%' { PERCENT } else { LETTER }).sum()
}

/// Those of the labels at these places that do not overlap the one before.
fn labels_in_a_row(labels: impl Iterator<Item = (f64, String)>) -> Vec<Label> {
    let mut taken = f64::NEG_INFINITY;
    let mut row = Vec::new();
    for (place, text) in labels {
        let width = width_of(&text);
        let (anchor, before) = if place + width / 2.0 > WIDTH { ("end", 1.0) } else { ("middle", 0.5) };
        if place - width * before >= taken {
            taken = place + width * (1.0 - before) + GAP;
            row.push(Label { place, anchor, text });
        }
    }
    row
}

/// The thickness of a line: each is thinner than the one below it, so that lines with equal values remain
/// visible.
fn thickness(place: usize, of: usize) -> f64 {
    match place {
        _ if of == 1 => 2.0,
        0 => 7.0,
        1 => 4.0,
        _ => 2.0,
    }
}

/// Round numbers from `low` to `high`, at least `finest` apart.
fn ticks(low: f64, high: f64, finest: f64) -> Vec<f64> {
    let raw = ((high - low) / STEPS).max(finest).max(f64::MIN_POSITIVE);
    let magnitude = 10_f64.powf(raw.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude).into_iter().find(|step| *step >= raw * 0.999);
    let step = step.unwrap_or(raw);
    let first = (low / step).ceil();
    let values = (0..100_u32).map(|number| (first + f64::from(number)) * step);
    values.take_while(|value| *value <= high * 1.000_001).collect()
}

/// The labels of grid lines for counts.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
pub(crate) fn counts(value: f64) -> String {
    short(value.round() as u64)
}

/// The labels of grid lines for times.
pub(crate) fn times(microseconds: f64) -> String {
    if microseconds == 0.0 { "0".into() } else { short_time(microseconds) }
}

#[allow(clippy::cast_precision_loss, reason = "drawn in some hundred pixels")]
pub(crate) fn number(value: u64) -> f64 {
    value as f64
}

/// The lines that are not zero throughout.
pub(crate) fn in_use(mut lines: Vec<ChartLine<'_>>) -> Vec<ChartLine<'_>> {
    lines.retain(|line| line.points.iter().any(|(_, value)| *value > 0.0));
    lines
}

/// Text escaped for HTML, without control characters that change the direction of text.
pub(crate) fn escaped(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(ticks(0.0, 2008.0, 0.0), [0.0, 500.0, 1000.0, 1500.0, 2000.0]);
        assert_eq!(ticks(0.0, 7.0, 1.0), [0.0, 2.0, 4.0, 6.0]);
        assert_eq!(ticks(3.0, 5.0, 1.0), [3.0, 4.0, 5.0]);
        assert_eq!(ticks(0.0, 20.0, 0.0), [0.0, 5.0, 10.0, 15.0, 20.0]);
        assert!(ticks(0.0, f64::MIN_POSITIVE, 0.0).len() < 100);
    }

    /// The advance of a letter in the font `DejaVu Sans`, the widest of the usual fonts, at the size that phones show.
    fn shown_width(text: &str) -> f64 {
        let advance = |letter| match letter {
            '0'..='9' => 0.636,
            '.' | ',' | ' ' => 0.3179,
            '%' => 0.950,
            's' => 0.521,
            'k' => 0.579,
            other => panic!("{other}"),
        };
        text.chars().map(|letter| advance(letter) * 24.0).sum()
    }

    #[test]
    fn labels_do_not_overlap_on_a_phone() {
        let x = |part: f64| LEFT + part * (WIDTH - LEFT - RIGHT);
        let percentiles: Vec<_> = (1..=5)
            .map(|count| (x(f64::from(count) / 5.2), format!("{} %", nines(f64::from(count)))))
            .collect();
        let seconds = ticks(0.0, 1700.0, 1.0)
            .into_iter()
            .map(|value| (x(value / 1700.0), format!("{} s", counts(value))));
        let cases = [
            percentiles.clone(),
            vec![percentiles[2].clone(), (x(1.0), "99.99 %".into())],
            seconds.collect(),
        ];
        for (case, labels) in cases.into_iter().enumerate() {
            let (all, row) = (labels.len(), labels_in_a_row(labels.into_iter()));
            let mut end = f64::NEG_INFINITY;
            for Label { place, anchor, text } in &row {
                let width = shown_width(text);
                let begin = place - if *anchor == "end" { width } else { width / 2.0 };
                assert!(begin >= end + 4.0 && begin + width <= WIDTH, "{case}: {row:?}");
                end = begin + width;
            }
            assert!(row.len() * 2 >= all, "{case}: {row:?}");
        }
    }
}
