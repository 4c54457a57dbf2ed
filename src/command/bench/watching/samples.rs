//! Metrics of a broker by name, second by second. Their number and length are bounded.

use std::collections::BTreeMap;

use super::super::report::broker::{SampleSource, SampledSeries};
use crate::notation::printable;

/// Maximum number of names per source.
pub(super) const MOST_NAMES: usize = 256;
/// Maximum length of a name.
const LONGEST_NAME: usize = 256;
/// Maximum number of points in a series; at this number, every other point is removed, and the interval
/// doubles.
const MOST_POINTS: usize = 1024;

/// The metrics of one source.
#[derive(Debug)]
pub(super) struct BrokerSamples {
    source: SampleSource,
    /// Only these metrics; empty for all.
    chosen: Vec<String>,
    series: BTreeMap<String, KeptSeries>,
    /// The number of metrics of the current observation that were not kept.
    left_out: u64,
    most_left_out: u64,
}

#[derive(Debug, Default)]
struct KeptSeries {
    points: Vec<(f64, f64)>,
    /// One of this number of values is kept.
    every: u64,
    seen: u64,
    first: f64,
    last: f64,
    least: f64,
    most: f64,
}

impl BrokerSamples {
    pub(super) fn new(source: SampleSource, chosen: Vec<String>) -> Self {
        Self { source, chosen, series: BTreeMap::new(), left_out: 0, most_left_out: 0 }
    }

    /// Adds the value of a metric at this second of the run.
    pub(super) fn add(&mut self, name: &str, second: f64, value: f64) {
        let is_chosen = self.chosen.is_empty() || self.chosen.iter().any(|chosen| is_meant(name, chosen));
        if !is_chosen || !value.is_finite() {
            return;
        }
        if !self.series.contains_key(name) {
            if self.series.len() >= MOST_NAMES || name.len() > LONGEST_NAME {
                self.left_out += 1;
                return;
            }
            let new =
                KeptSeries { every: 1, first: value, least: value, most: value, ..KeptSeries::default() };
            self.series.insert(name.to_owned(), new);
        }
        if let Some(series) = self.series.get_mut(name) {
            series.add(second, value);
        }
    }

    /// Adds all metrics of a page in Prometheus's text format; returns whether there were any.
    pub(super) fn add_page(&mut self, page: &[u8], second: f64) -> bool {
        self.left_out = 0;
        let mut has_any = false;
        for line in page.split(|byte| *byte == b'\n') {
            let Some((name, value)) = std::str::from_utf8(line).ok().and_then(sample) else { continue };
            has_any = true;
            self.add(name, second, value);
        }
        self.most_left_out = self.most_left_out.max(self.left_out);
        has_any
    }

    /// The maximum number of metrics of one page that were not kept.
    pub(super) fn most_left_out(&self) -> u64 {
        self.most_left_out
    }

    /// Whether names were selected.
    pub(super) fn has_choice(&self) -> bool {
        !self.chosen.is_empty()
    }

    /// Selected metrics that were never observed.
    pub(super) fn missing(&self) -> impl Iterator<Item = &String> {
        self.chosen.iter().filter(|chosen| !self.series.keys().any(|name| is_meant(name, chosen)))
    }

    pub(super) fn finish(&mut self) -> Vec<SampledSeries> {
        let series = std::mem::take(&mut self.series).into_iter();
        let (source, chosen) = (self.source, self.has_choice());
        let kept = series.map(|(name, series)| SampledSeries {
            source,
            name: printable(&name),
            chosen,
            first: series.first,
            last: series.last,
            least: series.least,
            most: series.most,
            points: series.points,
        });
        kept.collect()
    }
}

impl KeptSeries {
    fn add(&mut self, second: f64, value: f64) {
        (self.last, self.least, self.most) = (value, self.least.min(value), self.most.max(value));
        if self.points.len() >= MOST_POINTS {
            let mut place = 0;
            self.points.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.every *= 2;
        }
        if self.seen.is_multiple_of(self.every) {
            self.points.push((second, value));
        }
        self.seen += 1;
    }
}

/// Whether a metric is selected: by its whole name, or by its name without labels.
fn is_meant(name: &str, chosen: &str) -> bool {
    name.strip_prefix(chosen).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
}

/// A line of the text format: name and labels, value, optional time.
fn sample(line: &str) -> Option<(&str, f64)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let name_end = line.find(['{', ' ', '\t'])?;
    let end =
        if line[name_end..].starts_with('{') { name_end + labels_end(&line[name_end..])? } else { name_end };
    let (name, rest) = line.split_at(end);
    let value = rest.split_whitespace().next()?.parse().ok()?;
    (name_end > 0).then_some((name, value))
}

/// The end of the labels, whose values may contain braces.
fn labels_end(labels: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (place, letter) in labels.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '}' if !is_quoted => return Some(place + 1),
            _ => {}
        }
    }
    None
}

/// The number at the start of a text, for example `37 seconds` in `$SYS/broker/uptime`.
pub(super) fn leading_number(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text.get(..text.len().min(LONGEST_NAME))?).ok()?;
    text.split_whitespace().next()?.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(chosen: &[&str]) -> BrokerSamples {
        BrokerSamples::new(SampleSource::Metrics, chosen.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn samples_of_a_page_are_read() {
        let page = b"# HELP a x\n# TYPE a counter\na 1\na{b=\"c } \\\" d\",e=\"f\"} 2.5 1395066363000\n\n\
                     nan NaN\ninf +Inf\nbroken{a=\"b 3\n{x=\"y\"} 4\nname\nb x\n\xff 1\n  g\t-1e3\r\n";
        let mut found = samples(&[]);
        assert!(found.add_page(page, 1.0));
        let found: Vec<(String, f64)> = found.finish().into_iter().map(|one| (one.name, one.last)).collect();
        let expected = [("a", 1.0), ("a{b=\"c } \\\" d\",e=\"f\"}", 2.5), ("g", -1000.0)];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
        assert!(!samples(&[]).add_page(b"<html>no metrics</html>\n# EOF\n", 1.0));
    }

    #[test]
    fn selected_samples_are_kept_with_all_their_labels() {
        let mut found = samples(&["a", "b{x=\"1\"}", "gone"]);
        found.add_page(b"a{x=\"1\"} 1\na 2\nab 3\nb{x=\"1\"} 4\nb{x=\"2\"} 5\n", 1.0);
        assert_eq!(found.missing().collect::<Vec<_>>(), ["gone"]);
        let names: Vec<String> = found.finish().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["a", "a{x=\"1\"}", "b{x=\"1\"}"]);
    }

    #[test]
    fn names_and_points_are_bounded() {
        let mut found = samples(&[]);
        let lines: Vec<String> = (0..MOST_NAMES + 10).map(|number| format!("n{number} 1")).collect();
        let page = lines.join("\n");
        for second in 0..3 {
            found.add_page(page.as_bytes(), f64::from(second));
        }
        assert_eq!((found.most_left_out(), found.finish().len()), (10, MOST_NAMES));
        found.add(&"n".repeat(LONGEST_NAME + 1), 1.0, 1.0);
        for second in 0..10_000_u32 {
            found.add("x", f64::from(second), f64::from(second % 100));
        }
        let [series] = &found.finish()[..] else { panic!("a name that is too long") };
        assert!((MOST_POINTS / 2..=MOST_POINTS).contains(&series.points.len()), "{}", series.points.len());
        let gaps: Vec<f64> = series.points.windows(2).map(|two| two[1].0 - two[0].0).collect();
        assert!(gaps.iter().all(|gap| (gap - 16.0).abs() < 1e-9), "{gaps:?}");
        assert_eq!((series.first, series.last, series.least, series.most), (0.0, 99.0, 0.0, 99.0));
    }

    #[test]
    fn leading_number_of_a_text_is_read() {
        for (text, number) in [
            ("37 seconds", Some(37.0)),
            ("0.25", Some(0.25)),
            ("mosquitto version 2", None),
            ("", None),
            ("nan", None),
        ] {
            assert_eq!(leading_number(text.as_bytes()), number, "{text}");
        }
        assert_eq!(leading_number(b"\xff\x00"), None);
    }
}
