//! The report of an earlier `bench calibrate`.

use std::path::Path;

use super::config::Mode;
use super::report::LoadReport;
use super::report::export::read_report;
use super::report::figure::{CONNECTED_RATE, SENT_RATE};
use crate::error::Error;

pub(super) const KIND: &str = "bench-calibration";
pub(super) const VERSION: u32 = 1;

/// The ceilings found by an earlier calibration, in connections and messages per second.
pub(super) struct Calibration {
    connections: f64,
    qos0: f64,
    qos1: f64,
}

impl Calibration {
    /// # Errors
    /// A file that cannot be read or is not a calibration report.
    pub(super) fn read(file: &Path) -> Result<Self, Error> {
        let found = read_report(file, KIND, VERSION, "mqtt bench calibrate")?;
        let figure = |name: &str| {
            found[name].as_f64().filter(|ceiling| *ceiling > 0.0).ok_or_else(|| {
                let why = std::io::Error::other(format!("it has no {name}"));
                Error::file(format!("cannot read {}", file.display()), why)
            })
        };
        Ok(Self {
            connections: figure("connections_ceiling_per_s")?,
            qos0: figure("qos0_ceiling_per_s")?,
            qos1: figure("qos1_ceiling_per_s")?,
        })
    }

    /// The share of the ceiling that a load used.
    pub(super) fn share(&self, report: &LoadReport) -> f64 {
        let (figure, ceiling) = match (report.mode, report.qos) {
            (Mode::Connect, _) => (CONNECTED_RATE, self.connections),
            (_, 0) => (SENT_RATE, self.qos0),
            _ => (SENT_RATE, self.qos1),
        };
        figure.value(report).unwrap_or(0.0) / ceiling
    }
}
