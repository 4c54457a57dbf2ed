//! One subscription of a scan, and its progress.

use crate::protocol::QoS;

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Everything about every message.
    Ask,
    /// Whether there are topics not seen yet.
    Check,
}

/// One subscription to some filters.
pub(super) struct Pass {
    pub(super) filters: Vec<String>,
    pub(super) qos: QoS,
    pub(super) purpose: Purpose,
    pub(super) state: State,
    /// Topics asked for by name that have not come yet; when all have, there is nothing to wait for.
    pub(super) awaited: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    ToSubscribe,
    Subscribing,
    Subscribed,
}

impl Pass {
    pub(super) fn new(filters: Vec<String>, qos: QoS, purpose: Purpose) -> Self {
        Self { filters, qos, purpose, state: State::ToSubscribe, awaited: None }
    }

    /// For topics asked for by name.
    pub(super) fn by_name(names: Vec<String>) -> Self {
        let awaited = Some(names.len());
        Self { awaited, ..Self::new(names, QoS::ExactlyOnce, Purpose::Ask) }
    }

    pub(super) fn is_named(&self) -> bool {
        self.awaited.is_some()
    }

    pub(super) fn is_named_complete(&self) -> bool {
        self.awaited == Some(0) && self.state == State::Subscribed
    }
}
