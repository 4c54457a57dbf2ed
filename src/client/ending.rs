//! How a link comes to its end, and what has to go before it.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use super::session::Session;
use crate::error::Error;
use crate::protocol::wire::Malformed;

/// How long the server may be silent while the QoS 2 messages it has sent are not released. A slow one
/// takes its time to read their acknowledgements, and forgets those it has not read when we go.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// How far a link is from its end.
#[derive(Debug)]
pub(super) enum Phase {
    Running,
    /// Waiting for the PINGRESP that shows that the server has read everything.
    Fencing(Fence),
    /// DISCONNECT is in the output.
    Disconnecting,
    /// Everything is written; our side of the stream is being closed.
    ShuttingDown,
    /// Waiting for the server to close its side, so that no reset overtakes our DISCONNECT.
    Lingering {
        /// Read since, in bytes.
        read: usize,
    },
}

/// What a PINGREQ at the end is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fence {
    /// To know that QoS 0 messages have arrived.
    Sent,
    /// To leave no exchange of a received QoS 2 message in the middle: a server that answers has sent
    /// the PUBREL before it. When all of them have come it is not waited for.
    Received { since: Instant },
}

impl Fence {
    /// The fence that a session needs before it is left.
    pub(super) fn needed(session: &Session, now: Instant) -> Option<Self> {
        if session.is_unfenced() {
            Some(Self::Sent)
        } else {
            session.has_unreleased().then_some(Self::Received { since: now })
        }
    }

    /// How long to wait for it, if bytes moved last at `moved`: on a slow link the answer stands behind
    /// all that is still on its way.
    pub(super) fn until(self, moved: Instant, limit: Duration) -> Instant {
        match self {
            Self::Sent => moved + limit,
            // A server that goes on sending something else is not listened to for ever.
            Self::Received { since } => (moved + RELEASE_LIMIT).min(since + limit),
        }
    }
}

/// Why decoding stopped before the end of the input.
pub(super) enum Ended {
    /// The server has ended the link.
    Server(Error),
    /// We end it.
    Here(End),
}

impl From<End> for Ended {
    fn from(end: End) -> Self {
        Self::Here(end)
    }
}

/// Why we end the link.
#[derive(Debug)]
pub(super) enum End {
    Stopped,
    /// What the end was waiting for is there.
    Fenced,
    Handler(Error),
    Malformed(Malformed),
}

/// What may be sent once the handler has written out: the acknowledgements of what it got, and the
/// end of the link behind them.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) acknowledgements: BytesMut,
    pub(super) end: Option<End>,
}
