//! `mqtt pub --spool`: refusals of different kinds and their effects; and a damaged file.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mqtt::broker::{Limits, Options};
use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::PacketType::{PubAck, PubComp, PubRec, PubRel};
use mqtt::protocol::wire::{Packet, decode};
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_setfl, mknodat};
use rustix::io::ioctl_fionread;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::packets;
use crate::support::server::{Peer, Server};
use crate::support::{LIMIT, Service, wait_until};

/// The size of a spool without messages.
const EMPTY_BYTES: u64 = 24;

fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn spool(&self) -> PathBuf {
        self.0.path().join("spool")
    }

    fn length(&self) -> u64 {
        std::fs::metadata(self.spool()).unwrap().len()
    }

    /// Publishes lines through the spool, to a server of MQTT 5.
    fn publish(&self, port: u16, args: &[&str], lines: &str) -> Mqtt {
        let args = [&["-V", "5", "-t", "a", "-l"], args].concat();
        Mqtt::publish(port).args(args).args(["--spool"]).args([self.spool()]).stdin(lines)
    }

    /// Publishes only the messages in the spool.
    fn publish_the_rest(&self, port: u16) -> Mqtt {
        Mqtt::publish(port).args(["-V", "5", "--spool"]).args([self.spool()])
    }

    fn kept(&self, messages: &str) -> String {
        format!(
            "mqtt: warning: {messages} kept in {} for the next run with --spool\n",
            self.spool().display()
        )
    }
}

fn answer(peer: &mut Peer, payload: &[u8], reason: u8) {
    let (identifier, _) = peer.expect_publish(V5, QoS::AtLeastOnce, payload);
    peer.send(&packets::ack_with(PubAck, identifier, reason));
}

/// A message refused temporarily stays, and is sent by the next run; one refused permanently is dropped, with
/// a message.
#[test]
fn a_message_refused_for_now_stays() {
    let folder = Folder::new();
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        for (payload, reason) in [
            (b"1", 0),
            (b"2", 0x97),
            (b"3", 0x80),
            (b"4", 0x87),
            (b"5", 0x83),
            (b"6", 0x90),
            (b"7", 0x99),
            (b"8", 0),
        ] {
            answer(&mut peer, payload, reason);
        }
        peer.expect_disconnect(V5);
        let mut peer = server.accept_session(V5);
        for payload in [b"2", b"3", b"5"] {
            answer(&mut peer, payload, 0);
        }
        peer.expect_disconnect(V5);
    });
    let run = folder.publish(server.port(), &["-q", "1"], "1\n2\n3\n4\n5\n6\n7\n8\n").run();
    let said = "mqtt: message 59, to 'a', kept for the next run: publish refused: Quota exceeded (0x97)\n\
                mqtt: message 94, to 'a', kept for the next run: publish refused: Unspecified error (0x80)\n\
                mqtt: a message to 'a', dropped: publish refused: Not authorized (0x87)\n\
                mqtt: message 164, to 'a', kept for the next run: publish refused: Implementation specific error (0x83)\n\
                mqtt: a message to 'a', dropped: publish refused: Topic Name invalid (0x90)\n\
                mqtt: a message to 'a', dropped: publish refused: Payload format invalid (0x99)\n";
    run.exits(0x97).says(&format!("{said}{}", folder.kept("3 messages are")));
    folder
        .publish_the_rest(server.port())
        .run()
        .exits(0)
        .mentions("sending 3 messages of an earlier run first");
    assert_eq!(folder.length(), EMPTY_BYTES);
}

/// At QoS 2 too: the next run sends it from the start, because the broker does not have it.
#[test]
fn a_message_refused_at_qos_2_stays() {
    let folder = Folder::new();
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        let (identifier, _) = peer.expect_publish(V5, QoS::ExactlyOnce, b"1");
        peer.send(&packets::ack_with(PubRec, identifier, 0x97));
        peer.expect_disconnect(V5);
        let mut peer = server.accept_kept_session(V5);
        peer.expect(V5, &packets::ack(PubRel, 1)); // whatever else had this identifier
        peer.send(&packets::ack(PubComp, 1));
        let (identifier, dup) = peer.expect_publish(V5, QoS::ExactlyOnce, b"1");
        assert!(!dup, "it is a new one");
        peer.send(&packets::ack(PubRec, identifier));
        peer.expect(V5, &packets::ack(PubRel, identifier));
        peer.send(&packets::ack(PubComp, identifier));
        peer.expect_disconnect(V5);
    });
    let session = ["-q", "2", "-c", "-i", "me"];
    folder.publish(server.port(), &session, "1\n").run().exits(0x97).mentions(&folder.kept("1 message is"));
    folder.publish_the_rest(server.port()).args(["-c", "-i", "me"]).run().exits(0);
    assert_eq!(folder.length(), EMPTY_BYTES);
}

/// The next server may have other limits: a message that was never sent is not lost.
#[test]
fn a_message_over_a_limit_of_the_server_stays() {
    let small = (PropertyId::MaximumPacketSize, Value::Number(40), 0x95, "Packet too large (0x95)");
    let no_retain = (PropertyId::RetainAvailable, Value::Number(0), 0x9A, "Retain not supported (0x9A)");
    let no_qos = (PropertyId::MaximumQos, Value::Number(0), 0x9B, "QoS not supported (0x9B)");
    let line = "a line of more than 40 bytes, with all that goes with it";
    for (property, value, code, name) in [small, no_retain, no_qos] {
        let folder = Folder::new();
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&packets::connack_with(&[(property, value)]));
            peer.expect_disconnect(V5);
            let mut peer = server.accept_session(V5);
            answer(&mut peer, line.as_bytes(), 0);
            peer.expect_disconnect(V5);
        });
        let run = folder.publish(server.port(), &["-q", "1", "-r"], &format!("{line}\n")).run();
        let said = format!("message 24, to 'a', kept for the next run: publish not sent: {name}");
        run.exits(code).mentions(&said).mentions(&folder.kept("1 message is"));
        folder.publish_the_rest(server.port()).run().exits(0);
        assert_eq!(folder.length(), EMPTY_BYTES);
    }
}

/// A message that stays takes only its own room: the others are sent, and those that find no room in the end
/// are named.
#[test]
fn the_spool_goes_on_beside_what_stays() {
    let folder = Folder::new();
    let limits = Limits { maximum_packet_size: 5_000, ..Limits::default() };
    let broker = Broker::with(Options { limits, ..Options::default() });
    let large = "x".repeat(6_000);
    let lines = format!("{large}\n{}", format!("{}\n", "y".repeat(1_000)).repeat(2_000));
    let subscriber = broker.subscribe().args(["-t", "a", "-q", "1", "-C", "2000", "-d", "-F", "%l"]).spawn();
    subscriber.wait_until_subscribed();
    let run = folder.publish(broker.port(), &["-q", "1", "--spool-max-size", "20k"], &lines).run();
    run.exits(149).mentions(&folder.kept("1 message is"));
    assert_eq!(subscriber.finish().lines().len(), 2_000);
    let length = folder.length();
    assert!((6_000..6_200).contains(&length), "{length}");
    let run = folder.publish(broker.port(), &["-q", "1", "--spool-max-size", "6k"], "1\n2\n").run();
    run.exits(149).mentions("line 1 and those after it were not taken: cannot write ");
}

/// A line that exceeds the maximum packet size is refused by its number before it is stored, and the others
/// are published; the same for a file.
#[test]
fn message_larger_than_a_packet_is_not_spooled() {
    let folder = Folder::new();
    let input = folder.0.path().join("input");
    let file = File::create(&input).unwrap();
    let large = 268_435_461;
    file.write_all_at(b"first\n", 0).unwrap();
    file.write_all_at(b"\nlast\n", 6 + large).unwrap();
    let broker = Broker::start();
    let subscriber = broker.subscribe().args(["-t", "a", "-q", "1", "-C", "2", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    let run = folder.publish(broker.port(), &["-q", "1"], "").stdin_file(&input).run();
    run.exits(149).says(
        "mqtt: line 2: publish not sent: Packet too large (0x95): the line has at least 268435461 bytes; an MQTT packet has at most 268435460\n",
    );
    subscriber.finish().prints("first\nlast\n");
    assert_eq!(folder.length(), EMPTY_BYTES);
    let args = ["-t", "a", "-q", "1", "--spool"];
    let run = broker.publish().args(args).args([folder.spool()]).args(["-f"]).args([&input]).run();
    run.exits(149)
        .mentions("publish not sent: Packet too large (0x95): ")
        .mentions("is larger than the largest packet");
    assert_eq!(folder.length(), EMPTY_BYTES);
}

/// The Message Expiry Interval counts down in the spool, and a message that has expired there is not sent.
#[test]
fn message_expires_in_the_spool() {
    let folder = Folder::new();
    let day = 24 * 60 * 60;
    for seconds in ["1", &day.to_string()] {
        let expiry = ["-q", "1", "-D", "publish", "message-expiry-interval", seconds];
        folder.publish(closed_port(), &expiry, "x\n").run().mentions(" kept in ");
    }
    let begin = Instant::now();
    wait_until(|| begin.elapsed() > Duration::from_secs(2));
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        let packet = peer.next().unwrap();
        let Packet::Publish(publish) = decode(V5, &packet).unwrap() else { panic!("{packet:02x?}") };
        let left = publish.properties.number(PropertyId::MessageExpiryInterval).unwrap();
        assert!(left < day && left > day / 2, "{left}");
        peer.send(&packets::ack(PubAck, publish.packet_identifier));
        peer.expect_disconnect(V5);
    });
    let run = folder.publish_the_rest(server.port()).run().exits(0);
    run.mentions(", to 'a', not sent: the time of message-expiry-interval was over\n");
    server.finish();
    assert_eq!(folder.length(), EMPTY_BYTES);
}

/// Messages lost with a damaged file fail the run, although the others arrive.
#[test]
fn damaged_spool_is_a_failure() {
    type Damage = fn(&Path, &[u8]);
    let damage: [(&str, Damage); 4] = [
        ("2 whole messages", |path, whole| {
            let mut bytes = whole.to_vec();
            bytes[whole.len() / 2 + 10] ^= 1; // in the body of the second
            std::fs::write(path, bytes).unwrap();
        }),
        ("2 whole messages", |path, whole| std::fs::write(path, &whole[..whole.len() - 1]).unwrap()),
        ("10 bytes of it left out, 0 whole messages", |path, whole| {
            std::fs::write(path, &whole[..10]).unwrap();
        }),
        ("1 whole message sent", |path, whole| std::fs::write(path, &whole[..whole.len() * 2 / 3]).unwrap()),
    ];
    for (said, damage) in damage {
        let folder = Folder::new();
        folder.publish(closed_port(), &["-q", "1"], "one\ntwo\nthree\n").run().exits(1);
        damage(&folder.spool(), &std::fs::read(folder.spool()).unwrap());
        let broker = Broker::start();
        folder.publish_the_rest(broker.port()).run().exits(1).mentions(said);
        folder.publish_the_rest(broker.port()).run().succeeds();
    }
}

/// `mktemp` creates one.
#[test]
fn empty_file_is_a_new_spool() {
    let folder = Folder::new();
    std::fs::write(folder.spool(), b"").unwrap();
    let broker = Broker::start();
    folder.publish_the_rest(broker.port()).run().exits(0).says("");
    std::fs::write(folder.spool(), b"").unwrap();
    folder.publish(broker.port(), &["-q", "1"], "one\n").run().exits(0).says("");
    assert_eq!(folder.length(), EMPTY_BYTES);
}

/// Without a broker the file stays full: the run ends, and names the first line that is not stored.
#[test]
fn a_full_spool_without_a_server_ends_the_run() {
    for most in [10_000_u64, 100_000] {
        let folder = Folder::new();
        let args = ["-q", "1", "--reconnect-max-delay", "50ms", "--spool-max-size", &most.to_string()];
        let lines = format!("{}\n", "x".repeat(1_000)).repeat(500);
        let run = folder.publish(closed_port(), &args, &lines).run().exits(1);
        run.mentions("and those after it were not taken: cannot write ").mentions("messages are kept");
        assert!(folder.length() <= most, "{} of {most}", folder.length());
    }
}

/// A program killed while its spool is full: each line is in the file or still in the pipe. The current line is in
/// both if it was stored and not yet taken out of the pipe.
#[test]
fn killed_with_a_full_spool_it_has_read_no_more_than_it_keeps() {
    const LINE_BYTES: u64 = 20; // 19 digits and a line feed
    for round in 0..5_u64 {
        let folder = Folder::new();
        let pipe = folder.0.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        // Both ends, so that neither the program nor this test waits for the other.
        let mut both = File::options().read(true).write(true).open(&pipe).unwrap();
        fcntl_setfl(&both, OFlags::RDWR | OFlags::NONBLOCK).unwrap();
        let most = 5_000 + round * 777;
        let args =
            ["-q", "1", "--wait-for-server", "1h", "--spool-max-size", &most.to_string()].map(str::to_owned);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let running = folder.publish(closed_port(), &args, "").stdin_file(&pipe).spawn();
        let mut written = 0_u64;
        let began = Instant::now();
        // Full: there is no room for a further line.
        while std::fs::metadata(folder.spool()).map_or(0, |file| file.len()) + 3 * LINE_BYTES + 40 < most {
            assert!(began.elapsed() < LIMIT, "the spool does not fill up");
            match both.write(format!("{written:019}\n").as_bytes()) {
                Ok(_) => written += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        running.signal(Signal::KILL);
        running.finish().dies_of(Signal::KILL);
        let mut rest = Vec::new();
        let _ = both.read_to_end(&mut rest); // ends with "would block"
        let rest = String::from_utf8(rest).unwrap();
        let whole = rest.lines().filter(|line| line.len() as u64 == LINE_BYTES - 1).count() as u64;
        let broker = Broker::start();
        let run = folder.publish_the_rest(broker.port()).run().exits(0);
        let kept = written - whole;
        let said =
            |messages: u64| run.stderr.contains(&format!("sending {messages} messages of an earlier run"));
        assert!(said(kept) || said(kept + 1), "{written} lines, {whole} left in the pipe: {}", run.stderr);
    }
}

/// The rest of a line would be taken for a line, here with another topic.
#[test]
fn killed_within_a_line_the_next_run_reads_the_whole_line() {
    const BEGINNING: &[u8] = b"plant/7/valve/";
    let folder = Folder::new();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let publish = |port: u16, wait: &str| {
        Mqtt::publish(port)
            .args([
                "-V",
                "5",
                "-l",
                "--topic-from-line",
                " ",
                "-q",
                "1",
                "-r",
                "--wait-for-server",
                wait,
                "--spool",
            ])
            .args([folder.spool()])
            .stdin_pipe(reader.try_clone().unwrap())
    };
    writer.write_all(&[b"plant/1 open\n", BEGINNING].concat()).unwrap();
    let running = publish(closed_port(), "1h").spawn();
    let began = Instant::now();
    while ioctl_fionread(&reader).unwrap() > BEGINNING.len() as u64 {
        assert!(began.elapsed() < LIMIT, "the first line is not read");
        std::thread::yield_now();
    }
    running.signal(Signal::KILL);
    running.finish().dies_of(Signal::KILL);
    assert_eq!(ioctl_fionread(&reader).unwrap(), BEGINNING.len() as u64);
    writer.write_all(b"12 close\n").unwrap();
    drop(writer);
    let broker = Broker::start();
    publish(broker.port(), "0").run().exits(0);
    let port = broker.port().to_string();
    let seen = Mqtt::new(["sub", "-h", "127.0.0.1", "-p", &port, "-t", "#", "--retained-only", "-v"]).run();
    let seen = String::from_utf8(seen.stdout.clone()).unwrap();
    let mut lines: Vec<&str> = seen.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["plant/1 open", "plant/7/valve/12 close"]);
}

/// A file that could not be created, or that filled its disk, causes no loss: stored messages are complete,
/// others are named, and the next run reports no damage.
#[test]
fn a_write_that_failed_leaves_no_damage() {
    // Like a full disk: writes beyond a size fail. The signal for that does not end the run.
    for limit in ["ulimit -f 0", "ulimit -f 2", "trap '' XFSZ; ulimit -f 2"] {
        let folder = Folder::new();
        let lines: String = (0..200).map(|number| format!("{number:0100}\n")).collect();
        let run = folder.publish(closed_port(), &["-q", "1"], &lines).behind(limit).run().exits(1);
        run.mentions("File too large");
        let broker = Broker::start();
        let run = folder.publish(broker.port(), &["-q", "1"], "one more\n").run().exits(0);
        run.does_not_mention("damaged").does_not_mention("lost");
        assert_eq!(folder.length(), EMPTY_BYTES);
    }
}

/// A client that requests a new session has dropped the old one itself: there is no warning.
#[test]
fn new_session_is_not_reported_as_lost() {
    let folder = Folder::new();
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::ExactlyOnce, b"1");
        peer.close();
        let mut peer = server.accept_session(V5);
        let (identifier, _) = peer.expect_publish(V5, QoS::ExactlyOnce, b"1");
        peer.send(&packets::ack(PubRec, identifier));
        peer.expect(V5, &packets::ack(PubRel, identifier));
        peer.send(&packets::ack(PubComp, identifier));
        peer.expect_disconnect(V5);
    });
    let session = ["-q", "2", "-c", "-i", "me", "--reconnect", "never"];
    folder.publish(server.port(), &session, "1\n").run().exits(1);
    let run = folder.publish_the_rest(server.port()).run().exits(0);
    run.mentions("warning: this run has a session of its own").does_not_mention("the broker has lost");
}
