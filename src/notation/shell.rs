//! Words as a Unix shell reads them.

/// A word as it is typed: in single quotes if it contains characters that are special to a shell.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+…".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A word as a program receives it, even if its last quote is missing. Variables are not expanded.
#[must_use]
pub fn unquoted(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    let mut quote = None;
    let mut characters = word.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\'' | '"', None) => quote = Some(character),
            (end, Some(begin)) if end == begin => quote = None,
            ('\\', None) => text.extend(characters.next()),
            ('\\', Some('"')) => {
                let is_escape = characters.peek().is_some_and(|next| "$`\"\\".contains(*next));
                text.push(characters.next_if(|_| is_escape).unwrap_or('\\'));
            }
            (other, _) => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        for (word, typed) in [
            ("home/1", "home/1"),
            ("", "''"),
            ("a b", "'a b'"),
            ("home/#", "'home/#'"),
            ("$SYS/#", "'$SYS/#'"),
            ("it's", "'it'\\''s'"),
            ("mqtts://h:1/x?", "'mqtts://h:1/x?'"),
        ] {
            assert_eq!(quoted(word), typed);
            assert_eq!(unquoted(typed), word);
        }
    }

    #[test]
    fn words_that_are_not_finished_are_read() {
        for (typed, word) in [
            ("'$SYS/br", "$SYS/br"),
            ("\\$SYS/br", "$SYS/br"),
            ("\"a b", "a b"),
            ("\"\\$a\\n\\\"", "$a\\n\""),
            ("a\\", "a"),
            ("--topic='a b", "--topic=a b"),
        ] {
            assert_eq!(unquoted(typed), word, "{typed}");
        }
    }
}
