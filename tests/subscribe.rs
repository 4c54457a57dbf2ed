//! `mqtt sub`: what it asks for, what it shows, and when it acknowledges.

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::wire::PacketType::{PubAck, PubComp, PubRec, PubRel};
use rustix::process::Signal;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::Server;
use crate::support::{for_versions, version};

for_versions! {
    all fn shows_messages_of_each_qos(protocol) {
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
}

for_versions! {
    /// `-C` leaves what comes behind unacknowledged, for the next one to have.
    fn leaves_later_messages_unacknowledged(protocol) {
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
}

for_versions! {
    /// A QoS 2 message is over only when it is released.
    fn finishes_its_last_qos_2_message(protocol) {
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
}

for_versions! {
    /// A QoS 2 message that comes twice before it is released is shown once.
    fn shows_a_qos_2_message_once(protocol) {
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
}

for_versions! {
    /// Topics that are not UTF-8, or have U+0000 in them, are shown: byte for byte in text, as well as
    /// can be in JSON. The link stays.
    fn topics_that_no_publisher_may_use(protocol) {
        for (options, expected) in [
            (&["-v"][..], &b"a/\xff x\na/\0 y\n"[..]),
            (&["--json"], "\"topic\":\"a/\u{FFFD}\"".as_bytes()),
        ] {
            let server = Server::start(move |server| {
                let mut peer = server.accept_session(protocol);
                peer.grant_subscription(protocol);
                let end = if protocol == V5 { &b"\0"[..] } else { b"" };
                peer.send(&[&[0x30, if protocol == V5 { 7 } else { 6 }, 0, 3, b'a', b'/', 0xFF][..], end, b"x"].concat());
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
}

for_versions! {
    /// A message that comes twice at QoS 1 is shown twice: dropping it would be a guess.
    fn shows_a_repeated_qos_1_message(protocol) {
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
}

for_versions! {
    /// The session is gone: the subscription is made again. It was kept: it is not.
    fn resubscribes_if_the_session_is_lost(protocol) {
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
}

/// A link that is lost before SUBACK: the answer will not come, so the question is put again.
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

for_versions! {
    /// Ctrl-C and SIGTERM are how a subscriber ends: in good order, with success.
    fn signals_end_it_cleanly(protocol) {
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

/// A reader that stands still holds up neither the time limit nor a signal, and what it did not get is
/// not acknowledged.
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

for_versions! {
    /// Once all that was asked for is written, a link that breaks is no reason to come back for more.
    fn a_link_lost_behind_the_last_message_is_the_end(protocol) {
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(protocol);
            peer.grant_subscription(protocol);
            peer.send(&Message::new("a", b"x").at(QoS::ExactlyOnce, 1).bytes(protocol));
            peer.expect(protocol, &packets::ack(PubRec, 1));
            peer.reset();
            server.expect_nobody();
        });
        let args = ["-V", version(protocol), "-t", "a", "-q", "2", "-C", "1", "-c", "-i", "me"];
        Mqtt::subscribe(server.port()).args(args).run().succeeds().prints("x\n");
    }
}
