//! What every command on a link has in common besides its work: it heeds signals and a time limit,
//! and tells the user how the link is doing.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Sleep;

use crate::client::handler::Change;
use crate::error::Error;
use crate::output::{Diagnostics, duration};
use crate::signal::Signals;

/// Signals and a time limit.
#[derive(Debug, Default)]
pub(super) struct Attention {
    signals: Option<Signals>,
    limit: Option<(Duration, Pin<Box<Sleep>>)>,
}

/// Why to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Signal(i32),
    Limit(Duration),
}

impl Stop {
    /// The error of a run that it ends before its time.
    pub(super) fn error(self) -> Error {
        match self {
            Self::Signal(number) => Error::Signal(number),
            Self::Limit(limit) => Error::timed_out(format!("after {}", duration(limit))),
        }
    }
}

impl Attention {
    /// Heeds signals from now on, and ends after `limit` if there is one.
    pub(super) fn start(limit: Option<Duration>) -> Result<Self, Error> {
        let limit = limit.map(|limit| (limit, Box::pin(tokio::time::sleep(limit))));
        Ok(Self { signals: Some(Signals::catch()?), limit })
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

    /// Waits for `work`, unless a signal comes first. A time limit is not looked at.
    pub(super) async fn during<F: Future>(&mut self, work: F) -> Result<F::Output, Error> {
        let Some(signals) = &mut self.signals else { return Ok(work.await) };
        tokio::select! {
            biased;
            output = work => Ok(output),
            number = poll_fn(|cx| signals.poll(cx)) => Err(Error::Signal(number)),
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Stop> {
        if let Some(signals) = &mut self.signals
            && let Poll::Ready(number) = signals.poll(cx)
        {
            return Poll::Ready(Stop::Signal(number));
        }
        if let Some((limit, sleep)) = &mut self.limit
            && sleep.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Stop::Limit(*limit));
        }
        Poll::Pending
    }
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

/// Tells the user of a change in the state of the link.
pub(super) fn report_change(diagnostics: &Diagnostics, change: Change<'_>) {
    match change {
        Change::NextBroker(why) => diagnostics.state(format_args!("{why}; trying the next broker")),
        Change::Redirected(why) => diagnostics.state(format_args!("{why}; going there")),
        Change::Lost(why) => diagnostics.no_connection("connection lost", why),
        Change::NotYet(why) => diagnostics.no_connection("no connection yet", why),
        Change::Connected => diagnostics.state("connected"),
        Change::Reconnected => diagnostics.state("connected again"),
        Change::MayRepeat(count) => diagnostics.warning(format_args!(
            "the server has lost the session: {count} QoS 2 messages are sent again and may arrive twice"
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
