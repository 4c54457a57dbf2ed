//! A change of topics in the notation of `sed`: `s#PATTERN#REPLACEMENT#FLAGS`.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use crate::notation::expression;

/// Replaces the matches of a regular expression.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// The text as typed.
    text: String,
    pattern: Regex,
    replacement: String,
    /// Whether every match is replaced and not only the first (`g`).
    all: bool,
}

impl PartialEq for Rewrite {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Rewrite {}

impl Rewrite {
    /// Reads `s#PATTERN#REPLACEMENT#FLAGS`: any character may be used instead of `#`, and `\#` then stands
    /// for the character. The flags are `g` (every match) and `i` (ignore case). Pattern and replacement
    /// (`$1`, `${name}`) have the syntax of the crate `regex`.
    ///
    /// # Errors
    /// Why the text is invalid.
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
        let pattern = pattern.map_err(|error| format!("the expression: {}", expression::wrong(&error)))?;
        check_groups(&pattern, &replacement)?;
        Ok(Self { text: text.to_owned(), pattern, replacement, all })
    }

    /// The changed topic.
    #[must_use]
    pub fn apply<'a>(&self, topic: &'a str) -> Cow<'a, str> {
        self.pattern.replacen(topic, usize::from(!self.all), self.replacement.as_str())
    }
}

/// Refuses a group that the expression does not have: the crate would silently replace it by nothing.
fn check_groups(pattern: &Regex, replacement: &str) -> Result<(), String> {
    let is_group = |name: &str| match name.parse::<usize>() {
        Ok(number) => number < pattern.captures_len(),
        Err(_) => pattern.capture_names().flatten().any(|known| known == name),
    };
    let mut rest = replacement;
    while let Some((_, after)) = rest.split_once('$') {
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let braced = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let name = if let Some((name, _)) = braced {
            name
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        };
        if braced.is_none() && name.is_empty() || is_group(name) {
            continue;
        }
        let mut ways = (1..name.len()).rev().filter_map(|end| name.split_at_checked(end));
        return Err(match ways.find(|(group, _)| braced.is_none() && is_group(group)) {
            Some((group, more)) => {
                format!(
                    "the expression has no group '{name}'; group '{group}' and then '{more}' is ${{{group}}}{more}"
                )
            }
            None => format!("the expression has no group '{name}'; $$ stands for a dollar sign"),
        });
    }
    Ok(())
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
    #[case("s#^(.*)$#$0/${1}_raw/$$SYS$#", "a", "a/a_raw/$SYS$")]
    #[case("s#a#b${#", "a", "b${")]
    fn topics_are_rewritten(#[case] text: &str, #[case] topic: &str, #[case] expected: &str) {
        assert_eq!(Rewrite::parse(text).unwrap().apply(topic), expected);
    }

    /// The crate would silently replace them by nothing.
    #[rstest]
    #[case("s#^home/(.*)#site/$1_raw#", "no group '1_raw'; group '1' and then '_raw' is ${1}_raw")]
    #[case("s#(?<last>.)#$1/$lastx#", "group 'last' and then 'x' is ${last}x")]
    #[case("s#(.)#$12#", "is ${1}2")]
    #[case("s#(.)#$1/$9#", "no group '9'; $$ stands for a dollar sign")]
    #[case("s#(.)#$1/${9}#", "no group '9';")]
    #[case("s#(.)#${1_raw}#", "no group '1_raw';")]
    #[case("s#^a#$SYS#", "no group 'SYS';")]
    #[case("s#^a#${}#", "no group '';")]
    fn groups_that_are_not_there_are_refused(#[case] text: &str, #[case] words: &str) {
        let error = Rewrite::parse(text).unwrap_err();
        assert!(error.contains(words), "{error}");
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
