//! The protocol version of each command if none is requested.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use mqtt::broker::Options;
use mqtt::protocol::Protocol::{V3_1, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::PacketType;

use crate::support::broker::Broker;
use crate::support::middle::{self, Fate, Mischief};
use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::Server;
use crate::support::{CONNECTING, Service as _, report};

/// The reaction of a broker of 3.1.1 to a CONNECT of MQTT 5 whose protocol level it does not check.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// The connection is closed.
    Closes,
    /// It ignores the packet, and the connection stays open.
    IsSilent,
    /// It reads the packet as one of 3.1.1, and answers that.
    Misreads,
}

/// A CONNECT of 3.1.1 without options.
const CONNECT: [u8; 14] = [0x10, 12, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 0];

impl Mischief for Manner {
    fn to_server(&self, packet: &[u8]) -> Fate {
        let is_v5 = packet[0] == 0x10 && packet.windows(5).any(|part| part == b"MQTT\x05");
        match self {
            _ if !is_v5 => Fate::Pass,
            Self::Closes => Fate::Close,
            Self::IsSilent => Fate::Instead(Vec::new()),
            Self::Misreads => Fate::Instead(CONNECT.to_vec()),
        }
    }
}

/// A broker of 3.1.1 and its port, with its reaction to a client of MQTT 5.
fn broker_of_3_1_1(manner: Option<Manner>) -> (Broker, u16) {
    let broker = Broker::with(Options { protocols: vec![V3_1_1], ..Options::default() });
    let port = manner.map_or(broker.port(), |manner| middle::start(broker.port(), manner));
    (broker, port)
}

#[track_caller]
fn every_command_finds_3_1_1(manner: Option<Manner>) {
    let (_broker, port) = broker_of_3_1_1(manner);
    for line in CONNECTING {
        let run = Mqtt::new(line[..1].iter().chain(&["-h", "127.0.0.1"]).copied());
        // `bench` has a subcommand first.
        let run = if line[0] == "bench" { Mqtt::new(["bench", line[1], "-h", "127.0.0.1"]) } else { run };
        let rest = if line[0] == "bench" { &line[2..] } else { &line[1..] };
        run.args(["-p", &port.to_string(), "--connect-timeout", "6s"]).args(rest).run().exits(0);
    }
}

#[test]
fn every_command_finds_3_1_1_where_the_version_is_refused() {
    every_command_finds_3_1_1(None);
}

#[test]
fn every_command_finds_3_1_1_where_mqtt_5_is_closed() {
    every_command_finds_3_1_1(Some(Manner::Closes));
}

#[test]
fn every_command_finds_3_1_1_where_mqtt_5_is_not_answered() {
    every_command_finds_3_1_1(Some(Manner::IsSilent));
}

#[test]
fn every_command_finds_3_1_1_where_mqtt_5_is_misread() {
    every_command_finds_3_1_1(Some(Manner::Misreads));
}

/// A payload does not start with the length of properties that the broker does not know.
#[test]
fn messages_to_a_broker_that_misreads_mqtt_5_are_intact() {
    let (broker, port) = broker_of_3_1_1(Some(Manner::Misreads));
    let subscriber = broker.subscribe().args(["-V", "311", "-t", "a", "-C", "1", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    Mqtt::publish(port).args(["-t", "a", "-m", "x"]).run().succeeds();
    subscriber.wait_for_end().exits(0).prints("x\n");
}

/// The losing connection ends with DISCONNECT, because its CONNECT may carry a will.
#[test]
fn connection_in_the_old_form_is_left_with_disconnect() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&[0x20, 2, 0, 0]);
        peer.expect_disconnect(V3_1_1);
        let mut peer = server.accept_session(V3_1_1);
        peer.expect(V3_1_1, &Message::new("a", b"x").bytes(V3_1_1));
        peer.expect_barrier_and_disconnect(V3_1_1);
    });
    let args = ["-t", "a", "-m", "x", "--will-topic", "w"];
    Mqtt::publish(server.port()).args(args).run().succeeds();
    server.finish();
}

#[test]
fn other_refusals_are_not_asked_again() {
    for reason in [0x80, 0x82, 0x85, 0x86, 0x87, 0x88, 0x8A, 0x97] {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&packets::connack(V5, false, reason));
            peer.expect_end();
            server.expect_no_connection();
        });
        let run = Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).run();
        run.exits(i32::from(reason));
        server.finish();
    }
}

#[test]
fn broker_of_3_1_is_met_after_two_refusals_of_the_version() {
    let server = Server::start(|server| {
        for protocol in [V5, V3_1_1] {
            let mut peer = server.accept();
            peer.expect_connect(protocol);
            peer.send(&[0x20, 2, 0, 1]);
            peer.expect_end();
        }
        let mut peer = server.accept_session(V3_1);
        peer.expect(V3_1, &Message::new("a", b"x").bytes(V3_1));
        peer.expect_barrier_and_disconnect(V3_1);
    });
    Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).run().succeeds();
    server.finish();
}

/// No version is left to try, and no failed one is suggested.
#[test]
fn hints_know_which_versions_were_tried() {
    let server = Server::start(|server| {
        for protocol in [V5, V3_1_1, V3_1] {
            let mut peer = server.accept();
            peer.expect_connect(protocol);
            peer.send(&[0x20, 2, 0, 1]);
            peer.expect_end();
        }
    });
    let run = Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).run();
    run.exits(132).mentions("hint: MQTT 5, 3.1.1 and 3.1 were tried").does_not_mention("-V");
    server.finish();
    // Closed each time: 3.1 is not tried, and so it is suggested.
    let server = Server::start(|server| {
        for protocol in [V5, V5, V3_1_1] {
            server.accept().expect_connect(protocol);
        }
    });
    let run = Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).run();
    run.exits(1).mentions("MQTT 5 and 3.1.1 were tried; -V 31 uses").does_not_mention("-V 311");
}

/// If an option needs MQTT 5, the missing support is named, however the broker shows it.
#[test]
fn option_that_needs_mqtt_5_is_named() {
    for manner in [None, Some(Manner::Closes), Some(Manner::IsSilent), Some(Manner::Misreads)] {
        let (_broker, port) = broker_of_3_1_1(manner);
        for (option, args) in
            [("-x", &["-x", "60"][..]), ("-D", &["-D", "connect", "user-property", "a", "b"])]
        {
            let args = [&["-t", "a", "-m", "x", "--connect-timeout", "3s"], args].concat();
            let run = Mqtt::publish(port).args(args).run();
            let hint = format!("hint: the broker does not support MQTT 5, which {option}");
            assert!(run.stderr.contains(&hint), "{manner:?} {option}: {}", run.stderr);
        }
    }
}

/// A guess about the version holds for one connection: with a forwarder that closes at once, or a broker that
/// was down, MQTT 5 is tried again.
#[test]
fn guessed_version_is_not_kept_for_the_next_link() {
    let server = Server::start(|server| {
        for _ in 0..2 {
            server.accept().expect_connect(V5);
        }
        let mut peer = server.accept_session(V3_1_1);
        peer.grant_subscription(V3_1_1);
        peer.close();
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&Message::new("a", b"x").with(&[(PropertyId::ContentType, Value::Text("t"))]).bytes(V5));
        peer.expect_disconnect(V5);
    });
    let args = ["-t", "a", "-C", "1", "-F", "%p %C", "--reconnect-max-delay", "50ms"];
    Mqtt::subscribe(server.port()).args(args).run().exits(0).prints("x t\n");
    server.finish();
}

/// Closes this number of connections at CONNECT, like a forwarder whose broker is starting.
struct ClosesFirst(AtomicU32);

impl Mischief for ClosesFirst {
    fn to_server(&self, packet: &[u8]) -> Fate {
        let is_closed =
            || self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if packet[0] == 0x10 && is_closed().is_ok() { Fate::Close } else { Fate::Pass }
    }
}

/// A broker, and a port at which it closes this number of connections first.
fn broker_that_closes_first(count: u32) -> (Broker, String) {
    let broker = Broker::start();
    let port = middle::start(broker.port(), ClosesFirst(count.into()));
    (broker, port.to_string())
}

/// One early close says nothing about the version: a backup, a record and a request keep their properties.
#[test]
fn mqtt_5_is_asked_for_once_more_after_an_early_close() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("b.jsonl");
    let record = r#"{"topic":"a","payload":"x","retain":true,"properties":{"content-type":"t"}}"#;

    let (broker, port) = broker_that_closes_first(1);
    let line = ["pub", "-h", "127.0.0.1", "-p", &port, "--json", "--keep-retain", "-q", "1"];
    Mqtt::new(line).stdin(record).run().succeeds();
    broker.subscribe().args(["-t", "a", "-C", "1", "-F", "%p %C"]).run().succeeds().prints("x t\n");

    let port = middle::start(broker.port(), ClosesFirst(1.into())).to_string();
    let run = Mqtt::new(["sub", "-h", "127.0.0.1", "-p", &port, "-t", "a", "-C", "1", "--json"]).run();
    assert!(String::from_utf8_lossy(&run.succeeds().stdout).contains(r#""content-type":"t""#));

    let port = middle::start(broker.port(), ClosesFirst(1.into())).to_string();
    let line = ["retain-clear", "-h", "127.0.0.1", "-p", &port, "a", "--yes"];
    Mqtt::new(line).arg_path("--backup", &backup).run().exits(0);
    assert!(std::fs::read_to_string(&backup).unwrap().contains(r#""content-type":"t""#));

    let port = middle::start(broker.port(), ClosesFirst(1.into())).to_string();
    let line = ["retain-clear", "-h", "127.0.0.1", "-p", &port];
    Mqtt::new(line).arg_path("--restore", &backup).run().exits(0);
    broker.subscribe().args(["-t", "a", "-C", "1", "-F", "%p %C"]).run().succeeds().prints("x t\n");

    let port = middle::start(broker.port(), ClosesFirst(1.into())).to_string();
    let responder = Mqtt::new(["respond", "-h", "127.0.0.1", "-p", &port, "-t", "q", "--echo", "-d"]).spawn();
    responder.wait_until_subscribed();
    let rr = ["rr", "-h", "127.0.0.1", "-p", &broker.port().to_string(), "-t", "q", "-m", "x"];
    Mqtt::new(rr).run().succeeds().prints("x\n");
}

/// A request needs MQTT 5 like an option does: no close makes it use 3.1.1.
#[test]
fn request_without_response_topic_waits_for_mqtt_5() {
    let (broker, port) = broker_that_closes_first(2);
    let responder = Mqtt::new(["respond", "-h", "127.0.0.1", "-p", &broker.port().to_string()]);
    let responder = responder.args(["-t", "q", "--echo", "-d"]).spawn();
    responder.wait_until_subscribed();
    let line = ["rr", "-h", "127.0.0.1", "-p", &port, "-t", "q", "-m", "x", "--wait-for-server", "60"];
    Mqtt::new(line).args(["--reconnect-max-delay", "50ms"]).run().exits(0).prints("x\n");
}

#[test]
fn request_without_response_topic_has_a_hint_where_mqtt_5_is_not_answered() {
    for manner in [Manner::Closes, Manner::IsSilent] {
        let (_broker, port) = broker_of_3_1_1(Some(manner));
        let line = ["rr", "-h", "127.0.0.1", "-p", &port.to_string(), "-t", "q", "-m", "x"];
        let run = Mqtt::new(line).args(["--connect-timeout", "1s"]).run().exits(1);
        run.mentions("name the topic that the responder responds on: -e TOPIC").does_not_mention("-V 31");
    }
}

/// Two early closes: the guess is told once, to a run that shows properties.
#[test]
fn guessed_version_has_a_warning_where_properties_matter() {
    for (format, warns) in [("%p", false), ("%p %C", true), ("%j", true)] {
        let server = Server::start(|server| {
            for is_last in [false, true] {
                for _ in 0..2 {
                    server.accept().expect_connect(V5);
                }
                let mut peer = server.accept_session(V3_1_1);
                peer.grant_subscription(V3_1_1);
                if is_last {
                    peer.send(&Message::new("a", b"x").bytes(V3_1_1));
                    peer.expect_disconnect(V3_1_1);
                }
            }
        });
        let args = ["-t", "a", "-C", "1", "-F", format, "--reconnect-max-delay", "50ms"];
        let run = Mqtt::subscribe(server.port()).args(args).run().exits(0);
        let warning = "mqtt: warning: the broker closed two connections with MQTT 5 without an answer; this \
                       connection uses MQTT 3.1.1, without properties";
        assert_eq!(run.stderr.matches(warning).count(), usize::from(warns), "{format}: {}", run.stderr);
        server.finish();
    }
}

/// The broker's explicit answer is remembered.
#[test]
fn refused_version_is_not_asked_for_again() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&[0x20, 2, 0, 1]);
        peer.expect_end();
        for _ in 0..2 {
            let mut peer = server.accept_session(V3_1_1);
            peer.grant_subscription(V3_1_1);
            peer.close();
        }
        let mut peer = server.accept_session(V3_1_1);
        peer.grant_subscription(V3_1_1);
        peer.send(&Message::new("a", b"x").bytes(V3_1_1));
        peer.expect_disconnect(V3_1_1);
    });
    let args = ["-t", "a", "-C", "1", "--reconnect-max-delay", "50ms"];
    Mqtt::subscribe(server.port()).args(args).run().exits(0).prints("x\n");
    server.finish();
}

/// A broker that has accepted MQTT 5 supports it after a restart too.
#[test]
fn broker_that_has_accepted_mqtt_5_is_not_guessed_about() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.close();
        for _ in 0..3 {
            server.accept().expect_connect(V5);
        }
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&Message::new("a", b"x").bytes(V5));
        peer.expect_disconnect(V5);
    });
    let args = ["-t", "a", "-C", "1", "--reconnect-max-delay", "50ms"];
    Mqtt::subscribe(server.port()).args(args).run().exits(0).prints("x\n");
    server.finish();
}

/// A message is sent again in the format of the new connection's version.
#[test]
fn messages_in_flight_change_their_version_with_the_link() {
    let server = Server::start(|server| {
        for _ in 0..2 {
            server.accept().expect_connect(V5);
        }
        let mut peer = server.accept_session(V3_1_1);
        peer.expect_publish(V3_1_1, QoS::AtLeastOnce, b"x");
        peer.close();
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::AtLeastOnce, b"x");
        peer.close();
        // The broker is replaced by an older one.
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&[0x20, 2, 0, 1]);
        peer.expect_end();
        let mut peer = server.accept_session(V3_1_1);
        let (identifier, _) = peer.expect_publish(V3_1_1, QoS::AtLeastOnce, b"x");
        peer.send(&packets::ack(PacketType::PubAck, identifier));
        let (identifier, _) = peer.expect_publish(V3_1_1, QoS::AtLeastOnce, b"y");
        peer.send(&packets::ack(PacketType::PubAck, identifier));
        peer.expect_disconnect(V3_1_1);
    });
    let args = ["-t", "a", "-l", "-q", "1", "-M", "1", "--reconnect-max-delay", "50ms"];
    Mqtt::publish(server.port()).args(args).stdin("x\ny\n").run().exits(0);
    server.finish();
}

/// A case that such a broker cannot show is skipped.
#[test]
fn will_test_skips_what_needs_mqtt_5() {
    for manner in [None, Some(Manner::Closes)] {
        let (_broker, port) = broker_of_3_1_1(manner);
        for args in [&[][..], &["--version-matrix"]] {
            let line = ["will-test", "-h", "127.0.0.1", "-p", &port.to_string(), "--parallel", "--json"];
            let run = Mqtt::new(line).args(["--tolerance", "10s"]).args(args).run().exits(0);
            let report = report("will-test", &run.stdout);
            assert_eq!((&report["failed"], &report["inconclusive"]), (&0.into(), &0.into()), "{report:#}");
            let skipped: BTreeSet<&str> = report["cases"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|case| case["verdict"] == "skipped")
                .map(|case| case["detail"].as_str().unwrap())
                .collect();
            let why = "needs MQTT 5, which the broker does not support";
            assert_eq!(skipped, BTreeSet::from([why]), "{report:#}");
        }
    }
}

/// A broker of 3.1.1 takes the properties of MQTT 5 for something else, the client identifier or the user
/// name, and refuses that. Its answer to 3.1.1 counts.
#[test]
fn refusal_in_the_old_form_is_followed_by_3_1_1() {
    for (code, accepts) in [(2, true), (4, true), (5, true), (5, false)] {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&[0x20, 2, 0, code]);
            peer.expect_end();
            if accepts {
                let mut peer = server.accept_session(V3_1_1);
                peer.expect(V3_1_1, &Message::new("a", b"x").bytes(V3_1_1));
                peer.expect_barrier_and_disconnect(V3_1_1);
            } else {
                let mut peer = server.accept();
                peer.expect_connect(V3_1_1);
                peer.send(&[0x20, 2, 0, code]);
                peer.expect_end();
            }
        });
        let run = Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).run();
        run.exits(if accepts { 0 } else { 135 });
        server.finish();
    }
}

/// A port that has answered with MQTT needs neither TLS nor WebSockets, and is not probed for them.
#[test]
fn refused_version_is_named_where_the_next_is_not_answered() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack(V5, false, 0x84));
        peer.close();
        let mut peer = server.accept();
        peer.expect_connect(V3_1_1);
        peer.close();
        server.expect_no_connection();
    });
    let run = Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).run().exits(1);
    run.mentions("hint: the broker refused MQTT 5; MQTT 5 and 3.1.1 were tried; -V 31 uses MQTT 3.1")
        .does_not_mention("TLS");
    server.finish();
}

/// A return code of 3.1.1 with the empty properties of MQTT 5, and the reverse.
#[test]
fn refused_version_in_the_form_of_another_version_is_followed_by_the_next() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept();
        peer.expect_connect(V5);
        peer.send(&[0x20, 3, 0, 1, 0]);
        let mut peer = listener.accept();
        peer.expect_connect(V3_1_1);
        peer.send(&[0x20, 3, 0, 0x84, 0]);
        let mut peer = listener.accept_session(V3_1);
        peer.expect(V3_1, &Message::new("a", b"x").bytes(V3_1));
        peer.expect_barrier_and_disconnect(V3_1);
    });
    Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).run().succeeds();
    server.finish();
}

#[test]
fn broker_of_mqtt_5_that_refuses_3_1_1_in_its_own_form_has_a_hint() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept();
        peer.expect_connect(V3_1_1);
        peer.send(&[0x20, 3, 0, 0x84, 0]);
    });
    let run = Mqtt::publish(server.port()).args(["-V", "311", "-t", "a", "-n"]).run().exits(132);
    run.mentions("Unsupported Protocol Version (0x84)").mentions("-V 5 uses MQTT 5");
    server.finish();
}

/// A restarting broker closes the first connection, whatever version it requests.
#[test]
fn early_close_is_not_taken_for_a_missing_version() {
    let server = Server::start(|listener| {
        for _ in 0..2 {
            listener.accept().expect_connect(V5);
            let mut peer = listener.accept_session(V5);
            peer.grant_subscription(V5);
            peer.send(&Message::new("a", b"x").bytes(V5));
            peer.drain();
        }
    });
    // An option that needs MQTT 5, and a command that does.
    Mqtt::subscribe(server.port()).args(["-t", "a", "--no-local", "-C", "1"]).run().exits(0).prints("x\n");
    let port = server.port().to_string();
    Mqtt::new(["rr", "-h", "127.0.0.1", "-p", &port, "-t", "a", "-m", "x", "-W", "1s"]).run().exits(27);
    server.finish();
}

#[test]
fn authentication_method_at_a_broker_that_answers_in_the_old_form_is_named() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept();
        peer.expect_connect(V5);
        peer.send(&[0x20, 2, 0, 0]);
        peer.drain();
    });
    let args = ["-V", "5", "-t", "a", "-n", "--auth-method", "SCRAM-SHA-256", "-u", "u", "-P", "p"];
    let run = Mqtt::publish(server.port()).args(args).run().exits(1);
    run.mentions(
        "the broker accepts CONNECT of MQTT 5 in the form of MQTT 3.1.1 (return code 0, no properties)",
    );
    server.finish();
}

/// What was received is reported, and not a Reason Code that was not: in every form of output.
#[test]
fn answer_in_the_old_form_is_reported_as_it_was_received() {
    for (code, says, status) in [
        (0, "in the form of MQTT 3.1.1 (return code 0, no properties)", 1),
        (1, "connection refused with return code 1 of MQTT 3.1.1: Unsupported Protocol Version (0x84)", 132),
        (5, "connection refused with return code 5 of MQTT 3.1.1: Not authorized (0x87)", 135),
    ] {
        for words in [
            &["pub", "-t", "a", "-n"][..],
            &["sub", "-t", "a", "--json-events"],
            &["ping"],
            &["ping", "--json"],
            &["retain-clear", "a", "--dry-run"],
            &["will-test", "--case", "take-over"],
        ] {
            let server = Server::start(move |listener| {
                let mut peer = listener.accept();
                peer.expect_connect(V5);
                peer.send(&[0x20, 2, 0, code]);
                peer.drain();
            });
            let port = server.port().to_string();
            let run = Mqtt::new(words).args(["-h", "127.0.0.1", "-p", &port, "-V", "5"]).run().exits(status);
            assert_eq!(run.stderr.contains("0x84"), code == 1, "{words:?}: {}", run.stderr);
            let has_code = run.stderr.contains("\"reason_code\":132");
            assert_eq!(has_code, code == 1 && words[0] == "sub", "{}", run.stderr);
            run.mentions(says).mentions("-V 311 uses ");
            server.finish();
        }
    }
}
