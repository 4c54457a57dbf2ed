//! `mqtt pub --json` with a recording: the times of its messages, the selection and repetition of messages,
//! and compressed files.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::wire::{self, Packet, PacketType};
use rstest::rstest;
use tempfile::TempDir;

use crate::records::{expect_leave, take};
use crate::support::Service as _;
use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets::{self, Message};
use crate::support::server::Server;

/// A record received at this time of day.
fn record(time: &str, topic: &str, payload: &str) -> String {
    format!("{{\"tst\":\"2026-11-20T{time}Z\",\"topic\":\"{topic}\",\"payload\":\"{payload}\"}}\n")
}

/// A folder with a file.
fn file(content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("day.jsonl");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// Checks the messages that `pub --json` publishes for a recording on standard input.
#[track_caller]
fn becomes(input: &[u8], args: &[&str], messages: &[Message<'static>]) -> Outcome {
    let (_folder, path) = file(input);
    run(args, messages, |publish| publish.stdin_file(path))
}

#[track_caller]
fn run(args: &[&str], messages: &[Message<'static>], input: impl FnOnce(Mqtt) -> Mqtt) -> Outcome {
    let expected = messages.to_vec();
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        for message in &expected {
            take(&mut peer, V5, message);
        }
        expect_leave(&mut peer, V5);
    });
    let publish = Mqtt::publish(server.port()).args(["-V", "5", "--json"]).args(args).env("TZ", "UTC0");
    input(publish).run()
}

fn messages(payloads: &[&'static str]) -> Vec<Message<'static>> {
    payloads.iter().map(|payload| Message::new("a", payload.as_bytes())).collect()
}

/// No message is sent before its time. At the original speed this test would not end.
#[test]
fn messages_have_the_spacing_of_the_recording() {
    let input = [record("00:00:00", "a", "1"), record("01:00:00", "a", "2"), record("02:00:00", "a", "3")];
    let start = Instant::now();
    becomes(
        input.concat().as_bytes(),
        &["--timing", "recorded", "--speed", "36000"],
        &messages(&["1", "2", "3"]),
    )
    .succeeds();
    assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
}

/// A recording of more bytes than the program may have, with more topics than it keeps.
#[rstest]
fn recording_is_replayed_in_bounded_memory(#[values(false, true)] is_compressed: bool) {
    const RECORDS: usize = 40_000;
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        let mut count = 0;
        while let Some(packet) = peer.next() {
            match packet[0] >> 4 {
                3 => count += 1,
                12 => peer.send(&packets::pingresp()),
                _ => break,
            }
        }
        assert_eq!(count, RECORDS);
    });
    let records = (0..RECORDS).map(|number| {
        let (topic, payload) = (format!("site/7/device/{}", number % 10_000), format!("{number:0500}"));
        record("10:00:00.123456", &topic, &payload)
    });
    let mut records = records.collect::<String>().into_bytes();
    assert!(records.len() > 20_000_000);
    if is_compressed {
        records = zstd::encode_all(&records[..], 3).unwrap();
    }
    let (_folder, path) = file(&records);
    let args = ["-V", "5", "--json", "--timing", "recorded", "--speed", "1000"];
    let run = Mqtt::publish(server.port()).args(args).stdin_file(path).behind("ulimit -d 16384");
    run.run().exits(0);
    server.finish();
}

/// -t is only for records without a topic.
#[test]
fn topic_that_no_record_needs_is_named() {
    let warning = "-t 'a' was not used: each record has a topic (--topic-filter selects records by it)";
    let with_topics = record("10:00:00", "b", "1") + &record("10:00:00", "c", "2");
    let both = [Message::new("b", b"1"), Message::new("c", b"2")];
    let timed = ["--timing", "recorded", "--topic", "a"];
    becomes(with_topics.as_bytes(), &timed, &both).exits(0).mentions(warning);
    becomes(with_topics.as_bytes(), &["-t", "a"], &both).succeeds().does_not_mention("was not used");
    let one_without = with_topics + &record("10:00:00", "", "3").replace("\"topic\":\"\",", "");
    let all = [&both[..], &[Message::new("a", b"3")]].concat();
    becomes(one_without.as_bytes(), &timed, &all).succeeds().does_not_mention("was not used");
    let (folder, path) = file(record("10:00:00", "b", "1").as_bytes());
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        let bytes = peer.packet();
        let Ok(Packet::Publish(publish)) = wire::decode(V5, &bytes) else { panic!("{bytes:?}") };
        peer.send(&packets::ack(PacketType::PubAck, publish.packet_identifier));
        peer.expect_disconnect(V5);
    });
    let publish = Mqtt::publish(server.port()).args(["-V", "5", "--json", "-q", "1"]).args(timed);
    let spooled = publish.arg_path("--spool", &folder.path().join("spool")).stdin_file(path).run();
    spooled.exits(0).mentions(warning);
    server.finish();
}

/// At this speed times have no effect, not even invalid ones.
#[test]
fn the_highest_speed_waits_for_nothing() {
    let input = [record("00:00:00", "a", "1"), record("23:00:00", "a", "2")].concat().replace('Z', "+0000");
    let args = ["--timing", "recorded", "--speed", "max"];
    becomes(input.as_bytes(), &args, &messages(&["1", "2"])).succeeds();
}

#[rstest]
#[case::times_of_day(&["--from", "10:00", "--to", "10:05"], &["2", "3"])]
#[case::over_midnight(&["--from", "22:00", "--to", "09:59:59"], &["1", "5"])]
#[case::times(&["--from", "2026-11-20T10:05", "--to", "2026-11-20T22:30:00Z"], &["4"])]
#[case::one_end(&["--to", "10:04:59.5"], &["1", "2", "3"])]
#[case::topics(&["--topic-filter", "b/+", "--topic-filter", "a", "--from", "23:00"], &["5"])]
#[case::all_topics(&["--topic-filter", "#", "--from", "22:00"], &["5"])]
fn only_selected_records_are_published(#[case] args: &[&str], #[case] expected: &[&'static str]) {
    let input = [
        record("09:59:58", "a", "1"),
        record("10:00:00", "a", "2"),
        record("10:04:59", "a", "3"),
        record("10:05:00", "a", "4"),
        record("23:00:00", "a", "5"),
    ];
    becomes(input.concat().as_bytes(), args, &messages(expected)).succeeds();
}

#[test]
fn topics_are_selected_as_they_were_recorded() {
    let input = [record("10:00:00", "b/c", "1"), record("10:00:00", "a/c", "2")].concat();
    let args = ["--topic-filter", "a/#", "--rewrite-topic", "s#^a/#b/#"];
    becomes(input.as_bytes(), &args, &[Message::new("b/c", b"2")]).succeeds();
}

/// The run ends there and does not report every line.
#[rstest]
fn recording_without_times_is_refused(
    #[values("--timing=recorded", "--from=10:00", "--to=10:00")] arg: &str,
) {
    becomes(b"{\"topic\":\"a\",\"payload\":\"1\"}\n{\"topic\":\"a\",\"payload\":\"2\"}\n", &[arg], &[]).fails(
        1,
        "mqtt: line 1: it has no time (tst), which --timing, --from and --to go by; mqtt sub --json writes it",
    );
}

#[test]
fn one_record_without_time_is_named() {
    let input = record("10:00:00", "a", "1") + "{\"topic\":\"a\"}\n" + &record("10:00:00.01", "a", "2");
    becomes(input.as_bytes(), &["--timing", "recorded"], &messages(&["1", "2"]))
        .exits(1)
        .mentions("mqtt: line 2: it has no time (tst)");
}

/// A replay is not late, regardless of the age of the recording.
#[test]
fn replay_sends_the_recorded_message_expiry_interval() {
    let line = r#"{"tst":"2020-01-01T00:00:00Z","topic":"a","retain":true,"payload":"x","properties":{"message-expiry-interval":60}}"#;
    let message = Message::new("a", b"x").with(&[(PropertyId::MessageExpiryInterval, Value::Number(60))]);
    let args = ["--timing", "recorded", "--keep-retain"];
    becomes(line.as_bytes(), &args, &[message.retained()]).succeeds();
    becomes(line.as_bytes(), &[], &[]).exits(0).mentions("the time of message-expiry-interval was over");
}

/// An incomplete record at its end is reported each time.
#[test]
fn file_is_published_several_times() {
    let input = record("10:00:00", "a", "1") + &record("10:00:00.001", "a", "2") + "{\"tst\":\"20";
    let args = ["--timing", "recorded", "--loop", "3"];
    let outcome = becomes(input.as_bytes(), &args, &messages(&["1", "2", "1", "2", "1", "2"]));
    let outcome = outcome.exits(0);
    assert_eq!(outcome.stderr.matches("the input ends within the record").count(), 3, "{}", outcome.stderr);
}

#[test]
fn loop_ends_where_it_publishes_nothing() {
    let input = record("10:00:00", "a", "1");
    becomes(input.as_bytes(), &["--loop", "forever", "--topic-filter", "b"], &[])
        .fails(3, "mqtt: no record matched --topic-filter");
    let expired = r#"{"tst":"2020-01-01T00:00:00Z","topic":"a","payload":"x","properties":{"message-expiry-interval":60}}"#;
    becomes(expired.as_bytes(), &["--loop", "forever"], &[])
        .exits(0)
        .mentions("no record of standard input was sent, and it is not read again");
    becomes(b"", &["--loop", "forever"], &[]).succeeds();
}

/// A run that sends nothing although its options select records reports that.
#[rstest]
#[case::topics(&["--topic-filter", "b/#"], "--topic-filter")]
#[case::times(&["--from", "10:01", "--to", "11:00", "--topic-filter", "#"], "--topic-filter, --from, --to")]
fn selection_without_a_record_is_reported(#[case] args: &[&str], #[case] named: &str) {
    let input = record("10:00:00", "a", "1");
    let words = format!("mqtt: no record matched {named}");
    becomes(input.as_bytes(), args, &[]).fails(3, &words);
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    run(&[args, &["-q", "1"]].concat(), &[], |publish| {
        publish.arg_path("--spool", &spool).stdin(input.clone())
    })
    .fails(3, &words);
}

/// Before the connection.
#[rstest]
#[case("10:05", "10:05")]
#[case("2026-11-21T00:00", "2026-11-20T00:00")]
#[case("2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z")]
fn times_without_anything_between_them_are_refused(#[case] from: &str, #[case] to: &str) {
    Mqtt::publish(1)
        .args(["--json", "--from", from, "--to", to])
        .stdin("")
        .run()
        .fails(2, "--to must be after --from: no time is between them");
}

/// Before the connection.
#[test]
fn pipe_cannot_be_read_again() {
    let server = Server::start(|server| server.expect_no_connection());
    Mqtt::publish(server.port())
        .args(["--json", "--loop", "2"])
        .stdin("{}\n")
        .run()
        .exits(2)
        .mentions("--loop reads standard input again, and it is no file");
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Zstd,
    Gzip,
}

fn compressed(form: Form, content: &[u8]) -> Vec<u8> {
    match form {
        Form::Zstd => zstd::stream::encode_all(content, 0).unwrap(),
        Form::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
    }
}

/// From a file and from a pipe, with and without a spool, once and twice.
#[rstest]
fn compressed_recordings_are_read(#[values(Form::Zstd, Form::Gzip)] form: Form) {
    let input = compressed(form, (record("10:00:00", "a", "1") + &record("10:00:01", "a", "2")).as_bytes());
    becomes(&input, &[], &messages(&["1", "2"])).succeeds();
    run(&[], &messages(&["1", "2"]), |publish| publish.stdin(input.clone())).succeeds();
    becomes(&input, &["--loop", "2"], &messages(&["1", "2", "1", "2"])).succeeds();
    let (folder, path) = file(&input);
    let at_qos_1: Vec<_> =
        messages(&["1", "2"]).into_iter().map(|message| message.at(QoS::AtLeastOnce, 0)).collect();
    for is_pipe in [false, true] {
        let spool = folder.path().join("spool");
        run(&["-q", "1"], &at_qos_1, |publish| {
            let publish = publish.arg_path("--spool", &spool);
            if is_pipe { publish.stdin(input.clone()) } else { publish.stdin_file(&path) }
        })
        .succeeds();
    }
}

/// Complete records are published. A program killed while compressing leaves such a file.
#[rstest]
fn cut_off_compressed_recording_is_published_as_far_as_it_goes(
    #[values(Form::Zstd, Form::Gzip)] form: Form,
    #[values(false, true)] with_spool: bool,
) {
    let lines: Vec<String> = (0..40_000_u32).map(|n| record("10:00:00", "a", &format!("{n:x}"))).collect();
    let whole = compressed(form, lines.concat().as_bytes());
    let (folder, path) = file(&whole[..whole.len() / 2]);
    let broker = crate::support::broker::Broker::start();
    let receiver = Mqtt::subscribe(broker.port()).args(["-t", "a", "-q", "1", "-d"]).spawn();
    receiver.wait_until_subscribed();
    let publish = Mqtt::publish(broker.port()).args(["--json", "-q", "1"]).stdin_file(path);
    let publish =
        if with_spool { publish.arg_path("--spool", &folder.path().join("spool")) } else { publish };
    let outcome = publish.run().exits(0);
    assert!(outcome.stderr.contains("standard input ends within compressed data"), "{}", outcome.stderr);
    receiver.wait_for_lines(100);
    let received = String::from_utf8(receiver.stdout()).unwrap();
    let expected: String = (0..100).map(|n| format!("{n:x}\n")).collect();
    assert!(received.starts_with(&expected), "{}", &received[..200]);
}

#[test]
fn damaged_compressed_recording_is_an_error() {
    let mut input = compressed(Form::Zstd, record("10:00:00", "a", "1").repeat(2).as_bytes());
    input.truncate(6);
    input.extend_from_slice(&[0xff; 40]);
    let broker = crate::support::broker::Broker::start();
    let (_folder, path) = file(&input);
    Mqtt::publish(broker.port())
        .args(["--json", "-q", "1"])
        .stdin_file(path)
        .run()
        .exits(1)
        .mentions("mqtt: standard input: ");
}

/// Records before the damage are sent, and the broker has them before the run ends.
#[rstest]
fn records_before_the_damage_are_published(#[values(0, 1)] qos: u8, #[values(false, true)] is_pipe: bool) {
    const RECORDS: usize = 20_000;
    let line = |n| format!("{{\"topic\":\"a\",\"qos\":{qos},\"payload\":\"{n}\"}}\n");
    let mut input = compressed(Form::Gzip, (0..RECORDS).map(line).collect::<String>().as_bytes());
    let checksum = input.len() - 8;
    input[checksum] ^= 1;
    let broker = crate::support::broker::Broker::start();
    let count = RECORDS.to_string();
    let receiver = Mqtt::subscribe(broker.port()).args(["-t", "a", "-q", "1", "-d", "-C", &count]).spawn();
    receiver.wait_until_subscribed();
    let (_folder, path) = file(&input);
    let publish = Mqtt::publish(broker.port()).args(["--json", "-q", "1"]);
    let publish = if is_pipe { publish.stdin(input) } else { publish.stdin_file(path) };
    let outcome = publish.run().exits(1).mentions("mqtt: standard input: corrupt gzip stream");
    assert!(!outcome.stderr.contains("not acknowledged"), "{}", outcome.stderr);
    receiver.wait_for_end().exits(0);
}

/// A recording made by `sub --compress` is compressed except for its last file.
#[rstest]
fn files_of_several_forms_are_read_in_a_row(#[values(false, true)] with_spool: bool) {
    let part = |payload: &str| record("10:00:00", "a", payload).into_bytes();
    let input =
        [compressed(Form::Zstd, &part("1")), part("2"), compressed(Form::Gzip, &part("3")), part("4")]
            .concat();
    let (folder, path) = file(&input);
    let expected: Vec<_> =
        messages(&["1", "2", "3", "4"]).into_iter().map(|message| message.at(QoS::AtLeastOnce, 0)).collect();
    run(&["-q", "1"], &expected, |publish| {
        let publish =
            if with_spool { publish.arg_path("--spool", &folder.path().join("spool")) } else { publish };
        publish.stdin_file(path)
    })
    .succeeds();
}

/// A replay sent at once keeps the times of the recording, also through a spool, and each round starts again.
#[test]
fn replay_through_a_spool_has_the_spacing_of_the_recording() {
    let input = [record("00:00:00", "a", "1"), record("01:00:00", "a", "2"), record("02:00:00", "b", "3")];
    let (folder, path) = file(input.concat().as_bytes());
    let args = ["--timing", "recorded", "--speed", "36000", "-q", "1", "--loop", "2", "--topic-filter", "a"];
    let expected: Vec<_> =
        messages(&["1", "2", "1", "2"]).into_iter().map(|message| message.at(QoS::AtLeastOnce, 0)).collect();
    let start = Instant::now();
    run(&args, &expected, |publish| {
        publish.arg_path("--spool", &folder.path().join("spool")).stdin_file(path)
    })
    .succeeds();
    assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
}

/// Records are not stored before their time: records that are not due are not in the spool after the end of
/// the run.
#[test]
fn ended_replay_keeps_what_was_due() {
    let input = [record("00:00:00", "a", "1"), record("05:00:00", "a", "2")].concat();
    let (folder, path) = file(input.as_bytes());
    let spool = folder.path().join("spool");
    let broker = crate::support::broker::Broker::start();
    let receiver = Mqtt::subscribe(broker.port()).args(["-t", "a", "-q", "1", "-d"]).spawn();
    receiver.wait_until_subscribed();
    let publish = Mqtt::publish(broker.port()).args(["--json", "-q", "1", "--timing", "recorded", "-d"]);
    let running = publish.arg_path("--spool", &spool).stdin_file(path).spawn();
    // Without its acknowledgement the first message would stay in the spool.
    running.wait_for_stderr("received PUBACK");
    receiver.wait_for_stdout("1\n");
    running.signal(rustix::process::Signal::TERM);
    running.wait_for_end();
    let rest = Mqtt::publish(broker.port()).args(["-q", "1"]).arg_path("--spool", &spool).run();
    rest.succeeds();
    assert_eq!(receiver.stdout(), b"1\n");
}
