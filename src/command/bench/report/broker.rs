//! Observations of the broker besides the load: its process, and the metrics that it publishes.

use serde::{Serialize, Serializer};

use super::finding::Note;

/// Observations of the broker.
#[derive(Debug, Clone, Default)]
pub(crate) struct BrokerReport {
    /// The command of its process, if it was observed.
    pub(crate) process: Option<String>,
    /// The metrics that it publishes.
    pub(crate) samples: Vec<SampledSeries>,
    /// What could not be observed.
    pub(crate) notes: Vec<Note>,
}

/// The source of a broker's metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SampleSource {
    /// Its Prometheus page.
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

/// The values of a metric over time.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SampledSeries {
    pub(crate) source: SampleSource,
    /// A metric with its labels, or a topic.
    pub(crate) name: String,
    /// Whether the user selected it.
    #[serde(skip)]
    pub(crate) chosen: bool,
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// Second of the run, and value; thinned out for long runs.
    pub(crate) points: Vec<(f64, f64)>,
}
