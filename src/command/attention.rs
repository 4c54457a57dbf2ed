//! What every connected command has in common: it ends at signals, at a time limit and when the reader of
//! standard output leaves, and reports the state of the connection.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Sleep;

use crate::client::handler::{Change, Supervision};
use crate::client::options::ClientOptions;
use crate::error::{Error, Layer};
use crate::output::{Diagnostics, Reader};
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
    hang_ups: Option<HangUps>,
}

/// Why to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Signal(i32),
    Limit(Duration),
    /// Nobody reads standard output any more.
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
    /// Heeds signals from now on, and ends after `limit` if there is one.
    pub(super) fn start(limit: Option<Duration>) -> Result<Self, Error> {
        let limit = limit.map(|limit| (limit, Box::pin(tokio::time::sleep(limit))));
        Ok(Self { signals: Some(Signals::catch()?), limit, reader: None, hang_ups: None })
    }

    /// The same, and from now on the run ends with the reader of standard output: for whoever has
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

    /// Ready when somebody wants the end: by a signal, or by reading no further.
    fn poll_asked(&mut self, cx: &mut Context<'_>) -> Poll<Stop> {
        if let Some(signals) = &mut self.signals
            && let Poll::Ready(number) = signals.poll(cx)
        {
            return Poll::Ready(Stop::Signal(number));
        }
        if let Some(reader) = &mut self.reader {
            return reader.poll_gone(cx).map(|()| Stop::OutputClosed);
        }
        Poll::Pending
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
    let cause = format!("the server did not answer {request} with {answer} within {}", duration(limit));
    Error::fatal(Layer::Mqtt, cause)
        .with_hint("--connect-timeout sets this limit, and -W one for the whole run")
}

/// Work that blocks, on a thread of its own; what comes of it can be awaited. Nobody waits for the thread
/// at the end of the program.
pub(super) fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (sender, done) = oneshot::channel();
    std::thread::spawn(move || sender.send(work()));
    done
}

/// What all commands on a link have in common: attention, and a user who is told.
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
fn report_change(diagnostics: &Diagnostics, change: Change<'_>) {
    match change {
        Change::NextBroker(why) => {
            diagnostics.change("next-broker", format_args!("{why}; trying the next broker"));
        }
        Change::Redirected(why) => diagnostics.change("redirected", format_args!("{why}; going there")),
        Change::Lost(why) => diagnostics.no_connection("lost", "connection lost", why),
        Change::NotYet(why) => diagnostics.no_connection("waiting", "no connection yet", why),
        Change::ConnectedAtOnce => diagnostics.change_event("connected", "connected"),
        Change::Connected => diagnostics.change("connected", "connected"),
        Change::Reconnected => diagnostics.change("reconnected", "connected again"),
        Change::Closed => diagnostics.change_event("closed", "connection closed"),
        Change::MayRepeat(count) => diagnostics.warning(format_args!(
            "the server has lost the session: {} sent again, which may arrive twice",
            counted(count as u64, "QoS 2 message")
        )),
        Change::ShorterSession(0) => {
            diagnostics.warning("the server does not keep the session when the connection ends");
        }
        Change::ShorterSession(seconds) => diagnostics.warning(format_args!(
            "the server keeps the session for {}, which is less than asked for",
            duration(Duration::from_secs(seconds.into()))
        )),
        Change::ShortLinks(count) => diagnostics.warning(format_args!(
            "the broker has ended {count} connections in a row soon after they were made: another client may have the same client identifier (-i)"
        )),
        Change::Unconfirmed(limit) => diagnostics.warning(format_args!(
            "the server did not answer the last PINGREQ within {}: whether all QoS 0 messages arrived is not known",
            duration(limit)
        )),
    }
}
