//! One subscription of a scan, its progress, and its end.

use super::super::stored;
use super::scan::ScanOptions;
use crate::output::Diagnostics;
use crate::protocol::QoS;
use crate::quantity::duration;

/// How much memory the topics that were found may take.
pub(super) const MOST_FOUND_BYTES: usize = 256 * 1024 * 1024;

/// What ended a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanEndedBy {
    /// Everything has come.
    Stored(stored::CompleteBy),
    /// The time was over.
    Timeout,
    /// More was there than is remembered.
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

    /// Everything that is there was seen.
    pub(super) fn is_complete(self) -> bool {
        matches!(self, Self::Stored(_))
    }

    /// Says why there may be more.
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

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PassPurpose {
    /// Everything about every message.
    Ask,
    /// Whether there are topics not seen yet.
    Check,
}

/// One subscription to some filters.
pub(super) struct Pass {
    pub(super) filters: Vec<String>,
    pub(super) qos: QoS,
    pub(super) purpose: PassPurpose,
    pub(super) state: PassState,
    /// Topics asked for by name that have not come yet; when all have, there is nothing to wait for.
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

    /// For topics asked for by name.
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
