//! The stages of a run of `mqtt sub`.

/// The stage of SUBSCRIBE and UNSUBSCRIBE on this link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requests {
    ToSend,
    /// Responses are awaited.
    Sent,
    Answered,
}

/// The stage of the run's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SubscribeWork {
    Unfinished,
    /// Everything was received; only clearing and closing are left.
    Complete,
    /// The link broke while closing: a reconnect would only deliver more messages than requested.
    Over,
}

/// The token of a SUBSCRIBE is the index of its group.
pub(super) const UNSUBSCRIBE_TOKEN: u64 = u64::MAX;
pub(super) const MARKER_TOKEN: u64 = UNSUBSCRIBE_TOKEN - 1;
