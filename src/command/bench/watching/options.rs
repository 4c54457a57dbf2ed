//! Options for observations besides the load.

use std::net::SocketAddr;

use crate::net::page::PageAddress;

/// A process on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchedProcess {
    /// By its process identifier.
    Pid(u32),
    /// The embedded broker, which is started for each run.
    Embedded,
}

/// The requested observations.
#[derive(Debug, Clone, Default)]
pub struct WatchOptions {
    /// The broker's process on this machine.
    pub broker_pid: Option<WatchedProcess>,
    /// The broker's page of metrics.
    pub broker_metrics: Option<PageAddress>,
    /// The selected metrics; empty for all.
    pub metric_names: Vec<String>,
    /// Whether to subscribe to the broker's topics below `$SYS`.
    pub broker_sys: bool,
    /// The address for the run's own metrics.
    pub prometheus: Option<SocketAddr>,
}
