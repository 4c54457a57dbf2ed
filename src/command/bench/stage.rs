//! Stages of a load: changes of its rate over time.

use std::fmt;
use std::time::Duration;

/// A period of a load, for all of its publishers together; rates are messages per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RateStage {
    /// The rate changes linearly. Without `from` it starts at the previous rate, or at 0 in the first stage.
    Ramp {
        /// The rate at its start.
        from: Option<f64>,
        /// The rate at its end.
        to: f64,
        /// The length.
        length: Duration,
    },
    /// The rate stays the same.
    Hold(Duration),
    /// Another rate, followed by the previous one.
    Spike {
        /// The rate during the spike.
        rate: f64,
        /// The length.
        length: Duration,
    },
}

impl RateStage {
    /// The length.
    #[must_use]
    pub fn length(&self) -> Duration {
        match self {
            Self::Ramp { length, .. } | Self::Hold(length) | Self::Spike { length, .. } => *length,
        }
    }

    /// The same with all rates multiplied by `part`.
    #[must_use]
    pub fn scaled(self, part: f64) -> Self {
        match self {
            Self::Ramp { from, to, length } => {
                Self::Ramp { from: from.map(|from| from * part), to: to * part, length }
            }
            Self::Hold(length) => Self::Hold(length),
            Self::Spike { rate, length } => Self::Spike { rate: rate * part, length },
        }
    }
}

impl fmt::Display for RateStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = humantime::format_duration(self.length()).to_string().replace(' ', "");
        match self {
            Self::Ramp { from: None, to, .. } => write!(f, "ramp to {to}/s in {length}"),
            Self::Ramp { from: Some(from), to, .. } => write!(f, "ramp from {from}/s to {to}/s in {length}"),
            Self::Hold(_) => write!(f, "hold {length}"),
            Self::Spike { rate, .. } => write!(f, "spike {rate}/s {length}"),
        }
    }
}

/// The total length.
#[must_use]
pub fn length(stages: &[RateStage]) -> Duration {
    stages.iter().map(RateStage::length).fold(Duration::ZERO, Duration::saturating_add)
}

/// Whether a warm-up before these stages sends messages: not if the first is a ramp from 0.
#[must_use]
pub fn begins_with_messages(stages: &[RateStage]) -> bool {
    match stages.first() {
        Some(RateStage::Ramp { from, .. }) => from.is_some_and(|from| from > 0.0),
        Some(RateStage::Spike { rate, .. }) => *rate > 0.0,
        Some(RateStage::Hold(_)) | None => true,
    }
}
