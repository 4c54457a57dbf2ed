use std::net::IpAddr;
use std::time::Duration;

use super::{all_wrong, client, client_from_environment, wrong, wrong_from_environment};
use crate::client::options::Version;
use crate::net::{Address, Transport};
use crate::protocol::Protocol;

const NEVER_EXPIRES: u32 = u32::MAX;

fn address(line: &[&str], ids: &[&str]) -> String {
    client_from_environment(line, ids).endpoint.address.to_string()
}

#[test]
fn defaults() {
    let client = client(&[]);
    assert_eq!(client.endpoint.address, Address::Tcp { host: "localhost".into(), port: 1883 });
    assert_eq!(client.endpoint.transport, Transport::Plain);
    assert!(client.endpoint.tls.is_none() && client.endpoint.bind.is_none());
    assert_eq!(client.version, Version::Auto);
    assert_eq!(client.client_identifier, "");
    assert!(client.clean_start);
    assert_eq!(client.keep_alive, 60);
    assert_eq!(client.session_expiry_interval, None);
    assert_eq!(client.max_inflight, 20);
    assert_eq!(client.max_packet_bytes, 268_435_460);
    assert_eq!(client.connect_timeout, Duration::from_secs(30));
    assert_eq!(client.endpoint.connect_timeout, Duration::from_secs(30));
    assert!(client.properties.is_empty() && client.disconnect_properties.is_empty());
    assert_eq!((client.user_name, client.password), (None, None));
}

#[test]
fn every_option() {
    let client = client(&[
        "-h",
        "::1",
        "-p",
        "1884",
        "-u",
        "me",
        "-P",
        "secret",
        "-i",
        "id",
        "-k",
        "5m",
        "-c",
        "-x",
        "1h",
        "-M",
        "100",
        "--max-packet-size",
        "65536",
        "-A",
        "127.0.0.1",
        "--connect-timeout",
        "2.5",
    ]);
    assert_eq!(client.endpoint.address.to_string(), "[::1]:1884");
    assert_eq!(client.endpoint.bind, Some(IpAddr::from([127, 0, 0, 1])));
    assert_eq!(client.user_name.as_deref(), Some("me"));
    assert_eq!(client.password.as_ref().map(|secret| secret.0.as_slice()), Some(&b"secret"[..]));
    assert!(!format!("{client:?}").contains("secret"));
    assert_eq!(client.client_identifier, "id");
    assert_eq!(client.keep_alive, 300);
    assert!(!client.clean_start);
    assert_eq!(client.session_expiry_interval, Some(3600));
    assert_eq!(client.max_inflight, 100);
    assert_eq!(client.max_packet_bytes, 65_536);
    assert_eq!(client.connect_timeout, Duration::from_millis(2500));
    assert_eq!(client.endpoint.connect_timeout, Duration::from_millis(2500));
}

#[test]
fn versions() {
    for (word, expected) in [
        ("auto", Version::Auto),
        ("31", Version::Only(Protocol::V3_1)),
        ("mqttv31", Version::Only(Protocol::V3_1)),
        ("311", Version::Only(Protocol::V3_1_1)),
        ("mqttv311", Version::Only(Protocol::V3_1_1)),
        ("5", Version::Only(Protocol::V5)),
        ("mqttv5", Version::Only(Protocol::V5)),
    ] {
        assert_eq!(client(&["-V", word]).version, expected);
    }
    assert!(wrong(&["pub", "-t", "a", "-n", "-V", "4"]).contains("[possible values: auto, 31, 311, 5]"));
}

#[test]
fn the_url() {
    let client = client(&["-L", "mqtt://u:p@h:1884"]);
    assert_eq!(client.endpoint.address.to_string(), "h:1884");
    assert_eq!(address(&["-h", "h:1884", "-p", "1885"], &[]), "h:1884");
    assert_eq!(client.user_name.as_deref(), Some("u"));
    assert_eq!(client.password.map(|secret| secret.0), Some(b"p".to_vec()));
    assert_eq!(address(&["-L", "mqtt://h"], &[]), "h:1883");
    assert_eq!(address(&["-L", "mqtt://[::1]:7/a"], &[]), "[::1]:7");
}

/// A flag fills in what the URL leaves open; where both set a value, they must agree.
#[test]
fn the_url_beside_flags() {
    assert_eq!(address(&["-L", "mqtt://h", "-p", "1884"], &[]), "h:1884");
    assert_eq!(address(&["-L", "mqtt://h:1884", "-p", "1884", "-h", "h"], &[]), "h:1884");
    assert_eq!(client(&["-L", "mqtt://u@h", "-P", "p"]).password.map(|secret| secret.0), Some(b"p".to_vec()));
    let line = |option: &[&'static str]| [&["pub", "-n", "-L", "mqtt://u:p@h:1/t"], option].concat();
    for option in [["-h", "other"], ["-p", "2"], ["-u", "other"], ["-P", "other"]] {
        let message = wrong(&line(&option));
        let words = if option[0] == "-h" { "name different brokers" } else { "give different values" };
        assert_eq!(message, format!("-L and {} {words}", option[0]));
    }
}

/// A flag overrides the environment, even if the two are different options.
#[test]
fn flags_beat_the_environment() {
    let url = "mqtt://u:p@h:7/a";
    // MQTT_URL is ignored completely if a flag names another broker.
    assert_eq!(address(&["-L", url, "-h", "other"], &["url"]), "other:1883");
    let other = client_from_environment(&["-L", url, "-h", "other"], &["url"]);
    assert_eq!((other.user_name, other.password), (None, None));
    // A port or a user name refines it.
    assert_eq!(address(&["-L", url, "-p", "8"], &["url"]), "h:8");
    let refined = client_from_environment(&["-L", url, "-u", "me"], &["url"]);
    assert_eq!(refined.user_name.as_deref(), Some("me"));
    // A typed URL overrides MQTT_HOST and MQTT_PORT for the parts that it has.
    assert_eq!(address(&["-L", "mqtt://h", "-h", "other", "-p", "8"], &["host", "port"]), "h:1883");
    let named =
        client_from_environment(&["-L", "mqtt://h", "-u", "me", "-P", "p"], &["username", "password"]);
    assert_eq!(named.user_name.as_deref(), Some("me"));
    // Two variables that disagree are an error, like two flags.
    let line = ["pub", "-n", "-t", "a", "-L", url, "-h", "other"];
    assert!(wrong_from_environment(&line, &["url", "host"]).contains("-L and -h"));
    let ids = ["-i", "typed", "-I", "set"];
    assert_eq!(client_from_environment(&ids, &["id_prefix"]).client_identifier, "typed");
    let ids = ["-i", "set", "-I", "typed"];
    assert!(client_from_environment(&ids, &["client_id"]).client_identifier.starts_with("typed"));
}

#[test]
fn bad_addresses() {
    all_wrong(&[
        (&["pub", "-n", "-t", "a", "-h", ""], "--host"),
        (&["pub", "-n", "-t", "a", "-h", "h:mqtt"], "--host"),
        (&["pub", "-n", "-t", "a", "-h", "h:1:2"], "-p takes the port"),
        (&["pub", "-n", "-t", "a", "-h", "mqtt://h"], "-L takes"),
        (&["pub", "-n", "-t", "a", "-p", "0"], "--port"),
        (&["pub", "-n", "-t", "a", "-p", "65536"], "--port"),
        (&["pub", "-n", "-t", "a", "-p", "mqtt"], "--port"),
        (&["pub", "-n", "-t", "a", "-A", "eth0"], "must be an IP address"),
        (&["pub", "-n", "-L", "http://h/t"], "scheme 'http' is not supported"),
        (&["pub", "-n", "-L", "mqtt:///t"], "empty"),
        (&["pub", "-n", "-L", "mqtt://h/t%"], "%25"),
    ]);
}

#[test]
fn client_identifiers() {
    let prefixed = client(&["-I", "sensor-"]).client_identifier;
    assert_eq!(prefixed, format!("sensor-{}", std::process::id()));
    assert_eq!(client(&["--id", "a"]).client_identifier, "a");
    all_wrong(&[
        (&["pub", "-n", "-t", "a", "-i", ""], "the client identifier is empty"),
        (&["pub", "-n", "-t", "a", "-i", "a", "-I", "b"], "-i and -I cannot be used together"),
    ]);
    assert!(wrong(&["pub", "-n", "-t", "a", "-i", &"x".repeat(65_536)]).contains("65536 bytes long"));
}

#[test]
fn sessions() {
    let kept = client(&["-c", "-i", "id"]);
    assert!(!kept.clean_start);
    // Without expiry in MQTT 5, as in 3.1.1, where a kept session never expires; `auto` may use either.
    assert_eq!((kept.session_expiry_interval, kept.version), (Some(NEVER_EXPIRES), Version::Auto));
    let limited = client(&["-c", "-i", "id", "-x", "600"]);
    assert_eq!(limited.session_expiry_interval, Some(600));
    assert_eq!(limited.version, Version::Only(Protocol::V5));
    for never in ["-1", "∞", "never"] {
        assert_eq!(client(&["-i", "id", "-x", never]).session_expiry_interval, Some(NEVER_EXPIRES));
    }
    assert_eq!(client(&["-x", "60"]).session_expiry_interval, Some(60));
    all_wrong(&[
        (&["pub", "-n", "-t", "a", "-c"], "-c needs a client identifier"),
        (&["pub", "-n", "-t", "a", "-c", "-I", "p"], "-c needs a client identifier"),
        (&["pub", "-n", "-t", "a", "-x", "-1"], "never expires needs a client identifier"),
        (&["pub", "-n", "-t", "a", "-x", "60", "-V", "311"], "-x needs MQTT 5, and -V asks for MQTT 3.1.1"),
        (&["pub", "-n", "-t", "a", "-x", "-2"], "--session-expiry"),
        (&["pub", "-n", "-t", "a", "-x", "soon"], "--session-expiry"),
        (&["pub", "-n", "-t", "a", "-x", "4294967296"], "--session-expiry"),
    ]);
}

#[test]
fn credentials() {
    // Only MQTT 5 allows a password without a user name, so `auto` must not fall back.
    assert_eq!(client(&["-P", "p"]).version, Version::Only(Protocol::V5));
    assert_eq!(client(&["-u", "u", "-P", "p"]).version, Version::Auto);
    assert_eq!(client(&["-u", "u", "--pw", ""]).password.map(|secret| secret.0), Some(Vec::new()));
    all_wrong(&[
        (&["pub", "-n", "-t", "a", "-V", "311", "-P", "p"], "a password without a user name needs MQTT 5"),
        (&["pub", "-n", "-L", "mqtt://:p@h/t", "-V", "31"], "a password without a user name"),
    ]);
    assert!(wrong(&["pub", "-n", "-t", "a", "-u", &"x".repeat(65_536)]).contains("the user name is 65536"));
    assert!(wrong(&["pub", "-n", "-t", "a", "-P", &"x".repeat(65_536)]).contains("the password is 65536"));
}

#[test]
fn limits() {
    assert_eq!(client(&["-k", "0"]).keep_alive, 0);
    assert_eq!(client(&["-k", "1"]).keep_alive, 1);
    all_wrong(&[
        (&["pub", "-n", "-t", "a", "-k", "65536"], "0 to 65535 seconds"),
        (&["pub", "-n", "-t", "a", "-k", "0.5"], "whole seconds"),
        (&["pub", "-n", "-t", "a", "-k", "-1"], "--keepalive"),
        (&["pub", "-n", "-t", "a", "-M", "0"], "--max-inflight"),
        (&["pub", "-n", "-t", "a", "-M", "65536"], "--max-inflight"),
        (&["pub", "-n", "-t", "a", "--max-packet-size", "0"], "--max-packet-size"),
        (&["pub", "-n", "-t", "a", "--max-packet-size", "268435461"], "--max-packet-size"),
        (&["pub", "-n", "-t", "a", "--connect-timeout", "0"], "longer than 0"),
        (&["pub", "-n", "-t", "a", "--reconnect", "maybe"], "'never', 'always' or a number"),
        (&["pub", "-n", "-t", "a", "--reconnect-max-delay", "0s"], "longer than 0"),
    ]);
}
