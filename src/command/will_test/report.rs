//! The results: a line per case, one JSON object, or a `JUnit` file.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::judge::Verdict;
use super::run::{CaseOutcome, CasePlan};
use crate::notation::printable;
use crate::output::{self, TestCase, TestOutcome, put_json_line, wrapped};
use crate::quantity::duration;

/// The version of the report's format.
const VERSION: u32 = 1;

/// A case and its outcome.
pub(super) struct Result {
    pub(super) plan: CasePlan,
    pub(super) outcome: CaseOutcome,
}

impl Result {
    /// One line with a line feed; several if the width requires it.
    pub(super) fn text(&self, width: Option<usize>) -> String {
        let Self { plan, outcome } = self;
        let measured = outcome.delay.map_or_else(|| "-".into(), duration);
        let expected = match plan.window(outcome.tolerance) {
            Some(window) if window.from.is_zero() => format!("within {}", duration(window.to)),
            Some(window) => format!("{} to {}", duration(window.from), duration(window.to)),
            None => "never".into(),
        };
        let mut text = format!(
            "{:<12}  {:<5}  {:<20}  {:>6}  {:<9}  ",
            outcome.verdict.name(),
            plan.protocol.to_string(),
            plan.name,
            measured,
            expected,
        );
        put_words(&mut text, &plan.section, &printable(&outcome.detail), width);
        text
    }
}

/// Appends section and detail, after the columns or, if the width does not allow that, below them.
fn put_words(text: &mut String, section: &str, detail: &str, width: Option<usize>) {
    let columns = text.chars().count();
    let colon = if detail.is_empty() { "" } else { ": " };
    let words = format!("{section}{colon}{detail}");
    let Some(width) = width.filter(|width| columns + words.chars().count() > *width) else {
        text.push_str(&words);
        text.push('\n');
        return;
    };
    put_wrapped(text, section, columns, width);
    if !detail.is_empty() {
        let _ = write!(text, "{:DETAIL_COLUMN$}", "");
        put_wrapped(text, detail, DETAIL_COLUMN, width);
    }
}

/// The column of a case's second line: below the version.
const DETAIL_COLUMN: usize = 14;

/// Appends the text from this column on, with all its lines aligned.
fn put_wrapped(out: &mut String, text: &str, column: usize, width: usize) {
    out.push_str(&wrapped(text, width.saturating_sub(column)).join(&format!("\n{:column$}", "")));
    out.push('\n');
}

#[derive(Serialize)]
struct WindowReport {
    from: u64,
    to: u64,
}

#[derive(Serialize)]
#[allow(clippy::struct_field_names, reason = "the keys of the report")]
struct CaseReport<'a> {
    case: &'a str,
    protocol: String,
    verdict: &'static str,
    section: &'a str,
    delay_us: Option<u64>,
    /// `null`: the will must not arrive.
    window_us: Option<WindowReport>,
    duration_us: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

impl<'a> CaseReport<'a> {
    fn of(result: &'a Result) -> Self {
        let Result { plan, outcome } = result;
        let window = plan.window(outcome.tolerance);
        Self {
            case: &plan.name,
            protocol: plan.protocol.to_string(),
            verdict: outcome.verdict.name(),
            section: &plan.section,
            delay_us: outcome.delay.map(micros),
            window_us: window.map(|window| WindowReport { from: micros(window.from), to: micros(window.to) }),
            duration_us: micros(outcome.took),
            detail: &outcome.detail,
        }
    }
}

#[derive(Serialize)]
struct WillTestReport<'a> {
    r#type: &'static str,
    version: u32,
    /// `null` before there is a configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    passed: usize,
    failed: usize,
    skipped: usize,
    inconclusive: usize,
    cases: Vec<CaseReport<'a>>,
    /// Why the run could not start, or ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// The number of results with this verdict.
pub(super) fn count(results: &[Result], verdict: Verdict) -> usize {
    results.iter().filter(|result| result.outcome.verdict == verdict).count()
}

/// Appends one JSON object on a line.
pub(super) fn json(server: Option<String>, results: &[Result], ended_early: Option<&str>, out: &mut Vec<u8>) {
    let report = WillTestReport {
        r#type: "will-test",
        version: VERSION,
        server,
        passed: count(results, Verdict::Pass),
        failed: count(results, Verdict::Fail),
        skipped: count(results, Verdict::Skipped),
        inconclusive: count(results, Verdict::Inconclusive),
        cases: results.iter().map(CaseReport::of).collect(),
        error: ended_early,
    };
    put_json_line(out, &report);
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The `JUnit` format, which build servers read: a test suite, with inconclusive cases as errors. A run that
/// could not start, or that ended early, has an additional case with an error.
pub(super) fn junit(results: &[Result], ended_early: Option<&str>) -> String {
    let total = results.iter().map(|result| result.outcome.took).sum::<Duration>().as_secs_f64();
    let run = ended_early.map(|why| TestCase {
        class: "will-test".into(),
        name: "the run".into(),
        seconds: Some(0.0),
        outcome: TestOutcome::Inconclusive(why.to_owned()),
    });
    let cases = results.iter().map(|Result { plan, outcome }| {
        let detail = format!("{}: {}", plan.section, outcome.detail);
        TestCase {
            class: format!("will-test MQTT {}", plan.protocol),
            name: plan.name.clone(),
            seconds: Some(outcome.took.as_secs_f64()),
            outcome: match outcome.verdict {
                Verdict::Pass => TestOutcome::Passed(None),
                Verdict::Fail => TestOutcome::Failed(detail),
                Verdict::Skipped => TestOutcome::Skipped(detail),
                Verdict::Inconclusive => TestOutcome::Inconclusive(detail),
            },
        }
    });
    output::junit("mqtt will-test", total, &run.into_iter().chain(cases).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At 80 columns no word of a case is broken.
    #[test]
    fn long_details_continue_on_the_next_line() {
        let columns = "inconclusive  3.1.1  disconnect-with-will    7.2s  2s to 11s  ";
        let (one, two) = ("[MQTT-3.3.2-16]", "[MQTT-3.1.2-8], 3.1.3.2.2");
        let detail = "the server did what no server does, and it did so over and over again";
        for (section, detail, expected) in [
            (one, "", format!("{columns}[MQTT-3.3.2-16]\n")),
            (two, "", format!("{columns}[MQTT-3.1.2-8],\n{:62}3.1.3.2.2\n", "")),
            (one, "so it is", format!("{columns}[MQTT-3.3.2-16]\n{:14}so it is\n", "")),
            (
                two,
                detail,
                format!(
                    "{columns}[MQTT-3.1.2-8],\n{0:62}3.1.3.2.2\n{0:14}the server did what no server does, and it did so over and over\n{0:14}again\n",
                    ""
                ),
            ),
        ] {
            let put = |width| {
                let mut text = columns.to_owned();
                put_words(&mut text, section, detail, width);
                text
            };
            assert_eq!(put(Some(80)), expected);
            assert!(expected.lines().all(|line| line.len() <= 80), "{expected}");
            // A file or pipe gets one line per case, for grep.
            assert_eq!(put(None).lines().count(), 1);
        }
    }
}
