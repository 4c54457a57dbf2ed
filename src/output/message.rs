//! Received messages as bytes for standard output.
//!
//! The hot path of `sub`: one call per message, which appends to a buffer and allocates nothing once the
//! buffer has grown.

use std::time::SystemTime;

use super::format::MessageFormat;
use super::json::{self, PayloadForm};
use super::record::{Misfit, PayloadNote, RecordWriter};
use super::record_style::RecordStyle;
use super::template::render;
use super::terminal::{Palette, StandardStream, put_bytes};
use super::timestamp::LocalTimes;
use crate::error::Error;
use crate::memory;
use crate::notation::printable::LineFeed;
use crate::protocol::wire::Publish;

/// Writes messages in one format.
#[derive(Debug)]
pub struct MessageWriter {
    format: MessageFormat,
    records: RecordWriter,
    times: LocalTimes,
}

impl MessageWriter {
    /// A writer for messages in this format. For a `terminal`, text from the network is made safe to show;
    /// otherwise bytes are passed on unchanged.
    #[must_use]
    pub fn new(format: MessageFormat, terminal: bool) -> Self {
        let (formats, style) = match &format {
            MessageFormat::Template(template) => (template.time_formats(), template.style()),
            MessageFormat::Text { .. } | MessageFormat::Json { .. } => (&[][..], RecordStyle::Own),
        };
        let times = LocalTimes::new(formats);
        Self { format, records: RecordWriter::new(style, terminal), times }
    }

    /// A writer for this stream, with its colours. A template with colours of its own gets no others.
    #[must_use]
    pub fn for_stream(format: MessageFormat, stream: StandardStream) -> Self {
        let has_own = matches!(&format, MessageFormat::Template(template) if template.has_own_colors());
        let mut writer = Self::new(format, stream.is_terminal);
        writer.records.palette = if has_own { Palette::PLAIN } else { Palette::of(stream) };
        writer
    }

    /// Checks that there is memory for a message in its output form.
    ///
    /// # Errors
    /// Out of memory.
    pub fn check_memory(&self, publish: &Publish<'_>) -> Result<(), Error> {
        let bytes = publish.payload.len();
        memory::spare(bytes).and_then(|()| memory::spare(self.most_bytes(publish.payload))).map_err(|error| {
            Error::file(format!("a message of {bytes} bytes"), error)
                .with_hint("--max-packet-size sets the largest packet that is accepted")
        })
    }

    /// The approximate maximum size of a large payload in its output form.
    fn most_bytes(&self, payload: &[u8]) -> usize {
        if let (MessageFormat::Text { .. }, false) | (_, true) =
            (&self.format, payload.len() < memory::LARGE_BYTES)
        {
            return payload.len();
        }
        let escapes = payload.iter().filter(|byte| **byte < b' ' || matches!(byte, b'"' | b'\\')).count();
        payload.len() * 2 + escapes * 5
    }

    /// Appends one message to `out`. Messages that came with one read should share `received`.
    ///
    /// # Errors
    /// A [`Misfit`] if a part of the format does not apply to the payload. The rest was written; the caller
    /// prints a warning.
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        publish: &Publish<'_>,
        received: SystemTime,
    ) -> Result<(), Misfit> {
        self.write_decoded(out, publish, received, &PayloadNote::PLAIN)
    }

    /// Appends one message whose payload was decoded, or was not, with the reason.
    ///
    /// # Errors
    /// Like [`MessageWriter::write`].
    pub fn write_decoded(
        &mut self,
        out: &mut Vec<u8>,
        publish: &Publish<'_>,
        received: SystemTime,
        note: &PayloadNote<'_>,
    ) -> Result<(), Misfit> {
        match &self.format {
            MessageFormat::Text { verbose, newline } => {
                put_text(out, publish, *verbose, *newline, &self.records);
            }
            MessageFormat::Json { pretty } => {
                self.records.put(out, publish, received, note, PayloadForm::Text, *pretty);
                out.push(b'\n');
            }
            MessageFormat::Template(template) => {
                render(template, out, publish, received, note, &mut self.records, &mut self.times)?;
            }
        }
        Ok(())
    }

    /// Whether it writes records, which have a key for the error of a payload.
    #[must_use]
    pub(super) fn has_records(&self) -> bool {
        !matches!(self.format, MessageFormat::Text { .. })
    }

    /// Whether string results are shown as plain text.
    #[must_use]
    pub fn shows_raw_results(&self) -> bool {
        !matches!(self.format, MessageFormat::Json { .. })
    }

    /// Appends one result that was computed from a message, instead of the message: JSON, or text.
    pub fn write_result(&self, out: &mut Vec<u8>, topic: &[u8], result: &[u8], is_json: bool) {
        let RecordWriter { terminal, palette, .. } = self.records;
        let (is_verbose, newline, is_indented) = match self.format {
            MessageFormat::Text { verbose, newline } => (verbose, newline, false),
            MessageFormat::Json { pretty } => (false, true, pretty),
            MessageFormat::Template(_) => (false, true, false),
        };
        if is_verbose {
            put_topic(out, topic, terminal, palette);
        }
        if !is_json {
            put_bytes(out, result, LineFeed::Pass, terminal);
        } else if !terminal && !is_indented {
            out.extend_from_slice(result);
        } else {
            let mut safe = Vec::with_capacity(result.len());
            json::put_safe(&mut safe, result);
            if is_indented {
                json::put_indented(out, &safe, RecordStyle::Own);
            } else {
                out.extend_from_slice(&safe);
            }
        }
        if newline {
            out.push(b'\n');
        }
    }
}

fn put_topic(out: &mut Vec<u8>, topic: &[u8], terminal: bool, palette: &Palette) {
    out.extend_from_slice(palette.topic.begin);
    put_bytes(out, topic, LineFeed::Show, terminal);
    out.extend_from_slice(palette.topic.end);
    out.push(b' ');
}

/// Like `mosquitto_sub`: an empty payload writes nothing; with `-v` it is `(null)`.
fn put_text(
    out: &mut Vec<u8>,
    publish: &Publish<'_>,
    verbose: bool,
    newline: bool,
    &RecordWriter { terminal, palette, .. }: &RecordWriter,
) {
    if publish.payload.is_empty() && !(verbose && newline) {
        return;
    }
    if verbose {
        put_topic(out, publish.topic, terminal, palette);
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
