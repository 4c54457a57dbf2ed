//! `mqtt sub`: subscriptions, output, and acknowledgements.

use std::ffi::OsString;
use std::path::Path;
use std::sync::mpsc;

use mqtt::protocol::Protocol::{self, V3_1, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::wire::PacketType::{PubAck, PubComp, PubRec, PubRel};
use rstest::rstest;
use rustix::process::Signal;

use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::Server;
use crate::support::{Service as _, can_trace, version, wait_until};

#[rstest]
fn shows_messages_of_each_qos(#[values(V3_1, V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.send(&Message::new("a", b"zero").bytes(protocol));
        peer.send(&Message::new("a", b"one").at(QoS::AtLeastOnce, 7).bytes(protocol));
        peer.expect(protocol, &packets::ack(PubAck, 7));
        peer.send(&Message::new("a", b"two").at(QoS::ExactlyOnce, 8).bytes(protocol));
        peer.expect(protocol, &packets::ack(PubRec, 8));
        peer.send(&packets::ack(PubRel, 8));
        peer.expect(protocol, &packets::ack(PubComp, 8));
        peer.send(&Message::new("a", b"last").bytes(protocol));
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a", "-q", "2", "-C", "4"];
    Mqtt::subscribe(server.port()).args(args).run().succeeds().prints("zero\none\ntwo\nlast\n");
}

/// `-C` leaves later messages unacknowledged, for the next subscriber.
#[rstest]
fn leaves_later_messages_unacknowledged(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        let messages = [(1, b"1"), (2, b"2"), (3, b"3")].map(|(identifier, payload)| {
            Message::new("a", payload).at(QoS::AtLeastOnce, identifier).bytes(protocol)
        });
        peer.send(&messages.concat());
        peer.expect(protocol, &packets::ack(PubAck, 1));
        peer.expect(protocol, &packets::ack(PubAck, 2));
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a", "-q", "1", "-C", "2", "-c", "-i", "me"];
    Mqtt::subscribe(server.port()).args(args).run().succeeds().prints("1\n2\n");
}

/// The exchange of a QoS 2 message ends only with PUBREL and PUBCOMP.
#[rstest]
fn finishes_its_last_qos_2_message(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.send(&Message::new("a", b"x").at(QoS::ExactlyOnce, 5).bytes(protocol));
        peer.expect(protocol, &packets::ack(PubRec, 5));
        peer.expect(protocol, &packets::pingreq());
        peer.send(&packets::ack(PubRel, 5));
        peer.send(&packets::pingresp());
        peer.expect(protocol, &packets::ack(PubComp, 5));
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a", "-q", "2", "-C", "1"];
    Mqtt::subscribe(server.port()).args(args).run().succeeds().prints("x\n");
}

/// A QoS 2 message that arrives twice before PUBREL is shown once.
#[rstest]
fn shows_a_qos_2_message_once(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.send(&Message::new("a", b"once").at(QoS::ExactlyOnce, 5).bytes(protocol));
        peer.expect(protocol, &packets::ack(PubRec, 5));
        peer.close();
        let mut peer = server.accept_kept_session(protocol);
        peer.send(&Message::new("a", b"once").at(QoS::ExactlyOnce, 5).dup().bytes(protocol));
        peer.expect(protocol, &packets::ack(PubRec, 5));
        peer.send(&packets::ack(PubRel, 5));
        peer.expect(protocol, &packets::ack(PubComp, 5));
        peer.send(&Message::new("a", b"end").bytes(protocol));
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a", "-q", "2", "-C", "2", "-c", "-i", "me"];
    Mqtt::subscribe(server.port()).args(args).run().exits(0).prints("once\nend\n");
}

/// Topics that are not UTF-8, or contain U+0000, are shown: unchanged in text, as far as possible in JSON.
/// The connection stays.
#[rstest]
fn topics_that_no_publisher_may_use(#[values(V3_1_1, V5)] protocol: Protocol) {
    for (options, expected) in
        [(&["-v"][..], &b"a/\xff x\na/\0 y\n"[..]), (&["--json"], "\"topic\":\"a/\u{FFFD}\"".as_bytes())]
    {
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(protocol);
            peer.grant_subscription(protocol);
            let end = if protocol == V5 { &b"\0"[..] } else { b"" };
            peer.send(
                &[&[0x30, if protocol == V5 { 7 } else { 6 }, 0, 3, b'a', b'/', 0xFF][..], end, b"x"]
                    .concat(),
            );
            peer.send(&Message::new("a/\0", b"y").bytes(protocol));
            peer.expect_disconnect(protocol);
        });
        let args = ["-V", version(protocol), "-t", "a/#", "-C", "2"];
        let outcome = Mqtt::subscribe(server.port()).args(args).args(options).run().exits(0);
        let found = outcome.stdout.windows(expected.len()).any(|part| part == expected);
        assert!(found, "{}", String::from_utf8_lossy(&outcome.stdout));
        server.finish();
    }
}

/// A QoS 1 message that arrives twice is shown twice: dropping it would be a guess.
#[rstest]
fn shows_a_repeated_qos_1_message(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.send(&Message::new("a", b"x").at(QoS::AtLeastOnce, 5).bytes(protocol));
        peer.expect(protocol, &packets::ack(PubAck, 5));
        peer.send(&Message::new("a", b"x").at(QoS::AtLeastOnce, 5).dup().bytes(protocol));
        peer.expect(protocol, &packets::ack(PubAck, 5));
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a", "-q", "1", "-C", "2"];
    Mqtt::subscribe(server.port()).args(args).run().succeeds().prints("x\nx\n");
}

/// The subscription is renewed if the session is lost, and not if it was kept.
#[rstest]
fn resubscribes_if_the_session_is_lost(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.close();
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.reset();
        let mut peer = server.accept_kept_session(protocol);
        peer.send(&Message::new("a", b"x").bytes(protocol));
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a", "-C", "1", "-c", "-i", "me"];
    let run = Mqtt::subscribe(server.port()).args(args).run().exits(0).prints("x\n");
    assert_eq!(run.stderr.matches("mqtt: connected again\n").count(), 2, "{}", run.stderr);
}

/// After a connection is lost before SUBACK, the subscription is requested again.
#[test]
fn asks_again_for_an_unanswered_subscription() {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.expect_subscribe(V5);
        peer.close();
        let mut peer = server.accept_kept_session(V5);
        peer.grant_subscription(V5);
        peer.expect_disconnect(V5);
    });
    Mqtt::subscribe(server.port()).args(["-t", "a", "-E", "-c", "-i", "me"]).run().exits(0);
}

/// Ctrl-C and SIGTERM are the regular end of a subscriber: with DISCONNECT and success.
#[rstest]
fn signals_end_it_cleanly(#[values(V3_1_1, V5)] protocol: Protocol) {
    for signal in [Signal::INT, Signal::TERM] {
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(protocol);
            peer.grant_subscription(protocol);
            peer.send(&Message::new("a", b"x").at(QoS::AtLeastOnce, 1).bytes(protocol));
            peer.expect(protocol, &packets::ack(PubAck, 1));
            peer.expect_disconnect(protocol);
        });
        let args = ["-V", version(protocol), "-t", "a", "-q", "1"];
        let running = Mqtt::subscribe(server.port()).args(args).spawn();
        running.wait_for_lines(1).signal(signal);
        running.wait_for_end().succeeds().prints("x\n");
    }
}

/// Two options, one packet; two forms of the second.
#[test]
fn subscription_options() {
    use mqtt::protocol::wire::{Packet, decode};
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        let bytes = peer.packet();
        let Ok(Packet::Subscribe { packet_identifier, filters, .. }) = decode(V5, &bytes) else {
            panic!("{bytes:?}")
        };
        let filters: Vec<_> = filters.iter().collect();
        let shown: Vec<_> = filters
            .iter()
            .map(|f| (f.filter, f.qos as u8, f.no_local, f.retain_as_published, f.retain_handling))
            .collect();
        assert_eq!(
            shown,
            [("a/+", 1, false, true, 2), ("b/#", 1, false, true, 2), ("c:d", 0, true, true, 1)]
        );
        peer.send(&packets::suback(V5, packet_identifier, &[1, 1, 0]));
        peer.expect_disconnect(V5);
    });
    let args = ["-t", "a/+", "--subscribe", "qos=0,no-local,retain-handling=new:c:d", "-t", "b/#"];
    let for_all = ["-q", "1", "--retain-as-published", "--retain-handling", "never", "-E"];
    Mqtt::subscribe(server.port()).args(args).args(for_all).run().succeeds().prints("");
}

/// A blocked reader delays neither the timeout nor a signal, and unwritten messages are not acknowledged.
#[test]
fn a_blocked_reader_does_not_hold_up_the_end() {
    for signal in [None, Some(Signal::TERM)] {
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            let payload = vec![b'x'; 1 << 20];
            peer.send(&Message::new("a", &payload).at(QoS::AtLeastOnce, 1).bytes(V5));
            peer.send(&packets::pingresp());
            peer.expect_disconnect(V5);
        });
        let args = ["-t", "a", "-q", "1", "-d"];
        let limit = if signal.is_some() { "1h" } else { "300ms" };
        let command = Mqtt::subscribe(server.port()).args(args).args(["-W", limit]);
        let running = command.leave_stdout_unread().spawn();
        if let Some(signal) = signal {
            running.wait_for_stderr("received PUBLISH").signal(signal);
        }
        let outcome = running.wait_for_end().mentions("bytes are not written");
        if signal.is_some() {
            outcome.exits(0)
        } else {
            outcome.exits(27).mentions("timed out after 300ms")
        };
    }
}

/// After all requested messages are written, a lost connection does not cause a reconnect.
#[rstest]
fn connection_lost_after_the_last_message_ends_the_run(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.send(&Message::new("a", b"x").at(QoS::ExactlyOnce, 1).bytes(protocol));
        peer.expect(protocol, &packets::ack(PubRec, 1));
        peer.reset();
        server.expect_no_connection();
    });
    let args = ["-V", version(protocol), "-t", "a", "-q", "2", "-C", "1", "-c", "-i", "me"];
    Mqtt::subscribe(server.port()).args(args).run().succeeds().prints("x\n");
}

/// `logrotate` renames the file and sends SIGHUP: later messages go to a new file.
#[test]
fn hang_up_opens_the_output_file_again() {
    let folder = tempfile::tempdir().unwrap();
    let (log, old) = (folder.path().join("log"), folder.path().join("log.1"));
    std::fs::write(&log, "before\n").unwrap();
    let (more, wanted) = mpsc::channel();
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&Message::new("a", b"1").at(QoS::AtLeastOnce, 1).bytes(V5));
        peer.expect(V5, &packets::ack(PubAck, 1));
        wanted.recv().unwrap();
        peer.send(&Message::new("a", b"2").at(QoS::AtLeastOnce, 2).bytes(V5));
        peer.expect(V5, &packets::ack(PubAck, 2));
        peer.expect_disconnect(V5);
    });
    let args = ["-t", "a", "-q", "1", "-C", "2", "--output", log.to_str().unwrap()];
    let run = Mqtt::subscribe(server.port()).args(args).spawn();
    // The message is acknowledged after it is written.
    let has = |path: &Path, text: &str| {
        wait_until(|| std::fs::read_to_string(path).is_ok_and(|found| found == text));
    };
    has(&log, "before\n1\n");
    std::fs::rename(&log, &old).unwrap();
    run.signal(Signal::HUP);
    has(&log, "");
    more.send(()).unwrap();
    run.wait_for_end().succeeds().prints("");
    has(&log, "2\n");
    has(&old, "before\n1\n");
    server.finish();
}

/// The path no longer exists: later messages still go to the old file, with a warning.
#[test]
fn hang_up_keeps_the_output_file_that_cannot_be_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let (logs, old) = (folder.path().join("logs"), folder.path().join("old"));
    std::fs::create_dir(&logs).unwrap();
    let log = logs.join("log");
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::subscribe(server.port()).args(["-t", "a", "-d"]).arg_path("--output", &log).spawn();
    run.wait_until_subscribed();
    std::fs::rename(&logs, &old).unwrap();
    run.signal(Signal::HUP);
    run.wait_for_stderr(&format!("mqtt: warning: SIGHUP: cannot open {}: ", log.display()));
    run.wait_for_stderr("; messages still go to the file that was open before");
    run.signal(Signal::TERM);
    run.wait_for_end().exits(0);
    server.finish();
}

/// `> FILE`: the shell opened the file, and the logger continues.
#[test]
fn hang_up_does_not_end_a_run_that_writes_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.packet(); // the DISCONNECT of SIGTERM
    });
    let args = ["-t", "a", "-V", "5", "-d"];
    let run = Mqtt::subscribe(server.port()).args(args).stdout_file(&log).spawn();
    run.wait_until_subscribed().signal(Signal::HUP);
    run.wait_for_stderr("SIGHUP: standard output cannot be opened again (--output FILE can)");
    run.signal(Signal::TERM);
    run.wait_for_end().exits(0);
    server.finish();
}

/// The same holds for a responder, which logs requests.
#[test]
fn hang_up_does_not_end_a_responder_that_writes_to_a_file() {
    for (to_file, more) in [(true, &[][..]), (true, &["--exec", "cat"]), (false, &[])] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(|server| {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            peer.expect_disconnect(V5);
        });
        let answer = if more.is_empty() { &["--echo"][..] } else { more };
        let args = ["-h", "127.0.0.1", "-p", &server.port().to_string(), "-t", "a", "-V", "5", "-d", "-v"];
        let run = Mqtt::new(["respond"]).args(args).args(answer);
        let run = if to_file { run.stdout_file(folder.path().join("log")) } else { run }.spawn();
        run.wait_until_subscribed().signal(Signal::HUP);
        if to_file {
            run.wait_for_stderr(
                "SIGHUP: standard output cannot be opened again; messages still go to the same file",
            );
            run.signal(Signal::TERM);
        }
        run.wait_for_end().exits(0);
        server.finish();
    }
}

/// A pipe cannot be opened again, and is not a log file: the run ends as by SIGTERM.
#[test]
fn hang_up_ends_a_run_that_writes_to_a_pipe() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::subscribe(server.port()).args(["-t", "a", "-d"]).spawn();
    run.wait_until_subscribed().signal(Signal::HUP);
    run.wait_for_end().exits(0);
    server.finish();
}

/// With nohup the signal does not end it.
#[test]
fn ignored_hang_up_stays_ignored() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::subscribe(server.port()).args(["-t", "a", "-d"]).behind("trap '' HUP").spawn();
    run.wait_until_subscribed().signal(Signal::HUP);
    run.signal(Signal::TERM);
    run.wait_for_stderr("sending DISCONNECT");
    let outcome = run.wait_for_end().exits(0);
    assert!(!outcome.stderr.contains("SIGHUP"), "{}", outcome.stderr);
    server.finish();
}

/// Also if messages go to a file: the user who closes the terminal wants the program to end.
#[cfg(target_os = "linux")]
#[test]
fn closed_terminal_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let (log, output) = (folder.path().join("log"), folder.path().join("output"));
    for output_file in [false, true] {
        let (tell, subscribed) = mpsc::channel();
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            tell.send(()).unwrap();
            peer.expect_disconnect(V5);
        });
        let terminal = nix::pty::openpty(None, None).unwrap();
        // The other side must belong to this test only: a process that inherits it keeps the terminal open.
        rustix::io::fcntl_setfd(&terminal.master, rustix::io::FdFlags::CLOEXEC).unwrap();
        let mut session = std::process::Command::new("setsid");
        session.args(["--ctty", env!("CARGO_BIN_EXE_mqtt"), "sub", "-h", "127.0.0.1", "-V", "5", "-t", "a"]);
        session.args(["-p", &server.port().to_string()]);
        if output_file {
            session.arg("--output").arg(&output);
        }
        session.env_clear().stdin(terminal.slave).stdout(std::fs::File::create(&log).unwrap());
        let mut child = session.stderr(std::process::Stdio::null()).spawn().unwrap();
        drop(session);
        subscribed.recv().unwrap();
        drop(terminal.master);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        server.finish();
    }
}

/// A file that cannot be opened is reported before the connection.
#[test]
fn output_file_that_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none/log");
    Mqtt::subscribe(1).args(["-t", "a", "--output", path.to_str().unwrap()]).run().fails(1, "cannot open ");
    let watch = ["-t", "a", "-w", "--output", "log"];
    Mqtt::subscribe(1).args(watch).run().fails(2, "--watch needs a terminal");
}

/// Messages that do not fit the format are reported once per run, not once per message.
#[test]
fn misfit_is_reported_once() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        for payload in [&b"not json"[..], b"{\"a\":1}", b"either", b"12345678"] {
            peer.send(&Message::new("a", payload).bytes(V5));
        }
        peer.expect_disconnect(V5);
    });
    let outcome = Mqtt::subscribe(server.port()).args(["-t", "a", "-C", "4", "-F", "%J %f"]).run().exits(0);
    let said: Vec<&str> = outcome.stderr.lines().collect();
    let number = "mqtt: warning: message 2 on 'a': requested float printing, but the payload has 7 bytes (shown only once)";
    let json = "mqtt: warning: message 1 on 'a': requested JSON, but the payload is not JSON; it is shown as a string \
                (shown only once)";
    assert_eq!(said, [json, number]);
    assert_eq!(outcome.lines().len(), 4);
}

/// The messages of one read of the socket go out in one write, in every form.
#[rstest]
fn messages_of_a_read_are_written_together(
    #[values(&[][..], &["-v"], &["-F", "%t %p"], &["--json"], &["--json", "--where", ".qos == 0"])]
    form: &[&str],
) {
    const MESSAGES: usize = 20_000;
    if !can_trace() {
        return;
    }
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&Message::new("home/kitchen", b"0123456789abcdef").bytes(V5).repeat(MESSAGES));
        peer.expect_disconnect(V5);
    });
    let folder = tempfile::tempdir().unwrap();
    let (trace, file) = (folder.path().join("trace"), folder.path().join("messages"));
    let mut arguments: Vec<OsString> =
        ["-f", "-y", "-e", "trace=read,recvfrom,recvmsg,write,writev,sendto", "-o"].map(Into::into).to_vec();
    arguments.extend([trace.clone().into(), env!("CARGO_BIN_EXE_mqtt").into(), "sub".into()]);
    let port = server.port().to_string();
    let line = ["-h", "127.0.0.1", "-p", &port, "-V", "5", "-t", "#", "-C", &MESSAGES.to_string()];
    let run = Mqtt::new(arguments).instead("strace").args(line).args(form.iter().copied());
    run.stdout_file(&file).run().succeeds();
    let lines = std::fs::read(&file).unwrap().iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, MESSAGES);
    let trace = std::fs::read_to_string(trace).unwrap();
    let count = |calls: &[&str], descriptor: &str| {
        let is_one = |line: &&str| {
            calls.iter().any(|call| line.contains(&format!(" {call}("))) && line.contains(descriptor)
        };
        trace.lines().filter(is_one).count()
    };
    let reads = count(&["read", "recvfrom", "recvmsg"], "<socket:")
        + count(&["read", "recvfrom", "recvmsg"], "<TCP:");
    let writes = count(&["write", "writev"], &format!("<{}>", file.display()));
    assert!(writes > 0 && writes <= reads, "{writes} writes for {reads} reads");
    assert!(reads * 4 < MESSAGES, "{reads} reads");
}

/// If the disk fills up in the middle of a line, only complete lines stay, and the next run continues with
/// the first unacknowledged line.
#[test]
fn full_disk_leaves_whole_lines_and_the_next_run_continues_after_them() {
    for to_stdout in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let broker = Broker::start();
        let session = ["-t", "a", "-q", "1", "-c", "-i", "logger"];
        let subscribe = || {
            let run = broker.subscribe().args(session);
            if to_stdout { run.stdout_file(&log) } else { run.args(["--output", log.to_str().unwrap()]) }
        };
        let lines: Vec<String> = (0..40).map(|number| format!("{number:0100}")).collect();
        subscribe().args(["-E"]).run().succeeds();
        for line in &lines {
            broker.publish().args(["-t", "a", "-q", "1", "-m", line]).run().succeeds();
        }
        // Stands for a full disk: a write beyond 1,024 bytes fails.
        subscribe().behind("ulimit -f 2").run().exits(1);
        let first = std::fs::read_to_string(&log).unwrap();
        assert!(!first.is_empty() && first.ends_with('\n'), "{first:?}");
        let kept = first.lines().count();
        assert_eq!(first.lines().collect::<Vec<_>>(), lines[..kept]);
        // Messages that the first run has written but not acknowledged arrive again.
        let last = lines.last().unwrap();
        let run = subscribe().spawn();
        wait_until(|| std::fs::read_to_string(&log).is_ok_and(|found| found.ends_with(&format!("{last}\n"))));
        run.signal(Signal::INT);
        run.finish().exits(0);
        let all = std::fs::read_to_string(&log).unwrap();
        assert!(all.lines().all(|line| lines.iter().any(|one| one == line)), "a line in two pieces");
        assert_eq!(all.lines().skip(kept).last(), lines.last().map(String::as_str));
    }
}
