//! One subscription of a scan: how far it has come, and how long to wait for what may still come.

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::QoS;

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Everything about every message.
    Ask,
    /// Whether there are topics not seen yet.
    Check,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fence {
    Awaited,
    /// It came back.
    Returned,
    /// It came back, and retained messages behind it.
    Overtaken,
}

/// One subscription to some filters.
pub(super) struct Pass {
    pub(super) filters: Vec<String>,
    pub(super) qos: QoS,
    pub(super) purpose: Purpose,
    pub(super) state: State,
    /// Of SUBSCRIBE, later of PINGREQ.
    pub(super) asked_at: Instant,
    pub(super) round_trip: Duration,
    pub(super) fence: Fence,
    pub(super) pong: bool,
    /// When the last thing came that belongs to the pass.
    pub(super) last: Instant,
    /// The longest pause between two retained messages.
    pub(super) widest_gap: Duration,
    pub(super) retained: u64,
    /// Topics asked for by name that have not come yet; when all have, there is nothing to wait for.
    pub(super) awaited: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    ToSubscribe,
    Subscribing,
    ToFence,
    Fencing,
}

impl Pass {
    pub(super) fn new(filters: Vec<String>, qos: QoS, purpose: Purpose) -> Self {
        let now = Instant::now();
        Self {
            filters,
            qos,
            purpose,
            state: State::ToSubscribe,
            asked_at: now,
            round_trip: Duration::ZERO,
            fence: Fence::Awaited,
            pong: false,
            last: now,
            widest_gap: Duration::ZERO,
            retained: 0,
            awaited: None,
        }
    }

    /// For topics asked for by name.
    pub(super) fn by_name(names: Vec<String>) -> Self {
        let awaited = Some(names.len());
        Self { awaited, ..Self::new(names, QoS::ExactlyOnce, Purpose::Ask) }
    }

    pub(super) fn is_named(&self) -> bool {
        self.awaited.is_some()
    }

    pub(super) fn came(&mut self, now: Instant, retained: bool) {
        if retained {
            if self.retained > 0 {
                self.widest_gap = self.widest_gap.max(now - self.last);
            }
            self.retained += 1;
            if self.fence == Fence::Returned {
                self.fence = Fence::Overtaken;
            }
        }
        self.last = now;
    }

    pub(super) fn is_named_complete(&self) -> bool {
        self.awaited == Some(0) && matches!(self.state, State::ToFence | State::Fencing)
    }

    /// How long nothing may come before the pass counts as complete: by how long the server took to
    /// answer and the longest pause it made so far. Short where the fence was the last to come,
    /// longer where the server does not send in order, longest where the fence did not come back.
    pub(super) fn quiet_time(&self) -> Duration {
        let millis = Duration::from_millis;
        let by = |gaps: u32, trips: u32| (self.widest_gap * gaps).max(self.round_trip * trips);
        match self.fence {
            Fence::Returned => by(2, 2).clamp(millis(10), millis(1000)),
            Fence::Overtaken => by(4, 4).clamp(millis(100), millis(3000)),
            Fence::Awaited => by(4, 10).clamp(millis(500), millis(5000)),
        }
    }
}
