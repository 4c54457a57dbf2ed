//! What one client asks for does not keep the others waiting: work is done in turns.

use super::*;
use crate::broker::core::TURN_WORK;
use crate::broker::core::subscribe::PACKET_FILTERS;
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

/// Thousands of filters that find nothing among many retained messages: another client is served after one
/// turn, and the replay ends.
#[test]
fn a_subscribe_of_many_wildcards_is_done_in_turns() {
    let mut world = World::new();
    retained_store(&mut world, 2 * TURN_WORK);
    let (greedy, other) = (world.connect(V5, "greedy"), world.connect(V5, "other"));
    let filters: Vec<String> = (0..10).map(|number| format!("+/none{number}")).collect();
    let bytes = subscribe_bytes(&filters);
    world.core.resume(greedy.id, world.now);
    world.core.receive(greedy.id, &bytes, world.now);
    assert!(world.core.is_unfinished(greedy.id));
    assert!(world.core.work <= TURN_WORK + filters.len() + 1, "{}", world.core.work);
    assert_eq!(world.subscribe(other, &[filter("7/value", 0)]).len(), 2);
    // What comes after it waits until it is done.
    assert_eq!(world.core.receive(greedy.id, &[0xC0, 0], world.now), 0);
    let mut turns = 0;
    while world.core.is_unfinished(greedy.id) {
        turns += 1;
        world.core.resume(greedy.id, world.now);
    }
    assert!(turns > 10, "{turns}");
    assert_eq!(world.send(greedy, &[0xC0, 0]), 1);
    let seen = world.take(greedy);
    assert_eq!((seen.len(), &seen[1][..]), (2, "PINGRESP"));
}

/// The same filters again and again, and taken back: an earlier replay is passed by.
#[test]
fn a_replay_that_is_out_of_date_is_passed_by() {
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

/// Matching that is expensive by the client's own subscriptions.
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
    assert!(world.send(client, &publish.repeat(20)) >= 8);
    assert_eq!(world.take(client).len(), 20);
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

/// 200 levels, `#` among them, and the share name not.
#[test]
fn the_deepest_filter_has_200_levels() {
    let deep = |levels: usize, last: &str| format!("{}{last}", "a/".repeat(levels - 1));
    for (name, taken) in [
        (deep(200, "a"), true),
        (deep(201, "a"), false),
        (deep(200, "#"), true),
        (deep(201, "#"), false),
        (format!("$share/g/{}", deep(200, "+")), true),
        (format!("$share/g/{}", deep(201, "+")), false),
    ] {
        let mut world = World::new();
        let client = world.connect(V5, "c");
        let code = if taken { "00" } else { "97" };
        assert_eq!(world.subscribe(client, &[filter(&name, 0)]), [format!("SUBACK #77 {code}")], "{name}");
    }
}

/// Beginnings of packets of all connections count against one limit, and whole packets do not.
#[test]
fn unfinished_packets_are_bounded() {
    let limits = Limits { partial_bytes: 1_000_000, ..Limits::default() };
    let mut world = World::with(Options { limits, ..Options::default() });
    let clients: Vec<Client> = (0..4).map(|number| world.connect(V5, &number.to_string())).collect();
    for client in &clients[..3] {
        world.core.holds_partial(client.id, 400_000, world.now);
    }
    assert_eq!(world.state(clients[2]), State::Open);
    world.core.holds_partial(clients[3].id, 400_000, world.now);
    assert_eq!(world.take(clients[3]), ["DISCONNECT 0x97"]);
    // Small ones are not the ones that take the memory.
    world.core.holds_partial(clients[1].id, 100_000, world.now);
    assert_eq!(world.state(clients[1]), State::Open);
    for client in clients {
        world.lose(client);
    }
    assert_eq!(world.core.partial_bytes, 0);
}
