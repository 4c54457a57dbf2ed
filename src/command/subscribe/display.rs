//! What standard output shows of the messages.

use std::task::{Context, Poll};
use std::time::SystemTime;

use super::rate::Rate;
use crate::error::Error;
use crate::output::{MessageFormat, MessageWriter, Misfit, Stdout};
use crate::protocol::wire::Publish;

/// What standard output shows of the messages.
#[derive(Debug, Clone, PartialEq)]
pub enum Display {
    /// Each, as it comes.
    Messages(MessageFormat),
    /// How many there are, second by second (`--message-rate`).
    Rate {
        /// As an object a line.
        json: bool,
    },
}

/// A [`Display`] at work.
pub(super) enum Shower {
    Messages(MessageWriter),
    Rate(Rate),
}

impl Shower {
    pub(super) fn new(display: &Display, terminal: bool) -> Self {
        match display {
            Display::Messages(format) => Self::Messages(MessageWriter::new(format.clone(), terminal)),
            Display::Rate { json } => Self::Rate(Rate::new(*json)),
        }
    }

    /// A link is up.
    pub(super) fn connected(&mut self) {
        if let Self::Rate(rate) = self {
            rate.start();
        }
    }

    /// Shows one message.
    ///
    /// # Errors
    /// As [`MessageWriter::write`].
    pub(super) fn message(
        &mut self,
        stdout: &mut Stdout,
        publish: &Publish<'_>,
        received: SystemTime,
    ) -> Result<(), Misfit> {
        match self {
            Self::Messages(writer) => writer.write(stdout.buffer(), publish, received),
            Self::Rate(rate) => {
                rate.count();
                Ok(())
            }
        }
    }

    /// Shows what the clock brings. Ready only when that fails.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, stdout: &mut Stdout) -> Poll<Error> {
        match self {
            Self::Messages(_) => Poll::Pending,
            Self::Rate(rate) => rate.poll(cx, stdout),
        }
    }
}
