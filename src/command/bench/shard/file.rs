//! A shard's report, as read for the merge.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::super::config::Configuration;
use super::super::machine::Host;
use super::super::report::export::{KIND, VERSION};
use super::super::report::{Aborted, Phases, SeriesSecond};
use super::record::ShardRecord;
use crate::error::Error;
use crate::file::Written;
use crate::notation::printable;
use crate::output;

/// Maximum size of a report: enough for days of seconds.
const MOST_BYTES: u64 = 256 << 20;

/// The parts of a report that are read; the rest follows from them.
#[derive(Debug, Deserialize)]
struct ReportText<'a> {
    #[serde(rename = "type")]
    kind: String,
    version: u32,
    #[serde(default)]
    tool_version: String,
    error: Option<String>,
    #[serde(borrow)]
    shard: Option<&'a RawValue>,
    #[serde(borrow)]
    configuration: Option<&'a RawValue>,
    #[serde(borrow)]
    series: Option<&'a RawValue>,
    #[serde(default)]
    interrupted: bool,
    aborted: Option<Aborted>,
    #[serde(default)]
    started: String,
    #[serde(default)]
    host: Host,
    #[serde(default)]
    phases_s: Phases,
    #[serde(default)]
    throughput: WindowText,
    #[serde(default)]
    generator: GeneratorText,
}

#[derive(Debug, Default, Deserialize)]
struct WindowText {
    window_s: f64,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct GeneratorText {
    pub(super) saturated: bool,
    pub(super) process_cpu_s: f64,
    pub(super) memory_bytes: u64,
}

/// Identifies the shard of a report.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ShardIdentity {
    pub(super) run_id: String,
    pub(super) number: u32,
    pub(super) of: u32,
}

/// A shard's report.
#[derive(Debug)]
pub(super) struct ShardFile {
    pub(super) name: ShardIdentity,
    /// The measurements, or why there was no run.
    pub(super) outcome: Result<Box<MeasuredShard>, String>,
}

/// The measurements of a shard.
#[derive(Debug)]
pub(super) struct MeasuredShard {
    pub(super) record: ShardRecord,
    pub(super) configuration: Configuration,
    pub(super) series: Vec<SeriesSecond>,
    pub(super) interrupted: bool,
    pub(super) aborted: Option<Aborted>,
    pub(super) started: String,
    pub(super) host: Host,
    pub(super) phases: Phases,
    pub(super) window_s: f64,
    pub(super) generator: GeneratorText,
}

/// A report, or what a shard that was killed has left of it.
pub(super) type ReadShard = Result<ShardFile, TornReport>;

/// What is left of the report of a shard that was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TornReport {
    Empty,
    Torn,
}

impl fmt::Display for TornReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty; was its shard killed, or did it refuse its options?",
            Self::Torn => "its end is missing; was its shard killed?",
        })
    }
}

/// Whether this is the beginning of a JSON object without its end, or nothing.
fn torn(bytes: &[u8]) -> Option<TornReport> {
    if bytes.trim_ascii().is_empty() {
        return Some(TornReport::Empty);
    }
    let read: Result<IgnoredAny, serde_json::Error> = serde_json::from_slice(bytes);
    read.is_err_and(|error| error.is_eof() && bytes.starts_with(b"{")).then_some(TornReport::Torn)
}

impl ShardFile {
    /// Reads a report. The file of a shard that was killed is empty or torn.
    ///
    /// # Errors
    /// A file that cannot be read, or is not the report of a shard.
    pub(super) fn read(path: &Path) -> Result<ReadShard, Error> {
        let what = || format!("cannot read {}", path.display());
        let Written { bytes, .. } =
            Written::read(path, MOST_BYTES).map_err(|error| Error::file(what(), error))?;
        let why = match Self::parse(&bytes) {
            Ok(file) => return Ok(Ok(file)),
            Err(why) => why,
        };
        torn(&bytes).map(Err).ok_or_else(|| Error::file(what(), std::io::Error::other(why)))
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        const NO_REPORT: &str = "it is not a report of mqtt bench --shard --json";
        let other = |error: serde_json::Error| format!("{NO_REPORT}: {error}");
        let text: ReportText<'_> = serde_json::from_slice(bytes).map_err(other)?;
        if text.kind != KIND || text.version != VERSION {
            return Err(NO_REPORT.into());
        }
        let (None, Some(shard)) = (&text.error, text.shard) else {
            let name = text.shard.and_then(|shard| serde_json::from_str(shard.get()).ok());
            return match (text.error, name) {
                (Some(error), Some(name)) => Self { name, outcome: Err(printable(&error)) }.checked(),
                (Some(error), None) => Err(format!("that run failed: {}", printable(&error))),
                (None, _) => Err("it is the report of a run without --shard".into()),
            };
        };
        if text.tool_version != output::VERSION {
            let (found, expected) = (printable(&text.tool_version), output::VERSION);
            return Err(format!("it was written by mqtt {found}, and this is mqtt {expected}"));
        }
        let record: ShardRecord = serde_json::from_str(shard.get()).map_err(other)?;
        let (Some(configuration), Some(series)) = (text.configuration, text.series) else {
            return Err(format!("{NO_REPORT}: it has no configuration or no series"));
        };
        let configuration: Configuration = serde_json::from_str(configuration.get()).map_err(other)?;
        let is_whole = record.asked.mode.publishes() == configuration.sending.is_some()
            && record.asked.qos <= 2
            && u16::try_from(record.groups.len()).is_ok();
        if !is_whole {
            return Err(format!("{NO_REPORT}: its configuration is not that of its shard"));
        }
        let name = ShardIdentity { run_id: record.run_id.clone(), number: record.number, of: record.of };
        let measured = MeasuredShard {
            record,
            configuration,
            series: serde_json::from_str(series.get()).map_err(other)?,
            interrupted: text.interrupted,
            aborted: text.aborted,
            started: text.started,
            host: text.host,
            phases: text.phases_s,
            window_s: text.throughput.window_s,
            generator: text.generator,
        };
        Self { name, outcome: Ok(Box::new(measured)) }.checked()
    }

    fn checked(self) -> Result<Self, String> {
        let ShardIdentity { number, of, .. } = self.name;
        if number == 0 || number > of {
            return Err(format!("invalid shard number {number} of {of}"));
        }
        Ok(self)
    }
}
