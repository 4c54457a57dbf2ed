//! Simulated faults.

use super::*;
use crate::broker::faults::{Cut, Faults, RefusedTopics, Share, Withheld};

fn faulty(faults: Faults) -> World {
    World::with(Options { faults, ..Options::default() })
}

fn refusal(topic_filter: &str, reason: u8) -> Vec<RefusedTopics> {
    vec![RefusedTopics {
        topic_filter: topic_filter.to_owned(),
        reason_code: ReasonCode(reason),
        share: Share::ALL,
    }]
}

#[test]
fn refused_connections() {
    let mut world = faulty(Faults {
        refuse_connect: Some(ReasonCode(0x89)),
        refuse_connect_times: Some(2),
        ..Faults::default()
    });
    assert_eq!(world.try_connect(&hello(V5, "c")).1, ["CONNACK 0x89"]);
    assert_eq!(world.try_connect(&hello(V3_1_1, "c")).1, ["CONNACK 0x88"]);
    world.connect(V5, "c");
}

#[test]
fn refused_filters_and_messages() {
    let mut world = faulty(Faults {
        refuse_subscribe: refusal("a/#", 0x87),
        refuse_publish: refusal("a/+", 0x87),
        ..Faults::default()
    });
    let client = world.connect(V5, "c");
    assert_eq!(world.subscribe(client, &[filter("a/#", 0), filter("#", 0)]), ["SUBACK #77 87 00"]);
    world.publish(client, &message("a/b", 1, 1, ""));
    world.publish(client, &message("a/b", 2, 2, ""));
    world.publish(client, &message("a/b", 0, 0, ""));
    assert_eq!(world.take(client), ["PUBACK #1 0x87", "PUBREC #2 0x87"]);
    // The exchange of a refused QoS 2 message has ended: the identifier is free.
    world.ack(client, PacketType::PubRel, 2, 0);
    assert_eq!(world.take(client), ["PUBCOMP #2"]);
    let old = world.connect(V3_1_1, "old");
    world.publish(old, &message("a/b", 1, 1, ""));
    assert_eq!(world.take(old), ["PUBACK #1"]);
}

#[test]
fn cut_connections() {
    for (answer_last, answers) in
        [(true, &["PUBACK #1 0x10", "PUBACK #2 0x10"][..]), (false, &["PUBACK #1 0x10"])]
    {
        let mut world = faulty(Faults {
            cut: Some(Cut { after_packets: 3, answer_last, connections: 1 }),
            ..Faults::default()
        });
        let client = world.connect(V5, "c");
        for identifier in 1..4 {
            world.publish(client, &message("t", 1, identifier, ""));
        }
        assert_eq!(world.take(client), answers);
        assert_eq!(world.state(client), Directive::Closing);
        // The last packet was handled, the next one was not.
        assert_eq!(world.core.statistics().messages_received, 2);
        let client = world.connect(V5, "c");
        for identifier in 1..9 {
            world.publish(client, &message("t", 1, identifier, ""));
        }
        assert_eq!(world.take(client).len(), 8);
    }
}

#[test]
fn withheld_packets() {
    let mut world = World::new();
    let client = world.connect(V5, "c");
    world.core.set_faults(Faults {
        withhold: vec![
            PacketType::PubAck.into(),
            PacketType::SubAck.into(),
            PacketType::PingResp.into(),
            PacketType::ConnAck.into(),
        ],
        ..Faults::default()
    });
    world.publish(client, &message("t", 1, 1, ""));
    world.publish(client, &message("t", 2, 2, ""));
    world.send(client, &[0xC0, 0]);
    assert_eq!(world.take(client), ["PUBREC #2"]);
    assert!(world.subscribe(client, &[filter("t", 0)]).is_empty());
    assert!(world.try_connect(&hello(V5, "d")).1.is_empty());
    world.core.set_faults(Faults::default());
    world.publish(client, &message("t", 1, 3, ""));
    assert_eq!(world.take(client), ["PUBLISH t q0 \"\"", "PUBACK #3"]);
}

/// With withheld PUBACKs, a client that respects Receive Maximum stops, and another is disconnected.
#[test]
fn withheld_acknowledgements_count_against_receive_maximum() {
    let mut options = Options::default();
    options.limits.receive_maximum = 3;
    options.faults.withhold = vec![PacketType::PubAck.into()];
    let mut world = World::with(options);
    let client = world.connect(V5, "c");
    for identifier in 1..4 {
        world.publish(client, &message("t", 1, identifier, ""));
    }
    assert_eq!(world.state(client), Directive::Open);
    world.publish(client, &message("t", 1, 4, ""));
    assert_eq!(world.take(client), ["DISCONNECT 0x93"]);
}

#[test]
fn forgotten_sessions() {
    let mut world = faulty(Faults { forget_sessions: true, ..Faults::default() });
    let (client, _) = world.connect_kept(V3_1_1, "c");
    world.lose(client);
    assert_eq!(world.connect_kept(V3_1_1, "c").1, ["CONNACK 0x00"]);
}

/// Faults with a probability depend on the seed: runs with the same seed have the same faults.
#[test]
fn faults_with_a_probability_follow_the_seed() {
    let run = |seed| {
        let withhold = vec![Withheld { packet: PacketType::PubAck, share: Share(250_000) }];
        let faults = Faults { withhold, ..Faults::default() };
        let mut world = World::with(Options { faults, seed, ..Options::default() });
        let client = world.connect(V5, "c");
        for identifier in 1..=400 {
            world.publish(client, &message("t", 1, identifier, ""));
        }
        world.take(client)
    };
    let answers = run(7);
    assert!((250..350).contains(&answers.len()), "{}", answers.len());
    assert_eq!(answers, run(7));
    assert_ne!(answers, run(8));
}

#[test]
fn duplicated_messages_have_dup_and_their_identifier() {
    let mut world = faulty(Faults { duplicate: Some(Share::ALL), ..Faults::default() });
    let (sender, receiver) = (world.connect(V5, "s"), world.connect(V5, "r"));
    world.subscribe(receiver, &[filter("t", 2)]);
    for qos in 0..3 {
        world.publish(sender, &message("t", qos, 5, "x"));
    }
    let expected = [
        "PUBLISH t q0 \"x\"",
        "PUBLISH t q0 \"x\"",
        "PUBLISH t q1 #1 \"x\"",
        "PUBLISH t q1 #1 dup \"x\"",
        "PUBLISH t q2 #2 \"x\"",
        "PUBLISH t q2 #2 dup \"x\"",
    ];
    assert_eq!(world.take(receiver), expected);
    world.ack(receiver, PacketType::PubAck, 1, 0);
    world.ack(receiver, PacketType::PubAck, 1, 0);
    assert!(world.take(receiver).is_empty());
}

/// Pairs of messages are swapped; the last one is sent alone, and none is lost with its connection.
#[test]
fn reordered_messages_all_arrive() {
    let mut world = faulty(Faults { reorder: Some(Share::ALL), ..Faults::default() });
    let sender = world.connect(V5, "s");
    let (receiver, _) = world.connect_kept(V5, "r");
    world.subscribe(receiver, &[filter("t", 1)]);
    for text in ["1", "2", "3", "4", "5"] {
        world.publish(sender, &message("t", 1, 5, text));
    }
    let payloads = |packets: Vec<String>| -> Vec<String> {
        packets.iter().filter_map(|packet| Some(packet.split('"').nth(1)?.to_owned())).collect()
    };
    assert_eq!(payloads(world.take(receiver)), ["2", "1", "4", "3"]);
    world.wait(Duration::from_millis(100));
    assert_eq!(payloads(world.take(receiver)), ["5"]);
    world.publish(sender, &message("t", 1, 5, "6"));
    world.lose(receiver);
    let (again, mut packets) = world.connect_kept(V5, "r");
    packets.extend(world.take(again));
    assert_eq!(payloads(packets), ["2", "1", "4", "3", "5", "6"]);
    assert_eq!(world.core.statistics().queued, 0);
}
