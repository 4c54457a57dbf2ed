//! Connections that are lost during the work, and brokers that are killed and restarted.

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::property::{PropertyId, Value};
use rstest::rstest;

use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::Server;
use crate::support::{Service, version};

/// How often the connection is cut, and the number of lines between two cuts.
const CUTS: usize = 5;
const LINES_PER_CUT: usize = 2_000;

fn numbers(from: usize, count: usize) -> String {
    (from..from + count).map(|number| format!("{number}\n")).collect()
}

/// A short back-off, so that the test does not wait for it.
const SOON: [&str; 2] = ["--reconnect-max-delay", "50ms"];

fn session<'a>(protocol: Protocol, qos: &'a str, name: &'a str) -> [&'a str; 9] {
    ["-V", version(protocol), "-t", "cut", "-q", qos, "-c", "-i", name]
}

/// Publishes and receives numbers while `cut` cuts both connections repeatedly; returns the received numbers.
fn through_cuts(broker: &dyn Service, protocol: Protocol, qos: &str, mut cut: impl FnMut()) -> Vec<usize> {
    broker.subscribe().args(session(protocol, qos, "reader")).args(["-E"]).run().succeeds();
    let subscriber = broker.subscribe().args(session(protocol, qos, "reader")).args(SOON).spawn();
    let writer = broker.publish().args(session(protocol, qos, "writer")).args(SOON);
    let mut publisher = writer.args(["-l"]).open_stdin().spawn();
    for round in 0..CUTS {
        publisher.write(numbers(round * LINES_PER_CUT, LINES_PER_CUT));
        // In the middle of the lines that were just written.
        subscriber.wait_for_lines(round * LINES_PER_CUT + LINES_PER_CUT / 3);
        cut();
    }
    publisher.write("end\n");
    publisher.finish().exits(0);
    subscriber.wait_for_stdout("\nend\n").signal(rustix::process::Signal::TERM);
    let mut lines = subscriber.wait_for_end().exits(0).lines();
    // At QoS 1 the last line may arrive more than once.
    lines.retain(|line| line != "end");
    lines.iter().map(|line| line.parse().unwrap()).collect()
}

/// All numbers, each once, in order.
#[track_caller]
fn exactly_once(received: &[usize]) {
    let expected = 0..CUTS * LINES_PER_CUT;
    let missing: Vec<usize> = expected.clone().filter(|number| !received.contains(number)).take(20).collect();
    let strange: Vec<&[usize]> = received.windows(2).filter(|pair| pair[0] + 1 != pair[1]).take(20).collect();
    let count = received.len();
    assert!(received.iter().copied().eq(expected), "{count} came, missing {missing:?}, steps {strange:?}");
}

/// At QoS 1 no message is lost, and repeated ones are in order.
#[rstest]
fn cut_links_at_qos_1(#[values(V3_1_1, V5)] protocol: Protocol) {
    let broker = Broker::start();
    let mut received = through_cuts(&broker, protocol, "1", || broker.embedded().cut_connections());
    let mut newest = None;
    for number in &received {
        assert!(newest.is_none_or(|newest| *number <= newest + 1), "{number} behind {newest:?}");
        newest = newest.max(Some(*number));
    }
    received.sort_unstable();
    received.dedup();
    exactly_once(&received);
}

/// At QoS 2, with kept sessions, exactly once.
#[rstest]
fn cut_links_at_qos_2(#[values(V3_1_1, V5)] protocol: Protocol) {
    let broker = Broker::start();
    let received = through_cuts(&broker, protocol, "2", || broker.embedded().cut_connections());
    exactly_once(&received);
}

/// A mosquitto that is stopped and restarted with its saved state.
fn through_restarts(protocol: Protocol, qos: &str) -> Option<Vec<usize>> {
    let broker = std::cell::RefCell::new(Mosquitto::start(&Setup::new().quiet().persistent())?);
    let port = broker.borrow().port();
    struct At(u16);
    impl Service for At {
        fn port(&self) -> u16 {
            self.0
        }
    }
    Some(through_cuts(&At(port), protocol, qos, || {
        broker.borrow_mut().stop();
        broker.borrow_mut().start_again();
    }))
}

#[rstest]
fn a_restarted_mosquitto_at_qos_1(#[values(V3_1_1, V5)] protocol: Protocol) {
    let Some(mut received) = through_restarts(protocol, "1") else { return };
    received.sort_unstable();
    received.dedup();
    exactly_once(&received);
}

/// At QoS 2 exactly once. The subscriber connects after all restarts: mosquitto 2.0 forgets at its end which
/// messages it had released, and sends them again.
#[rstest]
fn a_restarted_mosquitto_at_qos_2(#[values(V3_1_1, V5)] protocol: Protocol) {
    let Some(mut broker) = Mosquitto::start(&Setup::new().quiet().persistent()) else { return };
    broker.subscribe().args(session(protocol, "2", "reader")).args(["-E"]).run().succeeds();
    let writer = broker.publish().args(session(protocol, "2", "writer")).args(SOON);
    let mut publisher = writer.args(["-l", "-d"]).open_stdin().spawn();
    for round in 0..CUTS {
        publisher.write(numbers(round * LINES_PER_CUT, LINES_PER_CUT));
        publisher.wait_for_stderr_times("received PUBCOMP", round * LINES_PER_CUT + LINES_PER_CUT / 3);
        broker.stop();
        broker.start_again();
    }
    publisher.finish().exits(0);
    let all = (CUTS * LINES_PER_CUT).to_string();
    // In 3.1.1, because of the stall of its QoS 2 in MQTT 5; it is the same session.
    let reader = session(Protocol::V3_1_1, "2", "reader");
    let lines = broker.subscribe().args(reader).args(["-C", &all]).run().succeeds().lines();
    exactly_once(&lines.iter().map(|line| line.parse().unwrap()).collect::<Vec<_>>());
}

/// A killed broker loses its state. Unacknowledged messages are sent to the next one, and both sides
/// reconnect.
#[rstest]
fn a_killed_mosquitto(#[values(V3_1_1, V5)] protocol: Protocol) {
    let Some(mut broker) = Mosquitto::start(&Setup::new()) else { return };
    let v = version(protocol);
    let subscriber = broker.subscribe().args(["-V", v, "-t", "k", "-q", "1", "-d"]).args(SOON).spawn();
    subscriber.wait_until_subscribed();
    let args = ["-V", v, "-t", "k", "-q", "1", "-l", "-d"];
    let mut publisher = broker.publish().args(args).args(SOON).open_stdin().spawn();
    publisher.write(numbers(0, 10));
    subscriber.wait_for_lines(10);
    publisher.wait_for_stderr_times("received PUBACK", 10);
    broker.kill();
    subscriber.wait_for_stderr("trying again");
    publisher.wait_for_stderr("trying again");
    broker.start_again();
    subscriber.wait_for_stderr_times("Subscribed (mid: ", 2);
    publisher.write(numbers(10, 10));
    publisher.finish().exits(0);
    subscriber.wait_for_lines(20).signal(rustix::process::Signal::INT);
    subscriber.wait_for_end().exits(0).prints(numbers(0, 20));
}

/// The embedded broker in its own process, killed and restarted on its port.
#[test]
fn a_killed_embedded_broker() {
    let broker = Mqtt::new(["broker", "-p", "0"]).spawn();
    let port = listening_port(&broker);
    let mut publisher =
        Mqtt::publish(port).args(["-t", "k", "-q", "1", "-l", "-d"]).args(SOON).open_stdin().spawn();
    publisher.write("1\n").wait_for_stderr("received PUBACK");
    broker.signal(rustix::process::Signal::KILL);
    broker.wait_for_end().dies_of(rustix::process::Signal::KILL);
    publisher.wait_for_stderr("trying again");
    publisher.write("2\n");
    let broker = Mqtt::new(["broker", "-p", &port.to_string()]).spawn();
    broker.wait_for_lines(1);
    publisher.finish().exits(0).mentions("connected again");
    broker.signal(rustix::process::Signal::TERM);
    broker.wait_for_end().succeeds();
}

/// A broker started by another program ends with it, because its pipe is closed.
#[test]
fn an_embedded_broker_ends_with_its_input() {
    let mut broker = Mqtt::new(["broker", "-p", "0", "--until-eof"]).open_stdin().spawn();
    let port = listening_port(&broker);
    broker.write("whatever\n");
    Mqtt::publish(port).args(["-t", "a", "-n"]).run().succeeds();
    broker.close_stdin();
    broker.wait_for_end().succeeds();
}

/// The port on which `mqtt broker` reports to listen.
fn listening_port(broker: &crate::support::mqtt::Running) -> u16 {
    broker.wait_for_lines(1);
    let line = String::from_utf8(broker.stdout()).unwrap();
    line.trim_end().rsplit(':').next().unwrap().parse().unwrap()
}

/// Without a server, the option makes the run wait for one.
#[rstest]
fn wait_for_server_retries_the_first_connection(#[values(V3_1_1, V5)] protocol: Protocol) {
    let Some(mut broker) = Mosquitto::start(&Setup::new()) else { return };
    broker.kill();
    let args = ["-V", version(protocol), "-t", "a", "-m", "x", "-q", "1", "--wait-for-server", "60"];
    let publisher = broker.publish().args(args).args(SOON).spawn();
    publisher.wait_for_stderr("connection refused; trying again");
    broker.start_again();
    publisher.finish().exits(0);
}

/// The run gives up after the given number of attempts.
#[test]
fn run_ends_after_the_number_of_attempts() {
    use crate::support::server::Server;
    let server = Server::start(|server| {
        let mut peer = server.accept_session(Protocol::V5);
        peer.grant_subscription(Protocol::V5);
        server.close();
        peer.close();
    });
    let args = ["-t", "a", "--reconnect", "3", "--reconnect-max-delay", "1ms"];
    let run = Mqtt::subscribe(server.port()).args(args).run().exits(1);
    assert_eq!(run.stderr.matches("trying again").count(), 1, "{}", run.stderr);
    run.mentions("mqtt: connection: 127.0.0.1:").prints("");
}

/// The server's last messages and its DISCONNECT arrive together and exceed the pipe: they are written at the
/// reader's pace, and not only after a reconnect.
#[test]
fn last_messages_are_shown_without_a_connection() {
    const MESSAGES: usize = 3_000;
    let server = Server::start(|server| {
        let mut peer = server.accept_session(Protocol::V5);
        peer.grant_subscription(Protocol::V5);
        let mut all = Message::new("a", b"x").bytes(Protocol::V5).repeat(MESSAGES);
        all.extend(packets::disconnect(Protocol::V5, 0x8B));
        server.close();
        peer.send(&all);
        peer.expect_end();
    });
    let running = Mqtt::subscribe(server.port()).args(["-t", "a", "--json"]).spawn();
    running.wait_for_lines(MESSAGES).signal(rustix::process::Signal::TERM);
    running.wait_for_end().exits(0).mentions("Server shutting down");
}

/// Another client with the same identifier: MQTT 5 reports it, and reconnects would only disconnect each
/// other forever.
#[test]
fn session_taken_over_ends_the_run() {
    let broker = Broker::start();
    let args = ["-V", "5", "-t", "a", "-i", "same"];
    let first = broker.subscribe().args(args).args(["-d"]).args(SOON).spawn();
    first.wait_until_subscribed();
    broker.subscribe().args(args).args(["-E"]).run().succeeds();
    first.wait_for_end().exits(0x8E).mentions("Session taken over").does_not_mention("trying again");
}

/// MQTT 3.1.1 cannot report it, and a command without reconnects sees it once.
#[test]
fn closing_hints_at_another_client_with_the_same_identifier() {
    use crate::support::server::Server;
    for line in [
        &["ping"][..],
        &["rr", "-t", "a", "-m", "x", "-e", "b"],
        &["pub", "-t", "a", "-m", "x", "-q", "1", "--repeat", "3"],
    ] {
        for identifier in [&["-i", "same"][..], &[]] {
            let server = Server::start(|server| server.accept_session(Protocol::V3_1_1).close());
            let port = server.port().to_string();
            let target = ["-V", "311", "-h", "127.0.0.1", "-p", &port];
            let run = Mqtt::new(line).args(target).args(identifier).run().exits(1);
            let hint = "hint: another client may use the same client identifier (-i)";
            let run = run.mentions("connection");
            if identifier.is_empty() {
                run.does_not_mention(hint)
            } else {
                run.mentions(hint)
            };
            server.finish();
        }
    }
}

/// A connection that is lost right after each CONNACK counts as a failure.
#[test]
fn links_that_do_not_last_are_counted() {
    use crate::support::server::Server;
    let server = Server::start(|server| {
        for _ in 0..4 {
            let mut peer = server.accept_session(Protocol::V3_1_1);
            peer.grant_subscription(Protocol::V3_1_1);
            peer.close();
        }
        server.expect_no_connection();
    });
    let args = ["-V", "311", "-t", "a", "--reconnect", "3", "--reconnect-max-delay", "1ms"];
    let run = Mqtt::subscribe(server.port()).args(args).run().exits(1);
    assert_eq!(run.stderr.matches("connected again").count(), 3, "{}", run.stderr);
    server.finish();
}

/// The client identifier assigned by the server is used for later connections ([MQTT-3.2.2-16]), so that a
/// kept session is found.
#[test]
fn an_assigned_identifier_is_used_again() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack_with(&[(PropertyId::AssignedClientIdentifier, Value::Text("yours"))]));
        peer.grant_subscription(V5);
        peer.close();
        let mut peer = server.accept();
        let connect = peer.expect_connect(V5);
        assert!(connect.ends_with(b"\0\x05yours"), "{connect:02x?}");
        peer.send(&packets::connack(V5, false, 0));
        peer.grant_subscription(V5);
        peer.send(&Message::new("a", b"x").bytes(V5));
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::subscribe(server.port()).args(["-V", "5", "-t", "a", "-C", "1"]).args(SOON).run();
    run.exits(0).prints("x\n");
    server.finish();
}

/// A subscription that was granted and is temporarily refused on the next connection is requested again; the
/// only filter, or one of several.
#[rstest]
#[case(V5, 0x97)]
#[case(V5, 0x80)]
#[case(V5, 0x83)]
#[case(V3_1_1, 0x80)]
fn subscription_refused_after_a_reconnect_is_asked_for_again(#[case] protocol: Protocol, #[case] code: u8) {
    for filters in [&["a"][..], &["b", "a"]] {
        let granted = vec![0; filters.len()];
        let refused = [&granted[1..], &[code]].concat();
        let server = Server::start(move |listener| {
            let mut peer = listener.accept_session(protocol);
            let (identifier, _) = peer.expect_subscribe(protocol);
            peer.send(&packets::suback(protocol, identifier, &granted));
            peer.close();
            let mut peer = listener.accept_session(protocol);
            let (identifier, _) = peer.expect_subscribe(protocol);
            peer.send(&packets::suback(protocol, identifier, &refused));
            for code in [code, 0] {
                let (identifier, asked) = peer.expect_subscribe(protocol);
                assert_eq!(asked.len(), 1, "the other is granted");
                peer.send(&packets::suback(protocol, identifier, &[code]));
            }
            peer.send(&Message::new("a", b"x").bytes(protocol));
            peer.expect_disconnect(protocol);
        });
        let line = ["-V", version(protocol), "-q", "0", "-C", "1"];
        let topics = filters.iter().flat_map(|filter| ["-t", filter]);
        let run =
            Mqtt::subscribe(server.port()).args(line).args(topics).args(SOON).run().exits(0).prints("x\n");
        run.mentions("connected again")
            .mentions("subscription to 'a' refused: ")
            .mentions("; trying again")
            .mentions("subscribed to 'a' again");
        server.finish();
    }
}

/// Initially a refusal ends the run, as do a permanent one, and any refusal without reconnects.
#[rstest]
#[case::at_first(false, 0x97, &[], 151)]
#[case::for_good(true, 0x87, &[], 135)]
#[case::without_attempts(true, 0x97, &["--reconnect", "1"], 151)]
fn subscription_refused_for_good_ends_the_run(
    #[case] was_granted: bool,
    #[case] code: u8,
    #[case] more: &[&str],
    #[case] status: i32,
) {
    let attempts = if more.is_empty() { 1 } else { 2 };
    let server = Server::start(move |listener| {
        if was_granted {
            let mut peer = listener.accept_session(V5);
            peer.grant_subscription(V5);
            peer.close();
        }
        let mut peer = listener.accept_session(V5);
        for _ in 0..attempts {
            let (identifier, _) = peer.expect_subscribe(V5);
            peer.send(&packets::suback(V5, identifier, &[code]));
        }
        peer.expect_disconnect(V5);
    });
    let run = Mqtt::subscribe(server.port()).args(["-V", "5", "-t", "a"]).args(SOON).args(more).run();
    run.exits(status).mentions("subscription to 'a' refused: ");
}

/// A responder continues as well.
#[rstest]
fn responder_asks_again_for_a_subscription(#[values(V3_1_1, V5)] protocol: Protocol) {
    let server = Server::start(move |listener| {
        let mut peer = listener.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.close();
        let mut peer = listener.accept_session(protocol);
        let (identifier, _) = peer.expect_subscribe(protocol);
        peer.send(&packets::suback(protocol, identifier, &[0x80]));
        peer.grant_subscription(protocol);
        peer.send(&Message::new("a", b"x").bytes(protocol));
        peer.expect_publish(protocol, mqtt::protocol::QoS::AtMostOnce, b"y");
    });
    let port = server.port().to_string();
    let line = ["respond", "-h", "127.0.0.1", "-p", &port, "-V", version(protocol), "-t", "a", "-q", "0"];
    let run = Mqtt::new(line).args(["-e", "b", "-m", "y", "-C", "1"]).args(SOON).run();
    run.mentions("; trying again").mentions("subscribed again");
}

/// Without Session Expiry Interval the session ends with its connection: what the broker has under the same client
/// identifier later is another client's, without this one's subscriptions [MQTT-3.1.2-4].
#[rstest]
fn session_is_asked_for_again_only_if_it_outlives_its_connection(#[values(false, true)] is_kept: bool) {
    /// In a CONNECT of less than 128 bytes.
    const CONNECT_FLAGS: usize = 9;
    const CLEAN_START: u8 = 2;
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.close();
        let mut peer = server.accept();
        let connect = peer.expect_connect(V5);
        assert_eq!(connect[CONNECT_FLAGS] & CLEAN_START == 0, is_kept);
        peer.send(&packets::connack(V5, is_kept, 0));
        if !is_kept {
            peer.grant_subscription(V5);
        }
        peer.send(&Message::new("a", b"x").bytes(V5));
        peer.expect_disconnect(V5);
    });
    let line = ["-V", "5", "-t", "a", "-C", "1", "-i", "me"];
    let kept: &[&str] = if is_kept { &["-x", "1h"] } else { &[] };
    Mqtt::subscribe(server.port()).args(line).args(kept).args(SOON).run().exits(0).prints("x\n");
    server.finish();
}
