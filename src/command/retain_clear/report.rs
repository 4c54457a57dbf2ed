//! The JSON report: one object, every topic with its fate.

use std::time::Duration;

use serde::Serialize;

use super::super::attention::Attention;
use super::entry::{Fate, RetainedTopic};
use super::listing::Listing;
use super::scan::Scanned;
use crate::error::Error;
use crate::output::{Diagnostics, put_json_text};

/// The version of the report's format.
const VERSION: u32 = 1;

/// The report of a scan.
#[derive(Debug, Serialize)]
pub(super) struct ScanReport {
    ended_by: &'static str,
    duration_us: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused_filters: Vec<RefusedFilter>,
}

#[derive(Debug, Serialize)]
struct RefusedFilter {
    filter: String,
    reason_code: u8,
}

impl ScanReport {
    pub(super) fn of(scanned: &Scanned) -> Self {
        let refused = scanned.refused.iter();
        Self {
            ended_by: scanned.ended_by.name(),
            duration_us: micros(scanned.took),
            refused_filters: refused
                .map(|(filter, reason)| RefusedFilter { filter: filter.clone(), reason_code: reason.0 })
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct TopicRecord<'a> {
    topic: &'a str,
    qos: u8,
    payload_bytes: u64,
    fate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<u8>,
}

impl<'a> TopicRecord<'a> {
    fn of(entry: &'a RetainedTopic) -> Self {
        Self {
            topic: &entry.topic,
            qos: entry.qos as u8,
            payload_bytes: entry.payload_bytes,
            fate: entry.fate.name(),
            reason_code: match entry.fate {
                Fate::Refused(reason) => Some(reason.0),
                _ => None,
            },
        }
    }
}

/// The report of a run.
#[derive(Serialize)]
pub(super) struct ClearReport<'a> {
    r#type: &'static str,
    version: u32,
    mode: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    filters: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    scan: Option<&'a ScanReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<&'a ScanReport>,
    passes: u32,
    found: usize,
    done: usize,
    left: usize,
    interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// Written one by one as `topics`, the last key.
    #[serde(skip)]
    entries: &'a [RetainedTopic],
}

/// The parts of a report.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    pub(super) mode: &'static str,
    pub(super) filters: &'a [String],
    pub(super) scan: Option<&'a ScanReport>,
    pub(super) verification: Option<&'a ScanReport>,
    pub(super) passes: u32,
    /// Why the run ended early.
    pub(super) error: Option<&'a str>,
}

impl<'a> ClearReport<'a> {
    pub(super) fn new(parts: &Parts<'a>, entries: &'a [RetainedTopic]) -> Self {
        Self {
            r#type: "retain-clear",
            version: VERSION,
            mode: parts.mode,
            filters: parts.filters,
            scan: parts.scan,
            verification: parts.verification,
            passes: parts.passes,
            found: entries.len(),
            done: entries.iter().filter(|e| matches!(e.fate, Fate::Cleared | Fate::Restored)).count(),
            left: left(entries),
            interrupted: parts.error.is_some(),
            error: parts.error,
            entries,
        }
    }

    /// Writes one line. The topics may fill much of the memory, so they are not held a second time.
    ///
    /// # Errors
    /// Those of standard output.
    pub(super) async fn write(
        &self,
        shown: &mut Listing,
        attention: &mut Attention,
        diagnostics: &Diagnostics,
    ) -> Result<(), Error> {
        let out = shown.stdout.buffer();
        put_json_text(out, self);
        // The object stays open for one more key.
        out.pop();
        out.extend_from_slice(b",\"topics\":[");
        for (index, entry) in self.entries.iter().enumerate() {
            let out = shown.stdout.buffer();
            if index > 0 {
                out.push(b',');
            }
            put_json_text(out, &TopicRecord::of(entry));
            shown.flush_if_large(attention, diagnostics).await?;
        }
        shown.stdout.buffer().extend_from_slice(b"]}\n");
        Ok(())
    }
}

/// The number of topics that were not processed as requested.
pub(super) fn left(entries: &[RetainedTopic]) -> usize {
    entries.iter().filter(|entry| entry.fate.why_left().is_some()).count()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
