//! Simulated delays of the output: byte by byte, or after a fixed time.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// The pause between single bytes: otherwise the client would find several bytes in its buffer.
const BYTE_GAP: Duration = Duration::from_millis(1);
/// Output that arrives within this time is sent together.
const GRAIN: Duration = Duration::from_millis(1);

/// The delayed output of one connection.
#[derive(Debug, Default)]
pub(super) struct OutputPace {
    /// The number of bytes written, and the number of bytes seen so far.
    written: u64,
    known: u64,
    /// From each time on, this total number of bytes may be written.
    due: VecDeque<(Instant, u64)>,
    may_write: u64,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl OutputPace {
    /// The number of pending bytes that may be written now. If it is 0, the task will be woken in time.
    pub(super) fn allowed(
        &mut self,
        backlog: usize,
        single_bytes: bool,
        delay: Option<Duration>,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> usize {
        if let Some(sleep) = &mut self.sleep {
            if sleep.as_mut().poll(cx).is_pending() && single_bytes {
                return 0;
            }
            self.sleep = None;
        }
        if backlog == 0 {
            return 0;
        }
        let total = self.written + backlog as u64;
        let at = now + delay.unwrap_or_default();
        match self.due.back_mut() {
            _ if total <= self.known => {}
            Some((last, bytes)) if at.saturating_duration_since(*last) < GRAIN => *bytes = total,
            _ => self.due.push_back((at, total)),
        }
        self.known = self.known.max(total);
        while let Some((_, bytes)) = self.due.front().filter(|(at, _)| *at <= now) {
            self.may_write = *bytes;
            self.due.pop_front();
        }
        let most = usize::try_from(self.may_write.saturating_sub(self.written)).unwrap_or(usize::MAX);
        if most == 0
            && let Some((at, _)) = self.due.front()
        {
            self.wake_at(*at, cx);
        }
        if single_bytes { most.min(1) } else { most }
    }

    /// Records written bytes.
    pub(super) fn wrote(&mut self, bytes: usize, single_bytes: bool, now: Instant, cx: &mut Context<'_>) {
        self.written += bytes as u64;
        if single_bytes {
            self.wake_at(now + BYTE_GAP, cx);
        }
    }

    fn wake_at(&mut self, at: Instant, cx: &mut Context<'_>) {
        let sleep = self.sleep.insert(Box::pin(tokio::time::sleep_until(at.into())));
        if sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}
