//! Reading a template.

use super::{Case, Field, Segment, Shape, Template};
use crate::error::Error;

/// What may stand between groups of hex digits.
const SEPARATORS: &[u8] = br##"!"#$&'()*+,-./:;<=>?@[\]^_`{|}~"##;

/// The letters behind `@`: those of `strftime`.
const TIME_LETTERS: &[u8] = b"AaBbCcDdeFGgHhIjklMmnPpRrSsTtUuVWwXxYyZz";

/// Wider makes no sense, and would only be a way to fill memory by a slip of the finger.
const LARGEST_NUMBER: usize = 65_535;

impl Template {
    /// Reads a format.
    ///
    /// # Errors
    /// A usage error, in the words of `mosquitto_sub`.
    pub fn parse(format: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader { rest: format };
        let mut template =
            Self { segments: Vec::new(), time_formats: Vec::new(), newline: true, pretty: false };
        while let Some((byte, rest)) = reader.rest.split_first() {
            reader.rest = rest;
            match byte {
                b'%' => reader.field(&mut template)?,
                b'@' => reader.time(&mut template)?,
                b'\\' => reader.escape(&mut template)?,
                other => template.literal(*other),
            }
        }
        Ok(template)
    }

    fn literal(&mut self, byte: u8) {
        if let Some(Segment::Literal(text)) = self.segments.last_mut() {
            text.push(byte);
        } else {
            self.segments.push(Segment::Literal(vec![byte]));
        }
    }

    fn local_time(&mut self, format: String, shape: Shape) {
        self.segments.push(Segment::Field(Field::LocalTime(self.time_formats.len()), shape));
        self.time_formats.push(format);
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    /// The next byte, which must be there.
    fn next(&mut self, what: &str) -> Result<u8, Error> {
        let (byte, rest) =
            self.rest.split_first().ok_or_else(|| Error::usage(format!("Incomplete {what} specifier.")))?;
        self.rest = rest;
        Ok(*byte)
    }

    /// The byte just read is nothing that can stand there. It is shown as the character it begins.
    fn invalid(&self, what: &str, byte: u8) -> Error {
        let mut bytes = vec![byte];
        bytes.extend(self.rest.iter().take(3));
        let character = String::from_utf8_lossy(&bytes).chars().next().unwrap_or_default();
        Error::usage(format!("Invalid {what} specifier '{character}'."))
    }

    fn number(&mut self) -> Result<Option<usize>, Error> {
        let mut number = None;
        while let Some((digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            self.rest = rest;
            let value = number.unwrap_or(0) * 10 + usize::from(digit - b'0');
            if value > LARGEST_NUMBER {
                let text = format!("A width or precision in the format is over {LARGEST_NUMBER}.");
                return Err(Error::usage(text));
            }
            number = Some(value);
        }
        Ok(number)
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn field(&mut self, template: &mut Template) -> Result<(), Error> {
        let left = self.skip(b'-');
        let zeros = !left && self.skip(b'0');
        let width = self.number()?.unwrap_or(0);
        let precision = if self.skip(b'.') { Some(self.number()?.unwrap_or(0)) } else { None };
        let mut shape = Shape { left, zeros, width, precision, ..Shape::PLAIN };
        let mut letter = self.next("format")?;
        if SEPARATORS.contains(&letter) && !self.rest.is_empty() {
            shape.separator = letter;
            letter = self.next("format")?;
        }
        let field = match letter {
            b'%' => {
                template.literal(b'%');
                return Ok(());
            }
            b'I' => {
                template.local_time("%FT%T%z".to_owned(), shape);
                return Ok(());
            }
            b'A' => Field::TopicAlias,
            b'C' => Field::ContentType,
            b'D' => Field::CorrelationData,
            b'd' => Field::Double,
            b'E' => Field::MessageExpiryInterval,
            b'F' => Field::PayloadFormatIndicator,
            b'f' => Field::Float,
            b'J' => Field::JsonValue,
            b'j' => Field::JsonText,
            b'l' => Field::PayloadLength,
            b'm' => Field::PacketIdentifier,
            b'P' => Field::UserProperties,
            b'p' => Field::Payload,
            b'q' => Field::Qos,
            b'R' => Field::ResponseTopic,
            b'r' => Field::Retain,
            b'S' => Field::SubscriptionIdentifier,
            b't' => Field::Topic,
            b'U' => Field::UnixTime,
            b'X' => Field::Hex(Case::Upper),
            b'x' => Field::Hex(Case::Lower),
            other => return Err(self.invalid("format", other)),
        };
        template.segments.push(Segment::Field(field, shape));
        Ok(())
    }

    /// mosquitto takes any letter and writes what is none of `strftime`'s as it is; here a letter
    /// without meaning is an error, as it is behind `%`.
    fn time(&mut self, template: &mut Template) -> Result<(), Error> {
        match self.next("format")? {
            b'@' => template.literal(b'@'),
            b'N' => template.segments.push(Segment::Field(Field::Nanoseconds, Shape::PLAIN)),
            letter if TIME_LETTERS.contains(&letter) => {
                template.local_time(format!("%{}", char::from(letter)), Shape::PLAIN);
            }
            other => return Err(self.invalid("time", other)),
        }
        Ok(())
    }

    fn escape(&mut self, template: &mut Template) -> Result<(), Error> {
        template.literal(match self.next("escape")? {
            b'\\' => b'\\',
            b'0' => 0,
            b'a' => 0x07,
            b'e' => 0x1b,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            other => return Err(self.invalid("escape", other)),
        });
        Ok(())
    }
}
