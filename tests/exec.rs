//! `mqtt sub --exec`: a command for each message, and when the message is acknowledged.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::PacketType::{PubAck, PubComp, PubRec, PubRel};
use rstest::rstest;
use rustix::process::{Pid, Signal};

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::{Peer, Server};
use crate::support::{Kind, skip_here, version, wait_until};

fn at_1(topic: &str, payload: &[u8], identifier: u16) -> Vec<u8> {
    Message::new(topic, payload).at(QoS::AtLeastOnce, identifier).bytes(V5)
}

fn session(server: &mut crate::support::server::Listener) -> Peer {
    let mut peer = server.accept_session(V5);
    peer.grant_subscription(V5);
    peer
}

fn subscribe(port: u16, count: &str) -> Mqtt {
    Mqtt::subscribe(port).args(["-V", "5", "-t", "#", "-q", "2", "-C", count])
}

fn ends(pid: &str) {
    let process = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    wait_until(|| !state().is_ok_and(|state| !state.contains(") Z ")));
}

#[rstest]
fn message_is_acknowledged_when_its_command_has_succeeded(
    #[values(V3_1_1, V5)] protocol: Protocol,
    #[values(QoS::AtLeastOnce, QoS::ExactlyOnce)] qos: QoS,
) {
    let folder = tempfile::tempdir().unwrap();
    let (started, go) = (folder.path().join("started"), folder.path().join("go"));
    let command =
        format!("cat; touch {}; while [ ! -e {} ]; do sleep 0.02; done", started.display(), go.display());
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.send(&Message::new("a", b"payload").at(qos, 7).bytes(protocol));
        wait_until(|| started.exists());
        assert_eq!(peer.next_within(Duration::from_millis(300)), None);
        std::fs::write(go, "").unwrap();
        if qos == QoS::AtLeastOnce {
            peer.expect(protocol, &packets::ack(PubAck, 7));
        } else {
            peer.expect(protocol, &packets::ack(PubRec, 7));
            if let Some(next) = peer.next_within(Duration::from_secs(60)) {
                assert_eq!(next, packets::pingreq());
            }
            peer.send(&[packets::ack(PubRel, 7), packets::pingresp()].concat());
            peer.expect(protocol, &packets::ack(PubComp, 7));
        }
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", version(protocol), "-t", "a", "-q", "2", "-C", "1", "--exec", &command];
    Mqtt::subscribe(server.port()).args(args).run().succeeds().prints("payload");
}

/// Acknowledgements keep the order of the messages, whichever command ends first.
#[test]
fn acknowledgements_keep_the_order_of_messages() {
    let folder = tempfile::tempdir().unwrap();
    let done = folder.path().join("done").display().to_string();
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&[at_1("slow", b"", 1), at_1("fast", b"", 2)].concat());
        peer.expect(V5, &packets::ack(PubAck, 1));
        peer.expect(V5, &packets::ack(PubAck, 2));
        peer.expect_disconnect(V5);
    });
    let command = format!(
        "echo $MQTT_TOPIC; case $MQTT_TOPIC in fast) touch {done};; *) while [ ! -e {done} ]; do sleep 0.02; done;; esac"
    );
    let outcome = subscribe(server.port(), "2").args(["--exec", &command, "--exec-jobs", "2"]).run();
    assert_eq!(outcome.succeeds().lines().len(), 2);
}

#[rstest]
#[case::stop("stop", 1, &[1], "it ended with exit status: 3")]
#[case::skip("skip", 3, &[1, 2, 3], "1 command failed")]
fn failed_command_ends_the_run_or_is_skipped(
    #[case] failure: &'static str,
    #[case] status: i32,
    #[case] acknowledged: &'static [u16],
    #[case] says: &str,
) {
    let server = Server::start(move |server| {
        let mut peer = session(server);
        peer.send(&[at_1("a", b"1", 1), at_1("bad", b"2", 2), at_1("a", b"3", 3)].concat());
        for identifier in acknowledged {
            peer.expect(V5, &packets::ack(PubAck, *identifier));
        }
        peer.expect_disconnect(V5);
    });
    let command = "[ $MQTT_TOPIC != bad ] || exit 3; cat";
    let args = ["--exec", command, "--exec-failure", failure];
    subscribe(server.port(), "3").args(args).run().exits(status).mentions(says);
}

/// The timeout decides how the run ends, and does not hide failed commands.
#[test]
fn skipped_failures_are_counted_at_the_time_limit() {
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&at_1("a", b"1", 1));
        peer.expect(V5, &packets::ack(PubAck, 1));
        peer.expect_disconnect(V5);
    });
    let args = ["--exec", "exit 1", "--exec-failure", "skip", "-W", "5"];
    let run = subscribe(server.port(), "9").args(args).run().exits(27);
    run.mentions("1 command failed, and the messages were acknowledged all the same");
}

/// Messages whose output could not be written are not acknowledged, and a command ended by SIGPIPE is not run
/// again.
#[rstest]
fn output_that_cannot_be_written_ends_the_run(
    #[values("cat", "yes", "cat; while [ -e /dev/null ]; do echo more; done")] command: &str,
    #[values(false, true)] is_full: bool,
) {
    if is_full && !Path::new("/dev/full").exists() {
        return skip_here("there is no /dev/full");
    }
    let (subscribed, is_subscribed) = mpsc::channel::<()>();
    let (close, is_closed) = mpsc::channel::<()>();
    let server = Server::start(move |server| {
        let mut peer = session(server);
        subscribed.send(()).unwrap();
        is_closed.recv().unwrap();
        peer.send(&at_1("a", b"1", 1));
        peer.expect_disconnect(V5);
    });
    let run = subscribe(server.port(), "9").args(["--exec", command]);
    let mut running = if is_full { run.stdout_file("/dev/full") } else { run.hold_stdout() }.spawn();
    is_subscribed.recv().unwrap();
    if !is_full {
        running.close_stdout();
    }
    close.send(()).unwrap();
    let outcome = running.wait_for_end();
    if is_full {
        outcome.fails(1, "standard output: No space left on device");
    } else {
        outcome.succeeds();
    }
    server.finish();
}

/// The command has written: the run does not wait for a further message when the reader leaves.
#[test]
fn reader_of_the_commands_leaves_while_no_message_comes() {
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&at_1("a", b"1\n", 1));
        peer.expect(V5, &packets::ack(PubAck, 1));
        peer.expect_disconnect(V5);
    });
    subscribe(server.port(), "9")
        .args(["--exec", "cat"])
        .close_stdout_after(1)
        .run()
        .succeeds()
        .prints("1\n");
    server.finish();
}

/// A service whose commands write nothing does not depend on a reader.
#[test]
fn commands_that_write_nothing_are_run_without_a_reader() {
    let (left, has_left) = mpsc::channel::<()>();
    let server = Server::start(move |server| {
        let mut peer = session(server);
        peer.send(&at_1("a", b"1", 1));
        peer.expect(V5, &packets::ack(PubAck, 1));
        has_left.recv().unwrap();
        peer.send(&at_1("a", b"2", 2));
        peer.expect(V5, &packets::ack(PubAck, 2));
        peer.expect_disconnect(V5);
    });
    let mut running = subscribe(server.port(), "2").args(["--exec", "true"]).hold_stdout().spawn();
    running.close_stdout();
    left.send(()).unwrap();
    running.wait_for_end().succeeds();
    server.finish();
}

/// The command for the failed message runs again before the others of its topic; those of another topic
/// continue.
#[test]
fn failed_command_is_run_again_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let failed = folder.path().join("failed").display().to_string();
    let server = Server::start(|server| {
        let mut peer = session(server);
        let messages = [at_1("a", b"1", 1), at_1("a", b"2", 2), at_1("b", b"3", 3), at_1("a", b"4", 4)];
        peer.send(&messages.concat());
        for identifier in 1..=4 {
            peer.expect(V5, &packets::ack(PubAck, identifier));
        }
        peer.expect_disconnect(V5);
    });
    let command = format!("[ -e {failed} ] || {{ touch {failed}; exit 1; }}; cat; echo");
    let outcome = subscribe(server.port(), "4").args(["--exec", &command]).run().exits(0);
    assert_eq!(outcome.lines(), ["3", "1", "2", "4"]);
    outcome.mentions("again in 1s");
}

/// A message that always fails does not delay the others forever.
#[test]
fn failed_message_is_given_up_after_its_retries() {
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&[at_1("bad", b"poison", 1), at_1("good", b"2", 2), at_1("bad", b"3", 3)].concat());
        for identifier in 1..=3 {
            peer.expect(V5, &packets::ack(PubAck, identifier));
        }
        peer.expect_disconnect(V5);
    });
    let command = "read -r text; [ \"$text\" != poison ] || exit 7; echo \"$text\"";
    let args = ["--exec", command, "--exec-retries", "1"];
    let outcome = subscribe(server.port(), "3").args(args).run().exits(3);
    assert_eq!(outcome.lines(), ["2", "3"]);
    assert_eq!(outcome.stderr.matches("again in 1s").count(), 1, "{}", outcome.stderr);
    outcome
        .mentions("--exec failed on message 1 on 'bad': it ended with exit status: 7\n")
        .mentions("given up after 1 retry, and acknowledged: message 1 on 'bad' with the payload 'poison'")
        .mentions("1 command failed, and the messages were acknowledged all the same");
}

/// A command can distinguish an undecoded payload from a decoded one.
#[test]
fn command_knows_that_its_payload_was_not_decoded() {
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&[at_1("a", b"4f4b", 1), at_1("a", b"no", 2)].concat());
        peer.expect(V5, &packets::ack(PubAck, 1));
        peer.expect(V5, &packets::ack(PubAck, 2));
        peer.expect_disconnect(V5);
    });
    let args = ["--decode", "#=hex", "--exec", "echo \"$(cat) (${MQTT_PAYLOAD_ERROR-decoded})\""];
    let outcome = subscribe(server.port(), "2").args(args).run().exits(3);
    assert_eq!(outcome.lines(), ["OK (decoded)", "no (hex: it is not pairs of hexadecimal digits)"]);
}

/// The shell interprets no part of a message.
#[test]
fn hostile_topics_and_payloads_are_only_data() {
    const TOPICS: [&str; 7] = [
        ";touch evil",
        "$(touch evil)",
        "`touch evil`",
        "a\ntouch evil",
        "'; touch evil; '",
        "--{topic}",
        "\"$MQTT_TOPIC\"",
    ];
    let expected: String = TOPICS.iter().map(|topic| format!("<{topic}>\n")).collect();
    for form in [
        &["--exec", "printf '<%s>\\n' \"$MQTT_TOPIC\""][..],
        &["--exec-argv", "--", "printf", "<%s>\\n", "{topic}"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(|server| {
            let mut peer = session(server);
            for topic in TOPICS {
                peer.send(&Message::new(topic, b"$(touch evil)").bytes(V5));
            }
            peer.expect_disconnect(V5);
        });
        subscribe(server.port(), "7").args(form).run().succeeds().prints(&expected);
        assert!(!Path::new("evil").exists() && !folder.path().join("evil").exists());
        server.finish();
    }
}

#[test]
fn command_gets_the_properties_and_no_secret() {
    let server = Server::start(|server| {
        let mut peer = session(server);
        let message = Message::new("a/b", b"x").at(QoS::AtLeastOnce, 1).retained().with(&[
            (PropertyId::ContentType, Value::Text("text/plain")),
            (PropertyId::ResponseTopic, Value::Text("re/ply")),
            (PropertyId::CorrelationData, Value::Binary(b"\xff\0")),
            (PropertyId::UserProperty, Value::Pair("trace-id é", "1 2")),
            (PropertyId::UserProperty, Value::Pair("Trace.id_é", "second")),
            (PropertyId::UserProperty, Value::Pair("LD_PRELOAD", "evil")),
        ]);
        peer.send(&message.bytes(V5));
        peer.expect(V5, &packets::ack(PubAck, 1));
        peer.expect_disconnect(V5);
    });
    let expected = "\
MQTT_CONTENT_TYPE=text/plain
MQTT_CORRELATION_DATA_BASE64=/wA=
MQTT_QOS=1
MQTT_RESPONSE_TOPIC=re/ply
MQTT_RETAIN=1
MQTT_TOPIC=a/b
MQTT_USER_LD_PRELOAD=evil
MQTT_USER_TRACE_ID__=1 2
OTHER=kept
";
    let command = "env | grep -E '^(MQTT|OTHER|LD_)' | LC_ALL=C sort";
    subscribe(server.port(), "1")
        .args(["--exec", command, "-u", "me", "-P", "typed-secret"])
        .env("MQTT_PASSWORD", "secret")
        .env("MQTT_URL", "mqtt://me:secret@127.0.0.1")
        .env("OTHER", "kept")
        .run()
        .succeeds()
        .prints(expected);
}

/// Processes started by a command end with it.
#[test]
fn late_command_is_ended_with_its_group() {
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&at_1("a", b"", 1));
        peer.expect_disconnect(V5);
    });
    let args = ["--exec-timeout", "500ms", "--exec-failure", "stop", "--exec"];
    let command = "(trap '' TERM HUP INT; exec sleep 1000) & echo $!; wait";
    let outcome = subscribe(server.port(), "1").args(args).args([command]).run();
    let outcome = outcome.exits(1).mentions("it took longer than 500ms");
    ends(&outcome.lines()[0]);
}

/// A command that does not read its input, or only the start of it, has not failed.
#[test]
fn command_need_not_read_its_input() {
    for command in ["true", "head -c 1", "exec <&-; exit 0"] {
        let server = Server::start(|server| {
            let mut peer = session(server);
            peer.send(&at_1("a", &vec![b'x'; 1 << 20], 1));
            peer.expect(V5, &packets::ack(PubAck, 1));
            peer.expect_disconnect(V5);
        });
        subscribe(server.port(), "1").args(["--exec", command]).run().succeeds();
        server.finish();
    }
}

/// The lines of two commands are not mixed, regardless of their length.
#[test]
fn outputs_of_commands_are_not_mixed() {
    const LINES: usize = 20_000;
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&[at_1("a", b"", 1), at_1("b", b"", 2), at_1("c", b"", 3)].concat());
        for identifier in 1..=3 {
            peer.expect(V5, &packets::ack(PubAck, identifier));
        }
        peer.expect_disconnect(V5);
    });
    let command = format!("yes $MQTT_TOPIC$MQTT_TOPIC$MQTT_TOPIC$MQTT_TOPIC | head -n {LINES}");
    let args = ["--exec", &command, "--exec-jobs", "3"];
    let mut lines = subscribe(server.port(), "3").args(args).run().succeeds().lines();
    assert_eq!(lines.len(), 3 * LINES);
    lines.dedup();
    assert_eq!(lines.len(), 3);
}

#[test]
fn signal_waits_for_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&[at_1("a", b"", 1), at_1("a", b"", 2)].concat());
        peer.expect(V5, &packets::ack(PubAck, 1));
        peer.expect_disconnect(V5);
    });
    let command = format!("echo started; while [ ! -e {} ]; do sleep 0.02; done; echo done", go.display());
    let running = subscribe(server.port(), "9").args(["--exec", &command]).spawn();
    running.wait_for_stdout("started").signal(Signal::TERM);
    running.wait_for_stderr("1 message received, and not given to the command");
    std::fs::write(go, "").unwrap();
    running.wait_for_end().exits(0).prints("started\ndone\n");
}

#[rstest]
fn second_signal_ends_the_command(#[values(Signal::INT, Signal::TERM)] second: Signal) {
    let (end, ended) = mpsc::channel::<()>();
    let server = Server::start(move |server| {
        let mut peer = session(server);
        peer.send(&at_1("a", b"", 1));
        peer.expect_disconnect(V5);
        drop(ended);
    });
    let running = subscribe(server.port(), "9").args(["--exec", "sleep 1000 & echo $!; wait"]).spawn();
    running.wait_for_lines(1).signal(Signal::INT);
    // The first signal has been handled.
    running.wait_for_stderr("waiting for 1 command").signal(second);
    let outcome = running.wait_for_end();
    ends(&outcome.lines()[0]);
    drop(end);
}

/// Beyond the limit nothing is read.
#[test]
fn waiting_messages_are_bounded() {
    let (measured, is_measured) = mpsc::channel();
    let server = Server::start(move |server| {
        let mut peer = session(server);
        let message = Message::new("a", &vec![b'x'; 64 * 1024]).bytes(V5);
        measured.send(peer.flood_up_to(&message, 512 << 20)).unwrap();
        peer.drain();
    });
    let running = subscribe(server.port(), "100000").args(["--exec", "sleep 1000"]).spawn();
    let taken = is_measured.recv().unwrap();
    assert!((16 << 20..256 << 20).contains(&taken), "{taken}");
    running.signal(Signal::INT).signal(Signal::TERM);
    running.wait_for_end();
}

#[test]
fn what_cannot_be_combined_is_refused() {
    for (line, says) in [
        (&["--exec", "x", "-v"][..], "shows no messages"),
        (&["--exec", "x", "--json"], "shows no messages"),
        (&["--exec", "x", "--output", "f"], "shows no messages"),
        (&["--exec", "x", "--remove-retained"], "--remove-retained"),
        (&["--exec", ""], "empty"),
        (&["--exec-argv"], "needs a program"),
        (&["--exec-jobs", "2"], "need --exec"),
        (&["--exec-retries", "2"], "need --exec"),
        (&["--exec", "x", "--exec-failure", "skip", "--exec-retries", "2"], "--exec-failure retry"),
        (&["--exec", "x", "--exec-retries", "often"], "or forever"),
        (&["--exec", "x", "--exec-jobs", "257"], "256"),
        (&["--exec", "x", "--exec-argv", "--", "y"], "--exec"),
    ] {
        Mqtt::new(["sub", "-t", "a"]).args(line).run().exits(2).mentions(says);
    }
}

/// Without a command, words after `--` are topic filters.
#[test]
fn words_after_two_dashes_are_filters() {
    let server = Server::start(|server| {
        let mut peer = session(server);
        peer.send(&Message::new("-t", b"x").bytes(V5));
        peer.expect_disconnect(V5);
    });
    let port = server.port().to_string();
    Mqtt::new(["sub", "-V", "5", "-h", "127.0.0.1", "-p", &port, "-C", "1", "--", "-t"]).run().prints("x\n");
}

/// The first matching filter gets the message, then the command for all; others are acknowledged without a
/// command.
#[rstest]
fn commands_are_chosen_by_filters(#[values(false, true)] has_rest: bool) {
    let server = Server::start(move |server| {
        let mut peer = session(server);
        for (identifier, topic) in (1..).zip(["door/1", "lamp/1", "other", "door/2"]) {
            peer.send(&at_1(topic, b"x", identifier));
            peer.expect(V5, &packets::ack(PubAck, identifier));
        }
        peer.expect_disconnect(V5);
    });
    let rules = ["--exec-for", "door/1", "echo first", "--exec-for", "door/#", "echo door $MQTT_TOPIC"];
    let lamp = ["--exec-for", "$share/group/lamp/+", "echo lamp"];
    let rest: &[&str] = if has_rest { &["--exec", "echo rest", "-C", "4"] } else { &["-C", "3"] };
    let run =
        Mqtt::subscribe(server.port()).args(["-V", "5", "-q", "1"]).args(rules).args(lamp).args(rest).run();
    let rest = if has_rest { "rest\n" } else { "" };
    run.succeeds().prints(format!("first\nlamp\n{rest}door door/2\n"));
}

/// A broker that delivers once per subscription must not make the command run twice.
#[test]
fn filter_that_another_covers_is_not_subscribed_to() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        let subscribe = peer.next().unwrap();
        let contains = |text: &[u8]| subscribe.windows(text.len()).any(|part| part == text);
        assert!(contains(b"door/#") && !contains(b"door/1"), "{subscribe:?}");
    });
    let rules = ["--exec-for", "door/1", "echo 1", "--exec-for", "door/#", "echo rest"];
    let running = Mqtt::subscribe(server.port()).args(["-V", "5", "-q", "1"]).args(rules).spawn();
    server.finish();
    drop(running);
}

/// Before the connection, and not with each message.
#[test]
fn program_that_cannot_be_run_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (program, why) in [
        ("./nofile", "No such file or directory"),
        ("no-program-of-this-name", "No such file or directory"),
        (file.to_str().unwrap(), "Permission denied"),
    ] {
        let server = Server::start(|listener| listener.expect_no_connection());
        let run = subscribe(server.port(), "1").args(["--exec-argv", "--", program]).run();
        run.fails(1, &format!("--exec-argv: cannot run '{program}': {why}"));
        server.finish();
    }
}

/// One command per message, even if a broker delivers it once for each matching filter.
#[rstest]
fn message_of_overlapping_filters_runs_one_command(
    #[values(&["--exec-for", "+/1", "echo first", "--exec-for", "door/#", "echo rest"][..],
             &["-t", "+/1", "-t", "door/#", "--exec", "[ $MQTT_TOPIC = door/1 ] && echo first || echo rest"])]
    rules: &[&str],
) {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        for number in 1..=2 {
            let (identifier, _) = peer.expect_subscribe(V5);
            peer.send(&packets::suback(V5, identifier, &[1]));
            let at = |id| Message::new("door/1", b"x").at(QoS::AtLeastOnce, id);
            if number == 2 {
                // Two copies of one message, and another message.
                for (id, message) in [
                    (1, at(1).with(&identifier_of(2))),
                    (2, at(2).with(&identifier_of(1))),
                    (3, Message::new("door/2", b"x").at(QoS::AtLeastOnce, 3).with(&identifier_of(2))),
                ] {
                    peer.send(&message.bytes(V5));
                    peer.expect(V5, &packets::ack(PubAck, id));
                }
            }
        }
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::subscribe(server.port())
        .args(["-V", "5", "-q", "1", "-C", "2"])
        .args(rules.iter().copied())
        .run();
    run.succeeds().prints("first\nrest\n");
    server.finish();
}

fn identifier_of(number: u32) -> [(PropertyId, Value<'static>); 1] {
    [(PropertyId::SubscriptionIdentifier, Value::Number(number))]
}

/// The same with a broker that delivers in this way.
#[test]
fn one_command_for_each_message_of_mosquitto() {
    let Some(broker) = Kind::Mosquitto.start() else { return };
    let port = broker.as_ref().port();
    let rules = ["--exec-for", "+/1", "echo first", "--exec-for", "door/#", "echo rest"];
    let running = Mqtt::subscribe(port).args(["-d", "-V", "5", "-q", "1", "-C", "3"]).args(rules).spawn();
    running.wait_for_stderr_times("received SUBACK", 2);
    for topic in ["door/1", "door/2", "door/1"] {
        Mqtt::publish(port).args(["-q", "1", "-t", topic, "-m", "x"]).run().succeeds();
    }
    running.wait_for_end().exits(0).prints("first\nrest\nfirst\n");
}
