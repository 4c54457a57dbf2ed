//! `bench compare`: reports side by side, with ratios, and whether a difference exceeds the variation between
//! the runs of one side.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::change::{ChangeLimit, ChangeResult};
use super::comparison::{as_markdown, as_object, as_page};
use super::report::export::{KIND, VERSION, read_report};
use super::report::figure::{Better, FIGURES, Section, Unit};
use super::report::finding::SATURATION;
use super::report::latency::{LATENCIES, statistic};
use super::report::numbers::{count, time};
use crate::error::Error;
use crate::notation::printable;
use crate::output::wrapped;
use crate::quantity::counted;

/// Separates the runs of two sides.
const BETWEEN: &str = "vs";
/// Minimum runs per side to tell a difference from noise.
const ENOUGH_RUNS: usize = 3;
/// Minimum gap between two sides of three runs, as a fraction of the wider range: a smaller gap may be noise.
const NEAR: f64 = 0.5;
/// Width of everything except the table, whose width depends on the number of sides.
const WIDTH: usize = 80;
/// Width of a side's name.
const NAME: usize = 12;

/// A figure that is compared.
pub(super) struct Compared {
    pub(super) name: String,
    /// The path in the report.
    place: String,
    pub(super) unit: Unit,
    pub(super) better: Better,
}

/// The compared figures of the table.
fn compared() -> Vec<Compared> {
    let figures = |own: bool| {
        let figures = FIGURES.iter().filter(move |figure| (figure.section == Section::Generator) == own);
        figures.filter_map(|figure| {
            let place = format!("/{}/{}", figure.section.key(), figure.key);
            Some(Compared { name: figure.compared?.into(), place, unit: figure.unit, better: figure.better })
        })
    };
    let latencies = LATENCIES.iter().flat_map(|latency| {
        let statistics = latency.compared.iter().filter_map(|name| statistic(name));
        statistics.map(|statistic| Compared {
            name: format!("{} {}", latency.label, statistic.name),
            place: format!("/latency_us/{}/{}", latency.key, statistic.key),
            unit: Unit::Microseconds,
            better: Better::Less,
        })
    });
    figures(false).chain(latencies).chain(figures(true)).collect()
}

impl Compared {
    /// A value, without a unit if the name contains it.
    fn text(&self, value: f64) -> String {
        if self.unit == Unit::Microseconds { time(value) } else { count(value) }
    }
}

/// Runs whose medians are compared with another side's.
pub(super) struct Side {
    /// The name of the first run and the number of further runs.
    pub(super) name: String,
    pub(super) files: Vec<PathBuf>,
    pub(super) reports: Vec<Value>,
}

impl Side {
    fn invalid_runs(&self) -> usize {
        self.reports.iter().filter(|report| report["valid"] != true).count()
    }

    /// Whether all runs are valid, or, if allowed, only limited by the generator.
    fn is_valid(&self, allow_saturated: bool) -> bool {
        self.reports.iter().all(|report| {
            let codes = report["problem_codes"].as_array();
            let only_saturated = || {
                codes.is_some_and(|codes| {
                    codes.iter().all(|code| code.as_str().is_some_and(|code| SATURATION.contains(&code)))
                })
            };
            report["valid"] == true || (allow_saturated && only_saturated())
        })
    }
}

/// The configuration of `bench compare`.
#[derive(Debug, Clone)]
pub struct CompareConfig {
    /// Reports, with `vs` between the sides.
    pub files: Vec<PathBuf>,
    /// Limits on changes from the first side to any other.
    pub fail_if: Vec<ChangeLimit>,
    /// A file for the table in Markdown.
    pub markdown: Option<PathBuf>,
    /// A file for the table as an HTML page.
    pub html: Option<PathBuf>,
}

/// Reads reports and compares them.
///
/// # Errors
/// A file that cannot be read or is not a report.
pub(super) fn run(config: &CompareConfig, as_json: bool, allow_saturated: bool) -> Result<Comparison, Error> {
    let files = &config.files;
    let groups: Vec<&[PathBuf]> = if files.iter().any(|file| file.as_os_str() == BETWEEN) {
        files.split(|file| file.as_os_str() == BETWEEN).collect()
    } else {
        files.chunks(1).collect()
    };
    if groups.iter().any(|files| files.is_empty()) {
        return Err(Error::usage("compare needs reports before and after each 'vs'"));
    }
    let names = names(&groups);
    let sides = groups.iter().zip(names).map(|(files, name)| {
        let reports = files.iter().map(|file| read(file)).collect::<Result<_, Error>>()?;
        Ok(Side { name, files: files.to_vec(), reports })
    });
    let sides: Vec<Side> = sides.collect::<Result<_, Error>>()?;
    let changes: Vec<ChangeResult> = config
        .fail_if
        .iter()
        .flat_map(|change| sides[1..].iter().map(|side| result(change, &sides[0], side)))
        .collect();
    Ok(Comparison {
        text: if as_json { as_object(&sides, &changes) } else { as_table(&sides).into_bytes() },
        markdown: config.markdown.as_ref().map(|_| as_markdown(&sides, &changes)),
        page: config.html.as_ref().map(|_| as_page(&sides, &changes)),
        is_valid: sides.iter().all(|side| side.is_valid(allow_saturated)),
        changes,
    })
}

/// The comparison of reports.
pub(super) struct Comparison {
    pub(super) text: Vec<u8>,
    /// The contents of the requested files.
    pub(super) markdown: Option<String>,
    pub(super) page: Option<String>,
    /// Whether every run is valid.
    pub(super) is_valid: bool,
    /// The results of the limits on changes.
    pub(super) changes: Vec<ChangeResult>,
}

/// The change of a figure's median from the first side to another.
fn result(change: &ChangeLimit, one: &Side, other: &Side) -> ChangeResult {
    let values =
        |side: &Side| -> Vec<f64> { side.reports.iter().filter_map(|report| change.value(report)).collect() };
    let (before, after) = (values(one), values(other));
    change.judge(&other.name, median(&before), median(&after), differs(&before, &after))
}

/// Names of the sides: the file of the first run, with its folder only if two sides would otherwise have the
/// same name.
fn names(groups: &[&[PathBuf]]) -> Vec<String> {
    let by = |name: fn(&Path) -> &OsStr| -> Vec<String> {
        let first = groups.iter().filter_map(|files| Some((files.first()?, files.len())));
        let named = first.map(|(file, runs)| {
            let name = name(file).to_string_lossy();
            if runs > 1 { format!("{name}+{}", runs - 1) } else { name.into_owned() }
        });
        named.collect()
    };
    let short = by(|file| file.file_stem().unwrap_or(file.as_os_str()));
    let distinct: HashSet<&String> = short.iter().collect();
    if distinct.len() == short.len() { short } else { by(Path::as_os_str) }
}

/// The end of a name that is too long for its column, as names of runs differ at the end.
fn short(name: &str) -> String {
    let name = printable(name);
    let length = name.chars().count();
    if length <= NAME {
        return name;
    }
    std::iter::once('…').chain(name.chars().skip(length + 1 - NAME)).collect()
}

fn read(file: &Path) -> Result<Value, Error> {
    let report = read_report(file, KIND, VERSION, "mqtt bench")?;
    checked(report)
        .map_err(|why| Error::file(format!("cannot read {}", file.display()), std::io::Error::other(why)))
}

/// The report, if the parts that are read have the expected form.
fn checked(report: Value) -> Result<Value, String> {
    for Compared { place, .. } in compared() {
        if report.pointer(&place).is_some_and(|value| !value.is_null() && !value.is_number()) {
            return Err(format!("its {place} is not a number"));
        }
    }
    if report["configuration"].is_object() { Ok(report) } else { Err("it has no configuration".into()) }
}

impl Side {
    pub(super) fn values(&self, place: &str) -> Vec<f64> {
        self.reports.iter().filter_map(|report| report.pointer(place)?.as_f64()).collect()
    }
}

pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle)?;
    if sorted.len() % 2 == 1 { Some(*upper) } else { Some(f64::midpoint(sorted[middle - 1], *upper)) }
}

/// Whether the ranges of the two sides do not overlap; `None` with too few runs. With three runs per side,
/// one of ten comparisons meets this by chance, so the gap must also exceed a share of the wider range, which
/// lowers that to one of forty (log-normal values, simulated; with four runs per side: 1 of 35).
fn differs(one: &[f64], other: &[f64]) -> Option<bool> {
    if one.len() < ENOUGH_RUNS || other.len() < ENOUGH_RUNS {
        return None;
    }
    let range = |values: &[f64]| {
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
    };
    let few = one.len().min(other.len()) == ENOUGH_RUNS;
    let (one, other) = (range(one), range(other));
    let gap = (other.0 - one.1).max(one.0 - other.1);
    let spread = (one.1 - one.0).max(other.1 - other.0);
    Some(gap > 0.0 && (!few || gap > spread * NEAR))
}

/// A figure with its values on all sides.
pub(super) struct ComparedRow {
    pub(super) figure: Compared,
    /// One for each side.
    pub(super) medians: Vec<Option<f64>>,
    /// The ratio of each further side to the first.
    pub(super) ratios: Vec<Option<f64>>,
    /// Whether each further side differs from the first by more than noise.
    pub(super) differs: Vec<Option<bool>>,
}

/// The figures that at least one side has.
pub(super) fn rows(sides: &[Side]) -> Vec<ComparedRow> {
    let row = |figure: Compared| {
        let values: Vec<Vec<f64>> = sides.iter().map(|side| side.values(&figure.place)).collect();
        let medians: Vec<Option<f64>> = values.iter().map(|values| median(values)).collect();
        let first = medians[0].filter(|one| *one != 0.0);
        let ratios = medians[1..].iter().map(|other| Some(other.as_ref()? / first?)).collect();
        let differs = values[1..].iter().map(|other| differs(&values[0], other)).collect();
        ComparedRow { figure, medians, ratios, differs }
    };
    compared().into_iter().map(row).filter(|row| row.medians.iter().any(Option::is_some)).collect()
}

impl ComparedRow {
    /// Whether any value is not zero.
    pub(super) fn is_of_interest(&self) -> bool {
        self.medians.iter().any(|median| median.is_some_and(|median| median != 0.0))
    }

    /// The cells of each side: the median and, from the second side on, the ratio with its mark.
    pub(super) fn cells(&self) -> impl Iterator<Item = (String, Option<(String, char)>)> + '_ {
        self.medians.iter().enumerate().map(|(place, median)| {
            let median = median.map_or("-".into(), |median| self.figure.text(median));
            let ratio = place.checked_sub(1).map(|place| {
                let ratio = self.ratios[place].map_or("-".into(), |ratio| format!("{ratio:.3}"));
                let mark = match self.differs[place] {
                    None => ' ',
                    Some(true) => '*',
                    Some(false) => '~',
                };
                (ratio, mark)
            });
            (median, ratio)
        })
    }
}

/// Medians of each side and, from the second side on, their ratio to the first, with a mark if there are
/// enough runs to tell a difference from noise.
fn as_table(sides: &[Side]) -> String {
    let mut out = format!("{:<17}", "");
    for (place, side) in sides.iter().enumerate() {
        let _ = write!(out, " {:>NAME$}{}", short(&side.name), if place > 0 { "    ratio  " } else { "" });
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    let rows = rows(sides);
    for row in rows.iter().filter(|row| row.is_of_interest()) {
        let mut line = format!("{:<17}", row.figure.name);
        for (median, ratio) in row.cells() {
            let _ = write!(line, " {median:>NAME$}");
            if let Some((ratio, mark)) = ratio {
                let _ = write!(line, " {ratio:>8}{mark} ");
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push('\n');
    for remark in remarks(sides, &rows) {
        for line in wrapped(&printable(&remark), WIDTH) {
            let _ = writeln!(out, "{line}");
        }
    }
    out
}

/// Remarks that explain the table.
pub(super) fn remarks(sides: &[Side], rows: &[ComparedRow]) -> Vec<String> {
    let mut remarks = Vec::new();
    for Side { name, files, .. } in sides.iter().filter(|side| side.files.len() > 1) {
        let runs: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
        remarks.push(format!("{name}: median of {}: {}", runs.len(), runs.join(", ")));
    }
    let judged = rows.iter().any(|row| row.is_of_interest() && row.differs.iter().any(Option::is_some));
    remarks.push(if judged {
        "* more than noise: the ranges of the sides do not overlap (with three runs: with a clear gap); ~ within noise"
            .into()
    } else {
        "to tell a difference from noise, give three runs or more a side, with 'vs' between the sides".into()
    });
    let settings = differences(sides);
    for ComparedSetting { name, values } in &settings {
        let values: Vec<String> = values.iter().map(|values| values.join(" and ")).collect();
        remarks.push(format!("different: {name} {}", values.join(" / ")));
    }
    for (place, side) in sides.iter().enumerate() {
        let mixed: Vec<&str> =
            settings.iter().filter(|one| one.values[place].len() > 1).map(|one| one.name.as_str()).collect();
        if !mixed.is_empty() {
            remarks.push(format!("mixed: the runs of {} have different {}", side.name, mixed.join(", ")));
        }
        let invalid = side.invalid_runs();
        if invalid > 0 {
            let runs = counted(side.reports.len() as u64, "run");
            remarks.push(format!("not valid: {invalid} of {runs} of {}", side.name));
        }
    }
    remarks
}

/// A setting that differs between runs.
pub(super) struct ComparedSetting {
    pub(super) name: String,
    /// All different values of each side.
    pub(super) values: Vec<Vec<String>>,
}

pub(super) fn differences(sides: &[Side]) -> Vec<ComparedSetting> {
    let all = || sides.iter().flat_map(|side| &side.reports);
    let mut found = Vec::new();
    let mut compare = |name: &str, value: &dyn Fn(&Value) -> String| {
        let values = sides.iter().map(|side| {
            let mut values: Vec<String> = Vec::new();
            for value in side.reports.iter().map(value) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            values
        });
        let values: Vec<Vec<String>> = values.collect();
        if values.iter().any(|of| of.len() > 1 || *of != values[0]) {
            found.push(ComparedSetting { name: name.to_owned(), values });
        }
    };
    for name in ["mode", "tool_version"] {
        compare(name, &|report| shown(&report[name]));
    }
    let mut seen = HashSet::new();
    let names = all().filter_map(|report| report["configuration"].as_object()).flat_map(|map| map.keys());
    for name in names.filter(|name| seen.insert(name.as_str())) {
        compare(name, &|report| {
            let configuration = &report["configuration"];
            // Each embedded broker has its own port, but is not a different broker.
            let own = name == "broker" && configuration["embedded"] == true;
            if own { "embedded".into() } else { shown(&configuration[name]) }
        });
    }
    found
}

/// A value in the form of the configuration: texts without quotes.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn medians_and_noise() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        assert_eq!(differs(&[1.0, 2.0], &[3.0, 4.0]), None);
        assert_eq!(differs(&[1.0, 2.0, 3.0], &[3.5, 4.0, 5.0]), Some(false), "near");
        assert_eq!(differs(&[1.0, 2.0, 3.0], &[4.5, 5.0, 6.0]), Some(true));
        assert_eq!(differs(&[9.0, 8.0, 7.0], &[4.5, 5.0, 5.5]), Some(true));
        assert_eq!(differs(&[1.0, 2.0, 2.5, 3.0], &[3.5, 4.0, 4.5, 5.0]), Some(true), "four");
        assert_eq!(differs(&[1.0, 2.0, 3.0], &[2.5, 4.0, 5.0]), Some(false));
    }

    #[test]
    fn sides_are_named_by_their_differences() {
        let names = |groups: &[&[&str]]| {
            let groups: Vec<Vec<PathBuf>> =
                groups.iter().map(|files| files.iter().map(PathBuf::from).collect()).collect();
            super::names(&groups.iter().map(Vec::as_slice).collect::<Vec<_>>())
        };
        assert_eq!(names(&[&["old/r1.json", "r2.json", "r3.json"], &["r4.json"]]), ["r1+2", "r4"]);
        assert_eq!(names(&[&["old/r1.json"], &["new/r1.json"]]), ["old/r1.json", "new/r1.json"]);
        assert_eq!(short("a_long_name_of_run_1+2"), "…_of_run_1+2");
        assert_eq!(short("r1+2"), "r1+2");
    }

    #[test]
    fn different_settings_within_one_side_are_reported() {
        let report = |qos: u8, port: u16| {
            let mut report: Value = serde_json::from_str(REPORT).unwrap();
            report["configuration"]["qos"] = qos.into();
            report["configuration"]["embedded"] = true.into();
            report["configuration"]["broker"] = format!("127.0.0.1:{port}").into();
            report
        };
        let side = |name: &str, reports: Vec<Value>| {
            let files = vec![PathBuf::from("r.json"); reports.len()];
            Side { name: name.into(), files, reports }
        };
        let sides =
            [side("a+1", vec![report(0, 1), report(0, 2)]), side("b+1", vec![report(0, 3), report(2, 4)])];
        let table = as_table(&sides);
        assert!(table.contains("a+1: median of 2: r.json, r.json\n"), "{table}");
        assert!(table.contains("different: qos 0 / 0 and 2\n"), "{table}");
        assert!(table.contains("mixed: the runs of b+1 have different qos\n"), "{table}");
        assert!(!table.contains("runs of a+1") && !table.contains("broker"), "{table}");
        let object: Value = serde_json::from_slice(&as_object(&sides, &[])).unwrap();
        assert_eq!(object["sides"][0]["mixed"], json!({}));
        assert_eq!(object["sides"][1]["mixed"], json!({"qos": ["0", "2"]}));
        assert_eq!(object["not_the_same"], json!({"qos": ["0", "0 and 2"]}));
    }

    /// The output of `compare` for two files.
    fn both(one: &[u8], other: &[u8]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let files = [folder.path().join("one.json"), folder.path().join("other.json")];
        std::fs::write(&files[0], one).unwrap();
        std::fs::write(&files[1], other).unwrap();
        let told = |error: Error| error.to_string();
        let config = CompareConfig { files: files.to_vec(), fail_if: Vec::new(), markdown: None, html: None };
        run(&config, true, false).map_err(told)?;
        run(&config, false, false).map(|compared| String::from_utf8(compared.text).unwrap()).map_err(told)
    }

    const REPORT: &str = r#"{"type":"bench","version":1,"mode":"e2e","valid":true,"tool_version":"1",
        "configuration":{"topic":"t","rate_per_s":1000.0},"throughput":{"delivered_per_s":1000.0},
        "latency_us":{"delivery":{"p50":1.0,"p99":2.5}},"series":[],
        "histograms_ns":{"delivery":"HISTFAAAAB942pNpmSzMwMDAxAABzFCaEUoz2X+AsQA3dwK5"}}"#;

    #[test]
    fn other_files_than_reports_are_refused() {
        assert!(both(REPORT.as_bytes(), REPORT.as_bytes()).unwrap().contains("delivery p99"));
        for (from, to, why) in [
            (REPORT, "", "EOF"),
            ("\"bench\"", "\"bench-calibration\"", "not a report of mqtt bench --json"),
            ("\"version\":1", "\"version\":2", "not a report of mqtt bench --json"),
            ("2.5", "\"2.5\"", "its /latency_us/delivery/p99 is not a number"),
            ("2.5", "1e999", "out of range"),
            ("\"configuration\":{", "\"configuration_\":{", "it has no configuration"),
            ("[]", &"[".repeat(100_000), "recursion limit"),
        ] {
            let error = both(REPORT.as_bytes(), REPORT.replace(from, to).as_bytes()).unwrap_err();
            assert!(error.contains(why) && error.contains("other.json"), "{error}");
        }
    }

    #[test]
    fn control_characters_of_a_report_are_escaped() {
        let other = REPORT.replace("\"t\"", "\"\\u001b[31m\\u009b\"");
        let table = both(REPORT.as_bytes(), other.as_bytes()).unwrap();
        assert!(table.contains("different: topic t / \\x1b[31m\\u{9b}\n"), "{table}");
    }

    proptest! {
        /// A damaged file is compared or refused, and its control characters do not reach the terminal.
        #[test]
        fn damaged_files_are_compared_or_refused(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            length in any::<prop::sample::Index>(),
            cut in any::<bool>(),
        ) {
            let mut bytes = REPORT.as_bytes().to_vec();
            for (place, byte) in damage {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if cut {
                bytes.truncate(length.index(bytes.len()));
            }
            match both(REPORT.as_bytes(), &bytes) {
                Ok(text) => prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{:?}", text),
                Err(error) => prop_assert!(error.contains("other.json"), "{}", error),
            }
        }
    }
}
