//! The parts of a template.

use crate::output::record_style::RecordStyle;

/// A valid, parsed format.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub(super) segments: Vec<Segment>,
    /// The time formats to which [`Field::LocalTime`] refers by index.
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

/// The content of a field.
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
    /// `%I` and the letters after `@`, by index in the template's time formats.
    LocalTime(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LetterCase {
    Lower,
    Upper,
}

/// The layout of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// `-`: blanks after the text, not before.
    pub(super) left: bool,
    /// `0`: zeros instead of blanks.
    pub(super) zeros: bool,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
    /// The separator between groups of hexadecimal digits.
    pub(super) separator: u8,
}

impl Shape {
    pub(super) const PLAIN: Self =
        Self { left: false, zeros: false, width: 0, precision: None, separator: b' ' };
}

impl Template {
    /// Without the newline after each message (`-N`).
    #[must_use]
    pub fn without_newline(self) -> Self {
        Self { newline: false, ..self }
    }

    /// With `%j` and `%J` over several lines (`--pretty`).
    #[must_use]
    pub fn pretty(self) -> Self {
        Self { pretty: true, ..self }
    }

    /// With `%j` and `%J` in the style of mosquitto's clients.
    #[must_use]
    pub(in crate::output) fn in_style_of_mosquitto(self) -> Self {
        Self { style: RecordStyle::Mosquitto, ..self }
    }

    /// Whether a field is a property (MQTT 5), or has all of them.
    pub(in crate::output) fn shows_properties(&self) -> bool {
        let is_property = |field: Field| match field {
            Field::TopicAlias
            | Field::ContentType
            | Field::CorrelationData
            | Field::MessageExpiryInterval
            | Field::PayloadFormatIndicator
            | Field::JsonText
            | Field::JsonValue
            | Field::UserProperties
            | Field::ResponseTopic
            | Field::SubscriptionIdentifier => true,
            Field::Double
            | Field::Float
            | Field::PayloadLength
            | Field::PacketIdentifier
            | Field::Payload
            | Field::Qos
            | Field::Retain
            | Field::Topic
            | Field::UnixTime
            | Field::Hex(_)
            | Field::Nanoseconds
            | Field::LocalTime(_) => false,
        };
        let mut segments = self.segments.iter();
        segments.any(|segment| matches!(segment, Segment::Field(field, _) if is_property(*field)))
    }

    /// Whether the template contains colours.
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
