//! Observations during a run.
//!
//! | file | contents |
//! |---|---|
//! | `options` | the options |
//! | `broker` | observations of the broker |
//! | `process`, `samples`, `sys` | its process; its metrics, from its page and from topics below `$SYS` |
//! | `metrics`, `page` | metrics of the run for Prometheus, and their web page |
//! | `panel` | the live display on a terminal |
//! | `progress` | the phase of the run, and the remaining time |
//!
//! All observations read existing counters, once a second or on a timer: the threads of the load do the same
//! work
//! with and without them.

mod broker;
mod metrics;
mod options;
mod page;
mod panel;
mod process;
mod progress;
mod samples;
mod sys;

pub use self::options::{WatchOptions, WatchedProcess};
pub(super) use self::progress::{Look, Stage};

use std::cell::RefCell;
use std::task::Context;

use self::broker::{BrokerWatch, ProcessSecond};
use self::metrics::RunMetrics;
use self::page::MetricsPage;
use self::panel::Panel;
use self::process::BrokerProcess;
use self::progress::RunProgress;
use super::config::Mode;
use super::engine::fleet::Fleet;
use super::recorder::Second;
use super::report::broker::BrokerReport;
use super::report::{SeriesSecond, text};
use super::rows::Row;
use crate::error::Error;
use crate::output::{Diagnostics, Live};

/// The minimum interval between redraws, in nanoseconds; slightly shorter than the interval of the director.
const REDRAWN_EVERY: u64 = 190_000_000;
/// Minimum length in seconds of a row on the live display.
const SHORTEST_SHOWN: f64 = 0.1;

/// The observations, checked and opened; used for all runs.
#[derive(Debug, Default)]
pub(super) struct Watched {
    options: WatchOptions,
    /// The process differs between runs with the embedded broker.
    process: RefCell<Option<BrokerProcess>>,
    page: Option<MetricsPage>,
}

impl Watched {
    /// Checks the options before the first connection.
    ///
    /// # Errors
    /// There is no such process; the address of the page cannot be used.
    pub(super) fn open(options: &WatchOptions, diagnostics: &Diagnostics) -> Result<Self, Error> {
        let process = match options.broker_pid {
            Some(WatchedProcess::Pid(pid)) => Some(BrokerProcess::find(pid)?),
            Some(WatchedProcess::Embedded) | None => None,
        };
        let page = options.prometheus.map(MetricsPage::open).transpose()?;
        if let Some(page) = &page {
            diagnostics.state(format_args!("metrics: {}", page.url()));
        }
        Ok(Self { options: options.clone(), process: process.into(), page })
    }

    /// Sets the process of the embedded broker of the next run, if it is to be observed.
    ///
    /// # Errors
    /// It has already ended.
    pub(super) fn aim_at(&self, embedded: u32) -> Result<(), Error> {
        if self.options.broker_pid == Some(WatchedProcess::Embedded) {
            *self.process.borrow_mut() = Some(BrokerProcess::find(embedded)?);
        }
        Ok(())
    }
}

/// The observations of one run.
pub(super) struct Watching<'a> {
    diagnostics: &'a Diagnostics,
    live: Live,
    panel: Panel,
    broker: Option<BrokerWatch<'a>>,
    metrics: Option<RunMetrics>,
    progress: RunProgress,
    has_messages: bool,
    began: u64,
    /// Clients that were connected at the end of the last row.
    connected: u64,
    drawn_at: u64,
}

impl<'a> Watching<'a> {
    pub(super) fn new(fleet: &Fleet, watched: &'a Watched, diagnostics: &'a Diagnostics) -> Self {
        let metrics = watched.page.as_ref().map(|page| page.metrics.clone());
        if let Some(metrics) = &metrics {
            metrics.begin(fleet);
        }
        let process = watched.process.borrow().clone();
        Self {
            diagnostics,
            metrics,
            live: Live::start(diagnostics),
            panel: Panel::new(fleet),
            broker: BrokerWatch::new(&watched.options, process, fleet, diagnostics),
            progress: RunProgress::new(&fleet.load, fleet.began),
            has_messages: fleet.load.mode != Mode::Connect,
            began: fleet.began,
            connected: 0,
            drawn_at: 0,
        }
    }

    /// Starts the next part of the run.
    pub(super) fn enter(&mut self, stage: Stage, now: u64) {
        self.progress.enter(stage, now);
        if let (Stage::Leave, Some(broker)) = (stage, &self.broker) {
            broker.end();
        }
    }

    /// Continues the observations that are due.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(broker) = &mut self.broker {
            broker.poll(cx);
        }
    }

    /// Adds a complete row of the series.
    pub(super) fn second(&mut self, row: Row, second: &Second) -> SeriesSecond {
        let mut shown = SeriesSecond::new(row, self.began, second);
        if let Some(process) = self.process() {
            shown.broker_cpu_share = process.cpu_share;
            shown.broker_memory_bytes = Some(process.resident_bytes);
            shown.broker_descriptors = process.descriptors;
        }
        if let Some(metrics) = &self.metrics {
            metrics.add(&shown, second, self.process());
        }
        // Very short rows of a phase are in the series, but would only push others off the screen.
        if shown.length_s >= SHORTEST_SHOWN {
            if self.live.is_panel() {
                self.panel.add(&shown);
            } else {
                let line = text::live_line(&shown, self.connected, self.has_messages);
                self.live.show(self.diagnostics, &line);
            }
        }
        self.connected = shown.connected;
        shown
    }

    /// Prints a message about the run.
    pub(super) fn say(&self, text: &str) {
        self.diagnostics.state(text);
    }

    /// Whether a redraw is due.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.live.is_panel() && now >= self.drawn_at + REDRAWN_EVERY
    }

    /// Draws the display.
    pub(super) fn look(&mut self, now: u64, look: &Look) {
        self.drawn_at = now;
        let process = self.process();
        self.live.draw(&self.panel.lines(&self.progress.at(now, look), look, process));
    }

    fn process(&self) -> Option<ProcessSecond> {
        self.broker.as_ref()?.process()
    }

    /// Removes the display; returns the observations of the broker.
    pub(super) fn finish(&mut self) -> BrokerReport {
        self.live.finish();
        self.broker.as_mut().map(BrokerWatch::finish).unwrap_or_default()
    }
}
