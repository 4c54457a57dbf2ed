//! Quality of service in both directions ([MQTT-4.3]) and retransmission ([MQTT-4.4]).

use super::*;

#[test]
fn qos_0_1_and_2_in_and_out() {
    for protocol in [V3_1, V3_1_1, V5] {
        let mut world = World::new();
        let reader = world.connect(protocol, "reader");
        let writer = world.connect(protocol, "writer");
        assert_eq!(world.subscribe(reader, &[filter("a/+", 2)]), ["SUBACK #77 02"]);
        world.publish(writer, &message("a/0", 0, 0, "zero"));
        world.publish(writer, &message("a/1", 1, 10, "one"));
        world.publish(writer, &message("a/2", 2, 11, "two"));
        assert_eq!(world.take(writer), ["PUBACK #10", "PUBREC #11"]);
        let sent = ["PUBLISH a/0 q0 \"zero\"", "PUBLISH a/1 q1 #1 \"one\"", "PUBLISH a/2 q2 #2 \"two\""];
        assert_eq!(world.take(reader), sent);
        world.ack(writer, PacketType::PubRel, 11, 0);
        assert_eq!(world.take(writer), ["PUBCOMP #11"]);
        world.ack(reader, PacketType::PubAck, 1, 0);
        world.ack(reader, PacketType::PubRec, 2, 0);
        assert_eq!(world.take(reader), ["PUBREL #2"]);
        world.ack(reader, PacketType::PubComp, 2, 0);
        assert_eq!(world.core.statistics().messages_dropped, 0);
        assert!(world.take(reader).is_empty());
    }
}

#[test]
fn the_lower_qos_of_message_and_subscription_counts() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    for (granted, published, seen) in [(0, 2, "q0"), (1, 2, "q1 #1"), (2, 1, "q1 #2"), (2, 0, "q0")] {
        world.subscribe(client, &[filter("t", granted)]);
        world.publish(client, &message("t", published, 9, ""));
        let taken = world.take(client);
        let delivered = taken.iter().find(|line| line.starts_with("PUBLISH")).unwrap();
        assert_eq!(delivered, &format!("PUBLISH t {seen} \"\""));
        world.ack(client, PacketType::PubRel, 9, 0);
        world.take(client);
    }
}

/// [MQTT-4.3.3-10]: a repeated PUBLISH is acknowledged again and passed on once.
#[test]
fn qos_2_is_passed_on_once() {
    for protocol in [V3_1_1, V5] {
        let mut world = World::new();
        let reader = world.connect(protocol, "reader");
        world.subscribe(reader, &[filter("t", 0)]);
        let (writer, _) = world.connect_kept(protocol, "writer");
        world.publish(writer, &message("t", 2, 5, "x"));
        world.lose(writer);
        let (writer, answer) = world.connect_kept(protocol, "writer");
        assert!(answer[0].starts_with("CONNACK present"), "{answer:?}");
        world.publish(writer, &Publish { dup: true, ..message("t", 2, 5, "x") });
        assert_eq!(world.take(writer), ["PUBREC #5"]);
        assert_eq!(world.take(reader), ["PUBLISH t q0 \"x\""]);
        world.ack(writer, PacketType::PubRel, 5, 0);
        // The identifier is free for another message now.
        world.publish(writer, &message("t", 2, 5, "y"));
        assert_eq!(world.take(writer), ["PUBCOMP #5", "PUBREC #5"]);
        assert_eq!(world.take(reader), ["PUBLISH t q0 \"y\""]);
    }
}

#[test]
fn unknown_identifiers_are_answered() {
    let mut world = World::new();
    let old = world.connect(V3_1_1, "old");
    let new = world.connect(V5, "new");
    for client in [old, new] {
        world.ack(client, PacketType::PubRel, 9, 0);
        world.ack(client, PacketType::PubRec, 9, 0);
        world.ack(client, PacketType::PubAck, 9, 0);
        world.ack(client, PacketType::PubComp, 9, 0);
        assert_eq!(world.take(client), ["PUBCOMP #9", "PUBREL #9"]);
    }
}

/// [MQTT-4.4.0-1], [MQTT-4.6.0-1]: unacknowledged messages are sent again, in order, with DUP; PUBREL is sent
/// again where PUBREC was received.
#[test]
fn a_resumed_session_repeats_in_order() {
    for protocol in [V3_1_1, V5] {
        let mut world = World::new();
        let (reader, _) = world.connect_kept(protocol, "reader");
        world.subscribe(reader, &[filter("#", 2)]);
        let writer = world.connect(protocol, "writer");
        for (index, qos) in [(1_u16, 1), (2, 2), (3, 2), (4, 1)] {
            world.publish(writer, &message("t", qos, index, &index.to_string()));
        }
        world.ack(reader, PacketType::PubRec, 2, 0);
        world.ack(reader, PacketType::PubAck, 4, 0);
        world.take(reader);
        world.lose(reader);
        // One more while the subscriber is disconnected.
        world.publish(writer, &message("t", 1, 9, "away"));
        let (reader, answer) = world.connect_kept(protocol, "reader");
        assert_eq!(
            answer[1..],
            [
                "PUBLISH t q1 #1 dup \"1\"",
                "PUBREL #2",
                "PUBLISH t q2 #3 dup \"3\"",
                "PUBLISH t q1 #5 \"away\""
            ]
        );
        world.ack(reader, PacketType::PubComp, 2, 0);
        world.ack(reader, PacketType::PubAck, 1, 0);
        world.ack(reader, PacketType::PubAck, 5, 0);
        world.ack(reader, PacketType::PubRec, 3, 0);
        assert_eq!(world.take(reader), ["PUBREL #3"]);
        world.lose(reader);
        assert_eq!(world.connect_kept(protocol, "reader").1[1..], ["PUBREL #3"]);
    }
}

/// [MQTT-3.3.4-9]: the client's Receive Maximum is respected, also by retransmissions.
#[test]
fn receive_maximum_is_kept() {
    let mut world = World::new();
    let block = numbers(&[(PropertyId::ReceiveMaximum, 2), (PropertyId::SessionExpiryInterval, 60)]);
    let small = Connect { properties: block.view(), clean_start: false, ..hello(V5, "reader") };
    let reader = world.join(&small);
    world.subscribe(reader, &[filter("#", 2)]);
    let writer = world.connect(V5, "writer");
    for index in 1..=5_u16 {
        world.publish(writer, &message("t", 2, index, &index.to_string()));
    }
    // QoS 0 does not wait for the window.
    world.publish(writer, &message("t", 0, 0, "free"));
    assert_eq!(
        world.take(reader),
        ["PUBLISH t q2 #1 \"1\"", "PUBLISH t q2 #2 \"2\"", "PUBLISH t q0 \"free\""]
    );
    world.ack(reader, PacketType::PubRec, 2, 0);
    assert_eq!(world.take(reader), ["PUBREL #2"]);
    // The exchange of a refused message ends at once ([MQTT-4.3.3-4]).
    world.ack(reader, PacketType::PubRec, 1, 0x80);
    assert_eq!(world.take(reader), ["PUBLISH t q2 #3 \"3\""]);
    world.ack(reader, PacketType::PubComp, 2, 0);
    assert_eq!(world.take(reader), ["PUBLISH t q2 #4 \"4\""]);
    world.lose(reader);
    let block = numbers(&[(PropertyId::ReceiveMaximum, 1), (PropertyId::SessionExpiryInterval, 60)]);
    let (reader, answer) = world.try_connect(&Connect { properties: block.view(), ..small });
    assert_eq!(answer[1..], ["PUBLISH t q2 #3 dup \"3\""]);
    world.ack(reader, PacketType::PubRec, 3, 0x97);
    assert_eq!(world.take(reader), ["PUBLISH t q2 #4 dup \"4\""]);
    world.ack(reader, PacketType::PubRec, 4, 0x97);
    assert_eq!(world.take(reader), ["PUBLISH t q2 #5 \"5\""]);
}

/// Packet identifiers wrap at 65,535, and one still in use is skipped ([MQTT-2.2.1-3]).
#[test]
fn packet_identifiers_wrap() {
    let mut world = World::new();
    let client = world.connect(V3_1_1, "c");
    world.subscribe(client, &[filter("t", 1)]);
    world.publish(client, &message("t", 1, 1, "stays"));
    assert_eq!(world.take(client), ["PUBLISH t q1 #1 \"stays\"", "PUBACK #1"]);
    for round in 0..65_536_u32 {
        world.publish(client, &message("t", 1, 1, ""));
        let expected = if round < 65_534 { round + 2 } else { round - 65_532 };
        let taken = world.take(client);
        assert_eq!(taken[0], format!("PUBLISH t q1 #{expected} \"\""));
        world.ack(client, PacketType::PubAck, u16::try_from(expected).unwrap(), 0);
    }
}

/// As in mosquitto: a message at QoS 2 counts as passed on only after its PUBREL.
#[test]
fn no_matching_subscribers_is_reported_at_qos_1() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    world.publish(client, &message("t", 1, 1, ""));
    world.publish(client, &message("t", 2, 2, ""));
    assert_eq!(world.take(client), ["PUBACK #1 0x10", "PUBREC #2"]);
}

/// An acknowledgement for the other QoS ends the connection, because it would hide a fault of the client.
#[test]
fn acknowledgements_of_the_wrong_kind_are_refused() {
    for (qos, packet) in [(1, PacketType::PubRec), (2, PacketType::PubAck), (2, PacketType::PubComp)] {
        let mut world = World::new();
        let client = world.connect(V5, "c");
        world.subscribe(client, &[filter("t", 2)]);
        world.publish(client, &message("t", qos, 1, ""));
        world.take(client);
        world.ack(client, packet, 1, 0);
        assert_eq!(world.take(client), ["DISCONNECT 0x82"]);
    }
}

/// Reason Codes that the standard does not define for a packet of a client are a Protocol Error, and others are
/// taken: [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1], [MQTT-3.14.2-1].
#[test]
fn undefined_reason_codes_of_a_client_are_protocol_errors() {
    let publish = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
    let release = [0x00, 0x92];
    let leave = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
    for (packet, defined) in [
        (PacketType::PubAck, &publish[..]),
        (PacketType::PubRec, &publish),
        (PacketType::PubRel, &release),
        (PacketType::PubComp, &release),
        (PacketType::Disconnect, &leave),
    ] {
        for code in 0..=255 {
            let mut world = World::new();
            let client = world.connect(V5, "c");
            if packet == PacketType::Disconnect {
                world.disconnect(client, code, &PropertyBlock::default());
            } else {
                world.ack(client, packet, 9, code);
            }
            let is_refused = world.take(client) == ["DISCONNECT 0x82"];
            assert_eq!(is_refused, !defined.contains(&code), "{packet:?} {code:#x}");
        }
    }
}

/// MQTT 3.1.1 and 5 forbid DUP at QoS 0 ([MQTT-3.3.1-2]); MQTT 3.1 does not say so.
#[test]
fn dup_at_qos_0_ends_the_connection() {
    for (protocol, is_forbidden) in [(V3_1, false), (V3_1_1, true), (V5, true)] {
        let mut world = World::new();
        let client = world.connect(protocol, "c");
        world.publish(client, &Publish { dup: true, ..message("t", 0, 0, "x") });
        assert_eq!(world.state(client) == Directive::Closing, is_forbidden, "{protocol:?}");
    }
}

/// As in mosquitto, a client gets PUBREC before its own copy of a message.
#[test]
fn pubrec_comes_before_the_own_copy() {
    for protocol in [V3_1_1, V5] {
        let mut world = World::new();
        let client = world.connect(protocol, "c");
        world.subscribe(client, &[filter("t", 2)]);
        world.publish(client, &message("t", 2, 7, "x"));
        assert_eq!(world.take(client), ["PUBREC #7", "PUBLISH t q2 #1 \"x\""]);
    }
}
