//! CONNECT according to the options, and the client's reaction to the answer.

use bytes::BytesMut;
use mqtt::protocol::Protocol::{self, V3_1, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{Properties, PropertyBlock, PropertyId, Value};
use mqtt::protocol::wire::{self, Connect, PacketType, Will};
use rstest::rstest;

use crate::support::mqtt::Mqtt;
use crate::support::server::Server;
use crate::support::{packets, version};

/// The default CONNECT, changed by `change`.
fn connect_bytes<'a>(protocol: Protocol, change: impl FnOnce(&mut Connect<'a>)) -> Vec<u8> {
    let mut connect = Connect {
        protocol,
        clean_start: true,
        keep_alive: 60,
        properties: Properties::NONE,
        client_identifier: "",
        will: None,
        user_name: None,
        password: None,
    };
    change(&mut connect);
    let mut out = BytesMut::new();
    wire::connect(&mut out, &connect);
    out.to_vec()
}

/// Checks that the options `args` lead to this CONNECT.
#[track_caller]
fn connects_with(protocol: Protocol, args: &[&str], expected: Vec<u8>) {
    connects_as(|mqtt| mqtt.args(["-V", version(protocol)]).args(args), protocol, expected);
}

#[track_caller]
fn connects_as(command: impl FnOnce(Mqtt) -> Mqtt, protocol: Protocol, expected: Vec<u8>) {
    let server = Server::start(move |server| {
        let mut peer = server.accept();
        peer.expect(protocol, &expected);
        peer.send(&packets::connack(protocol, false, 0));
        peer.packet();
        peer.send(&packets::ack(PacketType::PubAck, 1));
        // DISCONNECT may have properties.
        peer.packet();
        peer.expect_end();
    });
    let mqtt = Mqtt::publish(server.port()).args(["-t", "a", "-n", "-q", "1"]);
    command(mqtt).run().succeeds();
}

#[rstest]
fn connect_with_defaults(#[values(V3_1_1, V5)] protocol: Protocol) {
    connects_with(protocol, &[], connect_bytes(protocol, |_| {}));
}

/// MQTT 3.1 does not allow empty client identifiers or more than 23 characters.
#[test]
fn a_client_identifier_for_3_1() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        let bytes = peer.expect_connect(V3_1);
        let Ok(wire::Packet::Connect(connect)) = wire::decode(V3_1, &bytes) else { unreachable!() };
        assert!((6..=23).contains(&connect.client_identifier.len()), "{connect:?}");
        peer.send(&packets::connack(V3_1, false, 0));
        peer.packet();
        peer.send(&packets::ack(PacketType::PubAck, 1));
        peer.expect_disconnect(V3_1);
    });
    Mqtt::publish(server.port()).args(["-V", "31", "-t", "a", "-n", "-q", "1"]).run().succeeds();
}

#[rstest]
fn identity_and_keep_alive(#[values(V3_1_1, V5)] protocol: Protocol) {
    let args = ["-i", "me", "-u", "name", "-P", "pass", "-k", "90"];
    connects_with(
        protocol,
        &args,
        connect_bytes(protocol, |connect| {
            connect.client_identifier = "me";
            connect.user_name = Some("name");
            connect.password = Some(b"pass");
            connect.keep_alive = 90;
        }),
    );
    let args = ["--id", "me", "--username", "", "--pw", "", "--keepalive", "0"];
    connects_with(
        protocol,
        &args,
        connect_bytes(protocol, |connect| {
            connect.client_identifier = "me";
            connect.user_name = Some("");
            connect.password = Some(b"");
            connect.keep_alive = 0;
        }),
    );
}

#[rstest]
fn a_will(#[values(V3_1_1, V5)] protocol: Protocol) {
    let args = ["--will-topic", "w", "--will-payload", "gone", "--will-qos", "2", "--will-retain"];
    connects_with(
        protocol,
        &args,
        connect_bytes(protocol, |connect| {
            let properties = Properties::NONE;
            let qos = QoS::ExactlyOnce;
            connect.will = Some(Will { qos, retain: true, properties, topic: "w", payload: b"gone" });
        }),
    );
    connects_with(
        protocol,
        &["--will-topic", "w"],
        connect_bytes(protocol, |connect| {
            let properties = Properties::NONE;
            let qos = QoS::AtMostOnce;
            connect.will = Some(Will { qos, retain: false, properties, topic: "w", payload: b"" });
        }),
    );
}

#[test]
fn a_will_with_properties() {
    let block = packets::properties(&[
        (PropertyId::WillDelayInterval, Value::Number(5)),
        (PropertyId::ContentType, Value::Text("t")),
    ]);
    let args =
        ["--will-topic", "w", "-D", "will", "will-delay-interval", "5", "-D", "will", "content-type", "t"];
    let expected = connect_bytes(V5, |connect| {
        let will =
            Will { qos: QoS::AtMostOnce, retain: false, properties: block.view(), topic: "w", payload: b"" };
        connect.will = Some(will);
    });
    connects_with(V5, &args, expected);
}

/// `-c` keeps the session: in MQTT 5 without expiry, by a property.
#[test]
fn sessions() {
    connects_with(
        V3_1_1,
        &["-c", "-i", "me"],
        connect_bytes(V3_1_1, |connect| {
            connect.clean_start = false;
            connect.client_identifier = "me";
        }),
    );
    let for_seconds =
        |seconds| packets::properties(&[(PropertyId::SessionExpiryInterval, Value::Number(seconds))]);
    let with = |clean_start, block: PropertyBlock| {
        connect_bytes(V5, |connect| {
            connect.clean_start = clean_start;
            connect.client_identifier = "me";
            connect.properties = block.view();
        })
    };
    connects_with(V5, &["-c", "-i", "me"], with(false, for_seconds(u32::MAX)));
    connects_with(V5, &["-c", "-i", "me", "-x", "1h"], with(false, for_seconds(3600)));
    connects_with(V5, &["-x", "90", "-i", "me"], with(true, for_seconds(90)));
    connects_with(V5, &["-x", "never", "-i", "me"], with(true, for_seconds(u32::MAX)));
}

/// A password may be any bytes, and needs no user name in MQTT 5.
#[test]
fn passwords() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let expected = connect_bytes(V5, |connect| connect.password = Some(b"\xff\x01"));
    connects_as(|mqtt| mqtt.args([OsStr::new("-P"), OsStr::from_bytes(b"\xff\x01")]), V5, expected);
    let expected = connect_bytes(V5, |connect| {
        connect.user_name = Some("u");
        connect.password = Some(b"secret");
    });
    connects_as(|mqtt| mqtt.args(["-u", "u"]).env("MQTT_PASSWORD", "secret"), V5, expected);
}

#[test]
fn a_prefix_and_the_process_identifier() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        let bytes = peer.expect_connect(V5);
        let Ok(wire::Packet::Connect(connect)) = wire::decode(V5, &bytes) else { unreachable!() };
        let number = connect.client_identifier.strip_prefix("probe-").unwrap();
        assert!(number.parse::<u32>().is_ok(), "{connect:?}");
        peer.send(&packets::connack(V5, false, 0x85));
        peer.expect_end();
    });
    Mqtt::publish(server.port())
        .args(["-t", "a", "-n", "-I", "probe-"])
        .run()
        .fails(133, "Client Identifier");
}

/// A URL contains all options; flags set the missing ones.
#[test]
fn a_url() {
    let expected = connect_bytes(V5, |connect| {
        connect.user_name = Some("na me");
        connect.password = Some(b"p@ss");
    });
    let server = Server::start(move |server| {
        let mut peer = server.accept();
        peer.expect(V5, &expected);
        peer.send(&packets::connack(V5, false, 0));
        peer.expect(V5, &packets::Message::new("a/b c", b"x").bytes(V5));
        peer.expect_barrier_and_disconnect(V5);
    });
    let url = format!("mqtt://na%20me:p%40ss@127.0.0.1:{}/a/b%20c", server.port());
    Mqtt::new(["pub", "-L", &url, "-m", "x"]).run().succeeds();
}

/// Each connection option has its variable, and a flag has priority over it.
#[test]
fn the_environment() {
    let expected = connect_bytes(V3_1_1, |connect| {
        connect.client_identifier = "typed";
        connect.keep_alive = 7;
    });
    let server = Server::start(move |server| {
        let mut peer = server.accept();
        peer.expect(V3_1_1, &expected);
        peer.send(&packets::connack(V3_1_1, false, 0));
        peer.packet();
        peer.expect_barrier_and_disconnect(V3_1_1);
    });
    Mqtt::new(["pub", "-t", "a", "-n", "-i", "typed"])
        .env("MQTT_HOST", "127.0.0.1")
        .env("MQTT_PORT", server.port().to_string())
        .env("MQTT_CLIENT_ID", "set")
        .env("MQTT_KEEPALIVE", "7s")
        .env("MQTT_PROTOCOL_VERSION", "mqttv311")
        .run()
        .succeeds();
}

/// The three ways in which servers of 3.x refuse MQTT 5.
#[test]
fn falls_back_to_3_1_1() {
    let answers: [&[u8]; 4] = [&[0x20, 3, 0, 0x84, 0], &[0x20, 2, 0, 0x84], &[0x20, 2, 0, 1], &[]];
    for answer in answers {
        let server = Server::start(move |server| {
            // A close without an answer is no refusal, and MQTT 5 is asked for once more.
            for _ in 0..if answer.is_empty() { 2 } else { 1 } {
                let mut peer = server.accept();
                peer.expect_connect(V5);
                peer.send(answer);
                peer.close();
            }
            let mut peer = server.accept_session(V3_1_1);
            peer.expect(V3_1_1, &packets::Message::new("a", b"x").bytes(V3_1_1));
            peer.expect_barrier_and_disconnect(V3_1_1);
        });
        Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).run().succeeds();
    }
}

/// Explicit requests are kept: a named version, and options that only MQTT 5 has.
#[test]
fn does_not_fall_back_from_what_was_asked_for() {
    for args in
        [&["-V", "5"][..], &["-V", "mqttv5"], &["-x", "5"], &["-D", "connect", "user-property", "a", "b"]]
    {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&[0x20, 2, 0, 1]);
            peer.expect_end();
        });
        let run = Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).args(args).run();
        let refusal =
            "connection refused with return code 1 of MQTT 3.1.1: Unsupported Protocol Version (0x84)";
        run.fails(132, refusal).mentions("hint: ");
    }
}

/// A server that accepts no version is tried once with each.
#[test]
fn falls_back_once() {
    let server = Server::start(move |server| {
        for protocol in [V5, V3_1_1, V3_1] {
            let mut peer = server.accept();
            peer.expect_connect(protocol);
            peer.send(&[0x20, 2, 0, 1]);
            peer.expect_end();
        }
    });
    Mqtt::publish(server.port())
        .args(["-t", "a", "-m", "x"])
        .run()
        .fails(132, "Unsupported Protocol Version");
}

/// The Server Keep Alive replaces the client's.
#[test]
fn the_servers_keep_alive_counts() {
    let server = Server::start(move |server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack_with(&[(PropertyId::ServerKeepAlive, Value::Number(1))]));
        peer.packet();
        // The message is not acknowledged, so there are no other packets to send.
        peer.expect(V5, &packets::pingreq());
        peer.send(&packets::pingresp());
        peer.send(&packets::ack(PacketType::PubAck, 1));
        peer.expect_disconnect(V5);
    });
    Mqtt::publish(server.port()).args(["-t", "a", "-m", "x", "-q", "1"]).run().succeeds();
}

#[rstest]
fn silent_broker_ends_the_connection(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.packet();
        peer.expect(protocol, &packets::pingreq());
        peer.expect_end();
    });
    let args = ["-V", version(protocol), "-t", "a", "-m", "x", "-q", "1", "-k", "1"];
    let text = "mqtt: the broker has been silent for one and a half keep-alive intervals";
    Mqtt::publish(server.port()).args(args).run().fails(1, text);
}

/// An answer in pieces, directly followed by the first packets.
#[test]
fn an_answer_byte_by_byte() {
    let server = Server::start(move |server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        let mut bytes = packets::connack(V5, false, 0);
        bytes.extend(packets::pingresp());
        peer.send_bytewise(&bytes);
        peer.packet();
        peer.send_bytewise(&packets::ack(PacketType::PubAck, 1));
        peer.expect_disconnect(V5);
    });
    Mqtt::publish(server.port()).args(["-t", "a", "-m", "x", "-q", "1"]).run().succeeds();
}

/// A server that accepts another version than the requested one.
#[test]
fn another_version_is_suggested() {
    for (asked, protocol, code, hint) in
        [("5", V5, 0x84, "hint: -V 311 uses MQTT 3.1.1"), ("311", V3_1_1, 1, "hint: -V 5 uses MQTT 5")]
    {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(protocol);
            peer.send(&packets::connack(protocol, false, code));
            peer.expect_end();
        });
        let run = Mqtt::publish(server.port()).args(["-V", asked, "-t", "a", "-m", "x"]).run();
        run.exits(132).mentions(hint);
        server.finish();
    }
}
