//! The reports of `mqtt pub` about its messages at the end, and when the link is lost.

use super::Publisher;
use super::intake::TORN;
use super::replay::ReplayClock;
use super::work::PublishWork;
use crate::command::input::RecordReader;
use crate::command::schedule::{RepeatSchedule, RepeatTiming};
use crate::exit::Exit;
use crate::quantity::counted;

impl Publisher<'_> {
    pub(super) fn report_possible_loss(&mut self) {
        let open = self.unacknowledged.open();
        self.unacknowledged.asked = None;
        if open > 0 {
            let is_asked_for = self.reader.as_ref().is_some_and(RecordReader::has_qos_0);
            let hint = if is_asked_for {
                "records with \"qos\":0 ask for it, whatever -q says"
            } else {
                "use -q 1 to have them acknowledged"
            };
            self.diagnostics.warning(format_args!(
                "the last {}, sent at QoS 0, may be lost with the connection ({hint})",
                counted(open, "message")
            ));
            self.unacknowledged.confirmed = self.unacknowledged.written;
            self.refusal.get_or_insert(Exit::Failure);
        }
    }

    /// Reports that the outcome of the remaining messages is unknown. For a single message the error is
    /// enough.
    pub(super) fn report_unfinished(&mut self) {
        if self.sent <= 1 && !matches!(self.work, PublishWork::Lines(_)) {
            return;
        }
        self.report_possible_loss();
        let open = self.sent - self.ended;
        if open > 0 {
            let sent = counted(self.sent, "message");
            self.diagnostics.warning(format_args!("not acknowledged: {open} of {sent} sent"));
        }
    }

    pub(super) fn report_times(&self) {
        if let Some(lateness) = self.replay.as_ref().and_then(ReplayClock::lateness) {
            self.diagnostics.warning(lateness);
        }
        if let PublishWork::Lines(lines) = &self.work
            && lines.is_torn()
        {
            self.diagnostics.warning(TORN);
        }
        if let Some(RepeatTiming::Schedule(RepeatSchedule { left_out, .. })) = self.timing
            && left_out > 0
        {
            let times = counted(left_out, "time");
            self.diagnostics.warning(format_args!(
                "{times} of --interval passed before a message could be sent, and nothing was sent for {}",
                if left_out == 1 { "it" } else { "them" }
            ));
        }
    }

    pub(super) fn report_departures(&self) {
        for departure in self.reader.iter().flat_map(RecordReader::departures) {
            self.diagnostics.warning(departure.in_all());
        }
        if self.config.has_topic_option
            && let Some(warning) = self.reader.as_ref().and_then(RecordReader::unused_topic)
        {
            self.diagnostics.warning(warning);
        }
    }
}
