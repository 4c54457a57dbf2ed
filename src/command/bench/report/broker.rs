//! What was seen of the broker beside the load: its process and the numbers that it tells of itself.

use serde::{Serialize, Serializer};

use super::finding::Note;

/// What was seen of the broker.
#[derive(Debug, Clone, Default)]
pub(crate) struct BrokerReport {
    /// The command of its process, if that was watched.
    pub(crate) process: Option<String>,
    /// What it tells of itself.
    pub(crate) samples: Vec<SampledSeries>,
    /// What was not seen.
    pub(crate) notes: Vec<Note>,
}

/// Where a broker tells numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SampleSource {
    /// Its page for Prometheus.
    Metrics,
    /// Topics below `$SYS`.
    Sys,
}

impl Serialize for SampleSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Metrics => "metrics",
            Self::Sys => "sys",
        })
    }
}

/// A number over time.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SampledSeries {
    pub(crate) source: SampleSource,
    /// A metric with its labels, or a topic.
    pub(crate) name: String,
    /// The user has named it.
    #[serde(skip)]
    pub(crate) chosen: bool,
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// Second of the run, and value. Of a long run, not each.
    pub(crate) points: Vec<(f64, f64)>,
}
