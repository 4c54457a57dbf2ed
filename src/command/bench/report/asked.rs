//! What was asked for, as far as the judgement of a run needs it: so that what several processes have measured can be judged
//! as what one has.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::config::{Load, Mode, Rate, StopAfter};
use super::super::recorder::LatencyKind;
use crate::protocol::QoS;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is an answer of its own")]
pub(crate) struct AskedLoad {
    pub(crate) mode: Mode,
    pub(crate) qos: u8,
    /// As fast as the broker takes messages.
    pub(crate) closed_loop: bool,
    /// Clients come back when their connection is lost.
    pub(crate) reconnects: bool,
    /// New connections a second.
    pub(crate) ramp: Option<f64>,
    pub(crate) has_jitter: bool,
    drain_s: f64,
    /// How long to measure, if it is not a number of messages.
    pub(crate) duration_s: Option<f64>,
    pub(crate) max_inflight: u16,
    /// Messages a second, on average.
    pub(crate) mean_rate: Option<f64>,
    pub(crate) stages: Vec<AskedStage>,
    pub(crate) disturbances: u64,
    /// It is a part of a load: what the others have of it is not known here.
    #[serde(skip)]
    pub(crate) is_part: bool,
}

/// A stage that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AskedStage {
    pub(crate) what: String,
    /// Messages a second, on average.
    pub(crate) rate: f64,
}

impl AskedLoad {
    pub(crate) fn of(load: &Load) -> Self {
        let stages = load.stages.iter().zip(load.stage_rates());
        Self {
            mode: load.mode,
            qos: load.qos as u8,
            closed_loop: load.rate == Rate::Max,
            reconnects: load.reconnects(),
            ramp: load.ramp,
            has_jitter: !load.jitter.is_zero(),
            drain_s: load.drain.as_secs_f64(),
            duration_s: match load.stop {
                StopAfter::After(duration) => Some(duration.as_secs_f64()),
                StopAfter::Count(_) => None,
            },
            max_inflight: load.client.max_inflight,
            mean_rate: load.mean_rate(),
            stages: stages.map(|(stage, rate)| AskedStage { what: stage.to_string(), rate }).collect(),
            disturbances: load.disturbances.all.len() as u64,
            is_part: load.shards() > 1,
        }
    }

    /// The longest wait for what is under way.
    pub(crate) fn drain(&self) -> Duration {
        Duration::try_from_secs_f64(self.drain_s).unwrap_or_default()
    }

    /// The latency that the run is about, if it has one.
    pub(crate) fn main_latency(&self) -> Option<LatencyKind> {
        let qos = QoS::from_bits(self.qos).unwrap_or_default();
        LatencyKind::main(self.mode, qos)
    }
}
