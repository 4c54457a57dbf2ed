//! Connections that end repeatedly: names the likely cause, and stops reconnecting where it cannot help.
//!
//! A broker that closes the connection at a packet receives the same packet on the next connection, and
//! would close it again without end: QoS 2 where it is not supported, more messages in flight than it
//! accepts, a packet that is too large, an acknowledgement of a message that it sends once more. Two clients with one client identifier disconnect each other in the
//! same way, and MQTT 3.1.1 does not report the reason.

use std::time::Duration;

use super::session::Unanswered;
use crate::error::{Error, Layer};
use crate::protocol::QoS;
use crate::protocol::wire::PacketType;

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
/// The same at an acknowledgement in a session that the broker does not keep. Each link delivers the same message once
/// more, but a network that ends each link soon looks the same, and what it delivers is not lost.
const MOST_ACKNOWLEDGED_LINKS: u32 = 5;
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
    /// So many publishes and requests were answered.
    pub(super) answers: u64,
    /// It had kept the session.
    pub(super) session_present: bool,
    pub(super) lived: Duration,
}

/// Where a link has ended. The next one comes to the same place if it brings no progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndPlace {
    /// At publishes, of which an answer to any is for good.
    Publishes,
    /// At this packet after so many answers, which the next link needs once more.
    Packet(&'static str, u64),
    /// At the acknowledgement of this packet identifier, the last of so many. Another identifier is another message.
    Acknowledgement(PacketType, u16, u64),
}

impl EndPlace {
    /// The place of what is unanswered after this number of answers.
    pub(super) fn of(what: &Unanswered, answers: u64) -> Self {
        match what {
            Unanswered::Publishes { .. } => Self::Publishes,
            Unanswered::Request { name, .. } => Self::Packet(name, answers),
            Unanswered::Acknowledgement { packet, identifier, count } => {
                Self::Acknowledgement(*packet, *identifier, *count)
            }
            // What is answered before it is not told apart.
            Unanswered::Other(what) => Self::Packet(what, 0),
        }
    }

    /// Whether a link that the broker has closed here has brought nothing.
    fn is_stuck(self, ended: &Ended) -> bool {
        match self {
            Self::Publishes => ended.answers == 0,
            Self::Packet(..) => true,
            Self::Acknowledgement(..) => ended.lived < SOON,
        }
    }

    /// Links in a row that may end here.
    fn most_links(self, ended: &Ended) -> u32 {
        match self {
            _ if ended.session_present => MOST_KEPT_LINKS,
            Self::Acknowledgement(..) => MOST_ACKNOWLEDGED_LINKS,
            _ => MOST_LINKS,
        }
    }
}

/// Links in a row.
#[derive(Debug, Default)]
pub(super) struct Strikes {
    stuck: u32,
    /// Where these have ended.
    place: Option<EndPlace>,
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
    /// One more link has ended, at this place if something that was sent waited there.
    pub(super) fn count(&mut self, ended: Ended, place: Option<EndPlace>) -> StrikeVerdict {
        let place = place.filter(|place| ended.closed && place.is_stuck(&ended));
        self.stuck = match place {
            Some(_) if place == self.place => self.stuck + 1,
            Some(_) => 1,
            None => 0,
        };
        self.place = place;
        self.short = if ended.closed && ended.lived < SOON { self.short + 1 } else { 0 };
        if place.is_some_and(|place| self.stuck >= place.most_links(&ended)) {
            StrikeVerdict::Hopeless(self.stuck)
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
    if let Unanswered::Acknowledgement { .. } = what {
        hints.push("-q 0 receives messages without acknowledgements".to_owned());
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
        Ended { closed: true, answers: 0, session_present: false, lived: Duration::from_millis(1) };
    const AT_PUBLISHES: Option<EndPlace> = Some(EndPlace::Publishes);

    fn verdicts(ends: impl IntoIterator<Item = (Ended, Option<EndPlace>)>) -> Vec<StrikeVerdict> {
        let mut strikes = Strikes::default();
        ends.into_iter().map(|(ended, place)| strikes.count(ended, place)).collect()
    }

    fn is_hopeless(verdict: &StrikeVerdict) -> bool {
        matches!(verdict, StrikeVerdict::Hopeless(_))
    }

    #[test]
    fn the_third_link_without_an_answer_is_the_last() {
        for place in
            [EndPlace::Publishes, EndPlace::Packet("SUBSCRIBE", 0), EndPlace::Packet("UNSUBSCRIBE", 1)]
        {
            let last = verdicts([(ENDED, Some(place)); 3]);
            assert_eq!(last, [StrikeVerdict::Again, StrikeVerdict::Again, StrikeVerdict::Hopeless(3)]);
        }
    }

    #[test]
    fn an_answer_or_another_end_starts_again() {
        for other in [Ended { answers: 1, ..ENDED }, Ended { closed: false, ..ENDED }] {
            let ends = [ENDED, ENDED, other, ENDED, ENDED].map(|ended| (ended, AT_PUBLISHES));
            assert!(!verdicts(ends).iter().any(is_hopeless), "{other:?}");
        }
        // Each link comes further than the one before, or ends elsewhere.
        let further = (0..9).map(|answers| (ENDED, Some(EndPlace::Packet("SUBSCRIBE", answers))));
        assert!(!verdicts(further).iter().any(is_hopeless));
    }

    #[test]
    fn a_kept_session_has_more_patience() {
        let kept = (Ended { session_present: true, ..ENDED }, AT_PUBLISHES);
        assert_eq!(verdicts([kept; 20]).iter().position(is_hopeless), Some(19));
    }

    #[test]
    fn an_acknowledgement_is_stuck_only_at_the_same_message_and_soon() {
        let at = |identifier| Some(EndPlace::Acknowledgement(PacketType::PubAck, identifier, 1));
        let place = at(7);
        assert_eq!(verdicts([(ENDED, place); 20]).iter().position(is_hopeless), Some(4));
        let kept = Ended { session_present: true, ..ENDED };
        assert_eq!(verdicts([(kept, place); 20]).iter().position(is_hopeless), Some(19));
        let long = Ended { lived: SOON, ..ENDED };
        assert!(!verdicts([(long, place); 60]).iter().any(is_hopeless), "a link that is idle for a while");
        let others = (1..60).map(|identifier| (ENDED, at(identifier)));
        assert!(!verdicts(others).iter().any(is_hopeless), "another message on each link");
    }

    #[test]
    fn links_that_end_soon_are_suspicious_once() {
        let verdicts = verdicts([(Ended { answers: 1, ..ENDED }, None); 9]);
        let suspicious: Vec<usize> =
            (0..9).filter(|at| verdicts[*at] == StrikeVerdict::Suspicious(3)).collect();
        assert_eq!(suspicious, [2]);
        let long = Ended { answers: 1, lived: SOON, ..ENDED };
        let ends = [ENDED, ENDED, long, ENDED].map(|ended| (ended, None));
        assert!(self::verdicts(ends).iter().all(|verdict| *verdict == StrikeVerdict::Again));
    }
}
