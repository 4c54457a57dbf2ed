use std::ffi::OsString;
use std::time::Duration;

use super::{all_wrong, config, good, publish, run, usage_error, words, wrong};
use crate::client::options::Reconnect;
use crate::command::input::Source;
use crate::command::publish::Config;
use crate::output::Verbosity;
use crate::protocol::QoS;

#[test]
fn the_shortest_line() {
    let config = publish(&["-t", "home/kitchen/temperature", "-m", "23.4"]);
    assert_eq!(config.topics, ["home/kitchen/temperature"]);
    assert_eq!(config.source, Source::Message(b"23.4".to_vec()));
    assert_eq!(config.qos, QoS::AtMostOnce);
    assert!(!config.retain);
    assert_eq!((config.repeat, config.repeat_delay), (1, Duration::ZERO));
    assert!(config.properties.is_empty());
    assert_eq!(config.verbosity, Verbosity::Normal);
    assert_eq!(config.client.reconnect, Reconnect::NEVER);
}

#[test]
fn every_option() {
    let config =
        publish(&["-t", "a", "-q", "2", "-r", "--repeat", "3", "--repeat-delay", "0.5", "-m", "x", "-d"]);
    assert_eq!(config.qos, QoS::ExactlyOnce);
    assert!(config.retain);
    assert_eq!((config.repeat, config.repeat_delay), (3, Duration::from_millis(500)));
    assert_eq!(config.verbosity, Verbosity::Debug);
    assert_eq!(publish(&["-t", "a", "-n", "--quiet"]).verbosity, Verbosity::Quiet);
}

#[test]
fn sources() {
    let source = |line: &[&str]| publish(&[&["-t", "a"], line].concat()).source;
    assert_eq!(source(&["-m", ""]), Source::Message(Vec::new()));
    assert_eq!(source(&["--message", "x"]), Source::Message(b"x".to_vec()));
    assert_eq!(source(&["-f", "x y"]), Source::File("x y".into()));
    assert_eq!(source(&["-s"]), Source::Stdin);
    assert_eq!(source(&["-l"]), Source::StdinLines);
    assert_eq!(source(&["-n"]), Source::Null);
}

#[test]
fn exactly_one_source() {
    all_wrong(&[
        (&["pub", "-t", "a"], "no message"),
        (&["pub", "-t", "a", "-m", "x", "-n"], "-m and -n are two sources"),
        (&["pub", "-t", "a", "-l", "-s"], "-s and -l are two sources"),
        (&["pub", "-t", "a", "-f", "x", "-l", "-n"], "two sources"),
    ]);
}

/// Payloads are bytes and are sent as typed.
#[cfg(unix)]
#[test]
fn payloads_need_not_be_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let mut line = words(&["pub", "-t", "a", "-m"]);
    line.push(OsString::from_vec(vec![0xff, 0xfe]));
    let config: Config = config(run(&line, &[]).unwrap());
    assert_eq!(config.source, Source::Message(vec![0xff, 0xfe]));
}

#[cfg(unix)]
#[test]
fn topics_must_be_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let mut line = words(&["pub", "-m", "x", "-t"]);
    line.push(OsString::from_vec(b"a/\xff".to_vec()));
    assert!(usage_error(run(&line, &[]).map(|c| format!("{c:?}"))).ends_with("it is not UTF-8"));
}

/// As with mosquitto, a value may begin with any character.
#[test]
fn values_may_begin_with_a_hyphen() {
    assert_eq!(publish(&["-t", "-a", "-m", "-5"]).source, Source::Message(b"-5".to_vec()));
    assert_eq!(publish(&["-t", "-a", "-m", "-x"]).topics, ["-a"]);
    assert_eq!(publish(&["-t", "a", "-m", "--", "-r"]).source, Source::Message(b"--".to_vec()));
    let config = publish(&["-t", "a", "-n", "-u", "-me", "-P", "-secret"]);
    assert_eq!(config.client.user_name.as_deref(), Some("-me"));
    assert_eq!(config.client.password.map(|secret| secret.0), Some(b"-secret".to_vec()));
}

/// As with mosquitto.
#[test]
fn the_last_of_a_repeated_option_counts() {
    let config = publish(&["-t", "a", "-m", "1", "-q", "1", "-q", "0", "-r", "-r"]);
    assert_eq!(config.qos, QoS::AtMostOnce);
    assert!(config.retain);
}

/// If the last one won, the message for the earlier one would be lost silently.
#[test]
fn topics() {
    all_wrong(&[
        (&["pub", "-t", "a", "-t", "b", "--json"], "2 topics given (-t)"),
        (&["pub", "-t", "a", "-t", "#", "-m", "1"], "topic '#': it contains a wildcard"),
        (&["pub", "-t", "a", "-l", "--topic-from-line", " "], "-t and --topic-from-line both give the topic"),
        (&["pub", "-l", "--topic-from-line", ""], "the separator is empty"),
        (&["pub", "-l", "--topic-from-line", "a\n"], "contains the byte that ends a line"),
        (&["pub", "-t", "a", "-m", "1", "-0"], "-0 needs -l or --json"),
        (&["pub", "-t", "a", "-m", "x", "--on-error", "stop"], "--on-error needs -l or --json"),
        (&["pub", "-t", "a", "-m", "1", "-m", "2"], "-m"),
        (&["pub", "-t", "a\u{1}", "-m", "1"], "control character"),
        (&["pub", "-t", "a\u{ffff}", "-m", "1"], "noncharacter"),
        (&["pub", "-n"], "no topic"),
        (&["pub", "-n", "-t", ""], "the topic is empty"),
        (&["pub", "-n", "-t", "home/#"], "topic 'home/#': it contains a wildcard"),
        (&["pub", "-n", "-t", "+/a"], "wildcard"),
        (&["pub", "-n", "-L", "mqtt://h/home/#"], "wildcard"),
        (&["pub", "-n", "-L", "mqtt://h/a", "-t", "b"], "-L and -t name different topics"),
    ]);
    assert!(wrong(&["pub", "-n", "-t", &"x".repeat(65_536)]).contains("longer than 65,535 bytes"));
    assert_eq!(publish(&["-n", "-t", &"x".repeat(65_535)]).topics[0].len(), 65_535);
    assert_eq!(publish(&["-n", "-t", "a//b/ü $"]).topics, ["a//b/ü $"]);
}

#[test]
fn a_message_may_go_to_several_topics() {
    assert_eq!(publish(&["-m", "1", "-t", "a", "-t", "b", "-t", "a"]).topics, ["a", "b", "a"]);
    assert_eq!(publish(&["-l", "-t", "a", "-t", "b"]).topics, ["a", "b"]);
}

#[test]
fn lines_may_begin_with_their_topic() {
    let lines = |separator: &str| {
        let config = publish(&["-l", "--topic-from-line", separator]);
        assert!(config.topics.is_empty());
        let Source::TopicLines(lines) = config.source else { panic!("{:?}", config.source) };
        lines.separator
    };
    assert_eq!((lines(": "), lines("\\t")), (b": ".to_vec(), b"\t".to_vec()));
    assert_eq!(publish(&["-t", "a", "-l", "-0"]).terminator, 0);
}

#[test]
fn the_urls_topic() {
    assert_eq!(publish(&["-n", "-L", "mqtt://h/a/b"]).topics, ["a/b"]);
    assert_eq!(publish(&["-n", "-L", "mqtt://h/a/b", "-t", "a/b"]).topics, ["a/b"]);
}

#[test]
fn numbers() {
    all_wrong(&[
        (
            &["pub", "-t", "a", "-n", "-q", "3"],
            "invalid value '3' for '--qos <QOS>' [possible values: 0, 1, 2]",
        ),
        (&["pub", "-t", "a", "-n", "-q", "abc"], "'abc'"),
        (&["pub", "-t", "a", "-n", "--repeat", "0"], "--repeat"),
        (&["pub", "-t", "a", "-n", "--repeat", "x"], "--repeat"),
        (&["pub", "-t", "a", "-n", "--repeat-delay", "-1"], "--repeat-delay"),
        (&["pub", "-t", "a", "-l", "--repeat", "2"], "cannot be used with -l"),
        (&["pub", "-t", "a", "-l", "--repeat-delay", "2"], "cannot be used with -l"),
        (&["pub", "-t", "a", "-n", "-d", "--quiet"], "cannot be used together"),
    ]);
}

#[test]
fn lines_reconnect_and_single_messages_do_not() {
    assert_eq!(publish(&["-t", "a", "-l"]).client.reconnect, Reconnect::ALWAYS);
    let reconnect = publish(&["-t", "a", "-l", "--reconnect", "never"]).client.reconnect;
    assert_eq!(reconnect.attempts, Some(0));
    let reconnect =
        publish(&["-t", "a", "-s", "--reconnect", "3", "--reconnect-max-delay", "1m"]).client.reconnect;
    assert_eq!(reconnect.attempts, Some(3));
    assert_eq!(reconnect.max_delay, Duration::from_secs(60));
    let reconnect = publish(&["-t", "a", "-s", "--wait-for-server", "2m"]).client.reconnect;
    assert_eq!(reconnect.wait_for_server, Duration::from_secs(120));
}

#[test]
fn wills() {
    let will = publish(&[
        "-t",
        "a",
        "-n",
        "--will-topic",
        "w",
        "--will-payload",
        "-bye",
        "--will-qos",
        "1",
        "--will-retain",
    ]);
    let will = will.client.will.expect("a will");
    assert_eq!((will.topic.as_str(), will.payload.as_slice()), ("w", &b"-bye"[..]));
    assert_eq!((will.qos, will.retain), (QoS::AtLeastOnce, true));
    let will = publish(&["-t", "a", "-n", "--will-topic", "w"]).client.will.expect("a will");
    assert_eq!((will.payload.as_slice(), will.qos, will.retain), (&b""[..], QoS::AtMostOnce, false));
    assert_eq!(publish(&["-t", "a", "-n"]).client.will, None);
}

#[test]
fn bad_wills() {
    all_wrong(&[
        (&["pub", "-t", "a", "-n", "--will-payload", "x"], "--will-payload needs --will-topic"),
        (&["pub", "-t", "a", "-n", "--will-qos", "1"], "--will-qos needs --will-topic"),
        (&["pub", "-t", "a", "-n", "--will-retain"], "--will-retain needs --will-topic"),
        (&["pub", "-t", "a", "-n", "--will-topic", "w/#"], "will topic 'w/#': it contains a wildcard"),
        (&["pub", "-t", "a", "-n", "--will-topic", ""], "the will topic is empty"),
        (&["pub", "-t", "a", "-n", "--will-topic", "w", "--will-qos", "3"], "--will-qos"),
    ]);
    let long = "x".repeat(65_536);
    let message = wrong(&["pub", "-t", "a", "-n", "--will-topic", "w", "--will-payload", &long]);
    assert!(message.contains("65536 bytes long"), "{message}");
}

/// `mqtt pub TOPIC [MESSAGE]`, and the same for the other subcommands.
#[test]
fn operands_stand_for_options() {
    let line = [&["pub", "a/b", "hello"][..], &["-q", "1"]].concat();
    let config: Config = config(good(&line));
    assert_eq!((config.topics[0].as_str(), &config.source), ("a/b", &Source::Message(b"hello".to_vec())));
    let config: Config = super::config(good(&["pub", "a/b", "-f", "x"]));
    assert_eq!((config.topics[0].as_str(), &config.source), ("a/b", &Source::File("x".into())));
    let request: crate::command::request::Config = super::config(good(&["rr", "a", "what"]));
    assert_eq!((request.topic.as_str(), &request.source), ("a", &Source::Message(b"what".to_vec())));
    let ping: crate::command::ping::Config = super::config(good(&["ping", "broker.example"]));
    assert_eq!(ping.client.endpoint.address.to_string(), "broker.example:1883");
    all_wrong(&[
        (&["pub", "a", "b", "-m", "c"], "-m and MESSAGE are two sources"),
        (&["pub", "a", "-t", "b", "-n"], "TOPIC 'a' and -t 'b' are both given"),
        (&["pub", "mqtt://me:x@h/t", "b"], "TOPIC 'mqtt://…@h/t' is a URL"),
        (&["pub"], "no message to publish"),
        (&["sub", "a", "-t", "b"], "FILTER 'a' and -t 'b' are both given"),
        (&["sub", "wss://h/p?token=x"], "FILTER 'wss://h/p?…' is a URL"),
        (&["ping", "a", "-h", "b"], "HOST and -h are both given"),
    ]);
}

#[test]
fn generated_payloads() {
    let is_generated = |args: &[&str]| matches!(publish(args).source, Source::Generated(_));
    assert!(is_generated(&["-t", "a", "--size", "1KiB"]));
    assert!(is_generated(&["-t", "a", "--size", "0", "--seed", "1"]));
    all_wrong(&[
        (&["pub", "-t", "a", "--size", "1GiB"], "the largest packet of MQTT has 268435460 bytes"),
        (&["pub", "-t", "a", "--size", "1", "-m", "x"], "-m and --size are two sources"),
        (&["pub", "-t", "a", "-m", "x", "--seed", "1"], "--seed needs --template or --size"),
    ]);
}

#[test]
fn recordings() {
    let records = |args: &[&str]| {
        let config = publish(&[&["--json"], args].concat());
        let Source::Records(options) = config.source else { panic!("{:?}", config.source) };
        (config.speed, options.is_replay, options.rounds)
    };
    assert_eq!(records(&[]), (None, false, 1));
    assert_eq!(records(&["--timing", "recorded"]), (Some(1.0), true, 1));
    assert_eq!(records(&["--timing=recorded", "--speed=0.5", "--loop=2"]), (Some(0.5), true, 2));
    assert_eq!(records(&["--timing=recorded", "--speed=10x"]), (Some(10.0), true, 1));
    assert_eq!(records(&["--timing=recorded", "--speed=max", "--loop=forever"]), (None, true, u64::MAX));
    all_wrong(&[
        (&["pub", "-t", "a", "-l", "--timing", "recorded"], "--json"),
        (&["pub", "--json", "--speed", "2"], "--timing"),
        (&["pub", "--json", "--timing", "recorded", "--speed", "0"], "use 0.001 to 1000000, or max"),
        (&["pub", "--json", "--from", "noon"], "use a time of day"),
        (&["pub", "--json", "--topic-filter", "a/#/b"], "topic filter 'a/#/b'"),
        (&["pub", "--json", "--loop", "0"], "--loop"),
    ]);
}

#[test]
fn filter_of_records_is_no_topic() {
    let error = run(&words(&["pub", "--json", "-t", "a/#"]), &[]).err().unwrap();
    assert_eq!(error.hint(), Some("--topic-filter selects records; -t is the topic of those that have none"));
}
