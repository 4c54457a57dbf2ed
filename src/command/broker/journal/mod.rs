//! Logs of the broker: a text log in mosquitto's format, and events in JSON. Neither delays the broker.

mod json;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use crate::broker::{BrokerEvent, Journal, Listener};
use crate::error::Error;
use crate::output::{Diagnostics, Log, Verbosity};

/// How long the end of the program waits for the readers of its logs.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The destination of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPlace {
    /// Standard error.
    Stderr,
    /// Appended to a file.
    File(PathBuf),
}

/// The requested logs.
#[derive(Clone, Default)]
pub(super) struct Logs {
    text: Option<Log>,
    json: Option<JsonLog>,
    /// The log through which other lines to standard error go, so that lines are not mixed.
    stderr: Option<Log>,
    software: &'static str,
}

#[derive(Clone)]
struct JsonLog {
    log: Log,
    shows_packets: bool,
}

impl Logs {
    /// Opens the logs.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(super) fn open(
        place: Option<&LogPlace>,
        verbosity: Verbosity,
        software: &'static str,
    ) -> Result<Self, Error> {
        let mut logs = Self { software, ..Self::default() };
        if verbosity.is_json() {
            let log = Log::to_stderr(json::gap)?;
            logs.stderr = Some(log.clone());
            logs.json = Some(JsonLog { log, shows_packets: verbosity == Verbosity::Events });
        }
        match place {
            None => {}
            Some(LogPlace::File(path)) => logs.text = Some(Log::to_file(path, text::gap)?),
            Some(LogPlace::Stderr) => {
                let log = Log::to_stderr(text::gap)?;
                logs.stderr = Some(log.clone());
                logs.text = Some(log);
            }
        }
        Ok(logs)
    }

    /// Diagnostics that write to standard error in order with the events.
    pub(super) fn diagnostics(&self, own: &Diagnostics) -> Diagnostics {
        match &self.stderr {
            Some(log) => own.for_writer(log.clone()),
            None => own.for_thread(),
        }
    }

    /// The observer of the broker; `None` without logs.
    pub(super) fn journal(&self) -> Option<Journal> {
        if self.text.is_none() && self.json.is_none() {
            return None;
        }
        let logs = self.clone();
        Some(Journal::new(move |event| logs.note(event)))
    }

    fn note(&self, event: &BrokerEvent<'_>) {
        if let Some(log) = self.text.as_ref().filter(|log| log.is_read()) {
            log.push(&text::lines(event));
        }
        if let Some(JsonLog { log, shows_packets }) = self.json.as_ref().filter(|json| json.log.is_read()) {
            log.push(json::line(event, *shows_packets).as_bytes());
        }
    }

    /// Opens the file of the log again; returns whether there is one.
    ///
    /// # Errors
    /// The file cannot be opened; the old one stays open.
    pub(super) fn reopen(&self) -> Result<bool, Error> {
        self.text.as_ref().map_or(Ok(false), Log::reopen)
    }

    /// Logs the start of the broker.
    pub(super) fn starts(&self) {
        self.say(|| format!("{} starting", self.software));
    }

    /// Logs the listeners.
    pub(super) fn listens(&self, listeners: &[Listener], diagnostics: &Diagnostics) {
        for listener in listeners {
            self.say(|| text::opening(listener));
            diagnostics.change_event("listening", format_args!("listening on {listener}"));
        }
        self.say(|| format!("{} running", self.software));
    }

    /// Logs the limits on the number of connections.
    pub(super) fn bounds(&self, open_files: Option<u64>, connections: usize, diagnostics: &Diagnostics) {
        let files = open_files.map_or_else(|| "no limit".to_owned(), |most| format!("at most {most}"));
        let text = || format!("Open files: {files}; connections: at most {connections}.");
        self.say(text);
        diagnostics.debug(text);
    }

    /// Logs the end of the broker.
    pub(super) fn end(&self, diagnostics: &Diagnostics) {
        self.say(|| format!("{} terminating", self.software));
        diagnostics.change_event("ended", "the broker has ended");
        for log in [self.text.as_ref(), self.json.as_ref().map(|json| &json.log)].into_iter().flatten() {
            log.close(LAST_LINES);
        }
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if let Some(log) = &self.text {
            log.push(&text::line(&what()));
        }
    }
}
