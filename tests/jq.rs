//! `mqtt sub` with programs: `--where`, `--jq`, `--until`.

use mqtt::protocol::Protocol::{self, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::wire::PacketType::PubAck;
use rstest::rstest;

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::outcome::Outcome;
use crate::support::packets::{self, Message};
use crate::support::server::Server;

const MESSAGES: [(&str, &[u8]); 5] = [
    ("s/1", br#"{"temp": 21.5, "name": "hall"}"#),
    ("s/2", br#"{"temp": 30}"#),
    ("s/3", b"offline"),
    ("s/4", b"\xff\x01"),
    ("s/5", b"7"),
];

/// These messages as PUBLISH packets of QoS 1, with packet identifiers from 1 on.
fn at_qos_1(messages: &[(&str, &[u8])]) -> Vec<u8> {
    let packets = (1..).zip(messages).map(|(identifier, (topic, payload))| {
        Message::new(topic, payload).at(QoS::AtLeastOnce, identifier).bytes(V5)
    });
    packets.flatten().collect()
}

/// A run that receives these messages at QoS 1, in one piece, and must acknowledge the first `acknowledged`
/// of them.
fn run_with(options: &[&str], messages: &[(&str, &[u8])], acknowledged: u16) -> Outcome {
    let bytes = at_qos_1(messages);
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&bytes);
        for identifier in 1..=acknowledged {
            peer.expect(V5, &packets::ack(PubAck, identifier));
        }
        peer.expect_disconnect(V5);
    });
    let args = ["-V", "5", "-t", "#", "-q", "1"];
    Mqtt::subscribe(server.port()).args(args).args(options.iter().copied()).run()
}

/// All five messages; the last one ends the run.
fn run(options: &[&str]) -> Outcome {
    run_with(&[options, &["--until", ".topic == \"s/5\""]].concat(), &MESSAGES, 5)
}

#[test]
fn jq_writes_results() {
    let outcome = run(&["--jq", ".payload.temp?"]).exits(0);
    assert_eq!(outcome.lines(), ["21.5", "30"]);
    let outcome = run(&["--jq", ".payload.name? // empty", "-v"]).exits(0);
    assert_eq!(outcome.lines(), ["s/1 hall"]);
    let outcome = run(&["--json", "--jq", ".payload.name? // empty, .payloadlen"]).exits(0);
    assert_eq!(outcome.lines(), ["\"hall\"", "30", "12", "7", "2", "1"]);
    let outcome = run(&["-N", "--jq", ".qos"]).exits(0);
    assert_eq!(outcome.stdout, b"11111");
    let outcome = run(&["--json", "--pretty", "--where", ".topic == \"s/2\"", "--jq", ".payload"]).exits(0);
    assert_eq!(outcome.stdout, b"{\n  \"temp\": 30\n}\n");
}

/// JSON above the limit is text: one warning, and the run continues.
#[test]
fn payload_with_too_many_values_is_reported_once() {
    let large = format!("[{}]", vec!["0"; 500_001].join(","));
    let messages = [("a", large.as_bytes()), ("a", large.as_bytes()), ("a", b"[1]")];
    let outcome = run_with(&["--jq", ".payload | type", "-C", "3"], &messages, 3).exits(0);
    assert_eq!(outcome.lines(), ["string", "string", "array"]);
    assert_eq!(outcome.stderr.matches("more than 500000 values").count(), 1, "{}", outcome.stderr);
    let outcome = run_with(&["--jq", ".payload[0]", "--until", ".payload == [1]"], &messages, 3).exits(3);
    assert_eq!(outcome.lines(), ["1"]);
    outcome.mentions("programs failed on 2 messages, 2 of them with a payload that is not JSON or too large");
}

/// The record equals that of `--json`, and the payload is a value.
#[test]
fn input_is_the_record() {
    let outcome = run(&["--jq", "to_entries | map(select(.key != \"tst\")) | from_entries"]).exits(0);
    let head = |topic, id, length| {
        format!(r#"{{"topic":"{topic}","qos":1,"retain":false,"payloadlen":{length},"mid":{id},"payload":"#)
    };
    let expected = [
        head("s/1", 1, 30) + r#"{"temp":21.5,"name":"hall"}}"#,
        head("s/2", 2, 12) + r#"{"temp":30}}"#,
        head("s/3", 3, 7) + r#""offline"}"#,
        head("s/4", 4, 2) + r#""/wE=","payload-encoding":"base64"}"#,
        head("s/5", 5, 1) + "7}",
    ];
    assert_eq!(outcome.lines(), expected);
    let outcome = run(&["--where", ".topic == \"s/1\"", "--jq", ".tst | fromdate | type"]).exits(0);
    assert_eq!(outcome.lines(), ["number"]);
}

#[rstest]
#[case(".topic != \"s/2\"", &["s/1", "s/3", "s/4", "s/5"])]
#[case(".topic | endswith(\"2\")", &["s/2"])]
#[case(".qos == 0 or .retain", &[])]
#[case(".payload == \"offline\"", &["s/3"])]
#[case(".payload | numbers > 5", &["s/5"])]
#[case(".payload.temp? > 25", &["s/2"])]
#[case("(.payload | type) == \"object\", false", &["s/1", "s/2"])]
#[case("empty", &[])]
#[case("null, false", &[])]
#[case("has(\"payload-encoding\")", &["s/4"])]
fn where_keeps_messages(#[case] program: &str, #[case] topics: &[&str]) {
    let outcome = run(&["-F", "%t", "--where", program]).exits(0);
    assert_eq!(outcome.lines(), topics);
}

#[rstest]
#[case(".topic != \"s/2\" # not this", ".qos == 1", &["s/1", "s/3", "s/4", "s/5"])]
#[case(".topic != \"s/2\"", ".payload | type == \"string\"", &["s/3", "s/4"])]
#[case("def f: .qos; f == 1", "false, (.payload | numbers)", &["s/5"])]
#[case(".qos == 1 and .retain, .topic == \"s/3\"", ".qos == 0, .topic == \"s/3\"", &["s/3"])]
#[case("empty", "true", &[])]
fn each_of_several_conditions_must_be_true(#[case] one: &str, #[case] other: &str, #[case] topics: &[&str]) {
    let outcome = run(&["-F", "%t", "--where", one, "--where", other]).exits(0);
    assert_eq!(outcome.lines(), topics);
}

/// Filtered-out messages are not counted, but acknowledged.
#[test]
fn count_is_of_messages_with_results() {
    let outcome = run_with(&["--jq", ".payload.temp? // empty", "-C", "2"], &MESSAGES, 2).exits(0);
    assert_eq!(outcome.lines(), ["21.5", "30"]);
    let outcome = run_with(&["--where", ".payload == 7", "-C", "1"], &MESSAGES, 5).exits(0);
    assert_eq!(outcome.lines(), ["7"]);
    // In combination with an option that has memory.
    let messages: [(&str, &[u8]); 5] = [("a", b"1"), ("a", b"9"), ("a", b"1"), ("a", b"9"), ("a", b"8")];
    let outcome = run_with(&["--where", ".payload > 5", "--on-change", "-C", "2"], &messages, 5).exits(0);
    assert_eq!(outcome.lines(), ["9", "8"]);
}

#[test]
fn until_ends_the_run_also_at_a_message_that_is_left_out() {
    let until = ["--until", ".payload == \"offline\"", "-F", "%t"];
    assert_eq!(run_with(&until, &MESSAGES, 3).exits(0).lines(), ["s/1", "s/2", "s/3"]);
    let left_out = [&until[..], &["-T", "s/3", "--where", ".payload.temp? > 25"]].concat();
    assert_eq!(run_with(&left_out, &MESSAGES, 3).exits(0).lines(), ["s/2"]);
}

/// One warning and one total, for any number of messages.
#[test]
fn failures_are_counted() {
    let outcome = run(&["--jq", ".payload.temp"]).exits(3);
    assert_eq!(outcome.lines(), ["21.5", "30"]);
    outcome.says(
        "mqtt: warning: --jq failed on message 3 on 's/3': cannot index \"offline\" with \"temp\" (the payload is \
         not JSON) (shown only once)\n\
         mqtt: programs failed on 3 messages, 2 of them with a payload that is not JSON; they were left out\n",
    );

    let outcome = run(&["--where", ".payload.temp > 25", "--on-error", "show", "-F", "%t"]).exits(3);
    assert_eq!(outcome.lines(), ["s/2", "s/3", "s/4", "s/5"]);
    let outcome = run(&["--jq", ".payload.temp", "--on-error", "show", "-v"]).exits(3);
    assert_eq!(outcome.stdout, b"s/1 21.5\ns/2 30\ns/3 offline\ns/4 \xff\x01\ns/5 7\n");

    let stop = ["--jq", ".payload.temp", "--on-error", "stop"];
    let outcome = run_with(&stop, &MESSAGES, 3).exits(1).mentions("mqtt: --jq failed on message 3 on 's/3'");
    assert_eq!(outcome.lines(), ["21.5", "30"]);
    // A failed --until is not true.
    run_with(&["--until", ".payload.temp == 99", "-C", "5"], &MESSAGES, 5).exits(3);
}

#[rstest]
#[case(&["--jq", ".payload | select("], "--jq: line 1, column 19: closing parenthesis is missing for '('", 18)]
#[case(&["--where", ".payload | foo(1)"], "--where: line 1, column 12: filter foo/1 is not defined", 11)]
#[case(&["--until", ".\n| é | $x"], "--until: line 2, column 3", 2)]
#[case(&["--jq", ""], "--jq: line 1, column 1: expected term, but the program ends", 0)]
#[case(&["--jq", ".a.b]"], "--jq: line 1, column 5: unexpected character", 4)]
#[case(&["--jq", "include \"x\"; ."], "modules and data files cannot be loaded", 9)]
#[case(&["--jq", "import \"x\" as $d; $d"], "modules and data files cannot be loaded", 8)]
fn bad_program_is_shown_with_its_place(#[case] args: &[&str], #[case] text: &str, #[case] column: usize) {
    // No broker listens on this port, and none is needed.
    let outcome = Mqtt::subscribe(1).args(["-t", "#"]).args(args.iter().copied()).run().exits(2);
    assert!(outcome.stderr.contains(text), "{}", outcome.stderr);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines[2], format!("    {}^", " ".repeat(column)), "{}", outcome.stderr);
}

/// A program has access to one message only.
#[rstest]
fn what_reads_or_writes_outside_is_not_defined(
    #[values(
        "env",
        "$ENV",
        "input",
        "inputs",
        "debug",
        "debug(1)",
        "stderr",
        "halt",
        "halt_error",
        "halt(1)",
        "input_filename",
        "input_line_number"
    )]
    program: &str,
) {
    let outcome = Mqtt::subscribe(1).args(["-t", "#", "--jq", program]).env("SECRET", "x").run().exits(2);
    outcome.mentions("is not defined").mentions("hint: a program sees one message and nothing else");
}

#[rstest]
#[case(&["--jq", ".", "-F", "%p"], "--jq and -F")]
#[case(&["--jq", ".", "--message-rate"], "--jq writes results")]
#[case(&["--jq", ".", "--exec", "cat"], "--jq writes results")]
#[case(&["--on-error", "stop"], "--on-error needs")]
fn conflicts_are_refused(#[case] args: &[&str], #[case] text: &str) {
    Mqtt::subscribe(1).args(["-t", "#"]).args(args.iter().copied()).run().fails(2, text);
}

/// Each of these programs runs endlessly, and ends the run.
#[rstest]
#[case("def f: f; f", "2 seconds of processor time")]
#[case("reduce range(60) as $i (1; [., .]) | tojson | length", "more than ")]
#[case("[range(infinite)] | length", "more than ")]
#[case("def f: 1 + f; f", "128 MiB of memory")]
#[case("reduce range(infinite) as $i (0; [.])", "more than ")]
fn endless_program_ends_the_run(#[case] program: &str, #[case] text: &str) {
    let broker = Broker::start();
    broker.publish().args(["-r", "-t", "a", "-m", "1"]).run().succeeds();
    let outcome = broker.subscribe().args(["-t", "a", "--jq", program]).run();
    outcome.exits(1).mentions("the jq program was ended at message 1 on 'a': it took ").mentions(text);
}

/// What was written for messages of the same read is not lost: only the message at which the program does not
/// end, and those after it, are left to the next run.
#[rstest]
#[case::standard_output(&[])]
#[case::file(&["--output", "OUT"])]
fn output_of_earlier_messages_is_written_before_an_endless_program_ends_the_run(#[case] args: &[&str]) {
    let bytes = at_qos_1(&MESSAGES);
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        peer.send(&bytes);
        // None is acknowledged.
        assert_eq!(peer.next(), None);
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("out");
    let args = args.iter().map(|arg| if *arg == "OUT" { file.as_os_str() } else { arg.as_ref() });
    let program = "if .topic == \"s/3\" then (def f: f; f) else .topic end";
    let outcome = Mqtt::subscribe(server.port())
        .args(["-V", "5", "-t", "#", "-q", "1", "--reconnect", "never", "--jq", program])
        .args(args)
        .run()
        .exits(1)
        .mentions("the jq program was ended at message 3 on 's/3': it took more than ");
    let written = if file.exists() { std::fs::read(&file).unwrap() } else { outcome.stdout };
    assert_eq!(written, b"s/1\ns/2\n");
}

/// An expression of many states takes long for each byte. The message before it is shown.
#[test]
fn search_that_takes_too_long_ends_the_run() {
    let payload = vec![b'a'; 4 << 20];
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        peer.grant_subscription(V5);
        let messages = [&b"z"[..], &payload].map(|payload| Message::new("t", payload).bytes(V5));
        peer.send(&messages.concat());
        assert_eq!(peer.next(), None);
    });
    let line = ["-V", "5", "-t", "#", "--reconnect", "never", "--grep", "(a{1,500}){1,30}z|^z"];
    let run = Mqtt::subscribe(server.port()).args(line).run().exits(1).prints("z\n");
    run.mentions("the search of --grep was ended at message 2 on 't': it took more than 2 seconds");
    server.finish();
}

/// Large results that end.
#[test]
fn results_are_bounded() {
    let broker = Broker::start();
    broker.publish().args(["-r", "-t", "a", "-m", "1"]).run().succeeds();
    let sub = |program: &str| broker.subscribe().args(["-t", "a", "--retained-only", "--jq", program]).run();
    sub("range(2000000)").exits(3).mentions("more than 1000000 results");
    sub("\"x\" * 10000000 | ., .").exits(3).mentions("results of more than 16 MiB");
    // As deep as can be written.
    assert_eq!(sub("reduce range(50000) as $i (0; [.]) | tojson | length").exits(0).lines(), ["100001"]);
    assert_eq!(sub(&["1|".repeat(8000), "2".into()].concat()).exits(0).lines(), ["2"]);
    assert_eq!(sub(&["1+".repeat(8000), "2".into()].concat()).exits(0).lines(), ["8002"]);
    assert_eq!(
        sub(&["[".repeat(4000), "]".repeat(4000), " | length".into()].concat()).exits(0).lines(),
        ["1"]
    );
    sub(&"1|".repeat(9000)).exits(2).mentions("a program may have 16384 bytes");
}

/// A slow program does not delay a signal, a timeout or the Keep Alive until all messages of one read are
/// processed.
#[test]
fn time_limit_holds_while_slow_programs_run() {
    let broker = Broker::start();
    let slow = "reduce range(100000) as $i (0; . + 1)";
    let sub = broker.subscribe().args(["-d", "-t", "a", "-W", "2", "--where", slow]).spawn();
    sub.wait_until_subscribed();
    let input = "x\n".repeat(5000);
    broker.publish().args(["-t", "a", "-l"]).stdin(input).run().succeeds();
    sub.finish().exits(27);
}

/// With --exec the command gets the selected messages.
#[test]
fn where_selects_for_commands() {
    let broker = Broker::start();
    for (topic, payload) in [("a", "1"), ("b", "2"), ("c", "3")] {
        broker.publish().args(["-r", "-t", topic, "-m", payload]).run().succeeds();
    }
    let args =
        ["-t", "#", "--retained-only", "--where", ".payload >= 2", "--exec", "cat; echo \" $MQTT_TOPIC\""];
    let mut lines = broker.subscribe().args(args).run().exits(0).lines();
    lines.sort();
    assert_eq!(lines, ["2 b", "3 c"]);
}

/// JSON with too many levels is a payload that is not JSON.
#[rstest]
fn hostile_payloads_are_text(#[values(128, 100_000)] levels: usize) {
    let protocol: Protocol = V5;
    let payload = "[".repeat(levels) + &"]".repeat(levels);
    let bytes = Message::new("a", payload.as_bytes()).bytes(protocol);
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(protocol);
        peer.grant_subscription(protocol);
        peer.send(&bytes);
        peer.expect_disconnect(protocol);
    });
    let args = ["-V", "5", "-t", "#", "-C", "1", "--jq", ".payload | type"];
    assert_eq!(Mqtt::subscribe(server.port()).args(args).run().exits(0).lines(), ["string"]);
}

/// A payload with too many values does not end the run: it is text, and the next message is shown.
#[test]
fn payload_of_too_many_values_is_text() {
    let broker = Broker::start();
    let payload = format!("[{}]", vec!["[0]"; 1_000_000].join(","));
    broker.publish().args(["-r", "-t", "a", "-s"]).stdin(payload).run().succeeds();
    broker.publish().args(["-r", "-t", "b", "-m", "[1]"]).run().succeeds();
    let args = ["-t", "#", "--retained-only", "--jq", "[.topic, (.payload | type)] | join(\" \")"];
    assert_eq!(broker.subscribe().args(args).run().exits(0).lines(), ["a string", "b array"]);
}

/// It is a failure of that message, and the process continues.
#[test]
fn product_beyond_the_limit_is_a_failure_of_the_message() {
    let broker = Broker::start();
    broker.publish().args(["-r", "-t", "a", "-m", "3"]).run().succeeds();
    let shown =
        |program: &str| broker.subscribe().args(["-t", "a", "--retained-only", "--jq", program]).run();
    for program in [
        "\"x\" * 100000000000000000",
        "100000000000000000 * \"x\"",
        "{a: \"x\"} | .a *= 100000000000000000",
        "def f: \"x\" * .; 16777217 | f",
        "[\"\\(\"xx\" * 10000000)\"]",
        "reduce range(3) as $i (\"x\"; . * 100000)",
    ] {
        let outcome = shown(program).exits(3);
        outcome.mentions("--jq failed on message 1 on 'a': \"a text of more than 16 MiB\"");
    }
    for (program, expected) in [
        (".payload * 2", "6"),
        ("\"ab\" * .payload", "ababab"),
        ("\"ab\" * 0", "null"),
        ("{a: {b: 1}} * {a: {c: 2}} | tojson", "{\"a\":{\"b\":1,\"c\":2}}"),
        ("[(1,2) * (3,4)] | tojson", "[3,4,6,8]"),
        ("{a: 2} | .a *= 3 | .a", "6"),
        ("[2,3] | .[] *= 2 | tojson", "[4,6]"),
        ("[.payload] | length * 5", "5"),
        ("\"x\" * 16777216 | length", "16777216"),
        ("try (\"x\" * 100000000000000000) catch .", "a text of more than 16 MiB"),
    ] {
        assert_eq!(shown(program).exits(0).lines(), [expected], "{program}");
    }
}
