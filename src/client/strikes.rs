//! Connections that end repeatedly: names the likely cause, and stops reconnecting where it cannot help.
//!
//! A broker that closes the connection at a packet receives the same packet on the next connection, and
//! would close it again without end: QoS 2 where it is not supported, more messages in flight than it
//! accepts, a packet that is too large. Two clients with one client identifier disconnect each other in the
//! same way, and MQTT 3.1.1 does not report the reason.

use std::time::Duration;

use super::session::Unanswered;
use crate::error::{Error, Layer};
use crate::protocol::QoS;

/// Links in a row that end before the broker has answered anything, until the run ends: each delivers
/// what is unanswered once more.
const MOST_LINKS: u32 = 3;
/// The same where the broker keeps the session. It goes on with what it has, so little is repeated.
///
/// Three would not be safe here, however narrowly the links are chosen. A forwarder, a load balancer or a tunnel on
/// a bad network closes the connection in order after CONNACK and within moments of the packet, and so do brokers
/// that restart one after the other: nothing in these links differs from those of a broker that dislikes the
/// packet. A reset does not tell them apart either, since a broker that closes with bytes unread sends one. The run
/// of a publisher that could go on by itself must not end for that; at 20 links the pauses between them have
/// reached the ceiling of the back-off.
const MOST_KEPT_LINKS: u32 = 20;
/// Connections in a row that end soon before a warning names the likely cause.
const MOST_SHORT_LINKS: u32 = 3;
/// A connection that lasts less than this ends soon.
const SOON: Duration = Duration::from_secs(5);
/// From this packet size on, in bytes, the size may be the cause.
const LARGE_BYTES: usize = 1024;

/// How a link has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// The broker or the network has closed it, and has given no reason that lies elsewhere.
    pub(super) closed: bool,
    /// The broker has answered something.
    pub(super) progress: bool,
    /// It had kept the session.
    pub(super) session_present: bool,
    pub(super) lived: Duration,
}

/// Links in a row.
#[derive(Debug, Default)]
pub(super) struct Strikes {
    unanswered: u32,
    short: u32,
}

/// What follows from the end of a link.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StrikeVerdict {
    /// It is made again.
    Again,
    /// The connection is made again, with a warning: this many have ended soon.
    Suspicious(u32),
    /// The run ends: this many connections have ended in the same way.
    Hopeless(u32),
}

impl Strikes {
    /// One more link has ended; `waits`: while something that was sent had no answer.
    pub(super) fn count(&mut self, ended: Ended, waits: bool) -> StrikeVerdict {
        let most = if ended.session_present { MOST_KEPT_LINKS } else { MOST_LINKS };
        let is_stuck = ended.closed && waits && !ended.progress;
        self.unanswered = if is_stuck { self.unanswered + 1 } else { 0 };
        self.short = if ended.closed && ended.lived < SOON { self.short + 1 } else { 0 };
        if self.unanswered >= most {
            StrikeVerdict::Hopeless(self.unanswered)
        } else if self.short == MOST_SHORT_LINKS {
            StrikeVerdict::Suspicious(self.short)
        } else {
            StrikeVerdict::Again
        }
    }
}

/// The error of a run that ends because the links do.
pub(super) fn hopeless(links: u32, what: &Unanswered, client_identifier: &str) -> Error {
    let cause = format!("the broker has ended the connection {links} times in a row {what}");
    let mut hints = Vec::new();
    if let Unanswered::Publishes { qos, count, bytes, .. } = what {
        if *qos == QoS::ExactlyOnce {
            hints.push("it may not support QoS 2: try -q 1".to_owned());
        }
        if *count > 1 {
            hints.push(format!(
                "it may accept fewer than {count} messages in flight: try -M 1 (--max-inflight)"
            ));
        }
        if *bytes >= LARGE_BYTES {
            hints.push(format!("it may not accept packets of {bytes} bytes"));
        }
    }
    if !client_identifier.is_empty() {
        hints.push("another client may use the same client identifier (-i)".to_owned());
    }
    if hints.is_empty() {
        hints.push("this client may not have the right to do that; the broker's log may say why".to_owned());
    }
    Error::fatal(Layer::Mqtt, cause).with_hint(hints.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDED: Ended =
        Ended { closed: true, progress: false, session_present: false, lived: Duration::from_millis(1) };

    fn verdicts(ends: impl IntoIterator<Item = (Ended, bool)>) -> Vec<StrikeVerdict> {
        let mut strikes = Strikes::default();
        ends.into_iter().map(|(ended, waits)| strikes.count(ended, waits)).collect()
    }

    #[test]
    fn the_third_link_without_an_answer_is_the_last() {
        let last = verdicts([(ENDED, true); 3]);
        assert_eq!(last, [StrikeVerdict::Again, StrikeVerdict::Again, StrikeVerdict::Hopeless(3)]);
    }

    #[test]
    fn an_answer_or_another_end_starts_again() {
        for other in [Ended { progress: true, ..ENDED }, Ended { closed: false, ..ENDED }] {
            let ends = [(ENDED, true), (ENDED, true), (other, true), (ENDED, true), (ENDED, true)];
            assert!(
                !verdicts(ends).iter().any(|verdict| matches!(verdict, StrikeVerdict::Hopeless(_))),
                "{other:?}"
            );
        }
    }

    #[test]
    fn a_kept_session_has_more_patience() {
        let kept = (Ended { session_present: true, ..ENDED }, true);
        let verdicts = verdicts([kept; 20]);
        let hopeless = verdicts.iter().position(|verdict| matches!(verdict, StrikeVerdict::Hopeless(_)));
        assert_eq!(hopeless, Some(19));
    }

    #[test]
    fn links_that_end_soon_are_suspicious_once() {
        let verdicts = verdicts([(Ended { progress: true, ..ENDED }, false); 9]);
        let suspicious: Vec<usize> =
            (0..9).filter(|at| verdicts[*at] == StrikeVerdict::Suspicious(3)).collect();
        assert_eq!(suspicious, [2]);
        let long = Ended { progress: true, lived: SOON, ..ENDED };
        let ends = [(ENDED, false), (ENDED, false), (long, false), (ENDED, false)];
        assert!(self::verdicts(ends).iter().all(|verdict| *verdict == StrikeVerdict::Again));
    }
}
