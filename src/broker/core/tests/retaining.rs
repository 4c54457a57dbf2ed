//! Retained messages ([MQTT-3.3.1.3]) and their delivery after SUBSCRIBE ([MQTT-3.8.3.1]).

use std::sync::{Arc, Mutex};

use super::*;
use crate::broker::journal::{BrokerEvent, EventKind, Journal};
use crate::broker::options::Limits;

fn retained<'a>(topic: &'a str, qos: u8, payload: &'a str) -> Publish<'a> {
    Publish { retain: true, ..message(topic, qos, 1, payload) }
}

#[test]
fn retained_message_is_kept_replaced_and_deleted() {
    for protocol in [V3_1, V3_1_1, V5] {
        let mut world = World::new();
        let writer = world.connect(protocol, "writer");
        world.publish(writer, &retained("a/1", 1, "old"));
        world.publish(writer, &retained("a/1", 1, "new"));
        world.publish(writer, &retained("a/2", 0, "two"));
        world.publish(writer, &message("a/1", 0, 0, "live only"));
        let reader = world.connect(protocol, "reader");
        let seen = world.subscribe(reader, &[filter("a/+", 2)]);
        assert_eq!(
            seen,
            ["SUBACK #77 02", "PUBLISH a/1 q1 #1 retain \"new\"", "PUBLISH a/2 q0 retain \"two\""]
        );
        // Messages to an existing subscription have no RETAIN flag ([MQTT-3.3.1-9]).
        world.publish(writer, &retained("a/2", 0, "three"));
        assert_eq!(world.take(reader), ["PUBLISH a/2 q0 \"three\""]);
        // An empty payload removes the topic's retained message, and is also delivered as a message.
        world.publish(writer, &retained("a/2", 0, ""));
        assert_eq!(world.take(reader), ["PUBLISH a/2 q0 \"\""]);
        assert_eq!(world.core.statistics().retained, 1);
    }
}

#[test]
fn filters_find_their_retained_messages() {
    let mut world = World::new();
    let writer = world.connect(V5, "writer");
    for topic in ["a", "a/b", "a/b/c", "ab", "b", "$SYS/x", "/a"] {
        world.publish(writer, &retained(topic, 0, "x"));
    }
    for (wanted, found) in [
        ("#", &["/a", "a", "a/b", "a/b/c", "ab", "b"][..]),
        ("a/#", &["a", "a/b", "a/b/c"]),
        ("+", &["a", "ab", "b"]),
        ("+/b", &["a/b"]),
        ("a/+/c", &["a/b/c"]),
        ("$SYS/#", &["$SYS/x"]),
        ("/+", &["/a"]),
        ("+/+", &["/a", "a/b"]),
        ("a", &["a"]),
        ("c/#", &[]),
    ] {
        let reader = world.connect(V5, "reader");
        let seen = world.subscribe(reader, &[filter(wanted, 0)]);
        let expected: Vec<_> = found.iter().map(|topic| format!("PUBLISH {topic} q0 retain \"x\"")).collect();
        assert_eq!(seen[1..], expected, "{wanted}");
    }
}

/// [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]
#[test]
fn retain_handling() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    world.publish(client, &retained("t", 0, "x"));
    let with = |retain_handling| Subscription { retain_handling, ..filter("t", 0) };
    assert_eq!(world.subscribe(client, &[with(2)]).len(), 1);
    assert_eq!(world.subscribe(client, &[with(1)]).len(), 1); // not new
    assert_eq!(world.subscribe(client, &[with(0)]).len(), 2);
    world.unsubscribe(client, &["t"]);
    assert_eq!(world.subscribe(client, &[with(1)]).len(), 2);
}

/// [MQTT-3.3.1-12], [MQTT-3.3.1-13]
#[test]
fn retain_as_published() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    world.subscribe(client, &[Subscription { retain_as_published: true, ..filter("t", 0) }]);
    world.publish(client, &retained("t", 0, "x"));
    world.publish(client, &message("t", 0, 0, "y"));
    assert_eq!(world.take(client), ["PUBLISH t q0 retain \"x\"", "PUBLISH t q0 \"y\""]);
}

#[test]
fn identifier_no_local_and_shares() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    let other = world.connect(V5, "other");
    world.publish(client, &retained("own", 0, "x"));
    world.publish(other, &retained("others", 0, "x"));
    let block = numbers(&[(PropertyId::SubscriptionIdentifier, 7)]);
    let seen = world.subscribe_with(client, &[Subscription { no_local: true, ..filter("#", 0) }], &block);
    assert_eq!(seen[1..], ["PUBLISH others q0 retain \"x\" subscription-identifier=7"]);
    assert_eq!(world.subscribe(client, &[filter("$share/g/#", 0)]), ["SUBACK #77 00"]);
}

#[test]
fn retained_messages_expire() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    let block = numbers(&[(PropertyId::MessageExpiryInterval, 10)]);
    world.publish(client, &Publish { properties: block.view(), ..retained("t", 0, "x") });
    world.wait_seconds(4);
    let seen = world.subscribe(client, &[filter("t", 0)]);
    assert_eq!(seen[1..], ["PUBLISH t q0 retain \"x\" message-expiry-interval=6"]);
    world.wait_seconds(7);
    assert_eq!(world.subscribe(client, &[filter("t", 0)]).len(), 1);
    assert_eq!(world.core.statistics().retained, 0);
}

/// More retained messages than fit into window or output are sent in pieces, each once.
#[test]
fn a_long_replay_comes_in_pieces() {
    let mut world = World::new();
    let writer = world.connect(V5, "writer");
    let payload = "x".repeat(1000);
    for index in 0..2000 {
        world.publish(writer, &retained(&format!("t/{index:04}"), 1, &payload));
        world.take(writer);
    }
    let reader = world.connect(V5, "reader");
    let mut out = BytesMut::new();
    wire::subscribe(&mut out, V5, 1, &[filter("t/#", 1)], &PropertyBlock::default());
    world.send(reader, &out);
    assert!(world.core.output(reader.id).len() < 300_000);
    let mut topics = Vec::new();
    loop {
        let lines = world.take(reader);
        if lines.is_empty() {
            break;
        }
        for line in lines.iter().filter(|line| line.starts_with("PUBLISH")) {
            let words: Vec<&str> = line.split(' ').collect();
            topics.push(words[1].to_owned());
            world.ack(reader, PacketType::PubAck, words[3][1..].parse().unwrap(), 0);
        }
    }
    assert_eq!(topics.len(), 2000);
    assert!(topics.is_sorted());
}

#[test]
fn the_store_is_bounded() {
    let limits = Limits { retained_messages: 2, retained_bytes: 5000, ..Limits::default() };
    let mut world = World::with(Options { limits, ..Options::default() });
    let client = world.connect(V5, "c");
    for topic in ["a", "b", "c"] {
        world.publish(client, &retained(topic, 1, "x"));
    }
    assert_eq!(world.take(client), ["PUBACK #1 0x10", "PUBACK #1 0x10", "PUBACK #1 0x97"]);
    world.publish(client, &retained("a", 1, &"x".repeat(5000)));
    assert_eq!(world.take(client), ["PUBACK #1 0x97"]);
    // A message that could not be stored does not leave an outdated value.
    assert_eq!(world.subscribe(client, &[filter("a", 0)]).len(), 1);
}

#[test]
fn messages_of_the_broker_itself_do_not_count() {
    let limits = Limits { retained_messages: 1, retained_bytes: 1000, ..Limits::default() };
    let system_interval = Some(Duration::from_secs(1));
    let mut world = World::with(Options { limits, system_interval, ..Options::default() });
    let client = world.connect(V5, "c");
    assert!(world.core.statistics().retained > 40);
    // They are replaced, and still do not count.
    world.wait_seconds(3);
    for (topic, expected) in [("a", "PUBACK #1 0x10"), ("b", "PUBACK #1 0x97")] {
        world.publish(client, &retained(topic, 1, "x"));
        assert_eq!(world.take(client), [expected], "{topic}");
    }
    // The state of a bridge is a client's.
    world.publish(client, &retained("a", 1, ""));
    for (topic, expected) in [
        ("$SYS/broker/connection/me", "PUBACK #1 0x87"),
        ("$SYS/broker/connection/me/state", "PUBACK #1 0x10"),
        ("$SYS/broker/connection/you/state", "PUBACK #1 0x97"),
        ("$share/g/a", "PUBACK #1 0x87"),
    ] {
        world.take(client);
        world.publish(client, &retained(topic, 1, "1"));
        assert_eq!(world.take(client), [expected], "{topic}");
    }
}

/// At QoS 0 and in MQTT 3.x no answer says it.
#[test]
fn messages_refused_for_a_limit_are_reported() {
    for (protocol, qos) in [(V3_1_1, 0), (V3_1_1, 1), (V5, 0), (V5, 1), (V5, 2)] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        let journal = Journal::new(move |event: &BrokerEvent<'_>| {
            if let EventKind::Denied { topic, reason, .. } = event.kind {
                told.lock().unwrap().push(format!("{topic} {:#04x}", reason.0));
            }
        });
        let limits = Limits { retained_messages: 0, ..Limits::default() };
        let mut world = World::with(Options { limits, journal: Some(journal), ..Options::default() });
        let client = world.join(&Connect {
            will: Some(Will { retain: true, ..will("will", "x") }),
            ..hello(protocol, "c")
        });
        world.publish(client, &retained("a", qos, "x"));
        world.lose(client);
        assert_eq!(*seen.lock().unwrap(), ["a 0x97", "will 0x97"], "{protocol:?} {qos}");
    }
}
