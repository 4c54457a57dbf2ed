//! A change of topics in the notation of `sed`: `s#PATTERN#REPLACEMENT#FLAGS`.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use crate::notation::expression;

/// Maximum length of a topic ([MQTT-4.7.3-3]).
const MOST_TOPIC_BYTES: usize = u16::MAX as usize;

/// Replaces the matches of a regular expression.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// The text as typed.
    text: String,
    pattern: Regex,
    replacement: Vec<ReplacementPart>,
    /// Whether every match is replaced and not only the first (`g`).
    all: bool,
}

/// A part of a replacement.
#[derive(Debug, Clone)]
enum ReplacementPart {
    Text(String),
    /// The text of the group with this number.
    Group(usize),
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
        let replacement = parts_of(&pattern, &replacement)?;
        Ok(Self { text: text.to_owned(), pattern, replacement, all })
    }

    /// The changed topic; `None` if it would be longer than a topic may be. It is not made any longer.
    #[must_use]
    pub fn apply<'a>(&self, topic: &'a str) -> Option<Cow<'a, str>> {
        let mut changed = None::<String>;
        let mut end = 0;
        for captures in self.pattern.captures_iter(topic).take(if self.all { usize::MAX } else { 1 }) {
            let Some(matched) = captures.get(0) else { continue };
            let changed = changed.get_or_insert_default();
            put(changed, &topic[end..matched.start()])?;
            for part in &self.replacement {
                match part {
                    ReplacementPart::Text(text) => put(changed, text)?,
                    // A group that took no part in the match is empty.
                    ReplacementPart::Group(number) => {
                        put(changed, captures.get(*number).map_or("", |group| group.as_str()))?;
                    }
                }
            }
            end = matched.end();
        }
        let Some(mut changed) = changed else { return Some(Cow::Borrowed(topic)) };
        put(&mut changed, &topic[end..])?;
        Some(Cow::Owned(changed))
    }
}

/// Appends a part of a topic; `None` if the topic would be too long.
fn put(topic: &mut String, part: &str) -> Option<()> {
    (topic.len() + part.len() <= MOST_TOPIC_BYTES).then(|| topic.push_str(part))
}

/// The parts of a replacement, in the syntax of the crate `regex`. It refuses a group that the expression does
/// not have: the crate would silently replace it by nothing.
fn parts_of(pattern: &Regex, replacement: &str) -> Result<Vec<ReplacementPart>, String> {
    let group = |name: &str| match name.parse::<usize>() {
        Ok(number) => Some(number).filter(|number| *number < pattern.captures_len()),
        Err(_) => pattern.capture_names().position(|known| known == Some(name)),
    };
    let (mut parts, mut text, mut rest) = (Vec::new(), String::new(), replacement);
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            text.push('$');
            rest = after;
            continue;
        }
        let braced = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, after) = braced.unwrap_or_else(|| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            rest.split_at(end.unwrap_or(rest.len()))
        });
        if braced.is_none() && name.is_empty() {
            text.push('$');
            continue;
        }
        if let Some(number) = group(name) {
            parts.push(ReplacementPart::Text(std::mem::take(&mut text)));
            parts.push(ReplacementPart::Group(number));
            rest = after;
            continue;
        }
        let mut ways = (1..name.len()).rev().filter_map(|end| name.split_at_checked(end));
        return Err(match ways.find(|(start, _)| braced.is_none() && group(start).is_some()) {
            Some((group, more)) => {
                format!(
                    "the expression has no group '{name}'; group '{group}' and then '{more}' is ${{{group}}}{more}"
                )
            }
            None => format!("the expression has no group '{name}'; $$ stands for a dollar sign"),
        });
    }
    text.push_str(rest);
    parts.push(ReplacementPart::Text(text));
    Ok(parts)
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
        assert_eq!(Rewrite::parse(text).unwrap().apply(topic).unwrap(), expected);
    }

    /// The result of the crate, in any form of the replacement.
    #[test]
    fn replacement_is_that_of_the_crate() {
        for text in ["$0$0", "${last}x", "$1-$$-${2}", "a$", "$/", "", "$$1", "${", "$last $", "é$1é"] {
            for all in [false, true] {
                let flag = if all { "g" } else { "" };
                let rewrite = Rewrite::parse(&format!("s|(?<last>[a-c])(x)?|{text}|{flag}")).unwrap();
                for topic in ["", "z", "a", "axb", "zaxé/bcx"] {
                    let expected = rewrite.pattern.replacen(topic, usize::from(!all), text);
                    assert_eq!(rewrite.apply(topic).unwrap(), expected, "{text} {topic}");
                }
            }
        }
    }

    /// However often a match is repeated, and however many there are.
    #[test]
    fn topic_that_becomes_too_long_is_not_made() {
        let longest = "a".repeat(MOST_TOPIC_BYTES);
        let apply =
            |text: &str, topic: &str| Rewrite::parse(text).unwrap().apply(topic).map(|topic| topic.len());
        assert_eq!(apply("s#a#b#g", &longest), Some(MOST_TOPIC_BYTES));
        assert_eq!(apply("s#a#bb#", &longest), None);
        assert_eq!(apply("s#$#b#", &longest), None);
        assert_eq!(apply(&format!("s#^.*$#{}#", "$0".repeat(30_000)), &longest), None);
        assert_eq!(apply("s#a#aa#g", &longest[..MOST_TOPIC_BYTES / 2]), Some(MOST_TOPIC_BYTES - 1));
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
