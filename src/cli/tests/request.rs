use std::time::Duration;

use super::{all_wrong, good};
use crate::client::options::{Reconnect, Version};
use crate::command::input::Source;
use crate::command::request::Config;
use crate::output::MessageFormat;
use crate::protocol::property::PropertyId;
use crate::protocol::{Protocol, QoS};

fn request(line: &[&str]) -> Config {
    super::config(good(&[&["rr"], line].concat()))
}

#[test]
fn the_shortest_line() {
    let config = request(&["-t", "service", "-n"]);
    assert_eq!(
        (config.topic.as_str(), config.response_topic, config.source),
        ("service", None, Source::Null)
    );
    assert_eq!((config.qos, config.timeout, config.latency), (QoS::AtMostOnce, None, false));
    assert_eq!(config.format, MessageFormat::Text { verbose: false, newline: true });
    assert_eq!((config.client.reconnect, config.client.version), (Reconnect::NEVER, Version::Auto));
    let asks = config.client.properties.view().number(PropertyId::RequestResponseInformation);
    assert_eq!(asks, Some(1));
}

#[test]
fn every_option() {
    let config = request(&[
        "-t",
        "a/b",
        "-e",
        "c/d",
        "-m",
        "x",
        "-q",
        "2",
        "-W",
        "5",
        "--latency",
        "-R",
        "--json",
        "--retain-as-published",
        "--content-type",
        "text/plain",
    ]);
    assert_eq!((config.topic.as_str(), config.response_topic.as_deref()), ("a/b", Some("c/d")));
    assert_eq!((config.qos, config.timeout), (QoS::ExactlyOnce, Some(Duration::from_secs(5))));
    assert!(config.latency && config.retain_as_published);
    assert_eq!(config.format, MessageFormat::Json { pretty: false });
    assert_eq!(config.properties.view().text(PropertyId::ContentType), Some("text/plain"));
    assert_eq!(config.client.version, Version::Only(Protocol::V5));
    assert!(config.client.properties.is_empty(), "who names the topic need not ask for one");
}

/// The property is equivalent to `-e`, and is sent once.
#[test]
fn the_response_topic_as_a_property() {
    for words in [&["--response-topic", "r"][..], &["-D", "publish", "response-topic", "r"]] {
        let config = request(&[&["-t", "a", "-n"], words].concat());
        assert_eq!(config.response_topic.as_deref(), Some("r"));
        assert!(config.properties.is_empty());
    }
}

#[test]
fn request_response_information_of_the_user_is_kept() {
    let config = request(&["-t", "a", "-n", "--request-response-information", "0"]);
    let asks = config.client.properties.view().number(PropertyId::RequestResponseInformation);
    assert_eq!(asks, Some(0));
}

#[test]
fn one_response_is_wanted_unless_more_are_asked_for() {
    let wanted = |line: &[&str]| {
        let config = request(&[&["-t", "a", "-n"], line].concat());
        (config.responses, config.requests)
    };
    assert_eq!(wanted(&[]), (Some(1), 1));
    assert_eq!(wanted(&["-C", "3", "--idle", "1"]), (Some(3), 1));
    assert_eq!(wanted(&["--idle", "1"]), (None, 1));
    assert_eq!(wanted(&["--all", "-W", "1"]), (None, 1));
    assert_eq!(wanted(&["--idle", "1", "--repeat", "5"]), (Some(1), 5));
    assert_eq!(wanted(&["--idle", "1", "--repeat", "5", "--all"]), (None, 5));
    assert_eq!(wanted(&["--repeat", "forever"]).0, Some(1));
}

#[test]
fn wrong_lines() {
    all_wrong(&[
        (&["rr", "-n"], "no topic"),
        (&["rr", "-t", "a"], "no request to publish"),
        (&["rr", "-t", "a", "-n", "-m", "x"], "two sources"),
        (&["rr", "-t", "a", "-t", "b", "-n"], "2 topics given"),
        (&["rr", "-t", "a/#", "-n"], "wildcard"),
        (&["rr", "-t", "a", "-e", "b/+", "-n"], "response topic 'b/+': it contains a wildcard"),
        (&["rr", "-t", "a", "-e", "b", "-e", "c", "-n"], "2 topics given (-e)"),
        (&["rr", "-t", "a", "-n", "-c", "-i", "me"], "new topic in every run"),
        (&["rr", "-t", "a", "-e", "", "-n"], "the response topic is empty"),
        (&["rr", "-t", "a", "-e", "$share/g/b", "-n"], "shared subscription"),
        (&["rr", "-t", "a", "-e", "a", "-n"], "must differ from the topic"),
        (&["rr", "-t", "a", "-e", "b", "--response-topic", "c", "-n"], "-e and a property both"),
        (&["rr", "-t", "a", "-n", "-V", "311"], "only a request of MQTT 5"),
        (&["rr", "-t", "a", "-e", "b", "-n", "-V", "31", "--retain-as-published"], "--retain-as-published"),
        (&["rr", "-t", "a", "-n", "-r"], "-r"),
        (&["rr", "-t", "a", "-l"], "-l"),
        (&["rr", "-t", "a", "-n", "-W", "0"], "-W"),
        (&["rr", "-t", "a", "-n", "--all"], "--all needs -W or --idle"),
        (&["rr", "-t", "a", "-n", "--all", "-W", "1", "--repeat", "2"], "--all with --repeat needs --idle"),
        (&["rr", "-t", "a", "-n", "--all", "-C", "2", "-W", "1"], "-C"),
        (&["rr", "-t", "a", "-n", "-C", "0"], "at least 1"),
        (&["rr", "-t", "a", "-n", "--interval", "1"], "--repeat"),
        (&["rr", "-t", "a", "-n", "--repeat", "2", "--interval", "0.1ms"], "at least 1ms"),
        (&["rr", "-t", "a", "-n", "--json", "-N"], "-N cannot be used with --json"),
        (&["rr", "-t", "a", "-n", "-D", "unsubscribe", "user-property", "k", "v"], "no UNSUBSCRIBE"),
    ]);
}
