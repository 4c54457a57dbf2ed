//! Lines whose words are read in another way than they were meant.

use std::ffi::OsString;

use super::super::read::read;
use super::super::subcommand::Entry;
use super::{stage_one, words};

/// The message and hint for a wrong line.
fn answer(line: &[&str]) -> (String, String) {
    let error = stage_one(&words(line)).expect_err("a usage error");
    (error.to_string(), error.hint().unwrap_or_default().to_owned())
}

fn warnings(line: &[&str]) -> Vec<String> {
    let without_environment = |entry: &Entry| entry.definition().mut_args(|arg| arg.env(None::<&str>));
    let line: Vec<OsString> = words(line);
    let read = read(&line, without_environment, |_, _| ()).expect("no error").expect("a run");
    read.found.warnings
}

/// Lines, each with its message and what was meant.
const MEANT_OTHERWISE: &[(&[&str], &str, &str)] = &[
    (
        &["pub", "-t", "a", "hello"],
        "TOPIC 'hello' and -t 'a' are both given; give one",
        "the payload goes after -m: mqtt pub -t a -m hello",
    ),
    (
        &["pub", "-q", "1", "-t", "a", "hello", "world", "-r"],
        "TOPIC 'hello' and -t 'a' are both given; give one",
        "quote a payload that has blanks: mqtt pub -q 1 -t a -m 'hello world' -r",
    ),
    (
        &["pub", "home/x", "hello", "world", "-u", "me", "-P", "x7x"],
        "unexpected argument 'world' found after TOPIC 'home/x' and MESSAGE 'hello'",
        "quote a payload that has blanks: mqtt pub home/x 'hello world' -u me -P …",
    ),
    (
        &["pub", "-r", "home/x", "{name:", "X}"],
        "unexpected argument 'X}' found after TOPIC 'home/x' and MESSAGE '{name:'",
        "put single quotes around the whole payload, as in '{\"on\": true}'",
    ),
    (
        &["rr", "home/x", "get", "all"],
        "unexpected argument 'all' found after TOPIC 'home/x' and MESSAGE 'get'",
        "quote a payload that has blanks: mqtt rr home/x 'get all'",
    ),
    (&["sub", "mqtt://b", "home/#"], "FILTER 'mqtt://b' is a URL", "mqtt sub -L mqtt://b 'home/#'"),
    (&["sub", "ssl://me:x7x@b/home"], "FILTER 'ssl://…@b/home' is a URL", "mqtt sub -L mqtts://…@b/home"),
    (&["pub", "tcp://b", "a", "c"], "TOPIC 'tcp://b' is a URL", "mqtt pub -L mqtt://b a c"),
    (&["pub", "tcp://b", "-t", "a", "-m", "c"], "TOPIC 'tcp://b' is a URL", "mqtt pub -L mqtt://b -t a -m c"),
    (
        &["respond", "svc/a", "pong", "-q", "1"],
        "no response to publish",
        "the response goes after -m: mqtt respond svc/a -m pong -q 1",
    ),
    (
        &["pub", "-t", "a", "-m", "“hello", "world”"],
        "'“hello' and 'world”' have quotation marks of texts, between which a shell makes a word of each",
        "a shell has ' and \": mqtt pub -t a -m 'hello world'",
    ),
    (
        &["pub", "a", "“hello", "big", "world”", "-r"],
        "'“hello' and 'world”' have quotation marks of texts, between which a shell makes a word of each",
        "a shell has ' and \": mqtt pub a 'hello big world' -r",
    ),
    (
        &["pub", "-t", "a", "-m", "hello", "world"],
        "TOPIC 'world' and -t 'a' are both given; give one",
        "quote a text that has blanks",
    ),
    (
        &["pub", "-r", "true", "-t", "a", "-m", "x"],
        "TOPIC 'true' and -t 'a' are both given; give one",
        "-r takes no value: write it alone, or leave it out",
    ),
    (
        &["pub", "-t", "a", "-r", "on"],
        "TOPIC 'on' and -t 'a' are both given; give one",
        "the payload goes after -m: mqtt pub -t a -r -m on",
    ),
    (
        &["pub", "a", "b", "--retain", "yes"],
        "unexpected argument 'yes' found",
        "--retain takes no value: write it alone, or leave it out",
    ),
    (
        &["pub", "a", "b", "--retain=true"],
        "--retain takes no value, and 'true' is given",
        "write --retain alone, or leave it out",
    ),
    (
        &["sub", "-t", "a", "-W", "500", "ms"],
        "FILTER 'ms' and -t 'a' are both given; give one",
        "write the unit without a blank: 500ms",
    ),
    (
        &["pub", "a", "b", "-W", "5", "s"],
        "unexpected argument 's' found",
        "write the unit without a blank: 5s",
    ),
    (&["ping", "-W", "500", "ms", "h"], "unexpected argument 'h' found", "see mqtt ping --help"),
    (
        &["pub", "-t", "a", "-"],
        "TOPIC '-' and -t 'a' are both given; give one",
        "-s reads the payload from standard input",
    ),
    (
        &["sub", "-t", "a", "--exec", "echo", "hi"],
        "FILTER 'hi' and -t 'a' are both given; give one",
        "a command of several words is quoted: 'echo hi'",
    ),
    (
        &["pub", "-t", "a", "-l", "mqtts", "-m", "x"],
        "TOPIC 'mqtts' and -t 'a' are both given; give one",
        "-l takes no value: write it alone, or leave it out",
    ),
    (
        &["sub", "-t", "a", "-c", "1"],
        "FILTER '1' and -t 'a' are both given; give one",
        "-c takes no value: write it alone, or leave it out",
    ),
    #[cfg(feature = "broker")]
    (
        &["broker", "-p", "0", "mqtt", "pub", "a", "b"],
        "unexpected argument 'mqtt' found",
        "a program to run goes after --: mqtt broker -p 0 -- mqtt pub a b",
    ),
    (
        &["sub", "-t", "a", "b"],
        "FILTER 'b' and -t 'a' are both given; give one",
        "give each filter with -t, or all of them without",
    ),
    (
        &["pub", "home/x", "-5.2", "-q", "1"],
        "unexpected argument '-5' found",
        "a payload that begins with a dash goes after -m: mqtt pub home/x -m -5.2 -q 1",
    ),
    (
        &["pub", "home/x", "-0.5"],
        "unexpected argument '-.' found",
        "a payload that begins with a dash goes after -m: mqtt pub home/x -m -0.5",
    ),
    (
        &["pub", "-t", "home/x", "-5"],
        "unexpected argument '-5' found",
        "a payload that begins with a dash goes after -m: mqtt pub -t home/x -m -5",
    ),
    (
        &["pub", "home/x", "-yes"],
        "unexpected argument '-y' found",
        "a payload that begins with a dash goes after -m: mqtt pub home/x -m -yes",
    ),
    (
        &["pub", "home/x", "-hello"],
        "no message to publish",
        "'-hello' was read as option -h; a payload that begins with a dash goes after -m: mqtt pub home/x -m -hello",
    ),
];

#[test]
fn operands_that_are_meant_otherwise_are_answered_with_the_line() {
    for (line, message, hint) in MEANT_OTHERWISE {
        assert_eq!(answer(line), ((*message).to_owned(), (*hint).to_owned()), "{line:?}");
        assert!(!hint.contains("x7x"), "{hint}");
    }
}

#[test]
fn long_names_after_one_dash_are_answered_with_the_line() {
    for (line, option, ready) in [
        (&["pub", "-t", "a", "-m", "b", "-retain"][..], "--retain", "mqtt pub -t a -m b --retain"),
        (
            &["pub", "-topic", "a", "-message", "b", "-host", "h"],
            "--topic",
            "mqtt pub --topic a --message b --host h",
        ),
        (&["sub", "a", "-port=1884"], "--port", "mqtt sub a --port=1884"),
        (&["sub", "a", "-clientId", "me"], "--client-id", "mqtt sub a --client-id me"),
        (&["bench", "pub", "-publishers", "5"], "--publishers", "mqtt bench pub --publishers 5"),
        (&["pub", "a", "b", "-password", "x7x"], "--password", "mqtt pub a b --password …"),
    ] {
        let (message, hint) = answer(line);
        assert!(message.ends_with(&format!("has one dash: did you mean {option}?")), "{line:?}: {message}");
        assert_eq!(hint, ready, "{line:?}");
    }
    // Letters with their values, and values of options.
    for line in [
        &["pub", "-ta", "-mhost", "-hlocalhost"][..],
        &["pub", "-t", "a", "-m", "-host"],
        &["pub", "-rdt", "a", "-n"],
        &["sub", "-v", "a", "--", "-host"],
    ] {
        assert!(stage_one(&words(line)).is_ok(), "{line:?}");
    }
}

/// As documents and web pages have them.
#[test]
fn dashes_of_texts_are_answered_with_the_line() {
    for (line, option, ready) in [
        (&["pub", "-t", "a", "-m", "b", "–q", "1"][..], "-q", "mqtt pub -t a -m b -q 1"),
        (&["pub", "–t", "a", "–m", "b"], "-t", "mqtt pub -t a -m b"),
        (&["sub", "a", "—retain-handling", "new"], "--retain-handling", "mqtt sub a --retain-handling new"),
        (&["sub", "a", "–-port=1884"], "--port", "mqtt sub a --port=1884"),
    ] {
        let (message, hint) = answer(line);
        assert!(
            message.ends_with(&format!("has a dash of texts: did you mean {option}?")),
            "{line:?}: {message}"
        );
        assert_eq!(hint, ready, "{line:?}");
    }
    assert_eq!(warnings(&["pub", "a", "-m", "–5 °C"]), [""; 0]);
    let found = warnings(&["sub", "-t", "“a”"]);
    assert!(found.len() == 1 && found[0].contains("quotation mark of texts"), "{found:?}");
}

#[test]
fn values_that_are_names_of_options_are_pointed_at() {
    for (line, hint) in [
        (
            &["pub", "-i", "-q", "1", "-t", "a", "-m", "b"][..],
            "-i has taken '-q' as its value: is the value of -i missing?",
        ),
        (&["sub", "-t", "a", "-F", "-C", "1"], "-F has taken '-C' as its value: is the value of -F missing?"),
    ] {
        assert_eq!(answer(line).1, hint, "{line:?}");
    }
    for (line, hint) in [
        (
            &["pub", "-h", "-t", "x", "-m", "y"][..],
            "-h has taken '-t' as its value: is the value of -h missing?",
        ),
        (&["sub", "a", "-p", "-v"], "-p has taken '-v' as its value: is the value of -p missing?"),
    ] {
        assert_eq!(answer(line).1, hint, "{line:?}");
    }
    for (line, hint) in [
        (&["sub", "-t", "-v"][..], "-t has taken '-v' as its value: is the value of -t missing?"),
        (
            &["pub", "a", "b", "-i", "--retain"],
            "-i has taken '--retain' as its value: is the value of -i missing?",
        ),
    ] {
        assert_eq!(warnings(line), [hint], "{line:?}");
    }
    for line in [
        &["pub", "a", "-m", "-r"][..],
        &["pub", "a", "-i=-r", "-n"],
        &["pub", "a", "-m-r"],
        &["pub", "a", "-m", "-rain"],
        &["pub", "a", "-m", "-5"],
    ] {
        assert_eq!(warnings(line), [""; 0], "{line:?}");
    }
}

#[test]
fn what_an_option_needs_is_named() {
    let (message, hint) = answer(&["pub", "a", "b", "--interval", "5"]);
    assert_eq!(message, "--interval needs --repeat <COUNT|forever>");
    assert_eq!(hint, "mqtt pub --repeat forever a b --interval 5");
    assert_eq!(answer(&["pub", "a", "-l", "--interval", "5"]).1, "see mqtt pub --help");
    assert_eq!(answer(&["sub", "a", "--output", "f", "--keep=5"]).0, "--keep needs --rotate <SIZE|DURATION>");
    let (message, hint) = answer(&["completions"]);
    assert_eq!(message, "<SHELL> is missing");
    assert!(hint.starts_with("for example: mqtt completions "), "{hint}");
}

/// A shell reads `-t #` as `-t` and a comment.
#[test]
fn filter_that_a_shell_takes_for_a_comment_is_shown_in_quotes() {
    for (line, hint) in [
        (&["sub", "-t"][..], "# needs quotes in a shell: mqtt sub -t '#'"),
        (&["sub", "a", "-T"], "# needs quotes in a shell: mqtt sub a -T '#'"),
        (&["pub", "-t"], "see mqtt pub --help"),
        (&["pub", "a", "b", "-P"], "--password-prompt asks for it, and --password-file reads it from a file"),
    ] {
        assert_eq!(answer(line).1, hint, "{line:?}");
    }
}

#[test]
fn wildcards_of_other_systems_get_a_warning() {
    for line in [
        &["sub", "home/*/state"][..],
        &["sub", "-t", "*"],
        &["sub", "a", "-T", "home/**"],
        &["sub", "a", "-U", "home/>"],
        &["sub", "--subscribe", "qos=1:home/*"],
        &["pub", "home/*", "x"],
        &["pub", "a", "b", "--will-topic", "home/*"],
        &["retain-clear", "home/*"],
    ] {
        let found = warnings(line);
        assert!(found.len() == 1 && found[0].contains("is an ordinary level in MQTT"), "{line:?}: {found:?}");
    }
    for line in [&["sub", "-t", "/#"][..], &["sub", "/broker/uptime"]] {
        let found = warnings(line);
        assert!(found.len() == 1 && found[0].contains("$SYS needs single quotes"), "{line:?}: {found:?}");
    }
    for line in [
        &["sub", "home/+/state", "a*/b", "/home/#", "$SYS/#"][..],
        &["pub", "/broker/x", "*"],
        &["pub", "a", "-m", "home/*"],
    ] {
        assert_eq!(warnings(line), [""; 0], "{line:?}");
    }
}

#[test]
fn words_that_are_read_as_filters_get_a_warning() {
    for (line, warning) in [
        (
            &["sub", "#", "--exec", "echo", "hi"][..],
            "'hi' is read as a topic filter; a command of several words is quoted: 'echo hi'",
        ),
        (&["sub", "a", "-W", "5", "s"], "'s' is read as a topic filter; write the unit without a blank: 5s"),
        (
            &["sub", "a", "-v", "true"],
            "'true' is read as a topic filter; -v takes no value: write it alone, or leave it out",
        ),
    ] {
        assert_eq!(warnings(line), [warning], "{line:?}");
    }
    for line in [&["sub", "a", "-C", "5", "s"][..], &["sub", "a", "-v", "b"], &["pub", "a", "-r", "on"]] {
        assert_eq!(warnings(line), [""; 0], "{line:?}");
    }
}

#[test]
fn payload_in_quotation_marks_of_texts_gets_a_warning() {
    for line in [&["pub", "a", "“on”"][..], &["pub", "a", "-m", "„on“"]] {
        let found = warnings(line);
        assert!(found.len() == 1 && found[0].contains("quotation marks of texts"), "{line:?}: {found:?}");
    }
    for payload in ["“so it is”, he said", "“so it is”", "on”", "“"] {
        assert_eq!(warnings(&["pub", "a", "-m", payload]), [""; 0], "{payload}");
    }
}

#[test]
fn dash_as_a_payload_gets_a_warning() {
    for line in [&["pub", "a", "-"][..], &["pub", "-t", "a", "-m", "-"], &["rr", "a", "-"]] {
        assert_eq!(warnings(line), ["the payload is '-'; standard input is published with -s"], "{line:?}");
    }
}

/// The ways in which other tools and people write a version of MQTT.
#[test]
fn other_names_of_versions_are_answered_with_the_line_that_was_meant() {
    for (typed, meant) in [
        ("3", "311"),
        ("4", "311"),
        ("v3.1.1", "311"),
        ("3_1_1", "311"),
        ("3-1-1", "311"),
        ("3.1.1.0", "311"),
        ("mqtt311", "311"),
        ("mqttv3.1.1", "311"),
        ("MQTTv311", "311"),
        ("MQTT 3.1.1", "311"),
        ("mqtt-3.1", "31"),
        ("mqttv3.1", "31"),
        ("v31", "31"),
        ("mqttv5.0", "5"),
        ("MQTT5", "5"),
        ("v5", "5"),
    ] {
        let (message, hint) = answer(&["sub", "-t", "a", "-V", typed]);
        assert!(message.starts_with(&format!("invalid value '{typed}'")), "{message}");
        assert_eq!(hint, format!("mqtt sub -t a -V {meant}"), "{typed}");
    }
    for typed in ["6", "3.2", "mqttv6", "mqtt"] {
        let (message, hint) = answer(&["sub", "-t", "a", "-V", typed]);
        assert!(message.contains("[possible values: auto, 31, 311, 5]"), "{message}");
        assert!(!hint.contains("-V"), "{typed}: {hint}");
    }
}
