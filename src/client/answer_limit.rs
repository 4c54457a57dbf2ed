//! How long a command that ends by itself waits for the broker's response to a packet.
//!
//! Keep Alive does not limit that wait: a broker may send other packets and never respond, and may turn Keep
//! Alive off.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::keep_alive::SIGN_OF_LIFE_BYTES;
use crate::net::LAST_LOOK;
use crate::protocol::wire::LARGEST_PACKET_BYTES;

/// The time since the last progress towards the response. The timer is created when the first response is
/// awaited, and is not moved with every packet.
#[derive(Debug)]
pub struct AnswerLimit {
    limit: Option<Duration>,
    /// The time of the last progress while a response is awaited.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// The timeout expired; the stream is read once more.
    last_look: bool,
    /// Bytes of incomplete packets since the timeout was last restarted.
    part_bytes: usize,
    /// Bytes of incomplete packets since the last progress: one large packet may arrive before the response,
    /// but not an endless series.
    parts_bytes: usize,
}

impl AnswerLimit {
    /// `None` sets no limit.
    #[must_use]
    pub fn new(limit: Option<Duration>) -> Self {
        Self { limit, since: None, timer: None, last_look: false, part_bytes: 0, parts_bytes: 0 }
    }

    /// Reports progress: a packet was received or sent that brings the response nearer.
    pub fn renew(&mut self) {
        self.parts_bytes = 0;
        self.restart();
    }

    fn restart(&mut self) {
        self.part_bytes = 0;
        self.last_look = false;
        if let Some(since) = &mut self.since {
            *since = Instant::now();
        }
    }

    /// Reports received bytes of an incomplete packet: a large one takes time on a slow connection.
    pub fn part(&mut self, bytes: usize) {
        self.part_bytes = self.part_bytes.saturating_add(bytes);
        self.parts_bytes = self.parts_bytes.saturating_add(bytes);
        if self.part_bytes >= SIGN_OF_LIFE_BYTES && self.parts_bytes <= LARGEST_PACKET_BYTES as usize {
            self.restart();
        }
    }

    /// Stops the timeout: there is no connection, and so no response to wait for.
    pub fn stop(&mut self) {
        self.since = None;
    }

    /// Sets whether a response is awaited now. Returns `Ready` with the limit when the timeout expires.
    pub fn poll_waiting(&mut self, cx: &mut Context<'_>, waiting: bool) -> Poll<Duration> {
        if !waiting {
            self.stop();
        } else if self.since.is_none() && self.limit.is_some() {
            self.since = Some(Instant::now());
            self.renew();
        }
        self.poll(cx)
    }

    /// Returns `Ready` with the limit when the timeout expires.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        let (Some(limit), Some(since)) = (self.limit, self.since) else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(since + limit)));
        loop {
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            if since + limit > now {
                timer.as_mut().reset(since + limit);
            } else if !std::mem::replace(&mut self.last_look, true) {
                timer.as_mut().reset(now + LAST_LOOK);
            } else {
                return Poll::Ready(limit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// How long the limit waits if there is progress after each of these times.
    async fn waits(limit: Option<Duration>, news: &[u64]) -> Option<Duration> {
        let start = Instant::now();
        let mut answer = AnswerLimit::new(limit);
        let pending = poll_fn(|cx| Poll::Ready(answer.poll_waiting(cx, true).is_pending())).await;
        assert!(pending);
        for seconds in news {
            tokio::time::sleep(Duration::from_secs(*seconds)).await;
            answer.renew();
        }
        let waited = tokio::time::timeout(Duration::from_secs(3600), poll_fn(|cx| answer.poll(cx))).await;
        waited.ok().map(|_| start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn time_limit_counts_from_the_last_progress() {
        assert_eq!(waits(Some(LIMIT), &[]).await, Some(LIMIT + LAST_LOOK));
        assert_eq!(waits(Some(LIMIT), &[9, 9]).await, Some(LIMIT + LAST_LOOK + Duration::from_secs(18)));
        assert_eq!(waits(None, &[]).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_bytes_of_a_packet_are_not_progress() {
        let mut answer = AnswerLimit::new(Some(LIMIT));
        assert!(poll_fn(|cx| Poll::Ready(answer.poll_waiting(cx, true).is_pending())).await);
        for (bytes, is_late) in [(SIGN_OF_LIFE_BYTES, false), (1, true)] {
            tokio::time::sleep(LIMIT / 2).await;
            answer.part(bytes);
            tokio::time::sleep(LIMIT / 2 + LAST_LOOK).await;
            // The first poll after the timeout is not the last one.
            let _ = poll_fn(|cx| Poll::Ready(answer.poll(cx))).await;
            tokio::time::sleep(LAST_LOOK).await;
            assert_eq!(poll_fn(|cx| Poll::Ready(answer.poll(cx).is_ready())).await, is_late);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn unfinished_packets_are_not_progress() {
        let mut answer = AnswerLimit::new(Some(LIMIT));
        assert!(poll_fn(|cx| Poll::Ready(answer.poll_waiting(cx, true).is_pending())).await);
        let start = Instant::now();
        let most_parts = LARGEST_PACKET_BYTES as usize / SIGN_OF_LIFE_BYTES;
        let mut parts = 0;
        while poll_fn(|cx| Poll::Ready(answer.poll(cx).is_pending())).await {
            assert!(parts <= 2 * most_parts, "it never ends");
            answer.part(SIGN_OF_LIFE_BYTES);
            parts += 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // The time for the largest packet, plus the limit.
        assert!(start.elapsed() >= Duration::from_secs(most_parts as u64), "{:?}", start.elapsed());
    }
}
