//! The report for programs: as JSON object, CSV and `JUnit` XML; and the output files of all forms. They are
//! opened before the run, so that a file that cannot be written is reported before hours of load.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::super::config::Mode;
use super::super::shard::part::LoadShard;
use super::figure::{FIGURES, Section};
use super::{LoadReport, SeriesSecond, html, latency, markdown};
use crate::error::Error;
use crate::file::{OutputFile, Written, patiently};
use crate::notation::printable;
use crate::output::{self, TestCase, TestOutcome, put_json_line};

/// The type of the report.
pub(crate) const KIND: &str = "bench";
/// The types of reports that contain those of several runs.
const SEVERAL: [&str; 2] = ["bench-matrix", "bench-limit"];
/// The version of the report format.
pub(crate) const VERSION: u32 = 1;
impl Serialize for LoadReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", KIND)?;
        map.serialize_entry("version", &VERSION)?;
        map.serialize_entry("tool_version", crate::output::VERSION)?;
        map.serialize_entry("mode", &self.mode)?;
        map.serialize_entry("valid", &self.valid)?;
        map.serialize_entry("problems", &texts(&self.findings.problems))?;
        let codes: Vec<_> = self.findings.problems.iter().map(|problem| problem.code()).collect();
        map.serialize_entry("problem_codes", &codes)?;
        map.serialize_entry("notes", &texts(&self.findings.notes))?;
        let codes: Vec<_> = self.findings.notes.iter().map(|note| note.code()).collect();
        map.serialize_entry("note_codes", &codes)?;
        map.serialize_entry("interrupted", &self.interrupted)?;
        if let Some(aborted) = &self.aborted {
            map.serialize_entry("aborted", aborted)?;
        }
        map.serialize_entry("started", &self.started)?;
        map.serialize_entry("host", &self.host)?;
        map.serialize_entry("configuration", &self.configuration)?;
        if let Some(shard) = &self.shard {
            map.serialize_entry("shard", shard)?;
        }
        if let Some(merged) = &self.merged {
            map.serialize_entry("merged", merged)?;
        }
        map.serialize_entry("phases_s", &self.phases_s)?;
        for section in Section::ALL {
            map.serialize_entry(section.key(), &self.section(section))?;
        }
        if !self.groups.is_empty() {
            map.serialize_entry("groups", &self.groups)?;
        }
        if !self.broker.samples.is_empty() {
            map.serialize_entry("broker_samples", &self.broker.samples)?;
        }
        if !self.stages.is_empty() {
            map.serialize_entry("stages", &self.stages)?;
        }
        map.serialize_entry("main_latency", &self.main_latency.map(|main| latency::entry(main).key))?;
        let shown = || self.latencies.iter().filter_map(|latency| Some((latency, latency.all.as_ref()?)));
        map.serialize_entry("latency_us", &self.latency_objects())?;
        map.serialize_entry("errors", &self.errors)?;
        map.serialize_entry("thresholds", &self.thresholds)?;
        map.serialize_entry("series", &self.series)?;
        map.serialize_entry("disturbances", &self.disturbances)?;
        let histograms = shown().map(|(latency, all)| Ok((latency.key().into(), encoded(all)?.into())));
        let histograms: Object = histograms.collect::<Result<_, S::Error>>()?;
        map.serialize_entry("histograms_ns", &histograms)?;
        map.end()
    }
}

pub(crate) type Object = serde_json::Map<String, Value>;

fn texts(all: &[impl ToString]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

impl LoadReport {
    /// The latencies, by name.
    pub(crate) fn latency_objects(&self) -> Object {
        let shown = self.latencies.iter().filter(|latency| latency.all.is_some());
        shown.map(|latency| (latency.key().into(), latency.object())).collect()
    }

    /// A section of the report: its figures in the order of the table.
    pub(crate) fn section(&self, section: Section) -> Object {
        let mut object = Object::new();
        match section {
            Section::Messages => {
                object.insert("qos".into(), self.qos.into());
            }
            Section::Generator => {
                object.insert("saturated".into(), self.generator.saturated.into());
                object.insert("thread_cpu_share".into(), self.generator.thread_cpu_share.clone().into());
            }
            Section::Connections
            | Section::Throughput
            | Section::Operations
            | Section::Broker
            | Section::Derived => {}
        }
        let figures = FIGURES.iter().filter(|figure| figure.section == section);
        object.extend(figures.map(|figure| (figure.key.to_owned(), figure.json(self))));
        object
    }
}

/// A histogram in the exchange format of `HdrHistogram` (V2, compressed, base64), as in its logs. Most
/// implementations do not read the uncompressed format.
fn encoded<E: serde::ser::Error>(histogram: &Histogram<u64>) -> Result<String, E> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).map_err(E::custom)?;
    Ok(BASE64.encode(bytes))
}

pub(crate) fn json(report: &LoadReport) -> Result<Vec<u8>, Error> {
    let report =
        serde_json::to_value(report).map_err(|error| Error::file("cannot write the report", error.into()))?;
    let mut line = Vec::new();
    put_json_line(&mut line, &report);
    Ok(line)
}

/// The JSON object of a failed run: an error instead of figures, for the reader of standard output.
pub(crate) fn json_of_failure(mode: Mode, error: &Error) -> Vec<u8> {
    json_of_failed_shard(mode, error, None)
}

/// The same for a failed shard, with what the merge needs.
pub(crate) fn json_of_failed_shard(mode: Mode, error: &Error, shard: Option<&LoadShard>) -> Vec<u8> {
    let mut line = Vec::new();
    let mut report = serde_json::json!({
        "type": KIND,
        "version": VERSION,
        "tool_version": crate::output::VERSION,
        "mode": mode,
        "valid": false,
        "error": error.to_string(),
    });
    if let Some(LoadShard { run_id, number, of, .. }) = shard {
        report["shard"] = serde_json::json!({"run_id": run_id, "number": number, "of": of});
    }
    put_json_line(&mut line, &report);
    line
}

/// Maximum size of a report that is read: enough for a series of days.
const MOST_BYTES: u64 = 64 << 20;

/// Reads a report that an earlier run wrote with `--json`.
///
/// # Errors
/// A file that cannot be read or has other content.
pub(crate) fn read_report(file: &Path, kind: &str, version: u32, command: &str) -> Result<Value, Error> {
    let what = || format!("cannot read {}", file.display());
    let Written { bytes: text, .. } =
        Written::read(file, MOST_BYTES).map_err(|error| Error::file(what(), error))?;
    let other = |why| Error::file(what(), std::io::Error::other(why));
    let no_report = format!("it is not a report of {command} --json");
    let report: Value =
        serde_json::from_slice(&text).map_err(|error| other(format!("{no_report}: {error}")))?;
    if kind == KIND && report["type"].as_str().is_some_and(|found| SEVERAL.contains(&found)) {
        let why = "it is a report of several runs (--repeat, several --size or --qos, find-limit), and compare takes a file \
                   for each run: mqtt bench compare a1.json a2.json vs b1.json b2.json";
        return Err(other(why.into()));
    }
    if report["type"] != kind || report["version"] != version {
        return Err(other(no_report));
    }
    match report["error"].as_str() {
        Some(error) => Err(other(format!("that run failed: {}", printable(error)))),
        None => Ok(report),
    }
}

/// The series as CSV (RFC 4180), one line per second.
fn csv(report: &LoadReport) -> String {
    let columns = |second: &SeriesSecond| match serde_json::to_value(second) {
        Ok(Value::Object(columns)) => columns,
        _ => serde_json::Map::new(), // a struct of numbers and names always becomes an object
    };
    let heading: Vec<String> = columns(&SeriesSecond::default()).keys().cloned().collect();
    let rows = report.series.iter().map(|second| columns(second).values().map(field).collect());
    as_csv(std::iter::once(heading).chain(rows))
}

/// Rows with the same number of fields, as CSV.
pub(crate) fn as_csv(rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        // Cannot fail: it writes to memory, and all rows have the same number of fields.
        let _ = writer.write_record(&row);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

pub(crate) fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(name) => name.clone(),
        // Written as 1 instead of 1.0.
        Value::Number(number) if number.is_f64() => number.as_f64().unwrap_or_default().to_string(),
        other => other.to_string(),
    }
}

/// Thresholds as test cases in `JUnit` XML, for continuous integration.
fn junit(report: &LoadReport) -> String {
    suite(report.mode, report.phases_s.measure, test_cases(report))
}

/// A run and its thresholds as test cases, with their names.
pub(crate) fn test_cases(report: &LoadReport) -> Vec<(String, TestOutcome)> {
    let problems = texts(&report.findings.problems).join("; ");
    let valid = if report.valid { TestOutcome::Passed(None) } else { TestOutcome::Failed(problems) };
    let mut cases = vec![(VALID.to_owned(), valid)];
    if let Some(aborted) = &report.aborted {
        cases.push(("the run was not aborted".to_owned(), TestOutcome::Failed(aborted.shown())));
    }
    if report.interrupted {
        // As for the exit status, an interruption by the user is not a failure.
        let why = "it was interrupted: the figures cover the time until then";
        cases.push(("the run was completed".to_owned(), TestOutcome::Skipped(why.to_owned())));
    }
    cases.extend(report.limits().map(|(of, result)| {
        let was = format!("it was {}", result.text);
        let outcome = if result.broken { TestOutcome::Failed(was) } else { TestOutcome::Passed(Some(was)) };
        (format!("{of}{}", result.opposite), outcome)
    }));
    cases
}

const VALID: &str = "the run is valid";

/// The file for a run that could not be made.
pub(crate) fn junit_of_failure(mode: Mode, why: &str) -> String {
    suite(mode, 0.0, vec![(VALID.to_owned(), TestOutcome::Failed(why.to_owned()))])
}

/// Test cases as a file.
pub(crate) fn suite(mode: Mode, seconds: f64, cases: Vec<(String, TestOutcome)>) -> String {
    let class = format!("mqtt.bench.{}", mode.name());
    let cases = cases.into_iter().map(|(name, outcome)| TestCase {
        class: class.clone(),
        name,
        seconds: None,
        outcome,
    });
    output::junit(&format!("mqtt bench {}", mode.name()), seconds, &cases.collect::<Vec<_>>())
}

/// The form of a result file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Figures by second.
    Csv,
    /// An HTML page.
    Html,
    /// Tables for an issue or a pull request.
    Markdown,
    /// Thresholds as test cases.
    Junit,
}

/// The result files.
pub type Files = Vec<(Form, PathBuf)>;

/// The open result files.
#[derive(Debug, Default)]
pub(crate) struct Outputs(Vec<Output>);

impl Outputs {
    /// Opens the result files without changing their content. If one cannot be written, the others report
    /// that.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn open(files: &Files, mode: Mode) -> Result<Self, Error> {
        let (mut opened, mut failure) = (Self::default(), None);
        for (form, path) in files {
            match Output::open(path, *form) {
                Ok(output) => opened.0.push(output),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match failure {
            None => Ok(opened),
            Some(error) => {
                opened.fail(mode, &error);
                Err(error)
            }
        }
    }

    /// Writes the report to all files, even if one fails.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) fn write(self, report: &LoadReport) -> Result<(), Error> {
        self.write_each(|form| match form {
            Form::Csv => csv(report),
            Form::Html => html::render(report),
            Form::Markdown => markdown::render(report),
            Form::Junit => junit(report),
        })
    }

    /// Writes a text to each file, even if one fails.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) fn write_each(self, text: impl Fn(Form) -> String) -> Result<(), Error> {
        let written: Vec<_> = self.0.into_iter().map(|output| output.write(&text)).collect();
        written.into_iter().collect()
    }

    /// Writes why there is no report, because continuous integration expects a failed test.
    pub(crate) fn fail(self, mode: Mode, error: &Error) {
        for output in self.0.into_iter().filter(|output| output.form == Form::Junit) {
            // The error that prevented the report is the one to end with.
            let _ = output.write(|_| junit_of_failure(mode, &error.to_string()));
        }
    }
}

/// Writes a text to a file.
///
/// # Errors
/// A file that cannot be written.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    Output::open(path, Form::Markdown)?.write(|_| text.to_owned())
}

#[derive(Debug)]
struct Output {
    path: PathBuf,
    file: OutputFile,
    form: Form,
    /// Whether the file was created by this run; then it is still empty.
    is_new: bool,
}

impl Output {
    fn open(path: &Path, form: Form) -> Result<Self, Error> {
        let failed = |error| failed(path, error);
        let (file, is_new) = match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let open = |path: &Path| OpenOptions::new().write(true).open(path);
                (patiently(path, open).map_err(failed)?, false)
            }
            Err(error) => return Err(failed(error)),
        };
        let file = OutputFile::new(file, path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, form, is_new })
    }

    fn write(mut self, render: impl FnOnce(Form) -> String) -> Result<(), Error> {
        let text = render(self.form);
        self.file.replace(text.as_bytes()).map_err(|error| failed(&self.path, error))?;
        self.is_new = false;
        Ok(())
    }
}

impl Drop for Output {
    /// Removes a new file of a run without a report, instead of leaving it empty.
    fn drop(&mut self) {
        if self.is_new {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::file(format!("cannot write {}", path.display()), error)
}
