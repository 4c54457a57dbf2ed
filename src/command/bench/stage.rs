//! Stages of a load: how its rate changes over time.

use std::fmt;
use std::time::Duration;

/// A part of a load over time, for all of its publishers together; rates are messages a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RateStage {
    /// The rate changes evenly: from that before it if it does not say from which, and from 0 if it is the first.
    Ramp {
        /// At its begin.
        from: Option<f64>,
        /// At its end.
        to: f64,
        /// How long it takes.
        length: Duration,
    },
    /// The rate stays.
    Hold(Duration),
    /// Another rate, after which that before it comes back.
    Spike {
        /// While it lasts.
        rate: f64,
        /// How long it lasts.
        length: Duration,
    },
}

impl RateStage {
    /// How long it takes.
    #[must_use]
    pub fn length(&self) -> Duration {
        match self {
            Self::Ramp { length, .. } | Self::Hold(length) | Self::Spike { length, .. } => *length,
        }
    }

    /// The same with this part of its rates.
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

/// How long all of them take.
#[must_use]
pub fn length(stages: &[RateStage]) -> Duration {
    stages.iter().map(RateStage::length).fold(Duration::ZERO, Duration::saturating_add)
}

/// Whether a warm-up before these stages has any messages: none has where the first is a ramp from 0.
#[must_use]
pub fn begins_with_messages(stages: &[RateStage]) -> bool {
    match stages.first() {
        Some(RateStage::Ramp { from, .. }) => from.is_some_and(|from| from > 0.0),
        Some(RateStage::Spike { rate, .. }) => *rate > 0.0,
        Some(RateStage::Hold(_)) | None => true,
    }
}
