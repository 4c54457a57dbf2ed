//! The merged report: the reports of shards are read one after the other, and their counters and histograms
//! added.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use serde_json::Value;

use super::super::beside::{Beside, StageRecords};
use super::super::config::Configuration;
use super::super::impact::Window;
use super::super::recorder::{LatencyKind, Recorder};
use super::super::report::asked::AskedLoad;
use super::super::report::broker::BrokerReport;
use super::super::report::finding::{Note, Problem};
use super::super::report::group::GroupReport;
use super::super::report::latency::{ONE_WAY, microseconds};
use super::super::report::{Aborted, Drained, LoadReport, Phases, RunOutcome};
use super::super::stamp::Timeline;
use super::super::threshold::{RunLimits, Threshold};
use super::around::MergedImpact;
use super::digest::common;
use super::file::{MeasuredShard, ReadShard, ShardFile, ShardIdentity};
use super::named::NamedShards;
use super::record::{GroupRecord, MergedClock, MergedRun, StageRecord};
use super::series::MergedSeries;
use crate::error::Error;
use crate::notation::printable;
use crate::thread::start_in;

/// The start of the measurement in nanoseconds: later than the start of connecting in any run.
const MEASURE: u64 = 1 << 62;
/// Shards whose starts differ by more than this, by their clocks, do not measure together.
const MOST_APART_S: f64 = 1.0;
/// Maximum number of brokers that are named.
const MOST_BROKERS: usize = 1000;

/// What to merge.
#[derive(Debug, Clone)]
pub struct MergeConfig {
    /// The reports of the shards.
    pub files: Vec<PathBuf>,
    /// A file for the merged report as JSON, if it does not only go to standard output.
    pub output: Option<PathBuf>,
}

/// The merged report, and the thresholds given to the shards.
pub(in crate::command::bench) struct Merged {
    pub(in crate::command::bench) report: LoadReport,
    pub(in crate::command::bench) limits: RunLimits,
}

/// The common settings of all shards.
struct Common {
    digest: String,
    path: PathBuf,
    configuration: Configuration,
    asked: AskedLoad,
    fail_if: Vec<String>,
    stages_fail_if: Vec<Vec<String>>,
}

/// The sums so far.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is an answer of its own")]
struct Merge {
    common: Option<Common>,
    /// The run of all reports, with the file of the first.
    run: Option<(ShardIdentity, PathBuf)>,
    seen: BTreeMap<u32, PathBuf>,
    failed: Vec<(u32, String)>,
    saturated: Vec<u32>,
    groups: Vec<(String, u32, Recorder)>,
    stages: Vec<(u64, Recorder)>,
    impact: Option<MergedImpact>,
    series: MergedSeries,
    phases: Phases,
    warmup_ns: u64,
    measure_ns: u64,
    window_s: f64,
    aborted: Option<Aborted>,
    drained: Drained,
    subscribe_unanswered: bool,
    /// Of all shards, if each has stored its messages.
    stored_s: Option<f64>,
    has_unstored: bool,
    retained_left: bool,
    interrupted: Vec<u32>,
    unread: Vec<String>,
    window: Option<u16>,
    started: Option<String>,
    host: Option<super::super::machine::Host>,
    process_cpu_s: f64,
    memory_bytes: u64,
    threads: usize,
    brokers: BTreeSet<String>,
    clocks: Vec<MergedClock>,
    /// The first and the last start by each clock, in seconds since 1970.
    starts: BTreeMap<String, (f64, f64)>,
    is_aligned_by_barrier: bool,
}

/// Merges the reports.
///
/// # Errors
/// A file that cannot be read, or does not belong to the run of the others.
pub(in crate::command::bench) fn merge(config: &MergeConfig) -> Result<Merged, Error> {
    let mut merge = Merge::default();
    let (send, receive) = mpsc::sync_channel::<(&Path, Result<ReadShard, Error>)>(1);
    std::thread::scope(|scope| {
        // One report is read while another is added.
        start_in(scope, "reports", move || {
            for path in &config.files {
                let read = ShardFile::read(path);
                if send.send((path, read)).is_err() {
                    return;
                }
            }
        })?;
        let receive = receive; // moved, so that an error drops it and ends the reader
        receive.iter().try_for_each(|(path, read)| match read? {
            Ok(file) => merge.add(path, file),
            Err(torn) => {
                merge.unread.push(format!("{}: {torn}", path.display()));
                Ok(())
            }
        })
    })?;
    merge.finish()
}

impl Merge {
    fn add(&mut self, path: &Path, file: ShardFile) -> Result<(), Error> {
        let ShardFile { name, outcome } = file;
        self.check_run(path, &name)?;
        if let Some(first) = self.seen.insert(name.number, path.to_owned()) {
            let what = format!(
                "shard {} of {} is in {} and in {}",
                name.number,
                name.of,
                first.display(),
                path.display()
            );
            return Err(Error::usage(what).with_hint("give the report of each shard once"));
        }
        match outcome {
            Err(why) => self.failed.push((name.number, why)),
            Ok(measured) => {
                self.check_configuration(path, &measured)?;
                let unread = |why: String| {
                    Error::file(format!("cannot read {}", path.display()), std::io::Error::other(why))
                };
                self.add_measured(*measured).map_err(unread)?;
            }
        }
        Ok(())
    }

    /// Checks that all reports are of one run.
    fn check_run(&mut self, path: &Path, name: &ShardIdentity) -> Result<(), Error> {
        let Some((run, first)) = &self.run else {
            self.run = Some((name.clone(), path.to_owned()));
            return Ok(());
        };
        if (&run.run_id, run.of) != (&name.run_id, name.of) {
            let what = format!(
                "{} is of run {} with {} shards, and {} of run {} with {}",
                path.display(),
                printable(&name.run_id),
                name.of,
                first.display(),
                printable(&run.run_id),
                run.of
            );
            return Err(Error::usage(what).with_hint("merge the shards of one run"));
        }
        Ok(())
    }

    /// Checks that all shards have the same settings.
    fn check_configuration(&mut self, path: &Path, measured: &MeasuredShard) -> Result<(), Error> {
        let MeasuredShard { record, configuration, .. } = measured;
        let Some(first) = &self.common else {
            self.common = Some(Common {
                digest: record.configuration.clone(),
                path: path.to_owned(),
                configuration: configuration.clone(),
                asked: record.asked.clone(),
                fail_if: record.fail_if.clone(),
                stages_fail_if: record.stages_fail_if.clone(),
            });
            return Ok(());
        };
        if record.configuration == first.digest {
            if record.fail_if == first.fail_if && record.stages_fail_if == first.stages_fail_if {
                return Ok(());
            }
            let what = format!("{} and {} have different --fail-if", path.display(), first.path.display());
            return Err(
                Error::usage(what).with_hint("give the conditions to each shard, or to mqtt bench merge")
            );
        }
        let different = differences(&common(configuration), &common(&first.configuration));
        let different =
            if different.is_empty() { "groups of clients differ".into() } else { different.join(", ") };
        Err(Error::usage(format!(
            "{} and {} have different settings: {}",
            path.display(),
            first.path.display(),
            printable(&different)
        ))
        .with_hint("all shards of a run need the same options except --shard"))
    }

    fn add_measured(&mut self, measured: MeasuredShard) -> Result<(), String> {
        let MeasuredShard {
            record,
            configuration,
            series,
            interrupted,
            aborted,
            started,
            host,
            phases,
            window_s,
            generator,
        } = measured;
        self.add_groups(record.groups)?;
        self.add_stages(record.stages)?;
        if let Some(impact) = record.impact {
            let whole = || MergedImpact::new(&record.asked.disturbances, MEASURE);
            impact.add_to(self.impact.get_or_insert_with(whole))?;
        }
        // A shard that never started was connecting until its end.
        let connecting = phases.connect + phases.subscribe;
        self.series.add(series, record.start_s.unwrap_or(connecting).max(0.0));
        self.phases = Phases {
            connect: self.phases.connect.max(phases.connect),
            subscribe: self.phases.subscribe.max(phases.subscribe),
            warmup: self.phases.warmup.max(phases.warmup),
            measure: self.phases.measure.max(phases.measure),
            drain: self.phases.drain.max(phases.drain),
        };
        self.warmup_ns = self.warmup_ns.max(record.warmup_ns);
        self.measure_ns = self.measure_ns.max(record.measure_ns);
        self.window_s = self.window_s.max(window_s);
        if interrupted {
            self.interrupted.push(record.number);
        }
        self.stored_s = self.stored_s.into_iter().chain(record.stored_s).reduce(f64::max);
        self.has_unstored |= record.stored_s.is_none();
        self.retained_left |= record.retained_left;
        if self.aborted.is_none() {
            self.aborted = aborted;
        }
        self.drained.is_unanswered |= record.drain_unanswered;
        self.drained.is_arriving |= record.drain_arriving;
        self.subscribe_unanswered |= record.subscribe_unanswered;
        self.window = Some(self.window.map_or(record.window, |window| window.min(record.window)));
        if self.started.as_ref().is_none_or(|first| started < *first) {
            self.started = Some(started);
        }
        self.host.get_or_insert(host);
        self.process_cpu_s += generator.process_cpu_s;
        self.memory_bytes = self.memory_bytes.saturating_add(generator.memory_bytes);
        self.threads = self.threads.saturating_add(configuration.threads);
        if generator.saturated {
            self.saturated.push(record.number);
        }
        if self.brokers.len() < MOST_BROKERS {
            self.brokers.insert(configuration.broker);
        }
        let identity = record.clock.identity.clone();
        self.clocks.push(MergedClock { shard: record.number, clock: record.clock });
        self.is_aligned_by_barrier |= record.start == "barrier";
        if let Some(start) = record.start_unix_s {
            let (first, last) = self.starts.entry(identity).or_insert((start, start));
            (*first, *last) = (first.min(start), last.max(start));
        }
        Ok(())
    }

    fn add_groups(&mut self, groups: Vec<GroupRecord>) -> Result<(), String> {
        if self.groups.is_empty() {
            self.groups = groups.iter().map(|one| (one.name.clone(), 0, Recorder::default())).collect();
        }
        if self.groups.len() != groups.len() {
            return Err(format!("it has {} groups of clients, and not {}", groups.len(), self.groups.len()));
        }
        for ((_, clients, recorder), group) in self.groups.iter_mut().zip(groups) {
            *clients = clients.saturating_add(group.clients);
            group.recorded.add_to(recorder, MEASURE)?;
        }
        Ok(())
    }

    fn add_stages(&mut self, stages: Vec<StageRecord>) -> Result<(), String> {
        for (place, stage) in stages.into_iter().enumerate() {
            if place == self.stages.len() {
                self.stages.push((stage.begin_ns, Recorder::default()));
            }
            stage.recorded.add_to(&mut self.stages[place].1, MEASURE)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Merged, Error> {
        let Some((run, _)) = self.run.take() else {
            let why = std::io::Error::other(self.unread.join("; "));
            return Err(Error::file("no shard has a report", why));
        };
        let Some(common) = self.common.take() else {
            let (number, why) = self.failed.first().cloned().unwrap_or_default();
            return Err(Error::file(
                "no shard has measured anything",
                std::io::Error::other(format!("shard {number}: {why}")),
            ));
        };
        let missing: Vec<u32> = (1..=run.of).filter(|number| !self.seen.contains_key(number)).collect();
        self.failed.sort();
        self.saturated.sort_unstable();
        self.interrupted.sort_unstable();
        let failed: Vec<u32> = self.failed.iter().map(|(number, _)| *number).collect();
        let machines = self.clocks.iter().map(|known| &*known.clock.identity).collect::<BTreeSet<_>>().len();
        let is_one_way = machines > 1 && common.asked.main_latency() == Some(LatencyKind::Delivery);
        let clock_error = self.clock_error().filter(|_| is_one_way);
        if is_one_way && clock_error.is_none() {
            self.withhold();
        }
        self.clocks.sort_by_key(|known| known.shard);
        let spread = spread(self.starts.values());
        // Shards at a barrier need no clocks that agree, but those with one clock have to start at one time by it.
        let by_clock = self.starts.values().filter_map(|of_one| self::spread([of_one]));
        let judged = if self.is_aligned_by_barrier { by_clock.reduce(f64::max) } else { spread };
        let apart = judged.filter(|spread| *spread > MOST_APART_S);
        let named = |numbers: &[u32]| NamedShards::of(numbers, run.of);
        let problems = [
            named(&missing).map(Problem::ShardsMissing),
            named(&failed).map(Problem::ShardsFailed),
            named(&self.interrupted).map(Problem::ShardsInterrupted),
            named(&self.saturated).map(Problem::ShardsSaturated),
            apart.map(|seconds| Problem::ShardsApart { apart_us: seconds * 1e6 }),
            self.subscribe_unanswered.then_some(Problem::SubscribeUnanswered),
        ];
        let merged = MergedRun {
            run_id: run.run_id,
            shards: run.of,
            missing,
            failed,
            saturated: std::mem::take(&mut self.saturated),
            brokers: self.brokers.iter().cloned().collect(),
            machines,
            clock_error_us: clock_error.map(microseconds),
            clocks: if is_one_way { std::mem::take(&mut self.clocks) } else { Vec::new() },
            start_spread_s: spread.map(|spread| (spread * 1e6).round() / 1e6),
        };
        let Common { configuration, asked, fail_if, stages_fail_if, .. } = common;
        let limits = RunLimits {
            whole: thresholds(&fail_if)?,
            stages: stages_fail_if.iter().map(|all| thresholds(all)).collect::<Result<_, _>>()?,
        };
        let configuration = self.whole_configuration(configuration);
        let outcome = self.outcome(&configuration, problems.into_iter().flatten().collect());
        let mut report = LoadReport::sum_up((&asked, configuration), outcome);
        match clock_error {
            Some(error) => {
                report.doubt_one_way(error);
                report.findings.notes.push(Note::OneWayCorrected { machines, error_us: microseconds(error) });
            }
            None if is_one_way => report.findings.notes.push(Note::OneWayWithheld { machines }),
            None => {}
        }
        report.merged = Some(merged);
        Ok(Merged { report, limits })
    }

    /// The error of a time from one shard to another: the sum of the two largest errors; `None` if one is unknown.
    fn clock_error(&self) -> Option<u64> {
        let errors: Option<Vec<u64>> = self.clocks.iter().map(|known| known.clock.used_error_ns).collect();
        let mut errors = errors?;
        errors.sort_unstable_by(|one, other| other.cmp(one));
        Some(errors.iter().take(2).fold(0, |sum: u64, error| sum.saturating_add(*error)))
    }

    /// Removes times between machines whose clocks differ and were not compared.
    fn withhold(&mut self) {
        let groups = self.groups.iter_mut().map(|(.., recorder)| recorder);
        let stages = self.stages.iter_mut().map(|(_, recorder)| recorder);
        groups.chain(stages).for_each(|recorder| ONE_WAY.iter().for_each(|kind| recorder.forget(*kind)));
        let windows = self.impact.iter_mut().flat_map(|whole| &mut whole.impact.windows);
        windows.for_each(Window::forget_latencies);
        self.series.withhold();
    }

    /// The settings of all shards together.
    fn whole_configuration(&self, first: Configuration) -> Configuration {
        let others = self.brokers.len().saturating_sub(1);
        let broker = match others {
            0 => first.broker,
            1 => format!("{} and 1 other", first.broker),
            _ => format!("{} and {others} others", first.broker),
        };
        Configuration { broker, threads: self.threads, ..first }
    }

    fn outcome(self, configuration: &Configuration, problems: Vec<Problem>) -> RunOutcome {
        let report =
            |(name, clients, recorder): &(String, u32, Recorder)| GroupReport::new(name, *clients, recorder);
        let has_groups = configuration.scenario.is_some();
        let groups = self.groups.iter().filter(|_| has_groups).map(report).collect();
        let mut recorder = Recorder::default();
        for (.., of_group) in self.groups {
            recorder.merge(of_group);
        }
        for unread in self.unread {
            recorder.add_errors(unread, 1);
        }
        for (number, why) in self.failed {
            recorder.add_errors(format!("shard {number}: {why}"), 1);
        }
        let (impact, disturbed) = self.impact.map_or((None, Vec::new()), MergedImpact::into_parts);
        let mut beside = Beside { impact, ..Beside::default() };
        if !self.stages.is_empty() {
            let (marks, recorders): (Vec<u64>, Vec<Recorder>) = self.stages.into_iter().unzip();
            let marks = marks.into_iter().map(|begin| MEASURE.saturating_add(begin)).collect();
            let mut stages = StageRecords::new(marks);
            stages.recorders = recorders;
            beside.stages = Some(stages);
        }
        recorder.beside = (!beside.is_empty()).then(|| Box::new(beside));
        let start = MEASURE.saturating_sub(self.warmup_ns);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most a hundred days, and not negative"
        )]
        let lead = (self.series.lead_s() * 1e9) as u64;
        let payload_bytes = configuration.sending.as_ref().map_or(0, |sending| sending.payload_bytes);
        RunOutcome {
            recorder,
            groups,
            series: self.series.finish(),
            phases: self.phases,
            timeline: Timeline { start, measure: MEASURE, end: MEASURE.saturating_add(self.measure_ns) },
            window_s: self.window_s,
            interrupted: !self.interrupted.is_empty(),
            aborted: self.aborted,
            drained: self.drained,
            problems,
            beside: BrokerReport::default(),
            disturbed,
            began: start.saturating_sub(lead),
            started: self.started.unwrap_or_default(),
            broker: configuration.broker.clone(),
            protocol: configuration.protocol.clone(),
            host: self.host.unwrap_or_default(),
            payload_bytes,
            window: self.window.unwrap_or(u16::MAX),
            process_cpu_s: self.process_cpu_s,
            memory_bytes: self.memory_bytes,
            stored_s: self.stored_s.filter(|_| !self.has_unstored),
            retained_left: self.retained_left,
            shard: None,
        }
    }
}

/// The time between the first and the last of these starts.
fn spread<'a>(starts: impl IntoIterator<Item = &'a (f64, f64)>) -> Option<f64> {
    let whole = starts.into_iter().copied().reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
    whole.map(|(first, last)| last - first)
}

/// Thresholds from the texts in a report.
fn thresholds(texts: &[String]) -> Result<Vec<Threshold>, Error> {
    let parse = |text: &String| {
        text.parse()
            .map_err(|why| Error::usage(format!("--fail-if '{}' of a report: {why}", printable(text))))
    };
    texts.iter().map(parse).collect()
}

/// The settings that differ, with both values.
fn differences(one: &Value, other: &Value) -> Vec<String> {
    let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else { return Vec::new() };
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let value = |settings: &serde_json::Map<String, Value>, name: &str| {
        settings.get(name).map_or_else(|| "none".to_owned(), ToString::to_string)
    };
    let different = names.into_iter().filter(|name| one.get(*name) != other.get(*name));
    different.map(|name| format!("{name} {} / {}", value(one, name), value(other, name))).collect()
}
