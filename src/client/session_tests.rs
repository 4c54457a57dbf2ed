//! The session's rules, packet by packet, for each version.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::limits::ServerLimits;
use super::session::{Event, Session, Unanswered};
use crate::protocol::property::{Properties, PropertyBlock, PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Ack, Packet, PacketType, Publish, PublishTemplate, Subscription};
use crate::protocol::{Protocol, QoS};

const ALL: [Protocol; 3] = [Protocol::V3_1, Protocol::V3_1_1, Protocol::V5];

struct Peer {
    session: Session,
    out: BytesMut,
    protocol: Protocol,
}

impl Peer {
    fn new(protocol: Protocol) -> Self {
        Self::with(protocol, 20, &PropertyBlock::default())
    }

    fn with(protocol: Protocol, max_inflight: u16, properties: &PropertyBlock) -> Self {
        let mut session = Session::new(protocol, max_inflight, properties);
        session.connected(protocol, false, ServerLimits::default());
        Self { session, out: BytesMut::new(), protocol }
    }

    fn publish(&mut self, qos: QoS, token: u64) {
        let template =
            Arc::new(PublishTemplate::new(self.protocol, b"t", qos, false, &PropertyBlock::default()));
        let payload = Bytes::from(token.to_string());
        self.session.publish(&mut self.out, &template, &payload, || Some(payload.clone()), token).unwrap();
    }

    /// The packets sent since the last call, as text.
    fn sent(&mut self) -> Vec<String> {
        let bytes = self.out.split();
        let mut rest = &bytes[..];
        let mut packets = Vec::new();
        while let Some(length) = wire::frame(rest, wire::LARGEST_PACKET_BYTES).unwrap() {
            packets.push(match wire::decode(self.protocol, &rest[..length]).unwrap() {
                Packet::Publish(p) => {
                    let dup = if p.dup { " dup" } else { "" };
                    let payload = String::from_utf8_lossy(p.payload).into_owned();
                    format!("publish {} {payload}{dup}", p.packet_identifier)
                }
                Packet::PubAck(a) => format!("puback {} {:02x}", a.packet_identifier, a.reason.0),
                Packet::PubRec(a) => format!("pubrec {} {:02x}", a.packet_identifier, a.reason.0),
                Packet::PubRel(a) => format!("pubrel {} {:02x}", a.packet_identifier, a.reason.0),
                Packet::PubComp(a) => format!("pubcomp {} {:02x}", a.packet_identifier, a.reason.0),
                other => format!("{other:?}"),
            });
            rest = &rest[length..];
        }
        packets
    }

    fn receive(&mut self, packet: &Packet<'_>) -> Result<Option<String>, String> {
        match self.session.receive(packet, &mut self.out) {
            Ok(None) => Ok(None),
            Ok(Some(Event::Message(p))) => Ok(Some(format!("message {}", String::from_utf8_lossy(p.topic)))),
            Ok(Some(Event::Published { token, reason, .. })) => {
                Ok(Some(format!("published {token} {:02x}", reason.0)))
            }
            Ok(Some(other)) => Ok(Some(format!("{other:?}"))),
            Err(malformed) => Err(format!("{malformed} [{:02x}]", malformed.reason.0)),
        }
    }
}

fn ack(packet_identifier: u16, reason: u8) -> Ack<'static> {
    Ack { packet_identifier, reason: ReasonCode(reason), properties: Properties::NONE }
}

fn message(qos: QoS, packet_identifier: u16, dup: bool) -> Packet<'static> {
    Packet::Publish(Publish {
        dup,
        qos,
        retain: false,
        packet_identifier,
        topic: b"in",
        properties: Properties::NONE,
        payload: b"x",
    })
}

/// A PINGRESP is the answer to the messages of QoS 0 before its PINGREQ.
#[test]
fn message_of_qos_0_is_unread_until_a_pingresp() {
    let mut peer = Peer::new(Protocol::V5);
    peer.publish(QoS::AtMostOnce, 1);
    peer.session.ping(&mut BytesMut::new());
    peer.publish(QoS::AtMostOnce, 2);
    for answered in [1, 2] {
        assert!(matches!(peer.session.unanswered(), Some(Unanswered::Unread { .. })));
        peer.receive(&Packet::PingResp).unwrap();
        assert_eq!(peer.session.answers().publishes, answered);
        peer.session.ping(&mut BytesMut::new());
    }
    assert_eq!(peer.session.unanswered(), None);
}

#[test]
fn outbound_qos_1_and_2() {
    for protocol in ALL {
        let mut peer = Peer::new(protocol);
        peer.publish(QoS::AtMostOnce, 1);
        peer.publish(QoS::AtLeastOnce, 2);
        peer.publish(QoS::ExactlyOnce, 3);
        assert_eq!(peer.sent(), ["publish 0 1", "publish 1 2", "publish 2 3"]);
        assert!(peer.session.has_unconfirmed());
        assert_eq!(peer.receive(&Packet::PubAck(ack(1, 0))), Ok(Some("published 2 00".into())));
        assert_eq!(peer.receive(&Packet::PubRec(ack(2, 0))), Ok(Some("Received { token: 3 }".into())));
        assert_eq!(peer.sent(), ["pubrel 2 00"]);
        // A repeated PUBREC is answered, but is not an event.
        assert_eq!(peer.receive(&Packet::PubRec(ack(2, 0))), Ok(None));
        assert_eq!(peer.sent(), ["pubrel 2 00"]);
        assert!(!peer.session.is_idle());
        assert_eq!(peer.receive(&Packet::PubComp(ack(2, 0))), Ok(Some("published 3 00".into())));
        assert!(peer.session.is_idle());
        // Late or repeated responses change nothing.
        assert_eq!(peer.receive(&Packet::PubAck(ack(1, 0))), Ok(None));
        assert_eq!(peer.receive(&Packet::PubComp(ack(2, 0))), Ok(None));
        assert!(peer.session.is_idle());
    }
}

#[test]
fn refusals_end_a_publish() {
    let mut peer = Peer::new(Protocol::V5);
    peer.publish(QoS::AtLeastOnce, 1);
    peer.publish(QoS::ExactlyOnce, 2);
    peer.sent();
    assert_eq!(peer.receive(&Packet::PubAck(ack(1, 0x87))), Ok(Some("published 1 87".into())));
    assert_eq!(peer.receive(&Packet::PubRec(ack(2, 0x97))), Ok(Some("published 2 97".into())));
    assert!(peer.sent().is_empty(), "no PUBREL for a refused message");
    assert!(peer.session.is_idle());
}

#[test]
fn responses_of_the_wrong_kind_are_reported() {
    for protocol in ALL {
        let mut peer = Peer::new(protocol);
        peer.publish(QoS::ExactlyOnce, 1);
        let error = peer.receive(&Packet::PubAck(ack(1, 0))).unwrap_err();
        assert!(error.contains("QoS 2 as QoS 1"), "{error}");
        let mut peer = Peer::new(protocol);
        peer.publish(QoS::AtLeastOnce, 1);
        assert!(peer.receive(&Packet::PubRec(ack(1, 0))).is_err());
        for packet in [
            Packet::PingReq,
            Packet::ConnAck {
                session_present: false,
                reason: ReasonCode::SUCCESS,
                properties: Properties::NONE,
            },
            Packet::SubAck { packet_identifier: 9, properties: Properties::NONE, reasons: &[0] },
            Packet::UnsubAck { packet_identifier: 1, properties: Properties::NONE, reasons: &[] },
        ] {
            assert!(peer.receive(&packet).unwrap_err().ends_with("[82]"));
        }
    }
}

#[test]
fn window_is_the_smaller_of_both_limits() {
    let mut peer = Peer::with(Protocol::V5, 3, &PropertyBlock::default());
    for token in 0..3 {
        assert!(peer.session.can_publish(QoS::AtLeastOnce));
        peer.publish(QoS::AtLeastOnce, token);
    }
    assert!(!peer.session.can_publish(QoS::AtLeastOnce));
    assert!(peer.session.can_publish(QoS::AtMostOnce));
    peer.receive(&Packet::PubAck(ack(2, 0))).unwrap();
    assert!(peer.session.can_publish(QoS::AtLeastOnce));
    let limits = ServerLimits { receive_maximum: 1, ..ServerLimits::default() };
    let mut session = Session::new(Protocol::V5, 20, &PropertyBlock::default());
    session.connected(Protocol::V5, false, limits);
    assert_eq!(session.window_left(), 1);
}

#[test]
fn a_kept_session_resumes_in_order_with_dup() {
    for protocol in ALL {
        let mut peer = Peer::new(protocol);
        for token in 1..=4 {
            peer.publish(if token == 2 { QoS::ExactlyOnce } else { QoS::AtLeastOnce }, token);
        }
        peer.receive(&Packet::PubRec(ack(2, 0))).unwrap();
        peer.receive(&Packet::PubAck(ack(3, 0))).unwrap();
        peer.sent();
        assert_eq!(peer.session.connected(protocol, true, ServerLimits::default()), 0);
        assert_eq!(peer.session.unacknowledged(), 3);
        assert!(!peer.session.can_publish(QoS::AtMostOnce), "new messages wait for the old ones");
        peer.session.resume(&mut peer.out, 1000).unwrap();
        assert_eq!(peer.sent(), ["publish 1 1 dup", "pubrel 2 00", "publish 4 4 dup"]);
        for packet in [Packet::PubAck(ack(1, 0)), Packet::PubComp(ack(2, 0)), Packet::PubAck(ack(4, 0))] {
            assert!(peer.receive(&packet).unwrap().is_some());
        }
        assert!(peer.session.is_idle());
    }
}

#[test]
fn lost_session_starts_again_and_reports_possible_repeats() {
    for protocol in ALL {
        let mut peer = Peer::new(protocol);
        for token in 1..=3 {
            peer.publish(if token == 2 { QoS::ExactlyOnce } else { QoS::AtLeastOnce }, token);
        }
        peer.receive(&Packet::PubRec(ack(2, 0))).unwrap();
        peer.sent();
        assert_eq!(peer.session.connected(protocol, false, ServerLimits::default()), 1);
        peer.session.resume(&mut peer.out, 1000).unwrap();
        assert_eq!(peer.sent(), ["publish 4 1", "publish 5 2", "publish 6 3"]);
    }
}

/// Acknowledgements that arrive while the rest waits for the window must not skip a publish.
#[test]
fn resuming_through_a_small_window_skips_nothing() {
    for (session_present, first) in [(true, 1), (false, 11)] {
        let mut peer = Peer::new(Protocol::V5);
        for token in 1..=10 {
            peer.publish(QoS::AtLeastOnce, token);
        }
        peer.sent();
        let limits = ServerLimits { receive_maximum: 2, ..ServerLimits::default() };
        peer.session.connected(Protocol::V5, session_present, limits);
        let mut seen = Vec::new();
        for round in 0..10_u16 {
            peer.session.resume(&mut peer.out, 100_000).unwrap();
            seen.extend(peer.sent());
            let identifier = first + round;
            let answer = peer.receive(&Packet::PubAck(ack(identifier, 0))).unwrap();
            assert_eq!(answer, Some(format!("published {} 00", round + 1)));
        }
        let payloads: Vec<&str> = seen.iter().filter_map(|packet| packet.split(' ').nth(2)).collect();
        assert_eq!(payloads, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
        assert!(peer.session.is_idle());
    }
}

/// Lost, then kept: publishes that were queued again but not yet sent are not forgotten.
#[test]
fn second_lost_connection_loses_nothing() {
    let mut peer = Peer::with(Protocol::V5, 5, &PropertyBlock::default());
    for token in 1..=5 {
        peer.publish(QoS::AtLeastOnce, token);
    }
    let one = ServerLimits { receive_maximum: 1, ..ServerLimits::default() };
    peer.session.connected(Protocol::V5, false, one);
    peer.sent();
    peer.session.resume(&mut peer.out, 1000).unwrap();
    assert_eq!(peer.sent(), ["publish 6 1"]);
    peer.session.connected(Protocol::V5, true, ServerLimits::default());
    assert_eq!(peer.session.unacknowledged(), 5);
    peer.session.resume(&mut peer.out, 1000).unwrap();
    assert_eq!(peer.sent(), ["publish 6 1 dup", "publish 7 2", "publish 8 3", "publish 9 4", "publish 10 5"]);
}

#[test]
fn inbound_qos_2_is_delivered_once() {
    for protocol in ALL {
        let mut peer = Peer::new(protocol);
        assert!(peer.receive(&message(QoS::ExactlyOnce, 7, false)).unwrap().is_some());
        assert_eq!(peer.receive(&message(QoS::ExactlyOnce, 7, true)), Ok(None));
        // The link is lost and the session kept: the identifier still belongs to the same message.
        peer.session.connected(protocol, true, ServerLimits::default());
        assert_eq!(peer.receive(&message(QoS::ExactlyOnce, 7, true)), Ok(None));
        let released = Ok(Some("Released { packet_identifier: 7 }".into()));
        assert_eq!(peer.receive(&Packet::PubRel(ack(7, 0))), released);
        assert_eq!(peer.sent(), ["pubrec 7 00", "pubrec 7 00", "pubrec 7 00", "pubcomp 7 00"]);
        // After the release the identifier may carry another message.
        assert!(peer.receive(&message(QoS::ExactlyOnce, 7, false)).unwrap().is_some());
        // An unknown identifier is answered anyway, so that the broker can finish.
        peer.sent();
        peer.receive(&Packet::PubRel(ack(99, 0))).unwrap();
        let reason = if protocol == Protocol::V5 { "92" } else { "00" };
        assert_eq!(peer.sent(), [format!("pubcomp 99 {reason}")]);
        // The session is lost: a message with that identifier is another one.
        peer.session.connected(protocol, false, ServerLimits::default());
        assert!(peer.receive(&message(QoS::ExactlyOnce, 7, false)).unwrap().is_some());
    }
}

#[test]
fn inbound_topic_aliases() {
    let mut block = PropertyBlock::default();
    block.push(PropertyId::TopicAliasMaximum, Value::Number(2));
    let mut peer = Peer::with(Protocol::V5, 20, &block);
    let mut alias = |topic: &'static [u8], number: u32| {
        let mut block = PropertyBlock::default();
        block.push(PropertyId::TopicAlias, Value::Number(number));
        let publish = Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            packet_identifier: 0,
            topic,
            properties: block.view(),
            payload: b"",
        };
        peer.receive(&Packet::Publish(publish))
    };
    assert!(alias(b"", 1).unwrap_err().ends_with("[94]"));
    assert_eq!(alias(b"one", 1), Ok(Some("message one".into())));
    assert_eq!(alias(b"two", 2), Ok(Some("message two".into())));
    assert_eq!(alias(b"", 1), Ok(Some("message one".into())));
    assert_eq!(alias(b"uno", 1), Ok(Some("message uno".into())));
    assert_eq!(alias(b"", 1), Ok(Some("message uno".into())));
    assert!(alias(b"three", 3).unwrap_err().ends_with("[94]"));
    peer.session.connected(Protocol::V5, true, ServerLimits::default());
    let mut block = PropertyBlock::default();
    block.push(PropertyId::TopicAlias, Value::Number(1));
    let Packet::Publish(publish) = message(QoS::AtMostOnce, 0, false) else { panic!() };
    let publish = Publish { topic: b"", properties: block.view(), ..publish };
    assert!(peer.receive(&Packet::Publish(publish)).is_err(), "aliases end with the link");
}

#[test]
fn subscriptions_are_answered_filter_by_filter() {
    for protocol in ALL {
        let mut peer = Peer::new(protocol);
        let filter = |filter| Subscription {
            filter,
            qos: QoS::AtLeastOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: 0,
        };
        peer.session.subscribe(&mut peer.out, &[filter("a"), filter("b")], &PropertyBlock::default(), 5);
        peer.session.unsubscribe(&mut peer.out, &["c"], &PropertyBlock::default(), 6);
        let wrong = Packet::SubAck { packet_identifier: 1, properties: Properties::NONE, reasons: &[0] };
        assert!(peer.receive(&wrong).unwrap_err().contains("1 Reason Code for 2 filters"));
        let right =
            Packet::SubAck { packet_identifier: 1, properties: Properties::NONE, reasons: &[1, 0x80] };
        assert!(peer.receive(&right).unwrap().unwrap().contains("Subscribed { token: 5"));
        let reasons: &[u8] = if protocol == Protocol::V5 { &[0] } else { &[] };
        let answer = Packet::UnsubAck { packet_identifier: 2, properties: Properties::NONE, reasons };
        assert!(peer.receive(&answer).unwrap().unwrap().contains("Unsubscribed { token: 6"));
        assert!(peer.session.is_idle());
    }
}

#[test]
fn only_what_the_broker_does_not_support_is_refused() {
    let mut block = PropertyBlock::default();
    block.push(PropertyId::MaximumQos, Value::Number(1));
    block.push(PropertyId::RetainAvailable, Value::Number(0));
    block.push(PropertyId::MaximumPacketSize, Value::Number(20));
    let mut session = Session::new(Protocol::V5, 20, &PropertyBlock::default());
    session.connected(Protocol::V5, false, ServerLimits::from_connack(&block.view()));
    let mut out = BytesMut::new();
    let mut attempt = |qos, retain, payload: &'static [u8]| {
        let template =
            Arc::new(PublishTemplate::new(Protocol::V5, b"t", qos, retain, &PropertyBlock::default()));
        session.publish(&mut out, &template, payload, || Some(Bytes::from_static(payload)), 1)
    };
    assert_eq!(attempt(QoS::ExactlyOnce, false, b"").unwrap_err().exit().code(), 0x9B);
    assert_eq!(attempt(QoS::AtLeastOnce, true, b"").unwrap_err().exit().code(), 0x9A);
    let error = attempt(QoS::AtLeastOnce, false, b"0123456789abcdef").unwrap_err();
    assert_eq!(error.exit().code(), 0x95);
    assert!(attempt(QoS::AtLeastOnce, false, b"0123456789a").is_ok());
    assert_eq!(out.len(), 19);
    let _ = PacketType::Publish;
}

/// The publishes of an earlier run that were in flight continue in order, and their identifiers are not
/// reassigned meanwhile.
#[test]
fn earlier_run_is_continued() {
    for protocol in ALL {
        let mut peer = Peer::new(protocol);
        peer.session.connected(protocol, true, ServerLimits::default());
        let template =
            PublishTemplate::new(protocol, b"t", QoS::ExactlyOnce, false, &PropertyBlock::default());
        let template = Arc::new(template);
        for (identifier, released) in [(65_534, true), (65_535, false), (2, false)] {
            let payload = Bytes::from(identifier.to_string());
            peer.session.restore_publish(identifier, Arc::clone(&template), payload, 100, released);
        }
        peer.session.restore_unreleased([9]);
        assert!(!peer.session.can_publish(QoS::AtMostOnce), "new messages wait for the old ones");
        peer.session.resume(&mut peer.out, 1000).unwrap();
        assert_eq!(peer.sent(), ["pubrel 65534 00", "publish 65535 65535 dup", "publish 2 2 dup"]);
        for token in 3..=5 {
            peer.publish(QoS::AtLeastOnce, token);
        }
        assert_eq!(peer.sent(), ["publish 3 3", "publish 4 4", "publish 5 5"]);
        assert_eq!(
            peer.receive(&message(QoS::ExactlyOnce, 9, true)),
            Ok(None),
            "delivered by the earlier run"
        );
        assert_eq!(peer.receive(&Packet::PubComp(ack(65_534, 0))), Ok(Some("published 100 00".into())));
        peer.receive(&Packet::PubRec(ack(2, 0))).unwrap();
        assert_eq!(peer.receive(&Packet::PubComp(ack(2, 0))), Ok(Some("published 100 00".into())));
        assert_eq!(peer.session.unacknowledged(), 4);
    }
}

/// "Packet Identifier not found" answers a repeated PUBREL whose first PUBCOMP was lost with the link: the
/// message did arrive, and was once reported as refused.
#[test]
fn pubcomp_with_identifier_not_found_is_a_success() {
    let mut peer = Peer::new(Protocol::V5);
    peer.publish(QoS::ExactlyOnce, 1);
    peer.receive(&Packet::PubRec(ack(1, 0))).unwrap();
    peer.session.connected(Protocol::V5, true, ServerLimits::default());
    peer.session.resume(&mut peer.out, 1000).unwrap();
    assert_eq!(peer.sent(), ["publish 1 1", "pubrel 1 00", "pubrel 1 00"]);
    assert_eq!(peer.receive(&Packet::PubComp(ack(1, 0x92))), Ok(Some("published 1 00".into())));
    assert!(peer.session.is_idle());
}

/// The broker never answers the first message while it answers 200,000 others: the identifiers wrap three
/// times and skip the open one, which then ends normally.
#[test]
fn open_identifier_survives_the_wrap() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut peer = Peer::new(Protocol::V3_1_1);
        peer.publish(qos, 0);
        let mut last = 1_u16;
        for token in 1..=200_000 {
            peer.publish(qos, token);
            let sent = peer.sent().pop().unwrap();
            let identifier: u16 = sent.split(' ').nth(1).unwrap().parse().unwrap();
            assert_ne!(identifier, 1, "it is taken");
            assert!(
                last.checked_add(1) == Some(identifier) || (last == 65_535 && identifier == 2),
                "{last} {identifier}"
            );
            last = identifier;
            if qos == QoS::ExactlyOnce {
                peer.receive(&Packet::PubRec(ack(identifier, 0))).unwrap();
            }
            let last_packet =
                |ack| if qos == QoS::ExactlyOnce { Packet::PubComp(ack) } else { Packet::PubAck(ack) };
            assert_eq!(
                peer.receive(&last_packet(ack(identifier, 0))),
                Ok(Some(format!("published {token} 00")))
            );
            peer.out.clear();
        }
        assert_eq!(peer.session.unacknowledged(), 1);
        if qos == QoS::ExactlyOnce {
            peer.receive(&Packet::PubRec(ack(1, 0))).unwrap();
            peer.receive(&Packet::PubComp(ack(1, 0))).unwrap();
        } else {
            peer.receive(&Packet::PubAck(ack(1, 0))).unwrap();
        }
        assert!(peer.session.is_idle());
    }
}

/// A session that an earlier run left; which messages the broker still holds is unknown.
#[test]
fn identifiers_of_an_earlier_run_are_released_before_they_are_used() {
    for protocol in ALL {
        let mut peer = Peer {
            session: Session::new(protocol, 20, &PropertyBlock::default()),
            out: BytesMut::new(),
            protocol,
        };
        peer.session.connected(protocol, true, ServerLimits::default());
        peer.publish(QoS::ExactlyOnce, 1);
        peer.publish(QoS::AtLeastOnce, 2);
        assert_eq!(peer.sent(), ["pubrel 1 00", "publish 1 1", "publish 2 2"]);
        assert_eq!(peer.receive(&Packet::PubComp(ack(1, 0))), Ok(None), "it answers for the earlier message");
        // The link is lost: what is sent again must not be released before it is received.
        peer.session.connected(protocol, true, ServerLimits::default());
        peer.session.resume(&mut peer.out, 1000).unwrap();
        assert_eq!(peer.sent(), ["publish 1 1 dup", "publish 2 2 dup"]);
        assert_eq!(peer.receive(&Packet::PubRec(ack(1, 0))), Ok(Some("Received { token: 1 }".into())));
        assert_eq!(peer.receive(&Packet::PubComp(ack(1, 0))), Ok(Some("published 1 00".into())));
        // The session is lost, and all its publishes with it.
        peer.session.connected(protocol, false, ServerLimits::default());
        peer.session.resume(&mut peer.out, 1000).unwrap();
        peer.sent();
        peer.publish(QoS::ExactlyOnce, 3);
        assert_eq!(peer.sent(), ["publish 4 3"]);
    }
}

/// Several at once give the same packets as one after the other.
#[test]
fn run_publishes_the_requested_number_of_messages() {
    for protocol in ALL {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let (mut one, mut other) = (Peer::new(protocol), Peer::new(protocol));
            let template = PublishTemplate::new(protocol, b"t", qos, false, &PropertyBlock::default());
            let payload = |number: u32, payload: &mut [u8]| {
                payload.copy_from_slice(format!("{:02}", number + 30).as_bytes());
            };
            let count = other.session.publish_run(&mut other.out, &template, b"xx", 30, 30, payload).unwrap();
            assert_eq!(count, if qos == QoS::AtMostOnce { 30 } else { 20 }, "the window ends it");
            (30..30 + u64::from(count)).for_each(|token| one.publish(qos, token));
            assert_eq!(other.sent(), one.sent());
            assert!(qos == QoS::AtMostOnce || !other.session.can_publish(qos));
            if qos == QoS::AtLeastOnce {
                assert_eq!(other.session.acknowledged_in_order(1..=7), 30..37);
                assert_eq!(other.session.window_left(), 7);
                assert_eq!(other.session.acknowledged_in_order(9..=9), 0..0);
                let late = other.receive(&Packet::PubAck(ack(9, 0)));
                assert_eq!(late, Ok(Some("published 38 00".into())));
                assert_eq!(other.session.acknowledged_in_order(8..=12), 37..38, "the ninth is gone");
                assert_eq!(other.session.acknowledged_in_order(10..=20), 39..50);
                assert!(other.session.is_idle());
            }
        }
    }
}

/// Messages that the broker would refuse are refused as a whole.
#[test]
fn run_of_messages_keeps_the_limits() {
    let mut peer = Peer::new(Protocol::V5);
    let limits = ServerLimits { maximum_packet_bytes: 100, ..ServerLimits::default() };
    peer.session.connected(Protocol::V5, false, limits);
    let template =
        PublishTemplate::new(Protocol::V5, b"t", QoS::AtLeastOnce, false, &PropertyBlock::default());
    let mut run = |bytes: usize| {
        let Peer { session, out, .. } = &mut peer;
        session
            .publish_run(out, &template, &vec![0; bytes], 3, 0, |_, _| {})
            .map_err(|error| error.to_string())
    };
    assert_eq!(run(92), Ok(3));
    let error = run(93).unwrap_err();
    assert!(error.contains("the packet has 101 bytes, the broker's Maximum Packet Size is 100"), "{error}");
    assert_eq!((peer.sent().len(), peer.session.unacknowledged()), (3, 3));
}

/// Messages of a load end with the link, unless the caller makes them again.
#[test]
fn a_run_of_publishes_outlives_its_link_if_it_is_made_again() {
    for (session_present, expected) in [
        (true, ["publish 1 7 dup", "pubrel 2 00", "publish 3 9 dup"]),
        (false, ["publish 4 7", "publish 5 8", "publish 6 9"]),
    ] {
        let mut peer = Peer::new(Protocol::V5);
        let template = Arc::new(PublishTemplate::new(
            Protocol::V5,
            b"t",
            QoS::ExactlyOnce,
            false,
            &PropertyBlock::default(),
        ));
        peer.session.publish_run(&mut peer.out, &template, b"x", 3, 7, |_, _| {}).unwrap();
        peer.receive(&Packet::PubRec(ack(2, 0))).unwrap();
        peer.sent();
        let make = |token: u64| Some((Arc::clone(&template), Bytes::from(token.to_string())));
        peer.session.keep_others(make);
        peer.session.connected(Protocol::V5, session_present, ServerLimits::default());
        assert_eq!(peer.session.unacknowledged(), 3);
        peer.session.resume(&mut peer.out, 1000).unwrap();
        assert_eq!(peer.sent(), expected);
    }
}
