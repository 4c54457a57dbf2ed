//! Received messages as JSON records.

use std::time::SystemTime;

use super::json::{self, PayloadForm};
use super::record_style::RecordStyle;
use super::terminal::Palette;
use super::timestamp::RecordOpening;
use crate::protocol::wire::Publish;
use crate::quantity::counted;

/// A buffer that one large message made larger than this is not kept.
const KEPT_BYTES: usize = 1 << 20;

/// A part of the format that could not be applied to the payload of a written message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The payload's bytes are not a number.
    #[error("requested {wanted} printing, but the payload has {}", counted(*payload_bytes as u64, "byte"))]
    Number {
        /// `double` or `float`.
        wanted: &'static str,
        /// The size of the payload.
        payload_bytes: usize,
    },
    /// The record contains the payload as a string because it is not JSON.
    #[error("requested JSON, but the payload is not JSON; it is shown as a string")]
    Json,
}

/// The outcome of decoding a payload, for its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadNote<'a> {
    /// The formats from which it was decoded to JSON.
    pub decoded: Option<&'a str>,
    /// Why it was not decoded.
    pub error: Option<&'a str>,
}

impl PayloadNote<'_> {
    /// The note of a payload that is not to be decoded.
    pub const PLAIN: Self = Self { decoded: None, error: None };

    /// The members of the record that tell this, as name and text.
    fn members(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let decoded = self.decoded.map(|formats| ("payload-decoded", formats));
        decoded.into_iter().chain(self.error.map(|why| ("payload-error", why)))
    }
}

/// Writes records without their payload as JSON, for callers that add the payload in their own form.
#[derive(Debug)]
pub struct RecordHead {
    opening: RecordOpening,
    buffer: Vec<u8>,
}

impl Default for RecordHead {
    fn default() -> Self {
        Self { opening: RecordOpening::new(RecordStyle::Own), buffer: Vec::new() }
    }
}

impl RecordHead {
    /// The record of a message, with the note about its payload.
    pub fn of(&mut self, publish: &Publish<'_>, received: SystemTime, note: &PayloadNote<'_>) -> &[u8] {
        self.buffer.clear();
        json::put_head(&mut self.buffer, self.opening.at(received), publish);
        for (name, text) in note.members() {
            json::put_member(&mut self.buffer, name, text);
        }
        self.buffer.push(b'}');
        &self.buffer
    }
}

/// Appends the record of a message that was not received, and so without a time.
pub fn put_sent_record(out: &mut Vec<u8>, publish: &Publish<'_>) {
    json::put_record(out, b"{\"topic\":\"", publish, PayloadForm::Text, RecordStyle::Own);
}

/// Writes messages as JSON records.
#[derive(Debug)]
pub(super) struct RecordWriter {
    /// Whether the output is a terminal: control characters are made visible.
    pub(super) terminal: bool,
    style: RecordStyle,
    opening: RecordOpening,
    pub(super) palette: &'static Palette,
    /// Holds a record before it is indented or made safe.
    scratch: Vec<u8>,
}

impl RecordWriter {
    pub(super) fn new(style: RecordStyle, terminal: bool) -> Self {
        Self {
            terminal,
            style,
            opening: RecordOpening::new(style),
            palette: Palette::PLAIN,
            scratch: Vec::new(),
        }
    }

    /// Appends the record, without a newline. `false`: the payload does not have the requested form and was
    /// written as a string.
    pub(super) fn put(
        &mut self,
        out: &mut Vec<u8>,
        publish: &Publish<'_>,
        received: SystemTime,
        note: &PayloadNote<'_>,
        form: PayloadForm,
        pretty: bool,
    ) -> bool {
        let start = out.len();
        let form = if note.decoded.is_some() { PayloadForm::Json } else { form };
        let fits = self.put_plain(out, publish, received, note, form, pretty);
        if self.palette.has_colors() {
            json::color(out, start, self.palette);
        }
        fits
    }

    fn put_plain(
        &mut self,
        out: &mut Vec<u8>,
        publish: &Publish<'_>,
        received: SystemTime,
        note: &PayloadNote<'_>,
        form: PayloadForm,
        pretty: bool,
    ) -> bool {
        let opening = self.opening.at(received);
        if !pretty && !self.terminal {
            let fits = json::put_record(out, opening, publish, form, self.style);
            put_note(out, note);
            return fits;
        }
        self.scratch.clear();
        self.scratch.shrink_to(KEPT_BYTES);
        let fits = json::put_record(&mut self.scratch, opening, publish, form, self.style);
        put_note(&mut self.scratch, note);
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

/// Adds the note about its payload to a record.
fn put_note(record: &mut Vec<u8>, note: &PayloadNote<'_>) {
    for (name, text) in note.members() {
        record.truncate(record.len() - 1);
        json::put_member(record, name, text);
        record.push(b'}');
    }
}
