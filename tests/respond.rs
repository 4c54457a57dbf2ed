//! `mqtt respond`: which requests get which response, and when they are acknowledged.

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::{self, Packet, PacketType};
use rstest::rstest;
use rustix::process::Signal;

use crate::request::rr;
use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::{Peer, Server};
use crate::support::{Kind, version};

fn respond(port: u16) -> Mqtt {
    Mqtt::new(["respond", "-h", "127.0.0.1", "-p", &port.to_string()])
}

/// The next packet is a response: its identifier, topic, payload and correlation data.
#[track_caller]
fn response(peer: &mut Peer) -> (u16, String, Vec<u8>, Option<Vec<u8>>) {
    let bytes = peer.packet();
    let Ok(Packet::Publish(publish)) = wire::decode(V5, &bytes) else { panic!("no PUBLISH: {bytes:?}") };
    assert!(!publish.retain && publish.properties.text(PropertyId::ResponseTopic).is_none());
    let data = publish.properties.binary(PropertyId::CorrelationData).map(<[u8]>::to_vec);
    let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
    (publish.packet_identifier, topic, publish.payload.to_vec(), data)
}

/// A request on "q" with this response topic.
fn request(response_topic: &str, payload: &[u8], qos: QoS, identifier: u16) -> Vec<u8> {
    let properties = [
        (PropertyId::ResponseTopic, Value::Text(response_topic)),
        (PropertyId::CorrelationData, Value::Binary(payload)),
    ];
    Message::new("q", payload).at(qos, identifier).with(&properties).bytes(V5)
}

/// Placeholders are replaced for each response, and braces are doubled, as in `mqtt pub --template`.
#[test]
fn response_is_filled_in_by_a_template() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer");
    std::fs::write(&file, "{seq} of {env:WHO}").unwrap();
    let file = file.to_str().unwrap();
    for (own, stdin, expected) in [
        (&["-m", "{{\"n\":{seq},\"r\":{rand:7..7}}}"][..], "", [r#"{"n":1,"r":7}"#, r#"{"n":2,"r":7}"#]),
        (&["-f", file], "", ["1 of me", "2 of me"]),
        (&["-s"], "n {seq}", ["n 1", "n 2"]),
    ] {
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            for payload in expected {
                peer.send(&request("answers/1", b"?", QoS::AtMostOnce, 0));
                assert_eq!(String::from_utf8(response(&mut peer).2).unwrap(), payload);
            }
            peer.expect(V5, &packets::pingreq());
            peer.send(&packets::pingresp());
            peer.expect_disconnect(V5);
        });
        let line = ["-V", "5", "-t", "q", "-C", "2", "--template"];
        let run = respond(server.port()).args(line).args(own).env("WHO", "me").stdin(stdin).run();
        run.succeeds();
        server.finish();
    }
    for (own, says) in [
        (&["-m", "{nothing}"][..], "--template: payload '{nothing}': unknown field {nothing}"),
        (&["--echo"], "--template needs the text of the response"),
    ] {
        respond(1).args(["-t", "q", "--template"]).args(own).run().fails(2, says);
    }
    respond(1)
        .args(["-t", "q", "--template", "-s"])
        .stdin("{env:WHO}")
        .run()
        .fails(1, "{env:NAME} is not filled in");
}

/// Requester and responder with real brokers: one response each, for every version and QoS.
#[rstest]
fn requester_gets_the_response(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let (port, version) = (broker.as_ref().port(), version(protocol));
    let cases: [(&str, &[&str]); 3] = [("0", &["--echo"]), ("1", &["-m", "hello"]), ("2", &["--echo"])];
    for (qos, own) in cases {
        let line =
            ["-t", "service/+", "-q", qos, "-C", "2", "-V", version, "-v", "-d", "-e", "answers/fixed"];
        let responder = respond(port).args(line).args(own).spawn();
        responder.wait_until_subscribed();
        for _ in 0..2 {
            let line = ["-t", "service/echo", "-m", "hello", "-q", qos, "-V", version, "-W", "60s"];
            let requester = rr(port).args(line);
            let requester = if protocol == V5 { requester } else { requester.args(["-e", "answers/fixed"]) };
            requester.run().succeeds().prints("hello\n");
        }
        responder.wait_for_end().exits(0).prints("service/echo hello\nservice/echo hello\n");
    }
}

/// The acknowledgement of a request means that the broker has its response; acknowledgements keep the order
/// of the requests.
#[test]
fn request_is_acknowledged_after_its_response() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&request("a/1", b"one", QoS::AtLeastOnce, 11));
        let first = response(&mut peer);
        assert_eq!((&*first.1, &*first.2, first.3.as_deref()), ("a/1", &b"one"[..], Some(&b"one"[..])));
        peer.send(&request("a/2", b"two", QoS::AtLeastOnce, 12));
        let second = response(&mut peer);
        assert_eq!((&*second.1, &*second.2), ("a/2", &b"two"[..]));
        peer.send(&packets::ack(PacketType::PubAck, second.0));
        // An acknowledgement of an earlier request would arrive before the answer to this one.
        peer.send(&request("a/3", b"three", QoS::AtLeastOnce, 13));
        let third = response(&mut peer);
        peer.send(&packets::ack(PacketType::PubAck, first.0));
        peer.expect(V5, &packets::ack(PacketType::PubAck, 11));
        peer.expect(V5, &packets::ack(PacketType::PubAck, 12));
        peer.send(&packets::ack(PacketType::PubAck, third.0));
        peer.expect(V5, &packets::ack(PacketType::PubAck, 13));
        peer.expect_disconnect(V5);
    });
    respond(server.port()).args(["-t", "q", "--echo", "-q", "1", "-C", "3"]).run().succeeds().prints("");
    server.finish();
}

/// At QoS 0 the response is sent before the acknowledgement of its request.
#[test]
fn response_of_qos_0_precedes_the_acknowledgement() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        let (identifier, _) = peer.expect_subscribe(V5);
        peer.send(&packets::suback(V5, identifier, &[1]));
        peer.send(&request("a", b"x", QoS::AtLeastOnce, 7));
        assert_eq!(response(&mut peer).2, b"y");
        peer.expect(V5, &packets::ack(PacketType::PubAck, 7));
        peer.expect_barrier_and_disconnect(V5);
    });
    respond(server.port()).args(["-t", "q", "-m", "y", "-C", "1"]).run().exits(0);
    server.finish();
}

/// Requests without a response are acknowledged, reported once per kind, and counted at the end.
#[test]
fn requests_without_a_usable_response_topic_are_counted() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        peer.grant_subscription(V5);
        for _ in 0..2 {
            peer.send(&Message::new("q", b"none").at(QoS::AtLeastOnce, 1).bytes(V5));
            peer.expect(V5, &packets::ack(PacketType::PubAck, 1));
        }
        for topic in ["q", "elsewhere", "$CONTROL/dynamic-security/v1"] {
            peer.send(&request(topic, b"x", QoS::AtLeastOnce, 2));
            peer.expect(V5, &packets::ack(PacketType::PubAck, 2));
        }
        peer.send(&Message::new("q", b"x").retained().bytes(V5));
        peer.send(&request("a/b", b"right", QoS::AtMostOnce, 0));
        let (identifier, topic, payload, _) = response(&mut peer);
        assert_eq!((&*topic, &*payload), ("a/b", &b"right"[..]));
        peer.send(&packets::ack(PacketType::PubAck, identifier));
        peer.expect_disconnect(V5);
    });
    let line = ["-t", "q", "--echo", "-q", "1", "-C", "1", "--allow-response-topic", "a/#"];
    let run = respond(server.port()).args(line).run().exits(0);
    run.mentions("no response to request 1 on 'q', without a response topic (shown only once)").mentions(
        "no response to 2 requests without a response topic, 2 requests with a response topic that is not allowed, \
         1 request with a response topic that is subscribed to, 1 request retained",
    );
    server.finish();
}

/// A kept session may have filters of earlier runs, whose messages may be responses: of this responder (on the
/// topic of -e), or of others.
#[rstest]
fn messages_for_filters_of_earlier_runs_get_no_response(
    #[values(V3_1_1, V5)] protocol: Protocol,
    #[values("--echo", "--exec=cat")] answer: &str,
) {
    let server = Server::start(move |listener| {
        let mut peer = listener.accept_session(protocol);
        peer.grant_subscription(protocol);
        let topics = ["dev/7/answer", "dev/7/answer", "dev/8/answer"];
        for (identifier, topic) in (1..).zip(topics) {
            peer.send(&Message::new(topic, b"x").at(QoS::AtLeastOnce, identifier).bytes(protocol));
            peer.expect(protocol, &packets::ack(PacketType::PubAck, identifier));
        }
        for topic in ["dev/7/command", "plant/go", "door/open"] {
            peer.send(&Message::new(topic, topic.as_bytes()).bytes(protocol));
            let bytes = peer.packet();
            let Ok(Packet::Publish(publish)) = wire::decode(protocol, &bytes) else { panic!("{bytes:?}") };
            assert_eq!((publish.topic, publish.payload), (&b"dev/7/answer"[..], topic.as_bytes()));
        }
        peer.expect_barrier_and_disconnect(protocol);
    });
    let filters = ["-t", "dev/7/command", "-t", "$share/g/plant/+", "-t", "$queue/door/#"];
    let line = ["-V", version(protocol), "-e", "dev/7/answer", "-C", "3", answer];
    let run = respond(server.port()).args(filters).args(line).run().exits(0);
    assert_eq!(run.stderr.matches("shown only once").count(), 2, "{}", run.stderr);
    run.mentions("no response to request 1 on 'dev/7/answer', on the response topic of -e: the session has a subscription")
        .mentions("no response to request 3 on 'dev/8/answer', on a topic that no filter matches: the session has a sub")
        .mentions(
            "no response to 2 requests on the response topic of -e, 1 request on a topic that no filter matches",
        );
    server.finish();
}

/// A session with a filter that matches the responses, at a real broker: no response is a request.
#[rstest]
fn responder_with_a_kept_session_does_not_answer_itself(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
) {
    let Some(broker) = kind.start() else { return };
    let port = broker.as_ref().port();
    let session = ["-V", "5", "-q", "1", "-c", "-i", "r7", "-x", "60"];
    Mqtt::subscribe(port).args(session).args(["-t", "dev/7/#", "-E"]).run().succeeds();
    let line = ["-t", "dev/7/command", "-e", "dev/7/answer", "-m", "ok", "-d"];
    let responder = respond(port).args(session).args(line).spawn();
    responder.wait_until_subscribed();
    Mqtt::publish(port).args(["-q", "1", "-t", "dev/7/command", "-m", "x"]).run().succeeds();
    // A broker may send the request once for each filter, and the response as well.
    responder.wait_for_stderr(" on 'dev/7/answer', on the response topic of -e").signal(Signal::INT);
    responder.wait_for_end().exits(0).mentions("no response to ");
}

/// Without a list of allowed topics, a request still cannot make the responder publish to topics of the
/// broker.
#[test]
fn response_topic_of_the_broker_is_not_allowed() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&request("$CONTROL/dynamic-security/v1", b"x", QoS::AtMostOnce, 0));
        peer.send(&request("fine", b"y", QoS::AtMostOnce, 0));
        assert_eq!(response(&mut peer).1, "fine");
        peer.expect_barrier_and_disconnect(V5);
    });
    let run = respond(server.port()).args(["-t", "q", "--echo", "-C", "1"]).run().exits(0);
    run.mentions("that is not allowed ('$CONTROL/dynamic-security/v1')");
    server.finish();
}

/// After a lost connection the response is sent again, and the unacknowledged request may arrive again.
#[test]
fn lost_connection_is_made_again() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&request("a", b"one", QoS::AtLeastOnce, 1));
        let first = response(&mut peer);
        peer.close();
        let mut peer = listener.accept_session(V5);
        let mut has_asked = false;
        let again = loop {
            let bytes = peer.packet();
            match wire::decode(V5, &bytes) {
                Ok(Packet::Subscribe { packet_identifier, .. }) => {
                    has_asked = true;
                    peer.send(&packets::suback(V5, packet_identifier, &[1]));
                }
                Ok(Packet::Publish(publish)) => {
                    assert_eq!(publish.payload, &first.2[..]);
                    break publish.packet_identifier;
                }
                other => panic!("{other:?}"),
            }
        };
        if !has_asked {
            peer.grant_subscription(V5);
        }
        peer.send(&packets::ack(PacketType::PubAck, again));
        peer.expect_disconnect(V5);
    });
    respond(server.port()).args(["-t", "q", "--echo", "-q", "1", "-C", "1"]).run().exits(0);
    server.finish();
}

/// A response that the broker refuses is reported, and the request is not requested again.
#[test]
fn refused_response_sets_the_exit_status() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&request("a", b"x", QoS::AtLeastOnce, 1));
        let (identifier, ..) = response(&mut peer);
        let [high, low] = identifier.to_be_bytes();
        peer.send(&[0x40, 3, high, low, 0x87]);
        peer.expect(V5, &packets::ack(PacketType::PubAck, 1));
        peer.expect_disconnect(V5);
    });
    let run = respond(server.port()).args(["-t", "q", "--echo", "-q", "1", "-C", "1"]).run();
    run.exits(3).mentions("response refused");
    server.finish();
}

#[test]
fn misuse_is_an_error_of_usage() {
    let cases: [(&[&str], &str); 6] = [
        (&["-t", "q"], "no response to publish"),
        (&["--echo"], "no topic to answer requests on"),
        (&["-t", "q", "--echo", "-m", "x"], "--echo sends the request's payload"),
        (&["-t", "q/#", "-e", "q/answer", "-m", "x"], "would be taken for a request"),
        (&["-t", "q", "-m", "x", "-V", "311"], "cannot name a response topic"),
        (&["-t", "q", "-m", "x", "--correlation-data", "y"], "correlation-data"),
    ];
    for (line, words) in cases {
        respond(1).args(line).run().exits(2).mentions(words);
    }
}

/// Requests of QoS 1 wait unacknowledged for their responses; a broker that sends too many ends the run.
#[rstest]
fn more_requests_than_may_be_unacknowledged_end_the_run(#[values(V3_1_1, V5)] protocol: Protocol) {
    let most = if protocol == V5 { 1000 } else { u16::MAX };
    let server = Server::start(move |listener| {
        let mut peer = listener.accept_session(protocol);
        peer.grant_subscription(protocol);
        for identifier in 1..=most {
            peer.send(&Message::new("q", b"").at(QoS::AtLeastOnce, identifier).bytes(protocol));
        }
        peer.send(&Message::new("q", b"").at(QoS::AtLeastOnce, 1).bytes(protocol));
        peer.drain();
    });
    let line = ["-V", version(protocol), "-t", "q", "-e", "a", "-m", "y", "-q", "1", "--reconnect", "never"];
    respond(server.port()).args(line).run().exits(1).mentions(&format!("Receive Maximum of {most}"));
    server.finish();
}

/// A request without a result, or on which the program fails, gets no response and is acknowledged.
#[test]
fn program_computes_responses() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        let requests = [&b"[1,2]"[..], b"7", b"text", br#"["x","y"]"#];
        let requests: Vec<Vec<u8>> =
            (1..).zip(requests).map(|(id, payload)| request("a", payload, QoS::AtLeastOnce, id)).collect();
        peer.send(&requests.concat());
        let mut identifiers = Vec::new();
        for payload in [&b"3"[..], b"x\ny"] {
            let (identifier, topic, response, _) = response(&mut peer);
            assert_eq!((topic.as_str(), &response[..]), ("a", payload));
            identifiers.push(identifier);
        }
        for identifier in identifiers {
            peer.send(&packets::ack(PacketType::PubAck, identifier));
        }
        for identifier in 1..=4 {
            peer.expect(V5, &packets::ack(PacketType::PubAck, identifier));
        }
        peer.expect_disconnect(V5);
    });
    let program =
        "if .payload == 7 then empty elif .payload[0] == \"x\" then .payload[] else .payload | add end";
    let outcome =
        respond(server.port()).args(["-V", "5", "-t", "q", "-q", "1", "-C", "2", "--jq", program]).run();
    outcome
        .exits(3)
        .mentions("no response to request 3 on 'q', on which --jq failed ('a'): cannot index \"text\" with 0")
        .mentions("no response to 1 request for which --jq has no result, 1 request on which --jq failed");
}

#[test]
fn program_is_checked_before_the_connection() {
    respond(1).args(["-t", "q", "--jq", ".payload |"]).run().exits(2).mentions("--jq: line 1, column 11");
    respond(1).args(["-t", "q", "--jq", ".", "-m", "x"]).run().fails(2, "--jq computes the response");
    let outcome = respond(1).args(["-t", "q", "--jq", ".", "--echo"]).run();
    outcome.fails(2, "--echo sends the request's payload");
}

/// With -C the run ends by itself: its wait for the acknowledgement has a timeout, for either half of the
/// exchange.
#[rstest]
fn response_that_is_not_acknowledged_ends_a_counted_run(
    #[values((QoS::AtLeastOnce, false), (QoS::ExactlyOnce, false), (QoS::ExactlyOnce, true))] half: (
        QoS,
        bool,
    ),
) {
    let (qos, is_received) = half;
    let server = Server::start(move |listener| {
        let mut peer = listener.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&request("a", b"x", QoS::AtLeastOnce, 7));
        let (identifier, ..) = response(&mut peer);
        if is_received {
            peer.send(&packets::ack(PacketType::PubRec, identifier));
        }
        peer.drain();
    });
    let qos = (qos as u8).to_string();
    let line = ["-t", "q", "--echo", "-q", &qos, "-C", "1", "--connect-timeout", "1s"];
    let run = respond(server.port()).args(line).run();
    run.exits(1).mentions("did not answer PUBLISH with an acknowledgement within 1s");
}
