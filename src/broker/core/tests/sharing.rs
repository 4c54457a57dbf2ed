//! Members of a shared subscription that leave without acknowledging (section 4.8.2).

use super::*;
use crate::broker::options::Limits;

/// A world with two members of a share, the second of which is away at first.
fn pair(protocol: Protocol, qos: u8) -> (World, Client, Client) {
    let mut world = World::new();
    let first = world.connect(protocol, "first");
    world.subscribe(first, &[filter("$share/g/t/+", qos)]);
    let second = world.connect_kept(protocol, "second").0;
    world.subscribe(second, &[filter("$share/g/t/+", qos)]);
    (world, first, second)
}

/// Publishes to one member after the other, beginning with the first.
fn publish(world: &mut World, qos: u8, payloads: &[&str]) {
    let writer = world.connect(V3_1_1, "writer");
    for payload in payloads {
        world.publish(writer, &message("t/x", qos, 1, payload));
        world.ack(writer, PacketType::PubRel, 1, 0);
    }
}

/// QoS 1: a message that was not acknowledged goes to another member when the session ends, as a first delivery.
#[test]
fn qos_1_goes_to_another_member_when_the_session_ends() {
    for protocol in [V3_1_1, V5] {
        let (mut world, first, second) = pair(protocol, 1);
        publish(&mut world, 1, &["1", "2", "3", "4", "5"]);
        let sent = ["1", "3", "5"]
            .iter()
            .zip(1..)
            .map(|(payload, id)| format!("PUBLISH t/x q1 #{id} \"{payload}\""));
        assert_eq!(world.take(first), sent.collect::<Vec<_>>());
        assert_eq!(world.take(second), ["PUBLISH t/x q1 #1 \"2\"", "PUBLISH t/x q1 #2 \"4\""]);
        world.ack(first, PacketType::PubAck, 1, 0);
        world.lose(first);
        assert_eq!(world.take(second), ["PUBLISH t/x q1 #3 \"3\"", "PUBLISH t/x q1 #4 \"5\""]);
        assert_eq!(world.core.statistics().messages_dropped, 0);
        // Without a member they are lost, and nothing is left of them.
        world.try_connect(&hello(protocol, "second"));
        assert_eq!(world.core.statistics().stored_bytes, "second".len() + "writer".len());
    }
}

/// While the session is kept its messages wait for its client ([MQTT-4.8.2-4] demands that at QoS 2), and with DUP.
#[test]
fn messages_of_a_session_that_is_kept_wait_for_its_client() {
    for qos in [1, 2] {
        let mut world = World::new();
        let (first, _) = world.connect_kept(V5, "first");
        world.subscribe(first, &[filter("$share/g/t/+", qos)]);
        let second = world.connect(V5, "second");
        world.subscribe(second, &[filter("$share/g/t/+", qos)]);
        publish(&mut world, qos, &["1", "2"]);
        world.take(first);
        assert_eq!(world.take(second), [format!("PUBLISH t/x q{qos} #1 \"2\"")]);
        world.lose(first);
        assert!(world.take(second).is_empty());
        let (_, seen) = world.connect_kept(V5, "first");
        assert_eq!(seen, ["CONNACK present 0x00".to_owned(), format!("PUBLISH t/x q{qos} #1 dup \"1\"")]);
    }
}

/// The session expires: QoS 1 goes to another member, QoS 2 that was sent does not ([MQTT-4.8.2-5]), and QoS 2 that
/// was never sent does.
#[test]
fn messages_are_reassigned_when_a_kept_session_expires() {
    for (qos, passed_on) in [(1, &["1", "3", "5"][..]), (2, &["5"])] {
        let mut world = World::new();
        let block = numbers(&[(PropertyId::SessionExpiryInterval, 60), (PropertyId::ReceiveMaximum, 2)]);
        let kept = Connect { clean_start: false, properties: block.view(), ..hello(V5, "first") };
        let first = world.join(&kept);
        world.subscribe(first, &[filter("$share/g/t/+", qos)]);
        let second = world.connect(V5, "second");
        world.subscribe(second, &[filter("$share/g/t/+", qos)]);
        publish(&mut world, qos, &["1", "2", "3", "4", "5"]);
        assert_eq!(world.take(first).len(), 2);
        assert_eq!(world.take(second).len(), 2);
        world.lose(first);
        assert!(world.take(second).is_empty());
        world.wait_seconds(61);
        let seen = passed_on.iter().zip(3..);
        let seen = seen.map(|(payload, id)| format!("PUBLISH t/x q{qos} #{id} \"{payload}\""));
        assert_eq!(world.take(second), seen.collect::<Vec<_>>());
    }
}

/// [MQTT-4.8.2-6]
#[test]
fn refused_messages_go_to_no_other_member() {
    for (qos, packet) in [(1, PacketType::PubAck), (2, PacketType::PubRec)] {
        let (mut world, first, second) = pair(V5, qos);
        publish(&mut world, qos, &["1"]);
        world.take(first);
        world.ack(first, packet, 1, 0x97);
        assert!(world.take(first).is_empty());
        world.lose(first);
        assert!(world.take(second).is_empty());
    }
}

/// The message goes to the share it was published to, once, and with the identifier of the member's own subscription.
#[test]
fn messages_stay_in_their_share() {
    let mut world = World::new();
    let leaving = world.connect(V5, "leaving");
    world.subscribe(leaving, &[filter("$share/g/t/+", 1), filter("t/x", 1)]);
    let other = world.connect(V5, "other");
    world.subscribe(other, &[filter("$share/h/t/+", 1)]);
    let member = world.connect_kept(V3_1_1, "member").0;
    world.subscribe(member, &[filter("$share/g/t/+", 0)]);
    world.lose(member);
    let heir = world.connect_kept(V5, "heir").0;
    publish(&mut world, 1, &["1"]);
    let identifier = numbers(&[(PropertyId::SubscriptionIdentifier, 9)]);
    world.subscribe_with(heir, &[filter("$share/g/t/+", 2)], &identifier);
    assert_eq!(world.take(leaving).len(), 2);
    assert_eq!(world.take(other).len(), 1);
    world.lose(leaving);
    assert_eq!(world.take(heir), ["PUBLISH t/x q1 #1 \"1\" subscription-identifier=9"]);
    world.lose(other);
    assert!(world.take(heir).is_empty());
}

/// A long queue is handed on in turns, after which nothing is left of the session.
#[test]
fn long_queues_are_handed_on_in_turns() {
    let limits = Limits { in_flight: 10, ..Limits::default() };
    let mut world = World::with(Options { limits, ..Options::default() });
    let block = numbers(&[(PropertyId::SessionExpiryInterval, 60)]);
    let kept = |name| Connect { clean_start: false, properties: block.view(), ..hello(V5, name) };
    let first = world.join(&kept("first"));
    world.subscribe(first, &[filter("$share/g/t/+", 1)]);
    world.lose(first);
    let writer = world.connect(V5, "writer");
    for _ in 0..100_000 {
        world.publish(writer, &message("t/x", 1, 1, "x"));
        world.take(writer);
    }
    assert_eq!(world.core.statistics().queued, 100_000);
    let second = world.connect_kept(V5, "second").0;
    world.subscribe(second, &[filter("$share/g/t/+", 1)]);
    let before = world.core.statistics().stored_bytes;
    world.now += Duration::from_secs(61);
    world.core.advance(world.now);
    assert!(world.core.work < 2 * super::super::TURN_WORK, "{}", world.core.work);
    let statistics = world.core.statistics();
    assert!(statistics.queued < 100_000, "{}", statistics.queued);
    assert_eq!(statistics.sessions, 2);
    world.wait_seconds(0);
    let statistics = world.core.statistics();
    assert_eq!((statistics.queued, statistics.messages_dropped), (99_990, 0));
    assert_eq!(statistics.stored_bytes, before - "first".len());
}
