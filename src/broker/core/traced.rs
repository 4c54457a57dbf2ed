//! The data of a connection for the broker's observer.

use crate::broker::journal::ClientOrigin;

/// The data of a connection for its events.
pub(super) struct Traced {
    pub(super) origin: ClientOrigin,
    /// The client identifier; empty before CONNECT.
    pub(super) client: Box<str>,
    /// Packets in this number of bytes of the output were reported.
    pub(super) shown: usize,
    /// Whether the current output will be removed again.
    pub(super) is_muted: bool,
}

impl Traced {
    pub(super) fn new(origin: ClientOrigin) -> Self {
        Self { origin, client: Box::default(), shown: 0, is_muted: false }
    }

    /// Adjusts to the removal of bytes from the start of the output.
    pub(super) fn forget(&mut self, bytes: usize) {
        self.shown = self.shown.saturating_sub(bytes);
    }
}
