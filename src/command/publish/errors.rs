//! Inputs of `mqtt pub` that cannot become messages, and messages that are not delivered.

use super::Publisher;
use super::work::PublishWork;
use crate::command::input::{NoRecord, RecordReader};
use crate::error::Error;
use crate::protocol::QoS;
use crate::quotation::cut;

impl Publisher<'_> {
    /// Reports that a message will not be delivered; the run continues with the next.
    pub(super) fn refuse(&mut self, number: u64, error: &Error) {
        let copies = self.config.copies() as u64;
        let line = number.div_ceil(copies);
        let topics = &self.config.topics;
        let topic = topics.get(self.place(number)).filter(|_| topics.len() > 1);
        let is_line = matches!(self.work, PublishWork::Lines(_));
        match topic {
            Some(topic) if is_line => {
                let topic = cut(topic);
                self.diagnostics.error_in(format_args!("line {line}, topic '{topic}'"), error);
            }
            Some(topic) => self.diagnostics.error_in(format_args!("topic '{}'", cut(topic)), error),
            None => self.diagnostics.undelivered(number, is_line, error),
        }
        self.refusal.get_or_insert(error.exit());
    }

    /// The topic index of a message, by the message's number from 1.
    pub(super) fn place(&self, number: u64) -> usize {
        let topics = self.config.topics.len().max(1) as u64;
        usize::try_from(number.saturating_sub(1) % topics).unwrap_or_default()
    }

    /// Reports that an input cannot become a message, for any topic.
    pub(super) fn give_up(&mut self, error: &Error) {
        self.sent += self.config.copies() as u64;
        self.ended += self.config.copies() as u64;
        let line = self.sent.div_ceil(self.config.copies() as u64);
        self.diagnostics.undelivered(line, matches!(self.work, PublishWork::Lines(_)), error);
        self.refusal.get_or_insert(error.exit());
        self.stop_at_error();
    }

    /// Ends the input after a line that is not sent, if the run is to end there.
    pub(super) fn stop_at_error(&mut self) {
        let lacks_times = || self.reader.as_ref().is_some_and(RecordReader::lacks_times);
        if let PublishWork::Lines(lines) = &mut self.work
            && (self.config.stops_at_error || lacks_times())
        {
            lines.stop();
            // The line may have further topics.
            self.begun = None;
        }
    }

    /// Processes a line that is not a valid message.
    pub(super) fn not_a_record(&mut self, error: NoRecord) -> Result<Option<QoS>, Error> {
        if let PublishWork::Lines(lines) = &self.work
            && error.is_cut
            && lines.is_cut()
        {
            self.diagnostics.warning(format_args!("line {}: {}", self.sent, error.cut_short()));
            return Ok(None);
        }
        Err(Error::Input(error.why))
    }
}
