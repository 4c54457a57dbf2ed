//! What every connected command has in common: it ends at signals, at a time limit and when the reader of
//! standard output leaves, and reports the state of the connection.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use crate::client::handler::{Change, Supervision};
use crate::client::options::ClientOptions;
use crate::error::{Error, Layer, Sign};
use crate::output::{Diagnostics, Reader, Stdout};
use crate::protocol::Direction;
use crate::protocol::wire::Packet;
use crate::quantity::{counted, duration};
use crate::signal::{HangUp, HangUps, Signals};

/// Signals, a time limit, and the reader of standard output.
#[derive(Debug, Default)]
pub(super) struct Attention {
    signals: Option<Signals>,
    limit: Option<(Duration, Pin<Box<Sleep>>)>,
    /// Where the run is for the sake of what it writes there.
    reader: Option<Reader>,
    /// Why somebody wanted the end, the first time.
    asked: Option<Stop>,
    hang_ups: Option<HangUps>,
}

/// Why to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Signal(i32),
    Limit(Duration),
    /// Standard output has no reader any more.
    OutputClosed,
}

impl Stop {
    /// The error of a run that it ends before its time.
    pub(super) fn error(self) -> Error {
        match self {
            Self::Signal(number) => Error::Signal(number),
            Self::Limit(limit) => Error::timed_out(format!("after {}", duration(limit))),
            Self::OutputClosed => Error::OutputClosed,
        }
    }
}

impl Attention {
    /// Honours signals from now on, and ends after `limit` if there is one. A run that a signal has not
    /// ended after a while is ended by force: see [`Signals::force`].
    pub(super) fn start(limit: Option<Duration>) -> Result<Self, Error> {
        let attention = Self::for_another()?;
        attention.signals.as_ref().map_or(Ok(()), Signals::force)?;
        Ok(Self { limit: limit.map(|limit| (limit, Box::pin(tokio::time::sleep(limit)))), ..attention })
    }

    /// Honours signals from now on, for a run that hands them on to another program and waits for its end.
    pub(super) fn for_another() -> Result<Self, Error> {
        Ok(Self { signals: Some(Signals::catch()?), ..Self::default() })
    }

    /// Honours signals from now on, the second as the first, and ends after `limit` if there is one: for a run
    /// that waits for other programs, and ends them at the second signal.
    pub(super) fn over_commands(limit: Option<Duration>) -> Result<Self, Error> {
        let signals = Some(Signals::catch_all()?);
        Ok(Self {
            signals,
            limit: limit.map(|limit| (limit, Box::pin(tokio::time::sleep(limit)))),
            ..Self::default()
        })
    }

    /// The same, and from now on the run ends with the reader of standard output: for commands that have
    /// nothing to do but to write there.
    pub(super) fn for_reader(mut self) -> Self {
        self.reader = Some(Reader::default());
        self
    }

    /// The same, and SIGHUP no longer kills: see [`Attention::poll_hang_up`].
    pub(super) fn for_hang_ups(mut self) -> Result<Self, Error> {
        self.hang_ups = Some(HangUps::catch()?);
        Ok(self)
    }

    /// Ready when there was a SIGHUP, if it is caught.
    pub(super) fn poll_hang_up(&mut self, cx: &mut Context<'_>) -> Poll<HangUp> {
        self.hang_ups.as_mut().map_or(Poll::Pending, |hang_ups| hang_ups.poll(cx))
    }

    /// Does work that blocks, on a thread of its own, unless a signal or the time limit comes first.
    pub(super) async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let mut done = in_background(work);
        poll_fn(|cx| match Pin::new(&mut done).poll(cx) {
            Poll::Ready(Ok(result)) => Poll::Ready(result),
            // It has panicked, and has said so.
            Poll::Ready(Err(_)) => Poll::Ready(Err(Error::file("gave up", ErrorKind::Interrupted.into()))),
            Poll::Pending => self.poll(cx).map(|stop| Err(stop.error())),
        })
        .await
    }

    /// Waits for `work`, unless a signal or the end of the reader comes first. A time limit is not
    /// looked at.
    pub(super) async fn during<F: Future>(&mut self, work: F) -> Result<F::Output, Error> {
        tokio::select! {
            biased;
            output = work => Ok(output),
            stop = poll_fn(|cx| self.poll_asked(cx)) => Err(stop.error()),
        }
    }

    /// The same, and the time limit counts too. Where it is over already, the work is not begun.
    pub(super) async fn within<F: Future>(&mut self, work: F) -> Result<F::Output, Error> {
        tokio::select! {
            biased;
            stop = poll_fn(|cx| self.poll(cx)) => Err(stop.error()),
            output = work => Ok(output),
        }
    }

    /// When the time limit is over, if there is one.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.limit.as_ref().map(|(_, sleep)| sleep.deadline())
    }

    /// Writes out what a run leaves at its end, however long the reader takes. Once somebody has asked for
    /// the end, the reader has two seconds; what it has not taken then is lost, with a warning.
    ///
    /// # Errors
    /// As [`Stdout::poll_flush`]; the signal, if something is lost.
    pub(super) async fn write_out(
        &mut self,
        stdout: &mut Stdout,
        diagnostics: &Diagnostics,
    ) -> Result<(), Error> {
        if self.asked.is_none()
            && let Ok(flushed) = self.during(stdout.flush()).await
        {
            return flushed;
        }
        match (stdout.finish(diagnostics).await?, self.asked) {
            (false, Some(asked)) => Err(asked.error()),
            _ => Ok(()),
        }
    }

    /// Why somebody has asked for the end, if that was so.
    pub(super) fn asked(&self) -> Option<Stop> {
        self.asked
    }

    /// Ready when somebody wants the end: by a signal, or by reading no further. Each is reported once,
    /// or a run that waits for something else before its end would be stopped there again and again.
    fn poll_asked(&mut self, cx: &mut Context<'_>) -> Poll<Stop> {
        let stop = if let Some(Poll::Ready(number)) = self.signals.as_mut().map(|signals| signals.poll(cx)) {
            // The next one wakes only who has looked and found none.
            cx.waker().wake_by_ref();
            Stop::Signal(number)
        } else if self.reader.as_mut().is_some_and(|reader| reader.poll_gone(cx).is_ready()) {
            self.reader = None;
            Stop::OutputClosed
        } else {
            return Poll::Pending;
        };
        self.asked.get_or_insert(stop);
        Poll::Ready(stop)
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Stop> {
        if let Poll::Ready(stop) = self.poll_asked(cx) {
            return Poll::Ready(stop);
        }
        if let Some((limit, sleep)) = &mut self.limit
            && sleep.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Stop::Limit(*limit));
        }
        Poll::Pending
    }
}

/// The error of an answer that does not come, where the user has set no limit.
pub(super) fn unanswered(request: &str, answer: &str, limit: Duration) -> Error {
    let cause = format!("the broker did not answer {request} with {answer} within {}", duration(limit));
    Error::fatal(Layer::Mqtt, cause)
        .signed(Sign::Silent)
        .with_hint("--connect-timeout sets this limit, and -W one for the whole run")
}

/// Work that blocks, on a thread of its own; its result can be awaited. Nothing waits for the thread
/// at the end of the program.
pub(super) fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (sender, done) = oneshot::channel();
    std::thread::spawn(move || sender.send(work()));
    done
}

/// What all connected commands have in common: attention, and reports to the user.
pub(super) struct Supervisor<'a> {
    pub(super) attention: &'a mut Attention,
    diagnostics: &'a Diagnostics,
    client_identifier: &'a str,
}

impl<'a> Supervisor<'a> {
    pub(super) fn new(
        attention: &'a mut Attention,
        diagnostics: &'a Diagnostics,
        client: &'a ClientOptions,
    ) -> Self {
        Self { attention, diagnostics, client_identifier: &client.client_identifier }
    }
}

impl Supervision for Supervisor<'_> {
    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.attention.poll(cx).map(|stop| Err(stop.error()))
    }

    fn on_change(&mut self, change: Change<'_>) {
        report_change(self.diagnostics, change);
    }

    fn traces(&self) -> bool {
        self.diagnostics.shows_packets()
    }

    fn trace(&mut self, direction: Direction, packet: &Packet<'_>) {
        self.diagnostics.packet(self.client_identifier, direction, packet);
    }
}

/// Tells the user of a change in the state of the link.
pub(super) fn report_change(diagnostics: &Diagnostics, change: Change<'_>) {
    match change {
        Change::NextBroker(why) => {
            diagnostics.change("next-broker", format_args!("{why}; trying the next broker"));
        }
        Change::Redirected(why) => diagnostics.change("redirected", format_args!("{why}; connecting to it")),
        Change::Lost(why) => diagnostics.no_connection("lost", "connection lost", why),
        Change::NotYet(why) => diagnostics.no_connection("waiting", "no connection yet", why),
        Change::ConnectedAtOnce => diagnostics.change_event("connected", "connected"),
        Change::Connected => diagnostics.change("connected", "connected"),
        Change::Reconnected => diagnostics.change("reconnected", "connected again"),
        Change::Closed => diagnostics.change_event("closed", "connection closed"),
        Change::MayRepeat(count) => diagnostics.warning(format_args!(
            "the broker has lost the session: {} sent again, which may arrive twice",
            counted(count as u64, "QoS 2 message")
        )),
        Change::ShorterSession(0) => {
            diagnostics.warning("the broker does not keep the session when the connection ends");
        }
        Change::ShorterSession(seconds) => diagnostics.warning(format_args!(
            "the broker keeps the session for {}, which is less than asked for",
            duration(Duration::from_secs(seconds.into()))
        )),
        Change::ShortLinks { count, has_identifier, has_published } => {
            let work = if has_published { "publish these messages" } else { "subscribe to these topics" };
            let cause = if has_identifier {
                "another client may use the same client identifier (-i), or this client may not have the right to "
            } else {
                "this client may not have the right to "
            };
            diagnostics.warning(format_args!(
                "the broker has ended {count} connections in a row soon after they were made: {cause}{work}"
            ));
        }
        Change::Unconfirmed(limit) => diagnostics.warning(format_args!(
            "the broker did not answer the last PINGREQ within {}: whether all QoS 0 messages arrived is not known",
            duration(limit)
        )),
    }
}
