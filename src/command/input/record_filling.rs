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
        let wrong = |why: String| NoRecord::new(format!("--template: {why}"));
        let is_own = !record.is_received();
        self.values.start(self.number);
        self.buffer.clear();
        let is_filled = match (&record.topic, &self.topic) {
            (Some(topic), _) if is_own => {
                self.values.fill_in(topic.as_bytes(), &mut self.buffer).map_err(wrong)?;
                true
            }
            (None, Some(topic)) => {
                topic.fill(&mut self.values, &mut self.buffer).map_err(wrong)?;
                true
            }
            _ => false,
        };
        if is_filled {
            let name = topic::check_name(&self.buffer).map_err(|why| {
                NoRecord::new(format!("topic '{}' (--template): {why}", shown(&self.buffer)))
            })?;
            record.topic = Some(name.to_owned().into());
        }
        self.buffer.clear();
        let is_filled = match (&record.payload, &self.payload) {
            (Some(payload), _) if is_own && record.is_text => {
                self.values.fill_in(payload, &mut self.buffer).map_err(wrong)?;
                true
            }
            (None, Some(payload)) => {
                payload.fill(&mut self.values, &mut self.buffer).map_err(wrong)?;
                true
            }
            _ => false,
        };
        if is_filled {
            record.payload = Some(self.buffer.to_vec().into());
        }
        Ok(record)
    }
}
