//! The times at which the core must be called even if no client sends anything.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{ConnectionId, SessionId};

/// The owner of a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimerOf {
    /// Connect timeout, Keep Alive, timeout of a slow subscriber, or the wait after DISCONNECT.
    Connection(ConnectionId),
    /// Will delay or session expiry.
    Session(SessionId),
    /// The messages below `$SYS`.
    System,
}

/// At most one deadline per connection and session. An ordered set instead of a heap: entries are removed
/// with their owner; otherwise clients that come and go would fill it.
#[derive(Default)]
pub(super) struct Deadlines {
    set: BTreeSet<(Instant, TimerOf)>,
    /// A deadline earlier than all others was added: the main task must recompute its sleep.
    earlier: bool,
}

impl Deadlines {
    /// Replaces the deadline `old` by `new`.
    pub(super) fn set(&mut self, timer: TimerOf, old: &mut Option<Instant>, new: Option<Instant>) {
        if *old == new {
            return;
        }
        if let Some(at) = old.take() {
            self.set.remove(&(at, timer));
        }
        if let Some(at) = new {
            self.earlier |= self.next().is_none_or(|next| at < next);
            self.set.insert((at, timer));
        }
        *old = new;
    }

    /// When to call `due` next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.set.first().map(|(at, _)| *at)
    }

    /// Whether `next` became earlier since the last call of this.
    pub(super) fn take_earlier(&mut self) -> bool {
        std::mem::take(&mut self.earlier)
    }

    /// Removes a deadline that has passed; the owner's record of it must be cleared.
    pub(super) fn due(&mut self, now: Instant) -> Option<TimerOf> {
        if self.next()? > now {
            return None;
        }
        self.set.pop_first().map(|(_, timer)| timer)
    }
}
