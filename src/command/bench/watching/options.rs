//! What is watched beside the load, as it is asked for.

use std::net::SocketAddr;

use crate::net::page::PageAddress;

/// A process of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchedProcess {
    /// Of this number.
    Pid(u32),
    /// That of the embedded broker, which each run starts.
    Embedded,
}

/// What is watched beside the load.
#[derive(Debug, Clone, Default)]
pub struct WatchOptions {
    /// The broker's process on this machine.
    pub broker_pid: Option<WatchedProcess>,
    /// Its page of metrics.
    pub broker_metrics: Option<PageAddress>,
    /// Only these of them, if there are any.
    pub metric_names: Vec<String>,
    /// What it publishes below `$SYS`.
    pub broker_sys: bool,
    /// Where the run shows its own metrics.
    pub prometheus: Option<SocketAddr>,
}
