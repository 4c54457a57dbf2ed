//! Figures of operations instead of publishing (subscribe, connect, end), and of the messages that the broker
//! is given to retain.

use super::super::super::operation::{OperationCounts, OperationStep};
use super::super::super::stamp::Phase;
use super::super::{LoadReport, per_second};
use super::Better::{Less, More};
use super::Section::Operations;
use super::When::{Doing, Operating, Storing};
use super::{Figure, FigureRow, Reading, Unit};

const fn count(key: &'static str, name: &'static str, read: fn(&LoadReport) -> u64) -> Figure {
    Figure { better: More, ..Figure::count(Operations, key, name, read) }
}

const fn rate(key: &'static str, name: &'static str, read: fn(&LoadReport) -> f64) -> Figure {
    Figure { better: More, ..Figure::new(Operations, key, name, Unit::PerSecond, Reading::Real(read)) }
}

/// The row of a rate that only runs with operations have.
const ROW: FigureRow = FigureRow::Stage(Operating, "");

pub(super) const STORED: Figure = Figure { when: Storing, ..count("stored", "stored", LoadReport::stored) };
pub(super) const STORED_RATE: Figure = Figure {
    when: Storing,
    label: "stored",
    count: Some(&STORED),
    row: FigureRow::Stage(Storing, "to be retained, before the load"),
    compared: Some("stored/s"),
    ..rate("stored_per_s", "stored-rate", |r| per_second(r.stored(), r.stored_s.unwrap_or(0.0)))
};

pub(super) const SUBSCRIBES: Figure = Figure {
    when: Doing(OperationStep::Subscribe),
    ..count("subscribes", "subscribes", |r| r.step(OperationStep::Subscribe).done)
};
pub(super) const SUBSCRIBE_RATE: Figure = Figure {
    when: Doing(OperationStep::Subscribe),
    label: "SUBSCRIBE",
    count: Some(&SUBSCRIBES),
    row: ROW,
    compared: Some("SUBSCRIBE/s"),
    ..rate("subscribes_per_s", "subscribe-rate", |r| r.step_rate(OperationStep::Subscribe))
};

pub(super) const UNSUBSCRIBES: Figure = Figure {
    when: Doing(OperationStep::Unsubscribe),
    ..count("unsubscribes", "unsubscribes", |r| r.step(OperationStep::Unsubscribe).done)
};
pub(super) const UNSUBSCRIBE_RATE: Figure = Figure {
    when: Doing(OperationStep::Unsubscribe),
    label: "UNSUBSCRIBE",
    count: Some(&UNSUBSCRIBES),
    row: ROW,
    compared: Some("UNSUBSCRIBE/s"),
    ..rate("unsubscribes_per_s", "unsubscribe-rate", |r| r.step_rate(OperationStep::Unsubscribe))
};

pub(super) const CONNECTS: Figure = Figure {
    when: Doing(OperationStep::Connect),
    ..count("connects", "connects", |r| r.step(OperationStep::Connect).done)
};
pub(super) const CONNECT_RATE: Figure = Figure {
    when: Doing(OperationStep::Connect),
    label: "connect again",
    count: Some(&CONNECTS),
    row: ROW,
    compared: Some("connect again/s"),
    ..rate("connects_per_s", "connect-rate", |r| r.step_rate(OperationStep::Connect))
};

pub(super) const ENDS: Figure =
    Figure { when: Doing(OperationStep::End), ..count("ends", "ends", |r| r.step(OperationStep::End).done) };
pub(super) const END_RATE: Figure = Figure {
    when: Doing(OperationStep::End),
    label: "abrupt ends",
    count: Some(&ENDS),
    row: ROW,
    compared: Some("abrupt ends/s"),
    ..rate("ends_per_s", "end-rate", |r| r.step_rate(OperationStep::End))
};

/// Operations that were refused, not answered, or not started.
pub(super) const UNDONE: Figure = Figure {
    when: Operating,
    label: "operations not done",
    row: FigureRow::Stray(Operating),
    better: Less,
    ..count("undone", "undone", |r| r.counts.operations.iter().map(|step| step.undone).sum())
};
pub(super) const OPERATION_RATE: Figure = Figure {
    when: Operating,
    ..rate("operations_per_s", "operation-rate", |r| {
        per_second(r.counts.operations.iter().map(|step| step.in_window).sum(), r.window_s)
    })
};

impl LoadReport {
    fn step(&self, step: OperationStep) -> OperationCounts {
        self.counts.operations[step as usize]
    }

    pub(super) fn step_rate(&self, step: OperationStep) -> f64 {
        per_second(self.step(step).in_window, self.window_s)
    }

    /// Messages that the broker retained, as far as it confirms them.
    fn stored(&self) -> u64 {
        let before = &self.counts.messages[Phase::Warmup as usize];
        match (self.qos, self.stored_s) {
            (0, None) => 0,
            (0, Some(_)) => before.sent,
            _ => before.acknowledged,
        }
    }
}
