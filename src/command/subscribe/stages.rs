//! How far a run of `mqtt sub` has come.

/// How far SUBSCRIBE and UNSUBSCRIBE have come on this link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requests {
    ToSend,
    /// Answers are awaited.
    Sent,
    Answered,
}

/// How far what was asked for is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SubscribeWork {
    Unfinished,
    /// Everything is there, and only clearing it and the farewell are left.
    Complete,
    /// The link broke in the farewell: to come back would only bring more than was asked for.
    Over,
}

/// A SUBSCRIBE's token is the place of its group.
pub(super) const UNSUBSCRIBE_TOKEN: u64 = u64::MAX;
pub(super) const MARKER_TOKEN: u64 = UNSUBSCRIBE_TOKEN - 1;
