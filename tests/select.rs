//! `mqtt sub` with `--grep`, `--on-change`, `--sample` and `--max-rate`.

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::wire::PacketType::PubAck;
use rstest::rstest;

use crate::support::mqtt::Mqtt;
use crate::support::outcome::Outcome;
use crate::support::packets::{self, Message};
use crate::support::server::Server;
use crate::support::{Kind, version};

/// A run that receives these messages at QoS 1, in one piece, and must acknowledge each.
fn run(protocol: Protocol, options: &[&str], messages: &[(&str, &[u8])]) -> Outcome {
    let (identifiers, bytes): (Vec<u16>, Vec<Vec<u8>>) = (1..)
        .zip(messages)
        .map(|(identifier, (topic, payload))| {
            (identifier, Message::new(topic, payload).at(QoS::AtLeastOnce, identifier).bytes(protocol))
        })
        .unzip();
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.send(&bytes.concat());
        for identifier in identifiers {
            peer.expect(protocol, &packets::ack(PubAck, identifier));
        }
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "#", "-q", "1", "-v"];
    Mqtt::subscribe(server.port()).args(args).args(options.iter().copied()).run()
}

/// Filtered-out messages are acknowledged, and `-C` does not count them.
#[rstest]
fn what_is_left_out_is_acknowledged(#[values(V3_1_1, V5)] protocol: Protocol) {
    let messages: &[(&str, &[u8])] = &[
        ("door", b"open"),
        ("door", b"open"),
        ("gate", b"open"),
        ("door", b"\xff open"),
        ("door", b"shut"),
        ("gate", b"shut"),
        ("gate", b"open"),
        ("door", b"open"),
        ("end", b"open, shut"),
    ];
    let prints = |options: &[&str], lines: &[&[u8]]| {
        let expected = [lines.join(&b'\n'), b"\n".to_vec()].concat();
        let outcome = run(protocol, options, messages).exits(0);
        assert_eq!(outcome.stdout.escape_ascii().to_string(), expected.escape_ascii().to_string());
    };
    prints(&["--grep", "shut", "-C", "3"], &[b"door shut", b"gate shut", b"end open, shut"]);
    prints(&["--grep", r"(?-u)^\xff|,", "-C", "2"], &[b"door \xff open", b"end open, shut"]);
    // All patterns must match, in any order.
    prints(&["--grep", "^open", "--grep", "shut", "-C", "1"], &[b"end open, shut"]);
    prints(&["--grep", "shut", "--grep", "^open", "-C", "1"], &[b"end open, shut"]);
    let changes: &[&[u8]] = &[
        b"door open",
        b"gate open",
        b"door \xff open",
        b"door shut",
        b"gate shut",
        b"gate open",
        b"door open",
        b"end open, shut",
    ];
    prints(&["--on-change", "-C", "8"], changes);
    prints(&["--sample", "100%", "--on-change", "-C", "8"], changes);
    // The burst ends long before the next message of a topic is due.
    prints(&["--max-rate", "1/h", "-C", "3"], &[b"door open", b"gate open", b"end open, shut"]);
    prints(&["--on-change", "--grep", "^open", "-T", "gate", "-C", "2"], &[b"door open", b"end open, shut"]);
    prints(
        &["--grep", "shut", "--max-rate", "1/h", "--on-change", "--sample", "100", "-C", "3"],
        &[b"door shut", b"gate shut", b"end open, shut"],
    );
}

/// Retained messages are selected as well, in every output form.
#[rstest]
fn retained_messages_are_selected(#[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind) {
    let Some(broker) = kind.start() else { return };
    for (topic, payload) in [("s/1", "on"), ("s/2", "off"), ("s/3", "on")] {
        let broker = broker.as_ref();
        broker.publish().args(["-r", "-q", "1", "-t", topic, "-m", payload]).run().succeeds();
    }
    let sub = |options: &[&str]| {
        let args = ["-t", "s/#", "--retained-only", "--grep", "^on$"];
        let outcome = broker.as_ref().subscribe().args(args).args(options.iter().copied()).run();
        let mut lines = outcome.exits(0).lines();
        lines.sort();
        lines
    };
    assert_eq!(sub(&["-v"]), ["s/1 on", "s/3 on"]);
    assert_eq!(sub(&["-F", "%t", "--on-change"]), ["s/1", "s/3"]);
}
