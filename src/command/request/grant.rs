//! What the broker has said to the subscription to the response topic, on all links.

use std::task::{Context, Poll};

use crate::client::options::Reconnect;
use crate::command::resubscribing::{Resubscribing, tell_refused};
use crate::error::Error;
use crate::output::Diagnostics;

/// What was granted before is asked for again where a refusal may pass.
#[derive(Debug)]
pub(super) struct Grant {
    answer: GrantAnswer,
    resubscribing: Resubscribing,
}

#[derive(Debug, PartialEq, Eq)]
enum GrantAnswer {
    Never,
    Granted,
    /// Refused after it was granted, and that was said.
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

    /// # Errors
    /// The refusal is the last word.
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

    /// It is asked for now, for another reason.
    pub(super) fn stop(&mut self) {
        self.resubscribing.stop();
    }

    /// Ready when it is time to ask again, once.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.resubscribing.poll_due(cx)
    }
}
