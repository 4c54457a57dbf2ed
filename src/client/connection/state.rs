//! The states of a connection after CONNACK, and the transitions between them.

use std::time::{Duration, Instant};

use crate::client::session::Session;
use crate::error::Error;
use crate::protocol::wire::Malformed;

/// How long the broker may be silent while QoS 2 messages that it sent are not released. A slow broker needs
/// time to read their acknowledgements, and after we close it forgets those it has not read.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// What a connection is doing. With a barrier it is closing, and the handler is not asked for more.
#[derive(Debug)]
pub(super) enum ConnectionState {
    /// Packets are sent and received.
    Open(Option<Barrier>),
    /// The handler cannot write out what it has received. Reading stops until it can.
    Blocked(Option<Barrier>, Box<HeldBack>),
    /// The stream accepts no more bytes. Packets that the broker sent before are still read: the reason for
    /// closing, or acknowledgements.
    Broken(Option<Barrier>, Box<BrokenStream>),
    /// No further packet follows: DISCONNECT, if there is one, is in the output or sent.
    Closing(Box<Closing>),
    /// The connection ended in order, or with this error, which is taken once.
    Over(EndedBy, Option<Box<Error>>),
}

/// The side that ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::client) enum EndedBy {
    /// This side: the handler, or a packet that violates the standard.
    ThisSide,
    /// The broker or the network.
    OtherSide,
    /// The Keep Alive timeout.
    KeepAlive,
}

impl ConnectionState {
    /// The state after a broken stream: our own reason takes precedence over `error`.
    pub(super) fn cut_short(outcome: Option<Box<Error>>, error: Option<Box<Error>>) -> Self {
        if outcome.is_some() {
            Self::Over(EndedBy::ThisSide, outcome)
        } else {
            Self::Over(EndedBy::OtherSide, error)
        }
    }
}

/// The purpose of the PINGREQ before DISCONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barrier {
    /// The broker's answer confirms QoS 0 messages. The limit counts from when the stream took the last of
    /// them. Other packets do not extend it: the broker may send them endlessly.
    Sent { since: Instant },
    /// Completes the exchanges of received QoS 2 messages: a broker that answers has sent the PUBRELs before.
    /// Once all PUBRELs are received, the answer is not needed.
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

    /// The longest wait, given the user's `limit`. With `is_kept` the broker keeps the session and sends
    /// unreleased messages again; otherwise it forgets them anyway, so the wait is short.
    pub(super) fn longest(self, limit: Duration, is_kept: bool) -> Duration {
        match self {
            Self::Received { .. } if !is_kept => limit.min(RELEASE_LIMIT),
            Self::Sent { .. } | Self::Received { .. } => limit,
        }
    }

    /// The deadline for the answer. `moved` is when bytes last moved in either direction. `waiting_since` is
    /// set while the stream has not taken everything: when it last took bytes.
    pub(super) fn until(self, moved: Instant, waiting_since: Option<Instant>, limit: Duration) -> Instant {
        match (self, waiting_since) {
            (Self::Sent { .. }, Some(taken)) => taken + limit,
            (Self::Sent { since }, None) => since + limit,
            // A broker that keeps sending other packets must not extend the wait without end.
            (Self::Received { since }, _) => (moved + RELEASE_LIMIT).min(since + limit),
        }
    }
}

/// What is sent once the handler has written out its output: the acknowledgements, and then the end of the
/// connection.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    pub(super) acknowledgements: Box<[u8]>,
    pub(super) end: Option<End>,
}

/// A stream that accepts no more bytes.
#[derive(Debug)]
pub(super) struct BrokenStream {
    /// The stream's error; `Some` until the connection is over.
    pub(super) error: Option<Box<Error>>,
    pub(super) until: Instant,
    /// Bytes read since.
    pub(super) read: usize,
}

/// A connection that is closing.
#[derive(Debug)]
pub(super) struct Closing {
    /// Why it is closed; `None` for an orderly close.
    pub(super) outcome: Option<Box<Error>>,
    pub(super) until: Instant,
    pub(super) stage: ClosingStage,
}

/// The stage of a connection that is closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClosingStage {
    /// The stream has not taken everything.
    Writing,
    /// Everything is written; our side of the stream is being closed.
    ShuttingDown,
    /// Waiting for the broker to close its side, so that no reset overtakes our DISCONNECT.
    Lingering {
        /// Bytes read since.
        read: usize,
    },
}

/// Why decoding stopped before the end of the input.
pub(super) enum DecodingEnd {
    /// The broker ended the connection.
    ByBroker(Error),
    /// This side ends it.
    Here(End),
}

impl From<End> for DecodingEnd {
    fn from(end: End) -> Self {
        Self::Here(end)
    }
}

/// Why this side ends the connection.
#[derive(Debug)]
pub(super) enum End {
    /// The handler has everything it wants.
    Stopped,
    /// The barrier was passed.
    Passed,
    /// The handler has failed.
    Failed(Error),
    /// The broker has violated the standard.
    Malformed(Malformed),
}

impl End {
    /// The error that the connection ends with.
    pub(super) fn error(self) -> Option<Box<Error>> {
        match self {
            Self::Stopped | Self::Passed => None,
            Self::Failed(error) => Some(Box::new(error)),
            Self::Malformed(malformed) => Some(Box::new(Error::Protocol(malformed))),
        }
    }
}
