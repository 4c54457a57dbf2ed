//! The first connection where no run of a session waits for it: how long it is tried (`--wait-for-server`).

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::back_off::BackOff;
use super::handler::Change;
use super::options::Reconnect;
use crate::error::{Error, Retry};

/// Attempts in a row. `on_change` hears of the first that fails, and of the success after it.
pub(super) struct FirstAttempts<F> {
    started: Instant,
    limit: Duration,
    back_off: BackOff,
    /// The last attempt was answered in a way that counts when it comes again.
    doubtful: bool,
    has_waited: bool,
    on_change: F,
}

impl<F: FnMut(Change<'_>)> FirstAttempts<F> {
    pub(super) fn new(reconnect: &Reconnect, on_change: F) -> Self {
        let (limit, back_off) = (reconnect.wait_for_server, BackOff::new(reconnect.max_delay));
        Self { started: Instant::now(), limit, back_off, doubtful: false, has_waited: false, on_change }
    }

    /// How long more attempts may be made.
    pub(super) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    /// Waits after an attempt that has failed.
    ///
    /// # Errors
    /// The same, if it was the last attempt.
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

    /// An attempt was successful.
    pub(super) fn succeeded(mut self) {
        if self.has_waited {
            (self.on_change)(Change::Connected);
        }
    }
}
