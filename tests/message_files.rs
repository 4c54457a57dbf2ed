//! `mqtt sub --output-dir`.

use std::fs;
use std::path::Path;

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::wire::PacketType::PubAck;
use rustix::process::Signal;

use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::server::Server;

/// The names and contents of the files, in order.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let read =
        |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    let mut files: Vec<_> = entries.map(read).collect();
    files.sort();
    files
}

/// A server that sends these messages and expects an acknowledgement for each.
fn server(messages: &'static [(&'static str, &'static [u8])]) -> Server {
    Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        for (identifier, (topic, payload)) in (1..).zip(messages) {
            peer.send(&Message::new(topic, payload).at(QoS::AtLeastOnce, identifier).bytes(V5));
            peer.expect(V5, &packets::ack(PubAck, identifier));
        }
        peer.expect_disconnect(V5);
    })
}

fn subscribe(server: &Server, folder: &Path, options: &[&str]) -> Mqtt {
    let args = ["-V", "5", "-t", "#", "-q", "1"];
    Mqtt::subscribe(server.port()).args(args).args(options).arg_path("--output-dir", folder)
}

/// A killed run leaves a part of a message. The file of a running process is locked, and other files belong
/// to the user.
#[test]
fn parts_of_messages_that_a_killed_run_left_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let names =
        [".mqtt-0123abcd.tmp", ".mqtt-00000000.tmp", ".mqtt-0123.tmp", ".mqtt-0123ABCD.tmp", ".x.tmp"];
    for name in names {
        fs::write(folder.path().join(name), "part").unwrap();
    }
    let locked = fs::File::open(folder.path().join(names[1])).unwrap();
    rustix::fs::flock(&locked, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let server = server(&[("a", b"1")]);
    subscribe(&server, folder.path(), &["-C", "1"]).run().succeeds();
    let mut left: Vec<_> = names[1..].iter().chain(&["a"]).map(|name| (*name).to_owned()).collect();
    left.sort();
    assert_eq!(files(folder.path()).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), left);
}

/// A record contains the reason why its payload was not decoded.
#[test]
fn file_of_a_record_has_the_reason_why_it_was_not_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&[("a", b"no"), ("b", b"4f4b")]);
    let args = ["-C", "2", "--json", "--decode", "#=hex"];
    subscribe(&server, folder.path(), &args).run().exits(3).mentions("cannot be decoded");
    let files = files(folder.path());
    let text = |place: usize| String::from_utf8(files[place].1.clone()).unwrap();
    assert!(text(0).contains("\"payload-error\":\"hex: "), "{files:?}");
    assert!(text(1).contains("\"payload\":\"OK\""), "{files:?}");
}

#[test]
fn latest_message_of_each_topic() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("new/folder");
    let server = server(&[
        ("home/Door", b"open"),
        ("..", b"up"),
        ("../../x", b"\0\xff\n"),
        ("home/Door", b"shut"),
        ("home/door", b""),
    ]);
    subscribe(&server, &inside, &["-C", "5"]).run().succeeds().prints("");
    let expected: [(&str, &[u8]); 4] =
        [("%2e%2e", b"up"), ("%2e.%2f..%2fx", b"\0\xff\n"), ("home%2f%44oor", b"shut"), ("home%2fdoor", b"")];
    assert_eq!(files(&inside), expected.map(|(name, content)| (name.to_owned(), content.to_vec())));
    // There is no other file.
    assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 1);
}

#[test]
fn file_for_each_message_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&[("b", b"1"), ("a/b", b"2"), ("b", b"3")]);
    subscribe(&server, folder.path(), &["-C", "3", "--file-per", "message", "-v"]).run().succeeds();
    let files = files(folder.path());
    let ends = ["-000000001-b", "-000000002-a%2fb", "-000000003-b"];
    assert!(files.iter().zip(ends).all(|((name, _), end)| name.ends_with(end)), "{files:?}");
    let contents: Vec<&[u8]> = files.iter().map(|(_, content)| &content[..]).collect();
    assert_eq!(contents, [&b"b 1\n"[..], b"a/b 2\n", b"b 3\n"]);
}

/// Messages that cannot be written are not acknowledged.
#[test]
fn failed_write_is_not_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&Message::new("a", &[b'x'; 4096]).at(QoS::AtLeastOnce, 1).bytes(V5));
        peer.expect_disconnect(V5);
    });
    let run = subscribe(&server, folder.path(), &[]).behind("ulimit -f 1");
    run.run().fails(1, "cannot write ");
    assert_eq!(files(folder.path()), []);
    server.finish();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    Mqtt::subscribe(1)
        .args(["-t", "a"])
        .arg_path("--output-dir", &file)
        .run()
        .fails(1, "cannot make the folder");
}

/// The messages go to files, so the run does not end with the reader of standard output.
#[test]
fn closed_standard_output_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&[("a", b"1"), ("b", b"2")]);
    let mut run = subscribe(&server, folder.path(), &[]).hold_stdout().spawn();
    run.close_stdout();
    crate::support::wait_until(|| files(folder.path()).len() == 2);
    run.signal(Signal::INT);
    run.wait_for_end().exits(0);
}
