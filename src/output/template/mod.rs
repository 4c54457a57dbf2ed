//! `-F`: the user's own format for messages, in mosquitto's language.
//!
//! `%` [`-` or `0`] [width] [`.` precision] [separator] letter stands for a part of the message, `@`
//! letter for the time of receipt as `strftime` has it (`@N`: nanoseconds), `\` letter for a
//! character; everything else stands for itself. The template is read once; writing a message only
//! walks over its segments.
//!
//! It differs from `mosquitto_sub` where that loses data: `%j` and `%J` write the record of `--json` (UTC,
//! base64 for payloads that are not UTF-8), and `%J` with a payload that is not JSON falls back to the
//! string form, where mosquitto writes an empty line. JSON within `%J` is passed on as it is, `1.0` and
//! 20-digit numbers included, only put on one line. Width and precision of text count characters, not
//! bytes, so that none is cut in half; integers are never negative.

mod parse;
mod render;
mod specifiers;

#[cfg(test)]
mod tests;

use super::RecordStyle;

pub use parse::FormatError;
pub(super) use render::render;
pub use specifiers::{MODIFIERS, SPECIFIERS, Specifier};

/// A format that was read and found good.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    segments: Vec<Segment>,
    /// What [`Field::LocalTime`] counts in.
    time_formats: Vec<String>,
    newline: bool,
    pretty: bool,
    style: RecordStyle,
}

#[derive(Debug, Clone, PartialEq)]
enum Segment {
    Literal(Vec<u8>),
    Field(Field, Shape),
}

/// What stands in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    TopicAlias,
    ContentType,
    CorrelationData,
    Double,
    Float,
    MessageExpiryInterval,
    PayloadFormatIndicator,
    JsonText,
    JsonValue,
    PayloadLength,
    PacketIdentifier,
    UserProperties,
    Payload,
    Qos,
    ResponseTopic,
    Retain,
    SubscriptionIdentifier,
    Topic,
    UnixTime,
    Hex(Case),
    Nanoseconds,
    /// `%I` and the letters behind `@`, by their place among the template's time formats.
    LocalTime(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
}

/// How it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// `-`: blanks behind, not before.
    left: bool,
    /// `0`: zeros in place of blanks.
    zeros: bool,
    width: usize,
    precision: Option<usize>,
    /// Between groups of hex digits.
    separator: u8,
}

impl Shape {
    const PLAIN: Self = Self { left: false, zeros: false, width: 0, precision: None, separator: b' ' };
}

impl Template {
    /// Without the newline behind each message (`-N`).
    #[must_use]
    pub fn without_newline(self) -> Self {
        Self { newline: false, ..self }
    }

    /// With `%j` and `%J` over several lines (`--pretty`).
    #[must_use]
    pub fn pretty(self) -> Self {
        Self { pretty: true, ..self }
    }

    /// With `%j` and `%J` as mosquitto's clients write them.
    #[must_use]
    pub(super) fn in_style_of_mosquitto(self) -> Self {
        Self { style: RecordStyle::Mosquitto, ..self }
    }

    pub(super) fn style(&self) -> RecordStyle {
        self.style
    }

    pub(super) fn time_formats(&self) -> &[String] {
        &self.time_formats
    }
}
