//! `mqtt pub` with many messages: lines that start with their topic, lines terminated by NUL, several topics,
//! templates, and scheduled repeats.

use std::os::unix::fs::FileExt as _;

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::PacketType::PubAck;
use mqtt::protocol::wire::{self, Packet};
use rstest::rstest;

use super::records::{expect_leave, take};
use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets::{self, Message};
use crate::support::server::Server;

/// Runs `pub` with these arguments, with a broker that expects these messages.
#[track_caller]
fn becomes(args: &[&str], input: impl AsRef<[u8]>, messages: &[Message<'static>]) -> Outcome {
    let expected = messages.to_vec();
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        for message in &expected {
            take(&mut peer, V5, message);
        }
        expect_leave(&mut peer, V5);
    });
    Mqtt::publish(server.port()).args(["-V", "5"]).args(args).stdin(input.as_ref()).run()
}

fn message(topic: &'static str, payload: &'static [u8]) -> Message<'static> {
    Message::new(topic, payload).at(QoS::AtLeastOnce, 0)
}

#[rstest]
#[case(" ", "a 1\nb/c 2 3\na \n", &[("a", "1"), ("b/c", "2 3"), ("a", "")])]
#[case("\\t", "a b\t1\nc\t\t", &[("a b", "1"), ("c", "\t")])]
#[case(": ", "a:b: 1\n", &[("a:b", "1")])]
fn a_line_begins_with_its_topic(
    #[case] separator: &str,
    #[case] input: &str,
    #[case] expected: &[(&'static str, &'static str)],
) {
    let messages: Vec<_> =
        expected.iter().map(|(topic, payload)| message(topic, payload.as_bytes())).collect();
    becomes(&["-l", "-q", "1", "--topic-from-line", separator], input, &messages).succeeds().prints("");
}

#[test]
fn a_line_without_a_topic_is_named_and_the_next_one_is_sent() {
    let input = b"a 1\nnothing\n\nb/# 2\n 3\n\xff 4\nc 5\n";
    becomes(&["-l", "-q", "1", "--topic-from-line", " "], input, &[message("a", b"1"), message("c", b"5")])
        .exits(1)
        .mentions("mqtt: line 2: it has no ' ' between topic and payload (--topic-from-line)\n")
        .mentions("mqtt: line 3: it has no ' '")
        .mentions("mqtt: line 4: its topic: it contains a wildcard")
        .mentions("mqtt: line 5: its topic: it is empty\n")
        .mentions("mqtt: line 6: its topic: it is not UTF-8\n");
}

#[test]
fn on_error_stop_ends_the_run_at_a_line_without_a_topic() {
    let args = ["-l", "-q", "1", "--topic-from-line", " ", "--on-error", "stop"];
    becomes(&args, "a 1\nnothing\nc 5\n", &[message("a", b"1")]).exits(1).mentions("line 2: it has no ' '");
}

/// What follows the line is not read: its end never comes.
#[rstest]
#[case(&["--json"], "a record has at most 268435460. Base64 and escapes make it longer than its packet: mqtt pub -f FILE")]
#[case(&["-l", "-t", "a"], "an MQTT packet has at most 268435460\n")]
#[case(&["-l", "--topic-from-line", " "], "an MQTT packet has at most 268435460\n")]
#[case(&["-l", "-t", "a", "--encode", "base64", "--spool"], "an MQTT packet has at most 268435460\n")]
fn on_error_stop_ends_the_run_at_an_endless_line(#[case] args: &[&str], #[case] words: &str) {
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().join("spool");
    let spool = args.contains(&"--spool").then_some(spool);
    let server = Server::start(|server| expect_leave(&mut server.accept_session(V5), V5));
    Mqtt::publish(server.port())
        .args(["-V", "5", "-q", "1", "--on-error", "stop"])
        .args(args)
        .args(&spool)
        .stdin_file("/dev/zero")
        .run()
        .exits(149)
        .mentions("mqtt: line 1: publish not sent: Packet too large (0x95): the line has at least 268")
        .mentions(words);
}

/// With `skip` the rest of the line is passed over.
#[rstest]
#[case(&["--json"], "{\"topic\":\"a\",\"payload\":\"x\"}\n")]
#[case(&["-l", "-t", "a"], "x\n")]
#[case(&["-l", "--topic-from-line", " ", "--spool"], "a x\n")]
fn line_that_is_too_long_ends_the_run_with_on_error_stop(
    #[case] args: &[&str],
    #[case] line: &str,
    #[values("skip", "stop")] on_error: &str,
) {
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().join("spool");
    let spool = args.contains(&"--spool").then_some(spool);
    // The long line is a hole in the file.
    let input = directory.path().join("input");
    let file = std::fs::File::create(&input).unwrap();
    file.write_all_at(line.as_bytes(), 0).unwrap();
    file.write_all_at(format!("\n{line}").as_bytes(), 268_500_000).unwrap();
    let count = if on_error == "skip" { 2 } else { 1 };
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        for _ in 0..count {
            take(&mut peer, V5, &message("a", b"x"));
        }
        expect_leave(&mut peer, V5);
    });
    Mqtt::publish(server.port())
        .args(["-V", "5", "-q", "1", "--on-error", on_error])
        .args(args)
        .args(&spool)
        .stdin_file(&input)
        .run()
        .exits(149)
        .mentions("mqtt: line 2: publish not sent: Packet too large (0x95): the line has at least 268");
}

#[test]
fn on_error_stop_ends_the_run_at_a_line_that_cannot_be_filled_in_or_encoded() {
    let args = ["-l", "-q", "1", "-t", "a", "-t", "b/{seq}", "--template", "--on-error", "stop"];
    let messages = [message("a", b"1"), message("b/1", b"1")];
    becomes(&args, "{seq}\n{\n{seq}\n", &messages).exits(1).mentions("mqtt: line 2: --template: ");
    let args = ["-l", "-q", "1", "-t", "a", "--encode", "cbor", "--on-error", "stop"];
    becomes(&args, "1\nno\n2\n", &[message("a", b"\x01")]).exits(1).mentions("mqtt: line 2: --encode: ");
    // What a broker does not allow is not sent either.
    let server = Server::start(|server| {
        let mut peer = server.accept();
        peer.expect_connect(V5);
        peer.send(&packets::connack_with(&[(PropertyId::MaximumPacketSize, Value::Number(20))]));
        take(&mut peer, V5, &message("a", b"1"));
        expect_leave(&mut peer, V5);
    });
    Mqtt::publish(server.port())
        .args(["-V", "5", "-l", "-q", "1", "-t", "a", "--on-error", "stop"])
        .stdin(format!("1\n{}\n2\n", "x".repeat(30)))
        .run()
        .exits(149)
        .mentions("mqtt: line 2: publish not sent: Packet too large (0x95)");
}

#[test]
fn options_hold_for_lines_with_a_topic() {
    let args = ["-l", "-q", "2", "-r", "--topic-from-line", "="];
    let expected = Message::new("a", b"1").at(QoS::ExactlyOnce, 0).retained();
    becomes(&args, "a=1\n", &[expected]).succeeds();
}

#[test]
fn nul_ends_each_line_in_place_of_a_line_feed() {
    let args = ["-l", "-q", "1", "-t", "a", "-0"];
    becomes(&args, b"one\ntwo\0\0end", &[message("a", b"one\ntwo"), message("a", b""), message("a", b"end")])
        .succeeds();
    let args = ["-l", "-q", "1", "-0", "--topic-from-line", "\n"];
    becomes(&args, b"a\n1\n2\0", &[message("a", b"1\n2")]).succeeds();
    let input = b"{\"topic\":\"a\",\n\"payload\":\"x\"}\0{\"topic\":\"b\"}\0";
    becomes(&["--json", "-q", "1", "-0", "-n"], input, &[message("a", b"x"), message("b", b"")]).succeeds();
}

#[test]
fn a_message_goes_to_each_topic() {
    let messages = ["a", "b/c", "a"].map(|topic| message(topic, b"x"));
    becomes(&["-q", "1", "-t", "a", "-t", "b/c", "-t", "a", "-m", "x"], "", &messages).succeeds();
    let messages = [Message::new("a", b""), Message::new("b", b"")];
    becomes(&["-t", "a", "-t", "b", "-n"], "", &messages).succeeds();
}

#[test]
fn a_line_or_a_repeat_goes_to_each_topic() {
    let topics = ["-q", "1", "-t", "a", "-t", "b"];
    let messages = [message("a", b"1"), message("b", b"1"), message("a", b"2"), message("b", b"2")];
    becomes(&[&topics[..], &["-l"]].concat(), "1\n2\n", &messages).succeeds();
    let messages = [message("a", b"1"), message("b", b"1"), message("a", b"1"), message("b", b"1")];
    becomes(&[&topics[..], &["-m", "1", "--repeat", "2"]].concat(), "", &messages).succeeds();
}

/// A broker may refuse one of several topics.
#[rstest]
#[case(&["-l"], "1\n2\n", "mqtt: line 2, topic 'b': publish refused")]
#[case(&["-m", "x", "--repeat", "2"], "", "mqtt: topic 'b': publish refused")]
fn a_refusal_names_its_topic(#[case] args: &[&str], #[case] input: &str, #[case] words: &str) {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        for number in 1..=4 {
            let bytes = peer.packet();
            assert_eq!(bytes[0] >> 4, 3, "{}", packets::shown(V5, &bytes));
            let reason = if number == 4 { 0x87 } else { 0 };
            peer.send(&packets::ack_with(PubAck, number, reason));
        }
        expect_leave(&mut peer, V5);
    });
    Mqtt::publish(server.port())
        .args(["-V", "5", "-q", "1", "-t", "a", "-t", "b"])
        .args(args)
        .stdin(input)
        .run()
        .exits(135)
        .mentions(words);
}

/// A spool stores one message per topic for each line, and the topics from lines.
#[test]
fn a_spool_keeps_the_topics_of_lines() {
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().join("spool");
    let spool = spool.to_str().unwrap();
    let messages = [message("a", b"1"), message("b/long", b"1"), message("a", b"2"), message("b/long", b"2")];
    becomes(&["-l", "-q", "1", "-t", "a", "-t", "b/long", "--spool", spool], "1\n2\n", &messages).succeeds();
    let messages = [message("a", b"x"), message("b", b"x")];
    becomes(&["-q", "1", "-t", "a", "-t", "b", "--spool", spool, "-m", "x"], "", &messages).succeeds();
    let args = ["-l", "-q", "1", "-0", "--topic-from-line", "|", "--spool", spool];
    becomes(&args, b"a|1\0x\0c|2\n\0", &[message("a", b"1"), message("c", b"2\n")])
        .exits(1)
        .mentions("mqtt: line 2: it has no '|'");
}

#[test]
fn fields_are_filled_in_for_each_message() {
    let args = ["-q", "1", "--template", "-t", "a/{seq}", "-m", "{{{seq}}} {rand:7..7} {rand:1.50..1.50}"];
    let messages = [message("a/1", b"{1} 7 1.50"), message("a/2", b"{2} 7 1.50")];
    becomes(&[&args[..], &["--repeat", "2"]].concat(), "", &messages).succeeds();
    // Each of several topics, with the payload of its message.
    let args = ["-q", "1", "--template", "-t", "a/{seq}", "-t", "{{b}}", "-l"];
    let messages = [message("a/1", b"x1"), message("{b}", b"x1"), message("a/2", b"}"), message("{b}", b"}")];
    becomes(&args, "x{seq}\n}}\n", &messages).succeeds();
}

#[test]
fn braces_are_plain_text_without_template() {
    let messages = [message("a/{seq}", b"{"), message("a/{seq}", b"{now}}")];
    becomes(&["-q", "1", "-t", "a/{seq}", "-l"], "{\n{now}}\n", &messages).succeeds();
}

#[test]
fn fields_of_files_and_standard_input_are_filled_in() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "{seq}{env:HOME_OF_TEST}\n").unwrap();
    let expected = [message("a", b"1ours\n")];
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        for message in &expected {
            take(&mut peer, V5, message);
        }
        expect_leave(&mut peer, V5);
    });
    Mqtt::publish(server.port())
        .args(["-V", "5", "-q", "1", "--template", "-t", "a"])
        .arg_path("-f", &file)
        .env("HOME_OF_TEST", "ours")
        .run()
        .succeeds();
    becomes(&["-q", "1", "--template", "-t", "a", "-s"], "{seq}\n", &[message("a", b"1\n")]).succeeds();
}

/// A template that cannot be filled in is an error of its line or topic; the others are sent.
#[test]
fn a_line_that_cannot_be_filled_in_is_named() {
    let args = ["-q", "1", "--template", "-t", "a", "-l"];
    becomes(&args, "{seq}\n{nothing}\n{\n{env:HOME}\n{seq}\n", &[message("a", b"1"), message("a", b"5")])
        .exits(1)
        .mentions("mqtt: line 2: --template: unknown field {nothing}; there are {seq}, {now}, ")
        .mentions("mqtt: line 3: --template: a '{' is not closed\n")
        .mentions("mqtt: line 4: --template: {env:NAME} is not filled in in this text\n");
    let args = ["-q", "1", "--template", "-l", "--topic-from-line", " ", "--on-error", "skip"];
    becomes(&args, "a/{seq} {seq}\n{rand:1..1}/{now:#} x\nc {rand:2..1}\n", &[message("a/1", b"1")])
        .exits(1)
        .mentions("mqtt: line 2: its topic: it contains a wildcard")
        .mentions("mqtt: line 3: --template: {rand:2..1}: use {rand:LEAST..MOST}");
}

#[test]
fn a_topic_that_becomes_invalid_is_an_error_of_its_message() {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        take(&mut peer, V5, &message("b", b"x"));
        expect_leave(&mut peer, V5);
    });
    Mqtt::publish(server.port())
        .args(["-V", "5", "-q", "1", "--template", "-t", "{env:PLACE}{seq}", "-t", "b", "-m", "x"])
        .env("PLACE", "#")
        .run()
        .exits(1)
        .mentions("mqtt: topic '{env:PLACE}{seq}': topic '#1' (--template): it contains a wildcard");
}

/// Strings of records are filled in; JSON and encoded bytes are not changed.
#[test]
fn strings_of_records_are_filled_in() {
    let input = concat!(
        r#"{"topic":"a/{seq}","payload":"{seq}"}"#,
        "\n",
        r#"{"payload":{"seq":1}}"#,
        "\n",
        r#"{"payload":"e3g=","payload-encoding":"base64"}"#,
        "\n"
    );
    let messages = [message("a/1", b"1"), message("d/2", br#"{"seq":1}"#), message("d/3", b"{x")];
    becomes(&["-q", "1", "--template", "-t", "d/{seq}", "--json"], input, &messages).succeeds();
}

/// Others have written the texts of a received message; what the options add to it is the user's.
#[rstest]
#[case::received(r#""tst":"2026-11-29T20:00:00.000001Z""#)]
#[case::not_decoded(r#""payload-error":"cbor: no""#)]
fn records_of_received_messages_are_not_filled_in(#[case] mark: &str, #[values(false, true)] spools: bool) {
    let input = format!(
        "{{{mark},\"topic\":\"{{seq}}\",\"payload\":\"{{seq}} {{hex:9}} {{\"}}\n\
         {{{mark},\"payload\":\"{{{{\"}}\n{{\"topic\":\"a/{{seq}}\"}}\n"
    );
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().join("spool").into_os_string().into_string().unwrap();
    let args = ["-q", "1", "--template", "-t", "d/{seq}", "-m", "given {seq} {env:PATH_OF_TEST}", "--json"];
    let args = if spools { [&args[..], &["--spool", &spool]].concat() } else { args.to_vec() };
    let messages =
        [message("{seq}", b"{seq} {hex:9} {"), message("d/2", b"{{"), message("a/3", b"given 3 there")];
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        for message in &messages {
            take(&mut peer, V5, message);
        }
        expect_leave(&mut peer, V5);
    });
    Mqtt::publish(server.port())
        .args(["-V", "5"])
        .args(args)
        .env("PATH_OF_TEST", "there")
        .stdin(input)
        .run()
        .succeeds();
}

#[test]
fn a_spool_keeps_messages_as_they_were_filled_in() {
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().join("spool");
    let spool = spool.to_str().unwrap();
    let args = ["-q", "1", "--template", "--spool", spool, "-t", "a/{seq}", "-t", "b"];
    let messages = [message("a/1", b"x1"), message("b", b"x1"), message("a/3", b"x3"), message("b", b"x3")];
    becomes(&[&args[..], &["-l"]].concat(), "x{seq}\n{\nx{seq}\n", &messages)
        .exits(1)
        .mentions("line 2: --template: a '{' is not closed");
    becomes(&[&args[..], &["-m", "{seq}"]].concat(), "", &[message("a/1", b"1"), message("b", b"1")])
        .succeeds();
}

#[test]
fn a_seed_repeats_random_values() {
    let random = || {
        let (sender, receiver) = std::sync::mpsc::channel();
        let server = Server::start(move |server| {
            let mut peer = server.accept_session(V5);
            let bytes = peer.packet();
            let Ok(Packet::Publish(publish)) = wire::decode(V5, &bytes) else { panic!("expected PUBLISH") };
            sender.send(publish.payload.to_vec()).unwrap();
            expect_leave(&mut peer, V5);
        });
        Mqtt::publish(server.port())
            .args(["-V", "5", "-t", "a", "--template", "--seed", "7", "-m", "{uuid} {hex:9} {rand:-5..5:3}"])
            .run()
            .succeeds();
        receiver.recv().unwrap()
    };
    let first = random();
    assert_eq!(first, random());
    let text = String::from_utf8(first).unwrap();
    let form = regex::Regex::new(
        "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12} [0-9a-f]{9} -?[0-5]\\.[0-9]{3}$",
    )
    .unwrap();
    assert!(form.is_match(&text), "{text}");
}

#[rstest]
#[case(&["-t", "a", "-m", "{nothing}"], "--template: payload '{nothing}': unknown field {nothing}; there are {seq}, ")]
#[case(&["-t", "a/{seq", "-m", "x"], "--template: topic 'a/{seq': a '{' is not closed")]
#[case(&["-t", "a", "-m", "{\"t\":1}"], "{{ and }} stand for braces")]
#[case(&["-t", "a", "-m", "{env:THERE_IS_NO_SUCH}"], "{env:THERE_IS_NO_SUCH}: there is no such variable")]
#[case(&["-t", "{env:EMPTY}", "-m", "x"], "the topic is empty")]
#[case(&["--json", "-m", "{nothing}"], "--template: payload '{nothing}': unknown field {nothing}; there are {seq}, ")]
fn texts_of_the_command_line_are_checked_before_the_connection(#[case] args: &[&str], #[case] words: &str) {
    Mqtt::publish(1).args(["--template"]).args(args).env("EMPTY", "").run().exits(2).mentions(words);
}

#[test]
fn repeats_at_intervals_end_with_the_time_limit() {
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        for _ in 0..4 {
            take(&mut peer, V5, &message("a", b"x"));
        }
        peer.drain();
    });
    Mqtt::publish(server.port())
        .args([
            "-V",
            "5",
            "-q",
            "1",
            "-t",
            "a",
            "-m",
            "x",
            "--repeat",
            "forever",
            "--interval",
            "20ms",
            "-W",
            "2",
        ])
        .run()
        .exits(27);
}

#[test]
fn counted_repeats_at_intervals_end() {
    let messages = [message("a", b"1"), message("a", b"2"), message("a", b"3")];
    let started = std::time::Instant::now();
    becomes(
        &["-q", "1", "-t", "a", "--template", "-m", "{seq}", "--repeat", "3", "--interval", "50ms"],
        "",
        &messages,
    )
    .exits(0);
    assert!(started.elapsed() >= std::time::Duration::from_millis(100));
}

#[rstest]
#[case(&["--interval", "1s"], "--repeat")]
#[case(&["--repeat", "2", "--interval", "1s", "--repeat-delay", "1s"], "cannot be used")]
#[case(&["--repeat", "2", "--interval", "1us"], "at least 1ms")]
#[case(&["--repeat", "always"], "or forever")]
fn intervals_that_make_no_sense_are_refused(#[case] args: &[&str], #[case] words: &str) {
    Mqtt::publish(1).args(["-t", "a", "-m", "x"]).args(args).run().exits(2).mentions(words);
}

/// The name of a file as an operand is a topic or a payload, and standard input is read.
#[rstest]
#[case::topic_of_records(&["--json"], &[])]
#[case::payload_of_records(&["--json", "a"], &[])]
#[case::topic_of_lines(&["-l"], &[])]
fn file_as_an_operand_is_not_read(#[case] line: &[&str], #[case] expected: &[Message<'static>]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("day.jsonl");
    std::fs::write(&file, "{\"topic\":\"b\",\"payload\":\"1\"}\n").unwrap();
    let file = file.to_str().unwrap();
    becomes(&[line, &[file]].concat(), "", expected).exits(0).mentions(&format!(
        "'{file}' is the name of a file, which is not read: messages come from standard input"
    ));
    becomes(&[line, &["nothing"]].concat(), "", expected).succeeds().does_not_mention("name of a file");
    Mqtt::publish(1)
        .args(["-t", "a", "-l", file])
        .run()
        .exits(2)
        .mentions(&format!("hint: '{file}' is a file: -f sends its content"));
}
