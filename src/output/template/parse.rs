//! Parses a template.

use super::segments::{Field, Segment, Shape, Template};
use super::specifiers::{Meaning, meaning};
use crate::error::Error;
use crate::output::record_style::RecordStyle;

/// The separators allowed between groups of hexadecimal digits.
const SEPARATORS: &[u8] = br##"!"#$&'()*+,-./:;<=>?@[\]^_`{|}~"##;

/// A larger width is useless, and a typing error would only fill the memory.
const LARGEST_NUMBER: usize = 65_535;

/// An error in a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The format ends within a specifier of this kind.
    #[error("-F: incomplete {0} specifier at the end")]
    Incomplete(&'static str),
    /// This character has no meaning in a specifier of this kind.
    #[error("-F: invalid {0} specifier '{1}'")]
    Invalid(&'static str, char),
    /// A width or precision is too large.
    #[error("-F: a width or precision is over {LARGEST_NUMBER}")]
    TooLarge,
}

impl FormatError {
    /// The message of `mosquitto_sub`, which has no limit for numbers.
    #[must_use]
    pub fn in_words_of_mosquitto(self) -> String {
        match self {
            Self::Incomplete(what) => format!("Incomplete {what} specifier."),
            Self::Invalid(what, character) => format!("Invalid {what} specifier '{character}'."),
            Self::TooLarge => format!("A width or precision in the format is over {LARGEST_NUMBER}."),
        }
    }
}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        let usage = Self::usage(error.to_string());
        if error == FormatError::TooLarge { usage } else { usage.with_hint(LIST) }
    }
}

const LIST: &str = "--help-all lists all specifiers; %%, @@ and \\\\ write the signs themselves";

impl Template {
    /// Parses a format.
    ///
    /// # Errors
    /// The invalid specifier.
    pub fn parse(format: &[u8]) -> Result<Self, FormatError> {
        let mut reader = TemplateReader { rest: format };
        let mut template = Self {
            segments: Vec::new(),
            time_formats: Vec::new(),
            newline: true,
            pretty: false,
            style: RecordStyle::Own,
        };
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

struct TemplateReader<'a> {
    rest: &'a [u8],
}

impl TemplateReader<'_> {
    /// The next byte, which must exist.
    fn next(&mut self, what: &'static str) -> Result<u8, FormatError> {
        let (byte, rest) = self.rest.split_first().ok_or(FormatError::Incomplete(what))?;
        self.rest = rest;
        Ok(*byte)
    }

    /// The error for a byte that is not allowed here, shown as the character it begins.
    fn invalid(&self, what: &'static str, byte: u8) -> FormatError {
        let mut bytes = vec![byte];
        bytes.extend(self.rest.iter().take(3));
        let character = String::from_utf8_lossy(&bytes).chars().next().unwrap_or_default();
        FormatError::Invalid(what, character)
    }

    fn number(&mut self) -> Result<Option<usize>, FormatError> {
        let mut number = None;
        while let Some((digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            self.rest = rest;
            let value = number.unwrap_or(0) * 10 + usize::from(digit - b'0');
            if value > LARGEST_NUMBER {
                return Err(FormatError::TooLarge);
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

    fn field(&mut self, template: &mut Template) -> Result<(), FormatError> {
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
        self.put(template, b'%', letter, shape, "format")
    }

    /// mosquitto accepts any letter and writes those unknown to `strftime` unchanged; here an unknown letter
    /// is an error, as after `%`.
    fn time(&mut self, template: &mut Template) -> Result<(), FormatError> {
        let letter = self.next("format")?;
        self.put(template, b'@', letter, Shape::PLAIN, "time")
    }

    fn escape(&mut self, template: &mut Template) -> Result<(), FormatError> {
        let letter = self.next("escape")?;
        self.put(template, b'\\', letter, Shape::PLAIN, "escape")
    }

    /// Appends the meaning of a letter from the table.
    fn put(
        &self,
        template: &mut Template,
        sign: u8,
        letter: u8,
        shape: Shape,
        what: &'static str,
    ) -> Result<(), FormatError> {
        match meaning(sign, letter).ok_or_else(|| self.invalid(what, letter))? {
            Meaning::Byte(byte) => template.literal(byte),
            Meaning::LocalTime(format) => template.local_time(format.to_owned(), shape),
            Meaning::Field(field) => template.segments.push(Segment::Field(field, shape)),
        }
        Ok(())
    }
}
