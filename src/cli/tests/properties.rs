use super::{all_wrong, client, good, publish, subscribe, wrong};
use crate::client::options::Version;
use crate::command::input::Source;
use crate::output::Verbosity;
use crate::protocol::Protocol;
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::wire::TopicAlias;

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
fn each_packet_gets_its_own_properties() {
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
    assert!(config.subscribe_properties.is_empty());
    assert_eq!(config.filters[0].identifier, Some(300));
    assert_eq!(shown(&config.unsubscribe_properties), ["user-property=k:v"]);
}

/// The fourth word of a user property is never an option, and the third word of other properties is the last.
#[test]
fn words_and_options_are_kept_apart() {
    let config = publish(&["-t", "a", "-D", "publish", "content-type", "x", "-m", "y", "-r"]);
    assert_eq!(shown(&config.properties), ["content-type=x"]);
    assert!(config.retain);
}

#[test]
fn properties_need_mqtt_5() {
    let line = ["-D", "connect", "user-property", "k", "v"];
    assert_eq!(client(&line).version, Version::Only(Protocol::V5));
    assert!(wrong(&[&["pub", "-n", "-t", "a", "-V", "311"], &line[..]].concat()).contains("-D needs MQTT 5"));
}

/// Properties that also have an option are used in the same way.
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

/// Any word may begin with a hyphen, also before another option or a filter.
#[test]
fn words_with_hyphens() {
    let line = [
        "-t",
        "a",
        "-D",
        "publish",
        "user-property",
        "-k",
        "-v",
        "-D",
        "publish",
        "content-type",
        "-x",
        "-q",
        "1",
        "-dD",
        "publish",
        "response-topic",
        "-r",
        "-D",
        "publish",
        "correlation-data",
        "\u{1f}",
        "-m",
        "-D",
    ];
    let config = publish(&line);
    let view = config.properties.view();
    assert_eq!(view.text(PropertyId::ContentType), Some("-x"));
    assert_eq!(view.text(PropertyId::ResponseTopic), Some("-r"));
    assert_eq!(view.binary(PropertyId::CorrelationData), Some(&b"\x1f"[..]));
    assert!(view.iter().any(|one| one.value == Value::Pair("-k", "-v")));
    assert_eq!((config.qos as u8, config.verbosity), (1, Verbosity::Debug));
    assert_eq!(config.source, Source::Message(b"-D".to_vec()));
    let line = ["retain-clear", "-D", "connect", "receive-maximum", "7", "-a/#", "--dry-run"];
    assert!(wrong(&line).contains("unexpected argument '-a'"));
    let line = ["retain-clear", "-D", "connect", "receive-maximum", "7", "--dry-run", "--", "-a/#"];
    good(&line);
}

#[test]
fn bad_properties() {
    let cases: &[(&[&str], &str)] = &[
        (&["-D", "publish", "content-type"], "3 values required by '--property"),
        // The property's name, not the next hyphen, decides where the words of -D end.
        (&["-D", "publish", "content-type", "a", "b"], "TOPIC 'b' and -t 'a' are both given"),
        (&["-D", "publish", "user-property", "k"], "takes two words"),
        (&["-D", "puback", "user-property", "k", "v"], "unknown packet"),
        (&["-D", "subscribe", "user-property", "k", "v"], "this command sends no SUBSCRIBE"),
        (&["-D", "publish", "colour", "red"], "unknown property 'colour'"),
        (
            &["-D", "publish", "receive-maximum", "5"],
            "property receive-maximum is not allowed in this packet",
        ),
        (&["-D", "publish", "subscription-identifier", "5"], "is not allowed in this packet"),
        (&["-D", "will", "reason-string", "x", "--will-topic", "w"], "is not allowed in this packet"),
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

/// The separate options are equivalent to `-D`.
#[test]
fn options_of_their_own() {
    let line = "-t a -n --content-type text/plain --payload-format-indicator 1 --message-expiry 1h --response-topic answers/1 \
                --correlation-data hex:00ff --user-property k=1 --user-property k=a=b -D publish user-property first 0 \
                --topic-alias 7 --receive-maximum 10 --topic-alias-maximum 20 --request-response-information 1 \
                --request-problem-information 0 --connect-user-property c=1 -x 60 --disconnect-session-expiry never \
                --disconnect-reason bye --disconnect-user-property d=1 --will-topic w --will-delay 5s \
                --will-content-type t --will-payload-format-indicator 0 --will-message-expiry 90 \
                --will-response-topic r --will-correlation-data base64:AQI= --will-user-property w=1";
    let config = publish(&line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(
        shown(&config.properties),
        [
            "user-property=first:0",
            "content-type=text/plain",
            "payload-format-indicator=1",
            "message-expiry-interval=3600",
            "response-topic=answers/1",
            "correlation-data=[0, 255]",
            "user-property=k:1",
            "user-property=k:a=b",
        ]
    );
    assert_eq!(config.topic_alias, TopicAlias::Fixed(7));
    assert_eq!(
        shown(&config.client.properties),
        [
            "receive-maximum=10",
            "topic-alias-maximum=20",
            "request-response-information=1",
            "request-problem-information=0",
            "user-property=c:1",
        ]
    );
    assert_eq!(
        shown(&config.client.disconnect_properties),
        ["session-expiry-interval=4294967295", "reason-string=bye", "user-property=d:1"]
    );
    assert_eq!(
        shown(&config.client.will.unwrap().properties),
        [
            "will-delay-interval=5",
            "content-type=t",
            "payload-format-indicator=0",
            "message-expiry-interval=90",
            "response-topic=r",
            "correlation-data=[1, 2]",
            "user-property=w:1",
        ]
    );
}

#[test]
fn options_of_subscriptions() {
    let line = "-t a --subscribe id=7,qos=1:b --subscription-identifier 268435455 --subscribe-user-property s=1 \
                --unsubscribe-user-property u=1";
    let config = subscribe(&line.split_whitespace().collect::<Vec<_>>());
    let identifiers: Vec<_> = config.filters.iter().map(|filter| filter.identifier).collect();
    assert_eq!(identifiers, [Some(268_435_455), Some(7)]);
    assert_eq!(shown(&config.subscribe_properties), ["user-property=s:1"]);
    assert_eq!(shown(&config.unsubscribe_properties), ["user-property=u:1"]);
}

#[test]
fn bad_options_of_their_own() {
    let cases: &[(&[&str], &str)] = &[
        (&["--content-type", "a", "-D", "publish", "content-type", "b"], "--content-type and -D both give"),
        (&["--topic-alias", "1", "-D", "publish", "topic-alias", "1"], "--topic-alias and -D both give"),
        (&["--topic-alias", "0"], "1 to 65535, or auto"),
        (&["--payload-format-indicator", "2"], "--payload-format-indicator '2': it must be 0 or 1"),
        (&["--message-expiry", "1.5"], "whole seconds"),
        (&["--message-expiry", "-1"], "cannot be negative"),
        (&["--message-expiry", "4294967296"], "0 to 4294967295"),
        (&["--response-topic", "a/+"], "wildcard"),
        (&["--correlation-data", "hex:123"], "pairs of hexadecimal digits"),
        (&["--correlation-data", "base64:?"], "invalid base64"),
        (&["--user-property", "k"], "use KEY=VALUE"),
        (&["--receive-maximum", "0"], "1 to 65535"),
        (&["--topic-alias-maximum", "65536"], "0 to 65535"),
        (&["--request-problem-information", "yes"], "must be a number"),
        (&["--will-delay", "5s"], "--will-delay needs --will-topic"),
        (&["--will-user-property", "k=v"], "--will-user-property needs --will-topic"),
        (&["--disconnect-session-expiry", "60"], "needs a Session Expiry Interval above 0"),
        (&["-D", "disconnect", "session-expiry-interval", "60"], "needs a Session Expiry Interval above 0"),
        (&["-V", "311", "--content-type", "a"], "--content-type needs MQTT 5, and -V asks for MQTT 3.1.1"),
        (&["-V", "31", "--topic-alias", "auto"], "--topic-alias needs MQTT 5, and -V asks for MQTT 3.1"),
        (&["--subscription-identifier", "5"], "--subscription-identifier"),
    ];
    for (line, words) in cases {
        let message = wrong(&[&["pub", "-n", "-t", "a"], *line].concat());
        assert!(message.contains(words), "{line:?}\n  says  {message}\n  not   {words}");
    }
    all_wrong(&[
        (&["sub", "-t", "a", "--subscription-identifier", "0"], "must be 1 to 268435455"),
        (&["sub", "-t", "a", "--subscription-identifier", "268435456"], "must be 1 to 268435455"),
        (&["sub", "--subscribe", "id=0:a"], "id must be 1 to 268435455"),
        (&["sub", "-V", "311", "--subscribe", "id=1:a"], "a subscription identifier needs MQTT 5"),
        (&["sub", "-V", "311", "-t", "a", "--subscription-identifier", "1"], "needs MQTT 5"),
    ]);
    let long = "x".repeat(65_536);
    let line = ["pub", "-n", "-t", "a", "--correlation-data", &long];
    assert!(wrong(&line).contains("65536 bytes"));
}
