//! Received messages as bytes for standard output.
//!
//! The hot path of `sub`: one call a message, which appends to a buffer and allocates nothing once
//! the buffer has its size.

use std::time::SystemTime;

use super::json::{self, PayloadForm};
use super::template::render;
use super::terminal::put_bytes;
use super::timestamp::{LocalTimes, RecordOpening};
use super::{MessageFormat, RecordStyle};
use crate::notation::printable::LineFeed;
use crate::protocol::wire::Publish;
use crate::quantity::counted;

/// A buffer that one huge message made larger than this is not kept.
const KEPT_BYTES: usize = 1 << 20;

/// A message that was written, but without a part that its payload cannot give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A number was to be read from its bytes.
    #[error("requested {wanted} printing, but the payload has {}", counted(*payload_bytes as u64, "byte"))]
    Number {
        /// `double` or `float`.
        wanted: &'static str,
        /// What came.
        payload_bytes: usize,
    },
    /// It was to stand in the record as the JSON it is, and stands there as a string.
    #[error("requested JSON, but the payload is not JSON; it is shown as a string")]
    Json,
}

/// Writes messages in one format.
#[derive(Debug)]
pub struct MessageWriter {
    format: MessageFormat,
    records: RecordWriter,
    times: LocalTimes,
}

impl MessageWriter {
    /// A writer for messages in this format. For a `terminal`, what the network sent is made safe to
    /// show; otherwise it is passed on byte for byte.
    #[must_use]
    pub fn new(format: MessageFormat, terminal: bool) -> Self {
        let (formats, style) = match &format {
            MessageFormat::Template(template) => (template.time_formats(), template.style()),
            MessageFormat::Text { .. } | MessageFormat::Json { .. } => (&[][..], RecordStyle::Own),
        };
        let times = LocalTimes::new(formats);
        let opening = RecordOpening::new(style);
        let records = RecordWriter { terminal, style, opening, scratch: Vec::new() };
        Self { format, records, times }
    }

    /// Appends one message to `out`. Messages that came with one read should share `received`.
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
        match &self.format {
            MessageFormat::Text { verbose, newline } => {
                put_text(out, publish, *verbose, *newline, self.records.terminal);
            }
            MessageFormat::Json { pretty } => {
                self.records.put(out, publish, received, PayloadForm::Text, *pretty);
                out.push(b'\n');
            }
            MessageFormat::Template(template) => {
                render(template, out, publish, received, &mut self.records, &mut self.times)?;
            }
        }
        Ok(())
    }
}

/// As `mosquitto_sub` does: an empty payload is nothing to see; with `-v` it is `(null)`.
fn put_text(out: &mut Vec<u8>, publish: &Publish<'_>, verbose: bool, newline: bool, terminal: bool) {
    if publish.payload.is_empty() && !(verbose && newline) {
        return;
    }
    if verbose {
        put_bytes(out, publish.topic, LineFeed::Show, terminal);
        out.push(b' ');
    }
    if publish.payload.is_empty() {
        out.extend_from_slice(b"(null)");
    } else {
        put_bytes(out, publish.payload, LineFeed::Pass, terminal);
    }
    if newline {
        out.push(b'\n');
    }
}

/// Writes messages as JSON records.
#[derive(Debug)]
pub(super) struct RecordWriter {
    /// A person reads: controls are shown, not passed on.
    pub(super) terminal: bool,
    style: RecordStyle,
    opening: RecordOpening,
    /// Holds a record that is to be indented or made safe.
    scratch: Vec<u8>,
}

impl RecordWriter {
    /// Appends the record, without a newline. `false`: the payload is not of that form and stands
    /// there as a string.
    pub(super) fn put(
        &mut self,
        out: &mut Vec<u8>,
        publish: &Publish<'_>,
        received: SystemTime,
        form: PayloadForm,
        pretty: bool,
    ) -> bool {
        let opening = self.opening.at(received);
        if !pretty && !self.terminal {
            return json::put_record(out, opening, publish, form, self.style);
        }
        self.scratch.clear();
        self.scratch.shrink_to(KEPT_BYTES);
        let fits = json::put_record(&mut self.scratch, opening, publish, form, self.style);
        if !self.terminal {
            json::put_indented(out, &self.scratch, self.style);
        } else if !pretty {
            json::put_safe(out, &self.scratch);
        } else {
            let mut safe = Vec::with_capacity(self.scratch.len());
            json::put_safe(&mut safe, &self.scratch);
            json::put_indented(out, &safe, self.style);
        }
        fits
    }
}
