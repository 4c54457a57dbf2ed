//! The reader of standard output leaves while nothing is to be written: the run ends, wherever it is.

use std::sync::mpsc;

use mqtt::protocol::Protocol::V5;

use crate::support::mqtt::Mqtt;
use crate::support::packets;
use crate::support::server::Server;

/// Every command that writes to standard output and may wait, with its exit status: a test that was not
/// run to its end is no success.
const WAITING: &[(&[&str], i32)] = &[
    (&["sub", "-t", "a"], 0),
    (&["sub", "-t", "a", "-v", "--json", "-C", "5"], 0),
    (&["sub", "-t", "a", "--retained-only"], 0),
    (&["sub", "-t", "a", "--message-rate"], 0),
    (&["rr", "-t", "a", "-m", "x"], 0),
    (&["ping"], 0),
    (&["ping", "--json"], 0),
    (&["bench", "--duration", "1h"], 0),
    (&["bench", "--json", "--duration", "1h"], 0),
    (&["retain-clear", "#", "--dry-run"], 0),
    (&["will-test", "--case", "close"], 1),
];

fn command(words: &[&str], port: u16) -> Mqtt {
    Mqtt::new(words).args(["-h", "127.0.0.1", "-p", &port.to_string(), "-V", "5", "--connect-timeout", "1h"])
}

/// There is no CONNACK yet.
#[test]
fn reader_leaves_before_connack() {
    for (words, status) in WAITING {
        for is_socket in [false, true] {
            let (tell, connecting) = mpsc::channel();
            let server = Server::start(move |listener| {
                let mut peer = listener.accept();
                peer.expect_connect(V5);
                tell.send(()).unwrap();
                peer.drain();
            });
            let run = command(words, server.port());
            let mut run = if is_socket { run.hold_stdout_socket() } else { run.hold_stdout() }.spawn();
            connecting.recv().unwrap();
            run.close_stdout();
            run.wait_for_end().exits(*status);
            server.finish();
        }
    }
}

/// The reader of `| true` may be gone before there is anything to read.
#[test]
fn reader_is_gone_from_the_start() {
    for (words, status) in WAITING {
        let server = Server::start(|listener| {
            let mut peer = listener.accept();
            peer.drain();
        });
        let mut run = command(words, server.port()).hold_stdout().behind("read go").open_stdin().spawn();
        run.close_stdout().write("go\n");
        run.wait_for_end().exits(*status);
        server.finish_or_refuse();
    }
}

/// There is no server, and the next attempt is far off.
#[test]
fn reader_leaves_during_the_pause_between_two_attempts() {
    for words in [&["sub", "-t", "a"][..], &["rr", "-t", "a", "-n"]] {
        let (tell, refused) = mpsc::channel();
        let server = Server::start(move |listener| {
            listener.close();
            tell.send(()).unwrap();
        });
        refused.recv().unwrap();
        let run = command(words, server.port()).args(["--wait-for-server", "1h"]);
        let mut run = run.hold_stdout().spawn();
        run.wait_for_stderr("no connection yet");
        run.close_stdout();
        run.wait_for_end().exits(0);
    }
}

/// Nothing was ever written, the link is idle, and there is no keep-alive to wake it.
#[test]
fn idle_subscriber_leaves_with_disconnect() {
    for is_socket in [false, true] {
        let (tell, subscribed) = mpsc::channel();
        let server = Server::start(move |listener| {
            let mut peer = listener.accept_session(V5);
            peer.grant_subscription(V5);
            tell.send(()).unwrap();
            peer.expect_disconnect(V5);
        });
        let run = command(&["sub", "-t", "a", "-k", "0"], server.port());
        let mut run = if is_socket { run.hold_stdout_socket() } else { run.hold_stdout() }.spawn();
        subscribed.recv().unwrap();
        run.close_stdout();
        run.wait_for_end().succeeds();
        server.finish();
    }
}

/// What is wanted of these is not what they write.
#[test]
fn work_that_is_not_for_the_reader_goes_on() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        peer.grant_subscription(V5);
        peer.expect_disconnect(V5);
        let mut peer = listener.accept_session(V5);
        while peer.next() == Some(packets::pingreq()) {
            peer.send(&packets::pingresp());
        }
    });
    for words in [&["sub", "-t", "a", "-E"][..], &["ping", "--quiet"]] {
        let mut run = command(words, server.port()).hold_stdout().behind("read go").open_stdin().spawn();
        run.close_stdout().write("go\n");
        run.wait_for_end().exits(0);
    }
    server.finish();
}
