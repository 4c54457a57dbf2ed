//! Thresholds as test cases in `JUnit`'s XML, for continuous integration.

use std::fmt::Write as _;

use super::summary::Report;
use crate::output::printable;

pub(super) fn render(report: &Report) -> String {
    let mut cases =
        vec![("the run is valid".to_owned(), (!report.valid).then(|| report.problems.join("; ")))];
    if report.interrupted {
        let why = "the figures are of what was done until then";
        cases.push(("the run was not interrupted".to_owned(), Some(why.to_owned())));
    }
    for result in &report.thresholds {
        let failure = result.broken.then(|| format!("it was {}", result.value));
        cases.push((format!("not {}", result.fail_if), failure));
    }
    suite(report.mode, report.phases_s.measure, &cases)
}

/// A run that could not be made.
pub(super) fn failed(mode: &str, why: &str) -> String {
    suite(mode, 0.0, &[("the run is valid".to_owned(), Some(why.to_owned()))])
}

/// Test cases with why they failed, if they did.
fn suite(mode: &str, time: f64, cases: &[(String, Option<String>)]) -> String {
    let failures = cases.iter().filter(|(_, failure)| failure.is_some()).count();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites><testsuite name=\"mqtt bench {mode}\" tests=\"{}\" failures=\"{failures}\" time=\"{time:.3}\">\n",
        cases.len()
    );
    for (name, failure) in cases {
        let name = escaped(name);
        let _ = match failure {
            None => writeln!(out, "<testcase classname=\"mqtt.bench.{mode}\" name=\"{name}\"/>"),
            Some(why) => writeln!(
                out,
                "<testcase classname=\"mqtt.bench.{mode}\" name=\"{name}\"><failure message=\"{}\"/></testcase>",
                escaped(why)
            ),
        };
    }
    out + "</testsuite></testsuites>\n"
}

/// Text as XML has it: what it cannot hold is shown as an escape or a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            c => out.push(c),
        }
    }
    out
}
