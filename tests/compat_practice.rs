//! Typical command lines from scripts, cron jobs and containers, under the names of mosquitto's clients.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use mqtt::broker::Faults;
use mqtt::protocol::Protocol::{V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::reason::ReasonCode;
use mqtt::protocol::wire::PacketType;
use tempfile::TempDir;

use crate::compat::{PUB, RR, SUB};
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::Mqtt;
use crate::support::packets::{self, Message};
use crate::support::pki::Authority;
use crate::support::server::Server;
use crate::support::{Service, write};

/// One of the clients, with an empty home directory.
fn client(name: &'static str, home: &TempDir, service: &dyn Service, line: &[&str]) -> Mqtt {
    let port = service.port().to_string();
    Mqtt::new(["-h", "127.0.0.1", "-p", &port]).args(line).called(name).env("HOME", home.path())
}

/// Home Assistant and similar: a retained discovery message, read and cleared.
#[test]
fn a_retained_discovery_message() {
    let (broker, home) = (Broker::start(), tempfile::tempdir().unwrap());
    let topic = "homeassistant/sensor/kitchen/config";
    let config = r#"{"name":"Kitchen","state_topic":"home/kitchen","unit_of_measurement":"°C"}"#;
    client(PUB, &home, &broker, &["-t", topic, "-r", "-m", config]).run().succeeds();
    let read = ["-t", "homeassistant/#", "-C", "1", "-W", "3", "-v"];
    client(SUB, &home, &broker, &read).run().succeeds().prints(format!("{topic} {config}\n"));
    client(PUB, &home, &broker, &["-t", topic, "-r", "-n"]).run().succeeds();
    client(SUB, &home, &broker, &["-t", topic, "-C", "1", "-W", "1"])
        .run()
        .exits(27)
        .prints("")
        .says("Timed out\n");
}

/// A receiver of radio sensors: every line of a pipe is a message.
#[test]
fn lines_of_a_pipe() {
    let (broker, home) = (Broker::start(), tempfile::tempdir().unwrap());
    let all = client(SUB, &home, &broker, &["-t", "rtl/#", "-q", "1", "-C", "3", "-i", "logger", "-c", "-d"])
        .spawn();
    all.wait_for_stdout("Subscribed (mid: 1): 1");
    let lines = "{\"model\":\"A\"}\n\n{\"model\":\"B\"}";
    client(PUB, &home, &broker, &["-t", "rtl/events", "-l", "-q", "1"]).stdin(lines).run().succeeds();
    let outcome = all.finish();
    let shown = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let payloads: Vec<&str> = shown.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(payloads, ["{\"model\":\"A\"}", "{\"model\":\"B\"}"], "{shown}");
    outcome.exits(0);
}

/// A container's health check.
#[test]
fn health_checks() {
    let (broker, home) = (Broker::start(), tempfile::tempdir().unwrap());
    client(SUB, &home, &broker, &["-t", "$SYS/#", "-E", "-i", "healthcheck"]).run().succeeds().prints("");
    let line = ["-t", "$SYS/broker/version", "-C", "1", "-W", "3", "-E", "-i", "probe"];
    client(SUB, &home, &broker, &line).run().succeeds();
    let refusing =
        Broker::with_faults(Faults { refuse_connect: Some(ReasonCode::NOT_AUTHORIZED), ..Faults::default() });
    let refused = client(SUB, &home, &refusing, &["-t", "a", "-E"]).run();
    refused.exits(5).says("Connection error: Connection Refused: not authorised\n");
    let down =
        Mqtt::new(["-h", "127.0.0.1", "-p", "1", "-t", "a", "-E"]).called(SUB).env("HOME", home.path());
    down.run().exits(1).mentions("Error: ");
}

/// A router: options in a file, for every call.
#[test]
fn options_in_a_file() {
    let (broker, home) = (Broker::start(), tempfile::tempdir().unwrap());
    let port = broker.port();
    let options = format!("# the broker\n-h 127.0.0.1\n-p {port}\n-t router/state\n-q 1\n-r\n");
    let file = write(home.path(), "options", &options);
    Mqtt::new(["-o", &file, "-m", "up and running"]).called(PUB).env("HOME", "/nonexistent").run().succeeds();
    let folder = home.path().join("config");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(SUB), format!("-p {port}\r\n-h 127.0.0.1\r\n\r\n")).unwrap();
    let sub = Mqtt::new(["-t", "router/#", "-C", "1", "-F", "%t|%p|%r"]).called(SUB);
    sub.env("XDG_CONFIG_HOME", &folder).run().succeeds().prints("router/state|up and running|1\n");
    // A FIFO without a writer at the default place is not opened either.
    fs::remove_file(folder.join(SUB)).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(folder.join(SUB)).status().unwrap().success());
    let sub = Mqtt::new(["-p", &port.to_string(), "-t", "router/#", "-C", "1"]).called(SUB);
    sub.env("XDG_CONFIG_HOME", &folder).run().succeeds().prints("up and running\n");
    // A missing file is treated as if there were none, and its words are not options.
    let missing =
        Mqtt::new(["-o", "/no/such", "-h", "127.0.0.1", "-p", &port.to_string(), "-t", "a", "-m", "x"]);
    missing.called(PUB).env("HOME", home.path()).run().succeeds();
}

/// A script with a URL, and with the empty words of an unset variable.
#[test]
fn a_url_and_empty_words() {
    let (broker, home) = (Broker::start(), tempfile::tempdir().unwrap());
    let url = format!("mqtt://me:secret@127.0.0.1:{}/tasmota/cmnd/POWER", broker.port());
    let publish = ["-L", &url, "-m", "ON", "-r", "-q", "1"];
    Mqtt::new(publish).called(PUB).env("HOME", home.path()).run().succeeds();
    let read = ["-L", &url, "-C", "1", "-W", "5"];
    Mqtt::new(read).called(SUB).env("HOME", home.path()).run().succeeds().prints("ON\n");
    let empty = Mqtt::new(["-L", &url, "-m", "ON", ""]).called(PUB).env("HOME", home.path()).run();
    empty.exits(1).says("Error: Unknown option ''.\n\nUse 'mosquitto_pub --help' to see usage.\n");
}

/// A JSON record inside a JSON template, with the time of the local zone.
#[test]
fn a_record_in_a_template() {
    let (broker, home) = (Broker::start(), tempfile::tempdir().unwrap());
    client(PUB, &home, &broker, &["-t", "a/b", "-r", "-m", "say \"hi\""]).run().succeeds();
    let line = ["-t", "a/b", "-C", "1", "-F", "{\"at\":\"@Y\",\"message\":%j}"];
    let outcome = client(SUB, &home, &broker, &line).env("TZ", "XYZ-05:30").run().exits(0);
    let record: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let message = &record["message"];
    assert_eq!(message["payload"], "say \"hi\"");
    assert_eq!(message["retain"], true);
    let time = message["tst"].as_str().unwrap();
    assert!(time.ends_with("+0530") && time.len() == "2026-11-20T09:38:06.123456+0530".len(), "{time}");
    assert_eq!(record["at"], time[..4]);
    // Mosquitto's output for this is not valid JSON.
    client(PUB, &home, &broker, &["-t", "a/b", "-r", "-s"]).stdin(b"\0\x01\xff".as_slice()).run().succeeds();
    let outcome = client(SUB, &home, &broker, &["-t", "a/b", "-C", "1", "-F", "%j"]).run().exits(0);
    let record: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!((&record["payload"], &record["payload-encoding"]), (&"AAH/".into(), &"base64".into()));
}

/// Cloud services: properties by -D, and an ALPN protocol that has no effect without TLS.
#[test]
fn properties_and_tls_words_on_a_plain_connection() {
    let (broker, home) = (Broker::start(), tempfile::tempdir().unwrap());
    let line = [
        "-t",
        "devices/1/messages",
        "-m",
        "{}",
        "-q",
        "1",
        "-r",
        "-D",
        "PUBLISH",
        "user-property",
        "iothub",
        "-x",
        "-D",
        "publish",
        "content-type",
        "application/json",
        "--tls-alpn",
        "x-amzn-mqtt-ca",
        "--tls-version",
        "tlsv1.2",
    ];
    client(PUB, &home, &broker, &line).run().succeeds();
    let read = ["-V", "mqttv5", "-t", "devices/#", "-C", "1", "-F", "%C %P"];
    client(SUB, &home, &broker, &read).run().succeeds().prints("application/json iothub:-x\n");
}

/// The environment and the profiles of `mqtt` have no effect under these names.
#[test]
fn variables_of_mqtt_have_no_effect() {
    let (broker, home) = (Broker::start(), tempfile::tempdir().unwrap());
    let folder = home.path().join(".config/mqtt");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), "default-profile = 'x'\n[profile.x]\nhost = 'nowhere.invalid'\n")
        .unwrap();
    let published = client(PUB, &home, &broker, &["-t", "a", "-m", "x", "-r"]);
    let published = published.env("MQTT_HOST", "nowhere.invalid").env("MQTT_PORT", "tcp://10.0.0.1:1883");
    published.env("MQTT_QOS", "9").run().succeeds();
    client(SUB, &home, &broker, &["-t", "a", "-C", "1"]).run().succeeds().prints("x\n");
}

/// thin-edge: a request to a device whose response has no correlation data, in MQTT 3.1.1 and 5.
#[test]
fn a_request_and_its_response() {
    for protocol in [V3_1_1, V5] {
        let server = Server::start(move |listener| {
            let mut peer = listener.accept_session(protocol);
            peer.grant_subscription(protocol);
            let (identifier, _) = peer.expect_publish(protocol, QoS::AtLeastOnce, b"get");
            peer.send(&packets::ack(PacketType::PubAck, identifier));
            let response = Message::new("device/response", b"42").at(QoS::AtLeastOnce, 9);
            peer.send(&response.bytes(protocol));
            peer.expect(protocol, &packets::ack(PacketType::PubAck, 9));
            peer.expect_disconnect(protocol);
        });
        let port = server.port().to_string();
        let version = if protocol == V5 { "5" } else { "311" };
        let line = [
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-V",
            version,
            "-t",
            "device/get",
            "-e",
            "device/response",
            "-m",
            "get",
        ];
        let rr = Mqtt::new(line).args(["-q", "1", "-W", "60", "--latency"]).called(RR);
        let outcome = rr.env("HOME", "/nonexistent").run().exits(0);
        let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
        assert!(text.starts_with("42\nLatency: ") && text.ends_with("s\n"), "{text}");
        server.finish();
    }
}

/// The run ends with the response: it waits neither for the acknowledgement of the request nor for the end of
/// the connection.
#[test]
fn a_request_ends_with_its_response() {
    for is_acknowledged in [true, false] {
        let (ended, has_ended) = std::sync::mpsc::channel();
        let server = Server::start(move |listener| {
            let mut peer = listener.accept_session(V5);
            peer.grant_subscription(V5);
            let (identifier, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"get");
            if is_acknowledged {
                peer.send(&packets::ack(PacketType::PubAck, identifier));
            }
            peer.send(&Message::new("response", b"42").at(QoS::AtLeastOnce, 9).bytes(V5));
            peer.expect(V5, &packets::ack(PacketType::PubAck, 9));
            peer.expect_disconnect(V5);
            // This side of the connection stays open until the program has ended.
            has_ended.recv().unwrap();
        });
        let port = server.port().to_string();
        let line = ["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", "get", "-e", "response", "-m", "get"];
        Mqtt::new(line).called(RR).env("HOME", "/nonexistent").run().exits(0).prints("42\n");
        ended.send(()).unwrap();
        server.finish();
    }
}

/// A message from a pipe, which 2.1.2 refuses because it is not a regular file.
#[test]
fn a_message_of_a_pipe() {
    let (broker, home) = (Broker::start(), tempfile::tempdir().unwrap());
    let publish = client(PUB, &home, &broker, &["-t", "a", "-r", "-f", "/dev/stdin"]);
    publish.stdin("of a pipe").run().succeeds();
    client(SUB, &home, &broker, &["-t", "a", "-C", "1"]).run().succeeds().prints("of a pipe\n");
}

/// `--insecure` does not verify the name in the certificate, but still verifies its issuer.
#[test]
fn an_insecure_connection_is_to_a_certificate_of_the_authority() {
    let (authority, stranger) = (Authority::new("Test CA"), Authority::new("Another CA"));
    let identity = authority.issue("broker", &["elsewhere.example"]);
    let Some(broker) = Mosquitto::start(&Setup::new().tls(&identity)) else { return };
    let home = tempfile::tempdir().unwrap();
    let publish = |ca: &Path, more: &[&str]| {
        let line = ["-t", "a", "-m", "x", "-q", "1", "--cafile", &ca.display().to_string()];
        client(PUB, &home, &broker, &line).args(more).run()
    };
    publish(&authority.file(), &[]).exits(1).mentions("Unable to connect (A TLS error occurred).");
    publish(&authority.file(), &["--insecure"]).exits(0);
    publish(&stranger.file(), &["--insecure"]).exits(1).mentions("TLS error");
}

/// Secrets are hidden from other users, as under the program's own name.
#[test]
fn secrets_are_hidden_from_the_list_of_processes() {
    let (seen, is_seen) = std::sync::mpsc::channel();
    let server = Server::start(move |listener| {
        let mut peer = listener.accept();
        let connect = peer.packet();
        assert!(connect.ends_with(b"\x00\x02me\x00\x07hunter2"), "{connect:?}");
        is_seen.recv().unwrap();
        peer.send(&packets::connack(V3_1_1, false, 5));
    });
    let port = server.port().to_string();
    let line = ["-h", "127.0.0.1", "-p", &port, "-t", "a", "-u", "me", "-P", "hunter2"];
    let running = Mqtt::new(line).called(SUB).env("HOME", "/nonexistent").spawn();
    crate::support::wait_until(|| {
        let shown = running.command_line();
        shown.contains("(hidden)") && !shown.contains("hunter2") && shown.starts_with("mosquitto_sub")
    });
    seen.send(()).unwrap();
    running.finish().exits(5);
    server.finish();
}

/// Links are made, replaced and removed, but no other files.
#[test]
fn links_are_made_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let compat = |line: &[&str]| Mqtt::new(["compat"]).args(line).args(["--dir", &dir]).run();
    compat(&["install"]).exits(0).mentions("mosquitto_rr -> ");
    let version =
        std::process::Command::new(folder.path().join(SUB)).arg("--version").env_clear().output().unwrap();
    assert!(version.stdout.starts_with(b"mosquitto_sub version 2.1.2 "), "{version:?}");
    compat(&["install", "--quiet"]).succeeds();
    compat(&["uninstall", "--quiet"]).succeeds();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // One of them is another file.
    let real = folder.path().join(SUB);
    fs::write(&real, "#!/bin/sh\n").unwrap();
    compat(&["install"]).exits(1).mentions("mosquitto_sub: it is not a link to mqtt").mentions("--force");
    compat(&["uninstall"]).exits(1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    fs::remove_file(&real).unwrap();
    symlink("/usr/bin/true", &real).unwrap();
    compat(&["install"]).exits(1);
    compat(&["install", "--force"]).exits(0);
    assert!(fs::read_link(&real).unwrap().ends_with("mqtt"));
    compat(&["uninstall"]).exits(0);
    compat(&["uninstall"]).exits(0).mentions("nothing to remove in ");
    Mqtt::new(["compat", "install"]).run().exits(2).mentions("--dir");
    // A package manager moves its own link to the next version: the links use it.
    let bin = tempfile::tempdir().unwrap();
    let (link, dir) = (bin.path().join("mqtt"), bin.path().join("names"));
    symlink(env!("CARGO_BIN_EXE_mqtt"), &link).unwrap();
    fs::create_dir(&dir).unwrap();
    let install = |program: &str, path: &str| {
        let run = std::process::Command::new(program)
            .env("PATH", path)
            .args(["compat", "install", "--dir"])
            .arg(&dir)
            .output();
        assert!(run.unwrap().status.success());
        assert_eq!(fs::read_link(dir.join("mosquitto_sub")).unwrap(), link);
    };
    install(link.to_str().unwrap(), "");
    install(link.to_str().unwrap(), "");
    Mqtt::new(["compat", "mosquitto_no"]).run().exits(2);
}

/// Mosquitto's clients continue if the address accepts connections before its broker is ready: a proxy, or a
/// broker that reads its store.
#[test]
fn broker_that_closes_before_it_answers_is_waited_for() {
    for (name, line) in [
        ("mosquitto_sub", &["-t", "a", "-E", "-W", "30"][..]),
        ("mosquitto_pub", &["-t", "a", "-l", "-q", "1"]),
    ] {
        let server = Server::start(move |server| {
            // The first attempt, its TLS probe, and the second attempt.
            for _ in 0..3 {
                drop(server.accept());
            }
            let mut peer = server.accept_session(V3_1_1);
            if name == "mosquitto_sub" {
                let (identifier, _) = peer.expect_subscribe(V3_1_1);
                peer.send(&packets::suback(V3_1_1, identifier, &[0]));
            } else {
                let (identifier, _) = peer.expect_publish(V3_1_1, QoS::AtLeastOnce, b"1");
                let [high, low] = identifier.to_be_bytes();
                peer.send(&[0x40, 2, high, low]);
            }
            peer.expect_disconnect(V3_1_1);
        });
        let port = server.port().to_string();
        let run = Mqtt::new(line).args(["-h", "127.0.0.1", "-p", &port]).called(name).stdin("1\n").run();
        run.exits(0).says("");
        server.finish();
    }
    // A message on the command line is not repeated: the end is reported.
    let server = Server::start(|server| {
        for _ in 0..2 {
            drop(server.accept());
        }
    });
    let port = server.port().to_string();
    let line = ["-t", "a", "-m", "1", "-h", "127.0.0.1", "-p", &port];
    Mqtt::new(line).called("mosquitto_pub").run().exits(7);
    server.finish();
}
