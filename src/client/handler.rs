//! The interface between driver and subcommand: what to send, and how to process received packets.

use std::ops::Range;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;

use super::handshake::Connected;
use super::session::{AwaitedPacket, DeniedFilter, Event, Session};
use crate::error::Error;
use crate::net::Step;
use crate::protocol::property::Properties;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::Packet;
use crate::protocol::{Direction, Protocol};

pub use super::scratch::OUTPUT_BYTES;

/// Whether to continue with the packets already received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Continue.
    Continue,
    /// Leave: later packets are neither delivered nor acknowledged.
    Stop,
}

/// Why an older version is used although the broker has not refused MQTT 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// The broker closed two connections at the CONNECT of MQTT 5.
    Closed,
    /// The broker did not answer the CONNECT of MQTT 5 in time, but the one of the older version.
    Silent,
}

/// A change in the state of the link.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// A broker failed, and the next one is tried.
    NextBroker(&'a Error),
    /// The link was lost for this reason, and reconnecting has begun. Reported once, however many attempts
    /// that takes.
    Lost(&'a Error),
    /// A broker redirected us to another one, and the redirect is followed.
    Redirected(&'a Error),
    /// The first connection failed for this reason, and is retried. Reported once.
    NotYet(&'a Error),
    /// The link has this version because the broker did not answer MQTT 5, which does not prove that it does not
    /// support it. Reported only if [`uses_properties`](super::options::ClientOptions::uses_properties) is set.
    Guessed(Guess, Protocol),
    /// The first attempt made the link.
    ConnectedAtOnce,
    /// The link was made after failed attempts.
    Connected,
    /// The link was restored.
    Reconnected,
    /// The run is complete, and the link is closed in order.
    Closed,
    /// The broker has lost the session; this number of QoS 2 publishes is sent again and may arrive twice.
    MayRepeat(usize),
    /// The broker keeps the session for this number of seconds, less than was requested.
    ShorterSession(u32),
    /// This number of consecutive links ended soon after they were made.
    ShortLinks {
        count: u32,
        /// Whether the user chose the client identifier.
        has_identifier: bool,
        /// Whether unconfirmed QoS 0 messages were written.
        has_published: bool,
    },
    /// QoS 0 messages were written, but the broker did not answer the barrier within this time.
    Unconfirmed(Duration),
}

/// The behaviour common to subcommands that a user watches: they end on a signal or at a timeout, and show
/// the user the state of the link and, on request, its packets.
pub trait Supervision {
    /// Signals and timeouts: `Ready` ends the link immediately, however busy it is.
    ///
    /// # Errors
    /// Ends the link with DISCONNECT, and the run with this error.
    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;

    /// The state of the link has changed in a way that concerns the user.
    fn on_change(&mut self, change: Change<'_>);

    /// Whether [`Supervision::trace`] is to be called.
    fn traces(&self) -> bool;

    /// One packet was sent or received.
    fn trace(&mut self, direction: Direction, packet: &Packet<'_>);
}

/// What a subcommand does with a link. All methods are called from one task, never concurrently.
pub trait Handler {
    /// Called before every write while the output has room: appends packets through `session`. `Pending`
    /// means that there is nothing more now, and that the waker is registered for further work; `Ready` ends
    /// the link in order.
    ///
    /// # Errors
    /// Ends the link with DISCONNECT, and the run with this error.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>>;

    /// Processes one event.
    ///
    /// # Errors
    /// Ends the link with DISCONNECT, and the run with this error.
    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error>;

    /// Whether messages are no longer wanted while other work continues. Further messages are neither
    /// delivered nor acknowledged.
    fn declines_messages(&self) -> bool {
        false
    }

    /// Whether the broker may have ended the link because of a packet that is not sent on the next link.
    fn avoids_packet(&self) -> bool {
        false
    }

    /// Whether to wait after DISCONNECT until the broker closes its side. Bytes that the broker sends later
    /// meet a closed socket, whose reset can destroy the DISCONNECT in flight. `false` is for runs that
    /// expect no such bytes: then only the bytes already received are read.
    fn awaits_close(&self) -> bool {
        true
    }

    /// Whether the acknowledgement of each message waits for [`Handler::settled`]. Constant during a run.
    fn defers_acknowledgements(&self) -> bool {
        false
    }

    /// If acknowledgements are deferred: how many more messages of this link, the oldest first, to
    /// acknowledge now. QoS 0 messages count.
    fn settled(&mut self) -> usize {
        0
    }

    /// Whether to stop reading for now because the handler holds its maximum of messages. The task is woken
    /// when that changes.
    fn is_full(&self) -> bool {
        false
    }

    /// Whether packets received after this one wait until the next wake-up because processing has taken long:
    /// signals and timeouts are checked in between. [`Handler::is_full`] holds then as well.
    #[inline]
    fn pauses(&self) -> bool {
        false
    }

    /// Processes the successes of several QoS 1 publishes at once, by their tokens.
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

    /// Writes out the output of one read's events. Their acknowledgements wait for it.
    ///
    /// # Errors
    /// Ends the link with DISCONNECT and without those acknowledgements.
    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    /// The supervisor, which can end the connection and shows its state. A load has none.
    fn supervisor(&mut self) -> Option<&mut dyn Supervision> {
        None
    }

    /// Like [`Supervision::poll_interrupt`], for subcommands with further reasons to end immediately.
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

    /// Whether there is unfinished work that needs no link: the first connection is then retried at least as
    /// long as that work continues.
    fn works_without_link(&self) -> bool {
        false
    }

    /// A packet that was sent on this link, is unanswered and will be sent again on the next, if the session
    /// does not know of it.
    fn awaits(&self) -> Option<AwaitedPacket> {
        None
    }

    /// A filter that the broker has refused on this link, while it granted others, and that the next link asks
    /// for again; `None` after a message.
    fn refused_filter(&self) -> Option<&DeniedFilter> {
        None
    }

    /// The link has ended. `_is_at_it` tells whether the unanswered packets in `session` are the likely
    /// cause: the broker said so, or closed the link without any answer before. Otherwise it ended for
    /// another reason.
    fn on_ended(&mut self, _session: &Session, _is_at_it: bool) {}

    /// This number of bytes of an incomplete packet was received.
    fn on_part(&mut self, _bytes: usize) {}

    /// This number of bytes was handed to the stream: packets from [`Handler::poll_fill`] and from the
    /// session's resumption, and everything before them; acknowledgements and PINGREQs alone are not
    /// reported.
    fn on_written(&mut self, _bytes: usize) {}

    /// Like [`Supervision::on_change`], for subcommands that act on the change.
    fn on_change(&mut self, change: Change<'_>) {
        if let Some(supervisor) = self.supervisor() {
            supervisor.on_change(change);
        }
    }

    /// Whether [`Handler::on_step`] is to be called.
    fn observes(&self) -> bool {
        false
    }

    /// One step of the connection to the broker is complete.
    fn on_step(&mut self, _step: Step) {}

    /// The broker refused this version, or has not responded yet, and another version is tried on a new
    /// connection, in parallel to the first if that has no response. For observers.
    fn on_unaccepted(&mut self, _protocol: Protocol, _why: String) {}
}
