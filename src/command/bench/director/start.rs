//! The start of the load: at once, at a time, or together with the other shards; and the reaction to the
//! failure of another shard.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use super::super::super::attention::Attention;
use super::super::config::Load;
use super::super::report::Aborted;
use super::super::shard::barrier::ShardBarrier;
use super::super::shard::part::SharedStart;
use super::super::shard::record::ShardClock;
use super::super::stamp::Timeline;
use super::{Director, RUN_UP, SLOW_TICK, TICK, nanoseconds, seconds};
use crate::alarm::now;
use crate::clock;
use crate::error::Error;
use crate::quantity::duration;

/// The timeout for telling the other shards about the end of this one.
const DISCONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Waits until shard 1 has admitted this one, which may then connect its clients; returns whether it did, or
/// `false` after an interruption. Two processes with the same shard number would close each other's
/// connections.
///
/// # Errors
/// Shard 1 rejects this shard, or did not answer in time.
pub(super) async fn enter(barrier: &mut ShardBarrier, attention: &mut Attention) -> Result<bool, Error> {
    let mut look = tokio::time::interval(Duration::from_nanos(SLOW_TICK));
    let has_entered = poll_fn(|cx| {
        loop {
            barrier.poll(cx);
            if barrier.has_decided() || barrier.is_welcome() {
                return Poll::Ready(true);
            }
            if attention.poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            // The barrier repeats its messages when it is polled.
            if look.poll_tick(cx).is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
    match barrier.take_refusal() {
        Some(error) => {
            close(barrier, None).await;
            Err(error)
        }
        None => Ok(has_entered),
    }
}

/// Disconnects from the other shards, and tells them if this one has failed.
async fn close(barrier: &mut ShardBarrier, failure: Option<&str>) {
    let closed = poll_fn(|cx| if barrier.poll_close(cx, failure) { Poll::Ready(()) } else { Poll::Pending });
    // If they cannot be told, they get the Will Message.
    let _ = tokio::time::timeout(DISCONNECT_LIMIT, closed).await;
}

impl Director<'_> {
    /// When the first message is due; `None` if the run ends before that.
    pub(super) async fn agree_on_start(&mut self, load: &Load) -> Option<u64> {
        match load.shard.as_ref().map_or(&SharedStart::Unaligned, |shard| &shard.start) {
            SharedStart::Unaligned => Some(now() + RUN_UP),
            SharedStart::At(time) => match time.duration_since(SystemTime::now()) {
                Ok(left) => Some(now().saturating_add(nanoseconds(left))),
                Err(passed) => {
                    let what = format!("--start-at {}", clock::rfc3339_millis(*time));
                    let late = duration(passed.duration());
                    let why = std::io::Error::other(format!("the clients were connected {late} too late"));
                    self.failed =
                        Some(Error::file(what, why).with_hint("give the shards more time to connect"));
                    None
                }
            },
            SharedStart::Barrier { .. } => {
                if let Some(barrier) = &self.barrier {
                    barrier.ready();
                }
                let has_decided = |this: &Self| {
                    this.barrier.as_ref().is_none_or(super::super::shard::barrier::ShardBarrier::has_decided)
                        || this.is_alone()
                };
                self.wait(u64::MAX, SLOW_TICK, has_decided).await;
                let barrier = self.barrier.as_ref()?;
                if let Some(start) = barrier.start() {
                    return Some(start);
                }
                self.failed = self.failed.take().or_else(|| barrier.take_refusal());
                None
            }
        }
    }

    /// Polls the barrier, and reports its changes.
    pub(super) fn poll_barrier(&mut self, cx: &mut Context<'_>) {
        let Some(barrier) = &mut self.barrier else { return };
        barrier.poll(cx);
        let (waiting, warning) = (barrier.take_waiting(), barrier.take_warning());
        for text in waiting.into_iter().chain(warning) {
            self.watching.say(&text);
        }
    }

    /// Whether another shard has failed and that ends this one.
    pub(super) fn has_lost_shard(&self) -> bool {
        self.barrier.as_ref().is_some_and(|barrier| barrier.end().is_some())
    }

    /// The load is over, of a measurement that began at this time: the clocks are compared once more, and whether another shard
    /// has ended it is noted.
    pub(super) fn end_of_load(&mut self, measure: u64) {
        let Some(barrier) = &mut self.barrier else { return };
        let lost = barrier.end();
        barrier.load_is_over();
        let Some(limit) = lost else { return };
        let after_s = seconds(now().saturating_sub(measure));
        self.aborted.get_or_insert(Aborted { after_s, limit });
    }

    /// Waits until the clients of no other shard still receive messages, up to the time limit of the barrier.
    pub(super) async fn await_others(&mut self) {
        let Some(barrier) = self.barrier.as_ref().filter(|_| !self.interrupted) else { return };
        barrier.done();
        let limit = now().saturating_add(nanoseconds(barrier.limit()));
        self.wait(limit, TICK, |this| this.barrier.as_ref().is_none_or(ShardBarrier::are_others_done)).await;
    }

    /// Leaves the other shards, and tells them if this one has failed. What is known of its clock.
    pub(super) async fn leave_barrier(&mut self, error: Option<&Error>, timeline: Timeline) -> ShardClock {
        let Some(mut barrier) = self.barrier.take() else { return ShardClock::own() };
        let clock = barrier.clock_record((timeline.measure, timeline.end));
        let interrupted = self.interrupted.then(|| "it was interrupted".to_owned());
        let failure = error.map(ToString::to_string).or(interrupted);
        close(&mut barrier, failure.as_deref()).await;
        clock
    }
}
