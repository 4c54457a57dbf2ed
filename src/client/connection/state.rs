//! The states of a connection after CONNACK, and the transitions between them.

use std::time::{Duration, Instant};

use crate::client::session::Session;
use crate::error::Error;
use crate::protocol::wire::Malformed;

/// How long the broker may be silent while the QoS 2 messages it has sent are not released. A slow one
/// takes its time to read their acknowledgements, and forgets those it has not read when we go.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// What a connection is doing. With a barrier it is closing: the handler is not asked for more.
#[derive(Debug)]
pub(super) enum ConnectionState {
    /// Packets go both ways.
    Open(Option<Barrier>),
    /// The handler cannot write out what it has received. Nothing is read until it has.
    Blocked(Option<Barrier>, Box<HeldBack>),
    /// The stream takes nothing more. What the broker sent before is still read: why it closed the
    /// connection, or what it acknowledged.
    Broken(Option<Barrier>, Box<BrokenStream>),
    /// No packet follows: DISCONNECT, if there is one, is in the output or sent.
    Closing(Box<Closing>),
    /// In good order, or for this reason, which is taken once.
    Over(EndedBy, Option<Box<Error>>),
}

/// What has ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum EndedBy {
    /// The handler, or what this side does not take from the broker.
    ThisSide,
    /// The broker or the network.
    OtherSide,
    /// The broker was silent for too long.
    KeepAlive,
}

impl ConnectionState {
    /// The state after an end that is not one in good order: our own reason comes before `error`.
    pub(super) fn cut_short(outcome: Option<Box<Error>>, error: Option<Box<Error>>) -> Self {
        if outcome.is_some() {
            Self::Over(EndedBy::ThisSide, outcome)
        } else {
            Self::Over(EndedBy::OtherSide, error)
        }
    }
}

/// What the PINGREQ before DISCONNECT is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barrier {
    /// To know that QoS 0 messages have arrived. It counts from when the stream took the last of them. What
    /// the broker sends meanwhile is no answer: it may go on for ever.
    Sent { since: Instant },
    /// To leave no exchange of a received QoS 2 message half done: a broker that answers has sent the
    /// PUBREL before. When all of them have come, the answer is not waited for.
    Received { since: Instant },
}

impl Barrier {
    /// The barrier that a session needs before its connection is closed.
    pub(super) fn needed(session: &Session, now: Instant) -> Option<Self> {
        if session.has_unconfirmed() {
            Some(Self::Sent { since: now })
        } else {
            session.has_unreleased().then_some(Self::Received { since: now })
        }
    }

    /// The longest wait, of a limit that the user has set. `is_kept`: the broker keeps the session, and sends again
    /// what is not released. What a session that ends has not released is forgotten anyway.
    pub(super) fn longest(self, limit: Duration, is_kept: bool) -> Duration {
        match self {
            Self::Received { .. } if !is_kept => limit.min(RELEASE_LIMIT),
            Self::Sent { .. } | Self::Received { .. } => limit,
        }
    }

    /// How long to wait for the answer. `moved`: when bytes moved last, either way. `waiting_since`: the stream
    /// has not taken everything, and last took something then.
    pub(super) fn until(self, moved: Instant, waiting_since: Option<Instant>, limit: Duration) -> Instant {
        match (self, waiting_since) {
            (Self::Sent { .. }, Some(taken)) => taken + limit,
            (Self::Sent { since }, None) => since + limit,
            // A broker that sends something else all the time is not listened to for ever.
            (Self::Received { since }, _) => (moved + RELEASE_LIMIT).min(since + limit),
        }
    }
}

/// What may be sent once the handler has written out: the acknowledgements of what it got, and after
/// them the end of the connection.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    pub(super) acknowledgements: Box<[u8]>,
    pub(super) end: Option<End>,
}

/// A stream that takes nothing more.
#[derive(Debug)]
pub(super) struct BrokenStream {
    /// There until the connection is over.
    pub(super) error: Option<Box<Error>>,
    pub(super) until: Instant,
    /// Read since, in bytes.
    pub(super) read: usize,
}

/// The end of a connection.
#[derive(Debug)]
pub(super) struct Closing {
    /// Why it is closed, if not in good order.
    pub(super) outcome: Option<Box<Error>>,
    pub(super) until: Instant,
    pub(super) stage: ClosingStage,
}

/// How far a connection that is closing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClosingStage {
    /// The stream has not taken everything.
    Writing,
    /// Everything is written; our side of the stream is being closed.
    ShuttingDown,
    /// Waiting for the broker to close its side, so that no reset overtakes our DISCONNECT.
    Lingering {
        /// Read since, in bytes.
        read: usize,
    },
}

/// Why decoding stopped before the end of the input.
pub(super) enum DecodingEnd {
    /// The broker has ended the connection.
    ByBroker(Error),
    /// We end it.
    Here(End),
}

impl From<End> for DecodingEnd {
    fn from(end: End) -> Self {
        Self::Here(end)
    }
}

/// Why we end the connection.
#[derive(Debug)]
pub(super) enum End {
    /// The handler has everything it wants.
    Stopped,
    /// The barrier has done its work.
    Passed,
    /// The handler has failed.
    Failed(Error),
    /// The broker has violated the standard.
    Malformed(Malformed),
}

impl End {
    /// The error that it ends with.
    pub(super) fn error(self) -> Option<Box<Error>> {
        match self {
            Self::Stopped | Self::Passed => None,
            Self::Failed(error) => Some(Box::new(error)),
            Self::Malformed(malformed) => Some(Box::new(Error::Protocol(malformed))),
        }
    }
}
