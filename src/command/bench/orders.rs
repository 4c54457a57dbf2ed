//! What is said between the threads of a load and the one that directs them.

use std::sync::atomic::AtomicU64;

use super::recorder::{Recorder, Second};
use super::rows::Row;
use super::shard::Timeline;
use crate::error::Error;

/// What a thread is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Subscribe,
    Start(Timeline),
    /// Nothing more is to be published from this time on.
    End(u64),
    /// Disconnect everything; what is not gone by this time is dropped.
    Leave(u64),
}

/// What a thread tells.
#[derive(Debug)]
pub(super) enum News {
    /// Every connection was made or has failed.
    Connected,
    /// Every subscription was answered, or its client lost.
    Subscribed,
    /// The last of its connections is gone before its time.
    Alone,
    /// A row of the series is over.
    Second(Row, Box<Second>),
    /// It is over.
    Finished(Box<Recorder>),
    /// The thread could not do its work at all.
    Failed(Error),
}

/// Where a thread stands, for whoever watches. Written by one thread only.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Board {
    pub(super) connected: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    pub(super) expected: AtomicU64,
    pub(super) delivered: AtomicU64,
    /// No more messages come on the schedule or out of the quota.
    pub(super) ended: AtomicU64,
    /// Everything that was to be sent is sent and answered.
    pub(super) idle: AtomicU64,
}
