//! Round trips, and arbitrary bytes.

use bytes::BytesMut;
use proptest::prelude::*;

use super::super::property::{Place, Properties, PropertyBlock, PropertyId, Value};
use super::super::reason::ReasonCode;
use super::*;
use crate::protocol::{Protocol, QoS};

pub(super) fn protocols() -> impl Strategy<Value = Protocol> {
    prop_oneof![Just(Protocol::V3_1), Just(Protocol::V3_1_1), Just(Protocol::V5)]
}

pub(super) fn qualities() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
}

fn publish_properties() -> impl Strategy<Value = PropertyBlock> {
    (
        proptest::option::of(any::<u32>()),
        proptest::option::of("[a-zé/]{0,200}"),
        proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
        proptest::collection::vec((1_u32..268_435_455, "[a-z]{0,5}", "[a-z]{0,150}"), 0..4),
    )
        .prop_map(|(expiry, content_type, correlation, repeated)| {
            let mut block = PropertyBlock::default();
            if let Some(expiry) = expiry {
                block.push(PropertyId::MessageExpiryInterval, Value::Number(expiry));
            }
            for (identifier, name, value) in &repeated {
                block.push(PropertyId::SubscriptionIdentifier, Value::Number(*identifier));
                block.push(PropertyId::UserProperty, Value::Pair(name, value));
            }
            if let Some(text) = &content_type {
                block.push(PropertyId::ContentType, Value::Text(text));
            }
            if let Some(data) = &correlation {
                block.push(PropertyId::CorrelationData, Value::Binary(data));
            }
            block
        })
}

proptest! {
    #[test]
    fn publish_round_trip(
        protocol in protocols(), qos in qualities(), retain: bool, dup: bool,
        topic in "[a-z/é]{1,300}", block in publish_properties(),
        payload in proptest::collection::vec(any::<u8>(), 0..20_000), identifier in 1_u16..,
    ) {
        let template = PublishTemplate::new(protocol, topic.as_bytes(), qos, retain, &block);
        let dup = dup && qos != QoS::AtMostOnce;
        let mut out = BytesMut::from(&b"before"[..]);
        template.put(&mut out, identifier, dup, &payload);
        let bytes = &out[6..];
        prop_assert_eq!(frame(bytes, LARGEST_PACKET_BYTES), Ok(Some(bytes.len())));
        prop_assert_eq!(template.packet_bytes(payload.len()), bytes.len());
        let v5 = protocol == Protocol::V5;
        let expected = Publish {
            dup, qos, retain,
            packet_identifier: if qos == QoS::AtMostOnce { 0 } else { identifier },
            topic: topic.as_bytes(),
            properties: if v5 { block.view() } else { Properties::NONE },
            payload: &payload,
        };
        prop_assert_eq!(decode(protocol, bytes), Ok(Packet::Publish(expected)));
        let mut again = BytesMut::new();
        put_publish(&mut again, protocol, &expected);
        prop_assert_eq!(&again[..], bytes);
    }

    #[test]
    fn connect_round_trip(
        protocol in protocols(), clean_start: bool, keep_alive: u16, client_identifier in "[a-zA-Z0-9]{0,30}",
        user_name in proptest::option::of("[a-z]{0,10}"),
        password in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..10)),
        will in proptest::option::of((qualities(), any::<bool>(), "[a-z/]{1,9}", proptest::collection::vec(any::<u8>(), 0..300))),
    ) {
        let password = if user_name.is_none() && protocol != Protocol::V5 { None } else { password };
        let connect = Connect {
            protocol, clean_start, keep_alive, properties: Properties::NONE,
            client_identifier: &client_identifier,
            will: will.as_ref().map(|(qos, retain, topic, payload)| Will {
                qos: *qos, retain: *retain, properties: Properties::NONE, topic, payload,
            }),
            user_name: user_name.as_deref(),
            password: password.as_deref(),
        };
        let mut out = BytesMut::new();
        super::connect(&mut out, &connect);
        prop_assert_eq!(decode(protocol, &out), Ok(Packet::Connect(Box::new(connect))));
    }

    #[test]
    fn subscribe_round_trip(
        protocol in protocols(), identifier in 1_u16..,
        filters in proptest::collection::vec(("[a-z+]{1,40}", qualities(), any::<bool>(), any::<bool>(), 0_u8..3), 1..9),
        subscription_identifier in proptest::option::of(1_u32..268_435_455),
    ) {
        let v5 = protocol == Protocol::V5;
        let subscriptions: Vec<Subscription<'_>> = filters.iter().map(|(filter, qos, a, b, c)| Subscription {
            filter, qos: *qos, no_local: *a && v5, retain_as_published: *b && v5,
            retain_handling: if v5 { *c } else { 0 },
        }).collect();
        let mut block = PropertyBlock::default();
        if let Some(number) = subscription_identifier {
            block.push(PropertyId::SubscriptionIdentifier, Value::Number(number));
            block.push(PropertyId::UserProperty, Value::Pair("k", "v"));
        }
        let mut out = BytesMut::new();
        subscribe(&mut out, protocol, identifier, &subscriptions, &block);
        let Ok(Packet::Subscribe { packet_identifier, properties, filters: read }) = decode(protocol, &out) else {
            panic!("{out:?}");
        };
        prop_assert_eq!(packet_identifier, identifier);
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), subscriptions);
        prop_assert_eq!(properties.to_owned_block(), if v5 { block } else { PropertyBlock::default() });
        let names: Vec<&str> = filters.iter().map(|filter| filter.0.as_str()).collect();
        let mut out = BytesMut::new();
        unsubscribe(&mut out, protocol, identifier, &names, &PropertyBlock::default());
        let Ok(Packet::Unsubscribe { filters: read, .. }) = decode(protocol, &out) else { panic!("{out:?}") };
        prop_assert_eq!(read.iter().map(|s| s.filter).collect::<Vec<_>>(), names);
    }

    #[test]
    fn acknowledgements_round_trip(protocol in protocols(), identifier in 1_u16.., reason: u8) {
        for kind in [PacketType::PubAck, PacketType::PubRec, PacketType::PubRel, PacketType::PubComp] {
            let mut out = BytesMut::new();
            ack(&mut out, protocol, kind, identifier, ReasonCode(reason));
            let exists = match kind {
                PacketType::PubAck | PacketType::PubRec => matches!(reason, 0 | 0x10 | 0x80..),
                _ => matches!(reason, 0 | 0x80..),
            };
            if protocol == Protocol::V5 && !exists {
                prop_assert_eq!(decode(protocol, &out).unwrap_err().reason, ReasonCode::PROTOCOL_ERROR);
                continue;
            }
            let (Packet::PubAck(read) | Packet::PubRec(read) | Packet::PubRel(read) | Packet::PubComp(read)) =
                decode(protocol, &out).unwrap() else { panic!() };
            prop_assert_eq!(read.packet_identifier, identifier);
            let expected = if protocol == Protocol::V5 { reason } else { 0 };
            prop_assert_eq!(read.reason, ReasonCode(expected));
        }
    }

    /// Arbitrary bytes give a result, never a panic, and never a result that depends on bytes after the
    /// packet.
    #[test]
    fn arbitrary_bytes(protocol in protocols(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Some(length)) = frame(&bytes, 1000) {
            prop_assert!(length <= bytes.len());
            let _ = decode(protocol, &bytes[..length]);
        }
        let _ = decode(protocol, &bytes);
    }

    /// The same for a legal packet with a few bytes changed or cut off.
    #[test]
    fn damaged_packets(
        protocol in protocols(), block in publish_properties(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut: prop::sample::Index,
    ) {
        let template = PublishTemplate::new(protocol, b"a/b", QoS::AtLeastOnce, false, &block);
        let mut out = BytesMut::new();
        template.put(&mut out, 7, false, b"payload");
        for (at, byte) in &damage {
            let at = at.index(out.len());
            out[at] = *byte;
        }
        let _ = decode(protocol, &out);
        let _ = decode(protocol, &out[..cut.index(out.len())]);
        if let Ok(Packet::Publish(publish)) = decode(protocol, &out) {
            prop_assert!(publish.properties.iter().count() < 200);
        }
    }
}

#[test]
fn qos_enum_and_bits_agree() {
    for bits in 0..=2 {
        assert_eq!(QoS::from_bits(bits).map(|qos| qos as u8), Some(bits));
    }
}

#[test]
fn framing_waits_and_refuses() {
    assert_eq!(frame(&[], 100), Ok(None));
    assert_eq!(frame(&[0x30], 100), Ok(None));
    assert_eq!(frame(&[0x30, 0x80], 1000), Ok(None));
    assert_eq!(frame(&[0x30, 5, 0], 100), Ok(None));
    assert_eq!(frame(&[0xC0, 0, 0xC0], 100), Ok(Some(2)));
    assert_eq!(frame(&[0x00, 0], 100).unwrap_err().reason, ReasonCode::PROTOCOL_ERROR);
    assert!(frame(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], 100).is_err());
    // The size is known once the header is complete, before the packet is.
    assert_eq!(frame(&[0x30, 0xFF, 0x7F], 100).unwrap_err().reason, ReasonCode::PACKET_TOO_LARGE);
}

#[test]
fn will_properties_have_their_own_place() {
    let mut block = PropertyBlock::default();
    block.push(PropertyId::WillDelayInterval, Value::Number(5));
    assert!(block.check(Place::Will).is_ok());
    assert!(block.check(Place::Packet(PacketType::Publish)).is_err());
}

#[test]
fn reserved_flags_are_malformed() {
    for packet in [
        &[0x41, 2, 0, 1][..],
        &[0x60, 2, 0, 1],
        &[0x80, 6, 0, 1, 0, 1, b'a', 0],
        &[0xD1, 0],
        &[0x36, 3, 0, 1, b'a'],
    ] {
        let error = decode(Protocol::V3_1_1, packet).unwrap_err();
        assert_eq!(error.reason, ReasonCode::MALFORMED_PACKET, "{packet:?}");
    }
}

/// The valid packets of the corpus are valid in their version.
#[test]
fn packets_of_the_corpus_are_valid_or_invalid_as_marked() {
    let packets = corpus::packets();
    let first_bad = packets.iter().position(|packet| packet[0] == 0x10).unwrap();
    for packet in &packets[..first_bad] {
        assert_eq!(frame(packet, LARGEST_PACKET_BYTES), Ok(Some(packet.len())), "{packet:x?}");
        let good = [Protocol::V3_1_1, Protocol::V5].map(|protocol| decode(protocol, packet).is_ok());
        assert_ne!(good, [false, false], "{packet:x?}: {:?}", decode(Protocol::V5, packet));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// A packet of the corpus with bytes changed, inserted, removed or cut off gives a result, the same one
    /// whatever follows.
    #[test]
    fn damaged_packets_of_the_corpus(
        protocol in protocols(), which: prop::sample::Index,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..5),
    ) {
        let mut packet = which.get(&corpus::packets()).clone();
        for (at, byte, how) in damage {
            let at = at.index(packet.len());
            match how {
                0 => packet[at] = byte,
                1 => packet.insert(at, byte),
                _ if packet.len() > 1 => { packet.remove(at); }
                _ => {}
            }
        }
        let framed = frame(&packet, 1000);
        if let Ok(Some(length)) = framed {
            prop_assert!(length <= packet.len());
            let alone = decode(protocol, &packet[..length]).map(|packet| format!("{packet:?}"));
            let longer = [&packet[..length], &[0xFF; 20]].concat();
            prop_assert_eq!(frame(&longer, 1000), Ok(Some(length)));
            let again = decode(protocol, &longer[..length]).map(|packet| format!("{packet:?}"));
            prop_assert_eq!(alone, again);
        }
        let _ = decode(protocol, &packet);
    }
}
