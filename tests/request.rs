//! `mqtt rr`: which message is the response, and how it ends without one.

use std::sync::mpsc;

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::{self, Packet, PacketType};
use rstest::rstest;
use rustix::process::Signal;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::{Listener, Peer, Server};
use crate::support::{Kind, report, version};

pub(crate) fn rr(port: u16) -> Mqtt {
    Mqtt::new(["rr", "-h", "127.0.0.1", "-p", &port.to_string()])
}

/// A received request.
pub(crate) struct Request {
    pub(crate) identifier: u16,
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) response_topic: String,
    pub(crate) correlation_data: Vec<u8>,
}

#[track_caller]
pub(crate) fn request(peer: &mut Peer) -> Request {
    let bytes = peer.packet();
    let Ok(Packet::Publish(publish)) = wire::decode(V5, &bytes) else { panic!("no PUBLISH: {bytes:?}") };
    Request {
        identifier: publish.packet_identifier,
        topic: String::from_utf8(publish.topic.to_vec()).unwrap(),
        payload: publish.payload.to_vec(),
        response_topic: publish.properties.text(PropertyId::ResponseTopic).unwrap().to_owned(),
        correlation_data: publish.properties.binary(PropertyId::CorrelationData).unwrap().to_vec(),
    }
}

/// The filter of the next SUBSCRIBE, which is granted.
#[track_caller]
pub(crate) fn subscription(peer: &mut Peer) -> String {
    let bytes = peer.packet();
    let Ok(Packet::Subscribe { packet_identifier, filters, .. }) = wire::decode(V5, &bytes) else {
        panic!("no SUBSCRIBE: {bytes:?}")
    };
    let all: Vec<_> = filters.iter().collect();
    assert_eq!((all.len(), all[0].retain_handling, all[0].no_local), (1, 2, false));
    peer.send(&packets::suback(V5, packet_identifier, &[all[0].qos as u8]));
    all[0].filter.to_owned()
}

/// A session of MQTT 5 up to the request: the subscribed topic, and the request.
#[track_caller]
pub(crate) fn asked(listener: &mut Listener) -> (Peer, String, Request) {
    let mut peer = listener.accept_session(V5);
    let filter = subscription(&mut peer);
    let request = request(&mut peer);
    (peer, filter, request)
}

/// A responder written as a shell script: the variables are enough to respond, at every QoS.
#[rstest]
fn a_request_has_its_response(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    for qos in ["0", "1", "2"] {
        let version = version(protocol);
        let responder = broker
            .subscribe()
            .args(["-t", "service/echo", "-q", qos, "-C", "1", "-F", "%R|%D|%p", "-V", version, "-d"])
            .spawn();
        responder.wait_until_subscribed();
        let requester =
            rr(broker.port()).args(["-t", "service/echo", "-m", "hello", "-q", qos, "-v", "-V", version]);
        let requester = if protocol == V5 { requester } else { requester.args(["-e", "service/response"]) };
        let requester = requester.spawn();
        let asked = responder.wait_for_end().exits(0).lines().remove(0);
        let (response_topic, data) = match asked.split('|').collect::<Vec<_>>()[..] {
            ["", "", "hello"] if protocol != V5 => ("service/response".to_owned(), None),
            [topic, data, "hello"] => (topic.to_owned(), Some(data.to_owned())),
            _ => panic!("{asked}"),
        };
        let respond =
            broker.publish().args(["-t", &response_topic, "-m", "hello yourself", "-q", qos, "-V", version]);
        let data = data.map(|data| ["--correlation-data".to_owned(), data]);
        respond.args(data.into_iter().flatten()).run().succeeds();
        requester.wait_for_end().succeeds().prints(format!("{response_topic} hello yourself\n"));
    }
}

/// On the wire: a separate topic, below the Response Information of the server; a request that names it; and
/// a DISCONNECT without a barrier, because the response proves that the request was read.
#[test]
fn the_request_says_where_to_respond() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept();
        let connect = peer.expect_connect(V5);
        let Ok(Packet::Connect(connect)) = wire::decode(V5, &connect) else { panic!("no CONNECT") };
        assert_eq!(connect.properties.number(PropertyId::RequestResponseInformation), Some(1));
        peer.send(&packets::connack_with(&[(PropertyId::ResponseInformation, Value::Text("replies/site/"))]));
        let filter = subscription(&mut peer);
        let own = filter.strip_prefix("replies/site/").expect("under what the server said");
        assert!(own.len() == 16 && own.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{own}");
        let request = request(&mut peer);
        assert_eq!((request.topic.as_str(), &request.payload[..]), ("service", &b"what?"[..]));
        assert_eq!(request.response_topic, filter);
        assert_eq!(request.correlation_data.len(), 16);
        let data = (PropertyId::CorrelationData, Value::Binary(&request.correlation_data));
        peer.send(&Message::new(&filter, b"that").with(&[data]).bytes(V5));
        peer.expect_disconnect(V5);
    });
    rr(server.port()).args(["-t", "service", "-m", "what?"]).run().succeeds().prints("that\n");
    server.finish();
}

/// Other messages on the response topic: before the request, retained, of another request, on a topic that an
/// earlier run has subscribed to.
#[test]
fn other_messages_are_not_taken_for_the_response() {
    let other = (PropertyId::CorrelationData, Value::Binary(b"another"));
    let own = (PropertyId::CorrelationData, Value::Binary(b"mine"));
    for (payload, properties) in [(&b"the same"[..], vec![own]), (b"none", vec![])] {
        let server = Server::start(move |listener| {
            let mut peer = listener.accept_session(V5);
            let bytes = peer.packet();
            let Ok(Packet::Subscribe { packet_identifier, .. }) = wire::decode(V5, &bytes) else {
                panic!("no SUBSCRIBE")
            };
            let early = Message::new("answers", b"early").with(&[own]).bytes(V5);
            peer.send(&[early, packets::suback(V5, packet_identifier, &[0])].concat());
            let request = request(&mut peer);
            assert_eq!((&*request.response_topic, &*request.correlation_data), ("answers", &b"mine"[..]));
            for message in [
                Message::new("answers", b"retained").with(&[own]).retained(),
                Message::new("answers", b"another").with(&[other]),
                Message::new("elsewhere", b"elsewhere").with(&[own]),
                Message::new("answers", payload).with(&properties),
                Message::new("answers", b"late").with(&[own]),
            ] {
                peer.send(&message.bytes(V5));
            }
            peer.expect_disconnect(V5);
        });
        let run = rr(server.port())
            .args(["-t", "service", "-n", "-e", "answers", "--correlation-data", "mine"])
            .run();
        run.succeeds().prints([payload, b"\n"].concat());
        server.finish();
    }
}

/// The exchange of a QoS 2 response is completed.
#[test]
fn response_is_acknowledged() {
    let server = Server::start(|listener| {
        let (mut peer, filter, request) = asked(listener);
        peer.send(&packets::ack(PacketType::PubRec, request.identifier));
        peer.expect(V5, &packets::ack(PacketType::PubRel, request.identifier));
        peer.send(&packets::ack(PacketType::PubComp, request.identifier));
        peer.send(&Message::new(&filter, b"yes").at(QoS::ExactlyOnce, 9).bytes(V5));
        peer.expect(V5, &packets::ack(PacketType::PubRec, 9));
        peer.expect(V5, &packets::pingreq());
        peer.send(&packets::ack(PacketType::PubRel, 9));
        peer.expect(V5, &packets::ack(PacketType::PubComp, 9));
        peer.expect_disconnect(V5);
    });
    rr(server.port()).args(["-t", "a", "-m", "b", "-q", "2"]).run().succeeds().prints("yes\n");
    server.finish();
}

/// A timeout names the missing response, and other messages received instead.
#[test]
fn a_time_limit_says_what_did_not_come() {
    type Script = fn(&mut Peer);
    let cases: [(Script, &str); 4] = [
        (
            |peer| {
                peer.expect_connect(V5);
            },
            "there was no connection",
        ),
        (
            |peer| {
                peer.expect_connect(V5);
                peer.send(&packets::connack(V5, false, 0));
                peer.expect_subscribe(V5);
            },
            "the broker did not answer the SUBSCRIBE",
        ),
        (
            |peer| {
                peer.expect_connect(V5);
                peer.send(&packets::connack(V5, false, 0));
                subscription(peer);
                request(peer);
            },
            "no response came on 'mqtt-rr/",
        ),
        (
            |peer| {
                peer.expect_connect(V5);
                peer.send(&packets::connack(V5, false, 0));
                let (identifier, _) = peer.expect_subscribe(V5);
                let early = Message::new("r", b"1").bytes(V5);
                peer.send(&[early, packets::suback(V5, identifier, &[0])].concat());
                request(peer);
                let other = (PropertyId::CorrelationData, Value::Binary(b"x"));
                peer.send(&Message::new("r", b"1").with(&[other]).bytes(V5).repeat(2));
                peer.send(&Message::new("r", b"1").retained().bytes(V5));
            },
            "no response came on 'r', but 1 message retained, 1 message before the request, \
             2 messages with other correlation data",
        ),
    ];
    for (script, words) in cases {
        let server = Server::start(move |listener| {
            let mut peer = listener.accept();
            script(&mut peer);
            peer.drain();
        });
        let own: &[&str] = if words.contains("'r'") { &["-e", "r"] } else { &[] };
        let run = rr(server.port()).args(["-t", "a", "-n", "-W", "500ms"]).args(own).run();
        run.fails(27, &format!("mqtt: timed out after 500ms: {words}"));
    }
}

/// The timeout includes the payload, which may come from a pipe.
#[test]
fn a_time_limit_for_the_payload() {
    for command in ["rr", "pub"] {
        let line = [command, "-h", "127.0.0.1", "-p", "1", "-t", "a", "-s", "-W", "300ms"];
        let run = Mqtt::new(line).open_stdin().spawn();
        run.wait_for_end().fails(27, "timed out after 300ms");
    }
}

/// A refusal sets the exit status; a missing subscriber is reported, and the run continues to wait.
#[test]
fn refusals() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        let (identifier, _) = peer.expect_subscribe(V5);
        peer.send(&packets::suback(V5, identifier, &[0x87]));
        peer.expect_disconnect(V5);
    });
    let run = rr(server.port()).args(["-t", "a", "-n", "-e", "b"]).run().exits(0x87);
    run.mentions("mqtt: subscription to 'b' refused: Not authorized");
    server.finish();

    let server = Server::start(|listener| {
        let (mut peer, _, request) = asked(listener);
        peer.send(&packets::ack_with(PacketType::PubAck, request.identifier, 0x87));
        peer.expect_disconnect(V5);
    });
    let run = rr(server.port()).args(["-t", "a", "-n", "-q", "1"]).run().exits(0x87);
    run.mentions("mqtt: request refused: Not authorized");
    server.finish();

    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        let (identifier, _) = peer.expect_subscribe(V5);
        peer.send(&packets::suback(V5, identifier, &[0]));
        let request = request(&mut peer);
        peer.send(&packets::ack_with(PacketType::PubAck, request.identifier, 0x10));
        peer.send(&Message::new(&request.response_topic, b"all the same").bytes(V5));
        peer.expect_disconnect(V5);
    });
    let run = rr(server.port()).args(["-t", "a", "-n", "-q", "1"]).run().exits(0);
    let run = run.mentions("the broker grants QoS 0 for the response topic, not QoS 1");
    run.mentions("the broker reports no subscriber to 'a'").prints("all the same\n");
    server.finish();
}

/// A server that supports only MQTT 3.1.1, in which a request has no Response Topic.
#[test]
fn without_response_topic_in_an_old_version() {
    let script = |listener: &mut Listener| {
        let mut peer = listener.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack(V3_1_1, false, 1));
        peer.close();
        let mut peer = listener.accept_session(V3_1_1);
        if let Some(packet) = peer.next().filter(|packet| packet[0] == 0x82) {
            assert!(matches!(wire::decode(V3_1_1, &packet), Ok(Packet::Subscribe { .. })));
            peer.send(&packets::suback(V3_1_1, 1, &[0]));
            peer.expect_publish(V3_1_1, QoS::AtMostOnce, b"q");
            peer.send(&Message::new("b", b"a").bytes(V3_1_1));
            peer.expect_disconnect(V3_1_1);
        }
    };
    let server = Server::start(script);
    rr(server.port()).args(["-t", "a", "-m", "q"]).run().exits(1).mentions("hint: name the topic");
    server.finish();
    let server = Server::start(script);
    rr(server.port()).args(["-t", "a", "-m", "q", "-e", "b"]).run().succeeds().prints("a\n");
    server.finish();
}

/// A slow reader gets the whole response, whatever happens to the connection; the timeout limits the wait for
/// one that never reads.
#[test]
fn a_slow_reader() {
    let server = || {
        Server::start(|listener| {
            let (mut peer, filter, _) = asked(listener);
            peer.send(&Message::new(&filter, &vec![b'x'; 4 << 20]).bytes(V5));
            peer.drain();
        })
    };
    let unread = server();
    let run = rr(unread.port()).args(["-t", "a", "-n", "-W", "1s"]).leave_stdout_unread().run();
    run.exits(27).mentions("the response was not written: the reader of standard output is gone or stalls");
    let read = server();
    let run = rr(read.port()).args(["-t", "a", "-n"]).run().succeeds();
    assert_eq!(run.stdout.len(), (4 << 20) + 1);
}

/// Unusable Response Information ends the run with DISCONNECT; otherwise the server would publish the will.
#[test]
fn response_information() {
    for (information, begins) in [("", "mqtt-rr/"), ("a//", "a//"), ("b", "b/")] {
        let server = Server::start(move |listener| {
            let mut peer = listener.accept();
            peer.expect_connect(V5);
            let properties = [(PropertyId::ResponseInformation, Value::Text(information))];
            peer.send(&packets::connack_with(&properties));
            let filter = subscription(&mut peer);
            assert!(filter.starts_with(begins) && filter.len() == begins.len() + 16, "{filter}");
            request(&mut peer);
            peer.send(&Message::new(&filter, b"ok").bytes(V5));
            peer.expect_disconnect(V5);
        });
        rr(server.port()).args(["-t", "a", "-n"]).run().succeeds().prints("ok\n");
        server.finish();
    }
    for information in ["+", "$share/g"] {
        let server = Server::start(move |listener| {
            let mut peer = listener.accept();
            peer.expect_connect(V5);
            let properties = [(PropertyId::ResponseInformation, Value::Text(information))];
            peer.send(&packets::connack_with(&properties));
            peer.expect_disconnect(V5);
        });
        let run = rr(server.port()).args(["-t", "a", "-n", "--will-topic", "w"]).run();
        run.fails(1, "the broker's Response Information is not valid in a topic");
        server.finish();
    }
}

/// As for `pub`: no alias is used if the server allows none.
#[test]
fn a_topic_alias_is_not_forced_upon_a_server() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        subscription(&mut peer);
        peer.expect_disconnect(V5);
    });
    let run = rr(server.port()).args(["-t", "a", "-n", "-D", "publish", "topic-alias", "4"]).run();
    run.exits(0x94);
    server.finish();
}

/// The response, followed by its duration: a line, or another object.
#[test]
fn formats() {
    let run = |options: &'static [&'static str]| {
        let server = Server::start(|listener| {
            let (mut peer, filter, _) = asked(listener);
            peer.send(&Message::new(&filter, b"42").bytes(V5));
            peer.expect_disconnect(V5);
        });
        let outcome = rr(server.port()).args(["-t", "a", "-n"]).args(options).run().succeeds();
        server.finish();
        outcome
    };
    let lines = run(&["--latency"]).lines();
    assert_eq!((lines.len(), lines[0].as_str()), (2, "42"));
    let took = lines[1].strip_prefix("Latency: ").unwrap();
    let number: String = took.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    assert!(number.parse::<f64>().unwrap() > 0.0, "{took}");
    assert!(["µs", "ms", "s"].contains(&&took[number.len()..]), "{took}");

    let outcome = run(&["--json", "--latency"]);
    let lines = outcome.lines();
    assert_eq!(report("message", lines[0].as_bytes())["payload"], "42");
    assert!(report("latency", lines[1].as_bytes())["latency_us"].as_f64().unwrap() > 0.0);

    run(&["-F", "%p at QoS %q", "-N"]).prints("42 at QoS 0");
}

/// A response without a reader, and an interrupted run.
#[test]
fn closed_output_and_signals() {
    let (tell, was_asked) = mpsc::channel();
    let server = Server::start(move |listener| {
        let (mut peer, _, _) = asked(listener);
        tell.send(()).unwrap();
        peer.expect_disconnect(V5);
    });
    let run = rr(server.port()).args(["-t", "a", "-n"]).spawn();
    was_asked.recv().unwrap();
    run.signal(Signal::INT);
    run.wait_for_end().dies_of(Signal::INT);
    server.finish();

    // The run ends with its reader at once, and not only at the next output.
    let (tell, was_asked) = mpsc::channel();
    let (go_on, reader_left) = mpsc::channel();
    let server = Server::start(move |listener| {
        let (mut peer, filter, _) = asked(listener);
        tell.send(()).unwrap();
        reader_left.recv().unwrap();
        peer.send(&Message::new(&filter, b"42").bytes(V5));
        peer.expect_disconnect(V5);
    });
    let mut run = rr(server.port()).args(["-t", "a", "-n"]).hold_stdout().spawn();
    was_asked.recv().unwrap();
    run.close_stdout();
    go_on.send(()).unwrap();
    run.wait_for_end().succeeds();
    server.finish();
}

/// The payload has the same sources as in `pub`.
#[test]
fn payloads() {
    let folder = tempfile::tempdir().unwrap();
    let file = crate::support::write(folder.path(), "question", "from a file");
    let cases: [(&[&str], &[u8]); 4] =
        [(&["-m", ""], b""), (&["-n"], b""), (&["-f", &file], b"from a file"), (&["-s"], b"from input")];
    for (options, expected) in cases {
        let expected = expected.to_vec();
        let server = Server::start(move |listener| {
            let mut peer = listener.accept_session(V5);
            let filter = subscription(&mut peer);
            assert_eq!(request(&mut peer).payload, expected);
            peer.send(&Message::new(&filter, b"ok").bytes(V5));
            peer.expect_disconnect(V5);
        });
        rr(server.port()).args(["-t", "a"]).args(options).stdin("from input").run().succeeds().prints("ok\n");
        server.finish();
    }
    rr(1).args(["-t", "a", "-f", "/nonexistent"]).run().exits(1).mentions("cannot read /nonexistent");
}
