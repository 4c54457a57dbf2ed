//! Regular expressions that users write.

use regex::Error;

/// The error of a regular expression in one line. The crate writes several lines, with a mark under the
/// position.
#[must_use]
pub fn wrong(error: &Error) -> String {
    if let Error::CompiledTooBig(most_bytes) = error {
        return format!("compiled, the expression has more than {most_bytes} bytes");
    }
    let text = error.to_string();
    let Some((excerpt, what)) = text.rsplit_once("\nerror: ") else { return one_line(&text) };
    let lines: Vec<&str> = excerpt.lines().collect();
    // With a multi-line expression the crate's text itself names the position.
    let place = match lines[..] {
        [_, _, marks] => marks.find('^').and_then(|at| at.checked_sub(INDENT)),
        _ => None,
    };
    match place {
        Some(before) => format!("{} (at character {})", one_line(what), before + 1),
        None => one_line(what),
    }
}

/// The crate indents an expression of one line, and the marks under it, by this number of blanks.
const INDENT: usize = 4;

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("(?i)[", "unclosed character class (at character 5)")]
    #[case("a(", "unclosed group (at character 2)")]
    #[case("^^(", "unclosed group (at character 3)")]
    #[case("é\u{1f600}*[", "unclosed character class (at character 4)")]
    #[case("a{2,1}", "invalid repetition count range, the start must be <= the end (at character 2)")]
    #[case("a\n(", "unclosed group")]
    #[case("(?-u)\\xff", "pattern can match invalid UTF-8 (at character 6)")]
    fn an_error_is_one_line_with_its_place(#[case] expression: &str, #[case] expected: &str) {
        assert_eq!(wrong(&regex::Regex::new(expression).unwrap_err()), expected);
    }

    #[test]
    fn an_expression_that_is_too_large_is_named_so() {
        let error = regex::Regex::new("(a{1000}){1000}").unwrap_err();
        assert!(wrong(&error).starts_with("compiled, the expression has more than "), "{error}");
    }
}
