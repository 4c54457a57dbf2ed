//! Test results in the `JUnit` format, which build servers read.

use std::fmt::Write as _;

use crate::notation::printable;

/// A test case.
#[derive(Debug)]
pub struct TestCase {
    /// The group of the test case.
    pub class: String,
    /// The tested condition.
    pub name: String,
    /// Its duration, if it was run separately.
    pub seconds: Option<f64>,
    /// Its outcome.
    pub outcome: TestOutcome,
}

/// The outcome of a test case.
#[derive(Debug)]
pub enum TestOutcome {
    /// The condition holds; optionally with evidence.
    Passed(Option<String>),
    /// The condition does not hold, with the reason.
    Failed(String),
    /// The condition could not be decided, with the reason.
    Inconclusive(String),
    /// The test case was not run, with the reason.
    Skipped(String),
}

/// A suite of test cases with its total duration.
#[must_use]
pub fn junit(suite: &str, seconds: f64, cases: &[TestCase]) -> String {
    let count = |is: fn(&TestOutcome) -> bool| cases.iter().filter(|case| is(&case.outcome)).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{seconds:.3}\">",
        escaped(suite),
        cases.len(),
        count(|outcome| matches!(outcome, TestOutcome::Failed(_))),
        count(|outcome| matches!(outcome, TestOutcome::Inconclusive(_))),
        count(|outcome| matches!(outcome, TestOutcome::Skipped(_))),
    );
    for TestCase { class, name, seconds, outcome } in cases {
        let _ = write!(xml, "  <testcase classname=\"{}\" name=\"{}\"", escaped(class), escaped(name));
        if let Some(seconds) = seconds {
            let _ = write!(xml, " time=\"{seconds:.3}\"");
        }
        let _ = match outcome {
            TestOutcome::Passed(None) => writeln!(xml, "/>"),
            TestOutcome::Passed(Some(shown)) => {
                writeln!(xml, "><system-out>{}</system-out></testcase>", escaped(shown))
            }
            TestOutcome::Failed(why) => put_why(&mut xml, "failure", why),
            TestOutcome::Inconclusive(why) => put_why(&mut xml, "error", why),
            TestOutcome::Skipped(why) => put_why(&mut xml, "skipped", why),
        };
    }
    xml + "</testsuite>\n"
}

fn put_why(xml: &mut String, element: &str, why: &str) -> std::fmt::Result {
    writeln!(xml, "><{element} message=\"{}\"/></testcase>", escaped(why))
}

/// Text for XML: characters that XML does not allow are shown as an escape or a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push(' '),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suite_counts_and_escapes_its_cases() {
        let case =
            |name: &str, outcome| TestCase { class: "c".into(), name: name.into(), seconds: None, outcome };
        let cases = [
            case("a < \"b\"", TestOutcome::Passed(Some("it was & \u{ffff}\u{1b}".into()))),
            TestCase { seconds: Some(0.5), ..case("d", TestOutcome::Failed("no\tway".into())) },
            case("e", TestOutcome::Inconclusive("late".into())),
            case("f", TestOutcome::Skipped("not asked".into())),
            case("g", TestOutcome::Passed(None)),
        ];
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <testsuite name=\"s\" tests=\"5\" failures=\"1\" errors=\"1\" skipped=\"1\" time=\"2.000\">\n  \
            <testcase classname=\"c\" name=\"a &lt; &quot;b&quot;\"><system-out>it was &amp; ?\\x1b</system-out></testcase>\n  \
            <testcase classname=\"c\" name=\"d\" time=\"0.500\"><failure message=\"no way\"/></testcase>\n  \
            <testcase classname=\"c\" name=\"e\"><error message=\"late\"/></testcase>\n  \
            <testcase classname=\"c\" name=\"f\"><skipped message=\"not asked\"/></testcase>\n  \
            <testcase classname=\"c\" name=\"g\"/>\n\
            </testsuite>\n";
        assert_eq!(junit("s", 2.0, &cases), expected);
    }

    #[test]
    fn attributes_hold_any_text() {
        assert_eq!(escaped("a<b>\"&\u{1}\n"), "a&lt;b&gt;&quot;&amp;\\x01\\n");
    }
}
