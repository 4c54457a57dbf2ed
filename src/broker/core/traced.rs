//! What is kept of a connection for the observer of the broker.

use crate::broker::journal::ClientOrigin;

/// What is kept of a connection for its events.
pub(super) struct Traced {
    pub(super) origin: ClientOrigin,
    /// The client identifier; empty before CONNECT.
    pub(super) client: Box<str>,
    /// The packets in this much of the output were told.
    pub(super) shown: usize,
    /// What is put out will be taken back.
    pub(super) is_muted: bool,
}

impl Traced {
    pub(super) fn new(origin: ClientOrigin) -> Self {
        Self { origin, client: Box::default(), shown: 0, is_muted: false }
    }

    /// That much of the output is gone, from its beginning.
    pub(super) fn forget(&mut self, bytes: usize) {
        self.shown = self.shown.saturating_sub(bytes);
    }
}
