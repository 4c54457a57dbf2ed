//! The forms in which standard output shows messages.

use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use tokio::time::{Interval, interval};

use super::config::{Config, Display};
use super::files::MessageFiles;
use super::rate::RateCounter;
use super::silence::Silence;
use super::stats::Stats;
use crate::client::session::Session;
use crate::error::Error;
use crate::jq::ProgramResults;
use crate::output::{
    Diagnostics, Environment, MessageFormat, MessageWriter, Misfit, PayloadNote, StandardStream, Stdout,
    Watch,
};
#[cfg(feature = "tui")]
use crate::output::{TopicView, view_is_possible};
use crate::protocol::wire::Publish;

/// The interval of checks for a new size of the terminal.
const RESIZE_INTERVAL: Duration = Duration::from_millis(500);

/// A [`Display`] in operation.
pub(super) enum Shower {
    Messages(MessageWriter),
    Rate(RateCounter),
    /// The interval is set once there was a connection.
    Watch(Box<Watch>, Option<Interval>),
    #[cfg(feature = "tui")]
    View(Box<TopicView>),
    Silence(Box<Silence>),
    Stats(Box<Stats>),
    Files(Box<MessageFiles>),
}

impl Shower {
    /// Prepares the display.
    ///
    /// # Errors
    /// A display that needs a terminal without one; or a folder that cannot be created.
    pub(super) fn new(config: &Config, diagnostics: &Diagnostics) -> Result<Self, Error> {
        let stream =
            if config.output.is_none() { diagnostics.terminal().stdout } else { StandardStream::default() };
        Ok(match &config.display {
            Display::Messages(format) => Self::Messages(MessageWriter::for_stream(format.clone(), stream)),
            Display::Rate { json } => Self::Rate(RateCounter::new(*json)),
            // Without a terminal no line can be updated in place.
            Display::Watch(format) if !stream.is_terminal || Environment::read().dumb => {
                let format = match format {
                    MessageFormat::Text { .. } => MessageFormat::Text { verbose: true, newline: true },
                    other => other.clone(),
                };
                Self::Messages(MessageWriter::for_stream(format, stream))
            }
            Display::Watch(format) => {
                let heading = format!("Broker: {}", config.client.endpoint.address);
                #[cfg(feature = "tui")]
                if matches!(format, MessageFormat::Text { .. }) && !config.as_mosquitto && view_is_possible()
                {
                    return Ok(Self::View(Box::new(TopicView::new(&heading))));
                }
                Self::Watch(Box::new(Watch::new(format.clone(), &heading)), None)
            }
            Display::Silence(options) => {
                let filters = config.filters.iter().map(|options| options.filter.clone());
                Self::Silence(Box::new(Silence::new(*options, filters)))
            }
            Display::Stats(options) => Self::Stats(Box::new(Stats::new(*options)?)),
            Display::Files(options) => Self::Files(Box::new(MessageFiles::new(options)?)),
        })
    }

    /// A link is up.
    ///
    /// # Errors
    /// The terminal cannot be set up.
    #[cfg_attr(not(feature = "tui"), allow(clippy::unnecessary_wraps, reason = "only the view can fail"))]
    pub(super) fn connected(&mut self, stdout: &mut Stdout) -> Result<(), Error> {
        #[cfg(not(feature = "tui"))]
        let _ = stdout;
        match self {
            #[cfg(feature = "tui")]
            Self::View(view) => view.connected(stdout.buffer())?,
            Self::Messages(_) | Self::Silence(_) | Self::Files(_) => {}
            Self::Rate(rate) => rate.start(),
            Self::Stats(stats) => stats.start(),
            Self::Watch(watch, clock) => {
                if clock.is_some() {
                    watch.connected_again();
                }
                clock.get_or_insert_with(|| interval(RESIZE_INTERVAL));
            }
        }
        Ok(())
    }

    /// Checks that there is memory to show a message.
    ///
    /// # Errors
    /// Out of memory.
    pub(super) fn check_memory(&self, publish: &Publish<'_>) -> Result<(), Error> {
        match self {
            Self::Messages(writer) => writer.check_memory(publish),
            _ => Ok(()),
        }
    }

    /// Shows one message.
    ///
    /// # Errors
    /// Like [`MessageWriter::write`].
    pub(super) fn message(
        &mut self,
        stdout: &mut Stdout,
        publish: &Publish<'_>,
        received: SystemTime,
        note: &PayloadNote<'_>,
    ) -> Result<(), Misfit> {
        match self {
            Self::Messages(writer) => writer.write_decoded(stdout.buffer(), publish, received, note),
            Self::Rate(rate) => {
                rate.count();
                Ok(())
            }
            Self::Watch(watch, _) => watch.message(publish, received, note),
            #[cfg(feature = "tui")]
            Self::View(view) => {
                view.message(publish, note.error);
                Ok(())
            }
            Self::Silence(silence) => {
                silence.message(stdout.buffer(), publish);
                Ok(())
            }
            Self::Stats(stats) => {
                stats.count(publish);
                Ok(())
            }
            Self::Files(files) => files.message(publish, received, note),
        }
    }

    /// The broker has refused this filter.
    pub(super) fn is_refused(&mut self, filter: &str) {
        if let Self::Silence(silence) = self {
            silence.is_refused(filter);
        }
    }

    /// The link is lost.
    pub(super) fn link_is_lost(&mut self, stdout: &mut Stdout) {
        match self {
            Self::Silence(silence) => silence.lost(stdout.buffer()),
            #[cfg(feature = "tui")]
            Self::View(view) => view.link_is(false),
            _ => {}
        }
    }

    /// The subscriptions are granted: asks the broker for the answers that the display needs.
    pub(super) fn fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        packets: &mut BytesMut,
        stdout: &mut Stdout,
    ) {
        if let Self::Silence(silence) = self {
            let before = stdout.buffer().len();
            silence.fill(cx, session, packets, stdout.buffer());
            if stdout.buffer().len() > before {
                // The next poll of the timer writes it.
                cx.waker().wake_by_ref();
            }
        }
    }

    /// The broker has answered a PINGREQ.
    ///
    /// # Errors
    /// A reason to end the run is now known.
    pub(super) fn answered(&mut self, stdout: &mut Stdout) -> Result<(), Error> {
        match self {
            Self::Silence(silence) => silence.answered(stdout.buffer()),
            _ => Ok(()),
        }
    }

    /// Ends a batch of messages. Returns a warning, if there is one.
    ///
    /// # Errors
    /// A message could not be written, and must not be acknowledged.
    pub(super) fn batch_is_over(&mut self) -> Result<Option<String>, Error> {
        match self {
            Self::Silence(silence) => {
                silence.batch_is_over();
                Ok(silence.warning())
            }
            Self::Files(files) => files.take_error().map_or(Ok(None), Err),
            #[cfg(feature = "tui")]
            Self::View(view) => {
                view.batch_is_over();
                Ok(None)
            }
            Self::Messages(_) | Self::Rate(_) | Self::Watch(..) | Self::Stats(_) => Ok(None),
        }
    }

    /// Whether string results are shown as plain text.
    pub(super) fn shows_raw_results(&self) -> bool {
        !matches!(self, Self::Messages(writer) if !writer.shows_raw_results())
    }

    /// Shows results that were computed from a message, instead of the message.
    pub(super) fn results(&self, stdout: &mut Stdout, publish: &Publish<'_>, results: &ProgramResults) {
        if let Self::Messages(writer) = self {
            for (text, is_json) in results.iter() {
                writer.write_result(stdout.buffer(), publish.topic, text, is_json);
            }
        }
    }

    /// Whether it occupies the whole terminal.
    pub(super) fn draws(&self) -> bool {
        match self {
            Self::Watch(..) => true,
            #[cfg(feature = "tui")]
            Self::View(_) => true,
            _ => false,
        }
    }

    /// The run is about to end, which may take a while: restores a terminal that it occupies.
    pub(super) fn interrupted(&mut self, cx: &mut Context<'_>, stdout: &mut Stdout) {
        #[cfg(feature = "tui")]
        if let Self::View(view) = self {
            view.leave(stdout.buffer());
            // The rest is written at the end.
            let _ = stdout.poll_flush(cx);
        }
        #[cfg(not(feature = "tui"))]
        let _ = (self, cx, stdout);
    }

    /// Updates a drawing for the next flush.
    pub(super) fn draw(&mut self, stdout: &mut Stdout) {
        if let Self::Watch(watch, Some(_)) = self {
            watch.draw(stdout.buffer());
        }
    }

    /// Shows what depends on the time. Ready only on failure.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, stdout: &mut Stdout) -> Poll<Error> {
        match self {
            Self::Messages(_) | Self::Watch(_, None) | Self::Files(_) => Poll::Pending,
            Self::Silence(_) => ready!(stdout.poll_flush(cx)).map_or_else(Poll::Ready, |()| Poll::Pending),
            Self::Rate(rate) => rate.poll(cx, stdout),
            Self::Stats(stats) => stats.poll(cx, stdout),
            #[cfg(feature = "tui")]
            Self::View(view) => view.poll(cx, stdout),
            Self::Watch(watch, Some(clock)) => {
                while clock.poll_tick(cx).is_ready() {}
                watch.draw(stdout.buffer());
                ready!(stdout.poll_flush(cx)).map_or_else(Poll::Ready, |()| Poll::Pending)
            }
        }
    }

    /// Ends the display: restores the terminal, and writes the final report.
    pub(super) fn finish(&mut self, stdout: &mut Stdout) {
        match self {
            Self::Watch(watch, _) => watch.finish(stdout.buffer()),
            Self::Stats(stats) => stats.report_all(stdout.buffer()),
            #[cfg(feature = "tui")]
            Self::View(view) => view.finish(stdout.buffer()),
            Self::Messages(_) | Self::Rate(_) | Self::Silence(_) | Self::Files(_) => {}
        }
    }
}
