//! The forms in which standard output shows messages.

use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use tokio::time::{Interval, interval};

use super::config::{Config, Display};
use super::rate::RateCounter;
use crate::error::Error;
use crate::output::{Diagnostics, MessageWriter, Misfit, StandardStream, Stdout, Watch};
use crate::protocol::wire::Publish;

/// How often to look whether the terminal has another size.
const RESIZE_INTERVAL: Duration = Duration::from_millis(500);

/// A [`Display`] at work.
pub(super) enum Shower {
    Messages(MessageWriter),
    Rate(RateCounter),
    /// With a clock, once there was a connection.
    Watch(Box<Watch>, Option<Interval>),
}

impl Shower {
    /// # Errors
    /// What is to be shown needs a terminal, and there is none.
    pub(super) fn new(config: &Config, diagnostics: &Diagnostics) -> Result<Self, Error> {
        let stream =
            if config.output.is_none() { diagnostics.terminal().stdout } else { StandardStream::default() };
        Ok(match &config.display {
            Display::Messages(format) => Self::Messages(MessageWriter::for_stream(format.clone(), stream)),
            Display::Rate { json } => Self::Rate(RateCounter::new(*json)),
            Display::Watch(_) if !stream.is_terminal => {
                return Err(Error::usage("--watch needs a terminal, and standard output is not one"));
            }
            Display::Watch(format) => {
                let heading = format!("Broker: {}", config.client.endpoint.address);
                Self::Watch(Box::new(Watch::new(format.clone(), &heading)), None)
            }
        })
    }

    /// A link is up.
    pub(super) fn connected(&mut self) {
        match self {
            Self::Messages(_) => {}
            Self::Rate(rate) => rate.start(),
            Self::Watch(watch, clock) => {
                // What was said of the last one goes.
                watch.disturbed();
                clock.get_or_insert_with(|| interval(RESIZE_INTERVAL));
            }
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
            Self::Watch(watch, _) => watch.message(publish, received),
        }
    }

    /// Whether it has the terminal for itself.
    pub(super) fn draws(&self) -> bool {
        matches!(self, Self::Watch(..))
    }

    /// Brings a drawing up to date, for the next flush.
    pub(super) fn draw(&mut self, stdout: &mut Stdout) {
        if let Self::Watch(watch, Some(_)) = self {
            watch.draw(stdout.buffer());
        }
    }

    /// Shows what the clock brings. Ready only when that fails.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, stdout: &mut Stdout) -> Poll<Error> {
        match self {
            Self::Messages(_) | Self::Watch(_, None) => Poll::Pending,
            Self::Rate(rate) => rate.poll(cx, stdout),
            Self::Watch(watch, Some(clock)) => {
                while clock.poll_tick(cx).is_ready() {}
                watch.draw(stdout.buffer());
                ready!(stdout.poll_flush(cx)).map_or_else(Poll::Ready, |()| Poll::Pending)
            }
        }
    }

    /// Leaves the terminal to others.
    pub(super) fn finish(&mut self, stdout: &mut Stdout) {
        if let Self::Watch(watch, _) = self {
            watch.finish(stdout.buffer());
        }
    }
}
