//! Deliberate differences from mosquitto's clients, one by one: command lines for the comparison with the
//! real ones, and tests that need more than one connection. Also how a signal ends a run, which is the same.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use mqtt::protocol::Protocol::V3_1_1;
use rstest::rstest;
use rustix::process::Signal;

use crate::compat::{PUB, RR, SUB};
use crate::compat_cases::{Case, Script, case, plain};
use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::pki::Authority;
use crate::support::server::{Peer, Server};
use crate::ways::Gate;

pub(crate) fn cases() -> Vec<Case> {
    let message = || Script::sends(&[("a", b"hello")]);
    let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    vec![
        case(SUB, "-F %05E|%8R|%-p|%-x -t a -C 1", message()).differs(&["padding"]),
        plain(PUB, "-t a -m y -q 1 -D connect user-property k v -V 311").differs(&["version-properties"]),
        plain(PUB, "-t a -m x -q 1 -D connect authentication-method SCRAM-SHA-1").differs(&["scram"]),
        case(PUB, "-t a -m x", Script { answer, ..Script::default() }).differs(&["not-mqtt"]),
        plain(PUB, "-t a -m x -q 1 --capath HOME/authorities").through(Gate::Tls).differs(&["capath"]),
        plain(PUB, "-t a -q 1 -f HOME/large"),
    ]
}

/// A client of mosquitto's that connects to this port.
fn client(name: &'static str, port: u16, words: &[&str]) -> Mqtt {
    let mqtt = Mqtt::new(words).called(name).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    mqtt.env("HOME", "/nonexistent")
}

/// The state of a run when the signal arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Subscribed,
}

fn waits_at(stage: Stage, peer: &mut Peer) {
    peer.expect_connect(V3_1_1);
    if stage == Stage::Subscribed {
        peer.send(&packets::connack(V3_1_1, false, 0));
        peer.grant_subscription(V3_1_1);
        // The earlier messages were read before the answer to this one is sent.
        peer.send(&Message::new("no", b"x").at(mqtt::protocol::QoS::AtLeastOnce, 7).bytes(V3_1_1));
        while peer.packet()[0] >> 4 != 4 {}
    }
}

/// Reads until the client's end, which may wait for that of the broker.
fn until_disconnect(peer: &mut Peer) {
    while peer.next().is_some_and(|packet| packet[0] != 0xe0) {}
}

/// `mosquitto_sub` treats SIGINT and SIGTERM as a regular end; before there is a connection its status is
/// 255. Other signals end it, and every signal ends the other clients.
#[rstest]
fn signals_end_runs_as_they_end_mosquittos_clients(
    #[values(Stage::Connecting, Stage::Subscribed)] stage: Stage,
    #[values(Signal::INT, Signal::TERM, Signal::HUP)] signal: Signal,
) {
    let by_signal = ExitStatus::from_raw(signal.as_raw());
    for (name, words) in [
        (PUB, &["-t", "a", "-l"][..]),
        (SUB, &["-t", "a", "-T", "no", "-q", "1"]),
        (RR, &["-t", "a", "-e", "b", "-m", "x", "-V", "311"]),
    ] {
        if stage == Stage::Subscribed && name != SUB {
            continue;
        }
        let expected = match (name, signal, stage) {
            (SUB, Signal::INT | Signal::TERM, Stage::Connecting) => ExitStatus::from_raw(255 << 8),
            (SUB, Signal::INT | Signal::TERM, Stage::Subscribed) => ExitStatus::from_raw(0),
            _ => by_signal,
        };
        let (ready, waited) = std::sync::mpsc::channel();
        let server = Server::start(move |listener| {
            let mut peer = listener.accept();
            waits_at(stage, &mut peer);
            ready.send(()).unwrap();
            until_disconnect(&mut peer);
        });
        let run = client(name, server.port(), words).open_stdin().spawn();
        waited.recv().unwrap();
        run.signal(signal);
        // Standard input stays open, because its end would be another reason to end.
        let outcome = run.wait_for_end();
        assert_eq!(outcome.status, expected, "{name}: {}", outcome.stderr);
        assert_eq!(outcome.stderr, "", "{name}");
        server.finish();
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V3_1_1);
        peer.grant_subscription(V3_1_1);
        peer.send(&Message::new("a", b"x").bytes(V3_1_1));
        until_disconnect(&mut peer);
    });
    let run = client(SUB, server.port(), &["-t", "a", "-C", "1"]).stdout_file("/dev/full").run();
    run.exits(1).mentions("Error: standard output: No space left on device");
    server.finish();
}

/// A starting broker is unavailable at first.
#[test]
fn refusal_after_a_lost_connection_is_waited_out() {
    let server = Server::start(|listener| {
        listener.accept_session(V3_1_1).close();
        for _ in 0..2 {
            let mut peer = listener.accept();
            peer.expect_connect(V3_1_1);
            peer.send(&packets::connack(V3_1_1, false, 3));
            peer.close();
        }
        let mut peer = listener.accept_session(V3_1_1);
        peer.grant_subscription(V3_1_1);
        peer.send(&Message::new("a", b"x").bytes(V3_1_1));
        peer.drain();
    });
    client(SUB, server.port(), &["-t", "a", "-C", "1"]).run().exits(0).prints("x\n");
    server.finish();
}

/// A port that closes the connection may expect TLS.
#[test]
fn port_that_closes_the_connection_is_asked_for_tls() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept();
        peer.expect_connect(V3_1_1);
        peer.close();
        listener.accept().expect_client_hello();
    });
    let run = client(PUB, server.port(), &["-t", "a", "-m", "x"]).run().exits(7);
    run.mentions("Error: The connection was lost\n");
    server.finish();
}

#[test]
fn payload_of_another_length_than_a_float_is_blank_with_one_warning() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V3_1_1);
        peer.grant_subscription(V3_1_1);
        for _ in 0..2 {
            peer.send(&Message::new("a", b"no float").bytes(V3_1_1));
        }
        peer.drain();
    });
    let line = ["-t", "a", "-C", "2", "-F", "%5f|"];
    let run = client(SUB, server.port(), &line).run().exits(0).prints("     |\n     |\n");
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    server.finish();
}

#[test]
fn clients_with_one_identifier_are_suspected() {
    let server = Server::start(|listener| {
        let mut serve = |payload: &[u8]| {
            let mut peer = listener.accept_session(V3_1_1);
            peer.grant_subscription(V3_1_1);
            peer.send(&Message::new("a", payload).bytes(V3_1_1));
            peer
        };
        (0..5).for_each(|_| serve(b"x").close());
        serve(b"y").drain();
    });
    let run = client(SUB, server.port(), &["-t", "a", "-C", "6", "-i", "same"]).run().exits(0);
    assert_eq!(run.stderr.matches("the same client identifier").count(), 1, "{}", run.stderr);
    server.finish();
}

/// The password cannot be asked for.
#[test]
fn encrypted_key_is_refused() {
    let authority = Authority::new("Test CA");
    let file = authority.file().display().to_string();
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/src/net/tests/keys");
    let (cert, key) = (format!("{keys}/ec-sha512.crt"), format!("{keys}/ec-pkcs8-aes256.key"));
    let words = ["-t", "a", "-m", "x", "--cafile", &file, "--cert", &cert, "--key", &key];
    client(PUB, 1, &words).run().exits(1).mentions("encrypted");
}
