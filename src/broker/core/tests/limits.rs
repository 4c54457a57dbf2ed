//! Limits: how they are announced and enforced, and which publishers are paused.

use super::*;
use crate::broker::options::{Feature, Limits};

fn limited(limits: Limits) -> World {
    World::with(Options { limits, ..Options::default() })
}

#[test]
fn limits_are_announced() {
    let mut world = limited(Limits {
        receive_maximum: 10,
        maximum_qos: QoS::AtLeastOnce,
        server_keep_alive: Some(30),
        unavailable: vec![
            Feature::Retain,
            Feature::WildcardSubscriptions,
            Feature::SubscriptionIdentifiers,
            Feature::SharedSubscriptions,
        ],
        ..Limits::default()
    });
    let (client, answer) = world.try_connect(&hello(V5, "c"));
    assert_eq!(
        answer,
        ["CONNACK 0x00 receive-maximum=10 maximum-qos=1 server-keep-alive=30 retain-available=0 \
          wildcard-subscription-available=0 subscription-identifier-available=0 shared-subscription-available=0"]
    );
    let filters = [filter("a", 2), filter("#", 0), filter("$share/g/a", 0)];
    assert_eq!(world.subscribe(client, &filters), ["SUBACK #77 01 a2 9e"]);
    let identifier = numbers(&[(PropertyId::SubscriptionIdentifier, 1)]);
    assert_eq!(world.subscribe_with(client, &[filter("a", 0)], &identifier), ["SUBACK #77 a1"]);
    world.wait_seconds(45);
    assert_eq!(world.take(client), ["DISCONNECT 0x8d"]);
    // Server Keep Alive exists only in MQTT 5; a client of 3.x does not know it.
    let old = world.connect(V3_1_1, "old");
    world.wait_seconds(45);
    assert_eq!(world.state(old), Directive::Open);
}

/// As docs/broker.md says: a message that waits in sessions counts in each, and a payload in the output of
/// connected clients once.
#[test]
fn waiting_messages_count_in_each_session() {
    const BYTES: usize = 1 << 20;
    let payload = "x".repeat(BYTES);
    let growth = |clients: usize, qos: u8| {
        let mut world = World::new();
        for number in 0..clients {
            let (client, _) = world.connect_kept(V5, &number.to_string());
            world.subscribe(client, &[filter("t", qos)]);
            if qos > 0 {
                world.lose(client);
            }
        }
        let writer = world.connect(V5, "writer");
        let before = world.core.memory();
        world.publish(writer, &message("t", qos, 1, &payload));
        world.core.memory() - before
    };
    let waiting = growth(4, 1) - growth(1, 1);
    assert!((3 * BYTES..4 * BYTES).contains(&waiting), "{waiting}");
    let shared = growth(4, 0) - growth(1, 0);
    assert!(shared < BYTES, "{shared}");
}

#[test]
fn packets_over_the_limits_are_refused() {
    let limits = || Limits {
        maximum_qos: QoS::AtLeastOnce,
        maximum_packet_size: 100,
        unavailable: vec![Feature::Retain],
        ..Limits::default()
    };
    let long = "x".repeat(100);
    for (publish, reason) in [
        (message("t", 2, 1, "x"), "0x9b"),
        (Publish { retain: true, ..message("t", 0, 1, "x") }, "0x9a"),
        (message("t", 0, 1, &long), "0x95"),
    ] {
        let mut world = limited(limits());
        let client = world.connect(V5, "c");
        world.publish(client, &publish);
        assert_eq!(world.take(client), [format!("DISCONNECT {reason}")]);
    }
    let mut world = limited(limits());
    let connect = |will| Connect { will: Some(will), ..hello(V5, "c") };
    let answer = world.try_connect(&connect(Will { qos: QoS::ExactlyOnce, ..will("w", "") })).1;
    assert_eq!(answer, ["CONNACK 0x9b"]);
    let answer = world.try_connect(&connect(Will { retain: true, ..will("w", "") })).1;
    assert_eq!(answer, ["CONNACK 0x9a"]);
    let answer = world.try_connect(&hello(V5, &long)).1;
    assert_eq!(answer, ["CONNACK 0x95"]);
}

/// A packet is decoded at once: millions of empty properties or filters would hold up all clients for seconds.
#[test]
fn packets_that_take_long_to_decode_are_refused() {
    let empty_properties = |bytes: usize| [0x26, 0, 0, 0, 0].repeat(bytes / 5);
    let publish = |bytes: &[u8]| {
        let properties = Properties::of_block(bytes);
        publish_bytes(V5, &Publish { properties, ..message("t", 0, 0, "x") }).to_vec()
    };
    let mut world = World::new();
    let client = world.connect(V5, "c");
    world.send(client, &publish(&empty_properties(1 << 20)));
    assert_eq!(world.state(client), Directive::Open);
    world.send(client, &publish(&empty_properties((1 << 20) + 5)));
    assert_eq!(world.take(client), ["DISCONNECT 0x95"]);
    // A large payload is not decoded.
    let client = world.connect(V5, "c");
    world.publish(client, &message("t", 0, 0, &"x".repeat((1 << 20) + 5)));
    assert_eq!(world.state(client), Directive::Open);
    for first in [0x40, 0x82, 0xA2, 0xE0] {
        let client = world.connect(V5, "c");
        // The fixed header announces 1 MiB more.
        world.send(client, &[first, 0x80, 0x80, 0x40]);
        assert_eq!(world.take(client), ["DISCONNECT 0x95"], "{first:#04x}");
    }
}

/// [MQTT-3.3.4-9]
#[test]
fn receive_maximum_of_the_server() {
    let mut world = limited(Limits { receive_maximum: 2, ..Limits::default() });
    let client = world.connect(V5, "c");
    world.publish(client, &message("t", 2, 1, ""));
    world.publish(client, &message("t", 2, 2, ""));
    world.publish(client, &message("t", 2, 2, "")); // a repetition does not count
    world.publish(client, &message("t", 0, 0, ""));
    world.ack(client, PacketType::PubRel, 1, 0);
    world.publish(client, &message("t", 2, 3, ""));
    assert_eq!(world.state(client), Directive::Open);
    world.publish(client, &message("t", 1, 4, ""));
    assert_eq!(world.take(client).last().unwrap(), "DISCONNECT 0x93");
    // MQTT 3.x has no Reason Code for it.
    let client = world.connect(V3_1_1, "old");
    for identifier in 1..=3 {
        world.publish(client, &message("t", 2, identifier, ""));
    }
    assert_eq!(world.take(client), ["PUBREC #1", "PUBREC #2"]);
    assert_eq!(world.state(client), Directive::Closing);
}

/// [MQTT-3.1.2-24], [MQTT-3.1.2-25]: a message that is too large for the client is not sent, and counts as
/// delivered.
#[test]
fn maximum_packet_size_of_the_client() {
    let mut world = World::new();
    let block = numbers(&[(PropertyId::MaximumPacketSize, 30), (PropertyId::SessionExpiryInterval, 60)]);
    let connect = Connect { clean_start: false, properties: block.view(), ..hello(V5, "c") };
    let client = world.join(&connect);
    world.subscribe(client, &[filter("#", 1)]);
    let writer = world.connect(V5, "writer");
    let long = "x".repeat(30);
    let send = |world: &mut World| {
        for qos in [0, 1] {
            for payload in [&long, "short enough"] {
                world.publish(writer, &message("t", qos, 1, payload));
            }
        }
    };
    send(&mut world);
    assert_eq!(world.take(client), ["PUBLISH t q0 \"short enough\"", "PUBLISH t q1 #1 \"short enough\""]);
    assert_eq!(world.core.statistics().messages_dropped, 2);
    // The same from the queue and for retransmissions.
    world.ack(client, PacketType::PubAck, 1, 0);
    world.lose(client);
    send(&mut world);
    let (client, answer) = world.try_connect(&connect);
    assert_eq!(answer[1..], ["PUBLISH t q1 #2 \"short enough\""]);
    world.lose(client);
    let block = numbers(&[(PropertyId::MaximumPacketSize, 15), (PropertyId::SessionExpiryInterval, 60)]);
    let (client, answer) = world.try_connect(&Connect { properties: block.view(), ..connect.clone() });
    assert_eq!(answer, ["CONNACK present 0x00"]);
    world.lose(client);
    // A CONNACK that is too large is replaced by the shortest one.
    let block = numbers(&[(PropertyId::MaximumPacketSize, 9)]);
    let (client, answer) = world.try_connect(&Connect { properties: block.view(), ..connect });
    assert_eq!((&answer[..], world.state(client)), (&["CONNACK 0x95".to_owned()][..], Directive::Closing));
}

#[test]
fn sessions_and_subscriptions_are_bounded() {
    let mut world = limited(Limits { sessions: 1, subscriptions: 2, ..Limits::default() });
    let client = world.connect(V5, "c");
    assert_eq!(world.try_connect(&hello(V5, "d")).1, ["CONNACK 0x97"]);
    assert_eq!(world.try_connect(&hello(V3_1_1, "d")).1, ["CONNACK 0x88"]);
    let filters = [filter("a", 0), filter("b", 0), filter("c", 0), filter("a", 1)];
    assert_eq!(world.subscribe(client, &filters), ["SUBACK #77 00 00 97 01"]);
    // A resumed session is not a new one.
    world.connect(V5, "c");
}

/// A publisher waits for a slow subscriber, and continues when it has caught up; no message is lost.
#[test]
fn publisher_waits_for_a_slow_subscriber() {
    for qos in [0, 1] {
        let mut world = World::new();
        let reader = world.connect(V3_1_1, "reader");
        world.subscribe(reader, &[filter("t", 1)]);
        let writer = world.join(&Connect { keep_alive: 1, ..hello(V3_1_1, "writer") });
        let payload = "x".repeat(1000);
        let bytes = publish_bytes(V3_1_1, &message("t", qos, 1, &payload));
        let total = 20_000;
        let (mut sent, mut seen) = (0, 0);
        while seen < total {
            while sent < total && world.state(writer) == Directive::Open {
                sent += usize::from(world.core.receive(writer.id, &bytes, world.now) > 0);
                world.take(writer);
            }
            assert!(
                sent == total
                    || world.core.output(reader.id).len() + 1000 * world.core.queued_messages < 10 << 20
            );
            // A paused publisher is not silent: its Keep Alive does not expire.
            world.wait_seconds(4);
            for line in world.take(reader) {
                seen += 1;
                if let Some(identifier) = line.split(' ').nth(3).and_then(|word| word.strip_prefix('#')) {
                    world.ack(reader, PacketType::PubAck, identifier.parse().unwrap(), 0);
                }
            }
        }
        assert_eq!((sent, seen), (total, total));
        assert_eq!(world.core.statistics().messages_dropped, 0);
    }
}

/// But a publisher waits neither forever nor for itself.
#[test]
fn publishers_stop_waiting_for_a_slow_subscriber() {
    let mut world = World::new();
    let reader = world.connect(V3_1_1, "reader");
    world.subscribe(reader, &[filter("t", 0)]);
    let writer = world.connect(V3_1_1, "writer");
    let payload = "x".repeat(100_000);
    let bytes = publish_bytes(V3_1_1, &message("t", 0, 1, &payload));
    while world.state(writer) == Directive::Open {
        world.send(writer, &bytes);
    }
    world.wait(Duration::from_millis(4_999));
    assert_eq!(world.state(writer), Directive::Paused);
    world.wait(Duration::from_millis(1));
    for _ in 0..100 {
        world.send(writer, &bytes);
    }
    assert!(world.core.output(reader.id).len() < 5 << 20);
    assert!(world.core.statistics().messages_dropped > 50);
    // After it has caught up, publishers wait for it again.
    world.take(reader);
    while world.state(writer) == Directive::Open {
        world.send(writer, &bytes);
    }
    // Its end resumes the publisher at once.
    world.lose(reader);
    assert_eq!(world.state(writer), Directive::Open);
    let own = world.connect(V3_1_1, "own");
    world.subscribe(own, &[filter("t", 0)]);
    for _ in 0..100 {
        world.send(own, &bytes);
    }
    assert_eq!(world.state(own), Directive::Open);
}

/// Messages in flight and wills count like queued messages: a client that never acknowledges does not fill
/// the memory.
#[test]
fn all_memory_of_sessions_is_bounded() {
    let mut world = limited(Limits { all_sessions_bytes: 10_000, ..Limits::default() });
    let (reader, _) = world.connect_kept(V5, "reader");
    world.subscribe(reader, &[filter("t", 2)]);
    let writer = world.connect(V5, "writer");
    let payload = "x".repeat(1000);
    for _ in 0..20 {
        world.publish(writer, &message("t", 1, 1, &payload));
    }
    assert_eq!(world.take(reader).len(), 7);
    assert_eq!(world.core.statistics().messages_dropped, 13);
    let connect = Connect { will: Some(will("w", &payload)), ..hello(V5, "c") };
    assert_eq!(world.try_connect(&connect).1, ["CONNACK 0x97"]);
    // Acknowledgements free memory.
    world.ack(reader, PacketType::PubAck, 1, 0);
    let client = world.join(&connect);
    world.disconnect(client, 0, &PropertyBlock::default());
    world.lose(reader);
    world.connect(V5, "reader");
    assert_eq!(world.core.held_bytes, "reader".len() + "writer".len());
}

#[test]
fn response_over_the_clients_limit_ends_the_connection() {
    let mut world = World::new();
    let block = numbers(&[(PropertyId::MaximumPacketSize, 20)]);
    let client = world.join(&Connect { properties: block.view(), ..hello(V5, "c") });
    assert_eq!(world.subscribe(client, &vec![filter("t", 0); 20]), ["DISCONNECT 0x95"]);
}

/// A client that does not read answers cannot request more.
#[test]
fn unread_answers_are_bounded() {
    let mut world = World::new();
    let client = world.join(&Connect { keep_alive: 10, ..hello(V5, "c") });
    let pings = [0xC0, 0].repeat(1 << 20);
    let mut taken = 0;
    for _ in 0..10 {
        taken += world.offer(client, &pings[taken % 2..]).0;
    }
    assert_eq!(taken, 8 << 20);
    assert_eq!(world.core.output(client.id).len(), 8 << 20);
    assert_eq!(world.state(client), Directive::Paused);
    world.take(client);
    assert_eq!(world.state(client), Directive::Open);
    world.send(client, &pings);
    // A client that is paused for its own output counts as silent.
    for _ in 0..10 {
        world.offer(client, &pings);
    }
    world.wait_seconds(15);
    assert_eq!(world.state(client), Directive::Closing);
}

/// After a burst of one second, a client is read at the message rate, and no message is lost.
#[test]
fn rate_pauses_the_publisher() {
    let limits = Limits { message_rate: Some(10), ..Limits::default() };
    let mut world = World::with(Options { limits, ..Options::default() });
    let client = world.connect(V5, "c");
    let mut bytes = Vec::new();
    for _ in 0..30 {
        bytes.extend_from_slice(&publish_bytes(V5, &message("t", 0, 0, "")));
    }
    let (mut taken, _) = world.offer(client, &bytes);
    assert_eq!(world.state(client), Directive::Paused);
    assert_eq!(world.core.statistics().messages_received, 11);
    let start = world.now;
    while taken < bytes.len() {
        let at = world.core.next_deadline().expect("it goes on");
        world.wait(at - world.now);
        taken += world.offer(client, &bytes[taken..]).0;
    }
    let seconds = (world.now - start).as_secs_f64();
    assert!((1.8..2.0).contains(&seconds), "{seconds}");
    assert_eq!(world.core.statistics().messages_received, 30);
}

#[test]
fn maximum_keep_alive_is_enforced() {
    let limits = Limits { maximum_keep_alive: Some(60), ..Limits::default() };
    let mut world = World::with(Options { limits, ..Options::default() });
    let hello = |protocol, keep_alive| Connect { keep_alive, ..hello(protocol, "c") };
    for keep_alive in [0, 61] {
        assert_eq!(world.try_connect(&hello(V5, keep_alive)).1, ["CONNACK 0x00 server-keep-alive=60"]);
        assert_eq!(world.try_connect(&hello(V3_1_1, keep_alive)).1, ["CONNACK 0x85"]);
    }
    for protocol in [V5, V3_1_1] {
        assert_eq!(world.try_connect(&hello(protocol, 60)).1, ["CONNACK 0x00"]);
    }
}

#[test]
fn connections_over_the_limit_are_refused() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let mut world = World::with(Options { limits, ..Options::default() });
    let (one, _) = (world.connect(V5, "a"), world.connect(V5, "b"));
    let (refused, answer) = world.try_connect(&hello(V5, "c"));
    assert_eq!(answer, ["CONNACK 0x97"]);
    world.lose(refused);
    world.lose(one);
    world.connect(V5, "c");
}

/// Above the limit on all memory, clients are refused in each of the ways, and a client that reads is served.
#[test]
fn all_memory_is_bounded() {
    let total_bytes = 4 << 20;
    let mut world = limited(Limits { total_bytes, patience: Duration::ZERO, ..Limits::default() });
    let reader = world.connect(V5, "reader");
    world.subscribe(reader, &[filter("t/#", 1)]);
    let writer = world.connect(V5, "writer");
    let payload = "x".repeat(30_000);
    let bounded = |world: &World| assert!(world.core.memory() <= total_bytes, "{}", world.core.memory());
    // Slow subscribers at QoS 0 and 1.
    for number in 0..100 {
        let slow = world.connect(V5, &format!("slow {number}"));
        world.subscribe(slow, &[filter("s/#", number % 2)]);
    }
    for _ in 0..100 {
        for qos in [0, 1] {
            world.publish(writer, &message("s/1", qos, 1, &payload));
            world.take(writer);
            bounded(&world);
        }
    }
    assert!(world.core.statistics().messages_dropped > 1000);
    // Retained messages.
    let retained = Publish { retain: true, ..message("r/1", 1, 1, &payload) };
    world.publish(writer, &retained);
    assert_eq!(world.take(writer), ["PUBACK #1 0x97"]);
    // A client that reads.
    world.publish(writer, &message("t/1", 0, 1, "still there"));
    assert_eq!(world.take(reader), ["PUBLISH t/1 q0 \"still there\""]);
    // Subscriptions.
    let mut seen = String::new();
    for number in 0..20 {
        let filters: Vec<String> = (0..500).map(|at| format!("f/{number}/{at}")).collect();
        let filters: Vec<_> = filters.iter().map(|name| filter(name, 0)).collect();
        seen.push_str(&world.subscribe(reader, &filters).concat());
        bounded(&world);
    }
    assert!(seen.ends_with(" 97"), "{seen}");
    // Sessions and connections.
    let mut answers = Vec::new();
    for number in 0..2000 {
        answers.extend(world.try_connect(&hello(V5, &format!("more {number}"))).1);
    }
    assert_eq!(answers.last().unwrap(), "CONNACK 0x97");
    assert!(world.core.memory() <= total_bytes + 2000 * 2100);
    world.publish(writer, &message("t/1", 2, 2, "x"));
    assert_eq!(world.take(writer), ["PUBREC #2 0x97"]);
}

/// All counted memory is free after the clients have gone.
#[test]
fn memory_of_clients_that_are_gone_is_free() {
    let mut world = World::new();
    let before = world.core.memory();
    let clients: Vec<Client> = (0..10).map(|number| world.connect(V5, &number.to_string())).collect();
    for client in &clients {
        world.subscribe(*client, &[filter("a/+/b", 2), filter("$share/g/c", 1)]);
        world.publish(*client, &message("a/x/b", 2, 9, "some text"));
        world.core.holds_partial(client.id, 200_000, world.now);
    }
    assert!(world.core.memory() > before + 2_000_000);
    for client in clients {
        world.lose(client);
    }
    assert!(world.core.memory() < before + 10_000, "{}", world.core.memory());
    assert_eq!((world.core.held_bytes, world.core.buffer_bytes), (0, 0));
}
