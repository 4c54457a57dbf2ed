//! Received messages as bytes for standard output.
//!
//! The hot path of `sub`: one call a message, which appends to a buffer and allocates nothing once
//! the buffer has its size.

use std::time::{Duration, SystemTime};

use super::MessageFormat;
use super::json::{self, PayloadForm};
use super::printable::{LineFeed, put_printable};
use crate::protocol::wire::Publish;

/// A message that was written, but without a part that its payload cannot give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("requested {wanted} printing, but the payload has {payload_bytes} bytes")]
pub struct Misfit {
    /// `double` or `float`.
    pub wanted: &'static str,
    /// What came.
    pub payload_bytes: usize,
}

/// Writes messages in one format.
#[derive(Debug)]
pub struct MessageWriter {
    format: MessageFormat,
    /// A person reads: controls are shown, not passed on.
    terminal: bool,
    opening: Opening,
    /// Holds a record that is to be indented or made safe.
    scratch: Vec<u8>,
}

impl MessageWriter {
    /// A writer for messages in this format. For a `terminal`, what the network sent is made safe to
    /// show; otherwise it is passed on byte for byte.
    #[must_use]
    pub fn new(format: MessageFormat, terminal: bool) -> Self {
        Self { format, terminal, opening: Opening::default(), scratch: Vec::new() }
    }

    /// Appends one message to `out`.
    ///
    /// # Errors
    /// A [`Misfit`] if a part of the format does not apply to the payload. The rest was written;
    /// this is for a warning.
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        publish: &Publish<'_>,
        received: SystemTime,
    ) -> Result<(), Misfit> {
        match self.format {
            MessageFormat::Text { verbose, newline } => {
                self.put_text(out, publish, verbose, newline);
            }
            MessageFormat::Json { pretty } => {
                self.put_json(out, publish, received, PayloadForm::Text, pretty);
                out.push(b'\n');
            }
        }
        Ok(())
    }

    /// As `mosquitto_sub` does: an empty payload is nothing to see; with `-v` it is `(null)`.
    fn put_text(&self, out: &mut Vec<u8>, publish: &Publish<'_>, verbose: bool, newline: bool) {
        if publish.payload.is_empty() && !(verbose && newline) {
            return;
        }
        if verbose {
            self.put_bytes(out, publish.topic, LineFeed::Show);
            out.push(b' ');
        }
        if publish.payload.is_empty() {
            out.extend_from_slice(b"(null)");
        } else {
            self.put_bytes(out, publish.payload, LineFeed::Pass);
        }
        if newline {
            out.push(b'\n');
        }
    }

    fn put_bytes(&self, out: &mut Vec<u8>, bytes: &[u8], line_feed: LineFeed) {
        if self.terminal {
            put_printable(out, bytes, line_feed);
        } else {
            out.extend_from_slice(bytes);
        }
    }

    fn put_json(
        &mut self,
        out: &mut Vec<u8>,
        publish: &Publish<'_>,
        received: SystemTime,
        form: PayloadForm,
        pretty: bool,
    ) {
        let opening = self.opening.at(received);
        if !pretty && !self.terminal {
            json::put_record(out, opening, publish, form);
            return;
        }
        self.scratch.clear();
        json::put_record(&mut self.scratch, opening, publish, form);
        if !self.terminal {
            json::put_indented(out, &self.scratch);
        } else if !pretty {
            json::put_safe(out, &self.scratch);
        } else {
            let mut safe = Vec::with_capacity(self.scratch.len());
            json::put_safe(&mut safe, &self.scratch);
            json::put_indented(out, &safe);
        }
    }
}

/// The opening of a JSON record up to the topic, with the time of receipt: RFC 3339, UTC,
/// microseconds. Kept, because messages that came with one read share it, and those of one second
/// all but six digits.
#[derive(Debug, Default)]
struct Opening {
    text: Vec<u8>,
    time: Duration,
}

impl Opening {
    const BEFORE_TIME: &'static str = "{\"tst\":\"";
    const AFTER_TIME: &'static [u8] = b"Z\",\"topic\":\"";
    const FRACTION_DIGITS: usize = 6;

    fn at(&mut self, time: SystemTime) -> &[u8] {
        // A clock before 1970 is shown as 1970: the record must be written all the same.
        let time = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if time != self.time || self.text.is_empty() {
            if time.as_secs() != self.time.as_secs() || self.text.is_empty() {
                self.set_second(time.as_secs());
            }
            self.set_fraction(time.subsec_micros());
            self.time = time;
        }
        &self.text
    }

    fn set_second(&mut self, second: u64) {
        // Nothing is shown of years after 9999: RFC 3339 has four digits.
        let second = second.min(253_402_300_799);
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let shown = humantime::format_rfc3339_seconds(time).to_string();
        self.text.clear();
        self.text.extend_from_slice(Self::BEFORE_TIME.as_bytes());
        self.text.extend_from_slice(shown.trim_end_matches('Z').as_bytes());
        self.text.push(b'.');
        self.text.extend_from_slice(&[b'0'; Self::FRACTION_DIGITS]);
        self.text.extend_from_slice(Self::AFTER_TIME);
    }

    fn set_fraction(&mut self, mut micros: u32) {
        let end = self.text.len() - Self::AFTER_TIME.len();
        for digit in self.text[end - Self::FRACTION_DIGITS..end].iter_mut().rev() {
            *digit = b'0' + (micros % 10).to_be_bytes()[3];
            micros /= 10;
        }
    }
}
