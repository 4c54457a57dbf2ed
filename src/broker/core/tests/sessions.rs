//! Sessions: kept, expired, taken over, limited.

use super::*;
use crate::broker::options::Limits;

#[test]
fn clean_session_is_deleted_at_its_end() {
    for protocol in [V3_1, V3_1_1, V5] {
        let mut world = World::new();
        let client = world.connect(protocol, "c");
        world.subscribe(client, &[filter("#", 1)]);
        world.lose(client);
        let statistics = world.core.statistics();
        assert_eq!((statistics.sessions, statistics.subscriptions, statistics.connections), (0, 0, 0));
        assert_eq!(world.connect_kept(protocol, "c").1, ["CONNACK 0x00"]);
    }
}

#[test]
fn a_kept_session_queues_qos_1_and_2() {
    for protocol in [V3_1_1, V5] {
        let mut world = World::new();
        let (client, answer) = world.connect_kept(protocol, "c");
        assert_eq!(answer, ["CONNACK 0x00"]);
        world.subscribe(client, &[filter("t", 2)]);
        world.disconnect(client, 0, &PropertyBlock::default());
        let writer = world.connect(protocol, "writer");
        for qos in 0..3 {
            world.publish(writer, &message("t", qos, 1, &qos.to_string()));
        }
        assert_eq!(world.core.statistics().queued, 2);
        let (client, answer) = world.connect_kept(protocol, "c");
        assert_eq!(answer, ["CONNACK present 0x00", "PUBLISH t q1 #1 \"1\"", "PUBLISH t q2 #2 \"2\""]);
        world.disconnect(client, 0, &PropertyBlock::default());
        // Clean Start ends it ([MQTT-3.1.2-4]).
        let (_, answer) = world.try_connect(&hello(protocol, "c"));
        assert_eq!(answer, ["CONNACK 0x00"]);
        let statistics = world.core.statistics();
        assert_eq!((statistics.queued, statistics.subscriptions), (0, 0));
    }
}

/// MQTT 3.1 has no Session Present flag: the byte is reserved.
#[test]
fn connack_of_mqtt_3_1_has_no_session_present() {
    let mut world = World::new();
    let (client, _) = world.connect_kept(V3_1, "c");
    world.lose(client);
    assert_eq!(world.connect_kept(V3_1, "c").1, ["CONNACK 0x00"]);
}

/// A session may continue in another protocol version.
#[test]
fn session_continues_in_another_version() {
    let mut world = World::new();
    let (client, _) = world.connect_kept(V3_1_1, "c");
    world.subscribe(client, &[filter("t", 1)]);
    world.publish(client, &message("t", 1, 1, "x"));
    world.lose(client);
    assert_eq!(world.connect_kept(V5, "c").1, ["CONNACK present 0x00", "PUBLISH t q1 #1 dup \"x\""]);
}

#[test]
fn session_expiry() {
    let mut world = World::new();
    let expiry = |seconds| numbers(&[(PropertyId::SessionExpiryInterval, seconds)]);
    let block = expiry(10);
    let connect = Connect { clean_start: false, properties: block.view(), ..hello(V5, "c") };
    let client = world.join(&connect);
    world.lose(client);
    world.wait(Duration::from_millis(9_999));
    let (client, answer) = world.try_connect(&connect);
    assert_eq!(answer, ["CONNACK present 0x00"]);
    // While connected it does not expire.
    world.wait_seconds(100);
    assert_eq!(world.core.statistics().sessions, 1);
    // DISCONNECT may change the interval ([MQTT-3.14.2.2.2]).
    world.disconnect(client, 0, &expiry(20));
    world.wait_seconds(19);
    assert_eq!(world.core.statistics().sessions, 1);
    world.wait_seconds(1);
    assert_eq!(world.core.statistics().sessions, 0);
    // But not from 0 to another value ([MQTT-3.1.2.11.2]).
    let client = world.connect(V5, "c");
    world.disconnect(client, 0, &expiry(20));
    assert_eq!(world.take(client), ["DISCONNECT 0x82"]);
    assert_eq!(world.core.statistics().sessions, 0);
    // Without expiry, and in 3.x.
    let block = expiry(u32::MAX);
    let client = world.join(&Connect { properties: block.view(), ..hello(V5, "c") });
    world.lose(client);
    let (client, _) = world.connect_kept(V3_1_1, "d");
    world.lose(client);
    world.wait_seconds(1_000_000);
    assert_eq!(world.core.statistics().sessions, 2);
    assert_eq!(world.core.next_deadline(), None);
}

#[test]
fn a_shorter_session_expiry_is_announced() {
    let limits = Limits { session_expiry_interval: 5, ..Limits::default() };
    let mut world = World::with(Options { limits, ..Options::default() });
    assert_eq!(world.connect_kept(V5, "c").1, ["CONNACK 0x00 session-expiry-interval=5"]);
    let (client, _) = world.connect_kept(V3_1_1, "d");
    world.lose(client);
    world.wait_seconds(5);
    assert_eq!(world.core.statistics().sessions, 1);
}

/// [MQTT-3.1.4-3]
#[test]
fn a_second_connection_takes_over() {
    for protocol in [V3_1_1, V5] {
        let mut world = World::new();
        let (first, _) = world.connect_kept(protocol, "c");
        world.subscribe(first, &[filter("t", 1)]);
        let (second, answer) = world.connect_kept(protocol, "c");
        assert_eq!(answer, ["CONNACK present 0x00"]);
        let expected: &[&str] = if protocol == V5 { &["DISCONNECT 0x8e"] } else { &[] };
        assert_eq!(world.take(first), expected);
        assert_eq!(world.state(first), Directive::Closing);
        // The end of the first connection does not affect the session.
        world.lose(first);
        world.publish(second, &message("t", 1, 1, "x"));
        assert_eq!(world.take(second), ["PUBLISH t q1 #1 \"x\"", "PUBACK #1"]);
    }
}

#[test]
fn queues_are_bounded_and_keep_the_oldest() {
    let limits = Limits { queue_messages: 3, ..Limits::default() };
    let mut world = World::with(Options { limits, ..Options::default() });
    let (client, _) = world.connect_kept(V5, "c");
    world.subscribe(client, &[filter("t", 1)]);
    world.lose(client);
    let writer = world.connect(V5, "writer");
    for index in 1..=5 {
        world.publish(writer, &message("t", 1, 1, &index.to_string()));
    }
    assert_eq!(world.core.statistics().messages_dropped, 2);
    let lines = world.connect_kept(V5, "c").1;
    assert_eq!(lines[1..], ["PUBLISH t q1 #1 \"1\"", "PUBLISH t q1 #2 \"2\"", "PUBLISH t q1 #3 \"3\""]);
    for (limits, kept) in [
        (Limits { session_bytes: 2000, ..Limits::default() }, 1),
        (Limits { all_sessions_bytes: 2000, ..Limits::default() }, 1),
    ] {
        let mut world = World::with(Options { limits, ..Options::default() });
        let (client, _) = world.connect_kept(V5, "c");
        world.subscribe(client, &[filter("t", 1)]);
        world.lose(client);
        let writer = world.connect(V5, "writer");
        let payload = "x".repeat(1000);
        for _ in 0..3 {
            world.publish(writer, &message("t", 1, 1, &payload));
        }
        assert_eq!(world.core.statistics().queued, kept);
    }
}

/// Expired messages are not sent, the others with the remaining interval ([MQTT-3.3.2-5], [MQTT-3.3.2-6]). As in
/// mosquitto, a message that expires in the queue uses a packet identifier up.
#[test]
fn waiting_messages_expire() {
    let mut world = World::new();
    let (client, _) = world.connect_kept(V5, "c");
    world.subscribe(client, &[filter("t", 1)]);
    world.lose(client);
    let writer = world.connect(V5, "writer");
    for seconds in [10, 100] {
        let mut block = PropertyBlock::default();
        block.push(PropertyId::UserProperty, Value::Pair("k", "1"));
        block.push(PropertyId::MessageExpiryInterval, Value::Number(seconds));
        block.push(PropertyId::UserProperty, Value::Pair("k", "2"));
        world.publish(writer, &Publish { properties: block.view(), ..message("t", 1, 1, "x") });
    }
    world.wait(Duration::from_millis(30_500));
    let lines = world.connect_kept(V5, "c").1;
    assert_eq!(lines[1..], ["PUBLISH t q1 #2 \"x\" k:1 k:2 message-expiry-interval=70"]);
}
