//! Data larger than the memory limit of the process (`ulimit -v`) is an error with a name, and not an abort.

use std::fs::File;
use std::path::PathBuf;

use mqtt::protocol::Protocol::V5;
use rstest::rstest;
use tempfile::TempDir;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::Server;

/// Room for one copy of the data here, but not for two.
const LIMIT: &str = "ulimit -v 450000";
const LARGE_BYTES: u64 = 260_000_000;

/// A sparse file.
fn large_file(bytes: u64) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    File::create(&path).unwrap().set_len(bytes).unwrap();
    (folder, path)
}

#[rstest]
#[case(&["-s"])]
#[case(&["-f", "FILE"])]
#[case(&["-f", "FILE", "-f", "FILE"])]
#[case(&["-f", "FILE", "-q", "1"])]
#[case(&["--size", "260000000"])]
#[case(&["-f", "FILE", "-q", "1", "--spool", "FILE.spool"])]
#[case(&["--size", "260000000", "-q", "1", "--spool", "FILE.spool"])]
#[case(&["-s", "--encode", "base64"])]
fn message_to_publish(#[case] options: &[&str]) {
    let (_folder, path) = large_file(LARGE_BYTES);
    let server = Server::start(|server| {
        let mut peer = server.accept();
        // Some runs end before they connect.
        if peer.next().is_some() {
            peer.send(&packets::connack_with(&[]));
            while peer.next().is_some() {}
        }
    });
    let name = path.to_str().unwrap();
    let options = options.iter().map(|word| word.replace("FILE", name));
    let run = Mqtt::publish(server.port()).args(["-V", "5", "-t", "a"]).args(options).stdin_file(&path);
    run.behind(LIMIT).run().exits(1).mentions(" bytes: out of memory");
    server.finish_or_refuse();
}

/// Programs have a stack of their own: it is refused in one line, before the first connection.
#[rstest]
#[case(&["--jq", "."])]
#[case(&["--jq", "[.payload.temperature, .payload.humidity, .payload.pressure] | add"])]
fn thread_of_a_program(#[case] options: &[&str]) {
    let run = Mqtt::subscribe(1).args(["-t", "a"]).args(options).behind("ulimit -v 300000").run();
    run.fails(1, "cannot start a thread: ");
}

/// A load whose topics the system has no memory for is refused before the first connection.
#[test]
fn topics_of_a_load() {
    let line = ["bench", "pub", "-h", "127.0.0.1", "-p", "1", "--topics", "100000000", "--threads", "2"];
    let run = Mqtt::new(line).behind("ulimit -v 4000000").run();
    run.fails(2, "MiB of memory are needed, and the system refuses as much");
}

/// A condition on the header needs no such thread.
#[test]
fn condition_on_the_header() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&Message::new("a", b"x").bytes(V5));
        peer.expect_disconnect(V5);
    });
    let args = ["-V", "5", "-t", "a", "-C", "1", "--where", ".qos == 0"];
    Mqtt::subscribe(server.port()).args(args).behind("ulimit -v 300000").run().exits(0).prints("x\n");
    server.finish();
}

#[rstest]
#[case(&["sub", "-t", "a", "-C", "1"])]
#[case(&["sub", "-t", "a", "-C", "1", "--json"])]
fn message_that_is_received(#[case] words: &[&str]) {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        // A PUBLISH to 'a' with the maximum remaining length.
        let head = [0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, b'a', 0];
        let mut is_there = peer.send_if_there(&head);
        let block = vec![b'x'; 1 << 20];
        let mut left = 268_435_455 - 4;
        while is_there && left > 0 {
            let count = block.len().min(left);
            is_there = peer.send_if_there(&block[..count]);
            left -= count;
        }
    });
    let run = Mqtt::new(words).args(["-V", "5", "-h", "127.0.0.1", "-p", &server.port().to_string()]);
    let run = run.behind(LIMIT).run().exits(1);
    run.mentions(" bytes: out of memory\nhint: --max-packet-size ");
    server.finish();
}

#[test]
fn line_of_a_backup() {
    let (_folder, path) = large_file(500_000_000);
    let run = Mqtt::new(["retain-clear", "-h", "127.0.0.1", "-p", "1", "--restore"]).args([&path]);
    run.behind(LIMIT).run().fails(1, "out of memory");
}

#[test]
fn messages_of_a_load() {
    let line =
        ["bench", "pub", "--count", "1", "--size", "260000000", "-V", "5", "-h", "127.0.0.1", "-p", "1"];
    Mqtt::new(line).behind("ulimit -v 250000").run().fails(1, "messages of 260000000 bytes: out of memory");
}
