//! `mqtt sub`: which messages it shows, and in which form other than as they come.

use std::sync::mpsc;

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::wire::PacketType::PubAck;

use rustix::process::Signal;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::Server;
use crate::support::{for_brokers, report, version};

/// Some of many messages, each acknowledged, be it shown or not. Only those that are shown count for
/// `-C`.
#[test]
fn a_random_part() {
    const MESSAGES: u16 = 400;
    let run = |percent: &'static str| {
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            for identifier in 1..=MESSAGES {
                let payload = identifier.to_string();
                peer.send(&Message::new("a", payload.as_bytes()).at(QoS::AtLeastOnce, identifier).bytes(V5));
                peer.expect(V5, &packets::ack(PubAck, identifier));
            }
            if percent == "100" {
                peer.expect_disconnect(V5);
            }
        });
        let args = ["-t", "a", "-q", "1", "--reconnect", "never", "--random-filter", percent, "-C", "400"];
        Mqtt::subscribe(server.port()).args(args).run()
    };
    // All 400 came, and not as many were shown: the end of the link is not the end of the work.
    let lines = run("50").exits(1).lines();
    // 200, and not more than nine standard deviations from it.
    assert!((110..=290).contains(&lines.len()), "{} of {MESSAGES}", lines.len());
    let numbers: Vec<u16> = lines.iter().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    assert_eq!(run("100").exits(0).lines().len(), 400);
}

/// A line for each second that is over, messages or not, and none for the last. `-C`, `-W` and Ctrl-C
/// end it as they end any other run.
#[test]
fn message_rate() {
    let end = |options: &'static [&'static str], more: bool| {
        let (go_on, may_go_on) = mpsc::channel();
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            peer.grant_subscription(V5);
            let message = Message::new("a", b"x").bytes(V5);
            peer.send(&message.repeat(3));
            may_go_on.recv().unwrap();
            if more {
                peer.send(&message.repeat(2));
            }
            peer.expect_disconnect(V5);
        });
        let run = Mqtt::subscribe(server.port()).args(["-t", "a", "--message-rate"]).args(options).spawn();
        let (three, none) = if options.contains(&"--json") {
            ("\"messages_per_s\":3}\n", "\"messages_per_s\":0}\n")
        } else {
            ("3 msgs/s\n", "0 msgs/s\n")
        };
        run.wait_for_stdout(three).wait_for_lines(2);
        if !more {
            run.signal(Signal::INT);
        }
        go_on.send(()).unwrap();
        let outcome = run.wait_for_end().succeeds();
        let text = String::from_utf8(outcome.stdout.clone()).unwrap();
        let others = text.replace(three, "").replace(none, "");
        (outcome, others)
    };
    for options in [&["-C", "5"][..], &["-C", "5", "-q", "1", "-v"]] {
        assert_eq!(end(options, true).1, "");
    }
    assert_eq!(end(&["-T", "b"], false).1, "");
    let (outcome, _) = end(&["-C", "5", "--json"], true);
    let counts: Vec<u64> = outcome
        .lines()
        .iter()
        .map(|line| report("message-rate", line.as_bytes())["messages_per_s"].as_u64().unwrap())
        .collect();
    assert_eq!(counts.iter().sum::<u64>(), 3, "{counts:?}");
    assert!(counts.contains(&0), "{counts:?}");
}

for_brokers! {
    /// A time limit ends it, and nothing that was not counted is shown.
    fn rates_end_in_time(broker, protocol) {
        let v = version(protocol);
        let run = broker.subscribe().args(["-V", v, "-t", "a", "--message-rate", "-W", "1500ms"]).run();
        let lines = run.exits(27).mentions("timed out after 1.5s").lines();
        assert!(lines.len() < 2 && lines.iter().all(|line| line == "0 msgs/s"), "{lines:?}");
    }
}

for_brokers! {
    /// A hundred percent are all; mosquitto's are a tenth of that.
    fn percent_are_percent(broker, protocol) {
        let v = version(protocol);
        let args = ["-V", v, "-t", "p", "--random-filter", "100", "-C", "50", "-q", "1", "-d"];
        let subscriber = broker.subscribe().args(args).spawn();
        subscriber.wait_until_subscribed();
        let input: String = (0..50).map(|number| format!("{number}\n")).collect();
        broker.publish().args(["-V", v, "-t", "p", "-l", "-q", "1"]).stdin(input.clone()).run().succeeds();
        subscriber.finish().exits(0).prints(input);
    }
}
