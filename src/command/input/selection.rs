//! Selects the records of an input that become messages.

use std::fmt;
use std::time::SystemTime;

use super::moment::TimeRange;
use super::record::{NoRecord, Record};
use crate::clock;
use crate::protocol::topic;
use crate::quotation::cut;

/// Which records are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSelection {
    /// By the time of receipt (`--from`, `--to`).
    pub window: TimeRange,
    /// By topic: at least one of these checked filters has to match (`--topic-filter`); empty for all.
    pub filters: Vec<String>,
}

impl Default for RecordSelection {
    fn default() -> Self {
        Self { window: TimeRange::new(None, None), filters: Vec::new() }
    }
}

impl RecordSelection {
    /// Whether it selects everything.
    pub(super) fn is_all(&self) -> bool {
        self.filters.is_empty() && self.window.is_all()
    }

    /// Whether it needs the time of a record.
    pub(super) fn needs_time(&self) -> bool {
        !self.window.is_all()
    }

    /// Whether a record is published; `topic` is for records without one.
    pub(super) fn takes(&self, record: &Record<'_>, topic: &str, time: Option<SystemTime>) -> bool {
        let name = record.topic.as_deref().unwrap_or(topic);
        let is_of_topic = self.filters.is_empty()
            || self.filters.iter().any(|filter| topic::matches(filter.as_bytes(), name.as_bytes()));
        is_of_topic && time.is_none_or(|time| self.window.contains(time))
    }
}

/// Shows the options that select records.
impl fmt::Display for RecordSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topics = (!self.filters.is_empty()).then_some("--topic-filter");
        let options: Vec<&str> = topics.into_iter().chain(self.window.options()).collect();
        f.write_str(&options.join(", "))
    }
}

/// When the message of a record was received; `None` if the record has no time.
pub(super) fn time(record: &Record<'_>) -> Result<Option<SystemTime>, NoRecord> {
    let Some(received) = &record.received else { return Ok(None) };
    let time = clock::parse(received);
    time.map(Some).ok_or_else(|| NoRecord::new(format!("tst: '{}' is no time", cut(received))))
}
