//! Expensive requests of one client do not delay the others: work is done in turns.

use super::*;
use crate::broker::core::bounds::{NAME_WORK, TURN_WORK};
use crate::broker::core::subscribe::{PACKET_FILTERS, PACKET_LEVELS};
use crate::broker::options::Limits;

fn retained_store(world: &mut World, count: usize) {
    let writer = world.connect(V5, "writer");
    for number in 0..count {
        let topic = format!("{number}/value");
        world.publish(writer, &Publish { retain: true, ..message(&topic, 0, 1, "x") });
    }
}

fn subscribe_bytes(filters: &[String]) -> BytesMut {
    let filters: Vec<_> = filters.iter().map(|name| filter(name, 0)).collect();
    let mut out = BytesMut::new();
    wire::subscribe(&mut out, V5, 77, &filters, &PropertyBlock::default());
    out
}

/// Thousands of filters that match none of many retained messages: another client is served after one turn,
/// and the replay ends.
#[test]
fn a_subscribe_of_many_wildcards_is_done_in_turns() {
    let mut world = World::new();
    retained_store(&mut world, 2 * TURN_WORK / NAME_WORK);
    let (greedy, other) = (world.connect(V5, "greedy"), world.connect(V5, "other"));
    let filters: Vec<String> = (0..10).map(|number| format!("+/none{number}")).collect();
    let bytes = subscribe_bytes(&filters);
    world.core.resume(greedy.id, world.now);
    world.core.receive(greedy.id, &bytes, world.now);
    assert!(world.core.is_unfinished(greedy.id));
    assert!(world.core.work <= TURN_WORK + NAME_WORK + filters.len(), "{}", world.core.work);
    // The next packet waits for the next turn.
    assert_eq!(world.core.receive(greedy.id, &[0xC0, 0], world.now), 0);
    assert_eq!(world.subscribe(other, &[filter("7/value", 0)]).len(), 2);
    // It does not wait for the whole replay; neither do DISCONNECT or the end of the stream.
    world.core.resume(greedy.id, world.now);
    assert_eq!(world.core.receive(greedy.id, &[0xC0, 0], world.now), 2);
    assert!(world.core.is_unfinished(greedy.id));
    let mut turns = 0;
    while world.core.is_unfinished(greedy.id) {
        turns += 1;
        world.core.resume(greedy.id, world.now);
    }
    assert!(turns > 10, "{turns}");
    let seen = world.take(greedy);
    assert_eq!((seen.len(), &seen[1][..]), (2, "PINGRESP"));
}

/// The filters count as work too: retained messages wait for the next turn.
#[test]
fn filters_of_a_subscribe_count_in_its_turn() {
    let mut world = World::new();
    retained_store(&mut world, 100);
    let client = world.connect(V5, "c");
    let deep = "/a".repeat(98);
    let mut names: Vec<String> = (0..1000).map(|number| format!("{number}{deep}")).collect();
    names[0] = "+/value".into();
    world.core.resume(client.id, world.now);
    let bytes = subscribe_bytes(&names);
    assert_eq!(world.core.receive(client.id, &bytes, world.now), bytes.len());
    assert!(world.core.work <= PACKET_LEVELS + NAME_WORK, "{}", world.core.work);
    assert!(world.core.is_unfinished(client.id));
    assert_eq!(world.core.statistics().messages_sent, 0);
    assert_eq!(world.take(client).len(), 101);
}

/// Repeated subscriptions to the same filters, and their removal: an earlier replay is skipped.
#[test]
fn outdated_replay_is_skipped() {
    let mut world = World::new();
    retained_store(&mut world, 3);
    let client = world.connect(V5, "c");
    let names: Vec<String> = (0..500).map(|number| format!("+/none{number}")).collect();
    let again = subscribe_bytes(&[&names[..], &["+/value".into()], &names, &["+/value".into()]].concat());
    world.core.resume(client.id, world.now);
    world.send(client, &again);
    assert_eq!(world.take(client).iter().filter(|line| line.starts_with("PUBLISH")).count(), 3);
    let session = world.core.sessions.iter().map(|(_, session)| session.replays.len()).max();
    assert_eq!(session, Some(0));
}

/// Messages that match many subscriptions of the client itself.
#[test]
fn publishes_that_match_thousands_of_subscriptions_are_done_in_turns() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    let one = |bits: u32| {
        let levels = (0..11).map(|bit| if bits >> bit & 1 == 0 { "a" } else { "+" });
        levels.collect::<Vec<_>>().join("/")
    };
    for part in (0..2048).map(one).collect::<Vec<_>>().chunks(500) {
        world.send(client, &subscribe_bytes(part));
    }
    world.take(client);
    let publish = publish_bytes(V5, &message("a/a/a/a/a/a/a/a/a/a/a", 0, 1, "x"));
    assert!(world.send(client, &publish.repeat(200)) >= 8);
    assert_eq!(world.take(client).len(), 200);
}

#[test]
fn a_packet_of_too_many_filters_is_refused() {
    let names = |count| vec!["a"; count];
    for (more, subscribes) in [(0, true), (1, true), (0, false), (1, false)] {
        let mut world = World::new();
        let count = PACKET_FILTERS + more;
        let client = world.connect(V5, "c");
        let seen = if subscribes {
            world.subscribe(client, &names(count).into_iter().map(|name| filter(name, 0)).collect::<Vec<_>>())
        } else {
            world.unsubscribe(client, &names(count))
        };
        let refused = seen == ["DISCONNECT 0x97"];
        assert_eq!(refused, more > 0, "{seen:?}");
    }
}

/// Filters up to the limit are granted, the others refused.
#[test]
fn filters_beyond_the_levels_limit_of_a_packet_are_refused() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    let deep = "/a".repeat(199);
    let names: Vec<String> = (0..PACKET_LEVELS / 200 + 2).map(|number| format!("{number}{deep}")).collect();
    let seen = world.subscribe(client, &names.iter().map(|name| filter(name, 0)).collect::<Vec<_>>());
    let granted = seen[0].matches(" 00").count();
    let refused = seen[0].matches(" 97").count();
    assert_eq!((granted, refused), (PACKET_LEVELS / 200, 2), "{seen:?}");
}

/// `#` counts as a level, the share name does not.
#[test]
fn topic_with_more_than_201_levels_ends_the_connection() {
    let deep = |levels: usize, last: &str| format!("{}{last}", "a/".repeat(levels - 1));
    for (name, taken) in [
        (deep(201, "a"), true),
        (deep(202, "a"), false),
        (deep(201, "#"), true),
        (deep(202, "#"), false),
        (format!("$share/g/{}", deep(201, "+")), true),
        (format!("$share/g/{}", deep(202, "+")), false),
    ] {
        for protocol in [V3_1_1, V5] {
            let mut world = World::new();
            let client = world.connect(protocol, "c");
            let answer: &[&str] = match (taken, protocol) {
                (true, _) => &["SUBACK #77 00"],
                (false, V5) => &["DISCONNECT 0x81"],
                (false, _) => &[],
            };
            assert_eq!(world.subscribe(client, &[filter(&name, 0)]), answer, "{name}");
            assert_eq!(world.state(client) == Directive::Open, taken, "{name}");
            let client = world.connect(protocol, "other");
            let answer: &[&str] = match (taken, protocol) {
                (true, V5) => &["UNSUBACK #78 11"],
                (true, _) => &["UNSUBACK #78"],
                (false, V5) => &["DISCONNECT 0x81"],
                (false, _) => &[],
            };
            assert_eq!(world.unsubscribe(client, &[&name]), answer, "{name}");
        }
    }
    for (name, taken) in [(deep(201, "a"), true), (deep(202, "a"), false)] {
        for protocol in [V3_1_1, V5] {
            let mut world = World::new();
            let client = world.connect(protocol, "c");
            world.publish(client, &message(&name, 1, 1, "x"));
            let answer: &[&str] = match (taken, protocol) {
                (true, V5) => &["PUBACK #1 0x10"],
                (true, _) => &["PUBACK #1"],
                (false, V5) => &["DISCONNECT 0x81"],
                (false, _) => &[],
            };
            assert_eq!(world.take(client), answer);
            assert_eq!(world.state(client) == Directive::Open, taken);
        }
    }
}

/// Incomplete packets of all connections count against one limit; complete packets do not.
#[test]
fn unfinished_packets_are_bounded() {
    let limits = Limits { partial_bytes: 1_000_000, ..Limits::default() };
    let mut world = World::with(Options { limits, ..Options::default() });
    let clients: Vec<Client> = (0..4).map(|number| world.connect(V5, &number.to_string())).collect();
    for client in &clients[..3] {
        world.core.holds_partial(client.id, 400_000, world.now);
    }
    assert_eq!(world.state(clients[2]), Directive::Open);
    world.core.holds_partial(clients[3].id, 400_000, world.now);
    assert_eq!(world.take(clients[3]), ["DISCONNECT 0x97"]);
    // A connection with a small incomplete packet is not closed.
    world.core.holds_partial(clients[1].id, 100_000, world.now);
    assert_eq!(world.state(clients[1]), Directive::Open);
    for client in clients {
        world.lose(client);
    }
    assert_eq!(world.core.partial_bytes, 0);
}

/// A large payload is stored once, regardless of the number of receivers and queues.
#[test]
fn a_large_payload_is_kept_once() {
    let mut world = World::new();
    let readers: Vec<Client> = (0..3).map(|number| world.connect(V5, &number.to_string())).collect();
    for reader in &readers {
        world.subscribe(*reader, &[filter("t", 1)]);
    }
    let writer = world.connect(V5, "writer");
    let payload = "x".repeat(1 << 20);
    let large = Publish { retain: true, ..message("t", 1, 7, &payload) };
    let packet = publish_bytes(V5, &large).freeze();
    assert!(world.core.is_large(&packet) && !world.core.is_large(&packet[..packet.len() - 1]));
    assert_eq!(world.core.receive_owned(writer.id, &packet, world.now), packet.len());
    let input = packet.as_ptr_range();
    for reader in readers {
        assert!(world.core.output(reader.id).len() < 100, "the head comes first");
        world.core.wrote(reader.id, world.core.output(reader.id).len(), world.now);
        let piece = world.core.output(reader.id);
        assert_eq!(piece.len(), 1 << 20);
        assert!(input.contains(&piece.as_ptr()), "it is the memory that was received");
        // In parts, and with another message after it.
        world.core.wrote(reader.id, 1000, world.now);
        assert_eq!(world.core.output(reader.id).len(), (1 << 20) - 1000);
        let other = world.connect(V5, "other"); // the first one waits for the readers
        world.publish(other, &message("t", 0, 0, "next"));
        world.core.wrote(reader.id, (1 << 20) - 1000, world.now);
        let next = world.take(reader);
        assert!(!next.is_empty() && next.iter().all(|line| line == "PUBLISH t q0 \"next\""), "{next:?}");
    }
    let late = world.connect(V5, "late");
    assert_eq!(world.subscribe(late, &[filter("t", 0)]).len(), 2);
}

/// Properties of this many pairs, each with 60,000 bytes.
fn large_properties(pairs: usize) -> PropertyBlock {
    let mut block = PropertyBlock::default();
    for _ in 0..pairs {
        block.push(PropertyId::UserProperty, Value::Pair("k", &"v".repeat(60_000)));
    }
    block
}

/// Large properties are kept once, as payloads are, beside those that each receiver gets for itself.
#[test]
fn large_properties_are_kept_once() {
    let mut world = World::new();
    let readers: Vec<Client> = (0..50).map(|number| world.connect(V5, &number.to_string())).collect();
    for (number, reader) in (1..).zip(&readers) {
        let own = numbers(&[(PropertyId::SubscriptionIdentifier, number)]);
        world.subscribe_with(*reader, &[filter("t", 0)], &own);
    }
    let writer = world.connect(V5, "writer");
    let properties = large_properties(17);
    let large = Publish { properties: properties.view(), ..message("t", 0, 0, "small") };
    let packet = publish_bytes(V5, &large).freeze();
    let before = world.core.memory();
    assert_eq!(world.core.receive_owned(writer.id, &packet, world.now), packet.len());
    let taken = world.core.memory() - before;
    assert!(taken < 2 * packet.len(), "{taken} bytes for a packet of {}", packet.len());
    let input = packet.as_ptr_range();
    for (number, reader) in (1..).zip(&readers) {
        let head = world.core.output(reader.id).to_vec();
        assert!(head.len() < 100, "the head comes first");
        world.core.wrote(reader.id, head.len(), world.now);
        let piece = world.core.output(reader.id);
        assert_eq!(piece, properties.bytes());
        assert!(input.contains(&piece.as_ptr()), "it is the memory that was received");
        let mut bytes = [&head, piece].concat();
        world.core.wrote(reader.id, piece.len(), world.now);
        bytes.extend_from_slice(world.core.output(reader.id));
        world.core.wrote(reader.id, 5, world.now);
        let Packet::Publish(publish) = wire::decode(V5, &bytes).unwrap() else { panic!("{bytes:02x?}") };
        let own: Vec<_> = publish.properties.iter().take(1).map(|one| one.value).collect();
        assert_eq!((own, publish.payload), (vec![Value::Number(number)], &b"small"[..]));
        assert_eq!(publish.properties.iter().count(), 18);
    }
    assert_eq!(world.core.output_total.bytes(), 0);
}

/// Pieces of two messages with large properties keep their order, and a client of 3.1.1 gets the payloads alone.
#[test]
fn large_properties_keep_their_place() {
    for step in [1_000, 60_000, 200_000] {
        let mut world = World::new();
        let readers = [world.connect(V5, "reader"), world.connect(V3_1_1, "old")];
        for reader in readers {
            world.subscribe(reader, &[filter("t", 0)]);
        }
        let writer = world.connect(V5, "writer");
        let properties = large_properties(2);
        let long = "y".repeat(70_000);
        let messages = ["", "small", &long].map(|payload| message("t", 0, 0, payload));
        let messages = messages.map(|one| Publish { properties: properties.view(), ..one });
        for one in &messages {
            world.publish(writer, one);
        }
        for reader in readers {
            let bytes = world.take_in_pieces(reader, step);
            let expected = messages.iter().flat_map(|one| publish_bytes(reader.protocol, one));
            assert!(bytes == expected.collect::<Vec<u8>>(), "{step} {:?}", reader.protocol);
        }
    }
}

/// A turn ends after a packet of many bytes, and after many bytes of copies.
#[test]
fn bytes_are_work() {
    let mut world = World::new();
    let writer = world.connect(V5, "writer");
    let packet = publish_bytes(V5, &message("t", 0, 0, &"x".repeat(9_000_000)));
    world.core.resume(writer.id, world.now);
    assert!(!world.core.turn_is_over());
    assert_eq!(world.core.receive(writer.id, &packet, world.now), packet.len());
    assert!(world.core.turn_is_over(), "{}", world.core.work);
    for number in 0..200 {
        let reader = world.connect(V5, &number.to_string());
        world.subscribe(reader, &[filter("t", 0)]);
    }
    let payload = "x".repeat(50_000);
    world.core.resume(writer.id, world.now);
    let packet = publish_bytes(V5, &message("t", 0, 0, &payload));
    assert_eq!(world.core.receive(writer.id, &packet, world.now), packet.len());
    assert!(world.core.turn_is_over(), "{}", world.core.work);
}

/// Pieces of shared and of copied messages keep their order, wherever a write ends.
#[test]
fn large_and_small_messages_keep_their_order() {
    for step in [1_000, 65_536, 70_001, 200_000] {
        let mut world = World::new();
        let reader = world.connect(V5, "reader");
        world.subscribe(reader, &[filter("t", 0)]);
        let writer = world.connect(V5, "writer");
        let payloads: Vec<String> =
            [3, 70_000, 0, 66_000, 66_000, 10, 30_000].iter().map(|length| "y".repeat(*length)).collect();
        for payload in &payloads {
            world.publish(writer, &message("t", 0, 0, payload));
        }
        let bytes = world.take_in_pieces(reader, step);
        let expected: Vec<u8> =
            payloads.iter().flat_map(|payload| publish_bytes(V5, &message("t", 0, 0, payload))).collect();
        assert!(bytes == expected, "{step}");
    }
}

/// Connects a client with this name, and subscribes to deep filters whose removal takes several turns.
fn many_subscriptions(world: &mut World, name: &str) -> (Client, Vec<String>) {
    let client = world.connect(V5, name);
    let deep = "/a".repeat(98);
    let names: Vec<String> = (0..4000).map(|number| format!("{name}/{number}{deep}")).collect();
    for part in names.chunks(900) {
        world.send(client, &subscribe_bytes(part));
    }
    world.take(client);
    assert_eq!(world.core.statistics().subscriptions, names.len());
    (client, names)
}

/// Other clients are served between its turns, and the client's next packets wait for the answer.
#[test]
fn an_unsubscribe_of_many_filters_is_done_in_turns() {
    let mut world = World::new();
    let (greedy, names) = many_subscriptions(&mut world, "greedy");
    let other = world.connect(V5, "other");
    let mut bytes = BytesMut::new();
    let filters: Vec<&str> = names.iter().map(String::as_str).collect();
    wire::unsubscribe(&mut bytes, V5, 78, &filters, &PropertyBlock::default());
    world.core.resume(greedy.id, world.now);
    assert_eq!(world.core.receive(greedy.id, &bytes, world.now), bytes.len());
    let most = TURN_WORK + 200;
    let mut turns = 1;
    while world.core.is_unfinished(greedy.id) {
        turns += 1;
        assert!(world.core.work <= most, "{}", world.core.work);
        assert!(world.core.output(greedy.id).is_empty());
        assert_eq!(world.core.receive(greedy.id, &[0xC0, 0], world.now), 0);
        assert_eq!(world.subscribe(other, &[filter("x", 0)]).len(), 1);
        world.core.resume(greedy.id, world.now);
    }
    assert!(turns > 5, "{turns}");
    let seen = world.take(greedy);
    assert_eq!((seen.len(), seen[0].matches(" 00").count()), (1, names.len()));
    assert_eq!(world.core.statistics().subscriptions, 1);
}

/// A client that disconnects during it leaves no subscriptions.
#[test]
fn a_client_may_leave_during_its_unsubscribe() {
    let mut world = World::new();
    let (greedy, names) = many_subscriptions(&mut world, "greedy");
    let mut bytes = BytesMut::new();
    let filters: Vec<&str> = names.iter().map(String::as_str).collect();
    wire::unsubscribe(&mut bytes, V5, 78, &filters, &PropertyBlock::default());
    world.core.resume(greedy.id, world.now);
    world.core.receive(greedy.id, &bytes, world.now);
    assert!(world.core.is_unfinished(greedy.id));
    world.lose(greedy);
    for _ in 0..20 {
        world.core.advance(world.now);
    }
    let statistics = world.core.statistics();
    assert_eq!((statistics.sessions, statistics.subscriptions), (0, 0));
}

/// An ended session gets no more messages, and the same client may connect again meanwhile.
#[test]
fn the_end_of_a_session_of_many_subscriptions_is_done_in_turns() {
    let mut world = World::new();
    let (greedy, names) = many_subscriptions(&mut world, "greedy");
    let writer = world.connect(V5, "writer");
    world.core.resume(greedy.id, world.now);
    world.lose(greedy);
    let left = world.core.statistics().subscriptions;
    assert!(left > 0, "one turn was enough");
    assert_eq!(world.core.statistics().sessions, 1);
    let again = world.connect(V5, "greedy");
    for name in &names {
        world.publish(writer, &message(name, 1, 1, "x"));
    }
    assert_eq!(world.core.statistics().queued, 0);
    assert!(world.core.next_deadline().is_some_and(|at| at <= world.now));
    let mut turns = 1;
    while world.core.statistics().subscriptions > 0 {
        turns += 1;
        world.core.advance(world.now);
        assert!(world.core.work <= TURN_WORK + 200, "{}", world.core.work);
    }
    assert!(turns > 5, "{turns}");
    assert_eq!(world.subscribe(again, &[filter("x", 0)]).len(), 1);
    assert_eq!(world.core.statistics().sessions, 2);
    assert_eq!(world.core.sessions.len(), 2);
}
