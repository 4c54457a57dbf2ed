//! The processing of a message.

use std::time::SystemTime;

use super::Subscriber;
use super::filters::is_copy;
use super::programs::ProgramVerdict;
use super::stages::{Requests, SubscribeWork};
use crate::client::handler::Flow;
use crate::error::Error;
use crate::memory;
use crate::output::PayloadNote;
use crate::protocol::QoS;
use crate::protocol::wire::Publish;

impl Subscriber<'_> {
    /// Whether the message may be shown, and is not the marker of `--retained-only`.
    fn is_for_user(&mut self, publish: &Publish<'_>) -> bool {
        if let Some(end) = &mut self.end_of_retained {
            if end.takes(publish) {
                return false;
            }
            if publish.retain {
                // Messages may arrive before PINGRESP and take time, but do not replace SUBACK.
                if self.requests == Requests::Answered {
                    self.answer.renew();
                }
                end.came();
            }
        }
        let is_copy = self.executor.is_some() && is_copy(&self.groups, publish);
        !is_copy && !self.clears.is_echo(publish)
    }

    pub(super) fn message(&mut self, publish: &Publish<'_>) -> Result<Flow, Error> {
        self.number += 1;
        let is_admitted = self.is_for_user(publish) && self.selector.admits(publish);
        if !is_admitted && !self.evaluator.looks_at_all() {
            self.decoding.pass(publish);
            self.pass();
            return Ok(Flow::Continue);
        }
        let Some(decoded) = self.decoding.decode(self.number, publish)? else {
            return self.judge(publish, &PayloadNote::PLAIN, is_admitted);
        };
        match &decoded.payload {
            Ok(payload) => {
                let note = PayloadNote { decoded: decoded.format.as_deref(), error: None };
                self.judge(&Publish { payload, ..*publish }, &note, is_admitted)
            }
            Err(why) => {
                let note = PayloadNote { decoded: None, error: Some(why) };
                self.judge(publish, &note, is_admitted && !self.decoding.skips_failures())
            }
        }
    }

    /// Records a message that is not shown.
    fn pass(&mut self) {
        if let Some(executor) = &mut self.executor {
            executor.pass();
        }
    }

    /// Processes a message with its decoded payload.
    fn judge(
        &mut self,
        publish: &Publish<'_>,
        note: &PayloadNote<'_>,
        is_admitted: bool,
    ) -> Result<Flow, Error> {
        let received = self.received();
        let message = (self.number, publish);
        let passes =
            is_admitted && self.evaluator.search(message, &mut self.stdout, || self.selector.finds(publish));
        let ProgramVerdict { is_shown, is_last } =
            self.evaluator.judge(message, received, note, passes, &mut self.stdout)?;
        let mut is_shown = is_shown && self.selector.is_due(publish);
        match &mut self.executor {
            Some(executor) if is_shown => {
                memory::spare(publish.payload.len()).map_err(|error| too_large(publish, error))?;
                is_shown = executor.take(publish, note.error);
            }
            None if is_shown => self.show(publish, note)?,
            _ => self.pass(),
        }
        if is_shown {
            self.shown += 1;
            self.clears.shown(publish);
        }
        if is_last || is_shown && self.config.count.is_some_and(|count| self.shown >= count) {
            self.work = SubscribeWork::Complete;
            // While topics are cleared or commands run, the link stays up, and further messages are declined.
            let is_over = self.clears.is_empty() && self.executor.is_none();
            return Ok(if is_over { Flow::Stop } else { Flow::Continue });
        }
        Ok(Flow::Continue)
    }

    /// One clock reading per batch: messages of one read were received together.
    fn received(&mut self) -> SystemTime {
        *self.received.get_or_insert_with(SystemTime::now)
    }

    fn show(&mut self, publish: &Publish<'_>, note: &PayloadNote<'_>) -> Result<(), Error> {
        self.shower.check_memory(publish)?;
        let received = self.received();
        self.diagnostics.put_held_packets(self.stdout.buffer(), false);
        if publish.qos != QoS::AtMostOnce {
            self.stdout.must_be_taken();
        }
        if let Some(results) = self.evaluator.results() {
            self.shower.results(&mut self.stdout, publish, results);
        } else if let Err(misfit) = self.shower.message(&mut self.stdout, publish, received, note) {
            self.misfits.warn(self.diagnostics, self.number, publish.topic, &misfit);
        }
        Ok(())
    }
}

fn too_large(publish: &Publish<'_>, error: std::io::Error) -> Error {
    Error::file(format!("a message of {} bytes", publish.payload.len()), error)
}
