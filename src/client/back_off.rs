//! The pause between two attempts to connect: exponential, with full jitter, so that the clients of a
//! restarted broker do not all connect at the same time.

use std::time::Duration;

use super::options::Reconnect;
use crate::error::{Error, Retry};

/// The upper bound of the first pause; it doubles with each consecutive failure.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// A connection that lasts this long resets the count of failures.
const HEALTHY: Duration = Duration::from_secs(5);

/// The count of consecutive failures.
#[derive(Debug)]
pub struct BackOff {
    most: Duration,
    failures: u32,
}

impl BackOff {
    /// A back-off with pauses of up to `most`.
    #[must_use]
    pub fn new(most: Duration) -> Self {
        Self { most, failures: 0 }
    }

    /// The number of consecutive failures.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Reports a connection that was lost this long after its CONNACK.
    ///
    /// Neither a successful CONNACK nor received messages reset the count: two clients with the same client
    /// identifier take over the session from each other ([MQTT-3.1.4-3]), each with a CONNACK and the
    /// retained messages, and MQTT 3.1.1 does not report why a link ended. So only the duration counts, and
    /// it has to exceed the current pause: with two such clients, one's pause is the duration of the other's
    /// link.
    pub(super) fn lived(&mut self, time: Duration) {
        if time > self.ceiling(self.failures.saturating_sub(1)).max(HEALTHY) {
            self.failures = 0;
        }
    }

    /// Counts one more failure, and returns the pause after it.
    pub fn pause(&mut self) -> Duration {
        let ceiling = self.ceiling(self.failures);
        self.failures += 1;
        ceiling.mul_f64(fastrand::f64())
    }

    fn ceiling(&self, failures: u32) -> Duration {
        FIRST_DELAY.saturating_mul(1 << failures.min(20)).min(self.most)
    }
}

/// Whether and when one of many clients reconnects. A [`run`](super::run) has further reasons to wait or to
/// end.
#[derive(Debug)]
pub struct ReconnectDecision {
    back_off: BackOff,
    attempts: Option<u32>,
    /// The last attempt ended in an error that is final if it occurs twice in a row.
    is_doubtful: bool,
}

impl ReconnectDecision {
    /// For a client that had a link.
    #[must_use]
    pub fn new(reconnect: &Reconnect) -> Self {
        let back_off = BackOff::new(reconnect.max_delay);
        Self { back_off, attempts: reconnect.attempts, is_doubtful: false }
    }

    /// The pause before the next attempt, after a link that lasted for `lived` or a failed attempt; `None`
    /// for no further attempt. Without an error the client itself closed the link.
    pub fn pause(&mut self, error: Option<&Error>, lived: Option<Duration>) -> Option<Duration> {
        if let Some(lived) = lived {
            self.back_off.lived(lived);
        }
        let is_patient = self.attempts.is_none_or(|most| self.back_off.failures() < most);
        let retry = error.map_or(Retry::Later, Error::retry);
        let is_second = std::mem::replace(&mut self.is_doubtful, retry == Retry::Once);
        let pause = self.back_off.pause();
        (is_patient && !retry.is_final(is_second)).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_grows_to_its_cap_with_jitter() {
        let mut back_off = BackOff::new(Duration::from_secs(30));
        for failures in 0..64 {
            assert_eq!(back_off.failures(), failures);
            let ceiling = 0.1 * 2_f64.powi(failures.min(20).try_into().unwrap());
            let pause = back_off.pause().as_secs_f64();
            assert!(pause <= ceiling.min(30.0), "{failures}: {pause}");
        }
    }

    #[test]
    fn only_a_lasting_connection_resets_the_back_off() {
        let mut back_off = BackOff::new(Duration::from_secs(30));
        for failures in 1..=10 {
            back_off.pause();
            back_off.lived(Duration::from_millis(4_900));
            assert_eq!(back_off.failures(), failures, "lost soon behind its CONNACK");
        }
        back_off.lived(Duration::from_secs(29));
        assert_eq!(back_off.failures(), 10, "shorter than the pauses have grown to");
        back_off.lived(Duration::from_secs(31));
        assert_eq!(back_off.failures(), 0);
        back_off.pause();
        back_off.lived(Duration::from_millis(5_100));
        assert_eq!(back_off.failures(), 0);
    }

    #[test]
    fn client_reconnects_up_to_the_attempt_limit() {
        let reconnect = Reconnect { attempts: Some(2), ..Reconnect::NEVER };
        let mut decision = ReconnectDecision::new(&reconnect);
        assert!(decision.pause(None, None).is_some());
        assert!(decision.pause(None, None).is_some());
        assert!(decision.pause(None, None).is_none());
        assert!(decision.pause(None, Some(Duration::from_secs(6))).is_some(), "after a link that has lasted");
        let mut decision = ReconnectDecision::new(&Reconnect::ALWAYS);
        assert!(
            decision.pause(Some(&Error::usage("wrong")), None).is_none(),
            "what another attempt does not mend"
        );
    }

    /// With one client identifier, each client's connection ends the other's.
    #[test]
    fn two_clients_that_take_over_from_each_other_slow_down() {
        fastrand::seed(6);
        let mut clients = [BackOff::new(Duration::from_secs(30)), BackOff::new(Duration::from_secs(30))];
        let (mut now, mut up_since, mut takeovers) = (0.0, 0.0, 0);
        let mut holder = 0;
        while now < 3600.0 {
            let loser = holder;
            clients[loser].lived(Duration::from_secs_f64(now - up_since));
            (holder, up_since) = (1 - loser, now);
            now += clients[loser].pause().as_secs_f64();
            takeovers += 1;
        }
        assert!(takeovers < 1200, "{takeovers} in an hour");
    }
}
