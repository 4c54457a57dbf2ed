//! MQTT 5 properties on the wire: every one that a client may send, and those that are received.

use std::io::ErrorKind;
use std::net::TcpListener;

use bytes::BytesMut;
use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyBlock, PropertyId as Id, Value};
use mqtt::protocol::reason::ReasonCode;
use mqtt::protocol::wire::PacketType::{PubAck, PubRec};
use mqtt::protocol::wire::{self, Packet};

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message, properties};
use crate::support::server::{Peer, Server};

/// Reads a packet, and compares its properties with these.
#[track_caller]
fn expect_properties(peer: &mut Peer, expected: &PropertyBlock) -> Vec<u8> {
    let bytes = peer.packet();
    let packet = wire::decode(V5, &bytes).unwrap();
    let found: Vec<_> = packet.properties().iter().collect();
    let wanted: Vec<_> = expected.view().iter().collect();
    assert_eq!(found, wanted, "{packet:?}");
    bytes
}

#[test]
fn pub_sends_every_property() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        let connect = expect_properties(
            &mut peer,
            &properties(&[
                (Id::SessionExpiryInterval, Value::Number(60)),
                (Id::MaximumPacketSize, Value::Number(100_000)),
                (Id::ReceiveMaximum, Value::Number(10)),
                (Id::TopicAliasMaximum, Value::Number(20)),
                (Id::RequestResponseInformation, Value::Number(1)),
                (Id::RequestProblemInformation, Value::Number(0)),
                (Id::UserProperty, Value::Pair("c", "1")),
            ]),
        );
        let Ok(Packet::Connect(connect)) = wire::decode(V5, &connect) else { unreachable!() };
        let will: Vec<_> = connect.will.unwrap().properties.iter().collect();
        let expected = properties(&[
            (Id::WillDelayInterval, Value::Number(5)),
            (Id::ContentType, Value::Text("t")),
            (Id::PayloadFormatIndicator, Value::Number(1)),
            (Id::MessageExpiryInterval, Value::Number(90)),
            (Id::ResponseTopic, Value::Text("r")),
            (Id::CorrelationData, Value::Binary(&[1, 2])),
            (Id::UserProperty, Value::Pair("w", "1")),
        ]);
        assert_eq!(will, expected.view().iter().collect::<Vec<_>>());
        peer.send(&packets::connack(V5, false, 0));
        expect_properties(
            &mut peer,
            &properties(&[
                (Id::ContentType, Value::Text("text/plain")),
                (Id::PayloadFormatIndicator, Value::Number(1)),
                (Id::MessageExpiryInterval, Value::Number(3600)),
                (Id::ResponseTopic, Value::Text("answers/1")),
                (Id::CorrelationData, Value::Binary(&[0, 255])),
                (Id::UserProperty, Value::Pair("k", "1")),
                (Id::UserProperty, Value::Pair("k", "2=3")),
            ]),
        );
        peer.send(&packets::ack(PubAck, 1));
        expect_properties(
            &mut peer,
            &properties(&[
                (Id::SessionExpiryInterval, Value::Number(0)),
                (Id::ReasonString, Value::Text("bye")),
                (Id::UserProperty, Value::Pair("d", "1")),
            ]),
        );
        peer.expect_end();
    });
    let line = "-t a -m x -q 1 -i me -x 60 --max-packet-size 100000 --receive-maximum 10 --topic-alias-maximum 20 \
                --request-response-information 1 --request-problem-information 0 --connect-user-property c=1 \
                --will-topic w --will-delay 5s --will-content-type t --will-payload-format-indicator 1 \
                --will-message-expiry 1m30s --will-response-topic r --will-correlation-data base64:AQI= \
                --will-user-property w=1 --content-type text/plain --payload-format-indicator 1 \
                --message-expiry 1h --response-topic answers/1 --correlation-data hex:00ff \
                --user-property k=1 --user-property k=2=3 \
                --disconnect-session-expiry 0 --disconnect-reason bye --disconnect-user-property d=1";
    Mqtt::publish(server.port()).args(line.split_whitespace()).run().succeeds();
}

/// A SUBSCRIBE for each subscription identifier; messages contain it.
#[test]
fn sub_shows_subscription_identifiers() {
    for (format, shown) in [(&["-F", "%S %t %p"][..], "300 b x\n7 a y\n"), (&["--json"], "")] {
        let server = Server::start(|server| {
            let mut peer = server.accept_session(V5);
            for (identifier, filters) in [(Some(300), 2), (Some(7), 1), (None, 1)] {
                let bytes = peer.packet();
                let Ok(Packet::Subscribe { packet_identifier, properties, filters: list }) =
                    wire::decode(V5, &bytes)
                else {
                    panic!("{bytes:?}");
                };
                assert_eq!(properties.number(Id::SubscriptionIdentifier), identifier);
                assert!(properties.iter().any(|one| one.value == Value::Pair("s", "1")));
                assert_eq!(list.iter().count(), filters);
                peer.send(&packets::suback(V5, packet_identifier, &vec![0; filters]));
                if identifier.is_none() {
                    break;
                }
            }
            let both = [
                (Id::SubscriptionIdentifier, Value::Number(300)),
                (Id::SubscriptionIdentifier, Value::Number(7)),
            ];
            peer.send(&Message::new("b", b"x").with(&both).bytes(V5));
            peer.send(&Message::new("a", b"y").with(&both[1..]).bytes(V5));
            peer.expect_disconnect(V5);
        });
        let args = [
            "--subscribe",
            "id=300:b",
            "--subscribe",
            "id=7:a",
            "--subscribe",
            "id=300:c",
            "--subscribe",
            ":d",
        ];
        let args = args.iter().chain(&["--subscribe-user-property", "s=1", "-C", "2"]).chain(format);
        let outcome = Mqtt::subscribe(server.port()).args(args).run().succeeds();
        if shown.is_empty() {
            let lines = outcome.lines();
            let identifiers: Vec<serde_json::Value> = lines
                .iter()
                .map(|line| {
                    let record: serde_json::Value = serde_json::from_str(line).unwrap();
                    record["properties"]["subscription-identifier"].clone()
                })
                .collect();
            assert_eq!(identifiers, [serde_json::json!([300, 7]), serde_json::json!(7)]);
        } else {
            outcome.prints(shown);
        }
    }
}

#[test]
fn unsubscribe_has_its_properties() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        let bytes = expect_properties(&mut peer, &properties(&[(Id::UserProperty, Value::Pair("u", "1"))]));
        let Ok(Packet::Unsubscribe { packet_identifier, .. }) = wire::decode(V5, &bytes) else {
            panic!("{bytes:?}")
        };
        peer.send(&packets::unsuback(V5, packet_identifier, &[0]));
        peer.expect_disconnect(V5);
    });
    Mqtt::subscribe(server.port()).args(["-U", "a", "--unsubscribe-user-property", "u=1"]).run().succeeds();
}

/// Values that the standard does not allow are refused before the connection.
#[test]
fn bad_values_are_found_before_connecting() {
    for (line, text) in [
        ("--message-expiry 4294967296", "--message-expiry '4294967296'"),
        ("--receive-maximum 0", "--receive-maximum '0': it must be 1 to 65535"),
        ("-V 311 --content-type x", "--content-type needs MQTT 5"),
        ("-V 311 --topic-alias 1", "--topic-alias needs MQTT 5"),
        ("-D publish topic-alias 0", "must be 1 to 65535"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let args = ["-t", "a", "-n"].into_iter().chain(line.split_whitespace());
        Mqtt::publish(listener.local_addr().unwrap().port()).args(args).run().fails(2, text);
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

/// The topic of a message, and its alias if it has one.
fn topic_and_alias(bytes: &[u8]) -> (String, Option<u32>) {
    let Ok(Packet::Publish(publish)) = wire::decode(V5, bytes) else { panic!("{bytes:?}") };
    let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
    (topic, publish.properties.number(Id::TopicAlias))
}

fn connack_with_aliases(maximum: u32) -> Vec<u8> {
    packets::connack_with(&[(Id::TopicAliasMaximum, Value::Number(maximum))])
}

/// The topic is sent once per connection, and with every retransmitted message.
#[test]
fn topic_aliases_begin_anew_with_each_connection() {
    for (option, alias) in [("auto", 1), ("5", 5)] {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&connack_with_aliases(10));
            let full = ("a/long/topic".to_owned(), Some(alias));
            let short = (String::new(), Some(alias));
            assert_eq!(topic_and_alias(&peer.packet()), full);
            for _ in 2..=3 {
                assert_eq!(topic_and_alias(&peer.packet()), short);
            }
            peer.send(&packets::ack(PubAck, 1));
            peer.reset();
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&connack_with_aliases(10));
            for _ in 2..=3 {
                let bytes = peer.packet();
                assert_eq!(topic_and_alias(&bytes), ("a/long/topic".to_owned(), None));
                let Ok(Packet::Publish(publish)) = wire::decode(V5, &bytes) else { unreachable!() };
                peer.send(&packets::ack(PubAck, publish.packet_identifier));
            }
            let bytes = peer.packet();
            assert_eq!(topic_and_alias(&bytes), full);
            let Ok(Packet::Publish(publish)) = wire::decode(V5, &bytes) else { unreachable!() };
            peer.send(&packets::ack(PubAck, publish.packet_identifier));
            peer.expect_disconnect(V5);
        });
        let mut publisher = Mqtt::publish(server.port())
            .args(["-t", "a/long/topic", "-l", "-q", "1", "--topic-alias", option])
            .args(["--reconnect-max-delay", "10ms", "--content-type", "text/plain"])
            .open_stdin()
            .spawn();
        publisher.write("1\n2\n3\n").wait_for_stderr("connected again");
        publisher.write("4\n");
        publisher.finish().exits(0);
    }
}

/// `auto` uses no alias if the server allows none; an explicit number fails the message.
#[test]
fn topic_aliases_the_server_does_not_take() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        assert_eq!(topic_and_alias(&peer.packet()), ("a".to_owned(), None));
        peer.send(&packets::ack(PubAck, 1));
        peer.expect_disconnect(V5);
    });
    Mqtt::publish(server.port()).args(["-t", "a", "-n", "-q", "1", "--topic-alias", "auto"]).run().succeeds();
    let server = Server::start(|server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&connack_with_aliases(4));
        peer.expect_disconnect(V5);
    });
    Mqtt::publish(server.port()).args(["-t", "a", "-n", "-D", "publish", "topic-alias", "5"]).run().fails(
        148,
        "publish not sent: Topic Alias invalid (0x94): alias 5 is above the broker's Topic Alias Maximum of 4",
    );
}

/// The server's texts are shown: the Reason String with the refusal, and all properties with `-d`.
#[test]
fn reason_strings_and_user_properties_of_acknowledgements() {
    for (qos, packet) in [("1", PubAck), ("2", PubRec)] {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&packets::connack_with(&[
                (Id::AssignedClientIdentifier, Value::Text("auto-1")),
                (Id::ServerKeepAlive, Value::Number(30)),
                (Id::ResponseInformation, Value::Text("answers/")),
                (Id::UserProperty, Value::Pair("node", "7")),
            ]));
            peer.packet();
            let mut block = vec![packet as u8 * 16, 0, 0, 1, 0x97];
            let said = properties(&[
                (Id::ReasonString, Value::Text("only ten a day")),
                (Id::UserProperty, Value::Pair("used", "10")),
            ]);
            block.push(u8::try_from(said.bytes().len()).unwrap());
            block.extend_from_slice(said.bytes());
            block[1] = u8::try_from(block.len() - 2).unwrap();
            peer.send(&block);
            peer.expect_disconnect(V5);
        });
        let outcome =
            Mqtt::publish(server.port()).args(["-t", "a", "-m", "x", "-q", qos, "-d"]).run().exits(151);
        for line in [
            "Client null sending CONNECT (v5, c1, k60)\n",
            "Client auto-1 received CONNACK (0)\n    assigned-client-identifier: auto-1\n    server-keep-alive: 30\n    \
             response-information: answers/\n    user-property: node=7\n",
            "Client auto-1 sending PUBLISH (",
            ", RC:151)\n    Quota exceeded (0x97)\n    reason-string: only ten a day\n    user-property: used=10\n",
            "mqtt: publish refused: Quota exceeded (0x97): only ten a day\n",
        ] {
            assert!(outcome.stderr.contains(line), "{line}\n---\n{}", outcome.stderr);
        }
    }
}

/// No packet exceeds the server's Maximum Packet Size, not even DISCONNECT ([MQTT-3.14.2-3]).
#[test]
fn a_disconnect_that_is_too_large_goes_without_its_properties() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack_with(&[(Id::MaximumPacketSize, Value::Number(20))]));
        peer.expect_publish(V5, QoS::AtLeastOnce, b"");
        peer.send(&packets::ack(PubAck, 1));
        let mut expected = BytesMut::new();
        let kept = properties(&[(Id::SessionExpiryInterval, Value::Number(9))]);
        wire::disconnect(&mut expected, V5, ReasonCode::SUCCESS, &kept);
        peer.expect(V5, &expected);
        peer.expect_end();
    });
    let line = "-t a -n -q 1 -x 5 --disconnect-session-expiry 9 --disconnect-reason a-rather-long-good-bye";
    Mqtt::publish(server.port()).args(line.split_whitespace()).run().succeeds();
}
