//! Messages from `mqtt pub` to `mqtt sub` through a broker: the same for the embedded broker and mosquitto,
//! in both versions of the protocol.

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use rstest::rstest;

use crate::support::{Kind, version};

/// Messages of every QoS arrive, at the lower QoS of publisher and subscriber.
#[rstest]
fn every_qos(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    for subscribed in ["0", "1", "2"] {
        let args = ["-V", v, "-t", "q/#", "-q", subscribed, "-C", "3", "--json", "-d"];
        let subscriber = broker.subscribe().args(args).spawn();
        subscriber.wait_until_subscribed();
        for published in ["0", "1", "2"] {
            let topic = format!("q/{published}");
            broker.publish().args(["-V", v, "-t", &topic, "-m", "x", "-q", published]).run().succeeds();
        }
        let lines = subscriber.finish().exits(0).lines();
        let records: Vec<serde_json::Value> =
            lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        for (published, record) in ["0", "1", "2"].iter().zip(&records) {
            assert_eq!(record["topic"], format!("q/{published}"));
            assert_eq!(record["qos"].to_string(), *published.min(&subscribed), "{record}");
            assert_eq!(record.get("mid").is_some(), record["qos"] != 0, "{record}");
        }
    }
}

/// Payloads that are not text, and one as long as a photo.
fn payloads() -> Vec<Vec<u8>> {
    let every_byte: Vec<u8> = (0..=255).collect();
    let mebibyte: Vec<u8> = (0..1_u32 << 18).flat_map(u32::to_le_bytes).collect();
    vec![every_byte, b"\0\0\0".to_vec(), b"\xc3\x28".to_vec(), "grüße 😀\r\n".into(), mebibyte]
}

/// Payload bytes are not changed.
#[rstest]
fn payloads_are_bytes(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    for payload in payloads() {
        let subscriber =
            broker.subscribe().args(["-V", v, "-t", "bytes", "-C", "1", "-N", "-q", "2", "-d"]).spawn();
        subscriber.wait_until_subscribed();
        broker
            .publish()
            .args(["-V", v, "-t", "bytes", "-s", "-q", "2"])
            .stdin(payload.clone())
            .run()
            .succeeds();
        assert!(subscriber.finish().exits(0).stdout == payload, "a payload of {} bytes", payload.len());
    }
}

#[rstest]
fn text_output(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    let messages = [("one", "first"), ("two/deep", ""), ("one", "x y"), ("end", "e")];
    for (options, shown) in [
        (&[][..], "first\nx y\ne\n"),
        (&["-v"], "t/one first\nt/two/deep (null)\nt/one x y\nt/end e\n"),
        (&["-N"], "firstx ye"),
        (&["-v", "-N"], "t/one firstt/one x yt/end e"),
    ] {
        let subscriber =
            broker.subscribe().args(["-V", v, "-t", "t/#", "-C", "4", "-d"]).args(options).spawn();
        subscriber.wait_until_subscribed();
        for (topic, payload) in messages {
            broker.publish().args(["-V", v, "-t", &format!("t/{topic}"), "-m", payload]).run().succeeds();
        }
        subscriber.finish().exits(0).prints(shown);
    }
}

#[rstest]
fn retained_messages(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    for (topic, qos) in [("r/a", "0"), ("r/b", "1"), ("r/c", "2")] {
        broker.publish().args(["-V", v, "-t", topic, "-m", topic, "-q", qos, "-r"]).run().succeeds();
    }
    let all = |args: &[&str]| broker.subscribe().args(["-V", v, "-t", "r/#", "-v"]).args(args).run();
    let mut lines = all(&["-C", "3"]).succeeds().lines();
    lines.sort();
    assert_eq!(lines, ["r/a r/a", "r/b r/b", "r/c r/c"]);
    // The end is known without a wait, at each QoS.
    for qos in ["0", "1", "2"] {
        let mut lines = all(&["--retained-only", "-q", qos]).succeeds().lines();
        lines.sort();
        assert_eq!(lines, ["r/a r/a", "r/b r/b", "r/c r/c"]);
    }
    // A retained message is removed by an empty payload.
    broker.publish().args(["-V", v, "-t", "r/b", "-n", "-r"]).run().succeeds();
    assert_eq!(all(&["--retained-only"]).succeeds().lines().len(), 2);
    broker.subscribe().args(["-V", v, "-t", "nothing/here", "--retained-only"]).run().succeeds().prints("");
}

/// Only live messages with `-R`, only unmatched ones with `-T`.
#[rstest]
fn messages_left_out(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    broker.publish().args(["-V", v, "-t", "h/old", "-m", "old", "-r", "-q", "1"]).run().succeeds();
    let args = ["-V", v, "-t", "h/#", "-R", "-T", "h/+/secret", "-T", "h/x/#", "-v", "-C", "2", "-d"];
    let subscriber = broker.subscribe().args(args).spawn();
    subscriber.wait_until_subscribed();
    for topic in ["h/a", "h/a/secret", "h/x", "h/x/y", "h/b"] {
        broker.publish().args(["-V", v, "-t", topic, "-m", "m", "-q", "1"]).run().succeeds();
    }
    subscriber.finish().exits(0).prints("h/a m\nh/b m\n");
}

/// A kept session queues messages while its client is disconnected, and delivers them when it reconnects.
#[rstest]
fn offline_messages(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    let session = ["-V", v, "-t", "off", "-q", "2", "-c", "-i", "reader"];
    broker.subscribe().args(session).args(["-E"]).run().succeeds().prints("");
    for (payload, qos) in [("1", "1"), ("2", "2")] {
        broker.publish().args(["-V", v, "-t", "off", "-m", payload, "-q", qos]).run().succeeds();
    }
    broker.subscribe().args(session).args(["-C", "1"]).run().succeeds().prints("1\n");
    broker.subscribe().args(session).args(["-C", "1"]).run().succeeds().prints("2\n");
    // The subscription can be removed; then no messages are queued.
    let leave = ["-V", v, "-U", "off", "-c", "-i", "reader"];
    broker.subscribe().args(leave).run().succeeds().prints("");
    broker.publish().args(["-V", v, "-t", "off", "-m", "3", "-q", "1"]).run().succeeds();
    let rest = ["-V", v, "-t", "other", "-q", "1", "-c", "-i", "reader", "-W", "1"];
    broker.subscribe().args(rest).run().exits(27).prints("");
}

/// The will of a killed client is published; that of a client that disconnects is not.
#[rstest]
fn wills(#[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind, #[values(V3_1_1, V5)] protocol: Protocol) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    let watcher = broker.subscribe().args(["-V", v, "-t", "w/#", "-v", "-C", "2", "-q", "1", "-d"]).spawn();
    watcher.wait_until_subscribed();
    let will = ["--will-topic", "w/gone", "--will-payload", "farewell", "--will-qos", "1"];
    broker.publish().args(["-V", v, "-t", "x", "-m", "m"]).args(will).run().succeeds();
    let dying = broker.subscribe().args(["-V", v, "-t", "y", "-d"]).args(will).spawn();
    dying.wait_until_subscribed().signal(rustix::process::Signal::KILL);
    watcher.wait_for_lines(1);
    dying.finish().dies_of(rustix::process::Signal::KILL);
    broker.publish().args(["-V", v, "-t", "w/end", "-m", "end"]).run().succeeds();
    watcher.finish().exits(0).prints("w/gone farewell\nw/end end\n");
}

/// A shared subscription gives each message to one of its members.
#[rstest]
fn shared_subscriptions(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    let args = ["-V", v, "-t", "$share/team/s/+", "-t", "end", "-q", "1", "-v", "-d"];
    let members = [(); 2].map(|()| broker.subscribe().args(args).spawn());
    for member in &members {
        member.wait_until_subscribed();
    }
    let input: String = (0..50).map(|number| format!("{number}\n")).collect();
    broker.publish().args(["-V", v, "-t", "s/x", "-l", "-q", "1"]).stdin(input).run().succeeds();
    broker.publish().args(["-V", v, "-t", "end", "-m", "end", "-q", "1"]).run().succeeds();
    let mut numbers: Vec<u32> = Vec::new();
    for member in members {
        // After all other messages for this member.
        member.wait_for_stdout("end end\n").signal(rustix::process::Signal::TERM);
        let lines = member.wait_for_end().exits(0).lines();
        let mine =
            lines.iter().filter_map(|line| line.strip_prefix("s/x ")).map(|n| n.parse::<u32>().unwrap());
        let before = numbers.len();
        numbers.extend(mine);
        assert!(numbers.len() > before, "a member without a share");
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
}

/// `-E` ends after subscribing; `-W` ends after its time, with a distinct status.
#[rstest]
fn when_to_leave(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    broker.subscribe().args(["-V", v, "-t", "a", "-E"]).run().succeeds().prints("");
    let run = broker.subscribe().args(["-V", v, "-t", "a", "-W", "50ms"]).run();
    run.fails(27, "timed out after 50ms");
    broker.publish().args(["-V", v, "-t", "a", "-m", "kept", "-r", "-q", "1"]).run().succeeds();
    let run = broker.subscribe().args(["-V", v, "-t", "a", "-W", "1"]).run();
    run.exits(27).prints("kept\n").mentions("timed out after 1s");
}

/// mosquitto's letters, short and long, have the same meaning as there.
#[rstest]
fn long_forms(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let long = match protocol {
        Protocol::V5 => "mqttv5",
        _ => "mqttv311",
    };
    let args = ["--protocol-version", long, "--topic", "long/+", "--qos", "1", "--verbose", "-C", "2"];
    let more = ["--filter-out", "long/no", "--id", "them", "--keepalive", "60", "--debug"];
    let subscriber = broker.subscribe().args(args).args(more).spawn();
    subscriber.wait_until_subscribed();
    let publish = |args: &[&str]| {
        broker.publish().args(["--protocol-version", long, "--qos", "1"]).args(args).run().succeeds();
    };
    publish(&["--topic", "long/no", "--message", "no"]);
    publish(&["--topic", "long/yes", "--message", "yes", "--retain", "--username", "u", "--pw", "p"]);
    publish(&["--topic", "long/null", "--null-message", "--id-prefix", "p-"]);
    subscriber.finish().exits(0).prints("long/yes yes\nlong/null (null)\n");
}
