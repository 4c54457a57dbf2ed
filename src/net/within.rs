//! Timeouts that do not expire while this process was stopped.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// How long sockets are polled once more after a timeout. A process that was stopped (Ctrl-Z, a frozen
/// container) finds the timeout expired before the runtime has polled any socket.
pub const LAST_LOOK: Duration = Duration::from_millis(10);

/// Waits for `future` until the timer fires, then polls for [`LAST_LOOK`] once more. `None`: the timeout
/// expired.
pub async fn within<F: Future>(future: Pin<&mut F>, timer: Pin<&mut Sleep>) -> Option<F::Output> {
    let until = timer.deadline();
    within_until(future, timer, until).await
}

/// Like [`within`], with a timer that may fire before `until`.
pub(super) async fn within_until<F: Future>(
    mut future: Pin<&mut F>,
    mut timer: Pin<&mut Sleep>,
    until: Instant,
) -> Option<F::Output> {
    let mut is_last = false;
    loop {
        tokio::select! {
            biased;
            output = future.as_mut() => return Some(output),
            () = timer.as_mut() => {}
        }
        if is_last {
            return None;
        }
        let now = Instant::now();
        is_last = now >= until;
        timer.as_mut().reset(if is_last { now + LAST_LOOK } else { until });
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn socket_is_read_once_more_at_the_time_limit() {
        let limit = Duration::from_secs(1);
        let takes = |time| async move { within(pin!(sleep(time)), pin!(sleep(limit))).await.is_some() };
        assert!(takes(limit).await);
        assert!(takes(limit + LAST_LOOK / 2).await);
        assert!(!takes(limit + LAST_LOOK * 2).await);
    }
}
