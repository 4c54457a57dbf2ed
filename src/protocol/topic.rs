//! Topic names and topic filters: which are valid, and which filter matches which name.
//!
//! `rumqttc::matches` panics on a name whose first character is not ASCII and never matches a `$`-topic, so
//! matching is implemented here. Names arrive as bytes, so all functions work on bytes.

/// The prefix of a shared subscription ([MQTT-4.8.2-1]).
pub const SHARE: &str = "$share/";

/// Why a topic name or topic filter is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// [MQTT-4.7.3-1]
    #[error("it is empty")]
    Empty,
    /// [MQTT-4.7.3-3]
    #[error("it is longer than 65,535 bytes")]
    TooLong,
    /// [MQTT-1.5.4-1]
    #[error("it is not UTF-8")]
    NotUtf8,
    /// [MQTT-4.7.3-2]
    #[error("it contains U+0000")]
    Null,
    /// [MQTT-3.3.2-2]
    #[error("it contains a wildcard ('+' or '#')")]
    Wildcard,
    /// [MQTT-4.7.1-1]
    #[error("'#' must be the last level and stand alone in it")]
    MultiLevel,
    /// [MQTT-4.7.1-2]
    #[error("'+' must stand alone in its level")]
    SingleLevel,
    /// [MQTT-4.8.2-2]
    #[error("a shared subscription is $share/NAME/FILTER with a NAME free of '+', '#' and '/'")]
    Share,
}

fn text(bytes: &[u8]) -> Result<&str, TopicError> {
    if bytes.is_empty() {
        return Err(TopicError::Empty);
    }
    if bytes.len() > usize::from(u16::MAX) {
        return Err(TopicError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| TopicError::NotUtf8)?;
    if bytes.contains(&0) { Err(TopicError::Null) } else { Ok(text) }
}

/// Checks a topic name.
///
/// # Errors
/// The rule of [MQTT-4.7] that the name violates.
pub fn check_name(name: &[u8]) -> Result<&str, TopicError> {
    let text = text(name)?;
    if name.iter().any(|byte| matches!(byte, b'+' | b'#')) { Err(TopicError::Wildcard) } else { Ok(text) }
}

/// The part of a legal text that brokers may treat as malformed ([MQTT-1.5.4]): mosquitto closes the
/// connection.
#[must_use]
pub fn unwelcome(text: &str) -> Option<&'static str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    text.chars().find_map(|character| {
        let code = u32::from(character);
        if character.is_control() {
            Some("it contains a control character")
        } else if code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code) {
            Some("it contains a noncharacter, as U+FFFF is")
        } else {
            None
        }
    })
}

/// Checks a topic filter, shared or not.
///
/// # Errors
/// The rule of [MQTT-4.7] or [MQTT-4.8.2] that the filter violates.
pub fn check_filter(filter: &[u8]) -> Result<&str, TopicError> {
    let whole = text(filter)?;
    let levels = match whole.strip_prefix(SHARE) {
        None => whole,
        Some(shared) => {
            let (name, rest) = shared.split_once('/').ok_or(TopicError::Share)?;
            if name.is_empty() || name.contains(['+', '#']) || rest.is_empty() {
                return Err(TopicError::Share);
            }
            rest
        }
    };
    let mut rest = levels.split('/').peekable();
    while let Some(level) = rest.next() {
        if level.contains('#') && (level.len() > 1 || rest.peek().is_some()) {
            return Err(TopicError::MultiLevel);
        }
        if level.contains('+') && level.len() > 1 {
            return Err(TopicError::SingleLevel);
        }
    }
    Ok(whole)
}

/// Whether a valid filter has a wildcard.
#[must_use]
pub fn has_wildcard(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

/// Share name and topic filter of a shared subscription; `None` for an ordinary filter.
#[must_use]
pub fn shared(filter: &str) -> Option<(&str, &str)> {
    filter.strip_prefix(SHARE)?.split_once('/')
}

/// Whether a valid filter matches every topic that another matches. A shared subscription receives its own
/// copies, so it covers another filter only in the same group. Of the equivalent `#` and `+/#`, only `#`
/// covers the other; likewise of `/#` and `/+/#`, since no topic is empty.
#[must_use]
pub fn covers(wide: &str, narrow: &str) -> bool {
    let parts = |filter| shared(filter).map_or((None, filter), |(group, filter)| (Some(group), filter));
    let ((wide_group, wide), (narrow_group, narrow)) = (parts(wide), parts(narrow));
    if wide_group != narrow_group || narrow.starts_with('$') && wide.starts_with(['+', '#']) {
        return false;
    }
    let mut others = narrow.split('/');
    for level in wide.split('/') {
        match (level, others.next()) {
            ("#", _) => return true,
            ("+", Some(other)) if other != "#" => {}
            (level, Some(other)) if level == other => {}
            _ => return false,
        }
    }
    others.next().is_none()
}

/// Whether some topic matches both of two valid filters that are not shared subscriptions.
#[must_use]
pub fn overlap(one: &str, other: &str) -> bool {
    if one.starts_with('$') != other.starts_with('$') {
        return false;
    }
    let (mut one, mut other) = (one.split('/'), other.split('/'));
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(level), Some(same)) if level == same => {}
            _ => return false,
        }
    }
}

/// Whether a topic begins with `$`, which brokers use for their own purposes (MQTT 5, section 4.7.2).
#[must_use]
pub fn is_of_server(name: &[u8]) -> bool {
    name == b"$SYS" || name.starts_with(b"$SYS/")
}

/// Whether a valid filter matches a topic name. A shared subscription matches like the filter in it; a
/// wildcard in the first level does not match a topic that begins with `$` ([MQTT-4.7.2-1]).
#[must_use]
pub fn matches(filter: &[u8], name: &[u8]) -> bool {
    let filter = match filter.strip_prefix(SHARE.as_bytes()) {
        Some(shared) => match memchr::memchr(b'/', shared) {
            Some(slash) => &shared[slash + 1..],
            None => return false,
        },
        None => filter,
    };
    if name.first() == Some(&b'$') && matches!(filter.first(), Some(b'+' | b'#')) {
        return false;
    }
    let mut names = name.split(|byte| *byte == b'/');
    for level in filter.split(|byte| *byte == b'/') {
        if level == b"#" {
            return true;
        }
        match names.next() {
            Some(name) if level == b"+" || level == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        for good in ["a", "/", "a//b", "/finance", "$SYS/x", "ünïcode/温度", " ", "a b"] {
            assert_eq!(check_name(good.as_bytes()), Ok(good));
        }
        for (bad, why) in [
            (&b""[..], TopicError::Empty),
            (b"a/+/b", TopicError::Wildcard),
            (b"a#", TopicError::Wildcard),
            (b"a\0b", TopicError::Null),
            (b"a\xff", TopicError::NotUtf8),
        ] {
            assert_eq!(check_name(bad), Err(why));
        }
        assert!(check_name(&vec![b'a'; 65_535]).is_ok());
        assert_eq!(check_name(&vec![b'a'; 65_536]), Err(TopicError::TooLong));
    }

    #[test]
    fn unwelcome_characters() {
        for bad in
            ["\u{1}", "a\tb", "a\n", "\u{7f}", "\u{9f}", "a\u{ffff}", "\u{1fffe}", "\u{fdd0}", "\u{10ffff}"]
        {
            assert!(unwelcome(bad).is_some(), "{bad:?}");
        }
        for good in ["", "a/ b", "é/温度", "\u{a0}", "\u{fffd}", "\u{e000}", "😀"] {
            assert_eq!(unwelcome(good), None, "{good:?}");
        }
    }

    #[test]
    fn filters() {
        for good in ["#", "+", "a/#", "+/+", "/+", "a/+/b", "$share/g/a/#", "$share/g//", "$SYS/#", "//"] {
            assert_eq!(check_filter(good.as_bytes()), Ok(good), "{good}");
        }
        for (bad, why) in [
            ("a#", TopicError::MultiLevel),
            ("#/a", TopicError::MultiLevel),
            ("a/#/b", TopicError::MultiLevel),
            ("a+", TopicError::SingleLevel),
            ("+a/b", TopicError::SingleLevel),
            ("$share/g", TopicError::Share),
            ("$share//a", TopicError::Share),
            ("$share/g/", TopicError::Share),
            ("$share/g+/a", TopicError::Share),
        ] {
            assert_eq!(check_filter(bad.as_bytes()), Err(why), "{bad}");
        }
    }

    #[test]
    fn filters_that_overlap() {
        for (one, other, expected) in [
            ("+/1", "door/#", true),
            ("door/#", "door", true),
            ("a/+/c", "a/b/+", true),
            ("a/+", "a/b/c", false),
            ("a/b", "a/b", true),
            ("a", "b", false),
            ("+", "a/b", false),
            ("#", "$SYS/#", false),
            ("$SYS/+", "$SYS/#", true),
            ("a/+/#", "a", false),
        ] {
            assert_eq!((overlap(one, other), overlap(other, one)), (expected, expected), "{one} {other}");
        }
    }

    #[test]
    fn the_standards_examples() {
        for (filter, name, expected) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/uptime", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/uptime", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("$share/group/a/+", "a/b", true),
            ("$share/group/#", "$SYS/x", false),
            ("ACCOUNTS", "Accounts", false),
            ("é/+", "é/x", true),
            ("+/x", "é/x", true),
        ] {
            assert_eq!(matches(filter.as_bytes(), name.as_bytes()), expected, "{filter} {name}");
        }
    }

    /// The same rule in its slow form: lists of levels, and recursion.
    fn reference(filter: &[&str], name: &[&str]) -> bool {
        match (filter, name) {
            (["#"], _) | ([], []) => true,
            (["+", filter @ ..], [_, name @ ..]) => reference(filter, name),
            ([level, filter @ ..], [same, name @ ..]) if level == same => reference(filter, name),
            _ => false,
        }
    }

    #[test]
    fn groups_of_shared_subscriptions_are_apart() {
        assert!(covers("$share/g/a/#", "$share/g/a/b"));
        for (wide, narrow) in [("a/#", "$share/g/a/b"), ("$share/g/a/#", "a/b"), ("$share/g/#", "$share/h/#")]
        {
            assert!(!covers(wide, narrow), "{wide} {narrow}");
        }
    }

    /// All names of one to four of these levels.
    fn all_names() -> Vec<String> {
        let mut names = Vec::new();
        let mut longest = vec![String::new()];
        for depth in 0..4 {
            let slash = if depth == 0 { "" } else { "/" };
            let longer =
                |name: &String| ["", "a", "$a", "other"].map(|level| format!("{name}{slash}{level}"));
            longest = longest.iter().flat_map(longer).collect();
            names.extend(longest.iter().filter(|name| !name.is_empty()).cloned());
        }
        names
    }

    proptest! {
        #[test]
        fn covering_filter_matches_all_the_other_matches(
            filters in proptest::collection::vec(
                (proptest::collection::vec(proptest::sample::select(vec!["", "a", "$a", "+"]), 0..4), any::<bool>()),
                2,
            ),
        ) {
            let filters: Vec<String> = filters
                .into_iter()
                .map(|(mut levels, tail)| {
                    levels.extend(tail.then_some("#"));
                    levels.join("/")
                })
                .collect();
            let (wide, narrow) = (&filters[0], &filters[1]);
            prop_assume!(!wide.is_empty() && !narrow.is_empty());
            prop_assume!((wide.as_str(), narrow.as_str()) != ("+/#", "#"));
            prop_assume!(narrow != "/#" || !["/+/#", "+/+/#"].contains(&wide.as_str()));
            let is_within = all_names().iter().all(|name| {
                !matches(narrow.as_bytes(), name.as_bytes()) || matches(wide.as_bytes(), name.as_bytes())
            });
            prop_assert_eq!(covers(wide, narrow), is_within, "{} {}", wide, narrow);
        }

        #[test]
        fn agrees_with_the_reference(
            filter in proptest::collection::vec("[ab+]|", 1..5),
            tail in any::<bool>(),
            name in proptest::collection::vec("[ab]|", 1..5),
        ) {
            let mut filter: Vec<&str> = filter.iter().map(String::as_str).collect();
            if tail { filter.push("#"); }
            let name: Vec<&str> = name.iter().map(String::as_str).collect();
            prop_assume!(filter != [""]);
            prop_assert_eq!(
                matches(filter.join("/").as_bytes(), name.join("/").as_bytes()),
                reference(&filter, &name)
            );
        }

        #[test]
        fn never_panics(filter: Vec<u8>, name: Vec<u8>) {
            let _ = matches(&filter, &name);
            let _ = check_filter(&filter);
            let _ = check_name(&name);
        }
    }
}
