//! Will Messages ([MQTT-3.1.2.5], [MQTT-3.1.3.2]).

use super::*;

/// A world with a client that reads all messages.
fn witnessed() -> (World, Client) {
    let mut world = World::new();
    let witness = world.connect(V5, "witness");
    world.subscribe(witness, &[filter("#", 2)]);
    (world, witness)
}

const GONE: &str = "PUBLISH w q0 \"gone\"";

#[test]
fn a_lost_connection_publishes_the_will() {
    for protocol in [V3_1, V3_1_1, V5] {
        let (mut world, witness) = witnessed();
        let client = world.join(&Connect { will: Some(will("w", "gone")), ..hello(protocol, "c") });
        world.lose(client);
        assert_eq!(world.take(witness), [GONE]);
    }
}

#[test]
fn disconnect_does_not_publish_the_will() {
    for protocol in [V3_1, V3_1_1, V5] {
        let (mut world, witness) = witnessed();
        let client = world.join(&Connect { will: Some(will("w", "gone")), ..hello(protocol, "c") });
        world.disconnect(client, 0, &PropertyBlock::default());
        world.lose(client);
        assert!(world.take(witness).is_empty());
    }
}

/// [MQTT-3.14.2.1]: Reason Code 0x04 requests the will.
#[test]
fn disconnect_with_will_message() {
    for reason in [0x04, 0x80] {
        let (mut world, witness) = witnessed();
        let client = world.join(&Connect { will: Some(will("w", "gone")), ..hello(V5, "c") });
        world.disconnect(client, reason, &PropertyBlock::default());
        assert_eq!(world.take(witness), [GONE]);
    }
}

#[test]
fn protocol_error_and_silence_publish_the_will() {
    let (mut world, witness) = witnessed();
    let client = world.join(&Connect { will: Some(will("w", "gone")), ..hello(V5, "c") });
    world.send(client, &[0x00, 0x00]);
    assert_eq!(world.take(witness), [GONE]);
    let connect = Connect { will: Some(will("w", "gone")), keep_alive: 10, ..hello(V3_1_1, "c") };
    world.join(&connect);
    world.wait(Duration::from_millis(14_999));
    assert!(world.take(witness).is_empty());
    world.wait(Duration::from_millis(1));
    assert_eq!(world.take(witness), [GONE]);
}

#[test]
fn qos_retain_and_properties_of_a_will() {
    let (mut world, witness) = witnessed();
    let mut block = PropertyBlock::default();
    block.push(PropertyId::MessageExpiryInterval, Value::Number(60));
    block.push(PropertyId::WillDelayInterval, Value::Number(0));
    block.push(PropertyId::ContentType, Value::Text("text/plain"));
    let will = Will { qos: QoS::AtLeastOnce, retain: true, properties: block.view(), ..will("w", "gone") };
    let client = world.join(&Connect { will: Some(will), ..hello(V5, "c") });
    world.wait_seconds(30);
    world.lose(client);
    // The expiry starts at the publication, and the delay is not sent.
    let sent = "PUBLISH w q1 #1 \"gone\" content-type=text/plain message-expiry-interval=60";
    assert_eq!(world.take(witness), [sent]);
    let late = world.connect(V3_1_1, "late");
    assert_eq!(world.subscribe(late, &[filter("w", 0)])[1..], ["PUBLISH w q0 retain \"gone\""]);
}

/// A delayed will is published after its delay or at the end of the session, whichever is first
/// ([MQTT-3.1.3.2.2]).
#[test]
fn will_delay() {
    for (delay, expiry, comes_after) in [(10, 60, 10), (60, 10, 10), (10, 0, 0), (10, u32::MAX, 10)] {
        let (mut world, witness) = witnessed();
        let delay = numbers(&[(PropertyId::WillDelayInterval, delay)]);
        let expiry = numbers(&[(PropertyId::SessionExpiryInterval, expiry)]);
        let will = Some(Will { properties: delay.view(), ..will("w", "gone") });
        let client = world.join(&Connect { will, properties: expiry.view(), ..hello(V5, "c") });
        world.lose(client);
        if comes_after > 0 {
            world.wait(Duration::from_millis(comes_after * 1000 - 1));
            assert!(world.take(witness).is_empty());
            world.wait(Duration::from_millis(1));
        }
        assert_eq!(world.take(witness), [GONE]);
        world.wait_seconds(1000);
        assert!(world.take(witness).is_empty());
    }
}

/// [MQTT-3.1.3-9]
#[test]
fn client_that_reconnects_in_time_cancels_the_will() {
    let (mut world, witness) = witnessed();
    let delay = numbers(&[(PropertyId::WillDelayInterval, 10)]);
    let expiry = numbers(&[(PropertyId::SessionExpiryInterval, 100)]);
    let will = Some(Will { properties: delay.view(), ..will("w", "gone") });
    let connect = Connect { will, clean_start: false, properties: expiry.view(), ..hello(V5, "c") };
    let client = world.join(&connect);
    world.lose(client);
    world.wait_seconds(9);
    let client = world.join(&connect);
    world.wait_seconds(50);
    assert!(world.take(witness).is_empty());
    // A takeover does not publish a delayed will either, if the session continues.
    let second = world.join(&connect);
    world.wait_seconds(50);
    assert!(world.take(witness).is_empty());
    world.lose(client);
    // But Clean Start ends the session, and its will is published.
    world.join(&Connect { clean_start: true, will: None, ..connect });
    assert_eq!(world.take(witness), [GONE]);
    world.lose(second);
    world.wait_seconds(50);
    assert!(world.take(witness).is_empty());
}

/// Without a delay, a takeover publishes the will ([MQTT-3.1.4-3]).
#[test]
fn session_taken_over_publishes_the_will() {
    for protocol in [V3_1_1, V5] {
        let (mut world, witness) = witnessed();
        world.join(&Connect { will: Some(will("w", "gone")), clean_start: false, ..hello(protocol, "c") });
        world.connect_kept(protocol, "c");
        assert_eq!(world.take(witness), [GONE]);
    }
}
