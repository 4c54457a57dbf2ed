//! `mqtt respond --exec`: the output of a command is the response, and its request is acknowledged after
//! that.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::{self, Packet, PacketType::PubAck};
use rstest::rstest;
use rustix::process::Signal;

use crate::request::rr;
use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::{Peer, Server};
use crate::support::{Kind, wait_until};

fn respond(port: u16) -> Mqtt {
    Mqtt::new(["respond", "-h", "127.0.0.1", "-p", &port.to_string(), "-V", "5", "-t", "q/#", "-q", "1"])
}

/// A request with the response topic "a/IDENTIFIER".
fn request(topic: &str, payload: &[u8], identifier: u16) -> Vec<u8> {
    let response_topic = format!("a/{identifier}");
    let properties = [
        (PropertyId::ResponseTopic, Value::Text(&response_topic)),
        (PropertyId::CorrelationData, Value::Binary(b"\xff\0")),
        (PropertyId::UserProperty, Value::Pair("trace-id", "7")),
    ];
    Message::new(topic, payload).at(QoS::AtLeastOnce, identifier).with(&properties).bytes(V5)
}

/// The next packet is a response: its identifier, topic and payload.
#[track_caller]
fn response(peer: &mut Peer) -> (u16, String, Vec<u8>) {
    let bytes = peer.packet();
    let Ok(Packet::Publish(publish)) = wire::decode(V5, &bytes) else { panic!("no PUBLISH: {bytes:?}") };
    assert_eq!(publish.properties.binary(PropertyId::CorrelationData), Some(&b"\xff\0"[..]));
    let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
    (publish.packet_identifier, topic, publish.payload.to_vec())
}

/// Reads a response, acknowledges it, and expects the acknowledgement of its request.
#[track_caller]
fn answered(peer: &mut Peer, identifier: u16, payload: &[u8]) {
    let (own, topic, response) = response(peer);
    assert_eq!((topic, &response[..]), (format!("a/{identifier}"), payload));
    peer.send(&packets::ack(PubAck, own));
    peer.expect(V5, &packets::ack(PubAck, identifier));
}

fn session(server: &mut crate::support::server::Listener) -> Peer {
    let mut peer = server.accept_session(V5);
    peer.grant_subscription(V5);
    peer
}

#[rstest]
fn requester_gets_what_the_command_writes(#[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind) {
    let Some(broker) = kind.start() else { return };
    let port = broker.as_ref().port();
    let commands: [&[&str]; 2] = [
        &["--exec", "tr a-z A-Z; echo \"$MQTT_TOPIC\""],
        &["--exec-argv", "--", "sh", "-c", "tr a-z A-Z; echo {topic}"],
    ];
    for command in commands {
        let responder = respond(port).args(["-C", "2", "-d"]).args(command).spawn();
        responder.wait_until_subscribed();
        for _ in 0..2 {
            rr(port)
                .args(["-t", "q/x", "-m", "hello ", "-q", "1", "-W", "60s"])
                .run()
                .succeeds()
                .prints("HELLO q/x\n\n");
        }
        responder.wait_for_end().exits(0);
    }
}

/// A command that creates one file, waits for the other, and answers `done`.
fn waits_between(started: &Path, go: &Path) -> String {
    let (started, go) = (started.display(), go.display());
    format!("touch {started}; while [ ! -e {go} ]; do sleep 0.02; done; printf done")
}

/// The command gets the request from its input and its environment; its output is the response, unchanged.
#[test]
fn request_is_acknowledged_after_the_output_of_its_command_is_out() {
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&request("q/x", b"in\xff", 3));
        let (own, topic, payload) = response(&mut peer);
        assert_eq!((&*topic, &payload[..]), ("a/3", &b"in\xff q/x 1 0 a/3 /wA= 7\n\n"[..]));
        assert_eq!(peer.next_within(Duration::from_millis(300)), None);
        peer.send(&packets::ack(PubAck, own));
        peer.expect(V5, &packets::ack(PubAck, 3));
        peer.send(&request("q/x", b"", 4));
        answered(&mut peer, 4, b" q/x 1 0 a/4 /wA= 7\n\n");
        peer.expect_disconnect(V5);
    });
    let command = "cat; echo \" $MQTT_TOPIC $MQTT_QOS $MQTT_RETAIN $MQTT_RESPONSE_TOPIC \
                   $MQTT_CORRELATION_DATA_BASE64 $MQTT_USER_TRACE_ID\"; echo";
    respond(server.port()).args(["-C", "2", "--exec", command]).run().succeeds();
    server.finish();
}

/// No response, and the next request is processed after one whose command has failed.
#[rstest]
#[case::status("exit 3", "it ended with exit status: 3")]
#[case::late("(trap '' TERM; exec sleep 1000) & wait", "it took longer than 3s")]
#[case::much("head -c 17000000 /dev/zero", "it wrote more than 16 MiB")]
#[case::signal("kill -KILL $$", "it ended with signal: 9")]
fn failed_command_sends_no_response(#[case] failing: &str, #[case] says: &str) {
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&[request("q/bad", b"", 1), request("q/good", b"", 2)].concat());
        peer.expect(V5, &packets::ack(PubAck, 1));
        answered(&mut peer, 2, b"fine");
        peer.expect_disconnect(V5);
    });
    let command = format!("[ $MQTT_TOPIC = q/good ] || {{ {failing}; exit; }}; printf fine");
    let run = respond(server.port()).args(["-C", "1", "--exec-timeout", "3s", "--exec", &command]).run();
    run.exits(3)
        .mentions(&format!("--exec failed on message 1 on 'q/bad': {says}"))
        .mentions("no response to 1 request on which --exec failed");
}

/// The request of the failed command stays at the broker.
#[test]
fn failed_command_ends_the_run_if_asked_to() {
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&request("q/good", b"", 1));
        answered(&mut peer, 1, b"fine");
        peer.send(&request("q/bad", b"", 2));
        peer.expect_disconnect(V5);
    });
    let args = ["--exec-failure", "stop", "--exec", "[ $MQTT_TOPIC = q/good ] || exit 7; printf fine"];
    respond(server.port())
        .args(args)
        .run()
        .fails(1, "--exec failed on message 2 on 'q/bad': it ended with exit status: 7");
    server.finish();
}

/// Two commands run at a time, also for one topic; acknowledgements keep the order of the requests.
#[test]
fn commands_run_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go").display().to_string();
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&[request("q/x", b"slow", 1), request("q/x", b"fast", 2)].concat());
        let first = response(&mut peer);
        assert_eq!((&*first.1, &first.2[..]), ("a/2", &b"fast"[..]));
        peer.send(&packets::ack(PubAck, first.0));
        let second = response(&mut peer);
        assert_eq!((&*second.1, &second.2[..]), ("a/1", &b"slow"[..]));
        peer.send(&packets::ack(PubAck, second.0));
        peer.expect(V5, &packets::ack(PubAck, 1));
        peer.expect(V5, &packets::ack(PubAck, 2));
        peer.expect_disconnect(V5);
    });
    let command = format!(
        "read -r x; [ $x = slow ] || touch {go}; while [ ! -e {go} ]; do sleep 0.02; done; \
         [ $x = fast ] || sleep 0.3; printf $x"
    );
    respond(server.port()).args(["-C", "2", "--exec-jobs", "2", "--exec", &command]).run().succeeds();
    server.finish();
}

/// Started commands respond; waiting requests stay at the broker.
#[test]
fn signal_waits_for_the_command_and_its_response() {
    let folder = tempfile::tempdir().unwrap();
    let (started, go) = (folder.path().join("started"), folder.path().join("go"));
    let command = waits_between(&started, &go);
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&[request("q/x", b"", 1), request("q/x", b"", 2)].concat());
        answered(&mut peer, 1, b"done");
        peer.expect_disconnect(V5);
    });
    let running = respond(server.port()).args(["--exec", &command]).spawn();
    wait_until(|| started.exists());
    running.signal(Signal::TERM).wait_for_stderr("1 request received, and not given to the command");
    std::fs::write(go, "").unwrap();
    running.wait_for_end().exits(0).mentions("1 request received, and not given to the command");
    server.finish();
}

#[test]
fn second_signal_ends_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let started = folder.path().join("started");
    let (end, ended) = mpsc::channel::<()>();
    let server = Server::start(move |server| {
        let mut peer = session(server);
        peer.send(&request("q/x", b"", 1));
        peer.expect_disconnect(V5);
        drop(ended);
    });
    let command = format!("touch {}; sleep 1000 & wait", started.display());
    let running = respond(server.port()).args(["--exec", &command]).spawn();
    wait_until(|| started.exists());
    running.signal(Signal::INT).wait_for_stderr("waiting for 1 command");
    running.signal(Signal::INT);
    running.wait_for_end();
    drop(end);
    server.finish();
}

/// The connection is lost while the command runs: the broker sends the request again, and the response is
/// sent once.
#[test]
fn request_that_comes_again_is_answered_once() {
    let folder = tempfile::tempdir().unwrap();
    let (started, go) = (folder.path().join("started"), folder.path().join("go"));
    let command = waits_between(&started, &go);
    let server = Server::start(move |server| {
        let mut peer = session(server);
        peer.send(&request("q/x", b"", 1));
        wait_until(|| started.exists());
        peer.close();
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack(V5, true, 0));
        peer.send(&request("q/x", b"", 1));
        std::fs::write(go, "").unwrap();
        answered(&mut peer, 1, b"done");
        peer.expect_disconnect(V5);
    });
    respond(server.port()).args(["-C", "1", "-x", "1h", "--exec", &command]).run().exits(0);
    server.finish();
}

/// Beyond the limit nothing is read.
#[test]
fn waiting_requests_are_bounded() {
    let (measured, is_measured) = mpsc::channel();
    let server = Server::start(move |server| {
        let mut peer = session(server);
        let properties = [(PropertyId::ResponseTopic, Value::Text("a"))];
        let message = Message::new("q/x", &vec![b'x'; 64 * 1024]).with(&properties).bytes(V5);
        measured.send(peer.flood_up_to(&message, 512 << 20)).unwrap();
        peer.drain();
    });
    let running = respond(server.port()).args(["--exec", "sleep 1000"]).spawn();
    let taken = is_measured.recv().unwrap();
    assert!((16 << 20..256 << 20).contains(&taken), "{taken}");
    running.signal(Signal::INT).signal(Signal::TERM);
    running.wait_for_end();
}

#[test]
fn what_cannot_be_combined_is_refused() {
    for (line, says) in [
        (&["--exec", "x", "-m", "y"][..], "--exec computes the response"),
        (&["--exec", "x", "--jq", "."], "--exec computes the response"),
        (&["--exec", "x", "--echo"], "--echo sends the request's payload"),
        (&["--exec", ""], "empty"),
        (&["--exec-argv"], "needs a program"),
        (&["--exec-argv", "--", ""], "needs a program"),
        (&["-m", "x", "--exec-jobs", "2"], "need --exec or --exec-argv"),
        (&["-m", "x", "--exec-failure", "stop"], "need --exec or --exec-argv"),
        (&["--exec", "x", "--exec-jobs", "257"], "256"),
        (&["--exec", "x", "--exec-argv", "--", "y"], "--exec"),
    ] {
        respond(1).args(line).run().exits(2).mentions(says);
    }
    respond(1).args(["--exec-argv", "--", "./nofile"]).run().fails(1, "--exec-argv: cannot run './nofile'");
}
