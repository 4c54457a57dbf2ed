//! Thresholds as test cases in `JUnit`'s XML, for continuous integration.

use std::fmt::Write as _;

use super::summary::Report;
use crate::output::printable;

/// A test case.
struct Case {
    /// What has to hold.
    name: String,
    /// Why it does not, or by what one sees that it does.
    outcome: Result<Option<String>, String>,
}

impl Case {
    fn new(name: &str, failure: Option<String>) -> Self {
        Self { name: name.to_owned(), outcome: failure.map_or(Ok(None), Err) }
    }
}

pub(super) fn render(report: &Report) -> String {
    let mut cases = vec![Case::new("the run is valid", (!report.valid).then(|| report.problems.join("; ")))];
    if report.interrupted {
        let why = "the figures are of what was done until then";
        cases.push(Case::new("the run was not interrupted", Some(why.to_owned())));
    }
    cases.extend(report.thresholds.iter().map(|result| {
        let was = format!("it was {}", result.text);
        Case { name: result.opposite.clone(), outcome: if result.broken { Err(was) } else { Ok(Some(was)) } }
    }));
    suite(report.mode, report.phases_s.measure, &cases)
}

/// A run that could not be made.
pub(super) fn failed(mode: &str, why: &str) -> String {
    suite(mode, 0.0, &[Case::new("the run is valid", Some(why.to_owned()))])
}

fn suite(mode: &str, time: f64, cases: &[Case]) -> String {
    let failures = cases.iter().filter(|case| case.outcome.is_err()).count();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites><testsuite name=\"mqtt bench {mode}\" tests=\"{}\" failures=\"{failures}\" time=\"{time:.3}\">\n",
        cases.len()
    );
    for Case { name, outcome } in cases {
        let _ = write!(out, "<testcase classname=\"mqtt.bench.{mode}\" name=\"{}\"", escaped(name));
        let _ = match outcome {
            Ok(None) => writeln!(out, "/>"),
            Ok(Some(what)) => writeln!(out, "><system-out>{}</system-out></testcase>", escaped(what)),
            Err(why) => writeln!(out, "><failure message=\"{}\"/></testcase>", escaped(why)),
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
