//! One subscription of a scan, its progress, and its end.

use super::super::stored;
use super::scan::ScanOptions;
use crate::output::Diagnostics;
use crate::protocol::QoS;
use crate::quantity::duration;

/// Maximum memory for the topics found, in bytes.
pub(super) const MOST_FOUND_BYTES: usize = 256 * 1024 * 1024;

/// The reason why a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanEndedBy {
    /// Everything was received.
    Stored(stored::CompleteBy),
    /// The timeout expired.
    Timeout,
    /// The memory limit was reached.
    Full,
    /// An error.
    Error,
}

impl ScanEndedBy {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stored(stored::CompleteBy::Marker) => "fence",
            Self::Stored(stored::CompleteBy::Quiet) => "quiet",
            Self::Timeout => "timeout",
            Self::Full => "full",
            Self::Error => "error",
        }
    }

    /// Whether all retained messages were received.
    pub(super) fn is_complete(self) -> bool {
        matches!(self, Self::Stored(_))
    }

    /// Warns that there may be more, with the reason.
    pub(super) fn warn(self, options: &ScanOptions, diagnostics: &Diagnostics) {
        match self {
            Self::Timeout => diagnostics.warning(format_args!(
                "the scan was ended by its time limit of {}: there may be more",
                duration(options.timeout)
            )),
            Self::Full => diagnostics.warning(format_args!(
                "the scan was ended after {} MiB of topics: there may be more",
                MOST_FOUND_BYTES / 1024 / 1024
            )),
            Self::Stored(_) | Self::Error => {
                diagnostics.debug(|| format!("the scan was ended by {}", self.name()));
            }
        }
    }
}

/// The purpose of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PassPurpose {
    /// To receive every message with all its data.
    Ask,
    /// To check for topics that were not received yet.
    Check,
}

/// One subscription to some filters.
pub(super) struct Pass {
    pub(super) filters: Vec<String>,
    pub(super) qos: QoS,
    pub(super) purpose: PassPurpose,
    pub(super) state: PassState,
    /// The number of topics requested by name and not received yet; at 0 the pass ends.
    pub(super) awaited: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PassState {
    ToSubscribe,
    Subscribing,
    Subscribed,
}

impl Pass {
    pub(super) fn new(filters: Vec<String>, qos: QoS, purpose: PassPurpose) -> Self {
        Self { filters, qos, purpose, state: PassState::ToSubscribe, awaited: None }
    }

    /// A pass for topics requested by name.
    pub(super) fn by_name(names: Vec<String>) -> Self {
        let awaited = Some(names.len());
        Self { awaited, ..Self::new(names, QoS::ExactlyOnce, PassPurpose::Ask) }
    }

    pub(super) fn is_named(&self) -> bool {
        self.awaited.is_some()
    }

    pub(super) fn is_named_complete(&self) -> bool {
        self.awaited == Some(0) && self.state == PassState::Subscribed
    }
}

/// The state of the link.
#[derive(Debug)]
pub(super) enum LinkState {
    NotYet,
    Up,
    /// Lost for this reason.
    Lost(String),
    /// Everything was received, and the link may be closed.
    Done,
    /// Closed.
    Gone,
}
