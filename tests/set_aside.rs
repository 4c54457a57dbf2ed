//! `mqtt pub --spool` with messages that no broker accepts: they are moved from the spool to a file next to
//! it, and the following ones are sent.

use std::path::{Path, PathBuf};

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyBlock, PropertyId, Value};
use mqtt::protocol::wire::PacketType::{PubAck, PubComp, PubRel};
use mqtt::storage::spool::{Envelope, Spool};
use rstest::rstest;
use tempfile::TempDir;

use crate::support::mqtt::Mqtt;
use crate::support::packets;
use crate::support::server::{Peer, Server};

/// The size of a spool without messages.
const EMPTY_BYTES: u64 = 24;

fn envelope(topic: &str) -> Envelope {
    Envelope {
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: topic.to_owned(),
        properties: PropertyBlock::default(),
    }
}

/// A spool of an older version, which checked less.
fn spool_of(messages: &[(Envelope, &str)]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let (spool, _) = Spool::open(&path, "").unwrap();
    for (envelope, payload) in messages {
        let mut intake = spool.intake(envelope, 1 << 20);
        intake.add(payload.as_bytes());
        intake.take_in().unwrap();
    }
    spool.close().unwrap();
    (folder, path)
}

fn publish(port: u16, spool: &Path, args: &[&str]) -> Mqtt {
    Mqtt::publish(port).args(["-V", "5", "--spool"]).args([spool]).args(args)
}

fn take(peer: &mut Peer, payload: &[u8]) {
    let (identifier, _) = peer.expect_publish(V5, QoS::AtLeastOnce, payload);
    peer.send(&packets::ack(PubAck, identifier));
}

fn set_aside(spool: &Path) -> String {
    std::fs::read_to_string(spool.with_extension("aside")).unwrap()
}

/// A broker would close the connection at them in each run.
#[test]
fn messages_with_text_that_is_not_valid_are_set_aside() {
    let with = |id, value| {
        let mut properties = PropertyBlock::default();
        properties.push(id, value);
        Envelope { properties, retain: true, ..envelope("p") }
    };
    let (_folder, spool) = spool_of(&[
        (envelope("a"), "1"),
        (envelope("pp/\u{1b}"), "bad"),
        (envelope("x/#"), "bad"),
        (envelope(""), "bad"),
        (with(PropertyId::ContentType, Value::Text("\u{ffff}")), "\u{e9}"),
        (with(PropertyId::ResponseTopic, Value::Text("r/+")), ""),
        (with(PropertyId::UserProperty, Value::Pair("k", "a\nb")), "bad"),
        (envelope("a"), "2"),
    ]);
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        take(&mut peer, b"1");
        take(&mut peer, b"2");
        peer.expect_disconnect(V5);
    });
    publish(server.port(), &spool, &[])
        .run()
        .exits(1)
        .mentions("mqtt: message 59, to 'pp/\\x1b', moved to ")
        .mentions("spool.aside: topic: it contains a control character\n")
        .mentions("spool.aside: topic: it contains a wildcard")
        .mentions("message 138, to '', moved to ")
        .mentions("spool.aside: content-type: it contains a noncharacter")
        .mentions("spool.aside: response-topic: it contains a wildcard")
        .mentions("spool.aside: user-property: it contains a control character\n");
    assert_eq!(std::fs::metadata(&spool).unwrap().len(), EMPTY_BYTES);
    let expected = [
        r#"{"topic":"pp/\u001b","qos":1,"retain":false,"payloadlen":3,"mid":0,"payload":"bad"}"#,
        r#"{"topic":"x/#","qos":1,"retain":false,"payloadlen":3,"mid":0,"payload":"bad"}"#,
        r#"{"topic":"","qos":1,"retain":false,"payloadlen":3,"mid":0,"payload":"bad"}"#,
        "{\"topic\":\"p\",\"qos\":1,\"retain\":true,\"payloadlen\":2,\"mid\":0,\"properties\":{\"content-type\":\"\u{ffff}\"},\"payload\":\"\u{e9}\"}",
        r#"{"topic":"p","qos":1,"retain":true,"payloadlen":0,"mid":0,"properties":{"response-topic":"r/+"},"payload":""}"#,
        r#"{"topic":"p","qos":1,"retain":true,"payloadlen":3,"mid":0,"properties":{"user-properties":[{"k":"a\nb"}]},"payload":"bad"}"#,
    ];
    assert_eq!(set_aside(&spool).lines().collect::<Vec<_>>(), expected);
    server.finish();
}

/// Also one that an earlier run has sent at QoS 2: a message that the broker has is only released.
#[test]
fn sent_messages_with_text_that_is_not_valid_are_set_aside() {
    let bad = Envelope { qos: QoS::ExactlyOnce, ..envelope("a\u{1}") };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let (mut spool, _) = Spool::open(&path, "me").unwrap();
    let mut intake = spool.intake(&bad, 1 << 20);
    intake.add(b"received");
    intake.add(b"sent");
    intake.take_in().unwrap();
    for identifier in 1..=2 {
        let place = spool.next_message().unwrap().unwrap().place;
        spool.sent(place, identifier);
        if identifier == 1 {
            spool.received(place);
        }
    }
    spool.write().unwrap();
    drop((spool, intake));
    let server = Server::start(|server| {
        let mut peer = server.accept_kept_session(V5);
        peer.expect(V5, &packets::ack(PubRel, 1));
        peer.send(&packets::ack(PubComp, 1));
        peer.expect_disconnect(V5);
    });
    publish(server.port(), &path, &["-c", "-i", "me"]).run().exits(1).mentions("a\\x01', moved to ");
    assert_eq!(set_aside(&path).lines().count(), 1);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), EMPTY_BYTES);
    server.finish();
}

/// The run names the message, and the user moves it away.
#[rstest]
fn message_that_a_broker_refuses_is_set_aside_by_its_number(
    #[values(Some(0x81), Some(0x82), Some(0x99), None)] reason: Option<u8>,
) {
    let (_folder, spool) = spool_of(&[(envelope("a"), "bad"), (envelope("b"), "good")]);
    let end = move |peer: &mut Peer| {
        if let Some(reason) = reason {
            peer.send(&packets::disconnect(V5, reason));
        }
    };
    let server = Server::start(move |server| {
        // One of two.
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::AtLeastOnce, b"bad");
        peer.expect_publish(V5, QoS::AtLeastOnce, b"good");
        end(&mut peer);
        peer.close();
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::AtLeastOnce, b"bad");
        end(&mut peer);
        peer.close();
        let mut peer = server.accept_session(V5);
        take(&mut peer, b"good");
        peer.expect_disconnect(V5);
    });
    let status = reason.map_or(1, i32::from);
    publish(server.port(), &spool, &[])
        .run()
        .exits(status)
        .mentions(
            "warning: 2 messages of the spool, from number 24 (to 'a') to 61 (to 'b'), were in flight when ",
        )
        .mentions("if that happens again, -M 1 finds the one at which it does\n");
    publish(server.port(), &spool, &["-M", "1"])
        .run()
        .exits(status)
        .mentions("warning: message 24, to 'a', was in flight when the broker ended the connection; ")
        .mentions("if that happens again, --set-aside 24 moves it to ")
        .mentions("warning: 2 messages are kept");
    // No message is moved if one of the numbers is wrong.
    publish(server.port(), &spool, &["--set-aside", "24", "--set-aside", "25"])
        .run()
        .exits(2)
        .mentions("spool has no message 25\n");
    assert!(!spool.with_extension("aside").exists());
    publish(server.port(), &spool, &["--set-aside", "24", "--set-aside", "24"])
        .run()
        .exits(0)
        .mentions("mqtt: message 24, to 'a', moved to ")
        .mentions("sending 1 message of an earlier run first");
    server.finish();
    assert_eq!(std::fs::metadata(&spool).unwrap().len(), EMPTY_BYTES);
    let record = r#"{"topic":"a","qos":1,"retain":false,"payloadlen":3,"mid":0,"payload":"bad"}"#;
    assert_eq!(set_aside(&spool), format!("{record}\n"));
    // The record equals the message that was to be sent.
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        take(&mut peer, b"bad");
        peer.expect_disconnect(V5);
    });
    let again = Mqtt::publish(server.port()).args(["-V", "5", "--json", "--keep-retain"]);
    again.stdin(set_aside(&spool)).run().exits(0);
    server.finish();
}

/// A run with reconnects names the message when it gives up.
#[test]
fn message_at_which_three_links_end_is_named() {
    let (_folder, spool) = spool_of(&[(envelope("a"), "bad")]);
    let server = Server::start(|server| {
        for _ in 0..3 {
            let mut peer = server.accept_session(V5);
            peer.expect_publish(V5, QoS::AtLeastOnce, b"bad");
            peer.close();
        }
    });
    publish(server.port(), &spool, &["-q", "1", "-l", "-t", "b", "--reconnect-max-delay", "0.01"])
        .stdin("")
        .run()
        .exits(1)
        .mentions("3 times in a row at the same packet")
        .mentions("--set-aside 24 moves it to ");
    server.finish();
}
