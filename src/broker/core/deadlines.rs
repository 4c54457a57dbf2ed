//! When the core has to be called again although no client sends anything.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{ConnectionId, SessionId};

/// Whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimerOf {
    /// Connect timeout, keep-alive, time limit of a slow reader, or the wait after DISCONNECT.
    Connection(ConnectionId),
    /// Will delay or session expiry.
    Session(SessionId),
    /// The state below `$SYS`.
    System,
}

/// At most one deadline for each connection and session. An ordered set and not a heap: entries are
/// taken out when their owner goes, or clients that come and go would fill it.
#[derive(Default)]
pub(super) struct Deadlines {
    set: BTreeSet<(Instant, TimerOf)>,
    /// A deadline before all others was added: the sleeping task must look again.
    earlier: bool,
}

impl Deadlines {
    /// Moves a deadline from `old`, where it was set before, to `new`.
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

    /// The next moment to call `due`.
    pub(super) fn next(&self) -> Option<Instant> {
        self.set.first().map(|(at, _)| *at)
    }

    /// Whether `next` became earlier since it was last asked this.
    pub(super) fn take_earlier(&mut self) -> bool {
        std::mem::take(&mut self.earlier)
    }

    /// Takes out one whose time has come; its owner's record of it is to be cleared.
    pub(super) fn due(&mut self, now: Instant) -> Option<TimerOf> {
        if self.next()? > now {
            return None;
        }
        self.set.pop_first().map(|(_, timer)| timer)
    }
}
