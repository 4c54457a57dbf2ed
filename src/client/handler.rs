//! The interface between driver and subcommand: what to send, and what to do with received packets.

use std::ops::Range;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;

use super::handshake::Connected;
use super::session::{Event, Session};
use crate::error::Error;
use crate::net::Step;
use crate::protocol::property::Properties;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::Packet;
use crate::protocol::{Direction, Protocol};

pub use super::scratch::OUTPUT_BYTES;

/// Whether to go on with the packets already received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Leave: packets behind this one are neither delivered nor acknowledged.
    Stop,
}

/// A change in the state of the link.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// A broker failed, and the next is tried.
    NextBroker(&'a Error),
    /// The link is lost, for this reason, and will be made again. Said once, however many attempts
    /// that takes.
    Lost(&'a Error),
    /// A broker sends us to another one, and we go.
    Redirected(&'a Error),
    /// There is no link yet, for this reason, and it is tried again. Said once.
    NotYet(&'a Error),
    /// The first attempt has made the link.
    ConnectedAtOnce,
    /// The link is there at last.
    Connected,
    /// The link is there again.
    Reconnected,
    /// The run is done, and the link is closed in good order.
    Closed,
    /// The broker had lost the session; so many QoS 2 publishes go out again and may arrive twice.
    MayRepeat(usize),
    /// The broker keeps the session for so many seconds, which is less than was asked for.
    ShorterSession(u32),
    /// This number of links in a row has ended soon after they were made.
    ShortLinks {
        count: u32,
        /// The client identifier is the user's.
        has_identifier: bool,
        /// QoS 0 messages were written that no answer has confirmed.
        has_published: bool,
    },
    /// QoS 0 messages were written, but the broker did not answer the barrier within this time.
    Unconfirmed(Duration),
}

/// What is the same for all subcommands that a user watches: they end on a signal or at a time limit, and
/// show the user the state of the link and, on request, its packets.
pub trait Supervision {
    /// Signals and time limits: `Ready` ends the link at once, however busy it is.
    ///
    /// # Errors
    /// Ends the link with DISCONNECT, and the run with this error.
    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;

    /// The state of the link has changed in a way a user wants to know of.
    fn on_change(&mut self, change: Change<'_>);

    /// Whether [`Supervision::trace`] wants to see packets.
    fn traces(&self) -> bool;

    /// One packet was sent or received.
    fn trace(&mut self, direction: Direction, packet: &Packet<'_>);
}

/// What a subcommand does with a link. Methods are called from one task, never concurrently.
pub trait Handler {
    /// Called before every write, with the output not yet full: appends packets by way of
    /// `session`. `Pending` means nothing more for now, with the waker registered for whatever
    /// will bring more; `Ready` ends the link in good order.
    ///
    /// # Errors
    /// Ends the link with DISCONNECT, and the run with this error.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>>;

    /// Deals with one event.
    ///
    /// # Errors
    /// Ends the link with DISCONNECT, and the run with this error.
    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error>;

    /// Whether messages are wanted no more, while other work goes on. Those that come now are neither
    /// delivered nor acknowledged.
    fn declines_messages(&self) -> bool {
        false
    }

    /// Whether to wait, after DISCONNECT, until the broker closes its side. Bytes that it sends later meet a
    /// closed socket, whose reset can destroy the DISCONNECT on its way. `false` is for a run that expects
    /// none: then only what is there already is read.
    fn awaits_close(&self) -> bool {
        true
    }

    /// Whether the acknowledgement of each message waits for [`Handler::settled`]. It is the same for the whole run.
    fn defers_acknowledgements(&self) -> bool {
        false
    }

    /// Where acknowledgements are deferred: how many more messages of this link, from the oldest on, are to be
    /// acknowledged now. Messages of QoS 0 count.
    fn settled(&mut self) -> usize {
        0
    }

    /// Whether nothing is to be read for now: it holds as many messages as it may. What changes that wakes the task.
    fn is_full(&self) -> bool {
        false
    }

    /// Whether packets that were received after this one wait until the next wake-up, because work on what came
    /// before has taken long: signals and time limits are looked at before. [`Handler::is_full`] holds as well then.
    #[inline]
    fn pauses(&self) -> bool {
        false
    }

    /// Deals with the successes of several QoS 1 publishes at once, by their tokens.
    ///
    /// # Errors
    /// Ends the link with DISCONNECT, and the run with this error.
    #[inline]
    fn on_published(&mut self, tokens: Range<u64>) -> Result<Flow, Error> {
        for token in tokens {
            let event = Event::Published { token, reason: ReasonCode::SUCCESS, properties: Properties::NONE };
            if self.on_event(event)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// Writes out what the events of one read have produced. Acknowledgements wait for it.
    ///
    /// # Errors
    /// Ends the link with DISCONNECT and without those acknowledgements.
    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    /// The supervisor, which ends the connection on request and shows its state. A load has none.
    fn supervisor(&mut self) -> Option<&mut dyn Supervision> {
        None
    }

    /// As [`Supervision::poll_interrupt`], for a subcommand that has more reasons to end at once.
    ///
    /// # Errors
    /// Ends the link with DISCONNECT, and the run with this error.
    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.supervisor().map_or(Poll::Pending, |supervisor| supervisor.poll_interrupt(cx))
    }

    /// A link is up. Subscriptions are made in the next [`Handler::poll_fill`].
    ///
    /// # Errors
    /// Ends the run with this error.
    fn on_connected(&mut self, _session: &mut Session, _connected: &Connected) -> Result<(), Error> {
        Ok(())
    }

    /// Whether there is work that needs no link and is not over: then the first connection is tried for
    /// as long as it goes on, if not longer.
    fn works_without_link(&self) -> bool {
        false
    }

    /// What was sent on this link, is not answered and will be sent on the next, where the session does
    /// not know of it.
    fn awaits(&self) -> Option<&'static str> {
        None
    }

    /// The link has ended at what is unanswered in `session`, as far as can be told: the broker has said so, or has
    /// closed it without any answer before. `is_at_it`: otherwise it has ended for another reason.
    fn on_ended(&mut self, _session: &Session, _is_at_it: bool) {}

    /// This many bytes of an incomplete packet were received.
    fn on_part(&mut self, _bytes: usize) {}

    /// So many bytes were handed to the stream, of packets from [`Handler::poll_fill`] and from the session's
    /// resumption, and of what stood before these. Not of acknowledgements and PINGREQs alone.
    fn on_written(&mut self, _bytes: usize) {}

    /// As [`Supervision::on_change`], for a subcommand that has something to do then.
    fn on_change(&mut self, change: Change<'_>) {
        if let Some(supervisor) = self.supervisor() {
            supervisor.on_change(change);
        }
    }

    /// Whether [`Handler::on_step`] wants to hear of the steps of the way.
    fn observes(&self) -> bool {
        false
    }

    /// One step of the connection to the broker is complete.
    fn on_step(&mut self, _step: Step) {}

    /// The broker has refused this version, or not answered it yet, and another is tried: on a new
    /// connection, in parallel to the first while that has no answer. For observers.
    fn on_unaccepted(&mut self, _protocol: Protocol, _why: String) {}
}
