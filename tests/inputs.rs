//! `mqtt pub` with many messages: lines that begin with their topic, lines that NUL ends, several topics.

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::wire::PacketType::PubAck;
use rstest::rstest;

use super::records::{expect_leave, take};
use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets::{self, Message};
use crate::support::server::Server;

/// Runs `pub` with these arguments, to a broker that gets these messages.
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
    becomes(&["--json", "-q", "1", "-0"], input, &[message("a", b"x"), message("b", b"")]).succeeds();
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

/// Of several topics a broker may refuse one.
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

/// The messages of a line for each topic, and those that lines name their topic for, go through a spool.
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
