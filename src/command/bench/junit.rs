//! Thresholds as test cases in `JUnit`'s XML, for continuous integration.

use std::fmt::Write as _;

use super::config::Mode;
use super::summary::Report;
use crate::output::printable;

/// A test case.
struct Case {
    /// What has to hold.
    name: String,
    outcome: Outcome,
}

enum Outcome {
    /// It holds, by what one sees that.
    Passed(Option<String>),
    /// It does not, and why.
    Failed(String),
    /// It cannot be told, and why.
    Skipped(String),
}

impl Case {
    fn new(name: &str, failure: Option<String>) -> Self {
        Self { name: name.to_owned(), outcome: failure.map_or(Outcome::Passed(None), Outcome::Failed) }
    }
}

pub(super) fn render(report: &Report) -> String {
    let mut cases = vec![Case::new("the run is valid", (!report.valid).then(|| problems(report)))];
    if report.interrupted {
        // Like the exit status: whoever interrupts a run does not mean that something is wrong.
        let why = "it was interrupted: the figures are of what was done until then";
        let outcome = Outcome::Skipped(why.to_owned());
        cases.push(Case { name: "the run went to its end".to_owned(), outcome });
    }
    cases.extend(report.thresholds.iter().map(|result| {
        let was = format!("it was {}", result.text);
        let outcome = if result.broken { Outcome::Failed(was) } else { Outcome::Passed(Some(was)) };
        Case { name: result.opposite.clone(), outcome }
    }));
    suite(report.mode, report.phases_s.measure, &cases)
}

fn problems(report: &Report) -> String {
    let problems: Vec<String> = report.findings.problems.iter().map(ToString::to_string).collect();
    problems.join("; ")
}

/// A run that could not be made.
pub(super) fn failed(mode: Mode, why: &str) -> String {
    suite(mode, 0.0, &[Case::new("the run is valid", Some(why.to_owned()))])
}

fn suite(mode: Mode, time: f64, cases: &[Case]) -> String {
    let mode = mode.name();
    let count = |is: fn(&Outcome) -> bool| cases.iter().filter(|case| is(&case.outcome)).count();
    let failures = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites><testsuite name=\"mqtt bench {mode}\" tests=\"{}\" failures=\"{failures}\" skipped=\"{skipped}\" time=\"{time:.3}\">\n",
        cases.len()
    );
    for Case { name, outcome } in cases {
        let _ = write!(out, "<testcase classname=\"mqtt.bench.{mode}\" name=\"{}\"", escaped(name));
        let _ = match outcome {
            Outcome::Passed(None) => writeln!(out, "/>"),
            Outcome::Passed(Some(what)) => {
                writeln!(out, "><system-out>{}</system-out></testcase>", escaped(what))
            }
            Outcome::Failed(why) => writeln!(out, "><failure message=\"{}\"/></testcase>", escaped(why)),
            Outcome::Skipped(why) => writeln!(out, "><skipped message=\"{}\"/></testcase>", escaped(why)),
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
