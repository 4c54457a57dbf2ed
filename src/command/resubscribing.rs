//! Subscriptions that a broker refuses for now, and that are asked for again.
//!
//! At the first time a refusal ends the run: there is somebody to read it. After a reconnect the broker has granted
//! the same subscription before, and a logger must not end because a restarting broker is over its quota for a
//! moment. So what may pass ([`Retry::Later`], which is all that MQTT 3.x can say: 0x80) is asked for again, with
//! the pauses and the limit of a reconnect, and what is about the client or the filter is final.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Sleep, sleep};

use crate::client::BackOff;
use crate::client::options::Reconnect;
use crate::error::{Error, Retry};
use crate::output::Diagnostics;

/// Tells the user of the first refusal in a row.
pub(super) fn tell_refused(error: &Error, diagnostics: &Diagnostics) {
    diagnostics.change("refused", format_args!("{error}; trying again"));
}

/// When refused subscriptions are asked for again.
#[derive(Debug)]
pub(super) struct Resubscribing {
    reconnect: Reconnect,
    back_off: BackOff,
    /// Set while something is to be asked for again.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Resubscribing {
    pub(super) fn new(reconnect: Reconnect) -> Self {
        Self { reconnect, back_off: BackOff::new(reconnect.max_delay), timer: None }
    }

    /// Whether such a refusal, of what was granted before, is not the last word.
    pub(super) fn may_pass(&self, error: &Error) -> bool {
        let failures = self.back_off.failures();
        error.retry() == Retry::Later && self.reconnect.attempts.is_none_or(|most| failures < most)
    }

    /// Something was refused, and is asked for again after a pause.
    pub(super) fn wait(&mut self) {
        if self.timer.is_none() {
            self.timer = Some(Box::pin(sleep(self.back_off.pause())));
        }
    }

    /// Everything is granted.
    pub(super) fn granted(&mut self) {
        *self = Self::new(self.reconnect);
    }

    /// Everything is asked for now, for another reason.
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
