//! The parts of the configuration that are needed to judge a run, so that the merged results of several
//! processes can be judged like those of one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::config::{Load, Mode, Rate, StopAfter};
use super::super::disturbance::{Disturbance, Disturbing};
use super::super::recorder::LatencyKind;
use crate::protocol::QoS;

/// The requested load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is an answer of its own")]
pub(crate) struct AskedLoad {
    pub(crate) mode: Mode,
    pub(crate) qos: u8,
    /// Whether each message is sent as soon as the broker takes it.
    pub(crate) closed_loop: bool,
    /// Whether clients reconnect.
    pub(crate) reconnects: bool,
    /// New connections per second.
    pub(crate) ramp: Option<f64>,
    pub(crate) has_jitter: bool,
    drain_s: f64,
    /// The length of the measurement, if it is not given as a number of messages.
    pub(crate) duration_s: Option<f64>,
    pub(crate) max_inflight: u16,
    /// Average messages per second.
    pub(crate) mean_rate: Option<f64>,
    pub(crate) stages: Vec<AskedStage>,
    pub(crate) disturbances: Vec<AskedDisturbance>,
    /// Whether this is one shard of a load, whose other shards are unknown here.
    #[serde(skip)]
    pub(crate) is_part: bool,
}

/// A requested stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AskedStage {
    pub(crate) what: String,
    /// Average messages per second.
    pub(crate) rate: f64,
}

/// A requested disturbance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AskedDisturbance {
    pub(crate) what: String,
    /// Time since the start of the measurement.
    pub(crate) at_ns: u64,
    pub(crate) is_command: bool,
    /// How long it keeps clients away.
    pub(crate) away_ns: Option<u64>,
}

impl AskedDisturbance {
    pub(crate) fn of(disturbance: &Disturbance) -> Self {
        Self {
            what: disturbance.what.to_string(),
            at_ns: nanoseconds(disturbance.at),
            is_command: matches!(disturbance.what, Disturbing::Command(_)),
            away_ns: disturbance.away().map(nanoseconds),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
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
            disturbances: load.disturbances.all.iter().map(AskedDisturbance::of).collect(),
            is_part: load.shards() > 1,
        }
    }

    /// The maximum time to wait for messages in flight.
    pub(crate) fn drain(&self) -> Duration {
        Duration::try_from_secs_f64(self.drain_s).unwrap_or_default()
    }

    /// The main latency, if there is one.
    pub(crate) fn main_latency(&self) -> Option<LatencyKind> {
        let qos = QoS::from_bits(self.qos).unwrap_or_default();
        LatencyKind::main(self.mode, qos)
    }
}
