//! `mqtt pub` with several files, or with generated payloads.

use std::path::{Path, PathBuf};

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::wire::{self, Packet};
use rstest::rstest;
use tempfile::TempDir;

use crate::records::{expect_leave, take};
use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets::Message;
use crate::support::server::Server;

/// A folder with files, each of which contains its name and its index.
fn folder(names: &[&str]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let write = |(place, name): (usize, &&str)| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{place} {{seq}}")).unwrap();
        path
    };
    let paths = names.iter().enumerate().map(write).collect();
    (folder, paths)
}

#[track_caller]
fn becomes(args: &[&str], files: &[impl AsRef<Path>], messages: &[Message<'static>]) -> Outcome {
    let expected = messages.to_vec();
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        for message in &expected {
            take(&mut peer, V5, message);
        }
        expect_leave(&mut peer, V5);
    });
    let publish = Mqtt::publish(server.port()).args(["-V", "5"]).args(args);
    files.iter().fold(publish, |publish, file| publish.arg_path("-f", file.as_ref())).run()
}

#[test]
fn each_file_is_a_message_to_the_topic_of_its_name() {
    let (_folder, paths) = folder(&["a.txt", "b {x} \u{e9}"]);
    let all =
        [Message::new("f/a.txt/a.txt", b"0 {seq}"), Message::new("f/b {x} \u{e9}/b {x} \u{e9}", b"1 {seq}")];
    becomes(&["-t", "f/{name}/{name}"], &paths, &all).succeeds();
    becomes(&["-t", "f/{name}/{name}"], &paths[..1], &all[..1]).succeeds();
    // Other braces are plain text.
    becomes(&["-t", "{names}{{seq}"], &paths[..1], &[Message::new("{names}{{seq}", b"0 {seq}")]).succeeds();
}

#[test]
fn files_go_to_each_topic_and_are_repeated() {
    let (_folder, paths) = folder(&["a", "b"]);
    let [a, b] = [b"0 {seq}", b"1 {seq}"];
    let once = [Message::new("x/a", a), Message::new("y", a), Message::new("x/b", b), Message::new("y", b)];
    let args = ["-t", "x/{name}", "-t", "y", "--repeat", "2"];
    becomes(&args, &paths, &[once.clone(), once].concat()).succeeds();
}

#[test]
fn names_and_contents_are_templates_with_template() {
    let (_folder, paths) = folder(&["a{", "b"]);
    let all = [Message::new("{name}/a{/1", b"0 1"), Message::new("{name}/b/2", b"1 2")];
    becomes(&["--template", "-t", "{{name}}/{name}/{seq}"], &paths, &all).succeeds();
}

#[test]
fn files_go_through_a_spool() {
    let (folder, paths) = folder(&["a", "long name"]);
    let at_qos_1 = |topic, payload| Message::new(topic, payload).at(QoS::AtLeastOnce, 0);
    let all = [at_qos_1("x/a", b"0 {seq}"), at_qos_1("x/long name", b"1 {seq}")];
    let spool = folder.path().join("spool").to_str().unwrap().to_owned();
    becomes(&["-t", "x/{name}", "-q", "1", "--spool", &spool], &paths, &all).succeeds();
    let filled = [at_qos_1("1/a", b"0 1"), at_qos_1("2/long name", b"1 2")];
    becomes(&["--template", "-t", "{seq}/{name}", "-q", "1", "--spool", &spool], &paths, &filled).succeeds();
}

#[test]
fn standard_input_goes_through_a_spool() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        take(&mut peer, V5, &Message::new("a", b"x\n").at(QoS::AtLeastOnce, 0));
        expect_leave(&mut peer, V5);
    });
    Mqtt::publish(server.port())
        .args(["-V", "5", "-t", "a", "-s", "-q", "1"])
        .arg_path("--spool", &folder.path().join("spool"))
        .stdin("x\n")
        .run()
        .succeeds();
}

/// Before anything is sent. Errors in the name of a file are detected even earlier.
#[rstest]
#[case::missing(&["a", "missing"], 1, "cannot read ")]
#[case::folder(&["a", ""], 1, "cannot read ")]
#[case::wildcard(&["a", "a+b"], 2, "it contains a wildcard")]
fn unusable_file_is_an_error_before_the_connection(
    #[case] names: &[&str],
    #[case] code: i32,
    #[case] text: &str,
) {
    let (folder, _) = folder(&["a", "a+b"]);
    let server = Server::start(|server| server.expect_no_connection());
    let publish = Mqtt::publish(server.port()).args(["-t", "x/{name}"]);
    let publish =
        names.iter().fold(publish, |publish, name| publish.arg_path("-f", &folder.path().join(name)));
    publish.run().fails(code, text);
}

/// The payloads that a run sends.
fn generated(args: &'static [&str]) -> Vec<Vec<u8>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        for _ in 0..3 {
            let bytes = peer.packet();
            let Ok(Packet::Publish(publish)) = wire::decode(V5, &bytes) else { panic!("{bytes:?}") };
            sender.send(publish.payload.to_vec()).unwrap();
        }
        expect_leave(&mut peer, V5);
    });
    Mqtt::publish(server.port()).args(["-V", "5", "-t", "a", "--repeat", "3"]).args(args).run().succeeds();
    receiver.iter().collect()
}

#[test]
fn generated_payloads_have_their_size_and_come_again_with_their_seed() {
    let first = generated(&["--size", "1KiB", "--seed", "7"]);
    assert!(first.iter().all(|payload| payload.len() == 1024));
    assert!(first[0] != first[1] && first[1] != first[2]);
    assert_eq!(generated(&["--size", "1KiB", "--seed", "7"]), first);
    assert_ne!(generated(&["--size", "1KiB"]), first);
    // Generated payloads are not templates.
    assert_eq!(generated(&["--size", "1KiB", "--seed", "7", "--template"]), first);
}
