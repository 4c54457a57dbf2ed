//! Long texts from a peer: text output shows their start and their length, JSON has them complete.

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::reason::ReasonCode;
use mqtt::protocol::wire;

use crate::support::broker::Broker;
use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets::{self, Message};
use crate::support::server::{Peer, Server};
use crate::support::{Service as _, pki, write};

/// Longer than any line may be.
const LONG_BYTES: usize = 60_000;

fn long() -> String {
    "x".repeat(LONG_BYTES)
}

fn connack(reason: u8, list: &[(PropertyId, Value<'_>)]) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    wire::connack(&mut out, V5, false, ReasonCode(reason), &packets::properties(list));
    out.to_vec()
}

fn disconnect(reason: u8, list: &[(PropertyId, Value<'_>)]) -> Vec<u8> {
    let mut out = bytes::BytesMut::new();
    wire::disconnect(&mut out, V5, ReasonCode(reason), &packets::properties(list));
    out.to_vec()
}

fn run_against(args: &[&str], script: impl FnOnce(&mut Peer) + Send + 'static) -> Outcome {
    let server = Server::start(move |server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        script(&mut peer);
        peer.drain();
    });
    let port = server.port().to_string();
    let line = ["-h", "127.0.0.1", "-p", &port, "-V", "5"];
    Mqtt::new([&args[..1], &line, &args[1..]].concat()).run()
}

/// No line of standard error is longer than a few quotations, and one contains a text that was cut.
fn assert_cut(outcome: &Outcome) {
    let longest = outcome.stderr.lines().map(str::len).max().unwrap_or(0);
    assert!(longest < 1000, "a line of {longest} bytes");
    let end = format!("xxx… ({LONG_BYTES} bytes)");
    assert!(outcome.stderr.contains(&end), "{}", outcome.stderr);
}

#[test]
fn texts_of_a_broker_are_cut_in_text_and_whole_in_json() {
    const PUB: &[&str] = &["pub", "-t", "a", "-m", "x", "-q", "1"];
    const SUB: &[&str] = &["sub", "-t", "a", "--reconnect", "never"];
    let long = long();
    let text = |id| vec![(id, Value::Text(&long))];
    let pair = [(PropertyId::UserProperty, Value::Pair(&long, &long))];
    for (args, answer) in [
        (PUB, connack(0x87, &text(PropertyId::ReasonString))),
        (PUB, connack(0x9C, &text(PropertyId::ServerReference))),
        (&[PUB, &["--follow-redirect"]].concat(), connack(0x9D, &text(PropertyId::ServerReference))),
        (PUB, connack(0x87, &pair)),
        (SUB, connack(0, &text(PropertyId::AssignedClientIdentifier))),
        (SUB, connack(0, &text(PropertyId::ResponseInformation))),
        (SUB, [connack(0, &[]), disconnect(0x8B, &text(PropertyId::ReasonString))].concat()),
        (SUB, [connack(0, &[]), disconnect(0x9C, &text(PropertyId::ServerReference))].concat()),
        (SUB, [connack(0, &[]), Message::new(&long, b"x").bytes(V5)].concat()),
        (SUB, [connack(0, &[]), Message::new("a", b"x").with(&pair).bytes(V5)].concat()),
        (
            SUB,
            [connack(0, &[]), Message::new("a", b"x").with(&text(PropertyId::ContentType)).bytes(V5)]
                .concat(),
        ),
    ] {
        let (plain, whole) = (answer.clone(), answer);
        let answer_and_close = |answer: Vec<u8>| {
            move |peer: &mut Peer| {
                peer.send(&answer);
                peer.send(&disconnect(0x8B, &[]));
            }
        };
        assert_cut(&run_against(&[args, &["-d"]].concat(), answer_and_close(plain)));
        let outcome = run_against(&[args, &["--json-events"]].concat(), answer_and_close(whole));
        assert!(outcome.stderr.contains(&long), "{args:?}: no whole text");
    }
}

/// `ping` has the properties of CONNACK in its report.
#[test]
fn texts_in_the_report_of_ping_are_cut_in_text_and_whole_in_json() {
    let long = long();
    let list = [(PropertyId::ResponseInformation, Value::Text(&long))];
    let answer = |answer: Vec<u8>| {
        move |peer: &mut Peer| {
            peer.send(&answer);
            peer.send(&disconnect(0x8B, &[]));
        }
    };
    let text = run_against(&["ping"], answer(connack(0, &list)));
    let lines = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(lines.contains(&format!("xxx… ({LONG_BYTES} bytes)")), "{lines}");
    assert!(lines.lines().all(|line| line.len() < 1000), "{lines}");
    let json = run_against(&["ping", "--json"], answer(connack(0, &list)));
    assert!(String::from_utf8_lossy(&json.stdout).contains(&long));
}

/// As many as fit into a packet.
#[test]
fn properties_are_counted_after_the_first_hundred() {
    let list = vec![(PropertyId::UserProperty, Value::Pair("k", "v")); 5000];
    for args in [&["sub", "-t", "a", "-d", "--reconnect", "never"][..], &["ping"]] {
        let answer = connack(0, &list);
        let outcome = run_against(args, move |peer| {
            peer.send(&answer);
            peer.send(&disconnect(0x8B, &[]));
        });
        let printed = String::from_utf8_lossy(&outcome.stdout).into_owned() + &outcome.stderr;
        assert!(printed.lines().count() < 150, "{printed}");
        assert!(printed.contains("and 4900 more properties\n"), "{printed}");
    }
}

/// The user's own texts are cut too in readable lines.
#[test]
fn own_long_texts_are_cut() {
    let long = long();
    let broker = Broker::start();
    let args = ["-i", &long, "-u", &long, "-t", &long, "--will-topic", &long, "-n", "-d", "-V", "5"];
    assert_cut(&broker.publish().args(args).run().exits(0));
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        let (identifier, _) = peer.expect_subscribe(V5);
        peer.send(&packets::suback(V5, identifier, &[0x87]));
        peer.drain();
    });
    assert_cut(&Mqtt::subscribe(server.port()).args(["-t", &long]).run());
    assert_cut(&Mqtt::new(["pub", "-h", &long, "-t", "a", "-n"]).run());
}

/// Also texts from files.
#[test]
fn long_texts_of_files_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let long = long();
    let lines = |line: &str| write(folder.path(), "o", line);
    for (args, content) in [
        (["-o"], format!("--{long} x\n")),
        (["--config"], format!("{long} = 1\n")),
        (["--config"], format!("default-profile = '{long}'\n")),
        (["--config"], format!("default-profile = 'a'\n[profile.a]\n{long} = 1\n")),
    ] {
        let file = lines(&content);
        let outcome = Mqtt::new(["pub", "-t", "a", "-n"]).args(args).args([&file]).run().exits(2);
        assert!(outcome.stderr.contains("xxx… ("), "{}", outcome.stderr);
        assert!(outcome.stderr.lines().all(|line| line.len() < 1000), "{}", outcome.stderr);
    }
    let many: String = (0..3000).map(|number| format!("[profile.p{number}]\n")).collect();
    let file = lines(&many);
    let outcome = Mqtt::new(["pub", "-t", "a", "-n", "--profile", "zzz", "--config", &file]).run().exits(2);
    assert!(outcome.stderr.contains(" and 2995 more"), "{}", outcome.stderr);
    let heading = lines(&format!("\"{}\n", "x\"\"\\".repeat(100_000)));
    let outcome = Mqtt::new(["bench", "conn", "--credentials", &heading]).run();
    assert!(outcome.stderr.len() < 1000, "{}", outcome.stderr);
}

/// The first few are described separately.
#[test]
fn unusable_authorities_are_counted_after_the_first_few() {
    let folder = tempfile::tempdir().unwrap();
    let authorities = folder.path().join("authorities");
    std::fs::create_dir(&authorities).unwrap();
    let good = std::fs::read_to_string(pki::Authority::new("Good").file()).unwrap();
    let block = "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n";
    let file = write(&authorities, "a.pem", &(good + &block.repeat(5000)));
    let place = authorities.display().to_string();
    for args in [["--capath", &place], ["--cafile", &file]] {
        let line = ["pub", "-t", "a", "-n", "-h", "127.0.0.1", "-p", "1"];
        let outcome = Mqtt::new(line).args(args).run().exits(1);
        let warnings =
            outcome.stderr.lines().filter(|line| line.contains("ignored as a certificate authority")).count();
        assert_eq!(warnings, 6, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("4995 more"), "{}", outcome.stderr);
    }
    let file = write(&authorities, "a.pem", &block.repeat(5000));
    let line = ["pub", "-t", "a", "-n", "-h", "127.0.0.1", "-p", "1", "--cafile", &file];
    Mqtt::new(line).run().exits(1).mentions("(and 4999 more)");
}

/// Acknowledged and refused at once.
#[test]
fn reason_string_of_a_puback_is_cut() {
    let long = long();
    let outcome = run_against(&["pub", "-t", "a", "-m", "x", "-q", "1"], move |peer| {
        peer.send(&connack(0, &[]));
        let (identifier, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"x");
        let properties = [&[0x1F][..], &60_000_u16.to_be_bytes(), long.as_bytes()].concat();
        // 60,003 and 60,009 as variable byte integers.
        let head = [&[0x40, 0xE9, 0xD4, 0x03][..], &identifier.to_be_bytes(), &[0x87, 0xE3, 0xD4, 0x03]];
        peer.send(&[head.concat(), properties].concat());
    });
    assert_cut(&outcome.exits(135));
}
