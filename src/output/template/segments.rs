//! What a template is made of.

use crate::output::record_style::RecordStyle;

/// A format that was read and found good.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub(super) segments: Vec<Segment>,
    /// What [`Field::LocalTime`] counts in.
    pub(super) time_formats: Vec<String>,
    pub(super) newline: bool,
    pub(super) pretty: bool,
    pub(super) style: RecordStyle,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Segment {
    Literal(Vec<u8>),
    Field(Field, Shape),
}

/// What stands in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
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
    Hex(LetterCase),
    Nanoseconds,
    /// `%I` and the letters behind `@`, by their place among the template's time formats.
    LocalTime(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LetterCase {
    Lower,
    Upper,
}

/// How it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// `-`: blanks behind, not before.
    pub(super) left: bool,
    /// `0`: zeros in place of blanks.
    pub(super) zeros: bool,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
    /// Between groups of hex digits.
    pub(super) separator: u8,
}

impl Shape {
    pub(super) const PLAIN: Self =
        Self { left: false, zeros: false, width: 0, precision: None, separator: b' ' };
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
    pub(in crate::output) fn in_style_of_mosquitto(self) -> Self {
        Self { style: RecordStyle::Mosquitto, ..self }
    }

    /// Whether the user has put colours into it.
    pub(in crate::output) fn has_own_colors(&self) -> bool {
        let mut segments = self.segments.iter();
        segments.any(|segment| matches!(segment, Segment::Literal(text) if text.contains(&b'\x1b')))
    }

    pub(in crate::output) fn style(&self) -> RecordStyle {
        self.style
    }

    pub(in crate::output) fn time_formats(&self) -> &[String] {
        &self.time_formats
    }
}
