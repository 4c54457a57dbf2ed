//! Clients between their DISCONNECT and their next connection.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;

use super::shared::{Board, Shard};
use crate::alarm::now;
use crate::command::bench::operation::OperationStep;

/// Clients that have disconnected and must reconnect, by index, with the due times, oldest first. The first
/// is in progress; a client without any has failed to connect, and tries again at its next due time.
#[derive(Default)]
pub(super) struct Absences(pub(super) HashMap<u32, VecDeque<u64>>);

impl Absences {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether no client is connecting.
    pub(super) fn is_idle(&self) -> bool {
        self.0.values().all(VecDeque::is_empty)
    }

    /// Handles the reconnect of a client; returns the operations that became due meanwhile.
    pub(super) fn end(&mut self, index: u32, shard: &mut Shard, board: &Board) -> Option<VecDeque<u64>> {
        let mut dues = self.0.remove(&index)?;
        board.away.fetch_sub(1, Ordering::Relaxed);
        if let Some(due) = dues.pop_front() {
            shard.operated(OperationStep::Connect, due, now(), true);
        }
        Some(dues)
    }

    /// Handles a client's failed attempt; returns whether it was connected before.
    pub(super) fn fail(&mut self, index: u32, shard: &mut Shard) -> bool {
        let Some(dues) = self.0.get_mut(&index) else { return false };
        shard.recorder.counts.failed_reconnects += 1;
        if let Some(due) = dues.pop_front() {
            shard.undone(due, now(), 1);
        }
        true
    }
}
