//! Clearings that end early, and servers that end them.

use mqtt::broker::{Cut, Faults};
use mqtt::protocol::Protocol::{self, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::wire::{self, Packet, PacketType};

use rustix::process::Signal;

use crate::retain_clear::{fates, file, records, retain_clear};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::packets::{self, Message};
use crate::support::report;
use crate::support::server::Server;

/// The connection is lost three times in the middle: the run continues.
#[test]
fn a_link_that_is_dropped_in_the_middle() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let source = file(&folder, "source.jsonl", &records(500));
    retain_clear(broker.port(), &["--restore", &source]).run().exits(0);
    let cut = Cut { after_packets: 20, answer_last: false, connections: 4 };
    broker.embedded().set_faults(Faults { cut: Some(cut), ..Faults::default() });
    let outcome = retain_clear(broker.port(), &["#", "--yes", "--json"]).run().exits(0);
    assert!(outcome.stderr.matches("connection lost").count() >= 3, "{}", outcome.stderr);
    let report = report("retain-clear", &outcome.stdout);
    assert_eq!((&report["done"], &report["left"]), (&500.into(), &0.into()));
}

/// After a signal the run reports its progress, and the next run continues.
#[test]
fn an_interruption_says_what_was_done() {
    let broker = Broker::start();
    broker.publish().args(["-t", "a", "-m", "1", "-q", "1", "-r"]).run().exits(0);
    broker.embedded().set_faults(Faults { withhold: vec![PacketType::PubAck.into()], ..Faults::default() });
    let running = retain_clear(broker.port(), &["a", "--yes", "--json", "-d"]).spawn();
    // The barrier of the scan has a payload, the clearing message has none.
    running.wait_for_stderr("'a', ... (0 bytes)");
    running.signal(Signal::INT);
    let outcome = running.wait_for_end().dies_of(Signal::INT).mentions("1 sent without an answer");
    let report = report("retain-clear", &outcome.stdout);
    assert_eq!((&report["interrupted"], fates(&report)), (&true.into(), vec![("a", "unconfirmed")]));
    broker.embedded().set_faults(Faults::default());
    retain_clear(broker.port(), &["a", "--yes"]).run().exits(0);
}

/// A signal ends the run while the question is open.
#[test]
fn an_interruption_at_the_question() {
    let broker = Broker::start();
    broker.publish().args(["-t", "a", "-m", "1", "-q", "1", "-r"]).run().exits(0);
    let running = retain_clear(broker.port(), &["#"]).on_a_terminal().spawn();
    running.wait_for_stderr("[y/N] ").signal(Signal::INT);
    running.wait_for_end().dies_of(Signal::INT).mentions("\nmqtt: ended early: nothing was cleared");
    broker.subscribe().args(["-t", "#", "--retained-only"]).run().exits(0).prints("1\n");
}

/// A reader that reads only the start of the list does not stop the clearing.
#[test]
fn a_reader_that_goes_away_ends_nothing() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let source = file(&folder, "source.jsonl", &records(3000));
    retain_clear(broker.port(), &["--restore", &source]).run().exits(0);
    let cleared = retain_clear(broker.port(), &["#", "--yes"]).close_stdout_after(1).run();
    cleared.exits(0).mentions("3000 cleared, and verified that none is left");
}

/// Interrupted in the middle: the backup is complete, the terminal showed the progress, and another run
/// continues.
#[test]
fn an_interruption_in_the_middle() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let source = file(&folder, "source.jsonl", &records(400));
    retain_clear(broker.port(), &["--restore", &source]).run().exits(0);
    let backup = folder.path().join("backup.jsonl");
    let line = ["#", "--yes", "--rate", "100", "--backup", backup.to_str().unwrap()];
    let running = retain_clear(broker.port(), &line).on_a_terminal().env("TERM", "xterm").spawn();
    running.wait_for_stderr(" of 400 [").signal(Signal::TERM);
    let outcome = running.wait_for_end().dies_of(Signal::TERM);
    outcome.mentions("not sent; run it again, with another file for --backup, to continue");
    assert_eq!(std::fs::read_to_string(backup).unwrap().lines().count(), 400);
    let rest = retain_clear(broker.port(), &["#", "--yes", "--json"]).run().exits(0);
    let rest = report("retain-clear", &rest.stdout);
    assert!(rest["found"].as_u64().unwrap() < 400 && rest["left"] == 0, "{rest:#}");
}

/// A server that is restarted in the middle, and keeps its messages.
#[test]
fn a_restart_in_the_middle() {
    let Some(mut mosquitto) = Mosquitto::start(&Setup::new().quiet().persistent()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = file(&folder, "source.jsonl", &records(300));
    retain_clear(mosquitto.port(), &["--restore", &source]).run().exits(0);
    let running = retain_clear(mosquitto.port(), &["#", "--yes", "--rate", "100", "-d"]).spawn();
    running.wait_for_stderr_times(" received PUBACK ", 20);
    mosquitto.stop();
    running.wait_for_stderr("connection lost");
    mosquitto.start_again();
    running.finish().exits(0).mentions("300 cleared, and verified that none is left");
}

/// A server that sends endlessly and reads nothing cannot prevent the end of a scan.
#[test]
fn a_server_that_never_stops_sending() {
    let protocol = Protocol::V5;
    let server = Server::start(move |listener| {
        let mut peer = listener.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.flood(&Message::new("a", b"1").retained().bytes(protocol));
    });
    let outcome = retain_clear(server.port(), &["#", "--dry-run", "-V", "5", "-W", "1s"]).run().exits(3);
    outcome
        .mentions("ended by its time limit of 1s")
        .mentions("1 would be cleared")
        .prints("a  QoS 0, 1 byte: 1\n");
    server.finish();
}

/// A scan whose server is gone ends at its timeout as well, and not as one that found nothing.
#[test]
fn a_server_that_does_not_come_back() {
    let server = Server::start(move |listener| {
        let mut peer = listener.accept_session(Protocol::V5);
        peer.grant_subscription(Protocol::V5);
        listener.close();
        peer.reset();
    });
    let outcome = retain_clear(server.port(), &["#", "--yes", "-V", "5", "-W", "1s"]).run().exits(1);
    outcome.mentions("no scan within 1s: ");
    server.finish();
}

/// A server that acknowledges nothing, although it answers PINGREQ.
#[test]
fn a_server_that_acknowledges_nothing() {
    for (limit, code, why) in [
        (["--connect-timeout", "2s"], 1, "no message was acknowledged for 2s"),
        (["-W", "4s"], 27, "timed out after 4s"),
    ] {
        let broker = Broker::start();
        broker.publish().args(["-t", "a", "-m", "1", "-q", "1", "-r"]).run().exits(0);
        broker
            .embedded()
            .set_faults(Faults { withhold: vec![PacketType::PubAck.into()], ..Faults::default() });
        let line = [&["a", "--yes", "--json"][..], &limit].concat();
        let outcome = retain_clear(broker.port(), &line).run().exits(code);
        let outcome = outcome.mentions(why).mentions("ended early");
        assert_eq!(fates(&report("retain-clear", &outcome.stdout)), [("a", "unconfirmed")]);
    }
}

/// A flood of retained messages uses up the time of the run: nothing is cleared afterwards, and no second
/// scan starts.
#[test]
fn a_flood_ends_a_clearing_at_the_time_limit() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let server = Server::start(move |listener| {
            let mut peer = listener.accept_session(V5);
            peer.grant_subscription(V5);
            peer.flood(&Message::new("a", b"1").at(qos, 1).retained().bytes(V5));
        });
        let outcome = retain_clear(server.port(), &["#", "--yes", "--json", "-V", "5", "-W", "1s"]).run();
        let outcome = outcome.exits(27).mentions("timed out after 1s").mentions("nothing was cleared");
        let report = report("retain-clear", &outcome.stdout);
        assert_eq!((&report["scan"]["ended_by"], &report["passes"]), (&"timeout".into(), &0.into()));
        assert_eq!(fates(&report), [("a", "not-sent")]);
        server.finish();
    }
}

/// A message that only the checking pass has found is not written with the lower QoS of that pass.
#[test]
fn export_names_what_it_found_and_has_not_written() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        let mut passes = 0;
        while let Some(bytes) = peer.next() {
            match wire::decode(V5, &bytes).unwrap() {
                Packet::Subscribe { packet_identifier, filters, .. } => {
                    passes += 1;
                    peer.send(&packets::suback(V5, packet_identifier, &vec![0; filters.iter().count()]));
                    for topic in ["a", "b"].into_iter().take(passes) {
                        peer.send(&Message::new(topic, b"1").retained().bytes(V5));
                    }
                }
                // The second pass is never answered completely.
                Packet::Publish(publish) if passes == 1 => {
                    let topic = std::str::from_utf8(publish.topic).unwrap();
                    peer.send(&Message::new(topic, publish.payload).bytes(V5));
                    if publish.qos != QoS::AtMostOnce {
                        peer.send(&packets::ack(PacketType::PubAck, publish.packet_identifier));
                    }
                }
                Packet::Unsubscribe { packet_identifier, .. } => {
                    peer.send(&packets::unsuback(V5, packet_identifier, &[0]));
                }
                Packet::PingReq if passes == 1 => peer.send(&packets::pingresp()),
                _ => {}
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.jsonl");
    let line = ["#", "--export", path.to_str().unwrap(), "-V", "5", "-W", "4s"];
    let run = retain_clear(server.port(), &line).run().exits(3);
    run.mentions("1 message found, but not written: the scan was ended before it had their own QoS ('b')")
        .mentions("1 written to ");
    server.finish();
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 1);
}
