//! The first connection of commands that do not use a `run`: how long it is retried (`--wait-for-server`).

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::back_off::BackOff;
use super::handler::Change;
use super::options::Reconnect;
use crate::error::{Error, Retry};

/// Consecutive attempts. `on_change` is called at the first failure, and at the success after it.
pub(super) struct FirstAttempts<F> {
    started: Instant,
    limit: Duration,
    back_off: BackOff,
    /// The last attempt ended in an error that is final if it occurs twice in a row.
    doubtful: bool,
    has_waited: bool,
    on_change: F,
}

impl<F: FnMut(Change<'_>)> FirstAttempts<F> {
    pub(super) fn new(reconnect: &Reconnect, on_change: F) -> Self {
        let (limit, back_off) = (reconnect.wait_for_server, BackOff::new(reconnect.max_delay));
        Self { started: Instant::now(), limit, back_off, doubtful: false, has_waited: false, on_change }
    }

    /// The time left for further attempts.
    pub(super) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    /// Waits after a failed attempt.
    ///
    /// # Errors
    /// `error`, if there is no further attempt.
    pub(super) async fn wait_after(&mut self, error: Error) -> Result<(), Error> {
        let is_second = std::mem::replace(&mut self.doubtful, error.retry() == Retry::Once);
        let left = self.left();
        if left.is_zero() || error.retry().is_final(is_second) {
            return Err(error);
        }
        if !std::mem::replace(&mut self.has_waited, true) {
            (self.on_change)(Change::NotYet(&error));
        }
        sleep(self.back_off.pause().min(left)).await;
        Ok(())
    }

    /// Reports a change at a successful attempt.
    pub(super) fn report(&mut self, change: Change<'_>) {
        (self.on_change)(change);
    }

    /// Reports a successful attempt.
    pub(super) fn succeeded(mut self) {
        if self.has_waited {
            (self.on_change)(Change::Connected);
        }
    }
}
