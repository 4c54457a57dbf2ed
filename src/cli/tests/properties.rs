use super::{all_wrong, client, publish, subscribe, wrong};
use crate::client::options::Version;
use crate::protocol::Protocol;
use crate::protocol::property::{PropertyBlock, Value};

fn shown(block: &PropertyBlock) -> Vec<String> {
    block
        .view()
        .iter()
        .map(|property| match property.value {
            Value::Number(number) => format!("{}={number}", property.id.name()),
            Value::Text(text) => format!("{}={text}", property.id.name()),
            Value::Binary(bytes) => format!("{}={bytes:?}", property.id.name()),
            Value::Pair(key, value) => format!("{}={key}:{value}", property.id.name()),
        })
        .collect()
}

#[test]
fn each_packet_gets_its_own() {
    let config = publish(&[
        "-D",
        "publish",
        "content-type",
        "text/plain",
        "-t",
        "a",
        "-D",
        "PUBLISH",
        "User-Property",
        "k",
        "1",
        "-D",
        "publish",
        "user-property",
        "k",
        "2",
        "-D",
        "publish",
        "message-expiry-interval",
        "60",
        "-D",
        "publish",
        "correlation-data",
        "ab",
        "-D",
        "publish",
        "response-topic",
        "answers/1",
        "-D",
        "connect",
        "receive-maximum",
        "7",
        "-D",
        "will",
        "will-delay-interval",
        "5",
        "-D",
        "disconnect",
        "reason-string",
        "bye",
        "--will-topic",
        "w",
        "-n",
    ]);
    assert_eq!(
        shown(&config.properties),
        [
            "content-type=text/plain",
            "user-property=k:1",
            "user-property=k:2",
            "message-expiry-interval=60",
            "correlation-data=[97, 98]",
            "response-topic=answers/1",
        ]
    );
    assert_eq!(shown(&config.client.properties), ["receive-maximum=7"]);
    assert_eq!(shown(&config.client.disconnect_properties), ["reason-string=bye"]);
    assert_eq!(shown(&config.client.will.unwrap().properties), ["will-delay-interval=5"]);
    let config = subscribe(&[
        "-t",
        "a",
        "-D",
        "subscribe",
        "subscription-identifier",
        "300",
        "-D",
        "unsubscribe",
        "user-property",
        "k",
        "v",
    ]);
    assert_eq!(shown(&config.subscribe_properties), ["subscription-identifier=300"]);
    assert_eq!(shown(&config.unsubscribe_properties), ["user-property=k:v"]);
}

/// The fourth word of a user property is never an option, and the third of others is the last.
#[test]
fn words_and_options_are_kept_apart() {
    let config = publish(&["-t", "a", "-D", "publish", "content-type", "x", "-m", "y", "-r"]);
    assert_eq!(shown(&config.properties), ["content-type=x"]);
    assert!(config.retain);
}

#[test]
fn they_need_mqtt_5() {
    let line = ["-D", "connect", "user-property", "k", "v"];
    assert_eq!(client(&line).version, Version::Only(Protocol::V5));
    assert!(wrong(&[&["pub", "-n", "-t", "a", "-V", "311"], &line[..]].concat()).contains("-D needs MQTT 5"));
}

/// What has an option of its own goes the same way.
#[test]
fn connect_properties_with_options_of_their_own() {
    let client = client(&[
        "-D",
        "connect",
        "session-expiry-interval",
        "60",
        "-D",
        "connect",
        "maximum-packet-size",
        "1000",
    ]);
    assert_eq!(client.session_expiry_interval, Some(60));
    assert_eq!(client.max_packet_bytes, 1000);
    assert!(client.properties.is_empty());
    all_wrong(&[
        (
            &["pub", "-n", "-t", "a", "-x", "1", "-D", "connect", "session-expiry-interval", "60"],
            "-x and -D connect session-expiry-interval",
        ),
        (
            &["pub", "-n", "-t", "a", "--max-packet-size", "9", "-D", "connect", "maximum-packet-size", "9"],
            "--max-packet-size and -D connect",
        ),
        (
            &["pub", "-n", "-t", "a", "-D", "connect", "session-expiry-interval", "4294967295"],
            "never expires needs a client identifier",
        ),
    ]);
}

#[test]
fn bad_properties() {
    let cases: &[(&[&str], &str)] = &[
        (&["-D", "publish", "content-type"], "3 values required by '--property"),
        (&["-D", "publish", "content-type", "a", "b"], "takes one value"),
        (&["-D", "publish", "user-property", "k"], "takes two words"),
        (&["-D", "puback", "user-property", "k", "v"], "no such command"),
        (&["-D", "subscribe", "user-property", "k", "v"], "no SUBSCRIBE is sent here"),
        (&["-D", "publish", "colour", "red"], "'colour' is no property"),
        (&["-D", "publish", "receive-maximum", "5"], "receive-maximum is not one of its properties"),
        (&["-D", "publish", "subscription-identifier", "5"], "not one of its properties"),
        (&["-D", "will", "reason-string", "x", "--will-topic", "w"], "not one of its properties"),
        (&["-D", "publish", "payload-format-indicator", "7"], "must be 0 or 1"),
        (&["-D", "publish", "payload-format-indicator", "yes"], "must be a number"),
        (&["-D", "publish", "topic-alias", "0"], "must be 1 to 65535"),
        (&["-D", "publish", "topic-alias", "65536"], "must be 1 to 65535"),
        (&["-D", "publish", "message-expiry-interval", "-1"], "must be a number"),
        (&["-D", "publish", "message-expiry-interval", "4294967296"], "must be a number"),
        (&["-D", "connect", "receive-maximum", "0"], "must be 1 to 65535"),
        (&["-D", "publish", "response-topic", "a/#"], "wildcard"),
        (&["-D", "publish", "content-type", "a", "-D", "publish", "content-type", "b"], "given twice"),
        (&["-D", "will", "will-delay-interval", "1"], "-D will needs --will-topic"),
        (&["-D", "connect", "authentication-data", "x"], "needs authentication-method"),
    ];
    for (line, words) in cases {
        let message = wrong(&[&["pub", "-n", "-t", "a"], *line].concat());
        assert!(message.contains(words), "{line:?}\n  says  {message}\n  not   {words}");
    }
    let long = "x".repeat(65_536);
    assert!(wrong(&["pub", "-n", "-t", "a", "-D", "publish", "content-type", &long]).contains("65536 bytes"));
}
