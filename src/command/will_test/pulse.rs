//! Measures for how long this program itself was stopped: on a busy machine a will may arrive in time and be
//! read late, which is not the broker's fault.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// The interval of the beats.
pub(super) const PERIOD: Duration = Duration::from_millis(25);
/// A longer interval counts as a stop; timers and other cases cause shorter ones.
const PAUSE: Duration = Duration::from_millis(100);

/// Beats while the program runs.
#[derive(Debug)]
pub(super) struct Pulse {
    last: Cell<Instant>,
    stopped_time: Cell<Duration>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { last: Cell::new(Instant::now()), stopped_time: Cell::new(Duration::ZERO) }
    }

    pub(super) fn beat(&self) {
        let now = Instant::now();
        let pause = now - self.last.replace(now);
        if pause > PAUSE {
            self.stopped_time.set(self.stopped_time.get() + pause);
        }
    }

    /// The total time stopped.
    pub(super) fn stopped_time(&self) -> Duration {
        self.beat();
        self.stopped_time.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_standstills_of_the_process_count() {
        let pulse = Pulse::new();
        for _ in 0..10 {
            tokio::time::advance(PERIOD).await;
            pulse.beat();
        }
        assert_eq!(pulse.stopped_time(), Duration::ZERO);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(pulse.stopped_time(), Duration::from_secs(2));
        tokio::time::advance(PERIOD).await;
        assert_eq!(pulse.stopped_time(), Duration::from_secs(2));
    }
}
