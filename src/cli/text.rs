//! Checks text for packets (topics, filters and strings) against the standard. Errors quote the typed text on
//! one short printable line.

use std::ffi::OsStr;

use crate::error::Error;
use crate::protocol::topic::{self, TopicError};
use crate::quotation;

/// A topic name to publish to. `what` names it in errors, for example `topic`.
pub(super) fn topic_name(what: &str, name: &OsStr) -> Result<String, Error> {
    checked(what, name, topic::check_name).map_err(|(error, why)| match why {
        TopicError::Wildcard => {
            error.with_hint("messages are published to one topic each; only filters (sub) have wildcards")
        }
        _ => error,
    })
}

/// A topic filter to subscribe to. `what` names it in errors, for example `topic filter`.
pub(super) fn topic_filter(what: &str, filter: &OsStr) -> Result<String, Error> {
    checked(what, filter, topic::check_filter).map_err(|(error, why)| match why {
        TopicError::MultiLevel => error.with_hint("for example home/#"),
        TopicError::SingleLevel => error.with_hint("for example home/+/temperature"),
        _ => error,
    })
}

fn checked(
    what: &str,
    text: &OsStr,
    check: impl Fn(&[u8]) -> Result<&str, TopicError>,
) -> Result<String, (Error, TopicError)> {
    match check(text.as_encoded_bytes()) {
        Ok(legal) => match topic::unwelcome(legal) {
            Some(why) => Err((Error::usage(format!("{what} '{}': {why}", shown(text))), TopicError::Null)),
            None => Ok(legal.to_owned()),
        },
        Err(TopicError::Empty) => Err((Error::usage(format!("the {what} is empty")), TopicError::Empty)),
        Err(why) => Err((Error::usage(format!("{what} '{}': {why}", shown(text))), why)),
    }
}

/// A UTF-8 string of a packet ([MQTT-1.5.4]). `what` names it in errors, for example `user name`.
pub(super) fn string(what: &str, text: String) -> Result<String, Error> {
    if text.len() > usize::from(u16::MAX) {
        return Err(Error::usage(format!("the {what} is {} bytes long; MQTT allows 65535", text.len())));
    }
    if text.contains('\0') {
        return Err(Error::usage(format!("the {what} contains U+0000, which MQTT does not allow")));
    }
    Ok(text)
}

/// The same for the value of an option.
pub(super) fn string_of(option: &str, what: &str, text: String) -> Result<String, Error> {
    string(what, text).map_err(|error| match error {
        Error::Usage { message, hint, .. } => Error::usage(format!("{option}: {message}")).hinted(hint),
        error => error,
    })
}

/// A value for an error: printable, on one line, and not too long.
pub(super) fn shown(text: &OsStr) -> String {
    quotation::shown(text.as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_topic_that_is_not_utf8() {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt;
        let error = topic_name("topic", &OsString::from_vec(b"a/\xff".to_vec())).unwrap_err();
        assert_eq!(error.to_string(), "topic 'a/\\xff': it is not UTF-8");
    }

    #[test]
    fn errors_quote_one_short_printable_line() {
        let error = topic_name("topic", "x".repeat(70_000).as_ref()).unwrap_err().to_string();
        let end = "… (70000 bytes)': it is longer than 65,535 bytes";
        assert!(error.len() < 300 && error.ends_with(end), "{error}");
        let error = topic_name("topic", "a\n\u{1b}[31m#".as_ref()).unwrap_err().to_string();
        assert_eq!(error, "topic 'a\\n\\x1b[31m#': it contains a wildcard ('+' or '#')");
    }

    #[test]
    fn an_empty_topic() {
        assert_eq!(topic_name("topic", "".as_ref()).unwrap_err().to_string(), "the topic is empty");
    }

    #[test]
    fn strings() {
        assert!(string("user name", "u".repeat(65_535)).is_ok());
        assert!(string("user name", "u".repeat(65_536)).is_err());
        assert!(string("user name", "a\0".into()).is_err());
    }
}
