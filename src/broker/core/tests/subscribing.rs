//! Subscriptions: filters, overlaps, options, shares.

use super::*;

#[test]
fn unsubscribe_answers_each_filter() {
    let mut world = World::new();
    let old = world.connect(V3_1_1, "old");
    world.subscribe(old, &[filter("a", 0)]);
    assert_eq!(world.unsubscribe(old, &["a", "b"]), ["UNSUBACK #78"]);
    let new = world.connect(V5, "new");
    world.subscribe(new, &[filter("a", 0), filter("$share/g/b", 0)]);
    assert_eq!(world.unsubscribe(new, &["a", "b", "$share/g/b"]), ["UNSUBACK #78 00 11 00"]);
    world.publish(new, &message("a", 0, 0, "x"));
    assert!(world.take(new).is_empty() && world.take(old).is_empty());
    assert_eq!(world.core.statistics().subscriptions, 0);
}

#[test]
fn malformed_filters_end_the_connection() {
    let mut world = World::new();
    for (text, reason) in [("a/#/b", "0x81"), ("a#", "0x81"), ("", "0x81"), ("$share/g/", "0x82")] {
        let old = world.connect(V3_1_1, "old");
        assert!(world.subscribe(old, &[filter("ok", 1), filter(text, 0)]).is_empty(), "{text}");
        assert_eq!(world.state(old), Directive::Closing, "{text}");
        let new = world.connect(V5, "new");
        assert_eq!(
            world.subscribe(new, &[filter("ok", 1), filter(text, 0)]),
            [format!("DISCONNECT {reason}")]
        );
        let new = world.connect(V5, "new");
        assert_eq!(world.unsubscribe(new, &[text]), [format!("DISCONNECT {reason}")]);
    }
    assert_eq!(world.core.statistics().subscriptions, 0);
}

/// One message with the highest QoS and all identifiers ([MQTT-3.3.4-2], [MQTT-3.3.4-4]).
#[test]
fn overlapping_subscriptions_deliver_once() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    for (wanted, qos, identifier) in [("a/#", 0, 3), ("a/+", 2, 0), ("a/b", 1, 300)] {
        let block = if identifier == 0 {
            PropertyBlock::default()
        } else {
            numbers(&[(PropertyId::SubscriptionIdentifier, identifier)])
        };
        world.subscribe_with(client, &[filter(wanted, qos)], &block);
    }
    let writer = world.connect(V3_1_1, "writer");
    world.publish(writer, &message("a/b", 2, 1, "x"));
    let seen = world.take(client);
    assert_eq!(seen.len(), 1);
    assert!(seen[0].starts_with("PUBLISH a/b q2 #1 \"x\""), "{seen:?}");
    let mut identifiers: Vec<_> = seen[0].split(' ').skip(5).collect();
    identifiers.sort_unstable();
    assert_eq!(identifiers, ["subscription-identifier=3", "subscription-identifier=300"]);
    let old = world.connect(V3_1_1, "old");
    world.subscribe(old, &[filter("x/#", 0), filter("x/+", 1)]);
    world.publish(writer, &message("x/y", 1, 1, "x"));
    assert_eq!(world.take(old), ["PUBLISH x/y q1 #1 \"x\""]);
}

/// [MQTT-3.8.4-3]
#[test]
fn a_repeated_subscription_replaces() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    world.subscribe_with(client, &[filter("t", 1)], &numbers(&[(PropertyId::SubscriptionIdentifier, 1)]));
    world.subscribe(client, &[filter("t", 0)]);
    world.publish(client, &message("t", 1, 1, "x"));
    assert_eq!(world.take(client), ["PUBLISH t q0 \"x\"", "PUBACK #1"]);
    assert_eq!(world.core.statistics().subscriptions, 1);
}

/// [MQTT-3.8.3-3]
#[test]
fn no_local() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    let other = world.connect(V5, "other");
    world.subscribe(client, &[Subscription { no_local: true, ..filter("#", 0) }]);
    world.publish(client, &message("t", 1, 1, "mine"));
    assert_eq!(world.take(client), ["PUBACK #1"]);
    world.publish(other, &message("t", 0, 1, "yours"));
    assert_eq!(world.take(client), ["PUBLISH t q0 \"yours\""]);
    // On a shared subscription it is a Protocol Error ([MQTT-3.8.3-4]).
    let seen = world.subscribe(client, &[Subscription { no_local: true, ..filter("$share/g/#", 0) }]);
    assert_eq!(seen, ["DISCONNECT 0x82"]);
}

/// [MQTT-4.7.2-1]
#[test]
fn wildcards_do_not_match_dollar_topics() {
    let mut world = World::new();
    let all = world.connect(V3_1_1, "all");
    world.subscribe(all, &[filter("#", 0), filter("+/x", 0)]);
    let system = world.connect(V3_1_1, "system");
    world.subscribe(system, &[filter("$SYS/#", 0)]);
    world.publish(all, &message("$SYS/x", 0, 0, "x"));
    assert!(world.take(all).is_empty());
    assert_eq!(world.take(system), ["PUBLISH $SYS/x q0 \"x\""]);
}

#[test]
fn each_message_goes_to_one_member_of_a_shared_subscription() {
    let mut world = World::new();
    let members = ["a", "b"].map(|name| world.connect_kept(V5, name).0);
    for member in members {
        world.subscribe(member, &[filter("$share/g/t/+", 1)]);
    }
    let alone = world.connect(V3_1_1, "alone");
    world.subscribe(alone, &[filter("$share/h/t/#", 0), filter("t/#", 0)]);
    let writer = world.connect(V5, "writer");
    for _ in 0..4 {
        world.publish(writer, &message("t/x", 1, 1, ""));
    }
    for member in members {
        assert_eq!(world.take(member), ["PUBLISH t/x q1 #1 \"\"", "PUBLISH t/x q1 #2 \"\""]);
    }
    // The other share, and the ordinary subscription as well.
    assert_eq!(world.take(alone).len(), 8);
    // A disconnected member is skipped, unless all are disconnected.
    world.lose(members[0]);
    world.publish(writer, &message("t/x", 1, 1, ""));
    world.publish(writer, &message("t/x", 1, 1, ""));
    assert_eq!(world.take(members[1]).len(), 2);
    world.lose(members[1]);
    world.publish(writer, &message("t/x", 1, 1, ""));
    assert_eq!(world.core.statistics().queued, 1);
}

/// Properties are passed on unchanged and in order ([MQTT-3.3.2-17], [MQTT-3.3.2-18]); 3.x gets none.
#[test]
fn properties_are_passed_on() {
    let mut world = World::new();
    let new = world.connect(V5, "new");
    let old = world.connect(V3_1_1, "old");
    world.subscribe(new, &[filter("t", 0)]);
    world.subscribe(old, &[filter("t", 0)]);
    let mut block = PropertyBlock::default();
    block.push(PropertyId::UserProperty, Value::Pair("k", "1"));
    block.push(PropertyId::PayloadFormatIndicator, Value::Number(1));
    block.push(PropertyId::ContentType, Value::Text("c"));
    block.push(PropertyId::ResponseTopic, Value::Text("r"));
    block.push(PropertyId::CorrelationData, Value::Binary(&[7]));
    block.push(PropertyId::UserProperty, Value::Pair("k", "2"));
    world.publish(new, &Publish { properties: block.view(), ..message("t", 0, 0, "x") });
    let properties =
        "k:1 payload-format-indicator=1 content-type=c response-topic=r correlation-data=[7] k:2";
    assert_eq!(world.take(new), [format!("PUBLISH t q0 \"x\" {properties}")]);
    assert_eq!(world.take(old), ["PUBLISH t q0 \"x\""]);
}

#[test]
fn topic_aliases_of_the_client() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    world.subscribe(client, &[filter("#", 0)]);
    let alias = numbers(&[(PropertyId::TopicAlias, 10)]);
    for topic in ["a", "", "b", ""] {
        world.publish(client, &Publish { properties: alias.view(), ..message(topic, 0, 0, "x") });
    }
    let seen = ["a", "a", "b", "b"].map(|topic| format!("PUBLISH {topic} q0 \"x\""));
    assert_eq!(world.take(client), seen);
    // Aliases belong to the connection ([MQTT-3.3.2-7]).
    let client = world.connect(V5, "c");
    world.publish(client, &Publish { properties: alias.view(), ..message("", 0, 0, "x") });
    assert_eq!(world.take(client), ["DISCONNECT 0x82"]);
    let client = world.connect(V5, "c");
    let alias = numbers(&[(PropertyId::TopicAlias, 11)]);
    world.publish(client, &Publish { properties: alias.view(), ..message("a", 0, 0, "x") });
    assert_eq!(world.take(client), ["DISCONNECT 0x94"]);
}

/// A client with a Topic Alias Maximum gets aliases ([MQTT-3.1.2-26], [MQTT-3.1.2-27]); its next connection
/// starts without any.
#[test]
fn topic_aliases_of_the_server() {
    let mut world = World::new();
    let block = numbers(&[(PropertyId::TopicAliasMaximum, 2), (PropertyId::MaximumPacketSize, 50)]);
    for _ in 0..2 {
        let client = world.join(&Connect { properties: block.view(), ..hello(V5, "c") });
        world.subscribe(client, &[filter("#", 0)]);
        let long = "x".repeat(50);
        for (topic, payload) in [("a", &long[..]), ("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("b", "5")]
        {
            world.publish(client, &message(topic, 0, 0, payload));
        }
        let seen = [
            "PUBLISH a q0 \"1\" topic-alias=1",
            "PUBLISH b q0 \"2\" topic-alias=2",
            "PUBLISH  q0 \"3\" topic-alias=1",
            "PUBLISH c q0 \"4\"",
            "PUBLISH  q0 \"5\" topic-alias=2",
        ];
        assert_eq!(world.take(client), seen);
    }
}
