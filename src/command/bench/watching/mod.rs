//! What is seen of a run while it goes on.
//!
//! | file | holds |
//! |---|---|
//! | `panel` | the live display on a terminal |
//! | `progress` | where the run is, and how long it still takes |
//!
//! All of it reads the counters that exist, once a second or on a timer: the threads of the load do the same with
//! and without it.

mod panel;
mod progress;

pub(super) use self::progress::{Look, Stage};

use self::panel::Panel;
use self::progress::RunProgress;
use super::config::Mode;
use super::engine::fleet::Fleet;
use super::recorder::Second;
use super::report::{SeriesSecond, text};
use super::rows::Row;
use crate::output::{Diagnostics, Live};

/// Between two drawings of the display, in nanoseconds: a little less than the time after which the director looks
/// again.
const REDRAWN_EVERY: u64 = 190_000_000;
/// Seconds of a row that is shown as the run goes.
const SHORTEST_SHOWN: f64 = 0.1;

/// Who watches a run.
pub(super) struct Watching<'a> {
    diagnostics: &'a Diagnostics,
    live: Live,
    panel: Panel,
    progress: RunProgress,
    has_messages: bool,
    began: u64,
    /// Clients that were connected at the end of the last row.
    connected: u64,
    drawn_at: u64,
}

impl<'a> Watching<'a> {
    pub(super) fn new(fleet: &Fleet, diagnostics: &'a Diagnostics) -> Self {
        Self {
            diagnostics,
            live: Live::start(diagnostics),
            panel: Panel::new(fleet),
            progress: RunProgress::new(&fleet.load, fleet.began),
            has_messages: fleet.load.mode != Mode::Connect,
            began: fleet.began,
            connected: 0,
            drawn_at: 0,
        }
    }

    /// The run goes on to its next stage.
    pub(super) fn enter(&mut self, stage: Stage, now: u64) {
        self.progress.enter(stage, now);
    }

    /// A row of the series is complete.
    pub(super) fn second(&mut self, row: Row, second: &Second) -> SeriesSecond {
        let shown = SeriesSecond::new(row, self.began, second);
        // A moment of a phase is in the series, and would only push others off the screen.
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

    /// Whether the display is to be drawn again.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.live.is_panel() && now >= self.drawn_at + REDRAWN_EVERY
    }

    /// Draws the display.
    pub(super) fn look(&mut self, now: u64, look: &Look) {
        self.drawn_at = now;
        self.live.draw(&self.panel.lines(&self.progress.at(now, look), look));
    }

    /// Takes the display away.
    pub(super) fn finish(&self) {
        self.live.finish();
    }
}
