//! Programs that are killed and restarted: `sub --session-file` and `pub --spool`.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{Properties, PropertyId, Value};
use mqtt::protocol::wire::{self, Packet, PacketType};
use rstest::rstest;
use rustix::process::Signal;

use crate::support::broker::Broker;
use crate::support::middle::{self, Fate, Mischief};
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::{Mqtt, Outcome, Running};
use crate::support::packets::{self, Message};
use crate::support::server::Server;
use crate::support::{Kind, Service, version};

/// A short back-off, so that the test does not wait for it.
const SOON: [&str; 2] = ["--reconnect-max-delay", "50ms"];

fn numbers(range: std::ops::Range<usize>) -> String {
    range.map(|number| format!("{number}\n")).collect()
}

/// Kills a program and returns its complete lines: the last one may be incomplete.
fn killed(running: Running) -> Vec<usize> {
    running.signal(Signal::KILL);
    let outcome = running.wait_for_end().dies_of(Signal::KILL);
    let whole = outcome.stdout.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    lines(&outcome.stdout[..whole])
}

fn lines(bytes: &[u8]) -> Vec<usize> {
    std::str::from_utf8(bytes).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

/// Records the QoS 2 payloads that a subscriber has acknowledged.
#[derive(Default)]
struct Witness {
    protocol: Option<Protocol>,
    under_way: Mutex<HashMap<u16, usize>>,
    acknowledged: Mutex<HashSet<usize>>,
}

struct Watch(Arc<Witness>);

impl Mischief for Watch {
    fn to_client(&self, packet: &[u8]) -> Fate {
        if let Ok(Packet::Publish(publish)) = wire::decode(self.0.protocol.unwrap(), packet) {
            let number = std::str::from_utf8(publish.payload).unwrap().parse().unwrap();
            self.0.under_way.lock().unwrap().insert(publish.packet_identifier, number);
        }
        Fate::Pass
    }

    fn to_server(&self, packet: &[u8]) -> Fate {
        if let Ok(Packet::PubRec(ack)) = wire::decode(self.0.protocol.unwrap(), packet) {
            let number = self.0.under_way.lock().unwrap()[&ack.packet_identifier];
            self.0.acknowledged.lock().unwrap().insert(number);
        }
        Fate::Pass
    }
}

/// A subscriber that is killed repeatedly: no message is lost, and none is repeated that it had acknowledged.
/// Messages that were only written out may be repeated, and are here: each kill answers a write.
#[rstest]
fn a_killed_subscriber(#[values(V3_1_1, V5)] protocol: Protocol) {
    const KILLS: usize = 12;
    const PER_LIFE: usize = 300;
    let broker = Broker::start();
    let witness = Arc::new(Witness { protocol: Some(protocol), ..Witness::default() });
    let port = middle::start(broker.port(), Watch(Arc::clone(&witness)));
    let folder = tempfile::tempdir().unwrap();
    let subscribe = || {
        let args = ["-V", version(protocol), "-t", "k", "-q", "2", "-c", "-i", "reader", "--session-file"];
        Mqtt::subscribe(port).args(args).args([folder.path().join("session")])
    };
    subscribe().args(["-E"]).run().succeeds();
    let total = KILLS * PER_LIFE;
    let mut seen = HashSet::new();
    for life in 0..=KILLS {
        let acknowledged = witness.acknowledged.lock().unwrap().clone();
        let feed = broker.publish().args(["-t", "k", "-q", "2", "-l"]);
        let received = if life < KILLS {
            let feed = feed.stdin(numbers(life * PER_LIFE..(life + 1) * PER_LIFE)).spawn();
            let subscriber = subscribe().spawn();
            // At different times: at its start or later.
            subscriber.wait_for_lines([1, PER_LIFE, 7, PER_LIFE / 2][life % 4]);
            let received = killed(subscriber);
            feed.finish().exits(0);
            received
        } else {
            feed.stdin(numbers(total..total + 1)).run().exits(0);
            let subscriber = subscribe().spawn();
            subscriber.wait_for_stdout(&format!("{total}\n")).signal(Signal::TERM);
            lines(&subscriber.wait_for_end().exits(0).stdout)
        };
        for number in received {
            assert!(!acknowledged.contains(&number), "{number} came again in life {life}");
            seen.insert(number);
        }
    }
    assert_eq!(seen.len(), total + 1, "all of them came");
}

/// The record is written before PUBREC, its end before PUBCOMP, and both survive the program.
#[test]
fn an_earlier_run_has_delivered_it() {
    let protocol = Protocol::V3_1_1;
    let folder = tempfile::tempdir().unwrap();
    let ((released, is_released), (killed_it, is_killed)) = (mpsc::channel(), mpsc::channel());
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        for (identifier, payload) in [(3, b"1"), (4, b"2")] {
            peer.send(&Message::new("a", payload).at(QoS::ExactlyOnce, identifier).bytes(protocol));
            peer.expect(protocol, &packets::ack(PacketType::PubRec, identifier));
        }
        peer.send(&packets::ack(PacketType::PubRel, 3));
        peer.expect(protocol, &packets::ack(PacketType::PubComp, 3));
        // The link stays open until the first run is killed; otherwise that run would reconnect.
        released.send(()).unwrap();
        is_killed.recv().unwrap();
        drop(peer);
        // The second receives one message again, and a new one.
        let mut peer = server.accept_kept_session(protocol);
        peer.grant_subscription(protocol);
        for (identifier, payload) in [(4, b"2"), (3, b"3")] {
            peer.send(&Message::new("a", payload).at(QoS::ExactlyOnce, identifier).dup().bytes(protocol));
            peer.expect(protocol, &packets::ack(PacketType::PubRec, identifier));
            peer.send(&packets::ack(PacketType::PubRel, identifier));
            peer.expect(protocol, &packets::ack(PacketType::PubComp, identifier));
        }
        peer.expect_disconnect(protocol);
        // The session is lost: the identifiers belong to other messages.
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.send(&Message::new("a", b"4").at(QoS::ExactlyOnce, 4).bytes(protocol));
        peer.expect(protocol, &packets::ack(PacketType::PubRec, 4));
        peer.expect(protocol, &packets::pingreq());
        peer.send(&packets::pingresp());
        peer.expect_disconnect(protocol);
    });
    let subscribe = || {
        let args = ["-V", "311", "-t", "a", "-q", "2", "-c", "-i", "me", "--session-file"];
        Mqtt::subscribe(server.port()).args(args).args([folder.path().join("session")])
    };
    let first = subscribe().spawn();
    is_released.recv().unwrap();
    assert_eq!(killed(first), [1, 2]);
    killed_it.send(()).unwrap();
    let second = subscribe().args(["-d"]).spawn();
    second.wait_for_stderr_times("sending PUBCOMP", 2);
    second.signal(Signal::TERM);
    second.wait_for_end().exits(0).prints("3\n");
    subscribe().args(["-C", "1"]).run().exits(0).prints("4\n");
}

/// A publisher was killed between PUBREC and PUBREL, without a spool. The next run does not know that
/// message, but the server still holds it under an identifier that will be used again.
#[rstest]
fn messages_left_at_the_broker_by_an_earlier_run_are_released(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(V3_1_1, V5)] protocol: Protocol,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let v = version(protocol);
    let session = ["-V", v, "-c", "-i", "writer", "-q", "2", "-t", "k"];
    broker.publish().args(session).args(["-m", "first"]).run().succeeds();
    let subscriber = broker.subscribe().args(["-V", v, "-t", "k", "-q", "2", "-C", "2", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    {
        let mut out = bytes::BytesMut::new();
        let properties = packets::properties(&[(PropertyId::SessionExpiryInterval, Value::Number(1000))]);
        wire::connect(
            &mut out,
            &wire::Connect {
                protocol,
                clean_start: false,
                keep_alive: 0,
                properties: if protocol == Protocol::V5 { properties.view() } else { Properties::NONE },
                client_identifier: "writer",
                will: None,
                user_name: None,
                password: None,
            },
        );
        out.extend_from_slice(&Message::new("k", b"old").at(QoS::ExactlyOnce, 1).bytes(protocol));
        let mut killed = TcpStream::connect(("127.0.0.1", broker.port())).unwrap();
        killed.set_read_timeout(Some(crate::support::LIMIT)).unwrap();
        killed.write_all(&out).unwrap();
        let mut received = Vec::new();
        while !received.ends_with(&[0x50, 2, 0, 1]) {
            let mut byte = [0];
            killed.read_exact(&mut byte).unwrap();
            received.push(byte[0]);
        }
    }
    broker.publish().args(session).args(["-m", "new"]).run().exits(0);
    subscriber.finish().prints("old\nnew\n");
}

/// The highest number in a spool file: the last line that was stored.
fn last_taken(spool: &Path) -> Option<usize> {
    let bytes = std::fs::read(spool).unwrap();
    // Each record starts with the key of the file, which may be any bytes, and ends with its payload.
    let key = &bytes[8..16];
    let begins: Vec<usize> = memchr::memmem::find_iter(&bytes[24..], key).map(|at| 24 + at).collect();
    let ends = begins.iter().copied().skip(1).chain([bytes.len()]);
    let numbers = begins.iter().zip(ends).filter_map(|(begin, end)| {
        let payload = bytes[*begin..end].rsplit(|byte| *byte == b'n').next()?;
        std::str::from_utf8(payload).ok()?.parse().ok()
    });
    numbers.max()
}

/// A spool shorter than this is not truncated while its program runs, so it shows which lines were stored.
const TELLING_BYTES: u64 = 30_000;

/// Publishes `n0` to `n…` through a spool while the publisher is killed repeatedly.
fn through_killed_publishers(total: usize, spool: &Path, publish: impl Fn() -> Mqtt) {
    const PER_LIFE: usize = 400;
    let mut next = 0;
    let mut life = 0;
    while total - next > PER_LIFE {
        let mut publisher = publish().args(["-l", "-d", "--spool"]).args([spool]).open_stdin().spawn();
        let text: String = (next..next + PER_LIFE).map(|number| format!("n{number}\n")).collect();
        publisher.write(text);
        // Messages of the previous run come first, so these are of this one or of that.
        publisher.wait_for_stderr_times("received PUBCOMP", [100, 1, 40][life % 3]);
        publisher.signal(Signal::KILL);
        publisher.wait_for_end().dies_of(Signal::KILL);
        next = last_taken(spool).map_or(next, |last| last + 1);
        life += 1;
        if std::fs::metadata(spool).unwrap().len() > TELLING_BYTES {
            publish().args(["--spool"]).args([spool]).run().exits(0);
        }
    }
    let text: String = (next..total).map(|number| format!("n{number}\n")).collect();
    publish().args(["-l", "--spool"]).args([spool]).stdin(text).run().exits(0);
    assert_eq!(std::fs::metadata(spool).unwrap().len(), 24, "nothing is left in the spool");
}

/// A publisher that is killed repeatedly: exactly once, in order.
#[rstest]
fn a_killed_publisher(#[values(V3_1_1, V5)] protocol: Protocol) {
    const TOTAL: usize = 8_000;
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let v = version(protocol);
    let reader = ["-V", v, "-t", "k", "-q", "2", "-c", "-i", "reader"];
    broker.subscribe().args(reader).args(["-E"]).run().succeeds();
    let subscriber = broker.subscribe().args(reader).args(["-C", &TOTAL.to_string()]).spawn();
    let writer = || broker.publish().args(["-V", v, "-t", "k", "-q", "2", "-c", "-i", "writer"]);
    through_killed_publishers(TOTAL, &folder.path().join("spool"), writer);
    let received = subscriber.finish().exits(0).lines();
    let expected: Vec<String> = (0..TOTAL).map(|number| format!("n{number}")).collect();
    let first = received.iter().zip(&expected).position(|(one, other)| one != other);
    assert!(received == expected, "{} came, the first wrong one is {first:?}", received.len());
}

/// Without a server, messages wait in the spool with all their options, and the next run sends them first.
#[test]
fn the_spool_waits_for_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let broker = Broker::start();
    let closed_port = closed_port();
    let keeps = |kept: &str, args: &[&str]| {
        let run = Mqtt::publish(closed_port).args(args).args(["--spool"]).args([&spool]).run();
        run.exits(1).mentions(&format!("mqtt: warning: {kept} kept in")).mentions("connection refused");
    };
    keeps("1 message is", &["-t", "a", "-q", "1", "-m", "one", "-r"]);
    keeps("2 messages are", &["-t", "b", "-q", "2", "-m", "two", "-D", "publish", "content-type", "text/x"]);
    let subscriber =
        broker.subscribe().args(["-t", "#", "-F", "%t %q %p %C", "-q", "2", "-C", "3", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    let run = broker.publish().args(["-t", "c", "-q", "1", "-m", "three", "--spool"]).args([&spool]).run();
    run.exits(0).mentions("sending 2 messages of an earlier run first");
    subscriber.finish().prints("a 1 one \nb 2 two text/x\nc 1 three \n");
    // The spool is empty, and sending nothing is a success.
    broker.publish().args(["--spool"]).args([&spool]).run().succeeds();
    broker.subscribe().args(["-t", "a", "-C", "1"]).run().succeeds().prints("one\n");
}

/// Input is stored even while there is no connection, and a signal leaves it in the spool.
#[test]
fn the_spool_takes_in_without_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let server = Server::start(|server| {
        let peer = server.accept_session(Protocol::V5);
        server.close();
        peer.close();
    });
    let args = ["-t", "a", "-q", "1", "-l", "--reconnect-max-delay", "1h", "--spool"];
    let mut publisher = Mqtt::publish(server.port()).args(args).args([&spool]).open_stdin().spawn();
    publisher.wait_for_stderr("trying again");
    publisher.write(numbers(0..500)).close_stdin();
    while !std::fs::read(&spool).unwrap().ends_with(b"499") {
        std::thread::yield_now();
    }
    publisher.signal(Signal::TERM);
    publisher.wait_for_end().dies_of(Signal::TERM);
    let broker = Broker::start();
    let subscriber = broker.subscribe().args(["-t", "a", "-q", "1", "-C", "500", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    broker
        .publish()
        .args(["--spool"])
        .args([&spool])
        .run()
        .exits(0)
        .mentions("sending 500 messages of an earlier run");
    subscriber.finish().prints(numbers(0..500));
}

fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Without a server from the start: all input is stored as long as it arrives, then the run reports that
/// nothing was delivered.
#[test]
fn the_spool_takes_in_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let run = |port| {
        let args = ["-t", "a", "-q", "1", "-l", "--reconnect-max-delay", "50ms", "--spool"];
        Mqtt::publish(port).args(args).args([&spool])
    };
    let text = run(closed_port()).stdin(numbers(0..5_000)).run().exits(1).stderr;
    // On a busy machine the first attempt may fail while the input is still being read.
    let mut lines = text.lines().filter(|line| !line.starts_with("mqtt: no connection yet: "));
    let kept =
        format!("mqtt: warning: 5000 messages are kept in {} for the next run with --spool", spool.display());
    assert_eq!(lines.next(), Some(&*kept), "{text}");
    assert!(lines.next().is_some_and(|line| line.starts_with("mqtt: connection: ")), "{text}");
    // With further input, the server is tried repeatedly.
    let mut publisher = run(closed_port()).open_stdin().spawn();
    publisher.write(numbers(5_000..5_010)).wait_for_stderr("mqtt: no connection yet: ");
    publisher.write(numbers(5_010..5_020));
    let outcome = publisher.finish().exits(1);
    assert_eq!(outcome.stderr.matches("trying again").count(), 1, "{}", outcome.stderr);
    outcome.mentions("5020 messages are kept");
    let broker = Broker::start();
    let subscriber = broker.subscribe().args(["-t", "a", "-q", "1", "-C", "5020", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    broker.publish().args(["--spool"]).args([&spool]).run().exits(0);
    subscriber.finish().prints(numbers(0..5_020));
}

/// The server starts while there is still input.
#[test]
fn the_spool_waits_for_a_server_that_comes() {
    let folder = tempfile::tempdir().unwrap();
    let ((gone, is_gone), (back, is_back)) = (mpsc::channel(), mpsc::channel());
    let server = Server::start(move |server| {
        server.close();
        gone.send(()).unwrap();
        is_back.recv().unwrap();
        server.listen_again();
        let mut peer = server.accept_session(Protocol::V5);
        for payload in [&b"one"[..], b"two"] {
            let (identifier, _) = peer.expect_publish(Protocol::V5, QoS::AtLeastOnce, payload);
            peer.send(&packets::ack(PacketType::PubAck, identifier));
        }
        peer.expect_disconnect(Protocol::V5);
    });
    is_gone.recv().unwrap();
    let args = ["-t", "a", "-q", "1", "-l", "--reconnect-max-delay", "50ms", "--spool"];
    let mut publisher =
        Mqtt::publish(server.port()).args(args).args([folder.path().join("spool")]).open_stdin().spawn();
    publisher.write("one\n").wait_for_stderr("mqtt: no connection yet: ");
    back.send(()).unwrap();
    publisher.wait_for_stderr("mqtt: connected\n");
    publisher.write("two\n");
    publisher.finish().exits(0);
    server.finish();
}

/// A server that refuses the client while there is input: available input is stored, as far as it fits.
#[test]
fn spool_takes_available_input() {
    const LINES: usize = 300_000;
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    std::fs::write(&input, numbers(0..LINES)).unwrap();
    for (most, kept) in [("1GiB", Some(LINES)), ("64KiB", None)] {
        let spool = folder.path().join(most);
        let server = Server::start(|server| {
            let mut peer = server.accept();
            peer.expect_connect(Protocol::V5);
            peer.send(&packets::connack(Protocol::V5, false, 0x87));
        });
        let args = ["-t", "a", "-q", "1", "-l", "--spool-max-size", most, "--spool"];
        let run = Mqtt::publish(server.port()).args(args).args([&spool]).stdin_file(&input).run();
        let run = run.exits(0x87).mentions("connection refused: Not authorized");
        let Some(kept) = kept else {
            run.mentions("and those after it were not taken: ").mentions("it is full: 65536 bytes");
            continue;
        };
        run.mentions(&format!("{kept} messages are kept"));
    }
}

/// A mistyped name is not an empty spool.
#[test]
fn missing_spool_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("sopol");
    Mqtt::publish(closed_port()).args(["--spool"]).args([&spool]).run().fails(1, "No such file or directory");
    assert!(!spool.exists());
}

/// MQTT 3.1.1 has no properties: a warning reports once that they are dropped.
#[test]
fn properties_that_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    for payload in ["one", "two"] {
        let args = ["-t", "a", "-q", "1", "--content-type", "text/x", "-m", payload, "--spool"];
        Mqtt::publish(closed_port()).args(args).args([&spool]).run().exits(1);
    }
    let broker = Broker::start();
    let subscriber = broker.subscribe().args(["-t", "a", "-q", "1", "-C", "3", "-F", "%p%C", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    let args = ["-V", "311", "-t", "a", "-q", "1", "-m", "three", "--spool"];
    let outcome = broker.publish().args(args).args([&spool]).run().exits(0);
    let said = "mqtt: warning: messages in the spool have MQTT 5 properties, and this connection is 3.1.1: \
                they are sent without them\n";
    assert_eq!(outcome.stderr.matches(said).count(), 1, "{}", outcome.stderr);
    subscriber.finish().prints("one\ntwo\nthree\n");
}

/// Runs `mqtt pub -l --spool` with a limit on file size, which stands for a full disk, and more lines than
/// fit. Returns the failure and the number of stored lines.
fn with_a_full_disk(port: u16, args: &[&str], spool: &Path) -> (Outcome, usize) {
    let line = format!("{}\n", "x".repeat(1000));
    let run = Mqtt::publish(port).args(["-t", "a", "-q", "1", "-l", "--spool"]).args([spool]).args(args);
    let outcome = run.behind("trap '' XFSZ; ulimit -f 40").stdin(line.repeat(5_000)).run().exits(1);
    let refused = outcome.stderr.lines().find_map(|line| {
        let rest = line.strip_prefix("mqtt: line ")?;
        let (number, rest) = rest.split_once(' ')?;
        rest.starts_with("and those after it were not taken: cannot write ")
            .then(|| number.parse::<usize>().unwrap())
    });
    let taken = refused.unwrap_or_else(|| panic!("{}", outcome.stderr)) - 1;
    assert!(taken > 10, "a block that does not fit as a whole is not given up as a whole");
    (outcome, taken)
}

/// If the disk is full, lines that do not fit are refused by number, the others are sent, and the exit status
/// is a failure.
#[test]
fn a_full_disk_is_an_error_and_what_fits_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let broker = Broker::start();
    let subscriber = broker.subscribe().args(["-t", "a", "-q", "1", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    let (_, taken) = with_a_full_disk(broker.port(), &[], &spool);
    subscriber.wait_for_lines(taken);
    subscriber.signal(Signal::TERM);
    assert_eq!(subscriber.wait_for_end().exits(0).lines().len(), taken);
    assert_eq!(std::fs::metadata(&spool).unwrap().len(), 24, "all that was taken is sent");
}

/// The error is reported at once, even without a connection: while the run waits for one, and before it ends
/// without one.
#[test]
fn a_full_disk_without_a_link() {
    for args in [&[][..], &["--wait-for-server", "500ms"]] {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool");
        let (Outcome { stderr, .. }, taken) = with_a_full_disk(closed_port(), args, &spool);
        let places: Vec<usize> = ["line ", "messages are kept in", "mqtt: connection: "]
            .iter()
            .map(|text| stderr.find(text).unwrap_or_else(|| panic!("{text} in {stderr}")))
            .collect();
        assert!(places.is_sorted(), "{stderr}");
        assert!(stderr.contains(&format!("{taken} messages are kept")), "{stderr}");
    }
}

/// A file cut off in the middle of a message: this is reported, and complete messages are sent.
#[test]
fn torn_spool_is_reported_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    for payload in ["one", "two", "three"] {
        let args = ["-h", "127.0.0.1", "-p", "1", "-t", "a", "-q", "1", "-m", payload, "--spool"];
        Mqtt::new(["pub"]).args(args).args([&spool]).run().exits(1);
    }
    let whole = std::fs::read(&spool).unwrap();
    std::fs::write(&spool, &whole[..whole.len() - 2]).unwrap();
    let broker = Broker::start();
    let subscriber = broker.subscribe().args(["-t", "a", "-q", "1", "-C", "2", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    let run = broker.publish().args(["--spool"]).args([&spool]).run();
    run.exits(1).mentions("is damaged or was cut off: ").mentions("2 whole messages sent");
    subscriber.finish().prints("one\ntwo\n");
}

#[test]
fn files_are_for_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let broker = Broker::start();
    let publisher = broker
        .publish()
        .args(["-t", "a", "-q", "1", "-l", "-d", "--spool"])
        .args([&path])
        .open_stdin()
        .spawn();
    publisher.wait_for_stderr("received CONNACK");
    let second = broker.publish().args(["-t", "a", "-q", "1", "-m", "x", "--spool"]).args([&path]).run();
    second.fails(1, "another process is using it");
    publisher.finish().exits(0);
    let session = ["-t", "a", "-q", "2", "-c", "-i", "me", "--session-file"];
    broker.subscribe().args(session).args([&path]).run().fails(1, "it is not a session file");
}

/// 100,000 lines through a mosquitto that is killed with SIGKILL, and publishers that are killed too.
///
/// mosquitto 2.0 saves its state occasionally, and acknowledges before it does: messages between the two are
/// lost with a kill, whatever a client does. So each kill happens just after a save, while the publisher is
/// dead or stopped. mosquitto forgets which messages it had released to a subscriber, so the subscriber
/// connects after the kills, in MQTT 3.1.1 because of the stall of its QoS 2 in MQTT 5. Its time grows with
/// the square of the number of queued messages, and it assigns packet identifiers twice if more messages wait
/// than there are identifiers, so the subscriber connects in between.
#[test]
fn a_killed_mosquitto_and_killed_publishers() {
    const TOTAL: usize = 100_000;
    const PORTION: usize = TOTAL / 5;
    let setup = Setup::new().quiet().persistent().window(1000);
    let Some(mut broker) = Mosquitto::start(&setup) else { return };
    let port = broker.port();
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let reader = ["-V", "311", "-t", "k", "-q", "2", "-c", "-i", "reader"];
    broker.subscribe().args(reader).args(["-E"]).run().succeeds();
    let writer = |args: &[&str]| {
        let session = ["-V", "311", "-t", "k", "-q", "2", "-c", "-i", "writer", "-d", "-M", "100"];
        Mqtt::publish(port).args(session).args(SOON).args(args).args(["--spool"]).args([&spool])
    };
    let lines =
        |range: std::ops::Range<usize>| range.map(|number| format!("n{number}\n")).collect::<String>();
    let die = |broker: &mut Mosquitto| {
        broker.save();
        broker.kill();
        broker.start_again();
    };
    let mut next = 0;
    let mut received = Vec::new();
    while received.len() < TOTAL {
        let mut publisher = writer(&["-l"]).open_stdin().spawn();
        publisher.write(lines(next..next + 900));
        publisher.wait_for_stderr_times("received PUBCOMP", 1 + received.len() / 100);
        publisher.signal(Signal::KILL);
        publisher.wait_for_end().dies_of(Signal::KILL);
        next = last_taken(&spool).unwrap() + 1;
        die(&mut broker);
        let end = received.len() + PORTION;
        let mut publisher = writer(&["-l"]).open_stdin().spawn();
        publisher.write(lines(next..end));
        next = end;
        publisher.wait_for_stderr_times("received PUBCOMP", 2_000);
        publisher.signal(Signal::STOP);
        die(&mut broker);
        publisher.signal(Signal::CONT);
        publisher.finish().exits(0).mentions("connected again");
        let args = ["-C", &PORTION.to_string()];
        received.extend(broker.subscribe().args(reader).args(args).run().exits(0).lines());
    }
    let expected: Vec<String> = (0..TOTAL).map(|number| format!("n{number}")).collect();
    let first = received.iter().zip(&expected).position(|(one, other)| one != other);
    assert!(received == expected, "{} came, the first wrong one is {first:?}", received.len());
}
