//! A broker that is silent after a CONNECT of MQTT 5 is asked for older versions on a second connection.

use mqtt::protocol::Protocol::{self, V3_1, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::wire::PacketType;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::{Listener, Server};

/// A connection on which the broker refuses this version.
fn refuse_version(server: &mut Listener, protocol: Protocol) {
    let mut peer = server.accept();
    peer.expect_connect(protocol);
    peer.send(&packets::connack(protocol, false, 1));
    peer.close();
}

/// Half of this timeout is less than three seconds.
const QUICKLY: [&str; 2] = ["--connect-timeout", "4s"];

#[test]
fn first_answer_of_two_versions_wins_mqtt_5() {
    let server = Server::start(|server| {
        let mut slow = server.accept();
        slow.expect_connect(V5);
        let mut rival = server.accept();
        rival.expect_connect(V3_1_1);
        slow.send(&packets::connack(V5, false, 0));
        slow.expect(V5, &Message::new("a", b"x").bytes(V5));
        rival.expect_disconnect(V3_1_1);
        slow.expect_barrier_and_disconnect(V5);
    });
    Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).args(QUICKLY).run().succeeds();
    server.finish();
}

#[test]
fn first_answer_of_two_versions_wins_3_1_1() {
    let server = Server::start(|server| {
        let mut silent = server.accept();
        silent.expect_connect(V5);
        let mut peer = server.accept_session(V3_1_1);
        peer.expect(V3_1_1, &Message::new("a", b"x").bytes(V3_1_1));
        silent.expect_disconnect(V3_1_1);
        peer.expect_barrier_and_disconnect(V3_1_1);
    });
    Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).args(QUICKLY).run().succeeds();
    server.finish();
}

/// A broker of 3.1 that ignores a CONNECT of MQTT 5 is asked for 3.1 before MQTT 5 is given up.
#[test]
fn version_3_1_is_asked_for_while_mqtt_5_is_not_answered() {
    let server = Server::start(|server| {
        let mut silent = server.accept();
        silent.expect_connect(V5);
        refuse_version(server, V3_1_1);
        let mut peer = server.accept_session(V3_1);
        peer.expect(V3_1, &Message::new("a", b"x").bytes(V3_1));
        silent.expect_disconnect(V3_1_1);
        peer.expect_barrier_and_disconnect(V3_1);
    });
    Mqtt::publish(server.port())
        .args(["-t", "a", "-m", "x"])
        .args(["--connect-timeout", "600s"])
        .run()
        .succeeds();
    server.finish();
}

/// A broker of MQTT 5 alone may be slow to answer that, and quick to refuse the others.
#[test]
fn late_mqtt_5_wins_where_all_others_are_refused() {
    let server = Server::start(|server| {
        let mut slow = server.accept();
        slow.expect_connect(V5);
        refuse_version(server, V3_1_1);
        refuse_version(server, V3_1);
        slow.send(&packets::connack(V5, false, 0));
        slow.expect(V5, &Message::new("a", b"x").bytes(V5));
        slow.expect_barrier_and_disconnect(V5);
    });
    Mqtt::publish(server.port()).args(["-t", "a", "-m", "x"]).args(QUICKLY).run().succeeds();
    server.finish();
}

/// A broker that reads the CONNECT of the abandoned connection lets it take over the session.
#[test]
fn session_taken_over_by_the_losing_connection_is_made_again() {
    let server = Server::start(|server| {
        let mut slow = server.accept();
        slow.expect_connect(V5);
        let mut rival = server.accept();
        rival.expect_connect(V3_1_1);
        slow.send(&packets::connack(V5, false, 0));
        slow.expect_publish(V5, QoS::AtLeastOnce, b"x");
        slow.send(&packets::disconnect(V5, 0x8E));
        slow.close();
        let mut peer = server.accept_session(V5);
        peer.expect_publish(V5, QoS::AtLeastOnce, b"x");
        peer.send(&packets::ack(PacketType::PubAck, 2));
        peer.send(&packets::ack(PacketType::PubAck, 1));
        peer.expect_disconnect(V5);
    });
    let args = ["-t", "a", "-m", "x", "-q", "1", "-i", "same"];
    Mqtt::publish(server.port()).args(args).args(QUICKLY).run().exits(0);
    server.finish();
}
