//! `mqtt sub`: which messages it shows, and in which form other than as they come.

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::wire::PacketType::PubAck;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::Server;
use crate::support::{for_brokers, version};

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
