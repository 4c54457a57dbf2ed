//! All specifiers of a format: the one table that the parser, `--help-all`, the manual pages and
//! `docs/formats.md` share.

use super::segments::{Field, LetterCase};

/// Two characters of a format with a special meaning.
#[derive(Debug)]
pub struct Specifier {
    /// The characters as they are typed, without optional modifiers between them.
    pub written: &'static str,
    /// The text written instead.
    pub help: &'static str,
    pub(super) meaning: Meaning,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    Byte(u8),
    Field(Field),
    /// A format of `strftime`.
    LocalTime(&'static str),
}

use Meaning::{Byte, LocalTime};

const fn byte(written: &'static str, byte: u8, help: &'static str) -> Specifier {
    Specifier { written, help, meaning: Byte(byte) }
}

const fn field(written: &'static str, field: Field, help: &'static str) -> Specifier {
    Specifier { written, help, meaning: Meaning::Field(field) }
}

const fn time(written: &'static str, format: &'static str, help: &'static str) -> Specifier {
    Specifier { written, help, meaning: LocalTime(format) }
}

/// The parts of a message, the letters of the time, and the characters that are hard to type.
pub const SPECIFIERS: &[Specifier] = &[
    field("%t", Field::Topic, "topic"),
    field("%p", Field::Payload, "payload, as it is"),
    field("%x", Field::Hex(LetterCase::Lower), "payload as hexadecimal digits, 0-9 and a-f"),
    field("%X", Field::Hex(LetterCase::Upper), "payload as hexadecimal digits, 0-9 and A-F"),
    field("%l", Field::PayloadLength, "length of the payload in bytes"),
    field("%d", Field::Double, "payload of 8 bytes as a number (IEEE 754 double, little endian)"),
    field("%f", Field::Float, "payload of 4 bytes as a number (IEEE 754 single, little endian)"),
    field("%j", Field::JsonText, "the message as JSON, the record of --json"),
    field("%J", Field::JsonValue, "the same, with a payload that is JSON as JSON and not as a string"),
    field("%q", Field::Qos, "QoS: 0, 1 or 2"),
    field("%r", Field::Retain, "retain flag: 1 if it is set, else 0"),
    field("%m", Field::PacketIdentifier, "packet identifier; 0 at QoS 0"),
    field("%C", Field::ContentType, "content type (MQTT 5)"),
    field("%D", Field::CorrelationData, "correlation data (MQTT 5), as it is"),
    field("%E", Field::MessageExpiryInterval, "message expiry interval in seconds (MQTT 5)"),
    field("%F", Field::PayloadFormatIndicator, "payload format indicator, 0 or 1 (MQTT 5)"),
    field("%P", Field::UserProperties, "user properties as KEY:VALUE, with a blank between them (MQTT 5)"),
    field("%R", Field::ResponseTopic, "response topic (MQTT 5)"),
    field("%S", Field::SubscriptionIdentifier, "subscription identifier, the first (MQTT 5)"),
    field("%A", Field::TopicAlias, "topic alias (MQTT 5)"),
    time("%I", "%FT%T%z", "local time of receipt, such as 2026-11-20T10:38:06+0100"),
    field("%U", Field::UnixTime, "seconds since 1970 with nine decimals, such as 1795167486.123456789"),
    byte("%%", b'%', "a percent sign"),
    time("@Y", "%Y", "year, such as 2026"),
    time("@y", "%y", "year without century, 00 to 99"),
    time("@C", "%C", "century, such as 20"),
    time("@m", "%m", "month, 01 to 12"),
    time("@B", "%B", "name of the month"),
    time("@b", "%b", "name of the month, three letters"),
    time("@h", "%h", "as @b"),
    time("@d", "%d", "day of the month, 01 to 31"),
    time("@e", "%e", "day of the month, with a blank before one digit"),
    time("@j", "%j", "day of the year, 001 to 366"),
    time("@A", "%A", "name of the weekday"),
    time("@a", "%a", "name of the weekday, three letters"),
    time("@u", "%u", "weekday, 1 (Monday) to 7"),
    time("@w", "%w", "weekday, 0 (Sunday) to 6"),
    time("@V", "%V", "ISO week, 01 to 53"),
    time("@G", "%G", "year of the ISO week"),
    time("@g", "%g", "year of the ISO week, without century"),
    time("@U", "%U", "week of the year from the first Sunday, 00 to 53"),
    time("@W", "%W", "week of the year from the first Monday, 00 to 53"),
    time("@H", "%H", "hour, 00 to 23"),
    time("@k", "%k", "hour, with a blank before one digit"),
    time("@I", "%I", "hour, 01 to 12"),
    time("@l", "%l", "hour of 12, with a blank before one digit"),
    time("@M", "%M", "minute, 00 to 59"),
    time("@S", "%S", "second, 00 to 60"),
    field("@N", Field::Nanoseconds, "nanoseconds of the second, nine digits"),
    time("@p", "%p", "AM or PM"),
    time("@P", "%P", "am or pm"),
    time("@s", "%s", "seconds since 1970"),
    time("@z", "%z", "offset of the time zone, such as +0100"),
    time("@Z", "%Z", "name of the time zone"),
    time("@F", "%F", "date, such as 2026-11-20"),
    time("@D", "%D", "date, such as 11/20/26"),
    time("@x", "%x", "as @D"),
    time("@T", "%T", "time, such as 10:38:06"),
    time("@X", "%X", "as @T"),
    time("@R", "%R", "time, such as 10:38"),
    time("@r", "%r", "time, such as 10:38:06 AM"),
    time("@c", "%c", "date and time, such as Fri Nov 20 10:38:06 2026"),
    time("@n", "%n", "line feed"),
    time("@t", "%t", "tab"),
    byte("@@", b'@', "an at sign"),
    byte("\\n", b'\n', "line feed"),
    byte("\\r", b'\r', "carriage return"),
    byte("\\t", b'\t', "tab"),
    byte("\\v", 0x0b, "vertical tab"),
    byte("\\a", 0x07, "bell"),
    byte("\\e", 0x1b, "escape"),
    byte("\\0", 0, "NUL"),
    byte("\\\\", b'\\', "a backslash"),
];

/// The meaning of a letter after `%`, `@` or `\`.
pub(super) fn meaning(sign: u8, letter: u8) -> Option<Meaning> {
    let found = SPECIFIERS.iter().find(|specifier| specifier.written.as_bytes() == [sign, letter]);
    found.map(|specifier| specifier.meaning)
}

/// The modifiers between `%` and its letter.
pub const MODIFIERS: &str = "\
%[-|0][WIDTH][.PRECISION][SEPARATOR]LETTER writes at least WIDTH characters: blanks come first,
with - last, and 0 makes them zeros. PRECISION is the largest number of characters of a text, and
the number of decimals of %d and %f. A payload longer than WIDTH is cut. %x and %X write a SEPARATOR
(a blank, or the sign that is given) after each PRECISION digits: %.2:x writes 01:0a:ff.
%D, %P, %q, %r, %U, %j, %J, @ and \\ take none of these.";
