//! How a link comes to its end, and what has to go before it.

use bytes::BytesMut;

use crate::error::Error;
use crate::protocol::wire::Malformed;

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
