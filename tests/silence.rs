//! `mqtt sub`: reactions to silence, and to enough messages per topic (`--silence`, `--idle`,
//! `--count-per-topic`).

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::PacketType::PubAck;
use rstest::rstest;
use rustix::process::Signal;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::Server;
use crate::support::{Kind, report};

/// A topic that has only a retained message is silent too; no message matches the last filter.
#[rstest]
fn silent_topics_are_reported_and_that_they_are_back(
    #[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind,
    #[values(false, true)] json: bool,
) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let publish = |topic: &str| broker.publish().args(["-q", "1", "-t", topic, "-m", "x"]);
    publish("s/retained").args(["-r"]).run().succeeds();
    let format: &[&str] = if json { &["--json"] } else { &[] };
    let args = ["-t", "s/#", "-t", "none/+", "--silence", "500ms", "-d"];
    let run = broker.subscribe().args(args).args(format).spawn();
    run.wait_until_subscribed();
    publish("s/live").run().succeeds();
    // Each once; the order depends on the times of the messages.
    run.wait_for_lines(3);
    publish("s/retained").run().succeeds();
    run.wait_for_lines(4).signal(Signal::INT);
    let lines = run.wait_for_end().exits(0).lines();
    let found: Vec<String> = if json {
        let text = |line: &String| {
            let event = report("silence", line.as_bytes());
            assert!(event["state"] != "silent" || event["silent_s"].as_f64().unwrap() >= 0.5, "{event}");
            let of = if event["filter"].is_null() { &event["topic"] } else { &event["filter"] };
            format!("{} {}", event["state"].as_str().unwrap(), of.as_str().unwrap())
        };
        lines.iter().map(text).collect()
    } else {
        lines
    };
    let mut first = found[..3].to_vec();
    first.sort();
    assert_eq!(first, ["silent none/+", "silent s/live", "silent s/retained"]);
    assert_eq!(found[3], "back s/retained");
}

/// No topic counts as silent while the connection is lost or dead: the broker must answer first.
#[test]
fn own_outage_is_not_silence() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&Message::new("a", b"x").bytes(V5));
        // It would be silent, but this connection answers nothing.
        peer.expect(V5, &packets::pingreq());
        peer.close();
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.expect(V5, &packets::pingreq());
        // The message arrived while the broker was asked.
        peer.send(&[Message::new("b", b"x").bytes(V5), packets::pingresp()].concat());
        peer.expect(V5, &packets::pingreq());
        peer.send(&packets::pingresp());
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::subscribe(server.port()).args(["-V", "5", "-t", "#", "--silence", "400ms"]).spawn();
    run.wait_for_lines(4).signal(Signal::TERM);
    run.wait_for_end().exits(0).prints("unknown\nwatching\nsilent a\nsilent b\n");
    server.finish();
}

/// Topics silent at that time are reported first, and the exit status is a failure.
#[test]
fn silence_fails_on_request() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(
            &[Message::new("a", b"x").bytes(V5), Message::new("b", b"x").retained().bytes(V5)].concat(),
        );
        peer.expect(V5, &packets::pingreq());
        peer.send(&packets::pingresp());
        peer.expect_disconnect(V5);
    });
    let args = ["-V", "5", "-t", "#", "--silence", "300ms", "--fail"];
    let run = Mqtt::subscribe(server.port()).args(args).run();
    run.exits(3)
        .mentions("no live message for 300ms on 2 of the topics and filters")
        .prints("silent a\nsilent b\n");
}

/// 100,000 topics, and the memory for messages of broker and client, in 64 MiB of data.
#[test]
fn many_topics_are_watched_in_bounded_memory() {
    const TOPICS: usize = 100_000;
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        let topics = (0..TOPICS).map(|number| format!("site/7/device/{number}/temperature"));
        let messages: Vec<u8> = topics.flat_map(|topic| Message::new(&topic, b"23.4").bytes(V5)).collect();
        peer.send(&messages);
        while peer.next().is_some_and(|packet| packet == packets::pingreq()) {
            peer.send(&packets::pingresp());
        }
    });
    let args = ["-V", "5", "-t", "#", "--silence", "3s", "--reconnect", "never"];
    let run = Mqtt::subscribe(server.port()).args(args).behind("ulimit -d 65536").spawn();
    run.wait_for_lines(TOPICS).signal(Signal::INT);
    assert_eq!(run.wait_for_end().exits(0).lines().len(), TOPICS);
}

/// With messages the exit status is 0, otherwise 27; the time starts with SUBACK, and again with each
/// message.
#[test]
fn idle_run_ends() {
    let run = |messages: &'static [&'static str], options: &[&str]| {
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            for (identifier, topic) in (1..).zip(messages) {
                peer.send(&Message::new(topic, b"x").at(QoS::AtLeastOnce, identifier).bytes(V5));
                peer.expect(V5, &packets::ack(PubAck, identifier));
            }
            peer.expect_disconnect(V5);
        });
        let args = ["-V", "5", "-t", "#", "-q", "1", "--idle", "400ms", "-F", "%t"];
        Mqtt::subscribe(server.port()).args(args).args(options).run()
    };
    run(&["a", "b", "c"], &[]).succeeds().prints("a\nb\nc\n");
    run(&[], &[]).exits(27).mentions("timed out after 400ms without a message");
    // Filtered-out messages do not count.
    run(&["a"], &["-T", "a"]).exits(27).prints("");
    run(&["a"], &["-R"]).succeeds().prints("a\n");
    // The other limits stay the same.
    run(&["a", "b"], &["-C", "2"]).succeeds().prints("a\nb\n");
}

/// A broker that does not answer cannot delay the end.
#[test]
fn idle_time_needs_an_answer_first() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.expect_subscribe(V5);
        peer.expect_disconnect(V5);
    });
    let args = ["-V", "5", "-t", "#", "--idle", "1h", "--connect-timeout", "1"];
    Mqtt::subscribe(server.port())
        .args(args)
        .run()
        .fails(1, "did not answer SUBSCRIBE with SUBACK within 1s");
}

/// The run waits for a running command, and the time starts at its end.
#[test]
fn idle_time_does_not_count_while_a_command_runs() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&Message::new("a", b"x").at(QoS::AtLeastOnce, 1).bytes(V5));
        peer.expect(V5, &packets::ack(PubAck, 1));
        peer.expect_disconnect(V5);
    });
    let args = ["-V", "5", "-t", "#", "-q", "1", "--idle", "200ms", "--exec", "sleep 1; echo done"];
    Mqtt::subscribe(server.port()).args(args).run().succeeds().prints("done\n");
}

#[test]
fn run_ends_when_each_topic_had_its_number() {
    let run = |filters: &[&str], topics: &'static [&'static str], options: &[&str]| {
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            let (identifier, _) = peer.expect_subscribe(V5);
            peer.send(&packets::suback(V5, identifier, &[1, 1]));
            for (identifier, topic) in (1..).zip(topics) {
                peer.send(&Message::new(topic, b"x").at(QoS::AtLeastOnce, identifier).bytes(V5));
                peer.expect(V5, &packets::ack(PubAck, identifier));
            }
            peer.expect_disconnect(V5);
        });
        let filters: Vec<&str> = filters.iter().flat_map(|filter| ["-t", filter]).collect();
        let args = ["-V", "5", "-q", "1", "-F", "%t", "--count-per-topic", "2"];
        Mqtt::subscribe(server.port()).args(args).args(filters).args(options).run()
    };
    run(&["a", "b"], &["a", "b", "a", "a", "b"], &[]).succeeds().prints("a\nb\na\nb\n");
    // With a wildcard there may be more topics: another option ends the run.
    let topics = &["a", "b/1", "a", "a", "b/2", "b/1", "b/1", "b/2", "b/2", "b/3"];
    run(&["a", "b/+"], topics, &["-C", "7"]).succeeds().prints("a\nb/1\na\nb/2\nb/1\nb/2\nb/3\n");
    run(&["a", "b/+"], &["a", "a", "a"], &["--idle", "300ms"]).succeeds().prints("a\na\n");
}

/// Silence and message counts need an answered subscription.
#[rstest]
fn subscription_that_is_never_answered_ends_a_run_that_waits(
    #[values(&["-C", "1"][..], &["--until", "true"], &["--silence", "1s", "--fail"])] args: &[&str],
    #[values(&[][..], &[(PropertyId::ServerKeepAlive, Value::Number(0))])] list: &'static [(
        PropertyId,
        Value<'static>,
    )],
) {
    let server = Server::start(|listener| {
        let mut peer = listener.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack_with(list));
        peer.drain();
    });
    let run = Mqtt::subscribe(server.port()).args(["-V", "5", "-t", "a", "--connect-timeout", "1s"]);
    run.args(args.iter().copied()).run().exits(1).mentions("did not answer SUBSCRIBE with SUBACK within 1s");
    server.finish();
}

/// A broker that becomes silent is detected, and the run reconnects.
#[test]
fn broker_that_turns_keep_alive_off_is_still_watched() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack_with(&[(PropertyId::ServerKeepAlive, Value::Number(0))]));
        peer.grant_subscription(V5);
        assert_eq!(peer.packet(), packets::pingreq());
        listener.accept_session(V5).drain();
    });
    let args = ["-V", "5", "-t", "a", "-k", "1", "--silence", "1h"];
    let run = Mqtt::subscribe(server.port()).args(args).spawn();
    run.wait_for_stderr("connected again");
    run.signal(Signal::TERM);
    run.wait_for_end();
    server.finish();
}
