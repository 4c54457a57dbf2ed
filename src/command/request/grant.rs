//! The broker's responses to the subscription to the response topic, on all links.

use std::task::{Context, Poll};

use crate::client::options::Reconnect;
use crate::command::resubscribing::{Resubscribing, tell_refused};
use crate::error::Error;
use crate::output::Diagnostics;

/// A subscription that was granted before is retried after a refusal that may pass.
#[derive(Debug)]
pub(super) struct Grant {
    answer: GrantAnswer,
    resubscribing: Resubscribing,
}

#[derive(Debug, PartialEq, Eq)]
enum GrantAnswer {
    Never,
    Granted,
    /// Refused after it was granted; the refusal was reported.
    Refused,
}

impl Grant {
    pub(super) fn new(reconnect: Reconnect) -> Self {
        Self { answer: GrantAnswer::Never, resubscribing: Resubscribing::new(reconnect) }
    }

    pub(super) fn granted(&mut self, diagnostics: &Diagnostics) {
        self.resubscribing.granted();
        if std::mem::replace(&mut self.answer, GrantAnswer::Granted) == GrantAnswer::Refused {
            diagnostics.change("subscribed", "subscribed again");
        }
    }

    /// Processes a refusal.
    ///
    /// # Errors
    /// The refusal is final.
    pub(super) fn refused(&mut self, error: Error, diagnostics: &Diagnostics) -> Result<(), Error> {
        if self.answer == GrantAnswer::Never || !self.resubscribing.may_pass(&error) {
            return Err(error);
        }
        if std::mem::replace(&mut self.answer, GrantAnswer::Refused) == GrantAnswer::Granted {
            tell_refused(&error, diagnostics);
        }
        self.resubscribing.wait();
        Ok(())
    }

    /// Stops the wait: the subscription is sent now for another reason.
    pub(super) fn stop(&mut self) {
        self.resubscribing.stop();
    }

    /// Ready, once, when it is time to retry.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.resubscribing.poll_due(cx)
    }
}
