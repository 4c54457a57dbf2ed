//! When to send PINGREQ, and when silence means that the connection is lost. Arithmetic on instants, without
//! a timer.

use std::time::{Duration, Instant};

use crate::net::LAST_LOOK;

/// Number of bytes of an incomplete packet that count as a sign of life. A large message on a slow connection
/// must not end it, but a broker that sends byte by byte counts as silent: none of its messages is ever
/// complete.
pub(super) const SIGN_OF_LIFE_BYTES: usize = 1024;

/// What is due at a given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    /// Nothing was received for one and a half intervals.
    Dead,
    /// Output has waited for one and a half intervals, and no byte of it was sent.
    Stuck,
}

/// The keep-alive state of one link ([MQTT-3.1.2.10]).
#[derive(Debug)]
pub(super) struct KeepAlive {
    /// Zero: off.
    interval: Duration,
    last_sent: Instant,
    /// When the stream last took bytes; a PINGREQ added to a full output does not count.
    last_taken: Instant,
    last_received: Instant,
    /// Bytes received since the last sign of life, of an incomplete packet.
    unfinished_bytes: usize,
    asked: Option<Instant>,
    /// The timeout expired; until this time the stream is read once more.
    last_look: Option<Instant>,
}

impl KeepAlive {
    pub(super) fn new(seconds: u16, now: Instant) -> Self {
        let interval = Duration::from_secs(u64::from(seconds));
        Self {
            interval,
            last_sent: now,
            last_taken: now,
            last_received: now,
            unfinished_bytes: 0,
            asked: None,
            last_look: None,
        }
    }

    pub(super) fn sent(&mut self, now: Instant) {
        self.last_sent = now;
        self.last_taken = now;
    }

    /// Waiting bytes were sent, so the peer reads. A PINGRESP comes after all of them, which may take minutes
    /// on a slow connection.
    pub(super) fn drained(&mut self, now: Instant) {
        self.sent(now);
        self.last_received = now;
        self.asked = None;
    }

    /// Reports received bytes, and whether they complete a packet.
    pub(super) fn received(&mut self, now: Instant, bytes: usize, whole_packet: bool) {
        self.unfinished_bytes = self.unfinished_bytes.saturating_add(bytes);
        if whole_packet || self.unfinished_bytes >= SIGN_OF_LIFE_BYTES {
            self.unfinished_bytes = 0;
            self.last_received = now;
            self.asked = None;
        }
    }

    /// Whether the last PINGREQ is unanswered.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// When bytes were last sent.
    /// When the broker last showed that it is there.
    pub(super) fn last_received(&self) -> Instant {
        self.last_received
    }

    pub(super) fn last_sent(&self) -> Instant {
        self.last_sent
    }

    /// When bytes were last sent, or a sign of life was last received.
    pub(super) fn last_moved(&self) -> Instant {
        self.last_sent.max(self.last_received)
    }

    /// When to call [`KeepAlive::due`] next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.interval.is_zero() {
            return None;
        }
        Some(match (self.last_look, self.asked) {
            (Some(until), _) => until,
            (None, Some(asked)) => asked + self.interval / 2,
            // A client that sends continuously must send PINGREQ too, or it would never notice that the peer
            // has gone: so the older time counts.
            (None, None) => self.last_sent.min(self.last_received) + self.interval,
        })
    }

    /// What is due now. While the consumer is blocked nothing is read, so silence proves nothing: `reading`
    /// is then false, and PINGREQs keep the link open. `waiting`: the stream has not taken everything.
    pub(super) fn due(&mut self, now: Instant, reading: bool, waiting: bool) -> Due {
        let is_over = |this: &Self| this.deadline().is_some_and(|deadline| now >= deadline);
        if !is_over(self) {
            return Due::Nothing;
        }
        if reading && let Some(end) = self.end(now, waiting) {
            return if self.last_look(now).is_some() { Due::Nothing } else { end };
        }
        self.last_look = None;
        if !is_over(self) {
            return Due::Nothing;
        }
        let asked = if reading { now } else { now + self.interval / 2 };
        if !reading {
            self.last_taken = asked; // a broker that cannot deliver its messages may stop reading
        }
        self.asked = Some(asked);
        self.last_sent = now;
        Due::Ping
    }

    /// Why the link is lost, if it is.
    fn end(&self, now: Instant, waiting: bool) -> Option<Due> {
        if waiting && now.saturating_duration_since(self.last_taken) >= self.interval * 3 / 2 {
            return Some(Due::Stuck);
        }
        self.asked.is_some_and(|asked| now >= asked + self.interval / 2).then_some(Due::Dead)
    }

    /// The time until which the stream is read once more after a timeout: a process that was itself stopped
    /// finds the timeout expired, and the answer unread in the socket.
    pub(super) fn last_look(&mut self, now: Instant) -> Option<Instant> {
        let until = *self.last_look.get_or_insert(now + LAST_LOOK);
        (now < until).then_some(until)
    }

    /// The end of that last read, if there is one.
    pub(super) fn looking(&self) -> Option<Instant> {
        self.last_look
    }

    /// Starts another timeout.
    pub(super) fn look_away(&mut self) {
        self.last_look = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_after_the_interval_and_ends_after_one_and_a_half() {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut keep_alive = KeepAlive::new(10, start);
        assert_eq!(keep_alive.due(at(9.9), true, false), Due::Nothing);
        assert_eq!(keep_alive.due(at(10.0), true, false), Due::Ping);
        assert_eq!(keep_alive.due(at(14.9), true, false), Due::Nothing);
        assert_eq!(keep_alive.due(at(15.0), true, false), Due::Nothing, "a last look");
        assert_eq!(keep_alive.due(at(15.1), true, false), Due::Dead);
    }

    #[test]
    fn traffic_in_one_direction_is_not_enough() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut keep_alive = KeepAlive::new(10, start);
        for second in 1..10 {
            keep_alive.sent(at(second));
        }
        assert_eq!(keep_alive.due(at(10), true, false), Due::Ping);
        keep_alive.received(at(11), 2, true);
        for second in 11..19 {
            keep_alive.received(at(second), 2, true);
        }
        assert_eq!(keep_alive.due(at(19), true, false), Due::Nothing);
        assert_eq!(keep_alive.due(at(20), true, false), Due::Ping);
    }

    /// A packet that arrives byte by byte is not a sign of life; one that arrives fast enough to complete is.
    #[test]
    fn packet_byte_by_byte_does_not_keep_a_connection_alive() {
        let start = Instant::now();
        let dies = |bytes: usize| {
            let mut keep_alive = KeepAlive::new(10, start);
            (1..=100).find(|second| {
                let now = start + Duration::from_secs(*second);
                keep_alive.received(now, bytes, false);
                keep_alive.due(now, true, false) == Due::Dead
            })
        };
        assert_eq!(dies(1), Some(16));
        assert_eq!(dies(1000), None);
    }

    #[test]
    fn a_blocked_reader_keeps_the_link_up() {
        let start = Instant::now();
        let mut keep_alive = KeepAlive::new(10, start);
        let mut pings = 0;
        for second in 1..=100 {
            match keep_alive.due(start + Duration::from_secs(second), false, false) {
                Due::Ping => pings += 1,
                Due::Nothing => {}
                Due::Dead | Due::Stuck => panic!("a blocked reader proves nothing"),
            }
        }
        assert_eq!(pings, 10);
    }

    /// A large message on a slow connection: nothing is received for long, but the peer reads.
    #[test]
    fn connection_that_takes_waiting_bytes_is_alive() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut keep_alive = KeepAlive::new(10, start);
        for second in 1..=100 {
            keep_alive.drained(at(second));
            assert_eq!(keep_alive.due(at(second), true, false), Due::Nothing);
        }
        assert_eq!(keep_alive.due(at(110), true, false), Due::Ping);
        assert_eq!(keep_alive.due(at(115), true, false), Due::Nothing, "a last look");
        assert_eq!(keep_alive.due(at(116), true, false), Due::Dead);
    }

    /// A process that was stopped until long after the timeout reads the response and continues.
    #[test]
    fn response_found_late_counts() {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut keep_alive = KeepAlive::new(10, start);
        assert_eq!(keep_alive.due(at(10.0), true, false), Due::Ping);
        assert_eq!(keep_alive.due(at(70.0), true, false), Due::Nothing);
        assert!(keep_alive.deadline().is_some_and(|deadline| deadline > at(70.0)));
        keep_alive.received(at(70.0), 2, true);
        assert_eq!(keep_alive.due(at(70.1), true, false), Due::Ping);
        assert_eq!(keep_alive.due(at(75.1), true, false), Due::Nothing);
        assert_eq!(keep_alive.due(at(75.2), true, false), Due::Dead);
    }

    /// A peer that sends but does not read is given up as well.
    #[test]
    fn a_server_that_does_not_read_is_given_up() {
        let start = Instant::now();
        let mut keep_alive = KeepAlive::new(10, start);
        let ends = (1..=100).find_map(|second| {
            let now = start + Duration::from_secs(second);
            keep_alive.received(now, 2, true);
            Some((second, keep_alive.due(now, true, true))).filter(|(_, due)| *due == Due::Stuck)
        });
        assert_eq!(ends, Some((21, Due::Stuck)));
    }

    #[test]
    fn keep_alive_of_zero_is_off() {
        let start = Instant::now();
        let mut keep_alive = KeepAlive::new(0, start);
        assert_eq!(keep_alive.deadline(), None);
        assert_eq!(keep_alive.due(start + Duration::from_secs(1_000_000), true, false), Due::Nothing);
    }
}
