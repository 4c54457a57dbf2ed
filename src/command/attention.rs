//! The behaviour common to all connected commands: they end on signals, at a timeout and when the reader of
//! standard output leaves, and report the state of the connection.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use crate::client::handler::{Change, Guess, Supervision};
use crate::client::options::ClientOptions;
use crate::error::{Error, Layer, Sign};
use crate::output::{Diagnostics, Reader, Reopened, Stdout};
use crate::protocol::Direction;
use crate::protocol::wire::Packet;
use crate::quantity::{counted, duration};
use crate::signal::{HangUp, HangUps, Signals};
use crate::thread::{NoThread, start};

/// Signals, a timeout, and the reader of standard output.
#[derive(Debug, Default)]
pub(super) struct Attention {
    signals: Option<Signals>,
    limit: Option<(Duration, Pin<Box<Sleep>>)>,
    /// Set if the run depends on the reader of its output.
    reader: Option<Reader>,
    /// The first reason for which the end was requested.
    asked: Option<Stop>,
    hang_ups: Option<HangUps>,
}

/// The reason to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Signal(i32),
    Limit(Duration),
    /// Standard output has no reader any more.
    OutputClosed,
}

impl Stop {
    /// The error of a run that ends early for this reason.
    pub(super) fn error(self) -> Error {
        match self {
            Self::Signal(number) => Error::Signal(number),
            Self::Limit(limit) => Error::timed_out(format!("after {}", duration(limit))),
            Self::OutputClosed => Error::OutputClosed,
        }
    }
}

impl Attention {
    /// Catches signals from now on, and ends the run after `limit` if there is one. A run that does not end
    /// by itself after a signal is ended by force: see [`Signals::force`].
    pub(super) fn start(limit: Option<Duration>) -> Result<Self, Error> {
        let attention = Self::for_another()?;
        attention.signals.as_ref().map_or(Ok(()), Signals::force)?;
        Ok(Self { limit: limit.map(|limit| (limit, Box::pin(tokio::time::sleep(limit)))), ..attention })
    }

    /// Like [`Attention::start`] without a limit, for a run whose reports also say why it could not be made: without
    /// signals, and with the error, if they cannot be caught.
    pub(super) fn start_for_reports() -> (Self, Result<(), Error>) {
        match Self::start(None) {
            Ok(attention) => (attention, Ok(())),
            Err(error) => (Self::default(), Err(error)),
        }
    }

    /// Catches signals from now on, for a run that passes them on to another program and waits for its end.
    pub(super) fn for_another() -> Result<Self, Error> {
        Ok(Self { signals: Some(Signals::catch()?), ..Self::default() })
    }

    /// Catches all signals from now on, and ends the run after `limit` if there is one: for a run that waits
    /// for other programs, and ends them at the second signal.
    pub(super) fn over_commands(limit: Option<Duration>) -> Result<Self, Error> {
        let signals = Some(Signals::catch_all()?);
        Ok(Self {
            signals,
            limit: limit.map(|limit| (limit, Box::pin(tokio::time::sleep(limit)))),
            ..Self::default()
        })
    }

    /// From now on the run ends with the reader of standard output: for commands whose only purpose is that
    /// output.
    pub(super) fn for_reader(mut self) -> Self {
        self.reader = Some(Reader::default());
        self
    }

    /// Like [`Attention::for_reader`], for a run that is going on. It changes nothing once the end was requested.
    pub(super) fn watch_reader(&mut self) {
        if self.asked.is_none() {
            self.reader.get_or_insert_default();
        }
    }

    /// From now on the run no longer depends on the reader of standard output.
    pub(super) fn without_reader(&mut self) {
        self.reader = None;
    }

    /// From now on SIGHUP does not end the process: see [`Attention::poll_hang_up`].
    pub(super) fn for_hang_ups(mut self) -> Result<Self, Error> {
        self.hang_ups = Some(HangUps::catch()?);
        Ok(self)
    }

    /// Ready after a SIGHUP, if it is caught.
    pub(super) fn poll_hang_up(&mut self, cx: &mut Context<'_>) -> Poll<HangUp> {
        self.hang_ups.as_mut().map_or(Poll::Pending, |hang_ups| hang_ups.poll(cx))
    }

    /// Runs blocking work in a separate thread, until a signal or the timeout.
    pub(super) async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let mut done = in_background(work)?;
        poll_fn(|cx| match Pin::new(&mut done).poll(cx) {
            Poll::Ready(Ok(result)) => Poll::Ready(result),
            // The thread has panicked, and has printed a message.
            Poll::Ready(Err(_)) => Poll::Ready(Err(Error::file("gave up", ErrorKind::Interrupted.into()))),
            Poll::Pending => self.poll(cx).map(|stop| Err(stop.error())),
        })
        .await
    }

    /// Waits for `work`, until a signal or the end of the reader. The timeout is ignored.
    pub(super) async fn during<F: Future>(&mut self, work: F) -> Result<F::Output, Error> {
        tokio::select! {
            biased;
            output = work => Ok(output),
            stop = poll_fn(|cx| self.poll_asked(cx)) => Err(stop.error()),
        }
    }

    /// Waits for `work`, until a signal, the end of the reader or the timeout. If the timeout has expired,
    /// the work is not started.
    pub(super) async fn within<F: Future>(&mut self, work: F) -> Result<F::Output, Error> {
        tokio::select! {
            biased;
            stop = poll_fn(|cx| self.poll(cx)) => Err(stop.error()),
            output = work => Ok(output),
        }
    }

    /// When the timeout expires, if there is one.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.limit.as_ref().map(|(_, sleep)| sleep.deadline())
    }

    /// Writes the pending output at the end of a run, however long the reader takes. Once the end was
    /// requested, the reader has two seconds; the remaining output is then discarded, with a warning.
    ///
    /// # Errors
    /// Like [`Stdout::poll_flush`]; the signal, if output is discarded.
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

    /// Why the end was requested, if it was.
    #[cfg(feature = "broker")]
    pub(super) fn asked(&self) -> Option<Stop> {
        self.asked
    }

    /// Ready when the end is requested: by a signal, or by a reader that left. Each request is reported once;
    /// otherwise it would interrupt every later wait of the run again.
    fn poll_asked(&mut self, cx: &mut Context<'_>) -> Poll<Stop> {
        let stop = if let Some(Poll::Ready(number)) = self.signals.as_mut().map(|signals| signals.poll(cx)) {
            // A further signal wakes the task only after a poll that found none.
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

/// The error for a missing response, if the user has set no timeout.
pub(super) fn unanswered(request: &str, answer: &str, limit: Duration) -> Error {
    let cause = format!("the broker did not answer {request} with {answer} within {}", duration(limit));
    Error::fatal(Layer::Mqtt, cause)
        .signed(Sign::Silent)
        .with_hint("--connect-timeout sets this limit, and -W one for the whole run")
}

/// Processes SIGHUP in a run whose messages go to `stdout`; returns whether it ends the run. `remedy` names what can
/// be opened again, for a file that the shell has opened.
pub(super) fn hang_up_ends(
    hang_up: HangUp,
    stdout: &mut Stdout,
    remedy: &str,
    diagnostics: &Diagnostics,
) -> bool {
    if hang_up == HangUp::TerminalClosed {
        return true;
    }
    match stdout.reopen() {
        Ok(Reopened::Done) => false,
        Ok(Reopened::NoFile) => true,
        Ok(Reopened::Inherited) => {
            diagnostics.warning(format_args!(
                "SIGHUP: standard output cannot be opened again{remedy}; messages still go to the same file"
            ));
            false
        }
        Err(error) => {
            diagnostics.warning(format_args!(
                "SIGHUP: {error}; messages still go to the file that was open before, also if it was renamed \
                 or deleted"
            ));
            false
        }
    }
}

/// Runs blocking work in a separate thread; the result can be awaited. The end of the program does not wait
/// for the thread.
///
/// # Errors
/// The system refuses the thread.
pub(super) fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, NoThread> {
    let (sender, done) = oneshot::channel();
    start("work", move || sender.send(work()))?;
    Ok(done)
}

/// Common parts of all connected commands: attention, and reports to the user.
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

/// Reports a change in the state of the link to the user.
pub(super) fn report_change(diagnostics: &Diagnostics, change: Change<'_>) {
    match change {
        Change::NextBroker(why) => {
            diagnostics.change("next-broker", format_args!("{why}; trying the next broker"));
        }
        Change::Redirected(why) => diagnostics.change("redirected", format_args!("{why}; connecting to it")),
        Change::Lost(why) => diagnostics.no_connection("lost", "connection lost", why),
        Change::NotYet(why) => diagnostics.no_connection("waiting", "no connection yet", why),
        Change::Guessed(guess, protocol) => {
            let cause = match guess {
                Guess::Closed => "closed two connections with MQTT 5 without an answer",
                Guess::Silent => "did not answer MQTT 5",
            };
            diagnostics.warning_once(format_args!(
                "the broker {cause}; this connection uses MQTT {protocol}, without properties"
            ));
        }
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
