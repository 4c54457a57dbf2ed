//! A change of topics, as `sed` writes it: `s#PATTERN#REPLACEMENT#FLAGS`.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

/// Replaces what a regular expression matches.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// As it was given.
    text: String,
    pattern: Regex,
    replacement: String,
    /// Every match and not only the first (`g`).
    all: bool,
}

impl PartialEq for Rewrite {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Rewrite {}

impl Rewrite {
    /// Reads `s#PATTERN#REPLACEMENT#FLAGS`: any character in place of `#`, which `\#` then stands for; the flags
    /// are `g` (every match) and `i` (upper and lower case are the same). The syntax of pattern and replacement
    /// (`$1`, `${name}`) is that of the crate `regex`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "it must have the form s#PATTERN#REPLACEMENT#".to_owned();
        let mut characters = text.strip_prefix('s').ok_or_else(wrong)?.chars();
        let separator = characters.next().filter(|c| !c.is_alphanumeric() && *c != '\\').ok_or_else(wrong)?;
        let mut parts = [String::new(), String::new()];
        for part in &mut parts {
            loop {
                match characters.next().ok_or_else(wrong)? {
                    c if c == separator => break,
                    '\\' => match characters.next().ok_or_else(wrong)? {
                        c if c == separator => part.push(c),
                        c => part.extend(['\\', c]),
                    },
                    c => part.push(c),
                }
            }
        }
        let [pattern, replacement] = parts;
        let (mut all, mut any_case) = (false, false);
        for flag in characters {
            match flag {
                'g' => all = true,
                'i' => any_case = true,
                _ => return Err(format!("'{flag}' is no flag; there are g and i")),
            }
        }
        let pattern = RegexBuilder::new(&pattern).case_insensitive(any_case).build();
        let pattern = pattern.map_err(|error| error.to_string())?;
        Ok(Self { text: text.to_owned(), pattern, replacement, all })
    }

    /// The topic as it becomes.
    #[must_use]
    pub fn apply<'a>(&self, topic: &'a str) -> Cow<'a, str> {
        self.pattern.replacen(topic, usize::from(!self.all), self.replacement.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("s#^home/#site/7/#", "home/a/home/b", "site/7/a/home/b")]
    #[case("s/a/b/g", "a/a", "b/b")]
    #[case("s/A/b/gi", "a/a", "b/b")]
    #[case(r"s/^a\/b/c/", "a/b/d", "c/d")]
    #[case(r"s|(\w+)/(?<last>\w+)$|${last}/$1|", "a/b", "b/a")]
    #[case("s#x#y#", "a", "a")]
    #[case("s#a##", "ab", "b")]
    fn topics_are_rewritten(#[case] text: &str, #[case] topic: &str, #[case] expected: &str) {
        assert_eq!(Rewrite::parse(text).unwrap().apply(topic), expected);
    }

    #[rstest]
    #[case("")]
    #[case("s")]
    #[case("s#a")]
    #[case("s#a#b")]
    #[case("sxaxbx")]
    #[case("y#a#b#")]
    #[case("s#a#b#p")]
    #[case("s#(#b#")]
    fn other_forms_are_refused(#[case] text: &str) {
        Rewrite::parse(text).unwrap_err();
    }
}
