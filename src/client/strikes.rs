//! Connections that end repeatedly: names the likely cause, and stops reconnecting where it cannot help.
//!
//! A broker that closes the connection because of a packet receives the same packet on the next connection,
//! and would close it again without end: QoS 2 where it is not supported, more messages in flight than it
//! accepts, a packet that is too large, an acknowledgement of a message that it sends again. Some brokers
//! refuse a message or a filter that this client has no right to with a Reason Code, and then close the
//! connection as well. Two clients with one client identifier disconnect each other in the same way, and MQTT 3.1.1 does not
//! report the reason.

use std::time::Duration;

use super::session::{AnswerCounts, DeniedFilter, RefusedPublish, Unanswered};
use crate::error::{Error, Layer};
use crate::protocol::QoS;
use crate::protocol::wire::PacketType;

/// The run ends after this number of consecutive links that end before the broker has answered anything: each
/// link delivers the unanswered packets once more.
const MOST_LINKS: u32 = 3;
/// The same limit if the broker keeps the session. Little is repeated then, as the broker continues with what
/// it has.
///
/// Three would not be safe here, however narrowly the links are chosen. A forwarder, a load balancer or a
/// tunnel on a bad network closes the connection in order after CONNACK and within moments of the packet, and
/// so do brokers that restart one after the other: these links do not differ from those of a broker that
/// rejects the packet. A reset does not distinguish them either, since a broker that closes with unread bytes
/// sends one. A publisher's run that could recover must not end for that; after 20 links the pauses between
/// them have reached the cap of the back-off.
const MOST_KEPT_LINKS: u32 = 20;
/// The same limit for an acknowledgement in a session that the broker does not keep. Each link delivers the
/// same message again, but a network that ends each link soon looks the same, and its messages are not lost.
const MOST_ACKNOWLEDGED_LINKS: u32 = 5;
/// After this number of consecutive short connections a warning names the likely cause.
const MOST_SHORT_LINKS: u32 = 3;
/// A connection that lasts less than this is short; an acknowledgement less than this before the end may be its
/// cause.
const SOON: Duration = Duration::from_secs(5);
/// After this time without a packet a device in the network may have forgotten the connection, and ends it at
/// the next packet.
const SILENT: Duration = Duration::from_secs(60);
/// From this packet size on, in bytes, the size may be the cause.
const LARGE_BYTES: usize = 1024;

/// How a link has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// Whether the broker or the network closed it for a reason that another link may not meet again.
    pub(super) closed: bool,
    /// Whether the broker gave as the reason that it is unavailable.
    pub(super) unavailable: bool,
    /// The publishes and requests answered.
    pub(super) answers: AnswerCounts,
    /// Whether the broker had kept the session.
    pub(super) session_present: bool,
    pub(super) lived: Duration,
    /// The time between the last bytes sent and the end.
    pub(super) since_sent: Duration,
    /// The time between the last sign of life from the broker and the end.
    pub(super) since_received: Duration,
    /// The time between the first message of QoS 0 that the broker has not shown to have read and the end.
    pub(super) since_unread: Option<Duration>,
}

/// Where a link ended. Without progress, the next link ends at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndPlace {
    /// At publishes; an answer to any of them is lasting progress.
    Publishes,
    /// At a message of QoS 0, which has no answer; a PINGRESP after it is lasting progress.
    Unread,
    /// At this packet, after this number of answers, which the next link needs again.
    Packet(&'static str, u64),
    /// At the acknowledgement of this packet identifier, the last of this number. Another identifier is
    /// another message.
    Acknowledgement(PacketType, u16, u64),
    /// After a refused publish, and none that was accepted. The next link refuses the next one. Or after a refused
    /// filter, without a message.
    Refusal,
}

impl EndPlace {
    /// The place of an unanswered packet after this number of answers.
    pub(super) fn of(what: &Unanswered, answers: AnswerCounts) -> Self {
        match what {
            Unanswered::Publishes { .. } => Self::Publishes,
            Unanswered::Unread { .. } => Self::Unread,
            Unanswered::Request { name, .. } => Self::Packet(name, answers.publishes + answers.requests),
            Unanswered::Acknowledgement { packet, identifier, count } => {
                Self::Acknowledgement(*packet, *identifier, *count)
            }
            Unanswered::Refused(_) | Unanswered::DeniedFilter(_) => Self::Refusal,
            // The number of answers before it is not compared.
            Unanswered::Other(what) => Self::Packet(what.name, 0),
        }
    }

    /// Whether the link made no progress before the broker closed it here.
    fn is_stuck(self, ended: &Ended) -> bool {
        match self {
            // An answered SUBSCRIBE is none: the next link needs it again.
            Self::Publishes => ended.answers.publishes == 0,
            Self::Unread => {
                let is_soon = ended.since_unread.is_some_and(|since| since < SOON);
                ended.answers.publishes == 0 && is_soon && ended.since_received < SILENT
            }
            Self::Packet(..) => true,
            // The link may have lasted long before: a message can take long to process.
            Self::Acknowledgement(..) => ended.since_sent < SOON,
            Self::Refusal => ended.answers.publishes == 0 && ended.since_sent < SOON,
        }
    }

    /// Maximum number of consecutive links that may end here.
    fn most_links(self, ended: &Ended) -> u32 {
        match self {
            _ if ended.session_present => MOST_KEPT_LINKS,
            Self::Acknowledgement(..) => MOST_ACKNOWLEDGED_LINKS,
            _ => MOST_LINKS,
        }
    }
}

/// Counts of consecutive links.
#[derive(Debug, Default)]
pub(super) struct Strikes {
    stuck: u32,
    /// Where the stuck links ended.
    place: Option<EndPlace>,
    short: u32,
}

/// The consequence of the end of a link.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StrikeVerdict {
    /// Reconnect.
    Again,
    /// Reconnect with a warning: this number of connections was short.
    Suspicious(u32),
    /// End the run: this number of connections ended in the same way.
    Hopeless(u32),
}

impl Strikes {
    /// Counts a link that ended, at this place if a sent packet was unanswered.
    pub(super) fn count(&mut self, ended: Ended, place: Option<EndPlace>) -> StrikeVerdict {
        let place = place.filter(|place| ended.closed && place.is_stuck(&ended));
        self.stuck = match place {
            Some(_) if place == self.place => self.stuck + 1,
            Some(_) => 1,
            None => 0,
        };
        self.place = place;
        self.short =
            if ended.closed && !ended.unavailable && ended.lived < SOON { self.short + 1 } else { 0 };
        if place.is_some_and(|place| self.stuck >= place.most_links(&ended)) {
            StrikeVerdict::Hopeless(self.stuck)
        } else if self.short == MOST_SHORT_LINKS {
            StrikeVerdict::Suspicious(self.short)
        } else {
            StrikeVerdict::Again
        }
    }
}

/// The error of a run that ends because its links end repeatedly.
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
    if let Unanswered::Unread { .. } = what {
        hints.push(
            "this client may not have the right to publish there: with -q 1 a broker that speaks MQTT 5 answers with \
             the reason"
                .to_owned(),
        );
    }
    if let Unanswered::Other(awaited) = what {
        hints.extend(awaited.hint.map(str::to_owned));
    }
    if let Unanswered::Acknowledgement { .. } = what {
        hints.push("-q 0 receives messages without acknowledgements".to_owned());
    }
    if let Unanswered::Refused(RefusedPublish { reason, .. }) = what {
        hints.extend(reason.advice().map(str::to_owned));
    } else if let Unanswered::DeniedFilter(DeniedFilter { reason, .. }) = what {
        hints.extend(reason.advice().map(str::to_owned));
        hints.push("leave out that filter".to_owned());
    } else if !client_identifier.is_empty() {
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

    const ENDED: Ended = Ended {
        closed: true,
        unavailable: false,
        answers: AnswerCounts { publishes: 0, requests: 0 },
        session_present: false,
        lived: Duration::from_millis(1),
        since_sent: Duration::from_millis(1),
        since_received: Duration::from_millis(1),
        since_unread: None,
    };
    const ANSWERED: Ended = Ended { answers: AnswerCounts { publishes: 1, requests: 0 }, ..ENDED };
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
        for place in [
            EndPlace::Publishes,
            EndPlace::Packet("SUBSCRIBE", 0),
            EndPlace::Packet("UNSUBSCRIBE", 1),
            EndPlace::Refusal,
        ] {
            let last = verdicts([(ENDED, Some(place)); 3]);
            assert_eq!(last, [StrikeVerdict::Again, StrikeVerdict::Again, StrikeVerdict::Hopeless(3)]);
        }
    }

    #[test]
    fn an_answer_or_another_end_starts_again() {
        for other in [ANSWERED, Ended { closed: false, ..ENDED }] {
            let ends = [ENDED, ENDED, other, ENDED, ENDED].map(|ended| (ended, AT_PUBLISHES));
            assert!(!verdicts(ends).iter().any(is_hopeless), "{other:?}");
        }
        // Each link gets further than the one before, or ends elsewhere.
        let further = (0..9).map(|answers| (ENDED, Some(EndPlace::Packet("SUBSCRIBE", answers))));
        assert!(!verdicts(further).iter().any(is_hopeless));
    }

    #[test]
    fn refusals_end_a_run_only_soon_before_the_end_and_without_progress() {
        let refused = Some(EndPlace::Refusal);
        let late = Ended { since_sent: SOON, ..ENDED };
        assert!(!verdicts([(late, refused); 9]).iter().any(is_hopeless), "the link went on");
        let accepted = (ANSWERED, refused);
        let mixed = [(ENDED, refused), (ENDED, refused), accepted, (ENDED, refused), (ENDED, refused)];
        assert!(!verdicts(mixed).iter().any(is_hopeless), "a message in between was accepted");
    }

    #[test]
    fn answered_subscribe_is_no_progress_of_publishes() {
        let subscribed = Ended { answers: AnswerCounts { publishes: 0, requests: 1 }, ..ENDED };
        assert_eq!(verdicts([(subscribed, AT_PUBLISHES); 9]).iter().position(is_hopeless), Some(2));
    }

    #[test]
    fn acknowledgement_after_long_work_is_stuck() {
        let place = Some(EndPlace::Acknowledgement(PacketType::PubAck, 7, 1));
        let worked = Ended { lived: 2 * SOON, ..ANSWERED };
        assert_eq!(verdicts([(worked, place); 9]).iter().position(is_hopeless), Some(4));
    }

    #[test]
    fn a_message_of_qos_0_is_stuck_soon_before_the_end_and_without_a_pingresp() {
        let place = Some(EndPlace::Unread);
        let unread = Ended { since_unread: Some(Duration::ZERO), ..ENDED };
        assert_eq!(verdicts([(unread, place); 9]).iter().position(is_hopeless), Some(2));
        for other in [
            Ended { since_unread: Some(SOON), ..unread },
            Ended { since_received: SILENT, ..unread },
            Ended { answers: ANSWERED.answers, ..unread },
        ] {
            assert!(!verdicts([(other, place); 60]).iter().any(is_hopeless), "{other:?}");
        }
    }

    #[test]
    fn an_unavailable_broker_is_stuck_only_at_a_packet() {
        let unavailable = Ended { unavailable: true, ..ENDED };
        assert_eq!(verdicts([(unavailable, AT_PUBLISHES); 9]).iter().position(is_hopeless), Some(2));
        assert!(verdicts([(unavailable, None); 60]).iter().all(|verdict| *verdict == StrikeVerdict::Again));
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
        let long = Ended { lived: SOON, since_sent: SOON, ..ENDED };
        assert!(!verdicts([(long, place); 60]).iter().any(is_hopeless), "a link that is idle for a while");
        let others = (1..60).map(|identifier| (ENDED, at(identifier)));
        assert!(!verdicts(others).iter().any(is_hopeless), "another message on each link");
    }

    #[test]
    fn links_that_end_soon_are_suspicious_once() {
        let verdicts = verdicts([(ANSWERED, None); 9]);
        let suspicious: Vec<usize> =
            (0..9).filter(|at| verdicts[*at] == StrikeVerdict::Suspicious(3)).collect();
        assert_eq!(suspicious, [2]);
        let long = Ended { lived: SOON, ..ANSWERED };
        let ends = [ENDED, ENDED, long, ENDED].map(|ended| (ended, None));
        assert!(self::verdicts(ends).iter().all(|verdict| *verdict == StrikeVerdict::Again));
    }
}
