//! When to send PINGREQ, and when a silent link is dead. Arithmetic on instants, no timer of its own.

use std::time::Duration;

use tokio::time::Instant;

/// How many bytes of a packet count as a sign of life before it is whole. A large message on a slow
/// link must not end it, but a server that lets a packet drip, byte by byte, is as good as dead:
/// nothing of it ever reaches anyone.
const SIGN_OF_LIFE_BYTES: usize = 1024;

/// What the clock calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    /// Nothing was heard for one and a half intervals.
    Dead,
}

/// The keep-alive state of one link ([MQTT-3.1.2.10]).
#[derive(Debug)]
pub(super) struct KeepAlive {
    /// Zero: off.
    interval: Duration,
    last_sent: Instant,
    last_received: Instant,
    /// Bytes received since, of a packet that is not whole yet.
    unfinished_bytes: usize,
    asked: Option<Instant>,
}

impl KeepAlive {
    pub(super) fn new(seconds: u16, now: Instant) -> Self {
        let interval = Duration::from_secs(u64::from(seconds));
        Self { interval, last_sent: now, last_received: now, unfinished_bytes: 0, asked: None }
    }

    pub(super) fn sent(&mut self, now: Instant) {
        self.last_sent = now;
    }

    /// Bytes went that had waited for room: somebody takes what is sent. An answer to PINGREQ stands
    /// behind all of it, and on a slow link that may be minutes away.
    pub(super) fn drained(&mut self, now: Instant) {
        self.last_sent = now;
        self.last_received = now;
        self.asked = None;
    }

    /// So many bytes came, and with them the end of a packet or not.
    pub(super) fn received(&mut self, now: Instant, bytes: usize, whole_packet: bool) {
        self.unfinished_bytes = self.unfinished_bytes.saturating_add(bytes);
        if whole_packet || self.unfinished_bytes >= SIGN_OF_LIFE_BYTES {
            self.unfinished_bytes = 0;
            self.last_received = now;
            self.asked = None;
        }
    }

    /// When bytes were last sent, or a sign of life was received.
    pub(super) fn last_moved(&self) -> Instant {
        self.last_sent.max(self.last_received)
    }

    /// When [`KeepAlive::due`] is to be asked next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.interval.is_zero() {
            return None;
        }
        Some(match self.asked {
            Some(asked) => asked + self.interval / 2,
            // A client that sends all the time must ask too, or it would never notice that nobody
            // listens: so the older of the two counts.
            None => self.last_sent.min(self.last_received) + self.interval,
        })
    }

    /// What is due now. While the consumer is blocked nothing is read, so silence proves nothing:
    /// `reading` is false then, and the link is kept up by pinging on.
    pub(super) fn due(&mut self, now: Instant, reading: bool) -> Due {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Due::Nothing;
        }
        if self.asked.is_some() && reading {
            return Due::Dead;
        }
        self.asked = Some(if reading { now } else { now + self.interval / 2 });
        self.last_sent = now;
        Due::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_after_the_interval_and_dies_after_half_as_much_again() {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut keep_alive = KeepAlive::new(10, start);
        assert_eq!(keep_alive.due(at(9.9), true), Due::Nothing);
        assert_eq!(keep_alive.due(at(10.0), true), Due::Ping);
        assert_eq!(keep_alive.due(at(14.9), true), Due::Nothing);
        assert_eq!(keep_alive.due(at(15.0), true), Due::Dead);
    }

    #[test]
    fn traffic_in_one_direction_is_not_enough() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut keep_alive = KeepAlive::new(10, start);
        for second in 1..10 {
            keep_alive.sent(at(second));
        }
        assert_eq!(keep_alive.due(at(10), true), Due::Ping);
        keep_alive.received(at(11), 2, true);
        for second in 11..19 {
            keep_alive.received(at(second), 2, true);
        }
        assert_eq!(keep_alive.due(at(19), true), Due::Nothing);
        assert_eq!(keep_alive.due(at(20), true), Due::Ping);
    }

    /// A packet that comes byte by byte is no sign of life; one that comes at a rate that will see it
    /// whole is.
    #[test]
    fn a_drip_does_not_keep_a_link_alive() {
        let start = Instant::now();
        let dies = |bytes: usize| {
            let mut keep_alive = KeepAlive::new(10, start);
            (1..=100).find(|second| {
                let now = start + Duration::from_secs(*second);
                keep_alive.received(now, bytes, false);
                keep_alive.due(now, true) == Due::Dead
            })
        };
        assert_eq!(dies(1), Some(15));
        assert_eq!(dies(1000), None);
    }

    #[test]
    fn a_blocked_reader_keeps_the_link_up() {
        let start = Instant::now();
        let mut keep_alive = KeepAlive::new(10, start);
        let mut pings = 0;
        for second in 1..=100 {
            match keep_alive.due(start + Duration::from_secs(second), false) {
                Due::Ping => pings += 1,
                Due::Nothing => {}
                Due::Dead => panic!("a blocked reader proves nothing"),
            }
        }
        assert_eq!(pings, 10);
    }

    /// A large message on a slow link: nothing is heard for long, but somebody takes it.
    #[test]
    fn a_draining_link_is_alive() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut keep_alive = KeepAlive::new(10, start);
        for second in 1..=100 {
            keep_alive.drained(at(second));
            assert_eq!(keep_alive.due(at(second), true), Due::Nothing);
        }
        assert_eq!(keep_alive.due(at(110), true), Due::Ping);
        assert_eq!(keep_alive.due(at(115), true), Due::Dead);
    }

    #[test]
    fn zero_turns_it_off() {
        let start = Instant::now();
        let mut keep_alive = KeepAlive::new(0, start);
        assert_eq!(keep_alive.deadline(), None);
        assert_eq!(keep_alive.due(start + Duration::from_secs(1_000_000), true), Due::Nothing);
    }
}
