//! Subscriptions that a broker refuses for now, and that are retried.
//!
//! The first refusal ends the run, as the user is there to read it. After a reconnect the broker had granted
//! the same subscription before, and a logger must not end because a restarting broker is briefly over its
//! quota. So a refusal that may pass ([`Retry::Later`], which includes the only code of MQTT 3.x: 0x80) is
//! retried, with the pauses and the limit of a reconnect; a refusal that concerns the client or the filter is
//! final.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Sleep, sleep};

use crate::client::BackOff;
use crate::client::options::Reconnect;
use crate::error::{Error, Retry};
use crate::output::Diagnostics;

/// Reports the first of consecutive refusals to the user.
pub(super) fn tell_refused(error: &Error, diagnostics: &Diagnostics) {
    diagnostics.change("refused", format_args!("{error}; trying again"));
}

/// The schedule for retrying refused subscriptions.
#[derive(Debug)]
pub(super) struct Resubscribing {
    reconnect: Reconnect,
    back_off: BackOff,
    /// Set while a retry is due.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Resubscribing {
    pub(super) fn new(reconnect: Reconnect) -> Self {
        Self { reconnect, back_off: BackOff::new(reconnect.max_delay), timer: None }
    }

    /// Whether a refusal of a subscription that was granted before is not final.
    pub(super) fn may_pass(&self, error: &Error) -> bool {
        let failures = self.back_off.failures();
        error.retry() == Retry::Later && self.reconnect.attempts.is_none_or(|most| failures < most)
    }

    /// Schedules a retry after a pause.
    pub(super) fn wait(&mut self) {
        if self.timer.is_none() {
            self.timer = Some(Box::pin(sleep(self.back_off.pause())));
        }
    }

    /// Resets the schedule: everything is granted.
    pub(super) fn granted(&mut self) {
        *self = Self::new(self.reconnect);
    }

    /// Stops the wait: everything is sent now for another reason.
    pub(super) fn stop(&mut self) {
        self.timer = None;
    }

    /// Ready when it is time to ask again, once.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        ready!(timer.as_mut().poll(cx));
        self.timer = None;
        Poll::Ready(())
    }
}
