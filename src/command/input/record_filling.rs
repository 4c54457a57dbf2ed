//! `pub --template` with lines that name their topic, such as records.

use bytes::BytesMut;

use super::record::{NoRecord, Record};
use super::template::{FieldValues, TextTemplate};
use crate::protocol::topic;
use crate::quotation::shown;

/// Fills in the texts of lines.
#[derive(Debug)]
pub(super) struct RecordFilling {
    values: FieldValues,
    /// The topic of lines without one.
    topic: Option<TextTemplate>,
    /// The payload of records without one.
    payload: Option<TextTemplate>,
    /// The number of lines so far.
    number: u64,
    buffer: BytesMut,
}

impl RecordFilling {
    pub(super) fn new(
        values: FieldValues,
        topic: Option<TextTemplate>,
        payload: Option<TextTemplate>,
    ) -> Self {
        Self { values, topic, payload, number: 0, buffer: BytesMut::new() }
    }

    /// Counts a line.
    pub(super) fn next_line(&mut self) {
        self.number += 1;
    }

    /// Fills in the texts of the user. The record of a received message has those of others: of its own texts
    /// none is filled in, only what the options add to it.
    pub(super) fn fill<'a>(&mut self, mut record: Record<'a>) -> Result<Record<'a>, NoRecord> {
        let is_own = !record.is_received();
        let Self { values, buffer, .. } = self;
        values.start(self.number);
        let topic = record.topic.as_deref().map(str::as_bytes);
        if fill_one(topic, is_own, self.topic.as_ref(), values, buffer)? {
            let name = topic::check_name(buffer)
                .map_err(|why| NoRecord::new(format!("topic '{}' (--template): {why}", shown(buffer))))?;
            record.topic = Some(name.to_owned().into());
        }
        let payload = record.payload.as_deref();
        if fill_one(payload, is_own && record.is_text, self.payload.as_ref(), values, buffer)? {
            record.payload = Some(buffer.to_vec().into());
        }
        Ok(record)
    }
}

/// Fills in the text of a record if `may_fill`, or that of the user for a record without one; returns whether one was.
fn fill_one(
    text: Option<&[u8]>,
    may_fill: bool,
    of_user: Option<&TextTemplate>,
    values: &mut FieldValues,
    buffer: &mut BytesMut,
) -> Result<bool, NoRecord> {
    buffer.clear();
    let filled = match (text, of_user) {
        (Some(text), _) if may_fill => values.fill_in(text, buffer),
        (None, Some(template)) => template.fill(values, buffer),
        _ => return Ok(false),
    };
    filled.map_err(|why| NoRecord::new(format!("--template: {why}")))?;
    Ok(true)
}
